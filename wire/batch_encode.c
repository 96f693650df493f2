/*
 * A batch -> the body of one request for one recipient.
 *
 * On the wire partitions stand under their topics; in a batch they stand in the order in which the
 * controller thought of them. The first walk cuts the records of the recipient into *runs* of one
 * topic, and hangs the runs of a topic together:
 *
 *     records   a-0 a-1 b-0 a-2 …        runs   [a: 2] [b: 1] [a: 1]
 *                                                 |______________^
 *     topics    a: 3 partitions, first run 0, last run 2; b: 1 partition, …
 *
 * The second walk writes topic by topic, run by run. Topics are found by a hash table that is only
 * asked, never walked: their order is that of first appearance. A batch in which topics do not mix,
 * as nearly all are, has as many runs as topics.
 *
 * Source: wire/batch_codec.h.
 */
#include "wire/batch_codec.h"

#include <assert.h>
#include <string.h>

#include "wire/batch_pick.h"
#include "wire/bytes.h"

struct run {
    uint32_t record; /* offset of the first */
    uint32_t count;  /* records of the request in it */
    uint32_t next;   /* 1 + the next run of the topic; 0: none */
};

struct topic {
    uint32_t record;      /* offset of a record that names it */
    uint32_t count;       /* partitions */
    uint32_t first, last; /* runs */
};

struct leader {
    int32_t id;
    uint32_t leads;
};

struct encoder {
    const struct wire_batch_request *q;
    struct wire_writer w;
    struct run *runs;
    struct topic *topics;
    uint32_t *slots;        /* 1 + topic */
    struct leader *leaders; /* ascending by id, as the broker entries */
    uint32_t slot_count, record_max, leader_count;
    uint32_t run_count, topic_count, record_count;
};

/* ---- scratch ---- */

uint32_t wire_batch_record_max(const struct wire_batch *b)
{
    uint32_t most = b->count[0];
    for (int i = 1; i < 3; i++)
        if (b->count[i] > most)
            most = b->count[i];
    return most;
}

uint32_t wire_batch_slot_count(const struct wire_batch *b)
{
    uint32_t slots = 16;
    while (slots < 2 * (uint64_t)wire_batch_record_max(b) && slots < 1u << 31)
        slots *= 2;
    return slots;
}

size_t wire_batch_scratch_size(const struct wire_batch *b)
{
    size_t records = wire_batch_record_max(b);
    return records * (sizeof(struct run) + sizeof(struct topic)) +
           (size_t)wire_batch_slot_count(b) * sizeof(uint32_t) +
           (size_t)b->broker_count * sizeof(struct leader);
}

static void lay_out(struct encoder *e, void *scratch)
{
    const struct wire_batch *b = e->q->batch;
    e->record_max = wire_batch_record_max(b);
    e->slot_count = wire_batch_slot_count(b);
    e->topics = scratch;
    e->runs = (void *)(e->topics + e->record_max);
    e->leaders = (void *)(e->runs + e->record_max);
    e->slots = (void *)(e->leaders + b->broker_count);
    memset(e->slots, 0, e->slot_count * sizeof *e->slots);
}

/* ---- the first walk ---- */

static bool same_topic(const struct wire_record_view *a, const struct wire_record_view *b)
{
    return a->record->topic_size == b->record->topic_size &&
           memcmp(a->topic, b->topic, a->record->topic_size) == 0;
}

/* The topic of a record, made where it is new. */
static uint32_t topic_of(struct encoder *e, const struct wire_record_view *v)
{
    uint32_t at = wire_pick_hash(v, 0) & (e->slot_count - 1);
    for (; e->slots[at] != 0; at = (at + 1) & (e->slot_count - 1)) {
        struct wire_record_view other = {0};
        wire_batch_at(e->q->batch, e->topics[e->slots[at] - 1].record, &other);
        if (same_topic(v, &other))
            return e->slots[at] - 1;
    }
    e->topics[e->topic_count] = (struct topic){.record = v->offset, .first = e->run_count};
    e->slots[at] = ++e->topic_count;
    return e->topic_count - 1;
}

