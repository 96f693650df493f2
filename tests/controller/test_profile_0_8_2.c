/*
 * Goal: profile 0.8.2 behaves as the notes on ReplicaStateMachine describe Kafka 0.8.2: start-up,
 * broker change, start-up and failure of brokers, the seven target states, ISR removal, request
 * batches and log lines.
 *
 * Method: stories on the desk. Ids are those of the notes' examples, lines of the log are compared
 * by their text. Source: Kafka 0.8.2.2 ReplicaStateMachine, KafkaController,
 * ControllerChannelManager; controller-spec §1.6, §2.9, §3.6, §5, §6.9.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "desk.h"

static struct desk *desk_of(enum sm_version version, bool unclean)
{
    struct kc_config config = desk_config(version, 100);

    config.notes = KC_NOTE_ALL;
    config.unclean_leader_election = unclean;
    return desk_new_with(&config);
}

static enum sm_replica_state state_of(struct desk *d, int32_t broker)
{
    return kc_replica_state(desk_controller(d), "t", 0, broker);
}

/* t-0 on brokers 1 to 3, all alive, led by 1. */
static struct desk *started(bool unclean)
{
    struct desk *d = desk_of(SM_VERSION_0_8_2, unclean);

    desk_broker(d, 1);
    desk_broker(d, 2);
    desk_broker(d, 3);
    desk_topic(d, "t", "0:1,2,3");
    desk_start(d);
    desk_run(d);
    desk_story(d);
    return d;
}

/* ---- start-up ---- */

/* The notes' question: why not Offline? Because the state is meant for topics that are being
   deleted, and nobody moves it on afterwards. */
START_TEST(a_replica_on_a_dead_broker_starts_and_stays_ineligible)
{
    struct desk *d = desk_of(SM_VERSION_0_8_2, false);

    desk_broker(d, 1);
    desk_topic(d, "t", "0:1,2");
    desk_state(d, "t", 0, 1, 0, "1,2", 0);
    desk_start(d);
    desk_run(d);
    ck_assert_int_eq(state_of(d, 1), SM_REPLICA_ONLINE);
    ck_assert_int_eq(state_of(d, 2), SM_REPLICA_DELETION_INELIGIBLE);
    ck_assert_ptr_ne(strstr(desk_znode(d, "/brokers/topics/t/partitions/0/state"), "\"isr\":[1,2]"),
                     NULL);
    ck_assert(desk_logged(d, "[Replica state machine on controller 100]: Started replica state "
                             "machine with initial state -> "
                             "Map([Topic=t,Partition=0,Replica=1] -> OnlineReplica, "
                             "[Topic=t,Partition=0,Replica=2] -> ReplicaDeletionIneligible)"));
    desk_free(d);
}
END_TEST

/* KAFKA-3143: 2.8 begins the same and ends Offline, out of the ISR. */
START_TEST(in_2_8_the_same_replica_ends_offline)
{
    struct desk *d = desk_of(SM_VERSION_2_8, false);

    desk_broker(d, 1);
    desk_topic(d, "t", "0:1,2");
    desk_state(d, "t", 0, 1, 0, "1,2", 0);
    desk_start(d);
    desk_run(d);
    ck_assert_int_eq(state_of(d, 2), SM_REPLICA_OFFLINE);
    ck_assert_ptr_ne(strstr(desk_znode(d, "/brokers/topics/t/partitions/0/state"), "\"isr\":[1]"),
                     NULL);
    desk_free(d);
}
END_TEST

START_TEST(the_controller_znode_comes_first_and_the_epoch_starts_at_1)
{
    struct desk *d = desk_of(SM_VERSION_0_8_2, false);

    desk_broker(d, 1);
    desk_start(d);
    desk_run(d);
    ck_story(d, "create /controller\n"
                "create /controller_epoch\n"
                "delete /admin/preferred_replica_election\n");
    ck_assert_str_eq(desk_znode(d, "/controller_epoch"), "1");
    ck_assert_int_eq(kc_controller_epoch(desk_controller(d)), 1);
    desk_delete(d, "/controller");
    desk_run(d);
    ck_assert(desk_logged(d, "[Controller 100]: Broker 100 starting become controller state "
                             "transition"));
    ck_assert(desk_logged(d, "[Controller 100]: Controller 100 incremented epoch to 2"));
    ck_story(d, "create /controller\n"
                "set /controller_epoch\n"
                "delete /admin/preferred_replica_election\n");
    ck_assert_str_eq(desk_znode(d, "/controller_epoch"), "2");
    desk_free(d);
}
END_TEST

