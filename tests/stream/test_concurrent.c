/*
 * Several checkpoints under way at once, those that are given up, the pause between them, and
 * checkpoints in memory. Who is to be slow waits for what the test wants to see; nothing depends on
 * how fast anybody is.
 */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "folder.h"
#include "stream/stream.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_open; /* the gate behind which the slow one waits */

static void open_gate(void)
{
    pthread_mutex_lock(&lock);
    is_open = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_at_gate(void)
{
    pthread_mutex_lock(&lock);
    while (!is_open) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
}

/* --------------------------------------------------------------------- What operators were told */

#define IDS_MAX 100000

struct heard {
    int64_t began[IDS_MAX], aborted[IDS_MAX];
    int began_count, aborted_count;
    _Atomic int64_t completed;
};
static struct heard of_source, of_sink;

static void note_begun(st_context *ctx, int64_t id)
{
    struct heard *heard = *(struct heard *const *)ctx->arg;
    ck_assert_int_lt(heard->began_count, IDS_MAX);
    heard->began[heard->began_count++] = id;
}

static void note_completed(st_context *ctx, int64_t id)
{
    struct heard *heard = *(struct heard *const *)ctx->arg;
    ck_assert_int_gt(id, heard->completed);
    heard->completed = id;
}

static void note_aborted(st_context *ctx, int64_t id)
{
    struct heard *heard = *(struct heard *const *)ctx->arg;
    ck_assert_int_lt(heard->aborted_count, IDS_MAX);
    heard->aborted[heard->aborted_count++] = id;
}

static struct heard *const source_arg = &of_source, *const sink_arg = &of_sink;

ST_LIST_STATE(none, int64_t);

#define NOTES(who)                                                                                 \
    .arg = &(who), .operator_states = ST_STATES(&none), .snapshot_state = note_begun,              \
    .notify_checkpoint_complete = note_completed, .notify_checkpoint_aborted = note_aborted

/* ---------------------------------------------------------------------------- Several under way */

static int at_once; /* what is configured */

struct sender {
    bool sent;
    int64_t until_ms, last; /* 0: not yet; the newest checkpoint when the gate was opened */
};

static struct sender *send_one(st_context *ctx, st_out *out)
{
    struct sender *self = ctx->self;
    if (!self->sent) {
        self->sent = true;
        st_emit(out, &((int64_t){1}));
    }
    return self;
}

/* One record; then it waits until as many are under way as may be, and stay so, no more, long
 * enough for another one to begin; then it lets the slow one go on, until all these are complete.
 */
static enum st_poll send_and_wait(st_context *ctx, st_out *out, int most)
{
    struct sender *self = send_one(ctx, out);
    if (is_open) {
        return of_source.completed >= self->last ? ST_END : ST_IDLE;
    }
    if (of_source.began_count - of_source.completed != most) {
        self->until_ms = 0;
    } else if (self->until_ms == 0) {
        self->until_ms = st_now(ctx) + 30;
    } else if (st_now(ctx) >= self->until_ms) {
        self->last = of_source.began_count;
        open_gate();
    }
    return ST_IDLE;
}

ST_SOURCE(until_complete, int64_t)
{
    return send_and_wait(ctx, out, at_once);
}

ST_SINK(wait_in_sink, int64_t)
{
    if (*in == 1) {
        wait_at_gate();
    }
}

ST_SOURCE(wait_in_source, int64_t)
{
    wait_at_gate();
    return of_source.completed >= at_once ? ST_END : ST_IDLE; /* or its end is the last part */
}

static void run(st_env *env, const char *folder)
{
    st_env_set(env, "execution.checkpointing.dir", folder);
    ck_assert_msg(st_execute(env, "concurrent") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
    folder_remove(folder);
}

static st_env *env_at_once(void)
{
    char number[16];
    st_env *env = st_env_new();
    snprintf(number, sizeof number, "%d", at_once);
    st_env_set(env, "execution.checkpointing.interval", "1ms");
    st_env_set(env, "execution.checkpointing.max-concurrent-checkpoints", number);
    return env;
}

/* Barriers wait in the channel before a sink that is slow. */
START_TEST(as_many_are_under_way_as_may_be)
{
    char folder[FOLDER_SIZE];
    folder_make(folder);
    at_once = _i;
    st_env *env = env_at_once();
    st_stream *s = st_from_source(env, until_complete, .self_size = sizeof(struct sender),
                                  .slot_sharing_group = "source", NOTES(source_arg));
    st_sink(st_rebalance(s), wait_in_sink, .slot_sharing_group = "sink", NOTES(sink_arg));
    run(env, folder);
    for (int i = 0; i < at_once; i++) {
        ck_assert_int_eq(of_source.began[i], i + 1);
        ck_assert_int_eq(of_sink.began[i], i + 1);
    }
    ck_assert_int_eq(of_source.aborted_count, 0);
}
END_TEST

/* One of two inputs is behind by several barriers: with and without alignment. */
START_TEST(one_input_is_ahead_of_the_other)
{
    char folder[FOLDER_SIZE];
    folder_make(folder);
    at_once = 3;
    st_env *env = env_at_once();
    st_env_set(env, "execution.checkpointing.mode", _i == 0 ? "EXACTLY_ONCE" : "AT_LEAST_ONCE");
    st_stream *a = st_from_source(env, until_complete, .self_size = sizeof(struct sender),
                                  .slot_sharing_group = "source", NOTES(source_arg));
    st_stream *b = st_from_source(env, wait_in_source, .slot_sharing_group = "slow");
    st_sink(st_union(a, b), wait_in_sink, .slot_sharing_group = "sink", NOTES(sink_arg));
    is_open = false;
    run(env, folder);
    ck_assert_int_eq(of_source.aborted_count, 0);
    ck_assert_int_ge(of_source.completed, 3);
}
END_TEST

/* -------------------------------------------------------------------------------------- Given up
 */

/* Opens the gate when it has been told that one is given up; ends when a later one is complete. */
ST_SOURCE(until_another, int64_t)
{
    (void)send_one(ctx, out);
    if (of_source.aborted_count == 0) {
        return ST_IDLE;
    }
    open_gate();
    return of_source.completed > of_source.aborted[0] ? ST_END : ST_IDLE;
}

START_TEST(operators_are_told_of_what_is_given_up)
{
    char folder[FOLDER_SIZE];
    folder_make(folder);
    at_once = _i;
    st_env *env = env_at_once();
    st_env_set(env, "execution.checkpointing.timeout", "1s");
    st_env_set(env, "execution.checkpointing.tolerable-failed-checkpoints", "1000000");
    st_stream *s = st_from_source(env, until_another, .self_size = sizeof(struct sender),
                                  .slot_sharing_group = "source", NOTES(source_arg));
    st_sink(st_rebalance(s), wait_in_sink, .slot_sharing_group = "sink", NOTES(sink_arg));
    run(env, folder);
    ck_assert_int_ge(of_source.aborted_count, 1);
    ck_assert_int_ge(of_sink.aborted_count, 1);
    ck_assert_int_eq(of_sink.aborted[0], of_source.aborted[0]);
    for (int i = 1; i < of_source.aborted_count; i++) {
        ck_assert_int_gt(of_source.aborted[i], of_source.aborted[i - 1]);
    }
    ck_assert_int_gt(of_source.completed, 1);
}
END_TEST

/* --------------------------------------------------------------------------------------- Pauses */

static int64_t moments[16];
static int moment_count;

static void note_moment(st_context *ctx, int64_t id)
{
    (void)id;
    if (moment_count < 16) {
        moments[moment_count++] = st_now(ctx);
    }
}

ST_SOURCE(for_a_while, int64_t)
{
    return st_now(ctx) < 100 ? ST_IDLE : ST_END;
}

/* In steps a checkpoint takes no time: it is complete in the millisecond in which it began. */
START_TEST(the_pause_is_longer_than_the_interval)
{
    static const char *const pauses[] = {"0", "25ms"};
    static const int64_t expected[2][4] = {{10, 20, 30, 40}, {10, 35, 60, 85}};
    char folder[FOLDER_SIZE];
    folder_make(folder);
    st_env *env = st_env_new();
    st_env_set(env, "execution.checkpointing.interval", "10ms");
    st_env_set(env, "execution.checkpointing.min-pause", pauses[_i]);
    st_stream *s = st_from_source(env, for_a_while, .operator_states = ST_STATES(&none),
                                  .snapshot_state = note_moment);
    st_discard(s);
    st_env_run_in_steps(env);
    run(env, folder);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(moments[i], expected[_i][i]);
    }
}
END_TEST

/* With a pause there is one at a time, whatever is configured. */
ST_SOURCE(one_at_a_time, int64_t)
{
    return send_and_wait(ctx, out, 1);
}

START_TEST(a_pause_leaves_room_for_one)
{
    char folder[FOLDER_SIZE];
    folder_make(folder);
    at_once = 4;
    st_env *env = env_at_once();
    st_env_set(env, "execution.checkpointing.min-pause", "1ms");
    st_stream *s = st_from_source(env, one_at_a_time, .self_size = sizeof(struct sender),
                                  .slot_sharing_group = "source", NOTES(source_arg));
    st_sink(st_rebalance(s), wait_in_sink, .slot_sharing_group = "sink", NOTES(sink_arg));
    run(env, folder);
}
END_TEST

/* ------------------------------------------------------------------------------ On a slow disk */

static _Atomic int is_slow; /* the disk takes until the gate is open */

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    if (is_slow) {
        wait_at_gate();
    }
    return __real_fsync(fd);
}

