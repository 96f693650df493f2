/*
 * On the way to Offline a replica leaves the ISR of its partition.
 *
 *     READ_STATE ──► in the ISR? ──► (old versions, last member: READ_CONFIG) ──► WRITE_STATE
 *         ▲              │ no: only told                                              │
 *         └──────────────┴───────────────────────── BADVERSION ──────────────────────┘
 *
 * Source: Kafka 2.8.2 ZkReplicaStateMachine.removeReplicasFromIsr, doRemoveReplicasFromIsr;
 * KafkaController.removeReplicaFromIsr (before 1.1).
 */
#include "controller/partition_parts.h"
#include "controller/replica_parts.h"

#include <stdio.h>
#include <string.h>

static bool select_shrink(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    uint32_t first = kc_work_start(c)[c->call.group];
    uint32_t count = kc_work_start(c)[c->call.group + 1] - first;

    if (c->call.target != SM_REPLICA_OFFLINE) {
        return false;
    }
    while (f->cursor < count) {
        uint32_t row = kc_work_rows(c)[first + f->cursor++];
        if (row != KC_NO_ROW && kc_has_leadership(c, row)) {
            s->row = row;
            return true;
        }
    }
    return false;
}

enum { READ_STATE, WRITE_STATE, READ_CONFIG };

static bool ask_shrink(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                       struct kc_ask *ask)
{
    (void)f;
    switch (s->stage) {
    case READ_STATE:
        kc_ask_state_read(c, s->row, ask);
        break;
    case WRITE_STATE:
        kc_ask_state_write(c, s, ask);
        break;
    case READ_CONFIG:
        ask->opcode = WIRE_ZK_GET_DATA;
        sm_path_config_topic(ask->path, kc_row_topic(c, s->row));
        break;
    }
    return true;
}

static void gone_offline(struct kc_controller *c, uint32_t row, const struct sm_leader_and_isr *li)
{
    uint32_t broker = kc_group_broker(c);
    struct sm_assignment a = kc_row_assignment(c, row);
    struct sm_list others = sm_list_without(&a.replicas, kc_broker(c, broker)->id);

    if (kc_notes(c, KC_NOTE_LOG | KC_NOTE_LOG_TRACE)) {
        char text[SM_REPLICAS_MAX * 13 + 128];
        kc_state_log(
            c, KC_INFO,
            "Partition %s-%d state changed to (Leader:%d,ISR:%s,LeaderEpoch:%d,ZkVersion:%d,"
            "ControllerEpoch:%d) after removing replica %d from the ISR as part of "
            "transition to OfflineReplica",
            kc_row_topic(c, row), kc_row_at(c, row)->partition, li->leader,
            kc_text_list(text, sizeof text, &li->isr, ","), li->leader_epoch, li->zk_version,
            li->controller_epoch, kc_broker(c, broker)->id);
    }
    kc_put_leadership(c, row, li);
    if (!kc_is_given_up(c, row)) {
        kc_batch_leader_and_isr(c, &others, row, li, &a, false);
    }
    kc_move_replica(c, row, broker, SM_REPLICA_OFFLINE);
}

/* Old versions let the last member go where an unclean election may follow: the topic's word. */
static bool depends_on_topic(const struct kc_controller *c, const struct sm_leader_and_isr *li)
{
    return li->isr.count == 1 && !sm_rule_on(&c->config.profile, SM_RULE_KEEP_LAST_ISR);
}

static void log_retained(struct kc_controller *c, uint32_t row)
{
    char name[SM_PATH_MAX];

    if (!kc_logs_old(c)) {
        return;
    }
    kc_text_row(c, row, name, sizeof name);
    kc_log_old(c, KC_INFO,
               "[Controller id=%d] Retaining last ISR %d of partition %s since unclean leader "
               "election is disabled",
               c->config.broker.id, kc_broker(c, kc_group_broker(c))->id, name);
}

/* Of several replicas that leave, the first takes the others out of the ISR, too: else brokers
   would be told of an ISR outside of its replicas (KAFKA-9672). Returns whether it takes any. */
