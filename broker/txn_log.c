/*
 * The log of transactions: records out, records in.
 *
 *     key 0 | transactional id    value 0 | producer id | epoch | timeout | state | partitions
 *                                         | last update | start
 *
 * Numbers are big-endian, strings have a 16-bit length, arrays a 32-bit one. Partitions stand
 * grouped by topic, in the order in which they were added (Kafka: in that of a hash map); Empty has
 * a null array, Complete an empty one. What is not in a record, a new coordinator does not know:
 * the epoch and producer id of before.
 *
 * Differs: a record that cannot be read is passed over; Kafka ends the loading of the partition
 * there and goes on with what it has.
 *
 * Source: TransactionLog, TransactionStateManager.appendTransactionToLog, loadTransactionMetadata;
 * TransactionLogKey.json, TransactionLogValue.json.
 */
#include "broker/replicas.h"
#include "broker/txn_state.h"

/* ---- out ---- */

struct kb_tx_append *kb_tx_append_add(const struct kb_tstep *s, enum kb_tx_append_kind kind,
                                      uint32_t txn)
{
    struct kb_txns *x = s->x;
    uint32_t row = kb_tx_take(x, KB_X_APPEND);
    struct kb_tx_append *a = kb_tx_append(x, row);

    assert(row <= KB_APPEND_ROW_MASK);
    a->id = ++x->serial << KB_APPEND_ROW_BITS | row;
    a->kind = kind;
    a->txn = txn;
    if (txn != 0) {
        struct kb_tx *p = kb_tx(x, txn);
        a->serial = p->serial;
        a->partition = p->partition;
        a->epoch = kb_tx_owned(x, p->partition)->epoch;
        p->append = row;
    }
    return a;
}

static void put_partitions(struct wire_writer *w, const struct kb_txns *x, const struct kb_tx *p)
{
    wire_put_int32(w, (int32_t)p->topic_count);
    for (uint32_t topic = p->topics.first; topic != 0; topic = kb_tx_topic(x, topic)->row.next) {
        const struct kb_tx_topic *t = kb_tx_topic(x, topic);
        wire_put_string(w, kb_tx_name(t), strlen(kb_tx_name(t)));
        wire_put_int32(w, (int32_t)t->count);
        for (uint32_t part = t->parts.first; part != 0; part = kb_tx_part(x, part)->row.next) {
            wire_put_int32(w, kb_tx_part(x, part)->partition);
        }
    }
}

static void put_key(struct wire_writer *w, const char *id)
{
    wire_put_int16(w, 0);
    wire_put_string(w, id, strlen(id));
}

static void put_append(const struct kb_tstep *s, const struct kb_tx_append *a,
                       const struct kb_log_record *records, uint32_t count, int32_t timeout_ms)
{
    s->out->put(s->out->context, &(struct kb_txns_output){.kind = KB_TXNS_OUT_APPEND,
                                                          .append_id = a->id,
                                                          .partition = a->partition,
                                                          .records = records,
                                                          .count = count,
                                                          .timestamp_ms = s->in->wall_ms,
                                                          .timeout_ms = timeout_ms});
}

void kb_tx_write(const struct kb_tstep *s, uint32_t txn, const struct kb_tx_append *a)
{
    const struct kb_tx *p = kb_tx(s->x, txn);
    struct wire_writer w = {.bytes = s->out->scratch,
                            .capacity = kb_txns_scratch_size(&s->x->limits)};
    struct kb_log_record record = {.key = w.bytes};

    put_key(&w, kb_tx_id(p));
    record.key_size = (int32_t)w.used;
    record.value = w.bytes + w.used;
    wire_put_int16(&w, 0);
    wire_put_int64(&w, p->to.producer_id);
    wire_put_int16(&w, p->to.epoch);
    wire_put_int32(&w, p->to.timeout_ms);
    wire_put_int8(&w, p->pending);
    if (p->pending == KB_TXN_EMPTY) {
        wire_put_int32(&w, -1);
    } else if (p->pending == KB_TXN_COMPLETE_COMMIT || p->pending == KB_TXN_COMPLETE_ABORT) {
        wire_put_int32(&w, 0);
    } else {
        put_partitions(&w, s->x, p);
    }
    wire_put_int64(&w, p->to.update_ms);
    wire_put_int64(&w, p->to.start_ms);
    assert(w.used <= w.capacity);
    record.value_size = (int32_t)w.used - record.key_size;
    put_append(s, a, &record, 1, p->to.timeout_ms);
}

