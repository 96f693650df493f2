/*
 * Judging expectations.
 *
 * One entry per expectation: what is still open, and how it came out. Patterns that are still open
 * are kept in two short lists, so that a record costs nothing once they are decided. A statement is
 * evaluated to one of three answers: it holds, it does not, or it cannot be said (no active
 * controller to ask); see expect.h for what each modality makes of these.
 */
#define _POSIX_C_SOURCE 200809L
#include "sim/expect.h"

#include <assert.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/metrics.h"
#include "sim/pattern.h"
#include "statemachine/partition_state.h"
#include "statemachine/replica_state.h"
#include "statemachine/znode.h"

enum { TEXT = 240 }; /* as in struct sim_judgement */

enum answer { NO, YES, UNKNOWN };

struct entry {
    struct sim_judgement judgement;
    bool open;        /* not decided yet */
    bool after_seen;  /* the record of `after` has come, or there is none */
    bool held;        /* a statement: has held at some moment */
    uint32_t matches; /* records that matched, for nth */
};

struct sim_expectations {
    const struct sim_scenario *scenario;
    struct entry *entries;
};

/* ---- texts ---- */

static const char *const op_texts[] = {"", "!= ", "< ", "<= ", "> ", ">= "};

/* Appends to a line; what does not fit is cut. */
__attribute__((format(printf, 3, 4))) static void append(char *out, size_t capacity,
                                                         const char *format, ...)
{
    const size_t size = strlen(out);
    va_list args;
    va_start(args, format);
    vsnprintf(out + size, capacity - size, format, args);
    va_end(args);
}

static void append_list(char *out, size_t capacity, const struct sm_list *list)
{
    append(out, capacity, "[");
    for (int32_t i = 0; i < list->count; i++) {
        append(out, capacity, "%s%d", i == 0 ? "" : ", ", list->id[i]);
    }
    append(out, capacity, "]");
}

/* ---- comparing ---- */

/* What a subject has for one property: a number, a text, a list, or nothing to be said. */
struct have {
    enum { HAVE_UNKNOWN, HAVE_NUMBER, HAVE_TEXT, HAVE_LIST, HAVE_NOTHING } kind;
    int64_t number;
    const char *text;
    struct sm_list list;
};

static struct have number_of(int64_t number)
{
    return (struct have){.kind = HAVE_NUMBER, .number = number};
}

static struct have text_of(const char *text)
{
    return (struct have){.kind = HAVE_TEXT, .text = text};
}

static struct have flag_of(bool flag)
{
    return text_of(flag ? "true" : "false");
}

static struct have list_of(const struct sm_list *list)
{
    return (struct have){.kind = HAVE_LIST, .list = *list};
}

static enum answer compare(const struct sim_property *want, const struct have *have)
{
    bool equal = false;
    switch (have->kind) {
    case HAVE_UNKNOWN:
        return UNKNOWN;
    case HAVE_NUMBER:
        if (strcmp(want->name, "leader") == 0 && strcmp(want->text, "none") == 0) {
            return sim_compare_numbers(want->op, have->number, SM_NO_LEADER) ? YES : NO;
        }
        if (want->is_number) {
            return sim_compare_numbers(want->op, have->number, want->number) ? YES : NO;
        }
        break;
    case HAVE_TEXT:
        if (want->is_number && want->op != SIM_OP_EQ && want->op != SIM_OP_NE) {
            char *end;
            const int64_t number = strtoll(have->text, &end, 10);
            return end != have->text && *end == '\0' &&
                           sim_compare_numbers(want->op, number, want->number)
                       ? YES
                       : NO;
        }
        equal = strpbrk(want->text, "*?") != NULL ? fnmatch(want->text, have->text, 0) == 0
                                                  : strcmp(want->text, have->text) == 0;
        break;
    case HAVE_LIST:
        equal = want->is_list && sm_list_equal(&want->list, &have->list);
        break;
    case HAVE_NOTHING:
        break;
    }
    return (want->op == SIM_OP_NE) != equal ? YES : NO;
}

static void describe(const struct sim_property *want, const struct have *have, char *out,
                     size_t capacity)
{
    append(out, capacity, "%s%s ", out[0] == '\0' ? "" : ", ", want->name);
    switch (have->kind) {
    case HAVE_UNKNOWN:
        append(out, capacity, "unknown (no active controller)");
        break;
    case HAVE_NUMBER:
        if (strcmp(want->name, "leader") == 0 && have->number == SM_NO_LEADER) {
            append(out, capacity, "none");
        } else {
            append(out, capacity, "%" PRId64, have->number);
        }
        break;
    case HAVE_TEXT:
        append(out, capacity, "%s", have->text);
        break;
    case HAVE_LIST:
        append_list(out, capacity, &have->list);
        break;
    case HAVE_NOTHING:
        append(out, capacity, "absent");
        break;
    }
}

