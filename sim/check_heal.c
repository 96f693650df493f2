/*
 * Liveness: after `heal` faults stop, and within a bound the cluster comes to rest.
 *
 *     faults ──► heal: a core of nodes is well ──────── T ────────► V1 … V12 are judged
 *
 * T = 2 x session timeout + 3 x request timeout + a term for the size of the cluster + the longest
 * wait of a timer that has to fire (ISR notifications of brokers with logs, rebalancing). What is
 * not in the core stays as the faults left it: obligations that need a dead broker are not open
 * ones.
 */
#include <inttypes.h>

#include "sim/check_state.h"

enum { ISR_NOTIFICATION_US = 65000000 }; /* replicas.h: isr_max_delay_us and one look more */

/* ---- the bound ---- */

static int64_t bound_us(const struct sim_checks *c)
{
    int64_t session = 0, request = 0, rebalance = 0, retries = 0, notification = 0;
    for (uint32_t i = 0; i < c->process_count; i++) {
        const struct sim_settings *s = &c->processes[i].process->settings;
        int64_t shutdown = (s->controlled_shutdown_retries + 1) *
                           (s->controlled_shutdown_retry_us + s->socket_timeout_us);
        session = s->session_timeout_us > session ? s->session_timeout_us : session;
        request = s->socket_timeout_us > request ? s->socket_timeout_us : request;
        retries =
            c->processes[i].process->shutdown_call != 0 && shutdown > retries ? shutdown : retries;
        if (c->processes[i].full)
            notification = ISR_NOTIFICATION_US;
        if (s->auto_leader_rebalance && 2 * s->leader_imbalance_check_us > rebalance)
            rebalance = 2 * s->leader_imbalance_check_us;
    }
    return 2 * session + 3 * request + notification + rebalance + retries +
           (int64_t)(c->row_count + c->process_count) * 1000;
}

int64_t sim_checks_heal(struct sim_checks *c)
{
    c->result.healed_us = c->w->now_us;
    c->heal_until_us = c->w->now_us + bound_us(c);
    check_producers_healed(c);
    return c->heal_until_us;
}

/* ---- who is well ---- */

bool check_is_well(const struct sim_checks *c, int32_t id)
{
    const struct check_process *p = check_process_of(c, id);
    return p != NULL && p->process->life == SIM_UP && check_is_registered(c, id);
}

/* Registered or not: a process that runs has to register. */
static bool is_up(const struct sim_checks *c, int32_t id)
{
    const struct check_process *p = check_process_of(c, id);
    return p != NULL && p->process->life == SIM_UP;
}

static bool all_well(const struct sim_checks *c, const struct sm_list *ids)
{
    for (int32_t i = 0; i < ids->count; i++)
        if (!check_is_well(c, ids->id[i]))
            return false;
    return true;
}

/* Scripted brokers get into an ISR only where a step puts them. */
static bool all_full(const struct sim_checks *c, const struct sm_list *ids)
{
    for (int32_t i = 0; i < ids->count; i++)
        if (!check_process_of(c, ids->id[i])->full)
            return false;
    return true;
}

/* Whether the log directory of its replica has failed. */
static bool is_offline(const struct sim_checks *c, const struct check_row *row, int32_t id)
{
    const struct check_process *p = check_process_of(c, id);
    struct kb_partition_view view;
    return p != NULL && p->full &&
           kb_partition(p->process->replicas, row->topic->name, row->partition, &view) &&
           view.hosted == KB_OFFLINE;
}

static bool hosts_log(const struct sim_checks *c, const struct check_row *row, int32_t id)
{
    struct kb_partition_view view;
    return check_view(c, row, id, &view) && view.hosted == KB_ONLINE;
}

/* ---- partitions ---- */

