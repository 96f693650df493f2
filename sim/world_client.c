/*
 * Clients as processes of the world: connections to brokers, the one timer, life and death.
 *
 *     KL_OUT_REQUEST ─► link ─► broker: handled now, or waiting behind the one that is
 *                                  │ answered                     │ broker dies, message lost
 *     KL_IN_RESPONSE ◄─ link ◄─────┘        KL_IN_FAILED ◄─ link ◄┘
 *
 * What a connection carried when the client gave it up still reaches the broker and is handled
 * there, in order: a request that was sent and never answered may still be written (Kafka keeps a
 * closed channel until its received requests are handled: o.a.k.common.network.Selector).
 *
 * Invariant: of one connection a broker handles at most one request. Exception to "a process that
 * ends tells its peers": behind a partition nothing is told, and the client waits for its timeouts.
 *
 * Differs: a connection is there at once, without a handshake; the first thing on it is a request.
 */
#include <assert.h>

#include "sim/client_state.h"
#include "sim/trace_client.h"

enum { AGAIN_US = 1000 }; /* a broker that takes no requests now is asked again after it */

/* ---- ids ---- */

uint32_t sim_client_index(const struct sim_world *w, int32_t id)
{
    if (w->clients == NULL || !sim_id_is_client(id))
        return UINT32_MAX;
    uint32_t place = (uint32_t)(SIM_CLIENT_FIRST - id) / 2;
    bool is_consumer = (uint32_t)(SIM_CLIENT_FIRST - id) % 2 != 0;
    if (place >= w->clients->count)
        return UINT32_MAX;
    return (is_consumer ? w->clients->consumers : w->clients->producers)[place];
}

struct sim_process *sim_client_shell(const struct sim_world *w, int32_t id)
{
    struct sim_client *c = sim_client_of(w, id);
    return c == NULL ? NULL : &c->shell;
}

uint32_t sim_client_count(const struct sim_world *w)
{
    return w->clients == NULL ? 0 : w->clients->count;
}

int32_t sim_client_id_of(const struct sim_world *w, uint32_t index)
{
    return w->clients->client[index]->shell.id;
}

const char *sim_client_name(const struct sim_world *w, uint32_t index)
{
    return w->clients->client[index]->spec->name;
}

/* ---- connections ---- */

static bool is_spent(const struct sim_client_conn *conn)
{
    return !conn->open && conn->references == 0 && conn->handled == NULL && conn->waiting == NULL;
}

static void free_spent(struct sim_client *c)
{
    for (struct sim_client_conn **at = &c->conns; *at != NULL;) {
        struct sim_client_conn *conn = *at;
        if (!is_spent(conn)) {
            at = &conn->next;
            continue;
        }
        *at = conn->next;
        free(conn);
    }
}

/* Rule coordinator-connection: what librdkafka sends to its logical brokers "GroupCoordinator" and
   "TxnCoordinator", so that a fetch that waits holds up no heartbeat. */
static bool is_for_coordinator(const struct sim_client *c, enum wire_api api)
{
    static const enum wire_api apis[] = {WIRE_API_JOIN_GROUP,        WIRE_API_SYNC_GROUP,
                                         WIRE_API_HEARTBEAT,         WIRE_API_LEAVE_GROUP,
                                         WIRE_API_OFFSET_COMMIT,     WIRE_API_OFFSET_FETCH,
                                         WIRE_API_END_TXN,           WIRE_API_ADD_PARTITIONS_TO_TXN,
                                         WIRE_API_ADD_OFFSETS_TO_TXN};
    if (api == WIRE_API_INIT_PRODUCER_ID)
        return c->spec->config.transactional_id != NULL;
    for (size_t i = 0; i < sizeof(apis) / sizeof(apis[0]); i++)
        if (apis[i] == api)
            return true;
    return false;
}

