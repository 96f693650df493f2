/*
 * SyncGroup: the group's leader hands out assignments; every member gets its own.
 *
 * Source: Kafka 2.8.2, SyncGroupRequest.json and SyncGroupResponse.json.
 */
#ifndef WIRE_API_SYNC_GROUP_H
#define WIRE_API_SYNC_GROUP_H

#include "wire/field.h"

#define WIRE_FIELDS_sync_group_request_assignment(F, S)                                            \
    F(S, STRING, member_id, 0)                                                                     \
    F(S, BYTES, assignment, 0)
#define WIRE_FIELDS_sync_group_request(F, S)                                                       \
    F(S, STRING, group_id, 0)                                                                      \
    F(S, INT32, generation_id, 0)                                                                  \
    F(S, STRING, member_id, 0)                                                                     \
    F(S, STRING, group_instance_id, 3, .nullable = 1, .null_default = 1)                           \
    F(S, STRING, protocol_type, 5, .ignorable = 1, .nullable = 1, .null_default = 1)               \
    F(S, STRING, protocol_name, 5, .ignorable = 1, .nullable = 1, .null_default = 1)               \
    F(S, ARRAY(sync_group_request_assignment), assignments, 0)
#define WIRE_FIELDS_sync_group_response(F, S)                                                      \
    F(S, INT32, throttle_time_ms, 1, .ignorable = 1)                                               \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, protocol_type, 5, .ignorable = 1, .nullable = 1, .null_default = 1)               \
    F(S, STRING, protocol_name, 5, .ignorable = 1, .nullable = 1, .null_default = 1)               \
    F(S, BYTES, assignment, 0)

#define WIRE_STRUCTS_sync_group(X)                                                                 \
    X(sync_group_request_assignment)                                                               \
    X(sync_group_request)                                                                          \
    X(sync_group_response)
WIRE_STRUCTS_sync_group(WIRE_DECLARE)

#endif
