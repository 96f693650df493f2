/*
 * The log of a coordinator: records into a batch, batches into records.
 *
 * Reading begins where the log begins and ends where it ends at the time of the slice that gets
 * there, not at the high watermark: what a leader has is what it answers with. A batch that cannot
 * be read, or whose bytes are gone, is passed over.
 *
 * Source: Kafka GroupMetadataManager.appendForGroup, doLoadGroupsAndOffsets (which reads up to the
 * log end), TransactionStateManager.loadTransactionMetadata.
 */
#include "broker/coordinators.h"

#include <string.h>

#include "wire/record_batch.h"

enum {
    SLICE_BATCHES = 64,
    UNPACK_ROOM = 2 << 20, /* of scratch, for a compressed batch */
    RECORD_ROOM = 48,      /* bytes of a record beside key and value, at most */
    RECORD_LEAST = 7,      /* and whole, at least */
};

/* ---- out ---- */

static size_t batch_room(const struct kb_coordinator_append *a)
{
    size_t room = WIRE_RECORD_BATCH_HEAD + 8;
    for (uint32_t i = 0; i < a->count; i++)
        room += RECORD_ROOM + (size_t)a->records[i].key_size +
                (a->records[i].value_size > 0 ? (size_t)a->records[i].value_size : 0);
    return room;
}

size_t kb_coordinator_batch(const struct kb_coordinator_append *a, uint8_t *bytes, size_t room)
{
    const struct wire_record_batch head = {.leader_epoch = -1,
                                           .base_timestamp = a->timestamp_ms,
                                           .producer_id = a->producer_id,
                                           .producer_epoch = a->producer_epoch,
                                           .base_sequence = a->base_sequence,
                                           .transactional = a->transactional};
    struct wire_record_batch_writer w;
    wire_record_batch_begin(&w, bytes, room, &head);
    for (uint32_t i = 0; i < a->count; i++)
        wire_record_batch_add(&w,
                              &(struct wire_log_record){.offset = i,
                                                        .timestamp = a->timestamp_ms,
                                                        .key = a->records[i].key,
                                                        .value = a->records[i].value,
                                                        .key_size = a->records[i].key_size,
                                                        .value_size = a->records[i].value_size},
                              NULL);
    return wire_record_batch_end(&w);
}

static struct kb_batch make_batch(struct kb_turn *t, const char *topic,
                                  const struct kb_coordinator_append *a)
{
    const struct kb_payloads *payloads = t->out->payloads;
    struct wire_record_batch made;
    const uint8_t *stored;
    size_t room = batch_room(a);
    uint8_t *bytes = kb_turn_room(t, room);
    size_t size = kb_coordinator_batch(a, bytes, room);
    stored = bytes;
    if (size == 0 || wire_record_batch_read(bytes, size, &made) != SM_ERR_OK ||
        kb_records_recode(t, kb_compression_for(t, topic), &stored, &made) != 0)
        return (struct kb_batch){0};
    return kb_batch_of(&made, payloads->keep(payloads->context, stored, made.size));
}

void kb_coordinator_append(struct kb_turn *t, enum kb_coordinator c,
                           const struct kb_coordinator_append *a)
{
    const struct kb_payloads *payloads = t->out->payloads;
    struct kb_event e = {.kind = KB_EVENT_APPEND,
                         .coordinator = (int32_t)c,
                         .partition = a->partition,
                         .acks = a->acks,
                         .append_id = a->append_id,
                         .timeout_us = a->timeout_us};
    size_t before = t->scratch_used;
    e.batch = make_batch(t, kb_coordinator_topic(c), a);
    t->scratch_used = before;
    if (e.batch.payload != 0) { /* the queue holds it until a log does */
        payloads->refer(payloads->context, e.batch.payload, 1);
    } else {
        e.kind = KB_EVENT_APPENDED;
        e.error = WIRE_ERROR_KAFKA_STORAGE_ERROR;
        e.offset = -1;
    }
    kb_event_put(t->b, &e);
}

/* ---- in ---- */

/* The records of a batch, in scratch. */
static const struct kb_log_record *records_of(struct kb_turn *t, const struct kb_batch *batch,
                                              uint32_t *count)
{
    const struct kb_payloads *payloads = t->out->payloads;
    struct wire_record_batch head;
    struct wire_log_walk walk;
    struct wire_log_record record;
    size_t size = 0, used;
    const uint8_t *bytes = payloads->bytes_of(payloads->context, batch->payload, &size), *unpacked;
    uint8_t *place = NULL;
    *count = 0;
    if (bytes == NULL || wire_record_batch_read(bytes, size, &head) != SM_ERR_OK)
        return NULL;
    if (head.codec != WIRE_CODEC_NONE)
        place = kb_turn_room(t, UNPACK_ROOM);
    if (wire_record_batch_records(&head, place, UNPACK_ROOM, &unpacked, &used) != SM_ERR_OK)
        return NULL;
    size_t room =
        used / RECORD_LEAST < (size_t)head.count ? used / RECORD_LEAST : (size_t)head.count;
    if (room * sizeof(struct kb_log_record) > kb_turn_scratch_left(t) / 2)
        return NULL;
    struct kb_log_record *list = kb_turn_scratch(t, room * sizeof *list);
    wire_log_walk_begin(&walk, &head, unpacked, used);
    while (*count < room && wire_log_record_next(&walk, &record) == SM_ERR_OK)
        if (record.key_size >= 0)
            list[(*count)++] = (struct kb_log_record){.key = record.key,
                                                      .value = record.value,
                                                      .key_size = record.key_size,
                                                      .value_size = record.value_size};
    return list;
}

static enum sm_err load_batch(struct kb_turn *t, const struct kb_coordinator_row *row,
                              int32_t partition, const struct kb_batch *from)
{
    struct kb_log_batch batch = {
        .base_offset = from->base_offset, .producer_id = from->producer_id, .flags = from->flags};
    size_t before = t->scratch_used;
    if ((from->flags & KB_CONTROL) == 0)
        batch.records = records_of(t, from, &batch.count);
    enum sm_err err = row->load(t, partition, &batch);
    t->scratch_used = before;
    return err;
}

/* The first batch that ends behind `offset`. */
static uint32_t batch_behind(const struct kb_partition_view *v, int64_t offset)
{
    uint32_t low = 0, high = v->batch_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (v->batches[middle].base_offset + v->batches[middle].last_offset_delta < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum sm_err kb_load_slice(struct kb_turn *t, const struct kb_coordinator_row *row,
                          struct kb_load *load, bool *is_done)
{
    struct kb_partition_view v;
    if (!kb_partition(t->out->replicas, row->topic, load->partition, &v) || !v.has_log) {
        *is_done = true;
        return SM_ERR_OK;
    }
    uint32_t at = batch_behind(&v, load->at > v.log_start ? load->at : v.log_start);
    for (uint32_t n = 0; n < SLICE_BATCHES && at < v.batch_count; n++, at++) {
        enum sm_err err = load_batch(t, row, load->partition, &v.batches[at]);
        if (err != SM_ERR_OK)
            return err;
        load->at = v.batches[at].base_offset + v.batches[at].last_offset_delta + 1;
    }
    *is_done = at == v.batch_count;
    return SM_ERR_OK;
}
