/*
 * Retention through whole brokers: segments begin, grow old and go; each broker deletes for itself;
 * producers are forgotten; clocks of producers are judged.
 *
 * Source: Kafka LogTest, LogSegmentTest, LogManagerTest, LogValidatorTest (situations only).
 */
#include "tests/broker/net.h"
#include "wire/errors.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* Segments of three batches of 70 bytes, kept for ten minutes. */
static struct kb_config small(void)
{
    struct kb_config config = kb_config_default(sm_profile_of(SM_VERSION_2_8), 1);

    config.log.segment_bytes = 210;
    config.log.retention_ms = 600000;
    return config;
}

static int32_t put(struct net *n, uint64_t payload)
{
    return net_call_of(n, net_produce(n, 1, "t", 0, payload, 1))->error;
}

static void put_many(struct net *n, const char *payloads)
{
    for (; *payloads != '\0'; payloads++) {
        ck_assert_int_eq(put(n, (uint64_t)*payloads), 0);
    }
}

/* Goal: leader and follower each delete what is older than retention.ms, whole segments only, at
   points of the grid 30 s, 5 min 30 s, …; a reader that comes late is told so. */
START_TEST(old_segments_go_on_leader_and_follower)
{
    struct kb_config config = small();
    struct net *n = net_new_with(&config, 2);

    net_topic(n, "t", 0, "1,2");
    net_run(n, SECOND);
    put_many(n, "abcd");
    net_run(n, 8 * MINUTE);
    put_many(n, "ef");
    net_run(n, 2 * MINUTE + 25 * SECOND);
    ck_assert_str_eq(net_log(n, 1, "t", 0), "a@0 b@1 c@2 d@3 e@4 f@5 | hw 6 end 6 | 0:0");
    ck_assert_uint_eq(net_view(n, 1, "t", 0).segment_count, 2);
    net_run(n, 10 * SECOND); /* 10:30 is over */
    ck_assert_str_eq(net_log(n, 1, "t", 0), "d@3 e@4 f@5 | hw 6 end 6 | 0:3");
    ck_assert_str_eq(net_log(n, 2, "t", 0), "d@3 e@4 f@5 | hw 6 end 6 | 0:3");
    ck_assert_int_eq(net_view(n, 1, "t", 0).log_start, 3);
    ck_assert_int_eq(net_view(n, 2, "t", 0).log_start, 3);
    ck_assert_int_eq(net_call_of(n, net_fetch(n, 1, "t", 0, 1, 0, false))->error,
                     WIRE_ERROR_OFFSET_OUT_OF_RANGE);
    ck_assert_int_eq(net_call_of(n, net_offsets(n, 1, "t", 0, KB_EARLIEST))->offset, 3);
    net_free(n);
}
END_TEST

/* Goal: the open segment, too, once its newest record is too old: the log goes on at its end. */
START_TEST(a_log_that_is_too_old_begins_anew_at_its_end)
{
    struct kb_config config = small();
    struct net *n = net_new_with(&config, 2);

    net_topic(n, "t", 0, "1,2");
    net_run(n, SECOND);
    put_many(n, "abcd");
    net_run(n, 16 * MINUTE);
    ck_assert_str_eq(net_log(n, 1, "t", 0), "| hw 4 end 4 | 0:4");
    ck_assert_str_eq(net_log(n, 2, "t", 0), "| hw 4 end 4 | 0:4");
    ck_assert_uint_eq(net_view(n, 1, "t", 0).segment_count, 1);
    ck_assert_int_eq(net_view(n, 1, "t", 0).segment_base, 4);
    put_many(n, "e");
    net_run(n, SECOND);
    ck_assert_str_eq(net_log(n, 2, "t", 0), "e@4 | hw 5 end 5 | 0:4");
    net_free(n);
}
END_TEST

/* Goal: what is not committed stays, however old; it goes with the first check after it is. */
START_TEST(nothing_above_the_high_watermark_goes)
{
    struct kb_config config = small();
    struct net *n;

    config.replica_lag_us = DAY;
    n = net_new_with(&config, 2);
    net_topic(n, "t", 0, "1,2");
    net_run(n, SECOND);
    put_many(n, "a");
    net_run(n, SECOND);
    net_cut(n, 2, 1, true);
    net_run(n, 2 * SECOND);
    put_many(n, "bcd");
    net_run(n, 21 * MINUTE);
    ck_assert_str_eq(net_log(n, 1, "t", 0), "a@0 b@1 c@2 d@3 | hw 1 end 4 | 0:0");
    net_cut(n, 2, 1, false);
    net_run(n, 5 * MINUTE);
    ck_assert_str_eq(net_log(n, 1, "t", 0), "| hw 4 end 4 | 0:4");
    net_free(n);
}
END_TEST

