/*
 * Tumbling and sliding windows.
 *
 *     time      0        5       10       15            windows of 10 every 5
 *     slice 0   |-----------------|                     each open window has a slice: a table of
 * its own, slice 1            |-----------------|            key -> cell agenda    fire at 9, drop
 * at 9 + lateness; fire at 14 …
 *
 * A window fires for all its keys at one moment; so there is a timer a window, not one a key,
 * firing is a walk over a table, and to forget a window is to empty its table. Keys fire in the
 * order in which they came. An element belongs to [start, end).
 *
 * A batch in which nothing is late takes the short way: the slice of each record, one lookup of all
 * rows, one fold. A record of a window that has fired already (allowed lateness) fires its key
 * again.
 *
 * Panes: where an aggregate can be merged, sliding windows share slices that are as wide as the
 * slide. A record goes into one of them; a window that fires merges those it spans, key by key. So
 * the cost of a record does not grow with the number of windows it is in.
 *
 * With a database behind them all slices share one table of another form: stored_slices.c.
 *
 * Source: Flink WindowOperator.processElement, SlidingEventTimeWindows.assignWindows,
 * EventTimeTrigger, TimeWindow.getWindowStartWithOffset (floor, for negative times).
 */
#include "stream/op_slices.h"

#include <stdlib.h>

static void slices_open(struct op *op)
{
    struct windows *w = windows_of(op);
    const st_windows *spec = &op->node->windows;
    w->reader = key_reader_of(&op->node->key);
    w->size = spec->size_ms;
    w->slide = spec->kind == ST_WINDOW_SLIDING ? spec->slide_ms : spec->size_ms;
    w->slide_inverse = 1.0 / (double)w->slide;
    w->offset = spec->offset_ms;
    w->margin = windows_margin(w->size, w->slide);
    w->lateness = spec->processing_time ? 0 : spec->lateness_ms;
    cells_init(&w->cells, op);
    w->key_in_cell = w->cells.row_is_cell;
    w->is_stored = rows_are_stored(op);
    w->panes = spec->kind == ST_WINDOW_SLIDING && op->node->options.merge != NULL &&
               !w->cells.lists && w->size % w->slide == 0;
    if (w->panes) {
        w->row_reader = w->reader;
        memcpy(w->row_reader.from, w->reader.to, sizeof w->reader.to);
        table_init(&w->merged, &w->row_reader, &op->task->memory, &w->cells.layout, false);
    }
    w->slot_mask = 63;
    w->slots = must_calloc(64, sizeof(struct slice *));
    if (w->is_stored) {
        stored_slices_open(w);
    }
}

static void slices_ready(struct op *op)
{
    rows_ready(&windows_of(op)->stored.rows);
}

/* -------------------------------------------------------------------------------------- Agenda */

static bool comes_after(const struct agenda_item *a, const struct agenda_item *b)
{
    return a->time != b->time     ? a->time > b->time
           : a->start != b->start ? a->start > b->start
                                  : a->kind > b->kind;
}

static void agenda_add(struct windows *w, struct agenda_item item)
{
    if (w->agenda_count == w->agenda_capacity) {
        w->agenda =
            must_grow(w->agenda, sizeof *w->agenda, w->agenda_count, &w->agenda_capacity, 16);
    }
    for (uint32_t i = 0; w->panes && i < w->agenda_count; i++) {
        if (memcmp(&w->agenda[i], &item, sizeof item) == 0) {
            return; /* another pane of the window has it on */
        }
    }
    uint32_t at = w->agenda_count++;
    for (; at > 0 && comes_after(&item, &w->agenda[at - 1]); at--) {
        w->agenda[at] = w->agenda[at - 1];
    }
    w->agenda[at] = item;
}

/* -------------------------------------------------------------------------------------- Slices */

static uint32_t home_of(const struct windows *w, int64_t start)
{
    return (uint32_t)((uint64_t)(start - w->offset) / (uint64_t)w->slide) & w->slot_mask;
}

static struct slice **slot_of(const struct windows *w, int64_t start)
{
    uint32_t i = home_of(w, start);
    while (w->slots[i] != NULL && w->slots[i]->start != start) {
        i = (i + 1) & w->slot_mask;
    }
    return &w->slots[i];
}

