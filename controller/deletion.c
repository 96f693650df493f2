/*
 * Deleting a topic.
 *
 *        /admin/delete_topics/T appears
 *                  |
 *   partitions Offline, NonExistent; brokers are told leader -2 and drop T from their metadata
 *                  |
 *   every replica: Offline ─► DeletionStarted ─► DeletionSuccessful ─► (gone)
 *                                   |  StopReplica answered with an error, or its broker died
 *                                   v
 *                            DeletionIneligible ── nobody else is being deleted ──► Offline, again
 *
 * A topic is finished only when all its replicas are DeletionSuccessful; only then are its znodes
 * removed, the request last, so that a controller that dies half-way finds the request again.
 *
 * A topic is *ineligible* (halted) while it has a replica on a dead broker or a reassignment; a
 * broker that starts, or a reassignment that ends, makes it eligible. Exception, as in Kafka 2.8.2:
 * a reassignment that runs when the deletion is asked for does not halt it, for the mark is made
 * before the topic is queued, and only queued topics can be marked
 * (SM_DEFECT_DELETE_WHILE_REASSIGNING).
 *
 * Source: Kafka TopicDeletionManager, KafkaController.processTopicDeletion.
 */
#include "controller/state.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

bool kc_delete_topic_enabled(const struct kc_controller *c)
{
    return c->config.delete_topic != 0;
}

void kc_mark_ineligible(struct kc_controller *c, uint32_t topic, const char *reason)
{
    if (!kc_delete_topic_enabled(c) || (kc_topic(c, topic)->flags & KC_TOPIC_QUEUED) == 0) {
        return;
    }
    kc_mark_topic(c, topic, KC_TOPIC_INELIGIBLE | KC_TOPIC_HELD, true);
    kc_log(c, KC_INFO, "[Topic Deletion Manager %d] Halted deletion of topics %s due to %s",
           c->config.broker.id, kc_topic_name(kc_topic(c, topic)), reason);
}

/* ---- TopicDeletion ---- */

static bool exists(const struct kc_controller *c, const char *name)
{
    uint32_t topic = kc_topic_find(c, name);

    return topic != KC_NO_ROW && (kc_topic(c, topic)->flags & KC_TOPIC_EXISTS) != 0;
}

/* Requests for topics that do not exist are dropped; all are where deletion is disabled. */
static bool select_unknown(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    while (kc_select_name(c, f, s)) {
        if (!exists(c, kc_slot_name(c, s)) || !kc_delete_topic_enabled(c)) {
            return true;
        }
    }
    return false;
}

static bool ask_drop(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                     struct kc_ask *ask)
{
    return kc_delete_deletions.ask(c, f, s, ask);
}

static const struct kc_bulk drop_unknown = {
    .select = select_unknown, .ask = ask_drop, .answer = kc_answer_deleted};

static enum kc_next say_unknown(struct kc_controller *c, struct kc_frame *f)
{
    const char *name = NULL;

    (void)f;
    while ((name = kc_name_next(c, name)) != NULL) {
        if (!exists(c, name)) {
            kc_log(c, KC_WARN,
                   "[Controller id=%d] Ignoring request to delete non-existing topics %s",
                   c->config.broker.id, name);
        }
    }
    return KC_NEXT;
}

static enum kc_next enqueue(struct kc_controller *c, struct kc_frame *f)
{
    static const char reason[] = "topic reassignment in progress";
    bool late = kc_defect(c, SM_DEFECT_DELETE_WHILE_REASSIGNING);
    const char *name = NULL;
    bool any = false;

    (void)f;
    while (kc_delete_topic_enabled(c) && (name = kc_name_next(c, name)) != NULL) {
        if (!exists(c, name)) {
            continue;
        }
        uint32_t topic = kc_topic_find(c, name);
        bool reassigning = kc_topic_has_reassignment(c, topic);
        kc_log(c, KC_INFO, "[Controller id=%d] Starting topic deletion for topics %s",
               c->config.broker.id, name);
        if (reassigning && late) {
            kc_mark_ineligible(c, topic, reason);
        }
        kc_queue_topic_deletion(c, topic);
        if (reassigning && !late) {
            kc_mark_ineligible(c, topic, reason);
        }
        any = true;
    }
    if (any) {
        kc_call(c, KC_FLOW_RESUME_DELETIONS, 0);
    }
    return KC_NEXT;
}

