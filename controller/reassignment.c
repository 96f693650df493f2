/*
 * Reassigning a partition: from one list of replicas to another, by way of both.
 *
 *   U   the goal goes into the topic znode (replicas, adding, removing), then into memory;
 *       replicas that only the old goal wanted are stopped
 *   A   the new ones are not all in the ISR yet: raise the leader epoch, tell everybody of the new
 *       list; adding replicas become NewReplica
 *   B   all of the target is in the ISR:
 *       B1 adding go Online                 B5 … and are deleted
 *       B2 the target alone, in memory      B6 the target alone, in the topic znode
 *       B3 lead from the target, or raise   B7 gone from /admin/reassign_partitions and from memory
 *          the epoch                        B8 tell everybody; deletions go on
 *       B4 removing go Offline
 *
 * The goal is written to ZooKeeper before memory, so that a failover finds it; between B2 and B6
 * the znode still has the full list, and the next controller does phase B again, which does no
 * harm. The leader is told of the target (B3) before the removed replicas are stopped (B4), for
 * from then on it cannot take them back into the ISR (KAFKA-1097).
 *
 * Source: Kafka KafkaController.onPartitionReassignment and what it calls (KIP-455).
 */
#include "controller/line.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void kc_reassign_call(struct kc_controller *c, uint32_t row, const struct sm_assignment *a)
{
    c->goal = *a;
    kc_call(c, KC_FLOW_REASSIGN, row);
}

/* ---- writing the topic znode ---- */

size_t kc_topic_znode_max(const struct kc_controller *c, uint32_t topic)
{
    return 256 +
           (size_t)kc_topic(c, topic)->partition_count * (48 + 36 * (size_t)c->limits.replicas);
}

char *kc_room(struct kc_controller *c, uint32_t partitions, size_t *size)
{
    uint32_t at = (c->scratch_used + 7) & ~7u;

    (void)partitions;
    if (size != NULL) {
        *size = c->limits.scratch_bytes - at;
    }
    return (char *)kc_scratch(c) + at;
}

const uint8_t *kc_topic_id(const struct kc_controller *c, uint32_t topic)
{
    const struct kc_topic *t = kc_topic(c, topic);

    return (t->flags & KC_TOPIC_HAS_ID) != 0 ? t->id : NULL;
}

/* The whole topic from the context, but `goal` for one partition. */
static size_t encode_topic(struct kc_controller *c, uint32_t topic, uint32_t changed,
                           const struct sm_assignment *goal, char *out, size_t capacity)
{
    struct sm_topic_writer w;

    sm_topic_writer_begin(&w, out, capacity);
    for (int32_t section = 0; section < 3; section++) {
        sm_topic_writer_section(&w, section);
        for (uint32_t row = kc_row_next_of(c, topic, KC_NO_ROW); row != KC_NO_ROW;
             row = kc_row_next_of(c, topic, row)) {
            if (!kc_row_is_assigned(c, row) && row != changed) {
                continue;
            }
            struct sm_assignment a = row == changed ? *goal : kc_row_assignment(c, row);
            sm_topic_writer_partition(&w, kc_row_at(c, row)->partition, &a);
        }
    }
    return sm_topic_writer_end(&w, kc_topic_id(c, topic));
}

/* Builds the znode at the end of the scratch; the request is built behind it. */
static bool ask_topic_write(struct kc_controller *c, uint32_t row, const struct sm_assignment *goal,
                            struct kc_ask *ask)
{
    uint32_t topic = kc_row_at(c, row)->topic - 1;
    char path[SM_PATH_MAX];
    size_t capacity;
    char *out = kc_room(c, 0, &capacity);
    size_t max = kc_topic_znode_max(c, topic);

    assert(max <= capacity);
    size_t size = encode_topic(c, topic, row, goal, out, max);
    assert(size > 0);
    sm_path_topic(path, kc_topic_name(kc_topic(c, topic)));
    kc_ask_write(ask, WIRE_ZK_SET_DATA, path, out, (uint32_t)size, WIRE_ZK_ANY_VERSION);
    return true;
}

static enum kc_slot_next answer_topic_write(struct kc_controller *c, uint32_t row, int32_t err)
{
    if (err == WIRE_ZK_NO_NODE) {
        kc_throw(c, SM_ERR_ILLEGAL_STATE,
                 "java.lang.IllegalStateException: Failed to update assignment for %s-%d since the "
                 "topic has no current assignment",
                 kc_row_topic(c, row), kc_row_at(c, row)->partition);
        return KC_SLOT_FAIL;
    }
    return err == WIRE_ZK_OK ? KC_SLOT_DONE : kc_slot_throw(c, err);
}

static void log_updated(struct kc_controller *c, uint32_t row, const struct sm_assignment *a)
{
    char text[SM_REPLICAS_MAX * 40];

    kc_text_assignment(text, sizeof text, a);
    kc_log(c, KC_INFO,
           "[Controller id=%d] Successfully updated assignment of partition %s-%d to %s",
           c->config.broker.id, kc_row_topic(c, row), kc_row_at(c, row)->partition, text);
}

static void log_updating(struct kc_controller *c, uint32_t row, const struct sm_assignment *from)
{
    char before[SM_REPLICAS_MAX * 40], after[SM_REPLICAS_MAX * 40];

    if (kc_notes(c, KC_NOTE_LOG_TRACE)) {
        kc_text_assignment(before, sizeof before, from);
        kc_text_assignment(after, sizeof after, &c->goal);
        kc_log(
            c, KC_DEBUG, "[Controller id=%d] Updating assignment of partition %s-%d from %s to %s",
            c->config.broker.id, kc_row_topic(c, row), kc_row_at(c, row)->partition, before, after);
    }
}

