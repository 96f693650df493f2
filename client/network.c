/*
 * Brokers, connections to them, requests under way.
 *
 *     down ──► asked (ApiVersions is under way) ──► up
 *      ▲          │ broke, no answer                │ broke, or a request timed out
 *      └──────────┴─────────────────────────────────┘   after a pause that doubles, with jitter
 *
 * A connection is made when somebody wants to send. The requests of a broker hang in a list in the
 * order in which they were sent, which is the order in which their answers come; when the
 * connection breaks they fail in that order.
 *
 * Source: rdkafka_broker.c: rd_kafka_broker_thread_main, rd_kafka_broker_update_reconnect_backoff,
 * rd_kafka_broker_fail, rd_kafka_broker_timeout_scan, rd_kafka_connect_any.
 */
#include "client/state.h"

#include <assert.h>
#include <string.h>

enum { API_VERSIONS_MS = 10000 }; /* api.version.request.timeout.ms */

uint32_t kl_broker_find(const struct kl_client *c, int32_t id)
{
    /* Rows are made in the order in which metadata tells the brokers, mostly 1, 2, 3 … */
    if (id >= 1 && (uint32_t)id <= c->broker_count && kl_broker_at(c, (uint32_t)id)->id == id) {
        return (uint32_t)id;
    }
    for (uint32_t i = 1; i <= c->broker_count; i++) {
        if (kl_broker_at(c, i)->id == id) {
            return i;
        }
    }
    return 0;
}

uint32_t kl_broker_add(struct kl_client *c, int32_t id)
{
    uint32_t row = kl_broker_find(c, id);

    if (row != 0 || id < 0) {
        return row;
    }
    assert(c->broker_count < c->limits.brokers);
    row = ++c->broker_count;
    *kl_broker_at(c, row) =
        (struct kl_broker){.id = id, .backoff_ms = c->config.reconnect_backoff_ms};
    return row;
}

/* ---- connections ---- */

/* Rule reconnect-backoff. */
static void plan_reconnect(struct kl_turn *t, struct kl_broker *b)
{
    const struct kl_config *config = &t->c->config;
    int64_t most = config->reconnect_backoff_max_ms;

    if (b->reconnect_us + most * KL_MS < t->now) {
        b->backoff_ms = config->reconnect_backoff_ms;
    }
    int64_t low = (int64_t)b->backoff_ms * 3 / 4, high = (int64_t)b->backoff_ms * 3 / 2;
    int64_t backoff = low + (int64_t)kl_below(t->c, (uint64_t)(high - low + 1));
    backoff = backoff < most ? backoff : most;
    b->reconnect_us = t->now + backoff * KL_MS;
    b->backoff_ms = (int32_t)((int64_t)b->backoff_ms * 2 < most ? b->backoff_ms * 2 : most);
}

static void connect_to(struct kl_turn *t, uint32_t row)
{
    struct kl_broker *b = kl_broker_at(t->c, row);
    struct wire_flat f;

    plan_reconnect(t, b);
    b->link = KL_LINK_ASKED;
    b->since = t->c->correlations + 1;
    struct wire_api_versions_request *q = kl_begin(t, &f, WIRE_API_API_VERSIONS);
    q->client_software_name = wire_flat_string(&f, "librdkafka");
    q->client_software_version = wire_flat_string(&f, "2.0.2");
    kl_send(t, row, &f, WIRE_API_API_VERSIONS, 3, API_VERSIONS_MS);
}

static void try_connect(struct kl_turn *t, uint32_t row)
{
    struct kl_broker *b = kl_broker_at(t->c, row);

    if (b->link != KL_LINK_DOWN) {
        return;
    }
    if (b->reconnect_us > t->now) {
        kl_due(t, b->reconnect_us);
    } else if (kl_may_send(t)) {
        connect_to(t, row);
    }
}

bool kl_broker_ready(struct kl_turn *t, uint32_t row)
{
    const struct kl_broker *b = kl_broker_at(t->c, row);

    try_connect(t, row);
    return b->link == KL_LINK_UP && b->in_flight < (uint32_t)t->c->config.max_in_flight;
}

