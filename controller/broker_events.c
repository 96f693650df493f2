/*
 * What brokers tell of themselves and answer: a changed registration, a failed log directory, the
 * answers to LeaderAndIsr, UpdateMetadata and StopReplica.
 *
 *     LogDirEventNotification ─► LeaderAndIsr to that broker, as a probe
 *     LeaderAndIsr answered   ─► KAFKA_STORAGE_ERROR: these replicas are offline
 *     StopReplica answered    ─► this replica is deleted, or its deletion has failed
 *
 * Source: Kafka KafkaController.processBrokerModification, processLogDirEventNotification,
 * processLeaderAndIsrResponseReceived, processTopicDeletionStopReplicaResponseReceived.
 */
#include "controller/broker_parts.h"

#include <string.h>

/* ---- BrokerModifications ---- */

static bool select_modified(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    s->row = kc_broker_find(c, c->event.broker_id);
    return kc_is_active(c) && s->row != KC_NO_ROW && f->cursor++ == 0;
}

static bool ask_modified(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                         struct kc_ask *ask)
{
    kc_broker(c, s->row)->flags &= ~(uint32_t)KC_BROKER_READ;
    return kc_read_brokers.ask(c, f, s, ask);
}

static enum kc_slot_next answer_modified(struct kc_controller *c, struct kc_frame *f,
                                         struct kc_slot *s, int32_t err,
                                         const struct wire_zk_result_view *r)
{
    return kc_read_brokers.answer(c, f, s, err, r);
}

static const struct kc_bulk read_modified = {
    .select = select_modified, .ask = ask_modified, .answer = answer_modified};

static enum kc_next modified(struct kc_controller *c, struct kc_frame *f)
{
    uint32_t index = kc_broker_find(c, c->event.broker_id);

    (void)f;
    if (!kc_is_active(c) || index == KC_NO_ROW) {
        return KC_NEXT;
    }
    struct kc_broker *b = kc_broker(c, index);
    uint32_t both = KC_BROKER_LIVE | KC_BROKER_READ;
    if ((b->flags & both) != both ||
        (b->read.endpoint_count == b->known.endpoint_count &&
         memcmp(b->read.endpoint, b->known.endpoint, sizeof b->read.endpoint) == 0)) {
        return KC_NEXT; /* a rack that changed alone is ignored */
    }
    b->known = b->read;
    kc_log(c, KC_INFO, "[Controller id=%d] Broker info update callback for %d", c->config.broker.id,
           b->id);
    kc_send_live_brokers(c);
    return KC_NEXT;
}

static const struct kc_row modifications_rows[] = {
    {.name = "read broker", .bulk = &read_modified}, {.name = "tell all", .run = modified}, {0}};
const struct kc_flow_def kc_flow_BROKER_MODIFICATIONS = {.name = "BrokerModifications",
                                                         .rows = modifications_rows};

/* ---- LogDirEventNotification: probe with LeaderAndIsr, the answers tell which replicas are gone
 * ---- */

static bool ask_log_dir_event(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                              struct kc_ask *ask)
{
    (void)f;
    ask->opcode = WIRE_ZK_GET_DATA;
    sm_path_child(ask->path, SM_PATH_LOG_DIR_EVENT, kc_slot_name(c, s));
    return true;
}

static enum kc_slot_next answer_log_dir_event(struct kc_controller *c, struct kc_frame *f,
                                              struct kc_slot *s, int32_t err,
                                              const struct wire_zk_result_view *r)
{
    char path[SM_PATH_MAX];
    int32_t id;

    (void)f;
    if (err == WIRE_ZK_NO_NODE) {
        return KC_SLOT_DONE;
    }
    if (err != WIRE_ZK_OK) {
        return kc_slot_throw(c, err);
    }
    if (sm_znode_decode_log_dir_event((const char *)r->data, r->result->data_size, &id) ==
        SM_ERR_OK) {
        uint32_t broker = kc_broker_find(c, id);
        if (broker != KC_NO_ROW) {
            kc_broker(c, broker)->flags |= KC_BROKER_GROUP;
        }
    } else {
        sm_path_child(path, SM_PATH_LOG_DIR_EVENT, kc_slot_name(c, s));
        kc_log_unreadable(c, path);
    }
    return KC_SLOT_DONE;
}

static const struct kc_bulk read_log_dir_events = {
    .select = kc_select_name, .ask = ask_log_dir_event, .answer = answer_log_dir_event};

static enum kc_next no_group(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_make_group(c, 0);
    return KC_NEXT;
}

static enum kc_next probe(struct kc_controller *c, struct kc_frame *f)
{
    char ids[1024];

