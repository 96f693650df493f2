/*
 * Values of a scenario: numbers, times, ids, partitions, assignments.
 *
 * Each reader tells what it expected in the words of the documentation, and offers the nearest
 * legal word. None stops the pass.
 */
#define _POSIX_C_SOURCE 200809L
#include "sim/scenario_read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/properties.h"

/* ---- keys ---- */

static void list_keys(struct sim_reader *r, enum sim_shape shape, enum sim_shape other,
                      const char **names)
{
    uint32_t count = 0;
    (void)r;
    for (const struct sim_key *key = sim_keys; key->name != NULL; key++) {
        if (key->shape == shape || key->shape == other) {
            names[count++] = key->name;
        }
    }
    names[count] = NULL;
}

void sim_note_words(struct sim_reader *r, const char *what, const char *const *words)
{
    char text[600] = "";
    size_t size = 0;
    for (; *words != NULL && size < sizeof(text) - 80; words++) {
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%s", size == 0 ? "" : ", ",
                                 *words);
    }
    sim_note(r->d, "%s: %s%s", what, text, *words == NULL ? "" : ", …");
}

bool sim_read_keys(struct sim_reader *r, const struct sim_yaml *node, enum sim_shape shape,
                   enum sim_shape other)
{
    const char *names[128];
    bool good = true;
    if (node->kind != SIM_YAML_MAP) {
        sim_error(r->d, node->place, "%s is a mapping of keys and values; here stands %s",
                  sim_shape_text(shape), sim_yaml_kind_text(node));
        list_keys(r, shape, other, names);
        sim_note_words(r, "keys", names);
        return false;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        const struct sim_yaml *name = node->keys[i];
        const struct sim_key *key = sim_key_find(shape, name->text);
        if (key == NULL && other != SIM_SHAPE_END) {
            key = sim_key_find(other, name->text);
        }
        if (key != NULL && !key->later) {
            continue;
        }
        if (key != NULL) {
            good = sim_error(r->d, name->place, "'%s' (%s) is not modelled yet", name->text,
                             key->text);
            sim_note(r->d, "see: kcsim fidelity");
            continue;
        }
        good =
            sim_error(r->d, name->place, "%s has no key '%s'", sim_shape_text(shape), name->text);
        list_keys(r, shape, other, names);
        sim_suggest(r->d, name->text, names);
        if (shape == SIM_SHAPE_STEP) {
            sim_note(r->d, "see: kcsim explain steps");
        } else {
            sim_note_words(r, "keys", names);
        }
    }
    return good;
}

/* ---- plain values ---- */

bool sim_read_is_scalar(struct sim_reader *r, const struct sim_yaml *node, const char *what)
{
    if (node->kind != SIM_YAML_SCALAR) {
        return sim_error(r->d, node->place, "%s is one value; here stands %s", what,
                         sim_yaml_kind_text(node));
    }
    if (node->size == 0 && !node->quoted) {
        return sim_error(r->d, node->place, "%s is missing", what);
    }
    return true;
}

bool sim_read_text(struct sim_reader *r, const struct sim_yaml *node, const char *what, char **out)
{
    if (!sim_read_is_scalar(r, node, what)) {
        return false;
    }
    *out = node->text;
    return true;
}

/* Digits with an optional minus; nothing else. */
bool sim_parse_int(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return (text[0] == '-' || (text[0] >= '0' && text[0] <= '9')) && *end == '\0' && errno == 0 &&
           end != text;
}

bool sim_read_int(struct sim_reader *r, const struct sim_yaml *node, const char *what,
                  int64_t least, int64_t most, int64_t *out)
{
    int64_t number;
    if (!sim_read_is_scalar(r, node, what)) {
        return false;
    }
    if (!sim_parse_int(node->text, &number)) {
        return sim_error(r->d, node->place, "%s is a whole number, not '%s'", what, node->text);
    }
    if (number < least || number > most) {
        return sim_error(r->d, node->place, "%s is %s; it may be %" PRId64 " to %" PRId64, what,
                         node->text, least, most);
    }
    *out = number;
    return true;
}

