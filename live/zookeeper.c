/*
 * The adapter on the loop: what the node wishes, what the C client says, and the order of answers.
 *
 *   wish        IDLE ──connect──► ASKED ──link up──► TOLD ──link down, hang_up──► IDLE
 *   link        of the handle: TRYING ◄──► UP, then EXPIRED; goes its own way
 *
 *   order       oldest ──► newest unanswered request: [main][main][bulk][bulk] … unsent
 *
 * The client may lose its connection and have it again before the node asks: then the node is told
 * of the loss when it happens and of the connection when it asks. Events that come between the two
 * are held until then (a watch fires once; the client will not say it again).
 *
 * Requests over the session and bulk reads never overlap: one kind waits until all of the other
 * kind before it have been answered. So a read shows every write asked for before it and none asked
 * for after it, as on one connection, and answers need no sorting.
 *
 * A call is freed by the loop only. What the client holds when the connection is given up stays in
 * the list of its handle until its completion comes, or the handle is closed.
 */
#define _GNU_SOURCE
#include "live/zookeeper.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live/bulk_read.h"
#include "live/zookeeper_handle.h"
#include "live/zookeeper_servers.h"

enum { IN_FLIGHT = 4096, IN_FLIGHT_MAX = 16384, REQUEST_BYTES_MAX = 1048575, REPEAT_MS = 10000 };

enum wish { IDLE, ASKED, TOLD };

struct live_zookeeper {
    struct live_zookeeper_config config;
    uv_loop_t *loop;
    uv_async_t wake;
    struct live_zk_queue queue;
    struct live_zk_servers servers;
    struct live_zk_resolver resolver;
    struct live_zk_addresses addresses; /* those that the handle has */
    struct live_zk_handle *handle;      /* NULL: no session */
    struct live_bulk *bulk;             /* NULL: not wanted */
    enum wish wish;
    int64_t asked_session, asked_timeout_us;
    uint64_t asked_password;
    bool has_no_server; /* names could not be resolved, or the client did not start */
    uint64_t said_ms[LIVE_ZK_SERVERS_MAX]; /* when a name was last said to be unknown; 0: not yet */
    struct live_zk_calls order;
    uint32_t order_count;
    struct live_zk_call *unsent; /* first that has not gone out; NULL: all have */
    uint32_t main_out, bulk_out; /* sent and not answered */
    struct live_zk_items held;   /* events */
    uint32_t pongs;              /* due */
    uint64_t last_password;
    int64_t zxid;
    bool is_closing, is_closed, is_freeing;
    uint32_t ends_due; /* while closing: of a resolver, a bulk connection, handles */
    void (*freed)(void *context);
    void *freed_context;
    struct live_zookeeper_counters counters;
};

/* ---- to the node ---- */

static void tell(struct live_zookeeper *z, struct live_zk_input input)
{
    if (!z->is_freeing)
        z->config.take(z->config.context, &input);
}

__attribute__((format(printf, 3, 4))) static void
say(struct live_zookeeper *z, enum live_zk_level level, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    if (z->config.log == NULL || z->is_freeing)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    z->config.log(z->config.context, level, text);
}

/* ---- the order of requests ---- */

static void remove_call(struct live_zookeeper *z, struct live_zk_call *call)
{
    if (z->unsent == call)
        z->unsent = TAILQ_NEXT(call, order);
    TAILQ_REMOVE(&z->order, call, order);
    z->order_count--;
    call->is_ordered = false;
}

/* Nothing under way will be answered any more. */
static void abandon_all(struct live_zookeeper *z)
{
    struct live_zk_call *call;
    if (z->bulk != NULL)
        live_bulk_stop(z->bulk);
    while ((call = TAILQ_FIRST(&z->order)) != NULL) {
        remove_call(z, call);
        if (call->item.handle == NULL) /* else its completion frees it */
            live_zk_call_free(call);
    }
    z->main_out = z->bulk_out = 0;
    z->pongs = 0;
}

static bool wants_bulk(const struct live_zookeeper *z, const struct live_zk_call *call)
{
    return call->is_bulk && !call->not_bulk && z->bulk != NULL &&
           (live_bulk_state(z->bulk) == LIVE_BULK_READY || live_bulk_is_near(z->bulk));
}

