/*
 * One TCP connection at a time, one timer for everything that time does: give up an attempt, ping,
 * notice silence, try again.
 *
 *   link: allocated for each attempt, so that what libuv still does with an old one finds no new
 * one
 *
 *   reads   oldest ──► newest     answered in this order; a sync is one without a request, and only
 *                                 pings are answered out of turn
 */
#define _GNU_SOURCE
#include "live/bulk_read.h"

#include <assert.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "live/bulk_codec.h"

enum {
    FRAME_MAX = 1 << 29, /* an answer beyond it is taken for nonsense */
    RETRY_FIRST_MS = 200,
    RETRY_MOST_MS = 10000,
    NEAR_MS = 1000, /* so long a read waits for a connection */
    CLOSE_MS = 1000,
    REFUSALS_MAX = 2,
};

struct read {
    TAILQ_ENTRY(read) next;
    const struct wire_zk_request *request; /* NULL: a sync */
    void *owner;
    int32_t xid;
};
TAILQ_HEAD(reads, read);

/* One attempt: its socket, and what has come in. Outlives its use until libuv has closed it. */
struct link {
    uv_tcp_t tcp;
    uv_connect_t connect;
    struct live_bulk *bulk; /* NULL: given up */
    uint8_t *bytes;
    size_t used, capacity;
    bool is_established;
};

struct live_bulk {
    struct live_bulk_config config;
    uv_loop_t *loop;
    uv_timer_t timer;
    enum live_bulk_state state;
    struct live_zk_addresses addresses;
    uint32_t address;  /* next to be tried */
    uint32_t attempts; /* since the last connection */
    struct link *link;
    struct live_bulk_session session;
    int32_t timeout_ms; /* asked for */
    int64_t zxid;
    bool must_sync;
    bool has_answered; /* a multiRead, ever */
    uint32_t refusals; /* connections in a row that a multiRead ended */
    int32_t xid;
    struct reads reads;
    uint64_t trying_ms;  /* since when there is no connection */
    uint64_t attempt_ms; /* until when the present attempt may go on */
    uint64_t heard_ms, pinged_ms;
    uint32_t retry_ms;
    bool has_said;
    void (*freed)(void *context);
    void *freed_context;
    int open_handles; /* until freed */
};

static uint64_t now_ms(const struct live_bulk *b)
{
    return uv_now(b->loop);
}

static void say(struct live_bulk *b, bool is_warning, const char *text)
{
    b->config.say(b->config.context, is_warning, text);
}

static void enter(struct live_bulk *b, enum live_bulk_state state)
{
    if (b->state == state)
        return;
    b->state = state;
    b->config.changed(b->config.context);
}

static void on_timer(uv_timer_t *timer);

static void wake_after(struct live_bulk *b, uint64_t ms)
{
    uv_timer_start(&b->timer, on_timer, ms == 0 ? 1 : ms, 0);
}

/* ---- links ---- */

static void on_link_closed(uv_handle_t *handle)
{
    struct link *l = handle->data;
    free(l->bytes);
    free(l);
}

static void drop_link(struct live_bulk *b)
{
    struct link *l = b->link;
    b->link = NULL;
    if (l == NULL)
        return;
    l->bulk = NULL;
    uv_close((uv_handle_t *)&l->tcp, on_link_closed);
}

struct outgoing {
    uv_write_t write;
    uint8_t bytes[];
};

static void on_written(uv_write_t *write, int status)
{
    (void)status; /* a failure also ends the reading */
    free(write->data);
}

static struct outgoing *outgoing_new(size_t size)
{
    struct outgoing *o = malloc(sizeof *o + size);
    if (o == NULL)
        abort();
    o->write.data = o;
    return o;
}

static void send_out(struct live_bulk *b, struct outgoing *o, size_t size)
{
    uv_buf_t buffer = uv_buf_init((char *)o->bytes, (unsigned)size);
    if (uv_write(&o->write, (uv_stream_t *)&b->link->tcp, &buffer, 1, on_written) != 0)
        free(o); /* the reading side will tell */
}

static void send_small(struct live_bulk *b, int32_t xid, int32_t opcode)
{
    struct outgoing *o = outgoing_new(LIVE_BULK_SMALL_MAX);
    send_out(b, o, live_bulk_put_small(o->bytes, xid, opcode, b->config.chroot));
}

/* ---- a connection ends ---- */

static bool has_reads(const struct live_bulk *b)
{
    const struct read *r = TAILQ_FIRST(&b->reads);
    while (r != NULL && r->request == NULL)
        r = TAILQ_NEXT(r, next);
    return r != NULL;
}

