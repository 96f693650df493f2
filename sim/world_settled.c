/*
 * Whether followers are where they belong: what `until: quiet` waits for beside quiet.
 *
 *     follower (its row: online, leader L, epoch e) ── is it in the ISR that L has committed in e?
 *
 * Fetches never stop, so nothing of them counts as under way; but a follower that catches up will
 * be taken into the ISR, and a run that ends before has not shown how the cluster comes to rest.
 * Asked is the follower, not the assignment: who has not been told to follow, whose disk has failed
 * or whose fetcher has given the partition up does not come back by itself.
 *
 * Exception: a topic whose deletion waits for a broker that is dead. Everybody has been told that
 * it is gone, and yet who leads it goes on: it refuses its followers (UNKNOWN_TOPIC_OR_PARTITION),
 * and they ask again each second, as Kafka's do. That is rest; story_end.c says what is waited for.
 *
 * It is looked at after every event of a world that is quiet otherwise. An ISR changes by a write
 * to ZooKeeper, what a broker follows by a controller's request or a start; so one answer stands
 * until either has happened. (A "no" is asked again now and then: a fetcher gives up by itself.)
 */
#include <string.h>

#include "sim/world_state.h"

enum { AGAIN_US = 1000000 };

static bool is_gone(const struct sim_world *w, int32_t id)
{
    const struct sim_process *p = sim_find(w, id);
    return p == NULL || p->life == SIM_DOWN || !p->registers;
}

/* The deletion of a topic, looked up once for all of its partitions that stand in a row. */
struct deletion {
    const char *topic;
    bool waits;
};

static bool waits_for_the_dead(const struct sim_world *w, const char *topic)
{
    const struct sim_process *active = sim_find(w, sim_world_active(w));
    const struct kc_controller *c =
        active == NULL || !active->has_node ? NULL : active->node.controller;
    struct sm_assignment a;
    if (c == NULL || kc_topic_deletion(c, topic) == 0)
        return false;
    for (int32_t partition = 0; kc_assignment(c, topic, partition, &a); partition++)
        for (int32_t i = 0; i < a.replicas.count; i++)
            if (is_gone(w, a.replicas.id[i]))
                return true;
    return false;
}

static bool is_refused_for_ever(const struct sim_world *w, const struct sim_process *leader,
                                const char *topic, int32_t partition, struct deletion *deletion)
{
    const struct kb_cache *cache = kb_broker_cache(leader->node.broker);
    uint32_t known = kb_cache_topic(cache, topic, strlen(topic));
    if (known != KB_NO_TOPIC && kb_cache_partition(cache, known, partition) != NULL)
        return false;
    if (deletion->topic == NULL || strcmp(deletion->topic, topic) != 0)
        *deletion = (struct deletion){.topic = topic, .waits = waits_for_the_dead(w, topic)};
    return deletion->waits;
}

static bool is_back(const struct sim_world *w, int32_t follower, const char *topic,
                    int32_t partition, const struct kb_partition_view *own,
                    struct deletion *deletion)
{
    const struct sim_process *leader = sim_find(w, own->leader);
    struct kb_partition_view view;
    if (leader == NULL || !leader->is_full || leader->life != SIM_UP ||
        !kb_is_leader(leader->replicas, topic, partition) ||
        !kb_partition(leader->replicas, topic, partition, &view) ||
        view.leader_epoch != own->leader_epoch || !kb_reaches_its_end(&view))
        return true; /* nobody it could come back to */
    return sm_list_has(&view.isr, follower) ||
           is_refused_for_ever(w, leader, topic, partition, deletion);
}

static bool all_back(const struct sim_world *w, const struct sim_process *p)
{
    struct deletion deletion = {0};
    struct kb_partition_view own;
    const char *topic;
    int32_t partition;
    uint32_t at = 0;
    while ((topic = kb_partition_next(p->replicas, &at, &partition)) != NULL)
        if (kb_partition(p->replicas, topic, partition, &own) && own.hosted == KB_ONLINE &&
            own.leader != p->id && own.fetch_state != KB_NOT_FETCHING &&
            own.fetch_state != KB_FETCH_FAILED &&
            !is_back(w, p->id, topic, partition, &own, &deletion))
            return false;
    return true;
}

bool sim_followers_are_back(struct sim_world *w)
{
    const int64_t zxid = kz_server_zxid(w->zk);
    if (w->settled_zxid == zxid && w->settled_told == w->told &&
        (w->is_settled || w->now_us < w->settled_us + AGAIN_US))
        return w->is_settled;
    w->settled_us = w->now_us;
    w->settled_zxid = zxid;
    w->settled_told = w->told;
    w->is_settled = true;
    for (uint32_t i = 0; i < w->process_count && w->is_settled; i++)
        if (w->processes[i]->is_full && w->processes[i]->life == SIM_UP)
            w->is_settled = all_back(w, w->processes[i]);
    return w->is_settled;
}