/* Goal: retention.bytes: the oldest go as long as the others are still as much; the last whole
   segment that is needed for it stays. */
START_TEST(what_is_too_much_goes)
{
    struct kb_config config = small();
    struct net *n;

    config.log.retention_ms = -1;
    config.log.retention_bytes = 300;
    n = net_new_with(&config, 1);
    net_topic(n, "t", 0, "1");
    put_many(n, "abcdefgh"); /* 210, 210, 140 */
    net_run(n, 31 * SECOND);
    ck_assert_str_eq(net_log(n, 1, "t", 0), "d@3 e@4 f@5 g@6 h@7 | hw 8 end 8 | 0:3");
    put_many(n, "ijk"); /* 210, 210, 140 again, but one would not do without */
    net_run(n, 5 * MINUTE);
    ck_assert_str_eq(net_log(n, 1, "t", 0), "g@6 h@7 i@8 j@9 k@10 | hw 11 end 11 | 0:6");
    net_free(n);
}
END_TEST

/* Goal: a follower that was away while its leader deleted starts anew at the leader's start. */
START_TEST(a_follower_that_was_away_for_too_long_begins_at_the_leaders_start)
{
    struct kb_config config = small();
    struct net *n = net_new_with(&config, 2);

    net_topic(n, "t", 0, "1,2");
    net_run(n, SECOND);
    put_many(n, "a");
    net_run(n, SECOND);
    net_kill(n, 2, false);
    net_elect(n, "t", 0, 1, "1");
    net_run(n, SECOND);
    put_many(n, "bcde");
    net_run(n, 9 * MINUTE);
    put_many(n, "fgh");
    net_run(n, 7 * MINUTE);
    ck_assert_str_eq(net_log(n, 1, "t", 0), "d@3 e@4 f@5 g@6 h@7 | hw 8 end 8 | 1:3");
    net_start(n, 2);
    net_metadata(n);
    net_tell(n, 2, "t", 0, false);
    net_run(n, 5 * SECOND);
    ck_assert_str_eq(net_log(n, 2, "t", 0), "d@3 e@4 f@5 g@6 h@7 | hw 8 end 8 | 1:3");
    ck_assert_int_eq(net_view(n, 2, "t", 0).log_start, 3);
    ck_assert_str_eq(net_state(n, "t", 0), "leader 1 epoch 1 isr 1,2 version 2");
    net_free(n);
}
END_TEST

/* Goal: a topic's own settings count before the broker's; a compacted one keeps all. */
START_TEST(a_topic_has_settings_of_its_own)
{
    struct kb_config config = small();
    struct net *n = net_new_with(&config, 1);
    struct kb_topic_config own = {0};

    for (uint32_t i = 0; kb_log_setting_name(i) != NULL; i++) {
        const char *name = kb_log_setting_name(i);
        kb_log_config_set(&own.log, i,
                          strcmp(name, "cleanup.policy") == 0  ? "compact"
                          : strcmp(name, "segment.bytes") == 0 ? "140"
                                                               : "no such value");
    }
    ck_assert_uint_eq(own.log.set, KB_LOG_CLEANUP | KB_LOG_SEGMENT_BYTES);
    net_configure(n, 1, "t", &own);
    net_topic(n, "t", 0, "1");
    put_many(n, "abc");
    ck_assert_uint_eq(net_view(n, 1, "t", 0).segment_count, 2);
    net_run(n, HOUR);
    ck_assert_int_eq(net_view(n, 1, "t", 0).log_start, 0);
    own.log.cleanup = KB_CLEANUP_DELETE; /* while it runs: the next check sees it */
    net_configure(n, 1, "t", &own);
    net_run(n, 6 * MINUTE);
    ck_assert_int_eq(net_view(n, 1, "t", 0).log_start, 3);
    net_free(n);
}
END_TEST

/* Goal: an answer ends where a segment does; a fetch that waits for more is answered when the log
   begins another, and one that stands in an older segment does not wait at all. */
