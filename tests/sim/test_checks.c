/*
 * Checks over the whole corpus of scenarios: silent without defects, explained with them.
 *
 * Every scenario is played with everything looked at (SIM_CHECKS_WHOLE), so that a check on the way
 * that misses what the slow one sees is found (its text then says so).
 */
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/check.h"
#include "sim/check_blame.h"
#include "sim/diagnostics.h"
#include "sim/scenario.h"
#include "sim/world.h"

struct outcome {
    struct sim_check_result result;
    int64_t end_us;
};

static struct outcome play(const struct sim_scenario *s, enum sim_checks_mode mode)
{
    struct sim_world_options options = sim_world_options_default();
    struct outcome o;
    options.seed = s->seed;
    options.checks = mode;
    options.trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    struct sim_world *w = sim_world_new(&options);
    sim_world_load(w, s);
    while (!(s->until_quiet && sim_world_is_over(w)) && sim_world_next(w) <= s->until_us &&
           sim_world_step(w)) {
    }
    o.end_us = sim_world_now(w);
    sim_world_checks_end(w);
    o.result = *sim_world_checked(w);
    sim_world_free(w);
    sim_trace_free(options.trace);
    return o;
}

static unsigned print(const char *file, const char *profile, const struct sim_check_result *r)
{
    unsigned count = 0;
    for (int i = 0; i < SIM_CHECK_END; i++) {
        const struct sim_violation *v = &r->violations[i];
        if (v->count == 0)
            continue;
        count++;
        printf("%s under %s: %s %s: %s: %s (%.6fs, %llu times)\n", file, profile,
               sim_check_number((enum sim_check)i), sim_check_name((enum sim_check)i), v->object,
               v->detail, (double)v->t_us / 1e6, (unsigned long long)v->count);
    }
    return count;
}

/* Without defects nothing is violated. */
static unsigned fixed_is_silent(const struct sim_scenario *s)
{
    struct sim_scenario fixed = *s;
    if (s->version != SM_VERSION_2_8 && s->version != SM_VERSION_2_8_FIXED)
        return 0;
    fixed.profile.defects = 0;
    struct outcome o = play(&fixed, SIM_CHECKS_WHOLE);
    return print(s->file, "2.8-fixed", &o.result);
}

/* With them, whatever is violated is known. */
static unsigned defects_explain(const struct sim_scenario *s)
{
    struct outcome o = play(s, SIM_CHECKS_ON);
    unsigned unexplained = 0;
    for (int i = 0; i < SIM_CHECK_END; i++) {
        char text[200];
        if (o.result.violations[i].count == 0)
            continue;
        struct sim_blame b = sim_check_blame(s, s->seed, o.end_us, (enum sim_check)i);
        printf("%s: %s: %s: known defect: %s\n", s->file, sim_check_name((enum sim_check)i),
               o.result.violations[i].detail, sim_blame_text(text, sizeof(text), &b));
        unexplained += b.defects == 0;
    }
    return unexplained;
}

static unsigned check_file(const char *file)
{
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    struct sim_scenario *s = sim_scenario_load(file, &d);
    unsigned bad = s == NULL;
    if (s != NULL)
        bad = fixed_is_silent(s) + defects_explain(s);
    sim_scenario_free(s);
    sim_diagnostics_free(&d);
    return bad;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

int main(int argc, char **argv)
{
    static char corpus[] = KC_SOURCE_DIR "/scenarios";
    char *default_roots[] = {corpus, NULL};
    unsigned bad = 0, files = 0;
    FTS *fts = fts_open(argc > 1 ? argv + 1 : default_roots, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    FTSENT *e;
    while (fts != NULL && (e = fts_read(fts)) != NULL) {
        const char *dot = strrchr(e->fts_name, '.');
        if (e->fts_info != FTS_F || dot == NULL || strcmp(dot, ".yaml") != 0)
            continue;
        files++;
        bad += check_file(e->fts_path);
    }
    if (fts != NULL)
        fts_close(fts);
    printf("%u scenarios, %u violations too many\n", files, bad);
    return bad != 0 || files == 0;
}
