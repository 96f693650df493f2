/*
 * Sequences on their way into the program's memory: which subtask has which numbers, and that each
 * is collected once, whatever fails on the way.
 */
#include <check.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "folder.h"
#include "stream/checkpoint.h"
#include "stream/stream.h"

#define NUMBERS 60

typedef struct {
    int64_t number;
    st_str text;
    int32_t subtask;
    int32_t zero;
} seen;
ST_TYPE(seen, number, text, subtask);

static int64_t fail_at; /* -1: never; only the first time */
static _Atomic bool has_failed;

ST_MAP(see, int64_t, seen)
{
    if (*in == fail_at && !atomic_exchange(&has_failed, true)) {
        st_fail(ctx, "asked to fail at %" PRId64, *in);
    }
    *out = (seen){*in, st_format(ctx, "number %" PRId64, *in), (int32_t)ctx->subtask, 0};
}

static void expect(st_env *env, enum st_err expected)
{
    enum st_err err = st_execute(env, "collect");
    ck_assert_msg(err == expected, "%d: %s", (int)err, st_env_error(env));
}

static const seen *collected(const st_collection *from, uint64_t count)
{
    uint64_t there;
    const seen *all = st_collected(from, &there);
    ck_assert_uint_eq(there, count);
    return all;
}

/* Whatever has come out, with its text. */
static void expect_each_once(const st_collection *from)
{
    uint64_t count;
    const seen *all = st_collected(from, &count);
    bool there[NUMBERS] = {false};
    for (uint64_t k = 0; k < count; k++) {
        char text[32];
        snprintf(text, sizeof text, "number %" PRId64, all[k].number);
        ck_assert(st_str_equal(all[k].text, st_str_of(text)));
        ck_assert(all[k].number >= 0 && all[k].number < NUMBERS);
        ck_assert_msg(!there[all[k].number], "%s twice", text);
        there[all[k].number] = true;
    }
}

static void run_as(st_env *env, int in_steps)
{
    if (in_steps != 0) {
        st_env_run_in_steps(env);
    }
}

/* ----------------------------------------------------------------------------------- Sequences */

/* As NumberSequenceIterator.split has it: the first parts are longer by one. */
START_TEST(each_subtask_begins_with_its_part_of_a_sequence)
{
    static const int32_t subtask_of[5][7] = {{0, 0, 0, 0, 0, 0, 0},
                                             {0, 0, 0, 0, 1, 1, 1},
                                             {0, 0, 0, 1, 1, 2, 2},
                                             {0, 0, 1, 1, 2, 2, 3},
                                             {0, 0, 1, 1, 2, 3, 4}};
    fail_at = 100;
    for (uint32_t parallelism = 1; parallelism <= 5; parallelism++) {
        st_env *env = st_env_new();
        run_as(env, _i);
        st_env_set_parallelism(env, parallelism);
        st_collection *to = st_collect(st_map(st_from_sequence(env, -3, 3), see));
        expect(env, ST_OK);
        const seen *all = collected(to, 7);
        for (int k = 0; k < 7; k++) {
            ck_assert_int_eq(all[k].subtask, subtask_of[parallelism - 1][all[k].number + 3]);
        }
        st_env_free(env);
    }
}
END_TEST

START_TEST(a_sequence_has_both_its_ends)
{
    static const int64_t sequences[][2] = {
        {5, 5},
        {INT64_MAX - 2, INT64_MAX},
        {INT64_MAX, INT64_MAX},
        {INT64_MIN + 1, INT64_MIN + 1000},
        {-1000, 1000},
    };
    for (size_t s = 0; s < sizeof sequences / sizeof *sequences; s++) {
        int64_t from = sequences[s][0], to = sequences[s][1];
        st_env *env = st_env_new();
        st_collection *numbers = st_collect(st_from_sequence(env, from, to));
        expect(env, ST_OK);
        uint64_t count;
        const int64_t *all = st_collected(numbers, &count);
        ck_assert_uint_eq(count, (uint64_t)(to - from) + 1);
        for (uint64_t k = 0; k < count; k++) {
            ck_assert_int_eq(all[k], from + (int64_t)k);
        }
        st_env_free(env);
    }
}
END_TEST

START_TEST(a_sequence_goes_up)
{
    static const int64_t wrong[][2] = {{1, 0}, {INT64_MIN, 0}};
    for (int w = 0; w < 2; w++) {
        st_env *env = st_env_new();
        ck_assert_ptr_null(st_collect(st_from_sequence(env, wrong[w][0], wrong[w][1])));
        expect(env, ST_ERR_GRAPH);
        ck_assert_ptr_nonnull(strstr(st_env_error(env), "a sequence "));
        st_env_free(env);
    }
}
END_TEST

/* ---------------------------------------------------------------------------------- Collecting */

static const struct {
    int in_steps;
    uint32_t before, after; /* parallelism of what fails, and of what goes on */
} ways[] = {{1, 1, 1}, {1, 3, 3}, {1, 3, 2}, {1, 2, 5}, {0, 2, 2}, {0, 3, 1}};

