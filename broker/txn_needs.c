/*
 * What an input could need, before it changes anything: an upper bound for each limit.
 *
 * Markers are found their way on trial: each broker without a row, each transaction that may be
 * done with, is counted. Requests are counted whole, whether or not they will be refused.
 *
 * Source: none.
 */
#include "broker/txn_state.h"

struct need {
    int32_t *ids; /* brokers that have no row, in the scratch: no more than there are parts */
    uint32_t brokers, appends;
    uint32_t last; /* the transaction counted last */
    uint32_t unused;
};

static void place(const struct kb_tstep *s, uint32_t part, struct need *n)
{
    const struct kb_tx_part *p = kb_tx_part(s->x, part);
    const struct kb_tx_topic *t = kb_tx_topic(s->x, p->topic);
    int32_t leader = s->out->leader_of(s->out->context, kb_tx_name(t), p->partition);

    if (leader == KB_TXNS_NO_PARTITION && n->last != t->txn) {
        n->appends++;
        n->last = t->txn;
    }
    if (leader < 0 || kb_tx_broker_find(s->x, leader) != 0) {
        return;
    }
    for (uint32_t i = n->brokers; i > 0; i--) {
        if (n->ids[i - 1] == leader) {
            return;
        }
    }
    n->ids[n->brokers++] = leader;
}

static void place_list(const struct kb_tstep *s, const struct kb_tx_list *list, struct need *n)
{
    for (uint32_t part = list->first; part != 0; part = kb_tx_part(s->x, part)->marker[1]) {
        place(s, part, n);
    }
}

static void place_txn(const struct kb_tstep *s, uint32_t txn, struct need *n)
{
    const struct kb_txns *x = s->x;

    n->appends += kb_tx(x, txn)->parts == 0;
    for (uint32_t topic = kb_tx(x, txn)->topics.first; topic != 0;
         topic = kb_tx_topic(x, topic)->row.next) {
        for (uint32_t part = kb_tx_topic(x, topic)->parts.first; part != 0;
             part = kb_tx_part(x, part)->row.next) {
            place(s, part, n);
        }
    }
}

static const char *short_of(const struct kb_txns *x, const struct need *n)
{
    return n->appends > kb_tx_left(x, KB_X_APPEND)   ? "appends"
           : n->brokers > kb_tx_left(x, KB_X_BROKER) ? "brokers"
                                                     : NULL;
}

/* ---- requests ---- */

static const char *one_append(const struct kb_txns *x)
{
    return kb_tx_left(x, KB_X_APPEND) < 1 ? "appends" : NULL;
}

static const char *add_short(const struct kb_txns *x, const struct kb_txns_input *in)
{
    const struct wire_add_partitions_to_txn_request *r = in->message;
    const struct wire_add_partitions_to_txn_request_topic *topics =
        WIRE_ITEMS(r, r->topics, struct wire_add_partitions_to_txn_request_topic);
    uint32_t parts = 0;

    if (in->message_size > x->limits.request) {
        return "request";
    }
    for (int32_t i = 0; i < r->topics.count; i++) {
        if (topics[i].name.size >= (int32_t)x->limits.topic_name) {
            return "topic_name";
        }
        parts += topics[i].partitions.count < 0 ? 0 : (uint32_t)topics[i].partitions.count;
    }
    return (int32_t)kb_tx_left(x, KB_X_TOPIC) < r->topics.count ? "topics"
           : kb_tx_left(x, KB_X_PART) < parts                   ? "parts"
                                                                : one_append(x);
}

static const char *request_short(const struct kb_txns *x, const struct kb_txns_input *in)
{
    const struct wire_init_producer_id_request *r = in->message;

    switch (in->api) {
    case WIRE_API_INIT_PRODUCER_ID:
        return r->transactional_id.size >= (int32_t)x->limits.name ? "name"
               : kb_tx_left(x, KB_X_TXN) < 1                       ? "transactions"
                                                                   : one_append(x);
    case WIRE_API_ADD_PARTITIONS_TO_TXN:
        return add_short(x, in);
    case WIRE_API_ADD_OFFSETS_TO_TXN:
        return strlen("__consumer_offsets") >= x->limits.topic_name ? "topic_name"
               : kb_tx_left(x, KB_X_TOPIC) < 1                      ? "topics"
               : kb_tx_left(x, KB_X_PART) < 1                       ? "parts"
                                                                    : one_append(x);
    case WIRE_API_END_TXN:
        return one_append(x);
    default:           /* int16 of the protocol */
        assert(false); /* no request of transactions */
        return NULL;
    }
}

