/*
 * CreateAcls: adds access rules.
 *
 * Source: Kafka 2.8.2, CreateAclsRequest.json and CreateAclsResponse.json.
 */
#ifndef WIRE_API_CREATE_ACLS_H
#define WIRE_API_CREATE_ACLS_H

#include "wire/field.h"

#define WIRE_FIELDS_create_acls_request_creation(F, S)                                             \
    F(S, INT8, resource_type, 0)                                                                   \
    F(S, STRING, resource_name, 0)                                                                 \
    F(S, INT8, resource_pattern_type, 1, .def = 3)                                                 \
    F(S, STRING, principal, 0)                                                                     \
    F(S, STRING, host, 0)                                                                          \
    F(S, INT8, operation, 0)                                                                       \
    F(S, INT8, permission_type, 0)
#define WIRE_FIELDS_create_acls_request(F, S)                                                      \
    F(S, ARRAY(create_acls_request_creation), creations, 0)
#define WIRE_FIELDS_create_acls_response_result(F, S)                                              \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 0, .nullable = 1)
#define WIRE_FIELDS_create_acls_response(F, S)                                                     \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, ARRAY(create_acls_response_result), results, 0)

#define WIRE_STRUCTS_create_acls(X)                                                                \
    X(create_acls_request_creation)                                                                \
    X(create_acls_request)                                                                         \
    X(create_acls_response_result)                                                                 \
    X(create_acls_response)
WIRE_STRUCTS_create_acls(WIRE_DECLARE)

#endif
