/*
 * One process of a cluster: a ZooKeeper session, a controller, the broker's watch on configuration
 * changes and, where it is given one, a broker part that serves clients; the same in every mode.
 *
 *      KN_IN_*                                                        KN_OUT_*
 *   connected, reply, event ──► session ──► controller ──► batches, sends, answers, notes ──►
 *   answers, calls, timers  ──────────────►    │   ▲
 *                                  ▲           │   │ unclean election switched on
 *                                  └─ requests ┴── config watch (/config/changes)
 *   requests, batches ─────────► broker ──► responses, answers      (asks ZooKeeper, too)
 *                                  │ ▲
 *                       its calls  ▼ │  what the controller sends to its own id
 *                               controller
 *
 * What the controller sends to its own node never leaves it: Kafka's controller has a connection to
 * its own broker, here the batch goes straight into the broker part, and its answer comes back
 * before any other input (`more`). The output is still put, marked is_internal.
 *
 * The life of a process: start, connect, KC_IN_START (the controller registers the broker as its
 * first flow), work; a session that expires is told to the controller, which lets the next one be
 * made; a clean stop lets the controller resign, then closes the session. A process that is killed
 * is simply forgotten by its caller.
 *
 * Order at expiry: everything that waits for ZooKeeper is answered with SESSION_EXPIRED, then
 * KC_IN_SESSION_EXPIRED; whatever the controller asks from then on is answered the same way until
 * it says that its Expire event is in work; then a new session is opened, KC_IN_SESSION_CREATED.
 *
 * Memory: a struct that holds places of two blocks, which the caller owns and which grow through
 * `kn_outputs.grow`; everything else is flat. Thread: none. No clock, no allocation.
 *
 * Source: Kafka kafka.server.KafkaServer.startup and shutdown, kafka.zookeeper.ZooKeeperClient,
 * kafka.server.DynamicConfigManager, kafka.common.ZkNodeChangeNotificationListener.
 */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/broker.h"
#include "controller/controller.h"
#include "node/config_watch.h"
#include "node/session.h"

enum kn_state {
    KN_NEW,
    KN_STARTING, /* waits for its first session */
    KN_RUNNING,
    KN_STOPPING, /* the controller resigns */
    KN_STOPPED,
};

struct kn_node {
    int32_t id;
    uint32_t state;             /* enum kn_state */
    struct kn_session *session; /* blocks: owned by the caller, replaced in `grow` */
    struct kc_controller *controller;
    struct kn_config_watch config_watch;
    uint32_t deny_count; /* requests that waited when the session expired, not yet denied */
    uint32_t unused_count;
    uint64_t expired_record; /* record of the expiry in work */
    bool controller_has_more;
    bool session_has_expired; /* … and the controller has not been told */
    bool may_renew;           /* the controller lets a new session be made */
    bool has_failed;          /* start-up failed: the process ends */
    bool has_own_answer; /* the broker part has answered the controller, who has not heard it */
    bool listens;        /* has registered, once in this life */
    bool own_waits;      /* what the controller sent to its own broker part waits for an ISR write */
    uint8_t unused[1];
    int32_t own_api;
    struct kb_broker *broker; /* NULL: this process serves nobody */
    void *scratch;            /* of the broker part, for one step; may be shared between nodes */
    size_t scratch_size;
    /* What a broker part with data works on: its disks, which outlive the process, and the bytes of
       all batches. Both NULL where it hosts no replica. */
    struct kb_replicas *replicas;
    const struct kb_payloads *payloads;
    int64_t date_offset_us;   /* how wrong this machine's date is: what the broker part writes into
                                 records; 0 in the real world */
    uint64_t own_correlation; /* of that answer, or of what waits */
    uint64_t own_record;      /* of what waits */
    int32_t own_error, own_partition_error;
    uint32_t own_count, own_capacity;
    struct wire_answer_item *own_item; /* the caller's, as the blocks: grown to what it has */
};

/* Makes a node over two initialised blocks. A broker part is added by setting `broker`
   (initialised), `scratch` and `scratch_size`, before KN_IN_START; one with data has `replicas` and
   `payloads`, too. */
void kn_node_init(struct kn_node *n, int32_t id, struct kn_session *session,
                  struct kc_controller *controller);

