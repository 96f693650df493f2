/*
 * DescribeDelegationToken: the tokens that owners have; owners null: all.
 *
 * Source: Kafka 2.8.2, DescribeDelegationTokenRequest.json and
 * DescribeDelegationTokenResponse.json.
 */
#ifndef WIRE_API_DESCRIBE_DELEGATION_TOKEN_H
#define WIRE_API_DESCRIBE_DELEGATION_TOKEN_H

#include "wire/field.h"

#define WIRE_FIELDS_describe_delegation_token_request_owner(F, S)                                  \
    F(S, STRING, principal_type, 0)                                                                \
    F(S, STRING, principal_name, 0)
#define WIRE_FIELDS_describe_delegation_token_request(F, S)                                        \
    F(S, ARRAY(describe_delegation_token_request_owner), owners, 0, .nullable = 1)
#define WIRE_FIELDS_describe_delegation_token_response_renewer(F, S)                               \
    F(S, STRING, principal_type, 0)                                                                \
    F(S, STRING, principal_name, 0)
#define WIRE_FIELDS_describe_delegation_token_response_token(F, S)                                 \
    F(S, STRING, principal_type, 0)                                                                \
    F(S, STRING, principal_name, 0)                                                                \
    F(S, INT64, issue_timestamp, 0)                                                                \
    F(S, INT64, expiry_timestamp, 0)                                                               \
    F(S, INT64, max_timestamp, 0)                                                                  \
    F(S, STRING, token_id, 0)                                                                      \
    F(S, BYTES, hmac, 0)                                                                           \
    F(S, ARRAY(describe_delegation_token_response_renewer), renewers, 0)
#define WIRE_FIELDS_describe_delegation_token_response(F, S)                                       \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, ARRAY(describe_delegation_token_response_token), tokens, 0)                               \
    F(S, INT32, throttle_time_ms, 0)

#define WIRE_STRUCTS_describe_delegation_token(X)                                                  \
    X(describe_delegation_token_request_owner)                                                     \
    X(describe_delegation_token_request)                                                           \
    X(describe_delegation_token_response_renewer)                                                  \
    X(describe_delegation_token_response_token)                                                    \
    X(describe_delegation_token_response)
WIRE_STRUCTS_describe_delegation_token(WIRE_DECLARE)

#endif
