/*
 * Reading what ZooKeeper has: the bulks that list a folder or read its znodes.
 *
 *     /brokers/ids              list ─► read ─► arm   the broker's flags SEEN, READ; GROUP is armed
 *     /brokers/topics           list ─► read          the topic's flags SEEN, NEW; KC_SET_LISTED
 *       …/partitions/N/state            read          of KC_SET_LISTED
 *     /admin/delete_topics      list ─► delete        names
 *     notification folders      list ─► delete        names
 *
 * A failover runs all of them in a row, an ordinary event the few that it is about: what they find
 * is marked in flags and sets or kept as names, and the flow that has asked decides what it means.
 * Listing a folder arms its child watch, reading a topic its data watch, in the same request, so
 * that no change falls between.
 *
 * Source: Kafka KafkaZkClient.getAllBrokerAndEpochsInCluster, getAllTopicsInCluster,
 * getReplicaAssignmentAndTopicIdForTopics, getTopicPartitionStates, getTopicDeletions,
 * deleteIsrChangeNotifications, deleteLogDirEventNotifications.
 */
#include "controller/state.h"

#include <string.h>

/* ---- names ---- */

bool kc_select_name(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    if (f->cursor >= c->scratch_names_size) {
        return false;
    }
    s->item = c->scratch_names + f->cursor;
    f->cursor += (uint32_t)strlen((const char *)kc_scratch(c) + s->item) + 1;
    return true;
}

const char *kc_slot_name(const struct kc_controller *c, const struct kc_slot *s)
{
    return (const char *)kc_scratch(c) + s->item;
}

enum kc_slot_next kc_answer_names(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                  int32_t err, const struct wire_zk_result_view *r)
{
    (void)f, (void)s;
    if (err != WIRE_ZK_OK && err != WIRE_ZK_NO_NODE) {
        return kc_slot_throw(c, err);
    }
    kc_keep_names(c, err == WIRE_ZK_OK ? r : NULL);
    return KC_SLOT_DONE;
}

enum kc_slot_next kc_answer_deleted(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                    int32_t err, const struct wire_zk_result_view *r)
{
    (void)f, (void)s, (void)r;
    return err == WIRE_ZK_OK || err == WIRE_ZK_NO_NODE ? KC_SLOT_DONE : kc_slot_throw(c, err);
}

static bool ask_list(struct kc_ask *ask, const char *path)
{
    kc_ask_path(ask, WIRE_ZK_GET_CHILDREN, path);
    ask->watch = 1;
    return true;
}

static bool ask_delete_child(struct kc_controller *c, struct kc_slot *s, struct kc_ask *ask,
                             const char *parent)
{
    char path[SM_PATH_MAX];

    sm_path_child(path, parent, kc_slot_name(c, s));
    kc_ask_write(ask, WIRE_ZK_DELETE, path, NULL, 0, WIRE_ZK_ANY_VERSION);
    return true;
}

/* One pair of bulks a folder: list it (arming its child watch), delete what was listed. */
#define LISTING(name, path)                                                                        \
    static bool ask_list_##name(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,    \
                                struct kc_ask *ask)                                                \
    {                                                                                              \
        (void)c, (void)f, (void)s;                                                                 \
        return ask_list(ask, (path));                                                              \
    }                                                                                              \
    static bool ask_delete_##name(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,  \
                                  struct kc_ask *ask)                                              \
    {                                                                                              \
        (void)f;                                                                                   \
        return ask_delete_child(c, s, ask, (path));                                                \
    }                                                                                              \
    const struct kc_bulk kc_list_##name = {                                                        \
        .select = kc_select_once, .ask = ask_list_##name, .answer = kc_answer_names};              \
    const struct kc_bulk kc_delete_##name = {                                                      \
        .select = kc_select_name, .ask = ask_delete_##name, .answer = kc_answer_deleted}

LISTING(isr_changes, SM_PATH_ISR_NOTIFICATION);
LISTING(log_dir_events, SM_PATH_LOG_DIR_EVENT);

/* ---- brokers ---- */

static bool ask_list_brokers(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                             struct kc_ask *ask)
{
    (void)c, (void)f, (void)s;
    return ask_list(ask, SM_PATH_BROKER_IDS);
}

static bool parse_id(const char *name, int32_t *id)
{
    int64_t value = 0;

    if (*name == '\0') {
        return false;
    }
    for (; *name >= '0' && *name <= '9'; name++) {
        value = value * 10 + (*name - '0');
        if (value > INT32_MAX) {
            return false;
        }
    }
    *id = (int32_t)value;
    return *name == '\0';
}

