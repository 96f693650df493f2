/*
 * Looking inside: positions, states, a digest of what decides, the invariants.
 */
#include "client/state.h"

#include <assert.h>
#include <string.h>

bool kl_client_is_idle(const struct kl_client *c)
{
    bool idle = c->records_used == 0 && c->commands_used == 0;

    for (uint32_t i = 1; idle && i <= c->requests_fresh; i++) {
        int16_t api = kl_request_at(c, i)->api;
        idle = kl_request_at(c, i)->correlation == 0 || api == WIRE_API_FETCH ||
               api == WIRE_API_METADATA || api == WIRE_API_HEARTBEAT;
    }
    for (uint32_t i = 1; idle && i <= c->partition_count; i++) {
        uint32_t state = kl_partition_at(c, i)->fetch_state;
        idle = state == KL_FETCH_NONE || state == KL_FETCH_ACTIVE;
    }
    return idle;
}

int64_t kl_client_position(const struct kl_client *c, const char *topic, int32_t partition)
{
    uint32_t of = kl_topic_find(c, topic);
    uint32_t row = of == 0 ? 0 : kl_partition_find(c, of, partition);

    return row == 0 ? -1 : kl_partition_at(c, row)->position;
}

uint32_t kl_client_waiting(const struct kl_client *c, const char *topic, int32_t partition)
{
    uint32_t of = kl_topic_find(c, topic);
    uint32_t row = of == 0 ? 0 : kl_partition_find(c, of, partition);

    return row == 0
               ? 0
               : kl_partition_at(c, row)->queue.count + kl_partition_at(c, row)->in_flight_records;
}

const char *kl_client_assigned_next(const struct kl_client *c, uint32_t *at, int32_t *partition)
{
    while (*at < c->partition_count) {
        const struct kl_partition *p = kl_partition_at(c, ++*at);
        if (p->assigned) {
            *partition = p->number;
            return kl_topic_at(c, p->topic)->name;
        }
    }
    return NULL;
}

enum kl_txn_state kl_client_txn_state(const struct kl_client *c)
{
    return (enum kl_txn_state)c->txn.state;
}

enum kl_group_state kl_client_group_state(const struct kl_client *c)
{
    switch ((enum kl_join)c->group.join) {
    case KL_JOIN_INIT:
    case KL_JOIN_LEAVING:
        return KL_GROUP_NONE;
    case KL_JOIN_ASKED:
    case KL_JOIN_UNASSIGN_CALL:
        return KL_GROUP_JOINING;
    case KL_JOIN_METADATA:
    case KL_JOIN_SYNC:
        return KL_GROUP_SYNCING;
    case KL_JOIN_ASSIGN_CALL:
    case KL_JOIN_STEADY:
        return KL_GROUP_STABLE;
    }
    return KL_GROUP_NONE;
}

struct kl_member kl_client_member(const struct kl_client *c)
{
    return (struct kl_member){.id = c->group.member_id,
                              .instance_id = c->has_instance ? c->instance_id : NULL,
                              .generation = c->group.generation};
}

/* ---- digest ---- */

static void mix(uint64_t *h, uint64_t v)
{
    *h ^= v + 0x9e3779b97f4a7c15u + (*h << 6) + (*h >> 2);
    *h *= 0xff51afd7ed558ccdu;
    *h ^= *h >> 32;
}

static void mix_time(uint64_t *h, int64_t at_us, int64_t now_us)
{
    mix(h, at_us == KL_NEVER ? 1 : at_us <= now_us ? 0 : (uint64_t)(at_us - now_us));
}

static void mix_text(uint64_t *h, const char *text)
{
    for (; *text != 0; text++) {
        mix(h, (uint8_t)*text);
    }
    mix(h, 256);
}

static void mix_queue(const struct kl_client *c, uint64_t *h, const struct kl_queue *q, int64_t now)
{
    for (uint32_t i = q->first; i != 0; i = kl_record_at(c, i)->next) {
        const struct kl_record *r = kl_record_at(c, i);
        mix(h, r->tag);
        mix(h, r->headers_size);
        mix(h, r->msgid);
        mix(h, r->last_msgid);
        mix(h, (uint64_t)r->retries << 32 | r->status);
        mix_time(h, r->backoff_us, now);
        mix_time(h, r->expires_us, now);
        for (size_t n = 0; r->blob != 0 && n < kl_blob_size(c, r->blob); n++) {
            mix(h, ((const uint8_t *)kl_blob(c, r->blob))[n]);
        }
    }
    mix(h, q->count);
}

static void mix_partition(const struct kl_client *c, uint64_t *h, const struct kl_partition *p,
                          int64_t now)
{
    mix(h, (uint64_t)(uint32_t)p->number << 32 | (uint32_t)p->leader);
    mix(h, (uint64_t)p->in_flight_records << 32 | p->wait_drain << 8 | p->in_txn);
    mix(h, p->next_msgid - p->epoch_base_msgid);
    mix(h, (uint64_t)p->next_ack_seq << 32 | (uint32_t)p->next_err_seq);
    mix(h, (uint64_t)p->producer_id);
    mix(h, (uint64_t)p->producer_epoch);
    mix(h, (uint64_t)p->fetch_state << 8 | p->paused << 1 | p->assigned);
    mix(h, (uint64_t)p->position);
    mix(h, (uint64_t)p->query_offset);
    mix(h, (uint64_t)p->stored_offset);
    mix(h, (uint64_t)p->committed_offset);
    mix(h, p->fetching != 0);
    mix_time(h, p->fetch_after_us, now);
    mix_time(h, p->query_after_us, now);
    mix_queue(c, h, &p->queue, now);
}