/* Sends a call if its turn has come. One that the client does not take is left as it is: the news
   that there is no connection is under way. */
static bool send_call(struct live_zookeeper *z, struct live_zk_call *call)
{
    if (wants_bulk(z, call)) {
        if (z->main_out > 0 || live_bulk_state(z->bulk) != LIVE_BULK_READY)
            return false;
        call->way = LIVE_ZK_WAY_BULK;
        z->bulk_out++;
        z->counters.bulk_reads++;
        live_bulk_send(z->bulk, call->request, call);
        return true;
    }
    uint32_t held = z->handle->issued_count;
    if (z->bulk_out > 0 || (held > 0 && held + live_zk_call_weight(call) > z->config.in_flight))
        return false;
    call->way = LIVE_ZK_WAY_MAIN;
    z->main_out++;
    z->counters.bulk_fallbacks += call->is_bulk;
    live_zk_handle_issue(z->handle, call);
    return true;
}

static void pump(struct live_zookeeper *z)
{
    struct live_zk_call *call;
    while (z->wish == TOLD && (call = z->unsent) != NULL) {
        if (call->way == LIVE_ZK_WAY_NONE && !send_call(z, call))
            return;
        z->unsent = TAILQ_NEXT(call, order);
    }
}

static void see_zxid(struct live_zookeeper *z, int64_t zxid)
{
    if (zxid > z->zxid)
        z->zxid = zxid;
}

/* Hands out what is answered, up to the first that is not. */
static void deliver(struct live_zookeeper *z)
{
    struct live_zk_call *call;
    while (z->wish == TOLD && (call = TAILQ_FIRST(&z->order)) != NULL && call->is_answered) {
        remove_call(z, call);
        see_zxid(z, call->zxid);
        call->reply->zxid = z->zxid;
        if (z->bulk != NULL && call->way == LIVE_ZK_WAY_MAIN)
            live_bulk_heard(z->bulk, z->zxid);
        z->counters.replies++;
        tell(z,
             (struct live_zk_input){.kind = LIVE_ZK_REPLY,
                                    .latency_us = (int64_t)(call->ended_ns - call->begun_ns) / 1000,
                                    .reply = call->reply});
        live_zk_call_free(call);
    }
}

/* ---- bulk reads ---- */

static void on_bulk_answered(void *context, void *owner, struct wire_zk_reply *reply)
{
    struct live_zookeeper *z = context;
    struct live_zk_call *call = owner;
    live_zk_call_answer(call, reply);
    call->ended_ns = uv_hrtime();
    call->zxid = reply->zxid;
    call->is_answered = true;
    z->bulk_out--;
    deliver(z);
    pump(z);
}

/* They come oldest first, and all of them before the next request over the session may go out. */
static void on_bulk_failed(void *context, void *owner)
{
    struct live_zookeeper *z = context;
    struct live_zk_call *call = owner;
    call->way = LIVE_ZK_WAY_NONE;
    call->not_bulk = true;
    z->bulk_out--;
    z->unsent = TAILQ_FIRST(&z->order);
    while (z->unsent->way != LIVE_ZK_WAY_NONE)
        z->unsent = TAILQ_NEXT(z->unsent, order);
    pump(z);
}

static void on_bulk_changed(void *context)
{
    pump(context);
}

static void on_bulk_says(void *context, bool is_warning, const char *text)
{
    say(context, is_warning ? LIVE_ZK_WARN : LIVE_ZK_INFO, "%s", text);
}

/* Where the main session has its server. */
static const struct sockaddr_storage *connected_to(struct live_zookeeper *z,
                                                   struct sockaddr_storage *to)
{
    socklen_t size = sizeof *to;
    memset(to, 0, sizeof *to);
    return zookeeper_get_connected_host(z->handle->zh, (struct sockaddr *)(void *)to, &size) == NULL
               ? NULL
               : to;
}

static void start_bulk(struct live_zookeeper *z)
{
    struct sockaddr_storage at;
    if (z->bulk != NULL)
        live_bulk_start(z->bulk, &z->addresses, connected_to(z, &at),
                        (int32_t)(z->handle->timeout_us / 1000));
}

/* ---- the session ---- */

