/*
 * Steps of a scenario: when, what, to whom.
 *
 * A step has one trigger (at, every, when, after), one verb, and arguments that the verb takes; the
 * table of the grammar says which. Kafka's JSON files for elections and reassignments are read as
 * they are, inline (JSON is YAML) or from a file.
 */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/scenario_read.h"
#include "statemachine/znode.h"

/* ---- names that steps make ---- */

static void know_created(struct sim_reader *r, const struct sim_yaml *step)
{
    const struct sim_yaml *created = sim_yaml_get(step, "create-topic");
    if (created != NULL && created->kind == SIM_YAML_SCALAR) {
        sim_know_topic(r, created->text, INT32_MAX);
    }
}

static void know_grown(struct sim_reader *r, const struct sim_yaml *step)
{
    const struct sim_yaml *grown = sim_yaml_get(step, "add-partitions");
    struct sim_known_topic *known =
        grown != NULL && grown->kind == SIM_YAML_SCALAR ? sim_known_topic(r, grown->text) : NULL;
    if (known != NULL) {
        known->partitions = INT32_MAX;
    }
}

static void know_label(struct sim_reader *r, const struct sim_yaml *step, uint32_t index)
{
    const struct sim_yaml *as = sim_yaml_get(step, "as");
    if (as == NULL || as->kind != SIM_YAML_SCALAR || as->size == 0) {
        return;
    }
    for (uint32_t i = 0; i < r->label_count && r->label_count <= 1000; i++) {
        if (strcmp(r->labels[i].name, as->text) == 0) {
            sim_error(r->d, as->place, "two steps have the label '%s'", as->text);
            sim_note(r->d, "the other is at line %u", r->labels[i].place.line);
            return;
        }
    }
    if (r->label_count == 1000) {
        sim_error(r->d, as->place, "more than 1000 labels");
        return;
    }
    r->labels = sim_memory_grow(r->memory, r->labels, sizeof(*r->labels), r->label_count);
    r->labels[r->label_count++] = (struct sim_known_label){as->text, index, as->place};
}

void sim_read_step_names(struct sim_reader *r, const struct sim_yaml *node)
{
    const uint32_t count = node != NULL && node->kind == SIM_YAML_LIST ? node->count : 0;
    for (uint32_t i = 0; i < count; i++) {
        know_label(r, node->items[i], i);
        know_grown(r, node->items[i]);
    }
    /* Looking names up needs them sorted, which adding one undoes: creating comes second. */
    for (uint32_t i = 0; i < count; i++) {
        know_created(r, node->items[i]);
    }
}

/* ---- triggers ---- */

static bool read_after(struct sim_reader *r, const struct sim_yaml *node, uint32_t index,
                       struct sim_step *out)
{
    char *text;
    if (!sim_read_text(r, node, "after", &text)) {
        return false;
    }
    const char *plus = strchr(text, '+');
    size_t size = plus == NULL ? strlen(text) : (size_t)(plus - text);
    while (size > 0 && text[size - 1] == ' ') {
        size--;
    }
    const char *label = sim_memory_copy(r->memory, text, size);
    const char **names = sim_memory_take(r->memory, (r->label_count + 1) * sizeof(*names));
    bool found = false;
    for (uint32_t i = 0; i < r->label_count; i++) {
        names[i] = r->labels[i].name;
        if (strcmp(names[i], label) == 0) {
            out->after = r->labels[i].step;
            found = true;
        }
    }
    if (!found) {
        sim_error(r->d, node->place, "no step has the label '%s'", label);
        sim_suggest(r->d, label, names);
        return false;
    }
    if (out->after == index) {
        return sim_error(r->d, node->place, "a step cannot wait for itself");
    }
    if (plus != NULL) {
        struct sim_yaml span = *node;
        span.text = sim_memory_copy(r->memory, plus + 1 + strspn(plus + 1, " "),
                                    strlen(plus + 1 + strspn(plus + 1, " ")));
        span.size = strlen(span.text);
        return sim_read_time(r, &span, "the time behind +", &out->at_us);
    }
    return true;
}

