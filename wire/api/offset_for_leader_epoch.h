/*
 * OffsetForLeaderEpoch: where an epoch ended in the leader's log: how a follower finds the place to
 * truncate to.
 *
 * Source: Kafka 2.8.2, OffsetForLeaderEpochRequest.json and OffsetForLeaderEpochResponse.json.
 */
#ifndef WIRE_API_OFFSET_FOR_LEADER_EPOCH_H
#define WIRE_API_OFFSET_FOR_LEADER_EPOCH_H

#include "wire/field.h"

#define WIRE_FIELDS_offset_for_leader_epoch_request_partition(F, S)                                \
    F(S, INT32, partition, 0)                                                                      \
    F(S, INT32, current_leader_epoch, 2, .ignorable = 1, .def = -1)                                \
    F(S, INT32, leader_epoch, 0)
#define WIRE_FIELDS_offset_for_leader_epoch_request_topic(F, S)                                    \
    F(S, STRING, topic, 0)                                                                         \
    F(S, ARRAY(offset_for_leader_epoch_request_partition), partitions, 0)
#define WIRE_FIELDS_offset_for_leader_epoch_request(F, S)                                          \
    F(S, INT32, replica_id, 3, .ignorable = 1, .def = -2)                                          \
    F(S, ARRAY(offset_for_leader_epoch_request_topic), topics, 0)
#define WIRE_FIELDS_offset_for_leader_epoch_response_partition(F, S)                               \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, INT32, partition, 0)                                                                      \
    F(S, INT32, leader_epoch, 1, .ignorable = 1, .def = -1)                                        \
    F(S, INT64, end_offset, 0, .def = -1)
#define WIRE_FIELDS_offset_for_leader_epoch_response_topic(F, S)                                   \
    F(S, STRING, topic, 0)                                                                         \
    F(S, ARRAY(offset_for_leader_epoch_response_partition), partitions, 0)
#define WIRE_FIELDS_offset_for_leader_epoch_response(F, S)                                         \
    F(S, INT32, throttle_time_ms, 2, .ignorable = 1)                                               \
    F(S, ARRAY(offset_for_leader_epoch_response_topic), topics, 0)

#define WIRE_STRUCTS_offset_for_leader_epoch(X)                                                    \
    X(offset_for_leader_epoch_request_partition)                                                   \
    X(offset_for_leader_epoch_request_topic)                                                       \
    X(offset_for_leader_epoch_request)                                                             \
    X(offset_for_leader_epoch_response_partition)                                                  \
    X(offset_for_leader_epoch_response_topic)                                                      \
    X(offset_for_leader_epoch_response)
WIRE_STRUCTS_offset_for_leader_epoch(WIRE_DECLARE)

#endif
