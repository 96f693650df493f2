#define _GNU_SOURCE
#include "proxy.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct proxy {
    int listener, port, server_port;
    int client, server; /* -1: none */
    int wake[2];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool block_requests, block_replies, closed, cutting, ending;
};

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void close_pair(struct proxy *p)
{
    if (p->client >= 0)
        close(p->client);
    if (p->server >= 0)
        close(p->server);
    p->client = p->server = -1;
}

static void accept_client(struct proxy *p)
{
    struct sockaddr_in to = loopback(p->server_port);
    int one = 1;
    p->client = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
    p->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p->client < 0 || connect(p->server, (struct sockaddr *)&to, sizeof to) != 0) {
        close_pair(p);
        return;
    }
    setsockopt(p->client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(p->server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* Passes on what there is; false at the end of the stream. */
static bool pass(int from, int to)
{
    char bytes[65536];
    ssize_t n = recv(from, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    for (ssize_t sent = 0, k; sent < n; sent += k)
        if ((k = send(to, bytes + sent, (size_t)(n - sent), MSG_NOSIGNAL)) <= 0)
            return false;
    return true;
}

/* Says the end to the server and waits until it says so too. */
static void cut(struct proxy *p)
{
    char bytes[4096];
    if (p->server >= 0) {
        shutdown(p->server, SHUT_WR);
        while (recv(p->server, bytes, sizeof bytes, 0) > 0)
            ;
    }
    close_pair(p);
    p->closed = true;
    p->cutting = false;
    pthread_cond_broadcast(&p->changed);
}

static void turn(struct proxy *p)
{
    bool joined = p->client >= 0;
    struct pollfd fds[4] = {
        {.fd = p->wake[0], .events = POLLIN},
        {.fd = joined || p->closed ? -1 : p->listener, .events = POLLIN},
        {.fd = joined && !p->block_requests ? p->client : -1, .events = POLLIN},
        {.fd = joined && !p->block_replies ? p->server : -1, .events = POLLIN},
    };
    pthread_mutex_unlock(&p->lock);
    poll(fds, 4, -1);
    pthread_mutex_lock(&p->lock);
    char byte;
    if (fds[0].revents && read(p->wake[0], &byte, 1) < 0)
        abort();
    if (p->cutting) {
        cut(p);
        return;
    }
    if (fds[0].revents) /* what is blocked may have changed */
        return;
    if (fds[1].revents)
        accept_client(p);
    else if ((fds[2].revents && !pass(p->client, p->server)) ||
             (fds[3].revents && !pass(p->server, p->client)))
        close_pair(p);
}

static void *run(void *argument)
{
    struct proxy *p = argument;
    pthread_mutex_lock(&p->lock);
    while (!p->ending)
        turn(p);
    close_pair(p);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void tell(struct proxy *p)
{
    if (write(p->wake[1], "", 1) != 1)
        abort();
}

struct proxy *proxy_new(int server_port)
{
    struct proxy *p = calloc(1, sizeof *p);
    struct sockaddr_in at = loopback(0);
    socklen_t size = sizeof at;
    p->server_port = server_port;
    p->client = p->server = -1;
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(p->listener, (struct sockaddr *)&at, size) != 0 || listen(p->listener, 8) != 0 ||
        getsockname(p->listener, (struct sockaddr *)&at, &size) != 0 ||
        pipe2(p->wake, O_CLOEXEC) != 0)
        abort();
    p->port = ntohs(at.sin_port);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    pthread_create(&p->thread, NULL, run, p);
    return p;
}

int proxy_port(const struct proxy *p)
{
    return p->port;
}

void proxy_block(struct proxy *p, bool requests, bool replies)
{
    pthread_mutex_lock(&p->lock);
    p->block_requests = requests;
    p->block_replies = replies;
    pthread_mutex_unlock(&p->lock);
    tell(p);
}

void proxy_cut(struct proxy *p)
{
    pthread_mutex_lock(&p->lock);
    p->cutting = true;
    tell(p);
    while (p->cutting)
        pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

void proxy_open(struct proxy *p)
{
    pthread_mutex_lock(&p->lock);
    p->closed = p->block_requests = p->block_replies = false;
    pthread_mutex_unlock(&p->lock);
    tell(p);
}

void proxy_free(struct proxy *p)
{
    pthread_mutex_lock(&p->lock);
    p->ending = true;
    pthread_mutex_unlock(&p->lock);
    tell(p);
    pthread_join(p->thread, NULL);
    close(p->listener);
    close(p->wake[0]);
    close(p->wake[1]);
    free(p);
}