static void describe_wanted(const struct sim_property *want, char *out, size_t capacity)
{
    append(out, capacity, "%s%s %s", out[0] == '\0' ? "" : ", ", want->name, op_texts[want->op]);
    if (want->is_list) {
        append_list(out, capacity, &want->list);
    } else {
        append(out, capacity, "%s", want->text);
    }
}

/* ---- looking ---- */

static const struct kc_controller *active_controller(const struct sim_view *view)
{
    const int32_t id = view->active(view->context);
    return id < 0 ? NULL : view->controller(view->context, id);
}

static bool get(const struct sim_view *view, const char *path, struct wire_zk_stat *stat,
                const uint8_t **data, uint32_t *size)
{
    bool has_data;
    return kz_server_get(view->zookeeper, path, stat, data, size, &has_data);
}

static bool read_state(const struct sim_view *view, const char *topic, int32_t partition,
                       struct sm_leader_and_isr *li)
{
    char path[SM_PATH_MAX];
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    sm_path_partition_state(path, topic, partition);
    return get(view, path, &stat, &data, &size) &&
           sm_znode_decode_state((const char *)data, size, stat.version, li) == SM_ERR_OK;
}

static bool open_topic(const struct sim_view *view, const char *topic,
                       struct sm_topic_reader *reader)
{
    char path[SM_PATH_MAX];
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    sm_path_topic(path, topic);
    return get(view, path, &stat, &data, &size) &&
           sm_topic_open(reader, (const char *)data, size) == SM_ERR_OK;
}

static bool read_assignment(const struct sim_view *view, const char *topic, int32_t partition,
                            struct sm_assignment *a)
{
    struct sm_topic_reader reader;
    struct sm_assignment each;
    int32_t number;
    bool found = false;
    if (!open_topic(view, topic, &reader)) {
        return false;
    }
    while (sm_topic_next(&reader, &number, &each)) {
        if (number == partition) {
            *a = each;
            found = true;
        }
    }
    return found;
}

/* ---- partitions and replicas ---- */

struct partition {
    const struct sim_view *view;
    const struct kc_controller *controller; /* active, or NULL */
    const char *topic;
    int32_t number;
    bool has_state, has_assignment;
    struct sm_leader_and_isr li;
    struct sm_assignment assignment;
};

static struct have partition_has(const struct partition *p, const char *name)
{
    const struct have unknown = {.kind = HAVE_UNKNOWN}, nothing = {.kind = HAVE_NOTHING};
#define IS(text) (strcmp(name, text) == 0)
    if (IS("state")) {
        return p->controller == NULL ? unknown
                                     : text_of(sm_partition_state_name(
                                           kc_partition_state(p->controller, p->topic, p->number)));
    }
    if (IS("reassigning")) {
        return p->controller == NULL
                   ? unknown
                   : flag_of(kc_is_being_reassigned(p->controller, p->topic, p->number));
    }
    if (IS("replicas") || IS("adding") || IS("removing")) {
        if (!p->has_assignment) {
            return nothing;
        }
        return list_of(IS("replicas") ? &p->assignment.replicas
                       : IS("adding") ? &p->assignment.adding
                                      : &p->assignment.removing);
    }
    if (!p->has_state) {
        return nothing;
    }
    if (IS("leader")) {
        return number_of(p->li.leader);
    }
    if (IS("isr")) {
        return list_of(&p->li.isr);
    }
    if (IS("epoch")) {
        return number_of(p->li.leader_epoch);
    }
    if (IS("zk-version")) {
        return number_of(p->li.zk_version);
    }
    assert(IS("controller-epoch"));
    return number_of(p->li.controller_epoch);
#undef IS
}

static struct have replica_has(const struct partition *p, int32_t broker, const char *name)
{
    if (strcmp(name, "in-sync") == 0) {
        return flag_of(p->has_state && sm_list_has(&p->li.isr, broker));
    }
    assert(strcmp(name, "state") == 0);
    if (p->controller == NULL) {
        return (struct have){.kind = HAVE_UNKNOWN};
    }
    return text_of(
        sm_replica_state_name(kc_replica_state(p->controller, p->topic, p->number, broker)));
}

