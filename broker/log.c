/*
 * One log: batches in the order of their offsets, and three marks on them.
 *
 *     log start        high watermark            log end
 *         |                  |                      |
 *         ▼  b  b  b  b  b   ▼   b   b   b   b   b  ▼
 *            committed           here, not yet on every in-sync replica
 *
 * A batch is whole or gone. Offsets between the last batch and the log's end do not exist: the end
 * may lie behind the last batch where a truncation met the middle of one (Kafka does so), and the
 * first batch may begin below the log's start, where records were deleted.
 *
 * It is cut into segments (log_segments.c): a reading ends where one does, and whole ones go when
 * they are too old (retention.c).
 *
 * Source: Kafka kafka.log.Log.
 */
#include "broker/replica_state.h"

#include <assert.h>

const struct kb_batch *kb_log_batches(const struct kb_replicas *r, const struct kb_row *row)
{
    return row->batches.count == 0 ? NULL : kb_extent_see(r, KB_POOL_BATCHES, &row->batches, 0);
}

uint32_t kb_log_search(const struct kb_replicas *r, const struct kb_row *row, int64_t offset)
{
    const struct kb_batch *batches = kb_log_batches(r, row);
    uint32_t low = 0, high = row->batches.count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (kb_batch_end(&batches[middle]) <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* ---- growing ---- */

struct kb_append_room kb_append_room(const struct kb_replicas *r, const struct kb_row *row,
                                     const struct kb_batch *batches, uint32_t count)
{
    struct kb_append_room room = {.batches = count,
                                  .segments = kb_segments_must_roll(r, row, batches, count)};
    int32_t epoch = kb_epochs_latest(r, row);
    int64_t producer = -1;

    for (uint32_t i = 0; i < count; i++) {
        room.epochs += batches[i].leader_epoch != epoch;
        epoch = batches[i].leader_epoch;
        room.transactions += (batches[i].flags & KB_CONTROL) != 0;
        if (batches[i].producer_id >= 0 && batches[i].producer_id != producer) {
            producer = batches[i].producer_id;
            room.producers += kb_producer_find(r, row, producer) == NULL;
        }
    }
    return room;
}

void kb_append_reserve(struct kb_replicas *r, struct kb_row *row, struct kb_append_room room)
{
    kb_extent_reserve(r, KB_POOL_BATCHES, &row->batches, room.batches);
    kb_extent_reserve(r, KB_POOL_EPOCHS, &row->epochs, room.epochs);
    kb_extent_reserve(r, KB_POOL_PRODUCERS, &row->producers, room.producers);
    kb_extent_reserve(r, KB_POOL_TRANSACTIONS, &row->transactions, room.transactions);
}

static void note_change(struct kb_replicas *r, struct kb_row *row)
{
    if (!row->listed[KB_LIST_HW]) {
        kb_list_add(r, KB_LIST_HW, &r->hw, kb_row_index(r, row));
    }
}

void kb_log_append(const struct kb_step *s, struct kb_row *row, const struct kb_batch *batch)
{
    struct kb_replicas *r = s->r;
    struct kb_batch *added = kb_extent_add(r, KB_POOL_BATCHES, &row->batches);

    assert(batch->base_offset >= row->log_end);
    assert(batch->last_offset_delta >= 0);
    *added = *batch;
    row->log_end = kb_batch_end(batch);
    kb_epochs_assign(r, row, batch->leader_epoch, batch->base_offset);
    kb_producers_note(r, row, batch);
    if (r->config.flush_messages > 0 && row->log_end - row->flushed >= r->config.flush_messages) {
        row->flushed = row->log_end;
    }
    kb_payload(s, batch->payload, 1);
}

void kb_log_appended(const struct kb_step *s, const struct kb_row *row, uint32_t before)
{
    if (row->batches.count > before) {
        kb_fact_batches(s, KB_FACT_APPENDED, row, row->log_end, kb_log_batches(s->r, row) + before,
                        row->batches.count - before);
    }
}

/* ---- shrinking ---- */

static void drop_last(const struct kb_step *s, struct kb_row *row, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct kb_batch *batch =
            kb_extent_at(s->r, KB_POOL_BATCHES, &row->batches, row->batches.count - 1 - i);
        kb_payload(s, batch->payload, -1);
    }
    kb_extent_drop_last(s->r, KB_POOL_BATCHES, &row->batches, n);
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Told before it is done, as long as the batches can be looked at. */
static void tell_truncation(const struct kb_step *s, const struct kb_row *row, uint32_t kept,
                            int64_t end)
{
    uint32_t lost = row->batches.count - kept;
    kb_fact_batches(s, KB_FACT_TRUNCATED, row, end,
                    lost == 0 ? NULL : kb_log_batches(s->r, row) + kept, lost);
}

static void truncated(const struct kb_step *s, struct kb_row *row, int64_t start, int64_t end)
{
    row->log_start = start;
    row->log_end = end;
    row->flushed = smaller(row->flushed, end);
    kb_producers_rebuild(s->r, row);
    kb_log_set_hw(s, row, smaller(row->hw, end));
}

/* Truncating at the end or behind it removes no record, but may still remove an epoch that began
   there without writing one: kept, it would be asked for again and again (KAFKA-10706). */
void kb_log_truncate(const struct kb_step *s, struct kb_row *row, int64_t offset)
{
    struct kb_replicas *r = s->r;

    assert(offset >= 0);
    if (offset >= row->log_end) {
        if (!kb_defect(r, SM_DEFECT_EPOCH_AT_END_KEPT)) {
            kb_epochs_cut_end(r, row, row->log_end);
        }
        return;
    }
    if (offset < row->log_start) {
        kb_log_restart_at(s, row, offset);
        return;
    }
    uint32_t kept = kb_log_search(r, row, offset);
    tell_truncation(s, row, kept, offset);
    kb_segments_cut_end(r, row, kept, offset);
    drop_last(s, row, row->batches.count - kept);
    kb_epochs_cut_end(r, row, offset);
    truncated(s, row, row->log_start, offset);
}

void kb_log_restart_at(const struct kb_step *s, struct kb_row *row, int64_t offset)
{
    tell_truncation(s, row, 0, offset);
    drop_last(s, row, row->batches.count);
    kb_segments_restart(s->r, row, offset);
    kb_extent_drop_last(s->r, KB_POOL_EPOCHS, &row->epochs, row->epochs.count);
    truncated(s, row, offset, offset);
    kb_log_set_hw(s, row, offset);
}

/* Deleting records or retention: batches that end before go; one that reaches over it stays. */
bool kb_log_set_start(const struct kb_step *s, struct kb_row *row, int64_t offset,
                      enum kb_start_reason reason)
{
    struct kb_replicas *r = s->r;
    uint32_t n;

    if (offset <= row->log_start) {
        return false;
    }
    assert(offset <= row->hw);
    row->log_start = offset;
    n = kb_log_search(r, row, offset);
    for (uint32_t i = 0; i < n; i++) {
        const struct kb_batch *batch = kb_extent_at(r, KB_POOL_BATCHES, &row->batches, i);
        kb_payload(s, batch->payload, -1);
    }
    kb_extent_drop_first(r, KB_POOL_BATCHES, &row->batches, n);
    kb_segments_cut_start(r, row, offset);
    kb_epochs_cut_start(r, row, offset);
    kb_producers_on_start(r, row);
    note_change(r, row);
    kb_fact(s, KB_FACT_START, row, (int32_t)reason, offset);
    return true;
}

void kb_log_delete(const struct kb_step *s, struct kb_row *row)
{
    struct kb_replicas *r = s->r;

    drop_last(s, row, row->batches.count);
    kb_extent_free(r, KB_POOL_BATCHES, &row->batches);
    kb_extent_free(r, KB_POOL_EPOCHS, &row->epochs);
    kb_extent_free(r, KB_POOL_PRODUCERS, &row->producers);
    kb_extent_free(r, KB_POOL_TRANSACTIONS, &row->transactions);
    kb_extent_free(r, KB_POOL_SEGMENTS, &row->segments);
    kb_list_remove(r, KB_LIST_HW, &r->hw, kb_row_index(r, row));
    if (row->has_log) {
        r->dir_logs[row->dir]--;
    }
    row->has_log = row->attached = row->dir = 0;
    row->log_start = row->log_end = row->hw = row->flushed = row->checkpoint_hw = 0;
    row->open_txn = -1;
    row->open = (struct kb_segment){0};
    row->closed_bytes = 0;
}

/* ---- the high watermark ---- */

/* Clamped to the log, whoever says it: a follower takes over its leader's. */
void kb_log_set_hw(const struct kb_step *s, struct kb_row *row, int64_t hw)
{
    struct kb_output o;

    hw = hw < row->log_start ? row->log_start : smaller(hw, row->log_end);
    if (hw == row->hw) {
        return;
    }
    row->hw = hw;
    note_change(s->r, row);
    if ((s->r->config.notes & KB_NOTE_HW) != 0) {
        o = kb_output_of(s->r, KB_OUT_HW, row);
        o.offset = hw;
        kb_put(s, &o);
    }
}

/* The last stable offset: where the first transaction begins that is open, or whose end is not
   committed yet. */
int64_t kb_log_stable(const struct kb_replicas *r, const struct kb_row *row)
{
    int64_t stable = row->hw;

    if (row->open_txn >= 0) {
        stable = smaller(stable, row->open_txn);
    }
    for (uint32_t i = row->transactions.count; i > 0; i--) {
        const struct kb_transaction *t =
            kb_extent_see(r, KB_POOL_TRANSACTIONS, &row->transactions, i - 1);
        if (t->last_offset < row->hw) {
            break;
        }
        stable = smaller(stable, t->first_offset);
    }
    return stable < row->log_start ? row->log_start : stable;
}

/* ---- reading ---- */

struct kb_read kb_log_read(const struct kb_replicas *r, const struct kb_row *row, int64_t offset,
                           int64_t bound, int64_t max_bytes, bool at_least_one)
{
    const struct kb_batch *batches = kb_log_batches(r, row);
    struct kb_read read = {0};
    uint32_t i;

    if (offset < row->log_start || offset > row->log_end) {
        read.error = WIRE_ERROR_OFFSET_OUT_OF_RANGE;
        return read;
    }
    i = kb_log_search(r, row, offset);
    if (row->segments.count > 0 && i < row->batches.count) {
        bound = smaller(bound, kb_segment_next(r, row, batches[i].base_offset));
    }
    for (; i < row->batches.count && kb_batch_end(&batches[i]) <= bound; i++) {
        if (read.bytes + batches[i].size > max_bytes && (read.count > 0 || !at_least_one)) {
            break;
        }
        read.batches = read.count == 0 ? &batches[i] : read.batches;
        read.count++;
        read.bytes += batches[i].size;
    }
    return read;
}