static const struct kc_row deletion_rows[] = {
    {.name = "active?", .run = kc_if_active},
    {.name = "list deletions", .bulk = &kc_list_deletions},
    {.name = "say unknown topics", .run = say_unknown},
    {.name = "drop unknown topics", .bulk = &drop_unknown},
    {.name = "enqueue", .run = enqueue},
    {0},
};
const struct kc_flow_def kc_flow_TOPIC_DELETION = {.name = "TopicDeletion", .rows = deletion_rows};

/* ---- resumeDeletions ---- */

static bool has_replica_in(struct kc_controller *c, uint32_t topic, enum sm_replica_state state)
{
    for (uint32_t row = kc_row_next_of(c, topic, KC_NO_ROW); row != KC_NO_ROW;
         row = kc_row_next_of(c, topic, row)) {
        const struct kc_partition *p = kc_row_at(c, row);
        for (uint32_t i = 0; i < p->replica_count; i++) {
            if (kc_row_replica_state(c, row, kc_replicas(c, p)[i]) == state) {
                return true;
            }
        }
    }
    return false;
}

/* True of a topic without replicas, too: an unknown one is finished at once. */
static bool all_replicas_deleted(struct kc_controller *c, uint32_t topic)
{
    for (uint32_t row = kc_row_next_of(c, topic, KC_NO_ROW); row != KC_NO_ROW;
         row = kc_row_next_of(c, topic, row)) {
        const struct kc_partition *p = kc_row_at(c, row);
        for (uint32_t i = 0; i < p->replica_count; i++) {
            if (kc_row_replica_state(c, row, kc_replicas(c, p)[i]) !=
                SM_REPLICA_DELETION_SUCCESSFUL) {
                return false;
            }
        }
    }
    return true;
}

static enum kc_next snapshot(struct kc_controller *c, struct kc_frame *f)
{
    bool any = false;

    (void)f;
    for (uint32_t t = 0; t < c->topic_count; t++) {
        uint32_t *flags = &kc_topic(c, t)->flags;
        *flags &= ~(uint32_t)(KC_TOPIC_SNAPSHOT | KC_TOPIC_RETRY | KC_TOPIC_DELETE |
                              KC_TOPIC_UNSEEN | KC_TOPIC_DEAD_REPLICAS);
        if ((*flags & KC_TOPIC_QUEUED) != 0) {
            *flags |= KC_TOPIC_SNAPSHOT;
            any = true;
        }
    }
    if (!any) {
        return KC_RETURN;
    }
    kc_log_topics(c, "Handling deletion for topics ", KC_TOPIC_SNAPSHOT);
    return KC_NEXT;
}

static void judge_eligible(struct kc_controller *c, uint32_t topic)
{
    struct kc_topic *t = kc_topic(c, topic);

    if ((t->flags & (KC_TOPIC_QUEUED | KC_TOPIC_INELIGIBLE)) == KC_TOPIC_QUEUED &&
        !has_replica_in(c, topic, SM_REPLICA_DELETION_STARTED)) {
        kc_log(c, KC_INFO, "[Topic Deletion Manager %d] Deletion of topic %s (re)started",
               c->config.broker.id, kc_topic_name(t));
        t->flags |= KC_TOPIC_DELETE;
    }
}

/* Frame: cursor = topic; it stays on one that it completes, which is gone when the call returns. */
static enum kc_next scan(struct kc_controller *c, struct kc_frame *f)
{
    while (f->cursor < c->topic_count) {
        uint32_t topic = f->cursor++;
        struct kc_topic *t = kc_topic(c, topic);
        if (!t->used || (t->flags & KC_TOPIC_SNAPSHOT) == 0) {
            continue;
        }
        if (all_replicas_deleted(c, topic)) {
            kc_call(c, KC_FLOW_COMPLETE_DELETION, topic);
            return KC_STAY;
        }
        if (!has_replica_in(c, topic, SM_REPLICA_DELETION_STARTED) &&
            has_replica_in(c, topic, SM_REPLICA_DELETION_INELIGIBLE)) {
            t->flags |= KC_TOPIC_RETRY;
        }
        judge_eligible(c, topic);
    }
    return KC_NEXT;
}

