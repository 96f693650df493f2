/*
 * Record batches: those that Apache Kafka wrote (recorded/batches.txt) are read as it reads them,
 * and written, where not compressed, as the same bytes; what we compress comes back; any bytes do
 * no harm.
 *
 *     KC_WRITE_BATCHES=FILE test_record_batch     leaves ours in FILE, for JUDGE=FILE record.sh
 */
#define _POSIX_C_SOURCE 200809L
#include "wire/record_batch.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"
#include "recorded.h"

enum { RECORDS_MAX = 64, ROOM = 1 << 20 };

/* ---- the recording ---- */

struct recording {
    FILE *in;
    char *line;
    size_t capacity;
};

struct batch_of_kafka {
    uint8_t *bytes;
    size_t size;
    char head[256];
    char *records[RECORDS_MAX];
    int32_t count;
};

static struct recording open_recording(void)
{
    struct recording r = {.in = fopen(KC_SOURCE_DIR "/tests/wire/recorded/batches.txt", "r")};
    ck_assert_ptr_nonnull(r.in);
    ck_assert_int_gt(getline(&r.line, &r.capacity, r.in), 0);
    return r;
}

static void close_recording(struct recording *r)
{
    fclose(r->in);
    free(r->line);
}

static void forget(struct batch_of_kafka *b)
{
    free(b->bytes);
    for (int32_t i = 0; i < b->count; i++)
        free(b->records[i]);
}

/* The line at hand begins a batch; reads up to the line that begins the next. */
static bool next_batch(struct recording *r, struct batch_of_kafka *b)
{
    *b = (struct batch_of_kafka){0};
    if (feof(r->in))
        return false;
    ck_assert_int_eq(strncmp(r->line, "batch ", 6), 0);
    r->line[strcspn(r->line, "\n")] = '\0';
    b->bytes = malloc(strlen(r->line) / 2);
    b->size = recorded_unhex(r->line + 6, b->bytes);
    b->bytes = realloc(b->bytes, b->size);
    while (getline(&r->line, &r->capacity, r->in) > 0 && strncmp(r->line, "batch ", 6) != 0) {
        r->line[strcspn(r->line, "\n")] = '\0';
        if (strncmp(r->line, "head ", 5) == 0)
            snprintf(b->head, sizeof b->head, "%.250s", r->line);
        else
            b->records[b->count++] = strdup(r->line);
    }
    return true;
}

/* ---- our lines ---- */

static void add_hex(char *line, size_t room, const uint8_t *bytes, int32_t size)
{
    size_t at = strlen(line);
    if (bytes == NULL)
        snprintf(line + at, room - at, " null");
    else if (size == 0)
        snprintf(line + at, room - at, " -");
    else
        snprintf(line + at, room - at, " ");
    for (int32_t i = 0; bytes != NULL && i < size; i++) {
        at = strlen(line);
        snprintf(line + at, room - at, "%02x", bytes[i]);
    }
}

static void line_of_record(const struct wire_log_record *r, char *line, size_t room)
{
    struct wire_log_header h;
    size_t at = 0;
    snprintf(line, room, "record %lld %lld", (long long)r->offset, (long long)r->timestamp);
    add_hex(line, room, r->key, r->key_size);
    add_hex(line, room, r->value, r->value_size);
    snprintf(line + strlen(line), room - strlen(line), " %d", (int)r->header_count);
    while (wire_log_header_next(r, &at, &h)) {
        add_hex(line, room, h.key, h.key_size);
        add_hex(line, room, h.value, h.value_size);
    }
}

static void line_of_head(const struct wire_record_batch *b, char *line, size_t room)
{
    snprintf(line, room, "head %lld %d %s %d %d %d %lld %lld %lld %d %d %d",
             (long long)b->base_offset, (int)b->leader_epoch, wire_codec_name(b->codec),
             b->log_append_time, b->transactional, b->control,
             (long long)b->base_offset + b->last_offset_delta, (long long)b->max_timestamp,
             (long long)b->producer_id, b->producer_epoch, (int)b->base_sequence, (int)b->count);
}

/* Unpacks the records of a batch into heap of exactly their size. */
static uint8_t *unpack(const struct wire_record_batch *b, size_t *size)
{
    uint8_t *out = malloc(ROOM);
    ck_assert_int_eq(wire_decompress(b->codec, b->records, b->records_size, out, ROOM, size),
                     SM_ERR_OK);
    return realloc(out, *size > 0 ? *size : 1);
}

