/*
 * Expectations of a scenario.
 *
 *     {never: PATTERN, after: PATTERN}          {always | never | sometimes | end: STATEMENT}
 *     {by: T, STATEMENT…}   {at: T, STATEMENT…}   the statement's keys stand beside the time
 *
 * A STATEMENT names a subject (partition, replica, controller, broker, topic, znode, metric, all,
 * any, count) and what it is. What each subject can be is a shape of the grammar.
 */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "sim/metrics.h"
#include "sim/check.h"
#include "sim/scenario_read.h"
#include "statemachine/limits.h"
#include "statemachine/partition_state.h"
#include "statemachine/replica_state.h"

/* ---- properties: what a subject is ---- */

static void add_property(struct sim_reader *r, struct sim_expect *out, struct sim_property p)
{
    out->properties = sim_memory_grow(r->memory, out->properties, sizeof(p), out->property_count);
    out->properties[out->property_count++] = p;
}

static bool check_word(struct sim_reader *r, const struct sim_yaml *node, const char *what,
                       const struct sim_comparison *c, const char *const *words)
{
    uint32_t index;
    struct sim_yaml bare = *node;
    if (node->kind != SIM_YAML_SCALAR || c->is_glob) {
        return true;
    }
    bare.text = c->text;
    return sim_read_word(r, &bare, what, words, &index);
}

static bool check_state(struct sim_reader *r, enum sim_shape shape, const struct sim_yaml *node,
                        const struct sim_comparison *c)
{
    const char *names[SM_REPLICA_STATE_END + 1];
    static const char *const processes[] = {"up", "down", NULL};
    uint32_t count = 0;
    if (shape == SIM_SHAPE_IS_BROKER || shape == SIM_SHAPE_IS_CLIENT) {
        return check_word(r, node, "state of a process", c, processes);
    }
    if (shape == SIM_SHAPE_IS_PARTITION) {
        for (int s = SM_PARTITION_NEW; s < SM_PARTITION_STATE_END; s++) {
            names[count++] = sm_partition_state_name((enum sm_partition_state)s);
        }
    } else {
        for (int s = SM_REPLICA_NEW; s < SM_REPLICA_STATE_END; s++) {
            names[count++] = sm_replica_state_name((enum sm_replica_state)s);
        }
    }
    names[count] = NULL;
    return check_word(r, node, "state", c, names);
}

static bool check_number(struct sim_reader *r, const struct sim_yaml *node, const char *name,
                         const struct sim_comparison *c)
{
    return c->is_number || sim_error(r->d, node->place, "%s is a number, not '%s'", name, c->text);
}

static bool check_flag(struct sim_reader *r, const struct sim_yaml *node, const char *name,
                       const struct sim_comparison *c)
{
    return (!c->is_list && (strcmp(c->text, "true") == 0 || strcmp(c->text, "false") == 0)) ||
           sim_error(r->d, node->place, "%s is true or false, not '%s'", name, c->text);
}

static bool check_list(struct sim_reader *r, const struct sim_yaml *node, const char *name,
                       const struct sim_comparison *c)
{
    bool good =
        c->is_list || sim_error(r->d, node->place, "%s is a list of ids, like [1, 2]", name);
    for (int32_t i = 0; good && i < c->list.count; i++) {
        if (sim_scenario_node(r->s, c->list.id[i]) == NULL) {
            good = sim_error(r->d, node->place, "there is no node %d", c->list.id[i]);
            sim_note(r->d, "nodes: %s", sim_known_ids(r));
        }
    }
    return good;
}

static bool check_leader(struct sim_reader *r, const struct sim_yaml *node,
                         const struct sim_comparison *c)
{
    if (!c->is_list && (strcmp(c->text, "none") == 0 || (c->is_number && c->number == -1))) {
        return true;
    }
    if (!c->is_number) {
        return sim_error(r->d, node->place, "leader is a broker id, or none, not '%s'", c->text);
    }
    if (sim_scenario_node(r->s, (int32_t)c->number) == NULL) {
        sim_error(r->d, node->place, "there is no node %" PRId64, c->number);
        sim_note(r->d, "nodes: %s", sim_known_ids(r));
        return false;
    }
    return true;
}

