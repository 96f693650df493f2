/*
 * Record batches (magic 2): the form that records have in Produce and Fetch, in logs, and in the
 * hands of replicas. A broker stores the bytes as they came, and writes into them in two places
 * only.
 *
 *     0  base offset i64       assigned by the leader       \  outside the
 *     8  size i32              of what follows              |  checksum
 *     12 leader epoch i32      set by the leader            |
 *     16 magic i8 = 2                                       /
 *     17 CRC-32C u32           of all that follows
 *     21 attributes i16        bits 0–2 codec, 3 log-append time, 4 transactional, 5 control
 *     23 last offset delta i32 | 27 base timestamp i64 | 35 max timestamp i64
 *     43 producer id i64 | 51 producer epoch i16 | 53 base sequence i32 | 57 count i32
 *     61 records, compressed as one where a codec is named
 *
 * Reading is total and in place; writing appends to a buffer that the caller brings. Compression is
 * the libraries' (what is under it below lets one use memory of its own); all else allocates
 * nothing.
 *
 * Source: Kafka DefaultRecordBatch, DefaultRecord, MemoryRecordsBuilder, EndTransactionMarker,
 * CompressionType; KIP-98.
 */
#ifndef WIRE_RECORD_BATCH_H
#define WIRE_RECORD_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "statemachine/error.h"

enum wire_codec {
    WIRE_CODEC_NONE,
    WIRE_CODEC_GZIP,
    WIRE_CODEC_SNAPPY,
    WIRE_CODEC_LZ4,
    WIRE_CODEC_ZSTD,
    WIRE_CODEC_END,
};
const char *wire_codec_name(enum wire_codec codec); /* "none", "gzip", …: Kafka's; static */

enum {
    WIRE_RECORD_BATCH_HEAD = 61,
    WIRE_RECORD_BATCH_START =
        12, /* base offset and size: what must be there to know how much follows */
};

/* The head of a batch, and where its records are. */
struct wire_record_batch {
    int64_t base_offset;
    size_t size; /* of the whole, head included */
    int32_t leader_epoch;
    uint32_t crc;
    enum wire_codec codec;
    bool log_append_time; /* max_timestamp is that of every record */
    bool transactional;
    bool control;
    int32_t last_offset_delta;
    int64_t base_timestamp, max_timestamp; /* -1: none */
    int64_t producer_id;                   /* -1: none */
    int16_t producer_epoch;
    int32_t base_sequence; /* -1: none */
    int32_t count;
    const uint8_t *records; /* alias of the bytes */
    size_t records_size;
};

/* ---- reading ---- */

/* Reads the head of the batch at `bytes`. OK: out->size of the `size` bytes are the batch; LIMIT: a
   batch may begin here, but is not all there (the end of a Fetch response is often so); out->size
   is what it says it has, 0 where even that is not there; SYNTAX: no batch can look so; RANGE:
   another magic (0 and 1: message sets of before 0.11; out->size as for LIMIT) or an unknown codec.
   The checksum is not looked at. */
enum sm_err wire_record_batch_read(const uint8_t *bytes, size_t size,
                                   struct wire_record_batch *out);

/* Returns whether the checksum of the batch, as it was read from `bytes`, is right. */
bool wire_record_batch_is_intact(const uint8_t *bytes, const struct wire_record_batch *b);

/* A record. Times and offsets are whole, not deltas. */
struct wire_log_record {
    int64_t offset;
    int64_t timestamp;
    const uint8_t *key, *value;   /* aliases; NULL: null */
    int32_t key_size, value_size; /* -1: null */
    int32_t header_count;
    const uint8_t *headers; /* for wire_log_header_next */
    size_t headers_size;
};
struct wire_log_header {
    const uint8_t *key, *value; /* aliases; value NULL: null */
    int32_t key_size, value_size;
};

/* A walk over the records of a batch: begin with the batch and its records uncompressed (b->records
   where codec is NONE, else what wire_decompress gave). wire_log_record_next returns OK and a
   record; NO_ELEMENT behind the last; SYNTAX where the records do not hold together, or are not as
   many as the head says. */
struct wire_log_walk {
    const struct wire_record_batch *batch;
    const uint8_t *at, *end;
    int32_t left;
};
void wire_log_walk_begin(struct wire_log_walk *w, const struct wire_record_batch *b,
                         const uint8_t *records, size_t size);
enum sm_err wire_log_record_next(struct wire_log_walk *w, struct wire_log_record *out);
/* Gives the next header of a record: *at starts at 0; false behind the last. The record has been
   checked, headers too, when it was given. */
