/*
 * Functions that take their time: who cancels, barriers and what has been put out do not wait for a
 * batch of them; quick ones get whole batches. What is compared is how many records have been
 * handled meanwhile: on a slow machine as many.
 */
#include <check.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "folder.h"
#include "stream/stream.h"

#define ENDLESS (UINT64_C(1) << 40)
#define BATCH   512 /* records at most; a task has many of them before it */

static _Atomic int handled, handled_then, completed;
static _Atomic uint32_t most_at_a_time;

static char folder[FOLDER_SIZE];

static void set_up(void)
{
    folder_make(folder);
    setenv("XDG_RUNTIME_DIR", folder, 1);
    signal(SIGTERM, SIG_DFL); /* check has taken it */
}

static void tear_down(void)
{
    folder_remove(folder);
}

ST_GENERATOR(numbers, int64_t)
{
    *out = (int64_t)index;
}

ST_MAP(slow, int64_t, int64_t)
{
    most_at_a_time = ctx->index >= most_at_a_time ? ctx->index + 1 : most_at_a_time;
    handled++;
    usleep(10000);
    *out = *in;
}

ST_MAP(quick, int64_t, int64_t)
{
    most_at_a_time = ctx->index >= most_at_a_time ? ctx->index + 1 : most_at_a_time;
    *out = *in;
}

static void cancel(void)
{
    handled_then = handled;
    raise(SIGTERM);
}

static void run_until_cancelled(st_env *env)
{
    st_env_listen(env);
    ck_assert_int_eq(st_execute(env, "slow"), ST_ERR_CANCELLED);
    st_env_free(env);
    ck_assert_int_le(handled - handled_then, 100);
}

ST_MAP(cancelled, int64_t, int64_t)
{
    *out = *in;
    slow_one(ctx, in, out);
    if (handled == 40) {
        cancel();
    }
}

START_TEST(a_cancel_waits_for_few_records)
{
    st_env *env = st_env_new();
    st_stream *s = st_generate(env, numbers, ENDLESS);
    st_discard(st_map(s, cancelled, .slot_sharing_group = _i == 0 ? NULL : "apart"));
    run_until_cancelled(env);
}
END_TEST

static void count_completed(st_context *ctx, int64_t id)
{
    (void)ctx, (void)id;
    if (++completed == 3) {
        cancel();
    }
}

START_TEST(a_barrier_waits_for_few_records)
{
    st_env *env = st_env_new();
    st_env_set(env, "execution.checkpointing.interval", "50ms");
    st_env_set(env, "execution.checkpointing.storage", "jobmanager");
    st_stream *s = st_generate(env, numbers, ENDLESS);
    st_discard(st_map(s, slow, .notify_checkpoint_complete = count_completed));
    run_until_cancelled(env);
    ck_assert_int_lt(handled_then, BATCH);
}
END_TEST

ST_SINK(first, int64_t)
{
    if (handled_then == 0) {
        cancel();
    }
}

START_TEST(what_is_put_out_goes_on_before_a_batch_is_full)
{
    st_env *env = st_env_new();
    st_stream *s = st_map(st_generate(env, numbers, ENDLESS), slow, .slot_sharing_group = "slow");
    st_sink(s, first, .slot_sharing_group = "first");
    run_until_cancelled(env);
    ck_assert_int_lt(handled_then, BATCH);
}
END_TEST

START_TEST(few_slow_records_are_taken_at_a_time_and_many_quick_ones)
{
    st_env *env = st_env_new();
    st_discard(st_map(st_generate(env, numbers, 100), slow));
    ck_assert_int_eq(st_execute(env, "slow"), ST_OK);
    st_env_free(env);
    ck_assert_uint_le(most_at_a_time, 16);
    env = st_env_new();
    st_discard(st_map(st_generate(env, numbers, 10000000), quick));
    ck_assert_int_eq(st_execute(env, "quick"), ST_OK);
    st_env_free(env);
    ck_assert_uint_eq(most_at_a_time, BATCH);
}
END_TEST

START_TEST(in_steps_a_batch_is_full_from_the_beginning)
{
    st_env *env = st_env_new();
    st_discard(st_map(st_generate(env, numbers, BATCH), quick));
    st_env_run_in_steps(env);
    ck_assert_int_eq(st_execute(env, "quick"), ST_OK);
    st_env_free(env);
    ck_assert_uint_eq(most_at_a_time, BATCH);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pace");
    TCase *tcase = tcase_create("pace");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, a_cancel_waits_for_few_records, 0, 2);
    tcase_add_test(tcase, a_barrier_waits_for_few_records);
    tcase_add_test(tcase, what_is_put_out_goes_on_before_a_batch_is_full);
    tcase_add_test(tcase, few_slow_records_are_taken_at_a_time_and_many_quick_ones);
    tcase_add_test(tcase, in_steps_a_batch_is_full_from_the_beginning);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
