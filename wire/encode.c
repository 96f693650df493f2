/*
 * Flat message -> bytes, by the table.
 *
 * The writer counts what it is given and keeps what fits (wire/bytes.h), so that a message that
 * does not fit is measured in the same walk. A tagged field says its size before its bytes: its
 * bytes are walked twice, the first time only to be counted. Tagged fields are few and small.
 *
 * Source: Kafka MessageDataGenerator.generateClassWriter: a version that lacks a field drops it
 * where it is ignorable, and else refuses anything but the default.
 */
#include "wire/bytes.h"
#include "wire/codec.h"

#include <assert.h>
#include <string.h>

struct out {
    struct wire_writer w;
    const uint8_t *head; /* of the message: what offsets count from */
    int16_t version;
    const char *refused; /* name of the first field that the version cannot say */
};

static void refuse(struct out *out, const struct wire_field *f)
{
    if (out->refused == NULL)
        out->refused = f->name;
}

/* ---- fields ---- */

static void put_text(struct out *out, const struct wire_field *f, const uint8_t *at, bool is_string,
                     bool may_be_null)
{
    struct wire_string s;
    memcpy(&s, at, sizeof s);
    if ((s.size < 0 && !may_be_null) || (is_string && s.size > WIRE_STRING_MAX)) {
        refuse(out, f);
        return;
    }
    wire_put_length(&out->w, s.size < 0 ? -1 : s.size, is_string ? 2 : 4);
    if (s.size > 0)
        wire_put(&out->w, out->head + s.at, (size_t)s.size);
}

static void put_struct(struct out *out, const struct wire_layout *layout, const uint8_t *from);

static void put_item(struct out *out, const struct wire_field *f, const uint8_t *from)
{
    if (f->kind == WIRE_ARRAY_INT32) {
        uint32_t n;
        memcpy(&n, from, sizeof n);
        wire_put_number(&out->w, n, sizeof n);
    } else if (f->kind == WIRE_ARRAY_INT64) {
        uint64_t n;
        memcpy(&n, from, sizeof n);
        wire_put_number(&out->w, n, sizeof n);
    } else if (f->kind == WIRE_ARRAY_STRING) {
        put_text(out, f, from, true, false);
    } else {
        put_struct(out, f->layout, from);
    }
}

static void put_array(struct out *out, const struct wire_field *f, const uint8_t *at)
{
    struct wire_array a;
    memcpy(&a, at, sizeof a);
    if (a.count < 0 && !wire_field_may_be_null(f, out->version)) {
        refuse(out, f);
        return;
    }
    wire_put_length(&out->w, a.count < 0 ? -1 : a.count, 4);
    size_t size = wire_item_size(f);
    for (int32_t i = 0; i < a.count; i++)
        put_item(out, f, out->head + a.at + (size_t)i * size);
}

static void put_field(struct out *out, const struct wire_field *f, const uint8_t *at)
{
    switch ((enum wire_kind)f->kind) {
    case WIRE_BOOL:
        wire_put_number(&out->w, *at != 0, 1);
        return;
    case WIRE_INT8:
        wire_put(&out->w, at, 1);
        return;
    case WIRE_INT16: {
        uint16_t n;
        memcpy(&n, at, sizeof n);
        wire_put_number(&out->w, n, sizeof n);
        return;
    }
    case WIRE_INT32: {
        uint32_t n;
        memcpy(&n, at, sizeof n);
        wire_put_number(&out->w, n, sizeof n);
        return;
    }
    case WIRE_INT64:
    case WIRE_FLOAT64: {
        uint64_t n;
        memcpy(&n, at, sizeof n);
        wire_put_number(&out->w, n, sizeof n);
        return;
    }
    case WIRE_UUID:
        wire_put(&out->w, at, sizeof(struct wire_uuid));
        return;
    case WIRE_STRING:
    case WIRE_BYTES:
    case WIRE_RECORDS:
        put_text(out, f, at, f->kind == WIRE_STRING, wire_field_may_be_null(f, out->version));
        return;
    case WIRE_STRUCT:
        put_struct(out, f->layout, at);
        return;
    case WIRE_ARRAY_INT32:
    case WIRE_ARRAY_INT64:
    case WIRE_ARRAY_STRING:
    case WIRE_ARRAY_STRUCT:
        put_array(out, f, at);
        return;
    }
}

/* ---- structs ---- */

static void put_tagged(struct out *out, const struct wire_layout *layout, const uint8_t *from)
{
    /* Tags ascend in the rows of each struct (tests/wire), so the order of rows is that of tags. */
    uint32_t count = 0;
    for (uint16_t i = 0; i < layout->count; i++) {
        const struct wire_field *f = &layout->fields[i];
        count += f->tagged && wire_field_is_in(f, out->version) && !wire_field_is_default(f, from);
    }
    wire_put_uvarint(&out->w, count);
    for (uint16_t i = 0; i < layout->count && count > 0; i++) {
        const struct wire_field *f = &layout->fields[i];
        if (!f->tagged || !wire_field_is_in(f, out->version) || wire_field_is_default(f, from))
            continue;
        struct out measure = *out;
        measure.w = (struct wire_writer){.flexible = true};
        put_field(&measure, f, from + f->offset);
        wire_put_uvarint(&out->w, f->tag);
        wire_put_uvarint(&out->w, (uint32_t)measure.w.used);
        put_field(out, f, from + f->offset);
    }
}

static void put_struct(struct out *out, const struct wire_layout *layout, const uint8_t *from)
{
    for (uint16_t i = 0; i < layout->count; i++) {
        const struct wire_field *f = &layout->fields[i];
        if (!wire_field_is_in(f, out->version) && !f->ignorable && !wire_field_is_default(f, from))
            refuse(out, f);
        else if (wire_field_is_in(f, out->version) && !f->tagged)
            put_field(out, f, from + f->offset);
    }
    if (out->w.flexible)
        put_tagged(out, layout, from);
}

enum sm_err wire_encode(enum wire_direction direction, int16_t api, int16_t version,
                        const void *message, uint8_t *bytes, size_t capacity, size_t *used)
{
    *used = 0;
    if (!wire_api_has(api, version))
        return SM_ERR_RANGE;
    const struct wire_api_info *info = wire_api_info(api);
    struct out out = {
        .w = {.bytes = bytes, .capacity = capacity, .flexible = version >= info->flexible},
        .head = message,
        .version = version};
    put_struct(&out, info->head[direction], message);
    if (out.refused != NULL)
        return SM_ERR_RANGE;
    *used = out.w.used;
    return out.w.used > capacity ? SM_ERR_LIMIT : SM_ERR_OK;
}

const char *wire_refused(enum wire_direction direction, int16_t api, int16_t version,
                         const void *message)
{
    if (!wire_api_has(api, version))
        return NULL;
    const struct wire_api_info *info = wire_api_info(api);
    struct out out = {
        .w = {.flexible = version >= info->flexible}, .head = message, .version = version};
    put_struct(&out, info->head[direction], message);
    return out.refused;
}
