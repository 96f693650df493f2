/*
 * Patterns: names of events and fields, and matching.
 *
 * A request's partitions stand once, in its batch: {to: [brokers], body: [partition…]} per API. All
 * conditions about a partition must hold of one entry that the receiver of this request gets.
 */
#define _POSIX_C_SOURCE 200809L
#include "sim/pattern.h"

#include <assert.h>
#include <fnmatch.h>
#include <string.h>

/* ---- names ---- */

static const struct event {
    const char *name;
    enum sim_kind kind;
    const char *what;
} events[] = {
    {"controller-event-put", SIM_K_QUEUE, "put"},
    {"controller-event-start", SIM_K_QUEUE, "start"},
    {"controller-event-done", SIM_K_QUEUE, "done"},
    {"controller-event-preempt", SIM_K_QUEUE, "preempt"},
    {"controller-queue-clear", SIM_K_QUEUE, "clear"},
    {"request", SIM_K_SEND, NULL},
    {"session-created", SIM_K_SESSION, "created"},
    {"session-connected", SIM_K_SESSION, "connected"},
    {"session-disconnected", SIM_K_SESSION, "disconnected"},
    {"session-expired", SIM_K_SESSION, "expired"},
    {"session-closed", SIM_K_SESSION, "closed"},
    {"transition", SIM_K_MOVE, NULL},
    {"election", SIM_K_DECIDE, NULL},
    {"fault", SIM_K_FAULT, NULL},
    {"send", SIM_K_SEND, NULL},
    {"recv", SIM_K_RECV, NULL},
    {"drop", SIM_K_DROP, NULL},
    {"zreq", SIM_K_ZREQ, NULL},
    {"zap", SIM_K_ZAP, NULL},
    {"zrep", SIM_K_ZREP, NULL},
    {"watch", SIM_K_WATCH, NULL},
    {"notify", SIM_K_NOTIFY, NULL},
    {"session", SIM_K_SESSION, NULL},
    {"znode", SIM_K_ZNODE, NULL},
    {"queue", SIM_K_QUEUE, NULL},
    {"flow", SIM_K_FLOW, NULL},
    {"decide", SIM_K_DECIDE, NULL},
    {"move", SIM_K_MOVE, NULL},
    {"learn", SIM_K_LEARN, NULL},
    {"replica", SIM_K_REPLICA, NULL},
    {"append", SIM_K_APPEND, NULL},
    {"truncate", SIM_K_TRUNCATE, NULL},
    {"hw", SIM_K_HW, NULL},
    {"wait", SIM_K_WAIT, NULL},
    {"batch", SIM_K_BATCH, NULL},
    {"close", SIM_K_CLOSE, NULL},
    {"ack", SIM_K_ACK, NULL},
    {"read", SIM_K_READ, NULL},
    {"txn", SIM_K_TXN, NULL},
    {"group", SIM_K_GROUP, NULL},
    {"client", SIM_K_CLIENT, NULL},
    {"timer", SIM_K_TIMER, NULL},
    {"log", SIM_K_LOG, NULL},
    {"mark", SIM_K_MARK, NULL},
};

enum { EVENT_COUNT = sizeof(events) / sizeof(events[0]) };

enum sim_kind sim_event_named(const char *name, const char **what)
{
    for (unsigned i = 0; i < EVENT_COUNT; i++) {
        if (strcmp(events[i].name, name) == 0) {
            if (what != NULL) {
                *what = events[i].what;
            }
            return events[i].kind;
        }
    }
    return SIM_K_NONE;
}

const char *sim_event_name(unsigned index)
{
    return index < EVENT_COUNT ? events[index].name : NULL;
}

/* Fields of a partition in a batch, which a request may be asked for. */
static bool is_body_field(enum sim_field field)
{
    static const enum sim_field fields[] = {
        SIM_F_PARTITION, SIM_F_LEADER,   SIM_F_EPOCH,   SIM_F_ISR, SIM_F_ZKVERSION, SIM_F_REPLICAS,
        SIM_F_ADDING,    SIM_F_REMOVING, SIM_F_OFFLINE, SIM_F_NEW, SIM_F_DELETE,    SIM_F_OFFSET,
        SIM_F_BASE,      SIM_F_HW,       SIM_F_LSO,
    };
    for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i] == field) {
            return true;
        }
    }
    return false;
}

static bool has_body(enum sim_kind kind)
{
    return kind == SIM_K_SEND || kind == SIM_K_RECV;
}

