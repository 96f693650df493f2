/*
 * What time does: transactions that are open for too long are aborted, ids that nobody has used for
 * a week are forgotten, what failed is sent again, requests without an answer count as lost.
 *
 * The two checks come at multiples of their intervals since the start, as Kafka's scheduler has
 * them; but they are awaited only while there is something that they could find. The timer is armed
 * for the earliest of all.
 *
 * Source: TransactionCoordinator.abortTimedOutTransactions, startup;
 * TransactionStateManager.timedOutTransactions, removeExpiredTransactionalIds;
 * InterBrokerSendThread.
 */
#include "broker/txn_state.h"

bool kb_tx_is_timed_out(const struct kb_txns *x, const struct kb_tx *p, int64_t wall_ms)
{
    const struct kb_tx_owned *o = kb_tx_owned(x, p->partition);

    return o->owned && p->pending == KB_TX_NONE && p->state == KB_TXN_ONGOING &&
           p->now.start_ms + p->now.timeout_ms < wall_ms && kb_tx_may_fence(p);
}

bool kb_tx_is_expired(const struct kb_txns *x, const struct kb_tx *p, int64_t wall_ms)
{
    const struct kb_tx_owned *o = kb_tx_owned(x, p->partition);
    bool is_idle = p->state == KB_TXN_EMPTY || p->state == KB_TXN_COMPLETE_COMMIT ||
                   p->state == KB_TXN_COMPLETE_ABORT;

    return o->owned && p->pending == KB_TX_NONE && is_idle &&
           p->now.update_ms <= wall_ms - x->config.expiration_ms;
}

static void abort_timed_out(const struct kb_tstep *s)
{
    for (uint32_t partition = 0; partition < s->x->limits.partitions; partition++) {
        uint32_t txn = kb_tx_owned(s->x, (int32_t)partition)->txns.first;
        for (; txn != 0; txn = kb_tx(s->x, txn)->row.next) {
            if (kb_tx_is_timed_out(s->x, kb_tx(s->x, txn), s->in->wall_ms)) {
                kb_tx_fence(s, txn, false);
            }
        }
    }
}

static void expire_of(const struct kb_tstep *s, int32_t partition)
{
    struct kb_txns *x = s->x;
    struct kb_tx_tombstones t = kb_tx_tombstones_begin(s);
    struct kb_tx_append *a = NULL;

    for (uint32_t txn = kb_tx_owned(x, partition)->txns.first; txn != 0;
         txn = kb_tx(x, txn)->row.next) {
        struct kb_tx *p = kb_tx(x, txn);
        if (!kb_tx_is_expired(x, p, s->in->wall_ms)) {
            continue;
        }
        if (a == NULL) {
            a = kb_tx_append_add(s, KB_A_EXPIRE, 0);
            a->partition = partition;
            a->epoch = kb_tx_owned(x, partition)->epoch;
        }
        p->pending = KB_TXN_DEAD;
        p->append = (uint32_t)(a->id & KB_APPEND_ROW_MASK);
        kb_tx_tombstone(&t, kb_tx_id(p));
        if (t.w.used >= KB_TOMBSTONE_BYTES) {
            kb_tx_tombstones_put(s, &t, a);
            t = kb_tx_tombstones_begin(s);
            a = NULL;
        }
    }
    if (a != NULL) {
        kb_tx_tombstones_put(s, &t, a);
    }
}

static bool is_due(int64_t due_us, int64_t now_us)
{
    return due_us >= 0 && due_us <= now_us;
}

void kb_tx_on_timer(const struct kb_tstep *s)
{
    struct kb_txns *x = s->x;

    x->armed_us = -1;
    kb_tx_markers_expire(s);
    if (is_due(x->retry_us, s->now_us)) {
        x->retry_us = -1;
        kb_tx_markers_retry(s);
    }
    if (is_due(x->abort_us, s->now_us)) {
        x->abort_us = -1;
        abort_timed_out(s);
    }
    if (is_due(x->expire_us, s->now_us)) {
        x->expire_us = -1;
        for (uint32_t i = 0; i < x->limits.partitions; i++) {
            expire_of(s, (int32_t)i);
        }
    }
}

/* The next multiple of an interval behind now. */
static int64_t next_check(const struct kb_tstep *s, int64_t interval_us)
{
    int64_t since = s->now_us - s->x->started_us;
    return s->x->started_us + (since / interval_us + 1) * interval_us;
}

static void earlier(int64_t *due_us, int64_t other_us)
{
    if (other_us >= 0 && (*due_us < 0 || other_us < *due_us)) {
        *due_us = other_us;
    }
}

void kb_tx_arm(const struct kb_tstep *s)
{
    struct kb_txns *x = s->x;
    bool aborts = x->active && x->ongoing != 0, expires = x->active && x->txns != 0;
    int64_t due = -1;

    x->abort_us = !aborts            ? -1
                  : x->abort_us >= 0 ? x->abort_us
                                     : next_check(s, x->config.abort_check_us);
    x->expire_us = !expires            ? -1
                   : x->expire_us >= 0 ? x->expire_us
                                       : next_check(s, x->config.expire_check_us);
    if (x->again.first == 0 && x->completes_again == 0) {
        x->retry_us = -1;
    }
    earlier(&due, x->abort_us);
    earlier(&due, x->expire_us);
    earlier(&due, x->retry_us);
    for (uint32_t row = 1; row <= x->tables[KB_X_BROKER].high; row++) {
        if (kb_tx_broker(x, row)->row.used) {
            earlier(&due, kb_tx_broker(x, row)->due_us);
        }
    }
    if (due != x->armed_us) {
        x->armed_us = due;
        s->out->put(s->out->context,
                    &(struct kb_txns_output){.kind = KB_TXNS_OUT_TIMER, .due_us = due});
    }
}
