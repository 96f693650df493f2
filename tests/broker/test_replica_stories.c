/*
 * Leaders, followers, the ISR: short stories on the desk of net.h.
 */
#include "tests/broker/net.h"

#include "wire/errors.h"

#define SECOND INT64_C(1000000)

/* Goal: a record acknowledged by all is on all, and the followers learn that it is committed with
   their next fetch. */
START_TEST(records_go_from_the_leader_to_its_followers)
{
    struct net *n = net_new(SM_VERSION_2_8, 3);
    uint64_t call;

    net_topic(n, "t", 0, "1,2,3");
    call = net_produce(n, 1, "t", 0, 'a', -1);
    ck_assert(!net_call_of(n, call)->done);
    net_run(n, 10000);
    ck_assert(net_call_of(n, call)->done);
    ck_assert_int_eq(net_call_of(n, call)->error, 0);
    ck_assert_int_eq(net_call_of(n, call)->offset, 0);
    ck_assert_str_eq(net_log(n, 1, "t", 0), "a@0 | hw 1 end 1 | 0:0");
    net_run(n, 2 * SECOND);
    for (int b = 1; b <= 3; b++) {
        ck_assert_str_eq(net_log(n, b, "t", 0), "a@0 | hw 1 end 1 | 0:0");
    }
    ck_assert_str_eq(net_state(n, "t", 0), "leader 1 epoch 0 isr 1,2,3 version 0");
    net_free(n);
}
END_TEST

/* Goal: what is not asked for by all is answered at once, and acks = 0 only by closing on errors.
 */
START_TEST(acks_1_and_0_do_not_wait)
{
    struct net *n = net_new(SM_VERSION_2_8, 2);
    uint64_t one, zero, wrong, odd;

    net_topic(n, "t", 0, "1,2");
    one = net_produce(n, 1, "t", 0, 'a', 1);
    zero = net_produce(n, 1, "t", 0, 'b', 0);
    wrong = net_produce(n, 2, "t", 0, 'c', 0);
    odd = net_produce(n, 1, "t", 0, 'd', 2);
    ck_assert(net_call_of(n, one)->done);
    ck_assert(!net_call_of(n, zero)->done);
    ck_assert(net_call_of(n, wrong)->closed);
    ck_assert_int_eq(net_call_of(n, odd)->error, WIRE_ERROR_INVALID_REQUIRED_ACKS);
    net_run(n, SECOND);
    ck_assert_str_eq(net_log(n, 1, "t", 0), "a@0 b@1 | hw 2 end 2 | 0:0");
    net_free(n);
}
END_TEST

/* Goal: consumers read up to the high watermark; a fetch waits for records, but not for ever. */
START_TEST(consumers_read_what_is_committed)
{
    struct net *n = net_new(SM_VERSION_2_8, 2);
    uint64_t waits, later;

    net_topic(n, "t", 0, "1,2");
    net_cut(n, 2, 1, true);
    net_run(n, SECOND);
    net_produce(n, 1, "t", 0, 'a', 1);
    waits = net_fetch(n, 1, "t", 0, 0, SECOND, false);
    net_run(n, SECOND / 2);
    ck_assert(!net_call_of(n, waits)->done);
    net_run(n, SECOND);
    ck_assert(net_call_of(n, waits)->done);
    ck_assert_uint_eq(net_call_of(n, waits)->count, 0);

    later = net_fetch(n, 1, "t", 0, 0, 10 * SECOND, false);
    net_cut(n, 2, 1, false);
    net_run(n, 3 * SECOND);
    ck_assert(net_call_of(n, later)->done);
    ck_assert_uint_eq(net_call_of(n, later)->count, 1);
    ck_assert_uint_eq(net_call_of(n, later)->payload[0], 'a');
    ck_assert_int_eq(net_call_of(n, net_fetch(n, 1, "t", 0, 5, 0, false))->error,
                     WIRE_ERROR_OFFSET_OUT_OF_RANGE);
    ck_assert_int_eq(net_call_of(n, net_fetch(n, 2, "t", 0, 0, 0, false))->error,
                     WIRE_ERROR_NOT_LEADER_OR_FOLLOWER);
    net_free(n);
}
END_TEST

/* Goal: a follower that stops fetching leaves the ISR after the lag limit, at a check (every half
   of it), and the high watermark goes on; it comes back when it has caught up. Both are told. */
