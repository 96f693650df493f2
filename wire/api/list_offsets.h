/*
 * ListOffsets: the offset of a time, or of the ends of a log (-1 the end, -2 the beginning).
 *
 * Source: Kafka 2.8.2, ListOffsetsRequest.json and ListOffsetsResponse.json.
 */
#ifndef WIRE_API_LIST_OFFSETS_H
#define WIRE_API_LIST_OFFSETS_H

#include "wire/field.h"

#define WIRE_FIELDS_list_offsets_request_partition(F, S)                                           \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT32, current_leader_epoch, 4, .ignorable = 1, .def = -1)                                \
    F(S, INT64, timestamp, 0)                                                                      \
    F(S, INT32, max_num_offsets, 0, .gone = 1, .def = 1)
#define WIRE_FIELDS_list_offsets_request_topic(F, S)                                               \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY(list_offsets_request_partition), partitions, 0)
#define WIRE_FIELDS_list_offsets_request(F, S)                                                     \
    F(S, INT32, replica_id, 0)                                                                     \
    F(S, INT8, isolation_level, 2)                                                                 \
    F(S, ARRAY(list_offsets_request_topic), topics, 0)
#define WIRE_FIELDS_list_offsets_response_partition(F, S)                                          \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, ARRAY_INT64, old_style_offsets, 0, .gone = 1)                                             \
    F(S, INT64, timestamp, 1, .def = -1)                                                           \
    F(S, INT64, offset, 1, .def = -1)                                                              \
    F(S, INT32, leader_epoch, 4, .def = -1)
#define WIRE_FIELDS_list_offsets_response_topic(F, S)                                              \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY(list_offsets_response_partition), partitions, 0)
#define WIRE_FIELDS_list_offsets_response(F, S)                                                    \
    F(S, INT32, throttle_time_ms, 2, .ignorable = 1)                                               \
    F(S, ARRAY(list_offsets_response_topic), topics, 0)

#define WIRE_STRUCTS_list_offsets(X)                                                               \
    X(list_offsets_request_partition)                                                              \
    X(list_offsets_request_topic)                                                                  \
    X(list_offsets_request)                                                                        \
    X(list_offsets_response_partition)                                                             \
    X(list_offsets_response_topic)                                                                 \
    X(list_offsets_response)
WIRE_STRUCTS_list_offsets(WIRE_DECLARE)

#endif
