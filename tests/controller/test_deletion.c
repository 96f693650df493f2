/*
 * Deleting topics: each way in which a deletion halts, and what makes it go on.
 *
 * Source: Kafka TopicDeletionManager, KafkaController.processTopicDeletion.
 */
#include "desk.h"

#include <string.h>

enum { QUEUED = 1, STARTED = 2, INELIGIBLE = 4 };

static struct desk *t_on_2_and_3(void)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 3);
    desk_with_topic(d, "t", "0:2,3");
    return d;
}

static void delete_t(struct desk *d)
{
    desk_create(d, "/admin/delete_topics/t", NULL);
    desk_run(d);
}

static bool is_gone(struct desk *d)
{
    return strcmp(desk_znode(d, "/brokers/topics/t"), "(none)") == 0 &&
           strcmp(desk_znode(d, "/admin/delete_topics/t"), "(none)") == 0 &&
           strcmp(desk_znode(d, "/config/topics/t"), "(none)") == 0 &&
           kc_topic_deletion(desk_controller(d), "t") == 0;
}

/* Goal: the living replica is deleted, the dead one waits; the topic waits for its broker. */
START_TEST(a_replica_is_dead_when_the_deletion_starts)
{
    struct desk *d = t_on_2_and_3();
    desk_kill(d, 3);
    desk_run(d);
    desk_story(d);
    delete_t(d);
    ck_assert(desk_logged(d, "due to offline replicas"));
    ck_story(d, "UpdateMetadata -> 1,2: live 1,2; t-0 leader=-2 epoch=0 isr=2 offline=3\n"
                "set /brokers/topics/t/partitions/0/state leader=-1 epoch=2 isr=2\n"
                "StopReplica -> 2: t-0 epoch=-2\n"
                "StopReplica -> 2: t-0 epoch=-2 delete\n");
    ck_assert_uint_eq(kc_topic_deletion(desk_controller(d), "t"), QUEUED | STARTED | INELIGIBLE);
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 2),
                     SM_REPLICA_DELETION_SUCCESSFUL);
    /* nobody is being deleted any more, so the ineligible one is Offline again */
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 3), SM_REPLICA_OFFLINE);

    desk_broker(d, 3);
    desk_run(d);
    ck_story(d, "UpdateMetadata -> 1,2: live 1,2,3\n"
                "UpdateMetadata -> 3: live 1,2,3\n"
                "LeaderAndIsr -> 3: t-0 leader=-1 epoch=2 isr=2 v2 replicas=2,3\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=-2 epoch=0 isr=2\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=-2 epoch=0 isr=2\n"
                "StopReplica -> 3: t-0 epoch=-2\n"
                "StopReplica -> 3: t-0 epoch=-2 delete\n"
                "delete /brokers/topics/t/partitions/0/state\n"
                "delete /brokers/topics/t/partitions/0\n"
                "delete /brokers/topics/t/partitions\n"
                "delete /brokers/topics/t\n"
                "delete /config/topics/t\n"
                "delete /admin/delete_topics/t\n");
    ck_assert(is_gone(d));
    desk_free(d);
}
END_TEST

START_TEST(a_broker_dies_before_it_answers)
{
    struct desk *d = t_on_2_and_3();
    desk_hold(d, 3, true);
    delete_t(d);
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 3), SM_REPLICA_DELETION_STARTED);
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 2),
                     SM_REPLICA_DELETION_SUCCESSFUL);
    desk_kill(d, 3);
    desk_run(d);
    ck_assert(desk_logged(d, "due to replica deletion failure"));
    ck_assert_uint_eq(kc_topic_deletion(desk_controller(d), "t"), QUEUED | STARTED | INELIGIBLE);
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 3), SM_REPLICA_OFFLINE);

    desk_hold(d, 3, false); /* what comes late is of a sender that was closed */
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 3), SM_REPLICA_OFFLINE);
    desk_broker(d, 3);
    desk_run(d);
    ck_assert(is_gone(d));
    desk_free(d);
}
END_TEST

START_TEST(stop_replica_fails_for_a_partition)
{
    struct desk *d = t_on_2_and_3();
    desk_answer(d, 3, WIRE_API_STOP_REPLICA, 0, WIRE_ERROR_KAFKA_STORAGE_ERROR, "t-0");
    delete_t(d);
    ck_assert_uint_eq(kc_topic_deletion(desk_controller(d), "t"), QUEUED | STARTED | INELIGIBLE);
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 2),
                     SM_REPLICA_DELETION_SUCCESSFUL);
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 3), SM_REPLICA_OFFLINE);
    desk_answer(d, 3, WIRE_API_STOP_REPLICA, 0, 0, NULL);
    desk_bounce(d, 3);
    desk_run(d);
    ck_assert(is_gone(d));
    desk_free(d);
}
END_TEST

