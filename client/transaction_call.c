/*
 * The calls of a transaction: one at a time, each with a time of its own.
 *
 *                   answer decides
 *     waited for ─────────────────────────────────────► DONE
 *        │  ▲                                             ▲
 *        │  └── the same call again ──┐                   │
 *        ▼ timeout: DONE, RETRY       │                   │
 *      left (goes on by itself) ──────┤                   │
 *        │                            │                   │
 *        ▼ answer decides             │                   │
 *      over (its result is kept) ─────┴── the same call ──┘
 *
 * Init, commit and abort end when their time is over, but what they began goes on, and only the
 * same call, made again, can take it up: another one is told of the conflict. Until then the state
 * does not say that it is over: a commit of which the application does not know is not yet a commit
 * for it. A commit or abort that still waits for records rests until it is called again.
 *
 * The time of sending offsets is looked at when an answer comes, and while nobody can be asked;
 * such a call cannot be taken up, it is made anew.
 *
 * Differs: librdkafka looks at the time of sending offsets only where a request has ended; here
 * also at the moment itself while none is under way.
 *
 * Source: rdkafka_txnmgr.c: rd_kafka_txn_curr_api_begin, rd_kafka_txn_curr_api_return0,
 * rd_kafka_txn_curr_api_set_result0, rd_kafka_txn_op_req0, rd_kafka_init_transactions,
 * rd_kafka_send_offsets_to_transaction, rd_kafka_commit_transaction, rd_kafka_abort_transaction.
 */
#include "client/state.h"

#include <assert.h>
#include <string.h>

static bool is_end(uint32_t kind)
{
    return kind == KL_IN_COMMIT || kind == KL_IN_ABORT;
}

static struct kl_command *current(const struct kl_client *c)
{
    return c->txn.command == 0 ? NULL : kl_command_at(c, c->txn.command);
}

/* ---- results ---- */

/* Rule transaction-error: what the application may do about it. */
static enum kl_remedy remedy_of(const struct kl_client *c, int32_t error)
{
    return error == 0                         ? KL_REMEDY_NONE
           : kl_is_fatal(c)                   ? KL_REMEDY_NONE_LEFT
           : error == KL_ERR_CONFLICT         ? KL_REMEDY_RETRY
           : error == KL_ERR_PREV_IN_PROGRESS ? KL_REMEDY_RETRY
           : c->txn.state == KL_TXN_ABORTABLE ? KL_REMEDY_ABORT
           : error == KL_ERR_STATE            ? KL_REMEDY_NONE
                                              : KL_REMEDY_RETRY;
}

static void put_done(struct kl_turn *t, uint64_t tag, uint32_t kind, int32_t error,
                     enum kl_remedy remedy)
{
    kl_put(t, &(struct kl_output){.kind = KL_OUT_DONE,
                                  .tag = tag,
                                  .command = kind,
                                  .error = error,
                                  .remedy = (uint32_t)remedy});
}

/* Rule call-over: what ends while nobody waits for it is kept; the first error counts. */
bool kl_call_holds_result(struct kl_turn *t)
{
    struct kl_transaction *txn = &t->c->txn;

    if (txn->call == KL_CALL_WAITED) {
        return false;
    }
    txn->call = KL_CALL_OVER;
    return true;
}

void kl_transaction_done(struct kl_turn *t, int32_t error)
{
    struct kl_transaction *txn = &t->c->txn;
    const struct kl_command *m = current(t->c);

    if (m == NULL) {
        return;
    }
    if (kl_call_holds_result(t)) {
        txn->result = txn->result != 0 ? txn->result : error;
        return;
    }
    if (is_end(m->kind)) {
        t->c->flushing--;
    }
    put_done(t, m->tag, m->kind, error, remedy_of(t->c, error));
    kl_command_free(t->c, txn->command);
    txn->command = 0;
}

void kl_call_forget(struct kl_turn *t)
{
    if (t->c->txn.call != KL_CALL_WAITED) {
        kl_command_free(t->c, t->c->txn.command);
        t->c->txn.command = 0;
        t->c->txn.call = KL_CALL_WAITED;
    }
}

/* ---- times ---- */

/* Rules init-timeout and offsets-timeout: what is asked for has an end. */
static int64_t expiry(const struct kl_turn *t)
{
    int32_t transaction_ms = t->c->config.transaction_timeout_ms;
    int64_t ms = t->in->timeout_ms > 0 ? t->in->timeout_ms : INT64_MAX;

    if (t->in->kind == KL_IN_INIT_TRANSACTIONS && ms == INT64_MAX) {
        ms = 2 * (int64_t)transaction_ms;
    } else if (t->in->kind == KL_IN_SEND_OFFSETS && ms > transaction_ms) {
        ms = transaction_ms;
    }
    return ms == INT64_MAX ? KL_NEVER : t->now + ms * KL_MS;
}

/* Rule call-timeout. An init says why no id could be had, where it knows. */
static void leave(struct kl_turn *t, const struct kl_command *m)
{
    int32_t why =
        m->kind == KL_IN_INIT_TRANSACTIONS ? kl_transaction_error(t->c->pid.init_error) : 0;

    t->c->txn.call = KL_CALL_LEFT;
    t->c->txn.result = 0;
    if (is_end(m->kind)) {
        t->c->flushing--;
    }
    put_done(t, m->tag, m->kind, why != 0 ? why : KL_ERR_TIMED_OUT, KL_REMEDY_RETRY);
}

