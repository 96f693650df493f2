/*
 * Timers and windows whose rows lie in RocksDB, against the same job in memory.
 *
 *     events ──► by key ──► timers of both kinds ──┐
 *                  └──────► windows of each kind ──┴──► files, exactly once ──► sorted, compared
 *
 * With memory for a few rows nearly each batch and each timer finds its row in the database. The
 * job fails again and again, and is restored at another parallelism, or with the other backend.
 */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mix.h"
#include "position.h"
#include "stream/stream.h"

#define KEYS    60  /* with half of the events; the others have */
#define MANY    700 /* more than are loaded at once */
#define EVENTS  1800
#define STEP_MS 7 /* between events: timers of the clock have other remainders, and meet none */
#define RUNS    6
#define NEVER   INT64_MAX

typedef struct {
    st_str key;
    int64_t time, value;
} event;
ST_TYPE(event, key, time, value);

static uint64_t seed;
static int64_t stop_behind; /* the job fails with the first checkpoint behind so many events */

static event event_of(st_context *ctx, int64_t index)
{
    uint64_t z = mix(seed << 32 ^ (uint64_t)index);
    int64_t late = z >> 16 & 7 ? (int64_t)(z >> 24 & 63) : (int64_t)(z >> 24 & 2047);
    return (event){st_format(ctx, "key-%" PRIu64, (z >> 40) % (z >> 39 & 1 ? KEYS : MANY)),
                   index * STEP_MS - late, index};
}

ST_SOURCE(events, event)
{
    int64_t *next = ctx->self;
    if (*next == EVENTS) {
        return ST_END;
    }
    if (st_now(ctx) < *next * STEP_MS) {
        st_poll_at(ctx, *next * STEP_MS);
        return ST_IDLE;
    }
    event e = event_of(ctx, (*next)++);
    st_emit(out, &e);
    return ST_MORE;
}

static void fail_behind(st_context *ctx, int64_t checkpoint_id)
{
    (void)checkpoint_id;
    if (*(int64_t *)ctx->self >= stop_behind) {
        st_fail(ctx, "enough");
    }
}

ST_TIMESTAMP(time_of, event)
{
    return in->time;
}

/* -------------------------------------------------------------------------------- The operators */

ST_LIST_STATE(values, int64_t);
ST_VALUE_STATE(latest, int64_t);

/* A timer behind each event, taken back by each third; one of the clock. */
ST_PROCESS(set_timers, event, st_str)
{
    const int64_t *had = st_value_get(ctx, &latest);
    st_list_add(ctx, &values, &in->value);
    if (had != NULL && in->value % 3 == 0) {
        st_delete_event_timer(ctx, *had);
    }
    int64_t time = in->time + 400 + in->value % 5 * 300;
    st_set_event_timer(ctx, time);
    st_value_set(ctx, &latest, &time);
    if (in->value % 2 == 0) {
        st_set_event_timer(ctx, ST_TIME_MAX);
    }
    if (in->value % 4 == 0) {
        st_set_processing_timer(ctx, st_now(ctx) + 1003);
    }
}

static void say_timer(st_context *ctx, int64_t time_ms, st_out *out)
{
    uint32_t count;
    const st_str *key = st_key(ctx);
    const int64_t *all = st_list_get(ctx, &values, &count);
    st_str line = st_format(ctx, "timer %.*s %" PRId64 ":", (int)key->size, key->data, time_ms);
    for (uint32_t i = 0; i < count; i++) {
        line = st_format(ctx, "%.*s %" PRId64, (int)line.size, line.data, all[i]);
    }
    st_emit(out, &line);
    if (count > 3) {
        st_state_clear(ctx, &values);
    }
}

ST_WINDOW(list_all, event, st_str)
{
    const st_str *key = st_key(ctx);
    st_str line = st_format(ctx, "%s %.*s [%" PRId64 ",%" PRId64 "):", (const char *)ctx->arg,
                            (int)key->size, key->data, st_window_start(ctx), st_window_end(ctx));
    for (uint32_t i = 0; i < count; i++) {
        line = st_format(ctx, "%.*s %" PRId64, (int)line.size, line.data, in[i].value);
    }
    st_emit(out, &line);
}

ST_REDUCE(add, event)
{
    acc->value += in->value;
    acc->key = in->key;
}

ST_FLAT_MAP(say_sum, event, st_str)
{
    st_str line = st_format(ctx, "%s %.*s %" PRId64 " at %" PRId64, (const char *)ctx->arg,
                            (int)in->key.size, in->key.data, in->value, in->time);
    st_emit(out, &line);
}

typedef struct {
    st_str least;
    int64_t sum;
} gathered;
ST_TYPE(gathered, least, sum);

static bool is_less(st_str a, st_str b)
{
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order < 0 || (order == 0 && a.size < b.size);
}