static void tell_held(struct live_zookeeper *z)
{
    while (z->wish == TOLD && !STAILQ_EMPTY(&z->held)) {
        struct live_zk_event *e = (struct live_zk_event *)(void *)STAILQ_FIRST(&z->held);
        STAILQ_REMOVE_HEAD(&z->held, next);
        z->counters.events++;
        tell(z,
             (struct live_zk_input){.kind = LIVE_ZK_EVENT, .event_type = e->type, .path = e->path});
        free(e);
    }
}

static void drop_held(struct live_zookeeper *z)
{
    struct live_zk_item *item;
    while ((item = STAILQ_FIRST(&z->held)) != NULL) {
        STAILQ_REMOVE_HEAD(&z->held, next);
        free(item);
    }
}

static void tell_connected(struct live_zookeeper *z)
{
    struct live_zk_handle *h = z->handle;
    z->wish = TOLD;
    if (!h->is_told)
        h->password = ++z->last_password;
    h->is_told = true;
    start_bulk(z);
    tell(z, (struct live_zk_input){.kind = LIVE_ZK_CONNECTED,
                                   .session = h->session,
                                   .password = h->password,
                                   .timeout_us = h->timeout_us});
    tell_held(z);
}

static void tell_lost(struct live_zookeeper *z)
{
    if (z->wish != TOLD)
        return;
    z->wish = IDLE;
    abandon_all(z);
    tell(z, (struct live_zk_input){.kind = LIVE_ZK_DISCONNECTED});
}

static void on_handle_closed(struct live_zk_handle *h, void *context);

static void give_up_handle(struct live_zookeeper *z)
{
    struct live_zk_handle *h = z->handle;
    z->handle = NULL;
    drop_held(z);
    if (h == NULL)
        return;
    z->ends_due++;
    live_zk_handle_close(h, on_handle_closed, z);
}

static void tell_expired(struct live_zookeeper *z)
{
    z->wish = IDLE;
    give_up_handle(z);
    tell(z, (struct live_zk_input){.kind = LIVE_ZK_CONNECTED});
}

/* Whether the session that the node asks for is not there (any more). */
static bool is_gone(const struct live_zookeeper *z)
{
    const struct live_zk_handle *h = z->handle;
    if (h != NULL && (h->link == LIVE_ZK_EXPIRED || h->link == LIVE_ZK_AUTH_FAILED))
        return true;
    return z->asked_session != 0 && (h == NULL || !h->is_told || h->session != z->asked_session ||
                                     h->password != z->asked_password);
}

/* Answers a connect as soon as there is an answer. */
static void settle(struct live_zookeeper *z)
{
    if (z->wish != ASKED || z->is_closing)
        return;
    if (is_gone(z)) {
        tell_expired(z);
    } else if (z->handle != NULL && z->handle->link == LIVE_ZK_UP) {
        tell_connected(z);
    } else if (z->has_no_server) {
        z->has_no_server = false;
        z->wish = IDLE;
        tell(z, (struct live_zk_input){.kind = LIVE_ZK_DISCONNECTED});
    }
}

static void on_state(struct live_zookeeper *z, const struct live_zk_state *s)
{
    struct live_zk_handle *h = s->item.handle;
    if (h != z->handle || z->is_closing)
        return;
    tell_lost(z); /* whatever it is now, it is not what it was */
    if (h != z->handle)
        return;
    z->counters.disconnects += h->link == LIVE_ZK_UP && s->link != LIVE_ZK_UP;
    h->link = s->link;
    switch (s->link) {
    case LIVE_ZK_UP:
        z->counters.sync_connects++;
        h->session = s->client.client_id;
        h->timeout_us = (int64_t)s->timeout_ms * 1000;
        break;
    case LIVE_ZK_READ_ONLY: /* not asked for */
        z->counters.read_only_connects++;
        break;
    case LIVE_ZK_EXPIRED:
        z->counters.expires++;
        say(z, LIVE_ZK_WARN, "session 0x%llx has expired", (unsigned long long)h->session);
        break;
    case LIVE_ZK_AUTH_FAILED:
        z->counters.auth_failures++;
        say(z, LIVE_ZK_ERROR, "ZooKeeper refuses the authentication");
        break;
    case LIVE_ZK_TRYING:
        break;
    }
    settle(z);
}

