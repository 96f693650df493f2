/*
 * DeleteTopics: by name, since version 6 also by id. The controller answers.
 *
 * Source: Kafka 2.8.2, DeleteTopicsRequest.json and DeleteTopicsResponse.json.
 */
#ifndef WIRE_API_DELETE_TOPICS_H
#define WIRE_API_DELETE_TOPICS_H

#include "wire/field.h"

#define WIRE_FIELDS_delete_topics_request_topic(F, S)                                              \
    F(S, STRING, name, 6, .nullable = 1)                                                           \
    F(S, UUID, topic_id, 6)
#define WIRE_FIELDS_delete_topics_request(F, S)                                                    \
    F(S, ARRAY(delete_topics_request_topic), topics, 6)                                            \
    F(S, ARRAY_STRING, topic_names, 0, .gone = 6, .ignorable = 1)                                  \
    F(S, INT32, timeout_ms, 0)
#define WIRE_FIELDS_delete_topics_response_response(F, S)                                          \
    F(S, STRING, name, 0, .nullable = 1, .null_since = 6)                                          \
    F(S, UUID, topic_id, 6, .ignorable = 1)                                                        \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 5, .ignorable = 1, .nullable = 1, .null_default = 1)
#define WIRE_FIELDS_delete_topics_response(F, S)                                                   \
    F(S, INT32, throttle_time_ms, 1, .ignorable = 1)                                               \
    F(S, ARRAY(delete_topics_response_response), responses, 0)

#define WIRE_STRUCTS_delete_topics(X)                                                              \
    X(delete_topics_request_topic)                                                                 \
    X(delete_topics_request)                                                                       \
    X(delete_topics_response_response)                                                             \
    X(delete_topics_response)
WIRE_STRUCTS_delete_topics(WIRE_DECLARE)

#endif
