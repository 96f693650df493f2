/*
 * Batches: a request carries one batch of one partition, as librdkafka's do.
 *
 *     queue ──► batch ──► request ──► answer: delivered
 *       ▲ in its place                     └► error: again (after retry.backoff.ms), or delivered
 * so
 *
 * A batch goes when it is full or its first record has waited for linger.ms; while something is
 * flushed, at once. A batch that is sent again by an idempotent producer has exactly the records
 * that it had (last_msgid of its first record), for its sequence numbers have been used.
 *
 * Source: rdkafka_broker.c: rd_kafka_toppar_producer_serve; rdkafka_msg.c:
 * rd_kafka_msgq_allow_wakeup_at; rdkafka_msgset_writer.c: rd_kafka_msgset_writer_write_msgq;
 * rdkafka_request.c: rd_kafka_ProduceRequest, rd_kafka_handle_Produce_error,
 * rd_kafka_msgbatch_handle_Produce_result; rdkafka_partition.c: rd_kafka_retry_msgq.
 */
#include "client/state.h"

#include <assert.h>
#include <string.h>

enum { VERSION = 7, LEAST_TIMEOUT_MS = 100 };

/* ---- when ---- */

/* Rule linger: when the head of the queue may go. */
static int64_t ready_at(struct kl_turn *t, const struct kl_partition *p)
{
    const struct kl_config *config = &t->c->config;
    const struct kl_record *first = kl_record_at(t->c, p->queue.first);

    if (first->backoff_us > t->now) {
        return first->backoff_us;
    }
    if (p->queue.count >= (uint32_t)config->batch_num_messages ||
        p->queue.bytes >= (uint64_t)config->batch_size || t->c->flushing > 0) {
        return t->now;
    }
    return first->enqueued_us + config->linger_ms * KL_MS;
}

/* ---- a batch ---- */

static struct kl_queue take_batch(struct kl_turn *t, struct kl_partition *p)
{
    const struct kl_config *config = &t->c->config;
    struct kl_queue batch = {0};
    uint64_t last = kl_record_at(t->c, p->queue.first)->last_msgid;

    while (p->queue.count > 0) {
        const struct kl_record *r = kl_record_at(t->c, p->queue.first);
        if ((last != 0 && r->msgid > last) || r->backoff_us > t->now) {
            break;
        }
        if (batch.count > 0 && last == 0 &&
            (batch.count == (uint32_t)config->batch_num_messages ||
             batch.bytes + kl_record_bytes(r) > (uint64_t)config->batch_size ||
             r->last_msgid != 0)) {
            break;
        }
        kl_queue_push(t->c, &batch, kl_queue_pop(t->c, &p->queue));
    }
    return batch;
}

/* Rule compression: what does not get smaller is sent as it is. The lower half of scratch is free.
 */
static size_t pack(struct kl_turn *t, uint8_t *batch, size_t size)
{
    enum wire_codec codec = t->c->config.compression_type;
    size_t used = size, half = t->out->scratch_size / 2;

    if (codec == WIRE_CODEC_NONE ||
        wire_record_batch_compress(codec, batch, size, t->out->scratch, half, &used) != SM_ERR_OK ||
        used > size) {
        return size;
    }
    memcpy(batch, t->out->scratch, used);
    return used;
}

static size_t write_batch(struct kl_turn *t, const struct kl_partition *p,
                          const struct kl_queue *batch, uint8_t *out, size_t capacity)
{
    const struct kl_record *first = kl_record_at(t->c, batch->first);
    bool own = kl_is_idempotent(t->c);
    const struct wire_record_batch head = {
        .leader_epoch = -1,
        .base_timestamp = first->timestamp_ms,
        .transactional = t->c->is_transactional,
        .producer_id = own ? p->producer_id : -1,
        .producer_epoch = own ? (int16_t)p->producer_epoch : KL_NO_EPOCH,
        .base_sequence = own ? kl_seq_wrap((int64_t)(first->msgid - p->epoch_base_msgid)) : -1};
    struct wire_record_batch_writer w;
    int64_t offset = 0;

    wire_record_batch_begin(&w, out, capacity, &head);
    for (uint32_t i = batch->first; i != 0; i = kl_record_at(t->c, i)->next, offset++) {
        const struct kl_record *r = kl_record_at(t->c, i);
        const uint8_t *bytes = r->blob == 0 ? (const uint8_t *)"" : kl_blob(t->c, r->blob);
        size_t key = r->key_size > 0 ? (size_t)r->key_size : 0;
        size_t value = r->value_size > 0 ? (size_t)r->value_size : 0;
        struct wire_log_header *headers = t->out->scratch;
        kl_headers_read(r, bytes + key + value, headers);
        wire_record_batch_add(
            &w,
            &(struct wire_log_record){.offset = offset,
                                      .timestamp = r->timestamp_ms,
                                      .key = r->key_size < 0 ? NULL : bytes,
                                      .key_size = r->key_size,
                                      .value = r->value_size < 0 ? NULL : bytes + key,
                                      .value_size = r->value_size,
                                      .header_count = (int32_t)r->header_count},
            headers);
    }
    return pack(t, out, wire_record_batch_end(&w));
}

