/*
 * What full brokers say to each other: the fetchers of one ask another.
 *
 *     follower's Fetch ─► peer link ─► pending ──► broker part ──► peer link ──► follower
 *                                         │ the process dies, or the message is lost on its way
 *                                         └──► PEER_BROKEN ──► follower
 *
 * Fetchers never stop asking. A message that says nothing (sim_message_says) is not recorded and
 * does not count for quiet, nor for the n-th of a rule; its cause passes through.
 *
 * Who asks gives up an answer that does not come (a held message, a leader that stands still) after
 * replica.socket.timeout.ms. Each request has its own deadline: a Fetch of each fetcher and a
 * WriteTxnMarkers may be under way to the same broker. One event stands for the earliest of them.
 */
#include <assert.h>

#include "sim/world_state.h"

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

/* ---- silence ---- */

enum { AGAIN_US = 1000000 }; /* who stands still looks at the clock when it goes on */

uint64_t sim_peer_silencer(const struct sim_world *w, int32_t at, int32_t of)
{
    struct sim_process *p = sim_find(w, of);
    if (p == NULL)
        return 0;
    if (p->life != SIM_UP)
        return p->life_record;
    struct sim_link there = {.from = p, .to = sim_find(w, at)};
    struct sim_link back = {.from = there.to, .to = p};
    uint64_t record = sim_net_blamed(w, &there);
    return record != 0 ? record : sim_net_blamed(w, &back);
}

/* The earliest deadline of what `peer` waits for, which is something. */
static uint32_t most_urgent(const struct sim_peer *peer)
{
    uint32_t first = 0;
    for (uint32_t i = 1; i < peer->wait_count; i++)
        if (peer->waits[i].deadline_us < peer->waits[first].deadline_us)
            first = i;
    return first;
}

/* An event at the earliest deadline. An answer in time leaves it where it stands; a clock that runs
   faster now makes it come too late: then another is set, and the former one means nothing. */
static void set_alarm(struct sim_world *w, struct sim_peer *peer)
{
    if (peer->wait_count == 0)
        return;
    int64_t at_us = peer->waits[most_urgent(peer)].deadline_us;
    if (peer->alarm_us != 0 && peer->alarm_us <= at_us)
        return;
    peer->alarm_us = at_us;
    sim_push(w, at_us, (struct sim_event){.kind = SIM_E_PEER, .p = peer});
}

static void expect_answer(struct sim_world *w, const struct sim_message *m)
{
    struct sim_peer *peer = m->peer;
    if (peer->asker != m->asker)
        peer->wait_count = 0; /* a former incarnation waited */
    peer->asker = m->asker;
    if (peer->wait_count == peer->wait_room) {
        peer->wait_room = peer->wait_room == 0 ? 2 : peer->wait_room * 2;
        peer->waits = sim_realloc(peer->waits, peer->wait_room * sizeof(*peer->waits));
    }
    int64_t timeout_us = peer->from->settings.replica_socket_timeout_us;
    peer->waits[peer->wait_count++] =
        (struct sim_peer_wait){.correlation = m->correlation,
                               .by = m->by,
                               .deadline_us = sim_clock_after(w, peer->from, timeout_us)};
    set_alarm(w, peer);
}

static void expect_no_more(struct sim_peer *peer, uint64_t correlation)
{
    for (uint32_t i = 0; i < peer->wait_count; i++)
        if (peer->waits[i].correlation == correlation) {
            memmove(&peer->waits[i], &peer->waits[i + 1],
                    (peer->wait_count - i - 1) * sizeof(*peer->waits));
            peer->wait_count--;
            return;
        }
}

static void give_up(struct sim_world *w, struct sim_peer *peer, struct sim_peer_wait wait)
{
    struct sim_process *p = peer->from;
    uint64_t by = sim_trace_timer(w->trace, w->now_us, SIM_LANE_BROKER(p->id), wait.by,
                                  sim_peer_silencer(w, p->id, peer->to->id), "fire",
                                  "replica.socket.timeout.ms", wait.correlation, wait.deadline_us);
    struct kn_input in = {.kind = KN_IN_PEER_FAILED,
                          .record = by,
                          .broker_id = peer->to->id,
                          .correlation = wait.correlation};
    sim_full_step(w, p, in);
}

void sim_peer_deadline(struct sim_world *w, struct sim_peer *peer)
{
    struct sim_process *p = peer->from;
    if (w->now_us != peer->alarm_us)
        return;
    peer->alarm_us = 0;
    if (p->life == SIM_DOWN || p->incarnation != peer->asker)
        peer->wait_count = 0;
    if (peer->wait_count == 0)
        return;
    struct sim_peer_wait *first = &peer->waits[most_urgent(peer)];
    if (p->life == SIM_PAUSED && first->deadline_us <= w->now_us)
        first->deadline_us = w->now_us + AGAIN_US;
    if (first->deadline_us <= w->now_us) {
        struct sim_peer_wait wait = *first;
        expect_no_more(peer, wait.correlation);
        give_up(w, peer, wait);
    }
    set_alarm(w, peer);
}

