/*
 * Replaying without a defect. The scenario is copied as a struct with another profile: all that it
 * points to is borrowed from the one that was played.
 */
#include "sim/check_blame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/allocate.h"
#include "sim/trace.h"
#include "sim/world.h"

struct replay {
    struct sim_scenario scenario;
    struct sim_trace *trace;
    struct sim_world *world;
};

/* With just `defects` on. What was found out of a run that ended early is that it is ill. */
struct finding {
    uint64_t defects;
    uint64_t violated; /* a bit each of the checks that were, as far as it went */
    uint64_t record;   /* first difference, 0 none; only of a whole run */
    bool whole, failed;
};

struct sim_inquest {
    const struct sim_scenario *scenario;
    uint64_t seed;
    int64_t end_us;
    struct replay with_all; /* the run itself, once it was needed */
    bool has_with_all;
    struct finding *findings; /* [count] in order of play */
    size_t count, capacity;
};

static bool is_violated(const struct replay *r, enum sim_check check)
{
    return sim_world_checked(r->world)->violations[check].count != 0;
}

/* Up to the end, or to a violation of `until` (SIM_CHECK_END: of none): it is not taken back. */
static void play(struct replay *r, const struct sim_inquest *q, uint64_t defects,
                 enum sim_check until)
{
    struct sim_world_options options = sim_world_options_default();
    r->scenario = *q->scenario;
    r->scenario.profile.defects = defects;
    r->trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    options.seed = q->seed;
    options.trace = r->trace;
    options.checks = SIM_CHECKS_ON;
    r->world = sim_world_new(&options);
    sim_world_load(r->world, &r->scenario);
    while (until != SIM_CHECK_END && sim_world_next(r->world) <= q->end_us)
        if (!sim_world_step(r->world) || is_violated(r, until))
            return;
    sim_world_run(r->world, q->end_us);
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

/* ---- what is known of replays ---- */

_Static_assert(SIM_CHECK_END <= 64, "a bit each");

static void find_out(struct sim_inquest *q, struct finding *f, enum sim_check check)
{
    struct replay r;
    play(&r, q, f->defects, check);
    f->violated = 0;
    for (int i = 0; i < SIM_CHECK_END; i++)
        f->violated |= (uint64_t)is_violated(&r, (enum sim_check)i) << i;
    f->failed = sim_world_error(r.world) != NULL;
    f->whole = f->failed || (f->violated >> check & 1) == 0;
    if (f->whole && !f->failed) {
        if (!q->has_with_all)
            play(&q->with_all, q, q->scenario->profile.defects, SIM_CHECK_END);
        q->has_with_all = true;
        f->record = first_difference(q->with_all.trace, r.trace);
    }
    leave(&r);
}

/* Returns what is known of that run, enough to tell whether `check` holds in it. */
static const struct finding *finding_of(struct sim_inquest *q, uint64_t defects,
                                        enum sim_check check)
{
    struct finding *f = NULL;
    for (size_t i = 0; i < q->count && f == NULL; i++)
        if (q->findings[i].defects == defects)
            f = &q->findings[i];
    if (f != NULL && (f->whole || (f->violated >> check & 1) != 0))
        return f;
    if (f == NULL) {
        if (q->count == q->capacity) {
            q->capacity = q->capacity * 2 + 32;
            q->findings = sim_realloc(q->findings, q->capacity * sizeof(*q->findings));
        }
        f = &q->findings[q->count++];
        *f = (struct finding){.defects = defects};
    }
    find_out(q, f, check);
    return f;
}

struct question {
    struct sim_inquest *inquest;
    enum sim_check check;
};

/* Whether the check holds with `defects` on. A run that never differs shows nothing. */
static bool check_heals(void *context, uint64_t defects, uint64_t *record)
{
    const struct question *q = context;
    const struct finding *f = finding_of(q->inquest, defects, q->check);
    *record = f->record;
    return !f->failed && (f->violated >> q->check & 1) == 0 && f->record != 0;
}

/* ---- the search ---- */

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

/* ---- of one run ---- */

struct sim_inquest *sim_inquest_new(const struct sim_scenario *scenario, uint64_t seed,
                                    int64_t end_us)
{
    struct sim_inquest *q = sim_alloc(sizeof(*q));
    *q = (struct sim_inquest){.scenario = scenario, .seed = seed, .end_us = end_us};
    return q;
}

void sim_inquest_free(struct sim_inquest *q)
{
    if (q->has_with_all)
        leave(&q->with_all);
    free(q->findings);
    free(q);
}

/* What explains nine of ten violations of 2.8.2 in campaigns is asked first, always in this order: two
   defects, and both where neither does alone. */
static struct sim_blame usual_blame(struct question *question, uint64_t on)
{
    static const uint64_t usual[] = {UINT64_C(1) << SM_DEFECT_ISR_OUTSIDE_REPLICAS,
                                     UINT64_C(1) << SM_DEFECT_OFFLINE_REPLICA_JOINS,
                                     UINT64_C(1) << SM_DEFECT_ISR_OUTSIDE_REPLICAS |
                                         UINT64_C(1) << SM_DEFECT_OFFLINE_REPLICA_JOINS};
    uint64_t record;
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        if ((usual[i] & ~on) == 0 && check_heals(question, on & ~usual[i], &record))
            return (struct sim_blame){.defects = usual[i], .record = record};
    return (struct sim_blame){0};
}

struct sim_blame sim_inquest_blame(struct sim_inquest *q, enum sim_check check)
{
    struct question question = {.inquest = q, .check = check};
    uint64_t on = q->scenario->profile.defects;
    struct sim_blame blame = usual_blame(&question, on);
    if (on != 0 && blame.defects == 0)
        blame = sim_blame_search(on, 0, check_heals, &question);
    return blame;
}

bool sim_inquest_is_known(struct sim_inquest *q, enum sim_check check)
{
    uint64_t record;
    return q->scenario->profile.defects != 0 &&
           check_heals(&(struct question){.inquest = q, .check = check}, 0, &record);
}

struct sim_blame sim_check_blame(const struct sim_scenario *scenario, uint64_t seed, int64_t end_us,
                                 enum sim_check check)
{
    struct sim_inquest *q = sim_inquest_new(scenario, seed, end_us);
    struct sim_blame blame = sim_inquest_blame(q, check);
    sim_inquest_free(q);
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
