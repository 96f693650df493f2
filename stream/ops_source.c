/*
 * Sources that have their records at hand: array, lines of a file. Each call of poll puts out about
 * a batch, so that a task comes back often enough to look at what else there is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "stream/lines.h"
#include "stream/sources.h"
#include "stream/task.h"

/* --------------------------------------------------------------------------------------- Array */

struct array {
    struct op op;
    uint64_t next;
};

static enum st_poll array_poll(struct op *op)
{
    struct array *a = (struct array *)(void *)op;
    uint64_t left = op->node->count - a->next;
    if (left == 0) {
        return ST_END;
    }
    uint32_t count = left < op->task->pace ? (uint32_t)left : op->task->pace;
    const char *from = (const char *)op->node->array + a->next * op->node->out->size;
    a->next += count;
    output_push(op_output(op), &(struct batch){from, NULL, count});
    return ST_MORE;
}

static void array_snapshot(struct op *op, struct bytes *to)
{
    bytes_i64(to, (int64_t)((struct array *)(void *)op)->next);
}

static void array_restore(struct op *op, struct section *section)
{
    struct array *a = (struct array *)(void *)op;
    a->next = (uint64_t)read_i64(&section->state);
    a->next = a->next < op->node->count ? a->next : op->node->count;
}

const struct op_class op_array = {
    .size = sizeof(struct array),
    .snapshot = array_snapshot,
    .restore = array_restore,
    .poll = array_poll,
};

/* ------------------------------------------------------------------------------ Text of a file */

struct text_file {
    struct op op;
    FILE *file;
    struct lines lines; /* .position is that in the file */
    bool at_end;
};

static void text_open(struct op *op)
{
    struct text_file *t = (struct text_file *)(void *)op;
    t->file = fopen(op->node->path, "rb");
    if (t->file == NULL) {
        task_fail(op->task, "%s: %s", op->node->path, strerror(errno));
    }
    lines_begin(&t->lines, "\n");
}

static void text_close(struct op *op)
{
    struct text_file *t = (struct text_file *)(void *)op;
    if (t->file != NULL) {
        fclose(t->file);
    }
    lines_free(&t->lines);
}

/* More of the file. */
static void fill(struct text_file *t)
{
    size_t room;
    char *to = lines_room(&t->lines, &room);
    if (to == NULL) {
        task_fail(t->op.task, "%s: a line of more than %zu bytes", t->op.node->path, t->lines.size);
    }
    size_t got = fread(to, 1, room, t->file);
    if (got == 0) {
        if (ferror(t->file)) {
            task_fail(t->op.task, "%s: %s", t->op.node->path, strerror(errno));
        }
        t->at_end = true;
    }
    lines_filled(&t->lines, got);
}

static enum st_poll text_poll(struct op *op)
{
    struct text_file *t = (struct text_file *)(void *)op;
    if (source_put_lines(op, &t->lines, t->at_end)) {
        return ST_MORE;
    }
    if (t->at_end) {
        return ST_END;
    }
    fill(t);
    return ST_MORE;
}

bool source_put_lines(struct op *op, struct lines *lines, bool at_end)
{
    st_str batch[BATCH_SIZE];
    uint32_t count = 0;
    while (count < op->task->pace && lines_next(lines, at_end, &batch[count])) {
        count++;
    }
    output_push(op_output(op), &(struct batch){batch, NULL, count});
    return count > 0;
}

static void text_snapshot(struct op *op, struct bytes *to)
{
    bytes_i64(to, ((struct text_file *)(void *)op)->lines.position);
}

static void text_restore(struct op *op, struct section *section)
{
    struct text_file *t = (struct text_file *)(void *)op;
    int64_t position = read_i64(&section->state);
    lines_restart(&t->lines, position);
    if (position < 0 || fseeko(t->file, (off_t)position, SEEK_SET) != 0) {
        restore_fail(op, "cannot go on at byte %lld of %s", (long long)position, op->node->path);
    }
}

const struct op_class op_text_file = {
    .snapshot = text_snapshot,
    .restore = text_restore,
    .size = sizeof(struct text_file),
    .open = text_open,
    .close = text_close,
    .poll = text_poll,
};
