/*
 * Records on their way to a partition.
 *
 *     SEND ──► partition -1 of the topic ──► partition's queue ──► batch of a request ──► DELIVERED
 *                    │  (no metadata yet)        ▲  by msgid          │
 *                    └── unknown, timed out      └────── retry ───────┘
 *
 * A record is in exactly one queue. Its number in the partition (msgid) is given when it enters the
 * partition's queue, never changes, and orders the queue: what is sent again goes back to its
 * place.
 *
 * Source: rdkafka_msg.c: rd_kafka_msg_partitioner, rd_kafka_msg_sticky_partition,
 * rd_kafka_msgq_age_scan; rdkafka_topic.c: rd_kafka_topic_assign_uas.
 */
#include "client/state.h"

#include <assert.h>
#include <string.h>
#include <zlib.h>

enum { STICKY_MS = 10 }; /* sticky.partitioning.linger.ms */

/* What it counts for against batch.size: an upper bound of its bytes in a batch. */
uint64_t kl_record_bytes(const struct kl_record *r)
{
    return (uint64_t)(r->key_size > 0 ? r->key_size : 0) +
           (uint64_t)(r->value_size > 0 ? r->value_size : 0) + r->headers_size + 36;
}

void kl_queue_push(struct kl_client *c, struct kl_queue *q, uint32_t record)
{
    struct kl_record *r = kl_record_at(c, record);

    r->next = 0;
    *(q->last == 0 ? &q->first : &kl_record_at(c, q->last)->next) = record;
    q->last = record;
    q->count++;
    q->bytes += kl_record_bytes(r);
}

uint32_t kl_queue_pop(struct kl_client *c, struct kl_queue *q)
{
    uint32_t record = q->first;
    struct kl_record *r = kl_record_at(c, record);

    q->first = r->next;
    r->next = 0;
    q->last = q->first == 0 ? 0 : q->last;
    q->count--;
    q->bytes -= kl_record_bytes(r);
    return record;
}

/* Both are ordered; so is the result. What is put back is nearly always older than all. */
void kl_queue_insert(struct kl_client *c, struct kl_queue *into, struct kl_queue *from)
{
    struct kl_queue merged = {0};

    if (into->count > 0 && from->count > 0 &&
        kl_record_at(c, from->last)->msgid < kl_record_at(c, into->first)->msgid) {
        kl_record_at(c, from->last)->next = into->first;
        from->last = into->last;
        from->count += into->count;
        from->bytes += into->bytes;
        *into = *from;
        *from = (struct kl_queue){0};
        return;
    }
    while (into->count > 0 || from->count > 0) {
        bool own = from->count == 0 || (into->count > 0 && kl_record_at(c, into->first)->msgid <
                                                               kl_record_at(c, from->first)->msgid);
        kl_queue_push(c, &merged, kl_queue_pop(c, own ? into : from));
    }
    *into = merged;
}

void kl_delivered(struct kl_turn *t, uint32_t partition, uint32_t record, int32_t error,
                  int64_t offset, uint32_t persisted)
{
    const struct kl_partition *p = kl_partition_at(t->c, partition);
    struct kl_record *r = kl_record_at(t->c, record);

    t->c->txn.failed += error != 0;
    kl_put(t, &(struct kl_output){.kind = KL_OUT_DELIVERED,
                                  .tag = r->tag,
                                  .command = KL_IN_SEND,
                                  .error = error,
                                  .topic = kl_partition_topic(t->c, p),
                                  .partition = p->number >= 0 ? p->number : r->partition,
                                  .offset = offset,
                                  .persisted = persisted});
    t->c->headers_used -= r->header_count;
    if (r->blob != 0) {
        kl_blob_free(t->c, r->blob);
    }
    kl_record_free(t->c, record);
}

/* ---- which partition ---- */

static int32_t sticky_partition(struct kl_turn *t, struct kl_topic *topic)
{
    if (topic->sticky_partition < 0 || topic->sticky_partition >= topic->partition_count ||
        t->now >= topic->sticky_until_us) {
        topic->sticky_partition = (int32_t)kl_below(t->c, (uint64_t)topic->partition_count);
        topic->sticky_until_us = t->now + STICKY_MS * KL_MS;
    }
    return topic->sticky_partition;
}

