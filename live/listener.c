/*
 * Connections of clients. A connection is found by its number, never kept by address elsewhere, so
 * that an answer that comes too late finds nothing.
 */
#define _GNU_SOURCE
#include "live/listener.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "sim/allocate.h"
#include "sim/keys.h"

enum { READ_BYTES = 65536, BACKLOG = 128, KEEP_BYTES = 65536 };

struct connection {
    uint64_t number;
    struct live_listener *owner;
    uv_tcp_t tcp;
    uv_write_t write;
    uv_timer_t later; /* frames that have arrived already are taken at the next turn */
    uint8_t *in;      /* what has arrived and is not taken */
    size_t in_size, in_capacity;
    uint8_t *out; /* being written */
    uint64_t active_ms;
    uint32_t handles; /* that libuv still holds */
    bool is_deaf;     /* a request is in work, or its answer is being written */
    bool is_taking;   /* inside `request` */
    bool is_waiting;  /* its frame could not be taken; in the list */
    struct connection *earlier, *later_one; /* in the list */
    bool is_closing;
    UT_hash_handle hh;
};

struct live_listener {
    uv_loop_t *loop;
    struct live_listener_config config;
    uv_tcp_t tcp;
    uv_timer_t sweep;
    struct connection *first, *last; /* those whose frame could not be taken */
    struct connection *by_number;
    uint64_t last_number;
    uint32_t handles;
    bool is_freed;
    uint8_t read_buffer[READ_BYTES];
};

/* ---- ends ---- */

static void free_if_done(struct live_listener *l)
{
    if (l->is_freed && l->handles == 0)
        free(l);
}

static void on_connection_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;
    struct live_listener *l = c->owner;
    l->handles--;
    if (--c->handles > 0)
        return;
    free(c->in);
    free(c->out);
    free(c);
    free_if_done(l);
}

static void leave_line(struct connection *c)
{
    struct live_listener *l = c->owner;
    if (!c->is_waiting)
        return;
    *(c->earlier == NULL ? &l->first : &c->earlier->later_one) = c->later_one;
    *(c->later_one == NULL ? &l->last : &c->later_one->earlier) = c->earlier;
    c->earlier = c->later_one = NULL;
    c->is_waiting = false;
}

static void wait_in_line(struct connection *c)
{
    struct live_listener *l = c->owner;
    c->is_waiting = true;
    c->earlier = l->last;
    *(l->last == NULL ? &l->first : &l->last->later_one) = c;
    l->last = c;
}

static void close_connection(struct connection *c)
{
    struct live_listener *l = c->owner;
    if (c->is_closing)
        return;
    c->is_closing = true;
    bool had_request = c->is_deaf && !c->is_waiting && c->out == NULL;
    leave_line(c);
    HASH_DEL(l->by_number, c);
    if (had_request && l->config.gone != NULL)
        l->config.gone(l->config.context, c->number);
    uv_close((uv_handle_t *)&c->tcp, on_connection_closed);
    uv_close((uv_handle_t *)&c->later, on_connection_closed);
}

/* ---- frames ---- */

static void take_frames(struct connection *c);

static int32_t read_int32(const uint8_t *at)
{
    return (int32_t)((uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]);
}

static void on_later(uv_timer_t *timer)
{
    take_frames(timer->data);
}

