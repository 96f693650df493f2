/*
 * Session windows: a record makes the window [t, t + gap), and windows of a key that overlap or
 * touch become one.
 *
 *     row of a key:  | key | sessions: array of { start, end, cell } |      apart by more than
 * nothing
 *
 * A record touches at most two sessions, for each is at least a gap long. A session fires when the
 * watermark reaches its end - 1; a record that joins it later (allowed lateness) fires it again. It
 * is the session as merged whose end decides whether a record is late.
 *
 * Timers are set for (end - 1, row) and (end - 1 + lateness, row) and not taken back when a session
 * grows: when one comes up, it acts on the sessions of the row whose moment it is, if any. A row
 * that comes out of a snapshot or a database (rocks_rows.h) has the timers that its sessions tell.
 *
 * Source: Flink WindowOperator (MergingWindowAssigner), MergingWindowSet.addWindow, TimeWindow.
 */
#include <stdlib.h>

#include "stream/cells.h"
#include "stream/rocks_rows.h"
#include "stream/timers.h"

struct session {
    int64_t start, end;
    char *cell;
    bool fired; /* as it is */
};

struct session_list {
    struct session *items;
    uint32_t count, capacity;
    uint64_t freeze; /* the last one behind which items and cells are nobody else's */
};

struct sessions {
    struct op op;
    struct key_reader reader;
    struct cells cells;
    struct table table;
    struct timers timers;
    int64_t gap, lateness;
    uint64_t freeze; /* how many there have been */
    struct rocks_rows rows;
};

static struct sessions *sessions_of(struct op *op)
{
    return (struct sessions *)(void *)op;
}

static struct session_list *list_of(struct sessions *s, uint32_t row)
{
    return (struct session_list *)(void *)table_payload(&s->table, row);
}

/* The same, to be changed: what a snapshot may look at stays as it is. */
static struct session_list *own_list(struct sessions *s, uint32_t row)
{
    struct task *task = s->op.task;
    table_own_row(&s->table, row);
    table_touch(&s->table, row);
    struct session_list *list = list_of(s, row);
    if (task->frozen == NULL || list->freeze == s->freeze) {
        return list;
    }
    list->freeze = s->freeze;
    if (list->items == NULL) {
        return list;
    }
    struct session *items = must_calloc(list->capacity, sizeof *items);
    memcpy(items, list->items, list->count * sizeof *items);
    for (uint32_t i = 0; i < list->count; i++) {
        items[i].cell = must_calloc(1, s->cells.layout.size);
        memcpy(items[i].cell, list->items[i].cell, s->cells.layout.size);
        task_free_shared(task, list->items[i].cell);
    }
    task_free_shared(task, list->items);
    list->items = items;
    return list;
}

/* Takes a session out of its list; its cell is the caller's. */
static void take_out(struct session_list *list, uint32_t at)
{
    memmove(&list->items[at], &list->items[at + 1], (list->count - at - 1) * sizeof *list->items);
    list->count--;
}

static void free_cell(struct sessions *s, char *cell)
{
    cells_drop(&s->cells, cell);
    free(cell);
}

static void drop_sessions(struct sessions *s, uint32_t row)
{
    struct session_list *list = list_of(s, row);
    for (uint32_t i = 0; i < list->count; i++) {
        free_cell(s, list->items[i].cell);
    }
    free(list->items);
    *list = (struct session_list){0};
}

/* A row without sessions; one that is in a database stays until the database knows. */
static void remove_empty(struct sessions *s, uint32_t row)
{
    if (!table_is_stored(&s->table, row)) {
        table_remove(&s->table, row);
    }
}

static int64_t fires_at(const struct session *session)
{
    return time_wrap(session->end, -1);
}

static int64_t goes_at(const struct sessions *s, const struct session *session)
{
    return time_plus(fires_at(session), s->lateness);
}

static void set_timers(struct sessions *s, uint32_t row, const struct session *session)
{
    if (!session->fired) {
        timers_add(&s->timers, fires_at(session), row);
    }
    timers_add(&s->timers, goes_at(s, session), row);
}

