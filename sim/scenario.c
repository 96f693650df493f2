/*
 * Scenarios: loading, and the parts of the file that describe the cluster.
 *
 * Order matters, since later parts name what earlier ones make: nodes (or a dump that has them)
 * come first, then topics, then what is given, then labels and topics of steps, and only then
 * targets, patterns and expectations. A part that is wrong is told about and passed over.
 */
#define _POSIX_C_SOURCE 200809L
#include "sim/scenario.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/dump.h"
#include "sim/properties.h"
#include "sim/scenario_read.h"
#include "statemachine/znode.h"

#define DEFAULT_HORIZON_US (INT64_C(3600) * 1000000)

/* ---- memory ---- */

struct sim_scenario *sim_scenario_new(const char *file)
{
    struct sim_scenario *s = calloc(1, sizeof(*s));
    struct sim_memory *memory = calloc(1, sizeof(*memory));
    if (s == NULL || memory == NULL) {
        abort();
    }
    s->memory = memory;
    s->file = sim_scenario_text(s, file);
    s->text = sim_scenario_text(s, "");
    s->version = SM_VERSION_2_8;
    s->profile = sm_profile_of(s->version);
    s->settings = sim_settings_default(s->version);
    s->seed = 1;
    s->zookeeper.servers = 1;
    s->until_quiet = true;
    s->until_us = DEFAULT_HORIZON_US;
    return s;
}

char *sim_scenario_text(struct sim_scenario *s, const char *text)
{
    return sim_memory_copy(s->memory, text, strlen(text));
}

void sim_scenario_free(struct sim_scenario *s)
{
    if (s != NULL) {
        sim_dump_free(s->dump);
        sim_memory_free(s->memory);
        free(s->memory);
        free(s);
    }
}

const struct sim_node *sim_scenario_node(const struct sim_scenario *s, int32_t id)
{
    for (uint32_t i = 0; i < s->node_count; i++) {
        if (s->nodes[i].id == id) {
            return &s->nodes[i];
        }
    }
    return NULL;
}

/* ---- Kafka's rule of placing replicas ---- */

void sim_assign_replicas(const int32_t *ids, uint32_t id_count, int32_t partition,
                         int32_t replication_factor, struct sm_list *replicas)
{
    const uint32_t p = (uint32_t)partition, shift = p / id_count;
    const uint32_t first = p % id_count;
    assert(replication_factor <= SM_REPLICAS_MAX);
    assert((uint32_t)replication_factor <= id_count);
    *replicas = (struct sm_list){0};
    sm_list_append(replicas, ids[first]);
    for (int32_t j = 0; j < replication_factor - 1; j++) {
        const uint32_t step = 1 + (shift + (uint32_t)j) % (id_count - 1);
        sm_list_append(replicas, ids[(first + step) % id_count]);
    }
}

static int compare_ids(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return x < y ? -1 : x > y;
}

/* Returns the ids of all nodes with a broker, ascending; at most SIM_NODES_MAX. */
static uint32_t broker_ids(const struct sim_scenario *s, int32_t ids[SIM_NODES_MAX])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->node_count; i++) {
        if (s->nodes[i].role != SIM_NODE_CONTROLLER) {
            ids[count++] = s->nodes[i].id;
        }
    }
    qsort(ids, count, sizeof(ids[0]), compare_ids);
    return count;
}

void sim_topic_replicas(const struct sim_scenario *s, const struct sim_topic *topic,
                        int32_t partition, struct sm_list *replicas)
{
    int32_t ids[SIM_NODES_MAX];
    assert(partition >= 0);
    assert(partition < topic->partition_count);
    if (topic->assignment != NULL) {
        *replicas = topic->assignment[partition];
    } else {
        sim_assign_replicas(ids, broker_ids(s, ids), partition, topic->replication_factor,
                            replicas);
    }
}

/* ---- files next to the scenario ---- */

static char *read_whole(FILE *in, size_t limit, size_t *size)
{
    size_t room = 64 * 1024;
    char *text = malloc(room + 1);
    *size = 0;
    for (;;) {
        if (text == NULL) {
            abort();
        }
        const size_t got = fread(text + *size, 1, room - *size, in);
        *size += got;
        if (got == 0 || *size > limit) {
            break;
        }
        if (*size == room) {
            room *= 2;
            text = realloc(text, room + 1);
        }
    }
    text[*size] = '\0';
    return text;
}

