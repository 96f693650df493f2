/*
 * The controller: a step function over one flat block.
 *
 *     inputs                          kc_controller_step                      outputs
 *     session, watch events  ─┐     ┌─ queue ─► event ─► flow ─► rows ─┐    ┌─► ZooKeeper requests
 *     ZooKeeper replies      ─┼────►│   ▲          (one at a time)     │───►├─► requests to brokers
 *     answers of brokers     ─┤     └───┴── while a flow waits,        ┘    ├─► answers, timers
 *     calls, timers          ─┘              other inputs only queue        └─► notes (trace, log)
 *
 * As on Kafka's controller event thread, one event is in work at a time; what arrives meanwhile
 * waits in the queue. Where a flow waits for ZooKeeper, its place is a stack of frames in the
 * block, not a C stack, so that the whole controller may be copied, compared and hashed as bytes.
 *
 * Memory: lives in kc_controller_size(limits) bytes that the caller owns, holds no pointer. Nothing
 * is allocated, no clock is read, nothing is iterated in hash order. Thread: none; one caller at a
 * time. The same object runs in the simulator and against a real ZooKeeper.
 *
 * Source: Kafka 2.8.2 kafka.controller.KafkaController, ControllerEventManager,
 * ReplicaStateMachine, PartitionStateMachine, ControllerChannelManager, TopicDeletionManager;
 * kafka.zk.KafkaZkClient.
 */
#ifndef CONTROLLER_CONTROLLER_H
#define CONTROLLER_CONTROLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "statemachine/assignment.h"
#include "statemachine/election.h"
#include "statemachine/error.h"
#include "statemachine/leader_and_isr.h"
#include "statemachine/partition_state.h"
#include "statemachine/profile.h"
#include "statemachine/replica_state.h"
#include "statemachine/znode.h"
#include "wire/coord.h"
#include "wire/messages.h"

struct kc_controller; /* opaque: a block of bytes, 8-byte aligned */

/* Capacities. A step that would exceed one changes nothing and says which (kc_outputs.short_of);
   the caller grows the block by copy and gives the same input again. */
struct kc_limits {
    uint32_t brokers; /* ids ever named by a registration or an assignment */
    uint32_t topics;
    uint32_t partitions;
    uint32_t replicas;      /* members of one list of one partition, <= SM_REPLICAS_MAX */
    uint32_t topic_name;    /* bytes of the longest topic name, NUL included */
    uint32_t events;        /* waiting in the event queue */
    uint32_t event_bytes;   /* what waiting events carry (calls, answers) */
    uint32_t scratch_bytes; /* what the event in work has read: names of children, znodes */
    uint32_t batch_bytes;   /* request batches that some broker has not answered yet */
    uint32_t window;        /* ZooKeeper requests in flight: zookeeper.max.in.flight.requests, 10 */
    uint32_t slots;         /* partitions whose requests are in flight or wait for it; >= window */
};

/* Returns limits for a small cluster, without groups; grow as needed. */
struct kc_limits kc_limits_default(void);

/* Returns limits that are seldom outgrown, for one controller in a process of its own: a quarter of
   a million partitions, 64 brokers. The block is some 400 MiB of addresses and few of memory. */
struct kc_limits kc_limits_roomy(void);

/* Most operations that one ZooKeeper request carries. */
enum { KC_GROUP_MAX = 500 };

/* What the controller notes for the trace; each costs time, 0 in benchmarks. */
enum kc_notes {
    KC_NOTE_QUEUE = 1,
    KC_NOTE_FLOW = 2,
    KC_NOTE_MOVE = 4,
    KC_NOTE_DECIDE = 8,
    KC_NOTE_FACT = 16,
    KC_NOTE_LOG = 32,       /* controller.log and state-change.log, INFO and above */
    KC_NOTE_LOG_TRACE = 64, /* … TRACE too */
    KC_NOTE_ALL = 127,
};