START_TEST(the_isr_shrinks_and_grows)
{
    struct net *n = net_new(SM_VERSION_2_8, 3);
    uint64_t call;

    net_topic(n, "t", 0, "1,2,3");
    net_run(n, 2 * SECOND);
    net_cut(n, 3, 1, true);
    net_run(n, SECOND);
    call = net_produce(n, 1, "t", 0, 'a', -1);
    net_run(n, 9 * SECOND);
    ck_assert(!net_call_of(n, call)->done);
    ck_assert_str_eq(net_state(n, "t", 0), "leader 1 epoch 0 isr 1,2,3 version 0");
    net_run(n, 2 * SECOND);
    ck_assert_int_eq(net_call_of(n, call)->error, WIRE_ERROR_REQUEST_TIMED_OUT);
    call = net_produce_batch(n, 1, "t", 0,
                             &(struct kb_batch){.payload = 'b',
                                                .producer_id = -1,
                                                .producer_epoch = -1,
                                                .base_sequence = -1,
                                                .size = 70,
                                                .record_count = 1},
                             -1, 60 * SECOND, KB_FROM_CLIENT);
    net_run(n, 32 * SECOND);
    ck_assert_str_eq(net_state(n, "t", 0), "leader 1 epoch 0 isr 1,2 version 1");
    ck_assert_int_eq(net_call_of(n, call)->error, 0);
    ck_assert_int_eq(net_call_of(n, call)->offset, 1);
    net_run(n, 10 * SECOND);
    ck_assert_int_eq(net_notifications(n, "/isr_change_notification"), 1);

    net_cut(n, 3, 1, false);
    net_run(n, 5 * SECOND);
    ck_assert_str_eq(net_state(n, "t", 0), "leader 1 epoch 0 isr 1,2,3 version 2");
    ck_assert_str_eq(net_log(n, 3, "t", 0), "a@0 b@1 | hw 2 end 2 | 0:0");
    net_run(n, 10 * SECOND);
    ck_assert_int_eq(net_notifications(n, "/isr_change_notification"), 2);
    ck_assert(kb_replicas_is_quiet(net_replicas(n, 1)));
    net_free(n);
}
END_TEST

/* Goal: min.insync.replicas refuses before the append by the ISR, and tells after it by the maximal
   one. */
START_TEST(too_small_an_isr_refuses_records)
{
    struct kb_config config = kb_config_default(sm_profile_of(SM_VERSION_2_8), 1);
    struct net *n;
    uint64_t call;

    config.min_insync_replicas = 2;
    n = net_new_with(&config, 2);
    net_topic(n, "t", 0, "1,2");
    net_run(n, SECOND);
    net_elect(n, "t", 0, 1, "1");
    net_cut(n, 2, 1, true);
    net_run(n, SECOND);
    call = net_produce(n, 1, "t", 0, 'a', -1);
    ck_assert_int_eq(net_call_of(n, call)->error, WIRE_ERROR_NOT_ENOUGH_REPLICAS);
    call = net_produce(n, 1, "t", 0, 'b', 1);
    ck_assert_int_eq(net_call_of(n, call)->error, 0);
    ck_assert_int_eq(net_view(n, 1, "t", 0).log_end, 1);
    net_free(n);
}
END_TEST

/* Goal: leadership moves; the old leader's waiting produce is told, its uncommitted tail is cut
   where the new leader's epoch began. */
START_TEST(a_deposed_leader_truncates_to_where_epochs_part)
{
    struct net *n = net_new(SM_VERSION_2_8, 3);
    uint64_t call;

    net_topic(n, "t", 0, "1,2,3");
    net_run(n, SECOND);
    net_produce(n, 1, "t", 0, 'a', -1);
    net_run(n, SECOND);
    net_cut(n, 2, 1, true);
    net_cut(n, 3, 1, true);
    net_run(n, SECOND);
    call = net_produce(n, 1, "t", 0, 'b', -1);
    net_run(n, SECOND / 10);
    net_elect(n, "t", 0, 2, "2,3");
    net_run(n, SECOND / 10);
    ck_assert(net_call_of(n, call)->done);
    ck_assert_int_eq(net_call_of(n, call)->error, WIRE_ERROR_NOT_LEADER_OR_FOLLOWER);
    net_produce(n, 2, "t", 0, 'c', -1);
    net_run(n, 3 * SECOND);
    for (int b = 1; b <= 3; b++) {
        ck_assert_str_eq(net_log(n, b, "t", 0), "a@0 c@1 | hw 2 end 2 | 0:0 1:1");
    }
    ck_assert_str_eq(net_state(n, "t", 0), "leader 2 epoch 1 isr 2,3,1 version 2");
    net_free(n);
}
END_TEST