/* -------------------------------------------------------------------------------------- Firing */

static void fire(struct sessions *s, uint32_t row, struct session *session)
{
    struct op *op = &s->op;
    op->key = op->node->keyed ? table_row(&s->table, row) : NULL;
    op->window_start = session->start;
    op->window_end = session->end;
    cells_emit(&s->cells, session->cell, fires_at(session));
    session->fired = true;
}

static void at_timer(struct sessions *s, uint32_t row, int64_t time)
{
    if (list_of(s, row)->count == 0) { /* it has gone, or waits for the database */
        return;
    }
    struct session_list *list = own_list(s, row);
    for (uint32_t i = 0; i < list->count; i++) {
        if (fires_at(&list->items[i]) == time) {
            fire(s, row, &list->items[i]);
        }
    }
    for (uint32_t i = list->count; i-- > 0;) {
        if (goes_at(s, &list->items[i]) == time) {
            op_flush(&s->op); /* what was put out may view it */
            free_cell(s, list->items[i].cell);
            take_out(list, i);
        }
    }
    if (list->count == 0) {
        op_flush(&s->op);
        drop_sessions(s, row);
        remove_empty(s, row);
    }
}

static void advance(struct sessions *s, enum due_kind kind, int64_t time)
{
    int64_t upto;
    for (bool more = true; more;) {
        more = rows_load_due(&s->rows, kind, time, &upto);
        for (struct timer timer; timers_take(&s->timers, upto, &timer);) {
            at_timer(s, timer.row, timer.time);
        }
    }
    s->op.key = NULL;
}

static void sessions_watermark(struct op *op, int64_t watermark)
{
    if (!op->node->windows.processing_time) {
        advance(sessions_of(op), DUE_EVENT, watermark);
    }
}

static void set_wakeup(struct sessions *s)
{
    int64_t in_memory = timers_next(&s->timers);
    s->op.wakeup_ms = clock_wakeup(rows_next_timer(&s->rows, DUE_PROCESSING, in_memory));
}

static void sessions_wake(struct op *op, int64_t now_ms)
{
    struct sessions *s = sessions_of(op);
    op->watermark = clock_watermark(now_ms);
    advance(s, DUE_PROCESSING, op->watermark);
    set_wakeup(s);
}

/* ------------------------------------------------------------------------------------- Records */

/* Merges what touches `with` into one session; returns its place, or the count if nothing does. */
static uint32_t merge_touching(struct sessions *s, struct session_list *list,
                               const struct session *with)
{
    uint32_t target = list->count;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct session *one = &list->items[i];
        if (!sessions_touch(one->start, one->end, with->start, with->end)) {
            continue;
        }
        if (target == list->count) {
            target = i;
            continue;
        }
        /* The list is in order of start, and the set keeps that order in one place. */
        bool second_first = window_set_place(one->start, one->end) <
                            window_set_place(list->items[target].start, list->items[target].end);
        struct session *keep = &list->items[second_first ? i : target];
        struct session *gone = &list->items[second_first ? target : i];
        cells_merge(&s->cells, keep->cell, gone->cell);
        free(gone->cell);
        keep->start = list->items[target].start;
        keep->end = one->end;
        list->items[target] = *keep;
        take_out(list, i);
        i--;
    }
    if (target < list->count) {
        struct session *merged = &list->items[target];
        merged->start = with->start < merged->start ? with->start : merged->start;
        merged->end = with->end > merged->end ? with->end : merged->end;
    }
    return target;
}

/* A new session, in order of start; returns its place. */
static uint32_t insert(struct sessions *s, struct session_list *list, struct session session)
{
    if (list->count == list->capacity) {
        list->items = must_grow(list->items, sizeof *list->items, list->count, &list->capacity, 2);
    }
    uint32_t at = list->count++;
    for (; at > 0 && list->items[at - 1].start > session.start; at--) {
        list->items[at] = list->items[at - 1];
    }
    session.cell = must_calloc(1, s->cells.layout.size);
    list->items[at] = session;
    return at;
}

