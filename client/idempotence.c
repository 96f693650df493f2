/*
 * Producer ids and sequence numbers: no record twice, none out of order.
 *
 *     request ──► wait ──► assigned ──► drain, then raise the epoch, or ask for a new id ──┐
 *        ▲                                                                                 │
 *        └─────────────────────────────────────────────────────────────────────────────────┘
 *
 * A record's sequence number is its number in the partition (msgid) less that of the first record
 * of this epoch there. When the sequence can no longer be relied on (records timed out, or were
 * refused), everything under way ends first, then the epoch is raised and all partitions begin at
 * 0: an idempotent producer raises it by itself, a transactional one asks its coordinator
 * (KIP-360), after it has aborted.
 *
 * Source: rdkafka_idempotence.c; rdkafka_request.c: rd_kafka_handle_idempotent_Produce_error,
 * rd_kafka_handle_idempotent_Produce_success; rdkafka_msg.c: rd_kafka_dr_implicit_ack;
 * rdkafka_partition.c: rd_kafka_toppar_pid_change.
 */
#include "client/state.h"

#include <assert.h>

enum { VERSION = 4, AGAIN_MS = 500 };

bool kl_is_idempotent(const struct kl_client *c)
{
    return c->config.enable_idempotence != 0;
}

int32_t kl_seq_wrap(int64_t seq)
{
    return (int32_t)(seq & INT32_MAX);
}

/* ---- states ---- */

static void set_state(struct kl_turn *t, enum kl_pid_state state)
{
    struct kl_idempotence *pid = &t->c->pid;

    if (kl_is_fatal(t->c) && state != KL_PID_DRAIN_RESET && state != KL_PID_DRAIN_BUMP) {
        state = KL_PID_FATAL;
    }
    if (pid->state != (uint32_t)state) {
        pid->state = (uint32_t)state;
        kl_transaction_on_pid(t);
    }
}

void kl_idempotent_fatal(struct kl_turn *t, int32_t error, const char *text)
{
    if (t->c->is_transactional) {
        kl_transaction_fatal(t, error, text);
    } else if (t->c->pid.fatal_error == 0) {
        t->c->pid.fatal_error = error;
        kl_error(t, error, true, 0, text);
        kl_purge(t, false); /* rd_kafka_set_fatal_error0 */
    }
    set_state(t, KL_PID_FATAL);
}

static void put_id(struct kl_turn *t)
{
    kl_fact(t, KL_FACT_PRODUCER_ID, 0,
            (struct kl_output){.offset = t->c->pid.producer_id, .value_of = t->c->pid.epoch});
}

/* Rule epoch-bump: nothing is under way any more. */
void kl_drain_check(struct kl_turn *t)
{
    struct kl_idempotence *pid = &t->c->pid;

    if (pid->partitions_in_flight > 0) {
        return;
    }
    if (pid->state == KL_PID_DRAIN_RESET ||
        (pid->state == KL_PID_DRAIN_BUMP && t->c->is_transactional && pid->producer_id >= 0)) {
        pid->after_us = t->now;
        set_state(t, KL_PID_REQUEST);
    } else if (pid->state == KL_PID_DRAIN_BUMP && pid->producer_id >= 0) {
        /* rd_kafka_pid_bump: the epoch wraps to 0 */
        pid->epoch = pid->epoch == INT16_MAX ? 0 : pid->epoch + 1;
        put_id(t);
        set_state(t, KL_PID_ASSIGNED);
    }
}

void kl_drain_reset(struct kl_turn *t)
{
    set_state(t, KL_PID_DRAIN_RESET);
    kl_drain_check(t);
}

void kl_drain_bump(struct kl_turn *t, bool abort_first, int32_t error)
{
    if (abort_first && t->c->is_transactional) {
        set_state(t, KL_PID_WAIT_ABORT);
        kl_transaction_abortable(t, error, true);
        return;
    }
    set_state(t, KL_PID_DRAIN_BUMP);
    kl_drain_check(t);
}

/* ---- may a partition send? ---- */

bool kl_idempotent_may_send(struct kl_turn *t, uint32_t partition)
{
    struct kl_partition *p = kl_partition_at(t->c, partition);
    const struct kl_idempotence *pid = &t->c->pid;

    if (!kl_is_idempotent(t->c)) {
        return true;
    }
    if (pid->state != KL_PID_ASSIGNED) {
        return false;
    }
    if (p->wait_drain && p->in_flight_records > 0) {
        return false;
    }
    p->wait_drain = 0;
    if (p->in_flight_records >= KL_IDEMPOTENT_IN_FLIGHT) {
        return false; /* rule idempotent-in-flight: librdkafka counts records here */
    }
    if (p->producer_id != pid->producer_id || p->producer_epoch != pid->epoch) {
        if (p->in_flight_records > 0) {
            return false;
        }
        p->producer_id = pid->producer_id;
        p->producer_epoch = pid->epoch;
        p->epoch_base_msgid = kl_record_at(t->c, p->queue.first)->msgid;
        p->next_ack_seq = p->next_err_seq = 0;
    }
    return true;
}