static void take_partitions(struct kc_controller *c, enum kc_set set, uint32_t flag)
{
    kc_set_clear(c, set);
    for (uint32_t t = 0; t < c->topic_count; t++) {
        if ((kc_topic(c, t)->flags & flag) == 0) {
            continue;
        }
        for (uint32_t row = kc_row_next_of(c, t, KC_NO_ROW); row != KC_NO_ROW;
             row = kc_row_next_of(c, t, row)) {
            if (kc_row_is_assigned(c, row)) {
                kc_set_add(c, set, row);
            }
        }
    }
}

static bool is_ineligible(struct kc_controller *c, uint32_t row, uint32_t broker, uint32_t arg)
{
    (void)arg;
    return kc_row_replica_state(c, row, broker) == SM_REPLICA_DELETION_INELIGIBLE;
}

static enum kc_next retry(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    take_partitions(c, KC_SET_DELETING, KC_TOPIC_RETRY);
    kc_replicas_select_in(c, KC_SET_DELETING, is_ineligible, 0);
    kc_replicas_call(c, SM_REPLICA_OFFLINE);
    return KC_NEXT;
}

static bool any_topic(const struct kc_controller *c, uint32_t flag)
{
    for (uint32_t t = 0; t < c->topic_count; t++) {
        if ((kc_topic(c, t)->flags & flag) != 0) {
            return true;
        }
    }
    return false;
}

static enum kc_next start(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (any_topic(c, KC_TOPIC_DELETE)) {
        kc_call(c, KC_FLOW_ON_TOPIC_DELETION, 0);
    }
    return KC_NEXT;
}

static const struct kc_row resume_rows[] = {
    {.name = "snapshot", .run = snapshot},
    {.name = "scan", .run = scan},
    {.name = "retry ineligible replicas", .run = retry},
    {.name = "start deletions", .run = start},
    {0},
};
const struct kc_flow_def kc_flow_RESUME_DELETIONS = {.name = "resumeDeletions",
                                                     .rows = resume_rows};

/* ---- completeDeleteTopic: arg is the topic ---- */

static bool is_deleted(struct kc_controller *c, uint32_t row, uint32_t broker, uint32_t arg)
{
    (void)arg;
    return kc_row_replica_state(c, row, broker) == SM_REPLICA_DELETION_SUCCESSFUL;
}

static enum kc_next replicas_vanish(struct kc_controller *c, struct kc_frame *f)
{
    kc_topic(c, f->arg)->flags &= ~(uint32_t)KC_TOPIC_HANDLER;
    kc_set_clear(c, KC_SET_DELETING);
    for (uint32_t row = kc_row_next_of(c, f->arg, KC_NO_ROW); row != KC_NO_ROW;
         row = kc_row_next_of(c, f->arg, row)) {
        kc_set_add(c, KC_SET_DELETING, row);
    }
    kc_replicas_select_in(c, KC_SET_DELETING, is_deleted, 0);
    kc_replicas_call(c, SM_REPLICA_NONEXISTENT);
    return KC_NEXT;
}

static bool ask_partition_names(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                struct kc_ask *ask)
{
    (void)s;
    ask->opcode = WIRE_ZK_GET_CHILDREN;
    sm_path_topic_partitions(ask->path, kc_topic_name(kc_topic(c, f->arg)));
    return true;
}

static const struct kc_bulk list_partitions = {
    .select = kc_select_once, .ask = ask_partition_names, .answer = kc_answer_names};

static bool ask_delete_state(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                             struct kc_ask *ask)
{
    char partitions[SM_PATH_MAX], partition[SM_PATH_MAX], state[SM_PATH_MAX];

    sm_path_topic_partitions(partitions, kc_topic_name(kc_topic(c, f->arg)));
    sm_path_child(partition, partitions, kc_slot_name(c, s));
    sm_path_child(state, partition, "state");
    kc_ask_write(ask, WIRE_ZK_DELETE, state, NULL, 0, WIRE_ZK_ANY_VERSION);
    return true;
}

