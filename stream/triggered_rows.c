/*
 * Windows with a trigger in a snapshot.
 *
 *     key's type | the trigger's name | the size of its state | the cells' type
 *     | count of rows | rows
 *     row:      key | count of windows | windows                all that the key has
 *     window:   start | end, of a session | the trigger's state | is it filled | cell, if so
 *               | count of timers of event time | timers | the same of processing time
 *
 * Rows in a database (rocks_rows.h) are written in the same way; a section may have them, or their
 * files. A session that is gone is not written, and what is left of it stays behind when its key's
 * row leaves memory, for its timers are passed over anyway.
 *
 * Beside the flow it is written by a view of the operator (frozen.h).
 */
#include <stdlib.h>

#include "stream/op_triggered.h"

/* ------------------------------------------------------------------------------------- Writing */

static void begin_writing(struct op *op)
{
    struct triggered *t = triggered_of(op);
    for (int kind = 0; kind < DUE_KINDS; kind++) {
        t->by_row[kind] = timers_by_row(&t->timers[kind], t->windows.row_end);
    }
}

static void end_writing(struct op *op)
{
    for (int kind = 0; kind < DUE_KINDS; kind++) {
        timers_by_row_free(&triggered_of(op)->by_row[kind]);
    }
}

static void write_window(struct triggered *t, struct bytes *to)
{
    const struct window_head *head = window_head_of(t);
    bytes_i64(to, t->gap > 0 ? head->start : window_key_of(t)->start);
    if (t->gap > 0) {
        bytes_i64(to, head->end);
    }
    bytes_put(to, window_trigger_state(t), t->state_size);
    bytes_u32(to, head->filled);
    if (head->filled != 0) {
        cells_write(&t->cells, window_cell_of(t), to);
    }
    for (int kind = 0; kind < DUE_KINDS; kind++) {
        timers_write(&t->by_row[kind], t->at, to);
    }
}

/* What is behind the key. */
static void row_write(struct op *op, uint32_t key_row, struct bytes *to)
{
    struct triggered *t = triggered_of(op);
    uint32_t count = 0;
    size_t count_at = bytes_reserve_u32(to);
    for (t->at = first_window_of(t, key_row); t->at != ROW_NONE; t->at = window_head_of(t)->next) {
        write_window(t, to);
        count++;
    }
    bytes_set_u32(to, count_at, count);
}

/* The rows of a table that has them all; of the operator or of a view of it. */
static void write_all(void *view, struct bytes *to)
{
    struct triggered *t = view;
    uint8_t *live = table_live_rows(&t->keys);
    bytes_i64(to, t->keys.live);
    begin_writing(&t->op);
    for (uint32_t row = 0; row < t->keys.row_end; row++) {
        if (live[row] != 0) {
            bytes_record(to, &t->reader.layout, table_row(&t->keys, row));
            row_write(&t->op, row, to);
        }
    }
    end_writing(&t->op);
    free(live);
}

/* All tables, for a view of the operator. Returns the view's rows. */
static const struct table *freeze(struct op *op, struct frozen *f)
{
    struct triggered *t = triggered_of(op), *view = f->view;
    table_freeze_for(f, &t->keys, &view->keys);
    table_freeze_for(f, &t->windows, &view->windows);
    for (int kind = 0; kind < DUE_KINDS; kind++) {
        table_freeze_for(f, &t->timers[kind].set, &view->timers[kind].set);
    }
    return &view->keys;
}

void triggered_snapshot(struct op *op, struct bytes *to)
{
    struct triggered *t = triggered_of(op);
    bytes_type(to, &t->reader.type);
    bytes_text(to, t->trigger->functions->name);
    bytes_u32(to, t->state_size);
    cells_write_type(&t->cells, to);
    if (t->rows.op != NULL) {
        rows_snapshot(&t->rows, to);
    } else if (t->keys.frozen == NULL) {
        (void)freeze(op, view_freeze(t, sizeof *t, write_all, &op->task->frozen, to));
    } else { /* by an earlier checkpoint that is still written */
        write_all(t, to);
    }
}

/* ----------------------------------------------------------------------------------- Restoring */

static bool read_timers(struct triggered *t, uint32_t row, struct reader *from)
{
    uint32_t added = 0;
    for (int kind = 0; kind < DUE_KINDS; kind++) {
        added += timers_read(&t->timers[kind], row, from);
    }
    if (row != ROW_NONE) {
        window_head_at(t, row)->timers += added;
    }
    return !from->bad;
}

/* The window at hand, just made, in its place. */
static void put_in(struct triggered *t, int64_t start, int64_t end)
{
    if (t->gap > 0) {
        sessions_put_in(t, start, end);
    } else {
        triggered_put_in(t, ROW_NONE);
    }
}

/* Could a window begin then? One of time begins at a slide. */
static bool may_begin_at(const struct triggered *t, int64_t start)
{
    int64_t behind = (int64_t)((uint64_t)start - (uint64_t)t->offset);
    return t->gap > 0 || (t->global ? start == 0 : behind % t->slide == 0);
}

