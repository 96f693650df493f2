/*
 * A scenario, given as text, run to its end in a world with a trace, and its expectations judged.
 */
#ifndef JUDGED_RUN_H
#define JUDGED_RUN_H

#include "sim/expect.h"
#include "sim/scenario.h"
#include "sim/verdict.h"
#include "sim/world.h"

struct run {
    struct sim_scenario *scenario;
    struct sim_trace *trace;
    struct sim_world *world;
    struct sim_expectations *expectations;
    struct sim_result result;
};

/* Fails the test where the text is no scenario. `ending` is told to the judge. End it with end_run. */
struct run run_text(const char *text, enum sim_ending ending);
void end_run(struct run *r);

#endif
