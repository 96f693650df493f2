/*
 * Numbers in network byte order, read and written within bounds: what every codec of this folder is
 * made of. Internal to wire/.
 *
 *     reader:  at ──► … end     only wire_take moves `at`; the first thing that is not there sets
 *                               `bad`, and from then on zeros are read
 *     writer:  used … capacity  counts all that it is given, keeps what fits; so what is too large
 *                               for its room is measured in the same walk
 *
 * Source: Kafka ByteUtils (unsigned varints), ByteBufferAccessor.
 */
#ifndef WIRE_BYTES_H
#define WIRE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { WIRE_STRING_MAX = 32767, WIRE_UVARINT_BYTES_MAX = 5 };

/* ---- reading ---- */

struct wire_reader {
    const uint8_t *at, *end;
    bool flexible; /* compact lengths, tagged fields */
    bool bad;
};

/* A reader over `size` bytes; `bytes` may be NULL where there are none. */
static inline struct wire_reader wire_reader_of(const uint8_t *bytes, size_t size, bool flexible)
{
    return (struct wire_reader){
        .at = bytes, .end = bytes == NULL ? NULL : bytes + size, .flexible = flexible};
}

static inline size_t wire_left(const struct wire_reader *r)
{
    return (size_t)(r->end - r->at);
}

/* The next `size` bytes; NULL, and bad, where there are not so many. */
static inline const uint8_t *wire_take(struct wire_reader *r, size_t size)
{
    if (r->bad || size > wire_left(r)) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *at = r->at;
    r->at += size;
    return at;
}

/* A big-endian number of `size` bytes, 1 to 8, not extended. */
static inline uint64_t wire_take_number(struct wire_reader *r, size_t size)
{
    const uint8_t *at = wire_take(r, size);
    uint64_t n = 0;
    for (size_t i = 0; at != NULL && i < size; i++)
        n = n << 8 | at[i];
    return n;
}

static inline int16_t wire_take_int16(struct wire_reader *r)
{
    return (int16_t)wire_take_number(r, 2);
}

static inline int32_t wire_take_int32(struct wire_reader *r)
{
    return (int32_t)wire_take_number(r, 4);
}

static inline int64_t wire_take_int64(struct wire_reader *r)
{
    return (int64_t)wire_take_number(r, 8);
}

static inline uint32_t wire_take_uvarint(struct wire_reader *r)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < WIRE_UVARINT_BYTES_MAX; i++) {
        const uint8_t *at = wire_take(r, 1);
        if (at == NULL)
            return 0;
        n |= (uint64_t)(*at & 0x7f) << 7 * i;
        if ((*at & 0x80) == 0) {
            r->bad = n > UINT32_MAX;
            return r->bad ? 0 : (uint32_t)n;
        }
    }
    r->bad = true;
    return 0;
}

/* A length or count: -1 for null, which any negative number is. `size` (2 or 4) is that of the
   number where the version is not flexible. */
static inline int32_t wire_take_length(struct wire_reader *r, size_t size)
{
    if (r->flexible) {
        uint32_t n = wire_take_uvarint(r);
        r->bad = r->bad || n > INT32_MAX;
        return r->bad ? 0 : (int32_t)n - 1;
    }
    int32_t n = size == 2 ? wire_take_int16(r) : wire_take_int32(r);
    return n < 0 ? -1 : n;
}

/* Steps over the tagged fields at the end of a struct, where the version has such. */
static inline void wire_skip_tagged(struct wire_reader *r)
{
    uint32_t count = r->flexible ? wire_take_uvarint(r) : 0;
    for (uint32_t i = 0; i < count && !r->bad; i++) {
        wire_take_uvarint(r);
        wire_take(r, wire_take_uvarint(r));
    }
}

/* ---- writing ---- */

struct wire_writer {
    uint8_t *bytes;
    size_t used, capacity;
    bool flexible;
};

/* Room for the next `size` bytes, which count as written; NULL where they do not fit. */
static inline uint8_t *wire_room(struct wire_writer *w, size_t size)
{
    size_t at = w->used;
    w->used += size;
    return at <= w->capacity && size <= w->capacity - at && w->bytes != NULL ? w->bytes + at : NULL;
}

static inline void wire_put(struct wire_writer *w, const void *from, size_t size)
{
    uint8_t *to = wire_room(w, size);
    if (to != NULL && size > 0)
        memcpy(to, from, size);
}

static inline void wire_store(uint8_t *to, uint64_t n, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)(n >> 8 * (size - 1 - i));
}

static inline void wire_put_number(struct wire_writer *w, uint64_t n, size_t size)
{
    uint8_t *to = wire_room(w, size);
    if (to != NULL)
        wire_store(to, n, size);
}

static inline void wire_put_int8(struct wire_writer *w, int8_t n)
{
    wire_put_number(w, (uint8_t)n, 1);
}

static inline void wire_put_int16(struct wire_writer *w, int16_t n)
{
    wire_put_number(w, (uint16_t)n, 2);
}

static inline void wire_put_int32(struct wire_writer *w, int32_t n)
{
    wire_put_number(w, (uint32_t)n, 4);
}

static inline void wire_put_int64(struct wire_writer *w, int64_t n)
{
    wire_put_number(w, (uint64_t)n, 8);
}

static inline void wire_put_uvarint(struct wire_writer *w, uint32_t n)
{
    uint8_t bytes[WIRE_UVARINT_BYTES_MAX];
    size_t size = 0;
    for (; n >= 0x80; n >>= 7)
        bytes[size++] = (uint8_t)(n | 0x80);
    bytes[size++] = (uint8_t)n;
    wire_put(w, bytes, size);
}

/* A length or count, -1 null; `size` (2 or 4) as in wire_take_length. */
static inline void wire_put_length(struct wire_writer *w, int32_t n, size_t size)
{
    if (w->flexible)
        wire_put_uvarint(w, (uint32_t)n + 1);
    else
        wire_put_number(w, (uint64_t)(int64_t)n, size);
}

static inline void wire_put_string(struct wire_writer *w, const void *text, size_t size)
{
    wire_put_length(w, (int32_t)size, 2);
    wire_put(w, text, size);
}

/* The end of a struct: no tagged fields, where the version has such. */
static inline void wire_put_no_tags(struct wire_writer *w)
{
    if (w->flexible)
        wire_put_number(w, 0, 1);
}

#endif
