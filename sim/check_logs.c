/*
 * Checks on logs, and on what clients were told of them: S7, S8, S9, V12. What brokers note of
 * their replicas is judged in check_replicas.c, which marks here whose log has to be looked at.
 *
 *     leader's log    0 1 2 3 4 │ 5 6        │ its high watermark
 *     committed       0 1 2 3 4              what a leader of the present epoch has ever committed
 *     a new leader    0 1 2 3 4 5            must have all that is committed, batch by batch
 *
 * A log is read from where it was last known to agree (looked_to), so that each batch is read once
 * per replica. All batches of a partition stand in one table by (offset, epoch): two logs that have
 * a batch of the same offset and epoch must have the same one. An unclean election voids what the
 * new leader has not: from then on its log is what is committed.
 */
#include "sim/check_state.h"

/* ---- the same offset and epoch: the same records ---- */

struct check_canon {
    int64_t base;
    uint64_t payload;
    uint32_t row; /* number, 0: free */
    int32_t epoch;
    uint32_t incarnation;
    int32_t epoch_before; /* of the batch before it, -1: it begins its log */
    uint64_t payload_before;
};

static struct check_canon *canon_place(const struct sim_checks *c, const struct check_canon *key)
{
    uint64_t x = (uint64_t)key->row << 17 ^ (uint64_t)key->base * UINT64_C(0x9E3779B97F4A7C15) ^
                 (uint64_t)(uint32_t)key->epoch << 32 ^ key->incarnation;
    uint32_t mask = c->canon_capacity - 1;
    uint32_t i = (uint32_t)(sim_random_mix(&x) & mask);
    while (c->canon[i].row != 0 &&
           (c->canon[i].row != key->row || c->canon[i].base != key->base ||
            c->canon[i].epoch != key->epoch || c->canon[i].incarnation != key->incarnation))
        i = (i + 1) & mask;
    return &c->canon[i];
}

static void canon_grow(struct sim_checks *c)
{
    struct check_canon *old = c->canon;
    uint32_t capacity = c->canon_capacity;
    c->canon_capacity = capacity == 0 ? 1024 : capacity * 2;
    c->canon = sim_block(sim_alloc(c->canon_capacity * sizeof(*c->canon)));
    for (uint32_t i = 0; i < capacity; i++)
        if (old[i].row != 0)
            *canon_place(c, &old[i]) = old[i];
    sim_free(old);
}

/* A machine that has held it has been lost, with what no disk had taken; or a disk keeps the log of
   a deleted namesake, and who has it may be a replica of the topic of today: a reassignment took
   the partition from it while it was dead, nobody told it, and before topic ids
   (inter.broker.protocol 2.8, KIP-516) nothing tells the two topics apart. Logs need not fit
   together then. */
bool check_any_disk_lost(const struct sim_checks *c, const struct check_row *row)
{
    if (row->left_over)
        return true;
    for (uint32_t i = 0; i < row->host_count; i++)
        if (check_disk_lost(c, row->hosts[i].id))
            return true;
    return false;
}

