/*
 * Tumbling, sliding, session and global windows that fire when a trigger says so.
 *
 *     table of keys:      key         -> how many windows it has, the first of its sessions
 *     table of windows:   {key, start} -> | filled, timers … | the trigger's state | cell |
 *     timers:             (time, window)
 *
 * Each window of each key is a row of its own with timers of its own, for each may fire at another
 * moment. (Without a trigger all keys of a window fire together: op_slices.c.) A timer keeps the
 * row of its window, so that a row's number is never taken by another window while one is to come.
 * What purges, empties the cell and leaves the trigger's state. Sessions: triggered_sessions.c.
 *
 * Source: Flink WindowOperator.processElement, onEventTime, onProcessingTime, clearAllState,
 * registerCleanupTimer; PurgingTrigger.
 */
#include "stream/op_triggered.h"

#include <stdlib.h>

#include "stream/cells.h"
#include "stream/timers.h"

#define TRIGGER_STATE_MAX 256

static struct triggered *triggered_of(struct op *op)
{
    return (struct triggered *)(void *)op;
}

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
    t->lateness = t->by_clock ? 0 : spec->lateness_ms;
    t->reader = key_reader_of(&op->node->key);
    cells_init(&t->cells, op);
    t->cells.fold.row_is_cell = false;
    t->gap = spec->kind == ST_WINDOW_SESSION ? spec->gap_ms : 0;
    struct layout windows_of = {.size = sizeof(struct windows_of)};
    table_init(&t->keys, &t->reader, &op->task->memory, &windows_of, false);
    windows_open(t);
    timers_init(&t->event, &op->task->memory);
    timers_init(&t->processing, &op->task->memory);
}

static void triggered_close(struct op *op)
{
    struct triggered *t = triggered_of(op);
    if (t->windows.index == NULL) {
        return;
    }
    for (t->at = 0; t->at < t->windows.row_end; t->at++) {
        if (window_head_of(t)->filled != 0) { /* of a free row: zeros */
            cells_drop(&t->cells, window_cell_of(t));
        }
    }
    table_free(&t->windows);
    table_free(&t->keys);
    timers_free(&t->event);
    timers_free(&t->processing);
}

/* -------------------------------------------------------------------------------------- Timers */

static void update_wakeup(struct triggered *t)
{
    t->op.wakeup_ms = clock_wakeup(timers_next(&t->processing));
}

void triggered_timer(struct op *op, int64_t time_ms, bool event_time, bool set)
{
    struct triggered *t = triggered_of(op);
    struct timers *timers = event_time ? &t->event : &t->processing;
    if (set) {
        window_head_of(t)->timers += timers_add(timers, time_ms, t->at) ? 1 : 0;
    } else {
        window_head_of(t)->timers -= timers_remove(timers, time_ms, t->at) ? 1 : 0;
    }
    update_wakeup(t);
}

/* ---------------------------------------------------------------------------- A window at hand */

/* Sets what a function may ask of the window at hand. */
void triggered_enter(struct triggered *t)
{
    const struct window_key *key = window_key_of(t);
    t->op.key = t->op.node->keyed ? table_row(&t->keys, (uint32_t)key->key_row) : NULL;
    t->op.window_start = t->global    ? ST_TIME_MIN
                         : t->gap > 0 ? window_head_of(t)->start
                                      : key->start;
    t->op.window_end = t->global    ? ST_TIME_MAX
                       : t->gap > 0 ? window_head_of(t)->end
                                    : key->start + t->size;
}