static void drop_reads(struct live_bulk *b)
{
    struct read *r;
    while ((r = TAILQ_FIRST(&b->reads)) != NULL) {
        TAILQ_REMOVE(&b->reads, r, next);
        free(r);
    }
}

static void fail_reads(struct live_bulk *b)
{
    struct reads failed = TAILQ_HEAD_INITIALIZER(failed);
    struct read *r;
    TAILQ_CONCAT(&failed, &b->reads, next);
    while ((r = TAILQ_FIRST(&failed)) != NULL) {
        TAILQ_REMOVE(&failed, r, next);
        if (r->request != NULL)
            b->config.failed(b->config.context, r->owner);
        free(r);
    }
}

static void give_up_multi_read(struct live_bulk *b)
{
    say(b, true,
        "the ZooKeeper server does not know multiRead (before 3.6): bulk reads go out one by one");
    uv_timer_stop(&b->timer);
    enter(b, LIVE_BULK_UNSUPPORTED);
}

static void try_next(struct live_bulk *b);

/* The connection, or the attempt to make one, is over. */
static void lost(struct live_bulk *b)
{
    bool was_ready = b->state == LIVE_BULK_READY;
    bool refused = was_ready && !b->has_answered && has_reads(b);
    drop_link(b);
    if (b->state == LIVE_BULK_CLOSING) {
        wake_after(b, 0);
        return;
    }
    if (was_ready) {
        b->attempts = 0;
        b->trying_ms = now_ms(b);
        b->retry_ms = RETRY_FIRST_MS;
    }
    b->refusals += refused;
    if (b->refusals >= REFUSALS_MAX)
        give_up_multi_read(b);
    else
        enter(b, LIVE_BULK_TRYING);
    fail_reads(b);
    if (b->state != LIVE_BULK_TRYING)
        return;
    if (!was_ready && b->attempts % b->addresses.count != 0) {
        try_next(b);
        return;
    }
    wake_after(b, b->retry_ms); /* all have been tried */
    b->retry_ms = b->retry_ms * 2 > RETRY_MOST_MS ? RETRY_MOST_MS : b->retry_ms * 2;
}

/* ---- frames ---- */

static void on_connect_answer(struct live_bulk *b, const uint8_t *bytes, size_t size)
{
    struct live_bulk_session s;
    if (!live_bulk_get_connect(bytes, size, &s)) {
        lost(b);
        return;
    }
    if (s.session == 0 || s.timeout_ms <= 0) { /* expired: the server closes; then a new one */
        b->session = (struct live_bulk_session){.timeout_ms = b->timeout_ms};
        b->attempts = 0;
        lost(b);
        return;
    }
    b->session = s;
    b->link->is_established = true;
    b->heard_ms = b->pinged_ms = now_ms(b);
    b->retry_ms = RETRY_FIRST_MS;
    b->must_sync = true;
    b->has_said = false;
    wake_after(b, (uint64_t)s.timeout_ms / 3);
    enter(b, LIVE_BULK_READY);
}

static void on_read_answer(struct live_bulk *b, const struct live_bulk_header *h,
                           const uint8_t *bytes, size_t size)
{
    struct read *r = TAILQ_FIRST(&b->reads);
    bool is_sync = r->request == NULL;
    struct wire_zk_reply *reply =
        h->err == 0 && !is_sync ? live_bulk_get_reply(bytes, size, r->request) : NULL;
    if (h->err != 0 || (reply == NULL && !is_sync)) {
        if (h->err == WIRE_ZK_UNIMPLEMENTED && !is_sync)
            b->refusals = REFUSALS_MAX;
        lost(b);
        return;
    }
    void *owner = r->owner;
    TAILQ_REMOVE(&b->reads, r, next);
    free(r);
    if (is_sync)
        return;
    b->has_answered = true;
    b->refusals = 0;
    b->config.answered(b->config.context, owner, reply); /* may stop or free `b` */
}

static void on_frame(struct live_bulk *b, const uint8_t *bytes, size_t size)
{
    struct live_bulk_header h;
    b->heard_ms = now_ms(b);
    if (!b->link->is_established) {
        on_connect_answer(b, bytes, size);
        return;
    }
    if (!live_bulk_get_header(bytes, size, &h)) {
        lost(b);
        return;
    }
    struct read *r = TAILQ_FIRST(&b->reads);
    if (h.zxid > b->zxid)
        b->zxid = h.zxid;
    if (h.xid == LIVE_BULK_XID_PING || b->state == LIVE_BULK_CLOSING)
        return;
    if (r != NULL && h.xid == r->xid)
        on_read_answer(b, &h, bytes, size);
    else
        lost(b); /* nobody asked for that */
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct link *l = handle->data;
    (void)suggested;
    if (l->capacity - l->used < 65536) {
        l->capacity = l->capacity * 2 < l->used + 65536 ? l->used + 65536 : l->capacity * 2;
        l->bytes = realloc(l->bytes, l->capacity);
        if (l->bytes == NULL)
            abort();
    }
    *buffer = uv_buf_init((char *)l->bytes + l->used, (unsigned)(l->capacity - l->used));
}

