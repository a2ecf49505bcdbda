#include "proto/transform.h"

#include "proto/ascii.h"
#include "proto/letter.h"

static const char *const words[] = {
    [TRANSFORM_TRIM] = "trim", [TRANSFORM_UPPER] = "upper", [TRANSFORM_LOWER] = "lower", [TRANSFORM_DIGITS] = "digits", [TRANSFORM_TITLE] = "title",
};

int transform_of(struct span word)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (span_is(word, words[i]))
            return (int)i;
    return -1;
}

const char *transform_word(enum transform transform)
{
    return words[transform];
}

const char *transform_words(void)
{
    return "trim, upper, lower, digits, title";
}

/* UTF-8 --------------------------------------------------------------------------------------------------------------- */

static size_t char_bytes(char first)
{
    unsigned char byte = (unsigned char)first;

    return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

static uint32_t read_char(const char *ptr, size_t bytes)
{
    static const uint8_t head_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = (uint8_t)ptr[0] & head_bits[bytes];

    for (size_t i = 1; i < bytes; i++)
        c = c << 6 | ((uint8_t)ptr[i] & 0x3f);
    return c;
}

/* Over a character of equally many bytes, whose first byte stays as far as it says how many. */
static void write_char(char *ptr, size_t bytes, uint32_t c)
{
    static const uint8_t heads[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = bytes; i-- > 1; c >>= 6)
        ptr[i] = (char)(0x80 | (c & 0x3f));
    ptr[0] = (char)(heads[bytes] | c);
}

/* Each of them -------------------------------------------------------------------------------------------------------- */

static bool is_space(uint32_t c)
{
    return c == ' ' || (c >= 0x09 && c <= 0x0d) || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200b) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000 || c == 0xfeff;
}

static struct span trim(struct span text)
{
    while (text.len > 0) {
        size_t bytes = char_bytes(text.ptr[0]);

        if (!is_space(read_char(text.ptr, bytes)))
            break;
        text = (struct span){text.ptr + bytes, text.len - bytes};
    }
    while (text.len > 0) {
        size_t at = text.len - 1;

        while (((unsigned char)text.ptr[at] & 0xc0) == 0x80)
            at--;
        if (!is_space(read_char(text.ptr + at, text.len - at)))
            break;
        text.len = at;
    }
    return text;
}

static struct span keep_digits(struct arena *arena, struct span text)
{
    char *out = arena_alloc(arena, text.len);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++)
        if (ascii_is_digit(text.ptr[i]))
            out[len++] = text.ptr[i];
    return (struct span){out, len};
}

static struct span in_case(struct arena *arena, struct span text, uint32_t (*other)(uint32_t c))
{
    struct span copy = arena_copy(arena, text);

    for (size_t at = 0, bytes; at < copy.len; at += bytes) {
        bytes = char_bytes(copy.ptr[at]);
        write_char((char *)copy.ptr + at, bytes, other(read_char(copy.ptr + at, bytes)));
    }
    return copy;
}

/* Part of a word: ASCII letters and digits, and what is beyond ASCII and neither blank nor punctuation. */
static bool is_of_word(uint32_t c)
{
    if (c < 0x80)
        return ascii_is_alnum((char)c);
    if (c < 0xc0)
        return c == 0xaa || c == 0xb5 || c == 0xba;
    return c != 0xd7 && c != 0xf7 && !(c >= 0x2000 && c <= 0x206f) && !(c >= 0x3000 && c <= 0x3003) && !is_space(c);
}

static bool is_apostrophe(uint32_t c)
{
    return c == '\'' || c == 0x2019;
}

static struct span title(struct arena *arena, struct span text)
{
    struct span copy = arena_copy(arena, text);
    size_t in_word = 0; /* characters of the word so far */

    for (size_t at = 0, bytes; at < copy.len; at += bytes) {
        uint32_t c;

        bytes = char_bytes(copy.ptr[at]);
        c = read_char(copy.ptr + at, bytes);
        if (is_of_word(c))
            write_char((char *)copy.ptr + at, bytes, in_word++ == 0 ? letter_upper(c) : letter_lower(c));
        else if (!is_apostrophe(c) || in_word == 1)
            in_word = 0;
    }
    return copy;
}

struct span transform_text(struct arena *arena, const enum transform *transforms, size_t count, struct span text)
{
    for (size_t i = 0; i < count && text.len > 0; i++)
        switch (transforms[i]) {
        case TRANSFORM_TRIM:
            text = trim(text);
            break;
        case TRANSFORM_UPPER:
            text = in_case(arena, text, letter_upper);
            break;
        case TRANSFORM_LOWER:
            text = in_case(arena, text, letter_lower);
            break;
        case TRANSFORM_DIGITS:
            text = keep_digits(arena, text);
            break;
        case TRANSFORM_TITLE:
            text = title(arena, text);
            break;
        }
    return text;
}
