/*
 * WriteTxnMarkers: the transaction coordinator has leaders write the end of a transaction to their
 * logs.
 *
 * Source: Kafka 2.8.2, WriteTxnMarkersRequest.json and WriteTxnMarkersResponse.json.
 */
#ifndef WIRE_API_WRITE_TXN_MARKERS_H
#define WIRE_API_WRITE_TXN_MARKERS_H

#include "wire/field.h"

#define WIRE_FIELDS_write_txn_markers_request_topic(F, S)                                          \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY_INT32, partition_indexes, 0)
#define WIRE_FIELDS_write_txn_markers_request_marker(F, S)                                         \
    F(S, INT64, producer_id, 0)                                                                    \
    F(S, INT16, producer_epoch, 0)                                                                 \
    F(S, BOOL, transaction_result, 0)                                                              \
    F(S, ARRAY(write_txn_markers_request_topic), topics, 0)                                        \
    F(S, INT32, coordinator_epoch, 0)
#define WIRE_FIELDS_write_txn_markers_request(F, S)                                                \
    F(S, ARRAY(write_txn_markers_request_marker), markers, 0)
#define WIRE_FIELDS_write_txn_markers_response_partition(F, S)                                     \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT16, error_code, 0)
#define WIRE_FIELDS_write_txn_markers_response_topic(F, S)                                         \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY(write_txn_markers_response_partition), partitions, 0)
#define WIRE_FIELDS_write_txn_markers_response_marker(F, S)                                        \
    F(S, INT64, producer_id, 0)                                                                    \
    F(S, ARRAY(write_txn_markers_response_topic), topics, 0)
#define WIRE_FIELDS_write_txn_markers_response(F, S)                                               \
    F(S, ARRAY(write_txn_markers_response_marker), markers, 0)

#define WIRE_STRUCTS_write_txn_markers(X)                                                          \
    X(write_txn_markers_request_topic)                                                             \
    X(write_txn_markers_request_marker)                                                            \
    X(write_txn_markers_request)                                                                   \
    X(write_txn_markers_response_partition)                                                        \
    X(write_txn_markers_response_topic)                                                            \
    X(write_txn_markers_response_marker)                                                           \
    X(write_txn_markers_response)
WIRE_STRUCTS_write_txn_markers(WIRE_DECLARE)

#endif