static void grow_slots(struct windows *w)
{
    struct slice **old = w->slots;
    uint32_t had = w->slot_mask + 1;
    w->slot_mask = had * 2 - 1;
    w->slots = must_calloc((size_t)had * 2, sizeof(struct slice *));
    for (uint32_t i = 0; i < had; i++) {
        if (old[i] != NULL) {
            *slot_of(w, old[i]->start) = old[i];
        }
    }
    free(old);
}

static struct slice *slice_for(struct windows *w, int64_t start)
{
    struct slice **slot = slot_of(w, start);
    if (*slot != NULL) {
        return *slot;
    }
    if (w->slice_count * 2 > w->slot_mask) {
        grow_slots(w);
        slot = slot_of(w, start);
    }
    struct slice *slice = w->free_slices;
    if (slice != NULL) {
        w->free_slices = slice->next_free;
    } else {
        slice = must_calloc(1, sizeof *slice);
        if (!w->is_stored) {
            table_init(&slice->table, &w->reader, &w->op.task->memory, &w->cells.layout,
                       w->cells.row_is_cell);
        }
    }
    slice->start = start;
    *slot = slice;
    w->slice_count++;
    int64_t first = w->panes ? start - w->size + w->slide : start;
    for (int64_t i = 0; i <= (start - first) / w->slide; i++) {
        int64_t window = first + i * w->slide;
        if (window_last(w, window) > w->op.watermark) {
            agenda_add(w, (struct agenda_item){window_last(w, window), window, AGENDA_FIRE});
        }
    }
    agenda_add(w, (struct agenda_item){window_drop_at(w, start), start, AGENDA_DROP});
    return slice;
}

static char *cell_of(const struct windows *w, char *row)
{
    return row + (w->cells.row_is_cell ? 0 : w->reader.layout.size);
}

static void slice_empty(struct windows *w, struct slice *slice)
{
    struct table *t = &slice->table;
    if (w->cells.lists) {
        for (uint32_t row = 0; row < t->row_end; row++) {
            struct elements list; /* that in the row may be looked at by a snapshot */
            memcpy(&list, cell_of(w, table_row(t, row)), sizeof list);
            cells_drop(&w->cells, (char *)&list);
        }
    }
    table_clear(t);
}

static void slice_drop(struct windows *w, int64_t start)
{
    struct slice **slot = slot_of(w, start);
    struct slice *slice = *slot;
    op_flush(&w->op); /* what was put out may view keys of the table */
    if (w->is_stored) {
        stored_slices_drop(w, start);
    } else {
        slice_empty(w, slice);
    }
    slice->next_free = w->free_slices;
    w->free_slices = slice;
    w->slice_count--;
    *slot = NULL;
    uint32_t i = (uint32_t)(slot - w->slots);
    for (;;) { /* those behind that would no longer be found */
        i = (i + 1) & w->slot_mask;
        struct slice *moved = w->slots[i];
        if (moved == NULL) {
            break;
        }
        w->slots[i] = NULL;
        *slot_of(w, moved->start) = moved;
    }
}

static void slice_free(struct windows *w, struct slice *slice)
{
    if (!w->is_stored) {
        slice_empty(w, slice);
        table_free(&slice->table);
    }
    free(slice);
}

static void slices_close(struct op *op)
{
    struct windows *w = windows_of(op);
    for (uint32_t i = 0; i <= w->slot_mask; i++) {
        if (w->slots[i] != NULL) {
            slice_free(w, w->slots[i]);
        }
    }
    if (w->is_stored) {
        stored_slices_close(w);
    }
    if (w->panes) {
        table_free(&w->merged);
    }
    while (w->free_slices != NULL) {
        struct slice *next = w->free_slices->next_free;
        slice_free(w, w->free_slices);
        w->free_slices = next;
    }
    free(w->slots);
    free(w->agenda);
}

/* -------------------------------------------------------------------------------------- Firing */

void slices_fire_cell(struct windows *w, int64_t start, const void *key, char *cell)
{
    struct op *op = &w->op;
    op->window_start = start;
    op->window_end = time_wrap(start, w->size);
    op->key = op->node->keyed ? key : NULL;
    cells_emit(&w->cells, cell, window_last(w, start));
}

void slices_merge_cell(struct windows *w, char *to, bool fresh, const char *from)
{
    struct fold merge = w->cells.fold;
    merge.fn = w->op.node->options.merge;
    if (fresh) {
        memcpy(to, from, w->cells.layout.size);
        if (w->cells.layout.text_count > 0 && !record_own_text(&w->cells.layout, to)) {
            abort();
        }
    } else {
        fold_one(&merge, to, false, from);
    }
}

