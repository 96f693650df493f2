/*
 * Processes: start, death, standing still; and what a node says, put on its way.
 *
 * A process that stands still takes nothing: messages wait in its inbox, timers that are due are
 * remembered. When it goes on it first takes what has waited, in order, then the timers.
 */
#include <assert.h>

#include "sim/world_limits.h"
#include "sim/world_state.h"

sim_lane sim_process_lane(const struct sim_process *p)
{
    if (p->client != NULL)
        return sim_client_lane(p->id);
    return p->has_node ? SIM_LANE_CONTROLLER(p->id) : SIM_LANE_BROKER(p->id);
}

/* ---- blocks ---- */

static uint32_t *controller_limit(struct kc_limits *limits, const char *name)
{
    struct {
        const char *name;
        uint32_t *limit;
    } all[] = {
        {"brokers", &limits->brokers},         {"topics", &limits->topics},
        {"partitions", &limits->partitions},   {"replicas", &limits->replicas},
        {"topic_name", &limits->topic_name},   {"events", &limits->events},
        {"event_bytes", &limits->event_bytes}, {"scratch_bytes", &limits->scratch_bytes},
        {"batch_bytes", &limits->batch_bytes}, {"window", &limits->window},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(all[i].name, name) == 0)
            return all[i].limit;
    return NULL;
}

static bool refuse(struct sim_world *w, const struct kn_node *n, const char *what, const char *name,
                   uint64_t value)
{
    sim_world_fail(w, "node %d: %s: limit '%s' = %llu is reached and may not grow further", n->id,
                   what, name, (unsigned long long)value);
    return false;
}

static bool grow_controller(struct sim_world *w, struct kn_node *n, const char *short_of)
{
    struct kc_limits limits = *kc_controller_limits(n->controller);
    uint32_t *limit = controller_limit(&limits, short_of);
    assert(limit != NULL);
    if (*limit >= SIM_LIMIT_MAX)
        return refuse(w, n, "controller", short_of, *limit);
    /* one that takes over grows at once to what the one before it has needed */
    uint32_t *needed = controller_limit(&w->needed, short_of);
    *limit = *limit == 0 ? 16 : *limit * 2;
    *limit = *needed > *limit ? *needed : *limit;
    *needed = *limit;
    size_t size = kc_controller_size(&limits);
    if (size > SIM_BLOCK_BYTES_MAX)
        return refuse(w, n, "controller", short_of, *limit);
    struct kc_controller *larger = sim_block(sim_alloc(size));
    kc_controller_grow(n->controller, larger, &limits);
    sim_free(n->controller);
    n->controller = larger;
    return true;
}

static struct kn_session *grow_session(const struct kn_session *from)
{
    struct kn_session_limits limits = *kn_session_limits_of(from);
    limits.request_bytes *= 2;
    struct kn_session *larger = sim_block(sim_realloc(NULL, kn_session_size(&limits)));
    kn_session_grow(from, larger, &limits);
    return larger;
}

struct node_turn {
    struct sim_world *w;
    struct sim_process *p;
    const struct kn_outputs *out;
};

static bool grow(void *context, struct kn_node *n, enum kn_block block, const char *short_of)
{
    struct node_turn *turn = context;
    struct sim_world *w = turn->w;
    if (block == KN_BLOCK_CONTROLLER)
        return grow_controller(w, n, short_of);
    if (block == KN_BLOCK_ANSWER) {
        n->own_item = sim_realloc(n->own_item, turn->out->scratch_needed);
        n->own_capacity = (uint32_t)(turn->out->scratch_needed / sizeof(*n->own_item));
        return true;
    }
    if (block == KN_BLOCK_REPLICAS || block == KN_BLOCK_BROKER)
        return sim_full_grow(w, n, block, short_of, turn->out->scratch_needed);
    uint32_t bytes = kn_session_limits_of(n->session)->request_bytes;
    if (bytes >= SIM_LIMIT_MAX)
        return refuse(w, n, "session", short_of, bytes);
    struct kn_session *larger = grow_session(n->session);
    sim_free(n->session);
    n->session = larger;
    return true;
}

/* ---- timers ---- */

enum { TIMERS_MAX = 1 << 20 };

/* Those of a broker part have large numbers, counted down. */
static struct sim_timer *broker_timer_of(struct sim_process *p, uint32_t id)
{
    uint32_t at = KN_TIMER_BROKER - id;
    if (at >= p->broker_timer_count) {
        p->broker_timers = sim_realloc(p->broker_timers, (at + 1u) * sizeof(*p->broker_timers));
        for (uint32_t i = p->broker_timer_count; i <= at; i++)
            p->broker_timers[i] = (struct sim_timer){.id = KN_TIMER_BROKER - i, .due_us = -1};
        p->broker_timer_count = at + 1u;
    }
    return &p->broker_timers[at];
}

