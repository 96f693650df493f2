/*
 * Sources: of the user's, generator, array, lines of a file. Each call of poll puts out about a
 * batch, so that a task comes back often enough to look at what else there is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "stream/task.h"

static enum st_poll source_poll(struct op *op)
{
    op->outputs[0].out.time = ST_TIME_MIN;
    op->poll_ms = 0;
    return op->node->fn->call.source(&op->ctx, &op->outputs[0].out);
}

void st_poll_at(st_context *ctx, int64_t time_ms)
{
    ((struct op *)(void *)ctx)->poll_ms = time_ms;
}

const struct op_class op_source = {.size = sizeof(struct op), .poll = source_poll};

/* ----------------------------------------------------------------------------------- Generator */

/* A share of the blocks of BATCH_SIZE records: those whose number is `rest` modulo `modulus`, from
 * the next one on. At first there is a share a subtask; after a restore at another parallelism a
 * subtask may have several, or none. */
struct share {
    uint64_t rest, modulus, next; /* next: block number */
};

struct generator {
    struct op op;
    struct share *shares; /* [share_count] */
    uint32_t share_count;
    bool is_restored;
    uint64_t made;
    int64_t began_ms;
};

static struct generator *generator_of(struct op *op)
{
    return (struct generator *)(void *)op;
}

static void add_share(struct generator *g, struct share share)
{
    struct share *shares = must_calloc(g->share_count + 1, sizeof *shares);
    if (g->share_count > 0) {
        memcpy(shares, g->shares, g->share_count * sizeof *shares);
    }
    free(g->shares);
    g->shares = shares;
    shares[g->share_count++] = share;
}

static void generator_open(struct op *op)
{
    struct generator *g = generator_of(op);
    g->began_ms = job_now(op->task->job);
    add_share(g, (struct share){op->ctx.subtask, op->ctx.parallelism, op->ctx.subtask});
}

static void generator_close(struct op *op)
{
    free(generator_of(op)->shares);
}

static void generator_snapshot(struct op *op, struct bytes *to)
{
    const struct generator *g = generator_of(op);
    bytes_u32(to, g->share_count);
    bytes_put(to, g->shares, g->share_count * sizeof *g->shares);
}

/* The shares of all are dealt out in the order of their rests, which is that of their sections. */
static void generator_restore(struct op *op, struct section *section)
{
    struct generator *g = generator_of(op);
    if (!g->is_restored) {
        g->is_restored = true;
        g->share_count = 0;
    }
    for (uint32_t left = read_u32(&section->state); left > 0; left--) {
        struct share share;
        const char *at = read_bytes(&section->state, sizeof share);
        if (at == NULL) {
            return;
        }
        memcpy(&share, at, sizeof share);
        if (share.rest % op->ctx.parallelism == op->ctx.subtask && share.modulus > 0) {
            add_share(g, share);
        }
    }
}

/* The share that is the least far, so that several stay together in time, as one would; NULL when
 * all are at their end. */
static struct share *next_share(struct generator *g)
{
    uint64_t blocks = (g->op.node->count + BATCH_SIZE - 1) / BATCH_SIZE;
    struct share *least = NULL;
    for (uint32_t i = 0; i < g->share_count; i++) {
        struct share *share = &g->shares[i];
        if (share->next < blocks && (least == NULL || share->next < least->next)) {
            least = share;
        }
    }
    return least;
}

/* May this subtask go on, at the rate that is asked for? If not, it is woken when it may. */
static bool in_rate(struct generator *g)
{
    uint64_t rate = g->op.node->options.rate_per_s;
    if (rate == 0) {
        return true;
    }
    uint64_t due_ms = g->made * g->op.ctx.parallelism * 1000 / rate;
    if (job_now(g->op.task->job) - g->began_ms >= (int64_t)due_ms) {
        return true;
    }
    g->op.wakeup_ms = g->began_ms + (int64_t)due_ms;
    return false;
}

static void generator_wake(struct op *op, int64_t now_ms)
{
    (void)op, (void)now_ms; /* to be polled is enough */
}

