/*
 * The transaction coordinator of one broker: who may write under a transactional id, which
 * partitions a transaction wrote to, how it ended, and that every partition hears of it.
 *
 *     requests of producers ─────►┌────────────────────────────┐───► answers
 *     elected, resigned ─────────►│ transaction                │───► appends to __transaction_state
 *     what the log holds ────────►│   └─ topics ─ partitions   │───► "read me this partition"
 *     an append has ended ───────►│ brokers                    │───► WriteTxnMarkers to brokers
 *     answers of brokers,        ►│   └─ queued, sent markers  │───► the timer
 *     the metadata, the timer     └────────────────────────────┘
 *
 *     Empty ──► Ongoing ──► PrepareCommit ──► CompleteCommit ──► Empty, Ongoing
 *                  └──────► PrepareAbort ───► CompleteAbort ───► Empty, Ongoing
 *
 * Every move is a record first: it is pending until its append has ended, and all that comes
 * meanwhile is told CONCURRENT_TRANSACTIONS. What outlives this broker is in the records: whoever
 * leads the partition next goes on from them, and sends the markers of what was prepared. The end
 * of a transaction is decided when Prepare is in the log; the producer is answered then.
 *
 * Memory: lives in kb_txns_size(limits) bytes that the caller owns, holds no pointer. Nothing is
 * allocated, no clock is read, nothing random is made. Thread: none; one caller at a time.
 *
 * Source: Kafka 2.8.2 kafka.coordinator.transaction.TransactionCoordinator,
 * TransactionStateManager, TransactionMetadata, TransactionLog, TransactionMarkerChannelManager,
 * TransactionMarkerRequestCompletionHandler; the transaction requests of kafka.server.KafkaApis;
 * KIP-98, KIP-360, KIP-588 (PRODUCER_FENCED).
 */
#ifndef BROKER_TRANSACTIONS_H
#define BROKER_TRANSACTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/groups.h"
#include "statemachine/error.h"

struct kb_txns; /* opaque: a block of bytes, 8-byte aligned */

/* Capacities. A step that could exceed one changes nothing and says which
   (kb_txns_outputs.short_of); the caller grows the block by copy and gives the input again. */
struct kb_txns_limits {
    uint32_t partitions;   /* of __transaction_state, transaction.state.log.num.partitions */
    uint32_t transactions; /* transactional ids */
    uint32_t topics;       /* of open transactions, each counted for itself */
    uint32_t parts;        /* partitions of open transactions */
    uint32_t appends;      /* under way */
    uint32_t brokers;      /* that are sent markers */
    uint32_t name;         /* bytes of the longest transactional id, NUL included */
    uint32_t topic_name;   /* bytes of the longest topic name, NUL included */
    uint32_t request;      /* bytes of the largest AddPartitionsToTxn, as a flat message */
};
struct kb_txns_limits kb_txns_limits_default(void);
/* Returns the limits with the one named `short_of` twice as large; "txns." before the name is
   passed over. */
struct kb_txns_limits kb_txns_limits_above(const struct kb_txns_limits *limits,
                                           const char *short_of);

struct kb_txns_config {
    int64_t expiration_ms;   /* transactional.id.expiration.ms, 7 days */
    int64_t abort_check_us;  /* transaction.abort.timed.out.transaction.cleanup.interval.ms, 10 s */
    int64_t expire_check_us; /* transaction.remove.expired.transaction.cleanup.interval.ms, 1 h */
    int64_t request_timeout_us; /* request.timeout.ms, 30 s */
    int64_t retry_us;           /* what failed is sent again after that time, 50 ms */
    int32_t max_timeout_ms;     /* transaction.max.timeout.ms, 15 min */
    int32_t group_partitions;   /* offsets.topic.num.partitions, 50: for AddOffsetsToTxn */
};
/* Returns Kafka's defaults. */
struct kb_txns_config kb_txns_config_default(void);

/* As in records. */
enum kb_txn_state {
    KB_TXN_EMPTY,
    KB_TXN_ONGOING,
    KB_TXN_PREPARE_COMMIT,
    KB_TXN_PREPARE_ABORT,
    KB_TXN_COMPLETE_COMMIT,
    KB_TXN_COMPLETE_ABORT,
    KB_TXN_DEAD,
    KB_TXN_PREPARE_EPOCH_FENCE, /* pending only, never stored */
    KB_TXN_STATES
};
const char *kb_txn_state_name(enum kb_txn_state state); /* "PrepareCommit"; static */

/* ---- inputs ---- */

enum kb_txns_input_kind {
    KB_TXNS_START,       /* timed-out transactions and idle ids are looked for from now on */
    KB_TXNS_SHUTDOWN,    /* all is forgotten */
    KB_TXNS_ELECTED,     /* partition, epoch: this broker leads it now */
    KB_TXNS_LOAD,        /* partition, batches, count: the next of what its log holds */
    KB_TXNS_LOADED,      /* partition: that was all; of the latest election only */
    KB_TXNS_RESIGNED,    /* partition, epoch (-1: its replica was stopped) */
    KB_TXNS_APPENDED,    /* append_id, error (of the wire) */
    KB_TXNS_METADATA,    /* leaders may have changed */
    KB_TXNS_ANSWERED,    /* correlation, message: a flat WriteTxnMarkers response */
    KB_TXNS_SEND_FAILED, /* correlation: no answer will come */
    KB_TXNS_TIMER,
    KB_TXNS_REQUEST, /* api: InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn */
};

