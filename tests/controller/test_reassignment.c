/*
 * Reassigning partitions: entry by znode and by call, phases A and B, cancelling, replacing,
 * failovers between the steps.
 *
 * Source: Kafka KafkaController.processZkPartitionReassignment, processApiPartitionReassignment,
 * onPartitionReassignment (KIP-455).
 */
#include "desk.h"

#include <string.h>

#define STATE "/brokers/topics/t/partitions/0/state"
#define TOPIC "/brokers/topics/t"

static struct desk *t_on(const char *assignment, int32_t brokers)
{
    struct desk *d = desk_running(SM_VERSION_2_8, brokers);
    desk_with_topic(d, "t", assignment);
    return d;
}

static bool is_assigned(struct desk *d, const char *expected)
{
    return strcmp(desk_znode(d, TOPIC), expected) == 0;
}

/* Goal: the epochs are 0, 1 (A1), 2 (A1 again when the target starts), 3 (B3), 4 (B4). */
START_TEST(a_dead_target_starts_later)
{
    struct desk *d = t_on("0:1", 1);
    desk_reassign(d, "t", 0, "2");
    desk_run(d);
    ck_story(d, "set /brokers/topics/t\n"
                "set /brokers/topics/t/partitions/0/state leader=1 epoch=1 isr=1\n"
                "LeaderAndIsr -> 1: t-0 leader=1 epoch=1 isr=1 v1 replicas=2,1 +2 -1\n"
                "UpdateMetadata -> 1: live 1; t-0 leader=1 epoch=1 isr=1 offline=2\n"
                "UpdateMetadata -> 1: live 1; t-0 leader=1 epoch=1 isr=1 offline=2\n");
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 2), SM_REPLICA_NEW);

    /* Online from New sends nothing; A1 again; New from Online is refused */
    desk_broker(d, 2);
    desk_run(d);
    ck_story(d, "UpdateMetadata -> 1: live 1,2\n"
                "UpdateMetadata -> 2: live 1,2; t-0 leader=1 epoch=1 isr=1\n"
                "set /brokers/topics/t/partitions/0/state leader=1 epoch=2 isr=1\n"
                "LeaderAndIsr -> 1,2: t-0 leader=1 epoch=2 isr=1 v2 replicas=2,1 +2 -1 [new 2]\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=1 epoch=2 isr=1\n");
    ck_assert_str_eq(desk_refusals(d), "t-0 on 2 OnlineReplica -> NewReplica\n");

    /* B1 finds the adding replica Online, and Online from Online tells it again */
    desk_isr(d, "t", 0, "1,2", false);
    desk_run(d);
    ck_story(d, "LeaderAndIsr -> 2: t-0 leader=1 epoch=2 isr=1 v2 replicas=2,1 +2 -1\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=1 epoch=2 isr=1\n"
                "set /brokers/topics/t/partitions/0/state leader=2 epoch=3 isr=1,2\n"
                "LeaderAndIsr -> 2: t-0 leader=2 epoch=3 isr=1,2 v4 replicas=2\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=2 epoch=3 isr=1,2\n"
                "set /brokers/topics/t/partitions/0/state leader=2 epoch=4 isr=2\n"
                "LeaderAndIsr -> 2: t-0 leader=2 epoch=4 isr=2 v5 replicas=2\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=2 epoch=4 isr=2\n"
                "StopReplica -> 1: t-0 epoch=3\n"
                "StopReplica -> 1: t-0 epoch=4 delete\n"
                "set /brokers/topics/t\n"
                "delete /admin/reassign_partitions\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=2 epoch=4 isr=2\n");
    desk_free(d);
}
END_TEST

/* Goal: the same replicas in another order are phase B at once. */
START_TEST(only_the_order_changes)
{
    struct desk *d = t_on("0:1,2", 2);
    desk_call_reassign(d, "t", 0, "2,1");
    desk_run(d);
    ck_story(d, "set /brokers/topics/t\n"
                "set /brokers/topics/t/partitions/0/state leader=1 epoch=1 isr=1,2\n"
                "LeaderAndIsr -> 1,2: t-0 leader=1 epoch=1 isr=1,2 v1 replicas=2,1\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=1 epoch=1 isr=1,2\n"
                "set /brokers/topics/t\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=1 epoch=1 isr=1,2\n"
                "answer AlterPartitionReassignments error=NONE t-0=NONE\n");
    desk_free(d);
}
END_TEST

