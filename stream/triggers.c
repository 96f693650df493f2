/*
 * The triggers that come with the runtime: functions as a user's trigger has them.
 *
 * Source: Flink CountTrigger, EventTimeTrigger, ProcessingTimeTrigger, ContinuousEventTimeTrigger,
 * ContinuousProcessingTimeTrigger.
 */
#include "stream/stream.h"

static enum st_trigger_result go_on(st_context *ctx, void *state, int64_t argument, int64_t time_ms)
{
    (void)ctx, (void)state, (void)argument, (void)time_ms;
    return ST_CONTINUE;
}

/* --------------------------------------------------------------------------------------- Count */

static enum st_trigger_result count_element(st_context *ctx, void *state, int64_t argument,
                                            const void *record)
{
    int64_t *count = state;
    (void)ctx, (void)record;
    if (++*count < argument) {
        return ST_CONTINUE;
    }
    *count = 0;
    return ST_FIRE;
}

static void count_merge(st_context *ctx, void *state, int64_t argument, const void *merged)
{
    const int64_t *other = merged;
    int64_t *count = state;
    (void)ctx, (void)argument;
    *count += *other;
}

const st_trigger_functions st_count_trigger = {.name = "count",
                                               .state_size = sizeof(int64_t),
                                               .on_element = count_element,
                                               .on_event_time = go_on,
                                               .on_processing_time = go_on,
                                               .on_merge = count_merge};

/* ------------------------------------------------------------------------- The end of a window */

/* The last moment of the window at hand. */
static int64_t last_of(const st_context *ctx)
{
    int64_t end = st_window_end(ctx);
    return end == ST_TIME_MAX ? ST_TIME_MAX : (int64_t)((uint64_t)end - 1); /* see cells.h */
}

static enum st_trigger_result event_element(st_context *ctx, void *state, int64_t argument,
                                            const void *record)
{
    (void)state, (void)argument, (void)record;
    if (last_of(ctx) <= st_watermark(ctx)) {
        return ST_FIRE;
    }
    st_set_event_timer(ctx, last_of(ctx));
    return ST_CONTINUE;
}

static enum st_trigger_result event_at_end(st_context *ctx, void *state, int64_t argument,
                                           int64_t time_ms)
{
    (void)state, (void)argument;
    return time_ms == last_of(ctx) ? ST_FIRE : ST_CONTINUE;
}

static void event_merge(st_context *ctx, void *state, int64_t argument, const void *merged)
{
    (void)state, (void)argument, (void)merged;
    if (last_of(ctx) > st_watermark(ctx)) {
        st_set_event_timer(ctx, last_of(ctx));
    }
}

static void event_clear(st_context *ctx, void *state, int64_t argument)
{
    (void)state, (void)argument;
    st_delete_event_timer(ctx, last_of(ctx));
}

const st_trigger_functions st_event_time_trigger = {.name = "event time",
                                                    .on_element = event_element,
                                                    .on_event_time = event_at_end,
                                                    .on_processing_time = go_on,
                                                    .on_merge = event_merge,
                                                    .clear = event_clear};

static enum st_trigger_result processing_element(st_context *ctx, void *state, int64_t argument,
                                                 const void *record)
{
    (void)state, (void)argument, (void)record;
    st_set_processing_timer(ctx, last_of(ctx));
    return ST_CONTINUE;
}

static enum st_trigger_result fire_always(st_context *ctx, void *state, int64_t argument,
                                          int64_t time_ms)
{
    (void)ctx, (void)state, (void)argument, (void)time_ms;
    return ST_FIRE;
}

static void processing_merge(st_context *ctx, void *state, int64_t argument, const void *merged)
{
    (void)state, (void)argument, (void)merged;
    if (last_of(ctx) > st_now(ctx)) {
        st_set_processing_timer(ctx, last_of(ctx));
    }
}

static void processing_clear(st_context *ctx, void *state, int64_t argument)
{
    (void)state, (void)argument;
    st_delete_processing_timer(ctx, last_of(ctx));
}

const st_trigger_functions st_processing_time_trigger = {.name = "processing time",
                                                         .on_element = processing_element,
                                                         .on_event_time = go_on,
                                                         .on_processing_time = fire_always,
                                                         .on_merge = processing_merge,
                                                         .clear = processing_clear};

/* ---------------------------------------------------------------------------------- Continuous */

