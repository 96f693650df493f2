/*
 * Offsets of a consumer group as a part of the transaction (KIP-447).
 *
 *     SEND_OFFSETS ──► AddOffsetsToTxn (transaction's coordinator)
 *                  ──► TxnOffsetCommit (group's coordinator, with the member's identity) ──► done
 *
 * Source: rdkafka_txnmgr.c: rd_kafka_txn_op_send_offsets_to_transaction,
 * rd_kafka_txn_handle_AddOffsetsToTxn, rd_kafka_txn_handle_TxnOffsetCommit.
 */
#include "client/state.h"

enum { ADD_VERSION = 0, COMMIT_VERSION = 3, AGAIN_MS = 500, ADDING = 0, COMMITTING = 1 };

static void ask_add(struct kl_turn *t, struct kl_command *m, uint32_t broker)
{
    struct wire_flat f;
    struct wire_add_offsets_to_txn_request *q = kl_begin(t, &f, WIRE_API_ADD_OFFSETS_TO_TXN);

    q->transactional_id = wire_flat_string(&f, t->c->transactional_id);
    q->producer_id = t->c->pid.producer_id;
    q->producer_epoch = (int16_t)t->c->pid.epoch;
    q->group_id = wire_flat_string(&f, m->group);
    m->request = kl_send(t, broker, &f, WIRE_API_ADD_OFFSETS_TO_TXN, ADD_VERSION, -1);
    t->c->txn.requests++;
}

/* A topic each time its offsets follow each other: the command's order is kept. */
static void write_places(struct kl_turn *t, struct wire_flat *f,
                         struct wire_txn_offset_commit_request *q, const struct kl_command *m)
{
    const struct kl_place *places = kl_blob(t->c, m->blob);
    struct wire_txn_offset_commit_request_topic *topics =
        kl_items(f, &q->topics, (int32_t)m->count, &wire_layout_txn_offset_commit_request_topic);

    for (uint32_t i = 0; i < m->count; i++) {
        const struct kl_partition *p = kl_partition_at(t->c, places[i].partition);
        topics[i].name = wire_flat_string(f, kl_partition_topic(t->c, p));
        struct wire_txn_offset_commit_request_partition *to =
            kl_items(f, &topics[i].partitions, 1, &wire_layout_txn_offset_commit_request_partition);
        to->partition_index = p->number;
        to->committed_offset = places[i].offset;
        to->committed_leader_epoch = places[i].leader_epoch;
        to->committed_metadata = wire_flat_string(f, "");
    }
}

static void ask_commit(struct kl_turn *t, struct kl_command *m, uint32_t broker)
{
    struct wire_flat f;
    struct wire_txn_offset_commit_request *q = kl_begin(t, &f, WIRE_API_TXN_OFFSET_COMMIT);

    q->transactional_id = wire_flat_string(&f, t->c->transactional_id);
    q->group_id = wire_flat_string(&f, m->group);
    q->producer_id = t->c->pid.producer_id;
    q->producer_epoch = (int16_t)t->c->pid.epoch;
    q->generation_id = m->member.generation;
    q->member_id = wire_flat_string(&f, m->member.id);
    q->group_instance_id =
        m->member.has_instance ? wire_flat_string(&f, m->member.instance_id) : WIRE_NULL_STRING;
    write_places(t, &f, q, m);
    m->request = kl_send(t, broker, &f, WIRE_API_TXN_OFFSET_COMMIT, COMMIT_VERSION, -1);
}

/* Rule offsets-timeout: nothing is lost while only the transaction's coordinator was asked: the call
   may be made again; where the group's may have the offsets only an abort is left. */
static void time_is_over(struct kl_turn *t, const struct kl_command *m, int32_t error)
{
    if (m->phase == COMMITTING) {
        kl_transaction_abortable(t, kl_transaction_error(error), false);
    }
    kl_transaction_done(t, kl_transaction_error(error));
}

void kl_serve_send_offsets(struct kl_turn *t, struct kl_command *m)
{
    if (m->request != 0) {
        return;
    }
    if (t->c->txn.state != KL_TXN_OPEN || t->c->pid.state != KL_PID_ASSIGNED) {
        kl_transaction_done(t, t->c->txn.error != 0 ? t->c->txn.error : KL_ERR_STATE);
        return;
    }
    if (m->expires_us <= t->now) {
        time_is_over(t, m, KL_ERR_TIMED_OUT_QUEUE);
        return;
    }
    kl_due(t, m->expires_us);
    uint32_t broker = kl_coordinator_ready(t, m->phase == ADDING);
    if (broker != 0 && kl_may_send(t)) {
        (m->phase == ADDING ? ask_add : ask_commit)(t, m, broker);
    }
}

