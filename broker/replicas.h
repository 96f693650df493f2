/*
 * The replica manager of one broker: its logs, who leads them, who follows, who is in sync.
 *
 *     inputs                            kb_replicas_step                       outputs
 *     LeaderAndIsr, StopReplica,  ─┐   ┌───────────────────────────┐   ┌─► answers to the
 * controller UpdateMetadata (its epochs)  │   │ rows: partition + log     │   ├─► answers to
 * clients, followers produce, fetch, offsets …   ─┼──►│ fetchers, one per leader  │──►├─► fetch,
 * epoch, offset requests answers of leaders          ─┤   │ sessions of followers     │   ├─►
 * ZooKeeper: ISR, notifications ZooKeeper replies, timers   ─┘   │ who waits for records, HW │ ├─►
 * timers └───────────────────────────┘   └─► payload, leadership, facts
 *
 * A log is a row of batches; a batch here is what the protocol knows of it and the handle of its
 * payload. Two batches with the same handle hold the same records, so that "the same record at the
 * same offset" can be checked by comparing handles. Whoever keeps the payload counts references:
 * every batch that comes into a log is told (KB_OUT_PAYLOAD, +1), every one that leaves it, too.
 *
 * Invariants (kb_replicas_check): log start <= high watermark <= log end; batches ascend without
 * overlap, their epochs never fall; the epoch cache ascends in epoch and offset; at most one ISR
 * change of a partition is under way; a row is in the lists that its state says, and in no other.
 * Exception: a follower's high watermark may move back (Kafka sets it to what the leader says).
 *
 * Memory: lives in kb_replicas_size(limits) bytes that the caller owns, holds no pointer; unused
 * bytes are zero. Nothing is allocated, no clock is read. Thread: none; one caller at a time. No
 * input costs time in proportion to the partitions hosted, but for those that name them all.
 *
 * Source: Kafka 2.8.2 kafka.server.ReplicaManager, kafka.cluster.Partition and Replica,
 * kafka.server.AbstractFetcherThread, ReplicaFetcherThread, DelayedProduce, DelayedFetch,
 * FetchSession, ZkIsrManager, kafka.server.epoch.LeaderEpochFileCache, kafka.log.Log,
 * ProducerStateManager, LogManager; inter.broker.protocol.version 2.6.
 */
#ifndef BROKER_REPLICAS_H
#define BROKER_REPLICAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "statemachine/error.h"
#include "statemachine/list.h"
#include "statemachine/profile.h"
#include "wire/coord.h"
#include "wire/messages.h"

struct kb_replicas; /* opaque: a block of bytes, 8-byte aligned */

/* Capacities. A step that could exceed one changes nothing and says which (kb_outputs.short_of);
   the caller grows the block by copy and gives the same input again. Growing packs what is there.
 */
struct kb_limits {
    uint32_t topics;
    uint32_t partitions;    /* hosted, or with a log on disk */
    uint32_t replicas;      /* members of one list of one partition, <= SM_REPLICAS_MAX */
    uint32_t topic_name;    /* bytes of the longest topic name, NUL included */
    uint32_t batches;       /* of records, in all logs; see kb_batch */
    uint32_t segments;      /* closed ones, in all logs: each log has an open one beside */
    uint32_t epochs;        /* entries of all epoch caches */
    uint32_t producers;     /* producer ids known, in all logs */
    uint32_t transactions;  /* ended ones that are still needed, in all logs */
    uint32_t waits;         /* partitions of requests that wait */
    uint32_t operations;    /* requests that wait */
    uint32_t fetchers;      /* leaders that are followed, times num.replica.fetchers */
    uint32_t sessions;      /* fetch sessions of followers */
    uint32_t live;          /* brokers alive */
    uint32_t scratch_bytes; /* items of one answer or request; an ISR notification */
};

/* Returns limits for a small broker; grow as needed. */
struct kb_limits kb_limits_default(void);
/* Returns the limits with the one named `short_of` larger; "replicas." before the name is passed
   over. */