/* Returns the file's bytes (malloc'ed), or NULL with an error. */
static char *load_bytes(const char *name, size_t limit, struct sim_place place, size_t *size,
                        struct sim_diagnostics *d)
{
    FILE *in = strcmp(name, "-") == 0 ? stdin : fopen(name, "rb");
    if (in == NULL) {
        sim_error(d, place, "cannot read %s: %s", name, strerror(errno));
        return NULL;
    }
    errno = 0;
    char *text = read_whole(in, limit, size);
    const bool failed = ferror(in) != 0;
    const int error = errno;
    if (in != stdin) {
        fclose(in);
    }
    if (failed || *size > limit) {
        if (failed) {
            sim_error(d, place, "cannot read %s: %s", name, strerror(error));
        } else {
            sim_error(d, place, "%s has more than %zu bytes", name, limit);
        }
        free(text);
        return NULL;
    }
    return text;
}

static const struct sim_scenario_file *given_file(const struct sim_reader *r, const char *path)
{
    for (uint32_t i = 0; i < r->beside_count; i++) {
        if (strcmp(r->beside[i].path, path) == 0) {
            return &r->beside[i];
        }
    }
    return NULL;
}

/* Each path once. */
static void remember_file(struct sim_reader *r, const char *path, char *text, size_t size)
{
    struct sim_scenario *s = r->s;
    for (uint32_t i = 0; i < s->file_count; i++) {
        if (strcmp(s->files[i].path, path) == 0) {
            return;
        }
    }
    struct sim_scenario_file *all = sim_memory_take(r->memory, (s->file_count + 1) * sizeof(*all));
    if (s->file_count > 0) {
        memcpy(all, s->files, s->file_count * sizeof(*all));
    }
    all[s->file_count++] = (struct sim_scenario_file){sim_scenario_text(s, path), text, size};
    s->files = all;
}

char *sim_read_file(struct sim_reader *r, const char *path, struct sim_place place, size_t limit,
                    char **name, size_t *size)
{
    const char *slash = strrchr(r->s->file, '/');
    *name = path[0] == '/' || slash == NULL
                ? sim_memory_format(r->memory, "%s", path)
                : sim_memory_format(r->memory, "%.*s%s", (int)(slash + 1 - r->s->file), r->s->file,
                                    path);
    const struct sim_scenario_file *given = given_file(r, path);
    char *text = NULL;
    if (given != NULL) {
        text = sim_memory_copy(r->memory, given->text, given->size);
        *size = given->size;
    } else {
        char *bytes = load_bytes(*name, limit, place, size, r->d);
        text = bytes == NULL ? NULL : sim_memory_copy(r->memory, bytes, *size);
        free(bytes);
    }
    if (text != NULL) {
        remember_file(r, path, text, *size);
    }
    return text;
}

/* ---- properties ---- */

struct settings_target {
    struct sim_reader *r;
    struct sim_settings *settings;
};

static bool set_property(void *context, const char *key, struct sim_place key_place,
                         const char *value, struct sim_place value_place)
{
    struct settings_target *target = context;
    return sim_settings_set(target->settings, key, key_place, value, value_place, target->r->d);
}

static void read_properties_file(struct sim_reader *r, const struct sim_yaml *node,
                                 struct sim_settings *settings)
{
    struct settings_target target = {r, settings};
    char *name;
    size_t size;
    char *text = sim_read_file(r, node->text, node->place, SIM_YAML_SIZE_MAX, &name, &size);
    if (text != NULL) {
        sim_diagnostics_source(r->d, name, text, size);
        sim_properties_read(text, size, r->d, set_property, &target);
        sim_diagnostics_source(r->d, r->s->file, r->s->text, r->s->text_size);
    }
}

