/*
 * The scripted broker: registers, answers what it is sent without error or as told, and does
 * nothing by itself. Every process has one; a node's session belongs to its controller, which
 * registers it.
 *
 *     request ──► rule? ──► (delay) ──► recorded ──► answered | answered with errors | connection
 *                                                    dropped | never answered
 *
 * Source: what the recording harness's fake brokers do.
 */
#include <assert.h>
#include <stdio.h>

#include "sim/world_state.h"

enum { TIMER_SESSION = 1, TIMER_REGISTER = 2, REGISTER_AGAIN_US = 500000, ZK_BYTES = 2048 };

struct sm_broker sim_registration_of(const struct sim_process *p)
{
    struct sm_broker b = {.id = p->id, .endpoint_count = 1};
    struct sm_endpoint *e = &b.endpoint[0];
    snprintf(e->listener, sizeof(e->listener), "PLAINTEXT");
    snprintf(e->protocol, sizeof(e->protocol), "PLAINTEXT");
    snprintf(e->host, sizeof(e->host), "localhost");
    e->port = 9092 + p->id % 50000;
    snprintf(b.rack, sizeof(b.rack), "%s", p->rack);
    return b;
}

/* ---- registration ---- */

static void add_op(struct wire_zk_builder *b, enum wire_zk_opcode opcode, uint8_t flags,
                   int32_t version, const char *path, const char *data, size_t size)
{
    wire_zk_add(b,
                (struct wire_zk_op){.opcode = (uint8_t)opcode,
                                    .flags = flags,
                                    .has_data = data != NULL,
                                    .version = version,
                                    .path_size = (uint32_t)strlen(path),
                                    .data_size = (uint32_t)size},
                path, data);
}

/* Created empty and set, in one transaction, as Kafka 2.8 does; so the znode has version 1 and its
   czxid is the broker epoch. */
static void register_broker(struct sim_world *w, struct sim_process *p, uint64_t by)
{
    _Alignas(8) uint8_t bytes[ZK_BYTES];
    char path[SM_PATH_MAX], data[1024];
    struct wire_zk_builder b;
    struct sm_broker broker = sim_registration_of(p);
    size_t size = sm_znode_encode_broker(data, sizeof(data), &broker, sim_clock_date(w, p) / 1000);
    assert(size > 0);
    sm_path_broker(path, p->id);
    wire_zk_begin(&b, bytes, sizeof(bytes), ++p->xid, true);
    if (p->is_bouncing)
        add_op(&b, WIRE_ZK_DELETE, 0, WIRE_ZK_ANY_VERSION, path, NULL, 0);
    add_op(&b, WIRE_ZK_CREATE, WIRE_ZK_EPHEMERAL, 0, path, NULL, 0);
    add_op(&b, WIRE_ZK_SET_DATA, 0, 0, path, data, size);
    sim_scripted_session(
        w, p, (struct kn_session_input){.kind = KN_SESSION_IN_REQUEST, .request = wire_zk_end(&b)},
        by);
}

static int64_t epoch_in(const struct wire_zk_reply *reply)
{
    struct wire_zk_result_view v = {0};
    while (wire_zk_result_next(reply, &v))
        if (v.result->opcode == WIRE_ZK_SET_DATA)
            return v.result->stat.czxid;
    return 0;
}

static bool owns_registration(const struct sim_world *w, const struct sim_process *p)
{
    char path[SM_PATH_MAX];
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    sm_path_broker(path, p->id);
    return kz_server_get(w->zk, path, &stat, &data, &size, &has_data) &&
           stat.ephemeral_owner == kn_session_id(p->session);
}

static void registered(struct sim_world *w, struct sim_process *p, int64_t epoch, uint64_t by)
{
    p->epochs = sim_realloc(p->epochs, (p->epoch_count + 1) * sizeof(*p->epochs));
    p->epochs[p->epoch_count++] = epoch;
    p->is_registered = true;
    p->is_bouncing = false;
    if (p->old_conn != NULL)
        sim_zk_close(w, p->old_conn, by);
    p->old_conn = NULL;
}

static void on_reply(struct sim_world *w, struct sim_process *p, const struct wire_zk_reply *reply,
                     uint64_t by)
{
    if (reply->err == WIRE_ZK_OK)
        registered(w, p, epoch_in(reply), by);
    else if (reply->err == WIRE_ZK_NODE_EXISTS && owns_registration(w, p))
        registered(w, p, sim_world_broker_epoch(w, p->id), by);
    else if (reply->err == WIRE_ZK_NODE_EXISTS) /* an earlier life's, not yet expired */
        sim_process_arm(w, p, TIMER_REGISTER, sim_clock_now(w, p) + REGISTER_AGAIN_US, by);
    else if (reply->err == WIRE_ZK_NO_NODE && p->is_bouncing) {
        p->is_bouncing = false; /* the old one is gone by itself */
        register_broker(w, p, by);
    }
}