/* Goal: an answer that has only a top-level error lists no partition, and changes nothing. */
START_TEST(stop_replica_is_answered_with_a_top_level_error)
{
    struct desk *d = t_on_2_and_3();
    desk_answer(d, 3, WIRE_API_STOP_REPLICA, WIRE_ERROR_STALE_BROKER_EPOCH, 0, NULL);
    delete_t(d);
    ck_assert_uint_eq(kc_topic_deletion(desk_controller(d), "t"), QUEUED | STARTED);
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 3), SM_REPLICA_DELETION_STARTED);
    desk_answer(d, 3, WIRE_API_STOP_REPLICA, 0, 0, NULL);
    desk_bounce(d, 3);
    desk_run(d);
    ck_assert(is_gone(d));
    desk_free(d);
}
END_TEST

/* Goal: the quirk: a replica whose broker returns while others are still being deleted is Online in
   a topic that is being deleted, until these have answered. */
START_TEST(a_broker_returns_while_others_are_being_deleted)
{
    struct desk *d = t_on_2_and_3();
    desk_kill(d, 3);
    desk_run(d);
    desk_hold(d, 2, true);
    delete_t(d);
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 2), SM_REPLICA_DELETION_STARTED);
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 3),
                     SM_REPLICA_DELETION_INELIGIBLE);
    desk_broker(d, 3);
    desk_run(d);
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 3), SM_REPLICA_ONLINE);
    ck_assert_uint_eq(kc_topic_deletion(desk_controller(d), "t"), QUEUED | STARTED);
    desk_hold(d, 2, false);
    desk_run(d);
    ck_assert(is_gone(d));
    desk_free(d);
}
END_TEST

/* Goal: a topic that is queued is not reassigned; one that is reassigned, and is found queued by a
   failover, waits until the reassignment has ended. */
START_TEST(a_failover_finds_a_deletion_and_a_reassignment)
{
    struct desk *d = t_on_2_and_3();
    struct kc_config second = desk_config(SM_VERSION_2_8, 101);
    desk_reassign(d, "t", 0, "1,2");
    desk_run(d);
    desk_second(d, &second);
    desk_run(d);
    desk_kill_controller(d);
    desk_create(d, "/admin/delete_topics/t", NULL);
    desk_run(d);
    ck_assert_uint_eq(kc_topic_deletion(desk_controller(d), "t"), QUEUED | INELIGIBLE);
    desk_isr(d, "t", 0, "2,3,1", true);
    desk_run(d);
    ck_assert(is_gone(d));
    ck_assert_str_eq(desk_znode(d, SM_PATH_REASSIGN), "(none)");
    desk_free(d);
}
END_TEST

START_TEST(a_queued_topic_is_not_reassigned)
{
    struct desk *d = t_on_2_and_3();
    desk_hold(d, 3, true);
    delete_t(d);
    desk_story(d);
    desk_call_reassign(d, "t", 0, "1,2");
    desk_run(d);
    ck_story(d, "answer AlterPartitionReassignments error=NONE t-0=UNKNOWN_TOPIC_OR_PARTITION\n");
    desk_reassign(d, "t", 0, "1,2");
    desk_run(d);
    ck_story(d, "delete /admin/reassign_partitions\n");
    desk_free(d);
}
END_TEST

START_TEST(elections_and_shutdowns_pass_queued_topics_over)
{
    struct desk *d = t_on_2_and_3();
    desk_hold(d, 3, true);
    delete_t(d);
    desk_story(d);
    desk_call_elect(d, "t", 0, false);
    desk_call_shutdown(d, 2, -1);
    desk_run(d);
    ck_story(d, "answer ElectLeaders error=NONE t-0=INVALID_TOPIC_EXCEPTION\n"
                "answer ControlledShutdown error=NONE\n");
    desk_hold(d, 3, false);
    desk_run(d);
    ck_assert(is_gone(d));
    desk_free(d);
}
END_TEST

/* Goal: a new controller forgets what was deleted already, and asks everybody again. */
START_TEST(a_failover_in_the_middle_repeats_the_deletion)
{
    struct desk *d = t_on_2_and_3();
    struct kc_config second = desk_config(SM_VERSION_2_8, 101);
    desk_second(d, &second);
    desk_hold(d, 3, true);
    delete_t(d);
    desk_story(d);
    desk_kill_controller(d);
    desk_hold(d, 3, false);
    desk_run(d);
    const char *story = desk_story(d);
    ck_assert_ptr_nonnull(strstr(story, "[2] StopReplica -> 2: t-0 epoch=-2 delete\n"));
    ck_assert_ptr_nonnull(strstr(story, "[2] StopReplica -> 3: t-0 epoch=-2 delete\n"));
    ck_assert(is_gone(d));
    desk_free(d);
}
END_TEST

START_TEST(a_failover_with_a_dead_replica_halts_the_deletion)
{
    struct desk *d = t_on_2_and_3();
    struct kc_config second = desk_config(SM_VERSION_2_8, 101);
    desk_second(d, &second);
    desk_kill(d, 3);
    desk_run(d);
    delete_t(d);
    desk_kill_controller(d);
    desk_run(d);
    ck_assert_uint_eq(kc_topic_deletion(desk_controller(d), "t"), QUEUED | INELIGIBLE);
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 3), SM_REPLICA_OFFLINE);
    desk_broker(d, 3);
    desk_run(d);
    ck_assert(is_gone(d));
    desk_free(d);
}
END_TEST