struct kb_tx_tombstones kb_tx_tombstones_begin(const struct kb_tstep *s)
{
    size_t list = sizeof(struct kb_log_record) * s->x->limits.transactions;

    return (struct kb_tx_tombstones){
        .list = s->out->scratch,
        .w = {.bytes = (uint8_t *)s->out->scratch + list,
              .capacity = kb_txns_scratch_size(&s->x->limits) - list},
    };
}

void kb_tx_tombstone(struct kb_tx_tombstones *t, const char *id)
{
    size_t start = t->w.used;

    put_key(&t->w, id);
    assert(t->w.used <= t->w.capacity);
    t->list[t->count++] = (struct kb_log_record){
        .key = t->w.bytes + start, .key_size = (int32_t)(t->w.used - start), .value_size = -1};
}

void kb_tx_tombstones_put(const struct kb_tstep *s, const struct kb_tx_tombstones *t,
                          const struct kb_tx_append *a)
{
    put_append(s, a, t->list, t->count, (int32_t)(s->x->config.request_timeout_us / 1000));
}

/* ---- in ---- */

struct text { /* of a record: not NUL-terminated */
    const char *at;
    int32_t size;
};

static struct text take_text(struct wire_reader *r)
{
    struct text t = {.size = wire_take_length(r, 2)};

    t.at = t.size < 0 ? NULL : (const char *)wire_take(r, (size_t)t.size);
    r->bad = r->bad || t.size < 0 || (t.size > 0 && memchr(t.at, 0, (size_t)t.size) != NULL);
    return t;
}

static char *keep_text(char *to, struct text t)
{
    if (t.size > 0) {
        memcpy(to, t.at, (size_t)t.size);
    }
    to[t.size] = 0;
    return to;
}

static bool read_key(const struct kb_log_record *record, struct text *id)
{
    struct wire_reader r = wire_reader_of(record->key, (size_t)record->key_size, false);
    int16_t version = wire_take_int16(&r);

    *id = take_text(&r);
    return !r.bad && version == 0;
}

struct value {
    struct kb_tx_values values;
    int8_t state;
    int32_t topics;          /* -1: null */
    struct wire_reader list; /* at the first topic */
};

/* Reads past the topic at `r`, which is counted; each has its partitions behind it. */
static struct text take_topic(struct wire_reader *r, int32_t *partitions)
{
    struct text name = take_text(r);

    *partitions = wire_take_length(r, 4);
    r->bad = r->bad || *partitions < 0;
    return name;
}

static bool read_value(const struct kb_log_record *record, struct value *v)
{
    struct wire_reader r = wire_reader_of(record->value, (size_t)record->value_size, false);
    int16_t version = wire_take_int16(&r);

    *v = (struct value){.values = {.producer_id = wire_take_int64(&r),
                                   .last_producer_id = -1,
                                   .last_epoch = KB_TX_NONE}};
    v->values.epoch = wire_take_int16(&r);
    v->values.timeout_ms = wire_take_int32(&r);
    v->state = (int8_t)wire_take_number(&r, 1);
    v->topics = wire_take_length(&r, 4);
    v->list = r;
    for (int32_t i = 0; i < v->topics && !r.bad; i++) {
        int32_t partitions;
        take_topic(&r, &partitions);
        wire_take(&r, partitions < 0 ? 0 : 4 * (size_t)partitions);
    }
    v->values.update_ms = wire_take_int64(&r);
    v->values.start_ms = wire_take_int64(&r);
    return !r.bad && version == 0 && v->values.producer_id >= 0 && v->values.epoch >= 0 &&
           v->state >= KB_TXN_EMPTY && v->state <= KB_TXN_COMPLETE_ABORT;
}

