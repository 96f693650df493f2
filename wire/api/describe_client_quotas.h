/*
 * DescribeClientQuotas: quotas that match a filter of entities.
 *
 * Source: Kafka 2.8.2, DescribeClientQuotasRequest.json and DescribeClientQuotasResponse.json.
 */
#ifndef WIRE_API_DESCRIBE_CLIENT_QUOTAS_H
#define WIRE_API_DESCRIBE_CLIENT_QUOTAS_H

#include "wire/field.h"

#define WIRE_FIELDS_describe_client_quotas_request_component(F, S)                                 \
    F(S, STRING, entity_type, 0)                                                                   \
    F(S, INT8, match_type, 0)                                                                      \
    F(S, STRING, match, 0, .nullable = 1)
#define WIRE_FIELDS_describe_client_quotas_request(F, S)                                           \
    F(S, ARRAY(describe_client_quotas_request_component), components, 0)                           \
    F(S, BOOL, strict, 0)
#define WIRE_FIELDS_describe_client_quotas_response_entity(F, S)                                   \
    F(S, STRING, entity_type, 0)                                                                   \
    F(S, STRING, entity_name, 0, .nullable = 1)
#define WIRE_FIELDS_describe_client_quotas_response_value(F, S)                                    \
    F(S, STRING, key, 0)                                                                           \
    F(S, FLOAT64, value, 0)
#define WIRE_FIELDS_describe_client_quotas_response_entry(F, S)                                    \
    F(S, ARRAY(describe_client_quotas_response_entity), entity, 0)                                 \
    F(S, ARRAY(describe_client_quotas_response_value), values, 0)
#define WIRE_FIELDS_describe_client_quotas_response(F, S)                                          \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 0, .nullable = 1)                                                  \
    F(S, ARRAY(describe_client_quotas_response_entry), entries, 0, .nullable = 1)

#define WIRE_STRUCTS_describe_client_quotas(X)                                                     \
    X(describe_client_quotas_request_component)                                                    \
    X(describe_client_quotas_request)                                                              \
    X(describe_client_quotas_response_entity)                                                      \
    X(describe_client_quotas_response_value)                                                       \
    X(describe_client_quotas_response_entry)                                                       \
    X(describe_client_quotas_response)
WIRE_STRUCTS_describe_client_quotas(WIRE_DECLARE)

#endif
