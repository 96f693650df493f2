/*
 * A stack of texts: the file's, and one more for each act. The top one is what is being played.
 */
#include "cli/live_run.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cli/play.h"
#include "sim/diff.h"
#include "sim/scenario_edit.h"
#include "sim/world.h"

/* One text, and what was done to come to it from the one below. */
struct layer {
    char *text, *act;  /* act: NULL for the file's */
    int64_t before_us; /* the moment in which it was done */
};

struct cli_live_run {
    char *file;
    uint64_t seed;
    struct layer layers[CLI_LIVE_ACTS_MAX + 1];
    unsigned count; /* of layers, at least 1 */
    struct sim_scenario *scenario;
    struct sim_trace *trace;
    struct sim_world *world;
    uint64_t kept;
    char stuck[200];
};

static void stop(struct cli_live_run *run)
{
    sim_world_free(run->world);
    sim_trace_free(run->trace);
    sim_scenario_free(run->scenario);
    run->world = NULL;
    run->trace = NULL;
    run->scenario = NULL;
}

/* Begins to play a scenario from time 0. */
static void start(struct cli_live_run *run, struct sim_scenario *scenario)
{
    stop(run);
    run->scenario = scenario;
    run->trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    struct sim_world_options options = sim_world_options_default();
    options.seed = run->seed;
    options.trace = run->trace;
    options.notes = KC_NOTE_ALL & ~(uint32_t)KC_NOTE_LOG_TRACE;
    options.checks = SIM_CHECKS_ON;
    run->world = sim_world_new(&options);
    cli_play_meta(run->trace, run->file, scenario, run->seed);
    sim_world_load(run->world, scenario);
    run->stuck[0] = '\0';
}

/* Plays another scenario up to a moment, and notes what that has in common with what was played. */
static void replay(struct cli_live_run *run, struct sim_scenario *scenario, int64_t until_us)
{
    struct sim_trace *before = run->trace;
    run->trace = NULL; /* start would free it */
    sim_world_free(run->world);
    run->world = NULL;
    start(run, scenario);
    cli_live_run_advance(run, until_us);
    uint64_t parts = sim_diff_first(before, run->trace, 2);
    run->kept = parts != 0 ? parts - 1 : sim_trace_count(before);
    sim_trace_free(before);
}

static void push(struct cli_live_run *run, char *text, char *act, int64_t before_us)
{
    run->layers[run->count++] = (struct layer){.text = text, .act = act, .before_us = before_us};
}

struct cli_live_run *cli_live_run_new(const char *file, bool has_seed, uint64_t seed,
                                      struct sim_diagnostics *d)
{
    struct sim_scenario *scenario = sim_scenario_load(file, d);
    if (scenario == NULL)
        return NULL;
    struct cli_live_run *run = calloc(1, sizeof(*run));
    char *text = strndup(scenario->text, scenario->text_size);
    if (run == NULL || text == NULL || (run->file = strdup(file)) == NULL)
        abort();
    run->seed = has_seed ? seed : scenario->seed;
    push(run, text, NULL, 0);
    start(run, scenario);
    return run;
}

void cli_live_run_free(struct cli_live_run *run)
{
    if (run == NULL)
        return;
    stop(run);
    for (unsigned i = 0; i < run->count; i++) {
        free(run->layers[i].text);
        free(run->layers[i].act);
    }
    free(run->file);
    free(run);
}

/* ---- time ---- */

static bool may_go_on(struct cli_live_run *run)
{
    const char *error = sim_world_error(run->world);
    if (error != NULL)
        snprintf(run->stuck, sizeof(run->stuck), "%s", error);
    else if (sim_trace_count(run->trace) >= CLI_LIVE_RECORDS_MAX)
        snprintf(run->stuck, sizeof(run->stuck), "a run on the page ends at %d records",
                 CLI_LIVE_RECORDS_MAX);
    return run->stuck[0] == '\0';
}

