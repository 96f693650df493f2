#define _GNU_SOURCE
#include "fake_broker.h"

#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

enum { APIS = 64, FRAME_MAX = 1 << 20 };

struct fake_broker {
    struct fake_broker *older;
    int32_t id;
    int listener, port;
    zhandle_t *zk;
    pthread_t thread;
    atomic_int count[APIS];
    atomic_bool is_over;
};

static struct fake_broker *newest; /* they outlive their stop: see there */

static bool read_all(int fd, uint8_t *to, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t got = recv(fd, to + at, size - at, 0);
        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return true;
}

/* size, correlation id, no tags of the header; error 0; LeaderAndIsr 4 and StopReplica 3: an empty
   array; no tags. */
static bool answer(int fd, const uint8_t *frame)
{
    uint8_t out[13] = {0};
    bool has_array = frame[1] != 6; /* UpdateMetadata has none */
    size_t size = has_array ? 13 : 12;
    out[3] = (uint8_t)(size - 4);
    memcpy(out + 4, frame + 4, 4);
    out[11] = has_array ? 1 : 0;
    return send(fd, out, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static void serve(struct fake_broker *b, int fd)
{
    uint8_t *frame = malloc(FRAME_MAX), head[4];
    assert(frame != NULL);
    while (read_all(fd, head, 4)) {
        size_t size = (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
        if (size < 8 || size > FRAME_MAX || !read_all(fd, frame, size) || frame[1] >= APIS)
            break;
        b->count[frame[1]]++;
        if (!answer(fd, frame))
            break;
    }
    free(frame);
    close(fd);
}

static void *run(void *context)
{
    struct fake_broker *b = context;
    while (!b->is_over) {
        int fd = accept(b->listener, NULL, NULL);
        if (fd >= 0)
            serve(b, fd);
    }
    return NULL;
}

static void listen_somewhere(struct fake_broker *b)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    b->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = bind(b->listener, (struct sockaddr *)&at, sizeof at);
    assert(rc == 0);
    rc = listen(b->listener, 8);
    assert(rc == 0);
    getsockname(b->listener, (struct sockaddr *)&at, &size);
    b->port = ntohs(at.sin_port);
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void enroll(struct fake_broker *b, const char *hosts)
{
    char path[64], json[512];
    b->zk = zookeeper_init(hosts, NULL, 10000, NULL, NULL, 0);
    assert(b->zk != NULL);
    for (int i = 0; zoo_state(b->zk) != ZOO_CONNECTED_STATE && i < 1000; i++)
        pause_ms(10);
    snprintf(path, sizeof path, "/brokers/ids/%d", b->id);
    snprintf(json, sizeof json,
             "{\"listener_security_protocol_map\":{\"PLAINTEXT\":\"PLAINTEXT\"},\"endpoints\":"
             "[\"PLAINTEXT://127.0.0.1:%d\"],\"jmx_port\":-1,\"port\":%d,\"host\":\"127.0.0.1\","
             "\"version\":4,\"timestamp\":\"1\"}",
             b->port, b->port);
    int rc = zoo_create(b->zk, path, json, (int)strlen(json), &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL,
                        NULL, 0);
    assert(rc == ZOK);
}

struct fake_broker *fake_broker_start(const char *hosts, int32_t id)
{
    struct fake_broker *b = calloc(1, sizeof *b);
    assert(b != NULL);
    b->older = newest;
    newest = b;
    b->id = id;
    listen_somewhere(b);
    int rc = pthread_create(&b->thread, NULL, run, b);
    assert(rc == 0);
    enroll(b, hosts);
    return b;
}

void fake_broker_stop(struct fake_broker *b)
{
    zookeeper_close(b->zk);
    b->is_over = true;
    shutdown(b->listener, SHUT_RDWR);
    close(b->listener);
    pthread_detach(b->thread); /* may still read from a connection that nobody closes */
}

int fake_broker_count(const struct fake_broker *b, int api)
{
    return b->count[api];
}

bool fake_broker_await(const struct fake_broker *b, int api, int count)
{
    for (int i = 0; i < 2000 && fake_broker_count(b, api) < count; i++)
        pause_ms(10);
    return fake_broker_count(b, api) >= count;
}
