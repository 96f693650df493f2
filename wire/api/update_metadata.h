/*
 * UpdateMetadata: the controller tells every broker what clients shall hear from Metadata.
 *
 * Source: Kafka 2.8.2, UpdateMetadataRequest.json and UpdateMetadataResponse.json.
 */
#ifndef WIRE_API_UPDATE_METADATA_H
#define WIRE_API_UPDATE_METADATA_H

#include "wire/field.h"

#define WIRE_FIELDS_update_metadata_request_partition_state(F, S)                                  \
    F(S, STRING, topic_name, 0, .gone = 5, .ignorable = 1)                                         \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT32, controller_epoch, 0)                                                               \
    F(S, INT32, leader, 0)                                                                         \
    F(S, INT32, leader_epoch, 0)                                                                   \
    F(S, ARRAY_INT32, isr, 0)                                                                      \
    F(S, INT32, zk_version, 0)                                                                     \
    F(S, ARRAY_INT32, replicas, 0)                                                                 \
    F(S, ARRAY_INT32, offline_replicas, 4, .ignorable = 1)
#define WIRE_FIELDS_update_metadata_request_topic_state(F, S)                                      \
    F(S, STRING, topic_name, 5)                                                                    \
    F(S, UUID, topic_id, 7, .ignorable = 1)                                                        \
    F(S, ARRAY(update_metadata_request_partition_state), partition_states, 5)
#define WIRE_FIELDS_update_metadata_request_endpoint(F, S)                                         \
    F(S, INT32, port, 1)                                                                           \
    F(S, STRING, host, 1)                                                                          \
    F(S, STRING, listener, 3, .ignorable = 1)                                                      \
    F(S, INT16, security_protocol, 1)
#define WIRE_FIELDS_update_metadata_request_live_broker(F, S)                                      \
    F(S, INT32, id, 0)                                                                             \
    F(S, STRING, v0_host, 0, .gone = 1, .ignorable = 1)                                            \
    F(S, INT32, v0_port, 0, .gone = 1, .ignorable = 1)                                             \
    F(S, ARRAY(update_metadata_request_endpoint), endpoints, 1, .ignorable = 1)                    \
    F(S, STRING, rack, 2, .ignorable = 1, .nullable = 1)
#define WIRE_FIELDS_update_metadata_request(F, S)                                                  \
    F(S, INT32, controller_id, 0)                                                                  \
    F(S, INT32, controller_epoch, 0)                                                               \
    F(S, INT64, broker_epoch, 5, .ignorable = 1, .def = -1)                                        \
    F(S, ARRAY(update_metadata_request_partition_state), ungrouped_partition_states, 0, .gone = 5) \
    F(S, ARRAY(update_metadata_request_topic_state), topic_states, 5)                              \
    F(S, ARRAY(update_metadata_request_live_broker), live_brokers, 0)
#define WIRE_FIELDS_update_metadata_response(F, S) F(S, INT16, error_code, 0)

#define WIRE_STRUCTS_update_metadata(X)                                                            \
    X(update_metadata_request_partition_state)                                                     \
    X(update_metadata_request_topic_state)                                                         \
    X(update_metadata_request_endpoint)                                                            \
    X(update_metadata_request_live_broker)                                                         \
    X(update_metadata_request)                                                                     \
    X(update_metadata_response)
WIRE_STRUCTS_update_metadata(WIRE_DECLARE)

#endif
