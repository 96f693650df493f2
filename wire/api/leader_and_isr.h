/*
 * LeaderAndIsr: the controller tells a broker of the partitions that it leads or follows. Version 5
 * knows topic ids and is for inter.broker.protocol.version 2.8.
 *
 * Source: Kafka 2.8.2, LeaderAndIsrRequest.json and LeaderAndIsrResponse.json.
 */
#ifndef WIRE_API_LEADER_AND_ISR_H
#define WIRE_API_LEADER_AND_ISR_H

#include "wire/field.h"

#define WIRE_FIELDS_leader_and_isr_request_partition_state(F, S)                                   \
    F(S, STRING, topic_name, 0, .gone = 2, .ignorable = 1)                                         \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT32, controller_epoch, 0)                                                               \
    F(S, INT32, leader, 0)                                                                         \
    F(S, INT32, leader_epoch, 0)                                                                   \
    F(S, ARRAY_INT32, isr, 0)                                                                      \
    F(S, INT32, zk_version, 0)                                                                     \
    F(S, ARRAY_INT32, replicas, 0)                                                                 \
    F(S, ARRAY_INT32, adding_replicas, 3, .ignorable = 1)                                          \
    F(S, ARRAY_INT32, removing_replicas, 3, .ignorable = 1)                                        \
    F(S, BOOL, is_new, 1, .ignorable = 1)
#define WIRE_FIELDS_leader_and_isr_request_topic_state(F, S)                                       \
    F(S, STRING, topic_name, 2)                                                                    \
    F(S, UUID, topic_id, 5, .ignorable = 1)                                                        \
    F(S, ARRAY(leader_and_isr_request_partition_state), partition_states, 2)
#define WIRE_FIELDS_leader_and_isr_request_live_leader(F, S)                                       \
    F(S, INT32, broker_id, 0)                                                                      \
    F(S, STRING, host_name, 0)                                                                     \
    F(S, INT32, port, 0)
#define WIRE_FIELDS_leader_and_isr_request(F, S)                                                   \
    F(S, INT32, controller_id, 0)                                                                  \
    F(S, INT32, controller_epoch, 0)                                                               \
    F(S, INT64, broker_epoch, 2, .ignorable = 1, .def = -1)                                        \
    F(S, INT8, type, 5)                                                                            \
    F(S, ARRAY(leader_and_isr_request_partition_state), ungrouped_partition_states, 0, .gone = 2)  \
    F(S, ARRAY(leader_and_isr_request_topic_state), topic_states, 2)                               \
    F(S, ARRAY(leader_and_isr_request_live_leader), live_leaders, 0)
#define WIRE_FIELDS_leader_and_isr_response_partition_error(F, S)                                  \
    F(S, STRING, topic_name, 0, .gone = 5, .ignorable = 1)                                         \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT16, error_code, 0)
#define WIRE_FIELDS_leader_and_isr_response_topic(F, S)                                            \
    F(S, UUID, topic_id, 5)                                                                        \
    F(S, ARRAY(leader_and_isr_response_partition_error), partition_errors, 5)
#define WIRE_FIELDS_leader_and_isr_response(F, S)                                                  \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, ARRAY(leader_and_isr_response_partition_error), partition_errors, 0, .gone = 5)           \
    F(S, ARRAY(leader_and_isr_response_topic), topics, 5)

#define WIRE_STRUCTS_leader_and_isr(X)                                                             \
    X(leader_and_isr_request_partition_state)                                                      \
    X(leader_and_isr_request_topic_state)                                                          \
    X(leader_and_isr_request_live_leader)                                                          \
    X(leader_and_isr_request)                                                                      \
    X(leader_and_isr_response_partition_error)                                                     \
    X(leader_and_isr_response_topic)                                                               \
    X(leader_and_isr_response)
WIRE_STRUCTS_leader_and_isr(WIRE_DECLARE)

#endif
