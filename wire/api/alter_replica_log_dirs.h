/*
 * AlterReplicaLogDirs: moves replicas between the disks of a broker.
 *
 * Source: Kafka 2.8.2, AlterReplicaLogDirsRequest.json and AlterReplicaLogDirsResponse.json.
 */
#ifndef WIRE_API_ALTER_REPLICA_LOG_DIRS_H
#define WIRE_API_ALTER_REPLICA_LOG_DIRS_H

#include "wire/field.h"

#define WIRE_FIELDS_alter_replica_log_dirs_request_topic(F, S)                                     \
    F(S, STRING, name, 0)                                                                          \
    F(S, ARRAY_INT32, partitions, 0)
#define WIRE_FIELDS_alter_replica_log_dirs_request_dir(F, S)                                       \
    F(S, STRING, path, 0)                                                                          \
    F(S, ARRAY(alter_replica_log_dirs_request_topic), topics, 0)
#define WIRE_FIELDS_alter_replica_log_dirs_request(F, S)                                           \
    F(S, ARRAY(alter_replica_log_dirs_request_dir), dirs, 0)
#define WIRE_FIELDS_alter_replica_log_dirs_response_partition(F, S)                                \
    F(S, INT32, partition_index, 0)                                                                \
    F(S, INT16, error_code, 0)
#define WIRE_FIELDS_alter_replica_log_dirs_response_result(F, S)                                   \
    F(S, STRING, topic_name, 0)                                                                    \
    F(S, ARRAY(alter_replica_log_dirs_response_partition), partitions, 0)
#define WIRE_FIELDS_alter_replica_log_dirs_response(F, S)                                          \
    F(S, INT32, throttle_time_ms, 0)                                                               \
    F(S, ARRAY(alter_replica_log_dirs_response_result), results, 0)

#define WIRE_STRUCTS_alter_replica_log_dirs(X)                                                     \
    X(alter_replica_log_dirs_request_topic)                                                        \
    X(alter_replica_log_dirs_request_dir)                                                          \
    X(alter_replica_log_dirs_request)                                                              \
    X(alter_replica_log_dirs_response_partition)                                                   \
    X(alter_replica_log_dirs_response_result)                                                      \
    X(alter_replica_log_dirs_response)
WIRE_STRUCTS_alter_replica_log_dirs(WIRE_DECLARE)

#endif
