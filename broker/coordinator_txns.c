/*
 * The transaction coordinator in its broker: requests, events and time into its inputs, its outputs
 * into answers, batches, loads, markers to other brokers and timers.
 *
 *     InitProducerId ─► no id at hand ─► a slot waits for a block of ids ─► given again
 *
 * What it cannot know is told here: who leads a partition (the metadata cache), which producer ids
 * are free (cluster.c), what the clock says.
 *
 * Markers go out as requests to other brokers, to this one too, as in Kafka. Their correlations
 * have the upper bit here, those of the replicas have not.
 *
 * Source: Kafka KafkaApis.handleInitProducerIdRequest, handleAddPartitionToTxnRequest (the metadata
 * cache is asked there), MetadataCache.getPartitionLeaderEndpoint; TransactionCoordinator.apply
 * (its settings).
 */
#include <string.h>

#include "broker/by_topic.h"
#include "broker/coordinators.h"

static const uint64_t MARKERS_CORRELATION = (uint64_t)1 << 63;

struct kb_txns *kb_txns_of(const struct kb_broker *b)
{
    return (struct kb_txns *)(void *)kb_region(b, b->txns_at);
}

const struct kb_txns *kb_broker_txns(const struct kb_broker *b)
{
    return b->has_data ? kb_txns_of(b) : NULL;
}

struct kb_txns_config kb_txns_config_of(const struct kb_broker *b)
{
    struct kb_txns_config c = kb_txns_config_default();
    c.expiration_ms = kb_property_int(b, "transactional.id.expiration.ms");
    c.abort_check_us =
        kb_property_int(b, "transaction.abort.timed.out.transaction.cleanup.interval.ms") * 1000;
    c.expire_check_us =
        kb_property_int(b, "transaction.remove.expired.transaction.cleanup.interval.ms") * 1000;
    c.request_timeout_us = kb_property_int(b, "request.timeout.ms") * 1000;
    c.max_timeout_ms = (int32_t)kb_property_int(b, "transaction.max.timeout.ms");
    c.group_partitions = (int32_t)kb_property_int(b, "offsets.topic.num.partitions");
    return c;
}

/* ---- what it says ---- */

static void put_markers(struct kb_turn *t, const struct kb_txns_output *o)
{
    t->out->put(t->out->context,
                &(struct kb_broker_output){.kind = KB_BROKER_OUT_PEER_REQUEST,
                                           .by = t->in->record,
                                           .api = o->api,
                                           .version = o->version,
                                           .broker_id = o->broker_id,
                                           .correlation = o->correlation | MARKERS_CORRELATION,
                                           .message = o->message,
                                           .size = o->size});
}

static void put_append(struct kb_turn *t, const struct kb_txns_output *o)
{
    kb_coordinator_append(
        t, KB_COORDINATOR_TXNS,
        &(struct kb_coordinator_append){.append_id = o->append_id,
                                        .timeout_us = (int64_t)o->timeout_ms * 1000,
                                        .timestamp_ms = o->timestamp_ms,
                                        .producer_id = -1,
                                        .producer_epoch = -1,
                                        .base_sequence = -1,
                                        .acks = -1,
                                        .partition = o->partition,
                                        .count = o->count,
                                        .records = o->records});
}

static void put_one(void *context, const struct kb_txns_output *o)
{
    struct kb_turn *t = context;
    switch ((enum kb_txns_output_kind)o->kind) {
    case KB_TXNS_OUT_ANSWER:
        kb_data_call_answer(t, o->call_id, o->message, o->size);
        return;
    case KB_TXNS_OUT_APPEND:
        put_append(t, o);
        return;
    case KB_TXNS_OUT_LOAD:
        kb_coordinator_load(t, KB_COORDINATOR_TXNS, o->partition);
        return;
    case KB_TXNS_OUT_MARKERS:
        put_markers(t, o);
        return;
    case KB_TXNS_OUT_TIMER:
        kb_coordinator_arm(t, KB_COORDINATOR_TXNS, o->due_us);
        return;
    }
}

static int32_t leader_of(void *context, const char *topic, int32_t partition)
{
    const struct kb_turn *t = context;
    const struct kb_cache *c = kb_broker_cache(t->b);
    uint32_t at = kb_cache_topic(c, topic, strlen(topic));
    const struct kb_partition *p = at == KB_NO_TOPIC ? NULL : kb_cache_partition(c, at, partition);
    if (p == NULL)
        return KB_TXNS_NO_PARTITION;
    return kb_cache_live_id(c, p->leader) == NULL ? KB_TXNS_NO_LEADER : p->leader;
}