/* ---- U ---- */

enum { CHANGED = 1, COMPLETE = 2 }; /* frame.flags */

static enum kc_next halt_deletion(struct kc_controller *c, struct kc_frame *f)
{
    kc_mark_ineligible(c, kc_row_at(c, f->arg)->topic - 1, "topic reassignment in progress");
    struct sm_assignment a = kc_row_assignment(c, f->arg);
    f->flags = sm_assignment_equal(&a, &c->goal) ? 0 : CHANGED;
    if (f->flags != 0) {
        log_updating(c, f->arg, &a);
    }
    return KC_NEXT;
}

static bool select_goal(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    s->row = f->arg;
    return (f->flags & CHANGED) != 0 && kc_select_once(c, f, s);
}

static bool ask_goal(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                     struct kc_ask *ask)
{
    (void)f;
    return ask_topic_write(c, s->row, &c->goal, ask);
}

static enum kc_slot_next answer_goal(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                     int32_t err, const struct wire_zk_result_view *r)
{
    (void)f, (void)r;
    if (err == WIRE_ZK_OK) {
        log_updated(c, s->row, &c->goal);
    }
    return answer_topic_write(c, s->row, err);
}

static const struct kc_bulk write_goal = {
    .select = select_goal, .ask = ask_goal, .answer = answer_goal};

static enum kc_next adopt_goal(struct kc_controller *c, struct kc_frame *f)
{
    if ((f->flags & CHANGED) == 0) {
        return KC_NEXT;
    }
    struct sm_list before = kc_row_replicas(c, f->arg);
    kc_put_assignment(c, f->arg, &c->goal);
    c->stopping = sm_list_minus(&before, &c->goal.replicas);
    if (c->stopping.count > 0) {
        kc_call(c, KC_FLOW_STOP_REMOVED, f->arg);
    }
    return KC_NEXT;
}

static enum kc_next watch_isr(struct kc_controller *c, struct kc_frame *f)
{
    if (sm_rule_on(&c->config.profile, SM_RULE_REASSIGNMENT_IN_TOPIC)) {
        kc_row_at(c, f->arg)->flags |= KC_PARTITION_STATE_WATCH;
    }
    kc_set_add(c, KC_SET_REASSIGNING, f->arg);
    f->flags |= sm_assignment_is_being_reassigned(&c->goal) ? 0 : COMPLETE;
    return KC_NEXT;
}

static bool select_state(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    s->row = f->arg;
    return (f->flags & COMPLETE) == 0 && kc_select_once(c, f, s);
}

static bool ask_state(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                      struct kc_ask *ask)
{
    (void)f;
    kc_ask_state_read(c, s->row, ask);
    return true;
}

/* Sets COMPLETE where all of the target is in the ISR. */
static enum kc_slot_next judge_isr(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                   int32_t err, const struct wire_zk_result_view *r,
                                   const struct sm_assignment *a)
{
    struct sm_list target = sm_assignment_target(a);

    switch (kc_read_state(c, s, err, r)) {
    case KC_STATE_READ:
    case KC_STATE_NEWER_CONTROLLER:
        f->flags |= sm_list_subset(&target, &s->plan.isr) ? COMPLETE : 0;
        return KC_SLOT_DONE;
    case KC_STATE_MISSING:
        return KC_SLOT_DONE;
    case KC_STATE_FAILED:
        break;
    }
    return kc_slot_throw(c, err);
}

static enum kc_slot_next answer_state(struct kc_controller *c, struct kc_frame *f,
                                      struct kc_slot *s, int32_t err,
                                      const struct wire_zk_result_view *r)
{
    return judge_isr(c, f, s, err, r, &c->goal);
}

static const struct kc_bulk check_isr = {.select = select_state,
                                         .ask = ask_state,
                                         .answer = answer_state,
                                         .needs = kc_needs_state_znode};

/* ---- A ---- */

enum {
    ROW_HALT,
    ROW_WRITE_GOAL,
    ROW_ADOPT,
    ROW_WATCH,
    ROW_CHECK,
    ROW_A1,
    ROW_A2,
    ROW_B1,
    ROW_B2,
    ROW_B3,
    ROW_B4,
    ROW_B6,
    ROW_B7,
    ROW_B7_MEMORY,
    ROW_B8,
    ROW_B8_RESUME,
    ROW_END
};

static enum kc_next raise_epoch(struct kc_controller *c, struct kc_frame *f)
{
    if ((f->flags & COMPLETE) != 0) {
        f->row = ROW_B1;
        return KC_STAY;
    }
    kc_call(c, KC_FLOW_BUMP_EPOCH, f->arg);
    return KC_NEXT;
}

static enum kc_next start_adding(struct kc_controller *c, struct kc_frame *f)
{
    struct sm_assignment a = kc_row_assignment(c, f->arg);

    if (f->cursor >= (uint32_t)a.adding.count) {
        return KC_RETURN;
    }
    struct sm_list one = {.count = 1, .id = {a.adding.id[f->cursor++]}};
    kc_replicas_of(c, f->arg, &one);
    kc_replicas_call(c, SM_REPLICA_NEW);
    return KC_STAY;
}

