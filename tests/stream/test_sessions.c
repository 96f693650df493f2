/*
 * Sessions with triggers, and windows and timers of processing time. All in steps: the clock is
 * virtual and begins at 0, so what comes out, and in which order, is exact.
 *
 * What is expected follows from Flink's classes: WindowOperator, MergingWindowSet, CountTrigger,
 * ContinuousEventTimeTrigger, ProcessingTimeTrigger, InternalTimerServiceImpl.
 */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "folder.h"
#include "stream/stream.h"

typedef struct {
    st_str key;
    int64_t time, value;
} event;
ST_TYPE(event, key, time, value);

#define E(k, t, v)   ((event){ST_STR(k), (t), (v)})
#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof(array)[0]))

ST_TIMESTAMP(time_of, event)
{
    return in->time;
}

ST_TAG(late, event);

ST_WINDOW(values, event, st_str)
{
    const st_str *key = st_key(ctx);
    st_str line = st_format(ctx, "%.*s [%" PRId64 ",%" PRId64 ")", (int)key->size, key->data,
                            st_window_start(ctx), st_window_end(ctx));
    for (uint32_t i = 0; i < count; i++) {
        line = st_format(ctx, "%.*s %" PRId64, (int)line.size, line.data, in[i].value);
    }
    st_emit(out, &line);
}

static char story[1 << 16];

ST_SINK(tell_line, st_str)
{
    size_t had = strlen(story);
    ck_assert_uint_lt(had + in->size + 2, sizeof story);
    snprintf(story + had, sizeof story - had, "%.*s\n", (int)in->size, in->data);
}

ST_SINK(tell_late, event)
{
    size_t had = strlen(story);
    snprintf(story + had, sizeof story - had, "late %.*s %" PRId64 "\n", (int)in->key.size,
             in->key.data, in->value);
}