static void mix_broker(const struct kl_client *c, uint64_t *h, const struct kl_broker *b,
                       int64_t now)
{
    mix(h, (uint64_t)(uint32_t)b->id << 32 | b->link);
    mix_time(h, b->reconnect_us, now);
    mix_time(h, b->fetch_after_us, now);
    for (uint32_t i = b->first; i != 0; i = kl_request_at(c, i)->next) {
        const struct kl_request *q = kl_request_at(c, i);
        mix(h, (uint64_t)q->api << 32 | q->partition);
        mix_time(h, q->timeout_us, now);
        mix_queue(c, h, &q->batch, now);
    }
}

uint64_t kl_client_digest(const struct kl_client *c, int64_t now_us)
{
    uint64_t h = 1;

    for (uint32_t i = 1; i <= c->broker_count; i++) {
        mix_broker(c, &h, kl_broker_at(c, i), now_us);
    }
    for (uint32_t i = 1; i <= c->topic_count; i++) {
        const struct kl_topic *topic = kl_topic_at(c, i);
        mix_text(&h, topic->name);
        mix(&h, (uint64_t)topic->state << 32 | topic->wanted << 1 | topic->leader_unavailable);
        for (uint32_t p = topic->partitions; p != 0; p = kl_partition_at(c, p)->next) {
            mix_partition(c, &h, kl_partition_at(c, p), now_us);
        }
    }
    for (uint32_t i = 1; i <= c->commands_fresh; i++) {
        const struct kl_command *m = kl_command_at(c, i);
        mix(&h, (uint64_t)m->kind << 32 | m->phase);
        mix(&h, m->tag);
    }
    mix(&h, (uint64_t)c->pid.producer_id);
    mix(&h, (uint64_t)c->pid.epoch << 32 | c->pid.state);
    mix(&h, (uint64_t)c->txn.state << 32 | c->group.join);
    mix(&h, (uint64_t)c->txn.call << 32 | (uint32_t)c->txn.result);
    mix(&h, (uint64_t)(uint32_t)c->group.generation << 32 | (uint32_t)c->controller);
    mix(&h,
        (uint64_t)(uint32_t)c->coordinator[0].broker << 32 | (uint32_t)c->coordinator[1].broker);
    mix(&h, (uint64_t)(uint32_t)c->pid.fatal_error << 32 | c->closed << 1 | c->started);
    mix(&h, c->chance[0]);
    mix(&h, c->chance[1]);
    mix_time(&h, c->metadata_us, now_us);
    mix_time(&h, c->fast_us, now_us);
    mix_time(&h, c->scan_us, now_us);
    return h;
}

/* ---- invariants ---- */

static uint32_t check_queue(const struct kl_client *c, const struct kl_queue *q)
{
    uint32_t count = 0;
    uint64_t bytes = 0, last = 0;

    for (uint32_t i = q->first; i != 0; i = kl_record_at(c, i)->next) {
        const struct kl_record *r = kl_record_at(c, i);
        assert(r->serial != 0);
        assert(r->msgid == 0 || r->msgid > last);
        assert(r->next != 0 || q->last == i);
        last = r->msgid;
        bytes += kl_record_bytes(r);
        count++;
    }
    assert(count == q->count);
    assert(bytes == q->bytes);
    return count;
}

static void check_partitions(const struct kl_client *c, uint32_t *records)
{
    uint32_t linked = 0, busy = 0;

    for (uint32_t i = 1; i <= c->topic_count; i++) {
        int32_t last = -2;
        for (uint32_t p = kl_topic_at(c, i)->partitions; p != 0; p = kl_partition_at(c, p)->next) {
            assert(kl_partition_at(c, p)->number > last);
            assert(kl_partition_at(c, p)->topic == i);
            last = kl_partition_at(c, p)->number;
            *records += check_queue(c, &kl_partition_at(c, p)->queue);
            busy += kl_partition_at(c, p)->in_flight_records > 0;
            linked++;
        }
    }
    assert(linked == c->partition_count);
    assert(!kl_is_idempotent(c) || busy == c->pid.partitions_in_flight);
}

void kl_client_check(const struct kl_client *c)
{
    uint32_t records = 0, requests = 0, in_flight = 0, batches = 0;

    check_partitions(c, &records);
    for (uint32_t i = 1; i <= c->broker_count; i++) {
        const struct kl_broker *b = kl_broker_at(c, i);
        uint32_t count = 0;
        for (uint32_t k = b->first; k != 0; k = kl_request_at(c, k)->next) {
            assert(kl_request_at(c, k)->broker == b->id);
            batches += check_queue(c, &kl_request_at(c, k)->batch);
            count++;
        }
        assert(count == b->in_flight);
        assert(count == 0 || b->link != KL_LINK_DOWN);
        requests += count;
    }
    for (uint32_t i = 1; i <= c->partition_count; i++) {
        in_flight += kl_partition_at(c, i)->in_flight_records;
    }
    assert(requests == c->requests_used);
    assert(in_flight == batches);
    assert(records + batches == c->records_used);
    assert(c->bytes_live <= c->bytes_used && c->bytes_used <= c->limits.bytes);
}
