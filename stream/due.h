/*
 * Which rows of a database have timers, in the order of their first ones: a row need not be in
 * memory for its time to come.
 *
 *     database:   key group, key                          ──►  the row, its timers with it
 *                 0xFFFF | kind | time | key group, key   ──►  nothing        behind all rows
 *
 * An entry is put whenever its row is, and is never looked for when the row changes: what it says
 * may be over by then, and the row tells. Entries before the cursor are over, for their time has
 * come; all of them go at once with the next rows that are put. A timer that is set for a time that
 * has come already is entered at the cursor.
 *
 * Source: Flink RocksDBCachingPriorityQueueSet, whose timers are all in the database.
 */
#ifndef STREAM_DUE_H
#define STREAM_DUE_H

#include "stream/bytes.h"
#include "stream/rocks.h"

enum due_kind { DUE_EVENT, DUE_PROCESSING, DUE_KINDS };

/* Entries of one kind of time. */
struct due {
    struct bytes cursor; /* empty: nothing is over */
    int64_t from;        /* the cursor's time; ST_TIME_MIN: nothing is over */
    int64_t next;        /* of the first entry behind it, of rows out of the table; ST_TIME_MAX */
};

void due_init(struct due due[DUE_KINDS]);
void due_free(struct due due[DUE_KINDS]);
/* A copy of the cursors; `to` is empty. */
void due_copy(struct due to[DUE_KINDS], const struct due from[DUE_KINDS]);

/* The entry of a row whose first timer is at `time`, into the database's batch. */
bool due_put(const struct due *due, enum due_kind kind, int64_t time, const char *key,
             size_t key_size, struct rocks *db, char *why);
/* Deletes what is over, in the database's batch. */
bool due_delete_over(const struct due due[DUE_KINDS], struct rocks *db, char *why);

/* Is this key an entry's? Then what it says; false for a row's. */
bool due_read(const char *key, size_t key_size, int64_t *time, const char **row_key,
              size_t *row_key_size);
/* Sets both `next`. */
void due_look(struct due due[DUE_KINDS], struct rocks *db);
/* All up to `until` are over. */
void due_pass(struct due *due, enum due_kind kind, int64_t until);
/* Takes up to `max` entries until then: their rows' keys behind each other into `keys`, their ends
 * into `ends`. Moves the cursor behind them. Returns how many. */
uint32_t due_take(struct due *due, enum due_kind kind, int64_t until, uint32_t max,
                  struct rocks *db, struct bytes *keys, size_t *ends);

#endif
