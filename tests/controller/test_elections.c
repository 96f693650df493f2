/*
 * Elections that somebody asks for, controlled shutdown, rebalancing, switches of unclean election.
 *
 * Source: Kafka KafkaController.processReplicaLeaderElection, checkAndTriggerAutoLeaderRebalance,
 * doControlledShutdown.
 */
#include "desk.h"

#include <string.h>

/* t-0 on [1,2] and t-1 on [2,1], both led by 2, for 1 was away; all in sync. */
static struct desk *led_by_2(enum sm_version version)
{
    struct desk *d = desk_running(version, 3);
    desk_with_topic(d, "t", "0:1,2;1:2,1");
    desk_kill(d, 1);
    desk_run(d);
    desk_broker(d, 1);
    desk_run(d);
    desk_isr(d, "t", 0, "2,1", true);
    desk_isr(d, "t", 1, "2,1", true);
    desk_run(d);
    desk_story(d);
    return d;
}

START_TEST(a_preferred_election_is_called_for)
{
    struct desk *d = led_by_2(SM_VERSION_2_8);
    desk_call_elect(d, "t", 0, false);
    desk_run(d);
    ck_story(d, "set /brokers/topics/t/partitions/0/state leader=1 epoch=2 isr=2,1\n"
                "LeaderAndIsr -> 1,2: t-0 leader=1 epoch=2 isr=2,1 v3 replicas=1,2\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=1 epoch=2 isr=2,1\n"
                "answer ElectLeaders error=NONE t-0=NONE\n");
    desk_free(d);
}
END_TEST

START_TEST(all_partitions_are_called_for)
{
    struct desk *d = led_by_2(SM_VERSION_2_8);
    desk_call_elect(d, NULL, 0, false);
    desk_run(d);
    ck_assert_ptr_nonnull(
        strstr(desk_story(d), "answer ElectLeaders error=NONE t-0=NONE t-1=ELECTION_NOT_NEEDED\n"));
    desk_free(d);
}
END_TEST

START_TEST(a_preferred_replica_is_dead_or_not_in_sync)
{
    struct desk *d = led_by_2(SM_VERSION_2_8);
    desk_isr(d, "t", 0, "2", true);
    desk_run(d);
    desk_story(d);
    desk_call_elect(d, "t", 0, false);
    desk_run(d);
    ck_story(d, "answer ElectLeaders error=NONE t-0=PREFERRED_LEADER_NOT_AVAILABLE\n");
    desk_kill(d, 1);
    desk_run(d);
    desk_story(d);
    desk_call_elect(d, "t", 0, false);
    desk_run(d);
    ck_story(d, "answer ElectLeaders error=NONE t-0=PREFERRED_LEADER_NOT_AVAILABLE\n");
    desk_free(d);
}
END_TEST

START_TEST(what_does_not_exist_is_called_for)
{
    struct desk *d = led_by_2(SM_VERSION_2_8);
    desk_call_elect(d, "t", 9, false);
    desk_call_elect(d, "nobody", 0, true);
    desk_run(d);
    ck_story(d, "answer ElectLeaders error=NONE t-9=UNKNOWN_TOPIC_OR_PARTITION\n"
                "answer ElectLeaders error=NONE nobody-0=UNKNOWN_TOPIC_OR_PARTITION\n");
    desk_free(d);
}
END_TEST

START_TEST(an_unclean_election_is_called_for)
{
    struct desk *d = led_by_2(SM_VERSION_2_8);
    desk_call_elect(d, "t", 0, true); /* its leader lives */
    desk_run(d);
    ck_story(d, "answer ElectLeaders error=NONE t-0=ELECTION_NOT_NEEDED\n");
    desk_with_topic(d, "u", "0:3");
    desk_kill(d, 3);
    desk_run(d);
    desk_story(d);
    desk_call_elect(d, "u", 0, true); /* nobody lives */
    desk_run(d);
    ck_story(d, "answer ElectLeaders error=NONE u-0=ELIGIBLE_LEADERS_NOT_AVAILABLE\n");
    desk_free(d);
}
END_TEST

