/*
 * DescribeCluster: brokers, controller and cluster id, without topics.
 *
 * Source: Kafka 2.8.2, DescribeClusterRequest.json and DescribeClusterResponse.json.
 */
#ifndef WIRE_API_DESCRIBE_CLUSTER_H
#define WIRE_API_DESCRIBE_CLUSTER_H

#include "wire/field.h"

#define WIRE_FIELDS_describe_cluster_request(F, S)                                                 \
    F(S, BOOL, include_cluster_authorized_operations, 0)
#define WIRE_FIELDS_describe_cluster_response_broker(F, S)                                         \
    F(S, INT32, broker_id, 0)                                                                      \
    F(S, STRING, host, 0)                                                                          \
    F(S, INT32, port, 0)                                                                           \
    F(S, STRING, rack, 0, .nullable = 1, .null_default = 1)
#define WIRE_FIELDS_describe_cluster_response(F, S)                                                \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, STRING, error_message, 0, .nullable = 1, .null_default = 1)                               \
    F(S, STRING, cluster_id, 0)                                                                    \
    F(S, INT32, controller_id, 0, .def = -1)                                                       \
    F(S, ARRAY(describe_cluster_response_broker), brokers, 0)                                      \
    F(S, INT32, cluster_authorized_operations, 0, .def = INT32_MIN)

#define WIRE_STRUCTS_describe_cluster(X)                                                           \
    X(describe_cluster_request)                                                                    \
    X(describe_cluster_response_broker)                                                            \
    X(describe_cluster_response)
WIRE_STRUCTS_describe_cluster(WIRE_DECLARE)

#endif