static void reads_as_kafka(const struct batch_of_kafka *k)
{
    struct wire_record_batch b;
    struct wire_log_walk w;
    struct wire_log_record r;
    char line[4096];
    size_t size;
    ck_assert_int_eq(wire_record_batch_read(k->bytes, k->size, &b), SM_ERR_OK);
    ck_assert_uint_eq(b.size, k->size);
    ck_assert(wire_record_batch_is_intact(k->bytes, &b));
    line_of_head(&b, line, sizeof line);
    ck_assert_str_eq(line, k->head);
    uint8_t *records = unpack(&b, &size);
    wire_log_walk_begin(&w, &b, records, size);
    for (int32_t i = 0; i < k->count; i++) {
        ck_assert_int_eq(wire_log_record_next(&w, &r), SM_ERR_OK);
        line_of_record(&r, line, sizeof line);
        ck_assert_str_eq(line, k->records[i]);
    }
    ck_assert_int_eq(wire_log_record_next(&w, &r), SM_ERR_NO_ELEMENT);
    free(records);
}

/* Writes the records of a batch once more; returns heap of the size that they need. */
static uint8_t *write_again(const struct wire_record_batch *b, const uint8_t *records, size_t size,
                            size_t capacity, size_t *out_size)
{
    struct wire_log_walk walk;
    struct wire_log_record r;
    struct wire_record_batch_writer w;
    uint8_t *out = malloc(capacity + 1);
    wire_record_batch_begin(&w, out, capacity, b);
    wire_log_walk_begin(&walk, b, records, size);
    while (wire_log_record_next(&walk, &r) == SM_ERR_OK) {
        struct wire_log_header headers[4];
        size_t at = 0;
        for (int32_t i = 0; i < r.header_count; i++)
            ck_assert(wire_log_header_next(&r, &at, &headers[i]));
        wire_record_batch_add(&w, &r, headers);
    }
    *out_size = wire_record_batch_end(&w);
    return out;
}

static void is_written_as_kafka_writes(const struct batch_of_kafka *k)
{
    struct wire_record_batch b;
    size_t size;
    ck_assert_int_eq(wire_record_batch_read(k->bytes, k->size, &b), SM_ERR_OK);
    if (b.codec != WIRE_CODEC_NONE || b.log_append_time)
        return; /* libraries pack as they like; times before the stamp are gone */
    uint8_t *again = write_again(&b, b.records, b.records_size, k->size, &size);
    ck_assert_uint_eq(size, k->size);
    ck_assert_mem_eq(again, k->bytes, size);
    free(again);
    free(write_again(&b, b.records, b.records_size, k->size - 1, &size));
    ck_assert_uint_eq(size, 0);
}

START_TEST(batches_that_kafka_wrote_are_read_and_written_alike)
{
    struct recording r = open_recording();
    struct batch_of_kafka k;
    int count = 0;
    while (next_batch(&r, &k)) {
        reads_as_kafka(&k);
        is_written_as_kafka_writes(&k);
        forget(&k);
        count++;
    }
    close_recording(&r);
    ck_assert_int_eq(count, 18);
}
END_TEST

START_TEST(markers_are_those_of_kafka)
{
    struct recording r = open_recording();
    struct batch_of_kafka k;
    int markers = 0;
    while (next_batch(&r, &k)) {
        struct wire_record_batch b;
        struct wire_log_walk w;
        struct wire_log_record record;
        bool commit;
        int32_t epoch;
        uint8_t out[128];
        ck_assert_int_eq(wire_record_batch_read(k.bytes, k.size, &b), SM_ERR_OK);
        if (b.control) {
            wire_log_walk_begin(&w, &b, b.records, b.records_size);
            ck_assert_int_eq(wire_log_record_next(&w, &record), SM_ERR_OK);
            ck_assert(wire_log_record_is_marker(&record, &commit, &epoch));
            ck_assert_int_eq(commit, markers++);
            ck_assert_int_eq(epoch, 12);
            ck_assert_uint_eq(wire_record_batch_marker(out, sizeof out, b.producer_id,
                                                       b.producer_epoch, commit, epoch,
                                                       b.max_timestamp),
                              k.size);
            ck_assert_mem_eq(out, k.bytes, k.size);
            ck_assert_uint_eq(wire_record_batch_marker(out, k.size - 1, 1, 1, true, 1, 1), 0);
        }
        forget(&k);
    }
    close_recording(&r);
    ck_assert_int_eq(markers, 2);
}
END_TEST

/* ---- compression ---- */

