/*
 * What the group coordinator writes, against what Apache Kafka 2.8.2 writes for the same: keys,
 * values and whole batches, byte for byte (recorded/group-records-2.8.2.txt, made by
 * recorded/GroupRecords.java).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/coordinators.h"
#include "tests/broker/group_desk.h"

enum { NOW_MS = 3000, DIGITS = 4096 };

/* The digits of a line, static. */
static const char *recorded(const char *name)
{
    static char line[DIGITS];
    FILE *in = fopen(KC_SOURCE_DIR "/tests/broker/recorded/group-records-2.8.2.txt", "r");
    size_t size = strlen(name);
    bool found = false;

    ck_assert(in != NULL);
    while (!found && fgets(line, sizeof line, in) != NULL) {
        found = strncmp(line, name, size) == 0 && line[size] == ' ';
    }
    fclose(in);
    ck_assert_msg(found, "%s was not recorded", name);
    line[strcspn(line, "\n")] = 0;
    return line + size + 1;
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

static void same_batch(const struct desk *d, const struct kb_log_batch *b, const char *name)
{
    static uint8_t bytes[DIGITS];
    const struct kb_groups_output *o = &d->last_append;
    size_t size =
        kb_coordinator_batch(&(struct kb_coordinator_append){.timestamp_ms = o->timestamp_ms,
                                                             .producer_id = o->producer_id,
                                                             .producer_epoch = o->producer_epoch,
                                                             .base_sequence = o->base_sequence,
                                                             .count = b->count,
                                                             .records = b->records,
                                                             .transactional = o->producer_id >= 0},
                             bytes, sizeof bytes);

    ck_assert_str_eq(digits(bytes, size), recorded(name));
}

/* The last batch of the log, of one record. */
static void same_last(const struct desk *d, const char *name)
{
    const struct kb_log_batch *b = &d->log[d->log_count - 1].batch;
    char line[64];

    ck_assert_uint_eq(b->count, 1);
    snprintf(line, sizeof line, "%s.key", name);
    ck_assert_str_eq(digits(b->records[0].key, (size_t)b->records[0].key_size), recorded(line));
    snprintf(line, sizeof line, "%s.value", name);
    ck_assert_str_eq(digits(b->records[0].value, (size_t)b->records[0].value_size), recorded(line));
    snprintf(line, sizeof line, "%s.batch", name);
    same_batch(d, b, line);
}

START_TEST(commits)
{
    struct desk *d = desk_new();

    desk_pass(d, NOW_MS);
    desk_commit(d, "g", "", -1, "t", 7, 42);
    same_last(d, "commit");
    d->retention_ms = 5000;
    desk_commit(d, "g", "", -1, "t", 7, 42);
    same_last(d, "expires");
    desk_txn_commit(d, "g", 9, "", -1, "t", 7, 42);
    same_last(d, "txn");
    desk_free(d);
}
END_TEST

static const char *id_of(const struct desk *d, uint64_t call)
{
    return wire_text(desk_joined(d, call), desk_joined(d, call)->member_id);
}

START_TEST(groups)
{
    static const char *const names[] = {"dynamic", "static"};
    static const char *const instances[] = {NULL, "i"};
    struct desk *d = desk_new();
    const char *instance = instances[_i];
    struct desk_join join = {.group = "g", .instance = instance};
    uint64_t call = desk_join(d, join);

    if (instance == NULL) {
        join.member = id_of(d, call);
        call = desk_join(d, join);
    }
    desk_pass(d, NOW_MS);
    const char *id = id_of(d, call);
    desk_sync(d, "g", id, 1, instance, (const char *[]){id, "all", NULL});
    same_last(d, names[_i]);
    desk_free(d);
}
END_TEST

/* A group that has expired leaves a record without a value. */
START_TEST(tombstones)
{
    struct desk *d = desk_new();
    uint64_t call = desk_join(d, (struct desk_join){.group = "g", .instance = "i"});

    desk_pass(d, NOW_MS);
    const char *id = id_of(d, call);
    desk_sync(d, "g", id, 1, "i", (const char *[]){id, "all", NULL});
    ck_assert_int_eq(desk_leave(d, "g", "", "i", 3), 0);
    ck_assert_int_eq(desk_delete_group(d, "g"), 0);
    d->last_append.timestamp_ms = 1600000000000 + NOW_MS;
    same_batch(d, &d->log[d->log_count - 1].batch, "static.tombstone");
    desk_free(d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("broker: records of groups");
    TCase *c = tcase_create("records");

    tcase_add_test(c, commits);
    tcase_add_loop_test(c, groups, 0, 2);
    tcase_add_test(c, tombstones);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
