/*
 * Tumbling, sliding, session and global windows that fire when a trigger says so.
 *
 *     table of keys:      key          -> the first of its windows
 *     table of windows:   {key, start} -> | filled, timers, next … | the trigger's state | cell |
 *     timers:             (time, window)
 *
 * Each window of each key is a row of its own with timers of its own, for each may fire at another
 * moment. (Without a trigger all keys of a window fire together: op_slices.c.) A timer keeps the
 * row of its window, so that a row's number is never taken by another window while one is to come.
 * What purges, empties the cell and leaves the trigger's state. Sessions: triggered_sessions.c.
 * In a snapshot, and in a database, all windows of a key are one row: triggered_rows.c.
 *
 * Source: Flink WindowOperator.processElement, onEventTime, onProcessingTime, clearAllState,
 * registerCleanupTimer; PurgingTrigger.
 */
#include "stream/op_triggered.h"

#define TRIGGER_STATE_MAX 256
#define TIMERS_SIZE       128 /* bytes: of a window's timers, about */

static void windows_open(struct triggered *t)
{
    static const st_type type = {"window",
                                 sizeof(struct window_key),
                                 2,
                                 {{"key_row", offsetof(struct window_key, key_row), 8, ST_KIND_I64},
                                  {"start", offsetof(struct window_key, start), 8, ST_KIND_I64}}};
    const st_key_spec both = {
        &type, 2, {offsetof(struct window_key, key_row), offsetof(struct window_key, start)}};
    t->window_reader = key_reader_of(&both);
    struct layout payload = {.size = (uint32_t)sizeof(struct window_head) + t->state_size +
                                     t->cells.layout.size};
    if (t->state_size > TRIGGER_STATE_MAX || payload.size > ST_RECORD_SIZE_MAX) {
        task_fail(t->op.task, "trigger %s: its state, or the window's, is too large",
                  t->trigger->functions->name);
    }
    table_init(&t->windows, &t->window_reader, &t->op.task->memory, &payload, false);
}

static void triggered_open(struct op *op)
{
    struct triggered *t = triggered_of(op);
    const st_windows *spec = &op->node->windows;
    t->trigger = &spec->trigger;
    t->state_size = round_up_8((uint32_t)t->trigger->functions->state_size);
    t->global = spec->kind == ST_WINDOW_GLOBAL;
    t->by_clock = spec->processing_time || t->global;
    t->size = spec->size_ms;
    t->slide = spec->kind == ST_WINDOW_SLIDING ? spec->slide_ms : spec->size_ms;
    t->offset = spec->offset_ms;
    t->margin = windows_margin(t->size, t->slide);
    t->lateness = t->by_clock ? 0 : spec->lateness_ms;
    t->reader = key_reader_of(&op->node->key);
    cells_init(&t->cells, op);
    t->cells.fold.row_is_cell = false;
    t->gap = spec->kind == ST_WINDOW_SESSION ? spec->gap_ms : 0;
    struct layout windows_of = {.size = sizeof(struct windows_of)};
    table_init(&t->keys, &t->reader, &op->task->memory, &windows_of, false);
    windows_open(t);
    timers_init(&t->timers[DUE_EVENT], &op->task->memory);
    timers_init(&t->timers[DUE_PROCESSING], &op->task->memory);
    triggered_rows_open(t);
}

static void triggered_ready(struct op *op)
{
    rows_ready(&triggered_of(op)->rows);
}

static void triggered_close(struct op *op)
{
    struct triggered *t = triggered_of(op);
    rows_close(&t->rows);
    for (t->at = 0; t->at < t->windows.row_end; t->at++) {
        if (window_head_of(t)->filled != 0) { /* of a free row: zeros */
            cells_drop(&t->cells, window_cell_of(t));
        }
    }
    table_free(&t->windows);
    table_free(&t->keys);
    timers_free(&t->timers[DUE_EVENT]);
    timers_free(&t->timers[DUE_PROCESSING]);
}

/* -------------------------------------------------------------------------------------- Timers */

static void update_wakeup(struct triggered *t)
{
    int64_t in_memory = timers_next(&t->timers[DUE_PROCESSING]);
    t->op.wakeup_ms = clock_wakeup(rows_next_timer(&t->rows, DUE_PROCESSING, in_memory));
}

void triggered_timer(struct op *op, int64_t time_ms, bool event_time, bool set)
{
    struct triggered *t = triggered_of(op);
    struct timers *timers = &t->timers[event_time ? DUE_EVENT : DUE_PROCESSING];
    if (set) {
        window_head_of(t)->timers += timers_add(timers, time_ms, t->at) ? 1 : 0;
    } else {
        window_head_of(t)->timers -= timers_remove(timers, time_ms, t->at) ? 1 : 0;
    }
    update_wakeup(t);
}

/* --------------------------------------------------------------------------- Windows of a key */

