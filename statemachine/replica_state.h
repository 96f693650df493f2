/*
 * States of a replica, and the one table of legal moves.
 *
 * Source: Kafka kafka.controller.ReplicaState and its validPreviousStates; 0.8.2 and 0.9:
 * ReplicaStateMachine.handleStateChange, assertValidPreviousStates.
 */
#ifndef STATEMACHINE_REPLICA_STATE_H
#define STATEMACHINE_REPLICA_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "statemachine/profile.h"

/* Values are Kafka's bytes (ReplicaState.state); 0 is "no entry", which counts as NonExistent. */
enum sm_replica_state {
    SM_REPLICA_NONE = 0,
    SM_REPLICA_NEW = 1,
    SM_REPLICA_ONLINE = 2,
    SM_REPLICA_OFFLINE = 3,
    SM_REPLICA_DELETION_STARTED = 4,
    SM_REPLICA_DELETION_SUCCESSFUL = 5,
    SM_REPLICA_DELETION_INELIGIBLE = 6,
    SM_REPLICA_NONEXISTENT = 7,
    SM_REPLICA_STATE_END = 8
};

/* Returns whether a replica may move from `from` to `to` under `profile`. SM_REPLICA_NONE as `from`
   means NonExistentReplica; as `to` it is a mistake (asserted). */
bool sm_replica_may_move(const struct sm_profile *profile, enum sm_replica_state from,
                         enum sm_replica_state to);

/* Returns the bit set (1 << state) of the legal predecessors of `to`. */
uint32_t sm_replica_predecessors(const struct sm_profile *profile, enum sm_replica_state to);

/* Returns Kafka's name ("OnlineReplica"); SM_REPLICA_NONE gives "NonExistentReplica". Static. */
const char *sm_replica_state_name(enum sm_replica_state state);

/* Returns one sentence: what being in `state` means. Static. */
const char *sm_replica_state_text(enum sm_replica_state state);

/* Returns the state of that name, or SM_REPLICA_NONE. */
enum sm_replica_state sm_replica_state_named(const char *name);

#endif
