/* test_document.c - leadctl/document.c and endpoint_url.c: what a schema cannot say, each error at its place. */
#include "leadctl/document.h"
#include "leadctl/endpoint_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SECRET "whsec_YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcywgb2s="
#define SHA "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8" /* of "password" */

#define SUPPLIER(rest) "\"suppliers\":[{\"id\":\"s\"" rest "}]"
#define BUYER(rest) "\"buyers\":[{\"id\":\"b\"" rest "}]"
#define CAMPAIGN(rest) "\"campaigns\":[{\"id\":\"c\"" rest "}]"
#define CONTRACT(rest) "{\"buyer_id\":\"b\",\"price\":\"1\"" rest "}"

static const struct {
    const char *claim, *document, *want;
} rows[] = {
    {"nothing", "{}", ""},
    {"no JSON", "{\"a\"", "the document"},
    {"a key twice in an object", "{\"suppliers\":[],\"suppliers\":[]}", "the document"},
    {"a supplier twice", "{\"suppliers\":[{\"id\":\"s\"},{\"id\":\"t\"},{\"id\":\"s\"}]}", "/suppliers/2/id"},
    {"a buyer twice", "{\"buyers\":[{\"id\":\"s\"},{\"id\":\"s\"}]}", "/buyers/1/id"},
    {"a campaign twice", "{\"campaigns\":[{\"id\":\"s\"},{\"id\":\"s\"}]}", "/campaigns/1/id"},
    {"a supplier and a buyer may share an id", "{" SUPPLIER("") ",\"buyers\":[{\"id\":\"s\"}]}", ""},
    {"a bad id", "{\"suppliers\":[{\"id\":\"a b\"},{\"id\":\"\"},{}]}", "/suppliers/0/id /suppliers/1/id /suppliers/2/id"},
    {"a key as hash and as text", "{" SUPPLIER(",\"api_keys\":[{\"key\":\"password\"},{\"sha256\":\"" SHA "\"}]") "}", "/suppliers/0/api_keys/1"},
    {"a key of two suppliers", "{\"suppliers\":[{\"id\":\"a\",\"api_keys\":[{\"key\":\"k\"}]},{\"id\":\"b\",\"api_keys\":[{\"key\":\"k\"}]}]}", "/suppliers/1/api_keys/0"},
    {"a key with both", "{" SUPPLIER(",\"api_keys\":[{\"key\":\"k\",\"sha256\":\"" SHA "\"}]") "}", "/suppliers/0/api_keys/0"},
    {"addresses", "{" SUPPLIER(",\"allowed_ips\":[\"203.0.113.0/24\",\"2001:db8::1\",\"203.0.113.1/24\",\"x\"]") "}", "/suppliers/0/allowed_ips/2 /suppliers/0/allowed_ips/3"},
    {"rates", "{" SUPPLIER(",\"rate_limits\":{\"ingest\":{\"per_second\":1000000,\"burst\":0},\"lookup\":{\"per_second\":1000001},\"x\":{}}") "}",
     "/suppliers/0/rate_limits/lookup/per_second /suppliers/0/rate_limits/x"},
    {"good secrets", "{" BUYER(",\"delivery\":{\"url\":\"https://buyer.example/\",\"secrets\":[\"" SECRET "\"],\"legacy_signature\":true}") "}", ""},
    {"bad secrets", "{" BUYER(",\"delivery\":{\"url\":\"https://buyer.example/\",\"secrets\":[\"whsec_\",\"secret\",\"whsec_***\"]}") "}",
     "/buyers/0/delivery/secrets/0 /buyers/0/delivery/secrets/1 /buyers/0/delivery/secrets/2"},
    {"a legacy signature needs a secret", "{" BUYER(",\"delivery\":{\"url\":\"https://buyer.example/\",\"legacy_signature\":true}") "}", "/buyers/0/delivery/legacy_signature"},
    {"a delivery needs a url", "{" BUYER(",\"delivery\":{}") "}", "/buyers/0/delivery/url"},
    {"a private address: the dispatcher refuses it", "{" BUYER(",\"delivery\":{\"url\":\"http://127.0.0.1:9/\"}") "}", ""},
    {"a ping", "{" BUYER(",\"ping\":{\"url\":\"https://buyer.example/ping\",\"timeout_ms\":50,\"limits\":{\"concurrent\":1,\"per_second\":1}}") "}", ""},
    {"a ping needs a url", "{" BUYER(",\"ping\":{\"timeout_ms\":300}") "}", "/buyers/0/ping/url"},
    {"wrong pings", "{\"buyers\":[{\"id\":\"1\",\"ping\":{\"url\":\"ftp://x/\",\"timeout_ms\":49}},{\"id\":\"2\",\"ping\":{\"url\":\"http://x/\",\"limits\":{\"concurrent\":0,\"x\":1}}},"
        "{\"id\":\"3\",\"ping\":{\"url\":\"http://u@x/\",\"timeout_ms\":60001}}]}",
     "/buyers/0/ping/timeout_ms /buyers/1/ping/limits/concurrent /buyers/1/ping/limits/x /buyers/2/ping/timeout_ms /buyers/0/ping/url /buyers/2/ping/url"},
    {"fields of pings", "{" CAMPAIGN(",\"fields\":[{\"name\":\"state\",\"ping\":true},{\"name\":\"zip_code\",\"ping\":\"sha256\"},{\"name\":\"phone\",\"ping\":\"sha256\"},"
        "{\"name\":\"email\",\"ping\":false},{\"name\":\"last_name\",\"ping\":\"sha256\"}]") "}", ""},
    {"fields that give somebody away", "{" CAMPAIGN(",\"fields\":[{\"name\":\"first_name\",\"ping\":true},{\"name\":\"last_name\",\"ping\":true},{\"name\":\"phone\",\"ping\":true},"
        "{\"name\":\"email\",\"ping\":true},{\"name\":\"x\",\"type\":\"phone\",\"ping\":true},{\"name\":\"y\",\"type\":\"email\",\"ping\":true}]") "}",
     "/campaigns/0/fields/0/ping /campaigns/0/fields/1/ping /campaigns/0/fields/2/ping /campaigns/0/fields/3/ping /campaigns/0/fields/4/ping /campaigns/0/fields/5/ping"},
    {"a phone by another type", "{" CAMPAIGN(",\"fields\":[{\"name\":\"phone\",\"type\":\"string\",\"ping\":true}]") "}", "/campaigns/0/fields/0/ping"},
    {"fields of pings that the schema refuses", "{" CAMPAIGN(",\"fields\":[{\"name\":\"a\",\"ping\":\"md5\"},{\"name\":\"phone\",\"ping\":1}]") "}",
     "/campaigns/0/fields/0/ping /campaigns/0/fields/1/ping"},
    {"caps", "{" BUYER(",\"caps\":[{\"window\":\"hour\",\"leads\":0},{\"window\":\"day\",\"leads\":1},{\"window\":\"week\",\"leads\":1},"
                       "{\"window\":\"month\",\"leads\":1},{\"window\":\"total\",\"leads\":1}]") "}", ""},
    {"bad caps", "{" BUYER(",\"caps\":[{\"window\":\"year\",\"leads\":1},{\"window\":\"day\"},{\"leads\":5},{\"window\":\"day\",\"leads\":-1},{\"window\":\"day\",\"leads\":1.5}]") "}",
     "/buyers/0/caps/0/window /buyers/0/caps/2/window /buyers/0/caps/3/leads /buyers/0/caps/4/leads /buyers/0/caps/1"},
    {"a budget", "{" BUYER(",\"caps\":[{\"window\":\"day\",\"budget\":\"5.00\"}]") "}", ""},
    {"a budget that is no money", "{" BUYER(",\"caps\":[{\"window\":\"day\",\"budget\":\"5.001\"}]") "}", "/buyers/0/caps/0/budget"},
    {"a supplier's cap of nothing", "{\"suppliers\":[{\"id\":\"s\",\"caps\":[{\"window\":\"day\"}]}]}", "/suppliers/0/caps/0"},
    {"a campaign's cap of nothing", "{\"campaigns\":[{\"id\":\"c\",\"caps\":[{\"window\":\"day\"}]}]}", "/campaigns/0/caps/0"},
    {"money", "{" BUYER("") "," CAMPAIGN(",\"contracts\":[{\"id\":\"1\",\"buyer_id\":\"b\",\"price\":\"25\"},{\"id\":\"2\",\"buyer_id\":\"b\",\"price\":\"25.5\"},"
        "{\"id\":\"3\",\"buyer_id\":\"b\",\"price\":\"25.555\"},{\"id\":\"4\",\"buyer_id\":\"b\",\"price\":25},{\"id\":\"5\",\"buyer_id\":\"b\",\"price\":\"-1\"},"
        "{\"id\":\"6\",\"buyer_id\":\"b\",\"price\":\".5\"},{\"id\":\"7\",\"buyer_id\":\"b\"}]") "}",
     "/campaigns/0/contracts/2/price /campaigns/0/contracts/3/price /campaigns/0/contracts/4/price /campaigns/0/contracts/5/price /campaigns/0/contracts/6/price"},
    {"unknown references", "{" CAMPAIGN(",\"sources\":[{\"supplier_id\":\"s\"}],\"contracts\":[" CONTRACT("") "]") "}",
     "/campaigns/0/sources/0/supplier_id /campaigns/0/contracts/0/buyer_id"},
    {"a supplier's source twice", "{" SUPPLIER("") "," CAMPAIGN(",\"sources\":[{\"supplier_id\":\"s\"},{\"supplier_id\":\"s\"}]") "}", "/campaigns/0/sources/1/supplier_id"},
    {"one contract needs no id", "{" BUYER("") "," CAMPAIGN(",\"contracts\":[" CONTRACT("") "]") "}", ""},
    {"two need ids", "{" BUYER("") "," CAMPAIGN(",\"contracts\":[" CONTRACT("") "," CONTRACT(",\"id\":\"x\"") "]") "}", "/campaigns/0/contracts/0/id"},
    {"an id twice", "{" BUYER("") "," CAMPAIGN(",\"contracts\":[" CONTRACT(",\"id\":\"x\"") "," CONTRACT(",\"id\":\"x\"") "]") "}", "/campaigns/0/contracts/1/id"},
    {"another's id is the buyer's", "{\"buyers\":[{\"id\":\"b\"},{\"id\":\"d\"}]," CAMPAIGN(",\"contracts\":[{\"id\":\"b\",\"buyer_id\":\"d\",\"price\":\"1\"}," CONTRACT("") "]") "}",
     "/campaigns/0/contracts/1/buyer_id"},
    {"costs", "{\"suppliers\":[{\"id\":\"1\"},{\"id\":\"2\"},{\"id\":\"3\"}]," CAMPAIGN(",\"sources\":[{\"supplier_id\":\"1\",\"cost\":{\"mode\":\"FIXED\",\"amount\":\"10.00\"}},"
        "{\"supplier_id\":\"2\",\"cost\":{\"mode\":\"REVENUE_SHARE\",\"percent\":\"12.5\"}},{\"supplier_id\":\"3\",\"cost\":{\"mode\":\"NONE\"}}]") "}", ""},
    {"wrong costs", "{\"suppliers\":[{\"id\":\"1\"},{\"id\":\"2\"},{\"id\":\"3\"}]," CAMPAIGN(",\"sources\":[{\"supplier_id\":\"1\",\"cost\":{\"mode\":\"FIXED\",\"percent\":\"10\"}},"
        "{\"supplier_id\":\"2\",\"cost\":{\"mode\":\"REVENUE_SHARE\",\"percent\":\"101\"}},{\"supplier_id\":\"3\",\"cost\":{\"amount\":\"1\"}}]") "}",
     "/campaigns/0/sources/1/cost/percent /campaigns/0/sources/2/cost/mode /campaigns/0/sources/0/cost/amount /campaigns/0/sources/0/cost/percent"},
    {"fields", "{" CAMPAIGN(",\"fields\":[{\"name\":\"phone\",\"required\":false,\"strict\":true},{\"name\":\"roof\",\"type\":\"list\",\"values\":[\"tile\",\"metal\"]},{\"name\":\"x\"}]") "}", ""},
    {"fields with options", "{" CAMPAIGN(",\"fields\":[{\"name\":\"a\",\"type\":\"number\",\"min\":18,\"max\":\"120.5\",\"default\":21},{\"name\":\"state\",\"values\":[\"TX\"]},"
        "{\"name\":\"b\",\"min_length\":0,\"max_length\":4096,\"pattern\":\"^x\",\"transform\":[\"trim\",\"lower\"],\"values\":[\"x\",\"x1\"]},{\"name\":\"c\",\"transform\":\"upper\",\"values\":[1,\"b\"]}]") "}", ""},
    {"options that the schema refuses", "{" CAMPAIGN(",\"fields\":[{\"name\":\"a\",\"type\":\"number\",\"min\":true,\"max\":[1]},{\"name\":\"b\",\"min_length\":-1,\"max_length\":0},"
        "{\"name\":\"c\",\"min_length\":1.5,\"max_length\":4097},{\"name\":\"d\",\"pattern\":\"\",\"transform\":[\"upper\",\"x\"]},{\"name\":\"e\",\"transform\":5,\"default\":null},"
        "{\"name\":\"g\",\"values\":[null,\"\"]}]") "}",
     "/campaigns/0/fields/0/min /campaigns/0/fields/0/max /campaigns/0/fields/1/min_length /campaigns/0/fields/1/max_length /campaigns/0/fields/2/min_length"
     " /campaigns/0/fields/2/max_length /campaigns/0/fields/3/pattern /campaigns/0/fields/3/transform/1 /campaigns/0/fields/4/transform /campaigns/0/fields/4/default"
     " /campaigns/0/fields/5/values/0 /campaigns/0/fields/5/values/1"},
    {"options that do not fit", "{" CAMPAIGN(",\"fields\":[{\"name\":\"a\",\"min\":1},{\"name\":\"email\",\"max\":1},{\"name\":\"b\",\"type\":\"number\",\"min\":2,\"max\":1},"
        "{\"name\":\"c\",\"pattern\":\"(\"},{\"name\":\"d\",\"transform\":\"x\"},{\"name\":\"e\",\"type\":\"date\",\"default\":\"never\"},{\"name\":\"zip_code\",\"values\":[\"75201\",\"x\"]},"
        "{\"name\":\"g\",\"type\":\"color\",\"min\":\"x\"}]") "}",
     "/campaigns/0/fields/7/type /campaigns/0/fields/0/min /campaigns/0/fields/1/max /campaigns/0/fields/2/max /campaigns/0/fields/3/pattern"
     " /campaigns/0/fields/4/transform /campaigns/0/fields/5/default /campaigns/0/fields/6/values/1"},
    {"wrong fields", "{" CAMPAIGN(",\"fields\":[{\"name\":\"a\",\"type\":\"list\"},{\"name\":\"a\"},{\"name\":\"b\",\"values\":[\"x\"]},{\"name\":\"c\",\"type\":\"color\"},"
        "{\"name\":\"d\",\"strict\":true},{\"name\":\"e\",\"type\":\"list\",\"values\":[\"x\",\"X\"]},{\"name\":\"flo_campaign_id\"},{\"type\":\"string\"}]") "}",
     "/campaigns/0/fields/3/type /campaigns/0/fields/7/name /campaigns/0/fields/0/values /campaigns/0/fields/1/name"
     " /campaigns/0/fields/4/strict /campaigns/0/fields/5/values/1 /campaigns/0/fields/6/name"},
    {"duplicate rules", "{" CAMPAIGN(",\"fields\":[{\"name\":\"roof\"}],\"duplicates\":[{\"fields\":[\"phone\"],\"window_days\":30},{\"fields\":[\"roof\",\"email\"],\"window_days\":1}]") "}", ""},
    {"wrong rules", "{" CAMPAIGN(",\"duplicates\":[{\"fields\":[\"roof\"],\"window_days\":30},{\"fields\":[],\"window_days\":0},{\"fields\":[\"phone\",\"email\"],\"window_days\":1},"
        "{\"fields\":[\"email\",\"phone\"],\"window_days\":2},{\"fields\":[\"is_test\"],\"window_days\":1}]") "}",
     "/campaigns/0/duplicates/1/fields /campaigns/0/duplicates/1/window_days /campaigns/0/duplicates/0/fields/0 /campaigns/0/duplicates/3/fields /campaigns/0/duplicates/4/fields/0"},
    {"which leads count", "{" CAMPAIGN(",\"duplicates\":[{\"fields\":[\"phone\"],\"window_days\":30}],\"duplicates_against\":\"all\"") "}", ""},
    {"which leads count, misspelt", "{" CAMPAIGN(",\"duplicates_against\":\"sold\"") "}", "/campaigns/0/duplicates_against"},
    {"a contract's duplicate rules", "{" BUYER("") "," CAMPAIGN(",\"fields\":[{\"name\":\"roof\"}],\"contracts\":["
        CONTRACT(",\"id\":\"x\",\"duplicates\":[{\"fields\":[\"phone\"],\"window_days\":90},{\"fields\":[\"email\",\"roof\"],\"window_days\":3650}]") ","
        CONTRACT(",\"id\":\"y\",\"duplicates\":[{\"fields\":[\"phone\"],\"window_days\":1}]") "]") "}", ""},
    {"a contract's wrong rules", "{" BUYER("") "," CAMPAIGN(",\"contracts\":[" CONTRACT(",\"duplicates\":[{\"fields\":[\"phone\"],\"window_days\":3651},"
        "{\"fields\":[\"roof\"],\"window_days\":1},{\"fields\":[\"email\",\"phone\"],\"window_days\":1},{\"fields\":[\"phone\",\"email\"],\"window_days\":2},"
        "{\"fields\":[\"flo_ping_id\"],\"window_days\":1},{\"window_days\":1}]") "]") "}",
     "/campaigns/0/contracts/0/duplicates/0/window_days /campaigns/0/contracts/0/duplicates/5/fields /campaigns/0/contracts/0/duplicates/1/fields/0"
     " /campaigns/0/contracts/0/duplicates/3/fields /campaigns/0/contracts/0/duplicates/4/fields/0"},
    {"places", "{" BUYER("") "," CAMPAIGN(",\"contracts\":[" CONTRACT(",\"states\":[\"TX\",\"PR\"],\"zips\":[\"7\",\"75201\"],\"weight\":1") "]") "}", ""},
    {"wrong places", "{" BUYER("") "," CAMPAIGN(",\"contracts\":[" CONTRACT(",\"states\":[\"tx\",\"XX\",\"Texas\"],\"zips\":[\"752011\",\"a\"],\"weight\":0") "]") "}",
     "/campaigns/0/contracts/0/zips/0 /campaigns/0/contracts/0/zips/1 /campaigns/0/contracts/0/weight"
     " /campaigns/0/contracts/0/states/0 /campaigns/0/contracts/0/states/1 /campaigns/0/contracts/0/states/2"},
    {"pings and answers", "{" CAMPAIGN(",\"routing\":\"PING_POST\",\"ping_seconds\":60,\"deadline_ms\":800,\"confirm\":true") "}", ""},
    {"ways to sell", "{" CAMPAIGN(",\"distribution\":\"WEIGHTED\",\"caps\":[{\"window\":\"day\",\"leads\":1,\"budget\":\"9.5\"}]") "}", ""},
    {"ping-post", "{" BUYER("") "," CAMPAIGN(",\"routing\":\"PING_POST\",\"ping_seconds\":60,\"deadline_ms\":800,\"contracts\":[" CONTRACT(",\"exclusive_price\":\"40.00\"") "]") "}", ""},
    {"wrong ping-post", "{" BUYER("") "," CAMPAIGN(",\"ping_seconds\":0,\"deadline_ms\":5,\"contracts\":[" CONTRACT(",\"exclusive_price\":\"-1\"") "]") "}",
     "/campaigns/0/ping_seconds /campaigns/0/deadline_ms /campaigns/0/contracts/0/exclusive_price"},
    {"empty means nothing", "{\"events\":[],\"suppression_lists\":[]," CAMPAIGN(",\"routing\":\"DIRECT_POST\",\"confirm\":false,\"caps\":[],\"inbound_filters\":{\"all\":[]},\"suppression_lists\":[]") "}", ""},
};