static void goes_through(enum wire_codec codec, const uint8_t *bytes, size_t size, FILE *judge)
{
    struct wire_record_batch plain, packed;
    uint8_t *out = malloc(ROOM);
    size_t used, unpacked;
    enum sm_err err = wire_record_batch_compress(codec, bytes, size, out, ROOM, &used);
    ck_assert_msg(err == SM_ERR_OK, "%s: %s", wire_codec_name(codec), sm_err_text(err));
    ck_assert_int_eq(wire_record_batch_read(bytes, size, &plain), SM_ERR_OK);
    ck_assert_int_eq(wire_record_batch_read(out, used, &packed), SM_ERR_OK);
    ck_assert(wire_record_batch_is_intact(out, &packed));
    ck_assert_int_eq(packed.codec, codec);
    uint8_t *records = unpack(&packed, &unpacked);
    ck_assert_uint_eq(unpacked, plain.records_size);
    ck_assert(unpacked == 0 || memcmp(records, plain.records, unpacked) == 0);
    for (size_t room = 0; room < plain.records_size; room += 1 + plain.records_size / 20) {
        uint8_t *tight = malloc(room + 1);
        ck_assert_int_eq(
            wire_decompress(codec, packed.records, packed.records_size, tight, room, &unpacked),
            SM_ERR_LIMIT);
        free(tight);
    }
    for (size_t i = 0; judge != NULL && i < used; i++)
        fprintf(judge, "%02x%s", out[i], i + 1 == used ? "\n" : "");
    free(records);
    free(out);
}

START_TEST(what_is_packed_is_unpacked)
{
    struct recording r = open_recording();
    struct batch_of_kafka k;
    const char *judged = getenv("KC_WRITE_BATCHES");
    FILE *judge = judged == NULL ? NULL : fopen(judged, "w");
    while (next_batch(&r, &k)) {
        struct wire_record_batch b;
        wire_record_batch_read(k.bytes, k.size, &b);
        if (b.codec == WIRE_CODEC_NONE && !b.control)
            for (int codec = WIRE_CODEC_NONE; codec < WIRE_CODEC_END; codec++)
                goes_through((enum wire_codec)codec, k.bytes, k.size, judge);
        forget(&k);
    }
    close_recording(&r);
    if (judge != NULL)
        fclose(judge);
}
END_TEST

/* What a leader does whose topic names another codec: there and back, each batch is as Kafka wrote
 * it uncompressed. */
static void is_recoded(const struct wire_record_batch *b, const uint8_t *bytes, uint8_t *room)
{
    uint8_t *out = malloc(ROOM), *plain = malloc(ROOM), *back = malloc(ROOM);
    struct wire_record_batch packed;
    size_t size, used, again;
    ck_assert_int_eq(
        wire_record_batch_recode(WIRE_CODEC_NONE, bytes, b->size, room, ROOM, plain, ROOM, &size),
        SM_ERR_OK);
    for (int codec = WIRE_CODEC_NONE; codec < WIRE_CODEC_END; codec++) {
        ck_assert_int_eq(wire_record_batch_recode((enum wire_codec)codec, bytes, b->size, room,
                                                  ROOM, out, ROOM, &used),
                         SM_ERR_OK);
        ck_assert_int_eq(wire_record_batch_read(out, used, &packed), SM_ERR_OK);
        ck_assert(wire_record_batch_is_intact(out, &packed));
        ck_assert_int_eq(packed.codec, codec);
        ck_assert_int_eq(packed.producer_id, b->producer_id);
        ck_assert_int_eq(packed.base_sequence, b->base_sequence);
        ck_assert_int_eq(packed.max_timestamp, b->max_timestamp);
        ck_assert_int_eq(
            wire_record_batch_recode(WIRE_CODEC_NONE, out, used, room, ROOM, back, ROOM, &again),
            SM_ERR_OK);
        ck_assert_uint_eq(again, size);
        ck_assert_mem_eq(back, plain, size);
    }
    if (b->codec == WIRE_CODEC_NONE)
        ck_assert_mem_eq(plain, bytes, b->size);
    free(back);
    free(plain);
    free(out);
}

/* Batches of compacted logs, whose records are not numbered one after the other, no leader gets. */
START_TEST(a_batch_is_packed_anew)
{
    struct recording r = open_recording();
    struct batch_of_kafka k;
    uint8_t *room = malloc(ROOM);
    int recoded = 0;
    while (next_batch(&r, &k)) {
        struct wire_record_batch b;
        wire_record_batch_read(k.bytes, k.size, &b);
        if (!b.control && b.last_offset_delta == b.count - 1) {
            is_recoded(&b, k.bytes, room);
            recoded++;
        }
        forget(&k);
    }
    close_recording(&r);
    free(room);
    ck_assert_int_gt(recoded, 10);
}
END_TEST