static bool read_every(struct sim_reader *r, const struct sim_yaml *step, struct sim_step *out)
{
    const struct sim_yaml *every = sim_yaml_get(step, "every");
    const struct sim_yaml *from = sim_yaml_get(step, "from"), *until = sim_yaml_get(step, "until");
    bool good = sim_read_time(r, every, "every", &out->every_us);
    if (good && out->every_us == 0) {
        good = sim_error(r->d, every->place, "a period of nothing");
    }
    out->at_us = out->every_us;
    out->until_us = SIM_FOREVER;
    if (from != NULL) {
        good = sim_read_time(r, from, "from", &out->at_us) && good;
    }
    if (until != NULL) {
        good = sim_read_time(r, until, "until", &out->until_us) && good;
    } else if (r->s->until_quiet) {
        good = sim_error(r->d, every->place,
                         "a step that repeats needs an end: until here, or for the whole");
    }
    if (good && out->until_us < out->at_us) {
        good = sim_error(r->d, until->place, "until lies before the first time");
    }
    sim_read_note_time(r, out->until_us);
    return good;
}

static bool read_trigger(struct sim_reader *r, const struct sim_yaml *step, uint32_t index,
                         struct sim_step *out)
{
    static const char *const triggers[] = {"at", "every", "when", "after"};
    const struct sim_yaml *value = NULL;
    uint32_t count = 0, which = 0;
    for (uint32_t i = 0; i < 4; i++) {
        const struct sim_yaml *found = sim_yaml_get(step, triggers[i]);
        if (found != NULL && ++count > 1) {
            return sim_error(r->d, found->place,
                             "a step has one of at, every, when, after; here are two");
        }
        if (found != NULL) {
            value = found;
            which = i;
        }
    }
    if (count == 0) {
        sim_error(r->d, step->place, "when does this step act? It has no at, every, when or after");
        return false;
    }
    out->when = (enum sim_when)which;
    for (uint32_t i = 0; i < 2 && out->when != SIM_WHEN_EVERY; i++) {
        static const char *const only_every[] = {"from", "until"};
        const struct sim_yaml *extra = sim_yaml_get(step, only_every[i]);
        if (extra != NULL) {
            return sim_error(r->d, extra->place, "'%s' goes with 'every'", only_every[i]);
        }
    }
    switch (out->when) {
    case SIM_WHEN_AT:
        if (!sim_read_time(r, value, "at", &out->at_us)) {
            return false;
        }
        sim_read_note_time(r, out->at_us);
        return true;
    case SIM_WHEN_EVERY:
        return read_every(r, step, out);
    case SIM_WHEN_PATTERN:
        return sim_read_pattern(r, value, SIM_SHAPE_END, &out->pattern);
    case SIM_WHEN_AFTER:
        if (!read_after(r, value, index, out)) {
            return false;
        }
        sim_read_note_time(r, out->at_us);
        return true;
    }
    assert(false);
    return false;
}

/* ---- verbs ---- */

static const struct sim_key *find_verb(struct sim_reader *r, const struct sim_yaml *step,
                                       const struct sim_yaml **name, const struct sim_yaml **value)
{
    const struct sim_key *verb = NULL;
    for (uint32_t i = 0; i < step->count; i++) {
        const struct sim_key *key = sim_key_find(SIM_SHAPE_STEP, step->keys[i]->text);
        if (key == NULL || key->verb == SIM_VERB_NONE) {
            continue;
        }
        if (verb != NULL) {
            sim_error(r->d, step->keys[i]->place,
                      "a step does one thing; this is the second ('%s' and '%s')", verb->name,
                      key->name);
            return NULL;
        }
        verb = key;
        *name = step->keys[i];
        *value = step->items[i];
    }
    return verb;
}

