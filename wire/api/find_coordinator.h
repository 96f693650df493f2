/*
 * FindCoordinator: which broker coordinates a group (key_type 0) or a transactional id (1).
 *
 * Source: Kafka 2.8.2, FindCoordinatorRequest.json and FindCoordinatorResponse.json.
 */
#ifndef WIRE_API_FIND_COORDINATOR_H
#define WIRE_API_FIND_COORDINATOR_H

#include "wire/field.h"

#define WIRE_FIELDS_find_coordinator_request(F, S)                                                 \
    F(S, STRING, key, 0)                                                                           \
    F(S, INT8, key_type, 1)
#define WIRE_FIELDS_find_coordinator_response(F, S)                                                \
    F(S, INT32, throttle_time_ms, 1, .ignorable = 1)                                               \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 1, .ignorable = 1, .nullable = 1)                                  \
    F(S, INT32, node_id, 0)                                                                        \
    F(S, STRING, host, 0)                                                                          \
    F(S, INT32, port, 0)

#define WIRE_STRUCTS_find_coordinator(X)                                                           \
    X(find_coordinator_request)                                                                    \
    X(find_coordinator_response)
WIRE_STRUCTS_find_coordinator(WIRE_DECLARE)

#endif
