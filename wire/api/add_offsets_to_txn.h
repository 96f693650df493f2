/*
 * AddOffsetsToTxn: the same for the offsets of a consumer group.
 *
 * Source: Kafka 2.8.2, AddOffsetsToTxnRequest.json and AddOffsetsToTxnResponse.json.
 */
#ifndef WIRE_API_ADD_OFFSETS_TO_TXN_H
#define WIRE_API_ADD_OFFSETS_TO_TXN_H

#include "wire/field.h"

#define WIRE_FIELDS_add_offsets_to_txn_request(F, S)                                               \
    F(S, STRING, transactional_id, 0)                                                              \
    F(S, INT64, producer_id, 0)                                                                    \
    F(S, INT16, producer_epoch, 0)                                                                 \
    F(S, STRING, group_id, 0)
#define WIRE_FIELDS_add_offsets_to_txn_response(F, S)                                              \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, INT16, error_code, 0)

#define WIRE_STRUCTS_add_offsets_to_txn(X)                                                         \
    X(add_offsets_to_txn_request)                                                                  \
    X(add_offsets_to_txn_response)
WIRE_STRUCTS_add_offsets_to_txn(WIRE_DECLARE)

#endif
