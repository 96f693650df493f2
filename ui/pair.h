/*
 * Two traces as a page, side by side: kcsim branch --report, kcsim diff --report.
 *
 *     pair.html ──► policy, style, script, words for readers without script,
 *                   trace, other trace (packed.h), alignment
 *
 * The alignment is found here and not by the page (schema kcsim.pair/1):
 *
 *   file    = "kcsim.pair/1\n" | frame of the header | frame of the pairs | a u32 0   (packed.h)
 *   header  = one JSON object:
 *             names, verdicts   of both
 *             counts            {same, moved, changed, only: [of one, of the other]}
 *             first             the first difference {side, n: [record, record], t, say, why},
 * null: none begins            [[record, record]…]: where differences begin, 0: has it not values
 * [[record of the one, "name: before | after; …"]…] of pairs that differ ended             [{what,
 * values, t, n, side}…]: how the runs ended, where that differs passing           how many more
 * differed on the way pairs   = a varint for each record of the one: 0, it is alone; else 1 + 2 ×
 * zigzag(its record in the other - the one expected) + (1 where they differ); expected is the one
 * behind the last
 *
 * The first block of the three that is missing or damaged is said on the page.
 */
#ifndef UI_PAIR_H
#define UI_PAIR_H

#include <stdbool.h>
#include <stdio.h>

#include "sim/align.h"

#define UI_PAIR_SCHEMA "kcsim.pair/1"

/* Writes the page of both sides of `align` (borrowed). names: "the run", "the branch". Returns
   false where writing failed (errno). */
bool ui_pair_write(FILE *out, const struct sim_align *align, const char *const names[2]);

#endif