/* Sixty numbers in as many milliseconds, checkpoints all the time. */
static st_collection *build(st_env *env, const char *folder, uint32_t parallelism)
{
    st_env_set(env, "execution.checkpointing.interval", "7ms");
    st_env_set(env, "execution.checkpointing.dir", folder);
    st_env_set_parallelism(env, parallelism);
    return st_collect(
        st_map(st_from_sequence(env, 0, NUMBERS - 1, .rate_per_s = 1000, .uid = "numbers"), see));
}

/* What a job that fails has given is of a checkpoint; one that goes on with it gives all. */
START_TEST(a_restored_job_has_collected_all)
{
    uint64_t most = 0;
    for (fail_at = 0; fail_at < NUMBERS; fail_at += ways[_i].in_steps != 0 ? 4 : 19) {
        char folder[FOLDER_SIZE];
        folder_make_in_memory(folder);
        st_env *env = st_env_new();
        run_as(env, ways[_i].in_steps);
        st_collection *to = build(env, folder, ways[_i].before);
        has_failed = false;
        expect(env, ST_ERR_FAILED);
        uint64_t complete;
        (void)st_collected(to, &complete);
        most = complete > most ? complete : most;
        expect_each_once(to);
        st_env_free(env);
        env = st_env_new();
        run_as(env, ways[_i].in_steps);
        if (checkpoint_newest(folder, CHECKPOINT) > 0) {
            st_env_set(env, "execution.savepoint.path", folder);
        }
        to = build(env, folder, ways[_i].after);
        expect(env, ST_OK);
        collected(to, NUMBERS);
        expect_each_once(to);
        st_env_free(env);
        folder_remove(folder);
    }
    ck_assert(ways[_i].in_steps == 0 || most > NUMBERS / 3);
    ck_assert_uint_lt(most, NUMBERS);
}
END_TEST

/* With checkpoints in memory, and without any: then it begins anew. */
START_TEST(a_job_that_begins_again_collects_each_once)
{
    for (fail_at = 0; fail_at < NUMBERS; fail_at += ways[_i / 2].in_steps != 0 ? 1 : 19) {
        st_env *env = st_env_new();
        run_as(env, ways[_i / 2].in_steps);
        st_env_set(env, "restart-strategy.type", "fixed-delay");
        st_env_set(env, "restart-strategy.fixed-delay.delay", "1ms");
        if (_i % 2 == 0) {
            st_env_set(env, "execution.checkpointing.storage", "jobmanager");
            st_env_set(env, "execution.checkpointing.interval", "7ms");
        }
        st_env_set_parallelism(env, ways[_i / 2].before);
        st_collection *to =
            st_collect(st_map(st_from_sequence(env, 0, NUMBERS - 1, .rate_per_s = 1000), see));
        has_failed = false;
        expect(env, ST_OK);
        ck_assert(has_failed);
        collected(to, NUMBERS);
        expect_each_once(to);
        st_env_free(env);
    }
}
END_TEST

/* Without checkpoints nothing is complete before the end. */
START_TEST(a_failure_is_a_failure)
{
    st_env *env = st_env_new();
    st_collection *to = st_collect(st_map(st_from_sequence(env, 0, NUMBERS - 1), see));
    fail_at = NUMBERS - 1;
    has_failed = false;
    expect(env, ST_ERR_FAILED);
    collected(to, 0);
    st_env_free(env);
}
END_TEST

/* Ten records of 32 bytes, each with a text of 8. */
START_TEST(what_is_collected_has_a_bound)
{
    for (uint64_t less = 0; less < 2; less++) {
        st_env *env = st_env_new();
        st_collection *to = st_collect(st_map(st_from_sequence(env, 0, 9), see),
                                       .collected_max = 10 * (sizeof(seen) + 8) - less);
        fail_at = -1;
        expect(env, less == 0 ? ST_OK : ST_ERR_FAILED);
        collected(to, less == 0 ? 10 : 0);
        ck_assert(less == 0 || strstr(st_env_error(env), "more than 399 bytes") != NULL);
        st_env_free(env);
    }
}
END_TEST

START_TEST(only_a_collection_has_its_bound)
{
    st_env *env = st_env_new();
    st_discard(st_from_sequence(env, 0, 9), .collected_max = 1);
    expect(env, ST_ERR_GRAPH);
    ck_assert_ptr_nonnull(strstr(st_env_error(env), "does not take .collected_max"));
    st_env_free(env);
}
END_TEST

int main(void)
{
    const int way_count = sizeof ways / sizeof *ways;
    Suite *suite = suite_create("collect");
    TCase *tc = tcase_create("collect");
    tcase_set_timeout(tc, 200);
    tcase_add_loop_test(tc, each_subtask_begins_with_its_part_of_a_sequence, 0, 2);
    tcase_add_test(tc, a_sequence_has_both_its_ends);
    tcase_add_test(tc, a_sequence_goes_up);
    tcase_add_loop_test(tc, a_restored_job_has_collected_all, 0, way_count);
    tcase_add_loop_test(tc, a_job_that_begins_again_collects_each_once, 0, way_count * 2);
    tcase_add_test(tc, a_failure_is_a_failure);
    tcase_add_test(tc, what_is_collected_has_a_bound);
    tcase_add_test(tc, only_a_collection_has_its_bound);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
