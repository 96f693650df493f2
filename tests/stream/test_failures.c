/*
 * What fails and goes on: restart strategies on a clock of the test's, checkpoints that take too
 * long.
 */
#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "folder.h"
#include "stream/files.h"
#include "stream/graph.h"

/* ---------------------------------------------------------------------------- Restart strategies
 */

/* The delays after failures at these moments, -1: the job is not begun again. */
static void expect_delays(const struct restart_strategy *s, const int64_t *moments,
                          const int64_t *delays, int count)
{
    struct restart_state *state = calloc(1, sizeof *state);
    for (int i = 0; i < count; i++) {
        int64_t delay = 0;
        bool again = restart_after(s, state, moments[i], &delay);
        ck_assert_msg((again ? delay : -1) == delays[i], "failure %d: %d, %ld", i, again,
                      (long)delay);
    }
    free(state);
}

START_TEST(a_fixed_delay_has_its_attempts)
{
    struct restart_strategy s = restart_default();
    s.kind = RESTART_FIXED;
    s.attempts = 2;
    s.delay_ms = 7;
    expect_delays(&s, (int64_t[]){0, 10, 1000000}, (int64_t[]){7, 7, -1}, 3);
    s.kind = RESTART_NONE;
    expect_delays(&s, (int64_t[]){0}, (int64_t[]){-1}, 1);
}
END_TEST

START_TEST(a_rate_of_failures_is_of_the_last_interval)
{
    struct restart_strategy s = restart_default();
    s.kind = RESTART_RATE;
    s.rate_failures = 2;
    s.rate_interval_ms = 100;
    s.rate_delay_ms = 5;
    expect_delays(&s, (int64_t[]){0, 50, 101, 152, 200}, (int64_t[]){5, 5, 5, 5, -1}, 5);
}
END_TEST

START_TEST(an_exponential_delay_grows_and_begins_anew)
{
    struct restart_strategy s = restart_default();
    s.kind = RESTART_EXPONENTIAL;
    s.initial_ms = 10;
    s.max_ms = 70;
    s.reset_after_ms = 1000;
    s.jitter = 0;
    expect_delays(&s, (int64_t[]){0, 20, 50, 100, 200, 1269, 2289}, /* 1269: 1069 after the last */
                  (int64_t[]){10, 20, 40, 70, 70, 70, 70}, 7);
    expect_delays(&s, (int64_t[]){0, 20, 2000}, (int64_t[]){10, 20, 10}, 3);
}
END_TEST

START_TEST(a_name_of_a_strategy_has_the_forms_that_flink_has)
{
    static const struct {
        const char *name;
        enum restart_kind kind;
    } names[] = {{"none", RESTART_NONE},
                 {"off", RESTART_NONE},
                 {"disable", RESTART_NONE},
                 {"fixeddelay", RESTART_FIXED},
                 {"fixed-delay", RESTART_FIXED},
                 {"failurerate", RESTART_RATE},
                 {"failure-rate", RESTART_RATE},
                 {"exponentialdelay", RESTART_EXPONENTIAL},
                 {"exponential-delay", RESTART_EXPONENTIAL}};
    st_env *env = st_env_new();
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        env->restart.kind = names[n].kind == RESTART_FIXED ? RESTART_NONE : RESTART_FIXED;
        ck_assert_int_eq(st_env_set(env, n % 2 == 0 ? "restart-strategy" : "restart-strategy.type",
                                    names[n].name),
                         ST_OK);
        ck_assert_int_eq(env->restart.kind, names[n].kind);
    }
    ck_assert_int_eq(st_env_set(env, "restart-strategy", "never"), ST_ERR_CONFIG);
    st_env_free(env);
}
END_TEST

/* KEY=VALUE of a strategy, and the delays that follow. */
struct setting {
    const char *strategy, *key, *value;
    int64_t delays[5]; /* behind failures at the moments below */
};

static const int64_t moments[] = {1000000, 1001000, 1002000, 1003000, 2000000};

