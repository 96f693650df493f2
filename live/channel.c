/*
 * A channel belongs to a broker id, a link to one connection of it:
 *
 *     channel ──► link   resolving, connecting, open
 *        request         link that is closed: nobody's, freed when libuv is done with it
 *
 * A link that breaks is cut off from its channel at once, so that what libuv still tells of it
 * meets a link without a channel and ends there.
 */
#define _GNU_SOURCE
#include "live/channel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "sim/allocate.h"
#include "sim/keys.h"

enum { READ_BYTES = 65536, ANSWER_MAX = 256 << 20 };

struct channel;

struct link {
    struct channel *channel; /* NULL: cut off */
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_getaddrinfo_t resolve;
    uv_write_t write;
    struct live_body *writing;
    size_t writing_size;
    uint8_t head[LIVE_HEAD_MAX];
    struct addrinfo *addresses, *next_address; /* of a name */
    uint8_t *answer;
    size_t answer_size, answer_capacity;
    bool is_open;      /* connected */
    bool has_tcp;      /* the handle is initialised and not closing */
    bool is_resolving; /* libuv holds `resolve` */
    bool is_closing;   /* libuv holds `tcp` until it is closed */
    bool is_writing;
    struct live_channels *owner;
};

struct channel {
    int32_t id;
    struct live_channels *owner;
    struct link *link;
    uv_timer_t deadline;
    struct live_request request;
    bool in_flight;
    bool is_sent;    /* … and handed to the socket */
    bool has_failed; /* to be told at the next turn */
    bool is_gone;    /* closed by its owner: freed with its timer */
    const char *why;
    UT_hash_handle hh;
};

struct live_channels {
    uv_loop_t *loop;
    struct live_channels_config config;
    struct channel *by_id;
    size_t waiting_bytes;
    uint8_t read_buffer[READ_BYTES];
    uint32_t handles; /* that libuv still holds */
    bool is_freed;
};

/* ---- bodies ---- */

struct live_body *live_body_new(size_t size)
{
    struct live_body *body = sim_realloc(NULL, sizeof *body + size);
    body->references = 1;
    body->size = size;
    return body;
}

void live_body_release(struct live_body *body)
{
    if (body != NULL && --body->references == 0)
        free(body);
}

/* ---- ends ---- */

static void free_if_done(struct live_channels *all)
{
    if (all->is_freed && all->handles == 0)
        free(all);
}

static void free_link(struct link *link)
{
    struct live_channels *all = link->owner;
    if (link->is_resolving || link->is_closing)
        return;
    if (link->addresses != NULL)
        uv_freeaddrinfo(link->addresses);
    free(link->answer);
    free(link);
    all->handles--;
    free_if_done(all);
}

static void on_tcp_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;
    link->is_closing = false;
    free_link(link);
}

static void close_tcp(struct link *link)
{
    if (!link->has_tcp)
        return;
    link->has_tcp = false;
    link->is_closing = true;
    uv_close((uv_handle_t *)&link->tcp, on_tcp_closed);
}

/* Takes the link away from its channel, and gives it up. */
static void cut(struct channel *c)
{
    struct link *link = c->link;
    if (link == NULL)
        return;
    c->link = NULL;
    link->channel = NULL;
    if (link->is_resolving)
        uv_cancel((uv_req_t *)&link->resolve);
    if (link->has_tcp)
        close_tcp(link);
    else
        free_link(link);
}

static void forget_request(struct channel *c)
{
    live_body_release(c->request.body);
    c->request.body = NULL;
    c->in_flight = false;
    uv_timer_stop(&c->deadline);
}

/* The request in flight has failed. */
static void fail(struct channel *c, const char *why)
{
    bool was_in_flight = c->in_flight;
    cut(c);
    forget_request(c);
    struct live_request request = c->request;
    if (was_in_flight)
        c->owner->config.failed(c->owner->config.context, &request, why);
}

static void on_deadline(uv_timer_t *timer)
{
    struct channel *c = timer->data;
    if (c->has_failed) {
        c->has_failed = false;
        fail(c, c->why);
    } else if (c->link != NULL && c->link->is_open) {
        fail(c, "the broker does not answer");
    } else {
        fail(c, "the broker cannot be reached in time");
    }
}

/* Fails at the next turn of the loop: for what goes wrong inside a call. */
static void fail_later(struct channel *c, const char *why)
{
    c->has_failed = true;
    c->why = why;
    uv_timer_start(&c->deadline, on_deadline, 0, 0);
}

