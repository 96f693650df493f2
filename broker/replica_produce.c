/*
 * Produce: what is appended, and when it is acknowledged.
 *
 *     acks   0   appended, nothing answered (an error closes the connection)
 *            1   answered once the leader has it
 *           -1   answered once the high watermark is behind it, or the time is up
 *
 * With acks = -1 two ISRs are judged: before, the committed one must be large enough
 * (NOT_ENOUGH_REPLICAS, nothing is appended); after, the maximal one
 * (NOT_ENOUGH_REPLICAS_AFTER_APPEND, it is there all the same). What is appended is never taken
 * back for an error: an answer that says "failed" then means "not known to be safe".
 *
 * Source: Kafka ReplicaManager.appendRecords, appendToLocalLog; Partition.appendRecordsToLeader,
 * checkEnoughReplicasReachOffset; Log.append, analyzeAndValidateProducerState.
 */
#include "broker/replica_state.h"

#include <assert.h>
#include <string.h>

/* What became of one item. */
struct appended {
    int64_t base_offset, end, log_start;
    int32_t error;
    uint32_t row;
};

static int32_t check_batches(const struct kb_replicas *r, const struct kb_produce *produce,
                             const struct kb_produce_item *item)
{
    if (produce->origin == KB_FROM_CLIENT && item->batch_count != 1) {
        return WIRE_ERROR_INVALID_RECORD;
    }
    for (uint32_t i = 0; i < item->batch_count; i++) {
        if (item->batches[i].size > (uint32_t)r->config.message_max_bytes) {
            return WIRE_ERROR_MESSAGE_TOO_LARGE;
        }
        if (item->batches[i].last_offset_delta < 0) {
            return WIRE_ERROR_INVALID_RECORD;
        }
    }
    return WIRE_ERROR_NONE;
}

/* Whether a producer's clock may say this. Differs: of a batch's records only the first and the
   newest are looked at. Source: LogValidator.validateTimestamp. */
static bool is_out_of_time(const struct kb_step *s, const struct kb_row *row,
                           const struct kb_batch *batch)
{
    struct kb_log_config room;
    const struct kb_log_config *config = kb_log_config_of(s->r, row, &room);
    const int64_t times[] = {batch->first_timestamp, batch->max_timestamp};
    const int64_t most = config->timestamp_difference_ms;

    for (int i = 0; i < 2 && !config->log_append_time && most != INT64_MAX; i++) {
        int64_t apart;
        bool far = __builtin_sub_overflow(times[i], s->wall_ms, &apart);
        if (times[i] != -1 && (far || apart > most || apart < -most)) {
            return true;
        }
    }
    return false;
}

/* What the log has against them: the last that is asked before their producers are. */
static int32_t check_for_log(const struct kb_step *s, const struct kb_produce_item *item,
                             const struct kb_row *row)
{
    for (uint32_t i = 0; i < item->batch_count; i++) {
        if (is_out_of_time(s, row, &item->batches[i])) {
            return WIRE_ERROR_INVALID_TIMESTAMP;
        }
    }
    return kb_segments_too_small(s->r, row, item->batches, item->batch_count)
               ? WIRE_ERROR_RECORD_LIST_TOO_LARGE
               : WIRE_ERROR_NONE;
}

static int32_t check_partition(const struct kb_replicas *r, const struct kb_produce *produce,
                               const struct kb_produce_item *item, uint32_t row)
{
    int32_t error = kb_row_error(r, row, item->unknown, -1, true);

    if (error == WIRE_ERROR_NONE) {
        error = check_batches(r, produce, item);
    }
    if (error == WIRE_ERROR_NONE && produce->acks == -1 &&
        kb_row(r, row)->isr_count < kb_min_insync(r, kb_row(r, row))) {
        error = WIRE_ERROR_NOT_ENOUGH_REPLICAS;
    }
    return error;
}

/* Checks all batches before the first is appended. A duplicate is answered as it was then. */
static int32_t check_producers(const struct kb_replicas *r, const struct kb_produce *produce,
                               const struct kb_produce_item *item, uint32_t row, int64_t *duplicate)
{
    int32_t error = WIRE_ERROR_NONE;

    *duplicate = -1;
    for (uint32_t i = 0; i < item->batch_count && error == WIRE_ERROR_NONE && *duplicate < 0; i++) {
        error =
            kb_producers_check(r, kb_row(r, row), &item->batches[i], produce->origin, duplicate);
    }
    return error;
}

static void append_batches(const struct kb_step *s, struct kb_row *row,
                           const struct kb_produce_item *item)
{
    struct kb_append_room room = kb_append_room(s->r, row, item->batches, item->batch_count);
    uint32_t before = row->batches.count;

    room.epochs = 1;
    kb_append_reserve(s->r, row, room);
    kb_segments_take(s, row, item->batches, item->batch_count);
    kb_remotes_settle(s, row);
    for (uint32_t i = 0; i < item->batch_count; i++) {
        struct kb_batch batch = item->batches[i];
        batch.base_offset = row->log_end;
        batch.leader_epoch = row->leader_epoch;
        kb_log_append(s, row, &batch);
    }
    kb_log_appended(s, row, before);
    kb_sessions_mark_row(s->r, row);
    kb_note_lagging(s, row);
}

