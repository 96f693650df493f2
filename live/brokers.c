/*
 * What the controller says to brokers, as bytes, and what they answer.
 *
 *     batch ──► head: size, header, message up to the broker epoch   each recipient's own
 *          └──► rest of the message                                  UpdateMetadata: shared
 *
 * A batch is encoded when its request is sent, not before: bytes of 100,000 partitions exist only
 * while they are on their way. The body of an UpdateMetadata is kept until all its recipients have
 * had it or a later one is sent.
 *
 * Source: Kafka RequestSendThread.doWork,
 * AbstractControllerBrokerRequestBatch.sendRequestsToBrokers (versions at
 * inter.broker.protocol.version 2.6).
 */
#define _GNU_SOURCE
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "live/process_state.h"
#include "sim/allocate.h"
#include "wire/batch_codec.h"
#include "wire/frame.h"

/* The kind and version that an API has. */
static struct wire_batch_request how_to_say(const struct live_process *p,
                                            const struct wire_batch *batch, int32_t api,
                                            const struct wire_broker *broker)
{
    struct wire_batch_request q = {.batch = batch,
                                   .kind = WIRE_RECORD_STOP_REPLICA,
                                   .index = broker->index,
                                   .version = 3,
                                   .listener = p->options.settings.inter_broker_listener};
    if (api == WIRE_API_LEADER_AND_ISR) {
        q.kind = WIRE_RECORD_LEADER_AND_ISR;
        q.version = 4;
    } else if (api == WIRE_API_UPDATE_METADATA) {
        q.kind = WIRE_RECORD_UPDATE_METADATA;
        q.version = 6;
    }
    return q;
}

/* ---- bytes ---- */

static struct live_body *try_encode(const struct wire_batch_request *q, void *scratch, size_t *size,
                                    size_t *epoch_at)
{
    struct live_body *body = live_body_new(*size);
    enum sm_err err = wire_batch_encode(q, scratch, body->bytes, *size, size, epoch_at);
    if (err == SM_ERR_OK) {
        body = sim_realloc(body, sizeof *body + *size);
        body->size = *size;
        return body;
    }
    assert(err == SM_ERR_LIMIT);
    live_body_release(body);
    return NULL;
}

/* The guess is about right where topics have a few partitions; else the second try is. */
static struct live_body *encode(const struct wire_batch_request *q, size_t *epoch_at)
{
    bool is_whole = q->kind == WIRE_RECORD_UPDATE_METADATA;
    size_t size = 1024 + (is_whole ? q->batch->size / 2 : q->batch->size / 4);
    void *scratch = sim_realloc(NULL, wire_batch_scratch_size(q->batch) + 8);
    struct live_body *body = NULL;
    while (body == NULL)
        body = try_encode(q, scratch, &size, epoch_at);
    free(scratch);
    return body;
}

static void drop_shared(struct live_process *p)
{
    live_body_release(p->shared.body);
    p->shared = (struct live_shared){0};
}

static uint32_t count_recipients(const struct wire_batch *b, enum wire_record_kind kind)
{
    uint32_t count = 0;
    const uint64_t *sets = (const uint64_t *)(const void *)((const uint8_t *)b + b->sets);
    const uint64_t *set = sets + (size_t)(kind - WIRE_RECORD_LEADER_AND_ISR) * b->set_words;
    for (uint32_t i = 0; i < b->set_words; i++)
        count += (uint32_t)__builtin_popcountll(set[i]);
    return count;
}

static struct live_body *encode_shared(struct live_process *p, const struct wire_batch_request *q,
                                       size_t *epoch_at)
{
    struct live_shared *s = &p->shared;
    if (s->batch_id != q->batch->id) {
        drop_shared(p);
        s->batch_id = q->batch->id;
        s->body = encode(q, &s->epoch_at);
        s->left = count_recipients(q->batch, q->kind);
    }
    struct live_body *body = s->body;
    *epoch_at = s->epoch_at;
    body->references++;
    s->left -= s->left > 0;
    if (s->left == 0)
        drop_shared(p);
    return body;
}

/* Size, header and the message up to the broker epoch, which differs from broker to broker. */
static void write_head(const struct live_process *p, struct live_request *r, int16_t version,
                       size_t epoch_at, int64_t broker_epoch)
{
    char client_id[16];
    int id_size = snprintf(client_id, sizeof client_id, "%d", p->id);
    struct wire_request_header header = {.api = (int16_t)r->api,
                                         .version = version,
                                         .correlation_id = (int32_t)(r->correlation & INT32_MAX),
                                         .client_id = client_id,
                                         .client_id_size = id_size};
    size_t used = 0, own = epoch_at + 8;
    enum sm_err err = wire_request_header_encode(&header, r->head, sizeof r->head, &used);
    assert(err == SM_ERR_OK);
    assert(used + own <= sizeof r->head);
    assert(own <= r->body->size);
    memcpy(r->head + used, r->body->bytes, own);
    wire_batch_patch_epoch(r->head + used, epoch_at, broker_epoch);
    r->head_size = used + own;
    r->body_from = own;
    wire_frame_finish(r->head, used + r->body->size);
}

/* ---- sending ---- */

