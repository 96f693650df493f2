/*
 * Keyed rows in a RocksDB database, with the rows in use in a table (state.backend rocksdb).
 *
 *     batch ──► rows_load: keys without a row are read from the database, all at once
 *                   │
 *               table of rows ◄──► the operator, which sees no difference
 *                   │  too many rows: those that were touched are written, the table is emptied
 *                   │  a barrier: those that were touched are frozen, all stay
 *                   ▼
 *               database:  [time,] key group, key ──► the row as a snapshot has it
 *
 * So a record whose key is in the table costs what it costs without a database, and a key that is
 * touched often is written once, not once a record.
 *
 * A barrier writes nothing. The tables are frozen (frozen.h) and the marks of what was touched are
 * taken; the thread that writes the checkpoint puts those rows into the database, and then takes
 * what the checkpoint has of it: its files, or a walk. The task reads the database meanwhile, never
 * for one of these rows: they do not leave the table before they are stored. When it wants to write
 * itself, for want of room or at the next barrier, it completes what is not complete, or waits for
 * who is at it. If the checkpoint is given up before, they are touched as they were.
 *
 * Timers of a row lie in it: in the table they are in memory, in the database in the row. due.h
 * says whose time has come.
 *
 * A checkpoint (`state.backend.incremental`) has the files of the database:
 *
 *     section:  … | -1 | prefix of the files | key groups from, to | rows
 *
 * Without, and in a savepoint, the section is the one that the backend hashmap writes: rows out of
 * the database are copied into it beside the flow, from a view of the database at the barrier.
 */
#ifndef STREAM_ROCKS_ROWS_H
#define STREAM_ROCKS_ROWS_H

#include "stream/due.h"
#include "stream/files.h"
#include "stream/task.h"

#define ROWS_IN_FILES (-1) /* in place of a section's count of rows */

/* What an operator knows of its rows. */
struct row_codec {
    /* Before and behind those that follow; of the operator, or of a view of it, by another thread,
     * as they. NULL: nothing to do. */
    void (*begin)(struct op *op);
    void (*end)(struct op *op);
    /* Does the row hold anything? */
    bool (*is_full)(struct op *op, uint32_t row);
    /* What is behind the key in a snapshot's row. */
    void (*write)(struct op *op, uint32_t row, struct bytes *to);
    /* The time of the row's first timer; ST_TIME_MAX: none. NULL: no row has any. */
    int64_t (*due)(struct op *op, uint32_t row, enum due_kind kind);

    /* Into a row that has just been made; false: damaged. */
    bool (*read)(struct op *op, uint32_t row, struct reader *from);
    /* Gives up what the row holds besides its bytes in the table. NULL: nothing. */
    void (*drop)(struct op *op, uint32_t row);
    /* All rows have been dropped, and the table is empty: nothing names a row any more. NULL:
     * nothing to do. */
    void (*forget)(struct op *op);
    /* Freezes all tables of the operator for f->view, a copy of it. Returns the view's rows. */
    const struct table *(*freeze)(struct op *op, struct frozen *f);
};

struct rocks_rows {
    struct op *op; /* NULL: there is no database, the table has all rows */
    const struct row_codec *codec;
    struct table *table;
    const struct key_reader *reader;
    struct rocks *db; /* NULL: not yet opened */
    char folder[FILES_PATH_MAX];
    int lock;
    struct rows_image *images; /* all there are, a list */
    struct rows_image *image;  /* of the last barrier, until it is settled; NULL: it is */
    uint32_t frozen;           /* barriers for which the operator's tables are frozen */
    char why[ROCKS_WHY];       /* not empty: an image could not be completed */
    bool is_written;           /* the database may have rows, now or at the last barrier */
    bool have_left;            /* there may be rows in the database that are not in the table */
    uint32_t rows_max;         /* in the table */
    bool varies;               /* rows hold more than their bytes: text, lists, maps */
    size_t held, held_max;     /* an estimate of that */
    struct due due[DUE_KINDS];
    struct bytes key, due_keys;
    const struct key_reader *behind_time; /* reads the key behind a time (int64) that keys begin
                                             with; borrowed; NULL: they do not */
    struct bytes over;                    /* times whose rows are to be deleted */
    bool expires;            /* values begin with the time (int64) when they are over */
    int64_t now_ms;          /* where they do: of rows_pass_time */
    struct rocks_walk *walk; /* the task's */
};

