/*
 * Triggers, watermarks of one's own, a broadcast stream beside a keyed one. All in steps, so that
 * what comes out, and in which order, is exact; each with checkpoints on the way restored as well.
 *
 * What is expected follows from Flink's classes: CountTrigger, PurgingTrigger,
 * ContinuousEventTimeTrigger, WindowOperator, KeyedBroadcastProcessFunction.
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

ST_TIMESTAMP(time_of, event)
{
    return in->time;
}

ST_TAG(late, event);

ST_WINDOW(values, event, st_str)
{
    const st_str *key = st_key(ctx);
    st_str line =
        st_format(ctx, "%.*s", key != NULL ? (int)key->size : 1, key != NULL ? key->data : "*");
    if (st_window_end(ctx) != ST_TIME_MAX) {
        line = st_format(ctx, "%.*s [%" PRId64 ",%" PRId64 ")", (int)line.size, line.data,
                         st_window_start(ctx), st_window_end(ctx));
    }
    for (uint32_t i = 0; i < count; i++) {
        line = st_format(ctx, "%.*s %" PRId64, (int)line.size, line.data, in[i].value);
    }
    st_emit(out, &line);
}

static char story[4096];

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

ST_WINDOW(first_of, event, event)
{
    (void)count;
    st_emit(out, in);
}

#define E(k, t, v) ((event){ST_STR(k), (t), (v)})

/* Runs `s` in the windows; what came out is the story. */
static void run(st_env *env, st_stream *s, st_windows windows)
{
    windows.late = &late;
    s = st_process_window(st_window(s, windows), values);
    st_sink(s, tell_line);
    st_sink(st_side_output(s, late), tell_late);
    story[0] = '\0';
    st_env_run_in_steps(env);
    ck_assert_msg(st_execute(env, "windows") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
}

static st_stream *timed(st_env *env, const event *events, uint32_t count)
{
    st_stream *s = st_from_array(env, event, events, count);
    return st_key_by(st_assign_timestamps(s, time_of, .every_record = true), ST_KEY(event, key));
}

static st_stream *untimed(st_env *env, const event *events, uint32_t count)
{
    return st_key_by(st_from_array(env, event, events, count), ST_KEY(event, key));
}

static event seven[7];

static void with_seven(void)
{
    const event all[7] = {E("a", 100, 1),  E("b", 200, 2),  E("a", 300, 3), E("a", 900, 4),
                          E("a", 1100, 5), E("b", 1200, 6), E("a", 2500, 7)};
    memcpy(seven, all, sizeof all);
}

START_TEST(a_count_without_purge_accumulates)
{
    with_seven();
    st_env *env = st_env_new();
    run(env, untimed(env, seven, 7), ST_GLOBAL(.trigger = ST_ON_COUNT(2)));
    ck_assert_str_eq(story, "a 1 3\n"
                            "a 1 3 4 5\n"
                            "b 2 6\n");
}
END_TEST

START_TEST(a_count_that_purges_begins_anew)
{
    with_seven();
    st_env *env = st_env_new();
    run(env, untimed(env, seven, 7), ST_GLOBAL(.trigger = ST_ON_COUNT(2, .purging = true)));
    ck_assert_str_eq(story, "a 1 3\n"
                            "a 4 5\n"
                            "b 2 6\n");
}
END_TEST

/* The count takes the place of the end: what has not reached it is not put out. */
START_TEST(a_count_in_a_window_of_time)
{
    with_seven();
    st_env *env = st_env_new();
    run(env, timed(env, seven, 7), ST_TUMBLING(1000, .trigger = ST_ON_COUNT(2)));
    ck_assert_str_eq(story, "a [0,1000) 1 3\n");
}
END_TEST

START_TEST(a_window_fires_on_its_way_and_at_its_end)
{
    with_seven();
    st_env *env = st_env_new();
    run(env, timed(env, seven, 7), ST_TUMBLING(1000, .trigger = ST_ON_INTERVAL(300)));
    ck_assert_str_eq(story, "a [0,1000) 1 3 4\n" /* 300, when the watermark is 899 */
                            "b [0,1000) 2\n"
                            "a [0,1000) 1 3 4\n" /* 600 */
                            "b [0,1000) 2\n"
                            "a [0,1000) 1 3 4\n" /* 900 <= 1099 */
                            "b [0,1000) 2\n"
                            "a [0,1000) 1 3 4\n" /* the end */
                            "b [0,1000) 2\n"
                            "a [1000,2000) 5\n" /* 1200; b begins with 1500 */
                            "b [1000,2000) 6\n"
                            "a [1000,2000) 5\n"
                            "b [1000,2000) 6\n" /* 1800 */
                            "a [1000,2000) 5\n"
                            "a [1000,2000) 5\n" /* the end */
                            "b [1000,2000) 6\n"
                            "a [2000,3000) 7\n" /* 2700 and the end */
                            "a [2000,3000) 7\n");
}
END_TEST

START_TEST(late_records_fire_again_until_their_window_is_forgotten)
{
    static event events[6];
    const event all[6] = {E("a", 500, 1),  E("a", 1200, 2), E("a", 700, 3),
                          E("a", 1600, 4), E("a", 800, 5),  E("a", 1300, 6)};
    memcpy(events, all, sizeof all);
    st_env *env = st_env_new();
    run(env, timed(env, events, 6),
        ST_TUMBLING(1000, .lateness_ms = 500, .trigger = ST_ON_EVENT_TIME()));
    ck_assert_str_eq(story, "a [0,1000) 1\n"
                            "a [0,1000) 1 3\n"
                            "late a 5\n"
                            "a [1000,2000) 2 4 6\n");
}
END_TEST

START_TEST(a_trigger_of_time_gives_what_windows_give_without)
{
    static event events[400];
    static char expected[sizeof story];
    for (int64_t round = 0; round < 6; round++) {
        for (int64_t i = 0; i < 60; i++) {
            int64_t z = (i + 1) * (round * 7 + 131) * 48271 % 2147483647;
            events[i] = (event){z % 2 == 0 ? ST_STR("a") : ST_STR("b"), i * 40 - z / 7 % 700, i};
        }
        for (int with = 0; with < 2; with++) {
            st_env *env = st_env_new();
            st_windows w = round % 2 == 0 ? ST_TUMBLING(500, .offset_ms = 30)
                                          : ST_SLIDING(500, 250, .lateness_ms = 200);
            if (with != 0) {
                w.trigger = ST_ON_EVENT_TIME();
            }
            run(env, timed(env, events, 60), w);
            if (with == 0) {
                memcpy(expected, story, sizeof story);
            }
        }
        /* Keys may come in another order: each line has to be there as often. */
        ck_assert_uint_eq(strlen(story), strlen(expected));
        for (char *line = strtok(expected, "\n"); line != NULL; line = strtok(NULL, "\n")) {
            char *at = strstr(story, line);
            ck_assert_msg(at != NULL, "round %" PRId64 ": %s\n%s", round, line, story);
            memset(at, '#', strlen(line));
        }
    }
}
END_TEST

/* -------------------------------------------------------------------------------- One of one's own
 */

/* Fires when values have summed up to the argument, and at a moment of the clock, 150 ms after the
 * first. */
static enum st_trigger_result sum_element(st_context *ctx, void *state, int64_t limit,
                                          const void *record)
{
    int64_t *sum = state;
    if (*sum == 0) {
        st_set_event_timer(ctx, st_timestamp(ctx) + 150);
    }
    *sum += ((const event *)record)->value;
    if (*sum < limit) {
        return ST_CONTINUE;
    }
    *sum = 0;
    return ST_FIRE_AND_PURGE;
}

static enum st_trigger_result sum_time(st_context *ctx, void *state, int64_t limit, int64_t time_ms)
{
    (void)ctx, (void)state, (void)limit, (void)time_ms;
    return ST_FIRE;
}

static const st_trigger_functions sum_trigger = {.name = "sum",
                                                 .state_size = sizeof(int64_t),
                                                 .on_element = sum_element,
                                                 .on_event_time = sum_time,
                                                 .on_processing_time = sum_time};

START_TEST(a_trigger_of_ones_own_has_state_and_timers)
{
    with_seven();
    st_env *env = st_env_new();
    run(env, timed(env, seven, 7), ST_GLOBAL(.trigger = ST_ON(sum_trigger, 8)));
    ck_assert_str_eq(story, "a 1 3\n" /* the timer at 250, when the watermark is 299 */
                            "a 1 3 4\n"
                            "b 2\n" /* that at 350, when it is 899 */
                            "b 2 6\n"
                            "a 5 7\n");
}
END_TEST

START_TEST(a_global_window_without_a_trigger_is_told)
{
    st_env *env = st_env_new();
    with_seven();
    st_window(untimed(env, seven, 7), ST_GLOBAL());
    ck_assert_int_eq(st_execute(env, "mistaken"), ST_ERR_GRAPH);
    ck_assert_ptr_nonnull(strstr(st_env_error(env), "give it a trigger"));
    st_env_free(env);
}
END_TEST

/* Run to the end of the first part, whose last checkpoint the second part begins with: the same as
 * in one run. */
static void run_part(const char *folder, bool restore, uint32_t parallelism, uint32_t from,
                     uint32_t to, st_windows windows)
{
    st_env *env = st_env_new();
    st_env_set(env, "execution.checkpointing.interval", "1h");
    st_env_set(env, "execution.checkpointing.dir", folder);
    if (restore) {
        st_env_set(env, "execution.savepoint.path", folder);
        st_env_set(env, "execution.savepoint.ignore-unclaimed-state", "true");
    }
    st_stream *s =
        st_from_array(env, event, seven + from, to - from, .uid = restore ? "second" : "first");
    s = st_process_window(st_window(st_key_by(s, ST_KEY(event, key)), windows), values,
                          .uid = "windows", .parallelism = parallelism);
    st_sink(s, tell_line, .parallelism = 1, .uid = "sink");
    st_env_run_in_steps(env);
    ck_assert_msg(st_execute(env, "windows") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
}

START_TEST(a_trigger_goes_on_where_a_checkpoint_was)
{
    char folder[FOLDER_SIZE];
    with_seven();
    folder_make(folder);
    story[0] = '\0';
    run_part(folder, false, 1 + (uint32_t)_i % 3, 0, 2 + (uint32_t)_i,
             ST_GLOBAL(.trigger = ST_ON_COUNT(2)));
    run_part(folder, true, 3 - (uint32_t)_i % 3, 2 + (uint32_t)_i, 7,
             ST_GLOBAL(.trigger = ST_ON_COUNT(2)));
    for (const char *line = "a 1 3\na 1 3 4 5\nb 2 6\n"; *line != '\0';
         line = strchr(line, '\n') + 1) {
        char one[32];
        snprintf(one, sizeof one, "%.*s", (int)(strchr(line, '\n') + 1 - line), line);
        ck_assert_msg(strstr(story, one) != NULL, "%s is not in\n%s", one, story);
    }
    ck_assert_uint_eq(strlen(story), strlen("a 1 3\na 1 3 4 5\nb 2 6\n"));
    folder_remove(folder);
}
END_TEST

/* -------------------------------------------------------------------------------------- Watermarks
 */

/* Punctuated: a value of 0 says that all up to its time has come. */
static int64_t at_zero(void *self, const void *record, int64_t time_ms)
{
    int64_t *count = self;
    ++*count;
    return ((const event *)record)->value == 0 ? time_ms : ST_TIME_MIN;
}

static const st_watermark_generator punctuated = {sizeof(int64_t), at_zero, NULL};

START_TEST(watermarks_by_punctuation)
{
    static event events[6];
    const event all[6] = {E("a", 500, 1), E("a", 1500, 2), E("a", 700, 3),
                          E("a", 999, 0), E("a", 400, 4),  E("a", 1600, 5)};
    memcpy(events, all, sizeof all);
    st_env *env = st_env_new();
    st_stream *s = st_from_array(env, event, events, 6);
    s = st_assign_timestamps(s, time_of, .generator = &punctuated);
    run(env, st_key_by(s, ST_KEY(event, key)), ST_TUMBLING(1000));
    ck_assert_str_eq(story, "a [0,1000) 1 3 0\n"
                            "late a 4\n"
                            "a [1000,2000) 2 5\n");
}
END_TEST

/* Periodic, half a second behind the largest time: the source's records come by the clock. */
static int64_t largest(void *self, const void *record, int64_t time_ms)
{
    int64_t *max = self;
    (void)record;
    *max = time_ms > *max ? time_ms : *max;
    return ST_TIME_MIN;
}

static int64_t half_a_second_behind(void *self)
{
    return *(const int64_t *)self - 500;
}

static const st_watermark_generator lazy = {sizeof(int64_t), largest, half_a_second_behind};

ST_SOURCE(by_the_clock, event)
{
    int64_t *next = ctx->self;
    while (*next <= 30 && *next * 100 <= st_now(ctx)) {
        st_emit(out, &((event){ST_STR("a"), *next * 100, *next}));
        ++*next;
    }
    return *next <= 30 ? ST_IDLE : ST_END;
}

ST_PROCESS(tell_watermark, event, st_str)
{
    if (in->value % 10 == 9) {
        st_str line = st_format(ctx, "%" PRId64 " at %" PRId64 ": %" PRId64, in->value, st_now(ctx),
                                st_watermark(ctx));
        st_emit(out, &line);
    }
}

static void run_by_the_clock(st_stream *(*with_times)(st_stream *s))
{
    st_env *env = st_env_new();
    st_stream *s = with_times(st_from_source(env, by_the_clock, .self_size = sizeof(int64_t)));
    st_sink(st_process(s, tell_watermark), tell_line);
    story[0] = '\0';
    st_env_run_in_steps(env);
    ck_assert_msg(st_execute(env, "clock") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
}

static st_stream *lazily(st_stream *s)
{
    return st_assign_timestamps(s, time_of, .generator = &lazy);
}

static st_stream *ingested(st_stream *s)
{
    return st_assign_ingestion_time(s);
}

START_TEST(watermarks_by_the_clock)
{
    run_by_the_clock(lazily);
    ck_assert_str_eq(story, "9 at 900: 200\n"
                            "19 at 1900: 1200\n"
                            "29 at 2900: 2200\n");
}
END_TEST

START_TEST(ingestion_time_follows_the_clock)
{
    run_by_the_clock(ingested);
    ck_assert_str_eq(story, "9 at 900: 799\n"
                            "19 at 1900: 1799\n"
                            "29 at 2900: 2799\n");
}
END_TEST

/* Of two subtasks the second has had a record, at 9000, when the checkpoint was made. */
static bool begins_anew;

ST_SOURCE(second_subtask_only, event)
{
    int64_t *next = ctx->self;
    if (begins_anew) {
        st_emit(out, &((event){ST_STR("a"), 5000 + *next, 8 + *next}));
        return ++*next < 2 ? ST_MORE : ST_END;
    }
    if (ctx->subtask == 1 && ++*next == 1) {
        st_emit(out, &((event){ST_STR("a"), 9000, 1}));
    }
    return ST_IDLE;
}

static void enough(st_context *ctx, int64_t checkpoint_id)
{
    if (checkpoint_id == 2) {
        st_fail(ctx, "enough");
    }
}

static void run_with_silent_subtask(const char *folder, uint32_t parallelism)
{
    st_env *env = st_env_new();
    st_env_set(env, "execution.checkpointing.interval", "10ms");
    st_env_set(env, "execution.checkpointing.dir", folder);
    if (begins_anew) {
        st_env_set(env, "execution.savepoint.path", folder);
    }
    st_stream *s =
        st_from_source(env, second_subtask_only, .parallelism = parallelism,
                       .self_size = sizeof(int64_t), .notify_checkpoint_complete = enough);
    s = st_assign_timestamps(s, time_of, .every_record = true);
    st_sink(st_process(s, tell_watermark, .parallelism = parallelism), tell_line, .parallelism = 1);
    st_env_run_in_steps(env);
    ck_assert_int_eq(st_execute(env, "silent"), begins_anew ? ST_OK : ST_ERR_FAILED);
    st_env_free(env);
}

START_TEST(a_subtask_without_records_holds_back_what_is_restored_at_another_parallelism)
{
    char folder[FOLDER_SIZE];
    folder_make(folder);
    story[0] = '\0';
    run_with_silent_subtask(folder, 2);
    begins_anew = true;
    run_with_silent_subtask(folder, 1);
    ck_assert_ptr_nonnull(strstr(story, ": 4999\n")); /* what the record before it brought */
    folder_remove(folder);
}
END_TEST

static int polls;

/* Three records, a second apart; it says when it wants to be asked. */
ST_SOURCE(once_a_second, event)
{
    int64_t *next = ctx->self;
    polls++;
    if (st_now(ctx) < *next * 1000) {
        st_poll_at(ctx, *next * 1000);
        return ST_IDLE;
    }
    st_emit(out, &((event){ST_STR("a"), *next * 1000, 9}));
    return ++*next < 3 ? ST_MORE : ST_END;
}

START_TEST(a_source_says_when_to_be_asked_again)
{
    for (int in_steps = 0; in_steps < 2; in_steps++) {
        st_env *env = st_env_new();
        st_stream *s = st_from_source(env, once_a_second, .self_size = sizeof(int64_t));
        if (in_steps != 0) {
            st_sink(st_process(s, tell_watermark), tell_line);
            st_env_run_in_steps(env);
        } else {
            st_discard(s); /* by the real clock all of it is due */
        }
        polls = 0;
        story[0] = '\0';
        ck_assert_msg(st_execute(env, "seconds") == ST_OK, "%s", st_env_error(env));
        ck_assert_int_eq(polls, in_steps != 0 ? 5 : 3);
        st_env_free(env);
    }
    ck_assert_ptr_nonnull(strstr(story, "9 at 2000: "));
}
END_TEST

/* ----------------------------------------------------------------------------------------- The end
 */

ST_PROCESS(pass_on, event, event)
{
    st_emit(out, in);
}

static void two_more(st_context *ctx ST_UNUSED, st_out *out)
{
    st_emit(out, &E("a", 5000, 8));
    st_emit(out, &E("a", 7000, 9));
}

/* The end of time passes before; timestamps that are assigned behind it do not bring it back.
 * Source: Flink StreamTask.endData, TimestampsAndWatermarksOperator.WatermarkEmitter. */
START_TEST(what_is_put_out_at_the_end_is_late)
{
    with_seven();
    st_env *env = st_env_new();
    st_stream *s = st_process(st_from_array(env, event, seven, 1), pass_on, .end = two_more);
    s = st_assign_timestamps(s, time_of, .every_record = _i == 1);
    run(env, st_key_by(s, ST_KEY(event, key)), ST_TUMBLING(1000));
    ck_assert_str_eq(story, "a [0,1000) 1\nlate a 8\nlate a 9\n");
}
END_TEST

/* ------------------------------------------------------------------------------- Ends of time */

static st_windows any_windows(int i)
{
    return i == 0   ? ST_TUMBLING(1000)
           : i == 1 ? ST_SLIDING(1000, 250)
           : i == 2 ? ST_SLIDING(1000, 300)
           : i == 3 ? ST_TUMBLING(1000, .trigger = ST_ON_EVENT_TIME())
           : i == 4 ? ST_SESSION(1000)
                    : ST_SESSION(1000, .trigger = ST_ON_EVENT_TIME());
}

/* Whatever their times are, and with whatever else they come in one batch. */
START_TEST(elements_come_in_the_order_in_which_they_came)
{
    const event events[] = {E("a", 700, 1), E("a", 100, 2),  E("a", 1300, 3),
                            E("a", 800, 4), E("a", 1100, 5), E("a", -100, 6)};
    st_env *env = st_env_new();
    st_stream *s = st_assign_timestamps(st_from_array(env, event, events, 6), time_of);
    run(env, st_key_by(s, ST_KEY(event, key)), ST_SLIDING(1000, 250));
    ck_assert_str_eq(story, "a [-1000,0) 6\n"
                            "a [-750,250) 2 6\n"
                            "a [-500,500) 2 6\n"
                            "a [-250,750) 1 2 6\n"
                            "a [0,1000) 1 2 4\n"
                            "a [250,1250) 1 4 5\n"
                            "a [500,1500) 1 3 4 5\n"
                            "a [750,1750) 3 4 5\n"
                            "a [1000,2000) 3 5\n"
                            "a [1250,2250) 3\n");
}
END_TEST

/* Their windows would begin before the beginning of time. A session begins with its record. */
START_TEST(times_whose_windows_would_begin_before_time_are_late)
{
    const event events[] = {E("a", ST_TIME_MIN + 1, 1), E("a", 100, 2),
                            E("a", ST_TIME_MIN + 999, 3)};
    st_env *env = st_env_new();
    run(env, timed(env, events, 3), any_windows(_i));
    ck_assert_ptr_nonnull(strstr(story, "late a 1\n"));
    ck_assert_ptr_nonnull(strstr(story, "a [0,1000) 2\n"));
    ck_assert_ptr_nonnull(strstr(story, "late a 3\n"));
}
END_TEST

/* They come into no window, and are late only if their time and the lateness lie behind it too. */
START_TEST(times_whose_windows_would_end_behind_time_are_dropped)
{
    const event events[] = {E("a", ST_TIME_MAX - 5, 4), E("a", ST_TIME_MAX, 5)};
    st_windows windows = any_windows(_i % 6);
    windows.lateness_ms = _i < 6 ? 0 : 5;
    st_env *env = st_env_new();
    run(env, timed(env, events, 2), windows);
    ck_assert_str_eq(story, _i < 6 ? "" : "late a 5\n");
}
END_TEST

START_TEST(records_without_timestamps_do_not_go_into_windows_of_event_time)
{
    const event events[] = {E("a", 100, 1), E("a", ST_TIME_MIN, 2)};
    st_env *env = st_env_new();
    st_stream *s = st_window(timed(env, events, 2), any_windows(_i));
    st_sink(st_process_window(s, values), tell_line);
    ck_assert_int_eq(st_execute(env, "untimed"), ST_ERR_FAILED);
    ck_assert_msg(strstr(st_env_error(env), "a record without a timestamp") != NULL, "%s",
                  st_env_error(env));
    st_env_free(env);
}
END_TEST

/* What a window of counts puts out is of the end of time. Source: Flink GlobalWindow. */
START_TEST(windows_behind_windows_of_counts_come_to_an_end)
{
    with_seven();
    st_env *env = st_env_new();
    st_stream *counted = st_window(timed(env, seven, 7), ST_COUNT_WINDOW(2));
    st_stream *s = st_key_by(st_process_window(counted, first_of), ST_KEY(event, key));
    st_windows windows = any_windows(_i);
    windows.lateness_ms = 1;
    run(env, s, windows);
    ck_assert_str_eq(story, "late a 1\nlate a 4\nlate b 2\n");
}
END_TEST

/* ------------------------------------------------------------------------------- Side outputs */

ST_TAG(aside, event);

ST_MAP(map_aside, event, event)
{
    st_emit_side(ctx, aside, in);
    *out = *in;
}

ST_FILTER(filter_aside, event)
{
    st_emit_side(ctx, aside, in);
    return false;
}

ST_PROCESS(process_aside, event, event)
{
    st_emit_side(ctx, aside, in);
    st_emit(out, in);
}

static int64_t asides;

ST_SINK(check_time, event)
{
    ck_assert_int_eq(st_timestamp(ctx), in->time);
    asides++;
}

START_TEST(a_side_output_has_the_timestamp_of_its_record)
{
    with_seven();
    st_env *env = st_env_new();
    st_stream *s = timed(env, seven, 7);
    s = _i == 0   ? st_map(s, map_aside)
        : _i == 1 ? st_filter(s, filter_aside)
                  : st_process(s, process_aside);
    st_discard(s);
    st_sink(st_side_output(s, aside), check_time);
    asides = 0;
    st_env_run_in_steps(env);
    ck_assert_msg(st_execute(env, "aside") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
    ck_assert_int_eq(asides, 7);
}
END_TEST

/* One record, and an end behind all timers of processing time. */
ST_SOURCE(one_and_wait, event)
{
    bool *is_out = ctx->self;
    if (!*is_out) {
        *is_out = true;
        st_emit(out, &E("a", 700, 1));
    }
    st_poll_at(ctx, 1000);
    return st_now(ctx) < 1000 ? ST_IDLE : ST_END;
}

ST_PROCESS(set_both, event, event)
{
    st_set_event_timer(ctx, 800);
    st_set_processing_timer(ctx, 500);
}

static void tell_timer(st_context *ctx, int64_t time_ms, st_out *out)
{
    event e = {*(const st_str *)st_key(ctx), st_timestamp(ctx), st_timer_is_of_event_time(ctx)};
    ck_assert_int_eq(e.time, time_ms);
    st_emit(out, &e);
    st_emit_side(ctx, aside, &e);
}

ST_PROCESS(tell_timestamp, event, st_str)
{
    st_str at = st_timestamp(ctx) == ST_TIME_MIN ? ST_STR("none")
                                                 : st_format(ctx, "%" PRId64, st_timestamp(ctx));
    st_str line = st_format(ctx, "%s %" PRId64 ": %.*s", in->value != 0 ? "event" : "clock",
                            in->time, (int)at.size, at.data);
    st_emit(out, &line);
}

/* But what one of processing time puts out has none. Source: Flink KeyedProcessOperator. */
START_TEST(a_timer_has_its_time_as_timestamp)
{
    st_env *env = st_env_new();
    st_stream *s = st_from_source(env, one_and_wait, .self_size = sizeof(bool));
    s = st_key_by(st_assign_timestamps(s, time_of), ST_KEY(event, key));
    s = st_process(s, set_both, .on_timer = tell_timer);
    st_sink(st_process(s, tell_timestamp), tell_line);
    st_sink(st_process(st_side_output(s, aside), tell_timestamp), tell_line);
    story[0] = '\0';
    st_env_run_in_steps(env);
    ck_assert_msg(st_execute(env, "timers") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
    ck_assert_str_eq(story, "clock 500: none\nclock 500: 500\nevent 800: 800\nevent 800: 800\n");
}
END_TEST

/* -------------------------------------------------------------------------------------- Two inputs
 */

ST_PROCESS(tell_left, event, st_str)
{
    int64_t watermark = st_watermark(ctx) != ST_TIME_MIN ? st_watermark(ctx) : -1;
    st_str line = st_format(ctx, "left %" PRId64 " at %" PRId64, in->value, watermark);
    st_emit(out, &line);
}

ST_PROCESS(tell_right, event, st_str)
{
    st_str line = st_format(ctx, "right %" PRId64, in->value);
    st_emit(out, &line);
}

/* As Flink 1.17.2 reads them: a record or watermark of each, the first input first. */
START_TEST(two_inputs_are_read_in_turn)
{
    bool keyed = _i == 1;
    with_seven();
    st_env *env = st_env_new();
    st_stream *left = st_from_array(env, event, seven, 3);
    st_stream *right = st_from_array(env, event, seven + 2, 5);
    if (keyed) { /* and a watermark behind each record that raises it */
        left = timed(env, seven, 3);
        right = timed(env, seven + 2, 5);
    }
    st_sink(st_co_process(st_connect(left, right), tell_left, tell_right), tell_line);
    story[0] = '\0';
    ck_assert_msg(st_execute(env, "turns") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
    ck_assert_str_eq(story, keyed ? "left 1 at -1\nright 3\nleft 2 at 99\nright 4\nleft 3 at 199\n"
                                    "right 5\nright 6\nright 7\n"
                                  : "left 1 at -1\nright 3\nleft 2 at -1\nright 4\nleft 3 at -1\n"
                                    "right 5\nright 6\nright 7\n");
}
END_TEST

/* --------------------------------------------------------------------------------------- Broadcast
 */

ST_BROADCAST_STATE(rules, int64_t, int64_t);
ST_VALUE_STATE(seen, int64_t);

/* How many rules stand below the value, and how many records the key has had. */
ST_PROCESS(apply_rules, event, st_str)
{
    uint32_t count = st_map_count(ctx, &rules), below = 0;
    const int64_t *had = st_value_get(ctx, &seen);
    int64_t now = had != NULL ? *had + 1 : 1;
    uint64_t cursor = 0;
    for (const void *key, *value; st_map_next(ctx, &rules, &cursor, &key, &value);) {
        below += *(const int64_t *)key < in->value ? 1 : 0;
    }
    st_value_set(ctx, &seen, &now);
    st_str line = st_format(ctx, "%.*s %" PRId64 ": %u of %u, record %" PRId64, (int)in->key.size,
                            in->key.data, in->value, below, count, now);
    st_emit(out, &line);
}

static _Atomic int learned; /* by all subtasks */

ST_PROCESS(learn_rule, int64_t, st_str)
{
    learned++;
    ck_assert_ptr_null(st_key(ctx));
    st_map_put(ctx, &rules, in, in);
}

/* The first four of the seven, once all rules are known. */
ST_SOURCE(after_the_rules, event)
{
    int64_t *next = ctx->self;
    if (learned < 2 * 3) {
        return ST_IDLE;
    }
    st_emit(out, &seven[*next]);
    return ++*next < 4 ? ST_MORE : ST_END;
}

START_TEST(rules_are_broadcast_beside_a_keyed_stream)
{
    static const int64_t numbers[] = {2, 4};
    with_seven();
    st_env *env = st_env_new();
    st_stream *all = st_broadcast(st_from_array(env, int64_t, numbers, 2));
    st_stream *s = st_from_source(env, after_the_rules, .self_size = sizeof(int64_t));
    s = st_key_by(s, ST_KEY(event, key));
    s = st_co_process(st_connect(s, all), apply_rules, learn_rule, .states = ST_STATES(&seen),
                      .operator_states = ST_STATES(&rules), .parallelism = 3);
    st_sink(s, tell_line, .parallelism = 1);
    story[0] = '\0';
    ck_assert_msg(st_execute(env, "rules") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
    static const char *const expected[] = {"a 1: 0 of 2, record 1\n", "b 2: 0 of 2, record 1\n",
                                           "a 3: 1 of 2, record 2\n", "a 4: 1 of 2, record 3\n"};
    for (int i = 0; i < 4; i++) {
        ck_assert_msg(strstr(story, expected[i]) != NULL, "%s not in\n%s", expected[i], story);
    }
}
END_TEST

/* How the side that only reads tries to change what the other learns. */
static int64_t meddled; /* with: a put, a removal, everything */

static void meddle(st_context *ctx)
{
    static const int64_t one = 1;
    ck_assert_uint_eq(st_map_count(ctx, &rules), 0);
    if (meddled == 0) {
        st_map_put(ctx, &rules, &one, &one);
    } else if (meddled == 1) {
        st_map_remove(ctx, &rules, &one);
    } else {
        st_state_clear(ctx, &rules);
    }
}

ST_PROCESS(meddle_at_once, event, st_str)
{
    meddle(ctx);
}

ST_PROCESS(meddle_later, event, st_str)
{
    st_set_processing_timer(ctx, st_now(ctx));
}

static void meddle_in_a_timer(st_context *ctx, int64_t time_ms, st_out *out)
{
    (void)time_ms, (void)out;
    meddle(ctx);
}

/* A record, a record of a key, a timer. */
START_TEST(rules_are_only_read_by_who_does_not_hear_them_broadcast)
{
    meddled = _i / 3;
    with_seven();
    st_env *env = st_env_new();
    st_stream *none = st_broadcast(st_from_array(env, int64_t, NULL, 0));
    st_stream *s = st_from_array(env, event, seven, 7);
    s = _i % 3 > 0 ? st_key_by(s, ST_KEY(event, key)) : s;
    s = st_connect(s, none);
    const st_state *const *states = ST_STATES(&rules);
    if (_i % 3 == 2) {
        s = st_co_process(s, meddle_later, learn_rule, .operator_states = states,
                          .on_timer = meddle_in_a_timer);
    } else {
        s = st_co_process(s, meddle_at_once, learn_rule, .operator_states = states);
    }
    st_discard(s);
    ck_assert_int_eq(st_execute(env, "rules"), ST_ERR_FAILED);
    ck_assert_msg(strstr(st_env_error(env),
                         "state rules is changed by what comes by st_broadcast, and read by "
                         "others") != NULL,
                  "%s", st_env_error(env));
    st_env_free(env);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("windows");
    TCase *tc = tcase_create("windows");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_count_without_purge_accumulates);
    tcase_add_test(tc, a_count_that_purges_begins_anew);
    tcase_add_test(tc, a_count_in_a_window_of_time);
    tcase_add_test(tc, a_window_fires_on_its_way_and_at_its_end);
    tcase_add_test(tc, late_records_fire_again_until_their_window_is_forgotten);
    tcase_add_test(tc, a_trigger_of_time_gives_what_windows_give_without);
    tcase_add_test(tc, a_trigger_of_ones_own_has_state_and_timers);
    tcase_add_test(tc, a_global_window_without_a_trigger_is_told);
    tcase_add_loop_test(tc, a_trigger_goes_on_where_a_checkpoint_was, 0, 4);
    tcase_add_test(tc, watermarks_by_punctuation);
    tcase_add_test(tc, watermarks_by_the_clock);
    tcase_add_test(tc, ingestion_time_follows_the_clock);
    tcase_add_test(tc,
                   a_subtask_without_records_holds_back_what_is_restored_at_another_parallelism);
    tcase_add_test(tc, a_source_says_when_to_be_asked_again);
    tcase_add_loop_test(tc, what_is_put_out_at_the_end_is_late, 0, 2);
    tcase_add_test(tc, elements_come_in_the_order_in_which_they_came);
    tcase_add_loop_test(tc, times_whose_windows_would_begin_before_time_are_late, 0, 4);
    tcase_add_loop_test(tc, times_whose_windows_would_end_behind_time_are_dropped, 0, 12);
    tcase_add_loop_test(tc, records_without_timestamps_do_not_go_into_windows_of_event_time, 0, 4);
    tcase_add_loop_test(tc, windows_behind_windows_of_counts_come_to_an_end, 0, 6);
    tcase_add_loop_test(tc, a_side_output_has_the_timestamp_of_its_record, 0, 3);
    tcase_add_test(tc, a_timer_has_its_time_as_timestamp);
    tcase_add_loop_test(tc, two_inputs_are_read_in_turn, 0, 2);
    tcase_add_test(tc, rules_are_broadcast_beside_a_keyed_stream);
    tcase_add_loop_test(tc, rules_are_only_read_by_who_does_not_hear_them_broadcast, 0, 9);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
