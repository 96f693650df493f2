/*
 * Where a partition begins: which partitions are fetched, and from which offset.
 *
 *     ASSIGN ──► stored ──► (the group's offset) ──┐
 *        │          └ none ──► reset ──┐           ▼
 *        ├──► beginning, end ──► query ──► wait ──► active ──► out of range ──► reset
 *        └──► an offset ──────────────────────────► active
 *
 * ListOffsets is asked of the leader, one partition a request, again after 500 ms where that fails.
 *
 * Source: rdkafka_partition.c: rd_kafka_toppar_fetch_start, rd_kafka_toppar_offset_request,
 * rd_kafka_toppar_handle_Offset, rd_kafka_toppar_next_offset_handle; rdkafka_offset.c:
 * rd_kafka_offset_reset.
 */
#include "client/state.h"

#include <assert.h>

enum { VERSION = 2, AGAIN_MS = 500, RESET_MS = 100 };

static int64_t reset_to(const struct kl_client *c)
{
    switch ((enum kl_reset)c->config.auto_offset_reset) {
    case KL_RESET_EARLIEST:
        return KL_OFFSET_BEGINNING;
    case KL_RESET_LATEST:
        return KL_OFFSET_END;
    case KL_RESET_NONE:
        return KL_OFFSET_NONE;
    }
    return KL_OFFSET_NONE;
}

static void put_position(struct kl_turn *t, uint32_t partition)
{
    kl_fact(t, KL_FACT_POSITION, partition,
            (struct kl_output){.offset = kl_partition_at(t->c, partition)->position});
}

static void query(struct kl_turn *t, uint32_t partition, int64_t offset, int32_t backoff_ms)
{
    struct kl_partition *p = kl_partition_at(t->c, partition);

    p->query_offset = offset;
    p->fetch_state = KL_FETCH_QUERY;
    p->query_after_us = t->now + backoff_ms * KL_MS;
}

void kl_next_offset(struct kl_turn *t, uint32_t partition, int64_t offset)
{
    struct kl_partition *p = kl_partition_at(t->c, partition);

    if (offset == KL_OFFSET_STORED) {
        p->fetch_state = KL_FETCH_STORED;
        return;
    }
    if (offset < 0) {
        kl_offset_reset(t, partition, offset, 0);
        return;
    }
    p->position = offset;
    p->fetch_state = KL_FETCH_ACTIVE;
    p->fetching = 0;
    put_position(t, partition);
}

/* Rule offset-reset: an error begins where auto.offset.reset says; after an error the cluster is
   asked 100 ms later; the beginning is known from the last fetch. */
void kl_offset_reset(struct kl_turn *t, uint32_t partition, int64_t offset, int32_t error)
{
    struct kl_partition *p = kl_partition_at(t->c, partition);
    int64_t to = offset == KL_OFFSET_NONE || error != 0 ? reset_to(t->c) : offset;

    p->fetching = 0;
    if (to == KL_OFFSET_NONE) {
        p->fetch_state = KL_FETCH_NONE;
        kl_error(t, KL_ERR_AUTO_OFFSET_RESET, false, partition, "no offset to begin with");
    } else if (to == KL_OFFSET_BEGINNING && p->log_start >= 0) {
        kl_next_offset(t, partition, p->log_start);
    } else {
        query(t, partition, to, error != 0 ? RESET_MS : 0);
    }
}

/* ---- which partitions ---- */

void kl_partition_start(struct kl_turn *t, uint32_t partition, int64_t offset)
{
    struct kl_partition *p = kl_partition_at(t->c, partition);

    p->assigned = 1;
    p->paused = 0;
    p->position = -1;
    p->log_start = -1;
    p->stored_offset = KL_OFFSET_NONE;
    p->last_error = 0;
    p->fetch_after_us = 0;
    p->seek_offset = offset;
    kl_next_offset(t, partition, offset == KL_OFFSET_NONE ? KL_OFFSET_STORED : offset);
}

void kl_partition_stop(struct kl_turn *t, uint32_t partition)
{
    struct kl_partition *p = kl_partition_at(t->c, partition);

    p->assigned = p->paused = 0;
    p->fetch_state = KL_FETCH_NONE;
    p->fetching = 0;
    p->position = -1;
}

static bool is_named(struct kl_turn *t, const struct kl_partition *p)
{
    const struct kl_input *in = t->in;

    for (uint32_t i = 0; i < in->count; i++) {
        if (in->offsets[i].partition == p->number &&
            kl_topic_find(t->c, in->offsets[i].topic) == p->topic) {
            return true;
        }
    }
    return false;
}

/* Replaces the assignment: what is in both begins anew where the command says. */
void kl_on_assign(struct kl_turn *t)
{
    if (t->c->config.kind != KL_CONSUMER || t->c->closed) {
        kl_done_now(t, KL_ERR_STATE);
        return;
    }
    for (uint32_t i = 1; i <= t->c->partition_count; i++) {
        const struct kl_partition *p = kl_partition_at(t->c, i);
        if (p->assigned && !is_named(t, p)) {
            kl_partition_stop(t, i);
        }
    }
    for (uint32_t i = 0; i < t->in->count; i++) {
        const struct kl_offset *o = &t->in->offsets[i];
        uint32_t topic = kl_topic_add(t, o->topic);
        if (topic != 0 && o->partition >= 0) {
            kl_partition_start(t, kl_partition_add(t, topic, o->partition), o->offset);
        }
    }
    kl_done_now(t, 0);
}

