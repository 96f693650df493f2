/*
 * The replicas of a partition, and where a reassignment takes them.
 *
 *     replicas = target ++ (origin - target)      while one is in progress
 *     origin   = replicas - adding                target = replicas - removing
 *
 * Source: Kafka kafka.controller.ReplicaAssignment (KIP-455).
 */
#ifndef STATEMACHINE_ASSIGNMENT_H
#define STATEMACHINE_ASSIGNMENT_H

#include <stdbool.h>

#include "statemachine/error.h"
#include "statemachine/list.h"

struct sm_assignment {
    struct sm_list replicas;
    struct sm_list adding;
    struct sm_list removing;
};

/* Returns the assignment of `replicas` with no reassignment in progress. */
struct sm_assignment sm_assignment_of(const struct sm_list *replicas);

/* Returns whether adding or removing is non-empty. */
bool sm_assignment_is_being_reassigned(const struct sm_assignment *a);

/* Return the replicas before, and after, the reassignment in progress. */
struct sm_list sm_assignment_origin(const struct sm_assignment *a);
struct sm_list sm_assignment_target(const struct sm_assignment *a);

/* Stores in *out the assignment that takes `a` to `target`: full = distinct(target ++ origin),
   adding = full - origin, removing = full - target. Errors: LIMIT where full has more than
   SM_REPLICAS_MAX members; *out is then untouched. Source: ReplicaAssignment.reassignTo. */
enum sm_err sm_assignment_reassign_to(const struct sm_assignment *a, const struct sm_list *target,
                                      struct sm_assignment *out);

/* Returns `a` without `id` in any list (ReplicaAssignment.removeReplica). */
struct sm_assignment sm_assignment_remove_replica(const struct sm_assignment *a, int32_t id);

/* Returns whether both are equal, order included. */
bool sm_assignment_equal(const struct sm_assignment *a, const struct sm_assignment *b);

#endif