/* ---- out of the queue ---- */

static void on_call(struct live_zookeeper *z, struct live_zk_call *call)
{
    live_zk_handle_took(call->item.handle, call);
    if (!call->is_ordered) {
        live_zk_call_free(call);
        pump(z); /* the client has room again */
        return;
    }
    z->main_out--;
    if (!call->has_reply) { /* and no news of a lost connection before it: that is the news */
        tell_lost(z);
        return;
    }
    call->is_answered = true;
    deliver(z);
    pump(z);
}

static void on_event(struct live_zookeeper *z, struct live_zk_event *e)
{
    if (e->item.handle != z->handle || z->is_closing) {
        free(e);
        return;
    }
    STAILQ_INSERT_TAIL(&z->held, &e->item, next);
    if (z->bulk != NULL)
        live_bulk_heard(z->bulk, z->zxid);
    tell_held(z);
}

/* The client says ERROR of every attempt that fails, which is no error of ours. */
static void on_line(struct live_zookeeper *z, const struct live_zk_line *line)
{
    enum live_zk_level level = line->level <= ZOO_LOG_LEVEL_WARN   ? LIVE_ZK_WARN
                               : line->level == ZOO_LOG_LEVEL_INFO ? LIVE_ZK_INFO
                                                                   : LIVE_ZK_DEBUG;
    say(z, level, "%s", line->text);
}

static void drain(struct live_zookeeper *z)
{
    struct live_zk_items items = STAILQ_HEAD_INITIALIZER(items);
    struct live_zk_item *item;
    live_zk_queue_take(&z->queue, &items);
    while ((item = STAILQ_FIRST(&items)) != NULL) {
        STAILQ_REMOVE_HEAD(&items, next);
        switch (item->kind) {
        case LIVE_ZK_ITEM_CALL:
            on_call(z, (struct live_zk_call *)(void *)item);
            break;
        case LIVE_ZK_ITEM_EVENT:
            on_event(z, (struct live_zk_event *)(void *)item);
            break;
        case LIVE_ZK_ITEM_STATE:
            on_state(z, (struct live_zk_state *)(void *)item);
            free(item);
            break;
        case LIVE_ZK_ITEM_LOG:
            on_line(z, (struct live_zk_line *)(void *)item);
            free(item);
            break;
        }
    }
}

static void tell_pongs(struct live_zookeeper *z)
{
    for (; z->pongs > 0 && z->wish == TOLD; z->pongs--)
        tell(z, (struct live_zk_input){.kind = LIVE_ZK_PONG});
}

static void finish(struct live_zookeeper *z);

static void on_wake(uv_async_t *wake)
{
    struct live_zookeeper *z = wake->data;
    drain(z);
    settle(z);
    deliver(z); /* what was refused here */
    tell_pongs(z);
    finish(z);
}

/* ---- connecting ---- */

static void start_handle(struct live_zookeeper *z)
{
    char hosts[LIVE_ZK_ADDRESSES_TEXT + LIVE_ZK_HOST_MAX];
    int64_t timeout_ms = z->asked_timeout_us / 1000;
    live_zk_addresses_print(&z->addresses, hosts, sizeof hosts);
    strcat(hosts, z->servers.chroot);
    if (timeout_ms < 1 || timeout_ms > INT32_MAX)
        timeout_ms = timeout_ms < 1 ? 1 : INT32_MAX;
    z->handle = live_zk_handle_new(z->loop, &z->queue, hosts, (int)timeout_ms);
    if (z->handle == NULL) {
        say(z, LIVE_ZK_ERROR, "the ZooKeeper client does not start: %s", strerror(errno));
        z->has_no_server = true;
    }
}

static void on_unresolved(void *context, const char *host, const char *reason)
{
    struct live_zookeeper *z = context;
    uint64_t *said = &z->said_ms[z->resolver.at], now = uv_now(z->loop);
    if (*said != 0 && now - *said < REPEAT_MS)
        return;
    *said = now;
    say(z, z->servers.count > 1 ? LIVE_ZK_WARN : LIVE_ZK_ERROR,
        "cannot resolve the ZooKeeper server '%s': %s", host, reason);
}

