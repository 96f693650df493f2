/*
 * Heartbeat: a member lives; the answer says when it must join again.
 *
 * Source: Kafka 2.8.2, HeartbeatRequest.json and HeartbeatResponse.json.
 */
#ifndef WIRE_API_HEARTBEAT_H
#define WIRE_API_HEARTBEAT_H

#include "wire/field.h"

#define WIRE_FIELDS_heartbeat_request(F, S)                                                        \
    F(S, STRING, group_id, 0)                                                                      \
    F(S, INT32, generation_id, 0)                                                                  \
    F(S, STRING, member_id, 0)                                                                     \
    F(S, STRING, group_instance_id, 3, .nullable = 1, .null_default = 1)
#define WIRE_FIELDS_heartbeat_response(F, S)                                                       \
    F(S, INT32, throttle_time_ms, 1, .ignorable = 1)                                               \
    F(S, INT16, error_code, 0)

#define WIRE_STRUCTS_heartbeat(X)                                                                  \
    X(heartbeat_request)                                                                           \
    X(heartbeat_response)
WIRE_STRUCTS_heartbeat(WIRE_DECLARE)

#endif