static void read_properties(struct sim_reader *r, const struct sim_yaml *node,
                            struct sim_settings *settings)
{
    if (node == NULL) {
        return;
    }
    if (node->kind == SIM_YAML_SCALAR) {
        read_properties_file(r, node, settings);
        return;
    }
    if (node->kind == SIM_YAML_LIST) {
        sim_error(r->d, node->place, "properties are a mapping, or the name of a .properties file");
        return;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        if (sim_read_is_scalar(r, node->items[i], node->keys[i]->text)) {
            sim_settings_set(settings, node->keys[i]->text, node->keys[i]->place,
                             node->items[i]->text, node->items[i]->place, r->d);
        }
    }
}

/* ---- nodes ---- */

static bool read_behaviour(struct sim_reader *r, const struct sim_yaml *node,
                           enum sim_behaviour *out)
{
    static const char *const words[] = {"scripted", "full", NULL};
    uint32_t index;
    if (node == NULL || !sim_read_word(r, node, "behaviour", words, &index)) {
        return node == NULL;
    }
    *out = (enum sim_behaviour)index;
    return true;
}

static struct sim_node *add_node(struct sim_reader *r, int32_t id, struct sim_place place)
{
    struct sim_scenario *s = r->s;
    if (sim_scenario_node(s, id) != NULL) {
        sim_error(r->d, place, "node %d stands twice", id);
        return NULL;
    }
    if (s->node_count == SIM_NODES_MAX) {
        sim_error(r->d, place, "more than %d nodes (SIM_NODES_MAX)", SIM_NODES_MAX);
        return NULL;
    }
    s->nodes = sim_memory_grow(r->memory, s->nodes, sizeof(*s->nodes), s->node_count);
    s->nodes[s->node_count] = (struct sim_node){.id = id,
                                                .settings = s->settings,
                                                .behaviour = s->behaviour,
                                                .place = place,
                                                .rack = sim_scenario_text(s, "")};
    return &s->nodes[s->node_count++];
}

static void read_node_keys(struct sim_reader *r, const struct sim_yaml *node, struct sim_node *out)
{
    static const char *const roles[] = {"both", "broker", "controller", NULL};
    const struct sim_yaml *value;
    uint32_t role;
    if (out == NULL) {
        return;
    }
    if ((value = sim_yaml_get(node, "role")) != NULL &&
        sim_read_word(r, value, "role", roles, &role)) {
        out->role = (enum sim_node_role)role;
    }
    if ((value = sim_yaml_get(node, "rack")) != NULL) {
        sim_read_text(r, value, "rack", &out->rack);
        if (strlen(out->rack) >= SM_RACK_MAX) {
            sim_error(r->d, value->place, "a rack has at most %d bytes (SM_RACK_MAX)",
                      SM_RACK_MAX - 1);
        }
    }
    if ((value = sim_yaml_get(node, "down")) != NULL) {
        sim_read_bool(r, value, "down", &out->down);
    }
    value = sim_yaml_get(node, "behaviour");
    read_behaviour(r, value, &out->behaviour);
    read_properties(r, sim_yaml_get(node, "properties"), &out->settings);
}

static bool is_registered(const struct sim_scenario *s, int32_t id)
{
    char path[SM_PATH_MAX];
    sm_path_broker(path, id);
    return s->dump != NULL && sim_dump_find(s->dump, path) != NULL;
}

static void read_node(struct sim_reader *r, const struct sim_yaml *node)
{
    int32_t id;
    struct sim_node *out = NULL;
    if (node->kind == SIM_YAML_MAP) {
        const struct sim_yaml *number = sim_yaml_get(node, "id");
        sim_read_keys(r, node, SIM_SHAPE_NODE, SIM_SHAPE_END);
        if (number == NULL) {
            sim_error(r->d, node->place, "a node has an id: {id: 3, rack: b}");
            return;
        }
        if (!sim_read_int32(r, number, "id", 0, INT32_MAX, &id)) {
            return;
        }
        out = add_node(r, id, number->place);
    } else if (sim_read_int32(r, node, "a node id", 0, INT32_MAX, &id)) {
        out = add_node(r, id, node->place);
    }
    if (out != NULL) {
        out->down = r->s->dump != NULL && !is_registered(r->s, id);
        read_node_keys(r, node, out);
    }
}

