/*
 * Transactions: states, partitions that take part.
 *
 *     none ──init──► ready ──begin──► open ──commit──► committing ──► ready
 *                      ▲               │ ╲                │ refused
 *                      │               │  └─► abortable ◄─┘     fenced, refused for good
 *                      │               ▼          │             from anywhere ──► fatal
 *                      └──(epoch raised)◄── aborting
 *
 * A partition is told to the coordinator before its first record of the transaction is sent: all
 * that wait are added together, 5 ms after the first, one request at a time. A commit first waits
 * until every record is delivered; an abort gives up what waits and waits for what is under way.
 * Both say nothing to a coordinator that cannot know of the transaction.
 *
 * The calls, which may time out and be made again, are in transaction_call.c.
 *
 * Source: rdkafka_txnmgr.c: rd_kafka_txn_add_partition, rd_kafka_txn_register_partitions,
 * rd_kafka_txn_handle_AddPartitionsToTxn, rd_kafka_txn_set_abortable_error0,
 * rd_kafka_txn_set_fatal_error, rd_kafka_txn_idemp_state_change.
 */
#include "client/state.h"

enum { FIRST_MS = 5, AGAIN_MS = 500, CONCURRENT_MS = 20, VERSION = 0 };

/* ---- states ---- */

void kl_transaction_set(struct kl_turn *t, enum kl_txn_state state)
{
    if (t->c->txn.state != (uint32_t)state) {
        t->c->txn.state = (uint32_t)state;
        kl_fact(t, KL_FACT_TRANSACTION, 0, (struct kl_output){.value_of = (int32_t)state});
    }
}

void kl_transaction_complete(struct kl_turn *t)
{
    if (kl_call_holds_result(t)) {
        return;
    }
    for (uint32_t i = 1; i <= t->c->partition_count; i++) {
        kl_partition_at(t->c, i)->in_txn = KL_TXN_OUT;
    }
    t->c->txn.bump = t->c->txn.requests = 0;
    t->c->txn.adding = 0;
    t->c->txn.error = 0;
    kl_transaction_set(t, KL_TXN_READY);
    kl_transaction_done(t, 0);
}

int32_t kl_transaction_error(int32_t error)
{
    return error == WIRE_ERROR_INVALID_PRODUCER_EPOCH || error == WIRE_ERROR_PRODUCER_FENCED
               ? KL_ERR_FENCED
           : error == KL_ERR_TIMED_OUT_QUEUE ? KL_ERR_TIMED_OUT
                                             : error;
}

bool kl_transaction_error_is_fatal(int32_t error)
{
    return error == WIRE_ERROR_INVALID_PRODUCER_EPOCH || error == WIRE_ERROR_PRODUCER_FENCED ||
           error == WIRE_ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED ||
           error == WIRE_ERROR_INVALID_TXN_STATE ||
           error == WIRE_ERROR_CLUSTER_AUTHORIZATION_FAILED;
}

bool kl_transaction_coordinator_moved(int32_t error)
{
    return error == WIRE_ERROR_NOT_COORDINATOR || error == WIRE_ERROR_COORDINATOR_NOT_AVAILABLE;
}

/* Rule transaction-fatal. */
void kl_transaction_fatal(struct kl_turn *t, int32_t error, const char *text)
{
    if (kl_is_fatal(t->c)) {
        return;
    }
    t->c->pid.fatal_error = t->c->txn.error = error;
    kl_transaction_set(t, KL_TXN_FATAL);
    kl_error(t, error, true, 0, text);
    kl_purge(t, false);
    kl_transaction_done(t, error);
}

/* Rule transaction-abortable: the first error counts; none while it is aborted already. */
void kl_transaction_abortable(struct kl_turn *t, int32_t error, bool bump)
{
    struct kl_transaction *txn = &t->c->txn;

    if (kl_is_fatal(t->c)) {
        return;
    }
    txn->bump |= bump;
    if (txn->error != 0 || (txn->state != KL_TXN_OPEN && txn->state != KL_TXN_COMMITTING)) {
        return;
    }
    txn->error = error;
    kl_transaction_set(t, KL_TXN_ABORTABLE);
    kl_error(t, error, false, 0, "the transaction must be aborted");
    kl_purge(t, false);
}

