/*
 * A trace in the forms of other tools.
 *
 *     trace ──► sim_export_sqlite ──► a database: records, facts, views over them
 *          ├──► sim_export_chrome ──► Trace Event JSON: ui.perfetto.dev, chrome://tracing,
 * speedscope └──► sim_export_shiviz ──► a log with vector clocks: ShiViz, TSViz
 *
 * Nothing is invented: every row, slice and line is one record of the trace and carries its number.
 * docs/exports.md describes the tables and says how to open the files.
 *
 * Source of the forms: sqlite.org; "Trace Event Format" (Chromium); ShiViz's default log format
 * (Beschastnikh et al., "Debugging Distributed Systems", CACM 2016).
 */
#ifndef SIM_EXPORT_H
#define SIM_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "sim/trace.h"

/* Writes a new database to `file`. Returns false where that cannot be done, with a sentence in
   `error`; the file is then left out. Thread: one. */
bool sim_export_sqlite(const char *file, const struct sim_trace *trace, char *error,
                       size_t error_size);

/* Writes one JSON document. A lane is a thread of its node's process; a controller's event is a
   slice, a message an arrow, everything else an instant. Errors: ferror(out). */
void sim_export_chrome(FILE *out, const struct sim_trace *trace);

/* The expression that ShiViz must be given for what sim_export_shiviz writes; static. */
const char *sim_export_shiviz_expression(void);
/* Writes two lines a record: lane and vector clock, then the sentence. A clock counts the records
   of each lane that happened before; causes are those that the trace names. Log lines and records
   without a lane's own doing are left out. Errors: ferror(out). */
void sim_export_shiviz(FILE *out, const struct sim_trace *trace);

#endif
