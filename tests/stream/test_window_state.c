/*
 * Keyed state of functions that windows call, and of sinks.
 *
 *     events ──► by key, windows ──► tells the how-manieth firing of its key it is, and all counts
 * so far, out of its states ──► by key, a sink that counts too
 *
 * A job is broken off behind a checkpoint several times, and goes on from it at another
 * parallelism. Then each key has been told what it is told by a job that runs through; for all
 * kinds of windows, on each backend. With rocksdb rows are few enough in memory to go to the
 * database and back all the time.
 */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "folder.h"
#include "mix.h"
#include "stream/stream.h"

#define KEYS     30
#define SEGMENTS 4
#define EVENTS   600 /* a segment */
#define TOLD_MAX 4000

typedef struct {
    int64_t index, key, time;
    st_str text;
    char name[6];
} event;
ST_TYPE(event, index, key, time, text, name);

typedef struct {
    int64_t key, start, count, nth, total;
} told;
ST_TYPE(told, key, start, count, nth, total);

typedef struct {
    int64_t key, count;
} counted;
ST_TYPE(counted, key, count);

typedef struct {
    int64_t nth;
    st_str text;
} firing;
ST_TYPE(firing, nth, text);

ST_TIMESTAMP(time_of, event)
{
    return in->time;
}

/* ------------------------------------------------------------------------------- The functions */

ST_VALUE_STATE(last, firing);
ST_LIST_STATE(counts, counted);
ST_MAP_STATE(by_start, int64_t, firing);
ST_VALUE_STATE(short_lived, int64_t, .ttl_ms = 300);

/* What all states say is the same. */
static void tell(st_context *ctx, int64_t key, int64_t count, st_out *out)
{
    uint32_t fired, total = 0;
    const firing *had = st_value_get(ctx, &last);
    const int64_t *lately = st_value_get(ctx, &short_lived);
    const counted *all = st_list_get(ctx, &counts, &fired);
    int64_t nth = had != NULL ? had->nth + 1 : 1, start = st_window_start(ctx);
    ck_assert_int_eq(nth, (int64_t)fired + 1);
    ck_assert(lately == NULL || *lately == nth - 1);
    for (uint32_t f = 0; f < fired; f++) {
        ck_assert_int_eq(all[f].key, key);
        total += (uint32_t)all[f].count;
    }
    firing now = {nth, st_format(ctx, "%" PRId64 " of %" PRId64, nth, key)};
    char text[32];
    snprintf(text, sizeof text, "%" PRId64 " of %" PRId64, nth - 1, key);
    ck_assert(had == NULL || st_str_equal(had->text, st_str_of(text)));
    ck_assert_uint_le(st_map_count(ctx, &by_start), 4);
    if (st_map_count(ctx, &by_start) == 4) {
        uint64_t cursor = 0;
        const void *first, *value;
        ck_assert(st_map_next(ctx, &by_start, &cursor, &first, &value));
        st_map_remove(ctx, &by_start, first);
    }
    st_map_put(ctx, &by_start, &nth, &now);
    st_value_set(ctx, &last, &now);
    st_value_set(ctx, &short_lived, &nth);
    st_list_add(ctx, &counts, &((counted){key, count}));
    st_emit(out, &((told){key, start, count, nth, total + count}));
}

#define STATES_OF_FUNCTIONS ST_STATES(&last, &counts, &by_start, &short_lived)

ST_WINDOW(tell_elements, event, told)
{
    tell(ctx, in[0].key, count, out);
}

ST_FOLD(add, event, counted)
{
    acc->key = in->key;
    acc->count++;
}

ST_FOLD(merge, counted, counted)
{
    acc->key = in->key;
    acc->count += in->count;
}

ST_FLAT_MAP(tell_count, counted, told)
{
    tell(ctx, in->key, in->count, out);
}

/* A map makes a record, so it has to keep what it says by itself. */
ST_VALUE_STATE(of_map, told);
ST_MAP(map_count, counted, told)
{
    const told *had = st_value_get(ctx, &of_map);
    *out = (told){in->key, st_window_start(ctx), in->count, had != NULL ? had->nth + 1 : 1,
                  (had != NULL ? had->total : 0) + in->count};
    st_value_set(ctx, &of_map, out);
}

ST_VALUE_STATE(noted, int64_t);
static told story[TOLD_MAX];
static uint32_t story_count;

/* The sink counts a key's firings itself. */
ST_SINK(note, told)
{
    const int64_t *had = st_value_get(ctx, &noted);
    int64_t nth = had != NULL ? *had + 1 : 1;
    ck_assert_int_eq(nth, in->nth);
    ck_assert_int_eq(*(const int64_t *)st_key(ctx), in->key);
    st_value_set(ctx, &noted, &nth);
    ck_assert_uint_lt(story_count, TOLD_MAX);
    story[story_count++] = *in;
}

/* ------------------------------------------------------------------------------------ The jobs */

