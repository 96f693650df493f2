/*
 * What the seed does to a cluster: a plan of steps, written before the run begins.
 *
 *     random: {faults: {kill: 2, reassign: 1}}  ──┐
 *     seed ──► one generator per class ───────────┴──► steps, behind those of the scenario
 *                    │                                        │
 *                    └── swarm: classes that are off          └──► played as any others
 * (world_steps.c)
 *
 * A drawn fault is a step, so that what it does, how it ends, how it is recorded and whom a role
 * means are written once. Half of them act at a drawn time, half at a moment of the protocol:
 * before or after the n-th record of a drawn kind, or with the reply lost. Uniform chaos finds
 * little; what breaks clusters sits between two steps of a protocol. world_draw.h has the parts.
 *
 * Every class draws from a generator of its own, so that a class that is off changes nothing in
 * what the others draw. All ends by `until`: a `for` is cut there, and whoever was taken down is
 * started then, and again when even a session that had just begun is over, since a broker that
 * comes back before its session has expired cannot register and leaves.
 *
 * The steps live in a copy of the scenario that the world owns; the scenario itself is not touched.
 *
 * Source of swarm: Groce et al., "Swarm Testing" (ISSTA 2012).
 */
#include <assert.h>

#include "sim/world_draw.h"

enum { BUSY = SIM_CHAOS_END }; /* the generator of what all classes share */

struct row {
    sim_draw_class *draw;
    enum sim_verb verb;
    bool needs_topic;
};

static const struct row rows[SIM_CHAOS_END] = {
    [SIM_CHAOS_KILL] = {sim_draw_down, SIM_VERB_KILL, false},
    [SIM_CHAOS_RESTART] = {sim_draw_down, SIM_VERB_STOP, false},
    [SIM_CHAOS_BOUNCE] = {sim_draw_bounce, SIM_VERB_BOUNCE, false},
    [SIM_CHAOS_SHUTDOWN] = {sim_draw_down, SIM_VERB_SHUTDOWN, false},
    [SIM_CHAOS_EXPIRE] = {sim_draw_on_node, SIM_VERB_EXPIRE, false},
    [SIM_CHAOS_PAUSE] = {sim_draw_while, SIM_VERB_PAUSE, false},
    [SIM_CHAOS_DROP] = {sim_draw_channel, SIM_VERB_DROP, false},
    [SIM_CHAOS_PARTITION] = {sim_draw_partition, SIM_VERB_PARTITION, false},
    [SIM_CHAOS_DEGRADE] = {sim_draw_channel, SIM_VERB_DEGRADE, false},
    [SIM_CHAOS_HOLD] = {sim_draw_channel, SIM_VERB_HOLD, false},
    [SIM_CHAOS_DISCONNECT] = {sim_draw_on_node, SIM_VERB_DISCONNECT, false},
    [SIM_CHAOS_LOSE_QUORUM] = {sim_draw_lost_quorum, SIM_VERB_LOSE_QUORUM, false},
    [SIM_CHAOS_DELAY] = {sim_draw_delay, SIM_VERB_DELAY, false},
    [SIM_CHAOS_FAIL] = {sim_draw_fail, SIM_VERB_FAIL, false},
    [SIM_CHAOS_BLOCK] = {sim_draw_while, SIM_VERB_BLOCK, false},
    [SIM_CHAOS_FAIL_LOG_DIR] = {sim_draw_fail_log_dir, SIM_VERB_FAIL_LOG_DIR, false},
    [SIM_CHAOS_MOVE_CONTROLLER] = {sim_draw_move_controller, SIM_VERB_MOVE_CONTROLLER, false},
    [SIM_CHAOS_CREATE_TOPIC] = {sim_draw_create, SIM_VERB_CREATE_TOPIC, false},
    [SIM_CHAOS_ADD_PARTITIONS] = {sim_draw_grow, SIM_VERB_ADD_PARTITIONS, true},
    [SIM_CHAOS_DELETE_TOPIC] = {sim_draw_delete, SIM_VERB_DELETE_TOPIC, true},
    [SIM_CHAOS_REASSIGN] = {sim_draw_reassign, SIM_VERB_REASSIGN, true},
    [SIM_CHAOS_CANCEL_REASSIGNMENT] = {sim_draw_reassign_and_cancel, SIM_VERB_CANCEL_REASSIGNMENT,
                                       true},
    [SIM_CHAOS_ELECT_LEADERS] = {sim_draw_elect, SIM_VERB_ELECT_LEADERS, true},
    [SIM_CHAOS_ALTER_CONFIG] = {sim_draw_config, SIM_VERB_ALTER_CONFIG, true},
    [SIM_CHAOS_LOSE_MACHINE] = {sim_draw_lost_machine, SIM_VERB_KILL, false},
    [SIM_CHAOS_CLOCK_SKEW] = {sim_draw_skew, SIM_VERB_CLOCK_SKEW, false},
    [SIM_CHAOS_KILL_CLIENT] = {sim_draw_client, SIM_VERB_KILL, false},
    [SIM_CHAOS_FLIP_LEADER] = {sim_draw_flip, SIM_VERB_REASSIGN, true},
    [SIM_CHAOS_STALL] = {sim_draw_stall, SIM_VERB_HOLD, false},
};

