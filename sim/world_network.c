/*
 * Messages on their way: outbox, links, rules, channels, batches.
 *
 *     outbox ──flush──► rules: drop? hold? slower? ──► link (FIFO) ──► event queue ──► delivery
 *                                      └──► held in the link until a rule goes
 *
 * Invariant: a link with a held message sends nothing; what is held is in sending order.
 */
#include <assert.h>

#include "sim/world_state.h"
#include "wire/batch_index.h"

/* ---- messages ---- */

struct sim_message *sim_message_new(struct sim_world *w, enum sim_message_kind kind)
{
    struct sim_message *m = w->pool;
    if (m == NULL)
        m = sim_alloc(sizeof(*m));
    else
        w->pool = m->next;
    *m = (struct sim_message){
        .kind = kind, .api = WIRE_API_NONE, .room = m->room, .room_size = m->room_size};
    m->periodic = kind == SIM_M_ZK_PING || kind == SIM_M_ZK_PONG || kind == SIM_M_PEER_REQUEST ||
                  kind == SIM_M_PEER_RESPONSE || kind == SIM_M_PEER_BROKEN;
    m->uncounted = m->periodic || kind == SIM_M_CLIENT_REQUEST || kind == SIM_M_CLIENT_RESPONSE ||
                   kind == SIM_M_CLIENT_BROKEN;
    if (!m->uncounted)
        w->in_flight++;
    return m;
}

enum { ROOM_LEAST = 256, ROOM_MAX = 1 << 16 };

void sim_message_carry(struct sim_message *m, const void *bytes, size_t size)
{
    if (m->room_size < size || m->room == NULL) {
        m->room_size = size < ROOM_LEAST ? ROOM_LEAST : size;
        sim_free(m->room);
        m->room = sim_realloc(NULL, m->room_size);
    }
    memcpy(m->room, bytes, size);
    m->bytes = m->room;
    m->size = size;
}

void sim_message_matters(struct sim_world *w, struct sim_message *m)
{
    if (m->uncounted)
        w->in_flight++;
    m->uncounted = m->periodic = false;
}

void sim_message_matters_no_more(struct sim_world *w, struct sim_message *m)
{
    if (!m->uncounted)
        w->in_flight--;
    m->uncounted = true;
}

void sim_message_free(struct sim_world *w, struct sim_message *m)
{
    if (!m->uncounted)
        w->in_flight--;
    if (m->client != NULL)
        sim_client_unrefer(m->client);
    if (m->batch != NULL)
        sim_batch_release(w, m->batch);
    sim_zk_unlink(m);
    if (m->bytes != m->room)
        sim_free(m->bytes);
    if (m->room_size > ROOM_MAX) {
        sim_free(m->room);
        m->room = NULL;
        m->room_size = 0;
    }
    sim_free(m->path);
    m->next = w->pool;
    w->pool = m;
}

static sim_lane end_lane(const struct sim_process *p)
{
    return p == NULL ? SIM_LANE_ZK : sim_process_lane(p);
}

void sim_message_drop(struct sim_world *w, struct sim_message *m, uint64_t mute, const char *why)
{
    if (m->m != 0)
        sim_trace_drop(w->trace, w->now_us,
                       m->link == NULL ? SIM_LANE_WORLD : end_lane(m->link->to), m->m, mute, m->m,
                       why);
    sim_message_free(w, m);
}

/* ---- rules ---- */

static int32_t end_id(const struct sim_process *p)
{
    return p == NULL ? SIM_ENSEMBLE : p->id;
}