/* The pointers of all complaints; a document that cannot be read is "the document". */
static void read_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct complaints *list = complaints_new();
        struct json *document = document_read(span_of(rows[i].document), list);
        struct buf *got = buf_new(256);

        for (size_t k = 0; k < list->count; k++)
            buf_printf(got, "%s%s", k > 0 ? " " : "", list->items[k].pointer);
        if (document == NULL)
            buf_add_text(got, "the document");
        if (strcmp(buf_text(got), rows[i].want) != 0)
            fail_msg("%s: got \"%s\", not \"%s\"", rows[i].claim, buf_text(got), rows[i].want);
        buf_free(&got);
        if (document != NULL)
            json_free(&document);
        complaints_free(&list);
    }
}

/* Each lead may carry all defaults of its campaign. */
static void defaults_are_bounded_in_all(void **state)
{
    enum { FIELDS = 9, BYTES = 4000 };
    char value[BYTES + 1];

    (void)state;
    memset(value, 'x', BYTES);
    value[BYTES] = '\0';
    for (int count = FIELDS - 1; count <= FIELDS; count++) {
        struct complaints *list = complaints_new();
        struct buf *text = buf_new(64 * 1024);
        struct json *document;

        buf_add_text(text, "{\"campaigns\":[{\"id\":\"c\",\"fields\":[");
        for (int i = 0; i < count; i++)
            buf_printf(text, "%s{\"name\":\"f%d\",\"default\":\"%s\"}", i > 0 ? "," : "", i, value);
        buf_add_text(text, "]}]}");
        document = document_read(buf_span(text), list);
        assert_int_equal(list->count, count == FIELDS);
        if (list->count > 0) {
            assert_string_equal(list->items[0].pointer, "/campaigns/0/fields");
            assert_string_equal(list->items[0].sentence, "must have defaults of at most 32768 bytes in all");
        }
        json_free(&document);
        buf_free(&text);
        complaints_free(&list);
    }
}

