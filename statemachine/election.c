/*
 * Who leads next. Each strategy is a pure choice in three parts: the candidates in order, what
 * makes one of them fit, and the ISR it starts with. The table in election.h has them side by side.
 *
 * The first that fits in *assignment* order wins, not in ISR order: the head of the assignment is
 * the preferred leader, and every election leans back to it.
 *
 * Source: Kafka kafka.controller.Election, PartitionStateMachine.collectUncleanLeaderElectionState
 * (2.8.2); PartitionLeaderSelector.scala (0.9.0.1, 0.8.2.2).
 */
#include "statemachine/election.h"

#include <assert.h>
#include <stddef.h>

/* No id of a broker: broker ids are never negative. */
enum { NOBODY = -1 };

static struct sm_election elected(const struct sm_election_input *in, int32_t leader,
                                  const struct sm_list *isr, const struct sm_list *recipients)
{
    bool unclean = !sm_list_has(&in->current->isr, leader);
    return (struct sm_election){.verdict = unclean ? SM_ELECTED_UNCLEAN : SM_ELECTED,
                                .next = sm_leader_and_isr_bump(in->current, leader, isr),
                                .recipients = *recipients};
}

static struct sm_election not_elected(enum sm_election_verdict verdict)
{
    return (struct sm_election){.verdict = verdict};
}

static int32_t head(const struct sm_list *list)
{
    return list->count > 0 ? list->id[0] : NOBODY;
}

/* Returns the first of `candidates` that is alive and in sync, or NOBODY. */
static int32_t first_alive_in_isr(const struct sm_list *candidates, const struct sm_list *alive,
                                  const struct sm_list *isr)
{
    for (int32_t i = 0; i < candidates->count; i++)
        if (sm_list_has(alive, candidates->id[i]) && sm_list_has(isr, candidates->id[i]))
            return candidates->id[i];
    return NOBODY;
}

/* Whether losing records may be preferred to having no leader. Asked once no assigned member of the
   ISR is alive; an unassigned one that is alive still speaks against it in 2.8.2, although it may
   not lead. The defect leaves such a partition without a leader until that member dies too. */
static bool may_elect_uncleanly(const struct sm_election_input *in)
{
    struct sm_list alive = sm_list_intersect(&in->current->isr, in->online);
    bool blocked =
        alive.count > 0 && sm_defect_on(in->profile, SM_DEFECT_UNCLEAN_CONSIDERS_UNASSIGNED);
    return in->unclean_allowed && !blocked;
}

static struct sm_election elect_offline(const struct sm_election_input *in)
{
    const struct sm_list *isr = &in->current->isr;
    struct sm_list live = sm_list_intersect(&in->assignment->replicas, in->online);
    int32_t leader = first_alive_in_isr(&live, &live, isr);
    if (leader != NOBODY) {
        struct sm_list live_isr = sm_list_intersect(isr, in->online);
        return elected(in, leader, &live_isr, &live);
    }
    if (live.count > 0 && may_elect_uncleanly(in)) {
        struct sm_list alone = sm_list_of(live.id, 1);
        return elected(in, live.id[0], &alone, &live);
    }
    return not_elected(SM_NOT_ELECTED);
}

static struct sm_election elect_reassign(const struct sm_election_input *in)
{
    struct sm_list target = sm_assignment_target(in->assignment);
    int32_t leader = first_alive_in_isr(&target, in->online, &in->current->isr);
    if (leader == NOBODY)
        return not_elected(SM_NOT_ELECTED);
    return elected(in, leader, &in->current->isr, &target);
}

static struct sm_election elect_preferred(const struct sm_election_input *in)
{
    const struct sm_list *replicas = &in->assignment->replicas;
    int32_t preferred = head(replicas);
    if (preferred == NOBODY)
        return not_elected(SM_NOT_ELECTED);
    bool leads = preferred == in->current->leader;
    if (leads && !sm_rule_on(in->profile, SM_RULE_REELECT_PREFERRED))
        return not_elected(SM_ELECTION_NOT_NEEDED);
    if (!sm_list_has(in->online, preferred) || !sm_list_has(&in->current->isr, preferred))
        return not_elected(SM_NOT_ELECTED);
    return elected(in, preferred, &in->current->isr, replicas);
}

/* All that are shutting down leave the ISR, not only the broker that asked: a second one leaving at
   the same time must not be left as the leader's only companion. */
static struct sm_election elect_controlled_shutdown(const struct sm_election_input *in)
{
    struct sm_list staying = sm_list_minus(&in->current->isr, in->shutting_down);
    struct sm_list reachable =
        sm_list_intersect(&in->assignment->replicas, in->online_or_shutting_down);
    int32_t leader = sm_rule_on(in->profile, SM_RULE_SHUTDOWN_IN_ASSIGNMENT_ORDER)
                         ? first_alive_in_isr(&reachable, &reachable, &staying)
                         : head(&staying);
    if (leader == NOBODY)
        return not_elected(SM_NOT_ELECTED);
    /* The leaving broker hears of it too, so that it stops leading at once (KAFKA-7482). */
    return elected(in, leader, &staying, &reachable);
}

struct sm_election sm_elect(const struct sm_election_input *in)
{
    assert(in->strategy > SM_STRATEGY_NONE);
    assert(in->strategy < SM_STRATEGY_END);
    switch (in->strategy) {
    case SM_STRATEGY_OFFLINE:
        return elect_offline(in);
    case SM_STRATEGY_REASSIGN:
        return elect_reassign(in);
    case SM_STRATEGY_PREFERRED:
        return elect_preferred(in);
    case SM_STRATEGY_CONTROLLED_SHUTDOWN:
        return elect_controlled_shutdown(in);
    case SM_STRATEGY_NONE:
    case SM_STRATEGY_END:
        break;
    }
    return not_elected(SM_NOT_ELECTED);
}

bool sm_initial_leader_and_isr(const struct sm_list *live, int32_t controller_epoch,
                               struct sm_leader_and_isr *out)
{
    if (live->count == 0)
        return false;
    *out = (struct sm_leader_and_isr){.leader = live->id[0],
                                      .leader_epoch = SM_INITIAL_LEADER_EPOCH,
                                      .zk_version = SM_INITIAL_ZK_VERSION,
                                      .controller_epoch = controller_epoch,
                                      .isr = *live};
    return true;
}

static const char *const strategy_names[SM_STRATEGY_END] = {
    [SM_STRATEGY_NONE] = "None",
    [SM_STRATEGY_OFFLINE] = "OfflinePartitionLeaderElectionStrategy",
    [SM_STRATEGY_REASSIGN] = "ReassignPartitionLeaderElectionStrategy",
    [SM_STRATEGY_PREFERRED] = "PreferredReplicaPartitionLeaderElectionStrategy",
    [SM_STRATEGY_CONTROLLED_SHUTDOWN] = "ControlledShutdownPartitionLeaderElectionStrategy",
};

const char *sm_strategy_name(enum sm_strategy strategy)
{
    assert(strategy < SM_STRATEGY_END);
    return strategy_names[strategy];
}
