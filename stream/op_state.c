/*
 * State of operators that has no key, and what all restoring needs.
 *
 *     state of a section:   | size | what the operator's class wrote | states: name, kind, types,
 *                           elements or entries … |
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "stream/gone.h"
#include "stream/map.h"

void list_add(struct task *task, struct list *list, const struct layout *layout,
              const void *element)
{
    size_t size = layout->size;
    char *old = NULL;
    if (list->count == list->capacity) {
        list->capacity = list->capacity * 2 + 4;
        char *elements = must_calloc(list->capacity, size);
        if (list->count > 0) {
            memcpy(elements, list->elements, list->count * size);
        }
        old = list->elements; /* the element may lie in it */
        list->elements = elements;
    }
    char *to = list->elements + list->count++ * size;
    memcpy(to, element, size);
    task_free_shared(task, old);
    if (layout->text_count > 0 && !record_own_text(layout, to)) {
        abort();
    }
}

/* Times in place of those that are there, with room for so many. */
static void move_times(struct task *task, struct list *list, uint32_t capacity)
{
    int64_t *times = must_calloc(capacity, sizeof *times);
    if (list->times != NULL) {
        memcpy(times, list->times, list->count * sizeof *times);
    }
    task_free_shared(task, list->times);
    list->times = times;
}

void list_touch_last(struct task *task, struct list *list, int64_t now_ms)
{
    uint32_t before = list->count - 1;
    if (list->times == NULL || (list->count & before) == 0) { /* whenever it doubles */
        list->count = before;
        move_times(task, list, (before + 1) * 2);
        list->count = before + 1;
    }
    list->times[before] = now_ms;
}

void list_own(struct task *task, struct list *list, const struct layout *layout)
{
    if (task->frozen == NULL || list->count == 0) {
        return;
    }
    char *elements = must_calloc(list->capacity, layout->size);
    memcpy(elements, list->elements, (size_t)list->count * layout->size);
    task_free_shared(task, list->elements);
    list->elements = elements;
    if (list->times != NULL) {
        uint32_t capacity = 2;
        while (capacity <= list->count) { /* as list_touch_last has it */
            capacity *= 2;
        }
        move_times(task, list, capacity);
    }
}

void list_clear(struct task *task, struct list *list, const struct layout *layout)
{
    for (uint32_t e = 0; layout->text_count > 0 && e < list->count; e++) {
        char element[ST_RECORD_SIZE_MAX]; /* the one in the list may be looked at by a snapshot */
        memcpy(element, list->elements + (size_t)e * layout->size, layout->size);
        task_free_text(task, layout, element);
    }
    task_free_shared(task, list->elements);
    task_free_shared(task, list->times);
    *list = (struct list){0};
}

void list_write(const struct list *list, const struct layout *layout, struct bytes *to)
{
    bytes_u32(to, list->count);
    for (uint32_t e = 0; e < list->count; e++) {
        bytes_record(to, layout, list->elements + (size_t)e * layout->size);
    }
}

static uint32_t count_states(const struct op *op)
{
    const st_state *const *states = op->node->options.operator_states;
    uint32_t count = 0;
    while (states != NULL && states[count] != NULL) {
        count++;
    }
    return count;
}

static bool is_broadcast(const st_state *state)
{
    return state->kind == ST_STATE_BROADCAST_OF;
}

void operator_state_open(struct op *op)
{
    const st_state *const *states = op->node->options.operator_states;
    uint32_t count = count_states(op);
    op->lists = must_calloc((size_t)count + 1, sizeof *op->lists);
    op->broadcasts = must_calloc((size_t)count + 1, sizeof *op->broadcasts);
    for (uint32_t s = 0; s < count; s++) {
        if (is_broadcast(states[s])) {
            map_open(&op->broadcasts[s].map, states[s], &op->task->memory);
        }
    }
}

void operator_state_close(struct op *op)
{
    const st_state *const *states = op->node->options.operator_states;
    for (uint32_t s = 0; s < count_states(op); s++) {
        struct layout layout = layout_of(states[s]->type);
        list_clear(op->task, &op->lists[s], &layout);
        if (is_broadcast(states[s])) {
            map_close(&op->broadcasts[s].map);
        }
    }
    free(op->lists);
    free(op->broadcasts);
    op->lists = NULL;
    op->broadcasts = NULL;
}

/* The number of a state of the operator, UINT32_MAX: it is none. */
static uint32_t number_of(const struct op *op, const st_state *state)
{
    const st_state *const *states = op->node->options.operator_states;
    for (uint32_t s = 0; states != NULL && states[s] != NULL; s++) {
        if (states[s] == state) {
            return s;
        }
    }
    return UINT32_MAX;
}

struct list *operator_list(struct op *op, const st_state *state)
{
    uint32_t s = is_broadcast(state) ? UINT32_MAX : number_of(op, state);
    return s != UINT32_MAX ? &op->lists[s] : NULL;
}

struct broadcast *operator_broadcast(struct op *op, const st_state *state)
{
    uint32_t s = is_broadcast(state) ? number_of(op, state) : UINT32_MAX;
    return s != UINT32_MAX ? &op->broadcasts[s] : NULL;
}

static void broadcast_write(const struct broadcast *b, struct bytes *to)
{
    bytes_type(to, b->map.state->key_type);
    bytes_u32(to, b->head.count);
    for (uint32_t entry = b->head.first; entry != 0; entry = map_behind(&b->map, &b->head, entry)) {
        bytes_record(to, &b->map.key, map_key(&b->map, entry));
        bytes_record(to, &b->map.value, map_value(&b->map, entry));
    }
}

