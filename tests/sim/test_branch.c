/*
 * Branches: a scenario's text with a step more, less or moved, and two runs compared.
 *
 * The texts are tried on every scenario of the corpus: each of its steps is dropped and moved, and
 * one is added; what comes out is read again and has to have just that change.
 */
#define _POSIX_C_SOURCE 200809L

#include <check.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>

#include "judged_run.h"
#include "sim/branch.h"
#include "sim/diagnostics.h"
#include "sim/scenario.h"
#include "sim/scenario_edit.h"

static char error[SIM_EDIT_ERROR];

static void check_text(char *actual, const char *expected)
{
    ck_assert_msg(actual != NULL, "%s", error);
    ck_assert_str_eq(actual, expected);
    free(actual);
}

static const char block[] = "title: t\n"
                            "steps: # what is done\n"
                            "  - {at: 1s, kill: 1}   # the first\n"
                            "\n"
                            "  # the second\n"
                            "  - as: back\n"
                            "    after: first +3s\n"
                            "    restart: 1\n"
                            "\n"
                            "expect:\n"
                            "  - {end: {node: 1, is: {state: up}}}\n";
static const char flow[] = "{title: t, steps: [{at: 1s, kill: 1}, {at: 2s, kill: 2}]}";

START_TEST(a_step_is_added_behind_the_last)
{
    check_text(sim_scenario_add_step(block, strlen(block), " {kill: 3, for: 2s} ", 6400000, error),
               "title: t\n"
               "steps: # what is done\n"
               "  - {at: 1s, kill: 1}   # the first\n"
               "\n"
               "  # the second\n"
               "  - as: back\n"
               "    after: first +3s\n"
               "    restart: 1\n"
               "  - {at: 6400ms, kill: 3, for: 2s}\n"
               "\n"
               "expect:\n"
               "  - {end: {node: 1, is: {state: up}}}\n");
    check_text(sim_scenario_add_step(flow, strlen(flow), "kill: 3", 7, error),
               "{title: t, steps: [{at: 1s, kill: 1}, {at: 2s, kill: 2}, {at: 7us, kill: 3}]}");
    check_text(sim_scenario_add_step("title: t", 8, "kill: 3", 3000000, error),
               "title: t\nsteps:\n  - {at: 3s, kill: 3}\n");
    check_text(sim_scenario_add_step("{title: t}", 10, "kill: 3", 3000000, error),
               "{title: t, steps: [{at: 3s, kill: 3}]}");
    check_text(sim_scenario_add_step("steps: []\n", 10, "kill: 3", 3000000, error),
               "steps: [{at: 3s, kill: 3}]\n");
}
END_TEST

START_TEST(a_step_that_is_dropped_leaves_its_lines_as_comments)
{
    check_text(sim_scenario_drop_step(block, strlen(block), "back", error),
               "title: t\n"
               "steps: # what is done\n"
               "  - {at: 1s, kill: 1}   # the first\n"
               "\n"
               "  # the second\n"
               "#  - as: back\n"
               "#    after: first +3s\n"
               "#    restart: 1\n"
               "\n"
               "expect:\n"
               "  - {end: {node: 1, is: {state: up}}}\n");
    check_text(sim_scenario_drop_step(flow, strlen(flow), "1", error),
               "{title: t, steps: [{at: 2s, kill: 2}]}");
    const char *one = "steps:\n  - kill: 1\n    at: 1s\ntitle: t\n";
    check_text(sim_scenario_drop_step(one, strlen(one), "3", error),
               "steps:\n   [] #  - kill: 1\n#    at: 1s\ntitle: t\n");
}
END_TEST

START_TEST(a_step_is_moved_to_a_time)
{
    check_text(sim_scenario_move_step(block, strlen(block), "7", 9000000, error),
               "title: t\n"
               "steps: # what is done\n"
               "  - {at: 1s, kill: 1}   # the first\n"
               "\n"
               "  # the second\n"
               "  - as: back\n"
               "    at: 9s\n"
               "    restart: 1\n"
               "\n"
               "expect:\n"
               "  - {end: {node: 1, is: {state: up}}}\n");
}
END_TEST

START_TEST(what_is_not_there_is_told)
{
    ck_assert_ptr_null(sim_scenario_drop_step(block, strlen(block), "10", error));
    ck_assert_str_eq(error, "no step on line 10 of the scenario");
    ck_assert_ptr_null(sim_scenario_move_step(block, strlen(block), "front", 1, error));
    ck_assert_str_eq(error, "no step has the label 'front'");
    ck_assert_ptr_null(sim_scenario_add_step("a: [", 4, "kill: 1", 1, error));
    ck_assert_str_eq(error, "the scenario cannot be read as YAML");
    const char *every = "steps:\n  - {every: 1s, kill: 1}\n";
    ck_assert_ptr_null(sim_scenario_move_step(every, strlen(every), "2", 1, error));
    ck_assert_str_eq(error, "the step has no trigger of its own that could become a time");
}
END_TEST

