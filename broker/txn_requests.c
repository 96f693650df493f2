/*
 * Requests of producers: what is refused, and what is begun with an append.
 *
 *     look up ─► is it the producer that it says it is? ─► is a move under way? ─► state ─► append
 *
 * InitProducerId, by what the producer says of itself (KIP-360):
 *
 *     nothing                    a new epoch; whoever had the last is fenced
 *     the current id and epoch   a new epoch of its own, the last is remembered
 *     the id and epoch of before the current ones again: its first call was answered, unheard
 *     anything else              PRODUCER_FENCED
 *
 * Epochs end at 32766, then a new producer id begins at 0; 32767 is only ever reached by fencing.
 * With a transaction Ongoing it is aborted under a raised epoch first, and the caller told to come
 * again.
 *
 * Source: TransactionCoordinator.handleInitProducerId, prepareInitProducerIdTransit,
 * handleAddPartitionsToTransaction, endTransaction; TransactionMetadata.prepare*;
 * TransactionStateManager.getAndMaybeAddTransactionState; KafkaApis.handleInitProducerIdRequest,
 * handleAddPartitionToTxnRequest, handleAddOffsetsToTxnRequest, handleEndTxnRequest.
 */
#include "broker/txn_state.h"

enum { EPOCH_EXHAUSTED = INT16_MAX - 1 };

/* A text of a request; "" where it holds a NUL, which no id of ours can. */
static const char *text_of(const void *request, struct wire_string s)
{
    const char *text = wire_text(request, s);
    return text != NULL && strlen(text) != (size_t)s.size ? "" : text;
}

int32_t kb_tx_lookup(const struct kb_txns *x, const char *id, uint32_t *txn)
{
    const struct kb_tx_owned *o =
        kb_tx_owned(x, kb_coordinator_partition(id, x->limits.partitions));

    *txn = 0;
    if (o->loading) {
        return WIRE_ERROR_COORDINATOR_LOAD_IN_PROGRESS;
    }
    if (!o->owned) {
        return WIRE_ERROR_NOT_COORDINATOR;
    }
    *txn = kb_tx_find(x, id);
    return WIRE_ERROR_NONE;
}

/* Begins the move to `state` with what `to` holds. */
static void begin(const struct kb_tstep *s, uint32_t txn, enum kb_txn_state state,
                  enum kb_tx_append_kind kind, const struct kb_tx_call *call)
{
    struct kb_tx *p = kb_tx(s->x, txn);

    assert(p->pending == KB_TX_NONE);
    assert(kb_txn_may((enum kb_txn_state)p->state, state));
    assert(p->to.producer_id >= 0);
    assert(p->to.epoch >= 0);
    p->pending = (int8_t)state;
    struct kb_tx_append *a = kb_tx_append_add(s, kind, txn);
    if (call != NULL) {
        a->call_id = call->id;
        a->api = call->api;
        a->version = call->version;
        if (call->api == WIRE_API_ADD_PARTITIONS_TO_TXN) {
            a->request_size = s->in->message_size;
            memcpy(kb_tx_request(a), s->in->message, a->request_size);
        }
    }
    kb_tx_write(s, txn, a);
}

/* ---- InitProducerId ---- */

struct claim { /* what the producer says of itself */
    int64_t producer_id;
    int16_t epoch;
    bool is_made;
};

static bool is_exhausted(int16_t epoch)
{
    return epoch >= EPOCH_EXHAUSTED;
}

static bool is_known(const struct kb_tx *p, const struct claim *c)
{
    return !c->is_made || p->now.epoch == KB_TX_NONE || c->producer_id == p->now.producer_id ||
           (c->producer_id == p->now.last_producer_id && is_exhausted(c->epoch));
}

static bool rotates(const struct kb_tx *p, const struct claim *c)
{
    return is_exhausted(p->now.epoch) && (!c->is_made || c->epoch == p->now.epoch);
}

/* What an Empty or Complete transaction begins anew with. */
static int32_t plan_init(const struct kb_tx *p, const struct claim *c, struct kb_tx_values *to)
{
    to->last_producer_id = p->now.producer_id;
    to->start_ms = -1;
    if (rotates(p, c)) {
        to->epoch = 0;
        to->last_epoch = c->is_made ? p->now.epoch : (int16_t)KB_TX_NONE;
        return WIRE_ERROR_NONE;
    }
    if (c->is_made && p->now.epoch != KB_TX_NONE && c->epoch != p->now.epoch) {
        if (c->epoch != p->now.last_epoch) {
            return WIRE_ERROR_PRODUCER_FENCED;
        }
        to->epoch = p->now.epoch;
        to->last_epoch = p->now.last_epoch;
        return WIRE_ERROR_NONE;
    }
    if (is_exhausted(p->now.epoch)) {
        return WIRE_ERROR_UNKNOWN_SERVER_ERROR; /* where Kafka throws; not reached */
    }
    to->epoch = (int16_t)(p->now.epoch + 1);
    to->last_epoch = c->is_made ? p->now.epoch : (int16_t)KB_TX_NONE;
    return WIRE_ERROR_NONE;
}

