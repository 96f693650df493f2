/*
 * Every defect of brokers, switched on and off: the story of its JIRA, and where it ends.
 *
 * A story returns what the defect is about: true where it struck. Whatever else the profile has, is
 * off.
 */
#include "tests/broker/net.h"

#include <string.h>

#include "wire/errors.h"

#define SECOND INT64_C(1000000)

typedef bool story_fn(struct net *n);

static void on_and_off(enum sm_defect defect, int brokers, story_fn *story)
{
    for (int on = 0; on <= 1; on++) {
        struct net *n = net_new(SM_VERSION_2_8_FIXED, brokers);
        net_defect(n, defect, on != 0);
        ck_assert_msg(story(n) == (on != 0), "%s, switched %s", sm_defect_jira(defect),
                      on ? "on, does not show" : "off, shows");
        net_free(n);
    }
}

/* Runs until the leader's high watermark is `hw`, and no longer. */
static void until_hw(struct net *n, int leader, int64_t hw)
{
    for (int i = 0; i < 10000 && net_view(n, leader, "t", 0).hw < hw; i++) {
        net_run(n, 1000);
    }
    ck_assert_int_eq(net_view(n, leader, "t", 0).hw, hw);
}

static bool logs(const struct net *n, int broker, const char *begin)
{
    return strncmp(net_log(n, broker, "t", 0), begin, strlen(begin)) == 0;
}

/* A reassignment adds 3 and is cancelled: the request to stop 3 has the epoch that 3 has. */
static bool stray_replica(struct net *n)
{
    uint64_t call;
    net_topic(n, "t", 0, "1,2");
    net_assign(n, "t", 0, "1,2,3");
    net_elect(n, "t", 0, 1, NULL);
    net_run(n, SECOND);
    call = net_stop_replica(n, 3, "t", 0, 1, true);
    net_run(n, SECOND);
    ck_assert_int_eq(net_has(n, 3, "t", 0),
                     net_call_of(n, call)->error == WIRE_ERROR_FENCED_LEADER_EPOCH);
    return net_has(n, 3, "t", 0);
}
START_TEST(KAFKA_13972_a_stray_replica_stays)
{
    on_and_off(SM_DEFECT_STRAY_REPLICA, 3, stray_replica);
}
END_TEST

static bool unknown_replica(struct net *n)
{
    uint64_t call;
    net_topic(n, "t", 0, "1,2");
    net_produce(n, 1, "t", 0, 'a', 1);
    call = net_fetch_as(n, 1, 3, "t", 0, 0, 0);
    ck_assert_uint_eq(net_call_of(n, call)->count == 0 || net_call_of(n, call)->error != 0, 1);
    if (net_call_of(n, call)->error != 0) {
        ck_assert_int_eq(net_call_of(n, call)->error, WIRE_ERROR_UNKNOWN_LEADER_EPOCH);
    }
    return net_call_of(n, call)->error == 0;
}
START_TEST(KAFKA_13837_a_broker_that_is_not_assigned_is_told_nothing)
{
    on_and_off(SM_DEFECT_UNKNOWN_REPLICA_FETCH, 3, unknown_replica);
}
END_TEST

/* 3 is dead and out of the ISR; a fetch of it that was still under way arrives. */
static bool offline_joins(struct net *n)
{
    net_topic(n, "t", 0, "1,2,3");
    net_run(n, SECOND);
    net_kill(n, 3, false);
    net_metadata(n);
    net_elect(n, "t", 0, 1, "1,2");
    net_run(n, SECOND);
    net_fetch_as(n, 1, 3, "t", 0, 0, 1);
    net_run(n, SECOND);
    return strcmp(net_state(n, "t", 0), "leader 1 epoch 1 isr 1,2,3 version 2") == 0;
}
START_TEST(KAFKA_14140_a_dead_replica_joins)
{
    on_and_off(SM_DEFECT_OFFLINE_REPLICA_JOINS, 3, offline_joins);
}
END_TEST