/* ---- what the broker refused ---- */

static void remember_batch(struct kl_turn *t, const struct kl_request *q)
{
    struct kl_record *first = kl_record_at(t->c, q->batch.first);

    if (first->last_msgid == 0) {
        first->last_msgid = kl_record_at(t->c, q->batch.last)->msgid;
    }
    assert(first->last_msgid == kl_record_at(t->c, q->batch.last)->msgid);
}

static void retry_later(struct kl_failure *f)
{
    f->incr_retry = 0;
    f->actions = KL_ACT_RETRY;
    f->status = KL_NOT_PERSISTED;
    f->update_next_ack = 0;
    f->update_next_err = 1;
}

static void give_up(struct kl_failure *f, bool update_next_err)
{
    f->actions = KL_ACT_PERMANENT;
    f->status = KL_POSSIBLY_PERSISTED;
    f->update_next_ack = 0;
    f->update_next_err = update_next_err;
}

/* Rule out-of-order-sequence: the first under way has lost step with the broker: fatal. A later one
   only failed because an earlier one did: all under way ends, the epoch is raised, it is sent
   again. */
static void on_out_of_order(struct kl_turn *t, const struct kl_request *q, struct kl_failure *f)
{
    int32_t ahead = q->first_seq - kl_partition_at(t->c, q->partition)->next_ack_seq;

    if (ahead > 0) {
        retry_later(f);
        kl_drain_bump(t, true, f->error);
        return;
    }
    kl_idempotent_fatal(t, f->error,
                        ahead == 0 ? "sequence desynchronization with the broker"
                                   : "rewound sequence number");
    give_up(f, ahead == 0);
}

/* Rule unknown-producer-id: where nothing can be there twice the epoch is raised; else fatal. */
static void on_unknown_id(struct kl_turn *t, const struct kl_request *q, struct kl_failure *f)
{
    const struct kl_partition *p = kl_partition_at(t->c, q->partition);

    if (t->c->is_transactional) {
        kl_drain_bump(t, true, f->error);
        kl_transaction_abortable(t, f->error, true);
        retry_later(f);
        f->actions = KL_ACT_PERMANENT;
    } else if (kl_record_at(t->c, q->batch.first)->retries == 0 &&
               p->next_err_seq == q->first_seq) {
        kl_drain_bump(t, true, f->error);
        retry_later(f);
    } else {
        kl_idempotent_fatal(t, f->error, "unknown producer id: cannot retry without a risk");
        give_up(f, true);
    }
}

void kl_idempotent_error(struct kl_turn *t, struct kl_request *q, struct kl_failure *f)
{
    const struct kl_partition *p = kl_partition_at(t->c, q->partition);

    remember_batch(t, q);
    if (q->producer_id != p->producer_id || q->producer_epoch != p->producer_epoch) {
        f->actions = KL_ACT_PERMANENT; /* no promise across ids */
        f->status = KL_POSSIBLY_PERSISTED;
    } else if (f->error == WIRE_ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER) {
        on_out_of_order(t, q, f);
    } else if (f->error == WIRE_ERROR_DUPLICATE_SEQUENCE_NUMBER) {
        /* Rule duplicate-sequence: it is there, only its offset is not known. */
        f->error = 0;
        f->actions = 0;
        f->status = KL_PERSISTED;
    } else if (f->error == WIRE_ERROR_UNKNOWN_PRODUCER_ID) {
        on_unknown_id(t, q, f);
    }
}

/* Rule permanent-error: records that are given up leave a hole in the sequence. */
void kl_idempotent_permanent(struct kl_turn *t, struct kl_request *q, struct kl_failure *f)
{
    (void)q;
    if (t->c->is_transactional && f->error == WIRE_ERROR_INVALID_PRODUCER_EPOCH) {
        kl_transaction_fatal(t, KL_ERR_FENCED, "fenced by a newer producer");
        kl_drain_reset(t);
    } else if (t->c->is_transactional) {
        kl_transaction_abortable(t, f->error, false);
    } else {
        kl_drain_bump(t, true, f->error);
    }
    f->update_next_ack = 0;
    f->update_next_err = 1;
}

/* ---- what it took ---- */

/* Rule implicit-ack: a later batch was taken, so the earlier one is there, though its answer was
 * lost. */
