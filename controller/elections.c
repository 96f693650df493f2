/*
 * Elections that somebody asks for: preferred and unclean ones, by znode or by call; switches of
 * unclean election. Those by the clock are in auto_balance.c, a broker that wants to leave is in
 * controlled_shutdown.c.
 *
 *   ReplicaLeaderElection ─► who is electable? ─► onReplicaElection ─► answer / remove the znode
 *
 * The preferred-election znode is deleted and asked about again by an event of its own, which finds
 * it gone and only arms the watch. A partition without leadership info makes Kafka 2.8.2's handler
 * throw before that: the znode stays, nothing watches it (SM_DEFECT_POISON_PREFERRED).
 *
 * Source: Kafka KafkaController.processReplicaLeaderElection, onReplicaElection.
 */
#include "controller/line.h"

#include <assert.h>
#include <stdio.h>

enum { PREFERRED, UNCLEAN };

static const char *const type_name[] = {"PREFERRED", "UNCLEAN"};
static const char *const trigger_name[] = {"ZkTriggered", "AdminClientTriggered", "AutoTriggered"};

static const struct wire_call *call_of(const struct kc_controller *c)
{
    return kc_event_bytes(c, &c->event);
}

/* ---- onReplicaElection: of KC_SET_LISTED; arg the type, arg2 the trigger ---- */

void kc_election_call(struct kc_controller *c, uint32_t election_type, enum kc_trigger trigger)
{
    kc_call(c, KC_FLOW_ELECTION, election_type)->arg2 = trigger;
}

static enum kc_next run_election(struct kc_controller *c, struct kc_frame *f)
{
    char before[96], after[64];

    snprintf(before, sizeof before, "Starting replica leader election (%s) for partitions ",
             type_name[f->arg]);
    snprintf(after, sizeof after, " triggered by %s", trigger_name[f->arg2]);
    if (kc_is_old(c)) {
        kc_log_set(c, KC_INFO, "Starting preferred replica leader election for partitions ",
                   KC_SET_LISTED, "");
    } else {
        kc_log_set(c, KC_INFO, before, KC_SET_LISTED, after);
    }
    kc_set_copy(c, KC_SET_WORK, KC_SET_LISTED);
    kc_partitions_call(c, SM_PARTITION_ONLINE,
                       f->arg == PREFERRED ? SM_STRATEGY_PREFERRED : SM_STRATEGY_OFFLINE,
                       f->arg2 == KC_TRIGGER_ADMIN);
    return KC_NEXT;
}

static void say_result(struct kc_controller *c, uint32_t row)
{
    const struct kc_partition *p = kc_row_at(c, row);
    int32_t preferred = p->replica_count > 0 ? kc_broker(c, kc_replicas(c, p)[0])->id : -1;

    if (p->leader == preferred) {
        kc_log(
            c, KC_INFO,
            "[Controller id=%d] Partition %s-%d completed preferred replica leader election. New "
            "leader is %d",
            c->config.broker.id, kc_row_topic(c, row), p->partition, preferred);
    } else {
        kc_log(c, KC_WARN,
               "[Controller id=%d] Partition %s-%d failed to complete preferred replica leader "
               "election to %d. Leader is still %d",
               c->config.broker.id, kc_row_topic(c, row), p->partition, preferred, p->leader);
    }
}

static enum kc_next say_results(struct kc_controller *c, struct kc_frame *f)
{
    if (f->arg2 == KC_TRIGGER_ADMIN) {
        return KC_RETURN;
    }
    for (uint32_t row = kc_set_next(c, KC_SET_LISTED, 0); row != KC_NO_ROW;
         row = kc_set_next(c, KC_SET_LISTED, row + 1)) {
        say_result(c, row);
    }
    return f->arg2 == KC_TRIGGER_AUTO ? KC_RETURN : KC_NEXT;
}

static bool ask_remove(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                       struct kc_ask *ask)
{
    (void)c, (void)f, (void)s;
    kc_ask_write(ask, WIRE_ZK_DELETE, SM_PATH_PREFERRED, NULL, 0, WIRE_ZK_ANY_VERSION);
    return true;
}

static const struct kc_bulk remove_znode = {
    .select = kc_select_once, .ask = ask_remove, .answer = kc_answer_deleted};

static enum kc_next ask_again(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_put(c, KC_EVENT_REPLICA_LEADER_ELECTION); /* arms the creation watch */
    return KC_NEXT;
}