static int64_t timeout_of(struct kl_turn *t, const struct kl_queue *batch)
{
    const struct kl_record *first = kl_record_at(t->c, batch->first);
    int64_t left = first->expires_us == KL_NEVER ? INT32_MAX : (first->expires_us - t->now) / KL_MS;

    left = left <= 0 ? LEAST_TIMEOUT_MS : left;
    return left < t->c->config.socket_timeout_ms ? left : t->c->config.socket_timeout_ms;
}

static void write_request(struct kl_turn *t, struct wire_flat *f, const struct kl_partition *p,
                          const struct kl_queue *batch)
{
    const struct kl_client *c = t->c;
    size_t half = t->out->scratch_size / 2 & ~(size_t)7;
    uint8_t *bytes = (uint8_t *)t->out->scratch + half;
    size_t size = write_batch(t, p, batch, bytes, t->out->scratch_size - half);
    struct wire_produce_request *q = kl_begin(t, f, WIRE_API_PRODUCE);

    assert(size > 0);
    if (c->is_transactional) {
        q->transactional_id = wire_flat_string(f, c->transactional_id);
    }
    q->acks = (int16_t)c->config.acks;
    q->timeout_ms = c->config.request_timeout_ms;
    struct wire_produce_request_topic_data *topic =
        kl_items(f, &q->topic_data, 1, &wire_layout_produce_request_topic_data);
    topic->name = wire_flat_string(f, kl_partition_topic(c, p));
    struct wire_produce_request_partition_data *data =
        kl_items(f, &topic->partition_data, 1, &wire_layout_produce_request_partition_data);
    data->index = p->number;
    data->records = wire_flat_bytes(f, bytes, size);
}

static void deliver_all(struct kl_turn *t, uint32_t partition, struct kl_queue *batch,
                        int32_t error, int64_t offset, uint32_t persisted)
{
    for (int64_t i = 0; batch->count > 0; i++) {
        kl_delivered(t, partition, kl_queue_pop(t->c, batch), error, offset < 0 ? -1 : offset + i,
                     persisted);
    }
}

static void send_batch(struct kl_turn *t, uint32_t partition, uint32_t broker)
{
    struct kl_partition *p = kl_partition_at(t->c, partition);
    struct kl_queue batch = take_batch(t, p);
    struct wire_flat f;

    write_request(t, &f, p, &batch);
    if (t->c->config.acks == 0) { /* rule acks-0: what was sent is delivered */
        kl_send_only(t, broker, &f, WIRE_API_PRODUCE, VERSION);
        deliver_all(t, partition, &batch, 0, -1, KL_POSSIBLY_PERSISTED);
        return;
    }
    uint32_t row = kl_send(t, broker, &f, WIRE_API_PRODUCE, VERSION, timeout_of(t, &batch));
    struct kl_request *q = kl_request_at(t->c, row);
    q->partition = partition;
    q->batch = batch;
    q->first_msgid = kl_record_at(t->c, batch.first)->msgid;
    q->producer_id = p->producer_id;
    q->producer_epoch = p->producer_epoch;
    q->first_seq = kl_seq_wrap((int64_t)(q->first_msgid - p->epoch_base_msgid));
    t->c->pid.partitions_in_flight += kl_is_idempotent(t->c) && p->in_flight_records == 0;
    p->in_flight_records += batch.count;
    p->in_flight_requests++;
}

static void serve_partition(struct kl_turn *t, uint32_t row)
{
    const struct kl_partition *p = kl_partition_at(t->c, row);
    uint32_t broker = p->leader < 0 ? 0 : kl_broker_find(t->c, p->leader);

    while (broker != 0 && p->queue.count > 0 && p->number >= 0 && kl_transaction_may_send(t, row) &&
           kl_idempotent_may_send(t, row)) {
        int64_t at = ready_at(t, p);
        if (at > t->now) {
            kl_due(t, at);
            return;
        }
        if (!kl_broker_ready(t, broker) || !kl_may_send(t)) {
            return;
        }
        send_batch(t, row, broker);
    }
}

void kl_serve_produce(struct kl_turn *t)
{
    if (t->c->records_used == 0 || kl_is_fatal(t->c)) {
        return;
    }
    for (uint32_t i = 1; i <= t->c->partition_count; i++) {
        serve_partition(t, i);
    }
}

/* ---- the answer ---- */