static bool names(bool any, const int32_t *ids, uint32_t count, int32_t id)
{
    for (uint32_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return any;
}

static bool rule_fits(const struct sim_net_rule *r, const struct sim_message *m)
{
    return m->link != NULL && (r->api == WIRE_API_NONE || r->api == m->api) &&
           names(r->any_from, r->from, r->from_count, end_id(m->link->from)) &&
           names(r->any_to, r->to, r->to_count, end_id(m->link->to));
}

/* Counts the message, and returns whether it is meant: every one, or the n-th. */
static bool rule_takes(struct sim_net_rule *r, const struct sim_message *m)
{
    if (!rule_fits(r, m) || (r->nth != 0 && m->periodic && r->api == WIRE_API_NONE))
        return false;
    r->seen++;
    return r->nth == 0 || r->seen == r->nth;
}

uint64_t sim_net_blamed(const struct sim_world *w, const struct sim_link *link)
{
    for (uint32_t i = 0; i < w->rule_count; i++) {
        const struct sim_net_rule *r = &w->rules[i];
        if (r->nth == 0 && names(r->any_from, r->from, r->from_count, end_id(link->from)) &&
            names(r->any_to, r->to, r->to_count, end_id(link->to)))
            return r->record;
    }
    return 0;
}

void sim_net_rule_add(struct sim_world *w, struct sim_net_rule rule)
{
    if (w->rule_count == w->rule_capacity) {
        w->rule_capacity = w->rule_capacity * 2 + 8;
        w->rules = sim_realloc(w->rules, w->rule_capacity * sizeof(*w->rules));
    }
    w->rules[w->rule_count++] = rule;
}

void sim_net_rule_remove(struct sim_world *w, uint32_t number)
{
    for (uint32_t i = 0; i < w->rule_count; i++)
        if (w->rules[i].number == number) {
            sim_free(w->rules[i].from);
            sim_free(w->rules[i].to);
            memmove(&w->rules[i], &w->rules[i + 1], (w->rule_count - i - 1) * sizeof(*w->rules));
            w->rule_count--;
            return;
        }
}

/* ---- links ---- */

static int64_t delay_of(struct sim_world *w, const struct sim_message *m)
{
    bool is_zk = m->link->from == NULL || m->link->to == NULL;
    int64_t base = is_zk ? w->options.delays.zookeeper_us : w->options.delays.network_us;
    if (!w->options.delays.drawn || base == 0 || w->now_us < SIM_START_US)
        return base;
    uint64_t drawn = sim_random_below(&w->random, (uint64_t)base + 1);
    return base / 2 + (int64_t)drawn;
}

static void transmit(struct sim_world *w, struct sim_message *m, int64_t more_us)
{
    int64_t delay = m->link == NULL ? 0 : delay_of(w, m), t = w->now_us + delay + more_us;
    if (m->link != NULL) {
        if (t < m->link->last_us)
            t = m->link->last_us;
        m->link->last_us = t;
    }
    w->counts.messages++;
    if (w->wire != NULL)
        sim_wire_carry(w, m);
    sim_push(w, t, (struct sim_event){.kind = SIM_E_MESSAGE, .p = m});
}

static void hold(struct sim_message *m, uint32_t rule)
{
    struct sim_link *link = m->link;
    m->next = NULL;
    m->held_by = rule;
    if (link->held == NULL)
        link->held = m;
    else
        link->held_last->next = m;
    link->held_last = m;
}

/* A message that a rule loses takes its connection with it. */
void sim_message_lose(struct sim_world *w, struct sim_message *m, uint64_t record)
{
    struct sim_zk_conn *conn = m->conn;
    struct sim_pipe *channel = m->channel;
    if (conn != NULL)
        sim_zk_break(w, conn, record);
    if (m->peer != NULL)
        sim_full_lost(w, m);
    if (m->client != NULL)
        sim_client_lost(w, m->client, record);
    sim_message_drop(w, m, record, "dropped");
    if (conn != NULL)
        return;
    if (channel != NULL)
        sim_pipe_break(w, channel, true, record);
}

static bool is_lost_by_chance(struct sim_world *w, const struct sim_net_rule *r)
{
    if (r->loss_percent == 0)
        return false;
    uint64_t drawn = sim_random_below(&w->random, 100);
    return drawn < (uint64_t)r->loss_percent;
}

static int64_t jitter_of(struct sim_world *w, const struct sim_net_rule *r)
{
    if (r->jitter_us == 0)
        return 0;
    uint64_t drawn = sim_random_below(&w->random, (uint64_t)r->jitter_us + 1);
    return (int64_t)drawn;
}

void sim_message_send(struct sim_world *w, struct sim_message *m)
{
    int64_t more = m->delay_us;
    bool held = m->link != NULL && m->link->held != NULL;
    uint32_t rule = 0;
    if (sim_reply_lose(w, m))
        return;
    for (uint32_t i = 0; i < w->rule_count; i++) {
        struct sim_net_rule *r = &w->rules[i];
        if (!rule_takes(r, m))
            continue;
        if (r->verb == SIM_VERB_HOLD) {
            held = true;
            rule = r->number;
        } else if (r->verb == SIM_VERB_DROP || is_lost_by_chance(w, r)) {
            sim_message_lose(w, m, r->record);
            return;
        } else {
            more += r->delay_us;
            more += jitter_of(w, r);
        }
    }
    if (held)
        hold(m, rule);
    else
        transmit(w, m, more);
}

static bool is_held_by_rule(const struct sim_world *w, const struct sim_message *m)
{
    for (uint32_t i = 0; i < w->rule_count; i++)
        if (w->rules[i].verb == SIM_VERB_HOLD &&
            (w->rules[i].number == m->held_by ||
             (w->rules[i].nth == 0 && rule_fits(&w->rules[i], m))))
            return true;
    return false;
}

static void release_link(struct sim_world *w, struct sim_link *link)
{
    while (link->held != NULL && !is_held_by_rule(w, link->held)) {
        struct sim_message *m = link->held;
        link->held = m->next;
        transmit(w, m, 0);
    }
}

void sim_net_release_all(struct sim_world *w)
{
    for (uint32_t i = 0; i < w->conn_count; i++)
        if (w->conns[i] != NULL) {
            release_link(w, &w->conns[i]->to_server);
            release_link(w, &w->conns[i]->to_client);
        }
    for (uint32_t i = 0; i < w->process_count; i++)
        for (uint32_t j = 0; j < w->processes[i]->channel_count; j++)
            if (w->processes[i]->channels[j] != NULL) {
                release_link(w, &w->processes[i]->channels[j]->request);
                release_link(w, &w->processes[i]->channels[j]->answer);
            }
    for (uint32_t i = 0; i < w->process_count; i++)
        for (uint32_t j = 0; j < w->processes[i]->peer_count; j++)
            if (w->processes[i]->peers[j] != NULL) {
                release_link(w, &w->processes[i]->peers[j]->request);
                release_link(w, &w->processes[i]->peers[j]->answer);
            }
    sim_clients_release(w, release_link);
}

static void forget_held(struct sim_world *w, struct sim_link *link)
{
    while (link->held != NULL) {
        struct sim_message *m = link->held;
        link->held = m->next;
        sim_message_free(w, m);
    }
}

/* ---- outbox ---- */

static struct sim_outbox_entry *outbox_add(struct sim_world *w)
{
    if (w->outbox_count == w->outbox_capacity) {
        w->outbox_capacity = w->outbox_capacity * 2 + 64;
        w->outbox = sim_realloc(w->outbox, w->outbox_capacity * sizeof(*w->outbox));
    }
    struct sim_outbox_entry *e = &w->outbox[w->outbox_count++];
    *e = (struct sim_outbox_entry){0};
    return e;
}

void sim_outbox_message(struct sim_world *w, struct sim_process *sender, struct sim_message *m)
{
    struct sim_outbox_entry *e = outbox_add(w);
    e->kind = SIM_OUT_MESSAGE;
    e->sender = sender;
    e->incarnation = sender == NULL ? 0 : sender->incarnation;
    e->message = m;
}

void sim_outbox_fire(struct sim_world *w, enum sim_side side)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < w->matched_count; i++) {
        bool is_before = w->scenario->steps[w->matched[i].step].pattern.side == SIM_SIDE_BEFORE;
        if (is_before != (side == SIM_SIDE_BEFORE)) {
            w->matched[kept++] = w->matched[i];
            continue;
        }
        if (sim_reply_mark(w, w->matched[i].step, w->matched[i].record))
            continue;
        struct sim_outbox_entry *e = outbox_add(w);
        e->kind = SIM_OUT_FIRE;
        e->step = w->matched[i].step;
        e->record = w->matched[i].record;
    }
    w->matched_count = kept;
}

