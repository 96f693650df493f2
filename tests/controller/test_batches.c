/*
 * Request batches, and the senders that carry them to the brokers.
 *
 * Source: Kafka ControllerChannelManager, AbstractControllerBrokerRequestBatch, RequestSendThread.
 */
#include "desk.h"

#include "controller/state.h"

#include <string.h>

/* ---- inside one batch ---- */

static struct sm_leader_and_isr led(int32_t leader, int32_t epoch)
{
    return (struct sm_leader_and_isr){.leader = leader,
                                      .leader_epoch = epoch,
                                      .zk_version = epoch,
                                      .controller_epoch = 1,
                                      .isr = {.count = 2, .id = {1, 2}}};
}

static void say_twice(struct kc_controller *c, void *argument)
{
    struct sm_list both = {.count = 2, .id = {1, 2}};
    struct sm_list second = {.count = 1, .id = {2}};
    struct sm_leader_and_isr first = led(1, 1), later = led(2, 2);
    uint32_t row = kc_row_named(c, "t", 0);
    struct sm_assignment a = kc_row_assignment(c, row);

    (void)argument;
    kc_batch_begin(c, KC_OWNER_CONTROLLER);
    kc_put_leadership(c, row, &first);
    kc_batch_leader_and_isr(c, &both, row, &first, &a, true);
    kc_put_leadership(c, row, &later);
    kc_batch_leader_and_isr(c, &second, row, &later, &a, false);
    kc_batch_send(c);
}

/* Goal: a later word replaces an earlier one for the broker it is for; isNew stays; metadata is one
   list, with the newest word. */
START_TEST(a_later_word_replaces_an_earlier_one_and_isNew_stays)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 2);
    desk_with_topic(d, "t", "0:1,2");
    desk_within(d, say_twice, NULL);
    desk_run(d);
    ck_story(d, "LeaderAndIsr -> 1: t-0 leader=1 epoch=1 isr=1,2 v1 replicas=1,2 [new 1]\n"
                "LeaderAndIsr -> 2: t-0 leader=2 epoch=2 isr=1,2 v2 replicas=1,2 [new 2]\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=2 epoch=2 isr=1,2\n");
    desk_free(d);
}
END_TEST

static void say_the_same(struct kc_controller *c, void *argument)
{
    struct sm_list one = {.count = 1, .id = {1}};
    struct sm_list other = {.count = 1, .id = {2}};
    uint32_t row = kc_row_named(c, "t", 0);
    struct sm_assignment a = kc_row_assignment(c, row);
    struct sm_leader_and_isr li = kc_row_leadership(c, row);

    (void)argument;
    kc_batch_begin(c, KC_OWNER_CONTROLLER);
    kc_batch_leader_and_isr(c, &one, row, &li, &a, true);
    kc_batch_leader_and_isr(c, &other, row, &li, &a, false);
    kc_batch_leader_and_isr(c, &one, row, &li, &a, false);
    kc_batch_send(c);
}

START_TEST(the_same_word_to_another_broker_joins_it)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 2);
    desk_with_topic(d, "t", "0:1,2");
    desk_within(d, say_the_same, NULL);
    desk_run(d);
    ck_story(d, "LeaderAndIsr -> 1,2: t-0 leader=1 epoch=0 isr=1,2 v0 replicas=1,2 [new 1]\n"
                "UpdateMetadata -> 1,2: live 1,2; t-0 leader=1 epoch=0 isr=1,2\n");
    desk_free(d);
}
END_TEST

static void stop_twice(struct kc_controller *c, void *argument)
{
    struct sm_leader_and_isr later = led(1, 4);
    uint32_t row = kc_row_named(c, "t", 0);

    (void)argument;
    kc_batch_begin(c, KC_OWNER_CONTROLLER);
    kc_batch_stop_replica(c, kc_broker_find(c, 2), row, true);
    kc_put_leadership(c, row, &later);
    kc_batch_stop_replica(c, kc_broker_find(c, 2), row, false);
    kc_batch_send(c);
}

/* Goal: the epoch is the later one, deletePartition stays. */
START_TEST(deletePartition_stays)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 2);
    desk_with_topic(d, "t", "0:1,2");
    desk_within(d, stop_twice, NULL);
    desk_run(d);
    ck_story(d, "StopReplica -> 2: t-0 epoch=4 delete\n");
    desk_free(d);
}
END_TEST

static void begin_and_drop(struct kc_controller *c, void *argument)
{
    (void)argument;
    kc_batch_begin(c, KC_OWNER_CONTROLLER);
    kc_batch_send(c);
}

START_TEST(an_empty_batch_is_not_sent)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 2);
    desk_sent(d, 1);
    desk_within(d, begin_and_drop, NULL);
    desk_run(d);
    ck_story(d, "");
    ck_assert_str_eq(desk_sent(d, 1), "");
    desk_free(d);
}
END_TEST

/* ---- senders ---- */

START_TEST(requests_of_a_batch_go_in_order)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 3);
    desk_with_topic(d, "t", "0:1,2,3");
    desk_sent(d, 1);
    desk_sent(d, 3);
    desk_call_shutdown(d, 3, -1);
    desk_run(d);
    ck_assert_str_eq(desk_sent(d, 1), "LeaderAndIsr UpdateMetadata");
    ck_assert_str_eq(desk_sent(d, 3), "StopReplica UpdateMetadata StopReplica");
    desk_free(d);
}
END_TEST