static bool check_property(struct sim_reader *r, enum sim_shape shape, const char *name,
                           const struct sim_yaml *node, const struct sim_comparison *c)
{
    static const char *const lists[] = {"isr", "replicas", "adding", "removing"};
    static const char *const flags[] = {"reassigning", "in-sync", "registered", "live",
                                        "ephemeral"};
    static const char *const deletions[] = {"none", "queued", "started", "ineligible", NULL};
    for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (strcmp(name, lists[i]) == 0) {
            return check_list(r, node, name, c);
        }
    }
    for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strcmp(name, flags[i]) == 0) {
            return check_flag(r, node, name, c);
        }
    }
    if (shape == SIM_SHAPE_IS_CLIENT &&
        (strcmp(name, "transaction") == 0 || strcmp(name, "group") == 0 ||
         strcmp(name, "error") == 0)) {
        return true;
    }
    if (strcmp(name, "state") == 0) {
        return check_state(r, shape, node, c);
    }
    if (strcmp(name, "leader") == 0) {
        return check_leader(r, node, c);
    }
    if (strcmp(name, "deletion") == 0) {
        return check_word(r, node, "stage of deletion", c, deletions);
    }
    return strcmp(name, "data") == 0 || check_number(r, node, name, c);
}

static bool read_property(struct sim_reader *r, enum sim_shape shape, const char *name,
                          const struct sim_yaml *node, struct sim_expect *out)
{
    struct sim_comparison c;
    if (!sim_read_comparison(r, node, &c) || !check_property(r, shape, name, node, &c)) {
        return false;
    }
    add_property(r, out,
                 (struct sim_property){.name = name,
                                       .op = c.op,
                                       .is_number = c.is_number,
                                       .is_list = c.is_list,
                                       .number = c.number,
                                       .text = c.text,
                                       .list = c.list,
                                       .place = node->place});
    return true;
}

/* data: {brokerid: 2}: each field of the znode's JSON is a property "data.FIELD" */
static bool read_data_fields(struct sim_reader *r, const struct sim_yaml *node,
                             struct sim_expect *out)
{
    bool good = true;
    for (uint32_t i = 0; i < node->count; i++) {
        struct sim_comparison c;
        if (!sim_read_comparison(r, node->items[i], &c)) {
            good = false;
            continue;
        }
        add_property(r, out,
                     (struct sim_property){
                         .name = sim_memory_format(r->memory, "data.%s", node->keys[i]->text),
                         .op = c.op,
                         .is_number = c.is_number,
                         .is_list = c.is_list,
                         .number = c.number,
                         .text = c.text,
                         .list = c.list,
                         .place = node->items[i]->place});
    }
    return good;
}

/* What needs a look into every log is not asked after every event. */
static bool fits_moment(struct sim_reader *r, const struct sim_yaml *name,
                        const struct sim_expect *x)
{
    static const char *const costly[] = {"kept",    "lost",    "unread", "outputs",
                                         "missing", "doubled", NULL};
    bool is_costly = false;
    for (uint32_t i = 0; costly[i] != NULL; i++) {
        is_costly = is_costly || strcmp(name->text, costly[i]) == 0;
    }
    if (!is_costly || x->modality == SIM_END || x->modality == SIM_AT || x->modality == SIM_BY) {
        return true;
    }
    sim_error(r->d, name->place, "'%s' goes with end, at or by", name->text);
    sim_note(r->d, "at every moment: {always: acknowledged-records-kept}");
    return false;
}

