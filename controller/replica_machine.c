/*
 * The replica state machine at work: move replicas of many partitions to one state.
 *
 *   for each broker, in the order of Scala's hash map:
 *       check       which of its replicas may move (the table decides); what needs no ZooKeeper is
 * done shrink ISR  only on the way to Offline: read the state, take the broker out, write if
 * unchanged finish      replicas of partitions that never had a leader send            one batch
 * for all brokers of the call
 *
 * The order inside Offline is Kafka's and shows: StopReplica is noted first, with the leader epoch
 * of before; the shrunk ISR then raises the epoch; LeaderAndIsr goes to the other assigned
 * replicas. The last member never leaves the ISR, but the attempt raises the epoch.
 *
 * Old versions change one replica after the other, and read the leadership for NewReplica from
 * ZooKeeper; what fails ends that replica's change only. Offline of a replica whose partition never
 * had a leader is such a failure there.
 *
 * An illegal move is logged and skipped for that replica, the others go on. An error of ZooKeeper
 * ends one replica's change; ControllerMoved ends the event; anything else that escapes is logged
 * and swallowed here.
 *
 * Source: Kafka 2.8.2 ZkReplicaStateMachine; 0.9 and 0.8.2 ReplicaStateMachine.handleStateChange.
 */
#include "controller/state.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- work lists ---- */

void kc_replicas_begin(struct kc_controller *c)
{
    assert(c->limits.brokers > 0);
    c->call.group = c->call.group_count = 0;
    kc_work_start(c)[0] = 0;
    memset(kc_work_place(c), 0, 4ull * c->limits.brokers);
}

typedef uint32_t (*kc_row_walk)(const struct kc_controller *c, uint32_t set, uint32_t from);

static uint32_t every_row(const struct kc_controller *c, uint32_t set, uint32_t from)
{
    (void)set;
    for (; from < c->partition_high; from++) {
        if (kc_row_is_assigned(c, from)) {
            return from;
        }
    }
    return KC_NO_ROW;
}

static uint32_t row_of_set(const struct kc_controller *c, uint32_t set, uint32_t from)
{
    return kc_set_next(c, set, from);
}

static void count_wanted(struct kc_controller *c, kc_row_walk walk, uint32_t set,
                         kc_replica_filter wanted, uint32_t arg)
{
    uint32_t *place = kc_work_place(c);

    for (uint32_t row = walk(c, set, 0); row != KC_NO_ROW; row = walk(c, set, row + 1)) {
        const struct kc_partition *p = kc_row_at(c, row);
        const uint16_t *replicas = kc_replicas(c, p);
        for (uint32_t i = 0; i < p->replica_count; i++) {
            place[replicas[i]] += wanted(c, row, replicas[i], arg);
        }
    }
}

/* Brokers with work, in the order in which Kafka 2.8 handles them; places become positions. */
static void order_groups(struct kc_controller *c)
{
    int32_t ids[UINT16_MAX / 8];
    uint32_t *place = kc_work_place(c);
    uint32_t count = 0;
    uint32_t at = 0;

    for (uint32_t n = 0; n < c->broker_count; n++) {
        uint32_t broker = kc_broker_ordered(c, n);
        if (place[broker] > 0 && count < sizeof ids / sizeof ids[0]) {
            ids[count++] = kc_broker(c, broker)->id;
        }
    }
    if (sm_rule_on(&c->config.profile, SM_RULE_BATCHED_CHANGES)) {
        sm_scala_order(ids, (int32_t)count);
    }
    for (uint32_t g = 0; g < count; g++) {
        uint32_t broker = kc_broker_find(c, ids[g]);
        uint32_t size = place[broker];
        kc_work_order(c)[g] = (uint16_t)broker;
        kc_work_start(c)[g] = at;
        place[broker] = at;
        at += size;
    }
    kc_work_start(c)[count] = at;
    c->call.group_count = count;
}