bool triggered_make(struct triggered *t, uint32_t key_row, int64_t start)
{
    bool is_new;
    struct window_key key = {key_row, start};
    t->at = table_find_or_insert_key(&t->windows, &key, &is_new);
    t->rows.held += is_new ? t->windows.row_size + TIMERS_SIZE : 0;
    return is_new;
}

static void remove_window(struct triggered *t)
{
    table_remove(&t->windows, t->at);
    t->rows.held -= t->windows.row_size + TIMERS_SIZE;
}

/* Of windows of the key at hand; ROW_NONE: before the first, behind the last. */
static void link_windows(struct triggered *t, uint32_t before, uint32_t next)
{
    uint32_t key_row = window_key_row(t);
    if (before == ROW_NONE) {
        table_own_row(&t->keys, key_row);
        void *of = table_payload(&t->keys, key_row);
        ((struct windows_of *)of)->first_and_one = next + 1;
    } else {
        window_head_at(t, before)->next = next;
    }
    if (next != ROW_NONE) {
        window_head_at(t, next)->before = before;
    }
}

void triggered_put_in(struct triggered *t, uint32_t before)
{
    uint32_t next = before == ROW_NONE ? first_window_of(t, window_key_row(t))
                                       : window_head_at(t, before)->next;
    link_windows(t, before, t->at);
    link_windows(t, t->at, next);
}

static void take_out(struct triggered *t)
{
    if (window_head_of(t)->gone == 0) {
        link_windows(t, window_head_of(t)->before, window_head_of(t)->next);
        window_head_of(t)->gone = 1;
    }
}

void triggered_drop_key(struct triggered *t, uint32_t key_row)
{
    if (first_window_of(t, key_row) == ROW_NONE && !table_is_stored(&t->keys, key_row)) {
        op_flush(&t->op); /* what was put out may view the key */
        table_remove(&t->keys, key_row);
    }
}

/* ---------------------------------------------------------------------------- A window at hand */

/* Sets what a function may ask of the window at hand. */
void triggered_enter(struct triggered *t)
{
    const struct window_key *key = window_key_of(t);
    t->op.key = t->op.node->keyed ? table_row(&t->keys, window_key_row(t)) : NULL;
    t->op.window_start = t->global    ? ST_TIME_MIN
                         : t->gap > 0 ? window_head_of(t)->start
                                      : key->start;
    t->op.window_end = t->global    ? ST_TIME_MAX
                       : t->gap > 0 ? window_head_of(t)->end
                                    : time_wrap(key->start, t->size);
}

static int64_t last_of(const struct triggered *t)
{
    return t->global ? ST_TIME_MAX : time_wrap(t->op.window_end, -1);
}

int64_t triggered_cleanup_time(const struct triggered *t)
{
    return time_plus(last_of(t), t->lateness);
}

static void empty_cell(struct triggered *t)
{
    if (window_head_of(t)->filled != 0) {
        op_flush(&t->op); /* what was put out may view it */
        cells_drop(&t->cells, window_cell_of(t));
        memset(window_cell_of(t), 0, t->cells.layout.size);
        window_head_of(t)->filled = 0;
    }
}

static bool trigger_has_state(struct triggered *t)
{
    const char *state = window_trigger_state(t);
    for (uint32_t i = 0; i < t->state_size; i++) {
        if (state[i] != 0) {
            return true;
        }
    }
    return false;
}

void triggered_leave(struct triggered *t)
{
    uint32_t key_row = window_key_row(t);
    if (window_head_of(t)->filled == 0 && window_head_of(t)->timers == 0 && !trigger_has_state(t)) {
        take_out(t);
        remove_window(t);
    }
    triggered_drop_key(t, key_row);
    t->op.key = NULL;
}

void triggered_clear(struct triggered *t)
{
    if (t->trigger->functions->clear != NULL) {
        t->trigger->functions->clear(&t->op.ctx, window_trigger_state(t), t->trigger->argument);
    }
    memset(window_trigger_state(t), 0, t->state_size);
    if (t->gap > 0) {
        take_out(t);
    }
}

/* Does what the trigger said. */
static void act(struct triggered *t, enum st_trigger_result result)
{
    bool fires = result == ST_FIRE || result == ST_FIRE_AND_PURGE;
    bool purges =
        result == ST_PURGE || result == ST_FIRE_AND_PURGE || (fires && t->trigger->purging);
    if (fires && window_head_of(t)->filled != 0) {
        cells_emit(&t->cells, window_cell_of(t), last_of(t));
    }
    if (purges) {
        empty_cell(t);
    }
}

/* -------------------------------------------------------------------------------------- Firing */

/* A timer of a session that is gone: with the last of them goes what is left of it. */
static void pass_over(struct triggered *t)
{
    if (window_head_of(t)->timers == 0) {
        remove_window(t);
    }
}

