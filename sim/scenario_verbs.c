/*
 * What stands behind a verb: partitions, reassignments, channels, groups.
 *
 *     T-P | [T-P…] | {T-P: [ids]} | Kafka's JSON, inline or in a file ─► struct sim_partition_arg[]
 *     {from, to, api, nth}                                            ─► struct sim_channel
 *
 * Kafka's JSON for elections and reassignments is read as it is: JSON is YAML. What stands in a
 * file is told with that file's name and place.
 */
#include <string.h>

#include "sim/scenario_steps.h"

/* ---- values of verbs ---- */

static bool add_partition_arg(struct sim_reader *r, const struct sim_yaml *node, const char *text,
                              const struct sim_yaml *replicas, struct sim_step *out)
{
    struct sim_partition_arg arg = {.place = node->place};
    if (!sim_read_partition(r, node, text, &arg.topic, &arg.partition)) {
        return false;
    }
    if (replicas != NULL) {
        arg.has_replicas = true;
        if (!sim_read_ids(r, replicas, "replicas", &arg.replicas)) {
            return false;
        }
    }
    out->partitions =
        sim_memory_grow(r->memory, out->partitions, sizeof(arg), out->partition_arg_count);
    out->partitions[out->partition_arg_count++] = arg;
    return true;
}

/* {"topic": "t", "partition": 0, "replicas": [1, 2]}: one of Kafka's JSON */
static bool read_json_partition(struct sim_reader *r, const struct sim_yaml *node,
                                bool with_replicas, struct sim_step *out)
{
    const struct sim_yaml *topic = sim_yaml_get(node, "topic");
    const struct sim_yaml *partition = sim_yaml_get(node, "partition");
    const struct sim_yaml *replicas = sim_yaml_get(node, "replicas");
    if (topic == NULL || partition == NULL || (with_replicas && replicas == NULL)) {
        return sim_error(r->d, node->place, "a partition in Kafka's JSON has topic, partition%s",
                         with_replicas ? " and replicas" : "");
    }
    for (uint32_t i = 0; i < node->count; i++) {
        const char *key = node->keys[i]->text;
        const bool ignored = with_replicas && strcmp(key, "log_dirs") == 0;
        if (ignored) {
            sim_warning(r->d, node->keys[i]->place,
                        "log_dirs is not modelled; it has no effect here");
        } else if (strcmp(key, "topic") != 0 && strcmp(key, "partition") != 0 &&
                   !(with_replicas && strcmp(key, "replicas") == 0)) {
            return sim_error(r->d, node->keys[i]->place, "Kafka's JSON has no '%s' here", key);
        }
    }
    if (!sim_read_is_scalar(r, topic, "topic") || !sim_read_is_scalar(r, partition, "partition")) {
        return false;
    }
    const char *text = sim_memory_format(r->memory, "%s-%s", topic->text, partition->text);
    return add_partition_arg(r, topic, text, with_replicas ? replicas : NULL, out);
}

static bool read_json(struct sim_reader *r, const struct sim_yaml *node, bool with_replicas,
                      struct sim_step *out)
{
    const struct sim_yaml *list = sim_yaml_get(node, "partitions");
    bool good = true;
    if (list == NULL || list->kind != SIM_YAML_LIST) {
        sim_error(r->d, node->place,
                  "Kafka's JSON is {\"partitions\": [{\"topic\": …, \"partition\": …%s}]}",
                  with_replicas ? ", \"replicas\": […]" : "");
        return false;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        if (strcmp(node->keys[i]->text, "partitions") != 0 &&
            strcmp(node->keys[i]->text, "version") != 0) {
            good = sim_error(r->d, node->keys[i]->place, "Kafka's JSON has no '%s' here",
                             node->keys[i]->text);
        }
    }
    for (uint32_t i = 0; i < list->count; i++) {
        good = read_json_partition(r, list->items[i], with_replicas, out) && good;
    }
    return good;
}

/* Kafka's JSON out of a file: YAML's flow style contains it. */
static bool read_json_file(struct sim_reader *r, const struct sim_yaml *node, bool with_replicas,
                           struct sim_step *out)
{
    char *name;
    size_t size;
    char *text = sim_read_file(r, node->text, node->place, SIM_YAML_SIZE_MAX, &name, &size);
    if (text == NULL) {
        return false;
    }
    sim_diagnostics_source(r->d, name, text, size);
    const struct sim_yaml *root = sim_yaml_parse(r->memory, text, size, r->d);
    const bool good = root != NULL && read_json(r, root, with_replicas, out);
    sim_diagnostics_source(r->d, r->s->file, r->s->text, r->s->text_size);
    return good;
}

static bool is_file_name(const char *text)
{
    const size_t size = strlen(text);
    return size > 5 && strcmp(text + size - 5, ".json") == 0;
}

bool sim_step_read_partitions(struct sim_reader *r, const struct sim_yaml *node,
                              struct sim_step *out)
{
    bool good = true;
    if (node->kind == SIM_YAML_SCALAR) {
        return sim_read_is_scalar(r, node, "a partition") &&
               add_partition_arg(r, node, node->text, NULL, out);
    }
    if (node->kind == SIM_YAML_MAP || node->count == 0) {
        return sim_error(r->d, node->place, "partitions are listed like [orders-0, orders-1]");
    }
    for (uint32_t i = 0; i < node->count; i++) {
        good = sim_read_is_scalar(r, node->items[i], "a partition") &&
               add_partition_arg(r, node->items[i], node->items[i]->text, NULL, out) && good;
    }
    return good;
}