static bool read_is(struct sim_reader *r, enum sim_shape shape, const struct sim_yaml *node,
                    struct sim_expect *out)
{
    bool good = true;
    const bool may_be_absent = shape == SIM_SHAPE_IS_ZNODE || shape == SIM_SHAPE_IS_TOPIC ||
                               shape == SIM_SHAPE_IS_PARTITION || shape == SIM_SHAPE_IS_REPLICA;
    if (node->kind == SIM_YAML_SCALAR && may_be_absent) {
        static const char *const words[] = {"absent", "present", NULL};
        uint32_t index;
        if (!sim_read_word(r, node, "state (or write a mapping)", words, &index)) {
            return false;
        }
        out->absent = index == 0;
        return true;
    }
    if (!sim_read_keys(r, node, shape, SIM_SHAPE_END)) {
        return false;
    }
    if (node->count == 0) {
        return sim_error(r->d, node->place, "is: says nothing");
    }
    for (uint32_t i = 0; i < node->count; i++) {
        const struct sim_key *key = sim_key_find(shape, node->keys[i]->text);
        if (shape == SIM_SHAPE_IS_CLIENT && !fits_moment(r, node->keys[i], out)) {
            good = false;
            continue;
        }
        if (key->form == SIM_FORM_JSON_VALUE && node->items[i]->kind == SIM_YAML_MAP) {
            good = read_data_fields(r, node->items[i], out) && good;
        } else {
            good = read_property(r, shape, key->name, node->items[i], out) && good;
        }
    }
    return good;
}

/* ---- subjects ---- */

static bool read_replica_name(struct sim_reader *r, const struct sim_yaml *node,
                              struct sim_expect *out)
{
    char *text;
    if (!sim_read_text(r, node, "replica", &text)) {
        return false;
    }
    const char *dash = strrchr(text, '-');
    /* Of topic, number and broker one is missing: orders-0 is a partition. */
    bool short_of_one = dash != NULL && memchr(text, '-', (size_t)(dash - text)) == NULL;
    if (dash == NULL || dash[1] == '\0' || strspn(dash + 1, "0123456789") != strlen(dash + 1) ||
        short_of_one) {
        return sim_error(r->d, node->place,
                         "'%s' is no replica; write TOPIC-NUMBER-BROKER, like orders-0-3", text);
    }
    struct sim_yaml broker = *node;
    broker.text = sim_memory_copy(r->memory, dash + 1, strlen(dash + 1));
    broker.size = strlen(broker.text);
    const char *partition = sim_memory_copy(r->memory, text, (size_t)(dash - text));
    bool good = sim_read_partition(r, node, partition, &out->topic, &out->partition);
    return sim_read_node_id(r, &broker, "the broker of a replica", &out->node) && good;
}

/* partitions [of T] · replicas [of T] [on B] */
static bool read_selection(struct sim_reader *r, const struct sim_yaml *node,
                           struct sim_expect *out)
{
    char *text, *rest;
    out->on = -1;
    if (!sim_read_text(r, node, "a selection", &text)) {
        return false;
    }
    if (strncmp(text, "partitions", 10) == 0) {
        out->selection = SIM_PARTITIONS;
        rest = text + 10;
    } else if (strncmp(text, "replicas", 8) == 0) {
        out->selection = SIM_REPLICAS;
        rest = text + 8;
    } else {
        rest = NULL;
    }
    struct sim_yaml part = *node;
    if (rest != NULL && strncmp(rest, " of ", 4) == 0) {
        rest += 4;
        const size_t size = strcspn(rest, " ");
        part.text = sim_memory_copy(r->memory, rest, size);
        part.size = size;
        rest += size;
        if (!sim_read_topic(r, &part, &out->topic)) {
            return false;
        }
    }
    if (rest != NULL && out->selection == SIM_REPLICAS && strncmp(rest, " on ", 4) == 0) {
        part.text = rest + 4;
        part.size = strlen(part.text);
        return sim_read_node_id(r, &part, "a broker", &out->on);
    }
    if (rest == NULL || *rest != '\0') {
        sim_error(r->d, node->place, "unknown selection '%s'", text);
        sim_note(
            r->d,
            "selections: partitions, partitions of T, replicas, replicas of T, replicas on B,");
        sim_note(r->d, "  replicas of T on B");
        return false;
    }
    return true;
}

static bool read_controller(struct sim_reader *r, const struct sim_yaml *node,
                            struct sim_expect *out)
{
    if (node->kind == SIM_YAML_SCALAR && strcmp(node->text, "none") == 0) {
        out->node = -1;
        return true;
    }
    if (node->kind == SIM_YAML_SCALAR && strcmp(node->text, "any") == 0) {
        out->node = -2;
        return true;
    }
    if (!sim_read_node_id(r, node, "controller", &out->node)) {
        sim_note(r->d, "or any, or none");
        return false;
    }
    return sim_scenario_node(r->s, out->node)->role != SIM_NODE_BROKER ||
           sim_error(r->d, node->place, "node %d has no controller (role: broker)", out->node);
}

