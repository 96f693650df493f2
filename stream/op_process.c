/*
 * Process functions, of one input or two; keyed ones with state and timers.
 *
 *     row of a key:  | key | present, timers | slot | slot | …       a slot a state, in order of
 * .states
 *
 * All states of a key are in one row: one lookup a record, however many there are. A value lies in
 * its slot; a list's slot says where its elements are. A row goes when it has neither state nor
 * timers, so what a job has forgotten costs nothing.
 */
#include <assert.h>
#include <stdlib.h>

#include "stream/task.h"
#include "stream/timers.h"

#define STATES_MAX 32

struct row_head {
    uint32_t present; /* bits, by state */
    uint32_t timers;  /* of both kinds */
};

struct list {
    char *elements;
    uint32_t count, capacity;
};

struct process {
    struct op op;
    struct key_reader readers[2]; /* by input */
    bool has_rows;                /* there are states or timers */
    struct table table;
    uint32_t row; /* at hand */
    uint32_t state_count;
    uint32_t slots[STATES_MAX]; /* offsets behind the key */
    struct layout layouts[STATES_MAX];
    struct timers event, processing;
    int64_t timer_time; /* what st_timestamp says in a timer */
};

static struct process *process_of(struct op *op)
{
    return (struct process *)(void *)op;
}

static struct row_head *head_of(struct process *p)
{
    return (struct row_head *)(void *)table_payload(&p->table, p->row);
}

static void process_open(struct op *op)
{
    struct process *p = process_of(op);
    const st_options *o = &op->node->options;
    if (!op->node->keyed) {
        return;
    }
    p->readers[0] = key_reader_of(&op->node->key);
    if (op->node->in2 != NULL) {
        p->readers[1] = key_reader_of(&op->node->key2);
    }
    struct layout payload = {.size = sizeof(struct row_head)};
    for (uint32_t s = 0; o->states != NULL && o->states[s] != NULL; s++) {
        if (s == STATES_MAX) {
            task_fail(op->task, "more than %d states", STATES_MAX);
        }
        p->layouts[s] = layout_of(o->states[s]->type);
        p->slots[s] = payload.size;
        uint32_t size = o->states[s]->kind == ST_STATE_LIST_OF ? (uint32_t)sizeof(struct list)
                                                               : o->states[s]->type->size;
        payload.size += (size + 7) / 8 * 8;
        p->state_count = s + 1;
    }
    p->has_rows = p->state_count > 0 || o->on_timer != NULL;
    if (p->has_rows) {
        table_init(&p->table, &p->readers[0], &op->task->memory, &payload, false);
        timers_init(&p->event, &op->task->memory);
        timers_init(&p->processing, &op->task->memory);
    }
}

/* -------------------------------------------------------------------------------------- States */

static void *slot_of(struct process *p, uint32_t s)
{
    return table_payload(&p->table, p->row) + p->slots[s];
}

static void clear_slot(struct process *p, uint32_t s)
{
    const st_state *state = p->op.node->options.states[s];
    if ((head_of(p)->present >> s & 1) == 0) {
        return;
    }
    if (state->kind == ST_STATE_LIST_OF) {
        struct list *list = slot_of(p, s);
        for (uint32_t e = 0; e < list->count; e++) {
            task_free_text(p->op.task, &p->layouts[s],
                           list->elements + (size_t)e * state->type->size);
        }
        free(list->elements);
        *list = (struct list){0};
    } else {
        task_free_text(p->op.task, &p->layouts[s], slot_of(p, s));
    }
    head_of(p)->present &= ~(1u << s);
}

static void process_close(struct op *op)
{
    struct process *p = process_of(op);
    if (!p->has_rows) {
        return;
    }
    for (p->row = 0; p->row < p->table.row_end; p->row++) {
        for (uint32_t s = 0; s < p->state_count; s++) {
            clear_slot(p, s); /* of a free row: nothing is present */
        }
    }
    table_free(&p->table);
    timers_free(&p->event);
    timers_free(&p->processing);
}

