#include "front_desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND ((int64_t)1000000)
enum { CALLS = 4096, BROKERS = 64, TOOL = 1000, TEXT = 1 << 20, TIMERS = 64 };

struct item {
    enum { TO_SERVER, TO_NODE, TO_CONTROLLER } to;
    uint32_t conn;
    struct kz_input server;
    struct kn_input node;
    void *bytes;
    bool is_broker;
};

struct response {
    int16_t api, version;
    int count;
    bool close;
    void *message;
    size_t size;
};

struct front {
    struct kn_node node;
    struct kz_server *zk;
    void *scratch;
    struct item *queue;
    size_t head, tail, capacity;
    int64_t now;
    uint32_t conn, conns;
    uint32_t broker_conn[BROKERS];
    struct response response[CALLS];
    uint64_t calls;
    struct timer {
        uint32_t id;
        int64_t due_us;
    } timer[TIMERS];
    char *text, *log;
    void *request;
    char before[512];
    int before_nth;
    void (*before_act)(struct front *);
    char lose[512];
    bool is_losing;
    struct front_answer heard;
    char properties[4096];
    size_t properties_size;
};

static void *copy(const void *bytes, size_t size)
{
    return memcpy(malloc(size + 8), bytes, size);
}

static void enqueue(struct front *f, struct item item)
{
    if (f->tail == f->capacity) {
        f->capacity = f->capacity == 0 ? 1024 : f->capacity * 2;
        f->queue = realloc(f->queue, f->capacity * sizeof *f->queue);
    }
    f->queue[f->tail++] = item;
}

/* ---- the server ---- */

static void zk_put(void *context, const struct kz_output *o)
{
    struct front *f = context;
    struct item item = {.to = TO_NODE, .conn = o->conn};
    if (o->conn != f->conn || f->is_losing)
        return;
    if (o->kind == KZ_OUT_CONNECTED) {
        item.node = (struct kn_input){.kind = KN_IN_CONNECTED,
                                      .session = o->session,
                                      .password = o->password,
                                      .timeout_us = o->timeout_us};
    } else if (o->kind == KZ_OUT_REPLY) {
        item.bytes = copy(o->reply, o->reply->size);
        item.node = (struct kn_input){.kind = KN_IN_ZK_REPLY, .reply = item.bytes};
    } else if (o->kind == KZ_OUT_EVENT) {
        item.bytes = copy(o->path, strlen(o->path) + 1);
        item.node =
            (struct kn_input){.kind = KN_IN_ZK_EVENT, .event_type = o->type, .path = item.bytes};
    } else if (o->kind == KZ_OUT_CLOSED) {
        item.node = (struct kn_input){.kind = KN_IN_DISCONNECTED};
    } else {
        return;
    }
    enqueue(f, item);
}

static void zk_step(struct front *f, struct kz_input in)
{
    static uint8_t *scratch;
    static size_t scratch_size = 1 << 16;
    if (scratch == NULL)
        scratch = malloc(scratch_size);
    for (;;) {
        struct kz_outputs out = {
            .put = zk_put, .context = f, .scratch = scratch, .scratch_size = scratch_size};
        if (kz_server_step(f->zk, f->now, &in, &out) == SM_ERR_OK)
            return;
        if (strcmp(out.short_of, "scratch") == 0) {
            scratch = realloc(scratch, scratch_size *= 2);
            continue;
        }
        struct kz_limits l = *kz_server_limits(f->zk);
        l.nodes *= 2, l.bytes *= 2, l.watches *= 2, l.sessions *= 2;
        struct kz_server *grown = malloc(kz_server_size(&l));
        kz_server_grow(f->zk, grown, &l);
        free(f->zk);
        f->zk = grown;
    }
}