/* Spec S1: the follower restarts before it learns that b is committed, truncates, and then has to
   lead. */
static bool hw_truncation(struct net *n)
{
    net_expect_divergence(n);
    net_assign(n, "t", 0, "2,1");
    net_decide(n, "t", 0, 2, "2,1");
    net_tell(n, 1, "t", 0, true);
    net_tell(n, 2, "t", 0, true);
    net_run(n, SECOND);
    net_produce(n, 2, "t", 0, 'a', -1);
    net_run(n, 6 * SECOND);
    net_produce(n, 2, "t", 0, 'b', -1);
    until_hw(n, 2, 2);
    ck_assert_uint_eq(net_acked(n), 2);
    net_kill(n, 1, false);
    ck_assert_int_eq(net_view(n, 1, "t", 0).checkpointed_hw, 1);
    net_start(n, 1);
    net_cut(n, 1, 2, true);
    net_metadata(n);
    net_tell(n, 1, "t", 0, false);
    net_run(n, SECOND / 10);
    net_kill(n, 2, false);
    net_metadata(n);
    net_elect(n, "t", 0, 1, "1");
    net_run(n, SECOND);
    net_start(n, 2);
    net_metadata(n);
    net_tell(n, 2, "t", 0, false);
    net_run(n, 3 * SECOND);
    ck_assert(logs(n, 2, logs(n, 1, "a@0 b@1") ? "a@0 b@1 |" : "a@0 |"));
    return logs(n, 1, "a@0 |");
}
START_TEST(KAFKA_1211_a_committed_record_is_truncated)
{
    on_and_off(SM_DEFECT_HW_TRUNCATION, 2, hw_truncation);
}
END_TEST

/* Spec S2: 1 hears of three elections at once, and leads without having truncated. */
static bool epoch_answer(struct net *n)
{
    net_expect_divergence(n);
    net_assign(n, "t", 0, "2,1");
    net_decide(n, "t", 0, 1, "1,2");
    net_tell(n, 1, "t", 0, true);
    net_tell(n, 2, "t", 0, true);
    net_run(n, SECOND);
    net_produce(n, 1, "t", 0, 'a', -1);
    net_run(n, 2 * SECOND);
    net_cut(n, 2, 1, true);
    net_run(n, SECOND);
    net_produce(n, 1, "t", 0, 'b', 1);
    net_hold(n, 1, true);
    net_elect(n, "t", 0, 2, NULL);
    net_run(n, SECOND / 10);
    net_produce(n, 2, "t", 0, 'x', 1);
    net_elect(n, "t", 0, 2, NULL);
    net_run(n, SECOND / 10);
    net_elect(n, "t", 0, 1, NULL);
    net_run(n, SECOND / 10);
    net_hold(n, 1, false);
    net_produce(n, 1, "t", 0, 'c', 1);
    net_cut(n, 2, 1, false);
    net_run(n, 10 * SECOND);
    ck_assert(logs(n, 1, "a@0 b@1 c@2 | hw 3 end 3 | 0:0 3:2"));
    ck_assert(logs(n, 2, "a@0 b@1 c@2 |") || logs(n, 2, "a@0 x@1 c@2 |"));
    return logs(n, 2, "a@0 x@1 c@2 |");
}
START_TEST(KAFKA_6361_logs_diverge_after_fast_elections)
{
    on_and_off(SM_DEFECT_EPOCH_ANSWER, 2, epoch_answer);
}
END_TEST

/* Spec S3: the new leader's high watermark is behind what was committed, for the other member of
   its ISR has not fetched yet; 3 is at the high watermark, and not at what was committed. */
