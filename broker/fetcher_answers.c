/*
 * What leaders answer: records, where an epoch ended, where their log begins and ends.
 *
 * An answer counts only for a row that still stands where it stood when the question was sent: the
 * same fetcher, the same leader epoch, the same offset. What a LeaderAndIsr has moved meanwhile is
 * not touched by an answer to an older question (KAFKA-7786).
 *
 * Where to truncate, given the leader's (epoch, end) for my latest epoch:
 *
 *     end undefined                       where I began to follow: my high watermark     done
 *     epoch undefined (an old leader)     min(end, my log end)                           done
 *     my own end of that epoch …
 *       is of an earlier epoch            min(my end, log end)       ask again (KIP-279)
 *       is of the same epoch              min(my end, end, log end)                      done
 *       I know nothing that old           min(end, log end)                              done
 *
 * Source: Kafka AbstractFetcherThread.processFetchRequest, maybeTruncateToEpochEndOffsets,
 * getOffsetTruncationState, fetchOffsetAndTruncate, onPartitionFenced;
 * ReplicaFetcherThread.processPartitionData; Partition.appendRecordsToFollowerOrFutureReplica.
 */
#include "broker/replica_state.h"

#include <assert.h>

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Returns the fetcher whose question this answers, nothing in flight any more; KB_NO_ROW. */
static uint32_t landed(struct kb_replicas *r, const struct kb_input *in, enum kb_flight *flight)
{
    for (uint32_t i = 0; i < r->limits.fetchers; i++) {
        struct kb_fetcher *f = kb_fetcher(r, i);
        if (f->used && f->flight != KB_FLIGHT_NONE && f->correlation == in->correlation) {
            *flight = f->flight;
            f->flight = KB_FLIGHT_NONE;
            return i;
        }
    }
    return KB_NO_ROW;
}

/* The row that an item of the answer is about, where it is still this fetcher's. */
static uint32_t row_of(const struct kb_replicas *r, uint32_t fetcher, const char *topic,
                       int32_t partition)
{
    uint32_t row = kb_row_find(r, topic, partition);
    return row != KB_NO_ROW && kb_row(r, row)->fetcher == fetcher + 1 ? row : KB_NO_ROW;
}

static void after_error(const struct kb_step *s, uint32_t row, int32_t error)
{
    if (error == WIRE_ERROR_FENCED_LEADER_EPOCH && kb_defect(s->r, SM_DEFECT_FENCED_BY_RECORD)) {
        kb_row(s->r, row)->fetch_offset = kb_row(s->r, row)->hw;
        kb_fetch_set(s->r, row, KB_TRUNCATING, KB_QUEUE_TRUNCATE);
    } else if (error == WIRE_ERROR_FENCED_LEADER_EPOCH) {
        kb_fetch_fail(s, row);
    } else {
        kb_fetch_delay(s, row);
    }
}

/* ---- records ---- */

static bool ascend(const struct kb_batch *batches, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (batches[i].last_offset_delta < 0 || batches[i].leader_epoch < 0 ||
            (i > 0 && batches[i].base_offset < kb_batch_end(&batches[i - 1]))) {
            return false;
        }
    }
    return true;
}

/* The first batch may begin below an empty log: the leader deleted records in the middle of it. */
static bool may_append(const struct kb_step *s, struct kb_row *row, const struct kb_batch *batches,
                       uint32_t count)
{
    if (count == 0 || batches[0].base_offset >= row->log_end) {
        return true;
    }
    if (row->log_end != row->log_start || kb_batch_end(&batches[0]) <= row->log_end ||
        batches[0].base_offset < 0) {
        return false;
    }
    kb_log_restart_at(s, row, batches[0].base_offset);
    return true;
}

static void append_all(const struct kb_step *s, struct kb_row *row, const struct kb_batch *batches,
                       uint32_t count)
{
    uint32_t before = row->batches.count;

    kb_append_reserve(s->r, row, kb_append_room(s->r, row, batches, count));
    kb_segments_roll(s, row, batches, count, count == 0 ? 0 : batches[0].base_offset);
    kb_segments_take(s, row, batches, count);
    for (uint32_t i = 0; i < count; i++) {
        kb_log_append(s, row, &batches[i]);
    }
    kb_log_appended(s, row, before);
}

