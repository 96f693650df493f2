/*
 * The partition state machine at work: move many partitions to one state.
 *
 *   check         which may move (the table decides); New, Offline and NonExistent are done here,
 *                 for they touch neither ZooKeeper nor brokers
 *   initialise    New -> Online: leader and ISR are the live replicas; three waves of creates
 *   elect         Offline or Online -> Online: read the state, choose, write if unchanged
 *   send          one batch for the call
 *
 * An election always writes, also where the leader stays: the epoch rises and everybody is told.
 * The results stay in the rows (kc_partition.result) until the caller has looked at them.
 *
 * Source: Kafka 2.8.2 ZkPartitionStateMachine, Election.scala.
 */
#include "controller/state.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void call(struct kc_controller *c, enum sm_partition_state target, enum sm_strategy strategy,
                 bool allow_unclean)
{
    c->call.target = target;
    c->call.strategy = strategy;
    c->call.allow_unclean = allow_unclean;
    c->call.number++;
    kc_call(c, KC_FLOW_PARTITION_CHANGE, 0);
}

void kc_partitions_call(struct kc_controller *c, enum sm_partition_state target,
                        enum sm_strategy strategy, bool allow_unclean)
{
    if (!kc_set_is_empty(c, KC_SET_WORK)) {
        call(c, target, strategy, allow_unclean);
        if (kc_is_old(c)) {
            kc_log_invoked_partitions(c);
        }
    }
}

/* ---- reading and writing a state znode, shared with the other flows ---- */

enum kc_state_read kc_read_state(struct kc_controller *c, struct kc_slot *s, int32_t err,
                                 const struct wire_zk_result_view *r)
{
    struct sm_leader_and_isr *li = &s->plan;
    char path[SM_PATH_MAX];

    if (err == WIRE_ZK_NO_NODE) {
        return KC_STATE_MISSING;
    }
    if (err != WIRE_ZK_OK) {
        return KC_STATE_FAILED;
    }
    if (sm_znode_decode_state((const char *)r->data, r->result->data_size, r->result->stat.version,
                              li) != SM_ERR_OK) {
        sm_path_partition_state(path, kc_row_topic(c, s->row), kc_row_at(c, s->row)->partition);
        kc_log_unreadable(c, path);
        return KC_STATE_MISSING;
    }
    return li->controller_epoch > c->epoch ? KC_STATE_NEWER_CONTROLLER : KC_STATE_READ;
}

void kc_ask_state_read(struct kc_controller *c, uint32_t row, struct kc_ask *ask)
{
    ask->opcode = WIRE_ZK_GET_DATA;
    ask->watch = (kc_row_at(c, row)->flags & KC_PARTITION_STATE_WATCH) != 0;
    sm_path_partition_state(ask->path, kc_row_topic(c, row), kc_row_at(c, row)->partition);
}

void kc_ask_state_write(struct kc_controller *c, struct kc_slot *s, struct kc_ask *ask)
{
    ask->opcode = WIRE_ZK_SET_DATA;
    ask->fenced = 1;
    ask->version = s->plan.zk_version;
    ask->data_size = (uint32_t)sm_znode_encode_state(ask->small, &s->plan);
    ask->data = ask->small;
    ask->has_data = 1;
    sm_path_partition_state(ask->path, kc_row_topic(c, s->row), kc_row_at(c, s->row)->partition);
}

/* ---- log ---- */

static void log_failed(struct kc_controller *c, uint32_t row, enum sm_partition_state from,
                       enum sm_partition_state to, const char *exception)
{
    if (!kc_notes(c, KC_NOTE_LOG | KC_NOTE_LOG_TRACE)) {
        return;
    }
    kc_state_log(
        c, KC_ERROR,
        "Controller %d epoch %d failed to change state for partition %s-%d from %s to %s\n%s",
        c->config.broker.id, c->epoch, kc_row_topic(c, row), kc_row_at(c, row)->partition,
        sm_partition_state_name(from), sm_partition_state_name(to), exception);
    kc_state_log_old(c, KC_ERROR,
                     "initiated state change for partition [%s,%d] from %s to %s failed\n%s",
                     kc_row_topic(c, row), kc_row_at(c, row)->partition,
                     sm_partition_state_name(from), sm_partition_state_name(to), exception);
}