static bool read_op(struct sim_reader *r, const struct sim_yaml *map, const char *subject,
                    struct sim_expect *out)
{
    static const char *const ops[] = {"==", "!=", "<", "<=", ">", ">=", NULL};
    const struct sim_yaml *op = sim_yaml_get(map, "op"), *value = sim_yaml_get(map, "value");
    uint32_t index = 0;
    bool good = true;
    if (op != NULL) {
        good = sim_read_word(r, op, "op", ops, &index);
    }
    out->op = (enum sim_op)index;
    if (value == NULL) {
        return sim_error(r->d, map->place,
                         "%s has a value to compare with: {…, op: \"==\", value: 0}", subject);
    }
    return sim_read_int(r, value, "value", INT64_MIN / 2, INT64_MAX / 2, &out->number) && good;
}

static bool read_metric(struct sim_reader *r, const struct sim_yaml *node,
                        const struct sim_yaml *map, struct sim_expect *out)
{
    uint32_t index;
    if (!sim_read_word(r, node, "metric", sim_metric_names, &index)) {
        return false;
    }
    out->metric = sim_metric_names[index];
    return read_op(r, map, "a metric", out);
}

static const struct {
    const char *key;
    enum sim_subject subject;
    enum sim_quantifier quantifier;
    enum sim_shape shape; /* of `is`; SIM_SHAPE_END: none */
    bool needs_is;
} subjects[] = {
    {"partition", SIM_SUBJECT_PARTITION, SIM_ALL, SIM_SHAPE_IS_PARTITION, true},
    {"replica", SIM_SUBJECT_REPLICA, SIM_ALL, SIM_SHAPE_IS_REPLICA, true},
    {"controller", SIM_SUBJECT_CONTROLLER, SIM_ALL, SIM_SHAPE_IS_CONTROLLER, false},
    {"broker", SIM_SUBJECT_BROKER, SIM_ALL, SIM_SHAPE_IS_BROKER, true},
    {"topic", SIM_SUBJECT_TOPIC, SIM_ALL, SIM_SHAPE_IS_TOPIC, true},
    {"client", SIM_SUBJECT_CLIENT, SIM_ALL, SIM_SHAPE_IS_CLIENT, true},
    {"znode", SIM_SUBJECT_ZNODE, SIM_ALL, SIM_SHAPE_IS_ZNODE, true},
    {"metric", SIM_SUBJECT_METRIC, SIM_ALL, SIM_SHAPE_END, false},
    {"all", SIM_SUBJECT_EACH, SIM_ALL, SIM_SHAPE_END, true},
    {"any", SIM_SUBJECT_EACH, SIM_ANY, SIM_SHAPE_END, true},
    {"count", SIM_SUBJECT_EACH, SIM_COUNT, SIM_SHAPE_END, false},
};
enum { SUBJECT_COUNT = sizeof(subjects) / sizeof(subjects[0]) };

static bool read_client(struct sim_reader *r, const struct sim_yaml *node, struct sim_expect *out)
{
    const char **names = sim_memory_take(r->memory, (r->s->client_count + 1) * sizeof(*names));
    char *text = NULL;
    if (!sim_read_text(r, node, "client", &text)) {
        return false;
    }
    out->clients = sim_memory_take(r->memory, (r->s->client_count + 1) * sizeof(*out->clients));
    out->client_count = sim_named_clients(r, text, out->clients);
    if (out->client_count > 0) {
        return true;
    }
    for (uint32_t i = 0; i < r->s->client_count; i++) {
        names[i] = r->s->clients[i].name;
    }
    sim_error(r->d, node->place, "there is no client '%s'", text);
    sim_suggest(r->d, text, names);
    return false;
}

