/*
 * Who is the controller, and each event that it handles.
 *
 *   election, resignation, expiry, giving the role up     2.2 to 2.6 of the specification
 *   preemption of the queue                               2.1
 *   one test or more for each event handler               2.7
 *
 * Handlers of deletion, reassignment and elections have files of their own.
 *
 * Source: Kafka KafkaController, ControllerEventManager.
 */
#include "desk.h"

#include <stdio.h>
#include <string.h>

#define STATE "/brokers/topics/t/partitions/0/state"

static struct desk *t_on_2_and_3(void)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 3);
    desk_with_topic(d, "t", "0:2,3");
    return d;
}

/* ---- Startup and election ---- */

START_TEST(Startup_finds_a_controller)
{
    struct desk *d = desk_new(SM_VERSION_2_8);
    desk_create(d, SM_PATH_CONTROLLER, "{\"version\":1,\"brokerid\":7,\"timestamp\":\"0\"}");
    desk_start(d);
    desk_run(d);
    ck_story(d, "");
    ck_assert_int_eq(kc_controller_active_id(desk_controller(d)), 7);
    ck_assert(!kc_controller_is_active(desk_controller(d)));

    desk_delete(d, SM_PATH_CONTROLLER); /* Reelect */
    desk_run(d);
    ck_assert(kc_controller_is_active(desk_controller(d)));
    desk_free(d);
}
END_TEST

START_TEST(Startup_registers_the_broker_first)
{
    struct kc_config config = desk_config(SM_VERSION_2_8, 1);
    config.register_broker = 1;
    struct desk *d = desk_new_with(&config);
    desk_start(d);
    desk_run(d);
    ck_assert_ptr_nonnull(strstr(desk_znode(d, "/brokers/ids/1"), "\"port\":9092"));
    ck_assert(kc_broker_is_live(desk_controller(d), 1));
    ck_assert_ptr_nonnull(strstr(desk_story(d), "UpdateMetadata -> 1: live 1\n"));
    desk_free(d);
}
END_TEST

START_TEST(Startup_fails_where_another_session_holds_the_registration)
{
    struct kc_config config = desk_config(SM_VERSION_2_8, 1);
    config.register_broker = 1;
    struct desk *d = desk_new_with(&config);
    desk_broker(d, 1);
    desk_start(d);
    desk_run(d);
    ck_story(d, "fatal\n");
    desk_free(d);
}
END_TEST

/* Goal: an epoch that exists is read and raised, by the version read. */
START_TEST(election_raises_the_epoch_that_is_there)
{
    struct desk *d = desk_new(SM_VERSION_2_8);
    desk_create(d, SM_PATH_CONTROLLER_EPOCH, "41");
    desk_set(d, SM_PATH_CONTROLLER_EPOCH, "42");
    desk_start(d);
    desk_run(d);
    ck_assert_int_eq(kc_controller_epoch(desk_controller(d)), 43);
    ck_assert_int_eq(kc_controller_epoch_zk_version(desk_controller(d)), 2);
    ck_assert_str_eq(desk_znode(d, SM_PATH_CONTROLLER_EPOCH), "43");
    desk_free(d);
}
END_TEST

static void another_wins(struct desk *d)
{
    desk_create(d, SM_PATH_CONTROLLER, "{\"version\":1,\"brokerid\":7,\"timestamp\":\"0\"}");
    desk_set(d, SM_PATH_CONTROLLER_EPOCH, "9");
}

START_TEST(election_is_lost_between_read_and_multi)
{
    struct desk *d = desk_new(SM_VERSION_2_8);
    desk_before_write(d, SM_PATH_CONTROLLER, 1, another_wins);
    desk_start(d);
    desk_run(d);
    ck_assert(!kc_controller_is_active(desk_controller(d)));
    ck_assert_int_eq(kc_controller_active_id(desk_controller(d)), 7);
    ck_assert_str_eq(desk_znode(d, SM_PATH_CONTROLLER_EPOCH), "9");
    desk_free(d);
}
END_TEST

static void another_wins_and_goes(struct desk *d)
{
    another_wins(d);
    desk_delete(d, SM_PATH_CONTROLLER);
}

/* Goal: the epoch has moved and the role is free. As in Kafka, the watch of the creation only makes
   it look, and by then there is nothing to see: the promised round begins at the next occasion. */
