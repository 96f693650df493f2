/*
 * What the transaction coordinator writes, and the markers of a transaction, against what Apache
 * Kafka 2.8.2 writes for the same: keys, values and whole batches, byte for byte
 * (recorded/txn-records-2.8.2.txt, made by recorded/TxnRecords.java). One partition: of several,
 * Kafka writes them in the order of a hash map.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/coordinators.h"
#include "tests/broker/txn_desk.h"
#include "wire/record_batch.h"

enum { NOW_MS = 3000, DIGITS = 4096 }; /* of the desk; in the records since 1970 */

static const int64_t NOW = 1600000000000 + NOW_MS;

/* The digits of a line, static. */
static const char *recorded(const char *name, const char *part)
{
    static char line[DIGITS];
    FILE *in = fopen(KC_SOURCE_DIR "/tests/broker/recorded/txn-records-2.8.2.txt", "r");
    char wanted[64];
    int size = snprintf(wanted, sizeof wanted, "%s.%s ", name, part);
    bool found = false;

    ck_assert(in != NULL);
    while (!found && fgets(line, sizeof line, in) != NULL) {
        found = strncmp(line, wanted, (size_t)size) == 0;
    }
    fclose(in);
    ck_assert_msg(found, "%s was not recorded", wanted);
    line[strcspn(line, "\n")] = 0;
    return line + size;
}

static const char *digits(const uint8_t *bytes, size_t size)
{
    static char text[DIGITS];

    ck_assert_uint_lt(2 * size, sizeof text);
    text[0] = 0;
    for (size_t i = 0; i < size; i++) {
        sprintf(text + 2 * i, "%02x", bytes[i]);
    }
    return text;
}

static void same_batch(const struct desk *d, uint32_t at, const char *name)
{
    static uint8_t bytes[DIGITS];
    const struct kb_log_batch *b = &d->log[at].batch;
    const struct kb_coordinator_append a = {.timestamp_ms = NOW,
                                            .producer_id = -1,
                                            .producer_epoch = -1,
                                            .base_sequence = -1,
                                            .count = b->count,
                                            .records = b->records};

    ck_assert_str_eq(digits(bytes, kb_coordinator_batch(&a, bytes, sizeof bytes)),
                     recorded(name, "batch"));
}

static void same(const struct desk *d, uint32_t at, const char *name)
{
    ck_assert_uint_lt(at, d->log_count);
    const struct kb_log_record *r = d->log[at].batch.records;
    ck_assert_str_eq(digits(r->key, (size_t)r->key_size), recorded(name, "key"));
    ck_assert_str_eq(digits(r->value, (size_t)r->value_size), recorded(name, "value"));
    same_batch(d, at, name);
}

START_TEST(the_life_of_an_id_is_written_as_kafka_writes_it)
{
    static const char *const names[] = {"empty",           "ongoing", "prepare-commit",
                                        "complete-commit", "again",   "prepare-abort",
                                        "complete-abort"};
    const int32_t one[] = {1, -1};
    struct desk *d = desk_new();
    struct desk_producer p = {.id = "id"};

    desk_pass(d, NOW_MS);
    ck_assert_int_eq(desk_inited(d, desk_init(d, "id", 60000, -1, -1, 4), &p), 0);
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(desk_added(d, desk_add(d, &p, "a", one, 2)), 0);
        ck_assert_int_eq(desk_error(d, desk_end(d, &p, round == 0, 2)), 0);
    }
    ck_assert_uint_eq(d->log_count, 7);
    for (uint32_t i = 0; i < 7; i++) {
        same(d, i, names[i]);
    }
    desk_pass(d, 8ll * 24 * 3600 * 1000);
    ck_assert_uint_eq(d->log_count, 8);
    same_batch(d, 7, "tombstone");
    desk_free(d);
}
END_TEST

START_TEST(markers_are_written_as_kafka_writes_them)
{
    uint8_t bytes[256];

    ck_assert_str_eq(
        digits(bytes, wire_record_batch_marker(bytes, sizeof bytes, 1000, 3, true, 5, NOW)),
        recorded("commit", "batch"));
    ck_assert_str_eq(
        digits(bytes, wire_record_batch_marker(bytes, sizeof bytes, 1000, 3, false, 5, NOW)),
        recorded("abort", "batch"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("records of transactions");
    TCase *tc = tcase_create("records");
    tcase_add_test(tc, the_life_of_an_id_is_written_as_kafka_writes_it);
    tcase_add_test(tc, markers_are_written_as_kafka_writes_them);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
