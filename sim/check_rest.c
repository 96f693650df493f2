/*
 * Everything at once: what the checks on the way should have seen (sim_checks_whole), and what must
 * be so when nothing is under way any more (check_rest: S12, S15, S17, S19, V11).
 *
 * The slow judgement reads ZooKeeper's tree and the logs anew and does not trust the rows: where a
 * row differs from the truth, a hook is missing.
 */
#include "sim/check_state.h"

/* ---- the whole ---- */

static void whole_state(struct sim_checks *c, struct check_row *row)
{
    char path[SM_PATH_MAX], isr[CHECK_LIST_TEXT];
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    struct sm_leader_and_isr li;
    sm_path_partition_state(path, row->topic->name, row->partition);
    bool exists = kz_server_get(c->w->zk, path, &stat, &data, &size, &has_data) &&
                  sm_znode_decode_state((const char *)data, size, stat.version, &li) == SM_ERR_OK;
    if (exists != row->exists || (exists && !sm_leader_and_isr_equal(&li, &row->z)))
        check_fail_row(c, SIM_CHECK_S2, row, "its state %s, version %d, came to be unseen",
                       exists ? check_list(isr, &li.isr) : "(none)", exists ? li.zk_version : -1);
}

/* Logs that no row knows of. */
static void whole_logs(struct sim_checks *c, const struct check_process *p)
{
    uint32_t at = 0;
    int32_t partition;
    const char *topic;
    while (p->process->replicas != NULL &&
           (topic = kb_partition_next(p->process->replicas, &at, &partition)) != NULL) {
        struct check_row *row = check_row_of(c, topic, partition);
        check_host_of(row, p->id)->looked_to = 0;
    }
}

void sim_checks_whole(struct sim_checks *c)
{
    if (!c->has_begun)
        return;
    c->in_whole = true;
    for (uint32_t i = 0; i < c->process_count; i++)
        whole_logs(c, &c->processes[i]);
    for (struct check_topic *t = c->topics; t != NULL; t = t->next)
        for (struct check_row *row = t->rows; row != NULL; row = row->next_of_topic) {
            whole_state(c, row);
            check_logs(c, row);
        }
    c->in_whole = false;
}

/* ---- at rest ---- */

/* S15: whom an event failed to reach believes what is no longer so. */
static void rest_row(struct sim_checks *c, const struct kc_controller *k, int32_t id,
                     const struct check_row *row)
{
    struct sm_leader_and_isr li;
    struct sm_assignment a;
    char x[CHECK_LIST_TEXT], y[CHECK_LIST_TEXT];
    const char *topic = row->topic->name;
    if (!row->assigned || !row->topic->exists)
        return;
    if (kc_topic_deletion(k, topic) != 0) {
        if (row->topic->is_deleting && !kc_assignment(k, topic, row->partition, &a))
            check_fail_row(c, SIM_CHECK_S12, row,
                           "it was added while its topic waits for its deletion, and stays");
        return;
    }
    if (!kc_assignment(k, topic, row->partition, &a))
        check_fail_row(c, SIM_CHECK_S15, row, "controller %d has not heard of the partition", id);
    else if (!sm_list_equal(&a.replicas, &row->a.replicas))
        check_fail_row(c, SIM_CHECK_S15, row,
                       "controller %d believes the replicas %s, and they are %s", id,
                       check_list(x, &a.replicas), check_list(y, &row->a.replicas));
    else if (row->exists && kc_leadership(k, topic, row->partition, &li) &&
             li.leader_epoch != row->z.leader_epoch)
        check_fail_row(c, SIM_CHECK_S15, row,
                       "controller %d believes in leader epoch %d, and it is %d", id,
                       li.leader_epoch, row->z.leader_epoch);
}

static void rest_brokers(struct sim_checks *c, const struct kc_controller *k, int32_t id)
{
    char object[32];
    for (uint32_t i = 0; i < c->process_count; i++) {
        int32_t broker = c->processes[i].id;
        bool there = check_is_registered(c, broker);
        if (there == kc_broker_is_live(k, broker))
            continue;
        snprintf(object, sizeof(object), "broker %d", broker);
        check_fail(c, SIM_CHECK_S15, object, "controller %d believes that it is %s", id,
                   there ? "dead" : "alive");
    }
}

/* As Kafka sees it: a head that is being added counts only once it is in the ISR, and then even if
   it leads. Source: ControllerContext.hasPreferredLeader. */
static bool is_imbalanced(const struct kc_controller *k, const struct check_row *row)
{
    struct sm_leader_and_isr li;
    struct sm_assignment a;
    const char *topic = row->topic->name;
    if (kc_topic_deletion(k, topic) != 0 || !kc_leadership(k, topic, row->partition, &li) ||
        !kc_assignment(k, topic, row->partition, &a) || a.replicas.count == 0)
        return false;
    return sm_list_has(&a.adding, a.replicas.id[0]) ? sm_list_has(&li.isr, a.replicas.id[0])
                                                    : li.leader != a.replicas.id[0];
}

