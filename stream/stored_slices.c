/*
 * Slices whose rows lie in a database, see op_slices.h.
 */
#include <stdlib.h>

#include "stream/op_slices.h"

#define KEY_AT 8 /* bytes of the start before the key */

static char *cell_of(const struct windows *w, char *row)
{
    return row + w->stored.packed.layout.size;
}

static int64_t start_of(const char *row)
{
    int64_t start;
    memcpy(&start, row, sizeof start);
    return start;
}

static void pack(struct windows *w, char *to, int64_t start, const void *key)
{
    memcpy(to, &start, sizeof start);
    memcpy(to + KEY_AT, key, w->reader.layout.size);
}

/* --------------------------------------------------------------------------- Rows in a database */

/* A slice that was dropped while the database had the row, or was about to, leaves it so. */
static bool row_is_full(struct op *op, uint32_t row)
{
    struct windows *w = windows_of(op);
    return window_drop_at(w, start_of(table_row(&w->stored.table, row))) > w->stored.gone;
}

static void row_write(struct op *op, uint32_t row, struct bytes *to)
{
    struct windows *w = windows_of(op);
    cells_write(&w->cells, cell_of(w, table_row(&w->stored.table, row)), to);
}

static bool row_read(struct op *op, uint32_t row, struct reader *from)
{
    struct windows *w = windows_of(op);
    return cells_read(&w->cells, cell_of(w, table_row(&w->stored.table, row)), from);
}

/* The text of folds goes with the row. */
static void row_drop(struct op *op, uint32_t row)
{
    struct windows *w = windows_of(op);
    if (w->cells.lists) {
        cells_drop(&w->cells, cell_of(w, table_own_row(&w->stored.table, row)));
    }
}

static const struct table *freeze(struct op *op, struct frozen *f)
{
    struct windows *view = f->view;
    table_freeze_for(f, &windows_of(op)->stored.table, &view->stored.table);
    return &view->stored.table;
}

static const struct row_codec codec = {.is_full = row_is_full,
                                       .write = row_write,
                                       .read = row_read,
                                       .drop = row_drop,
                                       .freeze = freeze};

/* --------------------------------------------------------------------------- Opening, closing */

/* The key's fields behind the start; from: where the key begins in what is read. */
static void add_fields(struct key_reader *to, const struct key_reader *key, uint16_t from,
                       uint16_t at)
{
    for (uint32_t f = 0; f < key->count; f++) {
        const uint32_t t = to->count++;
        to->kind[t] = key->kind[f];
        to->from[t] = (uint16_t)(from + key->to[f]);
        to->to[t] = (uint16_t)(at + key->to[f]);
        to->size[t] = key->size[f];
        to->type.fields[t] = key->type.fields[f];
        to->type.fields[t].offset = to->to[t];
    }
    to->type.name = "key";
    to->type.field_count = to->count;
    to->type.size = (uint16_t)(at + key->type.size);
    to->layout = layout_of(&to->type);
}

void stored_slices_open(struct windows *w)
{
    struct stored_slices *s = &w->stored;
    w->cells.row_is_cell = w->cells.fold.row_is_cell = false;
    s->packed = (struct key_reader){.count = 1, .kind = {ST_KIND_I64}, .size = {KEY_AT}};
    s->packed.type.fields[0] = (st_field){"start", 0, KEY_AT, ST_KIND_I64};
    add_fields(&s->packed, &w->reader, KEY_AT, KEY_AT);
    add_fields(&s->inner, &w->reader, KEY_AT, 0);
    s->gone = ST_TIME_MIN;
    s->space = must_calloc(BATCH_SIZE, s->packed.layout.size);
    table_init(&s->table, &s->packed, &w->op.task->memory, &w->cells.layout, false);
    rows_open(&s->rows, &w->op, &s->table, &s->packed, &codec,
              w->cells.lists || w->cells.layout.text_count > 0);
    s->rows.behind_time = &s->inner;
}