static struct sim_client_conn *conn_to(struct sim_client *c, struct sim_process *broker,
                                       bool coordinates)
{
    struct sim_client_conn *conn = c->conns;
    while (conn != NULL &&
           (!conn->open || conn->broker != broker || conn->coordinates != coordinates))
        conn = conn->next;
    if (conn != NULL)
        return conn;
    free_spent(c);
    conn = sim_alloc(sizeof(*conn));
    *conn = (struct sim_client_conn){
        .next = c->conns,
        .client = c,
        .broker = broker,
        .broker_incarnation = broker->incarnation,
        .incarnation = c->shell.incarnation,
        .open = true,
        .coordinates = coordinates,
        .request = {.from = &c->shell, .to = broker},
        .answer = {.from = broker, .to = &c->shell},
    };
    c->conns = conn;
    return conn;
}

static struct sim_message *message_of(struct sim_world *w, struct sim_client_conn *conn,
                                      enum sim_message_kind kind)
{
    struct sim_message *m = sim_message_new(w, kind);
    bool to_broker = kind == SIM_M_CLIENT_REQUEST;
    m->client = conn;
    conn->references++;
    m->process = to_broker ? conn->broker : &conn->client->shell;
    m->incarnation = to_broker ? conn->broker_incarnation : conn->incarnation;
    m->link = to_broker ? &conn->request : &conn->answer;
    return m;
}

void sim_client_unrefer(struct sim_client_conn *conn)
{
    assert(conn->references > 0);
    conn->references--;
}

static void free_waiting(struct sim_world *w, struct sim_client_conn *conn)
{
    while (conn->waiting != NULL) {
        struct sim_message *m = conn->waiting;
        conn->waiting = m->next;
        sim_message_free(w, m);
    }
}

/* The broker's end is gone: what waits there is lost, and the client is told, if a way is left. */
static void break_conn(struct sim_world *w, struct sim_client_conn *conn, uint64_t by)
{
    if (conn->broken)
        return;
    conn->broken = true;
    conn->handled = NULL;
    free_waiting(w, conn);
    if (!conn->open)
        return;
    struct sim_message *m = message_of(w, conn, SIM_M_CLIENT_BROKEN);
    m->by = by;
    sim_message_send(w, m);
}

void sim_client_lost(struct sim_world *w, struct sim_client_conn *conn, uint64_t by)
{
    if (conn->broken)
        return;
    conn->broken = true;
    free_waiting(w, conn);
    conn->handled = NULL;
    if (!conn->open)
        return;
    struct sim_message *m = message_of(w, conn, SIM_M_CLIENT_BROKEN);
    m->by = by;
    sim_push(w, w->now_us + w->options.delays.network_us,
             (struct sim_event){.kind = SIM_E_MESSAGE, .p = m});
}

void sim_clients_broker_gone(struct sim_world *w, struct sim_process *broker, uint64_t by)
{
    for (uint32_t i = 0; i < sim_client_count(w); i++)
        for (struct sim_client_conn *conn = w->clients->client[i]->conns; conn != NULL;
             conn = conn->next)
            if (conn->broker == broker)
                break_conn(w, conn, by);
}

void sim_clients_release(struct sim_world *w,
                         void (*release)(struct sim_world *, struct sim_link *))
{
    for (uint32_t i = 0; i < sim_client_count(w); i++)
        for (struct sim_client_conn *conn = w->clients->client[i]->conns; conn != NULL;
             conn = conn->next) {
            release(w, &conn->request);
            release(w, &conn->answer);
        }
}

/* ---- at the broker ---- */

static void dispatch(struct sim_world *w, struct sim_message *m, int64_t t_us)
{
    m->client->handled = m;
    sim_push(w, t_us, (struct sim_event){.kind = SIM_E_MESSAGE, .p = m});
}

/* The next one is looked at; at once, but behind what happens now. */
static void next_request(struct sim_world *w, struct sim_client_conn *conn)
{
    struct sim_message *m = conn->waiting;
    conn->handled = NULL;
    if (m == NULL || conn->broken)
        return;
    conn->waiting = m->next;
    dispatch(w, m, w->now_us);
}