/* ---- every scenario there is ---- */

/* Reads a text; `good` says whether there were errors. */
static struct sim_scenario *read_text(const char *file, const char *text)
{
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    struct sim_scenario *s = sim_scenario_parse(file, text, strlen(text), &d);
    sim_diagnostics_free(&d);
    return s;
}

static void check_added(const struct sim_scenario *s, const char *text)
{
    char *more = sim_scenario_add_step(text, strlen(text), "expire: any", 123456, error);
    ck_assert_msg(more != NULL, "%s: %s", s->file, error);
    struct sim_scenario *read = read_text(s->file, more);
    ck_assert_msg(read != NULL, "%s:\n%s", s->file, more);
    ck_assert_uint_eq(read->step_count, s->step_count + 1);
    ck_assert_int_eq(read->steps[s->step_count].at_us, 123456);
    ck_assert_uint_eq(read->expect_count, s->expect_count);
    sim_scenario_free(read);
    free(more);
}

/* A step that others refer to cannot go alone: then the text does not read, and says why. */
static unsigned check_dropped(const struct sim_scenario *s, const char *text, uint32_t i)
{
    char line[16];
    snprintf(line, sizeof(line), "%u", s->steps[i].place.line);
    char *less = sim_scenario_drop_step(text, strlen(text), line, error);
    ck_assert_msg(less != NULL, "%s:%s: %s", s->file, line, error);
    struct sim_scenario *read = read_text(s->file, less);
    if (read != NULL)
        ck_assert_uint_eq(read->step_count, s->step_count - 1);
    sim_scenario_free(read);
    free(less);
    return read != NULL;
}

static void check_moved(const struct sim_scenario *s, const char *text, uint32_t i)
{
    char line[16];
    snprintf(line, sizeof(line), "%u", s->steps[i].place.line);
    char *other = sim_scenario_move_step(text, strlen(text), line, 654321, error);
    if (s->steps[i].when == SIM_WHEN_EVERY) {
        ck_assert_ptr_null(other);
        return;
    }
    ck_assert_msg(other != NULL, "%s:%s: %s", s->file, line, error);
    struct sim_scenario *read = read_text(s->file, other);
    ck_assert_msg(read != NULL, "%s:\n%s", s->file, other);
    ck_assert_int_eq(read->steps[i].when, SIM_WHEN_AT);
    ck_assert_int_eq(read->steps[i].at_us, 654321);
    sim_scenario_free(read);
    free(other);
}

START_TEST(every_scenario_can_be_changed)
{
    static char corpus[] = KC_SOURCE_DIR "/scenarios";
    char *roots[] = {corpus, NULL};
    FTS *fts = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, NULL);
    ck_assert_ptr_nonnull(fts);
    unsigned files = 0, steps = 0, dropped = 0;
    for (FTSENT *e; (e = fts_read(fts)) != NULL;) {
        const char *dot = strrchr(e->fts_name, '.');
        if (e->fts_info != FTS_F || dot == NULL || strcmp(dot, ".yaml") != 0)
            continue;
        struct sim_diagnostics d;
        sim_diagnostics_init(&d);
        struct sim_scenario *s = sim_scenario_load(e->fts_path, &d);
        sim_diagnostics_free(&d);
        ck_assert_msg(s != NULL, "%s", e->fts_path);
        char *text = strndup(s->text, s->text_size);
        check_added(s, text);
        for (uint32_t i = 0; i < s->step_count; i++) {
            /* Several on one line: the first of them is meant. */
            if (i > 0 && s->steps[i].place.line == s->steps[i - 1].place.line)
                continue;
            dropped += check_dropped(s, text, i);
            check_moved(s, text, i);
            steps++;
        }
        files++;
        free(text);
        sim_scenario_free(s);
    }
    fts_close(fts);
    ck_assert_uint_gt(files, 100);
    ck_assert_uint_gt(steps, 300);
    ck_assert_uint_gt(dropped, steps / 2);
}
END_TEST

/* ---- two runs ---- */

