/*
 * Lessons: the right answers of one small run, however they are read; what has no answer in it is
 * told with its place; what a learner types is judged as people write it.
 *
 * Method: one scenario (orders-0 on brokers 2 and 3; broker 2 dies at 5 s) with one stop put in,
 * and what comes of that stop. Expected values are the story of that run: leader 2, then 3
 * at 12.004 s.
 */
#define _DEFAULT_SOURCE /* open_memstream, strsep */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judged_run.h"
#include "sim/lesson.h"

static const char given[] =
    "title: A leader dies\n"
    "cluster:\n"
    "  nodes: [1, 2, 3]\n"
    "  properties: {zookeeper.session.timeout.ms: 6000, auto.leader.rebalance.enable: false}\n"
    "topics: {orders: {assignment: {0: [2, 3]}, config: {unclean.leader.election.enable: true}}}\n"
    "clients: [{produce: orders, rate: 2/s, count: 20}]\n"
    "steps:\n"
    "  - {at: 5s, as: death, kill: 2}\n"
    "lesson:\n  - ";

/* The lesson that the stop makes, NULL with *message (owned) where it has no answer. */
static struct sim_lesson *teach(const char *stop, char **message)
{
    char text[4096];
    size_t size;
    snprintf(text, sizeof(text), "%s%s\n", given, stop);
    struct run r = run_text(text, SIM_ENDED_QUIET);
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    struct sim_lesson *lesson = sim_lesson_new(r.scenario, r.trace, &d);
    FILE *out = open_memstream(message, &size);
    ck_assert_ptr_nonnull(out);
    sim_diagnostics_print(&d, out, false);
    fclose(out);
    ck_assert_int_eq(lesson == NULL, d.errors > 0);
    sim_diagnostics_free(&d);
    end_run(&r); /* a lesson needs neither trace nor scenario */
    return lesson;
}

static const struct answered {
    const char *stop, *answer, *because;
    uint32_t right;
} answered[] = {
    {"{after: death, ask: who?, choices: brokers, answer: {read: leader of orders-0, after: death "
     "+3s}, because: '{answer} {isr of orders-0} {isr of orders-0 @ 20s}'}",
     "2", "2 2,3 3", 1},
    {"{after: death, ask: who?, choices: brokers, answer: {read: leader of orders-0}, because: "
     "'{{x}} {e}', let: {e: {read: epoch of orders-0, end: true}}}",
     "3", "{x}} 1", 2},
    {"{after: death, ask: when?, choices: [1, 7, 18], answer: {seconds: {event: election}}, "
     "because: "
     "x}",
     "7", "x", 1},
    {"{after: death, ask: how many?, choices: [0, 1, 2], answer: {count: {event: election}}, "
     "because: "
     "x}",
     "1", "x", 1},
    {"{after: death, ask: who decides?, answer: {first: {event: election}, field: at}, because: x}",
     "c1", "x", SIM_LESSON_NONE},
    {"{at: 20s, ask: which?, choices: [{value: {read: isr of orders-0, at: 21s}}, {value: {read: "
     "isr "
     "of orders-0, now: true}}, '2'], answer: {read: isr of orders-0}, because: x}",
     "3", "x", 0},
    {"{after: death, ask: why?, choices: [{say: all, if: {count: {event: session-expired, node: "
     "3}}}, "
     "{say: one, if: {count: {event: session-expired, node: 2}, is: 1}}], because: '{answer}'}",
     "one", "one", 1},
    {"{at: 3s, ask: which?, answer: {records: acknowledged of orders-0, now: true}, because: x}",
     "p1#1..6", "x", SIM_LESSON_NONE},
    {"{end: true, ask: which?, answer: {records: lost of orders-0}, because: x}", "none", "x",
     SIM_LESSON_NONE},
    {"{at: 3s, ask: what?, answer: {first: {event: ack, nth: 2}, field: value}, because: x}",
     "p1#8", "x", SIM_LESSON_NONE},
    {"{at: 3s, ask: what?, answer: {first: {event: ack}, field: value, since: start}, because: x}",
     "p1#1", "x", SIM_LESSON_NONE},
    {"{at: 4s, ask: what?, answer: {read: zn:/controller, field: data.brokerid}, because: x}", "1",
     "x", SIM_LESSON_NONE},
};

START_TEST(answers_are_read_from_the_run)
{
    const struct answered *row = &answered[_i];
    char *message;
    struct sim_lesson *lesson = teach(row->stop, &message);
    ck_assert_msg(lesson != NULL, "%s", message);
    const struct sim_lesson_stop *s = &lesson->stops[0];
    ck_assert_uint_eq(lesson->question_count, 1);
    ck_assert_str_eq(s->answer, row->answer);
    ck_assert_str_eq(s->because, row->because);
    ck_assert_uint_eq(s->right, row->right);
    ck_assert_int_eq(sim_lesson_judge(s, row->answer, NULL), SIM_LESSON_RIGHT);
    sim_lesson_free(lesson);
    free(message);
}
END_TEST