static bool read_subject(struct sim_reader *r, const struct sim_yaml *value,
                         const struct sim_yaml *map, struct sim_expect *out)
{
    char *text = NULL;
    switch (out->subject) {
    case SIM_SUBJECT_PARTITION:
        return sim_read_text(r, value, "partition", &text) &&
               sim_read_partition(r, value, text, &out->topic, &out->partition);
    case SIM_SUBJECT_REPLICA:
        return read_replica_name(r, value, out);
    case SIM_SUBJECT_CONTROLLER:
        return read_controller(r, value, out);
    case SIM_SUBJECT_BROKER:
        return sim_read_node_id(r, value, "broker", &out->node);
    case SIM_SUBJECT_TOPIC:
        return sim_read_topic(r, value, &out->topic);
    case SIM_SUBJECT_CLIENT:
        return read_client(r, value, out);
    case SIM_SUBJECT_ZNODE:
        if (!sim_read_text(r, value, "znode", &out->path)) {
            return false;
        }
        return (out->path[0] == '/' && strlen(out->path) < SM_PATH_MAX) ||
               sim_error(r->d, value->place, "'%s' is no path of a znode, like /controller",
                         out->path);
    case SIM_SUBJECT_METRIC:
        return read_metric(r, value, map, out);
    case SIM_SUBJECT_EACH:
        return read_selection(r, value, out) &&
               (out->quantifier != SIM_COUNT || read_op(r, map, "a count", out));
    case SIM_SUBJECT_CHECK:
    case SIM_SUBJECT_PATTERN:
        break;
    }
    assert(false);
    return false;
}

static bool read_statement(struct sim_reader *r, const struct sim_yaml *map, bool beside_time,
                           struct sim_expect *out)
{
    const struct sim_yaml *found = NULL, *is = sim_yaml_get(map, "is");
    enum sim_shape shape = SIM_SHAPE_END;
    bool needs_is = false;
    if (!sim_read_keys(r, map, SIM_SHAPE_STATEMENT,
                       beside_time ? SIM_SHAPE_EXPECT : SIM_SHAPE_END)) {
        return false;
    }
    for (unsigned i = 0; i < SUBJECT_COUNT; i++) {
        const struct sim_yaml *value = sim_yaml_get(map, subjects[i].key);
        if (value == NULL) {
            continue;
        }
        if (found != NULL) {
            return sim_error(r->d, value->place, "a statement has one subject; this is the second");
        }
        found = value;
        out->subject = subjects[i].subject;
        out->quantifier = subjects[i].quantifier;
        shape = subjects[i].shape;
        needs_is = subjects[i].needs_is;
    }
    if (found == NULL) {
        sim_error(r->d, map->place,
                  "a statement is about a partition, replica, controller, broker, topic, znode or "
                  "metric");
        sim_note(r->d, "see: kcsim explain expectations");
        return false;
    }
    bool good = read_subject(r, found, map, out);
    if (out->subject == SIM_SUBJECT_EACH) {
        shape = out->selection == SIM_PARTITIONS ? SIM_SHAPE_IS_PARTITION : SIM_SHAPE_IS_REPLICA;
    }
    if (is == NULL) {
        return needs_is ? sim_error(r->d, map->place, "is: is missing; what must it be?") : good;
    }
    if (shape == SIM_SHAPE_END) {
        return sim_error(r->d, is->place, "a metric has op and value, not is");
    }
    if (out->subject == SIM_SUBJECT_CONTROLLER && out->node == -1) {
        return sim_error(r->d, is->place,
                         "where no controller is active there is nothing to say of it");
    }
    return read_is(r, shape, is, out) && good;
}

/* ---- an expectation ---- */

static bool read_pattern_expectation(struct sim_reader *r, const struct sim_yaml *node,
                                     const struct sim_yaml *map, bool beside_time,
                                     struct sim_expect *out)
{
    out->subject = SIM_SUBJECT_PATTERN;
    if (out->modality != SIM_NEVER && out->modality != SIM_SOMETIMES && out->modality != SIM_BY) {
        sim_error(r->d, node->place, "a pattern of records goes with never, sometimes or by");
        sim_note(r->d,
                 "what holds over time is a statement: {partition: orders-0, is: {leader: 1}}");
        return false;
    }
    return sim_read_pattern(r, map, beside_time ? SIM_SHAPE_EXPECT : SIM_SHAPE_END, &out->pattern);
}

