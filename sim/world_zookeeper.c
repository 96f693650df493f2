/*
 * The ZooKeeper of a world: one server block, connections to it, and who has which session.
 *
 * A connection is open at the server from the moment it takes it until the server closes it, hears
 * that the client is gone, or the connection breaks; and open at the client from CONNECT until the
 * client gives it up. A broken connection (`up` false) carries nothing any more, in either
 * direction.
 */
#include <assert.h>

#include "sim/world_limits.h"
#include "sim/world_state.h"

/* ---- the server block ---- */

static uint32_t *limit_named(struct kz_limits *limits, const char *name)
{
    if (strcmp(name, "nodes") == 0)
        return &limits->nodes;
    if (strcmp(name, "bytes") == 0)
        return &limits->bytes;
    if (strcmp(name, "watches") == 0)
        return &limits->watches;
    if (strcmp(name, "sessions") == 0)
        return &limits->sessions;
    if (strcmp(name, "history") == 0)
        return &limits->history;
    return NULL;
}

static bool grow_scratch(struct sim_world *w)
{
    if (w->zk_scratch_size >= SIM_LIMIT_MAX) {
        sim_world_fail(w, "zookeeper: a reply of more than %zu bytes", w->zk_scratch_size);
        return false;
    }
    w->zk_scratch_size *= 2;
    w->zk_scratch = sim_scratch(sim_realloc(w->zk_scratch, w->zk_scratch_size));
    return true;
}

static bool grow_server(struct sim_world *w, const char *short_of)
{
    struct kz_limits limits = *kz_server_limits(w->zk);
    uint32_t *limit = limit_named(&limits, short_of);
    if (strcmp(short_of, "scratch") == 0)
        return grow_scratch(w);
    assert(limit != NULL);
    if (*limit >= SIM_LIMIT_MAX) {
        sim_world_fail(w, "zookeeper: limit '%s' = %u is reached and may not grow further",
                       short_of, *limit);
        return false;
    }
    *limit = *limit == 0 ? 64 : *limit * 2;
    size_t size = kz_server_size(&limits);
    if (size > SIM_BLOCK_BYTES_MAX) {
        sim_world_fail(w, "zookeeper: limit '%s' = %u would need %zu bytes (SIM_BLOCK_BYTES_MAX)",
                       short_of, *limit, size);
        return false;
    }
    struct kz_server *larger = sim_block(sim_realloc(NULL, size));
    kz_server_grow(w->zk, larger, &limits);
    sim_free(w->zk);
    w->zk = larger;
    w->zk_size = size;
    return true;
}

void sim_zk_init(struct sim_world *w)
{
    struct kz_limits limits = sim_first_server(w->options.history);
    w->zk_size = kz_server_size(&limits);
    w->zk = sim_block(sim_realloc(NULL, w->zk_size));
    kz_server_init(w->zk, &limits, w->options.tick_us);
    w->zk_scratch_size = 65536;
    w->zk_scratch = sim_scratch(sim_realloc(NULL, w->zk_scratch_size));
    w->tick_at_us = INT64_MAX;
}

void sim_zk_free(struct sim_world *w)
{
    sim_free(w->zk);
    sim_free(w->zk_scratch);
    sim_free(w->sessions);
}

void sim_zk_put(struct sim_world *w, const char *path, const void *data, size_t size,
                const struct wire_zk_stat *stat)
{
    const char *short_of;
    while ((short_of = kz_server_put_short_of(w->zk, path, (uint32_t)size)) != NULL)
        if (!grow_server(w, short_of))
            return;
    sim_touch(w->zk);
    enum sm_err err = kz_server_put(w->zk, path, data, (uint32_t)size, stat);
    assert(err == SM_ERR_OK || stat != NULL);
}

/* ---- sessions ---- */

static struct sim_session_entry *session_place(const struct sim_world *w, int64_t session)
{
    uint64_t x = (uint64_t)session;
    uint32_t mask = w->session_capacity - 1, i = (uint32_t)(sim_random_mix(&x) & mask);
    while (w->sessions[i].session != 0 && w->sessions[i].session != session)
        i = (i + 1) & mask;
    return &w->sessions[i];
}

static struct sim_session_entry *session_find(const struct sim_world *w, int64_t session)
{
    if (w->session_capacity == 0 || session == 0)
        return NULL;
    struct sim_session_entry *e = session_place(w, session);
    return e->session == session ? e : NULL;
}

