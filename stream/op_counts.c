/*
 * Count windows: tumbling (every n elements of a key, then empty) and sliding (the last n elements,
 * every m). What does not fill up before the end of the input is not put out.
 *
 *     row of a key:  | key | counter | cell |        tumbling
 *                    | key | counter | elements |    sliding: folds run over the elements when it
 * fires
 *
 * Source: Flink KeyedStream.countWindow: GlobalWindows with PurgingTrigger(CountTrigger), or with
 * CountEvictor and CountTrigger; so a sliding window fires early, before it has n elements.
 */
#include <stdlib.h>

#include "stream/cells.h"
#include "stream/rocks_rows.h"

struct counter {
    uint64_t since_fired;
};

struct counts {
    struct op op;
    struct key_reader reader;
    struct cells cells;
    struct cells kept; /* sliding: the elements of a row */
    bool sliding;
    uint32_t size, every;
    struct table table;
    struct rocks_rows rows;
};

static struct counts *counts_of(struct op *op)
{
    return (struct counts *)(void *)op;
}

static struct counter *counter_at(struct counts *c, uint32_t row)
{
    return (struct counter *)(void *)table_payload(&c->table, row);
}

static char *cell_at(struct counts *c, uint32_t row)
{
    return table_payload(&c->table, row) + sizeof(struct counter);
}

/* --------------------------------------------------------------------------- Rows in a database */

/* Does the row have an element? One that has none stays until the database knows. */
static bool row_is_full(struct op *op, uint32_t row)
{
    struct counts *c = counts_of(op);
    return c->sliding || counter_at(c, row)->since_fired > 0;
}

/* What is behind the key. */
static void row_write(struct op *op, uint32_t row, struct bytes *to)
{
    struct counts *c = counts_of(op);
    bytes_put(to, counter_at(c, row), sizeof(struct counter));
    cells_write(&c->kept, cell_at(c, row), to);
}

/* Of a row that is not ours: ROW_NONE. */
static bool row_read(struct op *op, uint32_t row, struct reader *from)
{
    struct counts *c = counts_of(op);
    char *other = arena_alloc(&op->task->arena, c->kept.layout.size);
    const char *counter = read_bytes(from, sizeof(struct counter));
    if (counter == NULL) {
        return false;
    }
    if (row == ROW_NONE) {
        memset(other, 0, c->kept.layout.size);
        bool ok = cells_read(&c->kept, other, from);
        cells_drop(&c->kept, other);
        return ok;
    }
    memcpy(counter_at(c, row), counter, sizeof(struct counter));
    return cells_read(&c->kept, cell_at(c, row), from);
}

static void row_drop(struct op *op, uint32_t row)
{
    cells_drop(&counts_of(op)->kept, cell_at(counts_of(op), row));
}

static const struct table *freeze(struct op *op, struct frozen *f)
{
    struct counts *view = f->view;
    table_freeze_for(f, &counts_of(op)->table, &view->table);
    return &view->table;
}

static const struct row_codec codec = {.is_full = row_is_full,
                                       .write = row_write,
                                       .read = row_read,
                                       .drop = row_drop,
                                       .freeze = freeze};

/* --------------------------------------------------------------------------------- The operator */

static void counts_open(struct op *op)
{
    struct counts *c = counts_of(op);
    const st_windows *spec = &op->node->windows;
    c->reader = key_reader_of(&op->node->key);
    cells_init(&c->cells, op);
    c->cells.fold.row_is_cell = false; /* a counter stands before the cell */
    c->sliding = spec->slide_count != 0;
    c->size = spec->count;
    c->every = c->sliding ? spec->slide_count : spec->count;
    c->kept = c->cells;
    c->kept.lists = c->kept.lists || c->sliding;
    struct layout payload = {.size = sizeof(struct counter) + (uint32_t)sizeof(struct elements)};
    if (!c->kept.lists) { /* the table owns the text of a row, so it has to know the cell's */
        payload = c->cells.layout;
        payload.size += sizeof(struct counter);
        for (uint32_t t = 0; t < payload.text_count; t++) {
            payload.text[t] = (uint16_t)(payload.text[t] + sizeof(struct counter));
        }
    }
    table_init(&c->table, &c->reader, &op->task->memory, &payload, false);
    if (rows_are_stored(op)) {
        rows_open(&c->rows, op, &c->table, &c->reader, &codec,
                  c->kept.lists || payload.text_count > 0);
    }
}

static void counts_ready(struct op *op)
{
    rows_ready(&counts_of(op)->rows);
}

static void counts_close(struct op *op)
{
    struct counts *c = counts_of(op);
    for (uint32_t row = 0; c->kept.lists && row < c->table.row_end; row++) {
        cells_drop(&c->kept, cell_at(c, row)); /* of a free row: nothing */
    }
    rows_close(&c->rows);
    table_free(&c->table);
}