static const struct kc_row election_rows[] = {
    {.name = "elect", .run = run_election},
    {.name = "say results", .run = say_results},
    {.name = "remove the znode", .bulk = &remove_znode},
    {.name = "ask again", .run = ask_again},
    {0},
};
const struct kc_flow_def kc_flow_ELECTION = {.name = "onReplicaElection", .rows = election_rows};

/* ---- ReplicaLeaderElection: an event with a call is the admin client's, without the znode's ----
 */

static bool by_admin(const struct kc_controller *c)
{
    return c->event.call_id != 0;
}

/* Gives one partition its answer. */
typedef int32_t (*result_fn)(struct kc_controller *c, uint32_t row);

static void answer_each(struct kc_controller *c, result_fn result)
{
    const struct wire_call *call = call_of(c);
    struct wire_call head = {.api = call->api};
    struct wire_call_builder b;
    struct wire_call_view v = {0};
    size_t capacity;
    char *out = kc_room(c, 0, &capacity);

    wire_call_begin(&b, out, capacity, &head);
    for (uint32_t row = 0; call->all && row < c->partition_high; row++) {
        if (kc_row_is_assigned(c, row)) {
            wire_call_add(&b, kc_row_topic(c, row), kc_row_at(c, row)->partition, result(c, row),
                          false, NULL);
        }
    }
    while (!call->all && wire_call_next(call, &v)) {
        uint32_t row = kc_row_named(c, v.topic, v.item->partition);
        wire_call_add(&b, v.topic, v.item->partition, result(c, row), false, NULL);
    }
    const struct wire_call *answer = wire_call_end(&b);
    struct wire_call failed = {
        .size = sizeof failed, .api = call->api, .error = WIRE_ERROR_UNKNOWN_SERVER_ERROR};
    kc_reply(c, answer == NULL ? &failed : answer);
}

static int32_t not_controller(struct kc_controller *c, uint32_t row)
{
    (void)c, (void)row;
    return WIRE_ERROR_NOT_CONTROLLER;
}

static enum kc_next election_begin(struct kc_controller *c, struct kc_frame *f)
{
    if (!kc_is_active(c)) {
        if (by_admin(c)) {
            answer_each(c, not_controller);
        }
        return KC_RETURN;
    }
    f->arg = by_admin(c) ? call_of(c)->election_type : PREFERRED;
    kc_set_clear(c, KC_SET_LISTED);
    kc_set_clear(c, KC_SET_GIVEN);
    return KC_NEXT;
}

static bool select_znode(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    return !by_admin(c) && kc_select_once(c, f, s);
}

enum { ZNODE_EXISTS, ZNODE_READ };

static bool ask_znode(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                      struct kc_ask *ask)
{
    (void)c, (void)f;
    kc_ask_path(ask, s->stage == ZNODE_EXISTS ? WIRE_ZK_EXISTS : WIRE_ZK_GET_DATA,
                SM_PATH_PREFERRED);
    ask->watch = 1;
    return true;
}

static void skip_unknown(struct kc_controller *c, const char *topic, int32_t partition,
                         uint32_t type, enum kc_trigger trigger)
{
    kc_log(
        c, KC_INFO,
        "[Controller id=%d] Skipping replica leader election (%s) for partition %s-%d by %s since "
        "it doesn't exist.",
        c->config.broker.id, type_name[type], topic, partition, trigger_name[trigger]);
}

/* frame.flags 1: the znode exists. */
static enum kc_slot_next answer_znode(struct kc_controller *c, struct kc_frame *f,
                                      struct kc_slot *s, int32_t err,
                                      const struct wire_zk_result_view *r)
{
    struct sm_partitions_reader reader;
    struct sm_partition_item item;

    if (err == WIRE_ZK_NO_NODE) {
        return KC_SLOT_DONE;
    }
    if (err != WIRE_ZK_OK) {
        return kc_slot_throw(c, err);
    }
    f->flags = 1;
    if (s->stage == ZNODE_EXISTS) {
        s->stage = ZNODE_READ;
        return KC_SLOT_ASK;
    }
    if (sm_partitions_open(&reader, (const char *)r->data, r->result->data_size) != SM_ERR_OK) {
        kc_log_unreadable(c, SM_PATH_PREFERRED);
        return KC_SLOT_DONE;
    }
    while (sm_partitions_next(&reader, &item)) {
        uint32_t row = kc_row_named(c, item.topic, item.partition);
        if (row != KC_NO_ROW && kc_row_is_assigned(c, row)) {
            kc_set_add(c, KC_SET_GIVEN, row);
        } else {
            skip_unknown(c, item.topic, item.partition, PREFERRED, KC_TRIGGER_ZK);
        }
    }
    return KC_SLOT_DONE;
}

