#include "cluster_desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "statemachine/znode.h"
#include "zookeeper/server.h"

#define SECOND ((int64_t)1000000)
enum { CALLS = 1 << 16, TIMERS = 256, TOOL = 1000, SCRATCH = 64 << 20 };

struct item {
    enum { TO_SERVER, TO_NODE } to;
    int node, life;
    uint32_t conn;
    struct kz_input server;
    struct kn_input input;
    void *bytes;
};

/* Who asked, as what. */
struct call {
    enum { BY_TEST = 1, BY_CONTROLLER, BY_PEER } by;
    int node, life, asked;
    uint64_t correlation;
    int16_t api, version;
    bool done, closed;
    void *message;
    size_t size;
};

struct machine {
    struct kn_node node;
    struct kb_replicas *replicas;
    bool alive;
    int life;
    uint32_t conn;
    struct timer {
        uint32_t id;
        int64_t due_us;
    } timer[TIMERS];
};

struct desk {
    struct machine m[DESK_NODES + 1];
    int nodes;
    struct kz_server *zk;
    struct sim_keeper *keeper;
    struct kb_payloads payloads;
    void *scratch;
    struct item *queue;
    size_t head, tail, capacity;
    int64_t now;
    uint32_t conns;
    struct call call[CALLS];
    uint64_t calls;
    uint64_t peer_requests[128];
    bool is_mute[128];
    void *request;
    struct item *held;
    size_t held_count;
    bool holds_peers;
    char text[4096], settings[4096];
    struct kb_props properties;
};

struct place {
    struct desk *d;
    int node;
};

static void *copy(const void *bytes, size_t size)
{
    return memcpy(aligned_alloc(8, (size + 15) & ~(size_t)7), bytes, size);
}

static void enqueue(struct desk *d, struct item item)
{
    if (d->tail == d->capacity) {
        d->capacity = d->capacity == 0 ? 1024 : d->capacity * 2;
        d->queue = realloc(d->queue, d->capacity * sizeof *d->queue);
    }
    d->queue[d->tail++] = item;
}

static void to_node(struct desk *d, int node, int life, struct kn_input in, void *bytes)
{
    enqueue(d,
            (struct item){.to = TO_NODE, .node = node, .life = life, .input = in, .bytes = bytes});
}

/* ---- the server ---- */

static void zk_put(void *context, const struct kz_output *o)
{
    struct desk *d = context;
    for (int i = 1; i <= d->nodes; i++) {
        struct machine *m = &d->m[i];
        if (!m->alive || m->conn != o->conn)
            continue;
        if (o->kind == KZ_OUT_CONNECTED) {
            to_node(d, i, m->life,
                    (struct kn_input){.kind = KN_IN_CONNECTED,
                                      .session = o->session,
                                      .password = o->password,
                                      .timeout_us = o->timeout_us},
                    NULL);
        } else if (o->kind == KZ_OUT_REPLY) {
            void *bytes = copy(o->reply, o->reply->size);
            to_node(d, i, m->life, (struct kn_input){.kind = KN_IN_ZK_REPLY, .reply = bytes},
                    bytes);
        } else if (o->kind == KZ_OUT_EVENT) {
            void *bytes = copy(o->path, strlen(o->path) + 1);
            to_node(d, i, m->life,
                    (struct kn_input){.kind = KN_IN_ZK_EVENT, .event_type = o->type, .path = bytes},
                    bytes);
        } else if (o->kind == KZ_OUT_CLOSED) {
            to_node(d, i, m->life, (struct kn_input){.kind = KN_IN_DISCONNECTED}, NULL);
        }
    }
}

static void zk_step(struct desk *d, struct kz_input in)
{
    static _Alignas(8) uint8_t scratch[1 << 20];
    struct kz_outputs out = {
        .put = zk_put, .context = d, .scratch = scratch, .scratch_size = sizeof scratch};
    ck_assert_int_eq(kz_server_step(d->zk, d->now, &in, &out), SM_ERR_OK);
}

