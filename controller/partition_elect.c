/*
 * Elections: read the state, choose, write if nobody has written meanwhile; else again.
 *
 *     READ_STATE ──► nobody in the ISR lives? ──► READ_CONFIG (once a topic and call) ──┐
 *         ▲   │                                                                         │
 *         │   └────────────► sm_elect ◄─────────────────────────────────────────────────┘
 *         └── BADVERSION ── WRITE_STATE
 *
 * Source: Kafka 2.8.2 ZkPartitionStateMachine.electLeaderForPartitions, doElectLeaderForPartitions,
 * collectUncleanLeaderElectionState.
 */
#include "controller/partition_parts.h"

#include <stdio.h>
#include <string.h>

/* ---- elect ---- */

static bool select_election(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    if (c->call.target != SM_PARTITION_ONLINE) {
        return false;
    }
    for (uint32_t row = kc_set_next(c, KC_SET_WORK, f->cursor); row != KC_NO_ROW;
         row = kc_set_next(c, KC_SET_WORK, row + 1)) {
        f->cursor = row + 1;
        if (kc_row_at(c, row)->state != SM_PARTITION_NEW) {
            s->row = row;
            return true;
        }
    }
    return false;
}

enum { READ_STATE, READ_CONFIG, WRITE_STATE };

static bool ask_election(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                         struct kc_ask *ask)
{
    (void)f;
    switch (s->stage) {
    case READ_STATE:
        kc_ask_state_read(c, s->row, ask);
        return true;
    case READ_CONFIG:
        ask->opcode = WIRE_ZK_GET_DATA;
        sm_path_config_topic(ask->path, kc_row_topic(c, s->row));
        return true;
    case WRITE_STATE:
        kc_ask_state_write(c, s, ask);
        return true;
    }
    return false;
}

static void fail_election(struct kc_controller *c, uint32_t row, enum kc_result result,
                          const char *text)
{
    kc_row_at(c, row)->result = (uint8_t)result;
    kc_partition_failed(c, row, kc_row_at(c, row)->state, SM_PARTITION_ONLINE, text);
}

static void fail_election_zk(struct kc_controller *c, uint32_t row, int32_t err)
{
    kc_row_at(c, row)->result = KC_RESULT_ERROR;
    kc_partition_failed_zk(c, row, err);
}

/* The liveness of those who matter to one election: its replicas and its ISR. */
struct liveness {
    struct sm_list online, online_or_shutting_down, shutting_down;
};

static struct liveness liveness_of(struct kc_controller *c, uint32_t row,
                                   const struct sm_assignment *a, const struct sm_list *isr)
{
    struct liveness l = {0};
    bool overflow = false;
    struct sm_list all = sm_list_union(&a->replicas, isr, &overflow);

    for (int32_t i = 0; i < all.count; i++) {
        uint32_t broker = kc_broker_find(c, all.id[i]);
        if (broker == KC_NO_ROW) {
            continue;
        }
        if (kc_is_online(c, row, broker)) {
            sm_list_append(&l.online, all.id[i]);
        }
        if (kc_is_online_or_shutting_down(c, row, broker)) {
            sm_list_append(&l.online_or_shutting_down, all.id[i]);
        }
        if (kc_broker_is(c, broker, KC_BROKER_SHUTTING_DOWN)) {
            sm_list_append(&l.shutting_down, all.id[i]);
        }
    }
    return l;
}

static const char *strategy_text(const struct kc_controller *c, char *out, size_t size)
{
    if (c->call.strategy == SM_STRATEGY_OFFLINE) {
        snprintf(out, size, "%s(%s)", sm_strategy_name(SM_STRATEGY_OFFLINE),
                 c->call.allow_unclean ? "true" : "false");
    } else {
        snprintf(out, size, "%s", sm_strategy_name(c->call.strategy));
    }
    return out;
}