static void outside(struct front *f, uint32_t conn, uint8_t opcode, uint8_t flags, const char *path,
                    const char *data)
{
    static _Alignas(8) uint8_t bytes[1 << 18];
    struct wire_zk_builder b;
    wire_zk_begin(&b, bytes, sizeof bytes, 1, false);
    wire_zk_add(&b,
                (struct wire_zk_op){.opcode = opcode,
                                    .flags = flags,
                                    .version = -1,
                                    .has_data = data != NULL,
                                    .data_size = data == NULL ? 0 : (uint32_t)strlen(data)},
                path, data);
    zk_step(f, (struct kz_input){.kind = KZ_IN_REQUEST, .conn = conn, .request = wire_zk_end(&b)});
}

void front_create(struct front *f, const char *path, const char *data)
{
    outside(f, TOOL, WIRE_ZK_CREATE, 0, path, data);
}

void front_set(struct front *f, const char *path, const char *data)
{
    outside(f, TOOL, WIRE_ZK_SET_DATA, 0, path, data);
}

const char *front_znode(struct front *f, const char *path)
{
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    if (!kz_server_get(f->zk, path, &stat, &data, &size, &has_data))
        return "(none)";
    snprintf(f->text, TEXT, "%.*s", (int)size, (const char *)data);
    return f->text;
}

int64_t front_czxid(struct front *f, const char *path)
{
    struct wire_zk_stat stat = {0};
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    return kz_server_get(f->zk, path, &stat, &data, &size, &has_data) ? stat.czxid : -1;
}

void front_lose_reply(struct front *f, const char *path)
{
    snprintf(f->lose, sizeof f->lose, "%s", path);
}

void front_before(struct front *f, const char *path, int nth, void (*act)(struct front *))
{
    snprintf(f->before, sizeof f->before, "%s", path);
    f->before_nth = nth;
    f->before_act = act;
}

/* ---- the node ---- */

static void take_response(struct front *f, const struct kn_output *o)
{
    struct response *r = &f->response[o->call_id % CALLS];
    size_t used, again;
    r->count++;
    ck_assert_int_eq(r->api, o->api);
    ck_assert_int_eq(r->version, o->version);
    if (o->message == NULL) {
        r->close = true;
        return;
    }
    free(r->message);
    r->message = copy(o->message, o->size);
    r->size = o->size;
    wire_encode(WIRE_RESPONSE, r->api, r->version, r->message, NULL, 0, &used);
    uint8_t *bytes = malloc(used + 1);
    ck_assert_int_eq(wire_encode(WIRE_RESPONSE, r->api, r->version, r->message, bytes, used, &used),
                     SM_ERR_OK);
    wire_decode(WIRE_RESPONSE, r->api, r->version, bytes, used, NULL, 0, &again);
    void *decoded = aligned_alloc(8, again + 8);
    ck_assert_int_eq(
        wire_decode(WIRE_RESPONSE, r->api, r->version, bytes, used, decoded, again, &again),
        SM_ERR_OK);
    free(decoded);
    free(bytes);
}

static void arm(struct front *f, uint32_t id, int64_t due_us)
{
    struct timer *free_one = NULL;
    for (int i = 0; i < TIMERS; i++) {
        if (f->timer[i].due_us >= 0 && f->timer[i].id == id) {
            f->timer[i].due_us = due_us;
            return;
        }
        if (f->timer[i].due_us < 0 && free_one == NULL)
            free_one = &f->timer[i];
    }
    ck_assert_ptr_nonnull(free_one);
    if (due_us >= 0)
        *free_one = (struct timer){id, due_us};
}

static void on_controller(struct front *f, const struct kn_output *o)
{
    static const struct wire_answer none;
    struct item item = {.to = TO_CONTROLLER};
    const struct kc_output *c = o->controller;
    if (c->kind == KC_OUT_LOG && strlen(f->log) < TEXT - 4096)
        strcat(strcat(f->log, c->text), "\n");
    if (c->kind != KC_OUT_SEND || o->is_internal)
        return;
    item.node = (struct kn_input){.kind = KN_IN_ANSWER,
                                  .broker_id = c->broker_id,
                                  .correlation = c->correlation,
                                  .answer = &none};
    enqueue(f, item);
}

