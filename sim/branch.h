/*
 * What if: two runs that were the same up to a moment.
 *
 *     the run    ───────────┬──────────────► how it ended
 *     the branch ───────────┴─ one step more, less or moved ──► how that ended
 *                           ▲
 *                           the first record that is not the same
 *
 * Runs are compared by what operators ask about: who is controller, who leads, who is in sync,
 * which process is up, what producers were acknowledged. Each is compared by its history, so that a
 * value that differs at the end is told with the time since when.
 */
#ifndef SIM_BRANCH_H
#define SIM_BRANCH_H

#include <stddef.h>
#include <stdint.h>

#include "sim/facts.h"
#include "sim/trace.h"

/* Returns the number of the first record that is not the same in both, 0: none. The scenario's text
   (`meta`) and its line numbers (`step`) do not count. */
uint64_t sim_branch_parted(const struct sim_trace *a, const struct sim_trace *b);

/* Something that is asked about, and how it ended in both runs. */
struct sim_branch_row {
    char what[400];               /* "leader of orders-0": sim_why_target understands it */
    char before[120], after[120]; /* values at the end, "-": it never had one */
    int64_t t_us;    /* since when they differ: the time of the record of the branch, */
    uint64_t record; /* or of the run where `in_branch` is not set */
    bool in_branch;
};

struct sim_branch_rows {
    struct sim_branch_row *rows; /* in the order of t_us, then of their names */
    size_t count;
    size_t passing; /* more that differed on the way and ended alike */
};

/* Compares all that is asked about. Free with sim_branch_rows_free. */
struct sim_branch_rows sim_branch_compare(const struct sim_facts *a, const struct sim_facts *b,
                                          uint64_t parted);
void sim_branch_rows_free(struct sim_branch_rows *rows);

#endif
