/*
 * ExpireDelegationToken: ends a token.
 *
 * Source: Kafka 2.8.2, ExpireDelegationTokenRequest.json and ExpireDelegationTokenResponse.json.
 */
#ifndef WIRE_API_EXPIRE_DELEGATION_TOKEN_H
#define WIRE_API_EXPIRE_DELEGATION_TOKEN_H

#include "wire/field.h"

#define WIRE_FIELDS_expire_delegation_token_request(F, S)                                          \
    F(S, BYTES, hmac, 0)                                                                           \
    F(S, INT64, expiry_time_period_ms, 0)
#define WIRE_FIELDS_expire_delegation_token_response(F, S)                                         \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, INT64, expiry_timestamp_ms, 0)                                                            \
    F(S, INT32, throttle_time_ms, 0)

#define WIRE_STRUCTS_expire_delegation_token(X)                                                    \
    X(expire_delegation_token_request)                                                             \
    X(expire_delegation_token_response)
WIRE_STRUCTS_expire_delegation_token(WIRE_DECLARE)

#endif
