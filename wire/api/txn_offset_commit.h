/*
 * TxnOffsetCommit: offsets that count when the transaction commits.
 *
 * Source: Kafka 2.8.2, TxnOffsetCommitRequest.json and TxnOffsetCommitResponse.json.
 */
#ifndef WIRE_API_TXN_OFFSET_COMMIT_H
#define WIRE_API_TXN_OFFSET_COMMIT_H

#include "wire/field.h"

#define WIRE_FIELDS_txn_offset_commit_request_partition(F, S)                                      \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT64, committed_offset, 0)                                                               \
    F(S, INT32, committed_leader_epoch, 2, .ignorable = 1, .def = -1)                              \
    F(S, STRING, committed_metadata, 0, .nullable = 1)
#define WIRE_FIELDS_txn_offset_commit_request_topic(F, S)                                          \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY(txn_offset_commit_request_partition), partitions, 0)
#define WIRE_FIELDS_txn_offset_commit_request(F, S)                                                \
    F(S, STRING, transactional_id, 0)                                                              \
    F(S, STRING, group_id, 0)                                                                      \
    F(S, INT64, producer_id, 0)                                                                    \
    F(S, INT16, producer_epoch, 0)                                                                 \
    F(S, INT32, generation_id, 3, .def = -1)                                                       \
    F(S, STRING, member_id, 3)                                                                     \
    F(S, STRING, group_instance_id, 3, .nullable = 1, .null_default = 1)                           \
    F(S, ARRAY(txn_offset_commit_request_topic), topics, 0)
#define WIRE_FIELDS_txn_offset_commit_response_partition(F, S)                                     \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT16, error_code, 0)
#define WIRE_FIELDS_txn_offset_commit_response_topic(F, S)                                         \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY(txn_offset_commit_response_partition), partitions, 0)
#define WIRE_FIELDS_txn_offset_commit_response(F, S)                                               \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, ARRAY(txn_offset_commit_response_topic), topics, 0)

#define WIRE_STRUCTS_txn_offset_commit(X)                                                          \
    X(txn_offset_commit_request_partition)                                                         \
    X(txn_offset_commit_request_topic)                                                             \
    X(txn_offset_commit_request)                                                                   \
    X(txn_offset_commit_response_partition)                                                        \
    X(txn_offset_commit_response_topic)                                                            \
    X(txn_offset_commit_response)
WIRE_STRUCTS_txn_offset_commit(WIRE_DECLARE)

#endif
