/*
 * SaslAuthenticate: one step of a mechanism's exchange.
 *
 * Source: Kafka 2.8.2, SaslAuthenticateRequest.json and SaslAuthenticateResponse.json.
 */
#ifndef WIRE_API_SASL_AUTHENTICATE_H
#define WIRE_API_SASL_AUTHENTICATE_H

#include "wire/field.h"

#define WIRE_FIELDS_sasl_authenticate_request(F, S) F(S, BYTES, auth_bytes, 0)
#define WIRE_FIELDS_sasl_authenticate_response(F, S)                                               \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 0, .nullable = 1)                                                  \
    F(S, BYTES, auth_bytes, 0)                                                                     \
    F(S, INT64, session_lifetime_ms, 1, .ignorable = 1)

#define WIRE_STRUCTS_sasl_authenticate(X)                                                          \
    X(sasl_authenticate_request)                                                                   \
    X(sasl_authenticate_response)
WIRE_STRUCTS_sasl_authenticate(WIRE_DECLARE)

#endif
