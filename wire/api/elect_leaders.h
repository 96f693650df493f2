/*
 * ElectLeaders: preferred or (1+) unclean elections on demand; topic_partitions null: everywhere.
 * Version 0 was called ElectPreferredLeaders.
 *
 * Source: Kafka 2.8.2, ElectLeadersRequest.json and ElectLeadersResponse.json.
 */
#ifndef WIRE_API_ELECT_LEADERS_H
#define WIRE_API_ELECT_LEADERS_H

#include "wire/field.h"

#define WIRE_FIELDS_elect_leaders_request_topic_partition(F, S)                                    \
    F(S, STRING, topic, 0)                                                                         \
    F(S, ARRAY_INT32, partition_id, 0)
#define WIRE_FIELDS_elect_leaders_request(F, S)                                                    \
    F(S, INT8, election_type, 1)                                                                   \
    F(S, ARRAY(elect_leaders_request_topic_partition), topic_partitions, 0, .nullable = 1)         \
    F(S, INT32, timeout_ms, 0, .def = 60000)
#define WIRE_FIELDS_elect_leaders_response_partition_result(F, S)                                  \
    F(S, INT32, partition_id, 0)                                                                   \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 0, .nullable = 1)
#define WIRE_FIELDS_elect_leaders_response_replica_election_result(F, S)                           \
    F(S, STRING, topic, 0)                                                                         \
    F(S, ARRAY(elect_leaders_response_partition_result), partition_result, 0)
#define WIRE_FIELDS_elect_leaders_response(F, S)                                                   \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, INT16, error_code, 1)                                                                     \
    F(S, ARRAY(elect_leaders_response_replica_election_result), replica_election_results, 0)

#define WIRE_STRUCTS_elect_leaders(X)                                                              \
    X(elect_leaders_request_topic_partition)                                                       \
    X(elect_leaders_request)                                                                       \
    X(elect_leaders_response_partition_result)                                                     \
    X(elect_leaders_response_replica_election_result)                                              \
    X(elect_leaders_response)
WIRE_STRUCTS_elect_leaders(WIRE_DECLARE)

#endif
