/*
 * What is given: the state znode of a partition, and the logs of its replicas, before the first
 * process starts.
 *
 * Only what can have come about is taken: leader epochs that never fall in a log, one record per
 * offset and epoch, a high watermark that all of the ISR have reached.
 */
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "sim/scenario_read.h"

/* ---- the state ---- */

static bool read_given_leader(struct sim_reader *r, const struct sim_yaml *node, int32_t *leader)
{
    if (node->kind == SIM_YAML_SCALAR && strcmp(node->text, "none") == 0) {
        *leader = SM_NO_LEADER;
        return true;
    }
    return sim_read_node_id(r, node, "leader", leader);
}

static const struct sim_topic *topic_named(const struct sim_scenario *s, const char *name,
                                           uint32_t *index)
{
    *index = UINT32_MAX;
    for (uint32_t i = 0; i < s->topic_count; i++) {
        if (strcmp(s->topics[i].name, name) == 0) {
            *index = i;
            return &s->topics[i];
        }
    }
    return NULL;
}

static void check_given(struct sim_reader *r, const struct sim_yaml *isr, const struct sim_given *g)
{
    if (g->leader != SM_NO_LEADER && !sm_list_has(&g->isr, g->leader)) {
        sim_error(r->d, isr->place, "the leader %d is not in the ISR", g->leader);
    }
    if (g->isr.count == 0) {
        sim_error(r->d, isr->place, "an ISR has at least one member");
    }
    if (g->topic == UINT32_MAX || r->s->topics[g->topic].partition_count <= g->partition) {
        return;
    }
    struct sm_list replicas;
    sim_topic_replicas(r->s, &r->s->topics[g->topic], g->partition, &replicas);
    if (!sm_list_subset(&g->isr, &replicas)) {
        sim_warning(r->d, isr->place, "the ISR has members that are no replicas of the partition");
    }
}

/* ---- logs ---- */

/* VALUE@EPOCH */
static bool read_record(struct sim_reader *r, const struct sim_yaml *node,
                        const struct sim_given *g, int32_t before, struct sim_given_record *out)
{
    int64_t epoch = -1;
    if (!sim_read_is_scalar(r, node, "a record")) {
        return false;
    }
    const char *at = strrchr(node->text, '@');
    if (at == NULL || at == node->text || !sim_parse_int(at + 1, &epoch) || epoch < 0) {
        return sim_error(r->d, node->place,
                         "'%s' is no record; write VALUE@EPOCH, like a@0: what was written, and "
                         "in which leader epoch",
                         node->text);
    }
    if (epoch < before) {
        return sim_error(r->d, node->place,
                         "leader epochs never fall in a log: %s behind a record of epoch %d",
                         node->text, before);
    }
    if (epoch > g->leader_epoch) {
        return sim_error(r->d, node->place,
                         "a record of epoch %s, and the partition's leader epoch is %d", at + 1,
                         g->leader_epoch);
    }
    out->value = sim_memory_copy(r->memory, node->text, (size_t)(at - node->text));
    out->epoch = (int32_t)epoch;
    return true;
}

/* One leader wrote one record at an offset: logs that disagree there cannot come to be. */
static bool check_agree(struct sim_reader *r, const struct sim_yaml *records,
                        const struct sim_given *g, const struct sim_given_log *log)
{
    for (uint32_t i = 0; i < g->log_count; i++) {
        const struct sim_given_log *other = &g->logs[i];
        for (uint32_t n = 0; n < other->count && n < log->count; n++) {
            if (other->records[n].epoch == log->records[n].epoch &&
                strcmp(other->records[n].value, log->records[n].value) != 0) {
                return sim_error(
                    r->d, records->items[n]->place,
                    "broker %d has %s@%d at offset %u: the leader of one epoch wrote one record",
                    other->broker, other->records[n].value, other->records[n].epoch, n);
            }
        }
    }
    return true;
}

static bool check_holder(struct sim_reader *r, const struct sim_yaml *key,
                         const struct sim_given *g, int32_t broker)
{
    struct sm_list replicas;
    for (uint32_t i = 0; i < g->log_count; i++) {
        if (g->logs[i].broker == broker) {
            return sim_error(r->d, key->place, "broker %d has two logs", broker);
        }
    }
    if (sim_scenario_node(r->s, broker)->behaviour != SIM_BEHAVIOUR_FULL) {
        return sim_error(r->d, key->place, "node %d hosts no logs (behaviour: scripted)", broker);
    }
    if (g->topic == UINT32_MAX || r->s->topics[g->topic].partition_count <= g->partition) {
        return true;
    }
    sim_topic_replicas(r->s, &r->s->topics[g->topic], g->partition, &replicas);
    return sm_list_has(&replicas, broker) ||
           sim_error(r->d, key->place, "broker %d is no replica of %s-%d", broker, g->topic_name,
                     g->partition);
}