static void handle(struct sim_world *w, struct sim_client_conn *conn, struct sim_message *m)
{
    struct sim_process *p = conn->broker;
    bool silent = m->silent;
    conn->handled = m;
    w->counts.requests++;
    m->by = sim_trace_client_recv(w->trace, w->now_us, SIM_LANE_BROKER(p->id), m->by, m->m,
                                  sim_client_lane(conn->client->shell.id), m->api, 0);
    sim_full_client_request(w, p, m,
                            (struct kn_input){.kind = KN_IN_REQUEST,
                                              .record = m->by,
                                              .api = m->api,
                                              .version = m->version,
                                              .message = m->bytes,
                                              .size = m->size,
                                              .client_id = conn->client->spec->config.client_id,
                                              .client_host = SIM_CLIENT_HOST});
    if (!silent || conn->handled != m || !sim_full_forget_request(p, m))
        return;
    sim_message_free(w, m);
    next_request(w, conn);
}

static void at_broker(struct sim_world *w, struct sim_message *m)
{
    struct sim_client_conn *conn = m->client;
    struct sim_process *p = conn->broker;
    if (conn->broken || p->life == SIM_DOWN || p->incarnation != conn->broker_incarnation) {
        break_conn(w, conn, p->life_record);
        sim_message_drop(w, m, p->life_record, "closed");
        return;
    }
    if (conn->handled != NULL && conn->handled != m) {
        m->next = NULL;
        if (conn->waiting == NULL)
            conn->waiting = m;
        else
            conn->waiting_last->next = m;
        conn->waiting_last = m;
        return;
    }
    conn->handled = m;
    if (p->life == SIM_PAUSED)
        sim_wait_in_inbox(p, m);
    else if (!kn_node_takes_requests(&p->node))
        dispatch(w, m, w->now_us + AGAIN_US);
    else
        handle(w, conn, m);
}

void sim_client_answered(struct sim_world *w, struct sim_process *p, struct sim_message *request,
                         const struct kn_output *o)
{
    struct sim_client_conn *conn = request->client;
    if (o->message == NULL) {
        break_conn(w, conn, o->by); /* acks = 0, and an error: the broker hangs up */
    } else if (conn->open && !conn->broken) {
        struct sim_message *m = message_of(w, conn, SIM_M_CLIENT_RESPONSE);
        m->api = request->api;
        m->version = request->version;
        m->correlation = request->correlation;
        m->size = o->size;
        m->bytes = sim_copy(o->message, o->size);
        sim_reply_takes_over(m, request);
        m->by = sim_trace_client_answer(
            w->trace, w->now_us, SIM_LANE_BROKER(p->id), o->by != 0 ? o->by : request->by,
            request->m, sim_client_lane(conn->client->shell.id), m->api, o->message, &m->m);
        sim_outbox_message(w, p, m);
    }
    bool was_current = conn->handled == request;
    sim_message_free(w, request);
    if (was_current)
        next_request(w, conn);
}

/* ---- stepping ---- */

static void send_request(struct sim_client_turn *t, const struct kl_output *o)
{
    struct sim_world *w = t->w;
    struct sim_process *broker = sim_find(w, o->broker_id);
    assert(broker != NULL); /* clients know the brokers that metadata names, and those are here */
    struct sim_client_conn *conn =
        conn_to(t->c, broker, is_for_coordinator(t->c, (enum wire_api)o->api));
    struct sim_message *m = message_of(w, conn, SIM_M_CLIENT_REQUEST);
    conn->correlation = o->correlation;
    m->api = (enum wire_api)o->api;
    m->version = o->version;
    m->correlation = o->correlation;
    m->silent = o->expects == 0;
    m->size = o->size;
    m->bytes = sim_copy(o->message, o->size);
    m->by = m->m =
        sim_trace_client_send(w->trace, w->now_us, sim_client_lane(t->c->shell.id), t->record,
                              SIM_LANE_BROKER(broker->id), m->api, o->message);
    if (!sim_trace_client_tells(m->api))
        m->m = 0;
    if (broker->is_full) {
        sim_outbox_message(w, &t->c->shell, m);
        return;
    }
    sim_client_lost(w, conn, t->record); /* nobody there who would answer */
    sim_message_free(w, m);
}