static struct kl_command *waiting(struct kl_turn *t)
{
    uint32_t row = t->c->txn.command;
    struct kl_command *m = row == 0 ? NULL : kl_command_at(t->c, row);

    return m != NULL && m->kind == KL_IN_SEND_OFFSETS ? m : NULL;
}

static void again(struct kl_turn *t, struct kl_command *m, int64_t after_ms)
{
    m->after_us = t->now + after_ms * KL_MS;
    kl_due(t, m->after_us);
}

/* Whether the error means: once more. */
static bool is_temporary(int32_t error)
{
    return error == KL_ERR_TRANSPORT || error == KL_ERR_TIMED_OUT ||
           error == KL_ERR_TIMED_OUT_QUEUE || error == WIRE_ERROR_REQUEST_TIMED_OUT ||
           kl_transaction_coordinator_moved(error) ||
           error == WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION ||
           error == WIRE_ERROR_COORDINATOR_LOAD_IN_PROGRESS ||
           error == WIRE_ERROR_CONCURRENT_TRANSACTIONS;
}

/* Rule add-offsets-errors. */
void kl_on_add_offsets(struct kl_turn *t, struct kl_request *q, int32_t error,
                       const struct wire_add_offsets_to_txn_response *r)
{
    struct kl_command *m = waiting(t);

    (void)q;
    if (m == NULL) {
        return;
    }
    m->request = 0;
    error = error != 0 ? error : r->error_code;
    if (error == 0 && m->expires_us <= t->now) {
        error = KL_ERR_TIMED_OUT;
    }
    if (error == 0) {
        m->phase = COMMITTING;
    } else if (is_temporary(error)) {
        if (kl_transaction_coordinator_moved(error)) {
            kl_coordinator_lost(t, 1);
        }
        if (m->expires_us <= t->now) {
            time_is_over(t, m, error);
            return;
        }
        again(t, m, t->c->config.retry_backoff_ms);
    } else if (kl_transaction_error_is_fatal(error) ||
               error == WIRE_ERROR_UNSUPPORTED_FOR_MESSAGE_FORMAT) {
        kl_transaction_fatal(t, kl_transaction_error(error), "failed to add offsets");
    } else {
        kl_transaction_abortable(t, error, false);
        kl_transaction_done(t, error);
    }
}

static int32_t first_error(const struct wire_txn_offset_commit_response *r)
{
    const struct wire_txn_offset_commit_response_topic *topics =
        WIRE_ITEMS(r, r->topics, struct wire_txn_offset_commit_response_topic);

    for (int32_t i = 0; i < r->topics.count; i++) {
        const struct wire_txn_offset_commit_response_partition *p =
            WIRE_ITEMS(r, topics[i].partitions, struct wire_txn_offset_commit_response_partition);
        for (int32_t k = 0; k < topics[i].partitions.count; k++) {
            if (p[k].error_code != 0) {
                return p[k].error_code;
            }
        }
    }
    return 0;
}

/* Rule txn-offset-commit-errors: a member of an older generation has to abort. */
void kl_on_txn_offset_commit(struct kl_turn *t, struct kl_request *q, int32_t error,
                             const struct wire_txn_offset_commit_response *r)
{
    struct kl_command *m = waiting(t);

    (void)q;
    if (m == NULL) {
        return;
    }
    m->request = 0;
    error = error != 0 ? error : first_error(r);
    if (error == 0) {
        kl_transaction_done(t, 0);
    } else if (is_temporary(error)) {
        if (kl_transaction_coordinator_moved(error)) {
            kl_coordinator_lost(t, 0);
        }
        if (m->expires_us <= t->now) {
            time_is_over(t, m, error);
            return;
        }
        again(t, m, AGAIN_MS);
    } else if (kl_transaction_error_is_fatal(error) ||
               error == WIRE_ERROR_INVALID_PRODUCER_ID_MAPPING ||
               error == WIRE_ERROR_UNSUPPORTED_FOR_MESSAGE_FORMAT) {
        kl_transaction_fatal(t, kl_transaction_error(error), "failed to commit offsets");
    } else {
        kl_transaction_abortable(t, error, false);
        kl_transaction_done(t, kl_transaction_error(error));
    }
}