/* ---- B ---- */

static enum kc_next adding_online(struct kc_controller *c, struct kc_frame *f)
{
    struct sm_assignment a = kc_row_assignment(c, f->arg);

    c->stopping = a.removing;
    if (a.adding.count > 0) {
        kc_replicas_of(c, f->arg, &a.adding);
        kc_replicas_call(c, SM_REPLICA_ONLINE);
    }
    return KC_NEXT;
}

static enum kc_next only_target(struct kc_controller *c, struct kc_frame *f)
{
    struct sm_list target = sm_assignment_target(&c->goal);
    struct sm_assignment a = sm_assignment_of(&target);

    kc_put_assignment(c, f->arg, &a);
    return KC_NEXT;
}

static enum kc_next lead_from_target(struct kc_controller *c, struct kc_frame *f)
{
    char text[SM_REPLICAS_MAX * 13];

    if (!kc_has_leadership(c, f->arg)) {
        return kc_throw(c, SM_ERR_NO_ELEMENT, "java.util.NoSuchElementException: None.get");
    }
    struct sm_list replicas = kc_row_replicas(c, f->arg);
    int32_t leader = kc_row_at(c, f->arg)->leader;
    bool inside = sm_list_has(&replicas, leader);
    bool alive = leader >= 0 && kc_is_online_id(c, f->arg, leader);
    kc_log(
        c, KC_INFO,
        "[Controller id=%d] Leader %d for partition %s-%d being reassigned, is %s the new list of "
        "replicas %s%s",
        c->config.broker.id, leader, kc_row_topic(c, f->arg), kc_row_at(c, f->arg)->partition,
        inside ? "already in" : "not in", kc_text_list(text, sizeof text, &replicas, ","),
        !inside ? ". Re-electing leader"
        : alive ? " and is alive"
                : " but is dead");
    if (inside && alive) {
        kc_call(c, KC_FLOW_BUMP_EPOCH, f->arg);
        return KC_NEXT;
    }
    kc_set_clear(c, KC_SET_WORK);
    kc_set_add(c, KC_SET_WORK, f->arg);
    kc_partitions_call(c, SM_PARTITION_ONLINE, SM_STRATEGY_REASSIGN, false);
    return KC_NEXT;
}

static enum kc_next stop_removing(struct kc_controller *c, struct kc_frame *f)
{
    if (c->stopping.count > 0) {
        kc_call(c, KC_FLOW_STOP_REMOVED, f->arg);
    }
    return KC_NEXT;
}

static bool select_target(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    s->row = f->arg;
    return kc_select_once(c, f, s);
}

static struct sm_assignment completed(struct kc_controller *c)
{
    struct sm_list target = sm_assignment_target(&c->goal);

    return sm_assignment_of(&target);
}

static bool ask_target(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                       struct kc_ask *ask)
{
    struct sm_assignment a = completed(c);

    (void)f;
    return ask_topic_write(c, s->row, &a, ask);
}

static enum kc_slot_next answer_target(struct kc_controller *c, struct kc_frame *f,
                                       struct kc_slot *s, int32_t err,
                                       const struct wire_zk_result_view *r)
{
    struct sm_assignment a = completed(c);

    (void)f, (void)r;
    if (err == WIRE_ZK_OK) {
        log_updated(c, s->row, &a);
    }
    return answer_topic_write(c, s->row, err);
}

static const struct kc_bulk write_target = {
    .select = select_target, .ask = ask_target, .answer = answer_target};

enum remove_mode { REMOVE_COMPLETED, REMOVE_FAILED, REMOVE_SUPERSEDED, REMOVE_DELETED };

static enum kc_next remove_from_znode(struct kc_controller *c, struct kc_frame *f)
{
    if (!kc_set_has(c, KC_SET_REASSIGNING, f->arg)) {
        return kc_throw(c, SM_ERR_ILLEGAL_STATE,
                        "java.lang.IllegalStateException: Cannot remove a reassigning partition "
                        "because it is not present in memory");
    }
    kc_row_at(c, f->arg)->flags &= (uint8_t)~KC_PARTITION_STATE_WATCH;
    kc_call(c, KC_FLOW_REASSIGN_REMOVE, f->arg)->arg2 = REMOVE_COMPLETED;
    return KC_NEXT;
}

static enum kc_next remove_from_memory(struct kc_controller *c, struct kc_frame *f)
{
    kc_set_remove(c, KC_SET_REASSIGNING, f->arg);
    return KC_NEXT;
}

static enum kc_next tell_all(struct kc_controller *c, struct kc_frame *f)
{
    kc_batch_begin(c, KC_OWNER_CONTROLLER);
    kc_batch_update_metadata(c, f->arg);
    kc_batch_send(c);
    return KC_NEXT;
}

static enum kc_next resume_deletion(struct kc_controller *c, struct kc_frame *f)
{
    uint32_t topic = kc_row_at(c, f->arg)->topic - 1;

    if ((kc_topic(c, topic)->flags & KC_TOPIC_QUEUED) != 0) {
        kc_mark_topic(c, topic, KC_TOPIC_INELIGIBLE, false);
        kc_call(c, KC_FLOW_RESUME_DELETIONS, 0);
    }
    return KC_NEXT;
}

