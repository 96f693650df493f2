/*
 * Folding a record into what the earlier ones of its key (and window) gave: sum, min, max, min_by,
 * max_by on a field, a user's reduction, a user's accumulator. Used by rolling folds and by
 * windows.
 *
 * A fold's cell lies in a row of a table: the whole record, or an accumulator.
 */
#ifndef STREAM_FOLD_H
#define STREAM_FOLD_H

#include "stream/task.h"

struct fold {
    struct op *op;
    enum st_builtin builtin; /* 0: fn */
    const st_function *fn;
    const st_type *cell;  /* a record's type, or the accumulator's */
    bool first_is_copied; /* the first record of a cell becomes the cell; fn is not called */
    struct layout layout; /* of the cell */
    uint16_t offset;      /* the built-in's field */
    enum st_kind kind;
    bool row_is_cell; /* the key is read out of the record in the cell */
};

void fold_init(struct fold *fold, struct op *op);
/* A table whose payload is the cell. */
void fold_table(const struct fold *fold, struct table *table, const struct key_reader *reader);
/* A cell in place of the one that is there, each with text of its own. */
void fold_replace(const struct fold *fold, char *cell, const char *record);
/* One record into a cell. */
void fold_one(const struct fold *fold, char *cell, bool fresh, const char *record);
/* Record k goes into cells[k], in order; fresh[k]: the cell has been made for it. With `out`, what
 * the cell then is goes to out[k], with its text aliased: valid until the end of the step. */
void fold_many(const struct fold *fold, char *const *cells, const uint8_t *fresh,
               const void *records, uint32_t count, void *out);

#endif
