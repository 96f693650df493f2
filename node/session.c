/*
 * The block: a header, then the FIFO of requests as bytes.
 *
 *     | struct kn_session | ....... [entry][entry][entry] ........ |
 *                           0       head                 tail      capacity
 *
 * An entry is a header and the request record, contiguous, 8-byte aligned. Where there is no room
 * behind `tail` the waiting ones move to the front; since a block is grown when they fill more than
 * half of it, a byte is moved at most once for each byte that came in.
 *
 * Invariant: count == 0 iff head == tail; entries before `unsent` have been sent over the present
 * connection, the others have not; without a connection nothing counts as sent.
 */
#include "node/session.h"

#include <assert.h>
#include <string.h>

struct entry {
    uint32_t size; /* header and request */
    uint32_t owner;
    uint64_t record;
    uint32_t sends; /* how often it went out, over any connection */
    uint32_t unused;
};

struct kn_session {
    struct kn_session_limits limits;
    uint32_t state; /* enum kn_session_state */
    struct kn_session_config config;
    int64_t session;
    uint64_t password;
    int64_t timeout_us;
    int64_t zxid;     /* last seen */
    int64_t heard_us; /* CONNECTED: when the server was heard last; CONNECTING: since when */
    int64_t try_us;   /* WAITING: when to connect again */
    int64_t armed_us; /* the timer, -1: none */
    uint32_t head, tail, unsent;
    uint32_t count;
    uint32_t is_new; /* asked for, not yet made; 2: after an expired one */
    uint32_t unused;
    uint8_t bytes[];
};

_Static_assert(sizeof(struct entry) % 8 == 0, "requests stay 8-byte aligned");
_Static_assert(sizeof(struct kn_session) % 8 == 0, "requests stay 8-byte aligned");

struct kn_session_limits kn_session_limits_default(void)
{
    return (struct kn_session_limits){.request_bytes = 8192};
}

struct kn_session_config kn_session_config_default(void)
{
    return (struct kn_session_config){.timeout_us = 18000000, .reconnect_us = 500000};
}

size_t kn_session_size(const struct kn_session_limits *limits)
{
    return sizeof(struct kn_session) + (limits->request_bytes + 7u) / 8u * 8u;
}

void kn_session_init(struct kn_session *s, const struct kn_session_limits *limits,
                     const struct kn_session_config *config)
{
    assert(config->timeout_us > 0);
    assert(config->reconnect_us >= 0);
    memset(s, 0, kn_session_size(limits));
    s->limits = *limits;
    s->config = *config;
    s->timeout_us = config->timeout_us;
    s->armed_us = -1;
}

const struct kn_session_limits *kn_session_limits_of(const struct kn_session *s)
{
    return &s->limits;
}

void kn_session_grow(const struct kn_session *from, struct kn_session *to,
                     const struct kn_session_limits *limits)
{
    assert(limits->request_bytes >= from->limits.request_bytes);
    memset(to, 0, kn_session_size(limits));
    memcpy(to, from, sizeof(*from));
    to->limits = *limits;
    memcpy(to->bytes + from->head, from->bytes + from->head, from->tail - from->head);
}

enum kn_session_state kn_session_state(const struct kn_session *s)
{
    return (enum kn_session_state)s->state;
}

int64_t kn_session_id(const struct kn_session *s)
{
    return s->session;
}

uint32_t kn_session_outstanding(const struct kn_session *s)
{
    return s->count;
}

/* ---- the FIFO ---- */

static struct entry entry_at(const struct kn_session *s, uint32_t at)
{
    struct entry e;
    memcpy(&e, s->bytes + at, sizeof(e));
    return e;
}

static const struct wire_zk_request *request_at(const struct kn_session *s, uint32_t at)
{
    return (const struct wire_zk_request *)(const void *)(s->bytes + at + sizeof(struct entry));
}

static void move_to_front(struct kn_session *s)
{
    memmove(s->bytes, s->bytes + s->head, s->tail - s->head);
    s->tail -= s->head;
    s->unsent -= s->head;
    s->head = 0;
}

