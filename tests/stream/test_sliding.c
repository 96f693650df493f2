/*
 * Tumbling and sliding windows against a naive model of Flink's WindowOperator: sizes that are no
 * multiple of the slide, or below it; offsets on both sides; times before the epoch; lateness.
 *
 *     records, some of them with a watermark behind ──► windows ──► a line for each firing
 *                                              └──► the model ──► the same lines, as often
 *
 * Most of a batch has no watermark in it, so both ways through op_slices.c are gone: by batch where
 * nothing can be late, else by record. Each job runs with lists of elements, with an aggregate,
 * with one that merges panes, and with a trigger, which is another operator.
 *
 * Source: Flink SlidingEventTimeWindows.assignWindows, TimeWindow.getWindowStartWithOffset,
 * WindowOperator.processElement (isWindowLate, isElementLate), EventTimeTrigger,
 * ProcessingTimeTrigger.
 */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/stream.h"

#define EVENTS    600
#define LINES_MAX 200000
#define ROUNDS    100
#define KEYS      3

typedef struct {
    int64_t key, time, value;
    int64_t mark; /* the watermark behind it; ST_TIME_MIN: none */
} event;
ST_TYPE(event, key, time, value, mark);

typedef struct {
    int64_t key, count, sum;
} total;
ST_TYPE(total, key, count, sum);

typedef struct {
    int64_t start, end, key, count, sum;
} line;
ST_TYPE(line, start, end, key, count, sum);

static event events[EVENTS];
static line got[LINES_MAX], expected[LINES_MAX];
static uint32_t got_count, expected_count;
static uint64_t state;

