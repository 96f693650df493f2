/*
 * Metadata: which brokers live, who is the controller, who leads what. topics null (1+): all of
 * them; in version 0 an empty array says so.
 *
 * Source: Kafka 2.8.2, MetadataRequest.json and MetadataResponse.json.
 */
#ifndef WIRE_API_METADATA_H
#define WIRE_API_METADATA_H

#include "wire/field.h"

#define WIRE_FIELDS_metadata_request_topic(F, S)                                                   \
    F(S, UUID, topic_id, 10, .ignorable = 1)                                                       \
    F(S, STRING, name, 0, .nullable = 1, .null_since = 10)
#define WIRE_FIELDS_metadata_request(F, S)                                                         \
    F(S, ARRAY(metadata_request_topic), topics, 0, .nullable = 1, .null_since = 1)                 \
    F(S, BOOL, allow_auto_topic_creation, 4, .def = 1)                                             \
    F(S, BOOL, include_cluster_authorized_operations, 8, .gone = 11)                               \
    F(S, BOOL, include_topic_authorized_operations, 8)
#define WIRE_FIELDS_metadata_response_broker(F, S)                                                 \
    F(S, INT32, node_id, 0)                                                                        \
    F(S, STRING, host, 0)                                                                          \
    F(S, INT32, port, 0)                                                                           \
    F(S, STRING, rack, 1, .ignorable = 1, .nullable = 1, .null_default = 1)
#define WIRE_FIELDS_metadata_response_partition(F, S)                                              \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT32, leader_id, 0)                                                                      \
    F(S, INT32, leader_epoch, 7, .ignorable = 1, .def = -1)                                        \
    F(S, ARRAY_INT32, replica_nodes, 0)                                                            \
    F(S, ARRAY_INT32, isr_nodes, 0)                                                                \
    F(S, ARRAY_INT32, offline_replicas, 5, .ignorable = 1)
#define WIRE_FIELDS_metadata_response_topic(F, S)                                                  \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, name, 0)                                                                          \
    F(S, UUID, topic_id, 10, .ignorable = 1)                                                       \
    F(S, BOOL, is_internal, 1, .ignorable = 1)                                                     \
    F(S, ARRAY(metadata_response_partition), partitions, 0)                                        \
    F(S, INT32, topic_authorized_operations, 8, .def = INT32_MIN)
#define WIRE_FIELDS_metadata_response(F, S)                                                        \
    F(S, INT32, throttle_time_ms, 3, .ignorable = 1)                                               \
    F(S, ARRAY(metadata_response_broker), brokers, 0)                                              \
    F(S, STRING, cluster_id, 2, .ignorable = 1, .nullable = 1, .null_default = 1)                  \
    F(S, INT32, controller_id, 1, .ignorable = 1, .def = -1)                                       \
    F(S, ARRAY(metadata_response_topic), topics, 0)                                                \
    F(S, INT32, cluster_authorized_operations, 8, .gone = 11, .def = INT32_MIN)

#define WIRE_STRUCTS_metadata(X)                                                                   \
    X(metadata_request_topic)                                                                      \
    X(metadata_request)                                                                            \
    X(metadata_response_broker)                                                                    \
    X(metadata_response_partition)                                                                 \
    X(metadata_response_topic)                                                                     \
    X(metadata_response)
WIRE_STRUCTS_metadata(WIRE_DECLARE)

#endif
