/*
 * Judging, telling: expectations against a running world, verdicts in every form, stories.
 *
 * Method: small scenarios as texts are run to their end; what is judged and printed is looked at.
 */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "judged_run.h"
#include "sim/diagnostics.h"
#include "sim/story.h"

#define HEAD                                                                                       \
    "title: a test\ncluster: {nodes: [1, 2, 3], properties: {zookeeper.session.timeout.ms: 6000, " \
    "auto.leader.rebalance.enable: false}}\ntopics: {t: {assignment: {0: [2, 3], 1: [2]}}}\n"

static const struct sim_judgement *judgement(const struct run *r, uint32_t index)
{
    return sim_expect_judgement(r->expectations, index);
}

#define JUDGED(run, index, as)                                                                     \
    ck_assert_msg(judgement((run), (index))->outcome == (as), "%s: %s / %s",                       \
                  (run)->scenario->expect[index].text, judgement((run), (index))->expected,        \
                  judgement((run), (index))->actual)

/* ---- judging ---- */

START_TEST(a_statement_at_a_time_sees_the_state_of_that_time)
{
    struct run r =
        run_text(HEAD "steps:\n  - {at: 1s, kill: 2}\n  - {at: 20s, restart: 2}\nexpect:\n"
                      "  - {at: 900ms, partition: t-0, is: {leader: 2, state: OnlinePartition}}\n"
                      "  - {at: 15s, partition: t-0, is: {leader: 3, isr: [3], epoch: '> 0'}}\n"
                      "  - {at: 15s, partition: t-1, is: {leader: none, state: OfflinePartition}}\n"
                      "  - {at: 15s, partition: t-1, is: {leader: 2}}\n"
                      "  - {by: 40s, partition: t-1, is: {leader: 2}}\n",
                 SIM_ENDED_QUIET);
    for (uint32_t i = 0; i < 5; i++) {
        JUDGED(&r, i, i == 3 ? SIM_FAILED : SIM_MET);
    }
    ck_assert_str_eq(judgement(&r, 3)->expected, "leader 2");
    ck_assert_str_eq(judgement(&r, 3)->actual, "leader none");
    ck_assert_int_eq(judgement(&r, 3)->t_us, 15000000);
    ck_assert_int_eq(sim_verdict(&r.result), SIM_EXIT_FAILED);
    end_run(&r);
}
END_TEST

START_TEST(always_never_and_sometimes_watch_every_moment)
{
    struct run r = run_text(HEAD "steps: [{at: 1s, kill: 2}]\nexpect:\n"
                                 "  - {always: {partition: t-0, is: {isr: [2, 3]}}}\n"
                                 "  - {always: {controller: 1}}\n"
                                 "  - {never: {partition: t-1, is: {leader: none}}}\n"
                                 "  - {never: {controller: 3}}\n"
                                 "  - {sometimes: {metric: OfflinePartitionsCount, value: 1}}\n"
                                 "  - {sometimes: {metric: OfflinePartitionsCount, value: 9}}\n",
                            SIM_ENDED_QUIET);
    static const enum sim_outcome expected[] = {SIM_FAILED, SIM_MET, SIM_FAILED,
                                                SIM_MET,    SIM_MET, SIM_FAILED};
    for (uint32_t i = 0; i < 6; i++) {
        JUDGED(&r, i, expected[i]);
    }
    end_run(&r);
}
END_TEST

START_TEST(patterns_see_the_partitions_of_a_request_that_its_receiver_gets)
{
    struct run r = run_text(
        HEAD "steps: [{at: 1s, kill: 2}]\nexpect:\n"
             "  - {sometimes: {event: request, api: LeaderAndIsr, broker: 3, partition: t-0, "
             "leader: 3}}\n"
             "  - {never: {event: request, api: LeaderAndIsr, broker: 3, partition: t-1}}\n"
             "  - {sometimes: {event: request, api: UpdateMetadata, broker: 1, partition: t-1, "
             "leader: -1}}\n"
             "  - {never: {event: send, api: LeaderAndIsr, broker: 2}, after: {event: "
             "session-expired, node: 2}}\n"
             "  - {never: {event: session-expired, node: 2}}\n"
             "  - {sometimes: {event: request, api: LeaderAndIsr, broker: 3, isr: [3], nth: 50}}\n"
             "  - {sometimes: {event: fault}, after: {event: session-expired, node: 1}}\n",
        SIM_ENDED_QUIET);
    static const enum sim_outcome expected[] = {SIM_MET,    SIM_MET,    SIM_MET,      SIM_MET,
                                                SIM_FAILED, SIM_FAILED, SIM_UNDECIDED};
    for (uint32_t i = 0; i < 7; i++) {
        JUDGED(&r, i, expected[i]);
    }
    ck_assert_uint_gt(judgement(&r, 4)->record, 0);
    end_run(&r);
}
END_TEST

