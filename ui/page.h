/*
 * A trace as a page: one HTML file that opens from disk and fetches nothing.
 *
 *     page.html ──► title, policy, style, script, words for readers without script, trace
 *
 * The policy (Content-Security-Policy) names the hashes of the one style and the one script;
 * nothing else runs, and nothing is loaded. Text that comes from a scenario, a log or ZooKeeper
 * stands in the file escaped, or packed in base64 (packed.h), never as it is.
 */
#ifndef UI_PAGE_H
#define UI_PAGE_H

#include <stdbool.h>
#include <stdio.h>

#include "sim/trace.h"
#include "ui/packed.h"

struct ui_page_options {
    const char *name; /* of the trace, for the title where it has none; may be NULL */
    /* Of a run that goes on (kcsim play): the page may ask its own server. NULL: no such run; else
       what the page begins with, for its script: "RUN VERSION". */
    const char *live;
    struct ui_packing *packing; /* whose numbers the page is told; NULL: its own */
    const char *remark;         /* what is missing or inferred, in one sentence; NULL: none */
};

/* Writes the page of `trace` (borrowed, SIM_TRACE_KEEP; a run that was cut off is fine and said).
   Returns false where writing failed (errno). */
bool ui_page_write(FILE *out, const struct sim_trace *trace, const struct ui_page_options *options);

/* Prints what a reader without script sees: title, faults, expired sessions, elections, verdict.
   HTML without styles. */
void ui_summary_print(FILE *out, const struct sim_trace *trace,
                      const struct ui_page_options *options);

/* The parts of the page, as built (embed.c): bytes without a zero behind them. */
struct ui_part {
    const char *at;
    size_t size;
};
/* The template; the bundled style and script; the SHA-256 of each in base64. */
struct ui_part ui_part_page(void);
struct ui_part ui_part_style(void);
struct ui_part ui_part_script(void);
struct ui_part ui_part_style_hash(void);
struct ui_part ui_part_script_hash(void);
/* The same of the page of two traces (pair.h). */
struct ui_part ui_part_pair(void);
struct ui_part ui_part_pair_style(void);
struct ui_part ui_part_pair_script(void);
struct ui_part ui_part_pair_style_hash(void);
struct ui_part ui_part_pair_script_hash(void);

#endif
