/*
 * EndTxn: commit or abort.
 *
 * Source: Kafka 2.8.2, EndTxnRequest.json and EndTxnResponse.json.
 */
#ifndef WIRE_API_END_TXN_H
#define WIRE_API_END_TXN_H

#include "wire/field.h"

#define WIRE_FIELDS_end_txn_request(F, S)                                                          \
    F(S, STRING, transactional_id, 0)                                                              \
    F(S, INT64, producer_id, 0)                                                                    \
    F(S, INT16, producer_epoch, 0)                                                                 \
    F(S, BOOL, committed, 0)
#define WIRE_FIELDS_end_txn_response(F, S)                                                         \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, INT16, error_code, 0)

#define WIRE_STRUCTS_end_txn(X)                                                                    \
    X(end_txn_request)                                                                             \
    X(end_txn_response)
WIRE_STRUCTS_end_txn(WIRE_DECLARE)

#endif