static void look_at_partition(struct partition *p, bool with_assignment)
{
    p->has_state = read_state(p->view, p->topic, p->number, &p->li);
    p->has_assignment =
        with_assignment && read_assignment(p->view, p->topic, p->number, &p->assignment);
}

static bool asks_assignment(const struct sim_expect *x)
{
    for (uint32_t i = 0; i < x->property_count; i++) {
        const char *name = x->properties[i].name;
        if (strcmp(name, "replicas") == 0 || strcmp(name, "adding") == 0 ||
            strcmp(name, "removing") == 0) {
            return true;
        }
    }
    return false;
}

/* ---- the other subjects ---- */

static struct have controller_has(const struct sim_view *view, int32_t node, const char *name)
{
    const struct kc_controller *c = view->controller(view->context, node);
    if (c == NULL) {
        return (struct have){.kind = HAVE_NOTHING};
    }
    return number_of(strcmp(name, "epoch") == 0 ? kc_controller_epoch(c)
                                                : kc_controller_epoch_zk_version(c));
}

static struct have broker_has(const struct sim_view *view, int32_t id, const char *name)
{
    char path[SM_PATH_MAX];
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    if (strcmp(name, "state") == 0) {
        return text_of(view->is_up(view->context, id) ? "up" : "down");
    }
    if (strcmp(name, "registered") == 0) {
        sm_path_broker(path, id);
        return flag_of(get(view, path, &stat, &data, &size));
    }
    const struct kc_controller *c = active_controller(view);
    return c == NULL ? (struct have){.kind = HAVE_UNKNOWN} : flag_of(kc_broker_is_live(c, id));
}

static struct have topic_has(const struct sim_view *view, const char *topic, const char *name)
{
    if (strcmp(name, "deletion") == 0) {
        const struct kc_controller *c = active_controller(view);
        const uint32_t bits = c == NULL ? 0 : kc_topic_deletion(c, topic);
        return c == NULL          ? (struct have){.kind = HAVE_UNKNOWN}
               : (bits & 4u) != 0 ? text_of("ineligible")
               : (bits & 2u) != 0 ? text_of("started")
               : (bits & 1u) != 0 ? text_of("queued")
                                  : text_of("none");
    }
    struct sm_topic_reader reader;
    struct sm_assignment a;
    int32_t number, count = 0;
    if (!open_topic(view, topic, &reader)) {
        return (struct have){.kind = HAVE_NOTHING};
    }
    while (sm_topic_next(&reader, &number, &a)) {
        count++;
    }
    return number_of(count);
}

/* A field of a znode's JSON, as text: numbers and strings as they are, lists of ids as a list. */
static struct have json_field(const uint8_t *data, uint32_t size, const char *name, char *text,
                              size_t capacity)
{
    json_t *root =
        data == NULL ? NULL : json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
    const json_t *value = json_object_get(root, name);
    struct have have = {.kind = HAVE_NOTHING};
    if (json_is_integer(value)) {
        have = number_of(json_integer_value(value));
    } else if (json_is_string(value)) {
        snprintf(text, capacity, "%s", json_string_value(value));
        have = text_of(text);
    } else if (json_is_boolean(value)) {
        have = flag_of(json_is_true(value));
    } else if (json_is_array(value) && json_array_size(value) <= SM_REPLICAS_MAX) {
        have.kind = HAVE_LIST;
        for (size_t i = 0; i < json_array_size(value); i++) {
            sm_list_append(&have.list, (int32_t)json_integer_value(json_array_get(value, i)));
        }
    } else if (value != NULL) {
        char *dumped = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        snprintf(text, capacity, "%s", dumped == NULL ? "" : dumped);
        free(dumped);
        have = text_of(text);
    }
    json_decref(root);
    return have;
}

static struct have znode_has(const struct sim_view *view, const char *path, const char *name,
                             char *text, size_t capacity)
{
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    if (!get(view, path, &stat, &data, &size)) {
        return (struct have){.kind = HAVE_NOTHING};
    }
    if (strcmp(name, "version") == 0) {
        return number_of(stat.version);
    }
    if (strcmp(name, "children") == 0) {
        return number_of(stat.num_children);
    }
    if (strcmp(name, "ephemeral") == 0) {
        return flag_of(stat.ephemeral_owner != 0);
    }
    if (strncmp(name, "data.", 5) == 0) {
        return json_field(data, size, name + 5, text, capacity);
    }
    const size_t copied = size < capacity ? size : capacity - 1;
    if (copied > 0) {
        memcpy(text, data, copied);
    }
    text[copied] = '\0';
    return text_of(text);
}

