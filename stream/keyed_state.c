/*
 * What a function may ask of its states: values, lists and maps under the key at hand, lists and
 * broadcast state of the subtask. How they lie is told in op_process.h and op_state.c.
 */
#include <stdlib.h>

#include "stream/op_process.h"

/* ------------------------------------------------------------------------------- Slots of a row */

static uint32_t slot_size(const st_state *state)
{
    switch (state->kind) {
    case ST_STATE_LIST_OF:
        return (uint32_t)sizeof(struct list);
    case ST_STATE_MAP_OF:
        return (uint32_t)sizeof(struct map_head);
    case ST_STATE_VALUE_OF:
    case ST_STATE_UNION_OF:
    case ST_STATE_BROADCAST_OF:
        break;
    }
    return round_up_8(state->type->size) + (state->ttl_ms > 0 ? (uint32_t)sizeof(int64_t) : 0);
}

void keyed_state_open(struct process *p, struct layout *payload)
{
    struct op *op = &p->op;
    const st_state *const *states = op->node->options.states;
    for (uint32_t s = 0; states != NULL && states[s] != NULL; s++) {
        if (s == STATES_MAX) {
            task_fail(op->task, "%s: more than %d states", op->node->name, STATES_MAX);
        }
        if (states[s]->kind == ST_STATE_MAP_OF) {
            map_open(&p->maps[s], states[s], &op->task->memory);
        }
        p->layouts[s] = layout_of(states[s]->type);
        p->slots[s] = payload->size;
        payload->size += slot_size(states[s]);
        p->has_ttl |= states[s]->ttl_ms > 0;
        p->state_count = s + 1;
    }
    if (payload->size + p->readers[0].layout.size > ST_RECORD_SIZE_MAX * 2) {
        task_fail(op->task, "%s: the states of a key take %u bytes, more than %d", op->node->name,
                  payload->size, ST_RECORD_SIZE_MAX * 2);
    }
}

static void clear_slot(struct process *p, uint32_t s)
{
    if ((head_of(p)->present >> s & 1) == 0) {
        return;
    }
    switch (p->op.node->options.states[s]->kind) {
    case ST_STATE_LIST_OF:
        list_clear(p->op.task, slot_of(p, s), &p->layouts[s]);
        break;
    case ST_STATE_MAP_OF:
        map_clear(&p->maps[s], slot_of(p, s));
        break;
    case ST_STATE_VALUE_OF:
    case ST_STATE_UNION_OF:
    case ST_STATE_BROADCAST_OF:
        task_free_text(p->op.task, &p->layouts[s], slot_of(p, s));
        break;
    }
    head_of(p)->present &= ~(1u << s);
}

void keyed_state_drop(struct process *p)
{
    for (uint32_t s = 0; s < p->state_count; s++) {
        clear_slot(p, s);
    }
}

void keyed_state_close(struct process *p)
{
    const st_state *const *states = p->op.node->options.states;
    for (p->row = 0; p->row < p->table.row_end; p->row++) {
        for (uint32_t s = 0; s < p->state_count; s++) {
            if (states[s]->kind != ST_STATE_MAP_OF) {
                clear_slot(p, s); /* of a free row: nothing is present */
            }
        }
    }
    for (uint32_t s = 0; s < p->state_count; s++) {
        if (states[s]->kind == ST_STATE_MAP_OF) {
            map_close(&p->maps[s]);
        }
    }
}

void drop_row_if_empty(struct process *p)
{
    if (row_is_empty(p)) {
        table_remove(&p->table, p->row);
    }
}

/* -------------------------------------------------------------------------------- Time to live */

/* The clock, where the state wants to know it. */
static int64_t now_for(const struct process *p, const st_state *state)
{
    return state->ttl_ms > 0 ? job_now(p->op.task->job) : 0;
}

/* Those elements that are not over stay, in their order. */
static void expire_list(struct process *p, uint32_t s, int64_t now_ms)
{
    const st_state *state = p->op.node->options.states[s];
    struct list *list = slot_of(p, s);
    uint32_t size = p->layouts[s].size, kept = 0, e = 0;
    while (e < list->count && !keyed_state_is_over(state, list->times[e], now_ms)) {
        e++;
    }
    if (e == list->count) {
        return;
    }
    list_own(p->op.task, list, &p->layouts[s]);
    for (e = 0; e < list->count; e++) {
        char *from = list->elements + (size_t)e * size;
        if (keyed_state_is_over(state, list->times[e], now_ms)) {
            task_free_text(p->op.task, &p->layouts[s], from);
            continue;
        }
        memmove(list->elements + (size_t)kept * size, from, size);
        list->times[kept++] = list->times[e];
    }
    list->count = kept;
    if (kept == 0) {
        clear_slot(p, s);
    }
}

