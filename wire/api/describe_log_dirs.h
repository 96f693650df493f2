/*
 * DescribeLogDirs: what lies on the disks of a broker.
 *
 * Source: Kafka 2.8.2, DescribeLogDirsRequest.json and DescribeLogDirsResponse.json.
 */
#ifndef WIRE_API_DESCRIBE_LOG_DIRS_H
#define WIRE_API_DESCRIBE_LOG_DIRS_H

#include "wire/field.h"

#define WIRE_FIELDS_describe_log_dirs_request_topic(F, S)                                          \
    F(S, STRING, topic, 0)                                                                         \
    F(S, ARRAY_INT32, partition_index, 0)
#define WIRE_FIELDS_describe_log_dirs_request(F, S)                                                \
    F(S, ARRAY(describe_log_dirs_request_topic), topics, 0, .nullable = 1)
#define WIRE_FIELDS_describe_log_dirs_response_partition(F, S)                                     \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT64, partition_size, 0)                                                                 \
    F(S, INT64, offset_lag, 0)                                                                     \
    F(S, BOOL, is_future_key, 0)
#define WIRE_FIELDS_describe_log_dirs_response_topic(F, S)                                         \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY(describe_log_dirs_response_partition), partitions, 0)
#define WIRE_FIELDS_describe_log_dirs_response_result(F, S)                                        \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, log_dir, 0)                                                                       \
    F(S, ARRAY(describe_log_dirs_response_topic), topics, 0)
#define WIRE_FIELDS_describe_log_dirs_response(F, S)                                               \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, ARRAY(describe_log_dirs_response_result), results, 0)

#define WIRE_STRUCTS_describe_log_dirs(X)                                                          \
    X(describe_log_dirs_request_topic)                                                             \
    X(describe_log_dirs_request)                                                                   \
    X(describe_log_dirs_response_partition)                                                        \
    X(describe_log_dirs_response_topic)                                                            \
    X(describe_log_dirs_response_result)                                                           \
    X(describe_log_dirs_response)
WIRE_STRUCTS_describe_log_dirs(WIRE_DECLARE)

#endif
