/*
 * Where two runs part: the first record that is not the same in both.
 *
 * What `meta` says of the two (seed, scenario, version) is told apart and does not count as a
 * difference of the runs; `finish` is compared like any other record.
 */
#ifndef SIM_DIFF_H
#define SIM_DIFF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/trace.h"

/* Returns the number of the first record from `from` (1…) on that differs or that only one has; 0:
   none. */
uint64_t sim_diff_first(const struct sim_trace *a, const struct sim_trace *b, uint64_t from);

/* Prints where they part: differences of meta, then the first differing record in words and as it
   stands in both, its cause, and the fields and facts that differ. Returns whether the runs are
   equal. */
bool sim_diff_print(FILE *out, const struct sim_trace *a, const struct sim_trace *b,
                    const char *name_a, const char *name_b);

#endif
