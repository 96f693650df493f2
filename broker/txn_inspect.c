/*
 * Looking into the transaction coordinator: views, a digest, and the check of every invariant.
 *
 * The digest adds up a hash for each transaction, and in it one for each partition, so that neither
 * rows nor orders count.
 *
 * Source: none.
 */
#include "broker/txn_state.h"

bool kb_txns_next(const struct kb_txns *x, uint32_t *at, struct kb_txn_view *view)
{
    while (++*at <= x->tables[KB_X_TXN].high) {
        const struct kb_tx *p = kb_tx(x, *at);
        if (!p->row.used || kb_tx_owned(x, p->partition)->loading) {
            continue;
        }
        *view = (struct kb_txn_view){.id = kb_tx_id(p),
                                     .producer_id = p->now.producer_id,
                                     .start_ms = p->now.start_ms,
                                     .update_ms = p->now.update_ms,
                                     .partition = p->partition,
                                     .timeout_ms = p->now.timeout_ms,
                                     .state = p->state,
                                     .pending = p->pending,
                                     .epoch = p->now.epoch,
                                     .last_epoch = p->now.last_epoch,
                                     .parts = p->parts};
        return true;
    }
    return false;
}

bool kb_txn_part_next(const struct kb_txns *x, uint32_t txn, uint32_t *at,
                      struct kb_txn_part_view *view)
{
    uint32_t topic = kb_tx(x, txn)->topics.first;

    if (*at != 0) {
        topic = kb_tx_topic(x, kb_tx_part(x, *at)->topic)->row.next;
        *at = kb_tx_part(x, *at)->row.next;
    }
    while (*at == 0 && topic != 0) {
        *at = kb_tx_topic(x, topic)->parts.first;
        topic = kb_tx_topic(x, topic)->row.next;
    }
    if (*at == 0) {
        return false;
    }
    const struct kb_tx_part *p = kb_tx_part(x, *at);
    *view = (struct kb_txn_part_view){.topic = kb_tx_name(kb_tx_topic(x, p->topic)),
                                      .partition = p->partition,
                                      .broker_id =
                                          p->broker == 0 ? -1 : kb_tx_broker(x, p->broker)->id};
    return true;
}

bool kb_txns_is_quiet(const struct kb_txns *x)
{
    for (uint32_t i = 0; i < x->limits.partitions; i++) {
        if (kb_tx_owned(x, (int32_t)i)->loading) {
            return false;
        }
    }
    for (uint32_t row = 1; row <= x->tables[KB_X_TXN].high; row++) {
        if (kb_tx(x, row)->row.used && kb_tx(x, row)->pending != KB_TX_NONE) {
            return false;
        }
    }
    return kb_tx_left(x, KB_X_APPEND) == x->limits.appends;
}

/* ---- digest ---- */

static uint64_t mix(uint64_t h, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        h = (h ^ ((const uint8_t *)bytes)[i]) * 1099511628211u;
    }
    return h;
}
static uint64_t mix_number(uint64_t h, int64_t n)
{
    return mix(h, &n, sizeof n);
}

static const uint64_t SEED = 14695981039346656037u;

static uint64_t parts_digest(const struct kb_txns *x, const struct kb_tx *p)
{
    uint64_t sum = 0;

    for (uint32_t topic = p->topics.first; topic != 0; topic = kb_tx_topic(x, topic)->row.next) {
        const struct kb_tx_topic *t = kb_tx_topic(x, topic);
        for (uint32_t part = t->parts.first; part != 0; part = kb_tx_part(x, part)->row.next) {
            sum += mix_number(mix(SEED, kb_tx_name(t), strlen(kb_tx_name(t))),
                              kb_tx_part(x, part)->partition);
        }
    }
    return sum;
}

uint64_t kb_txns_digest(const struct kb_txns *x, int32_t partition)
{
    uint64_t sum = 0;

    for (uint32_t row = kb_tx_owned(x, partition)->txns.first; row != 0;
         row = kb_tx(x, row)->row.next) {
        const struct kb_tx *p = kb_tx(x, row);
        uint64_t h = mix(SEED, kb_tx_id(p), strlen(kb_tx_id(p)));
        h = mix_number(mix_number(h, p->now.producer_id), p->now.epoch);
        h = mix_number(mix_number(h, p->now.timeout_ms), p->state);
        h = mix_number(mix_number(h, p->now.start_ms), p->now.update_ms);
        sum += mix_number(h, (int64_t)parts_digest(x, p));
    }
    return sum;
}

