/*
 * The tables that the codec walks, made from the rows of wire/api/. Nothing is written here by
 * hand.
 *
 * Source: wire/field.h; the rows' sources stand beside them.
 */
#include "wire/api.h"
#include "wire/codec.h"
#include "wire/schema.h"

#define TYPE_BOOL         .kind = WIRE_BOOL
#define TYPE_INT8         .kind = WIRE_INT8
#define TYPE_INT16        .kind = WIRE_INT16
#define TYPE_INT32        .kind = WIRE_INT32
#define TYPE_INT64        .kind = WIRE_INT64
#define TYPE_FLOAT64      .kind = WIRE_FLOAT64
#define TYPE_UUID         .kind = WIRE_UUID
#define TYPE_STRING       .kind = WIRE_STRING
#define TYPE_BYTES        .kind = WIRE_BYTES
#define TYPE_RECORDS      .kind = WIRE_RECORDS
#define TYPE_ARRAY_INT32  .kind = WIRE_ARRAY_INT32
#define TYPE_ARRAY_INT64  .kind = WIRE_ARRAY_INT64
#define TYPE_ARRAY_STRING .kind = WIRE_ARRAY_STRING
#define TYPE_ARRAY(e)     .kind = WIRE_ARRAY_STRUCT, .layout = &wire_layout_##e
#define TYPE_STRUCT(e)    .kind = WIRE_STRUCT, .layout = &wire_layout_##e

#define ROW(S, type, member, from, ...)                                                            \
    {.name = #member,                                                                              \
     TYPE_##type,                                                                                  \
     .offset = offsetof(struct S, member),                                                         \
     .since = (from),                                                                              \
     __VA_ARGS__},
#define TABLE(s)                                                                                   \
    static const struct wire_field fields_##s[] = {WIRE_FIELDS_##s(ROW, wire_##s)};                \
    const struct wire_layout wire_layout_##s = {                                                   \
        .name = #s,                                                                                \
        .fields = fields_##s,                                                                      \
        .count = sizeof fields_##s / sizeof fields_##s[0],                                         \
        .size = sizeof(struct wire_##s),                                                           \
    };

#define STRUCTS_OF(constant, api, ...) WIRE_STRUCTS_##api(TABLE)
WIRE_API_MAP(STRUCTS_OF)

/* ---- the rows of wire/api.h ---- */

static const struct wire_api_info infos[] = {
#define X(constant, low, kafka_name, api_key, oldest, newest, first_flexible, brokers)             \
    {.name = kafka_name,                                                                           \
     .key = (api_key),                                                                             \
     .min = (oldest),                                                                              \
     .max = (newest),                                                                              \
     .flexible = (first_flexible),                                                                 \
     .brokers_only = (brokers) != 0,                                                               \
     .head = {&wire_layout_##low##_request, &wire_layout_##low##_response}},
    WIRE_API_MAP(X)
#undef X
};
enum { API_COUNT = sizeof infos / sizeof infos[0], KEY_END = 62 };

enum {
#define X(constant, ...) ROW_##constant,
    WIRE_API_MAP(X)
#undef X
};

/* 1 + row of a key. */
static const uint8_t row_of_key[KEY_END] = {
#define X(constant, low, kafka_name, api_key, ...) [api_key] = 1 + ROW_##constant,
    WIRE_API_MAP(X)
#undef X
};

const struct wire_api_info *wire_api_info(int16_t api)
{
    if (api < 0 || api >= KEY_END || row_of_key[api] == 0)
        return NULL;
    return &infos[row_of_key[api] - 1];
}

const struct wire_api_info *wire_api_next(const struct wire_api_info *previous)
{
    if (previous == NULL)
        return &infos[0];
    return previous + 1 < infos + API_COUNT ? previous + 1 : NULL;
}

bool wire_api_has(int16_t api, int16_t version)
{
    const struct wire_api_info *info = wire_api_info(api);
    return info != NULL && version >= info->min && version <= info->max;
}

size_t wire_head_size(enum wire_direction direction, int16_t api)
{
    const struct wire_api_info *info = wire_api_info(api);
    return info == NULL ? 0 : info->head[direction]->size;
}