static int64_t first, end; /* the events of this run */
static bool breaks_off;    /* it fails once a checkpoint with all of them is complete */

struct progress {
    int64_t next;
    int completed; /* checkpoints since the last event */
};

static event event_of(st_context *ctx, int64_t index)
{
    uint64_t z = mix((uint64_t)index + 77);
    event e = {.index = index, .key = (int64_t)(z % KEYS), .time = index * 10};
    e.text = st_format(ctx, "key number %" PRId64, e.key);
    snprintf(e.name, sizeof e.name, "k%" PRId64, e.key);
    return e;
}

ST_SOURCE(events, event)
{
    struct progress *p = ctx->self;
    for (int left = 100; left > 0 && first + p->next < end; left--) {
        event e = event_of(ctx, first + p->next++);
        st_emit(out, &e);
    }
    if (first + p->next < end) {
        st_poll_at(ctx, st_now(ctx) + 100);
        return ST_IDLE;
    }
    st_poll_at(ctx, st_now(ctx) + 1000);
    return breaks_off ? ST_IDLE : ST_END;
}

/* The first one may have begun before the last event. */
static void break_off(st_context *ctx, int64_t checkpoint_id)
{
    struct progress *p = ctx->self;
    (void)checkpoint_id;
    if (breaks_off && first + p->next == end && ++p->completed == 2) {
        st_fail(ctx, "enough");
    }
}

enum {
    TUMBLING,
    PANES,
    SLIDING,
    SESSION,
    COUNT,
    COUNT_SLIDING,
    GLOBAL,
    COUNT_IN_TIME,
    SESSION_COUNT,
    MAPPED,
    KINDS
};

static st_stream *windowed(st_stream *s, int kind)
{
    switch (kind) {
    case TUMBLING:
        return st_process_window(st_window(s, ST_TUMBLING(500)), tell_elements,
                                 .states = STATES_OF_FUNCTIONS);
    case PANES:
        return st_aggregate(st_window(s, ST_SLIDING(1200, 400)), add, tell_count, .merge = &merge,
                            .states = STATES_OF_FUNCTIONS);
    case SLIDING:
        return st_process_window(st_window(s, ST_SLIDING(1000, 300)), tell_elements,
                                 .states = STATES_OF_FUNCTIONS);
    case SESSION:
        return st_process_window(st_window(s, ST_SESSION(300)), tell_elements,
                                 .states = STATES_OF_FUNCTIONS);
    case COUNT:
        return st_process_window(st_window(s, ST_COUNT_WINDOW(4)), tell_elements,
                                 .states = STATES_OF_FUNCTIONS);
    case COUNT_SLIDING:
        return st_aggregate(st_window(s, ST_COUNT_WINDOW(5, .slide_count = 3)), add, tell_count,
                            .states = STATES_OF_FUNCTIONS);
    case GLOBAL:
        return st_process_window(st_window(s, ST_GLOBAL(.trigger = ST_ON_COUNT(3))), tell_elements,
                                 .states = STATES_OF_FUNCTIONS);
    case COUNT_IN_TIME:
        return st_aggregate(st_window(s, ST_TUMBLING(900, .trigger = ST_ON_COUNT(3))), add,
                            tell_count, .states = STATES_OF_FUNCTIONS);
    case SESSION_COUNT:
        return st_aggregate(st_window(s, ST_SESSION(250, .trigger = ST_ON_COUNT(2))), add,
                            tell_count, .merge = &merge, .states = STATES_OF_FUNCTIONS);
    default:
        return st_aggregate(st_window(s, ST_TUMBLING(500)), add, map_count,
                            .states = ST_STATES(&of_map));
    }
}

enum backend { ON_HASHMAP, ON_ROCKSDB, ON_BOTH_IN_TURN, ON_ROCKSDB_INCREMENTAL, BACKENDS };

static void choose_backend(st_env *env, const char *folder, int backend, int segment)
{
    bool rocksdb = backend != ON_HASHMAP && (backend != ON_BOTH_IN_TURN || segment % 2 == 0);
    st_env_set(env, "state.backend", rocksdb ? "rocksdb" : "hashmap");
    st_env_set(env, "state.backend.incremental",
               backend == ON_ROCKSDB_INCREMENTAL ? "true" : "false");
    st_env_set(env, "state.backend.rocksdb.memory.fixed-per-slot", "1kb");
    st_env_set(env, "state.backend.rocksdb.localdir", folder);
}

static void run(st_env *env, int kind, uint32_t parallelism)
{
    st_env_run_in_steps(env);
    st_env_set_parallelism(env, parallelism);
    st_stream *s = st_from_source(env, events, .self_size = sizeof(struct progress),
                                  .parallelism = 1, .notify_checkpoint_complete = break_off);
    s = st_assign_timestamps(s, time_of, .bound_ms = 0);
    s = kind % 2 == 0 ? st_key_by(s, ST_KEY(event, text)) : st_key_by(s, ST_KEY(event, name, key));
    st_sink(st_key_by(windowed(s, kind), ST_KEY(told, key)), note, .states = ST_STATES(&noted));
    enum st_err err = st_execute(env, "window state");
    ck_assert_msg(err == (breaks_off ? ST_ERR_FAILED : ST_OK), "%s", st_env_error(env));
    ck_assert(!breaks_off || strstr(st_env_error(env), "enough") != NULL);
    st_env_free(env);
}