/* Rule pause: what is under way for a paused partition is discarded, and fetched again from the
   same position when it goes on. */
void kl_on_pause(struct kl_turn *t, bool pause)
{
    int32_t error = 0;

    for (uint32_t i = 0; i < t->in->count; i++) {
        const struct kl_offset *o = &t->in->offsets[i];
        uint32_t topic = kl_topic_find(t->c, o->topic);
        uint32_t row = topic == 0 ? 0 : kl_partition_find(t->c, topic, o->partition);
        if (row == 0) {
            error = KL_ERR_UNKNOWN_PARTITION;
            continue;
        }
        kl_partition_at(t->c, row)->paused = pause;
        kl_partition_at(t->c, row)->fetching = 0;
    }
    kl_done_now(t, error);
}

/* ---- asking ---- */

static void ask(struct kl_turn *t, uint32_t partition, uint32_t broker)
{
    struct kl_partition *p = kl_partition_at(t->c, partition);
    struct wire_flat f;
    struct wire_list_offsets_request *q = kl_begin(t, &f, WIRE_API_LIST_OFFSETS);

    q->replica_id = -1;
    q->isolation_level = (int8_t)t->c->config.isolation;
    struct wire_list_offsets_request_topic *topic =
        kl_items(&f, &q->topics, 1, &wire_layout_list_offsets_request_topic);
    topic->name = wire_flat_string(&f, kl_partition_topic(t->c, p));
    struct wire_list_offsets_request_partition *of =
        kl_items(&f, &topic->partitions, 1, &wire_layout_list_offsets_request_partition);
    of->partition_index = p->number;
    of->timestamp = p->query_offset;
    uint32_t row = kl_send(t, broker, &f, WIRE_API_LIST_OFFSETS, VERSION, -1);
    struct kl_request *request = kl_request_at(t->c, row);
    request->partition = partition;
    p->fetch_state = KL_FETCH_WAIT;
    p->fetching = request->correlation;
}

static void serve_query(struct kl_turn *t, uint32_t row)
{
    struct kl_partition *p = kl_partition_at(t->c, row);
    uint32_t broker = p->leader < 0 ? 0 : kl_broker_find(t->c, p->leader);

    if (p->query_after_us > t->now) {
        kl_due(t, p->query_after_us);
    } else if (broker == 0) {
        p->query_after_us = t->now + AGAIN_MS * KL_MS;
        kl_due(t, p->query_after_us);
    } else if (kl_broker_ready(t, broker) && kl_may_send(t)) {
        ask(t, row, broker);
    }
}

void kl_serve_offsets(struct kl_turn *t)
{
    if (t->c->config.kind != KL_CONSUMER || t->c->closed) {
        return;
    }
    for (uint32_t i = 1; i <= t->c->partition_count; i++) {
        struct kl_partition *p = kl_partition_at(t->c, i);
        if (p->fetch_state == KL_FETCH_WAIT && p->fetching == 0) {
            p->fetch_state = KL_FETCH_QUERY; /* its leader changed: the answer does not count */
        }
        if (p->fetch_state == KL_FETCH_QUERY) {
            serve_query(t, i);
        }
    }
}

static int32_t read_answer(const struct wire_list_offsets_response *r, int64_t *offset)
{
    const struct wire_list_offsets_response_topic *topic =
        WIRE_ITEMS(r, r->topics, struct wire_list_offsets_response_topic);
    if (r->topics.count < 1 || topic->partitions.count < 1) {
        return KL_ERR_UNKNOWN_PARTITION;
    }
    const struct wire_list_offsets_response_partition *of =
        WIRE_ITEMS(r, topic->partitions, struct wire_list_offsets_response_partition);
    *offset = of->offset;
    return of->error_code;
}

/* Rule list-offsets-errors: as rd_kafka_handle_ListOffsets. */
static bool is_temporary(int32_t error)
{
    return error == WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION ||
           error == WIRE_ERROR_OFFSET_NOT_AVAILABLE || error == WIRE_ERROR_FENCED_LEADER_EPOCH ||
           (kl_action(error) & (KL_ACT_RETRY | KL_ACT_REFRESH)) != 0;
}

void kl_on_list_offsets(struct kl_turn *t, struct kl_request *q, int32_t error,
                        const struct wire_list_offsets_response *r)
{
    struct kl_partition *p = kl_partition_at(t->c, q->partition);
    int64_t offset = -1;

    if (p->fetch_state != KL_FETCH_WAIT || p->fetching != q->correlation) {
        return;
    }
    p->fetching = 0;
    error = error != 0 ? error : read_answer(r, &offset);
    if (error == 0) {
        kl_next_offset(t, q->partition, offset);
    } else if (is_temporary(error)) {
        if (kl_action(error) & KL_ACT_REFRESH || error == WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION ||
            error == WIRE_ERROR_FENCED_LEADER_EPOCH) {
            kl_leader_unavailable(t, q->partition);
        }
        query(t, q->partition, p->query_offset, AGAIN_MS);
    } else {
        kl_error(t, error, false, q->partition, "failed to query an offset");
        kl_offset_reset(t, q->partition, p->query_offset, error);
    }
}