static void fill_wanted(struct kc_controller *c, kc_row_walk walk, uint32_t set,
                        kc_replica_filter wanted, uint32_t arg)
{
    uint32_t *place = kc_work_place(c);

    for (uint32_t row = walk(c, set, 0); row != KC_NO_ROW; row = walk(c, set, row + 1)) {
        const struct kc_partition *p = kc_row_at(c, row);
        const uint16_t *replicas = kc_replicas(c, p);
        for (uint32_t i = 0; i < p->replica_count; i++) {
            if (wanted(c, row, replicas[i], arg)) {
                kc_work_rows(c)[place[replicas[i]]++] = row;
            }
        }
    }
    memset(place, 0, 4ull * c->limits.brokers);
}

static void select_replicas(struct kc_controller *c, kc_row_walk walk, uint32_t set,
                            kc_replica_filter wanted, uint32_t arg)
{
    kc_replicas_begin(c);
    count_wanted(c, walk, set, wanted, arg);
    order_groups(c);
    fill_wanted(c, walk, set, wanted, arg);
}

void kc_replicas_select(struct kc_controller *c, kc_replica_filter wanted, uint32_t arg)
{
    select_replicas(c, every_row, 0, wanted, arg);
}

void kc_replicas_select_in(struct kc_controller *c, enum kc_set set, kc_replica_filter wanted,
                           uint32_t arg)
{
    select_replicas(c, row_of_set, set, wanted, arg);
}

void kc_replicas_of(struct kc_controller *c, uint32_t row, const struct sm_list *ids)
{
    uint32_t *place = kc_work_place(c);

    kc_replicas_begin(c);
    for (int32_t i = 0; i < ids->count; i++) {
        place[kc_broker_intern(c, ids->id[i])] = 1;
    }
    order_groups(c);
    for (uint32_t g = 0; g < c->call.group_count; g++) {
        kc_work_rows(c)[g] = row;
    }
    memset(place, 0, 4ull * c->limits.brokers);
}

bool kc_replicas_are_none(const struct kc_controller *c)
{
    return c->call.group_count == 0;
}

void kc_replicas_call(struct kc_controller *c, enum sm_replica_state target)
{
    if (!kc_replicas_are_none(c)) {
        c->call.target = target;
        kc_call(c, KC_FLOW_REPLICA_CHANGE, 0);
    }
}

/* ---- log ---- */

static void log_moved(struct kc_controller *c, uint32_t row, uint32_t broker,
                      enum sm_replica_state from, enum sm_replica_state to)
{
    if (kc_notes(c, KC_NOTE_LOG_TRACE)) {
        char name[SM_PATH_MAX];
        kc_text_row(c, row, name, sizeof name);
        kc_state_log(c, KC_TRACE, "Changed state of replica %d for partition %s from %s to %s",
                     kc_broker(c, broker)->id, name, sm_replica_state_name(from),
                     sm_replica_state_name(to));
        kc_state_log_old(c, KC_TRACE, "changed state of replica %d for partition %s from %s to %s",
                         kc_broker(c, broker)->id, name, sm_replica_state_name(from),
                         sm_replica_state_name(to));
    }
}

static void log_failed(struct kc_controller *c, uint32_t row, uint32_t broker,
                       enum sm_replica_state to, const char *exception)
{
    char name[SM_PATH_MAX];

    if (!kc_notes(c, KC_NOTE_LOG | KC_NOTE_LOG_TRACE)) {
        return;
    }
    kc_text_row(c, row, name, sizeof name);
    kc_state_log(
        c, KC_ERROR,
        "Controller %d epoch %d initiated state change of replica %d for partition %s from "
        "%s to %s failed\n%s",
        c->config.broker.id, c->epoch, kc_broker(c, broker)->id, name,
        sm_replica_state_name(kc_row_replica_state(c, row, broker)), sm_replica_state_name(to),
        exception);
    kc_state_log_old(
        c, KC_ERROR,
        "initiated state change of replica %d for partition %s from %s to %s failed\n%s",
        kc_broker(c, broker)->id, name, sm_replica_state_name(kc_row_replica_state(c, row, broker)),
        sm_replica_state_name(to), exception);
}

