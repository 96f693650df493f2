/*
 * SaslHandshake: a client names the mechanism that it wants to authenticate with.
 *
 * Source: Kafka 2.8.2, SaslHandshakeRequest.json and SaslHandshakeResponse.json.
 */
#ifndef WIRE_API_SASL_HANDSHAKE_H
#define WIRE_API_SASL_HANDSHAKE_H

#include "wire/field.h"

#define WIRE_FIELDS_sasl_handshake_request(F, S) F(S, STRING, mechanism, 0)
#define WIRE_FIELDS_sasl_handshake_response(F, S)                                                  \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, ARRAY_STRING, mechanisms, 0)

#define WIRE_STRUCTS_sasl_handshake(X)                                                             \
    X(sasl_handshake_request)                                                                      \
    X(sasl_handshake_response)
WIRE_STRUCTS_sasl_handshake(WIRE_DECLARE)

#endif
