/*
 * A table as it was at a barrier, while the table goes on.
 *
 *     table    [ page 0' ][ page 1 ][ page 2' ][ page 3 ]        ' written to since: copied first
 *     frozen   [ page 0  ][ page 1 ][ page 2  ]
 *
 * Freezing copies the list of pages, nothing else. Whoever writes to a page that is shared copies
 * it before; so the task stops for a page at most, and the thread that writes the checkpoint reads
 * rows that nobody changes. Text that a row gives up meanwhile stays in the task's limbo, since old
 * pages may still view it.
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

struct frozen {
    struct rows_image *image; /* of a database, in place of a table: rocks_rows.h; owned */
    struct table table;       /* as it was; its pages are a list of its own */
    struct layout key, payload;
    struct table *owner; /* the table that goes on; NULL when it has been emptied since */
    uint8_t *dead;       /* [page_count] the table has a page of its own instead; the task's */
    _Atomic int released;
    struct frozen *next; /* of the same task */
};

/* Adds the rows of a table to a snapshot, as they are now: key, payload, row by row; a table that
 * is frozen already is written at once. *list: the frozen ones of the task. The table's rows must
 * not point to anything but text. */
void table_freeze(struct table *t, const struct layout *payload, struct frozen **list,
                  struct bytes *to);
/* The same for rows of a database; takes the image. */
void image_freeze(struct rows_image *image, struct frozen **list, struct bytes *to);
/* Takes those off the list whose snapshot is done with. */
void frozen_thaw(struct frozen **list);
/* Frees all, whatever their state. */
void frozen_free_all(struct frozen **list);

/* The whole snapshot: `from` with its holes filled. `to` is empty; owned by the caller. Returns
 * false with `why` (256 bytes) if a database could not be read. */
bool bytes_materialise(const struct bytes *from, struct bytes *to, char *why);

#endif