/* Numbers of several clients are added up; of texts, the first that differs from the last is said.
 */
static struct have clients_have(const struct sim_view *view, const struct sim_expect *x,
                                const char *name)
{
    int64_t sum = 0;
    const char *text = NULL, *first = NULL;
    for (uint32_t i = 0; i < x->client_count; i++) {
        text = NULL;
        sum += view->client(view->context, x->clients[i], name, &text);
        if (text != NULL && first != NULL && strcmp(first, text) != 0) {
            return text_of("mixed");
        }
        first = text;
    }
    return first != NULL ? text_of(first) : number_of(sum);
}

/* ---- one subject with all its properties ---- */

struct looker {
    const struct sim_expect *x;
    const struct sim_view *view;
    struct partition partition;
    char text[4096];
};

static struct have look(struct looker *l, const char *name)
{
    const struct sim_expect *x = l->x;
    switch (x->subject) {
    case SIM_SUBJECT_PARTITION:
        return partition_has(&l->partition, name);
    case SIM_SUBJECT_REPLICA:
        return replica_has(&l->partition, x->node, name);
    case SIM_SUBJECT_CONTROLLER:
        return controller_has(l->view, x->node == -2 ? l->view->active(l->view->context) : x->node,
                              name);
    case SIM_SUBJECT_BROKER:
        return broker_has(l->view, x->node, name);
    case SIM_SUBJECT_TOPIC:
        return topic_has(l->view, x->topic, name);
    case SIM_SUBJECT_CLIENT:
        return clients_have(l->view, x, name);
    case SIM_SUBJECT_ZNODE:
        return znode_has(l->view, x->path, name, l->text, sizeof(l->text));
    case SIM_SUBJECT_PATTERN:
    case SIM_SUBJECT_METRIC:
    case SIM_SUBJECT_CHECK:
    case SIM_SUBJECT_EACH:
        break;
    }
    assert(false);
    return (struct have){.kind = HAVE_NOTHING};
}

/* All properties of what `l` looks at; `actual` gets those that are not as wanted. */
static enum answer all_hold(struct looker *l, char *actual, size_t capacity)
{
    enum answer all = YES;
    for (uint32_t i = 0; i < l->x->property_count; i++) {
        const struct sim_property *want = &l->x->properties[i];
        const struct have have = look(l, want->name);
        const enum answer answer = compare(want, &have);
        if (answer != YES) {
            describe(want, &have, actual, capacity);
            all = all == NO || answer == NO ? NO : UNKNOWN;
        }
    }
    return all;
}

static bool exists(const struct looker *l)
{
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    char path[SM_PATH_MAX];
    switch (l->x->subject) {
    case SIM_SUBJECT_ZNODE:
        return get(l->view, l->x->path, &stat, &data, &size);
    case SIM_SUBJECT_TOPIC:
        sm_path_topic(path, l->x->topic);
        return get(l->view, path, &stat, &data, &size);
    case SIM_SUBJECT_PARTITION:
        return l->partition.has_state || l->partition.has_assignment;
    case SIM_SUBJECT_REPLICA:
        return l->partition.has_assignment &&
               sm_list_has(&l->partition.assignment.replicas, l->x->node);
    case SIM_SUBJECT_CONTROLLER:
    case SIM_SUBJECT_BROKER:
    case SIM_SUBJECT_CLIENT:
    case SIM_SUBJECT_PATTERN:
    case SIM_SUBJECT_METRIC:
    case SIM_SUBJECT_EACH:
    case SIM_SUBJECT_CHECK:
        break;
    }
    return true;
}

static enum answer single(const struct sim_expect *x, const struct sim_view *view, char *actual,
                          size_t capacity)
{
    struct looker l = {.x = x,
                       .view = view,
                       .partition = {.view = view,
                                     .controller = active_controller(view),
                                     .topic = x->topic,
                                     .number = x->partition}};
    if (x->subject == SIM_SUBJECT_PARTITION || x->subject == SIM_SUBJECT_REPLICA) {
        look_at_partition(&l.partition, x->property_count == 0 || asks_assignment(x));
    }
    if (x->property_count == 0 && x->subject != SIM_SUBJECT_CONTROLLER) {
        const bool there = exists(&l);
        append(actual, capacity, there ? "present" : "absent");
        return there != x->absent ? YES : NO;
    }
    return all_hold(&l, actual, capacity);
}

