/*
 * Looking inside: views, the digest, and the invariants.
 */
#include "broker/replica_state.h"

#include <assert.h>
#include <string.h>

const char *kb_fact_name(enum kb_fact fact)
{
    switch (fact) {
    case KB_FACT_LEADER:
        return "leader";
    case KB_FACT_FOLLOWER:
        return "follower";
    case KB_FACT_NO_LEADER:
        return "no-leader";
    case KB_FACT_OFFLINE:
        return "offline";
    case KB_FACT_DELETED:
        return "deleted";
    case KB_FACT_STOPPED:
        return "stopped";
    case KB_FACT_APPENDED:
        return "appended";
    case KB_FACT_START:
        return "start";
    case KB_FACT_ROLLED:
        return "rolled";
    case KB_FACT_FORGOTTEN:
        return "forgotten";
    case KB_FACT_WAITING:
        return "waiting";
    case KB_FACT_TRUNCATED:
        return "truncated";
    case KB_FACT_FAILED:
        return "failed";
    case KB_FACT_ISR_PENDING:
        return "isr-pending";
    case KB_FACT_ISR:
        return "isr";
    case KB_FACT_ISR_FAILED:
        return "isr-failed";
    case KB_FACT_ISR_NOTIFIED:
        return "isr-notified";
    case KB_FACT_UNKNOWN_REPLICA:
        return "unknown-replica";
    case KB_FACT_DIR_FAILED:
        return "dir-failed";
    }
    return "?";
}

bool kb_partition(const struct kb_replicas *r, const char *topic, int32_t partition,
                  struct kb_partition_view *view)
{
    uint32_t at = kb_row_find(r, topic, partition);
    const struct kb_row *row = at == KB_NO_ROW ? NULL : kb_row(r, at);

    if (row == NULL) {
        return false;
    }
    *view = (struct kb_partition_view){
        .hosted = row->hosted,
        .has_log = row->has_log && (r->failed_dirs >> row->dir & 1u) == 0,
        .leader = row->leader,
        .leader_epoch = row->leader_epoch,
        .controller_epoch = row->controller_epoch,
        .zk_version = row->zk_version,
        .isr_state = row->isr_state,
        .fetch_state = row->fetch_state,
        .dir = row->dir,
        .log_start = row->log_start,
        .log_end = row->log_end,
        .hw = row->hw,
        .last_stable = kb_log_stable(r, row),
        .flushed = row->flushed,
        .checkpointed_hw = row->checkpoint_hw,
        .epoch_start = row->epoch_start,
        .isr = sm_list_of(kb_isr(row), row->isr_count),
        .batches = kb_log_batches(r, row),
        .batch_count = row->batches.count,
        .epoch_count = row->epochs.count,
        .segment_count = row->has_log ? row->segments.count + 1 : 0,
        .segment_base = row->open.base,
        .producer_count = row->producers.count,
        .epochs =
            row->epochs.count == 0 ? NULL : kb_extent_see(r, KB_POOL_EPOCHS, &row->epochs, 0)};
    kb_maximal_isr(row, &view->maximal_isr);
    return true;
}

const char *kb_partition_next(const struct kb_replicas *r, uint32_t *at, int32_t *partition)
{
    for (; *at < r->row_high; (*at)++) {
        const struct kb_row *row = kb_row(r, *at);
        if (row->topic != 0) {
            (*at)++;
            *partition = row->partition;
            return kb_row_topic(r, row);
        }
    }
    return NULL;
}

bool kb_reaches_its_end(const struct kb_partition_view *view)
{
    if (view->batch_count == 0) {
        return view->log_end == view->log_start;
    }
    const struct kb_batch *last = &view->batches[view->batch_count - 1];
    return last->base_offset + last->last_offset_delta + 1 == view->log_end;
}

