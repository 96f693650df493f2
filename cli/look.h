/*
 * What the commands that look at a trace share: opening it, and the moment that is meant.
 */
#ifndef CLI_LOOK_H
#define CLI_LOOK_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim/facts.h"
#include "sim/trace.h"

/* Which moment: --at TIME or --record N, else the end. */
struct cli_moment {
    bool has_at;
    int64_t at_us;
    uint64_t record; /* 0: not given */
};

/* Parse the two options; call argp_error on nonsense. */
void cli_moment_at(struct cli_moment *moment, const char *arg, struct argp_state *state);
void cli_moment_record(struct cli_moment *moment, const char *arg, struct argp_state *state);

/* Returns the trace in `file`, owned, or NULL after a message. A trace that was cut off opens, with
   a note on stderr. */
struct sim_trace *cli_trace_open(const char *file);

/* Writes `trace` to `file`, "-": standard output. False after a message. */
bool cli_trace_write(const char *file, const struct sim_trace *trace);

/* Returns the record whose state is meant, 0 after a message (the trace has no such record). */
uint64_t cli_moment_find(const struct cli_moment *moment, const struct sim_trace *trace);

/* Returns `code`, or SIM_EXIT_SOFTWARE after a message where standard output could not be written.
 */
int cli_written(int code);

#endif