/* Pointers are borrowed for the call. */
struct kb_txns_input {
    uint32_t kind;
    int32_t partition;
    int32_t epoch;
    int32_t error;
    int64_t wall_ms;     /* the broker's clock: what is written into records */
    int64_t producer_id; /* InitProducerId: an id that nobody has, -1: none is at hand */
    uint64_t append_id;
    uint64_t call_id; /* comes back in the answer */
    uint64_t correlation;
    int16_t api, version;
    uint32_t count;      /* batches */
    const void *message; /* flat (wire/schema.h) */
    uint32_t message_size;
    uint32_t unused;
    const uint8_t *unknown; /* AddPartitionsToTxn: a byte for each partition, in order, 1: not in
                               the metadata; NULL: all are */
    const struct kb_log_batch *batches;
};

/* ---- outputs ---- */

enum kb_txns_output_kind {
    KB_TXNS_OUT_ANSWER,  /* call_id, api, version, message, size */
    KB_TXNS_OUT_APPEND,  /* append_id, partition, records, count, timestamp_ms, timeout_ms; acks=all
                          */
    KB_TXNS_OUT_LOAD,    /* partition, epoch: give me the log from its start to its end */
    KB_TXNS_OUT_MARKERS, /* broker_id, correlation, message, size: WriteTxnMarkers version 0 */
    KB_TXNS_OUT_TIMER,   /* due_us: arm, replacing an earlier one; -1: cancel */
};
struct kb_txns_output {
    uint32_t kind;
    int32_t partition;
    uint64_t call_id;
    uint64_t append_id;
    uint64_t correlation;
    int64_t due_us;
    int64_t timestamp_ms;
    const void *message;
    const struct kb_log_record *records;
    int32_t epoch;
    int32_t broker_id;
    int32_t timeout_ms;
    uint32_t size;
    uint32_t count;
    int16_t api, version;
};

enum { KB_TXNS_NO_LEADER = -1, KB_TXNS_NO_PARTITION = -2 };

/* The sink. `put` is called during the step, once per output, in order; pointers inside an output
   are valid during that call only. `scratch` (8-byte aligned) has kb_txns_scratch_size(limits)
   bytes, is the caller's, and keeps nothing from step to step. */
struct kb_txns_outputs {
    void (*put)(void *context, const struct kb_txns_output *output);
    /* Returns the live broker that leads the partition as far as the metadata says;
       KB_TXNS_NO_LEADER: none that is alive; KB_TXNS_NO_PARTITION: no such partition (any more).
       Says the same throughout a step. */
    int32_t (*leader_of)(void *context, const char *topic, int32_t partition);
    void *context;
    void *scratch;
    const char *short_of; /* on SM_ERR_LIMIT: the field of kb_txns_limits that is too small, or
                             "producer_id": the input needs one */
    bool took_id;         /* the input's producer id is used */
    uint8_t unused[7];
};

/* ---- life ---- */

size_t kb_txns_size(const struct kb_txns_limits *limits);         /* bytes */
size_t kb_txns_scratch_size(const struct kb_txns_limits *limits); /* bytes */
/* Makes a coordinator that owns nothing. */
void kb_txns_init(struct kb_txns *x, const struct kb_txns_limits *limits,
                  const struct kb_txns_config *config);
const struct kb_txns_limits *kb_txns_limits(const struct kb_txns *x);
/* Copies `from` into the block `to` laid out for `limits` (none below the present ones). */
void kb_txns_grow(const struct kb_txns *from, struct kb_txns *to,
                  const struct kb_txns_limits *limits);
/* Consumes one input at `now_us` (µs, never decreasing).
   Errors: LIMIT, nothing is changed then and nothing was put: grow and call again. */
enum sm_err kb_txns_step(struct kb_txns *x, int64_t now_us, const struct kb_txns_input *in,
                         struct kb_txns_outputs *out);

/* ---- looking inside ---- */

struct kb_txn_view {
    const char *id; /* aliases the block */
    int64_t producer_id, start_ms, update_ms;
    int32_t partition, timeout_ms;
    int32_t state;   /* enum kb_txn_state */
    int32_t pending; /* the state that it moves to, -1 none */
    int16_t epoch, last_epoch;
    uint32_t parts; /* partitions in it */
};
struct kb_txn_part_view {
    const char *topic; /* aliases the block */
    int32_t partition;
    int32_t broker_id; /* that its marker is for: queued or sent; -1 none */
};
/* Walks: *at starts at 0; false at the end. `txn` is the number that kb_txns_next gave. Those of
   partitions that are being loaded are left out. */
bool kb_txns_next(const struct kb_txns *x, uint32_t *at, struct kb_txn_view *view);
bool kb_txn_part_next(const struct kb_txns *x, uint32_t txn, uint32_t *at,
                      struct kb_txn_part_view *view);
/* Whether nothing is under way: no append, no marker, nothing being loaded. */
bool kb_txns_is_quiet(const struct kb_txns *x);
/* Digest of what a partition's log must bring back. Independent of slots and limits; means
   something only of a partition of which nothing is pending. */
uint64_t kb_txns_digest(const struct kb_txns *x, int32_t partition);
/* Asserts every invariant of the block. Linear. */
void kb_txns_check(const struct kb_txns *x);

#endif
