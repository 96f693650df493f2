/*
 * The builder of flat messages: it only ever appends, and what it leaves between things is zero, so
 * that equal messages built alike are equal bytes.
 *
 *     head | elements (aligned to 8) | bytes of strings NUL | …
 *
 * What does not fit sets `overflow`, and nothing is appended from then on: arrays come out empty,
 * and a head that did not fit is written to a sink inside the builder. So a caller fills in what it
 * has and looks once, at the end.
 *
 * Source: wire/flat.h.
 */
#include "wire/flat.h"

#include <assert.h>

static size_t round_up_8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

/* Appends `size` zeroed bytes at a multiple of `alignment` (1 or 8); returns where, 0 on overflow
   (nothing but the head can stand there). */
static uint32_t append(struct wire_flat *f, size_t size, size_t alignment)
{
    size_t at = alignment == 8 ? round_up_8(f->used) : f->used;
    if (f->overflow || at > f->capacity || size > f->capacity - at || at + size > UINT32_MAX - 8) {
        f->overflow = true;
        return 0;
    }
    memset(f->bytes + f->used, 0, at + size - f->used);
    f->used = at + size;
    return (uint32_t)at;
}

void *wire_flat_begin(struct wire_flat *f, void *bytes, size_t capacity, size_t head_size)
{
    assert(((uintptr_t)bytes & 7) == 0);
    assert(head_size > 0);
    assert(head_size <= sizeof f->sink);
    *f = (struct wire_flat){.bytes = bytes, .capacity = capacity};
    append(f, head_size, 1);
    return wire_flat_at(f, 0);
}

struct wire_array wire_flat_array(struct wire_flat *f, int32_t count, size_t size)
{
    if (count <= 0)
        return (struct wire_array){0, count};
    if ((size_t)count > UINT32_MAX / size) {
        f->overflow = true;
        return (struct wire_array){0, 0};
    }
    uint32_t at = append(f, (size_t)count * size, 8);
    return (struct wire_array){at, at == 0 ? 0 : count};
}

/* Copies `size` bytes, and `nul` (0 or 1) bytes of zero behind them. */
static struct wire_string append_copy(struct wire_flat *f, const void *from, size_t size,
                                      size_t nul)
{
    if (size == 0)
        return (struct wire_string){0, 0};
    uint32_t at = size > INT32_MAX ? 0 : append(f, size + nul, 1);
    if (at == 0) {
        f->overflow = true;
        return (struct wire_string){0, 0};
    }
    memcpy(f->bytes + at, from, size);
    return (struct wire_string){at, (int32_t)size};
}

struct wire_string wire_flat_string_of(struct wire_flat *f, const void *text, size_t size)
{
    return append_copy(f, text, size, 1);
}

struct wire_string wire_flat_string(struct wire_flat *f, const char *text)
{
    return text == NULL ? WIRE_NULL_STRING : append_copy(f, text, strlen(text), 1);
}

struct wire_bytes wire_flat_bytes(struct wire_flat *f, const void *data, size_t size)
{
    struct wire_string s = append_copy(f, data, size, 0);
    return (struct wire_bytes){s.at, s.size};
}

struct wire_array wire_flat_ids(struct wire_flat *f, const int32_t *ids, int32_t count)
{
    struct wire_array a = wire_flat_array(f, count, sizeof *ids);
    if (a.count > 0)
        memcpy(f->bytes + a.at, ids, (size_t)count * sizeof *ids);
    return a;
}

void *wire_flat_at(struct wire_flat *f, uint32_t at)
{
    return f->used == 0 ? (void *)f->sink : f->bytes + at;
}

size_t wire_flat_end(struct wire_flat *f)
{
    append(f, 0, 8);
    return f->overflow ? 0 : f->used;
}