START_TEST(selections_znodes_and_brokers_can_be_asked_about)
{
    struct run r = run_text(
        HEAD
        "steps: [{at: 1s, kill: 2}]\nexpect:\n"
        "  - {end: {count: partitions, is: {leader: none}, value: 1}}\n"
        "  - {end: {all: replicas on 2, is: {state: OfflineReplica}}}\n"
        "  - {end: {any: partitions of t, is: {leader: 3}}}\n"
        "  - {end: {all: partitions, is: {state: OnlinePartition}}}\n"
        "  - {end: {znode: /controller, is: {ephemeral: true, data: {brokerid: 1, version: 1}}}}\n"
        "  - {end: {znode: /brokers/ids/2, is: absent}}\n"
        "  - {end: {broker: 2, is: {state: down, registered: false, live: false}}}\n"
        "  - {end: {topic: t, is: {partitions: 2, deletion: none}}}\n"
        "  - {end: {controller: any, is: {epoch: 1}}}\n"
        "  - {end: {controller: none}}\n"
        "  - {end: {znode: /controller_epoch, is: {data: '>= 1'}}}\n",
        SIM_ENDED_QUIET);
    for (uint32_t i = 0; i < 11; i++) {
        JUDGED(&r, i, i == 3 || i == 9 ? SIM_FAILED : SIM_MET);
    }
    ck_assert_str_eq(judgement(&r, 3)->actual, "t-1: state OfflinePartition");
    ck_assert_str_eq(judgement(&r, 9)->actual, "1 is the controller");
    end_run(&r);
}
END_TEST

START_TEST(a_step_that_never_acts_makes_the_verdict_undecided)
{
    struct run r = run_text(HEAD "steps: [{when: {event: session-expired, node: 3}, kill: 1}]\n"
                                 "expect: [{end: {controller: 1}}]\n",
                            SIM_ENDED_QUIET);
    JUDGED(&r, 0, SIM_MET);
    ck_assert_int_eq(sim_verdict(&r.result), SIM_EXIT_UNDECIDED);
    end_run(&r);
}
END_TEST

START_TEST(an_interrupted_run_decides_nothing_that_is_open)
{
    struct run r = run_text(HEAD "expect: [{end: {controller: 1}}, {sometimes: {event: fault}}]\n",
                            SIM_ENDED_INTERRUPTED);
    JUDGED(&r, 0, SIM_UNDECIDED);
    JUDGED(&r, 1, SIM_UNDECIDED);
    ck_assert_int_eq(sim_verdict(&r.result), SIM_EXIT_INTERRUPTED);
    end_run(&r);
}
END_TEST

/* ---- forms ---- */

#define FAILING                                                                                    \
    HEAD "steps: [{at: 1s, kill: 2}]\nexpect:\n  - {end: {controller: 1}}\n  - {end: {partition: " \
         "t-1, is: {leader: 2}}}\n"

static char *report(const struct run *r, enum sim_format format)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct sim_report report;
    sim_report_begin(&report, out, format, false);
    sim_report_add(&report, &r->result);
    sim_report_end(&report);
    fclose(out);
    return text;
}

