/*
 * The embedded ZooKeeper server: a step function over one flat block.
 *
 * One server object is the whole ensemble. Sessions, ephemerals, sequential nodes, versions, czxid
 * and mzxid, one-shot watches, multi with check: as ZooKeeper 3.8 (proved equal by
 * tests/zookeeper against a real one). Replicated-server effects that a client can see are
 * modelled as inputs: a server that lags (reads of a connection are answered from an older state,
 * own writes always visible), a lost quorum (no reply, no expiry while it lasts).
 *
 * The server knows *connections* (numbers that the caller gives) and *sessions* (ids that it
 * gives). A session outlives its connection; it expires when nothing was heard of it for its
 * timeout. Heartbeats are inputs.
 *
 * Memory: lives in kz_server_size(limits) bytes that the caller owns; holds no pointer; may be
 * copied as bytes. Thread: none; one caller at a time. No clock, no allocation.
 */
#ifndef ZOOKEEPER_SERVER_H
#define ZOOKEEPER_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "statemachine/error.h"
#include "wire/coord.h"

struct kz_server; /* opaque: a block of bytes, 8-byte aligned */

/* Longest path, its NUL included. A create beyond it is refused with BADARGUMENTS (ZooKeeper itself
   has no limit but that of a packet). */
enum { KZ_PATH_MAX = 1024 };

/* Each is a capacity; kz_server_step says which one is short (struct kz_outputs.short_of). */
struct kz_limits {
    uint32_t nodes;   /* znodes, the root included */
    uint32_t bytes;   /* data of all znodes, names longer than 16 bytes, watched paths, and what
                         history keeps: each rounded up to 8, plus 8. A request needs room for
                         the new before it gives back the old. */
    uint32_t watches; /* armed (session, path, kind) */
    uint32_t sessions;
    uint32_t history; /* changes kept for lagging reads; 0: reads never lag */
};

size_t kz_server_size(const struct kz_limits *limits);

/* An empty tree (the root, and nothing else; real servers also hold /zookeeper, which is hidden
   here) at zxid 0. tick_us: expiry times are rounded up to a multiple of it (ZooKeeper's
   ExpiryQueue); session timeouts are clamped to [2, 20] ticks. */
void kz_server_init(struct kz_server *s, const struct kz_limits *limits, int64_t tick_us);

/* Copies `from` into the larger block `to` laid out for `limits` (none below its present one). */
void kz_server_grow(const struct kz_server *from, struct kz_server *to,
                    const struct kz_limits *limits);
const struct kz_limits *kz_server_limits(const struct kz_server *s);

enum kz_input_kind {
    KZ_IN_NONE,
    KZ_IN_CONNECT,    /* connection `conn` asks for session `session` (0: a new one) */
    KZ_IN_REQUEST,    /* `request` over `conn` */
    KZ_IN_HEARTBEAT,  /* a ping over `conn` */
    KZ_IN_DISCONNECT, /* the connection is gone (either side); the session lives on, and so do its
                         watches (see zookeeper/README.md): what they missed is told after the next
                         CONNECT, judged by the zxid given there, as the client's setWatches is */
    KZ_IN_CLOSE,      /* `conn` closes its session: ephemerals go at once */
    KZ_IN_TICK,       /* time passed: sessions that are due expire */
    KZ_IN_EXPIRE,     /* fault: session `session` expires now; `on`: its ephemerals stay, of nobody any
                         more (ZOOKEEPER-2985) */
    KZ_IN_QUORUM,     /* fault: `on` 0 lost, 1 regained */
    KZ_IN_LAG,        /* fault: reads over `conn` are answered as of `zxid` (0: no lag), and its
                         watches fire late; never older than what it has seen, nor than history */
    KZ_IN_LOST_EVENT, /* an EVENT put for `session` never reached its client (the connection broke
                         first): path and `on` = kz_output.watches of that event. Its watches are
                         armed again, as the client believes they are; judged at the next CONNECT */
    KZ_IN_LOST_REPLY, /* a REPLY with `watches` never reached its client, which thus does not hold
                         the watch that its read armed: path and `on` of that output. What was lost
                         is reported newest first, before the next CONNECT */
};

struct kz_input {
    uint32_t kind;
    uint32_t conn; /* 1.. */
    int64_t session;
    uint64_t password;  /* CONNECT with a session id */
    int64_t timeout_us; /* CONNECT: what the client asks for */
    int64_t zxid;       /* CONNECT: last seen by the client (in a reply); LAG */
    uint32_t on;
    uint32_t unused;
    const struct wire_zk_request *request; /* borrowed for the call */
    const char *path;                      /* LOST_EVENT, LOST_REPLY; borrowed for the call */
};