void stored_slices_close(struct windows *w)
{
    struct stored_slices *s = &w->stored;
    for (uint32_t row = 0; w->cells.lists && row < s->table.row_end; row++) {
        cells_drop(&w->cells, cell_of(w, table_row(&s->table, row))); /* of a free row: nothing */
    }
    rows_close(&s->rows);
    table_free(&s->table);
    bytes_free(&s->walked);
    free(s->space);
}

/* ----------------------------------------------------------------------------- Cells of records */

void stored_slices_find(struct windows *w, const int64_t *starts, const void *records,
                        uint32_t count, char **cells, uint8_t *fresh)
{
    struct stored_slices *s = &w->stored;
    const uint32_t size = s->packed.layout.size;
    const char *record = records;
    for (uint32_t k = 0; k < count; k++, record += w->op.node->in->size) {
        memcpy(s->space + (size_t)k * size, &starts[k], sizeof starts[k]);
        key_read(&w->reader, record, s->space + (size_t)k * size + KEY_AT);
    }
    rows_load(&s->rows, &s->packed, s->space, size, count);
    table_find_many(&s->table, NULL, s->space, size, count, cells, fresh);
    for (uint32_t k = 0; k < count; k++) {
        cells[k] = cell_of(w, cells[k]);
    }
}

char *stored_slices_look(struct windows *w, int64_t start, const void *key)
{
    struct stored_slices *s = &w->stored;
    pack(w, s->space, start, key);
    rows_load(&s->rows, &s->packed, s->space, s->packed.layout.size, 1);
    uint32_t row = table_find(&s->table, s->space);
    return row != ROW_NONE ? cell_of(w, table_row(&s->table, row)) : NULL;
}

char *stored_slices_make(struct windows *w, int64_t start, const void *key)
{
    bool is_new;
    struct stored_slices *s = &w->stored;
    pack(w, s->space, start, key);
    rows_make_room(&s->rows);
    uint32_t row = table_find_or_insert_key(&s->table, s->space, &is_new);
    return is_new ? cell_of(w, table_row(&s->table, row)) : NULL;
}

/* -------------------------------------------------------------------------------------- Firing */

/* Those in use of a slice, from `row` on; ROW_NONE: there are no more. */
static uint32_t next_row(const struct windows *w, int64_t start, uint32_t row)
{
    const struct table *t = &w->stored.table;
    while (row < t->row_end &&
           ((t->marks[row] & ROW_LIVE) == 0 || start_of(table_row(t, row)) != start)) {
        row++;
    }
    return row < t->row_end ? row : ROW_NONE;
}

#define EACH_ROW(w, start, row)                                                                    \
    uint32_t row = next_row(w, start, 0);                                                          \
    row != ROW_NONE;                                                                               \
    row = next_row(w, start, row + 1)

/* What a walk found: a row's start and key, and a cell. Views are into w->stored.walked. */
static bool read_walked(struct windows *w, struct reader *from, char *packed, char *cell)
{
    memset(cell, 0, w->cells.layout.size);
    return read_record(from, &w->stored.packed.layout, packed) && cells_read(&w->cells, cell, from);
}

/* Up to a batch of entries of a slice and of these key groups, behind each other in
 * w->stored.walked. Returns how many. */
static uint32_t walk(struct windows *w, int64_t start, uint32_t group, uint32_t end)
{
    struct stored_slices *s = &w->stored;
    struct reader key, value;
    uint32_t count = 0;
    s->walked.size = 0;
    for (; count < BATCH_SIZE && rows_walk_entry(&s->rows, start, group, end, &key, &value);
         rows_walk_next(&s->rows), count++) {
        bytes_put(&s->walked, key.at, (size_t)(key.end - key.at));
        bytes_put(&s->walked, value.at, (size_t)(value.end - value.at));
    }
    return count;
}

_Noreturn static void fail(struct windows *w)
{
    task_fail(w->op.task, "%s: a row in the database is damaged", w->op.node->name);
}

