/*
 * WriteTxnMarkers: a transaction coordinator has this broker write into the partitions it leads how
 * a transaction ended.
 *
 *     request ─► slot ─► marker 0 ─► one control batch for all its partitions ─► replicas, acks=all
 *                  │       └─► marker 1 ─► …
 *                  │ all have ended ◄──────────────────────────────────────────────┘
 *                  └─► answer                 offsets of the transaction ─► group coordinator
 *
 * A marker is one append of one batch to several partitions; the next is begun when this one is in
 * the leader's log, not when it is answered. What is kept is the error of each partition; the
 * answer says them in the order of the request.
 *
 * An append's number is that of the slot and that of the marker in the request.
 *
 * Source: Kafka KafkaApis.handleWriteTxnMarkersRequest.
 */
#include <string.h>

#include "broker/by_topic.h"
#include "broker/coordinators.h"
#include "wire/record_batch.h"

typedef struct wire_write_txn_markers_request_marker asked_marker;
typedef struct wire_write_txn_markers_request_topic asked_topic;

enum {
    MARKER_BITS = 20,
    MARKERS_MAX = 1 << MARKER_BITS, /* of one request */
    MARKER_ROOM = 128,              /* bytes of a control batch, at most */
};

static uint32_t marker_count(const struct wire_write_txn_markers_request *q)
{
    return q->markers.count < 0 ? 0 : (uint32_t)q->markers.count;
}

static const asked_marker *marker_at(const struct wire_write_txn_markers_request *q, uint32_t i)
{
    return &WIRE_ITEMS(q, q->markers, asked_marker)[i];
}

static uint32_t partition_count(const struct wire_write_txn_markers_request *q,
                                const asked_marker *m)
{
    const asked_topic *topics = WIRE_ITEMS(q, m->topics, asked_topic);
    uint32_t count = 0;
    for (int32_t i = 0; i < m->topics.count; i++)
        if (topics[i].partition_indexes.count > 0)
            count += (uint32_t)topics[i].partition_indexes.count;
    return count;
}

/* The work of a slot: where the partitions of each marker begin, then an error for each. */
static uint32_t *first_of(const struct kb_broker *b, const struct kb_slot *s)
{
    return (uint32_t *)(void *)kb_area_bytes(b, s, KB_AREA_WORK);
}

static int16_t *errors_of(const struct kb_broker *b, const struct kb_slot *s, uint32_t marker)
{
    const struct wire_write_txn_markers_request *q = kb_request_of(b, s);
    uint32_t *first = first_of(b, s);
    return (int16_t *)(void *)(first + marker_count(q)) + first[marker];
}

struct kb_room kb_room_write_markers(const struct kb_broker *b, const struct kb_broker_input *in)
{
    const struct wire_write_txn_markers_request *q = in->message;
    size_t partitions = 0;
    for (uint32_t i = 0; i < marker_count(q); i++)
        partitions += partition_count(q, marker_at(q, i));
    struct kb_room mirror = kb_room_mirror(b, in);
    return (struct kb_room){.work = 4 * (size_t)marker_count(q) + 2 * partitions,
                            .response = 64,
                            .scratch = mirror.scratch};
}

/* ---- the answer ---- */

static void answer(struct kb_turn *t, struct kb_slot *s)
{
    const struct wire_write_txn_markers_request *q = kb_request_of(t->b, s);
    struct wire_flat f;
    struct wire_write_txn_markers_response *head =
        kb_answer_begin(t, &f, WIRE_API_WRITE_TXN_MARKERS, sizeof *head);
    struct wire_write_txn_markers_response_marker *out =
        kb_items(&f, &head->markers, (int32_t)marker_count(q),
                 &wire_layout_write_txn_markers_response_marker);
    for (int32_t i = 0; i < head->markers.count; i++) {
        const asked_marker *m = marker_at(q, (uint32_t)i);
        const asked_topic *topics = WIRE_ITEMS(q, m->topics, asked_topic);
        const int16_t *error = errors_of(t->b, s, (uint32_t)i);
        out[i].producer_id = m->producer_id;
        struct wire_write_txn_markers_response_topic *to = kb_items(
            &f, &out[i].topics, m->topics.count, &wire_layout_write_txn_markers_response_topic);
        for (int32_t n = 0; n < out[i].topics.count; n++) {
            const int32_t *ids = WIRE_ITEMS(q, topics[n].partition_indexes, int32_t);
            to[n].name = wire_flat_string(&f, wire_text(q, topics[n].name));
            struct wire_write_txn_markers_response_partition *p =
                kb_items(&f, &to[n].partitions, topics[n].partition_indexes.count,
                         &wire_layout_write_txn_markers_response_partition);
            for (int32_t k = 0; k < to[n].partitions.count; k++) {
                p[k].partition_index = ids[k];
                p[k].error_code = *error++;
            }
        }
    }
    kb_slot_answer(t, s, &f);
}