static const struct kc_row reassign_rows[] = {
    [ROW_HALT] = {.name = "halt deletion", .run = halt_deletion},
    [ROW_WRITE_GOAL] = {.name = "U1 write the goal", .bulk = &write_goal},
    [ROW_ADOPT] = {.name = "U2 U3 adopt it, stop the unneeded", .run = adopt_goal},
    [ROW_WATCH] = {.name = "watch the ISR", .run = watch_isr},
    [ROW_CHECK] = {.name = "is the target in the ISR?", .bulk = &check_isr},
    [ROW_A1] = {.name = "A1 raise the leader epoch", .run = raise_epoch},
    [ROW_A2] = {.name = "A2 start adding replicas", .run = start_adding},
    [ROW_B1] = {.name = "B1 adding replicas go Online", .run = adding_online},
    [ROW_B2] = {.name = "B2 only the target", .run = only_target},
    [ROW_B3] = {.name = "B3 lead from the target", .run = lead_from_target},
    [ROW_B4] = {.name = "B4 B5 stop the removed", .run = stop_removing},
    [ROW_B6] = {.name = "B6 write the target", .bulk = &write_target},
    [ROW_B7] = {.name = "B7 remove from the znode", .run = remove_from_znode},
    [ROW_B7_MEMORY] = {.name = "B7 remove from memory", .run = remove_from_memory},
    [ROW_B8] = {.name = "B8 tell all", .run = tell_all},
    [ROW_B8_RESUME] = {.name = "B8 resume deletion", .run = resume_deletion},
    [ROW_END] = {0},
};
const struct kc_flow_def kc_flow_REASSIGN = {.name = "onPartitionReassignment",
                                             .rows = reassign_rows};

/* ---- stopRemovedReplicasOfReassignedPartition: c->stopping of partition arg ---- */

static enum kc_next stop_to(struct kc_controller *c, struct kc_frame *f)
{
    static const enum sm_replica_state path[] = {SM_REPLICA_OFFLINE, SM_REPLICA_DELETION_STARTED,
                                                 SM_REPLICA_DELETION_SUCCESSFUL,
                                                 SM_REPLICA_NONEXISTENT};

    if (f->cursor == sizeof path / sizeof path[0]) {
        return KC_NEXT;
    }
    kc_replicas_of(c, f->arg, &c->stopping);
    kc_replicas_call(c, path[f->cursor++]);
    return KC_STAY;
}

static const struct kc_row stop_rows[] = {{.name = "stop", .run = stop_to}, {0}};
const struct kc_flow_def kc_flow_STOP_REMOVED = {.name = "stopRemovedReplicasOfReassignedPartition",
                                                 .rows = stop_rows};

/* ---- maybeTriggerPartitionReassignment: one partition; what it throws is its result ---- */

static enum kc_next guarded(struct kc_controller *c, struct kc_frame *f)
{
    kc_call(c, KC_FLOW_REASSIGN, f->arg);
    return KC_NEXT;
}

/* Set afterwards: elections on the way use the same field. */
static enum kc_next succeeded(struct kc_controller *c, struct kc_frame *f)
{
    kc_row_at(c, f->arg)->result = KC_RESULT_OK;
    return KC_NEXT;
}

static enum kc_catch guard(struct kc_controller *c, struct kc_frame *f)
{
    if (c->error == SM_ERR_CONTROLLER_MOVED) {
        kc_log(c, KC_INFO,
               "[Controller id=%d] Failed completing reassignment of partition %s-%d because "
               "controller has moved to another broker",
               c->config.broker.id, kc_row_topic(c, f->arg), kc_row_at(c, f->arg)->partition);
        return KC_RETHROW;
    }
    kc_log(c, KC_ERROR, "[Controller id=%d] Error completing reassignment of partition %s-%d\n%s",
           c->config.broker.id, kc_row_topic(c, f->arg), kc_row_at(c, f->arg)->partition,
           kc_error_text(c));
    if (kc_batch_is_open(c)) {
        kc_batch_drop(c, false);
    }
    kc_row_at(c, f->arg)->result = KC_RESULT_ERROR;
    return KC_SWALLOW;
}

static const struct kc_row guarded_rows[] = {
    {.name = "reassign", .run = guarded}, {.name = "succeeded", .run = succeeded}, {0}};
const struct kc_flow_def kc_flow_REASSIGN_GUARDED = {
    .name = "maybeTriggerPartitionReassignment", .rows = guarded_rows, .on_error = guard};

/* ---- maybeRemoveFromZkReassignment ---- */

static bool ask_exists(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                       struct kc_ask *ask)
{
    (void)f, (void)s;
    kc_ask_path(ask, WIRE_ZK_EXISTS, SM_PATH_REASSIGN);
    ask->watch = (c->handlers & KC_HANDLER_REASSIGN) != 0;
    return true;
}

static enum kc_slot_next answer_exists(struct kc_controller *c, struct kc_frame *f,
                                       struct kc_slot *s, int32_t err,
                                       const struct wire_zk_result_view *r)
{
    (void)f, (void)s, (void)r;
    c->reply_found = err == WIRE_ZK_OK;
    return err == WIRE_ZK_OK || err == WIRE_ZK_NO_NODE ? KC_SLOT_DONE : kc_slot_throw(c, err);
}

static const struct kc_bulk znode_exists = {
    .select = kc_select_once, .ask = ask_exists, .answer = answer_exists};

static bool select_found(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    return c->reply_found && kc_select_once(c, f, s);
}

static bool ask_znode(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                      struct kc_ask *ask)
{
    (void)f, (void)s;
    kc_ask_path(ask, WIRE_ZK_GET_DATA, SM_PATH_REASSIGN);
    ask->watch = (c->handlers & KC_HANDLER_REASSIGN) != 0;
    return true;
}

