/*
 * A client of Kafka: producer, consumer or admin tool, as a step function over one flat block.
 *
 *      commands ──► send, subscribe, commit, begin…     kl_client_step          outputs
 *      responses ─► of brokers ──► metadata ─┐                          ┌─► requests to brokers
 *      timers ────────────────────────────── ├─► partitions, batches ───┼─► timers
 *                                            └─► coordinator, group  ───┴─► deliveries, records,
 *                                                                           results, facts
 *
 * It keeps what librdkafka 2.0 keeps: a view of the cluster that is refreshed on doubt, per
 * partition a queue of batches with sequence numbers, per broker a limited number of requests under
 * way, a coordinator that may move, and a state machine for its group and its transaction. Its
 * rules of retry and fencing are those of librdkafka 2.0; `client/README.md` lists them one by one
 * with the place that each was read from.
 *
 * Commands are accepted in any state and queue where Kafka's client blocks; each ends with exactly
 * one KL_OUT_DONE or KL_OUT_DELIVERED that carries its `tag`. What the application would do in a
 * callback (records, a rebalance, an error) it hears as an output, and answers with a command.
 *
 * Records travel as real record batches (wire/record_batch.h) inside flat messages, so that the
 * brokers' keeper gives equal bytes equal handles.
 *
 * Memory: kl_client_size(limits) bytes that the caller owns, no pointer inside, copied by grow;
 * scratch for one step. No clock, no allocation, no thread.
 *
 * Source: librdkafka 2.0 (rdkafka_broker.c, rdkafka_request.c, rdkafka_idempotence.c,
 * rdkafka_txnmgr.c, rdkafka_cgrp.c, rdkafka_metadata.c); Kafka's protocol guide; KIP-98, KIP-360,
 * KIP-447, KIP-345, KIP-429.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "statemachine/error.h"
#include "statemachine/limits.h"
#include "wire/record_batch.h"

struct kl_client; /* opaque, 8-byte aligned */

/* Room for what it knows and what is under way. The caller grows the one that a step names. */
struct kl_limits {
    uint32_t brokers, topics, partitions;
    uint32_t records;  /* sent, not yet delivered */
    uint32_t bytes;    /* of their keys and values, and of commands that wait */
    uint32_t requests; /* under way */
    uint32_t commands; /* not finished */
    uint32_t unused;
};
struct kl_limits kl_limits_default(void);
/* Returns limits with the one named `field` doubled (at least). */
struct kl_limits kl_limits_above(const struct kl_limits *limits, const char *field);

enum kl_kind { KL_PRODUCER, KL_CONSUMER, KL_ADMIN };
enum kl_isolation { KL_READ_UNCOMMITTED, KL_READ_COMMITTED };
enum kl_reset { KL_RESET_EARLIEST, KL_RESET_LATEST, KL_RESET_NONE };
enum kl_assignor { KL_RANGE, KL_ROUND_ROBIN, KL_COOPERATIVE_STICKY };

/* librdkafka's properties, in its own units where they are named _ms; texts are borrowed by init,
   which copies them: at most 255 bytes each. kl_config_default gives its defaults. */
struct kl_config {
    enum kl_kind kind;
    uint64_t seed; /* of jitter, and of partitions for records without a key */
    const char *client_id;
    const int32_t *bootstrap; /* ids of brokers that are asked while none is known */
    uint32_t bootstrap_count;
    int32_t socket_timeout_ms, retry_backoff_ms, reconnect_backoff_ms, reconnect_backoff_max_ms;
    int32_t topic_metadata_refresh_interval_ms, topic_metadata_refresh_fast_interval_ms;
    /* producer */
    int32_t acks; /* 0, 1, -1 */
    int32_t enable_idempotence;
    int32_t linger_ms, batch_size, batch_num_messages;
    enum wire_codec compression_type; /* of what is sent, where that makes it smaller */
    int32_t message_timeout_ms, request_timeout_ms;
    int32_t retries; /* message.send.max.retries */
    int32_t max_in_flight;
    const char *transactional_id; /* NULL: none */
    int32_t transaction_timeout_ms;
    /* consumer */
    enum kl_isolation isolation;
    enum kl_reset auto_offset_reset;
    int32_t fetch_wait_max_ms, fetch_min_bytes, fetch_max_bytes, partition_fetch_bytes;
    int32_t fetch_error_backoff_ms;
    const char *group_id;          /* NULL: none; partitions are assigned by command only */
    const char *group_instance_id; /* NULL: a dynamic member */
    enum kl_assignor assignor;
    int32_t session_timeout_ms, heartbeat_interval_ms, max_poll_interval_ms;
    int32_t enable_auto_commit, auto_commit_interval_ms;
};
struct kl_config kl_config_default(enum kl_kind kind);