    (void)f;
    kc_log(c, KC_INFO, "[Controller id=%d] Handling log directory failure for brokers %s",
           c->config.broker.id, kc_group_text(c, ids, sizeof ids));
    kc_replicas_select(c, kc_replica_of_group, 0);
    kc_replicas_call(c, SM_REPLICA_ONLINE);
    return KC_NEXT;
}

enum { LOG_DIR_DELETE = 5 };

/* The notifications are deleted whatever happened; then the error goes on. */
static enum kc_catch delete_anyway(struct kc_controller *c, struct kc_frame *f)
{
    if (f->row < 3 || f->row >= LOG_DIR_DELETE) {
        return KC_RETHROW;
    }
    f->value = c->error;
    f->row = LOG_DIR_DELETE;
    f->phase = 0;
    f->cursor = 0;
    return KC_RESUME;
}

static const struct kc_row log_dir_rows[] = {
    {.name = "active?", .run = kc_if_active},
    {.name = "begin", .run = no_group},
    {.name = "list log dir events", .bulk = &kc_list_log_dir_events},
    {.name = "read log dir events", .bulk = &read_log_dir_events},
    {.name = "probe", .run = probe},
    [LOG_DIR_DELETE] = {.name = "delete log dir events", .bulk = &kc_delete_log_dir_events},
    {.name = "rethrow", .run = kc_rethrow},
    {0},
};
const struct kc_flow_def kc_flow_LOG_DIR_EVENT = {
    .name = "LogDirEventNotification", .rows = log_dir_rows, .on_error = delete_anyway};

/* ---- LeaderAndIsrResponseReceived ---- */

/* Gives the error of one record of an answered request. Items ascend by record. */
static int32_t error_of(const struct wire_answer_item *items, uint32_t count, uint32_t *at,
                        uint32_t record, int32_t otherwise)
{
    while (*at < count && items[*at].record < record) {
        (*at)++;
    }
    return *at < count && items[*at].record == record ? items[*at].error : otherwise;
}

/* A replica answered KAFKA_STORAGE_ERROR is on an offline directory; NONE takes it back. */
static void note_dirs(struct kc_controller *c, uint32_t broker)
{
    const struct wire_answer_item *items = kc_event_bytes(c, &c->event);
    uint32_t count = c->event.bytes_size / (uint32_t)sizeof *items;
    struct wire_record_view v = {0};
    uint32_t at = 0;

    while (wire_batch_next_for(kc_batch_at(c, c->event.batch), WIRE_RECORD_LEADER_AND_ISR, broker,
                               &v)) {
        int32_t error = error_of(items, count, &at, v.offset, c->event.partition_error);
        uint32_t row = kc_row_named(c, v.topic, v.record->partition);
        if (row == KC_NO_ROW) {
            continue;
        }
        if (error == WIRE_ERROR_KAFKA_STORAGE_ERROR && !kc_is_offline_dir(c, row, broker)) {
            kc_set_add(c, KC_SET_GIVEN, row);
            kc_put_offline_dir(c, row, broker, true);
        } else if (error == WIRE_ERROR_NONE) {
            kc_put_offline_dir(c, row, broker, false);
        }
    }
}

static bool may_concern_dirs(const struct kc_controller *c, uint32_t broker)
{
    return c->event.bytes_size > 0 || c->event.partition_error == WIRE_ERROR_KAFKA_STORAGE_ERROR ||
           kc_broker_is(c, broker, KC_BROKER_OFFLINE_DIRS);
}

static enum kc_next leader_and_isr_answered(struct kc_controller *c, struct kc_frame *f)
{
    uint32_t broker = kc_broker_find(c, c->event.broker_id);

    (void)f;
    if (!kc_is_active(c) || broker == KC_NO_ROW) {
        return KC_RETURN;
    }
    if (c->event.error != WIRE_ERROR_NONE) {
        kc_state_log(c, KC_ERROR, "Received error %s in LeaderAndIsr response from broker %d",
                     wire_error_name(c->event.error), c->event.broker_id);
        return KC_RETURN;
    }
    if (!may_concern_dirs(c, broker)) {
        return KC_RETURN;
    }
    kc_set_clear(c, KC_SET_GIVEN);
    note_dirs(c, broker);
    if (kc_set_is_empty(c, KC_SET_GIVEN)) {
        return KC_RETURN;
    }
    kc_log_offline_dirs(c, broker);
    kc_call(c, KC_FLOW_REPLICAS_OFFLINE, 1)->value = (int32_t)broker;
    return KC_NEXT;
}

static const struct kc_row leader_and_isr_rows[] = {
    {.name = "answered", .run = leader_and_isr_answered}, {0}};
const struct kc_flow_def kc_flow_LEADER_AND_ISR_RESPONSE = {.name = "LeaderAndIsrResponseReceived",
                                                            .rows = leader_and_isr_rows};

