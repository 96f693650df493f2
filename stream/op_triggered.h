/*
 * Windows with a trigger: what op_triggered.c, triggered_sessions.c and triggered_rows.c share.
 */
#ifndef STREAM_OP_TRIGGERED_H
#define STREAM_OP_TRIGGERED_H

#include "stream/cells.h"
#include "stream/rocks_rows.h"
#include "stream/timers.h"

/* `start`: of a session its number, for a session that grows is another window. */
struct window_key {
    int64_t key_row, start;
};

struct window_head {
    uint16_t filled; /* the cell has something */
    uint16_t gone;   /* sessions: it is no window any more, its timers are passed over */
    uint32_t timers;
    uint32_t before, next; /* windows of its key: rows, ROW_NONE: none; of none that is gone */
    int64_t start, end;    /* sessions */
};

/* Of a key: its windows but those that are gone. Sessions are in order of start, apart by more than
 * nothing; of others the last that was made is the first. */
struct windows_of {
    uint32_t first_and_one; /* 1 + the row of the first one, 0: none */
};

struct triggered {
    struct op op;
    struct key_reader reader, window_reader;
    struct cells cells;
    struct table keys, windows;
    struct timers timers[DUE_KINDS];
    struct timers_by_row by_row[DUE_KINDS]; /* while rows are written */
    struct rocks_rows rows;
    const st_trigger *trigger;
    uint32_t state_size; /* of the trigger, rounded up */
    int64_t size, slide, offset, lateness;
    int64_t margin;  /* see windows_margin */
    int64_t gap;     /* above 0: sessions */
    int64_t next_id; /* of a session */
    bool global, by_clock;
    uint32_t at; /* the window at hand */
    int64_t time;
};

static inline struct triggered *triggered_of(struct op *op)
{
    return (struct triggered *)(void *)op;
}

/* To be read and written. */
static inline struct window_head *window_head_at(struct triggered *t, uint32_t row)
{
    table_own_row(&t->windows, row);
    return (struct window_head *)(void *)table_payload(&t->windows, row);
}

/* Of the window at hand. */
static inline struct window_head *window_head_of(struct triggered *t)
{
    return window_head_at(t, t->at);
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

static inline uint32_t window_key_row(const struct triggered *t)
{
    return (uint32_t)window_key_of(t)->key_row;
}

/* The row of a key's first window, or ROW_NONE. */
static inline uint32_t first_window_of(const struct triggered *t, uint32_t key_row)
{
    const void *of = table_payload(&t->keys, key_row);
    return ((const struct windows_of *)of)->first_and_one - 1;
}

/* Sets what a function may ask of the window at hand. */
void triggered_enter(struct triggered *t);
/* Takes the window at hand away if nothing is left of it, and its key with its last window. */
void triggered_leave(struct triggered *t);
/* Takes a key without windows away. One that is in a database stays until the database knows. */
void triggered_drop_key(struct triggered *t, uint32_t key_row);
/* The window of the key is then at hand; returns whether it is new, and to be put in. */
bool triggered_make(struct triggered *t, uint32_t key_row, int64_t start);
/* The window at hand among those of its key, behind the one in row `before`; ROW_NONE: it is the
 * first. */
void triggered_put_in(struct triggered *t, uint32_t before);
/* The trigger's part of the window at hand goes; of a session, the session. */
void triggered_clear(struct triggered *t);
/* When the window at hand goes. */
int64_t triggered_cleanup_time(const struct triggered *t);
/* A record into the window at hand, which is then left. */
void triggered_take(struct triggered *t, const char *record, int64_t time);
/* Sets (or deletes) a timer of the window at hand. */
void triggered_timer(struct op *op, int64_t time_ms, bool event_time, bool set);

/* Sessions. A record into its own; the window at hand, just made, in its place among those of its
 * key. */
void sessions_add(struct triggered *t, const char *record, int64_t time);
void sessions_put_in(struct triggered *t, int64_t start, int64_t end);

/* Snapshots, and rows in a database, where the backend has one. */
void triggered_rows_open(struct triggered *t);
void triggered_snapshot(struct op *op, struct bytes *to);
/* The timers are then as they were, and the next wakeup is not set. */
void triggered_restore_rows(struct triggered *t, struct reader *from);

#endif