enum kz_output_kind {
    KZ_OUT_NONE,
    KZ_OUT_CONNECTED, /* to conn: session, password, timeout_us; session 0: refused, it has expired,
                         and a CLOSED follows */
    KZ_OUT_REPLY,     /* to conn: reply */
    KZ_OUT_EVENT,     /* to conn: a watch fired: type, path */
    KZ_OUT_CLOSED,    /* the server closes conn */
    KZ_OUT_EXPIRED,   /* note: session has expired (a client learns it on reconnecting); type 1: and
                         has left its ephemerals */
    KZ_OUT_APPLIED, /* note: one znode changed: opcode, path, zxid, stat, data; before the reply */
};

/* Outputs are records in the order in which they must be delivered; valid until the next call. */
struct kz_output {
    uint32_t kind;
    uint32_t conn;
    int64_t session;
    uint64_t password;
    int64_t timeout_us;
    int64_t zxid;
    uint32_t type; /* EVENT: enum wire_zk_event_type; APPLIED: enum wire_zk_opcode */
    uint32_t data_size;
    const char *path;                /* EVENT, APPLIED; REPLY: what was armed, or NULL */
    const uint8_t *data;             /* APPLIED: the new data, NULL for null or deleted */
    const struct wire_zk_stat *stat; /* APPLIED: the node after the change (before, for a delete) */
    const struct wire_zk_reply *reply; /* REPLY */
    uint32_t watches;                  /* bits of enum kz_watch_kind. EVENT: what fired; REPLY: what
                                          was armed by it and had not been before */
    uint32_t unused;
};

/* An exists watch is one armed on a path where no node was. */
enum kz_watch_kind { KZ_WATCH_DATA = 1, KZ_WATCH_EXISTS = 2, KZ_WATCH_CHILD = 4 };

/* A sink for outputs: the caller's function is called during kz_server_step, once per output, in
   order; pointers inside are valid during that call only. */
struct kz_outputs {
    void (*put)(void *context, const struct kz_output *output);
    void *context;
    const char *short_of; /* set on SM_ERR_LIMIT: the name of the field of kz_limits */
    void *scratch;        /* for replies and a multi's undo records, 8-byte aligned */
    size_t scratch_size;  /* a reply that does not fit gives SM_ERR_LIMIT with short_of "scratch" */
};

/* Consumes one input at `now_us` (µs since the start of the run, never decreasing).
   Errors: LIMIT, the server is then unchanged and nothing was put: grow and call again. */
enum sm_err kz_server_step(struct kz_server *s, int64_t now_us, const struct kz_input *in,
                           struct kz_outputs *out);

/* Returns when the next session is due to expire (call with KZ_IN_TICK then), or INT64_MAX. */
int64_t kz_server_next_tick(const struct kz_server *s);

/* ---- looking at the tree from outside (set-up, traces, tools); no watches, no session ---- */

int64_t kz_server_zxid(const struct kz_server *s);
/* True and stat, data (aliases the block until the next step) where `path` exists. */
bool kz_server_get(const struct kz_server *s, const char *path, struct wire_zk_stat *stat,
                   const uint8_t **data, uint32_t *data_size, bool *has_data);
/* Walks all nodes in path order, or children of `parent` in name order. Returns the next path after
   `previous` (NULL: first), NULL at the end; the string lives until the next call with the same
   buffer. `previous` may be the buffer. `buffer` must hold the path; KZ_PATH_MAX always does.
   A parent comes before its children, children in ascending byte order of their names. */
const char *kz_server_next_path(const struct kz_server *s, const char *previous, char *buffer,
                                size_t capacity);
/* Returns the path of the first child of `parent` (previous NULL) or of the one after the child
   `previous` (a path), NULL at the end. */
const char *kz_server_next_child(const struct kz_server *s, const char *parent,
                                 const char *previous, char *buffer, size_t capacity);
/* Puts a znode with a given stat (NULL: as if created now, by a change of its own), parents made as
   persistent nodes where missing (import of a dump); one that exists is overwritten. data NULL:
   null. cversion is the reported form (2 x creations - children), with stat->num_children as it
   was; the zxid of the server rises to the highest in the stat. An ephemeral owner that is no
   session here is kept as a number: nothing expires it. No watch fires, and nobody lags behind it.
   Errors: LIMIT (unchanged), SYNTAX (bad path), ILLEGAL_STATE (the parent is ephemeral, or an
   ephemeral stat for a node that has children). */
enum sm_err kz_server_put(struct kz_server *s, const char *path, const void *data, uint32_t size,
                          const struct wire_zk_stat *stat);
/* Returns the name of the limit that kz_server_put of this path and size would reach, or NULL. */
const char *kz_server_put_short_of(const struct kz_server *s, const char *path, uint32_t size);

/* Returns a digest of the state that a client can ever see: tree, versions, sessions, watches;
   independent of the order in which free slots were used and of the block's limits. */
uint64_t kz_server_digest(const struct kz_server *s);

/* Asserts every invariant of the block (tests and the explorer call it). */
void kz_server_check(const struct kz_server *s);

#endif