struct kb_limits kb_limits_above(const struct kb_limits *limits, const char *short_of);

enum { KB_DIRS_MAX = 32 };

/* How a log is cut into segments, and when they go. A broker has a value for each; a topic says
   which of its own count (`set`). Source: Kafka LogConfig. */
enum kb_log_setting {
    KB_LOG_RETENTION_MS = 1,
    KB_LOG_RETENTION_BYTES = 2,
    KB_LOG_SEGMENT_MS = 4,
    KB_LOG_SEGMENT_BYTES = 8,
    KB_LOG_CLEANUP = 16,
    KB_LOG_TIMESTAMP_DIFFERENCE = 32,
    KB_LOG_TIMESTAMP_TYPE = 64,
};
enum kb_cleanup { KB_CLEANUP_DELETE = 1, KB_CLEANUP_COMPACT = 2 };
struct kb_log_config {
    int64_t retention_ms;            /* retention.ms, 7 days; -1: for ever */
    int64_t retention_bytes;         /* retention.bytes; -1: no bound */
    int64_t segment_ms;              /* segment.ms, 7 days */
    int64_t timestamp_difference_ms; /* message.timestamp.difference.max.ms */
    int32_t segment_bytes;           /* segment.bytes, 1 GiB */
    int32_t cleanup;                 /* cleanup.policy: bits of enum kb_cleanup */
    int32_t log_append_time;         /* message.timestamp.type: 1 LogAppendTime */
    uint32_t set;                    /* of a topic: bits of enum kb_log_setting */
};

/* Names of those of a topic: the i-th, NULL behind the last. Static. */
const char *kb_log_setting_name(uint32_t i);
/* Takes over what a topic says of the i-th; a value that is none is passed over. */
void kb_log_config_set(struct kb_log_config *c, uint32_t i, const char *value);
/* Returns the bits that a cleanup.policy stands for; 0 for a value that is none. */
int32_t kb_cleanup_of(const char *value);

/* What the replica manager tells beyond what it asks for. */
enum kb_notes { KB_NOTE_FACT = 1, KB_NOTE_HW = 2 };

struct kb_config {
    struct sm_profile profile;
    int32_t broker_id;
    uint32_t notes;               /* enum kb_notes */
    int64_t replica_lag_us;       /* replica.lag.time.max.ms, 30 s; checked at half of it */
    int64_t hw_checkpoint_us;     /* replica.high.watermark.checkpoint.interval.ms, 5 s */
    int64_t fetch_wait_us;        /* replica.fetch.wait.max.ms, 500 ms */
    int64_t fetch_backoff_us;     /* replica.fetch.backoff.ms, 1 s */
    int64_t isr_check_us;         /* ISR notifications: looked for every 2.5 s, */
    int64_t isr_linger_us;        /* sent when none came for 5 s, */
    int64_t isr_max_delay_us;     /* or when none was sent for 60 s */
    int64_t flush_messages;       /* log.flush.interval.messages; 0: never */
    int64_t retention_check_us;   /* log.retention.check.interval.ms, 5 min; the first after 30 s */
    int64_t producer_check_us;    /* producers in logs are looked at every 10 min */
    int64_t producer_expiry_ms;   /* transactional.id.expiration.ms, 7 days */
    struct kb_log_config log;     /* log.retention.ms, log.segment.bytes, … */
    int32_t fetch_min_bytes;      /* replica.fetch.min.bytes, 1 */
    int32_t fetch_max_bytes;      /* replica.fetch.max.bytes, 1 MiB a partition */
    int32_t fetch_response_bytes; /* replica.fetch.response.max.bytes, 10 MiB */
    int32_t fetchers_per_leader;  /* num.replica.fetchers, 1 */
    int32_t min_insync_replicas;  /* min.insync.replicas, 1 */
    int32_t message_max_bytes;    /* message.max.bytes, 1048588 */
    int32_t log_dirs;             /* 1..KB_DIRS_MAX */
    uint32_t zk_window;           /* ISR writes in flight, 1..64 */
};
/* Returns Kafka's defaults. */
struct kb_config kb_config_default(struct sm_profile profile, int32_t broker_id);