static void sessions_grow(struct sim_world *w)
{
    struct sim_session_entry *old = w->sessions;
    uint32_t capacity = w->session_capacity;
    w->session_capacity = capacity == 0 ? 32 : capacity * 2;
    w->sessions = sim_alloc(w->session_capacity * sizeof(*w->sessions));
    w->session_count = 0;
    for (uint32_t i = 0; i < capacity; i++)
        if (old[i].session > 0) {
            *session_place(w, old[i].session) = old[i];
            w->session_count++;
        }
    sim_free(old);
}

static void session_remember(struct sim_world *w, int64_t session, struct sim_process *p)
{
    if (session_find(w, session) != NULL)
        return;
    if (w->session_count * 2 >= w->session_capacity)
        sessions_grow(w);
    *session_place(w, session) = (struct sim_session_entry){.session = session, .process = p};
    w->session_count++;
}

static void session_forget(struct sim_world *w, int64_t session)
{
    struct sim_session_entry *e = session_find(w, session);
    if (e == NULL)
        return;
    if (e->is_ghost)
        w->ghosts--;
    w->blamed -= e->by != 0;
    *e = (struct sim_session_entry){.session = -1};
}

void sim_zk_orphan(struct sim_world *w, int64_t session, uint64_t by)
{
    struct sim_session_entry *e = session_find(w, session);
    if (e == NULL || e->is_ghost)
        return;
    e->is_ghost = true;
    w->ghosts++;
    sim_zk_blame(w, session, by, by);
}

void sim_zk_blame(struct sim_world *w, int64_t session, uint64_t by, uint64_t mute)
{
    struct sim_session_entry *e = session_find(w, session);
    if (e == NULL)
        return;
    w->blamed += (by != 0) - (e->by != 0);
    e->by = by;
    e->mute = mute;
}

uint64_t sim_zk_blamed(const struct sim_world *w, int64_t session)
{
    const struct sim_session_entry *e = session_find(w, session);
    return e == NULL ? 0 : e->mute;
}

static int32_t node_of(void *context, int64_t session)
{
    const struct sim_session_entry *e = session_find(context, session);
    return e == NULL || e->process == NULL ? SIM_NOBODY : e->process->id;
}

static void cause_of(void *context, int64_t session, uint64_t *by, uint64_t *mute)
{
    const struct sim_session_entry *e = session_find(context, session);
    *by = e == NULL ? 0 : e->by;
    *mute = e == NULL ? 0 : e->mute;
}

/* ---- connections ---- */

static struct sim_zk_conn *conn_new(struct sim_world *w)
{
    if ((w->conn_count & (w->conn_count - 1)) == 0) {
        uint32_t capacity = w->conn_count == 0 ? 1 : w->conn_count * 2;
        w->conns = sim_realloc(w->conns, capacity * sizeof(struct sim_zk_conn *));
    }
    struct sim_zk_conn *conn = sim_alloc(sizeof(*conn));
    w->conns[w->conn_count++] = conn;
    conn->number = w->conn_count;
    conn->up = true;
    return conn;
}

static struct sim_zk_conn *conn_numbered(const struct sim_world *w, uint32_t number)
{
    assert(number >= 1);
    assert(number <= w->conn_count);
    return w->conns[number - 1];
}

struct sim_zk_conn *sim_zk_connect(struct sim_world *w, struct sim_process *p)
{
    struct sim_zk_conn *conn = conn_new(w);
    conn->process = p;
    conn->incarnation = p->incarnation;
    conn->client_open = true;
    conn->to_server.from = conn->to_client.to = p;
    conn->previous = p->last_conn;
    p->last_conn = conn;
    return conn;
}

/* ---- what never arrived ---- */

static void link_undelivered(struct sim_message *m, uint32_t watches)
{
    struct sim_zk_conn *conn = m->conn;
    m->watches = watches;
    m->older = conn->undelivered;
    if (m->older != NULL)
        m->older->newer = m;
    conn->undelivered = m;
}

void sim_zk_unlink(struct sim_message *m)
{
    if (m->watches == 0)
        return;
    if (m->newer != NULL)
        m->newer->older = m->older;
    else
        m->conn->undelivered = m->older;
    if (m->older != NULL)
        m->older->newer = m->newer;
    m->older = m->newer = NULL;
    m->watches = 0;
}

static void run_server(struct sim_world *w, struct kz_input *in, struct sim_zk_step *record);

