/*
 * Whether a statement holds at this moment.
 *
 *     one subject      every property as wanted, or present, absent
 *     all, any, count  every partition or replica that is selected, by the topic znodes
 *     metric, check    a number of the active controller; what the checks of the run say
 *
 * One property that cannot be said makes the whole unknown, unless another one is plainly wrong.
 */
#include "sim/expect_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "sim/metrics.h"
#include "sim/pattern.h"

/* ---- one subject with all its properties ---- */

struct looker {
    const struct sim_expect *x;
    const struct sim_view *view;
    struct sim_expect_partition partition;
    char text[4096];
};

static struct sim_expect_have look(struct looker *l, const char *name)
{
    const struct sim_expect *x = l->x;
    switch (x->subject) {
    case SIM_SUBJECT_PARTITION:
        return sim_expect_partition_has(&l->partition, name);
    case SIM_SUBJECT_REPLICA:
        return sim_expect_replica_has(&l->partition, x->node, name);
    case SIM_SUBJECT_CONTROLLER:
        return sim_expect_controller_has(
            l->view, x->node == -2 ? l->view->active(l->view->context) : x->node, name);
    case SIM_SUBJECT_BROKER:
        return sim_expect_broker_has(l->view, x->node, name);
    case SIM_SUBJECT_TOPIC:
        return sim_expect_topic_has(l->view, x->topic, name);
    case SIM_SUBJECT_CLIENT:
        return sim_expect_clients_have(l->view, x, name);
    case SIM_SUBJECT_ZNODE:
        return sim_expect_znode_has(l->view, x->path, name, l->text, sizeof(l->text));
    case SIM_SUBJECT_PATTERN:
    case SIM_SUBJECT_METRIC:
    case SIM_SUBJECT_CHECK:
    case SIM_SUBJECT_EACH:
        break;
    }
    assert(false);
    return (struct sim_expect_have){.kind = SIM_HAVE_NOTHING};
}