const char *desk_znode(struct desk *d, const char *path)
{
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    if (!kz_server_get(d->zk, path, &stat, &data, &size, &has_data))
        return "(none)";
    snprintf(d->text, sizeof d->text, "%.*s", (int)size, (const char *)data);
    return d->text;
}

/* ---- messages between nodes, over their encoded form ---- */

static void *over_the_wire(enum wire_direction direction, int16_t api, int16_t version,
                           const void *message, size_t *size)
{
    size_t used, again;
    wire_encode(direction, api, version, message, NULL, 0, &used);
    uint8_t *bytes = malloc(used + 1);
    ck_assert_int_eq(wire_encode(direction, api, version, message, bytes, used, &used), SM_ERR_OK);
    wire_decode(direction, api, version, bytes, used, NULL, 0, &again);
    void *decoded = aligned_alloc(8, (again + 15) & ~(size_t)7);
    ck_assert_int_eq(wire_decode(direction, api, version, bytes, used, decoded, again, &again),
                     SM_ERR_OK);
    free(bytes);
    *size = again;
    return decoded;
}

static uint64_t call_new(struct desk *d, struct call call)
{
    ck_assert_uint_lt(d->calls + 1, CALLS);
    d->call[++d->calls] = call;
    return d->calls;
}

static void fail_call(struct desk *d, struct call *call)
{
    struct kn_input in = {.kind = call->by == BY_PEER ? KN_IN_PEER_FAILED : KN_IN_SEND_FAILED,
                          .broker_id = call->asked,
                          .correlation = call->correlation};
    call->done = call->closed = true;
    if (call->by != BY_TEST)
        to_node(d, call->node, call->life, in, NULL);
}

static void on_controller(struct desk *d, int from, const struct kn_output *o)
{
    const struct kc_output *c = o->controller;
    if (c->kind != KC_OUT_SEND || o->is_internal)
        return;
    uint64_t call = call_new(d, (struct call){.by = BY_CONTROLLER,
                                              .node = from,
                                              .life = d->m[from].life,
                                              .asked = c->broker_id,
                                              .correlation = c->correlation,
                                              .api = (int16_t)c->api});
    if (!d->m[c->broker_id].alive) {
        fail_call(d, &d->call[call]);
        return;
    }
    void *bytes = copy(c->batch, c->batch->size);
    const struct wire_broker *own = wire_batch_broker(bytes, c->broker_id);
    to_node(d, c->broker_id, d->m[c->broker_id].life,
            (struct kn_input){.kind = KN_IN_BATCH_REQUEST,
                              .call_id = call,
                              .api = c->api,
                              .index = own == NULL ? 0 : own->index,
                              .batch = bytes},
            bytes);
}

void desk_mute(struct desk *d, int16_t api, bool is_mute)
{
    d->is_mute[api] = is_mute;
}

static void on_peer_request(struct desk *d, int from, const struct kn_output *o)
{
    size_t size;
    uint64_t call = call_new(d, (struct call){.by = BY_PEER,
                                              .node = from,
                                              .life = d->m[from].life,
                                              .asked = o->broker_id,
                                              .correlation = o->correlation,
                                              .api = (int16_t)o->api,
                                              .version = (int16_t)o->version});
    if (!d->m[o->broker_id].alive) {
        fail_call(d, &d->call[call]);
        return;
    }
    if (d->is_mute[o->api])
        return;
    void *bytes =
        over_the_wire(WIRE_REQUEST, (int16_t)o->api, (int16_t)o->version, o->message, &size);
    d->peer_requests[o->api]++;
    struct item item = {.to = TO_NODE,
                        .node = o->broker_id,
                        .life = d->m[o->broker_id].life,
                        .input = {.kind = KN_IN_REQUEST,
                                  .call_id = call,
                                  .api = o->api,
                                  .version = o->version,
                                  .message = bytes,
                                  .size = size},
                        .bytes = bytes};
    if (!d->holds_peers) {
        enqueue(d, item);
        return;
    }
    d->held = realloc(d->held, (d->held_count + 1) * sizeof *d->held);
    d->held[d->held_count++] = item;
}