struct kc_config {
    struct sm_profile profile;
    struct sm_broker broker; /* what this node registers under /brokers/ids */
    int32_t register_broker; /* 1: registers itself (a broker); 0: only a controller */
    int32_t never_elected;   /* 1: registers and watches, but does not stand for election; Kafka
                                has no such brokers, scenarios do (role: broker) */
    uint32_t unused;
    uint32_t notes;                      /* enum kc_notes */
    int32_t auto_leader_rebalance;       /* auto.leader.rebalance.enable */
    int32_t leader_imbalance_percentage; /* leader.imbalance.per.broker.percentage, 10 */
    int64_t leader_imbalance_check_us;   /* leader.imbalance.check.interval.seconds, 300 s */
    int32_t unclean_leader_election;     /* unclean.leader.election.enable */
    int32_t delete_topic;                /* delete.topic.enable */
    int64_t retry_backoff_us;            /* after a failed send: 100 ms (0.9: 300 ms) */
    /* Operations that share one ZooKeeper request, 1 to KC_GROUP_MAX; 1: as Kafka, which sends each
       by itself. Fenced writes share one multi behind one check of the epoch, all or nothing: where
       it is refused each is written by itself, in order. Reads without a watch share one multi of
       reads (ZooKeeper 3.6), each with a result of its own. Nothing but speed shows. Old versions
       never share. */
    uint32_t write_group, read_group;
};
/* Returns Kafka's defaults for `profile` and broker `id` on localhost:9092; groups of 1. */
struct kc_config kc_config_default(struct sm_profile profile, int32_t id);
/* Sets `limits` to `window` requests in flight, and as many slots as fill the groups of `config`.
 */
void kc_limits_in_flight(struct kc_limits *limits, uint32_t window, const struct kc_config *config);

size_t kc_controller_size(const struct kc_limits *limits);
/* `c` is a block of kc_controller_size(limits) zero bytes; what is never used is never written, so
   that of a large block from calloc only what the cluster needs becomes memory. */
void kc_controller_init(struct kc_controller *c, const struct kc_limits *limits,
                        const struct kc_config *config);
const struct kc_limits *kc_controller_limits(const struct kc_controller *c);
/* Sets `span` to the parts of the block that mean something between two steps, ascending, the first
   from its beginning. The others are room: whoever uses it writes it first, or finds it zero. A
   copy of the parts, in a block whose other bytes are zero, goes on as the original does. */
struct kc_span {
    uint64_t at, size;
};
enum { KC_SPANS = 3 };
void kc_controller_live(const struct kc_controller *c, struct kc_span span[KC_SPANS]);
/* Copies `from` into the block `to`, zero bytes, laid out for `limits` (none below the present
   ones). */
void kc_controller_grow(const struct kc_controller *from, struct kc_controller *to,
                        const struct kc_limits *limits);

enum kc_input_kind {
    KC_IN_NONE,
    KC_IN_START,           /* the process starts; its session exists: registers, then Startup */
    KC_IN_MORE,            /* the last step said `more` */
    KC_IN_ZK_REPLY,        /* reply */
    KC_IN_ZK_EVENT,        /* a watch fired: event_type, path */
    KC_IN_SESSION_EXPIRED, /* before a new session is made: clears the queue, Expire */
    KC_IN_SESSION_CREATED, /* a new session exists: RegisterBrokerAndReelect */
    KC_IN_ANSWER,          /* broker_id answered request `correlation`: answer */
    KC_IN_SEND_FAILED,     /* the connection broke before an answer: outcome unknown; retried */
    KC_IN_CALL,            /* call, to be answered as `call_id` */
    KC_IN_TIMER,           /* timer */
    KC_IN_UNCLEAN_ENABLED, /* dynamic config: topic (path), or all topics where path is NULL */
    KC_IN_SHUTDOWN,        /* clean stop: preempts the queue, resigns */
    KC_IN_BLOCK,           /* fault: the event thread stops taking events (on 1) or goes on (0) */
};

/* Pointers are borrowed for the call. Unused fields are zero. */
struct kc_input {
    uint32_t kind;
    int32_t broker_id;
    uint64_t record; /* number of the trace record of this input: the cause of what follows */
    uint64_t correlation;
    uint64_t call_id;
    int64_t session; /* SESSION_CREATED, START: id of the session */
    uint32_t timer;
    uint32_t event_type; /* enum wire_zk_event_type */
    int32_t on;
    uint32_t unused;
    const char *path;
    const struct wire_zk_reply *reply;
    const struct wire_answer *answer;
    const struct wire_call *call;
};

