/*
 * Targets of steps: whom a fault hits. An id, a list of ids and clients, a word, or a role that is
 * resolved when the step fires.
 */
#include <string.h>

#include "sim/scenario_read.h"

static const char *const target_words[] = {"all",
                                           "any",
                                           "minority",
                                           "controller",
                                           "leader of",
                                           "isr of",
                                           "followers of",
                                           "group coordinator of",
                                           "transaction coordinator of",
                                           NULL};

static bool unknown_target(struct sim_reader *r, const struct sim_yaml *node)
{
    sim_error(r->d, node->place, "unknown target '%s'", node->text);
    for (uint32_t i = 0; i < r->label_count; i++) {
        if (strcmp(node->text, r->labels[i].name) == 0) {
            sim_note(r->d, "did you mean '*%s'? (in quotes: whom the step '%s' hit)", node->text,
                     node->text);
            return false;
        }
    }
    sim_suggest(r->d, node->text, target_words);
    sim_note(r->d, "targets: a node id (%s) or a list of them, all, any, minority, controller,",
             sim_known_ids(r));
    sim_note(r->d, "  leader of T-P, isr of T-P, followers of T-P, '*LABEL'%s",
             r->s->client_count > 0 ? ", the name of a client" : "");
    sim_note(r->d, "  group coordinator of G, transaction coordinator of X");
    sim_note(r->d, "see: kcsim explain targets");
    return false;
}

static bool read_label_target(struct sim_reader *r, const struct sim_yaml *node, const char *name,
                              struct sim_target *out)
{
    const char **names = sim_memory_take(r->memory, (r->label_count + 1) * sizeof(*names));
    for (uint32_t i = 0; i < r->label_count; i++) {
        names[i] = r->labels[i].name;
        if (strcmp(name, names[i]) == 0) {
            out->kind = SIM_TARGET_LABEL;
            out->step = r->labels[i].step;
            return true;
        }
    }
    sim_error(r->d, node->place, "no step has the label '%s'", name);
    sim_suggest(r->d, name, names);
    return false;
}

static bool read_role_target(struct sim_reader *r, const struct sim_yaml *node,
                             struct sim_target *out)
{
    static const struct {
        const char *prefix;
        enum sim_target_kind kind;
    } roles[] = {
        {"leader of ", SIM_TARGET_LEADER},
        {"isr of ", SIM_TARGET_ISR},
        {"followers of ", SIM_TARGET_FOLLOWERS},
    };
    static const struct {
        const char *prefix;
        enum sim_target_kind kind;
    } coordinators[] = {
        {"group coordinator of ", SIM_TARGET_GROUP_COORDINATOR},
        {"transaction coordinator of ", SIM_TARGET_TRANSACTION_COORDINATOR},
    };
    for (unsigned i = 0; i < 2; i++) {
        const size_t size = strlen(coordinators[i].prefix);
        if (strncmp(node->text, coordinators[i].prefix, size) == 0 && node->text[size] != '\0') {
            out->kind = coordinators[i].kind;
            out->key = node->text + size;
            return true;
        }
    }
    for (unsigned i = 0; i < 3; i++) {
        const size_t size = strlen(roles[i].prefix);
        if (strncmp(node->text, roles[i].prefix, size) == 0) {
            out->kind = roles[i].kind;
            return sim_read_partition(r, node, node->text + size, &out->topic, &out->partition);
        }
    }
    return unknown_target(r, node);
}

/* A client's name; one of a row may mean several. */
static bool read_client_target(struct sim_reader *r, const struct sim_yaml *node,
                               struct sim_target *out)
{
    int32_t *ids = sim_memory_take(r->memory, (r->s->client_count + 1) * sizeof(*ids));
    uint32_t count = sim_named_clients(r, node->text, ids);
    if (count == 0) {
        return false;
    }
    out->kind = SIM_TARGET_IDS;
    out->ids = ids;
    out->id_count = count;
    return true;
}