START_TEST(each_key_of_a_strategy_has_its_effect)
{
    static const struct setting settings[] = {
        {"fixed-delay", "delay", "1s", {1000, -1, -1, -1, -1}},
        {"fixed-delay", "attempts", "2", {1000, 1000, -1, -1, -1}},
        {"fixed-delay", "delay", "7s", {7000, -1, -1, -1, -1}},
        {"failure-rate", "delay", "1s", {1000, -1, -1, -1, 1000}},
        {"failure-rate", "delay", "3ms", {3, -1, -1, -1, 3}},
        {"failure-rate", "max-failures-per-interval", "2", {1000, 1000, -1, -1, 1000}},
        {"failure-rate", "failure-rate-interval", "999ms", {1000, 1000, 1000, 1000, 1000}},
        {"failure-rate", "failure-rate-interval", "1s", {1000, -1, -1, -1, 1000}},
        {"exponential-delay", "jitter-factor", "0", {1000, 2000, 4000, 8000, 16000}},
        {"exponential-delay", "initial-backoff", "10 s", {10000, 20000, 40000, 80000, 160000}},
        {"exponential-delay", "max-backoff", "3s", {1000, 2000, 3000, 3000, 3000}},
        {"exponential-delay", "backoff-multiplier", "1.5", {1000, 1500, 2250, 3375, 5062}},
        /* 997 s after the fourth failure, whose delay was 8 s */
        {"exponential-delay", "reset-backoff-threshold", "989s", {1000, 2000, 4000, 8000, 1000}},
        {"exponential-delay", "reset-backoff-threshold", "990s", {1000, 2000, 4000, 8000, 16000}},
    };
    for (size_t s = 0; s < sizeof settings / sizeof settings[0]; s++) {
        char key[128];
        st_env *env = st_env_new();
        st_env_set(env, "restart-strategy", settings[s].strategy);
        st_env_set(env, "restart-strategy.exponential-delay.jitter-factor", "0.0");
        snprintf(key, sizeof key, "restart-strategy.%s.%s", settings[s].strategy, settings[s].key);
        ck_assert_int_eq(st_env_set(env, key, settings[s].value), ST_OK);
        expect_delays(&env->restart, moments, settings[s].delays, 5);
        st_env_free(env);
    }
}
END_TEST

START_TEST(jitter_is_a_part_of_the_delay_and_follows_its_seed)
{
    enum { FAILURES = 200 };
    int64_t delays[3][FAILURES], least = INT64_MAX, most = 0;
    st_env *env = st_env_new();
    st_env_set(env, "restart-strategy", "exponential-delay"); /* by default a tenth */
    st_env_set(env, "restart-strategy.exponential-delay.initial-backoff", "60s");
    for (int seed = 0; seed < 3; seed++) {
        struct restart_state *state = calloc(1, sizeof *state);
        state->random = seed == 2 ? 1 : 0;
        for (int64_t f = 0; f < FAILURES; f++) { /* with each the delay begins anew */
            ck_assert(restart_after(&env->restart, state, (f + 1) * 10000000, &delays[seed][f]));
            least = delays[seed][f] < least ? delays[seed][f] : least;
            most = delays[seed][f] > most ? delays[seed][f] : most;
        }
        free(state);
    }
    ck_assert_int_ge(least, 54000);
    ck_assert_int_le(least, 54500);
    ck_assert_int_le(most, 66000);
    ck_assert_int_ge(most, 65500);
    ck_assert_mem_eq(delays[0], delays[1], sizeof delays[0]);
    ck_assert_mem_ne(delays[0], delays[2], sizeof delays[0]);
    st_env_set(env, "restart-strategy.exponential-delay.max-backoff", "60s");
    st_env_set(env, "restart-strategy.exponential-delay.jitter-factor", "1");
    struct restart_state *state = calloc(1, sizeof *state);
    for (int64_t f = 0, delay; f < FAILURES; f++) {
        restart_after(&env->restart, state, (f + 1) * 10000000, &delay);
        ck_assert_int_le(delay, 60000);
        ck_assert_int_ge(delay, 0);
    }
    free(state);
    st_env_free(env);
}
END_TEST

