/*
 * Topics appear, grow and vanish; leaders change their ISRs.
 *
 *   TopicChange             ─► list ─► read the new ones ─► forget the gone ─► new partitions
 *   PartitionModifications  ─► read ─► partitions not known yet ─► new partitions
 *   IsrChangeNotification   ─► list, read ─► read states ─► tell all ─► finish reassignments
 *
 *   new partitions: partitions New ─► replicas New ─► partitions Online (leader, ISR, LeaderAndIsr)
 *                   ─► replicas Online
 *
 * Replicas go New first, when nobody leads, so that no request is sent for them then; the one
 * LeaderAndIsr that they get comes from the partition machine, with isNew. All of them end Online,
 * also those on dead brokers: New -> Online asks nobody.
 *
 * Source: Kafka KafkaController.processTopicChange, processPartitionModifications,
 * onNewPartitionCreation, processIsrChangeNotification.
 */
#include "controller/state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what a deletion has to wait for ---- */

bool kc_topic_has_offline_replica(struct kc_controller *c, uint32_t topic)
{
    for (uint32_t row = kc_row_next_of(c, topic, KC_NO_ROW); row != KC_NO_ROW;
         row = kc_row_next_of(c, topic, row)) {
        const struct kc_partition *p = kc_row_at(c, row);
        for (uint32_t i = 0; i < p->replica_count; i++) {
            if (!kc_is_online(c, row, kc_replicas(c, p)[i])) {
                return true;
            }
        }
    }
    return false;
}

bool kc_topic_has_reassignment(const struct kc_controller *c, uint32_t topic)
{
    if (kc_set_is_empty(c, KC_SET_REASSIGNING)) {
        return false;
    }
    for (uint32_t row = kc_row_next_of(c, topic, KC_NO_ROW); row != KC_NO_ROW;
         row = kc_row_next_of(c, topic, row)) {
        if (kc_set_has(c, KC_SET_REASSIGNING, row)) {
            return true;
        }
    }
    return false;
}

/* ---- new partitions: KC_SET_LISTED ---- */

static enum kc_next partitions_new(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_log_set(c, KC_INFO, "New partition creation callback for ", KC_SET_LISTED, "");
    kc_set_copy(c, KC_SET_WORK, KC_SET_LISTED);
    kc_partitions_call(c, SM_PARTITION_NEW, SM_STRATEGY_NONE, false);
    return KC_NEXT;
}

static bool every_replica(struct kc_controller *c, uint32_t row, uint32_t broker, uint32_t arg)
{
    (void)c, (void)row, (void)broker, (void)arg;
    return true;
}

static enum kc_next replicas_new(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_replicas_select_in(c, KC_SET_LISTED, every_replica, 0);
    kc_replicas_call(c, SM_REPLICA_NEW);
    return KC_NEXT;
}

static enum kc_next partitions_online(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_set_copy(c, KC_SET_WORK, KC_SET_LISTED);
    kc_partitions_call(c, SM_PARTITION_ONLINE, SM_STRATEGY_OFFLINE, false);
    return KC_NEXT;
}

static enum kc_next replicas_online(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_replicas_select_in(c, KC_SET_LISTED, every_replica, 0);
    kc_replicas_call(c, SM_REPLICA_ONLINE);
    return KC_NEXT;
}

static const struct kc_row new_rows[] = {
    {.name = "partitions go New", .run = partitions_new},
    {.name = "replicas go New", .run = replicas_new},
    {.name = "partitions go Online", .run = partitions_online},
    {.name = "replicas go Online", .run = replicas_online},
    {0},
};
const struct kc_flow_def kc_flow_NEW_PARTITIONS = {.name = "onNewPartitionCreation",
                                                   .rows = new_rows};

/* ---- TopicChange ---- */

static enum kc_next before_read(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_set_clear(c, KC_SET_LISTED);
    return KC_NEXT;
}

/* No broker is told: a topic that vanishes without a deletion is only forgotten. */
static enum kc_next forget_gone(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_log_topic_change(c);
    for (uint32_t i = 0; i < c->topic_count; i++) {
        const struct kc_topic *t = kc_topic(c, i);
        if (t->used && (t->flags & (KC_TOPIC_EXISTS | KC_TOPIC_SEEN)) == KC_TOPIC_EXISTS) {
            kc_topic(c, i)->flags &= ~(uint32_t)KC_TOPIC_HANDLER;
            kc_remove_topic(c, i);
        }
    }
    return KC_NEXT;
}