static void give_buffer(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
    struct connection *c = handle->data;
    (void)wanted;
    *buffer = uv_buf_init((char *)c->owner->read_buffer, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    struct connection *c = stream->data;
    if (size == 0 || c->is_closing)
        return;
    if (size < 0) {
        close_connection(c);
        return;
    }
    c->active_ms = uv_now(c->owner->loop);
    c->in = sim_grow(c->in, &c->in_capacity, c->in_size + (size_t)size, 1);
    memcpy(c->in + c->in_size, buffer->base, (size_t)size);
    c->in_size += (size_t)size;
    take_frames(c);
}

/* Drops a taken frame; a buffer that one large request has blown up goes with it. */
static void drop_frame(struct connection *c, size_t size)
{
    memmove(c->in, c->in + size, c->in_size - size);
    c->in_size -= size;
    if (c->in_size == 0 && c->in_capacity > KEEP_BYTES) {
        free(c->in);
        c->in = NULL;
        c->in_capacity = 0;
    }
}

/* Returns whether it was taken. */
static bool give_frame(struct connection *c, size_t size)
{
    struct live_listener *l = c->owner;
    c->is_taking = true;
    bool was_taken = l->config.request(l->config.context, c->number, c->in + 4, size);
    c->is_taking = false;
    if (was_taken && !c->is_closing)
        drop_frame(c, size + 4);
    return was_taken || c->is_closing;
}

/* Takes one frame, if it is all there; more are taken when it has been answered. */
static void take_frames(struct connection *c)
{
    struct live_listener *l = c->owner;
    if (c->is_closing || c->is_deaf || c->in_size < 4)
        return;
    int32_t size = read_int32(c->in);
    if (size < 0 || size > l->config.request_max_bytes) {
        close_connection(c);
        return;
    }
    if (c->in_size < (size_t)size + 4)
        return;
    c->is_deaf = true;
    uv_read_stop((uv_stream_t *)&c->tcp);
    if (!give_frame(c, (size_t)size))
        wait_in_line(c);
}

void live_listener_offer(struct live_listener *l)
{
    while (l->first != NULL) {
        struct connection *c = l->first;
        leave_line(c);
        if (give_frame(c, (size_t)read_int32(c->in)))
            continue;
        c->is_waiting = true; /* back to the head */
        c->later_one = l->first;
        *(l->first == NULL ? &l->last : &l->first->earlier) = c;
        l->first = c;
        return;
    }
}

/* The request has been answered: listens again. */
static void listen_again(struct connection *c)
{
    c->is_deaf = false;
    c->active_ms = uv_now(c->owner->loop);
    if (c->is_closing)
        return;
    uv_read_start((uv_stream_t *)&c->tcp, give_buffer, on_read);
    if (c->is_taking || c->in_size > 0)
        uv_timer_start(&c->later, on_later, 0, 0);
}

/* ---- answers ---- */

static struct connection *find(const struct live_listener *l, uint64_t number)
{
    struct connection *c;
    HASH_FIND(hh, l->by_number, &number, sizeof number, c);
    return c;
}

static void on_written(uv_write_t *write, int status)
{
    struct connection *c = write->data;
    free(c->out);
    c->out = NULL;
    if (status < 0)
        close_connection(c);
    else
        listen_again(c);
}

void live_listener_answer(struct live_listener *l, uint64_t number, uint8_t *bytes, size_t size)
{
    struct connection *c = find(l, number);
    if (c == NULL) {
        free(bytes);
        return;
    }
    assert(c->is_deaf && c->out == NULL);
    if (bytes == NULL) {
        listen_again(c);
        return;
    }
    uv_buf_t buffer = uv_buf_init((char *)bytes, (unsigned)size);
    c->out = bytes;
    c->write.data = c;
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &buffer, 1, on_written) < 0)
        close_connection(c);
}

void live_listener_close(struct live_listener *l, uint64_t number)
{
    struct connection *c = find(l, number);
    if (c != NULL)
        close_connection(c);
}

/* ---- connections ---- */

static void on_refused(uv_handle_t *handle)
{
    struct live_listener *l = handle->data;
    free(handle);
    l->handles--;
    free_if_done(l);
}