static void on_response(struct desk *d, const struct kn_output *o)
{
    struct call *call = &d->call[o->call_id];
    size_t size = 0;
    ck_assert(!call->done);
    ck_assert_int_eq(call->version, o->version);
    call->done = true;
    call->closed = o->message == NULL;
    void *bytes = call->closed ? NULL
                               : over_the_wire(WIRE_RESPONSE, (int16_t)o->api, (int16_t)o->version,
                                               o->message, &size);
    if (call->by == BY_TEST) {
        call->message = bytes;
        call->size = size;
        return;
    }
    to_node(d, call->node, call->life,
            (struct kn_input){.kind = KN_IN_PEER_RESPONSE,
                              .broker_id = call->asked,
                              .correlation = call->correlation,
                              .api = o->api,
                              .version = o->version,
                              .message = bytes,
                              .size = size},
            bytes);
}

static void on_batch_answer(struct desk *d, const struct kn_output *o)
{
    struct call *call = &d->call[o->call_id];
    size_t items = o->answer->count * sizeof *o->answer->items;
    struct wire_answer *answer = malloc(sizeof *answer + items);
    *answer = *o->answer;
    answer->items = items == 0 ? NULL : memcpy(answer + 1, o->answer->items, items);
    call->done = true;
    to_node(d, call->node, call->life,
            (struct kn_input){.kind = KN_IN_ANSWER,
                              .broker_id = call->asked,
                              .correlation = call->correlation,
                              .answer = answer},
            answer);
}

/* ---- nodes ---- */

static void arm(struct machine *m, uint32_t id, int64_t due_us)
{
    struct timer *free_one = NULL;
    for (int i = 0; i < TIMERS; i++) {
        if (m->timer[i].due_us >= 0 && m->timer[i].id == id) {
            m->timer[i].due_us = due_us;
            return;
        }
        if (m->timer[i].due_us < 0 && free_one == NULL)
            free_one = &m->timer[i];
    }
    ck_assert_ptr_nonnull(free_one);
    if (due_us >= 0)
        *free_one = (struct timer){id, due_us};
}

static void to_server(struct desk *d, int node, const struct kn_output *o)
{
    struct item item = {.to = TO_SERVER, .node = node};
    struct machine *m = &d->m[node];
    if (o->kind == KN_OUT_ZK_CONNECT)
        m->conn = ++d->conns;
    item.server = (struct kz_input){.kind = o->kind == KN_OUT_ZK_CONNECT   ? KZ_IN_CONNECT
                                            : o->kind == KN_OUT_ZK_SEND    ? KZ_IN_REQUEST
                                            : o->kind == KN_OUT_ZK_PING    ? KZ_IN_HEARTBEAT
                                            : o->kind == KN_OUT_ZK_HANG_UP ? KZ_IN_DISCONNECT
                                                                           : KZ_IN_CLOSE,
                                    .conn = m->conn};
    if (o->kind == KN_OUT_ZK_CONNECT) {
        item.server.session = o->session;
        item.server.password = o->password;
        item.server.timeout_us = o->timeout_us;
        item.server.zxid = o->zxid;
    }
    if (o->kind == KN_OUT_ZK_SEND)
        item.server.request = item.bytes = copy(o->request, o->request->size);
    enqueue(d, item);
    if (o->kind == KN_OUT_ZK_PING)
        to_node(d, node, m->life, (struct kn_input){.kind = KN_IN_PONG}, NULL);
}

