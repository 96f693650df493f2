/*
 * CreateDelegationToken: a token that stands for its owner (KIP-48).
 *
 * Source: Kafka 2.8.2, CreateDelegationTokenRequest.json and CreateDelegationTokenResponse.json.
 */
#ifndef WIRE_API_CREATE_DELEGATION_TOKEN_H
#define WIRE_API_CREATE_DELEGATION_TOKEN_H

#include "wire/field.h"

#define WIRE_FIELDS_create_delegation_token_request_renewer(F, S)                                  \
    F(S, STRING, principal_type, 0)                                                                \
    F(S, STRING, principal_name, 0)
#define WIRE_FIELDS_create_delegation_token_request(F, S)                                          \
    F(S, ARRAY(create_delegation_token_request_renewer), renewers, 0)                              \
    F(S, INT64, max_lifetime_ms, 0)
#define WIRE_FIELDS_create_delegation_token_response(F, S)                                         \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, principal_type, 0)                                                                \
    F(S, STRING, principal_name, 0)                                                                \
    F(S, INT64, issue_timestamp_ms, 0)                                                             \
    F(S, INT64, expiry_timestamp_ms, 0)                                                            \
    F(S, INT64, max_timestamp_ms, 0)                                                               \
    F(S, STRING, token_id, 0)                                                                      \
    F(S, BYTES, hmac, 0)                                                                           \
    F(S, INT32, throttle_time_ms, 0)

#define WIRE_STRUCTS_create_delegation_token(X)                                                    \
    X(create_delegation_token_request_renewer)                                                     \
    X(create_delegation_token_request)                                                             \
    X(create_delegation_token_response)
WIRE_STRUCTS_create_delegation_token(WIRE_DECLARE)

#endif
