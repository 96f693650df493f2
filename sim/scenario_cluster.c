/*
 * `cluster` and `dump`: processes, ZooKeeper, settings. Nodes stand in the file or come from the
 * brokers that a dump of ZooKeeper has registered; either way topics find them here.
 */
#include "sim/scenario.h"

#include <string.h>

#include "sim/dump.h"
#include "sim/properties.h"
#include "sim/scenario_read.h"
#include "statemachine/znode.h"

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

void sim_read_cluster(struct sim_reader *r, const struct sim_yaml *root)
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