/* nodes: [1, 2, {id: 3, rack: b}], or {0: {role: controller}, 1: {}} */
static void read_nodes(struct sim_reader *r, const struct sim_yaml *node)
{
    if (node->kind == SIM_YAML_SCALAR || node->count == 0) {
        sim_error(r->d, node->place, "nodes is a list of ids, like [1, 2, 3], or of {id: …}");
        return;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        int32_t id;
        if (node->kind == SIM_YAML_LIST) {
            read_node(r, node->items[i]);
            continue;
        }
        if (!sim_read_int32(r, node->keys[i], "a node id", 0, INT32_MAX, &id)) {
            continue;
        }
        struct sim_node *out = add_node(r, id, node->keys[i]->place);
        const bool empty = node->items[i]->kind == SIM_YAML_SCALAR && node->items[i]->size == 0;
        if (out != NULL) {
            out->down = r->s->dump != NULL && !is_registered(r->s, id);
            if (!empty && sim_read_keys(r, node->items[i], SIM_SHAPE_NODE, SIM_SHAPE_END)) {
                read_node_keys(r, node->items[i], out);
            }
        }
    }
}

/* ---- a dump ---- */

static void add_dump_replicas(struct sim_reader *r, const struct sm_list *list)
{
    for (int32_t i = 0; i < list->count; i++) {
        const int32_t id = list->id[i];
        if (id >= 0 && sim_scenario_node(r->s, id) == NULL) {
            struct sim_node *node = add_node(r, id, (struct sim_place){0});
            if (node != NULL) {
                node->down = !is_registered(r->s, id);
            }
        }
    }
}

/* Without `nodes`: those that are registered, in the order of the dump, but the controller first,
   so that it is the controller again; then those that only assignments name, which are down. */
static void nodes_of_dump(struct sim_reader *r)
{
    const struct sim_dump *dump = r->s->dump;
    int32_t id;
    char path[SM_PATH_MAX];
    sm_path_broker(path, dump->controller);
    if (dump->controller >= 0 && sim_dump_find(dump, path) != NULL) {
        add_node(r, dump->controller, (struct sim_place){0});
    }
    for (uint32_t i = 0; i < dump->count; i++) {
        if (sm_path_is_broker(dump->nodes[i].path, &id) && id >= 0 &&
            sim_scenario_node(r->s, id) == NULL) {
            add_node(r, id, (struct sim_place){0});
        }
    }
    for (uint32_t i = 0; i < dump->count; i++) {
        struct sm_topic_reader reader;
        struct sm_assignment a;
        int32_t partition;
        char topic[SM_TOPIC_NAME_MAX + 1];
        const struct sim_dump_node *n = &dump->nodes[i];
        if (sm_path_is_topic(n->path, topic) && n->data != NULL &&
            sm_topic_open(&reader, (const char *)n->data, n->data_size) == SM_ERR_OK) {
            while (sm_topic_next(&reader, &partition, &a)) {
                add_dump_replicas(r, &a.replicas);
            }
        }
    }
}

static void topics_of_dump(struct sim_reader *r)
{
    const struct sim_dump *dump = r->s->dump;
    for (uint32_t i = 0; dump != NULL && i < dump->count; i++) {
        struct sm_topic_reader reader;
        struct sm_assignment a;
        int32_t partition, count = 0;
        char topic[SM_TOPIC_NAME_MAX + 1];
        const struct sim_dump_node *n = &dump->nodes[i];
        if (!sm_path_is_topic(n->path, topic)) {
            continue;
        }
        if (n->data != NULL &&
            sm_topic_open(&reader, (const char *)n->data, n->data_size) == SM_ERR_OK) {
            while (sm_topic_next(&reader, &partition, &a)) {
                count = partition >= count && partition < INT32_MAX ? partition + 1 : count;
            }
        }
        sim_know_topic(r, sim_scenario_text(r->s, topic), count);
    }
}

static void read_dump(struct sim_reader *r, const struct sim_yaml *node)
{
    char *name, *path;
    size_t size;
    if (!sim_read_text(r, node, "from", &path)) {
        return;
    }
    char *text = sim_read_file(r, path, node->place, SIM_DUMP_SIZE_MAX, &name, &size);
    if (text != NULL) {
        r->s->dump = sim_dump_parse(name, text, size, r->d);
        sim_diagnostics_source(r->d, r->s->file, r->s->text, r->s->text_size);
    }
}