static bool read_scalar_target(struct sim_reader *r, const struct sim_yaml *node,
                               bool zookeeper_too, struct sim_target *out)
{
    static const struct {
        const char *word;
        enum sim_target_kind kind;
    } words[] = {
        {"all", SIM_TARGET_ALL},
        {"any", SIM_TARGET_ANY},
        {"minority", SIM_TARGET_MINORITY},
        {"controller", SIM_TARGET_CONTROLLER},
        {"zookeeper", SIM_TARGET_ZOOKEEPER},
    };
    static const char *const later[] = {"task ", "job "};
    int64_t number;
    if (sim_parse_int(node->text, &number)) {
        out->kind = SIM_TARGET_IDS;
        out->ids = sim_memory_take(r->memory, sizeof(*out->ids));
        out->id_count = 1;
        return sim_read_node_id(r, node, "a node id", out->ids);
    }
    if (node->text[0] == '*') {
        return read_label_target(r, node, node->text + 1, out);
    }
    for (unsigned i = 0; i < 2; i++) {
        if (strncmp(node->text, later[i], strlen(later[i])) == 0) {
            sim_error(r->d, node->place, "target '%s' is not modelled yet", node->text);
            sim_note(r->d, "see: kcsim fidelity");
            return false;
        }
    }
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(node->text, words[i].word) == 0) {
            out->kind = words[i].kind;
            if (words[i].kind == SIM_TARGET_ZOOKEEPER && !zookeeper_too) {
                sim_error(r->d, node->place, "zookeeper is no node; only partition cuts it off");
                sim_note(r->d,
                         "ZooKeeper's own faults: lose-quorum, delay, fail, expire, disconnect");
                return false;
            }
            return true;
        }
    }
    return read_client_target(r, node, out) || read_role_target(r, node, out);
}

static bool add_target_id(struct sim_reader *r, const struct sim_yaml *node, int32_t id,
                          struct sim_target *out)
{
    for (uint32_t j = 0; j < out->id_count; j++) {
        if (out->ids[j] == id) {
            return sim_error(r->d, node->place, "%s stands twice", node->text);
        }
    }
    out->ids[out->id_count++] = id;
    return true;
}

/* One element of a list: a node's id, the name of a client, or the ensemble. */
static bool read_target_item(struct sim_reader *r, const struct sim_yaml *node, bool zookeeper_too,
                             struct sim_target *out)
{
    struct sim_target client = {0};
    int32_t id;
    bool good = true;
    if (zookeeper_too && node->kind == SIM_YAML_SCALAR && strcmp(node->text, "zookeeper") == 0) {
        return add_target_id(r, node, SIM_ENSEMBLE, out);
    }
    if (node->kind == SIM_YAML_SCALAR && read_client_target(r, node, &client)) {
        for (uint32_t i = 0; i < client.id_count; i++) {
            good = add_target_id(r, node, client.ids[i], out) && good;
        }
        return good;
    }
    return sim_read_node_id(r, node, "a node id in a list", &id) && add_target_id(r, node, id, out);
}

bool sim_read_target(struct sim_reader *r, const struct sim_yaml *node, bool zookeeper_too,
                     struct sim_target *out)
{
    bool good = true;
    *out = (struct sim_target){.place = node->place};
    if (node->kind == SIM_YAML_SCALAR) {
        if (!sim_read_is_scalar(r, node, "a target")) {
            return false;
        }
        out->text = node->text;
        return read_scalar_target(r, node, zookeeper_too, out);
    }
    if (node->kind == SIM_YAML_MAP || node->count == 0) {
        sim_error(r->d, node->place, "a target is an id, a list of ids, or a role");
        sim_note(r->d, "see: kcsim explain targets");
        return false;
    }
    out->kind = SIM_TARGET_IDS;
    out->text = sim_read_source(r, node);
    out->ids = sim_memory_take(r->memory,
                               (node->count * (r->s->client_count + 1) + 1) * sizeof(*out->ids));
    for (uint32_t i = 0; i < node->count; i++) {
        good = read_target_item(r, node->items[i], zookeeper_too, out) && good;
    }
    return good;
}