static bool joins_below_epoch(struct net *n)
{
    bool joined = false;
    net_topic(n, "t", 0, "1,2,3,4");
    net_run(n, SECOND);
    for (uint64_t p = 'a'; p < 'f'; p++) {
        net_produce(n, 1, "t", 0, p, -1);
    }
    net_run(n, 2 * SECOND);
    net_cut(n, 3, 1, true);
    net_run(n, SECOND);
    net_elect(n, "t", 0, 1, "1,2,4");
    net_run(n, 35 * SECOND);
    for (uint64_t p = 'f'; p < 'k'; p++) {
        net_produce(n, 1, "t", 0, p, -1);
    }
    until_hw(n, 1, 10);
    net_kill(n, 1, false);
    ck_assert_int_eq(net_view(n, 2, "t", 0).hw, 5);
    net_cut(n, 4, 2, true);
    net_metadata(n);
    net_elect(n, "t", 0, 2, "2,4");
    for (int i = 0; i < 5000 && kb_follower_end(net_replicas(n, 2), "t", 0, 3) < 10; i++) {
        net_run(n, 1000);
        struct kb_partition_view v = net_view(n, 2, "t", 0);
        joined = joined || (kb_follower_end(net_replicas(n, 2), "t", 0, 3) == 5 &&
                            sm_list_has(&v.maximal_isr, 3));
    }
    return joined;
}
START_TEST(KAFKA_7128_a_replica_joins_below_the_epochs_start)
{
    on_and_off(SM_DEFECT_JOINS_BELOW_EPOCH, 4, joins_below_epoch);
}
END_TEST

/* Spec S4: the leader of epoch 3 has written nothing; asked for epoch 1 it knows nothing so new. */
static bool epoch_not_recorded(struct net *n)
{
    int64_t shortest = 99;
    net_expect_divergence(n);
    net_assign(n, "t", 0, "2,1");
    net_decide(n, "t", 0, 1, "1,2");
    net_tell(n, 1, "t", 0, true);
    net_tell(n, 2, "t", 0, true);
    net_run(n, SECOND);
    net_produce(n, 1, "t", 0, 'a', -1);
    net_run(n, 2 * SECOND);
    net_produce(n, 1, "t", 0, 'b', -1);
    until_hw(n, 1, 2);
    net_hold(n, 1, true);
    ck_assert_int_eq(net_view(n, 2, "t", 0).hw, 1);
    net_cut(n, 1, 2, true);
    net_cut(n, 2, 1, true); /* 2 must not hear that b is committed */
    net_elect(n, "t", 0, 2, NULL);
    net_run(n, SECOND / 10);
    if (net_view(n, 2, "t", 0).hw != 1) {
        ck_abort_msg("2 has heard");
    }
    net_produce(n, 2, "t", 0, 'x', 1);
    net_elect(n, "t", 0, 2, NULL);
    net_elect(n, "t", 0, 1, NULL);
    net_run(n, SECOND / 10);
    net_hold(n, 1, false);
    net_cut(n, 2, 1, false);
    for (int i = 0; i < 3000; i++) {
        int64_t end = net_view(n, 2, "t", 0).log_end;
        net_run(n, 1000);
        shortest = end < shortest ? end : shortest;
    }
    return shortest == 1;
}
START_TEST(KAFKA_7415_a_new_leader_does_not_know_its_epoch)
{
    on_and_off(SM_DEFECT_EPOCH_NOT_RECORDED, 2, epoch_not_recorded);
}
END_TEST

/* 2 misses that 3 has led in between: its leader is the same as before. */
static bool same_leader(struct net *n)
{
    net_expect_divergence(n);
    net_topic(n, "t", 0, "1,2,3");
    net_run(n, SECOND);
    net_produce(n, 1, "t", 0, 'a', -1);
    net_run(n, 2 * SECOND);
    net_cut(n, 3, 1, true);
    net_run(n, SECOND);
    net_produce(n, 1, "t", 0, 'b', 1);
    net_run(n, SECOND / 100);
    ck_assert(logs(n, 2, "a@0 b@1 |"));
    net_cut(n, 2, 1, true);
    net_run(n, SECOND);
    net_decide(n, "t", 0, 3, NULL);
    net_tell(n, 1, "t", 0, false);
    net_tell(n, 3, "t", 0, false);
    net_run(n, SECOND / 10);
    net_produce(n, 3, "t", 0, 'c', 1);
    net_run(n, 2 * SECOND);
    ck_assert(logs(n, 1, "a@0 c@1 |"));
    net_elect(n, "t", 0, 1, NULL);
    net_run(n, SECOND / 10);
    net_produce(n, 1, "t", 0, 'd', 1);
    net_cut(n, 2, 1, false);
    net_cut(n, 3, 1, false);
    net_run(n, 5 * SECOND);
    ck_assert(logs(n, 3, "a@0 c@1 d@2 |"));
    return logs(n, 2, "a@0 b@1 d@2 |");
}
START_TEST(KAFKA_7164_a_follower_with_the_same_leader_truncates_nothing)
{
    on_and_off(SM_DEFECT_SAME_LEADER_SKIPPED, 3, same_leader);
}
END_TEST

