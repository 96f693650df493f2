/* One thread polls all connections; bytes wait in chunks, each with the time from which it may go
   on. */
#define _GNU_SOURCE
#include "proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PAIRS = 64, CHUNK = 65536 };

/* Bytes on their way, and when they may go on. */
struct chunk {
    STAILQ_ENTRY(chunk) next;
    int64_t due_ms;
    size_t size, sent;
    char bytes[];
};

struct flow {
    int from, to;
    STAILQ_HEAD(, chunk) chunks;
};

/* Follows ZooKeeper's frames, to see opcodes: of each frame the length and what comes first. */
struct frames {
    uint8_t head[12];
    uint32_t head_used;
    uint64_t left; /* bytes of the present frame beyond its head */
    bool is_first_over;
};

struct pair {
    bool is_open;
    struct flow requests, replies;
    struct frames frames;
};

struct live_proxy {
    int listener, port, server_port;
    int wake[2];
    pthread_t thread;
    pthread_mutex_t lock;
    struct pair pairs[PAIRS];
    int open, accepted, most, delay_ms;
    int32_t trap;
    bool hold_requests, hold_replies, is_cutting, is_ending;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* ---- pairs ---- */

static void drop_chunks(struct flow *f)
{
    struct chunk *c;
    while ((c = STAILQ_FIRST(&f->chunks)) != NULL) {
        STAILQ_REMOVE_HEAD(&f->chunks, next);
        free(c);
    }
}

static void close_pair(struct live_proxy *p, struct pair *pair)
{
    if (!pair->is_open)
        return;
    close(pair->requests.from);
    close(pair->requests.to);
    drop_chunks(&pair->requests);
    drop_chunks(&pair->replies);
    pair->is_open = false;
    p->open--;
}

static void accept_client(struct live_proxy *p)
{
    struct sockaddr_in to = loopback(p->server_port);
    int one = 1, client = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC), i = 0;
    if (client < 0)
        return;
    p->accepted++;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    while (i < PAIRS && p->pairs[i].is_open)
        i++;
    if ((p->most >= 0 && p->open >= p->most) || i == PAIRS ||
        connect(server, (struct sockaddr *)&to, sizeof to) != 0) {
        close(client);
        close(server);
        return;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct pair *pair = &p->pairs[i];
    memset(pair, 0, sizeof *pair);
    pair->is_open = true;
    pair->requests.from = pair->replies.to = client;
    pair->requests.to = pair->replies.from = server;
    STAILQ_INIT(&pair->requests.chunks);
    STAILQ_INIT(&pair->replies.chunks);
    p->open++;
}

/* ---- bytes ---- */

static uint32_t big(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, 4);
    return ntohl(value);
}

/* Whether a frame with the opcode begins in these bytes. */
static bool springs(struct frames *f, const char *bytes, size_t size, int32_t trap)
{
    for (size_t at = 0; at < size;) {
        if (f->left > 0) {
            size_t step = f->left < size - at ? (size_t)f->left : size - at;
            f->left -= step;
            at += step;
            continue;
        }
        f->head[f->head_used++] = (uint8_t)bytes[at++];
        if (f->head_used < sizeof f->head)
            continue;
        f->head_used = 0;
        f->left = (uint64_t)big(f->head) + 4 - sizeof f->head;
        if (f->is_first_over && trap != 0 && (int32_t)big(f->head + 8) == trap)
            return true;
        f->is_first_over = true;
    }
    return false;
}

/* Takes in what there is; false at the end of the stream. */
static bool take_in(struct live_proxy *p, struct pair *pair, struct flow *f)
{
    bool is_request = f == &pair->requests;
    struct chunk *c = malloc(sizeof *c + CHUNK);
    ssize_t n = recv(f->from, c->bytes, CHUNK, MSG_DONTWAIT);
    if (n <= 0) {
        free(c);
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    }
    if (is_request && springs(&pair->frames, c->bytes, (size_t)n, p->trap)) {
        free(c);
        return false;
    }
    c->size = (size_t)n;
    c->sent = 0;
    c->due_ms = is_request ? 0 : now_ms() + p->delay_ms;
    STAILQ_INSERT_TAIL(&f->chunks, c, next);
    return true;
}