const char *sim_event_field(enum sim_kind kind, const char *name)
{
    static const char *const derived[] = {"broker", "node", "at", "watch-event"};
    for (unsigned i = 0; i < sizeof(derived) / sizeof(derived[0]); i++) {
        if (strcmp(name, derived[i]) == 0) {
            return derived[i];
        }
    }
    const enum sim_field field =
        sim_field_named(strcmp(name, "zk-version") == 0 ? "zkversion" : name);
    if (field == SIM_F_NONE) {
        return NULL;
    }
    const bool known = sim_kind_has(kind, field) || (has_body(kind) && is_body_field(field));
    return known ? sim_field_name(field) : NULL;
}

/* ---- comparing ---- */

bool sim_compare_numbers(enum sim_op op, int64_t have, int64_t want)
{
    switch (op) {
    case SIM_OP_EQ:
        return have == want;
    case SIM_OP_NE:
        return have != want;
    case SIM_OP_LT:
        return have < want;
    case SIM_OP_LE:
        return have <= want;
    case SIM_OP_GT:
        return have > want;
    case SIM_OP_GE:
        return have >= want;
    }
    assert(false);
    return false;
}

static bool compare_texts(const struct sim_condition *c, const char *have)
{
    const bool equal = c->is_glob ? fnmatch(c->text, have, 0) == 0 : strcmp(c->text, have) == 0;
    return c->op == SIM_OP_NE ? !equal : c->op == SIM_OP_EQ && equal;
}

/* "b3", where a pattern says 3 */
static bool lane_number(const char *text, int64_t *number)
{
    const sim_lane lane = sim_lane_named(text);
    *number = sim_lane_id(lane);
    return lane != 0 && lane != SIM_LANE_ZK && lane != SIM_LANE_WORLD && lane != SIM_LANE_OPERATOR;
}

static bool meets_list(const struct sim_condition *c, const struct sim_value *value);

static bool meets(const struct sim_condition *c, const struct sim_value *value)
{
    int64_t number;
    switch ((enum sim_value_type)value->type) {
    case SIM_V_NULL:
        return c->op == SIM_OP_NE;
    case SIM_V_INT:
        if (!c->is_number && (strcmp(c->text, "true") == 0 || strcmp(c->text, "false") == 0)) {
            return (value->number != 0) == (strcmp(c->text, "true") == 0);
        }
        if (!c->is_number && strcmp(c->text, "none") == 0) {
            return sim_compare_numbers(c->op, value->number, -1);
        }
        return c->is_number ? sim_compare_numbers(c->op, value->number, c->number)
                            : c->op == SIM_OP_NE;
    case SIM_V_TEXT:
        if (c->is_number && lane_number(value->text, &number)) {
            return sim_compare_numbers(c->op, number, c->number);
        }
        return compare_texts(c, value->text);
    case SIM_V_LIST:
        return meets_list(c, value);
    case SIM_V_OBJECT:
        return false;
    }
    return false;
}

/* A list is met whole by a list, in order; by anything else where one member meets it. */
static bool meets_list(const struct sim_condition *c, const struct sim_value *value)
{
    if (c->is_list) {
        int32_t ids[SM_REPLICAS_MAX];
        const size_t count = sim_value_ids(value, ids, SM_REPLICAS_MAX);
        const bool equal = count == (size_t)c->list.count && count <= SM_REPLICAS_MAX &&
                           memcmp(ids, c->list.id, count * sizeof(ids[0])) == 0;
        return c->op == SIM_OP_NE ? !equal : equal;
    }
    struct sim_walk walk = {0};
    struct sim_value member;
    struct sim_condition plain = *c;
    plain.op = c->op == SIM_OP_NE ? SIM_OP_EQ : c->op;
    bool found = false;
    while (!found && sim_list_next(value, &walk, &member)) {
        found = meets(&plain, &member);
    }
    return c->op == SIM_OP_NE ? !found : found;
}

/* ---- requests: the partitions of their batch ---- */

static bool has_member(const struct sim_value *object, enum sim_field field, int32_t id)
{
    struct sim_value list, member;
    struct sim_walk walk = {0};
    if (!sim_object_get(object, field, &list) || list.type != SIM_V_LIST) {
        return false;
    }
    while (sim_list_next(&list, &walk, &member)) {
        int64_t number;
        if ((member.type == SIM_V_INT && member.number == id) ||
            (member.type == SIM_V_TEXT && lane_number(member.text, &number) && number == id)) {
            return true;
        }
    }
    return false;
}

static bool entry_meets(const struct sim_pattern *p, const struct sim_value *entry, int32_t broker)
{
    struct sim_value value;
    if (sim_object_get(entry, SIM_F_TO, &value) && !has_member(entry, SIM_F_TO, broker)) {
        return false; /* this broker does not get it */
    }
    for (uint32_t i = 0; i < p->condition_count; i++) {
        const struct sim_condition *c = &p->conditions[i];
        const enum sim_field field = sim_field_named(c->field);
        if (!is_body_field(field)) {
            continue;
        }
        if (field == SIM_F_NEW || field == SIM_F_DELETE) {
            value =
                (struct sim_value){.type = SIM_V_INT, .number = has_member(entry, field, broker)};
        } else if (!sim_object_get(entry, field, &value)) {
            return false;
        }
        if (!meets(c, &value)) {
            return false;
        }
    }
    return true;
}