static bool push(struct kn_session *s, const struct kn_session_input *in)
{
    struct entry e = {
        .size = (uint32_t)sizeof(e) + in->request->size, .owner = in->owner, .record = in->record};
    uint32_t capacity = s->limits.request_bytes / 8u * 8u;
    if (s->tail - s->head + e.size > capacity / 2)
        return false;
    if (e.size > capacity - s->tail)
        move_to_front(s);
    memcpy(s->bytes + s->tail, &e, sizeof(e));
    memcpy(s->bytes + s->tail + sizeof(e), in->request, in->request->size);
    s->tail += e.size;
    s->count++;
    return true;
}

static struct entry pop(struct kn_session *s)
{
    struct entry e = entry_at(s, s->head);
    assert(s->count > 0);
    memset(s->bytes + s->head, 0, e.size);
    s->head += e.size;
    if (s->unsent < s->head)
        s->unsent = s->head;
    if (--s->count == 0)
        s->head = s->tail = s->unsent = 0;
    return e;
}

/* ---- outputs ---- */

static void put(struct kn_session_outputs *out, struct kn_session_output output)
{
    out->put(out->context, &output);
}

static void arm(struct kn_session *s, int64_t due_us, struct kn_session_outputs *out)
{
    if (s->armed_us == due_us)
        return;
    s->armed_us = due_us;
    put(out, (struct kn_session_output){.kind = KN_SESSION_OUT_TIMER, .due_us = due_us});
}

static int64_t ping_us(const struct kn_session *s)
{
    return s->timeout_us / 3;
}

static int64_t silence_us(const struct kn_session *s)
{
    return s->timeout_us / 3 * 2;
}

static void send_unsent(struct kn_session *s, struct kn_session_outputs *out)
{
    while (s->unsent < s->tail) {
        uint32_t at = s->unsent;
        struct entry e = entry_at(s, at);
        bool again = e.sends++ > 0;
        memcpy(s->bytes + at, &e, sizeof(e));
        s->unsent += e.size;
        put(out, (struct kn_session_output){.kind = KN_SESSION_OUT_SEND,
                                            .owner = e.owner,
                                            .record = e.record,
                                            .again = again,
                                            .request = request_at(s, at)});
    }
}

static void connect(struct kn_session *s, int64_t now_us, struct kn_session_outputs *out)
{
    s->state = KN_SESSION_CONNECTING;
    s->heard_us = now_us;
    put(out, (struct kn_session_output){.kind = KN_SESSION_OUT_CONNECT,
                                        .session = s->session,
                                        .password = s->password,
                                        .timeout_us = s->config.timeout_us,
                                        .zxid = s->zxid});
    arm(s, now_us + s->timeout_us, out);
}

static void lose_connection(struct kn_session *s, int64_t now_us, struct kn_session_outputs *out)
{
    bool was_connected = s->state == KN_SESSION_CONNECTED;
    s->state = KN_SESSION_WAITING;
    s->unsent = s->head;
    s->try_us = now_us + s->config.reconnect_us;
    if (was_connected)
        put(out,
            (struct kn_session_output){.kind = KN_SESSION_OUT_DISCONNECTED, .session = s->session});
    if (s->is_new == 2 && s->config.tried_once)
        s->try_us = -1; /* nobody tries again: the process runs on without a session */
    arm(s, s->try_us, out);
}

static void give_up_connection(struct kn_session *s, int64_t now_us, struct kn_session_outputs *out)
{
    put(out, (struct kn_session_output){.kind = KN_SESSION_OUT_HANG_UP, .session = s->session});
    lose_connection(s, now_us, out);
}

/* ---- inputs ---- */

