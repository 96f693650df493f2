/*
 * AddPartitionsToTxn: a producer names partitions before it writes to them in a transaction.
 *
 * Source: Kafka 2.8.2, AddPartitionsToTxnRequest.json and AddPartitionsToTxnResponse.json.
 */
#ifndef WIRE_API_ADD_PARTITIONS_TO_TXN_H
#define WIRE_API_ADD_PARTITIONS_TO_TXN_H

#include "wire/field.h"

#define WIRE_FIELDS_add_partitions_to_txn_request_topic(F, S)                                      \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY_INT32, partitions, 0)
#define WIRE_FIELDS_add_partitions_to_txn_request(F, S)                                            \
    F(S, STRING, transactional_id, 0)                                                              \
    F(S, INT64, producer_id, 0)                                                                    \
    F(S, INT16, producer_epoch, 0)                                                                 \
    F(S, ARRAY(add_partitions_to_txn_request_topic), topics, 0)
#define WIRE_FIELDS_add_partitions_to_txn_response_partition_result(F, S)                          \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT16, error_code, 0)
#define WIRE_FIELDS_add_partitions_to_txn_response_topic_result(F, S)                              \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY(add_partitions_to_txn_response_partition_result), results, 0)
#define WIRE_FIELDS_add_partitions_to_txn_response(F, S)                                           \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, ARRAY(add_partitions_to_txn_response_topic_result), results, 0)

#define WIRE_STRUCTS_add_partitions_to_txn(X)                                                      \
    X(add_partitions_to_txn_request_topic)                                                         \
    X(add_partitions_to_txn_request)                                                               \
    X(add_partitions_to_txn_response_partition_result)                                             \
    X(add_partitions_to_txn_response_topic_result)                                                 \
    X(add_partitions_to_txn_response)
WIRE_STRUCTS_add_partitions_to_txn(WIRE_DECLARE)

#endif