/* ---- records ---- */

enum kb_batch_flags {
    KB_TRANSACTIONAL = 1,
    KB_CONTROL = 2,
    KB_COMMIT = 4 /* control: else abort */
};

/* One record batch: what its header says. Offsets of its records are base_offset + 0 …
   last_offset_delta. 72 bytes, no padding. */
struct kb_batch {
    int64_t base_offset;
    uint64_t payload; /* handle of the records; equal handles are equal records */
    int64_t first_timestamp, max_timestamp; /* ms */
    int64_t producer_id;                    /* -1 none */
    int32_t last_offset_delta;
    int32_t leader_epoch;
    int32_t base_sequence;     /* -1 none */
    int32_t coordinator_epoch; /* KB_CONTROL */
    uint32_t size;             /* bytes of the batch on the wire, header included */
    uint32_t record_count;
    int16_t producer_epoch; /* -1 none */
    uint16_t flags;         /* enum kb_batch_flags */
    uint32_t codec;         /* enum wire_codec (wire/record_batch.h): how the records are packed */
};

/* One entry of a leader-epoch cache. */
struct kb_epoch {
    int64_t start_offset;
    int32_t epoch;
    uint32_t unused;
};

/* ---- requests, as structs; pointers are borrowed for the call ---- */

struct kb_produce_item {
    const char *topic;
    int32_t partition;
    int32_t unknown; /* here and below 1: the broker's metadata does not have the partition; above
                        1: the wire error with which it has been refused already */
    const struct kb_batch *batches; /* base_offset and leader_epoch are assigned here */
    uint32_t batch_count;
    uint32_t unused;
};
enum kb_origin { KB_FROM_CLIENT, KB_FROM_COORDINATOR };
struct kb_produce {
    int64_t timeout_us;
    int32_t acks;   /* 0, 1, -1 */
    int32_t origin; /* enum kb_origin: coordinators' batches have no sequences to check */
    const struct kb_produce_item *items; /* a partition once */
    uint32_t count;
    uint32_t unused;
};
struct kb_produce_result {
    const char *topic;
    int32_t partition;
    int32_t error; /* wire error code */
    int64_t base_offset, log_start;
};

enum { KB_CONSUMER = -1, KB_DEBUGGER = -2 }; /* replica ids of those that are no broker */

struct kb_fetch_item {
    const char *topic;
    int32_t partition;
    int32_t unknown;
    int32_t current_leader_epoch; /* -1: not checked */
    int32_t max_bytes;
    int64_t offset;
    int64_t log_start; /* a follower's own; -1 */
};
struct kb_partition_name {
    const char *topic;
    int32_t partition;
    int32_t unused;
};
struct kb_fetch {
    int64_t max_wait_us;
    int32_t replica_id; /* a broker, or KB_CONSUMER */
    int32_t min_bytes, max_bytes;
    int32_t committed;     /* 1: READ_COMMITTED */
    int32_t any_replica;   /* 1: a consumer that may read from a follower (Fetch 11 and later) */
    int32_t session_id;    /* followers; 0, epoch 0: a new session, all items named */
    int32_t session_epoch; /* -1: no session */
    uint32_t count, forgotten_count;
    uint32_t unused;
    const struct kb_fetch_item *items;
    const struct kb_partition_name *forgotten;
};
struct kb_aborted {
    int64_t producer_id, first_offset;
};
struct kb_fetch_result {
    const char *topic;
    int32_t partition;
    int32_t error;
    int64_t hw, last_stable, log_start;
    const struct kb_batch *batches; /* contiguous; the first may begin below the asked offset */
    uint32_t batch_count;
    uint32_t aborted_count;
    const struct kb_aborted *aborted;
};

