/*
 * Where two runs part, and what differs between them, in words.
 *
 * They are compared by cause (align.h): what merely came later or has another number is the same.
 * To the byte they are compared by number (sim_diff_first), for runs that should be one.
 *
 * What `meta` says of the two (seed, scenario, version) is told apart and does not count as a
 * difference of the runs; `finish` is compared like any other record.
 */
#ifndef SIM_DIFF_H
#define SIM_DIFF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/align.h"
#include "sim/trace.h"

/* Returns the number of the first record from `from` (1…) on that is not the same to the byte or
   that only one has; 0: none. */
uint64_t sim_diff_first(const struct sim_trace *a, const struct sim_trace *b, uint64_t from);

/* Returns the same behind what `meta` says: 0: equal runs. */
uint64_t sim_diff_parted(const struct sim_trace *a, const struct sim_trace *b);

/* Prints what differs in a pair of records, "name: of a | of b" each between `before` and `after`;
   the first dozen, and how many more. Long values are cut. */
void sim_diff_values(FILE *out, const struct sim_record *a, const struct sim_record *b,
                     const char *before, const char *after);

/* Prints, in sentences without a newline, why this is where a difference begins: what it comes of
   in both, or that the scenario asked for it. */
void sim_diff_explain(FILE *out, const struct sim_align *align, const char *const names[2],
                      const struct sim_align_begin *begin);

/* Prints how the two were made differently, how much is alike, the first difference with what led
   to it, and where others begin. Returns whether the runs are equal to the byte. */
bool sim_diff_print(FILE *out, const struct sim_trace *a, const struct sim_trace *b,
                    const char *name_a, const char *name_b);

#endif