/* By id: the session's, which is the largest number, comes first; a controller's are small. */
static struct sim_timer *timer_of(struct sim_process *p, uint32_t id)
{
    if (kn_timer_is_broker(id))
        return broker_timer_of(p, id);
    uint32_t at = id + 1u; /* KN_TIMER_SESSION wraps round to 0 */
    assert(at < TIMERS_MAX);
    if (at >= p->timer_count) {
        p->timers = sim_realloc(p->timers, (at + 1u) * sizeof(*p->timers));
        for (uint32_t i = p->timer_count; i <= at; i++)
            p->timers[i] = (struct sim_timer){.id = i - 1u, .due_us = -1};
        p->timer_count = at + 1u;
    }
    return &p->timers[at];
}

void sim_process_arm(struct sim_world *w, struct sim_process *p, uint32_t id, int64_t due_us,
                     uint64_t record)
{
    struct sim_timer *t = timer_of(p, id);
    t->generation++;
    t->due_us = due_us;
    t->record = record;
    if (due_us >= 0)
        sim_push(w, sim_clock_when(p, due_us),
                 (struct sim_event){.kind = SIM_E_TIMER,
                                    .process = p->index,
                                    .a = id,
                                    .b = (uint64_t)t->generation << 32 | p->incarnation});
}

void sim_process_timer(struct sim_world *w, struct sim_process *p, uint32_t id, uint32_t generation,
                       uint32_t incarnation)
{
    struct sim_timer *t = timer_of(p, id);
    if (p->life != SIM_UP || p->incarnation != incarnation || t->generation != generation)
        return; /* dead, standing still (remembered), or armed anew */
    int64_t due_us = t->due_us;
    t->due_us = -1;
    if (!p->has_node) {
        sim_scripted_timer(w, p, id);
        return;
    }
    uint64_t record = t->record;
    if (id != KN_TIMER_SESSION && !kn_timer_is_broker(id))
        record = sim_trace_timer(w->trace, w->now_us, sim_process_lane(p), t->record, 0, "fire",
                                 "controller", id, due_us);
    sim_process_hear(w, p, (struct kn_input){.kind = KN_IN_TIMER, .timer = id, .record = record});
}

/* ---- what a node says ---- */

static void send_request(struct sim_world *w, struct sim_process *p, const struct kc_output *o,
                         uint64_t record)
{
    struct sim_process *broker = sim_find(w, o->broker_id);
    struct sim_pipe *c = broker == NULL ? NULL : sim_pipe_of(w, p, broker);
    struct sim_message *m;
    if (c == NULL) { /* nobody has that name */
        m = sim_message_new(w, SIM_M_BROKEN);
        m->process = p;
        m->correlation = o->correlation;
        m->session = o->broker_id;
        m->delay_us = w->options.delays.network_us * 2;
    } else {
        c->in_flight = true;
        c->correlation = o->correlation;
        c->m = record;
        c->mute = 0;
        c->api = (enum wire_api)o->api;
        c->deadline_us = sim_clock_after(w, p, p->settings.socket_timeout_us);
        if (!c->deadline_set) {
            c->deadline_set = true;
            sim_push(w, c->deadline_us, (struct sim_event){.kind = SIM_E_DEADLINE, .p = c});
        }
        m = sim_message_new(w, SIM_M_REQUEST);
        m->process = broker;
        m->channel = c;
        m->life = c->life;
        m->link = &c->request;
        m->batch = sim_batch_store(w, p, o->batch);
    }
    m->incarnation = m->process->incarnation;
    m->api = (enum wire_api)o->api;
    m->correlation = o->correlation;
    m->m = m->by = record;
    sim_outbox_message(w, p, m);
}

static void send_call_answer(struct sim_world *w, struct sim_process *p, const struct kc_output *o,
                             uint64_t record)
{
    struct sim_message *m = sim_message_new(w, SIM_M_CALL_ANSWER);
    m->call_id = o->call_id;
    m->process = p;
    m->incarnation = p->incarnation;
    m->delay_us = w->options.delays.network_us;
    m->m = m->by = record;
    m->bytes = sim_copy(o->call, o->call->size);
    sim_call_marks(w, m);
    sim_outbox_message(w, p, m);
}

/* A controller gives its channel up: what it has sent still arrives, the answers do not. */
static void close_channel(struct sim_world *w, struct sim_process *p, int32_t broker_id)
{
    struct sim_process *broker = sim_find(w, broker_id);
    struct sim_pipe *c = broker == NULL ? NULL : sim_pipe_of(w, p, broker);
    if (c == NULL)
        return;
    c->life++;
    c->in_flight = false;
}