START_TEST(what_cannot_be_packed_anew_is_told_apart)
{
    uint8_t bytes[256], packed[256], out[256], room[256];
    size_t used, size;
    struct wire_record_batch_writer w;
    struct wire_log_record record = {
        .value = (const uint8_t *)"v", .value_size = 1, .key_size = -1};
    wire_record_batch_begin(&w, bytes, sizeof bytes,
                            &(struct wire_record_batch){.producer_id = -1});
    wire_record_batch_add(&w, &record, NULL);
    record.offset = 2; /* 1 is left out */
    wire_record_batch_add(&w, &record, NULL);
    size = wire_record_batch_end(&w);
    ck_assert_int_eq(wire_record_batch_recode(WIRE_CODEC_LZ4, bytes, size, room, sizeof room, out,
                                              sizeof out, &used),
                     SM_ERR_NO_ELEMENT);
    ck_assert_int_eq(
        wire_record_batch_compress(WIRE_CODEC_GZIP, bytes, size, packed, sizeof packed, &used),
        SM_ERR_OK);
    size = used;
    ck_assert_int_eq(
        wire_record_batch_recode(WIRE_CODEC_LZ4, packed, size, room, 3, out, sizeof out, &used),
        SM_ERR_LIMIT);
    packed[size - 12] ^= 0xff;
    ck_assert_int_eq(wire_record_batch_recode(WIRE_CODEC_LZ4, packed, size, room, sizeof room, out,
                                              sizeof out, &used),
                     SM_ERR_SYNTAX);
    ck_assert_int_eq(wire_record_batch_recode(WIRE_CODEC_END, bytes, size, room, sizeof room, out,
                                              sizeof out, &used),
                     SM_ERR_RANGE);
}
END_TEST

/* librdkafka sends snappy without a frame. */
START_TEST(snappy_is_read_with_a_frame_and_without)
{
    const uint8_t block[] = {5, 4 << 2, 'h', 'e', 'l', 'l', 'o'};
    uint8_t out[16];
    size_t used;
    ck_assert_int_eq(
        wire_decompress(WIRE_CODEC_SNAPPY, block, sizeof block, out, sizeof out, &used), SM_ERR_OK);
    ck_assert_uint_eq(used, 5);
    ck_assert_mem_eq(out, "hello", 5);
    ck_assert_int_eq(wire_decompress(WIRE_CODEC_SNAPPY, block, 4, out, sizeof out, &used),
                     SM_ERR_SYNTAX);
}
END_TEST

START_TEST(what_unpacks_to_much_ends_at_the_capacity)
{
    enum { MUCH = 8 << 20 };
    uint8_t *zeros = calloc(1, MUCH), *packed = malloc(MUCH), *out = malloc(1000);
    size_t size, used;
    for (int codec = WIRE_CODEC_GZIP; codec < WIRE_CODEC_END; codec++) {
        ck_assert_int_eq(
            wire_compress((enum wire_codec)codec, zeros, MUCH / 2, packed, MUCH, &size), SM_ERR_OK);
        ck_assert_uint_lt(size, MUCH / 8);
        ck_assert_int_eq(wire_decompress((enum wire_codec)codec, packed, size, out, 1000, &used),
                         SM_ERR_LIMIT);
    }
    free(out);
    free(packed);
    free(zeros);
}
END_TEST

/* ---- what a leader writes ---- */

START_TEST(a_leader_assigns_offsets_and_may_stamp)
{
    struct recording r = open_recording();
    struct batch_of_kafka k;
    struct wire_record_batch b;
    struct wire_log_walk w;
    struct wire_log_record record;
    ck_assert(next_batch(&r, &k));
    wire_record_batch_assign(k.bytes, 1234567, 9);
    ck_assert_int_eq(wire_record_batch_read(k.bytes, k.size, &b), SM_ERR_OK);
    ck_assert(wire_record_batch_is_intact(k.bytes, &b));
    ck_assert_int_eq(b.base_offset, 1234567);
    ck_assert_int_eq(b.leader_epoch, 9);
    wire_record_batch_stamp(k.bytes, k.size, 42);
    ck_assert(!wire_record_batch_is_intact(k.bytes, &b));
    ck_assert_int_eq(wire_record_batch_read(k.bytes, k.size, &b), SM_ERR_OK);
    ck_assert(wire_record_batch_is_intact(k.bytes, &b));
    wire_log_walk_begin(&w, &b, b.records, b.records_size);
    ck_assert_int_eq(wire_log_record_next(&w, &record), SM_ERR_OK);
    ck_assert_int_eq(record.timestamp, 42);
    ck_assert_int_eq(record.offset, 1234567);
    forget(&k);
    close_recording(&r);
}
END_TEST