/* ---- cluster ---- */

static void read_zookeeper(struct sim_reader *r, const struct sim_yaml *node)
{
    const struct sim_yaml *value;
    if (node == NULL || !sim_read_keys(r, node, SIM_SHAPE_ZOOKEEPER, SIM_SHAPE_END)) {
        return;
    }
    if ((value = sim_yaml_get(node, "servers")) != NULL) {
        sim_read_int32(r, value, "servers", 1, 15, &r->s->zookeeper.servers);
    }
    if ((value = sim_yaml_get(node, "lag")) != NULL) {
        sim_read_time(r, value, "lag", &r->s->zookeeper.lag_us);
    }
}

static void read_cluster(struct sim_reader *r, const struct sim_yaml *root)
{
    const struct sim_yaml *cluster = sim_yaml_get(root, "cluster");
    if (cluster == NULL) {
        sim_error(r->d, (struct sim_place){.line = 1, .column = 1}, "a scenario has a cluster");
        sim_note(r->d, "write cluster: {nodes: [1, 2, 3]}");
        return;
    }
    sim_read_keys(r, cluster, SIM_SHAPE_CLUSTER, SIM_SHAPE_END);
    if (cluster->kind != SIM_YAML_MAP) {
        return;
    }
    read_properties(r, sim_yaml_get(cluster, "properties"), &r->s->settings);
    read_zookeeper(r, sim_yaml_get(cluster, "zookeeper"));
    r->s->behaviour = SIM_BEHAVIOUR_FULL;
    read_behaviour(r, sim_yaml_get(cluster, "behaviour"), &r->s->behaviour);
    const struct sim_yaml *from = sim_yaml_get(cluster, "from");
    const struct sim_yaml *nodes = sim_yaml_get(cluster, "nodes");
    if (from != NULL) {
        read_dump(r, from);
    }
    if (nodes != NULL) {
        read_nodes(r, nodes);
    } else if (r->s->dump != NULL) {
        nodes_of_dump(r);
    } else if (from == NULL) {
        sim_error(r->d, cluster->place, "a cluster has nodes, or comes from a dump");
        sim_note(r->d, "write nodes: [1, 2, 3]");
    }
}

/* ---- topics ---- */

/* "t-{1..1000}": the text before and behind the braces, and the numbers in them. */
struct name_pattern {
    const char *head, *tail;
    int head_size;
    int64_t first, last;
    bool is_pattern;
};

static bool parse_name_pattern(struct sim_reader *r, const struct sim_yaml *key,
                               struct name_pattern *p)
{
    const char *open = strchr(key->text, '{');
    *p = (struct name_pattern){.head = key->text, .head_size = (int)key->size, .tail = ""};
    if (open == NULL) {
        return true;
    }
    char *end;
    errno = 0;
    p->first = strtoll(open + 1, &end, 10);
    if (end == open + 1 || strncmp(end, "..", 2) != 0) {
        sim_error(r->d, key->place, "'%s' is no pattern of names; write \"t-{1..1000}\"",
                  key->text);
        return false;
    }
    const char *second = end + 2;
    p->last = strtoll(second, &end, 10);
    p->tail = end + 1;
    p->head_size = (int)(open - key->text);
    p->is_pattern = true;
    if (end == second || *end != '}' || errno != 0 || p->first < 0 || p->last < p->first ||
        p->last - p->first >= SIM_PARTITIONS_MAX) {
        sim_error(r->d, key->place, "'%s' is no pattern of names; write \"t-{1..1000}\"",
                  key->text);
        return false;
    }
    return true;
}

static void add_topic(struct sim_reader *r, const struct sim_topic *model, char *name,
                      struct sim_place place)
{
    struct sim_scenario *s = r->s;
    if (!sm_topic_name_is_legal(name, strlen(name))) {
        sim_error(r->d, place, "'%s' is no legal topic name", name);
        sim_note(r->d, "1 to %d of letters, digits, '.', '_' and '-'", SM_TOPIC_NAME_MAX);
        return;
    }
    s->topics = sim_memory_grow(r->memory, s->topics, sizeof(*s->topics), s->topic_count);
    s->topics[s->topic_count] = *model;
    s->topics[s->topic_count].name = name;
    s->topics[s->topic_count++].place = place;
    sim_know_topic(r, name, model->partition_count);
}

