/*
 * Bytes -> flat message, by the table.
 *
 *     bytes    ──►  in.r.at … in.r.end         wire_take moves, and only as far as there are bytes
 *     message  ◄──  used … capacity        `reserve` moves; past the capacity it goes on
 *                                          counting and gives no place to write to
 *
 * So every field is read whether or not there is room for it, and at the end it is known both that
 * the bytes are sound and how much room they need. A count of elements reserves nothing before it
 * is seen that the bytes that are left could hold so many of the smallest such element; the room
 * that is asked for is thereby at most a small multiple of the bytes.
 *
 * In flexible versions each struct ends with its tagged fields: {tag, size, bytes}, any number. A
 * known one has to fill its size exactly; an unknown one is stepped over.
 *
 * Source: Kafka MessageDataGenerator.generateClassReader, ByteBufferAccessor, ByteUtils.
 */
#include "wire/bytes.h"
#include "wire/codec.h"

#include <assert.h>
#include <string.h>

struct in {
    struct wire_reader r;
    uint8_t *message;
    size_t used, capacity;
    int16_t version;
};

/* ---- room ---- */

/* Reserves `size` bytes at a multiple of `alignment`, zeroed; NULL where they do not fit. */
static uint8_t *reserve(struct in *in, size_t size, size_t alignment, uint32_t *at)
{
    size_t start = (in->used + alignment - 1) / alignment * alignment;
    size_t before = in->used;
    in->used = start + size;
    *at = (uint32_t)start;
    if (in->used > UINT32_MAX)
        in->r.bad = true; /* 4 GiB out of a frame of at most 2 GiB: no sound message */
    if (in->r.bad || in->used > in->capacity)
        return NULL;
    memset(in->message + before, 0, in->used - before);
    return in->message + start;
}

static void put(uint8_t *to, const void *value, size_t size)
{
    if (to != NULL)
        memcpy(to, value, size);
}

/* ---- strings, bytes ---- */

static struct wire_string take_text(struct in *in, bool is_string, bool may_be_null)
{
    int32_t size = wire_take_length(&in->r, is_string ? 2 : 4);
    if (size < 0) {
        in->r.bad = in->r.bad || !may_be_null;
        return WIRE_NULL_STRING;
    }
    if (is_string && size > WIRE_STRING_MAX)
        in->r.bad = true;
    const uint8_t *from = wire_take(&in->r, (size_t)size);
    struct wire_string s = {0, size};
    if (from == NULL || size == 0)
        return s;
    uint8_t *to = reserve(in, (size_t)size + is_string, 1, &s.at);
    put(to, from, (size_t)size);
    return s;
}

/* ---- arrays ---- */

static size_t least_size(const struct wire_layout *layout, const struct in *in);

/* The fewest bytes that a field can have. */
static size_t least_field_size(const struct wire_field *f, const struct in *in)
{
    switch ((enum wire_kind)f->kind) {
    case WIRE_BOOL:
    case WIRE_INT8:
        return 1;
    case WIRE_INT16:
        return 2;
    case WIRE_INT32:
        return 4;
    case WIRE_INT64:
    case WIRE_FLOAT64:
        return 8;
    case WIRE_UUID:
        return 16;
    case WIRE_STRING:
        return in->r.flexible ? 1 : 2;
    case WIRE_STRUCT:
        return least_size(f->layout, in);
    case WIRE_BYTES:
    case WIRE_RECORDS:
    case WIRE_ARRAY_INT32:
    case WIRE_ARRAY_INT64:
    case WIRE_ARRAY_STRING:
    case WIRE_ARRAY_STRUCT:
        return in->r.flexible ? 1 : 4;
    }
    return 1;
}

static size_t least_size(const struct wire_layout *layout, const struct in *in)
{
    size_t size = in->r.flexible;
    for (uint16_t i = 0; i < layout->count; i++) {
        const struct wire_field *f = &layout->fields[i];
        if (wire_field_is_in(f, in->version) && !f->tagged)
            size += least_field_size(f, in);
    }
    return size;
}

static size_t least_item_size(const struct wire_field *f, const struct in *in)
{
    if (f->kind == WIRE_ARRAY_INT32)
        return 4;
    if (f->kind == WIRE_ARRAY_INT64)
        return 8;
    if (f->kind == WIRE_ARRAY_STRING)
        return in->r.flexible ? 1 : 2;
    return least_size(f->layout, in);
}

static void take_struct(struct in *in, const struct wire_layout *layout, uint8_t *to);

static void take_item(struct in *in, const struct wire_field *f, uint8_t *to)
{
    if (f->kind == WIRE_ARRAY_INT32) {
        put(to, &(int32_t){(int32_t)wire_take_number(&in->r, 4)}, 4);
    } else if (f->kind == WIRE_ARRAY_INT64) {
        put(to, &(int64_t){(int64_t)wire_take_number(&in->r, 8)}, 8);
    } else if (f->kind == WIRE_ARRAY_STRING) {
        struct wire_string s = take_text(in, true, false);
        put(to, &s, sizeof s);
    } else {
        take_struct(in, f->layout, to);
    }
}