static bool check_arguments(struct sim_reader *r, const struct sim_yaml *step,
                            const struct sim_key *verb)
{
    bool good = true;
    for (uint32_t i = 0; i < step->count; i++) {
        const struct sim_key *key = sim_key_find(SIM_SHAPE_STEP, step->keys[i]->text);
        if (key == NULL || key->verbs == 0 || (key->verbs >> verb->verb & 1) != 0) {
            continue;
        }
        good =
            sim_error(r->d, step->keys[i]->place, "'%s' does not take '%s'", verb->name, key->name);
        const char *names[80];
        uint32_t count = 0;
        for (const struct sim_key *k = sim_keys; k->name != NULL; k++) {
            if (k->shape == SIM_SHAPE_STEP && (k->verbs >> verb->verb & 1) != 0) {
                names[count++] = k->name;
            }
        }
        names[count] = NULL;
        char text[300] = "nothing";
        size_t size = 0;
        for (uint32_t n = 0; n < count; n++) {
            size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%s", n == 0 ? "" : ", ",
                                     names[n]);
        }
        sim_note(r->d, "it takes: %s", text);
    }
    return good;
}

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

static bool read_names_as_partitions(struct sim_reader *r, const struct sim_yaml *node,
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

static bool read_elections(struct sim_reader *r, const struct sim_yaml *node, struct sim_step *out)
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
    return read_names_as_partitions(r, node, out);
}

/* {T-P: [ids], …} */
static bool read_partition_map(struct sim_reader *r, const struct sim_yaml *node, const char *what,
                               struct sim_step *out)
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

static bool read_reassignment(struct sim_reader *r, const struct sim_yaml *node,
                              struct sim_step *out)
{
    if (node->kind == SIM_YAML_SCALAR) {
        return sim_read_is_scalar(r, node, "reassign") && read_json_file(r, node, true, out);
    }
    if (sim_yaml_get(node, "partitions") != NULL) {
        return read_json(r, node, true, out);
    }
    return read_partition_map(r, node, "a reassignment", out);
}

static bool read_topic_names(struct sim_reader *r, const struct sim_yaml *node,
                             struct sim_step *out)
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

static bool read_channel(struct sim_reader *r, const struct sim_yaml *node, struct sim_channel *out)
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

static bool read_groups(struct sim_reader *r, const struct sim_yaml *node, struct sim_step *out)
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

static bool read_release(struct sim_reader *r, const struct sim_yaml *node, struct sim_step *out)
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

/* ---- arguments ---- */

static const char *const *error_names(void)
{
    static const char *const names[] = {
#define X(name, code) #name,
        WIRE_ERROR_MAP(X)
#undef X
            NULL};
    return names;
}

static bool read_error(struct sim_reader *r, const struct sim_yaml *node, int32_t *out)
{
    static const int32_t codes[] = {
#define X(name, code) code,
        WIRE_ERROR_MAP(X)
#undef X
    };
    uint32_t index;
    if (node->kind == SIM_YAML_SCALAR && node->size > 0 &&
        strspn(node->text, "-0123456789") == node->size) {
        return sim_read_int32(r, node, "an error code", -1, 200, out);
    }
    if (!sim_read_word(r, node, "Kafka error", error_names(), &index)) {
        return false;
    }
    *out = codes[index];
    return true;
}

static bool read_partitions_argument(struct sim_reader *r, const struct sim_yaml *node,
                                     struct sim_step *out)
{
    if (out->verb == SIM_VERB_ANSWER || out->verb == SIM_VERB_FAIL_LOG_DIR) {
        return read_names_as_partitions(r, node, out);
    }
    return sim_read_int32(r, node, "partitions", 1, SIM_PARTITIONS_MAX, &out->partition_count);
}