static void on_resolved(void *context)
{
    struct live_zookeeper *z = context;
    const struct live_zk_addresses *found = &z->resolver.found;
    bool differs = !live_zk_addresses_equal(found, &z->addresses);
    if (found->count == 0) {
        z->has_no_server = z->handle == NULL;
    } else {
        z->addresses = *found;
        if (z->handle == NULL && z->wish == ASKED)
            start_handle(z);
        else if (z->handle != NULL && differs) {
            char hosts[LIVE_ZK_ADDRESSES_TEXT];
            live_zk_addresses_print(found, hosts, sizeof hosts);
            zoo_set_servers(z->handle->zh, hosts);
        }
    }
    uv_async_send(&z->wake);
}

static void on_resolver_idle(void *context)
{
    struct live_zookeeper *z = context;
    z->ends_due--;
    finish(z);
}

void live_zookeeper_connect(struct live_zookeeper *z, int64_t session, uint64_t password,
                            int64_t timeout_us)
{
    if (z->is_closing)
        return;
    live_zookeeper_hang_up(z);
    if (session == 0 && z->handle != NULL && z->handle->is_told)
        give_up_handle(z); /* it wants another one */
    z->wish = ASKED;
    z->asked_session = session;
    z->asked_password = password;
    z->asked_timeout_us = timeout_us;
    z->has_no_server = false;
    bool is_up = z->handle != NULL && z->handle->link == LIVE_ZK_UP;
    if (!is_gone(z) && !is_up && !z->resolver.busy)
        live_zk_resolve(&z->resolver); /* names may have moved */
    uv_async_send(&z->wake);
}

void live_zookeeper_hang_up(struct live_zookeeper *z)
{
    if (z->wish == ASKED && z->handle != NULL && z->handle->link == LIVE_ZK_TRYING)
        say(z, LIVE_ZK_WARN, "no ZooKeeper server of '%s' has answered yet; trying on",
            z->config.servers);
    z->wish = IDLE;
    abandon_all(z);
}

/* ---- requests ---- */

void live_zookeeper_send(struct live_zookeeper *z, const struct wire_zk_request *request)
{
    if (z->wish != TOLD)
        return;
    struct live_zk_call *call = live_zk_call_new(request);
    enum wire_zk_err err =
        live_zk_call_check(call, strlen(z->servers.chroot), z->config.request_bytes_max);
    call->begun_ns = call->ended_ns = uv_hrtime();
    call->is_ordered = true;
    TAILQ_INSERT_TAIL(&z->order, call, order);
    z->order_count++;
    z->counters.requests++;
    if (z->unsent == NULL)
        z->unsent = call;
    if (err != WIRE_ZK_OK) {
        struct wire_zk_op_view v = {0};
        wire_zk_op_next(request, &v);
        say(z, LIVE_ZK_ERROR, "request refused before it is sent: %s (%s %s, %u operations)",
            wire_zk_err_name(err), v.op == NULL ? "" : wire_zk_opcode_name(v.op->opcode),
            v.op == NULL ? "" : v.path, request->count);
        call->way = LIVE_ZK_WAY_REFUSED;
        live_zk_call_refuse(call, err);
        call->is_answered = true;
        uv_async_send(&z->wake);
    }
    pump(z);
}

void live_zookeeper_ping(struct live_zookeeper *z)
{
    if (z->wish != TOLD)
        return;
    z->pongs++;
    uv_async_send(&z->wake);
}

/* ---- beginning and end ---- */