struct kb_epochs_item { /* OffsetForLeaderEpoch */
    const char *topic;
    int32_t partition;
    int32_t unknown;
    int32_t current_leader_epoch;
    int32_t leader_epoch;
};
struct kb_epochs_result {
    const char *topic;
    int32_t partition;
    int32_t error;
    int64_t end_offset;   /* -1 undefined */
    int32_t leader_epoch; /* -1 undefined */
    int32_t unused;
};

enum { KB_LATEST = -1, KB_EARLIEST = -2 };
struct kb_offsets_item { /* ListOffsets */
    const char *topic;
    int32_t partition;
    int32_t unknown;
    int32_t current_leader_epoch;
    int32_t unused;
    int64_t timestamp; /* ms, KB_LATEST, KB_EARLIEST */
};
struct kb_offsets_result {
    const char *topic;
    int32_t partition;
    int32_t error;
    int64_t timestamp, offset; /* -1 none */
    int32_t leader_epoch;
    int32_t inside; /* 1: the record lies inside the batch that begins at `offset`; its payload
                       tells which: the first with that timestamp or a later one */
    uint64_t payload;
};

struct kb_delete_records_item {
    const char *topic;
    int32_t partition;
    int32_t unknown;
    int64_t offset; /* -1: the high watermark */
};
struct kb_delete_records_result {
    const char *topic;
    int32_t partition;
    int32_t error;
    int64_t low_watermark;
};

/* A log on disk at the very beginning: what a clean stop would have left. */
struct kb_found_log {
    const char *topic;
    int32_t partition;
    uint32_t count;
    const struct kb_batch *batches; /* ascending in offsets and leader epochs, from 0 */
    int64_t hw;                     /* checkpointed; at most the log's end counts */
};

/* What a topic's configuration says of its logs; where it says nothing, the broker's counts. */
struct kb_topic_config {
    int32_t min_insync;  /* min.insync.replicas; 0: nothing */
    int32_t compression; /* enum kb_compression (broker/settings.h); UNSET: nothing */
    struct kb_log_config log;
};

/* ---- inputs ---- */

enum kb_input_kind {
    KB_IN_NONE,
    KB_IN_LOG,             /* before the first START: request: struct kb_found_log, each once */
    KB_IN_START,           /* the process starts over what is on disk */
    KB_IN_REGISTERED,      /* broker_epoch: czxid of the registration */
    KB_IN_UPDATE_METADATA, /* batch: only its epochs and live brokers count here */
    KB_IN_LEADER_AND_ISR,  /* batch */
    KB_IN_STOP_REPLICA,    /* batch */
    KB_IN_PRODUCE,         /* request: struct kb_produce */
    KB_IN_FETCH,           /* request: struct kb_fetch */
    KB_IN_EPOCHS,          /* request: items, count, replica_id */
    KB_IN_OFFSETS,         /* request: items, count, replica_id, committed */
    KB_IN_DELETE_RECORDS,  /* request: items, count */
    KB_IN_FETCH_ANSWER,    /* of broker_id to `correlation`: error, session_id, items, count */
    KB_IN_EPOCHS_ANSWER,   /* items, count */
    KB_IN_OFFSETS_ANSWER,  /* items, count */
    KB_IN_SEND_FAILED,     /* no answer to `correlation` will come */
    KB_IN_ZK_REPLY,        /* reply */
    KB_IN_TIMER,           /* timer */
    KB_IN_TOPIC_CONFIG,    /* topic, request: struct kb_topic_config; nothing is put, also where a
                              fetcher's turn has come meanwhile; value 1: but timers are */
    KB_IN_DIR_FAILED,      /* value: log directory 0.. */
    KB_IN_SHUTTING_DOWN,   /* the clean stop has begun: no fetcher is started any more */
};