/* Keeps the text: c->kept, c->kept_size; what does not parse counts as empty. */
static enum kc_slot_next answer_znode(struct kc_controller *c, struct kc_frame *f,
                                      struct kc_slot *s, int32_t err,
                                      const struct wire_zk_result_view *r)
{
    struct sm_partitions_reader reader;

    (void)f, (void)s;
    c->kept = c->kept_size = 0;
    if (err == WIRE_ZK_NO_NODE) {
        return KC_SLOT_DONE;
    }
    if (err != WIRE_ZK_OK) {
        return kc_slot_throw(c, err);
    }
    if (sm_partitions_open(&reader, (const char *)r->data, r->result->data_size) == SM_ERR_OK) {
        c->kept = kc_keep_bytes(c, r->data, r->result->data_size);
        c->kept_size = r->result->data_size;
    } else {
        kc_log_unreadable(c, SM_PATH_REASSIGN);
    }
    return KC_SLOT_DONE;
}

static const struct kc_bulk read_znode = {.select = select_found,
                                          .ask = ask_znode,
                                          .answer = answer_znode,
                                          .needs = kc_needs_reassign_znode};

static bool open_kept(struct kc_controller *c, struct sm_partitions_reader *r)
{
    return c->kept_size > 0 &&
           sm_partitions_open(r, (const char *)kc_scratch(c) + c->kept, c->kept_size) == SM_ERR_OK;
}

static bool is_removed(struct kc_controller *c, const struct kc_frame *f,
                       const struct sm_partition_item *item)
{
    uint32_t row = kc_row_named(c, item->topic, item->partition);

    switch ((enum remove_mode)f->arg2) {
    case REMOVE_COMPLETED: {
        struct sm_list replicas = kc_row_replicas(c, f->arg);
        return row == f->arg && sm_list_equal(&item->replicas, &replicas);
    }
    case REMOVE_FAILED:
        return row == KC_NO_ROW || kc_set_has(c, KC_SET_LISTED, row);
    case REMOVE_SUPERSEDED:
        return row != KC_NO_ROW && kc_set_has(c, KC_SET_RESUMED, row);
    case REMOVE_DELETED:
        return row != KC_NO_ROW && kc_row_at(c, row)->topic - 1 == f->arg;
    }
    return false;
}

/* Writes what stays into the room behind the kept text; 0 where nothing does. */
static size_t encode_rest(struct kc_controller *c, const struct kc_frame *f, char *out,
                          size_t capacity)
{
    struct sm_partitions_reader reader;
    struct sm_partitions_writer w;
    struct sm_partition_item item;

    if (!open_kept(c, &reader)) {
        return 0;
    }
    sm_partitions_writer_begin(&w, out, capacity);
    while (sm_partitions_next(&reader, &item)) {
        if (!is_removed(c, f, &item)) {
            sm_partitions_writer_item(&w, item.topic, item.partition, &item.replicas);
        }
    }
    return w.count == 0 ? 0 : sm_partitions_writer_end(&w);
}

/* Scala prints the map by the number of its entries, the replicas as a Buffer of the JSON. */
static void log_removed(struct kc_controller *c, const struct kc_frame *f)
{
    struct sm_partitions_reader reader;
    struct sm_partition_item item;
    struct kc_line l;
    uint32_t count = 0;

    if (!kc_notes(c, KC_NOTE_LOG | KC_NOTE_LOG_TRACE)) {
        return;
    }
    kc_line_begin(&l);
    for (bool more = open_kept(c, &reader); more && sm_partitions_next(&reader, &item);) {
        if (is_removed(c, f, &item)) {
            kc_line_add(&l, "%s%s-%d -> Buffer(", count++ > 0 ? ", " : "", item.topic,
                        item.partition);
            kc_line_ids(&l, item.replicas.id, (uint32_t)item.replicas.count, ", ");
            kc_line_add(&l, ")");
        }
    }
    kc_log(
        c, KC_INFO,
        "[Controller id=%d] Removing partitions %s(%s) from the list of reassigned partitions in "
        "zookeeper",
        c->config.broker.id, count > 4 ? "HashMap" : "Map", l.text);
}

static bool ask_rest(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                     struct kc_ask *ask)
{
    size_t capacity;
    char *out = kc_room(c, 0, &capacity);
    size_t size = encode_rest(c, f, out, capacity / 2);

    s->item = size == 0;
    if (s->stage == 0) {
        log_removed(c, f);
    }
    if (size == 0) {
        kc_log(c, KC_INFO,
               "[Controller id=%d] No more partitions need to be reassigned. Deleting zk path "
               "/admin/reassign_partitions",
               c->config.broker.id);
        kc_ask_write(ask, WIRE_ZK_DELETE, SM_PATH_REASSIGN, NULL, 0, WIRE_ZK_ANY_VERSION);
    } else {
        kc_ask_write(ask, s->stage == 0 ? WIRE_ZK_SET_DATA : WIRE_ZK_CREATE, SM_PATH_REASSIGN, out,
                     (uint32_t)size, WIRE_ZK_ANY_VERSION);
    }
    return true;
}

