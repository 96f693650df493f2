/*
 * Batches as logs know them, and their bytes: read when they come in, written when they go out.
 *
 *     bytes of a partition ──► head of each batch ──► struct kb_batch, handle of the bytes
 *                                      └─ packed anew where the topic names another codec
 *     struct kb_batch ──► the kept bytes, with base offset and leader epoch of this very log
 *
 * Packing anew is the leader's alone, and is done before anything is judged by the replicas: what
 * they see, size included, is what the log will hold. Followers take what they fetch as it is.
 *
 * A batch may begin before the offset that was asked for, and the last one on the wire may be cut:
 * readers pass over what is not whole, as Kafka's do.
 *
 * Differs: Kafka numbers records anew whose producer did not number them one after the other; here
 * they are refused, where the batch has to be packed anew. What unpacks to more than scratch holds
 * is too large.
 *
 * Source: Kafka ProduceRequest.validateRecords, LogValidator, MemoryRecords, DefaultRecordBatch,
 * BrokerCompressionCodec.getTargetCompressionCodec.
 */
#include <string.h>

#include "broker/state.h"
#include "wire/record_batch.h"

enum { ZSTD_VERSION = 7 };

/* A control batch holds one marker. */
static void read_marker(const struct wire_record_batch *head, struct kb_batch *out)
{
    struct wire_log_walk walk;
    struct wire_log_record record;
    bool commit = false;
    out->flags |= KB_CONTROL;
    wire_log_walk_begin(&walk, head, head->records, head->records_size);
    if (head->codec == WIRE_CODEC_NONE && wire_log_record_next(&walk, &record) == SM_ERR_OK &&
        wire_log_record_is_marker(&record, &commit, &out->coordinator_epoch) && commit)
        out->flags |= KB_COMMIT;
}

struct kb_batch kb_batch_of(const struct wire_record_batch *head, uint64_t payload)
{
    struct kb_batch b = {.base_offset = head->base_offset,
                         .payload = payload,
                         .first_timestamp =
                             head->log_append_time ? head->max_timestamp : head->base_timestamp,
                         .max_timestamp = head->max_timestamp,
                         .producer_id = head->producer_id,
                         .last_offset_delta = head->last_offset_delta,
                         .leader_epoch = head->leader_epoch,
                         .base_sequence = head->base_sequence,
                         .size = (uint32_t)head->size,
                         .record_count = (uint32_t)head->count,
                         .producer_epoch = head->producer_epoch,
                         .codec = (uint32_t)head->codec,
                         .flags = head->transactional ? KB_TRANSACTIONAL : 0};
    if (head->control)
        read_marker(head, &b);
    return b;
}

/* What a client may not send. Produce knows zstd from version 7 on. */
static int32_t client_error(const struct kb_turn *t, const uint8_t *bytes,
                            const struct wire_record_batch *head)
{
    if (head->codec == WIRE_CODEC_ZSTD && t->in->version < ZSTD_VERSION)
        return WIRE_ERROR_UNSUPPORTED_COMPRESSION_TYPE;
    if (!wire_record_batch_is_intact(bytes, head))
        return WIRE_ERROR_CORRUPT_MESSAGE;
    if (head->control || head->count <= 0 || head->last_offset_delta != head->count - 1 ||
        (head->producer_id >= 0 && (head->producer_epoch < 0 || head->base_sequence < 0)))
        return WIRE_ERROR_INVALID_RECORD;
    return 0;
}

/* What no log takes. */
static int32_t peer_error(const uint8_t *bytes, const struct wire_record_batch *head)
{
    return wire_record_batch_is_intact(bytes, head) && head->base_offset >= 0 &&
                   head->last_offset_delta >= 0 && head->leader_epoch >= 0 && head->count >= 0
               ? 0
               : WIRE_ERROR_CORRUPT_MESSAGE;
}

/* ---- codecs ---- */

enum kb_compression kb_compression_for(const struct kb_turn *t, const char *topic)
{
    int32_t own = kb_topic_config(t->out->replicas, topic).compression;
    const char *value =
        own == KB_COMPRESSION_UNSET ? kb_setting_in_force(t->b, "compression.type") : NULL;
    return own == KB_COMPRESSION_UNSET ? kb_compression_of(value) : (enum kb_compression)own;
}

