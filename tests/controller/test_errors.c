/*
 * Trouble with ZooKeeper at every single reply.
 *
 * A long flow is run undisturbed and its znodes are kept. Then it is run once for each reply of
 * ZooKeeper in it, and at that reply
 *
 *   the session expires:    what is in flight is refused, the controller resigns, makes a new
 *                           session, wins the role again and takes up what was half-way;
 *   the answer was lost:    the client asks again, so that the request is served twice and the
 *                           second answer is the one that counts (NODEEXISTS, NONODE, BADVERSION);
 *   the controller dies:    before the request is served, or after; another one takes over.
 *
 * Each time the znodes must end as in the undisturbed run, epochs and versions aside; with one
 * partition a request as with many, and as in an undisturbed run without groups.
 *
 * Source: Kafka KafkaZkClient.retryRequestsUntilConnected, ZooKeeperClient; KAFKA-1382.
 */
#include "desk.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct flow {
    const char *name;
    void (*prepare)(struct desk *d); /* before the trouble */
    void (*act)(struct desk *d);     /* what the trouble strikes */
    void (*after)(struct desk *d);   /* what the brokers do afterwards; NULL: nothing */
    bool forgotten; /* a new controller cannot know of it, so that no expiry is tried */
};

static void three_topics(struct desk *d)
{
    for (int32_t id = 1; id <= 4; id++) {
        desk_broker(d, id);
    }
    desk_start(d);
    desk_run(d);
    desk_topic(d, "t", "0:1,2,3;1:2,3,1;2:3,1,2");
    desk_topic(d, "u", "0:2");
    desk_topic(d, "v", "0:2,4;1:4,2");
    desk_run(d);
}

/* … and more partitions than a group of 7 holds. */
static void many_partitions(struct desk *d)
{
    char text[512] = "";

    three_topics(d);
    for (int p = 0; p < 18; p++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d:%d,%d,%d", p > 0 ? ";" : "",
                 p, p % 4 + 1, (p + 1) % 4 + 1, (p + 2) % 4 + 1);
    }
    desk_topic(d, "m", text);
    desk_run(d);
}

static void create_n(struct desk *d)
{
    desk_topic(d, "n", "0:1,2;1:2,3;2:3,4;3:4,1;4:1,2;5:2,3;6:3,4;7:4,1;8:1,3;9:2,4");
}

static void delete_m(struct desk *d)
{
    desk_create(d, "/admin/delete_topics/m", NULL);
}

static void kill_2_and_fail_over(struct desk *d)
{
    desk_kill(d, 2);
    desk_delete(d, "/controller");
}

static void kill_2(struct desk *d)
{
    desk_kill(d, 2);
}

static void kill_3_and_return(struct desk *d)
{
    desk_kill(d, 3);
    desk_run(d);
    desk_broker(d, 3);
}

static void bounce_2(struct desk *d)
{
    desk_bounce(d, 2);
}

static void delete_t(struct desk *d)
{
    desk_create(d, "/admin/delete_topics/t", NULL);
}

static void without_4(struct desk *d)
{
    three_topics(d);
    desk_kill(d, 4);
    desk_run(d);
}

static void delete_v(struct desk *d)
{
    desk_create(d, "/admin/delete_topics/v", NULL);
}

static void return_4(struct desk *d)
{
    desk_broker(d, 4);
}

static void reassign_u(struct desk *d)
{
    desk_reassign(d, "u", 0, "3,4");
}

/* The leader takes the new replicas into the ISR, once it has been told of them. */
static void join_u(struct desk *d)
{
    const char *state = desk_znode(d, "/brokers/topics/u/partitions/0/state");

    if (strstr(state, "\"leader\":2") != NULL) {
        desk_isr(d, "u", 0, "2,3,4", true);
    }
}

static void reassign_and_join_u(struct desk *d)
{
    three_topics(d);
    desk_reassign(d, "u", 0, "3,4");
    desk_run(d);
}

static void fail_over(struct desk *d)
{
    desk_delete(d, "/controller");
}

static void busy(struct desk *d)
{
    three_topics(d);
    desk_kill(d, 1);
    desk_run(d);
    desk_reassign(d, "v", 0, "4,3");
    desk_create(d, "/admin/delete_topics/u", NULL);
    desk_create(d, SM_PATH_PREFERRED,
                "{\"version\":1,\"partitions\":[{\"topic\":\"t\",\"partition\":1}]}");
    desk_delete(d, "/controller");
}

