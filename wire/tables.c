/*
 * The tables that the codec walks, made from the rows of wire/api/. Nothing is written here by
 * hand.
 *
 * Source: wire/field.h; the rows' sources stand beside them.
 */
#include "wire/api.h"
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