/* A window of the key; of one that is not ours (ROW_NONE) it is read and left. False: damaged. */
static bool read_window(struct triggered *t, uint32_t key_row, struct reader *from)
{
    uint64_t space[ST_RECORD_SIZE_MAX / 8];
    char *cell = memset(space, 0, t->cells.layout.size);
    int64_t start = read_i64(from), end = t->gap > 0 ? read_i64(from) : 0;
    const char *state = read_bytes(from, t->state_size);
    bool filled = read_u32(from) != 0;
    bool ok =
        !from->bad && may_begin_at(t, start) && (!filled || cells_read(&t->cells, cell, from));
    bool own = ok && key_row != ROW_NONE;
    if (!own || !triggered_make(t, key_row, t->gap > 0 ? t->next_id++ : start)) {
        cells_drop(&t->cells, cell);
        return ok && !own && read_timers(t, ROW_NONE, from); /* not one that is there twice */
    }
    put_in(t, start, end);
    window_head_of(t)->filled = filled ? 1 : 0;
    memcpy(window_trigger_state(t), state, t->state_size);
    memcpy(window_cell_of(t), cell, t->cells.layout.size);
    return read_timers(t, t->at, from);
}

/* What is behind the key. */
static bool row_read(struct op *op, uint32_t key_row, struct reader *from)
{
    uint32_t left = read_u32(from);
    bool ok = left > 0;
    for (; left > 0 && ok; left--) {
        ok = read_window(triggered_of(op), key_row, from);
    }
    return ok;
}

static bool read_rows(struct triggered *t, int64_t count, struct reader *from)
{
    struct op *op = &t->op;
    char *key = arena_alloc(&op->task->arena, t->reader.layout.size);
    bool ok = true;
    for (; count > 0 && ok; count--) {
        bool is_new;
        ok = read_record(from, &t->reader.layout, key);
        bool own = ok && op_owns(op, &t->reader, key);
        uint32_t row = own ? table_find_or_insert_key(&t->keys, key, &is_new) : ROW_NONE;
        ok = ok && row_read(op, row, from);
        rows_make_room(&t->rows);
    }
    return ok;
}

static void read_trigger(struct triggered *t, struct reader *from)
{
    st_str trigger = read_text(from);
    if (!st_str_equal(trigger, st_str_of(t->trigger->functions->name)) ||
        read_u32(from) != t->state_size) {
        restore_fail(&t->op, "its trigger is %s, the checkpoint has %.*s",
                     t->trigger->functions->name, (int)trigger.size, trigger.data);
    }
}

void triggered_restore_rows(struct triggered *t, struct reader *from)
{
    restore_type(&t->op, from, &t->reader.type);
    read_trigger(t, from);
    cells_read_type(&t->cells, from);
    int64_t count = read_i64(from);
    if (count == ROWS_IN_FILES && !from->bad) {
        rows_restore_section(&t->rows, &t->op, from);
        return;
    }
    from->bad |= count < 0 || count > from->end - from->at;
    from->bad |= !from->bad && !read_rows(t, count, from);
}

/* ------------------------------------------------------------------------- Rows in a database */

static bool is_full(struct op *op, uint32_t key_row)
{
    return first_window_of(triggered_of(op), key_row) != ROW_NONE;
}

static int64_t row_due(struct op *op, uint32_t key_row, enum due_kind kind)
{
    struct triggered *t = triggered_of(op);
    int64_t first = ST_TIME_MAX;
    for (t->at = first_window_of(t, key_row); t->at != ROW_NONE; t->at = window_head_of(t)->next) {
        int64_t time = timers_first_of(&t->by_row[kind], t->at);
        first = time < first ? time : first;
    }
    return first;
}

static void row_drop(struct op *op, uint32_t key_row)
{
    struct triggered *t = triggered_of(op);
    for (t->at = first_window_of(t, key_row); t->at != ROW_NONE; t->at = window_head_of(t)->next) {
        if (window_head_of(t)->filled != 0) {
            cells_drop(&t->cells, window_cell_of(t));
        }
    }
}

static void forget(struct op *op)
{
    struct triggered *t = triggered_of(op);
    table_clear(&t->windows);
    for (int kind = 0; kind < DUE_KINDS; kind++) {
        timers_clear(&t->timers[kind]);
    }
}

void triggered_rows_open(struct triggered *t)
{
    static const struct row_codec codec = {.begin = begin_writing,
                                           .end = end_writing,
                                           .is_full = is_full,
                                           .write = row_write,
                                           .due = row_due,
                                           .read = row_read,
                                           .drop = row_drop,
                                           .forget = forget,
                                           .freeze = freeze};
    if (rows_are_stored(&t->op)) {
        rows_open(&t->rows, &t->op, &t->keys, &t->reader, &codec,
                  t->cells.lists || t->cells.layout.text_count > 0);
    }
}
