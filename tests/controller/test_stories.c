/*
 * The sixteen golden stories of a controller: what it writes and whom it tells, in order.
 *
 * One line is one write to ZooKeeper or one request of a batch. Brokers here only answer; where a
 * story needs the leader's part (it changes the ISR), the test writes it. Versions in LeaderAndIsr
 * ("v2") are those of the state znode.
 *
 * Source: Kafka 2.8.2 KafkaController, ReplicaStateMachine, PartitionStateMachine,
 * TopicDeletionManager, read against each line; recordings of the real one are in tests/golden.
 */
#include "desk.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define STATE "/brokers/topics/t/partitions/0/state"

/* Brokers 1, 2, 3, t-0 on [2,3] led by 2, nothing left to tell. */
static struct desk *three_brokers_and_t(void)
{
    struct desk *d = desk_new(SM_VERSION_2_8);
    desk_broker(d, 1);
    desk_broker(d, 2);
    desk_broker(d, 3);
    desk_start(d);
    desk_run(d);
    desk_topic(d, "t", "0:2,3");
    desk_run(d);
    desk_story(d);
    return d;
}

static void expect_leadership(struct desk *d, const char *topic, int32_t leader, int32_t epoch,
                              int32_t version)
{
    struct sm_leader_and_isr li;

    ck_assert(kc_leadership(desk_controller(d), topic, 0, &li));
    ck_assert_int_eq(li.leader, leader);
    ck_assert_int_eq(li.leader_epoch, epoch);
    ck_assert_int_eq(li.zk_version, version);
}

static int32_t offline_count(struct desk *d)
{
    return kc_controller_metrics(desk_controller(d)).offline_partitions_count;
}

START_TEST(G1_a_topic_is_created)
{
    struct desk *d = desk_new(SM_VERSION_2_8);
    desk_broker(d, 1);
    desk_broker(d, 2);
    desk_broker(d, 3);
    desk_start(d);
    desk_run(d);
    ck_story(d, "create /controller_epoch\n"
                "create /controller\n"
                "set /controller_epoch\n"
                "create /feature\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3\n"
                "delete /admin/preferred_replica_election\n");
    ck_assert_int_eq(kc_controller_epoch(desk_controller(d)), 1);
    ck_assert_int_eq(kc_controller_epoch_zk_version(desk_controller(d)), 1);

    desk_topic(d, "t", "0:2,3");
    desk_run(d);
    ck_story(d, "create /brokers/topics/t/partitions\n"
                "create /brokers/topics/t/partitions/0\n"
                "create /brokers/topics/t/partitions/0/state leader=2 epoch=0 isr=2,3\n"
                "LeaderAndIsr -> 2,3: t-0 leader=2 epoch=0 isr=2,3 v0 replicas=2,3 [new 2,3]\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=2 epoch=0 isr=2,3\n");
    ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", 0), SM_PARTITION_ONLINE);
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 2), SM_REPLICA_ONLINE);
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 3), SM_REPLICA_ONLINE);
    desk_free(d);
}
END_TEST

/* Goal: the dead broker's replica of a new partition is OnlineReplica nevertheless. */
START_TEST(G2_a_topic_is_created_while_a_replica_is_dead)
{
    struct desk *d = desk_new(SM_VERSION_2_8);
    desk_broker(d, 1);
    desk_broker(d, 2);
    desk_start(d);
    desk_run(d);
    desk_story(d);
    desk_topic(d, "t", "0:2,3");
    desk_run(d);
    ck_story(d, "create /brokers/topics/t/partitions\n"
                "create /brokers/topics/t/partitions/0\n"
                "create /brokers/topics/t/partitions/0/state leader=2 epoch=0 isr=2\n"
                "LeaderAndIsr -> 2: t-0 leader=2 epoch=0 isr=2 v0 replicas=2,3 [new 2]\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=2 epoch=0 isr=2 offline=3\n");
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 3), SM_REPLICA_ONLINE);

    desk_broker(d, 3);
    desk_run(d);
    ck_story(d, "UpdateMetadata -> 1,2: live 1,2,3\n"
                "UpdateMetadata -> 3: live 1,2,3; t-0 leader=2 epoch=0 isr=2\n"
                "LeaderAndIsr -> 3: t-0 leader=2 epoch=0 isr=2 v0 replicas=2,3\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=2 epoch=0 isr=2\n");

    desk_isr(d, "t", 0, "2,3", true);
    desk_run(d);
    ck_story(d, "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=2 epoch=0 isr=2,3\n"
                "delete /isr_change_notification/isr_change_0000000000\n");
    expect_leadership(d, "t", 2, 0, 1);
    desk_free(d);
}
END_TEST

