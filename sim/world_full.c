/*
 * The full broker: a node whose broker part hosts logs. What a controller says goes to it as it
 * would to a scripted one; its fetchers talk to other full brokers.
 *
 *     LeaderAndIsr, … ──► channel ──► pending ──► broker part ──► sim_answer_send ──► channel
 *     follower's Fetch ─► peer link ─► pending ──► broker part ──► peer link ──► follower
 *                                         │ the process dies, or the message is lost on its way
 *                                         └──► PEER_BROKEN ──► follower
 *
 * Disks (struct kb_replicas) belong to the process, not to one life of it; the bytes of all batches
 * are with one keeper of the world, so that equal handles mean equal records between brokers.
 *
 * Messages between peers do not count for quiet: fetchers never stop asking. Differs: an answer
 * that never comes (a held message, a peer that stands still) is waited for without end, where
 * Kafka gives up after replica.socket.timeout.ms.
 */
#include <assert.h>

#include "sim/world_state.h"

/* ---- blocks ---- */

static struct kb_replicas *new_replicas(const struct sim_process *p)
{
    struct kb_limits limits = kb_limits_default();
    struct kb_config config = kb_config_default(p->profile, p->id);
    struct kb_replicas *r = sim_alloc(kb_replicas_size(&limits));
    kb_replicas_init(r, &limits, &config);
    return r;
}

void sim_full_make(struct sim_world *w, struct sim_process *p)
{
    struct kb_broker_limits limits = kb_broker_limits_default();
    struct kb_broker_config config = {
        .broker = sim_registration_of(p), .has_data = 1, .seed = (uint64_t)p->id + 1};
    if (w->keeper == NULL) {
        w->keeper = sim_keeper_new();
        assert(w->keeper != NULL);
        w->payloads = sim_keeper_payloads(w->keeper);
    }
    if (p->replicas == NULL)
        p->replicas = new_replicas(p);
    p->node.broker = sim_alloc(kb_broker_size(&limits, &config));
    kb_broker_init(p->node.broker, &limits, &config);
    p->node.replicas = p->replicas;
    p->node.payloads = &w->payloads;
}

static bool grow_scratch(struct sim_world *w, struct kn_node *n, size_t needed)
{
    free(w->broker_scratch);
    w->broker_scratch_size = (needed + needed / 2 + 7) & ~(size_t)7;
    w->broker_scratch = sim_realloc(NULL, w->broker_scratch_size);
    n->scratch = w->broker_scratch;
    n->scratch_size = w->broker_scratch_size;
    return true;
}

bool sim_full_grow(struct sim_world *w, struct kn_node *n, enum kn_block block,
                   const char *short_of, size_t scratch_needed)
{
    if (block == KN_BLOCK_BROKER && strcmp(short_of, "scratch") == 0)
        return grow_scratch(w, n, scratch_needed);
    if (block == KN_BLOCK_BROKER) {
        struct kb_broker_limits limits =
            kb_broker_limits_above(kb_broker_limits(n->broker), short_of);
        struct kb_broker *larger = sim_alloc(kb_broker_grown_size(n->broker, &limits));
        kb_broker_grow(n->broker, larger, &limits);
        free(n->broker);
        n->broker = larger;
        return true;
    }
    struct kb_limits limits = kb_limits_above(kb_replicas_limits(n->replicas), short_of);
    struct kb_replicas *larger = sim_alloc(kb_replicas_size(&limits));
    kb_replicas_grow(n->replicas, larger, &limits);
    free(n->replicas);
    n->replicas = sim_find(w, n->id)->replicas = larger;
    return true;
}

/* ---- requests that wait for the broker part ---- */

static void add_pending(struct sim_world *w, struct sim_process *p, struct sim_message *m)
{
    m->call_id = ++w->broker_calls;
    m->next = p->pending;
    p->pending = m;
}

static struct sim_message *take_pending(struct sim_process *p, uint64_t call_id)
{
    struct sim_message **at = &p->pending, *m;
    while (*at != NULL && (*at)->call_id != call_id)
        at = &(*at)->next;
    m = *at;
    if (m != NULL)
        *at = m->next;
    return m;
}

