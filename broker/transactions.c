/*
 * A step of the transaction coordinator.
 *
 *     room? ─ no ──► LIMIT, nothing changed
 *       └─ yes ──► the input ──► markers that can be sent ──► the timer, where another is needed
 *
 * Source: see broker/transactions.h.
 */
#include "broker/txn_state.h"

/* False where a producer id is lacking. */
static bool on_request(const struct kb_tstep *s)
{
    switch (s->in->api) {
    case WIRE_API_INIT_PRODUCER_ID:
        return kb_tx_on_init(s);
    case WIRE_API_ADD_PARTITIONS_TO_TXN:
        kb_tx_on_add_partitions(s);
        return true;
    case WIRE_API_ADD_OFFSETS_TO_TXN:
        kb_tx_on_add_offsets(s);
        return true;
    case WIRE_API_END_TXN:
        kb_tx_on_end(s);
        return true;
    default:           /* int16 of the protocol */
        assert(false); /* no request of transactions */
        return true;
    }
}

static bool dispatch(const struct kb_tstep *s)
{
    switch ((enum kb_txns_input_kind)s->in->kind) {
    case KB_TXNS_START:
        s->x->active = 1;
        s->x->started_us = s->now_us;
        return true;
    case KB_TXNS_SHUTDOWN:
        kb_tx_on_shutdown(s);
        return true;
    case KB_TXNS_ELECTED:
        kb_tx_on_elected(s);
        return true;
    case KB_TXNS_LOAD:
        kb_tx_on_load(s);
        return true;
    case KB_TXNS_LOADED:
        kb_tx_on_loaded(s);
        return true;
    case KB_TXNS_RESIGNED:
        kb_tx_on_resigned(s);
        return true;
    case KB_TXNS_APPENDED:
        kb_tx_on_appended(s);
        return true;
    case KB_TXNS_METADATA:
        kb_tx_on_metadata(s);
        return true;
    case KB_TXNS_ANSWERED:
        kb_tx_on_answered(s);
        return true;
    case KB_TXNS_SEND_FAILED:
        kb_tx_on_send_failed(s);
        return true;
    case KB_TXNS_TIMER:
        kb_tx_on_timer(s);
        return true;
    case KB_TXNS_REQUEST:
        return on_request(s);
    }
    return true;
}

enum sm_err kb_txns_step(struct kb_txns *x, int64_t now_us, const struct kb_txns_input *in,
                         struct kb_txns_outputs *out)
{
    struct kb_tstep s = {.x = x, .in = in, .out = out, .now_us = now_us};

    out->took_id = false;
    out->short_of = kb_txns_short(&s);
    if (out->short_of != NULL) {
        return SM_ERR_LIMIT;
    }
    if (!dispatch(&s)) {
        out->short_of = "producer_id";
        return SM_ERR_LIMIT;
    }
    kb_tx_markers_send(&s);
    kb_tx_arm(&s);
    return SM_ERR_OK;
}
