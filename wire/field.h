/*
 * A message of the Kafka protocol as a table: one row a field.
 *
 * wire/api/NAME.h holds the rows of one API, each struct of it as a list macro:
 *
 *     #define WIRE_FIELDS_create_topics_request(F, S)                     in wire order
 *         F(S, ARRAY(create_topics_request_topic), topics, 0)
 *         F(S, INT32, timeout_ms, 0, .def = 60000)
 *         F(S, BOOL, validate_only, 1)
 *             |     |              |  `- what differs from zero in struct wire_field
 *             type  name           first version that has it
 *
 * Out of the same rows come the C struct (WIRE_DECLARE, below) and the table that the codec walks
 * (wire/tables.c), so the two cannot differ.
 *
 * Names. Heads are wire_<api>_request and wire_<api>_response. An element of an array is
 * wire_<head>_<the array field's name, singular>, whatever its depth:
 * wire_create_topics_request_topic, wire_create_topics_request_assignment. Fields have Kafka's
 * names in snake case.
 *
 * Source: Kafka's message format (KIP-482, clients/src/main/resources/common/message).
 */
#ifndef WIRE_FIELD_H
#define WIRE_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/flat.h"

/* What a field is, and how it lies in a C struct. BOOL is 0 or 1. FLOAT64 holds the bits of an
   IEEE 754 double: nothing here computes with it. RECORDS are bytes, but counted apart by Kafka. */
#define WIRE_C_BOOL         uint8_t
#define WIRE_C_INT8         int8_t
#define WIRE_C_INT16        int16_t
#define WIRE_C_INT32        int32_t
#define WIRE_C_INT64        int64_t
#define WIRE_C_FLOAT64      uint64_t
#define WIRE_C_UUID         struct wire_uuid
#define WIRE_C_STRING       struct wire_string
#define WIRE_C_BYTES        struct wire_bytes
#define WIRE_C_RECORDS      struct wire_bytes
#define WIRE_C_ARRAY_INT32  struct wire_array /* of int32_t */
#define WIRE_C_ARRAY_INT64  struct wire_array /* of int64_t */
#define WIRE_C_ARRAY_STRING struct wire_array /* of struct wire_string */
#define WIRE_C_ARRAY(name)  struct wire_array /* of struct wire_<name> */
#define WIRE_C_STRUCT(name) struct wire_##name

enum wire_kind {
    WIRE_BOOL,
    WIRE_INT8,
    WIRE_INT16,
    WIRE_INT32,
    WIRE_INT64,
    WIRE_FLOAT64,
    WIRE_UUID,
    WIRE_STRING,
    WIRE_BYTES,
    WIRE_RECORDS,
    WIRE_STRUCT,
    WIRE_ARRAY_INT32,
    WIRE_ARRAY_INT64,
    WIRE_ARRAY_STRING,
    WIRE_ARRAY_STRUCT,
};

struct wire_layout;

struct wire_field {
    const char *name;                 /* Kafka's, in snake case */
    const struct wire_layout *layout; /* of the element or nested struct; else NULL */
    int64_t def;                      /* default of a number */
    uint16_t offset;                  /* in the struct */
    uint8_t kind;                     /* enum wire_kind */
    int8_t since;                     /* first version that has it */
    int8_t gone;                      /* first version that lacks it again; 0: none does */
    int8_t null_since;                /* where nullable: the first version that may say null */
    uint8_t nullable;
    uint8_t null_default; /* default is null, not empty */
    uint8_t ignorable;    /* a version without it drops it; else a value other than the default is
                             refused */
    uint8_t tagged;       /* travels as tagged field number `tag`, and only where not the default */
    uint8_t tag;
};

struct wire_layout {
    const char *name; /* "create_topics_request_topic" */
    const struct wire_field *fields;
    uint16_t count;
    uint16_t size; /* of the C struct */
};

/* Returns whether `version` has the field; -1 stands for all versions at once. */
static inline bool wire_field_is_in(const struct wire_field *f, int16_t version)
{
    return version < 0 || (version >= f->since && (f->gone == 0 || version < f->gone));
}

static inline bool wire_field_may_be_null(const struct wire_field *f, int16_t version)
{
    return f->nullable && (version < 0 || version >= f->null_since);
}

/* Size of an element of a field that is an array. */
size_t wire_item_size(const struct wire_field *f);
/* Returns whether the field of the struct at `from` has its default. */
bool wire_field_is_default(const struct wire_field *f, const void *from);

#define WIRE_MEMBER(S, type, name, ...) WIRE_C_##type name;
#define WIRE_DECLARE(name)                                                                         \
    struct wire_##name {                                                                           \
        WIRE_FIELDS_##name(WIRE_MEMBER, _)                                                         \
    };                                                                                             \
    extern const struct wire_layout wire_layout_##name;

#endif
