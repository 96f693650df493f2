/*
 * What can be done with any message by its table, but for bytes and text: fill in defaults,
 * compare.
 *
 * Source: wire/field.h.
 */
#include "wire/codec.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- defaults ---- */

static void default_of(const struct wire_field *f, uint8_t *to)
{
    const struct wire_string empty = {0, f->null_default ? -1 : 0};
    uint8_t *at = to + f->offset;
    switch ((enum wire_kind)f->kind) {
    case WIRE_BOOL:
    case WIRE_INT8:
        *at = (uint8_t)f->def;
        return;
    case WIRE_INT16:
        memcpy(at, &(int16_t){(int16_t)f->def}, sizeof(int16_t));
        return;
    case WIRE_INT32:
        memcpy(at, &(int32_t){(int32_t)f->def}, sizeof(int32_t));
        return;
    case WIRE_INT64:
    case WIRE_FLOAT64:
        memcpy(at, &f->def, sizeof f->def);
        return;
    case WIRE_UUID:
        memset(at, 0, sizeof(struct wire_uuid));
        return;
    case WIRE_STRUCT:
        wire_defaults_of(f->layout, at);
        return;
    case WIRE_STRING:
    case WIRE_BYTES:
    case WIRE_RECORDS:
    case WIRE_ARRAY_INT32:
    case WIRE_ARRAY_INT64:
    case WIRE_ARRAY_STRING:
    case WIRE_ARRAY_STRUCT:
        memcpy(at, &empty, sizeof empty);
        return;
    }
}

_Static_assert(sizeof(struct wire_string) == sizeof(struct wire_array), "alike: offset, count");
_Static_assert(sizeof(struct wire_string) == sizeof(struct wire_bytes), "alike: offset, count");

void wire_defaults_of(const struct wire_layout *layout, void *to)
{
    memset(to, 0, layout->size);
    for (uint16_t i = 0; i < layout->count; i++) {
        const struct wire_field *f = &layout->fields[i];
        if (f->def != 0 || f->null_default || f->kind == WIRE_STRUCT) /* most have no bit set */
            default_of(f, to);
    }
}

void wire_defaults(enum wire_direction direction, int16_t api, void *head)
{
    const struct wire_api_info *info = wire_api_info(api);
    assert(info != NULL);
    wire_defaults_of(info->head[direction], head);
}

/* ---- comparison ---- */

enum { DEEPEST = 16 };

/* The way to the first difference, innermost first: it is written on the way back up. */
struct way {
    struct {
        const char *name;
        int32_t index; /* of the element of the array `name`, -1: the field as a whole */
    } part[DEEPEST];
    uint32_t depth;
    int32_t index; /* of the part that comes next */
};

struct pair {
    const uint8_t *a, *b;           /* two structs, or places of a field */
    const uint8_t *head_a, *head_b; /* what offsets count from */
    struct way *way;                /* NULL: nobody asks */
};

static bool structs_equal(const struct wire_layout *layout, struct pair p);

static bool same(struct pair p, size_t size)
{
    return memcmp(p.a, p.b, size) == 0;
}

/* Strings and bytes: the same size, and where they have bytes, the same. */
static bool texts_equal(struct pair p)
{
    struct wire_string a, b;
    memcpy(&a, p.a, sizeof a);
    memcpy(&b, p.b, sizeof b);
    return a.size == b.size &&
           (a.size <= 0 || memcmp(p.head_a + a.at, p.head_b + b.at, (size_t)a.size) == 0);
}

static bool items_equal(const struct wire_field *f, struct pair p)
{
    if (f->kind == WIRE_ARRAY_INT32)
        return same(p, sizeof(int32_t));
    if (f->kind == WIRE_ARRAY_INT64)
        return same(p, sizeof(int64_t));
    return f->kind == WIRE_ARRAY_STRING ? texts_equal(p) : structs_equal(f->layout, p);
}

size_t wire_item_size(const struct wire_field *f)
{
    if (f->kind == WIRE_ARRAY_INT32)
        return sizeof(int32_t);
    if (f->kind == WIRE_ARRAY_INT64)
        return sizeof(int64_t);
    return f->kind == WIRE_ARRAY_STRING ? sizeof(struct wire_string) : f->layout->size;
}

