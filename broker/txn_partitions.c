/*
 * Which partitions of the log this broker leads, and what it knows of them.
 *
 *     elected ──► loading ──► owned ──► resigned
 *                    │  what was known of it before is forgotten;
 *                    └─ requests are told COORDINATOR_LOAD_IN_PROGRESS
 *
 * Loaded, what is prepared is ended: its markers go out under the new epoch, which the partitions
 * compare with that of a coordinator of before.
 *
 * Differs: a resignation ends a loading of any epoch. In Kafka only one with the same epoch does,
 * which a follower's never has: the loading goes on, and its transactions stay until the next
 * election, though no append of theirs can succeed.
 *
 * Source: TransactionCoordinator.onElection, onResignation, shutdown;
 * TransactionStateManager.loadTransactionsForTxnTopicPartition,
 * removeTransactionsForTxnTopicPartition.
 */
#include "broker/txn_state.h"

static void forget(struct kb_txns *x, int32_t partition)
{
    struct kb_tx_owned *o = kb_tx_owned(x, partition);

    while (o->txns.first != 0) {
        kb_tx_drop(x, o->txns.first);
    }
    o->owned = o->loading = 0;
}

void kb_tx_on_elected(const struct kb_tstep *s)
{
    struct kb_tx_owned *o = kb_tx_owned(s->x, s->in->partition);

    forget(s->x, s->in->partition);
    o->epoch = s->in->epoch;
    o->loading = 1;
    s->out->put(s->out->context, &(struct kb_txns_output){.kind = KB_TXNS_OUT_LOAD,
                                                          .partition = s->in->partition,
                                                          .epoch = s->in->epoch});
}

void kb_tx_on_loaded(const struct kb_tstep *s)
{
    struct kb_tx_owned *o = kb_tx_owned(s->x, s->in->partition);

    if (!o->loading) {
        return;
    }
    o->loading = 0;
    o->owned = 1;
    for (uint32_t txn = o->txns.first; txn != 0; txn = kb_tx(s->x, txn)->row.next) {
        const struct kb_tx *p = kb_tx(s->x, txn);
        if (p->state == KB_TXN_PREPARE_COMMIT || p->state == KB_TXN_PREPARE_ABORT) {
            kb_tx_prepare_complete(s, txn);
            kb_tx_markers_begin(s, txn);
        }
    }
}

void kb_tx_on_resigned(const struct kb_tstep *s)
{
    forget(s->x, s->in->partition);
}

void kb_tx_on_shutdown(const struct kb_tstep *s)
{
    for (uint32_t i = 0; i < s->x->limits.partitions; i++) {
        forget(s->x, (int32_t)i);
    }
    s->x->active = 0;
}
