/*
 * Scenarios of the recording harness: every bad line is told with its number, nothing crashes, and
 * what cannot be done is an error of its step.
 */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/scn.h"

static struct sim_scn_error error;

static bool check(const char *text)
{
    return sim_scn_check(text, strlen(text), &error);
}

static bool run(const char *text)
{
    return sim_scn_run_text(text, strlen(text), NULL, NULL, &error);
}

static const struct {
    const char *text;
    uint32_t line;
    const char *says;
} bad[] = {
    {"nonsense 1\n", 1, "unknown step 'nonsense'"},
    {"brokers 1-3\n\n# fine\nkill\n", 4, "kill: wants 1 argument, has 0"},
    {"brokers x\n", 1, "brokers: bad argument 'x'"},
    {"brokers 1-\n", 1, "brokers: bad argument '1-'"},
    {"brokers 1-99999\n", 1, "brokers: bad argument '1-99999'"},
    {"brokers 99999999999\n", 1, "brokers: bad argument '99999999999'"},
    {"topic a/b partitions=1 rf=1\n", 1, "topic: bad argument 'a/b'"},
    {"kill 1 color=red\n", 1, "kill: unknown option 'color='"},
    {"wait quiet=soon\n", 1, "wait: bad duration 'soon'"},
    {"preferred t\n", 1, "preferred: bad argument 't'"},
    {"preferred t:x\n", 1, "preferred: bad argument 't:x'"},
    {"isr t:0=\n", 1, "isr: bad argument 't:0='"},
    {"reassign t:0=cancel\n", 1, "reassign: bad argument 't:0=cancel'"},
    {"delete-topic a,,b\n", 1, "delete-topic: bad argument 'a,,b'"},
    {"wait-gone controller\n", 1, "wait-gone: bad argument 'controller'"},
    {"traced now\n", 1, "traced: wants 0 arguments, has 1"},
};

START_TEST(a_bad_line_is_told)
{
    ck_assert(!check(bad[_i].text));
    ck_assert_uint_eq(error.line, bad[_i].line);
    ck_assert_str_eq(error.text, bad[_i].says);
    ck_assert(error.is_input);
}
END_TEST

static const struct {
    const char *text;
    uint32_t line;
    const char *says;
} impossible[] = {
    {"brokers 1\nbrokers 1\n", 2, "broker 1 is up already"},
    {"bounce 1\n", 1, "broker 1 is not up"},
    {"topic t partitions=2\n", 1, "topic: wants partitions= and rf=, or assign="},
    {"topic t partitions=2 rf=1\n", 1, "topic: no broker to put it on"},
    {"topic t assign=0:1;;\n", 1, "topic: bad assignment '0:1;;'"},
    {"topic t assign=0:1\ntopic t assign=0:1\n", 2, "topic: NODEEXISTS"},
    {"isr t:0=1\n", 1, "isr: NONODE"},
    {"controller kill 0\n", 1, "controller 0 was never started"},
    {"controller start 0 props=a=b\n", 1, "property 'a' is not modelled"},
    {"brokers 1\ncontroller start 1\n", 2, "1 is a broker"},
    {"controller delete-znode\n", 1, "controller: NONODE"},
    {"alter-reassign t:0=1\n", 1, "no controller"},
    {"controlled-shutdown 1\n", 1, "broker 1 never registered"},
    {"fault 1 Produce drop\n", 1, "fault: unknown API 'Produce'"},
    {"fault 1 any sing\n", 1, "fault: error=, perror=, delay=, drop, hang or off?"},
    {"wait-exists /nothing timeout=2s\n", 1, "wait-exists: not within 2000 ms"},
    {"sleep long\n", 1, "sleep: bad duration 'long'"},
};

START_TEST(what_cannot_be_done_is_told)
{
    ck_assert(!run(impossible[_i].text));
    ck_assert_str_eq(error.text, impossible[_i].says);
    ck_assert_uint_eq(error.line, impossible[_i].line);
}
END_TEST

