/*
 * The requests of the Kafka protocol that brokers in ZooKeeper mode take, as Apache Kafka 2.8.2 has
 * them: one row each. Enums, names, ranges of versions and the tables of the codec are made from
 * it.
 *
 * Source: Kafka ApiKeys, and clients/src/main/resources/common/message.
 */
#ifndef WIRE_API_H
#define WIRE_API_H

#define WIRE_NEVER 127 /* no version is flexible */

/* constant, name of the structs, Kafka's name, key, oldest and newest version, first flexible
   version, 1: sent by brokers and controllers only */
#define WIRE_API_MAP(X)                                                                            \
    X(PRODUCE, produce, "Produce", 0, 0, 9, 9, 0)                                                  \
    X(FETCH, fetch, "Fetch", 1, 0, 12, 12, 0)                                                      \
    X(LIST_OFFSETS, list_offsets, "ListOffsets", 2, 0, 6, 6, 0)                                    \
    X(METADATA, metadata, "Metadata", 3, 0, 11, 9, 0)                                              \
    X(LEADER_AND_ISR, leader_and_isr, "LeaderAndIsr", 4, 0, 5, 4, 1)                               \
    X(STOP_REPLICA, stop_replica, "StopReplica", 5, 0, 3, 2, 1)                                    \
    X(UPDATE_METADATA, update_metadata, "UpdateMetadata", 6, 0, 7, 6, 1)                           \
    X(CONTROLLED_SHUTDOWN, controlled_shutdown, "ControlledShutdown", 7, 0, 3, 3, 1)               \
    X(OFFSET_COMMIT, offset_commit, "OffsetCommit", 8, 0, 8, 8, 0)                                 \
    X(OFFSET_FETCH, offset_fetch, "OffsetFetch", 9, 0, 7, 6, 0)                                    \
    X(FIND_COORDINATOR, find_coordinator, "FindCoordinator", 10, 0, 3, 3, 0)                       \
    X(JOIN_GROUP, join_group, "JoinGroup", 11, 0, 7, 6, 0)                                         \
    X(HEARTBEAT, heartbeat, "Heartbeat", 12, 0, 4, 4, 0)                                           \
    X(LEAVE_GROUP, leave_group, "LeaveGroup", 13, 0, 4, 4, 0)                                      \
    X(SYNC_GROUP, sync_group, "SyncGroup", 14, 0, 5, 4, 0)                                         \
    X(DESCRIBE_GROUPS, describe_groups, "DescribeGroups", 15, 0, 5, 5, 0)                          \
    X(LIST_GROUPS, list_groups, "ListGroups", 16, 0, 4, 3, 0)                                      \
    X(SASL_HANDSHAKE, sasl_handshake, "SaslHandshake", 17, 0, 1, WIRE_NEVER, 0)                    \
    X(API_VERSIONS, api_versions, "ApiVersions", 18, 0, 3, 3, 0)                                   \
    X(CREATE_TOPICS, create_topics, "CreateTopics", 19, 0, 7, 5, 0)                                \
    X(DELETE_TOPICS, delete_topics, "DeleteTopics", 20, 0, 6, 4, 0)                                \
    X(DELETE_RECORDS, delete_records, "DeleteRecords", 21, 0, 2, 2, 0)                             \
    X(INIT_PRODUCER_ID, init_producer_id, "InitProducerId", 22, 0, 4, 2, 0)                        \
    X(OFFSET_FOR_LEADER_EPOCH, offset_for_leader_epoch, "OffsetForLeaderEpoch", 23, 0, 4, 4, 0)    \
    X(ADD_PARTITIONS_TO_TXN, add_partitions_to_txn, "AddPartitionsToTxn", 24, 0, 3, 3, 0)          \
    X(ADD_OFFSETS_TO_TXN, add_offsets_to_txn, "AddOffsetsToTxn", 25, 0, 3, 3, 0)                   \
    X(END_TXN, end_txn, "EndTxn", 26, 0, 3, 3, 0)                                                  \
    X(WRITE_TXN_MARKERS, write_txn_markers, "WriteTxnMarkers", 27, 0, 1, 1, 1)                     \
    X(TXN_OFFSET_COMMIT, txn_offset_commit, "TxnOffsetCommit", 28, 0, 3, 3, 0)                     \
    X(DESCRIBE_ACLS, describe_acls, "DescribeAcls", 29, 0, 2, 2, 0)                                \
    X(CREATE_ACLS, create_acls, "CreateAcls", 30, 0, 2, 2, 0)                                      \
    X(DELETE_ACLS, delete_acls, "DeleteAcls", 31, 0, 2, 2, 0)                                      \
    X(DESCRIBE_CONFIGS, describe_configs, "DescribeConfigs", 32, 0, 4, 4, 0)                       \
    X(ALTER_CONFIGS, alter_configs, "AlterConfigs", 33, 0, 2, 2, 0)                                \
    X(ALTER_REPLICA_LOG_DIRS, alter_replica_log_dirs, "AlterReplicaLogDirs", 34, 0, 2, 2, 0)       \
    X(DESCRIBE_LOG_DIRS, describe_log_dirs, "DescribeLogDirs", 35, 0, 2, 2, 0)                     \
    X(SASL_AUTHENTICATE, sasl_authenticate, "SaslAuthenticate", 36, 0, 2, 2, 0)                    \
    X(CREATE_PARTITIONS, create_partitions, "CreatePartitions", 37, 0, 3, 2, 0)                    \
    X(CREATE_DELEGATION_TOKEN, create_delegation_token, "CreateDelegationToken", 38, 0, 2, 2, 0)   \
    X(RENEW_DELEGATION_TOKEN, renew_delegation_token, "RenewDelegationToken", 39, 0, 2, 2, 0)      \
    X(EXPIRE_DELEGATION_TOKEN, expire_delegation_token, "ExpireDelegationToken", 40, 0, 2, 2, 0)   \
    X(DESCRIBE_DELEGATION_TOKEN, describe_delegation_token, "DescribeDelegationToken", 41, 0, 2,   \
      2, 0)                                                                                        \
    X(DELETE_GROUPS, delete_groups, "DeleteGroups", 42, 0, 2, 2, 0)                                \
    X(ELECT_LEADERS, elect_leaders, "ElectLeaders", 43, 0, 2, 2, 0)                                \
    X(INCREMENTAL_ALTER_CONFIGS, incremental_alter_configs, "IncrementalAlterConfigs", 44, 0, 1,   \
      1, 0)                                                                                        \
    X(ALTER_PARTITION_REASSIGNMENTS, alter_partition_reassignments, "AlterPartitionReassignments", \
      45, 0, 0, 0, 0)                                                                              \
    X(LIST_PARTITION_REASSIGNMENTS, list_partition_reassignments, "ListPartitionReassignments",    \
      46, 0, 0, 0, 0)                                                                              \
    X(OFFSET_DELETE, offset_delete, "OffsetDelete", 47, 0, 0, WIRE_NEVER, 0)                       \
    X(DESCRIBE_CLIENT_QUOTAS, describe_client_quotas, "DescribeClientQuotas", 48, 0, 1, 1, 0)      \
    X(ALTER_CLIENT_QUOTAS, alter_client_quotas, "AlterClientQuotas", 49, 0, 1, 1, 0)               \
    X(DESCRIBE_USER_SCRAM_CREDENTIALS, describe_user_scram_credentials,                            \
      "DescribeUserScramCredentials", 50, 0, 0, 0, 0)                                              \
    X(ALTER_USER_SCRAM_CREDENTIALS, alter_user_scram_credentials, "AlterUserScramCredentials", 51, \
      0, 0, 0, 0)                                                                                  \
    X(ALTER_ISR, alter_isr, "AlterIsr", 56, 0, 0, 0, 1)                                            \
    X(UPDATE_FEATURES, update_features, "UpdateFeatures", 57, 0, 0, 0, 0)                          \
    X(DESCRIBE_CLUSTER, describe_cluster, "DescribeCluster", 60, 0, 0, 0, 0)                       \
    X(DESCRIBE_PRODUCERS, describe_producers, "DescribeProducers", 61, 0, 0, 0, 0)

#endif
