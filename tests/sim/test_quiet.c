/*
 * `until: quiet`: what a run has to have shown before it ends by itself, and that it ends.
 *
 * Method: a row is clients and steps, and what holds at the end. Each ends quiet, long before the
 * horizon, and by its last step at the earliest.
 */
#define _POSIX_C_SOURCE 200809L /* open_memstream */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judged_run.h"
#include "sim/story.h"

static const struct row {
    const char *name, *given, *expect;
    int64_t from_s, until_s; /* when it ends */
    const char *waiting;     /* what the story says of it; NULL: nothing waits */
} rows[] = {
    {"a_follower_that_was_restarted_is_back",
     "clients: [{produce: t, count: 20, rate: 1/s}]\n"
     "steps:\n  - {at: 5s, kill: 3}\n  - {at: 40s, restart: 3}\n",
     "  - {end: {replica: t-0-3, is: {in-sync: true}}}\n"
     "  - {end: {partition: t-0, is: {isr: [2, 1, 3]}}}\n",
     40, 60, NULL},
    {"followers_of_a_leader_that_comes_last_are_back",
     "steps:\n  - {at: 5s, kill: 3}\n  - {at: 20s, kill: 1}\n  - {at: 35s, kill: 2}\n"
     "  - {at: 50s, restart: [3, 1]}\n  - {at: 80s, restart: 2}\n",
     "  - {end: {replica: t-0-3, is: {in-sync: true}}}\n"
     "  - {end: {replica: t-0-1, is: {in-sync: true}}}\n",
     80, 110, NULL},
    {"one_that_stays_dead_is_not_waited_for",
     "clients: [{produce: t, count: 3, from: 30s}]\nsteps:\n  - {at: 5s, kill: 3}\n",
     "  - {end: {partition: t-0, is: {isr: [2, 1]}}}\n", 15, 35, NULL},
    {"a_disk_that_failed_is_not_waited_for",
     "steps:\n  - {at: 5s, fail-log-dir: 3, partitions: [t-0]}\n",
     "  - {end: {partition: t-0, is: {isr: [2, 1]}}}\n", 5, 40, NULL},
    /* Its followers ask the leader in vain: it was told that the topic is gone. */
    {"a_deletion_that_waits_for_the_dead_is_not_waited_for",
     "steps:\n  - {at: 5s, kill: 3}\n  - {at: 20s, kill: 1}\n  - {at: 20001ms, delete-topic: t}\n"
     "  - {at: 22s, restart: 3}\n",
     "  - {end: {znode: /admin/delete_topics/t, is: present}}\n"
     "  - {end: {partition: t-0, is: {leader: 2, isr: [2]}}}\n",
     26, 40, "  waiting: the deletion of topic t, for broker 1, which is down\n"},
    {"a_consumer_that_comes_late_reads_all",
     "clients: [{produce: t, count: 3}, {consume: t, from: 50s}]\n",
     "  - {end: {client: u1, is: {read: 3}}}\n", 50, 55, NULL},
    {"a_member_that_has_read_nothing_yet_reads_all",
     "clients: [{produce: t, count: 3}, {consume: t, group: g, from: 50s}]\n",
     "  - {end: {client: u1, is: {read: 3, group: stable}}}\n", 50, 60, NULL},
    {"a_member_goes_on_where_another_has_left",
     "clients: [{produce: t, count: 300, rate: 10/s}, {consume: t, group: g, until: 20s},\n"
     "  {consume: t, group: g, from: 50s}]\n",
     "  - {end: {client: u2, is: {read: '> 90', unread: 0, duplicates: 0}}}\n", 50, 60, NULL},
};

static void check_story(const struct run *r, const struct row *row)
{
    char *story = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&story, &size);
    ck_assert_ptr_nonnull(out);
    sim_story_print(out, r->trace, &r->result, &(struct sim_story_options){0});
    ck_assert_int_eq(fclose(out), 0);
    const char *told = strstr(story, "  waiting: ");
    ck_assert_msg((told != NULL) == (row->waiting != NULL), "%s:\n%s", row->name, story);
    if (told != NULL)
        ck_assert_msg(strstr(told, row->waiting) == told, "%s:\n%s", row->name, story);
    free(story);
}

START_TEST(a_run_ends_when_all_is_shown)
{
    enum { SECOND = 1000000 };
    const struct row *row = &rows[_i];
    char text[2048];
    snprintf(text, sizeof(text),
             "title: t\n"
             "cluster: {nodes: [1, 2, 3], properties: {zookeeper.session.timeout.ms: 6000,\n"
             "  auto.leader.rebalance.enable: false, replica.lag.time.max.ms: 10000}}\n"
             "topics: {t: {assignment: {0: [2, 3, 1]}}}\n"
             "%suntil: quiet\nexpect:\n%s",
             row->given, row->expect);
    struct run r = run_text(text, SIM_ENDED_QUIET);
    for (uint32_t i = 0; i < r.scenario->expect_count; i++)
        ck_assert_msg(sim_expect_judgement(r.expectations, i)->outcome == SIM_MET, "%s: %s: %s",
                      row->name, r.scenario->expect[i].text,
                      sim_expect_judgement(r.expectations, i)->actual);
    ck_assert_msg(r.result.end_us >= row->from_s * SECOND &&
                      r.result.end_us < row->until_s * SECOND,
                  "%s: ended at %lld us", row->name, (long long)r.result.end_us);
    check_story(&r, row);
    end_run(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quiet");
    TCase *tcase = tcase_create("quiet");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_run_ends_when_all_is_shown, 0, sizeof(rows) / sizeof(rows[0]));
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
