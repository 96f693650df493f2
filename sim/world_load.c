/*
 * A scenario's beginning: what ZooKeeper holds at time 0, and the processes.
 *
 * A world that begins from a dump begins in the middle of its cluster's life: every process that
 * the dump shows as registered takes over a session that owns that registration, so that its broker
 * epoch (the czxid) is the dumped one. /controller is left out: the memory of that controller is
 * not in the dump, so that the first thing to happen is an election.
 */
#include <assert.h>
#include <stdio.h>

#include "sim/dump.h"
#include "sim/world_state.h"

enum { GIVEN_NODES_MAX = 20000 };

/* ---- znodes ---- */

static void put_dump_node(struct sim_world *w, const struct sim_dump_node *n)
{
    struct wire_zk_stat stat = n->stat;
    int32_t id;
    if (n->ephemeral) {
        if (!sm_path_is_broker(n->path, &id))
            return;
        struct sim_process *p = sim_find(w, id);
        const struct sim_node *node = sim_scenario_node(w->scenario, id);
        if (p == NULL || node == NULL || node->down || !p->registers)
            return;
        sim_zk_given_session(w, p);
        stat.ephemeral_owner = p->given_session;
    }
    sim_zk_put(w, n->path, n->data, n->data_size, &stat);
}

static void put_dump(struct sim_world *w, const struct sim_dump *dump)
{
    for (uint32_t i = 0; i < dump->count; i++)
        put_dump_node(w, &dump->nodes[i]);
}

static void put_topic(struct sim_world *w, const struct sim_topic *t)
{
    char path[SM_PATH_MAX];
    size_t size;
    uint32_t count = (uint32_t)t->partition_count;
    struct sm_list *lists = sim_alloc(count * sizeof(*lists));
    int32_t *numbers = sim_alloc(count * sizeof(*numbers));
    for (uint32_t i = 0; i < count; i++) {
        numbers[i] = (int32_t)i;
        sim_topic_replicas(w->scenario, t, (int32_t)i, &lists[i]);
    }
    char *data = sim_config_znode(t->config, t->config_count, &size);
    sm_path_config_topic(path, t->name);
    sim_zk_put(w, path, data, size, NULL);
    sim_free(data);
    data = sim_topic_znode(numbers, lists, count, &size);
    sm_path_topic(path, t->name);
    sim_zk_put(w, path, data, size, NULL);
    sim_free(data);
    sim_free(lists);
    sim_free(numbers);
}

static void put_given(struct sim_world *w, const struct sim_given *g)
{
    char path[SM_PATH_MAX], data[SM_STATE_BYTES_MAX];
    struct sm_leader_and_isr li = {.leader = g->leader,
                                   .leader_epoch = g->leader_epoch,
                                   .controller_epoch = g->controller_epoch,
                                   .isr = g->isr};
    struct wire_zk_stat stat = {.version = g->zk_version};
    size_t size = sm_znode_encode_state(data, &li);
    sm_path_partition_state(path, g->topic_name, g->partition);
    stat.czxid = kz_server_zxid(w->zk) + 1;
    stat.mzxid = stat.czxid + g->zk_version;
    stat.pzxid = stat.czxid;
    stat.data_length = (int32_t)size;
    sim_zk_put(w, path, data, size, &stat);
}

static void put_epoch(struct sim_world *w)
{
    char data[16];
    int32_t epoch = 0, present = 0;
    struct wire_zk_stat stat;
    const uint8_t *bytes;
    uint32_t bytes_size;
    bool has_data;
    for (uint32_t i = 0; i < w->scenario->given_count; i++)
        if (w->scenario->given[i].controller_epoch > epoch)
            epoch = w->scenario->given[i].controller_epoch;
    if (kz_server_get(w->zk, SM_PATH_CONTROLLER_EPOCH, &stat, &bytes, &bytes_size, &has_data) &&
        sm_znode_decode_epoch((const char *)bytes, bytes_size, &present) == SM_ERR_OK &&
        present >= epoch)
        return;
    if (epoch == 0)
        return;
    size_t size = sm_znode_encode_epoch(data, sizeof(data), epoch);
    stat = (struct wire_zk_stat){.version = epoch, .data_length = (int32_t)size};
    stat.czxid = stat.mzxid = stat.pzxid = kz_server_zxid(w->zk) + 1;
    sim_zk_put(w, SM_PATH_CONTROLLER_EPOCH, data, size, &stat);
}