/* ---- the request ---- */

void kb_begin_write_markers(struct kb_turn *t)
{
    const struct wire_write_txn_markers_request *q = t->in->message;
    if (!kb_hosts(t)) {
        kb_begin_refusal(t);
        return;
    }
    if (marker_count(q) >= MARKERS_MAX) { /* the connection is closed */
        kb_put_response(t, t->in->record, t->in->call_id, t->in->api, t->in->version, NULL, 0);
        return;
    }
    struct kb_slot *s = kb_slot_take(t, kb_room_write_markers(t->b, t->in).work, 0);
    uint32_t partitions = 0;
    s->phase = KB_PHASE_MARKERS;
    s->value = marker_count(q);
    for (uint32_t i = 0; i < marker_count(q); i++) {
        first_of(t->b, s)[i] = partitions;
        partitions += partition_count(q, marker_at(q, i));
    }
    if (s->value == 0)
        answer(t, s);
    else
        kb_event_put(t->b, &(struct kb_event){.kind = KB_EVENT_MARKERS_WRITE,
                                              .append_id = s->order << MARKER_BITS});
}

static struct kb_slot *slot_of(const struct kb_turn *t, uint64_t append_id)
{
    struct kb_slot *s = kb_slot_of_order(t->b, append_id >> MARKER_BITS);
    return s != NULL && s->phase == KB_PHASE_MARKERS ? s : NULL;
}

static uint32_t marker_of(uint64_t append_id)
{
    return (uint32_t)(append_id & (MARKERS_MAX - 1));
}

/* ---- writing ---- */

static struct kb_batch make_batch(struct kb_turn *t, const asked_marker *m)
{
    const struct kb_payloads *payloads = t->out->payloads;
    struct wire_record_batch made;
    uint8_t *bytes = kb_turn_scratch(t, MARKER_ROOM);
    size_t size =
        wire_record_batch_marker(bytes, MARKER_ROOM, m->producer_id, m->producer_epoch,
                                 m->transaction_result != 0, m->coordinator_epoch, kb_wall_ms(t));
    if (size == 0 || wire_record_batch_read(bytes, size, &made) != SM_ERR_OK)
        return (struct kb_batch){0};
    return kb_batch_of(&made, payloads->keep(payloads->context, bytes, size));
}

/* A partition that has no log here is unknown, whatever the metadata say. */
static int32_t refusal(struct kb_turn *t, const char *topic, int32_t partition,
                       const struct kb_batch *batch)
{
    struct kb_partition_view v;
    if (!kb_partition(t->out->replicas, topic, partition, &v) || !v.has_log)
        return WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    return batch->payload == 0 ? WIRE_ERROR_KAFKA_STORAGE_ERROR : 0;
}

/* Goes on with the marker behind this one. */
static void put_next(struct kb_turn *t, const struct kb_slot *s, uint64_t append_id)
{
    if (marker_of(append_id) + 1 < marker_count(kb_request_of(t->b, s)))
        kb_event_put(
            t->b, &(struct kb_event){.kind = KB_EVENT_MARKERS_WRITE, .append_id = append_id + 1});
}

/* A marker that names a partition twice is not written. Differs: Kafka takes it as if it stood
   there once; but no broker sends such a one. */
static void refuse(struct kb_turn *t, const struct kb_slot *s, uint64_t append_id)
{
    const struct wire_write_txn_markers_request *q = kb_request_of(t->b, s);
    uint32_t count = partition_count(q, marker_at(q, marker_of(append_id)));
    int16_t *errors = errors_of(t->b, s, marker_of(append_id));
    for (uint32_t i = 0; i < count; i++)
        errors[i] = WIRE_ERROR_INVALID_REQUEST;
    kb_event_put(t->b,
                 &(struct kb_event){.kind = KB_EVENT_MARKERS_WRITTEN, .append_id = append_id});
    put_next(t, s, append_id);
}