/* All rows of a pane into the table of the window that fires. */
static void merge_pane(struct windows *w, const struct table *pane)
{
    char *rows[BATCH_SIZE];
    uint8_t fresh[BATCH_SIZE];
    uint32_t key_size = w->reader.layout.size, in_page = 1u << pane->page_shift;
    for (uint32_t row = 0, count; row < pane->row_end; row += count) {
        uint32_t to_page_end = in_page - (row & (in_page - 1)), left = pane->row_end - row;
        count = left < to_page_end ? left : to_page_end;
        count = count < BATCH_SIZE ? count : BATCH_SIZE;
        const char *from = table_row(pane, row);
        table_find_many(&w->merged, NULL, from, pane->row_size, count, rows, fresh);
        for (uint32_t k = 0; k < count; k++, from += pane->row_size) {
            slices_merge_cell(w, rows[k] + key_size, fresh[k] != 0, from + key_size);
        }
    }
}

static void fire_panes(struct windows *w, int64_t start)
{
    for (int64_t i = 0; i < w->size / w->slide; i++) {
        const struct slice *slice = *slot_of(w, pane_of(w, start, i));
        if (slice != NULL) {
            merge_pane(w, &slice->table);
        }
    }
    slices_fire_merged(w, start);
}

void slices_fire_merged(struct windows *w, int64_t start)
{
    for (uint32_t row = 0; row < w->merged.row_end; row++) {
        char *bytes = table_row(&w->merged, row);
        slices_fire_cell(w, start, bytes, bytes + w->reader.layout.size);
    }
    op_flush(&w->op); /* what was put out may view the merged rows */
    table_clear(&w->merged);
}

/* The cell of a record's key in a pane; NULL: it has none. */
static const char *find_cell(struct windows *w, int64_t pane, const char *record, const void *key)
{
    if (w->is_stored) {
        return stored_slices_look(w, pane, key);
    }
    const struct slice *slice = *slot_of(w, pane);
    uint32_t row = slice != NULL ? table_find(&slice->table, record) : ROW_NONE;
    return row != ROW_NONE ? table_payload(&slice->table, row) : NULL;
}

/* One key's window again, for a record that came late. */
static void fire_panes_of_key(struct windows *w, int64_t start, const char *record)
{
    char *cell = arena_alloc(&w->op.task->arena, w->cells.layout.size);
    char *key = arena_alloc(&w->op.task->arena, w->reader.layout.size);
    bool fresh = true;
    key_read(&w->reader, record, key);
    for (int64_t i = 0; i < w->size / w->slide; i++) {
        const char *had = find_cell(w, pane_of(w, start, i), record, key);
        if (had != NULL) {
            slices_merge_cell(w, cell, fresh, had);
            fresh = false;
        }
    }
    slices_fire_cell(w, start, key, cell);
    task_free_text(w->op.task, &w->cells.layout, cell);
}

static void fire_slice(struct windows *w, int64_t start)
{
    struct slice *slice = *slot_of(w, start);
    for (uint32_t row = 0; row < slice->table.row_end; row++) {
        char *bytes = table_row(&slice->table, row);
        slices_fire_cell(w, start, bytes + slice->table.key_offset, cell_of(w, bytes));
    }
}

static void fire_window(struct windows *w, int64_t start)
{
    if (w->is_stored) {
        (w->panes ? stored_slices_fire_panes : stored_slices_fire)(w, start);
    } else {
        (w->panes ? fire_panes : fire_slice)(w, start);
    }
}

static void advance(struct windows *w, int64_t time)
{
    while (w->agenda_count > 0 && w->agenda[w->agenda_count - 1].time <= time) {
        struct agenda_item item = w->agenda[--w->agenda_count];
        switch ((enum agenda_kind)item.kind) {
        case AGENDA_FIRE:
            fire_window(w, item.start);
            break;
        case AGENDA_DROP:
            slice_drop(w, item.start);
            break;
        }
    }
    w->op.key = NULL;
}

static void slices_watermark(struct op *op, int64_t watermark)
{
    if (!op->node->windows.processing_time) {
        advance(windows_of(op), watermark);
    }
}