START_TEST(a_strategy_that_cannot_be_is_refused)
{
    static const struct setting bad[] = {{.key = "backoff-multiplier", .value = "1"},
                                         {.key = "backoff-multiplier", .value = "two"},
                                         {.key = "jitter-factor", .value = "1.1"},
                                         {.key = "jitter-factor", .value = "-0.1"},
                                         {.key = "initial-backoff", .value = "0"},
                                         {.key = "reset-backoff-threshold", .value = "0s"}};
    for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
        char key[128];
        st_env *env = st_env_new();
        snprintf(key, sizeof key, "restart-strategy.exponential-delay.%s", bad[b].key);
        ck_assert_int_eq(st_env_set(env, key, bad[b].value), ST_ERR_CONFIG);
        st_env_free(env);
    }
    st_env *env = st_env_new();
    st_env_set(env, "restart-strategy", "exponential-delay");
    st_env_set(env, "restart-strategy.exponential-delay.initial-backoff", "6min");
    st_discard(st_from_array(env, int64_t, &(int64_t){1}, 1));
    ck_assert_int_eq(st_execute(env, "refused"), ST_ERR_GRAPH);
    ck_assert_ptr_nonnull(strstr(st_env_error(env), "initial-backoff is above .max-backoff"));
    st_env_free(env);
}
END_TEST

/* Fails in its first attempts. */
static int attempts, failing_attempts;

ST_SINK(fail_some_times, int64_t)
{
    if (++attempts <= failing_attempts) {
        st_fail(ctx, "attempt %d", attempts);
    }
}

static enum st_err run_failing(int times, const char *interval)
{
    static const int64_t one = 1;
    st_env *env = st_env_new();
    st_env_run_in_steps(env); /* an hour of waiting costs nothing */
    st_env_set(env, "restart-strategy", "failure-rate");
    st_env_set(env, "restart-strategy.failure-rate.max-failures-per-interval", "3");
    st_env_set(env, "restart-strategy.failure-rate.failure-rate-interval", interval);
    st_env_set(env, "restart-strategy.failure-rate.delay", "1h");
    attempts = 0;
    failing_attempts = times;
    st_sink(st_from_array(env, int64_t, &one, 1), fail_some_times);
    enum st_err err = st_execute(env, "failing");
    st_env_free(env);
    return err;
}

START_TEST(in_steps_delays_are_virtual_and_count)
{
    ck_assert_int_eq(run_failing(100, "179min"), ST_OK);
    ck_assert_int_eq(attempts, 101);
    ck_assert_int_eq(run_failing(3, "180min"), ST_OK);
    ck_assert_int_eq(run_failing(4, "180min"), ST_ERR_FAILED);
    ck_assert_int_eq(attempts, 4);
}
END_TEST

/* ------------------------------------------------------------------------ Checkpoints take too
 * long */

/* Its first call takes half a second; then a hundred more. */
ST_SOURCE(slow_at_first, int64_t)
{
    int64_t *calls = ctx->self;
    if (*calls == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
    }
    st_emit(out, calls);
    return ++*calls < 100 ? ST_MORE : ST_END;
}

/* Sends until a checkpoint has been completed. */
struct patient {
    int64_t sent;
    bool completed;
};

static void note_completed(st_context *ctx, int64_t checkpoint_id)
{
    struct patient *self = ctx->self;
    self->completed |= checkpoint_id > 1;
}

ST_SOURCE(until_completed, int64_t)
{
    struct patient *self = ctx->self;
    st_emit(out, &self->sent);
    self->sent++;
    return self->completed ? ST_END : ST_MORE;
}

static _Atomic int64_t arrived;

ST_SINK(count_arrived, int64_t)
{
    arrived++;
}

static enum st_err run_slow(const char *tolerable, const char *folder, st_env *env)
{
    st_env_set(env, "execution.checkpointing.interval", "5ms");
    st_env_set(env, "execution.checkpointing.timeout", "50ms");
    st_env_set(env, "execution.checkpointing.dir", folder);
    st_env_set(env, "execution.checkpointing.tolerable-failed-checkpoints", tolerable);
    st_stream *a = st_from_source(env, slow_at_first, .self_size = sizeof(int64_t),
                                  .slot_sharing_group = "slow");
    st_stream *b = st_from_source(env, until_completed, .self_size = sizeof(struct patient),
                                  .notify_checkpoint_complete = note_completed);
    st_sink(st_union(a, b), count_arrived, .slot_sharing_group = "sink", .parallelism = 2);
    arrived = 0;
    return st_execute(env, "slow");
}