static enum answer controller_is(const struct sim_expect *x, const struct sim_view *view,
                                 char *actual, size_t capacity)
{
    const int32_t active = view->active(view->context);
    const bool right = x->node == -2 ? active >= 0 : active == x->node;
    if (!right) {
        if (active < 0) {
            append(actual, capacity, "no controller is active");
        } else {
            append(actual, capacity, "%d is the controller", active);
        }
        return NO;
    }
    return x->property_count == 0 ? YES : single(x, view, actual, capacity);
}

static enum answer metric_is(const struct sim_expect *x, const struct sim_view *view, char *actual,
                             size_t capacity)
{
    const struct kc_controller *c = active_controller(view);
    if (c == NULL) {
        append(actual, capacity, "unknown (no active controller)");
        return UNKNOWN;
    }
    const struct kc_metrics metrics = kc_controller_metrics(c);
    const int64_t value = sim_metric(&metrics, x->metric);
    append(actual, capacity, "%" PRId64, value);
    return sim_compare_numbers(x->op, value, x->number) ? YES : NO;
}

/* ---- selections ---- */

struct tally {
    struct looker *l;
    int64_t yes, no, unknown;
    char *actual; /* the first that is not as wanted, or (any) nothing */
    size_t capacity;
};

static void count_one(struct tally *t, const char *what, enum answer answer, const char *text)
{
    if (answer == NO && t->no == 0) {
        append(t->actual, t->capacity, "%s: %s", what, text);
    }
    t->yes += answer == YES;
    t->no += answer == NO;
    t->unknown += answer == UNKNOWN;
}

static void count_replicas(struct tally *t, const struct sm_assignment *a)
{
    const struct sim_expect *x = t->l->x;
    for (int32_t i = 0; i < a->replicas.count; i++) {
        const int32_t broker = a->replicas.id[i];
        char what[SM_TOPIC_NAME_MAX + 32], text[TEXT] = "";
        enum answer all = YES;
        if (x->on >= 0 && broker != x->on) {
            continue;
        }
        snprintf(what, sizeof(what), "%s-%d-%d", t->l->partition.topic, t->l->partition.number,
                 broker);
        for (uint32_t p = 0; p < x->property_count; p++) {
            const struct have have = replica_has(&t->l->partition, broker, x->properties[p].name);
            const enum answer answer = compare(&x->properties[p], &have);
            if (answer != YES) {
                describe(&x->properties[p], &have, text, sizeof(text));
                all = all == NO || answer == NO ? NO : UNKNOWN;
            }
        }
        count_one(t, what, all, text);
    }
}

static void count_partition(struct tally *t, const struct sm_assignment *a)
{
    char what[SM_TOPIC_NAME_MAX + 16], text[TEXT] = "";
    enum answer all = YES;
    const struct sim_expect *x = t->l->x;
    for (uint32_t p = 0; p < x->property_count; p++) {
        const struct have have = partition_has(&t->l->partition, x->properties[p].name);
        const enum answer answer = compare(&x->properties[p], &have);
        if (answer != YES) {
            describe(&x->properties[p], &have, text, sizeof(text));
            all = all == NO || answer == NO ? NO : UNKNOWN;
        }
    }
    (void)a;
    snprintf(what, sizeof(what), "%s-%d", t->l->partition.topic, t->l->partition.number);
    count_one(t, what, all, text);
}

static void count_topic(struct tally *t, const char *topic)
{
    struct sm_topic_reader reader;
    struct sm_assignment a;
    int32_t number;
    struct partition *p = &t->l->partition;
    if (!open_topic(t->l->view, topic, &reader)) {
        return;
    }
    while (sm_topic_next(&reader, &number, &a)) {
        p->topic = topic;
        p->number = number;
        p->has_state = read_state(t->l->view, topic, number, &p->li);
        p->has_assignment = true;
        p->assignment = a;
        if (t->l->x->selection == SIM_PARTITIONS) {
            count_partition(t, &a);
        } else {
            count_replicas(t, &a);
        }
    }
}

/* Topics in name order: children of /brokers/topics, found by walking the tree's paths. */
static void count_all_topics(struct tally *t)
{
    char path[SM_PATH_MAX], topic[SM_TOPIC_NAME_MAX + 1];
    const char *next = kz_server_next_path(t->l->view->zookeeper, NULL, path, sizeof(path));
    while (next != NULL) {
        if (sm_path_is_topic(next, topic)) {
            count_topic(t, topic);
        }
        next = kz_server_next_path(t->l->view->zookeeper, next, path, sizeof(path));
    }
}

