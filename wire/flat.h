/*
 * A message of the Kafka protocol in memory: one flat, pointer-free byte record.
 *
 *     struct wire_metadata_request | elements of arrays, bytes of strings, in any order
 *        .topics = {at, count} ──────────► struct …topic[count]
 *                                             .name = {at, size} ──► bytes NUL
 *
 * The head, a struct made from the message's table (wire/schema.h), stands at offset 0; whatever
 * has no fixed size stands behind it and is named by its offset from the head. So a message is
 * copied, queued, hashed and compared without knowing what is inside, and a simulated network holds
 * the same bytes that the codec reads. A field that the version at hand does not have holds its
 * default.
 *
 * Readers of messages that others have built check nothing: the codec and the builder below make
 * only sound ones.
 *
 * Source: Kafka's message format (KIP-482) for what can be null and what is compact on the wire.
 */
#ifndef WIRE_FLAT_H
#define WIRE_FLAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct wire_string {
    uint32_t at;  /* offset of the bytes from the head; a NUL follows them; any where size <= 0 */
    int32_t size; /* without the NUL; -1: null */
};
struct wire_bytes {
    uint32_t at;
    int32_t size; /* -1: null */
};
struct wire_array {
    uint32_t at;   /* offset of the first element, a multiple of 8 */
    int32_t count; /* -1: null */
};
struct wire_uuid {
    uint8_t byte[16]; /* all zero: none */
};

#define WIRE_NULL_STRING ((struct wire_string){0, -1})
#define WIRE_NULL_BYTES  ((struct wire_bytes){0, -1})
#define WIRE_NULL_ARRAY  ((struct wire_array){0, -1})

/* The first element of an array of `type` in `message` (a pointer to its head). Alias; valid as
   long as the message. Not to be read where count <= 0. */
#define WIRE_ITEMS(message, array, type)                                                           \
    ((const type *)(const void *)((const uint8_t *)(message) + (array).at))

/* The text of a string, NUL-terminated; NULL for a null string. A name that holds a NUL itself is
   longer than strlen() says: compare by size where that matters. */
static inline const char *wire_text(const void *message, struct wire_string s)
{
    return s.size < 0 ? NULL : s.size == 0 ? "" : (const char *)message + s.at;
}

static inline const uint8_t *wire_data(const void *message, struct wire_bytes b)
{
    return b.size < 0 ? NULL : (const uint8_t *)message + b.at;
}

/* ---- building ---- */

/* Grows over a buffer that the caller owns. After an overflow every call still returns something
   that may be written (a sink of the builder's own), and wire_flat_end returns 0: so callers check
   once. */
struct wire_flat {
    uint8_t *bytes; /* 8-byte aligned */
    size_t capacity;
    size_t used;
    bool overflow;
    uint64_t sink[32]; /* stands for a head that did not fit */
};

/* Begins a message whose head has head_size bytes, in `bytes` (capacity bytes, 8-byte aligned).
   Returns the head, all zero: the caller fills it in, or the defaults of its table
   (wire_defaults). */
void *wire_flat_begin(struct wire_flat *f, void *bytes, size_t capacity, size_t head_size);

/* Makes room for `count` elements of `size` bytes each, zeroed; the elements lie at
   WIRE_ITEMS(head, result, type), or, to be written, at wire_flat_at(f, result.at). On overflow
   the result's count is 0: write elements in a loop over that, not over your own. count -1 makes a
   null array. */
struct wire_array wire_flat_array(struct wire_flat *f, int32_t count, size_t size);
/* Appends a copy of `text`; NULL makes a null string. */
struct wire_string wire_flat_string(struct wire_flat *f, const char *text);
/* Appends a copy of size bytes (NUL added for strings). */
struct wire_string wire_flat_string_of(struct wire_flat *f, const void *text, size_t size);
struct wire_bytes wire_flat_bytes(struct wire_flat *f, const void *data, size_t size);
/* Appends an array of int32. */
struct wire_array wire_flat_ids(struct wire_flat *f, const int32_t *ids, int32_t count);
/* The place of offset `at`, to be written. */
void *wire_flat_at(struct wire_flat *f, uint32_t at);
/* Returns the size of the finished message, a multiple of 8; 0 on overflow. */
size_t wire_flat_end(struct wire_flat *f);

#endif