static void step_with(struct sim_world *w, struct sim_process *p, struct kn_input in)
{
    uint32_t incarnation = p->incarnation;
    sim_outbox_fire(w, SIM_SIDE_BEFORE);
    sim_outbox_flush(w);
    if (p->life == SIM_UP && p->incarnation == incarnation)
        sim_process_step(w, p, in);
    sim_keeper_sweep(w->keeper);
    sim_outbox_fire(w, SIM_SIDE_AFTER);
    sim_outbox_flush(w);
}

void sim_full_request(struct sim_world *w, struct sim_message *m)
{
    struct sim_process *p = m->process;
    if (m->life <= m->channel->lost_life) {
        sim_message_drop(w, m, p->life_record, "closed");
        return;
    }
    const struct wire_broker *own = wire_batch_broker(m->batch->batch, p->id);
    w->counts.requests++;
    m->by = sim_trace_recv_request(w->trace, w->now_us, p->id, m->by, m->m,
                                   sim_process_lane(m->channel->controller), m->api,
                                   m->batch->batch, &m->answer, true);
    add_pending(w, p, m);
    SIM_CHECKED(w, sim_checks_request(w->checks, p->id, m->api, m->batch->batch));
    step_with(w, p,
              (struct kn_input){.kind = KN_IN_BATCH_REQUEST,
                                .record = m->by,
                                .call_id = m->call_id,
                                .api = m->api,
                                .index = own == NULL ? 0 : own->index,
                                .batch = m->batch->batch});
}

/* ---- between peers ---- */

static struct sim_peer *peer_of(struct sim_world *w, struct sim_process *from,
                                struct sim_process *to)
{
    if (from->peer_count < w->process_count) {
        from->peers = sim_realloc(from->peers, w->process_count * sizeof(*from->peers));
        memset(from->peers + from->peer_count, 0,
               (w->process_count - from->peer_count) * sizeof(*from->peers));
        from->peer_count = w->process_count;
    }
    struct sim_peer **place = &from->peers[to->index];
    if (*place == NULL) {
        *place = sim_alloc(sizeof(**place));
        **place = (struct sim_peer){.from = from,
                                    .to = to,
                                    .request = {.from = from, .to = to},
                                    .answer = {.from = to, .to = from}};
    }
    return *place;
}

/* A message to whoever asked `about`: its answer, or that none comes. */
static struct sim_message *back(struct sim_world *w, const struct sim_message *about,
                                enum sim_message_kind kind)
{
    struct sim_message *m = sim_message_new(w, kind);
    m->peer = about->peer;
    m->process = about->peer->from;
    m->incarnation = m->asker = about->asker;
    m->link = &about->peer->answer;
    m->api = about->api;
    m->version = about->version;
    m->correlation = about->correlation;
    m->by = about->by;
    return m;
}

void sim_full_lost(struct sim_world *w, const struct sim_message *m)
{
    struct sim_message *broken = back(w, m, SIM_M_PEER_BROKEN);
    broken->link = NULL;
    sim_push(w, w->now_us + w->options.delays.network_us,
             (struct sim_event){.kind = SIM_E_MESSAGE, .p = broken});
}

static void send_peer_request(struct sim_world *w, struct sim_process *p, const struct kn_output *o)
{
    struct sim_process *to = sim_find(w, o->broker_id);
    struct sim_message *m = sim_message_new(w, SIM_M_PEER_REQUEST);
    m->peer = peer_of(w, p, to == NULL ? p : to);
    m->process = m->peer->to;
    m->incarnation = m->process->incarnation;
    m->asker = p->incarnation;
    m->link = &m->peer->request;
    m->api = (enum wire_api)o->api;
    m->version = o->version;
    m->correlation = o->correlation;
    m->by = o->by;
    m->size = o->size;
    m->bytes = sim_copy(o->message, o->size);
    if (to != NULL && to->is_full) {
        sim_outbox_message(w, p, m);
        return;
    }
    sim_full_lost(w, m); /* nobody there who would answer */
    sim_message_free(w, m);
}

static void send_peer_response(struct sim_world *w, struct sim_process *p,
                               const struct kn_output *o)
{
    struct sim_message *request = take_pending(p, o->call_id);
    if (request == NULL)
        return;
    if (request->client != NULL) {
        sim_client_answered(w, p, request, o);
        return;
    }
    struct sim_message *m = back(w, request, SIM_M_PEER_RESPONSE);
    m->by = o->by;
    m->size = o->message == NULL ? 0 : o->size;
    m->bytes = o->message == NULL ? NULL : sim_copy(o->message, o->size);
    sim_outbox_message(w, p, m);
    sim_message_free(w, request);
}