static int32_t init_refusal(const struct kb_txns *x, const struct wire_init_producer_id_request *r)
{
    if ((r->producer_id == -1) != (r->producer_epoch == -1)) {
        return WIRE_ERROR_INVALID_REQUEST;
    }
    if (r->transactional_id.size < 0) {
        return WIRE_ERROR_NONE;
    }
    if (*text_of(r, r->transactional_id) == 0) {
        return WIRE_ERROR_INVALID_REQUEST;
    }
    return r->transaction_timeout_ms <= 0 || r->transaction_timeout_ms > x->config.max_timeout_ms
               ? WIRE_ERROR_INVALID_TRANSACTION_TIMEOUT
               : WIRE_ERROR_NONE;
}

static bool is_idle(const struct kb_tx *p)
{
    return p->state == KB_TXN_EMPTY || p->state == KB_TXN_COMPLETE_COMMIT ||
           p->state == KB_TXN_COMPLETE_ABORT;
}

static int32_t init_error(const struct kb_tx *p, const struct claim *c)
{
    if (p->pending != KB_TX_NONE) {
        return WIRE_ERROR_CONCURRENT_TRANSACTIONS;
    }
    if (!is_known(p, c)) {
        return WIRE_ERROR_PRODUCER_FENCED;
    }
    if (is_idle(p)) {
        return WIRE_ERROR_NONE;
    }
    if (p->state != KB_TXN_ONGOING) {
        return WIRE_ERROR_CONCURRENT_TRANSACTIONS;
    }
    /* Where Kafka throws: the epoch cannot be raised again. */
    return kb_tx_may_fence(p) ? WIRE_ERROR_NONE : WIRE_ERROR_UNKNOWN_SERVER_ERROR;
}

static int64_t take_id(const struct kb_tstep *s)
{
    s->out->took_id = true;
    return s->in->producer_id;
}

static uint32_t make_txn(const struct kb_tstep *s, const char *id, int32_t timeout_ms)
{
    struct kb_txns *x = s->x;
    uint32_t txn = kb_tx_add(x, id, kb_coordinator_partition(id, x->limits.partitions));
    struct kb_tx_values values = kb_tx(x, txn)->now;

    values.producer_id = take_id(s);
    values.timeout_ms = timeout_ms;
    values.update_ms = s->in->wall_ms;
    kb_tx_set_values(x, txn, &values);
    return txn;
}

static int32_t init_known(const struct kb_tstep *s, uint32_t txn, const struct claim *c,
                          const struct kb_tx_call *call, int32_t timeout_ms)
{
    struct kb_tx *p = kb_tx(s->x, txn);
    int32_t error = init_error(p, c);

    if (error != WIRE_ERROR_NONE) {
        return error;
    }
    if (!is_idle(p)) {
        kb_tx_fence(s, txn, true);
        return WIRE_ERROR_NONE;
    }
    bool rotated = rotates(p, c);
    struct kb_tx_values to = p->now;
    error = plan_init(p, c, &to);
    if (error != WIRE_ERROR_NONE) {
        return error;
    }
    to.producer_id = rotated ? take_id(s) : to.producer_id;
    to.timeout_ms = timeout_ms;
    to.update_ms = s->in->wall_ms;
    p->to = to;
    begin(s, txn, KB_TXN_EMPTY, KB_A_INIT, call);
    return WIRE_ERROR_NONE;
}

bool kb_tx_on_init(const struct kb_tstep *s)
{
    const struct wire_init_producer_id_request *r = s->in->message;
    const struct claim c = {r->producer_id, r->producer_epoch, r->producer_id != -1};
    const char *id = text_of(r, r->transactional_id);
    struct kb_tx_call call = kb_tx_call_of(s);
    int32_t error = init_refusal(s->x, r);
    uint32_t txn = 0;

    if (error == WIRE_ERROR_NONE && id != NULL) {
        error = kb_tx_lookup(s->x, id, &txn);
    }
    bool needs_id = error == WIRE_ERROR_NONE &&
                    (txn == 0 || (init_error(kb_tx(s->x, txn), &c) == WIRE_ERROR_NONE &&
                                  is_idle(kb_tx(s->x, txn)) && rotates(kb_tx(s->x, txn), &c)));
    if (needs_id && s->in->producer_id < 0) {
        return false;
    }
    if (error == WIRE_ERROR_NONE && id == NULL) {
        call.producer_id = take_id(s);
        call.epoch = 0;
        kb_tx_answer(s, &call, WIRE_ERROR_NONE);
        return true;
    }
    if (error == WIRE_ERROR_NONE) {
        txn = txn == 0 ? make_txn(s, id, r->transaction_timeout_ms) : txn;
        error = init_known(s, txn, &c, &call, r->transaction_timeout_ms);
    }
    if (error != WIRE_ERROR_NONE) {
        kb_tx_answer(s, &call, error);
    }
    return true;
}