struct live_zookeeper *live_zookeeper_new(uv_loop_t *loop,
                                          const struct live_zookeeper_config *config, char *error,
                                          size_t error_size)
{
    struct live_zookeeper *z = calloc(1, sizeof *z);
    if (z == NULL)
        abort();
    if (!live_zk_servers_parse(&z->servers, config->servers, error, error_size)) {
        free(z);
        return NULL;
    }
    z->config = *config;
    z->config.servers = strdup(config->servers);
    z->config.in_flight = config->in_flight == 0              ? IN_FLIGHT
                          : config->in_flight > IN_FLIGHT_MAX ? IN_FLIGHT_MAX
                                                              : config->in_flight;
    if (config->request_bytes_max == 0)
        z->config.request_bytes_max = REQUEST_BYTES_MAX;
    z->loop = loop;
    TAILQ_INIT(&z->order);
    STAILQ_INIT(&z->held);
    STAILQ_INIT(&z->queue.items);
    z->queue.wake = &z->wake;
    z->wake.data = z;
    if (z->config.servers == NULL || uv_mutex_init(&z->queue.lock) != 0 ||
        uv_async_init(loop, &z->wake, on_wake) != 0)
        abort();
    z->resolver = (struct live_zk_resolver){.servers = &z->servers,
                                            .failed = on_unresolved,
                                            .done = on_resolved,
                                            .idle = on_resolver_idle,
                                            .context = z,
                                            .loop = loop};
    live_zk_log_attach(&z->queue, (ZooLogLevel)(config->log_level + 1));
    if (config->bulk != 0)
        z->bulk = live_bulk_new(loop, &(struct live_bulk_config){.chroot = z->servers.chroot,
                                                                 .answered = on_bulk_answered,
                                                                 .failed = on_bulk_failed,
                                                                 .changed = on_bulk_changed,
                                                                 .say = on_bulk_says,
                                                                 .context = z});
    return z;
}

static void on_end(void *context)
{
    struct live_zookeeper *z = context;
    z->ends_due--;
    finish(z);
}

static void on_handle_closed(struct live_zk_handle *h, void *context)
{
    struct live_zookeeper *z = context;
    (void)h;
    drain(z); /* what it has said and answered to the last */
    on_end(z);
}

static void on_wake_closed(uv_handle_t *handle)
{
    struct live_zookeeper *z = handle->data;
    void (*freed)(void *) = z->freed;
    void *context = z->freed_context;
    drain(z);
    uv_mutex_destroy(&z->queue.lock);
    free((char *)(uintptr_t)z->config.servers);
    free(z);
    if (freed != NULL)
        freed(context);
}

/* Everything that had to end has ended: says so, or goes. */
static void finish(struct live_zookeeper *z)
{
    if (!z->is_closing || z->ends_due > 0)
        return;
    if (!z->is_closed) {
        z->is_closed = true;
        tell(z, (struct live_zk_input){.kind = LIVE_ZK_CLOSED});
    }
    if (z->is_freeing && !uv_is_closing((uv_handle_t *)&z->wake)) {
        live_zk_log_detach(&z->queue);
        uv_close((uv_handle_t *)&z->wake, on_wake_closed);
    }
}

void live_zookeeper_close(struct live_zookeeper *z)
{
    if (z->is_closing)
        return;
    z->is_closing = true;
    z->wish = IDLE;
    abandon_all(z);
    give_up_handle(z);
    if (z->bulk != NULL) {
        z->ends_due++;
        live_bulk_free(z->bulk, on_end, z);
        z->bulk = NULL;
    }
    z->ends_due += live_zk_resolve_call_off(&z->resolver);
    uv_async_send(&z->wake);
}

void live_zookeeper_free(struct live_zookeeper *z, void (*done)(void *context), void *context)
{
    live_zookeeper_close(z);
    z->is_freeing = true;
    z->freed = done;
    z->freed_context = context;
    uv_async_send(&z->wake);
}

/* ---- looking at it ---- */

uint32_t live_zookeeper_outstanding(const struct live_zookeeper *z)
{
    return z->order_count;
}

int64_t live_zookeeper_zxid(const struct live_zookeeper *z)
{
    return z->zxid;
}

const char *live_zookeeper_state_name(const struct live_zookeeper *z)
{
    if (z->is_closing)
        return "CLOSED";
    if (z->handle == NULL)
        return "NOT_CONNECTED";
    switch (z->handle->link) {
    case LIVE_ZK_UP:
        return "CONNECTED";
    case LIVE_ZK_TRYING:
        return "CONNECTING";
    case LIVE_ZK_READ_ONLY:
        return "CONNECTEDREADONLY";
    case LIVE_ZK_EXPIRED:
        return "CLOSED";
    case LIVE_ZK_AUTH_FAILED:
        return "AUTH_FAILED";
    }
    return "NOT_CONNECTED";
}

struct live_zookeeper_counters live_zookeeper_counters(const struct live_zookeeper *z)
{
    return z->counters;
}