/* Rows of the database that the table does not have. */
static void fire_walked(struct windows *w, int64_t start)
{
    struct stored_slices *s = &w->stored;
    char *packed = arena_alloc(&w->op.task->arena, s->packed.layout.size);
    char *cell = arena_alloc(&w->op.task->arena, w->cells.layout.size);
    rows_walk_begin(&s->rows);
    rows_walk_seek(&s->rows, start, 0);
    for (uint32_t count; (count = walk(w, start, 0, UINT32_MAX)) > 0;) {
        struct reader from = {s->walked.data, s->walked.data + s->walked.size, false};
        for (; count > 0; count--) {
            if (!read_walked(w, &from, packed, cell)) {
                fail(w);
            }
            if (table_find(&s->table, packed) == ROW_NONE) {
                slices_fire_cell(w, start, packed + KEY_AT, cell);
            }
            cells_drop(&w->cells, cell);
        }
        op_flush(&w->op); /* what was put out may view the keys */
    }
    rows_walk_end(&s->rows);
}

void stored_slices_fire(struct windows *w, int64_t start)
{
    struct stored_slices *s = &w->stored;
    for (EACH_ROW(w, start, row)) {
        char *bytes = table_row(&s->table, row);
        slices_fire_cell(w, start, bytes + KEY_AT, cell_of(w, bytes));
    }
    op_flush(&w->op);
    if (s->rows.have_left) {
        fire_walked(w, start);
    }
}

static void merge(struct windows *w, const char *packed, const char *cell)
{
    bool is_new;
    uint32_t row = table_find_or_insert(&w->merged, &w->row_reader, packed + KEY_AT, &is_new);
    slices_merge_cell(w, table_payload(&w->merged, row), is_new, cell);
}

/* The panes of a window, of these key groups. */
static void merge_walked(struct windows *w, int64_t start, uint32_t group)
{
    struct stored_slices *s = &w->stored;
    char *packed = arena_alloc(&w->op.task->arena, s->packed.layout.size);
    char *cell = arena_alloc(&w->op.task->arena, w->cells.layout.size);
    for (int64_t i = 0; i < w->size / w->slide; i++) {
        int64_t pane = pane_of(w, start, i);
        rows_walk_seek(&s->rows, pane, group);
        for (uint32_t count; (count = walk(w, pane, group, group + 1)) > 0;) {
            struct reader from = {s->walked.data, s->walked.data + s->walked.size, false};
            for (; count > 0; count--) {
                if (!read_walked(w, &from, packed, cell)) {
                    fail(w);
                }
                merge(w, packed, cell);
                cells_drop(&w->cells, cell);
            }
        }
    }
}

/* A window of panes is put together key group by key group, where not all of it is in memory. */
void stored_slices_fire_panes(struct windows *w, int64_t start)
{
    struct stored_slices *s = &w->stored;
    const uint32_t groups = w->op.task->job->env->max_parallelism;
    if (s->rows.have_left) {
        rows_store(&s->rows);
        rows_walk_begin(&s->rows);
        for (uint32_t group = 0; group < groups; group++) {
            merge_walked(w, start, group);
            slices_fire_merged(w, start);
        }
        rows_walk_end(&s->rows);
        return;
    }
    for (int64_t i = 0; i < w->size / w->slide; i++) {
        for (EACH_ROW(w, pane_of(w, start, i), row)) {
            char *bytes = table_row(&s->table, row);
            merge(w, bytes, cell_of(w, bytes));
        }
    }
    slices_fire_merged(w, start);
}

/* Rows that the database has, or will have, stay until it knows. */
void stored_slices_drop(struct windows *w, int64_t start)
{
    struct stored_slices *s = &w->stored;
    s->gone = window_drop_at(w, start);
    for (EACH_ROW(w, start, row)) {
        row_drop(&w->op, row);
        if (table_is_stored(&s->table, row)) {
            table_touch(&s->table, row);
        } else {
            table_remove(&s->table, row);
        }
    }
    if (s->table.live == 0) { /* rows are again in the order in which they come */
        table_clear(&s->table);
    }
    rows_delete_time(&s->rows, start);
}

void stored_slices_snapshot(struct windows *w, struct bytes *to)
{
    rows_snapshot(&w->stored.rows, to);
}