/* Goal: a topic that is being deleted does not grow (KAFKA-6612): its znode is written back. */
START_TEST(partitions_are_added_to_a_queued_topic)
{
    struct desk *d = t_on_2_and_3();
    desk_hold(d, 3, true);
    delete_t(d);
    desk_story(d);
    desk_set(d, "/brokers/topics/t", "{\"version\":3,\"partitions\":{\"0\":[2,3],\"1\":[1]}}");
    desk_run(d);
    ck_story(d, "set /brokers/topics/t\n");
    ck_assert_str_eq(desk_znode(d, "/brokers/topics/t"),
                     "{\"partitions\":{\"0\":[2,3]},\"adding_replicas\":{},"
                     "\"removing_replicas\":{},\"version\":3}");
    desk_set(d, "/brokers/topics/t", "{\"version\":3,\"partitions\":{\"0\":[2,3]}}");
    desk_run(d);
    ck_assert(desk_logged(d, "Ignoring partition change during topic deletion"));
    ck_story(d, "");
    desk_hold(d, 3, false);
    desk_run(d);
    ck_assert(is_gone(d));
    desk_free(d);
}
END_TEST

START_TEST(a_topic_comes_back_under_the_same_name)
{
    struct desk *d = t_on_2_and_3();
    delete_t(d);
    ck_assert(is_gone(d));
    desk_story(d);
    desk_topic(d, "t", "0:1,2");
    desk_run(d);
    ck_story(d, "create /brokers/topics/t/partitions\n"
                "create /brokers/topics/t/partitions/0\n"
                "create /brokers/topics/t/partitions/0/state leader=1 epoch=0 isr=1,2\n"
                "LeaderAndIsr -> 1,2: t-0 leader=1 epoch=0 isr=1,2 v0 replicas=1,2 [new 1,2]\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=1 epoch=0 isr=1,2\n");
    desk_free(d);
}
END_TEST

START_TEST(a_request_for_an_unknown_topic_is_dropped)
{
    struct desk *d = t_on_2_and_3();
    desk_create(d, "/admin/delete_topics/nobody", NULL);
    desk_run(d);
    ck_assert(desk_logged(d, "Ignoring request to delete non-existing topics"));
    ck_story(d, "delete /admin/delete_topics/nobody\n");
    desk_free(d);
}
END_TEST

START_TEST(deletion_is_disabled)
{
    struct kc_config config = desk_config(SM_VERSION_2_8, 100);
    config.delete_topic = 0;
    struct desk *d = desk_new_with(&config);
    desk_broker(d, 2);
    desk_start(d);
    desk_run(d);
    desk_with_topic(d, "t", "0:2");
    delete_t(d);
    ck_story(d, "delete /admin/delete_topics/t\n");
    ck_assert_uint_eq(kc_topic_deletion(desk_controller(d), "t"), 0);

    desk_block(d, true); /* the next one is found by a failover */
    desk_create(d, "/admin/delete_topics/t", NULL);
    desk_delete(d, "/controller");
    desk_block(d, false);
    desk_run(d);
    ck_assert_str_eq(desk_znode(d, "/admin/delete_topics/t"), "(none)");
    ck_assert_uint_eq(kc_topic_deletion(desk_controller(d), "t"), 0);
    ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", 0), SM_PARTITION_ONLINE);
    desk_free(d);
}
END_TEST

START_TEST(several_topics_are_deleted_at_once)
{
    struct desk *d = t_on_2_and_3();
    desk_with_topic(d, "u", "0:1,2;1:3");
    desk_block(d, true);
    desk_create(d, "/admin/delete_topics/t", NULL);
    desk_create(d, "/admin/delete_topics/u", NULL);
    desk_block(d, false);
    desk_run(d);
    ck_assert(is_gone(d));
    ck_assert_str_eq(desk_znode(d, "/brokers/topics/u"), "(none)");
    ck_assert_int_eq(kc_controller_metrics(desk_controller(d)).topics_to_delete_count, 0);
    desk_free(d);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_replica_is_dead_when_the_deletion_starts,
        a_broker_dies_before_it_answers,
        stop_replica_fails_for_a_partition,
        stop_replica_is_answered_with_a_top_level_error,
        a_broker_returns_while_others_are_being_deleted,
        a_failover_finds_a_deletion_and_a_reassignment,
        a_queued_topic_is_not_reassigned,
        elections_and_shutdowns_pass_queued_topics_over,
        a_failover_in_the_middle_repeats_the_deletion,
        a_failover_with_a_dead_replica_halts_the_deletion,
        partitions_are_added_to_a_queued_topic,
        a_topic_comes_back_under_the_same_name,
        a_request_for_an_unknown_topic_is_dropped,
        deletion_is_disabled,
        several_topics_are_deleted_at_once,
    };

    return desk_suite("controller: deletion", tests, sizeof tests / sizeof tests[0]);
}
