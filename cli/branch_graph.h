/*
 * The point of no return: from moments of a run, the same faults go on with other timings, and it
 * is counted how often the bad end comes.
 *
 *     9.000s  ███░░░░░░░   3 of 10
 *    10.250s  ██████████  10 of 10   <- from here on there was no way back
 *
 * Up to its moment each of these runs is the run itself; from then on delays of messages are drawn
 * anew. So a share that rises shows where chance had been decided, and one that is full from the
 * beginning, that the steps alone decide.
 */
#ifndef CLI_BRANCH_GRAPH_H
#define CLI_BRANCH_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/play.h"

struct cli_graph_options {
    unsigned seeds; /* runs from each moment, at least 1 */
    unsigned
        moments;  /* looked at first, spread over what happened; so many again where it turned */
    uint32_t bad; /* index + 1 of the expectation that tells the bad end where it is met; 0: the bad
                     end is one that fails an expectation or violates an invariant */
    bool json;
};

/* Prints the graph of `run`, a play of `scenario` with `play` (both borrowed). Returns false where
   it was interrupted. */
bool cli_branch_graph(FILE *out, const struct cli_play *run, struct sim_scenario *scenario,
                      const struct cli_play_options *play, const struct cli_graph_options *options);
/* Whether the play came to the bad end. */
bool cli_graph_is_bad(const struct cli_play *play, uint32_t bad);

#endif
