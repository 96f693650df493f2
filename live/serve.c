/*
 * Requests in work, by connection; each holds what its response needs to be written.
 */
#define _GNU_SOURCE
#include "live/serve.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "live/process_state.h"
#include "sim/allocate.h"
#include "wire/batch_codec.h"
#include "wire/codec.h"
#include "wire/frame.h"
#include "wire/schema.h"

struct asked {
    uint64_t connection;
    int16_t api, version;
    int32_t correlation_id;
    struct wire_batch *batch; /* of another controller; owned */
    UT_hash_handle hh;
};

struct live_serve {
    struct live_process *process;
    struct asked *by_connection;
};

struct live_serve *live_serve_new(struct live_process *p)
{
    struct live_serve *s = sim_alloc(sizeof *s);
    s->process = p;
    return s;
}

static struct asked *find(const struct live_serve *s, uint64_t connection)
{
    struct asked *a;
    HASH_FIND(hh, s->by_connection, &connection, sizeof connection, a);
    return a;
}

static void forget(struct live_serve *s, struct asked *a)
{
    HASH_DEL(s->by_connection, a);
    free(a->batch);
    free(a);
}

static struct asked *remember(struct live_serve *s, const struct asked *from)
{
    struct asked *a = sim_alloc(sizeof *a);
    *a = *from;
    HASH_ADD(hh, s->by_connection, connection, sizeof a->connection, a);
    return a;
}

void live_serve_free(struct live_serve *s)
{
    struct asked *a, *next;
    if (s == NULL)
        return;
    HASH_ITER(hh, s->by_connection, a, next)
    forget(s, a);
    free(s);
}

/* ---- responses ---- */

/* Encodes a flat message and sends it; a message that its version cannot say closes. */
static void respond(struct live_serve *s, const struct asked *a, int16_t version,
                    const void *message)
{
    size_t used = 0;
    uint8_t *bytes = NULL;
    size_t capacity = 512;
    enum sm_err err = SM_ERR_LIMIT;
    for (int i = 0; i < 2 && err == SM_ERR_LIMIT; i++) {
        bytes = sim_realloc(bytes, capacity);
        err = wire_frame_response(a->api, version, a->correlation_id, message, bytes, capacity,
                                  &used);
        capacity = used;
    }
    if (err == SM_ERR_OK) {
        live_listener_answer(s->process->listener, a->connection, bytes, used);
        return;
    }
    live_log(s->process->logs, KC_ERROR, "the response to API %d version %d cannot be written",
             a->api, version);
    free(bytes);
    live_listener_close(s->process->listener, a->connection);
}

void live_serve_response(struct live_serve *s, uint64_t connection, const void *message)
{
    struct asked *a = find(s, connection);
    if (a == NULL)
        return;
    struct asked done = *a;
    forget(s, a);
    if (message != NULL)
        respond(s, &done, done.version, message);
    else
        live_listener_close(s->process->listener, connection);
}

/* ---- ApiVersions ---- */

/* In a version that nobody has: version 0, an error, and which versions there are. */
static void refuse_api_versions(struct live_serve *s, const struct asked *a)
{
    uint8_t bytes[256] __attribute__((aligned(8)));
    const struct wire_api_info *info = wire_api_info(WIRE_API_API_VERSIONS);
    struct wire_flat f;
    struct wire_api_versions_response *r = wire_flat_begin(&f, bytes, sizeof bytes, sizeof *r);
    wire_defaults(WIRE_RESPONSE, WIRE_API_API_VERSIONS, r);
    r->error_code = WIRE_ERROR_UNSUPPORTED_VERSION;
    r->api_keys = wire_flat_array(&f, 1, sizeof(struct wire_api_versions_response_api_key));
    struct wire_api_versions_response_api_key *key = wire_flat_at(&f, r->api_keys.at);
    *key = (struct wire_api_versions_response_api_key){info->key, info->min, info->max};
    bool fits = wire_flat_end(&f) != 0;
    assert(fits);
    respond(s, a, 0, r);
}

/* ---- what a controller tells the broker of this process ---- */

static bool is_from_controller(int16_t api)
{
    return api == WIRE_API_LEADER_AND_ISR || api == WIRE_API_UPDATE_METADATA ||
           api == WIRE_API_STOP_REPLICA;
}

/* The batch that a controller's request stands for; owned, NULL where it makes no sense. */
static struct wire_batch *read_batch(const struct live_serve *s, const struct asked *a,
                                     const uint8_t *bytes, size_t size)
{
    size_t used = 0, capacity = 4 * size + 1024;
    void *batch = NULL;
    enum sm_err err = SM_ERR_LIMIT;
    for (int i = 0; i < 2 && err == SM_ERR_LIMIT; i++) {
        batch = sim_realloc(batch, capacity);
        err = wire_batch_decode((enum wire_api)a->api, a->version, s->process->id, bytes, size,
                                batch, capacity, &used);
        capacity = used;
    }
    if (err == SM_ERR_OK)
        return batch;
    free(batch);
    return NULL;
}

static enum wire_record_kind kind_of(int16_t api)
{
    return api == WIRE_API_LEADER_AND_ISR    ? WIRE_RECORD_LEADER_AND_ISR
           : api == WIRE_API_UPDATE_METADATA ? WIRE_RECORD_UPDATE_METADATA
                                             : WIRE_RECORD_STOP_REPLICA;
}

