/*
 * Raising a leader epoch without an election: everybody is told of a new assignment under it, and
 * what the leader was told before is stale.
 *
 * Source: Kafka 2.8.2 KafkaController.updateLeaderEpochAndSendRequest, updateLeaderEpoch.
 */
#include "controller/partition_parts.h"

#include <string.h>

/* arg: the row; its assignment is the one that the request carries. */
static bool select_bump(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    s->row = f->arg;
    if (f->cursor++ > 0) {
        return false;
    }
    kc_log(c, KC_DEBUG, "[Controller id=%d] Updating leader epoch for partition %s-%d",
           c->config.broker.id, kc_row_topic(c, s->row), kc_row_at(c, s->row)->partition);
    return true;
}

static bool ask_bump(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                     struct kc_ask *ask)
{
    (void)f;
    if (s->stage == 0) {
        kc_ask_state_read(c, s->row, ask);
    } else {
        kc_ask_state_write(c, s, ask);
    }
    return true;
}

static enum kc_slot_next read_bump(struct kc_controller *c, struct kc_slot *s, int32_t err,
                                   const struct wire_zk_result_view *r)
{
    switch (kc_read_state(c, s, err, r)) {
    case KC_STATE_READ:
        break;
    case KC_STATE_FAILED:
        return kc_slot_throw(c, err);
    case KC_STATE_MISSING:
        kc_throw(
            c, SM_ERR_ILLEGAL_STATE,
            "java.lang.IllegalStateException: Cannot update leader epoch for partition %s-%d as "
            "leaderAndIsr path is empty.",
            kc_row_topic(c, s->row), kc_row_at(c, s->row)->partition);
        return KC_SLOT_FAIL;
    case KC_STATE_NEWER_CONTROLLER:
        kc_throw(c, SM_ERR_ILLEGAL_STATE,
                 "kafka.common.StateChangeFailedException: Leader and isr path written by another "
                 "controller.");
        return KC_SLOT_FAIL;
    }
    s->plan = sm_leader_and_isr_bump(&s->plan, s->plan.leader, &s->plan.isr);
    s->plan.controller_epoch = c->epoch;
    struct sm_assignment a = kc_row_assignment(c, s->row);
    kc_drop_unassigned(c, &a, &s->plan);
    s->stage = 1;
    return KC_SLOT_ASK;
}

static enum kc_slot_next answer_bump(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                     int32_t err, const struct wire_zk_result_view *r)
{
    if (s->stage == 0) {
        return read_bump(c, s, err, r);
    }
    if (err == WIRE_ZK_BAD_VERSION && ++s->attempts < KC_ATTEMPTS_MAX) {
        s->stage = 0;
        return KC_SLOT_ASK;
    }
    if (err != WIRE_ZK_OK) {
        return kc_slot_throw(c, err);
    }
    s->plan.zk_version = r->result->stat.version;
    if (kc_defect(c, SM_DEFECT_BUMP_NOT_KEPT)) { /* only the request that follows says it */
        f->arg2 = kc_keep_bytes(c, &s->plan, sizeof s->plan);
    } else {
        kc_put_leadership(c, s->row, &s->plan);
    }
    kc_log(c, KC_INFO,
           "[Controller id=%d] Updated leader epoch for partition %s-%d to %d, zkVersion=%d",
           c->config.broker.id, kc_row_topic(c, s->row), kc_row_at(c, s->row)->partition,
           s->plan.leader_epoch, s->plan.zk_version);
    return KC_SLOT_DONE;
}

static const struct kc_bulk bump = {
    .select = select_bump, .ask = ask_bump, .answer = answer_bump, .needs = kc_needs_state_znode};

static enum kc_next send_bumped(struct kc_controller *c, struct kc_frame *f)
{
    struct sm_leader_and_isr li = kc_row_leadership(c, f->arg);
    struct sm_assignment a = kc_row_assignment(c, f->arg);
    struct sm_list origin = sm_assignment_origin(&a);

    if (kc_defect(c, SM_DEFECT_BUMP_NOT_KEPT)) {
        memcpy(&li, kc_scratch(c) + f->arg2, sizeof li);
    }
    kc_batch_begin(c, KC_OWNER_CONTROLLER);
    kc_batch_leader_and_isr(c, &origin, f->arg, &li, &a, false);
    kc_batch_leader_and_isr(c, &a.adding, f->arg, &li, &a, true);
    kc_batch_send(c);
    if (kc_notes(c, KC_NOTE_LOG | KC_NOTE_LOG_TRACE)) {
        char isr[SM_REPLICAS_MAX * 13];
        char assignment[SM_REPLICAS_MAX * 40];
        kc_text_assignment(assignment, sizeof assignment, &a);
        kc_state_log(c, KC_INFO,
                     "Sent LeaderAndIsr request (Leader:%d,ISR:%s,LeaderEpoch:%d,ZkVersion:%d,"
                     "ControllerEpoch:%d) "
                     "with new replica assignment %s to leader %d for partition being reassigned "
                     "%s-%d",
                     li.leader, kc_text_list(isr, sizeof isr, &li.isr, ","), li.leader_epoch,
                     li.zk_version, li.controller_epoch, assignment, li.leader,
                     kc_row_topic(c, f->arg), kc_row_at(c, f->arg)->partition);
    }
    return KC_NEXT;
}

static const struct kc_row bump_rows[] = {
    {.name = "raise the leader epoch", .bulk = &bump}, {.name = "send", .run = send_bumped}, {0}};

const struct kc_flow_def kc_flow_BUMP_EPOCH = {.name = "updateLeaderEpochAndSendRequest",
                                               .rows = bump_rows};