static uint64_t on_controller(struct sim_world *w, struct sim_process *p, const struct kc_output *o,
                              bool is_internal)
{
    uint64_t record = sim_trace_controller(w->trace, w->now_us, p->id, o);
    SIM_CHECKED(w, sim_checks_controller(w->checks, p->id, o));
    sim_outbox_fire(w, SIM_SIDE_BEFORE);
    switch ((enum kc_output_kind)o->kind) {
    case KC_OUT_BATCH:
        sim_batch_release(w, sim_batch_store(w, p, o->batch));
        break;
    case KC_OUT_SEND:
        if (!is_internal) /* else its own broker part has it already */
            send_request(w, p, o, record);
        else
            record = sim_full_own_request(w, p, o, record);
        break;
    case KC_OUT_CLOSE:
        close_channel(w, p, o->broker_id);
        break;
    case KC_OUT_REPLY:
        send_call_answer(w, p, o, record);
        break;
    case KC_OUT_NONE:
    case KC_OUT_ZK: /* comes as KN_OUT_ZK_SEND */
        return record;
    case KC_OUT_TIMER:
    case KC_OUT_EXPIRE_STARTED:
    case KC_OUT_FATAL:
    case KC_OUT_QUEUE:
    case KC_OUT_FLOW:
    case KC_OUT_MOVE:
    case KC_OUT_DECIDE:
    case KC_OUT_FACT:
    case KC_OUT_LOG:
        break;
    }
    sim_outbox_fire(w, SIM_SIDE_AFTER);
    return record;
}

static struct sim_message *to_zookeeper(struct sim_world *w, struct sim_process *p,
                                        enum sim_message_kind kind, uint64_t by)
{
    struct sim_message *m = sim_message_new(w, kind);
    m->process = p;
    m->incarnation = p->incarnation;
    m->conn = p->conn;
    m->link = &p->conn->to_server;
    m->by = by;
    return m;
}

static void send_zk_request(struct sim_world *w, struct sim_process *p, const struct kn_output *o)
{
    bool is_recorded = o->record != 0 && !o->again && !o->is_broker;
    bool is_full = o->is_broker && p->is_full;
    sim_lane lane = is_full ? SIM_LANE_BROKER(p->id) : sim_process_lane(p);
    uint64_t by = o->record != 0 ? o->record : o->by;
    by = is_full ? sim_full_cause(w, p, o->request, by) : by;
    uint64_t m_number =
        is_recorded ? o->record : sim_trace_zreq(w->trace, w->now_us, lane, by, o->request);
    struct sim_message *m = to_zookeeper(w, p, SIM_M_ZK_REQUEST, m_number);
    m->m = m_number;
    m->lane = lane;
    m->bytes = sim_copy(o->request, o->request->size);
    m->writer_epoch = o->is_broker ? -1 : kc_controller_epoch(p->node.controller);
    sim_outbox_fire(w, SIM_SIDE_BEFORE);
    sim_outbox_message(w, p, m);
    sim_outbox_fire(w, SIM_SIDE_AFTER);
}

static void connect_zookeeper(struct sim_world *w, struct sim_process *p, int64_t session,
                              uint64_t password, int64_t timeout_us, int64_t zxid, uint64_t by)
{
    p->conn = sim_zk_connect(w, p);
    struct sim_message *m = to_zookeeper(w, p, SIM_M_ZK_CONNECT, by);
    m->session = session;
    m->password = password;
    m->timeout_us = timeout_us;
    m->zxid = zxid;
    sim_outbox_message(w, p, m);
}

static void hang_up(struct sim_world *w, struct sim_process *p, uint64_t by)
{
    if (p->conn != NULL)
        sim_zk_hang_up(w, p->conn, by);
    p->conn = NULL;
}

static uint64_t on_session(struct sim_world *w, struct sim_process *p, const struct kn_output *o)
{
    uint64_t mute = o->what == KN_DISCONNECTED ? sim_zk_blamed(w, o->session) : 0;
    uint64_t n = sim_trace_session_client(w->trace, w->now_us, p->id, o->by, mute,
                                          kn_session_what_name((enum kn_session_what)o->what),
                                          o->session, o->timeout_us);
    if (o->what == KN_DISCONNECTED || o->what == KN_EXPIRED)
        hang_up(w, p, n);
    sim_outbox_fire(w, SIM_SIDE_BEFORE);
    sim_outbox_fire(w, SIM_SIDE_AFTER);
    return n;
}