static void respond_to_batch(struct live_serve *s, const struct asked *a,
                             const struct wire_answer *answer)
{
    struct wire_batch_request q = {
        .batch = a->batch, .kind = kind_of(a->api), .version = a->version};
    size_t used = 0, head = 0, capacity = 1024;
    uint8_t *bytes = NULL;
    enum sm_err err = SM_ERR_LIMIT;
    for (int i = 0; i < 2 && err == SM_ERR_LIMIT; i++) {
        bytes = sim_realloc(bytes, capacity);
        wire_response_header_encode(a->api, a->version, a->correlation_id, bytes, capacity, &head);
        err = wire_answer_encode(&q, answer, bytes + head, capacity - head, &used);
        capacity = head + used;
    }
    if (err == SM_ERR_OK) {
        wire_frame_finish(bytes, head + used);
        live_listener_answer(s->process->listener, a->connection, bytes, head + used);
        return;
    }
    free(bytes);
    live_listener_close(s->process->listener, a->connection);
}

void live_serve_batch_answer(struct live_serve *s, uint64_t connection,
                             const struct wire_answer *answer)
{
    struct asked *a = find(s, connection);
    if (a == NULL)
        return;
    respond_to_batch(s, a, answer);
    forget(s, a);
}

/* Returns false while it must wait: it is offered again. */
static bool give_batch(struct live_serve *s, const struct asked *from, const uint8_t *bytes,
                       size_t size)
{
    struct live_process *p = s->process;
    struct wire_batch *batch = read_batch(s, from, bytes, size);
    if (batch == NULL) {
        live_listener_close(p->listener, from->connection);
        return true;
    }
    if (kn_node_must_wait(&p->node, (enum wire_api)from->api, batch, 0)) {
        free(batch);
        return false;
    }
    remember(s, from)->batch = batch;
    live_take(p, &(struct kn_input){.kind = KN_IN_BATCH_REQUEST,
                                    .record = live_trace_request(p->trace, live_now(p), from->api),
                                    .call_id = from->connection,
                                    .api = from->api,
                                    .batch = batch});
    return true;
}

/* ---- requests of clients ---- */

/* Reads the body; NULL where it makes no sense. The message is owned. */
static void *read_body(const struct asked *a, const uint8_t *bytes, size_t size, size_t *used)
{
    size_t capacity = 1024;
    void *message = NULL;
    enum sm_err err = SM_ERR_LIMIT;
    for (int i = 0; i < 2 && err == SM_ERR_LIMIT; i++) {
        message = sim_realloc(message, capacity);
        err = wire_decode(WIRE_REQUEST, a->api, a->version, bytes, size, message, capacity, used);
        capacity = *used;
    }
    if (err == SM_ERR_OK)
        return message;
    free(message);
    return NULL;
}

static void give_request(struct live_serve *s, const struct asked *from,
                         const struct wire_request_header *header, const uint8_t *bytes,
                         size_t size)
{
    struct live_process *p = s->process;
    char client[64], host[66];
    char *id = NULL;
    size_t used = 0;
    void *message = read_body(from, bytes, size, &used);
    if (message == NULL) {
        live_listener_close(p->listener, from->connection);
        return;
    }
    live_listener_peer(p->listener, from->connection, client, sizeof client);
    snprintf(host, sizeof host, "/%s", client); /* as Java writes an address without a name */
    if (header->client_id != NULL && header->client_id_size >= 0) {
        id = sim_alloc((size_t)header->client_id_size + 1);
        memcpy(id, header->client_id, (size_t)header->client_id_size);
    }
    remember(s, from);
    live_take(p, &(struct kn_input){.kind = KN_IN_REQUEST,
                                    .record = live_trace_request(p->trace, live_now(p), from->api),
                                    .call_id = from->connection,
                                    .api = from->api,
                                    .version = from->version,
                                    .message = message,
                                    .size = used,
                                    .client = client,
                                    .client_id = id,
                                    .client_host = host});
    free(id);
    free(message);
}

bool live_serve_request(void *context, uint64_t connection, const uint8_t *bytes, size_t size)
{
    struct live_process *p = context;
    struct wire_request_header header;
    size_t body = 0;
    if (!live_is_free(p) || !kn_node_takes_requests(&p->node))
        return false;
    enum sm_err err = wire_request_header_decode(bytes, size, &header, &body);
    struct asked a = {.connection = connection,
                      .api = err == SM_ERR_SYNTAX ? (int16_t)-1 : header.api,
                      .version = header.version,
                      .correlation_id = header.correlation_id};
    if (err == SM_ERR_OK && is_from_controller(a.api))
        return give_batch(p->serve, &a, bytes + body, size - body);
    else if (err == SM_ERR_OK)
        give_request(p->serve, &a, &header, bytes + body, size - body);
    else if (err == SM_ERR_RANGE && a.api == WIRE_API_API_VERSIONS)
        refuse_api_versions(p->serve, &a);
    else
        live_listener_close(p->listener, connection);
    return true;
}

void live_serve_gone(void *context, uint64_t connection)
{
    struct live_process *p = context;
    struct asked *a = find(p->serve, connection);
    if (a == NULL)
        return;
    forget(p->serve, a);
    live_take(p, &(struct kn_input){.kind = KN_IN_DROP, .call_id = connection});
}