/* Goal: the znode is removed, and the next one is seen: its creation watch is armed again. */
START_TEST(the_znode_asks_twice)
{
    struct desk *d = led_by_2(SM_VERSION_2_8);
    const char *data = "{\"version\":1,\"partitions\":[{\"topic\":\"t\",\"partition\":0},"
                       "{\"topic\":\"nobody\",\"partition\":0}]}";
    desk_create(d, SM_PATH_PREFERRED, data);
    desk_run(d);
    const char *story = desk_story(d);
    ck_assert_ptr_nonnull(strstr(story, "leader=1 epoch=2"));
    ck_assert_ptr_nonnull(strstr(story, "delete /admin/preferred_replica_election\n"));
    desk_create(d, SM_PATH_PREFERRED, data);
    desk_run(d);
    ck_story(d, "delete /admin/preferred_replica_election\n");
    ck_assert_str_eq(desk_znode(d, SM_PATH_PREFERRED), "(none)");
    desk_free(d);
}
END_TEST

START_TEST(a_failover_finds_the_znode)
{
    struct desk *d = led_by_2(SM_VERSION_2_8);
    desk_block(d, true);
    desk_create(d, SM_PATH_PREFERRED,
                "{\"version\":1,\"partitions\":[{\"topic\":\"t\",\"partition\":0},"
                "{\"topic\":\"t\",\"partition\":1}]}");
    desk_expire(d);
    desk_block(d, false);
    desk_run(d);
    ck_assert_ptr_nonnull(
        strstr(desk_story(d), "set /brokers/topics/t/partitions/0/state leader=1 epoch=2 isr=2,1\n"
                              "LeaderAndIsr -> 1,2: t-0 leader=1 epoch=2 isr=2,1 v3 replicas=1,2\n"
                              "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=1 epoch=2 isr=2,1\n"
                              "delete /admin/preferred_replica_election\n"));
    desk_free(d);
}
END_TEST

/* ---- rebalancing ---- */

START_TEST(rebalancing_is_scheduled)
{
    struct kc_config config = desk_config(SM_VERSION_2_8, 100);
    config.auto_leader_rebalance = 1;
    struct desk *d = desk_new_with(&config);
    ck_assert_int_eq(desk_balance_due(d), -1);
    desk_start(d);
    desk_run(d);
    ck_assert_int_gt(desk_balance_due(d), 4900000);
    ck_assert_int_le(desk_balance_due(d), 5000000);
    desk_timer(d, DESK_TIMER_BALANCE);
    desk_run(d);
    ck_assert_int_gt(desk_balance_due(d), 299000000);
    desk_shutdown(d);
    desk_run(d);
    ck_assert_int_eq(desk_balance_due(d), -1);
    desk_free(d);
}
END_TEST

START_TEST(rebalancing_is_off)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 1);
    ck_assert_int_eq(desk_balance_due(d), -1);
    desk_free(d);
}
END_TEST

/* Goal: one of ten is exactly 10 %, which is not more than 10 %; two of ten are. */
START_TEST(rebalancing_waits_for_more_than_a_tenth)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 2);
    desk_with_topic(d, "t", "0:1,2;1:1,2;2:1,2;3:1,2;4:1,2;5:1,2;6:1,2;7:1,2;8:1,2;9:1,2");
    desk_set(
        d, "/brokers/topics/t/partitions/3/state",
        "{\"controller_epoch\":1,\"leader\":2,\"version\":1,\"leader_epoch\":4,\"isr\":[1,2]}");
    desk_isr(d, "t", 3, "1,2", true);
    desk_run(d);
    desk_story(d);
    desk_timer(d, DESK_TIMER_BALANCE);
    desk_run(d);
    ck_story(d, "");

    desk_set(
        d, "/brokers/topics/t/partitions/4/state",
        "{\"controller_epoch\":1,\"leader\":2,\"version\":1,\"leader_epoch\":7,\"isr\":[1,2]}");
    desk_isr(d, "t", 4, "1,2", true);
    desk_run(d);
    desk_story(d);
    desk_timer(d, DESK_TIMER_BALANCE);
    desk_run(d);
    ck_story(d, "set /brokers/topics/t/partitions/3/state leader=1 epoch=5 isr=1,2\n"
                "set /brokers/topics/t/partitions/4/state leader=1 epoch=8 isr=1,2\n"
                "LeaderAndIsr -> 1,2: t-3 leader=1 epoch=5 isr=1,2 v3 replicas=1,2\n"
                "LeaderAndIsr -> 1,2: t-4 leader=1 epoch=8 isr=1,2 v3 replicas=1,2\n"
                "UpdateMetadata -> 1,2: live 1,2; t-3 leader=1 epoch=5 isr=1,2; "
                "t-4 leader=1 epoch=8 isr=1,2\n");
    desk_free(d);
}
END_TEST

