/*
 * Many partitions in one ZooKeeper request: what shows is what would have shown without.
 *
 *   group refused ──► nothing is applied ──► each write alone, in order ──► as without groups
 *
 * The reasons to refuse one: somebody wrote in between, a node is there or gone already, another
 * controller has won, and the group itself, applied before, whose answer was lost.
 */
#include "desk.h"

#include "controller/state.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct desk *desk_of(uint32_t writes, uint32_t reads)
{
    struct kc_config config = desk_config(SM_VERSION_2_8, 100);

    config.write_group = writes;
    config.read_group = reads;
    return desk_new_with(&config);
}

static struct desk *running(uint32_t writes, uint32_t reads, int32_t brokers)
{
    struct desk *d = desk_of(writes, reads);

    for (int32_t id = 1; id <= brokers; id++) {
        desk_broker(d, id);
    }
    desk_start(d);
    desk_run(d);
    desk_story(d);
    return d;
}

/* `count` partitions on 1,2,3, led by 1. */
static void wide_topic(struct desk *d, const char *topic, int count)
{
    char text[4096] = "";
    size_t size = 0;

    for (int p = 0; p < count; p++) {
        size +=
            (size_t)snprintf(text + size, sizeof text - size, "%s%d:1,2,3", p > 0 ? ";" : "", p);
    }
    desk_with_topic(d, topic, text);
}

/* Goal: the members of a group are those that would have gone out one by one, in that order. */
START_TEST(a_group_is_one_request)
{
    struct desk *d = running(500, 100, 3);

    wide_topic(d, "t", 30);
    ck_assert_int_eq(desk_largest_group(d), 30);
    long before = desk_requests(d);
    desk_kill(d, 1);
    desk_run(d);
    /* two listings and a read for the event; 30 states read, 30 written, and 30 read again by the
       replica machine, which finds the dead broker out of the ISR */
    ck_assert_int_le(desk_requests(d) - before, 8);
    ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", 29), SM_PARTITION_ONLINE);
    desk_free(d);
}
END_TEST

/* Goal: groups end at their size, and the rest goes out as soon as nothing more can join it. */
START_TEST(groups_are_as_large_as_configured)
{
    struct desk *d = running(7, 3, 3);

    wide_topic(d, "t", 30);
    ck_assert_int_eq(desk_largest_group(d), 7);
    for (int32_t p = 0; p < 30; p++) {
        ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", p), SM_PARTITION_ONLINE);
    }
    desk_free(d);
}
END_TEST

static void shrink_1(struct desk *d)
{
    desk_isr(d, "t", 1, "1,3", false);
}

static const char conflict_alone[] =
    "LeaderAndIsr -> 2,3: t-0 leader=2 epoch=1 isr=2,3 v1 replicas=1,2,3\n"
    "LeaderAndIsr -> 2,3: t-2 leader=2 epoch=1 isr=2,3 v1 replicas=1,2,3\n"
    "LeaderAndIsr -> 2,3: t-1 leader=3 epoch=1 isr=3 v2 replicas=1,2,3\n"
    "UpdateMetadata -> 2,3: live 2,3; t-0 leader=2 epoch=1 isr=2,3 offline=1; t-2 leader=2 epoch=1 "
    "isr=2,3 offline=1; t-1 leader=3 epoch=1 isr=3 offline=1\n";

/* Goal: a partition whose ISR has shrunk between our read and our write is read again, and takes
   nobody with it. */
START_TEST(one_conflict_in_a_group)
{
    struct desk *d = running(_i == 0 ? 1 : 500, _i == 0 ? 1 : 100, 3);

    wide_topic(d, "t", 3);
    desk_before_write(d, "/brokers/topics/t/partitions/1/state", 1, shrink_1);
    desk_kill(d, 1);
    desk_run(d);
    const char *story = desk_story(d);
    const char *sent = strstr(story, "LeaderAndIsr");
    ck_assert_ptr_nonnull(sent);
    if (strncmp(sent, conflict_alone, sizeof conflict_alone - 1) != 0) {
        fprintf(stderr, "%s", story);
        ck_abort_msg("another story");
    }
    desk_free(d);
}
END_TEST