/* Goal: the epoch rules of LeaderAndIsr and StopReplica, per partition and for the whole. */
START_TEST(requests_are_judged_by_their_epochs)
{
    struct net *n = net_new(SM_VERSION_2_8, 2);
    uint64_t call;
    int32_t old;

    net_topic(n, "t", 0, "1,2");
    call = net_tell(n, 1, "t", 0, false);
    net_run(n, 10000);
    ck_assert_int_eq(net_call_of(n, call)->error, WIRE_ERROR_STALE_CONTROLLER_EPOCH);
    ck_assert_uint_eq(net_call_of(n, call)->count, 1);

    net_controller_epoch(n, 3);
    net_metadata(n);
    net_run(n, 10000);
    old = net_controller_epoch(n, 2);
    ck_assert_int_eq(old, 3);
    call = net_stop_replica(n, 1, "t", 0, 5, true);
    net_run(n, 10000);
    ck_assert_int_eq(net_call_of(n, call)->error, WIRE_ERROR_STALE_CONTROLLER_EPOCH);
    ck_assert_uint_eq(net_call_of(n, call)->count, 0);
    net_controller_epoch(n, 3);

    net_stamp(n, 1, 0);
    call = net_stop_replica(n, 1, "t", 0, 5, true);
    net_run(n, 10000);
    ck_assert_int_eq(net_call_of(n, call)->error, WIRE_ERROR_STALE_BROKER_EPOCH);
    net_stamp(n, 1, -1);

    call = net_stop_replica(n, 1, "t", 0, 0, true);
    net_run(n, 10000);
    ck_assert_int_eq(net_call_of(n, call)->error, WIRE_ERROR_FENCED_LEADER_EPOCH);
    ck_assert(net_has(n, 1, "t", 0));
    call = net_stop_replica(n, 1, "t", 0, 1, false);
    net_run(n, 10000);
    ck_assert_int_eq(net_call_of(n, call)->error, 0);
    ck_assert(kb_is_leader(net_replicas(n, 1), "t", 0)); /* it goes on believing so */
    call = net_stop_replica(n, 1, "t", 0, -2, true);
    net_run(n, 10000);
    ck_assert_int_eq(net_call_of(n, call)->error, 0);
    ck_assert(!net_has(n, 1, "t", 0));
    net_free(n);
}
END_TEST

/* Goal: with a leader that is not alive only the log is made; the same epoch is followed later. */
START_TEST(a_dead_leader_costs_no_epoch)
{
    struct net *n = net_new(SM_VERSION_2_8, 3);
    uint64_t call;

    net_kill(n, 1, false);
    net_metadata(n);
    net_run(n, 10000);
    net_assign(n, "t", 0, "1,2");
    net_decide(n, "t", 0, 1, "1,2");
    call = net_tell(n, 2, "t", 0, true);
    net_run(n, 10000);
    ck_assert_int_eq(net_call_of(n, call)->error, 0);
    ck_assert_int_eq(net_view(n, 2, "t", 0).leader_epoch, -1);
    ck_assert(net_view(n, 2, "t", 0).has_log);
    net_start(n, 1);
    net_metadata(n);
    net_tell(n, 1, "t", 0, true);
    call = net_tell(n, 2, "t", 0, false);
    net_run(n, SECOND);
    ck_assert_int_eq(net_call_of(n, call)->error, 0);
    ck_assert_int_eq(net_view(n, 2, "t", 0).leader_epoch, 0);
    ck_assert_int_eq(net_view(n, 2, "t", 0).fetch_state, KB_FETCHING);
    net_free(n);
}
END_TEST