START_TEST(the_leader_is_in_the_target_and_stays)
{
    struct desk *d = t_on("0:1,2", 3);
    desk_reassign(d, "t", 0, "1,3");
    desk_run(d);
    desk_story(d);
    desk_isr(d, "t", 0, "1,2,3", true);
    desk_run(d);
    /* the state znode's watch comes before the notification's */
    ck_story(d, "set /brokers/topics/t/partitions/0/state leader=1 epoch=2 isr=1,2,3\n"
                "LeaderAndIsr -> 1,3: t-0 leader=1 epoch=2 isr=1,2,3 v3 replicas=1,3\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=1 epoch=2 isr=1,2,3\n"
                "set /brokers/topics/t/partitions/0/state leader=1 epoch=3 isr=1,3\n"
                "LeaderAndIsr -> 1,3: t-0 leader=1 epoch=3 isr=1,3 v4 replicas=1,3\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=1 epoch=3 isr=1,3\n"
                "StopReplica -> 2: t-0 epoch=2\n"
                "StopReplica -> 2: t-0 epoch=3 delete\n"
                "set /brokers/topics/t\n"
                "delete /admin/reassign_partitions\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=1 epoch=3 isr=1,3\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=1 epoch=3 isr=1,3\n"
                "delete /isr_change_notification/isr_change_0000000000\n");
    desk_free(d);
}
END_TEST

START_TEST(the_target_grows_and_shrinks)
{
    struct desk *d = t_on("0:1", 3);
    desk_call_reassign(d, "t", 0, "1,2,3");
    desk_run(d);
    desk_isr(d, "t", 0, "1,2,3", true);
    desk_run(d);
    ck_assert(is_assigned(d, "{\"partitions\":{\"0\":[1,2,3]},\"adding_replicas\":{},"
                             "\"removing_replicas\":{},\"version\":3}"));
    desk_call_reassign(d, "t", 0, "3"); /* all of the target is in sync: B at once */
    desk_run(d);
    ck_assert(is_assigned(d, "{\"partitions\":{\"0\":[3]},\"adding_replicas\":{},"
                             "\"removing_replicas\":{},\"version\":3}"));
    ck_assert(!kc_is_being_reassigned(desk_controller(d), "t", 0));
    ck_assert_ptr_nonnull(strstr(desk_znode(d, STATE), "\"leader\":3"));
    desk_free(d);
}
END_TEST

/* Goal: the adding replicas are stopped with the epoch of before, the leader's epoch is raised. */
START_TEST(a_reassignment_is_cancelled)
{
    struct desk *d = t_on("0:1,2", 3);
    desk_call_reassign(d, "t", 0, "1,2,3");
    desk_run(d);
    desk_story(d);
    desk_call_cancel(d, "t", 0);
    desk_run(d);
    ck_story(d, "set /brokers/topics/t\n"
                "LeaderAndIsr -> 1,2: t-0 leader=1 epoch=1 isr=1,2 v1 replicas=1,2\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=1 epoch=1 isr=1,2\n"
                "StopReplica -> 3: t-0 epoch=1\n"
                "StopReplica -> 3: t-0 epoch=1 delete\n"
                "set /brokers/topics/t/partitions/0/state leader=1 epoch=2 isr=1,2\n"
                "LeaderAndIsr -> 1,2: t-0 leader=1 epoch=2 isr=1,2 v2 replicas=1,2\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=1 epoch=2 isr=1,2\n"
                "set /brokers/topics/t\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=1 epoch=2 isr=1,2\n"
                "answer AlterPartitionReassignments error=NONE t-0=NONE\n");
    ck_assert(!kc_is_being_reassigned(desk_controller(d), "t", 0));
    desk_free(d);
}
END_TEST