/* The hole that KIP-279 left: 2 has not heard that 3 and then 1 have led, goes on fetching from 1
   at the end of its own log, and 1 cannot see that it is in another epoch. */
static bool unfenced_fetch(struct net *n)
{
    net_expect_divergence(n);
    net_topic(n, "t", 0, "1,2,3");
    net_run(n, SECOND);
    net_produce(n, 1, "t", 0, 'a', -1);
    net_run(n, 2 * SECOND);
    net_cut(n, 3, 1, true);
    net_run(n, SECOND);
    net_produce(n, 1, "t", 0, 'b', 1);
    net_run(n, SECOND / 100);
    ck_assert(logs(n, 2, "a@0 b@1 |"));
    net_cut(n, 2, 1, true);
    net_run(n, SECOND);
    net_decide(n, "t", 0, 3, NULL);
    net_tell(n, 1, "t", 0, false);
    net_tell(n, 3, "t", 0, false);
    net_run(n, SECOND / 10);
    net_produce(n, 3, "t", 0, 'c', 1);
    net_run(n, 2 * SECOND);
    net_decide(n, "t", 0, 1, NULL);
    net_tell(n, 1, "t", 0, false);
    net_tell(n, 3, "t", 0, false);
    net_run(n, SECOND / 10);
    net_produce(n, 1, "t", 0, 'd', 1);
    net_cut(n, 2, 1, false);
    net_run(n, 5 * SECOND);
    net_tell(n, 2, "t", 0, false);
    net_run(n, 5 * SECOND);
    ck_assert(logs(n, 1, "a@0 c@1 d@2 |"));
    ck_assert(logs(n, 2, "a@0 b@1 d@2 |") || logs(n, 2, "a@0 c@1 d@2 |"));
    return logs(n, 2, "a@0 b@1 d@2 |");
}
START_TEST(KAFKA_7395_a_leader_answers_a_follower_of_another_epoch)
{
    on_and_off(SM_DEFECT_UNFENCED_FETCH, 3, unfenced_fetch);
}
END_TEST

/* 2 fetches what 1 writes in epoch 2 while it is itself in epoch 0; 1 takes that for an
   acknowledgement. Then 2 hears of epoch 1, whose leader 3 has not heard of its end, and truncates.
 */
static bool fenced_by_record(struct net *n)
{
    net_expect_divergence(n);
    net_check_acked(n, false);
    net_topic(n, "t", 0, "1,2,3");
    net_run(n, SECOND);
    net_produce(n, 1, "t", 0, 'a', -1);
    net_run(n, 2 * SECOND);
    net_cut(n, 3, 1, true);
    net_decide(n, "t", 0, 3, NULL);
    net_hold(n, 2, true);
    net_tell(n, 2, "t", 0, false); /* late */
    net_tell(n, 1, "t", 0, false);
    net_tell(n, 3, "t", 0, false);
    net_run(n, SECOND);
    net_decide(n, "t", 0, 1, "1,2");
    net_tell(n, 1, "t", 0, false);
    net_run(n, SECOND / 10);
    net_produce(n, 1, "t", 0, 'c', -1);
    for (int i = 0; i < 2000 && net_view(n, 1, "t", 0).hw < 2; i++) {
        net_run(n, 1000);
    }
    uint32_t acked = net_acked(n);
    net_hold(n, 2, false); /* before 2 hears that c is acknowledged */
    net_run(n, 2 * SECOND);
    ck_assert(logs(n, 1, "a@0 c@1 |"));
    ck_assert(logs(n, 2, "a@0 |"));
    return acked == 2;
}
START_TEST(the_first_try_of_KIP_320_truncates_what_is_acknowledged)
{
    on_and_off(SM_DEFECT_FENCED_BY_RECORD, 3, fenced_by_record);
}
END_TEST