static void text_predecessors(struct kc_controller *c, enum sm_replica_state to, char *out,
                              size_t size)
{
    uint32_t allowed = sm_replica_predecessors(&c->config.profile, to);
    size_t at = 0;

    out[0] = '\0';
    for (int s = SM_REPLICA_NEW; s <= SM_REPLICA_NONEXISTENT && at < size; s++) {
        if ((allowed >> s & 1) != 0) {
            at += (size_t)snprintf(out + at, size - at, "%s%s", at > 0 ? "," : "",
                                   sm_replica_state_name(s));
        }
    }
}

static void refuse(struct kc_controller *c, uint32_t row, uint32_t broker, enum sm_replica_state to)
{
    enum sm_replica_state from = kc_row_replica_state(c, row, broker);
    char allowed[256];
    char text[640];

    text_predecessors(c, to, allowed, sizeof allowed);
    snprintf(text, sizeof text,
             "%s: Replica [Topic=%s,Partition=%d,Replica=%d] should be "
             "in the %s states before moving to %s state. Instead it is in %s state",
             kc_is_old(c) ? "java.lang.AssertionError: assertion failed"
                          : "java.lang.IllegalStateException",
             kc_row_topic(c, row), kc_row_at(c, row)->partition, kc_broker(c, broker)->id, allowed,
             sm_replica_state_name(to), sm_replica_state_name(from));
    if (kc_notes(c, KC_NOTE_MOVE)) {
        kc_emit(c, &(struct kc_output){.kind = KC_OUT_MOVE,
                                       .machine = KC_MACHINE_REPLICA,
                                       .topic = kc_row_topic(c, row),
                                       .partition = kc_row_at(c, row)->partition,
                                       .broker_id = kc_broker(c, broker)->id,
                                       .from = (uint8_t)from,
                                       .to = (uint8_t)to,
                                       .text = text});
    }
    log_failed(c, row, broker, to, text);
}

/* ---- effects of each target that need no ZooKeeper ---- */

static void move(struct kc_controller *c, uint32_t row, uint32_t broker, enum sm_replica_state to)
{
    log_moved(c, row, broker, kc_row_replica_state(c, row, broker), to);
    kc_put_replica_state(c, row, broker, to, false);
}

/* Old versions leave out a blank here, and 2.8 names the wrong state. */
static void fail_leader(struct kc_controller *c, uint32_t row, uint32_t broker)
{
    char name[SM_PATH_MAX];
    char text[SM_PATH_MAX + 200];

    kc_text_row(c, row, name, sizeof name);
    snprintf(text, sizeof text,
             "kafka.common.StateChangeFailedException: Replica %d for partition %s cannot be moved "
             "to NewReplica%sstate as it is being requested to become leader",
             kc_broker(c, broker)->id, name, kc_is_old(c) ? "" : " ");
    log_failed(c, row, broker, kc_is_old(c) ? SM_REPLICA_NEW : SM_REPLICA_OFFLINE, text);
}

static void to_new(struct kc_controller *c, uint32_t row, uint32_t broker)
{
    if (kc_has_leadership(c, row)) {
        if (kc_row_at(c, row)->leader == kc_broker(c, broker)->id) {
            fail_leader(c, row, broker);
            return;
        }
        kc_batch_leadership(c, row, broker, true);
    }
    move(c, row, broker, SM_REPLICA_NEW);
}

