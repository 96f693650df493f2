/*
 * The end of an append: what was pending holds now, or does not.
 *
 *     Prepare written ─► the producer is answered ─► markers ─► Complete written
 *
 * An append may end when its transaction is no longer the one it was begun for: leadership went,
 * and perhaps came back. Then nothing is changed, and the caller sent away.
 *
 * Source: TransactionStateManager.appendTransactionToLog (updateCacheCallback),
 * writeTombstonesForExpiredTransactionalIds; TransactionMetadata.completeTransitionTo,
 * prepareComplete; TransactionCoordinator.endTransaction (sendTxnMarkersCallback);
 * TransactionMarkerChannelManager.tryAppendToLog.
 */
#include "broker/txn_state.h"

static int32_t error_of(int32_t error)
{
    switch (error) {
    case WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION:
    case WIRE_ERROR_NOT_ENOUGH_REPLICAS:
    case WIRE_ERROR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case WIRE_ERROR_REQUEST_TIMED_OUT:
        return WIRE_ERROR_COORDINATOR_NOT_AVAILABLE;
    case WIRE_ERROR_NOT_LEADER_OR_FOLLOWER:
    case WIRE_ERROR_KAFKA_STORAGE_ERROR:
        return WIRE_ERROR_NOT_COORDINATOR;
    case WIRE_ERROR_MESSAGE_TOO_LARGE:
    case WIRE_ERROR_RECORD_LIST_TOO_LARGE:
        return WIRE_ERROR_UNKNOWN_SERVER_ERROR;
    default: /* any error of the protocol */
        return error;
    }
}

static uint32_t find_append(const struct kb_txns *x, uint64_t id)
{
    uint32_t row = (uint32_t)(id & KB_APPEND_ROW_MASK);

    return row >= 1 && row <= x->tables[KB_X_APPEND].high && kb_tx_append(x, row)->id == id ? row
                                                                                            : 0;
}

/* ---- Complete ---- */

void kb_tx_prepare_complete(const struct kb_tstep *s, uint32_t txn)
{
    struct kb_tx *p = kb_tx(s->x, txn);

    assert(p->state == KB_TXN_PREPARE_COMMIT || p->state == KB_TXN_PREPARE_ABORT);
    p->pending = p->state == KB_TXN_PREPARE_COMMIT ? KB_TXN_COMPLETE_COMMIT : KB_TXN_COMPLETE_ABORT;
    p->to = p->now;
    p->to.update_ms = s->in->wall_ms;
    p->fence_failed = 0;
    p->ends = 1;
}

void kb_tx_complete(const struct kb_tstep *s, uint32_t txn)
{
    kb_tx_write(s, txn, kb_tx_append_add(s, KB_A_COMPLETE, txn));
}

void kb_tx_complete_if_done(const struct kb_tstep *s, uint32_t txn)
{
    struct kb_tx *p = kb_tx(s->x, txn);

    if (p->ends && p->parts == 0) {
        p->ends = 0;
        kb_tx_complete(s, txn);
    }
}

/* Written again later where the log may come back; else left as it is, for then the leadership has
   gone, and whoever has it ends the transaction. */
static void on_complete_failed(const struct kb_tstep *s, uint32_t txn, int32_t error)
{
    struct kb_tx *p = kb_tx(s->x, txn);

    if (error != WIRE_ERROR_COORDINATOR_NOT_AVAILABLE) {
        p->pending = KB_TX_NONE;
        memset(&p->to, 0, sizeof p->to);
        return;
    }
    p->again = 1;
    s->x->completes_again++;
    if (s->x->retry_us < 0) {
        s->x->retry_us = s->now_us + s->x->config.retry_us;
    }
}

/* ---- what holds now ---- */

static void keep_fresh(struct kb_txns *x, uint32_t txn)
{
    for (uint32_t topic = kb_tx(x, txn)->topics.first; topic != 0;
         topic = kb_tx_topic(x, topic)->row.next) {
        for (uint32_t part = kb_tx_topic(x, topic)->parts.first; part != 0;
             part = kb_tx_part(x, part)->row.next) {
            kb_tx_part(x, part)->fresh = 0;
        }
    }
}