void sim_zk_lose(struct sim_world *w, struct sim_zk_conn *conn)
{
    assert(!conn->server_open); /* else it would tell the same again at once */
    while (conn->undelivered != NULL) {
        struct sim_message *m = conn->undelivered;
        bool is_event = m->kind == SIM_M_ZK_EVENT;
        struct kz_input in = {.kind = is_event ? KZ_IN_LOST_EVENT : KZ_IN_LOST_REPLY,
                              .session = conn->session,
                              .on = m->watches,
                              .path = is_event ? m->bytes : m->path};
        sim_zk_unlink(m);
        if (session_find(w, conn->session) != NULL)
            run_server(w, &in, NULL);
        if (m->untaken)
            sim_message_free(w, m);
    }
}

void sim_zk_untaken(struct sim_world *w, struct sim_message *m)
{
    if (m->watches == 0) {
        sim_message_free(w, m);
        return;
    }
    sim_message_matters_no_more(w, m);
    m->untaken = true;
}

/* ---- connections that end ---- */

static void server_hears_no_more(struct sim_world *w, struct sim_zk_conn *conn, uint64_t by)
{
    if (!conn->server_open)
        return;
    conn->server_open = false;
    sim_zk_server(w, (struct kz_input){.kind = KZ_IN_DISCONNECT, .conn = conn->number}, by, 0, 0,
                  conn->process == NULL ? 0 : sim_process_lane(conn->process));
}

void sim_zk_break(struct sim_world *w, struct sim_zk_conn *conn, uint64_t by)
{
    if (!conn->up)
        return;
    conn->up = false;
    server_hears_no_more(w, conn, by);
    sim_zk_lose(w, conn);
    if (!conn->client_open)
        return;
    struct sim_message *m = sim_message_new(w, SIM_M_ZK_CLOSED);
    m->process = conn->process;
    m->incarnation = conn->incarnation;
    m->conn = conn;
    m->by = m->mute = by;
    sim_push(w, w->now_us, (struct sim_event){.kind = SIM_E_MESSAGE, .p = m});
}

void sim_zk_hang_up(struct sim_world *w, struct sim_zk_conn *conn, uint64_t by)
{
    if (!conn->client_open)
        return;
    conn->client_open = false;
    if (!conn->up)
        return;
    struct sim_message *m = sim_message_new(w, SIM_M_ZK_HANG_UP);
    m->conn = conn;
    m->link = &conn->to_server;
    m->process = conn->process;
    m->by = by;
    sim_outbox_message(w, NULL, m); /* behind what the process has said already */
}

void sim_zk_close(struct sim_world *w, struct sim_zk_conn *conn, uint64_t by)
{
    conn->client_open = false;
    if (!conn->server_open)
        return;
    conn->server_open = false;
    sim_zk_server(w, (struct kz_input){.kind = KZ_IN_CLOSE, .conn = conn->number}, by, 0, 0,
                  sim_process_lane(conn->process));
    session_forget(w, conn->session);
}

/* ---- stepping the server ---- */

struct server_turn {
    struct sim_world *w;
    struct sim_zk_step *record; /* NULL: not recorded */
};

static struct sim_message *to_client(struct sim_world *w, struct sim_zk_conn *conn,
                                     enum sim_message_kind kind, uint64_t by)
{
    struct sim_message *m = sim_message_new(w, kind);
    m->process = conn->process;
    m->incarnation = conn->incarnation;
    m->conn = conn;
    m->link = &conn->to_client;
    m->delay_us = conn->process->zk_delay_us;
    m->by = by;
    sim_outbox_message(w, NULL, m);
    return m;
}

static void keep_operator_reply(struct sim_world *w, const struct wire_zk_reply *reply)
{
    sim_free(w->operator_reply);
    w->operator_reply = sim_copy(reply, reply->size);
}

