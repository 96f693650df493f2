/*
 * Lines into a socket, at least once.
 *
 *     kept:   | acknowledged | first … sent | … filled | free |      whole lines from `first` on
 *
 * A line is kept until the other side has acknowledged it: its system (TCP), or, with .answered, by
 * a line for each. A connection that breaks is made again, and what is kept goes over the new one;
 * so a line may come twice, and is not lost. A checkpoint has what is kept: whoever restores it
 * sends that first. So the barrier waits for nobody.
 *
 * A batch is handed over whole before the next one is taken: while the other side is slow, or away,
 * this waits, and with it the slot. An operator that has to go on meanwhile gets a
 * .slot_sharing_group of its own.
 *
 * Source: Flink SocketClientSink, which keeps nothing.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h> /* SIOCOUTQ */

#include "stream/sockets.h"
#include "stream/sources.h"

#define LOOK_MS 20 /* how long it waits before it looks whether the job was cancelled */

struct socket_sink {
    struct op op;
    struct peer peer;
    int fd;                     /* -1: none */
    char *kept;                 /* owned */
    size_t first, sent, filled; /* first: where a kept line begins */
    size_t capacity;
    size_t delimiter_size;
};

static struct socket_sink *sink_of(struct op *op)
{
    return (struct socket_sink *)(void *)op;
}

static void sink_open(struct op *op)
{
    struct socket_sink *s = sink_of(op);
    char why[256];
    s->fd = -1;
    s->delimiter_size = strlen(op->node->socket->delimiter);
    if (!peer_open(&s->peer, op->node->socket, why)) {
        task_fail(op->task, "%s", why);
    }
}

static void hang_up(struct socket_sink *s)
{
    if (s->fd >= 0) {
        close(s->fd);
        s->fd = -1;
    }
}

static void sink_close(struct op *op)
{
    struct socket_sink *s = sink_of(op);
    hang_up(s);
    peer_close(&s->peer);
    free(s->kept);
}

/* Where `size` more bytes go. What is kept moves to the front when that makes half of the room. */
static char *keep(struct socket_sink *s, size_t size)
{
    size_t kept = s->filled - s->first;
    if (s->capacity - s->filled < size) {
        char *to = s->kept, *old = NULL;
        if (s->capacity < (kept + size) * 2) {
            s->capacity = (kept + size) * 2;
            to = must_calloc(1, s->capacity);
            old = s->kept;
        }
        if (kept > 0) {
            memmove(to, s->kept + s->first, kept);
        }
        free(old);
        s->kept = to;
        s->sent -= s->first;
        s->filled = kept;
        s->first = 0;
    }
    return s->kept + s->filled;
}

/* ---------------------------------------------------------------------------------- Connecting */

/* Until the descriptor is ready for `events`, or a moment. */
static void wait_for(struct socket_sink *s, int fd, short events, int64_t at_most_ms)
{
    struct pollfd one = {.fd = fd, .events = events};
    (void)poll(&one, fd >= 0 ? 1 : 0, (int)(at_most_ms < LOOK_MS ? at_most_ms : LOOK_MS));
    if (atomic_load(&s->op.task->job->cancelled) != 0) {
        longjmp(*s->op.task->escape, 1);
    }
}

/* Another attempt, after its pause; fails the job if there is none left. */
static void lost(struct socket_sink *s, int err)
{
    const st_socket *spec = s->peer.spec;
    hang_up(s);
    if (!peer_retries(&s->peer)) {
        task_fail(s->op.task, "%s:%u: %s, at attempt %u", spec->host, spec->port, strerror(err),
                  s->peer.attempts);
    }
    int64_t until = monotonic_ns() / 1000000 + spec->retry_delay_ms;
    for (int64_t left; (left = until - monotonic_ns() / 1000000) > 0;) {
        wait_for(s, -1, 0, left);
    }
}

/* Returns when there is a connection, over which all that is kept is to be sent. */
static void connect_to_peer(struct socket_sink *s)
{
    s->sent = s->first;
    while (s->fd < 0) {
        s->fd = peer_connect(&s->peer);
        int is_connected = s->fd >= 0 ? 0 : -1;
        while (is_connected == 0) {
            wait_for(s, s->fd, POLLOUT, LOOK_MS);
            is_connected = peer_connected(s->fd);
        }
        if (is_connected < 0) {
            lost(s, errno);
        }
    }
}

/* ------------------------------------------------------------------------- What is acknowledged */

/* The end of the line that begins at `at`; 0: it is not in what was sent. */
static size_t line_end(const struct socket_sink *s, size_t at)
{
    const char *end =
        memmem(s->kept + at, s->sent - at, s->peer.spec->delimiter, s->delimiter_size);
    return end != NULL ? (size_t)(end - s->kept) + s->delimiter_size : 0;
}

static void forget(struct socket_sink *s, size_t end)
{
    if (end > s->first) {
        s->first = end;
        s->peer.attempts = 0;
    }
}