static struct wire_array take_array(struct in *in, const struct wire_field *f)
{
    int32_t count = wire_take_length(&in->r, 4);
    if (count < 0) {
        in->r.bad = in->r.bad || !wire_field_may_be_null(f, in->version);
        return WIRE_NULL_ARRAY;
    }
    if (in->r.bad || count == 0)
        return (struct wire_array){0, 0};
    size_t least = least_item_size(f, in);
    if (least > 0 && (size_t)count > wire_left(&in->r) / least) {
        in->r.bad = true;
        return (struct wire_array){0, 0};
    }
    size_t size = wire_item_size(f);
    struct wire_array a = {0, count};
    uint8_t *to = reserve(in, (size_t)count * size, 8, &a.at);
    for (int32_t i = 0; i < count && !in->r.bad; i++)
        take_item(in, f, to == NULL ? NULL : to + (size_t)i * size);
    return a;
}

/* ---- fields ---- */

/* Reads one field; `to` is its place, or NULL. */
static void take_field(struct in *in, const struct wire_field *f, uint8_t *to)
{
    switch ((enum wire_kind)f->kind) {
    case WIRE_BOOL:
        put(to, &(uint8_t){wire_take_number(&in->r, 1) != 0}, 1);
        return;
    case WIRE_INT8:
        put(to, &(uint8_t){(uint8_t)wire_take_number(&in->r, 1)}, 1);
        return;
    case WIRE_INT16:
        put(to, &(uint16_t){(uint16_t)wire_take_number(&in->r, 2)}, 2);
        return;
    case WIRE_INT32:
        put(to, &(uint32_t){(uint32_t)wire_take_number(&in->r, 4)}, 4);
        return;
    case WIRE_INT64:
    case WIRE_FLOAT64:
        put(to, &(uint64_t){wire_take_number(&in->r, 8)}, 8);
        return;
    case WIRE_UUID: {
        const uint8_t *from = wire_take(&in->r, sizeof(struct wire_uuid));
        if (from != NULL)
            put(to, from, sizeof(struct wire_uuid));
        return;
    }
    case WIRE_STRUCT:
        take_struct(in, f->layout, to);
        return;
    case WIRE_STRING:
    case WIRE_BYTES:
    case WIRE_RECORDS: {
        struct wire_string s =
            take_text(in, f->kind == WIRE_STRING, wire_field_may_be_null(f, in->version));
        put(to, &s, sizeof s);
        return;
    }
    case WIRE_ARRAY_INT32:
    case WIRE_ARRAY_INT64:
    case WIRE_ARRAY_STRING:
    case WIRE_ARRAY_STRUCT: {
        struct wire_array a = take_array(in, f);
        put(to, &a, sizeof a);
        return;
    }
    }
}

static const struct wire_field *tagged_field(const struct in *in, const struct wire_layout *layout,
                                             uint32_t tag)
{
    for (uint16_t i = 0; i < layout->count; i++) {
        const struct wire_field *f = &layout->fields[i];
        if (f->tagged && f->tag == tag && wire_field_is_in(f, in->version))
            return f;
    }
    return NULL;
}

static void take_tagged(struct in *in, const struct wire_layout *layout, uint8_t *to)
{
    uint32_t count = wire_take_uvarint(&in->r);
    for (uint32_t i = 0; i < count && !in->r.bad; i++) {
        uint32_t tag = wire_take_uvarint(&in->r);
        uint32_t size = wire_take_uvarint(&in->r);
        const uint8_t *from = wire_take(&in->r, size);
        const struct wire_field *f = from == NULL ? NULL : tagged_field(in, layout, tag);
        if (f == NULL)
            continue;
        const uint8_t *end = in->r.end;
        in->r.at = from;
        in->r.end = from + size;
        take_field(in, f, to == NULL ? NULL : to + f->offset);
        in->r.bad = in->r.bad || in->r.at != in->r.end;
        in->r.end = end;
    }
}

static void take_struct(struct in *in, const struct wire_layout *layout, uint8_t *to)
{
    if (to != NULL)
        wire_defaults_of(layout, to);
    for (uint16_t i = 0; i < layout->count && !in->r.bad; i++) {
        const struct wire_field *f = &layout->fields[i];
        if (wire_field_is_in(f, in->version) && !f->tagged)
            take_field(in, f, to == NULL ? NULL : to + f->offset);
    }
    if (in->r.flexible && !in->r.bad)
        take_tagged(in, layout, to);
}

enum sm_err wire_decode(enum wire_direction direction, int16_t api, int16_t version,
                        const uint8_t *bytes, size_t size, void *message, size_t capacity,
                        size_t *used)
{
    *used = 0;
    if (!wire_api_has(api, version))
        return SM_ERR_RANGE;
    assert(((uintptr_t)message & 7) == 0);
    const struct wire_api_info *info = wire_api_info(api);
    const struct wire_layout *layout = info->head[direction];
    struct in in = {.r = wire_reader_of(bytes, size, version >= info->flexible),
                    .message = message,
                    .capacity = capacity,
                    .version = version};
    uint32_t at;
    uint8_t *head = reserve(&in, layout->size, 1, &at);
    take_struct(&in, layout, head);
    reserve(&in, 0, 8, &at);
    if (in.r.bad || in.r.at != in.r.end)
        return SM_ERR_SYNTAX;
    *used = in.used;
    return in.used > capacity ? SM_ERR_LIMIT : SM_ERR_OK;
}