static void write_as_story(char *out, const char *verb, const char *what)
{
    for (int p = 0; p < 3; p++) {
        sprintf(out + strlen(out), "%s /brokers/topics/t/partitions/%d%s\n", verb, p, what);
    }
}

/* Goal: a group whose members are there already (an earlier controller made them) is made one by
   one, and what is not there yet is made. */
START_TEST(nodes_that_exist_already)
{
    struct desk *d = running(500, 100, 3);
    char story[2048] = "create /brokers/topics/t/partitions\n";

    desk_create(d, "/brokers/topics/t", NULL);
    desk_create(d, "/brokers/topics/t/partitions", NULL);
    desk_create(d, "/brokers/topics/t/partitions/1", NULL);
    desk_run(d);
    desk_delete(d, "/brokers/topics/t/partitions/1");
    desk_delete(d, "/brokers/topics/t/partitions");
    desk_delete(d, "/brokers/topics/t");
    desk_run(d);
    desk_story(d);
    desk_topic(d, "t", "0:1;1:2;2:3");
    desk_create(d, "/brokers/topics/t/partitions", NULL);
    desk_create(d, "/brokers/topics/t/partitions/1", NULL);
    desk_run(d);
    write_as_story(story, "create", ""); /* together, refused */
    write_as_story(story, "create", ""); /* one by one */
    strcat(story, "create /brokers/topics/t/partitions/0/state leader=1 epoch=0 isr=1\n"
                  "create /brokers/topics/t/partitions/1/state leader=2 epoch=0 isr=2\n"
                  "create /brokers/topics/t/partitions/2/state leader=3 epoch=0 isr=3\n");
    const char *actual = desk_story(d);
    ck_assert_msg(strncmp(actual, story, strlen(story)) == 0, "%s", actual);
    desk_free(d);
}
END_TEST

static void another_wins(struct desk *d)
{
    desk_set(d, "/controller_epoch", "7");
    desk_delete(d, "/controller");
    desk_create(d, "/controller",
                "{\"version\":1,\"brokerid\":9,\"timestamp\":\"0\"}"); /* nobody's ephemeral */
}

/* Goal: a controller that has been succeeded writes nothing of a group, and resigns. */
START_TEST(a_group_behind_a_newer_epoch)
{
    struct desk *d = running(500, 100, 3);

    wide_topic(d, "t", 3);
    desk_before_write(d, "/brokers/topics/t/partitions/0/state", 1, another_wins);
    desk_kill(d, 1);
    desk_run(d);
    const char *state = desk_znode(d, "/brokers/topics/t/partitions/2/state");
    ck_assert_msg(strstr(state, "\"leader\":1") != NULL, "%s", state);
    ck_assert(!kc_controller_is_active(desk_controller(d)));
    ck_assert_int_eq(kc_controller_active_id(desk_controller(d)), 9);
    desk_free(d);
}
END_TEST

/* ---- applied, and the answer lost: the group is sent again, and finds itself ---- */

static void one_topic(struct desk *d)
{
    desk_with_topic(d, "t", "0:1,2,3;1:1,2,3;2:1,2,3");
}

/* What was said to brokers, and the writes, once the n-th request's answer is lost. */
static const char *story_without_answer(struct desk *d, long n)
{
    desk_lose_at(d, n);
    desk_run(d);
    return desk_story(d);
}

/* Goal: states that were set are read again, and each partition is elected once more, as Kafka does
   for each write whose outcome it does not know: two epochs, nobody skipped. */
