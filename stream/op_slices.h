/*
 * Tumbling and sliding windows: what op_slices.c and stored_slices.c share.
 */
#ifndef STREAM_OP_SLICES_H
#define STREAM_OP_SLICES_H

#include "stream/cells.h"
#include "stream/rocks_rows.h"

struct slice {
    int64_t start;
    struct table table; /* of windows in memory */
    struct slice *next_free;
};

/* With a database (rocks_rows.h) the rows of all slices lie in one table:
 *
 *     row:        | start | key | cell |
 *     database:   start, key group, start and key  ──►  cell
 *
 * so a slice is one stretch of the database, walked when a window fires, deleted at once. */
struct stored_slices {
    struct key_reader packed; /* of the start and the key out of a row */
    struct key_reader inner;  /* of the key out of them */
    struct table table;
    struct rocks_rows rows;
    int64_t gone; /* slices that were to be dropped by then have been */
    char *space;  /* [BATCH_SIZE] starts and keys */
    struct bytes walked;
};

enum agenda_kind { AGENDA_FIRE, AGENDA_DROP };

struct agenda_item {
    int64_t time;
    int64_t start; /* of the window */
    int64_t kind;  /* enum agenda_kind; as wide as the others, so that no byte is undefined */
};

struct windows {
    struct op op;
    struct key_reader reader;
    struct cells cells;
    int64_t size, slide, offset, lateness;
    int64_t margin; /* see windows_margin */
    double slide_inverse;
    struct slice **slots; /* [slot_mask + 1] open slices by start / slide; NULL: none */
    uint32_t slot_mask, slice_count;
    bool panes;                   /* a slice is as wide as the slide; windows are merged of them */
    struct key_reader row_reader; /* takes a key out of a row */
    struct table merged;          /* of the window that fires */
    struct slice *free_slices;
    struct agenda_item *agenda; /* [agenda_count] the next one last */
    uint32_t agenda_count, agenda_capacity;
    bool key_in_cell; /* a snapshot has no keys beside the cells */
    bool is_stored;
    struct stored_slices stored; /* where is_stored */
};

static inline struct windows *windows_of(struct op *op)
{
    return (struct windows *)(void *)op;
}

static inline int64_t window_last(const struct windows *w, int64_t start)
{
    return time_wrap(start, w->size - 1);
}

/* The window's pane of that number, of size / slide. */
static inline int64_t pane_of(const struct windows *w, int64_t start, int64_t number)
{
    return time_wrap(start, number * w->slide);
}

static inline int64_t window_drop_at(const struct windows *w, int64_t start)
{
    return time_plus(window_last(w, start), w->lateness);
}

/* Puts out a cell of the window that begins at `start`. */
void slices_fire_cell(struct windows *w, int64_t start, const void *key, char *cell);
/* A pane's cell into that of a window. */
void slices_merge_cell(struct windows *w, char *to, bool fresh, const char *from);
/* Puts out the merged rows, and empties their table. */
void slices_fire_merged(struct windows *w, int64_t start);

void stored_slices_open(struct windows *w);
void stored_slices_close(struct windows *w);
/* The cells of records in the slices that begin at starts[k], made if need be, as
 * table_find_many. count <= BATCH_SIZE. */
void stored_slices_find(struct windows *w, const int64_t *starts, const void *records,
                        uint32_t count, char **cells, uint8_t *fresh);
/* The cell of a key in a slice; NULL: it has none. Until the next call. */
char *stored_slices_look(struct windows *w, int64_t start, const void *key);
/* Makes the cell of a key that has none in this slice; NULL: it has. */
char *stored_slices_make(struct windows *w, int64_t start, const void *key);
void stored_slices_fire(struct windows *w, int64_t start);
void stored_slices_fire_panes(struct windows *w, int64_t start);
void stored_slices_drop(struct windows *w, int64_t start);
/* All rows, behind the starts of the slices. */
void stored_slices_snapshot(struct windows *w, struct bytes *to);

#endif
