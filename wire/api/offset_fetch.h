/*
 * OffsetFetch: what the group has stored. topics null (2+): all of them.
 *
 * Source: Kafka 2.8.2, OffsetFetchRequest.json and OffsetFetchResponse.json.
 */
#ifndef WIRE_API_OFFSET_FETCH_H
#define WIRE_API_OFFSET_FETCH_H

#include "wire/field.h"

#define WIRE_FIELDS_offset_fetch_request_topic(F, S)                                               \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY_INT32, partition_indexes, 0)
#define WIRE_FIELDS_offset_fetch_request(F, S)                                                     \
    F(S, STRING, group_id, 0)                                                                      \
    F(S, ARRAY(offset_fetch_request_topic), topics, 0, .nullable = 1, .null_since = 2)             \
    F(S, BOOL, require_stable, 7)
#define WIRE_FIELDS_offset_fetch_response_partition(F, S)                                          \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT64, committed_offset, 0)                                                               \
    F(S, INT32, committed_leader_epoch, 5, .ignorable = 1, .def = -1)                              \
    F(S, STRING, metadata, 0, .nullable = 1)                                                       \
    F(S, INT16, error_code, 0)
#define WIRE_FIELDS_offset_fetch_response_topic(F, S)                                              \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY(offset_fetch_response_partition), partitions, 0)
#define WIRE_FIELDS_offset_fetch_response(F, S)                                                    \
    F(S, INT32, throttle_time_ms, 3, .ignorable = 1)                                               \
    F(S, ARRAY(offset_fetch_response_topic), topics, 0)                                            \
    F(S, INT16, error_code, 2, .ignorable = 1)

#define WIRE_STRUCTS_offset_fetch(X)                                                               \
    X(offset_fetch_request_topic)                                                                  \
    X(offset_fetch_request)                                                                        \
    X(offset_fetch_response_partition)                                                             \
    X(offset_fetch_response_topic)                                                                 \
    X(offset_fetch_response)
WIRE_STRUCTS_offset_fetch(WIRE_DECLARE)

#endif
