/*
 * Keyed rows in a RocksDB database, with the rows in use in a table (state.backend rocksdb).
 *
 *     batch ──► rows_load: keys without a row are read from the database, all at once
 *                   │
 *               table of rows ◄──► the operator, which sees no difference
 *                   │  too many rows: those that were touched are written, the table is emptied
 *                   │  a barrier: those that were touched are written, all stay
 *                   ▼
 *               database:  key group, key ──► the row as a snapshot has it
 *
 * So a record whose key is in the table costs what it costs without a database, and a key that is
 * touched often is written once, not once a record.
 *
 * A row is in the database, or pinned, or only in the table. Pinned are rows with timers, which
 * name their row by number: they stay in the table, and are not in the database.
 *
 * A checkpoint (`state.backend.incremental`) has the files of the database, and the pinned rows in
 * the operator's section:
 *
 *     section:  … | -1 | prefix of the files | key groups from, to | stored rows | pinned rows …
 *
 * Without, and in a savepoint, the section is the one that the backend hashmap writes: rows out of
 * the database are copied into it beside the flow, from a view of the database at the barrier.
 */
#ifndef STREAM_ROCKS_ROWS_H
#define STREAM_ROCKS_ROWS_H

#include "stream/files.h"
#include "stream/rocks.h"
#include "stream/task.h"

#define ROWS_IN_FILES (-1) /* in place of a section's count of rows */

enum row_worth { ROW_EMPTY = 1, ROW_FULL, ROW_PINNED };

/* What an operator knows of its rows. */
struct row_codec {
    /* May take away from the row what is over. */
    enum row_worth (*worth)(struct op *op, uint32_t row);
    /* What is behind the key in a snapshot's row. */
    void (*write)(struct op *op, uint32_t row, struct bytes *to);
    /* Into a row that has just been made; false: damaged. */
    bool (*read)(struct op *op, uint32_t row, struct reader *from);
    /* Gives up what the row holds besides its bytes in the table. NULL: nothing. */
    void (*drop)(struct op *op, uint32_t row);
};

struct rocks_rows {
    struct op *op; /* NULL: there is no database, the table has all rows */
    const struct row_codec *codec;
    struct table *table;
    const struct key_reader *reader;
    struct rocks *db; /* NULL: not yet opened */
    char folder[FILES_PATH_MAX];
    int lock;
    int64_t stored;        /* rows in the database */
    uint32_t rows_max;     /* in the table */
    bool varies;           /* rows hold more than their bytes: text, lists, maps */
    size_t held, held_max; /* an estimate of that */
    struct bytes key, value;
};

/* Does the backend of the job keep rows in databases? */
bool rows_are_stored(const struct op *op);
/* Before the table has rows. `varies`: see above. Fails the task if it cannot be. */
void rows_open(struct rocks_rows *rows, struct op *op, struct table *table,
               const struct key_reader *reader, const struct row_codec *codec, bool varies);
/* The database is there from now on; after the restoring. */
void rows_ready(struct rocks_rows *rows);
void rows_close(struct rocks_rows *rows);

/* Before a batch, with no row at hand: afterwards a key that has no row is new. */
void rows_load(struct rocks_rows *rows, const struct key_reader *reader, const void *records,
               uint32_t stride, uint32_t count);
/* Between rows that are restored: makes room if there are too many. Rows that are not pinned may
 * then be gone from the table. */
void rows_make_room(struct rocks_rows *rows);

/* At a barrier, behind what the section says before its count of rows: writes the count, the pinned
 * rows, and the others or where they are. place: [row_end] the number of a pinned row among the
 * rows of the section; NULL: no row is ever pinned. */
void rows_snapshot(struct rocks_rows *rows, struct bytes *to, int64_t *place);

/* What a section says of its files, behind ROWS_IN_FILES. */
struct rows_said {
    st_str prefix;
    uint32_t first_group, end_group;
    int64_t stored, pinned;
};

bool rows_read_said(struct rows_said *said, struct reader *from);
/* Takes the rows of this subtask out of the files; fails the restoring where rows are not stored.
 * `same`: values are as codec->write writes them;
 * otherwise read reads them. */
void rows_restore(struct rocks_rows *rows, const struct rows_said *said, struct op *op, bool same,
                  bool (*read)(struct op *op, uint32_t row, struct reader *from));

/* Rows of a database as it was at a barrier, for bytes_materialise. */
struct rows_image;
bool rows_image_write(struct rows_image *image, struct bytes *to, char *why);
void rows_image_free(struct rows_image *image);

#endif