bool sim_step_read_elections(struct sim_reader *r, const struct sim_yaml *node,
                             struct sim_step *out)
{
    if (node->kind == SIM_YAML_MAP) {
        return read_json(r, node, false, out);
    }
    if (node->kind == SIM_YAML_SCALAR && strcmp(node->text, "all") == 0) {
        out->all_partitions = true;
        return true;
    }
    if (node->kind == SIM_YAML_SCALAR && is_file_name(node->text)) {
        return read_json_file(r, node, false, out);
    }
    return sim_step_read_partitions(r, node, out);
}

/* {T-P: [ids], …} */
bool sim_step_read_partition_map(struct sim_reader *r, const struct sim_yaml *node,
                                 const char *what, struct sim_step *out)
{
    bool good = true;
    if (node->kind != SIM_YAML_MAP || node->count == 0) {
        return sim_error(r->d, node->place, "%s is a mapping like {orders-0: [1, 2]}", what);
    }
    for (uint32_t i = 0; i < node->count; i++) {
        good =
            add_partition_arg(r, node->keys[i], node->keys[i]->text, node->items[i], out) && good;
    }
    return good;
}

bool sim_step_read_reassignment(struct sim_reader *r, const struct sim_yaml *node,
                                struct sim_step *out)
{
    if (node->kind == SIM_YAML_SCALAR) {
        return sim_read_is_scalar(r, node, "reassign") && read_json_file(r, node, true, out);
    }
    if (sim_yaml_get(node, "partitions") != NULL) {
        return read_json(r, node, true, out);
    }
    return sim_step_read_partition_map(r, node, "a reassignment", out);
}

bool sim_step_read_topics(struct sim_reader *r, const struct sim_yaml *node, struct sim_step *out)
{
    const uint32_t count = node->kind == SIM_YAML_SCALAR ? 1 : node->count;
    bool good = node->kind != SIM_YAML_MAP && count > 0;
    if (!good) {
        return sim_error(r->d, node->place, "topics are named like orders, or [orders, clicks]");
    }
    out->topics = sim_memory_take(r->memory, count * sizeof(*out->topics));
    out->topic_count = count;
    for (uint32_t i = 0; i < count; i++) {
        const struct sim_yaml *item = node->kind == SIM_YAML_SCALAR ? node : node->items[i];
        good = sim_read_topic(r, item, &out->topics[i]) && good;
    }
    return good;
}

bool sim_step_read_channel(struct sim_reader *r, const struct sim_yaml *node,
                           struct sim_channel *out)
{
    const struct sim_yaml *value;
    int32_t nth = 0;
    *out = (struct sim_channel){.api = WIRE_API_NONE};
    bool good = sim_read_keys(r, node, SIM_SHAPE_CHANNEL, SIM_SHAPE_END);
    if (node->kind != SIM_YAML_MAP) {
        return false;
    }
    if ((value = sim_yaml_get(node, "from")) != NULL) {
        good = sim_read_target(r, value, true, &out->from) && good;
    }
    if ((value = sim_yaml_get(node, "to")) != NULL) {
        good = sim_read_target(r, value, true, &out->to) && good;
    }
    if ((value = sim_yaml_get(node, "api")) != NULL) {
        good = sim_read_api(r, value, &out->api) && good;
    }
    if ((value = sim_yaml_get(node, "nth")) != NULL) {
        good = sim_read_int32(r, value, "nth", 1, 1000000000, &nth) && good;
    }
    out->nth = (uint32_t)nth;
    return good;
}

bool sim_step_read_groups(struct sim_reader *r, const struct sim_yaml *node, struct sim_step *out)
{
    bool good = true;
    if (node->kind != SIM_YAML_LIST || node->count < 2) {
        sim_error(r->d, node->place, "partition takes two groups or more");
        sim_note(r->d, "write [[1, 2], [3]], or [controller, zookeeper]");
        return false;
    }
    out->groups = sim_memory_take(r->memory, node->count * sizeof(*out->groups));
    out->group_count = node->count;
    for (uint32_t i = 0; i < node->count; i++) {
        good = sim_read_target(r, node->items[i], true, &out->groups[i]) && good;
    }
    for (uint32_t i = 0; good && i < out->group_count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            for (uint32_t a = 0; a < out->groups[i].id_count; a++) {
                for (uint32_t b = 0; b < out->groups[j].id_count; b++) {
                    if (out->groups[i].ids[a] == out->groups[j].ids[b]) {
                        return sim_error(r->d, out->groups[i].place, "node %d is in two groups",
                                         out->groups[i].ids[a]);
                    }
                }
            }
        }
    }
    return good;
}

bool sim_step_read_release(struct sim_reader *r, const struct sim_yaml *node, struct sim_step *out)
{
    struct sim_yaml quoted = *node;
    if (!sim_read_is_scalar(r, node, "release")) {
        return false;
    }
    if (node->text[0] != '*') { /* a bare label will do: nothing else can be released */
        quoted.text = sim_memory_format(r->memory, "*%s", node->text);
        quoted.size++;
    }
    return sim_read_target(r, &quoted, false, &out->target);
}