static uint32_t pick(struct kl_turn *t, enum kl_link link, int64_t reconnect_us)
{
    uint32_t count = 0;

    for (uint32_t i = 1; i <= t->c->broker_count; i++) {
        const struct kl_broker *b = kl_broker_at(t->c, i);
        count += b->link == link && b->reconnect_us <= reconnect_us;
    }
    if (count == 0) {
        return 0;
    }
    uint64_t chosen = kl_below(t->c, count);
    for (uint32_t i = 1; i <= t->c->broker_count; i++) {
        const struct kl_broker *b = kl_broker_at(t->c, i);
        if (b->link == link && b->reconnect_us <= reconnect_us && chosen-- == 0) {
            return i;
        }
    }
    return 0;
}

/* Rule connect-any: while none is up, another one is tried every now and then, be one asked or not.
 */
static void connect_any(struct kl_turn *t)
{
    int32_t pause_ms = t->c->config.reconnect_backoff_ms / 2;
    uint32_t row;

    pause_ms = pause_ms < 11 ? 11 : pause_ms > 1000 ? 1000 : pause_ms;
    if (t->c->connect_us > t->now) {
        kl_due(t, t->c->connect_us);
        return;
    }
    if (!kl_may_send(t)) {
        return;
    }
    row = pick(t, KL_LINK_DOWN, t->now);
    if (row != 0) {
        connect_to(t, row);
        t->c->connect_us = t->now + pause_ms * KL_MS;
    }
    for (uint32_t i = 1; i <= t->c->broker_count; i++) {
        const struct kl_broker *b = kl_broker_at(t->c, i);
        if (b->link == KL_LINK_DOWN) {
            kl_due(t, b->reconnect_us > t->c->connect_us ? b->reconnect_us : t->c->connect_us);
        }
    }
}

uint32_t kl_broker_any(struct kl_turn *t)
{
    uint32_t row = pick(t, KL_LINK_UP, KL_NEVER);

    if (row == 0) {
        connect_any(t);
    } else if (!kl_broker_ready(t, row)) {
        return 0;
    }
    return row;
}

/* ---- sending ---- */

bool kl_may_send(struct kl_turn *t)
{
    if (t->c->requests_used < t->c->limits.requests) {
        return true;
    }
    t->more = true;
    return false;
}

void *kl_begin(struct kl_turn *t, struct wire_flat *f, int16_t api)
{
    void *head = wire_flat_begin(f, t->out->scratch, t->out->scratch_size / 2 & ~(size_t)7,
                                 wire_head_size(WIRE_REQUEST, api));
    wire_defaults(WIRE_REQUEST, api, head);
    return head;
}

void *kl_items(struct wire_flat *f, struct wire_array *a, int32_t count,
               const struct wire_layout *layout)
{
    *a = wire_flat_array(f, count, layout->size);
    uint8_t *items = wire_flat_at(f, a->at);
    for (int32_t i = 0; i < a->count; i++) {
        wire_defaults_of(layout, items + (size_t)i * layout->size);
    }
    return items;
}

static uint64_t put_request(struct kl_turn *t, const struct kl_broker *b, struct wire_flat *f,
                            int16_t api, int16_t version, bool expects)
{
    size_t size = wire_flat_end(f);

    assert(size > 0);
    kl_put(t, &(struct kl_output){.kind = KL_OUT_REQUEST,
                                  .broker_id = b->id,
                                  .correlation = ++t->c->correlations,
                                  .api = api,
                                  .version = version,
                                  .message = f->bytes,
                                  .size = size,
                                  .expects = expects});
    return t->c->correlations;
}

uint32_t kl_send(struct kl_turn *t, uint32_t broker, struct wire_flat *f, int16_t api,
                 int16_t version, int64_t timeout_ms)
{
    struct kl_broker *b = kl_broker_at(t->c, broker);
    uint32_t row = kl_request_new(t->c);
    struct kl_request *q = kl_request_at(t->c, row);

    q->correlation = put_request(t, b, f, api, version, true);
    q->sent_us = t->now;
    q->timeout_us = t->now + (timeout_ms < 0 ? t->c->config.socket_timeout_ms : timeout_ms) * KL_MS;
    q->broker = b->id;
    q->api = api;
    q->version = version;
    *(b->last == 0 ? &b->first : &kl_request_at(t->c, b->last)->next) = row;
    b->last = row;
    b->in_flight++;
    return row;
}

