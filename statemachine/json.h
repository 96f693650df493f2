/*
 * A pull scanner over JSON: no tree, no memory, one pass. Internal to statemachine/.
 *
 * The caller asks for what it expects; the first thing that is not so is remembered as the error,
 * and from then on every call answers "no" and moves nothing. Hence a decoder reads straight
 * through and looks at the error once, at the end:
 *
 *     struct sm_json j = sm_json_begin(bytes, size);
 *     struct sm_span key;
 *     for (sm_json_object(&j); sm_json_member(&j, &key);)
 *         if (sm_span_is(&key, "leader"))
 *             sm_json_int32(&j, &leader);
 *         else
 *             sm_json_skip(&j);
 *     return sm_json_end(&j);
 *
 * Every member's value must be consumed, by one of the calls or by sm_json_skip.
 *
 * It accepts RFC 8259 and nothing more: escapes are checked, surrogates must pair, bytes above 0x7f
 * must be UTF-8 (no overlong form, nothing above U+10FFFF), objects and arrays nest at most
 * SM_JSON_DEPTH_MAX deep (else SM_ERR_LIMIT). Differs: Jackson as Kafka uses it accepts unpaired
 * surrogates and ignores what follows the value; here both are errors, for a znode that holds them
 * was written by accident.
 */
#ifndef STATEMACHINE_JSON_H
#define STATEMACHINE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "statemachine/error.h"
#include "statemachine/list.h"

struct sm_json {
    const char *at, *end;
    enum sm_err err;
    int32_t depth;
    bool first; /* just behind an opening bracket: no comma is due */
};

/* The inside of a checked string, still escaped; borrowed from the text. */
struct sm_span {
    const char *at;
    size_t size;
    bool escaped;
};

static inline struct sm_json sm_json_begin(const char *bytes, size_t size)
{
    const char *start = size > 0 ? bytes : "";
    return (struct sm_json){.at = start, .end = start + size};
}

/* Remembers `err` where there is none yet; returns false, for use in a return. */
bool sm_json_fail(struct sm_json *j, enum sm_err err);

/* Returns the first byte of the value that comes next, or '\0' at the end of the text. */
char sm_json_peek(struct sm_json *j);

/* Enters an object, or an array. */
bool sm_json_object(struct sm_json *j);
bool sm_json_array(struct sm_json *j);

/* Moves to the next member (its key is in *key) or element; false where there is none, and then the
   object or array has been left. */
bool sm_json_member(struct sm_json *j, struct sm_span *key);
bool sm_json_element(struct sm_json *j);

/* Consume one value of the kind. The integer fails with SM_ERR_RANGE where it has a fraction or an
   exponent, or is no int32. */
bool sm_json_string(struct sm_json *j, struct sm_span *value);
bool sm_json_int32(struct sm_json *j, int32_t *value);
bool sm_json_null(struct sm_json *j);

/* Consumes an array of int32; SM_ERR_LIMIT where it is longer than SM_REPLICAS_MAX. */
bool sm_json_list(struct sm_json *j, struct sm_list *list);

/* The same two, where they are written without blanks, fraction and exponent, as all writers that
   we know of do: *at moves behind. False, and nothing changed, for anything else, which then is read
   as above. */
bool sm_json_plain_int32(const char **at, const char *end, int32_t *value);
bool sm_json_plain_list(const char **at, const char *end, struct sm_list *list);

/* Consumes a value of any kind, checking it. */
bool sm_json_skip(struct sm_json *j);

/* Returns the error, or SM_ERR_SYNTAX where more than blanks follows the value. */
enum sm_err sm_json_end(struct sm_json *j);

/* Returns whether the string is `literal` after unescaping. */
bool sm_span_is(const struct sm_span *span, const char *literal);

/* Stores the unescaped string, NUL-terminated, and its size. Errors: LIMIT where it does not fit,
   SYNTAX where it holds a NUL, which no C string can. */
enum sm_err sm_span_copy(const struct sm_span *span, char *out, size_t capacity, size_t *size);

/* Parses an optional sign and digits, and nothing else, as Java's Integer.parseInt. */
enum sm_err sm_parse_int32(const char *digits, size_t size, int32_t *value);

#endif