/* The high watermark is the leader's, even where that is lower; the log's start only rises. */
static void take_records(const struct kb_step *s, uint32_t row,
                         const struct kb_fetch_result *result)
{
    struct kb_row *p = kb_row(s->r, row);
    int64_t start = p->log_start;

    if (!ascend(result->batches, result->batch_count)) {
        kb_fetch_delay(s, row);
        return;
    }
    if (p->fetch_offset != p->log_end ||
        kb_segments_too_small(s->r, p, result->batches, result->batch_count) ||
        !may_append(s, p, result->batches, result->batch_count)) {
        kb_fetch_fail(s, row);
        return;
    }
    append_all(s, p, result->batches, result->batch_count);
    kb_log_set_hw(s, p, result->hw);
    if (result->log_start > p->hw) {
        kb_fetch_fail(s, row);
        return;
    }
    kb_log_set_start(s, p, result->log_start, KB_START_ASKED);
    p->fetch_offset = p->log_end;
    if (result->batch_count > 0 || p->log_start != start) {
        kb_fetcher_queue(s->r, row, KB_QUEUE_CHANGED);
    }
}

static void take_fetched(const struct kb_step *s, uint32_t fetcher,
                         const struct kb_fetch_result *result)
{
    struct kb_replicas *r = s->r;
    uint32_t row = row_of(r, fetcher, result->topic, result->partition);
    struct kb_row *p = row == KB_NO_ROW ? NULL : kb_row(r, row);

    if (p == NULL || p->fetch_state != KB_FETCHING || p->queue != KB_QUEUE_NONE ||
        p->sent_offset != p->fetch_offset || p->sent_epoch != p->fetch_epoch) {
        return;
    }
    if (result->error == WIRE_ERROR_NONE) {
        take_records(s, row, result);
    } else if (result->error == WIRE_ERROR_OFFSET_OUT_OF_RANGE) {
        p->earliest = 0;
        kb_fetcher_queue(r, row, KB_QUEUE_OFFSETS);
    } else {
        after_error(s, row, result->error);
    }
}

static void continue_session(struct kb_fetcher *f, const struct kb_input *in)
{
    if (in->error != WIRE_ERROR_NONE) {
        f->session_id = in->error == WIRE_ERROR_FETCH_SESSION_ID_NOT_FOUND ? 0 : f->session_id;
        f->session_epoch = 0;
    } else if (f->session_id != in->session_id) {
        f->session_id = in->session_id;
        f->session_epoch = in->session_id == 0 ? 0 : 1;
    } else if (f->session_id != 0) {
        f->session_epoch = f->session_epoch == INT32_MAX ? 1 : f->session_epoch + 1;
    }
}

void kb_on_fetch_answer(const struct kb_step *s, const struct kb_input *in)
{
    const struct kb_fetch_result *results = in->items;
    enum kb_flight flight = KB_FLIGHT_NONE;
    uint32_t fetcher = landed(s->r, in, &flight);

    if (fetcher == KB_NO_ROW || flight != KB_FLIGHT_FETCH) {
        return;
    }
    continue_session(kb_fetcher(s->r, fetcher), in);
    for (uint32_t i = 0; in->error == WIRE_ERROR_NONE && i < in->count; i++) {
        take_fetched(s, fetcher, &results[i]);
    }
}

/* ---- where an epoch ended ---- */

struct cut {
    int64_t offset;
    bool done;
};

static struct cut plan_truncation(const struct kb_replicas *r, const struct kb_row *row,
                                  const struct kb_epochs_result *leader)
{
    int64_t theirs = smaller(leader->end_offset, row->log_end);
    struct kb_epoch_end own;

    if (leader->end_offset == -1) {
        return (struct cut){row->fetch_offset, true};
    }
    if (leader->leader_epoch == -1) {
        return (struct cut){theirs, true};
    }
    own = kb_epochs_end_of(r, row, leader->leader_epoch);
    if (own.offset == -1) {
        return (struct cut){theirs, true};
    }
    if (own.epoch != leader->leader_epoch) {
        return (struct cut){smaller(own.offset, row->log_end), false};
    }
    return (struct cut){smaller(own.offset, theirs), true};
}

