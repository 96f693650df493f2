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
        list_clear(p->op.task, slot_of(p, s), &p->layouts[s]);
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

void st_state_add_at(st_context *ctx, const st_state *state, const st_type *value_type,
                     const void *value)
{
    if (state->fold == NULL || state->fold->kind != ST_FN_FOLD ||
        !type_equal(state->fold->out, state->type)) {
        st_fail(ctx, "state %s folds nothing", state->name);
    }
    if (!type_equal(state->fold->in, value_type)) {
        st_fail(ctx, "state %s takes values of type %s, not %s", state->name, state->fold->in->name,
                value_type->name);
    }
    const void *had = st_value_get(ctx, state);
    if (had == NULL && state->begins_with_first) {
        st_value_set(ctx, state, value);
        return;
    }
    void *acc = st_alloc(ctx, state->type->size);
    if (had != NULL) {
        memcpy(acc, had, state->type->size);
    } else {
        memset(acc, 0, state->type->size);
    }
    state->fold->call.fold(ctx, (void *const[]){acc}, value, 1);
    st_value_set(ctx, state, acc);
}

static struct list *list_of(st_context *ctx, const st_state *state, uint32_t *s)
{
    struct op *op = (struct op *)(void *)ctx;
    struct list *list = operator_list(op, state);
    *s = STATES_MAX;
    if (list == NULL) {
        *s = state_index(ctx, state, ST_STATE_LIST_OF);
        list = slot_of(process_of(op), *s);
    }
    return list;
}

/* A keyed list that has elements is present; an operator's needs no such mark. */
static void mark_present(st_context *ctx, uint32_t s)
{
    if (s < STATES_MAX) {
        head_of(process_of((struct op *)(void *)ctx))->present |= 1u << s;
    }
}

const void *st_list_get(st_context *ctx, const st_state *state, uint32_t *count)
{
    uint32_t s;
    const struct list *list = list_of(ctx, state, &s);
    *count = list->count;
    return list->elements;
}

void st_list_add(st_context *ctx, const st_state *state, const void *element)
{
    uint32_t s;
    struct layout layout = layout_of(state->type);
    list_add(list_of(ctx, state, &s), &layout, element);
    mark_present(ctx, s);
}

void st_list_update(st_context *ctx, const st_state *state, const void *elements, uint32_t count)
{
    uint32_t s;
    struct list *list = list_of(ctx, state, &s), copy = {0};
    struct layout layout = layout_of(state->type);
    for (uint32_t e = 0; e < count; e++) {
        list_add(&copy, &layout, (const char *)elements + (size_t)e * layout.size);
    }
    st_state_clear(ctx, state);
    *list = copy;
    if (count > 0) {
        mark_present(ctx, s);
    }
}