void kl_transaction_on_pid(struct kl_turn *t)
{
    struct kl_transaction *txn = &t->c->txn;

    if (!t->c->is_transactional) {
        return;
    }
    if (t->c->pid.state == KL_PID_FATAL) {
        kl_transaction_set(t, KL_TXN_FATAL);
    } else if (t->c->pid.state == KL_PID_ASSIGNED && txn->state == KL_TXN_NONE) {
        if (!kl_call_holds_result(t)) {
            kl_transaction_set(t, KL_TXN_READY);
            kl_transaction_done(t, 0);
        }
    } else if (t->c->pid.state == KL_PID_ASSIGNED && txn->state == KL_TXN_ABORTING) {
        kl_transaction_complete(t);
    }
}

/* ---- records ---- */

int32_t kl_transaction_refuses(const struct kl_client *c)
{
    return c->is_transactional && c->txn.state != KL_TXN_OPEN ? KL_ERR_STATE : 0;
}

void kl_transaction_touch(struct kl_turn *t, uint32_t partition)
{
    struct kl_partition *p = kl_partition_at(t->c, partition);

    if (t->c->is_transactional && p->in_txn == KL_TXN_OUT) {
        p->in_txn = KL_TXN_PENDING;
        if (t->c->txn.adding == 0 && t->c->txn.after_us <= t->now) {
            t->c->txn.after_us = t->now + FIRST_MS * KL_MS;
        }
    }
}

bool kl_transaction_may_send(struct kl_turn *t, uint32_t partition)
{
    return !t->c->is_transactional || kl_partition_at(t->c, partition)->in_txn == KL_TXN_IN;
}

/* ---- telling the coordinator of partitions ---- */

static uint32_t count_pending(const struct kl_client *c, uint32_t topic)
{
    uint32_t count = 0;

    for (uint32_t i = kl_topic_at(c, topic)->partitions; i != 0; i = kl_partition_at(c, i)->next) {
        count += kl_partition_at(c, i)->in_txn == KL_TXN_PENDING;
    }
    return count;
}

static void write_topic(struct kl_turn *t, struct wire_flat *f,
                        struct wire_add_partitions_to_txn_request_topic *to, uint32_t topic)
{
    int32_t count = (int32_t)count_pending(t->c, topic), n = 0;

    to->name = wire_flat_string(f, kl_topic_at(t->c, topic)->name);
    to->partitions = wire_flat_array(f, count, sizeof(int32_t));
    int32_t *numbers = wire_flat_at(f, to->partitions.at);
    for (uint32_t i = kl_topic_at(t->c, topic)->partitions; i != 0;
         i = kl_partition_at(t->c, i)->next) {
        struct kl_partition *p = kl_partition_at(t->c, i);
        if (p->in_txn == KL_TXN_PENDING) {
            numbers[n++] = p->number;
            p->in_txn = KL_TXN_ASKED;
        }
    }
}

static void add_partitions(struct kl_turn *t, uint32_t broker, int32_t topics)
{
    struct kl_client *c = t->c;
    struct wire_flat f;
    struct wire_add_partitions_to_txn_request *q = kl_begin(t, &f, WIRE_API_ADD_PARTITIONS_TO_TXN);
    int32_t n = 0;

    q->transactional_id = wire_flat_string(&f, c->transactional_id);
    q->producer_id = c->pid.producer_id;
    q->producer_epoch = (int16_t)c->pid.epoch;
    struct wire_add_partitions_to_txn_request_topic *items =
        kl_items(&f, &q->topics, topics, &wire_layout_add_partitions_to_txn_request_topic);
    for (uint32_t i = 1; i <= c->topic_count; i++) {
        if (count_pending(c, i) > 0) {
            write_topic(t, &f, &items[n++], i);
        }
    }
    uint32_t row = kl_send(t, broker, &f, WIRE_API_ADD_PARTITIONS_TO_TXN, VERSION, -1);
    c->txn.adding = kl_request_at(c, row)->correlation;
    c->txn.requests++;
}