static void take_epoch(struct desk *d)
{
    desk_set(d, "/controller_epoch", "7");
}

/* Somebody raised the epoch between reading and raising it: the role is given up, then won anew. */
START_TEST(an_epoch_that_changed_costs_the_role)
{
    struct desk *d = desk_of(SM_VERSION_0_8_2, false);

    desk_broker(d, 1);
    desk_create(d, "/controller_epoch", "4");
    desk_before_write(d, "/controller_epoch", 1, take_epoch);
    desk_start(d);
    desk_run(d);
    ck_assert(desk_logged(d, "Error while electing or becoming leader on broker 100"));
    ck_story(d, "create /controller\n"
                "set /controller_epoch\n"
                "delete /controller\n"
                "create /controller\n"
                "set /controller_epoch\n"
                "delete /admin/preferred_replica_election\n");
    ck_assert_int_eq(kc_controller_epoch(desk_controller(d)), 8);
    desk_free(d);
}
END_TEST

START_TEST(metadata_goes_last_at_a_failover)
{
    struct desk *d = desk_of(SM_VERSION_0_8_2, false);

    desk_broker(d, 1);
    desk_broker(d, 2);
    desk_topic(d, "t", "0:1,2");
    desk_state(d, "t", 0, 1, 0, "1,2", 0);
    desk_start(d);
    desk_run(d);
    ck_story(d, "create /controller\n"
                "create /controller_epoch\n"
                "LeaderAndIsr -> 1,2: t-0 leader=1 epoch=0 isr=1,2 v0 replicas=1,2\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=1 epoch=0 isr=1,2\n"
                "delete /admin/preferred_replica_election\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=1 epoch=0 isr=1,2\n");
    desk_free(d);
}
END_TEST

/* Only the machines forget; what the context believed stays until it is read again (KAFKA-5310). */
START_TEST(resignation_keeps_the_context)
{
    struct desk *d = started(false);
    struct sm_leader_and_isr li;

    desk_set(d, "/controller", "{\"version\":1,\"brokerid\":7,\"timestamp\":\"1\"}");
    desk_run(d);
    ck_assert(!kc_controller_is_active(desk_controller(d)));
    ck_assert(desk_logged(d, "[Replica state machine on controller 100]: Stopped replica state "
                             "machine"));
    ck_assert_int_eq(state_of(d, 1), SM_REPLICA_NONE);
    ck_assert(kc_leadership(desk_controller(d), "t", 0, &li));
    ck_assert_int_eq(li.leader, 1);
    desk_delete(d, "/controller");
    desk_run(d);
    ck_assert(kc_controller_is_active(desk_controller(d)));
    ck_assert_int_eq(state_of(d, 1), SM_REPLICA_ONLINE);
    desk_free(d);
}
END_TEST

/* ---- broker change ---- */

START_TEST(a_dead_leader_costs_an_election_and_nobody_is_told_more)
{
    struct desk *d = started(false);

    desk_kill(d, 1);
    desk_run(d);
    ck_assert(desk_logged(d, "[BrokerChangeListener on Controller 100]: Broker change listener "
                             "fired for path /brokers/ids with children 2,3"));
    ck_assert(desk_logged(d, "[BrokerChangeListener on Controller 100]: Newly added brokers: , "
                             "deleted brokers: 1, all live brokers: 2,3"));
    ck_assert(desk_logged(d, "[Controller 100]: Broker failure callback for 1"));
    ck_assert(desk_logged(d, "Controller 100 epoch 1 changed partition [t,0] state from "
                             "OnlinePartition to OfflinePartition"));
    ck_assert(desk_logged(d, "Controller 100 epoch 1 changed state of replica 1 for partition "
                             "[t,0] from OnlineReplica to OfflineReplica"));
    ck_story(d, "set /brokers/topics/t/partitions/0/state leader=2 epoch=1 isr=2,3\n"
                "LeaderAndIsr -> 2,3: t-0 leader=2 epoch=1 isr=2,3 v1 replicas=1,2,3\n"
                "UpdateMetadata -> 2,3: live 2,3; t-0 leader=2 epoch=1 isr=2,3 offline=1\n"
                "LeaderAndIsr -> 2,3: t-0 leader=2 epoch=1 isr=2,3 v1 replicas=1,2,3\n"
                "UpdateMetadata -> 2,3: live 2,3; t-0 leader=2 epoch=1 isr=2,3 offline=1\n");
    ck_assert_int_eq(state_of(d, 1), SM_REPLICA_OFFLINE);
    desk_free(d);
}
END_TEST