static uint64_t node_put(void *context, const struct kn_output *o)
{
    struct node_turn *turn = context;
    struct sim_world *w = turn->w;
    struct sim_process *p = turn->p;
    switch ((enum kn_output_kind)o->kind) {
    case KN_OUT_NONE:
        return 0;
    case KN_OUT_CONTROLLER:
        return on_controller(w, p, o->controller, o->is_internal);
    case KN_OUT_ZK_CONNECT:
        connect_zookeeper(w, p, o->session, o->password, o->timeout_us, o->zxid, o->by);
        return 0;
    case KN_OUT_ZK_HANG_UP:
        hang_up(w, p, o->by);
        return 0;
    case KN_OUT_ZK_SEND:
        send_zk_request(w, p, o);
        return 0;
    case KN_OUT_ZK_PING:
        sim_outbox_message(w, p, to_zookeeper(w, p, SIM_M_ZK_PING, 0));
        return 0;
    case KN_OUT_ZK_CLOSE:
        sim_outbox_message(w, p, to_zookeeper(w, p, SIM_M_ZK_CLOSE, o->by));
        return 0;
    case KN_OUT_SESSION:
        return on_session(w, p, o);
    case KN_OUT_TIMER:
        sim_process_arm(w, p, o->timer, o->due_us,
                        kn_timer_is_broker(o->timer) ? o->by : o->record);
        return 0;
    case KN_OUT_RESPONSE:
    case KN_OUT_BATCH_ANSWER:
    case KN_OUT_PEER_REQUEST:
        sim_full_output(w, p, o);
        return 0;
    case KN_OUT_REPLICA: {
        uint64_t record = sim_full_note(w, p, o);
        sim_clients_replica(w, p->id, o->replica, record);
        SIM_CHECKED(w, sim_checks_replica(w->checks, p->id, o->replica));
        return record;
    }
    case KN_OUT_LOG:
        break;
    case KN_OUT_STOPPED:
        p->stopping = true;
        return 0;
    }
    return 0;
}

static void gone(struct sim_world *w, struct sim_process *p, uint64_t by);
static int64_t session_of(const struct sim_process *p);

static void say_what_lives(const struct sim_process *p, uint32_t blocks)
{
    if ((blocks >> KN_BLOCK_CONTROLLER & 1) != 0) {
        struct kc_span span[KC_SPANS];
        struct sim_span live[KC_SPANS];
        uint32_t count = 0;
        kc_controller_live(p->node.controller, span);
        for (uint32_t i = 0; i < KC_SPANS; i++)
            if (span[i].size > 0)
                live[count++] = (struct sim_span){.at = span[i].at, .size = span[i].size};
        sim_live(p->node.controller, live, count);
    }
    if ((blocks >> KN_BLOCK_BROKER & 1) != 0 && p->node.broker != NULL)
        sim_live(p->node.broker, &(struct sim_span){.size = kb_broker_live(p->node.broker)}, 1);
    if ((blocks >> KN_BLOCK_REPLICAS & 1) != 0 && p->replicas != NULL)
        sim_live(p->replicas, &(struct sim_span){.size = kb_replicas_live(p->replicas)}, 1);
}

static enum sm_err step_node(struct sim_world *w, struct sim_process *p, const struct kn_input *in,
                             struct kn_outputs *out)
{
    enum sm_err err = kn_node_step(&p->node, sim_clock_now(w, p), in, out);
    const struct {
        uint32_t block;
        void *at;
    } all[] = {{KN_BLOCK_SESSION, p->node.session},
               {KN_BLOCK_CONTROLLER, p->node.controller},
               {KN_BLOCK_BROKER, p->node.broker},
               {KN_BLOCK_REPLICAS, p->node.replicas}};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if ((out->touched >> all[i].block & 1) != 0)
            sim_touch(all[i].at);
    if (w->heap != NULL)
        say_what_lives(p, out->touched);
    return err;
}

void sim_process_step(struct sim_world *w, struct sim_process *p, struct kn_input in)
{
    struct node_turn turn = {.w = w, .p = p};
    struct kn_outputs out = {.put = node_put, .grow = grow, .context = &turn};
    turn.out = &out;
    p->node.scratch = w->broker_scratch;
    p->node.scratch_size = w->broker_scratch_size;
    uint32_t incarnation = p->incarnation;
    do {
        if (step_node(w, p, &in, &out) != SM_ERR_OK)
            return;
        bool has_stopped = p->stopping;
        sim_outbox_flush(w);
        if (p->incarnation != incarnation || p->life == SIM_DOWN)
            return;
        if (has_stopped) {
            if (p->node.has_failed)
                sim_process_failed(w, p, in.record);
            sim_zk_orphan(w, session_of(p), in.record); /* until ZooKeeper has closed it */
            gone(w, p, in.record);
            return;
        }
        w->steps_at_instant++;
        in = (struct kn_input){.kind = KN_IN_MORE, .record = in.record};
    } while (out.more && w->steps_at_instant < SIM_STEPS_PER_INSTANT_MAX);
    if (p->is_full)
        sim_full_unlock(w, p);
}