START_TEST(rebalancing_passes_over_heads_that_may_not_lead)
{
    struct desk *d = led_by_2(SM_VERSION_2_8);
    desk_isr(d, "t", 0, "2", true);
    desk_run(d);
    desk_story(d);
    desk_timer(d, DESK_TIMER_BALANCE);
    desk_run(d);
    ck_story(d, "");
    desk_free(d);
}
END_TEST

START_TEST(rebalancing_waits_for_any_reassignment)
{
    struct desk *d = led_by_2(SM_VERSION_2_8);
    desk_with_topic(d, "u", "0:2");
    desk_call_reassign(d, "u", 0, "3");
    desk_run(d);
    desk_story(d);
    desk_timer(d, DESK_TIMER_BALANCE);
    desk_run(d);
    ck_story(d, "");
    desk_free(d);
}
END_TEST

/* ---- controlled shutdown ---- */

START_TEST(a_shutdown_is_refused)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 2);
    desk_call_shutdown(d, 9, -1); /* not there */
    desk_call_shutdown(d, 9, 5);  /* its epoch is looked up first, and throws */
    desk_call_shutdown(d, 2, 1);  /* of an earlier life */
    desk_run(d);
    ck_story(d, "answer ControlledShutdown error=BROKER_NOT_AVAILABLE\n"
                "answer ControlledShutdown error=UNKNOWN_SERVER_ERROR\n"
                "answer ControlledShutdown error=STALE_BROKER_EPOCH\n");
    desk_call_shutdown(d, 2, 1000000); /* of a later one: fine */
    desk_run(d);
    ck_story(d, "answer ControlledShutdown error=NONE\n");
    desk_free(d);
}
END_TEST

START_TEST(nobody_else_can_lead)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 3);
    desk_with_topic(d, "t", "0:2,3");
    desk_isr(d, "t", 0, "2", true);
    desk_run(d);
    desk_story(d);
    desk_call_shutdown(d, 2, -1);
    desk_run(d);
    ck_story(d, "answer ControlledShutdown error=NONE t-0=NONE\n"); /* 2 still leads it */
    desk_free(d);
}
END_TEST

START_TEST(a_partition_with_one_replica_does_not_hold_a_shutdown)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 2);
    desk_with_topic(d, "t", "0:2");
    desk_call_shutdown(d, 2, -1);
    desk_run(d);
    ck_story(d, "answer ControlledShutdown error=NONE\n");
    ck_assert_str_eq(desk_znode(d, "/brokers/topics/t/partitions/0/state"),
                     "{\"controller_epoch\":1,\"leader\":2,\"version\":1,\"leader_epoch\":0,"
                     "\"isr\":[2]}");
    desk_free(d);
}
END_TEST

/* Goal: a shutdown takes every broker that shuts down out of the ISR, not only its own. */
START_TEST(two_brokers_shut_down)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 3);
    desk_with_topic(d, "t", "0:1,2,3");
    desk_with_topic(d, "u", "0:3,2");
    desk_call_shutdown(d, 2, -1);
    desk_run(d);
    desk_isr(d, "t", 0, "1,2,3", true); /* the leader takes it back */
    desk_run(d);
    desk_story(d);
    desk_call_shutdown(d, 1, -1);
    desk_run(d);
    ck_story(d, "set /brokers/topics/t/partitions/0/state leader=3 epoch=2 isr=3\n"
                "LeaderAndIsr -> 1,2,3: t-0 leader=3 epoch=2 isr=3 v3 replicas=1,2,3\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=3 epoch=2 isr=3 offline=1,2\n"
                "answer ControlledShutdown error=NONE\n");
    desk_free(d);
}
END_TEST