static void at_timer(struct triggered *t, const struct timer *timer, bool event_time)
{
    const st_trigger_functions *f = t->trigger->functions;
    t->at = timer->row;
    window_head_of(t)->timers--;
    if (window_head_of(t)->gone != 0) {
        pass_over(t);
        return;
    }
    table_touch(&t->keys, window_key_row(t));
    triggered_enter(t);
    t->time = timer->time;
    t->op.ctx.times = &t->time;
    t->op.ctx.index = 0;
    act(t, (event_time ? f->on_event_time : f->on_processing_time)(
               &t->op.ctx, window_trigger_state(t), t->trigger->argument, timer->time));
    if (event_time != t->by_clock && timer->time == triggered_cleanup_time(t)) {
        empty_cell(t);
        triggered_clear(t);
    }
    t->op.ctx.times = NULL;
    triggered_leave(t);
}

/* Timers of rows in the database come with their rows. (The last of all are due a millisecond
 * before: due.h.) */
static void advance(struct triggered *t, enum due_kind kind, int64_t until)
{
    int64_t upto;
    for (bool more = true; more;) {
        more = rows_load_due(&t->rows, kind, until, &upto);
        for (struct timer timer; timers_take(&t->timers[kind], upto, &timer);) {
            at_timer(t, &timer, kind == DUE_EVENT);
        }
        op_flush(&t->op); /* before rows, and the text that is viewed, can go */
    }
}

static void triggered_watermark(struct op *op, int64_t watermark)
{
    advance(triggered_of(op), DUE_EVENT, watermark);
}

static void triggered_wake(struct op *op, int64_t now_ms)
{
    advance(triggered_of(op), DUE_PROCESSING, clock_watermark(now_ms));
    update_wakeup(triggered_of(op));
}

/* ------------------------------------------------------------------------------------- Records */

static void add_to_window(struct triggered *t, uint32_t key_row, int64_t start, const char *record,
                          int64_t time)
{
    if (triggered_make(t, key_row, start)) {
        triggered_put_in(t, ROW_NONE);
    }
    triggered_take(t, record, time);
}

void triggered_take(struct triggered *t, const char *record, int64_t time)
{
    triggered_enter(t);
    char *cell = window_cell_of(t);
    uint8_t fresh = window_head_of(t)->filled == 0 ? 1 : 0;
    cells_add(&t->cells, &cell, &fresh, record, 1);
    window_head_of(t)->filled = 1;
    t->time = time;
    t->op.ctx.times = &t->time;
    t->op.ctx.index = 0;
    act(t, t->trigger->functions->on_element(&t->op.ctx, window_trigger_state(t),
                                             t->trigger->argument, record));
    if (triggered_cleanup_time(t) != ST_TIME_MAX) {
        triggered_timer(&t->op, triggered_cleanup_time(t), !t->by_clock, true);
    }
    t->op.ctx.times = NULL;
    triggered_leave(t);
}

/* Into each of its windows that is not over. */
static void add_record(struct triggered *t, const char *record, int64_t time)
{
    bool is_new, taken = false;
    int64_t stamp = t->op.node->windows.processing_time ? job_now(t->op.task->job) : time;
    if (!t->by_clock && !time_has_windows(time, t->margin)) {
        record_out_of_time(&t->op, record, time);
        return;
    }
    int64_t first = t->global ? 0 : window_start(stamp, t->offset, t->slide);
    for (int64_t start = first; t->global ? !taken : start > stamp - t->size; start -= t->slide) {
        int64_t over =
            t->global ? ST_TIME_MAX : time_plus(time_wrap(start, t->size - 1), t->lateness);
        if (!t->by_clock && over <= t->op.watermark) {
            continue;
        }
        taken = true;
        uint32_t key_row = table_find_or_insert(&t->keys, &t->reader, record, &is_new);
        add_to_window(t, key_row, start, record, time);
    }
    if (!taken && !t->by_clock) {
        record_is_over(&t->op, record, time);
    }
}

static void triggered_batch(struct op *op, uint32_t input, const struct batch *batch)
{
    struct triggered *t = triggered_of(op);
    const char *record = batch->records;
    (void)input;
    if (t->rows.op != NULL) {
        rows_load(&t->rows, &t->reader, record, op->node->in->size, batch->count);
    }
    for (uint32_t k = 0; k < batch->count; k++, record += op->node->in->size) {
        int64_t time = batch->times != NULL ? batch->times[k] : ST_TIME_MIN;
        (t->gap > 0 ? sessions_add : add_record)(t, record, time);
    }
    op_flush(op);
}

static void triggered_restore(struct op *op, struct section *section)
{
    triggered_restore_rows(triggered_of(op), &section->state);
    update_wakeup(triggered_of(op));
}

const struct op_class op_triggered = {
    .size = sizeof(struct triggered),
    .open = triggered_open,
    .ready = triggered_ready,
    .close = triggered_close,
    .batch = triggered_batch,
    .watermark = triggered_watermark,
    .wake = triggered_wake,
    .snapshot = triggered_snapshot,
    .restore = triggered_restore,
};