static void execute(st_env *env)
{
    st_env_run_in_steps(env);
    ck_assert_msg(st_execute(env, "sessions") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
}

/* Runs `s` in the windows; what came out is the story. */
static void run(st_env *env, st_stream *s, st_windows windows)
{
    windows.late = &late;
    s = st_process_window(st_window(s, windows), values);
    st_sink(s, tell_line);
    st_sink(st_side_output(s, late), tell_late);
    story[0] = '\0';
    execute(env);
}

static st_stream *timed(st_env *env, const event *events, uint32_t count)
{
    st_stream *s = st_from_array(env, event, events, count);
    return st_key_by(st_assign_timestamps(s, time_of, .every_record = true), ST_KEY(event, key));
}

/* --------------------------------------------------------------------------------- By the clock */

struct script {
    const event *events;
    uint32_t count;
};

/* Each event at its time of the clock; then it waits until `quiet_ms` later, for what is left to
 * fire: at the end of the input timers of the clock do not. */
#define QUIET_MS 100000

ST_SOURCE(at_their_times, event)
{
    const struct script *script = ctx->arg;
    uint32_t *next = ctx->self;
    int64_t last = script->events[script->count - 1].time;
    int64_t due = *next < script->count ? script->events[*next].time : last + QUIET_MS;
    if (st_now(ctx) < due) {
        st_poll_at(ctx, due);
        return ST_IDLE;
    }
    if (*next == script->count) {
        return ST_END;
    }
    ck_assert_int_eq(st_now(ctx), due);
    st_emit(out, &script->events[(*next)++]);
    return ST_MORE;
}

static st_stream *by_clock(st_env *env, const struct script *script)
{
    st_stream *s =
        st_from_source(env, at_their_times, .arg = script, .self_size = sizeof(uint32_t));
    return st_key_by(s, ST_KEY(event, key));
}

#define SCRIPT(...)                                                                                \
    static event events[COUNT(((const event[]){__VA_ARGS__}))];                                    \
    memcpy(events, (const event[]){__VA_ARGS__}, sizeof events);                                   \
    static struct script script;                                                                   \
    script = (struct script)                                                                       \
    {                                                                                              \
        events, COUNT(events)                                                                      \
    }

START_TEST(a_window_of_the_clock_ends_where_the_clock_says)
{
    SCRIPT(E("a", 0, 1), E("a", 999, 2), E("b", 999, 3), E("a", 1000, 4), E("a", 2500, 5));
    st_env *env = st_env_new();
    run(env, by_clock(env, &script), ST_TUMBLING(1000, .processing_time = true));
    ck_assert_str_eq(story, "a [0,1000) 1 2\n"
                            "b [0,1000) 3\n"
                            "a [1000,2000) 4\n"
                            "a [2000,3000) 5\n");
    env = st_env_new();
    run(env, by_clock(env, &script), ST_TUMBLING(1000, .processing_time = true, .offset_ms = -1));
    ck_assert_str_eq(story, "a [-1,999) 1\n"
                            "a [999,1999) 2 4\n"
                            "b [999,1999) 3\n"
                            "a [1999,2999) 5\n");
}
END_TEST

START_TEST(sliding_windows_of_the_clock)
{
    SCRIPT(E("a", 0, 1), E("a", 500, 2), E("a", 1200, 3));
    st_env *env = st_env_new();
    run(env, by_clock(env, &script), ST_SLIDING(1000, 500, .processing_time = true));
    ck_assert_str_eq(story, "a [-500,500) 1\n"
                            "a [0,1000) 1 2\n"
                            "a [500,1500) 2 3\n"
                            "a [1000,2000) 3\n");
}
END_TEST

START_TEST(sessions_of_the_clock_end_when_it_has_been_quiet)
{
    /* 499 grows [0,500); the timers of 1000 come before a record of 1000. */
    SCRIPT(E("a", 0, 1), E("a", 499, 2), E("b", 600, 3), E("a", 1000, 4));
    st_env *env = st_env_new();
    run(env, by_clock(env, &script), ST_SESSION(500, .processing_time = true));
    ck_assert_str_eq(story, "a [0,999) 1 2\n"
                            "b [600,1100) 3\n"
                            "a [1000,1500) 4\n");
    char without[sizeof story];
    memcpy(without, story, sizeof story);
    env = st_env_new();
    run(env, by_clock(env, &script),
        ST_SESSION(500, .processing_time = true, .trigger = ST_ON_PROCESSING_TIME()));
    ck_assert_str_eq(story, without);
}
END_TEST

/* At the end of the input timers of the clock do not fire. */
ST_SOURCE(once, event)
{
    bool *said = ctx->self;
    if (*said) {
        return ST_END;
    }
    *said = true;
    st_emit(out, &E("a", 0, 1));
    return ST_MORE;
}

START_TEST(the_end_of_the_input_fires_no_timer_of_the_clock)
{
    st_env *env = st_env_new();
    st_stream *s = st_key_by(st_from_source(env, once, .self_size = 1), ST_KEY(event, key));
    run(env, s, ST_TUMBLING(1000, .processing_time = true));
    ck_assert_str_eq(story, "");
}
END_TEST

ST_VALUE_STATE(count_of, int64_t);

/* A timer 100 ms behind each record; a third record takes those at 300 back. */
ST_PROCESS(set_timers, event, st_str)
{
    const int64_t *had = st_value_get(ctx, &count_of);
    int64_t count = had != NULL ? *had + 1 : 1;
    st_value_set(ctx, &count_of, &count);
    st_set_processing_timer(ctx, st_now(ctx) + 100);
    st_set_processing_timer(ctx, 300);
    if (count == 3) {
        st_delete_processing_timer(ctx, 300);
    }
}

static void say_timer(st_context *ctx, int64_t time_ms, st_out *out)
{
    const st_str *key = st_key(ctx);
    st_str line = st_format(ctx, "%.*s timer %" PRId64 " at %" PRId64, (int)key->size, key->data,
                            time_ms, st_now(ctx));
    st_emit(out, &line);
    if (time_ms == 110) {
        st_set_processing_timer(ctx, 50); /* has been: at once */
    }
}

START_TEST(timers_of_the_clock_fire_in_order_once_and_not_before_their_time)
{
    SCRIPT(E("a", 10, 1), E("b", 10, 2), E("a", 60, 3), E("a", 210, 4), E("b", 400, 5));
    st_env *env = st_env_new();
    st_stream *s = st_process(by_clock(env, &script), set_timers, .on_timer = say_timer,
                              .states = ST_STATES(&count_of));
    st_sink(s, tell_line);
    story[0] = '\0';
    execute(env);
    ck_assert_str_eq(story, "a timer 110 at 110\n"
                            "a timer 50 at 110\n"
                            "b timer 110 at 110\n"
                            "b timer 50 at 110\n"
                            "a timer 160 at 160\n"
                            "b timer 300 at 300\n"
                            "a timer 310 at 310\n"
                            "b timer 300 at 400\n" /* set again at 400: it has been */
                            "b timer 500 at 500\n");
}
END_TEST

START_TEST(a_trigger_of_the_clock_fires_on_the_way)
{
    SCRIPT(E("a", 0, 1), E("a", 120, 2), E("a", 350, 3));
    st_env *env = st_env_new();
    run(env, by_clock(env, &script),
        ST_SESSION(400, .processing_time = true, .trigger = ST_ON_CLOCK_INTERVAL(100)));
    ck_assert_str_eq(story, "a [0,400) 1\n" /* at 100 */
                            "a [0,520) 1 2\n"
                            "a [0,520) 1 2\n"
                            "a [0,750) 1 2 3\n" /* at 400 … 700 and 749 */
                            "a [0,750) 1 2 3\n"
                            "a [0,750) 1 2 3\n"
                            "a [0,750) 1 2 3\n"
                            "a [0,750) 1 2 3\n");
}
END_TEST

/* ------------------------------------------------------------------------- Sessions and triggers
 */

/* Is each line of `other` in the story as often, and no other? */
static void expect_same_lines(char *other, const char *what)
{
    ck_assert_msg(strlen(story) == strlen(other), "%s:\n%s--- not\n%s", what, story, other);
    for (char *line = strtok(other, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        size_t size = strlen(line);
        char *at = story;
        while (at != NULL && (strncmp(at, line, size) != 0 || at[size] != '\n')) {
            at = strchr(at, '\n');
            at = at != NULL ? at + 1 : NULL;
        }
        ck_assert_msg(at != NULL, "%s: no line %s in\n%s", what, line, story);
        memset(at, '#', size);
    }
}

/* With the trigger that they have anyway, sessions are what they are without: another operator
 * gives the same windows, elements in the same order, late records. */
START_TEST(a_trigger_of_time_gives_what_sessions_give_without)
{
    static event events[300];
    static char expected[sizeof story], what[32];
    uint32_t merged = 0;
    for (int64_t round = 0; round < 40; round++) {
        for (int64_t i = 0; i < COUNT(events); i++) {
            int64_t z = (i + 1) * (round * 7 + 131) * 48271 % 2147483647;
            events[i] = (event){z % 3 != 0 ? ST_STR("a") : ST_STR("b"), i * 40 - z / 7 % 900, i};
        }
        for (int with = 0; with < 2; with++) {
            st_env *env = st_env_new();
            st_windows w = ST_SESSION(60 + 10 * round, .lateness_ms = round % 3 * 150);
            if (with != 0) {
                w.trigger = ST_ON_EVENT_TIME();
            }
            st_stream *s = st_from_array(env, event, events, COUNT(events));
            s = st_assign_timestamps(s, time_of, .every_record = true, .bound_ms = round % 5 * 80);
            run(env, st_key_by(s, ST_KEY(event, key)), w);
            if (with == 0) {
                memcpy(expected, story, sizeof story);
                merged += strstr(story, "late") != NULL ? 1 : 0;
            }
        }
        snprintf(what, sizeof what, "round %" PRId64, round);
        expect_same_lines(expected, what);
    }
    ck_assert_uint_gt(merged, 5);  /* some rounds have late records, */
    ck_assert_uint_lt(merged, 40); /* others none */
}
END_TEST

/* The counts of merged sessions come together: two and one, and the one between them. */
START_TEST(counts_come_together_when_sessions_merge)
{
    SCRIPT(E("a", 0, 1), E("a", 100, 2), E("a", 5000, 3), E("b", 5100, 4), E("a", 2600, 5),
           E("a", 2700, 6), E("a", 9000, 7));
    st_env *env = st_env_new();
    st_stream *s = st_from_array(env, event, script.events, script.count);
    s = st_assign_timestamps(s, time_of, .bound_ms = 10000, .every_record = true);
    run(env, st_key_by(s, ST_KEY(event, key)), ST_SESSION(3000, .trigger = ST_ON_COUNT(4)));
    ck_assert_str_eq(story, "a [0,8000) 1 2 3 5\n");
    env = st_env_new();
    s = st_from_array(env, event, script.events, script.count);
    s = st_assign_timestamps(s, time_of, .bound_ms = 10000, .every_record = true);
    run(env, st_key_by(s, ST_KEY(event, key)),
        ST_SESSION(3000, .trigger = ST_ON_COUNT(2, .purging = true)));
    ck_assert_str_eq(story, "a [0,3100) 1 2\n" /* then it is empty, and its count is none */
                            "a [0,8000) 3 5\n");
}
END_TEST

START_TEST(a_session_fires_on_its_way_as_it_grows)
{
    SCRIPT(E("a", 50, 1), E("a", 120, 2), E("a", 230, 3), E("a", 900, 4));
    st_env *env = st_env_new();
    run(env, timed(env, script.events, script.count),
        ST_SESSION(300, .trigger = ST_ON_INTERVAL(100)));
    ck_assert_str_eq(story, "a [50,420) 1 2\n"   /* at 100, which came with 120 */
                            "a [50,530) 1 2 3\n" /* at 200, with 230 */
                            "a [50,530) 1 2 3\n" /* at 300, 400, 500 and 529, with 900 */
                            "a [50,530) 1 2 3\n"
                            "a [50,530) 1 2 3\n"
                            "a [50,530) 1 2 3\n"
                            "a [900,1200) 4\n" /* at 1000, 1100, and its end */
                            "a [900,1200) 4\n"
                            "a [900,1200) 4\n");
}
END_TEST

/* One's own: fires 150 ms behind its first record. It leaves timers where windows merge. */
static enum st_trigger_result first_element(st_context *ctx, void *state, int64_t argument,
                                            const void *record)
{
    int64_t *due = state;
    (void)record;
    if (*due == 0) {
        *due = st_timestamp(ctx) + argument;
        st_set_event_timer(ctx, *due);
    }
    return ST_CONTINUE;
}

static enum st_trigger_result first_time(st_context *ctx, void *state, int64_t argument,
                                         int64_t time_ms)
{
    const int64_t *due = state;
    (void)ctx, (void)argument;
    return time_ms == *due ? ST_FIRE : ST_CONTINUE;
}

static void first_merge(st_context *ctx, void *state, int64_t argument, const void *merged)
{
    const int64_t *other = merged;
    int64_t *due = state;
    (void)argument;
    *due = *due == 0 || *other < *due ? *other : *due;
    st_set_event_timer(ctx, *due);
}

static const st_trigger_functions first_trigger = {.name = "first",
                                                   .state_size = sizeof(int64_t),
                                                   .on_element = first_element,
                                                   .on_event_time = first_time,
                                                   .on_processing_time = first_time,
                                                   .on_merge = first_merge};

START_TEST(timers_of_a_session_that_has_merged_are_passed_over)
{
    SCRIPT(E("a", 10, 1), E("a", 20, 2), E("a", 30, 3), E("a", 500, 4));
    st_env *env = st_env_new();
    run(env, timed(env, script.events, script.count),
        ST_SESSION(300, .trigger = ST_ON(first_trigger, 150)));
    ck_assert_str_eq(story, "a [10,330) 1 2 3\n" /* once, at 160 */
                            "a [500,800) 4\n");
}
END_TEST

START_TEST(a_trigger_that_cannot_merge_is_refused)
{
    static st_trigger_functions alone;
    static const event one[1];
    alone = first_trigger;
    alone.on_merge = NULL;
    st_env *env = st_env_new();
    st_window(timed(env, one, 1), ST_SESSION(300, .trigger = ST_ON(alone, 1)));
    ck_assert_int_eq(st_execute(env, "mistaken"), ST_ERR_GRAPH);
    ck_assert_ptr_nonnull(strstr(st_env_error(env), ".on_merge"));
    st_env_free(env);
}
END_TEST

/* ----------------------------------------------------------------------------------- Restoring */

/* The first `to` events, whose last checkpoint the rest begins with. Watermarks stay behind all. */
static void run_part(const char *folder, bool restore, uint32_t parallelism,
                     const struct script *script, uint32_t from, uint32_t to, st_windows windows)
{
    st_env *env = st_env_new();
    st_env_set(env, "execution.checkpointing.interval", "1h");
    st_env_set(env, "execution.checkpointing.dir", folder);
    if (restore) {
        st_env_set(env, "execution.savepoint.path", folder);
        st_env_set(env, "execution.savepoint.ignore-unclaimed-state", "true");
    }
    st_stream *s = st_from_array(env, event, script->events + from, to - from,
                                 .uid = restore ? "second" : "first");
    s = st_process_window(st_window(st_key_by(s, ST_KEY(event, key)), windows), values,
                          .uid = "windows", .parallelism = parallelism);
    st_sink(s, tell_line, .parallelism = 1, .uid = "sink");
    execute(env);
}

/* Sessions of the clock, which stands still in these: a checkpoint behind each record, and the
 * counts go on at another parallelism. */
START_TEST(sessions_go_on_where_a_checkpoint_was)
{
    char folder[FOLDER_SIZE];
    char expected[] = "a [0,1000) 1 2 4\nb [0,1000) 3 5 7\na [0,1000) 1 2 4 6 8 9\n";
    SCRIPT(E("a", 0, 1), E("a", 0, 2), E("b", 0, 3), E("a", 0, 4), E("b", 0, 5), E("a", 0, 6),
           E("b", 0, 7), E("a", 0, 8), E("a", 0, 9));
    st_windows windows = ST_SESSION(1000, .processing_time = true, .trigger = ST_ON_COUNT(3));
    uint32_t to = 1 + (uint32_t)_i;
    folder_make(folder);
    story[0] = '\0';
    run_part(folder, false, 1 + to % 3, &script, 0, to, windows);
    run_part(folder, true, 3 - to % 3, &script, to, script.count, windows);
    expect_same_lines(expected, "restored");
    folder_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sessions and the clock");
    TCase *tc = tcase_create("sessions");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_window_of_the_clock_ends_where_the_clock_says);
    tcase_add_test(tc, sliding_windows_of_the_clock);
    tcase_add_test(tc, sessions_of_the_clock_end_when_it_has_been_quiet);
    tcase_add_test(tc, the_end_of_the_input_fires_no_timer_of_the_clock);
    tcase_add_test(tc, timers_of_the_clock_fire_in_order_once_and_not_before_their_time);
    tcase_add_test(tc, a_trigger_of_the_clock_fires_on_the_way);
    tcase_add_test(tc, a_trigger_of_time_gives_what_sessions_give_without);
    tcase_add_test(tc, counts_come_together_when_sessions_merge);
    tcase_add_test(tc, a_session_fires_on_its_way_as_it_grows);
    tcase_add_test(tc, timers_of_a_session_that_has_merged_are_passed_over);
    tcase_add_test(tc, a_trigger_that_cannot_merge_is_refused);
    tcase_add_loop_test(tc, sessions_go_on_where_a_checkpoint_was, 0, 8);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