static void serve_adding(struct kl_turn *t)
{
    struct kl_transaction *txn = &t->c->txn;
    int32_t topics = 0;

    if ((txn->state != KL_TXN_OPEN && txn->state != KL_TXN_COMMITTING) || txn->adding != 0 ||
        t->c->pid.state != KL_PID_ASSIGNED) {
        return;
    }
    for (uint32_t i = 1; i <= t->c->topic_count; i++) {
        topics += count_pending(t->c, i) > 0;
    }
    if (topics == 0) {
        return;
    }
    if (txn->after_us > t->now) {
        kl_due(t, txn->after_us);
        return;
    }
    uint32_t broker = kl_coordinator_ready(t, 1);
    if (broker != 0 && kl_may_send(t)) {
        add_partitions(t, broker, topics);
    }
}

/* The first error of an answer, and the partitions that it has taken. */
static int32_t read_added(struct kl_turn *t, const struct wire_add_partitions_to_txn_response *r)
{
    const struct wire_add_partitions_to_txn_response_topic_result *topics =
        WIRE_ITEMS(r, r->results, struct wire_add_partitions_to_txn_response_topic_result);
    int32_t error = 0;

    for (int32_t i = 0; i < r->results.count; i++) {
        const char *name = wire_text(r, topics[i].name);
        uint32_t topic = name == NULL ? 0 : kl_topic_find(t->c, name);
        const struct wire_add_partitions_to_txn_response_partition_result *results = WIRE_ITEMS(
            r, topics[i].results, struct wire_add_partitions_to_txn_response_partition_result);
        for (int32_t k = 0; topic != 0 && k < topics[i].results.count; k++) {
            uint32_t row = kl_partition_find(t->c, topic, results[k].partition_index);
            if (results[k].error_code == 0 && row != 0) {
                kl_partition_at(t->c, row)->in_txn = KL_TXN_IN;
            } else if (error == 0 || error == WIRE_ERROR_OPERATION_NOT_ATTEMPTED) {
                error = results[k].error_code;
            }
        }
    }
    return error;
}

/* Rule add-partitions-errors. */
static void adding_failed(struct kl_turn *t, int32_t error)
{
    struct kl_transaction *txn = &t->c->txn;
    bool again = error == KL_ERR_TRANSPORT || error == KL_ERR_TIMED_OUT ||
                 kl_transaction_coordinator_moved(error) ||
                 error == WIRE_ERROR_CONCURRENT_TRANSACTIONS ||
                 error == WIRE_ERROR_COORDINATOR_LOAD_IN_PROGRESS ||
                 error == WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION;

    if (kl_transaction_coordinator_moved(error)) {
        kl_coordinator_lost(t, 1);
    }
    if (again) {
        txn->after_us =
            t->now +
            (error == WIRE_ERROR_CONCURRENT_TRANSACTIONS ? CONCURRENT_MS : AGAIN_MS) * KL_MS;
    } else if (kl_transaction_error_is_fatal(error)) {
        kl_transaction_fatal(t, kl_transaction_error(error), "failed to add partitions");
    } else if (error == WIRE_ERROR_UNKNOWN_PRODUCER_ID ||
               error == WIRE_ERROR_INVALID_PRODUCER_ID_MAPPING) {
        kl_drain_bump(t, true, error);
    } else {
        kl_transaction_abortable(t, error, false);
    }
}

void kl_on_add_partitions(struct kl_turn *t, struct kl_request *q, int32_t error,
                          const struct wire_add_partitions_to_txn_response *r)
{
    struct kl_transaction *txn = &t->c->txn;

    if (txn->adding != q->correlation) {
        return;
    }
    txn->adding = 0;
    if (txn->state == KL_TXN_OPEN || txn->state == KL_TXN_COMMITTING) {
        error = error != 0 ? error : read_added(t, r);
    }
    for (uint32_t i = 1; i <= t->c->partition_count; i++) {
        struct kl_partition *p = kl_partition_at(t->c, i);
        p->in_txn = p->in_txn == KL_TXN_ASKED ? KL_TXN_PENDING : p->in_txn;
    }
    if (error != 0 && (txn->state == KL_TXN_OPEN || txn->state == KL_TXN_COMMITTING)) {
        adding_failed(t, error);
    }
}

/* ---- the duty ---- */

void kl_serve_transaction(struct kl_turn *t)
{
    if (!t->c->is_transactional || kl_is_fatal(t->c)) {
        return;
    }
    serve_adding(t);
    kl_serve_call(t);
}