enum kc_output_kind {
    KC_OUT_NONE,
    KC_OUT_ZK,    /* request */
    KC_OUT_BATCH, /* a batch is complete: batch (once, before the sends that refer to it) */
    KC_OUT_SEND,  /* one request out of `batch` to broker_id: api, correlation */
    KC_OUT_CLOSE, /* the channel to broker_id is closed, what was in flight is forgotten */
    KC_OUT_REPLY, /* the answer `call` to call_id */
    KC_OUT_TIMER, /* arm `timer` for due_us (replacing an earlier one), or cancel it: due_us < 0 */
    KC_OUT_EXPIRE_STARTED, /* the Expire event is in work: a new session may be made now. Until then
                              every ZooKeeper request after KC_IN_SESSION_EXPIRED is answered with
                              SESSION_EXPIRED (ZooKeeperClient: beforeInitializingSession blocks) */
    KC_OUT_FATAL,          /* start-up failed, the process ends: text says why */
    /* notes */
    KC_OUT_QUEUE,  /* what: see enum kc_queue_what; event, event_id, depth, waited_us; value: its
                      ControllerState */
    KC_OUT_FLOW,   /* name (of the flow), row (of the step) begins */
    KC_OUT_MOVE,   /* machine, topic, partition, broker_id (replicas), from, to, ok, direct */
    KC_OUT_DECIDE, /* election: strategy, topic, partition, decision */
    KC_OUT_FACT,   /* fact: what this controller believes has changed */
    KC_OUT_LOG,    /* level, stream, text */
};

enum kc_queue_what {
    KC_QUEUE_PUT,
    KC_QUEUE_START,
    KC_QUEUE_DONE,
    KC_QUEUE_PREEMPT,
    KC_QUEUE_CLEAR
};
enum kc_machine { KC_MACHINE_PARTITION, KC_MACHINE_REPLICA };
enum kc_level { KC_TRACE, KC_DEBUG, KC_INFO, KC_WARN, KC_ERROR };
enum kc_stream { KC_CONTROLLER_LOG, KC_STATE_CHANGE_LOG };

enum kc_fact {
    KC_FACT_ROLE,          /* value: 1 active, 0 standby */
    KC_FACT_CONTROLLER,    /* value: id of the controller it believes in, -1 none */
    KC_FACT_EPOCH,         /* value: epoch, value2: epoch zk version */
    KC_FACT_LIVE,          /* list: ids of liveSD */
    KC_FACT_SHUTTING_DOWN, /* list */
    KC_FACT_LEADERSHIP,    /* topic, partition, li (NULL: gone) */
    KC_FACT_ASSIGNMENT,    /* topic, partition, assignment (NULL: gone) */
    KC_FACT_DELETING,      /* topic, value: bits 1 queued, 2 started, 4 ineligible */
    KC_FACT_OFFLINE_DIR,   /* topic, partition, broker_id, value 1 offline */
};

struct kc_output {
    uint32_t kind;
    int32_t broker_id;
    uint64_t by; /* trace record that caused it: kc_input.record, or what `put` gave for an earlier
                    output */
    uint64_t correlation;
    uint64_t call_id;
    int64_t due_us;
    int64_t waited_us;
    uint32_t timer;
    int32_t api;
    int32_t partition;
    int32_t value, value2;
    uint32_t event_id;
    uint32_t depth;
    uint8_t what;    /* QUEUE */
    uint8_t machine; /* MOVE */
    uint8_t from, to, ok, direct;
    uint8_t level, stream; /* LOG */
    uint8_t fact;
    uint8_t strategy;
    uint8_t unused[2];
    const char *name; /* QUEUE: event; FLOW: flow */
    const char *row;  /* FLOW */
    const char *topic;
    const char *text; /* LOG; MOVE refused: why */
    const struct wire_zk_request *request;
    const struct wire_batch *batch;
    const struct wire_call *call;
    const struct sm_leader_and_isr *li;
    const struct sm_assignment *assignment;
    const struct sm_list *list;
    const int32_t *ids; /* FACT_LIVE, FACT_SHUTTING_DOWN: id_count ids, of any number */
    uint32_t id_count;
    uint32_t unused2;
    const struct sm_election_input *election; /* DECIDE */
    const struct sm_election *elected;        /* DECIDE */
};

