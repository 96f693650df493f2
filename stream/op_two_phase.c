/*
 * The sink that commits in two phases, see st_two_phase in stream.h.
 *
 *     current   begun, perhaps written to          barrier N: pre-committed, becomes pending (N)
 *     pending   (N, transaction) …                 N complete: committed, in order
 *
 * Both are in the snapshot: the pending ones will be committed by whoever restores it, the current
 * one aborted. A transaction in which nothing was written stays the current one over a barrier.
 *
 * One may go on over a barrier, see op_two_phase.h: then it is in the snapshot as the current one,
 * and resumed. One that ends between barriers becomes pending with the next checkpoint's number.
 *
 * At the end of the input the current one becomes pending with the next checkpoint's number, for
 * every later checkpoint has this subtask's last state.
 *
 * Source: Flink TwoPhaseCommitSinkFunction.
 */
#include "stream/op_two_phase.h"

#include <stdlib.h>

#include "stream/task.h"

struct pending {
    int64_t checkpoint_id;
    void *txn;        /* owned, with its text */
    bool is_anothers; /* restored: that subtask takes care of it */
};

struct two_phase {
    struct op op;
    struct layout layout;
    void *current; /* owned; NULL: none has begun */
    bool is_written;
    bool is_kept;            /* a checkpoint has it, as the current one */
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
    if (txn != NULL) {
        record_free_text(&t->layout, txn);
        free(txn);
    }
}

static void free_all(struct two_phase *t, struct pending *list, uint32_t count)
{
    for (uint32_t p = 0; p < count; p++) {
        free_txn(t, list[p].txn);
    }
    free(list);
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
    t->is_written = t->is_kept = false;
}

static void pre_commit(struct two_phase *t, int64_t checkpoint_id)
{
    if (t->is_written) {
        t->op.node->two_phase->pre_commit(&t->op.ctx, t->current);
        add(&t->pending, &t->pending_count, (struct pending){checkpoint_id, t->current, false});
        t->current = NULL;
    }
}

/* Each checkpoint that this subtask has not taken part in has it. */
static void end_now(struct two_phase *t)
{
    t->is_written = true;
    pre_commit(t, t->op.task->barrier + 1);
}

void *two_phase_next(st_context *ctx)
{
    struct two_phase *t = two_phase_of((struct op *)(void *)ctx);
    end_now(t);
    begin(t);
    return t->current;
}

/* ------------------------------------------------------------------------------------ Recovery */

static void clean(struct two_phase *t)
{
    const void **all = must_calloc(t->restored_count + 1, sizeof *all);
    for (uint32_t r = 0; r < t->restored_count; r++) {
        all[r] = t->restored[r].txn;
    }
    t->op.node->long_transactions->clean(&t->op.ctx, all, t->restored_count);
    free(all);
}

/* Of several that come to this subtask all but one end. */
static void resume(struct two_phase *t, struct pending *one)
{
    if (t->current != NULL) {
        end_now(t);
    }
    if (t->op.node->long_transactions->resume(&t->op.ctx, one->txn)) {
        t->current = one->txn;
        t->is_written = t->is_kept = true;
        one->txn = NULL;
    }
}

static void recover(struct two_phase *t, struct pending *one)
{
    const st_two_phase *spec = t->op.node->two_phase;
    if (one->checkpoint_id != 0) {
        (spec->recover_and_commit != NULL ? spec->recover_and_commit : spec->commit)(&t->op.ctx,
                                                                                     one->txn);
    } else if (t->op.node->long_transactions != NULL) {
        resume(t, one);
    } else {
        (spec->recover_and_abort != NULL ? spec->recover_and_abort : spec->abort)(&t->op.ctx,
                                                                                  one->txn);
    }
}

static void two_phase_ready(struct op *op)
{
    struct two_phase *t = two_phase_of(op);
    if (op->node->long_transactions != NULL) {
        clean(t);
    }
    for (uint32_t r = 0; r < t->restored_count; r++) {
        if (!t->restored[r].is_anothers) {
            recover(t, &t->restored[r]);
        }
    }
    if (t->current == NULL) {
        begin(t);
    }
}

/* ------------------------------------------------------------------------------------- Running */

static void two_phase_batch(struct op *op, uint32_t input, const struct batch *batch)
{
    struct two_phase *t = two_phase_of(op);
    (void)input;
    op_at(op, batch);
    op->node->two_phase->write(&op->ctx, t->current, batch->records, batch->count);
    t->is_written = true; /* the one that is current now */
}

static void two_phase_wake(struct op *op, int64_t now_ms)
{
    struct two_phase *t = two_phase_of(op);
    if (t->current != NULL) { /* NULL: at the end of the input */
        op->node->long_transactions->wake(&op->ctx, t->current, now_ms);
    }
}

static void two_phase_barrier(struct op *op, int64_t checkpoint_id)
{
    struct two_phase *t = two_phase_of(op);
    const struct long_transactions *more = op->node->long_transactions;
    if (t->current == NULL) { /* at the end of the input */
        return;
    }
    if (t->is_written && more != NULL &&
        !coordinator_is_savepoint(op->task->job->coordinator, checkpoint_id) &&
        more->goes_on(&op->ctx, t->current)) {
        t->is_kept = true;
    } else {
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
    bool is_anothers = section->subtask % op->ctx.parallelism != op->ctx.subtask;
    if (is_anothers && op->node->long_transactions == NULL) {
        return;
    }
    restore_type(op, from, op->node->two_phase->transaction);
    for (uint32_t left = read_u32(from); left > 0; left--) {
        struct pending one = {read_i64(from), NULL, is_anothers};
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
    if (t->current != NULL && t->is_kept) {
        op->node->long_transactions->leave(&op->ctx);
    } else if (t->current != NULL) {
        op->node->two_phase->abort(&op->ctx, t->current);
    }
    free_txn(t, t->current);
    free_all(t, t->pending, t->pending_count);
    free_all(t, t->restored, t->restored_count);
}

const struct op_class op_two_phase = {
    .size = sizeof(struct two_phase),
    .open = two_phase_open,
    .ready = two_phase_ready,
    .close = two_phase_close,
    .batch = two_phase_batch,
    .wake = two_phase_wake,
    .end = two_phase_end,
    .barrier = two_phase_barrier,
    .completed = two_phase_completed,
    .snapshot = two_phase_snapshot,
    .restore = two_phase_restore,
    .all_sections = true,
};
