/*
 * Is all of the target in the ISR? What divides the two phases of a reassignment.
 *
 *     onPartitionReassignment ─► is it? ── no ──► phase A, and the state znode is watched
 *                                  │ yes                          │
 *                                  ▼                              ▼ it changes
 *                               phase B ◄── onPartitionReassignment ◄─ yes ─ is it?
 *
 * Invariant: a partition of KC_SET_REASSIGNING has a watch on its state znode, so that no ISR that
 * would complete it is missed. Exception: a partition that nobody has led yet has no such znode;
 * then its creation is awaited.
 *
 * Source: Kafka KafkaController.isReassignmentComplete, processPartitionReassignmentIsrChange,
 * maybeCompleteReassignment.
 */
#include "controller/reassignment_parts.h"

/* ---- the question ---- */

bool kc_reassign_ask_isr(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                         struct kc_ask *ask)
{
    (void)f;
    kc_ask_state_read(c, s->row, ask);
    if (s->stage == KC_REASSIGN_AWAIT) {
        ask->opcode = WIRE_ZK_EXISTS;
    }
    return true;
}

/* A partition that nobody has led yet has no state to be watched: Kafka is then never told of its
   first ISR, and the reassignment waits for ever. Without the defect its creation is watched. */
static enum kc_slot_next await_state(struct kc_controller *c, struct kc_slot *s, int32_t err)
{
    if (kc_defect(c, SM_DEFECT_UNLED_UNWATCHED) || s->stage == KC_REASSIGN_AWAIT) {
        s->stage = KC_REASSIGN_READ;
        return err == WIRE_ZK_OK ? KC_SLOT_ASK : KC_SLOT_DONE;
    }
    s->stage = KC_REASSIGN_AWAIT;
    return KC_SLOT_ASK;
}

/* Kafka completes a reassignment though all of its target is shutting down: nobody is elected, and
   the leader is stopped. Without the defect it waits until one of them starts. */
static bool may_lead(struct kc_controller *c, uint32_t row, const struct sm_list *target)
{
    bool any = kc_defect(c, SM_DEFECT_COMPLETED_UNLED);

    for (int32_t i = 0; i < target->count; i++) {
        any = any || kc_is_online_id(c, row, target->id[i]);
    }
    return any;
}

/* Sets KC_REASSIGN_COMPLETE where all of the target is in the ISR. */
enum kc_slot_next kc_reassign_judge_isr(struct kc_controller *c, struct kc_frame *f,
                                        struct kc_slot *s, int32_t err,
                                        const struct wire_zk_result_view *r,
                                        const struct sm_assignment *a)
{
    struct sm_list target = sm_assignment_target(a);

    if (s->stage == KC_REASSIGN_AWAIT) {
        return await_state(c, s, err);
    }
    switch (kc_read_state(c, s, err, r)) {
    case KC_STATE_READ:
    case KC_STATE_NEWER_CONTROLLER:
        f->flags |= sm_list_subset(&target, &s->plan.isr) && may_lead(c, s->row, &target)
                        ? KC_REASSIGN_COMPLETE
                        : 0;
        return KC_SLOT_DONE;
    case KC_STATE_MISSING:
        return await_state(c, s, err);
    case KC_STATE_FAILED:
        break;
    }
    return kc_slot_throw(c, err);
}

/* ---- PartitionReassignmentIsrChange, maybeCompleteReassignment: arg row + 1, or 0 ---- */

static enum kc_next find_partition(struct kc_controller *c, struct kc_frame *f)
{
    if (f->arg == 0) {
        uint32_t row = kc_row_named(c, kc_event_bytes(c, &c->event), c->event.partition);
        if (!kc_is_active(c) || row == KC_NO_ROW || !kc_set_has(c, KC_SET_REASSIGNING, row)) {
            return KC_RETURN;
        }
        f->arg = row + 1;
    }
    struct sm_assignment a = kc_row_assignment(c, f->arg - 1);
    f->flags = sm_assignment_is_being_reassigned(&a) ? 0 : KC_REASSIGN_COMPLETE;
    return KC_NEXT;
}

static bool select_changed(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    s->row = f->arg - 1;
    return (f->flags & KC_REASSIGN_COMPLETE) == 0 && kc_select_once(c, f, s);
}

static enum kc_slot_next answer_changed(struct kc_controller *c, struct kc_frame *f,
                                        struct kc_slot *s, int32_t err,
                                        const struct wire_zk_result_view *r)
{
    struct sm_assignment a = kc_row_assignment(c, s->row);

    return kc_reassign_judge_isr(c, f, s, err, r, &a);
}

static const struct kc_bulk read_changed = {.select = select_changed,
                                            .ask = kc_reassign_ask_isr,
                                            .answer = answer_changed,
                                            .needs = kc_needs_state_znode};

static enum kc_next complete(struct kc_controller *c, struct kc_frame *f)
{
    char text[SM_REPLICAS_MAX * 13];

    if ((f->flags & KC_REASSIGN_COMPLETE) == 0) {
        return KC_NEXT;
    }
    struct sm_assignment a = kc_row_assignment(c, f->arg - 1);
    struct sm_list target = sm_assignment_target(&a);
    kc_log(
        c, KC_INFO,
        "[Controller id=%d] Target replicas ArrayBuffer(%s) have all caught up with the leader for "
        "reassigning partition %s-%d",
        c->config.broker.id, kc_text_list(text, sizeof text, &target, ", "),
        kc_row_topic(c, f->arg - 1), kc_row_at(c, f->arg - 1)->partition);
    kc_reassign_call(c, f->arg - 1, &a);
    return KC_NEXT;
}

static const struct kc_row isr_change_rows[] = {
    {.name = "which partition", .run = find_partition},
    {.name = "is the target in the ISR?", .bulk = &read_changed},
    {.name = "complete", .run = complete},
    {0},
};
const struct kc_flow_def kc_flow_REASSIGN_ISR_CHANGE = {.name = "maybeCompleteReassignment",
                                                        .rows = isr_change_rows};
