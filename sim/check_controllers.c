/*
 * Checks on what controllers note: S4, S11, S12, and the controller's half of `sometimes`.
 *
 * A state machine that says Online is compared with what its controller believes when the event in
 * work is done, not while it is in work: in between they may differ by right.
 */
#include "sim/check_state.h"

/* ---- elections ---- */

static bool config_says_unclean(const struct sim_checks *c, const char *topic)
{
    char path[SM_PATH_MAX], value[16];
    const uint8_t *data;
    uint32_t size;
    bool has_data, found = false;
    sm_path_config_topic(path, topic);
    return kz_server_get(c->w->zk, path, NULL, &data, &size, &has_data) &&
           sm_znode_config_get((const char *)data, size, "unclean.leader.election.enable", value,
                               sizeof(value), &found) == SM_ERR_OK &&
           found && strcmp(value, "true") == 0;
}

/* An operator's call for an unclean election may be under way. */
static bool is_asked_for(const struct sim_checks *c)
{
    for (const struct sim_call *call = c->w->calls; call != NULL; call = call->next)
        if (call->call->api == WIRE_API_ELECT_LEADERS && call->call->election_type == 1)
            return true;
    return false;
}

/* V7: the controller knows that its attempt is in vain. */
static void check_rebalanced(struct sim_checks *c, const struct check_process *p,
                             const struct check_row *row, const struct kc_output *o)
{
    struct sm_leader_and_isr li;
    char isr[CHECK_LIST_TEXT];
    const struct kc_controller *k = p->process->node.controller;
    int32_t preferred = o->election->assignment->replicas.id[0];
    if (p->rebalancing && o->elected->verdict == SM_NOT_ELECTED &&
        kc_leadership(k, o->topic, o->partition, &li) && !sm_list_has(&li.isr, preferred))
        check_fail_row(c, SIM_CHECK_V7, row,
                       "controller %d tries to elect broker %d, and knows that the ISR is %s",
                       p->id, preferred, check_list(isr, &li.isr));
}

static void decided(struct sim_checks *c, const struct check_process *p, const struct kc_output *o)
{
    struct check_row *row = check_row_of(c, o->topic, o->partition);
    check_rebalanced(c, p, row, o);
    row->unclean = o->elected->verdict == SM_ELECTED_UNCLEAN;
    if (!row->unclean)
        return;
    check_seen(c, SIM_SOMETIMES_UNCLEAN_ELECTION);
    if (!p->process->settings.unclean_leader_election && !c->dynamic_unclean &&
        !config_says_unclean(c, o->topic) && !is_asked_for(c))
        check_fail_row(c, SIM_CHECK_S4, row,
                       "broker %d is elected from outside the ISR, and nothing allows that",
                       o->elected->next.leader);
}

/* ---- moves ---- */

static void check_edge(struct sim_checks *c, const struct check_process *p,
                       const struct check_row *row, const struct kc_output *o)
{
    const struct sm_profile *profile = &p->process->profile;
    if (o->direct != 0)
        return;
    if (o->machine == KC_MACHINE_REPLICA &&
        !sm_replica_may_move(profile, (enum sm_replica_state)o->from, (enum sm_replica_state)o->to))
        check_fail_row(c, SIM_CHECK_S11, row, "replica %d moves from %s to %s", o->broker_id,
                       sm_replica_state_name((enum sm_replica_state)o->from),
                       sm_replica_state_name((enum sm_replica_state)o->to));
    if (o->machine == KC_MACHINE_PARTITION &&
        !sm_partition_may_move(profile, (enum sm_partition_state)o->from,
                               (enum sm_partition_state)o->to))
        check_fail_row(c, SIM_CHECK_S11, row, "the partition moves from %s to %s",
                       sm_partition_state_name((enum sm_partition_state)o->from),
                       sm_partition_state_name((enum sm_partition_state)o->to));
}

static void add_moved(struct check_process *p, struct check_row *row)
{
    if (row->moved_by == p->id)
        return;
    row->moved_by = p->id;
    if (p->moved_count == p->moved_capacity) {
        p->moved_capacity = p->moved_capacity == 0 ? 64 : p->moved_capacity * 2;
        p->moved = sim_realloc(p->moved, p->moved_capacity * sizeof(struct check_row *));
    }
    p->moved[p->moved_count++] = row;
}

