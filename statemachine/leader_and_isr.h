/*
 * Who leads a partition and who is in sync: the content of its state znode.
 *
 * Source: Kafka kafka.api.LeaderAndIsr, kafka.controller.LeaderIsrAndControllerEpoch.
 */
#ifndef STATEMACHINE_LEADER_AND_ISR_H
#define STATEMACHINE_LEADER_AND_ISR_H

#include <stdbool.h>

#include "statemachine/list.h"

enum {
    SM_NO_LEADER = -1,
    SM_LEADER_DURING_DELETE = -2, /* leader id in UpdateMetadata of a topic queued for deletion */
    SM_NO_EPOCH = -1,             /* leader epoch in StopReplica without leadership info */
    SM_EPOCH_DURING_DELETE = -2,  /* leader epoch in StopReplica of a topic queued for deletion */
    SM_INITIAL_LEADER_EPOCH = 0,
    SM_INITIAL_ZK_VERSION = 0,
};

struct sm_leader_and_isr {
    int32_t leader; /* broker id, or SM_NO_LEADER */
    int32_t leader_epoch;
    int32_t zk_version;       /* data version of the state znode */
    int32_t controller_epoch; /* epoch of the controller that decided it */
    struct sm_list isr;
};

/* Returns {leader, isr, leader epoch + 1, same zk_version and controller_epoch}: every write of the
   controller goes through it. The epoch stays at INT32_MAX once there.
   Source: LeaderAndIsr.newLeaderAndIsr. */
struct sm_leader_and_isr sm_leader_and_isr_bump(const struct sm_leader_and_isr *from,
                                                int32_t leader, const struct sm_list *isr);

/* Returns what is left when `id` leaves the ISR: leader -1 where it led, the last member stays, the
   epoch rises even so. keep_last = false gives the 0.9 rule with unclean election on (the ISR may
   become empty). Source: ReplicaStateMachine.doRemoveReplicasFromIsr. */
struct sm_leader_and_isr sm_leader_and_isr_remove(const struct sm_leader_and_isr *from, int32_t id,
                                                  bool keep_last);

bool sm_leader_and_isr_equal(const struct sm_leader_and_isr *a, const struct sm_leader_and_isr *b);

#endif
