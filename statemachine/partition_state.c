/*
 * The partition machine: one row per state that may be entered. Read a row as "name <-
 * predecessors".
 *
 * All versions agree here. Online -> Online and Offline -> Offline are legal and used: a new leader
 * is elected by moving an online partition to Online once more.
 */
#include "statemachine/partition_state.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define BIT(state) (1u << SM_PARTITION_##state)

/* A partition that exists. */
#define EXISTING (BIT(NEW) | BIT(ONLINE) | BIT(OFFLINE))

struct row {
    const char *name, *text;
    uint32_t from; /* legal predecessors */
};

static const struct row rows[SM_PARTITION_STATE_END] = {
    [SM_PARTITION_NEW] = {.name = "NewPartition",
                          .text = "it has replicas but never had a leader",
                          .from = BIT(NONEXISTENT)},
    [SM_PARTITION_ONLINE] = {.name = "OnlinePartition",
                             .text = "a leader was elected for it",
                             .from = EXISTING},
    [SM_PARTITION_OFFLINE] = {.name = "OfflinePartition",
                              .text = "its leader is gone and none has been elected since",
                              .from = EXISTING},
    [SM_PARTITION_NONEXISTENT] = {.name = "NonExistentPartition",
                                  .text = "it was never created, or has been deleted",
                                  .from = BIT(OFFLINE)},
};

static const struct row *row_of(enum sm_partition_state state)
{
    assert(state > SM_PARTITION_NONE);
    assert(state < SM_PARTITION_STATE_END);
    return &rows[state];
}

/* "No entry" counts as NonExistentPartition. */
static enum sm_partition_state as_entered(enum sm_partition_state state)
{
    return state == SM_PARTITION_NONE ? SM_PARTITION_NONEXISTENT : state;
}

uint32_t sm_partition_predecessors(const struct sm_profile *profile, enum sm_partition_state to)
{
    assert(profile != NULL);
    return row_of(to)->from;
}

bool sm_partition_may_move(const struct sm_profile *profile, enum sm_partition_state from,
                           enum sm_partition_state to)
{
    assert(from < SM_PARTITION_STATE_END);
    return (sm_partition_predecessors(profile, to) >> as_entered(from) & 1u) != 0;
}

const char *sm_partition_state_name(enum sm_partition_state state)
{
    return row_of(as_entered(state))->name;
}

const char *sm_partition_state_text(enum sm_partition_state state)
{
    return row_of(as_entered(state))->text;
}

enum sm_partition_state sm_partition_state_named(const char *name)
{
    for (int state = SM_PARTITION_NONE + 1; state < SM_PARTITION_STATE_END; state++)
        if (strcmp(rows[state].name, name) == 0)
            return (enum sm_partition_state)state;
    return SM_PARTITION_NONE;
}