void kl_send_only(struct kl_turn *t, uint32_t broker, struct wire_flat *f, int16_t api,
                  int16_t version)
{
    put_request(t, kl_broker_at(t->c, broker), f, api, version, false);
}

/* ---- answers, and what comes in their place ---- */

/* Takes a request out of its broker's list. */
static struct kl_request take(struct kl_client *c, struct kl_broker *b, uint32_t before,
                              uint32_t row)
{
    struct kl_request q = *kl_request_at(c, row);

    *(before == 0 ? &b->first : &kl_request_at(c, before)->next) = q.next;
    if (b->last == row) {
        b->last = before;
    }
    b->in_flight--;
    if (b->fetch == q.correlation) {
        b->fetch = 0;
    }
    kl_request_free(c, row);
    q.next = 0;
    return q;
}

/* Rule broker-down: all under way there fails in order, the leaders are asked for anew. */
static void break_link(struct kl_turn *t, uint32_t row, int32_t error)
{
    struct kl_broker *b = kl_broker_at(t->c, row);
    bool was_up = b->link == KL_LINK_UP;
    uint32_t last = b->last, first;

    b->link = KL_LINK_DOWN;
    while ((first = b->first) != 0) {
        struct kl_request q = take(t->c, b, 0, first);
        kl_dispatch(t, &q, error, NULL);
        if (first == last) {
            break;
        }
    }
    if (was_up) {
        kl_metadata_all(t);
    }
}

static void on_api_versions(struct kl_turn *t, uint32_t row, int32_t error)
{
    struct kl_broker *b = kl_broker_at(t->c, row);

    if (error != 0) {
        break_link(t, row, KL_ERR_TRANSPORT);
        return;
    }
    b->link = KL_LINK_UP;
    b->connects++;
    t->c->metadata_brokers = 1; /* rd_kafka_broker_connect_up */
}

void kl_on_response(struct kl_turn *t)
{
    uint32_t broker = kl_broker_find(t->c, t->in->broker_id), before = 0;

    if (broker == 0) {
        return;
    }
    struct kl_broker *b = kl_broker_at(t->c, broker);
    for (uint32_t i = b->first; i != 0; before = i, i = kl_request_at(t->c, i)->next) {
        if (kl_request_at(t->c, i)->correlation != t->in->correlation) {
            continue;
        }
        struct kl_request q = take(t->c, b, before, i);
        assert(q.api == t->in->api);
        if (q.api == WIRE_API_API_VERSIONS) {
            const struct wire_api_versions_response *r = t->in->message;
            on_api_versions(t, broker, r->error_code);
        } else {
            kl_dispatch(t, &q, 0, t->in->message);
        }
        return;
    }
}

void kl_on_failed(struct kl_turn *t)
{
    uint32_t broker = kl_broker_find(t->c, t->in->broker_id);

    if (broker == 0 || kl_broker_at(t->c, broker)->link == KL_LINK_DOWN ||
        (t->in->correlation != 0 && t->in->correlation < kl_broker_at(t->c, broker)->since)) {
        return; /* an older connection */
    }
    break_link(t, broker, KL_ERR_TRANSPORT);
}

/* Rule socket-timeout: one request that times out costs the connection (socket.max.fails 1). */
void kl_serve_timeouts(struct kl_turn *t)
{
    for (uint32_t i = 1; i <= t->c->broker_count; i++) {
        struct kl_broker *b = kl_broker_at(t->c, i);
        bool late = false;
        for (uint32_t k = b->first; k != 0 && !late; k = kl_request_at(t->c, k)->next) {
            late = kl_request_at(t->c, k)->timeout_us <= t->now;
            kl_due(t, kl_request_at(t->c, k)->timeout_us);
        }
        if (late) {
            kl_put(t, &(struct kl_output){.kind = KL_OUT_HANG_UP, .broker_id = b->id});
            break_link(t, i, KL_ERR_TIMED_OUT);
        }
    }
}
