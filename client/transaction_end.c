/*
 * The end of a transaction.
 *
 *     COMMIT: every record delivered ──► EndTxn(commit) ──► ready
 *     ABORT:  nothing under way      ──► EndTxn(abort)  ──► [epoch raised] ──► ready
 *
 * Source: rdkafka_txnmgr.c: rd_kafka_txn_op_commit_transaction, rd_kafka_txn_op_abort_transaction,
 * rd_kafka_txn_handle_EndTxn, rd_kafka_txn_endtxn_complete.
 */
#include "client/state.h"

enum { VERSION = 1, INCONSISTENT = -149 };

static void complete(struct kl_turn *t)
{
    if (t->c->txn.bump) { /* done when the coordinator has raised the epoch */
        t->c->txn.bump = 0;
        kl_drain_bump(t, false, t->c->txn.error);
        return;
    }
    kl_transaction_complete(t);
}

static void ask(struct kl_turn *t, struct kl_command *m, uint32_t broker)
{
    struct wire_flat f;
    struct wire_end_txn_request *q = kl_begin(t, &f, WIRE_API_END_TXN);

    q->transactional_id = wire_flat_string(&f, t->c->transactional_id);
    q->producer_id = t->c->pid.producer_id;
    q->producer_epoch = (int16_t)t->c->pid.epoch;
    q->committed = m->kind == KL_IN_COMMIT;
    m->request = kl_send(t, broker, &f, WIRE_API_END_TXN, VERSION, -1);
}

/* Rule commit-needs-all: what was not delivered cannot be committed. */
static bool may_commit(struct kl_turn *t)
{
    if (t->c->txn.failed > 0) {
        kl_transaction_abortable(t, INCONSISTENT, false);
    }
    if (t->c->txn.state != KL_TXN_COMMITTING) {
        kl_transaction_done(t, t->c->txn.error);
        return false;
    }
    return true;
}

/* Whether records are out of the way. Rule flush-timeout: who does not wait for the call any more
   does not wait for them either; what follows then has to be called for. */
static bool has_flushed(struct kl_turn *t, struct kl_command *m)
{
    if (t->c->txn.call == KL_CALL_LEFT && m->phase == KL_END_FLUSHES) {
        return false;
    }
    if (m->kind == KL_IN_ABORT) {
        kl_purge(t, false); /* what has come back since the abort began is not sent again */
    }
    if (t->c->records_used > 0 &&
        (m->kind == KL_IN_ABORT || t->c->txn.state == KL_TXN_COMMITTING)) {
        return false;
    }
    m->phase = KL_END_ENDS;
    return true;
}

void kl_serve_end(struct kl_turn *t, struct kl_command *m)
{
    enum kl_pid_state pid = (enum kl_pid_state)t->c->pid.state;

    if (m->request != 0 || !has_flushed(t, m)) {
        return;
    }
    if (m->kind == KL_IN_COMMIT && !may_commit(t)) {
        return;
    }
    if (t->c->txn.requests == 0) { /* rule empty-transaction */
        complete(t);
        return;
    }
    if (pid != KL_PID_ASSIGNED && pid != KL_PID_WAIT_ABORT) {
        return; /* the epoch is being raised: that ends it */
    }
    uint32_t broker = kl_coordinator_ready(t, 1);
    if (broker != 0 && kl_may_send(t)) {
        ask(t, m, broker);
    }
}

/* Rule end-txn-errors: again, with the epoch raised, to be aborted, or fatal. */
static void failed(struct kl_turn *t, struct kl_command *m, int32_t error)
{
    bool bump =
        error == WIRE_ERROR_UNKNOWN_PRODUCER_ID || error == WIRE_ERROR_INVALID_PRODUCER_ID_MAPPING;
    bool again = error == KL_ERR_TRANSPORT || error == KL_ERR_TIMED_OUT ||
                 kl_transaction_coordinator_moved(error) ||
                 error == WIRE_ERROR_COORDINATOR_LOAD_IN_PROGRESS ||
                 error == WIRE_ERROR_CONCURRENT_TRANSACTIONS;

    if (kl_transaction_coordinator_moved(error)) {
        kl_coordinator_lost(t, 1);
    }
    if (again) {
        m->after_us = t->now + t->c->config.retry_backoff_ms * KL_MS;
        kl_due(t, m->after_us);
    } else if (kl_transaction_error_is_fatal(error)) {
        kl_transaction_fatal(t, kl_transaction_error(error), "failed to end the transaction");
    } else if (bump && m->kind == KL_IN_ABORT) {
        kl_drain_bump(t, false, error);
    } else if (m->kind == KL_IN_ABORT) {
        kl_transaction_set(t, KL_TXN_ABORTABLE);
        t->c->txn.error = error;
        kl_transaction_done(t, error);
    } else {
        kl_transaction_abortable(t, error, bump);
        kl_transaction_done(t, error);
    }
}

void kl_on_end_txn(struct kl_turn *t, struct kl_request *q, int32_t error,
                   const struct wire_end_txn_response *r)
{
    uint32_t command = t->c->txn.command;
    struct kl_command *m = command == 0 ? NULL : kl_command_at(t->c, command);

    (void)q;
    error = error != 0 ? error : r->error_code;
    if (m == NULL || (m->kind != KL_IN_COMMIT && m->kind != KL_IN_ABORT)) {
        return;
    }
    m->request = 0;
    if (t->c->txn.state == KL_TXN_ABORTABLE) { /* failed here meanwhile */
        if (error == 0 && m->kind == KL_IN_COMMIT) {
            kl_transaction_fatal(t, t->c->txn.error, "committed, though it had failed here");
        } else {
            kl_transaction_done(t, t->c->txn.error);
        }
    } else if (error == 0) {
        complete(t);
    } else {
        failed(t, m, error);
    }
}
