/*
 * Process functions, of one input or two; keyed ones with state and timers. What they keep is told
 * in op_process.h.
 */
#include "stream/op_process.h"
#include "stream/op_triggered.h"

#include <assert.h>
#include <stdlib.h>

static void process_open(struct op *op)
{
    struct process *p = process_of(op);
    const st_options *o = &op->node->options;
    for (uint32_t input = 0; input < 2; input++) {
        p->learns[input] = node_input_is_broadcast(op->node, input);
    }
    if (!op->node->keyed) {
        return;
    }
    p->readers[0] = key_reader_of(&op->node->key);
    if (op->node->in2 != NULL && op->node->key2.count > 0) {
        p->readers[1] = key_reader_of(&op->node->key2);
    }
    struct layout payload = {.size = sizeof(struct row_head)};
    keyed_state_open(p, &payload);
    p->has_rows = p->state_count > 0 || o->on_timer != NULL;
    if (p->has_rows) {
        table_init(&p->table, &p->readers[0], &op->task->memory, &payload, false);
        timers_init(&p->timers[DUE_EVENT], &op->task->memory);
        timers_init(&p->timers[DUE_PROCESSING], &op->task->memory);
        keyed_rows_open(p);
    }
}

static void process_ready(struct op *op)
{
    rows_ready(&process_of(op)->rows);
}

static void process_close(struct op *op)
{
    struct process *p = process_of(op);
    if (p->has_rows) {
        keyed_rows_close(p);
        keyed_state_close(p);
        table_free(&p->table);
        timers_free(&p->timers[DUE_EVENT]);
        timers_free(&p->timers[DUE_PROCESSING]);
    }
}

/* -------------------------------------------------------------------------------------- Timers */

static void update_wakeup(struct process *p)
{
    int64_t in_memory = timers_next(&p->timers[DUE_PROCESSING]);
    p->op.wakeup_ms = rows_next_timer(&p->rows, DUE_PROCESSING, in_memory);
}

/* Sets, or deletes, a timer of the key at hand; in a trigger, of its window. */
static void change_timer(st_context *ctx, int64_t time_ms, bool event_time, bool set)
{
    struct op *op = (struct op *)(void *)ctx;
    if (op->class == &op_triggered) {
        triggered_timer(op, time_ms, event_time, set);
        return;
    }
    if (op->class != &op_process || op->key == NULL || op->node->options.on_timer == NULL) {
        st_fail(ctx, "a timer needs a key at hand, and .on_timer");
    }
    struct process *p = process_of(op);
    struct timers *timers = &p->timers[event_time ? DUE_EVENT : DUE_PROCESSING];
    if (set) {
        head_of(p)->timers += timers_add(timers, time_ms, p->row) ? 1 : 0;
    } else {
        head_of(p)->timers -= timers_remove(timers, time_ms, p->row) ? 1 : 0;
    }
    update_wakeup(p);
}

void st_set_event_timer(st_context *ctx, int64_t time_ms)
{
    change_timer(ctx, time_ms, true, true);
}

void st_set_processing_timer(st_context *ctx, int64_t time_ms)
{
    change_timer(ctx, time_ms, false, true);
}

void st_delete_event_timer(st_context *ctx, int64_t time_ms)
{
    change_timer(ctx, time_ms, true, false);
}

void st_delete_processing_timer(st_context *ctx, int64_t time_ms)
{
    change_timer(ctx, time_ms, false, false);
}

static void fire(struct process *p, enum due_kind kind, int64_t until)
{
    struct op *op = &p->op;
    struct st_out *out = &op->outputs[0].out;
    bool event_time = kind == DUE_EVENT;
    for (struct timer timer; timers_take(&p->timers[kind], until, &timer);) {
        p->row = timer.row;
        table_touch(&p->table, p->row);
        head_of(p)->timers--;
        op->key = table_row(&p->table, timer.row);
        p->timer_time = timer.time;
        op->ctx.times = event_time ? &p->timer_time : NULL;
        op->ctx.index = 0;
        out->time = event_time ? timer.time : ST_TIME_MIN;
        op->node->options.on_timer(&op->ctx, timer.time, out);
        op_flush(op); /* before the row, and the text it views, can go */
        drop_row_if_empty(p);
    }
    op->key = NULL;
}

static void advance(struct process *p, enum due_kind kind, int64_t until)
{
    int64_t upto;
    p->op.reads_only = true;
    for (bool more = true; more;) {
        more = rows_load_due(&p->rows, kind, until, &upto);
        fire(p, kind, upto);
    }
    p->op.reads_only = false;
}

static void process_watermark(struct op *op, int64_t watermark)
{
    struct process *p = process_of(op);
    if (p->has_rows) {
        advance(p, DUE_EVENT, watermark);
    }
}

static void process_wake(struct op *op, int64_t now_ms)
{
    struct process *p = process_of(op);
    advance(p, DUE_PROCESSING, now_ms);
    update_wakeup(p);
}