static void hang_up(struct sim_client *c, int32_t broker_id)
{
    for (struct sim_client_conn *conn = c->conns; conn != NULL; conn = conn->next)
        if (conn->broker->id == broker_id)
            conn->open = false;
}

static void arm(struct sim_client_turn *t, int64_t due_us)
{
    struct sim_client *c = t->c;
    c->timer_us = due_us;
    c->timer_record = t->record;
    int64_t when_us = due_us < 0 ? -1 : sim_clock_when(&c->shell, due_us);
    if (due_us < 0 || (c->timer_queued_us >= 0 && c->timer_queued_us <= when_us))
        return; /* the one in the queue comes first, and goes on from there */
    c->timer_queued_us = when_us < t->w->now_us ? t->w->now_us : when_us;
    sim_push(t->w, c->timer_queued_us,
             (struct sim_event){
                 .kind = SIM_E_CLIENT_TIMER, .process = c->index, .a = ++c->timer_generation});
}

static void put(void *context, const struct kl_output *o)
{
    struct sim_client_turn *t = context;
    switch ((enum kl_output_kind)o->kind) {
    case KL_OUT_NONE:
        return;
    case KL_OUT_REQUEST:
        send_request(t, o);
        return;
    case KL_OUT_HANG_UP:
        hang_up(t->c, o->broker_id);
        return;
    case KL_OUT_TIMER:
        t->c->timer = o->timer;
        arm(t, o->due_us);
        return;
    case KL_OUT_DELIVERED:
        sim_client_book_delivered(t, o);
        return;
    case KL_OUT_RECORD:
        sim_client_book_read(t, o);
        return;
    case KL_OUT_DONE:
    case KL_OUT_ASSIGN:
    case KL_OUT_REVOKE:
    case KL_OUT_ERROR:
    case KL_OUT_FACT:
        sim_client_book_run_ends(t);
        sim_client_work_hears(t, o);
        return;
    }
}

static void grow(struct sim_clients *k, struct sim_client *c, const struct kl_outputs *out)
{
    if (strcmp(out->short_of, "scratch") == 0) {
        free(k->scratch);
        k->scratch_size = (out->scratch_needed + out->scratch_needed / 2 + 7) & ~(size_t)7;
        k->scratch = sim_realloc(NULL, k->scratch_size);
        return;
    }
    c->limits = kl_limits_above(&c->limits, out->short_of);
    struct kl_client *larger = sim_alloc(kl_client_size(&c->limits));
    kl_client_grow(c->kl, larger, &c->limits);
    free(c->kl);
    c->kl = larger;
}

static void step_once(struct sim_world *w, struct sim_client *c, struct kl_input in,
                      uint64_t record)
{
    struct sim_client_turn turn = {.w = w, .c = c, .record = record, .broker_id = -1};
    struct kl_outputs out = {.put = put, .context = &turn};
    if (in.kind == KL_IN_RESPONSE)
        turn.broker_id = in.broker_id;
    do {
        out.scratch = w->clients->scratch;
        out.scratch_size = w->clients->scratch_size;
        enum sm_err err = kl_client_step(c->kl, sim_clock_now(w, &c->shell), &in, &out);
        if (err == SM_ERR_LIMIT) {
            grow(w->clients, c, &out);
            out.more = true;
            continue;
        }
        assert(err == SM_ERR_OK);
        in = (struct kl_input){.kind = KL_IN_MORE};
        w->steps_at_instant++;
    } while (out.more);
    sim_client_book_run_ends(&turn);
}

