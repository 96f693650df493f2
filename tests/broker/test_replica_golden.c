/*
 * What G4 to G10 and G16 of Kafka's behaviour leave on the brokers: brokers 2 and 3 hold t-0, 1 is
 * the controller and holds nothing. The controller's writes and requests are those that Kafka 2.8.2
 * makes, in its order; here the brokers' side is looked at: ISR writes, log ends, high watermarks,
 * epoch caches, refusals, notifications.
 *
 *     LI(leader, epoch, isr, version) of the state znode is written "leader 2 epoch 0 isr 2,3
 * version 0"
 */
#include "tests/broker/net.h"

#include "wire/errors.h"

#define SECOND INT64_C(1000000)

/* t-0 [2,3], three records committed: LI(2,0,[2,3],0). */
static struct net *three_records(void)
{
    struct net *n = net_new(SM_VERSION_2_8, 3);

    net_topic(n, "t", 0, "2,3");
    for (uint64_t p = 'a'; p < 'd'; p++) {
        net_produce(n, 2, "t", 0, p, -1);
    }
    net_run(n, 2 * SECOND);
    ck_assert_str_eq(net_log(n, 2, "t", 0), "a@0 b@1 c@2 | hw 3 end 3 | 0:0");
    ck_assert_str_eq(net_log(n, 3, "t", 0), "a@0 b@1 c@2 | hw 3 end 3 | 0:0");
    return n;
}

/* G4: the follower dies. */
START_TEST(G4_a_follower_dies)
{
    struct net *n = three_records();
    uint64_t call;

    net_kill(n, 3, false);
    net_decide(n, "t", 0, 2, "2");
    call = net_tell(n, 2, "t", 0, false);
    net_metadata(n);
    net_run(n, SECOND);
    ck_assert_int_eq(net_call_of(n, call)->error, 0);
    ck_assert_str_eq(net_state(n, "t", 0), "leader 2 epoch 1 isr 2 version 1");
    ck_assert_str_eq(net_log(n, 2, "t", 0), "a@0 b@1 c@2 | hw 3 end 3 | 0:0 1:3");
    call = net_produce(n, 2, "t", 0, 'd', -1);
    net_run(n, SECOND / 10);
    ck_assert(net_call_of(n, call)->done);
    ck_assert_int_eq(net_call_of(n, call)->error, 0);
    net_run(n, 60 * SECOND);
    ck_assert_str_eq(net_state(n, "t", 0), "leader 2 epoch 1 isr 2 version 1");
    ck_assert_str_eq(net_log(n, 2, "t", 0), "a@0 b@1 c@2 d@3 | hw 4 end 4 | 0:0 1:3");
    net_free(n);
}
END_TEST

/* G5: the leader dies; the second LeaderAndIsr of the same epoch is refused. G6: it returns,
   fetches, and is taken in by the leader, who tells it within 5 to 7.5 s. */
static struct net *leader_died_and_returned(void)
{
    struct net *n = three_records();
    uint64_t first, again;

    net_kill(n, 2, false);
    net_decide(n, "t", 0, 3, "3");
    first = net_tell(n, 3, "t", 0, false);
    net_metadata(n);
    again = net_tell(n, 3, "t", 0, false);
    net_metadata(n);
    net_run(n, SECOND);
    ck_assert_int_eq(net_call_of(n, first)->error, 0);
    ck_assert_int_eq(net_call_of(n, again)->error, WIRE_ERROR_STALE_CONTROLLER_EPOCH);
    ck_assert_str_eq(net_log(n, 3, "t", 0), "a@0 b@1 c@2 | hw 3 end 3 | 0:0 1:3");
    net_produce(n, 3, "t", 0, 'd', -1);
    net_run(n, SECOND / 10);

    net_start(n, 2);
    net_metadata(n);
    net_tell(n, 2, "t", 0, false);
    net_metadata(n);
    net_run(n, 2 * SECOND);
    ck_assert_str_eq(net_state(n, "t", 0), "leader 3 epoch 1 isr 3,2 version 2");
    ck_assert_int_eq(net_notifications(n, "/isr_change_notification"), 0);
    net_run(n, 6 * SECOND);
    ck_assert_int_eq(net_notifications(n, "/isr_change_notification"), 1);
    ck_assert_str_eq(net_log(n, 2, "t", 0), "a@0 b@1 c@2 d@3 | hw 4 end 4 | 0:0 1:3");
    ck_assert_str_eq(net_log(n, 3, "t", 0), "a@0 b@1 c@2 d@3 | hw 4 end 4 | 0:0 1:3");
    return n;
}
START_TEST(G5_and_G6_a_leader_dies_and_returns)
{
    net_free(leader_died_and_returned());
}
END_TEST