/* S9: by induction over the batches before, two logs that have one in common are equal up to it. */
static void check_canon(struct sim_checks *c, const struct check_row *row,
                        const struct check_host *h, const struct kb_batch *b,
                        const struct kb_batch *before)
{
    int32_t id = h->id;
    struct check_canon key = {.row = row->number,
                              .base = b->base_offset,
                              .epoch = b->leader_epoch,
                              .payload = b->payload,
                              .incarnation = h->incarnation,
                              .epoch_before = before == NULL ? -1 : before->leader_epoch,
                              .payload_before = before == NULL ? 0 : before->payload};
    if (c->canon_count * 2 >= c->canon_capacity)
        canon_grow(c);
    struct check_canon *place = canon_place(c, &key);
    if (place->row == 0) {
        sim_touch(c->canon);
        *place = key;
        c->canon_count++;
    } else if (place->payload != b->payload && check_any_disk_lost(c, row)) {
        sim_touch(c->canon);
        *place = key; /* all died at once, and the leader of that epoch leads it again, empty */
    } else if (place->payload != b->payload) {
        check_fail_row(
            c, SIM_CHECK_S9, row,
            "broker %d has another record at offset %lld of epoch %d than was there before", id,
            (long long)b->base_offset, b->leader_epoch);
    } else if (before != NULL && place->epoch_before >= 0 && !check_any_disk_lost(c, row) &&
               (place->epoch_before != before->leader_epoch ||
                place->payload_before != before->payload)) {
        check_fail_row(
            c, SIM_CHECK_S9, row,
            "broker %d has offset %lld of epoch %d behind another record (epoch %d) than "
            "was there before (epoch %d)",
            id, (long long)b->base_offset, b->leader_epoch, before->leader_epoch,
            place->epoch_before);
    }
}

void check_logs_free(struct sim_checks *c)
{
    sim_free(c->canon);
}

void check_logs_forget(struct check_row *row)
{
    row->committed.count = 0;
    row->shown_before =
        row->readable_end > row->shown_before ? row->readable_end : row->shown_before;
    row->committed_end = row->acked_end = row->shown_end = row->readable_end = 0;
    row->unclean_epoch = -1;
    row->unclean_pending = row->unclean = row->left_over = false;
    for (int i = 0; i < CHECK_EPOCHS; i++)
        row->led[i].id = -1;
    for (uint32_t i = 0; i < row->host_count; i++) /* versions and epochs begin anew */
        row->hosts[i].lost_version = row->hosts[i].lost_epoch = -1;
}

/* ---- what is committed ---- */

