/*
 * Whom a target means, at the moment of the fault: roles are looked up in ZooKeeper's truth, as the
 * processes that play them may not know it yet.
 *
 *     leader of T-P ──► state znode            controller ──► /controller
 *     group coordinator of G ──► hash of G ──► leader of that partition of __consumer_offsets
 */
#include <stdlib.h>

#include "broker/groups.h"
#include "sim/world_state.h"

void sim_ids_add(struct sim_ids *ids, int32_t id)
{
    for (uint32_t i = 0; i < ids->count; i++)
        if (ids->id[i] == id)
            return;
    ids->id = sim_realloc(ids->id, (ids->count + 1) * sizeof(*ids->id));
    ids->id[ids->count++] = id;
}

static void ids_ascend(struct sim_ids *ids)
{
    for (uint32_t i = 1; i < ids->count; i++)
        for (uint32_t j = i; j > 0 && ids->id[j - 1] > ids->id[j]; j--) {
            int32_t id = ids->id[j];
            ids->id[j] = ids->id[j - 1];
            ids->id[j - 1] = id;
        }
}

static bool read_state(const struct sim_world *w, const char *topic, int32_t partition,
                       struct sm_leader_and_isr *li)
{
    char path[SM_PATH_MAX];
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    sm_path_partition_state(path, topic, partition);
    return kz_server_get(w->zk, path, &stat, &data, &size, &has_data) &&
           sm_znode_decode_state((const char *)data, size, stat.version, li) == SM_ERR_OK;
}

static void add_living(const struct sim_world *w, struct sim_ids *ids)
{
    for (uint32_t i = 0; i < w->process_count; i++)
        if (w->by_id[i]->life != SIM_DOWN)
            sim_ids_add(ids, w->by_id[i]->id);
}

/* Keeps `count` of the ids, drawn, ascending. */
static void keep_drawn(struct sim_world *w, struct sim_ids *ids, uint32_t count)
{
    while (ids->count > count) {
        uint64_t victim = sim_random_below(&w->random, ids->count);
        ids->id[victim] = ids->id[--ids->count];
    }
    ids_ascend(ids);
}

static void add_state_members(const struct sim_world *w, const struct sim_target *t,
                              struct sim_ids *ids)
{
    struct sm_leader_and_isr li;
    if (!read_state(w, t->topic, t->partition, &li))
        return;
    if (t->kind == SIM_TARGET_LEADER && li.leader >= 0)
        sim_ids_add(ids, li.leader);
    for (int32_t i = 0; t->kind != SIM_TARGET_LEADER && i < li.isr.count; i++)
        if (t->kind == SIM_TARGET_ISR || li.isr.id[i] != li.leader)
            sim_ids_add(ids, li.isr.id[i]);
}

uint32_t sim_partitions_of(const struct sim_world *w, const char *topic)
{
    char path[SM_PATH_MAX];
    struct wire_zk_stat stat;
    struct sm_topic_reader reader;
    struct sm_assignment a;
    const uint8_t *data;
    uint32_t size, count = 0;
    int32_t partition;
    bool has_data;
    sm_path_topic(path, topic);
    if (!kz_server_get(w->zk, path, &stat, &data, &size, &has_data) ||
        sm_topic_open(&reader, (const char *)data, size) != SM_ERR_OK)
        return 0;
    while (sm_topic_next(&reader, &partition, &a))
        count++;
    return count;
}

/* Who leads the partition of the coordinator's topic in which the name lies; nobody, as long as that
   topic does not exist. Source: GroupMetadataManager.partitionFor. */
static void add_coordinator(const struct sim_world *w, const struct sim_target *t,
                            struct sim_ids *ids)
{
    const char *topic = t->kind == SIM_TARGET_GROUP_COORDINATOR ? "__consumer_offsets"
                                                                : "__transaction_state";
    uint32_t count = sim_partitions_of(w, topic);
    struct sm_leader_and_isr li;
    if (count > 0 && read_state(w, topic, kb_coordinator_partition(t->key, count), &li) &&
        li.leader >= 0)
        sim_ids_add(ids, li.leader);
}

static void add_known(const struct sim_world *w, struct sim_ids *ids, const int32_t *id, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (id[i] == SIM_ENSEMBLE || sim_find(w, id[i]) != NULL)
            sim_ids_add(ids, id[i]);
}

struct sim_ids sim_target_resolve(struct sim_world *w, const struct sim_target *t)
{
    struct sim_ids ids = {0};
    int32_t controller;
    switch (t->kind) {
    case SIM_TARGET_NONE:
        break;
    case SIM_TARGET_ZOOKEEPER:
        sim_ids_add(&ids, SIM_ENSEMBLE);
        break;
    case SIM_TARGET_IDS:
        add_known(w, &ids, t->ids, t->id_count);
        break;
    case SIM_TARGET_ALL:
        for (uint32_t i = 0; i < w->process_count; i++)
            sim_ids_add(&ids, w->by_id[i]->id);
        break;
    case SIM_TARGET_ANY:
        add_living(w, &ids);
        keep_drawn(w, &ids, 1);
        break;
    case SIM_TARGET_MINORITY:
        add_living(w, &ids);
        keep_drawn(w, &ids, ids.count == 0 ? 0 : (ids.count - 1) / 2);
        break;
    case SIM_TARGET_CONTROLLER:
        controller = sim_world_named_controller(w);
        if (sim_find(w, controller) != NULL)
            sim_ids_add(&ids, controller);
        break;
    case SIM_TARGET_LEADER:
    case SIM_TARGET_ISR:
    case SIM_TARGET_FOLLOWERS:
        add_state_members(w, t, &ids);
        break;
    case SIM_TARGET_GROUP_COORDINATOR:
    case SIM_TARGET_TRANSACTION_COORDINATOR:
        add_coordinator(w, t, &ids);
        break;
    case SIM_TARGET_LABEL:
        add_known(w, &ids, w->steps[t->step].hit, w->steps[t->step].hit_count);
        break;
    }
    return ids;
}