static void join_assignment(struct kc_controller *c, uint32_t row, uint32_t broker)
{
    struct sm_assignment a = kc_row_assignment(c, row);
    char text[SM_REPLICAS_MAX * 40];

    if (kc_row_has_replica(c, row, broker) || a.replicas.count == (int32_t)c->limits.replicas) {
        return;
    }
    kc_text_assignment(text, sizeof text, &a);
    kc_log_new(c, KC_ERROR,
               "[ReplicaStateMachine controllerId=%d] Adding replica (%d) that is not part of the "
               "assignment %s",
               c->config.broker.id, kc_broker(c, broker)->id, text);
    sm_list_append(&a.replicas, kc_broker(c, broker)->id);
    kc_put_assignment(c, row, &a);
}

static void to_online(struct kc_controller *c, uint32_t row, uint32_t broker)
{
    if (kc_row_replica_state(c, row, broker) == SM_REPLICA_NEW) {
        join_assignment(c, row, broker); /* no request: it got its LeaderAndIsr as NewReplica */
    } else if (kc_has_leadership(c, row)) {
        kc_batch_leadership(c, row, broker, false);
    } else if (kc_is_old(c)) { /* the broker never started a log: nothing is said */
        kc_put_replica_state(c, row, broker, SM_REPLICA_ONLINE, false);
        return;
    }
    move(c, row, broker, SM_REPLICA_ONLINE);
}

static void to_nonexistent(struct kc_controller *c, uint32_t row, uint32_t broker)
{
    struct sm_assignment a = kc_row_assignment(c, row);
    struct sm_assignment rest = sm_assignment_remove_replica(&a, kc_broker(c, broker)->id);

    kc_put_assignment(c, row, &rest);
    move(c, row, broker, SM_REPLICA_NONEXISTENT);
}

static void apply(struct kc_controller *c, uint32_t row, uint32_t broker, enum sm_replica_state to)
{
    switch (to) {
    case SM_REPLICA_NEW:
        if (!kc_is_old(c)) { /* else ZooKeeper is asked */
            to_new(c, row, broker);
        }
        break;
    case SM_REPLICA_ONLINE:
        to_online(c, row, broker);
        break;
    case SM_REPLICA_OFFLINE: /* the rest needs ZooKeeper */
        kc_batch_stop_replica(c, broker, row, false);
        break;
    case SM_REPLICA_DELETION_STARTED:
        move(c, row, broker, to);
        kc_batch_stop_replica(c, broker, row, true);
        break;
    case SM_REPLICA_DELETION_SUCCESSFUL:
    case SM_REPLICA_DELETION_INELIGIBLE:
        move(c, row, broker, to);
        break;
    case SM_REPLICA_NONEXISTENT:
        to_nonexistent(c, row, broker);
        break;
    case SM_REPLICA_NONE:
    case SM_REPLICA_STATE_END:
        assert(false && "not a target");
    }
}

/* ---- rows ---- */

static enum kc_next begin(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (!kc_batch_begin(c, KC_OWNER_REPLICAS)) {
        return kc_throw(c, SM_ERR_ILLEGAL_STATE,
                        "java.lang.IllegalStateException: Controller to broker state change "
                        "requests batch is not empty while creating a new one");
    }
    c->call.group = 0;
    if (kc_is_old(c)) {
        kc_log_invoked_replicas(c);
    }
    return KC_NEXT;
}

static uint32_t group_broker(const struct kc_controller *c)
{
    return kc_work_order(c)[c->call.group];
}

/* Rows of the group that may not move are struck out, so that the next rows pass over them. */
static enum kc_next check(struct kc_controller *c, struct kc_frame *f)
{
    uint32_t broker = group_broker(c);
    uint32_t first = kc_work_start(c)[c->call.group];
    uint32_t count = kc_work_start(c)[c->call.group + 1] - first;

    while (f->cursor < count) {
        uint32_t *row = &kc_work_rows(c)[first + f->cursor++];
        if (sm_replica_may_move(&c->config.profile, kc_row_replica_state(c, *row, broker),
                                c->call.target)) {
            apply(c, *row, broker, c->call.target);
        } else {
            refuse(c, *row, broker, c->call.target);
            *row = KC_NO_ROW;
        }
        if (kc_worked(c)) {
            return KC_YIELD;
        }
    }
    return KC_NEXT;
}