void cli_live_run_advance(struct cli_live_run *run, int64_t until_us)
{
    while (may_go_on(run) && sim_world_next(run->world) <= until_us && !cli_live_run_is_over(run))
        sim_world_step(run->world);
    if (run->stuck[0] == '\0' && !cli_live_run_is_over(run) && sim_world_now(run->world) < until_us)
        sim_world_run(run->world, until_us);
}

void cli_live_run_step(struct cli_live_run *run)
{
    uint64_t before = sim_trace_count(run->trace);
    while (may_go_on(run) && !cli_live_run_is_over(run) && sim_trace_count(run->trace) == before)
        if (!sim_world_step(run->world))
            return;
}

/* ---- acts ---- */

bool cli_live_run_act(struct cli_live_run *run, const char *step, char error[CLI_LIVE_ERROR])
{
    const struct layer *top = &run->layers[run->count - 1];
    int64_t now_us = sim_world_now(run->world);
    if (run->count > CLI_LIVE_ACTS_MAX) {
        snprintf(error, CLI_LIVE_ERROR, "no more than %d steps can be added", CLI_LIVE_ACTS_MAX);
        return false;
    }
    char edit_error[SIM_EDIT_ERROR];
    char *text = sim_scenario_add_step(top->text, strlen(top->text), step, now_us + 1, edit_error);
    if (text == NULL) {
        snprintf(error, CLI_LIVE_ERROR, "%s", edit_error);
        return false;
    }
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    struct sim_scenario *scenario = sim_scenario_parse(run->file, text, strlen(text), &d);
    if (scenario == NULL) {
        FILE *out = fmemopen(error, CLI_LIVE_ERROR, "w");
        if (out == NULL)
            abort();
        sim_diagnostics_print(&d, out, false);
        fclose(out);
        error[CLI_LIVE_ERROR - 1] = '\0';
        free(text);
    } else {
        char *act = strdup(step);
        if (act == NULL)
            abort();
        push(run, text, act, now_us);
        replay(run, scenario, now_us + 1);
    }
    sim_diagnostics_free(&d);
    return scenario != NULL;
}

bool cli_live_run_undo(struct cli_live_run *run)
{
    if (run->count == 1)
        return false;
    struct layer *top = &run->layers[--run->count];
    int64_t before_us = top->before_us;
    free(top->text);
    free(top->act);
    const char *text = run->layers[run->count - 1].text;
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    struct sim_scenario *scenario = sim_scenario_parse(run->file, text, strlen(text), &d);
    assert(scenario != NULL); /* it was played before */
    sim_diagnostics_free(&d);
    replay(run, scenario, before_us);
    return true;
}

/* ---- looking ---- */

int64_t cli_live_run_now(const struct cli_live_run *run)
{
    return sim_world_now(run->world);
}

bool cli_live_run_is_over(const struct cli_live_run *run)
{
    if (run->scenario->until_quiet)
        return sim_world_is_over(run->world) || sim_world_next(run->world) == SIM_FOREVER;
    return sim_world_now(run->world) >= run->scenario->until_us;
}

const char *cli_live_run_stuck(const struct cli_live_run *run)
{
    return run->stuck[0] == '\0' ? NULL : run->stuck;
}

unsigned cli_live_run_acts(const struct cli_live_run *run)
{
    return run->count - 1;
}

const char *cli_live_run_act_text(const struct cli_live_run *run, unsigned index)
{
    assert(index + 1 < run->count);
    return run->layers[index + 1].act;
}

uint64_t cli_live_run_seed(const struct cli_live_run *run)
{
    return run->seed;
}

const struct sim_trace *cli_live_run_trace(const struct cli_live_run *run)
{
    return run->trace;
}

uint64_t cli_live_run_kept(const struct cli_live_run *run)
{
    return run->kept;
}

const char *cli_live_run_scenario(const struct cli_live_run *run)
{
    return run->layers[run->count - 1].text;
}