static bool arrays_equal(const struct wire_field *f, struct pair p)
{
    struct wire_array a, b;
    memcpy(&a, p.a, sizeof a);
    memcpy(&b, p.b, sizeof b);
    if (a.count != b.count)
        return false;
    size_t size = wire_item_size(f);
    for (int32_t i = 0; i < a.count; i++) {
        struct pair item = {p.head_a + a.at + (size_t)i * size, p.head_b + b.at + (size_t)i * size,
                            p.head_a, p.head_b, p.way};
        if (!items_equal(f, item)) {
            if (p.way != NULL)
                p.way->index = i;
            return false;
        }
    }
    return true;
}

static bool fields_equal(const struct wire_field *f, struct pair p)
{
    p.a += f->offset;
    p.b += f->offset;
    switch ((enum wire_kind)f->kind) {
    case WIRE_BOOL:
    case WIRE_INT8:
        return same(p, 1);
    case WIRE_INT16:
        return same(p, 2);
    case WIRE_INT32:
        return same(p, 4);
    case WIRE_INT64:
    case WIRE_FLOAT64:
        return same(p, 8);
    case WIRE_UUID:
        return same(p, sizeof(struct wire_uuid));
    case WIRE_STRING:
    case WIRE_BYTES:
    case WIRE_RECORDS:
        return texts_equal(p);
    case WIRE_STRUCT:
        return structs_equal(f->layout, p);
    case WIRE_ARRAY_INT32:
    case WIRE_ARRAY_INT64:
    case WIRE_ARRAY_STRING:
    case WIRE_ARRAY_STRUCT:
        return arrays_equal(f, p);
    }
    return false;
}

static void note_difference(struct way *way, const char *name)
{
    assert(way->depth < DEEPEST); /* messages are not that deep */
    way->part[way->depth].name = name;
    way->part[way->depth++].index = way->index;
    way->index = -1;
}

static bool structs_equal(const struct wire_layout *layout, struct pair p)
{
    for (uint16_t i = 0; i < layout->count; i++)
        if (!fields_equal(&layout->fields[i], p)) {
            if (p.way != NULL)
                note_difference(p.way, layout->fields[i].name);
            return false;
        }
    return true;
}

bool wire_field_is_default(const struct wire_field *f, const void *from)
{
    struct wire_field alone = *f;
    uint64_t scratch[8];
    assert(f->kind != WIRE_STRUCT || f->layout->size <= sizeof scratch);
    alone.offset = 0;
    default_of(&alone, (uint8_t *)scratch);
    /* A default has no bytes and no elements, so nothing is looked up from the heads. */
    return fields_equal(&alone, (struct pair){(const uint8_t *)from + f->offset,
                                              (const uint8_t *)scratch, NULL, NULL, NULL});
}

bool wire_equal(enum wire_direction direction, int16_t api, const void *a, const void *b)
{
    const struct wire_api_info *info = wire_api_info(api);
    assert(info != NULL);
    return structs_equal(info->head[direction], (struct pair){a, b, a, b, NULL});
}

bool wire_difference(enum wire_direction direction, int16_t api, const void *a, const void *b,
                     char *out, size_t capacity)
{
    const struct wire_api_info *info = wire_api_info(api);
    struct way way = {.index = -1};
    size_t used = 0;
    assert(info != NULL && capacity > 0);
    out[0] = '\0';
    if (structs_equal(info->head[direction], (struct pair){a, b, a, b, &way}))
        return false;
    for (uint32_t i = way.depth; i > 0 && used < capacity; i--) {
        char index[16] = "";
        if (way.part[i - 1].index >= 0)
            snprintf(index, sizeof index, "[%" PRId32 "]", way.part[i - 1].index);
        int n = snprintf(out + used, capacity - used, "%s%s%s", used == 0 ? "" : ".",
                         way.part[i - 1].name, index);
        used += (size_t)n;
    }
    return true;
}