START_TEST(a_checkpoint_that_takes_too_long_fails_the_job_or_is_passed_over)
{
    char folder[FOLDER_SIZE];
    folder_make(folder);
    st_env *env = st_env_new();
    ck_assert_int_eq(run_slow("0", folder, env), ST_ERR_FAILED);
    ck_assert_msg(strstr(st_env_error(env), "not complete after 50 ms") != NULL, "%s",
                  st_env_error(env));
    st_env_free(env);
    env = st_env_new();
    ck_assert_msg(run_slow("100000", folder, env) == ST_OK, "%s", st_env_error(env));
    ck_assert_int_gt(arrived, 100); /* and it has ended: nobody waits for a barrier given up */
    st_env_free(env);
    folder_remove(folder);
}
END_TEST

/* ----------------------------------------------------------------------------------- Alignment */

ST_LIST_STATE(nothing, int64_t);
static _Atomic int64_t sent_before, arrived_before; /* the barriers of checkpoint 1 */
static int64_t arrived_here;

static void note_sent(st_context *ctx, int64_t checkpoint_id)
{
    const struct patient *self = ctx->self;
    sent_before = checkpoint_id == 1 ? self->sent : sent_before;
}

static void note_arrived(st_context *ctx, int64_t checkpoint_id)
{
    (void)ctx;
    arrived_before = checkpoint_id == 1 ? arrived_here : arrived_before;
}

ST_FILTER(is_none, int64_t)
{
    (void)in;
    return false;
}

ST_SINK(count_here, int64_t)
{
    arrived_here++;
}

/* The barrier of one input comes half a second before that of the other. */
START_TEST(with_alignment_nothing_behind_a_barrier_is_in_the_checkpoint)
{
    char folder[FOLDER_SIZE];
    folder_make(folder);
    st_env *env = st_env_new();
    st_env_set(env, "execution.checkpointing.interval", "100ms");
    st_env_set(env, "execution.checkpointing.dir", folder);
    st_env_set(env, "execution.checkpointing.mode", _i == 0 ? "EXACTLY_ONCE" : "AT_LEAST_ONCE");
    st_stream *slow = st_from_source(env, slow_at_first, .self_size = sizeof(int64_t),
                                     .slot_sharing_group = "slow");
    st_stream *fast =
        st_from_source(env, until_completed, .self_size = sizeof(struct patient),
                       .operator_states = ST_STATES(&nothing), .snapshot_state = note_sent,
                       .notify_checkpoint_complete = note_completed);
    st_sink(st_union(st_filter(slow, is_none), fast), count_here, .slot_sharing_group = "sink",
            .operator_states = ST_STATES(&nothing), .snapshot_state = note_arrived);
    sent_before = arrived_before = -1;
    arrived_here = 0;
    ck_assert_msg(st_execute(env, "aligned") == ST_OK, "%s", st_env_error(env));
    ck_assert_int_ge(sent_before, 0);
    if (_i == 0) {
        ck_assert_int_eq(arrived_before, sent_before);
    } else {
        ck_assert_int_gt(arrived_before, sent_before);
    }
    st_env_free(env);
    folder_remove(folder);
}
END_TEST

/* --------------------------------------------------------------------- A folder that is in use */

enum { NUMBERS = 100, FAILS_AT = 20 };
static _Atomic int64_t times_seen[NUMBERS];
static _Atomic bool fails;

ST_GENERATOR(next_number, int64_t)
{
    *out = (int64_t)index;
}

ST_SINK(see, int64_t)
{
    if (*in == FAILS_AT && atomic_exchange(&fails, false)) {
        st_fail(ctx, "as asked for");
    }
    times_seen[*in]++;
}