void operator_state_write(struct op *op, struct bytes *to)
{
    const st_state *const *states = op->node->options.operator_states;
    uint32_t count = count_states(op);
    bytes_u32(to, count);
    for (uint32_t s = 0; s < count; s++) {
        struct layout layout = layout_of(states[s]->type);
        bytes_text(to, states[s]->name);
        bytes_u32(to, (uint32_t)states[s]->kind);
        bytes_type(to, states[s]->type);
        if (is_broadcast(states[s])) {
            broadcast_write(&op->broadcasts[s], to);
        } else {
            list_write(&op->lists[s], &layout, to);
        }
    }
}

/* Whose element is it? The union's is everybody's; of broadcast state, which is the same in all,
 * each gets that of one; others stay where they are, or are dealt out. */
static bool is_mine(const struct op *op, const st_state *state, const struct section *section,
                    uint32_t *dealt)
{
    if (state->kind == ST_STATE_UNION_OF) {
        return true;
    }
    if (state->kind == ST_STATE_BROADCAST_OF) {
        return section->subtask == op->ctx.subtask % section->parallelism;
    }
    if (section->parallelism == op->ctx.parallelism) {
        return section->subtask == op->ctx.subtask;
    }
    return (*dealt)++ % op->ctx.parallelism == op->ctx.subtask;
}

static uint32_t number_of_name(const struct op *op, st_str name)
{
    for (uint32_t s = 0; s < count_states(op); s++) {
        if (st_str_equal(st_str_of(op->node->options.operator_states[s]->name), name)) {
            return s;
        }
    }
    return UINT32_MAX;
}

static void read_elements(struct op *op, uint32_t s, const struct section *section,
                          struct reader *from, uint32_t *dealt)
{
    const st_state *state = op->node->options.operator_states[s];
    struct layout layout = layout_of(state->type);
    void *element = arena_alloc(&op->task->arena, layout.size);
    for (uint32_t left = read_u32(from); left > 0 && read_record(from, &layout, element); left--) {
        if (is_mine(op, state, section, dealt)) {
            list_add(op->task, &op->lists[s], &layout, element);
        }
    }
}

static void read_entries(struct op *op, uint32_t s, const struct section *section,
                         struct reader *from)
{
    struct broadcast *b = &op->broadcasts[s];
    restore_type(op, from, b->map.state->key_type);
    void *key = arena_alloc(&op->task->arena, b->map.key.size);
    void *value = arena_alloc(&op->task->arena, b->map.value.size);
    bool mine = is_mine(op, b->map.state, section, NULL);
    for (uint32_t left = read_u32(from); left > 0; left--) {
        if (!read_record(from, &b->map.key, key) || !read_record(from, &b->map.value, value)) {
            return;
        }
        if (mine) {
            map_put(&b->map, &b->head, 0, key, value, 0);
        }
    }
}

/* What is behind the kind of a state that the operator has. */
static void read_state(struct op *op, uint32_t s, const struct section *section,
                       struct reader *from, uint32_t *dealt)
{
    const st_state *state = op->node->options.operator_states[s];
    restore_type(op, from, state->type);
    if (is_broadcast(state)) {
        read_entries(op, s, section, from);
    } else {
        read_elements(op, s, section, from, dealt);
    }
}

static void skip_state(struct op *op, uint32_t kind, struct reader *from)
{
    struct gone gone = {0};
    gone_read(&gone, kind, from);
    (void)gone_skip(&gone, false, arena_alloc(&op->task->arena, ST_RECORD_SIZE_MAX), from);
}

void operator_state_read(struct op *op, const struct section *section, struct reader *from,
                         uint32_t *dealt)
{
    const st_state *const *states = op->node->options.operator_states;
    for (uint32_t left = read_u32(from); left > 0 && !from->bad; left--) {
        st_str name = read_text(from);
        uint32_t kind = read_u32(from), s = number_of_name(op, name);
        if (from->bad) {
            return;
        }
        if (s == UINT32_MAX) {
            restore_without(op, section, "state %.*s", (int)name.size, name.data);
            skip_state(op, kind, from);
        } else if (kind != (uint32_t)states[s]->kind) {
            restore_fail(op, "state %s was of another kind", states[s]->name);
        } else {
            read_state(op, s, section, from, dealt);
        }
    }
}

bool op_owns(const struct op *op, const struct key_reader *reader, const void *key)
{
    if (!op->node->keyed) {
        return op->ctx.subtask == 0;
    }
    uint32_t groups = op->task->job->env->max_parallelism;
    uint32_t group = st_key_group(key_java_hash(reader, key), groups);
    return st_key_group_owner(group, op->ctx.parallelism, groups) == op->ctx.subtask;
}

void restore_fail(struct op *op, const char *format, ...)
{
    char text[384];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    op->task->job->error = ST_ERR_RESTORE;
    task_fail(op->task, "%s cannot be restored: %s", op->node->name, text);
}

void restore_without(struct op *op, const struct section *section, const char *what, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, what);
    vsnprintf(text, sizeof text, what, arguments);
    va_end(arguments);
    if (!op->task->job->env->allow_non_restored) {
        restore_fail(op,
                     "the checkpoint has %s, the operator has none; to drop it, set "
                     "execution.savepoint.ignore-unclaimed-state (-n)",
                     text);
    }
    if (op->ctx.subtask == 0 && section->subtask == 0) { /* the first reads the first, always */
        fprintf(stderr, "%s: the checkpoint has %s, the operator has none: dropped\n",
                op->node->name, text);
    }
}

void restore_type(struct op *op, struct reader *r, const st_type *type)
{
    st_str words;
    if (!read_type(r, type, &words)) {
        restore_fail(op, "its type %s differs from the checkpoint's: %.*s", type->name,
                     (int)words.size, words.data);
    }
}