static void deliver(struct sim_world *w, const struct kz_output *o, uint64_t request, sim_lane from,
                    uint64_t by)
{
    struct sim_zk_conn *conn = conn_numbered(w, o->conn);
    struct sim_message *m;
    if (conn->process == NULL) {
        if (o->kind == KZ_OUT_REPLY)
            keep_operator_reply(w, o->reply);
        return;
    }
    switch ((enum kz_output_kind)o->kind) {
    case KZ_OUT_CONNECTED:
        conn->session = o->session;
        conn->server_open = o->session != 0;
        if (o->session != 0)
            session_remember(w, o->session, conn->process);
        m = to_client(w, conn, SIM_M_ZK_CONNECTED, by);
        m->session = o->session;
        m->password = o->password;
        m->timeout_us = o->timeout_us;
        return;
    case KZ_OUT_REPLY:
        m = to_client(w, conn, SIM_M_ZK_REPLY, by);
        m->m = request;
        m->lane = from;
        m->bytes = sim_copy(o->reply, o->reply->size);
        if (o->watches == 0)
            return;
        m->path = sim_copy(o->path, strlen(o->path) + 1);
        link_undelivered(m, o->watches);
        return;
    case KZ_OUT_EVENT:
        m = to_client(w, conn, SIM_M_ZK_EVENT, by);
        m->event_type = o->type;
        m->bytes = sim_copy(o->path, strlen(o->path) + 1);
        link_undelivered(m, o->watches);
        return;
    case KZ_OUT_CLOSED:
        conn->server_open = false;
        to_client(w, conn, SIM_M_ZK_CLOSED, by);
        return;
    case KZ_OUT_NONE:
    case KZ_OUT_EXPIRED:
    case KZ_OUT_APPLIED:
        return;
    }
}

static void server_put(void *context, const struct kz_output *o)
{
    struct server_turn *turn = context;
    struct sim_world *w = turn->w;
    uint64_t n = turn->record == NULL ? 0 : sim_zk_step_output(w->trace, turn->record, o);
    SIM_CHECKED(w, sim_checks_zk_says(w->checks, o));
    sim_outbox_fire(w, SIM_SIDE_BEFORE);
    if (o->kind == KZ_OUT_EXPIRED)
        session_forget(w, o->session);
    else if (o->kind != KZ_OUT_APPLIED)
        deliver(w, o, turn->record == NULL ? 0 : turn->record->m,
                turn->record == NULL ? 0 : turn->record->from, n);
    sim_outbox_fire(w, SIM_SIDE_AFTER);
}

static void run_server(struct sim_world *w, struct kz_input *in, struct sim_zk_step *record)
{
    struct server_turn turn = {.w = w, .record = record};
    struct kz_outputs out = {.put = server_put, .context = &turn};
    enum sm_err err;
    assert(!w->in_zk_step);
    w->in_zk_step = true;
    do {
        out.scratch = w->zk_scratch;
        out.scratch_size = w->zk_scratch_size;
        sim_touch(w->zk);
        err = kz_server_step(w->zk, w->now_us, in, &out);
    } while (err == SM_ERR_LIMIT && grow_server(w, out.short_of));
    w->in_zk_step = false;
}

/* ---- servers that lag ---- */

enum { LAG_HISTORY = 4096 };

void sim_zk_lag(struct sim_world *w, int32_t servers, int64_t lag_us)
{
    if (lag_us == 0 || servers < 2)
        return;
    w->zk_servers = servers;
    w->zk_lag_us = lag_us;
    w->zk_lag_zxid = w->zk_seen_zxid = kz_server_zxid(w->zk);
    while (kz_server_limits(w->zk)->history < LAG_HISTORY)
        if (!grow_server(w, "history"))
            return;
}

static bool lags(const struct sim_world *w, const struct sim_zk_conn *conn)
{
    return w->zk_lag_us > 0 && conn != NULL && conn->process != NULL && conn->server_open &&
           conn->process->index % (uint32_t)w->zk_servers != 0;
}

static void set_lag(struct sim_world *w, struct sim_zk_conn *conn)
{
    struct sim_zk_step record = {.node_of = node_of, .cause_of = cause_of, .context = w};
    if (!lags(w, conn))
        return;
    struct kz_input in = {.kind = KZ_IN_LAG, .conn = conn->number, .zxid = w->zk_lag_zxid};
    sim_zk_step_begin(w->trace, &record, w->now_us, &in);
    run_server(w, &in, &record);
    sim_zk_step_end(w->trace, &record);
}

/* Every change reaches the lagging servers lag_us later. */
static void plan_catch_up(struct sim_world *w)
{
    int64_t zxid = kz_server_zxid(w->zk);
    if (w->zk_lag_us == 0 || zxid == w->zk_seen_zxid)
        return;
    w->zk_seen_zxid = zxid;
    w->in_flight++; /* not quiet until they have it */
    sim_push(w, w->now_us + w->zk_lag_us,
             (struct sim_event){.kind = SIM_E_LAG, .a = (uint64_t)zxid});
}

