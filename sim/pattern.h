/*
 * Patterns against trace records: what `when`, `never: {event: …}` and their like mean.
 *
 * A pattern names a kind and conditions on fields. Fields are the trace's own, and a few that are
 * derived: `broker` (whom the record is about, sim_record_broker), `node` and `at` (its lane). For
 * a request (`send`, `recv`) the fields of a partition (partition, leader, isr, epoch, …) are
 * looked up in the batch that it belongs to: they must all hold of one partition that its receiver
 * gets.
 */
#ifndef SIM_PATTERN_H
#define SIM_PATTERN_H

#include <stdbool.h>

#include "sim/scenario.h"
#include "sim/trace.h"

/* Returns whether the record is of the kind and meets every condition; nth and side are the
   caller's business. `trace` is where the record's batch is looked up (NULL: partitions are never
   met). */
bool sim_pattern_match(const struct sim_pattern *pattern, const struct sim_trace *trace,
                       const struct sim_record *record);

/* Returns whether it asks for what only an answer has; any other pattern means requests. */
bool sim_pattern_asks_answer(const struct sim_pattern *pattern);

/* Returns whether `have` stands to `want` as `op` says. */
bool sim_compare_numbers(enum sim_op op, int64_t have, int64_t want);

/* Names of events in files: the trace's kinds, and short forms ("session-expired" is kind session,
   what expired). Returns the kind, and in *what (may be NULL) the text that the field `what` must
   have (NULL: none); SIM_K_NONE where there is no such event. */
enum sim_kind sim_event_named(const char *name, const char **what);
/* Walks the names: 0, 1, …; NULL at the end. */
const char *sim_event_name(unsigned index);

/* Returns the trace's static name of the field that a pattern on `kind` may ask for ("broker" and
   other derived ones included), or NULL. */
const char *sim_event_field(enum sim_kind kind, const char *name);

#endif
