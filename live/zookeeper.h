/*
 * A node's ZooKeeper session on a real ZooKeeper, through its C client.
 *
 *   node/session.c            this adapter (loop thread)               threads of the C client
 *   CONNECT, HANG_UP   ──►    connects, numbers connections     ──►    zookeeper_init, zoo_a…
 *   SEND, PING, CLOSE  ──►    FIFO of requests                         completions, watcher
 *   KN_IN_…            ◄──    in order: `take`                  ◄──    copy, queue, wake the loop
 *                             bulk reads: a connection of its own (live/bulk_read.h)
 *
 * What node/session.h expects holds: replies come in the order of the requests; a broken connection
 * is told once and answers nothing that was under way; expiry is told when the session asks to be
 * connected again (session 0); events that a reconnection brings arrive after CONNECTED and before
 * replies; nothing of a connection that was given up is told. Pings are the C client's business: it
 * drops a silent connection by itself after two thirds of the session timeout, and PING is answered
 * with PONG while it has one.
 *
 * A request that is a multi of nothing but GET_DATA or GET_CHILDREN is a bulk read: not atomic, each
 * result with its own error, `err` of the reply OK, stats of GET_CHILDREN zero, no watch armed. See
 * live/README.md for what a bulk read does not promise about watches.
 *
 * Paths go out below the chroot of the connect string and come back without it.
 *
 * Differs: the zxid of a reply is the highest that this session can know of (the C client shows
 * none but those in stats). A CREATE inside a multi has no stat (ZooKeeper sends none).
 *
 * The process must ignore SIGPIPE, as libuv asks of everybody who writes to sockets.
 *
 * Thread: all functions and callbacks belong to the thread of the loop; no callback comes from
 * inside a call. Calls that are not answered with an input never block.
 *
 * Source: org.apache.zookeeper.ClientCnxn as kafka.zookeeper.ZooKeeperClient uses it; zookeeper.h.
 */
#ifndef LIVE_ZOOKEEPER_H
#define LIVE_ZOOKEEPER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "wire/coord.h"

struct live_zookeeper; /* opaque */

enum live_zk_input_kind {
    LIVE_ZK_NONE,
    LIVE_ZK_CONNECTED,    /* session, password, timeout_us as negotiated; session 0: it expired */
    LIVE_ZK_DISCONNECTED, /* the connection broke, or could not be made */
    LIVE_ZK_REPLY,        /* reply, latency_us */
    LIVE_ZK_EVENT,        /* event_type, path */
    LIVE_ZK_PONG,
    LIVE_ZK_CLOSED, /* what live_zookeeper_close asked for is done: the session is gone at once
                       where the server could be reached, else it will expire. Not for the node. */
};

/* Pointers are borrowed for the call. All but CLOSED map to the KN_IN_ input of the same name. */
struct live_zk_input {
    enum live_zk_input_kind kind;
    uint32_t event_type; /* enum wire_zk_event_type */
    int64_t session;
    uint64_t password; /* stands for the real one, which stays inside */
    int64_t timeout_us;
    int64_t latency_us; /* REPLY: since live_zookeeper_send */
    const char *path;
    const struct wire_zk_reply *reply;
};

enum live_zk_level { LIVE_ZK_ERROR, LIVE_ZK_WARN, LIVE_ZK_INFO, LIVE_ZK_DEBUG };

struct live_zookeeper_config {
    const char *servers; /* "host:port,host:port/chroot"; port 2181 where none is given; copied */
    uint32_t bulk;       /* 1: bulk reads go over a connection of their own as multiRead, where the
                            server knows it (3.6); 0: as single reads */
    uint32_t in_flight;  /* requests in the hands of the C client at once, the others wait; 0: 4096,
                            at most 16384 */
    uint32_t request_bytes_max;   /* of one request on the wire, as jute.maxbuffer of the servers:
                                     a larger one is refused with MARSHALLING (the server would only
                                     drop the connection, for ever); 0: 1048575 */
    enum live_zk_level log_level; /* the most that is logged of the C client */
    /* One input for the node. May call any function but live_zookeeper_free. */
    void (*take)(void *context, const struct live_zk_input *input);
    /* One line for the log, without a newline. May be NULL. Lines of the C client carry no handle:
       those of all adapters of a process go to the oldest one. */
    void (*log)(void *context, enum live_zk_level level, const char *text);
    void *context;
};

/* Counters since the start, under the names of Kafka's metrics where there is one. */
struct live_zookeeper_counters {
    uint64_t requests; /* sent, bulk reads counted once */
    uint64_t replies;
    uint64_t events;
    uint64_t bulk_reads;     /* sent as multiRead */
    uint64_t bulk_fallbacks; /* bulk reads made of single reads */
    /* SessionExpireListener: ZooKeeperDisconnectsPerSec, …SyncConnects…, …Expires…,
       …AuthFailures…, …ReadOnlyConnects… */
    uint64_t disconnects, sync_connects, expires, auth_failures, read_only_connects;
};

/* Returns an owned adapter, which neither connects nor resolves yet; NULL where config->servers
   makes no sense, with the reason in `error` (error_size bytes). */
struct live_zookeeper *live_zookeeper_new(uv_loop_t *loop,
                                          const struct live_zookeeper_config *config, char *error,
                                          size_t error_size);

/* Asks for a connection: session 0 for a new session, otherwise the one to go on with and the
   password that came with it. Answered once, with CONNECTED, or with DISCONNECTED where not one
   server's name can be resolved (which is logged); with servers that do not answer it keeps
   trying until live_zookeeper_hang_up. timeout_us: of the session, asked of the server. */
void live_zookeeper_connect(struct live_zookeeper *z, int64_t session, uint64_t password,
                            int64_t timeout_us);
/* Gives the connection up without a word. The session lives on; nothing under way is answered. */
void live_zookeeper_hang_up(struct live_zookeeper *z);
/* Sends; copies the request. Without a connection it is dropped: the node will send again. */
void live_zookeeper_send(struct live_zookeeper *z, const struct wire_zk_request *request);
/* Answered with PONG if there is a connection. */
void live_zookeeper_ping(struct live_zookeeper *z);
/* Closes the session at the server: its ephemerals go at once. Answered with CLOSED, within some 5
   s even where the server is silent, and nothing else after it. */
void live_zookeeper_close(struct live_zookeeper *z);

/* Ends everything (closing the session as above if that has not been done) and frees; `done` comes
   from the loop when nothing of `z` is left. May be NULL. */
void live_zookeeper_free(struct live_zookeeper *z, void (*done)(void *context), void *context);

/* Requests that have not been answered. */
uint32_t live_zookeeper_outstanding(const struct live_zookeeper *z);
/* The highest zxid seen, 0 for none. */
int64_t live_zookeeper_zxid(const struct live_zookeeper *z);
/* Kafka's gauge SessionState: "CONNECTED", "CONNECTING", "CLOSED", "NOT_CONNECTED",
   "CONNECTEDREADONLY", "AUTH_FAILED" (ZooKeeper.States). Static. */
const char *live_zookeeper_state_name(const struct live_zookeeper *z);
struct live_zookeeper_counters live_zookeeper_counters(const struct live_zookeeper *z);

#endif
