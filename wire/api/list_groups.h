/*
 * ListGroups: the groups that this broker coordinates.
 *
 * Source: Kafka 2.8.2, ListGroupsRequest.json and ListGroupsResponse.json.
 */
#ifndef WIRE_API_LIST_GROUPS_H
#define WIRE_API_LIST_GROUPS_H

#include "wire/field.h"

#define WIRE_FIELDS_list_groups_request(F, S) F(S, ARRAY_STRING, states_filter, 4)
#define WIRE_FIELDS_list_groups_response_group(F, S)                                               \
    F(S, STRING, group_id, 0)                                                                      \
    F(S, STRING, protocol_type, 0)                                                                 \
    F(S, STRING, group_state, 4, .ignorable = 1)
#define WIRE_FIELDS_list_groups_response(F, S)                                                     \
    F(S, INT32, throttle_time_ms, 1, .ignorable = 1)                                               \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, ARRAY(list_groups_response_group), groups, 0)

#define WIRE_STRUCTS_list_groups(X)                                                                \
    X(list_groups_request)                                                                         \
    X(list_groups_response_group)                                                                  \
    X(list_groups_response)
WIRE_STRUCTS_list_groups(WIRE_DECLARE)

#endif