/* ---- the session of a broker that is no node ---- */

struct session_turn {
    struct sim_world *w;
    struct sim_process *p;
    uint64_t by;
    bool expired;
};

static struct sim_message *to_zookeeper(struct session_turn *t, enum sim_message_kind kind)
{
    struct sim_message *m = sim_message_new(t->w, kind);
    m->process = t->p;
    m->incarnation = t->p->incarnation;
    m->conn = t->p->conn;
    m->link = &t->p->conn->to_server;
    m->by = t->by;
    sim_outbox_message(t->w, t->p, m);
    return m;
}

static void note(struct session_turn *t, const char *what, const struct kn_session_output *o)
{
    t->by = sim_trace_session_client(t->w->trace, t->w->now_us, t->p->id, t->by, 0, what,
                                     o->session, o->timeout_us);
}

static void give_up(struct session_turn *t)
{
    if (t->p->conn != NULL)
        sim_zk_hang_up(t->w, t->p->conn, t->by);
    t->p->conn = NULL;
}

static void session_put(void *context, const struct kn_session_output *o)
{
    struct session_turn *t = context;
    struct sim_world *w = t->w;
    struct sim_process *p = t->p;
    struct sim_message *m;
    switch ((enum kn_session_output_kind)o->kind) {
    case KN_SESSION_OUT_NONE:
        return;
    case KN_SESSION_OUT_CONNECT:
        p->conn = sim_zk_connect(w, p);
        m = to_zookeeper(t, SIM_M_ZK_CONNECT);
        m->session = o->session;
        m->password = o->password;
        m->timeout_us = o->timeout_us;
        m->zxid = o->zxid;
        return;
    case KN_SESSION_OUT_HANG_UP:
        give_up(t);
        return;
    case KN_SESSION_OUT_SEND:
        m = to_zookeeper(t, SIM_M_ZK_REQUEST);
        m->m = m->by =
            sim_trace_zreq(w->trace, w->now_us, SIM_LANE_BROKER(p->id), t->by, o->request);
        m->lane = SIM_LANE_BROKER(p->id);
        m->bytes = sim_copy(o->request, o->request->size);
        return;
    case KN_SESSION_OUT_PING:
        to_zookeeper(t, SIM_M_ZK_PING);
        return;
    case KN_SESSION_OUT_CLOSE:
        to_zookeeper(t, SIM_M_ZK_CLOSE);
        return;
    case KN_SESSION_OUT_TIMER:
        sim_process_arm(w, p, TIMER_SESSION, o->due_us, 0);
        return;
    case KN_SESSION_OUT_REPLY:
        on_reply(w, p, o->reply, t->by);
        return;
    case KN_SESSION_OUT_CREATED:
        note(t, "created", o);
        register_broker(w, p, t->by);
        return;
    case KN_SESSION_OUT_CONNECTED:
        note(t, "connected", o);
        return;
    case KN_SESSION_OUT_DISCONNECTED:
        note(t, "disconnected", o);
        give_up(t);
        return;
    case KN_SESSION_OUT_EXPIRED:
        note(t, "expired", o);
        give_up(t);
        t->expired = true;
        return;
    case KN_SESSION_OUT_CLOSED:
        note(t, "closed", o);
        return;
    }
}

static void renew(struct session_turn *t)
{
    struct kn_session_outputs out = {.put = session_put, .context = t};
    struct kn_session_input deny = {.kind = KN_SESSION_IN_DENY};
    struct kn_session_input open = {.kind = KN_SESSION_IN_OPEN};
    t->p->is_registered = false;
    sim_touch(t->p->session);
    while (kn_session_step(t->p->session, sim_clock_now(t->w, t->p), &deny, &out) == SM_ERR_OK)
        ;
    kn_session_step(t->p->session, sim_clock_now(t->w, t->p), &open, &out);
}

void sim_scripted_session(struct sim_world *w, struct sim_process *p, struct kn_session_input in,
                          uint64_t by)
{
    struct session_turn turn = {.w = w, .p = p, .by = by};
    struct kn_session_outputs out = {.put = session_put, .context = &turn};
    sim_touch(p->session);
    enum sm_err err = kn_session_step(p->session, sim_clock_now(w, p), &in, &out);
    assert(err != SM_ERR_LIMIT); /* one registration at a time fits the smallest block */
    if (turn.expired)
        renew(&turn);
    sim_outbox_fire(w, SIM_SIDE_BEFORE);
    sim_outbox_fire(w, SIM_SIDE_AFTER);
    sim_outbox_flush(w);
}