bool kb_is_leader(const struct kb_replicas *r, const char *topic, int32_t partition)
{
    uint32_t row = kb_row_find(r, topic, partition);
    return row != KB_NO_ROW && kb_leads(r, kb_row(r, row));
}

static const struct kb_remote *remote_of(const struct kb_replicas *r, const char *topic,
                                         int32_t partition, int32_t broker_id)
{
    uint32_t row = kb_row_find(r, topic, partition);
    return row == KB_NO_ROW ? NULL : kb_remote_find(r, kb_row(r, row), broker_id);
}

int64_t kb_follower_end(const struct kb_replicas *r, const char *topic, int32_t partition,
                        int32_t broker_id)
{
    const struct kb_remote *remote = remote_of(r, topic, partition, broker_id);
    return remote == NULL || remote->log_end < 0 ? -1 : remote->log_end;
}

bool kb_follower_forgotten(const struct kb_replicas *r, const char *topic, int32_t partition,
                           int32_t broker_id)
{
    const struct kb_remote *remote = remote_of(r, topic, partition, broker_id);
    return remote != NULL && remote->log_end == KB_FORGOTTEN;
}

bool kb_waits_in_vain(const struct kb_replicas *r)
{
    for (uint32_t i = 0; i < r->operation_high; i++) {
        const struct kb_operation *op = kb_operation(r, i);
        for (uint32_t k = 0; op->kind == KB_OP_PRODUCE && k < op->items.count; k++) {
            const struct kb_wait *wait = kb_extent_see(r, KB_POOL_WAITS, &op->items, k);
            if (wait->pending != 0 && wait->row == 0) {
                return true;
            }
        }
    }
    return false;
}

bool kb_must_wait_for_isr(const struct kb_replicas *r, enum wire_api api,
                          const struct wire_batch *batch, uint32_t broker_index)
{
    const enum wire_record_kind kind =
        api == WIRE_API_LEADER_AND_ISR ? WIRE_RECORD_LEADER_AND_ISR : WIRE_RECORD_STOP_REPLICA;
    struct wire_record_view v = {0};

    if (r->isr_writes == 0 || (api != WIRE_API_LEADER_AND_ISR && api != WIRE_API_STOP_REPLICA) ||
        batch->controller_epoch < r->controller_epoch) {
        return false;
    }
    while (wire_batch_next_for(batch, kind, broker_index, &v)) {
        uint32_t row = kb_row_find(r, v.topic, v.record->partition);
        if (row != KB_NO_ROW && kb_row(r, row)->isr_op != 0) {
            return true;
        }
    }
    return false;
}

int32_t kb_controller_epoch(const struct kb_replicas *r)
{
    return r->controller_epoch;
}

uint32_t kb_hosted_count(const struct kb_replicas *r)
{
    return r->row_count;
}

bool kb_replicas_is_quiet(const struct kb_replicas *r)
{
    for (uint32_t i = 0; i < r->operation_high; i++) {
        if (kb_operation(r, i)->kind == KB_OP_PRODUCE) {
            return false;
        }
    }
    for (uint32_t i = 0; i < r->limits.fetchers; i++) {
        const struct kb_fetcher *f = kb_fetcher(r, i);
        for (int queue = KB_QUEUE_CHANGED; queue < KB_QUEUE_DELAYED; queue++) {
            if (f->used && f->queue[queue].count > 0) {
                return false;
            }
        }
    }
    return r->isr_writes == 0 && r->isr_write.count == 0 && r->changed.count == 0 &&
           r->notifying.count == 0;
}

/* ---- digest ---- */

static uint64_t mix(uint64_t h, uint64_t value)
{
    h ^= value * 0x9E3779B97F4A7C15ull;
    h = (h << 29 | h >> 35) * 0xBF58476D1CE4E5B9ull;
    return h ^ h >> 31;
}

static uint64_t mix_time(uint64_t h, int64_t at_us, int64_t now_us)
{
    return mix(h, at_us == KB_NEVER ? 1u : (uint64_t)(at_us - now_us));
}

