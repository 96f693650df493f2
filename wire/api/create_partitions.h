/*
 * CreatePartitions: makes topics wider.
 *
 * Source: Kafka 2.8.2, CreatePartitionsRequest.json and CreatePartitionsResponse.json.
 */
#ifndef WIRE_API_CREATE_PARTITIONS_H
#define WIRE_API_CREATE_PARTITIONS_H

#include "wire/field.h"

#define WIRE_FIELDS_create_partitions_request_assignment(F, S) F(S, ARRAY_INT32, broker_ids, 0)
#define WIRE_FIELDS_create_partitions_request_topic(F, S)                                          \
    F(S, STRING, name, 0)                                                                          \
    F(S, INT32, count, 0)                                                                          \
    F(S, ARRAY(create_partitions_request_assignment), assignments, 0, .nullable = 1)
#define WIRE_FIELDS_create_partitions_request(F, S)                                                \
    F(S, ARRAY(create_partitions_request_topic), topics, 0)                                        \
    F(S, INT32, timeout_ms, 0)                                                                     \
    F(S, BOOL, validate_only, 0)
#define WIRE_FIELDS_create_partitions_response_result(F, S)                                        \
    F(S, STRING, name, 0)                                                                          \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 0, .nullable = 1, .null_default = 1)
#define WIRE_FIELDS_create_partitions_response(F, S)                                               \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, ARRAY(create_partitions_response_result), results, 0)

#define WIRE_STRUCTS_create_partitions(X)                                                          \
    X(create_partitions_request_assignment)                                                        \
    X(create_partitions_request_topic)                                                             \
    X(create_partitions_request)                                                                   \
    X(create_partitions_response_result)                                                           \
    X(create_partitions_response)
WIRE_STRUCTS_create_partitions(WIRE_DECLARE)

#endif
