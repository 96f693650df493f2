/*
 * Folds, see fold.h.
 *
 * Source: Flink SumAggregator, ComparableAggregator.
 */
#include "stream/fold.h"

#include <assert.h>
#include <stdlib.h>

void fold_init(struct fold *fold, struct op *op)
{
    const struct node *node = op->node;
    *fold = (struct fold){.op = op, .builtin = node->builtin, .fn = node->fn};
    fold->first_is_copied = node->builtin != 0 || type_equal(node->fn->in, node->fn->out);
    if (node->fn2 != NULL) { /* an aggregate's accumulator begins as zeros, whatever its type */
        fold->first_is_copied = false;
    }
    fold->cell = node->builtin != 0 ? node->in : node->fn->out;
    fold->layout = layout_of(fold->cell);
    fold->row_is_cell = node->builtin != 0 && node->keyed && node->key.count == 1;
    if (node->builtin != 0) {
        const st_field *field = type_field_at(node->in, node->field.offset);
        fold->offset = field->offset;
        fold->kind = field->kind;
        /* A sum over the key itself would change the key in the row. */
        fold->row_is_cell = fold->row_is_cell && node->key.offset[0] != field->offset;
    }
}

void fold_table(const struct fold *fold, struct table *table, const struct key_reader *reader)
{
    table_init(table, reader, &fold->op->task->memory, &fold->layout, fold->row_is_cell);
}

/* ---------------------------------------------------------------------------------- One record */

/* Below, equal or above 0, as the field of a stands to that of b. */
static int compare_field(enum st_kind kind, uint32_t size, const char *a, const char *b)
{
#define COMPARE(T)                                                                                 \
    do {                                                                                           \
        T x, y;                                                                                    \
        memcpy(&x, a, sizeof x);                                                                   \
        memcpy(&y, b, sizeof y);                                                                   \
        return x < y ? -1 : x > y;                                                                 \
    } while (0)
    switch (kind) {
    case ST_KIND_BOOL:
    case ST_KIND_U8:
        COMPARE(uint8_t);
    case ST_KIND_I8:
        COMPARE(int8_t);
    case ST_KIND_I16:
        COMPARE(int16_t);
    case ST_KIND_I32:
        COMPARE(int32_t);
    case ST_KIND_I64:
        COMPARE(int64_t);
    case ST_KIND_U16:
        COMPARE(uint16_t);
    case ST_KIND_U32:
        COMPARE(uint32_t);
    case ST_KIND_U64:
        COMPARE(uint64_t);
    case ST_KIND_F32:
        COMPARE(float);
    case ST_KIND_F64:
        COMPARE(double);
    case ST_KIND_STR: {
        st_str x, y;
        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        return st_str_compare(x, y);
    }
    case ST_KIND_CHARS:
        return strncmp(a, b, size);
    case ST_KIND_NONE:
    case ST_KIND_END:
        break;
    }
    assert(0 && "a field has a known kind");
    return 0;
#undef COMPARE
}

/* Integers wrap around, as Java's do. */
static void add_field(enum st_kind kind, char *to, const char *more)
{
#define ADD(T)                                                                                     \
    do {                                                                                           \
        T x, y;                                                                                    \
        memcpy(&x, to, sizeof x);                                                                  \
        memcpy(&y, more, sizeof y);                                                                \
        x = (T)(x + y);                                                                            \
        memcpy(to, &x, sizeof x);                                                                  \
        return;                                                                                    \
    } while (0)
    switch (kind) {
    case ST_KIND_I8:
    case ST_KIND_U8:
        ADD(uint8_t);
    case ST_KIND_I16:
    case ST_KIND_U16:
        ADD(uint16_t);
    case ST_KIND_I32:
    case ST_KIND_U32:
        ADD(uint32_t);
    case ST_KIND_I64:
    case ST_KIND_U64:
        ADD(uint64_t);
    case ST_KIND_F32:
        ADD(float);
    case ST_KIND_F64:
        ADD(double);
    case ST_KIND_NONE:
    case ST_KIND_BOOL:
    case ST_KIND_STR:
    case ST_KIND_CHARS:
    case ST_KIND_END:
        break;
    }
    assert(0 && "only numbers are summed");
#undef ADD
}

void fold_replace(const struct fold *fold, char *cell, const char *record)
{
    task_free_text(fold->op->task, &fold->layout, cell);
    memcpy(cell, record, fold->cell->size);
    if (fold->layout.text_count > 0 && !record_own_text(&fold->layout, cell)) {
        abort();
    }
}

