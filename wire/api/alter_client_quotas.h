/*
 * AlterClientQuotas: sets and removes quotas.
 *
 * Source: Kafka 2.8.2, AlterClientQuotasRequest.json and AlterClientQuotasResponse.json.
 */
#ifndef WIRE_API_ALTER_CLIENT_QUOTAS_H
#define WIRE_API_ALTER_CLIENT_QUOTAS_H

#include "wire/field.h"

#define WIRE_FIELDS_alter_client_quotas_request_entity(F, S)                                       \
    F(S, STRING, entity_type, 0)                                                                   \
    F(S, STRING, entity_name, 0, .nullable = 1)
#define WIRE_FIELDS_alter_client_quotas_request_op(F, S)                                           \
    F(S, STRING, key, 0)                                                                           \
    F(S, FLOAT64, value, 0)                                                                        \
    F(S, BOOL, remove, 0)
#define WIRE_FIELDS_alter_client_quotas_request_entry(F, S)                                        \
    F(S, ARRAY(alter_client_quotas_request_entity), entity, 0)                                     \
    F(S, ARRAY(alter_client_quotas_request_op), ops, 0)
#define WIRE_FIELDS_alter_client_quotas_request(F, S)                                              \
    F(S, ARRAY(alter_client_quotas_request_entry), entries, 0)                                     \
    F(S, BOOL, validate_only, 0)
#define WIRE_FIELDS_alter_client_quotas_response_entity(F, S)                                      \
    F(S, STRING, entity_type, 0)                                                                   \
    F(S, STRING, entity_name, 0, .nullable = 1)
#define WIRE_FIELDS_alter_client_quotas_response_entry(F, S)                                       \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 0, .nullable = 1)                                                  \
    F(S, ARRAY(alter_client_quotas_response_entity), entity, 0)
#define WIRE_FIELDS_alter_client_quotas_response(F, S)                                             \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, ARRAY(alter_client_quotas_response_entry), entries, 0)

#define WIRE_STRUCTS_alter_client_quotas(X)                                                        \
    X(alter_client_quotas_request_entity)                                                          \
    X(alter_client_quotas_request_op)                                                              \
    X(alter_client_quotas_request_entry)                                                           \
    X(alter_client_quotas_request)                                                                 \
    X(alter_client_quotas_response_entity)                                                         \
    X(alter_client_quotas_response_entry)                                                          \
    X(alter_client_quotas_response)
WIRE_STRUCTS_alter_client_quotas(WIRE_DECLARE)

#endif
