/*
 * A run that somebody plays with: it stands at a moment, goes on as far as it is asked to, and
 * takes steps that were in no file.
 *
 *     scenario ──► run ──► moment ──► act "kill: 3" ──► the scenario, and that step at that moment
 *                                          │
 *                                          └─ played again up to there, and on
 *
 * The run is always that of a scenario's text: acting adds a step to the text, just behind the
 * moment, and plays it again from the beginning, which is the same up to the moment because
 * everything in it follows from text and seed. So what was done can be saved as a file that gives
 * the same records to the byte, and undone by leaving the step out again.
 *
 * Thread: one at a time.
 */
#ifndef CLI_LIVE_RUN_H
#define CLI_LIVE_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/diagnostics.h"
#include "sim/trace.h"

struct cli_live_run; /* opaque */

enum {
    CLI_LIVE_RECORDS_MAX = 1000000, /* a page that watches must still be able to show them */
    CLI_LIVE_ACTS_MAX = 1000,
    CLI_LIVE_ERROR = 2000,
};

/* Returns an owned run of the scenario in `file`, at time 0, or NULL with errors in `d`. */
struct cli_live_run *cli_live_run_new(const char *file, bool has_seed, uint64_t seed,
                                      struct sim_diagnostics *d);
void cli_live_run_free(struct cli_live_run *run); /* NULL is fine */

/* Goes on to `until_us`. Where nothing is left to happen it stops there, and cli_live_run_is_over.
 */
void cli_live_run_advance(struct cli_live_run *run, int64_t until_us);
/* Goes on to the next event that leaves a record. */
void cli_live_run_step(struct cli_live_run *run);

/* Adds a step, without its trigger, right behind this moment, and does it. False with `error`
   where it is no step; then nothing has changed. */
bool cli_live_run_act(struct cli_live_run *run, const char *step, char error[CLI_LIVE_ERROR]);
/* Leaves out the step that was added last: the run stands where it stood before it. False where
   there is none. */
bool cli_live_run_undo(struct cli_live_run *run);

/* The moment, µs of virtual time. */
int64_t cli_live_run_now(const struct cli_live_run *run);
/* Nothing is left that would happen by itself. */
bool cli_live_run_is_over(const struct cli_live_run *run);
/* NULL, or why it cannot go on: a limit, with its value. */
const char *cli_live_run_stuck(const struct cli_live_run *run);
/* How many steps were added; the text of one. */
unsigned cli_live_run_acts(const struct cli_live_run *run);
const char *cli_live_run_act_text(const struct cli_live_run *run, unsigned index);
uint64_t cli_live_run_seed(const struct cli_live_run *run);
/* Records so far; it is another trace after an act and after an undo. */
const struct sim_trace *cli_live_run_trace(const struct cli_live_run *run);
/* Of the last act or undo: how many records are what they were before it, not counting that record
   1, which has the scenario, is another. */
uint64_t cli_live_run_kept(const struct cli_live_run *run);
/* The scenario as it is now, a file's text. */
const char *cli_live_run_scenario(const struct cli_live_run *run);

#endif