static void arm(struct channel *c, int64_t after_us)
{
    uv_timer_start(&c->deadline, on_deadline, (uint64_t)(after_us / 1000), 0);
}

/* ---- answers ---- */

static int32_t read_int32(const uint8_t *at)
{
    return (int32_t)((uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]);
}

static bool append_answer(struct link *link, const uint8_t *bytes, size_t size)
{
    if (link->answer_size + size > ANSWER_MAX)
        return false;
    link->answer = sim_grow(link->answer, &link->answer_capacity, link->answer_size + size, 1);
    memcpy(link->answer + link->answer_size, bytes, size);
    link->answer_size += size;
    return true;
}

/* One request is in flight, so one answer may come. */
static void take_answer(struct channel *c)
{
    struct link *link = c->link;
    if (link->answer_size < 4)
        return;
    int32_t size = read_int32(link->answer);
    if (size < 4 || size > ANSWER_MAX - 4 || link->answer_size > (size_t)size + 4) {
        fail(c, "the answer makes no sense");
        return;
    }
    if (link->answer_size < (size_t)size + 4)
        return;
    int32_t correlation = (int32_t)(c->request.correlation & INT32_MAX);
    if (!c->in_flight || read_int32(link->answer + 4) != correlation) {
        fail(c, "an answer to something else");
        return;
    }
    uint8_t *answer = link->answer;
    link->answer = NULL;
    link->answer_size = link->answer_capacity = 0;
    forget_request(c);
    struct live_request request = c->request;
    c->owner->config.answered(c->owner->config.context, &request, answer + 4, (size_t)size);
    free(answer);
}

static void give_buffer(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
    struct link *link = handle->data;
    (void)wanted;
    *buffer = uv_buf_init((char *)link->owner->read_buffer, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    struct link *link = stream->data;
    struct channel *c = link->channel;
    if (c == NULL || size == 0)
        return;
    if (size < 0)
        fail(c, size == UV_EOF ? "the broker closed the connection" : uv_strerror((int)size));
    else if (!append_answer(link, (const uint8_t *)buffer->base, (size_t)size))
        fail(c, "the answer is too long");
    else
        take_answer(c);
}

/* ---- writing ---- */

static void write_request(struct channel *c);

static void end_writing(struct link *link)
{
    link->owner->waiting_bytes -= link->writing_size;
    live_body_release(link->writing);
    link->writing = NULL;
    link->writing_size = 0;
    link->is_writing = false;
}

static void on_written(uv_write_t *write, int status)
{
    struct link *link = write->data;
    end_writing(link);
    struct channel *c = link->channel;
    if (c != NULL && status < 0)
        fail(c, uv_strerror(status));
    else if (c != NULL && c->in_flight && !c->is_sent) /* the answer was faster than this call */
        write_request(c);
}

/* Hands the request to the socket; the body is the link's from now on. */
static void write_request(struct channel *c)
{
    struct link *link = c->link;
    uv_buf_t buffers[2];
    unsigned count = 1;
    assert(!link->is_writing);
    memcpy(link->head, c->request.head, c->request.head_size);
    buffers[0] = uv_buf_init((char *)link->head, (unsigned)c->request.head_size);
    link->writing = c->request.body;
    c->request.body = NULL;
    if (link->writing != NULL) {
        link->writing_size = link->writing->size - c->request.body_from;
        buffers[count++] = uv_buf_init((char *)link->writing->bytes + c->request.body_from,
                                       (unsigned)link->writing_size);
        c->owner->waiting_bytes += link->writing_size;
    }
    link->is_writing = c->is_sent = true;
    link->write.data = link;
    arm(c, c->owner->config.request_timeout_us);
    int error = uv_write(&link->write, (uv_stream_t *)&link->tcp, buffers, count, on_written);
    if (error == 0)
        return;
    end_writing(link);
    fail_later(c, uv_strerror(error));
}

/* ---- connecting ---- */

static void connect_next(struct channel *c);

static void on_connected(uv_connect_t *connect, int status)
{
    struct link *link = connect->data;
    struct channel *c = link->channel;
    if (c == NULL)
        return;
    if (status < 0) {
        if (link->next_address != NULL) {
            connect_next(c);
            return;
        }
        fail(c, uv_strerror(status));
        return;
    }
    link->is_open = true;
    uv_tcp_nodelay(&link->tcp, 1);
    uv_read_start((uv_stream_t *)&link->tcp, give_buffer, on_read);
    if (c->in_flight)
        write_request(c);
}

static int connect_to(struct link *link, const struct sockaddr *address)
{
    int error = uv_tcp_init(link->owner->loop, &link->tcp);
    if (error < 0)
        return error;
    link->has_tcp = true;
    link->tcp.data = link;
    link->connect.data = link;
    return uv_tcp_connect(&link->connect, &link->tcp, address, on_connected);
}

static struct link *new_link(struct channel *c)
{
    struct link *link = sim_alloc(sizeof *link);
    link->owner = c->owner;
    link->channel = c;
    c->owner->handles++;
    c->link = link;
    return link;
}

/* A handle connects once: every address of a name gets a link of its own. */
static void connect_next(struct channel *c)
{
    struct link *old = c->link;
    struct addrinfo *all = old->addresses, *at = old->next_address;
    old->addresses = old->next_address = NULL;
    if (old->has_tcp) {
        cut(c);
        new_link(c);
    }
    c->link->addresses = all;
    c->link->next_address = at->ai_next;
    int error = connect_to(c->link, at->ai_addr);
    if (error < 0)
        fail_later(c, uv_strerror(error));
}

static void on_resolved(uv_getaddrinfo_t *resolve, int status, struct addrinfo *result)
{
    struct link *link = resolve->data;
    struct channel *c = link->channel;
    link->is_resolving = false;
    link->addresses = result;
    link->next_address = result;
    if (c == NULL)
        free_link(link);
    else if (status < 0 || result == NULL)
        fail(c, status < 0 ? uv_strerror(status) : "the name has no address");
    else
        connect_next(c);
}

static int resolve(struct link *link, const struct live_address *address)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char port[16];
    snprintf(port, sizeof port, "%d", address->port);
    link->resolve.data = link;
    int error =
        uv_getaddrinfo(link->owner->loop, &link->resolve, on_resolved, address->host, port, &hints);
    link->is_resolving = error == 0;
    return error;
}