/* Whole frames go on; what is left moves to the front. A frame may end the link: it then lives
   until libuv has closed it, but takes nothing any more. */
static void on_bytes(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct link *l = stream->data;
    size_t at = 0;
    (void)buffer;
    if (l->bulk == NULL || count == 0)
        return;
    if (count < 0) {
        lost(l->bulk);
        return;
    }
    l->used += (size_t)count;
    while (l->bulk != NULL && l->used - at >= 4) {
        uint32_t size;
        memcpy(&size, l->bytes + at, 4);
        size = be32toh(size);
        if (size > FRAME_MAX) {
            lost(l->bulk);
            return;
        }
        if (l->used - at - 4 < size)
            break;
        on_frame(l->bulk, l->bytes + at + 4, size);
        at += 4 + (size_t)size;
    }
    memmove(l->bytes, l->bytes + at, l->used - at);
    l->used -= at;
}

/* ---- attempts ---- */

static void on_connected(uv_connect_t *connect, int status)
{
    struct link *l = connect->data;
    struct live_bulk *b = l->bulk;
    if (b == NULL)
        return;
    if (status != 0 || uv_read_start((uv_stream_t *)&l->tcp, on_alloc, on_bytes) != 0) {
        lost(b);
        return;
    }
    uv_tcp_nodelay(&l->tcp, 1);
    struct outgoing *o = outgoing_new(LIVE_BULK_CONNECT_SIZE);
    live_bulk_put_connect(o->bytes, &b->session, b->zxid);
    send_out(b, o, LIVE_BULK_CONNECT_SIZE);
}

/* While somebody may wait for the connection, the timer comes when that is over as well. */
static void wait_for_attempt(struct live_bulk *b)
{
    uint64_t now = now_ms(b), near = b->trying_ms + NEAR_MS, due = b->attempt_ms;
    if (near > now && near < due)
        due = near;
    wake_after(b, due > now ? due - now : 1);
}

static void try_next(struct live_bulk *b)
{
    struct link *l = calloc(1, sizeof *l);
    if (l == NULL)
        abort();
    const struct sockaddr *to =
        (const struct sockaddr *)(const void *)&b->addresses.list[b->address];
    b->address = (b->address + 1) % b->addresses.count;
    b->attempts++;
    l->bulk = b;
    l->tcp.data = l->connect.data = l;
    b->link = l;
    int rc = uv_tcp_init(b->loop, &l->tcp);
    assert(rc == 0);
    b->attempt_ms =
        now_ms(b) + ((uint64_t)b->timeout_ms / 3 < 100 ? 100 : (uint64_t)b->timeout_ms / 3);
    wait_for_attempt(b);
    if (uv_tcp_connect(&l->connect, &l->tcp, to, on_connected) != 0) {
        drop_link(b); /* no socket, no route: the timer tries again */
    }
}

/* ---- time ---- */

static void finish_free(struct live_bulk *b);

static void on_timer_ready(struct live_bulk *b)
{
    uint64_t third = (uint64_t)b->session.timeout_ms / 3, now = now_ms(b);
    if (now - b->heard_ms >= 2 * third) {
        lost(b);
        return;
    }
    if (now - b->pinged_ms >= third) {
        b->pinged_ms = now;
        send_small(b, LIVE_BULK_XID_PING, LIVE_BULK_OP_PING);
    }
    uint64_t ping = b->pinged_ms + third, silence = b->heard_ms + 2 * third;
    uint64_t due = ping < silence ? ping : silence;
    wake_after(b, due > now ? due - now : 1);
}

static void on_timer(uv_timer_t *timer)
{
    struct live_bulk *b = timer->data;
    switch (b->state) {
    case LIVE_BULK_READY:
        on_timer_ready(b);
        return;
    case LIVE_BULK_TRYING:
        if (b->link == NULL)
            try_next(b);
        else if (now_ms(b) >= b->attempt_ms)
            lost(b);
        else
            wait_for_attempt(b);
        if (!b->has_said && !live_bulk_is_near(b)) {
            b->has_said = true;
            say(b, true, "no connection for bulk reads yet: they go out one by one");
        }
        b->config.changed(b->config.context); /* it may not be near any more */
        return;
    case LIVE_BULK_CLOSING:
        finish_free(b);
        return;
    case LIVE_BULK_DOWN:
    case LIVE_BULK_UNSUPPORTED:
        return;
    }
}