/* When the window fires next. */
struct next_fire {
    int64_t time;
    int64_t is_set;
};

/* The next multiple of the interval behind `time`, at most the window's last moment. */
static int64_t set_next(st_context *ctx, struct next_fire *next, int64_t time, int64_t interval)
{
    int64_t last = last_of(ctx);
    *next = (struct next_fire){time > last - interval ? last : time + interval, 1};
    return next->time;
}

/* Of two windows the one that fires first. */
static void merge_next(struct next_fire *next, const struct next_fire *merged)
{
    if (merged->is_set != 0 && (next->is_set == 0 || merged->time < next->time)) {
        *next = *merged;
    }
}

static enum st_trigger_result continuous_event_element(st_context *ctx, void *state,
                                                       int64_t argument, const void *record)
{
    struct next_fire *next = state;
    int64_t time = st_timestamp(ctx);
    (void)record;
    if (last_of(ctx) <= st_watermark(ctx)) {
        return ST_FIRE;
    }
    st_set_event_timer(ctx, last_of(ctx));
    if (next->is_set == 0) {
        st_set_event_timer(ctx, set_next(ctx, next, time - time % argument, argument));
    }
    return ST_CONTINUE;
}

static enum st_trigger_result continuous_event_time(st_context *ctx, void *state, int64_t argument,
                                                    int64_t time_ms)
{
    struct next_fire *next = state;
    if (time_ms == last_of(ctx)) {
        return ST_FIRE;
    }
    if (next->is_set == 0 || next->time != time_ms) {
        return ST_CONTINUE;
    }
    if (last_of(ctx) == ST_TIME_MAX && st_watermark(ctx) == ST_TIME_MAX) {
        return ST_FIRE; /* the end of a global window, which would fire for ever */
    }
    st_set_event_timer(ctx, set_next(ctx, next, time_ms, argument));
    return ST_FIRE;
}

static void continuous_event_merge(st_context *ctx, void *state, int64_t argument,
                                   const void *merged)
{
    struct next_fire *next = state;
    (void)argument;
    merge_next(next, merged);
    if (next->is_set != 0) {
        st_set_event_timer(ctx, next->time);
    }
}

static void continuous_event_clear(st_context *ctx, void *state, int64_t argument)
{
    const struct next_fire *next = state;
    (void)argument;
    if (next->is_set != 0) {
        st_delete_event_timer(ctx, next->time);
    }
}

const st_trigger_functions st_continuous_event_time_trigger = {
    .name = "continuous event time",
    .state_size = sizeof(struct next_fire),
    .on_element = continuous_event_element,
    .on_event_time = continuous_event_time,
    .on_processing_time = go_on,
    .on_merge = continuous_event_merge,
    .clear = continuous_event_clear};

static enum st_trigger_result continuous_processing_element(st_context *ctx, void *state,
                                                            int64_t argument, const void *record)
{
    struct next_fire *next = state;
    int64_t now = st_now(ctx);
    (void)record;
    if (next->is_set == 0) {
        st_set_processing_timer(ctx, set_next(ctx, next, now - now % argument, argument));
    }
    return ST_CONTINUE;
}

static enum st_trigger_result continuous_processing_time(st_context *ctx, void *state,
                                                         int64_t argument, int64_t time_ms)
{
    struct next_fire *next = state;
    if (next->is_set == 0 || next->time != time_ms) {
        return ST_CONTINUE;
    }
    st_set_processing_timer(ctx, set_next(ctx, next, time_ms, argument));
    return ST_FIRE;
}

static void continuous_processing_merge(st_context *ctx, void *state, int64_t argument,
                                        const void *merged)
{
    struct next_fire *next = state;
    (void)argument;
    merge_next(next, merged);
    if (next->is_set != 0) {
        st_set_processing_timer(ctx, next->time);
    }
}

static void continuous_processing_clear(st_context *ctx, void *state, int64_t argument)
{
    const struct next_fire *next = state;
    (void)argument;
    if (next->is_set != 0) {
        st_delete_processing_timer(ctx, next->time);
    }
}

const st_trigger_functions st_continuous_processing_time_trigger = {
    .name = "continuous processing time",
    .state_size = sizeof(struct next_fire),
    .on_element = continuous_processing_element,
    .on_event_time = go_on,
    .on_processing_time = continuous_processing_time,
    .on_merge = continuous_processing_merge,
    .clear = continuous_processing_clear};