static bool read_topic_keys(struct sim_reader *r, const struct sim_yaml *key,
                            const struct sim_yaml *node, struct sim_topic *out)
{
    const struct sim_yaml *assignment = sim_yaml_get(node, "assignment");
    const struct sim_yaml *partitions = sim_yaml_get(node, "partitions");
    const struct sim_yaml *factor = sim_yaml_get(node, "replication-factor");
    const struct sim_yaml *config = sim_yaml_get(node, "config");
    int32_t ids[SIM_NODES_MAX];
    const int32_t brokers = (int32_t)broker_ids(r->s, ids);
    bool good = true;
    if (config != NULL) {
        good = sim_read_config(r, config, &out->config, &out->config_count);
    }
    if (assignment != NULL) {
        if (partitions != NULL || factor != NULL) {
            sim_error(r->d, (partitions != NULL ? partitions : factor)->place,
                      "a topic has either an assignment, or partitions and a replication-factor");
            return false;
        }
        return sim_read_assignment(r, assignment, 0, &out->assignment, &out->partition_count) &&
               good;
    }
    out->partition_count = r->s->settings.num_partitions;
    out->replication_factor = r->s->settings.default_replication_factor;
    if (partitions != NULL) {
        good = sim_read_int32(r, partitions, "partitions", 1, SIM_PARTITIONS_MAX,
                              &out->partition_count) &&
               good;
    }
    if (factor != NULL) {
        good = sim_read_int32(r, factor, "replication-factor", 1, SM_REPLICAS_MAX,
                              &out->replication_factor) &&
               good;
    }
    if (good && out->replication_factor > brokers) {
        return sim_error(r->d, (factor != NULL ? factor : key)->place,
                         "replication-factor %d, but there %s %d broker%s", out->replication_factor,
                         brokers == 1 ? "is" : "are", brokers, brokers == 1 ? "" : "s");
    }
    return good;
}

static void read_topic(struct sim_reader *r, const struct sim_yaml *key,
                       const struct sim_yaml *node)
{
    struct name_pattern p;
    struct sim_topic model = {0};
    if (!parse_name_pattern(r, key, &p)) {
        return;
    }
    const bool keys = sim_read_keys(r, node, SIM_SHAPE_TOPIC, SIM_SHAPE_END);
    if (node->kind != SIM_YAML_MAP) {
        return;
    }
    const bool good = read_topic_keys(r, key, node, &model) && keys;
    if (!good && model.partition_count == 0) {
        model.partition_count = INT32_MAX; /* known by name, so that one slip is one error */
    }
    if (!p.is_pattern) {
        add_topic(r, &model, key->text, key->place);
        return;
    }
    int64_t all = 0;
    for (uint32_t i = 0; i < r->s->topic_count; i++) {
        all += r->s->topics[i].partition_count;
    }
    if (all + (p.last - p.first + 1) * model.partition_count > SIM_PARTITIONS_MAX) {
        sim_error(r->d, key->place, "more than %d partitions in all (SIM_PARTITIONS_MAX)",
                  SIM_PARTITIONS_MAX);
        return;
    }
    for (int64_t i = p.first; i <= p.last; i++) {
        char *name =
            sim_memory_format(r->memory, "%.*s%" PRId64 "%s", p.head_size, p.head, i, p.tail);
        if (!sm_topic_name_is_legal(name, strlen(name))) {
            add_topic(r, &model, name, key->place); /* tells, once */
            return;
        }
        add_topic(r, &model, name, key->place);
    }
}

static int compare_known(const void *a, const void *b)
{
    return strcmp(((const struct sim_known_topic *)a)->name,
                  ((const struct sim_known_topic *)b)->name);
}

