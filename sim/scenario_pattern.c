/*
 * Patterns of records and the values that their fields are compared with: 3, "> 3", none, [1, 2],
 * On*.
 *
 * What a field can be compared with follows from the record's kind and the field's type, so that a
 * pattern that could never match is refused here.
 */
#include "sim/scenario_read.h"

#include <string.h>

#include "sim/pattern.h"
#include "statemachine/partition_state.h"
#include "statemachine/replica_state.h"

static enum sim_op read_op(const char **text)
{
    static const struct {
        const char *text;
        enum sim_op op;
    } ops[] = {
        {"==", SIM_OP_EQ}, {"!=", SIM_OP_NE}, {"<=", SIM_OP_LE},
        {">=", SIM_OP_GE}, {"<", SIM_OP_LT},  {">", SIM_OP_GT},
    };
    for (unsigned i = 0; i < 6; i++) {
        const size_t size = strlen(ops[i].text);
        if (strncmp(*text, ops[i].text, size) == 0) {
            *text += size;
            *text += strspn(*text, " ");
            return ops[i].op;
        }
    }
    return SIM_OP_EQ;
}

bool sim_read_comparison(struct sim_reader *r, const struct sim_yaml *node,
                         struct sim_comparison *out)
{
    *out = (struct sim_comparison){0};
    if (node->kind == SIM_YAML_LIST) {
        out->is_list = true;
        out->text = sim_read_source(r, node);
        if (node->count > SM_REPLICAS_MAX) {
            return sim_error(r->d, node->place, "a list of %u; at most %d", node->count,
                             SM_REPLICAS_MAX);
        }
        for (uint32_t i = 0; i < node->count; i++) {
            int32_t id;
            if (!sim_read_int32(r, node->items[i], "a member of the list", INT32_MIN, INT32_MAX,
                                &id)) {
                return false;
            }
            sm_list_append(&out->list, id);
        }
        return true;
    }
    if (!sim_read_is_scalar(r, node, "a value to compare with")) {
        return false;
    }
    const char *text = node->text;
    out->op = read_op(&text);
    out->text = sim_memory_copy(r->memory, text, strlen(text));
    out->is_number = sim_parse_int(text, &out->number);
    out->is_glob = strpbrk(text, "*?") != NULL;
    if (!out->is_number && out->op != SIM_OP_EQ && out->op != SIM_OP_NE) {
        return sim_error(r->d, node->place, "only a number can be larger or smaller, not '%s'",
                         text);
    }
    return true;
}

static const char *const controller_events[] = {"Startup",
                                                "ControllerChange",
                                                "Reelect",
                                                "RegisterBrokerAndReelect",
                                                "Expire",
                                                "BrokerChange",
                                                "BrokerModifications",
                                                "TopicChange",
                                                "PartitionModifications",
                                                "TopicDeletion",
                                                "TopicDeletionStopReplicaResponseReceived",
                                                "ZkPartitionReassignment",
                                                "ApiPartitionReassignment",
                                                "PartitionReassignmentIsrChange",
                                                "AutoPreferredReplicaLeaderElection",
                                                "ReplicaLeaderElection",
                                                "ControlledShutdown",
                                                "IsrChangeNotification",
                                                "LeaderAndIsrResponseReceived",
                                                "LogDirEventNotification",
                                                "ShutdownEventThread",
                                                "UncleanLeaderElectionEnable",
                                                "TopicUncleanLeaderElectionEnable",
                                                "ListPartitionReassignments",
                                                "UpdateMetadataResponseReceived",
                                                NULL};

struct sim_condition sim_condition_of(const struct sim_comparison *c, const char *field,
                                      struct sim_place place)
{
    return (struct sim_condition){
        .field = field,
        .op = c->op,
        .is_number = c->is_number,
        .is_list = c->is_list,
        .is_glob = c->is_glob,
        .number = c->number,
        .text = c->text,
        .list = c->list,
        .place = place,
    };
}

/* Names inside a pattern are checked where a slip would make it match nothing, silently. */
static bool check_condition(struct sim_reader *r, const struct sim_yaml *node, enum sim_kind kind,
                            const struct sim_condition *c)
{
    uint32_t index;
    enum wire_api api;
    char *topic;
    int32_t partition;
    if (node->kind != SIM_YAML_SCALAR || c->is_glob || c->op != SIM_OP_EQ) {
        return true;
    }
    if (strcmp(c->field, "api") == 0) {
        return sim_read_api(r, node, &api);
    }
    if (strcmp(c->field, "broker") == 0 || strcmp(c->field, "replica") == 0 ||
        (strcmp(c->field, "node") == 0 && c->is_number)) {
        int32_t id;
        return sim_read_node_id(r, node, "a broker", &id);
    }
    if (kind == SIM_K_QUEUE && strcmp(c->field, "name") == 0) {
        return sim_read_word(r, node, "controller event", controller_events, &index);
    }
    if (strcmp(c->field, "partition") == 0) {
        return sim_read_partition(r, node, c->text, &topic, &partition);
    }
    if (kind == SIM_K_MOVE && (strcmp(c->field, "to") == 0 || strcmp(c->field, "from") == 0) &&
        sm_partition_state_named(c->text) == SM_PARTITION_NONE &&
        sm_replica_state_named(c->text) == SM_REPLICA_NONE) {
        const char *names[SM_PARTITION_STATE_END + SM_REPLICA_STATE_END];
        uint32_t count = 0;
        for (int s = SM_PARTITION_NEW; s < SM_PARTITION_STATE_END; s++) {
            names[count++] = sm_partition_state_name((enum sm_partition_state)s);
        }
        for (int s = SM_REPLICA_NEW; s < SM_REPLICA_STATE_END; s++) {
            names[count++] = sm_replica_state_name((enum sm_replica_state)s);
        }
        names[count] = NULL;
        return sim_read_word(r, node, "state", names, &index);
    }
    return true;
}