static enum kc_slot_next answer_rest(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                     int32_t err, const struct wire_zk_result_view *r)
{
    (void)f, (void)r;
    if (s->item) {
        if (err != WIRE_ZK_OK && err != WIRE_ZK_NO_NODE) {
            return kc_slot_throw(c, err);
        }
        kc_put(c,
               KC_EVENT_ZK_PARTITION_REASSIGNMENT); /* its existence check arms the watch again */
        return KC_SLOT_DONE;
    }
    if (err == WIRE_ZK_NO_NODE && s->stage == 0) {
        s->stage = 1;
        return KC_SLOT_ASK;
    }
    return err == WIRE_ZK_OK ? KC_SLOT_DONE : kc_slot_throw(c, err);
}

static const struct kc_bulk write_rest = {
    .select = select_found, .ask = ask_rest, .answer = answer_rest};

static const struct kc_row remove_rows[] = {
    {.name = "does the znode exist?", .bulk = &znode_exists},
    {.name = "read the znode", .bulk = &read_znode},
    {.name = "write the rest", .bulk = &write_rest},
    {0},
};
const struct kc_flow_def kc_flow_REASSIGN_REMOVE = {.name = "maybeRemoveFromZkReassignment",
                                                    .rows = remove_rows};

/* A broker that returns lets a deletion go on though a reassignment has halted it; what is left of
   the reassignment then goes with its topic. Kafka 2.8.2 leaves it (delete while reassigning). */
void kc_forget_reassignments(struct kc_controller *c, uint32_t topic)
{
    if (sm_defect_on(&c->config.profile, SM_DEFECT_DELETE_WHILE_REASSIGNING) ||
        !kc_topic_has_reassignment(c, topic)) {
        return;
    }
    for (uint32_t row = kc_row_next_of(c, topic, KC_NO_ROW); row != KC_NO_ROW;
         row = kc_row_next_of(c, topic, row)) {
        kc_row_at(c, row)->flags &= (uint8_t)~KC_PARTITION_STATE_WATCH;
        kc_set_remove(c, KC_SET_REASSIGNING, row);
    }
    kc_call(c, KC_FLOW_REASSIGN_REMOVE, topic)->arg2 = REMOVE_DELETED;
}

/* ---- ZkPartitionReassignment: arg 1 at failover ---- */

static enum kc_next znode_begin(struct kc_controller *c, struct kc_frame *f)
{
    if (!c->reply_found) {
        return KC_RETURN;
    }
    /* kept over the flows that this one calls, which keep texts of their own */
    f->arg2 = c->kept;
    f->value = (int32_t)c->kept_size;
    kc_set_clear(c, KC_SET_LISTED);
    return KC_NEXT;
}

/* Whether a partition may be reassigned at all; Kafka answers UNKNOWN_TOPIC_OR_PARTITION if not. */
static bool is_reassignable(struct kc_controller *c, uint32_t row)
{
    if (row == KC_NO_ROW || kc_row_at(c, row)->replica_count == 0) {
        return false;
    }
    if (kc_is_queued(c, row)) {
        kc_log(
            c, KC_INFO,
            "[Controller id=%d] Skipping reassignment of %s-%d since the topic is currently being "
            "deleted",
            c->config.broker.id, kc_row_topic(c, row), kc_row_at(c, row)->partition);
        return false;
    }
    return true;
}

/* The result of the previous partition is looked at when the row is run again. */
static void take_result(struct kc_controller *c, struct kc_frame *f)
{
    if (f->phase == 0) {
        return;
    }
    uint32_t row = c->last_row;
    kc_set_add(c, kc_row_at(c, row)->result == KC_RESULT_OK ? KC_SET_RESUMED : KC_SET_LISTED, row);
    f->flags |= kc_row_at(c, row)->result != KC_RESULT_OK;
    f->phase = 0;
}

static enum kc_next znode_items(struct kc_controller *c, struct kc_frame *f)
{
    struct sm_partitions_reader reader;
    struct sm_partition_item item;

    c->kept = f->arg2;
    c->kept_size = (uint32_t)f->value;
    take_result(c, f);
    if (!open_kept(c, &reader)) {
        return KC_NEXT;
    }
    if (f->cursor > 0) {
        reader.at = f->cursor;
    }
    while (sm_partitions_next(&reader, &item)) {
        uint32_t row = kc_row_named(c, item.topic, item.partition);
        f->cursor = (uint32_t)reader.at;
        if (!is_reassignable(c, row)) {
            f->flags |= 1;
            if (row != KC_NO_ROW) {
                kc_set_add(c, KC_SET_LISTED, row);
            }
            continue;
        }
        struct sm_assignment a = kc_row_assignment(c, row);
        if (sm_assignment_reassign_to(&a, &item.replicas, &c->goal) != SM_ERR_OK) {
            f->flags |= 1;
            kc_set_add(c, KC_SET_LISTED, row);
            continue;
        }
        c->last_row = row;
        f->phase = 1;
        kc_call(c, KC_FLOW_REASSIGN_GUARDED, row);
        return KC_STAY;
    }
    return KC_NEXT;
}

static enum kc_next znode_failed(struct kc_controller *c, struct kc_frame *f)
{
    if (f->flags != 0) {
        kc_log(c, KC_WARN, "[Controller id=%d] Failed reassignment through zk with errors",
               c->config.broker.id);
        kc_call(c, KC_FLOW_REASSIGN_REMOVE, KC_NO_ROW)->arg2 = REMOVE_FAILED;
    }
    return KC_NEXT;
}