static void judge_leader(struct sim_checks *c, const struct check_row *row)
{
    char isr[CHECK_LIST_TEXT];
    int32_t well = -1;
    for (int32_t i = 0; i < row->z.isr.count && well < 0; i++)
        if (check_is_well(c, row->z.isr.id[i]) && !is_offline(c, row, row->z.isr.id[i]))
            well = row->z.isr.id[i];
    if (row->z.leader >= 0 && !check_is_registered(c, row->z.leader))
        check_fail_row(c, SIM_CHECK_V2, row, "broker %d is dead, and is its leader in ZooKeeper",
                       row->z.leader);
    if (well < 0 || (row->z.leader >= 0 && check_is_well(c, row->z.leader)))
        return;
    check_fail_row(c, SIM_CHECK_V2, row,
                   "it waits for the controller: leader %d, and broker %d of the ISR %s is alive",
                   row->z.leader, well, check_list(isr, &row->z.isr));
}

/* A machine was lost, and with it records that others have: in the same leader epoch their logs do
   not fit together any more, and Kafka gives following up (markPartitionFailed) until a new epoch;
   or the leader has truncated within a batch, and followers stand before the hole. */
static bool gave_up(const struct sim_checks *c, const struct check_row *row, int32_t id)
{
    struct kb_partition_view view;
    if (!check_any_disk_lost(c, row) || !check_view(c, row, id, &view))
        return false;
    return view.fetch_state == KB_FETCH_FAILED ||
           (check_view(c, row, row->z.leader, &view) && !kb_reaches_its_end(&view));
}

static bool any_gave_up(const struct sim_checks *c, const struct check_row *row,
                        const struct sm_list *ids)
{
    for (int32_t i = 0; i < ids->count; i++)
        if (gave_up(c, row, ids->id[i]))
            return true;
    return false;
}

/* It hosts an earlier topic of that name, and was never told that this one is gone; of the present
   one it refuses to hear, as of old leader epochs, until they are above those of the namesake. Only
   topic ids (KIP-516) tell the two apart; before them nobody can: not from lower epochs either, for
   a deposed controller may tell a broker that starts of later ones than its successor does. */
static bool hosts_namesake(const struct sim_checks *c, const struct check_row *row, int32_t id)
{
    if (!hosts_log(c, row, id))
        return false;
    for (uint32_t i = 0; i < row->host_count; i++)
        if (row->hosts[i].id == id)
            return row->hosts[i].incarnation != row->topic->incarnation;
    return false;
}

static void judge_isr(struct sim_checks *c, const struct check_row *row)
{
    char isr[CHECK_LIST_TEXT];
    if (row->z.leader < 0 || !check_is_well(c, row->z.leader) || !hosts_log(c, row, row->z.leader))
        return;
    for (int32_t i = 0; i < row->a.replicas.count; i++) {
        int32_t id = row->a.replicas.id[i];
        const struct check_process *p = check_process_of(c, id);
        if (p == NULL || !p->full || !is_up(c, id) || sm_list_has(&row->z.isr, id) ||
            is_offline(c, row, id) || gave_up(c, row, id) || hosts_namesake(c, row, id))
            continue;
        check_fail_row(c, SIM_CHECK_V3, row,
                       "it waits for leader %d to take broker %d, which is alive, into the ISR %s",
                       row->z.leader, id, check_list(isr, &row->z.isr));
    }
}

/* Nobody can catch up with a partition whose ISR is on dead brokers. */
static bool can_lead(const struct sim_checks *c, const struct check_row *row)
{
    bool any = false;
    for (int32_t i = 0; i < row->z.isr.count; i++)
        any = any || (check_is_well(c, row->z.isr.id[i]) && !is_offline(c, row, row->z.isr.id[i]));
    return any;
}

static void judge_moving(struct sim_checks *c, const struct check_row *row)
{
    struct sm_list target = sm_assignment_target(&row->a);
    char text[CHECK_LIST_TEXT];
    if (sm_assignment_is_being_reassigned(&row->a) && all_well(c, &target) &&
        (can_lead(c, row) || !row->exists) && !any_gave_up(c, row, &target) &&
        (all_full(c, &target) || sm_list_subset(&target, &row->z.isr)))
        check_fail_row(c, SIM_CHECK_V6, row,
                       "its reassignment to %s waits, and all of them are alive",
                       check_list(text, &target));
    if (all_well(c, &row->asked) && check_asked_forgotten(row))
        check_fail_row(c, SIM_CHECK_V6, row, "its reassignment to %s was asked for, and forgotten",
                       check_list(text, &row->asked));
}

