/*
 * A ZooKeeper client session: a step function over one flat block.
 *
 *               open                connected               lost
 *     IDLE ───────────► CONNECTING ───────────► CONNECTED ─────────► WAITING
 *                          ▲   │ session 0          │  ▲ (later)         │
 *        open              │   ▼                    │  └── CONNECTING ◄──┘
 *     ┌──────────────── EXPIRED                     ▼ close
 *     └─► a new session                          CLOSED
 *
 * Requests wait in a FIFO until their reply has come; ZooKeeper answers in the order of the
 * requests, so that a reply belongs to the head. A connection that breaks leaves the outcome of
 * what was sent unknown: nobody is told, and when the session is connected again everything without
 * a reply is sent once more, in order. That is what KafkaZkClient.retryRequestsUntilConnected does,
 * and why a write may find its own earlier self (BADVERSION, NODEEXISTS, NONODE).
 *
 * An expired session answers SESSION_EXPIRED to everything that waits and to everything new, until
 * it is opened again as a new session. A client learns of its expiry only on reconnecting.
 *
 * The client pings every third of the session timeout and gives the connection up when it has heard
 * nothing for two thirds (org.apache.zookeeper.ClientCnxn). Differs: ClientCnxn sleeps a random
 * part of a second before it connects again; here it is `reconnect_us`.
 *
 * Memory: kn_session_size(limits) bytes that the caller owns, no pointers inside; may be copied as
 * bytes. Thread: none. No clock, no allocation.
 */
#ifndef NODE_SESSION_H
#define NODE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "statemachine/error.h"
#include "wire/coord.h"

struct kn_session; /* opaque: a block of bytes, 8-byte aligned */

struct kn_session_limits {
    uint32_t request_bytes; /* requests without a reply, their headers included */
};
struct kn_session_config {
    int64_t timeout_us;   /* asked of the server; Kafka: zookeeper.session.timeout.ms, 18 s */
    int64_t reconnect_us; /* between a lost connection and the next try */
    uint32_t tried_once;  /* a session after an expired one is tried once only (KAFKA-5473) */
    uint32_t unused;
};

struct kn_session_limits kn_session_limits_default(void);
struct kn_session_config kn_session_config_default(void);

size_t kn_session_size(const struct kn_session_limits *limits);
void kn_session_init(struct kn_session *s, const struct kn_session_limits *limits,
                     const struct kn_session_config *config);
const struct kn_session_limits *kn_session_limits_of(const struct kn_session *s);
/* Copies `from` into the block `to` laid out for `limits` (none below the present ones). */
void kn_session_grow(const struct kn_session *from, struct kn_session *to,
                     const struct kn_session_limits *limits);

enum kn_session_state {
    KN_SESSION_IDLE,
    KN_SESSION_CONNECTING, /* a connection is being made */
    KN_SESSION_CONNECTED,
    KN_SESSION_WAITING, /* connection lost; the next try is timed */
    KN_SESSION_EXPIRED,
    KN_SESSION_CLOSED,
    KN_SESSION_STATE_END
};

enum kn_session_input_kind {
    KN_SESSION_IN_NONE,
    KN_SESSION_IN_OPEN,      /* from IDLE, EXPIRED: asks for a new session */
    KN_SESSION_IN_CONNECTED, /* the server's word: session, password, timeout_us; session 0: gone */
    KN_SESSION_IN_DISCONNECTED, /* the connection broke, or could not be made */
    KN_SESSION_IN_REQUEST,      /* request, owner, record */
    KN_SESSION_IN_REPLY,        /* reply: that of the head */
    KN_SESSION_IN_HEARD,        /* a pong, an event: the server lives */
    KN_SESSION_IN_TIMER,
    KN_SESSION_IN_DENY, /* in EXPIRED: the head is answered with SESSION_EXPIRED */
    KN_SESSION_IN_CLOSE,
};

struct kn_session_input {
    uint32_t kind;
    uint32_t owner; /* REQUEST: comes back with the reply */
    int64_t session;
    uint64_t password;
    int64_t timeout_us;
    uint64_t record; /* REQUEST: number of its trace record, comes back with the reply */
    const struct wire_zk_request *request; /* borrowed for the call; copied */
    const struct wire_zk_reply *reply;     /* borrowed */
};

enum kn_session_output_kind {
    KN_SESSION_OUT_NONE,
    KN_SESSION_OUT_CONNECT, /* make a connection: session (0: new), password, timeout_us, zxid */
    KN_SESSION_OUT_HANG_UP, /* give the connection up */
    KN_SESSION_OUT_SEND,    /* request over the connection; again: it was sent before */
    KN_SESSION_OUT_PING,
    KN_SESSION_OUT_CLOSE,     /* close the session over the connection */
    KN_SESSION_OUT_TIMER,     /* wake me at due_us (replaces an earlier one; < 0: no longer) */
    KN_SESSION_OUT_REPLY,     /* reply to a request of `owner`; always the last of its step */
    KN_SESSION_OUT_CREATED,   /* a new session exists */
    KN_SESSION_OUT_CONNECTED, /* the session goes on over a new connection */
    KN_SESSION_OUT_DISCONNECTED,
    KN_SESSION_OUT_EXPIRED,
    KN_SESSION_OUT_CLOSED,
};

struct kn_session_output {
    uint32_t kind;
    uint32_t owner;
    int64_t session;
    uint64_t password;
    int64_t timeout_us;
    int64_t zxid;
    int64_t due_us;
    uint64_t record;
    bool again;
    const struct wire_zk_request *request; /* valid during put; a nested REQUEST may move it */
    const struct wire_zk_reply *reply;
};

struct kn_session_outputs {
    void (*put)(void *context, const struct kn_session_output *output);
    void *context;
    const char *short_of; /* on SM_ERR_LIMIT: the field of kn_session_limits */
};

/* Consumes one input. Errors: LIMIT (REQUEST only), the session is then unchanged; ILLEGAL_STATE
   where the input does not fit the state (a reply with nothing outstanding): nothing changed. An
   input of a connection that is given up already must not be handed in: the caller numbers
   connections. */
enum sm_err kn_session_step(struct kn_session *s, int64_t now_us, const struct kn_session_input *in,
                            struct kn_session_outputs *out);

enum kn_session_state kn_session_state(const struct kn_session *s);
int64_t kn_session_id(const struct kn_session *s);           /* 0: none yet */
uint32_t kn_session_outstanding(const struct kn_session *s); /* requests without a reply */
void kn_session_check(const struct kn_session *s);

#endif