/* ---- any bytes ---- */

static void exercise(const uint8_t *bytes, size_t size)
{
    static uint8_t out[1 << 16];
    struct wire_record_batch b;
    struct wire_log_walk w;
    struct wire_log_record r;
    size_t used;
    if (wire_record_batch_read(bytes, size, &b) != SM_ERR_OK)
        return;
    wire_record_batch_is_intact(bytes, &b);
    if (wire_decompress(b.codec, b.records, b.records_size, out, sizeof out, &used) != SM_ERR_OK)
        return;
    uint8_t *exact = malloc(used + 1);
    memcpy(exact, out, used);
    wire_log_walk_begin(&w, &b, exact, used);
    while (wire_log_record_next(&w, &r) == SM_ERR_OK) {
        struct wire_log_header h;
        size_t at = 0;
        int32_t headers = 0;
        bool commit;
        int32_t epoch;
        while (wire_log_header_next(&r, &at, &h))
            headers++;
        ck_assert_int_eq(headers, r.header_count);
        wire_log_record_is_marker(&r, &commit, &epoch);
    }
    free(exact);
}

START_TEST(a_batch_that_is_cut_says_how_large_it_is)
{
    struct recording r = open_recording();
    struct batch_of_kafka k;
    struct wire_record_batch b;
    ck_assert(next_batch(&r, &k));
    for (size_t size = 0; size < k.size; size++) {
        uint8_t *cut = malloc(size + 1);
        memcpy(cut, k.bytes, size);
        ck_assert_int_eq(wire_record_batch_read(cut, size, &b), SM_ERR_LIMIT);
        ck_assert_uint_eq(b.size, size < WIRE_RECORD_BATCH_START ? 0 : k.size);
        free(cut);
    }
    k.bytes[16] = 1; /* magic */
    ck_assert_int_eq(wire_record_batch_read(k.bytes, k.size, &b), SM_ERR_RANGE);
    forget(&k);
    close_recording(&r);
}
END_TEST

START_TEST(damaged_batches_do_no_harm)
{
    struct recording r = open_recording();
    struct batch_of_kafka k;
    draw_seed(3);
    while (next_batch(&r, &k)) {
        for (int round = 0; round < 3000; round++) {
            size_t size = draw(4) == 0 ? draw((uint32_t)k.size) : k.size;
            uint8_t *damaged = malloc(size + 1);
            memcpy(damaged, k.bytes, size);
            for (uint32_t n = 1 + draw(4); n > 0 && size > 0; n--) {
                uint32_t at = draw(3) == 0 ? draw((uint32_t)size) : draw((uint32_t)size) | 64;
                if (at < size)
                    damaged[at] = draw(2) == 0 ? (uint8_t)draw_bits() : (uint8_t)(0xff * draw(2));
            }
            exercise(damaged, size);
            free(damaged);
        }
        forget(&k);
    }
    close_recording(&r);
}
END_TEST

START_TEST(the_checksum_is_that_of_iscsi)
{
    ck_assert_uint_eq(wire_crc32c((const uint8_t *)"123456789", 9), 0xe3069283);
    ck_assert_uint_eq(wire_crc32c(NULL, 0), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("record batches");
    TCase *t = tcase_create("record batches");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, batches_that_kafka_wrote_are_read_and_written_alike);
    tcase_add_test(t, markers_are_those_of_kafka);
    tcase_add_test(t, what_is_packed_is_unpacked);
    tcase_add_test(t, a_batch_is_packed_anew);
    tcase_add_test(t, what_cannot_be_packed_anew_is_told_apart);
    tcase_add_test(t, snappy_is_read_with_a_frame_and_without);
    tcase_add_test(t, what_unpacks_to_much_ends_at_the_capacity);
    tcase_add_test(t, a_leader_assigns_offsets_and_may_stamp);
    tcase_add_test(t, a_batch_that_is_cut_says_how_large_it_is);
    tcase_add_test(t, damaged_batches_do_no_harm);
    tcase_add_test(t, the_checksum_is_that_of_iscsi);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