bool sim_read_int32(struct sim_reader *r, const struct sim_yaml *node, const char *what,
                    int32_t least, int32_t most, int32_t *out)
{
    int64_t number = 0;
    if (!sim_read_int(r, node, what, least, most, &number)) {
        return false;
    }
    *out = (int32_t)number;
    return true;
}

bool sim_read_bool(struct sim_reader *r, const struct sim_yaml *node, const char *what, bool *out)
{
    static const char *const yes[] = {"true", "on", "yes"}, *const no[] = {"false", "off", "no"};
    if (!sim_read_is_scalar(r, node, what)) {
        return false;
    }
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(node->text, yes[i]) == 0 || strcmp(node->text, no[i]) == 0) {
            *out = strcmp(node->text, yes[i]) == 0;
            return true;
        }
    }
    return sim_error(r->d, node->place, "%s is true or false, not '%s'", what, node->text);
}

bool sim_read_word(struct sim_reader *r, const struct sim_yaml *node, const char *what,
                   const char *const *words, uint32_t *out)
{
    if (!sim_read_is_scalar(r, node, what)) {
        return false;
    }
    for (uint32_t i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], node->text) == 0) {
            *out = i;
            return true;
        }
    }
    sim_error(r->d, node->place, "unknown %s '%s'", what, node->text);
    sim_suggest(r->d, node->text, words);
    sim_note_words(r, "one of", words);
    return false;
}

/* ---- times ---- */

static const struct unit {
    const char *name;
    int64_t us;
} units[] = {
    {"us", 1},       {"µs", 1},         {"ms", 1000},       {"s", 1000000},
    {"m", 60000000}, {"h", 3600000000}, {"d", 86400000000},
};

/* One number (a fraction is fine) and its unit at *at; moves behind it. */
static bool parse_span(const char **at, int64_t *us)
{
    const char *p = *at;
    int64_t whole = 0, fraction = 0, scale = 1;
    const char *digits = p;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (whole > SIM_TIME_MAX) {
            return false;
        }
        whole = whole * 10 + (*p - '0');
    }
    if (p == digits) {
        return false;
    }
    if (*p == '.') {
        for (p++; *p >= '0' && *p <= '9' && scale < 1000000; p++) {
            fraction = fraction * 10 + (*p - '0');
            scale *= 10;
        }
    }
    size_t letters = 0;
    while (p[letters] != '\0' && !(p[letters] >= '0' && p[letters] <= '9') && p[letters] != ' ') {
        letters++;
    }
    for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strlen(units[i].name) == letters && strncmp(units[i].name, p, letters) == 0) {
            if (whole > SIM_TIME_MAX / units[i].us) {
                return false;
            }
            *us = whole * units[i].us + fraction * units[i].us / scale;
            *at = p + letters;
            return true;
        }
    }
    return false;
}

static bool parse_time(const char *text, int64_t *us)
{
    int64_t total = 0, span;
    if (*text == '\0') {
        return false;
    }
    while (*text != '\0') {
        if (!parse_span(&text, &span) || total + span > SIM_TIME_MAX) {
            return false;
        }
        total += span;
    }
    *us = total;
    return true;
}

static void suggest_time(struct sim_reader *r, const char *text)
{
    int64_t number;
    size_t digits = strspn(text, "0123456789.");
    if (sim_parse_int(text, &number) && number >= 0) {
        sim_note(r->d, "did you mean '%ss'? Times carry a unit: us, ms, s, m, h, d", text);
    } else if (digits > 0 && text[digits] != '\0') {
        const char *unit = text + digits + strspn(text + digits, " ");
        const char *meant = strncmp(unit, "mi", 2) == 0 && strncmp(unit, "mil", 3) != 0 ? "m"
                            : unit[0] == 'm' || unit[0] == 'M'                          ? "ms"
                            : unit[0] == 'h' || unit[0] == 'H'                          ? "h"
                            : unit[0] == 'd' || unit[0] == 'D'                          ? "d"
                                                                                        : "s";
        sim_note(r->d, "did you mean '%.*s%s'? units: us, ms, s, m, h, d", (int)digits, text,
                 meant);
    } else {
        sim_note(r->d, "times are written like 500ms, 6s, 1m30s");
    }
}

