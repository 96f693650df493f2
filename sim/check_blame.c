/*
 * Replaying without a defect. The scenario is copied as a struct with another profile: all that it
 * points to is borrowed from the one that was played.
 */
#include "sim/check_blame.h"

#include <stdio.h>
#include <string.h>

#include "sim/trace.h"
#include "sim/world.h"

struct replay {
    struct sim_scenario scenario;
    struct sim_trace *trace;
    struct sim_world *world;
};

static void play(struct replay *r, const struct sim_scenario *scenario, uint64_t seed,
                 int64_t end_us, uint64_t defects)
{
    struct sim_world_options options = sim_world_options_default();
    r->scenario = *scenario;
    r->scenario.profile.defects = defects;
    r->trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    options.seed = seed;
    options.trace = r->trace;
    options.checks = SIM_CHECKS_ON;
    r->world = sim_world_new(&options);
    sim_world_load(r->world, &r->scenario);
    sim_world_run(r->world, end_us);
    sim_world_checks_end(r->world);
}

static void leave(struct replay *r)
{
    sim_world_free(r->world);
    sim_trace_free(r->trace);
}

static bool same(const struct sim_record *a, const struct sim_record *b)
{
    return a->t == b->t && a->at == b->at && a->kind == b->kind && a->by == b->by &&
           a->mute == b->mute && a->size == b->size && memcmp(a->payload, b->payload, a->size) == 0;
}

/* Returns the number of the first record in which they differ, 0 none. */
static uint64_t first_difference(const struct sim_trace *a, const struct sim_trace *b)
{
    struct sim_record x, y;
    for (uint64_t n = 1;; n++) {
        bool in_a = sim_trace_get(a, n, &x), in_b = sim_trace_get(b, n, &y);
        if (!in_a && !in_b)
            return 0;
        if (!in_a || !in_b || !same(&x, &y))
            return n;
    }
}

struct question {
    const struct sim_scenario *scenario;
    uint64_t seed;
    int64_t end_us;
    enum sim_check check;
    struct replay whole; /* with all its defects */
};

/* Whether the check holds with `defects` on. A run that never differs shows nothing. */
static bool check_heals(void *context, uint64_t defects, uint64_t *record)
{
    const struct question *q = context;
    struct replay r;
    play(&r, q->scenario, q->seed, q->end_us, defects);
    bool healed = sim_world_error(r.world) == NULL &&
                  sim_world_checked(r.world)->violations[q->check].count == 0;
    *record = first_difference(q->whole.trace, r.trace);
    leave(&r);
    return healed && *record != 0;
}

struct search {
    uint64_t on;
    sim_heals *heals;
    void *context;
};

static bool heals_without(const struct search *s, uint64_t off, uint64_t *record)
{
    return s->heals(s->context, s->on & ~off, record);
}

/* The lower half of the bits in `set`, which has two at least. */
static uint64_t lower_half(uint64_t set)
{
    uint64_t half = 0;
    for (int left = __builtin_popcountll(set) / 2; left > 0; left--)
        half |= set & -set, set &= set - 1;
    return half;
}

/* Takes defects away from the set `off`, whose absence heals, as long as the absence of the rest
   heals. */
static struct sim_blame reduce(const struct search *s, uint64_t off, uint64_t record)
{
    uint64_t found;
    for (int d = 0; d < SM_DEFECT_END; d++) {
        uint64_t bit = UINT64_C(1) << d;
        if ((off & bit) != 0 && off != bit && heals_without(s, off & ~bit, &found)) {
            off &= ~bit;
            record = found;
        }
    }
    return (struct sim_blame){.defects = off, .record = record};
}

/* Halves the set for as long as the absence of one half heals: most often down to one defect, with
   a dozen runs in place of one for each. */
static struct sim_blame blame_within(const struct search *s, uint64_t off)
{
    uint64_t record, found;
    if (!heals_without(s, off, &record))
        return (struct sim_blame){0};
    while ((off & (off - 1)) != 0) {
        uint64_t low = lower_half(off), high = off & ~low;
        if (heals_without(s, low, &found))
            off = low;
        else if (heals_without(s, high, &found))
            off = high;
        else
            return reduce(s, off, record);
        record = found;
    }
    return (struct sim_blame){.defects = off, .record = record};
}

struct sim_blame sim_blame_search(uint64_t on, uint64_t suspects, sim_heals *heals, void *context)
{
    struct search s = {.on = on, .heals = heals, .context = context};
    struct sim_blame blame = {0};
    if (suspects != 0)
        blame = blame_within(&s, suspects);
    if (blame.defects == 0)
        blame = blame_within(&s, on);
    return blame;
}

struct sim_blame sim_check_blame(const struct sim_scenario *scenario, uint64_t seed, int64_t end_us,
                                 enum sim_check check)
{
    uint64_t on = scenario->profile.defects;
    struct question q = {.scenario = scenario, .seed = seed, .end_us = end_us, .check = check};
    struct sim_blame blame = {0};
    if (on == 0)
        return blame;
    play(&q.whole, scenario, seed, end_us, on);
    blame = sim_blame_search(on, 0, check_heals, &q);
    leave(&q.whole);
    return blame;
}

const char *sim_blame_text(char *out, size_t capacity, const struct sim_blame *blame)
{
    size_t at = 0;
    snprintf(out, capacity, "nothing known");
    for (int d = 0; d < SM_DEFECT_END; d++)
        if ((blame->defects >> d & 1) != 0 && at < capacity)
            at += (size_t)snprintf(out + at, capacity - at, "%s%s", at == 0 ? "" : " and ",
                                   sm_defect_jira((enum sm_defect)d));
    return out;
}