/* A fault at a moment may take away, within the event, what the checks have not seen yet: a log
   that has just been committed to. */
void sim_outbox_act(struct sim_world *w, uint32_t step, uint64_t record)
{
    SIM_CHECKED(w, sim_checks_event(w->checks));
    sim_step_fire(w, step, record);
}

static void flush_entry(struct sim_world *w, struct sim_outbox_entry e)
{
    if (e.kind == SIM_OUT_FIRE)
        sim_outbox_act(w, e.step, e.record);
    else if (e.sender == NULL || e.incarnation > e.sender->killed)
        sim_message_send(w, e.message);
    else {
        if (e.message->kind == SIM_M_PEER_RESPONSE) /* its asker sees the connection end */
            sim_full_lost(w, e.message);
        sim_message_drop(w, e.message, e.sender->life_record, "dead");
    }
}

/* Faults that act in it may add to it; they are worked off in the same loop. */
void sim_outbox_flush(struct sim_world *w)
{
    if (w->in_flush)
        return;
    w->in_flush = true;
    while (w->outbox_done < w->outbox_count)
        flush_entry(w, w->outbox[w->outbox_done++]);
    w->outbox_count = w->outbox_done = 0;
    w->in_flush = false;
}

/* ---- channels ---- */

struct sim_pipe *sim_pipe_of(struct sim_world *w, struct sim_process *controller,
                             struct sim_process *broker)
{
    if (controller->channel_count < w->process_count) {
        controller->channels =
            sim_realloc(controller->channels, w->process_count * sizeof(*controller->channels));
        memset(controller->channels + controller->channel_count, 0,
               (w->process_count - controller->channel_count) * sizeof(*controller->channels));
        controller->channel_count = w->process_count;
    }
    struct sim_pipe **place = &controller->channels[broker->index];
    if (*place == NULL) {
        *place = sim_alloc(sizeof(**place));
        **place = (struct sim_pipe){.controller = controller,
                                    .broker = broker,
                                    .life = 1,
                                    .request = {.from = controller, .to = broker},
                                    .answer = {.from = broker, .to = controller}};
    }
    return *place;
}

