/*
 * DescribeUserScramCredentials: which SCRAM credentials users have, without secrets.
 *
 * Source: Kafka 2.8.2, DescribeUserScramCredentialsRequest.json and
 * DescribeUserScramCredentialsResponse.json.
 */
#ifndef WIRE_API_DESCRIBE_USER_SCRAM_CREDENTIALS_H
#define WIRE_API_DESCRIBE_USER_SCRAM_CREDENTIALS_H

#include "wire/field.h"

#define WIRE_FIELDS_describe_user_scram_credentials_request_user(F, S) F(S, STRING, name, 0)
#define WIRE_FIELDS_describe_user_scram_credentials_request(F, S)                                  \
    F(S, ARRAY(describe_user_scram_credentials_request_user), users, 0, .nullable = 1)
#define WIRE_FIELDS_describe_user_scram_credentials_response_credential_info(F, S)                 \
    F(S, INT8, mechanism, 0)                                                                       \
    F(S, INT32, iterations, 0)
#define WIRE_FIELDS_describe_user_scram_credentials_response_result(F, S)                          \
    F(S, STRING, user, 0)                                                                          \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 0, .nullable = 1)                                                  \
    F(S, ARRAY(describe_user_scram_credentials_response_credential_info), credential_infos, 0)
#define WIRE_FIELDS_describe_user_scram_credentials_response(F, S)                                 \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 0, .nullable = 1)                                                  \
    F(S, ARRAY(describe_user_scram_credentials_response_result), results, 0)

#define WIRE_STRUCTS_describe_user_scram_credentials(X)                                            \
    X(describe_user_scram_credentials_request_user)                                                \
    X(describe_user_scram_credentials_request)                                                     \
    X(describe_user_scram_credentials_response_credential_info)                                    \
    X(describe_user_scram_credentials_response_result)                                             \
    X(describe_user_scram_credentials_response)
WIRE_STRUCTS_describe_user_scram_credentials(WIRE_DECLARE)

#endif