static bool read_assignment_argument(struct sim_reader *r, const struct sim_yaml *node,
                                     struct sim_step *out)
{
    struct sm_list *lists = NULL;
    int32_t count = 0, first = 0;
    /* New partitions are numbered on; the file says from where. */
    if (out->verb == SIM_VERB_ADD_PARTITIONS) {
        if (node->kind != SIM_YAML_MAP || node->count == 0 ||
            !sim_read_int32(r, node->keys[0], "a partition", 1, SIM_PARTITIONS_MAX, &first)) {
            return node->kind == SIM_YAML_MAP && node->count > 0
                       ? false
                       : sim_error(r->d, node->place,
                                   "new partitions are numbered: {2: [3, 1], 3: [1, 2]}");
        }
        for (uint32_t i = 1; i < node->count; i++) {
            int32_t number;
            if (!sim_read_int32(r, node->keys[i], "a partition", 1, SIM_PARTITIONS_MAX, &number)) {
                return false;
            }
            first = number < first ? number : first;
        }
    }
    if (!sim_read_assignment(r, node, first, &lists, &count)) {
        return false;
    }
    out->partitions = sim_memory_take(r->memory, (size_t)count * sizeof(*out->partitions));
    out->partition_arg_count = (uint32_t)count;
    for (int32_t i = 0; i < count; i++) {
        out->partitions[i] = (struct sim_partition_arg){
            .topic = out->topic_count > 0 ? out->topics[0] : NULL,
            .partition = first + i,
            .has_replicas = true,
            .replicas = lists[i],
            .place = node->place,
        };
    }
    return true;
}

static bool read_removed(struct sim_reader *r, const struct sim_yaml *node, struct sim_step *out)
{
    const uint32_t count = node->kind == SIM_YAML_SCALAR ? 1 : node->count;
    bool good = node->kind != SIM_YAML_MAP;
    if (!good) {
        return sim_error(r->d, node->place, "remove takes names of configuration");
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct sim_yaml *item = node->kind == SIM_YAML_SCALAR ? node : node->items[i];
        if (!sim_read_is_scalar(r, item, "a name of configuration")) {
            good = false;
            continue;
        }
        out->config =
            sim_memory_grow(r->memory, out->config, sizeof(*out->config), out->config_count);
        out->config[out->config_count++] = (struct sim_config_entry){item->text, NULL, item->place};
    }
    return good;
}

static bool read_percent(struct sim_reader *r, const struct sim_yaml *node, int32_t *out)
{
    if (!sim_read_is_scalar(r, node, "loss")) {
        return false;
    }
    char *end;
    const long value = strtol(node->text, &end, 10);
    if (end == node->text || strcmp(end, "%") != 0 || value < 0 || value > 100) {
        return sim_error(r->d, node->place, "loss is a percentage like 10%%, not '%s'", node->text);
    }
    *out = (int32_t)value;
    return true;
}

static bool read_offset(struct sim_reader *r, const struct sim_yaml *node, int64_t *out_us)
{
    struct sim_yaml span = *node;
    const bool is_early = node->kind == SIM_YAML_SCALAR && node->text[0] == '-';
    if (is_early) {
        span.text++;
        span.size--;
    }
    const bool good = sim_read_time(r, &span, "offset", out_us);
    *out_us = is_early ? -*out_us : *out_us;
    return good;
}

/* How fast a clock runs: 1 is right. */
static bool read_rate(struct sim_reader *r, const struct sim_yaml *node, int32_t *ppm)
{
    int64_t whole = 0, part = 0, scale = 1000000;
    if (!sim_read_is_scalar(r, node, "rate")) {
        return false;
    }
    const char *p = node->text;
    for (; *p >= '0' && *p <= '9' && whole < 1000; p++) {
        whole = whole * 10 + (*p - '0');
    }
    const bool has_digits = p != node->text;
    for (p += *p == '.'; *p >= '0' && *p <= '9' && scale > 1; p++) {
        scale /= 10;
        part += scale * (*p - '0');
    }
    *ppm = (int32_t)(whole * 1000000 + part);
    if (!has_digits || *p != '\0' || *ppm < 10000 || *ppm > 100000000) {
        return sim_error(r->d, node->place,
                         "a rate is a number from 0.01 to 100, like 1.01, not '%s'", node->text);
    }
    return true;
}

