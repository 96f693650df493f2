/*
 * What the files of the partition machine share.
 *
 *     partition_machine.c ─► partition_create.c ─┐
 *             │         └──► partition_elect.c ──┼─► partition_state_znode.c
 *             │                 leader_epoch.c ──┘
 *             └─ the rows of its flow are bulks of the other two
 */
#ifndef CONTROLLER_PARTITION_PARTS_H
#define CONTROLLER_PARTITION_PARTS_H

#include "controller/state.h"

/* ---- partition_state_znode.c ---- */
/* Logs that a change of state failed, with the exception that Kafka's log shows. */
void kc_partition_failed(struct kc_controller *c, uint32_t row, enum sm_partition_state from,
                         enum sm_partition_state to, const char *exception);
/* … on the way to Online, because ZooKeeper answered `err`. */
void kc_partition_failed_zk(struct kc_controller *c, uint32_t row, int32_t err);
/* Notes and logs a move that the table does not allow. */
void kc_refuse_partition(struct kc_controller *c, uint32_t row, enum sm_partition_state to);
/* Logs a move that touches neither ZooKeeper nor brokers. */
void kc_log_partition_move(struct kc_controller *c, uint32_t row, enum sm_partition_state to);
/* Moves `row` to Online, its leadership being known. */
void kc_partition_online(struct kc_controller *c, uint32_t row);
/* Takes those out of the ISR of `li` that `a` does not assign, but for the last. */
void kc_drop_unassigned(const struct kc_controller *c, const struct sm_assignment *a,
                        struct sm_leader_and_isr *li);

/* ---- partition_create.c: New -> Online; of KC_SET_WORK ---- */
enum kc_next kc_find_live_replicas(struct kc_controller *c, struct kc_frame *f);
extern const struct kc_bulk kc_create_partitions, kc_create_partition, kc_create_state;

/* ---- partition_elect.c: the others ---- */
extern const struct kc_bulk kc_elect_leaders;

#endif