static void add_record(struct sessions *s, const char *record, int64_t time)
{
    bool is_new;
    struct op *op = &s->op;
    struct session own = {.start = time, .end = time_wrap(time, s->gap)};
    if (!session_has_end(own.start, own.end)) {
        record_out_of_time(op, record, time);
        return;
    }
    uint32_t row = table_find_or_insert(&s->table, &s->reader, record, &is_new);
    struct session_list *list = own_list(s, row);
    uint32_t at = merge_touching(s, list, &own);
    uint8_t fresh = at == list->count ? 1 : 0;
    if (fresh != 0 && goes_at(s, &own) <= op->watermark) {
        if (list->items == NULL) {
            remove_empty(s, row);
        }
        record_is_over(op, record, time);
        return;
    }
    if (fresh != 0) {
        at = insert(s, list, own);
    }
    struct session *session = &list->items[at];
    cells_add(&s->cells, &session->cell, &fresh, record, 1);
    session->fired = false;
    if (fires_at(session) <= op->watermark) {
        fire(s, row, session);
    }
    set_timers(s, row, session);
}

static void sessions_batch(struct op *op, uint32_t input, const struct batch *batch)
{
    struct sessions *s = sessions_of(op);
    const char *record = batch->records;
    bool by_clock = op->node->windows.processing_time;
    int64_t now = by_clock ? job_now(op->task->job) : 0;
    (void)input;
    if (by_clock) {
        op->watermark = clock_watermark(now);
    }
    if (s->rows.op != NULL) {
        rows_load(&s->rows, &s->reader, record, op->node->in->size, batch->count);
    }
    for (uint32_t k = 0; k < batch->count; k++, record += op->node->in->size) {
        add_record(s, record, by_clock ? now : batch->times[k]);
    }
    if (by_clock) {
        set_wakeup(s);
    }
    op->key = NULL;
    op_flush(op);
}

/* ----------------------------------------------------------------------------------- Snapshots */

static bool row_is_full(struct op *op, uint32_t row)
{
    return list_of(sessions_of(op), row)->count > 0;
}

/* What is behind the key. */
static void row_write(struct op *op, uint32_t row, struct bytes *to)
{
    struct sessions *s = sessions_of(op);
    const struct session_list *list = list_of(s, row);
    bytes_u32(to, list->count);
    for (uint32_t i = 0; i < list->count; i++) {
        bytes_i64(to, list->items[i].start);
        bytes_i64(to, list->items[i].end);
        bytes_u32(to, list->items[i].fired ? 1 : 0);
        cells_write(&s->cells, list->items[i].cell, to);
    }
}

/* A session as it was, with its timers; row ROW_NONE: not ours. */
static bool read_session(struct sessions *s, uint32_t row, struct reader *from)
{
    struct session_list none = {0}, *list = row != ROW_NONE ? list_of(s, row) : &none;
    struct session session = {.start = read_i64(from)};
    session.end = read_i64(from);
    session.fired = read_u32(from) != 0;
    uint32_t at = insert(s, list, session);
    bool ok = !from->bad && cells_read(&s->cells, list->items[at].cell, from);
    if (row == ROW_NONE) {
        free_cell(s, list->items[at].cell);
        free(list->items);
    } else if (ok) {
        set_timers(s, row, &session);
    }
    return ok;
}

static bool row_read(struct op *op, uint32_t row, struct reader *from)
{
    bool ok = true;
    for (uint32_t left = read_u32(from); left > 0 && ok; left--) {
        ok = read_session(sessions_of(op), row, from);
    }
    return ok && !from->bad;
}

static int64_t row_due(struct op *op, uint32_t row, enum due_kind kind)
{
    const struct sessions *s = sessions_of(op);
    const struct session_list *list = list_of(sessions_of(op), row);
    bool by_clock = op->node->windows.processing_time;
    int64_t due = ST_TIME_MAX;
    for (uint32_t i = 0; i < list->count && by_clock == (kind == DUE_PROCESSING); i++) {
        const struct session *one = &list->items[i];
        int64_t next = one->fired ? goes_at(s, one) : fires_at(one);
        due = next < due ? next : due;
    }
    return due;
}