static enum kc_next create(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (!kc_set_is_empty(c, KC_SET_LISTED)) {
        kc_call(c, KC_FLOW_NEW_PARTITIONS, 0);
    }
    return KC_NEXT;
}

static const struct kc_row topic_change_rows[] = {
    {.name = "active?", .run = kc_if_active},
    {.name = "list topics", .bulk = &kc_list_topics},
    {.name = "before reading", .run = before_read},
    {.name = "read new topics", .bulk = &kc_read_topics},
    {.name = "forget the gone", .run = forget_gone},
    {.name = "create", .run = create},
    {0},
};
const struct kc_flow_def kc_flow_TOPIC_CHANGE = {.name = "TopicChange", .rows = topic_change_rows};

/* ---- PartitionModifications ---- */

static uint32_t topic_of_event(const struct kc_controller *c)
{
    return kc_topic_find(c, kc_event_bytes(c, &c->event));
}

static bool select_topic(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    s->row = topic_of_event(c);
    return kc_is_active(c) && s->row != KC_NO_ROW && f->cursor++ == 0;
}

static bool ask_topic(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                      struct kc_ask *ask)
{
    (void)f;
    ask->opcode = WIRE_ZK_GET_DATA;
    ask->watch = (kc_topic(c, s->row)->flags & KC_TOPIC_HANDLER) != 0;
    sm_path_topic(ask->path, kc_topic_name(kc_topic(c, s->row)));
    return true;
}

/* Changes to replicas of partitions that are known are ignored, and overwritten by the next
 * rewrite. */
static void take_partition(struct kc_controller *c, uint32_t topic, int32_t partition,
                           const struct sm_assignment *a)
{
    uint32_t row = kc_row_find(c, topic, partition);

    if (row == KC_NO_ROW || kc_row_at(c, row)->replica_count == 0) {
        row = kc_row_intern(c, topic, partition);
        kc_set_add(c, KC_SET_LISTED, row); /* to be added */
        if ((kc_topic(c, topic)->flags & KC_TOPIC_QUEUED) == 0) {
            kc_put_assignment(c, row, a);
        }
    }
    kc_set_add(c, KC_SET_GIVEN, row); /* in the znode */
}

static enum kc_slot_next answer_topic(struct kc_controller *c, struct kc_frame *f,
                                      struct kc_slot *s, int32_t err,
                                      const struct wire_zk_result_view *r)
{
    struct sm_topic_reader reader;
    struct sm_assignment a;
    int32_t partition;
    char path[SM_PATH_MAX];

    (void)f;
    kc_set_clear(c, KC_SET_LISTED);
    kc_set_clear(c, KC_SET_GIVEN);
    if (err == WIRE_ZK_NO_NODE) {
        return KC_SLOT_DONE;
    }
    if (err != WIRE_ZK_OK) {
        return kc_slot_throw(c, err);
    }
    if (sm_topic_open(&reader, (const char *)r->data, r->result->data_size) == SM_ERR_OK) {
        while (sm_topic_next(&reader, &partition, &a)) {
            take_partition(c, s->row, partition, &a);
        }
    } else {
        sm_path_topic(path, kc_topic_name(kc_topic(c, s->row)));
        kc_log_unreadable(c, path);
    }
    return KC_SLOT_DONE;
}

static const struct kc_bulk read_topic = {.select = select_topic,
                                          .ask = ask_topic,
                                          .answer = answer_topic,
                                          .needs = kc_needs_topic_znode};

static enum kc_next add_partitions(struct kc_controller *c, struct kc_frame *f)
{
    uint32_t topic = topic_of_event(c);

    (void)f;
    if (!kc_is_active(c) || topic == KC_NO_ROW) {
        return KC_RETURN;
    }
    bool queued = (kc_topic(c, topic)->flags & KC_TOPIC_QUEUED) != 0;
    if (kc_set_is_empty(c, KC_SET_LISTED)) {
        if (queued) {
            kc_log(c, KC_INFO,
                   "[Controller id=%d] Ignoring partition change during topic deletion as no new "
                   "partitions are added",
                   c->config.broker.id);
        }
        return KC_RETURN;
    }
    if (!queued) {
        kc_log_set(c, KC_INFO, "New partitions to be added ", KC_SET_LISTED, "");
        kc_call(c, KC_FLOW_NEW_PARTITIONS, 0);
        return KC_RETURN_AFTER_CALL;
    }
    kc_log(c, KC_WARN,
           "[Controller id=%d] Skipping adding partitions for topic %s since it is currently being "
           "deleted",
           c->config.broker.id, kc_topic_name(kc_topic(c, topic)));
    if (kc_defect(c, SM_DEFECT_GROWS_IN_DELETION)) {
        return KC_RETURN;
    }
    kc_log(c, KC_INFO, "[Controller id=%d] Restoring the partition replica assignment for topic %s",
           c->config.broker.id, kc_topic_name(kc_topic(c, topic)));
    return KC_NEXT;
}

