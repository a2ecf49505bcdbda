/*
 * json.h - JSON documents (RFC 8259), read strictly and written compactly.
 *
 * This wraps jansson; its header appears nowhere else. Reading refuses what
 * JSON leaves open: duplicate keys, NUL characters, invalid UTF-8, anything
 * behind the value, nesting deeper than JSON_DEPTH, and numbers that a double,
 * an int64_t or a decimal column could not hold.
 *
 * Who owns what: json_parse() and json_new_*() give a value to the caller,
 * json_free(&v) takes it back. json_set() and json_push() take the value over.
 * json_get() and json_at() lend, as long as the parent lives.
 */
#ifndef LEADLINE_COMMON_JSON_H
#define LEADLINE_COMMON_JSON_H

#include "common/buf.h"
#include "common/error.h"
#include "common/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json; /* one value of any kind */

/* jansson exports these four names too and calls them itself: at linking ours must be others. */
#define json_copy leadline_json_copy
#define json_equal leadline_json_equal
#define json_integer leadline_json_integer
#define json_real leadline_json_real

enum json_kind { JSON_OBJECT, JSON_LIST, JSON_TEXT, JSON_INTEGER, JSON_REAL, JSON_TRUE, JSON_FALSE, JSON_NULL };

enum { JSON_DEPTH = 64 }; /* of nested objects and lists */

/* Reads one document. Returns it, or NULL with what is wrong and where ("… at line 1, column 9, position 8") in *err. */
struct json *json_parse(struct span text, struct error *err);
void json_free(struct json **value);

/* The same, but a number that 64 bits (int64_t or double) would round is read as a text, as it is written; one beyond every double is refused. */
struct json *json_parse_exact(struct span text, struct error *err);

/*
 * Reads what somebody else's server wrote, of which something must be made: like json_parse_exact(), but of equal keys the last counts,
 * texts may hold NUL, and any number is taken. NULL when it is no JSON even so.
 */
struct json *json_parse_loose(struct span text);

enum json_kind json_kind(const struct json *value);
struct json *json_new_object(void);
struct json *json_new_list(void);
struct json *json_new_text(struct span text); /* text must be UTF-8; what is not becomes U+FFFD */
struct json *json_new_integer(int64_t value);
struct json *json_new_real(double value); /* what is not finite becomes null */
struct json *json_new_bool(bool value);
struct json *json_new_null(void);

/* Is this a number as JSON writes it? */
bool json_text_is_number(struct span text);

/* A number from its text, or NULL when it is none, longer than 400 bytes, or beyond a double. */
struct json *json_new_number(struct span text);

/* A deep copy, owned by the caller. */
struct json *json_copy(const struct json *value);
bool json_equal(const struct json *a, const struct json *b);

/* Objects keep their keys in the order in which they were set. Take the value over; a key that is there is replaced. */
void json_set(struct json *object, const char *key, struct json *value);
void json_set_text(struct json *object, const char *key, struct span text);
void json_set_integer(struct json *object, const char *key, int64_t value);
void json_set_bool(struct json *object, const char *key, bool value);
void json_remove(struct json *object, const char *key);
void json_push(struct json *list, struct json *value);

/* The value under a key, lent; NULL when there is none (or this is no object; NULL is accepted). */
struct json *json_get(const struct json *object, const char *key);

/* Number of entries of an object or a list, 0 for anything else and NULL. */
size_t json_count(const struct json *value);

/* The entry of a list, lent; NULL when it is not there. */
struct json *json_at(const struct json *list, size_t index);

/* Goes through an object: *iter begins at NULL. Gives key and value, lent; returns false after the last. */
bool json_each(struct json *object, void **iter, const char **key, struct json **value);

/* What a value holds; the given answer when it is of another kind or NULL. Text is lent. */
struct span json_text(const struct json *value);
int64_t json_integer(const struct json *value, int64_t otherwise);
double json_real(const struct json *value, double otherwise); /* integers too */
bool json_bool(const struct json *value, bool otherwise);

/* The same of an object's entry. */
struct span json_get_text(const struct json *object, const char *key);
int64_t json_get_integer(const struct json *object, const char *key, int64_t otherwise);
bool json_get_bool(const struct json *object, const char *key, bool otherwise);

/* Writes the value behind what buf holds: compact on one line, or indented by two. */
void json_print(const struct json *value, struct buf *out);
void json_print_pretty(const struct json *value, struct buf *out);

/* Writes a text with its quotes, for whoever writes JSON by hand; text must be UTF-8. */
void json_print_text(struct span text, struct buf *out);

#endif