static uint64_t mix_text(uint64_t h, const char *text)
{
    for (; *text != '\0'; text++) {
        h = mix(h, (uint8_t)*text);
    }
    return h;
}

static uint64_t mix_bytes(uint64_t h, const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    uint64_t word;

    for (; size >= 8; size -= 8, p += 8) {
        memcpy(&word, p, 8);
        h = mix(h, word);
    }
    assert(size == 0);
    return h;
}

static uint64_t mix_extent(uint64_t h, const struct kb_replicas *r, enum kb_pool_id pool,
                           const struct kb_extent *e)
{
    h = mix(h, e->count);
    return e->count == 0 ? h
                         : mix_bytes(h, kb_extent_see(r, pool, e, 0),
                                     (size_t)e->count * r->pools[pool].item_size);
}

/* Remotes stand in slots of no meaning: their hashes are added up. */
static uint64_t remotes_hash(const struct kb_replicas *r, const struct kb_row *row, int64_t now_us)
{
    uint64_t sum = 0;

    for (uint32_t slot = 0; slot < r->limits.replicas; slot++) {
        const struct kb_remote *remote = kb_remote(r, row, slot);
        uint64_t h = mix(17, (uint64_t)remote->id);
        if (!remote->used) {
            continue;
        }
        h = mix(h, (uint64_t)remote->log_end);
        h = mix(h, (uint64_t)remote->log_start);
        h = mix(h, (uint64_t)remote->last_leader_end);
        h = mix_time(h, remote->caught_up_us, now_us);
        h = mix_time(h, remote->last_fetch_us, now_us);
        h = mix(h, (uint64_t)remote->offset << 2 | (uint64_t)remote->dirty << 1 |
                       (remote->session != 0));
        sum += h;
    }
    return sum;
}

static uint64_t row_hash(const struct kb_replicas *r, const struct kb_row *row, int64_t now_us)
{
    uint64_t h = mix_text(mix(3, (uint64_t)row->partition), kb_row_topic(r, row));

    h = mix(h, (uint64_t)row->hosted << 24 | (uint64_t)row->has_log << 16 |
                   (uint64_t)row->attached << 8 | row->dir);
    h = mix(h, (uint64_t)(uint32_t)row->leader << 32 | (uint32_t)row->leader_epoch);
    h = mix(h, (uint64_t)(uint32_t)row->controller_epoch << 32 | (uint32_t)row->zk_version);
    h = mix_bytes(h, &row->epoch_start, 7 * sizeof(int64_t)); /* to open_txn */
    h = mix_extent(h, r, KB_POOL_BATCHES, &row->batches);
    h = mix_extent(h, r, KB_POOL_SEGMENTS, &row->segments);
    h = mix(mix(h, (uint64_t)row->open.base), (uint64_t)row->open.bytes);
    h = mix_extent(h, r, KB_POOL_EPOCHS, &row->epochs);
    h = mix_extent(h, r, KB_POOL_PRODUCERS, &row->producers);
    h = mix_extent(h, r, KB_POOL_TRANSACTIONS, &row->transactions);
    h = mix(h, (uint64_t)row->isr_state << 8 | row->isr_count);
    for (uint32_t i = 0; i < row->isr_count; i++) {
        h = mix(h, (uint64_t)kb_isr(row)[i]);
    }
    h = mix(h, (uint64_t)(uint32_t)row->joining << 32 | row->leaving);
    h = mix(h, (uint64_t)row->fetch_state << 16 | (uint64_t)row->queue << 8 | row->earliest);
    h = mix(h, (uint64_t)row->fetch_offset);
    h = mix(h, (uint64_t)(uint32_t)row->fetch_epoch << 32 | (uint32_t)row->sent_epoch);
    for (int list = 0; list < KB_LIST_END; list++) {
        h = mix(h, row->listed[list]);
    }
    return h + remotes_hash(r, row, now_us);
}