uint64_t sim_chaos_off(const struct sim_random *random, uint64_t seed)
{
    uint64_t x = seed ^ UINT64_C(0x73776172);
    return random->swarm ? sim_random_mix(&x) : 0;
}

static void seed_class(struct sim_drawer *d, int32_t which, uint64_t seed)
{
    uint64_t x = seed;
    uint64_t mixed = sim_random_mix(&x);
    sim_random_seed(&d->random, mixed + (uint64_t)which);
}

static void draw_busy_times(struct sim_drawer *d, uint64_t seed)
{
    seed_class(d, BUSY, seed);
    for (int32_t i = 0; i < SIM_BUSY_TIMES; i++)
        d->busy_us[i] = sim_draw_time(d);
}

static void draw_class(struct sim_drawer *d, enum sim_chaos chaos, uint64_t seed)
{
    const struct row *row = &rows[chaos];
    seed_class(d, (int32_t)chaos, seed);
    if (row->needs_topic && d->s->topic_count == 0)
        return;
    for (int32_t i = 0; i < d->s->random.count[chaos]; i++)
        row->draw(d, row->verb);
}

static uint32_t steps_at_most(const struct sim_scenario *s)
{
    uint32_t faults = 0;
    for (enum sim_chaos c = 0; c < SIM_CHAOS_END; c++)
        faults += (uint32_t)s->random.count[c];
    return s->step_count + faults * SIM_STEPS_PER_FAULT;
}

const struct sim_scenario *sim_random_plan(struct sim_world *w, const struct sim_scenario *s)
{
    uint64_t off = sim_chaos_off(&s->random, w->options.seed);
    if (!s->random.is_on || s->node_count == 0)
        return s;
    struct sim_plan *plan = sim_alloc(sizeof(*plan));
    struct sim_drawer d = {.plan = plan, .s = s, .capacity = steps_at_most(s)};
    plan->scenario = *s;
    plan->scenario.steps = sim_memory_take(&plan->memory, d.capacity * sizeof(*s->steps));
    if (s->step_count > 0)
        memcpy(plan->scenario.steps, s->steps, s->step_count * sizeof(*s->steps));
    draw_busy_times(&d, w->options.seed);
    for (enum sim_chaos c = 0; c < SIM_CHAOS_END; c++)
        if ((off >> c & 1) == 0)
            draw_class(&d, c, w->options.seed);
    w->plan = plan;
    return &plan->scenario;
}

void sim_random_free(struct sim_world *w)
{
    if (w->plan == NULL)
        return;
    sim_memory_free(&w->plan->memory);
    free(w->plan);
}
