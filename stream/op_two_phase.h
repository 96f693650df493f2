/*
 * Transactions that outlive checkpoints: what a two-phase sink of ours may have besides
 * st_two_phase.
 *
 *     begin … write … barrier: goes_on … write … two_phase_next: pre_commit │ begin …
 *                                                        commit with the next checkpoint
 *
 * Source: Flink FileWriterBucket, which st_two_phase has no word for.
 */
#ifndef STREAM_OP_TWO_PHASE_H
#define STREAM_OP_TWO_PHASE_H

#include "stream/stream.h"

/* All are called as those of st_two_phase are. */
struct long_transactions {
    /* At a checkpoint's barrier, not a savepoint's, of one that was written to: does it go on
     * behind it? If so, what was written is safe, and txn tells how much that is. */
    bool (*goes_on)(st_context *ctx, void *txn);
    /* In place of recover_and_abort: makes it as it was at the barrier, to be written to. False: it
     * is over, nothing is left to be done. */
    bool (*resume)(st_context *ctx, void *txn);
    /* It went on over a barrier, and the job ends in failure: a checkpoint may have it. */
    void (*leave)(st_context *ctx);
    /* Before all others, whenever the job begins: removes what it had begun and no transaction of
     * the checkpoint, [count] of all subtasks, is about. */
    void (*clean)(st_context *ctx, const void *const *txns, uint32_t count);
    /* The operator's wakeup_ms has come. */
    void (*wake)(st_context *ctx, void *txn, int64_t now_ms);
};

/* In write and wake: ends the current transaction; returns the next one, which has begun. */
void *two_phase_next(st_context *ctx);

#endif