static void run_segment(const char *folder, int kind, int backend, int segment)
{
    st_env *env = st_env_new();
    st_env_set(env, "execution.checkpointing.interval", "3s");
    st_env_set(env, "execution.checkpointing.dir", folder);
    choose_backend(env, folder, backend, segment);
    if (segment > 0) {
        st_env_set(env, "execution.savepoint.path", folder);
    }
    first = (int64_t)segment * EVENTS;
    end = first + EVENTS;
    breaks_off = segment + 1 < SEGMENTS;
    run(env, kind, (uint32_t)(1 + (segment * 2 + kind) % 3));
}

static int by_key_and_nth(const void *a, const void *b)
{
    const told *x = a, *y = b;
    return x->key != y->key ? (x->key < y->key ? -1 : 1) : x->nth < y->nth ? -1 : x->nth > y->nth;
}

static void sort_story(void)
{
    qsort(story, story_count, sizeof *story, by_key_and_nth);
}

START_TEST(a_windows_function_has_state_of_its_key)
{
    int kind = _i % KINDS, backend = _i / KINDS;
    static told expected[TOLD_MAX];
    char folder[FOLDER_SIZE];
    folder_make_in_memory(folder);
    story_count = 0;
    for (int segment = 0; segment < SEGMENTS; segment++) {
        run_segment(folder, kind, backend, segment);
    }
    sort_story();
    memcpy(expected, story, sizeof expected);
    uint32_t count = story_count;
    folder_remove(folder);

    story_count = 0;
    first = 0;
    end = (int64_t)SEGMENTS * EVENTS;
    breaks_off = false;
    run(st_env_new(), kind, 1);
    sort_story();
    ck_assert_uint_gt(count, 200);
    ck_assert_uint_eq(count, story_count);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_msg(memcmp(&story[i], &expected[i], sizeof *story) == 0,
                      "firing %" PRId64 " of key %" PRId64 ": %" PRId64 " in all, not %" PRId64,
                      story[i].nth, story[i].key, expected[i].total, story[i].total);
    }
}
END_TEST

/* ----------------------------------------------------------------- A function that has it no more
 */

ST_WINDOW(tell_nothing, event, told)
{
    ck_assert(st_window_end(ctx) > st_window_start(ctx));
}

/* Two segments, of which one has a function with state. */
static enum st_err run_half(const char *folder, int segment, bool has_state, bool lenient,
                            char error[256])
{
    st_env *env = st_env_new();
    st_env_run_in_steps(env);
    st_env_set(env, "execution.checkpointing.interval", "3s");
    st_env_set(env, "execution.checkpointing.dir", folder);
    if (segment > 0) {
        st_env_set(env, "execution.savepoint.path", folder);
    }
    st_env_set(env, "execution.savepoint.ignore-unclaimed-state", lenient ? "true" : "false");
    first = (int64_t)segment * EVENTS;
    end = first + EVENTS;
    breaks_off = segment == 0;
    st_stream *s = st_from_source(env, events, .self_size = sizeof(struct progress),
                                  .notify_checkpoint_complete = break_off);
    s = st_assign_timestamps(s, time_of, .bound_ms = 0);
    s = st_window(st_key_by(s, ST_KEY(event, text)), ST_TUMBLING(500));
    st_discard(has_state ? st_process_window(s, tell_elements, .states = STATES_OF_FUNCTIONS)
                         : st_process_window(s, tell_nothing));
    enum st_err err = st_execute(env, "half");
    snprintf(error, 256, "%s", st_env_error(env));
    st_env_free(env);
    return err;
}

START_TEST(a_function_may_get_state_but_not_lose_it_unasked)
{
    char folder[FOLDER_SIZE], error[256];
    folder_make_in_memory(folder);
    bool had = _i > 0, lenient = _i == 2;
    ck_assert_int_eq(run_half(folder, 0, had, false, error), ST_ERR_FAILED);
    ck_assert_ptr_nonnull(strstr(error, "enough"));
    enum st_err err = run_half(folder, 1, !had, lenient, error);
    ck_assert_msg(err == (had && !lenient ? ST_ERR_RESTORE : ST_OK), "%s", error);
    ck_assert(err == ST_OK ||
              strstr(error, "the checkpoint has state of its function, the operator has none") !=
                  NULL);
    folder_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("state of windows' functions");
    TCase *tc = tcase_create("window state");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, a_windows_function_has_state_of_its_key, 0, KINDS * BACKENDS);
    tcase_add_loop_test(tc, a_function_may_get_state_but_not_lose_it_unasked, 0, 3);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