static void gather_text(gathered *acc, st_str text)
{
    acc->least = acc->least.size == 0 || is_less(text, acc->least) ? text : acc->least;
}

ST_FOLD(gather, event, gathered)
{
    gather_text(acc, st_format(ctx, "v%" PRId64, in->value));
    acc->sum += in->value;
}

ST_REDUCE(gather_both, gathered)
{
    gather_text(acc, in->least);
    acc->sum += in->sum;
}

ST_MAP(say_gathered, gathered, st_str)
{
    const st_str *key = st_key(ctx);
    *out = st_format(ctx, "%s %.*s [%" PRId64 "): %.*s %" PRId64, (const char *)ctx->arg,
                     (int)key->size, key->data, st_window_start(ctx), (int)in->least.size,
                     in->least.data, in->sum);
}

ST_TAG(late, event);

static st_stream *listed(st_stream *keyed, st_windows windows, const char *name)
{
    return st_process_window(st_window(keyed, windows), list_all, .arg = name);
}

static st_stream *summed(st_stream *keyed, st_windows windows, const char *name)
{
    return st_flat_map(st_reduce(st_window(keyed, windows), add), say_sum, .arg = name);
}

static st_stream *gathered_of(st_stream *keyed, st_windows windows, const char *name)
{
    return st_aggregate(st_window(keyed, windows), gather, say_gathered, .arg = name);
}

static st_stream *gathered_from_panes(st_stream *keyed, st_windows windows, const char *name)
{
    return st_aggregate(st_window(keyed, windows), gather, say_gathered, .arg = name,
                        .merge = &gather_both);
}

static st_stream *build(st_env *env)
{
    st_stream *s = st_from_source(
        env, events, .self_size = sizeof(int64_t), .parallelism = 1,
        .operator_states = ST_STATES(&position), .initialize_state = restore_position,
        .snapshot_state = save_position, .notify_checkpoint_complete = fail_behind);
    s = st_assign_timestamps_at(s, &time_of, (st_watermarks){.bound_ms = 50, .every_record = true},
                                ST_WITH(.parallelism = 1));
    st_stream *keyed = st_key_by(s, ST_KEY(event, key));
    st_stream *sessions =
        listed(keyed, ST_SESSION(900, .lateness_ms = 700, .late = &late), "session");
    st_stream *lines[] = {
        st_process(keyed, set_timers, .on_timer = say_timer, .states = ST_STATES(&values, &latest)),
        sessions,
        st_flat_map(st_side_output(sessions, late), say_sum, .arg = "late"),
        summed(keyed, ST_SESSION(1500), "session sum"),
        summed(keyed, ST_SESSION(1201, .processing_time = true), "session by the clock"),
        summed(keyed, ST_COUNT_WINDOW(3), "three"),
        listed(keyed, ST_COUNT_WINDOW(4), "four"),
        listed(keyed, ST_COUNT_WINDOW(5, .slide_count = 2), "five by two"),
        summed(keyed, ST_COUNT_WINDOW(2, .slide_count = 1), "two by one"),
        summed(keyed, ST_TUMBLING(1000), "second"),
        listed(keyed, ST_TUMBLING(700, .lateness_ms = 600), "tumbling"),
        listed(keyed, ST_SLIDING(1200, 400, .lateness_ms = 500), "sliding"),
        gathered_of(keyed, ST_SLIDING(1000, 250), "gathered"),
        gathered_from_panes(keyed, ST_SLIDING(2000, 500, .lateness_ms = 300), "panes"),
        summed(keyed, ST_TUMBLING(900, .processing_time = true), "by the clock")};
    st_stream *all = lines[0];
    for (size_t i = 1; i < sizeof lines / sizeof *lines; i++) {
        all = st_union(all, lines[i]);
    }
    return all;
}

/* ---------------------------------------------------------------------------------------- Runs */

/* ON_BOTH: in turn; a checkpoint that has all rows is read by either. */
enum backends { ON_HASHMAP, ON_ROCKSDB, ON_FILES, ON_BOTH, BACKENDS_END };

static void configure(st_env *env, const char *folder, enum backends on)
{
    char path[128];
    st_env_run_in_steps(env);
    st_env_set(env, "execution.checkpointing.interval", "290ms");
    snprintf(path, sizeof path, "%s/ck", folder);
    st_env_set(env, "execution.checkpointing.dir", path);
    st_env_set(env, "state.backend", on == ON_HASHMAP ? "hashmap" : "rocksdb");
    st_env_set(env, "state.backend.incremental", on == ON_FILES ? "true" : "false");
    st_env_set(env, "state.backend.rocksdb.memory.fixed-per-slot", "1kb");
    st_env_set(env, "state.backend.rocksdb.localdir", folder);
}