static void nothing(struct desk *d)
{
    (void)d;
}

static void shut_down_2(struct desk *d)
{
    desk_call_shutdown(d, 2, -1);
    desk_run(d);
    desk_kill(d, 2);
}

static const struct flow flows[] = {
    {"a broker fails", three_topics, kill_2, NULL, false},
    {"a broker fails and returns", three_topics, kill_3_and_return, NULL, false},
    {"a broker bounces", three_topics, bounce_2, NULL, true},
    {"a topic is deleted", three_topics, delete_t, NULL, false},
    {"a deletion waits for a broker", without_4, delete_v, return_4, false},
    {"a reassignment begins", three_topics, reassign_u, join_u, false},
    {"a reassignment ends", reassign_and_join_u, join_u, NULL, false},
    {"a failover", three_topics, fail_over, NULL, false},
    {"a failover with all kinds of work", busy, nothing, NULL, false},
    {"a controlled shutdown", three_topics, shut_down_2, NULL, false},
    {"a topic is created", three_topics, create_n, NULL, false},
    {"a broker of many partitions fails", many_partitions, kill_2, NULL, false},
    {"many partitions are deleted", many_partitions, delete_m, NULL, false},
    {"a failover with elections", many_partitions, kill_2_and_fail_over, NULL, false},
};
enum { FLOWS = sizeof flows / sizeof flows[0] };

/* How many partitions may share a write, and a read. */
static const struct groups {
    uint32_t writes, reads;
} groups[] = {{1, 1}, {7, 3}, {500, 100}};
enum { GROUPS = sizeof groups / sizeof groups[0] };

static struct kc_config config_of(const struct groups *g, int32_t id)
{
    struct kc_config config = desk_config(SM_VERSION_2_8_FIXED, id);

    config.write_group = g->writes;
    config.read_group = g->reads;
    return config;
}

static struct desk *prepared(const struct flow *f, const struct groups *g)
{
    struct kc_config config = config_of(g, 100);
    struct desk *d = desk_new_with(&config);

    f->prepare(d);
    if (f->act != nothing) {
        desk_run(d);
    }
    return d;
}

static void finish(const struct flow *f, struct desk *d)
{
    f->act(d);
    desk_run(d);
    if (f->after != NULL) {
        f->after(d);
        desk_run(d);
    }
}

/* How it ends without groups, and how long it takes with them. */
static char *undisturbed(const struct flow *f, const struct groups *g, long *replies,
                         long *requests)
{
    struct desk *d = prepared(f, &groups[0]);
    finish(f, d);
    char *tree = desk_tree(d);
    desk_free(d);

    d = prepared(f, g);
    long before = desk_replies(d);
    long asked = desk_requests(d);
    finish(f, d);
    *replies = desk_replies(d) - before;
    *requests = desk_requests(d) - asked;
    char *grouped = desk_tree(d);
    ck_assert_str_eq(grouped, tree);
    free(grouped);
    desk_free(d);
    return tree;
}

static void must_equal(const struct flow *f, const char *what, long n, struct desk *d,
                       const char *expected)
{
    char *actual = desk_tree(d);

    ck_assert_msg(desk_somebody_is_active(d), "%s, %s at %ld: nobody is controller", f->name, what,
                  n);
    ck_assert_msg(kc_controller_is_quiet(desk_controller(d), NULL, NULL), "%s, %s at %ld: no rest",
                  f->name, what, n);
    if (strcmp(actual, expected) != 0) {
        fprintf(stderr, "---- expected\n%s---- actual\n%s---- story\n%s", expected, actual,
                desk_story(d));
        ck_abort_msg("%s, %s at %ld: other znodes", f->name, what, n);
    }
    free(actual);
}

START_TEST(the_session_expires_at_every_reply)
{
    const struct flow *f = &flows[_i % FLOWS];
    const struct groups *g = &groups[_i / FLOWS];
    long replies, requests;
    char *expected = undisturbed(f, g, &replies, &requests);

    ck_assert_int_gt(replies, 3);
    for (long n = 1; n <= replies && !f->forgotten; n++) {
        struct desk *d = prepared(f, g);
        desk_expire_at(d, n);
        finish(f, d);
        must_equal(f, "expired", n, d, expected);
        desk_free(d);
    }
    free(expected);
}
END_TEST

