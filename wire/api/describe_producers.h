/*
 * DescribeProducers: the producers that a partition's log knows.
 *
 * Source: Kafka 2.8.2, DescribeProducersRequest.json and DescribeProducersResponse.json.
 */
#ifndef WIRE_API_DESCRIBE_PRODUCERS_H
#define WIRE_API_DESCRIBE_PRODUCERS_H

#include "wire/field.h"

#define WIRE_FIELDS_describe_producers_request_topic(F, S)                                         \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY_INT32, partition_indexes, 0)
#define WIRE_FIELDS_describe_producers_request(F, S)                                               \
    F(S, ARRAY(describe_producers_request_topic), topics, 0)
#define WIRE_FIELDS_describe_producers_response_active_producer(F, S)                              \
    F(S, INT64, producer_id, 0)                                                                    \
    F(S, INT32, producer_epoch, 0)                                                                 \
    F(S, INT32, last_sequence, 0, .def = -1)                                                       \
    F(S, INT64, last_timestamp, 0, .def = -1)                                                      \
    F(S, INT32, coordinator_epoch, 0)                                                              \
    F(S, INT64, current_txn_start_offset, 0, .def = -1)
#define WIRE_FIELDS_describe_producers_response_partition(F, S)                                    \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 0, .nullable = 1, .null_default = 1)                               \
    F(S, ARRAY(describe_producers_response_active_producer), active_producers, 0)
#define WIRE_FIELDS_describe_producers_response_topic(F, S)                                        \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY(describe_producers_response_partition), partitions, 0)
#define WIRE_FIELDS_describe_producers_response(F, S)                                              \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, ARRAY(describe_producers_response_topic), topics, 0)

#define WIRE_STRUCTS_describe_producers(X)                                                         \
    X(describe_producers_request_topic)                                                            \
    X(describe_producers_request)                                                                  \
    X(describe_producers_response_active_producer)                                                 \
    X(describe_producers_response_partition)                                                       \
    X(describe_producers_response_topic)                                                           \
    X(describe_producers_response)
WIRE_STRUCTS_describe_producers(WIRE_DECLARE)

#endif
