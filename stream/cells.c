/*
 * Cells of windows, see cells.h.
 */
#include "stream/cells.h"
#include "stream/function_state.h"

#include <stdlib.h>

void cells_init(struct cells *cells, struct op *op)
{
    const struct node *node = op->node;
    *cells = (struct cells){.op = op, .element = layout_of(node->in)};
    cells->lists = node->builtin == 0 && node->fn->kind == ST_FN_WINDOW;
    if (cells->lists) {
        cells->layout = (struct layout){.size = sizeof(struct elements)};
    } else {
        fold_init(&cells->fold, op);
        cells->layout = cells->fold.layout;
        cells->row_is_cell = cells->fold.row_is_cell;
    }
}

static void append(const struct cells *cells, struct elements *list, const char *record)
{
    size_t size = cells->element.size;
    if (list->count == list->capacity) {
        list->capacity = list->capacity * 2 + 4;
        char *records = must_calloc(list->capacity, size);
        if (list->count > 0) {
            memcpy(records, list->records, list->count * size);
        }
        task_free_shared(cells->op->task, list->records);
        list->records = records;
    }
    char *to = list->records + list->count++ * size;
    memcpy(to, record, size);
    if (cells->element.text_count > 0 && !record_own_text(&cells->element, to)) {
        abort();
    }
}

void cells_own_elements(const struct cells *cells, struct elements *list)
{
    struct task *task = cells->op->task;
    if (task->frozen != NULL && list->count > 0) {
        char *records = must_calloc(list->capacity, cells->element.size);
        memcpy(records, list->records, (size_t)list->count * cells->element.size);
        task_free_shared(task, list->records);
        list->records = records;
    }
}

void cells_add(const struct cells *cells, char *const *to, const uint8_t *fresh,
               const void *records, uint32_t count)
{
    if (!cells->lists) {
        fold_many(&cells->fold, to, fresh, records, count, NULL);
        return;
    }
    for (uint32_t k = 0; k < count; k++) {
        append(cells, (struct elements *)(void *)to[k],
               (const char *)records + (size_t)k * cells->element.size);
    }
}

/* What a map makes of an accumulator, or the record itself, as the next record of the output. */
static void emit_one(struct op *op, const st_function *result, const char *cell, int64_t time)
{
    struct st_out *out = &op->outputs[0].out;
    if (out->count == out->capacity) {
        st_flush(out);
    }
    char *to = out->records + (size_t)out->count * out->record_size;
    if (result != NULL) {
        result->call.map(&op->ctx, cell, to, 1);
    } else {
        record_copy(to, cell, out->record_size);
    }
    out->times[out->count++] = time;
}

void cells_emit(const struct cells *cells, char *cell, int64_t time)
{
    struct op *op = cells->op;
    const st_function *result = op->node->fn2;
    if (op->states != NULL) {
        function_state_enter(op);
    }
    op->ctx.times = &time;
    op->ctx.index = 0;
    op->outputs[0].out.time = time;
    if (cells->lists) {
        const struct elements *list = (const struct elements *)(const void *)cell;
        op->node->fn->call.window(&op->ctx, list->records, list->count, &op->outputs[0].out);
    } else if (result != NULL && result->kind == ST_FN_FLAT_MAP) {
        result->call.flat_map(&op->ctx, cell, 1, &op->outputs[0].out);
    } else {
        emit_one(op, result, cell, time);
    }
    op->ctx.times = NULL;
    if (op->states != NULL) {
        function_state_leave(op);
    }
}

void cells_drop(const struct cells *cells, char *cell)
{
    if (!cells->lists) {
        task_free_text(cells->op->task, &cells->layout, cell);
        return;
    }
    struct elements *list = (struct elements *)(void *)cell;
    for (uint32_t e = 0; cells->element.text_count > 0 && e < list->count; e++) {
        char element[ST_RECORD_SIZE_MAX]; /* the one in the list may be looked at by a snapshot */
        memcpy(element, list->records + (size_t)e * cells->element.size, cells->element.size);
        task_free_text(cells->op->task, &cells->element, element);
    }
    task_free_shared(cells->op->task, list->records);
    *list = (struct elements){0};
}