/* The state was written before 1 led: its version is not 0. */
static bool partition_epoch_lost(struct net *n)
{
    net_topic(n, "t", 0, "1,2");
    net_elect(n, "t", 0, 1, NULL);
    net_run(n, SECOND);
    net_cut(n, 2, 1, true);
    net_run(n, SECOND);
    net_produce(n, 1, "t", 0, 'a', 1);
    net_run(n, 60 * SECOND);
    if (strcmp(net_state(n, "t", 0), "leader 1 epoch 1 isr 1 version 2") == 0) {
        return false;
    }
    ck_assert_str_eq(net_state(n, "t", 0), "leader 1 epoch 1 isr 1,2 version 1");
    return true;
}
START_TEST(KAFKA_12367_the_isr_is_written_on_version_0)
{
    on_and_off(SM_DEFECT_PARTITION_EPOCH_LOST, 2, partition_epoch_lost);
}
END_TEST

/* Spec S5: the first shrink is written, its reply lost; the second can never be. */
static bool isr_reply_lost(struct net *n)
{
    net_topic(n, "t", 0, "1,2,3");
    net_run(n, SECOND);
    net_cut(n, 3, 1, true);
    net_run(n, SECOND);
    net_produce(n, 1, "t", 0, 'a', 1);
    net_lose_isr_reply(n);
    net_run(n, 50 * SECOND);
    net_cut(n, 2, 1, true);
    net_run(n, SECOND);
    net_produce(n, 1, "t", 0, 'b', 1);
    net_run(n, 100 * SECOND);
    if (strcmp(net_state(n, "t", 0), "leader 1 epoch 0 isr 1 version 2") == 0) {
        ck_assert_int_eq(net_view(n, 1, "t", 0).hw, 2);
        return false;
    }
    ck_assert_str_eq(net_state(n, "t", 0), "leader 1 epoch 0 isr 1,2 version 1");
    ck_assert_int_eq(net_view(n, 1, "t", 0).isr.count, 3);
    return true;
}
START_TEST(KAFKA_1382_the_isr_can_never_be_written_again)
{
    on_and_off(SM_DEFECT_ISR_REPLY_LOST, 3, isr_reply_lost);
}
END_TEST

static bool equal_epoch(struct net *n)
{
    uint64_t call;
    net_topic(n, "t", 0, "1,2");
    call = net_tell(n, 1, "t", 0, false);
    net_run(n, SECOND);
    return net_call_of(n, call)->error == 0;
}
START_TEST(KAFKA_2721_the_same_request_is_followed_twice)
{
    on_and_off(SM_DEFECT_EQUAL_EPOCH_ACCEPTED, 2, equal_epoch);
}
END_TEST

/* 2 was removed and is assigned again when the request to delete it arrives. */
static bool stop_without_epoch(struct net *n)
{
    net_topic(n, "t", 0, "1,2");
    net_elect(n, "t", 0, 1, NULL);
    net_run(n, SECOND);
    net_stop_replica(n, 2, "t", 0, 0, true);
    net_run(n, SECOND);
    return !net_has(n, 2, "t", 0);
}
START_TEST(KAFKA_9539_a_late_stop_deletes_a_live_replica)
{
    on_and_off(SM_DEFECT_STOP_WITHOUT_EPOCH, 2, stop_without_epoch);
}
END_TEST