enum kn_input_kind {
    KN_IN_NONE,
    KN_IN_START,        /* session, password: takes that session over; 0: asks for a new one */
    KN_IN_MORE,         /* the last step said `more` */
    KN_IN_CONNECTED,    /* session, password, timeout_us; session 0: it has expired */
    KN_IN_DISCONNECTED, /* the connection to ZooKeeper broke or could not be made */
    KN_IN_ZK_REPLY,     /* reply */
    KN_IN_ZK_EVENT,     /* event_type, path */
    KN_IN_PONG,         /* ZooKeeper answered a ping */
    KN_IN_ANSWER,       /* broker_id answered `correlation`: answer */
    KN_IN_SEND_FAILED,  /* broker_id, correlation: the connection broke before an answer */
    KN_IN_CALL,         /* call, to be answered as call_id */
    KN_IN_TIMER,        /* timer */
    KN_IN_BLOCK,        /* fault: the controller's event thread stops (on 1) or goes on (0) */
    KN_IN_STOP,         /* clean stop; KN_OUT_STOPPED when done */
    /* For the broker part. Ignored (and never answered) while kn_node_takes_requests (a batch:
       kn_node_listens) says no. */
    KN_IN_REQUEST,       /* a client's: call_id, api, version, message, size, listener, client */
    KN_IN_BATCH_REQUEST, /* LeaderAndIsr, UpdateMetadata, StopReplica from a controller: call_id,
                            api, batch, index: this node's bit in the batch. Not while
                            kn_node_must_wait. */
    KN_IN_DROP,          /* the client of call_id has gone: no response is wanted */
    KN_IN_PEER_RESPONSE, /* broker_id answered `correlation` of KN_OUT_PEER_REQUEST: api, version,
                            message, size */
    KN_IN_PEER_FAILED,   /* broker_id, correlation: no answer will come */
    KN_IN_DIR_FAILED,    /* value: number of the log directory that fails, 0.. */
    KN_IN_TOPIC_CONFIG,  /* path: a topic; config. To be given before the first LeaderAndIsr for it:
                            Kafka reads the topic's configuration when it makes the log */
};

/* Pointers are borrowed for the call; unused fields zero. */
struct kn_input {
    uint32_t kind;
    int32_t broker_id;
    uint64_t record; /* trace record of this input */
    uint64_t correlation;
    uint64_t call_id;
    int64_t session;
    uint64_t password;
    int64_t timeout_us;
    uint32_t timer;
    uint32_t event_type;
    int32_t on;
    int32_t api;
    int32_t version;
    uint32_t index;
    int32_t value;
    uint32_t unused;
    const char *path;
    const struct kb_topic_config *config;
    const struct wire_zk_reply *reply;
    const struct wire_answer *answer;
    const struct wire_call *call;
    const void *message;     /* REQUEST: flat (wire/flat.h) */
    size_t size;             /* of message */
    const char *listener;    /* REQUEST: it came over this one; NULL: the node's first */
    const char *client;      /* REQUEST: address of the client, for the log; may be NULL */
    const char *client_id;   /* REQUEST: as its header has it; NULL: none */
    const char *client_host; /* REQUEST: "/127.0.0.1"; NULL: not known */
    const struct wire_batch *batch;
};

/* The timers of a controller keep their numbers; these are the session's and the broker part's:
   that with number n (struct kb_broker_output.timer) is KN_TIMER_BROKER - n. */
#define KN_TIMER_SESSION UINT32_MAX
#define KN_TIMER_BROKER  (UINT32_MAX - 1)
enum { KN_BROKER_TIMERS = 1 << 16 };
/* Returns whether a timer is the broker part's. */
static inline bool kn_timer_is_broker(uint32_t timer)
{
    return timer <= KN_TIMER_BROKER && timer > KN_TIMER_BROKER - KN_BROKER_TIMERS;
}

enum kn_output_kind {
    KN_OUT_NONE,
    KN_OUT_CONTROLLER, /* an output of the controller, as it is: batches, sends, answers, notes; for
                          KC_OUT_ZK and KC_OUT_TIMER it comes first, to be recorded */
    KN_OUT_ZK_CONNECT, /* session (0: new), password, timeout_us, zxid */
    KN_OUT_ZK_HANG_UP,
    KN_OUT_ZK_SEND, /* request; record: what `put` gave for the controller's output, or for the
                       first KN_OUT_ZK_SEND of it; 0: not recorded yet; again: sent once before */
    KN_OUT_ZK_PING,
    KN_OUT_ZK_CLOSE, /* close the session */
    KN_OUT_SESSION,  /* note: the session as this client sees it: what, session, timeout_us */
    KN_OUT_TIMER,    /* arm `timer` for due_us, replacing an earlier one; < 0: cancel */
    KN_OUT_STOPPED,  /* the process has ended cleanly */
    KN_OUT_RESPONSE, /* to the client of call_id: api, version, message, size. message NULL: none is
                        due, and the connection is to be closed */
    KN_OUT_BATCH_ANSWER, /* to the controller of call_id: api, answer */
    KN_OUT_LOG,          /* note: text, a line of server.log */
    KN_OUT_PEER_REQUEST, /* of the broker part to broker_id, `correlation`: api, version, message,
                            size */
    KN_OUT_REPLICA,      /* note: replica: what changed in a log */
};