/* The number of a state of the operator whose key is at hand. */
static uint32_t state_index(st_context *ctx, const st_state *state, enum st_state_kind kind)
{
    struct op *op = (struct op *)(void *)ctx;
    if (op->class != &op_process || op->key == NULL || !process_of(op)->has_rows) {
        st_fail(ctx, "state %s: no key is at hand", state->name);
    }
    const struct process *p = process_of(op);
    for (uint32_t s = 0; s < p->state_count; s++) {
        if (op->node->options.states[s] == state) {
            if (kind != 0 && state->kind != kind) {
                st_fail(ctx, "state %s is not of the kind that was asked for", state->name);
            }
            return s;
        }
    }
    st_fail(ctx, "state %s is not in the operator's .states", state->name);
}

const void *st_value_get(st_context *ctx, const st_state *state)
{
    uint32_t s = state_index(ctx, state, ST_STATE_VALUE_OF);
    struct process *p = process_of((struct op *)(void *)ctx);
    return (head_of(p)->present >> s & 1) != 0 ? slot_of(p, s) : NULL;
}

static void own_text(st_context *ctx, const struct layout *layout, void *record)
{
    if (layout->text_count > 0 && !record_own_text(layout, record)) {
        st_fail(ctx, "out of memory");
    }
}

void st_value_set(st_context *ctx, const st_state *state, const void *value)
{
    uint32_t s = state_index(ctx, state, ST_STATE_VALUE_OF);
    struct process *p = process_of((struct op *)(void *)ctx);
    if (p->layouts[s].text_count == 0) {
        memmove(slot_of(p, s), value, state->type->size);
    } else {
        void *copy =
            st_alloc(ctx, state->type->size); /* `value` may be the slot, or view its text */
        memcpy(copy, value, state->type->size);
        own_text(ctx, &p->layouts[s], copy);
        clear_slot(p, s);
        memcpy(slot_of(p, s), copy, state->type->size);
    }
    head_of(p)->present |= 1u << s;
}

const void *st_list_get(st_context *ctx, const st_state *state, uint32_t *count)
{
    uint32_t s = state_index(ctx, state, ST_STATE_LIST_OF);
    struct process *p = process_of((struct op *)(void *)ctx);
    const struct list *list = slot_of(p, s);
    *count = list->count;
    return list->elements;
}

void st_list_add(st_context *ctx, const st_state *state, const void *element)
{
    uint32_t s = state_index(ctx, state, ST_STATE_LIST_OF);
    struct process *p = process_of((struct op *)(void *)ctx);
    struct list *list = slot_of(p, s);
    size_t size = state->type->size;
    if (list->count == list->capacity) {
        list->capacity = list->capacity * 2 + 4;
        char *elements = must_calloc(list->capacity, size);
        if (list->count > 0) {
            memcpy(elements, list->elements, list->count * size);
        }
        memcpy(elements + list->count * size, element, size); /* which may lie in the old ones */
        free(list->elements);
        list->elements = elements;
    } else {
        memcpy(list->elements + list->count * size, element, size);
    }
    own_text(ctx, &p->layouts[s], list->elements + list->count * size);
    list->count++;
    head_of(p)->present |= 1u << s;
}

void st_list_update(st_context *ctx, const st_state *state, const void *elements, uint32_t count)
{
    uint32_t s = state_index(ctx, state, ST_STATE_LIST_OF);
    struct process *p = process_of((struct op *)(void *)ctx);
    size_t size = state->type->size;
    char *copy = count > 0 ? must_calloc(count, size) : NULL;
    for (uint32_t e = 0; e < count; e++) {
        memcpy(copy + e * size, (const char *)elements + e * size, size);
        own_text(ctx, &p->layouts[s], copy + e * size);
    }
    clear_slot(p, s);
    if (count > 0) {
        *(struct list *)slot_of(p, s) = (struct list){copy, count, count};
        head_of(p)->present |= 1u << s;
    }
}