static bool read_outcome(struct sim_reader *r, const struct sim_yaml *node, struct sim_step *out)
{
    static const char *const words[] = {"normal", "drop", "hang", NULL};
    uint32_t index;
    if (!sim_read_word(r, node, "outcome", words, &index)) {
        return false;
    }
    out->clear = index == 0;
    out->drop = index == 1;
    out->hang = index == 2;
    return true;
}

static bool read_data(struct sim_reader *r, const struct sim_yaml *node, struct sim_step *out)
{
    if (node->kind == SIM_YAML_SCALAR && !node->quoted && strcmp(node->text, "null") == 0) {
        out->data = NULL; /* a null payload */
        return true;
    }
    if (!sim_read_is_scalar(r, node, "data")) {
        if (node->kind == SIM_YAML_MAP) {
            sim_note(r->d, "JSON is written as a text, in single quotes");
        }
        return false;
    }
    out->data = node->text;
    out->data_size = node->size;
    return true;
}

static bool read_timeout(struct sim_reader *r, const struct sim_yaml *node, struct sim_step *out)
{
    return sim_read_time(r, node, "timeout", &out->timeout_us) &&
           (out->timeout_us > 0 || sim_error(r->d, node->place, "a timeout is more than 0s"));
}

static bool read_argument(struct sim_reader *r, const char *key, const struct sim_yaml *node,
                          struct sim_step *out)
{
    static const char *const elections[] = {"preferred", "unclean", NULL};
    static const char *const ways[] = {"znode", "request", NULL};
    static const char *const acts[] = {"set", "create", "delete", NULL};
    uint32_t word = 0;
    int32_t count = 0;
#define IS(name) (strcmp(key, name) == 0)
    if (IS("for"))
        return sim_read_time(r, node, "for", &out->for_us);
    if (IS("oneway"))
        return sim_read_bool(r, node, key, &out->oneway);
    if (IS("latency"))
        return sim_read_time(r, node, key, &out->delay_us);
    if (IS("jitter"))
        return sim_read_time(r, node, key, &out->jitter_us);
    if (IS("loss"))
        return read_percent(r, node, &out->loss_percent);
    if (IS("offset"))
        return read_offset(r, node, &out->offset_us);
    if (IS("rate"))
        return read_rate(r, node, &out->rate_ppm);
    if (IS("api"))
        return sim_read_api(r, node, &out->api);
    if (IS("error"))
        return read_error(r, node, &out->error);
    if (IS("partition-error"))
        return read_error(r, node, &out->partition_error);
    if (IS("outcome"))
        return read_outcome(r, node, out);
    if (IS("partitions"))
        return read_partitions_argument(r, node, out);
    if (IS("replication-factor"))
        return sim_read_int32(r, node, key, 1, SM_REPLICAS_MAX, &out->replication_factor);
    if (IS("assignment"))
        return read_assignment_argument(r, node, out);
    if (IS("config") || IS("set"))
        return sim_read_config(r, node, &out->config, &out->config_count);
    if (IS("remove"))
        return read_removed(r, node, out);
    if (IS("stale-epoch"))
        return sim_read_bool(r, node, key, &out->stale_epoch);
    if (IS("lose")) {
        static const char *const losses[] = {"unflushed", NULL};
        out->lose_unflushed = sim_read_word(r, node, "loss", losses, &word);
        return out->lose_unflushed;
    }
    if (IS("leave")) {
        static const char *const left[] = {"ephemerals", NULL};
        out->leave_ephemerals = sim_read_word(r, node, "what is left", left, &word);
        return out->leave_ephemerals;
    }
    if (IS("request-only"))
        return sim_read_bool(r, node, key, &out->request_only);
    if (IS("applied"))
        return sim_read_bool(r, node, key, &out->applied);
    if (IS("notify"))
        return sim_read_bool(r, node, key, &out->notify);
    if (IS("data"))
        return read_data(r, node, out);
    if (IS("version"))
        return sim_read_int32(r, node, key, 0, INT32_MAX, &out->version);
    if (IS("count")) {
        const bool good = sim_read_int32(r, node, key, 1, 1000000000, &count);
        out->count = (uint32_t)count;
        return good;
    }
    if (IS("election-type")) {
        const bool good = sim_read_word(r, node, "election type", elections, &word);
        out->unclean = word == 1;
        return good;
    }
    if (IS("timeout"))
        return read_timeout(r, node, out);
    if (IS("via")) {
        const bool good = sim_read_word(r, node, "way", ways, &word);
        out->via = word == 0 ? SIM_VIA_ZNODE : SIM_VIA_REQUEST;
        return good;
    }
    if (IS("do")) {
        const bool good = sim_read_word(r, node, "act", acts, &word);
        out->act = (enum sim_znode_act)(SIM_ZNODE_SET + word);
        return good;
    }
#undef IS
    assert(false); /* a row of the table without a reader */
    return false;
}

