#include "gateway/spec_example.h"

#include "proto/field_judge.h"

#include <string.h>

/* One search. */
struct search {
    struct arena *arena; /* of the search; what is found is copied */
    const struct field_spec *spec;
    const struct example_wish *wish; /* NULL: nothing else is asked */
    struct field *out;
    bool is_over; /* the pattern ran away on one text: it would on more */
};

static enum value_kind kind_of(enum field_type type)
{
    return type == FIELD_NUMBER ? VALUE_NUMBER : type == FIELD_BOOLEAN ? VALUE_BOOL : VALUE_TEXT;
}

static bool try(struct search *search, struct span text)
{
    struct field sent = {.name = search->spec->name, .kind = kind_of(search->spec->type), .text = text}, form = {.name = sent.name};
    struct field_fault fault;

    if (search->is_over || text.len == 0)
        return false;
    if (!field_judge(search->arena, search->spec, &sent, &form, &fault)) {
        search->is_over = search->spec->pattern != NULL && pattern_match(search->spec->pattern, text) == PATTERN_GAVE_UP;
        return false;
    }
    if (form.text.len == 0 || (search->wish != NULL && !search->wish->accepts(search->wish->ctx, &form)))
        return false;
    *search->out = sent;
    return true;
}

/* texts end with NULL. */
static bool try_all(struct search *search, const char *const *texts)
{
    for (; *texts != NULL; texts++)
        if (try(search, span_of(*texts)))
            return true;
    return false;
}

/* What the campaign itself names: each of them passes, unless it is one that is transformed away. */
static bool try_own(struct search *search)
{
    for (size_t i = 0; i < search->spec->value_count; i++)
        if (try(search, search->spec->values[i]))
            return true;
    return try(search, search->spec->otherwise.text);
}

static bool try_name(struct search *search)
{
    static const char *const usual[][2] = {
        {"first_name", "John"},
        {"last_name", "Doe"},
        {"source", "website"},
        {"trustedform_cert_url", "https://cert.trustedform.com/0123456789abcdef0123456789abcdef01234567"},
        {"jornaya_leadid", "01234567-89AB-CDEF-0123-456789ABCDEF"},
        {"age", "42"},
        {"city", "Dallas"},
        {"address", "123 Main Street"},
    };

    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (span_is(search->spec->name, usual[i][0]))
            return try(search, span_of(usual[i][1]));
    return false;
}

/* Numbers and addresses that belong to nobody: 555-01xx, example.com (RFC 2606). */
static bool try_type(struct search *search)
{
    static const char *const strings[] = {"Example", "example", "EXAMPLE", "A", "a", "1", "Example text", "example-1", "AB-123", "123-45-6789",
                                          "12-3456789", "12:30", "12:30:00", "2024-06-15", "06/15/2024", "75201", "TX", "USD", "2125550123", "+12125550123",
                                          "(212) 555-0123", "212-555-0123", "john.doe@example.com", "https://www.example.com/", "192.0.2.1",
                                          "0193a0b0-0000-7000-8000-000000000001", "1HGBH41JXMN109186", "$50,000", "10.00", "1.0", "yes", "true", NULL};
    static const char *const numbers[] = {"10", "1", "0", "100", "1000", "50000", "2024", "0.5", "12.5", "99.99", "-1", NULL};
    static const char *const booleans[] = {"true", "false", NULL};
    static const char *const phones[] = {"2125550123", "+12125550123", "3125550123", "4155550123", "+442079460123", "+493023125000", NULL};
    static const char *const emails[] = {"john@example.com", "john.doe@example.com", "j@example.com", "john@example.org", "john@example.net",
                                         "john.doe.the.third.of.somewhere@mail.example.com", NULL};
    static const char *const dates[] = {"1985-06-15", "2024-06-15", "2000-01-01", "2030-12-31", NULL};
    static const char *const states[] = {"TX", "CA", "FL", "NY", "PR", "DC", "AZ", "IL", "WA", "OH", NULL};
    static const char *const zips[] = {"75201", "90210", "33101", "10001", "00501", "60601", "98101", NULL};
    static const char *const urls[] = {"https://www.example.com/", "https://www.example.com", "http://www.example.com/", "https://example.com/page?id=1",
                                       "https://example.org/", "https://www.example.com/index.html", NULL};

    switch (search->spec->type) {
    case FIELD_STRING:
        return try_all(search, strings);
    case FIELD_NUMBER:
        return try_all(search, numbers);
    case FIELD_BOOLEAN:
        return try_all(search, booleans);
    case FIELD_PHONE:
        return try_all(search, phones);
    case FIELD_EMAIL:
        return try_all(search, emails);
    case FIELD_DATE:
        return try_all(search, dates);
    case FIELD_STATE:
        return try_all(search, states);
    case FIELD_ZIP:
        return try_all(search, zips);
    case FIELD_URL:
        return try_all(search, urls);
    case FIELD_LIST:
        return false; /* nothing but its values */
    }
    return false;
}

