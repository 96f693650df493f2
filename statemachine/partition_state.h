/*
 * States of a partition, and the one table of legal moves.
 *
 * Source: Kafka kafka.controller.PartitionState and its validPreviousStates.
 */
#ifndef STATEMACHINE_PARTITION_STATE_H
#define STATEMACHINE_PARTITION_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "statemachine/profile.h"

/* Kafka's bytes are 0..3 (New, Online, Offline, NonExistent); ours are one more, 0 is no entry. */
enum sm_partition_state {
    SM_PARTITION_NONE = 0,
    SM_PARTITION_NEW = 1,
    SM_PARTITION_ONLINE = 2,
    SM_PARTITION_OFFLINE = 3,
    SM_PARTITION_NONEXISTENT = 4,
    SM_PARTITION_STATE_END = 5
};

/* As sm_replica_may_move. */
bool sm_partition_may_move(const struct sm_profile *profile, enum sm_partition_state from,
                           enum sm_partition_state to);
uint32_t sm_partition_predecessors(const struct sm_profile *profile, enum sm_partition_state to);
const char *sm_partition_state_name(enum sm_partition_state state); /* "OnlinePartition" */
const char *sm_partition_state_text(enum sm_partition_state state);
enum sm_partition_state sm_partition_state_named(const char *name);

#endif