static void text_predecessors(struct kc_controller *c, enum sm_partition_state to, char *out,
                              size_t size)
{
    uint32_t allowed = sm_partition_predecessors(&c->config.profile, to);
    size_t at = 0;

    out[0] = '\0';
    for (int s = SM_PARTITION_NEW; s <= SM_PARTITION_NONEXISTENT && at < size; s++) {
        if ((allowed >> s & 1) != 0) {
            at += (size_t)snprintf(out + at, size - at, "%s%s", at > 0 ? "," : "",
                                   sm_partition_state_name(s));
        }
    }
}

static void refuse(struct kc_controller *c, uint32_t row, enum sm_partition_state to)
{
    enum sm_partition_state from = kc_row_at(c, row)->state;
    char allowed[128];
    char text[512];

    text_predecessors(c, to, allowed, sizeof allowed);
    snprintf(
        text, sizeof text,
        "java.lang.IllegalStateException: Partition %s-%d should be in one of %s states before "
        "moving to %s state. Instead it is in %s state",
        kc_row_topic(c, row), kc_row_at(c, row)->partition, allowed, sm_partition_state_name(to),
        sm_partition_state_name(from));
    if (kc_notes(c, KC_NOTE_MOVE)) {
        kc_emit(c, &(struct kc_output){.kind = KC_OUT_MOVE,
                                       .machine = KC_MACHINE_PARTITION,
                                       .topic = kc_row_topic(c, row),
                                       .partition = kc_row_at(c, row)->partition,
                                       .from = (uint8_t)from,
                                       .to = (uint8_t)to,
                                       .text = text});
    }
    log_failed(c, row, from, to, text);
}

static void log_simple(struct kc_controller *c, uint32_t row, enum sm_partition_state to)
{
    const struct kc_partition *p = kc_row_at(c, row);
    char list[SM_REPLICAS_MAX * 13];

    if (!kc_notes(c, KC_NOTE_LOG | KC_NOTE_LOG_TRACE)) {
        return;
    }
    if (to == SM_PARTITION_NEW) {
        struct sm_list replicas = kc_row_replicas(c, row);
        kc_state_log(
            c, KC_INFO,
            "Changed partition %s-%d state from %s to NewPartition with assigned replicas %s",
            kc_row_topic(c, row), p->partition, sm_partition_state_name(p->state),
            kc_text_list(list, sizeof list, &replicas, ","));
        kc_state_log_old(
            c, KC_TRACE,
            "changed partition [%s,%d] state from %s to NewPartition with assigned replicas %s",
            kc_row_topic(c, row), p->partition, sm_partition_state_name(p->state), list);
    } else {
        kc_state_log(c, KC_TRACE, "Changed partition %s-%d state from %s to %s",
                     kc_row_topic(c, row), p->partition, sm_partition_state_name(p->state),
                     sm_partition_state_name(to));
        kc_state_log_old(c, KC_TRACE, "changed partition [%s,%d] state from %s to %s",
                         kc_row_topic(c, row), p->partition, sm_partition_state_name(p->state),
                         sm_partition_state_name(to));
    }
}

static void go_online(struct kc_controller *c, uint32_t row)
{
    if (kc_notes(c, KC_NOTE_LOG | KC_NOTE_LOG_TRACE)) {
        struct sm_leader_and_isr li = kc_row_leadership(c, row);
        char text[SM_REPLICAS_MAX * 13 + 128];
        kc_text_leadership(text, sizeof text, &li);
        kc_state_log(c, KC_INFO, "Changed partition %s-%d from %s to OnlinePartition with state %s",
                     kc_row_topic(c, row), kc_row_at(c, row)->partition,
                     sm_partition_state_name(kc_row_at(c, row)->state), text);
        kc_state_log_old(c, KC_TRACE,
                         "changed partition [%s,%d] from %s to OnlinePartition with leader %d",
                         kc_row_topic(c, row), kc_row_at(c, row)->partition,
                         sm_partition_state_name(kc_row_at(c, row)->state), li.leader);
    }
    kc_put_partition_state(c, row, SM_PARTITION_ONLINE, false);
}

/* ---- rows ---- */