void sim_pipe_break(struct sim_world *w, struct sim_pipe *c, bool tell, uint64_t by)
{
    c->lost_life = c->life;
    c->life++;
    forget_held(w, &c->request);
    forget_held(w, &c->answer);
    if (!c->in_flight)
        return;
    c->in_flight = false;
    if (!tell || c->controller->life == SIM_DOWN)
        return;
    struct sim_message *m = sim_message_new(w, SIM_M_BROKEN);
    m->process = c->controller;
    m->incarnation = c->controller->incarnation;
    m->channel = c;
    m->link = &c->answer;
    m->correlation = c->correlation;
    m->life = c->life;
    m->api = c->api;
    m->by = by;
    m->re = c->m;
    transmit(w, m, 0);
}

void sim_pipes_break_at_broker(struct sim_world *w, struct sim_process *broker, uint64_t by)
{
    for (uint32_t i = 0; i < w->process_count; i++)
        if (broker->index < w->processes[i]->channel_count &&
            w->processes[i]->channels[broker->index] != NULL)
            sim_pipe_break(w, w->processes[i]->channels[broker->index], true, by);
}

/* ---- batches ---- */

enum { BUCKETS = 64, IDLE_MAX = 16, IDLE_BATCH_BYTES = 1 << 20 };

static void idle_remove(struct sim_world *w, struct sim_stored_batch *b)
{
    if (b->older != NULL)
        b->older->newer = b->newer;
    else
        w->idle_first = b->newer;
    if (b->newer != NULL)
        b->newer->older = b->older;
    else
        w->idle_last = b->older;
    b->older = b->newer = NULL;
    w->idle_count--;
}

static void idle_add(struct sim_world *w, struct sim_stored_batch *b)
{
    b->older = w->idle_last;
    b->newer = NULL;
    if (w->idle_last != NULL)
        w->idle_last->newer = b;
    else
        w->idle_first = b;
    w->idle_last = b;
    w->idle_count++;
}

static void batch_free(struct sim_stored_batch *b)
{
    struct sim_stored_batch **place = &b->owner->batches[b->batch->id % BUCKETS];
    while (*place != b)
        place = &(*place)->next;
    *place = b->next;
    sim_free(b->batch);
    sim_free(b);
}

/* With an index behind it, where many will look for their part of it. */
static struct wire_batch *batch_copy(const struct wire_batch *batch)
{
    struct wire_batch_index_room room = wire_batch_index_room(batch);
    if (room.index == 0)
        return sim_copy(batch, batch->size);
    struct wire_batch *copy = sim_realloc(NULL, batch->size + room.index);
    void *scratch = sim_realloc(NULL, room.scratch);
    memcpy(copy, batch, batch->size);
    wire_batch_index_make(copy, scratch);
    sim_free(scratch);
    return sim_realloc(copy, copy->size);
}