static uint64_t node_put(void *context, const struct kn_output *o)
{
    struct place *p = context;
    switch ((enum kn_output_kind)o->kind) {
    case KN_OUT_ZK_CONNECT:
    case KN_OUT_ZK_SEND:
    case KN_OUT_ZK_PING:
    case KN_OUT_ZK_CLOSE:
    case KN_OUT_ZK_HANG_UP:
        to_server(p->d, p->node, o);
        return 0;
    case KN_OUT_CONTROLLER:
        on_controller(p->d, p->node, o);
        return 0;
    case KN_OUT_PEER_REQUEST:
        on_peer_request(p->d, p->node, o);
        return 0;
    case KN_OUT_RESPONSE:
        on_response(p->d, o);
        return 0;
    case KN_OUT_BATCH_ANSWER:
        on_batch_answer(p->d, o);
        return 0;
    case KN_OUT_TIMER:
        arm(&p->d->m[p->node], o->timer, o->due_us);
        return 0;
    case KN_OUT_NONE:
    case KN_OUT_LOG:
    case KN_OUT_REPLICA:
    case KN_OUT_SESSION:
    case KN_OUT_STOPPED:
        return 0;
    }
    return 0;
}

static void grow_replicas(struct desk *d, struct kn_node *n, const char *short_of)
{
    struct kb_limits limits = kb_limits_above(kb_replicas_limits(n->replicas), short_of);
    struct kb_replicas *larger = aligned_alloc(8, kb_replicas_size(&limits));
    uint64_t digest = kb_replicas_digest(n->replicas, d->now);
    kb_replicas_grow(n->replicas, larger, &limits);
    ck_assert_uint_eq(kb_replicas_digest(larger, d->now), digest);
    free(n->replicas);
    d->m[n->id].replicas = n->replicas = larger;
}

static bool grow(void *context, struct kn_node *n, enum kn_block block, const char *short_of)
{
    struct place *p = context;
    if (block == KN_BLOCK_REPLICAS) {
        grow_replicas(p->d, n, short_of);
        return true;
    }
    if (block == KN_BLOCK_ANSWER) {
        n->own_capacity += 1024;
        n->own_item = realloc(n->own_item, n->own_capacity * sizeof *n->own_item);
        return true;
    }
    ck_assert_msg(block == KN_BLOCK_BROKER, "block %d is short of %s", block, short_of);
    ck_assert_str_ne(short_of, "scratch");
    struct kb_broker_limits limits = kb_broker_limits_above(kb_broker_limits(n->broker), short_of);
    struct kb_broker *larger = aligned_alloc(8, kb_broker_grown_size(n->broker, &limits));
    kb_broker_grow(n->broker, larger, &limits);
    free(n->broker);
    n->broker = larger;
    return true;
}

static void feed(struct desk *d, int node, struct kn_input in)
{
    struct place p = {d, node};
    struct kn_node *n = &d->m[node].node;
    struct kn_outputs out = {.put = node_put, .grow = grow, .context = &p};
    ck_assert_int_eq(kn_node_step(n, d->now, &in, &out), SM_ERR_OK);
    while (out.more)
        ck_assert_int_eq(kn_node_step(n, d->now, &(struct kn_input){.kind = KN_IN_MORE}, &out),
                         SM_ERR_OK);
    kb_broker_check(n->broker);
    kb_replicas_check(n->replicas);
    sim_keeper_sweep(d->keeper);
}

/* ---- time ---- */

static void deliver_all(struct desk *d)
{
    while (d->head < d->tail) {
        struct item item = d->queue[d->head++];
        struct machine *m = &d->m[item.node];
        bool is_request =
            item.input.kind == KN_IN_REQUEST || item.input.kind == KN_IN_BATCH_REQUEST;
        if (item.to == TO_SERVER)
            zk_step(d, item.server);
        else if (m->alive && m->life == item.life)
            feed(d, item.node, item.input);
        else if (is_request)
            fail_call(d, &d->call[item.input.call_id]);
        free(item.bytes);
    }
    d->head = d->tail = 0;
}

void desk_hold_peers(struct desk *d, bool hold)
{
    d->holds_peers = hold;
    for (size_t i = 0; !hold && i < d->held_count; i++)
        enqueue(d, d->held[i]);
    d->held_count = hold ? d->held_count : 0;
}