static void fail_zk(struct kc_controller *c, uint32_t row, int32_t err)
{
    char text[160];

    snprintf(text, sizeof text, "org.apache.zookeeper.KeeperException: KeeperErrorCode = %s",
             wire_zk_err_name(err));
    log_failed(c, row, group_broker(c), c->call.target, text);
}

/* ---- NewReplica in old versions: the leadership of ZooKeeper, not of the context ---- */

static bool select_new(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    uint32_t first = kc_work_start(c)[c->call.group];
    uint32_t count = kc_work_start(c)[c->call.group + 1] - first;

    while (kc_is_old(c) && c->call.target == SM_REPLICA_NEW && f->cursor < count) {
        s->row = kc_work_rows(c)[first + f->cursor++];
        if (s->row != KC_NO_ROW) {
            return true;
        }
    }
    return false;
}

static bool ask_leadership(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                           struct kc_ask *ask)
{
    (void)f;
    kc_ask_state_read(c, s->row, ask);
    return true;
}

static enum kc_slot_next answer_new(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                    int32_t err, const struct wire_zk_result_view *r)
{
    uint32_t broker = group_broker(c);
    struct sm_list to = {.count = 1, .id = {kc_broker(c, broker)->id}};
    struct sm_assignment a = kc_row_assignment(c, s->row);

    (void)f;
    switch (kc_read_state(c, s, err, r)) {
    case KC_STATE_READ:
    case KC_STATE_NEWER_CONTROLLER:
        if (s->plan.leader == to.id[0]) {
            fail_leader(c, s->row, broker);
            return KC_SLOT_DONE;
        }
        kc_batch_leader_and_isr(c, &to, s->row, &s->plan, &a, true);
        break;
    case KC_STATE_MISSING: /* it is told once somebody is elected */
        break;
    case KC_STATE_FAILED:
        fail_zk(c, s->row, err);
        return KC_SLOT_DONE;
    }
    move(c, s->row, broker, SM_REPLICA_NEW);
    return KC_SLOT_DONE;
}

static const struct kc_bulk read_for_new = {.select = select_new,
                                            .ask = ask_leadership,
                                            .answer = answer_new,
                                            .needs = kc_needs_state_znode};

/* ---- taking a broker out of ISRs ---- */

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
    uint32_t broker = group_broker(c);
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
    if (!kc_is_queued(c, row)) {
        kc_batch_leader_and_isr(c, &others, row, li, &a, false);
    }
    move(c, row, broker, SM_REPLICA_OFFLINE);
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
               c->config.broker.id, kc_broker(c, group_broker(c))->id, name);
}

static enum kc_slot_next write_without(struct kc_controller *c, struct kc_slot *s, bool keep_last)
{
    if (keep_last && s->plan.isr.count == 1) {
        log_retained(c, s->row);
    }
    s->plan = sm_leader_and_isr_remove(&s->plan, kc_broker(c, group_broker(c))->id, keep_last);
    s->plan.controller_epoch = c->epoch;
    s->stage = WRITE_STATE;
    return KC_SLOT_ASK;
}

static void fail_missing(struct kc_controller *c, uint32_t row)
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
             kc_broker(c, group_broker(c))->id, name);
    log_failed(c, row, group_broker(c), SM_REPLICA_OFFLINE, text);
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
    log_failed(c, row, group_broker(c), SM_REPLICA_OFFLINE, text);
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
        c->config.broker.id, kc_broker(c, group_broker(c))->id, name, s->plan.leader,
        kc_text_list(isr, sizeof isr, &s->plan.isr, ", "));
}