/* Until a checkpoint behind `stop` events; NEVER: to the end. */
static void run(const char *folder, enum backends on, uint32_t parallelism, int64_t stop,
                bool restore)
{
    char path[128];
    st_env *env = st_env_new();
    configure(env, folder, on);
    st_env_set_parallelism(env, parallelism);
    if (restore) {
        snprintf(path, sizeof path, "%s/ck", folder);
        st_env_set(env, "execution.savepoint.path", path);
    }
    snprintf(path, sizeof path, "%s/out", folder);
    st_write_files(build(env), path, .parallelism = 1);
    stop_behind = stop;
    enum st_err err = st_execute(env, "stored");
    ck_assert_msg(err == (stop < NEVER ? ST_ERR_FAILED : ST_OK), "%s", st_env_error(env));
    ck_assert(stop == NEVER || strstr(st_env_error(env), "enough") != NULL);
    st_env_free(env);
}

/* The committed lines, sorted. Owned by the caller. */
static char *read_lines(const char *folder)
{
    char command[256];
    size_t size = 0, capacity = (size_t)1 << 22;
    char *text = calloc(1, capacity);
    ck_assert_ptr_nonnull(text);
    snprintf(command, sizeof command, "cat %s/out/part-* | LC_ALL=C sort", folder);
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    size = fread(text, 1, capacity - 1, pipe);
    ck_assert_int_eq(pclose(pipe), 0);
    ck_assert_uint_lt(size, capacity - 1);
    return text;
}

static void make_folder(char folder[64])
{
    bool in_memory = access("/dev/shm", W_OK) == 0; /* databases wait for the disk at each file */
    snprintf(folder, 64, "%s/kcsim-stored-XXXXXX", in_memory ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(const char *folder)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void expect_same(const char *expected, const char *given)
{
    const char *a = expected, *b = given;
    while (*a != '\0' && *a == *b) {
        a++, b++;
    }
    if (*a == *b) {
        return;
    }
    for (; a > expected && a[-1] != '\n'; a--, b--) {
    }
    ck_abort_msg("expected %.*s, given %.*s", (int)strcspn(a, "\n"), a, (int)strcspn(b, "\n"), b);
}

START_TEST(what_is_in_a_database_is_as_in_memory)
{
    char folder[64];
    enum backends on = (enum backends)(_i % BACKENDS_END);
    seed = (uint64_t)_i / BACKENDS_END;
    make_folder(folder);
    run(folder, ON_HASHMAP, 1, NEVER, false);
    char *expected = read_lines(folder);
    ck_assert_uint_gt(strlen(expected), 100000);
    remove_folder(folder);
    make_folder(folder);
    for (int r = 0; r < RUNS; r++) {
        uint32_t parallelism = (uint32_t)(1 + mix(seed * 100 + (uint64_t)r) % 3);
        enum backends now = on != ON_BOTH ? on : r % 2 == 0 ? ON_ROCKSDB : ON_HASHMAP;
        run(folder, now, parallelism, r + 1 < RUNS ? EVENTS / RUNS * (r + 1) : NEVER, r > 0);
    }
    char *given = read_lines(folder);
    expect_same(expected, given);
    free(expected);
    free(given);
    remove_folder(folder);
}
END_TEST

static long size_of_checkpoints(const char *folder)
{
    char command[96];
    long size = -1;
    snprintf(command, sizeof command, "cat %s/ck/chk-*/* | wc -c", folder);
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    ck_assert_int_eq(fscanf(pipe, "%ld", &size), 1);
    ck_assert_int_eq(pclose(pipe), 0);
    return size;
}

/* Windows that are over, and timers that have fired, are deleted from databases too. */
START_TEST(nothing_that_is_over_stays)
{
    char folder[64];
    long sizes[2];
    seed = 7;
    for (int on = ON_HASHMAP; on <= ON_ROCKSDB; on++) {
        make_folder(folder);
        run(folder, (enum backends)on, 1, EVENTS - EVENTS / 10, false);
        sizes[on] = size_of_checkpoints(folder);
        remove_folder(folder);
    }
    ck_assert_int_gt(sizes[ON_HASHMAP], 10000);
    ck_assert_msg(sizes[ON_ROCKSDB] < sizes[ON_HASHMAP] * 11 / 10, "%ld bytes, and %ld",
                  sizes[ON_ROCKSDB], sizes[ON_HASHMAP]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("windows and timers in a database");
    TCase *tc = tcase_create("stored");
    tcase_set_timeout(tc, 120);
    int seeds = getenv("KC_DEEP") != NULL ? 20 : 1;
    tcase_add_loop_test(tc, what_is_in_a_database_is_as_in_memory, 0, seeds * BACKENDS_END);
    tcase_add_test(tc, nothing_that_is_over_stays);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
