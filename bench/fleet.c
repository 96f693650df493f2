/*
 * One thread polls: a listener and at most a few connections for each broker, frames gathered until
 * whole, counted through the codec, answered at once.
 *
 * Counts are read and reset by another thread, under one lock; they are written once a request.
 */
#include "bench/fleet.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

#include "wire/batch_codec.h"
#include "wire/frame.h"

enum { CONNECTIONS = 8, FIRST_FRAME = 1 << 16 };

struct connection {
    int fd; /* -1: none */
    uint8_t *bytes;
    size_t used, capacity;
};

struct broker {
    int listener; /* -1: not up */
    int socket;   /* bound from the first start on: the port stays the broker's while it is away */
    int port;
    zhandle_t *session;
    struct connection connection[CONNECTIONS];
    struct fleet_count count;
};

struct fleet {
    const char *servers;
    int32_t count;
    pthread_t thread;
    pthread_mutex_t lock;
    bool ends;
    int wake[2];      /* a pipe: the set of sockets has changed */
    uint8_t *decoded; /* room for one request as the codec gives it */
    size_t decoded_size;
    struct broker broker[FLEET_MAX + 1];
};

static void fail(const char *what)
{
    fprintf(stderr, "fleet: %s\n", what);
    exit(70);
}

double fleet_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- one request ---- */

/* Reads the request into f->decoded, growing it as needed; NULL where it makes no sense. */
static const struct wire_batch *decode(struct fleet *f, int32_t id,
                                       const struct wire_request_header *h, const uint8_t *body,
                                       size_t size)
{
    for (;;) {
        size_t used = 0;
        switch (wire_batch_decode((enum wire_api)h->api, h->version, id, body, size, f->decoded,
                                  f->decoded_size, &used)) {
        case SM_ERR_OK:
            return (const struct wire_batch *)(void *)f->decoded;
        case SM_ERR_LIMIT:
            free(f->decoded);
            f->decoded_size = used * 2;
            f->decoded = aligned_alloc(8, (f->decoded_size + 7) / 8 * 8);
            assert(f->decoded != NULL);
            continue;
        default:
            return NULL;
        }
    }
}

static enum wire_record_kind kind_of(int16_t api)
{
    return api == WIRE_API_LEADER_AND_ISR    ? WIRE_RECORD_LEADER_AND_ISR
           : api == WIRE_API_UPDATE_METADATA ? WIRE_RECORD_UPDATE_METADATA
                                             : WIRE_RECORD_STOP_REPLICA;
}

static void count(struct fleet *f, int32_t id, const struct wire_batch *b, size_t bytes)
{
    struct fleet_count *c = &f->broker[id].count;
    pthread_mutex_lock(&f->lock);
    c->leader_and_isr += b->count[0];
    c->update_metadata += b->count[1];
    c->stop_replica += b->count[2];
    c->requests++;
    c->bytes += (int64_t)bytes;
    c->last = fleet_now();
    c->first = c->first == 0 ? c->last : c->first;
    pthread_mutex_unlock(&f->lock);
}

static bool write_all(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n < 0)
            return false;
        bytes += n;
        size -= (size_t)n;
    }
    return true;
}

/* Counts and answers one frame; false: the connection is of no more use. */
static bool serve(struct fleet *f, int32_t id, int fd, const uint8_t *frame, size_t size)
{
    struct wire_request_header h;
    size_t body = 0, head = 0, used = 0;

    if (wire_request_header_decode(frame + 4, size - 4, &h, &body) != SM_ERR_OK)
        return false;
    const struct wire_batch *b = decode(f, id, &h, frame + 4 + body, size - 4 - body);
    if (b == NULL)
        return false;
    count(f, id, b, size);
    size_t capacity = size + 4096; /* an answer names what the request names, and no more */
    uint8_t *answer = malloc(capacity);
    assert(answer != NULL);
    struct wire_answer none = {0};
    struct wire_batch_request q = {.batch = b, .kind = kind_of(h.api), .version = h.version};
    bool ok = wire_response_header_encode(h.api, h.version, h.correlation_id, answer, capacity,
                                          &head) == SM_ERR_OK &&
              wire_answer_encode(&q, &none, answer + head, capacity - head, &used) == SM_ERR_OK;
    if (ok) {
        wire_frame_finish(answer, head + used);
        ok = write_all(fd, answer, head + used);
    }
    free(answer);
    return ok;
}