START_TEST(election_is_lost_to_one_that_has_gone)
{
    struct desk *d = desk_new(SM_VERSION_2_8);
    desk_before_write(d, SM_PATH_CONTROLLER, 1, another_wins_and_goes);
    desk_start(d);
    desk_run(d);
    ck_assert(desk_logged(d, "this will result in another round of election"));
    ck_assert_int_eq(kc_controller_active_id(desk_controller(d)), -1);
    desk_expire(d);
    desk_run(d);
    ck_assert_int_eq(kc_controller_epoch(desk_controller(d)), 10);
    ck_assert(kc_controller_is_active(desk_controller(d)));
    desk_free(d);
}
END_TEST

/* Goal: the answer of the multi is lost, its retry is refused, and both znodes say who has won. */
START_TEST(election_is_won_though_the_answer_is_lost)
{
    struct desk *d = desk_new(SM_VERSION_2_8);
    desk_lose_at(d, 5); /* arm, read, read the epoch, create it, the multi */
    desk_start(d);
    desk_run(d);
    ck_story(d, "create /controller_epoch\n"
                "create /controller\n"
                "set /controller_epoch\n"
                "create /feature\n"
                "delete /admin/preferred_replica_election\n");
    ck_assert_int_eq(kc_controller_epoch(desk_controller(d)), 1);
    ck_assert_int_eq(kc_controller_epoch_zk_version(desk_controller(d)), 1);
    ck_assert(kc_controller_is_active(desk_controller(d)));
    desk_free(d);
}
END_TEST

/* ---- losing the role ---- */

START_TEST(ControllerChange_finds_another_and_resigns)
{
    struct desk *d = t_on_2_and_3();
    desk_delete(d, SM_PATH_CONTROLLER);
    desk_create(d, SM_PATH_CONTROLLER, "{\"version\":1,\"brokerid\":7,\"timestamp\":\"0\"}");
    desk_run(d);
    ck_story(d, "");
    const struct kc_controller *c = desk_controller(d);
    struct kc_metrics m = kc_controller_metrics(c);
    ck_assert(!kc_controller_is_active(c));
    ck_assert_int_eq(kc_controller_active_id(c), 7);
    ck_assert_int_eq(kc_controller_epoch(c), 0);
    ck_assert_int_eq(kc_partition_state(c, "t", 0), SM_PARTITION_NONE);
    ck_assert(!kc_broker_is_live(c, 2));
    ck_assert_int_eq(m.global_topic_count + m.active_broker_count + m.global_partition_count, 0);
    desk_kill(d, 2); /* its watches still fire; nobody hears */
    desk_topic(d, "u", "0:3");
    desk_run(d);
    ck_story(d, "");
    desk_free(d);
}
END_TEST

START_TEST(Reelect_after_the_znode_is_deleted)
{
    struct desk *d = t_on_2_and_3();
    desk_delete(d, SM_PATH_CONTROLLER);
    desk_run(d);
    ck_story(d, "create /controller\n"
                "set /controller_epoch\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3\n"
                "LeaderAndIsr -> 2,3: t-0 leader=2 epoch=0 isr=2,3 v0 replicas=2,3\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=2 epoch=0 isr=2,3\n"
                "delete /admin/preferred_replica_election\n");
    ck_assert_int_eq(kc_controller_epoch(desk_controller(d)), 2);
    desk_free(d);
}
END_TEST

START_TEST(Expire_resigns_and_RegisterBrokerAndReelect_wins_again)
{
    struct kc_config config = desk_config(SM_VERSION_2_8, 1);
    config.register_broker = 1;
    struct desk *d = desk_new_with(&config);
    struct wire_zk_stat before, after;
    const uint8_t *data;
    uint32_t size;
    bool has;
    desk_start(d);
    desk_run(d);
    ck_assert(kz_server_get(desk_server(d), "/brokers/ids/1", &before, &data, &size, &has));
    desk_expire(d);
    desk_run(d);
    ck_assert(kz_server_get(desk_server(d), "/brokers/ids/1", &after, &data, &size, &has));
    ck_assert_int_gt(after.czxid, before.czxid); /* another life of the broker */
    ck_assert_int_eq(kc_controller_epoch(desk_controller(d)), 2);
    ck_assert(kc_controller_is_active(desk_controller(d)));
    desk_free(d);
}
END_TEST

