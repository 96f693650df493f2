/*
 * The two ways in which the controller changes who leads: it names a leader and an ISR, or it takes
 * one member out. Both raise the leader epoch, even where nothing else changes: a broker that was
 * told of the old epoch must be able to tell that it has been overruled.
 */
#include "statemachine/leader_and_isr.h"

#include <assert.h>

_Static_assert(sizeof(struct sm_leader_and_isr) == 16 + sizeof(struct sm_list), "no padding");

struct sm_leader_and_isr sm_leader_and_isr_bump(const struct sm_leader_and_isr *from,
                                                int32_t leader, const struct sm_list *isr)
{
    struct sm_leader_and_isr to = *from;
    to.leader = leader;
    to.isr = *isr;
    /* A decoded epoch may be any int32, so the ceiling is reachable by bad data alone. */
    if (to.leader_epoch < INT32_MAX)
        to.leader_epoch++;
    return to;
}

struct sm_leader_and_isr sm_leader_and_isr_remove(const struct sm_leader_and_isr *from, int32_t id,
                                                  bool keep_last)
{
    struct sm_list isr = sm_list_without(&from->isr, id);
    if (keep_last && from->isr.count == 1)
        isr = from->isr;
    return sm_leader_and_isr_bump(from, from->leader == id ? SM_NO_LEADER : from->leader, &isr);
}

bool sm_leader_and_isr_equal(const struct sm_leader_and_isr *a, const struct sm_leader_and_isr *b)
{
    return a->leader == b->leader && a->leader_epoch == b->leader_epoch &&
           a->zk_version == b->zk_version && a->controller_epoch == b->controller_epoch &&
           sm_list_equal(&a->isr, &b->isr);
}