/* The request that a record is about: its batch, which part of it, and who receives it. */
static bool find_body(const struct sim_trace *trace, const struct sim_record *record,
                      struct sim_value *body, int32_t *broker)
{
    struct sim_record batch, request = *record;
    struct sim_value part;
    if (record->kind == SIM_K_RECV && !sim_record_get(record, SIM_F_BODY, body)) {
        const int64_t m = sim_record_int(record, SIM_F_M, 0);
        if (trace == NULL || m <= 0 || !sim_trace_get(trace, (uint64_t)m, &request)) {
            return false;
        }
    }
    if (sim_record_get(&request, SIM_F_BODY, body) && body->type == SIM_V_LIST) {
        *broker = sim_record_broker(&request);
        return true;
    }
    const int64_t number = sim_record_int(&request, SIM_F_BATCH, 0);
    const char *api = sim_record_text(&request, SIM_F_API);
    if (trace == NULL || api == NULL || number <= 0 ||
        !sim_trace_get(trace, (uint64_t)number, &batch)) {
        return false;
    }
    const enum sim_field field = strcmp(api, "LeaderAndIsr") == 0     ? SIM_F_LEADER_AND_ISR
                                 : strcmp(api, "UpdateMetadata") == 0 ? SIM_F_UPDATE_METADATA
                                                                      : SIM_F_STOP_REPLICA;
    *broker = sim_record_broker(&request);
    return sim_record_get(&batch, field, &part) && sim_object_get(&part, SIM_F_BODY, body);
}

static bool meets_body(const struct sim_pattern *p, const struct sim_trace *trace,
                       const struct sim_record *record)
{
    struct sim_value body, entry;
    struct sim_walk walk = {0};
    int32_t broker;
    if (!find_body(trace, record, &body, &broker)) {
        return false;
    }
    while (sim_list_next(&body, &walk, &entry)) {
        if (entry_meets(p, &entry, broker)) {
            return true;
        }
    }
    return false;
}

/* ---- matching ---- */

static bool field_meets(const struct sim_condition *c, const struct sim_record *record)
{
    char lane[SIM_LANE_TEXT];
    struct sim_value value = {.type = SIM_V_INT};
    if (strcmp(c->field, "broker") == 0) {
        value.number = sim_record_broker(record);
        return meets(c, &value);
    }
    if (strcmp(c->field, "at") == 0 ||
        (strcmp(c->field, "node") == 0 && !sim_kind_has(record->kind, SIM_F_NODE))) {
        value = (struct sim_value){.type = SIM_V_TEXT, .text = sim_lane_text(lane, record->at)};
        return meets(c, &value);
    }
    const enum sim_field field =
        strcmp(c->field, "watch-event") == 0 ? SIM_F_EVENT : sim_field_named(c->field);
    if (!sim_record_get(record, field, &value)) {
        /* an absent field is 0, "" and nobody: only "is not" can be true of it */
        return c->op == SIM_OP_NE;
    }
    return meets(c, &value);
}

bool sim_pattern_asks_answer(const struct sim_pattern *p)
{
    for (uint32_t i = 0; i < p->condition_count; i++) {
        const enum sim_field field = sim_field_named(p->conditions[i].field);
        if (field == SIM_F_RE || field == SIM_F_ERROR || field == SIM_F_CODES) {
            return true;
        }
    }
    return false;
}

/* Answers are sent and received too. A pattern means them only where it asks for what only an
   answer has: "LeaderAndIsr to broker 1" is a request. */
static bool is_unmeant_answer(const struct sim_pattern *p, const struct sim_record *record)
{
    struct sim_value value;
    return has_body(record->kind) && sim_record_get(record, SIM_F_RE, &value) &&
           !sim_pattern_asks_answer(p);
}

bool sim_pattern_match(const struct sim_pattern *pattern, const struct sim_trace *trace,
                       const struct sim_record *record)
{
    bool asks_body = false;
    if (strcmp(sim_kind_name(record->kind), pattern->kind) != 0 ||
        is_unmeant_answer(pattern, record)) {
        return false;
    }
    for (uint32_t i = 0; i < pattern->condition_count; i++) {
        const struct sim_condition *c = &pattern->conditions[i];
        const enum sim_field field = sim_field_named(c->field);
        if (has_body(record->kind) && is_body_field(field)) {
            asks_body = true;
        } else if (!field_meets(c, record)) {
            return false;
        }
    }
    return !asks_body || meets_body(pattern, trace, record);
}
