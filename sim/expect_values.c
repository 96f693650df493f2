/*
 * What subjects of expectations have: partition, replica, controller, broker, topic, znode, client.
 *
 *     subject, name of a property ─► struct sim_expect_have: a number, a text, a list, or nothing
 *                                     └─ compared with what is wanted, or put into words
 *
 * ZooKeeper is asked first; what a controller believes only where the property is one of belief,
 * and then it is the active one's, or unknown.
 */
#define _POSIX_C_SOURCE 200809L
#include "sim/expect_parts.h"

#include <assert.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/pattern.h"
#include "statemachine/partition_state.h"
#include "statemachine/replica_state.h"

/* ---- texts ---- */

const char *sim_expect_op_text(enum sim_op op)
{
    static const char *const texts[] = {"", "!= ", "< ", "<= ", "> ", ">= "};
    return texts[op];
}

static void append_list(char *out, size_t capacity, const struct sm_list *list)
{
    sim_text_append(out, capacity, "[");
    for (int32_t i = 0; i < list->count; i++) {
        sim_text_append(out, capacity, "%s%d", i == 0 ? "" : ", ", list->id[i]);
    }
    sim_text_append(out, capacity, "]");
}

/* ---- comparing ---- */

static struct sim_expect_have number_of(int64_t number)
{
    return (struct sim_expect_have){.kind = SIM_HAVE_NUMBER, .number = number};
}

static struct sim_expect_have text_of(const char *text)
{
    return (struct sim_expect_have){.kind = SIM_HAVE_TEXT, .text = text};
}

static struct sim_expect_have flag_of(bool flag)
{
    return text_of(flag ? "true" : "false");
}

static struct sim_expect_have list_of(const struct sm_list *list)
{
    return (struct sim_expect_have){.kind = SIM_HAVE_LIST, .list = *list};
}

enum sim_answer sim_expect_compare(const struct sim_property *want,
                                   const struct sim_expect_have *have)
{
    bool equal = false;
    switch (have->kind) {
    case SIM_HAVE_UNKNOWN:
        return SIM_UNKNOWN;
    case SIM_HAVE_NUMBER:
        if (strcmp(want->name, "leader") == 0 && strcmp(want->text, "none") == 0) {
            return sim_compare_numbers(want->op, have->number, SM_NO_LEADER) ? SIM_YES : SIM_NO;
        }
        if (want->is_number) {
            return sim_compare_numbers(want->op, have->number, want->number) ? SIM_YES : SIM_NO;
        }
        break;
    case SIM_HAVE_TEXT:
        if (want->is_number && want->op != SIM_OP_EQ && want->op != SIM_OP_NE) {
            char *end;
            const int64_t number = strtoll(have->text, &end, 10);
            return end != have->text && *end == '\0' &&
                           sim_compare_numbers(want->op, number, want->number)
                       ? SIM_YES
                       : SIM_NO;
        }
        equal = strpbrk(want->text, "*?") != NULL ? fnmatch(want->text, have->text, 0) == 0
                                                  : strcmp(want->text, have->text) == 0;
        break;
    case SIM_HAVE_LIST:
        equal = want->is_list && sm_list_equal(&want->list, &have->list);
        break;
    case SIM_HAVE_NOTHING:
        break;
    }
    return (want->op == SIM_OP_NE) != equal ? SIM_YES : SIM_NO;
}

void sim_expect_describe(const struct sim_property *want, const struct sim_expect_have *have,
                         char *out, size_t capacity)
{
    sim_text_append(out, capacity, "%s%s ", out[0] == '\0' ? "" : ", ", want->name);
    switch (have->kind) {
    case SIM_HAVE_UNKNOWN:
        sim_text_append(out, capacity, "unknown (no active controller)");
        break;
    case SIM_HAVE_NUMBER:
        if (strcmp(want->name, "leader") == 0 && have->number == SM_NO_LEADER) {
            sim_text_append(out, capacity, "none");
        } else {
            sim_text_append(out, capacity, "%" PRId64, have->number);
        }
        break;
    case SIM_HAVE_TEXT:
        sim_text_append(out, capacity, "%s", have->text);
        break;
    case SIM_HAVE_LIST:
        append_list(out, capacity, &have->list);
        break;
    case SIM_HAVE_NOTHING:
        sim_text_append(out, capacity, "absent");
        break;
    }
}

void sim_expect_describe_wanted(const struct sim_property *want, char *out, size_t capacity)
{
    sim_text_append(out, capacity, "%s%s %s", out[0] == '\0' ? "" : ", ", want->name,
                    sim_expect_op_text(want->op));
    if (want->is_list) {
        append_list(out, capacity, &want->list);
    } else {
        sim_text_append(out, capacity, "%s", want->text);
    }
}

/* ---- looking ---- */

const struct kc_controller *sim_expect_controller(const struct sim_view *view)
{
    const int32_t id = view->active(view->context);
    return id < 0 ? NULL : view->controller(view->context, id);
}

bool sim_expect_get(const struct sim_view *view, const char *path, struct wire_zk_stat *stat,
                    const uint8_t **data, uint32_t *size)
{
    bool has_data;
    return kz_server_get(view->zookeeper, path, stat, data, size, &has_data);
}