/* A step, then what the application makes of it. in NULL: only that. */
static void turn(struct sim_world *w, struct sim_client *c, const struct kl_input *in,
                 uint64_t record)
{
    struct sim_client_command next;
    uint32_t incarnation = c->shell.incarnation;
    sim_outbox_fire(w, SIM_SIDE_BEFORE);
    sim_outbox_flush(w);
    if (c->shell.life != SIM_UP || c->shell.incarnation != incarnation)
        return;
    if (in != NULL)
        step_once(w, c, *in, record);
    while (sim_client_work_next(w, c, &next))
        step_once(w, c, next.in, record);
    sim_outbox_fire(w, SIM_SIDE_AFTER);
    sim_outbox_flush(w);
    if (c->phase == SIM_CLIENT_CLOSED && c->shell.life != SIM_DOWN)
        sim_push(w, w->now_us, /* behind what it has just sent: a step may stand in a flush */
                 (struct sim_event){
                     .kind = SIM_E_CLIENT_WORK, .process = c->index, .a = ++c->work_generation});
}

void sim_client_step(struct sim_world *w, struct sim_client *c, struct kl_input in, uint64_t record)
{
    turn(w, c, &in, record);
}

void sim_client_step_commands(struct sim_world *w, struct sim_client *c, uint64_t record)
{
    turn(w, c, NULL, record);
}

/* ---- at the client ---- */

static void at_client(struct sim_world *w, struct sim_message *m)
{
    struct sim_client_conn *conn = m->client;
    struct sim_client *c = conn->client;
    if (c->shell.life == SIM_DOWN || c->shell.incarnation != conn->incarnation || !conn->open) {
        sim_message_drop(w, m, c->shell.life_record, "closed");
        return;
    }
    if (c->shell.life == SIM_PAUSED) {
        sim_wait_in_inbox(&c->shell, m);
        return;
    }
    struct kl_input in = {.kind = KL_IN_RESPONSE,
                          .broker_id = conn->broker->id,
                          .correlation = m->correlation,
                          .api = m->api,
                          .version = m->version,
                          .message = m->bytes,
                          .size = m->size};
    uint64_t record = m->by;
    if (m->kind == SIM_M_CLIENT_BROKEN) {
        hang_up(c, conn->broker->id); /* its two connections are one to the client */
        in = (struct kl_input){
            .kind = KL_IN_FAILED, .broker_id = conn->broker->id, .correlation = conn->correlation};
    } else {
        record = sim_trace_client_recv(w->trace, w->now_us, sim_client_lane(c->shell.id), m->by,
                                       m->m, SIM_LANE_BROKER(conn->broker->id), m->api, m->re);
    }
    sim_client_step(w, c, in, record);
    sim_message_free(w, m);
}

void sim_client_deliver(struct sim_world *w, struct sim_message *m)
{
    if (m->kind == SIM_M_CLIENT_REQUEST)
        at_broker(w, m);
    else
        at_client(w, m);
}

void sim_client_timer(struct sim_world *w, uint32_t index, uint64_t generation)
{
    struct sim_client *c = w->clients->client[index];
    if (generation != c->timer_generation)
        return;
    c->timer_queued_us = -1;
    if (c->shell.life != SIM_UP || c->timer_us < 0)
        return;
    if (c->timer_us > sim_clock_now(w, &c->shell)) {
        struct sim_client_turn t = {.w = w, .c = c, .record = c->timer_record};
        arm(&t, c->timer_us);
        return;
    }
    c->timer_us = -1;
    sim_client_step(w, c, (struct kl_input){.kind = KL_IN_TIMER, .timer = c->timer},
                    c->timer_record);
}