/* Rule call-resume. */
static void resume(struct kl_turn *t, struct kl_command *m)
{
    struct kl_transaction *txn = &t->c->txn;
    bool is_over = txn->call == KL_CALL_OVER;

    m->tag = t->in->tag;
    m->expires_us = expiry(t);
    txn->call = KL_CALL_WAITED;
    if (is_end(m->kind)) {
        t->c->flushing++;
    }
    if (!is_over) {
        return;
    }
    if (txn->result != 0) {
        kl_transaction_done(t, txn->result);
    } else if (is_end(m->kind)) {
        kl_transaction_complete(t);
    } else {
        kl_transaction_set(t, KL_TXN_READY);
        kl_transaction_done(t, 0);
    }
}

void kl_serve_call(struct kl_turn *t)
{
    struct kl_command *m = current(t->c);

    if (m == NULL || t->c->txn.call == KL_CALL_OVER) {
        return;
    }
    if (m->kind != KL_IN_SEND_OFFSETS && t->c->txn.call == KL_CALL_WAITED) {
        if (m->expires_us <= t->now) {
            leave(t, m);
        } else {
            kl_due(t, m->expires_us);
        }
    }
    if (m->after_us > t->now) {
        kl_due(t, m->after_us);
    } else if (m->kind == KL_IN_SEND_OFFSETS) {
        kl_serve_send_offsets(t, m);
    } else if (m->kind != KL_IN_INIT_TRANSACTIONS) {
        kl_serve_end(t, m);
    }
}

/* ---- calls ---- */

/* Rule call-conflict: one call at a time. */
static int32_t may_begin(const struct kl_client *c, enum kl_input_kind kind)
{
    enum kl_txn_state state = (enum kl_txn_state)c->txn.state;
    const struct kl_command *m = current(c);
    bool fits = kind == KL_IN_INIT_TRANSACTIONS ? state == KL_TXN_NONE
                : kind == KL_IN_BEGIN           ? state == KL_TXN_READY
                : kind == KL_IN_ABORT           ? state == KL_TXN_OPEN || state == KL_TXN_ABORTABLE
                                                : state == KL_TXN_OPEN;

    return !c->is_transactional                     ? KL_ERR_STATE
           : m != NULL && m->kind != (uint32_t)kind ? KL_ERR_CONFLICT
           : m != NULL                              ? KL_ERR_PREV_IN_PROGRESS
           : fits                                   ? 0
           : c->txn.error != 0                      ? c->txn.error
                                                    : KL_ERR_STATE;
}

static void hold_offsets(struct kl_turn *t, uint32_t row)
{
    const struct kl_input *in = t->in;
    uint32_t blob = kl_blob_new(t->c, NULL, in->count * sizeof(struct kl_place));
    struct kl_command *m = kl_command_at(t->c, row);

    m->blob = blob;
    m->count = in->count;
    for (uint32_t i = 0; i < in->count; i++) {
        uint32_t topic = kl_topic_add(t, in->offsets[i].topic);
        uint32_t partition = kl_partition_add(t, topic, in->offsets[i].partition);
        ((struct kl_place *)kl_blob(t->c, blob))[i] =
            (struct kl_place){partition, in->offsets[i].leader_epoch, in->offsets[i].offset};
    }
    memcpy(m->group, in->group, strlen(in->group));
    m->member.generation = -1;
    if (in->member != NULL) {
        m->member.generation = in->member->generation;
        memcpy(m->member.id, in->member->id, strlen(in->member->id));
        m->member.has_instance = in->member->instance_id != NULL;
        if (in->member->instance_id != NULL) {
            memcpy(m->member.instance_id, in->member->instance_id, strlen(in->member->instance_id));
        }
    }
    if (strcmp(t->c->group_id, in->group) != 0) { /* a producer has no group of its own */
        memset(t->c->group_id, 0, KL_TEXT);
        memcpy(t->c->group_id, in->group, strlen(in->group));
        t->c->coordinator[0].broker = -1;
    }
}

static void drop_pending(struct kl_client *c)
{
    for (uint32_t i = 1; i <= c->partition_count; i++) {
        struct kl_partition *p = kl_partition_at(c, i);
        p->in_txn = p->in_txn == KL_TXN_IN ? KL_TXN_IN : KL_TXN_OUT;
    }
}

static void begin_command(struct kl_turn *t)
{
    uint32_t row = kl_command_new(t->c);
    struct kl_command *m = kl_command_at(t->c, row);

    m->kind = t->in->kind;
    m->tag = t->in->tag;
    m->expires_us = expiry(t);
    t->c->txn.command = row;
    if (m->kind == KL_IN_INIT_TRANSACTIONS) {
        t->c->pid.state = KL_PID_REQUEST;
        t->c->pid.init_error = 0;
    } else if (m->kind == KL_IN_SEND_OFFSETS) {
        hold_offsets(t, row);
    } else {
        t->c->flushing++;
        kl_transaction_set(t, m->kind == KL_IN_COMMIT ? KL_TXN_COMMITTING : KL_TXN_ABORTING);
    }
    if (m->kind == KL_IN_ABORT) {
        drop_pending(t->c);
        kl_purge(t, false);
    }
}

void kl_on_transaction(struct kl_turn *t)
{
    enum kl_input_kind kind = (enum kl_input_kind)t->in->kind;
    struct kl_command *m = current(t->c);

    if (m != NULL && m->kind == (uint32_t)kind && t->c->txn.call != KL_CALL_WAITED) {
        resume(t, m);
        return;
    }
    int32_t error = may_begin(t->c, kind);
    if (error == 0 && kind == KL_IN_BEGIN) {
        t->c->txn.error = 0;
        t->c->txn.failed = 0;
        kl_transaction_set(t, KL_TXN_OPEN);
    }
    if (error != 0 || kind == KL_IN_BEGIN || (kind == KL_IN_SEND_OFFSETS && t->in->count == 0)) {
        put_done(t, t->in->tag, t->in->kind, error, remedy_of(t->c, error));
    } else {
        begin_command(t);
    }
}
