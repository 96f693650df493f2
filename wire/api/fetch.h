/*
 * Fetch: records from an offset on, for consumers (replica_id -1) and for followers; with sessions
 * (7+) only what changed is named, and what is no longer wanted is in forgotten_topics_data.
 *
 * Source: Kafka 2.8.2, FetchRequest.json and FetchResponse.json.
 */
#ifndef WIRE_API_FETCH_H
#define WIRE_API_FETCH_H

#include "wire/field.h"

#define WIRE_FIELDS_fetch_request_partition(F, S)                                                  \
    F(S, INT32, partition, 0)                                                                      \
    F(S, INT32, current_leader_epoch, 9, .ignorable = 1, .def = -1)                                \
    F(S, INT64, fetch_offset, 0)                                                                   \
    F(S, INT32, last_fetched_epoch, 12, .def = -1)                                                 \
    F(S, INT64, log_start_offset, 5, .ignorable = 1, .def = -1)                                    \
    F(S, INT32, partition_max_bytes, 0)
#define WIRE_FIELDS_fetch_request_topic(F, S)                                                      \
    F(S, STRING, topic, 0)                                                                         \
    F(S, ARRAY(fetch_request_partition), partitions, 0)
#define WIRE_FIELDS_fetch_request_forgotten_topic(F, S)                                            \
    F(S, STRING, topic, 7)                                                                         \
    F(S, ARRAY_INT32, partitions, 7)
#define WIRE_FIELDS_fetch_request(F, S)                                                            \
    F(S, STRING, cluster_id, 12, .ignorable = 1, .nullable = 1, .null_default = 1, .tagged = 1,    \
      .tag = 0)                                                                                    \
    F(S, INT32, replica_id, 0)                                                                     \
    F(S, INT32, max_wait_ms, 0)                                                                    \
    F(S, INT32, min_bytes, 0)                                                                      \
    F(S, INT32, max_bytes, 3, .ignorable = 1, .def = INT32_MAX)                                    \
    F(S, INT8, isolation_level, 4, .ignorable = 1)                                                 \
    F(S, INT32, session_id, 7, .ignorable = 1)                                                     \
    F(S, INT32, session_epoch, 7, .ignorable = 1, .def = -1)                                       \
    F(S, ARRAY(fetch_request_topic), topics, 0)                                                    \
    F(S, ARRAY(fetch_request_forgotten_topic), forgotten_topics_data, 7)                           \
    F(S, STRING, rack_id, 11, .ignorable = 1)
#define WIRE_FIELDS_fetch_response_diverging_epoch(F, S)                                           \
    F(S, INT32, epoch, 12, .def = -1)                                                              \
    F(S, INT64, end_offset, 12, .def = -1)
#define WIRE_FIELDS_fetch_response_current_leader(F, S)                                            \
    F(S, INT32, leader_id, 12, .def = -1)                                                          \
    F(S, INT32, leader_epoch, 12, .def = -1)
#define WIRE_FIELDS_fetch_response_snapshot_id(F, S)                                               \
    F(S, INT64, end_offset, 0, .def = -1)                                                          \
    F(S, INT32, epoch, 0, .def = -1)
#define WIRE_FIELDS_fetch_response_aborted_transaction(F, S)                                       \
    F(S, INT64, producer_id, 4)                                                                    \
    F(S, INT64, first_offset, 4)
#define WIRE_FIELDS_fetch_response_partition_response(F, S)                                        \
    F(S, INT32, partition, 0)                                                                      \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, INT64, high_watermark, 0)                                                                 \
    F(S, INT64, last_stable_offset, 4, .ignorable = 1, .def = -1)                                  \
    F(S, INT64, log_start_offset, 5, .ignorable = 1, .def = -1)                                    \
    F(S, STRUCT(fetch_response_diverging_epoch), diverging_epoch, 12, .tagged = 1, .tag = 0)       \
    F(S, STRUCT(fetch_response_current_leader), current_leader, 12, .tagged = 1, .tag = 1)         \
    F(S, STRUCT(fetch_response_snapshot_id), snapshot_id, 12, .tagged = 1, .tag = 2)               \
    F(S, ARRAY(fetch_response_aborted_transaction), aborted_transactions, 4, .ignorable = 1,       \
      .nullable = 1)                                                                               \
    F(S, INT32, preferred_read_replica, 11, .def = -1)                                             \
    F(S, RECORDS, record_set, 0, .nullable = 1)
#define WIRE_FIELDS_fetch_response_response(F, S)                                                  \
    F(S, STRING, topic, 0)                                                                         \
    F(S, ARRAY(fetch_response_partition_response), partition_responses, 0)
#define WIRE_FIELDS_fetch_response(F, S)                                                           \
    F(S, INT32, throttle_time_ms, 1, .ignorable = 1)                                               \
    F(S, INT16, error_code, 7, .ignorable = 1)                                                     \
    F(S, INT32, session_id, 7)                                                                     \
    F(S, ARRAY(fetch_response_response), responses, 0)

#define WIRE_STRUCTS_fetch(X)                                                                      \
    X(fetch_request_partition)                                                                     \
    X(fetch_request_topic)                                                                         \
    X(fetch_request_forgotten_topic)                                                               \
    X(fetch_request)                                                                               \
    X(fetch_response_diverging_epoch)                                                              \
    X(fetch_response_current_leader)                                                               \
    X(fetch_response_snapshot_id)                                                                  \
    X(fetch_response_aborted_transaction)                                                          \
    X(fetch_response_partition_response)                                                           \
    X(fetch_response_response)                                                                     \
    X(fetch_response)
WIRE_STRUCTS_fetch(WIRE_DECLARE)

#endif