uint64_t kb_replicas_digest(const struct kb_replicas *r, int64_t now_us)
{
    uint64_t h = mix(r->failed_dirs, (uint64_t)r->controller_epoch);

    h = mix(h, (uint64_t)r->broker_epoch);
    h = mix(h, mix((uint64_t)r->told_broker_epoch, (uint64_t)r->told_controller_epoch));
    h = mix(h, (uint64_t)r->started << 16 | (uint64_t)r->shutting_down << 8 | r->checkpointing);
    for (uint32_t row = 0; row < r->row_high; row++) {
        h += kb_row(r, row)->topic == 0 ? 0 : row_hash(r, kb_row(r, row), now_us);
    }
    for (uint32_t i = 0; i < r->operation_high; i++) {
        const struct kb_operation *op = kb_operation(r, i);
        h += op->kind == KB_OP_NONE ? 0 : mix_time(mix(5, op->call_id), op->due_us, now_us);
    }
    for (uint32_t i = 0; i < r->limits.fetchers; i++) {
        const struct kb_fetcher *f = kb_fetcher(r, i);
        h += !f->used ? 0 : mix(mix(7, (uint64_t)f->leader), f->flight);
    }
    return h;
}

/* ---- invariants ---- */

static void check_log(const struct kb_replicas *r, const struct kb_row *row)
{
    const struct kb_batch *b = kb_log_batches(r, row);

    assert(row->log_start >= 0);
    assert(row->log_start <= row->hw);
    assert(row->hw <= row->log_end);
    assert(row->flushed <= row->log_end);
    for (uint32_t i = 0; i < row->batches.count; i++) {
        assert(b[i].last_offset_delta >= 0);
        if (i > 0) {
            assert(b[i].base_offset >= kb_batch_end(&b[i - 1]));
            assert(b[i].leader_epoch >= b[i - 1].leader_epoch);
        }
        assert(kb_batch_end(&b[i]) <= row->log_end);
        assert(kb_batch_end(&b[i]) > row->log_start);
    }
    for (uint32_t i = 1; i < row->epochs.count; i++) {
        const struct kb_epoch *a = kb_extent_see(r, KB_POOL_EPOCHS, &row->epochs, i - 1);
        const struct kb_epoch *e = kb_extent_see(r, KB_POOL_EPOCHS, &row->epochs, i);
        assert(e->epoch > a->epoch);
        assert(e->start_offset > a->start_offset);
    }
}

static void check_segments(const struct kb_replicas *r, const struct kb_row *row)
{
    const struct kb_batch *b = kb_log_batches(r, row);
    int64_t before = -1, bytes = 0, open = 0;

    for (uint32_t i = 0; i < row->segments.count; i++) {
        const struct kb_segment *s = kb_extent_see(r, KB_POOL_SEGMENTS, &row->segments, i);
        assert(s->base > before);
        assert(s->bytes > 0);
        before = s->base;
        bytes += s->bytes;
    }
    assert(row->open.base > before);
    assert(row->open.base <= row->log_end || row->open.bytes == 0);
    assert(bytes == row->closed_bytes);
    for (uint32_t i = 0; i < row->batches.count; i++) {
        open += b[i].base_offset >= row->open.base ? b[i].size : 0;
        assert(kb_segment_next(r, row, b[i].base_offset) >= kb_batch_end(&b[i]));
    }
    assert(open <= row->open.bytes);
    assert(row->open.base < row->log_start || open == row->open.bytes);
}

