/*
 * Taking a broker out of ISRs, and electing over a state that somebody else changes meanwhile.
 *
 *   read state ─► take the broker out ─► write if the version is unchanged ─┐
 *        ^                                                                  │ BADVERSION
 *        └──────────────────────────────────────────────────────────────────┘
 *
 * Source: Kafka ZkReplicaStateMachine.doRemoveReplicasFromIsr, ZkPartitionStateMachine.
 * electLeaderForPartitions.
 */
#include "desk.h"

#include <stdio.h>
#include <string.h>

#define STATE "/brokers/topics/t/partitions/0/state"

static struct desk *t_on_three(void)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 3);
    desk_with_topic(d, "t", "0:1,2,3");
    return d;
}

static void drop_2(struct desk *d)
{
    desk_isr(d, "t", 0, "1,3", false);
}

START_TEST(isr_changes_once_between_read_and_write)
{
    struct desk *d = t_on_three();
    desk_before_write(d, STATE, 1, drop_2);
    desk_kill(d, 3);
    desk_run(d);
    ck_story(d, "set /brokers/topics/t/partitions/0/state leader=1 epoch=1 isr=1,2\n"
                "set /brokers/topics/t/partitions/0/state leader=1 epoch=1 isr=1\n"
                "LeaderAndIsr -> 1,2: t-0 leader=1 epoch=1 isr=1 v2 replicas=1,2,3\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=1 epoch=1 isr=1 offline=3\n"
                "UpdateMetadata -> 1,2: live 1,2\n");
    desk_free(d);
}
END_TEST

static int left;

static void again_and_again(struct desk *d)
{
    desk_isr(d, "t", 0, left % 2 == 0 ? "1,3" : "1,2,3", false);
    if (--left > 0) {
        desk_before_write(d, STATE, 1, again_and_again);
    }
}

START_TEST(isr_changes_many_times_between_read_and_write)
{
    struct desk *d = t_on_three();
    left = 4;
    desk_before_write(d, STATE, 1, again_and_again);
    desk_kill(d, 3);
    desk_run(d);
    ck_story(d, "set /brokers/topics/t/partitions/0/state leader=1 epoch=1 isr=1,2\n"
                "set /brokers/topics/t/partitions/0/state leader=1 epoch=1 isr=1\n"
                "set /brokers/topics/t/partitions/0/state leader=1 epoch=1 isr=1,2\n"
                "set /brokers/topics/t/partitions/0/state leader=1 epoch=1 isr=1\n"
                "set /brokers/topics/t/partitions/0/state leader=1 epoch=1 isr=1,2\n"
                "LeaderAndIsr -> 1,2: t-0 leader=1 epoch=1 isr=1,2 v5 replicas=1,2,3\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=1 epoch=1 isr=1,2 offline=3\n"
                "UpdateMetadata -> 1,2: live 1,2\n");
    desk_free(d);
}
END_TEST

START_TEST(isr_changes_between_read_and_write_of_an_election)
{
    struct desk *d = t_on_three();
    desk_before_write(d, STATE, 1, drop_2);
    desk_kill(d, 1);
    desk_run(d);
    ck_story(d, "set /brokers/topics/t/partitions/0/state leader=2 epoch=1 isr=2,3\n"
                "set /brokers/topics/t/partitions/0/state leader=3 epoch=1 isr=3\n"
                "LeaderAndIsr -> 2,3: t-0 leader=3 epoch=1 isr=3 v2 replicas=1,2,3\n"
                "UpdateMetadata -> 2,3: live 2,3; t-0 leader=3 epoch=1 isr=3 offline=1\n"
                "LeaderAndIsr -> 2,3: t-0 leader=3 epoch=1 isr=3 v2 replicas=1,2,3\n"
                "UpdateMetadata -> 2,3: live 2,3; t-0 leader=3 epoch=1 isr=3 offline=1\n");
    desk_free(d);
}
END_TEST

/* Goal: nothing is written about a broker that is not in the ISR, yet what ZooKeeper says is
   believed and told again at the same epoch. */
START_TEST(a_broker_outside_the_isr_dies)
{
    struct desk *d = t_on_three();
    desk_isr(d, "t", 0, "1,2", false);
    desk_run(d);
    ck_story(d, "");
    desk_kill(d, 3);
    desk_run(d);
    ck_story(d, "LeaderAndIsr -> 1,2: t-0 leader=1 epoch=0 isr=1,2 v1 replicas=1,2,3\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=1 epoch=0 isr=1,2 offline=3\n"
                "UpdateMetadata -> 1,2: live 1,2\n");
    desk_free(d);
}
END_TEST

/* Goal: the last member stays; trying to take it out raises the epoch, again where there is no
   leader already. */
