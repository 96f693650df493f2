/*
 * A connection of its own for bulk reads, since the C client cannot send a multiRead.
 *
 *            connect            handshake done
 *   DOWN ───────────► TRYING ─────────────────► READY ──┐ broken, silent
 *    ▲                  │ next server, or later         │
 *    └──────────────────┴───────────────────────────────┘    UNSUPPORTED: for good
 *
 * It has a session of its own (nothing hangs on it: no watch, no ephemeral), pings it, and goes on
 * with it after a reconnection. It prefers the server that the main session is connected to. Before
 * a read goes out, and something has been heard over the main connection since the last time, a
 * `sync` goes out in front of it: the server then answers from a state that holds all that the main
 * session has seen, even where it is another server that lags.
 *
 * Reads are answered in their order. Those under way when the connection breaks are handed back
 * (`failed`), and so are those that the server does not know (before 3.6): it says UNIMPLEMENTED,
 * or just closes the connection. Two connections in a row that end so before one multiRead was ever
 * answered mean UNSUPPORTED.
 *
 * Internal to live/. Thread: that of the loop; no callback comes from inside a call.
 */
#ifndef LIVE_BULK_READ_H
#define LIVE_BULK_READ_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "live/zookeeper_servers.h"
#include "wire/coord.h"

struct live_bulk; /* opaque */

enum live_bulk_state {
    LIVE_BULK_DOWN,
    LIVE_BULK_TRYING,
    LIVE_BULK_READY,
    LIVE_BULK_UNSUPPORTED,
    LIVE_BULK_CLOSING
};

struct live_bulk_config {
    const char *chroot; /* borrowed for its life */
    /* The answer to the oldest read; takes `reply`. */
    void (*answered)(void *context, void *owner, struct wire_zk_reply *reply);
    /* The oldest read will not be answered. This and `changed` must not stop or free. */
    void (*failed)(void *context, void *owner);
    void (*changed)(void *context); /* the state, or nearness */
    void (*say)(void *context, bool is_warning, const char *text);
    void *context;
};

struct live_bulk *live_bulk_new(uv_loop_t *loop, const struct live_bulk_config *config);

/* Begins to connect, where it has not; goes on trying until live_bulk_stop. `first` (may be NULL)
   is tried before the addresses. timeout_ms: of its session. */
void live_bulk_start(struct live_bulk *b, const struct live_zk_addresses *addresses,
                     const struct sockaddr_storage *first, int32_t timeout_ms);
/* Gives connection and reads up, without callbacks; its session is kept for the next start. */
void live_bulk_stop(struct live_bulk *b);
/* Something was heard over the main connection, up to `zxid`. */
void live_bulk_heard(struct live_bulk *b, int64_t zxid);

enum live_bulk_state live_bulk_state(const struct live_bulk *b);
/* Whether it is worth waiting for it: TRYING, and not for long yet. */
bool live_bulk_is_near(const struct live_bulk *b);

/* READY: sends a read. `request` is borrowed until answered, failed or stopped. */
void live_bulk_send(struct live_bulk *b, const struct wire_zk_request *request, void *owner);

/* Closes its session and frees; `freed` comes from the loop. */
void live_bulk_free(struct live_bulk *b, void (*freed)(void *context), void *context);

#endif