START_TEST(a_second_controller_takes_over)
{
    struct desk *d = t_on_2_and_3();
    struct kc_config second = desk_config(SM_VERSION_2_8, 101);
    desk_second(d, &second);
    desk_run(d);
    ck_story(d, "");
    desk_shutdown(d); /* a clean stop leaves the znode to the session's end */
    desk_run(d);
    ck_story(d, "");
    desk_kill_controller(d);
    desk_run(d);
    ck_assert_int_eq(kc_controller_active_id(desk_controller(d)), 101);
    ck_assert_int_eq(kc_controller_epoch(desk_controller(d)), 2);
    desk_free(d);
}
END_TEST

/* Goal: whoever closes takes nothing up any more, whatever happens before the last event's turn. */
START_TEST(a_controller_that_closes_takes_no_event)
{
    struct desk *d = t_on_2_and_3();
    desk_block(d, true);
    desk_shutdown(d);
    desk_unclean(d, "t");
    desk_expire(d);
    desk_block(d, false);
    desk_run(d);
    ck_assert(!kc_controller_is_active(desk_controller(d)));
    ck_assert(kc_controller_is_quiet(desk_controller(d), NULL, NULL));
    ck_story(d, "");
    desk_free(d);
}
END_TEST

/* Goal: whatever goes wrong in a failover gives the role up, fenced, and another round begins. */
START_TEST(triggerControllerMove_after_a_failed_failover)
{
    struct desk *d = t_on_2_and_3();
    desk_create(d, "/brokers/ids/8", "{}"); /* does not parse */
    desk_run(d);
    desk_story(d);
    desk_delete(d, SM_PATH_CONTROLLER);
    for (int i = 0; i < 400; i++) {
        desk_step(d);
    }
    ck_assert(desk_logged(d, "Trigger controller movement immediately"));
    const char *story = desk_story(d);
    ck_assert_ptr_nonnull(strstr(story, "delete /controller\ncreate /controller\n"));
    desk_delete(d, "/brokers/ids/8");
    desk_run(d);
    ck_assert(kc_controller_is_active(desk_controller(d)));
    ck_assert_int_gt(kc_controller_epoch(desk_controller(d)), 3);
    desk_free(d);
}
END_TEST

/* ---- preemption ---- */

/* Goal: what waits when the session expires is preempted: those who asked are told, others not. */
START_TEST(preemption_answers_those_who_asked)
{
    struct desk *d = t_on_2_and_3();
    desk_block(d, true);
    desk_call_shutdown(d, 2, -1);
    desk_call_reassign(d, "t", 0, "1");
    desk_call_list(d, NULL, 0);
    desk_kill(d, 3);
    desk_run(d);
    desk_story(d);
    desk_expire(d);
    ck_story(d, "answer ControlledShutdown error=STALE_CONTROLLER_EPOCH\n"
                "answer AlterPartitionReassignments error=NOT_CONTROLLER\n"
                "answer ListPartitionReassignments error=NOT_CONTROLLER\n");
    ck_assert_int_eq(kc_controller_metrics(desk_controller(d)).event_queue_size, 1); /* Expire */
    desk_free(d);
}
END_TEST

START_TEST(preemption_answers_every_partition_of_an_election)
{
    struct desk *d = t_on_2_and_3();
    desk_block(d, true);
    desk_call_elect(d, "t", 0, false);
    desk_expire(d);
    ck_story(d, "answer ElectLeaders error=NONE t-0=NOT_CONTROLLER\n");
    desk_free(d);
}
END_TEST

/* ---- BrokerChange, BrokerModifications ---- */

