/*
 * Requests of clients: frames of the listener to inputs of the node, and its answers back to bytes.
 *
 *     frame ──► header ──► body ──► call or message ──► node ──► answer ──► frame
 *                 │          │
 *                 │          └── makes no sense: the connection is closed, as in Kafka
 *                 └── an API or version that nobody has: closed; but ApiVersions is answered in
 *                     version 0 with UNSUPPORTED_VERSION and the range, for the client to try again
 *
 * A request in work is known by a number; its answer finds the connection by it, if that still is.
 *
 * Source: Kafka kafka.server.KafkaApis, kafka.network.RequestChannel;
 * ApiVersionsRequest.getErrorResponse (KIP-511).
 */
#ifndef LIVE_SERVE_H
#define LIVE_SERVE_H

#include <stddef.h>
#include <stdint.h>

#include "wire/messages.h"

struct live_process;
struct live_serve;

/* Returns an owned server over the process's listener. */
struct live_serve *live_serve_new(struct live_process *p);
void live_serve_free(struct live_serve *s); /* NULL is fine */

/* A frame of connection (live_listener_config.request; context: the struct live_process). */
void live_serve_request(void *context, uint64_t connection, const uint8_t *bytes, size_t size);

/* The controller has answered a call. */
void live_serve_reply(struct live_serve *s, uint64_t call_id, const struct wire_call *call);

#endif