/* Goal: where old and new overlap, cancelling does not give back the order of before. */
START_TEST(cancelling_an_overlap_changes_the_order)
{
    struct desk *d = t_on("0:1,2,3", 4);
    desk_call_reassign(d, "t", 0, "3,4,2");
    desk_run(d);
    ck_assert(is_assigned(d, "{\"partitions\":{\"0\":[3,4,2,1]},\"adding_replicas\":{\"0\":[4]},"
                             "\"removing_replicas\":{\"0\":[1]},\"version\":3}"));
    desk_call_cancel(d, "t", 0);
    desk_run(d);
    ck_assert(is_assigned(d, "{\"partitions\":{\"0\":[3,2,1]},\"adding_replicas\":{},"
                             "\"removing_replicas\":{},\"version\":3}"));
    desk_free(d);
}
END_TEST

/* Goal: what only the old goal wanted is stopped; one write of the znode. */
START_TEST(a_reassignment_is_replaced)
{
    struct desk *d = t_on("0:1", 3);
    desk_call_reassign(d, "t", 0, "2");
    desk_run(d);
    desk_story(d);
    desk_call_reassign(d, "t", 0, "3");
    desk_run(d);
    ck_story(d, "set /brokers/topics/t\n"
                "LeaderAndIsr -> 1,3: t-0 leader=1 epoch=1 isr=1 v1 replicas=3,1 +3 -1\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=1 epoch=1 isr=1\n"
                "StopReplica -> 2: t-0 epoch=1\n"
                "StopReplica -> 2: t-0 epoch=1 delete\n"
                "set /brokers/topics/t/partitions/0/state leader=1 epoch=2 isr=1\n"
                "LeaderAndIsr -> 1,3: t-0 leader=1 epoch=2 isr=1 v2 replicas=3,1 +3 -1 [new 3]\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=1 epoch=2 isr=1\n"
                "LeaderAndIsr -> 3: t-0 leader=1 epoch=2 isr=1 v2 replicas=3,1 +3 -1 [new 3]\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=1 epoch=2 isr=1\n"
                "answer AlterPartitionReassignments error=NONE t-0=NONE\n");
    desk_free(d);
}
END_TEST

START_TEST(a_call_supersedes_the_znode)
{
    struct desk *d = t_on("0:1", 3);
    desk_reassign(d, "t", 0, "2");
    desk_run(d);
    desk_story(d);
    desk_call_reassign(d, "t", 0, "3");
    desk_run(d);
    const char *story = desk_story(d);
    ck_assert_ptr_eq(strstr(story, "delete /admin/reassign_partitions\n"), story);
    ck_assert_str_eq(desk_znode(d, SM_PATH_REASSIGN), "(none)");
    ck_assert(is_assigned(d, "{\"partitions\":{\"0\":[3,1]},\"adding_replicas\":{\"0\":[3]},"
                             "\"removing_replicas\":{\"0\":[1]},\"version\":3}"));
    desk_free(d);
}
END_TEST

START_TEST(calls_are_refused)
{
    struct desk *d = t_on("0:1,2", 2);
    desk_call_reassign(d, "t", 0, "");
    desk_call_reassign(d, "t", 0, "1,1");
    desk_call_reassign(d, "t", 0, "-1");
    desk_call_reassign(d, "t", 0, "1,9");
    desk_call_reassign(d, "t", 7, "1");
    desk_call_cancel(d, "t", 0);
    desk_call_cancel(d, "nobody", 0);
    desk_run(d);
    ck_story(
        d, "answer AlterPartitionReassignments error=NONE t-0=INVALID_REPLICA_ASSIGNMENT\n"
           "answer AlterPartitionReassignments error=NONE t-0=INVALID_REPLICA_ASSIGNMENT\n"
           "answer AlterPartitionReassignments error=NONE t-0=INVALID_REPLICA_ASSIGNMENT\n"
           "answer AlterPartitionReassignments error=NONE t-0=INVALID_REPLICA_ASSIGNMENT\n"
           "answer AlterPartitionReassignments error=NONE t-7=UNKNOWN_TOPIC_OR_PARTITION\n"
           "answer AlterPartitionReassignments error=NONE t-0=NO_REASSIGNMENT_IN_PROGRESS\n"
           "answer AlterPartitionReassignments error=NONE nobody-0=NO_REASSIGNMENT_IN_PROGRESS\n");
    desk_free(d);
}
END_TEST

