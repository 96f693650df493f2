/*
 * AlterIsr: a leader asks the controller for another ISR (KIP-497), from
 * inter.broker.protocol.version 2.7 on.
 *
 * Source: Kafka 2.8.2, AlterIsrRequest.json and AlterIsrResponse.json.
 */
#ifndef WIRE_API_ALTER_ISR_H
#define WIRE_API_ALTER_ISR_H

#include "wire/field.h"

#define WIRE_FIELDS_alter_isr_request_partition(F, S)                                              \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT32, leader_epoch, 0)                                                                   \
    F(S, ARRAY_INT32, new_isr, 0)                                                                  \
    F(S, INT32, current_isr_version, 0)
#define WIRE_FIELDS_alter_isr_request_topic(F, S)                                                  \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY(alter_isr_request_partition), partitions, 0)
#define WIRE_FIELDS_alter_isr_request(F, S)                                                        \
    F(S, INT32, broker_id, 0)                                                                      \
    F(S, INT64, broker_epoch, 0, .def = -1)                                                        \
    F(S, ARRAY(alter_isr_request_topic), topics, 0)
#define WIRE_FIELDS_alter_isr_response_partition(F, S)                                             \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, INT32, leader_id, 0)                                                                      \
    F(S, INT32, leader_epoch, 0)                                                                   \
    F(S, ARRAY_INT32, isr, 0)                                                                      \
    F(S, INT32, current_isr_version, 0)
#define WIRE_FIELDS_alter_isr_response_topic(F, S)                                                 \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY(alter_isr_response_partition), partitions, 0)
#define WIRE_FIELDS_alter_isr_response(F, S)                                                       \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, ARRAY(alter_isr_response_topic), topics, 0)

#define WIRE_STRUCTS_alter_isr(X)                                                                  \
    X(alter_isr_request_partition)                                                                 \
    X(alter_isr_request_topic)                                                                     \
    X(alter_isr_request)                                                                           \
    X(alter_isr_response_partition)                                                                \
    X(alter_isr_response_topic)                                                                    \
    X(alter_isr_response)
WIRE_STRUCTS_alter_isr(WIRE_DECLARE)

#endif
