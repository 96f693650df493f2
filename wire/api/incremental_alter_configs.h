/*
 * IncrementalAlterConfigs: sets, deletes, appends to or subtracts from single settings.
 *
 * Source: Kafka 2.8.2, IncrementalAlterConfigsRequest.json and
 * IncrementalAlterConfigsResponse.json.
 */
#ifndef WIRE_API_INCREMENTAL_ALTER_CONFIGS_H
#define WIRE_API_INCREMENTAL_ALTER_CONFIGS_H

#include "wire/field.h"

#define WIRE_FIELDS_incremental_alter_configs_request_config(F, S)                                 \
    F(S, STRING, name, 0)                                                                          \
    F(S, INT8, config_operation, 0)                                                                \
    F(S, STRING, value, 0, .nullable = 1)
#define WIRE_FIELDS_incremental_alter_configs_request_resource(F, S)                               \
    F(S, INT8, resource_type, 0)                                                                   \
    F(S, STRING, resource_name, 0)                                                                 \
    F(S, ARRAY(incremental_alter_configs_request_config), configs, 0)
#define WIRE_FIELDS_incremental_alter_configs_request(F, S)                                        \
    F(S, ARRAY(incremental_alter_configs_request_resource), resources, 0)                          \
    F(S, BOOL, validate_only, 0)
#define WIRE_FIELDS_incremental_alter_configs_response_response(F, S)                              \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 0, .nullable = 1)                                                  \
    F(S, INT8, resource_type, 0)                                                                   \
    F(S, STRING, resource_name, 0)
#define WIRE_FIELDS_incremental_alter_configs_response(F, S)                                       \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, ARRAY(incremental_alter_configs_response_response), responses, 0)

#define WIRE_STRUCTS_incremental_alter_configs(X)                                                  \
    X(incremental_alter_configs_request_config)                                                    \
    X(incremental_alter_configs_request_resource)                                                  \
    X(incremental_alter_configs_request)                                                           \
    X(incremental_alter_configs_response_response)                                                 \
    X(incremental_alter_configs_response)
WIRE_STRUCTS_incremental_alter_configs(WIRE_DECLARE)

#endif
