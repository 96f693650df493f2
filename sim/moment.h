/*
 * Moments of a trace: "6.4s", "500ms", "record 214", and back into words.
 */
#ifndef SIM_MOMENT_H
#define SIM_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/trace.h"

/* Parses a time with its unit (us, ms, s, m, h; a fraction of at most six digits) into µs. False
   where it is none, or beyond 10 years. */
bool sim_time_parse(const char *text, int64_t *us);

enum { SIM_TIME_TEXT = 32 };
/* Writes "6.420s" (milliseconds; six digits where the µs need them) and returns `out`. */
const char *sim_time_text(char *out, int64_t us);

/* Writes a time in the largest unit that says it exactly, as scenarios write it ("6s", "6400ms",
   "7us"), and returns `out`. */
const char *sim_time_exact(char out[SIM_TIME_TEXT], int64_t us);

/* Returns the record whose state is meant: `record` where it is not 0, else the last one at or
   before time `at_us`, or the last of all where that is negative. */
uint64_t sim_moment(const struct sim_trace *trace, int64_t at_us, uint64_t record);

#endif