static enum kc_slot_next answer_list_brokers(struct kc_controller *c, struct kc_frame *f,
                                             struct kc_slot *s, int32_t err,
                                             const struct wire_zk_result_view *r)
{
    const char *name = NULL;
    int32_t id;

    (void)f, (void)s;
    if (err != WIRE_ZK_OK && err != WIRE_ZK_NO_NODE) {
        return kc_slot_throw(c, err);
    }
    for (uint32_t i = 0; i < c->broker_count; i++) {
        kc_broker(c, i)->flags &= ~(uint32_t)(KC_BROKER_SEEN | KC_BROKER_READ);
    }
    while (err == WIRE_ZK_OK && (name = wire_zk_name_next(r, name)) != NULL) {
        if (parse_id(name, &id)) {
            kc_broker(c, kc_broker_intern(c, id))->flags |= KC_BROKER_SEEN;
        }
    }
    return KC_SLOT_DONE;
}

static bool select_seen(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    s->row = kc_broker_next(c, &f->cursor, KC_BROKER_SEEN, KC_BROKER_SEEN);
    return s->row != KC_NO_ROW;
}

static bool ask_read_broker(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                            struct kc_ask *ask)
{
    (void)f;
    ask->opcode = WIRE_ZK_GET_DATA;
    ask->watch = kc_broker_is(c, s->row, KC_BROKER_MODIFICATIONS);
    sm_path_broker(ask->path, kc_broker(c, s->row)->id);
    return true;
}

/* A broker that went between listing and reading is left out, as in getAllBrokerAndEpochsInCluster.
 */
static enum kc_slot_next answer_read_broker(struct kc_controller *c, struct kc_frame *f,
                                            struct kc_slot *s, int32_t err,
                                            const struct wire_zk_result_view *r)
{
    struct kc_broker *b = kc_broker(c, s->row);

    (void)f;
    if (err == WIRE_ZK_NO_NODE) {
        return KC_SLOT_DONE;
    }
    if (err != WIRE_ZK_OK) {
        return kc_slot_throw(c, err);
    }
    if (sm_znode_decode_broker((const char *)r->data, r->result->data_size, b->id, &b->read) !=
        SM_ERR_OK) {
        kc_throw(c, SM_ERR_SYNTAX,
                 "org.apache.kafka.common.KafkaException: Failed to parse the broker info from "
                 "zookeeper: /brokers/ids/%d",
                 b->id);
        return KC_SLOT_FAIL;
    }
    b->read_epoch = r->result->stat.czxid;
    b->flags |= KC_BROKER_READ;
    return KC_SLOT_DONE;
}

const struct kc_bulk kc_list_brokers = {.select = kc_select_once,
                                        .ask = ask_list_brokers,
                                        .answer = answer_list_brokers,
                                        .needs = kc_needs_broker_names};
const struct kc_bulk kc_read_brokers = {
    .select = select_seen, .ask = ask_read_broker, .answer = answer_read_broker};

bool kc_is_current(const struct kc_controller *c)
{
    return sm_rule_on(&c->config.profile, SM_RULE_FENCED_WRITES);
}

static bool select_group(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    s->row = kc_broker_next(c, &f->cursor, KC_BROKER_GROUP, KC_BROKER_GROUP);
    return s->row != KC_NO_ROW;
}

static bool ask_arm_broker(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                           struct kc_ask *ask)
{
    (void)f;
    kc_broker(c, s->row)->flags |= KC_BROKER_MODIFICATIONS;
    ask->opcode = WIRE_ZK_EXISTS;
    ask->watch = 1;
    sm_path_broker(ask->path, kc_broker(c, s->row)->id);
    return kc_is_current(c);
}

/* of the brokers flagged GROUP */
const struct kc_bulk kc_arm_brokers = {
    .select = select_group, .ask = ask_arm_broker, .answer = kc_answer_deleted};

/* ---- topics ---- */

static bool ask_list_topics(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                            struct kc_ask *ask)
{
    (void)c, (void)f, (void)s;
    return ask_list(ask, SM_PATH_TOPICS);
}

/* Marks what is listed SEEN and what was not known NEW; removing the others is the caller's. */
static enum kc_slot_next answer_list_topics(struct kc_controller *c, struct kc_frame *f,
                                            struct kc_slot *s, int32_t err,
                                            const struct wire_zk_result_view *r)
{
    const char *name = NULL;

    (void)f, (void)s;
    if (err != WIRE_ZK_OK && err != WIRE_ZK_NO_NODE) {
        return kc_slot_throw(c, err);
    }
    for (uint32_t i = 0; i < c->topic_count; i++) {
        kc_topic(c, i)->flags &= ~(uint32_t)(KC_TOPIC_SEEN | KC_TOPIC_NEW);
    }
    while (err == WIRE_ZK_OK && (name = wire_zk_name_next(r, name)) != NULL) {
        struct kc_topic *t = kc_topic(c, kc_topic_intern(c, name));
        t->flags |= KC_TOPIC_SEEN;
        t->flags |= (t->flags & KC_TOPIC_EXISTS) == 0 ? KC_TOPIC_NEW : 0u;
    }
    return KC_SLOT_DONE;
}

