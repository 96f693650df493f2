/*
 * What the three files of reassignments share.
 *
 *     reassignment_znode.c ─┐  KC_FLOW_REASSIGN_GUARDED
 *     reassignment_calls.c ─┴─► reassignment.c ─► KC_FLOW_REASSIGN_REMOVE (reassignment_znode.c)
 *
 * They call one another as flows; the mode of a removal is the argument arg2 of its frame.
 */
#ifndef CONTROLLER_REASSIGNMENT_PARTS_H
#define CONTROLLER_REASSIGNMENT_PARTS_H

#include "controller/state.h"

/* Why partitions leave /admin/reassign_partitions: the one of arg, with the replicas that it has
   now; KC_SET_LISTED and what does not exist; KC_SET_RESUMED; those of topic arg. */
enum remove_mode { REMOVE_COMPLETED, REMOVE_FAILED, REMOVE_SUPERSEDED, REMOVE_DELETED };

/* Whether a partition may be reassigned at all; Kafka answers UNKNOWN_TOPIC_OR_PARTITION if not. */
bool kc_is_reassignable(struct kc_controller *c, uint32_t row);

/* Whether a reassignment to `target`, in place of the one that is under way, would give up all
   replicas that are in sync and live. Kafka does not ask (SM_DEFECT_CANCEL_DELETES_ONLY_COPY): then
   it is false. */
bool kc_loses_only_copy(struct kc_controller *c, uint32_t row, const struct sm_list *target);
/* The same of a goal (its target, and what is removed only at the end) and of an ISR just read. */
bool kc_loses_isr(struct kc_controller *c, uint32_t row, const struct sm_list *goal,
                  const struct sm_list *isr);

#endif