/* ------------------------------------------------------------------------------------- Records */

/* One record to the function of an input. What a map or filter makes is put out here. */
static void call_function(struct op *op, const st_function *fn, const void *record)
{
    struct st_out *out = &op->outputs[0].out;
    if (fn->kind == ST_FN_FLAT_MAP) {
        fn->call.flat_map(&op->ctx, record, 1, out);
        return;
    }
    if (fn->kind == ST_FN_SINK) {
        fn->call.sink(&op->ctx, record, 1);
        return;
    }
    if (out->count == out->capacity) {
        st_flush(out);
    }
    char *to = out->records + (size_t)out->count * out->record_size;
    int64_t *time = out->times + out->count;
    *time = op->ctx.times != NULL ? op->ctx.times[0] : ST_TIME_MIN;
    if (fn->kind == ST_FN_FILTER) {
        out->count += fn->call.filter(&op->ctx, record, to, time, 1);
    } else {
        fn->call.map(&op->ctx, record, to, 1);
        out->count++;
    }
}

static void keyed_batch(struct process *p, uint32_t input, const struct batch *batch)
{
    struct op *op = &p->op;
    const st_function *fn = input == 0 ? op->node->fn : op->node->fn2;
    const struct key_reader *reader = &p->readers[input];
    const char *record = batch->records;
    uint64_t key[(ST_KEY_FIELDS_MAX * ST_RECORD_SIZE_MAX) / 8];
    if (p->has_ttl) {
        p->now_ms = job_now(op->task->job);
        keyed_state_sweep(p, batch->count * SWEPT_FOR_A_RECORD);
    }
    if (p->rows.op != NULL) {
        rows_load(&p->rows, reader, record, fn->in->size, batch->count);
    }
    for (uint32_t k = 0; k < batch->count; k++, record += fn->in->size) {
        bool is_new;
        op->ctx.times = batch->times != NULL ? batch->times + k : NULL;
        op->ctx.index = 0;
        if (p->has_rows) {
            p->row = table_find_or_insert(&p->table, reader, record, &is_new);
            op->key = table_row(&p->table, p->row);
        } else {
            key_read(reader, record, key);
            op->key = key;
        }
        call_function(op, fn, record);
        if (p->has_rows && row_is_empty(p)) {
            op_flush(op); /* what was put out may view the key */
            table_remove(&p->table, p->row);
        }
    }
    op->key = NULL;
}

static void plain_batch(struct op *op, const st_function *fn, const struct batch *batch)
{
    if (fn->kind == ST_FN_FLAT_MAP) {
        op_at(op, batch);
        fn->call.flat_map(&op->ctx, batch->records, batch->count, &op->outputs[0].out);
        return;
    }
    const char *record = batch->records;
    for (uint32_t k = 0; k < batch->count; k++, record += fn->in->size) {
        op->ctx.times = batch->times != NULL ? batch->times + k : NULL;
        op->ctx.index = 0;
        call_function(op, fn, record);
    }
}

static void set_timed(struct op *op, bool timed)
{
    for (uint32_t o = 0; o < op->output_count; o++) {
        op->outputs[o].out.timed = timed;
    }
}

static void process_batch(struct op *op, uint32_t input, const struct batch *batch)
{
    bool to_all = input == 1 && op->node->key2.count == 0; /* broadcast: no key is at hand */
    set_timed(op, batch_is_timed(batch)); /* as what is put out for its records, but st_emit_at */
    op->reads_only = !process_of(op)->learns[input];
    if (op->node->keyed && !to_all) {
        keyed_batch(process_of(op), input, batch);
    } else {
        plain_batch(op, input == 0 ? op->node->fn : op->node->fn2, batch);
    }
    op_flush(op);
    op->reads_only = false;
    set_timed(op, true);
}

static void process_end(struct op *op)
{
    if (op->node->options.end != NULL) {
        op->ctx.times = NULL;
        op->outputs[0].out.time = ST_TIME_MIN;
        op->node->options.end(&op->ctx, &op->outputs[0].out);
    }
}

static void process_snapshot(struct op *op, struct bytes *to)
{
    if (process_of(op)->has_rows) {
        keyed_rows_snapshot(process_of(op), to);
    }
}

static void process_restore(struct op *op, struct section *section)
{
    if (process_of(op)->has_rows) {
        keyed_rows_restore(process_of(op), section);
        update_wakeup(process_of(op));
    } else if (section->state.at < section->state.end) {
        restore_without(op, section, "keyed state");
    }
}

const struct op_class op_process = {
    .snapshot = process_snapshot,
    .restore = process_restore,
    .size = sizeof(struct process),
    .open = process_open,
    .ready = process_ready,
    .close = process_close,
    .batch = process_batch,
    .watermark = process_watermark,
    .wake = process_wake,
    .end = process_end,
};
