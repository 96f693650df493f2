/*
 * Rows by key: what keyed state and windows lie in.
 *
 *     index   | hash, row | - | hash, row | …   open addressing, 4 bytes an entry: the high bits
 *                                              of a hash say where it belongs, the others are kept
 *     pages   [ key | payload ][ key | payload ] …   rows, densely from 0; none lies in more lines
 *                                              of the cache than it must
 *
 * Rows never move: the index is rebuilt when it grows (a large one in steps, in which the old one
 * is looked into as well), pages are not. So a row's number is its name for timers, a walk over all
 * rows is a walk over memory, and a snapshot needs the pages only.
 *
 * Lookups go by batch: first all hashes with a prefetch of their index entries, then the entries
 * with a prefetch of their rows, then the rows. Of a table beyond the caches a batch waits for
 * memory once, not once a record.
 */
#ifndef STREAM_TABLE_H
#define STREAM_TABLE_H

#include "stream/memory.h"
#include "stream/record.h"

#define ROW_NONE UINT32_MAX
/* Records that go through operators at once: so many that half of them, which is what stays in a
 * slot at parallelism 2, hide what a call costs, and so few that they stay in the first caches. */
#define BATCH_SIZE 512

/* Marks of a row, of a table that has them. */
#define ROW_LIVE    1u
#define ROW_TOUCHED 2u /* may have been written to since the mark was taken away */
#define ROW_STORED  4u /* a database has the row, as it is or as it was: rocks_rows.h */
#define ROW_LEAVES  8u /* a database may have it soon, as it was at a barrier */

struct frozen_table;

struct table {
    const struct key_reader *reader; /* borrowed */
    struct memory_pool *pool;        /* borrowed */
    uint32_t row_size;
    uint32_t record_size; /* of the payload */
    uint32_t key_offset;  /* of the key in a row */
    bool holds_record;    /* a row is the first record of its key, whose field is the key */
    uint32_t page_shift;  /* rows in a page: 1 << page_shift */
    struct layout text;   /* views in a row whose text the table owns */
    char **pages;         /* [page_count] */
    uint32_t page_count, page_capacity;
    struct frozen_table *frozen; /* whose pages are not to be written to; see frozen.h */
    uint8_t *marks;              /* [mark_capacity > row_end] of rows; NULL: it has none */
    uint32_t mark_capacity;
    bool watched;     /* frozen or marked: what is written to has to be told */
    uint32_t row_end; /* rows below it are in use or in free_rows */
    uint32_t *free_rows;
    uint32_t free_count, free_capacity;
    uint32_t *index; /* [index_mask + 1] low bits of the hash, row + 1 below; 0: empty */
    uint32_t index_mask, index_bits; /* mask: the lowest so many bits */
    /* While the index grows: the one before, of which places below `moved` are in the new one. */
    uint32_t *old_index; /* [old_mask + 1]; NULL: it does not grow */
    uint32_t old_mask, old_bits, moved;
    uint32_t live;
};

/* payload: bytes behind the key; with `holds_record` the size of the record, of which the key is a
 * field. reader and pool are borrowed until table_free. */
void table_init(struct table *t, const struct key_reader *reader, struct memory_pool *pool,
                const struct layout *payload, bool holds_record);
void table_free(struct table *t);
/* Empties the table and keeps its memory for the next use. */
void table_clear(struct table *t);

/* The row of the key that `record` has, or ROW_NONE. */
uint32_t table_find(const struct table *t, const void *record);
/* The same, made if need be: the payload of a new row is zero bytes (or the record). */
uint32_t table_find_or_insert(struct table *t, const struct key_reader *reader, const void *record,
                              bool *is_new);
/* By a key that was taken out of a record before. */
uint32_t table_find_or_insert_key(struct table *t, const void *key, bool *is_new);
/* Of `count` <= BATCH_SIZE records, `stride` bytes apart: rows[k] is where the row of record k
 * lies, fresh[k] whether record k made it. tables: [count] one each, or NULL: all in t. */
void table_find_many(struct table *t, struct table *const *tables, const void *records,
                     uint32_t stride, uint32_t count, char **rows, uint8_t *fresh);
/* From now on rows have marks; of an empty table. */
void table_mark_rows(struct table *t);
/* Room for so many more rows, so that the index need not grow for them. A hint. */
void table_reserve(struct table *t, uint32_t more);
/* Which of `count` <= BATCH_SIZE records have a key without a row; their numbers into missing.
 * Returns how many there are; of a key that is there twice, both. */
uint32_t table_missing_many(const struct table *t, const struct key_reader *reader,
                            const void *records, uint32_t stride, uint32_t count,
                            uint32_t *missing);
/* Which rows are in use: [row_end] bytes of 0 or 1; owned by the caller, NULL if there are no rows.
 */
uint8_t *table_live_rows(const struct table *t);
/* Takes a row away; its number may be used again. */
void table_remove(struct table *t, uint32_t row);

static inline char *table_row(const struct table *t, uint32_t row)
{
    uint32_t in_page = row & ((1u << t->page_shift) - 1);
    return t->pages[row >> t->page_shift] + (size_t)in_page * t->row_size;
}

/* A page of its own in place of one that is shared with a frozen table. */
void table_unshare(struct table *t, uint32_t page);

/* The row, to be written to. The functions above that insert have seen to that; others have not. */
static inline char *table_own_row(struct table *t, uint32_t row)
{
    if (__builtin_expect(t->frozen != NULL, 0)) {
        table_unshare(t, row >> t->page_shift);
    }
    return table_row(t, row);
}

/* A row is written to by other ways than the functions above. */
static inline void table_touch(struct table *t, uint32_t row)
{
    if (t->marks != NULL) {
        t->marks[row] |= ROW_TOUCHED;
    }
}

static inline bool table_is_stored(const struct table *t, uint32_t row)
{
    return t->marks != NULL && (t->marks[row] & (ROW_STORED | ROW_LEAVES)) != 0;
}

static inline char *table_payload(const struct table *t, uint32_t row)
{
    return table_row(t, row) + (t->holds_record ? 0 : t->reader->layout.size);
}

#endif
