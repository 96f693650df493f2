/*
 * What the files of reassignments share.
 *
 *     reassignment_znode.c ─┐  KC_FLOW_REASSIGN_GUARDED
 *     reassignment_calls.c ─┼─► reassignment.c ─► KC_FLOW_REASSIGN_REMOVE (reassignment_znode.c)
 *     reassignment_isr.c ───┘     its rows of phase B: reassignment_finish.c
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

/* frame.flags of the flow, and of the one that follows an ISR change (COMPLETE only) */
enum {
    KC_REASSIGN_CHANGED = 1,
    KC_REASSIGN_COMPLETE = 2,
    KC_REASSIGN_UNLED = 4,
    KC_REASSIGN_STOPPED_LEADER = 8,
};

/* ---- reassignment_isr.c ---- */

enum { KC_REASSIGN_READ, KC_REASSIGN_AWAIT }; /* slot.stage */
/* Asks for the ISR and, as the `answer` of a row does, sets COMPLETE where all of the target of `a`
   is in it, and one of them may lead. */
bool kc_reassign_ask_isr(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                         struct kc_ask *ask);
enum kc_slot_next kc_reassign_judge_isr(struct kc_controller *c, struct kc_frame *f,
                                        struct kc_slot *s, int32_t err,
                                        const struct wire_zk_result_view *r,
                                        const struct sm_assignment *a);

/* ---- reassignment_finish.c: rows of the flow, in this order ---- */

/* Each is the `run` of a row: B1 (New, then Online), B2, B3, B4 and B5, B7 (twice), B8 (twice). */
enum kc_next kc_reassign_add_new(struct kc_controller *c, struct kc_frame *f);
enum kc_next kc_reassign_add_online(struct kc_controller *c, struct kc_frame *f);
enum kc_next kc_reassign_only_target(struct kc_controller *c, struct kc_frame *f);
enum kc_next kc_reassign_lead(struct kc_controller *c, struct kc_frame *f);
enum kc_next kc_reassign_stop(struct kc_controller *c, struct kc_frame *f);
enum kc_next kc_reassign_leave_znode(struct kc_controller *c, struct kc_frame *f);
enum kc_next kc_reassign_leave_memory(struct kc_controller *c, struct kc_frame *f);
enum kc_next kc_reassign_tell(struct kc_controller *c, struct kc_frame *f);
enum kc_next kc_reassign_resume_deletion(struct kc_controller *c, struct kc_frame *f);
extern const struct kc_bulk kc_reassign_write_target;

/* ---- reassignment.c ---- */

/* The line of a written assignment. */
void kc_reassign_log_updated(struct kc_controller *c, uint32_t row, const struct sm_assignment *a);

#endif
