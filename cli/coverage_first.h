/*
 * What a run is the first to show.
 *
 *     actor c1:   … queue BrokerChange ──► move to OfflineReplica ──► send LeaderAndIsr …
 *                         └─────── pair ──────┘└─────── pair ────────┘
 *
 * An event here is what a record of the trace tells, without whom and when: its kind, what it names
 * (verb, request, controller event, state), whether it went well, its error; and what kind of actor
 * it happened to. Two events that follow each other at one actor are a pair. A scenario earns its
 * place in a corpus by a move, a pair or a defect that none before it has shown; so the order of
 * the files counts. Lines of logs, timers, high watermarks and what only the simulator says are no
 * events.
 */
#ifndef CLI_COVERAGE_FIRST_H
#define CLI_COVERAGE_FIRST_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/trace.h"

struct cli_firsts; /* all that has been shown so far */

/* How much of it was new in one run. */
struct cli_first {
    uint32_t moves;   /* of the two state machines, refused ones too */
    uint32_t pairs;   /* of events */
    uint32_t defects; /* switched on, or found behind a violation */
};

/* Returns an owned, empty set. */
struct cli_firsts *cli_firsts_new(void);
void cli_firsts_free(struct cli_firsts *f);

/* Takes a trace in; returns what it is the first to show (`defects` 0). */
struct cli_first cli_firsts_trace(struct cli_firsts *f, const struct sim_trace *trace);

/* Takes a name in (copied); returns whether it is new. */
bool cli_firsts_name(struct cli_firsts *f, const char *name);

#endif