static const struct kc_bulk read_znode = {
    .select = select_znode, .ask = ask_znode, .answer = answer_znode};

static enum kc_next take_call(struct kc_controller *c, struct kc_frame *f)
{
    struct wire_call_view v = {0};

    if (!by_admin(c)) {
        return f->flags != 0 ? KC_NEXT : KC_RETURN;
    }
    for (uint32_t row = 0; call_of(c)->all && row < c->partition_high; row++) {
        if (kc_row_is_assigned(c, row)) {
            kc_set_add(c, KC_SET_GIVEN, row);
        }
    }
    while (!call_of(c)->all && wire_call_next(call_of(c), &v)) {
        uint32_t row = kc_row_named(c, v.topic, v.item->partition);
        if (row != KC_NO_ROW && kc_row_is_assigned(c, row)) {
            kc_set_add(c, KC_SET_GIVEN, row);
        } else {
            skip_unknown(c, v.topic, v.item->partition, f->arg, KC_TRIGGER_ADMIN);
        }
    }
    return KC_NEXT;
}

static bool is_electable(struct kc_controller *c, uint32_t row, uint32_t type)
{
    const struct kc_partition *p = kc_row_at(c, row);

    if (type == PREFERRED) {
        return p->replica_count > 0 && p->leader != kc_broker(c, kc_replicas(c, p)[0])->id;
    }
    uint32_t leader = p->leader < 0 ? KC_NO_ROW : kc_broker_find(c, p->leader);
    return leader == KC_NO_ROW || (kc_broker(c, leader)->flags &
                                   (KC_BROKER_LIVE | KC_BROKER_SHUTTING_DOWN)) != KC_BROKER_LIVE;
}

static enum kc_next choose_electable(struct kc_controller *c, struct kc_frame *f)
{
    for (uint32_t row = kc_set_next(c, KC_SET_GIVEN, 0); row != KC_NO_ROW;
         row = kc_set_next(c, KC_SET_GIVEN, row + 1)) {
        kc_row_at(c, row)->result = KC_RESULT_NONE;
        if (kc_is_queued(c, row)) {
            continue;
        }
        if (!kc_has_leadership(c, row)) {
            if (kc_defect(c, SM_DEFECT_POISON_PREFERRED)) {
                return kc_throw(c, SM_ERR_NO_ELEMENT, "java.util.NoSuchElementException: None.get");
            }
            continue;
        }
        if (is_electable(c, row, f->arg)) {
            kc_set_add(c, KC_SET_LISTED, row);
        }
    }
    kc_election_call(c, f->arg, by_admin(c) ? KC_TRIGGER_ADMIN : KC_TRIGGER_ZK);
    return KC_NEXT;
}

static int32_t election_result(struct kc_controller *c, uint32_t row)
{
    if (row == KC_NO_ROW || !kc_set_has(c, KC_SET_GIVEN, row)) {
        return WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    }
    if (kc_is_queued(c, row)) {
        return WIRE_ERROR_INVALID_TOPIC_EXCEPTION;
    }
    if (!kc_set_has(c, KC_SET_LISTED, row)) {
        return WIRE_ERROR_ELECTION_NOT_NEEDED;
    }
    switch ((enum kc_result)kc_row_at(c, row)->result) {
    case KC_RESULT_OK:
    case KC_RESULT_NONE:
        return WIRE_ERROR_NONE;
    case KC_RESULT_FAILED:
        return call_of(c)->election_type == PREFERRED ? WIRE_ERROR_PREFERRED_LEADER_NOT_AVAILABLE
                                                      : WIRE_ERROR_ELIGIBLE_LEADERS_NOT_AVAILABLE;
    case KC_RESULT_ERROR:
        break;
    }
    return WIRE_ERROR_UNKNOWN_SERVER_ERROR;
}

static void add_error(struct kc_line *l, const char *error, const char *message)
{
    kc_line_add(l, "Left(ApiError(error=%s, message=%s", error, message);
}