static void a_list_is_no_document(void **state)
{
    struct complaints *list = complaints_new();
    struct json *document = document_read(SPAN("[]"), list);

    (void)state;
    assert_int_equal(list->count, 1);
    assert_string_equal(list->items[0].sentence, "must be an object");
    json_free(&document);
    complaints_free(&list);
}

static void keys_and_ids_are_normalised(void **state)
{
    static const char text[] = "{" SUPPLIER(",\"api_keys\":[{\"key\":\"password\"}]") "," BUYER("") "," CAMPAIGN(",\"contracts\":[" CONTRACT("") "]") "}";
    struct complaints *list = complaints_new();
    struct json *document = document_read(SPAN(text), list);
    struct buf *out = buf_new(256);

    (void)state;
    assert_int_equal(list->count, 0);
    document_normalise(document);
    json_print(document, out);
    assert_non_null(strstr(buf_text(out), "\"api_keys\":[{\"sha256\":\"" SHA "\"}]"));
    assert_non_null(strstr(buf_text(out), "\"price\":\"1\",\"id\":\"b\""));
    assert_null(strstr(buf_text(out), "password"));
    buf_free(&out);
    json_free(&document);
    complaints_free(&list);
}

static bool is_utc(void *ctx, struct span zone)
{
    (void)ctx;
    return span_is(zone, "UTC");
}