static void connect_channel(struct channel *c)
{
    const struct live_address *address = &c->request.address;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct link *link = new_link(c);
    int error;
    if (uv_ip4_addr(address->host, address->port, &v4) == 0)
        error = connect_to(link, (const struct sockaddr *)&v4);
    else if (uv_ip6_addr(address->host, address->port, &v6) == 0)
        error = connect_to(link, (const struct sockaddr *)&v6);
    else
        error = resolve(link, address);
    arm(c, c->owner->config.connect_timeout_us);
    if (error < 0)
        fail_later(c, uv_strerror(error));
}

/* ---- the calls ---- */

struct live_channels *live_channels_new(uv_loop_t *loop, const struct live_channels_config *config)
{
    struct live_channels *all = sim_alloc(sizeof *all);
    all->loop = loop;
    all->config = *config;
    return all;
}

static struct channel *find(struct live_channels *all, int32_t id)
{
    struct channel *c;
    HASH_FIND_INT(all->by_id, &id, c);
    return c;
}

static struct channel *find_or_make(struct live_channels *all, int32_t id)
{
    struct channel *c = find(all, id);
    if (c != NULL)
        return c;
    c = sim_alloc(sizeof *c);
    c->id = id;
    c->owner = all;
    all->handles++;
    uv_timer_init(all->loop, &c->deadline);
    c->deadline.data = c;
    HASH_ADD_INT(all->by_id, id, c);
    return c;
}

void live_channel_send(struct live_channels *all, struct live_request *request)
{
    struct channel *c = find_or_make(all, request->broker_id);
    assert(!c->in_flight);
    c->request = *request;
    c->in_flight = true;
    c->is_sent = false;
    if (c->link == NULL)
        connect_channel(c);
    else if (!c->link->is_writing)
        write_request(c);
    else
        arm(c, all->config.request_timeout_us);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct channel *c = handle->data;
    struct live_channels *all = c->owner;
    free(c);
    all->handles--;
    free_if_done(all);
}

static void close_channel(struct channel *c)
{
    cut(c);
    forget_request(c);
    HASH_DEL(c->owner->by_id, c);
    uv_close((uv_handle_t *)&c->deadline, on_timer_closed);
}

void live_channel_close(struct live_channels *all, int32_t broker_id)
{
    struct channel *c = find(all, broker_id);
    if (c != NULL)
        close_channel(c);
}

void live_channels_free(struct live_channels *all)
{
    struct channel *c, *next;
    if (all == NULL)
        return;
    HASH_ITER(hh, all->by_id, c, next)
    close_channel(c);
    all->is_freed = true;
    free_if_done(all);
}

size_t live_channels_waiting_bytes(const struct live_channels *all)
{
    return all->waiting_bytes;
}