/* ---- what reaches a process ---- */

void sim_process_hear(struct sim_world *w, struct sim_process *p, struct kn_input in)
{
    uint32_t incarnation = p->incarnation;
    sim_outbox_fire(w, SIM_SIDE_BEFORE);
    sim_outbox_flush(w);
    if (p->life != SIM_DOWN && p->incarnation == incarnation) /* a pause begins behind it */
        sim_process_step(w, p, in);
    else if (p->life == SIM_PAUSED && p->incarnation == incarnation)
        sim_stall(p, &in);
}

static void to_node(struct sim_world *w, struct sim_process *p, struct kn_input in)
{
    sim_process_hear(w, p, in);
    sim_outbox_fire(w, SIM_SIDE_AFTER);
    sim_outbox_flush(w);
}

static void deliver_zookeeper(struct sim_world *w, struct sim_process *p, struct sim_message *m)
{
    sim_lane lane = sim_process_lane(p);
    struct kn_input in = {.record = m->by};
    if (m->kind == SIM_M_ZK_EVENT)
        SIM_CHECKED(w, sim_checks_notified(w->checks, p->id, m->bytes, m->conn != p->conn));
    if (m->conn != p->conn)
        return; /* a connection that was given up */
    if (m->kind == SIM_M_ZK_CONNECTED) {
        in.kind = KN_IN_CONNECTED;
        in.session = m->session;
        in.password = m->password;
        in.timeout_us = m->timeout_us;
    } else if (m->kind == SIM_M_ZK_REPLY) {
        const struct wire_zk_reply *reply = m->bytes;
        in.kind = KN_IN_ZK_REPLY;
        in.reply = reply;
        lane = m->lane != 0 ? m->lane : lane;
        in.record = sim_trace_zrep(w->trace, w->now_us, lane, m->by, 0, m->m, reply, 0);
    } else if (m->kind == SIM_M_ZK_EVENT) {
        in.kind = KN_IN_ZK_EVENT;
        in.event_type = m->event_type;
        in.path = m->bytes;
        in.record = sim_trace_notify(w->trace, w->now_us, lane, m->by, m->event_type, m->bytes);
    } else if (m->kind == SIM_M_ZK_PONG) {
        in.kind = KN_IN_PONG;
    } else {
        assert(m->kind == SIM_M_ZK_CLOSED);
        in.kind = KN_IN_DISCONNECTED;
    }
    to_node(w, p, in);
}

static void deliver_to_session(struct sim_world *w, struct sim_process *p, struct sim_message *m)
{
    struct kn_session_input in = {.kind = KN_SESSION_IN_HEARD};
    if (m->conn != p->conn)
        return;
    if (m->kind == SIM_M_ZK_CONNECTED)
        in = (struct kn_session_input){.kind = KN_SESSION_IN_CONNECTED,
                                       .session = m->session,
                                       .password = m->password,
                                       .timeout_us = m->timeout_us};
    else if (m->kind == SIM_M_ZK_REPLY)
        in = (struct kn_session_input){.kind = KN_SESSION_IN_REPLY, .reply = m->bytes};
    else if (m->kind == SIM_M_ZK_CLOSED)
        in = (struct kn_session_input){.kind = KN_SESSION_IN_DISCONNECTED};
    sim_scripted_session(w, p, in, m->by);
}

static void deliver_answer(struct sim_world *w, struct sim_process *p, struct sim_message *m)
{
    struct sim_pipe *c = m->channel;
    if (c->life != m->life || !c->in_flight || c->correlation != m->correlation) {
        return; /* of a connection that is over */
    }
    c->in_flight = false;
    uint64_t record =
        sim_trace_recv_answer(w->trace, w->now_us, sim_process_lane(p), m->by, m->m, m->re,
                              SIM_LANE_BROKER(c->broker->id), m->api, &m->answer);
    to_node(w, p,
            (struct kn_input){.kind = KN_IN_ANSWER,
                              .record = record,
                              .broker_id = c->broker->id,
                              .correlation = m->correlation,
                              .answer = &m->answer});
}

static void deliver_broken(struct sim_world *w, struct sim_process *p, struct sim_message *m)
{
    struct sim_pipe *c = m->channel;
    if (c != NULL && (c->life != m->life || c->in_flight))
        return; /* used anew already */
    to_node(w, p,
            (struct kn_input){.kind = KN_IN_SEND_FAILED,
                              .record = m->by,
                              .broker_id = c == NULL ? (int32_t)m->session : c->broker->id,
                              .correlation = m->correlation});
}