static enum kc_next begin(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (!kc_batch_begin(c, KC_OWNER_PARTITIONS)) {
        return kc_throw(c, SM_ERR_ILLEGAL_STATE,
                        "java.lang.IllegalStateException: Controller to broker state change "
                        "requests batch is not empty while creating a new one");
    }
    return KC_NEXT;
}

static enum kc_next check(struct kc_controller *c, struct kc_frame *f)
{
    for (uint32_t row = kc_set_next(c, KC_SET_WORK, f->cursor); row != KC_NO_ROW;
         row = kc_set_next(c, KC_SET_WORK, row + 1)) {
        f->cursor = row + 1;
        kc_row_at(c, row)->result = KC_RESULT_NONE;
        if (!sm_partition_may_move(&c->config.profile, kc_row_at(c, row)->state, c->call.target)) {
            refuse(c, row, c->call.target);
            kc_set_remove(c, KC_SET_WORK, row);
        } else if (c->call.target != SM_PARTITION_ONLINE) {
            log_simple(c, row, c->call.target);
            kc_put_partition_state(c, row, c->call.target, false);
        }
        if (kc_worked(c)) {
            return KC_YIELD;
        }
    }
    return KC_NEXT;
}

static struct sm_list live_replicas(struct kc_controller *c, uint32_t row)
{
    const struct kc_partition *p = kc_row_at(c, row);
    struct sm_list live = {0};

    for (uint32_t i = 0; i < p->replica_count; i++) {
        uint32_t broker = kc_replicas(c, p)[i];
        if (kc_is_online(c, row, broker)) {
            sm_list_append(&live, kc_broker(c, broker)->id);
        }
    }
    return live;
}

static void fail_no_live_replica(struct kc_controller *c, uint32_t row)
{
    struct sm_list replicas = kc_row_replicas(c, row);
    char list[SM_REPLICAS_MAX * 13];
    char live[1024];
    char text[2048];

    kc_text_brokers(c, live, sizeof live, ", ", KC_BROKER_LIVE | KC_BROKER_SHUTTING_DOWN,
                    KC_BROKER_LIVE);
    snprintf(text, sizeof text,
             "kafka.common.StateChangeFailedException: Controller %d epoch %d encountered error "
             "during state change of partition %s-%d from New to Online, assigned replicas are "
             "[%s], live brokers are [Set(%s)]. No assigned replica is alive.",
             c->config.broker.id, c->epoch, kc_row_topic(c, row), kc_row_at(c, row)->partition,
             kc_text_list(list, sizeof list, &replicas, ","), live);
    log_failed(c, row, SM_PARTITION_NEW, SM_PARTITION_ONLINE, text);
}

/* New partitions without a live replica stay New; the next broker that starts tries again. */
static enum kc_next find_live(struct kc_controller *c, struct kc_frame *f)
{
    if (c->call.target != SM_PARTITION_ONLINE) {
        return KC_NEXT;
    }
    for (uint32_t row = kc_set_next(c, KC_SET_WORK, f->cursor); row != KC_NO_ROW;
         row = kc_set_next(c, KC_SET_WORK, row + 1)) {
        f->cursor = row + 1;
        if (kc_row_at(c, row)->state == SM_PARTITION_NEW && live_replicas(c, row).count == 0) {
            fail_no_live_replica(c, row);
            kc_set_remove(c, KC_SET_WORK, row);
        }
        if (kc_worked(c)) {
            return KC_YIELD;
        }
    }
    return KC_NEXT;
}

/* ---- initialise: three waves of creates; only the last one's answer counts ---- */

static uint32_t next_new(struct kc_controller *c, struct kc_frame *f)
{
    if (c->call.target != SM_PARTITION_ONLINE) {
        return KC_NO_ROW;
    }
    for (uint32_t row = kc_set_next(c, KC_SET_WORK, f->cursor); row != KC_NO_ROW;
         row = kc_set_next(c, KC_SET_WORK, row + 1)) {
        f->cursor = row + 1;
        if (kc_row_at(c, row)->state == SM_PARTITION_NEW) {
            return row;
        }
    }
    return KC_NO_ROW;
}

static bool select_new(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    s->row = next_new(c, f);
    return s->row != KC_NO_ROW;
}