int32_t kb_records_recode(struct kb_turn *t, enum kb_compression wanted, const uint8_t **bytes,
                          struct wire_record_batch *head)
{
    enum wire_codec codec = (enum wire_codec)((int)wanted - KB_COMPRESSION_NONE);
    if (wanted < KB_COMPRESSION_NONE || head->codec == codec || head->control ||
        head->size > (size_t)kb_replicas_config(t->out->replicas)->message_max_bytes)
        return 0;
    size_t half = kb_turn_scratch_left(t) / 2 & ~(size_t)7, used;
    uint8_t *unpacked = (uint8_t *)t->out->scratch + t->scratch_used, *packed = unpacked + half;
    switch (
        wire_record_batch_recode(codec, *bytes, head->size, unpacked, half, packed, half, &used)) {
    case SM_ERR_OK:
        *bytes = packed;
        return wire_record_batch_read(packed, used, head) == SM_ERR_OK
                   ? 0
                   : WIRE_ERROR_UNKNOWN_SERVER_ERROR;
    case SM_ERR_LIMIT:
        return WIRE_ERROR_MESSAGE_TOO_LARGE;
    case SM_ERR_NO_ELEMENT:
        return WIRE_ERROR_INVALID_RECORD;
    case SM_ERR_SYNTAX:
    case SM_ERR_RANGE:
    case SM_ERR_CONTROLLER_MOVED:
    case SM_ERR_SESSION_EXPIRED:
    case SM_ERR_ILLEGAL_STATE:
    case SM_ERR_ZOOKEEPER:
        break;
    }
    return WIRE_ERROR_UNKNOWN_SERVER_ERROR;
}

/* ---- what a topic asks of records ---- */

/* A compacted log keeps the last record of each key. Source: LogValidator.validateKey. */
static int32_t keys_error(const struct kb_turn *t, const struct wire_record_batch *head)
{
    struct wire_log_walk walk;
    struct wire_log_record record;
    const uint8_t *records;
    size_t used, room = kb_turn_scratch_left(t);
    enum sm_err err = wire_record_batch_records(head, (uint8_t *)t->out->scratch + t->scratch_used,
                                                room, &records, &used);
    if (err != SM_ERR_OK)
        return err == SM_ERR_LIMIT ? WIRE_ERROR_MESSAGE_TOO_LARGE : WIRE_ERROR_CORRUPT_MESSAGE;
    wire_log_walk_begin(&walk, head, records, used);
    while ((err = wire_log_record_next(&walk, &record)) == SM_ERR_OK)
        if (record.key == NULL)
            return WIRE_ERROR_INVALID_RECORD;
    return err == SM_ERR_NO_ELEMENT ? 0 : WIRE_ERROR_CORRUPT_MESSAGE;
}

/* In a copy behind what is in use of scratch, where *bytes may lie, too. */
static void stamp(const struct kb_turn *t, const uint8_t **bytes, struct wire_record_batch *head)
{
    uint8_t *own = (uint8_t *)t->out->scratch + t->scratch_used;
    if (head->size > kb_turn_scratch_left(t))
        return;
    memmove(own, *bytes, head->size);
    wire_record_batch_stamp(own, head->size, kb_wall_ms(t));
    *bytes = own;
    wire_record_batch_read(own, head->size, head);
}

/* ---- in ---- */

/* Judges one batch and keeps it, as `wanted`. */
static int32_t take_batch(struct kb_turn *t, const uint8_t *bytes, struct wire_record_batch *head,
                          const struct kb_records_from *from, uint64_t *payload)
{
    const struct kb_payloads *payloads = t->out->payloads;
    int32_t error = from->is_client ? client_error(t, bytes, head) : peer_error(bytes, head);
    if (error == 0 && from->keyed)
        error = keys_error(t, head);
    if (error == 0 && from->is_client)
        error = kb_records_recode(t, from->wanted, &bytes, head);
    if (error == 0 && from->is_client && head->log_append_time)
        error = WIRE_ERROR_INVALID_TIMESTAMP; /* a producer may not say whose time it is */
    if (error == 0 && from->stamped)
        stamp(t, &bytes, head);
    *payload = error == 0 ? payloads->keep(payloads->context, bytes, head->size) : 0;
    return error == 0 && *payload == 0 ? WIRE_ERROR_KAFKA_STORAGE_ERROR : error;
}

