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
    return a->time != b->time ? a->time < b->time : a->order < b->order;
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

bool timers_add(struct timers *t, int64_t time, uint32_t row)
{
    bool is_new;
    struct slot slot = {time, row};
    uint32_t at = table_find_or_insert_key(&t->set, &slot, &is_new);
    if (is_new) {
        memcpy(table_payload(&t->set, at), &t->order, sizeof t->order);
        push(t, (struct timer){time, t->order++, row});
    }
    return is_new;
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

static int in_order(const void *a, const void *b)
{
    return before(a, b) ? -1 : 1; /* no two are equal */
}

struct timer *timers_list(const struct timers *t, uint32_t *count)
{
    struct timer *list = must_calloc((size_t)t->set.live + 1, sizeof *list);
    uint8_t *live = table_live_rows(&t->set);
    uint32_t n = 0;
    for (uint32_t r = 0; r < t->set.row_end; r++) {
        struct slot slot;
        if (live[r] != 0) {
            memcpy(&slot, table_row(&t->set, r), sizeof slot);
            list[n] = (struct timer){.time = slot.time, .row = (uint32_t)slot.row};
            memcpy(&list[n++].order, table_payload(&t->set, r), sizeof list->order);
        }
    }
    free(live);
    if (n > 1) {
        qsort(list, n, sizeof *list, in_order);
    }
    *count = n;
    return list;
}

void timers_write(const struct timers *t, const int64_t *place, struct bytes *to)
{
    uint32_t count, kept = 0;
    struct timer *all = timers_list(t, &count);
    for (uint32_t i = 0; i < count; i++) {
        kept += place[all[i].row] >= 0 ? 1 : 0;
    }
    bytes_u32(to, kept);
    for (uint32_t i = 0; i < count; i++) {
        if (place[all[i].row] >= 0) {
            bytes_i64(to, all[i].time);
            bytes_i64(to, place[all[i].row]);
        }
    }
    free(all);
}

void timers_read(struct timers *t, const uint32_t *rows, int64_t row_count, struct reader *from,
                 void (*added)(void *self, uint32_t row), void *self)
{
    for (uint32_t left = read_u32(from); left > 0 && !from->bad; left--) {
        int64_t time = read_i64(from), place = read_i64(from);
        if (place < 0 || place >= row_count) {
            from->bad = true;
        } else if (rows[place] != ROW_NONE && timers_add(t, time, rows[place])) {
            added(self, rows[place]);
        }
    }
}

int64_t timers_next(const struct timers *t)
{
    return t->count > 0 ? t->heap[0].time : ST_TIME_MAX;
}