START_TEST(G3_a_topic_is_created_without_a_live_replica)
{
    struct desk *d = desk_new(SM_VERSION_2_8);
    desk_broker(d, 1);
    desk_start(d);
    desk_run(d);
    desk_story(d);
    desk_topic(d, "t", "0:2,3");
    desk_run(d);
    ck_story(d, "");
    ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", 0), SM_PARTITION_NEW);
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 2), SM_REPLICA_ONLINE);
    ck_assert_str_eq(desk_znode(d, STATE), "(none)");

    desk_broker(d, 2);
    desk_run(d);
    ck_story(d, "UpdateMetadata -> 1: live 1,2\n"
                "UpdateMetadata -> 2: live 1,2\n"
                "create /brokers/topics/t/partitions\n"
                "create /brokers/topics/t/partitions/0\n"
                "create /brokers/topics/t/partitions/0/state leader=2 epoch=0 isr=2\n"
                "LeaderAndIsr -> 2: t-0 leader=2 epoch=0 isr=2 v0 replicas=2,3 [new 2]\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=2 epoch=0 isr=2 offline=3\n");
    desk_free(d);
}
END_TEST

START_TEST(G4_a_follower_dies)
{
    struct desk *d = three_brokers_and_t();
    desk_kill(d, 3);
    desk_run(d);
    ck_story(d, "set /brokers/topics/t/partitions/0/state leader=2 epoch=1 isr=2\n"
                "LeaderAndIsr -> 2: t-0 leader=2 epoch=1 isr=2 v1 replicas=2,3\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=2 epoch=1 isr=2 offline=3\n"
                "UpdateMetadata -> 1,2: live 1,2\n");
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 3), SM_REPLICA_OFFLINE);
    desk_free(d);
}
END_TEST

/* Goal: the dead leader costs one epoch, for the election comes before the replica goes Offline;
   nobody is told of the death alone, for the election's metadata said so. */
START_TEST(G5_a_leader_dies)
{
    struct desk *d = three_brokers_and_t();
    desk_kill(d, 2);
    ck_assert(desk_run_until(d, "set"));
    ck_assert_int_eq(offline_count(d), 1);
    desk_run(d);
    ck_story(d, "set /brokers/topics/t/partitions/0/state leader=3 epoch=1 isr=3\n"
                "LeaderAndIsr -> 3: t-0 leader=3 epoch=1 isr=3 v1 replicas=2,3\n"
                "UpdateMetadata -> 1,3: live 1,3; t-0 leader=3 epoch=1 isr=3 offline=2\n"
                "LeaderAndIsr -> 3: t-0 leader=3 epoch=1 isr=3 v1 replicas=2,3\n"
                "UpdateMetadata -> 1,3: live 1,3; t-0 leader=3 epoch=1 isr=3 offline=2\n");
    ck_assert_int_eq(offline_count(d), 0);
    desk_free(d);
}
END_TEST

static struct desk *after_G5(void)
{
    struct desk *d = three_brokers_and_t();
    desk_kill(d, 2);
    desk_run(d);
    desk_story(d);
    return d;
}

