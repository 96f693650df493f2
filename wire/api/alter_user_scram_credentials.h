/*
 * AlterUserScramCredentials: sets and removes them.
 *
 * Source: Kafka 2.8.2, AlterUserScramCredentialsRequest.json and
 * AlterUserScramCredentialsResponse.json.
 */
#ifndef WIRE_API_ALTER_USER_SCRAM_CREDENTIALS_H
#define WIRE_API_ALTER_USER_SCRAM_CREDENTIALS_H

#include "wire/field.h"

#define WIRE_FIELDS_alter_user_scram_credentials_request_deletion(F, S)                            \
    F(S, STRING, name, 0)                                                                          \
    F(S, INT8, mechanism, 0)
#define WIRE_FIELDS_alter_user_scram_credentials_request_upsertion(F, S)                           \
    F(S, STRING, name, 0)                                                                          \
    F(S, INT8, mechanism, 0)                                                                       \
    F(S, INT32, iterations, 0)                                                                     \
    F(S, BYTES, salt, 0)                                                                           \
    F(S, BYTES, salted_password, 0)
#define WIRE_FIELDS_alter_user_scram_credentials_request(F, S)                                     \
    F(S, ARRAY(alter_user_scram_credentials_request_deletion), deletions, 0)                       \
    F(S, ARRAY(alter_user_scram_credentials_request_upsertion), upsertions, 0)
#define WIRE_FIELDS_alter_user_scram_credentials_response_result(F, S)                             \
    F(S, STRING, user, 0)                                                                          \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 0, .nullable = 1)
#define WIRE_FIELDS_alter_user_scram_credentials_response(F, S)                                    \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, ARRAY(alter_user_scram_credentials_response_result), results, 0)

#define WIRE_STRUCTS_alter_user_scram_credentials(X)                                               \
    X(alter_user_scram_credentials_request_deletion)                                               \
    X(alter_user_scram_credentials_request_upsertion)                                              \
    X(alter_user_scram_credentials_request)                                                        \
    X(alter_user_scram_credentials_response_result)                                                \
    X(alter_user_scram_credentials_response)
WIRE_STRUCTS_alter_user_scram_credentials(WIRE_DECLARE)

#endif