static void set_wakeup(struct windows *w)
{
    w->op.wakeup_ms =
        w->agenda_count > 0 ? clock_wakeup(w->agenda[w->agenda_count - 1].time) : ST_TIME_MAX;
}

static void slices_wake(struct op *op, int64_t now_ms)
{
    op->watermark = clock_watermark(now_ms);
    advance(windows_of(op), op->watermark);
    set_wakeup(windows_of(op));
}

/* ------------------------------------------------------------------------------------- Records */

static void add_to_slice(struct windows *w, struct slice *slice, const char *record, bool fire)
{
    char *cell;
    uint8_t fresh;
    uint64_t key[(ST_KEY_FIELDS_MAX * ST_RECORD_SIZE_MAX) / 8];
    if (w->is_stored) {
        stored_slices_find(w, &slice->start, record, 1, &cell, &fresh);
    } else {
        table_find_many(&slice->table, NULL, record, w->op.node->in->size, 1, &cell, &fresh);
        cell = cell_of(w, cell);
    }
    cells_add(&w->cells, &cell, &fresh, record, 1);
    if (fire) {
        key_read(&w->reader, record, key);
        slices_fire_cell(w, slice->start, key, cell);
    }
}

/* Any record: each of its windows takes it that is not over, and fires at once if it had fired. */
static void add_record(struct windows *w, const char *record, int64_t time)
{
    bool taken = false;
    if (!time_has_windows(time, w->margin)) {
        record_out_of_time(&w->op, record, time);
        return;
    }
    int64_t last_start = window_start(time, w->offset, w->slide);
    for (int64_t start = last_start; start > time - w->size; start -= w->slide) {
        if (window_drop_at(w, start) <= w->op.watermark) {
            continue;
        }
        if (w->panes) {
            if (!taken) { /* the first window is the last to be dropped, and begins where the pane
                             does */
                add_to_slice(w, slice_for(w, start), record, false);
            }
            if (window_last(w, start) <= w->op.watermark) {
                fire_panes_of_key(w, start, record);
            }
            taken = true;
            continue;
        }
        taken = true;
        add_to_slice(w, slice_for(w, start), record, window_last(w, start) <= w->op.watermark);
    }
    if (!taken) {
        record_is_over(&w->op, record, time);
    }
}

/* The number of the slide that a time falls into, counted from the offset. A division costs as much
 * as all else that is done for a record; the product is off by one at most, which is put right. */
static inline int64_t slide_of(const struct windows *w, int64_t time)
{
    int64_t a = time - w->offset;
    if (a < 0 || a > (int64_t)1 << 52) {
        return floor_to(a, w->slide) / w->slide;
    }
    int64_t q = (int64_t)((double)a * w->slide_inverse), rest = a - q * w->slide;
    return q - (rest < 0 ? 1 : 0) + (rest >= w->slide ? 1 : 0);
}

/* The cells of a batch's records in one slice each. */
static void find_cells(struct windows *w, struct table *const *tables, const int64_t *starts,
                       const struct batch *batch, char **cells, uint8_t *fresh)
{
    uint32_t key_size = w->cells.row_is_cell ? 0 : w->reader.layout.size;
    if (w->is_stored) {
        stored_slices_find(w, starts, batch->records, batch->count, cells, fresh);
        return;
    }
    table_find_many(NULL, tables, batch->records, w->op.node->in->size, batch->count, cells, fresh);
    for (uint32_t k = 0; k < batch->count; k++) {
        cells[k] += key_size;
    }
}

/* A batch of which no window has fired: by slice and row, all at once. A record is in as many
 * windows as there are slides in one, and those are numbers in a row; so each turn has for each
 * record the one whose number leaves the same rest. A window is then of one turn, which takes its
 * records in the order in which they came. */