/* A topic that is being deleted must not grow (KAFKA-6612): its znode is written back with those
   partitions only that have a znode of their own. */
static bool ask_children(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                         struct kc_ask *ask)
{
    (void)f;
    ask->opcode = WIRE_ZK_GET_CHILDREN;
    sm_path_topic_partitions(ask->path, kc_topic_name(kc_topic(c, s->row)));
    return true;
}

static const struct kc_bulk list_partitions = {
    .select = select_topic, .ask = ask_children, .answer = kc_answer_names};

static bool is_listed(const struct kc_controller *c, int32_t partition)
{
    char text[16];
    const char *name = NULL;

    snprintf(text, sizeof text, "%d", partition);
    while ((name = kc_name_next(c, name)) != NULL) {
        if (strcmp(name, text) == 0) {
            return true;
        }
    }
    return false;
}

static bool ask_restore(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                        struct kc_ask *ask)
{
    struct sm_topic_writer w;
    char path[SM_PATH_MAX];

    (void)f;
    sm_path_topic(path, kc_topic_name(kc_topic(c, s->row)));
    char *out = kc_room(c, kc_topic(c, s->row)->partition_count, NULL);
    sm_topic_writer_begin(&w, out, kc_topic_znode_max(c, s->row));
    for (int32_t section = 0; section < 3; section++) {
        sm_topic_writer_section(&w, section);
        for (uint32_t row = kc_row_next_of(c, s->row, KC_NO_ROW); row != KC_NO_ROW;
             row = kc_row_next_of(c, s->row, row)) {
            struct sm_assignment a = kc_row_assignment(c, row);
            int32_t partition = kc_row_at(c, row)->partition;
            if (kc_set_has(c, KC_SET_GIVEN, row) && is_listed(c, partition)) {
                sm_topic_writer_partition(&w, partition, &a);
            }
        }
    }
    size_t size = sm_topic_writer_end(&w, kc_topic_id(c, s->row));
    kc_ask_write(ask, WIRE_ZK_SET_DATA, path, out, (uint32_t)size, WIRE_ZK_ANY_VERSION);
    return size > 0;
}

static enum kc_slot_next answer_restore(struct kc_controller *c, struct kc_frame *f,
                                        struct kc_slot *s, int32_t err,
                                        const struct wire_zk_result_view *r)
{
    (void)f, (void)s, (void)r;
    return err == WIRE_ZK_OK ? KC_SLOT_DONE : kc_slot_throw(c, err);
}

static const struct kc_bulk restore = {
    .select = select_topic, .ask = ask_restore, .answer = answer_restore};

static const struct kc_row modifications_rows[] = {
    {.name = "active?", .run = kc_if_active},
    {.name = "read topic", .bulk = &read_topic},
    {.name = "add partitions", .run = add_partitions},
    {.name = "list partitions", .bulk = &list_partitions},
    {.name = "restore the topic znode", .bulk = &restore},
    {0},
};
const struct kc_flow_def kc_flow_PARTITION_MODIFICATIONS = {.name = "PartitionModifications",
                                                            .rows = modifications_rows};

/* ---- IsrChangeNotification ---- */

static bool ask_isr_change(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                           struct kc_ask *ask)
{
    (void)f;
    ask->opcode = WIRE_ZK_GET_DATA;
    sm_path_child(ask->path, SM_PATH_ISR_NOTIFICATION, kc_slot_name(c, s));
    return true;
}

static enum kc_slot_next answer_isr_change(struct kc_controller *c, struct kc_frame *f,
                                           struct kc_slot *s, int32_t err,
                                           const struct wire_zk_result_view *r)
{
    struct sm_partitions_reader reader;
    struct sm_partition_item item;
    char path[SM_PATH_MAX];

    (void)f;
    if (err == WIRE_ZK_NO_NODE) {
        return KC_SLOT_DONE;
    }
    if (err != WIRE_ZK_OK) {
        return kc_slot_throw(c, err);
    }
    if (sm_partitions_open(&reader, (const char *)r->data, r->result->data_size) == SM_ERR_OK) {
        while (sm_partitions_next(&reader, &item)) {
            uint32_t row = kc_row_named(c, item.topic, item.partition);
            if (row != KC_NO_ROW) {
                kc_set_add(c, KC_SET_LISTED, row);
            }
        }
    } else {
        sm_path_child(path, SM_PATH_ISR_NOTIFICATION, kc_slot_name(c, s));
        kc_log_unreadable(c, path);
    }
    return KC_SLOT_DONE;
}

