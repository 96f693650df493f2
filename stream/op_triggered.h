/*
 * Windows with a trigger: what op_triggered.c and triggered_sessions.c share.
 */
#ifndef STREAM_OP_TRIGGERED_H
#define STREAM_OP_TRIGGERED_H

#include "stream/cells.h"
#include "stream/task.h"
#include "stream/timers.h"

/* `start`: of a session its number, for a session that grows is another window. */
struct window_key {
    int64_t key_row, start;
};

struct window_head {
    uint32_t filled; /* the cell has something */
    uint32_t timers;
    uint32_t next; /* sessions: the next one's row, ROW_NONE: none */
    uint32_t gone; /* sessions: it is no window any more, its timers are passed over */
    int64_t start, end;
};

/* Of a key. Sessions are in order of start, apart by more than nothing. */
struct windows_of {
    uint32_t count;         /* rows, those that are gone but have timers too */
    uint32_t first_and_one; /* sessions: 1 + the row of the first one, 0: none */
};

struct triggered {
    struct op op;
    struct key_reader reader, window_reader;
    struct cells cells;
    struct table keys, windows;
    struct timers event, processing;
    const st_trigger *trigger;
    uint32_t state_size; /* of the trigger, rounded up */
    int64_t size, slide, offset, lateness;
    int64_t gap;     /* above 0: sessions */
    int64_t next_id; /* of a session */
    bool global, by_clock;
    uint32_t at; /* the window at hand */
    int64_t time;
};

/* Of the window at hand, to be read and written. */
static inline struct window_head *window_head_of(struct triggered *t)
{
    table_own_row(&t->windows, t->at);
    return (struct window_head *)(void *)table_payload(&t->windows, t->at);
}

static inline const struct window_key *window_key_of(const struct triggered *t)
{
    return (const struct window_key *)(const void *)table_row(&t->windows, t->at);
}

static inline void *window_trigger_state(struct triggered *t)
{
    return window_head_of(t) + 1;
}

static inline char *window_cell_of(struct triggered *t)
{
    return (char *)window_trigger_state(t) + t->state_size;
}

static inline struct windows_of *windows_of_key(struct triggered *t)
{
    uint32_t row = (uint32_t)window_key_of(t)->key_row;
    table_own_row(&t->keys, row);
    return (struct windows_of *)(void *)table_payload(&t->keys, row);
}

/* Sets what a function may ask of the window at hand. */
void triggered_enter(struct triggered *t);
/* Takes the window at hand away if nothing is left of it, and its key with its last window. */
void triggered_leave(struct triggered *t);
/* The trigger's part of the window at hand goes; of a session, the session. */
void triggered_clear(struct triggered *t);
/* When the window at hand goes. */
int64_t triggered_cleanup_time(const struct triggered *t);
/* A record into the window at hand, which is then left. */
void triggered_take(struct triggered *t, const char *record, int64_t time);
/* Sets (or deletes) a timer of the window at hand. */
void triggered_timer(struct op *op, int64_t time_ms, bool event_time, bool set);

/* Sessions. A record into its own; the window at hand, just made, in its place among those of its
 * key; the window at hand out of it, if it is there. */
void sessions_add(struct triggered *t, const char *record, int64_t time);
void sessions_put_in(struct triggered *t, int64_t start, int64_t end);
void sessions_take_out(struct triggered *t);

#endif