START_TEST(states_were_set)
{
    struct desk *d = running(500, 100, 3);
    char story[4096] = "";

    one_topic(d);
    desk_kill(d, 1);
    const char *actual = story_without_answer(d, 5); /* list, two brokers, states read, set */
    for (int round = 0; round < 2; round++) {
        write_as_story(story, "set", "/state leader=2 epoch=1 isr=2,3");
    }
    write_as_story(story, "set", "/state leader=2 epoch=2 isr=2,3");
    ck_assert_msg(strncmp(actual, story, strlen(story)) == 0, "%s", actual);
    ck_assert_ptr_null(strstr(actual, "epoch=3"));
    desk_free(d);
}
END_TEST

/* Goal: states that were created are there already: their partitions are recognised by what was to
   be written, and go online. (One that is written by itself stays NewPartition, as in Kafka.) */
START_TEST(states_were_created)
{
    struct desk *d = running(500, 100, 3);
    char story[4096] = "create /brokers/topics/t/partitions\n";

    desk_topic(d, "t", "0:1,2,3;1:1,2,3;2:1,2,3");
    const char *actual = story_without_answer(d, 5); /* list, topic, two waves, the states */
    write_as_story(story, "create", "");
    for (int round = 0; round < 2; round++) {
        write_as_story(story, "create", "/state leader=1 epoch=0 isr=1,2,3");
    }
    ck_assert_msg(strncmp(actual, story, strlen(story)) == 0, "%s", actual);
    for (int32_t p = 0; p < 3; p++) {
        ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", p), SM_PARTITION_ONLINE);
    }
    ck_assert_ptr_nonnull(strstr(actual + strlen(story), "LeaderAndIsr"));
    desk_free(d);
}
END_TEST

/* Goal: the state of another is not taken for an own one. */
START_TEST(states_of_others_were_there)
{
    struct desk *d = running(500, 100, 3);

    desk_create(d, "/brokers/topics/t", NULL);
    desk_create(d, "/brokers/topics/t/partitions", NULL);
    desk_create(d, "/brokers/topics/t/partitions/1", NULL);
    desk_create(d, "/brokers/topics/t/partitions/1/state",
                "{\"controller_epoch\":1,\"leader\":3,\"version\":1,\"leader_epoch\":0,"
                "\"isr\":[3]}");
    desk_topic(d, "t", "0:1,2,3;1:1,2,3;2:1,2,3");
    desk_run(d);
    ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", 0), SM_PARTITION_ONLINE);
    ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", 1), SM_PARTITION_NEW);
    ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", 2), SM_PARTITION_ONLINE);
    desk_free(d);
}
END_TEST

/* Goal: a deletion whose every request in turn is answered by nobody ends all the same. */
START_TEST(nodes_were_deleted)
{
    for (long n = 1; n <= 12; n++) {
        struct desk *d = running(500, 100, 3);
        one_topic(d);
        desk_create(d, "/admin/delete_topics/t", NULL);
        const char *actual = story_without_answer(d, n);
        ck_assert_ptr_nonnull(strstr(actual, "delete /brokers/topics/t\n"));
        ck_assert_str_eq(desk_znode(d, "/brokers/topics/t"), "(none)");
        ck_assert_str_eq(desk_znode(d, "/admin/delete_topics/t"), "(none)");
        ck_assert_uint_eq(kc_topic_deletion(desk_controller(d), "t"), 0);
        desk_free(d);
    }
}
END_TEST

/* ---- bounds ---- */

/* Goal: where names are long a group ends before its request is too large for ZooKeeper. */
START_TEST(long_names_make_smaller_groups)
{
    enum { PARTITIONS = 500, LONGEST = 249 };
    struct desk *d = running(500, 500, 3);
    char name[LONGEST + 1], text[PARTITIONS * 12] = "";
    size_t size = 0;

    memset(name, 'n', LONGEST);
    name[LONGEST] = '\0';
    for (int p = 0; p < PARTITIONS; p++) {
        size +=
            (size_t)snprintf(text + size, sizeof text - size, "%s%d:1,2,3", p > 0 ? ";" : "", p);
    }
    desk_with_topic(d, name, text);
    ck_assert_int_eq(kc_partition_state(desk_controller(d), name, PARTITIONS - 1),
                     SM_PARTITION_ONLINE);
    ck_assert_int_gt(desk_largest_group(d), 100);
    ck_assert_int_lt(desk_largest_group(d), PARTITIONS);
    desk_kill(d, 1);
    desk_run(d);
    ck_assert_int_eq(kc_partition_state(desk_controller(d), name, 0), SM_PARTITION_ONLINE);
    desk_free(d);
}
END_TEST

