/*
 * What runs on the threads of the C client: copy, put into the queue, wake the loop.
 *
 * The client has one context for all its callbacks, the handle; it dedups watchers by function and
 * context, so that a path which was read with a watch many times is told of once.
 */
#define _GNU_SOURCE
#include "live/zookeeper_handle.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- the queue ---- */

void live_zk_queue_put(struct live_zk_queue *q, struct live_zk_item *item)
{
    uv_mutex_lock(&q->lock);
    bool was_empty = STAILQ_EMPTY(&q->items);
    STAILQ_INSERT_TAIL(&q->items, item, next);
    if (was_empty) /* else somebody has woken the loop already, and it has not been here since */
        uv_async_send(q->wake);
    uv_mutex_unlock(&q->lock);
}

void live_zk_queue_take(struct live_zk_queue *q, struct live_zk_items *to)
{
    uv_mutex_lock(&q->lock);
    STAILQ_CONCAT(to, &q->items);
    uv_mutex_unlock(&q->lock);
}

/* ---- on the client's threads ---- */

static void *item_new(size_t size, enum live_zk_item_kind kind, struct live_zk_handle *h)
{
    struct live_zk_item *item = malloc(size);
    if (item == NULL)
        abort();
    item->kind = kind;
    item->handle = h;
    return item;
}

void live_zk_call_finished(struct live_zk_call *call)
{
    live_zk_queue_put(call->item.handle->queue, &call->item);
}

static void put_state(struct live_zk_handle *h, zhandle_t *zh, int state)
{
    struct live_zk_state *s = item_new(sizeof *s, LIVE_ZK_ITEM_STATE, h);
    s->link = state == ZOO_CONNECTED_STATE         ? LIVE_ZK_UP
              : state == ZOO_READONLY_STATE        ? LIVE_ZK_READ_ONLY
              : state == ZOO_EXPIRED_SESSION_STATE ? LIVE_ZK_EXPIRED
              : state == ZOO_AUTH_FAILED_STATE     ? LIVE_ZK_AUTH_FAILED
                                                   : LIVE_ZK_TRYING;
    s->timeout_ms = 0;
    memset(&s->client, 0, sizeof s->client);
    if (s->link == LIVE_ZK_UP || s->link == LIVE_ZK_READ_ONLY) {
        s->timeout_ms = zoo_recv_timeout(zh);
        s->client = *zoo_client_id(zh);
    }
    live_zk_queue_put(h->queue, &s->item);
}

static void on_event(zhandle_t *zh, int type, int state, const char *path, void *context)
{
    struct live_zk_handle *h = context;
    if (type == ZOO_SESSION_EVENT) {
        put_state(h, zh, state);
    } else if (type >= WIRE_ZK_EVENT_CREATED && type <= WIRE_ZK_EVENT_CHILD) {
        size_t size = strlen(path) + 1;
        struct live_zk_event *e = item_new(sizeof *e + size, LIVE_ZK_ITEM_EVENT, h);
        e->type = (uint32_t)type; /* both take the numbers of the protocol */
        memcpy(e->path, path, size);
        live_zk_queue_put(h->queue, &e->item);
    }
}

/* ---- handles ---- */

static void on_log(const char *message);

struct live_zk_handle *live_zk_handle_new(uv_loop_t *loop, struct live_zk_queue *queue,
                                          const char *hosts, int timeout_ms)
{
    struct live_zk_handle *h = calloc(1, sizeof *h);
    if (h == NULL)
        abort();
    h->loop = loop;
    h->queue = queue;
    h->link = LIVE_ZK_TRYING;
    TAILQ_INIT(&h->issued);
    h->zh = zookeeper_init2(hosts, on_event, timeout_ms, NULL, h, ZOO_NO_LOG_CLIENTENV, on_log);
    if (h->zh == NULL) {
        free(h);
        return NULL;
    }
    /* Names are resolved elsewhere; the client would look its list up anew for every reply. */
    zoo_set_servers_resolution_delay(h->zh, -1);
    int rc = uv_timer_init(loop, &h->linger);
    assert(rc == 0);
    h->linger.data = h->work.data = h;
    return h;
}

bool live_zk_handle_issue(struct live_zk_handle *h, struct live_zk_call *call)
{
    call->item.handle = h;
    TAILQ_INSERT_TAIL(&h->issued, call, issued);
    h->issued_count += live_zk_call_weight(call);
    if (zoo_state(h->zh) == ZOO_CONNECTED_STATE && live_zk_call_issue(call, h->zh, on_event))
        return true;
    live_zk_handle_took(h, call);
    return false;
}

static void end(struct live_zk_handle *h);

void live_zk_handle_took(struct live_zk_handle *h, struct live_zk_call *call)
{
    assert(h->issued_count >= live_zk_call_weight(call));
    TAILQ_REMOVE(&h->issued, call, issued);
    h->issued_count -= live_zk_call_weight(call);
    call->item.handle = NULL;
    if (h->is_closing && h->issued_count == 0)
        end(h);
}

/* ---- the end of a handle ---- */

enum { LINGER_MS = 5000 };

static void close_it(uv_work_t *work)
{
    struct live_zk_handle *h = work->data;
    zookeeper_close(h->zh);
}

