/*
 * A scenario's text with one step more, one less, or one at another time.
 *
 * The text is changed, not what was read from it: comments, order and style stay, and what comes
 * out is a file that a person may keep. Lines keep their numbers as far as they can: a step is
 * added behind the last one, and one that is dropped becomes a comment.
 *
 * A step is named by its line (any of its lines), or by its label (`as: LABEL`).
 * Memory: texts that are returned are the caller's (free). Thread: any.
 */
#ifndef SIM_SCENARIO_EDIT_H
#define SIM_SCENARIO_EDIT_H

#include <stddef.h>
#include <stdint.h>

enum { SIM_EDIT_ERROR = 400 };

/* Adds `step`, a step without its trigger as the scenario would have it ("kill: 3",
   "{pause: leader of t-0, for: 5s}"), at time `at_us`. Returns the new text, NUL-terminated, or
   NULL with `error`. That the step is a good one is not looked at here: who reads the text will
   say. */
char *sim_scenario_add_step(const char *text, size_t size, const char *step, int64_t at_us,
                            char error[SIM_EDIT_ERROR]);
/* Drops the step `which` (a line number or a label). */
char *sim_scenario_drop_step(const char *text, size_t size, const char *which,
                             char error[SIM_EDIT_ERROR]);
/* Gives the step `which` the time `at_us` in place of its trigger. */
char *sim_scenario_move_step(const char *text, size_t size, const char *which, int64_t at_us,
                             char error[SIM_EDIT_ERROR]);
/* Adds `expectation`, as the list `expect:` would have it. */
char *sim_scenario_add_expectation(const char *text, size_t size, const char *expectation,
                                   char error[SIM_EDIT_ERROR]);

#endif