static struct appended append_item(const struct kb_step *s, const struct kb_produce *produce,
                                   const struct kb_produce_item *item)
{
    struct kb_replicas *r = s->r;
    struct appended a = {.base_offset = -1, .log_start = -1};
    int64_t duplicate;
    struct kb_row *row;

    a.row = kb_row_find(r, item->topic, item->partition);
    a.error = check_partition(r, produce, item, a.row);
    if (a.error == WIRE_ERROR_NONE) {
        a.error = check_for_log(s, item, kb_row(r, a.row));
    }
    if (a.error == WIRE_ERROR_NONE) { /* as Kafka does, also where the producer is refused then */
        row = kb_row(r, a.row);
        kb_segments_roll(s, row, item->batches, item->batch_count, row->log_end);
        a.error = check_producers(r, produce, item, a.row, &duplicate);
    }
    if (a.error != WIRE_ERROR_NONE) {
        return a;
    }
    row = kb_row(r, a.row);
    a.log_start = row->log_start;
    if (duplicate >= 0) {
        a.base_offset = duplicate;
        a.end = duplicate + item->batches[0].last_offset_delta + 1;
        return a;
    }
    a.base_offset = row->log_end;
    append_batches(s, row, item);
    a.end = row->log_end;
    return a;
}

/* ---- answers ---- */

static void put_answer(const struct kb_step *s, uint64_t call_id,
                       const struct kb_produce_result *results, uint32_t count)
{
    struct kb_output o = {.kind = KB_OUT_PRODUCE_ANSWER,
                          .broker_id = -1,
                          .call_id = call_id,
                          .items = results,
                          .count = count};
    kb_put(s, &o);
}

static void answer_now(const struct kb_step *s, const struct kb_input *in,
                       const struct kb_produce *produce, const struct appended *appended)
{
    struct kb_produce_result *results = kb_scratch(s->r, produce->count * sizeof *results);
    struct kb_output close = {.kind = KB_OUT_CLOSE, .broker_id = -1, .call_id = in->call_id};
    bool any_error = false;

    for (uint32_t i = 0; i < produce->count; i++) {
        results[i] = (struct kb_produce_result){.topic = produce->items[i].topic,
                                                .partition = produce->items[i].partition,
                                                .error = appended[i].error,
                                                .base_offset = appended[i].base_offset,
                                                .log_start = appended[i].log_start};
        any_error = any_error || appended[i].error != WIRE_ERROR_NONE;
    }
    if (produce->acks != 0) {
        put_answer(s, in->call_id, results, produce->count);
    } else if (any_error) {
        kb_put(s, &close);
    }
}

void kb_produce_finish(const struct kb_step *s, uint32_t operation)
{
    struct kb_replicas *r = s->r;
    const struct kb_operation *op = kb_operation(r, operation);
    uint32_t mark = r->scratch_used;
    struct kb_produce_result *results = kb_scratch(r, op->items.count * sizeof *results);

    for (uint32_t i = 0; i < op->items.count; i++) {
        const struct kb_wait *wait = kb_wait_at(r, op, i);
        results[i] = (struct kb_produce_result){
            .topic = kb_topic_name(kb_topic(r, wait->topic - 1)),
            .partition = wait->partition,
            .error = wait->pending != 0 ? WIRE_ERROR_REQUEST_TIMED_OUT : wait->error,
            .base_offset = wait->base_offset,
            .log_start = wait->log_start};
    }
    put_answer(s, op->call_id, results, op->items.count);
    memset(results, 0, op->items.count * sizeof *results);
    r->scratch_used = mark;
    kb_operation_free(r, operation);
}

bool kb_produce_settled(const struct kb_replicas *r, struct kb_wait *wait)
{
    const struct kb_row *row = kb_row(r, wait->row - 1);
    struct sm_list maximal;

    if (!kb_leads(r, row)) {
        wait->error = row->hosted == KB_OFFLINE ? WIRE_ERROR_KAFKA_STORAGE_ERROR
                                                : WIRE_ERROR_NOT_LEADER_OR_FOLLOWER;
        return true;
    }
    if (row->hw < wait->offset) {
        return false;
    }
    kb_maximal_isr(row, &maximal);
    wait->error = maximal.count < kb_min_insync(r, row)
                      ? WIRE_ERROR_NOT_ENOUGH_REPLICAS_AFTER_APPEND
                      : WIRE_ERROR_NONE;
    return true;
}

/* ---- waiting ---- */

static void tell_waiting(const struct kb_step *s, const struct kb_operation *op, uint32_t row,
                         int64_t needed)
{
    struct kb_output o = kb_output_of(s->r, KB_OUT_FACT, kb_row(s->r, row));

    if ((s->r->config.notes & KB_NOTE_FACT) != 0) {
        o.what = KB_FACT_WAITING;
        o.call_id = op->call_id;
        o.offset = needed;
        o.due_us = op->due_us;
        kb_put(s, &o);
    }
}