START_TEST(G6_the_old_leader_returns)
{
    struct desk *d = after_G5();
    desk_broker(d, 2);
    desk_run(d);
    ck_story(d, "UpdateMetadata -> 1,3: live 1,2,3\n"
                "UpdateMetadata -> 2: live 1,2,3; t-0 leader=3 epoch=1 isr=3\n"
                "LeaderAndIsr -> 2: t-0 leader=3 epoch=1 isr=3 v1 replicas=2,3\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=3 epoch=1 isr=3\n");
    desk_isr(d, "t", 0, "3,2", true);
    desk_run(d);
    ck_story(d, "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=3 epoch=1 isr=3,2\n"
                "delete /isr_change_notification/isr_change_0000000000\n");
    expect_leadership(d, "t", 3, 1, 2);
    desk_free(d);
}
END_TEST

static struct desk *after_G6(void)
{
    struct desk *d = after_G5();
    desk_broker(d, 2);
    desk_run(d);
    desk_isr(d, "t", 0, "3,2", true);
    desk_run(d);
    desk_story(d);
    return d;
}

START_TEST(G7_the_preferred_replica_is_elected)
{
    struct desk *d = after_G6();
    desk_create(d, SM_PATH_PREFERRED,
                "{\"version\":1,\"partitions\":[{\"topic\":\"t\",\"partition\":0}]}");
    desk_run(d);
    ck_story(d, "set /brokers/topics/t/partitions/0/state leader=2 epoch=2 isr=3,2\n"
                "LeaderAndIsr -> 2,3: t-0 leader=2 epoch=2 isr=3,2 v3 replicas=2,3\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=2 epoch=2 isr=3,2\n"
                "delete /admin/preferred_replica_election\n");
    desk_free(d);
}
END_TEST

START_TEST(G7_rebalancing_does_the_same)
{
    struct desk *d = after_G6();
    desk_timer(d, DESK_TIMER_BALANCE);
    desk_run(d);
    ck_story(d, "set /brokers/topics/t/partitions/0/state leader=2 epoch=2 isr=3,2\n"
                "LeaderAndIsr -> 2,3: t-0 leader=2 epoch=2 isr=3,2 v3 replicas=2,3\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=2 epoch=2 isr=3,2\n");
    desk_free(d);
}
END_TEST

START_TEST(G8_a_leader_shuts_down_in_order)
{
    struct desk *d = after_G6();
    desk_call_shutdown(d, 3, -1);
    desk_run(d);
    ck_story(d, "set /brokers/topics/t/partitions/0/state leader=2 epoch=2 isr=2\n"
                "LeaderAndIsr -> 2,3: t-0 leader=2 epoch=2 isr=2 v3 replicas=2,3\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=2 epoch=2 isr=2 offline=3\n"
                "answer ControlledShutdown error=NONE\n");
    desk_kill(d, 3);
    desk_run(d);
    ck_story(d, "LeaderAndIsr -> 2: t-0 leader=2 epoch=2 isr=2 v3 replicas=2,3\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=2 epoch=2 isr=2 offline=3\n"
                "UpdateMetadata -> 1,2: live 1,2\n");
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 3), SM_REPLICA_OFFLINE);
    desk_free(d);
}
END_TEST

/* Goal: StopReplica carries the epoch of before, twice. */
START_TEST(G9_a_follower_shuts_down_in_order)
{
    struct desk *d = three_brokers_and_t();
    desk_call_shutdown(d, 3, -1);
    desk_run(d);
    ck_story(d, "StopReplica -> 3: t-0 epoch=0\n"
                "set /brokers/topics/t/partitions/0/state leader=2 epoch=1 isr=2\n"
                "LeaderAndIsr -> 2: t-0 leader=2 epoch=1 isr=2 v1 replicas=2,3\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=2 epoch=1 isr=2 offline=3\n"
                "StopReplica -> 3: t-0 epoch=0\n"
                "answer ControlledShutdown error=NONE\n");
    desk_free(d);
}
END_TEST