static bool ask_delete_partition(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                 struct kc_ask *ask)
{
    char partitions[SM_PATH_MAX], partition[SM_PATH_MAX];

    sm_path_topic_partitions(partitions, kc_topic_name(kc_topic(c, f->arg)));
    sm_path_child(partition, partitions, kc_slot_name(c, s));
    kc_ask_write(ask, WIRE_ZK_DELETE, partition, NULL, 0, WIRE_ZK_ANY_VERSION);
    return true;
}

static const struct kc_bulk delete_states = {
    .select = kc_select_name, .ask = ask_delete_state, .answer = kc_answer_deleted};
static const struct kc_bulk delete_partitions = {
    .select = kc_select_name, .ask = ask_delete_partition, .answer = kc_answer_deleted};

enum { REST = 4 };

/* From the inside out; the request goes last. */
static bool select_rest(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    (void)c;
    s->item = f->cursor;
    return f->cursor++ < REST;
}

static bool ask_delete_rest(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                            struct kc_ask *ask)
{
    static int (*const path_of[REST])(char *, const char *) = {
        sm_path_topic_partitions, sm_path_topic, sm_path_config_topic, sm_path_delete_topic};
    char path[SM_PATH_MAX];

    path_of[s->item](path, kc_topic_name(kc_topic(c, f->arg)));
    kc_ask_write(ask, WIRE_ZK_DELETE, path, NULL, 0, WIRE_ZK_ANY_VERSION);
    return true;
}

static const struct kc_bulk delete_rest = {
    .select = select_rest, .ask = ask_delete_rest, .answer = kc_answer_deleted};

static enum kc_next end_reassignments(struct kc_controller *c, struct kc_frame *f)
{
    kc_forget_reassignments(c, f->arg);
    return KC_NEXT;
}

static enum kc_next forget(struct kc_controller *c, struct kc_frame *f)
{
    kc_log(c, KC_INFO, "[Topic Deletion Manager %d] Deletion of topic %s successfully completed",
           c->config.broker.id, kc_topic_name(kc_topic(c, f->arg)));
    kc_remove_topic(c, f->arg);
    return KC_NEXT;
}

static const struct kc_row complete_rows[] = {
    {.name = "replicas vanish", .run = replicas_vanish},
    {.name = "list partitions", .bulk = &list_partitions},
    {.name = "delete states", .bulk = &delete_states},
    {.name = "delete partitions", .bulk = &delete_partitions},
    {.name = "delete topic, config, request", .bulk = &delete_rest},
    {.name = "end its reassignments", .run = end_reassignments},
    {.name = "forget", .run = forget},
    {0},
};
const struct kc_flow_def kc_flow_COMPLETE_DELETION = {.name = "completeDeleteTopic",
                                                      .rows = complete_rows};

/* ---- onTopicDeletion: topics flagged DELETE ---- */

static enum kc_next partitions_offline(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    for (uint32_t t = 0; t < c->topic_count; t++) {
        uint32_t *flags = &kc_topic(c, t)->flags;
        if ((*flags & (KC_TOPIC_DELETE | KC_TOPIC_STARTED)) == KC_TOPIC_DELETE) {
            *flags |= KC_TOPIC_UNSEEN;
        }
    }
    take_partitions(c, KC_SET_WORK, KC_TOPIC_UNSEEN);
    kc_partitions_call(c, SM_PARTITION_OFFLINE, SM_STRATEGY_NONE, false);
    return KC_NEXT;
}

static enum kc_next partitions_vanish(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    take_partitions(c, KC_SET_WORK, KC_TOPIC_UNSEEN);
    kc_partitions_call(c, SM_PARTITION_NONEXISTENT, SM_STRATEGY_NONE, false);
    return KC_NEXT;
}

static enum kc_next begin_deletion(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    for (uint32_t t = 0; t < c->topic_count; t++) {
        if ((kc_topic(c, t)->flags & KC_TOPIC_UNSEEN) != 0) {
            kc_mark_topic(c, t, KC_TOPIC_STARTED, true);
        }
    }
    take_partitions(c, KC_SET_DELETING, KC_TOPIC_DELETE);
    return KC_NEXT;
}

