/*
 * DeleteRecords: moves the beginning of a log forward.
 *
 * Source: Kafka 2.8.2, DeleteRecordsRequest.json and DeleteRecordsResponse.json.
 */
#ifndef WIRE_API_DELETE_RECORDS_H
#define WIRE_API_DELETE_RECORDS_H

#include "wire/field.h"

#define WIRE_FIELDS_delete_records_request_partition(F, S)                                         \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT64, offset, 0)
#define WIRE_FIELDS_delete_records_request_topic(F, S)                                             \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY(delete_records_request_partition), partitions, 0)
#define WIRE_FIELDS_delete_records_request(F, S)                                                   \
    F(S, ARRAY(delete_records_request_topic), topics, 0)                                           \
    F(S, INT32, timeout_ms, 0)
#define WIRE_FIELDS_delete_records_response_partition(F, S)                                        \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT64, low_watermark, 0)                                                                  \
    F(S, INT16, error_code, 0)
#define WIRE_FIELDS_delete_records_response_topic(F, S)                                            \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY(delete_records_response_partition), partitions, 0)
#define WIRE_FIELDS_delete_records_response(F, S)                                                  \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, ARRAY(delete_records_response_topic), topics, 0)

#define WIRE_STRUCTS_delete_records(X)                                                             \
    X(delete_records_request_partition)                                                            \
    X(delete_records_request_topic)                                                                \
    X(delete_records_request)                                                                      \
    X(delete_records_response_partition)                                                           \
    X(delete_records_response_topic)                                                               \
    X(delete_records_response)
WIRE_STRUCTS_delete_records(WIRE_DECLARE)

#endif
