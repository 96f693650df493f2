/*
 * The vocabulary of the control plane: what a controller tells brokers, and what is asked of it.
 *
 * One *batch* is everything that one state-change call of the controller has to say, stored once.
 * It names its recipients by bit sets over broker indexes, so that a cluster of 200 brokers costs
 * one body and not 200. Out of one batch a broker gets up to three requests, in this order:
 *
 *     LeaderAndIsr  ->  UpdateMetadata  ->  StopReplica
 *
 * A batch is a flat, pointer-free byte record (8-byte aligned):
 *
 *     struct wire_batch | brokers: struct wire_broker, strings … | records: struct wire_record …
 *
 * Records of the three kinds stand in the order in which they were added; a record that a later one
 * has replaced is marked dead. A *call* is a request to the controller (ControlledShutdown,
 * AlterPartitionReassignments, …) or its answer, also flat.
 *
 * Source: Kafka ControllerChannelManager.AbstractControllerBrokerRequestBatch;
 * LeaderAndIsrRequest v4, UpdateMetadataRequest v6, StopReplicaRequest v3 (KIP-455, KIP-570).
 */
#ifndef WIRE_MESSAGES_H
#define WIRE_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "statemachine/assignment.h"
#include "statemachine/leader_and_isr.h"
#include "statemachine/list.h"
#include "statemachine/znode.h"
#include "wire/api.h"
#include "wire/errors.h"

/* Kafka's API keys. */
enum wire_api {
    WIRE_API_NONE = -1,
#define X(constant, low, name, key, ...) WIRE_API_##constant = key,
    WIRE_API_MAP(X)
#undef X
};
const char *wire_api_name(enum wire_api api);   /* "LeaderAndIsr"; "none"; static */
enum wire_api wire_api_named(const char *name); /* or WIRE_API_NONE */

/* The errors that the control plane uses, and a scenario may name: constant, code. */
#define WIRE_ERROR_MAP(X)                                                                          \
    X(UNKNOWN_SERVER_ERROR, WIRE_ERROR_UNKNOWN_SERVER_ERROR)                                       \
    X(NONE, WIRE_ERROR_NONE)                                                                       \
    X(UNKNOWN_TOPIC_OR_PARTITION, WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION)                           \
    X(REQUEST_TIMED_OUT, WIRE_ERROR_REQUEST_TIMED_OUT)                                             \
    X(BROKER_NOT_AVAILABLE, WIRE_ERROR_BROKER_NOT_AVAILABLE)                                       \
    X(STALE_CONTROLLER_EPOCH, WIRE_ERROR_STALE_CONTROLLER_EPOCH)                                   \
    X(INVALID_TOPIC_EXCEPTION, WIRE_ERROR_INVALID_TOPIC_EXCEPTION)                                 \
    X(INVALID_REPLICA_ASSIGNMENT, WIRE_ERROR_INVALID_REPLICA_ASSIGNMENT)                           \
    X(NOT_CONTROLLER, WIRE_ERROR_NOT_CONTROLLER)                                                   \
    X(INVALID_REQUEST, WIRE_ERROR_INVALID_REQUEST)                                                 \
    X(KAFKA_STORAGE_ERROR, WIRE_ERROR_KAFKA_STORAGE_ERROR)                                         \
    X(REASSIGNMENT_IN_PROGRESS, WIRE_ERROR_REASSIGNMENT_IN_PROGRESS)                               \
    X(FENCED_LEADER_EPOCH, WIRE_ERROR_FENCED_LEADER_EPOCH)                                         \
    X(STALE_BROKER_EPOCH, WIRE_ERROR_STALE_BROKER_EPOCH)                                           \
    X(PREFERRED_LEADER_NOT_AVAILABLE, WIRE_ERROR_PREFERRED_LEADER_NOT_AVAILABLE)                   \
    X(ELIGIBLE_LEADERS_NOT_AVAILABLE, WIRE_ERROR_ELIGIBLE_LEADERS_NOT_AVAILABLE)                   \
    X(ELECTION_NOT_NEEDED, WIRE_ERROR_ELECTION_NOT_NEEDED)                                         \
    X(NO_REASSIGNMENT_IN_PROGRESS, WIRE_ERROR_NO_REASSIGNMENT_IN_PROGRESS)

/* ---- batches ---- */

enum wire_record_kind {
    WIRE_RECORD_DEAD,
    WIRE_RECORD_LEADER_AND_ISR,
    WIRE_RECORD_UPDATE_METADATA,
    WIRE_RECORD_STOP_REPLICA,
};

struct wire_batch {
    uint32_t size;         /* of the whole record, a multiple of 8 */
    uint32_t broker_count; /* live or shutting down, ascending by id */
    uint32_t set_words;    /* 64-bit words of each bit set */
    uint32_t sets;    /* offset: three sets, who gets LeaderAndIsr, UpdateMetadata, StopReplica */
    uint32_t brokers; /* offset of the first struct wire_broker */
    uint32_t records; /* offset of the first struct wire_record */
    uint32_t record_bytes;
    uint32_t count[3]; /* live records: LeaderAndIsr, UpdateMetadata, StopReplica */
    int32_t controller_id;
    int32_t controller_epoch;
    uint64_t id;    /* 1.. within one life of one controller object */
    uint32_t pins;  /* the controller's own: queued events about answers to it */
    uint32_t index; /* offset of its index, behind everything else; 0: none (batch_index.h) */
};

