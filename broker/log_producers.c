/*
 * What a log knows of the producers that wrote to it: their epochs, the sequences of their last
 * five batches, their open transaction; and the transactions that have ended.
 *
 *     producers      ascending by id
 *     transactions   ascending by the offset of their end; committed ones only until the end itself
 *                    is committed (they hold the last stable offset back), aborted ones as long as
 *                    the log has their records (consumers have to skip them)
 *
 * All of it is a function of the log, until somebody is forgotten who has been idle for too long
 * (retention.c); a truncation builds it anew. Differs: so does a restart, where Kafka's snapshots
 * may still know a producer whose batches are deleted.
 *
 * Source: Kafka kafka.log.ProducerStateManager, ProducerAppendInfo, TransactionIndex.
 */
#include "broker/replica_state.h"

#include <assert.h>
#include <string.h>

static uint32_t place_of(const struct kb_replicas *r, const struct kb_row *row, int64_t id)
{
    uint32_t low = 0, high = row->producers.count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct kb_producer *p = kb_extent_see(r, KB_POOL_PRODUCERS, &row->producers, middle);
        if (p->id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct kb_producer *kb_producer_find(const struct kb_replicas *r, const struct kb_row *row,
                                           int64_t id)
{
    uint32_t i = place_of(r, row, id);
    const struct kb_producer *p;

    if (i == row->producers.count) {
        return NULL;
    }
    p = kb_extent_see(r, KB_POOL_PRODUCERS, &row->producers, i);
    return p->id == id ? p : NULL;
}

static int32_t last_sequence(const struct kb_batch *batch)
{
    int64_t last = (int64_t)batch->base_sequence + batch->last_offset_delta;
    return (int32_t)(last > INT32_MAX ? last - INT32_MAX - 1 : last);
}

static int32_t first_sequence(const struct kb_producer_batch *b)
{
    int64_t first = (int64_t)b->last_sequence - b->offset_delta;
    return (int32_t)(first < 0 ? first + INT32_MAX + 1 : first);
}

static int64_t duplicate_of(const struct kb_producer *p, const struct kb_batch *batch)
{
    if (p == NULL || p->epoch != batch->producer_epoch) {
        return -1;
    }
    for (uint32_t i = 0; i < p->count; i++) {
        const struct kb_producer_batch *b = &p->batch[i];
        if (first_sequence(b) == batch->base_sequence && b->last_sequence == last_sequence(batch)) {
            return b->last_offset - b->offset_delta;
        }
    }
    return -1;
}

static bool in_sequence(const struct kb_producer *p, int32_t next)
{
    int32_t last = p->count == 0 ? -1 : p->batch[p->count - 1].last_sequence;
    return (int64_t)next == (int64_t)last + 1 || (next == 0 && last == INT32_MAX);
}

static int32_t check_sequence(const struct kb_producer *p, const struct kb_batch *batch)
{
    bool ok = batch->producer_epoch != p->epoch ? batch->base_sequence == 0
                                                : in_sequence(p, batch->base_sequence);
    return ok ? WIRE_ERROR_NONE : WIRE_ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER;
}

int32_t kb_producers_check(const struct kb_replicas *r, const struct kb_row *row,
                           const struct kb_batch *batch, int32_t origin, int64_t *duplicate)
{
    const struct kb_producer *p =
        batch->producer_id < 0 ? NULL : kb_producer_find(r, row, batch->producer_id);
    bool client = origin == KB_FROM_CLIENT && (batch->flags & KB_CONTROL) == 0;

    *duplicate = client && batch->producer_id >= 0 ? duplicate_of(p, batch) : -1;
    if (p == NULL || *duplicate >= 0) {
        return WIRE_ERROR_NONE; /* an unknown producer may begin anywhere */
    }
    if (batch->producer_epoch < p->epoch) {
        return WIRE_ERROR_INVALID_PRODUCER_EPOCH;
    }
    if ((batch->flags & KB_CONTROL) != 0) {
        return p->coordinator_epoch > batch->coordinator_epoch
                   ? WIRE_ERROR_TRANSACTION_COORDINATOR_FENCED
                   : WIRE_ERROR_NONE;
    }
    if (client && check_sequence(p, batch) != WIRE_ERROR_NONE) {
        return WIRE_ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    }
    return p->first_offset >= 0 && (batch->flags & KB_TRANSACTIONAL) == 0
               ? WIRE_ERROR_INVALID_TXN_STATE
               : WIRE_ERROR_NONE;
}

/* ---- noting ---- */

static struct kb_producer *producer_get(struct kb_replicas *r, struct kb_row *row, int64_t id)
{
    uint32_t i = place_of(r, row, id);
    struct kb_producer *p;

    if (kb_producer_find(r, row, id) != NULL) {
        return kb_extent_at(r, KB_POOL_PRODUCERS, &row->producers, i);
    }
    p = kb_extent_insert(r, KB_POOL_PRODUCERS, &row->producers, i);
    p->id = id;
    p->epoch = -1;
    p->coordinator_epoch = -1;
    p->first_offset = -1;
    return p;
}

static void set_epoch(struct kb_producer *p, int16_t epoch)
{
    if (p->epoch != epoch) {
        memset(p->batch, 0, sizeof p->batch);
        p->count = 0;
        p->epoch = epoch;
    }
}

static void note_data(struct kb_row *row, struct kb_producer *p, const struct kb_batch *batch)
{
    set_epoch(p, batch->producer_epoch);
    if (p->count == 5) {
        memmove(&p->batch[0], &p->batch[1], 4 * sizeof p->batch[0]);
        p->count = 4;
    }
    p->batch[p->count++] = (struct kb_producer_batch){.last_offset = kb_batch_end(batch) - 1,
                                                      .timestamp = batch->max_timestamp,
                                                      .last_sequence = last_sequence(batch),
                                                      .offset_delta = batch->last_offset_delta};
    p->timestamp = batch->max_timestamp;
    if (p->first_offset < 0 && (batch->flags & KB_TRANSACTIONAL) != 0) {
        p->first_offset = batch->base_offset;
        if (row->open_txn < 0 || batch->base_offset < row->open_txn) {
            row->open_txn = batch->base_offset;
        }
    }
}

static void find_oldest_open(struct kb_replicas *r, struct kb_row *row)
{
    row->open_txn = -1;
    for (uint32_t i = 0; i < row->producers.count; i++) {
        const struct kb_producer *p = kb_extent_at(r, KB_POOL_PRODUCERS, &row->producers, i);
        if (p->first_offset >= 0 && (row->open_txn < 0 || p->first_offset < row->open_txn)) {
            row->open_txn = p->first_offset;
        }
    }
}

/* Committed transactions whose end is committed hold nothing back any more. */
static void forget_committed(struct kb_replicas *r, struct kb_row *row)
{
    for (uint32_t i = row->transactions.count; i > 0; i--) {
        const struct kb_transaction *t =
            kb_extent_at(r, KB_POOL_TRANSACTIONS, &row->transactions, i - 1);
        if (t->aborted == 0 && t->last_offset < row->hw) {
            kb_extent_remove(r, KB_POOL_TRANSACTIONS, &row->transactions, i - 1);
        }
    }
}

/* Without room only while state is built anew, of a log whose high watermark went back: what is
   left out then is a committed transaction that was forgotten before. An append has reserved. */
static bool keeps(const struct kb_row *row, const struct kb_batch *batch)
{
    return ((batch->flags & KB_COMMIT) == 0 || batch->base_offset >= row->hw) &&
           kb_extent_has_room(&row->transactions);
}

static void note_end(struct kb_replicas *r, struct kb_row *row, struct kb_producer *p,
                     const struct kb_batch *batch)
{
    int64_t first = p->first_offset;

    set_epoch(p, batch->producer_epoch);
    p->first_offset = -1;
    p->coordinator_epoch = batch->coordinator_epoch;
    p->timestamp = batch->max_timestamp;
    if (first < 0) {
        return; /* a marker without a transaction is kept in the log, but ends nothing */
    }
    forget_committed(r, row);
    if (keeps(row, batch)) {
        struct kb_transaction *t = kb_extent_add(r, KB_POOL_TRANSACTIONS, &row->transactions);
        *t = (struct kb_transaction){.producer_id = p->id,
                                     .first_offset = first,
                                     .last_offset = batch->base_offset,
                                     .aborted = (batch->flags & KB_COMMIT) == 0};
    }
    find_oldest_open(r, row);
}

uint32_t kb_producers_forget(struct kb_replicas *r, struct kb_row *row, int64_t before_ms,
                             int64_t *oldest_ms)
{
    uint32_t kept = 0, known = row->producers.count;

    for (uint32_t i = 0; i < known; i++) {
        const struct kb_producer *p = kb_extent_at(r, KB_POOL_PRODUCERS, &row->producers, i);
        if (p->first_offset < 0 && p->timestamp <= before_ms) {
            continue;
        }
        *oldest_ms = p->timestamp < *oldest_ms ? p->timestamp : *oldest_ms;
        if (kept != i) {
            *(struct kb_producer *)kb_extent_at(r, KB_POOL_PRODUCERS, &row->producers, kept) = *p;
        }
        kept++;
    }
    kb_extent_drop_last(r, KB_POOL_PRODUCERS, &row->producers, known - kept);
    return known - kept;
}

void kb_producers_note(struct kb_replicas *r, struct kb_row *row, const struct kb_batch *batch)
{
    struct kb_producer *p;

    if (batch->producer_id < 0) {
        return;
    }
    p = producer_get(r, row, batch->producer_id);
    if ((batch->flags & KB_CONTROL) != 0) {
        note_end(r, row, p, batch);
    } else {
        note_data(row, p, batch);
    }
    kb_producers_note_due(r, p->timestamp);
}

/* Never needs more room than there was: what a shorter log says is part of what the longer said. */
void kb_producers_rebuild(struct kb_replicas *r, struct kb_row *row)
{
    const struct kb_batch *batches = kb_log_batches(r, row);

    if (row->producers.count == 0) {
        return;
    }
    kb_extent_drop_last(r, KB_POOL_PRODUCERS, &row->producers, row->producers.count);
    kb_extent_drop_last(r, KB_POOL_TRANSACTIONS, &row->transactions, row->transactions.count);
    row->open_txn = -1;
    for (uint32_t i = 0; i < row->batches.count; i++) {
        kb_producers_note(r, row, &batches[i]);
    }
}

void kb_producers_on_start(struct kb_replicas *r, struct kb_row *row)
{
    uint32_t n = 0;

    while (n < row->transactions.count) {
        const struct kb_transaction *t =
            kb_extent_at(r, KB_POOL_TRANSACTIONS, &row->transactions, n);
        if (t->last_offset >= row->log_start) {
            break;
        }
        n++;
    }
    kb_extent_drop_first(r, KB_POOL_TRANSACTIONS, &row->transactions, n);
}
