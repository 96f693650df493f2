/*
 * Sources that have their records at hand: generator, array, lines of a file. Each call of poll
 * puts out about a batch, so that a task comes back often enough to look at what else there is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "stream/lines.h"
#include "stream/sources.h"
#include "stream/task.h"

/* ----------------------------------------------------------------------------------- Generator */

/* A share of the blocks of BATCH_SIZE records: those whose number is `rest` modulo `modulus`, from
 * the next one on. At first there is a share a subtask; after a restore at another parallelism a
 * subtask may have several, or none. */
struct share {
    uint64_t rest, modulus, next; /* next: block number */
    uint64_t at;                  /* records of that block that are out already */
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
    add_share(g, (struct share){op->ctx.subtask, op->ctx.parallelism, op->ctx.subtask, 0});
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
        if (share.rest % op->ctx.parallelism == op->ctx.subtask && share.modulus > 0 &&
            share.at < BATCH_SIZE) {
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

/* How many records are due by now, at the rate that is asked for. If none, it is woken when one is.
 */
static uint64_t due(struct generator *g)
{
    uint64_t rate = g->op.node->options.rate_per_s;
    if (rate == 0) {
        return BATCH_SIZE;
    }
    uint64_t in_a_second = (uint64_t)g->op.ctx.parallelism * 1000; /* a record each / rate ms */
    int64_t since = job_now(g->op.task->job) - g->began_ms;
    uint64_t all = (uint64_t)(since > 0 ? since : 0) * rate / in_a_second + 1;
    if (all > g->made) {
        return all - g->made;
    }
    g->op.wakeup_ms = g->began_ms + (int64_t)((g->made * in_a_second + rate - 1) / rate);
    return 0;
}

static enum st_poll generator_poll(struct op *op)
{
    struct generator *g = generator_of(op);
    struct share *share = next_share(g);
    if (share == NULL) {
        return ST_END;
    }
    uint64_t first = share->next * BATCH_SIZE + share->at, left = op->node->count - first;
    uint64_t in_block = BATCH_SIZE - share->at, may = due(g);
    if (may == 0) {
        return ST_IDLE;
    }
    left = left < in_block ? left : in_block;
    uint32_t count = (uint32_t)(left < may ? left : may);
    struct output *output = op_output(op);
    op->node->fn->call.generator(&op->ctx, first, output->out.records, count);
    share->at += count;
    if (share->at == BATCH_SIZE || first + count == op->node->count) {
        share->at = 0;
        share->next += share->modulus;
    }
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
    .wake = source_wake,
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
    while (count < BATCH_SIZE && lines_next(lines, at_end, &batch[count])) {
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