static struct topic *begin_run(struct encoder *e, const struct wire_record_view *v)
{
    uint32_t before = e->topic_count;
    struct topic *t = &e->topics[topic_of(e, v)];
    if (e->topic_count == before)
        e->runs[t->last].next = e->run_count + 1;
    t->last = e->run_count;
    e->runs[e->run_count++] = (struct run){.record = v->offset};
    return t;
}

static void note_leader(struct encoder *e, int32_t id)
{
    uint32_t low = 0, high = e->leader_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (e->leaders[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < e->leader_count && e->leaders[low].id == id)
        e->leaders[low].leads = 1;
}

static void list_brokers(struct encoder *e)
{
    const struct wire_broker *b = NULL;
    while (e->leader_count < e->q->batch->broker_count &&
           (b = wire_batch_next_broker(e->q->batch, b)) != NULL)
        e->leaders[e->leader_count++] = (struct leader){.id = b->id};
}

/* False where the batch has more records than it says. */
static bool find_topics(struct encoder *e)
{
    struct wire_record_view v = {0}, previous = {0};
    struct topic *topic = NULL;
    int32_t leader = -1;
    while (wire_pick_next(e->q, &v)) {
        if (e->record_count++ == e->record_max)
            return false;
        if (topic == NULL || !same_topic(&v, &previous))
            topic = begin_run(e, &v);
        topic->count++;
        e->runs[e->run_count - 1].count++;
        if (v.record->leader != leader)
            note_leader(e, leader = v.record->leader);
        previous = v;
    }
    return true;
}

/* ---- partitions ---- */

static void put_ids(struct wire_writer *w, const int32_t *ids, uint32_t count)
{
    wire_put_length(w, (int32_t)count, 4);
    uint8_t *to = wire_room(w, (size_t)count * 4);
    for (uint32_t i = 0; to != NULL && i < count; i++)
        wire_store(to + (size_t)i * 4, (uint32_t)ids[i], 4);
}

static void put_topic_name(struct wire_writer *w, const struct wire_record_view *v)
{
    wire_put_string(w, v->topic, (size_t)v->record->topic_size - 1);
}

/* What LeaderAndIsr and UpdateMetadata say alike. */
static void put_leadership(struct wire_writer *w, const struct wire_record_view *v)
{
    const struct wire_record *r = v->record;
    uint8_t *to = wire_room(w, 16);
    if (to != NULL) {
        wire_store(to, (uint32_t)r->partition, 4);
        wire_store(to + 4, (uint32_t)r->controller_epoch, 4);
        wire_store(to + 8, (uint32_t)r->leader, 4);
        wire_store(to + 12, (uint32_t)r->leader_epoch, 4);
    }
    put_ids(w, v->isr, r->isr_count);
    wire_put_int32(w, r->zk_version);
    put_ids(w, v->replicas, r->replica_count);
}

static void put_leader_and_isr(struct encoder *e, const struct wire_record_view *v)
{
    put_leadership(&e->w, v);
    if (e->q->version >= 3) {
        put_ids(&e->w, v->adding, v->record->adding_count);
        put_ids(&e->w, v->removing, v->record->removing_count);
    }
    if (e->q->version >= 1)
        wire_put_int8(&e->w, wire_pick_flag(e->q, v));
    wire_put_no_tags(&e->w);
}

static void put_update_metadata(struct encoder *e, const struct wire_record_view *v)
{
    put_leadership(&e->w, v);
    if (e->q->version >= 4)
        put_ids(&e->w, v->offline, v->record->offline_count);
    wire_put_no_tags(&e->w);
}

static void put_stop_replica(struct encoder *e, const struct wire_record_view *v)
{
    wire_put_int32(&e->w, v->record->partition);
    if (e->q->version < 3)
        return; /* an element of an array of numbers, or of pairs (0) */
    wire_put_int32(&e->w, v->record->leader_epoch);
    wire_put_int8(&e->w, wire_pick_flag(e->q, v));
    wire_put_no_tags(&e->w);
}

static void put_partition(struct encoder *e, const struct wire_record_view *v)
{
    if (e->q->kind == WIRE_RECORD_LEADER_AND_ISR)
        put_leader_and_isr(e, v);
    else if (e->q->kind == WIRE_RECORD_UPDATE_METADATA)
        put_update_metadata(e, v);
    else
        put_stop_replica(e, v);
}

static void put_run(struct encoder *e, const struct run *run)
{
    struct wire_record_view v = {0};
    wire_batch_at(e->q->batch, run->record, &v);
    for (uint32_t i = 0; i < run->count; i++) {
        if (i > 0)
            wire_pick_next(e->q, &v);
        put_partition(e, &v);
    }
}

static void put_topic(struct encoder *e, const struct topic *topic)
{
    struct wire_record_view v = {0};
    wire_batch_at(e->q->batch, topic->record, &v);
    put_topic_name(&e->w, &v);
    wire_put_length(&e->w, (int32_t)topic->count, 4);
    for (uint32_t i = topic->first + 1; i != 0; i = e->runs[i - 1].next)
        put_run(e, &e->runs[i - 1]);
    wire_put_no_tags(&e->w);
}

static void put_grouped(struct encoder *e)
{
    wire_put_length(&e->w, (int32_t)e->topic_count, 4);
    for (uint32_t i = 0; i < e->topic_count; i++)
        put_topic(e, &e->topics[i]);
}

/* Old versions: each partition with the name of its topic. */
static void put_ungrouped(struct encoder *e)
{
    struct wire_record_view v = {0};
    wire_put_length(&e->w, (int32_t)e->record_count, 4);
    while (wire_pick_next(e->q, &v)) {
        put_topic_name(&e->w, &v);
        put_partition(e, &v);
    }
}

/* ---- brokers ---- */

static void put_text(struct wire_writer *w, const char *text)
{
    wire_put_string(w, text, strlen(text));
}

static const struct sm_endpoint *endpoint_named(const struct sm_broker *b, const char *listener)
{
    for (int32_t i = 0; listener != NULL && i < b->endpoint_count; i++)
        if (strcmp(b->endpoint[i].listener, listener) == 0)
            return &b->endpoint[i];
    return &b->endpoint[0]; /* zeroed where there is none */
}

static void put_live_leaders(struct encoder *e)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < e->leader_count; i++)
        count += e->leaders[i].leads;
    wire_put_length(&e->w, (int32_t)count, 4);
    const struct wire_broker *entry = NULL;
    for (uint32_t i = 0; i < e->leader_count; i++) {
        entry = wire_batch_next_broker(e->q->batch, entry);
        if (e->leaders[i].leads == 0)
            continue;
        struct sm_broker b;
        wire_broker_decode(entry, &b);
        const struct sm_endpoint *at = endpoint_named(&b, e->q->listener);
        wire_put_int32(&e->w, b.id);
        put_text(&e->w, at->host);
        wire_put_int32(&e->w, at->port);
        wire_put_no_tags(&e->w);
    }
}