START_TEST(BrokerChange_handles_new_then_bounced_then_dead)
{
    struct desk *d = t_on_2_and_3();
    desk_block(d, true);
    desk_kill(d, 3);
    desk_bounce(d, 2);
    desk_broker(d, 4);
    desk_block(d, false);
    desk_run(d);
    /* 4 starts while the others still count as they were; then 2 fails and starts; then 3 fails */
    ck_story(d, "UpdateMetadata -> 1,2,3: live 1,2,3,4\n"
                "UpdateMetadata -> 4: live 1,2,3,4; t-0 leader=2 epoch=0 isr=2,3\n"
                "set /brokers/topics/t/partitions/0/state leader=3 epoch=1 isr=3\n"
                "LeaderAndIsr -> 3: t-0 leader=3 epoch=1 isr=3 v1 replicas=2,3\n"
                "UpdateMetadata -> 1,3,4: live 1,3,4; t-0 leader=3 epoch=1 isr=3 offline=2\n"
                "LeaderAndIsr -> 3: t-0 leader=3 epoch=1 isr=3 v1 replicas=2,3\n"
                "UpdateMetadata -> 1,3,4: live 1,3,4; t-0 leader=3 epoch=1 isr=3 offline=2\n"
                "UpdateMetadata -> 1,3,4: live 1,2,3,4\n"
                "UpdateMetadata -> 2: live 1,2,3,4; t-0 leader=3 epoch=1 isr=3\n"
                "LeaderAndIsr -> 2: t-0 leader=3 epoch=1 isr=3 v1 replicas=2,3\n"
                "UpdateMetadata -> 1,2,3,4: live 1,2,3,4; t-0 leader=3 epoch=1 isr=3\n"
                "set /brokers/topics/t/partitions/0/state leader=-1 epoch=2 isr=3\n"
                "LeaderAndIsr -> 2: t-0 leader=-1 epoch=2 isr=3 v2 replicas=2,3\n"
                "UpdateMetadata -> 1,2,4: live 1,2,4; t-0 leader=-1 epoch=2 isr=3 offline=3\n");
    desk_free(d);
}
END_TEST

START_TEST(BrokerModifications_tells_of_other_endpoints_only)
{
    struct desk *d = t_on_2_and_3();
    struct sm_broker b = {.id = 2, .endpoint_count = 1};
    char data[1024];
    b.endpoint[0] = (struct sm_endpoint){"PLAINTEXT", "PLAINTEXT", "127.0.0.1", 9094};
    snprintf(b.rack, sizeof b.rack, "r1");
    data[sm_znode_encode_broker(data, sizeof data - 1, &b, 0)] = '\0';
    desk_set(d, "/brokers/ids/2", data); /* only the rack is new */
    desk_run(d);
    ck_story(d, "");
    b.endpoint[0].port = 19094;
    data[sm_znode_encode_broker(data, sizeof data - 1, &b, 0)] = '\0';
    desk_set(d, "/brokers/ids/2", data);
    desk_run(d);
    ck_story(d, "UpdateMetadata -> 1,2,3: live 1,2,3\n");
    desk_set(d, "/brokers/ids/2", data); /* the watch was armed again; nothing is new */
    desk_run(d);
    ck_story(d, "");
    desk_free(d);
}
END_TEST

/* ---- TopicChange, PartitionModifications ---- */

START_TEST(TopicChange_forgets_a_topic_that_vanished)
{
    struct desk *d = t_on_2_and_3();
    desk_delete(d, STATE);
    desk_delete(d, "/brokers/topics/t/partitions/0");
    desk_delete(d, "/brokers/topics/t/partitions");
    desk_delete(d, "/brokers/topics/t");
    desk_run(d);
    ck_story(d, ""); /* no broker is told */
    struct sm_assignment a;
    ck_assert(!kc_assignment(desk_controller(d), "t", 0, &a));
    ck_assert_int_eq(kc_controller_metrics(desk_controller(d)).global_topic_count, 0);
    desk_free(d);
}
END_TEST

/* Goal: adding and removing in a new topic's znode are taken over, but mean no reassignment. */
START_TEST(TopicChange_takes_adding_replicas_over)
{
    struct desk *d = t_on_2_and_3();
    struct sm_assignment a;
    desk_create(d, "/brokers/topics/u",
                "{\"version\":2,\"partitions\":{\"0\":[1,2]},\"adding_replicas\":{\"0\":[1]},"
                "\"removing_replicas\":{\"0\":[2]}}");
    desk_run(d);
    ck_assert(kc_assignment(desk_controller(d), "u", 0, &a));
    ck_assert(sm_assignment_is_being_reassigned(&a));
    ck_assert(!kc_is_being_reassigned(desk_controller(d), "u", 0));
    desk_free(d);
}
END_TEST