/* Takes a connection only to close it. */
static void refuse(struct live_listener *l)
{
    uv_tcp_t *tcp = sim_alloc(sizeof *tcp);
    if (uv_tcp_init(l->loop, tcp) < 0) {
        free(tcp);
        return;
    }
    tcp->data = l;
    l->handles++;
    uv_accept((uv_stream_t *)&l->tcp, (uv_stream_t *)tcp);
    uv_close((uv_handle_t *)tcp, on_refused);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct live_listener *l = stream->data;
    if (status < 0)
        return;
    if (HASH_COUNT(l->by_number) >= (unsigned)l->config.connections_max) {
        refuse(l);
        return;
    }
    struct connection *c = sim_alloc(sizeof *c);
    c->owner = l;
    c->number = ++l->last_number;
    c->active_ms = uv_now(l->loop);
    c->handles = 2;
    l->handles += 2;
    uv_tcp_init(l->loop, &c->tcp);
    uv_timer_init(l->loop, &c->later);
    c->tcp.data = c->later.data = c;
    HASH_ADD(hh, l->by_number, number, sizeof c->number, c);
    if (uv_accept(stream, (uv_stream_t *)&c->tcp) < 0) {
        close_connection(c);
        return;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    uv_read_start((uv_stream_t *)&c->tcp, give_buffer, on_read);
}

static void on_sweep(uv_timer_t *timer)
{
    struct live_listener *l = timer->data;
    struct connection *c, *next;
    uint64_t now = uv_now(l->loop);
    HASH_ITER(hh, l->by_number, c, next)
    if (!c->is_deaf && now - c->active_ms > (uint64_t)l->config.idle_us / 1000)
        close_connection(c);
}

/* ---- the listener ---- */

static void on_listener_closed(uv_handle_t *handle)
{
    struct live_listener *l = handle->data;
    l->handles--;
    free_if_done(l);
}

static int resolve(uv_loop_t *loop, const struct live_address *address,
                   struct sockaddr_storage *out)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    uv_getaddrinfo_t request;
    char port[16];
    snprintf(port, sizeof port, "%d", address->port);
    int error = uv_getaddrinfo(loop, &request, NULL, address->host, port, &hints);
    if (error < 0)
        return error;
    memcpy(out, request.addrinfo->ai_addr, request.addrinfo->ai_addrlen);
    uv_freeaddrinfo(request.addrinfo);
    return 0;
}

static int start(struct live_listener *l)
{
    struct sockaddr_storage address = {0};
    int error = resolve(l->loop, &l->config.address, &address);
    if (error == 0)
        error = uv_tcp_bind(&l->tcp, (const struct sockaddr *)&address, 0);
    if (error == 0)
        error = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection);
    return error;
}

struct live_listener *live_listener_new(uv_loop_t *loop, const struct live_listener_config *config,
                                        int *error)
{
    struct live_listener *l = sim_alloc(sizeof *l);
    l->loop = loop;
    l->config = *config;
    l->handles = 2;
    uv_tcp_init(loop, &l->tcp);
    uv_timer_init(loop, &l->sweep);
    l->tcp.data = l->sweep.data = l;
    *error = start(l);
    if (*error < 0) {
        live_listener_free(l);
        return NULL;
    }
    if (config->idle_us >= 0) {
        uint64_t period = (uint64_t)config->idle_us / 4000 + 1;
        uv_timer_start(&l->sweep, on_sweep, period, period);
    }
    return l;
}

void live_listener_free(struct live_listener *l)
{
    struct connection *c, *next;
    if (l == NULL)
        return;
    HASH_ITER(hh, l->by_number, c, next)
    close_connection(c);
    l->is_freed = true;
    uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
    uv_close((uv_handle_t *)&l->sweep, on_listener_closed);
}

int32_t live_listener_port(const struct live_listener *l)
{
    struct sockaddr_storage address;
    int size = sizeof address;
    if (uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&address, &size) < 0)
        return -1;
    uint16_t port = address.ss_family == AF_INET6
                        ? ((const struct sockaddr_in6 *)(const void *)&address)->sin6_port
                        : ((const struct sockaddr_in *)(const void *)&address)->sin_port;
    return ntohs(port);
}

uint32_t live_listener_connections(const struct live_listener *l)
{
    return HASH_COUNT(l->by_number);
}

void live_listener_peer(const struct live_listener *l, uint64_t number, char *out, size_t capacity)
{
    struct sockaddr_storage address;
    int size = sizeof address;
    struct connection *c = find(l, number);
    snprintf(out, capacity, "%s", "");
    if (c != NULL && uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&address, &size) == 0)
        uv_ip_name((const struct sockaddr *)&address, out, capacity);
}
