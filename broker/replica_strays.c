/*
 * Replicas that a broker has to part with: those that it is told to delete, and those of which it
 * is told no more.
 *
 *     broker epoch 7 ─ session expires ─ broker epoch 9
 *     hosts a-0, b-0                     LeaderAndIsr {b-0}: the first of epoch 9
 *                    ▲                                       ▼
 *           a-0 is moved away: 7 is nobody       a-0 is not ours any more
 *           whom one could tell
 *
 * A controller answers a registration, and begins its own time, with one LeaderAndIsr that names
 * all replicas of the broker (OnlineReplica of replicasOnBrokers); only what changes comes later.
 * So the first one of a broker epoch, and the first one of a controller epoch, is whole: a replica
 * that is hosted and not in it has been taken away while nobody could say so. Where a broker has no
 * replica the first request comes with its first one, and it is as true then.
 *
 * Only what this process hosts is given up, never a log that it has merely found on its disk. A
 * process that has just started knows no controller epoch: the first to tell it something may be a
 * controller that is deposed, with assignments of yesterday. What it hosts it was told by a
 * controller at least as new as the one whose request it follows now.
 *
 * Source: Kafka KafkaController.onBrokerStartup, ReplicaStateMachine.startup; KIP-866 has requests
 * of type FULL and ReplicaManager.updateStrayLogs for this. 2.8.2 has neither: the replica stays,
 * and leads on where it led (kcsim-never-told).
 */
#include <string.h>

#include "broker/replica_state.h"

static void drop_sessions(const struct kb_step *s, struct kb_row *row)
{
    for (uint32_t slot = 0; slot < s->r->limits.replicas; slot++) {
        struct kb_remote *remote = kb_remote(s->r, row, slot);
        if (remote->used && remote->session != 0) {
            kb_session_drop(s, remote->session - 1);
        }
        memset(remote, 0, sizeof *remote);
    }
}

void kb_row_delete(const struct kb_step *s, uint32_t row, int32_t epoch)
{
    struct kb_replicas *r = s->r;
    struct kb_row *p = kb_row(r, row);
    bool of_topic = epoch == SM_EPOCH_DURING_DELETE;

    drop_sessions(s, p);
    kb_isr_forget(s, p);
    kb_isr_row_gone(r, row);
    p->hosted = KB_NOT_HOSTED;
    p->leader = p->leader_epoch = -1;
    p->epoch_start = -1;
    kb_set_isr(s, p, NULL, 0);
    kb_waits_detach(
        s, p, of_topic ? WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION : WIRE_ERROR_NOT_LEADER_OR_FOLLOWER);
    if (p->has_log && kb_dir_works(r, p->dir)) {
        kb_fact(s, KB_FACT_DELETED, p, epoch, p->log_end);
        kb_log_delete(s, p);
    }
    kb_tell_leadership(s, p, KB_ROLE_STOPPED, epoch >= 0 ? epoch : -1);
}

bool kb_is_whole(struct kb_replicas *r, const struct kb_input *in)
{
    bool whole = in->broker_epoch > r->told_broker_epoch ||
                 in->batch->controller_epoch > r->told_controller_epoch;

    if (in->broker_epoch > r->told_broker_epoch) {
        r->told_broker_epoch = in->broker_epoch;
    }
    r->told_controller_epoch = in->batch->controller_epoch;
    return whole && in->broker_epoch != -1;
}

/* As many rows are walked as the request has partitions, and those that are given up. */
void kb_strays_give_up(const struct kb_step *s)
{
    struct kb_replicas *r = s->r;

    for (uint32_t row = 0; row < r->row_high; row++) {
        struct kb_row *p = kb_row(r, row);
        if (p->topic != 0 && p->hosted == KB_ONLINE && !p->named) {
            kb_unfollow(s, row);
            kb_row_delete(s, row, SM_NO_EPOCH);
            kb_row_release(r, row);
        }
    }
}
