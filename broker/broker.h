/*
 * The broker part of a node: what it answers to clients, tools and controllers. A step function
 * over one flat block.
 *
 *     inputs                           kb_broker_step                        outputs
 *     batches of a controller ─┐     ┌─ metadata cache ──────────────┐    ┌─► answers to batches
 *     requests of clients     ─┼────►│      │ answered at once        ├───►├─► responses
 *     replies of ZooKeeper    ─┤     │      ▼ or waits in a slot      │    ├─► ZooKeeper requests
 *     answers of controller   ─┤     │  request, phase, response ─────┘    ├─► calls to the
 * controller timers                  ─┘     └─ until znodes, leaders, time       └─► timers, log
 *
 * A request that the cache alone can answer is answered in its step. Every other takes a slot: it
 * goes through phases, each of which waits for one thing (a reply, a call, leaders in the cache,
 * its deadline), and ends with exactly one response. Slots do not wait for each other, as Kafka's
 * request handler threads do not.
 *
 * Bounded: kb_broker_limits.requests slots. While kb_broker_has_room says no, the node takes no
 * request from any client: its listener stops reading, as Kafka's network threads do before a full
 * request queue.
 *
 * A node without data registers with a mark (see sm_znode_encode_broker) that nodes of ours
 * understand: automatic assignment leaves it out, and an explicit replica there is refused.
 *
 * Memory: kb_broker_size(limits) bytes that the caller owns, no pointer inside, copied by grow.
 * Beside it scratch memory for one step, which holds nothing between steps. No clock, no
 * allocation, no thread.
 *
 * Source: Kafka 2.8.2 kafka.server.KafkaApis, ZkAdminManager, kafka.zk.AdminZkClient,
 * ZkMetadataCache, DelayedCreatePartitions, DelayedDeleteTopics, DelayedElectLeader,
 * AutoTopicCreationManager, kafka.coordinator.transaction.ProducerIdManager.
 */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/groups.h"
#include "broker/metadata_cache.h"
#include "broker/payloads.h"
#include "broker/replicas.h"
#include "broker/settings.h"
#include "broker/transactions.h"
#include "statemachine/error.h"
#include "statemachine/znode.h"
#include "wire/coord.h"
#include "wire/messages.h"

struct kb_broker; /* opaque, 8-byte aligned */

struct kb_broker_limits {
    struct kb_cache_limits cache;
    uint32_t requests;      /* waiting at once; not grown by itself: see kb_broker_has_room */
    uint32_t request_bytes; /* of waiting requests and the responses that they will get */
    uint32_t data_calls;    /* requests that replicas or coordinators have not answered */
    uint32_t events;        /* between replicas and coordinators, within one step */
    struct kb_groups_limits groups; /* its partitions are set by the node's settings */
    struct kb_txns_limits txns;     /* so are these */
    uint32_t unused;
};
struct kb_broker_limits kb_broker_limits_default(void);

struct kb_broker_config {
    struct sm_broker broker; /* id, endpoints, rack */
    int32_t has_data;        /* 0: hosts no replica */
    uint32_t unused;
    uint64_t
        seed; /* of what Kafka draws by chance: where assignments begin, cluster and topic ids */
    /* The node's own properties, Kafka's keys: borrowed by init, which copies them. What they do
       not say has Kafka's default, but for auto.create.topics.enable, which is off unless it is
       said. */
    struct kb_props properties;
};

/* `properties` of `config` only decides the size. */
size_t kb_broker_size(const struct kb_broker_limits *limits, const struct kb_broker_config *config);
/* Returns how many bytes at the beginning of the block mean something between two steps; the others
   are zero then. */
size_t kb_broker_live(const struct kb_broker *b);
void kb_broker_init(struct kb_broker *b, const struct kb_broker_limits *limits,
                    const struct kb_broker_config *config);
const struct kb_broker_limits *kb_broker_limits(const struct kb_broker *b);
/* Returns the limits with the one named `short_of` larger; for growing. */
struct kb_broker_limits kb_broker_limits_above(const struct kb_broker_limits *limits,
                                               const char *short_of);
/* Bytes of a block grown from `b` to `limits`. */
size_t kb_broker_grown_size(const struct kb_broker *b, const struct kb_broker_limits *limits);
/* Copies `from` into the block `to` laid out for `limits` (none below the present ones). */
void kb_broker_grow(const struct kb_broker *from, struct kb_broker *to,
                    const struct kb_broker_limits *limits);

enum kb_broker_input_kind {
    KB_BROKER_IN_NONE,
    KB_BROKER_IN_SESSION_CREATED, /* a ZooKeeper session exists */
    KB_BROKER_IN_SESSION_EXPIRED, /* it is gone; what was asked is answered with SESSION_EXPIRED */
    KB_BROKER_IN_REGISTERED,      /* /brokers/ids/N was made: epoch (its czxid) */
    KB_BROKER_IN_REQUEST,         /* api, version, message, listener: to be answered as call_id */
    KB_BROKER_IN_BATCH,           /* api, batch, index: LeaderAndIsr, UpdateMetadata, StopReplica */
    KB_BROKER_IN_DROP,            /* the client of call_id has gone: no response is wanted */
    KB_BROKER_IN_ZK_REPLY,        /* reply */
    KB_BROKER_IN_TIMER,
    KB_BROKER_IN_CALL_ANSWER, /* call: the controller's answer to the call of call_id (take_call) */
    /* With data only. */
    KB_BROKER_IN_START,         /* the process begins over what is on disk; before all others */
    KB_BROKER_IN_PEER_RESPONSE, /* broker_id answered `correlation`: api, version, message */
    KB_BROKER_IN_SEND_FAILED,   /* broker_id: no answer to `correlation` will come */
    KB_BROKER_IN_SHUTTING_DOWN, /* the clean stop has begun */
    KB_BROKER_IN_DIR_FAILED,    /* value: log directory 0.. */
    KB_BROKER_IN_TOPIC_CONFIG,  /* topic, config */
    KB_BROKER_IN_BROKER_CONFIG, /* topic: the id of the broker whose settings were changed, or
                                   "<default>": what is this one's is read again */
};

