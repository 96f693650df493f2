/*
 * CreateTopics: by counts, or by explicit assignments (num_partitions -1). The controller answers.
 *
 * Source: Kafka 2.8.2, CreateTopicsRequest.json and CreateTopicsResponse.json.
 */
#ifndef WIRE_API_CREATE_TOPICS_H
#define WIRE_API_CREATE_TOPICS_H

#include "wire/field.h"

#define WIRE_FIELDS_create_topics_request_assignment(F, S)                                         \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, ARRAY_INT32, broker_ids, 0)
#define WIRE_FIELDS_create_topics_request_config(F, S)                                             \
    F(S, STRING, name, 0)                                                                          \
    F(S, STRING, value, 0, .nullable = 1)
#define WIRE_FIELDS_create_topics_request_topic(F, S)                                              \
    F(S, STRING, name, 0)                                                                          \
    F(S, INT32, num_partitions, 0)                                                                 \
    F(S, INT16, replication_factor, 0)                                                             \
    F(S, ARRAY(create_topics_request_assignment), assignments, 0)                                  \
    F(S, ARRAY(create_topics_request_config), configs, 0)
#define WIRE_FIELDS_create_topics_request(F, S)                                                    \
    F(S, ARRAY(create_topics_request_topic), topics, 0)                                            \
    F(S, INT32, timeout_ms, 0, .def = 60000)                                                       \
    F(S, BOOL, validate_only, 1)
#define WIRE_FIELDS_create_topics_response_config(F, S)                                            \
    F(S, STRING, name, 5)                                                                          \
    F(S, STRING, value, 5, .nullable = 1)                                                          \
    F(S, BOOL, read_only, 5)                                                                       \
    F(S, INT8, config_source, 5, .ignorable = 1, .def = -1)                                        \
    F(S, BOOL, is_sensitive, 5)
#define WIRE_FIELDS_create_topics_response_topic(F, S)                                             \
    F(S, STRING, name, 0)                                                                          \
    F(S, UUID, topic_id, 7, .ignorable = 1)                                                        \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 1, .ignorable = 1, .nullable = 1)                                  \
    F(S, INT16, topic_config_error_code, 5, .ignorable = 1, .tagged = 1, .tag = 0)                 \
    F(S, INT32, num_partitions, 5, .ignorable = 1, .def = -1)                                      \
    F(S, INT16, replication_factor, 5, .ignorable = 1, .def = -1)                                  \
    F(S, ARRAY(create_topics_response_config), configs, 5, .ignorable = 1, .nullable = 1)
#define WIRE_FIELDS_create_topics_response(F, S)                                                   \
    F(S, INT32, throttle_time_ms, 2, .ignorable = 1)                                               \
    F(S, ARRAY(create_topics_response_topic), topics, 0)

#define WIRE_STRUCTS_create_topics(X)                                                              \
    X(create_topics_request_assignment)                                                            \
    X(create_topics_request_config)                                                                \
    X(create_topics_request_topic)                                                                 \
    X(create_topics_request)                                                                       \
    X(create_topics_response_config)                                                               \
    X(create_topics_response_topic)                                                                \
    X(create_topics_response)
WIRE_STRUCTS_create_topics(WIRE_DECLARE)

#endif