static const struct kc_row znode_rows[] = {
    {.name = "active?", .run = kc_if_active},
    {.name = "does the znode exist?", .bulk = &znode_exists},
    {.name = "read the znode", .bulk = &read_znode},
    {.name = "begin", .run = znode_begin},
    {.name = "reassign", .run = znode_items},
    {.name = "remove what failed", .run = znode_failed},
    {0},
};
const struct kc_flow_def kc_flow_REASSIGN_ZNODE = {.name = "ZkPartitionReassignment",
                                                   .rows = znode_rows};

/* ---- ApiPartitionReassignment ---- */

static int32_t *results_of(struct kc_controller *c, const struct kc_frame *f)
{
    return (int32_t *)(void *)(kc_scratch(c) + f->arg);
}

enum { RESULT_PENDING = INT16_MIN };

static const struct wire_call *call_of(const struct kc_controller *c)
{
    return kc_event_bytes(c, &c->event);
}

/* Source: KafkaController.validateReplicas. */
static int32_t validate(struct kc_controller *c, const struct sm_assignment *current,
                        const struct sm_list *replicas)
{
    struct sm_assignment next;

    if (replicas->count == 0 || sm_list_has_duplicates(replicas)) {
        return WIRE_ERROR_INVALID_REPLICA_ASSIGNMENT;
    }
    for (int32_t i = 0; i < replicas->count; i++) {
        if (replicas->id[i] < 0) {
            return WIRE_ERROR_INVALID_REPLICA_ASSIGNMENT;
        }
    }
    if (sm_assignment_reassign_to(current, replicas, &next) != SM_ERR_OK) {
        return WIRE_ERROR_INVALID_REPLICA_ASSIGNMENT;
    }
    for (int32_t i = 0; i < next.adding.count; i++) {
        uint32_t broker = kc_broker_find(c, next.adding.id[i]);
        if (broker == KC_NO_ROW || (kc_broker(c, broker)->flags &
                                    (KC_BROKER_LIVE | KC_BROKER_SHUTTING_DOWN)) != KC_BROKER_LIVE) {
            return WIRE_ERROR_INVALID_REPLICA_ASSIGNMENT;
        }
    }
    return RESULT_PENDING;
}

/* Kafka does not look whether anybody is left who could lead; 2.8-fixed does. */
static int32_t may_cancel(struct kc_controller *c, uint32_t row, const struct sm_assignment *a)
{
    struct sm_list origin = sm_assignment_origin(a);

    if (sm_defect_on(&c->config.profile, SM_DEFECT_CANCEL_DELETES_ONLY_COPY) ||
        !kc_has_leadership(c, row)) {
        return RESULT_PENDING;
    }
    struct sm_leader_and_isr li = kc_row_leadership(c, row);
    for (int32_t i = 0; i < origin.count; i++) {
        if (sm_list_has(&li.isr, origin.id[i]) && kc_is_online_id(c, row, origin.id[i])) {
            return RESULT_PENDING;
        }
    }
    return WIRE_ERROR_INVALID_REPLICA_ASSIGNMENT;
}

static struct sm_list replicas_of(const struct wire_call_view *v)
{
    return sm_list_of(v->replicas, v->item->replica_count);
}

static int32_t judge_item(struct kc_controller *c, const struct wire_call_view *v)
{
    uint32_t row = kc_row_named(c, v->topic, v->item->partition);
    struct sm_assignment none = {0};
    struct sm_assignment a = row == KC_NO_ROW ? none : kc_row_assignment(c, row);

    if (!v->item->cancel) {
        struct sm_list replicas = replicas_of(v);
        return validate(c, &a, &replicas);
    }
    return sm_assignment_is_being_reassigned(&a) ? may_cancel(c, row, &a)
                                                 : WIRE_ERROR_NO_REASSIGNMENT_IN_PROGRESS;
}

static void answer_call(struct kc_controller *c, int32_t error, const int32_t *results)
{
    const struct wire_call *call = call_of(c);
    struct wire_call head = {.api = call->api, .error = error};
    struct wire_call_builder b;
    struct wire_call_view v = {0};
    size_t capacity;
    char *out = kc_room(c, 0, &capacity);

    wire_call_begin(&b, out, capacity, &head);
    for (uint32_t i = 0; results != NULL && wire_call_next(call, &v); i++) {
        wire_call_add(&b, v.topic, v.item->partition, results[i], false, NULL);
    }
    const struct wire_call *answer = wire_call_end(&b);
    assert(answer != NULL);
    kc_reply(c, answer);
}

static enum kc_next call_begin(struct kc_controller *c, struct kc_frame *f)
{
    const struct wire_call *call = call_of(c);
    struct wire_call_view v = {0};

    if (!kc_is_active(c)) {
        answer_call(c, WIRE_ERROR_NOT_CONTROLLER, NULL);
        return KC_RETURN;
    }
    uint32_t at = (c->scratch_used + 7) & ~7u;
    c->scratch_used = at + 4 * call->count;
    f->arg = at;
    kc_set_clear(c, KC_SET_RESUMED);
    for (uint32_t i = 0; wire_call_next(call, &v); i++) {
        results_of(c, f)[i] = judge_item(c, &v);
        uint32_t row = kc_row_named(c, v.topic, v.item->partition);
        if (results_of(c, f)[i] == RESULT_PENDING && row != KC_NO_ROW) {
            kc_set_add(c, KC_SET_RESUMED, row);
        }
    }
    kc_call(c, KC_FLOW_REASSIGN_REMOVE, KC_NO_ROW)->arg2 = REMOVE_SUPERSEDED;
    return KC_NEXT;
}