START_TEST(PartitionModifications_creates_what_is_added)
{
    struct desk *d = t_on_2_and_3();
    desk_set(d, "/brokers/topics/t",
             "{\"version\":3,\"partitions\":{\"0\":[1,2],\"1\":[1,3]}}"); /* 0 is not heard */
    desk_run(d);
    ck_story(d, "create /brokers/topics/t/partitions\n"
                "create /brokers/topics/t/partitions/1\n"
                "create /brokers/topics/t/partitions/1/state leader=1 epoch=0 isr=1,3\n"
                "LeaderAndIsr -> 1,3: t-1 leader=1 epoch=0 isr=1,3 v0 replicas=1,3 [new 1,3]\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-1 leader=1 epoch=0 isr=1,3\n");
    struct sm_assignment a;
    ck_assert(kc_assignment(desk_controller(d), "t", 0, &a));
    ck_assert_int_eq(a.replicas.id[0], 2);
    desk_set(d, "/brokers/topics/t",
             "{\"version\":3,\"partitions\":{\"0\":[1,2],\"1\":[1,3],\"2\":[3]}}");
    desk_run(d); /* the watch was armed again */
    ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", 2), SM_PARTITION_ONLINE);
    desk_free(d);
}
END_TEST

/* ---- IsrChangeNotification ---- */

START_TEST(IsrChangeNotification_reads_tells_and_deletes)
{
    struct desk *d = t_on_2_and_3();
    desk_isr(d, "t", 0, "2", true);
    desk_create(d, "/isr_change_notification/isr_change_0000000007",
                "{\"version\":1,\"partitions\":[{\"topic\":\"nobody\",\"partition\":3}]}");
    desk_create(d, "/isr_change_notification/isr_change_0000000008", "garbage");
    desk_run(d);
    ck_story(d, "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=2 epoch=0 isr=2\n"
                "delete /isr_change_notification/isr_change_0000000000\n"
                "delete /isr_change_notification/isr_change_0000000007\n"
                "delete /isr_change_notification/isr_change_0000000008\n");
    desk_isr(d, "t", 0, "2,3", true);
    desk_run(d);
    ck_assert_ptr_nonnull(strstr(desk_story(d), "t-0 leader=2 epoch=0 isr=2,3\n"));
    desk_free(d);
}
END_TEST

START_TEST(IsrChangeNotification_left_before_a_failover_is_dropped)
{
    struct desk *d = t_on_2_and_3();
    desk_block(d, true);
    desk_isr(d, "t", 0, "2", true);
    desk_expire(d);
    desk_block(d, false);
    desk_run(d);
    struct sm_leader_and_isr li;
    ck_assert(kc_leadership(desk_controller(d), "t", 0, &li));
    ck_assert_int_eq(li.isr.count, 1); /* the state itself was read */
    ck_assert_str_eq(desk_znode(d, "/isr_change_notification/isr_change_0000000000"), "(none)");
    desk_free(d);
}
END_TEST

/* ---- log directories ---- */

/* Goal: NONE takes an offline replica back; another notification probes again. */
START_TEST(LogDirEventNotification_and_a_directory_that_is_back)
{
    struct desk *d = t_on_2_and_3();
    const char *note = "{\"version\":1,\"broker\":3,\"event\":1}";
    desk_answer(d, 3, WIRE_API_LEADER_AND_ISR, 0, WIRE_ERROR_KAFKA_STORAGE_ERROR, "t-0");
    desk_create(d, "/log_dir_event_notification/log_dir_event_0000000000", note);
    desk_run(d);
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 3), SM_REPLICA_OFFLINE);
    ck_assert_ptr_nonnull(strstr(desk_znode(d, STATE), "\"isr\":[2]"));
    desk_story(d);
    desk_answer(d, 3, WIRE_API_LEADER_AND_ISR, 0, 0, NULL);
    desk_create(d, "/log_dir_event_notification/log_dir_event_0000000001", note);
    desk_run(d);
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 3), SM_REPLICA_ONLINE);
    ck_assert_ptr_null(strstr(desk_story(d), "set "));
    desk_call_elect(d, "t", 0, false);
    desk_run(d);
    desk_free(d);
}
END_TEST