START_TEST(every_answer_is_lost_once)
{
    const struct flow *f = &flows[_i % FLOWS];
    const struct groups *g = &groups[_i / FLOWS];
    long replies, requests;
    char *expected = undisturbed(f, g, &replies, &requests);

    for (long n = 1; n <= requests; n++) {
        struct desk *d = prepared(f, g);
        desk_lose_at(d, n);
        finish(f, d);
        must_equal(f, "answer lost", n, d, expected);
        desk_free(d);
    }
    free(expected);
}
END_TEST

/* A standby that loses the race for /controller to one who dies before the loser looks who has won
   hears of that death from no watch: the one that it had has told of the creation. As in Kafka it
   waits for the next election, which is any other process's. */
static void wake_the_loser(struct desk *d)
{
    if (strcmp(desk_znode(d, SM_PATH_CONTROLLER), "(none)") == 0) {
        desk_create(d, SM_PATH_CONTROLLER, "{\"version\":1,\"brokerid\":9,\"timestamp\":\"0\"}");
        desk_run(d);
        desk_delete(d, SM_PATH_CONTROLLER);
        desk_run(d);
    }
}

/* The standby is there before the trouble; what it wins, it takes up where the first one died. */
static void die(const struct flow *f, const struct groups *g, bool served)
{
    const struct kc_config standby = config_of(g, 101);
    long replies, requests;
    char *expected = undisturbed(f, g, &replies, &requests);
    bool dies = true;

    for (long n = 1; dies && !f->forgotten; n++) {
        struct desk *d = prepared(f, g);
        desk_second(d, &standby);
        if (f->act != nothing) {
            desk_run(d);
        }
        desk_kill_at(d, n, served);
        finish(f, d);
        wake_the_loser(d);
        dies = desk_first_is_dead(d);
        ck_assert(dies || n > 3);
        must_equal(f, served ? "dead after" : "dead before", n, d, expected);
        desk_free(d);
    }
    free(expected);
}

START_TEST(the_controller_dies_before_every_request)
{
    die(&flows[_i % FLOWS], &groups[_i / FLOWS], false);
}
END_TEST

START_TEST(the_controller_dies_after_every_request)
{
    die(&flows[_i % FLOWS], &groups[_i / FLOWS], true);
}
END_TEST

/* Goal: as in Kafka, a create whose answer was lost strands the partition (its own retry says
   NODEEXISTS) until the next failover reads the znode. */
START_TEST(a_lost_answer_to_the_creation_of_a_state_strands_the_partition)
{
    struct desk *d = desk_new(SM_VERSION_2_8);
    struct sm_leader_and_isr li;
    desk_broker(d, 1);
    desk_start(d);
    desk_run(d);
    desk_story(d);
    desk_topic(d, "t", "0:1");
    desk_lose_at(d, 5); /* list topics, read t, two parents, the state */
    desk_run(d);
    ck_story(d, "create /brokers/topics/t/partitions\n"
                "create /brokers/topics/t/partitions/0\n"
                "create /brokers/topics/t/partitions/0/state leader=1 epoch=0 isr=1\n");
    ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", 0), SM_PARTITION_NEW);
    ck_assert(!kc_leadership(desk_controller(d), "t", 0, &li));

    desk_delete(d, "/controller");
    desk_run(d);
    ck_assert_int_eq(kc_partition_state(desk_controller(d), "t", 0), SM_PARTITION_ONLINE);
    desk_free(d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("controller: trouble with ZooKeeper");
    TCase *tc = tcase_create("at every reply");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, the_session_expires_at_every_reply, 0, FLOWS * GROUPS);
    tcase_add_loop_test(tc, every_answer_is_lost_once, 0, FLOWS * GROUPS);
    tcase_add_loop_test(tc, the_controller_dies_before_every_request, 0, FLOWS * GROUPS);
    tcase_add_loop_test(tc, the_controller_dies_after_every_request, 0, FLOWS * GROUPS);
    tcase_add_test(tc, a_lost_answer_to_the_creation_of_a_state_strands_the_partition);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