START_TEST(G10_the_only_replica_dies_and_returns)
{
    struct desk *d = desk_new(SM_VERSION_2_8);
    desk_broker(d, 1);
    desk_broker(d, 2);
    desk_broker(d, 3);
    desk_start(d);
    desk_run(d);
    desk_topic(d, "u", "0:2");
    desk_run(d);
    desk_story(d);

    desk_kill(d, 2);
    desk_run(d);
    ck_story(d, "set /brokers/topics/u/partitions/0/state leader=-1 epoch=1 isr=2\n"
                "UpdateMetadata -> 1,3: live 1,3; u-0 leader=-1 epoch=1 isr=2 offline=2\n");
    ck_assert_int_eq(offline_count(d), 1);
    ck_assert_int_eq(kc_partition_state(desk_controller(d), "u", 0), SM_PARTITION_OFFLINE);

    desk_broker(d, 2);
    desk_run(d);
    ck_story(d, "UpdateMetadata -> 1,3: live 1,2,3\n"
                "UpdateMetadata -> 2: live 1,2,3; u-0 leader=-1 epoch=1 isr=2\n"
                "LeaderAndIsr -> 2: u-0 leader=-1 epoch=1 isr=2 v1 replicas=2\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; u-0 leader=-1 epoch=1 isr=2\n"
                "set /brokers/topics/u/partitions/0/state leader=2 epoch=2 isr=2\n"
                "LeaderAndIsr -> 2: u-0 leader=2 epoch=2 isr=2 v2 replicas=2\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; u-0 leader=2 epoch=2 isr=2\n");
    ck_assert_int_eq(offline_count(d), 0);
    desk_free(d);
}
END_TEST

/* v-0 on [2,3], in sync only 2, which is dead; a failover has looked at it. */
static struct desk *leaderless_v(const char *config)
{
    struct desk *d = desk_new(SM_VERSION_2_8);
    desk_broker(d, 1);
    desk_broker(d, 3);
    desk_topic(d, "v", "0:2,3");
    desk_state(d, "v", 0, 2, 4, "2", 6);
    if (config != NULL) {
        desk_set(d, "/config/topics/v", config);
    }
    desk_start(d);
    desk_run(d);
    return d;
}

START_TEST(G11_unclean_election_at_the_next_trigger)
{
    struct desk *d = leaderless_v(NULL);
    ck_story(d, "create /controller_epoch\n"
                "create /controller\n"
                "set /controller_epoch\n"
                "create /feature\n"
                "UpdateMetadata -> 1,3: live 1,3\n"
                "LeaderAndIsr -> 3: v-0 leader=2 epoch=4 isr=2 v6 replicas=2,3\n"
                "UpdateMetadata -> 1,3: live 1,3; v-0 leader=2 epoch=4 isr=2 offline=2\n"
                "set /brokers/topics/v/partitions/0/state leader=-1 epoch=5 isr=2\n"
                "LeaderAndIsr -> 3: v-0 leader=-1 epoch=5 isr=2 v7 replicas=2,3\n"
                "UpdateMetadata -> 1,3: live 1,3; v-0 leader=-1 epoch=5 isr=2 offline=2\n"
                "delete /admin/preferred_replica_election\n");
    ck_assert_int_eq(offline_count(d), 1);

    desk_set(d, "/config/topics/v",
             "{\"version\":1,\"config\":{\"unclean.leader.election.enable\":\"true\"}}");
    desk_unclean(d, "v");
    desk_run(d);
    ck_story(d, "set /brokers/topics/v/partitions/0/state leader=3 epoch=6 isr=3\n"
                "LeaderAndIsr -> 3: v-0 leader=3 epoch=6 isr=3 v8 replicas=2,3\n"
                "UpdateMetadata -> 1,3: live 1,3; v-0 leader=3 epoch=6 isr=3 offline=2\n");
    ck_assert_int_eq(kc_controller_metrics(desk_controller(d)).unclean_leader_elections, 1);
    ck_assert_int_eq(offline_count(d), 0);
    desk_free(d);
}
END_TEST