/* ---- what must be there ---- */

static bool missing(struct sim_reader *r, const struct sim_step *step, const char *what)
{
    return sim_error(r->d, step->verb_place, "%s: %s is missing", sim_verb_name(step->verb), what);
}

static bool check_topic_args(struct sim_reader *r, struct sim_step *s)
{
    if (s->partition_arg_count > 0 && s->partition_count > 0) {
        return sim_error(r->d, s->verb_place,
                         "either a count of partitions or an assignment, not both");
    }
    if (s->verb == SIM_VERB_ADD_PARTITIONS && s->partition_arg_count == 0 &&
        s->partition_count == 0) {
        return missing(r, s, "partitions (the new total) or assignment");
    }
    if (s->verb != SIM_VERB_CREATE_TOPIC || s->partition_arg_count > 0) {
        return true;
    }
    int32_t brokers = 0;
    for (uint32_t i = 0; i < r->s->node_count; i++) {
        brokers += r->s->nodes[i].role != SIM_NODE_CONTROLLER;
    }
    s->partition_count =
        s->partition_count == 0 ? r->s->settings.num_partitions : s->partition_count;
    if (s->replication_factor == 0) {
        s->replication_factor = r->s->settings.default_replication_factor;
    }
    return s->replication_factor <= brokers ||
           sim_error(r->d, s->verb_place, "replication-factor %d, but there are %d brokers",
                     s->replication_factor, brokers);
}

