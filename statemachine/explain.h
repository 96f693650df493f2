/*
 * The two machines, printed from their tables: as Markdown for the documents, as an SVG statechart
 * for the eye, as JSON for the report. There is no second copy of the truth: an arrow is drawn because the table allows it.
 *
 *     kcsim explain ReplicaStateMachine --format markdown|svg
 *
 * Output goes in pieces to a sink, in order, without a terminating NUL.
 */
#ifndef STATEMACHINE_EXPLAIN_H
#define STATEMACHINE_EXPLAIN_H

#include <stddef.h>

#include "statemachine/profile.h"

enum sm_machine { SM_MACHINE_NONE, SM_MACHINE_REPLICA, SM_MACHINE_PARTITION, SM_MACHINE_END };

/* Takes `size` bytes, borrowed for the call. */
struct sm_sink {
    void (*put)(void *ctx, const char *bytes, size_t size);
    void *ctx;
};

/* Returns the machine called `name` ("ReplicaStateMachine", "PartitionStateMachine"), or
   SM_MACHINE_NONE. */
enum sm_machine sm_machine_named(const char *name);

/* Returns Kafka's name of the machine; static. */
const char *sm_machine_name(enum sm_machine machine);

/* Prints the grid of moves, the meaning of each state, and the moves that not all versions have. */
void sm_explain_markdown(enum sm_machine machine, const struct sm_profile *profile,
                         const struct sm_sink *sink);

/* Prints a statechart, with the refused moves listed below. Follows the reader's light or dark
   scheme. The text is a whole SVG 1.1 document. */
void sm_explain_svg(enum sm_machine machine, const struct sm_profile *profile,
                    const struct sm_sink *sink);

/* Prints the machine for a program that draws: {"name", "states": [{"name", "text", "tone", "column",
   "row"}…], "moves": [[from, to]…]}; from and to are places in "states". */
void sm_explain_json(enum sm_machine machine, const struct sm_profile *profile,
                     const struct sm_sink *sink);

#endif