/* ---- connections ---- */

static void drop(struct connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->bytes);
    *c = (struct connection){.fd = -1};
}

static void receive(struct fleet *f, int32_t id, struct connection *c)
{
    if (c->used == c->capacity) {
        c->capacity = c->capacity == 0 ? FIRST_FRAME : c->capacity * 2;
        c->bytes = realloc(c->bytes, c->capacity);
        assert(c->bytes != NULL);
    }
    ssize_t n = read(c->fd, c->bytes + c->used, c->capacity - c->used);
    if (n <= 0) {
        drop(c);
        return;
    }
    c->used += (size_t)n;
    for (;;) {
        size_t size = 0;
        if (wire_frame_size(c->bytes, c->used, WIRE_FRAME_MAX, &size) != SM_ERR_OK) {
            drop(c);
            return;
        }
        if (size == 0 || c->used < size)
            return;
        if (!serve(f, id, c->fd, c->bytes, size)) {
            drop(c);
            return;
        }
        c->used -= size;
        memmove(c->bytes, c->bytes + size, c->used);
    }
}

static void welcome(struct broker *b)
{
    int fd = accept(b->listener, NULL, NULL);
    int on = 1;
    for (int i = 0; fd >= 0 && i < CONNECTIONS; i++)
        if (b->connection[i].fd < 0) {
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            b->connection[i].fd = fd;
            return;
        }
    close(fd);
}

/* ---- the thread ---- */

struct place {
    int32_t id;
    struct connection *connection; /* NULL: the listener */
};

static int list_sockets(struct fleet *f, struct pollfd *set, struct place *place)
{
    int n = 0;
    set[n++] = (struct pollfd){.fd = f->wake[0], .events = POLLIN};
    for (int32_t id = 1; id <= f->count; id++) {
        struct broker *b = &f->broker[id];
        if (b->listener < 0)
            continue;
        place[n] = (struct place){.id = id};
        set[n++] = (struct pollfd){.fd = b->listener, .events = POLLIN};
        for (int i = 0; i < CONNECTIONS; i++)
            if (b->connection[i].fd >= 0) {
                place[n] = (struct place){.id = id, .connection = &b->connection[i]};
                set[n++] = (struct pollfd){.fd = b->connection[i].fd, .events = POLLIN};
            }
    }
    return n;
}

static void *work(void *context)
{
    enum { SOCKETS = 1 + FLEET_MAX * (1 + CONNECTIONS) };
    static struct pollfd set[SOCKETS];
    static struct place place[SOCKETS];
    struct fleet *f = context;
    char byte;

    for (;;) {
        pthread_mutex_lock(&f->lock);
        bool ends = f->ends;
        int n = list_sockets(f, set, place);
        pthread_mutex_unlock(&f->lock);
        if (ends)
            return NULL;
        if (poll(set, (nfds_t)n, -1) < 0)
            fail("poll");
        if (set[0].revents != 0) { /* the sockets have changed: look again */
            if (read(f->wake[0], &byte, 1) != 1)
                fail("pipe");
            continue;
        }
        for (int i = 1; i < n; i++) {
            if (set[i].revents == 0)
                continue;
            if (place[i].connection == NULL)
                welcome(&f->broker[place[i].id]);
            else
                receive(f, place[i].id, place[i].connection);
        }
    }
}

static void wake(struct fleet *f)
{
    if (write(f->wake[1], "", 1) != 1)
        fail("pipe");
}

/* ---- lives of brokers ---- */

/* A socket that is bound and does not listen refuses connections, as the port of a dead broker. */
static int bind_to(int *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)*port),
                            .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof a;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &size) != 0)
        fail(strerror(errno));
    *port = ntohs(a.sin_port);
    return fd;
}