bool sim_read_time(struct sim_reader *r, const struct sim_yaml *node, const char *what,
                   int64_t *out_us)
{
    if (!sim_read_is_scalar(r, node, what)) {
        return false;
    }
    if (!parse_time(node->text, out_us)) {
        sim_error(r->d, node->place, "%s is a time with a unit, not '%s'", what, node->text);
        suggest_time(r, node->text);
        return false;
    }
    return true;
}

void sim_read_note_time(struct sim_reader *r, int64_t time_us)
{
    if (time_us != SIM_FOREVER && time_us > r->latest_us) {
        r->latest_us = time_us;
    }
}

/* ---- nodes, topics, partitions ---- */

const char *sim_known_ids(struct sim_reader *r)
{
    char text[200] = "";
    size_t size = 0;
    for (uint32_t i = 0; i < r->s->node_count && size < sizeof(text) - 32; i++) {
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%d", i == 0 ? "" : ", ",
                                 r->s->nodes[i].id);
        if (size >= sizeof(text) - 32) {
            size += (size_t)snprintf(text + size, sizeof(text) - size, ", …");
        }
    }
    return sim_memory_copy(r->memory, text, size);
}

bool sim_read_node_id(struct sim_reader *r, const struct sim_yaml *node, const char *what,
                      int32_t *out)
{
    if (!sim_read_int32(r, node, what, 0, INT32_MAX, out)) {
        return false;
    }
    if (sim_scenario_node(r->s, *out) == NULL) {
        sim_error(r->d, node->place, "there is no node %d", *out);
        sim_note(r->d, "nodes: %s", sim_known_ids(r));
        return false;
    }
    return true;
}

bool sim_read_ids(struct sim_reader *r, const struct sim_yaml *node, const char *what,
                  struct sm_list *out)
{
    bool good = true;
    *out = (struct sm_list){0};
    if (node->kind != SIM_YAML_LIST) {
        sim_error(r->d, node->place, "%s is a list of broker ids, like [1, 2, 3]", what);
        return false;
    }
    if (node->count > SM_REPLICAS_MAX) {
        return sim_error(r->d, node->place, "%s has %u ids; at most %d (SM_REPLICAS_MAX)", what,
                         node->count, SM_REPLICAS_MAX);
    }
    for (uint32_t i = 0; i < node->count; i++) {
        int32_t id = 0;
        if (!sim_read_node_id(r, node->items[i], "a broker id", &id)) {
            good = false;
            continue;
        }
        if (sim_scenario_node(r->s, id)->role == SIM_NODE_CONTROLLER) {
            good = sim_error(r->d, node->items[i]->place,
                             "node %d has no broker (role: controller)", id);
            continue;
        }
        if (sm_list_has(out, id)) {
            good = sim_error(r->d, node->items[i]->place, "broker %d stands twice in %s", id, what);
            continue;
        }
        sm_list_append(out, id);
    }
    return good;
}

static int compare_topics(const void *a, const void *b)
{
    return strcmp(((const struct sim_known_topic *)a)->name,
                  ((const struct sim_known_topic *)b)->name);
}

/* Topics are known before anything looks one up: sort_topics is called once, between. */
void sim_know_topic(struct sim_reader *r, const char *name, int32_t partitions)
{
    r->topics = sim_memory_grow(r->memory, r->topics, sizeof(*r->topics), r->topic_count);
    r->topics[r->topic_count++] = (struct sim_known_topic){name, partitions};
}

struct sim_known_topic *sim_known_topic(struct sim_reader *r, const char *name)
{
    const struct sim_known_topic key = {.name = name};
    return r->topic_count == 0
               ? NULL
               : bsearch(&key, r->topics, r->topic_count, sizeof(key), compare_topics);
}

