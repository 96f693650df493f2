/*
 * Checks on what brokers note of their replicas while they act: S1, S3, S6, S8, S10, S12, S13.
 *
 *     LeaderAndIsr ──► leads, obeys        one leader an epoch, no epoch twice or backwards
 *     StopReplica ───► deletes             never the only log in sync, never a replica that stays
 *     ISR ───────────► proposes            what a leader is about to write, by what it knows itself
 *     checkpoint ────► remembers, marks    a high watermark on disk falls with its log only
 *
 * Each note is judged when it is made, and marks its row and host (touched): after the event the
 * log itself is looked at (check_logs.c).
 */
#include "sim/check_state.h"
#include "wire/errors.h"

/* S1 */
static void leads(struct sim_checks *c, struct check_row *row, int32_t id, int32_t epoch)
{
    int oldest = 0;
    for (int i = 0; i < CHECK_EPOCHS; i++) {
        if (row->led[i].id >= 0 && row->led[i].epoch == epoch && row->led[i].id != id)
            check_fail_row(c, SIM_CHECK_S1, row, "brokers %d and %d both lead in epoch %d",
                           row->led[i].id, id, epoch);
        if (row->led[i].id >= 0 && row->led[i].epoch == epoch && row->led[i].id == id)
            return;
        if (row->led[i].id < 0 ||
            (row->led[oldest].id >= 0 && row->led[i].epoch < row->led[oldest].epoch))
            oldest = i;
    }
    row->led[oldest].id = id;
    row->led[oldest].epoch = epoch;
}

/* The request that the broker handles was made before the present topic came, or the last one went:
   a late word about a replica that the old topic had given up. Nobody waits for the answer to it
   (Kafka: stopRemovedReplicasOfReassignedPartition); what is said of the namesake comes behind it.
 */
static bool is_late(const struct sim_checks *c, const struct check_row *row,
                    const struct check_host *h)
{
    const struct check_process *p = check_process_of(c, h->id);
    return p->handles.id != 0 && !check_is_later(p->handles, row->topic->begin);
}

/* S6, S12: a LeaderAndIsr was followed. */
static void obeys(struct sim_checks *c, struct check_row *row, struct check_host *h, int32_t epoch)
{
    bool late = is_late(c, row, h);
    struct kb_partition_view v;
    if (epoch < h->epoch)
        check_fail_row(c, SIM_CHECK_S6, row,
                       "broker %d follows leader epoch %d after leader epoch %d", h->id, epoch,
                       h->epoch);
    else if (epoch == h->epoch && h->settled)
        check_fail_row(c, SIM_CHECK_S6, row, "broker %d follows leader epoch %d a second time",
                       h->id, epoch);
    if (row->topic->deleted && !late)
        check_fail_row(c, SIM_CHECK_S12, row,
                       "the topic is deleted, and broker %d makes a log of it", h->id);
    h->late_registration = late ? check_process_of(c, h->id)->registrations[0] : 0;
    if (!late && h->incarnation != row->topic->incarnation && check_view(c, row, h->id, &v) &&
        v.log_end > 0)
        row->left_over = true;
    h->epoch = epoch;
    if (!late)
        h->incarnation = row->topic->incarnation;
}

/* S6, S12, S13: a log is deleted. That of a topic of before, of which the host has been told last,
   is none of the present topic. */
static void deletes(struct sim_checks *c, struct check_row *row, struct check_host *h,
                    int32_t epoch)
{
    bool alive =
        row->topic->exists && !row->topic->is_deleting && h->incarnation == row->topic->incarnation;
    if (epoch >= 0 && epoch < h->epoch)
        check_fail_row(c, SIM_CHECK_S6, row,
                       "broker %d deletes its log as leader epoch %d says, and it is in epoch %d",
                       h->id, epoch, h->epoch);
    if (alive && row->exists && row->z.isr.count == 1 && row->z.isr.id[0] == h->id)
        check_fail_row(c, SIM_CHECK_S13, row, "broker %d deletes the only log in sync", h->id);
    else if (alive && row->assigned && sm_list_has(&row->a.replicas, h->id) &&
             !sm_list_has(&row->a.removing, h->id) &&
             !sm_list_has(&row->a.adding, h->id)) /* a cancelled one goes before the znode tells */
        check_fail_row(c, SIM_CHECK_S12, row,
                       "broker %d deletes its log, and the topic lives with it as a replica",
                       h->id);
    h->epoch = -1;
    h->late_registration = 0;
    h->leads = h->settled = false;
    h->looked_to = 0;
}

