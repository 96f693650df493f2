/*
 * DeleteAcls: removes access rules that match filters.
 *
 * Source: Kafka 2.8.2, DeleteAclsRequest.json and DeleteAclsResponse.json.
 */
#ifndef WIRE_API_DELETE_ACLS_H
#define WIRE_API_DELETE_ACLS_H

#include "wire/field.h"

#define WIRE_FIELDS_delete_acls_request_filter(F, S)                                               \
    F(S, INT8, resource_type_filter, 0)                                                            \
    F(S, STRING, resource_name_filter, 0, .nullable = 1)                                           \
    F(S, INT8, pattern_type_filter, 1, .def = 3)                                                   \
    F(S, STRING, principal_filter, 0, .nullable = 1)                                               \
    F(S, STRING, host_filter, 0, .nullable = 1)                                                    \
    F(S, INT8, operation, 0)                                                                       \
    F(S, INT8, permission_type, 0)
#define WIRE_FIELDS_delete_acls_request(F, S) F(S, ARRAY(delete_acls_request_filter), filters, 0)
#define WIRE_FIELDS_delete_acls_response_matching_acl(F, S)                                        \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 0, .nullable = 1)                                                  \
    F(S, INT8, resource_type, 0)                                                                   \
    F(S, STRING, resource_name, 0)                                                                 \
    F(S, INT8, pattern_type, 1, .def = 3)                                                          \
    F(S, STRING, principal, 0)                                                                     \
    F(S, STRING, host, 0)                                                                          \
    F(S, INT8, operation, 0)                                                                       \
    F(S, INT8, permission_type, 0)
#define WIRE_FIELDS_delete_acls_response_filter_result(F, S)                                       \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 0, .nullable = 1)                                                  \
    F(S, ARRAY(delete_acls_response_matching_acl), matching_acls, 0)
#define WIRE_FIELDS_delete_acls_response(F, S)                                                     \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, ARRAY(delete_acls_response_filter_result), filter_results, 0)

#define WIRE_STRUCTS_delete_acls(X)                                                                \
    X(delete_acls_request_filter)                                                                  \
    X(delete_acls_request)                                                                         \
    X(delete_acls_response_matching_acl)                                                           \
    X(delete_acls_response_filter_result)                                                          \
    X(delete_acls_response)
WIRE_STRUCTS_delete_acls(WIRE_DECLARE)

#endif
