/*
 * Timers of keys, see timers.h.
 */
#include "stream/timers.h"

#include <stdlib.h>

#include "stream/graph.h"

struct slot {
    int64_t time;
    int64_t row;
};

void timers_init(struct timers *t, struct memory_pool *pool)
{
    static const st_type type = {"timer",
                                 sizeof(struct slot),
                                 2,
                                 {{"time", offsetof(struct slot, time), 8, ST_KIND_I64},
                                  {"row", offsetof(struct slot, row), 8, ST_KIND_I64}}};
    const st_key_spec both = {&type, 2, {offsetof(struct slot, time), offsetof(struct slot, row)}};
    *t = (struct timers){.reader = key_reader_of(&both)};
    table_init(&t->set, &t->reader, pool, &(struct layout){.size = sizeof(uint64_t)}, false);
}

void timers_free(struct timers *t)
{
    table_free(&t->set);
    free(t->heap);
    t->heap = NULL;
}

static bool before(const struct timer *a, const struct timer *b)
{
    return a->time != b->time     ? a->time < b->time
           : a->order != b->order ? a->order < b->order
                                  : a->row < b->row;
}

static void push(struct timers *t, struct timer timer)
{
    if (t->count == t->capacity) {
        t->heap = must_grow(t->heap, sizeof *t->heap, t->count, &t->capacity, 64);
    }
    uint32_t at = t->count++;
    for (; at > 0 && before(&timer, &t->heap[(at - 1) / 2]); at = (at - 1) / 2) {
        t->heap[at] = t->heap[(at - 1) / 2];
    }
    t->heap[at] = timer;
}

static struct timer pop(struct timers *t)
{
    struct timer first = t->heap[0], last = t->heap[--t->count];
    uint32_t at = 0;
    for (uint32_t child; (child = 2 * at + 1) < t->count; at = child) {
        child += child + 1 < t->count && before(&t->heap[child + 1], &t->heap[child]) ? 1 : 0;
        if (!before(&t->heap[child], &last)) {
            break;
        }
        t->heap[at] = t->heap[child];
    }
    if (t->count > 0) {
        t->heap[at] = last;
    }
    return first;
}

static bool add(struct timers *t, struct timer timer)
{
    bool is_new;
    struct slot slot = {timer.time, timer.row};
    uint32_t at = table_find_or_insert_key(&t->set, &slot, &is_new);
    if (is_new) {
        memcpy(table_payload(&t->set, at), &timer.order, sizeof timer.order);
        push(t, timer);
        t->order = timer.order < t->order ? t->order : timer.order + 1;
    }
    return is_new;
}

bool timers_add(struct timers *t, int64_t time, uint32_t row)
{
    return add(t, (struct timer){time, t->order, row});
}

void timers_clear(struct timers *t)
{
    table_clear(&t->set);
    t->count = 0;
}

bool timers_remove(struct timers *t, int64_t time, uint32_t row)
{
    struct slot slot = {time, row};
    uint32_t found = table_find(&t->set, &slot);
    if (found != ROW_NONE) {
        table_remove(&t->set, found);
    }
    return found != ROW_NONE;
}

/* Takes a timer of the heap out of the table, if it still holds: one that was deleted and set again
 * is twice in the heap. */
static bool take_set(struct timers *t, const struct timer *timer)
{
    struct slot slot = {timer->time, timer->row};
    uint32_t found = table_find(&t->set, &slot);
    if (found == ROW_NONE ||
        memcmp(table_payload(&t->set, found), &timer->order, sizeof timer->order) != 0) {
        return false;
    }
    table_remove(&t->set, found);
    return true;
}

bool timers_take(struct timers *t, int64_t until, struct timer *timer)
{
    while (t->count > 0 && t->heap[0].time <= until) {
        *timer = pop(t);
        if (take_set(t, timer)) {
            return true;
        }
    }
    return false;
}

int64_t timers_next(const struct timers *t)
{
    return t->count > 0 ? t->heap[0].time : ST_TIME_MAX;
}

/* ---------------------------------------------------------------------------------- Snapshots */

static int in_order(const void *a, const void *b)
{
    return before(a, b) ? -1 : before(b, a);
}

struct timers_by_row timers_by_row(const struct timers *t, uint32_t row_end)
{
    struct timers_by_row by_row = {must_calloc((size_t)row_end + 2, sizeof *by_row.first),
                                   must_calloc((size_t)t->set.live + 1, sizeof *by_row.list)};
    uint8_t *live = table_live_rows(&t->set);
    uint32_t *end = by_row.first + 1; /* of a row's: at first where they begin */
    struct slot slot;
    for (uint32_t r = 0; r < t->set.row_end; r++) {
        memcpy(&slot, table_row(&t->set, r), sizeof slot);
        if (live[r] != 0) {
            end[slot.row + 1]++;
        }
    }
    for (uint32_t row = 1; row <= row_end; row++) {
        end[row] += end[row - 1];
    }
    for (uint32_t r = 0; r < t->set.row_end; r++) {
        memcpy(&slot, table_row(&t->set, r), sizeof slot);
        if (live[r] != 0) {
            struct timer *timer = &by_row.list[end[slot.row]++];
            *timer = (struct timer){.time = slot.time, .row = (uint32_t)slot.row};
            memcpy(&timer->order, table_payload(&t->set, r), sizeof timer->order);
        }
    }
    for (uint32_t row = 0; row < row_end; row++) {
        uint32_t count = by_row.first[row + 1] - by_row.first[row];
        if (count > 1) {
            qsort(by_row.list + by_row.first[row], count, sizeof *by_row.list, in_order);
        }
    }
    free(live);
    return by_row;
}

void timers_by_row_free(struct timers_by_row *by_row)
{
    free(by_row->first);
    free(by_row->list);
    *by_row = (struct timers_by_row){0};
}

int64_t timers_first_of(const struct timers_by_row *by_row, uint32_t row)
{
    uint32_t first = by_row->first[row];
    if (first == by_row->first[row + 1]) {
        return ST_TIME_MAX;
    }
    return by_row->list[first].time < ST_TIME_MAX ? by_row->list[first].time : ST_TIME_MAX - 1;
}

void timers_write(const struct timers_by_row *by_row, uint32_t row, struct bytes *to)
{
    bytes_u32(to, by_row->first[row + 1] - by_row->first[row]);
    for (uint32_t i = by_row->first[row]; i < by_row->first[row + 1]; i++) {
        bytes_i64(to, by_row->list[i].time);
        bytes_i64(to, (int64_t)by_row->list[i].order);
    }
}

uint32_t timers_read(struct timers *t, uint32_t row, struct reader *from)
{
    uint32_t added = 0;
    for (uint32_t left = read_u32(from); left > 0 && !from->bad; left--) {
        int64_t time = read_i64(from), order = read_i64(from);
        from->bad |= order < 0;
        if (row != ROW_NONE && !from->bad) {
            added += add(t, (struct timer){time, (uint64_t)order, row}) ? 1 : 0;
        }
    }
    return added;
}
