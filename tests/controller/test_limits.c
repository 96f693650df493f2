/*
 * A block that starts too small grows, and nobody can tell.
 *
 * Each limit alone starts at its least, then all at once; the story and the digest must be those of
 * a block that was large from the start. (The window is no such limit: it says how many requests
 * are in flight, and with that their order.)
 */
#include "desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    size_t offset;
    uint32_t least;
} limits[] = {
    {"brokers", offsetof(struct kc_limits, brokers), 1},
    {"topics", offsetof(struct kc_limits, topics), 1},
    {"partitions", offsetof(struct kc_limits, partitions), 1},
    {"replicas", offsetof(struct kc_limits, replicas), 1},
    {"topic_name", offsetof(struct kc_limits, topic_name), 2},
    {"events", offsetof(struct kc_limits, events), 1},
    {"event_bytes", offsetof(struct kc_limits, event_bytes), 16},
    {"scratch_bytes", offsetof(struct kc_limits, scratch_bytes), 16},
    {"batch_bytes", offsetof(struct kc_limits, batch_bytes), 16},
};
enum { LIMITS = sizeof limits / sizeof limits[0] };

/* Brokers, topics, a death, a deletion, reassignments, a failover; many events at once. */
static void play(struct desk *d)
{
    for (int32_t id = 1; id <= 6; id++) {
        desk_broker(d, id);
    }
    desk_start(d);
    desk_run(d);
    desk_topic(d, "t", "0:1,2,3;1:2,3,4;2:3,4,5;3:4,5,6;4:5,6,1");
    desk_topic(d, "a-topic-with-a-long-name-of-more-than-sixty-four-bytes-in-all-and-then-some",
               "0:1,2;1:2,3");
    desk_run(d);
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", i);
        desk_topic(d, name, "0:6,5;1:1");
    }
    desk_run(d);
    desk_kill(d, 5);
    desk_run(d);
    desk_block(d, true);
    for (int i = 0; i < 12; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", i);
        desk_call_elect(d, name, 0, false);
    }
    desk_block(d, false);
    desk_call_reassign(d, "t", 0, "4,6,3");
    desk_create(d, "/admin/delete_topics/s3", NULL);
    desk_create(d, "/admin/delete_topics/s4", NULL);
    desk_run(d);
    desk_isr(d, "t", 0, "1,2,3,4,6", true);
    desk_broker(d, 5);
    desk_broker(d, 17);
    desk_run(d);
    desk_delete(d, "/controller");
    desk_run(d);
    desk_call_list(d, NULL, 0);
    desk_call_elect(d, NULL, 0, false);
    desk_run(d);
}

static struct desk *played(const struct kc_limits *l)
{
    struct kc_config config = desk_config(SM_VERSION_2_8, 100);
    struct desk *d = desk_new_within(&config, l);

    play(d);
    return d;
}

static char *story_within(const struct kc_limits *l, uint64_t *digest, int *grown)
{
    struct desk *d = played(l);
    const char *story = desk_story(d);
    char *copy = malloc(strlen(story) + 1);

    strcpy(copy, story);
    *digest = kc_controller_digest(desk_controller(d));
    *grown = desk_grown(d);
    desk_free(d);
    return copy;
}

static struct kc_limits large(void)
{
    struct kc_limits l = kc_limits_default();

    l.brokers = 64;
    l.topics = 256;
    l.partitions = 1024;
    l.replicas = SM_REPLICAS_MAX;
    l.topic_name = SM_TOPIC_NAME_MAX + 1;
    l.events = 1024;
    l.event_bytes = l.scratch_bytes = 1 << 20;
    l.batch_bytes = 1 << 24;
    return l;
}

static void must_be_the_same(const struct kc_limits *l, const char *what)
{
    struct kc_limits all = large();
    uint64_t expected_digest, digest;
    int never, grown;
    char *expected = story_within(&all, &expected_digest, &never);
    char *story = story_within(l, &digest, &grown);

    ck_assert_msg(never == 0, "the large block grew");
    ck_assert_msg(grown > 0, "%s: the block did not grow", what);
    ck_assert_msg(strcmp(story, expected) == 0, "%s: another story", what);
    ck_assert_msg(digest == expected_digest, "%s: another digest", what);
    free(expected);
    free(story);
}

START_TEST(one_limit_starts_at_its_least)
{
    struct kc_limits l = large();

    *(uint32_t *)(void *)((char *)&l + limits[_i].offset) = limits[_i].least;
    must_be_the_same(&l, limits[_i].name);
}
END_TEST

START_TEST(all_limits_start_at_their_least)
{
    struct kc_limits l = large();

    for (int i = 0; i < LIMITS; i++) {
        *(uint32_t *)(void *)((char *)&l + limits[i].offset) = limits[i].least;
    }
    must_be_the_same(&l, "all");
}
END_TEST

/* Goal: whatever the window, the world ends the same. */
START_TEST(any_window_ends_the_same)
{
    struct kc_limits l = large();
    struct desk *d = played(&l);
    char *expected = desk_tree(d);

    l.window = l.slots = 1 + (uint32_t)_i * 7;
    struct desk *other = played(&l);
    char *tree = desk_tree(other);
    ck_assert_str_eq(tree, expected);
    free(expected);
    free(tree);
    desk_free(d);
    desk_free(other);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("controller: limits");
    TCase *tc = tcase_create("limits");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, one_limit_starts_at_its_least, 0, LIMITS);
    tcase_add_test(tc, all_limits_start_at_their_least);
    tcase_add_loop_test(tc, any_window_ends_the_same, 0, 3);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
