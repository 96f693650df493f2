/*
 * The replica state machine at work: move replicas of many partitions to one state.
 *
 *   for each broker, in the order of Scala's hash map:
 *       check       which of its replicas may move (the table decides); what needs no ZooKeeper
 *       shrink ISR  on the way to Offline: take the broker out (replica_offline.c)
 *       finish      on the way to Offline: replicas of partitions that never had a leader
 *   send            one batch for all brokers of the call
 *
 * What a call is about is selected before it: replica_work.c.
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
#include "controller/replica_parts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

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

void kc_replica_failed(struct kc_controller *c, uint32_t row, uint32_t broker,
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
    kc_replica_failed(c, row, broker, to, text);
}

/* ---- effects of each target that need no ZooKeeper ---- */

void kc_move_replica(struct kc_controller *c, uint32_t row, uint32_t broker,
                     enum sm_replica_state to)
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
    kc_replica_failed(c, row, broker, kc_is_old(c) ? SM_REPLICA_NEW : SM_REPLICA_OFFLINE, text);
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
    kc_move_replica(c, row, broker, SM_REPLICA_NEW);
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
    kc_move_replica(c, row, broker, SM_REPLICA_ONLINE);
}

static void to_nonexistent(struct kc_controller *c, uint32_t row, uint32_t broker)
{
    struct sm_assignment a = kc_row_assignment(c, row);
    struct sm_assignment rest = sm_assignment_remove_replica(&a, kc_broker(c, broker)->id);

    kc_put_assignment(c, row, &rest);
    kc_move_replica(c, row, broker, SM_REPLICA_NONEXISTENT);
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
        kc_move_replica(c, row, broker, to);
        kc_batch_stop_replica(c, broker, row, true);
        break;
    case SM_REPLICA_DELETION_SUCCESSFUL:
    case SM_REPLICA_DELETION_INELIGIBLE:
        kc_move_replica(c, row, broker, to);
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

uint32_t kc_group_broker(const struct kc_controller *c)
{
    return kc_work_order(c)[c->call.group];
}

/* Rows of the group that may not kc_move_replica are struck out, so that the next rows pass over
 * them. */
static enum kc_next check(struct kc_controller *c, struct kc_frame *f)
{
    uint32_t broker = kc_group_broker(c);
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

void kc_replica_failed_zk(struct kc_controller *c, uint32_t row, int32_t err)
{
    char text[160];

    snprintf(text, sizeof text, "org.apache.zookeeper.KeeperException: KeeperErrorCode = %s",
             wire_zk_err_name(err));
    kc_replica_failed(c, row, kc_group_broker(c), c->call.target, text);
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

static enum kc_slot_next answer_new(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                    int32_t err, const struct wire_zk_result_view *r)
{
    uint32_t broker = kc_group_broker(c);
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
        kc_replica_failed_zk(c, s->row, err);
        return KC_SLOT_DONE;
    }
    kc_move_replica(c, s->row, broker, SM_REPLICA_NEW);
    return KC_SLOT_DONE;
}

static const struct kc_bulk read_for_new = {.select = select_new,
                                            .ask = kc_ask_slot_state,
                                            .answer = answer_new,
                                            .needs = kc_needs_state_znode};

/* Replicas of partitions without leadership info: the metadata request goes out, its entry is
 * empty. */
static enum kc_next finish(struct kc_controller *c, struct kc_frame *f)
{
    uint32_t broker = kc_group_broker(c);
    uint32_t first = kc_work_start(c)[c->call.group];
    uint32_t count = kc_work_start(c)[c->call.group + 1] - first;

    while (c->call.target == SM_REPLICA_OFFLINE && f->cursor < count) {
        uint32_t row = kc_work_rows(c)[first + f->cursor++];
        if (row == KC_NO_ROW || kc_has_leadership(c, row) ||
            kc_defect(c, SM_DEFECT_LEADERLESS_NOT_OFFLINE)) {
            continue;
        }
        if (kc_is_old(c)) {
            kc_replica_without_state(c, row);
        } else {
            kc_batch_update_metadata(c, row);
            kc_move_replica(c, row, broker, SM_REPLICA_OFFLINE);
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
    {.name = "shrink ISR", .bulk = &kc_shrink_isr},
    {.name = "finish", .run = finish},
    {.name = "next broker", .run = next_broker},
    {.name = "send", .run = send},
    {0},
};

const struct kc_flow_def kc_flow_REPLICA_CHANGE = {
    .name = "ReplicaStateMachine.handleStateChanges", .rows = rows, .on_error = swallow};
