/*
 * heal: at its time all faults stop, and a core of the nodes is well again.
 *
 *     steps, drawn faults ──────► heal ─────── nothing but the cluster itself ──────► judged
 *
 * Rules on messages go and what they held goes on; paused processes resume, blocked queues go on,
 * ZooKeeper has its quorum. Of the core, who is down starts, with disks that work, who runs with a
 * disk that has failed is replaced, for it takes a start to use another, and whoever is
 * down again when all sessions of before have ended starts once more, as under a supervisor, and
 * again: a broker whose former registration still stands ends at once. What is not in the core
 * stays as it is: dead stays dead, for a cluster has to come to rest without it. Steps that come
 * later do not act any more.
 */
#include <assert.h>

#include "sim/world_state.h"

enum heal_event { HEAL, HEAL_AGAIN, HEAL_OVER };
enum { AFTER_SESSIONS_US = 1000000, TRY_FOR_US = 30000000 };

static void push(struct sim_world *w, int64_t at_us, enum heal_event what)
{
    w->timed_ahead++;
    sim_push(w, at_us, (struct sim_event){.kind = SIM_E_HEAL, .a = (uint64_t)what});
}

void sim_heal_load(struct sim_world *w)
{
    if (w->scenario->heal.is_on)
        push(w, w->scenario->heal.at_us, HEAL);
}

static void lift_rules(struct sim_world *w)
{
    while (w->rule_count > 0)
        sim_net_rule_remove(w, w->rules[w->rule_count - 1].number);
    for (uint32_t i = 0; i < w->undo_count; i++)
        w->undos[i].done = true;
    sim_net_release_all(w);
}

static void revive(struct sim_world *w, struct sim_process *p, uint64_t by)
{
    p->fail_next = false;
    p->zk_delay_us = 0;
    sim_clock_mend(w, p);
    if (!p->has_node)
        sim_world_tell_off(w, p->id, 0);
    sim_world_resume(w, p->id, by);
    if (p->blocked)
        sim_process_block(w, p, false, by);
}

/* More than half of the nodes, drawn, or those named, or all; the rest stay as they are. */
static bool *core_of(struct sim_world *w)
{
    const struct sim_heal *h = &w->scenario->heal;
    bool *core = sim_alloc(w->process_count);
    uint32_t left = w->process_count, most = w->process_count;
    if (h->core == SIM_CORE_IDS) {
        for (uint32_t i = 0; i < h->id_count; i++)
            if (sim_find(w, h->ids[i]) != NULL)
                core[sim_find(w, h->ids[i])->index] = true;
        return core;
    }
    if (h->core == SIM_CORE_RANDOM) {
        uint64_t more = sim_random_below(&w->random, w->process_count - w->process_count / 2);
        most = w->process_count / 2 + 1 + (uint32_t)more;
    }
    memset(core, true, w->process_count);
    for (; left > most; left--) { /* those that are well already stay in it */
        uint64_t at = sim_random_below(&w->random, w->process_count);
        core[at] = core[at] && w->processes[at]->life == SIM_UP;
    }
    return core;
}

static uint64_t record_heal(struct sim_world *w, const bool *core)
{
    int32_t *hit = sim_alloc(w->process_count * sizeof(*hit));
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->process_count; i++)
        if (core[i])
            hit[count++] = w->processes[i]->id;
    struct sim_fault_note note = {.verb = "heal",
                                  .hit = hit,
                                  .hit_count = count,
                                  .until_us = -1,
                                  .step = (int32_t)w->scenario->heal.place.line};
    uint64_t record = 0;
    if (sim_trace_fault_begin(w->trace, w->now_us, 0, &note)) {
        for (uint32_t i = 0; i < w->process_count; i++) {
            const struct sim_process *p = w->processes[i];
            bool starts = core[i] && (p->life == SIM_DOWN || p->dir_failed);
            if (starts && p->life != SIM_DOWN) /* what it had in memory is gone */
                sim_trace_set_node(w->trace, p->id, "down", (int32_t)p->incarnation);
            if (p->life == SIM_PAUSED || starts)
                sim_trace_set_node(w->trace, p->id, "up", (int32_t)(p->incarnation + starts));
        }
        record = sim_trace_end(w->trace);
    }
    sim_free(hit);
    return record;
}

/* Those of them that are down. */
static void start_all(struct sim_world *w, const bool *these, uint64_t by)
{
    for (uint32_t i = 0; i < w->process_count; i++) {
        struct sim_process *p = w->processes[i];
        if (!these[i] || p->life != SIM_DOWN)
            continue;
        p->dirs_repaired = p->is_full;
        sim_world_start(w, p->id, by);
    }
}

static void replace_disks(struct sim_world *w, const bool *these, uint64_t by)
{
    for (uint32_t i = 0; i < w->process_count; i++) {
        struct sim_process *p = w->processes[i];
        if (!these[i] || p->life != SIM_UP || !p->dir_failed)
            continue;
        p->dirs_repaired = true;
        sim_world_bounce(w, p->id, by);
    }
}

/* When all sessions of before should have ended; a server that rounds them up lets them live on. */
static int64_t again_after_us(const struct sim_world *w)
{
    int64_t longest = 0;
    for (uint32_t i = 0; i < w->process_count; i++)
        if (w->processes[i]->settings.session_timeout_us > longest)
            longest = w->processes[i]->settings.session_timeout_us;
    return longest + AFTER_SESSIONS_US;
}

static void heal_again(struct sim_world *w)
{
    bool *down = sim_alloc(w->process_count);
    bool any = false;
    for (uint32_t i = 0; i < w->process_count; i++) {
        down[i] = w->processes[i]->in_core && w->processes[i]->life == SIM_DOWN;
        any = any || down[i];
    }
    if (any) {
        start_all(w, down, record_heal(w, down));
        if (w->now_us < w->scenario->heal.at_us + TRY_FOR_US)
            push(w, w->now_us + again_after_us(w), HEAL_AGAIN);
    }
    sim_free(down);
}

static void heal(struct sim_world *w)
{
    bool *core = core_of(w);
    uint64_t record = record_heal(w, core);
    w->is_healed = true;
    lift_rules(w);
    if (w->quorum_lost) {
        w->quorum_lost = false;
        sim_zk_server(w, (struct kz_input){.kind = KZ_IN_QUORUM, .on = 1}, record, 0, 0, 0);
    }
    for (uint32_t i = 0; i < w->process_count; i++) {
        revive(w, w->processes[i], record);
        w->processes[i]->in_core = core[i];
    }
    start_all(w, core, record);
    replace_disks(w, core, record);
    sim_free(core);
    push(w, w->now_us + again_after_us(w), HEAL_AGAIN);
    if (w->checks != NULL)
        push(w, sim_checks_heal(w->checks), HEAL_OVER);
}

void sim_heal_due(struct sim_world *w, uint64_t what)
{
    w->timed_ahead--;
    switch ((enum heal_event)what) {
    case HEAL:
        heal(w);
        return;
    case HEAL_AGAIN:
        heal_again(w);
        return;
    case HEAL_OVER:
        return; /* only time had to pass; the checks judge behind this event */
    }
}