static bool strays_leave(struct kc_controller *c, struct kc_slot *s)
{
    struct sm_assignment a = kc_row_assignment(c, s->row);
    struct sm_leader_and_isr left = s->plan;

    kc_drop_unassigned(c, &a, &left);
    if (left.isr.count == s->plan.isr.count ||
        (left.leader != SM_NO_LEADER && !sm_list_has(&left.isr, left.leader))) {
        return false;
    }
    s->plan = left;
    return true;
}

/* Whom a leader may be taking into the ISR at this moment, a replica that is no longer assigned:
   the state is written with the ISR that it has, so that the leader's write, which is under way, is
   refused. The epoch rises with it: a leader that is told of a version in the epoch that it knows
   keeps the old one (Partition.makeLeader is not asked), and no ISR write of it succeeds again. */
static bool may_be_joining(struct kc_controller *c, const struct kc_slot *s)
{
    return sm_rule_on(&c->config.profile, SM_RULE_REASSIGNMENT_IN_TOPIC) &&
           !kc_row_has_replica(c, s->row, kc_group_broker(c)) &&
           !kc_defect(c, SM_DEFECT_CANCEL_HALF_DONE);
}

static enum kc_slot_next write_without(struct kc_controller *c, struct kc_slot *s, bool keep_last)
{
    if (keep_last && s->plan.isr.count == 1) {
        log_retained(c, s->row);
    }
    s->plan = sm_leader_and_isr_remove(&s->plan, kc_broker(c, kc_group_broker(c))->id, keep_last);
    strays_leave(c, s);
    s->plan.controller_epoch = c->epoch;
    s->stage = WRITE_STATE;
    return KC_SLOT_ASK;
}

void kc_replica_without_state(struct kc_controller *c, uint32_t row)
{
    char name[SM_PATH_MAX];
    char text[SM_PATH_MAX + 200];

    if (kc_is_queued(c, row) && !sm_rule_on(&c->config.profile, SM_RULE_OFFLINE_NEEDS_LEADERSHIP)) {
        return; /* neither success nor failure: the state stays as it is */
    }
    kc_text_row(c, row, name, sizeof name);
    snprintf(text, sizeof text,
             "kafka.common.StateChangeFailedException: Failed to change state of replica %d for "
             "partition %s since the leader and isr path in zookeeper is empty",
             kc_broker(c, kc_group_broker(c))->id, name);
    kc_replica_failed(c, row, kc_group_broker(c), SM_REPLICA_OFFLINE, text);
}

static void fail_newer_controller(struct kc_controller *c, uint32_t row, int32_t epoch)
{
    char text[400];

    snprintf(text, sizeof text,
             "kafka.common.StateChangeFailedException: Leader and isr path written by another "
             "controller. This probably means the current controller with epoch %d went through a "
             "soft failure and another controller was elected with epoch %d. Aborting state change "
             "by this controller",
             c->epoch, epoch);
    kc_replica_failed(c, row, kc_group_broker(c), SM_REPLICA_OFFLINE, text);
}

static void log_shrunk(struct kc_controller *c, const struct kc_slot *s)
{
    char name[SM_PATH_MAX], isr[SM_REPLICAS_MAX * 13];

    if (!kc_logs_old(c)) {
        return;
    }
    kc_text_row(c, s->row, name, sizeof name);
    kc_log_old(c, KC_INFO,
               "[Controller id=%d] New leader and ISR for partition %s is "
               "{\"leader\":%d,\"leader_epoch\":%d,\"isr\":[%s]}",
               c->config.broker.id, name, s->plan.leader, s->plan.leader_epoch,
               kc_text_list(isr, sizeof isr, &s->plan.isr, ","));
}

static void log_not_in_isr(struct kc_controller *c, const struct kc_slot *s)
{
    char name[SM_PATH_MAX], isr[SM_REPLICAS_MAX * 13];

    if (!kc_logs_old(c)) {
        return;
    }
    kc_text_row(c, s->row, name, sizeof name);
    kc_log_old(
        c, KC_WARN,
        "[Controller id=%d] Cannot remove replica %d from ISR of partition %s since it is not "
        "in the ISR. Leader = %d ; ISR = List(%s)",
        c->config.broker.id, kc_broker(c, kc_group_broker(c))->id, name, s->plan.leader,
        kc_text_list(isr, sizeof isr, &s->plan.isr, ", "));
}