static void fold_builtin(const struct fold *fold, char *cell, const char *record)
{
    uint32_t size = type_field_at(fold->cell, fold->offset)->size;
    char *to = cell + fold->offset;
    const char *from = record + fold->offset;
    int order = fold->builtin == ST_SUM ? 0 : compare_field(fold->kind, size, from, to);
    switch (fold->builtin) {
    case ST_SUM:
        add_field(fold->kind, to, from);
        break;
    case ST_MIN:
    case ST_MAX:
        if (fold->builtin == ST_MIN ? order < 0 : order > 0) {
            memcpy(to, from, size);
        }
        break;
    case ST_MIN_BY:
    case ST_MAX_BY:
        if (fold->builtin == ST_MIN_BY ? order < 0 : order > 0) {
            fold_replace(fold, cell, record);
        }
        break;
    }
}

/* A user's fold on a cell with text: it works on a copy, whose views may then point anywhere. What
 * is not the cell's own text as before is copied, and the old text goes. */
static void fold_text(const struct fold *fold, char *cell, const char *record)
{
    void *copy = arena_alloc(&fold->op->task->arena, fold->cell->size);
    struct layout changed = {.size = fold->layout.size};
    memcpy(copy, cell, fold->cell->size);
    fold->fn->call.fold(&fold->op->ctx, &copy, record, 1);
    for (uint32_t t = 0; t < fold->layout.text_count; t++) {
        uint16_t at = fold->layout.text[t];
        if (memcmp((char *)copy + at, cell + at, sizeof(st_str)) != 0) {
            changed.text[changed.text_count++] = at;
        }
    }
    if (!record_own_text(&changed, copy)) {
        abort();
    }
    task_free_text(fold->op->task, &changed, cell);
    memcpy(cell, copy, fold->cell->size);
}

void fold_one(const struct fold *fold, char *cell, bool fresh, const char *record)
{
    if (fresh && fold->first_is_copied) {
        if (!fold->row_is_cell) {
            fold_replace(fold, cell, record);
        }
    } else if (fold->builtin != 0) {
        fold_builtin(fold, cell, record);
    } else if (fold->layout.text_count > 0) {
        fold_text(fold, cell, record);
    } else {
        void *acc = cell;
        fold->fn->call.fold(&fold->op->ctx, &acc, record, 1);
    }
}

/* ------------------------------------------------------------------------------------- A batch */

/* The common case in a loop of its own: a running sum of 8-byte integers. The cell is copied out
 * before its sum is written: a wide load behind a narrow store to the same place waits for it. */
static inline void sum_int64(const struct fold *fold, char *const *cells, const uint8_t *fresh,
                             const char *records, uint32_t count, char *out, uint32_t size)
{
    const uint32_t at = fold->offset;
    for (uint32_t k = 0; k < count; k++, records += size) {
        char *cell = cells[k];
        if (fresh[k] != 0 && !fold->row_is_cell) {
            fold_replace(fold, cell, records);
        }
        if (out != NULL) {
            record_copy(out + (size_t)k * size, cell, size);
        }
        if (fresh[k] == 0) {
            uint64_t sum, more;
            memcpy(&sum, cell + at, 8);
            memcpy(&more, records + at, 8);
            sum += more;
            memcpy(cell + at, &sum, 8);
            if (out != NULL) {
                memcpy(out + (size_t)k * size + at, &sum, 8);
            }
        }
    }
}

void fold_many(const struct fold *fold, char *const *cells, const uint8_t *fresh,
               const void *records, uint32_t count, void *out)
{
    uint32_t in_size = fold->op->node->in->size, cell_size = fold->cell->size;
    if (fold->builtin == ST_SUM && (fold->kind == ST_KIND_I64 || fold->kind == ST_KIND_U64)) {
        if (in_size == 24) {
            sum_int64(fold, cells, fresh, records, count, out, 24);
        } else {
            sum_int64(fold, cells, fresh, records, count, out, in_size);
        }
        return;
    }
    if (fold->builtin == 0 && !fold->first_is_copied && fold->layout.text_count == 0 &&
        out == NULL) {
        fold->fn->call.fold(&fold->op->ctx, (void *const *)cells, records, count);
        return;
    }
    const char *record = records;
    for (uint32_t k = 0; k < count; k++, record += in_size) {
        fold_one(fold, cells[k], fresh[k] != 0, record);
        if (out != NULL) {
            memcpy((char *)out + (size_t)k * cell_size, cells[k], cell_size);
        }
    }
}