static bool rebalances(const struct sim_checks *c, int32_t controller)
{
    const struct check_process *p = check_process_of(c, controller);
    return p != NULL && p->process->settings.auto_leader_rebalance;
}

/* ---- brokers ---- */

static void judge_cache(struct sim_checks *c, const struct check_row *row,
                        const struct check_process *p)
{
    const struct kb_cache *cache = kb_broker_cache(p->process->node.broker);
    uint32_t topic = kb_cache_topic(cache, row->topic->name, strlen(row->topic->name));
    const struct kb_partition *have =
        topic == KB_NO_TOPIC ? NULL : kb_cache_partition(cache, topic, row->partition);
    if (have == NULL)
        check_fail_row(c, SIM_CHECK_V4, row, "broker %d has not been told of it", p->id);
    else if (have->leader_epoch != row->z.leader_epoch || have->leader != row->z.leader)
        check_fail_row(c, SIM_CHECK_V4, row,
                       "broker %d believes in leader %d of epoch %d, and it is %d of epoch %d",
                       p->id, have->leader, have->leader_epoch, row->z.leader, row->z.leader_epoch);
}

static void judge_caches(struct sim_checks *c, const struct check_row *row)
{
    for (uint32_t i = 0; i < c->process_count; i++) {
        const struct check_process *p = &c->processes[i];
        if (p->full && p->process->node.broker != NULL && check_is_well(c, p->id))
            judge_cache(c, row, p);
    }
}

static void judge_live_in_cache(struct sim_checks *c, const struct check_process *p)
{
    const struct kb_cache *cache = kb_broker_cache(p->process->node.broker);
    char object[32];
    for (uint32_t i = 0; i < c->process_count; i++) {
        int32_t id = c->processes[i].id;
        bool there = check_is_registered(c, id);
        if ((kb_cache_live_id(cache, id) != NULL) == there)
            continue;
        snprintf(object, sizeof(object), "broker %d", p->id);
        check_fail(c, SIM_CHECK_V4, object, "it believes that broker %d is %s", id,
                   there ? "dead" : "alive");
    }
}

/* ---- topics ---- */

static void judge_deletion(struct sim_checks *c, const struct check_topic *t)
{
    bool well = t->rows != NULL;
    for (const struct check_row *row = t->rows; row != NULL && well; row = row->next_of_topic)
        well = !row->assigned || all_well(c, &row->a.replicas);
    if (t->is_deleting && t->exists && well)
        check_fail(c, SIM_CHECK_V5, t->name,
                   "its deletion waits, and all of its replicas are alive");
}

/* The share of partitions that a broker should lead and does not: as the controller counts it. */
static void judge_preferred(struct sim_checks *c, int32_t active)
{
    char object[32];
    if (c->reassigning > 0)
        return; /* no rebalancing while any partition moves (checkAndTriggerAutoLeaderRebalance) */
    for (uint32_t i = 0; i < c->process_count; i++) {
        int32_t id = c->processes[i].id, percentage;
        uint32_t all = 0, away = 0;
        for (struct check_topic *t = c->topics; t != NULL; t = t->next)
            for (const struct check_row *row = t->rows; row != NULL; row = row->next_of_topic) {
                if (!row->assigned || !row->exists || t->is_deleting || row->a.replicas.id[0] != id)
                    continue;
                all++;
                away += row->z.leader != id && sm_list_has(&row->z.isr, id);
            }
        percentage = check_process_of(c, active)->process->settings.leader_imbalance_percentage;
        if (!check_is_well(c, id) || all == 0 || away * 100 <= all * (uint32_t)percentage)
            continue;
        snprintf(object, sizeof(object), "broker %d", id);
        check_fail(c, SIM_CHECK_V7, object, "%u of %u partitions wait to be led by it", away, all);
    }
}

/* ---- controllers ---- */