static enum kc_slot_next decide(struct kc_controller *c, struct kc_slot *s, bool unclean_allowed)
{
    struct sm_assignment a = kc_row_assignment(c, s->row);
    struct liveness live = liveness_of(c, s->row, &a, &s->plan.isr);
    struct sm_election_input in = {.strategy = c->call.strategy,
                                   .unclean_allowed = unclean_allowed,
                                   .profile = &c->config.profile,
                                   .assignment = &a,
                                   .current = &s->plan,
                                   .online = &live.online,
                                   .online_or_shutting_down = &live.online_or_shutting_down,
                                   .shutting_down = &live.shutting_down};
    struct sm_election elected = sm_elect(&in);
    uint64_t record = 0;

    if (kc_notes(c, KC_NOTE_DECIDE)) {
        record = kc_emit(c, &(struct kc_output){.kind = KC_OUT_DECIDE,
                                                .strategy = (uint8_t)c->call.strategy,
                                                .topic = kc_row_topic(c, s->row),
                                                .partition = kc_row_at(c, s->row)->partition,
                                                .election = &in,
                                                .elected = &elected});
    }
    if (elected.verdict == SM_ELECTION_NOT_NEEDED && kc_is_old(c)) {
        /* LeaderElectionNotNeededException is swallowed: Online, as if somebody had been elected */
        kc_row_at(c, s->row)->result = KC_RESULT_OK;
        kc_partition_online(c, s->row);
        return KC_SLOT_DONE;
    }
    if (elected.verdict == SM_NOT_ELECTED || elected.verdict == SM_ELECTION_NOT_NEEDED) {
        char strategy[96];
        char text[SM_PATH_MAX + 256];
        snprintf(text, sizeof text,
                 "kafka.common.StateChangeFailedException: Failed to elect leader for partition "
                 "%s-%d under strategy %s",
                 kc_row_topic(c, s->row), kc_row_at(c, s->row)->partition,
                 strategy_text(c, strategy, sizeof strategy));
        fail_election(c, s->row, KC_RESULT_FAILED, text);
        return KC_SLOT_DONE;
    }
    c->unclean_elections += elected.verdict == SM_ELECTED_UNCLEAN;
    s->plan = elected.next;
    s->plan.controller_epoch = c->epoch;
    if (c->call.strategy == SM_STRATEGY_REASSIGN) {
        kc_drop_unassigned(c, &a, &s->plan);
    }
    s->recipients = elected.recipients;
    s->stage = WRITE_STATE;
    c->cause = record != 0 ? record : c->cause;
    return KC_SLOT_ASK;
}

/* Only a partition whose ISR has nobody online asks whether it may be led by somebody else. */
static bool has_live_in_sync(struct kc_controller *c, struct kc_slot *s)
{
    bool any = kc_defect(c, SM_DEFECT_UNCLEAN_CONSIDERS_UNASSIGNED);
    struct sm_list replicas = kc_row_replicas(c, s->row);

    for (int32_t i = 0; i < s->plan.isr.count; i++) {
        int32_t id = s->plan.isr.id[i];
        if ((any || sm_list_has(&replicas, id)) && kc_is_online_id(c, s->row, id)) {
            return true;
        }
    }
    return false;
}

static enum kc_slot_next unclean_known(struct kc_controller *c, struct kc_slot *s)
{
    const struct kc_topic *t = kc_topic(c, kc_row_at(c, s->row)->topic - 1);

    if ((t->flags & KC_TOPIC_UNCLEAN_FAILED) != 0) {
        fail_election(c, s->row, KC_RESULT_FAILED,
                      "kafka.common.StateChangeFailedException: the topic's configuration could "
                      "not be read");
        return KC_SLOT_DONE;
    }
    return decide(c, s, (t->flags & KC_TOPIC_UNCLEAN) != 0);
}

static enum kc_slot_next consider(struct kc_controller *c, struct kc_slot *s)
{
    if (c->call.strategy != SM_STRATEGY_OFFLINE || has_live_in_sync(c, s)) {
        return decide(c, s, false);
    }
    if (c->call.allow_unclean) {
        return decide(c, s, true);
    }
    if (kc_topic(c, kc_row_at(c, s->row)->topic - 1)->config_call == c->call.number) {
        return unclean_known(c, s);
    }
    s->stage = READ_CONFIG;
    return KC_SLOT_ASK;
}

