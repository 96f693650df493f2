/*
 * Lines of a socket.
 *
 *          retry_ms has come        writable             the other end has closed, or it broke
 *     WAITS ──────► CONNECTS ──────► READS ──────► retries left: WAITS; else the end, or a failure
 *       ▲               │ refused      │ ▲
 *       └───────────────┘              └─┘ readable: lines
 *
 * Nothing here waits: where there is nothing to do the source is idle until the clock or the socket
 * wakes it. An end that the other side makes is the end of the input when no retry is left; to be
 * refused, or broken off, is then a failure. What is left without a delimiter at the end of a
 * connection stays, and the first bytes of the next one continue it.
 *
 * There is no state: what was read is not sent again by anybody. So a job that is restored has lost
 * what it had read since its checkpoint: at most once.
 *
 * Source: Flink SocketTextStreamFunction; there the count of attempts is never set back, a refused
 * connection fails the job at once, and of N retries N - 1 are made.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream/sockets.h"
#include "stream/sources.h"

enum socket_state { SOCKET_WAITS, SOCKET_CONNECTS, SOCKET_READS, SOCKET_ENDED };

struct socket_source {
    struct op op;
    struct peer peer;
    enum socket_state state;
    int fd; /* -1: none */
    int64_t retry_ms;
    bool awaits; /* there is nothing to do before it is woken */
    struct lines lines;
};

static void socket_open(struct op *op)
{
    struct socket_source *s = (struct socket_source *)(void *)op;
    char why[256];
    s->fd = -1;
    s->retry_ms = ST_TIME_MIN;
    if (!peer_open(&s->peer, op->node->socket, why)) {
        task_fail(op->task, "%s", why);
    }
    lines_begin(&s->lines, op->node->socket->delimiter);
}

static void hang_up(struct socket_source *s)
{
    if (s->fd >= 0) {
        close(s->fd);
        s->fd = -1;
    }
}

static void socket_close(struct op *op)
{
    struct socket_source *s = (struct socket_source *)(void *)op;
    hang_up(s);
    peer_close(&s->peer);
    lines_free(&s->lines);
}

/* The connection is no more, or never was; err 0: the other end has closed it. */
static void lost(struct socket_source *s, int err)
{
    const st_socket *spec = s->peer.spec;
    hang_up(s);
    s->awaits = false;
    if (peer_retries(&s->peer)) {
        s->state = SOCKET_WAITS;
        s->retry_ms = job_now(s->op.task->job) + spec->retry_delay_ms;
    } else if (err == 0) {
        s->state = SOCKET_ENDED;
    } else {
        task_fail(s->op.task, "%s:%u: %s, at attempt %u", spec->host, spec->port, strerror(err),
                  s->peer.attempts);
    }
}

static void await(struct socket_source *s, bool writable)
{
    s->awaits = true;
    source_await(&s->op, s->fd, writable);
}

static enum st_poll begin_to_connect(struct socket_source *s)
{
    if (job_now(s->op.task->job) < s->retry_ms) {
        s->op.wakeup_ms = s->retry_ms;
        return ST_IDLE;
    }
    s->fd = peer_connect(&s->peer);
    if (s->fd < 0) {
        lost(s, errno);
        return ST_MORE;
    }
    s->state = SOCKET_CONNECTS;
    await(s, true);
    return ST_IDLE;
}

static enum st_poll go_on_connecting(struct socket_source *s)
{
    switch (peer_connected(s->fd)) {
    case 0:
        await(s, true);
        return ST_IDLE;
    case 1:
        s->state = SOCKET_READS;
        return ST_MORE;
    default:
        lost(s, errno);
        return ST_MORE;
    }
}

static enum st_poll read_more(struct socket_source *s)
{
    size_t room;
    char *to = lines_room(&s->lines, &room);
    if (to == NULL) {
        task_fail(s->op.task, "%s:%u: a line of more than %zu bytes", s->peer.spec->host,
                  s->peer.spec->port, s->lines.size);
    }
    ssize_t got = recv(s->fd, to, room, 0);
    if (got > 0) {
        s->peer.attempts = 0;
        lines_filled(&s->lines, (size_t)got);
        return ST_MORE;
    }
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        await(s, false);
        return ST_IDLE;
    }
    lost(s, got == 0 ? 0 : errno);
    return ST_MORE;
}

static enum st_poll socket_poll(struct op *op)
{
    struct socket_source *s = (struct socket_source *)(void *)op;
    if (source_woken(op)) {
        s->awaits = false;
    }
    if (source_put_lines(op, &s->lines, s->state == SOCKET_ENDED)) {
        return ST_MORE;
    }
    if (s->awaits) {
        return ST_IDLE;
    }
    switch (s->state) {
    case SOCKET_WAITS:
        return begin_to_connect(s);
    case SOCKET_CONNECTS:
        return go_on_connecting(s);
    case SOCKET_READS:
        return read_more(s);
    case SOCKET_ENDED:
        break;
    }
    return ST_END;
}

const struct op_class op_socket = {
    .size = sizeof(struct socket_source),
    .open = socket_open,
    .close = socket_close,
    .poll = socket_poll,
    .wake = source_wake,
};
