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

const st_trigger_functions st_count_trigger = {"count", sizeof(int64_t), count_element, go_on,
                                               go_on};

/* ------------------------------------------------------------------------- The end of a window */

/* The last moment of the window at hand. */
static int64_t last_of(const st_context *ctx)
{
    int64_t end = st_window_end(ctx);
    return end == ST_TIME_MAX ? ST_TIME_MAX : end - 1;
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

const st_trigger_functions st_event_time_trigger = {"event time", 0, event_element, event_at_end,
                                                    go_on};

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

const st_trigger_functions st_processing_time_trigger = {"processing time", 0, processing_element,
                                                         go_on, fire_always};

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

const st_trigger_functions st_continuous_event_time_trigger = {
    "continuous event time", sizeof(struct next_fire), continuous_event_element,
    continuous_event_time, go_on};

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

const st_trigger_functions st_continuous_processing_time_trigger = {
    "continuous processing time", sizeof(struct next_fire), continuous_processing_element, go_on,
    continuous_processing_time};