/* Returns bytes. */
size_t kl_client_size(const struct kl_limits *limits);
/* Makes a client that has done nothing yet; `config` is not needed afterwards. */
void kl_client_init(struct kl_client *c, const struct kl_limits *limits,
                    const struct kl_config *config);
/* Returns what it was made or grown with; aliases the block. */
const struct kl_limits *kl_client_limits(const struct kl_client *c);
/* Copies `from` into the block `to` of kl_client_size(limits); no limit below the present one. */
void kl_client_grow(const struct kl_client *from, struct kl_client *to,
                    const struct kl_limits *limits);

/* ---- inputs ---- */

enum kl_input_kind {
    KL_IN_NONE,
    KL_IN_START,
    KL_IN_RESPONSE, /* broker_id answered `correlation`: api, version, message, size */
    KL_IN_FAILED,   /* broker_id, correlation: the connection that carried it broke (or was never
                       made); no answer will come to anything under way there. 0: whatever it
                       carried. Of a connection that the client gave up itself: not heard */
    KL_IN_TIMER,    /* timer */
    KL_IN_MORE,     /* the last step said `more` */
    /* commands; each ends with one KL_OUT_DONE (KL_OUT_DELIVERED of SEND) of its tag */
    KL_IN_SEND,  /* topic, partition (-1: by key), key, value, headers, timestamp_ms */
    KL_IN_FLUSH, /* done when everything sent before has been delivered or has failed */
    /* Calls of a transaction, one at a time. Where timeout_ms is over an INIT, COMMIT or ABORT is
       DONE with TIMED_OUT and goes on: the same call takes it up, any other is refused as a
       CONFLICT. */
    KL_IN_INIT_TRANSACTIONS,
    KL_IN_BEGIN,
    KL_IN_SEND_OFFSETS, /* group, offsets; the member of `member`, or none */
    KL_IN_COMMIT,
    KL_IN_ABORT,
    KL_IN_ASSIGN,         /* offsets: where each partition begins (KL_OFFSET_…) */
    KL_IN_SUBSCRIBE,      /* topics; none: unsubscribe */
    KL_IN_REBALANCED,     /* the application has done what KL_OUT_ASSIGN or KL_OUT_REVOKE asks */
    KL_IN_COMMIT_OFFSETS, /* offsets; none: the positions */
    KL_IN_PAUSE,
    KL_IN_RESUME, /* offsets: the partitions */
    KL_IN_POLL,   /* the application has called poll: max.poll.interval.ms counts from the first */
    KL_IN_ADMIN,  /* api, version, message, size: to the controller, as it is */
    KL_IN_CLOSE,  /* leaves its group, gives up what is open */
};

enum {
    KL_OFFSET_END = -1,
    KL_OFFSET_BEGINNING = -2,
    KL_OFFSET_STORED = -1000,
    KL_OFFSET_NONE = -1001,
};

struct kl_offset {
    const char *topic;
    int32_t partition;
    int32_t leader_epoch; /* -1 none */
    int64_t offset;
};

/* The identity of a group's member, for offsets in a transaction (KIP-447). */
struct kl_member {
    const char *id, *instance_id; /* NULL: none */
    int32_t generation;           /* -1 none */
    int32_t unused;
};