static bool find_address(const struct live_process *p, const struct wire_broker *broker,
                         struct live_address *out)
{
    struct sm_broker b;
    wire_broker_decode(broker, &b);
    for (int32_t i = 0; i < b.endpoint_count; i++) {
        const struct sm_endpoint *e = &b.endpoint[i];
        if (strcmp(e->listener, p->options.settings.inter_broker_listener) != 0)
            continue;
        memcpy(out->host, e->host, sizeof out->host);
        out->port = e->port;
        return true;
    }
    return false;
}

static void send_failed(struct live_process *p, int32_t broker_id, uint64_t correlation,
                        uint64_t record)
{
    live_take(p, &(struct kn_input){.kind = KN_IN_SEND_FAILED,
                                    .record = record,
                                    .broker_id = broker_id,
                                    .correlation = correlation});
}

void live_brokers_send(struct live_process *p, const struct kc_output *o, uint64_t record)
{
    const struct wire_broker *broker = wire_batch_broker(o->batch, o->broker_id);
    struct live_request r = {
        .broker_id = o->broker_id, .api = o->api, .tag = record, .correlation = o->correlation};
    size_t epoch_at = 0;
    assert(broker != NULL);
    if (!find_address(p, broker, &r.address)) {
        live_log(p->logs, KC_ERROR, "broker %d has no listener %s", o->broker_id,
                 p->options.settings.inter_broker_listener);
        send_failed(p, o->broker_id, o->correlation, record);
        return;
    }
    struct wire_batch_request q = how_to_say(p, o->batch, o->api, broker);
    r.body = q.kind == WIRE_RECORD_UPDATE_METADATA ? encode_shared(p, &q, &epoch_at)
                                                   : encode(&q, &epoch_at);
    write_head(p, &r, q.version, epoch_at, broker->epoch);
    live_channel_send(p->channels, &r);
}

void live_brokers_close(struct live_process *p, int32_t broker_id)
{
    live_channel_close(p->channels, broker_id);
}

/* ---- answers ---- */

/* Reads an answer; false where it makes no sense. The items are owned by the caller. */
static bool read_answer(const struct live_process *p, const struct wire_batch *batch,
                        const struct live_request *r, const uint8_t *bytes, size_t size,
                        struct wire_answer_item **items, struct wire_answer *answer)
{
    const struct wire_broker *broker = wire_batch_broker(batch, r->broker_id);
    int32_t correlation;
    size_t body = 0;
    if (broker == NULL)
        return false;
    struct wire_batch_request q = how_to_say(p, batch, r->api, broker);
    if (wire_response_header_decode((int16_t)r->api, q.version, bytes, size, &correlation, &body) !=
        SM_ERR_OK)
        return false;
    void *scratch = sim_realloc(NULL, wire_batch_scratch_size(batch) + 8);
    uint32_t capacity = 0;
    enum sm_err err = SM_ERR_LIMIT;
    while (err == SM_ERR_LIMIT) {
        *items = sim_realloc(*items, capacity * sizeof **items);
        err = wire_answer_decode(&q, bytes + body, size - body, scratch, *items, capacity, answer);
        capacity = answer->count;
    }
    free(scratch);
    return err == SM_ERR_OK;
}

static void on_answered(void *context, const struct live_request *r, const uint8_t *bytes,
                        size_t size)
{
    struct live_process *p = context;
    const struct wire_batch *batch =
        kc_batch_in_flight(p->node.controller, r->broker_id, r->correlation);
    struct wire_answer answer = {0};
    struct wire_answer_item *items = NULL;
    if (batch == NULL)
        return; /* the controller has given that request up */
    if (!read_answer(p, batch, r, bytes, size, &items, &answer)) {
        live_log(p->logs, KC_ERROR, "the answer of broker %d to %s cannot be read", r->broker_id,
                 wire_api_name((enum wire_api)r->api));
        live_channel_close(p->channels, r->broker_id);
        send_failed(p, r->broker_id, r->correlation, r->tag);
        free(items);
        return;
    }
    uint64_t record =
        live_trace_answer(p->trace, live_now(p), r->broker_id, r->api, r->tag, &answer);
    live_take(p, &(struct kn_input){.kind = KN_IN_ANSWER,
                                    .record = record,
                                    .broker_id = r->broker_id,
                                    .correlation = r->correlation,
                                    .answer = &answer});
    free(items);
}

static void on_failed(void *context, const struct live_request *r, const char *why)
{
    struct live_process *p = context;
    live_log(p->logs, KC_WARN, "%s to broker %d (%s:%d): %s", wire_api_name((enum wire_api)r->api),
             r->broker_id, r->address.host, r->address.port, why);
    send_failed(p, r->broker_id, r->correlation,
                live_trace_send_failed(p->trace, live_now(p), r->tag, why));
}

void live_brokers_open(struct live_process *p)
{
    struct live_channels_config config = {
        .connect_timeout_us = p->options.settings.kafka.socket_timeout_us,
        .request_timeout_us = p->options.settings.request_timeout_us,
        .answered = on_answered,
        .failed = on_failed,
        .context = p,
    };
    p->channels = live_channels_new(&p->loop, &config);
}