START_TEST(only_new_brokers_learn_of_all_partitions)
{
    struct desk *d = started(false);

    desk_broker(d, 4);
    desk_run(d);
    ck_assert(desk_logged(d, "Newly added brokers: 4, deleted brokers: , all live brokers: "
                             "1,2,3,4"));
    ck_assert(desk_logged(d, "[Controller 100]: New broker startup callback for 4"));
    ck_story(d, "UpdateMetadata -> 4: live 1,2,3,4; t-0 leader=1 epoch=0 isr=1,2,3\n");
    desk_free(d);
}
END_TEST

/* A broker that comes back between two callbacks was never away (KAFKA-7235). */
START_TEST(a_bounce_is_invisible)
{
    struct desk *d = started(false);

    desk_bounce(d, 2);
    desk_run(d);
    ck_story(d, "");
    desk_free(d);
}
END_TEST

/* ---- the seven target states ---- */

START_TEST(every_state_of_a_topic_s_life_is_logged)
{
    struct desk *d = started(false);

    desk_topic(d, "u", "0:1,2");
    desk_run(d);
    ck_assert(desk_logged(d, "changed state of replica 1 for partition [u,0] from "
                             "NonExistentReplica to NewReplica"));
    ck_assert(desk_logged(d, "changed state of replica 2 for partition [u,0] from NewReplica to "
                             "OnlineReplica"));
    desk_create(d, "/admin/delete_topics/u", NULL);
    desk_run(d);
    ck_assert(desk_logged(d, "changed state of replica 1 for partition [u,0] from OnlineReplica "
                             "to OfflineReplica"));
    ck_assert(desk_logged(d, "changed state of replica 1 for partition [u,0] from OfflineReplica "
                             "to ReplicaDeletionStarted"));
    ck_assert(desk_logged(d, "changed state of replica 1 for partition [u,0] from "
                             "ReplicaDeletionStarted to ReplicaDeletionSuccessful"));
    ck_assert(desk_logged(d, "changed state of replica 1 for partition [u,0] from "
                             "ReplicaDeletionSuccessful to NonExistentReplica"));
    desk_free(d);
}
END_TEST

START_TEST(a_deletion_that_fails_makes_the_replica_ineligible)
{
    struct desk *d = started(false);

    desk_answer(d, 2, WIRE_API_STOP_REPLICA, 0, WIRE_ERROR_KAFKA_STORAGE_ERROR, "t-0");
    desk_create(d, "/admin/delete_topics/t", NULL);
    desk_hold(d, 1, true);
    desk_hold(d, 3, true);
    desk_run(d);
    ck_assert(desk_logged(d, "changed state of replica 2 for partition [t,0] from "
                             "ReplicaDeletionStarted to ReplicaDeletionIneligible"));
    desk_free(d);
}
END_TEST

/* New asks ZooKeeper who leads, not the context, and refuses the leader itself. */
START_TEST(a_new_replica_that_leads_already_is_refused)
{
    struct desk *d = started(false);

    desk_create(d, "/brokers/topics/n", NULL);
    desk_create(d, "/brokers/topics/n/partitions", NULL);
    desk_create(d, "/brokers/topics/n/partitions/0", NULL);
    desk_create(d, "/brokers/topics/n/partitions/0/state",
                "{\"controller_epoch\":1,\"leader\":2,\"version\":1,\"leader_epoch\":3,"
                "\"isr\":[2]}");
    desk_set(d, "/brokers/topics/n", "{\"version\":1,\"partitions\":{\"0\":[1,2]}}");
    desk_run(d);
    ck_assert(desk_logged(d, "Controller 100 epoch 1 initiated state change of replica 2 for "
                             "partition [n,0] from NonExistentReplica to NewReplica failed\n"
                             "kafka.common.StateChangeFailedException: Replica 2 for partition "
                             "[n,0] cannot be moved to NewReplicastate as it is being requested "
                             "to become leader"));
    /* the other replica's change is not harmed by the exception */
    ck_assert(desk_logged(d, "changed state of replica 1 for partition [n,0] from "
                             "NonExistentReplica to NewReplica"));
    ck_assert(desk_logged(d, "sending become-follower LeaderAndIsr request "
                             "(Leader:2,ISR:2,LeaderEpoch:3,ControllerEpoch:1)"));
    desk_free(d);
}
END_TEST

/* w-0 never had a leader: the change of its replica ends, that of t-0 on the same broker does not.
   2.8 calls such a replica Offline without a word. */