static enum st_poll generator_poll(struct op *op)
{
    struct generator *g = generator_of(op);
    struct share *share = next_share(g);
    if (share == NULL) {
        return ST_END;
    }
    if (!in_rate(g)) {
        return ST_IDLE;
    }
    uint64_t first = share->next * BATCH_SIZE, left = op->node->count - first;
    uint32_t count = left < BATCH_SIZE ? (uint32_t)left : BATCH_SIZE;
    struct output *output = op_output(op);
    op->node->fn->call.generator(&op->ctx, first, output->out.records, count);
    share->next += share->modulus;
    g->made += count;
    output_push(output, &(struct batch){output->out.records, NULL, count});
    return ST_MORE;
}

const struct op_class op_generator = {
    .size = sizeof(struct generator),
    .open = generator_open,
    .close = generator_close,
    .snapshot = generator_snapshot,
    .restore = generator_restore,
    .poll = generator_poll,
    .wake = generator_wake,
};

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
    uint32_t count = left < BATCH_SIZE ? (uint32_t)left : BATCH_SIZE;
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

#define BLOCK_SIZE ((size_t)64 * 1024)

/*  buffer:  | handed out | at … filled: lines, the last of them perhaps in part |  free  |  */
struct text_file {
    struct op op;
    FILE *file;
    char *buffer;
    size_t size, at, filled;
    int64_t position; /* of buffer[at] in the file */
    bool at_end;
};

static void text_open(struct op *op)
{
    struct text_file *t = (struct text_file *)(void *)op;
    t->file = fopen(op->node->path, "rb");
    if (t->file == NULL) {
        task_fail(op->task, "%s: %s", op->node->path, strerror(errno));
    }
    t->size = BLOCK_SIZE;
    t->buffer = must_calloc(1, t->size);
}

static void text_close(struct op *op)
{
    struct text_file *t = (struct text_file *)(void *)op;
    if (t->file != NULL) {
        fclose(t->file);
    }
    free(t->buffer);
}

/* More of the file behind what is there, which moves to the front. */
static void fill(struct text_file *t)
{
    memmove(t->buffer, t->buffer + t->at, t->filled - t->at);
    t->filled -= t->at;
    t->at = 0;
    if (t->filled == t->size) {
        if (t->size * 2 > RECORD_TEXT_MAX) {
            task_fail(t->op.task, "%s: a line of more than %zu bytes", t->op.node->path, t->size);
        }
        char *larger = must_calloc(1, t->size * 2);
        memcpy(larger, t->buffer, t->filled);
        free(t->buffer);
        t->buffer = larger;
        t->size *= 2;
    }
    size_t got = fread(t->buffer + t->filled, 1, t->size - t->filled, t->file);
    if (got == 0) {
        if (ferror(t->file)) {
            task_fail(t->op.task, "%s: %s", t->op.node->path, strerror(errno));
        }
        t->at_end = true;
    }
    t->filled += got;
}

/* The next line; false if it is not whole yet. What follows the last end of line is a line if it is
 * not empty. */
static bool next_line(struct text_file *t, st_str *line)
{
    const char *from = t->buffer + t->at;
    size_t left = t->filled - t->at;
    const char *end = left > 0 ? memchr(from, '\n', left) : NULL;
    if (end == NULL && !(t->at_end && left > 0)) {
        return false;
    }
    size_t size = end != NULL ? (size_t)(end - from) : left;
    t->at += size + (end != NULL ? 1 : 0);
    t->position += (int64_t)(size + (end != NULL ? 1 : 0));
    if (size > 0 && from[size - 1] == '\r') {
        size--;
    }
    *line = (st_str){from, (uint32_t)size, 0};
    return true;
}

static enum st_poll text_poll(struct op *op)
{
    struct text_file *t = (struct text_file *)(void *)op;
    st_str lines[BATCH_SIZE];
    uint32_t count = 0;
    while (count < BATCH_SIZE && next_line(t, &lines[count])) {
        count++;
    }
    if (count > 0) {
        output_push(op_output(op), &(struct batch){lines, NULL, count});
        return ST_MORE;
    }
    if (t->at_end) {
        return ST_END;
    }
    fill(t);
    return ST_MORE;
}

static void text_snapshot(struct op *op, struct bytes *to)
{
    bytes_i64(to, ((struct text_file *)(void *)op)->position);
}

static void text_restore(struct op *op, struct section *section)
{
    struct text_file *t = (struct text_file *)(void *)op;
    t->position = read_i64(&section->state);
    if (t->position < 0 || fseeko(t->file, (off_t)t->position, SEEK_SET) != 0) {
        restore_fail(op, "cannot go on at byte %lld of %s", (long long)t->position, op->node->path);
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