static struct timer *next_timer(struct desk *d, int64_t end, int *node)
{
    struct timer *next = NULL;
    for (int i = 1; i <= d->nodes; i++)
        for (int k = 0; d->m[i].alive && k < TIMERS; k++) {
            struct timer *t = &d->m[i].timer[k];
            if (t->due_us >= 0 && t->due_us <= end && (next == NULL || t->due_us < next->due_us)) {
                next = t;
                *node = i;
            }
        }
    return next;
}

void desk_run(struct desk *d, int64_t for_us)
{
    int64_t end = d->now + for_us;
    int node = 0;
    deliver_all(d);
    for (struct timer *t; (t = next_timer(d, end, &node)) != NULL; deliver_all(d)) {
        d->now = t->due_us > d->now ? t->due_us : d->now;
        t->due_us = -1;
        feed(d, node, (struct kn_input){.kind = KN_IN_TIMER, .timer = t->id});
    }
    d->now = end;
}

/* ---- life ---- */

void desk_start(struct desk *d, int node)
{
    struct machine *m = &d->m[node];
    struct kn_session_limits sl = kn_session_limits_default();
    sl.request_bytes *= 16; /* its growth is tested elsewhere */
    struct kn_session_config sc = kn_session_config_default();
    struct kc_limits cl = kc_limits_roomy();
    cl.replicas = SM_REPLICAS_MAX;
    struct kc_config cc = kc_config_default(sm_profile_of(SM_VERSION_2_8), node);
    struct kb_broker_limits bl = kb_broker_limits_default();
    cc.register_broker = 1;
    cc.auto_leader_rebalance = 0;
    struct kb_broker_config bc = {
        .broker = cc.broker, .has_data = 1, .seed = (uint64_t)node, .properties = d->properties};
    struct kn_session *session = malloc(kn_session_size(&sl));
    kn_session_init(session, &sl, &sc);
    struct kc_controller *controller = calloc(1, kc_controller_size(&cl));
    kc_controller_init(controller, &cl, &cc);
    kn_node_init(&m->node, node, session, controller);
    m->node.broker = aligned_alloc(8, (kb_broker_size(&bl, &bc) + 7) & ~(size_t)7);
    kb_broker_init(m->node.broker, &bl, &bc);
    m->node.scratch = d->scratch;
    m->node.scratch_size = SCRATCH;
    m->node.replicas = m->replicas;
    m->node.payloads = &d->payloads;
    m->alive = true;
    m->life++;
    for (int i = 0; i < TIMERS; i++)
        m->timer[i].due_us = -1;
    feed(d, node, (struct kn_input){.kind = KN_IN_START});
    deliver_all(d);
}

static void on_stop_put(void *context, const struct kb_output *o)
{
    struct desk *d = context;
    if (o->kind == KB_OUT_PAYLOAD)
        d->payloads.refer(d->payloads.context, o->payload, o->value);
}

static void free_node(struct machine *m)
{
    free(m->node.session);
    free(m->node.controller);
    free(m->node.broker);
    free(m->node.own_item);
    m->alive = false;
}

void desk_kill(struct desk *d, int node)
{
    struct machine *m = &d->m[node];
    struct kb_outputs out = {.put = on_stop_put, .context = d};
    int64_t session = kn_session_id(m->node.session);
    free_node(m);
    kb_replicas_stop(m->replicas, &(struct kb_stop){.clean = false}, &out);
    for (uint64_t i = 1; i <= d->calls; i++)
        if (!d->call[i].done && d->call[i].asked == node)
            fail_call(d, &d->call[i]);
    zk_step(d, (struct kz_input){.kind = KZ_IN_EXPIRE, .session = session});
    deliver_all(d);
}

struct desk *desk_new(int nodes)
{
    return desk_new_with(nodes, (const char *[]){NULL});
}

