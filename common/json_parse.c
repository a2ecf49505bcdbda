#include "common/json.h"

#include "common/buf.h"
#include "common/json_jansson.h"

#include <string.h>

enum { NUMBER_CHARS_MOST = 1000, EXPONENT_DIGITS_MOST = 4, EXACT_DIGITS = 15 /* a double keeps so many */ };

static const char TOO_DEEP[] = "nested deeper than 64", OUT_OF_RANGE[] = "number out of range";

_Static_assert(JSON_DEPTH == 64, "as TOO_DEEP says");

/* What stands outside of texts ------------------------------------------------------------------------------------------ */

enum token { TOKEN_END, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_NUMBER };

/* Finds the next bracket or number behind *at, which is behind it then. What is no JSON may give anything: the parser refuses it. */
static enum token next_token(struct span text, size_t *at, struct span *number)
{
    while (*at < text.len) {
        const char *begin = text.ptr + *at;
        size_t left = text.len - *at, len = 1;

        switch (*begin) {
        case '"':
            while (len < left && begin[len] != '"')
                len += begin[len] == '\\' ? 2 : 1;
            *at += len + 1;
            break;
        case '{':
        case '[':
            *at += 1;
            return TOKEN_OPEN;
        case '}':
        case ']':
            *at += 1;
            return TOKEN_CLOSE;
        default:
            if (*begin == '-' || (*begin >= '0' && *begin <= '9')) {
                while (len < left && memchr("+-.0123456789Ee", begin[len], 15) != NULL)
                    len++;
                *number = (struct span){begin, len};
                *at += len;
                return TOKEN_NUMBER;
            }
            *at += 1;
            break;
        }
    }
    return TOKEN_END;
}

/* Could a decimal, such as PostgreSQL's numeric and so its jsonb, not keep it? */
static bool is_wide(struct span number)
{
    size_t digits = 0;
    bool is_exponent = false;

    for (size_t i = 0; i < number.len; i++) {
        char c = number.ptr[i];

        is_exponent |= c == 'e' || c == 'E';
        digits += is_exponent && c >= '0' && c <= '9' && (c != '0' || digits > 0);
    }
    return number.len > NUMBER_CHARS_MOST || digits > EXPONENT_DIGITS_MOST;
}

/* Would 64 bits not hold it as it is written? One beyond every double counts only with_beyond: it is none that could be rounded. */
static bool is_rounded(struct span number, bool with_beyond)
{
    struct json *value;
    size_t digits = 0;
    bool is_short = true, is_exact;

    for (size_t i = 0; i < number.len; i++) {
        digits += number.ptr[i] >= '0' && number.ptr[i] <= '9';
        is_short &= number.ptr[i] != 'e' && number.ptr[i] != 'E';
    }
    if ((is_short && digits <= EXACT_DIGITS) || !json_text_is_number(number))
        return false;
    value = json_new_number(number);
    if (value == NULL)
        return with_beyond;
    is_exact = digits <= EXACT_DIGITS || json_kind(value) == JSON_INTEGER;
    json_free(&value);
    return !is_exact;
}

/* Refusing --------------------------------------------------------------------------------------------------------------- */

/* What jansson would take and we do not: returns its name, and in *position the offset behind it; NULL when there is nothing. */
static const char *out_of_bounds(struct span text, bool takes_wide, size_t *position)
{
    size_t depth = 0;
    struct span number;

    *position = 0;
    for (;;)
        switch (next_token(text, position, &number)) {
        case TOKEN_OPEN:
            if (++depth > JSON_DEPTH)
                return TOO_DEEP;
            break;
        case TOKEN_CLOSE:
            depth -= depth > 0;
            break;
        case TOKEN_NUMBER:
            if (!takes_wide && is_wide(number))
                return OUT_OF_RANGE;
            break;
        case TOKEN_END:
            return NULL;
        }
}