enum sm_err kb_markers_write(struct kb_turn *t, const struct kb_event *e)
{
    struct kb_slot *s = slot_of(t, e->append_id);
    if (s == NULL)
        return SM_ERR_OK;
    const struct wire_write_txn_markers_request *q = kb_request_of(t->b, s);
    const asked_marker *m = marker_at(q, marker_of(e->append_id));
    const asked_topic *topics = WIRE_ITEMS(q, m->topics, asked_topic);
    const struct kb_batch batch = make_batch(t, m);
    struct kb_produce produce = {.timeout_us = kb_property_int(t->b, "request.timeout.ms") * 1000,
                                 .acks = -1,
                                 .origin = KB_FROM_COORDINATOR};
    struct kb_produce_item *items =
        kb_turn_scratch(t, partition_count(q, m) * sizeof *items + sizeof *items);
    for (int32_t i = 0; i < m->topics.count; i++)
        for (int32_t n = 0; n < topics[i].partition_indexes.count; n++) {
            const char *name = wire_text(q, topics[i].name);
            int32_t partition = WIRE_ITEMS(q, topics[i].partition_indexes, int32_t)[n];
            int32_t error = refusal(t, name, partition, &batch);
            items[produce.count++] = (struct kb_produce_item){.topic = name,
                                                              .partition = partition,
                                                              .unknown = error,
                                                              .batches = &batch,
                                                              .batch_count = error == 0};
        }
    produce.items = items;
    if (kb_items_unique(t, items, sizeof *items, produce.count) < produce.count) {
        refuse(t, s, e->append_id);
        return SM_ERR_OK;
    }
    struct kb_input in = {.kind = KB_IN_PRODUCE, .request = &produce};
    in.call_id = kb_data_call_new(t, (struct kb_data_call){.record = s->record,
                                                           .append_id = e->append_id,
                                                           .api = WIRE_API_WRITE_TXN_MARKERS});
    if (in.call_id == 0)
        return SM_ERR_LIMIT;
    enum sm_err err = kb_data_step(t, &in);
    if (err != SM_ERR_OK)
        kb_data_call_cancel(t, in.call_id);
    else
        put_next(t, s, e->append_id);
    return err;
}

/* Within a step of the replicas: noted, no more. */
void kb_markers_answered(struct kb_turn *t, uint64_t append_id, const struct kb_output *o)
{
    const struct kb_produce_result *results = o->items;
    struct kb_slot *s = slot_of(t, append_id);
    if (s == NULL)
        return;
    int16_t *errors = errors_of(t->b, s, marker_of(append_id));
    for (uint32_t i = 0; i < o->count; i++)
        errors[i] = (int16_t)results[i].error;
    kb_event_put(t->b,
                 &(struct kb_event){.kind = KB_EVENT_MARKERS_WRITTEN, .append_id = append_id});
}

/* Tells the group coordinator, for each of its partitions that has the marker now. */
static void tell_groups(struct kb_turn *t, const struct kb_slot *s, uint32_t marker)
{
    const struct wire_write_txn_markers_request *q = kb_request_of(t->b, s);
    const asked_marker *m = marker_at(q, marker);
    const asked_topic *topics = WIRE_ITEMS(q, m->topics, asked_topic);
    const int16_t *error = errors_of(t->b, s, marker);
    int32_t left = kb_coordinator_partitions(t->b, KB_COORDINATOR_GROUPS); /* each once */
    for (int32_t i = 0; i < m->topics.count; i++) {
        const char *name = wire_text(q, topics[i].name);
        bool is_offsets = strcmp(name, kb_coordinator_topic(KB_COORDINATOR_GROUPS)) == 0;
        for (int32_t n = 0; n < topics[i].partition_indexes.count; n++, error++)
            if (is_offsets && *error == 0 && left-- > 0)
                kb_coordinators_on_marker(t, name,
                                          WIRE_ITEMS(q, topics[i].partition_indexes, int32_t)[n],
                                          m->producer_id, m->transaction_result != 0);
    }
}

void kb_markers_written(struct kb_turn *t, const struct kb_event *e)
{
    struct kb_slot *s = slot_of(t, e->append_id);
    if (s == NULL)
        return;
    tell_groups(t, s, marker_of(e->append_id));
    if (--s->value == 0)
        answer(t, s);
}
