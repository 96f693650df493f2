/*
 * Every move of both machines, tried on the live controller.
 *
 * statemachine/ has the tables; here each of 49 + 16 moves is asked of the machine itself. A legal
 * one ends in its target. An illegal one is logged and noted as refused, leaves the state as it is,
 * and the other replica (or partition) of the same call goes on.
 *
 * Source: Kafka ReplicaStateMachine.doHandleStateChanges, PartitionStateMachine.
 */
#include "desk.h"

#include "controller/state.h"

#include <stdio.h>
#include <string.h>

/* ---- replicas: t-0 on [1,2,3], led by 1; 2 is tried, 3 goes along ---- */

struct replica_try {
    enum sm_replica_state from, to, companion;
};

static void force_replicas(struct kc_controller *c, void *argument)
{
    const struct replica_try *t = argument;
    uint32_t row = kc_row_named(c, "t", 0);

    kc_put_replica_state(c, row, kc_broker_find(c, 2), t->from, true);
    kc_put_replica_state(c, row, kc_broker_find(c, 3), t->companion, true);
}

static void move_replicas(struct kc_controller *c, void *argument)
{
    const struct replica_try *t = argument;
    struct sm_list both = {.count = 2, .id = {2, 3}};

    kc_replicas_of(c, kc_row_named(c, "t", 0), &both);
    kc_replicas_call(c, t->to);
}

/* A state from which `to` is legal. */
static enum sm_replica_state legal_before(enum sm_replica_state to)
{
    struct sm_profile p = sm_profile_of(SM_VERSION_2_8);
    int from = SM_REPLICA_NEW;

    while (!sm_replica_may_move(&p, from, to)) {
        from++;
    }
    return from;
}

static enum sm_replica_state shown(enum sm_replica_state state)
{
    return state == SM_REPLICA_NONEXISTENT ? SM_REPLICA_NONE : state;
}

START_TEST(every_move_of_a_replica)
{
    struct sm_profile p = sm_profile_of(SM_VERSION_2_8);
    struct replica_try t = {.from = SM_REPLICA_NEW + _i / 7, .to = SM_REPLICA_NEW + _i % 7};
    bool legal = sm_replica_may_move(&p, t.from, t.to);
    struct desk *d = desk_running(SM_VERSION_2_8, 3);

    desk_with_topic(d, "t", "0:1,2,3");
    t.companion = legal_before(t.to);
    desk_within(d, force_replicas, &t);
    desk_within(d, move_replicas, &t);
    desk_run(d);
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 2), shown(legal ? t.to : t.from));
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 3), shown(t.to));
    ck_assert_int_eq(desk_moves_refused(d), legal ? 0 : 1);
    ck_assert(desk_logged(d, "java.lang.IllegalStateException: Replica [Topic=t,Partition=0,"
                             "Replica=2] should be in the ") == !legal);
    if (!legal) {
        char expected[128];
        snprintf(expected, sizeof expected, "t-0 on 2 %s -> %s\n",
                 sm_replica_state_name(shown(t.from)), sm_replica_state_name(t.to));
        ck_assert_str_eq(desk_refusals(d), expected);
    }
    desk_free(d);
}
END_TEST

/* Goal: a leader is not made a new replica of what it leads. */
START_TEST(the_leader_does_not_become_new)
{
    struct desk *d = desk_running(SM_VERSION_2_8, 3);
    struct replica_try t = {
        .from = SM_REPLICA_NONEXISTENT, .to = SM_REPLICA_NEW, .companion = SM_REPLICA_NONEXISTENT};
    desk_with_topic(d, "t", "0:2,3");
    desk_within(d, force_replicas, &t);
    desk_within(d, move_replicas, &t);
    desk_run(d);
    ck_assert(desk_logged(d, "as it is being requested to become leader"));
    ck_story(d, "LeaderAndIsr -> 3: t-0 leader=2 epoch=0 isr=2,3 v0 replicas=2,3 [new 3]\n"
                "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=2 epoch=0 isr=2,3\n");
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 2), SM_REPLICA_NONE);
    ck_assert_int_eq(kc_replica_state(desk_controller(d), "t", 0, 3), SM_REPLICA_NEW);
    desk_free(d);
}
END_TEST

/* ---- partitions: t-0 is tried, t-1 goes along; both lead by the preferred replica ---- */

struct partition_try {
    enum sm_partition_state from, to, companion;
};

static void force_partitions(struct kc_controller *c, void *argument)
{
    const struct partition_try *t = argument;

    kc_put_partition_state(c, kc_row_named(c, "t", 0), t->from, true);
    kc_put_partition_state(c, kc_row_named(c, "t", 1), t->companion, true);
}

static void move_partitions(struct kc_controller *c, void *argument)
{
    const struct partition_try *t = argument;

    kc_set_clear(c, KC_SET_WORK);
    kc_set_add(c, KC_SET_WORK, kc_row_named(c, "t", 0));
    kc_set_add(c, KC_SET_WORK, kc_row_named(c, "t", 1));
    kc_partitions_call(c, t->to, SM_STRATEGY_OFFLINE, false);
}

static enum sm_partition_state legal_before_partition(enum sm_partition_state to)
{
    struct sm_profile p = sm_profile_of(SM_VERSION_2_8);
    int from = SM_PARTITION_NEW + 1; /* not New: its state znode would exist already */

    while (!sm_partition_may_move(&p, from, to)) {
        from++;
    }
    return from;
}

START_TEST(every_move_of_a_partition)
{
    struct sm_profile p = sm_profile_of(SM_VERSION_2_8);
    struct partition_try t = {.from = SM_PARTITION_NEW + _i / 4, .to = SM_PARTITION_NEW + _i % 4};
    bool legal = sm_partition_may_move(&p, t.from, t.to);
    struct desk *d = desk_running(SM_VERSION_2_8, 3);

    desk_with_topic(d, "t", "0:1,2;1:2,3");
    t.companion = legal_before_partition(t.to);
    if (t.from == SM_PARTITION_NEW && t.to == SM_PARTITION_ONLINE) {
        desk_delete(d, "/brokers/topics/t/partitions/0/state"); /* as a new one has none */
    }
    desk_within(d, force_partitions, &t);
    desk_within(d, move_partitions, &t);
    desk_run(d);
    ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", 0), legal ? t.to : t.from);
    ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", 1), t.to);
    ck_assert_int_eq(desk_moves_refused(d), legal ? 0 : 1);
    ck_assert(
        desk_logged(d, "java.lang.IllegalStateException: Partition t-0 should be in one of ") ==
        !legal);
    desk_free(d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("controller: transitions");
    TCase *tc = tcase_create("transitions");

    tcase_add_loop_test(tc, every_move_of_a_replica, 0, 49);
    tcase_add_test(tc, the_leader_does_not_become_new);
    tcase_add_loop_test(tc, every_move_of_a_partition, 0, 16);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? 0 : 1;
}
