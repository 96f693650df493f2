/*
 * Fetch sessions: what a follower fetches is kept here, so that a fetch names only what changed.
 *
 *     session ── cached ──► remote ─ remote ─ remote …     every row that it fetches
 *             └─ dirty ───► remote ─ remote                those the next fetch has to look at
 *
 * A row is dirty for a follower when the follower named it, when records came, when the high
 * watermark, the log's start or the leadership changed, and as long as the follower is not in the
 * ISR, for each of its fetches is a chance to join. What is not dirty would be answered with
 * nothing new, and by the protocol such partitions are left out of the answer. So a fetch costs
 * what has changed, not what is hosted.
 *
 * Differs: Kafka looks at every partition of the session; it also keeps sessions for consumers, who
 * here are always answered without one (session id 0), which the protocol allows.
 *
 * Source: Kafka kafka.server.FetchSession, IncrementalFetchContext (KIP-227).
 */
#include "broker/replica_state.h"

#include <assert.h>
#include <string.h>

struct kb_remote *kb_remote_of_place(const struct kb_replicas *r, uint32_t place,
                                     struct kb_row **row)
{
    *row = kb_row(r, (place - 1) / r->limits.replicas);
    return kb_remote(r, *row, (place - 1) % r->limits.replicas);
}

static uint32_t place_of(const struct kb_replicas *r, const struct kb_row *row,
                         const struct kb_remote *remote)
{
    return kb_row_index(r, row) * r->limits.replicas + (uint32_t)(remote - kb_remote(r, row, 0)) +
           1;
}

static struct kb_remote *at(const struct kb_replicas *r, uint32_t place)
{
    struct kb_row *row;
    return kb_remote_of_place(r, place, &row);
}

uint32_t kb_session_find(const struct kb_replicas *r, int32_t id)
{
    for (uint32_t i = 0; id != 0 && i < r->limits.sessions; i++) {
        if (kb_session(r, i)->id == id) {
            return i;
        }
    }
    return KB_NO_ROW;
}

/* Without a free place the oldest session of the same follower goes: one of an earlier life. */
static uint32_t place_for(const struct kb_step *s, int32_t replica_id)
{
    struct kb_replicas *r = s->r;
    uint32_t oldest = KB_NO_ROW;

    for (uint32_t i = 0; i < r->limits.sessions; i++) {
        const struct kb_session *session = kb_session(r, i);
        if (session->id == 0) {
            return i;
        }
        if (session->replica_id == replica_id &&
            (oldest == KB_NO_ROW ||
             session->last_fetch_us < kb_session(r, oldest)->last_fetch_us)) {
            oldest = i;
        }
    }
    assert(oldest != KB_NO_ROW);
    kb_session_drop(s, oldest);
    return oldest;
}

uint32_t kb_session_new(const struct kb_step *s, int32_t replica_id)
{
    struct kb_replicas *r = s->r;
    uint32_t i = place_for(s, replica_id);

    *kb_session(r, i) = (struct kb_session){
        .id = r->next_session, .epoch = 1, .replica_id = replica_id, .last_fetch_us = KB_NEVER};
    r->next_session = r->next_session == INT32_MAX ? 1 : r->next_session + 1;
    return i;
}

void kb_session_mark(struct kb_replicas *r, const struct kb_row *row, struct kb_remote *remote)
{
    struct kb_session *session;

    if (remote->session == 0 || remote->dirty) {
        return;
    }
    kb_remote_settle(r, row, remote);
    session = kb_session(r, remote->session - 1);
    remote->dirty = 1;
    remote->prev_dirty = session->last_dirty;
    if (session->last_dirty != 0) {
        at(r, session->last_dirty)->next_dirty = place_of(r, row, remote);
    } else {
        session->first_dirty = place_of(r, row, remote);
    }
    session->last_dirty = place_of(r, row, remote);
    session->dirty_count++;
}

void kb_session_clean(struct kb_replicas *r, const struct kb_row *row, struct kb_remote *remote)
{
    struct kb_session *session;

    (void)row;
    if (!remote->dirty) {
        return;
    }
    session = kb_session(r, remote->session - 1);
    if (remote->next_dirty != 0) {
        at(r, remote->next_dirty)->prev_dirty = remote->prev_dirty;
    } else {
        session->last_dirty = remote->prev_dirty;
    }
    if (remote->prev_dirty != 0) {
        at(r, remote->prev_dirty)->next_dirty = remote->next_dirty;
    } else {
        session->first_dirty = remote->next_dirty;
    }
    remote->next_dirty = remote->prev_dirty = 0;
    remote->dirty = 0;
    session->dirty_count--;
}

void kb_session_remove(struct kb_replicas *r, struct kb_row *row, struct kb_remote *remote)
{
    struct kb_session *session;

    if (remote->session == 0) {
        return;
    }
    kb_session_clean(r, row, remote);
    session = kb_session(r, remote->session - 1);
    if (remote->next_cached != 0) {
        at(r, remote->next_cached)->prev_cached = remote->prev_cached;
    }
    if (remote->prev_cached != 0) {
        at(r, remote->prev_cached)->next_cached = remote->next_cached;
    } else {
        session->first_cached = remote->next_cached;
    }
    remote->next_cached = remote->prev_cached = 0;
    remote->session = 0;
    session->cached_count--;
}

/* Comes from another session of the same follower where that was not ended: after a broken
   connection it begins a new one. Such a session goes with its last row. */
void kb_session_add(struct kb_replicas *r, uint32_t session, struct kb_row *row,
                    struct kb_remote *remote)
{
    struct kb_session *p = kb_session(r, session);
    uint32_t old = remote->session;

    if (old == session + 1) {
        return;
    }
    kb_session_remove(r, row, remote);
    if (old != 0 && kb_session(r, old - 1)->cached_count == 0 &&
        kb_session(r, old - 1)->operation == 0) {
        memset(kb_session(r, old - 1), 0, sizeof(struct kb_session));
    }
    remote->session = session + 1;
    remote->sent_hw = remote->sent_start = -1;
    remote->next_cached = p->first_cached;
    if (p->first_cached != 0) {
        at(r, p->first_cached)->prev_cached = place_of(r, row, remote);
    }
    p->first_cached = place_of(r, row, remote);
    p->cached_count++;
}

/* The next fetch in it is told that there is no such session, and the follower names all anew. A
   fetch that waits is answered with what there is. */
void kb_session_drop(const struct kb_step *s, uint32_t session)
{
    struct kb_replicas *r = s->r;
    struct kb_session *p = kb_session(r, session);

    if (p->operation != 0) {
        kb_fetch_finish(s, p->operation - 1);
    }
    while (p->first_cached != 0) {
        struct kb_row *row;
        struct kb_remote *remote = kb_remote_of_place(r, p->first_cached, &row);
        kb_session_remove(r, row, remote);
    }
    memset(p, 0, sizeof *p);
}

void kb_sessions_mark_row(struct kb_replicas *r, const struct kb_row *row)
{
    for (uint32_t slot = 0; slot < r->limits.replicas; slot++) {
        struct kb_remote *remote = kb_remote(r, row, slot);
        if (remote->used) {
            kb_session_mark(r, row, remote);
        }
    }
}
