/*
 * Fetching: one request at a time to each broker, for all partitions that it leads and that are
 * read.
 *
 * What an answer says of a partition counts only where the partition still waits for just this
 * request (kl_partition.fetching): a pause, another assignment, an offset reset or another leader
 * in between takes that back. librdkafka 2.0 says no leader epoch in a fetch and does not ask where
 * an epoch ended (KIP-320 came with 2.1): a log that was truncated below the position is noticed as
 * an offset out of range, or not at all.
 *
 * Source: rdkafka_fetcher.c: rd_kafka_broker_fetch_toppars, rd_kafka_fetch_reply_handle_partition,
 * rd_kafka_fetch_reply_handle_partition_error, rd_kafka_broker_fetch_reply.
 */
#include "client/state.h"

#include <assert.h>
#include <string.h>

enum { VERSION = 11 };

static bool is_wanted(const struct kl_turn *t, const struct kl_partition *p, int32_t leader)
{
    return p->fetch_state == KL_FETCH_ACTIVE && p->assigned && !p->paused && p->leader == leader &&
           p->fetch_after_us <= t->now;
}

/* Topics that have a partition for this broker. */
static int32_t count_topics(const struct kl_turn *t, int32_t leader)
{
    int32_t count = 0;

    for (uint32_t i = 1; i <= t->c->topic_count; i++) {
        uint32_t p = kl_topic_at(t->c, i)->partitions;
        while (p != 0 && !is_wanted(t, kl_partition_at(t->c, p), leader)) {
            p = kl_partition_at(t->c, p)->next;
        }
        count += p != 0;
    }
    return count;
}

static void write_topic(struct kl_turn *t, struct wire_flat *f, struct wire_fetch_request_topic *to,
                        uint32_t topic, int32_t leader)
{
    int32_t count = 0, n = 0;

    for (uint32_t p = kl_topic_at(t->c, topic)->partitions; p != 0;
         p = kl_partition_at(t->c, p)->next) {
        count += is_wanted(t, kl_partition_at(t->c, p), leader);
    }
    to->topic = wire_flat_string(f, kl_topic_at(t->c, topic)->name);
    struct wire_fetch_request_partition *items =
        kl_items(f, &to->partitions, count, &wire_layout_fetch_request_partition);
    for (uint32_t p = kl_topic_at(t->c, topic)->partitions; p != 0;
         p = kl_partition_at(t->c, p)->next) {
        struct kl_partition *of = kl_partition_at(t->c, p);
        if (!is_wanted(t, of, leader)) {
            continue;
        }
        items[n].partition = of->number;
        items[n].current_leader_epoch = -1;
        items[n].fetch_offset = of->position;
        items[n].log_start_offset = -1;
        items[n++].partition_max_bytes = t->c->config.partition_fetch_bytes;
    }
}

static void mark(struct kl_turn *t, int32_t leader, uint64_t correlation)
{
    for (uint32_t i = 1; i <= t->c->partition_count; i++) {
        struct kl_partition *p = kl_partition_at(t->c, i);
        if (is_wanted(t, p, leader)) {
            p->fetching = correlation;
        }
    }
}

static void ask(struct kl_turn *t, uint32_t broker, int32_t topics)
{
    const struct kl_config *config = &t->c->config;
    struct kl_broker *b = kl_broker_at(t->c, broker);
    struct wire_flat f;
    struct wire_fetch_request *q = kl_begin(t, &f, WIRE_API_FETCH);
    int32_t n = 0;

    q->replica_id = -1;
    q->max_wait_ms = config->fetch_wait_max_ms;
    q->min_bytes = config->fetch_min_bytes;
    q->max_bytes = config->fetch_max_bytes;
    q->isolation_level = (int8_t)config->isolation;
    q->session_epoch = -1; /* rule no-fetch-sessions */
    struct wire_fetch_request_topic *items =
        kl_items(&f, &q->topics, topics, &wire_layout_fetch_request_topic);
    q->forgotten_topics_data = wire_flat_array(&f, 0, 8);
    q->rack_id = wire_flat_string(&f, "");
    for (uint32_t i = 1; i <= t->c->topic_count; i++) {
        uint32_t p = kl_topic_at(t->c, i)->partitions;
        while (p != 0 && !is_wanted(t, kl_partition_at(t->c, p), b->id)) {
            p = kl_partition_at(t->c, p)->next;
        }
        if (p != 0) {
            write_topic(t, &f, &items[n++], i, b->id);
        }
    }
    uint32_t row = kl_send(t, broker, &f, WIRE_API_FETCH, VERSION,
                           config->socket_timeout_ms + config->fetch_wait_max_ms);
    b->fetch = kl_request_at(t->c, row)->correlation;
    mark(t, b->id, b->fetch);
}

