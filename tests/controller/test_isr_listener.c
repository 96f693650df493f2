/*
 * KAFKA-5879: notifications of ISR changes that are listed when their watch fires, and a controller
 * that is busy meanwhile.
 *
 *     on    watch ─► list ─► event [0]   watch ─► list ─► event [0 1]   …      0 is gone by then
 *     off   watch ─► event               (the watch is armed again by the list that the event
 * makes)
 *
 * Source: Kafka 1.0 IsrChangeNotificationListener.
 */
#include "desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOTE(n) "/isr_change_notification/isr_change_000000000" #n

static struct desk *with_topic(bool on, const struct kc_limits *limits)
{
    struct kc_config config = desk_config(SM_VERSION_2_8_FIXED, 100);

    config.profile.defects = on ? UINT64_C(1) << SM_DEFECT_LISTED_AT_WATCH : 0;
    struct desk *d = limits == NULL ? desk_new_with(&config) : desk_new_within(&config, limits);
    for (int32_t id = 1; id <= 3; id++) {
        desk_broker(d, id);
    }
    desk_start(d);
    desk_run(d);
    desk_with_topic(d, "t", "0:1,2,3;1:1,2,3;2:1,2,3");
    return d;
}

/* Each is told, and the watch served, before the next one comes. */
static void three_changes_while_busy(struct desk *d)
{
    desk_block(d, true);
    for (int32_t p = 0; p < 3; p++) {
        desk_isr(d, "t", p, "1,2", true);
        desk_run(d);
    }
    desk_block(d, false);
    desk_run(d);
}

START_TEST(each_event_reads_and_deletes_what_those_before_it_had)
{
    struct desk *d = with_topic(true, NULL);
    three_changes_while_busy(d);
    ck_story(
        d,
        "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=1 epoch=0 isr=1,2\n"
        "delete " NOTE(
            0) "\n"
               "UpdateMetadata -> 1,2,3: live 1,2,3; t-1 leader=1 epoch=0 isr=1,2\n"
               "delete " NOTE(
                   0) "\n"
                      "delete " NOTE(
                          1) "\n"
                             "UpdateMetadata -> 1,2,3: live 1,2,3; t-2 leader=1 epoch=0 isr=1,2\n"
                             "delete " NOTE(
                                 0) "\n"
                                    "delete " NOTE(
                                        1) "\n"
                                           "delete " NOTE(
                                               2) "\n"
                                                  "delete " NOTE(
                                                      1) "\n" /* deletions fire the watch, too */
                                                         "delete " NOTE(2) "\n"
                                                                           "delete " NOTE(2) "\n");
    desk_free(d);
}
END_TEST

START_TEST(without_the_defect_the_first_takes_all)
{
    struct desk *d = with_topic(false, NULL);
    three_changes_while_busy(d);
    ck_story(d, "UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=1 epoch=0 isr=1,2; "
                "t-1 leader=1 epoch=0 isr=1,2; t-2 leader=1 epoch=0 isr=1,2\n"
                "delete " NOTE(0) "\n"
                                  "delete " NOTE(1) "\n"
                                                    "delete " NOTE(2) "\n");
    desk_free(d);
}
END_TEST

/* Goal: what is listed beside a flow is never taken for an answer to it, nor the other way round,
   wherever between its requests the watch fires. */
START_TEST(a_list_comes_while_a_flow_waits)
{
    struct desk *d = with_topic(true, NULL);
    desk_kill(d, 3);
    for (int steps = 0; desk_step(d); steps++) {
        if (steps % 5 == 0 && steps < 60) {
            desk_isr(d, "t", steps % 3, steps % 2 == 0 ? "1" : "1,2", true);
        }
    }
    kc_controller_check(desk_controller(d));
    ck_assert(kc_controller_is_quiet(desk_controller(d), NULL, NULL));
    for (int32_t p = 0; p < 3; p++) {
        struct sm_leader_and_isr li;
        ck_assert(kc_leadership(desk_controller(d), "t", p, &li));
        ck_assert_int_eq(li.leader, 1);
    }
    char *tree = desk_tree(d);
    ck_assert_ptr_null(strstr(tree, "isr_change_notification/")); /* none is left lying about */
    free(tree);
    desk_free(d);
}
END_TEST

/* Goal: the lists that wait are bounded by a limit that is named, and the block grows. */
START_TEST(lists_that_wait_are_bounded_by_event_bytes)
{
    struct kc_limits limits = kc_limits_default();
    char path[64];

    limits.event_bytes = 2048;
    struct desk *d = with_topic(true, &limits);
    desk_block(d, true);
    for (int i = 10; i < 50; i++) {
        snprintf(path, sizeof path, "/isr_change_notification/isr_change_%010d", i);
        desk_create(d, path, "{\"version\":1,\"partitions\":[]}");
        desk_run(d);
    }
    ck_assert_int_gt(desk_grown(d), 0);
    desk_block(d, false);
    desk_run(d);
    ck_assert_str_eq(desk_znode(d, "/isr_change_notification/isr_change_0000000049"), "(none)");
    desk_free(d);
}
END_TEST

/* Goal: one that is no longer the controller hears nothing, and asks nobody. */
START_TEST(a_list_that_comes_after_the_resignation_is_dropped)
{
    struct desk *d = with_topic(true, NULL);
    desk_isr(d, "t", 0, "1,2", true);
    desk_expire(d);
    desk_run(d);
    ck_assert(kc_controller_is_active(desk_controller(d)));
    kc_controller_check(desk_controller(d));
    desk_isr(d, "t", 1, "1,2", true);
    desk_run(d);
    struct sm_leader_and_isr li;
    ck_assert(kc_leadership(desk_controller(d), "t", 1, &li));
    ck_assert_int_eq(li.isr.count, 2);
    desk_free(d);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        each_event_reads_and_deletes_what_those_before_it_had,
        without_the_defect_the_first_takes_all,
        a_list_comes_while_a_flow_waits,
        lists_that_wait_are_bounded_by_event_bytes,
        a_list_that_comes_after_the_resignation_is_dropped,
    };

    return desk_suite("isr_listener", tests, sizeof tests / sizeof tests[0]);
}