static void expire_map(struct process *p, uint32_t s, int64_t now_ms)
{
    struct map *map = &p->maps[s];
    struct map_head *head = slot_of(p, s);
    for (uint32_t entry = head->first, behind; entry != 0; entry = behind) {
        behind = map_behind(map, head, entry);
        if (keyed_state_is_over(map->state, map_touched(map, entry), now_ms)) {
            map_remove(map, head, entry);
        }
    }
    if (head->count == 0) {
        clear_slot(p, s);
    }
}

/* Takes away what is over of a state of the row at hand. */
static void expire_slot(struct process *p, uint32_t s, int64_t now_ms)
{
    const st_state *state = p->op.node->options.states[s];
    if (state->ttl_ms == 0 || (head_of(p)->present >> s & 1) == 0) {
        return;
    }
    switch (state->kind) {
    case ST_STATE_LIST_OF:
        expire_list(p, s, now_ms);
        break;
    case ST_STATE_MAP_OF:
        expire_map(p, s, now_ms);
        break;
    case ST_STATE_VALUE_OF:
    case ST_STATE_UNION_OF:
    case ST_STATE_BROADCAST_OF:
        if (keyed_state_is_over(state, *touched_of(p, s), now_ms)) {
            clear_slot(p, s);
        }
        break;
    }
}

void keyed_state_expire(struct process *p, int64_t now_ms)
{
    for (uint32_t s = 0; s < p->state_count; s++) {
        expire_slot(p, s, now_ms);
    }
}

void keyed_state_sweep(struct process *p, uint32_t count)
{
    rows_pass_time(&p->rows, p->now_ms);
    for (; count > 0 && p->table.row_end > 0; count--) {
        p->swept = p->swept + 1 < p->table.row_end ? p->swept + 1 : 0;
        p->row = p->swept;
        const struct row_head *head = (const void *)table_payload(&p->table, p->row);
        if (head->present != 0) {
            keyed_state_expire(p, p->now_ms);
            if (head_of(p)->present == 0) {
                table_touch(&p->table, p->row);
            }
            drop_row_if_empty(p);
        }
    }
}

/* --------------------------------------------------------------------------- Which state is it */

static void own_text(st_context *ctx, const struct layout *layout, void *record)
{
    if (layout->text_count > 0 && !record_own_text(layout, record)) {
        st_fail(ctx, "out of memory");
    }
}

/* What the states of the function lie in. */
static struct op *states_of(st_context *ctx)
{
    struct op *op = (struct op *)(void *)ctx;
    return op->states != NULL ? op->states : op;
}

static struct process *process_at(st_context *ctx)
{
    return process_of(states_of(ctx));
}

/* The number of a state of the operator whose key is at hand; kind 0: any. */
static uint32_t state_index(st_context *ctx, const st_state *state, uint32_t kind)
{
    struct op *op = states_of(ctx);
    if (kind != 0 && (uint32_t)state->kind != kind) {
        st_fail(ctx, "state %s is not of the kind that was asked for", state->name);
    }
    if (op->class != &op_process || op->key == NULL || !process_of(op)->has_rows) {
        st_fail(ctx, "state %s: no key is at hand", state->name);
    }
    const struct process *p = process_of(op);
    for (uint32_t s = 0; s < p->state_count; s++) {
        if (op->node->options.states[s] == state) {
            return s;
        }
    }
    st_fail(ctx, "state %s is not in the operator's .states", state->name);
}

/* Is something there under the key at hand, and not over? */
static bool is_there(struct process *p, uint32_t s)
{
    const st_state *state = p->op.node->options.states[s];
    if (state->ttl_ms > 0) {
        expire_slot(p, s, job_now(p->op.task->job));
    }
    return (head_of(p)->present >> s & 1) != 0;
}

/* -------------------------------------------------------------------------------------- Values */

