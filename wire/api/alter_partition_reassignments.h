/*
 * AlterPartitionReassignments: begins moves of partitions; replicas null cancels one (KIP-455).
 *
 * Source: Kafka 2.8.2, AlterPartitionReassignmentsRequest.json and
 * AlterPartitionReassignmentsResponse.json.
 */
#ifndef WIRE_API_ALTER_PARTITION_REASSIGNMENTS_H
#define WIRE_API_ALTER_PARTITION_REASSIGNMENTS_H

#include "wire/field.h"

#define WIRE_FIELDS_alter_partition_reassignments_request_partition(F, S)                          \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, ARRAY_INT32, replicas, 0, .nullable = 1, .null_default = 1)
#define WIRE_FIELDS_alter_partition_reassignments_request_topic(F, S)                              \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY(alter_partition_reassignments_request_partition), partitions, 0)
#define WIRE_FIELDS_alter_partition_reassignments_request(F, S)                                    \
    F(S, INT32, timeout_ms, 0, .def = 60000)                                                       \
    F(S, ARRAY(alter_partition_reassignments_request_topic), topics, 0)
#define WIRE_FIELDS_alter_partition_reassignments_response_partition(F, S)                         \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 0, .nullable = 1)
#define WIRE_FIELDS_alter_partition_reassignments_response_response(F, S)                          \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY(alter_partition_reassignments_response_partition), partitions, 0)
#define WIRE_FIELDS_alter_partition_reassignments_response(F, S)                                   \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 0, .nullable = 1)                                                  \
    F(S, ARRAY(alter_partition_reassignments_response_response), responses, 0)

#define WIRE_STRUCTS_alter_partition_reassignments(X)                                              \
    X(alter_partition_reassignments_request_partition)                                             \
    X(alter_partition_reassignments_request_topic)                                                 \
    X(alter_partition_reassignments_request)                                                       \
    X(alter_partition_reassignments_response_partition)                                            \
    X(alter_partition_reassignments_response_response)                                             \
    X(alter_partition_reassignments_response)
WIRE_STRUCTS_alter_partition_reassignments(WIRE_DECLARE)

#endif