/* Rule partitioner: consistent_random. */
static int32_t choose(struct kl_turn *t, struct kl_topic *topic, const struct kl_record *r)
{
    if (r->partition >= 0) {
        return r->partition;
    }
    if (r->key_size <= 0) {
        return sticky_partition(t, topic);
    }
    uLong crc = crc32(0, kl_blob(t->c, r->blob), (uInt)r->key_size);
    return (int32_t)(crc % (uLong)topic->partition_count);
}

/* Gives the record to its partition; where there is none, returns why. */
static int32_t enqueue(struct kl_turn *t, uint32_t topic, uint32_t record)
{
    struct kl_topic *of = kl_topic_at(t->c, topic);
    int32_t number = -1;

    if (of->state == KL_TOPIC_ABSENT) {
        return KL_ERR_UNKNOWN_TOPIC;
    }
    if (of->state == KL_TOPIC_EXISTS && of->partition_count > 0) {
        number = choose(t, of, kl_record_at(t->c, record));
        if (number >= of->partition_count) {
            return KL_ERR_UNKNOWN_PARTITION;
        }
    }
    uint32_t row = kl_partition_add(t, topic, number);
    struct kl_partition *p = kl_partition_at(t->c, row);
    if (number >= 0) {
        kl_record_at(t->c, record)->msgid = p->next_msgid++;
        kl_transaction_touch(t, row);
    }
    kl_queue_push(t->c, &p->queue, record);
    return 0;
}

/* Rule unassigned: what waited for metadata goes to its partition, or fails. */
void kl_topic_assign_waiting(struct kl_turn *t, uint32_t topic)
{
    uint32_t row = kl_partition_find(t->c, topic, -1);

    if (row == 0 || kl_topic_at(t->c, topic)->state == KL_TOPIC_UNKNOWN ||
        (kl_topic_at(t->c, topic)->state == KL_TOPIC_EXISTS &&
         kl_topic_at(t->c, topic)->partition_count == 0)) {
        return;
    }
    while (kl_partition_at(t->c, row)->queue.count > 0) {
        uint32_t record = kl_queue_pop(t->c, &kl_partition_at(t->c, row)->queue);
        int32_t error = enqueue(t, topic, record);
        if (error != 0) {
            kl_delivered(t, row, record, error, -1, KL_NOT_PERSISTED);
        }
    }
}

/* ---- SEND ---- */

static uint32_t new_record(struct kl_turn *t)
{
    const struct kl_input *in = t->in;
    size_t key = in->key_size > 0 ? (size_t)in->key_size : 0;
    size_t value = in->value_size > 0 ? (size_t)in->value_size : 0;
    size_t headers = kl_headers_size(in);
    uint32_t row = kl_record_new(t->c), blob = 0;

    if (key + value + headers > 0) {
        blob = kl_blob_new(t->c, NULL, key + value + headers);
        uint8_t *to = kl_blob(t->c, blob);
        if (key > 0) {
            memcpy(to, in->key, key);
        }
        if (value > 0) {
            memcpy(to + key, in->value, value);
        }
        kl_headers_keep(in, to + key + value);
    }
    t->c->headers_used += in->header_count;
    *kl_record_at(t->c, row) =
        (struct kl_record){.tag = in->tag,
                           .serial = ++t->c->serial,
                           .enqueued_us = t->now,
                           .expires_us = t->c->config.message_timeout_ms == 0
                                             ? KL_NEVER
                                             : t->now + t->c->config.message_timeout_ms * KL_MS,
                           .timestamp_ms = in->timestamp_ms,
                           .blob = blob,
                           .key_size = in->key_size,
                           .value_size = in->value_size,
                           .header_count = in->header_count,
                           .headers_size = (uint32_t)headers,
                           .partition = in->partition};
    return row;
}

static void refuse(struct kl_turn *t, int32_t error)
{
    kl_put(t, &(struct kl_output){.kind = KL_OUT_DELIVERED,
                                  .tag = t->in->tag,
                                  .command = KL_IN_SEND,
                                  .error = error,
                                  .topic = t->in->topic,
                                  .partition = t->in->partition,
                                  .offset = -1});
}