static void wait_for_replicas(const struct kb_step *s, const struct kb_input *in,
                              const struct kb_produce *produce, const struct appended *appended)
{
    struct kb_replicas *r = s->r;
    struct kb_operation of = {.call_id = in->call_id,
                              .due_us = s->now_us + produce->timeout_us,
                              .kind = KB_OP_PRODUCE,
                              .replica_id = KB_CONSUMER};
    uint32_t operation = kb_operation_new(r, &of, produce->count);
    struct kb_operation *op = kb_operation(r, operation);

    for (uint32_t i = 0; i < produce->count; i++) {
        struct kb_wait *wait = kb_wait_at(r, op, i);
        wait->topic = kb_topic_take(r, produce->items[i].topic) + 1;
        wait->partition = produce->items[i].partition;
        wait->base_offset = appended[i].base_offset;
        wait->log_start = appended[i].log_start;
        wait->offset = appended[i].end;
        wait->error = appended[i].error;
        if (wait->error != WIRE_ERROR_NONE) {
            continue;
        }
        wait->row = appended[i].row + 1;
        if (!kb_produce_settled(r, wait)) {
            wait->pending = 1;
            op->pending++;
            kb_wait_watch(r, operation, i, appended[i].row);
            tell_waiting(s, op, appended[i].row, wait->offset);
        }
        wait->row = wait->pending != 0 ? appended[i].row + 1 : 0;
    }
    if (op->pending == 0) {
        kb_produce_finish(s, operation);
    }
}

static bool any_appended(const struct appended *appended, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (appended[i].error == WIRE_ERROR_NONE) {
            return true;
        }
    }
    return false;
}

/* The answer to this request first, then those whom the new records wake: as in Kafka. */
static void wake_others(const struct kb_step *s, const struct appended *appended,
                        const bool *raised, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (appended[i].error != WIRE_ERROR_NONE) {
            continue;
        }
        if (raised[i]) {
            kb_wake_all(s, kb_row(s->r, appended[i].row));
        } else {
            kb_wake_fetches(s, kb_row(s->r, appended[i].row));
        }
    }
}

void kb_on_produce(const struct kb_step *s, const struct kb_input *in)
{
    struct kb_replicas *r = s->r;
    const struct kb_produce *produce = in->request;
    struct appended *appended = kb_scratch(r, produce->count * sizeof *appended);
    bool *raised = kb_scratch(r, produce->count * sizeof *raised);
    bool acks_known = produce->acks >= -1 && produce->acks <= 1;

    for (uint32_t i = 0; i < produce->count; i++) {
        if (!acks_known) {
            appended[i] = (struct appended){
                .error = WIRE_ERROR_INVALID_REQUIRED_ACKS, .base_offset = -1, .log_start = -1};
            continue;
        }
        appended[i] = append_item(s, produce, &produce->items[i]);
        raised[i] =
            appended[i].error == WIRE_ERROR_NONE && kb_raise_hw(s, kb_row(r, appended[i].row));
    }
    if (produce->acks == -1 && any_appended(appended, produce->count)) {
        wait_for_replicas(s, in, produce, appended);
    } else {
        answer_now(s, in, produce, appended);
    }
    wake_others(s, appended, raised, produce->count);
}

/* ---- DeleteRecords ---- */

/* Differs: answered with the leader's own log start; Kafka waits until the followers have
   followed. */
static struct kb_delete_records_result delete_item(const struct kb_step *s,
                                                   const struct kb_delete_records_item *item)
{
    struct kb_delete_records_result result = {
        .topic = item->topic, .partition = item->partition, .low_watermark = -1};
    uint32_t row = kb_row_find(s->r, item->topic, item->partition);
    int64_t offset = item->offset;

    result.error = kb_row_error(s->r, row, item->unknown, -1, true);
    if (result.error != WIRE_ERROR_NONE) {
        return result;
    }
    offset = offset == -1 ? kb_row(s->r, row)->hw : offset;
    if (offset < 0 || offset > kb_row(s->r, row)->hw) {
        result.error = WIRE_ERROR_OFFSET_OUT_OF_RANGE;
        return result;
    }
    kb_log_set_start(s, kb_row(s->r, row), offset, KB_START_ASKED);
    kb_sessions_mark_row(s->r, kb_row(s->r, row));
    result.low_watermark = kb_row(s->r, row)->log_start;
    return result;
}

void kb_on_delete_records(const struct kb_step *s, const struct kb_input *in)
{
    const struct kb_delete_records_item *items = in->items;
    struct kb_delete_records_result *results = kb_scratch(s->r, in->count * sizeof *results);
    struct kb_output o = {.kind = KB_OUT_DELETE_RECORDS_ANSWER,
                          .broker_id = -1,
                          .call_id = in->call_id,
                          .items = results,
                          .count = in->count};

    for (uint32_t i = 0; i < in->count; i++) {
        results[i] = delete_item(s, &items[i]);
    }
    kb_put(s, &o);
}
