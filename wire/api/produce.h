/*
 * Produce: batches of records for partitions this broker leads; acks says whose copies are waited
 * for.
 *
 * Source: Kafka 2.8.2, ProduceRequest.json and ProduceResponse.json.
 */
#ifndef WIRE_API_PRODUCE_H
#define WIRE_API_PRODUCE_H

#include "wire/field.h"

#define WIRE_FIELDS_produce_request_partition_data(F, S)                                           \
    F(S, INT32, index, 0)                                                                          \
    F(S, RECORDS, records, 0, .nullable = 1)
#define WIRE_FIELDS_produce_request_topic_data(F, S)                                               \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY(produce_request_partition_data), partition_data, 0)
#define WIRE_FIELDS_produce_request(F, S)                                                          \
    F(S, STRING, transactional_id, 3, .nullable = 1, .null_default = 1)                            \
    F(S, INT16, acks, 0)                                                                           \
    F(S, INT32, timeout_ms, 0)                                                                     \
    F(S, ARRAY(produce_request_topic_data), topic_data, 0)
#define WIRE_FIELDS_produce_response_record_error(F, S)                                            \
    F(S, INT32, batch_index, 8)                                                                    \
    F(S, STRING, batch_index_error_message, 8, .nullable = 1, .null_default = 1)
#define WIRE_FIELDS_produce_response_partition_response(F, S)                                      \
    F(S, INT32, index, 0)                                                                          \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, INT64, base_offset, 0)                                                                    \
    F(S, INT64, log_append_time_ms, 2, .ignorable = 1, .def = -1)                                  \
    F(S, INT64, log_start_offset, 5, .ignorable = 1, .def = -1)                                    \
    F(S, ARRAY(produce_response_record_error), record_errors, 8, .ignorable = 1)                   \
    F(S, STRING, error_message, 8, .ignorable = 1, .nullable = 1, .null_default = 1)
#define WIRE_FIELDS_produce_response_response(F, S)                                                \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY(produce_response_partition_response), partition_responses, 0)
#define WIRE_FIELDS_produce_response(F, S)                                                         \
    F(S, ARRAY(produce_response_response), responses, 0)                                           \
    F(S, INT32, throttle_time_ms, 1, .ignorable = 1)

#define WIRE_STRUCTS_produce(X)                                                                    \
    X(produce_request_partition_data)                                                              \
    X(produce_request_topic_data)                                                                  \
    X(produce_request)                                                                             \
    X(produce_response_record_error)                                                               \
    X(produce_response_partition_response)                                                         \
    X(produce_response_response)                                                                   \
    X(produce_response)
WIRE_STRUCTS_produce(WIRE_DECLARE)

#endif