/* Pointers are borrowed for the call; unused fields zero. */
struct kl_input {
    uint32_t kind;
    int32_t broker_id;
    uint64_t tag;
    uint64_t correlation;
    uint64_t timer;
    int32_t api, version;
    const void *message; /* flat (wire/flat.h) */
    size_t size;
    const char *topic;
    int32_t partition;
    int32_t key_size, value_size; /* -1: null */
    const void *key, *value;
    int64_t timestamp_ms;
    const struct wire_log_header *headers; /* of the record: keys of 0 bytes and more */
    uint32_t header_count;
    int32_t timeout_ms; /* of INIT_TRANSACTIONS, SEND_OFFSETS, COMMIT, ABORT; 0: librdkafka's -1 */
    const char *group;
    const struct kl_member *member;
    const struct kl_offset *offsets;
    uint32_t count;
    const char *const *topics;
    uint32_t topic_count;
};

/* ---- outputs ---- */

enum kl_output_kind {
    KL_OUT_NONE,
    KL_OUT_REQUEST,   /* to broker_id: correlation, api, version, message, size; acks = 0: no answer
                         is expected (expects 0) */
    KL_OUT_HANG_UP,   /* gives the connection to broker_id up (a request timed out there) */
    KL_OUT_TIMER,     /* arm `timer` for due_us, replacing an earlier one; < 0: cancel */
    KL_OUT_DELIVERED, /* SEND of tag: topic, partition, offset (-1 unknown), error; persisted */
    KL_OUT_DONE,      /* a command of tag has ended: command (enum kl_input_kind), error, offsets;
                         ADMIN: also message, size */
    KL_OUT_RECORD,    /* one record for the application: topic, partition, offset, leader_epoch,
                         key, value, timestamp_ms; record: headers, for wire_log_header_next */
    KL_OUT_ASSIGN,    /* partitions to begin with (offsets); wait for KL_IN_REBALANCED */
    KL_OUT_REVOKE,    /* partitions to give up; error: they are lost already */
    KL_OUT_ERROR,     /* error, text: to the application; fatal: nothing more will succeed */
    /* notes */
    KL_OUT_FACT, /* what, error, topic, partition, value: for the trace */
};

enum kl_persisted { KL_NOT_PERSISTED, KL_POSSIBLY_PERSISTED, KL_PERSISTED };

enum kl_fact {
    KL_FACT_METADATA,    /* believes that broker_id leads topic-partition: value its epoch */
    KL_FACT_RETRY,       /* sends topic-partition's batch again, after error */
    KL_FACT_PRODUCER_ID, /* offset: the id, value: its epoch */
    KL_FACT_POSITION,    /* of topic-partition: offset */
    KL_FACT_TRANSACTION, /* value: enum kl_txn_state */
    KL_FACT_GROUP,       /* value: enum kl_group_state, offset: generation */
    KL_FACT_COORDINATOR, /* broker_id; value 0: of the group, 1: of the transaction */
    KL_FACT_TRUNCATED,   /* the log of topic-partition was truncated below the position: offset */
};
enum kl_txn_state {
    KL_TXN_NONE,
    KL_TXN_READY,
    KL_TXN_OPEN,
    KL_TXN_COMMITTING,
    KL_TXN_ABORTING,
    KL_TXN_ABORTABLE,
    KL_TXN_FATAL,
};
enum kl_group_state { KL_GROUP_NONE, KL_GROUP_JOINING, KL_GROUP_SYNCING, KL_GROUP_STABLE };
const char *kl_fact_name(enum kl_fact fact);                /* static; Kafka's words */
const char *kl_txn_state_name(enum kl_txn_state state);     /* static */
const char *kl_group_state_name(enum kl_group_state state); /* static */