static enum sm_err on_open(struct kn_session *s, int64_t now_us, const struct kn_session_input *in,
                           struct kn_session_outputs *out)
{
    if (s->state != KN_SESSION_IDLE && s->state != KN_SESSION_EXPIRED)
        return SM_ERR_ILLEGAL_STATE;
    s->session = in->session;
    s->password = in->password;
    s->is_new = s->state == KN_SESSION_EXPIRED ? 2 : 1;
    s->timeout_us = s->config.timeout_us;
    connect(s, now_us, out);
    return SM_ERR_OK;
}

static enum sm_err on_connected(struct kn_session *s, int64_t now_us,
                                const struct kn_session_input *in, struct kn_session_outputs *out)
{
    if (s->state != KN_SESSION_CONNECTING)
        return SM_ERR_ILLEGAL_STATE;
    if (in->session == 0) {
        int64_t gone = s->session;
        s->state = KN_SESSION_EXPIRED;
        s->session = 0;
        s->password = 0;
        arm(s, -1, out);
        put(out, (struct kn_session_output){.kind = KN_SESSION_OUT_EXPIRED, .session = gone});
        return SM_ERR_OK;
    }
    bool is_new = s->is_new != 0;
    assert(s->session == 0 || s->session == in->session);
    s->is_new = 0;
    s->state = KN_SESSION_CONNECTED;
    s->session = in->session;
    s->password = in->password;
    s->timeout_us = in->timeout_us;
    s->heard_us = now_us;
    put(out, (struct kn_session_output){.kind = is_new ? KN_SESSION_OUT_CREATED
                                                       : KN_SESSION_OUT_CONNECTED,
                                        .session = s->session,
                                        .timeout_us = s->timeout_us});
    send_unsent(s, out);
    arm(s, now_us + ping_us(s), out);
    return SM_ERR_OK;
}

static enum sm_err on_request(struct kn_session *s, const struct kn_session_input *in,
                              struct kn_session_outputs *out)
{
    if (s->state == KN_SESSION_CLOSED)
        return SM_ERR_ILLEGAL_STATE;
    if (!push(s, in)) {
        out->short_of = "request_bytes";
        return SM_ERR_LIMIT;
    }
    if (s->state == KN_SESSION_CONNECTED)
        send_unsent(s, out);
    return SM_ERR_OK;
}

static enum sm_err on_reply(struct kn_session *s, int64_t now_us, const struct kn_session_input *in,
                            struct kn_session_outputs *out)
{
    if (s->state != KN_SESSION_CONNECTED || s->unsent == s->head)
        return SM_ERR_ILLEGAL_STATE;
    assert(request_at(s, s->head)->xid == in->reply->xid);
    struct entry e = pop(s);
    s->heard_us = now_us;
    if (in->reply->zxid > s->zxid)
        s->zxid = in->reply->zxid;
    put(out, (struct kn_session_output){.kind = KN_SESSION_OUT_REPLY,
                                        .owner = e.owner,
                                        .record = e.record,
                                        .reply = in->reply});
    return SM_ERR_OK;
}

static enum sm_err on_deny(struct kn_session *s, struct kn_session_outputs *out)
{
    if (s->state != KN_SESSION_EXPIRED || s->count == 0)
        return SM_ERR_ILLEGAL_STATE;
    const struct wire_zk_request *request = request_at(s, s->head);
    struct wire_zk_reply reply = {.size = sizeof(reply),
                                  .xid = request->xid,
                                  .zxid = s->zxid,
                                  .err = WIRE_ZK_SESSION_EXPIRED,
                                  .multi = request->multi};
    struct entry e = pop(s);
    put(out,
        (struct kn_session_output){
            .kind = KN_SESSION_OUT_REPLY, .owner = e.owner, .record = e.record, .reply = &reply});
    return SM_ERR_OK;
}

