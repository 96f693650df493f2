/*
 * Reading what was fetched: batches into records for the application.
 *
 * Passed over: records before the position (a batch is sent whole), control records, and for
 * read_committed the batches of aborted transactions. For these the answer has a list of (producer
 * id, first offset); a batch of such a producer at or behind that offset is aborted, until the
 * producer's abort marker comes, which uses the entry up.
 *
 *     aborted: 7 from 10     10 [7: a b] 12 [8: c] 13 [7: d] 14 [abort of 7] 15 [7: e]
 *                               passed      given     passed    takes it off    given
 *
 * The position goes on to behind the last batch, also where none of it is given.
 *
 * Source: rdkafka_msgset_reader.c: rd_kafka_msgset_reader_v2, rd_kafka_msgset_reader_msgs_v2,
 * rd_kafka_msgset_reader_msg_v2, rd_kafka_aborted_txns_get_offset,
 * rd_kafka_aborted_txns_pop_offset.
 */
#include "client/state.h"

#include <string.h>

/* One partition's answer. */
struct reading {
    struct kl_turn *t;
    uint32_t partition;
    const struct wire_fetch_response_aborted_transaction *aborted;
    uint8_t *used; /* of each: 1 where its transaction has ended; in scratch */
    int32_t aborted_count;
    int64_t next;
};

/* The entry of the producer with the lowest offset that no marker has used up; -1 none. */
static int32_t aborted_entry(const struct reading *g, int64_t producer_id)
{
    int32_t lowest = -1;

    for (int32_t i = 0; i < g->aborted_count; i++) {
        if (g->aborted[i].producer_id == producer_id && !g->used[i] &&
            (lowest < 0 || g->aborted[i].first_offset < g->aborted[lowest].first_offset)) {
            lowest = i;
        }
    }
    return lowest;
}

static bool is_abort(const struct wire_record_batch *b)
{
    struct wire_log_walk walk;
    struct wire_log_record record;
    bool commit = true;
    int32_t epoch;

    wire_log_walk_begin(&walk, b, b->records, b->records_size);
    return wire_log_record_next(&walk, &record) == SM_ERR_OK &&
           wire_log_record_is_marker(&record, &commit, &epoch) && !commit;
}

static void on_control(struct reading *g, const struct wire_record_batch *b)
{
    int32_t entry = is_abort(b) ? aborted_entry(g, b->producer_id) : -1;

    if (entry >= 0 && g->aborted[entry].first_offset <= b->base_offset) {
        g->used[entry] = 1;
    }
}

/* Rule read-committed. */
static bool is_aborted(const struct reading *g, const struct wire_record_batch *b)
{
    int32_t entry = b->transactional ? aborted_entry(g, b->producer_id) : -1;

    return entry >= 0 && b->base_offset >= g->aborted[entry].first_offset;
}

/* Rule compression: a batch that cannot be unpacked is told and passed over. */
static bool unpack(const struct reading *g, const struct wire_record_batch *b,
                   const uint8_t **records, size_t *size)
{
    const struct kl_outputs *out = g->t->out;
    size_t flags = ((size_t)(g->aborted_count > 0 ? g->aborted_count : 0) + 7) & ~(size_t)7;
    uint8_t *to = (uint8_t *)out->scratch + flags;

    if (wire_record_batch_records(b, to, out->scratch_size - flags, records, size) != SM_ERR_OK) {
        kl_error(g->t, KL_ERR_BAD_COMPRESSION, false, g->partition,
                 "a compressed batch cannot be unpacked");
        return false;
    }
    return true;
}

static void give(const struct reading *g, const struct wire_record_batch *b)
{
    const uint8_t *records;
    size_t size;
    const struct kl_partition *p = kl_partition_at(g->t->c, g->partition);
    struct wire_log_walk walk;
    struct wire_log_record r;

    if (!unpack(g, b, &records, &size)) {
        return;
    }
    wire_log_walk_begin(&walk, b, records, size);
    while (wire_log_record_next(&walk, &r) == SM_ERR_OK) {
        if (r.offset < g->next) {
            continue;
        }
        kl_put(g->t, &(struct kl_output){.kind = KL_OUT_RECORD,
                                         .topic = kl_partition_topic(g->t->c, p),
                                         .partition = p->number,
                                         .offset = r.offset,
                                         .leader_epoch = b->leader_epoch,
                                         .key = r.key,
                                         .key_size = r.key_size,
                                         .value = r.value,
                                         .value_size = r.value_size,
                                         .record = &r,
                                         .timestamp_ms =
                                             b->log_append_time ? b->max_timestamp : r.timestamp});
    }
}

void kl_read_records(struct kl_turn *t, uint32_t partition, const struct wire_fetch_response *r,
                     const struct wire_fetch_response_partition_response *from)
{
    struct kl_partition *p = kl_partition_at(t->c, partition);
    const uint8_t *at = wire_data(r, from->record_set);
    size_t left = from->record_set.size > 0 ? (size_t)from->record_set.size : 0;
    struct reading g = {.t = t, .partition = partition, .next = p->position};
    struct wire_record_batch b;

    if (t->c->config.isolation == KL_READ_COMMITTED) {
        g.aborted = WIRE_ITEMS(r, from->aborted_transactions,
                               struct wire_fetch_response_aborted_transaction);
        g.aborted_count = from->aborted_transactions.count;
        g.used = t->out->scratch;
        memset(g.used, 0, g.aborted_count > 0 ? (size_t)g.aborted_count : 0);
    }
    while (left > 0 && wire_record_batch_read(at, left, &b) == SM_ERR_OK) {
        int64_t last = b.base_offset + b.last_offset_delta;
        if (b.control) {
            on_control(&g, &b);
        } else if (last >= g.next && !is_aborted(&g, &b)) {
            give(&g, &b);
        }
        g.next = last >= g.next ? last + 1 : g.next;
        at += b.size;
        left -= b.size;
    }
    if (g.next != p->position) {
        p->position = p->stored_offset = g.next;
        kl_fact(t, KL_FACT_POSITION, partition, (struct kl_output){.offset = g.next});
    }
}
