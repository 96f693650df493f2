/*
 * Connecting to a host and port without waiting: for sources and sinks of text.
 */
#ifndef STREAM_SOCKETS_H
#define STREAM_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "stream/stream.h"

/* The other end, its addresses tried in turn. */
struct peer {
    const st_socket *spec; /* borrowed */
    struct addrinfo *addresses, *next;
    uint32_t attempts; /* that failed, since the last one that was good for something */
};

/* Looks the addresses up, which may take a while; false with `why` (256 bytes). */
bool peer_open(struct peer *peer, const st_socket *spec, char *why);
void peer_close(struct peer *peer);
/* Begins to connect to the next address: a descriptor that does not block and is writable when it
 * is connected, or has failed. -1 with errno set. */
int peer_connect(struct peer *peer);
/* Is it connected? 1: yes; 0: not yet; -1 with errno set: it has failed. */
int peer_connected(int fd);
/* Notes a failed attempt; may there be another one? */
bool peer_retries(struct peer *peer);

#endif