START_TEST(G11_unclean_election_on_demand_only)
{
    struct desk *d =
        leaderless_v("{\"version\":1,\"config\":{\"unclean.leader.election.enable\":\"false\"}}");
    desk_story(d);
    desk_unclean(d, NULL); /* the topic's own setting is asked, and says no */
    desk_run(d);
    ck_story(d, "");

    desk_call_elect(d, "v", 0, true);
    desk_run(d);
    ck_story(d, "set /brokers/topics/v/partitions/0/state leader=3 epoch=6 isr=3\n"
                "LeaderAndIsr -> 3: v-0 leader=3 epoch=6 isr=3 v8 replicas=2,3\n"
                "UpdateMetadata -> 1,3: live 1,3; v-0 leader=3 epoch=6 isr=3 offline=2\n"
                "answer ElectLeaders error=NONE v-0=NONE\n");
    desk_free(d);
}
END_TEST

START_TEST(G12_a_topic_is_deleted)
{
    struct desk *d = three_brokers_and_t();
    desk_create(d, "/admin/delete_topics/t", NULL);
    desk_run(d);
    ck_story(d, "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=-2 epoch=0 isr=2,3\n"
                "set /brokers/topics/t/partitions/0/state leader=-1 epoch=1 isr=3\n"
                "set /brokers/topics/t/partitions/0/state leader=-1 epoch=2 isr=3\n"
                "StopReplica -> 2: t-0 epoch=-2\n"
                "StopReplica -> 3: t-0 epoch=-2\n"
                "StopReplica -> 2: t-0 epoch=-2 delete\n"
                "StopReplica -> 3: t-0 epoch=-2 delete\n"
                "delete /brokers/topics/t/partitions/0/state\n"
                "delete /brokers/topics/t/partitions/0\n"
                "delete /brokers/topics/t/partitions\n"
                "delete /brokers/topics/t\n"
                "delete /config/topics/t\n"
                "delete /admin/delete_topics/t\n");
    ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", 0), SM_PARTITION_NONE);
    ck_assert_uint_eq(kc_topic_deletion(desk_controller(d), "t"), 0);
    ck_assert_int_eq(kc_controller_metrics(desk_controller(d)).global_topic_count, 0);
    desk_free(d);
}
END_TEST

START_TEST(G13_a_partition_is_reassigned)
{
    struct desk *d = desk_new(SM_VERSION_2_8);
    desk_broker(d, 1);
    desk_broker(d, 2);
    desk_start(d);
    desk_run(d);
    desk_topic(d, "t", "0:1");
    desk_run(d);
    desk_story(d);

    desk_reassign(d, "t", 0, "2");
    desk_run(d);
    ck_story(d, "set /brokers/topics/t\n"
                "set /brokers/topics/t/partitions/0/state leader=1 epoch=1 isr=1\n"
                "LeaderAndIsr -> 1,2: t-0 leader=1 epoch=1 isr=1 v1 replicas=2,1 +2 -1 [new 2]\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=1 epoch=1 isr=1\n"
                "LeaderAndIsr -> 2: t-0 leader=1 epoch=1 isr=1 v1 replicas=2,1 +2 -1 [new 2]\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=1 epoch=1 isr=1\n");
    ck_assert_str_eq(desk_znode(d, "/brokers/topics/t"),
                     "{\"partitions\":{\"0\":[2,1]},\"adding_replicas\":{\"0\":[2]},"
                     "\"removing_replicas\":{\"0\":[1]},\"version\":3}");
    ck_assert(kc_is_being_reassigned(desk_controller(d), "t", 0));

    desk_isr(d, "t", 0, "1,2", false); /* the state znode's watch is enough */
    desk_run(d);
    ck_story(d, "set /brokers/topics/t/partitions/0/state leader=2 epoch=2 isr=1,2\n"
                "LeaderAndIsr -> 2: t-0 leader=2 epoch=2 isr=1,2 v3 replicas=2\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=2 epoch=2 isr=1,2\n"
                "set /brokers/topics/t/partitions/0/state leader=2 epoch=3 isr=2\n"
                "LeaderAndIsr -> 2: t-0 leader=2 epoch=3 isr=2 v4 replicas=2\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=2 epoch=3 isr=2\n"
                "StopReplica -> 1: t-0 epoch=2\n"
                "StopReplica -> 1: t-0 epoch=3 delete\n"
                "set /brokers/topics/t\n"
                "delete /admin/reassign_partitions\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=2 epoch=3 isr=2\n");
    ck_assert_str_eq(desk_znode(d, "/brokers/topics/t"),
                     "{\"partitions\":{\"0\":[2]},\"adding_replicas\":{},"
                     "\"removing_replicas\":{},\"version\":3}");
    ck_assert(!kc_is_being_reassigned(desk_controller(d), "t", 0));
    desk_free(d);
}
END_TEST

