/*
 * Heads, records and markers of record batches.
 *
 * A record is numbers of variable length, zigzag (1, -1, 2, -2 … as 2, 1, 4, 3 …), and texts:
 *
 *     length | attributes | timestamp delta | offset delta | key | value | count | headers
 *
 * A walk checks a whole record, headers included, before it gives it, so whoever holds a record may
 * read it without care. The head of a batch that is being written is filled in last, when sizes are
 * known.
 *
 * Source: wire/record_batch.h.
 */
#include "wire/record_batch.h"

#include <assert.h>
#include <isa-l/crc.h>
#include <string.h>

#include "wire/bytes.h"

enum {
    AT_SIZE = 8,
    AT_EPOCH = 12,
    AT_MAGIC = 16,
    AT_CRC = 17,
    AT_ATTRIBUTES = 21,
    AT_MAX_TIMESTAMP = 35,
    MAGIC = 2,
    CODEC_MASK = 7,
    LOG_APPEND_TIME = 8,
    TRANSACTIONAL = 16,
    CONTROL = 32,
    VARLONG_BYTES_MAX = 10,
};

uint32_t wire_crc32c(const uint8_t *bytes, size_t size)
{
    enum { STEP = 1 << 30 }; /* the library counts in int, and takes the bytes as its own */
    uint32_t crc = UINT32_MAX;
    while (size > 0) {
        size_t part = size < STEP ? size : STEP;
        crc = crc32_iscsi((unsigned char *)(uintptr_t)bytes, (int)part, crc);
        bytes += part;
        size -= part;
    }
    return ~crc;
}

const char *wire_codec_name(enum wire_codec codec)
{
    static const char *const names[WIRE_CODEC_END] = {"none", "gzip", "snappy", "lz4", "zstd"};
    return (unsigned)codec < WIRE_CODEC_END ? names[codec] : "unknown";
}

/* ---- heads ---- */

static void take_head(struct wire_reader *r, struct wire_record_batch *out)
{
    out->crc = (uint32_t)wire_take_int32(r);
    int16_t attributes = wire_take_int16(r);
    out->codec = (enum wire_codec)(attributes & CODEC_MASK);
    out->log_append_time = (attributes & LOG_APPEND_TIME) != 0;
    out->transactional = (attributes & TRANSACTIONAL) != 0;
    out->control = (attributes & CONTROL) != 0;
    out->last_offset_delta = wire_take_int32(r);
    out->base_timestamp = wire_take_int64(r);
    out->max_timestamp = wire_take_int64(r);
    out->producer_id = wire_take_int64(r);
    out->producer_epoch = wire_take_int16(r);
    out->base_sequence = wire_take_int32(r);
    out->count = wire_take_int32(r);
}

enum sm_err wire_record_batch_read(const uint8_t *bytes, size_t size, struct wire_record_batch *out)
{
    struct wire_reader r = wire_reader_of(bytes, size, false);
    memset(out, 0, sizeof *out);
    if (size < WIRE_RECORD_BATCH_START)
        return SM_ERR_LIMIT;
    out->base_offset = wire_take_int64(&r);
    int32_t rest = wire_take_int32(&r);
    if (rest < AT_CRC - WIRE_RECORD_BATCH_START)
        return SM_ERR_SYNTAX;
    out->size = (size_t)rest + WIRE_RECORD_BATCH_START;
    if (size <= AT_MAGIC)
        return SM_ERR_LIMIT;
    out->leader_epoch = wire_take_int32(&r);
    if (wire_take_number(&r, 1) != MAGIC)
        return SM_ERR_RANGE;
    if (out->size < WIRE_RECORD_BATCH_HEAD)
        return SM_ERR_SYNTAX;
    if (size < out->size)
        return SM_ERR_LIMIT;
    take_head(&r, out);
    out->records = r.at;
    out->records_size = out->size - WIRE_RECORD_BATCH_HEAD;
    if (out->count < 0 || out->last_offset_delta < 0)
        return SM_ERR_SYNTAX;
    return out->codec < WIRE_CODEC_END ? SM_ERR_OK : SM_ERR_RANGE;
}

bool wire_record_batch_is_intact(const uint8_t *bytes, const struct wire_record_batch *b)
{
    return wire_crc32c(bytes + AT_ATTRIBUTES, b->size - AT_ATTRIBUTES) == b->crc;
}

/* ---- records ---- */

/* A zigzag number of at most `bits` (32 or 64) bits. */
static int64_t take_varint(struct wire_reader *r, unsigned bits)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < (bits == 32 ? (unsigned)WIRE_UVARINT_BYTES_MAX : VARLONG_BYTES_MAX);
         i++) {
        const uint8_t *at = wire_take(r, 1);
        if (at == NULL)
            return 0;
        n |= (uint64_t)(*at & 0x7f) << 7 * i;
        if ((*at & 0x80) == 0) {
            r->bad = (bits == 32 && n > UINT32_MAX) || (i == 9 && *at > 1);
            return (int64_t)(n >> 1) ^ -(int64_t)(n & 1);
        }
    }
    r->bad = true;
    return 0;
}

