/*
 * DescribeConfigs: settings of topics, brokers and loggers, with where each value comes from.
 *
 * Source: Kafka 2.8.2, DescribeConfigsRequest.json and DescribeConfigsResponse.json.
 */
#ifndef WIRE_API_DESCRIBE_CONFIGS_H
#define WIRE_API_DESCRIBE_CONFIGS_H

#include "wire/field.h"

#define WIRE_FIELDS_describe_configs_request_resource(F, S)                                        \
    F(S, INT8, resource_type, 0)                                                                   \
    F(S, STRING, resource_name, 0)                                                                 \
    F(S, ARRAY_STRING, configuration_keys, 0, .nullable = 1)
#define WIRE_FIELDS_describe_configs_request(F, S)                                                 \
    F(S, ARRAY(describe_configs_request_resource), resources, 0)                                   \
    F(S, BOOL, include_synonyms, 1)                                                                \
    F(S, BOOL, include_documentation, 3)
#define WIRE_FIELDS_describe_configs_response_synonym(F, S)                                        \
    F(S, STRING, name, 1)                                                                          \
    F(S, STRING, value, 1, .nullable = 1)                                                          \
    F(S, INT8, source, 1)
#define WIRE_FIELDS_describe_configs_response_config(F, S)                                         \
    F(S, STRING, name, 0)                                                                          \
    F(S, STRING, value, 0, .nullable = 1)                                                          \
    F(S, BOOL, read_only, 0)                                                                       \
    F(S, BOOL, is_default, 0, .gone = 1)                                                           \
    F(S, INT8, config_source, 1, .ignorable = 1, .def = -1)                                        \
    F(S, BOOL, is_sensitive, 0)                                                                    \
    F(S, ARRAY(describe_configs_response_synonym), synonyms, 1, .ignorable = 1)                    \
    F(S, INT8, config_type, 3, .ignorable = 1)                                                     \
    F(S, STRING, documentation, 3, .ignorable = 1, .nullable = 1)
#define WIRE_FIELDS_describe_configs_response_result(F, S)                                         \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 0, .nullable = 1)                                                  \
    F(S, INT8, resource_type, 0)                                                                   \
    F(S, STRING, resource_name, 0)                                                                 \
    F(S, ARRAY(describe_configs_response_config), configs, 0)
#define WIRE_FIELDS_describe_configs_response(F, S)                                                \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, ARRAY(describe_configs_response_result), results, 0)

#define WIRE_STRUCTS_describe_configs(X)                                                           \
    X(describe_configs_request_resource)                                                           \
    X(describe_configs_request)                                                                    \
    X(describe_configs_response_synonym)                                                           \
    X(describe_configs_response_config)                                                            \
    X(describe_configs_response_result)                                                            \
    X(describe_configs_response)
WIRE_STRUCTS_describe_configs(WIRE_DECLARE)

#endif