/* Controller and broker 1 die; t-0 on [1,2], u-0 on [1]; brokers 2, 3 live, another controller. */
static struct desk *failover_with_a_dead_leader(void)
{
    struct desk *d = desk_new(SM_VERSION_2_8);
    struct kc_config second = desk_config(SM_VERSION_2_8, 101);
    desk_broker(d, 1);
    desk_broker(d, 2);
    desk_broker(d, 3);
    desk_topic(d, "t", "0:1,2");
    desk_state(d, "t", 0, 1, 5, "1,2", 7);
    desk_topic(d, "u", "0:1");
    desk_state(d, "u", 0, 1, 0, "1", 0);
    desk_start(d);
    desk_second(d, &second);
    desk_run(d);
    desk_story(d);
    desk_kill_controller(d);
    desk_kill(d, 1);
    desk_run(d);
    return d;
}

/* Goal: the replica machine runs before the partition machine, so that a dead leader costs two
   epochs and leader -1 is seen in between. */
START_TEST(G14_the_controller_dies_with_a_leader)
{
    struct desk *d = failover_with_a_dead_leader();
    ck_story(d, "[2] create /controller\n"
                "[2] set /controller_epoch\n"
                "[2] UpdateMetadata -> 2,3: live 2,3\n"
                "[2] LeaderAndIsr -> 2: t-0 leader=1 epoch=5 isr=1,2 v7 replicas=1,2\n"
                "[2] UpdateMetadata -> 2,3: live 2,3; t-0 leader=1 epoch=5 isr=1,2 offline=1\n"
                "[2] set /brokers/topics/t/partitions/0/state leader=-1 epoch=6 isr=2\n"
                "[2] set /brokers/topics/u/partitions/0/state leader=-1 epoch=1 isr=1\n"
                "[2] LeaderAndIsr -> 2: t-0 leader=-1 epoch=6 isr=2 v8 replicas=1,2\n"
                "[2] UpdateMetadata -> 2,3: live 2,3; t-0 leader=-1 epoch=6 isr=2 offline=1; "
                "u-0 leader=-1 epoch=1 isr=1 offline=1\n"
                "[2] set /brokers/topics/t/partitions/0/state leader=2 epoch=7 isr=2\n"
                "[2] LeaderAndIsr -> 2: t-0 leader=2 epoch=7 isr=2 v9 replicas=1,2\n"
                "[2] UpdateMetadata -> 2,3: live 2,3; t-0 leader=2 epoch=7 isr=2 offline=1\n"
                "[2] delete /admin/preferred_replica_election\n");
    ck_assert_int_eq(kc_controller_epoch(desk_controller(d)), 2);
    ck_assert_int_eq(offline_count(d), 1);
    desk_free(d);
}
END_TEST