static void answer_batch(struct sim_world *w, struct sim_process *p, const struct kn_output *o)
{
    struct sim_message *request = take_pending(p, o->call_id);
    if (request == NULL)
        return;
    request->answer = *o->answer;
    SIM_CHECKED(w, sim_checks_answered(w->checks, p->id, request->api, request->batch->batch,
                                       o->answer));
    sim_answer_send(w, request, request->by);
    sim_message_free(w, request);
}

void sim_full_output(struct sim_world *w, struct sim_process *p, const struct kn_output *o)
{
    if (o->kind == KN_OUT_PEER_REQUEST)
        send_peer_request(w, p, o);
    else if (o->kind == KN_OUT_RESPONSE)
        send_peer_response(w, p, o);
    else if (o->kind == KN_OUT_BATCH_ANSWER)
        answer_batch(w, p, o);
}

static void hear(struct sim_world *w, struct sim_process *p, struct sim_message *m)
{
    struct kn_input in = {.kind = m->kind == SIM_M_PEER_RESPONSE ? KN_IN_PEER_RESPONSE
                                                                 : KN_IN_PEER_FAILED,
                          .record = m->by,
                          .broker_id = m->peer->to->id,
                          .correlation = m->correlation,
                          .api = m->api,
                          .version = m->version,
                          .message = m->bytes,
                          .size = m->size};
    step_with(w, p, in);
    sim_message_free(w, m);
}

void sim_full_deliver(struct sim_world *w, struct sim_message *m)
{
    struct sim_process *p = m->process;
    bool is_request = m->kind == SIM_M_PEER_REQUEST;
    if (p->life == SIM_DOWN || p->incarnation != m->incarnation) {
        if (is_request)
            sim_full_lost(w, m);
        sim_message_free(w, m);
    } else if (p->life == SIM_PAUSED) {
        sim_wait_in_inbox(p, m);
    } else if (!is_request) {
        hear(w, p, m);
    } else if (!kn_node_takes_requests(&p->node)) { /* it starts or stops: nobody listens */
        sim_full_lost(w, m);
        sim_message_free(w, m);
    } else {
        add_pending(w, p, m);
        step_with(w, p,
                  (struct kn_input){.kind = KN_IN_REQUEST,
                                    .record = m->by,
                                    .call_id = m->call_id,
                                    .api = m->api,
                                    .version = m->version,
                                    .message = m->bytes,
                                    .size = m->size});
    }
}

/* ---- clients ---- */

void sim_full_client_request(struct sim_world *w, struct sim_process *p, struct sim_message *m,
                             struct kn_input in)
{
    add_pending(w, p, m);
    in.call_id = m->call_id;
    step_with(w, p, in);
}

bool sim_full_forget_request(struct sim_process *p, struct sim_message *m)
{
    return take_pending(p, m->call_id) != NULL;
}

/* ---- the end of a life ---- */

void sim_full_forget(struct sim_world *w, struct sim_process *p)
{
    while (p->pending != NULL) {
        struct sim_message *m = p->pending;
        p->pending = m->next;
        sim_message_free(w, m);
    }
}

static void put_at_stop(void *context, const struct kb_output *o)
{
    struct sim_world *w = context;
    if (o->kind == KB_OUT_PAYLOAD)
        w->payloads.refer(w->payloads.context, o->payload, o->value);
}

void sim_full_gone(struct sim_world *w, struct sim_process *p, bool clean)
{
    struct kb_outputs out = {.put = put_at_stop, .context = w};
    for (const struct sim_message *m = p->pending; m != NULL; m = m->next)
        if (m->peer != NULL)
            sim_full_lost(w, m);
    for (const struct sim_message *m = p->inbox; m != NULL; m = m->next)
        if (m->kind == SIM_M_PEER_REQUEST)
            sim_full_lost(w, m);
    sim_full_forget(w, p);
    kb_replicas_stop(p->replicas, &(struct kb_stop){.clean = clean}, &out);
    sim_keeper_sweep(w->keeper);
}

void sim_full_free(struct sim_process *p)
{
    for (uint32_t i = 0; i < p->peer_count; i++)
        free(p->peers[i]);
    free(p->peers);
    free(p->replicas);
    free(p->broker_timers);
}
