/*
 * The replica machine: one row per state that may be entered. Read a row as "name <- predecessors".
 *
 * Versions differ in one edge only, Offline -> ReplicaDeletionIneligible. In 0.8.2 and 0.9 a
 * replica becomes ineligible only when a deletion under way fails; since a replica of a dead broker
 * is *initialised* as ineligible there, nothing else was needed. 2.8 moves it on to Offline at
 * start-up (KAFKA-3143), so a deletion that cannot begin needs the way back.
 */
#include "statemachine/replica_state.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define BIT(state) (1u << SM_REPLICA_##state)

/* States from which a replica may start, or start again, to serve or to rest. */
#define HELD (BIT(NEW) | BIT(ONLINE) | BIT(OFFLINE) | BIT(DELETION_INELIGIBLE))

struct row {
    const char *name, *text;
    uint32_t from;           /* legal predecessors in every version */
    uint32_t from_with_rule; /* those that `rule` adds */
    enum sm_rule rule;
};

static const struct row rows[SM_REPLICA_STATE_END] = {
    [SM_REPLICA_NEW] = {.name = "NewReplica",
                        .text =
                            "assigned but not serving yet; its broker may only be told to follow",
                        .from = BIT(NONEXISTENT)},
    [SM_REPLICA_ONLINE] = {.name = "OnlineReplica",
                           .text = "its broker is alive; it may lead or follow",
                           .from = HELD},
    [SM_REPLICA_OFFLINE] =
        {.name = "OfflineReplica",
         .text = "its broker is dead, its log directory failed, or it was told to stop",
         .from = HELD},
    [SM_REPLICA_DELETION_STARTED] = {.name = "ReplicaDeletionStarted",
                                     .text =
                                         "its broker was told to delete it; the answer is awaited",
                                     .from = BIT(OFFLINE)},
    [SM_REPLICA_DELETION_SUCCESSFUL] =
        {.name = "ReplicaDeletionSuccessful",
         .text = "its broker deleted it; the rest of the topic is awaited",
         .from = BIT(DELETION_STARTED)},
    [SM_REPLICA_DELETION_INELIGIBLE] =
        {.name = "ReplicaDeletionIneligible",
         .text = "it cannot be deleted now; its broker must come back first",
         .from = BIT(DELETION_STARTED),
         .from_with_rule = BIT(OFFLINE),
         .rule = SM_RULE_INELIGIBLE_FROM_OFFLINE},
    [SM_REPLICA_NONEXISTENT] = {.name = "NonExistentReplica",
                                .text = "it is not assigned; the controller keeps nothing about it",
                                .from = BIT(DELETION_SUCCESSFUL)},
};

static const struct row *row_of(enum sm_replica_state state)
{
    assert(state > SM_REPLICA_NONE);
    assert(state < SM_REPLICA_STATE_END);
    return &rows[state];
}

/* "No entry" counts as NonExistentReplica. */
static enum sm_replica_state as_entered(enum sm_replica_state state)
{
    return state == SM_REPLICA_NONE ? SM_REPLICA_NONEXISTENT : state;
}

uint32_t sm_replica_predecessors(const struct sm_profile *profile, enum sm_replica_state to)
{
    const struct row *row = row_of(to);
    return row->from | (sm_rule_on(profile, row->rule) ? row->from_with_rule : 0);
}

bool sm_replica_may_move(const struct sm_profile *profile, enum sm_replica_state from,
                         enum sm_replica_state to)
{
    assert(from < SM_REPLICA_STATE_END);
    return (sm_replica_predecessors(profile, to) >> as_entered(from) & 1u) != 0;
}

const char *sm_replica_state_name(enum sm_replica_state state)
{
    return row_of(as_entered(state))->name;
}

const char *sm_replica_state_text(enum sm_replica_state state)
{
    return row_of(as_entered(state))->text;
}

enum sm_replica_state sm_replica_state_named(const char *name)
{
    for (int state = SM_REPLICA_NONE + 1; state < SM_REPLICA_STATE_END; state++)
        if (strcmp(rows[state].name, name) == 0)
            return (enum sm_replica_state)state;
    return SM_REPLICA_NONE;
}
