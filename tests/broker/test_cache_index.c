/*
 * The metadata cache takes a batch with an index as it takes one without: two caches, one is given
 * each drawn batch as it is, the other one with its index; after each they must say the same. Some
 * batches remove partitions, most change leaders of what is there.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "broker/metadata_cache.h"
#include "tests/wire/draw.h"
#include "wire/batch_index.h"

static struct wire_batch *indexed(const struct wire_batch *b)
{
    struct wire_batch_index_room room = wire_batch_index_room(b);
    struct wire_batch *copy = malloc(b->size + room.index);
    void *scratch = malloc(room.scratch + 1);
    ck_assert_ptr_nonnull(copy);
    ck_assert_ptr_nonnull(scratch);
    memcpy(copy, b, b->size);
    ck_assert_uint_gt(room.index, 0);
    wire_batch_index_make(copy, scratch);
    free(scratch);
    return copy;
}

static struct kb_cache *make(void)
{
    struct kb_cache_limits l = {
        .brokers = 64, .topics = 64, .name_bytes = 8192, .rows = 1 << 16, .words = 1 << 16};
    struct kb_cache *c = malloc(kb_cache_size(&l));
    ck_assert_ptr_nonnull(c);
    kb_cache_init(c, &l);
    return c;
}

static void same_list(const struct kb_cache *a, uint32_t x, const struct kb_cache *b, uint32_t y)
{
    uint32_t n, m;
    const int32_t *p = kb_cache_list(a, x, &n), *q = kb_cache_list(b, y, &m);
    ck_assert_uint_eq(n, m);
    for (uint32_t i = 0; i < n; i++)
        ck_assert_int_eq(p[i], q[i]);
}

static void same(const struct kb_cache *a, const struct kb_cache *b)
{
    uint32_t t = KB_NO_TOPIC, size;
    kb_cache_check(a);
    kb_cache_check(b);
    while ((t = kb_cache_next_topic(a, t)) != KB_NO_TOPIC) {
        const char *name = kb_cache_topic_name(a, t, &size);
        ck_assert_uint_eq(kb_cache_topic(b, name, size), t); /* the same place */
        int32_t p = -1;
        while ((p = kb_cache_next_partition(a, t, p + 1)) >= 0) {
            const struct kb_partition *x = kb_cache_partition(a, t, p),
                                      *y = kb_cache_partition(b, t, p);
            ck_assert_ptr_nonnull(y);
            ck_assert_int_eq(x->leader, y->leader);
            ck_assert_int_eq(x->leader_epoch, y->leader_epoch);
            same_list(a, x->replicas, b, y->replicas);
            same_list(a, x->isr, b, y->isr);
            same_list(a, x->offline, b, y->offline);
        }
    }
    struct kb_cache_totals m = kb_cache_totals(a), n = kb_cache_totals(b);
    ck_assert_uint_eq(m.topics, n.topics);
    ck_assert_uint_eq(m.partitions, n.partitions);
    ck_assert_uint_eq(m.list_words, n.list_words);
    ck_assert_int_eq(kb_cache_controller(a), kb_cache_controller(b));
}

/* Now and then a partition goes. */
static void remove_some(struct wire_batch *b)
{
    for (struct wire_record_view v = {0}; wire_batch_next(b, WIRE_RECORD_UPDATE_METADATA, &v);)
        if (draw(4) == 0)
            ((struct wire_record *)(void *)((uint8_t *)b + v.offset))->leader =
                SM_LEADER_DURING_DELETE;
}

START_TEST(an_index_changes_nothing)
{
    struct kb_cache *a = make(), *b = make();
    draw_seed((uint64_t)_i + 1);
    for (int turn = 0; turn < 30; turn++) {
        struct wire_batch *batch = draw_batch(100 + draw(200));
        if (draw(4) == 0)
            remove_some(batch);
        struct wire_batch *copy = indexed(batch);
        ck_assert_ptr_null(kb_cache_update(a, batch));
        ck_assert_ptr_null(kb_cache_update(b, copy));
        same(a, b);
        free(copy);
        free(batch);
    }
    free(a);
    free(b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cache and index");
    TCase *t = tcase_create("all");
    tcase_add_loop_test(t, an_index_changes_nothing, 0, 10);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
