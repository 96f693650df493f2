/*
 * The Kafka listener: takes connections and cuts what arrives into frames.
 *
 *     bytes ──► frame ──► `request`, and the connection is deaf ──► answer ──► it listens again
 *
 * A connection has one request in work at a time, as in Kafka, whose processor mutes the channel;
 * what a client has sent meanwhile waits in the socket. Whatever arrives, nothing but the
 * connection that sent it suffers: a size that is negative or too large closes it. Memory of a
 * connection grows with what has arrived. Connections that say nothing for long are closed, and
 * there is a most of them.
 *
 * Thread: the loop's. No callback comes from inside a call.
 *
 * Source: Kafka kafka.network.SocketServer, Processor;
 * org.apache.kafka.common.network.NetworkReceive.
 */
#ifndef LIVE_LISTENER_H
#define LIVE_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "live/settings.h"

struct live_listener;

struct live_listener_config {
    struct live_address address;
    int64_t request_max_bytes;
    int64_t idle_us; /* < 0: for ever */
    int32_t connections_max;
    /* A frame, without its size field; borrowed for the call. To be answered once with
       live_listener_answer or live_listener_close; may be done from inside. Returns false where it
       cannot be taken now: it stays, and is given again by live_listener_offer. */
    bool (*request)(void *context, uint64_t connection, const uint8_t *bytes, size_t size);
    /* The connection of a request that has not been answered is gone. May be NULL. */
    void (*gone)(void *context, uint64_t connection);
    void *context;
};

/* Returns an owned listener that listens, or NULL with libuv's error in *error (UV_EADDRINUSE, …).
 */
struct live_listener *live_listener_new(uv_loop_t *loop, const struct live_listener_config *config,
                                        int *error);
/* Closes everything; memory goes with the loop's next turns. NULL is fine. */
void live_listener_free(struct live_listener *listener);

/* The port that it listens on. */
int32_t live_listener_port(const struct live_listener *listener);

/* Sends an answer, size field included: takes `bytes` (from malloc). A connection that is gone
   meanwhile is none: the bytes are freed. bytes NULL: there is no answer (acks=0), go on. */
void live_listener_answer(struct live_listener *listener, uint64_t connection, uint8_t *bytes,
                          size_t size);
/* Closes a connection; one that is gone already is none. */
void live_listener_close(struct live_listener *listener, uint64_t connection);

/* Gives requests again that could not be taken, oldest first, until one cannot be taken again. */
void live_listener_offer(struct live_listener *listener);

uint32_t live_listener_connections(const struct live_listener *listener);
/* Writes the peer's address ("127.0.0.1") into `out`; "" where it is gone. */
void live_listener_peer(const struct live_listener *listener, uint64_t connection, char *out,
                        size_t capacity);

#endif