static void zones_are_asked_for(void **state)
{
    struct complaints *list = complaints_new();
    struct json *document = document_read(SPAN("{\"time_zone\":\"Mars\",\"buyers\":[{\"id\":\"a\",\"time_zone\":\"UTC\"},{\"id\":\"b\",\"time_zone\":\"Moon\"}]}"), list);

    (void)state;
    document_check_zones(document, is_utc, NULL, list);
    assert_int_equal(list->count, 2);
    assert_string_equal(list->items[0].pointer, "/time_zone");
    assert_string_equal(list->items[1].pointer, "/buyers/1/time_zone");
    json_free(&document);
    complaints_free(&list);
}

static const struct {
    const char *url;
    bool is_good;
} urls[] = {
    {"https://buyer.example/leads?x=1", true}, {"http://buyer.example", true}, {"HTTPS://Buyer.Example:8443/", true},
    {"https://8.8.8.8/", true}, {"https://[2606:4700::1]/", true},
    {"http://127.0.0.1:9/", true}, {"http://10.1.2.3/", true}, {"http://169.254.169.254/latest", true},
    {"http://[::1]:8080/", true}, {"http://[::ffff:10.0.0.1]/", true}, {"http://127.1/", true},
    {"http://2130706433/", true}, {"http://0x7f000001/", true}, {"http://[fe80::1]/", true},
    {"ftp://buyer.example/", false}, {"buyer.example", false}, {"https://", false}, {"https:///x", false},
    {"https://user:pass@buyer.example/", false}, {"https://buyer example/", false}, {" https://buyer.example/", false},
    {"https://[::g]/", false}, {"https://[1:2]/", false}, {"https://buyer.example:99999/", false}, {"", false},
    {"https://buyer.example/{{id}}", false}, {"https://buyer.example/?phone={{phone}}", false},
};

static void urls_are_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        const char *fault = endpoint_url_fault(span_of(urls[i].url));

        if ((fault == NULL) != urls[i].is_good)
            fail_msg("%s: %s", urls[i].url, fault != NULL ? fault : "good");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_rows),           cmocka_unit_test(a_list_is_no_document), cmocka_unit_test(keys_and_ids_are_normalised),
        cmocka_unit_test(zones_are_asked_for), cmocka_unit_test(urls_are_judged),       cmocka_unit_test(defaults_are_bounded_in_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