static void implicit_ack(struct kl_turn *t, uint32_t partition, uint64_t last_msgid)
{
    struct kl_queue *q = &kl_partition_at(t->c, partition)->queue;

    while (q->count > 0 && kl_record_at(t->c, q->first)->msgid <= last_msgid) {
        kl_delivered(t, partition, kl_queue_pop(t->c, q), 0, -1, KL_PERSISTED);
    }
}

void kl_idempotent_success(struct kl_turn *t, struct kl_request *q, int32_t next_seq)
{
    struct kl_partition *p = kl_partition_at(t->c, q->partition);
    uint64_t last = kl_record_at(t->c, q->batch.last)->msgid;

    if (p->acked_msgid < q->first_msgid - 1) {
        implicit_ack(t, q->partition, last);
    } else if (q->first_seq != p->next_ack_seq && q->first_seq == p->next_err_seq) {
        p->next_err_seq = next_seq;
        p->acked_msgid = last > p->acked_msgid ? last : p->acked_msgid;
        kl_idempotent_fatal(t, -149, "a batch succeeded where a failure was expected");
        return;
    }
    if (p->next_err_seq == p->next_ack_seq) {
        p->next_err_seq = next_seq;
    }
    p->next_ack_seq = next_seq;
    p->acked_msgid = last > p->acked_msgid ? last : p->acked_msgid;
}

/* ---- getting an id ---- */

/* Rule producer-id: of any broker; of a transaction's coordinator for a transactional producer,
   with the id that it has, where it has one, to have its epoch raised. */
static void ask(struct kl_turn *t, uint32_t broker)
{
    struct kl_client *c = t->c;
    struct wire_flat f;
    struct wire_init_producer_id_request *q = kl_begin(t, &f, WIRE_API_INIT_PRODUCER_ID);

    q->transactional_id =
        c->is_transactional ? wire_flat_string(&f, c->transactional_id) : WIRE_NULL_STRING;
    q->transaction_timeout_ms = c->is_transactional ? c->config.transaction_timeout_ms : -1;
    q->producer_id = c->is_transactional ? c->pid.producer_id : -1;
    q->producer_epoch = c->is_transactional ? (int16_t)c->pid.epoch : KL_NO_EPOCH;
    kl_send(t, broker, &f, WIRE_API_INIT_PRODUCER_ID, VERSION, -1);
    set_state(t, KL_PID_WAIT);
}

void kl_serve_producer_id(struct kl_turn *t)
{
    struct kl_idempotence *pid = &t->c->pid;

    if (pid->state != KL_PID_REQUEST || kl_is_fatal(t->c) || !kl_may_send(t)) {
        return;
    }
    if (pid->after_us > t->now) {
        kl_due(t, pid->after_us);
        return;
    }
    uint32_t broker = t->c->is_transactional ? kl_coordinator_ready(t, 1) : kl_broker_any(t);
    if (broker != 0 && kl_may_send(t)) {
        ask(t, broker);
    }
}

/* Rule producer-id-errors: fenced and refused are fatal, all else is asked again after 500 ms. */
static bool is_fatal(int32_t error)
{
    return error == WIRE_ERROR_INVALID_TRANSACTION_TIMEOUT ||
           error == WIRE_ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED ||
           error == WIRE_ERROR_CLUSTER_AUTHORIZATION_FAILED ||
           error == WIRE_ERROR_INVALID_PRODUCER_EPOCH || error == WIRE_ERROR_PRODUCER_FENCED;
}

static void failed(struct kl_turn *t, int32_t error)
{
    if (is_fatal(error)) {
        bool fenced =
            error == WIRE_ERROR_INVALID_PRODUCER_EPOCH || error == WIRE_ERROR_PRODUCER_FENCED;
        kl_idempotent_fatal(t, fenced ? KL_ERR_FENCED : error,
                            fenced ? "producer fenced by a newer instance"
                                   : "no producer id can be had");
        return;
    }
    if (error == WIRE_ERROR_NOT_COORDINATOR || error == WIRE_ERROR_COORDINATOR_NOT_AVAILABLE) {
        kl_coordinator_lost(t, 1);
    }
    t->c->pid.init_error = error;
    t->c->pid.after_us = t->now + AGAIN_MS * KL_MS;
    set_state(t, KL_PID_REQUEST);
}

void kl_on_init_producer_id(struct kl_turn *t, struct kl_request *q, int32_t error,
                            const struct wire_init_producer_id_response *r)
{
    struct kl_idempotence *pid = &t->c->pid;

    (void)q;
    error = error != 0 ? error : r->error_code;
    if (pid->state != KL_PID_WAIT) {
        return;
    }
    if (error != 0) {
        failed(t, error);
        return;
    }
    pid->producer_id = r->producer_id;
    pid->epoch = r->producer_epoch;
    put_id(t);
    set_state(t, KL_PID_ASSIGNED);
}