/* head, then so many characters of the filling, over and over, then tail. */
static struct span filled(struct search *search, const char *head, const char *filling, size_t chars, const char *tail)
{
    size_t head_len = strlen(head), tail_len = strlen(tail), round = strlen(filling);
    char *text = arena_alloc(search->arena, head_len + chars + tail_len + 1);

    memcpy(text, head, head_len);
    for (size_t i = 0; i < chars; i++)
        text[head_len + i] = filling[i % round];
    memcpy(text + head_len + chars, tail, tail_len);
    return (struct span){text, head_len + chars + tail_len};
}

/* One more length: in every alphabet that the type may take. */
static bool try_length(struct search *search, size_t chars)
{
    static const char *const alphabets[] = {"Example text ", "ABCDEFGH", "abcdefgh", "12345678", "A1B2C3D4", "a1b2c3d4", NULL};
    size_t head = search->spec->type == FIELD_EMAIL ? strlen("john@") : strlen("https://www.example.com/");

    switch (search->spec->type) {
    case FIELD_STRING:
        for (const char *const *alphabet = alphabets; *alphabet != NULL; alphabet++)
            if (try(search, filled(search, "", *alphabet, chars, "")))
                return true;
        return false;
    case FIELD_NUMBER:
        return try(search, filled(search, "", "12345678", chars, "")) || (chars > 2 && try(search, filled(search, "0.", "12345678", chars - 2, "")));
    case FIELD_EMAIL:
        if (chars > 64)
            return false; /* each label of a domain has at most 63 */
        return chars > 12 && try(search, filled(search, "", "johndoe", chars - 12, "@example.com"));
    case FIELD_URL:
        return chars > head && try(search, filled(search, "https://www.example.com/", "page-1/", chars - head, ""));
    case FIELD_BOOLEAN:
    case FIELD_PHONE:
    case FIELD_DATE:
    case FIELD_STATE:
    case FIELD_ZIP:
    case FIELD_LIST:
        return false; /* their lengths are what they are */
    }
    return false;
}

/* The lengths at the bounds; below a pattern the usual ones, too, which stand in it. */
static bool try_lengths(struct search *search)
{
    enum { USUAL_MOST = 20 };
    static const size_t longer[] = {24, 32, 36, 40, 64};
    const struct field_spec *spec = search->spec;

    if ((spec->min_length > 0 && try_length(search, spec->min_length)) || (spec->min_length > 0 && try_length(search, spec->min_length + 1)) ||
        (spec->max_length > 0 && try_length(search, spec->max_length)))
        return true;
    if (spec->pattern == NULL && spec->max_length == 0)
        return false;
    for (size_t chars = 1; chars <= USUAL_MOST; chars++)
        if (try_length(search, chars))
            return true;
    for (size_t i = 0; i < sizeof longer / sizeof *longer; i++)
        if (try_length(search, longer[i]))
            return true;
    return false;
}

static bool try_wished(struct search *search)
{
    for (size_t i = 0; search->wish != NULL && i < search->wish->count; i++)
        if (try(search, search->wish->texts[i]))
            return true;
    return false;
}

bool spec_example_wished(struct arena *arena, const struct field_spec *spec, const struct example_wish *wish, struct field *out)
{
    struct search search = {arena_new(), spec, wish, out, false};
    bool is_found = try_wished(&search) || try_own(&search) || try_name(&search) || try_type(&search) || try(&search, spec->min) ||
                    try(&search, spec->max) || try_lengths(&search);

    if (is_found)
        out->text = arena_copy(arena, out->text);
    arena_free(&search.arena);
    return is_found;
}

bool spec_example(struct arena *arena, const struct field_spec *spec, struct field *out)
{
    return spec_example_wished(arena, spec, NULL, out);
}