START_TEST(a_reading_ends_with_its_segment)
{
    struct kb_config config = small();
    struct net *n = net_new_with(&config, 1);
    uint64_t first, second;

    net_topic(n, "t", 0, "1");
    put_many(n, "abcde");
    ck_assert_uint_eq(net_call_of(n, net_fetch(n, 1, "t", 0, 1, 0, false))->count, 2);
    ck_assert_uint_eq(net_call_of(n, net_fetch(n, 1, "t", 0, 3, 0, false))->count, 2);
    first = net_fetch_much(n, 1, "t", 0, 2, SECOND, 1000);
    ck_assert(net_call_of(n, first)->done);
    ck_assert_uint_eq(net_call_of(n, first)->count, 1);
    first = net_fetch_much(n, 1, "t", 0, 4, SECOND, 1000);
    second = net_fetch_much(n, 1, "t", 0, 5, SECOND, 1000);
    put_many(n, "f");
    ck_assert(!net_call_of(n, first)->done);
    ck_assert(!net_call_of(n, second)->done);
    put_many(n, "g");
    ck_assert(net_call_of(n, first)->done);
    ck_assert_uint_eq(net_call_of(n, first)->count, 2);
    ck_assert(net_call_of(n, second)->done);
    net_free(n);
}
END_TEST

static struct kb_batch timed(int64_t first_ms, int64_t max_ms, uint32_t size)
{
    return (struct kb_batch){.payload = 'x',
                             .producer_id = -1,
                             .producer_epoch = -1,
                             .base_sequence = -1,
                             .record_count = 1,
                             .first_timestamp = first_ms,
                             .max_timestamp = max_ms,
                             .size = size};
}

static int32_t put_batch(struct net *n, struct kb_batch batch)
{
    return net_call_of(n, net_produce_batch(n, 1, "t", 0, &batch, 1, SECOND, KB_FROM_CLIENT))
        ->error;
}

/* Goal: records roll a segment by their own times: what is younger than the first by more than
   segment.ms; and what no segment has room for is refused. */
START_TEST(a_segment_is_left_when_records_are_too_young_for_it)
{
    struct kb_config config = small();
    struct net *n;

    config.log.segment_ms = 1000;
    config.log.segment_bytes = 1000;
    n = net_new_with(&config, 1);
    net_topic(n, "t", 0, "1");
    net_run(n, 10 * SECOND);
    ck_assert_int_eq(put_batch(n, timed(5000, 5000, 70)), 0);
    ck_assert_int_eq(put_batch(n, timed(6000, 6000, 70)), 0);
    ck_assert_int_eq(put_batch(n, timed(100, 100, 70)), 0); /* older: no reason */
    ck_assert_uint_eq(net_view(n, 1, "t", 0).segment_count, 1);
    ck_assert_int_eq(put_batch(n, timed(6001, 6001, 70)), 0);
    ck_assert_uint_eq(net_view(n, 1, "t", 0).segment_count, 2);
    ck_assert_int_eq(net_view(n, 1, "t", 0).segment_base, 3);
    ck_assert_int_eq(put_batch(n, timed(6001, 6001, 1001)), WIRE_ERROR_RECORD_LIST_TOO_LARGE);
    ck_assert_int_eq(put_batch(n, timed(6001, 6001, 1000)), 0);
    ck_assert_int_eq(net_view(n, 1, "t", 0).segment_base, 4);
    net_free(n);
}
END_TEST

/* Goal: message.timestamp.difference.max.ms, both ways; -1 is no time; LogAppendTime asks nobody.
 */
START_TEST(a_record_of_another_time_is_refused)
{
    struct kb_config config = small();
    struct net *n;

    config.log.timestamp_difference_ms = 2000;
    n = net_new_with(&config, 1);
    net_topic(n, "t", 0, "1");
    net_run(n, 10 * SECOND);
    const int64_t now = net_now(n) / 1000;
    ck_assert_int_eq(put_batch(n, timed(now - 2000, now + 2000, 70)), 0);
    ck_assert_int_eq(put_batch(n, timed(now - 2001, now, 70)), WIRE_ERROR_INVALID_TIMESTAMP);
    ck_assert_int_eq(put_batch(n, timed(now, now + 2001, 70)), WIRE_ERROR_INVALID_TIMESTAMP);
    ck_assert_int_eq(put_batch(n, timed(-1, -1, 70)), 0);
    net_config(n, 1)->log.log_append_time = 1;
    ck_assert_int_eq(put_batch(n, timed(0, 0, 70)), 0);
    net_free(n);
}
END_TEST

static struct kb_batch of_producer(struct net *n, int64_t producer, int32_t sequence, bool in_txn)
{
    struct kb_batch batch = timed(net_now(n) / 1000, net_now(n) / 1000, 70);

    batch.producer_id = producer;
    batch.producer_epoch = 0;
    batch.base_sequence = sequence;
    batch.flags = in_txn ? KB_TRANSACTIONAL : 0;
    return batch;
}