struct kb_input {
    uint32_t kind;
    int32_t broker_id;
    uint64_t call_id; /* comes back in the answer */
    uint64_t correlation;
    int64_t broker_epoch; /* of the registration, or that a request is meant for; -1: not stated */
    int64_t wall_ms;      /* the broker's clock, ms since 1970; 0: now_us is since 1970 */
    const struct wire_batch *batch;
    uint32_t broker_index; /* whose bit this broker has in the batch */
    int32_t value;
    int32_t error;
    int32_t session_id;
    int32_t replica_id;
    int32_t committed;
    uint32_t timer;
    uint32_t count;
    const void *request; /* struct kb_produce, kb_fetch, kb_found_log, kb_topic_config */
    const void
        *items; /* of EPOCHS, OFFSETS, DELETE_RECORDS and of the answers: kb_…_item, _result */
    const char *topic;
    const struct wire_zk_reply *reply;
};

/* ---- outputs ---- */

enum kb_output_kind {
    KB_OUT_NONE,
    KB_OUT_ZK,             /* request */
    KB_OUT_CONTROL_ANSWER, /* call_id, answer: to UpdateMetadata, LeaderAndIsr, StopReplica */
    KB_OUT_PRODUCE_ANSWER, /* call_id, items: kb_produce_result (none with acks = 0) */
    KB_OUT_FETCH_ANSWER,   /* call_id, error, session_id, items: kb_fetch_result */
    KB_OUT_EPOCHS_ANSWER,  /* call_id, items: kb_epochs_result */
    KB_OUT_OFFSETS_ANSWER, /* call_id, items: kb_offsets_result */
    KB_OUT_DELETE_RECORDS_ANSWER, /* call_id, items: kb_delete_records_result */
    KB_OUT_CLOSE,                 /* call_id: acks = 0 and an error, the connection is closed */
    KB_OUT_FETCH,                 /* to broker_id, correlation; request: struct kb_fetch */
    KB_OUT_EPOCHS,                /* to broker_id, correlation; items: kb_epochs_item */
    KB_OUT_OFFSETS,               /* to broker_id, correlation; items: kb_offsets_item */
    KB_OUT_TIMER, /* arm `timer` for due_us (replacing an earlier one), or cancel it: due_us < 0 */
    KB_OUT_PAYLOAD,    /* payload: value +1, a log holds it once more; -1, once less */
    KB_OUT_LEADERSHIP, /* topic, partition, value: leader epoch (-1 none); what: enum kb_role */
    KB_OUT_FATAL,      /* no log directory is left: the process ends */
    /* notes */
    KB_OUT_HW,   /* topic, partition, offset */
    KB_OUT_FACT, /* what: enum kb_fact; topic, partition, value, offset, list, items */
};

enum kb_role { KB_ROLE_LEADER, KB_ROLE_FOLLOWER, KB_ROLE_STOPPED };

enum kb_fact {
    KB_FACT_LEADER,      /* leads from now on: value epoch, offset where it starts */
    KB_FACT_FOLLOWER,    /* follows broker_id: value epoch, offset log end */
    KB_FACT_NO_LEADER,   /* the new leader broker_id is not alive: only the log was made */
    KB_FACT_OFFLINE,     /* the partition is marked offline */
    KB_FACT_DELETED,     /* its log is deleted */
    KB_FACT_STOPPED,     /* told to stop, and keeps its log */
    KB_FACT_APPENDED,    /* items: the batches that came, count; offset: the log end behind them */
    KB_FACT_TRUNCATED,   /* is about to be cut to offset; items: the batches that go, count */
    KB_FACT_START,       /* the log begins at offset: what lay before is deleted; value: enum
                            kb_start_reason */
    KB_FACT_ROLLED,      /* a new segment begins at offset */
    KB_FACT_FORGOTTEN,   /* value producers were idle for too long: their sequences are forgotten */
    KB_FACT_WAITING,     /* a produce waits until the high watermark is offset, till due_us */
    KB_FACT_FAILED,      /* no more fetching until the next LeaderAndIsr */
    KB_FACT_ISR_PENDING, /* list is being written */
    KB_FACT_ISR,         /* list was written: value zk version */
    KB_FACT_ISR_FAILED,  /* the write was refused: the change stays pending */
    KB_FACT_ISR_NOTIFIED,
    KB_FACT_UNKNOWN_REPLICA, /* a fetch of broker_id, which is not assigned; error: the answer */
    KB_FACT_DIR_FAILED,      /* value: directory */
};
const char *kb_fact_name(enum kb_fact fact); /* "isr-pending"; static */
enum kb_start_reason { KB_START_ASKED, KB_START_AGE, KB_START_SIZE };

