/*
 * AlterConfigs: replaces all settings of a resource.
 *
 * Source: Kafka 2.8.2, AlterConfigsRequest.json and AlterConfigsResponse.json.
 */
#ifndef WIRE_API_ALTER_CONFIGS_H
#define WIRE_API_ALTER_CONFIGS_H

#include "wire/field.h"

#define WIRE_FIELDS_alter_configs_request_config(F, S)                                             \
    F(S, STRING, name, 0)                                                                          \
    F(S, STRING, value, 0, .nullable = 1)
#define WIRE_FIELDS_alter_configs_request_resource(F, S)                                           \
    F(S, INT8, resource_type, 0)                                                                   \
    F(S, STRING, resource_name, 0)                                                                 \
    F(S, ARRAY(alter_configs_request_config), configs, 0)
#define WIRE_FIELDS_alter_configs_request(F, S)                                                    \
    F(S, ARRAY(alter_configs_request_resource), resources, 0)                                      \
    F(S, BOOL, validate_only, 0)
#define WIRE_FIELDS_alter_configs_response_response(F, S)                                          \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 0, .nullable = 1)                                                  \
    F(S, INT8, resource_type, 0)                                                                   \
    F(S, STRING, resource_name, 0)
#define WIRE_FIELDS_alter_configs_response(F, S)                                                   \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, ARRAY(alter_configs_response_response), responses, 0)

#define WIRE_STRUCTS_alter_configs(X)                                                              \
    X(alter_configs_request_config)                                                                \
    X(alter_configs_request_resource)                                                              \
    X(alter_configs_request)                                                                       \
    X(alter_configs_response_response)                                                             \
    X(alter_configs_response)
WIRE_STRUCTS_alter_configs(WIRE_DECLARE)

#endif