static void add_batch(struct windows *w, const struct batch *batch)
{
    struct table *tables[BATCH_SIZE];
    char *cells[BATCH_SIZE];
    uint8_t fresh[BATCH_SIZE];
    int64_t slides[BATCH_SIZE], rests[BATCH_SIZE], starts[BATCH_SIZE];
    int64_t windows = w->panes ? 1 : w->size / w->slide;
    for (uint32_t k = 0; k < batch->count; k++) {
        slides[k] = slide_of(w, batch->times[k]);
        rests[k] = windows > 1 ? slides[k] - floor_to(slides[k], windows) : 0;
    }
    for (int64_t turn = 0; turn < windows; turn++) {
        for (uint32_t k = 0; k < batch->count; k++) {
            int64_t back = rests[k] - turn + (rests[k] < turn ? windows : 0), q = slides[k] - back;
            int64_t start = starts[k] = q * w->slide + w->offset;
            struct slice *slice = w->slots[(uint32_t)q & w->slot_mask]; /* nearly always */
            if (slice == NULL || slice->start != start) {
                slice = slice_for(w, start);
            }
            tables[k] = &slice->table;
        }
        find_cells(w, tables, starts, batch, cells, fresh);
        cells_add(&w->cells, cells, fresh, batch->records, batch->count);
    }
}

static void add_each(struct windows *w, const struct batch *batch)
{
    const char *record = batch->records;
    for (uint32_t k = 0; k < batch->count; k++, record += w->op.node->in->size) {
        add_record(w, record, batch->times[k]);
    }
}

static void slices_batch(struct op *op, uint32_t input, const struct batch *batch)
{
    struct windows *w = windows_of(op);
    struct batch timed = *batch;
    int64_t now[BATCH_SIZE], least = ST_TIME_MAX, most = ST_TIME_MIN;
    (void)input;
    op_at(op, batch);
    if (op->node->windows.processing_time) {
        now[0] = job_now(op->task->job);
        op->watermark = clock_watermark(now[0]);
        for (uint32_t k = 1; k < batch->count; k++) {
            now[k] = now[0];
        }
        timed.times = now;
    }
    for (uint32_t k = 0; k < batch->count; k++) {
        least = timed.times[k] < least ? timed.times[k] : least;
        most = timed.times[k] > most ? timed.times[k] : most;
    }
    /* The earliest window of the earliest record ends behind it; times that have no windows are
     * left to the slow way. */
    bool plain = least > op->watermark && time_is_within(least, w->margin) &&
                 time_is_within(most, w->margin) && w->size % w->slide == 0 && timed.count > 1;
    if (plain) {
        add_batch(w, &timed);
    } else {
        add_each(w, &timed);
    }
    if (op->node->windows.processing_time) {
        set_wakeup(w);
    }
    op->key = NULL;
    op_flush(op);
}

/* ----------------------------------------------------------------------------------- Snapshots */

/* Of a slice whose cells are lists. */
struct slice_view {
    const struct windows *w; /* what it is made of does not change */
    struct table table;
};

static void write_lists(void *view, struct bytes *to)
{
    const struct slice_view *v = view;
    for (uint32_t row = 0; row < v->table.row_end; row++) {
        char *bytes = table_row(&v->table, row);
        bytes_record(to, &v->w->reader.layout, bytes);
        cells_write(&v->w->cells, cell_of(v->w, bytes), to);
    }
}

static void write_slice(struct windows *w, struct slice *slice, struct bytes *to)
{
    struct table *t = &slice->table;
    bytes_i64(to, slice->start);
    bytes_i64(to, t->row_end);
    if (!w->cells.lists) {
        table_freeze(t, &w->cells.layout, &w->op.task->frozen, to);
        return;
    }
    struct slice_view view = {w, *t};
    if (t->frozen != NULL) {
        write_lists(&view, to);
        return;
    }
    struct frozen *f = view_freeze(&view, sizeof view, write_lists, &w->op.task->frozen, to);
    table_freeze_for(f, t, &((struct slice_view *)f->view)->table);
}

/* The slices, in the order of their starts, so that equal states are equal bytes, each with its
 * rows; or the starts alone, and then all rows. */
static void slices_snapshot(struct op *op, struct bytes *to)
{
    struct windows *w = windows_of(op);
    bytes_type(to, &w->reader.type);
    cells_write_type(&w->cells, to);
    bytes_u32(to, w->panes ? 1 : 0);
    bytes_u32(to, w->is_stored ? 1 : 0);
    bytes_u32(to, w->slice_count);
    for (uint32_t a = w->agenda_count; a-- > 0;) {
        if (w->agenda[a].kind != AGENDA_DROP) { /* each open window has one */
            continue;
        }
        if (w->is_stored) {
            bytes_i64(to, w->agenda[a].start);
        } else {
            write_slice(w, *slot_of(w, w->agenda[a].start), to);
        }
    }
    if (w->is_stored) {
        stored_slices_snapshot(w, to);
    }
}