/* Goal: a producer that wrote nothing for transactional.id.expiration.ms is forgotten: a batch that
   it sends again is written again, and a gap is not seen. One with an open transaction is kept. */
START_TEST(an_idle_producer_is_forgotten)
{
    struct kb_config config = small();
    struct net *n;

    config.log.retention_ms = -1;
    config.producer_expiry_ms = 3600000;
    n = net_new_with(&config, 1);
    net_topic(n, "t", 0, "1");
    net_run(n, SECOND);
    const struct kb_batch again = of_producer(n, 7, 0, false);
    ck_assert_int_eq(put_batch(n, again), 0);
    ck_assert_int_eq(put_batch(n, of_producer(n, 8, 0, true)), 0);
    ck_assert_int_eq(put_batch(n, again), 0); /* known: not written */
    ck_assert_int_eq(net_view(n, 1, "t", 0).log_end, 2);
    net_run(n, 59 * MINUTE);
    ck_assert_int_eq(put_batch(n, of_producer(n, 9, 0, false)), 0);
    ck_assert_int_eq(put_batch(n, of_producer(n, 7, 5, false)),
                     WIRE_ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    net_run(n, 11 * MINUTE);
    ck_assert_uint_eq(net_view(n, 1, "t", 0).producer_count, 2);
    ck_assert_uint_eq(net_facts(n, KB_FACT_FORGOTTEN), 1);
    ck_assert_int_eq(put_batch(n, again), 0);
    ck_assert_int_eq(net_view(n, 1, "t", 0).log_end, 4);
    ck_assert_int_eq(put_batch(n, of_producer(n, 8, 7, true)),
                     WIRE_ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    net_run(n, 2 * HOUR);
    ck_assert_int_eq(put_batch(n, of_producer(n, 9, 77, false)), 0);
    net_free(n);
}
END_TEST

/* Goal: with Kafka's defaults nothing wakes a broker within a week, and then one check does it. */
START_TEST(checks_sleep_while_there_is_nothing_to_find)
{
    struct net *n = net_new(SM_VERSION_2_8, 1);
    uint64_t before;

    net_topic(n, "t", 0, "1");
    ck_assert_int_eq(put_batch(n, of_producer(n, 7, 0, false)), 0);
    net_run(n, MINUTE);
    before = net_events(n);
    net_run(n, 7 * DAY - 2 * MINUTE);
    ck_assert_uint_eq(net_events(n), before);
    ck_assert_int_eq(net_view(n, 1, "t", 0).log_start, 0);
    net_run(n, 20 * MINUTE);
    ck_assert_int_eq(net_view(n, 1, "t", 0).log_start, 1);
    ck_assert_uint_eq(net_view(n, 1, "t", 0).producer_count, 0);
    before = net_events(n);
    net_run(n, 7 * DAY);
    ck_assert_uint_eq(net_events(n) - before, 0);
    net_free(n);
}
END_TEST

/* Goal: segments outlive the process, and what was too old when it came back goes with the first
   check of the new life, once the high watermark is known again. */
START_TEST(a_restart_finds_its_segments)
{
    struct kb_config config = small();
    struct net *n = net_new_with(&config, 1);

    net_topic(n, "t", 0, "1");
    put_many(n, "abcd");
    net_run(n, SECOND);
    net_shut_down(n, 1);
    net_run(n, 20 * MINUTE);
    net_start(n, 1);
    net_metadata(n);
    net_run(n, MINUTE);
    ck_assert_int_eq(net_view(n, 1, "t", 0).log_start, 0); /* not opened: no high watermark */
    ck_assert_uint_eq(net_view(n, 1, "t", 0).segment_count, 2);
    net_tell(n, 1, "t", 0, false);
    net_run(n, 6 * MINUTE);
    ck_assert_str_eq(net_log(n, 1, "t", 0), "| hw 4 end 4 | 0:4");
    net_free(n);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        old_segments_go_on_leader_and_follower,
        a_log_that_is_too_old_begins_anew_at_its_end,
        nothing_above_the_high_watermark_goes,
        what_is_too_much_goes,
        a_follower_that_was_away_for_too_long_begins_at_the_leaders_start,
        a_topic_has_settings_of_its_own,
        a_reading_ends_with_its_segment,
        a_segment_is_left_when_records_are_too_young_for_it,
        a_record_of_another_time_is_refused,
        an_idle_producer_is_forgotten,
        checks_sleep_while_there_is_nothing_to_find,
        a_restart_finds_its_segments,
    };
    Suite *suite = suite_create("broker: retention");
    TCase *tc = tcase_create("retention");
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