START_TEST(a_standby_refuses_calls)
{
    struct desk *d = desk_new(SM_VERSION_2_8);
    desk_create(d, "/controller", "{\"version\":1,\"brokerid\":7,\"timestamp\":\"0\"}");
    desk_start(d);
    desk_run(d);
    desk_call_reassign(d, "t", 0, "1");
    desk_call_list(d, NULL, 0);
    desk_call_elect(d, "t", 0, false);
    desk_call_shutdown(d, 1, -1);
    desk_run(d);
    ck_story(d, "answer AlterPartitionReassignments error=NOT_CONTROLLER\n"
                "answer ListPartitionReassignments error=NOT_CONTROLLER\n"
                "answer ElectLeaders error=NONE t-0=NOT_CONTROLLER\n"
                "answer ControlledShutdown error=STALE_CONTROLLER_EPOCH\n");
    desk_free(d);
}
END_TEST

/* Goal: what never had a leader has no epoch to raise. */
START_TEST(a_partition_without_state_fails_half_way)
{
    struct desk *d = t_on("0:9", 1);
    desk_call_reassign(d, "t", 0, "1");
    desk_run(d);
    ck_story(d, "set /brokers/topics/t\n"
                "answer AlterPartitionReassignments error=NONE t-0=UNKNOWN_SERVER_ERROR\n");
    ck_assert(kc_is_being_reassigned(desk_controller(d), "t", 0));
    desk_reassign(d, "t", 0, "1");
    desk_run(d);
    ck_story(d, "delete /admin/reassign_partitions\n"); /* what failed is taken out */
    desk_free(d);
}
END_TEST

START_TEST(the_znode_names_what_does_not_exist)
{
    struct desk *d = t_on("0:1", 2);
    desk_create(d, SM_PATH_REASSIGN,
                "{\"version\":1,\"partitions\":[{\"topic\":\"x\",\"partition\":0,\"replicas\":[1]},"
                "{\"topic\":\"t\",\"partition\":0,\"replicas\":[2]}]}");
    desk_run(d);
    ck_assert_str_eq(desk_znode(d, SM_PATH_REASSIGN),
                     "{\"version\":1,\"partitions\":[{\"topic\":\"t\",\"partition\":0,"
                     "\"replicas\":[2]}]}");
    ck_assert(kc_is_being_reassigned(desk_controller(d), "t", 0));
    desk_free(d);
}
END_TEST

START_TEST(the_znode_does_not_parse_and_stays)
{
    struct desk *d = t_on("0:1", 2);
    desk_create(d, SM_PATH_REASSIGN, "{\"version\":1,");
    desk_run(d);
    ck_story(d, "");
    ck_assert_str_eq(desk_znode(d, SM_PATH_REASSIGN), "{\"version\":1,");
    desk_free(d);
}
END_TEST

START_TEST(an_empty_target_removes_all_replicas)
{
    struct desk *d = t_on("0:1", 2);
    desk_reassign(d, "t", 0, "");
    desk_run(d);
    ck_assert(is_assigned(d, "{\"partitions\":{\"0\":[]},\"adding_replicas\":{},"
                             "\"removing_replicas\":{},\"version\":3}"));
    desk_free(d);
}
END_TEST

/* Goal: an ordinary election may make an adding replica the leader. */
START_TEST(the_leader_dies_meanwhile)
{
    struct desk *d = t_on("0:1", 3);
    desk_call_reassign(d, "t", 0, "2,3");
    desk_run(d);
    desk_isr(d, "t", 0, "1,2", true);
    desk_run(d);
    ck_assert(kc_is_being_reassigned(desk_controller(d), "t", 0));
    desk_story(d);
    desk_kill(d, 1);
    desk_run(d);
    ck_assert_ptr_nonnull(strstr(desk_story(d), "set " STATE " leader=2 epoch=2 isr=2\n"));
    desk_isr(d, "t", 0, "2,3", true);
    desk_run(d);
    ck_assert(is_assigned(d, "{\"partitions\":{\"0\":[2,3]},\"adding_replicas\":{},"
                             "\"removing_replicas\":{},\"version\":3}"));
    desk_free(d);
}
END_TEST