START_TEST(the_last_member_stays)
{
    struct desk *d = t_on_three();
    desk_kill(d, 3);
    desk_run(d);
    desk_kill(d, 2);
    desk_run(d);
    desk_story(d);
    desk_kill(d, 1);
    desk_run(d);
    ck_story(d, "set /brokers/topics/t/partitions/0/state leader=-1 epoch=3 isr=1\n");
    desk_broker(d, 2);
    desk_run(d);
    ck_story(d, "UpdateMetadata -> 2: live 2; t-0 leader=-1 epoch=3 isr=1 offline=1,3\n"
                "LeaderAndIsr -> 2: t-0 leader=-1 epoch=3 isr=1 v3 replicas=1,2,3\n"
                "UpdateMetadata -> 2: live 2; t-0 leader=-1 epoch=3 isr=1 offline=1,3\n");
    desk_free(d);
}
END_TEST

/* Goal: without its znode the change of one replica fails, the others go on. */
START_TEST(the_state_znode_is_missing)
{
    struct desk *d = t_on_three();
    desk_with_topic(d, "u", "0:2,3");
    desk_delete(d, STATE);
    desk_kill(d, 3);
    desk_run(d);
    ck_assert(desk_logged(d, "since the leader and isr path in zookeeper is empty"));
    ck_story(d, "set /brokers/topics/u/partitions/0/state leader=2 epoch=1 isr=2\n"
                "LeaderAndIsr -> 2: u-0 leader=2 epoch=1 isr=2 v1 replicas=2,3\n"
                "UpdateMetadata -> 1,2: live 1,2; u-0 leader=2 epoch=1 isr=2 offline=3\n"
                "UpdateMetadata -> 1,2: live 1,2\n");
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 3), SM_REPLICA_ONLINE);
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "u", 0, 3), SM_REPLICA_OFFLINE);
    desk_free(d);
}
END_TEST

START_TEST(the_state_znode_does_not_parse)
{
    struct desk *d = t_on_three();
    desk_set(d, STATE, "{\"leader\":");
    desk_kill(d, 3);
    desk_run(d);
    ck_assert(desk_logged(d, "since the leader and isr path in zookeeper is empty"));
    ck_story(d, "UpdateMetadata -> 1,2: live 1,2\n");
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 3), SM_REPLICA_ONLINE);
    desk_free(d);
}
END_TEST

START_TEST(the_state_znode_is_missing_for_an_election)
{
    struct desk *d = t_on_three();
    desk_delete(d, STATE);
    desk_kill(d, 1);
    desk_run(d);
    ck_assert(desk_logged(d, "LeaderAndIsr information doesn't exist for partition t-0"));
    ck_story(d, "");
    ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", 0), SM_PARTITION_OFFLINE);
    desk_free(d);
}
END_TEST

/* Goal: a state that a later controller has written is left alone, by the ISR and by elections. */
START_TEST(a_newer_controller_has_written_the_state)
{
    struct desk *d = t_on_three();
    desk_set(
        d, STATE,
        "{\"controller_epoch\":9,\"leader\":1,\"version\":1,\"leader_epoch\":4,\"isr\":[1,3]}");
    desk_kill(d, 3);
    desk_run(d);
    ck_assert(desk_logged(d, "went through a soft failure"));
    ck_story(d, "UpdateMetadata -> 1,2: live 1,2\n");
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 3), SM_REPLICA_ONLINE);
    desk_kill(d, 1);
    desk_run(d);
    ck_assert(desk_logged(d, "Aborted leader election for partition t-0"));
    ck_story(d, "");
    ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", 0), SM_PARTITION_OFFLINE);
    desk_free(d);
}
END_TEST

/* Goal: replicas of several brokers that die at once are handled in the order of Scala's hash map,
   5 before 4; the last one handled stays. */
START_TEST(two_die_at_once_and_the_last_one_handled_stays)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 5);
    desk_with_topic(d, "t", "0:5,4");
    desk_kill_both(d, 4, 5);
    desk_run(d);
    ck_story(d, "set /brokers/topics/t/partitions/0/state leader=-1 epoch=1 isr=4\n"
                "set /brokers/topics/t/partitions/0/state leader=-1 epoch=2 isr=4\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=-1 epoch=2 isr=4 offline=5,4\n");
    desk_free(d);
}
END_TEST

/* Goal: the controller has moved while it wrote: nothing is written, it resigns. */
START_TEST(the_fence_refuses_a_controller_that_has_moved)
{
    struct desk *d = t_on_three();
    desk_set(d, SM_PATH_CONTROLLER_EPOCH, "7");
    desk_kill(d, 3);
    desk_run_until(d, "set " STATE);
    desk_run(d);
    ck_assert(desk_logged(d, "Controller moved to another broker when moving some replicas"));
    ck_assert_ptr_nonnull(strstr(desk_znode(d, STATE), "\"isr\":[1,2,3]"));
    desk_free(d);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        isr_changes_once_between_read_and_write,
        isr_changes_many_times_between_read_and_write,
        isr_changes_between_read_and_write_of_an_election,
        a_broker_outside_the_isr_dies,
        the_last_member_stays,
        the_state_znode_is_missing,
        the_state_znode_does_not_parse,
        the_state_znode_is_missing_for_an_election,
        a_newer_controller_has_written_the_state,
        two_die_at_once_and_the_last_one_handled_stays,
        the_fence_refuses_a_controller_that_has_moved,
    };

    return desk_suite("controller: ISRs", tests, sizeof tests / sizeof tests[0]);
}