static enum answer each(const struct sim_expect *x, const struct sim_view *view, char *actual,
                        size_t capacity)
{
    struct looker l = {
        .x = x, .view = view, .partition = {.view = view, .controller = active_controller(view)}};
    char first[TEXT] = "";
    struct tally t = {.l = &l, .actual = first, .capacity = sizeof(first)};
    if (x->topic != NULL) {
        count_topic(&t, x->topic);
    } else {
        count_all_topics(&t);
    }
    if (t.unknown > 0) {
        append(actual, capacity, "unknown (no active controller)");
        return UNKNOWN;
    }
    switch (x->quantifier) {
    case SIM_ALL:
        append(actual, capacity, t.no > 1 ? "%s, and %" PRId64 " more" : "%s", first, t.no - 1);
        return t.no == 0 ? YES : NO;
    case SIM_ANY:
        append(actual, capacity, "none of %" PRId64, t.yes + t.no);
        return t.yes > 0 ? YES : NO;
    case SIM_COUNT:
        append(actual, capacity, "%" PRId64, t.yes);
        return sim_compare_numbers(x->op, t.yes, x->number) ? YES : NO;
    }
    assert(false);
    return NO;
}

static enum answer check_is(const struct sim_expect *x, const struct sim_view *view, char *actual,
                            size_t capacity)
{
    if (view->checked == NULL) {
        append(actual, capacity, "nothing is checked in this run");
        return UNKNOWN;
    }
    return sim_check_answer(view->checked, x->check, actual, capacity) ? YES : NO;
}

/* That a check is violated is known when it is; that it is not, when the run is over. */
static bool is_to_be_violated(const struct sim_expect *x)
{
    return x->subject == SIM_SUBJECT_CHECK && x->check < SIM_CHECK_END && x->modality == SIM_NEVER;
}

static enum answer evaluate(const struct sim_expect *x, const struct sim_view *view, char *actual,
                            size_t capacity)
{
    actual[0] = '\0';
    switch (x->subject) {
    case SIM_SUBJECT_CONTROLLER:
        return controller_is(x, view, actual, capacity);
    case SIM_SUBJECT_METRIC:
        return metric_is(x, view, actual, capacity);
    case SIM_SUBJECT_EACH:
        return each(x, view, actual, capacity);
    case SIM_SUBJECT_PARTITION:
    case SIM_SUBJECT_REPLICA:
    case SIM_SUBJECT_BROKER:
    case SIM_SUBJECT_TOPIC:
    case SIM_SUBJECT_CLIENT:
    case SIM_SUBJECT_ZNODE:
        return single(x, view, actual, capacity);
    case SIM_SUBJECT_CHECK:
        return check_is(x, view, actual, capacity);
    case SIM_SUBJECT_PATTERN:
        break;
    }
    assert(false);
    return NO;
}

static void write_expected(const struct sim_expect *x, char *out, size_t capacity)
{
    out[0] = '\0';
    if (x->subject == SIM_SUBJECT_METRIC ||
        (x->subject == SIM_SUBJECT_EACH && x->quantifier == SIM_COUNT)) {
        append(out, capacity, "%s%" PRId64, op_texts[x->op], x->number);
        return;
    }
    if (x->subject == SIM_SUBJECT_CONTROLLER && x->node == -1) {
        append(out, capacity, "no controller is active");
    } else if (x->subject == SIM_SUBJECT_CONTROLLER && x->node == -2) {
        append(out, capacity, "a controller is active");
    } else if (x->subject == SIM_SUBJECT_CONTROLLER) {
        append(out, capacity, "%d is the controller", x->node);
    } else if (x->subject == SIM_SUBJECT_CHECK) {
        append(out, capacity, x->check < SIM_CHECK_END ? "it holds" : "seen at least once");
    } else if (x->property_count == 0 && x->subject != SIM_SUBJECT_PATTERN) {
        append(out, capacity, x->absent ? "absent" : "present");
    }
    for (uint32_t i = 0; i < x->property_count; i++) {
        describe_wanted(&x->properties[i], out, capacity);
    }
}

/* ---- judging ---- */

struct sim_expectations *sim_expect_new(const struct sim_scenario *scenario)
{
    struct sim_expectations *e = calloc(1, sizeof(*e));
    if (e == NULL) {
        abort();
    }
    e->scenario = scenario;
    e->entries = calloc(scenario->expect_count + 1, sizeof(*e->entries));
    if (e->entries == NULL) {
        abort();
    }
    for (uint32_t i = 0; i < scenario->expect_count; i++) {
        e->entries[i].open = true;
        e->entries[i].after_seen = !scenario->expect[i].has_after;
    }
    return e;
}