static enum st_err run_in(const char *folder, const char *from, bool failing, st_env *env)
{
    memset(&times_seen, 0, sizeof times_seen);
    fails = failing;
    st_env_set(env, "execution.checkpointing.interval", "1h"); /* that of the end alone */
    st_env_set(env, "execution.checkpointing.dir", folder);
    st_env_set(env, "restart-strategy.type", "fixed-delay");
    st_env_set(env, "restart-strategy.fixed-delay.delay", "0ms");
    if (from != NULL) {
        st_env_set(env, "execution.savepoint.path", from);
    }
    st_sink(st_generate(env, next_number, NUMBERS), see);
    return st_execute(env, "numbers");
}

START_TEST(a_restart_begins_with_what_this_run_has_completed)
{
    char folder[FOLDER_SIZE], first[64];
    folder_make(folder);
    for (int run = 0; run < 2; run++) { /* the second beside what the first has left */
        st_env *env = st_env_new();
        ck_assert_msg(run_in(folder, NULL, run == 1, env) == ST_OK, "%s", st_env_error(env));
        for (int n = 0; n < NUMBERS; n++) {
            ck_assert_int_ge(times_seen[n], 1);
        }
        st_env_free(env);
    }
    snprintf(first, sizeof first, "%s/chk-1/_metadata", folder);
    ck_assert_int_eq(access(first, F_OK), 0);
    st_env *env = st_env_new();
    ck_assert_msg(run_in(folder, folder, false, env) == ST_OK, "%s", st_env_error(env));
    ck_assert_int_eq(times_seen[0], 0); /* the input had ended */
    ck_assert_int_ne(access(first, F_OK), 0);
    st_env_free(env);
    folder_remove(folder);
}
END_TEST

static char unwritable[FOLDER_SIZE];
static int attempts;

/* A file where the folder was, until the second attempt. */
static void break_or_mend(st_context *ctx)
{
    char command[256];
    (void)ctx;
    snprintf(command, sizeof command, "rm -rf %s && %s %s", unwritable,
             attempts == 0 ? "touch" : "mkdir", unwritable);
    ck_assert_int_eq(system(command), 0);
    attempts++;
}

START_TEST(a_checkpoint_that_cannot_be_written_is_a_failure_to_restart_behind)
{
    folder_make(unwritable);
    st_env *env = st_env_new();
    st_env_set(env, "execution.checkpointing.interval", "5ms");
    st_env_set(env, "execution.checkpointing.dir", unwritable);
    st_env_set(env, "restart-strategy.type", "fixed-delay");
    st_env_set(env, "restart-strategy.fixed-delay.delay", "1ms");
    st_stream *s = st_from_source(env, until_completed, .self_size = sizeof(struct patient),
                                  .notify_checkpoint_complete = note_completed);
    st_sink(s, count_arrived, .open = break_or_mend);
    attempts = 0;
    ck_assert_msg(st_execute(env, "mended") == ST_OK, "%s", st_env_error(env));
    ck_assert_int_eq(attempts, 2);
    st_env_free(env);
    folder_remove(unwritable);
}
END_TEST

/* What is to be committed with it would be lost. */
START_TEST(the_last_checkpoint_has_to_be_written)
{
    folder_make(unwritable);
    st_env *env = st_env_new();
    st_env_set(env, "execution.checkpointing.interval", "1h");
    st_env_set(env, "execution.checkpointing.dir", unwritable);
    st_env_set(env, "execution.checkpointing.tolerable-failed-checkpoints", "100");
    attempts = 0; /* so it is broken */
    st_sink(st_from_sequence(env, 1, 3), count_arrived, .open = break_or_mend);
    ck_assert_int_eq(st_execute(env, "last"), ST_ERR_IO);
    ck_assert_msg(strstr(st_env_error(env), unwritable) != NULL, "%s", st_env_error(env));
    st_env_free(env);
    folder_remove(unwritable);
}
END_TEST

static int closed;

static void fail_to_close(st_context *ctx)
{
    closed++;
    st_fail(ctx, "as it has to");
}

static void close_well(st_context *ctx)
{
    (void)ctx;
    closed++;
}

START_TEST(a_close_that_fails_fails_the_job_and_no_other_close)
{
    st_env *env = st_env_new();
    st_stream *s = st_from_sequence(env, 1, 3, .close = close_well);
    s = st_filter(s, is_none, .close = fail_to_close);
    st_sink(s, count_arrived, .close = close_well);
    ck_assert_int_eq(st_execute(env, "closes"), ST_ERR_FAILED);
    ck_assert_msg(strstr(st_env_error(env), "as it has to") != NULL, "%s", st_env_error(env));
    ck_assert_int_eq(closed, 3);
    st_env_free(env);
}
END_TEST