/* All properties of what `l` looks at; `actual` gets those that are not as wanted. */
static enum sim_answer all_hold(struct looker *l, char *actual, size_t capacity)
{
    enum sim_answer all = SIM_YES;
    for (uint32_t i = 0; i < l->x->property_count; i++) {
        const struct sim_property *want = &l->x->properties[i];
        const struct sim_expect_have have = look(l, want->name);
        const enum sim_answer answer = sim_expect_compare(want, &have);
        if (answer != SIM_YES) {
            sim_expect_describe(want, &have, actual, capacity);
            all = all == SIM_NO || answer == SIM_NO ? SIM_NO : SIM_UNKNOWN;
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
        return sim_expect_get(l->view, l->x->path, &stat, &data, &size);
    case SIM_SUBJECT_TOPIC:
        sm_path_topic(path, l->x->topic);
        return sim_expect_get(l->view, path, &stat, &data, &size);
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

static enum sim_answer single(const struct sim_expect *x, const struct sim_view *view, char *actual,
                              size_t capacity)
{
    struct looker l = {.x = x,
                       .view = view,
                       .partition = {.view = view,
                                     .controller = sim_expect_controller(view),
                                     .topic = x->topic,
                                     .number = x->partition}};
    if (x->subject == SIM_SUBJECT_PARTITION || x->subject == SIM_SUBJECT_REPLICA) {
        sim_expect_look(&l.partition, x->property_count == 0 || sim_expect_asks_assignment(x));
    }
    if (x->property_count == 0 && x->subject != SIM_SUBJECT_CONTROLLER) {
        const bool there = exists(&l);
        sim_text_append(actual, capacity, there ? "present" : "absent");
        return there != x->absent ? SIM_YES : SIM_NO;
    }
    return all_hold(&l, actual, capacity);
}

static enum sim_answer controller_is(const struct sim_expect *x, const struct sim_view *view,
                                     char *actual, size_t capacity)
{
    const int32_t active = view->active(view->context);
    const bool right = x->node == -2 ? active >= 0 : active == x->node;
    if (!right) {
        if (active < 0) {
            sim_text_append(actual, capacity, "no controller is active");
        } else {
            sim_text_append(actual, capacity, "%d is the controller", active);
        }
        return SIM_NO;
    }
    return x->property_count == 0 ? SIM_YES : single(x, view, actual, capacity);
}

static enum sim_answer metric_is(const struct sim_expect *x, const struct sim_view *view,
                                 char *actual, size_t capacity)
{
    const struct kc_controller *c = sim_expect_controller(view);
    if (c == NULL) {
        sim_text_append(actual, capacity, "unknown (no active controller)");
        return SIM_UNKNOWN;
    }
    const struct kc_metrics metrics = kc_controller_metrics(c);
    const int64_t value = sim_metric(&metrics, x->metric);
    sim_text_append(actual, capacity, "%" PRId64, value);
    return sim_compare_numbers(x->op, value, x->number) ? SIM_YES : SIM_NO;
}

/* ---- selections ---- */

struct tally {
    struct looker *l;
    int64_t yes, no, unknown;
    char *actual; /* the first that is not as wanted, or (any) nothing */
    size_t capacity;
};

static void count_one(struct tally *t, const char *what, enum sim_answer answer, const char *text)
{
    if (answer == SIM_NO && t->no == 0) {
        sim_text_append(t->actual, t->capacity, "%s: %s", what, text);
    }
    t->yes += answer == SIM_YES;
    t->no += answer == SIM_NO;
    t->unknown += answer == SIM_UNKNOWN;
}

static void count_replicas(struct tally *t, const struct sm_assignment *a)
{
    const struct sim_expect *x = t->l->x;
    for (int32_t i = 0; i < a->replicas.count; i++) {
        const int32_t broker = a->replicas.id[i];
        char what[SM_TOPIC_NAME_MAX + 32], text[SIM_EXPECT_TEXT] = "";
        enum sim_answer all = SIM_YES;
        if (x->on >= 0 && broker != x->on) {
            continue;
        }
        snprintf(what, sizeof(what), "%s-%d-%d", t->l->partition.topic, t->l->partition.number,
                 broker);
        for (uint32_t p = 0; p < x->property_count; p++) {
            const struct sim_expect_have have =
                sim_expect_replica_has(&t->l->partition, broker, x->properties[p].name);
            const enum sim_answer answer = sim_expect_compare(&x->properties[p], &have);
            if (answer != SIM_YES) {
                sim_expect_describe(&x->properties[p], &have, text, sizeof(text));
                all = all == SIM_NO || answer == SIM_NO ? SIM_NO : SIM_UNKNOWN;
            }
        }
        count_one(t, what, all, text);
    }
}

static void count_partition(struct tally *t, const struct sm_assignment *a)
{
    char what[SM_TOPIC_NAME_MAX + 16], text[SIM_EXPECT_TEXT] = "";
    enum sim_answer all = SIM_YES;
    const struct sim_expect *x = t->l->x;
    for (uint32_t p = 0; p < x->property_count; p++) {
        const struct sim_expect_have have =
            sim_expect_partition_has(&t->l->partition, x->properties[p].name);
        const enum sim_answer answer = sim_expect_compare(&x->properties[p], &have);
        if (answer != SIM_YES) {
            sim_expect_describe(&x->properties[p], &have, text, sizeof(text));
            all = all == SIM_NO || answer == SIM_NO ? SIM_NO : SIM_UNKNOWN;
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
    struct sim_expect_partition *p = &t->l->partition;
    if (!sim_expect_open_topic(t->l->view, topic, &reader)) {
        return;
    }
    while (sm_topic_next(&reader, &number, &a)) {
        p->topic = topic;
        p->number = number;
        p->has_state = sim_expect_state(t->l->view, topic, number, &p->li);
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

static enum sim_answer each(const struct sim_expect *x, const struct sim_view *view, char *actual,
                            size_t capacity)
{
    struct looker l = {.x = x,
                       .view = view,
                       .partition = {.view = view, .controller = sim_expect_controller(view)}};
    char first[SIM_EXPECT_TEXT] = "";
    struct tally t = {.l = &l, .actual = first, .capacity = sizeof(first)};
    if (x->topic != NULL) {
        count_topic(&t, x->topic);
    } else {
        count_all_topics(&t);
    }
    if (t.unknown > 0) {
        sim_text_append(actual, capacity, "unknown (no active controller)");
        return SIM_UNKNOWN;
    }
    switch (x->quantifier) {
    case SIM_ALL:
        sim_text_append(actual, capacity, t.no > 1 ? "%s, and %" PRId64 " more" : "%s", first,
                        t.no - 1);
        return t.no == 0 ? SIM_YES : SIM_NO;
    case SIM_ANY:
        sim_text_append(actual, capacity, "none of %" PRId64, t.yes + t.no);
        return t.yes > 0 ? SIM_YES : SIM_NO;
    case SIM_COUNT:
        sim_text_append(actual, capacity, "%" PRId64, t.yes);
        return sim_compare_numbers(x->op, t.yes, x->number) ? SIM_YES : SIM_NO;
    }
    assert(false);
    return SIM_NO;
}

static enum sim_answer check_is(const struct sim_expect *x, const struct sim_view *view,
                                char *actual, size_t capacity)
{
    if (view->checked == NULL) {
        sim_text_append(actual, capacity, "nothing is checked in this run");
        return SIM_UNKNOWN;
    }
    return sim_check_answer(view->checked, x->check, actual, capacity) ? SIM_YES : SIM_NO;
}

/* That a check is violated is known when it is; that it is not, when the run is over. */
bool sim_expect_is_violation(const struct sim_expect *x)
{
    return x->subject == SIM_SUBJECT_CHECK && x->check < SIM_CHECK_END && x->modality == SIM_NEVER;
}

enum sim_answer sim_expect_evaluate(const struct sim_expect *x, const struct sim_view *view,
                                    char *actual, size_t capacity)
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
    return SIM_NO;
}

void sim_expect_write(const struct sim_expect *x, char *out, size_t capacity)
{
    out[0] = '\0';
    if (x->subject == SIM_SUBJECT_METRIC ||
        (x->subject == SIM_SUBJECT_EACH && x->quantifier == SIM_COUNT)) {
        sim_text_append(out, capacity, "%s%" PRId64, sim_expect_op_text(x->op), x->number);
        return;
    }
    if (x->subject == SIM_SUBJECT_CONTROLLER && x->node == -1) {
        sim_text_append(out, capacity, "no controller is active");
    } else if (x->subject == SIM_SUBJECT_CONTROLLER && x->node == -2) {
        sim_text_append(out, capacity, "a controller is active");
    } else if (x->subject == SIM_SUBJECT_CONTROLLER) {
        sim_text_append(out, capacity, "%d is the controller", x->node);
    } else if (x->subject == SIM_SUBJECT_CHECK) {
        sim_text_append(out, capacity,
                        x->check < SIM_CHECK_END ? "it holds" : "seen at least once");
    } else if (x->property_count == 0 && x->subject != SIM_SUBJECT_PATTERN) {
        sim_text_append(out, capacity, x->absent ? "absent" : "present");
    }
    for (uint32_t i = 0; i < x->property_count; i++) {
        sim_expect_describe_wanted(&x->properties[i], out, capacity);
    }
}