/* ---- on the way, and there ---- */

static struct sim_message_note note_of(const struct sim_world *w, const struct sim_message *m,
                                       enum sim_kind kind)
{
    bool is_response = m->kind == SIM_M_PEER_RESPONSE;
    const struct sim_process *from = is_response ? m->peer->to : m->peer->from;
    const struct sim_process *to = is_response ? m->peer->from : m->peer->to;
    bool leaves = kind == SIM_K_SEND;
    return (struct sim_message_note){.kind = kind,
                                     .is_response = is_response,
                                     .t = w->now_us,
                                     .at = SIM_LANE_BROKER(leaves ? from->id : to->id),
                                     .peer = SIM_LANE_BROKER(leaves ? to->id : from->id),
                                     .by = m->by,
                                     .m = m->m,
                                     .re = m->re,
                                     .api = m->api,
                                     .message = m->bytes};
}

/* re: record of the request that it answers. */
static void leave(struct sim_world *w, struct sim_process *sender, struct sim_message *m,
                  uint64_t re)
{
    m->re = re;
    if (m->kind == SIM_M_PEER_REQUEST)
        expect_answer(w, m);
    m->says = sim_message_says(m->api, m->kind == SIM_M_PEER_RESPONSE, m->bytes);
    if (!m->says) {
        sim_outbox_message(w, sender, m);
        return;
    }
    struct sim_message_note note = note_of(w, m, SIM_K_SEND);
    uint64_t n = sim_trace_message(w->trace, &note);
    m->m = n == m->by ? 0 : n;
    m->by = n;
    sim_message_matters(w, m);
    sim_outbox_fire(w, SIM_SIDE_BEFORE);
    sim_outbox_message(w, sender, m);
    sim_outbox_fire(w, SIM_SIDE_AFTER);
}

static void arrive(struct sim_world *w, struct sim_message *m)
{
    if (!m->says)
        return;
    sim_message_matters_no_more(w, m);
    struct sim_message_note note = note_of(w, m, SIM_K_RECV);
    m->by = sim_trace_message(w->trace, &note);
}

void sim_peer_request(struct sim_world *w, struct sim_process *p, const struct kn_output *o)
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
    sim_message_carry(m, o->message, o->size);
    if (to != NULL && to->is_full) {
        leave(w, p, m, 0);
        return;
    }
    sim_full_lost(w, m); /* nobody there who would answer */
    sim_message_free(w, m);
}

void sim_peer_response(struct sim_world *w, struct sim_process *p, const struct kn_output *o)
{
    struct sim_message *request = sim_full_take(p, o->call_id);
    if (request == NULL)
        return;
    if (request->client != NULL) {
        sim_client_answered(w, p, request, o);
        return;
    }
    struct sim_message *m = back(w, request, SIM_M_PEER_RESPONSE);
    m->by = o->by;
    if (o->message != NULL)
        sim_message_carry(m, o->message, o->size);
    sim_reply_takes_over(m, request);
    leave(w, p, m, request->m);
    sim_message_free(w, request);
}

static void hear(struct sim_world *w, struct sim_process *p, struct sim_message *m)
{
    expect_no_more(m->peer, m->correlation);
    if (m->kind == SIM_M_PEER_RESPONSE)
        arrive(w, m);
    struct kn_input in = {.kind = m->kind == SIM_M_PEER_RESPONSE ? KN_IN_PEER_RESPONSE
                                                                 : KN_IN_PEER_FAILED,
                          .record = m->by,
                          .broker_id = m->peer->to->id,
                          .correlation = m->correlation,
                          .api = m->api,
                          .version = m->version,
                          .message = m->bytes,
                          .size = m->size};
    sim_full_step(w, p, in);
    sim_message_free(w, m);
}

void sim_full_deliver(struct sim_world *w, struct sim_message *m)
{
    struct sim_process *p = m->process;
    bool is_request = m->kind == SIM_M_PEER_REQUEST;
    if (p->life == SIM_DOWN || p->incarnation != m->incarnation) {
        if (is_request)
            sim_full_lost(w, m);
        sim_message_drop(w, m, p->life_record, p->life == SIM_DOWN ? "dead" : "closed");
    } else if (p->life == SIM_PAUSED) {
        sim_wait_in_inbox(p, m);
    } else if (!is_request) {
        hear(w, p, m);
    } else if (!kn_node_takes_requests(&p->node)) { /* it starts or stops: nobody listens */
        sim_full_lost(w, m);
        sim_message_drop(w, m, p->life_record, "closed");
    } else {
        arrive(w, m);
        sim_full_pend(w, p, m);
        sim_full_step(w, p,
                      (struct kn_input){.kind = KN_IN_REQUEST,
                                        .record = m->by,
                                        .call_id = m->call_id,
                                        .api = m->api,
                                        .version = m->version,
                                        .message = m->bytes,
                                        .size = m->size});
    }
}