static zhandle_t *open_session(const char *servers)
{
    zhandle_t *zk = zookeeper_init(servers, NULL, 30000, NULL, NULL, 0);
    struct timespec pause = {.tv_nsec = 10000000};
    for (int i = 0; zk != NULL && i < 3000; i++) {
        if (zoo_state(zk) == ZOO_CONNECTED_STATE)
            return zk;
        nanosleep(&pause, NULL);
    }
    fail("ZooKeeper does not answer");
    return NULL;
}

void fleet_start(struct fleet *f, int32_t id)
{
    struct broker *b = &f->broker[id];
    char path[64], data[512];
    int port = 0;

    if (b->port == 0)
        b->socket = bind_to(&b->port);
    port = b->port;
    if (listen(b->socket, CONNECTIONS) != 0)
        fail(strerror(errno));
    pthread_mutex_lock(&f->lock);
    b->listener = b->socket;
    pthread_mutex_unlock(&f->lock);
    wake(f);
    b->session = open_session(f->servers);
    snprintf(path, sizeof path, "/brokers/ids/%d", id);
    int size = snprintf(data, sizeof data,
                        "{\"listener_security_protocol_map\":{\"PLAINTEXT\":\"PLAINTEXT\"},"
                        "\"endpoints\":[\"PLAINTEXT://127.0.0.1:%d\"],\"jmx_port\":-1,"
                        "\"host\":\"127.0.0.1\",\"timestamp\":\"1\",\"port\":%d,\"version\":4}",
                        port, port);
    if (zoo_create(b->session, path, data, size, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0) !=
        ZOK)
        fail("a broker could not register");
}

void fleet_kill(struct fleet *f, int32_t id)
{
    struct broker *b = &f->broker[id];
    pthread_mutex_lock(&f->lock);
    close(b->listener);
    b->socket = bind_to(&b->port);
    b->listener = -1;
    for (int i = 0; i < CONNECTIONS; i++)
        if (b->connection[i].fd >= 0)
            shutdown(b->connection[i].fd, SHUT_RDWR);
    pthread_mutex_unlock(&f->lock);
    wake(f);
    zookeeper_close(b->session);
    b->session = NULL;
}

struct fleet_count fleet_count_of(struct fleet *f, int32_t id)
{
    pthread_mutex_lock(&f->lock);
    struct fleet_count c = f->broker[id].count;
    pthread_mutex_unlock(&f->lock);
    return c;
}

void fleet_reset(struct fleet *f)
{
    pthread_mutex_lock(&f->lock);
    for (int32_t id = 1; id <= f->count; id++)
        f->broker[id].count = (struct fleet_count){0};
    pthread_mutex_unlock(&f->lock);
}

struct fleet *fleet_new(const char *servers, int32_t count)
{
    struct fleet *f = calloc(1, sizeof *f);
    if (f == NULL || pipe(f->wake) != 0)
        fail("no memory, or no pipe");
    f->servers = servers;
    f->count = count;
    for (int32_t id = 1; id <= count; id++) {
        f->broker[id].listener = -1;
        for (int i = 0; i < CONNECTIONS; i++)
            f->broker[id].connection[i].fd = -1;
    }
    pthread_mutex_init(&f->lock, NULL);
    if (pthread_create(&f->thread, NULL, work, f) != 0)
        fail("no thread");
    return f;
}

void fleet_free(struct fleet *f)
{
    pthread_mutex_lock(&f->lock);
    f->ends = true;
    pthread_mutex_unlock(&f->lock);
    wake(f);
    pthread_join(f->thread, NULL);
    for (int32_t id = 1; id <= f->count; id++) {
        struct broker *b = &f->broker[id];
        if (b->session != NULL)
            zookeeper_close(b->session);
        if (b->port != 0)
            close(b->socket);
        for (int i = 0; i < CONNECTIONS; i++)
            drop(&b->connection[i]);
    }
    pthread_mutex_destroy(&f->lock);
    close(f->wake[0]);
    close(f->wake[1]);
    free(f->decoded);
    free(f);
}