static bool check_complete(struct sim_reader *r, struct sim_step *s)
{
    switch (s->verb) {
    case SIM_VERB_DEGRADE:
        return s->delay_us > 0 || s->jitter_us > 0 || s->loss_percent > 0 ||
               missing(r, s, "latency, jitter or loss");
    case SIM_VERB_CLOCK_SKEW:
        return s->offset_us != 0 || s->rate_ppm != 1000000 || missing(r, s, "offset or rate");
    case SIM_VERB_DELAY:
        return s->delay_us > 0 || missing(r, s, "latency");
    case SIM_VERB_ANSWER:
        return s->error != 0 || s->partition_error != 0 || s->drop || s->hang || s->clear ||
               s->delay_us > 0 || missing(r, s, "error, partition-error, outcome or latency");
    case SIM_VERB_ALTER_CONFIG:
        return s->config_count > 0 || missing(r, s, "set or remove");
    case SIM_VERB_ZNODE:
        return s->act != SIM_ZNODE_DELETE || s->data == NULL ||
               sim_error(r->d, s->verb_place, "a znode that is deleted has no data");
    case SIM_VERB_CREATE_TOPIC:
    case SIM_VERB_ADD_PARTITIONS:
        return check_topic_args(r, s);
    case SIM_VERB_ELECT_LEADERS:
    case SIM_VERB_REASSIGN:
        return s->timeout_us == 0 || !sim_step_is_by_znode(r->s, s) ||
               sim_error(
                   r->d, s->verb_place,
                   "timeout: is of a request, and this is asked by znode (write via: request)");
    case SIM_VERB_NONE:
    case SIM_VERB_KILL:
    case SIM_VERB_RESTART:
    case SIM_VERB_BOUNCE:
    case SIM_VERB_SHUTDOWN:
    case SIM_VERB_STOP:
    case SIM_VERB_PAUSE:
    case SIM_VERB_RESUME:
    case SIM_VERB_PARTITION:
    case SIM_VERB_HOLD:
    case SIM_VERB_RELEASE:
    case SIM_VERB_DROP:
    case SIM_VERB_FAIL_LOG_DIR:
    case SIM_VERB_EXPIRE:
    case SIM_VERB_DISCONNECT:
    case SIM_VERB_LOSE_QUORUM:
    case SIM_VERB_FAIL:
    case SIM_VERB_BLOCK:
    case SIM_VERB_UNBLOCK:
    case SIM_VERB_DELETE_TOPIC:
    case SIM_VERB_CANCEL_REASSIGNMENT:
    case SIM_VERB_MOVE_CONTROLLER:
    case SIM_VERB_SET_ISR:
    case SIM_VERB_END:
        return true;
    }
    return true;
}

/* ---- a step ---- */

static bool read_true(struct sim_reader *r, const struct sim_yaml *node, const char *what)
{
    bool yes;
    if (!sim_read_bool(r, node, what, &yes)) {
        return false;
    }
    return yes || sim_error(r->d, node->place, "%s is true, or not there at all", what);
}

static bool read_path(struct sim_reader *r, const struct sim_yaml *node, char **path)
{
    if (!sim_read_text(r, node, "a znode", path)) {
        return false;
    }
    if ((*path)[0] != '/' || strlen(*path) >= SM_PATH_MAX ||
        ((*path)[1] != '\0' && (*path)[strlen(*path) - 1] == '/')) {
        return sim_error(r->d, node->place, "'%s' is no path of a znode, like /controller", *path);
    }
    return true;
}

static bool read_one_topic(struct sim_reader *r, const struct sim_yaml *node, struct sim_step *out)
{
    char *name;
    if (!sim_read_text(r, node, "a topic", &name)) {
        return false;
    }
    out->topics = sim_memory_take(r->memory, sizeof(*out->topics));
    out->topics[0] = name;
    out->topic_count = 1;
    if (out->verb != SIM_VERB_CREATE_TOPIC) {
        return sim_read_topic(r, node, &out->topics[0]);
    }
    return sm_topic_name_is_legal(name, strlen(name)) ||
           sim_error(r->d, node->place, "'%s' is no legal topic name", name);
}

static bool read_verb_value(struct sim_reader *r, const struct sim_key *verb,
                            const struct sim_yaml *node, struct sim_step *out)
{
    if (verb->form == SIM_FORM_TARGET) {
        return verb->verb == SIM_VERB_RELEASE
                   ? read_release(r, node, out)
                   : sim_read_target(r, node, false, &out->target) &&
                         sim_check_client_verb(r, node, verb, &out->target);
    }
    if (verb->form == SIM_FORM_GROUPS) {
        return read_groups(r, node, out);
    }
    if (verb->form == SIM_FORM_OBJECT) {
        return read_channel(r, node, &out->channel);
    }
    if (verb->form == SIM_FORM_TRUE) {
        return read_true(r, node, verb->name);
    }
    if (verb->form == SIM_FORM_TEXT) {
        return verb->verb == SIM_VERB_ZNODE ? read_path(r, node, &out->path)
                                            : read_one_topic(r, node, out);
    }
    if (verb->form == SIM_FORM_NAMES) {
        return verb->verb == SIM_VERB_DELETE_TOPIC ? read_topic_names(r, node, out)
                                                   : read_names_as_partitions(r, node, out);
    }
    if (verb->form == SIM_FORM_KAFKA_JSON) {
        return verb->verb == SIM_VERB_REASSIGN ? read_reassignment(r, node, out)
                                               : read_elections(r, node, out);
    }
    assert(verb->form == SIM_FORM_ISRS); /* no verb has another form */
    return read_partition_map(r, node, "set-isr", out);
}

