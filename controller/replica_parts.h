/*
 * What the files of the replica machine share: replica_machine.c and its bulk, replica_offline.c.
 */
#ifndef CONTROLLER_REPLICA_PARTS_H
#define CONTROLLER_REPLICA_PARTS_H

#include "controller/state.h"

/* The broker whose group is in work. */
uint32_t kc_group_broker(const struct kc_controller *c);
/* Moves a replica and logs it; the table allows it. */
void kc_move_replica(struct kc_controller *c, uint32_t row, uint32_t broker,
                     enum sm_replica_state to);
/* Logs that a change failed, with the exception that Kafka's log shows. */
void kc_replica_failed(struct kc_controller *c, uint32_t row, uint32_t broker,
                       enum sm_replica_state to, const char *exception);
/* … because ZooKeeper answered `err`. */
void kc_replica_failed_zk(struct kc_controller *c, uint32_t row, int32_t err);
/* … because its partition has no state; nothing is logged where its topic is being deleted. */
void kc_replica_without_state(struct kc_controller *c, uint32_t row);

extern const struct kc_bulk kc_shrink_isr;

#endif