/* Goal: a broker that was asked to leave and stays leads nothing, until it dies or bounces. */
START_TEST(a_broker_that_does_not_leave_is_no_candidate)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 3);
    desk_call_shutdown(d, 2, -1);
    desk_run(d);
    desk_with_topic(d, "t", "0:2,3");
    ck_assert_str_eq(desk_znode(d, "/brokers/topics/t/partitions/0/state"),
                     "{\"controller_epoch\":1,\"leader\":3,\"version\":1,\"leader_epoch\":0,"
                     "\"isr\":[3]}");
    desk_bounce(d, 2);
    desk_run(d);
    desk_with_topic(d, "u", "0:2,3");
    ck_assert_str_eq(desk_znode(d, "/brokers/topics/u/partitions/0/state"),
                     "{\"controller_epoch\":1,\"leader\":2,\"version\":1,\"leader_epoch\":0,"
                     "\"isr\":[2,3]}");
    desk_free(d);
}
END_TEST

/* ---- unclean election ---- */

/* t-0 on [2,3], in sync only 2, which is dead. */
static struct desk *out_of_sync(bool broker_default)
{
    struct kc_config config = desk_config(SM_VERSION_2_8, 100);
    config.unclean_leader_election = broker_default;
    struct desk *d = desk_new_with(&config);
    desk_broker(d, 2);
    desk_broker(d, 3);
    desk_start(d);
    desk_run(d);
    desk_with_topic(d, "t", "0:2,3");
    desk_isr(d, "t", 0, "2", true);
    desk_run(d);
    desk_story(d);
    return d;
}

START_TEST(unclean_election_by_the_brokers_default)
{
    struct desk *d = out_of_sync(true);
    desk_kill(d, 2);
    desk_run(d);
    ck_assert_ptr_nonnull(strstr(desk_story(d), "state leader=3 epoch=1 isr=3\n"));
    ck_assert_int_eq(kc_controller_metrics(desk_controller(d)).unclean_leader_elections, 1);
    desk_free(d);
}
END_TEST

START_TEST(unclean_election_is_switched_on_by_default)
{
    struct desk *d = out_of_sync(false);
    desk_kill(d, 2);
    desk_run(d);
    desk_unclean(d, NULL); /* the event comes, but this broker's own setting is off */
    desk_run(d);
    ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", 0), SM_PARTITION_OFFLINE);
    desk_free(d);
}
END_TEST

START_TEST(the_topics_setting_wins)
{
    struct desk *d = out_of_sync(true);
    desk_set(d, "/config/topics/t",
             "{\"version\":1,\"config\":{\"unclean.leader.election.enable\":\"false\"}}");
    desk_kill(d, 2);
    desk_run(d);
    ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", 0), SM_PARTITION_OFFLINE);
    desk_unclean(d, "u"); /* another topic's */
    desk_run(d);
    ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", 0), SM_PARTITION_OFFLINE);
    desk_free(d);
}
END_TEST

START_TEST(the_topics_setting_cannot_be_read)
{
    struct desk *d = out_of_sync(true);
    desk_set(d, "/config/topics/t", "{\"version\":1,");
    desk_kill(d, 2);
    desk_run(d);
    ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", 0), SM_PARTITION_OFFLINE);
    desk_free(d);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_preferred_election_is_called_for,
        all_partitions_are_called_for,
        a_preferred_replica_is_dead_or_not_in_sync,
        what_does_not_exist_is_called_for,
        an_unclean_election_is_called_for,
        the_znode_asks_twice,
        a_failover_finds_the_znode,
        rebalancing_is_scheduled,
        rebalancing_is_off,
        rebalancing_waits_for_more_than_a_tenth,
        rebalancing_passes_over_heads_that_may_not_lead,
        rebalancing_waits_for_any_reassignment,
        a_shutdown_is_refused,
        nobody_else_can_lead,
        a_partition_with_one_replica_does_not_hold_a_shutdown,
        two_brokers_shut_down,
        a_broker_that_does_not_leave_is_no_candidate,
        unclean_election_by_the_brokers_default,
        unclean_election_is_switched_on_by_default,
        the_topics_setting_wins,
        the_topics_setting_cannot_be_read,
    };

    return desk_suite("controller: elections", tests, sizeof tests / sizeof tests[0]);
}