static void check_topics_once(struct sim_reader *r)
{
    if (r->topic_count > 1) {
        qsort(r->topics, r->topic_count, sizeof(*r->topics), compare_known);
    }
    struct sim_place place = {0};
    for (uint32_t i = 1; i < r->topic_count; i++) {
        if (strcmp(r->topics[i - 1].name, r->topics[i].name) != 0) {
            continue;
        }
        for (uint32_t t = 0; t < r->s->topic_count; t++) {
            if (strcmp(r->s->topics[t].name, r->topics[i].name) == 0) {
                place = r->s->topics[t].place; /* the later of the two */
            }
        }
        sim_error(r->d, place, "topic %s stands twice%s", r->topics[i].name,
                  r->s->dump != NULL ? " (the dump may have it)" : "");
    }
}

static void read_topics(struct sim_reader *r, const struct sim_yaml *node)
{
    if (node == NULL) {
        return;
    }
    if (node->kind != SIM_YAML_MAP) {
        sim_error(r->d, node->place,
                  "topics is a mapping: {orders: {partitions: 6, replication-factor: 3}}");
        return;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        read_topic(r, node->keys[i], node->items[i]);
    }
}

/* Topics that steps create are known too; topics that gain partitions have no known end. */
static void learn_topics_of_steps(struct sim_reader *r, const struct sim_yaml *steps)
{
    const uint32_t before = r->topic_count;
    sim_read_step_names(r, steps);
    uint32_t kept = before;
    for (uint32_t i = before; i < r->topic_count; i++) {
        bool known = false;
        for (uint32_t j = 0; j < kept; j++) {
            if (strcmp(r->topics[j].name, r->topics[i].name) == 0) {
                r->topics[j].partitions = INT32_MAX;
                known = true;
            }
        }
        if (!known) {
            r->topics[kept++] = r->topics[i];
        }
    }
    r->topic_count = kept;
    if (kept > 1) {
        qsort(r->topics, r->topic_count, sizeof(*r->topics), compare_known);
    }
}

/* ---- the file ---- */

static void read_version(struct sim_reader *r, const struct sim_yaml *root)
{
    static const char *const words[] = {"2.8", "2.8-fixed", "0.9", "0.8.2", NULL};
    const struct sim_yaml *kafka = sim_yaml_get(root, "kafka");
    uint32_t index;
    if (kafka != NULL && sim_read_word(r, kafka, "version of Kafka", words, &index)) {
        r->s->version = sm_version_named(words[index]);
        assert(r->s->version != SM_VERSION_NONE);
    }
    r->s->profile = sm_profile_of(r->s->version);
    r->s->settings = sim_settings_default(r->s->version);
}

static void read_defects(struct sim_reader *r, const struct sim_yaml *node)
{
    const char *names[SM_DEFECT_END + 1];
    if (node == NULL) {
        return;
    }
    if (node->kind != SIM_YAML_MAP) {
        sim_error(r->d, node->place, "defects is a mapping: {KAFKA-13225: off}");
        return;
    }
    for (int i = 0; i < SM_DEFECT_END; i++) {
        names[i] = sm_defect_jira((enum sm_defect)i);
    }
    names[SM_DEFECT_END] = NULL;
    for (uint32_t i = 0; i < node->count; i++) {
        const enum sm_defect defect = sm_defect_named(node->keys[i]->text);
        bool on;
        if (defect == SM_DEFECT_END) {
            sim_error(r->d, node->keys[i]->place, "unknown defect '%s'", node->keys[i]->text);
            sim_suggest(r->d, node->keys[i]->text, names);
            sim_note(r->d, "see: kcsim explain defects");
        } else if (sim_read_bool(r, node->items[i], "a defect's switch", &on)) {
            const uint64_t bit = UINT64_C(1) << defect;
            r->s->profile.defects = on ? r->s->profile.defects | bit : r->s->profile.defects & ~bit;
        }
    }
}

static void read_until(struct sim_reader *r, const struct sim_yaml *node)
{
    if (node == NULL || (node->kind == SIM_YAML_SCALAR && strcmp(node->text, "quiet") == 0)) {
        return;
    }
    if (sim_read_time(r, node, "until", &r->s->until_us)) {
        r->s->until_quiet = false;
    } else {
        sim_note(r->d, "or quiet: until nothing is left to do");
    }
}