/* Puts back what may be sent again; the rest stays in the batch. */
static void put_back(struct kl_turn *t, struct kl_request *q, const struct kl_failure *f)
{
    struct kl_partition *p = kl_partition_at(t->c, q->partition);
    struct kl_queue again = {0}, rest = {0};

    while (q->batch.count > 0) {
        uint32_t row = kl_queue_pop(t->c, &q->batch);
        struct kl_record *r = kl_record_at(t->c, row);
        if ((int64_t)r->retries + f->incr_retry > t->c->config.retries) {
            kl_queue_push(t->c, &rest, row);
            continue;
        }
        r->backoff_us = t->now + t->c->config.retry_backoff_ms * KL_MS;
        r->retries += f->incr_retry;
        if (f->status != KL_NOT_PERSISTED || r->status == KL_NOT_PERSISTED) {
            r->status = f->status; /* never back to "not persisted" */
        }
        kl_queue_push(t->c, &again, row);
    }
    q->batch = rest;
    if (again.count > 0) {
        kl_fact(t, KL_FACT_RETRY, q->partition, (struct kl_output){.error = f->error});
        kl_queue_insert(t->c, &p->queue, &again);
    }
}

/* Rule produce-retry: whether the records go again, and whether that counts. */
static void plan_retry(struct kl_turn *t, struct kl_request *q, struct kl_failure *f)
{
    if (f->actions & KL_ACT_REFRESH) {
        kl_leader_unavailable(t, q->partition);
        if (f->error != KL_ERR_TRANSPORT && f->error != WIRE_ERROR_KAFKA_STORAGE_ERROR) {
            f->incr_retry = 0; /* it was not taken, so it cannot be there twice */
        }
    }
    if (f->incr_retry == 0) {
        f->status = KL_NOT_PERSISTED;
    }
    if (kl_is_idempotent(t->c)) {
        f->update_next_ack = f->status == KL_POSSIBLY_PERSISTED;
        f->update_next_err = 1;
        kl_partition_at(t->c, q->partition)->wait_drain = 1;
    }
}

static void fail_batch(struct kl_turn *t, struct kl_request *q, int32_t error, int32_t next_seq)
{
    struct kl_partition *p = kl_partition_at(t->c, q->partition);
    struct kl_failure f = {.error = error,
                           .actions = kl_produce_action(error),
                           .status = KL_NOT_PERSISTED,
                           .incr_retry = 1,
                           .update_next_ack = 1,
                           .update_next_err = 1};

    if (kl_is_idempotent(t->c)) {
        kl_idempotent_error(t, q, &f);
    }
    f.status = f.actions & KL_ACT_POSSIBLY        ? KL_POSSIBLY_PERSISTED
               : f.actions & KL_ACT_NOT_PERSISTED ? KL_NOT_PERSISTED
                                                  : f.status;
    bool done = false;
    if (f.actions & (KL_ACT_REFRESH | KL_ACT_RETRY)) {
        plan_retry(t, q, &f);
        put_back(t, q, &f);
        done = q->batch.count == 0;
    }
    if (!done && f.actions & KL_ACT_PERMANENT && kl_is_idempotent(t->c)) {
        kl_idempotent_permanent(t, q, &f);
    }
    if (f.error == KL_ERR_TIMED_OUT || f.error == KL_ERR_TIMED_OUT_QUEUE) {
        f.error = KL_ERR_MSG_TIMED_OUT;
    }
    p->next_ack_seq = f.update_next_ack ? next_seq : p->next_ack_seq;
    p->next_err_seq = f.update_next_err ? next_seq : p->next_err_seq;
    deliver_all(t, q->partition, &q->batch, f.error, -1, f.status);
}

static void on_result(struct kl_turn *t, struct kl_request *q, int32_t error, int64_t offset)
{
    struct kl_partition *p = kl_partition_at(t->c, q->partition);
    uint32_t count = q->batch.count;
    int32_t next_seq = kl_seq_wrap((int64_t)q->first_seq + count);

    if (count == 0) {
        return; /* purged */
    }
    p->in_flight_records -= count;
    p->in_flight_requests--;
    if (error == 0) {
        if (kl_is_idempotent(t->c)) {
            kl_idempotent_success(t, q, next_seq);
        }
        deliver_all(t, q->partition, &q->batch, 0, offset, KL_PERSISTED);
    } else {
        fail_batch(t, q, error, next_seq);
    }
    if (kl_is_idempotent(t->c) && p->in_flight_records == 0) {
        t->c->pid.partitions_in_flight--;
        kl_drain_check(t);
    }
}

void kl_on_produce(struct kl_turn *t, struct kl_request *q, int32_t error,
                   const struct wire_produce_response *r)
{
    int64_t offset = -1;

    if (error == 0) {
        const struct wire_produce_response_response *topic =
            WIRE_ITEMS(r, r->responses, struct wire_produce_response_response);
        const struct wire_produce_response_partition_response *of = WIRE_ITEMS(
            r, topic->partition_responses, struct wire_produce_response_partition_response);
        if (r->responses.count < 1 || topic->partition_responses.count < 1) {
            error = WIRE_ERROR_UNKNOWN_SERVER_ERROR;
        } else {
            error = of->error_code;
            offset = of->base_offset;
        }
    }
    on_result(t, q, error, offset);
}