/* Lines that the other side's system has. Returns 0, or what is wrong with the connection. */
static int forget_received(struct socket_sink *s)
{
    int on_the_way = 0, err = 0;
    socklen_t size = sizeof err;
    size_t end = s->first;
    if (ioctl(s->fd, SIOCOUTQ, &on_the_way) == 0 && on_the_way >= 0 &&
        (size_t)on_the_way < s->sent - s->first) {
        size_t received = s->sent - (size_t)on_the_way;
        for (size_t next; (next = line_end(s, end)) != 0 && next <= received;) {
            end = next;
        }
    }
    forget(s, end);
    return getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &size) == 0 ? err : errno;
}

/* As many lines as it has answered with. Returns 0, or what is wrong with the connection. */
static int forget_answered(struct socket_sink *s)
{
    char answers[1024];
    size_t end = s->first;
    ssize_t got;
    while ((got = recv(s->fd, answers, sizeof answers, MSG_DONTWAIT)) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            size_t next = answers[i] == '\n' ? line_end(s, end) : 0;
            end = next != 0 ? next : end;
        }
    }
    int err = got == 0 ? ECONNRESET : errno;
    forget(s, end);
    return err == EAGAIN || err == EWOULDBLOCK || err == EINTR ? 0 : err;
}

static int forget_acknowledged(struct socket_sink *s)
{
    return s->peer.spec->answered ? forget_answered(s) : forget_received(s);
}

/* Where nothing is kept a broken connection matters to nobody. */
static void look_for_answers(struct socket_sink *s)
{
    int err = forget_acknowledged(s);
    if (err != 0 && s->first == s->filled) {
        hang_up(s);
    } else if (err != 0) {
        lost(s, err);
    }
}

/* ------------------------------------------------------------------------------------- Sending */

/* Hands what is kept to the system, over as many connections as that takes. */
static void send_all(struct socket_sink *s)
{
    while (s->fd < 0 || s->sent < s->filled) {
        if (s->fd < 0) {
            connect_to_peer(s);
        }
        ssize_t some = send(s->fd, s->kept + s->sent, s->filled - s->sent, MSG_NOSIGNAL);
        if (some >= 0) {
            s->sent += (size_t)some;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
            wait_for(s, s->fd, POLLOUT | (s->peer.spec->answered ? POLLIN : 0), LOOK_MS);
            look_for_answers(s);
        } else {
            int err = errno;
            (void)forget_acknowledged(s); /* what came before the end counts */
            lost(s, err);
        }
    }
    look_for_answers(s);
}

static void sink_ready(struct op *op)
{
    struct socket_sink *s = sink_of(op);
    if (s->filled > s->first) {
        send_all(s);
    }
}

static void sink_batch(struct op *op, uint32_t input, const struct batch *batch)
{
    struct socket_sink *s = sink_of(op);
    const st_type *type = op->node->in;
    (void)input;
    for (uint32_t k = 0; k < batch->count; k++) {
        const char *record = (const char *)batch->records + (size_t)k * type->size;
        size_t size = record_print(type, record, NULL, 0);
        char *line = keep(s, size + 1 + s->delimiter_size);
        record_print(type, record, line, size + 1);
        memcpy(line + size, s->peer.spec->delimiter, s->delimiter_size);
        s->filled += size + s->delimiter_size;
    }
    send_all(s);
}

/* All of it has to be acknowledged before the job may end. */
static void sink_end(struct op *op)
{
    struct socket_sink *s = sink_of(op);
    while (s->filled > s->first) {
        send_all(s);
        if (s->filled > s->first && s->fd >= 0) {
            wait_for(s, s->fd, s->peer.spec->answered ? POLLIN : 0, 1);
        }
    }
    hang_up(s);
}

/* ----------------------------------------------------------------------------------- Snapshots */

static void sink_snapshot(struct op *op, struct bytes *to)
{
    const struct socket_sink *s = sink_of(op);
    size_t size = s->filled - s->first;
    bytes_i64(to, (int64_t)size);
    if (size > 0) {
        bytes_put(to, s->kept + s->first, size);
    }
}

static void sink_restore(struct op *op, struct section *section)
{
    struct socket_sink *s = sink_of(op);
    int64_t size = read_i64(&section->state);
    const char *kept = size > 0 ? read_bytes(&section->state, (size_t)size) : NULL;
    if (kept != NULL && section->subtask % op->ctx.parallelism == op->ctx.subtask) {
        memcpy(keep(s, (size_t)size), kept, (size_t)size);
        s->filled += (size_t)size;
    }
}

const struct op_class op_socket_sink = {
    .size = sizeof(struct socket_sink),
    .open = sink_open,
    .ready = sink_ready,
    .close = sink_close,
    .batch = sink_batch,
    .end = sink_end,
    .snapshot = sink_snapshot,
    .restore = sink_restore,
};