struct wire_broker {
    uint32_t size;  /* of this entry, strings included, a multiple of 8 */
    uint32_t index; /* the bit of this broker in every set of the batch */
    int32_t id;
    uint8_t endpoint_count;
    uint8_t rack_size; /* NUL included; 0: no rack */
    uint8_t unused[2];
    int64_t epoch; /* czxid of its registration */
    /* then rack NUL, then per endpoint: int32 port, listener NUL, protocol NUL, host NUL */
};

struct wire_record {
    uint32_t size;
    uint8_t kind;
    uint8_t isr_count, replica_count, adding_count, removing_count;
    uint8_t offline_count; /* UPDATE_METADATA */
    uint16_t topic_size;   /* NUL included */
    int32_t partition;
    int32_t controller_epoch;
    int32_t leader;
    int32_t leader_epoch;
    int32_t zk_version;
    uint32_t row; /* the controller's own number of the partition; meaningless to others */
    uint32_t
        older; /* offset+1 of an earlier record of this partition and kind, 0 none; controller's */
    uint32_t unused[2]; /* 48 bytes in all: the sets behind it are 64-bit words */
    /* then uint64 to[set_words] (all but UPDATE_METADATA), uint64 flag[set_words] (isNew per broker
       for LEADER_AND_ISR, deletePartition per broker for STOP_REPLICA),
       then int32 ids: isr, replicas, adding, removing, offline; then topic NUL */
};

struct wire_record_view {
    const struct wire_record *record;
    const uint64_t *to, *flag; /* NULL for UPDATE_METADATA */
    const int32_t *isr, *replicas, *adding, *removing, *offline;
    const char *topic;
    uint32_t offset; /* of the record in the batch: a name for it */
    uint32_t place;  /* of what comes next in the index, 0: it is not walked */
};

/* Walks the live records of one kind (WIRE_RECORD_DEAD: of all kinds): start with {0}; false at the
   end. Views alias the batch. */
bool wire_batch_next(const struct wire_batch *b, enum wire_record_kind kind,
                     struct wire_record_view *v);

/* The same, of those that broker `index` receives (for UPDATE_METADATA: all, where it receives it).
   Where the batch has an index, records for others cost nothing. */
bool wire_batch_next_for(const struct wire_batch *b, enum wire_record_kind kind, uint32_t index,
                         struct wire_record_view *v);

/* Points the view at the record at `offset`, a dead one too (whose parts are then not looked at).
   False where there is none. */
bool wire_batch_at(const struct wire_batch *b, uint32_t offset, struct wire_record_view *v);

/* Returns whether broker `index` gets a request of `kind` out of the batch. */
bool wire_batch_is_for(const struct wire_batch *b, enum wire_record_kind kind, uint32_t index);

/* Returns the entry of broker `id`, or NULL. Walks: start `previous` NULL. */
const struct wire_broker *wire_batch_broker(const struct wire_batch *b, int32_t id);
const struct wire_broker *wire_batch_next_broker(const struct wire_batch *b,
                                                 const struct wire_broker *previous);
/* Returns the bit of broker `id` in the batch; 0 where it has no entry: a batch that was decoded
   for one broker. */
uint32_t wire_batch_bit(const struct wire_batch *b, int32_t id);
/* Decodes an entry's strings into *out. */
void wire_broker_decode(const struct wire_broker *b, struct sm_broker *out);
/* Size of an entry for `from`; and writes it (capacity checked by the caller). */
uint32_t wire_broker_size(const struct sm_broker *from);
void wire_broker_encode(struct wire_broker *out, uint32_t index, int64_t epoch,
                        const struct sm_broker *from);

/* The answer of a broker to one request out of a batch: `error` for the whole; else each partition
   of the request has `partition_error`, but those listed have their own. */
struct wire_answer_item {
    uint32_t record; /* offset of the record in the batch */
    int32_t error;
};
struct wire_answer {
    int32_t error;
    int32_t partition_error;
    uint32_t count;
    uint32_t unused;
    const struct wire_answer_item *items; /* borrowed, ascending by record */
};

/* ---- calls to the controller, and their answers ---- */

struct wire_call {
    uint32_t size; /* of the whole record, a multiple of 8 */
    int32_t api;   /* enum wire_api */
    int32_t error; /* answers: top level */
    uint32_t count;
    int32_t broker_id;     /* CONTROLLED_SHUTDOWN */
    uint8_t all;           /* ELECT_LEADERS, LIST_…: 1 = every partition (null list) */
    uint8_t election_type; /* ELECT_LEADERS: 0 PREFERRED, 1 UNCLEAN */
    uint8_t unused[2];
    int64_t broker_epoch; /* CONTROLLED_SHUTDOWN; -1 unknown */
    /* then items */
};
struct wire_call_item {
    uint32_t size;
    int32_t partition;
    int32_t error; /* answers */
    uint8_t replica_count, adding_count, removing_count;
    uint8_t cancel;      /* ALTER_…: the replicas are null */
    uint32_t topic_size; /* NUL included */
    uint32_t unused;
    /* then int32 ids: replicas, adding, removing; then topic NUL */
};
struct wire_call_view {
    const struct wire_call_item *item;
    const int32_t *replicas, *adding, *removing;
    const char *topic;
    uint32_t next;
};
bool wire_call_next(const struct wire_call *c, struct wire_call_view *v); /* start with {0} */

struct wire_call_builder {
    uint8_t *bytes;
    size_t capacity;
    bool overflow;
};
void wire_call_begin(struct wire_call_builder *b, void *bytes, size_t capacity,
                     const struct wire_call *head);
/* assignment NULL: no lists. */
void wire_call_add(struct wire_call_builder *b, const char *topic, int32_t partition, int32_t error,
                   bool cancel, const struct sm_assignment *assignment);
const struct wire_call *wire_call_end(struct wire_call_builder *b); /* NULL on overflow */

#endif