void kl_serve_fetch(struct kl_turn *t)
{
    if (t->c->config.kind != KL_CONSUMER || t->c->closed) {
        return;
    }
    for (uint32_t i = 1; i <= t->c->broker_count; i++) {
        const struct kl_broker *b = kl_broker_at(t->c, i);
        int32_t topics = b->fetch != 0 ? 0 : count_topics(t, b->id);
        if (topics == 0) {
            continue;
        }
        if (b->fetch_after_us > t->now) {
            kl_due(t, b->fetch_after_us);
        } else if (kl_broker_ready(t, i) && kl_may_send(t)) {
            ask(t, i, topics);
        }
    }
    for (uint32_t i = 1; i <= t->c->partition_count; i++) {
        const struct kl_partition *p = kl_partition_at(t->c, i);
        if (p->fetch_state == KL_FETCH_ACTIVE && p->fetch_after_us > t->now) {
            kl_due(t, p->fetch_after_us);
        }
    }
}

/* ---- the answer ---- */

/* Differs: librdkafka forgets the beginning that it knows with the first refusal, here only once it
   is refused itself.
   Rule fetch-errors: stale metadata is renewed, an offset out of range is reset, what the
   application has to know is told; all wait fetch.error.backoff.ms. */
static void on_error(struct kl_turn *t, uint32_t row, int32_t error)
{
    struct kl_partition *p = kl_partition_at(t->c, row);
    int64_t backoff_ms = t->c->config.fetch_error_backoff_ms;

    switch (error) {
    case WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION:
    case WIRE_ERROR_LEADER_NOT_AVAILABLE:
    case WIRE_ERROR_NOT_LEADER_OR_FOLLOWER:
    case WIRE_ERROR_BROKER_NOT_AVAILABLE:
    case WIRE_ERROR_REPLICA_NOT_AVAILABLE:
    case WIRE_ERROR_KAFKA_STORAGE_ERROR:
    case WIRE_ERROR_FENCED_LEADER_EPOCH:
        kl_leader_unavailable(t, row);
        break;
    case WIRE_ERROR_OFFSET_NOT_AVAILABLE:
        break;
    case WIRE_ERROR_OFFSET_OUT_OF_RANGE:
        kl_fact(t, KL_FACT_TRUNCATED, row,
                (struct kl_output){.error = error, .offset = p->position});
        if (p->position <= p->log_start) {
            p->log_start = -1; /* records were deleted meanwhile: ask */
        }
        kl_offset_reset(t, row, p->position, error);
        break;
    case WIRE_ERROR_TOPIC_AUTHORIZATION_FAILED:
        backoff_ms = backoff_ms * 10 < 1000 ? 1000 : backoff_ms * 10;
        if (p->last_error != error) {
            kl_error(t, error, false, row, "fetch failed");
        }
        p->last_error = error;
        break;
    default:
        kl_error(t, error, false, row, "fetch failed");
        break;
    }
    p->fetch_after_us = t->now + backoff_ms * KL_MS;
}

static void on_partition(struct kl_turn *t, const struct kl_request *q, uint32_t topic,
                         const struct wire_fetch_response *r,
                         const struct wire_fetch_response_partition_response *from)
{
    uint32_t row = kl_partition_find(t->c, topic, from->partition);

    if (row == 0 || kl_partition_at(t->c, row)->fetching != q->correlation) {
        return;
    }
    struct kl_partition *p = kl_partition_at(t->c, row);
    p->fetching = 0;
    if (p->fetch_state != KL_FETCH_ACTIVE || p->leader != q->broker) {
        return;
    }
    if (from->error_code != 0) {
        on_error(t, row, from->error_code);
        return;
    }
    p->log_start = from->log_start_offset;
    p->last_error = 0;
    kl_read_records(t, row, r, from);
}

void kl_on_fetch(struct kl_turn *t, struct kl_request *q, int32_t error,
                 const struct wire_fetch_response *r)
{
    struct kl_broker *b = kl_broker_at(t->c, kl_broker_find(t->c, q->broker));

    error = error != 0 ? error : r->error_code;
    if (error != 0) {
        if (error == WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION ||
            error == WIRE_ERROR_LEADER_NOT_AVAILABLE ||
            error == WIRE_ERROR_NOT_LEADER_OR_FOLLOWER ||
            error == WIRE_ERROR_BROKER_NOT_AVAILABLE || error == WIRE_ERROR_REPLICA_NOT_AVAILABLE) {
            kl_metadata_all(t);
        }
        b->fetch_after_us = t->now + t->c->config.fetch_error_backoff_ms * KL_MS;
        return;
    }
    const struct wire_fetch_response_response *topics =
        WIRE_ITEMS(r, r->responses, struct wire_fetch_response_response);
    for (int32_t i = 0; i < r->responses.count; i++) {
        const char *name = wire_text(r, topics[i].topic);
        uint32_t topic = name == NULL ? 0 : kl_topic_find(t->c, name);
        const struct wire_fetch_response_partition_response *items = WIRE_ITEMS(
            r, topics[i].partition_responses, struct wire_fetch_response_partition_response);
        for (int32_t k = 0; topic != 0 && k < topics[i].partition_responses.count; k++) {
            on_partition(t, q, topic, r, &items[k]);
        }
    }
}