/* A cell of a key that is ours into its slice; false: it has one. The cell's text is then its own.
 */
static bool put_cell(struct windows *w, int64_t start, const char *key, const char *cell)
{
    char *to;
    if (w->is_stored) {
        to = stored_slices_make(w, start, key);
    } else {
        bool is_new;
        struct table *t = &slice_for(w, start)->table;
        uint32_t row = table_find_or_insert_key(t, key, &is_new);
        to = is_new ? table_payload(t, row) : NULL;
    }
    if (to != NULL) {
        memcpy(to, cell, w->cells.layout.size);
    }
    return to != NULL;
}

/* Room for a row of a section. */
struct row_read {
    bool with_key; /* it is beside the cell */
    char *key, *cell;
};

/* A row that is its cell, where rows in memory are so too. */
static bool restore_record(struct windows *w, int64_t start, struct reader *from,
                           struct row_read *at)
{
    bool is_new, ok = read_record(from, &w->cells.layout, at->cell);
    key_read(&w->reader, at->cell, at->key);
    if (ok && op_owns(&w->op, &w->reader, at->key)) {
        table_find_or_insert(&slice_for(w, start)->table, &w->reader, at->cell, &is_new);
    }
    return ok;
}

static bool restore_row(struct windows *w, int64_t start, struct reader *from, struct row_read *at)
{
    if (at->with_key && !read_record(from, &w->reader.layout, at->key)) {
        return false;
    }
    if (w->cells.row_is_cell) {
        return restore_record(w, start, from, at);
    }
    memset(at->cell, 0, w->cells.layout.size);
    bool ok = cells_read(&w->cells, at->cell, from);
    if (!at->with_key) {
        key_read(&w->reader, at->cell, at->key);
    }
    bool own = ok && op_owns(&w->op, &w->reader, at->key);
    if (own && put_cell(w, start, at->key, at->cell)) {
        return true;
    }
    cells_drop(&w->cells, at->cell);
    return ok && !own; /* a key that is there twice is damage */
}

/* Slices, each with its rows. */
static void restore_slices(struct windows *w, struct reader *from, struct row_read *at)
{
    for (uint32_t left = read_u32(from); left > 0 && !from->bad; left--) {
        int64_t start = read_i64(from), rows = read_i64(from);
        if (from->bad || (w->op.ctx.subtask > 0 && !w->op.node->keyed)) {
            return;
        }
        (void)slice_for(w, start);
        for (; rows > 0 && !from->bad; rows--) {
            from->bad |= !restore_row(w, start, from, at);
        }
    }
}

/* The slices' starts, and then all rows. */
static void restore_rows(struct windows *w, struct reader *from, struct row_read *at)
{
    for (uint32_t left = read_u32(from); left > 0 && !from->bad; left--) {
        int64_t start = read_i64(from);
        if (!from->bad) {
            (void)slice_for(w, start);
        }
    }
    int64_t rows = read_i64(from);
    if (rows == ROWS_IN_FILES) {
        rows_restore_section(&w->stored.rows, &w->op, from);
    }
    for (; rows > 0 && !from->bad; rows--) {
        int64_t start = read_i64(from);
        from->bad = from->bad || !restore_row(w, start, from, at);
    }
}

static void slices_restore(struct op *op, struct section *section)
{
    struct windows *w = windows_of(op);
    struct reader *from = &section->state;
    restore_type(op, from, &w->reader.type);
    cells_read_type(&w->cells, from);
    if (read_u32(from) != (w->panes ? 1u : 0u)) {
        restore_fail(op, "its sliding windows had %s .merge", w->panes ? "no" : "a");
    }
    bool of_rows = read_u32(from) != 0;
    struct row_read at = {of_rows || !w->key_in_cell,
                          arena_alloc(&op->task->arena, w->reader.layout.size),
                          arena_alloc(&op->task->arena, w->cells.layout.size)};
    (of_rows ? restore_rows : restore_slices)(w, from, &at);
    if (op->node->windows.processing_time) {
        set_wakeup(w);
    }
}

const struct op_class op_slices = {
    .snapshot = slices_snapshot,
    .restore = slices_restore,
    .size = sizeof(struct windows),
    .open = slices_open,
    .ready = slices_ready,
    .close = slices_close,
    .batch = slices_batch,
    .watermark = slices_watermark,
    .wake = slices_wake,
};