static void read_head(struct sim_reader *r, const struct sim_yaml *root)
{
    const struct sim_yaml *value;
    int64_t seed;
    static const struct {
        const char *key;
        size_t offset;
    } texts[] = {
        {"title", offsetof(struct sim_scenario, title)},
        {"question", offsetof(struct sim_scenario, question)},
        {"source", offsetof(struct sim_scenario, source)},
    };
    for (unsigned i = 0; i < 3; i++) {
        if ((value = sim_yaml_get(root, texts[i].key)) != NULL) {
            sim_read_text(r, value, texts[i].key,
                          (char **)(void *)((char *)r->s + texts[i].offset));
        }
    }
    if (r->s->title == NULL) {
        sim_error(r->d, root->place, "a scenario has a title");
    }
    read_version(r, root);
    read_defects(r, sim_yaml_get(root, "defects"));
    if ((value = sim_yaml_get(root, "seed")) != NULL &&
        sim_read_int(r, value, "seed", 0, INT64_MAX, &seed)) {
        r->s->seed = (uint64_t)seed;
    }
    read_until(r, sim_yaml_get(root, "until"));
}

static void read_file(struct sim_reader *r, const struct sim_yaml *root)
{
    sim_read_keys(r, root, SIM_SHAPE_FILE, SIM_SHAPE_END);
    if (root->kind != SIM_YAML_MAP) {
        return;
    }
    read_head(r, root);
    read_cluster(r, root);
    topics_of_dump(r);
    read_topics(r, sim_yaml_get(root, "topics"));
    check_topics_once(r);
    learn_topics_of_steps(r, sim_yaml_get(root, "steps"));
    sim_read_given(r, sim_yaml_get(root, "given"));
    sim_read_clients(r, sim_yaml_get(root, "clients"));
    sim_read_steps(r, sim_yaml_get(root, "steps"));
    sim_read_random(r, sim_yaml_get(root, "random"));
    sim_read_heal(r, sim_yaml_get(root, "heal"));
    sim_read_expect(r, sim_yaml_get(root, "expect"));
    sim_read_lesson(r, sim_yaml_get(root, "lesson"));
    if (r->s->until_quiet) {
        r->s->until_us = r->latest_us + DEFAULT_HORIZON_US;
    }
}

bool sim_step_is_by_znode(const struct sim_scenario *s, const struct sim_step *step)
{
    if (step->via != SIM_VIA_DEFAULT) {
        return step->via == SIM_VIA_ZNODE;
    }
    return s->version == SM_VERSION_0_9 || s->version == SM_VERSION_0_8_2;
}

struct sim_scenario *sim_scenario_parse(const char *file, const char *text, size_t size,
                                        struct sim_diagnostics *d)
{
    return sim_scenario_parse_with(file, text, size, NULL, 0, d);
}

struct sim_scenario *sim_scenario_parse_with(const char *file, const char *text, size_t size,
                                             const struct sim_scenario_file *beside, uint32_t count,
                                             struct sim_diagnostics *d)
{
    struct sim_scenario *s = sim_scenario_new(file);
    struct sim_reader r = {
        .s = s, .memory = s->memory, .d = d, .beside = beside, .beside_count = count};
    const uint32_t errors = d->errors;
    s->text = sim_memory_copy(s->memory, text, size);
    s->text_size = size;
    sim_diagnostics_source(d, s->file, s->text, size);
    const struct sim_yaml *root = sim_yaml_parse(r.memory, s->text, size, d);
    if (root != NULL) {
        read_file(&r, root);
    }
    if (d->errors > errors) {
        sim_diagnostics_source(d, "", NULL, 0);
        sim_scenario_free(s);
        return NULL;
    }
    return s;
}

struct sim_scenario *sim_scenario_load(const char *file, struct sim_diagnostics *d)
{
    size_t size;
    sim_diagnostics_source(d, file, NULL, 0);
    char *text = load_bytes(file, SIM_YAML_SIZE_MAX, (struct sim_place){0}, &size, d);
    if (text == NULL) {
        return NULL;
    }
    struct sim_scenario *s = sim_scenario_parse(file, text, size, d);
    free(text);
    return s;
}