START_TEST(a_failure_is_told_in_every_form_with_the_line_that_reproduces_it)
{
    struct run r = run_text(FAILING, SIM_ENDED_QUIET);
    static const char *const parts[][3] = {
        [SIM_FORMAT_HUMAN] = {"✗ failed line 7: {end: {partition: t-1, is: {leader: 2}}}\n",
                              "expected leader 2; actual: leader none", "verdict: failed (1 of 2"},
        [SIM_FORMAT_JSON] = {"{\"schema\":\"kcsim.result/1\",\"runs\":[{", "\"outcome\":\"failed\"",
                             "]}\n"},
        [SIM_FORMAT_NDJSON] = {"{\"schema\":\"kcsim.result/1\",\"file\":", "\"exit\":1",
                               "\"line\":7"},
        [SIM_FORMAT_JUNIT] = {"<testsuite name=\"kcsim\" tests=\"3\" failures=\"1\" skipped=\"0\">",
                              "<failure message=\"failed\">expected: leader 2", "line=\"7\""},
        [SIM_FORMAT_TAP] = {"TAP version 13\n1..3\nok 1 - dir/test.yaml:6",
                            "not ok 2 - dir/test.yaml:7", "# failed: expected leader 2"},
        [SIM_FORMAT_GITHUB] = {"::error file=dir/test.yaml,line=7,col=5,title=failed::expected "
                               "leader 2; actual: leader none%0A",
                               "kcsim", "seed"},
    };
    for (int f = SIM_FORMAT_HUMAN; f <= SIM_FORMAT_GITHUB; f++) {
        char *text = report(&r, (enum sim_format)f);
        for (int i = 0; i < 3; i++) {
            ck_assert_msg(strstr(text, parts[f][i]) != NULL, "form %d: %s\n%s", f, parts[f][i],
                          text);
        }
        ck_assert_msg(strstr(text, "kcsim run dir/test.yaml --seed 5") != NULL, "%s", text);
        if (f == SIM_FORMAT_JSON || f == SIM_FORMAT_NDJSON) {
            json_t *json = json_loads(text, 0, NULL);
            ck_assert_ptr_nonnull(json);
            json_decref(json);
        }
        free(text);
    }
    end_run(&r);
}
END_TEST

/* ---- stories ---- */

static char *story(const struct run *r, unsigned most, unsigned *lines)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    *lines = sim_story_print(out, r->trace, &r->result, &(struct sim_story_options){.lines = most});
    fclose(out);
    unsigned counted = 0;
    for (const char *c = text; *c != '\0'; c++) {
        counted += *c == '\n';
    }
    ck_assert_uint_eq(*lines, counted);
    return text;
}

/* Who failed, who noticed and when, who leads now, what was lost. */
START_TEST(a_story_answers_the_four_questions)
{
    struct run r = run_text(HEAD "steps: [{at: 1s, kill: leader of t-0}]\n", SIM_ENDED_QUIET);
    unsigned lines;
    char *text = story(&r, 0, &lines);
    static const char *const answers[] = {"node 2 is killed, the leader of t-0",
                                          "ZooKeeper expires the session of node 2, 7s after",
                                          "controller 1 notices that broker 2 is gone",
                                          "t-0: leader 3",
                                          "lost: 1 partition is without a leader (t-1)",
                                          "✓ verdict: met"};
    for (unsigned i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        ck_assert_msg(strstr(text, answers[i]) != NULL, "%s\n%s", answers[i], text);
    }
    free(text);
    end_run(&r);
}
END_TEST

START_TEST(a_long_story_keeps_to_its_lines_and_says_what_is_missing)
{
    struct run r =
        run_text(HEAD "steps:\n  - {every: 10s, from: 1s, until: 400s, kill: 2}\n"
                      "  - {every: 10s, from: 9s, until: 409s, restart: 2}\n"
                      "expect:\n  - {end: {controller: 2}}\n  - {end: {controller: 3}}\n",
                 SIM_ENDED_QUIET);
    unsigned lines;
    char *text = story(&r, 0, &lines);
    ck_assert_uint_le(lines, 25);
    ck_assert_ptr_nonnull(strstr(text, "more lines"));
    ck_assert_ptr_nonnull(strstr(text, "reproduce: "));
    free(text);
    text = story(&r, 2000, &lines);
    ck_assert_uint_gt(lines, 80);
    ck_assert_ptr_null(strstr(text, "more lines"));
    free(text);
    end_run(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("expect");
    TCase *tc = tcase_create("expect");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_statement_at_a_time_sees_the_state_of_that_time);
    tcase_add_test(tc, always_never_and_sometimes_watch_every_moment);
    tcase_add_test(tc, patterns_see_the_partitions_of_a_request_that_its_receiver_gets);
    tcase_add_test(tc, selections_znodes_and_brokers_can_be_asked_about);
    tcase_add_test(tc, a_step_that_never_acts_makes_the_verdict_undecided);
    tcase_add_test(tc, an_interrupted_run_decides_nothing_that_is_open);
    tcase_add_test(tc, a_failure_is_told_in_every_form_with_the_line_that_reproduces_it);
    tcase_add_test(tc, a_story_answers_the_four_questions);
    tcase_add_test(tc, a_long_story_keeps_to_its_lines_and_says_what_is_missing);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