/* Goal: one request in flight; the rest waits, in order, while others are served. */
START_TEST(a_broker_that_does_not_answer_holds_only_itself)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 2);
    desk_sent(d, 1);
    desk_sent(d, 2);
    desk_hold(d, 2, true);
    desk_with_topic(d, "t", "0:1,2");
    desk_with_topic(d, "u", "0:1,2");
    ck_assert_str_eq(desk_sent(d, 1), "LeaderAndIsr UpdateMetadata LeaderAndIsr UpdateMetadata");
    ck_assert_str_eq(desk_sent(d, 2), "LeaderAndIsr");
    ck_assert(!kc_controller_is_quiet(desk_controller(d), NULL, NULL));
    desk_hold(d, 2, false);
    desk_run(d);
    ck_assert_str_eq(desk_sent(d, 2), "UpdateMetadata LeaderAndIsr UpdateMetadata");
    ck_assert(kc_controller_is_quiet(desk_controller(d), NULL, NULL));
    desk_free(d);
}
END_TEST

/* Goal: at least once, in order: the same request until it is answered. */
START_TEST(a_broken_connection_repeats_the_request)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 2);
    desk_sent(d, 2);
    desk_break(d, 2, 2);
    desk_with_topic(d, "t", "0:1,2");
    ck_assert_str_eq(desk_sent(d, 2), "LeaderAndIsr LeaderAndIsr LeaderAndIsr UpdateMetadata");
    ck_assert(kc_controller_is_quiet(desk_controller(d), NULL, NULL));
    desk_free(d);
}
END_TEST

/* Goal: what waited for the old life of a broker is dropped, and late answers of it are ignored. */
START_TEST(a_bounce_closes_the_sender)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 2);
    desk_hold(d, 2, true);
    desk_with_topic(d, "t", "0:1,2");
    desk_with_topic(d, "u", "0:1,2");
    desk_sent(d, 2);
    desk_bounce(d, 2);
    desk_run(d);
    ck_assert_str_eq(desk_sent(d, 2), "UpdateMetadata"); /* of the new sender, and held again */
    desk_hold(d, 2, false);
    desk_run(d);
    ck_assert_str_eq(desk_sent(d, 2), "LeaderAndIsr UpdateMetadata");
    ck_assert(kc_controller_is_quiet(desk_controller(d), NULL, NULL));
    desk_free(d);
}
END_TEST

static void answer_of_a_stranger(struct kc_controller *c, void *argument)
{
    struct wire_answer a = {.error = 0};

    (void)argument;
    kc_channel_answer(
        c, &(struct kc_input){
               .kind = KC_IN_ANSWER, .broker_id = 2, .correlation = 999999, .answer = &a});
    kc_channel_answer(
        c,
        &(struct kc_input){.kind = KC_IN_ANSWER, .broker_id = 77, .correlation = 1, .answer = &a});
    kc_channel_failed(
        c, &(struct kc_input){.kind = KC_IN_SEND_FAILED, .broker_id = 2, .correlation = 999999});
}

START_TEST(answers_that_nobody_waits_for_are_ignored)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 2);
    uint64_t before = kc_controller_digest(desk_controller(d));
    desk_within(d, answer_of_a_stranger, NULL);
    ck_assert_uint_eq(kc_controller_digest(desk_controller(d)), before);
    desk_free(d);
}
END_TEST

START_TEST(resigning_drops_what_waits)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 2);
    desk_hold(d, 2, true);
    desk_with_topic(d, "t", "0:1,2");
    desk_shutdown(d);
    desk_run(d);
    desk_sent(d, 2);
    desk_hold(d, 2, false);
    desk_run(d);
    ck_assert_str_eq(desk_sent(d, 2), "");
    ck_assert(kc_controller_is_quiet(desk_controller(d), NULL, NULL));
    desk_free(d);
}
END_TEST

START_TEST(errors_of_answers_are_logged_only)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 2);
    desk_answer(d, 2, WIRE_API_LEADER_AND_ISR, WIRE_ERROR_STALE_CONTROLLER_EPOCH, 0, NULL);
    desk_answer(d, 2, WIRE_API_UPDATE_METADATA, WIRE_ERROR_STALE_BROKER_EPOCH, 0, NULL);
    desk_topic(d, "t", "0:1,2");
    desk_run(d);
    ck_assert(desk_logged(d, "STALE_CONTROLLER_EPOCH"));
    ck_assert(desk_logged(d, "STALE_BROKER_EPOCH"));
    ck_assert(kc_controller_is_quiet(desk_controller(d), NULL, NULL));
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 2), SM_REPLICA_ONLINE);
    desk_free(d);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_later_word_replaces_an_earlier_one_and_isNew_stays,
        the_same_word_to_another_broker_joins_it,
        deletePartition_stays,
        an_empty_batch_is_not_sent,
        requests_of_a_batch_go_in_order,
        a_broker_that_does_not_answer_holds_only_itself,
        a_broken_connection_repeats_the_request,
        a_bounce_closes_the_sender,
        answers_that_nobody_waits_for_are_ignored,
        resigning_drops_what_waits,
        errors_of_answers_are_logged_only,
    };

    return desk_suite("controller: batches", tests, sizeof tests / sizeof tests[0]);
}