START_TEST(G15_each_failover_raises_the_epoch_of_the_leaderless)
{
    struct desk *d = failover_with_a_dead_leader();
    desk_story(d);
    desk_delete(d, "/controller");
    desk_run(d);
    const char *story = desk_story(d);
    ck_assert_ptr_nonnull(
        strstr(story, "[2] set /brokers/topics/u/partitions/0/state leader=-1 epoch=2 isr=1\n"));
    ck_assert_ptr_null(strstr(story, "set /brokers/topics/t/partitions/0/state"));
    ck_assert_int_eq(kc_controller_epoch(desk_controller(d)), 3);
    expect_leadership(d, "u", -1, 2, 2);
    desk_free(d);
}
END_TEST

/* Goal: the notification is answered with a probe at the epochs of now; the answer says which
   replicas are gone; the live broker is no recipient of what follows about them. */
START_TEST(G16_a_log_directory_fails_under_the_leader)
{
    struct desk *d = three_brokers_and_t();
    desk_answer(d, 2, WIRE_API_LEADER_AND_ISR, 0, WIRE_ERROR_KAFKA_STORAGE_ERROR, "t-0");
    desk_answer(d, 2, WIRE_API_STOP_REPLICA, 0, WIRE_ERROR_KAFKA_STORAGE_ERROR, "t-0");
    desk_create(d, "/log_dir_event_notification/log_dir_event_0000000000",
                "{\"version\":1,\"broker\":2,\"event\":1}");
    desk_run(d);
    ck_story(d, "LeaderAndIsr -> 2: t-0 leader=2 epoch=0 isr=2,3 v0 replicas=2,3\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=2 epoch=0 isr=2,3\n"
                "delete /log_dir_event_notification/log_dir_event_0000000000\n"
                "set /brokers/topics/t/partitions/0/state leader=3 epoch=1 isr=3\n"
                "LeaderAndIsr -> 3: t-0 leader=3 epoch=1 isr=3 v1 replicas=2,3\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=3 epoch=1 isr=3 offline=2\n"
                "LeaderAndIsr -> 3: t-0 leader=3 epoch=1 isr=3 v1 replicas=2,3\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=3 epoch=1 isr=3 offline=2\n"
                "StopReplica -> 2: t-0 epoch=1\n");
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 2), SM_REPLICA_OFFLINE);
    desk_free(d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("controller: golden stories");
    TCase *tc = tcase_create("G1 to G16");
    tcase_add_test(tc, G1_a_topic_is_created);
    tcase_add_test(tc, G2_a_topic_is_created_while_a_replica_is_dead);
    tcase_add_test(tc, G3_a_topic_is_created_without_a_live_replica);
    tcase_add_test(tc, G4_a_follower_dies);
    tcase_add_test(tc, G5_a_leader_dies);
    tcase_add_test(tc, G6_the_old_leader_returns);
    tcase_add_test(tc, G7_the_preferred_replica_is_elected);
    tcase_add_test(tc, G7_rebalancing_does_the_same);
    tcase_add_test(tc, G8_a_leader_shuts_down_in_order);
    tcase_add_test(tc, G9_a_follower_shuts_down_in_order);
    tcase_add_test(tc, G10_the_only_replica_dies_and_returns);
    tcase_add_test(tc, G11_unclean_election_at_the_next_trigger);
    tcase_add_test(tc, G11_unclean_election_on_demand_only);
    tcase_add_test(tc, G12_a_topic_is_deleted);
    tcase_add_test(tc, G13_a_partition_is_reassigned);
    tcase_add_test(tc, G14_the_controller_dies_with_a_leader);
    tcase_add_test(tc, G15_each_failover_raises_the_epoch_of_the_leaderless);
    tcase_add_test(tc, G16_a_log_directory_fails_under_the_leader);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
