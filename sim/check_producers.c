/*
 * V9: after the heal whoever produces with acks=all is answered.
 *
 * A producer that has records for a topic of which every partition can take them gets at least one
 * acknowledgement between the heal and its bound. A partition can, where its leader lives and the
 * living members of its ISR are as many as min.insync.replicas asks for: NOT_ENOUGH_REPLICAS
 * because too few live is an answer as it should be; and so it is that records for a partition that
 * the topic has no more (it was made anew with fewer) wait until their time is up, as librdkafka
 * lets them: they do not count. Transactions need coordinators as well, and
 * are judged where every node is well.
 */
#include "sim/check_state.h"
#include "sim/client_state.h"

void check_producers_healed(struct sim_checks *c)
{
    uint32_t count = c->w->clients == NULL ? 0 : sim_client_count(c->w);
    c->acked_before = sim_realloc(c->acked_before, (count + 1) * sizeof(*c->acked_before));
    for (uint32_t i = 0; i < count; i++)
        c->acked_before[i] = sim_client_counts(c->w, i).acked;
}

/* ---- what can be written to ---- */

static int32_t min_insync(const struct sim_checks *c, const struct check_row *row)
{
    const struct check_process *p = check_process_of(c, row->z.leader);
    char path[SM_PATH_MAX], value[16];
    const uint8_t *data;
    uint32_t size;
    bool has_data, found = false;
    sm_path_config_topic(path, row->topic->name);
    if (kz_server_get(c->w->zk, path, NULL, &data, &size, &has_data) &&
        sm_znode_config_get((const char *)data, size, "min.insync.replicas", value, sizeof(value),
                            &found) == SM_ERR_OK &&
        found)
        return (int32_t)strtol(value, NULL, 10);
    return kb_replicas_config(p->process->replicas)->min_insync_replicas;
}

static bool takes_records(const struct sim_checks *c, const struct check_row *row)
{
    struct kb_partition_view view;
    int32_t well = 0;
    if (!row->exists || row->z.leader < 0 || !check_is_well(c, row->z.leader) ||
        !check_view(c, row, row->z.leader, &view))
        return false;
    for (int32_t i = 0; i < row->z.isr.count; i++)
        well += check_is_well(c, row->z.isr.id[i]);
    return well >= min_insync(c, row);
}

static bool topic_takes_records(const struct sim_checks *c, const char *name)
{
    const struct check_topic *t = check_topic_find(c, name);
    bool any = false;
    if (t == NULL || !t->exists || t->is_deleting)
        return false;
    for (const struct check_row *row = t->rows; row != NULL; row = row->next_of_topic) {
        if (row->assigned && !takes_records(c, row))
            return false;
        any = any || row->assigned;
    }
    return any;
}

/* For a partition that the topic has, or for none yet. */
static bool waits_for_one(const struct sim_checks *c, const struct kl_client *kl, const char *name)
{
    const struct check_topic *t = check_topic_find(c, name);
    bool any = kl_client_waiting(kl, name, -1) > 0;
    for (const struct check_row *row = t->rows; row != NULL; row = row->next_of_topic)
        any = any || (row->assigned && kl_client_waiting(kl, name, row->partition) > 0);
    return any;
}

static bool all_are_well(const struct sim_checks *c)
{
    for (uint32_t i = 0; i < c->process_count; i++)
        if (c->processes[i].process->has_node && !check_is_well(c, c->processes[i].id))
            return false;
    return true;
}

/* ---- who writes ---- */

static bool has_work(const struct sim_client *k)
{
    return k->spec->kind == SIM_CLIENT_PRODUCES && k->spec->config.acks == -1 && k->kl != NULL &&
           k->error == 0 && k->counts.open > 0 &&
           (k->phase == SIM_CLIENT_WORKS || k->phase == SIM_CLIENT_FLUSHES);
}

void check_producers(struct sim_checks *c)
{
    uint32_t count = c->acked_before == NULL ? 0 : sim_client_count(c->w);
    for (uint32_t i = 0; i < count; i++) {
        const struct sim_client *k = c->w->clients->client[i];
        bool can = has_work(k) && k->counts.acked == c->acked_before[i] &&
                   (k->spec->config.transactional_id == NULL || all_are_well(c));
        bool waits = false;
        for (uint32_t t = 0; can && t < k->spec->topic_count; t++) {
            can = topic_takes_records(c, k->spec->topics[t]);
            waits = waits || (can && waits_for_one(c, k->kl, k->spec->topics[t]));
        }
        if (can && waits)
            check_fail(
                c, SIM_CHECK_V9, k->spec->name,
                "%llu records wait, none was acknowledged since the heal, and all partitions "
                "take records",
                (unsigned long long)k->counts.open);
    }
}