static int32_t judge_controllers(struct sim_checks *c)
{
    uint32_t active = 0;
    bool any = false;
    int32_t named = sim_world_active(c->w);
    for (uint32_t i = 0; i < c->process_count; i++) {
        const struct sim_process *p = c->processes[i].process;
        any = any || (p->has_node && p->life == SIM_UP);
        active += p->has_node && p->life == SIM_UP && kc_controller_is_active(p->node.controller);
    }
    if (any && (active != 1 || named < 0))
        check_fail(c, SIM_CHECK_V1, "controller", "%u are active, and /controller names %d", active,
                   sim_world_named_controller(c->w));
    return named;
}

static bool is_gone(void *context, int32_t id)
{
    const struct sim_process *p = sim_find(context, id);
    return p == NULL || p->life == SIM_DOWN;
}

/* V10, V12: one that is still at work, and one that waits for what cannot come. */
static void judge_rest(struct sim_checks *c, const struct check_process *p)
{
    enum { LONG_US = 60000000 };
    char object[32];
    const struct sim_process *q = p->process;
    if (!q->has_node || q->life != SIM_UP || q->blocked ||
        kc_controller_is_quiet(q->node.controller, is_gone, c->w))
        return;
    snprintf(object, sizeof(object), "controller %d", p->id);
    if (c->w->now_us - p->last_start_us > LONG_US)
        check_fail(c, SIM_CHECK_V12, object, "its event of %.3fs is not done",
                   (double)p->last_start_us / 1e6);
    else
        check_fail(c, SIM_CHECK_V10, object, "it still handles events, the last at %.3fs",
                   (double)p->last_start_us / 1e6);
}

/* V10: one after the other is elected, and none rests. */
static void judge_elections(struct sim_checks *c)
{
    const int64_t *at = c->last_epochs_us;
    int64_t healed = c->result.healed_us;
    int64_t late = healed + (c->w->now_us - healed) / 2; /* by then all is long over */
    if (at[2] > late)
        check_fail(c, SIM_CHECK_V10, "controller",
                   "controllers are elected on and on: at %.3fs, %.3fs and %.3fs",
                   (double)at[2] / 1e6, (double)at[1] / 1e6, (double)at[0] / 1e6);
}

static void judge_shutdown(struct sim_checks *c, const struct check_process *p)
{
    char object[32];
    if (p->process->shutdown_call == 0 || p->process->life != SIM_UP)
        return;
    snprintf(object, sizeof(object), "broker %d", p->id);
    check_fail(c, SIM_CHECK_V8, object, "it waits for its controlled shutdown, try %u",
               p->process->shutdown_tries);
}

/* ---- all ---- */

static void judge_row(struct sim_checks *c, const struct check_row *row)
{
    if (!row->assigned || !row->topic->exists || row->topic->is_deleting)
        return;
    if (!row->exists) {
        if (check_is_well(c, row->a.replicas.id[0]))
            check_fail_row(c, SIM_CHECK_V2, row,
                           "it waits for the controller: it has no state yet");
        return;
    }
    judge_leader(c, row);
    judge_isr(c, row);
    judge_moving(c, row);
    judge_caches(c, row);
}

void check_heal_end(struct sim_checks *c)
{
    uint64_t found = 0;
    if (c->result.healed_us < 0 || c->result.liveness || c->w->now_us < c->heal_until_us)
        return; /* a run that ends before its time says nothing of liveness */
    c->result.liveness = true;
    c->heal_until_us = 0;
    int32_t active = judge_controllers(c);
    for (struct check_topic *t = c->topics; t != NULL; t = t->next) {
        for (const struct check_row *row = t->rows; row != NULL; row = row->next_of_topic)
            judge_row(c, row);
        judge_deletion(c, t);
    }
    for (uint32_t i = 0; i < c->process_count; i++) {
        const struct check_process *p = &c->processes[i];
        if (p->full && p->process->node.broker != NULL && check_is_well(c, p->id))
            judge_live_in_cache(c, p);
        judge_rest(c, p);
        judge_shutdown(c, p);
    }
    judge_elections(c);
    check_producers(c);
    if (active >= 0 && rebalances(c, active))
        judge_preferred(c, active);
    for (int i = SIM_CHECK_V1; i < SIM_CHECK_END; i++)
        found += c->result.violations[i].count;
    c->result.rested_us = found == 0 ? c->w->now_us : -1;
}