/* A length, -1 for null where that may be, and so many bytes. */
static const uint8_t *take_text(struct wire_reader *r, int32_t least, int32_t *size)
{
    int64_t n = take_varint(r, 32);
    if (n < least || r->bad) {
        r->bad = true;
        return NULL;
    }
    *size = (int32_t)n;
    return n < 0 ? NULL : wire_take(r, (size_t)n);
}

static void take_header(struct wire_reader *r, struct wire_log_header *out)
{
    out->key = take_text(r, 0, &out->key_size);
    out->value = take_text(r, -1, &out->value_size);
}

static void take_record(struct wire_reader *r, const struct wire_record_batch *b,
                        struct wire_log_record *out)
{
    wire_take(r, 1); /* attributes: none are in use */
    int64_t time_delta = take_varint(r, 64);
    int64_t offset_delta = take_varint(r, 32);
    out->timestamp = b->log_append_time
                         ? b->max_timestamp
                         : (int64_t)((uint64_t)b->base_timestamp + (uint64_t)time_delta);
    out->offset = (int64_t)((uint64_t)b->base_offset + (uint64_t)offset_delta);
    out->key = take_text(r, -1, &out->key_size);
    out->value = take_text(r, -1, &out->value_size);
    int64_t headers = take_varint(r, 32);
    r->bad = r->bad || headers < 0;
    out->headers = r->at;
    for (int64_t i = 0; i < headers && !r->bad; i++) {
        struct wire_log_header header;
        take_header(r, &header);
    }
    out->header_count = r->bad ? 0 : (int32_t)headers;
    out->headers_size = (size_t)(r->at - out->headers);
}

void wire_log_walk_begin(struct wire_log_walk *w, const struct wire_record_batch *b,
                         const uint8_t *records, size_t size)
{
    *w = (struct wire_log_walk){.batch = b,
                                .at = records,
                                .end = records == NULL ? NULL : records + size,
                                .left = b->count};
}

enum sm_err wire_log_record_next(struct wire_log_walk *w, struct wire_log_record *out)
{
    struct wire_reader r = {.at = w->at, .end = w->end};
    memset(out, 0, sizeof *out);
    if (w->left == 0)
        return w->at == w->end ? SM_ERR_NO_ELEMENT : SM_ERR_SYNTAX;
    int64_t size = take_varint(&r, 32);
    if (r.bad || size < 0 || (uint64_t)size > wire_left(&r))
        return SM_ERR_SYNTAX;
    r.end = r.at + size;
    take_record(&r, w->batch, out);
    if (r.bad || r.at != r.end)
        return SM_ERR_SYNTAX;
    w->at = r.end;
    w->left--;
    return SM_ERR_OK;
}

bool wire_log_header_next(const struct wire_log_record *r, size_t *at, struct wire_log_header *out)
{
    struct wire_reader in = {.at = r->headers + *at, .end = r->headers + r->headers_size};
    if (in.at == in.end)
        return false;
    take_header(&in, out);
    *at = (size_t)(in.at - r->headers);
    return !in.bad;
}

/* ---- writing ---- */

static size_t varint_size(int64_t n)
{
    uint64_t zigzag = (uint64_t)n << 1 ^ (uint64_t)(n >> 63);
    size_t size = 1;
    while (zigzag >>= 7)
        size++;
    return size;
}

static void put_varint(struct wire_writer *w, int64_t n)
{
    uint64_t zigzag = (uint64_t)n << 1 ^ (uint64_t)(n >> 63);
    for (; zigzag >= 0x80; zigzag >>= 7)
        wire_put_number(w, (zigzag & 0x7f) | 0x80, 1);
    wire_put_number(w, zigzag, 1);
}

static size_t text_size(const uint8_t *text, int32_t size)
{
    return text == NULL ? varint_size(-1) : varint_size(size) + (size_t)size;
}

static void put_text(struct wire_writer *w, const uint8_t *text, int32_t size)
{
    put_varint(w, text == NULL ? -1 : size);
    if (text != NULL)
        wire_put(w, text, (size_t)size);
}

void wire_record_batch_begin(struct wire_record_batch_writer *w, uint8_t *bytes, size_t capacity,
                             const struct wire_record_batch *head)
{
    *w = (struct wire_record_batch_writer){.bytes = bytes,
                                           .capacity = capacity,
                                           .used = WIRE_RECORD_BATCH_HEAD,
                                           .head = *head,
                                           .max_timestamp = -1,
                                           .overflow = capacity < WIRE_RECORD_BATCH_HEAD};
    w->head.count = 0;
    w->head.last_offset_delta = 0;
}