static enum kc_slot_next answer_state(struct kc_controller *c, struct kc_slot *s, int32_t err,
                                      const struct wire_zk_result_view *r)
{
    char text[SM_PATH_MAX + 400];

    switch (kc_read_state(c, s, err, r)) {
    case KC_STATE_READ:
        return consider(c, s);
    case KC_STATE_FAILED:
        fail_election_zk(c, s->row, err);
        return KC_SLOT_DONE;
    case KC_STATE_MISSING:
        snprintf(text, sizeof text,
                 "kafka.common.StateChangeFailedException: LeaderAndIsr information doesn't exist "
                 "for partition %s-%d in %s state",
                 kc_row_topic(c, s->row), kc_row_at(c, s->row)->partition,
                 sm_partition_state_name(kc_row_at(c, s->row)->state));
        break;
    case KC_STATE_NEWER_CONTROLLER:
        snprintf(
            text, sizeof text,
            "kafka.common.StateChangeFailedException: Aborted leader election for partition "
            "%s-%d since the LeaderAndIsr path was already written by another controller. This "
            "probably means that the current controller %d went through a soft failure and "
            "another controller was elected with epoch %d.",
            kc_row_topic(c, s->row), kc_row_at(c, s->row)->partition, c->config.broker.id,
            s->plan.controller_epoch);
        break;
    }
    fail_election(c, s->row, KC_RESULT_FAILED, text);
    return KC_SLOT_DONE;
}

static enum kc_slot_next answer_config(struct kc_controller *c, struct kc_slot *s, int32_t err,
                                       const struct wire_zk_result_view *r)
{
    struct kc_topic *t = kc_topic(c, kc_row_at(c, s->row)->topic - 1);
    bool unclean = c->config.unclean_leader_election != 0;
    bool failed = err != WIRE_ZK_OK && err != WIRE_ZK_NO_NODE;
    char value[16], path[SM_PATH_MAX];
    bool found = false;

    if (err == WIRE_ZK_OK) {
        failed = sm_znode_config_get((const char *)r->data, r->result->data_size,
                                     "unclean.leader.election.enable", value, sizeof value,
                                     &found) != SM_ERR_OK;
        if (failed) {
            sm_path_config_topic(path, kc_topic_name(t));
            kc_log_unreadable(c, path);
        }
        unclean = found ? strcmp(value, "true") == 0 : unclean;
    }
    t->config_call = c->call.number;
    t->flags &= ~(uint32_t)(KC_TOPIC_UNCLEAN | KC_TOPIC_UNCLEAN_FAILED);
    t->flags |= failed ? KC_TOPIC_UNCLEAN_FAILED : unclean ? KC_TOPIC_UNCLEAN : 0u;
    return unclean_known(c, s);
}

static enum kc_slot_next answer_write(struct kc_controller *c, struct kc_slot *s, int32_t err,
                                      const struct wire_zk_result_view *r)
{
    if (err == WIRE_ZK_BAD_VERSION && ++s->attempts < KC_ATTEMPTS_MAX) {
        s->stage = READ_STATE;
        return KC_SLOT_ASK;
    }
    if (err != WIRE_ZK_OK) {
        fail_election_zk(c, s->row, err);
        return KC_SLOT_DONE;
    }
    struct sm_assignment a = kc_row_assignment(c, s->row);
    s->plan.zk_version = r->result->stat.version;
    kc_put_leadership(c, s->row, &s->plan);
    kc_batch_leader_and_isr(c, &s->recipients, s->row, &s->plan, &a, false);
    kc_partition_online(c, s->row);
    kc_row_at(c, s->row)->result = KC_RESULT_OK;
    return KC_SLOT_DONE;
}

static enum kc_slot_next answer_election(struct kc_controller *c, struct kc_frame *f,
                                         struct kc_slot *s, int32_t err,
                                         const struct wire_zk_result_view *r)
{
    (void)f;
    switch (s->stage) {
    case READ_CONFIG:
        return answer_config(c, s, err, r);
    case WRITE_STATE:
        return answer_write(c, s, err, r);
    }
    return answer_state(c, s, err, r);
}

const struct kc_bulk kc_elect_leaders = {.select = select_election,
                                         .ask = ask_election,
                                         .answer = answer_election,
                                         .needs = kc_needs_state_znode};