/* Goal: the removed replica's broker is dead: nobody is asked, its log stays. */
START_TEST(a_removed_replica_is_dead)
{
    struct desk *d = t_on("0:1,2", 3);
    desk_kill(d, 2);
    desk_run(d);
    desk_story(d);
    desk_call_reassign(d, "t", 0, "1");
    desk_run(d);
    ck_assert_ptr_null(strstr(desk_story(d), "StopReplica"));
    ck_assert(is_assigned(d, "{\"partitions\":{\"0\":[1]},\"adding_replicas\":{},"
                             "\"removing_replicas\":{},\"version\":3}"));
    desk_free(d);
}
END_TEST

/* Goal: wherever the first controller dies, the second one brings the reassignment to its end.
   Method: it dies after each single message. */
START_TEST(a_failover_after_each_message)
{
    for (int died_after = 0; died_after < 200; died_after++) {
        struct desk *d = t_on("0:1,2", 3);
        struct kc_config second = desk_config(SM_VERSION_2_8, 101);
        bool rested = false;
        desk_second(d, &second);
        desk_run(d);
        desk_reassign(d, "t", 0, "3");
        desk_run(d);
        desk_isr(d, "t", 0, "1,2,3", true);
        for (int i = 0; i < died_after && !rested; i++) {
            rested = !desk_step(d);
        }
        desk_kill_controller(d);
        desk_run(d);
        ck_assert_msg(is_assigned(d, "{\"partitions\":{\"0\":[3]},\"adding_replicas\":{},"
                                     "\"removing_replicas\":{},\"version\":3}"),
                      "after %d: %s", died_after, desk_znode(d, TOPIC));
        ck_assert_str_eq(desk_znode(d, SM_PATH_REASSIGN), "(none)");
        ck_assert(!kc_is_being_reassigned(desk_controller(d), "t", 0));
        ck_assert_ptr_nonnull(strstr(desk_znode(d, STATE), "\"isr\":[3]"));
        desk_free(d);
        if (rested) {
            ck_assert_int_gt(died_after, 20);
            return;
        }
    }
    ck_abort_msg("it does not come to rest");
}
END_TEST

START_TEST(reassignments_are_listed)
{
    struct desk *d = t_on("0:1;1:1", 3);
    desk_call_reassign(d, "t", 1, "2,3");
    desk_run(d);
    desk_story(d);
    desk_call_list(d, NULL, 0);
    desk_call_list(d, "t", 0);
    desk_call_list(d, "t", 1);
    desk_run(d);
    ck_story(d, "answer ListPartitionReassignments error=NONE t-1=NONE(2,3,1 +2,3 -1)\n"
                "answer ListPartitionReassignments error=NONE\n"
                "answer ListPartitionReassignments error=NONE t-1=NONE(2,3,1 +2,3 -1)\n");
    desk_free(d);
}
END_TEST

/* Goal: the topic znode went away under the controller. */
START_TEST(the_topic_znode_is_missing)
{
    struct desk *d = t_on("0:1", 2);
    desk_block(d, true);
    desk_delete(d, "/brokers/topics/t/partitions/0/state");
    desk_delete(d, "/brokers/topics/t/partitions/0");
    desk_delete(d, "/brokers/topics/t/partitions");
    desk_call_reassign(d, "t", 0, "2");
    desk_delete(d, TOPIC);
    desk_block(d, false);
    desk_run(d);
    ck_story(d, "set /brokers/topics/t\n"
                "answer AlterPartitionReassignments error=NONE t-0=UNKNOWN_SERVER_ERROR\n");
    desk_free(d);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_dead_target_starts_later,
        only_the_order_changes,
        the_leader_is_in_the_target_and_stays,
        the_target_grows_and_shrinks,
        a_reassignment_is_cancelled,
        cancelling_an_overlap_changes_the_order,
        a_reassignment_is_replaced,
        a_call_supersedes_the_znode,
        calls_are_refused,
        a_standby_refuses_calls,
        a_partition_without_state_fails_half_way,
        the_znode_names_what_does_not_exist,
        the_znode_does_not_parse_and_stays,
        an_empty_target_removes_all_replicas,
        the_leader_dies_meanwhile,
        a_removed_replica_is_dead,
        a_failover_after_each_message,
        reassignments_are_listed,
        the_topic_znode_is_missing,
    };

    return desk_suite("controller: reassignment", tests, sizeof tests / sizeof tests[0]);
}