void cells_merge(const struct cells *cells, char *to, char *from)
{
    if (cells->lists) {
        struct elements *list = (struct elements *)(void *)from;
        for (uint32_t e = 0; e < list->count; e++) {
            append(cells, (struct elements *)(void *)to,
                   list->records + (size_t)e * cells->element.size);
        }
    } else {
        const st_function *merge = cells->op->node->options.merge;
        struct fold fold = cells->fold; /* a reduction merges as it reduces */
        fold.fn = merge != NULL ? merge : fold.fn;
        fold_one(&fold, to, false, from);
    }
    cells_drop(cells, from);
}

void cells_write(const struct cells *cells, const char *cell, struct bytes *to)
{
    if (!cells->lists) {
        bytes_record(to, &cells->layout, cell);
        return;
    }
    const struct elements *list = (const struct elements *)(const void *)cell;
    bytes_u32(to, list->count);
    for (uint32_t e = 0; e < list->count; e++) {
        bytes_record(to, &cells->element, list->records + (size_t)e * cells->element.size);
    }
}

bool cells_read(const struct cells *cells, char *cell, struct reader *from)
{
    struct task *task = cells->op->task;
    if (!cells->lists) {
        bool ok = read_record(from, &cells->layout, cell);
        if (ok && cells->layout.text_count > 0 && !record_own_text(&cells->layout, cell)) {
            abort();
        }
        return ok;
    }
    void *record = arena_alloc(&task->arena, cells->element.size);
    uint32_t left = read_u32(from);
    if (left == 0) {
        return false; /* a window has an element */
    }
    for (; left > 0; left--) {
        if (!read_record(from, &cells->element, record)) {
            return false;
        }
        append(cells, (struct elements *)(void *)cell, record);
    }
    return !from->bad;
}

static const st_type *cell_type(const struct cells *cells)
{
    return cells->lists ? cells->op->node->in : cells->fold.cell;
}

void cells_write_type(const struct cells *cells, struct bytes *to)
{
    bytes_text(to, cells->lists ? "elements" : "fold");
    bytes_type(to, cell_type(cells));
}

void cells_read_type(const struct cells *cells, struct reader *from)
{
    st_str form = read_text(from);
    if (!st_str_equal(form, st_str_of(cells->lists ? "elements" : "fold"))) {
        restore_fail(cells->op, "its windows hold %s, the checkpoint has %.*s",
                     cells->lists ? "elements" : "folds", (int)form.size, form.data);
    }
    restore_type(cells->op, from, cell_type(cells));
}

void late_record(struct op *op, const void *record, int64_t time)
{
    const st_tag *late = op->node->windows.late;
    if (late == NULL) {
        op->late_records++;
        return;
    }
    op_emit_side(op, late, record, op->node->in->size, time);
}

void record_is_over(struct op *op, const void *record, int64_t time)
{
    if (time_wrap(time, op->node->windows.lateness_ms) <= op->watermark) {
        late_record(op, record, time);
    } else if (time == ST_TIME_MAX) {
        op->late_records++;
    }
}

void record_out_of_time(struct op *op, const void *record, int64_t time)
{
    if (time == ST_TIME_MIN) {
        task_fail(op->task, "a record without a timestamp has come to windows of event time; "
                            "st_assign_timestamps gives it one");
    }
    if (time > ST_TIME_MAX - op->node->windows.lateness_ms || time < 0) {
        late_record(op, record, time);
    } else {
        op->late_records++;
    }
}

uint32_t window_set_place(int64_t start, int64_t end)
{
    uint64_t in = (uint64_t)start + (uint64_t)end;
    in = (in ^ (in >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    in = (in ^ (in >> 27)) * UINT64_C(0x94d049bb133111eb);
    uint32_t hash = (uint32_t)(in ^ (in >> 31));
    return (hash ^ hash >> 16) & 15;
}