/* ---- the rest ---- */

static const char *loaded_short(const struct kb_tstep *s, struct need *n)
{
    const struct kb_txns *x = s->x;

    for (uint32_t txn = kb_tx_owned(x, s->in->partition)->txns.first; txn != 0;
         txn = kb_tx(x, txn)->row.next) {
        const struct kb_tx *p = kb_tx(x, txn);
        if (p->state == KB_TXN_PREPARE_COMMIT || p->state == KB_TXN_PREPARE_ABORT) {
            place_txn(s, txn, n);
        }
    }
    return short_of(x, n);
}

static const char *appended_short(const struct kb_tstep *s, struct need *n)
{
    const struct kb_txns *x = s->x;
    uint32_t row = (uint32_t)(s->in->append_id & KB_APPEND_ROW_MASK);

    if (row >= 1 && row <= x->tables[KB_X_APPEND].high) {
        const struct kb_tx_append *a = kb_tx_append(x, row);
        bool ends = a->kind == KB_A_ENDING || a->kind == KB_A_FENCE;
        if (a->row.used && a->id == s->in->append_id && ends && kb_tx(x, a->txn)->row.used) {
            place_txn(s, a->txn, n);
        }
    }
    return short_of(x, n);
}

static const char *answered_short(const struct kb_tstep *s, struct need *n)
{
    const struct kb_txns *x = s->x;

    for (uint32_t row = 1; row <= x->tables[KB_X_BROKER].high; row++) {
        const struct kb_tx_broker *b = kb_tx_broker(x, row);
        uint32_t part = b->correlation == s->in->correlation ? b->sent.first : 0;
        for (; part != 0; part = kb_tx_part(x, part)->marker[1]) {
            uint32_t txn = kb_tx_txn_of(x, kb_tx_part(x, part));
            n->appends += txn != n->last;
            n->last = txn;
        }
    }
    return short_of(x, n);
}

static const char *timer_short(const struct kb_tstep *s, struct need *n)
{
    const struct kb_txns *x = s->x;

    place_list(s, &x->again, n);
    for (uint32_t row = 1; row <= x->tables[KB_X_BROKER].high; row++) {
        const struct kb_tx_broker *b = kb_tx_broker(x, row);
        if (b->row.used && b->correlation != 0 && b->due_us <= s->now_us) {
            place_list(s, &b->sent, n);
        }
    }
    n->appends += x->completes_again;
    for (uint32_t i = 0; x->txns != 0 && i < x->limits.partitions; i++) {
        size_t bytes = 0;
        for (uint32_t txn = kb_tx_owned(x, (int32_t)i)->txns.first; txn != 0;
             txn = kb_tx(x, txn)->row.next) {
            const struct kb_tx *p = kb_tx(x, txn);
            n->appends += kb_tx_is_timed_out(x, p, s->in->wall_ms);
            bytes += kb_tx_is_expired(x, p, s->in->wall_ms) ? strlen(kb_tx_id(p)) + 4 : 0;
        }
        n->appends += (uint32_t)((bytes + KB_TOMBSTONE_BYTES - 1) / KB_TOMBSTONE_BYTES);
    }
    return short_of(x, n);
}

const char *kb_txns_short(const struct kb_tstep *s)
{
    struct need n = {.ids = s->out->scratch};

    switch ((enum kb_txns_input_kind)s->in->kind) {
    case KB_TXNS_LOAD:
        return kb_tx_load_short(s->x, s->in);
    case KB_TXNS_LOADED:
        return loaded_short(s, &n);
    case KB_TXNS_APPENDED:
        return appended_short(s, &n);
    case KB_TXNS_METADATA:
        place_list(s, &s->x->homeless, &n);
        return short_of(s->x, &n);
    case KB_TXNS_ANSWERED:
        return answered_short(s, &n);
    case KB_TXNS_TIMER:
        return timer_short(s, &n);
    case KB_TXNS_REQUEST:
        return request_short(s->x, s->in);
    case KB_TXNS_START:
    case KB_TXNS_SHUTDOWN:
    case KB_TXNS_ELECTED:
    case KB_TXNS_RESIGNED:
    case KB_TXNS_SEND_FAILED:
        break;
    }
    return NULL;
}