void st_state_clear(st_context *ctx, const st_state *state)
{
    struct op *op = (struct op *)(void *)ctx;
    struct list *list = operator_list(op, state);
    if (list != NULL) {
        struct layout layout = layout_of(state->type);
        list_clear(op->task, list, &layout);
        return;
    }
    uint32_t s = state_index(ctx, state, 0);
    clear_slot(process_of(op), s);
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

/* ------------------------------------------------------------------------------------- Records */

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

/* ----------------------------------------------------------------------------------- Snapshots */

static void write_row(struct process *p, struct bytes *to)
{
    const st_state *const *states = p->op.node->options.states;
    bytes_record(to, &p->readers[0].layout, table_row(&p->table, p->row));
    bytes_u32(to, head_of(p)->present);
    for (uint32_t s = 0; s < p->state_count; s++) {
        if ((head_of(p)->present >> s & 1) == 0) {
            continue;
        }
        if (states[s]->kind == ST_STATE_LIST_OF) {
            list_write(slot_of(p, s), &p->layouts[s], to);
        } else {
            bytes_record(to, &p->layouts[s], slot_of(p, s));
        }
    }
}

/* Timers in the order in which they will fire, each with the key's place among the rows written. */
static void write_timers(const struct timers *timers, const int64_t *place, struct bytes *to)
{
    uint32_t count;
    struct timer *all = timers_list(timers, &count);
    bytes_u32(to, count);
    for (uint32_t t = 0; t < count; t++) {
        bytes_i64(to, all[t].time);
        bytes_i64(to, place[all[t].row]);
    }
    free(all);
}

static void process_snapshot(struct op *op, struct bytes *to)
{
    struct process *p = process_of(op);
    if (!p->has_rows) {
        return;
    }
    uint8_t *live = table_live_rows(&p->table);
    int64_t *place = must_calloc((size_t)p->table.row_end + 1, sizeof *place), next = 0;
    bytes_type(to, &p->readers[0].type);
    bytes_u32(to, p->state_count);
    for (uint32_t s = 0; s < p->state_count; s++) {
        bytes_text(to, op->node->options.states[s]->name);
        bytes_u32(to, (uint32_t)op->node->options.states[s]->kind);
        bytes_type(to, op->node->options.states[s]->type);
    }
    bytes_i64(to, p->table.live);
    for (p->row = 0; p->row < p->table.row_end; p->row++) {
        if (live[p->row] != 0) {
            place[p->row] = next++;
            write_row(p, to);
        }
    }
    write_timers(&p->event, place, to);
    write_timers(&p->processing, place, to);
    free(place);
    free(live);
}

/* Which of our states each one of the section is. */
static uint32_t read_states(struct process *p, struct reader *from, uint32_t *ours)
{
    uint32_t count = read_u32(from);
    for (uint32_t i = 0; i < count && i < STATES_MAX; i++) {
        st_str name = read_text(from);
        uint32_t kind = read_u32(from), s = 0;
        const st_state *const *states = p->op.node->options.states;
        while (s < p->state_count && !st_str_equal(name, st_str_of(states[s]->name))) {
            s++;
        }
        if (from->bad) {
            return 0;
        }
        if (s == p->state_count) {
            restore_fail(&p->op,
                         "the checkpoint has state %.*s, the operator has none of this name",
                         (int)name.size, name.data);
        }
        if (kind != (uint32_t)states[s]->kind) {
            restore_fail(&p->op, "state %s was of another kind", states[s]->name);
        }
        restore_type(&p->op, from, states[s]->type);
        ours[i] = s;
    }
    from->bad |= count > STATES_MAX;
    return count;
}

/* The states of a row; of a row that is not ours they are read and left. */
static bool read_row(struct process *p, bool own, const uint32_t *ours, uint32_t count,
                     struct reader *from)
{
    uint32_t present = read_u32(from);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t s = ours[i];
        const st_state *state = p->op.node->options.states[s];
        if ((present >> i & 1) == 0) {
            continue;
        }
        void *record = arena_alloc(&p->op.task->arena, state->type->size);
        uint32_t elements = state->kind == ST_STATE_LIST_OF ? read_u32(from) : 1;
        for (; elements > 0; elements--) {
            if (!read_record(from, &p->layouts[s], record)) {
                return false;
            }
            if (own && state->kind == ST_STATE_LIST_OF) {
                list_add(slot_of(p, s), &p->layouts[s], record);
            } else if (own) {
                own_text(&p->op.ctx, &p->layouts[s], record);
                memcpy(slot_of(p, s), record, state->type->size);
            }
        }
        if (own) {
            head_of(p)->present |= 1u << s;
        }
    }
    return !from->bad;
}

static void read_timers(struct process *p, struct timers *timers, const uint32_t *rows,
                        int64_t row_count, struct reader *from)
{
    for (uint32_t left = read_u32(from); left > 0 && !from->bad; left--) {
        int64_t time = read_i64(from), place = read_i64(from);
        if (place < 0 || place >= row_count) {
            from->bad = true;
        } else if (rows[place] != ROW_NONE) {
            p->row = rows[place];
            head_of(p)->timers += timers_add(timers, time, p->row) ? 1 : 0;
        }
    }
}

static void process_restore(struct op *op, struct section *section)
{
    struct process *p = process_of(op);
    struct reader *from = &section->state;
    uint32_t ours[STATES_MAX];
    if (!p->has_rows) {
        if (from->at < from->end) {
            restore_fail(op, "the checkpoint has state, the operator has none");
        }
        return;
    }
    if (from->at == from->end) {
        return; /* it had none then */
    }
    restore_type(op, from, &p->readers[0].type);
    uint32_t count = read_states(p, from, ours);
    int64_t row_count = read_i64(from);
    if (from->bad || row_count < 0 || row_count > from->end - from->at) {
        from->bad = true;
        return;
    }
    uint32_t *rows = must_calloc((size_t)row_count + 1, sizeof *rows);
    char *key = arena_alloc(&op->task->arena, p->readers[0].layout.size);
    bool ok = true;
    for (int64_t r = 0; r < row_count && ok; r++) {
        bool is_new;
        ok = read_record(from, &p->readers[0].layout, key);
        bool own = ok && op_owns(op, &p->readers[0], key);
        p->row = own ? table_find_or_insert_key(&p->table, key, &is_new) : ROW_NONE;
        rows[r] = p->row;
        ok = ok && read_row(p, own, ours, count, from);
    }
    if (ok) {
        read_timers(p, &p->event, rows, row_count, from);
        read_timers(p, &p->processing, rows, row_count, from);
        update_wakeup(p);
    }
    free(rows);
}

const struct op_class op_process = {
    .snapshot = process_snapshot,
    .restore = process_restore,
    .size = sizeof(struct process),
    .open = process_open,
    .close = process_close,
    .batch = process_batch,
    .watermark = process_watermark,
    .wake = process_wake,
    .end = process_end,
};