static bool select_new_topic(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    for (uint32_t row = next_new(c, f); row != KC_NO_ROW; row = next_new(c, f)) {
        struct kc_topic *t = kc_topic(c, kc_row_at(c, row)->topic - 1);
        if (t->create_call != c->call.number) {
            t->create_call = c->call.number; /* once a topic and call */
            s->row = row;
            return true;
        }
    }
    return false;
}

static bool ask_create_partitions(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                  struct kc_ask *ask)
{
    (void)f;
    ask->opcode = WIRE_ZK_CREATE;
    ask->fenced = 1;
    sm_path_topic_partitions(ask->path, kc_row_topic(c, s->row));
    return true;
}

static bool ask_create_partition(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                 struct kc_ask *ask)
{
    (void)f;
    ask->opcode = WIRE_ZK_CREATE;
    ask->fenced = 1;
    sm_path_partition(ask->path, kc_row_topic(c, s->row), kc_row_at(c, s->row)->partition);
    return true;
}

enum { STATE_CREATE, STATE_LOOK };

static bool ask_create_state(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                             struct kc_ask *ask)
{
    struct sm_list live = live_replicas(c, s->row);

    (void)f;
    if (s->stage == STATE_LOOK) {
        kc_ask_state_read(c, s->row, ask);
        return true;
    }
    if (!sm_initial_leader_and_isr(&live, c->epoch, &s->plan)) {
        return false;
    }
    kc_ask_state_write(c, s, ask);
    ask->opcode = WIRE_ZK_CREATE;
    return true;
}

static enum kc_slot_next answer_any(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                    int32_t err, const struct wire_zk_result_view *r)
{
    (void)c, (void)f, (void)s, (void)err, (void)r;
    return KC_SLOT_DONE;
}

static void fail_zk(struct kc_controller *c, uint32_t row, int32_t err)
{
    char text[160];

    snprintf(text, sizeof text, "org.apache.zookeeper.KeeperException: KeeperErrorCode = %s",
             wire_zk_err_name(err));
    log_failed(c, row, kc_row_at(c, row)->state, SM_PARTITION_ONLINE, text);
}

static enum kc_slot_next state_is_created(struct kc_controller *c, struct kc_slot *s)
{
    struct sm_assignment a = kc_row_assignment(c, s->row);

    kc_put_leadership(c, s->row, &s->plan);
    kc_batch_leader_and_isr(c, &s->plan.isr, s->row, &s->plan, &a, true);
    go_online(c, s->row);
    kc_set_remove(c, KC_SET_WORK, s->row); /* not an election: no result */
    return KC_SLOT_DONE;
}

/* Whether the znode is what this slot's group has written, before the answer to it was lost. */
static bool is_own_state(struct kc_controller *c, struct kc_slot *s, int32_t err,
                         const struct wire_zk_result_view *r)
{
    struct sm_leader_and_isr meant = s->plan;

    return kc_read_state(c, s, err, r) == KC_STATE_READ &&
           sm_leader_and_isr_equal(&meant, &s->plan);
}

/* A state that is there already leaves its partition New until the next failover, as in Kafka,
   where a lost answer strands one partition. It would strand a whole group here: so where a group
   was refused, each looks whether it meets itself. */
static enum kc_slot_next answer_create_state(struct kc_controller *c, struct kc_frame *f,
                                             struct kc_slot *s, int32_t err,
                                             const struct wire_zk_result_view *r)
{
    (void)f;
    if (s->stage == STATE_LOOK ? is_own_state(c, s, err, r) : err == WIRE_ZK_OK) {
        return state_is_created(c, s);
    }
    if (s->stage == STATE_CREATE && err == WIRE_ZK_NODE_EXISTS && s->alone) {
        s->stage = STATE_LOOK;
        return KC_SLOT_ASK;
    }
    fail_zk(c, s->row, s->stage == STATE_LOOK ? WIRE_ZK_NODE_EXISTS : err);
    return KC_SLOT_DONE;
}

static const struct kc_bulk create_partitions = {
    .select = select_new_topic, .ask = ask_create_partitions, .answer = answer_any};
static const struct kc_bulk create_partition = {
    .select = select_new, .ask = ask_create_partition, .answer = answer_any};