struct desk *desk_new_with(int nodes, const char *const *settings)
{
    struct desk *d = calloc(1, sizeof *d);
    d->properties = kb_props_begin(d->settings, sizeof d->settings);
    for (; *settings != NULL; settings += 2)
        kb_props_set(&d->properties, settings[0], settings[1]);
    struct kz_limits zl = {
        .nodes = 4096, .bytes = 1 << 20, .watches = 1024, .sessions = 64, .history = 0};
    d->nodes = nodes;
    d->keeper = sim_keeper_new();
    d->payloads = sim_keeper_payloads(d->keeper);
    d->scratch = aligned_alloc(8, SCRATCH);
    d->zk = malloc(kz_server_size(&zl));
    kz_server_init(d->zk, &zl, 2 * SECOND);
    for (size_t i = 0; sm_persistent_paths[i] != NULL; i++)
        kz_server_put(d->zk, sm_persistent_paths[i], NULL, 0, NULL);
    d->conns = TOOL;
    for (int i = 1; i <= nodes; i++) {
        struct kb_limits rl = kb_limits_default();
        struct kb_config rc = kb_config_default(sm_profile_of(SM_VERSION_2_8), i);
        rl.batches = 2; /* so that growing is part of every test */
        d->m[i].replicas = aligned_alloc(8, kb_replicas_size(&rl));
        kb_replicas_init(d->m[i].replicas, &rl, &rc);
        desk_start(d, i);
    }
    return d;
}

void desk_free(struct desk *d)
{
    for (int i = 1; i <= d->nodes; i++) {
        if (d->m[i].alive)
            free_node(&d->m[i]);
        free(d->m[i].replicas);
    }
    for (uint64_t i = 1; i <= d->calls; i++)
        free(d->call[i].message);
    sim_keeper_free(d->keeper);
    free(d->scratch);
    free(d->zk);
    for (size_t i = 0; i < d->held_count; i++)
        free(d->held[i].bytes);
    free(d->held);
    free(d->queue);
    free(d->request);
    free(d);
}

/* ---- clients ---- */

void *desk_begin(struct desk *d, struct wire_flat *w, int16_t api)
{
    enum { ROOM = 1 << 20 };
    if (d->request == NULL)
        d->request = aligned_alloc(8, ROOM);
    void *head = wire_flat_begin(w, d->request, ROOM, wire_head_size(WIRE_REQUEST, api));
    wire_defaults(WIRE_REQUEST, api, head);
    return head;
}

uint64_t desk_send(struct desk *d, int node, struct wire_flat *w, int16_t api, int16_t version)
{
    size_t size;
    ck_assert_uint_gt(wire_flat_end(w), 0);
    ck_assert(kn_node_takes_requests(&d->m[node].node));
    uint64_t call =
        call_new(d, (struct call){.by = BY_TEST, .asked = node, .api = api, .version = version});
    void *bytes = over_the_wire(WIRE_REQUEST, api, version, w->bytes, &size);
    to_node(d, node, d->m[node].life,
            (struct kn_input){.kind = KN_IN_REQUEST,
                              .call_id = call,
                              .api = api,
                              .version = version,
                              .message = bytes,
                              .size = size,
                              .client_id = "c",
                              .client_host = "/h"},
            bytes);
    deliver_all(d);
    return call;
}

const void *desk_response(struct desk *d, uint64_t call)
{
    return d->call[call].message;
}

size_t desk_response_size(const struct desk *d, uint64_t call)
{
    return d->call[call].size;
}

bool desk_is_alive(const struct desk *d, int node)
{
    return d->m[node].alive;
}

bool desk_closed(struct desk *d, uint64_t call)
{
    return d->call[call].closed;
}

struct kn_node *desk_node(struct desk *d, int node)
{
    return &d->m[node].node;
}

const struct sim_keeper *desk_keeper(const struct desk *d)
{
    return d->keeper;
}

uint64_t desk_peer_requests(const struct desk *d, int16_t api)
{
    return d->peer_requests[api];
}
