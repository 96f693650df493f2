/*
 * Requests in work, by number; each holds what its answer needs to be written.
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
#include "wire/call_codec.h"
#include "wire/codec.h"
#include "wire/frame.h"
#include "wire/schema.h"

enum { HEADER_ROOM = 64 };

struct asked {
    uint64_t number;
    uint64_t connection;
    int16_t api, version;
    int32_t correlation_id;
    bool asked_for_all; /* ElectLeaders of every partition */
    UT_hash_handle hh;
};

struct live_serve {
    struct live_process *process;
    struct asked *by_number;
    uint64_t last_number;
};

struct live_serve *live_serve_new(struct live_process *p)
{
    struct live_serve *s = sim_alloc(sizeof *s);
    s->process = p;
    return s;
}

void live_serve_free(struct live_serve *s)
{
    struct asked *a, *next;
    if (s == NULL)
        return;
    HASH_ITER(hh, s->by_number, a, next)
    {
        HASH_DEL(s->by_number, a);
        free(a);
    }
    free(s);
}

/* ---- answers ---- */

/* Encodes a flat message and sends it; a message that its version cannot say closes. */
static void answer(struct live_serve *s, const struct asked *a, int16_t version,
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
    live_log(s->process->logs, KC_ERROR, "the answer to API %d version %d cannot be written",
             a->api, version);
    free(bytes);
    live_listener_close(s->process->listener, a->connection);
}

static struct asked *remember(struct live_serve *s, const struct asked *from)
{
    struct asked *a = sim_alloc(sizeof *a);
    *a = *from;
    a->number = ++s->last_number;
    HASH_ADD(hh, s->by_number, number, sizeof a->number, a);
    return a;
}

void live_serve_reply(struct live_serve *s, uint64_t call_id, const struct wire_call *call)
{
    struct asked *a;
    HASH_FIND(hh, s->by_number, &call_id, sizeof call_id, a);
    if (a == NULL)
        return;
    size_t used = 0, capacity = 1024;
    void *message = NULL;
    enum sm_err err = SM_ERR_LIMIT;
    struct wire_call_extra extra = {.asked_for_all = a->asked_for_all};
    for (int i = 0; i < 2 && err == SM_ERR_LIMIT; i++) {
        message = sim_realloc(message, capacity);
        err = wire_call_to_message(WIRE_RESPONSE, call, &extra, message, capacity, &used);
        capacity = used;
    }
    assert(err == SM_ERR_OK);
    answer(s, a, a->version, message);
    free(message);
    HASH_DEL(s->by_number, a);
    free(a);
}

/* ---- ApiVersions ---- */

static void answer_api_versions(struct live_serve *s, const struct asked *a, bool is_supported)
{
    uint8_t bytes[4096] __attribute__((aligned(8)));
    struct wire_flat f;
    struct wire_api_versions_response *r = wire_flat_begin(&f, bytes, sizeof bytes, sizeof *r);
    int32_t count = 0;
    wire_defaults(WIRE_RESPONSE, WIRE_API_API_VERSIONS, r);
    r->error_code = is_supported ? 0 : 35; /* UNSUPPORTED_VERSION */
    for (const struct wire_api_info *i = wire_api_next(NULL); i != NULL; i = wire_api_next(i))
        count += is_supported || i->key == WIRE_API_API_VERSIONS;
    r->api_keys = wire_flat_array(&f, count, sizeof(struct wire_api_versions_response_api_key));
    struct wire_api_versions_response_api_key *key = wire_flat_at(&f, r->api_keys.at);
    for (const struct wire_api_info *i = wire_api_next(NULL); i != NULL; i = wire_api_next(i)) {
        if (!is_supported && i->key != WIRE_API_API_VERSIONS)
            continue;
        *key++ = (struct wire_api_versions_response_api_key){i->key, i->min, i->max};
    }
    bool fits = wire_flat_end(&f) != 0;
    assert(fits);
    answer(s, a, is_supported ? a->version : 0, r);
}

/* ---- requests ---- */

static bool is_call(int16_t api)
{
    return api == WIRE_API_CONTROLLED_SHUTDOWN || api == WIRE_API_ELECT_LEADERS ||
           api == WIRE_API_ALTER_PARTITION_REASSIGNMENTS ||
           api == WIRE_API_LIST_PARTITION_REASSIGNMENTS;
}