static void read_step(struct sim_reader *r, const struct sim_yaml *node, uint32_t index,
                      struct sim_step *out)
{
    const struct sim_yaml *name = NULL, *value = NULL, *as = sim_yaml_get(node, "as");
    *out = (struct sim_step){.for_us = SIM_FOREVER,
                             .api = WIRE_API_NONE,
                             .notify = true,
                             .rate_ppm = 1000000,
                             .version = WIRE_ZK_ANY_VERSION,
                             .place = node->place,
                             .channel = {.api = WIRE_API_NONE}};
    const bool keys = sim_read_keys(r, node, SIM_SHAPE_STEP, SIM_SHAPE_END);
    if (node->kind != SIM_YAML_MAP) {
        return;
    }
    read_trigger(r, node, index, out);
    if (as != NULL) {
        sim_read_text(r, as, "as", &out->label);
    }
    const struct sim_key *verb = find_verb(r, node, &name, &value);
    if (verb == NULL) {
        if (keys && name == NULL) {
            sim_error(r->d, node->place,
                      "this step does nothing: it has no verb like kill or restart");
            sim_note(r->d, "see: kcsim explain steps");
        }
        return;
    }
    out->verb = verb->verb;
    out->verb_place = name->place;
    out->act = out->verb == SIM_VERB_ZNODE ? SIM_ZNODE_SET : SIM_ZNODE_NONE;
    bool good = read_verb_value(r, verb, value, out);
    good = check_arguments(r, node, verb) && good;
    for (uint32_t i = 0; good && i < node->count; i++) {
        const struct sim_key *key = sim_key_find(SIM_SHAPE_STEP, node->keys[i]->text);
        if (key != NULL && key->verbs != 0 && key->verb == SIM_VERB_NONE) {
            good = read_argument(r, key->name, node->items[i], out) && good;
        }
    }
    if (good) {
        check_complete(r, out);
    }
    if (out->for_us != SIM_FOREVER) {
        sim_read_note_time(r, out->at_us + out->for_us);
    }
}

/* after: A … after: B, in a circle, would wait for ever. */
static void check_circles(struct sim_reader *r)
{
    for (uint32_t i = 0; i < r->s->step_count; i++) {
        uint32_t at = i, steps = 0;
        while (r->s->steps[at].when == SIM_WHEN_AFTER && steps <= r->s->step_count) {
            at = r->s->steps[at].after;
            steps++;
            if (at == i) {
                sim_error(r->d, r->s->steps[i].place,
                          "this step waits for itself, by way of others");
                return;
            }
            if (steps > 1000) {
                break;
            }
        }
    }
}

void sim_read_steps(struct sim_reader *r, const struct sim_yaml *node)
{
    if (node == NULL) {
        return;
    }
    if (node->kind != SIM_YAML_LIST) {
        sim_error(r->d, node->place, "steps is a list: - {at: 1s, kill: 3}");
        return;
    }
    if (node->count > SIM_STEPS_MAX) {
        sim_error(r->d, node->place, "%u steps; at most %d (SIM_STEPS_MAX)", node->count,
                  SIM_STEPS_MAX);
        return;
    }
    const uint32_t errors = r->d->errors;
    r->s->steps = sim_memory_take(r->memory, node->count * sizeof(*r->s->steps));
    r->s->step_count = node->count;
    for (uint32_t i = 0; i < node->count; i++) {
        read_step(r, node->items[i], i, &r->s->steps[i]);
    }
    if (r->d->errors == errors) {
        check_circles(r);
    }
}