bool wire_log_header_next(const struct wire_log_record *r, size_t *at, struct wire_log_header *out);

/* ---- writing ---- */

struct wire_record_batch_writer {
    uint8_t *bytes;
    size_t capacity, used;
    struct wire_record_batch head; /* as it will be; count and last_offset_delta so far */
    int64_t max_timestamp;
    bool overflow;
};

/* Begins a batch in `bytes` with what `head` says but for sizes, counts, max_timestamp, codec and
   checksum, which come of themselves. A producer leaves base_offset 0 and leader_epoch -1. The base
   timestamp is that of the first record. */
void wire_record_batch_begin(struct wire_record_batch_writer *w, uint8_t *bytes, size_t capacity,
                             const struct wire_record_batch *head);
/* Appends a record: offset (its delta to the base offset is what counts), timestamp, key, value,
   and header_count headers; the pointers are borrowed. */
void wire_record_batch_add(struct wire_record_batch_writer *w, const struct wire_log_record *r,
                           const struct wire_log_header *headers);
/* Returns the size of the batch, 0 where it did not fit. A batch without records is sound. */
size_t wire_record_batch_end(struct wire_record_batch_writer *w);

/* Writes the control batch that ends a transaction: one record, key {0, 1 for commit}, value {0,
   coordinator epoch}. Returns its size, 0 where it did not fit. */
size_t wire_record_batch_marker(uint8_t *bytes, size_t capacity, int64_t producer_id,
                                int16_t producer_epoch, bool commit, int32_t coordinator_epoch,
                                int64_t timestamp);
/* Returns whether a record of a control batch ends a transaction, and how. */
bool wire_log_record_is_marker(const struct wire_log_record *r, bool *commit,
                               int32_t *coordinator_epoch);

/* What a leader writes into a batch that it has taken: outside the checksum. */
void wire_record_batch_assign(uint8_t *bytes, int64_t base_offset, int32_t leader_epoch);
/* Marks a batch of `size` bytes as stamped by the broker at `timestamp`; the checksum is made anew.
 */
void wire_record_batch_stamp(uint8_t *bytes, size_t size, int64_t timestamp);

/* ---- compression ---- */

/* Unpacks `size` bytes of a codec into `out`. OK, *used bytes; LIMIT: capacity does not do (the
   bytes do not always say how much would: double, up to what you will bear); SYNTAX: not of this
   codec. Snappy: both the framing of Java clients and plain blocks (librdkafka). */
enum sm_err wire_decompress(enum wire_codec codec, const uint8_t *bytes, size_t size, uint8_t *out,
                            size_t capacity, size_t *used);

/* Packs. OK, *used bytes; LIMIT: does not fit; RANGE: no such codec. Snappy: framed, as Java
   clients read it (and librdkafka does). */
enum sm_err wire_compress(enum wire_codec codec, const uint8_t *bytes, size_t size, uint8_t *out,
                          size_t capacity, size_t *used);

/* Gives the records of a batch as wire_log_walk_begin wants them: where they lie, if no codec is
   named, else unpacked into `room`. OK; LIMIT: they do not fit there; SYNTAX: not of this codec.
   *records aliases the batch or `room`. */
enum sm_err wire_record_batch_records(const struct wire_record_batch *b, uint8_t *room,
                                      size_t capacity, const uint8_t **records, size_t *size);

/* Makes of an uncompressed batch of `size` bytes one of `codec`, as a producer sends it. OK, *used
   bytes; LIMIT: does not fit in `capacity`; RANGE: not an uncompressed batch, or no such codec. */
enum sm_err wire_record_batch_compress(enum wire_codec codec, const uint8_t *bytes, size_t size,
                                       uint8_t *out, size_t capacity, size_t *used);

/* Makes of a batch, whatever its codec, the same with `codec`, as a leader does whose topic wants
   that: head and records stay as they are. `room`, with `room_size` bytes, is for the records
   unpacked. OK, *used bytes; LIMIT: `room` or `capacity` does not do; SYNTAX: its records cannot be
   unpacked; NO_ELEMENT: they do not hold together, or are not numbered one after the other; RANGE:
   no batch, or no such codec. Source: LogValidator.validateMessagesAndAssignOffsetsCompressed. */
enum sm_err wire_record_batch_recode(enum wire_codec codec, const uint8_t *bytes, size_t size,
                                     uint8_t *room, size_t room_size, uint8_t *out, size_t capacity,
                                     size_t *used);

/* CRC-32C, as iSCSI has it. */
uint32_t wire_crc32c(const uint8_t *bytes, size_t size);

#endif