static void unknown_topic(struct sim_reader *r, struct sim_place place, const char *name)
{
    sim_error(r->d, place, "there is no topic '%s'", name);
    if (r->topic_count == 0) {
        sim_note(r->d, "the scenario has no topics");
        return;
    }
    const uint32_t count = r->topic_count < 2000 ? r->topic_count : 2000;
    const char **names = sim_memory_take(r->memory, (count + 1) * sizeof(*names));
    for (uint32_t i = 0; i < count; i++) {
        names[i] = r->topics[i].name;
    }
    sim_suggest(r->d, name, names);
    if (count <= 12) {
        sim_note_words(r, "topics", names);
    }
}

bool sim_read_topic(struct sim_reader *r, const struct sim_yaml *node, char **topic)
{
    if (!sim_read_text(r, node, "a topic", topic)) {
        return false;
    }
    if (sim_known_topic(r, *topic) == NULL) {
        unknown_topic(r, node->place, *topic);
        return false;
    }
    return true;
}

bool sim_read_partition(struct sim_reader *r, const struct sim_yaml *node, const char *text,
                        char **topic, int32_t *partition)
{
    const char *dash = strrchr(text, '-');
    int64_t number = -1;
    if (dash == NULL || dash == text || !sim_parse_int(dash + 1, &number) || number < 0 ||
        number > INT32_MAX) {
        sim_error(r->d, node->place, "'%s' is no partition; write TOPIC-NUMBER, like orders-0",
                  text);
        if (sim_known_topic(r, text) != NULL) {
            sim_note(r->d, "did you mean '%s-0'?", text);
        }
        return false;
    }
    *topic = sim_memory_copy(r->memory, text, (size_t)(dash - text));
    *partition = (int32_t)number;
    const struct sim_known_topic *known = sim_known_topic(r, *topic);
    if (known == NULL) {
        unknown_topic(r, node->place, *topic);
        return false;
    }
    if (number >= known->partitions) {
        return sim_error(
            r->d, node->place, "topic %s has %d partition%s: 0%s%s", *topic, known->partitions,
            known->partitions == 1 ? "" : "s", known->partitions == 1 ? "" : " to ",
            known->partitions == 1 ? ""
                                   : sim_memory_format(r->memory, "%d", known->partitions - 1));
    }
    return true;
}

bool sim_read_api(struct sim_reader *r, const struct sim_yaml *node, enum wire_api *out)
{
    static const char *const names[] = {"LeaderAndIsr",
                                        "StopReplica",
                                        "UpdateMetadata",
                                        "ControlledShutdown",
                                        "ElectLeaders",
                                        "AlterPartitionReassignments",
                                        "ListPartitionReassignments",
                                        "Produce",
                                        "Fetch",
                                        "ListOffsets",
                                        "Metadata",
                                        "OffsetForLeaderEpoch",
                                        "ApiVersions",
                                        "InitProducerId",
                                        "FindCoordinator",
                                        "AddPartitionsToTxn",
                                        "AddOffsetsToTxn",
                                        "EndTxn",
                                        "TxnOffsetCommit",
                                        "WriteTxnMarkers",
                                        "JoinGroup",
                                        "SyncGroup",
                                        "Heartbeat",
                                        "LeaveGroup",
                                        "OffsetCommit",
                                        "OffsetFetch",
                                        NULL};
    uint32_t index;
    if (!sim_read_word(r, node, "API", names, &index)) {
        return false;
    }
    *out = wire_api_named(names[index]);
    return true;
}

/* ---- assignments and configuration ---- */

static bool store_partition(struct sim_reader *r, const struct sim_yaml *at,
                            const struct sim_yaml *replicas, int32_t index, struct sm_list *lists,
                            bool *filled)
{
    if (filled[index]) {
        return sim_error(r->d, at->place, "this partition stands twice");
    }
    filled[index] = true;
    if (!sim_read_ids(r, replicas, "an assignment", &lists[index])) {
        return false;
    }
    return lists[index].count > 0 ||
           sim_error(r->d, replicas->place, "a partition has at least one replica");
}