/* ---- AddPartitionsToTxn, AddOffsetsToTxn ---- */

struct producer {
    const char *id;
    int64_t producer_id;
    int16_t epoch;
};

static int32_t add_error(const struct kb_tstep *s, const struct producer *who, uint32_t *txn)
{
    int32_t error;

    *txn = 0;
    if (who->id == NULL || *who->id == 0) {
        return WIRE_ERROR_INVALID_REQUEST;
    }
    error = kb_tx_lookup(s->x, who->id, txn);
    if (error != WIRE_ERROR_NONE) {
        return error;
    }
    const struct kb_tx *p = *txn == 0 ? NULL : kb_tx(s->x, *txn);
    if (p == NULL || p->now.producer_id != who->producer_id) {
        return WIRE_ERROR_INVALID_PRODUCER_ID_MAPPING;
    }
    if (p->now.epoch != who->epoch) {
        return WIRE_ERROR_PRODUCER_FENCED;
    }
    return p->pending != KB_TX_NONE || p->state == KB_TXN_PREPARE_COMMIT ||
                   p->state == KB_TXN_PREPARE_ABORT
               ? WIRE_ERROR_CONCURRENT_TRANSACTIONS
               : WIRE_ERROR_NONE;
}

/* `added`: whether a partition came in that was not. */
static void add(const struct kb_tstep *s, uint32_t txn, bool added, const struct kb_tx_call *call)
{
    struct kb_tx *p = kb_tx(s->x, txn);

    if (p->state == KB_TXN_ONGOING && !added) {
        kb_tx_answer(s, call, WIRE_ERROR_NONE);
        return;
    }
    p->to = p->now;
    p->to.update_ms = s->in->wall_ms;
    if (p->state != KB_TXN_ONGOING) {
        p->to.start_ms = s->in->wall_ms;
    }
    begin(s, txn, KB_TXN_ONGOING, KB_A_ADD, call);
}

static bool any_unknown(const struct kb_tstep *s,
                        const struct wire_add_partitions_to_txn_request *r)
{
    const struct wire_add_partitions_to_txn_request_topic *topics =
        WIRE_ITEMS(r, r->topics, struct wire_add_partitions_to_txn_request_topic);
    uint32_t index = 0;

    for (int32_t i = 0; s->in->unknown != NULL && i < r->topics.count; i++) {
        for (int32_t n = 0; n < topics[i].partitions.count; n++) {
            if (s->in->unknown[index++] != 0) {
                return true;
            }
        }
    }
    return false;
}

void kb_tx_on_add_partitions(const struct kb_tstep *s)
{
    const struct wire_add_partitions_to_txn_request *r = s->in->message;
    const struct wire_add_partitions_to_txn_request_topic *topics =
        WIRE_ITEMS(r, r->topics, struct wire_add_partitions_to_txn_request_topic);
    const struct producer who = {text_of(r, r->transactional_id), r->producer_id,
                                 r->producer_epoch};
    struct kb_tx_call call = kb_tx_call_of(s);
    bool added = false;
    uint32_t txn;

    if (any_unknown(s, r)) {
        kb_tx_answer(s, &call, WIRE_ERROR_OPERATION_NOT_ATTEMPTED);
        return;
    }
    call.unknown = NULL;
    int32_t error = add_error(s, &who, &txn);
    if (error != WIRE_ERROR_NONE) {
        kb_tx_answer(s, &call, error);
        return;
    }
    for (int32_t i = 0; i < r->topics.count; i++) {
        const int32_t *partitions = WIRE_ITEMS(r, topics[i].partitions, int32_t);
        for (int32_t n = 0; n < topics[i].partitions.count; n++) {
            added |= kb_tx_part_add(s->x, txn, wire_text(r, topics[i].name), partitions[n], true);
        }
    }
    add(s, txn, added, &call);
}