static void row_drop(struct op *op, uint32_t row)
{
    drop_sessions(sessions_of(op), row);
}

static void rows_forget(struct op *op)
{
    timers_clear(&sessions_of(op)->timers);
}

static const struct table *freeze(struct op *op, struct frozen *f)
{
    struct sessions *s = sessions_of(op), *view = f->view;
    table_freeze_for(f, &s->table, &view->table);
    s->freeze++;
    return &view->table;
}

static const struct row_codec codec = {.is_full = row_is_full,
                                       .write = row_write,
                                       .due = row_due,
                                       .read = row_read,
                                       .drop = row_drop,
                                       .forget = rows_forget,
                                       .freeze = freeze};

static void write_rows(void *view, struct bytes *to)
{
    struct sessions *s = view;
    uint8_t *live = table_live_rows(&s->table);
    for (uint32_t row = 0; row < s->table.row_end; row++) {
        if (live[row] != 0) {
            bytes_record(to, &s->reader.layout, table_row(&s->table, row));
            row_write(&s->op, row, to);
        }
    }
    free(live);
}

static void sessions_snapshot(struct op *op, struct bytes *to)
{
    struct sessions *s = sessions_of(op);
    bytes_type(to, &s->reader.type);
    cells_write_type(&s->cells, to);
    if (s->rows.op != NULL) {
        rows_snapshot(&s->rows, to);
        return;
    }
    bytes_i64(to, s->table.live);
    if (s->table.frozen != NULL) {
        write_rows(s, to);
        return;
    }
    (void)freeze(op, view_freeze(s, sizeof *s, write_rows, &op->task->frozen, to));
}

static void sessions_restore(struct op *op, struct section *section)
{
    struct sessions *s = sessions_of(op);
    struct reader *from = &section->state;
    char *key = arena_alloc(&op->task->arena, s->reader.layout.size);
    restore_type(op, from, &s->reader.type);
    cells_read_type(&s->cells, from);
    int64_t left = read_i64(from);
    if (left == ROWS_IN_FILES) {
        rows_restore_section(&s->rows, op, from);
    }
    for (; left > 0 && !from->bad; left--) {
        bool is_new, ok = read_record(from, &s->reader.layout, key);
        bool own = ok && op_owns(op, &s->reader, key);
        uint32_t row = own ? table_find_or_insert_key(&s->table, key, &is_new) : ROW_NONE;
        from->bad |= !ok || !row_read(op, row, from);
        rows_make_room(&s->rows);
    }
    if (op->node->windows.processing_time) {
        set_wakeup(s);
    }
}

/* --------------------------------------------------------------------------------- The operator */

static void sessions_open(struct op *op)
{
    struct sessions *s = sessions_of(op);
    s->reader = key_reader_of(&op->node->key);
    cells_init(&s->cells, op);
    s->cells.fold.row_is_cell = false;
    s->gap = op->node->windows.gap_ms;
    s->lateness = op->node->windows.processing_time ? 0 : op->node->windows.lateness_ms;
    struct layout payload = {.size = sizeof(struct session_list)};
    table_init(&s->table, &s->reader, &op->task->memory, &payload, false);
    timers_init(&s->timers, &op->task->memory);
    if (rows_are_stored(op)) {
        rows_open(&s->rows, op, &s->table, &s->reader, &codec, true);
    }
}

static void sessions_ready(struct op *op)
{
    rows_ready(&sessions_of(op)->rows);
}

static void sessions_close(struct op *op)
{
    struct sessions *s = sessions_of(op);
    for (uint32_t row = 0; row < s->table.row_end; row++) {
        drop_sessions(s, row); /* of a free row: there are none */
    }
    rows_close(&s->rows);
    table_free(&s->table);
    timers_free(&s->timers);
}

const struct op_class op_sessions = {
    .snapshot = sessions_snapshot,
    .restore = sessions_restore,
    .size = sizeof(struct sessions),
    .open = sessions_open,
    .ready = sessions_ready,
    .close = sessions_close,
    .batch = sessions_batch,
    .watermark = sessions_watermark,
    .wake = sessions_wake,
};