/* S3, S10: what a leader is about to write, judged by what it knows itself. */
static void proposes(struct sim_checks *c, const struct check_row *row, const struct check_host *h,
                     const struct sm_list *isr)
{
    const struct sim_process *p = check_process_of(c, h->id)->process;
    const char *topic = row->topic->name;
    struct kb_partition_view v;
    if (!kb_partition(p->replicas, topic, row->partition, &v))
        return;
    for (int32_t i = 0; i < isr->count; i++)
        if (!sm_list_has(&v.isr, isr->id[i]) && p->node.broker != NULL &&
            kb_cache_live_id(kb_broker_cache(p->node.broker), isr->id[i]) == NULL)
            check_fail_row(c, SIM_CHECK_S3, row,
                           "leader %d takes broker %d into the ISR, which it believes dead", h->id,
                           isr->id[i]);
    for (int32_t i = 0; i < v.isr.count; i++) {
        int32_t id = v.isr.id[i];
        if (sm_list_has(isr, id))
            continue;
        if (kb_follower_end(p->replicas, topic, row->partition, id) == v.log_end)
            check_fail_row(c, SIM_CHECK_S10, row,
                           "leader %d drops broker %d, which has all records up to %lld", h->id, id,
                           (long long)v.log_end);
        else if (kb_follower_forgotten(p->replicas, topic, row->partition, id))
            check_fail_row(c, SIM_CHECK_S10, row,
                           "leader %d drops broker %d, and has forgotten what it fetched", h->id,
                           id);
    }
}

/* S8: what a broker has on disk of its high watermark falls with its log, or as a leader says. A
   life in which no LeaderAndIsr names the partition loses it, and that is Kafka's way. */
static void remembers(struct sim_checks *c, struct check_row *row, struct check_host *h)
{
    struct kb_partition_view v;
    uint32_t life = check_process_of(c, h->id)->lives;
    if (!check_view(c, row, h->id, &v))
        return;
    if (v.checkpointed_hw < h->checkpointed && h->named_life != 0 && h->named_life + 1 >= life &&
        !check_any_disk_lost(c, row))
        check_fail_row(c, SIM_CHECK_S8, row,
                       "broker %d has forgotten that offsets up to %lld are committed: its "
                       "checkpoint says %lld",
                       h->id, (long long)h->checkpointed, (long long)v.checkpointed_hw);
    if (h->named_life != life)
        h->checkpointed = v.checkpointed_hw;
    h->named_life = life;
}

static void marks(struct check_host *h, int64_t hw)
{
    if (h->leads)
        h->marked = hw;
    h->checkpointed = hw < h->checkpointed ? hw : h->checkpointed;
}

static void fact(struct sim_checks *c, struct check_row *row, struct check_host *h,
                 const struct kb_output *o)
{
    if (o->what == KB_FACT_LEADER || o->what == KB_FACT_FOLLOWER || o->what == KB_FACT_NO_LEADER)
        remembers(c, row, h);
    switch ((enum kb_fact)o->what) {
    case KB_FACT_LEADER:
        leads(c, row, h->id, o->value);
        obeys(c, row, h, o->value);
        h->leads = h->led = h->settled = true;
        break;
    case KB_FACT_FOLLOWER:
        obeys(c, row, h, o->value);
        h->leads = false;
        h->settled = h->stopped = true;
        break;
    case KB_FACT_DELETED:
        h->stopped = true;
        h->named_life = 0;
        deletes(c, row, h, o->value);
        break;
    case KB_FACT_TRUNCATED:
        h->looked_to = o->offset < h->looked_to ? o->offset : h->looked_to;
        h->checkpointed = o->offset < h->checkpointed ? o->offset : h->checkpointed;
        row->cut = true;
        break;
    case KB_FACT_OFFLINE: /* its directory failed, and the checkpoint in it */
        h->leads = h->settled = false;
        h->named_life = 0;
        break;
    case KB_FACT_STOPPED:
        h->stopped = true;
        break;
    case KB_FACT_ISR_PENDING:
        proposes(c, row, h, o->list);
        break;
    case KB_FACT_UNKNOWN_REPLICA:
        if (o->error == WIRE_ERROR_NONE)
            check_fail_row(c, SIM_CHECK_S6, row,
                           "leader %d answers broker %d without error, which is no replica", h->id,
                           o->broker_id);
        break;
    case KB_FACT_APPENDED:
    case KB_FACT_START:
    case KB_FACT_ROLLED:
    case KB_FACT_FORGOTTEN:
    case KB_FACT_WAITING:
    case KB_FACT_NO_LEADER: /* costs no epoch: who led goes on */
    case KB_FACT_FAILED:
    case KB_FACT_ISR:
    case KB_FACT_ISR_FAILED:
    case KB_FACT_ISR_NOTIFIED:
    case KB_FACT_DIR_FAILED:
        break;
    }
}

void sim_checks_replica(struct sim_checks *c, int32_t id, const struct kb_output *o)
{
    if (o->topic == NULL)
        return;
    struct check_row *row = check_row_of(c, o->topic, o->partition);
    struct check_host *h = check_host_of(row, id);
    const struct check_process *p = check_process_of(c, id);
    if (h->life != p->lives) { /* what it knew went with the process */
        h->life = p->lives;
        h->epoch = -1;
        h->leads = h->settled = false;
    }
    h->touched = true;
    check_touch(c, row);
    if (o->kind == KB_OUT_FACT)
        fact(c, row, h, o);
    else if (o->kind == KB_OUT_HW)
        marks(h, o->offset);
}