static uint64_t node_put(void *context, const struct kn_output *o)
{
    struct front *f = context;
    struct item item = {.to = TO_SERVER, .server = {.conn = f->conn}};
    switch ((enum kn_output_kind)o->kind) {
    case KN_OUT_ZK_CONNECT:
        item.server = (struct kz_input){.kind = KZ_IN_CONNECT,
                                        .conn = f->conn = ++f->conns,
                                        .session = o->session,
                                        .password = o->password,
                                        .timeout_us = o->timeout_us,
                                        .zxid = o->zxid};
        break;
    case KN_OUT_ZK_SEND:
        item.server.kind = KZ_IN_REQUEST;
        item.server.request = item.bytes = copy(o->request, o->request->size);
        item.is_broker = o->is_broker;
        break;
    case KN_OUT_ZK_PING:
        item.server.kind = KZ_IN_HEARTBEAT;
        break;
    case KN_OUT_ZK_CLOSE:
        item.server.kind = KZ_IN_CLOSE;
        break;
    case KN_OUT_ZK_HANG_UP:
        item.server.kind = KZ_IN_DISCONNECT;
        break;
    case KN_OUT_CONTROLLER:
        on_controller(f, o);
        return 0;
    case KN_OUT_RESPONSE:
        take_response(f, o);
        return 0;
    case KN_OUT_TIMER:
        arm(f, o->timer, o->due_us);
        return 0;
    case KN_OUT_LOG:
        if (strlen(f->log) < TEXT - 4096)
            strcat(strcat(f->log, o->text), "\n");
        return 0;
    case KN_OUT_BATCH_ANSWER:
        f->heard =
            (struct front_answer){f->heard.count + 1, o->answer->error, o->answer->partition_error};
        return 0;
    case KN_OUT_NONE:
    case KN_OUT_SESSION:
    case KN_OUT_STOPPED:
    case KN_OUT_PEER_REQUEST:
    case KN_OUT_REPLICA:
        return 0;
    }
    enqueue(f, item);
    return 0;
}

static bool grow_broker(struct front *f, struct kn_node *n, const char *short_of)
{
    (void)f;
    if (strcmp(short_of, "scratch") == 0)
        return false; /* see grow */
    struct kb_broker_limits limits = kb_broker_limits_above(kb_broker_limits(n->broker), short_of);
    struct kb_broker *larger = aligned_alloc(8, kb_broker_grown_size(n->broker, &limits));
    kb_broker_grow(n->broker, larger, &limits);
    free(n->broker);
    n->broker = larger;
    kb_broker_check(larger);
    return true;
}

static bool grow(void *context, struct kn_node *n, enum kn_block block, const char *short_of)
{
    struct front *f = context;
    if (block == KN_BLOCK_BROKER)
        return grow_broker(f, n, short_of);
    if (block == KN_BLOCK_ANSWER) {
        n->own_capacity += 1024;
        n->own_item = realloc(n->own_item, n->own_capacity * sizeof *n->own_item);
        return true;
    }
    if (block == KN_BLOCK_SESSION) {
        struct kn_session_limits limits = *kn_session_limits_of(n->session);
        limits.request_bytes *= 2;
        struct kn_session *larger = malloc(kn_session_size(&limits));
        kn_session_grow(n->session, larger, &limits);
        free(n->session);
        n->session = larger;
        return true;
    }
    struct kc_limits limits = *kc_controller_limits(n->controller);
    const struct {
        const char *name;
        uint32_t *field;
    } all[] = {{"brokers", &limits.brokers},         {"topics", &limits.topics},
               {"partitions", &limits.partitions},   {"replicas", &limits.replicas},
               {"topic_name", &limits.topic_name},   {"events", &limits.events},
               {"event_bytes", &limits.event_bytes}, {"scratch_bytes", &limits.scratch_bytes},
               {"batch_bytes", &limits.batch_bytes}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(all[i].name, short_of) == 0)
            *all[i].field *= 2;
    if (limits.replicas > SM_REPLICAS_MAX)
        limits.replicas = SM_REPLICAS_MAX;
    struct kc_controller *larger = calloc(1, kc_controller_size(&limits));
    kc_controller_grow(n->controller, larger, &limits);
    free(n->controller);
    n->controller = larger;
    return true;
}