/* G7: the preferred leader takes over: both hear of it, the epoch is noted where it begins. */
START_TEST(G7_the_preferred_leader_takes_over)
{
    struct net *n = leader_died_and_returned();

    net_decide(n, "t", 0, 2, NULL);
    net_tell(n, 2, "t", 0, false);
    net_tell(n, 3, "t", 0, false);
    net_metadata(n);
    net_run(n, 2 * SECOND);
    ck_assert_str_eq(net_state(n, "t", 0), "leader 2 epoch 2 isr 3,2 version 3");
    ck_assert_str_eq(net_log(n, 2, "t", 0), "a@0 b@1 c@2 d@3 | hw 4 end 4 | 0:0 1:3 2:4");
    ck_assert_str_eq(net_log(n, 3, "t", 0), "a@0 b@1 c@2 d@3 | hw 4 end 4 | 0:0 1:3");
    net_produce(n, 2, "t", 0, 'e', -1);
    net_run(n, 2 * SECOND);
    ck_assert_str_eq(net_log(n, 3, "t", 0), "a@0 b@1 c@2 d@3 e@4 | hw 5 end 5 | 0:0 1:3 2:4");
    net_free(n);
}
END_TEST

/* G8: the leader shuts down in a controlled way: it hears of its successor while it still runs. */
START_TEST(G8_a_leader_shuts_down)
{
    struct net *n = leader_died_and_returned();
    uint64_t refused;

    net_begin_shutdown(n, 3);
    net_decide(n, "t", 0, 2, "2");
    net_tell(n, 2, "t", 0, false);
    net_tell(n, 3, "t", 0, false);
    net_metadata(n);
    net_run(n, SECOND);
    ck_assert(kb_is_leader(net_replicas(n, 2), "t", 0));
    ck_assert(!kb_is_leader(net_replicas(n, 3), "t", 0));
    net_shut_down(n, 3);
    refused = net_tell(n, 2, "t", 0, false);
    net_metadata(n);
    net_run(n, SECOND);
    ck_assert_int_eq(net_call_of(n, refused)->error, WIRE_ERROR_STALE_CONTROLLER_EPOCH);
    ck_assert_str_eq(net_state(n, "t", 0), "leader 2 epoch 2 isr 2 version 3");
    ck_assert_int_eq(net_view(n, 3, "t", 0).checkpointed_hw, 4);
    ck_assert_str_eq(net_log(n, 2, "t", 0), "a@0 b@1 c@2 d@3 | hw 4 end 4 | 0:0 1:3 2:4");
    net_free(n);
}
END_TEST

/* G9: a follower shuts down: StopReplica of its own epoch is refused; it goes on fetching in an
   epoch that is over, is fenced, and fails. The leader, with KAFKA-14140, could take it in again;
   it does not come to that. */
START_TEST(G9_a_follower_shuts_down)
{
    struct net *n = three_records();
    uint64_t stop;

    stop = net_stop_replica(n, 3, "t", 0, 0, false);
    net_run(n, 10000);
    ck_assert_int_eq(net_call_of(n, stop)->error, WIRE_ERROR_FENCED_LEADER_EPOCH);
    net_decide(n, "t", 0, 2, "2");
    net_tell(n, 2, "t", 0, false);
    net_metadata(n);
    stop = net_stop_replica(n, 3, "t", 0, 0, false);
    net_run(n, 2 * SECOND);
    ck_assert_int_eq(net_call_of(n, stop)->error, WIRE_ERROR_FENCED_LEADER_EPOCH);
    ck_assert_str_eq(net_state(n, "t", 0), "leader 2 epoch 1 isr 2 version 1");
    ck_assert_int_eq(net_view(n, 3, "t", 0).fetch_state, KB_FETCH_FAILED);
    ck_assert_str_eq(net_log(n, 3, "t", 0), "a@0 b@1 c@2 | hw 3 end 3 | 0:0");
    net_free(n);
}
END_TEST