void sim_client_rearm(struct sim_world *w, struct sim_client *c)
{
    struct sim_client_turn t = {.w = w, .c = c, .record = c->timer_record};
    if (c->timer_us >= 0)
        arm(&t, c->timer_us);
}

void sim_client_work(struct sim_world *w, uint32_t index, uint64_t generation)
{
    struct sim_client *c = w->clients->client[index];
    if (generation != c->work_generation)
        return;
    if (c->phase == SIM_CLIENT_CLOSED && c->shell.life == SIM_UP)
        sim_client_gone(w, c, c->shell.life_record);
    else
        sim_client_work_due(w, c);
}

/* ---- life ---- */

static void start(struct sim_world *w, struct sim_client *c, uint64_t by)
{
    struct kl_config config = c->spec->config;
    if (c->shell.life != SIM_DOWN)
        return;
    c->shell.life = SIM_UP;
    c->shell.life_record = by;
    c->shell.incarnation++;
    config.seed = w->options.seed ^ (uint64_t)(uint32_t)c->shell.id << 32 ^ c->shell.incarnation;
    config.bootstrap = w->clients->brokers;
    config.bootstrap_count = w->clients->broker_count;
    if (c->limits.brokers < config.bootstrap_count)
        c->limits.brokers = config.bootstrap_count;
    c->kl = sim_alloc(kl_client_size(&c->limits));
    kl_client_init(c->kl, &c->limits, &config);
    c->timer_us = c->timer_queued_us = -1;
    c->timer_generation++;
    sim_client_work_start(w, c);
    sim_client_step(w, c, (struct kl_input){.kind = KL_IN_START}, by);
}

void sim_client_gone(struct sim_world *w, struct sim_client *c, uint64_t by)
{
    c->shell.life = SIM_DOWN;
    c->shell.life_record = by;
    c->shell.killed = c->shell.incarnation;
    for (struct sim_client_conn *conn = c->conns; conn != NULL; conn = conn->next)
        conn->open = false;
    sim_process_empty_inbox(w, &c->shell);
    sim_client_work_stop(c);
    sim_client_book_gone(c);
    free(c->kl);
    c->kl = NULL;
    c->timer_generation++;
}

static void resume(struct sim_world *w, struct sim_client *c, uint64_t by)
{
    struct sim_client_turn t = {.w = w, .c = c, .record = c->timer_record};
    if (c->shell.life != SIM_PAUSED)
        return;
    c->shell.life = SIM_UP;
    c->shell.life_record = by;
    while (c->shell.inbox != NULL) {
        struct sim_message *m = c->shell.inbox;
        c->shell.inbox = m->next;
        sim_push(w, w->now_us, (struct sim_event){.kind = SIM_E_MESSAGE, .p = m});
    }
    if (c->timer_us >= 0)
        arm(&t, c->timer_us);
    sim_client_work_resume(w, c);
}

/* A clean end: it leaves its group, waits for what is open, and goes. */
static void stop(struct sim_world *w, struct sim_client *c, uint64_t by)
{
    if (c->shell.life != SIM_UP)
        return;
    c->shell.life_record = by;
    sim_client_work_close(w, c, by);
}

void sim_client_fault(struct sim_world *w, int32_t id, enum sim_verb verb, uint64_t by)
{
    struct sim_client *c = sim_client_of(w, id);
    bool is_down = c->shell.life == SIM_DOWN;
    if (verb == SIM_VERB_KILL && !is_down) {
        sim_client_gone(w, c, by);
    } else if (verb == SIM_VERB_RESTART) {
        start(w, c, by);
    } else if (verb == SIM_VERB_BOUNCE && !is_down) {
        sim_client_gone(w, c, by);
        start(w, c, by);
    } else if (verb == SIM_VERB_SHUTDOWN || verb == SIM_VERB_STOP) {
        stop(w, c, by);
    } else if (verb == SIM_VERB_PAUSE && c->shell.life == SIM_UP) {
        c->shell.life = SIM_PAUSED;
        c->shell.life_record = by;
    } else if (verb == SIM_VERB_RESUME) {
        resume(w, c, by);
    }
}