/* ---- the first record ---- */

static uint32_t count_nodes(const struct sim_world *w)
{
    char buffer[KZ_PATH_MAX];
    uint32_t count = 0;
    for (const char *path = NULL;
         count <= GIVEN_NODES_MAX &&
         (path = kz_server_next_path(w->zk, path, buffer, sizeof(buffer))) != NULL;)
        count++;
    return count;
}

static void set_znodes(struct sim_world *w)
{
    char buffer[KZ_PATH_MAX];
    for (const char *path = NULL;
         (path = kz_server_next_path(w->zk, path, buffer, sizeof(buffer))) != NULL;) {
        struct wire_zk_stat stat;
        const uint8_t *data;
        uint32_t size;
        bool has_data;
        bool found = kz_server_get(w->zk, path, &stat, &data, &size, &has_data);
        assert(found);
        sim_trace_set_znode(w->trace, path, has_data ? data : NULL, size, &stat);
    }
}

static void record_given(struct sim_world *w)
{
    if (!sim_trace_begin(w->trace, SIM_K_GIVEN, 0, SIM_LANE_WORLD, 0, 0))
        return;
    if (count_nodes(w) <= GIVEN_NODES_MAX)
        set_znodes(w);
    for (uint32_t i = 0; i < w->process_count; i++) {
        const struct sim_process *p = w->processes[i];
        const struct sim_node *n = sim_scenario_node(w->scenario, p->id);
        sim_trace_set_node(w->trace, p->id, n->down ? "down" : "up", n->down ? 0 : 1);
    }
    sim_trace_end(w->trace);
}

/* ---- all of it ---- */

static void add_node(struct sim_world *w, const struct sim_node *n)
{
    sim_world_add(w, &(struct sim_process_options){.id = n->id,
                                                   .role = n->role,
                                                   .registers = n->role != SIM_NODE_CONTROLLER,
                                                   .full = n->role != SIM_NODE_CONTROLLER &&
                                                           n->behaviour == SIM_BEHAVIOUR_FULL,
                                                   .rack = n->rack,
                                                   .profile = w->scenario->profile,
                                                   .settings = n->settings});
}

void sim_world_load(struct sim_world *w, const struct sim_scenario *scenario)
{
    SIM_IN(w);
    assert(w->scenario == NULL);
    assert(w->now_us == 0);
    w->scenario = sim_random_plan(w, scenario);
    if (scenario->random.is_on || w->options.seed != 1)
        w->options.delays.drawn = true;
    for (uint32_t i = 0; i < scenario->node_count; i++)
        add_node(w, &scenario->nodes[i]);
    if (scenario->dump != NULL)
        put_dump(w, scenario->dump);
    for (uint32_t i = 0; i < scenario->topic_count; i++)
        put_topic(w, &scenario->topics[i]);
    for (uint32_t i = 0; i < scenario->given_count; i++)
        put_given(w, &scenario->given[i]);
    put_epoch(w);
    sim_zk_lag(w, scenario->zookeeper.servers, scenario->zookeeper.lag_us);
    record_given(w);
    sim_world_put_logs(w);
    sim_clients_load(w);
    sim_steps_load(w);
    for (uint32_t i = 0; i < scenario->node_count; i++)
        if (!scenario->nodes[i].down)
            sim_world_start(w, scenario->nodes[i].id, 0);
    sim_clients_start(w);
}