static void unknown_field(struct sim_reader *r, const struct sim_yaml *name, const char *event,
                          enum sim_kind kind)
{
    const char *names[SIM_F_NONE + 160];
    uint32_t count = 0;
    sim_error(r->d, name->place, "the event '%s' has no field '%s'", event, name->text);
    for (int f = 1; f < SIM_F_END && count < 150; f++) {
        const char *field = sim_event_field(kind, sim_field_name((enum sim_field)f));
        if (field != NULL && f != SIM_F_SET && f != SIM_F_REFS) {
            names[count++] = field;
        }
    }
    names[count++] = "broker";
    names[count] = NULL;
    sim_suggest(r->d, name->text, names);
    sim_note_words(r, "fields", names);
    sim_note(r->d, "see: kcsim explain events");
}

static bool read_event(struct sim_reader *r, const struct sim_yaml *node, enum sim_kind *kind,
                       const char **what)
{
    const char *names[64];
    if (!sim_read_is_scalar(r, node, "event")) {
        return false;
    }
    *kind = sim_event_named(node->text, what);
    if (*kind != SIM_K_NONE) {
        return true;
    }
    uint32_t count = 0;
    while (count < 63 && sim_event_name(count) != NULL) {
        names[count] = sim_event_name(count);
        count++;
    }
    names[count] = NULL;
    sim_error(r->d, node->place, "unknown event '%s'", node->text);
    sim_suggest(r->d, node->text, names);
    sim_note_words(r, "events", names);
    sim_note(r->d, "see: kcsim explain events");
    return false;
}

static void add_condition(struct sim_reader *r, struct sim_pattern *p, struct sim_condition c)
{
    p->conditions = sim_memory_grow(r->memory, p->conditions, sizeof(c), p->condition_count);
    p->conditions[p->condition_count++] = c;
}

static bool read_condition(struct sim_reader *r, const struct sim_yaml *name,
                           const struct sim_yaml *value, const char *event, enum sim_kind kind,
                           struct sim_pattern *out)
{
    struct sim_comparison c;
    const char *field = sim_event_field(kind, name->text);
    if (field == NULL) {
        unknown_field(r, name, event, kind);
        return false;
    }
    if (!sim_read_comparison(r, value, &c)) {
        return false;
    }
    const struct sim_condition condition = sim_condition_of(&c, field, value->place);
    add_condition(r, out, condition);
    return check_condition(r, value, kind, &condition);
}

/* What can be applied and its reply lost is a request. */
static bool check_side(struct sim_reader *r, struct sim_place place, enum sim_kind kind,
                       const struct sim_pattern *p)
{
    if (p->side != SIM_SIDE_APPLIED_REPLY_LOST) {
        return true;
    }
    if (kind != SIM_K_ZREQ && kind != SIM_K_SEND) {
        return sim_error(r->d, place, "only a zreq or a send can be applied and its reply lost");
    }
    return !sim_pattern_asks_answer(p) ||
           sim_error(r->d, place, "this is an answer: it is a request whose reply can be lost");
}

bool sim_read_pattern(struct sim_reader *r, const struct sim_yaml *node, enum sim_shape other,
                      struct sim_pattern *out)
{
    static const char *const sides[] = {"after", "before", "applied-reply-lost", NULL};
    enum sim_kind kind = SIM_K_NONE;
    const char *what = NULL;
    *out = (struct sim_pattern){.kind = "", .nth = 1, .place = node->place};
    if (node->kind != SIM_YAML_MAP) {
        sim_error(r->d, node->place,
                  "a pattern is a mapping like {event: send, api: LeaderAndIsr}");
        return false;
    }
    const struct sim_yaml *event = sim_yaml_get(node, "event");
    if (event == NULL) {
        sim_error(r->d, node->place, "a pattern names its event: {event: send, …}");
        sim_note(r->d, "see: kcsim explain events");
        return false;
    }
    if (!read_event(r, event, &kind, &what)) {
        return false;
    }
    out->kind = sim_kind_name(kind);
    if (what != NULL) {
        add_condition(r, out,
                      (struct sim_condition){.field = "what",
                                             .text = sim_memory_copy(r->memory, what, strlen(what)),
                                             .place = event->place});
    }
    bool good = true;
    struct sim_place side_place = node->place;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct sim_yaml *name = node->keys[i], *value = node->items[i];
        uint32_t side;
        int32_t nth;
        if (value == event || (other != SIM_SHAPE_END && sim_key_find(other, name->text) != NULL)) {
            continue;
        }
        if (strcmp(name->text, "nth") == 0) {
            good = sim_read_int32(r, value, "nth", 1, 1000000000, &nth) && good;
            out->nth = good ? (uint32_t)nth : 1;
        } else if (strcmp(name->text, "side") == 0) {
            good = sim_read_word(r, value, "side", sides, &side) && good;
            out->side = good ? (enum sim_side)side : SIM_SIDE_AFTER;
            side_place = value->place;
        } else {
            good = read_condition(r, name, value, event->text, kind, out) && good;
        }
    }
    return good && check_side(r, side_place, kind, out);
}