/* UpdateMetadata 0 knows one endpoint, without encryption. */
static bool put_plain_endpoint(struct encoder *e, const struct sm_broker *b)
{
    for (int32_t i = 0; i < b->endpoint_count; i++)
        if (strcmp(b->endpoint[i].protocol, wire_security_protocols[0]) == 0) {
            put_text(&e->w, b->endpoint[i].host);
            wire_put_int32(&e->w, b->endpoint[i].port);
            return true;
        }
    return false;
}

static bool put_endpoints(struct encoder *e, const struct sm_broker *b)
{
    wire_put_length(&e->w, b->endpoint_count, 4);
    for (int32_t i = 0; i < b->endpoint_count; i++) {
        const struct sm_endpoint *at = &b->endpoint[i];
        int16_t protocol = wire_security_protocol(at->protocol);
        if (protocol < 0)
            return false;
        wire_put_int32(&e->w, at->port);
        put_text(&e->w, at->host);
        if (e->q->version >= 3)
            put_text(&e->w, at->listener);
        wire_put_int16(&e->w, protocol);
        wire_put_no_tags(&e->w);
    }
    return true;
}

static bool put_live_broker(struct encoder *e, const struct wire_broker *entry)
{
    struct sm_broker b;
    wire_broker_decode(entry, &b);
    wire_put_int32(&e->w, b.id);
    if (e->q->version == 0)
        return put_plain_endpoint(e, &b);
    if (!put_endpoints(e, &b))
        return false;
    if (e->q->version >= 2 && b.rack[0] == '\0')
        wire_put_length(&e->w, -1, 2);
    else if (e->q->version >= 2)
        put_text(&e->w, b.rack);
    wire_put_no_tags(&e->w);
    return true;
}

