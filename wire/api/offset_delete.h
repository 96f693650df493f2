/*
 * OffsetDelete: forgets a group's offsets of partitions that it no longer reads.
 *
 * Source: Kafka 2.8.2, OffsetDeleteRequest.json and OffsetDeleteResponse.json.
 */
#ifndef WIRE_API_OFFSET_DELETE_H
#define WIRE_API_OFFSET_DELETE_H

#include "wire/field.h"

#define WIRE_FIELDS_offset_delete_request_partition(F, S) F(S, INT32, partition_index, 0)
#define WIRE_FIELDS_offset_delete_request_topic(F, S)                                              \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY(offset_delete_request_partition), partitions, 0)
#define WIRE_FIELDS_offset_delete_request(F, S)                                                    \
    F(S, STRING, group_id, 0)                                                                      \
    F(S, ARRAY(offset_delete_request_topic), topics, 0)
#define WIRE_FIELDS_offset_delete_response_partition(F, S)                                         \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT16, error_code, 0)
#define WIRE_FIELDS_offset_delete_response_topic(F, S)                                             \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY(offset_delete_response_partition), partitions, 0)
#define WIRE_FIELDS_offset_delete_response(F, S)                                                   \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, INT32, throttle_time_ms, 0, .ignorable = 1)                                               \
    F(S, ARRAY(offset_delete_response_topic), topics, 0)

#define WIRE_STRUCTS_offset_delete(X)                                                              \
    X(offset_delete_request_partition)                                                             \
    X(offset_delete_request_topic)                                                                 \
    X(offset_delete_request)                                                                       \
    X(offset_delete_response_partition)                                                            \
    X(offset_delete_response_topic)                                                                \
    X(offset_delete_response)
WIRE_STRUCTS_offset_delete(WIRE_DECLARE)

#endif