/* Only the last `size` elements stay. */
static void evict(struct counts *c, struct elements *list)
{
    if (list->count <= c->size) {
        return;
    }
    size_t size = c->kept.element.size;
    uint32_t over = list->count - c->size;
    cells_own_elements(&c->kept, list);
    for (uint32_t e = 0; e < over; e++) {
        task_free_text(c->op.task, &c->kept.element, list->records + e * size);
    }
    memmove(list->records, list->records + over * size, c->size * size);
    list->count = c->size;
}

/* The elements folded into a cell of their own, which is put out. */
static void emit_folded(struct counts *c, const struct elements *list)
{
    char *cell = arena_alloc(&c->op.task->arena, c->cells.layout.size + 16);
    memset(cell, 0, c->cells.layout.size);
    for (uint32_t e = 0; e < list->count; e++) {
        fold_one(&c->cells.fold, cell, e == 0, list->records + (size_t)e * c->kept.element.size);
    }
    cells_emit(&c->cells, cell, ST_TIME_MAX);
    cells_drop(&c->cells, cell);
}

static void fire(struct counts *c, uint32_t row)
{
    struct elements *list = (struct elements *)(void *)cell_at(c, row);
    c->op.key = c->op.node->keyed ? table_row(&c->table, row) : NULL;
    c->op.window_start = ST_TIME_MIN;
    c->op.window_end = ST_TIME_MAX;
    if (c->sliding) {
        evict(c, list);
    }
    if (c->sliding && !c->cells.lists) {
        emit_folded(c, list);
    } else {
        cells_emit(&c->cells, cell_at(c, row), ST_TIME_MAX);
    }
    if (!c->sliding) {
        op_flush(&c->op); /* what was put out may view the row */
        cells_drop(&c->kept, cell_at(c, row));
        if (table_is_stored(&c->table, row)) {
            memset(cell_at(c, row), 0, c->kept.layout.size);
        } else {
            table_remove(&c->table, row);
        }
    }
}

static void counts_batch(struct op *op, uint32_t input, const struct batch *batch)
{
    struct counts *c = counts_of(op);
    const char *record = batch->records;
    (void)input;
    if (c->rows.op != NULL) {
        rows_load(&c->rows, &c->reader, record, op->node->in->size, batch->count);
    }
    for (uint32_t k = 0; k < batch->count; k++, record += op->node->in->size) {
        bool is_new;
        uint32_t row = table_find_or_insert(&c->table, &c->reader, record, &is_new);
        struct counter *counter = counter_at(c, row);
        char *cell = cell_at(c, row);
        uint8_t fresh = is_new || (!c->sliding && counter->since_fired == 0) ? 1 : 0;
        cells_add(&c->kept, &cell, &fresh, record, 1);
        if (++counter->since_fired == c->every) {
            counter->since_fired = 0;
            fire(c, row);
        }
    }
    op->key = NULL;
    op_flush(op);
}

static void write_rows(void *view, struct bytes *to)
{
    struct counts *c = view;
    uint8_t *live = table_live_rows(&c->table);
    for (uint32_t row = 0; row < c->table.row_end; row++) {
        if (live[row] != 0) {
            bytes_record(to, &c->reader.layout, table_row(&c->table, row));
            row_write(&c->op, row, to);
        }
    }
    free(live);
}

static void counts_snapshot(struct op *op, struct bytes *to)
{
    struct counts *c = counts_of(op);
    bytes_type(to, &c->reader.type);
    cells_write_type(&c->kept, to);
    if (c->rows.op != NULL) {
        rows_snapshot(&c->rows, to);
        return;
    }
    bytes_i64(to, c->table.live);
    if (c->table.frozen != NULL) {
        write_rows(c, to);
        return;
    }
    (void)freeze(op, view_freeze(c, sizeof *c, write_rows, &op->task->frozen, to));
}

static void counts_restore(struct op *op, struct section *section)
{
    struct counts *c = counts_of(op);
    struct reader *from = &section->state;
    char *key = arena_alloc(&op->task->arena, c->reader.layout.size);
    restore_type(op, from, &c->reader.type);
    cells_read_type(&c->kept, from);
    int64_t left = read_i64(from);
    if (left == ROWS_IN_FILES) {
        rows_restore_section(&c->rows, op, from);
    }
    for (; left > 0 && !from->bad; left--) {
        bool is_new = true, ok = read_record(from, &c->reader.layout, key);
        bool own = ok && op_owns(op, &c->reader, key);
        uint32_t row = own ? table_find_or_insert_key(&c->table, key, &is_new) : ROW_NONE;
        /* A key that is there twice is damage. */
        from->bad |= !ok || !is_new || !row_read(op, row, from);
        rows_make_room(&c->rows);
    }
}

const struct op_class op_counts = {
    .snapshot = counts_snapshot,
    .restore = counts_restore,
    .size = sizeof(struct counts),
    .open = counts_open,
    .ready = counts_ready,
    .close = counts_close,
    .batch = counts_batch,
};
