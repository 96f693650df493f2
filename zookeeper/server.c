/*
 * The step: one input, the outputs that follow from it.
 *
 * An input about a connection that has no session (any more) is dropped without a word: it was on
 * its way when the server closed the connection, which the other side has been told.
 */
#include "zookeeper/block.h"

#include <assert.h>

static enum sm_err request_over(struct kz_server *s, int64_t now_us, uint32_t session,
                                const struct kz_input *in, struct kz_outputs *out)
{
    enum sm_err err = kz_request(s, now_us, session, in->request, out);
    if (err == SM_ERR_OK)
        kz_session_touch(s, session, now_us);
    return err;
}

/* The client still holds the watches that fired unheard; so do we again. */
static enum sm_err lost_event(struct kz_server *s, const struct kz_input *in,
                              struct kz_outputs *out)
{
    static const uint32_t kinds[3] = {KZ_WATCH_DATA, KZ_WATCH_EXISTS, KZ_WATCH_CHILD};
    uint32_t session = kz_session_find(s, in->session), missing = 0;
    if (session == 0 || !kz_path_valid(in->path, strlen(in->path)))
        return SM_ERR_OK;
    for (int k = 0; k < 3; k++) {
        if ((in->on & kinds[k]) == 0)
            continue;
        const char *short_of = kz_watch_short_of(s, session, in->path, kinds[k]);
        if (short_of != NULL)
            return kz_limit(out, short_of);
        missing++;
    }
    if (s->limits.watches - s->watch_count < missing)
        return kz_limit(out, "watches");
    for (int k = 0; k < 3; k++)
        if (in->on & kinds[k])
            kz_watch_arm(s, session, in->path, kinds[k]);
    if (kz_session(s, session)->conn != 0)
        kz_watch_judge_path(s, out, session, in->path, in->on, in->zxid);
    return SM_ERR_OK;
}

static void lost_reply(struct kz_server *s, const struct kz_input *in)
{
    uint32_t session = kz_session_find(s, in->session);
    if (session != 0 && in->on != 0)
        kz_watch_disarm(s, session, in->path, in->on);
}

enum sm_err kz_server_step(struct kz_server *s, int64_t now_us, const struct kz_input *in,
                           struct kz_outputs *out)
{
    uint32_t session = in->conn == 0 ? 0 : kz_session_of_conn(s, in->conn);
    switch ((enum kz_input_kind)in->kind) {
    case KZ_IN_NONE:
        return SM_ERR_OK;
    case KZ_IN_CONNECT:
        return kz_session_connect(s, now_us, in, out);
    case KZ_IN_REQUEST:
        return session == 0 ? SM_ERR_OK : request_over(s, now_us, session, in, out);
    case KZ_IN_HEARTBEAT:
        if (session != 0)
            kz_session_touch(s, session, now_us);
        return SM_ERR_OK;
    case KZ_IN_DISCONNECT:
        if (session != 0)
            kz_session_detach(s, session);
        return SM_ERR_OK;
    case KZ_IN_CLOSE:
        return session == 0 ? SM_ERR_OK : kz_session_end(s, session, KZ_END_CLOSED, out);
    case KZ_IN_TICK:
        return kz_session_tick(s, now_us, out);
    case KZ_IN_EXPIRE:
        session = s->quorum_lost ? 0 : kz_session_find(s, in->session);
        return session == 0 ? SM_ERR_OK
                            : kz_session_end(s, session, in->on != 0 ? KZ_END_LEFT : KZ_END_EXPIRED,
                                             out);
    case KZ_IN_QUORUM:
        kz_session_quorum(s, now_us, in->on != 0, out);
        return SM_ERR_OK;
    case KZ_IN_LAG:
        return session == 0 ? SM_ERR_OK : kz_session_lag(s, session, in->zxid, out);
    case KZ_IN_LOST_EVENT:
        return lost_event(s, in, out);
    case KZ_IN_LOST_REPLY:
        lost_reply(s, in);
        return SM_ERR_OK;
    }
    return SM_ERR_OK;
}
