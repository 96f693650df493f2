/*
 * With an index a batch says what it said without: the same records to each broker, in the same
 * order, and each partition's metadata once, by topic. Drawn batches, seeded.
 */
#include "wire/batch_index.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"

static struct wire_batch *indexed(const struct wire_batch *b)
{
    struct wire_batch_index_room room = wire_batch_index_room(b);
    if (room.index == 0)
        return NULL;
    struct wire_batch *copy = malloc(b->size + room.index);
    void *scratch = malloc(room.scratch);
    ck_assert_ptr_nonnull(copy);
    ck_assert_ptr_nonnull(scratch);
    memcpy(copy, b, b->size);
    wire_batch_index_make(copy, scratch);
    ck_assert_uint_le(copy->size, b->size + room.index);
    free(scratch);
    return copy;
}

static void same_walk(const struct wire_batch *a, const struct wire_batch *b,
                      enum wire_record_kind kind, uint32_t index)
{
    struct wire_record_view v = {0}, w = {0};
    while (wire_batch_next_for(a, kind, index, &v)) {
        ck_assert(wire_batch_next_for(b, kind, index, &w));
        ck_assert_uint_eq(v.offset, w.offset);
        ck_assert_str_eq(v.topic, w.topic);
    }
    ck_assert(!wire_batch_next_for(b, kind, index, &w));
}

static void same_ids(const int32_t *a, const int32_t *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        ck_assert_int_eq(a[i], b[i]);
}

/* The record of an entry; the walk for it is what makes this slow, and sure. */
static void says_record(const struct wire_batch *b, const char *topic,
                        const struct wire_batch_entry *e)
{
    struct wire_record_view v = {0};
    const int32_t *ids = wire_batch_entry_ids(e);
    while (wire_batch_next(b, WIRE_RECORD_UPDATE_METADATA, &v))
        if (v.record->partition == e->partition && strcmp(v.topic, topic) == 0)
            break;
    ck_assert_int_eq(v.record->partition, e->partition);
    ck_assert_str_eq(v.topic, topic);
    ck_assert_int_eq(v.record->leader, e->leader);
    ck_assert_int_eq(v.record->leader_epoch, e->leader_epoch);
    ck_assert_uint_eq(v.record->replica_count, e->replica_count);
    ck_assert_uint_eq(v.record->isr_count, e->isr_count);
    ck_assert_uint_eq(v.record->offline_count, e->offline_count);
    same_ids(v.replicas, ids, e->replica_count);
    same_ids(v.isr, ids += e->replica_count, e->isr_count);
    same_ids(v.offline, ids + e->isr_count, e->offline_count);
    bool is_whole =
        e->isr_count == e->replica_count && memcmp(v.isr, v.replicas, 4u * e->isr_count) == 0;
    ck_assert_uint_eq(is_whole, e->is_whole);
}

START_TEST(every_walk_comes_to_the_same_records)
{
    draw_seed((uint64_t)_i + 1);
    struct wire_batch *b = draw_batch(20 + draw(200)), *x = indexed(b);
    for (uint32_t index = 0; x != NULL && index < 64 * b->set_words + 3; index++)
        for (int kind = WIRE_RECORD_DEAD; kind <= WIRE_RECORD_STOP_REPLICA; kind++)
            same_walk(b, x, (enum wire_record_kind)kind, index);
    free(x);
    free(b);
}
END_TEST

START_TEST(each_partition_stands_once_under_its_topic)
{
    draw_seed((uint64_t)_i + 1);
    struct wire_batch *b = draw_batch(60 + draw(200)), *copy = indexed(b);
    ck_assert_ptr_nonnull(copy);
    const struct wire_batch_index *x = wire_batch_index(copy);
    const struct wire_batch_topic *t = wire_batch_topics(copy, x);
    uint32_t seen = 0;
    for (uint32_t i = 0; i < x->topic_count; i++) {
        const struct wire_batch_entry *e = wire_batch_first(copy, &t[i]);
        int32_t before = -1;
        for (uint32_t k = 0; k < t[i].count; k++, seen++, e = wire_batch_entry_next(e)) {
            ck_assert_int_gt(e->partition, before);
            before = e->partition;
            says_record(b, wire_batch_topic_name(copy, &t[i]), e);
        }
    }
    ck_assert_uint_eq(seen, b->count[1]);
    free(copy);
    free(b);
}
END_TEST

static struct wire_record *metadata_of(struct wire_batch *b, uint32_t nth)
{
    struct wire_record_view v = {0};
    for (uint32_t i = 0; i <= nth; i++)
        ck_assert(wire_batch_next(b, WIRE_RECORD_UPDATE_METADATA, &v));
    return (struct wire_record *)(void *)((uint8_t *)b + v.offset);
}

START_TEST(what_cannot_be_put_in_order_is_only_walked)
{
    draw_seed(7);
    struct wire_batch *b = draw_batch(200);
    struct wire_record *r = metadata_of(b, 3);
    int32_t partition = r->partition;
    r->partition = _i == 0 ? -1 : 1 << 22;
    struct wire_batch *copy = indexed(b);
    ck_assert_uint_eq(wire_batch_index(copy)->topic_count, 0);
    r->partition = partition;
    free(copy);
    free(b);
}
END_TEST

START_TEST(a_partition_named_twice_is_only_walked)
{
    draw_seed(7);
    struct wire_batch *b = draw_batch(200);
    struct wire_record_view v = {0}, w;
    bool found = false;
    while (!found && wire_batch_next(b, WIRE_RECORD_UPDATE_METADATA, &v)) {
        w = v;
        while (!found && wire_batch_next(b, WIRE_RECORD_UPDATE_METADATA, &w))
            found = strcmp(v.topic, w.topic) == 0;
    }
    ck_assert(found);
    ((struct wire_record *)(void *)((uint8_t *)b + w.offset))->partition = v.record->partition;
    struct wire_batch *copy = indexed(b);
    ck_assert_uint_eq(wire_batch_index(copy)->topic_count, 0);
    free(copy);
    free(b);
}
END_TEST

START_TEST(a_batch_that_does_not_hold_together_has_none)
{
    draw_seed(9);
    struct wire_batch *b = draw_batch(200);
    metadata_of(b, 50)->topic_size = 9999;
    ck_assert_uint_eq(wire_batch_index_room(b).index, 0);
    free(b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("batch index");
    TCase *t = tcase_create("all");
    tcase_add_loop_test(t, every_walk_comes_to_the_same_records, 0, 60);
    tcase_add_loop_test(t, each_partition_stands_once_under_its_topic, 0, 60);
    tcase_add_loop_test(t, what_cannot_be_put_in_order_is_only_walked, 0, 2);
    tcase_add_test(t, a_partition_named_twice_is_only_walked);
    tcase_add_test(t, a_batch_that_does_not_hold_together_has_none);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