struct kb_output {
    uint32_t kind;
    int32_t broker_id;
    uint64_t call_id;
    uint64_t correlation;
    int64_t due_us;
    int64_t offset;
    uint64_t payload;
    uint32_t timer;
    int32_t partition;
    int32_t value;
    int32_t what;
    int32_t error;
    int32_t session_id;
    uint32_t count;
    uint32_t unused;
    const char *topic;
    const void *request;
    const void *items;
    const struct wire_zk_request *zk;
    const struct wire_answer *answer;
    const struct sm_list *list;
};

/* The sink. `put` is called during the step, once per output, in order; pointers inside an output
   are valid during that call only. */
struct kb_outputs {
    void (*put)(void *context, const struct kb_output *output);
    void *context;
    const char *short_of; /* on SM_ERR_LIMIT: the field of kb_limits that is too small */
};

/* ---- life ---- */

/* Returns bytes. */
size_t kb_replicas_size(const struct kb_limits *limits);
/* Returns how many bytes at the beginning of the block mean something between two steps; the others
   are zero then. */
size_t kb_replicas_live(const struct kb_replicas *r);
/* Makes a broker with empty disks. */
void kb_replicas_init(struct kb_replicas *r, const struct kb_limits *limits,
                      const struct kb_config *config);
const struct kb_limits *kb_replicas_limits(const struct kb_replicas *r);
const struct kb_config *kb_replicas_config(const struct kb_replicas *r);
/* Copies `from` into the block `to` laid out for `limits` (none below the present ones). */
void kb_replicas_grow(const struct kb_replicas *from, struct kb_replicas *to,
                      const struct kb_limits *limits);

/* Consumes one input at `now_us` (µs, never decreasing within one life).
   Errors: LIMIT, nothing is changed then and nothing was put: grow and call again. */
enum sm_err kb_replicas_step(struct kb_replicas *r, int64_t now_us, const struct kb_input *in,
                             struct kb_outputs *out);

/* How a process ends. */
struct kb_stop {
    bool clean; /* high watermarks are checkpointed, logs are flushed */
    /* Not clean, machine lost: returns where the log ends at the restart, between flushed and
       log_end (a batch that is cut is lost whole). NULL: only the process died, all is there. */
    int64_t (*keep)(void *context, const char *topic, int32_t partition, int64_t flushed,
                    int64_t log_end);
    void *context;
};
/* Ends the process: what stays in the block is what a restart finds on disk; KB_IN_START begins the
   next life. Puts only KB_OUT_PAYLOAD. Source: KafkaServer.shutdown, LogManager.loadLog. */
void kb_replicas_stop(struct kb_replicas *r, const struct kb_stop *how, struct kb_outputs *out);
/* Between two lives: log directories that had failed work again, with what is on them. */
void kb_replicas_repair(struct kb_replicas *r);

/* ---- looking inside, for tools, tests and checks; all are cheap unless said ---- */

enum kb_hosted { KB_NOT_HOSTED, KB_ONLINE, KB_OFFLINE };
enum kb_isr_state { KB_ISR_COMMITTED, KB_ISR_EXPANDING, KB_ISR_SHRINKING };
enum kb_fetch_state { KB_NOT_FETCHING, KB_TRUNCATING, KB_FETCHING, KB_FETCH_FAILED };

