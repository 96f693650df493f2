/*
 * Tables as they were at a barrier, while they go on.
 *
 *     table    [ page 0' ][ page 1 ][ page 2' ][ page 3 ]        ' written to since: copied first
 *     frozen   [ page 0  ][ page 1 ][ page 2  ]
 *
 * Freezing copies the list of pages, nothing else. Whoever writes to a page that is shared copies
 * it before; so the task stops for a page at most, and the thread that writes the checkpoint reads
 * rows that nobody changes. What rows point to (text, the elements of lists) is not changed either
 * while something of the task is frozen: at most something is added behind it, and what is given up
 * stays in the task's limbo, since old pages may still view it.
 *
 * What one table does not tell is written by the operator itself, from a view: a copy of its struct
 * whose tables are the frozen ones. The view is made at the barrier and read by the other thread;
 * its tables are not looked into by key, for their indexes go on.
 *
 * A snapshot's bytes have a hole where the rows will be: bytes_materialise fills it.
 *
 * Threads: made, written around and freed by the task; read, and at last released, by another
 * thread.
 */
#ifndef STREAM_FROZEN_H
#define STREAM_FROZEN_H

#include <stdatomic.h>

#include "stream/bytes.h"
#include "stream/table.h"

struct rows_image;

struct frozen_table {
    struct table table;  /* as it was; its pages and free rows are lists of its own */
    struct table *owner; /* the table that goes on; NULL when it has been emptied since */
    uint8_t *dead;       /* [page_count] the table has a page of its own instead; the task's */
    struct frozen_table *next;
};

/* What one hole of a snapshot is filled with. One of three: an image with the view that it is of, a
 * view, or one table's rows. */
struct frozen {
    struct rows_image *image; /* of rows of a database: rocks_rows.h; owned */
    void *view;               /* what `write` writes; owned */
    void (*write)(void *view, struct bytes *to);
    void (*free_view)(void *view); /* what the view owns; NULL: nothing */
    struct layout key, payload;    /* of the one table */
    struct frozen_table *tables;   /* a list; owned */
    _Atomic int released;
    struct frozen *next; /* of the same task */
};

/* Adds the rows of a table to a snapshot, as they are now: key, payload, row by row; a table that
 * is frozen already is written at once. *list: the frozen ones of the task. The table's rows must
 * not point to anything but text. */
void table_freeze(struct table *t, const struct layout *payload, struct frozen **list,
                  struct bytes *to);
/* A view of `size` bytes, copied from `of`, for `write` to fill the hole that is left here (NULL:
 * the caller adds an image). Its tables are to be frozen next, by table_freeze_for. */
struct frozen *view_freeze(const void *of, size_t size, void (*write)(void *view, struct bytes *to),
                           struct frozen **list, struct bytes *to);
/* The frozen copy of t into *view, which is part of the view; t is not yet frozen. */
void table_freeze_for(struct frozen *f, struct table *t, struct table *view);
/* Takes those off the list whose snapshot is done with. */
void frozen_thaw(struct frozen **list);
/* Frees all, whatever their state. */
void frozen_free_all(struct frozen **list);

/* The whole snapshot: `from` with its holes filled. `to` is empty; owned by the caller. Returns
 * false with `why` (256 bytes) if a database could not be read. */
bool bytes_materialise(const struct bytes *from, struct bytes *to, char *why);

#endif
