/*
 * One log: producers, transactions, the epoch cache against a naive one, and what a block of
 * 100,000 partitions costs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/replica_state.h"
#include "tests/broker/net.h"

#define SECOND INT64_C(1000000)

static struct kb_batch data(uint64_t payload, int64_t producer, int16_t epoch, int32_t sequence,
                            int32_t records, bool transactional)
{
    return (struct kb_batch){.payload = payload,
                             .producer_id = producer,
                             .producer_epoch = epoch,
                             .base_sequence = sequence,
                             .last_offset_delta = records - 1,
                             .record_count = (uint32_t)records,
                             .size = 70,
                             .flags = transactional ? KB_TRANSACTIONAL : 0};
}

static struct kb_batch marker(int64_t producer, int16_t epoch, int32_t coordinator, bool commit)
{
    return (struct kb_batch){.payload = '!',
                             .producer_id = producer,
                             .producer_epoch = epoch,
                             .base_sequence = -1,
                             .record_count = 1,
                             .size = 78,
                             .coordinator_epoch = coordinator,
                             .flags = KB_TRANSACTIONAL | KB_CONTROL | (commit ? KB_COMMIT : 0)};
}

static int32_t put_batch(struct net *n, struct kb_batch batch, int32_t origin)
{
    return net_call_of(n, net_produce_batch(n, 1, "t", 0, &batch, 1, SECOND, origin))->error;
}

/* Goal: sequences, epochs and duplicates of an idempotent producer. */
START_TEST(an_idempotent_producer_writes_once_and_in_order)
{
    struct net *n = net_new(SM_VERSION_2_8, 1);
    struct kb_batch again = data('b', 7, 0, 3, 2, false);
    uint64_t call;

    net_topic(n, "t", 0, "1");
    ck_assert_int_eq(put_batch(n, data('a', 7, 0, 0, 3, false), KB_FROM_CLIENT), 0);
    ck_assert_int_eq(put_batch(n, again, KB_FROM_CLIENT), 0);
    call = net_produce_batch(n, 1, "t", 0, &again, -1, SECOND, KB_FROM_CLIENT);
    ck_assert_int_eq(net_call_of(n, call)->error, 0);
    ck_assert_int_eq(net_call_of(n, call)->offset, 3);
    ck_assert_int_eq(net_view(n, 1, "t", 0).log_end, 5);
    ck_assert_int_eq(put_batch(n, data('c', 7, 0, 6, 1, false), KB_FROM_CLIENT),
                     WIRE_ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    ck_assert_int_eq(put_batch(n, data('c', 7, 1, 5, 1, false), KB_FROM_CLIENT),
                     WIRE_ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    ck_assert_int_eq(put_batch(n, data('c', 7, 1, 0, 1, false), KB_FROM_CLIENT), 0);
    ck_assert_int_eq(put_batch(n, data('d', 7, 0, 5, 1, false), KB_FROM_CLIENT),
                     WIRE_ERROR_INVALID_PRODUCER_EPOCH);
    ck_assert_int_eq(put_batch(n, data('e', 8, 0, 99, 1, false), KB_FROM_CLIENT), 0);
    ck_assert_int_eq(put_batch(n, data('f', 7, 0, 5, 1, false), KB_FROM_COORDINATOR),
                     WIRE_ERROR_INVALID_PRODUCER_EPOCH);
    ck_assert_str_eq(net_log(n, 1, "t", 0), "a@0 b@3 c@5 e@6 | hw 7 end 7 | 0:0");
    net_free(n);
}
END_TEST

/* Goal: a sequence wraps from the largest number to 0. */
START_TEST(sequences_wrap)
{
    struct net *n = net_new(SM_VERSION_2_8, 1);

    net_topic(n, "t", 0, "1");
    ck_assert_int_eq(put_batch(n, data('a', 7, 0, INT32_MAX - 1, 4, false), KB_FROM_CLIENT), 0);
    ck_assert_int_eq(put_batch(n, data('b', 7, 0, 2, 1, false), KB_FROM_CLIENT), 0);
    ck_assert_int_eq(put_batch(n, data('a', 7, 0, INT32_MAX - 1, 4, false), KB_FROM_CLIENT), 0);
    ck_assert_int_eq(net_view(n, 1, "t", 0).log_end, 5);
    net_free(n);
}
END_TEST

/* Goal: the last stable offset stands where the oldest open transaction began; who reads committed
   gets what is before it, and the list of what was aborted. */
START_TEST(transactions_hold_the_last_stable_offset_back)
{
    struct net *n = net_new(SM_VERSION_2_8, 1);
    const struct net_call *read;

    net_topic(n, "t", 0, "1");
    put_batch(n, data('a', 7, 0, 0, 1, true), KB_FROM_CLIENT);     /* 0 */
    put_batch(n, data('b', 8, 0, 0, 1, true), KB_FROM_CLIENT);     /* 1 */
    put_batch(n, data('c', -1, -1, -1, 1, false), KB_FROM_CLIENT); /* 2 */
    ck_assert_int_eq(net_view(n, 1, "t", 0).last_stable, 0);
    ck_assert_int_eq(net_view(n, 1, "t", 0).hw, 3);
    ck_assert_int_eq(put_batch(n, data('x', 7, 0, 1, 1, false), KB_FROM_CLIENT),
                     WIRE_ERROR_INVALID_TXN_STATE);
    put_batch(n, marker(7, 0, 3, false), KB_FROM_COORDINATOR); /* 3 */
    ck_assert_int_eq(net_view(n, 1, "t", 0).last_stable, 1);
    read = net_call_of(n, net_fetch(n, 1, "t", 0, 0, 0, true));
    ck_assert_uint_eq(read->count, 1);
    ck_assert_uint_eq(read->aborted, 1);
    put_batch(n, marker(8, 0, 3, true), KB_FROM_COORDINATOR); /* 4 */
    ck_assert_int_eq(net_view(n, 1, "t", 0).last_stable, 5);
    read = net_call_of(n, net_fetch(n, 1, "t", 0, 0, 0, true));
    ck_assert_uint_eq(read->count, 5);
    ck_assert_uint_eq(read->aborted, 1);
    read = net_call_of(n, net_fetch(n, 1, "t", 0, 4, 0, true));
    ck_assert_uint_eq(read->aborted, 0);

    /* fenced: an older epoch of the producer, an older coordinator; a marker may raise the epoch */
    ck_assert_int_eq(put_batch(n, marker(8, 0, 2, true), KB_FROM_COORDINATOR),
                     WIRE_ERROR_TRANSACTION_COORDINATOR_FENCED);
    ck_assert_int_eq(put_batch(n, marker(8, 5, 3, false), KB_FROM_COORDINATOR), 0);
    ck_assert_int_eq(put_batch(n, data('y', 8, 0, 1, 1, true), KB_FROM_CLIENT),
                     WIRE_ERROR_INVALID_PRODUCER_EPOCH);
    net_free(n);
}
END_TEST

/* Goal: a follower knows producers and transactions as its leader does, also after truncation. */
START_TEST(producer_state_follows_the_log)
{
    struct net *n = net_new(SM_VERSION_2_8, 2);

    net_topic(n, "t", 0, "1,2");
    net_run(n, SECOND);
    put_batch(n, data('a', 7, 0, 0, 1, true), KB_FROM_CLIENT);
    net_run(n, 2 * SECOND);
    net_cut(n, 2, 1, true);
    net_run(n, SECOND);
    put_batch(n, marker(7, 0, 1, true), KB_FROM_COORDINATOR);
    net_elect(n, "t", 0, 2, "2");
    net_cut(n, 2, 1, false);
    net_run(n, 5 * SECOND);
    ck_assert_str_eq(net_log(n, 1, "t", 0), "a@0 | hw 1 end 1 | 0:0");
    ck_assert_int_eq(net_view(n, 1, "t", 0).last_stable, 0);
    ck_assert_int_eq(net_view(n, 2, "t", 0).last_stable, 0);
    ck_assert_int_eq(
        net_call_of(n,
                    net_produce_batch(n, 2, "t", 0, &(struct kb_batch[]){marker(7, 0, 1, false)}[0],
                                      1, SECOND, KB_FROM_COORDINATOR))
            ->error,
        0);
    net_run(n, 5 * SECOND);
    ck_assert_int_eq(net_view(n, 1, "t", 0).last_stable, 2);
    net_free(n);
}
END_TEST

/* ---- the epoch cache ---- */

struct naive {
    int32_t epoch[64];
    int64_t start[64];
    int count;
};

static void naive_assign(struct naive *c, int32_t epoch, int64_t start)
{
    if (c->count > 0 && c->epoch[c->count - 1] == epoch && start >= c->start[c->count - 1]) {
        return;
    }
    while (c->count > 0 && (c->epoch[c->count - 1] >= epoch || c->start[c->count - 1] >= start)) {
        c->count--;
    }
    c->epoch[c->count] = epoch;
    c->start[c->count++] = start;
}

static struct kb_epoch_end naive_end(const struct naive *c, int32_t epoch, int64_t log_end)
{
    int floor = -1, higher = -1;
    if (epoch == -1 || c->count == 0) {
        return (struct kb_epoch_end){-1, -1};
    }
    if (c->epoch[c->count - 1] == epoch) {
        return (struct kb_epoch_end){epoch, log_end};
    }
    for (int i = 0; i < c->count; i++) {
        floor = c->epoch[i] <= epoch ? i : floor;
        higher = c->epoch[i] > epoch && higher == -1 ? i : higher;
    }
    if (higher == -1) {
        return (struct kb_epoch_end){-1, -1};
    }
    return (struct kb_epoch_end){floor == -1 ? epoch : c->epoch[floor], c->start[higher]};
}

static void naive_cut_start(struct naive *c, int64_t offset)
{
    int32_t last = -1;
    int n = 0;
    while (n < c->count && c->start[n] <= offset) {
        last = c->epoch[n++];
    }
    if (n > 0) {
        memmove(c->epoch, c->epoch + n - 1, sizeof(int32_t) * (size_t)(c->count - n + 1));
        memmove(c->start, c->start + n - 1, sizeof(int64_t) * (size_t)(c->count - n + 1));
        c->count -= n - 1;
        c->epoch[0] = last;
        c->start[0] = offset;
    }
}

/* Goal: random words said to both caches leave both the same, and both answer the same. */
START_TEST(the_epoch_cache_equals_a_naive_one)
{
    struct kb_limits l = kb_limits_default();
    struct kb_config config = kb_config_default(sm_profile_of(SM_VERSION_2_8), 1);
    struct kb_replicas *r = aligned_alloc(8, kb_replicas_size(&l));
    struct naive c = {0};
    uint64_t random = 12345;
    struct kb_row *row;

    kb_replicas_init(r, &l, &config);
    row = kb_row(r, kb_row_get(r, "t", 0));
    for (int i = 0; i < 20000; i++) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        int32_t epoch = (int32_t)(random >> 33) % 20;
        int64_t offset = (int64_t)(random >> 40) % 40;
        row->log_end = 50;
        switch ((random >> 60) % 8) {
        case 0:
            kb_epochs_cut_end(r, row, offset);
            while (c.count > 0 && c.start[c.count - 1] >= offset) {
                c.count--;
            }
            break;
        case 1:
            kb_epochs_cut_start(r, row, offset / 4);
            naive_cut_start(&c, offset / 4);
            break;
        default:
            kb_epochs_assign(r, row, epoch, offset);
            naive_assign(&c, epoch, offset);
            break;
        }
        ck_assert_uint_eq(row->epochs.count, (uint32_t)c.count);
        for (int32_t e = -1; e < 21; e++) {
            struct kb_epoch_end a = kb_epochs_end_of(r, row, e), b = naive_end(&c, e, 50);
            if (a.epoch != b.epoch || a.offset != b.offset) {
                ck_abort_msg("step %d: asked for epoch %d", i, e);
            }
        }
    }
    free(r);
}
END_TEST

/* ---- size ---- */

/* Goal: 100,000 partitions on one broker, with what README.md says of bytes. */
START_TEST(a_hundred_thousand_partitions_fit)
{
    struct kb_limits l = kb_limits_default();
    size_t one, many;

    l.replicas = 3;
    l.partitions = 1000;
    one = kb_replicas_size(&l);
    l.partitions = 101000;
    many = kb_replicas_size(&l);
    printf("bytes a hosted partition, 3 replicas: %zu\n", (many - one) / 100000);
    ck_assert_uint_le((many - one) / 100000, 768);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        an_idempotent_producer_writes_once_and_in_order,
        sequences_wrap,
        transactions_hold_the_last_stable_offset_back,
        producer_state_follows_the_log,
        the_epoch_cache_equals_a_naive_one,
        a_hundred_thousand_partitions_fit,
    };
    Suite *suite = suite_create("broker: logs");
    TCase *tc = tcase_create("log");
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        tcase_add_test(tc, tests[i]);
    }
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
