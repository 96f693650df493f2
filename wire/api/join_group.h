/*
 * JoinGroup: a member enters the group or a new generation of it; the answer comes when all have.
 *
 * Source: Kafka 2.8.2, JoinGroupRequest.json and JoinGroupResponse.json.
 */
#ifndef WIRE_API_JOIN_GROUP_H
#define WIRE_API_JOIN_GROUP_H

#include "wire/field.h"

#define WIRE_FIELDS_join_group_request_protocol(F, S)                                              \
    F(S, STRING, name, 0)                                                                          \
    F(S, BYTES, metadata, 0)
#define WIRE_FIELDS_join_group_request(F, S)                                                       \
    F(S, STRING, group_id, 0)                                                                      \
    F(S, INT32, session_timeout_ms, 0)                                                             \
    F(S, INT32, rebalance_timeout_ms, 1, .ignorable = 1, .def = -1)                                \
    F(S, STRING, member_id, 0)                                                                     \
    F(S, STRING, group_instance_id, 5, .nullable = 1, .null_default = 1)                           \
    F(S, STRING, protocol_type, 0)                                                                 \
    F(S, ARRAY(join_group_request_protocol), protocols, 0)
#define WIRE_FIELDS_join_group_response_member(F, S)                                               \
    F(S, STRING, member_id, 0)                                                                     \
    F(S, STRING, group_instance_id, 5, .nullable = 1, .null_default = 1)                           \
    F(S, BYTES, metadata, 0)
#define WIRE_FIELDS_join_group_response(F, S)                                                      \
    F(S, INT32, throttle_time_ms, 2, .ignorable = 1)                                               \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, INT32, generation_id, 0, .def = -1)                                                       \
    F(S, STRING, protocol_type, 7, .ignorable = 1, .nullable = 1, .null_default = 1)               \
    F(S, STRING, protocol_name, 0, .nullable = 1, .null_since = 7)                                 \
    F(S, STRING, leader, 0)                                                                        \
    F(S, STRING, member_id, 0)                                                                     \
    F(S, ARRAY(join_group_response_member), members, 0)

#define WIRE_STRUCTS_join_group(X)                                                                 \
    X(join_group_request_protocol)                                                                 \
    X(join_group_request)                                                                          \
    X(join_group_response_member)                                                                  \
    X(join_group_response)
WIRE_STRUCTS_join_group(WIRE_DECLARE)

#endif