static void after_close(uv_work_t *work, int status)
{
    struct live_zk_handle *h = work->data;
    struct live_zk_call *call;
    assert(status == 0);
    h->closed(h, h->context);
    while ((call = TAILQ_FIRST(&h->issued)) != NULL) {
        live_zk_handle_took(h, call);
        live_zk_call_free(call);
    }
    free(h);
}

static void on_linger_closed(uv_handle_t *timer)
{
    struct live_zk_handle *h = timer->data;
    int rc = uv_queue_work(h->loop, &h->work, close_it, after_close);
    assert(rc == 0);
}

static void end(struct live_zk_handle *h)
{
    if (h->has_ended)
        return;
    h->has_ended = true;
    uv_close((uv_handle_t *)&h->linger, on_linger_closed);
}

static void on_linger(uv_timer_t *timer)
{
    end(timer->data);
}

void live_zk_handle_close(struct live_zk_handle *h,
                          void (*closed)(struct live_zk_handle *h, void *context), void *context)
{
    assert(!h->is_closing);
    h->is_closing = true;
    h->closed = closed;
    h->context = context;
    if (h->link == LIVE_ZK_UP && h->issued_count > 0)
        uv_timer_start(&h->linger, on_linger, LINGER_MS, 0);
    else
        end(h);
}

/* ---- log of the C client ---- */

/* A server that is away makes the client say the same twice for every attempt. A line from a place
   that spoke within REPEAT_NS is left out, and counted. */
enum { PLACES = 16, QUEUES = 32 };
#define REPEAT_NS 10000000000ull

struct place {
    uint32_t hash;
    uint32_t left_out;
    uint64_t said_ns;
};

static struct {
    uv_once_t once;
    uv_mutex_t lock;
    struct live_zk_queue *queues[QUEUES]; /* of the adapters there are, oldest first */
    struct place places[PLACES];
    uint32_t next_place;
} client_log = {.once = UV_ONCE_INIT};

static void make_lock(void)
{
    if (uv_mutex_init(&client_log.lock) != 0)
        abort();
}

void live_zk_log_attach(struct live_zk_queue *queue, ZooLogLevel level)
{
    uint32_t i = 0;
    uv_once(&client_log.once, make_lock);
    uv_mutex_lock(&client_log.lock);
    while (i < QUEUES && client_log.queues[i] != NULL)
        i++;
    if (i < QUEUES)
        client_log.queues[i] = queue;
    if (i == 0)
        zoo_set_debug_level(level);
    uv_mutex_unlock(&client_log.lock);
}

void live_zk_log_detach(struct live_zk_queue *queue)
{
    uint32_t kept = 0;
    uv_mutex_lock(&client_log.lock);
    for (uint32_t i = 0; i < QUEUES; i++)
        if (client_log.queues[i] != queue)
            client_log.queues[kept++] = client_log.queues[i];
    while (kept < QUEUES)
        client_log.queues[kept++] = NULL;
    uv_mutex_unlock(&client_log.lock);
}

/* Returns whether the place may speak now, and how often it was told to be silent since. */
static bool may_speak(const char *place, size_t size, uint32_t *left_out)
{
    uint32_t hash = 2166136261u;
    uint64_t now = uv_hrtime();
    struct place *p = NULL;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (uint8_t)place[i]) * 16777619u;
    for (uint32_t i = 0; i < PLACES && p == NULL; i++)
        if (client_log.places[i].hash == hash && client_log.places[i].said_ns != 0)
            p = &client_log.places[i];
    if (p != NULL && now - p->said_ns < REPEAT_NS) {
        p->left_out++;
        return false;
    }
    if (p == NULL) {
        p = &client_log.places[client_log.next_place++ % PLACES];
        p->left_out = 0;
    }
    *left_out = p->left_out;
    *p = (struct place){.hash = hash, .said_ns = now};
    return true;
}

/* "time:pid(thread):ZOO_WARN@function@line: what it says" */
static void on_log(const char *message)
{
    static const char *const names[] = {"ZOO_ERROR@", "ZOO_WARN@", "ZOO_INFO@", "ZOO_DEBUG@"};
    const char *place = message, *text = message;
    int level = ZOO_LOG_LEVEL_INFO;
    for (int i = 0; i < 4; i++) {
        const char *at = strstr(message, names[i]);
        if (at == NULL)
            continue;
        level = i + 1;
        place = at;
        text = strstr(at, ": ");
        text = text == NULL ? at : text + 2;
        break;
    }
    size_t size = strcspn(text, "\n");
    uint32_t left_out = 0;
    uv_mutex_lock(&client_log.lock);
    if (client_log.queues[0] != NULL && may_speak(place, (size_t)(text - place), &left_out)) {
        struct live_zk_line *line = item_new(sizeof *line + size + 64, LIVE_ZK_ITEM_LOG, NULL);
        line->level = level;
        if (left_out == 0)
            snprintf(line->text, size + 64, "%.*s", (int)size, text);
        else
            snprintf(line->text, size + 64, "%.*s (left out %u times)", (int)size, text, left_out);
        live_zk_queue_put(client_log.queues[0], &line->item);
    }
    uv_mutex_unlock(&client_log.lock);
}