static void deliver_call(struct sim_world *w, struct sim_process *p, struct sim_message *m)
{
    sim_call_taken_up(w, m);
    uint64_t record = sim_trace_call(w->trace, SIM_K_RECV, w->now_us, sim_process_lane(p), m->by,
                                     m->m, SIM_LANE_OPERATOR, m->bytes);
    to_node(w, p,
            (struct kn_input){
                .kind = KN_IN_CALL, .record = record, .call_id = m->call_id, .call = m->bytes});
}

static bool is_for_channel_of_dead(const struct sim_message *m)
{
    return m->kind == SIM_M_REQUEST &&
           (m->process->life == SIM_DOWN || m->process->incarnation != m->incarnation);
}

/* Refused: the controller learns it a way back later. */
static void refuse_request(struct sim_world *w, struct sim_message *m)
{
    struct sim_pipe *c = m->channel;
    uint64_t record = m->process->life_record;
    bool is_current = c->life == m->life && c->in_flight && c->correlation == m->correlation;
    sim_message_drop(w, m, record, "closed");
    if (is_current)
        sim_pipe_break(w, c, true, record);
}

void sim_process_deliver(struct sim_world *w, struct sim_message *m)
{
    struct sim_process *p = m->process;
    if (is_for_channel_of_dead(m)) {
        refuse_request(w, m);
        return;
    }
    if (p->life == SIM_DOWN || p->incarnation != m->incarnation ||
        (m->conn != NULL && !m->conn->up && m->kind != SIM_M_ZK_CLOSED)) {
        sim_message_drop(w, m, p->life_record, p->life == SIM_DOWN ? "dead" : "closed");
        return;
    }
    if (p->life == SIM_PAUSED) {
        sim_wait_in_inbox(p, m);
        return;
    }
    if (m->kind == SIM_M_REQUEST && p->is_full && !kn_node_listens(&p->node)) {
        refuse_request(w, m); /* it starts or stops */
        return;
    }
    if (m->kind == SIM_M_REQUEST) {
        sim_scripted_request(w, m);
        return;
    }
    if (m->conn != NULL && m->conn == p->conn)
        sim_zk_unlink(m); /* else the client takes it no more, and the server is to hear of it */
    if (m->kind == SIM_M_ANSWER)
        deliver_answer(w, p, m);
    else if (m->kind == SIM_M_BROKEN)
        deliver_broken(w, p, m);
    else if (m->kind == SIM_M_CALL)
        deliver_call(w, p, m);
    else if (p->has_node)
        deliver_zookeeper(w, p, m);
    else
        deliver_to_session(w, p, m);
    sim_zk_untaken(w, m);
}

/* ---- life ---- */

static struct kc_config controller_config(const struct sim_world *w, const struct sim_process *p)
{
    struct kc_config c = kc_config_default(p->profile, p->id);
    c.broker = sim_registration_of(p);
    c.register_broker = p->registers;
    c.never_elected = p->never_elected;
    c.notes = w->options.notes;
    c.auto_leader_rebalance = p->settings.auto_leader_rebalance;
    c.leader_imbalance_percentage = p->settings.leader_imbalance_percentage;
    c.leader_imbalance_check_us = p->settings.leader_imbalance_check_us;
    c.unclean_leader_election = p->settings.unclean_leader_election;
    c.delete_topic = p->settings.delete_topic;
    c.write_group = p->settings.zk_write_group > 0 ? (uint32_t)p->settings.zk_write_group : 1;
    c.read_group = p->settings.zk_read_group > 0 ? (uint32_t)p->settings.zk_read_group : 1;
    return c;
}

static struct kn_session *new_session(const struct sim_process *p)
{
    struct kn_session_limits limits = kn_session_limits_default();
    struct kn_session_config config = kn_session_config_default();
    config.timeout_us = p->settings.session_timeout_us;
    config.tried_once = sm_defect_on(&p->profile, SM_DEFECT_SESSION_TRIED_ONCE);
    struct kn_session *s = sim_block(sim_realloc(NULL, kn_session_size(&limits)));
    kn_session_init(s, &limits, &config);
    return s;
}

static void make_node(struct sim_world *w, struct sim_process *p)
{
    struct kc_limits limits = sim_first_controller();
    struct kc_config config = controller_config(w, p);
    if (p->settings.zk_in_flight > 0)
        kc_limits_in_flight(&limits, (uint32_t)p->settings.zk_in_flight, &config);
    struct kc_controller *c = sim_block(sim_alloc(kc_controller_size(&limits)));
    kc_controller_init(c, &limits, &config);
    kn_node_init(&p->node, p->id, new_session(p), c);
    if (p->is_full)
        sim_full_make(w, p);
}