void wire_record_batch_add(struct wire_record_batch_writer *w, const struct wire_log_record *r,
                           const struct wire_log_header *headers)
{
    if (w->head.count == 0)
        w->head.base_timestamp = r->timestamp;
    int64_t time_delta = (int64_t)((uint64_t)r->timestamp - (uint64_t)w->head.base_timestamp);
    int64_t offset_delta = r->offset - w->head.base_offset;
    assert(offset_delta >= 0);
    assert(offset_delta <= INT32_MAX);
    size_t size = 1 + varint_size(time_delta) + varint_size(offset_delta) +
                  text_size(r->key, r->key_size) + text_size(r->value, r->value_size) +
                  varint_size(r->header_count);
    for (int32_t i = 0; i < r->header_count; i++)
        size += text_size(headers[i].key, headers[i].key_size) +
                text_size(headers[i].value, headers[i].value_size);

    struct wire_writer out = {.bytes = w->bytes, .used = w->used, .capacity = w->capacity};
    put_varint(&out, (int64_t)size);
    wire_put_number(&out, 0, 1);
    put_varint(&out, time_delta);
    put_varint(&out, offset_delta);
    put_text(&out, r->key, r->key_size);
    put_text(&out, r->value, r->value_size);
    put_varint(&out, r->header_count);
    for (int32_t i = 0; i < r->header_count; i++) {
        put_text(&out, headers[i].key, headers[i].key_size);
        put_text(&out, headers[i].value, headers[i].value_size);
    }
    w->used = out.used;
    w->overflow = w->overflow || out.used > out.capacity || out.used > INT32_MAX;
    w->head.count++;
    w->head.last_offset_delta = (int32_t)offset_delta;
    if (r->timestamp > w->max_timestamp)
        w->max_timestamp = r->timestamp;
}

static void put_head(struct wire_writer *w, const struct wire_record_batch *h, size_t size,
                     int64_t max_timestamp)
{
    int attributes = (int)h->codec | (h->log_append_time ? LOG_APPEND_TIME : 0) |
                     (h->transactional ? TRANSACTIONAL : 0) | (h->control ? CONTROL : 0);
    wire_put_int64(w, h->base_offset);
    wire_put_int32(w, (int32_t)(size - WIRE_RECORD_BATCH_START));
    wire_put_int32(w, h->leader_epoch);
    wire_put_int8(w, MAGIC);
    wire_put_int32(w, 0);
    wire_put_int16(w, (int16_t)attributes);
    wire_put_int32(w, h->last_offset_delta);
    wire_put_int64(w, h->base_timestamp);
    wire_put_int64(w, max_timestamp);
    wire_put_int64(w, h->producer_id);
    wire_put_int16(w, h->producer_epoch);
    wire_put_int32(w, h->base_sequence);
    wire_put_int32(w, h->count);
}

static void seal(uint8_t *bytes, size_t size)
{
    wire_store(bytes + AT_CRC, wire_crc32c(bytes + AT_ATTRIBUTES, size - AT_ATTRIBUTES), 4);
}

size_t wire_record_batch_end(struct wire_record_batch_writer *w)
{
    if (w->overflow)
        return 0;
    struct wire_writer out = {.bytes = w->bytes, .capacity = WIRE_RECORD_BATCH_HEAD};
    w->head.codec = WIRE_CODEC_NONE;
    put_head(&out, &w->head, w->used,
             w->head.log_append_time ? w->head.max_timestamp : w->max_timestamp);
    assert(out.used == WIRE_RECORD_BATCH_HEAD);
    seal(w->bytes, w->used);
    return w->used;
}

/* ---- markers ---- */

size_t wire_record_batch_marker(uint8_t *bytes, size_t capacity, int64_t producer_id,
                                int16_t producer_epoch, bool commit, int32_t coordinator_epoch,
                                int64_t timestamp)
{
    const struct wire_record_batch head = {.leader_epoch = -1,
                                           .transactional = true,
                                           .control = true,
                                           .producer_id = producer_id,
                                           .producer_epoch = producer_epoch,
                                           .base_sequence = -1};
    const uint8_t key[4] = {0, 0, 0, commit};
    uint8_t value[6] = {0};
    wire_store(value + 2, (uint32_t)coordinator_epoch, 4);
    const struct wire_log_record r = {.timestamp = timestamp,
                                      .key = key,
                                      .key_size = sizeof key,
                                      .value = value,
                                      .value_size = sizeof value};
    struct wire_record_batch_writer w;
    wire_record_batch_begin(&w, bytes, capacity, &head);
    wire_record_batch_add(&w, &r, NULL);
    return wire_record_batch_end(&w);
}