/* ---- in use ---- */

struct live_bulk *live_bulk_new(uv_loop_t *loop, const struct live_bulk_config *config)
{
    struct live_bulk *b = calloc(1, sizeof *b);
    if (b == NULL)
        abort();
    b->config = *config;
    b->loop = loop;
    TAILQ_INIT(&b->reads);
    int rc = uv_timer_init(loop, &b->timer);
    assert(rc == 0);
    b->timer.data = b;
    b->open_handles = 1;
    return b;
}

void live_bulk_start(struct live_bulk *b, const struct live_zk_addresses *addresses,
                     const struct sockaddr_storage *first, int32_t timeout_ms)
{
    if (b->state != LIVE_BULK_DOWN || addresses->count == 0)
        return;
    b->addresses = *addresses;
    b->address = 0;
    for (uint32_t i = 0; first != NULL && i < addresses->count; i++)
        if (memcmp(&addresses->list[i], first, sizeof *first) == 0)
            b->address = i;
    b->attempts = 0;
    b->timeout_ms = b->session.timeout_ms = timeout_ms;
    b->retry_ms = RETRY_FIRST_MS;
    b->trying_ms = now_ms(b);
    b->state = LIVE_BULK_TRYING; /* no news: the caller asked for it */
    try_next(b);
}

void live_bulk_stop(struct live_bulk *b)
{
    drop_link(b);
    drop_reads(b);
    uv_timer_stop(&b->timer);
    if (b->state != LIVE_BULK_UNSUPPORTED)
        b->state = LIVE_BULK_DOWN;
}

void live_bulk_heard(struct live_bulk *b, int64_t zxid)
{
    b->must_sync = true;
    if (zxid > b->zxid)
        b->zxid = zxid;
}

enum live_bulk_state live_bulk_state(const struct live_bulk *b)
{
    return b->state;
}

bool live_bulk_is_near(const struct live_bulk *b)
{
    return b->state == LIVE_BULK_TRYING && now_ms(b) - b->trying_ms < NEAR_MS &&
           b->attempts <= b->addresses.count;
}

/* xids go up from 1 and start again before they would meet those of pings. */
static int32_t next_xid(struct live_bulk *b)
{
    b->xid = b->xid == INT32_MAX ? 1 : b->xid + 1;
    return b->xid;
}

/* Puts an answer on the list of those that are due; returns its xid. */
static int32_t expect(struct live_bulk *b, const struct wire_zk_request *request, void *owner)
{
    struct read *r = malloc(sizeof *r);
    if (r == NULL)
        abort();
    *r = (struct read){.request = request, .owner = owner, .xid = next_xid(b)};
    TAILQ_INSERT_TAIL(&b->reads, r, next);
    return r->xid;
}

void live_bulk_send(struct live_bulk *b, const struct wire_zk_request *request, void *owner)
{
    assert(b->state == LIVE_BULK_READY);
    if (b->must_sync)
        send_small(b, expect(b, NULL, NULL), LIVE_BULK_OP_SYNC);
    b->must_sync = false;
    size_t size = live_bulk_read_size(request, strlen(b->config.chroot));
    struct outgoing *o = outgoing_new(size);
    live_bulk_put_read(o->bytes, size, expect(b, request, owner), request, b->config.chroot);
    send_out(b, o, size);
}

/* ---- the end ---- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct live_bulk *b = handle->data;
    void (*freed)(void *) = b->freed;
    void *context = b->freed_context;
    free(b);
    freed(context);
}

static void finish_free(struct live_bulk *b)
{
    drop_link(b);
    uv_timer_stop(&b->timer);
    uv_close((uv_handle_t *)&b->timer, on_timer_closed);
}

/* The server answers a close by closing, which ends the link. */
void live_bulk_free(struct live_bulk *b, void (*freed)(void *context), void *context)
{
    bool says_so = b->state == LIVE_BULK_READY;
    assert(b->state != LIVE_BULK_CLOSING);
    b->freed = freed;
    b->freed_context = context;
    drop_reads(b);
    b->state = LIVE_BULK_CLOSING;
    if (says_so)
        send_small(b, next_xid(b), LIVE_BULK_OP_CLOSE);
    else
        drop_link(b);
    wake_after(b, says_so ? CLOSE_MS : 0);
}