static bool bounce_invisible(struct net *n)
{
    net_topic(n, "t", 0, "1,2");
    net_kill(n, 2, false);
    net_start(n, 2);
    net_metadata(n);
    net_run(n, SECOND);
    net_stamp(n, 2, 2); /* brokers began with 1 and 2 */
    net_tell(n, 2, "t", 0, false);
    net_run(n, SECOND);
    return net_view(n, 2, "t", 0).leader_epoch == 0;
}
START_TEST(KAFKA_7235_a_request_for_an_earlier_life_is_followed)
{
    on_and_off(SM_DEFECT_BOUNCE_INVISIBLE, 2, bounce_invisible);
}
END_TEST

static bool idle_leaves(struct net *n)
{
    net_topic(n, "t", 0, "1,2");
    net_produce(n, 1, "t", 0, 'a', -1);
    net_run(n, 2 * SECOND);
    net_cut(n, 2, 1, true);
    net_run(n, 60 * SECOND);
    return strcmp(net_state(n, "t", 0), "leader 1 epoch 0 isr 1 version 1") == 0;
}
START_TEST(KAFKA_7152_an_idle_replica_leaves_the_isr)
{
    on_and_off(SM_DEFECT_IDLE_LEAVES_ISR, 2, idle_leaves);
}
END_TEST

/* 2 asks in epoch 1 and is in epoch 2 when the refusal arrives. */
static bool stale_answer(struct net *n)
{
    net_topic(n, "t", 0, "1,2");
    net_produce(n, 1, "t", 0, 'a', -1);
    net_run(n, 2 * SECOND);
    net_hold(n, 2, true);
    net_elect(n, "t", 0, 1, NULL);
    net_run(n, SECOND / 10);
    net_decide(n, "t", 0, 1, NULL);
    net_tell(n, 1, "t", 0, false);
    net_run(n, 2 * SECOND);
    net_hold(n, 2, false);
    net_tell(n, 2, "t", 0, false);
    net_run(n, 10 * SECOND);
    return net_view(n, 2, "t", 0).fetch_state == KB_FETCH_FAILED;
}
START_TEST(KAFKA_7786_a_late_refusal_ends_the_fetching)
{
    on_and_off(SM_DEFECT_STALE_EPOCH_ANSWER, 2, stale_answer);
}
END_TEST

static bool failed_read(struct net *n)
{
    net_topic(n, "t", 0, "1,2");
    net_produce(n, 1, "t", 0, 'a', -1);
    net_run(n, 2 * SECOND);
    ck_assert_int_eq(kb_follower_end(net_replicas(n, 1), "t", 0, 2), 1);
    net_fetch_as(n, 1, 2, "t", 0, 1, 9);
    return kb_follower_end(net_replicas(n, 1), "t", 0, 2) == -1;
}
START_TEST(KAFKA_8400_a_refused_fetch_resets_the_follower)
{
    on_and_off(SM_DEFECT_FAILED_READ, 2, failed_read);
}
END_TEST

/* 2 led epoch 2 without a record; the new leader names epoch 1, which 2 does not know. */
static bool epoch_at_end(struct net *n)
{
    net_check_acked(n, false);
    net_topic(n, "t", 0, "1,2,3");
    net_run(n, SECOND);
    net_produce(n, 1, "t", 0, 'a', -1);
    net_run(n, 2 * SECOND);
    for (int b = 1; b <= 3; b += 2) {
        net_cut(n, 2, b, true);
        net_cut(n, b, 2, true);
    }
    net_run(n, SECOND);
    net_decide(n, "t", 0, 3, "1,3");
    net_tell(n, 1, "t", 0, false);
    net_tell(n, 3, "t", 0, false);
    net_run(n, SECOND);
    net_produce(n, 3, "t", 0, 'b', 1);
    net_run(n, 2 * SECOND);
    net_decide(n, "t", 0, 2, "2");
    net_tell(n, 2, "t", 0, false);
    net_run(n, SECOND);
    net_elect(n, "t", 0, 1, "1,3");
    for (int b = 1; b <= 3; b += 2) {
        net_cut(n, 2, b, false);
    }
    net_run(n, 20 * SECOND);
    if (net_view(n, 2, "t", 0).fetch_state == KB_TRUNCATING) {
        return true;
    }
    ck_assert(logs(n, 2, "a@0 b@1 | hw 2 end 2 | 0:0 1:1"));
    return false;
}
START_TEST(KAFKA_10706_truncation_never_ends)
{
    on_and_off(SM_DEFECT_EPOCH_AT_END_KEPT, 3, epoch_at_end);
}
END_TEST