static bool pass_on(struct flow *f)
{
    struct chunk *c;
    while ((c = STAILQ_FIRST(&f->chunks)) != NULL && c->due_ms <= now_ms()) {
        ssize_t n = send(f->to, c->bytes + c->sent, c->size - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        c->sent += (size_t)n;
        if (c->sent < c->size)
            return true;
        STAILQ_REMOVE_HEAD(&f->chunks, next);
        free(c);
    }
    return true;
}

/* ---- the thread ---- */

static short wants(const struct flow *f)
{
    const struct chunk *c = STAILQ_FIRST(&f->chunks);
    return c != NULL && c->due_ms <= now_ms() ? POLLOUT : 0;
}

static int wait_ms(const struct live_proxy *p)
{
    int64_t least = -1, now = now_ms();
    for (int i = 0; i < PAIRS; i++) {
        const struct chunk *c =
            p->pairs[i].is_open ? STAILQ_FIRST(&p->pairs[i].replies.chunks) : NULL;
        int64_t left = c == NULL || p->hold_replies ? -1 : c->due_ms > now ? c->due_ms - now : 0;
        if (left >= 0 && (least < 0 || left < least))
            least = left;
    }
    return least == 0 ? -1 : (int)least; /* what is due waits for POLLOUT */
}

static void serve_pair(struct live_proxy *p, struct pair *pair, short client, short server)
{
    bool good = true;
    if (client & (POLLIN | POLLHUP | POLLERR) && !p->hold_requests)
        good = take_in(p, pair, &pair->requests);
    if (good && server & (POLLIN | POLLHUP | POLLERR) && !p->hold_replies)
        good = take_in(p, pair, &pair->replies);
    if (good && !p->hold_requests)
        good = pass_on(&pair->requests);
    if (good && !p->hold_replies)
        good = pass_on(&pair->replies);
    if (!good)
        close_pair(p, pair);
}

static void turn(struct live_proxy *p)
{
    struct pollfd fds[2 + 2 * PAIRS];
    fds[0] = (struct pollfd){.fd = p->wake[0], .events = POLLIN};
    fds[1] = (struct pollfd){.fd = p->listener, .events = POLLIN};
    for (int i = 0; i < PAIRS; i++) {
        const struct pair *pair = &p->pairs[i];
        short client = p->hold_requests ? 0 : POLLIN, server = p->hold_replies ? 0 : POLLIN;
        client |= pair->is_open && !p->hold_replies ? wants(&pair->replies) : 0;
        server |= pair->is_open && !p->hold_requests ? wants(&pair->requests) : 0;
        fds[2 + 2 * i] = (struct pollfd){.fd = pair->is_open && client ? pair->requests.from : -1,
                                         .events = client};
        fds[3 + 2 * i] = (struct pollfd){.fd = pair->is_open && server ? pair->requests.to : -1,
                                         .events = server};
    }
    int ms = wait_ms(p);
    pthread_mutex_unlock(&p->lock);
    poll(fds, 2 + 2 * PAIRS, ms);
    pthread_mutex_lock(&p->lock);
    char byte[64];
    if (fds[0].revents && read(p->wake[0], byte, sizeof byte) < 0)
        abort();
    for (int i = 0; i < PAIRS; i++) {
        if (p->is_cutting)
            close_pair(p, &p->pairs[i]);
        else if (p->pairs[i].is_open)
            serve_pair(p, &p->pairs[i], fds[2 + 2 * i].revents, fds[3 + 2 * i].revents);
    }
    p->is_cutting = false;
    if (fds[1].revents)
        accept_client(p);
}

static void *run(void *argument)
{
    struct live_proxy *p = argument;
    pthread_mutex_lock(&p->lock);
    while (!p->is_ending)
        turn(p);
    for (int i = 0; i < PAIRS; i++)
        close_pair(p, &p->pairs[i]);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* ---- from outside ---- */

static void change(struct live_proxy *p)
{
    pthread_mutex_unlock(&p->lock);
    if (write(p->wake[1], "", 1) != 1)
        abort();
}

struct live_proxy *live_proxy_new(int server_port)
{
    struct live_proxy *p = calloc(1, sizeof *p);
    struct sockaddr_in at = loopback(0);
    socklen_t size = sizeof at;
    if (p == NULL)
        abort();
    p->server_port = server_port;
    p->most = -1;
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(p->listener, (struct sockaddr *)&at, size) != 0 || listen(p->listener, 64) != 0 ||
        getsockname(p->listener, (struct sockaddr *)&at, &size) != 0 ||
        pipe2(p->wake, O_CLOEXEC) != 0)
        abort();
    p->port = ntohs(at.sin_port);
    pthread_mutex_init(&p->lock, NULL);
    pthread_create(&p->thread, NULL, run, p);
    return p;
}

void live_proxy_free(struct live_proxy *p)
{
    pthread_mutex_lock(&p->lock);
    p->is_ending = true;
    change(p);
    pthread_join(p->thread, NULL);
    close(p->listener);
    close(p->wake[0]);
    close(p->wake[1]);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

int live_proxy_port(const struct live_proxy *p)
{
    return p->port;
}

void live_proxy_cut(struct live_proxy *p)
{
    pthread_mutex_lock(&p->lock);
    p->is_cutting = true;
    change(p);
}

void live_proxy_limit(struct live_proxy *p, int most)
{
    pthread_mutex_lock(&p->lock);
    p->most = most;
    change(p);
}

void live_proxy_hold(struct live_proxy *p, bool requests, bool replies)
{
    pthread_mutex_lock(&p->lock);
    p->hold_requests = requests;
    p->hold_replies = replies;
    change(p);
}

void live_proxy_delay(struct live_proxy *p, int ms)
{
    pthread_mutex_lock(&p->lock);
    p->delay_ms = ms;
    change(p);
}

void live_proxy_trap(struct live_proxy *p, int32_t opcode)
{
    pthread_mutex_lock(&p->lock);
    p->trap = opcode;
    change(p);
}

int live_proxy_accepted(const struct live_proxy *p)
{
    struct live_proxy *mine = (struct live_proxy *)(uintptr_t)p;
    pthread_mutex_lock(&mine->lock);
    int accepted = mine->accepted;
    pthread_mutex_unlock(&mine->lock);
    return accepted;
}
