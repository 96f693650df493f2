/*
 * The trace of a live run, as the pages that watch it are told it: each only what is new to it.
 *
 *     a page has: 1,200 records of version 3, 870 names  ──►  its growth: keep 1,200 (or as many as
 *     version 5 has in common with 3), and then …
 *
 * A page says what it has; nothing is kept about pages. An act or an undo makes the run another
 * one, a new version: what both have in common is kept by the page, all but record 1, which tells
 * the scenario.
 *
 * Thread: any, one at a time.
 */
#ifndef CLI_LIVE_TRACE_H
#define CLI_LIVE_TRACE_H

#include <stdint.h>

#include "sim/trace.h"
#include "ui/packed.h"

struct cli_live_trace; /* opaque */

/* Owned; free with cli_live_trace_free (NULL is fine). */
struct cli_live_trace *cli_live_trace_new(void);
void cli_live_trace_free(struct cli_live_trace *t);

/* The run has become another, of which the records 2 to `same` are those of before. */
void cli_live_trace_branch(struct cli_live_trace *t, uint64_t same);
/* Returns how often that was. */
uint64_t cli_live_trace_version(const struct cli_live_trace *t);
/* The numbers of names, for the page as it is at first; borrowed. */
struct ui_packing *cli_live_trace_packing(struct cli_live_trace *t);

/* What a page says that it has, in decimal digits. */
struct cli_live_has {
    const char *version, *records, *strings;
};
/* Packs what a page lacks (ui/packed.h, kcsim.growth/1) behind what `out` has. Returns NULL, or a
   static sentence: what cannot be of the things that it says it has. */
const char *cli_live_trace_since(struct cli_live_trace *t, const struct sim_trace *trace,
                                 const struct cli_live_has *has, struct ui_bytes *out);

#endif