static _Atomic int ends;

/* Fails when its first checkpoint is complete, ends when its second is. */
ST_SOURCE(fail_once_completed, int64_t)
{
    const struct patient *self = ctx->self;
    if (self->completed && ends++ == 0) {
        st_fail(ctx, "as asked for");
    }
    st_emit(out, &self->sent);
    return self->completed ? ST_END : ST_MORE;
}

START_TEST(a_restart_does_not_make_others_checkpoints_its_own)
{
    char folder[FOLDER_SIZE], first[FOLDER_SIZE + 32];
    folder_make(folder);
    st_env *env = st_env_new();
    ck_assert_msg(run_in(folder, NULL, false, env) == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
    env = st_env_new();
    st_env_set(env, "execution.checkpointing.interval", "5ms");
    st_env_set(env, "execution.checkpointing.dir", folder);
    st_env_set(env, "restart-strategy.type", "fixed-delay");
    st_env_set(env, "restart-strategy.fixed-delay.delay", "0ms");
    st_discard(st_from_source(env, fail_once_completed, .self_size = sizeof(struct patient),
                              .notify_checkpoint_complete = note_completed));
    ends = 0;
    ck_assert_msg(st_execute(env, "beside") == ST_OK, "%s", st_env_error(env));
    ck_assert_int_eq(ends, 2);
    st_env_free(env);
    snprintf(first, sizeof first, "%s/chk-1/_metadata", folder);
    ck_assert_int_eq(access(first, F_OK), 0);
    folder_remove(folder);
}
END_TEST

START_TEST(two_jobs_do_not_share_a_folder)
{
    char folder[FOLDER_SIZE], why[FILES_WHY];
    folder_make(folder);
    int held = files_lock_folder(folder, why);
    ck_assert_int_ge(held, 0);
    st_env *env = st_env_new();
    ck_assert_int_eq(run_in(folder, NULL, false, env), ST_ERR_IO);
    ck_assert_ptr_nonnull(strstr(st_env_error(env), "another job writes to"));
    ck_assert_int_eq(times_seen[0], 0);
    st_env_free(env);
    close(held);
    env = st_env_new();
    ck_assert_msg(run_in(folder, NULL, false, env) == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
    env = st_env_new();
    ck_assert_int_eq(run_in("/proc/none", NULL, false, env), ST_ERR_IO);
    ck_assert_int_eq(times_seen[0], 0);
    st_env_free(env);
    folder_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream failures");
    TCase *tc = tcase_create("failures");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_fixed_delay_has_its_attempts);
    tcase_add_test(tc, a_rate_of_failures_is_of_the_last_interval);
    tcase_add_test(tc, an_exponential_delay_grows_and_begins_anew);
    tcase_add_test(tc, a_name_of_a_strategy_has_the_forms_that_flink_has);
    tcase_add_test(tc, each_key_of_a_strategy_has_its_effect);
    tcase_add_test(tc, jitter_is_a_part_of_the_delay_and_follows_its_seed);
    tcase_add_test(tc, a_strategy_that_cannot_be_is_refused);
    tcase_add_test(tc, in_steps_delays_are_virtual_and_count);
    tcase_add_test(tc, a_checkpoint_that_takes_too_long_fails_the_job_or_is_passed_over);
    tcase_add_loop_test(tc, with_alignment_nothing_behind_a_barrier_is_in_the_checkpoint, 0, 2);
    tcase_add_test(tc, a_restart_begins_with_what_this_run_has_completed);
    tcase_add_test(tc, a_checkpoint_that_cannot_be_written_is_a_failure_to_restart_behind);
    tcase_add_test(tc, a_close_that_fails_fails_the_job_and_no_other_close);
    tcase_add_test(tc, the_last_checkpoint_has_to_be_written);
    tcase_add_test(tc, a_restart_does_not_make_others_checkpoints_its_own);
    tcase_add_test(tc, two_jobs_do_not_share_a_folder);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
