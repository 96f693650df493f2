/*
 * Who gets the replicas of new partitions: Kafka's round robin with a shift, rack aware where the
 * brokers have racks. Pure; the two draws of chance that Kafka makes are arguments.
 *
 *     brokers 0 1 2 3 4, 3 replicas, start 0, shift 0
 *     p0 0 1 2 | p1 1 2 3 | … | p4 4 0 1 | p5 0 2 3 (the shift grows with each whole round)
 *
 * Source: Kafka kafka.admin.AdminUtils.assignReplicasToBrokers (KIP-36).
 */
#ifndef BROKER_ASSIGN_H
#define BROKER_ASSIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "statemachine/list.h"
#include "statemachine/znode.h"

/* One broker that may get replicas; `rack` is borrowed, "" for none. */
struct kb_candidate {
    int32_t id;
    uint32_t
        rack_number; /* filled in by kb_assign_begin: place of its rack among the racks sorted */
    const char *rack;
};

enum kb_assign_result {
    KB_ASSIGN_OK,
    KB_ASSIGN_NO_PARTITIONS,     /* "Number of partitions must be larger than 0." */
    KB_ASSIGN_NO_REPLICAS,       /* "Replication factor must be larger than 0." */
    KB_ASSIGN_TOO_FEW_BROKERS,   /* "Replication factor: R larger than available brokers: N." */
    KB_ASSIGN_SOME_WITHOUT_RACK, /* "Not all brokers have rack information …" */
    KB_ASSIGN_TOO_MANY_REPLICAS, /* more than SM_REPLICAS_MAX: a limit of ours */
};

struct kb_assign {
    const struct kb_candidate *broker; /* borrowed from begin; rack aware: alternated by rack */
    uint32_t broker_count;
    uint32_t rack_count; /* 0: not rack aware */
    int32_t replicas;
    uint32_t start, shift;
    int32_t next; /* partition that kb_assign_next gives */
};

/* Begins an assignment of `partitions` new partitions, the first of which has the number
   `first_partition`, to `brokers` (count of them, ascending by id; reordered in place where racks
   are in use, and borrowed until the last kb_assign_next). `start` and `shift` are Kafka's
   startIndex and nextReplicaShift, each below count, or the same fixed index.
   Errors are results; *a is then untouched. */
enum kb_assign_result kb_assign_begin(struct kb_assign *a, struct kb_candidate *brokers,
                                      uint32_t count, int32_t partitions, int32_t replicas,
                                      int32_t first_partition, uint32_t start, uint32_t shift);
/* Gives the replicas of the next partition. Any number of calls. */
struct sm_list kb_assign_next(struct kb_assign *a);

#endif
