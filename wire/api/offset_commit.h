/*
 * OffsetCommit: a group's member stores how far it has read. The group's coordinator answers.
 *
 * Source: Kafka 2.8.2, OffsetCommitRequest.json and OffsetCommitResponse.json.
 */
#ifndef WIRE_API_OFFSET_COMMIT_H
#define WIRE_API_OFFSET_COMMIT_H

#include "wire/field.h"

#define WIRE_FIELDS_offset_commit_request_partition(F, S)                                          \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT64, committed_offset, 0)                                                               \
    F(S, INT32, committed_leader_epoch, 6, .ignorable = 1, .def = -1)                              \
    F(S, INT64, commit_timestamp, 1, .gone = 2, .def = -1)                                         \
    F(S, STRING, committed_metadata, 0, .nullable = 1)
#define WIRE_FIELDS_offset_commit_request_topic(F, S)                                              \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY(offset_commit_request_partition), partitions, 0)
#define WIRE_FIELDS_offset_commit_request(F, S)                                                    \
    F(S, STRING, group_id, 0)                                                                      \
    F(S, INT32, generation_id, 1, .ignorable = 1, .def = -1)                                       \
    F(S, STRING, member_id, 1, .ignorable = 1)                                                     \
    F(S, STRING, group_instance_id, 7, .nullable = 1, .null_default = 1)                           \
    F(S, INT64, retention_time_ms, 2, .gone = 5, .ignorable = 1, .def = -1)                        \
    F(S, ARRAY(offset_commit_request_topic), topics, 0)
#define WIRE_FIELDS_offset_commit_response_partition(F, S)                                         \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT16, error_code, 0)
#define WIRE_FIELDS_offset_commit_response_topic(F, S)                                             \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY(offset_commit_response_partition), partitions, 0)
#define WIRE_FIELDS_offset_commit_response(F, S)                                                   \
    F(S, INT32, throttle_time_ms, 3, .ignorable = 1)                                               \
    F(S, ARRAY(offset_commit_response_topic), topics, 0)

#define WIRE_STRUCTS_offset_commit(X)                                                              \
    X(offset_commit_request_partition)                                                             \
    X(offset_commit_request_topic)                                                                 \
    X(offset_commit_request)                                                                       \
    X(offset_commit_response_partition)                                                            \
    X(offset_commit_response_topic)                                                                \
    X(offset_commit_response)
WIRE_STRUCTS_offset_commit(WIRE_DECLARE)

#endif
