/*
 * The sink that commits in two phases, see st_two_phase in stream.h.
 *
 *     current   begun, perhaps written to          barrier N: pre-committed, becomes pending (N)
 *     pending   (N, transaction) …                 N complete: committed, in order
 *
 * Both are in the snapshot: the pending ones will be committed by whoever restores it, the current
 * one aborted. A transaction in which nothing was written stays the current one over a barrier.
 *
 * At the end of the input the current one becomes pending with the next checkpoint's number, for
 * every later checkpoint has this subtask's last state.
 *
 * Source: Flink TwoPhaseCommitSinkFunction.
 */
#include <stdlib.h>

#include "stream/task.h"

struct pending {
    int64_t checkpoint_id;
    void *txn; /* owned, with its text */
};

struct two_phase {
    struct op op;
    struct layout layout;
    void *current; /* owned; NULL: none has begun */
    bool is_written;
    struct pending *pending; /* [pending_count] in order */
    uint32_t pending_count;
    struct pending *restored; /* of the checkpoint: id 0: was open */
    uint32_t restored_count;
};

static struct two_phase *two_phase_of(struct op *op)
{
    return (struct two_phase *)(void *)op;
}

static void add(struct pending **list, uint32_t *count, struct pending one)
{
    struct pending *more = must_calloc(*count + 1, sizeof *more);
    if (*count > 0) {
        memcpy(more, *list, *count * sizeof *more);
    }
    free(*list);
    *list = more;
    more[(*count)++] = one;
}

static void free_txn(struct two_phase *t, void *txn)
{
    record_free_text(&t->layout, txn);
    free(txn);
}

static void two_phase_open(struct op *op)
{
    two_phase_of(op)->layout = layout_of(op->node->two_phase->transaction);
}

/* The user's function may have put any views into the record: it gets text of its own. */
static void begin(struct two_phase *t)
{
    const st_two_phase *spec = t->op.node->two_phase;
    void *txn = must_calloc(1, t->layout.size);
    spec->begin(&t->op.ctx, txn);
    if (!record_own_text(&t->layout, txn)) {
        abort();
    }
    t->current = txn;
    t->is_written = false;
}

static void two_phase_ready(struct op *op)
{
    struct two_phase *t = two_phase_of(op);
    const st_two_phase *spec = op->node->two_phase;
    for (uint32_t r = 0; r < t->restored_count; r++) {
        const struct pending *one = &t->restored[r];
        if (one->checkpoint_id != 0) {
            (spec->recover_and_commit != NULL ? spec->recover_and_commit : spec->commit)(&op->ctx,
                                                                                         one->txn);
        } else {
            (spec->recover_and_abort != NULL ? spec->recover_and_abort : spec->abort)(&op->ctx,
                                                                                      one->txn);
        }
    }
    begin(t);
}

static void two_phase_batch(struct op *op, uint32_t input, const struct batch *batch)
{
    struct two_phase *t = two_phase_of(op);
    (void)input;
    op_at(op, batch);
    t->is_written = true;
    op->node->two_phase->write(&op->ctx, t->current, batch->records, batch->count);
}

static void pre_commit(struct two_phase *t, int64_t checkpoint_id)
{
    if (t->is_written) {
        t->op.node->two_phase->pre_commit(&t->op.ctx, t->current);
        add(&t->pending, &t->pending_count, (struct pending){checkpoint_id, t->current});
        t->current = NULL;
    }
}

static void two_phase_barrier(struct op *op, int64_t checkpoint_id)
{
    struct two_phase *t = two_phase_of(op);
    if (t->current != NULL) { /* NULL: at the end of the input */
        pre_commit(t, checkpoint_id);
        if (t->current == NULL) {
            begin(t);
        }
    }
}

static void two_phase_end(struct op *op)
{
    struct two_phase *t = two_phase_of(op);
    pre_commit(t, op->task->barrier + 1);
    if (t->current != NULL) {
        op->node->two_phase->abort(&op->ctx, t->current);
        free_txn(t, t->current);
        t->current = NULL;
    }
}

static void two_phase_completed(struct op *op, int64_t checkpoint_id)
{
    struct two_phase *t = two_phase_of(op);
    uint32_t done = 0;
    while (done < t->pending_count && t->pending[done].checkpoint_id <= checkpoint_id) {
        op->node->two_phase->commit(&op->ctx, t->pending[done].txn);
        free_txn(t, t->pending[done++].txn);
    }
    t->pending_count -= done;
    if (done > 0 && t->pending_count > 0) {
        memmove(t->pending, t->pending + done, t->pending_count * sizeof *t->pending);
    }
}

static void two_phase_snapshot(struct op *op, struct bytes *to)
{
    const struct two_phase *t = two_phase_of(op);
    bytes_type(to, op->node->two_phase->transaction);
    bytes_u32(to, t->pending_count + (t->current != NULL ? 1 : 0));
    for (uint32_t p = 0; p < t->pending_count; p++) {
        bytes_i64(to, t->pending[p].checkpoint_id);
        bytes_record(to, &t->layout, t->pending[p].txn);
    }
    if (t->current != NULL) {
        bytes_i64(to, 0);
        bytes_record(to, &t->layout, t->current);
    }
}

static void two_phase_restore(struct op *op, struct section *section)
{
    struct two_phase *t = two_phase_of(op);
    struct reader *from = &section->state;
    if (section->subtask % op->ctx.parallelism != op->ctx.subtask) {
        return;
    }
    restore_type(op, from, op->node->two_phase->transaction);
    for (uint32_t left = read_u32(from); left > 0; left--) {
        struct pending one = {.checkpoint_id = read_i64(from)};
        one.txn = must_calloc(1, t->layout.size);
        if (!read_record(from, &t->layout, one.txn)) {
            free(one.txn);
            return;
        }
        if (!record_own_text(&t->layout, one.txn)) {
            abort();
        }
        add(&t->restored, &t->restored_count, one);
    }
}

static void two_phase_close(struct op *op)
{
    struct two_phase *t = two_phase_of(op);
    if (t->current != NULL) {
        op->node->two_phase->abort(&op->ctx, t->current);
        free_txn(t, t->current);
    }
    for (uint32_t p = 0; p < t->pending_count; p++) {
        free_txn(t, t->pending[p].txn);
    }
    for (uint32_t r = 0; r < t->restored_count; r++) {
        free_txn(t, t->restored[r].txn);
    }
    free(t->pending);
    free(t->restored);
}

const struct op_class op_two_phase = {
    .size = sizeof(struct two_phase),
    .open = two_phase_open,
    .ready = two_phase_ready,
    .close = two_phase_close,
    .batch = two_phase_batch,
    .end = two_phase_end,
    .barrier = two_phase_barrier,
    .completed = two_phase_completed,
    .snapshot = two_phase_snapshot,
    .restore = two_phase_restore,
};