/* A check holds always, or is to be violated; what is seen sometimes was seen, or never. */
static void read_check(struct sim_reader *r, const struct sim_yaml *value, struct sim_expect *out)
{
    out->subject = SIM_SUBJECT_CHECK;
    out->check = sim_check_expected(value->text);
    if (out->check < 0) {
        const char *words[SIM_CHECK_END + SIM_SOMETIMES_END + 1];
        sim_check_names(words);
        sim_error(r->d, value->place, "no check is called '%s'", value->text);
        sim_suggest(r->d, value->text, words);
        sim_note(r->d, "see: kcsim explain checks; what a partition, broker, … must be is a map: "
                       "{partition: orders-0, is: {leader: 1}}");
    } else if (out->check < SIM_CHECK_END && out->modality != SIM_ALWAYS &&
               out->modality != SIM_NEVER) {
        sim_error(r->d, value->place,
                  "a check goes with always, or with never: it must be violated");
    } else if (out->check >= SIM_CHECK_END && out->modality != SIM_SOMETIMES &&
               out->modality != SIM_NEVER) {
        sim_error(r->d, value->place, "'%s' goes with sometimes or never", value->text);
    }
}

static void read_one(struct sim_reader *r, const struct sim_yaml *node, struct sim_expect *out)
{
    static const char *const modalities[] = {"always", "never", "sometimes", "by", "at", "end"};
    const struct sim_yaml *value = NULL, *name = NULL, *after;
    *out = (struct sim_expect){.place = node->place, .text = sim_read_source(r, node), .on = -1};
    if (node->kind != SIM_YAML_MAP) {
        sim_read_keys(r, node, SIM_SHAPE_EXPECT, SIM_SHAPE_END);
        return;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        for (uint32_t m = 0; m < 6; m++) {
            if (strcmp(node->keys[i]->text, modalities[m]) != 0) {
                continue;
            }
            if (value != NULL) {
                sim_error(r->d, node->keys[i]->place,
                          "an expectation has one of always, never, sometimes, by, at, end");
                return;
            }
            name = node->keys[i];
            value = node->items[i];
            out->modality = (enum sim_modality)m;
        }
    }
    if (value == NULL) {
        sim_error(r->d, node->place,
                  "when must this be true? Write always, never, sometimes, by, at or end");
        if (node->count > 0) {
            const char *words[] = {"always", "never", "sometimes", "by", "at", "end", NULL};
            sim_suggest(r->d, node->keys[0]->text, words);
        }
        sim_note(r->d, "see: kcsim explain expectations");
        return;
    }
    if ((after = sim_yaml_get(node, "after")) != NULL) {
        out->has_after = sim_read_pattern(r, after, SIM_SHAPE_END, &out->after);
    }
    if (out->modality == SIM_BY || out->modality == SIM_AT) {
        if (sim_read_time(r, value, name->text, &out->time_us)) {
            sim_read_note_time(r, out->time_us);
        }
        if (sim_yaml_get(node, "event") != NULL) {
            read_pattern_expectation(r, name, node, true, out);
        } else {
            read_statement(r, node, true, out);
        }
        return;
    }
    if (value->kind == SIM_YAML_SCALAR) {
        read_check(r, value, out);
        return;
    }
    sim_read_keys(r, node, SIM_SHAPE_EXPECT, SIM_SHAPE_END);
    if (sim_yaml_get(value, "event") != NULL) {
        read_pattern_expectation(r, name, value, false, out);
    } else {
        read_statement(r, value, false, out);
    }
}

void sim_read_expect(struct sim_reader *r, const struct sim_yaml *node)
{
    if (node == NULL) {
        return;
    }
    if (node->kind != SIM_YAML_LIST) {
        sim_error(r->d, node->place,
                  "expect is a list: - {end: {partition: orders-0, is: {leader: 1}}}");
        return;
    }
    if (node->count > SIM_EXPECT_MAX) {
        sim_error(r->d, node->place, "%u expectations; at most %d (SIM_EXPECT_MAX)", node->count,
                  SIM_EXPECT_MAX);
        return;
    }
    r->s->expect = sim_memory_take(r->memory, node->count * sizeof(*r->s->expect));
    r->s->expect_count = node->count;
    for (uint32_t i = 0; i < node->count; i++) {
        read_one(r, node->items[i], &r->s->expect[i]);
    }
}
