/*
 * The rolling fold of a keyed stream: each record goes into its key's cell, and what the cell then
 * is goes out.
 *
 *     row of a key:  | key | cell |      or the cell alone, where it is a record that has its key
 *
 * Source: Flink StreamGroupedReduceOperator.
 */
#include "stream/fold.h"
#include "stream/rocks_rows.h"

struct rolling {
    struct op op;
    struct key_reader reader;
    struct fold fold;
    struct table table;
    struct rocks_rows rows;
};

static struct rolling *rolling_of(struct op *op)
{
    return (struct rolling *)(void *)op;
}

/* --------------------------------------------------------------------------- Rows in a database */

static bool row_is_full(struct op *op, uint32_t row)
{
    (void)op;
    (void)row;
    return true;
}

static void row_write(struct op *op, uint32_t row, struct bytes *to)
{
    struct rolling *r = rolling_of(op);
    bytes_record(to, &r->fold.layout, table_payload(&r->table, row));
}

static bool row_read(struct op *op, uint32_t row, struct reader *from)
{
    struct rolling *r = rolling_of(op);
    uint64_t cell[ST_RECORD_SIZE_MAX / 8 + 1];
    bool ok = read_record(from, &r->fold.layout, cell);
    if (ok) {
        fold_replace(&r->fold, table_payload(&r->table, row), (const char *)(const void *)cell);
    }
    return ok;
}

static const struct table *freeze(struct op *op, struct frozen *f)
{
    struct rolling *view = f->view;
    table_freeze_for(f, &rolling_of(op)->table, &view->table);
    return &view->table;
}

static const struct row_codec codec = {
    .is_full = row_is_full, .write = row_write, .read = row_read, .freeze = freeze};

/* --------------------------------------------------------------------------------- The operator */

static void rolling_open(struct op *op)
{
    struct rolling *r = rolling_of(op);
    r->reader = key_reader_of(&op->node->key);
    fold_init(&r->fold, op);
    fold_table(&r->fold, &r->table, &r->reader);
    if (rows_are_stored(op)) {
        rows_open(&r->rows, op, &r->table, &r->reader, &codec, r->fold.layout.text_count > 0);
    }
}

static void rolling_ready(struct op *op)
{
    rows_ready(&rolling_of(op)->rows);
}

static void rolling_close(struct op *op)
{
    rows_close(&rolling_of(op)->rows);
    table_free(&rolling_of(op)->table);
}

static void rolling_batch(struct op *op, uint32_t input, const struct batch *batch)
{
    struct rolling *r = rolling_of(op);
    struct output *output = op_output(op);
    char *cells[BATCH_SIZE];
    uint8_t fresh[BATCH_SIZE];
    (void)input;
    if (r->rows.op != NULL) {
        rows_load(&r->rows, &r->reader, batch->records, op->node->in->size, batch->count);
    }
    table_find_many(&r->table, NULL, batch->records, op->node->in->size, batch->count, cells,
                    fresh);
    if (!r->fold.row_is_cell) {
        for (uint32_t k = 0; k < batch->count; k++) {
            cells[k] += r->reader.layout.size;
        }
    }
    fold_many(&r->fold, cells, fresh, batch->records, batch->count, output->out.records);
    output_push(output, &(struct batch){output->out.records, batch->times, batch->count});
}

static void rolling_snapshot(struct op *op, struct bytes *to)
{
    struct rolling *r = rolling_of(op);
    bytes_type(to, &r->reader.type);
    bytes_type(to, r->fold.cell);
    if (r->rows.op != NULL) {
        rows_snapshot(&r->rows, to);
        return;
    }
    bytes_i64(to, r->table.row_end);
    table_freeze(&r->table, &r->fold.layout, &op->task->frozen, to);
}

/* Cells that are rows, by batch: each of a million rows would wait for memory by itself. Those of
 * others are passed over. Returns how many were read. */
static int64_t restore_batch(struct rolling *r, int64_t left, char *cells, char *key,
                             struct reader *from)
{
    struct op *op = &r->op;
    char *rows[BATCH_SIZE];
    uint8_t fresh[BATCH_SIZE];
    uint32_t size = r->fold.layout.size, own = 0;
    int64_t read = 0;
    for (; read < left && read < BATCH_SIZE; read++) {
        char *cell = cells + (size_t)own * size;
        if (!read_record(from, &r->fold.layout, cell)) {
            break;
        }
        key_read(&r->reader, cell, key);
        own += op_owns(op, &r->reader, key) ? 1 : 0;
    }
    table_find_many(&r->table, NULL, cells, size, own, rows, fresh);
    rows_make_room(&r->rows);
    return read;
}

static void rolling_restore(struct op *op, struct section *section)
{
    struct rolling *r = rolling_of(op);
    struct reader *from = &section->state;
    char *key = arena_alloc(&op->task->arena, r->reader.layout.size);
    char *cell = arena_alloc(&op->task->arena, (size_t)r->fold.cell->size * BATCH_SIZE);
    restore_type(op, from, &r->reader.type);
    restore_type(op, from, r->fold.cell);
    int64_t count = read_i64(from);
    if (count == ROWS_IN_FILES) {
        rows_restore_section(&r->rows, op, from);
    }
    if (!from->bad && count > 0 && count <= (from->end - from->at) / r->fold.layout.size &&
        r->rows.op == NULL) {
        table_reserve(&r->table, (uint32_t)(count < UINT32_MAX ? count : 0));
    }
    while (r->fold.row_is_cell && count > 0 && !from->bad) {
        count -= restore_batch(r, count, cell, key, from);
    }
    for (; count > 0 && !from->bad; count--) {
        bool is_new, ok = read_record(from, &r->reader.layout, key);
        if (!ok || !read_record(from, &r->fold.layout, cell)) {
            return; /* said by the caller */
        }
        if (!op_owns(op, &r->reader, key)) {
            continue;
        }
        uint32_t row = table_find_or_insert_key(&r->table, key, &is_new);
        fold_replace(&r->fold, table_payload(&r->table, row), cell);
        rows_make_room(&r->rows);
    }
}

const struct op_class op_fold = {
    .size = sizeof(struct rolling),
    .snapshot = rolling_snapshot,
    .restore = rolling_restore,
    .open = rolling_open,
    .ready = rolling_ready,
    .close = rolling_close,
    .batch = rolling_batch,
};