/* S12: what may not begin. */
static void check_begins(struct sim_checks *c, const struct check_process *p,
                         const struct check_row *row, const struct kc_output *o)
{
    const struct kc_controller *k = p->process->node.controller;
    /* a reassignment that completes deletes replicas too, and the topic may be queued by then */
    bool is_begun = (kc_topic_deletion(k, o->topic) & 2u) != 0;
    if (o->machine == KC_MACHINE_REPLICA && o->to == SM_REPLICA_DELETION_STARTED && is_begun &&
        kc_is_being_reassigned(k, o->topic, o->partition))
        check_fail_row(c, SIM_CHECK_S12, row, "its deletion begins while it is being reassigned");
    if (o->machine == KC_MACHINE_PARTITION && o->to == SM_PARTITION_NEW && o->direct == 0 &&
        (kc_topic_deletion(k, o->topic) & 1u) != 0)
        check_fail_row(c, SIM_CHECK_S12, row,
                       "a partition is added to a topic that is being deleted");
}

static void moved(struct sim_checks *c, struct check_process *p, const struct kc_output *o)
{
    struct check_row *row = check_row_of(c, o->topic, o->partition);
    if (o->ok == 0)
        return;
    check_edge(c, p, row, o);
    check_begins(c, p, row, o);
    add_moved(p, row);
}

/* S11, when an event is done. */
static void check_agreement(struct sim_checks *c, const struct check_process *p,
                            const struct check_row *row)
{
    const struct kc_controller *k = p->process->node.controller;
    struct sm_leader_and_isr li;
    if (kc_partition_state(k, row->topic->name, row->partition) != SM_PARTITION_ONLINE)
        return;
    if (!kc_leadership(k, row->topic->name, row->partition, &li))
        check_fail_row(c, SIM_CHECK_S11, row,
                       "controller %d has it online, and knows no leader of it", p->id);
    else if (li.leader == SM_NO_LEADER)
        check_fail_row(c, SIM_CHECK_S11, row, "controller %d has it online without a leader",
                       p->id);
    else if (!kc_broker_is_live(k, li.leader) && kc_topic_deletion(k, row->topic->name) == 0)
        check_fail_row(c, SIM_CHECK_S11, row,
                       "controller %d has it online, and its leader %d is dead", p->id, li.leader);
}

static void event_done(struct sim_checks *c, struct check_process *p)
{
    if (kc_controller_is_active(p->process->node.controller))
        for (uint32_t i = 0; i < p->moved_count; i++)
            check_agreement(c, p, p->moved[i]);
    for (uint32_t i = 0; i < p->moved_count; i++)
        p->moved[i]->moved_by = -1;
    p->moved_count = 0;
}

/* ---- facts ---- */

/* Brokers have come or gone: what they lead has to follow. Linear in the partitions, as the work of
   the controller is. */
static void live_changed(struct sim_checks *c, struct check_process *p, const struct kc_output *o)
{
    for (struct check_topic *t = c->topics; t != NULL; t = t->next)
        for (struct check_row *row = t->rows; row != NULL; row = row->next_of_topic) {
            bool lives = false;
            for (uint32_t i = 0; i < o->id_count && !lives; i++)
                lives = o->ids[i] == row->z.leader;
            if (row->exists && !lives)
                add_moved(p, row);
        }
}

static void queue_told(struct sim_checks *c, struct check_process *p, const struct kc_output *o)
{
    switch ((enum kc_queue_what)o->what) {
    case KC_QUEUE_PUT:
        p->puts++;
        break;
    case KC_QUEUE_PREEMPT: /* dropped by a resignation */
        p->starts++;
        break;
    case KC_QUEUE_START:
        p->starts++;
        p->last_start_us = c->w->now_us;
        p->rebalancing = strcmp(o->name, "AutoPreferredReplicaLeaderElection") == 0;
        break;
    case KC_QUEUE_CLEAR:
        break;
    case KC_QUEUE_DONE:
        event_done(c, p);
        break;
    }
}

void sim_checks_controller(struct sim_checks *c, int32_t id, const struct kc_output *o)
{
    struct check_process *p = check_process_of(c, id);
    switch ((enum kc_output_kind)o->kind) {
    case KC_OUT_BATCH:
        check_batch(c, o->batch);
        p->misled |= o->batch->controller_epoch < c->controller_epoch; /* its own broker hears it */
        break;
    case KC_OUT_SEND:
        check_send(c, p, o);
        break;
    case KC_OUT_MOVE:
        moved(c, p, o);
        break;
    case KC_OUT_DECIDE:
        decided(c, p, o);
        break;
    case KC_OUT_QUEUE:
        queue_told(c, p, o);
        break;
    case KC_OUT_FACT:
        if (o->fact == KC_FACT_ROLE && o->value == 1)
            c->controller_began = true;
        else if (o->fact == KC_FACT_LIVE)
            live_changed(c, p, o);
        break;
    case KC_OUT_NONE:
    case KC_OUT_ZK:
    case KC_OUT_CLOSE:
    case KC_OUT_REPLY:
    case KC_OUT_TIMER:
    case KC_OUT_EXPIRE_STARTED:
    case KC_OUT_FATAL:
    case KC_OUT_FLOW:
    case KC_OUT_LOG:
        break;
    }
}