static enum kc_next tell_leaderless(struct kc_controller *c, struct kc_frame *f)
{
    if (!kc_batch_is_open(c)) {
        kc_batch_begin(c, KC_OWNER_CONTROLLER);
        kc_batch_update_metadata(c, KC_NO_ROW);
    }
    for (uint32_t row = kc_set_next(c, KC_SET_DELETING, f->cursor); row != KC_NO_ROW;
         row = kc_set_next(c, KC_SET_DELETING, row + 1)) {
        f->cursor = row + 1;
        kc_batch_partition_metadata(c, row);
        if (kc_worked(c)) {
            return KC_YIELD;
        }
    }
    kc_batch_send(c);
    return KC_NEXT;
}

static bool is_dead(struct kc_controller *c, uint32_t row, uint32_t broker, uint32_t arg)
{
    (void)arg;
    if (kc_is_online(c, row, broker)) {
        return false;
    }
    kc_topic(c, kc_row_at(c, row)->topic - 1)->flags |= KC_TOPIC_DEAD_REPLICAS;
    return true;
}

static bool is_to_delete(struct kc_controller *c, uint32_t row, uint32_t broker, uint32_t arg)
{
    (void)arg;
    return kc_is_online(c, row, broker) &&
           kc_row_replica_state(c, row, broker) != SM_REPLICA_DELETION_SUCCESSFUL;
}

static enum kc_next dead_ineligible(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_replicas_select_in(c, KC_SET_DELETING, is_dead, 0);
    kc_replicas_call(c, SM_REPLICA_DELETION_INELIGIBLE);
    return KC_NEXT;
}

static enum kc_next live_offline(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_replicas_select_in(c, KC_SET_DELETING, is_to_delete, 0);
    kc_replicas_call(c, SM_REPLICA_OFFLINE);
    return KC_NEXT;
}

static enum kc_next live_started(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_replicas_select_in(c, KC_SET_DELETING, is_to_delete, 0);
    kc_replicas_call(c, SM_REPLICA_DELETION_STARTED);
    return KC_NEXT;
}

static void halt_marked(struct kc_controller *c, uint32_t flag, const char *reason)
{
    bool any = false;

    for (uint32_t t = 0; t < c->topic_count; t++) {
        struct kc_topic *topic = kc_topic(c, t);
        if ((topic->flags & flag) != 0 && (topic->flags & KC_TOPIC_QUEUED) != 0) {
            kc_mark_topic(c, t, KC_TOPIC_INELIGIBLE, true);
            any = true;
        } else {
            topic->flags &= ~flag;
        }
    }
    if (any) {
        kc_log_halted(c, flag, reason);
    }
    for (uint32_t t = 0; t < c->topic_count; t++) {
        kc_topic(c, t)->flags &= ~flag;
    }
}

static enum kc_next halt(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    halt_marked(c, KC_TOPIC_DEAD_REPLICAS, "offline replicas");
    return KC_NEXT;
}

static const struct kc_row on_deletion_rows[] = {
    {.name = "partitions go Offline", .run = partitions_offline},
    {.name = "partitions vanish", .run = partitions_vanish},
    {.name = "begin", .run = begin_deletion},
    {.name = "tell leader -2", .run = tell_leaderless},
    {.name = "dead replicas are ineligible", .run = dead_ineligible},
    {.name = "live replicas go Offline", .run = live_offline},
    {.name = "live replicas are deleted", .run = live_started},
    {.name = "halt", .run = halt},
    {0},
};
const struct kc_flow_def kc_flow_ON_TOPIC_DELETION = {.name = "onTopicDeletion",
                                                      .rows = on_deletion_rows};

/* ---- failReplicaDeletion: the replica work is selected, the topics are MARKED ---- */

static enum kc_next replicas_fail(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_replicas_call(c, SM_REPLICA_DELETION_INELIGIBLE);
    return KC_NEXT;
}

static enum kc_next topics_fail(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    halt_marked(c, KC_TOPIC_MARKED, "replica deletion failure");
    kc_call(c, KC_FLOW_RESUME_DELETIONS, 0);
    return KC_NEXT;
}

static const struct kc_row fail_rows[] = {
    {.name = "replicas are ineligible", .run = replicas_fail},
    {.name = "topics are halted", .run = topics_fail},
    {0},
};
const struct kc_flow_def kc_flow_FAIL_DELETION = {.name = "failReplicaDeletion", .rows = fail_rows};