static void check_row(const struct kb_replicas *r, uint32_t at)
{
    const struct kb_row *row = kb_row(r, at);
    uint32_t waiting = row->waits;

    check_log(r, row);
    check_segments(r, row);
    assert(!row->attached || row->has_log);
    assert(!row->attached || row->hosted == KB_ONLINE);
    assert(row->isr_state == KB_ISR_COMMITTED || row->leader == r->config.broker_id);
    assert((row->fetcher != 0) == (bool)row->listed[KB_LIST_FETCHER]);
    assert((row->queue != KB_QUEUE_NONE) == (bool)row->listed[KB_LIST_QUEUE]);
    assert(row->fetcher == 0 || !kb_leads(r, row));
    assert(!row->named);
    while (waiting != 0) {
        const struct kb_wait *wait =
            (const struct kb_wait *)kb_place(r, r->pools[KB_POOL_WAITS].at) + (waiting - 1);
        assert(wait->row == at + 1);
        waiting = wait->next == row->waits ? 0 : wait->next;
    }
}

static void check_list(const struct kb_replicas *r, enum kb_list list, const struct kb_head *head)
{
    uint32_t count = 0, previous = 0;

    for (uint32_t at = head->first; at != 0; at = kb_row(r, at - 1)->link[list].next) {
        assert(kb_row(r, at - 1)->listed[list]);
        assert(kb_row(r, at - 1)->link[list].prev == previous);
        previous = at;
        count++;
        assert(count <= r->row_count);
    }
    assert(head->last == previous);
    assert(head->count == count);
}

static void check_fetcher(const struct kb_replicas *r, const struct kb_fetcher *f)
{
    uint32_t ready = 0;

    check_list(r, KB_LIST_FETCHER, &f->all);
    check_list(r, KB_LIST_FORGET, &f->forget);
    for (int queue = KB_QUEUE_CHANGED; queue < KB_QUEUE_END; queue++) {
        check_list(r, KB_LIST_QUEUE, &f->queue[queue]);
    }
    for (uint32_t at = f->all.first; at != 0; at = kb_row(r, at - 1)->link[KB_LIST_FETCHER].next) {
        const struct kb_row *row = kb_row(r, at - 1);
        ready += row->fetch_state == KB_FETCHING && row->queue <= KB_QUEUE_CHANGED;
    }
    assert(ready == f->ready);
    assert(f->flight != KB_FLIGHT_NONE || f->queue[KB_QUEUE_ASKED].count == 0);
}

static void check_session(const struct kb_replicas *r, uint32_t i)
{
    const struct kb_session *session = kb_session(r, i);
    struct kb_row *row;
    uint32_t count = 0;

    for (uint32_t at = session->first_cached; at != 0; count++) {
        const struct kb_remote *remote = kb_remote_of_place(r, at, &row);
        assert(remote->session == i + 1);
        at = remote->next_cached;
    }
    assert(count == session->cached_count);
    count = 0;
    for (uint32_t at = session->first_dirty; at != 0; count++) {
        const struct kb_remote *remote = kb_remote_of_place(r, at, &row);
        assert(remote->dirty);
        assert(remote->session == i + 1);
        at = remote->next_dirty;
    }
    assert(count == session->dirty_count);
}

void kb_replicas_check(const struct kb_replicas *r)
{
    uint32_t rows = 0;

    for (uint32_t row = 0; row < r->row_high; row++) {
        if (kb_row(r, row)->topic != 0) {
            check_row(r, row);
            rows++;
        }
    }
    assert(rows == r->row_count);
    check_list(r, KB_LIST_HW, &r->hw);
    check_list(r, KB_LIST_LAGGING, &r->lagging);
    check_list(r, KB_LIST_CHANGED, &r->changed);
    check_list(r, KB_LIST_NOTIFYING, &r->notifying);
    check_list(r, KB_LIST_ISR_WRITE, &r->isr_write);
    for (uint32_t i = 0; i < r->limits.fetchers; i++) {
        if (kb_fetcher(r, i)->used) {
            check_fetcher(r, kb_fetcher(r, i));
        }
    }
    for (uint32_t i = 0; i < r->limits.sessions; i++) {
        check_session(r, i);
    }
    assert(r->scratch_used == 0);
}