static void feed(struct front *f, struct kn_input in)
{
    struct kn_outputs out = {.put = node_put, .grow = grow, .context = f};
    ck_assert_int_eq(kn_node_step(&f->node, f->now, &in, &out), SM_ERR_OK);
    while (out.more) {
        struct kn_input more = {.kind = KN_IN_MORE};
        ck_assert_int_eq(kn_node_step(&f->node, f->now, &more, &out), SM_ERR_OK);
    }
    kb_broker_check(f->node.broker);
}

static bool is_to_be_lost(struct front *f, const struct item *item)
{
    struct wire_zk_op_view v = {0};
    return f->lose[0] != '\0' && item->server.kind == KZ_IN_REQUEST &&
           wire_zk_op_next(item->server.request, &v) && strcmp(v.path, f->lose) == 0;
}

static void serve(struct front *f, struct item *item)
{
    if (item->is_broker && f->before_act != NULL) {
        struct wire_zk_op_view v = {0};
        wire_zk_op_next(item->server.request, &v);
        if (strcmp(v.path, f->before) == 0 && --f->before_nth == 0) {
            void (*act)(struct front *) = f->before_act;
            f->before_act = NULL;
            act(f);
        }
    }
    f->is_losing = is_to_be_lost(f, item);
    zk_step(f, item->server);
    if (!f->is_losing)
        return;
    f->lose[0] = '\0';
    zk_step(f, (struct kz_input){.kind = KZ_IN_DISCONNECT, .conn = f->conn});
    f->is_losing = false;
    enqueue(f, (struct item){.to = TO_NODE, .conn = f->conn, .node = {.kind = KN_IN_DISCONNECTED}});
}

void front_run(struct front *f)
{
    while (f->head < f->tail) {
        struct item item = f->queue[f->head++];
        if (item.to == TO_SERVER)
            serve(f, &item);
        else if (item.to == TO_CONTROLLER || item.conn == f->conn)
            feed(f, item.node);
        free(item.bytes);
    }
    f->head = f->tail = 0;
}

void front_advance(struct front *f, int64_t us)
{
    int64_t end = f->now + us;
    for (;;) {
        struct timer *next = NULL;
        for (int i = 0; i < TIMERS; i++)
            if (f->timer[i].due_us >= 0 && f->timer[i].due_us <= end &&
                (next == NULL || f->timer[i].due_us < next->due_us))
                next = &f->timer[i];
        if (next == NULL)
            break;
        f->now = next->due_us > f->now ? next->due_us : f->now;
        next->due_us = -1;
        feed(f, (struct kn_input){.kind = KN_IN_TIMER, .timer = next->id});
        front_run(f);
    }
    f->now = end;
    zk_step(f, (struct kz_input){.kind = KZ_IN_HEARTBEAT, .conn = f->conn});
    for (int i = 0; i < BROKERS; i++)
        if (f->broker_conn[i] != 0)
            zk_step(f, (struct kz_input){.kind = KZ_IN_HEARTBEAT, .conn = f->broker_conn[i]});
    front_run(f);
}

void front_expire(struct front *f)
{
    int64_t session = kn_session_id(f->node.session);
    zk_step(f, (struct kz_input){.kind = KZ_IN_EXPIRE, .session = session});
    front_run(f);
    front_advance(f, 3 * SECOND);
}

static void steal(struct front *f)
{
    outside(f, TOOL, WIRE_ZK_DELETE, 0, "/controller", NULL);
    front_create(f, "/controller", "{\"version\":1,\"brokerid\":1,\"timestamp\":\"1\"}");
    front_set(f, "/controller_epoch", "9");
}

void front_steal_controller(struct front *f)
{
    steal(f);
    front_run(f);
}

/* ---- making it ---- */

static void add_property(struct kb_props *p, const char *line, size_t size)
{
    char text[512];
    snprintf(text, sizeof text, "%.*s", (int)size, line);
    char *equals = strchr(text, '=');
    ck_assert_ptr_nonnull(equals);
    *equals = '\0';
    kb_props_set(p, text, equals + 1);
}

