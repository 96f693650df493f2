/*
 * Electing a leader: pure choice, four strategies. What it reads from ZooKeeper and what is written
 * is the controller's business.
 *
 *   strategy             candidates         leader                          new ISR
 *   Offline              replicas           first online and in ISR;        clean: ISR ∩ online
 *                                           else, unclean allowed: first    unclean: [leader]
 *                                           online
 *   Reassign             target             first online and in ISR         unchanged
 *   PreferredReplica     replicas.head      head, online and in ISR         unchanged
 *   ControlledShutdown   replicas           first online-or-shutting-down,  ISR − shutting down
 *                                           in ISR, not shutting down
 *
 * Source: Kafka kafka.controller.Election and PartitionLeaderElectionAlgorithms (2.8);
 * PartitionLeaderSelector.scala (0.8.2, 0.9).
 */
#ifndef STATEMACHINE_ELECTION_H
#define STATEMACHINE_ELECTION_H

#include "statemachine/assignment.h"
#include "statemachine/leader_and_isr.h"
#include "statemachine/profile.h"

enum sm_strategy {
    SM_STRATEGY_NONE,
    SM_STRATEGY_OFFLINE,             /* OfflinePartitionLeaderElectionStrategy */
    SM_STRATEGY_REASSIGN,            /* ReassignPartitionLeaderElectionStrategy */
    SM_STRATEGY_PREFERRED,           /* PreferredReplicaPartitionLeaderElectionStrategy */
    SM_STRATEGY_CONTROLLED_SHUTDOWN, /* ControlledShutdownPartitionLeaderElectionStrategy */
    SM_STRATEGY_END
};

/* All pointers are borrowed for the call. */
struct sm_election_input {
    enum sm_strategy strategy;
    bool unclean_allowed; /* for this partition; read by Offline only */
    const struct sm_profile *profile;
    const struct sm_assignment *assignment;
    const struct sm_leader_and_isr *current; /* as just read from ZooKeeper */
    const struct sm_list *online;            /* those of replicas and ISR that are alive */
    const struct sm_list *online_or_shutting_down;
    const struct sm_list *shutting_down; /* those of replicas and ISR that are leaving */
};

enum sm_election_verdict {
    SM_ELECTED,
    SM_ELECTED_UNCLEAN,    /* outside the ISR: counts in UncleanLeaderElectionsPerSec */
    SM_NOT_ELECTED,        /* StateChangeFailed: no eligible replica */
    SM_ELECTION_NOT_NEEDED /* 0.9 Preferred / ControlledShutdown: the leader already fits */
};

struct sm_election {
    enum sm_election_verdict verdict;
    struct sm_leader_and_isr next; /* bumped; meaningful when elected */
    struct sm_list recipients;     /* who is sent LeaderAndIsr */
};

/* Returns the outcome of the election. Never fails; reads nothing but its input. */
struct sm_election sm_elect(const struct sm_election_input *in);

/* Returns the leader and ISR of a partition being created, and true; false where no replica of
   `live` (those of the assignment that are online, in assignment order) exists. leader = head,
   isr = live, epoch 0. Source: PartitionStateMachine.initializeLeaderAndIsrForPartitions. */
bool sm_initial_leader_and_isr(const struct sm_list *live, int32_t controller_epoch,
                               struct sm_leader_and_isr *out);

/* Returns Kafka's name: "OfflinePartitionLeaderElectionStrategy(false)" has its argument added by
   the caller. Static. */
const char *sm_strategy_name(enum sm_strategy strategy);

#endif