const void *st_value_get(st_context *ctx, const st_state *state)
{
    uint32_t s = state_index(ctx, state, ST_STATE_VALUE_OF);
    struct process *p = process_at(ctx);
    if (!is_there(p, s)) {
        return NULL;
    }
    if (state->ttl_on_read) {
        *touched_of(p, s) = now_for(p, state);
    }
    return slot_of(p, s);
}

void st_value_set(st_context *ctx, const st_state *state, const void *value)
{
    uint32_t s = state_index(ctx, state, ST_STATE_VALUE_OF);
    struct process *p = process_at(ctx);
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
    if (state->ttl_ms > 0) {
        *touched_of(p, s) = now_for(p, state);
    }
    head_of(p)->present |= 1u << s;
}

void st_state_add_at(st_context *ctx, const st_state *state, const st_type *value_type,
                     const void *value)
{
    if (state->fold == NULL) {
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

/* --------------------------------------------------------------------------------------- Lists */

static struct list *list_of(st_context *ctx, const st_state *state, uint32_t *s)
{
    struct op *op = (struct op *)(void *)ctx;
    struct list *list = operator_list(op, state);
    *s = STATES_MAX;
    if (list == NULL) {
        *s = state_index(ctx, state, ST_STATE_LIST_OF);
        (void)is_there(process_at(ctx), *s); /* what is over goes */
        list = slot_of(process_at(ctx), *s);
    }
    return list;
}

/* A keyed list that has elements is present; an operator's needs no such mark. */
static void mark_present(st_context *ctx, uint32_t s)
{
    if (s < STATES_MAX) {
        head_of(process_at(ctx))->present |= 1u << s;
    }
}

const void *st_list_get(st_context *ctx, const st_state *state, uint32_t *count)
{
    uint32_t s;
    struct list *list = list_of(ctx, state, &s);
    if (s < STATES_MAX && state->ttl_on_read) {
        int64_t now_ms = now_for(process_at(ctx), state);
        list_own(process_at(ctx)->op.task, list, &process_at(ctx)->layouts[s]);
        for (uint32_t e = 0; e < list->count; e++) {
            list->times[e] = now_ms;
        }
    }
    *count = list->count;
    return list->elements;
}

void st_list_add(st_context *ctx, const st_state *state, const void *element)
{
    uint32_t s;
    struct layout layout = layout_of(state->type);
    struct list *list = list_of(ctx, state, &s);
    list_add(((struct op *)(void *)ctx)->task, list, &layout, element);
    if (s < STATES_MAX && state->ttl_ms > 0) {
        list_touch_last(process_at(ctx)->op.task, list, now_for(process_at(ctx), state));
    }
    mark_present(ctx, s);
}

void st_list_update(st_context *ctx, const st_state *state, const void *elements, uint32_t count)
{
    uint32_t s;
    struct list *list = list_of(ctx, state, &s), copy = {0};
    struct layout layout = layout_of(state->type);
    struct task *task = ((struct op *)(void *)ctx)->task;
    int64_t now_ms = s < STATES_MAX ? now_for(process_at(ctx), state) : 0;
    for (uint32_t e = 0; e < count; e++) {
        list_add(task, &copy, &layout, (const char *)elements + (size_t)e * layout.size);
        if (s < STATES_MAX && state->ttl_ms > 0) {
            list_touch_last(task, &copy, now_ms);
        }
    }
    st_state_clear(ctx, state);
    *list = copy;
    if (count > 0) {
        mark_present(ctx, s);
    }
}

/* ---------------------------------------------------------------------------------------- Maps */

/* A map that is asked for: of the key at hand, or broadcast state. */
struct map_at {
    struct map *map;
    struct map_head *head;
    uint32_t owner;
    struct process *p; /* whose key is at hand; NULL: broadcast state */
    uint32_t s;        /* the number of its state */
};

static struct map_at broadcast_at(st_context *ctx, const st_state *state)
{
    struct broadcast *b = operator_broadcast((struct op *)(void *)ctx, state);
    if (b == NULL) {
        st_fail(ctx, "state %s is not in the operator's .operator_states", state->name);
    }
    return (struct map_at){.map = &b->map, .head = &b->head};
}

static inline struct map_at map_of(st_context *ctx, const st_state *state)
{
    if (__builtin_expect(state->kind == ST_STATE_BROADCAST_OF, 0)) {
        return broadcast_at(ctx, state);
    }
    uint32_t s = state_index(ctx, state, ST_STATE_MAP_OF);
    struct process *p = process_at(ctx);
    return (struct map_at){&p->maps[s], slot_of(p, s), p->row, p, s};
}

/* The same, to be changed. */
static inline struct map_at map_to_change(st_context *ctx, const st_state *state)
{
    struct map_at at = map_of(ctx, state);
    if (at.p == NULL && ((struct op *)(void *)ctx)->reads_only) {
        st_fail(ctx, "state %s is changed by what comes by st_broadcast, and read by others",
                state->name);
    }
    return at;
}

static int64_t now_for_map(const struct map_at *at)
{
    return at->p != NULL ? now_for(at->p, at->map->state) : 0;
}

static void remove_entry(const struct map_at *at, uint32_t entry)
{
    map_remove(at->map, at->head, entry);
    if (at->p != NULL && at->head->count == 0) {
        head_of(at->p)->present &= ~(1u << at->s);
    }
}

/* What is over goes. */
static void expire_entries(const struct map_at *at)
{
    if (at->p != NULL) {
        (void)is_there(at->p, at->s);
    }
}

static uint32_t find_entry(const struct map_at *at, const void *key)
{
    return at->head->count > 0 ? map_find(at->map, at->owner, key) : 0;
}

/* The entry of a key that is not over, 0: there is none. */
static uint32_t entry_of(const struct map_at *at, const void *key)
{
    const st_state *state = at->map->state;
    uint32_t entry = find_entry(at, key);
    int64_t now_ms = now_for_map(at);
    if (entry != 0 && keyed_state_is_over(state, map_touched(at->map, entry), now_ms)) {
        remove_entry(at, entry);
        return 0;
    }
    if (entry != 0 && state->ttl_on_read) {
        map_touch(at->map, entry, now_ms);
    }
    return entry;
}

const void *st_map_get(st_context *ctx, const st_state *state, const void *key)
{
    struct map_at at = map_of(ctx, state);
    uint32_t entry = entry_of(&at, key);
    return entry != 0 ? map_value(at.map, entry) : NULL;
}

void st_map_put(st_context *ctx, const st_state *state, const void *key, const void *value)
{
    struct map_at at = map_to_change(ctx, state);
    map_put(at.map, at.head, at.owner, key, value, now_for_map(&at));
    if (at.p != NULL) {
        head_of(at.p)->present |= 1u << at.s;
    }
}

void st_map_remove(st_context *ctx, const st_state *state, const void *key)
{
    struct map_at at = map_to_change(ctx, state);
    uint32_t entry = find_entry(&at, key);
    if (entry != 0) {
        remove_entry(&at, entry);
    }
}

uint32_t st_map_count(st_context *ctx, const st_state *state)
{
    struct map_at at = map_of(ctx, state);
    expire_entries(&at);
    return at.head->count;
}

/* A cursor: the next entry + 1 in the lower half, 1 above it once it has begun. */
bool st_map_next(st_context *ctx, const st_state *state, uint64_t *cursor, const void **key,
                 const void **value)
{
    struct map_at at = map_of(ctx, state);
    if (*cursor == 0) {
        expire_entries(&at);
        *cursor = UINT64_C(1) << 32 | at.head->first;
    }
    uint32_t entry = (uint32_t)*cursor;
    if (entry == 0) {
        return false;
    }
    if (state->ttl_on_read) {
        map_touch(at.map, entry, now_for_map(&at));
    }
    *key = map_key(at.map, entry);
    *value = map_value(at.map, entry);
    *cursor = UINT64_C(1) << 32 | map_behind(at.map, at.head, entry);
    return true;
}

/* ------------------------------------------------------------------------------------ Any kind */

void st_state_clear(st_context *ctx, const st_state *state)
{
    struct op *op = (struct op *)(void *)ctx;
    struct list *list = operator_list(op, state);
    if (list != NULL) {
        struct layout layout = layout_of(state->type);
        list_clear(op->task, list, &layout);
    } else if (operator_broadcast(op, state) != NULL) {
        struct map_at at = map_to_change(ctx, state);
        map_clear(at.map, at.head);
    } else {
        uint32_t s = state_index(ctx, state, 0);
        clear_slot(process_at(ctx), s);
    }
}
