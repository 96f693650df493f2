/*
 * Markers: every partition of a transaction that is being ended is told so, by its leader.
 *
 *     part ─ its leader ─► broker: queued ──► sent ──► answered: gone from the transaction
 *       ▲  └─ nobody ────► homeless                └─► failed: again, after a while
 *       │                     │ metadata                 │
 *       └─────────────────────┴──────────────────────────┘
 *
 * One request is under way to a broker; what comes meanwhile waits for its end and goes as one. A
 * partition that the metadata does not have (any more) has been deleted, and needs no marker. Told
 * that somebody newer owns the transaction, this coordinator lets it be, and its state stays as it
 * is until the leadership goes: so it is in Kafka.
 *
 * Differs: Kafka asks again at once after an error, as fast as answers come; here after retry_us.
 * Answers that name no such partition leave it to be sent again (Kafka throws).
 *
 * Source: TransactionMarkerChannelManager, TransactionMarkerRequestCompletionHandler;
 * InterBrokerSendThread.
 */
#include "broker/txn_state.h"

static void try_later(const struct kb_tstep *s, uint32_t part)
{
    kb_tx_part_move(s->x, part, KB_P_AGAIN, 0);
    if (s->x->retry_us < 0) {
        s->x->retry_us = s->now_us + s->x->config.retry_us;
    }
}

static void part_done(const struct kb_tstep *s, uint32_t part)
{
    uint32_t txn = kb_tx_txn_of(s->x, kb_tx_part(s->x, part));

    kb_tx_part_drop(s->x, part);
    kb_tx_complete_if_done(s, txn);
}

/* Finds a part its way. Where it has none it goes, and with the last the transaction is done. */
static void place(const struct kb_tstep *s, uint32_t part)
{
    struct kb_txns *x = s->x;
    const struct kb_tx_part *p = kb_tx_part(x, part);
    int32_t leader =
        s->out->leader_of(s->out->context, kb_tx_name(kb_tx_topic(x, p->topic)), p->partition);

    if (leader == KB_TXNS_NO_PARTITION) {
        part_done(s, part);
    } else if (leader < 0) {
        kb_tx_part_move(x, part, KB_P_HOMELESS, 0);
    } else {
        kb_tx_part_move(x, part, KB_P_QUEUED, kb_tx_broker_get(x, leader));
    }
}

static void place_all(const struct kb_tstep *s, const struct kb_tx_list *list)
{
    uint32_t last = list->last;

    for (uint32_t part = list->first, next; part != 0; part = next) {
        next = part == last ? 0 : kb_tx_part(s->x, part)->marker[1];
        place(s, part);
    }
}

void kb_tx_markers_begin(const struct kb_tstep *s, uint32_t txn)
{
    struct kb_txns *x = s->x;

    if (kb_tx(x, txn)->parts == 0) {
        kb_tx_complete_if_done(s, txn);
        return;
    }
    /* A row that goes is given back with its link; so look ahead. With the last part its topics
       go. */
    for (uint32_t topic = kb_tx(x, txn)->topics.first, next; topic != 0; topic = next) {
        next = kb_tx_topic(x, topic)->row.next;
        for (uint32_t part = kb_tx_topic(x, topic)->parts.first, after; part != 0; part = after) {
            after = kb_tx_part(x, part)->row.next;
            place(s, part);
        }
    }
}

void kb_tx_on_metadata(const struct kb_tstep *s)
{
    place_all(s, &s->x->homeless);
}

void kb_tx_markers_retry(const struct kb_tstep *s)
{
    struct kb_txns *x = s->x;

    place_all(s, &x->again);
    for (uint32_t row = 1; x->completes_again != 0 && row <= x->tables[KB_X_TXN].high; row++) {
        struct kb_tx *p = kb_tx(x, row);
        if (p->row.used && p->again) {
            p->again = 0;
            x->completes_again--;
            kb_tx_complete(s, row);
        }
    }
}

/* ---- sending ---- */

static uint32_t after(const struct kb_txns *x, uint32_t part)
{
    return kb_tx_part(x, part)->marker[1];
}
static uint32_t topic_of(const struct kb_txns *x, uint32_t part)
{
    return part == 0 ? 0 : kb_tx_part(x, part)->topic;
}
static uint32_t txn_of(const struct kb_txns *x, uint32_t part)
{
    return part == 0 ? 0 : kb_tx_txn_of(x, kb_tx_part(x, part));
}

