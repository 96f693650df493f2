/*
 * Connecting, see sockets.h.
 */
#include "stream/sockets.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

bool peer_open(struct peer *peer, const st_socket *spec, char *why)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char port[16];
    *peer = (struct peer){.spec = spec};
    snprintf(port, sizeof port, "%u", spec->port);
    int err = getaddrinfo(spec->host, port, &hints, &peer->addresses);
    if (err != 0) {
        peer->addresses = NULL;
        snprintf(why, 256, "%.150s: %s", spec->host, gai_strerror(err));
    }
    peer->next = peer->addresses;
    return err == 0;
}

void peer_close(struct peer *peer)
{
    if (peer->addresses != NULL) {
        freeaddrinfo(peer->addresses);
        peer->addresses = NULL;
    }
}

int peer_connect(struct peer *peer)
{
    const struct addrinfo *to = peer->next;
    peer->next = to->ai_next != NULL ? to->ai_next : peer->addresses;
    int fd = socket(to->ai_family, to->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, to->ai_protocol);
    if (fd >= 0 && connect(fd, to->ai_addr, to->ai_addrlen) != 0 && errno != EINPROGRESS) {
        int err = errno;
        close(fd);
        errno = err;
        fd = -1;
    }
    return fd;
}

int peer_connected(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLOUT};
    int err = 0;
    socklen_t size = sizeof err;
    if (poll(&one, 1, 0) <= 0) {
        return 0;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size) != 0 || err != 0) {
        errno = err != 0 ? err : errno;
        return -1;
    }
    return 1;
}

bool peer_retries(struct peer *peer)
{
    peer->attempts++;
    return peer->spec->retries < 0 || peer->attempts <= (uint32_t)peer->spec->retries;
}