static bool read_log(struct sim_reader *r, const struct sim_yaml *key, const struct sim_yaml *node,
                     struct sim_given *g)
{
    struct sim_given_log log = {0};
    bool good =
        sim_read_node_id(r, key, "a broker id", &log.broker) && check_holder(r, key, g, log.broker);
    if (node->kind != SIM_YAML_LIST || node->count > SIM_GIVEN_RECORDS_MAX) {
        return sim_error(r->d, node->place, "a log is a list of at most %d records: [a@0, b@0]",
                         SIM_GIVEN_RECORDS_MAX);
    }
    log.records = sim_memory_take(r->memory, (node->count + 1) * sizeof(*log.records));
    for (uint32_t i = 0; good && i < node->count; i++) {
        good = read_record(r, node->items[i], g, i == 0 ? 0 : log.records[i - 1].epoch,
                           &log.records[i]);
    }
    log.count = node->count;
    if (!good || !check_agree(r, node, g, &log)) {
        return false;
    }
    g->logs[g->log_count++] = log;
    return true;
}

static bool read_logs(struct sim_reader *r, const struct sim_yaml *node, struct sim_given *g)
{
    bool good = true;
    if (node == NULL) {
        return true;
    }
    if (node->kind != SIM_YAML_MAP) {
        return sim_error(r->d, node->place,
                         "log is a mapping by broker: {1: [a@0, b@0], 2: [a@0]}");
    }
    g->logs = sim_memory_take(r->memory, (node->count + 1) * sizeof(*g->logs));
    for (uint32_t i = 0; i < node->count; i++) {
        good = read_log(r, node->keys[i], node->items[i], g) && good;
    }
    return good;
}

static uint32_t end_of(const struct sim_given *g, int32_t broker)
{
    for (uint32_t i = 0; i < g->log_count; i++) {
        if (g->logs[i].broker == broker) {
            return g->logs[i].count;
        }
    }
    return 0;
}

/* Not said: what all of the ISR have is committed. */
static bool read_hw(struct sim_reader *r, const struct sim_yaml *node, struct sim_given *g)
{
    int64_t most = g->isr.count == 0 ? 0 : INT64_MAX;
    for (int32_t i = 0; i < g->isr.count; i++) {
        const uint32_t end = end_of(g, g->isr.id[i]);
        most = end < most ? end : most;
    }
    g->hw = most;
    if (node == NULL || !sim_read_int(r, node, "hw", 0, INT32_MAX, &g->hw)) {
        return node == NULL;
    }
    return g->hw <= most || sim_error(r->d, node->place,
                                      "high watermark %" PRId64
                                      ", but not all of the ISR have more than %" PRId64 " records",
                                      g->hw, most);
}

/* ---- a partition ---- */

static void read_given_one(struct sim_reader *r, const struct sim_yaml *key,
                           const struct sim_yaml *node)
{
    struct sim_given g = {.leader = SM_NO_LEADER, .controller_epoch = 1, .place = key->place};
    bool good = sim_read_keys(r, node, SIM_SHAPE_GIVEN, SIM_SHAPE_END);
    good = sim_read_partition(r, key, key->text, &g.topic_name, &g.partition) && good;
    if (node->kind != SIM_YAML_MAP) {
        return;
    }
    const struct sim_yaml *leader = sim_yaml_get(node, "leader"), *isr = sim_yaml_get(node, "isr");
    if (leader == NULL || isr == NULL) {
        sim_error(r->d, key->place, "a given partition has a leader and an isr");
        return;
    }
    static const struct {
        const char *key;
        size_t offset;
    } numbers[] = {
        {"epoch", offsetof(struct sim_given, leader_epoch)},
        {"zk-version", offsetof(struct sim_given, zk_version)},
        {"controller-epoch", offsetof(struct sim_given, controller_epoch)},
    };
    good = read_given_leader(r, leader, &g.leader) && good;
    good = sim_read_ids(r, isr, "isr", &g.isr) && good;
    for (unsigned i = 0; i < 3; i++) {
        const struct sim_yaml *value = sim_yaml_get(node, numbers[i].key);
        int32_t *out = (int32_t *)(void *)((char *)&g + numbers[i].offset);
        if (value != NULL) {
            good = sim_read_int32(r, value, numbers[i].key, 0, 1000000000, out) && good;
        }
    }
    if (!good) {
        return;
    }
    topic_named(r->s, g.topic_name, &g.topic);
    check_given(r, isr, &g);
    good = read_logs(r, sim_yaml_get(node, "log"), &g) && read_hw(r, sim_yaml_get(node, "hw"), &g);
    r->s->given = sim_memory_grow(r->memory, r->s->given, sizeof(g), r->s->given_count);
    r->s->given[r->s->given_count++] = g;
}

void sim_read_given(struct sim_reader *r, const struct sim_yaml *node)
{
    if (node == NULL) {
        return;
    }
    if (node->kind != SIM_YAML_MAP) {
        sim_error(r->d, node->place, "given is a mapping: {orders-0: {leader: 1, isr: [1, 2]}}");
        return;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        read_given_one(r, node->keys[i], node->items[i]);
    }
}