/* G10: the only replica dies and returns: leader -1 costs no epoch on the broker, then it leads. */
START_TEST(G10_the_only_replica_dies)
{
    struct net *n = net_new(SM_VERSION_2_8, 3);
    uint64_t none, leads;

    net_topic(n, "u", 0, "2");
    net_produce(n, 2, "u", 0, 'a', -1);
    net_run(n, SECOND);
    net_kill(n, 2, false);
    net_decide(n, "u", 0, -1, "2");
    net_metadata(n);
    net_run(n, SECOND);
    net_start(n, 2);
    net_metadata(n);
    none = net_tell(n, 2, "u", 0, false);
    net_run(n, SECOND);
    ck_assert_int_eq(net_call_of(n, none)->error, 0);
    ck_assert_int_eq(net_view(n, 2, "u", 0).leader_epoch, -1);
    ck_assert_int_eq(net_view(n, 2, "u", 0).hosted, KB_ONLINE);
    net_decide(n, "u", 0, 2, "2");
    leads = net_tell(n, 2, "u", 0, false);
    net_run(n, SECOND);
    ck_assert_int_eq(net_call_of(n, leads)->error, 0);
    ck_assert_str_eq(net_state(n, "u", 0), "leader 2 epoch 2 isr 2 version 2");
    ck_assert_str_eq(net_log(n, 2, "u", 0), "a@0 | hw 1 end 1 | 0:0 2:1");
    net_free(n);
}
END_TEST

/* G16: a log directory of the leader fails: it tells, answers KAFKA_STORAGE_ERROR, 3 leads, and a
   StopReplica for the lost replica meets the same error. */
START_TEST(G16_a_log_directory_of_the_leader_fails)
{
    struct kb_config config = kb_config_default(sm_profile_of(SM_VERSION_2_8), 1);
    struct net *n;
    uint64_t again, leads, stop, refused;

    config.log_dirs = 2;
    n = net_new_with(&config, 3);
    net_topic(n, "t", 0, "2,3");
    net_topic(n, "u", 0, "2,3");
    net_produce(n, 2, "t", 0, 'a', -1);
    net_run(n, 2 * SECOND);
    net_fail_dir(n, 2, 0);
    net_run(n, SECOND / 10);
    ck_assert_int_eq(net_notifications(n, "/log_dir_event_notification"), 1);
    again = net_tell(n, 2, "t", 0, false);
    net_run(n, SECOND / 10);
    ck_assert_int_eq(net_call_of(n, again)->error, WIRE_ERROR_KAFKA_STORAGE_ERROR);
    again = net_tell(n, 2, "u", 0, false);
    net_run(n, SECOND / 10);
    ck_assert_int_eq(net_call_of(n, again)->error, WIRE_ERROR_STALE_CONTROLLER_EPOCH);
    net_decide(n, "t", 0, 3, "3");
    leads = net_tell(n, 3, "t", 0, false);
    net_metadata(n);
    stop = net_stop_replica(n, 2, "t", 0, 1, false);
    refused = net_tell(n, 3, "t", 0, false);
    net_run(n, 2 * SECOND);
    ck_assert_int_eq(net_call_of(n, leads)->error, 0);
    ck_assert_int_eq(net_call_of(n, stop)->error, WIRE_ERROR_KAFKA_STORAGE_ERROR);
    ck_assert_int_eq(net_call_of(n, refused)->error, WIRE_ERROR_STALE_CONTROLLER_EPOCH);
    ck_assert_str_eq(net_state(n, "t", 0), "leader 3 epoch 1 isr 3 version 1");
    ck_assert_str_eq(net_log(n, 3, "t", 0), "a@0 | hw 1 end 1 | 0:0 1:1");
    ck_assert(kb_is_leader(net_replicas(n, 2), "u", 0));
    net_free(n);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        G4_a_follower_dies,
        G5_and_G6_a_leader_dies_and_returns,
        G7_the_preferred_leader_takes_over,
        G8_a_leader_shuts_down,
        G9_a_follower_shuts_down,
        G10_the_only_replica_dies,
        G16_a_log_directory_of_the_leader_fails,
    };
    Suite *suite = suite_create("broker: replicas, golden stories");
    TCase *tc = tcase_create("golden");
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