/* Errors are Kafka's codes (wire/errors.h), or these, librdkafka's of its own. */
enum kl_error {
    KL_ERR_MSG_TIMED_OUT = -192,
    KL_ERR_TRANSPORT = -195,
    KL_ERR_BAD_COMPRESSION = -198,
    KL_ERR_TIMED_OUT = -185,
    KL_ERR_UNKNOWN_PARTITION = -190,
    KL_ERR_UNKNOWN_TOPIC = -188,
    KL_ERR_PURGED_QUEUE = -152,
    KL_ERR_PURGED_INFLIGHT = -151,
    KL_ERR_STATE = -172,
    KL_ERR_CONFLICT = -173,
    KL_ERR_PREV_IN_PROGRESS = -177,
    KL_ERR_FATAL = -150,
    KL_ERR_FENCED = -144,
    KL_ERR_MAX_POLL_EXCEEDED = -147,
    KL_ERR_AUTO_OFFSET_RESET = -140,
    KL_ERR_LOG_TRUNCATION = -139,
    KL_ERR_NO_OFFSET = -168,
};

/* What an application may do about the error of a transaction's call: rd_kafka_error_is_retriable,
   rd_kafka_error_txn_requires_abort, rd_kafka_error_is_fatal. */
enum kl_remedy {
    KL_REMEDY_NONE,      /* no error, or one that the application has made */
    KL_REMEDY_RETRY,     /* the same call again */
    KL_REMEDY_ABORT,     /* abort, then begin again */
    KL_REMEDY_NONE_LEFT, /* fatal: only a new producer helps */
};

struct kl_output {
    uint32_t kind;
    int32_t broker_id;
    uint64_t tag;
    uint64_t correlation;
    uint64_t timer;
    int64_t due_us;
    int32_t api, version;
    const void *message;
    size_t size;
    int32_t expects; /* REQUEST: 0: no answer comes */
    int32_t error;
    int32_t fatal;
    uint32_t command;
    const char *topic;
    int32_t partition, leader_epoch;
    int64_t offset;
    int64_t timestamp_ms;
    int32_t key_size, value_size;
    const void *key, *value;
    const struct wire_log_record *record;
    const struct kl_offset *offsets;
    uint32_t count;
    uint32_t remedy;    /* DONE of a transaction's call: enum kl_remedy */
    uint32_t persisted; /* enum kl_persisted */
    uint32_t what;      /* enum kl_fact */
    int32_t value_of;   /* FACT: `value` of the table above */
    const char *text;
};

struct kl_outputs {
    void (*put)(void *context,
                const struct kl_output *output); /* in order; borrowed for the call */
    void *context;
    void *scratch; /* 8-byte aligned, for one step; may be shared between clients */
    size_t scratch_size;
    bool more;             /* set: call again with KL_IN_MORE before any other input */
    const char *short_of;  /* on SM_ERR_LIMIT: a field of kl_limits, or "scratch" */
    size_t scratch_needed; /* for "scratch" */
};

/* Consumes one input at now_us (µs, never decreasing).
   Errors: LIMIT, nothing is changed then and nothing was put: grow and call again. */
enum sm_err kl_client_step(struct kl_client *c, int64_t now_us, const struct kl_input *in,
                           struct kl_outputs *out);

/* ---- looking inside ---- */

/* Returns whether nothing is under way but fetches, heartbeats and refreshes. */
bool kl_client_is_idle(const struct kl_client *c);
/* Next offset to be handed to the application, -1 none. */
int64_t kl_client_position(const struct kl_client *c, const char *topic, int32_t partition);
/* Returns how many records of a producer wait for that partition, those that have been sent and not
   answered included; -1 stands for records that have no partition yet. */
uint32_t kl_client_waiting(const struct kl_client *c, const char *topic, int32_t partition);
/* Walks the partitions that a consumer has, by ASSIGN or as a member: start with *at = 0; NULL at
   the end. The name aliases the block. Any thread, while nobody steps the client. */
const char *kl_client_assigned_next(const struct kl_client *c, uint32_t *at, int32_t *partition);
enum kl_txn_state kl_client_txn_state(const struct kl_client *c);
enum kl_group_state kl_client_group_state(const struct kl_client *c);
/* The member that a transaction's offsets name; texts alias the block. */
struct kl_member kl_client_member(const struct kl_client *c);
/* Digest of what decides; times count relative to now_us. Linear. */
uint64_t kl_client_digest(const struct kl_client *c, int64_t now_us);
/* Asserts every invariant of the block. Linear. */
void kl_client_check(const struct kl_client *c);

#endif
