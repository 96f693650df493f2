/*
 * DescribeGroups: state and members of groups.
 *
 * Source: Kafka 2.8.2, DescribeGroupsRequest.json and DescribeGroupsResponse.json.
 */
#ifndef WIRE_API_DESCRIBE_GROUPS_H
#define WIRE_API_DESCRIBE_GROUPS_H

#include "wire/field.h"

#define WIRE_FIELDS_describe_groups_request(F, S)                                                  \
    F(S, ARRAY_STRING, groups, 0)                                                                  \
    F(S, BOOL, include_authorized_operations, 3)
#define WIRE_FIELDS_describe_groups_response_member(F, S)                                          \
    F(S, STRING, member_id, 0)                                                                     \
    F(S, STRING, group_instance_id, 4, .ignorable = 1, .nullable = 1, .null_default = 1)           \
    F(S, STRING, client_id, 0)                                                                     \
    F(S, STRING, client_host, 0)                                                                   \
    F(S, BYTES, member_metadata, 0)                                                                \
    F(S, BYTES, member_assignment, 0)
#define WIRE_FIELDS_describe_groups_response_group(F, S)                                           \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, group_id, 0)                                                                      \
    F(S, STRING, group_state, 0)                                                                   \
    F(S, STRING, protocol_type, 0)                                                                 \
    F(S, STRING, protocol_data, 0)                                                                 \
    F(S, ARRAY(describe_groups_response_member), members, 0)                                       \
    F(S, INT32, authorized_operations, 3, .def = INT32_MIN)
#define WIRE_FIELDS_describe_groups_response(F, S)                                                 \
    F(S, INT32, throttle_time_ms, 1, .ignorable = 1)                                               \
    F(S, ARRAY(describe_groups_response_group), groups, 0)

#define WIRE_STRUCTS_describe_groups(X)                                                            \
    X(describe_groups_request)                                                                     \
    X(describe_groups_response_member)                                                             \
    X(describe_groups_response_group)                                                              \
    X(describe_groups_response)
WIRE_STRUCTS_describe_groups(WIRE_DECLARE)

#endif
