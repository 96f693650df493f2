/*
 * Timers of keys: one per (key's row, time), in the order of time, those of one time in the order
 * in which they were set.
 *
 * A heap holds what was set; a table says what of it still holds. To delete a timer is to take it
 * out of the table; its entry in the heap is passed over when it comes up.
 *
 * Source: Flink InternalTimerServiceImpl.
 */
#ifndef STREAM_TIMERS_H
#define STREAM_TIMERS_H

#include "stream/bytes.h"
#include "stream/table.h"

struct timer {
    int64_t time;
    uint64_t order;
    uint32_t row;
};

struct timers {
    struct key_reader reader;
    struct table set; /* {time, row}: order */
    struct timer *heap;
    uint32_t count, capacity;
    uint64_t order;
};

void timers_init(struct timers *t, struct memory_pool *pool);
void timers_free(struct timers *t);
/* Returns whether it was not set before. */
bool timers_add(struct timers *t, int64_t time, uint32_t row);
/* Returns whether it was set. */
bool timers_remove(struct timers *t, int64_t time, uint32_t row);
/* Takes the next timer at or before `until`; false if there is none. */
bool timers_take(struct timers *t, int64_t until, struct timer *timer);
/* Forgets all. */
void timers_clear(struct timers *t);
/* The time of the next entry, which may have been deleted since; ST_TIME_MAX: none. */
int64_t timers_next(const struct timers *t);

/* Those that hold, by row, for rows below row_end. Owned by the caller. Looks at the table only,
 * which may be frozen. */
struct timers_by_row {
    uint32_t *first;    /* [row_end + 1] where those of a row begin */
    struct timer *list; /* those of a row in their order */
};
struct timers_by_row timers_by_row(const struct timers *t, uint32_t row_end);
void timers_by_row_free(struct timers_by_row *by_row);
/* The time of a row's first, or the millisecond before the end of time; ST_TIME_MAX: it has none.
 */
int64_t timers_first_of(const struct timers_by_row *by_row, uint32_t row);

/* Those of a row into a snapshot, and out of one: how many were set. row ROW_NONE: they are passed
 * over. */
void timers_write(const struct timers_by_row *by_row, uint32_t row, struct bytes *to);
uint32_t timers_read(struct timers *t, uint32_t row, struct reader *from);

#endif