/* Goal: a request that names a broker which is not assigned leaves a partition that is offline. */
START_TEST(a_partition_that_is_not_mine_goes_offline)
{
    struct net *n = net_new(SM_VERSION_2_8, 3);
    uint64_t call;

    net_assign(n, "t", 0, "1,2");
    net_decide(n, "t", 0, 1, "1,2");
    call = net_tell(n, 3, "t", 0, true);
    net_run(n, 10000);
    ck_assert_int_eq(net_call_of(n, call)->error, WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(net_view(n, 3, "t", 0).hosted, KB_OFFLINE);
    call = net_tell(n, 3, "t", 0, true);
    net_run(n, 10000);
    ck_assert_int_eq(net_call_of(n, call)->error, WIRE_ERROR_KAFKA_STORAGE_ERROR);
    net_free(n);
}
END_TEST

/* Goal: a clean stop keeps the high watermark; a killed process finds that of its last checkpoint;
   a lost machine loses what was not flushed. */
START_TEST(a_restart_finds_what_is_on_disk)
{
    struct net *n = net_new(SM_VERSION_2_8, 2);

    net_topic(n, "t", 0, "1,2");
    net_run(n, SECOND);
    net_produce(n, 1, "t", 0, 'a', -1);
    net_run(n, 7 * SECOND);
    net_produce(n, 1, "t", 0, 'b', -1);
    net_run(n, SECOND);
    ck_assert_str_eq(net_log(n, 2, "t", 0), "a@0 b@1 | hw 2 end 2 | 0:0");
    net_kill(n, 2, false);
    ck_assert_str_eq(net_log(n, 2, "t", 0), "a@0 b@1 | hw 0 end 2 | 0:0");
    ck_assert_int_eq(net_view(n, 2, "t", 0).checkpointed_hw, 1);
    net_start(n, 2);
    net_metadata(n);
    net_elect(n, "t", 0, 1, "1");
    net_run(n, 3 * SECOND);
    ck_assert_str_eq(net_log(n, 2, "t", 0), "a@0 b@1 | hw 2 end 2 | 0:0");
    net_shut_down(n, 2);
    ck_assert_int_eq(net_view(n, 2, "t", 0).checkpointed_hw, 2);
    net_kill(n, 1, true);
    ck_assert_int_eq(net_view(n, 1, "t", 0).log_end, 0);
    net_check_acked(n, false);
    net_free(n);
}
END_TEST

/* Goal: a directory fails: its partitions answer with the storage error, a new log is made
   elsewhere only for a new partition, and the controller is told. */
START_TEST(a_log_directory_fails)
{
    struct kb_config config = kb_config_default(sm_profile_of(SM_VERSION_2_8), 1);
    struct net *n;
    uint64_t call;

    config.log_dirs = 2;
    n = net_new_with(&config, 2);
    net_topic(n, "t", 0, "1,2");
    net_topic(n, "t", 1, "1,2");
    net_run(n, SECOND);
    net_fail_dir(n, 1, 0);
    net_run(n, SECOND);
    ck_assert_int_eq(net_notifications(n, "/log_dir_event_notification"), 1);
    ck_assert_int_eq(net_view(n, 1, "t", 0).hosted, KB_OFFLINE);
    ck_assert_int_eq(net_view(n, 1, "t", 1).hosted, KB_ONLINE);
    call = net_produce(n, 1, "t", 0, 'a', -1);
    ck_assert_int_eq(net_call_of(n, call)->error, WIRE_ERROR_KAFKA_STORAGE_ERROR);
    call = net_tell(n, 1, "t", 0, false);
    net_run(n, 10000);
    ck_assert_int_eq(net_call_of(n, call)->error, WIRE_ERROR_KAFKA_STORAGE_ERROR);
    net_assign(n, "u", 0, "1,2");
    net_decide(n, "u", 0, 1, "1,2");
    call = net_tell(n, 1, "u", 0, false);
    net_run(n, 10000);
    ck_assert_int_eq(net_call_of(n, call)->error, WIRE_ERROR_KAFKA_STORAGE_ERROR);
    net_assign(n, "u", 1, "1,2");
    net_decide(n, "u", 1, 1, "1,2");
    call = net_tell(n, 1, "u", 1, true);
    net_run(n, 10000);
    ck_assert_int_eq(net_call_of(n, call)->error, 0);
    net_free(n);
}
END_TEST

/* Goal: a new leader does not tell consumers its end while it may be behind an earlier leader's. */
START_TEST(offsets_are_not_told_while_the_high_watermark_lags)
{
    struct net *n = net_new(SM_VERSION_2_8, 3);
    uint64_t call;

    net_topic(n, "t", 0, "1,2,3");
    net_run(n, SECOND);
    net_produce(n, 1, "t", 0, 'a', -1);
    net_run(n, 100000);
    net_kill(n, 1, false);
    net_cut(n, 3, 2, true);
    net_run(n, 10000);
    net_elect(n, "t", 0, 2, "2,3");
    net_run(n, 100000);
    ck_assert_int_eq(net_view(n, 2, "t", 0).epoch_start, 1);
    call = net_offsets(n, 2, "t", 0, KB_LATEST);
    if (net_view(n, 2, "t", 0).hw < 1) {
        ck_assert_int_eq(net_call_of(n, call)->error, WIRE_ERROR_OFFSET_NOT_AVAILABLE);
    }
    call = net_offsets(n, 2, "t", 0, KB_EARLIEST);
    ck_assert_int_eq(net_call_of(n, call)->error, 0);
    ck_assert_int_eq(net_call_of(n, call)->offset, 0);
    net_cut(n, 3, 2, false);
    net_run(n, 3 * SECOND);
    call = net_offsets(n, 2, "t", 0, KB_LATEST);
    ck_assert_int_eq(net_call_of(n, call)->error, 0);
    ck_assert_int_eq(net_call_of(n, call)->offset, 1);
    ck_assert_int_eq(net_call_of(n, call)->epoch, 1);
    net_free(n);
}
END_TEST

/* Goal: a follower that was away while records were deleted starts anew at the leader's start. */
START_TEST(a_follower_below_the_leaders_start_begins_there)
{
    struct net *n = net_new(SM_VERSION_2_8, 2);

    net_topic(n, "t", 0, "1,2");
    net_run(n, SECOND);
    net_kill(n, 2, false);
    net_metadata(n);
    net_elect(n, "t", 0, 1, "1");
    net_run(n, SECOND);
    for (uint64_t p = 'a'; p < 'f'; p++) {
        net_produce(n, 1, "t", 0, p, -1);
    }
    net_run(n, 40 * SECOND); /* 2 was at the end lately, and holds the mark back until it lags */
    net_run(n, SECOND);
    net_produce(n, 1, "t", 0, 'f', 1);
    ck_assert_int_eq(net_call_of(n, net_delete_records(n, 1, "t", 0, 3))->offset, 3);
    net_start(n, 2);
    net_metadata(n);
    net_elect(n, "t", 0, 1, NULL);
    net_run(n, 5 * SECOND);
    ck_assert_str_eq(net_log(n, 2, "t", 0), "d@3 e@4 f@5 | hw 6 end 6 | 1:3");
    ck_assert_int_eq(net_view(n, 2, "t", 0).log_start, 3);
    ck_assert_str_eq(net_state(n, "t", 0), "leader 1 epoch 2 isr 1,2 version 3");
    net_free(n);
}
END_TEST

/* Goal: an ISR write whose reply was lost is found to be done. */
START_TEST(an_isr_write_is_recognised)
{
    struct net *n = net_new(SM_VERSION_2_8, 2);

    net_topic(n, "t", 0, "1,2");
    net_run(n, SECOND);
    net_cut(n, 2, 1, true);
    net_run(n, SECOND);
    net_produce(n, 1, "t", 0, 'a', 1);
    net_lose_isr_reply(n);
    net_run(n, 50 * SECOND);
    ck_assert_str_eq(net_state(n, "t", 0), "leader 1 epoch 0 isr 1 version 1");
    ck_assert_int_eq(net_view(n, 1, "t", 0).zk_version, 1);
    ck_assert_int_eq(net_view(n, 1, "t", 0).isr_state, KB_ISR_COMMITTED);
    ck_assert_int_eq(net_view(n, 1, "t", 0).hw, 1);
    net_free(n);
}
END_TEST

/* Goal: a leader whose write is refused changes nothing more until it is told what is. */
START_TEST(a_refused_isr_write_stays_pending)
{
    struct net *n = net_new(SM_VERSION_2_8, 3);

    net_topic(n, "t", 0, "1,2,3");
    net_run(n, SECOND);
    net_hold(n, 1, true);
    net_elect(n, "t", 0, 1, "1,2,3"); /* only 1 does not hear of it */
    net_run(n, 5 * SECOND);
    net_produce(n, 1, "t", 0, 'a', 1);
    net_run(n, 60 * SECOND);
    ck_assert_int_eq(net_view(n, 1, "t", 0).isr_state, KB_ISR_SHRINKING);
    ck_assert_str_eq(net_state(n, "t", 0), "leader 1 epoch 1 isr 1,2,3 version 1");
    net_hold(n, 1, false);
    net_run(n, 5 * SECOND);
    ck_assert_int_eq(net_view(n, 1, "t", 0).isr_state, KB_ISR_COMMITTED);
    ck_assert_str_eq(net_log(n, 3, "t", 0), "a@0 | hw 1 end 1 | 0:0");
    net_free(n);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        records_go_from_the_leader_to_its_followers,
        acks_1_and_0_do_not_wait,
        consumers_read_what_is_committed,
        the_isr_shrinks_and_grows,
        too_small_an_isr_refuses_records,
        a_deposed_leader_truncates_to_where_epochs_part,
        requests_are_judged_by_their_epochs,
        a_dead_leader_costs_no_epoch,
        a_partition_that_is_not_mine_goes_offline,
        a_restart_finds_what_is_on_disk,
        a_log_directory_fails,
        offsets_are_not_told_while_the_high_watermark_lags,
        a_follower_below_the_leaders_start_begins_there,
        an_isr_write_is_recognised,
        a_refused_isr_write_stays_pending,
    };
    Suite *suite = suite_create("broker: replicas, stories");
    TCase *tc = tcase_create("stories");
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