static void add_result(struct kc_controller *c, struct kc_line *l, uint32_t row, uint32_t type)
{
    const struct kc_partition *p = kc_row_at(c, row);

    kc_line_add(l, "%s-%d -> ", kc_row_topic(c, row), p->partition);
    if (kc_is_queued(c, row)) {
        add_error(l, "INVALID_TOPIC_EXCEPTION", "The topic is being deleted))");
    } else if (!kc_set_has(c, KC_SET_LISTED, row)) {
        add_error(l, "ELECTION_NOT_NEEDED", "Leader election not needed for topic partition.))");
    } else if (p->result == KC_RESULT_OK || p->result == KC_RESULT_NONE) {
        kc_line_add(l, "Right(%d)", p->leader);
    } else if (p->result == KC_RESULT_ERROR) {
        add_error(l, "UNKNOWN_SERVER_ERROR",
                  "The server experienced an unexpected error when processing the request.))");
    } else {
        add_error(l,
                  type == PREFERRED ? "PREFERRED_LEADER_NOT_AVAILABLE"
                                    : "ELIGIBLE_LEADERS_NOT_AVAILABLE",
                  "Failed to elect leader for partition ");
        kc_line_add(l, "%s-%d under strategy %s))", kc_row_topic(c, row), p->partition,
                    type == PREFERRED ? "PreferredReplicaPartitionLeaderElectionStrategy"
                                      : "OfflinePartitionLeaderElectionStrategy(true)");
    }
}

/* Partitions that do not exist are left out: they have no row. */
static void log_results(struct kc_controller *c, uint32_t type)
{
    struct kc_line l;

    if (!kc_notes(c, KC_NOTE_LOG_TRACE)) {
        return;
    }
    kc_line_begin(&l);
    for (uint32_t row = kc_set_next(c, KC_SET_GIVEN, 0); row != KC_NO_ROW && !kc_line_is_full(&l);
         row = kc_set_next(c, KC_SET_GIVEN, row + 1)) {
        kc_line_separate(&l, 0, ", ");
        add_result(c, &l, row, type);
    }
    kc_log(c, KC_DEBUG,
           "[Controller id=%d] Waiting for any successful result for election type (%s) by %s for "
           "partitions: %s(%s)",
           c->config.broker.id, type_name[type],
           trigger_name[by_admin(c) ? KC_TRIGGER_ADMIN : KC_TRIGGER_ZK],
           kc_set_count(c, KC_SET_GIVEN) > 4 ? "HashMap" : "Map", l.text);
}

static enum kc_next answer_admin(struct kc_controller *c, struct kc_frame *f)
{
    log_results(c, f->arg);
    if (by_admin(c)) {
        answer_each(c, election_result);
    }
    return KC_NEXT;
}

static const struct kc_row event_rows[] = {
    {.name = "begin", .run = election_begin},
    {.name = "read the znode", .bulk = &read_znode},
    {.name = "take the call", .run = take_call},
    {.name = "choose the electable", .run = choose_electable},
    {.name = "answer", .run = answer_admin},
    {0},
};
const struct kc_flow_def kc_flow_ELECTION_EVENT = {.name = "ReplicaLeaderElection",
                                                   .rows = event_rows};

/* ---- unclean election switched on ---- */

static enum kc_next unclean_enabled(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (kc_is_active(c)) {
        kc_log(c, KC_INFO, "[Controller id=%d] Unclean leader election has been enabled by default",
               c->config.broker.id);
        kc_call(c, KC_FLOW_TRIGGER_ONLINE, 0);
    }
    return KC_NEXT;
}

static enum kc_next topic_unclean_enabled(struct kc_controller *c, struct kc_frame *f)
{
    const char *name = kc_event_bytes(c, &c->event);

    (void)f;
    if (!kc_is_active(c)) {
        return KC_NEXT;
    }
    kc_log(c, KC_INFO, "[Controller id=%d] Unclean leader election has been enabled for topic %s",
           c->config.broker.id, name);
    uint32_t topic = kc_topic_find(c, name);
    if (topic != KC_NO_ROW) {
        kc_call(c, KC_FLOW_TRIGGER_ONLINE, topic + 1);
    }
    return KC_NEXT;
}

static const struct kc_row unclean_rows[] = {{.name = "elect", .run = unclean_enabled}, {0}};
const struct kc_flow_def kc_flow_UNCLEAN_ENABLED = {.name = "UncleanLeaderElectionEnable",
                                                    .rows = unclean_rows};

static const struct kc_row topic_unclean_rows[] = {{.name = "elect", .run = topic_unclean_enabled},
                                                   {0}};
const struct kc_flow_def kc_flow_TOPIC_UNCLEAN_ENABLED = {
    .name = "TopicUncleanLeaderElectionEnable", .rows = topic_unclean_rows};
