/*
 * The story of a run on the terminal: who failed, who noticed and when, who leads now, what was
 * lost, and the verdict.
 *
 * It reads the records in memory and nothing else, and has at most `lines` lines (25 by default):
 * what is alike is told once with a count, and what does not fit gives way in a fixed order
 * (single partitions before elections, elections before faults; a fault is never left out
 * silently).
 */
#ifndef SIM_STORY_H
#define SIM_STORY_H

#include <stdbool.h>
#include <stdio.h>

#include "sim/scenario.h"
#include "sim/trace.h"
#include "sim/verdict.h"

struct sim_story_options {
    unsigned lines; /* 0: 25; UINT_MAX: all */
    bool color;
};

/* Prints the story of `trace`, which the run of result->scenario made. Returns the lines printed.
 */
unsigned sim_story_print(FILE *out, const struct sim_trace *trace, const struct sim_result *result,
                         const struct sim_story_options *options);

enum sim_color { SIM_COLOR_AUTO, SIM_COLOR_ALWAYS, SIM_COLOR_NEVER };
/* Returns whether to colour what goes to `out`: --color, then NO_COLOR, CLICOLOR_FORCE, TERM=dumb,
   then whether it is a terminal. */
bool sim_color_wanted(enum sim_color option, FILE *out);

#endif