static st_stream *from(st_env *env, const st_function *source)
{
    is_slow = 1;
    return st_from_source_at(env, source,
                             &(st_options){.self_size = sizeof(struct sender), NOTES(source_arg)});
}

/* What is being written is given up after its time. Nothing of it is left; later ones complete. */
START_TEST(a_timeout_ends_the_writing)
{
    char folder[FOLDER_SIZE], path[FOLDER_SIZE + 64];
    folder_make(folder);
    at_once = _i;
    st_env *env = env_at_once();
    st_env_set(env, "execution.checkpointing.dir", folder);
    st_env_set(env, "execution.checkpointing.timeout", "1s");
    st_env_set(env, "execution.checkpointing.tolerable-failed-checkpoints", "1000000");
    st_env_set(env, "state.checkpoints.num-retained", "1000000");
    st_discard(from(env, &until_another));
    ck_assert_msg(st_execute(env, "slow") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
    ck_assert_int_ge(of_source.aborted_count, 1);
    ck_assert_int_gt(of_source.completed, of_source.aborted[0]);
    for (int i = 0; i < of_source.aborted_count; i++) {
        for (int part = 0; part < 2; part++) {
            snprintf(path, sizeof path, "%s/chk-%lld%s", folder, (long long)of_source.aborted[i],
                     part == 1 ? ".part" : "");
            ck_assert_msg(access(path, F_OK) != 0, "%s is there", path);
        }
    }
    snprintf(path, sizeof path, "%s/chk-%lld", folder, (long long)of_source.completed);
    ck_assert_int_eq(access(path, F_OK), 0);
    folder_remove(folder);
}
END_TEST

START_TEST(what_is_being_written_is_under_way)
{
    char folder[FOLDER_SIZE];
    folder_make(folder);
    at_once = _i;
    st_env *env = env_at_once();
    st_discard(from(env, &until_complete));
    run(env, folder);
    ck_assert_int_eq(of_source.aborted_count, 0);
}
END_TEST

/* The disk takes longer than the pause. */
#define PAUSE_MS 200
static int64_t opened_ms, began_again_ms;

static void note_second(st_context *ctx, int64_t id)
{
    if (id == 2) {
        began_again_ms = st_now(ctx);
    }
}

ST_SOURCE(until_the_second, int64_t)
{
    int64_t *opens_ms = ctx->self;
    *opens_ms = *opens_ms == 0 ? st_now(ctx) + 2 * PAUSE_MS : *opens_ms;
    if (opened_ms == 0 && st_now(ctx) >= *opens_ms) {
        opened_ms = st_now(ctx);
        open_gate();
    }
    return began_again_ms != 0 ? ST_END : ST_IDLE;
}

START_TEST(the_pause_begins_when_one_is_written)
{
    char folder[FOLDER_SIZE];
    folder_make(folder);
    at_once = 1;
    st_env *env = env_at_once();
    st_env_set(env, "execution.checkpointing.min-pause", "200ms");
    is_slow = 1;
    st_stream *s =
        st_from_source(env, until_the_second, .self_size = sizeof(int64_t),
                       .operator_states = ST_STATES(&none), .snapshot_state = note_second);
    st_discard(s);
    run(env, folder);
    ck_assert_int_ge(began_again_ms, opened_ms + PAUSE_MS);
}
END_TEST

/* ------------------------------------------------------------------------------------ In memory */

ST_LIST_STATE(position, int64_t);

static int restored, failed;

static void restore_position(st_context *ctx)
{
    uint32_t count;
    const int64_t *next = st_list_get(ctx, &position, &count);
    *(int64_t *)ctx->self = count > 0 ? *next : 0;
    restored += count > 0 ? 1 : 0;
}

static void save_position(st_context *ctx, int64_t checkpoint_id)
{
    (void)checkpoint_id;
    st_list_update(ctx, &position, ctx->self, 1);
}

ST_SOURCE(hundred, int64_t)
{
    int64_t *next = ctx->self;
    if (*next < 100 && *next <= st_now(ctx)) {
        st_emit(out, next);
        ++*next;
    }
    return *next < 100 ? ST_IDLE : ST_END;
}

/* A sum by key, which fails twice on its way. */
ST_VALUE_STATE(sum, int64_t);
static int64_t total;

ST_PROCESS(add_up, int64_t, int64_t)
{
    const int64_t *had = st_value_get(ctx, &sum);
    int64_t now = (had != NULL ? *had : 0) + *in;
    st_value_set(ctx, &sum, &now);
    if (*in == 40 + 30 * failed && failed < 2) {
        failed++;
        st_fail(ctx, "as asked");
    }
    st_emit(out, &now);
}

ST_SINK(take_total, int64_t)
{
    total = *in > total ? *in : total;
}

START_TEST(a_checkpoint_in_memory_outlives_a_failure)
{
    st_env *env = st_env_new();
    st_env_set(env, "execution.checkpointing.interval", "7ms");
    ck_assert_int_eq(st_execute(env, "nothing"), ST_ERR_GRAPH);
    st_env_free(env);
    env = st_env_new();
    st_env_set(env, "execution.checkpointing.interval", "7ms");
    st_env_set(env, "execution.checkpointing.storage", "jobmanager");
    st_env_set(env, "restart-strategy.type", "fixed-delay");
    st_env_set(env, "restart-strategy.fixed-delay.attempts", "2");
    st_stream *s =
        st_from_source(env, hundred, .self_size = sizeof(int64_t), .parallelism = 1,
                       .operator_states = ST_STATES(&position),
                       .initialize_state = restore_position, .snapshot_state = save_position);
    s = st_process(st_key_by(s, ST_KEY_VALUE(int64_t)), add_up, .states = ST_STATES(&sum));
    st_sink(s, take_total);
    st_env_run_in_steps(env);
    ck_assert_msg(st_execute(env, "memory") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
    ck_assert_int_eq(failed, 2);
    ck_assert_int_eq(restored, 2);
    ck_assert_int_eq(total, 99); /* each number is a key of its own: seen once by its state */
}
END_TEST

/* ------------------------------------------------------------------ An input that has ended */

/* A checkpoint is taken when one of two inputs has ended, the task before it too, and the other has
 * not: what is restored knows that the end of time has come for the first. */
ST_VALUE_STATE(first_seen, int64_t);
static int timers_fired;

ST_TIMESTAMP(as_it_says, int64_t)
{
    return *in;
}

ST_MAP(as_it_is, int64_t, int64_t)
{
    *out = *in;
}

ST_PROCESS(wait_for_the_end, int64_t, int64_t)
{
    (void)out;
    st_value_set(ctx, &first_seen, in);
    st_set_event_timer(ctx, INT64_C(1) << 40);
}

ST_PROCESS(fail_once, int64_t, int64_t)
{
    (void)out;
    if (*in == 60 && failed == 0) {
        failed++;
        st_fail(ctx, "as asked");
    }
}

static void count_fired(st_context *ctx, int64_t time_ms, st_out *out)
{
    (void)time_ms;
    (void)out;
    timers_fired += st_value_get(ctx, &first_seen) != NULL ? 1 : 0;
}

START_TEST(an_ended_input_is_restored_as_ended)
{
    static const int64_t five[] = {1, 2, 3, 4, 5};
    st_env *env = st_env_new();
    st_env_set(env, "execution.checkpointing.interval", "7ms");
    st_env_set(env, "execution.checkpointing.storage", "jobmanager");
    st_env_set(env, "restart-strategy.type", "fixed-delay");
    st_stream *a = st_from_array(env, int64_t, five, 5);
    a = st_rebalance(st_assign_timestamps(a, as_it_says, .bound_ms = 0));
    a = st_map(a, as_it_is, .parallelism = 2); /* a task of its own, in front of the inputs */
    st_stream *b =
        st_from_source(env, hundred, .self_size = sizeof(int64_t), .parallelism = 1,
                       .operator_states = ST_STATES(&position),
                       .initialize_state = restore_position, .snapshot_state = save_position);
    b = st_assign_timestamps(b, as_it_says, .bound_ms = 0);
    st_stream *both =
        st_connect(st_key_by(a, ST_KEY_VALUE(int64_t)), st_key_by(b, ST_KEY_VALUE(int64_t)));
    st_sink(st_co_process(both, wait_for_the_end, fail_once, .states = ST_STATES(&first_seen),
                          .on_timer = count_fired),
            take_total);
    st_env_run_in_steps(env);
    failed = restored = timers_fired = 0;
    ck_assert_msg(st_execute(env, "ended") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
    ck_assert_int_eq(failed, 1);
    ck_assert_int_eq(restored, 1);
    ck_assert_int_eq(timers_fired, 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("checkpoints under way");
    TCase *tc = tcase_create("concurrent");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, as_many_are_under_way_as_may_be, 1, 5);
    tcase_add_loop_test(tc, one_input_is_ahead_of_the_other, 0, 2);
    tcase_add_loop_test(tc, operators_are_told_of_what_is_given_up, 1, 4);
    tcase_add_loop_test(tc, the_pause_is_longer_than_the_interval, 0, 2);
    tcase_add_test(tc, a_pause_leaves_room_for_one);
    tcase_add_loop_test(tc, a_timeout_ends_the_writing, 1, 3);
    tcase_add_loop_test(tc, what_is_being_written_is_under_way, 1, 4);
    tcase_add_test(tc, the_pause_begins_when_one_is_written);
    tcase_add_test(tc, a_checkpoint_in_memory_outlives_a_failure);
    tcase_add_test(tc, an_ended_input_is_restored_as_ended);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
