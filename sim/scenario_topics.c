/*
 * `topics`, and where their replicas stand: as the file says, or by Kafka's rule. Names of topics
 * that other parts of the file may use are gathered here, those that steps create included.
 */
#include "sim/scenario.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/dump.h"
#include "sim/scenario_read.h"
#include "statemachine/znode.h"

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

void sim_read_topics(struct sim_reader *r, const struct sim_yaml *root)
{
    topics_of_dump(r);
    read_topics(r, sim_yaml_get(root, "topics"));
    check_topics_once(r);
    learn_topics_of_steps(r, sim_yaml_get(root, "steps"));
}