static enum sm_err on_timer(struct kn_session *s, int64_t now_us, struct kn_session_outputs *out)
{
    s->armed_us = -1;
    switch ((enum kn_session_state)s->state) {
    case KN_SESSION_CONNECTED:
        if (now_us - s->heard_us >= silence_us(s)) {
            give_up_connection(s, now_us, out);
        } else {
            put(out,
                (struct kn_session_output){.kind = KN_SESSION_OUT_PING, .session = s->session});
            int64_t ping = now_us + ping_us(s), silence = s->heard_us + silence_us(s);
            arm(s, ping < silence ? ping : silence, out);
        }
        return SM_ERR_OK;
    case KN_SESSION_CONNECTING:
        if (now_us - s->heard_us >= s->timeout_us)
            give_up_connection(s, now_us, out);
        else
            arm(s, s->heard_us + s->timeout_us, out);
        return SM_ERR_OK;
    case KN_SESSION_WAITING:
        if (now_us >= s->try_us)
            connect(s, now_us, out);
        else
            arm(s, s->try_us, out);
        return SM_ERR_OK;
    case KN_SESSION_IDLE:
    case KN_SESSION_EXPIRED:
    case KN_SESSION_CLOSED:
    case KN_SESSION_STATE_END:
        break;
    }
    return SM_ERR_OK;
}

static enum sm_err on_close(struct kn_session *s, struct kn_session_outputs *out)
{
    int64_t session = s->session;
    if (s->state == KN_SESSION_CLOSED)
        return SM_ERR_ILLEGAL_STATE;
    if (s->state == KN_SESSION_CONNECTED)
        put(out, (struct kn_session_output){.kind = KN_SESSION_OUT_CLOSE, .session = session});
    else if (s->state == KN_SESSION_CONNECTING)
        put(out, (struct kn_session_output){.kind = KN_SESSION_OUT_HANG_UP, .session = session});
    s->state = KN_SESSION_CLOSED;
    s->head = s->tail = s->unsent = 0;
    s->count = 0;
    arm(s, -1, out);
    put(out, (struct kn_session_output){.kind = KN_SESSION_OUT_CLOSED, .session = session});
    return SM_ERR_OK;
}

enum sm_err kn_session_step(struct kn_session *s, int64_t now_us, const struct kn_session_input *in,
                            struct kn_session_outputs *out)
{
    switch ((enum kn_session_input_kind)in->kind) {
    case KN_SESSION_IN_NONE:
        return SM_ERR_OK;
    case KN_SESSION_IN_OPEN:
        return on_open(s, now_us, in, out);
    case KN_SESSION_IN_CONNECTED:
        return on_connected(s, now_us, in, out);
    case KN_SESSION_IN_DISCONNECTED:
        if (s->state != KN_SESSION_CONNECTED && s->state != KN_SESSION_CONNECTING)
            return SM_ERR_ILLEGAL_STATE;
        lose_connection(s, now_us, out);
        return SM_ERR_OK;
    case KN_SESSION_IN_REQUEST:
        return on_request(s, in, out);
    case KN_SESSION_IN_REPLY:
        return on_reply(s, now_us, in, out);
    case KN_SESSION_IN_HEARD:
        s->heard_us = now_us;
        return SM_ERR_OK;
    case KN_SESSION_IN_TIMER:
        return on_timer(s, now_us, out);
    case KN_SESSION_IN_DENY:
        return on_deny(s, out);
    case KN_SESSION_IN_CLOSE:
        return on_close(s, out);
    }
    return SM_ERR_ILLEGAL_STATE;
}

void kn_session_check(const struct kn_session *s)
{
    uint32_t count = 0;
    bool unsent_is_an_entry = s->unsent == s->tail;
    assert(s->state < KN_SESSION_STATE_END);
    assert(s->head <= s->unsent);
    assert(s->unsent <= s->tail);
    assert(s->tail <= s->limits.request_bytes);
    for (uint32_t at = s->head; at < s->tail; at += entry_at(s, at).size, count++) {
        assert(entry_at(s, at).size == sizeof(struct entry) + request_at(s, at)->size);
        unsent_is_an_entry |= at == s->unsent;
    }
    assert(unsent_is_an_entry);
    assert(count == s->count);
    assert(s->state == KN_SESSION_CONNECTED || s->unsent == s->head);
}