/* Does the backend of the job keep rows in databases? */
bool rows_are_stored(const struct op *op);
/* Before the table has rows. `varies`: see above. Fails the task if it cannot be. */
void rows_open(struct rocks_rows *rows, struct op *op, struct table *table,
               const struct key_reader *reader, const struct row_codec *codec, bool varies);
/* The database is there from now on; after the restoring. */
void rows_ready(struct rocks_rows *rows);
void rows_close(struct rocks_rows *rows);

/* Of rows that expire (who has such sets rows->expires behind rows_open): what is over at now_ms
 * may go from the database, but for what a checkpoint under way may still want of it. Values begin
 * with their time in the database and its files, not where a section has the rows itself. */
void rows_pass_time(struct rocks_rows *rows, int64_t now_ms);

/* Before a batch, with no row at hand: afterwards a key that has no row is new. */
void rows_load(struct rocks_rows *rows, const struct key_reader *reader, const void *records,
               uint32_t stride, uint32_t count);
/* Will rows_load, or rows_make_room, empty the table? */
bool rows_are_full(const struct rocks_rows *rows);
/* Between rows that are restored: makes room if there are too many. The table is then empty. */
void rows_make_room(struct rocks_rows *rows);
/* Before timers fire, with no row at hand: loads rows that have timers until then, of which those
 * up to *upto may fire now. Returns whether there are more, behind these. */
bool rows_load_due(struct rocks_rows *rows, enum due_kind kind, int64_t until, int64_t *upto);
/* The time of the next timer, or before: of those in the database, and of those of which the first
 * is at `in_memory` (timers_next). ST_TIME_MAX: there is none. */
int64_t rows_next_timer(const struct rocks_rows *rows, enum due_kind kind, int64_t in_memory);

/* What follows is for keys that begin with a time, by which the database orders them before their
 * key group. Who has such keys sets rows->behind_time behind rows_open.
 *
 * All rows of a time are deleted, some time; those that the table has, once they are not full. */
void rows_delete_time(struct rocks_rows *rows, int64_t time);
/* Everything into the database, so that a walk finds all rows. */
void rows_store(struct rocks_rows *rows);
/* Begins a walk over the database as it is. Ended by rows_walk_end, or with the rows. */
void rows_walk_begin(struct rocks_rows *rows);
void rows_walk_end(struct rocks_rows *rows);
/* To the first row of this time whose key group is `group` or higher. */
void rows_walk_seek(struct rocks_rows *rows, int64_t time, uint32_t group);
/* The row at hand, if it is of this time and one of the groups from `group` and before `end`: its
 * key as bytes_record writes it, and its value; both valid until the walk goes on. */
bool rows_walk_entry(struct rocks_rows *rows, int64_t time, uint32_t group, uint32_t end,
                     struct reader *key, struct reader *value);
void rows_walk_next(struct rocks_rows *rows);

/* At a barrier, behind what the section says before its count of rows: leaves a hole for the count
 * and the rows, or says where they are. */
void rows_snapshot(struct rocks_rows *rows, struct bytes *to);

/* What a section says of its files, behind ROWS_IN_FILES. */
struct rows_said {
    st_str prefix;
    uint32_t first_group, end_group;
};

bool rows_read_said(struct rows_said *said, struct reader *from);
/* Takes the rows of this subtask out of the files; fails the restoring where rows are not stored.
 * `same`: values are as codec->write writes them;
 * otherwise read reads them. */
void rows_restore(struct rocks_rows *rows, const struct rows_said *said, struct op *op, bool same,
                  bool (*read)(struct op *op, uint32_t row, struct reader *from));
/* Both: what is behind ROWS_IN_FILES in a section, of values that are as codec->write writes them.
 * `rows` may be of no database: then it fails the restoring. */
void rows_restore_section(struct rocks_rows *rows, struct op *op, struct reader *from);

/* Rows at a barrier, for frozen.h. */
struct rows_image;
/* What fills the hole; by the thread that writes the checkpoint. */
bool rows_image_write(struct rows_image *image, struct bytes *to, char *why);
/* The checkpoint is done with it, or has been given up. By the task, whose tables have thawed. */
void rows_image_thaw(struct rows_image *image);
void rows_image_free(struct rows_image *image);

#endif