void kl_on_send(struct kl_turn *t)
{
    int32_t error = t->c->config.kind != KL_PRODUCER || t->c->closed ? KL_ERR_STATE
                    : kl_is_fatal(t->c)                              ? KL_ERR_FATAL
                                                                     : kl_transaction_refuses(t->c);
    uint32_t topic = error != 0 ? 0 : kl_topic_add(t, t->in->topic);

    if (error != 0 || topic == 0) {
        refuse(t, error != 0 ? error : WIRE_ERROR_INVALID_TOPIC_EXCEPTION);
        return;
    }
    uint32_t record = new_record(t);
    error = enqueue(t, topic, record);
    if (error != 0) {
        uint32_t row = kl_partition_add(t, topic, -1);
        kl_delivered(t, row, record, error, -1, KL_NOT_PERSISTED);
    }
}

/* ---- time ---- */

/* Rule message-timeout: only what waits is given up; what is under way ends with its request. */
static uint32_t expire(struct kl_turn *t, uint32_t row)
{
    struct kl_queue *q = &kl_partition_at(t->c, row)->queue;
    uint32_t late = 0;

    for (uint32_t i = q->first; i != 0; i = kl_record_at(t->c, i)->next) {
        kl_due(t, kl_record_at(t->c, i)->expires_us);
        if (kl_record_at(t->c, i)->expires_us > t->now) {
            break; /* entered later, expires later */
        }
        late++;
    }
    for (uint32_t n = 0; n < late; n++) {
        uint32_t record = kl_queue_pop(t->c, q);
        kl_delivered(t, row, record, KL_ERR_MSG_TIMED_OUT, -1, kl_record_at(t->c, record)->status);
    }
    return late;
}

void kl_serve_expiry(struct kl_turn *t)
{
    if (t->c->records_used == 0) {
        return;
    }
    for (uint32_t i = 1; i <= t->c->partition_count; i++) {
        if (kl_partition_at(t->c, i)->queue.count > 0 && expire(t, i) > 0 &&
            kl_is_idempotent(t->c) && kl_partition_at(t->c, i)->number >= 0) {
            kl_drain_bump(t, true, KL_ERR_TIMED_OUT);
        }
    }
}

static bool is_delivered(const struct kl_client *c, uint64_t serial)
{
    for (uint32_t i = 1; i <= c->records_fresh; i++) {
        uint64_t s = kl_record_at(c, i)->serial;
        if (s != 0 && s <= serial) {
            return false;
        }
    }
    return true;
}

void kl_serve_flush(struct kl_turn *t)
{
    for (uint32_t i = 1; t->c->flushing > 0 && i <= t->c->commands_fresh; i++) {
        const struct kl_command *m = kl_command_at(t->c, i);
        if (m->kind == KL_IN_FLUSH && (t->c->records_used == 0 || is_delivered(t->c, m->serial))) {
            kl_done(t, i, 0);
        }
    }
}

/* Gives up what waits; in_flight: what is under way too (rd_kafka_purge). */
void kl_purge(struct kl_turn *t, bool in_flight)
{
    for (uint32_t i = 1; i <= t->c->partition_count; i++) {
        struct kl_partition *p = kl_partition_at(t->c, i);
        struct kl_queue *q = &p->queue;
        if (t->c->is_transactional && p->number >= 0) {
            p->epoch_base_msgid +=
                q->count; /* rule purge-base: they will have no sequence number */
        }
        while (q->count > 0) {
            uint32_t record = kl_queue_pop(t->c, q);
            t->c->txn.bump |= kl_record_at(t->c, record)->status != KL_NOT_PERSISTED;
            kl_delivered(t, i, record, KL_ERR_PURGED_QUEUE, -1, kl_record_at(t->c, record)->status);
        }
    }
    for (uint32_t b = 1; in_flight && b <= t->c->broker_count; b++) {
        for (uint32_t i = kl_broker_at(t->c, b)->first; i != 0; i = kl_request_at(t->c, i)->next) {
            struct kl_request *r = kl_request_at(t->c, i);
            if (r->batch.count == 0) {
                continue;
            }
            struct kl_partition *p = kl_partition_at(t->c, r->partition);
            p->in_flight_records -= r->batch.count;
            p->in_flight_requests--;
            while (r->batch.count > 0) {
                kl_delivered(t, r->partition, kl_queue_pop(t->c, &r->batch), KL_ERR_PURGED_INFLIGHT,
                             -1, KL_POSSIBLY_PERSISTED);
            }
            if (p->in_flight_records == 0 && kl_is_idempotent(t->c)) {
                t->c->pid.partitions_in_flight--;
            }
        }
    }
}