static enum kc_slot_next read_shrink(struct kc_controller *c, struct kc_slot *s, int32_t err,
                                     const struct wire_zk_result_view *r)
{
    int32_t broker = kc_broker(c, group_broker(c))->id;
    char name[SM_PATH_MAX];

    switch (kc_read_state(c, s, err, r)) {
    case KC_STATE_FAILED:
        fail_zk(c, s->row, err);
        return KC_SLOT_DONE;
    case KC_STATE_MISSING:
        kc_text_row(c, s->row, name, sizeof name); /* rare: need not be cheap */
        kc_log_old(c, KC_WARN,
                   "[Controller id=%d] Cannot remove replica %d from ISR of %s - leaderAndIsr is "
                   "empty.",
                   c->config.broker.id, broker, name);
        fail_missing(c, s->row);
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
        fail_zk(c, s->row, err);
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
    fail_zk(c, s->row, err);
    return KC_SLOT_DONE;
}

static const struct kc_bulk shrink_isr = {.select = select_shrink,
                                          .ask = ask_shrink,
                                          .answer = answer_shrink,
                                          .needs = kc_needs_state_znode};

/* Replicas of partitions without leadership info: the metadata request goes out, its entry is
 * empty. */
static enum kc_next finish(struct kc_controller *c, struct kc_frame *f)
{
    uint32_t broker = group_broker(c);
    uint32_t first = kc_work_start(c)[c->call.group];
    uint32_t count = kc_work_start(c)[c->call.group + 1] - first;

    while (c->call.target == SM_REPLICA_OFFLINE && f->cursor < count) {
        uint32_t row = kc_work_rows(c)[first + f->cursor++];
        if (row == KC_NO_ROW || kc_has_leadership(c, row) ||
            kc_defect(c, SM_DEFECT_LEADERLESS_NOT_OFFLINE)) {
            continue;
        }
        if (kc_is_old(c)) {
            fail_missing(c, row);
        } else {
            kc_batch_update_metadata(c, row);
            move(c, row, broker, SM_REPLICA_OFFLINE);
        }
        if (kc_worked(c)) {
            return KC_YIELD;
        }
    }
    return KC_NEXT;
}

enum { ROW_CHECK = 1 };

static enum kc_next next_broker(struct kc_controller *c, struct kc_frame *f)
{
    if (++c->call.group == c->call.group_count) {
        return KC_NEXT;
    }
    f->row = ROW_CHECK;
    f->cursor = 0;
    f->phase = 0;
    return KC_STAY;
}

static enum kc_next send(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_batch_send(c);
    c->call.group = c->call.group_count = 0;
    kc_work_start(c)[0] = 0;
    return KC_NEXT;
}

static enum kc_catch swallow(struct kc_controller *c, struct kc_frame *f)
{
    bool moved = c->error == SM_ERR_CONTROLLER_MOVED;
    const char *state = sm_replica_state_name(c->call.target);

    (void)f;
    kc_log(c, KC_ERROR, "[ReplicaStateMachine controllerId=%d] %s %s state\n%s",
           c->config.broker.id,
           moved ? "Controller moved to another broker when moving some replicas to"
                 : "Error while moving some replicas to",
           state, kc_error_text(c));
    kc_batch_drop(c, true);
    c->call.group = c->call.group_count = 0;
    kc_work_start(c)[0] = 0;
    return moved ? KC_RETHROW : KC_SWALLOW;
}

static const struct kc_row rows[] = {
    {.name = "begin", .run = begin},
    [ROW_CHECK] = {.name = "check", .run = check},
    {.name = "read leadership", .bulk = &read_for_new},
    {.name = "shrink ISR", .bulk = &shrink_isr},
    {.name = "finish", .run = finish},
    {.name = "next broker", .run = next_broker},
    {.name = "send", .run = send},
    {0},
};

const struct kc_flow_def kc_flow_REPLICA_CHANGE = {
    .name = "ReplicaStateMachine.handleStateChanges", .rows = rows, .on_error = swallow};