static void load_parts(const struct kb_tstep *s, uint32_t txn, struct value *v)
{
    for (int32_t i = 0; i < v->topics; i++) {
        int32_t partitions;
        char *name = keep_text(s->out->scratch, take_topic(&v->list, &partitions));
        for (int32_t n = 0; n < partitions; n++) {
            kb_tx_part_add(s->x, txn, name, wire_take_int32(&v->list), false);
        }
    }
}

static void load_record(const struct kb_tstep *s, const struct kb_log_record *record)
{
    struct kb_txns *x = s->x;
    struct text key;
    struct value v;

    if (!read_key(record, &key) || (record->value_size >= 0 && !read_value(record, &v))) {
        return;
    }
    char *id = keep_text(s->out->scratch, key);
    if (kb_coordinator_partition(id, x->limits.partitions) != s->in->partition) {
        return;
    }
    uint32_t old = kb_tx_find(x, id);
    if (old != 0) {
        kb_tx_drop(x, old);
    }
    if (record->value_size < 0) {
        return;
    }
    uint32_t txn = kb_tx_add(x, id, s->in->partition);
    kb_tx_set_values(x, txn, &v.values);
    kb_tx(x, txn)->state = v.state; /* as a record says, not a move */
    x->ongoing += v.state == KB_TXN_ONGOING;
    if (v.state >= KB_TXN_ONGOING && v.state <= KB_TXN_PREPARE_ABORT) {
        load_parts(s, txn, &v);
    }
}

void kb_tx_on_load(const struct kb_tstep *s)
{
    if (!kb_tx_owned(s->x, s->in->partition)->loading) {
        return;
    }
    for (uint32_t n = 0; n < s->in->count; n++) {
        const struct kb_log_batch *b = &s->in->batches[n];
        for (uint32_t i = 0; (b->flags & KB_CONTROL) == 0 && i < b->count; i++) {
            load_record(s, &b->records[i]);
        }
    }
}

/* What a record could add: nothing that it replaces counts. */
static const char *record_short(const struct kb_txns *x, const struct kb_log_record *record,
                                uint32_t *txns, uint32_t *topics, uint32_t *parts)
{
    struct text key;
    struct value v;

    if (!read_key(record, &key)) {
        return NULL;
    }
    if (key.size >= (int32_t)x->limits.name) {
        return "name";
    }
    if (record->value_size < 0 || !read_value(record, &v)) {
        return NULL;
    }
    ++*txns;
    for (int32_t i = 0; i < v.topics; i++) {
        int32_t partitions;
        struct text name = take_topic(&v.list, &partitions);
        wire_take(&v.list, 4 * (size_t)partitions);
        if (name.size >= (int32_t)x->limits.topic_name) {
            return "topic_name";
        }
        ++*topics;
        *parts += (uint32_t)partitions;
    }
    return NULL;
}

const char *kb_tx_load_short(const struct kb_txns *x, const struct kb_txns_input *in)
{
    uint32_t txns = 0, topics = 0, parts = 0;
    const char *most = NULL;

    for (uint32_t n = 0; n < in->count && most == NULL; n++) {
        const struct kb_log_batch *b = &in->batches[n];
        for (uint32_t i = 0; (b->flags & KB_CONTROL) == 0 && i < b->count && most == NULL; i++) {
            most = record_short(x, &b->records[i], &txns, &topics, &parts);
        }
    }
    return most != NULL                         ? most
           : txns > kb_tx_left(x, KB_X_TXN)     ? "transactions"
           : topics > kb_tx_left(x, KB_X_TOPIC) ? "topics"
           : parts > kb_tx_left(x, KB_X_PART)   ? "parts"
                                                : NULL;
}