static void take_epoch(const struct kb_step *s, uint32_t fetcher,
                       const struct kb_epochs_result *result)
{
    struct kb_replicas *r = s->r;
    uint32_t row = row_of(r, fetcher, result->topic, result->partition);
    struct kb_row *p = row == KB_NO_ROW ? NULL : kb_row(r, row);
    bool current = p != NULL && p->fetch_state == KB_TRUNCATING && p->queue == KB_QUEUE_ASKED &&
                   p->sent_epoch == p->fetch_epoch;
    struct cut cut;

    if (!current) {
        if (p != NULL && result->error == WIRE_ERROR_FENCED_LEADER_EPOCH &&
            kb_defect(r, SM_DEFECT_STALE_EPOCH_ANSWER)) {
            kb_fetch_fail(s, row);
        }
        return;
    }
    if (result->error != WIRE_ERROR_NONE) {
        after_error(s, row, result->error);
        return;
    }
    cut = plan_truncation(r, p, result);
    kb_log_truncate(s, p, cut.offset);
    p->fetch_offset = cut.offset;
    kb_fetch_set(r, row, cut.done ? KB_FETCHING : KB_TRUNCATING,
                 cut.done ? KB_QUEUE_CHANGED : KB_QUEUE_TRUNCATE);
}

/* Whatever the leader said nothing about is asked for again. */
static void requeue_asked(struct kb_replicas *r, uint32_t fetcher, enum kb_queue queue)
{
    struct kb_fetcher *f = kb_fetcher(r, fetcher);

    while (f->queue[KB_QUEUE_ASKED].first != 0) {
        kb_fetcher_queue(r, f->queue[KB_QUEUE_ASKED].first - 1, queue);
    }
}

void kb_on_epochs_answer(const struct kb_step *s, const struct kb_input *in)
{
    const struct kb_epochs_result *results = in->items;
    enum kb_flight flight = KB_FLIGHT_NONE;
    uint32_t fetcher = landed(s->r, in, &flight);

    if (fetcher == KB_NO_ROW || flight != KB_FLIGHT_EPOCHS) {
        return;
    }
    for (uint32_t i = 0; i < in->count; i++) {
        take_epoch(s, fetcher, &results[i]);
    }
    requeue_asked(s->r, fetcher, KB_QUEUE_TRUNCATE);
}

/* ---- out of range ---- */

/* The leader's log ends before mine: an unclean election; or it begins behind mine: I was away
   while records were deleted. Otherwise both overlap again, and fetching goes on. */
static void take_offset(const struct kb_step *s, uint32_t fetcher,
                        const struct kb_offsets_result *result)
{
    struct kb_replicas *r = s->r;
    uint32_t row = row_of(r, fetcher, result->topic, result->partition);
    struct kb_row *p = row == KB_NO_ROW ? NULL : kb_row(r, row);

    if (p == NULL || p->fetch_state != KB_FETCHING || p->queue != KB_QUEUE_ASKED ||
        p->sent_epoch != p->fetch_epoch) {
        return;
    }
    if (result->error != WIRE_ERROR_NONE || result->offset < 0) {
        after_error(s, row, result->error);
        return;
    }
    if (!p->earliest && result->offset >= p->log_end) {
        p->earliest = 1;
        kb_fetcher_queue(r, row, KB_QUEUE_OFFSETS);
        return;
    }
    if (!p->earliest) {
        kb_log_truncate(s, p, result->offset);
    } else if (result->offset > p->log_end) {
        kb_log_restart_at(s, p, result->offset);
    }
    p->earliest = 0;
    p->fetch_offset = p->log_end;
    kb_fetcher_queue(r, row, KB_QUEUE_CHANGED);
}

void kb_on_offsets_answer(const struct kb_step *s, const struct kb_input *in)
{
    const struct kb_offsets_result *results = in->items;
    enum kb_flight flight = KB_FLIGHT_NONE;
    uint32_t fetcher = landed(s->r, in, &flight);

    if (fetcher == KB_NO_ROW || flight != KB_FLIGHT_OFFSETS) {
        return;
    }
    for (uint32_t i = 0; i < in->count; i++) {
        take_offset(s, fetcher, &results[i]);
    }
    requeue_asked(s->r, fetcher, KB_QUEUE_CHANGED);
}

/* ---- no answer ---- */

/* All rows of the fetcher wait, and the session is not trusted any more. */
void kb_on_send_failed(const struct kb_step *s, const struct kb_input *in)
{
    enum kb_flight flight = KB_FLIGHT_NONE;
    uint32_t fetcher = landed(s->r, in, &flight);

    if (fetcher == KB_NO_ROW) {
        return;
    }
    if (flight == KB_FLIGHT_FETCH) {
        kb_fetcher(s->r, fetcher)->session_epoch = 0;
    }
    requeue_asked(s->r, fetcher, flight == KB_FLIGHT_EPOCHS ? KB_QUEUE_TRUNCATE : KB_QUEUE_CHANGED);
    kb_fetcher(s->r, fetcher)->fetch_next = 0;
    kb_fetcher(s->r, fetcher)->delay_us = s->now_us + s->r->config.fetch_backoff_us;
}