static uint32_t batch_search(const struct kb_partition_view *v, int64_t offset)
{
    uint32_t low = 0, high = v->batch_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (v->batches[middle].base_offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int64_t batch_end(const struct kb_batch *b)
{
    return b->base_offset + b->last_offset_delta + 1;
}

static void commit(struct check_row *row, const struct kb_batch *b)
{
    struct check_batches *all = &row->committed;
    if (all->count == all->capacity) {
        all->capacity = all->capacity == 0 ? 16 : all->capacity * 2;
        all->list = sim_realloc(all->list, all->capacity * sizeof(*all->list));
    }
    all->list[all->count++] = (struct check_batch){.base = b->base_offset,
                                                   .last = batch_end(b) - 1,
                                                   .payload = b->payload,
                                                   .epoch = b->leader_epoch};
}

static void commit_to(struct check_row *row, const struct kb_partition_view *v, int64_t hw)
{
    for (uint32_t i = batch_search(v, row->committed_end);
         i < v->batch_count && batch_end(&v->batches[i]) <= hw; i++)
        commit(row, &v->batches[i]);
    row->committed_end = hw;
    row->shown_end = hw > row->shown_end ? hw : row->shown_end;
    row->readable_end = hw > row->readable_end ? hw : row->readable_end;
}

static bool holds(const struct kb_partition_view *v, const struct check_batch *b)
{
    uint32_t i = batch_search(v, b->base);
    return b->base < v->log_start ||
           (i < v->batch_count && v->batches[i].base_offset == b->base &&
            v->batches[i].leader_epoch == b->epoch && v->batches[i].payload == b->payload);
}

/* S7, S8: of the committed batches the last `most` are in this log. */
static void check_holds(struct sim_checks *c, const struct check_row *row, int32_t id,
                        const struct kb_partition_view *v, uint32_t most)
{
    uint32_t first = row->committed.count > most ? row->committed.count - most : 0;
    for (uint32_t i = first; i < row->committed.count; i++) {
        const struct check_batch *b = &row->committed.list[i];
        if (holds(v, b))
            continue;
        check_fail_row(c, b->base < row->acked_end ? SIM_CHECK_S7 : SIM_CHECK_S8, row,
                       "broker %d leads in epoch %d, and offset %lld, %s, is not in its log", id,
                       v->leader_epoch, (long long)b->base,
                       b->base < row->acked_end ? "acknowledged with acks=all" : "committed");
        return;
    }
}

/* What an unclean leader does not have is lost, as its election said. */
static void void_behind(struct check_row *row, const struct kb_partition_view *v)
{
    uint32_t kept = 0;
    while (kept < row->committed.count && holds(v, &row->committed.list[kept]))
        kept++;
    row->committed.count = kept;
    row->committed_end = kept == 0 ? 0 : row->committed.list[kept - 1].last + 1;
    if (row->acked_end > row->committed_end)
        row->acked_end = row->committed_end;
    row->unclean_pending = false;
}

/* ---- one log ---- */

/* S8, S9: what has been added since it was looked at last. */
static void read_log(struct sim_checks *c, struct check_row *row, struct check_host *h,
                     const struct kb_partition_view *v)
{
    if (v->hw > v->log_end || v->hw < v->log_start)
        check_fail_row(c, SIM_CHECK_S8, row,
                       "broker %d has the high watermark %lld in a log from %lld to %lld", h->id,
                       (long long)v->hw, (long long)v->log_start, (long long)v->log_end);
    uint32_t i = batch_search(v, h->looked_to);
    for (; i < v->batch_count; i++) {
        if (i > 0 && v->batches[i].leader_epoch < v->batches[i - 1].leader_epoch)
            check_fail_row(c, SIM_CHECK_S9, row,
                           "in the log of broker %d epoch %d at offset %lld follows epoch %d",
                           h->id, v->batches[i].leader_epoch, (long long)v->batches[i].base_offset,
                           v->batches[i - 1].leader_epoch);
        check_canon(c, row, h, &v->batches[i], i == 0 ? NULL : &v->batches[i - 1]);
    }
    h->looked_to = v->log_end;
}

/* S8: a leader's mark is within every log of its ISR, but after a lost machine: who led with less
   before it is followed by who has less. */
static void check_mark(struct sim_checks *c, const struct check_row *row, int32_t leader,
                       const struct kb_partition_view *v)
{
    struct kb_partition_view other;
    for (int32_t i = 0; i < v->maximal_isr.count; i++) {
        int32_t id = v->maximal_isr.id[i];
        if (id != leader && check_view(c, row, id, &other) && other.log_end < v->hw &&
            !check_any_disk_lost(c, row))
            check_fail_row(
                c, SIM_CHECK_S8, row,
                "leader %d has the high watermark %lld, and the log of broker %d, of its "
                "ISR, ends at %lld",
                leader, (long long)v->hw, id, (long long)other.log_end);
    }
}

static bool is_current_leader(const struct check_row *row, const struct check_host *h,
                              const struct kb_partition_view *v)
{
    return h->leads && row->exists && row->z.leader == h->id &&
           row->z.leader_epoch == v->leader_epoch;
}

static void look_at_leader(struct sim_checks *c, struct check_row *row, struct check_host *h,
                           const struct kb_partition_view *v)
{
    enum { LAST = 64 };
    if (row->unclean_pending && v->leader_epoch >= row->unclean_epoch)
        void_behind(row, v);
    else if (h->led && !check_any_disk_lost(c, row))
        check_holds(c, row, h->id, v, c->in_whole ? UINT32_MAX : LAST);
    check_mark(c, row, h->id, v);
    if (v->hw > row->committed_end)
        commit_to(row, v, v->hw);
    else if (v->hw < row->committed_end && v->hw >= v->epoch_start &&
             !check_any_disk_lost(c, row) && row->committed_end > v->epoch_start)
        check_fail_row(c, SIM_CHECK_S8, row,
                       "leader %d shows offsets up to %lld, and they were shown up to %lld before",
                       h->id, (long long)v->hw, (long long)row->committed_end);
}

/* A reassignment has taken the partition from a broker that was dead: nobody tells it (Kafka
   neither), its disk keeps the log, and the topic may have been deleted and made anew since. */
static bool is_left_over(const struct check_row *row, int32_t id, const struct kb_partition_view *v)
{
    return v->hosted == KB_NOT_HOSTED && row->assigned && !sm_list_has(&row->a.replicas, id);
}

static void look_at(struct sim_checks *c, struct check_row *row, struct check_host *h)
{
    struct kb_partition_view v;
    if (check_view(c, row, h->id, &v)) {
        if (!is_left_over(row, h->id, &v))
            read_log(c, row, h, &v);
        int64_t hw = h->marked > v.hw ? h->marked : v.hw;
        /* Deposed and not told yet, or it has ended in this very event: its followers have it, and
           lead next. Not one that nobody told that its topic is gone: that commits nothing here. */
        bool deposed = h->leads && h->incarnation == row->topic->incarnation;
        if (deposed && hw > row->readable_end)
            row->readable_end = hw;
        if (is_current_leader(row, h, &v))
            look_at_leader(c, row, h, &v);
        else if (deposed && hw > row->committed_end && h->epoch >= row->unclean_epoch &&
                 !row->unclean_pending)
            commit_to(row, &v, hw);
    } else {
        h->looked_to = 0;
    }
    if (h->stopped && kb_waits_in_vain(check_process_of(c, h->id)->process->replicas))
        check_fail_row(c, SIM_CHECK_V12, row,
                       "broker %d leads no more, and a produce waits there for its followers",
                       h->id);
    h->touched = h->led = h->stopped = false;
    h->marked = -1;
}

/* A member of the ISR whose log grew shorter: the leader's mark may be beyond it. */
static void look_at_leader_of(struct sim_checks *c, struct check_row *row)
{
    struct kb_partition_view v;
    if (row->exists && row->z.leader >= 0 && check_view(c, row, row->z.leader, &v) &&
        kb_is_leader(check_process_of(c, row->z.leader)->process->replicas, row->topic->name,
                     row->partition) &&
        v.leader_epoch == row->z.leader_epoch)
        check_mark(c, row, row->z.leader, &v);
}

void check_logs(struct sim_checks *c, struct check_row *row)
{
    for (uint32_t i = 0; i < row->host_count; i++)
        if (row->hosts[i].touched || c->in_whole)
            look_at(c, row, &row->hosts[i]);
    if (row->cut) {
        row->cut = false;
        look_at_leader_of(c, row);
    }
}

/* ---- what clients were told ---- */

void sim_checks_acknowledged(struct sim_checks *c, const char *topic, int32_t partition,
                             int64_t offset, int32_t epoch)
{
    struct check_row *row = check_row_of(c, topic, partition);
    if (offset < 0 || check_any_disk_lost(c, row) ||
        (row->unclean_epoch >= 0 && epoch < row->unclean_epoch))
        return;
    if (offset >= row->shown_end)
        check_fail_row(
            c, SIM_CHECK_S7, row,
            "offset %lld was acknowledged with acks=all, and is committed up to %lld only",
            (long long)offset, (long long)row->shown_end);
    else if (offset + 1 > row->acked_end && offset < row->committed_end)
        row->acked_end = offset + 1;
}

/* A consumer that stood still may take up an answer of before, from a namesake. */
void sim_checks_consumed(struct sim_checks *c, const char *topic, int32_t partition, int64_t offset)
{
    const struct check_row *row = check_row_of(c, topic, partition);
    if (offset >= row->readable_end && offset >= row->shown_before && !check_any_disk_lost(c, row))
        check_fail_row(c, SIM_CHECK_S8, row,
                       "a consumer has read offset %lld, and no leader has committed beyond %lld",
                       (long long)offset, (long long)row->readable_end);
}