START_TEST(LogDirEventNotification_of_a_stranger_is_deleted)
{
    struct desk *d = t_on_2_and_3();
    desk_create(d, "/log_dir_event_notification/log_dir_event_0000000000",
                "{\"version\":1,\"broker\":77,\"event\":1}");
    desk_run(d);
    ck_story(d, "delete /log_dir_event_notification/log_dir_event_0000000000\n");
    desk_free(d);
}
END_TEST

/* Goal: a broker that starts has all its directories again. */
START_TEST(a_bounce_forgets_offline_directories)
{
    struct desk *d = t_on_2_and_3();
    desk_answer(d, 3, WIRE_API_LEADER_AND_ISR, 0, WIRE_ERROR_KAFKA_STORAGE_ERROR, "t-0");
    desk_create(d, "/log_dir_event_notification/log_dir_event_0000000000",
                "{\"version\":1,\"broker\":3,\"event\":1}");
    desk_run(d);
    desk_answer(d, 3, WIRE_API_LEADER_AND_ISR, 0, 0, NULL);
    desk_bounce(d, 3);
    desk_run(d);
    const char *story = desk_story(d);
    ck_assert_ptr_nonnull(strstr(story, "LeaderAndIsr -> 3: t-0 leader=2 epoch=1 isr=2"));
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 3), SM_REPLICA_ONLINE);
    desk_free(d);
}
END_TEST

START_TEST(LeaderAndIsrResponse_of_a_creation_names_an_offline_directory)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 3);
    desk_answer(d, 2, WIRE_API_LEADER_AND_ISR, 0, WIRE_ERROR_KAFKA_STORAGE_ERROR, "t-0");
    desk_topic(d, "t", "0:2,3");
    desk_run(d);
    ck_assert_ptr_nonnull(strstr(desk_story(d), "set " STATE " leader=3 epoch=1 isr=3\n"));
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 2), SM_REPLICA_OFFLINE);
    desk_free(d);
}
END_TEST

/* ---- every handler asks first whether this broker is the controller ---- */

START_TEST(a_standby_hears_nothing)
{
    struct desk *d = desk_new(SM_VERSION_2_8);
    desk_create(d, SM_PATH_CONTROLLER, "{\"version\":1,\"brokerid\":7,\"timestamp\":\"0\"}");
    desk_start(d);
    desk_run(d);
    desk_broker(d, 1);
    desk_topic(d, "t", "0:1");
    desk_create(d, "/admin/delete_topics/t", NULL);
    desk_reassign(d, "t", 0, "1");
    desk_timer(d, DESK_TIMER_BALANCE);
    desk_unclean(d, NULL);
    desk_unclean(d, "t");
    desk_run(d);
    ck_story(d, "");
    desk_free(d);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        Startup_finds_a_controller,
        Startup_registers_the_broker_first,
        Startup_fails_where_another_session_holds_the_registration,
        election_raises_the_epoch_that_is_there,
        election_is_lost_between_read_and_multi,
        election_is_lost_to_one_that_has_gone,
        election_is_won_though_the_answer_is_lost,
        ControllerChange_finds_another_and_resigns,
        Reelect_after_the_znode_is_deleted,
        Expire_resigns_and_RegisterBrokerAndReelect_wins_again,
        a_second_controller_takes_over,
        a_controller_that_closes_takes_no_event,
        triggerControllerMove_after_a_failed_failover,
        preemption_answers_those_who_asked,
        preemption_answers_every_partition_of_an_election,
        BrokerChange_handles_new_then_bounced_then_dead,
        BrokerModifications_tells_of_other_endpoints_only,
        TopicChange_forgets_a_topic_that_vanished,
        TopicChange_takes_adding_replicas_over,
        PartitionModifications_creates_what_is_added,
        IsrChangeNotification_reads_tells_and_deletes,
        IsrChangeNotification_left_before_a_failover_is_dropped,
        LogDirEventNotification_and_a_directory_that_is_back,
        LogDirEventNotification_of_a_stranger_is_deleted,
        a_bounce_forgets_offline_directories,
        LeaderAndIsrResponse_of_a_creation_names_an_offline_directory,
        a_standby_hears_nothing,
    };

    return desk_suite("controller: handlers", tests, sizeof tests / sizeof tests[0]);
}