struct sim_stored_batch *sim_batch_store(struct sim_world *w, struct sim_process *p,
                                         const struct wire_batch *batch)
{
    struct sim_stored_batch *b = p->batches[batch->id % BUCKETS];
    while (b != NULL && (b->batch->id != batch->id || b->incarnation != p->incarnation))
        b = b->next;
    if (b == NULL) {
        b = sim_alloc(sizeof(*b));
        b->owner = p;
        b->incarnation = p->incarnation;
        b->batch = batch_copy(batch);
        b->next = p->batches[batch->id % BUCKETS];
        p->batches[batch->id % BUCKETS] = b;
        idle_add(w, b);
    }
    if (b->references++ == 0)
        idle_remove(w, b);
    return b;
}

struct sim_stored_batch *sim_batch_received(struct sim_stored_batch *sent, const void *batch,
                                            size_t size)
{
    struct sim_stored_batch *b = sim_alloc(sizeof(*b));
    *b = (struct sim_stored_batch){.references = 1, .batch = sim_copy(batch, size), .sent = sent};
    b->batch->id = sent->batch->id; /* no message carries it: for checks */
    return b;
}

/* Keeps a few that nobody refers to: slower brokers will soon be sent the same. */
void sim_batch_release(struct sim_world *w, struct sim_stored_batch *b)
{
    assert(b->references > 0);
    if (--b->references > 0)
        return;
    if (b->sent != NULL) {
        sim_batch_release(w, b->sent);
        sim_free(b->batch);
        sim_free(b);
        return;
    }
    idle_add(w, b);
    while (w->idle_first != w->idle_last &&
           (w->idle_count > IDLE_MAX || w->idle_first->batch->size > IDLE_BATCH_BYTES)) {
        struct sim_stored_batch *oldest = w->idle_first;
        idle_remove(w, oldest);
        batch_free(oldest);
    }
}

/* ---- the end ---- */

void sim_network_free_batches(struct sim_world *w)
{
    while (w->idle_first != NULL) {
        struct sim_stored_batch *b = w->idle_first;
        idle_remove(w, b);
        batch_free(b);
    }
}

void sim_network_free_pool(struct sim_world *w)
{
    for (uint32_t i = 0; i < w->conn_count; i++)
        sim_free(w->conns[i]);
    sim_free(w->conns);
    while (w->pool != NULL) {
        struct sim_message *m = w->pool;
        w->pool = m->next;
        sim_free(m->room);
        sim_free(m);
    }
}

static void forget_untaken(struct sim_world *w, struct sim_zk_conn *conn)
{
    for (struct sim_message *m = conn->undelivered; m != NULL;) {
        struct sim_message *older = m->older;
        if (m->untaken)
            sim_message_free(w, m);
        m = older;
    }
}

void sim_network_free(struct sim_world *w)
{
    struct sim_event event;
    while (sim_event_pop(&w->queue, &event))
        if (event.kind == SIM_E_MESSAGE || event.kind == SIM_E_HANDLE)
            sim_message_free(w, event.p);
    for (size_t i = 0; i < w->outbox_count; i++)
        if (w->outbox[i].message != NULL)
            sim_message_free(w, w->outbox[i].message);
    for (uint32_t i = 0; i < w->conn_count; i++)
        if (w->conns[i] != NULL) {
            forget_held(w, &w->conns[i]->to_server);
            forget_held(w, &w->conns[i]->to_client);
            forget_untaken(w, w->conns[i]);
        }
    for (uint32_t i = 0; i < w->process_count; i++)
        for (uint32_t j = 0; j < w->processes[i]->channel_count; j++)
            if (w->processes[i]->channels[j] != NULL) {
                forget_held(w, &w->processes[i]->channels[j]->request);
                forget_held(w, &w->processes[i]->channels[j]->answer);
            }
    for (uint32_t i = 0; i < w->process_count; i++)
        for (uint32_t j = 0; j < w->processes[i]->peer_count; j++)
            if (w->processes[i]->peers[j] != NULL) {
                forget_held(w, &w->processes[i]->peers[j]->request);
                forget_held(w, &w->processes[i]->peers[j]->answer);
            }
    sim_clients_release(w, forget_held);
    while (w->rule_count > 0)
        sim_net_rule_remove(w, w->rules[0].number);
    sim_free(w->rules);
    sim_free(w->outbox);
    sim_event_queue_free(&w->queue);
}