static struct front *cold(const char *properties, bool has_data)
{
    struct front *f = calloc(1, sizeof *f);
    struct kn_session_limits sl = kn_session_limits_default();
    struct kn_session_config sc = kn_session_config_default();
    struct kc_limits cl = kc_limits_default();
    struct kc_config cc = kc_config_default(sm_profile_of(SM_VERSION_2_8), 0);
    struct kb_broker_limits bl = kb_broker_limits_default();
    struct kz_limits zl = {
        .nodes = 4096, .bytes = 1 << 20, .watches = 1024, .sessions = 64, .history = 0};
    struct kb_props p = kb_props_begin(f->properties, sizeof f->properties);
    for (const char *at = properties; at != NULL && *at != '\0';) {
        size_t size = strcspn(at, "\n");
        add_property(&p, at, size);
        at += size + (at[size] == '\n');
    }
    cc.register_broker = 1;
    cc.broker.without_data = !has_data;
    cc.auto_leader_rebalance = 0;
    struct kb_broker_config bc = {
        .broker = cc.broker, .has_data = has_data, .seed = 1, .properties = p};
    for (int i = 0; i < TIMERS; i++)
        f->timer[i].due_us = -1;
    f->text = calloc(1, TEXT);
    f->log = calloc(1, TEXT);
    f->zk = malloc(kz_server_size(&zl));
    kz_server_init(f->zk, &zl, 2 * SECOND);
    for (size_t i = 0; sm_persistent_paths[i] != NULL; i++)
        kz_server_put(f->zk, sm_persistent_paths[i], NULL, 0, NULL);
    struct kn_session *session = malloc(kn_session_size(&sl));
    kn_session_init(session, &sl, &sc);
    struct kc_controller *controller = calloc(1, kc_controller_size(&cl));
    kc_controller_init(controller, &cl, &cc);
    kn_node_init(&f->node, 0, session, controller);
    f->node.broker = aligned_alloc(8, (kb_broker_size(&bl, &bc) + 7) & ~(size_t)7);
    kb_broker_init(f->node.broker, &bl, &bc);
    f->node.scratch_size = 64 << 20;
    f->node.scratch = malloc(f->node.scratch_size);
    zk_step(f, (struct kz_input){.kind = KZ_IN_CONNECT, .conn = TOOL, .timeout_us = 40 * SECOND});
    f->conns = TOOL + 1;
    f->calls = 1;
    return f;
}

struct front *front_cold(const char *properties)
{
    return cold(properties, false);
}

void front_start(struct front *f)
{
    feed(f, (struct kn_input){.kind = KN_IN_START});
    front_run(f);
}

static struct front *started(struct front *f, int32_t brokers)
{
    front_start(f);
    for (int32_t id = 1; id <= brokers; id++)
        front_broker(f, id, "", false);
    front_run(f);
    return f;
}

struct front *front_new(const char *properties, int32_t brokers)
{
    return started(cold(properties, false), brokers);
}

struct front *front_with_data(const char *properties, int32_t brokers)
{
    return started(cold(properties, true), brokers);
}

void front_free(struct front *f)
{
    for (int i = 0; i < CALLS; i++)
        free(f->response[i].message);
    free(f->node.session);
    free(f->node.controller);
    free(f->node.broker);
    free(f->node.own_item);
    free(f->node.scratch);
    free(f->zk);
    free(f->queue);
    free(f->text);
    free(f->log);
    free(f->request);
    free(f);
}

void front_broker(struct front *f, int32_t id, const char *rack, bool without_data)
{
    struct sm_broker b = {.id = id, .endpoint_count = 1, .without_data = without_data};
    char path[SM_PATH_MAX], data[2048];
    b.endpoint[0] = (struct sm_endpoint){"PLAINTEXT", "PLAINTEXT", "127.0.0.1", 9092 + id};
    snprintf(b.rack, sizeof b.rack, "%s", rack);
    data[sm_znode_encode_broker(data, sizeof data, &b, 0)] = '\0';
    sm_path_broker(path, id);
    f->broker_conn[id] = ++f->conns;
    zk_step(f, (struct kz_input){
                   .kind = KZ_IN_CONNECT, .conn = f->broker_conn[id], .timeout_us = 40 * SECOND});
    outside(f, f->broker_conn[id], WIRE_ZK_CREATE, WIRE_ZK_EPHEMERAL, path, data);
    front_run(f);
}