static int64_t last_of(const struct triggered *t)
{
    return t->global ? ST_TIME_MAX : t->op.window_end - 1;
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

/* Takes the window at hand away if nothing is left of it, and its key with its last window. */
void triggered_leave(struct triggered *t)
{
    if (window_head_of(t)->filled == 0 && window_head_of(t)->timers == 0 && !trigger_has_state(t)) {
        struct windows_of *of = windows_of_key(t);
        uint32_t key_row = (uint32_t)window_key_of(t)->key_row;
        op_flush(&t->op); /* what was put out may view the key */
        if (t->gap > 0) {
            sessions_take_out(t);
        }
        table_remove(&t->windows, t->at);
        if (--of->count == 0) {
            table_remove(&t->keys, key_row);
        }
    }
    t->op.key = NULL;
}

void triggered_clear(struct triggered *t)
{
    if (t->trigger->functions->clear != NULL) {
        t->trigger->functions->clear(&t->op.ctx, window_trigger_state(t), t->trigger->argument);
    }
    memset(window_trigger_state(t), 0, t->state_size);
    if (t->gap > 0) {
        sessions_take_out(t);
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

static void at_timer(struct triggered *t, const struct timer *timer, bool event_time)
{
    const st_trigger_functions *f = t->trigger->functions;
    t->at = timer->row;
    window_head_of(t)->timers--;
    triggered_enter(t);
    if (window_head_of(t)->gone != 0) {
        triggered_leave(t);
        return;
    }
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

static void triggered_watermark(struct op *op, int64_t watermark)
{
    struct triggered *t = triggered_of(op);
    for (struct timer timer; timers_take(&t->event, watermark, &timer);) {
        at_timer(t, &timer, true);
    }
}

static void triggered_wake(struct op *op, int64_t now_ms)
{
    struct triggered *t = triggered_of(op);
    for (struct timer timer; timers_take(&t->processing, clock_watermark(now_ms), &timer);) {
        at_timer(t, &timer, false);
    }
    update_wakeup(t);
}

/* ------------------------------------------------------------------------------------- Records */

static void add_to_window(struct triggered *t, uint32_t key_row, int64_t start, const char *record,
                          int64_t time)
{
    bool is_new;
    struct window_key key = {key_row, start};
    t->at = table_find_or_insert_key(&t->windows, &key, &is_new);
    windows_of_key(t)->count += is_new ? 1 : 0;
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
    int64_t first = t->global ? 0 : floor_to(stamp - t->offset, t->slide) + t->offset;
    for (int64_t start = first; t->global ? !taken : start > stamp - t->size; start -= t->slide) {
        int64_t over = t->global ? ST_TIME_MAX : time_plus(start + t->size - 1, t->lateness);
        if (!t->by_clock && over <= t->op.watermark) {
            continue;
        }
        taken = true;
        uint32_t key_row = table_find_or_insert(&t->keys, &t->reader, record, &is_new);
        add_to_window(t, key_row, start, record, time);
    }
    if (!taken && !t->by_clock && time_plus(time, t->lateness) <= t->op.watermark) {
        late_record(&t->op, record, time);
    }
}

static void triggered_batch(struct op *op, uint32_t input, const struct batch *batch)
{
    struct triggered *t = triggered_of(op);
    const char *record = batch->records;
    (void)input;
    for (uint32_t k = 0; k < batch->count; k++, record += op->node->in->size) {
        int64_t time = batch->times != NULL ? batch->times[k] : ST_TIME_MIN;
        (t->gap > 0 ? sessions_add : add_record)(t, record, time);
    }
    op_flush(op);
}

/* ----------------------------------------------------------------------------------- Snapshots */

/* Windows and timers; of the operator or of a view of it. */
static void write_all(void *view, struct bytes *to)
{
    struct triggered *t = view;
    uint8_t *live = table_live_rows(&t->windows);
    struct timers_by_row event = timers_by_row(&t->event, t->windows.row_end);
    struct timers_by_row processing = timers_by_row(&t->processing, t->windows.row_end);
    int64_t count = 0;
    size_t count_at = bytes_reserve_i64(to);
    for (t->at = 0; t->at < t->windows.row_end; t->at++) {
        if (live[t->at] == 0 || window_head_of(t)->gone != 0) {
            continue;
        }
        count++;
        bytes_record(to, &t->reader.layout,
                     table_row(&t->keys, (uint32_t)window_key_of(t)->key_row));
        bytes_i64(to, t->gap > 0 ? window_head_of(t)->start : window_key_of(t)->start);
        if (t->gap > 0) {
            bytes_i64(to, window_head_of(t)->end);
        }
        bytes_put(to, window_trigger_state(t), t->state_size);
        bytes_u32(to, window_head_of(t)->filled);
        if (window_head_of(t)->filled != 0) {
            cells_write(&t->cells, window_cell_of(t), to);
        }
        timers_write(&event, t->at, to);
        timers_write(&processing, t->at, to);
    }
    bytes_set_i64(to, count_at, count);
    timers_by_row_free(&event);
    timers_by_row_free(&processing);
    free(live);
}

static void triggered_snapshot(struct op *op, struct bytes *to)
{
    struct triggered *t = triggered_of(op);
    bytes_type(to, &t->reader.type);
    bytes_text(to, t->trigger->functions->name);
    bytes_u32(to, t->state_size);
    cells_write_type(&t->cells, to);
    if (t->windows.frozen != NULL) {
        write_all(t, to);
        return;
    }
    struct frozen *f = view_freeze(t, sizeof *t, write_all, &op->task->frozen, to);
    struct triggered *view = f->view;
    table_freeze_for(f, &t->keys, &view->keys);
    table_freeze_for(f, &t->windows, &view->windows);
    table_freeze_for(f, &t->event.set, &view->event.set);
    table_freeze_for(f, &t->processing.set, &view->processing.set);
}

static bool read_timers(struct triggered *t, uint32_t row, struct reader *from)
{
    uint32_t added = timers_read(&t->event, row, from);
    added += timers_read(&t->processing, row, from);
    if (row != ROW_NONE) {
        window_head_of(t)->timers += added;
    }
    return !from->bad;
}

/* A window of the section. False: damaged. */
static bool read_window(struct triggered *t, char *key, struct reader *from)
{
    bool is_new, ok = read_record(from, &t->reader.layout, key);
    int64_t start = read_i64(from), end = t->gap > 0 ? read_i64(from) : 0;
    struct window_key at = {.start = t->gap > 0 ? t->next_id++ : start};
    const char *state = read_bytes(from, t->state_size);
    uint32_t filled = read_u32(from);
    bool own = ok && state != NULL && op_owns(&t->op, &t->reader, key);
    char *cell = arena_alloc(&t->op.task->arena, t->cells.layout.size);
    memset(cell, 0, t->cells.layout.size);
    ok = ok && state != NULL && (filled == 0 || cells_read(&t->cells, cell, from));
    if (!ok || !own) {
        cells_drop(&t->cells, cell);
        return ok && read_timers(t, ROW_NONE, from);
    }
    at.key_row = table_find_or_insert_key(&t->keys, key, &is_new);
    t->at = table_find_or_insert_key(&t->windows, &at, &is_new);
    if (!is_new) { /* a window that is there twice */
        cells_drop(&t->cells, cell);
        return false;
    }
    windows_of_key(t)->count++;
    if (t->gap > 0) {
        sessions_put_in(t, start, end);
    }
    window_head_of(t)->filled = filled;
    memcpy(window_trigger_state(t), state, t->state_size);
    memcpy(window_cell_of(t), cell, t->cells.layout.size);
    return read_timers(t, t->at, from);
}

static void triggered_restore(struct op *op, struct section *section)
{
    struct triggered *t = triggered_of(op);
    struct reader *from = &section->state;
    restore_type(op, from, &t->reader.type);
    st_str trigger = read_text(from);
    if (!st_str_equal(trigger, st_str_of(t->trigger->functions->name)) ||
        read_u32(from) != t->state_size) {
        restore_fail(op, "its trigger is %s, the checkpoint has %.*s", t->trigger->functions->name,
                     (int)trigger.size, trigger.data);
    }
    cells_read_type(&t->cells, from);
    int64_t count = read_i64(from);
    if (from->bad || count < 0 || count > from->end - from->at) {
        from->bad = true;
        return;
    }
    char *key = arena_alloc(&op->task->arena, t->reader.layout.size);
    bool ok = true;
    for (; count > 0 && ok; count--) {
        ok = read_window(t, key, from);
    }
    update_wakeup(t);
    from->bad |= !ok;
}

const struct op_class op_triggered = {
    .size = sizeof(struct triggered),
    .open = triggered_open,
    .close = triggered_close,
    .batch = triggered_batch,
    .watermark = triggered_watermark,
    .wake = triggered_wake,
    .snapshot = triggered_snapshot,
    .restore = triggered_restore,
};