static void apply(struct kb_txns *x, uint32_t txn)
{
    struct kb_tx *p = kb_tx(x, txn);
    enum kb_txn_state state = (enum kb_txn_state)p->pending;
    struct kb_tx_values to = p->to;

    kb_tx_enter(x, txn, state);
    kb_tx_set_values(x, txn, &to);
    p->pending = KB_TX_NONE;
    memset(&p->to, 0, sizeof p->to);
    if (state == KB_TXN_ONGOING) {
        keep_fresh(x, txn);
    }
}

static void give_up(const struct kb_tstep *s, uint32_t txn, const struct kb_tx_append *a,
                    int32_t error)
{
    struct kb_tx *p = kb_tx(s->x, txn);

    if (a->kind == KB_A_COMPLETE) {
        on_complete_failed(s, txn, error);
        return;
    }
    kb_tx_parts_drop(s->x, txn, true);
    p->pending = KB_TX_NONE;
    memset(&p->to, 0, sizeof p->to);
    if (a->kind == KB_A_FENCE) {
        p->fence_failed = 1;
    }
}

static void on_txn_appended(const struct kb_tstep *s, const struct kb_tx_append *a, int32_t error,
                            struct kb_tx_call *call)
{
    struct kb_txns *x = s->x;
    uint32_t txn = a->txn;
    struct kb_tx *p = kb_tx(x, txn);
    bool ends = a->kind == KB_A_ENDING || a->kind == KB_A_FENCE;

    p->append = 0;
    if (error == WIRE_ERROR_NONE) {
        apply(x, txn);
    } else {
        give_up(s, txn, a, error);
    }
    if (a->kind == KB_A_INIT && error == WIRE_ERROR_NONE) {
        call->producer_id = p->now.producer_id;
        call->epoch = p->now.epoch;
    }
    if (error == WIRE_ERROR_NONE && a->kind == KB_A_FENCE) {
        error = WIRE_ERROR_CONCURRENT_TRANSACTIONS; /* come again: the fencing epoch is no one's */
    }
    if (call->id != 0) {
        kb_tx_answer(s, call, error);
    }
    if (ends && p->pending == KB_TX_NONE && p->state != KB_TXN_ONGOING) {
        kb_tx_prepare_complete(s, txn);
        kb_tx_markers_begin(s, txn);
    }
}

/* ---- tombstones ---- */

static void on_expired(struct kb_txns *x, const struct kb_tx_append *a, uint32_t row, int32_t error)
{
    const struct kb_tx_owned *o = kb_tx_owned(x, a->partition);

    if (!o->owned || o->epoch != a->epoch) {
        return;
    }
    for (uint32_t txn = o->txns.first, next; txn != 0; txn = next) {
        struct kb_tx *p = kb_tx(x, txn);
        next = p->row.next;
        if (p->append != row) {
            continue;
        }
        if (error == WIRE_ERROR_NONE) {
            kb_tx_drop(x, txn);
        } else {
            p->append = 0;
            p->pending = KB_TX_NONE;
        }
    }
}

/* ---- all of them ---- */

/* Whether the append is for the transaction as it is today. */
static bool is_current(const struct kb_txns *x, const struct kb_tx_append *a)
{
    const struct kb_tx_owned *o = kb_tx_owned(x, a->partition);
    const struct kb_tx *p = kb_tx(x, a->txn);

    return o->owned && !o->loading && o->epoch == a->epoch && p->row.used && p->serial == a->serial;
}

void kb_tx_on_appended(const struct kb_tstep *s)
{
    struct kb_txns *x = s->x;
    uint32_t row = find_append(x, s->in->append_id);

    if (row == 0) {
        return;
    }
    const struct kb_tx_append *a = kb_tx_append(x, row);
    struct kb_tx_call call = {.id = a->call_id,
                              .request = kb_tx_request(a),
                              .producer_id = -1,
                              .epoch = KB_TX_NONE,
                              .api = a->api,
                              .version = a->version};
    int32_t error = error_of(s->in->error);
    if (a->kind == KB_A_EXPIRE) {
        on_expired(x, a, row, s->in->error);
    } else if (is_current(x, a)) {
        on_txn_appended(s, a, error, &call);
    } else if (call.id != 0) {
        bool loading = kb_tx_owned(x, a->partition)->loading != 0;
        kb_tx_answer(s, &call,
                     error != WIRE_ERROR_NONE ? error
                     : loading                ? WIRE_ERROR_COORDINATOR_LOAD_IN_PROGRESS
                                              : WIRE_ERROR_NOT_COORDINATOR);
    }
    kb_tx_give(x, KB_X_APPEND, row);
}