/* Pointers are borrowed for the call; unused fields zero. */
struct kb_broker_input {
    uint32_t kind;
    int32_t api;
    int32_t version;
    uint32_t index; /* BATCH: this node's bit in the batch */
    uint64_t record;
    uint64_t call_id; /* REQUEST, BATCH, DROP: the caller's own, never 0 */
    int64_t epoch;
    bool is_controller; /* every input: the controller of this node is active */
    uint8_t unused[3];
    int32_t broker_id;
    uint32_t timer; /* TIMER: as it came in the output */
    int32_t value;  /* DIR_FAILED */
    uint64_t correlation;
    const void *message;     /* REQUEST: flat */
    size_t size;             /* of message */
    const char *listener;    /* REQUEST: the listener it came over; NULL: the node's first */
    const char *client_id;   /* REQUEST: as its header has it; NULL: none */
    const char *client_host; /* REQUEST: "/127.0.0.1"; NULL: not known */
    const char *topic;       /* TOPIC_CONFIG, BROKER_CONFIG */
    const struct kb_topic_config *config;
    int64_t wall_ms; /* the node's clock, ms since 1970; 0: now_us is since 1970 */
    const struct wire_batch *batch;
    const struct wire_zk_reply *reply;
    const struct wire_call *call;
};

enum kb_broker_output_kind {
    KB_BROKER_OUT_NONE,
    KB_BROKER_OUT_ZK,           /* request */
    KB_BROKER_OUT_RESPONSE,     /* call_id, api, version, message, size; message NULL: none, the
                            connection     is to be closed (acks=0 and an error) */
    KB_BROKER_OUT_BATCH_ANSWER, /* call_id, api, answer */
    KB_BROKER_OUT_TIMER,        /* wake me at due_us, replacing an earlier one of the same number
                                   `timer`; < 0: no longer. 0: its own; above: of coordinators and
                                   replicas */
    KB_BROKER_OUT_LOG,          /* text, a line of server.log at INFO */
    KB_BROKER_OUT_PEER_REQUEST, /* to broker_id, `correlation`: api, version, message, size */
    KB_BROKER_OUT_FATAL,        /* no log directory is left: the process ends */
    KB_BROKER_OUT_REPLICA,      /* note: replica: what changed in a log, as replicas.h tells it */
};

struct kb_broker_output {
    uint32_t kind;
    int32_t api;
    int32_t version;
    uint32_t unused;
    uint64_t by; /* trace record that caused it */
    uint64_t call_id;
    int64_t due_us;
    const void *message;
    size_t size;
    const struct wire_answer *answer;
    const struct wire_zk_request *request;
    const char *text;
    const struct kb_output *replica;
    int32_t broker_id;
    uint32_t timer;
    uint64_t correlation;
};

struct kb_broker_outputs {
    /* Called during the step, once per output, in order; pointers inside are valid during that call
       only. */
    void (*put)(void *context, const struct kb_broker_output *output);
    void *context;
    void *
        scratch; /* 8-byte aligned, contents irrelevant; may be shared by all brokers of a thread */
    size_t scratch_size;
    /* What a broker with data works on beside its block: its disks, which outlive it, and the bytes
       of all batches. Both NULL: it hosts nothing, whatever its config says. */
    struct kb_replicas *replicas;
    const struct kb_payloads *payloads;
    const char
        *short_of;         /* on SM_ERR_LIMIT: a limit's name, "groups." and one of struct
                              kb_groups_limits, "txns." and one of kb_txns_limits, "scratch", or "replicas."
                              and one of struct         kb_limits (kb_limits_above takes it as it is) */
    size_t scratch_needed; /* set where that is "scratch" */
};

/* Consumes one input at `now_us` (µs, never decreasing).
   Errors: LIMIT: grow and give the same input again, at the same time; what was put up to there is
   not put again. (What an UpdateMetadata has changed up to there stays, which the repetition says
   again.)
   A REQUEST while kb_broker_has_room says no is refused with ILLEGAL_STATE: nothing was taken. */
enum sm_err kb_broker_step(struct kb_broker *b, int64_t now_us, const struct kb_broker_input *in,
                           struct kb_broker_outputs *out);

/* Calls to the controller of this node are not outputs but wait to be taken, after a step: for the
   controller may answer, or say something to this broker, while it is called. take_call returns the
   next one and its number, or NULL; it lies in the block, until the next step. */
bool kb_broker_has_call(const struct kb_broker *b);
const struct wire_call *kb_broker_take_call(struct kb_broker *b, uint64_t *call_id);

/* Returns whether a request may be given. */
bool kb_broker_has_room(const struct kb_broker *b);
/* Returns whether no request waits and nothing is asked of ZooKeeper. */
bool kb_broker_is_quiet(const struct kb_broker *b);
/* Returns whether the API is served to clients, and so stands in ApiVersions. */
bool kb_broker_serves(int16_t api);
const struct kb_cache *kb_broker_cache(const struct kb_broker *b);
/* Its transaction coordinator, to look at; NULL: it hosts nothing. Aliases the block. */
const struct kb_txns *kb_broker_txns(const struct kb_broker *b);
const char *kb_broker_cluster_id(const struct kb_broker *b); /* "" until it is known */
void kb_broker_check(const struct kb_broker *b);

#endif