START_TEST(offline_without_a_leader_throws_for_that_replica_only)
{
    static const enum sm_version versions[] = {SM_VERSION_0_8_2, SM_VERSION_0_9, SM_VERSION_2_8};
    static const enum sm_replica_state end[] = {SM_REPLICA_ONLINE, SM_REPLICA_ONLINE,
                                                SM_REPLICA_OFFLINE};
    struct desk *d = desk_of(versions[_i], false);

    desk_broker(d, 1);
    desk_topic(d, "t", "0:1,2");
    desk_start(d);
    desk_run(d);
    desk_topic(d, "w", "0:2"); /* nobody lives: New, its replica is Online all the same */
    desk_run(d);
    desk_create(d, "/brokers/topics/w/partitions", NULL);
    desk_create(d, "/brokers/topics/w/partitions/0", NULL);
    desk_create(d, "/brokers/topics/w/partitions/0/state", "{}"); /* so that none can be elected */
    desk_broker(d, 2);
    desk_run(d);
    ck_assert(!kc_leadership(desk_controller(d), "w", 0, &(struct sm_leader_and_isr){0}));
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "w", 0, 2), SM_REPLICA_ONLINE);
    desk_story(d);
    desk_kill(d, 2);
    desk_run(d);
    ck_assert_int_eq(desk_logged(d, "Controller 100 epoch 1 initiated state change of replica 2 "
                                    "for partition [w,0] from OnlineReplica to OfflineReplica "
                                    "failed\n"
                                    "kafka.common.StateChangeFailedException: Failed to change "
                                    "state of replica 2 for partition [w,0] since the leader and "
                                    "isr path in zookeeper is empty"),
                     versions[_i] != SM_VERSION_2_8);
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "w", 0, 2), end[_i]);
    ck_assert_int_eq(state_of(d, 2), SM_REPLICA_OFFLINE);
    desk_free(d);
}
END_TEST

/* While the topic is being deleted 0.9 keeps silent about it, 0.8.2 does not. */
START_TEST(offline_without_a_leader_of_a_topic_that_is_deleted)
{
    static const enum sm_version versions[] = {SM_VERSION_0_8_2, SM_VERSION_0_9};
    struct desk *d = desk_of(versions[_i], false);

    desk_broker(d, 1);
    desk_start(d);
    desk_run(d);
    desk_create(d, "/brokers/topics/w", NULL);
    desk_create(d, "/brokers/topics/w/partitions", NULL);
    desk_create(d, "/brokers/topics/w/partitions/0", NULL);
    desk_create(d, "/brokers/topics/w/partitions/0/state", "{}");
    desk_set(d, "/brokers/topics/w", "{\"version\":1,\"partitions\":{\"0\":[1]}}");
    desk_run(d);
    desk_story(d);
    desk_create(d, "/admin/delete_topics/w", NULL);
    desk_run(d);
    ck_assert_int_eq(desk_logged(d, "since the leader and isr path in zookeeper is empty"),
                     versions[_i] == SM_VERSION_0_8_2);
    desk_free(d);
}
END_TEST

/* An illegal change is an exception too: 2.8 allows this one. */
START_TEST(an_illegal_change_fails_and_names_the_legal_states)
{
    struct desk *d = desk_of(SM_VERSION_0_8_2, false);

    desk_broker(d, 1);
    desk_topic(d, "t", "0:1,2");
    desk_state(d, "t", 0, 1, 0, "1,2", 0);
    desk_start(d);
    desk_run(d);
    desk_create(d, "/admin/delete_topics/t", NULL); /* 2 is dead */
    desk_run(d);
    ck_assert(desk_logged(d, "initiated state change of replica 2 for partition [t,0] from "
                             "OfflineReplica to ReplicaDeletionIneligible failed\n"
                             "java.lang.AssertionError: assertion failed: Replica "
                             "[Topic=t,Partition=0,Replica=2] should be in the "
                             "ReplicaDeletionStarted states before moving to "
                             "ReplicaDeletionIneligible state. Instead it is in OfflineReplica "
                             "state"));
    desk_free(d);
}
END_TEST

/* ---- ISR removal ---- */