static void free_blocks(struct sim_process *p)
{
    sim_free(p->node.session);
    sim_free(p->node.controller);
    sim_free(p->node.broker);
    sim_free(p->node.own_item);
    sim_free(p->session);
    p->node = (struct kn_node){0};
    p->session = NULL;
}

void sim_world_start(struct sim_world *w, int32_t id, uint64_t by)
{
    SIM_IN(w);
    struct sim_process *p = sim_find(w, id);
    assert(p != NULL);
    if (p->life != SIM_DOWN)
        return;
    if (p->is_full && p->dirs_repaired)
        sim_full_repair(p);
    p->life = SIM_UP;
    p->shutdown_call = 0;
    p->shutdown_tries = 0;
    p->incarnation++;
    SIM_CHECKED(w, sim_checks_life(w->checks, p->id, true));
    p->stopping = p->blocked = p->is_registered = false;
    p->life_record = by;
    for (uint32_t i = 0; i < p->timer_count; i++)
        p->timers[i].due_us = -1;
    for (uint32_t i = 0; i < p->broker_timer_count; i++)
        p->broker_timers[i].due_us = -1;
    if (!p->has_node) {
        p->session = new_session(p);
        sim_scripted_start(w, p, by);
        return;
    }
    make_node(w, p);
    struct kn_input start = {.kind = KN_IN_START,
                             .record = by,
                             .session = p->given_session,
                             .password = p->given_password};
    p->given_session = 0;
    sim_process_step(w, p, start);
}

void sim_process_empty_inbox(struct sim_world *w, struct sim_process *p)
{
    while (p->inbox != NULL) {
        struct sim_message *m = p->inbox;
        p->inbox = m->next;
        sim_message_free(w, m);
    }
}

/* Its own connections close; what it has sent still arrives. */
static void close_own_channels(struct sim_process *p)
{
    for (uint32_t i = 0; i < p->channel_count; i++)
        if (p->channels[i] != NULL) {
            p->channels[i]->life++;
            p->channels[i]->in_flight = false;
        }
}

static void gone(struct sim_world *w, struct sim_process *p, uint64_t by)
{
    bool clean = p->stopping;
    p->life = SIM_DOWN;
    SIM_CHECKED(w, sim_checks_life(w->checks, p->id, false));
    p->stopping = false;
    p->is_registered = false;
    p->life_record = by;
    close_own_channels(p);
    sim_pipes_break_at_broker(w, p, by);
    sim_clients_broker_gone(w, p, by);
    sim_calls_lost(w, p);
    hang_up(w, p, by);
    if (p->is_full)
        sim_full_gone(w, p, clean);
    sim_process_empty_inbox(w, p);
    sim_stalled_free(p);
    free_blocks(p);
}

static int64_t session_of(const struct sim_process *p)
{
    return kn_session_id(p->has_node ? p->node.session : p->session);
}

void sim_world_kill(struct sim_world *w, int32_t id, enum sim_session_end session, uint64_t by)
{
    SIM_IN(w);
    struct sim_process *p = sim_find(w, id);
    assert(p != NULL);
    if (p->life == SIM_DOWN)
        return;
    int64_t orphan = session_of(p);
    struct sim_zk_conn *conn = p->conn;
    p->life_record = by;
    p->killed = p->incarnation;
    if (session == SIM_SESSION_CLOSED && conn != NULL) {
        p->life = SIM_DOWN; /* nothing reaches it any more */
        sim_pipes_break_at_broker(w, p, by);
        sim_zk_close(w, conn, by);
    } else {
        sim_zk_orphan(w, orphan, by);
    }
    gone(w, p, by);
}

void sim_world_stop(struct sim_world *w, int32_t id, uint64_t by)
{
    SIM_IN(w);
    struct sim_process *p = sim_find(w, id);
    assert(p != NULL);
    if (p->life == SIM_DOWN)
        return;
    if (!p->has_node) {
        sim_world_kill(w, id, SIM_SESSION_CLOSED, by);
        return;
    }
    sim_process_step(w, p, (struct kn_input){.kind = KN_IN_STOP, .record = by});
}

void sim_world_pause(struct sim_world *w, int32_t id, uint64_t by)
{
    SIM_IN(w);
    struct sim_process *p = sim_find(w, id);
    assert(p != NULL);
    if (p->life != SIM_UP)
        return;
    p->life = SIM_PAUSED;
    p->life_record = by;
    sim_zk_blame(w, session_of(p), by, by);
}