static const char scenario[] = "title: a broker dies\n"
                               "cluster: {nodes: [1, 2, 3]}\n"
                               "topics: {t: {assignment: {0: [2, 3], 1: [3, 2]}}}\n"
                               "steps:\n"
                               "  - {at: 1s, kill: 2}\n"
                               "until: 60s\n";

START_TEST(a_run_is_its_own_branch)
{
    struct run a = run_text(scenario, SIM_ENDED_AT_UNTIL),
               b = run_text(scenario, SIM_ENDED_AT_UNTIL);
    ck_assert_uint_eq(sim_branch_parted(a.trace, b.trace), 0);
    end_run(&a);
    end_run(&b);
}
END_TEST

static const struct sim_branch_row *row_named(const struct sim_branch_rows *rows, const char *what)
{
    for (size_t i = 0; i < rows->count; i++)
        if (strcmp(rows->rows[i].what, what) == 0)
            return &rows->rows[i];
    ck_abort_msg("no row '%s'", what);
}

/* Broker 2 dies in both; in the branch its machine comes back. */
START_TEST(what_ends_otherwise_is_told_with_its_time)
{
    char *more = sim_scenario_add_step(scenario, strlen(scenario), "restart: 2", 30000000, error);
    struct run a = run_text(scenario, SIM_ENDED_AT_UNTIL), b = run_text(more, SIM_ENDED_AT_UNTIL);
    uint64_t parted = sim_branch_parted(a.trace, b.trace);
    struct sim_record r;
    ck_assert(sim_trace_get(b.trace, parted, &r));
    ck_assert_int_eq(r.t, 30000000);
    ck_assert_int_eq(r.kind, SIM_K_FAULT);

    struct sim_facts *left = sim_facts_new(a.trace), *right = sim_facts_new(b.trace);
    struct sim_branch_rows rows = sim_branch_compare(left, right, parted);
    const struct sim_branch_row *row = row_named(&rows, "node.2");
    ck_assert_str_eq(row->before, "down");
    ck_assert_str_eq(row->after, "up");
    ck_assert_uint_eq(row->record, parted);
    ck_assert(row->in_branch);
    row = row_named(&rows, "isr of t-1");
    ck_assert_str_eq(row->before, "3");
    ck_assert_str_eq(row->after, "3,2");
    ck_assert_int_gt(row->t_us, 30000000);
    for (size_t i = 1; i < rows.count; i++)
        ck_assert_int_le(rows.rows[i - 1].t_us, rows.rows[i].t_us);
    sim_branch_rows_free(&rows);
    sim_facts_free(left);
    sim_facts_free(right);
    end_run(&a);
    end_run(&b);
    free(more);
}
END_TEST

/* The same the other way round: what the branch lacks is told by the record of the run. */
START_TEST(what_the_branch_lacks_is_told_by_the_run)
{
    char *less = sim_scenario_drop_step(scenario, strlen(scenario), "5", error);
    struct run a = run_text(scenario, SIM_ENDED_AT_UNTIL), b = run_text(less, SIM_ENDED_AT_UNTIL);
    struct sim_facts *left = sim_facts_new(a.trace), *right = sim_facts_new(b.trace);
    struct sim_branch_rows rows =
        sim_branch_compare(left, right, sim_branch_parted(a.trace, b.trace));
    const struct sim_branch_row *row = row_named(&rows, "node.2");
    ck_assert_str_eq(row->before, "down");
    ck_assert_str_eq(row->after, "up");
    ck_assert(!row->in_branch);
    ck_assert_int_eq(row->t_us, 1000000);
    row = row_named(&rows, "leader of t-0");
    ck_assert_str_eq(row->before, "3");
    ck_assert_str_eq(row->after, "2");
    sim_branch_rows_free(&rows);
    sim_facts_free(left);
    sim_facts_free(right);
    end_run(&a);
    end_run(&b);
    free(less);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("branch");
    TCase *texts = tcase_create("texts");
    tcase_set_timeout(texts, 120);
    tcase_add_test(texts, a_step_is_added_behind_the_last);
    tcase_add_test(texts, a_step_that_is_dropped_leaves_its_lines_as_comments);
    tcase_add_test(texts, a_step_is_moved_to_a_time);
    tcase_add_test(texts, what_is_not_there_is_told);
    tcase_add_test(texts, every_scenario_can_be_changed);
    suite_add_tcase(suite, texts);
    TCase *runs = tcase_create("runs");
    tcase_add_test(runs, a_run_is_its_own_branch);
    tcase_add_test(runs, what_ends_otherwise_is_told_with_its_time);
    tcase_add_test(runs, what_the_branch_lacks_is_told_by_the_run);
    suite_add_tcase(suite, runs);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
