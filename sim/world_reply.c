/*
 * `side: applied-reply-lost`: a request is applied, and its answer is lost on the way back.
 *
 *     record of the send ─► mark the request ─► applied ─► the answer takes the mark over
 *                                                               │ leaves the outbox
 *                                                               ▼
 *                                       lost, with its connection; then the step acts
 *
 * The mark travels with the request, however long it waits where it is handled (a Fetch without
 * records, a Produce for its followers). ZooKeeper's replies are lost at the server, for it has to
 * know which of them never arrived (world_zookeeper.c). A request that is lost itself, or that
 * nobody answers, loses no answer, and the step does not act.
 *
 * A controller's request to the broker in its own process has no way: the step acts behind it.
 */
#include <assert.h>

#include "sim/world_state.h"

static bool is_request(enum sim_message_kind kind)
{
    switch (kind) {
    case SIM_M_ZK_REQUEST:
    case SIM_M_REQUEST:
    case SIM_M_CALL:
    case SIM_M_PEER_REQUEST:
    case SIM_M_CLIENT_REQUEST:
        return true;
    case SIM_M_ZK_CONNECT:
    case SIM_M_ZK_PING:
    case SIM_M_ZK_CLOSE:
    case SIM_M_ZK_HANG_UP:
    case SIM_M_ZK_CONNECTED:
    case SIM_M_ZK_REPLY:
    case SIM_M_ZK_EVENT:
    case SIM_M_ZK_PONG:
    case SIM_M_ZK_CLOSED:
    case SIM_M_ANSWER:
    case SIM_M_BROKEN:
    case SIM_M_CALL_ANSWER:
    case SIM_M_PEER_RESPONSE:
    case SIM_M_PEER_BROKEN:
    case SIM_M_CLIENT_RESPONSE:
    case SIM_M_CLIENT_BROKEN:
        return false;
    }
    return false;
}

/* The request that the record tells of is among what has not left yet, near the end. */
bool sim_reply_mark(struct sim_world *w, uint32_t step, uint64_t record)
{
    if (w->scenario->steps[step].pattern.side != SIM_SIDE_APPLIED_REPLY_LOST)
        return false;
    for (size_t i = w->outbox_count; i > w->outbox_done; i--) {
        const struct sim_outbox_entry *e = &w->outbox[i - 1];
        if (e->kind != SIM_OUT_MESSAGE || e->message->m != record)
            continue;
        if (!is_request((enum sim_message_kind)e->message->kind))
            return false;
        e->message->lost_step = step + 1;
        return true;
    }
    return false;
}

void sim_reply_takes_over(struct sim_message *answer, const struct sim_message *request)
{
    answer->lost_step = request->lost_step;
    answer->re = request->m;
}

bool sim_reply_lose(struct sim_world *w, struct sim_message *m)
{
    uint32_t step = m->lost_step;
    uint64_t request = m->re;
    if (step == 0 || is_request((enum sim_message_kind)m->kind))
        return false;
    assert(request != 0);
    if (m->channel != NULL && m->life != m->channel->life)
        sim_message_drop(w, m, request, "closed"); /* its connection has ended before */
    else
        sim_message_lose(w, m, request);
    sim_outbox_act(w, step - 1, request);
    return true;
}