/* Goal: request numbers run over, and nothing is confused by it. */
START_TEST(request_numbers_run_over)
{
    struct desk *d = running(7, 3, 3);
    struct kc_controller *c = desk_controller(d);

    c->xid = UINT32_MAX - 5;
    wide_topic(d, "t", 30);
    desk_kill(d, 1);
    desk_run(d);
    ck_assert_uint_lt(c->xid, 1000);
    for (int32_t p = 0; p < 30; p++) {
        ck_assert_int_eq(kc_partition_state(c, "t", p), SM_PARTITION_ONLINE);
    }
    desk_free(d);
}
END_TEST

/* Goal: a block grows while groups are in flight and partitions wait for their turn. */
START_TEST(the_block_grows_between_request_and_answer)
{
    struct desk *d = running(7, 3, 3);
    int before = desk_grown(d);

    desk_topic(d, "t", "0:1,2,3;1:2,3,1;2:3,1,2");
    for (int n = 0; n < 40; n++) {
        char name[16];
        snprintf(name, sizeof name, "u%d", n);
        desk_topic(d, name, "0:1,2,3;1:2,3,1;2:3,1,2;3:1,2,3;4:2,3,1;5:3,1,2;6:1,2;7:2,3;8:3,1");
        for (int steps = 0; steps < n % 5; steps++) {
            desk_step(d);
        }
    }
    desk_run(d);
    ck_assert_int_gt(desk_grown(d), before);
    struct kc_metrics m = kc_controller_metrics(desk_controller(d));
    ck_assert_int_eq(m.global_partition_count, 3 + 40 * 9);
    ck_assert_int_eq(m.offline_partitions_count, 0);
    desk_free(d);
}
END_TEST

/* Goal: calls that come while a flow waits for ZooKeeper only queue, however many, and each is
   answered. */
START_TEST(the_queue_grows_while_a_flow_waits)
{
    enum { CALLS = 1000 };
    struct desk *d = running(500, 100, 3);
    int before = desk_grown(d), answers = 0;

    wide_topic(d, "t", 30);
    desk_kill(d, 1);
    for (int steps = 0; steps < 3; steps++) {
        desk_step(d);
    }
    for (int n = 0; n < CALLS; n++) {
        desk_call_list(d, NULL, 0);
    }
    ck_assert_int_gt(desk_grown(d), before);
    desk_run(d);
    for (const char *at = desk_story(d); (at = strstr(at, "answer ")) != NULL; at++) {
        answers++;
    }
    ck_assert_int_eq(answers, CALLS);
    ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", 29), SM_PARTITION_ONLINE);
    desk_free(d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("controller: groups");
    TCase *tc = tcase_create("groups");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_group_is_one_request);
    tcase_add_test(tc, groups_are_as_large_as_configured);
    tcase_add_loop_test(tc, one_conflict_in_a_group, 0, 2);
    tcase_add_test(tc, nodes_that_exist_already);
    tcase_add_test(tc, a_group_behind_a_newer_epoch);
    tcase_add_test(tc, states_were_set);
    tcase_add_test(tc, states_were_created);
    tcase_add_test(tc, states_of_others_were_there);
    tcase_add_test(tc, nodes_were_deleted);
    tcase_add_test(tc, long_names_make_smaller_groups);
    tcase_add_test(tc, request_numbers_run_over);
    tcase_add_test(tc, the_block_grows_between_request_and_answer);
    tcase_add_test(tc, the_queue_grows_while_a_flow_waits);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