int32_t kb_records_read(struct kb_turn *t, const uint8_t *bytes, int32_t size,
                        const struct kb_records_from *from, const struct kb_batch **batches,
                        uint32_t *count)
{
    size_t left = size < 0 ? 0 : (size_t)size;
    uint32_t room = (uint32_t)(left / WIRE_RECORD_BATCH_HEAD);
    struct kb_batch *out = kb_turn_scratch(t, room * sizeof *out);
    struct wire_record_batch head;
    uint64_t payload;
    *batches = out;
    *count = 0;
    while (left > 0) {
        enum sm_err err = wire_record_batch_read(bytes, left, &head);
        if (err == SM_ERR_LIMIT && !from->is_client)
            break;
        if (err != SM_ERR_OK)
            return err == SM_ERR_RANGE ? WIRE_ERROR_UNSUPPORTED_FOR_MESSAGE_FORMAT
                                       : WIRE_ERROR_CORRUPT_MESSAGE;
        const size_t whole = head.size;
        int32_t error = take_batch(t, bytes, &head, from, &payload);
        if (error != 0)
            return error;
        out[(*count)++] = kb_batch_of(&head, payload);
        bytes += whole;
        left -= whole;
    }
    return from->is_client && *count != 1 ? WIRE_ERROR_INVALID_RECORD : 0;
}

struct wire_bytes kb_records_write(struct kb_turn *t, struct wire_flat *f,
                                   const struct kb_batch *batches, uint32_t count, size_t spare)
{
    const struct kb_payloads *payloads = t->out->payloads;
    size_t total = 0, room = f->capacity - f->used > spare ? f->capacity - f->used - spare : 0;
    uint32_t fitting = 0;
    while (fitting < count && total + batches[fitting].size <= room)
        total += batches[fitting++].size;
    struct wire_array array = wire_flat_array(f, (int32_t)total, 1);
    uint8_t *to = array.count <= 0 ? NULL : wire_flat_at(f, array.at);
    for (uint32_t i = 0; i < fitting && to != NULL; i++) {
        size_t size = 0;
        const uint8_t *from = payloads->bytes_of(payloads->context, batches[i].payload, &size);
        if (from == NULL || size != batches[i].size) { /* lost: the rest is not told */
            array.count = (int32_t)(to - (uint8_t *)wire_flat_at(f, array.at));
            break;
        }
        memcpy(to, from, size);
        wire_record_batch_assign(to, batches[i].base_offset, batches[i].leader_epoch);
        to += size;
    }
    return (struct wire_bytes){.at = array.at, .size = array.count};
}

bool kb_records_find(struct kb_turn *t, uint64_t payload, int64_t base_offset, int64_t timestamp,
                     int64_t *offset, int64_t *found)
{
    const struct kb_payloads *payloads = t->out->payloads;
    struct wire_record_batch head;
    struct wire_log_walk walk;
    struct wire_log_record record;
    size_t size = 0, used, room = kb_turn_scratch_left(t) / 2 & ~(size_t)7;
    uint8_t *unpacked = (uint8_t *)t->out->scratch + t->scratch_used;
    const uint8_t *bytes = payloads->bytes_of(payloads->context, payload, &size), *records;
    bool is_found = false;
    if (bytes == NULL || wire_record_batch_read(bytes, size, &head) != SM_ERR_OK ||
        wire_record_batch_records(&head, unpacked, room, &records, &used) != SM_ERR_OK)
        return false;
    wire_log_walk_begin(&walk, &head, records, used);
    while (!is_found && wire_log_record_next(&walk, &record) == SM_ERR_OK)
        if (record.timestamp >= timestamp) {
            *offset = base_offset + (record.offset - head.base_offset);
            *found = record.timestamp;
            is_found = true;
        }
    return is_found;
}