/* Writes the partitions of one topic, from `part` on. Returns the part behind them. */
static uint32_t fill_topic(const struct kb_txns *x, struct wire_flat *f, uint32_t at, int32_t index,
                           uint32_t part)
{
    uint32_t topic = topic_of(x, part);
    int32_t count = 0;

    for (uint32_t i = part; topic_of(x, i) == topic; i = after(x, i)) {
        count++;
    }
    struct wire_string name = wire_flat_string(f, kb_tx_name(kb_tx_topic(x, topic)));
    struct wire_array ids = wire_flat_array(f, count, sizeof(int32_t));
    struct wire_write_txn_markers_request_topic *t = wire_flat_at(f, at);
    t[index].name = name;
    t[index].partition_indexes = ids;
    for (int32_t i = 0; i < ids.count; i++, part = after(x, part)) {
        ((int32_t *)wire_flat_at(f, ids.at))[i] = kb_tx_part(x, part)->partition;
    }
    return part;
}

/* The same of one transaction: a topic begins where it is another than that of the part before. */
static uint32_t fill_marker(const struct kb_txns *x, struct wire_flat *f, uint32_t at,
                            int32_t index, uint32_t part)
{
    uint32_t txn = txn_of(x, part);
    const struct kb_tx *p = kb_tx(x, txn);
    int32_t topics = 0;

    for (uint32_t i = part, before = 0; txn_of(x, i) == txn; i = after(x, i)) {
        topics += topic_of(x, i) != before;
        before = topic_of(x, i);
    }
    struct wire_array list =
        wire_flat_array(f, topics, sizeof(struct wire_write_txn_markers_request_topic));
    struct wire_write_txn_markers_request_marker *m = wire_flat_at(f, at);
    m[index] = (struct wire_write_txn_markers_request_marker){
        .producer_id = p->now.producer_id,
        .producer_epoch = p->now.epoch,
        .transaction_result = p->state == KB_TXN_PREPARE_COMMIT,
        .coordinator_epoch = kb_tx_owned(x, p->partition)->epoch,
        .topics = list};
    for (int32_t i = 0; i < list.count; i++) {
        part = fill_topic(x, f, list.at, i, part);
    }
    return part;
}

/* Parts of a transaction came in one behind the other; where some come again later, it has another
   marker in the same request. */
static void fill(const struct kb_txns *x, struct wire_flat *f,
                 struct wire_write_txn_markers_request *r, uint32_t part)
{
    int32_t markers = 0;

    for (uint32_t i = part, before = 0; i != 0; i = after(x, i)) {
        markers += txn_of(x, i) != before;
        before = txn_of(x, i);
    }
    r->markers = wire_flat_array(f, markers, sizeof(struct wire_write_txn_markers_request_marker));
    for (int32_t i = 0; i < r->markers.count; i++) {
        part = fill_marker(x, f, r->markers.at, i, part);
    }
}

static void send(const struct kb_tstep *s, uint32_t broker)
{
    struct kb_txns *x = s->x;
    struct kb_tx_broker *b = kb_tx_broker(x, broker);
    struct wire_flat f;
    void *head = wire_flat_begin(&f, s->out->scratch, kb_txns_scratch_size(&x->limits),
                                 wire_head_size(WIRE_REQUEST, WIRE_API_WRITE_TXN_MARKERS));

    wire_defaults(WIRE_REQUEST, WIRE_API_WRITE_TXN_MARKERS, head);
    fill(x, &f, head, b->queued.first);
    size_t size = wire_flat_end(&f);
    assert(size != 0);
    while (b->queued.first != 0) {
        kb_tx_part_move(x, b->queued.first, KB_P_SENT, broker);
    }
    b->correlation = ++x->serial;
    b->due_us = s->now_us + x->config.request_timeout_us;
    s->out->put(s->out->context, &(struct kb_txns_output){.kind = KB_TXNS_OUT_MARKERS,
                                                          .broker_id = b->id,
                                                          .correlation = b->correlation,
                                                          .message = f.bytes,
                                                          .size = (uint32_t)size,
                                                          .api = WIRE_API_WRITE_TXN_MARKERS});
}

void kb_tx_markers_send(const struct kb_tstep *s)
{
    for (uint32_t row = 1; row <= s->x->tables[KB_X_BROKER].high; row++) {
        const struct kb_tx_broker *b = kb_tx_broker(s->x, row);
        if (b->row.used && b->correlation == 0) {
            if (b->queued.first != 0) {
                send(s, row);
            } else {
                kb_tx_broker_settle(s->x, row);
            }
        }
    }
}

/* ---- the end of a request ---- */

static uint32_t broker_of(const struct kb_txns *x, uint64_t correlation)
{
    for (uint32_t row = 1; correlation != 0 && row <= x->tables[KB_X_BROKER].high; row++) {
        if (kb_tx_broker(x, row)->correlation == correlation) {
            return row;
        }
    }
    return 0;
}

