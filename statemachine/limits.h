/*
 * Fixed limits, each with the reason for its size. Limits that follow the size of a cluster
 * (partitions, brokers, batch bytes) are not here: they are fields of struct kc_limits and
 * struct kz_limits, and a block that reaches one is grown by copy.
 */
#ifndef STATEMACHINE_LIMITS_H
#define STATEMACHINE_LIMITS_H

enum {
    /* Members of one replica list. Kafka has no limit; a reassignment holds the old and the new
       replicas at once, and replication factors above 8 are unheard of. */
    SM_REPLICAS_MAX = 32,

    /* Kafka: org.apache.kafka.common.internals.Topic.MAX_NAME_LENGTH. */
    SM_TOPIC_NAME_MAX = 249,

    /* Longest znode path that the controller builds:
       /brokers/topics/<249>/partitions/<10 digits>/state. */
    SM_PATH_MAX = 320,

    /* Bytes of an encoded partition state: 4 integers and SM_REPLICAS_MAX ids. */
    SM_STATE_BYTES_MAX = 512,

    /* Nesting of the JSON that the codec accepts; Kafka's own znodes nest 3 deep. */
    SM_JSON_DEPTH_MAX = 16,
};

#endif