static bool put_live_brokers(struct encoder *e)
{
    const struct wire_broker *entry = NULL;
    wire_put_length(&e->w, (int32_t)e->leader_count, 4);
    for (uint32_t i = 0; i < e->leader_count; i++) {
        entry = wire_batch_next_broker(e->q->batch, entry);
        if (!put_live_broker(e, entry))
            return false;
    }
    return true;
}

/* ---- the whole ---- */

static void put_header(struct encoder *e, size_t *epoch_at)
{
    const struct wire_batch *b = e->q->batch;
    const struct wire_broker *receiver = NULL;
    while ((receiver = wire_batch_next_broker(b, receiver)) != NULL)
        if (receiver->index == e->q->index)
            break;
    wire_put_int32(&e->w, b->controller_id);
    wire_put_int32(&e->w, b->controller_epoch);
    *epoch_at = 0;
    if (wire_pick_has_epoch(e->q)) {
        *epoch_at = e->w.used;
        wire_put_int64(&e->w, receiver == NULL ? -1 : receiver->epoch);
    }
    if (e->q->kind == WIRE_RECORD_STOP_REPLICA && e->q->version < 3)
        wire_put_int8(&e->w, e->q->deletes);
}

enum sm_err wire_batch_encode(const struct wire_batch_request *q, void *scratch, uint8_t *bytes,
                              size_t capacity, size_t *used, size_t *epoch_at)
{
    size_t unused;
    *used = 0;
    if (!wire_pick_has_version(q))
        return SM_ERR_RANGE;
    assert(((uintptr_t)scratch & 7) == 0);
    struct encoder e = {
        .q = q, .w = {.bytes = bytes, .capacity = capacity, .flexible = wire_pick_is_flexible(q)}};
    lay_out(&e, scratch);
    list_brokers(&e);
    if (!find_topics(&e))
        return SM_ERR_RANGE;
    put_header(&e, epoch_at != NULL ? epoch_at : &unused);
    if (wire_pick_is_grouped(q))
        put_grouped(&e);
    else
        put_ungrouped(&e);
    if (q->kind == WIRE_RECORD_LEADER_AND_ISR)
        put_live_leaders(&e);
    if (q->kind == WIRE_RECORD_UPDATE_METADATA && !put_live_brokers(&e))
        return SM_ERR_RANGE;
    wire_put_no_tags(&e.w);
    *used = e.w.used;
    return e.w.used > capacity ? SM_ERR_LIMIT : SM_ERR_OK;
}

void wire_batch_patch_epoch(uint8_t *bytes, size_t epoch_at, int64_t broker_epoch)
{
    if (epoch_at != 0)
        wire_store(bytes + epoch_at, (uint64_t)broker_epoch, sizeof broker_epoch);
}

uint32_t wire_batch_partition_count(const struct wire_batch_request *q)
{
    struct wire_record_view v = {0};
    uint32_t count = 0;
    while (wire_pick_next(q, &v))
        count++;
    return count;
}
