/*
 * LeaveGroup: members leave; one by name up to version 2, several since 3.
 *
 * Source: Kafka 2.8.2, LeaveGroupRequest.json and LeaveGroupResponse.json.
 */
#ifndef WIRE_API_LEAVE_GROUP_H
#define WIRE_API_LEAVE_GROUP_H

#include "wire/field.h"

#define WIRE_FIELDS_leave_group_request_member(F, S)                                               \
    F(S, STRING, member_id, 3)                                                                     \
    F(S, STRING, group_instance_id, 3, .nullable = 1, .null_default = 1)
#define WIRE_FIELDS_leave_group_request(F, S)                                                      \
    F(S, STRING, group_id, 0)                                                                      \
    F(S, STRING, member_id, 0, .gone = 3)                                                          \
    F(S, ARRAY(leave_group_request_member), members, 3)
#define WIRE_FIELDS_leave_group_response_member(F, S)                                              \
    F(S, STRING, member_id, 3)                                                                     \
    F(S, STRING, group_instance_id, 3, .nullable = 1)                                              \
    F(S, INT16, error_code, 3)
#define WIRE_FIELDS_leave_group_response(F, S)                                                     \
    F(S, INT32, throttle_time_ms, 1, .ignorable = 1)                                               \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, ARRAY(leave_group_response_member), members, 3)

#define WIRE_STRUCTS_leave_group(X)                                                                \
    X(leave_group_request_member)                                                                  \
    X(leave_group_request)                                                                         \
    X(leave_group_response_member)                                                                 \
    X(leave_group_response)
WIRE_STRUCTS_leave_group(WIRE_DECLARE)

#endif