void sim_expect_free(struct sim_expectations *e)
{
    if (e != NULL) {
        free(e->entries);
        free(e);
    }
}

static void decide(struct entry *entry, enum sim_outcome outcome, int64_t t_us, uint64_t record)
{
    assert(entry->open);
    entry->open = false;
    entry->judgement.outcome = outcome;
    entry->judgement.t_us = t_us;
    entry->judgement.record = record;
}

/* A record decides only patterns. */
static void judge_record(const struct sim_expect *x, struct entry *entry,
                         const struct sim_trace *trace, const struct sim_record *record)
{
    if (!entry->after_seen) {
        entry->after_seen = sim_pattern_match(&x->after, trace, record);
        return; /* what comes behind it counts, not the record itself */
    }
    if (x->subject != SIM_SUBJECT_PATTERN || (x->modality == SIM_BY && record->t > x->time_us) ||
        !sim_pattern_match(&x->pattern, trace, record) || ++entry->matches < x->pattern.nth) {
        return;
    }
    snprintf(entry->judgement.actual, TEXT, "record %" PRIu64 " matches", record->n);
    snprintf(entry->judgement.expected, TEXT, "no such record");
    decide(entry, x->modality == SIM_NEVER ? SIM_FAILED : SIM_MET, record->t, record->n);
}

void sim_expect_record(struct sim_expectations *e, const struct sim_trace *trace,
                       const struct sim_record *record)
{
    for (uint32_t i = 0; i < e->scenario->expect_count; i++) {
        const struct sim_expect *x = &e->scenario->expect[i];
        struct entry *entry = &e->entries[i];
        if (entry->open && (x->subject == SIM_SUBJECT_PATTERN || !entry->after_seen)) {
            judge_record(x, entry, trace, record);
        }
    }
}

static void fail(const struct sim_expect *x, struct entry *entry, const char *actual, int64_t t_us,
                 uint64_t record)
{
    if (x->modality == SIM_NEVER) {
        snprintf(entry->judgement.expected, TEXT, "never so");
        snprintf(entry->judgement.actual, TEXT, "it was so");
    } else {
        write_expected(x, entry->judgement.expected, TEXT);
        snprintf(entry->judgement.actual, TEXT, "%s", actual);
    }
    decide(entry, SIM_FAILED, t_us, record);
}

static void judge_moment(const struct sim_expect *x, struct entry *entry, int64_t now_us,
                         uint64_t last, const struct sim_view *view, bool quiet_end)
{
    char actual[TEXT];
    const bool due =
        (x->modality == SIM_BY || x->modality == SIM_AT) && (now_us >= x->time_us || quiet_end);
    if (is_to_be_violated(x) || x->modality == SIM_END || ((x->modality == SIM_BY || x->modality == SIM_AT) && !due)) {
        return;
    }
    const enum answer answer = evaluate(x, view, actual, TEXT);
    switch (x->modality) {
    case SIM_ALWAYS:
        entry->held = entry->held || answer == YES;
        /* It counts from the first moment at which it can hold. */
        if (answer == NO && entry->held) {
            fail(x, entry, actual, now_us, last);
        }
        break;
    case SIM_NEVER:
        if (answer == YES) {
            fail(x, entry, actual, now_us, last);
        }
        break;
    case SIM_SOMETIMES:
        if (answer == YES) {
            decide(entry, SIM_MET, now_us, last);
        }
        break;
    case SIM_BY:
    case SIM_AT:
        if (answer == YES) {
            decide(entry, SIM_MET, now_us, last);
        } else {
            fail(x, entry, actual, now_us, last);
        }
        break;
    case SIM_END:
        break;
    }
}

void sim_expect_moment(struct sim_expectations *e, int64_t now_us, uint64_t last,
                       const struct sim_view *view)
{
    for (uint32_t i = 0; i < e->scenario->expect_count; i++) {
        const struct sim_expect *x = &e->scenario->expect[i];
        struct entry *entry = &e->entries[i];
        if (entry->open && x->subject != SIM_SUBJECT_PATTERN && entry->after_seen) {
            judge_moment(x, entry, now_us, last, view, false);
        }
    }
}