void sim_world_resume(struct sim_world *w, int32_t id, uint64_t by)
{
    SIM_IN(w);
    struct sim_process *p = sim_find(w, id);
    assert(p != NULL);
    if (p->life != SIM_PAUSED)
        return;
    p->life = SIM_UP;
    p->life_record = by;
    if (p->stalled != NULL)
        sim_push(
            w, w->now_us,
            (struct sim_event){.kind = SIM_E_STALLED, .process = p->index, .b = p->incarnation});
    while (p->inbox != NULL) {
        struct sim_message *m = p->inbox;
        p->inbox = m->next;
        sim_push(w, w->now_us, (struct sim_event){.kind = SIM_E_MESSAGE, .p = m});
    }
    const int64_t now_us = sim_clock_now(w, p);
    for (uint32_t i = 0; i < p->timer_count; i++)
        if (p->timers[i].due_us >= 0 && p->timers[i].due_us <= now_us)
            sim_process_arm(w, p, p->timers[i].id, now_us, p->timers[i].record);
    for (uint32_t i = 0; i < p->broker_timer_count; i++)
        if (p->broker_timers[i].due_us >= 0 && p->broker_timers[i].due_us <= now_us)
            sim_process_arm(w, p, p->broker_timers[i].id, now_us, p->broker_timers[i].record);
}

void sim_world_bounce(struct sim_world *w, int32_t id, uint64_t by)
{
    SIM_IN(w);
    struct sim_process *p = sim_find(w, id);
    assert(p != NULL);
    if (p->life == SIM_DOWN)
        return;
    if (p->has_node || p->conn == NULL) {
        sim_world_kill(w, id, SIM_SESSION_CLOSED, by);
        sim_world_start(w, id, by);
        return;
    }
    p->old_conn = p->conn;
    p->conn = NULL;
    p->is_bouncing = true;
    gone(w, p, by);
    sim_world_start(w, id, by);
}

void sim_world_kill_together(struct sim_world *w, const int32_t *ids, uint32_t count, uint64_t by)
{
    SIM_IN(w);
    struct wire_zk_builder b;
    char path[SM_PATH_MAX];
    size_t size = 64 + count * (SM_PATH_MAX + sizeof(struct wire_zk_op));
    wire_zk_begin(&b, sim_builder(w, size), size, ++w->operator_xid, true);
    for (uint32_t i = 0; i < count; i++) {
        struct sim_process *p = sim_find(w, ids[i]);
        assert(p != NULL);
        sim_pipes_break_at_broker(w, p, by);
        if (p->life == SIM_DOWN)
            continue;
        p->life = SIM_PAUSED; /* takes nothing any more; killed below */
        sm_path_broker(path, ids[i]);
        wire_zk_add(&b,
                    (struct wire_zk_op){.opcode = WIRE_ZK_DELETE,
                                        .version = WIRE_ZK_ANY_VERSION,
                                        .path_size = (uint32_t)strlen(path)},
                    path, NULL);
    }
    sim_world_operate(w, wire_zk_end(&b), by);
    for (uint32_t i = 0; i < count; i++)
        sim_world_kill(w, ids[i], SIM_SESSION_CLOSED, by);
}

void sim_process_block(struct sim_world *w, struct sim_process *p, bool on, uint64_t by)
{
    if (!p->has_node || p->life == SIM_DOWN)
        return;
    p->blocked = on;
    sim_process_step(w, p, (struct kn_input){.kind = KN_IN_BLOCK, .on = on, .record = by});
}

/* ---- quiet ---- */

static bool is_dead(void *context, int32_t id)
{
    const struct sim_process *p = sim_find(context, id);
    return p == NULL || p->life == SIM_DOWN;
}

bool sim_process_is_quiet(const struct sim_world *w, const struct sim_process *p)
{
    union {
        const void *c;
        void *v;
    } world = {.c = w};
    if (p->life == SIM_DOWN)
        return true;
    if (p->life == SIM_PAUSED)
        return false;
    if (p->has_node)
        return p->blocked || kn_node_is_quiet(&p->node, is_dead, world.v);
    return p->is_registered && kn_session_state(p->session) == KN_SESSION_CONNECTED &&
           kn_session_outstanding(p->session) == 0;
}

void sim_process_free(struct sim_process *p)
{
    free_blocks(p);
    sim_stalled_free(p);
    sim_full_free(p);
    for (uint32_t i = 0; i < p->channel_count; i++)
        sim_free(p->channels[i]);
    sim_free(p->channels);
    sim_free(p->timers);
    sim_free(p->rules);
    sim_free(p->epochs);
    sim_free(p);
}