void sim_zk_catch_up(struct sim_world *w, int64_t zxid)
{
    w->in_flight--;
    w->zk_lag_zxid = zxid;
    for (uint32_t i = 0; i < w->conn_count; i++)
        set_lag(w, w->conns[i]);
    sim_outbox_flush(w);
}

static void plan_tick(struct sim_world *w)
{
    int64_t next = kz_server_next_tick(w->zk);
    if (next >= w->tick_at_us)
        return;
    w->tick_at_us = next;
    sim_push(w, next, (struct sim_event){.kind = SIM_E_ZK_TICK, .a = ++w->tick_generation});
}

void sim_zk_server(struct sim_world *w, struct kz_input in, uint64_t by, uint64_t mute, uint64_t m,
                   sim_lane from)
{
    struct sim_zk_step record = {.by = by,
                                 .mute = mute,
                                 .m = m,
                                 .from = from,
                                 .node_of = node_of,
                                 .cause_of = cause_of,
                                 .context = w};
    sim_zk_step_begin(w->trace, &record, w->now_us, &in);
    run_server(w, &in, &record);
    SIM_CHECKED(w, sim_checks_zk_asks(w->checks, SIM_NOBODY, -1, NULL));
    sim_zk_step_end(w->trace, &record);
    sim_outbox_fire(w, SIM_SIDE_BEFORE);
    sim_outbox_fire(w, SIM_SIDE_AFTER);
    plan_tick(w);
    plan_catch_up(w);
    sim_outbox_flush(w);
}

void sim_zk_operate(struct sim_world *w, const struct wire_zk_request *request, uint64_t by,
                    uint64_t m)
{
    struct sim_zk_conn *conn = conn_new(w);
    struct kz_input connect = {
        .kind = KZ_IN_CONNECT, .conn = conn->number, .timeout_us = w->options.tick_us * 20};
    struct kz_input close = {.kind = KZ_IN_CLOSE, .conn = conn->number};
    run_server(w, &connect, NULL);
    SIM_CHECKED(w, sim_checks_zk_asks(w->checks, SIM_NOBODY, -1, request));
    sim_zk_server(
        w, (struct kz_input){.kind = KZ_IN_REQUEST, .conn = conn->number, .request = request}, by,
        0, m, SIM_LANE_OPERATOR);
    run_server(w, &close, NULL);
    sim_free(conn);
    w->conns[w->conn_count - 1] = NULL;
}

static void put_given(void *context, const struct kz_output *o)
{
    struct sim_process *p = context;
    if (o->kind != KZ_OUT_CONNECTED)
        return;
    p->given_session = o->session;
    p->given_password = o->password;
}

void sim_zk_given_session(struct sim_world *w, struct sim_process *p)
{
    struct sim_zk_conn *conn = conn_new(w);
    struct kz_input connect = {
        .kind = KZ_IN_CONNECT, .conn = conn->number, .timeout_us = p->settings.session_timeout_us};
    struct kz_input leave = {.kind = KZ_IN_DISCONNECT, .conn = conn->number};
    struct kz_outputs out = {.put = put_given, .context = p};
    do {
        sim_touch(w->zk);
        out.scratch = w->zk_scratch;
        out.scratch_size = w->zk_scratch_size;
    } while (kz_server_step(w->zk, w->now_us, &connect, &out) == SM_ERR_LIMIT &&
             grow_server(w, out.short_of));
    run_server(w, &leave, NULL);
    session_remember(w, p->given_session, p);
    sim_free(conn);
    w->conns[w->conn_count - 1] = NULL;
    plan_tick(w);
}

void sim_zk_tick(struct sim_world *w, uint64_t generation)
{
    if (generation != w->tick_generation)
        return;
    w->tick_at_us = INT64_MAX;
    sim_zk_server(w, (struct kz_input){.kind = KZ_IN_TICK}, 0, 0, 0, 0);
}

/* ---- arrivals ---- */

/* Steps that must act before ZooKeeper applies the request; false where it is lost by that. */
static bool act_before(struct sim_world *w, const struct sim_message *m)
{
    struct sim_record request;
    if (w->open_patterns == 0 || !sim_trace_get(w->trace, m->m, &request))
        return true;
    request.kind = SIM_K_ZAP;
    for (uint32_t i = 0; i < w->scenario->step_count; i++) {
        const struct sim_pattern *p = &w->scenario->steps[i].pattern;
        if (w->scenario->steps[i].when != SIM_WHEN_PATTERN || w->steps[i].fired ||
            p->side != SIM_SIDE_BEFORE || strcmp(p->kind, "zap") != 0 ||
            !sim_pattern_match(p, w->trace, &request))
            continue;
        if (++w->steps[i].matches == p->nth)
            sim_step_fire(w, i, m->m);
    }
    return m->conn->up && m->conn->server_open;
}

