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
/* Those that hold, in the order in which they were set for their times; owned by the caller. Looks
 * at the table only, which may be frozen. */
struct timer *timers_list(const struct timers *t, uint32_t *count);
/* Those that hold into a snapshot, in the order in which they will fire, each with the place of its
 * row: place[row]; below 0: it is left out. */
void timers_write(const struct timers *t, const int64_t *place, struct bytes *to);
/* Sets what was written; rows[place] is the row now, ROW_NONE: not ours. `added` is called for each
 * that was not set. */
void timers_read(struct timers *t, const uint32_t *rows, int64_t row_count, struct reader *from,
                 void (*added)(void *self, uint32_t row), void *self);
/* The time of the next entry, which may have been deleted since; ST_TIME_MAX: none. */
int64_t timers_next(const struct timers *t);

#endif