static void refuse_bounds(const char *what, struct span text, size_t position, struct error *err)
{
    size_t line = 1, begins = 0;

    for (size_t i = 0; i < position; i++)
        if (text.ptr[i] == '\n') {
            line++;
            begins = i + 1;
        }
    error_set(err, "%s at line %zu, column %zu, position %zu", what, line, span_chars((struct span){text.ptr + begins, position - begins}), position);
}

/* jansson's sentence quotes the document ("near '…'"), which may be somebody's name: only the words before stay. */
static int refuse_syntax(const json_error_t *error, struct error *err)
{
    const char *what = error->text;
    const char *near = strstr(error->text, " near ");
    int len;

    switch (json_error_code(error)) {
    case json_error_numeric_overflow:
        what = OUT_OF_RANGE;
        break;
    case json_error_invalid_utf8:
        what = "invalid UTF-8";
        break;
    case json_error_null_character:
    case json_error_null_byte_in_key:
        what = "NUL character";
        break;
    case json_error_duplicate_key:
        what = "duplicate object key";
        break;
    default:
        if (strncmp(what, "invalid Unicode", 15) == 0) {
            what = "invalid Unicode escape";
            near = NULL;
        }
        break;
    }
    len = (int)(near != NULL && what == error->text ? (size_t)(near - what) : strlen(what));
    return error_set(err, "%.*s at line %d, column %d, position %d", len, what, error->line, error->column,
                     error->position);
}

/* Reading ---------------------------------------------------------------------------------------------------------------- */

/* A number for a key is none of JSON's, and stays that. */
static bool is_key(struct span text, size_t at)
{
    while (at < text.len && strchr(" \t\r\n", text.ptr[at]) != NULL && text.ptr[at] != '\0')
        at++;
    return at < text.len && text.ptr[at] == ':';
}

/* The text with numbers that would be rounded in quotes, owned by the caller; NULL when there are none. */
static struct buf *quote_rounded(struct span text, bool with_beyond)
{
    struct buf *out = NULL;
    struct span number;
    size_t at = 0, done = 0;
    enum token token;

    while ((token = next_token(text, &at, &number)) != TOKEN_END) {
        if (token != TOKEN_NUMBER || !is_rounded(number, with_beyond) || is_key(text, at))
            continue;
        out = out != NULL ? out : buf_new(text.len + 64);
        buf_add(out, text.ptr + done, at - number.len - done);
        buf_printf(out, "\"%.*s\"", SPAN_FMT(number));
        done = at;
    }
    if (out != NULL)
        buf_add(out, text.ptr + done, text.len - done);
    return out;
}

static json_t *load(struct span text, size_t flags, json_error_t *error)
{
    return json_loadb(text.ptr != NULL ? text.ptr : "", text.len, flags | JSON_DECODE_ANY, error);
}

static json_t *load_exact(struct span text, size_t flags, bool with_beyond, json_error_t *error)
{
    struct buf *quoted = quote_rounded(text, with_beyond);
    json_t *value = load(quoted != NULL ? buf_span(quoted) : text, flags, error);

    if (value == NULL && quoted != NULL)
        value = load(text, flags, error); /* its position is to be that in the text */
    buf_free(&quoted);
    return value;
}

static struct json *parse(struct span text, bool is_exact, struct error *err)
{
    size_t position;
    const char *what = out_of_bounds(text, false, &position);
    json_error_t error;
    json_t *value;

    if (what != NULL) {
        refuse_bounds(what, text, position, err);
        return NULL;
    }
    value = is_exact ? load_exact(text, JSON_REJECT_DUPLICATES, false, &error) : load(text, JSON_REJECT_DUPLICATES, &error);
    if (value == NULL)
        refuse_syntax(&error, err);
    return (struct json *)value;
}

struct json *json_parse(struct span text, struct error *err)
{
    return parse(text, false, err);
}

struct json *json_parse_exact(struct span text, struct error *err)
{
    return parse(text, true, err);
}

struct json *json_parse_loose(struct span text)
{
    size_t position;
    json_error_t error;

    return out_of_bounds(text, true, &position) == NULL ? (struct json *)load_exact(text, JSON_ALLOW_NUL, true, &error) : NULL;
}