enum kn_session_what { KN_CREATED, KN_CONNECTED, KN_DISCONNECTED, KN_EXPIRED, KN_CLOSED };
const char *kn_session_what_name(enum kn_session_what what); /* "created", … static */

struct kn_output {
    uint32_t kind;
    uint32_t timer;
    uint64_t by; /* trace record that caused it */
    uint64_t record;
    int64_t session;
    uint64_t password;
    int64_t timeout_us;
    int64_t zxid;
    int64_t due_us;
    uint32_t what; /* enum kn_session_what */
    bool again;
    bool is_broker;   /* ZK_SEND: asked by the broker part (configuration), not by the controller */
    bool is_internal; /* CONTROLLER: a send to this node itself, which has been delivered */
    int32_t api;
    int32_t version;
    uint64_t call_id;
    const void *message;
    size_t size;
    const struct wire_answer *answer;
    const char *text;
    const struct wire_zk_request *request;
    const struct kc_output *controller;
    const struct kb_output *replica;
    uint64_t correlation;
    int32_t broker_id;
    uint32_t unused;
};

enum kn_block {
    KN_BLOCK_SESSION,
    KN_BLOCK_CONTROLLER,
    KN_BLOCK_REPLICAS, /* short_of as kb_limits_above takes it */
    KN_BLOCK_BROKER, /* short_of "scratch": the scratch memory, to at least scratch_needed bytes */
    KN_BLOCK_ANSWER, /* own_item, own_capacity: to at least scratch_needed bytes; the caller frees
                        it */
};

struct kn_outputs {
    /* Called during the step, once per output, in order; pointers are valid during that call only.
       Returns the number of the trace record that it made, 0 for none. */
    uint64_t (*put)(void *context, const struct kn_output *output);
    /* Grows one block of `node` (by copy, storing the new place in it) in its limit `short_of`.
       Returns false where it cannot grow any further: the step then ends with SM_ERR_LIMIT and the
       node must not be used again. */
    bool (*grow)(void *context, struct kn_node *node, enum kn_block block, const char *short_of);
    void *context;
    uint32_t touched;      /* set: blocks that this step may have changed, 1 << enum kn_block */
    bool more;             /* set: call again with KN_IN_MORE before any other input */
    const char *short_of;  /* on SM_ERR_LIMIT */
    size_t scratch_needed; /* while `grow` is called for "scratch", or for ANSWER */
};

/* Consumes one input at `now_us` (µs, never decreasing). Inputs that come too late for the state
   (an answer after the stop) are ignored. Errors: LIMIT, see grow. */
enum sm_err kn_node_step(struct kn_node *n, int64_t now_us, const struct kn_input *in,
                         struct kn_outputs *out);

/* Returns whether it takes calls: the controller has been started. */
bool kn_node_is_running(const struct kn_node *n);

/* Returns whether anybody can reach the broker part: it has registered and does not stop. Before,
   it does not know its own epoch, and could not tell what was meant for its former life. Source:
   KafkaServer.startup registers the broker before it lets processors handle requests. */
bool kn_node_listens(const struct kn_node *n);

/* Returns whether the broker part takes a client's request: it listens and has room. While not, the
   listener does not read from its clients; so what they send waits in their sockets, as it does
   before Kafka's full request queue.
 */
bool kn_node_takes_requests(const struct kn_node *n);

/* Returns whether a controller's request must not be handed in yet: it names a partition whose ISR
   write is not answered (kb_must_wait_for_isr). Nor must any that came behind it. */
bool kn_node_must_wait(const struct kn_node *n, enum wire_api api, const struct wire_batch *batch,
                       uint32_t index);

/* Returns whether nothing is under way but requests to brokers that is_dead(context, id) names. */
bool kn_node_is_quiet(const struct kn_node *n, bool (*is_dead)(void *, int32_t), void *context);

void kn_node_check(const struct kn_node *n);

#endif