/* Both bounce, the follower first. */
static bool hw_not_checkpointed(struct net *n)
{
    net_topic(n, "t", 0, "1,2");
    net_produce(n, 1, "t", 0, 'a', -1);
    net_run(n, 10 * SECOND);
    net_kill(n, 1, false);
    net_kill(n, 2, false);
    net_start(n, 2);
    net_metadata(n);
    net_tell(n, 2, "t", 0, false);
    net_run(n, 10 * SECOND);
    return net_view(n, 2, "t", 0).checkpointed_hw == 0;
}
START_TEST(KAFKA_1647_a_high_watermark_is_lost)
{
    on_and_off(SM_DEFECT_HW_NOT_CHECKPOINTED, 2, hw_not_checkpointed);
}
END_TEST

static bool stop_keeps_waiters(struct net *n)
{
    uint64_t call;
    net_topic(n, "t", 0, "1,2");
    net_run(n, SECOND);
    net_cut(n, 2, 1, true);
    net_run(n, SECOND);
    call = net_produce(n, 1, "t", 0, 'a', -1);
    net_stop_replica(n, 1, "t", 0, 1, true);
    net_run(n, SECOND);
    if (net_call_of(n, call)->done) {
        ck_assert_int_eq(net_call_of(n, call)->error, WIRE_ERROR_NOT_LEADER_OR_FOLLOWER);
        return false;
    }
    net_run(n, 10 * SECOND);
    ck_assert_int_eq(net_call_of(n, call)->error, WIRE_ERROR_REQUEST_TIMED_OUT);
    return true;
}
START_TEST(KAFKA_9198_nobody_tells_who_waits)
{
    on_and_off(SM_DEFECT_STOP_KEEPS_WAITERS, 2, stop_keeps_waiters);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        KAFKA_13972_a_stray_replica_stays,
        KAFKA_13837_a_broker_that_is_not_assigned_is_told_nothing,
        KAFKA_14140_a_dead_replica_joins,
        KAFKA_1211_a_committed_record_is_truncated,
        KAFKA_6361_logs_diverge_after_fast_elections,
        KAFKA_7128_a_replica_joins_below_the_epochs_start,
        KAFKA_7415_a_new_leader_does_not_know_its_epoch,
        KAFKA_7164_a_follower_with_the_same_leader_truncates_nothing,
        KAFKA_7395_a_leader_answers_a_follower_of_another_epoch,
        the_first_try_of_KIP_320_truncates_what_is_acknowledged,
        KAFKA_12367_the_isr_is_written_on_version_0,
        KAFKA_1382_the_isr_can_never_be_written_again,
        KAFKA_2721_the_same_request_is_followed_twice,
        KAFKA_9539_a_late_stop_deletes_a_live_replica,
        KAFKA_7235_a_request_for_an_earlier_life_is_followed,
        KAFKA_7152_an_idle_replica_leaves_the_isr,
        KAFKA_7786_a_late_refusal_ends_the_fetching,
        KAFKA_8400_a_refused_fetch_resets_the_follower,
        KAFKA_10706_truncation_never_ends,
        KAFKA_1647_a_high_watermark_is_lost,
        KAFKA_9198_nobody_tells_who_waits,
    };
    Suite *suite = suite_create("broker: replicas, defects");
    TCase *tc = tcase_create("defects");
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
