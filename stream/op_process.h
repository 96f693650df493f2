/*
 * What process functions keep of a key, shared by the files that run them (op_process.c), give
 * their functions access to it (keyed_state.c) and write and restore it (keyed_rows.c).
 *
 *     row of a key:  | key | present, timers | slot | slot | …       a slot a state, in order of
 * .states
 *
 *     slot:   value     | the value | touched |          touched: when it was last written (read),
 *             list      | struct list |                  only where the state has a time to live
 *             map       | struct map_head |              its entries lie in a table of the state
 *
 * All states of a key are in one row: one lookup a record, however many there are. A row goes when
 * it has neither state nor timers, so what a job has forgotten costs nothing.
 *
 * Time to live is of processing time. What is over is not given to a function, and not written; it
 * goes when it is asked for, by a walk over the rows in memory that goes on by some of them with
 * each batch, and from a database when that rewrites its files. Source: Flink TtlStateFactory,
 * TtlUtils.expired, TtlIncrementalCleanup, RocksDbTtlCompactFiltersManager.
 */
#ifndef STREAM_OP_PROCESS_H
#define STREAM_OP_PROCESS_H

#include "stream/map.h"
#include "stream/rocks_rows.h"
#include "stream/timers.h"

#define STATES_MAX         32
#define SWEPT_FOR_A_RECORD 2 /* rows: the walk is round when as many records have come */

struct row_head {
    uint32_t present; /* bits, by state */
    uint32_t timers;  /* of both kinds */
};

struct states_said;

struct process {
    struct op op;
    struct key_reader readers[2]; /* by input */
    bool learns[2];               /* by input: it comes by st_broadcast */
    bool has_rows;                /* there are states or timers */
    bool has_ttl;                 /* one of them has a time to live */
    struct table table;
    uint32_t row;   /* at hand */
    uint32_t swept; /* where the walk over the rows goes on */
    uint32_t state_count;
    uint32_t slots[STATES_MAX]; /* offsets behind the key */
    struct layout layouts[STATES_MAX];
    struct map maps[STATES_MAX]; /* of map states */
    struct timers timers[DUE_KINDS];
    struct timers_by_row by_row[DUE_KINDS]; /* while rows are written */
    int64_t timer_time;                     /* what st_timestamp says in a timer */
    int64_t now_ms; /* when the batch or, of a view, the barrier came; where has_ttl */
    struct rocks_rows rows;
    struct states_said *written; /* what rows in a database are written by; owned, or NULL */
    struct states_said *said;    /* what rows at hand were written by */
};

static inline struct process *process_of(struct op *op)
{
    return (struct process *)(void *)op;
}

/* Of the row at hand, to be read and written. */
static inline struct row_head *head_of(struct process *p)
{
    table_own_row(&p->table, p->row);
    return (struct row_head *)(void *)table_payload(&p->table, p->row);
}

/* Has it neither state nor timers? One that is in a database stays until the database knows. */
static inline bool row_is_empty(struct process *p)
{
    return head_of(p)->present == 0 && head_of(p)->timers == 0 &&
           !table_is_stored(&p->table, p->row);
}

static inline void *slot_of(struct process *p, uint32_t s)
{
    table_own_row(&p->table, p->row);
    return table_payload(&p->table, p->row) + p->slots[s];
}

/* When a value was last touched; of a state with a time to live. */
static inline int64_t *touched_of(struct process *p, uint32_t s)
{
    return (int64_t *)(void *)((char *)slot_of(p, s) + round_up_8(p->layouts[s].size));
}

/* Lays out the slots and makes the tables of maps; adds to the size of a row. */
void keyed_state_open(struct process *p, struct layout *payload);
/* Frees what the rows hold besides themselves. */
void keyed_state_close(struct process *p);
/* Takes away all states of the row at hand. */
void keyed_state_drop(struct process *p);
/* Takes away what is over of the row at hand. */
void keyed_state_expire(struct process *p, int64_t now_ms);
/* Is what was touched then over by now? */
static inline bool keyed_state_is_over(const st_state *state, int64_t touched, int64_t now_ms)
{
    return state->ttl_ms > 0 && touched <= now_ms - state->ttl_ms;
}
/* Goes on by `count` rows with the walk that takes away what is over at now_ms, and lets the
 * database go on with its own. No key is at hand. */
void keyed_state_sweep(struct process *p, uint32_t count);
/* Takes the row at hand away if it has neither state nor timers. */
void drop_row_if_empty(struct process *p);

/* Rows in a database, where the backend has one. */
void keyed_rows_open(struct process *p);
void keyed_rows_close(struct process *p);
/* All rows and timers into a snapshot, and those that this subtask owns out of one. */
void keyed_rows_snapshot(struct process *p, struct bytes *to);
void keyed_rows_restore(struct process *p, struct section *section);

#endif