/* The sink. `put` is called during the step, once per output, in order; pointers inside an output
   are valid during that call only. It returns the number of the trace record that it made (0:
   none), which later outputs carry in `by`. */
struct kc_outputs {
    uint64_t (*put)(void *context, const struct kc_output *output);
    void *context;
    bool more;            /* set: call again with KC_IN_MORE before any other input */
    const char *short_of; /* on SM_ERR_LIMIT: the field of kc_limits that is too small */
};

/* Consumes one input at `now_us` (µs, never decreasing).
   Errors: LIMIT, the controller is then unchanged and nothing was put: grow and call again. What
   ZooKeeper and brokers refuse are inputs, never errors of this call. */
enum sm_err kc_controller_step(struct kc_controller *c, int64_t now_us, const struct kc_input *in,
                               struct kc_outputs *out);

/* Returns whether nothing is queued, no flow runs, no request is in flight or waiting, except
   requests to brokers that `is_dead(context, id)` says are dead (may be NULL). */
bool kc_controller_is_quiet(const struct kc_controller *c, bool (*is_dead)(void *, int32_t),
                            void *context);

/* ---- looking inside, for tools, tests and expectations; all are cheap ---- */

bool kc_controller_is_active(const struct kc_controller *c);
int32_t kc_controller_active_id(const struct kc_controller *c); /* whom it believes in; -1 none */
int32_t kc_controller_epoch(const struct kc_controller *c);
int32_t kc_controller_epoch_zk_version(const struct kc_controller *c);
/* State machines: SM_…_NONE where there is no entry. */
enum sm_partition_state kc_partition_state(const struct kc_controller *c, const char *topic,
                                           int32_t partition);
enum sm_replica_state kc_replica_state(const struct kc_controller *c, const char *topic,
                                       int32_t partition, int32_t broker_id);
/* False where the context knows none. */
bool kc_leadership(const struct kc_controller *c, const char *topic, int32_t partition,
                   struct sm_leader_and_isr *li);
bool kc_assignment(const struct kc_controller *c, const char *topic, int32_t partition,
                   struct sm_assignment *a);
bool kc_is_being_reassigned(const struct kc_controller *c, const char *topic, int32_t partition);
/* Bits: 1 queued for deletion, 2 deletion started, 4 ineligible; 0 none or unknown. */
uint32_t kc_topic_deletion(const struct kc_controller *c, const char *topic);
bool kc_broker_is_live(const struct kc_controller *c, int32_t broker_id); /* liveSD */

/* The batch out of which broker_id has request `correlation` in flight, NULL where it has none.
   Aliases the block until the next step. */
const struct wire_batch *kc_batch_in_flight(const struct kc_controller *c, int32_t broker_id,
                                            uint64_t correlation);

/* Walks the brokers that have a sender, ascending: start with -1. Returns the next id after
   `previous`, -1 at the end; *waiting: requests that wait behind the one in work (QueueSize of
   ControllerChannelManager). */
int32_t kc_sender_next(const struct kc_controller *c, int32_t previous, uint32_t *waiting);

struct kc_metrics { /* Kafka's gauges of kafka.controller; 0 when inactive */
    int32_t active_controller_count, offline_partitions_count, preferred_replica_imbalance_count;
    int32_t global_topic_count, global_partition_count, topics_to_delete_count;
    int32_t replicas_to_delete_count, topics_ineligible_to_delete_count;
    int32_t replicas_ineligible_to_delete_count, active_broker_count;
    int32_t controller_state, event_queue_size;
    int64_t unclean_leader_elections;
};
struct kc_metrics kc_controller_metrics(const struct kc_controller *c);

/* Digest of what decides: independent of slots, limits, notes. */
uint64_t kc_controller_digest(const struct kc_controller *c);
/* Asserts every invariant of the block. */
void kc_controller_check(const struct kc_controller *c);

#endif
