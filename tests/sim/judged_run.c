/*
 * See judged_run.h: the loop of `kcsim run`, without its reports.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "judged_run.h"
#include "sim/diagnostics.h"

static void judge(struct run *r, uint64_t *seen)
{
    struct sim_record record;
    struct sim_view view = sim_world_view(r->world);
    while (*seen < sim_trace_count(r->trace) && sim_trace_get(r->trace, *seen + 1, &record)) {
        sim_expect_record(r->expectations, r->trace, &record);
        (*seen)++;
    }
    sim_expect_moment(r->expectations, sim_world_now(r->world), *seen, &view);
}

struct run run_text(const char *text, enum sim_ending ending)
{
    struct run r = {0};
    struct sim_diagnostics d;
    uint64_t seen = 0;
    sim_diagnostics_init(&d);
    r.scenario = sim_scenario_parse("dir/test.yaml", text, strlen(text), &d);
    sim_diagnostics_print(&d, stderr, false);
    ck_assert_ptr_nonnull(r.scenario);
    sim_diagnostics_free(&d);
    r.trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    struct sim_world_options options = sim_world_options_default();
    options.trace = r.trace;
    options.seed = r.scenario->seed;
    r.world = sim_world_new(&options);
    sim_world_load(r.world, r.scenario);
    r.expectations = sim_expect_new(r.scenario);
    judge(&r, &seen);
    const int64_t end = r.scenario->until_quiet ? SIM_FOREVER : r.scenario->until_us;
    while (sim_world_now(r.world) < end &&
           !(r.scenario->until_quiet && sim_world_is_over(r.world))) {
        const int64_t next = sim_expect_next(r.expectations, sim_world_now(r.world));
        const int64_t stop = next < end ? next : end;
        if (sim_world_next(r.world) > stop) {
            ck_assert(sim_world_run(r.world, stop));
        } else {
            ck_assert(sim_world_step(r.world));
        }
        judge(&r, &seen);
    }
    struct sim_view view = sim_world_view(r.world);
    sim_expect_end(r.expectations, sim_world_now(r.world), seen, &view, ending);
    r.result = (struct sim_result){.scenario = r.scenario,
                                   .expectations = r.expectations,
                                   .ending = ending,
                                   .end_us = sim_world_now(r.world),
                                   .records = seen,
                                   .digest = 1,
                                   .seed = 5,
                                   .never_fired = sim_world_never_fired(r.world)};
    return r;
}

void end_run(struct run *r)
{
    sim_expect_free(r->expectations);
    sim_world_free(r->world);
    sim_trace_free(r->trace);
    sim_scenario_free(r->scenario);
}