/* ---- check ---- */

static void check_list(const struct kb_txns *x, const struct kb_tx_list *list,
                       enum kb_tx_places place, uint32_t broker)
{
    uint32_t before = 0;

    for (uint32_t part = list->first; part != 0; part = kb_tx_part(x, part)->marker[1]) {
        const struct kb_tx_part *p = kb_tx_part(x, part);
        const struct kb_tx *txn = kb_tx(x, kb_tx_txn_of(x, p));
        assert(p->row.used);
        assert(p->place == place);
        assert(p->broker == broker);
        assert(p->marker[0] == before);
        assert(txn->state == KB_TXN_PREPARE_COMMIT || txn->state == KB_TXN_PREPARE_ABORT);
        before = part;
    }
    assert(list->last == before);
}

static void check_parts(const struct kb_txns *x, uint32_t txn)
{
    const struct kb_tx *p = kb_tx(x, txn);
    uint32_t topics = 0, parts = 0;

    for (uint32_t topic = p->topics.first; topic != 0; topic = kb_tx_topic(x, topic)->row.next) {
        const struct kb_tx_topic *t = kb_tx_topic(x, topic);
        uint32_t count = 0;
        assert(t->txn == txn);
        assert(kb_tx_topic_find(x, txn, kb_tx_name(t)) == topic);
        for (uint32_t part = t->parts.first; part != 0; part = kb_tx_part(x, part)->row.next) {
            assert(kb_tx_part_find(x, topic, kb_tx_part(x, part)->partition) == part);
            assert(!kb_tx_part(x, part)->fresh || p->pending == KB_TXN_ONGOING);
            count++;
        }
        assert(count == t->count);
        parts += count;
        topics++;
    }
    assert(parts == p->parts);
    assert(topics == p->topic_count);
}

static void check_txn(const struct kb_txns *x, uint32_t txn, int32_t partition)
{
    const struct kb_tx *p = kb_tx(x, txn);
    const struct kb_tx_owned *o = kb_tx_owned(x, partition);

    assert(p->row.used);
    assert(p->partition == partition);
    assert(kb_tx_find(x, kb_tx_id(p)) == txn);
    assert(p->pending == KB_TX_NONE || o->owned);
    assert(p->pending == KB_TX_NONE ||
           kb_txn_may((enum kb_txn_state)p->state, (enum kb_txn_state)p->pending));
    if (p->append != 0) {
        const struct kb_tx_append *a = kb_tx_append(x, p->append);
        assert(a->row.used);
        assert(a->txn == 0 || (a->txn == txn && a->serial == p->serial));
        assert(p->pending != KB_TX_NONE);
    }
    if (p->state == KB_TXN_EMPTY || p->state == KB_TXN_COMPLETE_COMMIT ||
        p->state == KB_TXN_COMPLETE_ABORT) {
        assert(p->parts == 0 || p->pending == KB_TXN_ONGOING || o->loading);
    }
    check_parts(x, txn);
}

void kb_txns_check(const struct kb_txns *x)
{
    uint32_t txns = 0, ongoing = 0;

    for (uint32_t i = 0; i < x->limits.partitions; i++) {
        const struct kb_tx_owned *o = kb_tx_owned(x, (int32_t)i);
        uint32_t before = 0;
        assert(!o->owned || !o->loading);
        assert(o->txns.first == 0 || o->owned || o->loading);
        for (uint32_t txn = o->txns.first; txn != 0; txn = kb_tx(x, txn)->row.next) {
            assert(kb_tx(x, txn)->before == before);
            check_txn(x, txn, (int32_t)i);
            ongoing += kb_tx(x, txn)->state == KB_TXN_ONGOING;
            txns++;
            before = txn;
        }
        assert(o->txns.last == before);
    }
    assert(txns == x->txns);
    assert(ongoing == x->ongoing);
    check_list(x, &x->homeless, KB_P_HOMELESS, 0);
    check_list(x, &x->again, KB_P_AGAIN, 0);
    for (uint32_t row = 1; row <= x->tables[KB_X_BROKER].high; row++) {
        const struct kb_tx_broker *b = kb_tx_broker(x, row);
        if (b->row.used) {
            assert(kb_tx_broker_find(x, b->id) == row);
            assert(b->sent.first == 0 || b->correlation != 0);
            check_list(x, &b->queued, KB_P_QUEUED, row);
            check_list(x, &b->sent, KB_P_SENT, row);
        }
    }
}