static const struct kc_bulk create_state = {
    .select = select_new, .ask = ask_create_state, .answer = answer_create_state};

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
    log_failed(c, row, kc_row_at(c, row)->state, SM_PARTITION_ONLINE, text);
}

static void fail_election_zk(struct kc_controller *c, uint32_t row, int32_t err)
{
    kc_row_at(c, row)->result = KC_RESULT_ERROR;
    fail_zk(c, row, err);
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

/* Kafka 2.8.2 leaves the removed replicas in the ISR until they are stopped one by one
 * (KAFKA-9672). */
static void drop_unassigned(const struct kc_controller *c, const struct sm_assignment *a,
                            struct sm_leader_and_isr *li)
{
    struct sm_list assigned = sm_list_intersect(&li->isr, &a->replicas);

    if (!kc_defect(c, SM_DEFECT_ISR_OUTSIDE_REPLICAS) && assigned.count > 0) {
        li->isr = assigned;
    }
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
        go_online(c, s->row);
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
        drop_unassigned(c, &a, &s->plan);
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
    go_online(c, s->row);
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

static const struct kc_bulk elect = {.select = select_election,
                                     .ask = ask_election,
                                     .answer = answer_election,
                                     .needs = kc_needs_state_znode};

static enum kc_next send(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_batch_send(c);
    return KC_NEXT;
}

/* Every partition of the call gets the error, as in Kafka's result map. */
static enum kc_catch swallow(struct kc_controller *c, struct kc_frame *f)
{
    bool moved = c->error == SM_ERR_CONTROLLER_MOVED;

    (void)f;
    kc_log(c, KC_ERROR, "[PartitionStateMachine controllerId=%d] %s %s state\n%s",
           c->config.broker.id,
           moved ? "Controller moved to another broker when moving some partitions to"
                 : "Error while moving some partitions to",
           sm_partition_state_name(c->call.target), kc_error_text(c));
    kc_batch_drop(c, true);
    for (uint32_t row = kc_set_next(c, KC_SET_WORK, 0); row != KC_NO_ROW && !moved;
         row = kc_set_next(c, KC_SET_WORK, row + 1)) {
        kc_row_at(c, row)->result = KC_RESULT_ERROR;
    }
    return moved ? KC_RETHROW : KC_SWALLOW;
}

static const struct kc_row rows[] = {
    {.name = "begin", .run = begin},
    {.name = "check", .run = check},
    {.name = "find live replicas", .run = find_live},
    {.name = "create …/partitions", .bulk = &create_partitions},
    {.name = "create …/partitions/P", .bulk = &create_partition},
    {.name = "create …/partitions/P/state", .bulk = &create_state},
    {.name = "elect", .bulk = &elect},
    {.name = "send", .run = send},
    {0},
};

const struct kc_flow_def kc_flow_PARTITION_CHANGE = {
    .name = "PartitionStateMachine.handleStateChanges", .rows = rows, .on_error = swallow};

/* ---- triggerOnlinePartitionStateChange ---- */

/* arg: topic + 1, or 0 for all. */
static enum kc_next trigger(struct kc_controller *c, struct kc_frame *f)
{
    kc_set_clear(c, KC_SET_WORK);
    for (uint32_t row = kc_set_next(c, KC_SET_PENDING, 0); row != KC_NO_ROW;
         row = kc_set_next(c, KC_SET_PENDING, row + 1)) {
        bool wanted = f->arg == 0 || kc_row_at(c, row)->topic == f->arg;
        if (wanted && kc_row_is_assigned(c, row) && !kc_is_queued(c, row)) {
            kc_set_add(c, KC_SET_WORK, row);
        }
    }
    if (!kc_set_is_empty(c, KC_SET_WORK)) {
        call(c, SM_PARTITION_ONLINE, SM_STRATEGY_OFFLINE, false);
    }
    return KC_NEXT;
}

static const struct kc_row trigger_rows[] = {{.name = "trigger", .run = trigger}, {0}};

const struct kc_flow_def kc_flow_TRIGGER_ONLINE = {.name = "triggerOnlinePartitionStateChange",
                                                   .rows = trigger_rows};

/* ---- updateLeaderEpochAndSendRequest ---- */

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
    drop_unassigned(c, &a, &s->plan);
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