static enum kc_next update_metadata_answered(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (kc_is_active(c) && c->event.error != WIRE_ERROR_NONE) {
        kc_state_log(c, KC_ERROR, "Received error %s in UpdateMetadata response from broker %d",
                     wire_error_name(c->event.error), c->event.broker_id);
    }
    return KC_NEXT;
}

static const struct kc_row update_metadata_rows[] = {
    {.name = "answered", .run = update_metadata_answered}, {0}};
const struct kc_flow_def kc_flow_UPDATE_METADATA_RESPONSE = {
    .name = "UpdateMetadataResponseReceived", .rows = update_metadata_rows};

/* ---- TopicDeletionStopReplicaResponseReceived ---- */

/* Kafka takes an answer as one to the deletion of now. The broker may have registered anew since, or
   this controller have been deposed and elected again: the deletion begins again then, and
   LeaderAndIsr has made a new log. */
static bool of_former_life(struct kc_controller *c, uint32_t broker)
{
    const struct wire_batch *batch = kc_batch_at(c, c->event.batch);
    const struct wire_broker *asked = wire_batch_broker(batch, kc_broker(c, broker)->id);

    return !kc_defect(c, SM_DEFECT_FORMER_ANSWER) &&
           (batch->controller_epoch != c->epoch ||
            (asked != NULL && asked->epoch != kc_broker(c, broker)->epoch));
}

/* KC_SET_LISTED: replicas in error, KC_SET_GIVEN: deleted ones. */
static enum kc_next stop_replica_answered(struct kc_controller *c, struct kc_frame *f)
{
    const struct wire_answer_item *items = kc_event_bytes(c, &c->event);
    uint32_t count = c->event.bytes_size / (uint32_t)sizeof *items;
    uint32_t broker = kc_broker_find(c, c->event.broker_id);
    struct wire_record_view v = {0};
    uint32_t at = 0;

    if (!kc_is_active(c) || broker == KC_NO_ROW || of_former_life(c, broker)) {
        return KC_RETURN;
    }
    kc_set_clear(c, KC_SET_LISTED);
    kc_set_clear(c, KC_SET_GIVEN);
    while (
        wire_batch_next_for(kc_batch_at(c, c->event.batch), WIRE_RECORD_STOP_REPLICA, broker, &v)) {
        int32_t error = error_of(items, count, &at, v.offset, c->event.partition_error);
        uint32_t row = kc_row_named(c, v.topic, v.record->partition);
        bool deleted = (v.flag[broker / 64] >> broker % 64 & 1) != 0 ||
                       kc_defect(c, SM_DEFECT_STOP_TAKEN_FOR_DELETE);
        if (row != KC_NO_ROW && deleted &&
            (kc_topic(c, kc_row_at(c, row)->topic - 1)->flags & KC_TOPIC_STARTED) != 0) {
            kc_set_add(c, error == WIRE_ERROR_NONE ? KC_SET_GIVEN : KC_SET_LISTED, row);
        }
    }
    f->value = (int32_t)broker;
    return KC_NEXT;
}

static bool is_queued_on(struct kc_controller *c, uint32_t row, uint32_t broker, uint32_t arg)
{
    return broker == arg && kc_is_queued(c, row);
}

static enum kc_next fail_in_error(struct kc_controller *c, struct kc_frame *f)
{
    kc_replicas_select_in(c, KC_SET_LISTED, is_queued_on, (uint32_t)f->value);
    if (!kc_replicas_are_none(c)) {
        kc_mark_topics_of_work(c);
        kc_call(c, KC_FLOW_FAIL_DELETION, 0);
    }
    return KC_NEXT;
}

static enum kc_next complete_deleted(struct kc_controller *c, struct kc_frame *f)
{
    if (kc_set_is_empty(c, KC_SET_GIVEN)) {
        return KC_RETURN;
    }
    kc_replicas_select_in(c, KC_SET_GIVEN, is_queued_on, (uint32_t)f->value);
    kc_replicas_call(c, SM_REPLICA_DELETION_SUCCESSFUL);
    return KC_NEXT;
}

static enum kc_next resume(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_call(c, KC_FLOW_RESUME_DELETIONS, 0);
    return KC_NEXT;
}

static const struct kc_row stop_replica_rows[] = {
    {.name = "answered", .run = stop_replica_answered},
    {.name = "those in error fail", .run = fail_in_error},
    {.name = "the others are deleted", .run = complete_deleted},
    {.name = "resume deletions", .run = resume},
    {0},
};
const struct kc_flow_def kc_flow_STOP_REPLICA_RESPONSE = {
    .name = "TopicDeletionStopReplicaResponseReceived", .rows = stop_replica_rows};