void sim_scripted_timer(struct sim_world *w, struct sim_process *p, uint32_t id)
{
    if (id == TIMER_SESSION)
        sim_scripted_session(w, p, (struct kn_session_input){.kind = KN_SESSION_IN_TIMER}, 0);
    else if (kn_session_state(p->session) == KN_SESSION_CONNECTED)
        register_broker(w, p, 0);
}

void sim_scripted_start(struct sim_world *w, struct sim_process *p, uint64_t by)
{
    struct kn_session_input open = {
        .kind = KN_SESSION_IN_OPEN, .session = p->given_session, .password = p->given_password};
    p->given_session = 0;
    sim_scripted_session(w, p, open, by);
}

/* ---- what it is told ---- */

uint32_t sim_world_tell(struct sim_world *w, int32_t id, const struct sim_answer_rule *rule)
{
    SIM_IN(w);
    struct sim_process *p = sim_find(w, id);
    assert(p != NULL);
    p->rules = sim_realloc(p->rules, (p->rule_count + 1) * sizeof(*p->rules));
    struct sim_rule_entry *e = &p->rules[p->rule_count++];
    *e = (struct sim_rule_entry){.rule = *rule, .number = ++w->answer_rule_number};
    if (rule->topic != NULL)
        snprintf(e->topic, sizeof(e->topic), "%s", rule->topic);
    return e->number;
}

static void rule_remove(struct sim_process *p, uint32_t i)
{
    memmove(&p->rules[i], &p->rules[i + 1], (p->rule_count - i - 1) * sizeof(*p->rules));
    p->rule_count--;
}

void sim_world_tell_off(struct sim_world *w, int32_t id, uint32_t rule)
{
    SIM_IN(w);
    struct sim_process *p = sim_find(w, id);
    assert(p != NULL);
    for (uint32_t i = p->rule_count; i-- > 0;)
        if (rule == 0 || p->rules[i].number == rule)
            rule_remove(p, i);
}

/* Takes the first that fits, and counts it down. */
static bool take_rule(struct sim_process *p, enum wire_api api, struct sim_rule_entry *rule)
{
    for (uint32_t i = 0; i < p->rule_count; i++) {
        struct sim_answer_rule *r = &p->rules[i].rule;
        if (r->api != WIRE_API_NONE && r->api != api)
            continue;
        *rule = p->rules[i];
        rule->rule.topic = rule->rule.topic == NULL ? NULL : rule->topic;
        if (r->count > 0 && --r->count == 0)
            rule_remove(p, i);
        return true;
    }
    return false;
}

/* ---- requests ---- */

static enum wire_record_kind record_kind(enum wire_api api)
{
    return api == WIRE_API_LEADER_AND_ISR    ? WIRE_RECORD_LEADER_AND_ISR
           : api == WIRE_API_UPDATE_METADATA ? WIRE_RECORD_UPDATE_METADATA
                                             : WIRE_RECORD_STOP_REPLICA;
}

static void one_partition_error(struct sim_message *m, const struct sim_answer_rule *rule,
                                uint32_t index)
{
    struct wire_record_view v = {0};
    while (wire_batch_next_for(m->batch->batch, record_kind(m->api), index, &v))
        if (v.record->partition == rule->partition && strcmp(v.topic, rule->topic) == 0) {
            m->item = (struct wire_answer_item){.record = v.offset, .error = rule->error};
            m->answer.items = &m->item;
            m->answer.count = 1;
        }
}

/* Fills in the answer of `m`; `told` gets the words for it. */
static const char *decide(struct sim_message *m, const struct sim_rule_entry *rule, uint32_t index,
                          char *told, size_t capacity)
{
    const struct sim_answer_rule *r = &rule->rule;
    switch (r->told) {
    case SIM_TOLD_ERROR:
        m->answer.error = r->error;
        snprintf(told, capacity, "error %d", r->error);
        return told;
    case SIM_TOLD_PARTITION_ERROR:
        if (r->topic != NULL) {
            one_partition_error(m, r, index);
            snprintf(told, capacity, "partition error %d %s-%d", r->error, rule->topic,
                     r->partition);
        } else {
            m->answer.partition_error = r->error;
            snprintf(told, capacity, "partition error %d ", r->error);
        }
        return told;
    case SIM_TOLD_DROP:
        return "dropped";
    case SIM_TOLD_HANG:
        return "no answer";
    case SIM_TOLD_DELAY:
        break;
    }
    return NULL;
}