/* ---- what it is told ---- */

/* Which limit is short, told from those of others. */
static const char *of_txns(const char *short_of)
{
    static const char *const names[] = {"txns.transactions", "txns.topics",  "txns.parts",
                                        "txns.appends",      "txns.brokers", "txns.name",
                                        "txns.topic_name",   "txns.request"};
    return kb_coordinator_limit(names, sizeof names / sizeof names[0], short_of);
}

/* LIMIT with short_of "producer_id": none is at hand. */
static enum sm_err step(struct kb_turn *t, struct kb_txns_input in)
{
    struct kb_txns *x = kb_txns_of(t->b);
    struct kb_producer_ids *ids = &t->b->ids;
    size_t before = t->scratch_used;
    struct kb_txns_outputs out = {.put = put_one,
                                  .leader_of = leader_of,
                                  .context = t,
                                  .scratch =
                                      kb_turn_room(t, kb_txns_scratch_size(kb_txns_limits(x)))};
    in.wall_ms = kb_wall_ms(t);
    in.producer_id = ids->next <= ids->last ? ids->next : -1;
    enum sm_err err = kb_txns_step(x, t->now_us, &in, &out);
    if (err == SM_ERR_LIMIT)
        t->out->short_of = of_txns(out.short_of);
    ids->next += out.took_id;
    t->scratch_used = before;
    return err;
}

static enum sm_err start(struct kb_turn *t)
{
    return step(t, (struct kb_txns_input){.kind = KB_TXNS_START});
}

static enum sm_err on_timer(struct kb_turn *t)
{
    return step(t, (struct kb_txns_input){.kind = KB_TXNS_TIMER});
}

static enum sm_err load(struct kb_turn *t, int32_t partition, const struct kb_log_batch *batch)
{
    return step(t, (struct kb_txns_input){
                       .kind = KB_TXNS_LOAD, .partition = partition, .batches = batch, .count = 1});
}

/* ---- producer ids ---- */

static bool lacks_id(const struct kb_turn *t, enum sm_err err)
{
    return err == SM_ERR_LIMIT && strcmp(t->out->short_of, "producer_id") == 0;
}

/* Has a block of ids claimed. */
static void claim(struct kb_turn *t)
{
    int64_t id;
    bool had_one = kb_producer_id(t, &id);
    if (had_one) /* not so: there was none */
        t->b->ids.next--;
    t->out->short_of = NULL;
}

static enum sm_err on_waiter(struct kb_turn *t, uint64_t order)
{
    struct kb_slot *s = kb_slot_of_order(t->b, order);
    if (s == NULL || s->call_id == 0) {
        if (s != NULL)
            kb_slot_release(t->b, s);
        return SM_ERR_OK;
    }
    struct kb_txns_input in = {
        .kind = KB_TXNS_REQUEST,
        .api = (int16_t)s->api,
        .version = s->version,
        .message = kb_request_of(t->b, s),
        .message_size = s->area[KB_AREA_REQUEST].size,
        .call_id = kb_data_call_new(t, (struct kb_data_call){.call_id = s->call_id,
                                                             .record = s->record,
                                                             .api = s->api,
                                                             .version = s->version})};
    if (in.call_id == 0)
        return SM_ERR_LIMIT;
    enum sm_err err = step(t, in);
    if (err != SM_ERR_OK)
        kb_data_call_cancel(t, in.call_id);
    if (lacks_id(t, err)) {
        claim(t);
        return SM_ERR_OK;
    }
    if (err == SM_ERR_OK)
        kb_slot_release(t->b, s);
    return err;
}

static enum sm_err hear(struct kb_turn *t, const struct kb_event *e)
{
    struct kb_txns_input in = {
        .partition = e->partition, .epoch = e->epoch, .error = e->error, .append_id = e->append_id};
    switch ((enum kb_event_kind)e->kind) {
    case KB_EVENT_ELECTED:
        in.kind = KB_TXNS_ELECTED;
        break;
    case KB_EVENT_RESIGNED:
        in.kind = KB_TXNS_RESIGNED;
        break;
    case KB_EVENT_APPENDED:
        in.kind = KB_TXNS_APPENDED;
        break;
    case KB_EVENT_METADATA:
        in.kind = KB_TXNS_METADATA;
        break;
    case KB_EVENT_LOADED:
        in.kind = KB_TXNS_LOADED;
        break;
    case KB_EVENT_WAITER:
        return on_waiter(t, e->append_id);
    case KB_EVENT_APPEND:
    case KB_EVENT_MARKER: /* there are none in its log */
    case KB_EVENT_MARKERS_WRITE:
    case KB_EVENT_MARKERS_WRITTEN:
        return SM_ERR_OK;
    }
    return step(t, in);
}

