/*
 * Responses to requests out of a batch.
 *
 * A broker answers its partitions in any order. Nearly all answers have no error, and then nothing
 * is looked up; else the records of the request go into a hash table by topic and partition, the
 * errors are written beside the records that they name, and the table is swept out in the order of
 * records.
 *
 * Source: wire/batch_codec.h; Kafka LeaderAndIsrResponse, StopReplicaResponse.
 */
#include "wire/batch_codec.h"

#include <assert.h>
#include <string.h>

#include "wire/batch_pick.h"
#include "wire/bytes.h"

struct entry {
    uint32_t record; /* offset; 0: free */
    int32_t error;
};

/* What the response says of one partition. */
struct said {
    const uint8_t *topic;
    size_t topic_size;
    int32_t partition, error;
};

struct table {
    const struct wire_batch_request *q;
    struct entry *entries; /* in the order of records */
    uint32_t *slots;       /* 1 + entry */
    uint32_t slot_count, count, max;
};

/* ---- the table of records ---- */

static bool is_of(const struct table *t, uint32_t slot, const struct said *s)
{
    struct wire_record_view v = {0};
    wire_batch_at(t->q->batch, t->entries[t->slots[slot] - 1].record, &v);
    return v.record->partition == s->partition &&
           (size_t)v.record->topic_size - 1 == s->topic_size &&
           memcmp(v.topic, s->topic, s->topic_size) == 0;
}

/* The slot of a partition, or the free one where it would stand. */
static uint32_t slot_of(const struct table *t, const struct said *s)
{
    uint32_t at = wire_pick_hash_of(s->topic, s->topic_size, s->partition) & (t->slot_count - 1);
    while (t->slots[at] != 0 && !is_of(t, at, s))
        at = (at + 1) & (t->slot_count - 1);
    return at;
}

static void fill(struct table *t, void *scratch)
{
    t->max = wire_batch_record_max(t->q->batch);
    t->slot_count = wire_batch_slot_count(t->q->batch);
    t->entries = scratch;
    t->slots = (void *)(t->entries + t->max);
    memset(t->slots, 0, t->slot_count * sizeof *t->slots);
    struct wire_record_view v = {0};
    while (t->count < t->max && wire_pick_next(t->q, &v)) {
        struct said s = {(const uint8_t *)v.topic, (size_t)v.record->topic_size - 1,
                         v.record->partition, 0};
        t->entries[t->count] = (struct entry){.record = v.offset};
        t->slots[slot_of(t, &s)] = ++t->count;
    }
}

static void note_error(struct table *t, const struct said *s)
{
    uint32_t slot = slot_of(t, s);
    if (t->slots[slot] != 0)
        t->entries[t->slots[slot] - 1].error = s->error;
}

/* ---- reading ---- */

/* Walks the partitions of a response. With a table, notes what they say; returns whether any has an
   error. */
static bool take_partitions(struct wire_reader *r, struct table *t)
{
    bool any = false;
    int32_t count = wire_take_length(r, 4);
    r->bad = r->bad || count < 0;
    for (int32_t i = 0; i < count && !r->bad; i++) {
        int32_t size = wire_take_length(r, 2);
        r->bad = r->bad || size < 0;
        struct said s = {.topic_size = (size_t)size};
        s.topic = r->bad ? NULL : wire_take(r, s.topic_size);
        s.partition = wire_take_int32(r);
        s.error = wire_take_int16(r);
        wire_skip_tagged(r);
        any = any || s.error != 0;
        if (t != NULL && !r->bad)
            note_error(t, &s);
    }
    return any;
}

static void sweep(const struct table *t, struct wire_answer_item *items, uint32_t capacity,
                  struct wire_answer *out)
{
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->entries[i].error == 0)
            continue;
        if (out->count < capacity)
            items[out->count] =
                (struct wire_answer_item){t->entries[i].record, t->entries[i].error};
        out->count++;
    }
}

enum sm_err wire_answer_decode(const struct wire_batch_request *q, const uint8_t *bytes,
                               size_t size, void *scratch, struct wire_answer_item *items,
                               uint32_t capacity, struct wire_answer *out)
{
    *out = (struct wire_answer){.items = items};
    if (!wire_pick_has_version(q))
        return SM_ERR_RANGE;
    assert(((uintptr_t)scratch & 7) == 0);
    struct wire_reader r = wire_reader_of(bytes, size, wire_pick_is_flexible(q));
    out->error = wire_take_int16(&r);
    struct wire_reader again = r;
    bool any = q->kind != WIRE_RECORD_UPDATE_METADATA && take_partitions(&r, NULL);
    wire_skip_tagged(&r);
    if (r.bad || r.at != r.end)
        return SM_ERR_SYNTAX;
    if (!any)
        return SM_ERR_OK;
    struct table t = {.q = q};
    fill(&t, scratch);
    take_partitions(&again, &t);
    sweep(&t, items, capacity, out);
    return out->count > capacity ? SM_ERR_LIMIT : SM_ERR_OK;
}

/* ---- writing ---- */

static int32_t error_of(const struct wire_answer *a, uint32_t *at, uint32_t record)
{
    while (*at < a->count && a->items[*at].record < record)
        (*at)++;
    return *at < a->count && a->items[*at].record == record ? a->items[*at].error
                                                            : a->partition_error;
}

static void put_partitions(struct wire_writer *w, const struct wire_batch_request *q,
                           const struct wire_answer *a)
{
    struct wire_record_view v = {0};
    uint32_t at = 0;
    bool none = a->error != 0 && q->kind == WIRE_RECORD_STOP_REPLICA;
    wire_put_length(w, none ? 0 : (int32_t)wire_batch_partition_count(q), 4);
    while (!none && wire_pick_next(q, &v)) {
        wire_put_string(w, v.topic, (size_t)v.record->topic_size - 1);
        wire_put_int32(w, v.record->partition);
        wire_put_int16(w, (int16_t)(a->error != 0 ? a->error : error_of(a, &at, v.offset)));
        wire_put_no_tags(w);
    }
}

enum sm_err wire_answer_encode(const struct wire_batch_request *q, const struct wire_answer *answer,
                               uint8_t *bytes, size_t capacity, size_t *used)
{
    *used = 0;
    if (!wire_pick_has_version(q))
        return SM_ERR_RANGE;
    struct wire_writer w = {
        .bytes = bytes, .capacity = capacity, .flexible = wire_pick_is_flexible(q)};
    wire_put_int16(&w, (int16_t)answer->error);
    if (q->kind != WIRE_RECORD_UPDATE_METADATA)
        put_partitions(&w, q, answer);
    wire_put_no_tags(&w);
    *used = w.used;
    return w.used > capacity ? SM_ERR_LIMIT : SM_ERR_OK;
}
