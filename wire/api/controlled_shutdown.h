/*
 * ControlledShutdown: a broker asks the controller to move its leaderships away before it stops.
 *
 * Source: Kafka 2.8.2, ControlledShutdownRequest.json and ControlledShutdownResponse.json.
 */
#ifndef WIRE_API_CONTROLLED_SHUTDOWN_H
#define WIRE_API_CONTROLLED_SHUTDOWN_H

#include "wire/field.h"

#define WIRE_FIELDS_controlled_shutdown_request(F, S)                                              \
    F(S, INT32, broker_id, 0)                                                                      \
    F(S, INT64, broker_epoch, 2, .ignorable = 1, .def = -1)
#define WIRE_FIELDS_controlled_shutdown_response_remaining_partition(F, S)                         \
    F(S, STRING, topic_name, 0)                                                                    \
    F(S, INT32, partition_index, 0)
#define WIRE_FIELDS_controlled_shutdown_response(F, S)                                             \
    F(S, INT16, error_code, 0)                                                                     \
    F(S, ARRAY(controlled_shutdown_response_remaining_partition), remaining_partitions, 0)

#define WIRE_STRUCTS_controlled_shutdown(X)                                                        \
    X(controlled_shutdown_request)                                                                 \
    X(controlled_shutdown_response_remaining_partition)                                            \
    X(controlled_shutdown_response)
WIRE_STRUCTS_controlled_shutdown(WIRE_DECLARE)

#endif