static void request_ended(const struct kb_tstep *s, uint32_t broker)
{
    struct kb_tx_broker *b = kb_tx_broker(s->x, broker);

    while (b->sent.first != 0) {
        try_later(s, b->sent.first);
    }
    b->correlation = 0;
    b->due_us = -1;
}

void kb_tx_on_send_failed(const struct kb_tstep *s)
{
    uint32_t broker = broker_of(s->x, s->in->correlation);

    if (broker != 0) {
        request_ended(s, broker);
    }
}

void kb_tx_markers_expire(const struct kb_tstep *s)
{
    for (uint32_t row = 1; row <= s->x->tables[KB_X_BROKER].high; row++) {
        const struct kb_tx_broker *b = kb_tx_broker(s->x, row);
        if (b->row.used && b->correlation != 0 && b->due_us <= s->now_us) {
            request_ended(s, row);
        }
    }
}

enum verdict { DONE, LATER, NOT_OURS };

/* Errors that Kafka does not expect throw there, in the thread that sends; here they are tried
   again. */
static enum verdict judge(int32_t error)
{
    switch (error) {
    case WIRE_ERROR_NONE:
    case WIRE_ERROR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case WIRE_ERROR_UNSUPPORTED_VERSION:
        return DONE;
    case WIRE_ERROR_INVALID_PRODUCER_EPOCH:
    case WIRE_ERROR_TRANSACTION_COORDINATOR_FENCED:
        return NOT_OURS;
    default: /* any error of the protocol */
        return LATER;
    }
}

struct asked { /* a partition of the answer that was in the request, 0 at the end */
    uint32_t part;
    int32_t topic_at, at;
    enum verdict verdict;
};

/* Steps on: begin with topic_at 0, at -1. */
static bool next_asked(const struct kb_txns *x, uint32_t broker, uint32_t txn,
                       const struct wire_write_txn_markers_response *r,
                       const struct wire_write_txn_markers_response_marker *m, struct asked *i)
{
    const struct wire_write_txn_markers_response_topic *topics =
        WIRE_ITEMS(r, m->topics, struct wire_write_txn_markers_response_topic);

    for (; i->topic_at < m->topics.count; i->topic_at++, i->at = -1) {
        const struct wire_write_txn_markers_response_topic *t = &topics[i->topic_at];
        const struct wire_write_txn_markers_response_partition *p =
            WIRE_ITEMS(r, t->partitions, struct wire_write_txn_markers_response_partition);
        uint32_t topic = kb_tx_topic_find(x, txn, wire_text(r, t->name));
        while (topic != 0 && ++i->at < t->partitions.count) {
            i->part = kb_tx_part_find(x, topic, p[i->at].partition_index);
            i->verdict = judge(p[i->at].error_code);
            if (i->part != 0 && kb_tx_part(x, i->part)->place == KB_P_SENT &&
                kb_tx_part(x, i->part)->broker == broker) {
                return true;
            }
        }
    }
    return false;
}

/* One transaction of the answer. Where one of its partitions says that somebody newer owns it,
   none of those that failed with it is sent again. */
static void on_marker(const struct kb_tstep *s, uint32_t broker,
                      const struct wire_write_txn_markers_response *r,
                      const struct wire_write_txn_markers_response_marker *m)
{
    struct kb_txns *x = s->x;
    uint32_t txn = kb_tx_by_producer(x, m->producer_id);
    bool is_lost = false;

    if (txn == 0) {
        return;
    }
    for (struct asked i = {.at = -1}; next_asked(x, broker, txn, r, m, &i);) {
        is_lost = is_lost || i.verdict == NOT_OURS;
    }
    if (is_lost) {
        kb_tx(x, txn)->ends = 0;
    }
    for (struct asked i = {.at = -1}; next_asked(x, broker, txn, r, m, &i);) {
        if (i.verdict == DONE) {
            part_done(s, i.part);
        } else if (is_lost) {
            kb_tx_part_move(x, i.part, KB_P_NOWHERE, 0);
        }
    }
}

void kb_tx_on_answered(const struct kb_tstep *s)
{
    const struct wire_write_txn_markers_response *r = s->in->message;
    const struct wire_write_txn_markers_response_marker *m =
        WIRE_ITEMS(r, r->markers, struct wire_write_txn_markers_response_marker);
    uint32_t broker = broker_of(s->x, s->in->correlation);

    if (broker == 0) {
        return;
    }
    for (int32_t i = 0; i < r->markers.count; i++) {
        on_marker(s, broker, r, &m[i]);
    }
    request_ended(s, broker);
}