bool kb_txns_asked(uint64_t correlation)
{
    return (correlation & MARKERS_CORRELATION) != 0;
}

enum sm_err kb_txns_on_peer(struct kb_turn *t)
{
    struct kb_txns_input in = {.kind = KB_TXNS_SEND_FAILED,
                               .correlation = t->in->correlation & ~MARKERS_CORRELATION};
    if (t->in->kind == KB_BROKER_IN_PEER_RESPONSE && t->in->message != NULL &&
        t->in->api == WIRE_API_WRITE_TXN_MARKERS) {
        in.kind = KB_TXNS_ANSWERED;
        in.message = t->in->message;
        in.message_size = (uint32_t)t->in->size;
    }
    return step(t, in);
}

/* ---- requests ---- */

static bool serves(int32_t api, int32_t version)
{
    (void)version;
    return api == WIRE_API_INIT_PRODUCER_ID || api == WIRE_API_ADD_PARTITIONS_TO_TXN ||
           api == WIRE_API_ADD_OFFSETS_TO_TXN || api == WIRE_API_END_TXN;
}

static void judge(struct kb_turn *t, const void *message, struct wire_string topic,
                  const void *partition, void *item)
{
    int32_t number;
    memcpy(&number, partition, sizeof number);
    *(uint8_t *)item = kb_data_unknown(t, message, topic, number) != 0;
}

static const uint8_t *unknown_of(struct kb_turn *t)
{
    const struct kb_shape shape =
        KB_NUMBERS(add_partitions_to_txn_request, topic, name, partitions);
    const struct wire_add_partitions_to_txn_request *q = t->in->message;
    uint32_t count;
    return t->in->api == WIRE_API_ADD_PARTITIONS_TO_TXN
               ? kb_topics_read(t, q, q->topics, &shape, 1, judge, &count)
               : NULL;
}

static enum sm_err on_request(struct kb_turn *t)
{
    const struct wire_init_producer_id_request *q = t->in->message;
    if (t->in->api == WIRE_API_INIT_PRODUCER_ID && q->transactional_id.size < 0) {
        kb_begin_init_producer_id(t); /* any broker gives a producer without transactions its id */
        return SM_ERR_OK;
    }
    struct kb_txns_input in = {.kind = KB_TXNS_REQUEST,
                               .api = (int16_t)t->in->api,
                               .version = (int16_t)t->in->version,
                               .message = t->in->message,
                               .message_size = (uint32_t)t->in->size,
                               .unknown = unknown_of(t),
                               .call_id = kb_data_call_open(t)};
    if (in.call_id == 0)
        return SM_ERR_LIMIT;
    enum sm_err err = step(t, in);
    if (err != SM_ERR_OK)
        kb_data_call_cancel(t, in.call_id);
    if (!lacks_id(t, err))
        return err;
    kb_slot_take(t, 0, 0)->phase = KB_PHASE_PRODUCER_ID;
    claim(t);
    return SM_ERR_OK;
}

/* ---- room ---- */

static uint32_t most(const struct kb_broker *b)
{
    return kb_txns_limits(kb_txns_of(b))->appends + 8;
}

/* The state's own, the bytes of `unknown`, and a batch of what it asks to append. */
static size_t scratch(const struct kb_broker *b)
{
    const struct kb_txns_limits *l = kb_txns_limits(kb_txns_of(b));
    return 3 * kb_txns_scratch_size(l) + 64 * (size_t)l->transactions;
}

static uint32_t partitions(const struct kb_broker *b)
{
    return b->limits.txns.partitions;
}

const struct kb_coordinator_row kb_txns_row = {
    .topic = "__transaction_state",
    .partitions = partitions,
    .serves = serves,
    .start = start,
    .request = on_request,
    .hear = hear,
    .load = load,
    .timer = on_timer,
    .most = most,
    .scratch = scratch,
};