bool wire_log_record_is_marker(const struct wire_log_record *r, bool *commit,
                               int32_t *coordinator_epoch)
{
    struct wire_reader key = wire_reader_of(r->key, (size_t)r->key_size, false);
    struct wire_reader value = wire_reader_of(r->value, (size_t)r->value_size, false);
    int16_t version = wire_take_int16(&key);
    int16_t type = wire_take_int16(&key);
    wire_take_int16(&value);
    *coordinator_epoch = wire_take_int32(&value);
    *commit = type == 1;
    return !key.bad && !value.bad && version >= 0 && (type == 0 || type == 1);
}

/* ---- what a leader writes ---- */

void wire_record_batch_assign(uint8_t *bytes, int64_t base_offset, int32_t leader_epoch)
{
    wire_store(bytes, (uint64_t)base_offset, 8);
    wire_store(bytes + AT_EPOCH, (uint32_t)leader_epoch, 4);
}

void wire_record_batch_stamp(uint8_t *bytes, size_t size, int64_t timestamp)
{
    assert(size >= WIRE_RECORD_BATCH_HEAD);
    bytes[AT_ATTRIBUTES + 1] |= LOG_APPEND_TIME;
    wire_store(bytes + AT_MAX_TIMESTAMP, (uint64_t)timestamp, 8);
    seal(bytes, size);
}

/* ---- compression ---- */

enum sm_err wire_record_batch_records(const struct wire_record_batch *b, uint8_t *room,
                                      size_t capacity, const uint8_t **records, size_t *size)
{
    *records = b->records;
    *size = b->records_size;
    if (b->codec == WIRE_CODEC_NONE)
        return SM_ERR_OK;
    *records = room;
    return wire_decompress(b->codec, b->records, b->records_size, room, capacity, size);
}

/* Packs records behind the head of their batch, which is then the head of what was packed. */
static enum sm_err put_packed(enum wire_codec codec, struct wire_record_batch head,
                              const uint8_t *records, size_t size, uint8_t *out, size_t capacity,
                              size_t *used)
{
    size_t packed;
    if (capacity < WIRE_RECORD_BATCH_HEAD)
        return SM_ERR_LIMIT;
    enum sm_err err = wire_compress(codec, records, size, out + WIRE_RECORD_BATCH_HEAD,
                                    capacity - WIRE_RECORD_BATCH_HEAD, &packed);
    if (err != SM_ERR_OK)
        return err;
    *used = WIRE_RECORD_BATCH_HEAD + packed;
    struct wire_writer w = {.bytes = out, .capacity = WIRE_RECORD_BATCH_HEAD};
    head.codec = codec;
    put_head(&w, &head, *used, head.max_timestamp);
    seal(out, *used);
    return SM_ERR_OK;
}

enum sm_err wire_record_batch_compress(enum wire_codec codec, const uint8_t *bytes, size_t size,
                                       uint8_t *out, size_t capacity, size_t *used)
{
    struct wire_record_batch b;
    *used = 0;
    if (wire_record_batch_read(bytes, size, &b) != SM_ERR_OK || b.codec != WIRE_CODEC_NONE ||
        (unsigned)codec >= WIRE_CODEC_END)
        return SM_ERR_RANGE;
    return put_packed(codec, b, b.records, b.records_size, out, capacity, used);
}

/* Whether the records are all there, and numbered from the base offset on. */
static bool are_in_order(const struct wire_record_batch *b, const uint8_t *records, size_t size)
{
    struct wire_log_walk walk;
    struct wire_log_record record;
    enum sm_err err;
    uint64_t next = (uint64_t)b->base_offset;
    wire_log_walk_begin(&walk, b, records, size);
    while ((err = wire_log_record_next(&walk, &record)) == SM_ERR_OK)
        if ((uint64_t)record.offset != next++)
            return false;
    return err == SM_ERR_NO_ELEMENT;
}

enum sm_err wire_record_batch_recode(enum wire_codec codec, const uint8_t *bytes, size_t size,
                                     uint8_t *room, size_t room_size, uint8_t *out, size_t capacity,
                                     size_t *used)
{
    struct wire_record_batch b;
    const uint8_t *records;
    size_t records_size;
    *used = 0;
    if (wire_record_batch_read(bytes, size, &b) != SM_ERR_OK || (unsigned)codec >= WIRE_CODEC_END)
        return SM_ERR_RANGE;
    enum sm_err err = wire_record_batch_records(&b, room, room_size, &records, &records_size);
    if (err != SM_ERR_OK)
        return err;
    if (!are_in_order(&b, records, records_size))
        return SM_ERR_NO_ELEMENT;
    return put_packed(codec, b, records, records_size, out, capacity, used);
}