static enum kc_slot_next read_shrink(struct kc_controller *c, struct kc_slot *s, int32_t err,
                                     const struct wire_zk_result_view *r)
{
    int32_t broker = kc_broker(c, kc_group_broker(c))->id;
    char name[SM_PATH_MAX];

    switch (kc_read_state(c, s, err, r)) {
    case KC_STATE_FAILED:
        kc_replica_failed_zk(c, s->row, err);
        return KC_SLOT_DONE;
    case KC_STATE_MISSING:
        kc_text_row(c, s->row, name, sizeof name); /* rare: need not be cheap */
        kc_log_old(c, KC_WARN,
                   "[Controller id=%d] Cannot remove replica %d from ISR of %s - leaderAndIsr is "
                   "empty.",
                   c->config.broker.id, broker, name);
        kc_replica_without_state(c, s->row);
        return KC_SLOT_DONE;
    case KC_STATE_NEWER_CONTROLLER:
        fail_newer_controller(c, s->row, s->plan.controller_epoch);
        return KC_SLOT_DONE;
    case KC_STATE_READ:
        break;
    }
    if (!sm_list_has(&s->plan.isr, broker)) {
        log_not_in_isr(c, s);
        s->plan.controller_epoch = c->epoch;
        if (strays_leave(c, s) || may_be_joining(c, s)) {
            s->plan = sm_leader_and_isr_bump(&s->plan, s->plan.leader, &s->plan.isr);
            s->stage = WRITE_STATE;
            return KC_SLOT_ASK;
        }
        gone_offline(c, s->row, &s->plan);
        return KC_SLOT_DONE;
    }
    if (depends_on_topic(c, &s->plan)) {
        s->stage = READ_CONFIG;
        return KC_SLOT_ASK;
    }
    return write_without(c, s, true);
}

static enum kc_slot_next answer_config(struct kc_controller *c, struct kc_slot *s, int32_t err,
                                       const struct wire_zk_result_view *r)
{
    bool unclean = c->config.unclean_leader_election != 0;
    char value[16], path[SM_PATH_MAX];
    bool found = false;

    if (err != WIRE_ZK_OK && err != WIRE_ZK_NO_NODE) {
        kc_replica_failed_zk(c, s->row, err);
        return KC_SLOT_DONE;
    }
    if (err == WIRE_ZK_OK && sm_znode_config_get((const char *)r->data, r->result->data_size,
                                                 "unclean.leader.election.enable", value,
                                                 sizeof value, &found) != SM_ERR_OK) {
        sm_path_config_topic(path, kc_row_topic(c, s->row));
        kc_log_unreadable(c, path);
        found = false;
    }
    if (found) {
        unclean = strcmp(value, "true") == 0;
    }
    return write_without(c, s, !unclean);
}

static enum kc_slot_next answer_shrink(struct kc_controller *c, struct kc_frame *f,
                                       struct kc_slot *s, int32_t err,
                                       const struct wire_zk_result_view *r)
{
    (void)f;
    switch (s->stage) {
    case READ_STATE:
        return read_shrink(c, s, err, r);
    case READ_CONFIG:
        return answer_config(c, s, err, r);
    }
    if (err == WIRE_ZK_OK) {
        s->plan.zk_version = r->result->stat.version;
        log_shrunk(c, s);
        gone_offline(c, s->row, &s->plan);
        return KC_SLOT_DONE;
    }
    if (err == WIRE_ZK_BAD_VERSION && ++s->attempts < KC_ATTEMPTS_MAX) {
        s->stage = READ_STATE; /* somebody wrote in between: read again */
        return KC_SLOT_ASK;
    }
    kc_replica_failed_zk(c, s->row, err);
    return KC_SLOT_DONE;
}

const struct kc_bulk kc_shrink_isr = {.select = select_shrink,
                                      .ask = ask_shrink,
                                      .answer = answer_shrink,
                                      .needs = kc_needs_state_znode};