int64_t sim_expect_next(const struct sim_expectations *e, int64_t now_us)
{
    int64_t next = SIM_FOREVER;
    for (uint32_t i = 0; i < e->scenario->expect_count; i++) {
        const struct sim_expect *x = &e->scenario->expect[i];
        const bool timed = x->modality == SIM_BY || x->modality == SIM_AT;
        if (e->entries[i].open && timed && x->subject != SIM_SUBJECT_PATTERN &&
            x->time_us >= now_us && x->time_us < next) {
            next = x->time_us;
        }
    }
    return next;
}

/* ---- the end ---- */

static void undecided(struct entry *entry, int64_t now_us, const char *why)
{
    snprintf(entry->judgement.expected, TEXT, "a run that gets so far");
    snprintf(entry->judgement.actual, TEXT, "%s", why);
    decide(entry, SIM_UNDECIDED, now_us, 0);
}

static void end_pattern(const struct sim_expect *x, struct entry *entry, int64_t now_us,
                        enum sim_ending ending)
{
    if (x->modality == SIM_NEVER) {
        decide(entry, SIM_MET, now_us, 0);
        return;
    }
    const bool cut = ending == SIM_ENDED_INTERRUPTED || ending == SIM_ENDED_AT_HORIZON;
    if (cut || (x->modality == SIM_BY && ending == SIM_ENDED_AT_UNTIL && now_us < x->time_us)) {
        undecided(entry, now_us, "the run was cut off before it");
        return;
    }
    snprintf(entry->judgement.expected, TEXT,
             x->pattern.nth > 1 ? "such records" : "such a record");
    if (x->pattern.nth > 1) {
        snprintf(entry->judgement.actual, TEXT, "%u of %u came", entry->matches, x->pattern.nth);
    } else {
        snprintf(entry->judgement.actual, TEXT, "none came");
    }
    decide(entry, SIM_FAILED, now_us, 0);
}

static void end_statement(const struct sim_expect *x, struct entry *entry, int64_t now_us,
                          uint64_t last, const struct sim_view *view, enum sim_ending ending)
{
    char actual[TEXT];
    const bool cut = ending == SIM_ENDED_INTERRUPTED;
    switch (x->modality) {
    case SIM_ALWAYS:
        if (entry->held) {
            decide(entry, SIM_MET, now_us, last);
        } else {
            evaluate(x, view, actual, TEXT);
            fail(x, entry, actual, now_us, last);
        }
        break;
    case SIM_NEVER:
        if (is_to_be_violated(x) && evaluate(x, view, actual, TEXT) != NO) {
            snprintf(entry->judgement.expected, TEXT, "a violation of it");
            snprintf(entry->judgement.actual, TEXT, "it held to the end");
            decide(entry, SIM_FAILED, now_us, last);
        } else {
            decide(entry, SIM_MET, now_us, last);
        }
        break;
    case SIM_SOMETIMES:
        if (cut || ending == SIM_ENDED_AT_HORIZON) {
            undecided(entry, now_us, "the run was cut off before it was so");
        } else {
            evaluate(x, view, actual, TEXT);
            fail(x, entry, actual, now_us, last);
        }
        break;
    case SIM_BY:
    case SIM_AT:
        if (ending == SIM_ENDED_QUIET || now_us >= x->time_us) {
            judge_moment(x, entry, now_us, last, view, true);
        } else {
            undecided(entry, now_us, "the run ended before this time");
        }
        break;
    case SIM_END:
        if (cut) {
            undecided(entry, now_us, "the run was interrupted");
        } else if (evaluate(x, view, actual, TEXT) == YES) {
            decide(entry, SIM_MET, now_us, last);
        } else {
            fail(x, entry, actual, now_us, last);
        }
        break;
    }
}

void sim_expect_end(struct sim_expectations *e, int64_t now_us, uint64_t last,
                    const struct sim_view *view, enum sim_ending ending)
{
    for (uint32_t i = 0; i < e->scenario->expect_count; i++) {
        const struct sim_expect *x = &e->scenario->expect[i];
        struct entry *entry = &e->entries[i];
        if (!entry->open) {
            continue;
        }
        if (!entry->after_seen && x->modality != SIM_NEVER) {
            undecided(entry, now_us, "the record of `after` never came");
        } else if (x->subject == SIM_SUBJECT_PATTERN) {
            end_pattern(x, entry, now_us, ending);
        } else {
            end_statement(x, entry, now_us, last, view, ending);
        }
    }
}

const struct sim_judgement *sim_expect_judgement(const struct sim_expectations *e, uint32_t index)
{
    assert(index < e->scenario->expect_count);
    return &e->entries[index].judgement;
}