static int32_t result_code(uint8_t result)
{
    return result == KC_RESULT_OK ? WIRE_ERROR_NONE : WIRE_ERROR_UNKNOWN_SERVER_ERROR;
}

static bool start_item(struct kc_controller *c, const struct wire_call_view *v, int32_t *result)
{
    uint32_t row = kc_row_named(c, v->topic, v->item->partition);

    if (*result != RESULT_PENDING) {
        return false;
    }
    if (!is_reassignable(c, row)) {
        *result = WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
        return false;
    }
    struct sm_assignment a = kc_row_assignment(c, row);
    struct sm_list target = v->item->cancel ? sm_assignment_origin(&a) : replicas_of(v);
    if (sm_assignment_reassign_to(&a, &target, &c->goal) != SM_ERR_OK) {
        *result = WIRE_ERROR_INVALID_REPLICA_ASSIGNMENT;
        return false;
    }
    c->last_row = row;
    kc_call(c, KC_FLOW_REASSIGN_GUARDED, row);
    return true;
}

/* Frame: arg the results, arg2 the item, cursor its place in the call; phase 1: one is in work. */
static enum kc_next call_items(struct kc_controller *c, struct kc_frame *f)
{
    struct wire_call_view v = {.next = f->cursor};

    if (f->phase == 1) {
        results_of(c, f)[f->arg2++] = result_code(kc_row_at(c, c->last_row)->result);
        f->phase = 0;
    }
    while (wire_call_next(call_of(c), &v)) {
        f->cursor = v.next;
        if (start_item(c, &v, &results_of(c, f)[f->arg2])) {
            f->phase = 1;
            return KC_STAY;
        }
        f->arg2++;
    }
    return KC_NEXT;
}

static enum kc_next call_end(struct kc_controller *c, struct kc_frame *f)
{
    answer_call(c, WIRE_ERROR_NONE, results_of(c, f));
    return KC_NEXT;
}

static const struct kc_row call_rows[] = {
    {.name = "validate", .run = call_begin},
    {.name = "reassign", .run = call_items},
    {.name = "answer", .run = call_end},
    {0},
};
const struct kc_flow_def kc_flow_REASSIGN_CALL = {.name = "ApiPartitionReassignment",
                                                  .rows = call_rows};

/* ---- PartitionReassignmentIsrChange, and maybeCompleteReassignment: arg is row + 1, 0 the event's
 * ---- */

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
    f->flags = sm_assignment_is_being_reassigned(&a) ? 0 : COMPLETE;
    return KC_NEXT;
}

static bool select_changed(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    s->row = f->arg - 1;
    return (f->flags & COMPLETE) == 0 && kc_select_once(c, f, s);
}

static enum kc_slot_next answer_changed(struct kc_controller *c, struct kc_frame *f,
                                        struct kc_slot *s, int32_t err,
                                        const struct wire_zk_result_view *r)
{
    struct sm_assignment a = kc_row_assignment(c, s->row);

    return judge_isr(c, f, s, err, r, &a);
}

static const struct kc_bulk read_changed = {.select = select_changed,
                                            .ask = ask_state,
                                            .answer = answer_changed,
                                            .needs = kc_needs_state_znode};

static enum kc_next complete(struct kc_controller *c, struct kc_frame *f)
{
    char text[SM_REPLICAS_MAX * 13];

    if ((f->flags & COMPLETE) == 0) {
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

/* ---- ListPartitionReassignments ---- */

static void list_one(struct kc_controller *c, struct wire_call_builder *b, uint32_t row)
{
    struct sm_assignment a = kc_row_assignment(c, row);

    if (sm_assignment_is_being_reassigned(&a)) {
        wire_call_add(b, kc_row_topic(c, row), kc_row_at(c, row)->partition, 0, false, &a);
    }
}

static enum kc_next list(struct kc_controller *c, struct kc_frame *f)
{
    const struct wire_call *call = call_of(c);
    struct wire_call head = {.api = call->api};
    struct wire_call_builder b;
    struct wire_call_view v = {0};
    size_t capacity;
    char *out = kc_room(c, 0, &capacity);

    (void)f;
    if (!kc_is_active(c)) {
        answer_call(c, WIRE_ERROR_NOT_CONTROLLER, NULL);
        return KC_NEXT;
    }
    wire_call_begin(&b, out, capacity, &head);
    for (uint32_t row = kc_set_next(c, KC_SET_REASSIGNING, 0); call->all && row != KC_NO_ROW;
         row = kc_set_next(c, KC_SET_REASSIGNING, row + 1)) {
        list_one(c, &b, row);
    }
    while (!call->all && wire_call_next(call, &v)) {
        uint32_t row = kc_row_named(c, v.topic, v.item->partition);
        if (row != KC_NO_ROW) {
            list_one(c, &b, row);
        }
    }
    const struct wire_call *answer = wire_call_end(&b);
    if (answer == NULL) {
        answer_call(c, WIRE_ERROR_UNKNOWN_SERVER_ERROR, NULL);
    } else {
        kc_reply(c, answer);
    }
    return KC_NEXT;
}

static const struct kc_row list_rows[] = {{.name = "list", .run = list}, {0}};
const struct kc_flow_def kc_flow_LIST_REASSIGNMENTS = {.name = "ListPartitionReassignments",
                                                       .rows = list_rows};