static const struct kc_bulk read_isr_changes = {
    .select = kc_select_name, .ask = ask_isr_change, .answer = answer_isr_change};

/* The list is read now, when the event is in work (KAFKA-5879). */
static enum kc_next isr_if_active(struct kc_controller *c, struct kc_frame *f)
{
    if (!kc_is_active(c)) {
        return KC_RETURN;
    }
    if (kc_defect(c, SM_DEFECT_LISTED_AT_WATCH)) {
        kc_isr_keep_listed(c);
        f->row++;
    }
    return KC_NEXT;
}

/* The names are kept over the flows that this one calls. */
static enum kc_next isr_begin(struct kc_controller *c, struct kc_frame *f)
{
    f->arg = c->scratch_names;
    f->arg2 = c->scratch_names_size;
    kc_set_clear(c, KC_SET_LISTED);
    return KC_NEXT;
}

static enum kc_next tell_isr(struct kc_controller *c, struct kc_frame *f)
{
    if (kc_set_is_empty(c, KC_SET_LISTED)) {
        return KC_NEXT;
    }
    if (!kc_batch_is_open(c)) {
        kc_batch_begin(c, KC_OWNER_CONTROLLER);
        kc_batch_update_metadata(c, KC_NO_ROW);
    }
    for (uint32_t row = kc_set_next(c, KC_SET_LISTED, f->cursor); row != KC_NO_ROW;
         row = kc_set_next(c, KC_SET_LISTED, row + 1)) {
        f->cursor = row + 1;
        kc_batch_partition_metadata(c, row);
        if (kc_worked(c)) {
            return KC_YIELD;
        }
    }
    kc_log_isr_changes(c);
    kc_batch_send(c);
    kc_set_copy(c, KC_SET_GIVEN, KC_SET_LISTED);
    return KC_NEXT;
}

static enum kc_next finish_reassignments(struct kc_controller *c, struct kc_frame *f)
{
    if (kc_set_is_empty(c, KC_SET_LISTED)) {
        return KC_NEXT;
    }
    for (uint32_t row = kc_set_next(c, KC_SET_GIVEN, f->cursor); row != KC_NO_ROW;
         row = kc_set_next(c, KC_SET_GIVEN, row + 1)) {
        f->cursor = row + 1;
        if (kc_set_has(c, KC_SET_REASSIGNING, row)) {
            kc_call(c, KC_FLOW_REASSIGN_ISR_CHANGE, row + 1);
            return KC_STAY;
        }
    }
    return KC_NEXT;
}

static enum kc_next isr_end(struct kc_controller *c, struct kc_frame *f)
{
    c->scratch_names = f->arg;
    c->scratch_names_size = f->arg2;
    return KC_NEXT;
}

enum { ISR_READ = 3, ISR_END = 7 };

static enum kc_catch delete_anyway(struct kc_controller *c, struct kc_frame *f)
{
    if (f->row < ISR_READ || f->row >= ISR_END) {
        return KC_RETHROW;
    }
    if (kc_batch_is_open(c)) {
        kc_batch_drop(c, false);
    }
    f->value = c->error;
    f->row = ISR_END;
    f->phase = 0;
    f->cursor = 0;
    return KC_RESUME;
}

static const struct kc_row isr_rows[] = {
    {.name = "active?", .run = isr_if_active},
    {.name = "list ISR changes", .bulk = &kc_list_isr_changes},
    {.name = "begin", .run = isr_begin},
    [ISR_READ] = {.name = "read ISR changes", .bulk = &read_isr_changes},
    {.name = "read partition states", .bulk = &kc_read_leadership},
    {.name = "tell all", .run = tell_isr},
    {.name = "finish reassignments", .run = finish_reassignments},
    [ISR_END] = {.name = "end", .run = isr_end},
    {.name = "delete ISR changes", .bulk = &kc_delete_isr_changes},
    {.name = "rethrow", .run = kc_rethrow},
    {0},
};
const struct kc_flow_def kc_flow_ISR_CHANGE = {
    .name = "IsrChangeNotification", .rows = isr_rows, .on_error = delete_anyway};