static uint64_t draw(uint64_t below)
{
    state = (state + 1) * UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = (state ^ (state >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    return (z ^ (z >> 29)) % below;
}

/* ----------------------------------------------------------------------------------- The model */

struct open_window {
    int64_t start, key, count, sum;
};
static struct open_window open_windows[EVENTS * 128];
static uint32_t open_count;

static void expect(line one)
{
    ck_assert_uint_lt(expected_count, LINES_MAX);
    expected[expected_count++] = one;
}

static void expect_firing(const struct open_window *w, int64_t size)
{
    expect((line){w->start, w->start + size, w->key, w->count, w->sum});
}

static struct open_window *window_at(int64_t start, int64_t key)
{
    for (uint32_t i = 0; i < open_count; i++) {
        if (open_windows[i].start == start && open_windows[i].key == key) {
            return &open_windows[i];
        }
    }
    ck_assert_uint_lt(open_count, EVENTS * 128);
    open_windows[open_count] = (struct open_window){start, key, 0, 0};
    return &open_windows[open_count++];
}

static int64_t start_of(int64_t time, int64_t offset, int64_t slide)
{
    int64_t rest = (time - offset) % slide;
    return time - (rest < 0 ? rest + slide : rest);
}

/* Everything between two watermarks fires. */
static void model_watermark(int64_t size, int64_t from, int64_t to)
{
    for (uint32_t i = 0; i < open_count; i++) {
        int64_t last = open_windows[i].start + size - 1;
        if (last > from && last <= to) {
            expect_firing(&open_windows[i], size);
        }
    }
}

static void model(const st_windows *w)
{
    int64_t slide = w->slide_ms > 0 ? w->slide_ms : w->size_ms, watermark = ST_TIME_MIN;
    open_count = expected_count = 0;
    for (uint32_t e = 0; e < EVENTS; e++) {
        const event *in = &events[e];
        bool skipped = true;
        for (int64_t start = start_of(in->time, w->offset_ms, slide); start > in->time - w->size_ms;
             start -= slide) {
            int64_t last = start + w->size_ms - 1;
            if (last + w->lateness_ms <= watermark) {
                continue;
            }
            struct open_window *one = window_at(start, in->key);
            skipped = false;
            one->count++;
            one->sum += in->value;
            if (last <= watermark) {
                expect_firing(one, w->size_ms);
            }
        }
        if (skipped && in->time + w->lateness_ms <= watermark) {
            expect((line){0, -1, in->key, -1, in->value});
        }
        if (in->mark > watermark) {
            model_watermark(w->size_ms, watermark, in->mark);
            watermark = in->mark;
        }
    }
    model_watermark(w->size_ms, watermark, ST_TIME_MAX);
}

/* -------------------------------------------------------------------------------- The real one */

ST_TIMESTAMP(time_of, event)
{
    return in->time;
}

ST_TAG(late, event);

static int64_t mark_of(void *self, const void *record, int64_t time_ms)
{
    (void)self, (void)time_ms;
    return ((const event *)record)->mark;
}

static const st_watermark_generator marks = {0, mark_of, NULL};

ST_WINDOW(list, event, line)
{
    line one = {st_window_start(ctx), st_window_end(ctx), in[0].key, count, 0};
    for (uint32_t i = 0; i < count; i++) {
        one.sum += in[i].value;
    }
    st_emit(out, &one);
}

ST_FOLD(add, event, total)
{
    acc->key = in->key;
    acc->count++;
    acc->sum += in->value;
}

ST_FOLD(merge, total, total)
{
    acc->key = in->key;
    acc->count += in->count;
    acc->sum += in->sum;
}

ST_MAP(result, total, line)
{
    *out = (line){st_window_start(ctx), st_window_end(ctx), in->key, in->count, in->sum};
}

ST_SINK(take, line)
{
    ck_assert_uint_lt(got_count, LINES_MAX);
    got[got_count++] = *in;
}

ST_SINK(take_late, event)
{
    ck_assert_uint_lt(got_count, LINES_MAX);
    got[got_count++] = (line){0, -1, in->key, -1, in->value};
}

static const char *const ways[] = {"lists", "aggregate", "panes", "trigger"};
enum { WAYS = sizeof ways / sizeof ways[0] };

static void run(st_env *env, st_stream *s, int way, st_windows windows)
{
    windows.late = &late;
    if (way == 3) {
        windows.trigger = windows.processing_time ? ST_ON_PROCESSING_TIME() : ST_ON_EVENT_TIME();
    }
    s = st_window(st_key_by(s, ST_KEY(event, key)), windows);
    s = way == 0   ? st_process_window(s, list)
        : way == 1 ? st_aggregate(s, add, result)
                   : st_aggregate(s, add, result, .merge = &merge);
    st_sink(s, take);
    st_sink(st_side_output(s, late), take_late);
    got_count = 0;
    st_env_run_in_steps(env);
    ck_assert_msg(st_execute(env, "sliding") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
}

static int in_order(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(line));
}

/* The same lines, each as often; keys of a window may come in any order. */
static void compare(const st_windows *w, int way)
{
    qsort(got, got_count, sizeof *got, in_order);
    qsort(expected, expected_count, sizeof *expected, in_order);
    for (uint32_t i = 0; i < got_count && i < expected_count; i++) {
        const line *g = &got[i], *e = &expected[i];
        ck_assert_msg(memcmp(g, e, sizeof *g) == 0,
                      "%s, size %" PRId64 " slide %" PRId64 " offset %" PRId64 " lateness %" PRId64
                      ": got [%" PRId64 ",%" PRId64 ") key %" PRId64 ": %" PRId64 " of %" PRId64
                      ", expected [%" PRId64 ",%" PRId64 ") key %" PRId64 ": %" PRId64
                      " of %" PRId64,
                      ways[way], w->size_ms, w->slide_ms, w->offset_ms, w->lateness_ms, g->start,
                      g->end, g->key, g->count, g->sum, e->start, e->end, e->key, e->count, e->sum);
    }
    ck_assert_msg(got_count == expected_count,
                  "%s, size %" PRId64 " slide %" PRId64 ": %u lines, expected %u", ways[way],
                  w->size_ms, w->slide_ms, got_count, expected_count);
}

static st_windows draw_windows(void)
{
    int64_t size = 1 + (int64_t)draw(40), slide = 1 + (int64_t)draw(draw(3) == 0 ? 60 : 15);
    if (draw(3) == 0) {
        size = slide * (1 + (int64_t)draw(6)); /* panes */
    }
    if (draw(8) == 0) {
        return ST_TUMBLING(size, .offset_ms = (int64_t)draw((uint64_t)size) - size / 2);
    }
    int64_t offset = (int64_t)draw((uint64_t)(2 * slide - 1)) - (slide - 1);
    return ST_SLIDING(size, slide, .offset_ms = offset);
}

static void draw_events(void)
{
    int64_t now = (int64_t)draw(200) - 150, disorder = 1 + (int64_t)draw(60);
    uint64_t seldom = 1 + draw(150);
    for (int64_t e = 0; e < EVENTS; e++) {
        now += (int64_t)draw(4);
        int64_t time = now - (int64_t)draw((uint64_t)disorder);
        int64_t mark = draw(seldom) == 0 ? now - (int64_t)draw((uint64_t)disorder) : ST_TIME_MIN;
        events[e] = (event){(int64_t)draw(KEYS), time, e, mark};
    }
}

START_TEST(any_size_slide_and_offset)
{
    state = (uint64_t)_i << 32;
    draw_events();
    st_windows windows = draw_windows();
    windows.lateness_ms = draw(2) == 0 ? 0 : (int64_t)draw(50);
    for (int way = 0; way < WAYS; way++) {
        st_env *env = st_env_new();
        st_stream *s = st_from_array(env, event, events, EVENTS);
        run(env, st_assign_timestamps(s, time_of, .generator = &marks), way, windows);
        model(&windows);
        compare(&windows, way);
    }
}
END_TEST

/* ----------------------------------------------------------------------------- Processing time */

/* Each record at its time by the clock; the end when all windows are over. */
ST_SOURCE(by_the_clock, event)
{
    int64_t *next = ctx->self;
    while (*next < EVENTS && events[*next].time <= st_now(ctx)) {
        st_emit(out, &events[(*next)++]);
    }
    int64_t until = *next < EVENTS ? events[*next].time : events[EVENTS - 1].time + 1000;
    st_poll_at(ctx, until);
    return *next < EVENTS || st_now(ctx) < until ? ST_IDLE : ST_END;
}

/* A record belongs to each window that holds the moment, its last millisecond included, and each
 * window fires once. */
START_TEST(windows_of_processing_time)
{
    state = ((uint64_t)_i << 32) + 7;
    int64_t now = 0;
    for (int64_t e = 0; e < EVENTS; e++) {
        now += (int64_t)draw(4);
        events[e] = (event){(int64_t)draw(KEYS), now, e, ST_TIME_MIN};
    }
    st_windows windows = draw_windows();
    windows.processing_time = true;
    for (int way = 0; way < WAYS; way++) {
        st_env *env = st_env_new();
        run(env, st_from_source(env, by_the_clock, .self_size = sizeof(int64_t)), way, windows);
        model(&windows);
        compare(&windows, way);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream sliding");
    TCase *tc = tcase_create("sliding");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, any_size_slide_and_offset, 0, ROUNDS);
    tcase_add_loop_test(tc, windows_of_processing_time, 0, ROUNDS);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