static const struct refused {
    const char *stop, *message;
} refused[] = {
    {"{after: death, ask: who?, choices: [1, 2], answer: {read: leader of orders-0}, because: x}",
     ":10:25: error: no choice is right in this run: the answer is '3'"},
    {"{after: death, ask: who?, choices: [3, 3], answer: {read: leader of orders-0}, because: x}",
     ":10:44: error: the choice '3' stands twice"},
    {"{after: death, ask: who?, choices: [{say: a, if: {count: {event: election}}}, {say: b, if: "
     "{count: {event: move}}}], because: x}",
     "error: two choices are right in this run: 'a', and 'b'"},
    {"{when: {event: session-expired, node: 3}, say: x}",
     ":10:12: error: behind the stop before it this never happens in this run"},
    {"{after: death, say: 'x {leader of orders}'}", "error: not a partition (TOPIC-NUMBER)"},
    {"{after: death, say: 'x {leader of orders-0'}", ":10:25: error: a brace without its end"},
    {"{after: death, say: x}\n  - {at: 1s, say: y}",
     ":11:10: error: in this run this comes before the stop above it"},
    {"{at: 4s, ask: what?, answer: {read: zn:/controller, field: data.broker}, because: x}",
     "error: 'zn:/controller' has no part 'data.broker'"},
};

START_TEST(what_the_run_does_not_answer_is_told_with_its_place)
{
    char *message;
    ck_assert_ptr_null(teach(refused[_i].stop, &message));
    ck_assert_msg(strstr(message, refused[_i].message) != NULL, "%s\nwanted: %s", message,
                  refused[_i].message);
    free(message);
}
END_TEST

/* Goal: one rule for what is typed, here and on the page: tests/ui/lesson.test.js reads the same
   table. */
START_TEST(what_is_typed_is_judged_by_the_rule_that_the_page_has)
{
    char line[256];
    unsigned cases = 0;
    FILE *table = fopen(KC_SOURCE_DIR "/tests/sim/lesson_answers.tsv", "r");
    ck_assert_msg(table != NULL, "%s", KC_SOURCE_DIR "/tests/sim/lesson_answers.tsv");
    while (fgets(line, sizeof(line), table) != NULL) {
        char *rest = line;
        if (line[0] == '#')
            continue;
        const char *answer = strsep(&rest, "\t"), *typed = strsep(&rest, "\t"),
                   *same = strsep(&rest, "\n");
        ck_assert_ptr_nonnull(same);
        const struct sim_lesson_stop stop = {.ask = "?", .answer = answer};
        const bool is_right = sim_lesson_judge(&stop, typed, NULL) == SIM_LESSON_RIGHT;
        ck_assert_msg(is_right == (strcmp(same, "yes") == 0), "'%s' for '%s'", typed, answer);
        ck_assert_msg(sim_lesson_same_answer(answer, typed) == is_right, "%s", answer);
        cases++;
    }
    fclose(table);
    ck_assert_uint_gt(cases, 30);
}
END_TEST

/* Goal: an election says of each candidate why it was passed over, and the learner is told. */
START_TEST(a_wrong_broker_is_explained_by_the_election)
{
    char *message;
    uint32_t choice;
    struct sim_lesson *lesson =
        teach("{after: death, ask: who?, choices: brokers, answer: {read: leader of orders-0}, "
              "because: x, show: leader of orders-0}",
              &message);
    ck_assert_ptr_nonnull(lesson);
    const struct sim_lesson_stop *s = lesson->stops;
    ck_assert_int_eq(sim_lesson_judge(s, "b", &choice), SIM_LESSON_WRONG);
    ck_assert_uint_eq(choice, 1);
    ck_assert_str_eq(s->choices[1].wrong, "The election looked at broker 2: not alive.");
    ck_assert_ptr_null(s->choices[0].wrong); /* no replica: nobody looked at it */
    ck_assert_int_eq(sim_lesson_judge(s, "e", NULL), SIM_LESSON_UNKNOWN);
    ck_assert_int_eq(sim_lesson_judge(s, "C", NULL), SIM_LESSON_RIGHT);
    ck_assert_uint_eq(s->show_count, 1);
    ck_assert_uint_gt(s->shows[0].record, s->record);
    ck_assert_uint_le(s->shows[0].record, s->answer_record);
    sim_lesson_free(lesson);
    free(message);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lesson");
    TCase *tests = tcase_create("lesson");
    tcase_add_loop_test(tests, answers_are_read_from_the_run, 0,
                        sizeof(answered) / sizeof(answered[0]));
    tcase_add_loop_test(tests, what_the_run_does_not_answer_is_told_with_its_place, 0,
                        sizeof(refused) / sizeof(refused[0]));
    tcase_add_test(tests, what_is_typed_is_judged_by_the_rule_that_the_page_has);
    tcase_add_test(tests, a_wrong_broker_is_explained_by_the_election);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