static void give_call(struct live_serve *s, const struct asked *from, const void *message)
{
    struct live_process *p = s->process;
    size_t used = 0, capacity = 4096;
    void *call = NULL;
    enum sm_err err = SM_ERR_LIMIT;
    for (int i = 0; i < 2 && err == SM_ERR_LIMIT; i++) {
        call = sim_realloc(call, capacity);
        err = wire_call_of_message(WIRE_REQUEST, (enum wire_api)from->api, message, call, capacity,
                                   &used);
        capacity = used;
    }
    if (err != SM_ERR_OK || !kn_node_is_running(&p->node)) {
        live_listener_close(p->listener, from->connection);
    } else {
        struct asked *a = remember(s, from);
        a->asked_for_all = ((const struct wire_call *)call)->all;
        live_take(p, &(struct kn_input){.kind = KN_IN_CALL,
                                        .record = live_trace_call(p->trace, live_now(p), call),
                                        .call_id = a->number,
                                        .call = call});
    }
    free(call);
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

static void answer_batch(struct live_serve *s, const struct asked *a,
                         const struct wire_batch *batch, const struct wire_answer *given)
{
    struct wire_batch_request q = {.batch = batch, .version = a->version};
    size_t used = 0, head = 0, capacity = 1024;
    uint8_t *bytes = NULL;
    enum sm_err err = SM_ERR_LIMIT;
    q.kind = a->api == WIRE_API_LEADER_AND_ISR    ? WIRE_RECORD_LEADER_AND_ISR
             : a->api == WIRE_API_UPDATE_METADATA ? WIRE_RECORD_UPDATE_METADATA
                                                  : WIRE_RECORD_STOP_REPLICA;
    for (int i = 0; i < 2 && err == SM_ERR_LIMIT; i++) {
        bytes = sim_realloc(bytes, capacity);
        wire_response_header_encode(a->api, a->version, a->correlation_id, bytes, capacity, &head);
        err = wire_answer_encode(&q, given, bytes + head, capacity - head, &used);
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

static void serve_batch(struct live_serve *s, const struct asked *a, const uint8_t *bytes,
                        size_t size)
{
    struct wire_batch *batch = read_batch(s, a, bytes, size);
    if (batch == NULL)
        live_listener_close(s->process->listener, a->connection);
    else
        answer_batch(s, a, batch, &(struct wire_answer){0});
    free(batch);
}

/* ---- by API ---- */

/* Reads the body; NULL where it makes no sense. The message is owned. */
static void *read_body(const struct asked *a, const uint8_t *bytes, size_t size)
{
    size_t used = 0, capacity = 1024;
    void *message = NULL;
    enum sm_err err = SM_ERR_LIMIT;
    for (int i = 0; i < 2 && err == SM_ERR_LIMIT; i++) {
        message = sim_realloc(message, capacity);
        err = wire_decode(WIRE_REQUEST, a->api, a->version, bytes, size, message, capacity, &used);
        capacity = used;
    }
    if (err == SM_ERR_OK)
        return message;
    free(message);
    return NULL;
}

static void serve(struct live_serve *s, const struct asked *a, const uint8_t *bytes, size_t size)
{
    void *message = read_body(a, bytes, size);
    if (message == NULL)
        live_listener_close(s->process->listener, a->connection);
    else if (a->api == WIRE_API_API_VERSIONS)
        answer_api_versions(s, a, true);
    else if (is_call(a->api))
        give_call(s, a, message);
    else
        live_listener_close(s->process->listener, a->connection);
    free(message);
}

void live_serve_request(void *context, uint64_t connection, const uint8_t *bytes, size_t size)
{
    struct live_process *p = context;
    struct wire_request_header header;
    size_t body = 0;
    enum sm_err err = wire_request_header_decode(bytes, size, &header, &body);
    struct asked a = {.connection = connection,
                      .api = err == SM_ERR_SYNTAX ? (int16_t)-1 : header.api,
                      .version = header.version,
                      .correlation_id = header.correlation_id};
    if (err == SM_ERR_OK && is_from_controller(a.api))
        serve_batch(p->serve, &a, bytes + body, size - body);
    else if (err == SM_ERR_OK)
        serve(p->serve, &a, bytes + body, size - body);
    else if (err == SM_ERR_RANGE && a.api == WIRE_API_API_VERSIONS)
        answer_api_versions(p->serve, &a, false);
    else
        live_listener_close(p->listener, connection);
}
