/* Where a request comes from: gateway/address.h, gateway/proxy_protocol.h. */
#include "gateway/address.h"
#include "gateway/proxy_protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *claim, *trusted, *peer, *forwarded_for;
    const char *want; /* NULL: nobody knows */
} rows[] = {
    {"no proxy", "", "203.0.113.9", NULL, "203.0.113.9"},
    {"a stranger's header is not believed", "10.0.0.0/8", "203.0.113.9", "198.51.100.1", "203.0.113.9"},
    {"nobody is trusted", "", "10.0.0.1", "198.51.100.1", "10.0.0.1"},
    {"a proxy's is", "10.0.0.0/8", "10.0.0.1", "198.51.100.1", "198.51.100.1"},
    {"the last hop that is no proxy", "10.0.0.0/8", "10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.2", "198.51.100.1"},
    {"what stands before it may be invented", "10.0.0.0/8", "10.0.0.1", "nonsense, 198.51.100.1", "198.51.100.1"},
    {"only proxies: the first", "10.0.0.0/8", "10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"},
    {"a proxy without the header is the client", "10.0.0.0/8", "10.0.0.1", NULL, "10.0.0.1"},
    {"a hop that is no address", "10.0.0.0/8", "10.0.0.1", "198.51.100.1, unknown", NULL},
    {"an empty hop", "10.0.0.0/8", "10.0.0.1", "198.51.100.1,", NULL},
    {"an empty header", "10.0.0.0/8", "10.0.0.1", "", NULL},
    {"a port behind it", "10.0.0.0/8", "10.0.0.1", "198.51.100.1:4711", "198.51.100.1"},
    {"IPv6", "fd00::/8", "fd00::1", "2001:db8::7", "2001:db8::7"},
    {"IPv6 in brackets with a port", "fd00::/8", "fd00::1", "[2001:db8::7]:443", "2001:db8::7"},
    {"a bracket that does not close", "fd00::/8", "fd00::1", "[2001:db8::7", NULL},
    {"IPv4 in IPv6 is the same address", "10.0.0.0/8", "::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"},
    {"several ranges, commas and blanks", "192.0.2.1 , 10.0.0.0/8", "192.0.2.1", "198.51.100.1, 10.9.9.9", "198.51.100.1"},
};

static void the_last_untrusted_hop_is_believed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct trusted_proxies trusted;
        uint8_t peer[16], want[16], out[16];
        struct error err;

        print_message("%s\n", rows[i].claim);
        assert_int_equal(trusted_read(&trusted, span_of(rows[i].trusted), &err), 0);
        assert_int_equal(cidr_address(span_of(rows[i].peer), peer), 0);
        assert_int_equal(address_of_client(&trusted, peer, span_of(rows[i].forwarded_for), out), rows[i].want != NULL);
        if (rows[i].want == NULL)
            continue;
        assert_int_equal(cidr_address(span_of(rows[i].want), want), 0);
        assert_memory_equal(out, want, 16);
    }
}

static void a_list_of_proxies_is_checked(void **state)
{
    static const char *const bad[] = {"10.0.0.0/33", "proxy.example", "10.0.0.1/8", "10.0.0.0/8;192.0.2.1"};
    struct trusted_proxies trusted;
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(trusted_read(&trusted, span_of(bad[i]), &err), -1);
}

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(literal) {literal, sizeof(literal) - 1}
static const struct {
    const char *claim;
    struct span bytes;
    int want;
    const char *address; /* NULL: none */
} headers[] = {
    {"IPv4", BYTES(SIGNATURE "\x21\x11\0\x0c\xcb\0\x71\x09\x0a\0\0\x01\x30\x39\x01\xbb" "GET /"), 28, "203.0.113.9"},
    {"IPv6", BYTES(SIGNATURE "\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x08" "\x30\x39\x01\xbb"), 52,
     "2001:db8::7"},
    {"more behind the addresses", BYTES(SIGNATURE "\x21\x11\0\x10\xcb\0\x71\x09\x0a\0\0\x01\x30\x39\x01\xbb\x04\0\x01\0"), 32, "203.0.113.9"},
    {"the balancer's own", BYTES(SIGNATURE "\x20\0\0\0"), 16, NULL},
    {"another family", BYTES(SIGNATURE "\x21\x31\0\0"), 16, NULL},
    {"addresses too short", BYTES(SIGNATURE "\x21\x11\0\x04\xcb\0\x71\x09"), 20, NULL},
    {"nothing yet", BYTES(""), 0, NULL},
    {"half a signature", BYTES("\r\n\r\n\0\r"), 0, NULL},
    {"half a header", BYTES(SIGNATURE "\x21\x11\0\x0c\xcb\0\x71"), 0, NULL},
    {"version 1", BYTES("PROXY TCP4 203.0.113.9 10.0.0.1 12345 443\r\n"), -1, NULL},
    {"HTTP", BYTES("GET / HTTP/1.1\r\n\r\n"), -1, NULL},
    {"another version", BYTES(SIGNATURE "\x31\x11\0\x0c"), -1, NULL},
    {"another command", BYTES(SIGNATURE "\x22\x11\0\x0c"), -1, NULL},
    {"too long", BYTES(SIGNATURE "\x21\x11\xff\xff"), -1, NULL},
};

static void a_balancers_header_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        uint8_t address[16], want[16];
        bool has_address = true;

        print_message("%s\n", headers[i].claim);
        assert_int_equal(proxy_read(headers[i].bytes, address, &has_address), headers[i].want);
        assert_int_equal(has_address, headers[i].address != NULL);
        if (headers[i].address == NULL)
            continue;
        assert_int_equal(cidr_address(span_of(headers[i].address), want), 0);
        assert_memory_equal(address, want, 16);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_untrusted_hop_is_believed),
        cmocka_unit_test(a_list_of_proxies_is_checked),
        cmocka_unit_test(a_balancers_header_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