void kb_tx_on_add_offsets(const struct kb_tstep *s)
{
    const struct wire_add_offsets_to_txn_request *r = s->in->message;
    const struct producer who = {text_of(r, r->transactional_id), r->producer_id,
                                 r->producer_epoch};
    struct kb_tx_call call = kb_tx_call_of(s);
    uint32_t txn;
    int32_t error = add_error(s, &who, &txn);

    if (error != WIRE_ERROR_NONE) {
        kb_tx_answer(s, &call, error);
        return;
    }
    int32_t partition = kb_coordinator_partition(wire_text(r, r->group_id),
                                                 (uint32_t)s->x->config.group_partitions);
    add(s, txn, kb_tx_part_add(s->x, txn, "__consumer_offsets", partition, true), &call);
}

/* ---- EndTxn ---- */

/* What ending says where the state decides; NONE with `begins`: a move is begun. */
static int32_t end_in(enum kb_txn_state state, bool commit, bool *begins)
{
    *begins = state == KB_TXN_ONGOING;
    switch (state) {
    case KB_TXN_ONGOING:
        return WIRE_ERROR_NONE;
    case KB_TXN_PREPARE_COMMIT:
        return commit ? WIRE_ERROR_CONCURRENT_TRANSACTIONS : WIRE_ERROR_INVALID_TXN_STATE;
    case KB_TXN_PREPARE_ABORT:
        return commit ? WIRE_ERROR_INVALID_TXN_STATE : WIRE_ERROR_CONCURRENT_TRANSACTIONS;
    case KB_TXN_COMPLETE_COMMIT:
        return commit ? WIRE_ERROR_NONE : WIRE_ERROR_INVALID_TXN_STATE;
    case KB_TXN_COMPLETE_ABORT:
        return commit ? WIRE_ERROR_INVALID_TXN_STATE : WIRE_ERROR_NONE;
    case KB_TXN_EMPTY:
    case KB_TXN_DEAD:
    case KB_TXN_PREPARE_EPOCH_FENCE:
    case KB_TXN_STATES:
        break;
    }
    return WIRE_ERROR_INVALID_TXN_STATE;
}

void kb_tx_on_end(const struct kb_tstep *s)
{
    const struct wire_end_txn_request *r = s->in->message;
    const char *id = text_of(r, r->transactional_id);
    struct kb_tx_call call = kb_tx_call_of(s);
    bool begins = false;
    uint32_t txn = 0;
    int32_t error =
        id == NULL || *id == 0 ? WIRE_ERROR_INVALID_REQUEST : kb_tx_lookup(s->x, id, &txn);
    struct kb_tx *p = txn == 0 ? NULL : kb_tx(s->x, txn);

    if (error == WIRE_ERROR_NONE) {
        error = p == NULL || p->now.producer_id != r->producer_id
                    ? WIRE_ERROR_INVALID_PRODUCER_ID_MAPPING
                : p->now.epoch != r->producer_epoch ? WIRE_ERROR_PRODUCER_FENCED
                : p->pending != KB_TX_NONE
                    ? WIRE_ERROR_CONCURRENT_TRANSACTIONS
                    : end_in((enum kb_txn_state)p->state, r->committed != 0, &begins);
    }
    if (!begins) {
        kb_tx_answer(s, &call, error);
        return;
    }
    p->to = p->now;
    p->to.update_ms = s->in->wall_ms;
    begin(s, txn, r->committed != 0 ? KB_TXN_PREPARE_COMMIT : KB_TXN_PREPARE_ABORT, KB_A_ENDING,
          &call);
}

/* ---- fencing ---- */

/* The last of all epochs cannot be raised. Kafka throws; out of the timer it then leaves the rest
   of that round undone, which is not followed here. */
bool kb_tx_may_fence(const struct kb_tx *p)
{
    return p->now.epoch < INT16_MAX;
}

/* The epoch is raised here and now, whatever becomes of the record: it is never given to a
   producer, so that it need not be raised again if the record does not get through. Kafka goes
   by way of PrepareEpochFence as the pending state; nothing can come between. */
void kb_tx_fence(const struct kb_tstep *s, uint32_t txn, bool is_call)
{
    struct kb_tx *p = kb_tx(s->x, txn);
    const struct kb_tx_call call = kb_tx_call_of(s);

    assert(p->state == KB_TXN_ONGOING);
    if (!p->fence_failed) {
        p->now.epoch++;
    }
    p->now.last_epoch = KB_TX_NONE;
    p->to = p->now;
    p->to.update_ms = s->in->wall_ms;
    begin(s, txn, KB_TXN_PREPARE_ABORT, KB_A_FENCE, is_call ? &call : NULL);
}
