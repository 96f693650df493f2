/*
 * Where a partition's replicas are, were and shall be. A reassignment begins by holding the new
 * replicas and the old ones at once, the new first: so that its end is the head of its middle.
 *
 *     [1,2,3] to [4,2]:  replicas 4,2,1,3   adding 4   removing 1,3
 */
#include "statemachine/assignment.h"

struct sm_assignment sm_assignment_of(const struct sm_list *replicas)
{
    return (struct sm_assignment){.replicas = *replicas};
}

bool sm_assignment_is_being_reassigned(const struct sm_assignment *a)
{
    return a->adding.count > 0 || a->removing.count > 0;
}

struct sm_list sm_assignment_origin(const struct sm_assignment *a)
{
    return sm_list_minus(&a->replicas, &a->adding);
}

struct sm_list sm_assignment_target(const struct sm_assignment *a)
{
    return sm_list_minus(&a->replicas, &a->removing);
}

enum sm_err sm_assignment_reassign_to(const struct sm_assignment *a, const struct sm_list *target,
                                      struct sm_assignment *out)
{
    bool overflow = false;
    struct sm_list origin = sm_assignment_origin(a);
    struct sm_list full = sm_list_union(target, &origin, &overflow);
    if (overflow)
        return SM_ERR_LIMIT;
    *out = (struct sm_assignment){.replicas = full,
                                  .adding = sm_list_minus(&full, &origin),
                                  .removing = sm_list_minus(&full, target)};
    return SM_ERR_OK;
}

struct sm_assignment sm_assignment_remove_replica(const struct sm_assignment *a, int32_t id)
{
    return (struct sm_assignment){.replicas = sm_list_without(&a->replicas, id),
                                  .adding = sm_list_without(&a->adding, id),
                                  .removing = sm_list_without(&a->removing, id)};
}

bool sm_assignment_equal(const struct sm_assignment *a, const struct sm_assignment *b)
{
    return sm_list_equal(&a->replicas, &b->replicas) && sm_list_equal(&a->adding, &b->adding) &&
           sm_list_equal(&a->removing, &b->removing);
}
