/*
 * StopReplica: the controller takes replicas away, and lets their files be deleted or not.
 *
 * Source: Kafka 2.8.2, StopReplicaRequest.json and StopReplicaResponse.json.
 */
#ifndef WIRE_API_STOP_REPLICA_H
#define WIRE_API_STOP_REPLICA_H

#include "wire/field.h"

#define WIRE_FIELDS_stop_replica_request_ungrouped_partition(F, S)                                 \
    F(S, STRING, topic_name, 0, .gone = 1)                                                         \
    F(S, INT32, partition_index, 0, .gone = 1)
#define WIRE_FIELDS_stop_replica_request_topic(F, S)                                               \
    F(S, STRING, name, 1, .gone = 3)                                                               \
    F(S, ARRAY_INT32, partition_indexes, 1, .gone = 3)
#define WIRE_FIELDS_stop_replica_request_partition_state(F, S)                                     \
    F(S, INT32, partition_index, 3)                                                                \
    F(S, INT32, leader_epoch, 3, .def = -1)                                                        \
    F(S, BOOL, delete_partition, 3)
#define WIRE_FIELDS_stop_replica_request_topic_state(F, S)                                         \
    F(S, STRING, topic_name, 3)                                                                    \
    F(S, ARRAY(stop_replica_request_partition_state), partition_states, 3)
#define WIRE_FIELDS_stop_replica_request(F, S)                                                     \
    F(S, INT32, controller_id, 0)                                                                  \
    F(S, INT32, controller_epoch, 0)                                                               \
    F(S, INT64, broker_epoch, 1, .ignorable = 1, .def = -1)                                        \
    F(S, BOOL, delete_partitions, 0, .gone = 3)                                                    \
    F(S, ARRAY(stop_replica_request_ungrouped_partition), ungrouped_partitions, 0, .gone = 1)      \
    F(S, ARRAY(stop_replica_request_topic), topics, 1, .gone = 3)                                  \
    F(S, ARRAY(stop_replica_request_topic_state), topic_states, 3)
#define WIRE_FIELDS_stop_replica_response_partition_error(F, S)                                    \
    F(S, STRING, topic_name, 0)                                                                    \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT16, error_code, 0)
#define WIRE_FIELDS_stop_replica_response(F, S)                                                    \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, ARRAY(stop_replica_response_partition_error), partition_errors, 0)

#define WIRE_STRUCTS_stop_replica(X)                                                               \
    X(stop_replica_request_ungrouped_partition)                                                    \
    X(stop_replica_request_topic)                                                                  \
    X(stop_replica_request_partition_state)                                                        \
    X(stop_replica_request_topic_state)                                                            \
    X(stop_replica_request)                                                                        \
    X(stop_replica_response_partition_error)                                                       \
    X(stop_replica_response)
WIRE_STRUCTS_stop_replica(WIRE_DECLARE)

#endif