const struct kc_bulk kc_list_topics = {.select = kc_select_once,
                                       .ask = ask_list_topics,
                                       .answer = answer_list_topics,
                                       .needs = kc_needs_topic_names};

static bool select_new_topic(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    for (; f->cursor < c->topic_count; f->cursor++) {
        const struct kc_topic *t = kc_topic(c, f->cursor);
        if (t->used && (t->flags & KC_TOPIC_NEW) != 0) {
            s->row = f->cursor++;
            return true;
        }
    }
    return false;
}

static bool ask_read_topic(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                           struct kc_ask *ask)
{
    struct kc_topic *t = kc_topic(c, s->row);

    (void)f;
    ask->opcode = WIRE_ZK_GET_DATA;
    ask->watch = 1;
    sm_path_topic(ask->path, kc_topic_name(t));
    t->flags |= KC_TOPIC_HANDLER;
    kc_mark_topic(c, s->row, KC_TOPIC_EXISTS, true);
    return true;
}

/* arg 1: at failover, where a reassignment found in a topic goes on; 0: for a new topic, where
   Kafka takes adding and removing over and forgets that they mean a reassignment. */
static enum kc_slot_next answer_read_topic(struct kc_controller *c, struct kc_frame *f,
                                           struct kc_slot *s, int32_t err,
                                           const struct wire_zk_result_view *r)
{
    struct sm_topic_reader reader;
    struct sm_assignment a;
    int32_t partition;
    char path[SM_PATH_MAX];

    if (err == WIRE_ZK_NO_NODE) {
        return KC_SLOT_DONE;
    }
    if (err != WIRE_ZK_OK) {
        return kc_slot_throw(c, err);
    }
    if (sm_topic_open(&reader, (const char *)r->data, r->result->data_size) != SM_ERR_OK) {
        sm_path_topic(path, kc_topic_name(kc_topic(c, s->row)));
        kc_log_unreadable(c, path);
        return KC_SLOT_DONE; /* Kafka reads what it cannot parse as no partitions */
    }
    if (reader.has_topic_id) {
        kc_topic(c, s->row)->flags |= KC_TOPIC_HAS_ID;
        memcpy(kc_topic(c, s->row)->id, reader.topic_id, 16);
    }
    while (sm_topic_next(&reader, &partition, &a)) {
        uint32_t row = kc_row_intern(c, s->row, partition);
        kc_put_assignment(c, row, &a);
        kc_set_add(c, KC_SET_LISTED, row);
        if (f->arg2 == 1 && sm_assignment_is_being_reassigned(&a)) {
            kc_set_add(c, KC_SET_REASSIGNING, row);
        }
    }
    return KC_SLOT_DONE;
}

const struct kc_bulk kc_read_topics = {.select = select_new_topic,
                                       .ask = ask_read_topic,
                                       .answer = answer_read_topic,
                                       .needs = kc_needs_topic_znode};

/* ---- states ---- */

static bool select_listed(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    s->row = kc_set_next(c, KC_SET_LISTED, f->cursor);
    f->cursor = s->row + 1;
    return s->row != KC_NO_ROW;
}

static enum kc_slot_next answer_leadership(struct kc_controller *c, struct kc_frame *f,
                                           struct kc_slot *s, int32_t err,
                                           const struct wire_zk_result_view *r)
{
    (void)f;
    switch (kc_read_state(c, s, err, r)) {
    case KC_STATE_READ:
    case KC_STATE_NEWER_CONTROLLER:
        kc_put_leadership(c, s->row, &s->plan);
        return KC_SLOT_DONE;
    case KC_STATE_MISSING:
        return KC_SLOT_DONE;
    case KC_STATE_FAILED:
        break;
    }
    return kc_slot_throw(c, err);
}

const struct kc_bulk kc_read_leadership = {.select = select_listed,
                                           .ask = kc_ask_slot_state,
                                           .answer = answer_leadership,
                                           .needs = kc_needs_state_znode};

/* ---- deletions asked for ---- */

static bool ask_list_deletions(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                               struct kc_ask *ask)
{
    (void)c, (void)f, (void)s;
    return ask_list(ask, SM_PATH_DELETE_TOPICS);
}

static enum kc_slot_next answer_list_deletions(struct kc_controller *c, struct kc_frame *f,
                                               struct kc_slot *s, int32_t err,
                                               const struct wire_zk_result_view *r)
{
    return kc_answer_names(c, f, s, err, r);
}

const struct kc_bulk kc_list_deletions = {.select = kc_select_once,
                                          .ask = ask_list_deletions,
                                          .answer = answer_list_deletions,
                                          .needs = kc_needs_topic_names};

static bool ask_drop_deletion(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                              struct kc_ask *ask)
{
    (void)f;
    return ask_delete_child(c, s, ask, SM_PATH_DELETE_TOPICS);
}

const struct kc_bulk kc_delete_deletions = {
    .select = kc_select_name, .ask = ask_drop_deletion, .answer = kc_answer_deleted};