void sim_answer_send(struct sim_world *w, struct sim_message *request, uint64_t record)
{
    struct sim_pipe *c = request->channel;
    struct sim_message *m = sim_message_new(w, SIM_M_ANSWER);
    m->process = c->controller;
    m->incarnation = c->controller->incarnation;
    m->channel = c;
    m->life = request->life;
    m->link = &c->answer;
    m->api = request->api;
    m->correlation = request->correlation;
    sim_reply_takes_over(m, request);
    m->answer = request->answer;
    m->item = request->item;
    m->answer.items = m->answer.count > 0 ? &m->item : NULL;
    if (request->answer.count > 1 || (m->answer.count > 0 && request->process->is_full))
        m->answer.items = m->bytes =
            sim_copy(request->answer.items, request->answer.count * sizeof(m->item));
    if (w->wire != NULL) { /* its bytes make sense beside the request alone */
        m->batch = request->batch;
        m->batch->references++;
    }
    m->delay_us = w->options.delays.answer_us;
    m->m = m->by = sim_trace_send_answer(w->trace, w->now_us, request->process->id, record,
                                         request->m, sim_process_lane(c->controller), request->api,
                                         request->batch->batch, &request->answer);
    sim_outbox_fire(w, SIM_SIDE_BEFORE);
    sim_outbox_message(w, request->process, m);
    sim_outbox_fire(w, SIM_SIDE_AFTER);
}

static void tell_hook(struct sim_world *w, const struct sim_message *m,
                      const struct wire_broker *receiver, const char *told)
{
    struct sim_request request = {.broker_id = m->process->id,
                                  .controller = m->channel->controller->id,
                                  .api = m->api,
                                  .batch = m->batch->batch,
                                  .receiver = receiver,
                                  .told = told};
    if (w->options.hooks.request != NULL)
        w->options.hooks.request(w->options.hooks.context, &request);
}

static void handle(struct sim_world *w, struct sim_message *m, const struct sim_rule_entry *rule)
{
    char words[SM_TOPIC_NAME_MAX + 48];
    struct sim_process *p = m->process;
    uint32_t incarnation = p->incarnation;
    const struct wire_broker *receiver = wire_batch_broker(m->batch->batch, p->id);
    const char *told = rule == NULL ? NULL
                                    : decide(m, rule, receiver == NULL ? 0 : receiver->index, words,
                                             sizeof(words));
    bool drops = rule != NULL && rule->rule.told == SIM_TOLD_DROP;
    bool hangs = rule != NULL && rule->rule.told == SIM_TOLD_HANG;
    w->counts.requests++;
    uint64_t record = sim_trace_recv_request(w->trace, w->now_us, p->id, m->by, m->m,
                                             sim_process_lane(m->channel->controller), m->api,
                                             m->batch->batch, &m->answer, !p->is_full);
    sim_outbox_fire(w, SIM_SIDE_BEFORE);
    sim_outbox_flush(w);
    if (p->life != SIM_DOWN && p->incarnation == incarnation) {
        tell_hook(w, m, receiver, told);
        if (drops && m->life == m->channel->life)
            sim_pipe_break(w, m->channel, true, record);
        else if (hangs)
            m->channel->mute = rule->rule.record;
        else if (!drops)
            sim_answer_send(w, m, record);
    }
    sim_outbox_fire(w, SIM_SIDE_AFTER);
    sim_outbox_flush(w);
    sim_message_free(w, m);
}

/* A full broker that was told what to answer answers that, and does nothing else with the request.
 */
static void take_up(struct sim_world *w, struct sim_message *m, const struct sim_rule_entry *rule)
{
    if (rule == NULL && m->process->is_full)
        sim_full_request(w, m);
    else
        handle(w, m, rule);
}

void sim_scripted_request(struct sim_world *w, struct sim_message *m)
{
    struct sim_rule_entry rule;
    if (m->life <= m->channel->lost_life) {
        sim_message_drop(w, m, m->process->life_record, "closed");
        return;
    }
    bool has_rule = take_rule(m->process, m->api, &rule);
    if (has_rule && rule.rule.told == SIM_TOLD_DELAY) {
        int64_t *free_us = &m->channel->broker_free_us;
        *free_us = (*free_us > w->now_us ? *free_us : w->now_us) + rule.rule.delay_us;
        sim_push(w, *free_us, (struct sim_event){.kind = SIM_E_HANDLE, .p = m});
        return;
    }
    take_up(w, m, has_rule ? &rule : NULL);
}

/* What has arrived is taken up, though its connection may have ended since: only the answer is
 * lost. */
void sim_scripted_handle(struct sim_world *w, struct sim_message *m)
{
    struct sim_process *p = m->process;
    if (p->life == SIM_DOWN || p->incarnation != m->incarnation) {
        sim_message_drop(w, m, p->life_record, "dead");
        return;
    }
    if (p->life == SIM_PAUSED) {
        sim_wait_in_inbox(p, m);
        return;
    }
    take_up(w, m, NULL);
}