bool sim_read_assignment(struct sim_reader *r, const struct sim_yaml *node, int32_t first,
                         struct sm_list **lists, int32_t *count)
{
    bool good = true;
    *count = 0;
    if (node->kind == SIM_YAML_SCALAR || node->count == 0) {
        sim_error(r->d, node->place, "an assignment names the replicas of each partition");
        sim_note(r->d, "write {%d: [1, 2, 3], %d: [2, 3, 1]}", first, first + 1);
        return false;
    }
    bool *filled = sim_memory_take(r->memory, node->count * sizeof(*filled));
    *lists = sim_memory_take(r->memory, node->count * sizeof(**lists));
    *count = (int32_t)node->count;
    for (uint32_t i = 0; i < node->count; i++) {
        int32_t index = (int32_t)i;
        if (node->kind == SIM_YAML_MAP) {
            const struct sim_yaml *key = node->keys[i];
            if (!sim_read_int32(r, key, "a partition", 0, SIM_PARTITIONS_MAX, &index)) {
                good = false;
                continue;
            }
            if (index < first || index >= first + (int32_t)node->count) {
                good = sim_error(
                    r->d, key->place, "partition %d leaves a gap: %u partition%s %s %d to %d",
                    index, node->count, node->count == 1 ? "" : "s",
                    node->count == 1 ? "is" : "are", first, first + (int32_t)node->count - 1);
                continue;
            }
            index -= first;
        }
        good = store_partition(r, node->kind == SIM_YAML_MAP ? node->keys[i] : node->items[i],
                               node->items[i], index, *lists, filled) &&
               good;
    }
    return good;
}

bool sim_read_config(struct sim_reader *r, const struct sim_yaml *node,
                     struct sim_config_entry **entries, uint32_t *count)
{
    bool good = true;
    if (node->kind != SIM_YAML_MAP) {
        return sim_error(r->d, node->place,
                         "a topic's configuration is a mapping like {min.insync.replicas: 2}");
    }
    for (uint32_t i = 0; i < node->count; i++) {
        const struct sim_yaml *key = node->keys[i], *value = node->items[i];
        if (!sim_read_is_scalar(r, value, key->text)) {
            good = false;
            continue;
        }
        *entries = sim_memory_grow(r->memory, *entries, sizeof(**entries), *count);
        (*entries)[(*count)++] = (struct sim_config_entry){key->text, value->text, key->place};
        good =
            sim_topic_config_check(key->text, key->place, value->text, value->place, r->d) && good;
    }
    return good;
}

/* ---- text of a node ---- */

char *sim_read_source(struct sim_reader *r, const struct sim_yaml *node)
{
    enum { LONGEST = 160 };
    char text[LONGEST + 8];
    size_t size = 0;
    bool blank = true, comment = false;
    for (size_t i = node->begin; i < node->end && i < r->s->text_size; i++) {
        const char c = r->s->text[i];
        comment = comment ? c != '\n' : c == '#' && blank;
        if (comment || ((c == ' ' || c == '\n' || c == '\r' || c == '\t') && blank)) {
            continue;
        }
        if (size >= LONGEST) {
            while (size > 0 && ((unsigned char)text[size - 1] & 0xc0) == 0x80) {
                size--; /* no half of a character */
            }
            size -= size > 0 && (unsigned char)text[size - 1] >= 0xc0;
            memcpy(text + size, "…", sizeof("…") - 1);
            size += sizeof("…") - 1;
            break;
        }
        blank = c == ' ' || c == '\n' || c == '\r' || c == '\t';
        text[size++] = blank ? ' ' : c;
    }
    while (size > 0 && text[size - 1] == ' ') {
        size--;
    }
    return sim_memory_copy(r->memory, text, size);
}
