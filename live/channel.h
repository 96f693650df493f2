/*
 * Connections to brokers: one to each, one request in flight, as Kafka's RequestSendThread.
 *
 *     send ──► resolve ──► connect ──► write ──► read ──► answered
 *                 │            │          │        │
 *                 └────────────┴──────────┴────────┴────► failed   (the connection is closed)
 *
 * A request whose connection breaks, or that is not answered in time, has failed, outcome unknown;
 * whether it is sent again is the caller's business. A connection that the broker closes while
 * nothing is in flight is made anew by the next send. Nothing here knows what a request says.
 *
 * Bytes: a request is a head of its own and a body that may be shared by many recipients; a body is
 * counted, and goes when the last write of it is done. An answer is read into a buffer that grows
 * with what has arrived, never with what a size field promises.
 *
 * Thread: the loop's. No callback comes from inside a call.
 *
 * Source: Kafka kafka.controller.ControllerChannelManager, RequestSendThread;
 * org.apache.kafka.clients.NetworkClient.
 */
#ifndef LIVE_CHANNEL_H
#define LIVE_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "live/settings.h"

struct live_channels;

/* Bytes that several writes may share. */
struct live_body {
    uint32_t references;
    size_t size;
    uint8_t bytes[];
};
/* Returns a body with one reference, its bytes not set; aborts where memory is short. */
struct live_body *live_body_new(size_t size);
void live_body_release(struct live_body *body); /* NULL is fine */

enum { LIVE_HEAD_MAX = 320 };

struct live_request {
    int32_t broker_id;
    int32_t api; /* the caller's own, as `tag`: come back with the answer */
    uint64_t tag;
    uint64_t correlation; /* on the wire are its low 31 bits */
    struct live_address address;
    uint8_t head[LIVE_HEAD_MAX]; /* size field, request header, first bytes of the message */
    size_t head_size;
    struct live_body *body; /* taken: one reference; NULL: none */
    size_t body_from;       /* bytes of it that are not written */
};

struct live_channels_config {
    int64_t connect_timeout_us; /* controller.socket.timeout.ms */
    int64_t request_timeout_us; /* request.timeout.ms */
    /* The answer: the bytes behind its size field. All is borrowed; the request has no body. */
    void (*answered)(void *context, const struct live_request *request, const uint8_t *bytes,
                     size_t size);
    void (*failed)(void *context, const struct live_request *request, const char *why);
    void *context;
};

/* Returns owned channels. */
struct live_channels *live_channels_new(uv_loop_t *loop, const struct live_channels_config *config);
/* Closes all; memory goes with the loop's next turns, so the loop must run on. NULL is fine. */
void live_channels_free(struct live_channels *channels);

/* Sends a request; the one before it to that broker must have been answered or have failed, or been
   forgotten by live_channel_close. */
void live_channel_send(struct live_channels *channels, struct live_request *request);
/* Closes the connection to a broker; what was in flight is forgotten. */
void live_channel_close(struct live_channels *channels, int32_t broker_id);
/* Bytes that wait to be written, of all channels. */
size_t live_channels_waiting_bytes(const struct live_channels *channels);

#endif