struct kb_partition_view {
    int32_t hosted;  /* enum kb_hosted */
    int32_t has_log; /* a log is on a disk that works */
    int32_t leader, leader_epoch, controller_epoch, zk_version;
    int32_t isr_state;   /* enum kb_isr_state */
    int32_t fetch_state; /* enum kb_fetch_state */
    int32_t dir;         /* log directory of its log */
    int32_t unused;
    int64_t log_start, log_end, hw, last_stable, flushed, checkpointed_hw, epoch_start;
    struct sm_list isr;             /* as last committed; empty on followers */
    struct sm_list maximal_isr;     /* with a member that is being added */
    uint32_t segment_count;         /* of its log, with the open one; 0 without a log */
    uint32_t producer_count;        /* that its log knows of */
    int64_t segment_base;           /* where the open one begins */
    const struct kb_batch *batches; /* aliases the block, until the next step */
    uint32_t batch_count;
    uint32_t epoch_count;
    const struct kb_epoch *epochs; /* aliases the block */
};
/* Whether there are records up to its end. A log that is truncated within a batch loses the batch
   and keeps the end, as Kafka's does (LogSegment.truncateTo, Log.updateLogEndOffset); logs that
   differ so only come of lost machines. Nobody who follows such a leader gets past the hole. */
bool kb_reaches_its_end(const struct kb_partition_view *view);
/* False where there is neither a partition nor a log. */
bool kb_partition(const struct kb_replicas *r, const char *topic, int32_t partition,
                  struct kb_partition_view *view);
/* Walks all rows: start with *at = 0; NULL at the end. The name aliases the block. */
const char *kb_partition_next(const struct kb_replicas *r, uint32_t *at, int32_t *partition);
bool kb_is_leader(const struct kb_replicas *r, const char *topic, int32_t partition);
/* Returns the leader's log end of follower `broker_id`, -1 unknown or not assigned. */
int64_t kb_follower_end(const struct kb_replicas *r, const char *topic, int32_t partition,
                        int32_t broker_id);
/* Returns whether follower `broker_id` has fetched since this broker leads, and the leader no
   longer knows how far it was: never, but with KAFKA-8400. */
bool kb_follower_forgotten(const struct kb_replicas *r, const char *topic, int32_t partition,
                           int32_t broker_id);
/* Returns whether a produce waits for a result that no partition here will ever give: only its
   deadline ends it. Linear in the operations that wait. */
bool kb_waits_in_vain(const struct kb_replicas *r);

/* Returns whether a LeaderAndIsr or StopReplica (api; any other: false) names a partition whose ISR
   write ZooKeeper has not answered. It must not be handed in then: in Kafka the thread that writes
   holds the partition's lock, retries over lost connections included, and the handler of the
   request waits for it (Partition.leaderIsrUpdateLock; expandIsr, shrinkIsr over ZooKeeper). Else a
   write could be applied behind what came meanwhile, even to the namesake of a deleted topic. */
bool kb_must_wait_for_isr(const struct kb_replicas *r, enum wire_api api,
                          const struct wire_batch *batch, uint32_t broker_index);
/* Returns what counts for a topic's logs here: its own settings, else the broker's. */
struct kb_log_config kb_topic_log_config(const struct kb_replicas *r, const char *topic);
/* Returns what a topic's configuration says; all zero for one that is not known. */
struct kb_topic_config kb_topic_config(const struct kb_replicas *r, const char *topic);
int32_t kb_controller_epoch(const struct kb_replicas *r);
/* Returns the error with which a request of a controller as a whole is refused that is meant for
   this broker epoch (-1: not stated), 0 none. */
int32_t kb_refusal(const struct kb_replicas *r, int64_t broker_epoch, int32_t controller_epoch);
uint32_t kb_hosted_count(const struct kb_replicas *r);

/* Whether nothing is under way but fetches that wait for records: no ISR write, no notification
   due, no truncation, no produce that waits. */
bool kb_replicas_is_quiet(const struct kb_replicas *r);
/* Digest of what decides, independent of slots and limits; times count relative to now_us. Linear.
 */
uint64_t kb_replicas_digest(const struct kb_replicas *r, int64_t now_us);
/* Asserts every invariant of the block. Linear. */
void kb_replicas_check(const struct kb_replicas *r);

#endif
