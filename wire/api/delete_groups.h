/*
 * DeleteGroups: forgets groups that have no members.
 *
 * Source: Kafka 2.8.2, DeleteGroupsRequest.json and DeleteGroupsResponse.json.
 */
#ifndef WIRE_API_DELETE_GROUPS_H
#define WIRE_API_DELETE_GROUPS_H

#include "wire/field.h"

#define WIRE_FIELDS_delete_groups_request(F, S) F(S, ARRAY_STRING, groups_names, 0)
#define WIRE_FIELDS_delete_groups_response_result(F, S)                                            \
    F(S, STRING, group_id, 0)                                                                      \
    F(S, INT16, error_code, 0)
#define WIRE_FIELDS_delete_groups_response(F, S)                                                   \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, ARRAY(delete_groups_response_result), results, 0)

#define WIRE_STRUCTS_delete_groups(X)                                                              \
    X(delete_groups_request)                                                                       \
    X(delete_groups_response_result)                                                               \
    X(delete_groups_response)
WIRE_STRUCTS_delete_groups(WIRE_DECLARE)

#endif