static void arrive_request(struct sim_world *w, struct sim_message *m)
{
    struct sim_process *p = m->process;
    bool fails = p->fail_next;
    uint64_t fail_record = p->fail_record;
    w->counts.zk_requests++;
    if (!act_before(w, m)) {
        sim_message_drop(w, m, p->life_record, "closed");
        return;
    }
    p->fail_next = false;
    struct sim_zk_conn *conn = m->conn;
    uint32_t lost_step = m->lost_step;
    uint64_t number = m->m;
    if (!fails || p->fail_applied) {
        w->in_flush = fails || lost_step != 0 ? true : w->in_flush; /* the reply must not leave */
        SIM_CHECKED(w, sim_checks_zk_asks(w->checks, p->id, m->writer_epoch, m->bytes));
        sim_zk_server(
            w, (struct kz_input){.kind = KZ_IN_REQUEST, .conn = conn->number, .request = m->bytes},
            number, 0, number, m->lane);
        w->in_flush = false;
    }
    if (lost_step != 0 || fails)
        sim_zk_break(w, conn, fails ? fail_record : number);
    sim_outbox_flush(w);
    if (lost_step != 0)
        sim_step_fire(w, lost_step - 1, number);
    if (fails && !p->fail_applied)
        sim_message_drop(w, m, fail_record, "dropped");
    else
        sim_message_free(w, m);
}

static void arrive_connect(struct sim_world *w, const struct sim_message *m)
{
    for (struct sim_zk_conn *old = m->conn->previous; old != NULL; old = old->previous) {
        server_hears_no_more(w, old, m->by); /* the new connection has overtaken the news */
        sim_zk_lose(w, old);
    }
    m->conn->server_open = true;
    sim_zk_server(w,
                  (struct kz_input){.kind = KZ_IN_CONNECT,
                                    .conn = m->conn->number,
                                    .session = m->session,
                                    .password = m->password,
                                    .timeout_us = m->timeout_us,
                                    .zxid = m->zxid},
                  m->by, 0, 0, sim_process_lane(m->process));
    set_lag(w, m->conn);
}

static void arrive_ping(struct sim_world *w, const struct sim_message *m)
{
    sim_zk_server(w, (struct kz_input){.kind = KZ_IN_HEARTBEAT, .conn = m->conn->number}, 0, 0, 0,
                  sim_process_lane(m->process));
    if (!w->quorum_lost && m->conn->server_open)
        to_client(w, m->conn, SIM_M_ZK_PONG, m->by);
    sim_outbox_flush(w);
}

/* A session of which something arrives is silent no more: whatever silenced it is not why it
   expires, if it does. What was under way when it fell silent does not count. */
static void hear(struct sim_world *w, const struct sim_message *m)
{
    const struct sim_session_entry *e = session_find(w, m->conn->session);
    if (e == NULL || e->by == 0)
        return;
    bool was_under_way = m->m != 0 && m->m < e->by;
    if (!e->is_ghost && !was_under_way && m->process->life == SIM_UP)
        sim_zk_blame(w, m->conn->session, 0, 0);
}

void sim_zk_arrive(struct sim_world *w, struct sim_message *m)
{
    struct sim_zk_conn *conn = m->conn;
    bool is_first = m->kind == SIM_M_ZK_CONNECT;
    if (!conn->up || (!is_first && !conn->server_open)) {
        sim_message_drop(w, m, m->process->life_record, "closed");
        return;
    }
    if (w->blamed > 0 && m->kind != SIM_M_ZK_HANG_UP)
        hear(w, m);
    if (m->kind == SIM_M_ZK_REQUEST) {
        arrive_request(w, m);
        return;
    }
    if (is_first) {
        arrive_connect(w, m);
    } else if (m->kind == SIM_M_ZK_PING) {
        arrive_ping(w, m);
    } else if (m->kind == SIM_M_ZK_CLOSE) {
        sim_zk_close(w, conn, m->by);
    } else {
        assert(m->kind == SIM_M_ZK_HANG_UP);
        server_hears_no_more(w, conn, m->by);
    }
    sim_message_free(w, m);
}