/* S11: Kafka's gauge is kept by adding and subtracting. */
static void rest_imbalance(struct sim_checks *c, const struct kc_controller *k, int32_t id)
{
    int32_t counted = kc_controller_metrics(k).preferred_replica_imbalance_count, really = 0;
    char object[32];
    for (const struct check_topic *t = c->topics; t != NULL; t = t->next)
        for (const struct check_row *row = t->rows; row != NULL; row = row->next_of_topic)
            really += is_imbalanced(k, row);
    snprintf(object, sizeof(object), "controller %d", id);
    if (counted != really)
        check_fail(c, SIM_CHECK_S11, object,
                   "it counts %d partitions that the preferred replica does not lead, and knows %d",
                   counted, really);
}

static void rest_controller(struct sim_checks *c, const struct kc_controller *k, int32_t id)
{
    for (struct check_topic *t = c->topics; t != NULL; t = t->next)
        for (const struct check_row *row = t->rows; row != NULL; row = row->next_of_topic) {
            rest_row(c, k, id, row);
            if (t->deleted && kc_partition_state(k, t->name, row->partition) != SM_PARTITION_NONE)
                check_fail_row(c, SIM_CHECK_S19, row, "controller %d remembers a deleted partition",
                               id);
        }
    rest_brokers(c, k, id);
    rest_imbalance(c, k, id);
}

/* S19: bytes of records that no log holds. */
static void rest_payloads(struct sim_checks *c)
{
    uint64_t held = 0;
    for (uint32_t i = 0; i < c->process_count; i++) {
        const struct kb_replicas *r = c->processes[i].process->replicas;
        struct kb_partition_view view;
        uint32_t at = 0;
        int32_t partition;
        const char *topic;
        while (r != NULL && (topic = kb_partition_next(r, &at, &partition)) != NULL)
            if (kb_partition(r, topic, partition, &view))
                held += view.batch_count;
    }
    if (c->w->keeper != NULL && sim_keeper_count(c->w->keeper) > held)
        check_fail(c, SIM_CHECK_S19, "records", "%llu batches are kept, and logs hold %llu",
                   (unsigned long long)sim_keeper_count(c->w->keeper), (unsigned long long)held);
}

/* V11 */
static void rest_events(struct sim_checks *c, const struct check_process *p)
{
    char object[32];
    if (p->process->life != SIM_UP || p->process->blocked || p->puts == p->starts)
        return;
    snprintf(object, sizeof(object), "controller %d", p->id);
    check_fail(c, SIM_CHECK_V11, object, "%llu events were put into its queue, and %llu came out",
               (unsigned long long)p->puts, (unsigned long long)p->starts);
}

/* S17: who has a session is registered by it. */
static void rest_registration(struct sim_checks *c, const struct check_process *p)
{
    const struct sim_zk_conn *conn = p->process->conn;
    struct wire_zk_stat stat;
    char path[SM_PATH_MAX], object[32];
    sm_path_broker(path, p->id);
    if (p->process->life != SIM_UP || conn == NULL || conn->session == 0 ||
        !kz_server_get(c->w->zk, path, &stat, NULL, NULL, NULL) ||
        stat.ephemeral_owner == conn->session)
        return;
    snprintf(object, sizeof(object), "broker %d", p->id);
    check_fail(c, SIM_CHECK_S17, object,
               "its registration is of session 0x%llx, and its session is 0x%llx",
               (unsigned long long)stat.ephemeral_owner, (unsigned long long)conn->session);
}

/* S12: a late request may have made a broker host a replica of a topic that was deleted since. What
   tells it to stop comes behind, unless its channel was closed, as a new registration does. */
static void rest_late(struct sim_checks *c, struct check_row *row)
{
    struct kb_partition_view v;
    for (uint32_t i = 0; i < row->host_count; i++) {
        const struct check_host *h = &row->hosts[i];
        if (h->late_registration != 0 &&
            check_process_of(c, h->id)->registrations[0] == h->late_registration &&
            check_view(c, row, h->id, &v) && v.hosted == KB_ONLINE)
            check_fail_row(c, SIM_CHECK_S12, row,
                           "the topic is deleted, and broker %d goes on with a log of it", h->id);
    }
}

void check_rest(struct sim_checks *c)
{
    for (struct check_topic *t = c->topics; t != NULL; t = t->next)
        for (struct check_row *row = t->rows; t->deleted && row != NULL; row = row->next_of_topic)
            rest_late(c, row);
    int32_t active = sim_world_active(c->w);
    const struct sim_process *p = active < 0 ? NULL : sim_find(c->w, active);
    if (p != NULL && !p->blocked && c->has_begun)
        rest_controller(c, p->node.controller, active);
    rest_payloads(c);
    for (uint32_t i = 0; i < c->process_count; i++)
        if (c->processes[i].process->has_node) {
            rest_events(c, &c->processes[i]);
            rest_registration(c, &c->processes[i]);
        }
}