START_TEST(the_last_member_leaves_where_unclean_election_is_allowed)
{
    struct desk *d = desk_of(SM_VERSION_0_8_2, true);

    desk_broker(d, 1);
    desk_topic(d, "t", "0:1");
    desk_start(d);
    desk_run(d);
    desk_story(d);
    desk_kill(d, 1);
    desk_run(d);
    ck_assert(desk_logged(d, "[Controller 100]: New leader and ISR for partition [t,0] is "
                             "{\"leader\":-1,\"leader_epoch\":1,\"isr\":[]}"));
    ck_assert_ptr_ne(strstr(desk_znode(d, "/brokers/topics/t/partitions/0/state"), "\"isr\":[]"),
                     NULL);
    desk_free(d);
}
END_TEST

START_TEST(the_topic_s_word_on_unclean_election_counts)
{
    struct desk *d = desk_of(SM_VERSION_0_8_2, true);

    desk_broker(d, 1);
    desk_topic(d, "t", "0:1");
    desk_set(d, "/config/topics/t",
             "{\"version\":1,\"config\":{\"unclean.leader.election.enable\":\"false\"}}");
    desk_start(d);
    desk_run(d);
    desk_kill(d, 1);
    desk_run(d);
    ck_assert(desk_logged(d, "[Controller 100]: Retaining last ISR 1 of partition [t,0] since "
                             "unclean leader election is disabled"));
    ck_assert_ptr_ne(strstr(desk_znode(d, "/brokers/topics/t/partitions/0/state"), "\"isr\":[1]"),
                     NULL);
    desk_free(d);
}
END_TEST

/* ---- batches ---- */

/* One StopReplica a partition, without epochs; LeaderAndIsr knows no isNew. */
START_TEST(each_stop_replica_names_one_partition)
{
    struct desk *d = desk_of(SM_VERSION_0_8_2, false);

    desk_broker(d, 1);
    desk_broker(d, 2);
    desk_topic(d, "t", "0:1,2;1:1,2");
    desk_start(d);
    desk_run(d);
    desk_story(d);
    desk_create(d, "/admin/delete_topics/t", NULL);
    desk_run(d);
    const char *story = desk_story(d);
    ck_assert_ptr_ne(strstr(story, "StopReplica -> 1: t-0 epoch=-1\n"), NULL);
    ck_assert_ptr_ne(strstr(story, "StopReplica -> 1: t-1 epoch=-1\n"), NULL);
    ck_assert_ptr_ne(strstr(story, "StopReplica -> 2: t-1 epoch=-1 delete\n"), NULL);
    ck_assert_str_eq(desk_znode(d, "/brokers/topics/t"), "(none)");
    desk_free(d);
}
END_TEST

/* Without a partition to tell of nobody is told who lives (KAFKA-972, KAFKA-1867). */
START_TEST(metadata_about_nothing_is_not_sent)
{
    struct desk *d = desk_of(SM_VERSION_0_8_2, false);

    desk_broker(d, 1);
    desk_start(d);
    desk_run(d);
    desk_story(d);
    desk_broker(d, 2);
    desk_run(d);
    ck_story(d, "");
    desk_free(d);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("profile 0.8.2");
    TCase *t = tcase_create("notes");
    tcase_add_test(t, a_replica_on_a_dead_broker_starts_and_stays_ineligible);
    tcase_add_test(t, in_2_8_the_same_replica_ends_offline);
    tcase_add_test(t, the_controller_znode_comes_first_and_the_epoch_starts_at_1);
    tcase_add_test(t, an_epoch_that_changed_costs_the_role);
    tcase_add_test(t, metadata_goes_last_at_a_failover);
    tcase_add_test(t, resignation_keeps_the_context);
    tcase_add_test(t, a_dead_leader_costs_an_election_and_nobody_is_told_more);
    tcase_add_test(t, only_new_brokers_learn_of_all_partitions);
    tcase_add_test(t, a_bounce_is_invisible);
    tcase_add_test(t, every_state_of_a_topic_s_life_is_logged);
    tcase_add_test(t, a_deletion_that_fails_makes_the_replica_ineligible);
    tcase_add_test(t, a_new_replica_that_leads_already_is_refused);
    tcase_add_loop_test(t, offline_without_a_leader_throws_for_that_replica_only, 0, 3);
    tcase_add_loop_test(t, offline_without_a_leader_of_a_topic_that_is_deleted, 0, 2);
    tcase_add_test(t, an_illegal_change_fails_and_names_the_legal_states);
    tcase_add_test(t, the_last_member_leaves_where_unclean_election_is_allowed);
    tcase_add_test(t, the_topic_s_word_on_unclean_election_counts);
    tcase_add_test(t, each_stop_replica_names_one_partition);
    tcase_add_test(t, metadata_about_nothing_is_not_sent);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
