/*
 * DescribeAcls: access rules that match a filter.
 *
 * Source: Kafka 2.8.2, DescribeAclsRequest.json and DescribeAclsResponse.json.
 */
#ifndef WIRE_API_DESCRIBE_ACLS_H
#define WIRE_API_DESCRIBE_ACLS_H

#include "wire/field.h"

#define WIRE_FIELDS_describe_acls_request(F, S)                                                    \
    F(S, INT8, resource_type_filter, 0)                                                            \
    F(S, STRING, resource_name_filter, 0, .nullable = 1)                                           \
    F(S, INT8, pattern_type_filter, 1, .def = 3)                                                   \
    F(S, STRING, principal_filter, 0, .nullable = 1)                                               \
    F(S, STRING, host_filter, 0, .nullable = 1)                                                    \
    F(S, INT8, operation, 0)                                                                       \
    F(S, INT8, permission_type, 0)
#define WIRE_FIELDS_describe_acls_response_acl(F, S)                                               \
    F(S, STRING, principal, 0)                                                                     \
    F(S, STRING, host, 0)                                                                          \
    F(S, INT8, operation, 0)                                                                       \
    F(S, INT8, permission_type, 0)
#define WIRE_FIELDS_describe_acls_response_resource(F, S)                                          \
    F(S, INT8, resource_type, 0)                                                                   \
    F(S, STRING, resource_name, 0)                                                                 \
    F(S, INT8, pattern_type, 1, .def = 3)                                                          \
    F(S, ARRAY(describe_acls_response_acl), acls, 0)
#define WIRE_FIELDS_describe_acls_response(F, S)                                                   \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 0, .nullable = 1)                                                  \
    F(S, ARRAY(describe_acls_response_resource), resources, 0)

#define WIRE_STRUCTS_describe_acls(X)                                                              \
    X(describe_acls_request)                                                                       \
    X(describe_acls_response_acl)                                                                  \
    X(describe_acls_response_resource)                                                             \
    X(describe_acls_response)
WIRE_STRUCTS_describe_acls(WIRE_DECLARE)

#endif