START_TEST(comments_blanks_and_missing_newlines_are_fine)
{
    ck_assert(check(""));
    ck_assert(check("\n\n  # only this\r\n"));
    ck_assert(check("  brokers 1-3   # three\n\twait quiet=1m30s timeout=1.5s"));
}
END_TEST

/* Goal: any bytes are answered. Method: valid scenarios with bytes changed, cut and doubled. */
START_TEST(any_bytes_are_answered)
{
    static const char base[] = "brokers 1-3\ntopic t assign=0:1,2;1:2,3 a.b=c\ncontroller start 0\n"
                               "wait-controller 0\nwait\nfault 1 LeaderAndIsr perror=56 tp=t-0\n"
                               "alter-reassign t:0=3,1 t:1=cancel\nisr t:0=1\nkill 1,2\nwait\n";
    uint32_t x = (uint32_t)_i * 2654435761u + 1;
    char text[sizeof(base) + 8];
    size_t size = sizeof(base) - 1;
    memcpy(text, base, size);
    for (int k = 0; k < 4; k++) {
        x = x * 1664525u + 1013904223u;
        text[(x >> 8) % size] = (char)(x >> 24);
    }
    x = x * 1664525u + 1013904223u;
    if (x & 1)
        size = (x >> 8) % size;
    if (sim_scn_check(text, size, &error))
        sim_scn_run_text(text, size, NULL, NULL, &error);
}
END_TEST

START_TEST(a_file_that_is_not_there_is_told)
{
    ck_assert(!sim_scn_run("/nonexistent/file.scn", NULL, NULL, &error));
    ck_assert_uint_eq(error.line, 0);
    ck_assert_ptr_nonnull(strstr(error.text, "No such file"));
}
END_TEST

START_TEST(outputs_that_cannot_be_written_are_told)
{
    static const char text[] = "brokers 1\n";
    ck_assert(!sim_scn_run_text(text, sizeof(text) - 1, "/nonexistent/folder", NULL, &error));
    ck_assert(!error.is_input);
}
END_TEST

/* Goal: a seed changes delays, and nothing of what brokers are told here. */
START_TEST(delays_do_not_change_a_quiet_recording)
{
    static const char text[] = "brokers 1-3\ntopic t partitions=3 rf=2\ncontroller start 0\n"
                               "wait-controller 0\nwait\nkill 1\nwait\nstart 1\nwait\n";
    char folder[] = "/tmp/kcsim-scn-XXXXXX", command[512];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (int i = 0; i < 2; i++) {
        char out[256];
        struct sim_scn_options options = {.seed = i == 0 ? 0 : (uint64_t)_i + 2};
        snprintf(out, sizeof(out), "%s/%d", folder, i);
        ck_assert_msg(sim_scn_run_text(text, sizeof(text) - 1, out, &options, &error), "%s",
                      error.text);
    }
    snprintf(command, sizeof(command), "diff -r %s/0 %s/1", folder, folder);
    int differs = system(command);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    int removed = system(command);
    ck_assert_int_eq(differs, 0);
    ck_assert_int_eq(removed, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scn");
    TCase *tc = tcase_create("scn");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_bad_line_is_told, 0, (int)(sizeof(bad) / sizeof(bad[0])));
    tcase_add_loop_test(tc, what_cannot_be_done_is_told, 0,
                        (int)(sizeof(impossible) / sizeof(impossible[0])));
    tcase_add_test(tc, comments_blanks_and_missing_newlines_are_fine);
    tcase_add_loop_test(tc, any_bytes_are_answered, 0, 300);
    tcase_add_test(tc, a_file_that_is_not_there_is_told);
    tcase_add_test(tc, outputs_that_cannot_be_written_are_told);
    tcase_add_loop_test(tc, delays_do_not_change_a_quiet_recording, 0, 5);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
