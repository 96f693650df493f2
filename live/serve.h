/*
 * Requests of clients and of other controllers: frames of the listener to inputs of the node, and
 * its responses back to bytes.
 *
 *     frame ──► header ──► body ──► message, or batch ──► node ──► response ──► frame
 *                 │          │
 *                 │          └── makes no sense: the connection is closed, as in Kafka
 *                 └── an API or version that nobody has: closed; but ApiVersions is answered in
 *                     version 0 with UNSUPPORTED_VERSION and the range, for the client to try again
 *
 * A connection has one request in work, so the number of the connection names the request. While
 * the node has something else to do, or no room, requests stay in their connections.
 *
 * Source: Kafka kafka.server.KafkaApis, kafka.network.RequestChannel;
 * ApiVersionsRequest.getErrorResponse (KIP-511).
 */
#ifndef LIVE_SERVE_H
#define LIVE_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/messages.h"

struct live_process;
struct live_serve;

/* Returns an owned server over the process's listener. */
struct live_serve *live_serve_new(struct live_process *p);
void live_serve_free(struct live_serve *s); /* NULL is fine */

/* For live_listener_config; context: the struct live_process. */
bool live_serve_request(void *context, uint64_t connection, const uint8_t *bytes, size_t size);
void live_serve_gone(void *context, uint64_t connection);

/* The node has answered: a flat message (NULL: none, the connection is to be closed), or the answer
   to another controller's batch. A connection that is gone is none. */
void live_serve_response(struct live_serve *s, uint64_t connection, const void *message);
void live_serve_batch_answer(struct live_serve *s, uint64_t connection,
                             const struct wire_answer *answer);

#endif