void front_kill_broker(struct front *f, int32_t id)
{
    zk_step(f, (struct kz_input){.kind = KZ_IN_CLOSE, .conn = f->broker_conn[id]});
    f->broker_conn[id] = 0;
    front_run(f);
}

void front_block(struct front *f, bool on)
{
    feed(f, (struct kn_input){.kind = KN_IN_BLOCK, .on = on});
    front_run(f);
}

void front_tell(struct front *f, int16_t api, const struct wire_batch *batch)
{
    f->heard = (struct front_answer){0};
    feed(f,
         (struct kn_input){.kind = KN_IN_BATCH_REQUEST, .call_id = 1, .api = api, .batch = batch});
}

struct front_answer front_hear(struct front *f, int16_t api, const struct wire_batch *batch)
{
    front_tell(f, api, batch);
    front_run(f);
    return f->heard;
}

/* ---- requests ---- */

void *front_begin(struct front *f, struct wire_flat *w, int16_t api)
{
    enum { ROOM = 1 << 20 };
    if (f->request == NULL)
        f->request = aligned_alloc(8, ROOM);
    void *head = wire_flat_begin(w, f->request, ROOM, wire_head_size(WIRE_REQUEST, api));
    wire_defaults(WIRE_REQUEST, api, head);
    return head;
}

uint64_t front_send(struct front *f, struct wire_flat *w, int16_t api, int16_t version)
{
    size_t size = wire_flat_end(w);
    ck_assert_uint_gt(size, 0);
    return front_put(f, api, version, w->bytes, size);
}

uint64_t front_put(struct front *f, int16_t api, int16_t version, const void *message, size_t size)
{
    uint64_t call = f->calls++;
    struct response *r = &f->response[call % CALLS];
    ck_assert(kn_node_takes_requests(&f->node));
    free(r->message);
    *r = (struct response){.api = api, .version = version};
    void *bytes = aligned_alloc(8, size);
    memcpy(bytes, message, size);
    feed(f, (struct kn_input){.kind = KN_IN_REQUEST,
                              .call_id = call,
                              .api = api,
                              .version = version,
                              .message = bytes,
                              .size = size});
    free(bytes);
    front_run(f);
    return call;
}

const char *front_said(struct front *f, uint64_t call)
{
    struct response *r = &f->response[call % CALLS];
    if (r->count == 0)
        return "(waits)";
    if (r->close)
        return "(close)";
    wire_print(WIRE_RESPONSE, r->api, r->version, r->message, f->text, TEXT);
    return f->text;
}

int front_answers(struct front *f, uint64_t call)
{
    return f->response[call % CALLS].count;
}

void front_drop(struct front *f, uint64_t call)
{
    feed(f, (struct kn_input){.kind = KN_IN_DROP, .call_id = call});
    front_run(f);
}

struct kn_node *front_node(struct front *f)
{
    return &f->node;
}

const char *front_log(struct front *f)
{
    return f->log;
}

void front_ck(struct front *f, uint64_t call, const char *expected, const char *file, int line)
{
    const char *actual = front_said(f, call);
    if (strcmp(actual, expected) == 0)
        return;
    fprintf(stderr, "%s:%d: said\n%s\nexpected\n%s\n", file, line, actual, expected);
    ck_abort_msg("%s:%d: another response", file, line);
}