bool sim_expect_state(const struct sim_view *view, const char *topic, int32_t partition,
                      struct sm_leader_and_isr *li)
{
    char path[SM_PATH_MAX];
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    sm_path_partition_state(path, topic, partition);
    return sim_expect_get(view, path, &stat, &data, &size) &&
           sm_znode_decode_state((const char *)data, size, stat.version, li) == SM_ERR_OK;
}

bool sim_expect_open_topic(const struct sim_view *view, const char *topic,
                           struct sm_topic_reader *reader)
{
    char path[SM_PATH_MAX];
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    sm_path_topic(path, topic);
    return sim_expect_get(view, path, &stat, &data, &size) &&
           sm_topic_open(reader, (const char *)data, size) == SM_ERR_OK;
}

static bool read_assignment(const struct sim_view *view, const char *topic, int32_t partition,
                            struct sm_assignment *a)
{
    struct sm_topic_reader reader;
    struct sm_assignment each;
    int32_t number;
    bool found = false;
    if (!sim_expect_open_topic(view, topic, &reader)) {
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

struct sim_expect_have sim_expect_partition_has(const struct sim_expect_partition *p,
                                                const char *name)
{
    const struct sim_expect_have unknown = {.kind = SIM_HAVE_UNKNOWN},
                                 nothing = {.kind = SIM_HAVE_NOTHING};
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

struct sim_expect_have sim_expect_replica_has(const struct sim_expect_partition *p, int32_t broker,
                                              const char *name)
{
    if (strcmp(name, "in-sync") == 0) {
        return flag_of(p->has_state && sm_list_has(&p->li.isr, broker));
    }
    assert(strcmp(name, "state") == 0);
    if (p->controller == NULL) {
        return (struct sim_expect_have){.kind = SIM_HAVE_UNKNOWN};
    }
    return text_of(
        sm_replica_state_name(kc_replica_state(p->controller, p->topic, p->number, broker)));
}

void sim_expect_look(struct sim_expect_partition *p, bool with_assignment)
{
    p->has_state = sim_expect_state(p->view, p->topic, p->number, &p->li);
    p->has_assignment =
        with_assignment && read_assignment(p->view, p->topic, p->number, &p->assignment);
}

bool sim_expect_asks_assignment(const struct sim_expect *x)
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

struct sim_expect_have sim_expect_controller_has(const struct sim_view *view, int32_t node,
                                                 const char *name)
{
    const struct kc_controller *c = view->controller(view->context, node);
    if (c == NULL) {
        return (struct sim_expect_have){.kind = SIM_HAVE_NOTHING};
    }
    return number_of(strcmp(name, "epoch") == 0 ? kc_controller_epoch(c)
                                                : kc_controller_epoch_zk_version(c));
}

struct sim_expect_have sim_expect_broker_has(const struct sim_view *view, int32_t id,
                                             const char *name)
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
        return flag_of(sim_expect_get(view, path, &stat, &data, &size));
    }
    const struct kc_controller *c = sim_expect_controller(view);
    return c == NULL ? (struct sim_expect_have){.kind = SIM_HAVE_UNKNOWN}
                     : flag_of(kc_broker_is_live(c, id));
}

struct sim_expect_have sim_expect_topic_has(const struct sim_view *view, const char *topic,
                                            const char *name)
{
    if (strcmp(name, "deletion") == 0) {
        const struct kc_controller *c = sim_expect_controller(view);
        const uint32_t bits = c == NULL ? 0 : kc_topic_deletion(c, topic);
        return c == NULL          ? (struct sim_expect_have){.kind = SIM_HAVE_UNKNOWN}
               : (bits & 4u) != 0 ? text_of("ineligible")
               : (bits & 2u) != 0 ? text_of("started")
               : (bits & 1u) != 0 ? text_of("queued")
                                  : text_of("none");
    }
    struct sm_topic_reader reader;
    struct sm_assignment a;
    int32_t number, count = 0;
    if (!sim_expect_open_topic(view, topic, &reader)) {
        return (struct sim_expect_have){.kind = SIM_HAVE_NOTHING};
    }
    while (sm_topic_next(&reader, &number, &a)) {
        count++;
    }
    return number_of(count);
}

/* A field of a znode's JSON, as text: numbers and strings as they are, lists of ids as a list. */
static struct sim_expect_have json_field(const uint8_t *data, uint32_t size, const char *name,
                                         char *text, size_t capacity)
{
    json_t *root =
        data == NULL ? NULL : json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
    const json_t *value = json_object_get(root, name);
    struct sim_expect_have have = {.kind = SIM_HAVE_NOTHING};
    if (json_is_integer(value)) {
        have = number_of(json_integer_value(value));
    } else if (json_is_string(value)) {
        snprintf(text, capacity, "%s", json_string_value(value));
        have = text_of(text);
    } else if (json_is_boolean(value)) {
        have = flag_of(json_is_true(value));
    } else if (json_is_array(value) && json_array_size(value) <= SM_REPLICAS_MAX) {
        have.kind = SIM_HAVE_LIST;
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

struct sim_expect_have sim_expect_znode_has(const struct sim_view *view, const char *path,
                                            const char *name, char *text, size_t capacity)
{
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    if (!sim_expect_get(view, path, &stat, &data, &size)) {
        return (struct sim_expect_have){.kind = SIM_HAVE_NOTHING};
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
struct sim_expect_have sim_expect_clients_have(const struct sim_view *view,
                                               const struct sim_expect *x, const char *name)
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