void sim_clients_start(struct sim_world *w)
{
    for (uint32_t i = 0; i < sim_client_count(w); i++) {
        struct sim_client *c = w->clients->client[i];
        sim_push(w, c->spec->from_us,
                 (struct sim_event){.kind = SIM_E_CLIENT_START, .process = c->index});
    }
}

void sim_client_begin(struct sim_world *w, uint32_t index)
{
    struct sim_client *c = w->clients->client[index];
    c->begun = true;
    if (c->shell.incarnation == 0) /* no step has started it before */
        start(w, c,
              sim_trace_client_begins(w->trace, w->now_us, sim_client_lane(c->shell.id),
                                      c->spec->name));
}

/* ---- making and freeing ---- */

static void load_one(struct sim_world *w, uint32_t index)
{
    struct sim_clients *k = w->clients;
    const struct sim_client_spec *spec = &w->scenario->clients[index];
    struct sim_client *c = k->client[index] = sim_alloc(sizeof(*c));
    bool consumes = spec->kind == SIM_CLIENT_CONSUMES;
    c->spec = spec;
    c->index = index;
    c->shell.id = sim_client_id(consumes, spec->number);
    c->shell.client = c;
    c->limits = kl_limits_default();
    c->timer_us = c->timer_queued_us = -1;
    (consumes ? k->consumers : k->producers)[spec->number - 1] = index;
    if (consumes)
        c->audience = sim_client_audience(k, spec->config.group_id);
}

void sim_clients_load(struct sim_world *w)
{
    const struct sim_scenario *s = w->scenario;
    if (s->client_count == 0)
        return;
    struct sim_clients *k = w->clients = sim_alloc(sizeof(*k));
    k->count = s->client_count;
    k->client = sim_alloc(k->count * sizeof(*k->client));
    k->producers = sim_alloc(k->count * sizeof(*k->producers));
    k->consumers = sim_alloc(k->count * sizeof(*k->consumers));
    memset(k->producers, 0xff, k->count * sizeof(*k->producers));
    memset(k->consumers, 0xff, k->count * sizeof(*k->consumers));
    k->brokers = sim_alloc(w->process_count * sizeof(*k->brokers));
    for (uint32_t i = 0; i < w->process_count; i++)
        if (w->by_id[i]->is_full)
            k->brokers[k->broker_count++] = w->by_id[i]->id;
    for (uint32_t i = 0; i < k->count; i++)
        load_one(w, i);
}

static void free_one(struct sim_world *w, struct sim_client *c)
{
    sim_process_empty_inbox(w, &c->shell);
    for (struct sim_client_conn *conn = c->conns; conn != NULL; conn = conn->next)
        free_waiting(w, conn);
    while (c->conns != NULL) {
        struct sim_client_conn *conn = c->conns;
        c->conns = conn->next;
        assert(conn->references == 0);
        free(conn);
    }
    sim_client_work_stop(c);
    free(c->txns);
    free(c->inputs.input);
    free(c->origins);
    free(c->kl);
    free(c);
}

void sim_clients_free(struct sim_world *w)
{
    struct sim_clients *k = w->clients;
    if (k == NULL)
        return;
    for (uint32_t i = 0; i < k->count; i++)
        free_one(w, k->client[i]);
    sim_client_book_free(k);
    free(k->client);
    free(k->producers);
    free(k->consumers);
    free(k->brokers);
    free(k->scratch);
    free(k);
    w->clients = NULL;
}

/* ---- quiet ---- */

bool sim_clients_are_quiet(const struct sim_world *w)
{
    for (uint32_t i = 0; i < sim_client_count(w); i++) {
        const struct sim_client *c = w->clients->client[i];
        if (!c->begun || !sim_client_work_is_over(w, c))
            return false;
    }
    return true;
}