/* "0:1,2 1:2,3)" */
static const char *read_lists(struct wire_flat *w, struct wire_create_topics_request_topic *t,
                              const char *at)
{
    int32_t count = 1;
    for (const char *p = at; *p != ')'; p++)
        count += *p == ' ';
    t->assignments =
        wire_flat_array(w, count, sizeof(struct wire_create_topics_request_assignment));
    for (int32_t i = 0; i < count; i++) {
        struct wire_create_topics_request_assignment *a =
            (struct wire_create_topics_request_assignment *)wire_flat_at(w, t->assignments.at) + i;
        int32_t ids[64], n = 0;
        a->partition_index = (int32_t)strtol(at, (char **)(uintptr_t)&at, 10);
        while (*at == ':' || *at == ',')
            ids[n++] = (int32_t)strtol(at + 1, (char **)(uintptr_t)&at, 10);
        if (n > 0)
            a->broker_ids = wire_flat_ids(w, ids, n);
        at += *at == ' ';
    }
    return at + 1;
}

/* "a=b,c=d}"; a value "~" is null */
static const char *read_configs(struct wire_flat *w, struct wire_create_topics_request_topic *t,
                                const char *at)
{
    int32_t count = 1;
    for (const char *p = at; *p != '}'; p++)
        count += *p == '|';
    t->configs = wire_flat_array(w, count, sizeof(struct wire_create_topics_request_config));
    for (int32_t i = 0; i < count; i++) {
        struct wire_create_topics_request_config *c =
            (struct wire_create_topics_request_config *)wire_flat_at(w, t->configs.at) + i;
        size_t name = strcspn(at, "="), value = strcspn(at + name + 1, "|}");
        c->name = wire_flat_string_of(w, at, name);
        c->value =
            at[name + 1] == '~' ? WIRE_NULL_STRING : wire_flat_string_of(w, at + name + 1, value);
        at += name + 1 + value + 1;
    }
    return at;
}

uint64_t front_create_topics(struct front *f, int16_t version, const char *topics,
                             int32_t timeout_ms, bool validate_only)
{
    struct wire_flat w;
    struct wire_create_topics_request *q = front_begin(f, &w, WIRE_API_CREATE_TOPICS);
    int32_t count = 1;
    for (const char *p = topics; *p != '\0'; p++)
        count += *p == ';';
    q->timeout_ms = timeout_ms;
    q->validate_only = validate_only;
    q->topics = wire_flat_array(&w, count, sizeof(struct wire_create_topics_request_topic));
    const char *at = topics;
    for (int32_t i = 0; i < count; i++) {
        struct wire_create_topics_request_topic *t =
            (struct wire_create_topics_request_topic *)wire_flat_at(&w, q->topics.at) + i;
        at += strspn(at, " ;");
        size_t size = strcspn(at, " ");
        t->name = at[0] == '\'' ? wire_flat_string_of(&w, at + 1, size - 2)
                                : wire_flat_string_of(&w, at, size);
        t->num_partitions = t->replication_factor = -1;
        at += size + strspn(at + size, " ");
        if (*at == '(') {
            at = read_lists(&w, t, at + 1);
        } else {
            t->num_partitions = (int32_t)strtol(at, (char **)(uintptr_t)&at, 10);
            t->replication_factor = (int16_t)strtol(at, (char **)(uintptr_t)&at, 10);
        }
        at += strspn(at, " ");
        if (*at == '{')
            at = read_configs(&w, t, at + 1);
    }
    return front_send(f, &w, WIRE_API_CREATE_TOPICS, version);
}

uint64_t front_metadata(struct front *f, int16_t version, const char *topics)
{
    struct wire_flat w;
    struct wire_metadata_request *q = front_begin(f, &w, WIRE_API_METADATA);
    q->topics = version == 0 ? (struct wire_array){0} : WIRE_NULL_ARRAY;
    if (topics != NULL) {
        int32_t count = topics[0] == '\0' ? 0 : 1;
        for (const char *p = topics; *p != '\0'; p++)
            count += *p == ',';
        q->topics = wire_flat_array(&w, count, sizeof(struct wire_metadata_request_topic));
        for (int32_t i = 0; i < count; i++) {
            size_t size = strcspn(topics, ",");
            struct wire_metadata_request_topic *t =
                (struct wire_metadata_request_topic *)wire_flat_at(&w, q->topics.at) + i;
            t->name = wire_flat_string_of(&w, topics, size);
            topics += size + 1;
        }
    }
    return front_send(f, &w, WIRE_API_METADATA, version);
}
