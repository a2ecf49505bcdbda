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

/* Each of them -------------------------------------------------------------------------------------------------------- */

static bool is_space(uint32_t c)
{
    return c == ' ' || (c >= 0x09 && c <= 0x0d) || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200b) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000 || c == 0xfeff;
}

static struct span trim(struct span text)
{
    while (text.len > 0) {
        size_t bytes = letter_bytes(text.ptr[0]);

        if (!is_space(letter_read(text.ptr, bytes)))
            break;
        text = (struct span){text.ptr + bytes, text.len - bytes};
    }
    while (text.len > 0) {
        size_t at = text.len - 1;

        while (((unsigned char)text.ptr[at] & 0xc0) == 0x80)
            at--;
        if (!is_space(letter_read(text.ptr + at, text.len - at)))
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

static struct span upper(struct arena *arena, struct span text)
{
    struct span copy = arena_copy(arena, text);

    for (size_t at = 0, bytes; at < copy.len; at += bytes) {
        bytes = letter_bytes(copy.ptr[at]);
        letter_write((char *)copy.ptr + at, bytes, letter_upper(letter_read(copy.ptr + at, bytes)));
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

        bytes = letter_bytes(copy.ptr[at]);
        c = letter_read(copy.ptr + at, bytes);
        if (is_of_word(c))
            letter_write((char *)copy.ptr + at, bytes, in_word++ == 0 ? letter_upper(c) : letter_lower(c));
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
            text = upper(arena, text);
            break;
        case TRANSFORM_LOWER:
            text = letter_lower_text(arena, text);
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