void st_state_clear(st_context *ctx, const st_state *state)
{
    uint32_t s = state_index(ctx, state, 0);
    clear_slot(process_of((struct op *)(void *)ctx), s);
}

/* -------------------------------------------------------------------------------------- Timers */

static struct process *with_timers(st_context *ctx)
{
    struct op *op = (struct op *)(void *)ctx;
    if (op->class != &op_process || op->key == NULL || op->node->options.on_timer == NULL) {
        st_fail(ctx, "a timer needs a key at hand, and .on_timer");
    }
    return process_of(op);
}

static void update_wakeup(struct process *p)
{
    p->op.wakeup_ms = timers_next(&p->processing);
}

void st_set_event_timer(st_context *ctx, int64_t time_ms)
{
    struct process *p = with_timers(ctx);
    head_of(p)->timers += timers_add(&p->event, time_ms, p->row) ? 1 : 0;
}

void st_set_processing_timer(st_context *ctx, int64_t time_ms)
{
    struct process *p = with_timers(ctx);
    head_of(p)->timers += timers_add(&p->processing, time_ms, p->row) ? 1 : 0;
    update_wakeup(p);
}

void st_delete_event_timer(st_context *ctx, int64_t time_ms)
{
    struct process *p = with_timers(ctx);
    head_of(p)->timers -= timers_remove(&p->event, time_ms, p->row) ? 1 : 0;
}

void st_delete_processing_timer(st_context *ctx, int64_t time_ms)
{
    struct process *p = with_timers(ctx);
    head_of(p)->timers -= timers_remove(&p->processing, time_ms, p->row) ? 1 : 0;
}

static void drop_row_if_empty(struct process *p)
{
    if (head_of(p)->present == 0 && head_of(p)->timers == 0) {
        table_remove(&p->table, p->row);
    }
}

static void fire(struct process *p, struct timers *timers, int64_t until, bool event_time)
{
    struct op *op = &p->op;
    struct st_out *out = &op->outputs[0].out;
    for (struct timer timer; timers_take(timers, until, &timer);) {
        p->row = timer.row;
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

static void process_watermark(struct op *op, int64_t watermark)
{
    struct process *p = process_of(op);
    if (p->has_rows) {
        fire(p, &p->event, watermark, true);
    }
}

static void process_wake(struct op *op, int64_t now_ms)
{
    struct process *p = process_of(op);
    fire(p, &p->processing, now_ms, false);
    update_wakeup(p);
}

/* --------------------------------------------------------------------------------------- Records
 */

/* One record to the function of an input. What a map or filter makes is put out here. */
static void call_function(struct op *op, const st_function *fn, const void *record)
{
    struct st_out *out = &op->outputs[0].out;
    if (fn->kind == ST_FN_FLAT_MAP) {
        fn->call.flat_map(&op->ctx, record, 1, out);
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
        if (p->has_rows && head_of(p)->present == 0 && head_of(p)->timers == 0) {
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

static void process_batch(struct op *op, uint32_t input, const struct batch *batch)
{
    if (op->node->keyed) {
        keyed_batch(process_of(op), input, batch);
    } else {
        plain_batch(op, input == 0 ? op->node->fn : op->node->fn2, batch);
    }
    op_flush(op);
}

static void process_end(struct op *op)
{
    if (op->node->options.end != NULL) {
        op->outputs[0].out.time = ST_TIME_MIN;
        op->node->options.end(&op->ctx, &op->outputs[0].out);
    }
}

const struct op_class op_process = {
    .size = sizeof(struct process),
    .open = process_open,
    .close = process_close,
    .batch = process_batch,
    .watermark = process_watermark,
    .wake = process_wake,
    .end = process_end,
};
