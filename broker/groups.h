/*
 * The group coordinator of one broker: which consumers form a group, what each of them reads, how
 * far they have come.
 *
 *     requests of clients ───────►┌────────────────────────────┐───► answers
 *     elected, resigned  ────────►│ group ─ members            │───► appends to __consumer_offsets
 *     what the log holds ────────►│      └─ offsets (committed,│───► "read me this partition"
 *     an append has ended ───────►│         staged, of a txn)  │───► the timer
 *     markers, the timer ────────►└────────────────────────────┘
 *
 *     Empty ──► PreparingRebalance ──► CompletingRebalance ──► Stable        any ──► Dead
 *       ▲              │      ▲________________│__________________│
 *       └──────────────┘
 *
 * All that must outlive this broker goes out as records and is believed when the append has ended;
 * whoever leads the partition next is given the same records and knows what was known here. Groups
 * in a rebalance are not written: their members join anew.
 *
 * Where Kafka walks a hash map (which member leads next, the order of members in an answer), this
 * module walks members in the order in which they came.
 *
 * Two of Kafka's holes are kept: a member that asks again while it is parked loses its first call,
 * and one that leaves while its SyncGroup is parked never gets an answer to that.
 *
 * Memory: lives in kb_groups_size(limits) bytes that the caller owns, holds no pointer. Nothing is
 * allocated, no clock is read, nothing random is made. Thread: none; one caller at a time.
 *
 * Source: Kafka 2.8.2 kafka.coordinator.group.GroupCoordinator, GroupMetadata, MemberMetadata,
 * GroupMetadataManager, DelayedJoin, DelayedSync, DelayedHeartbeat; the group requests of
 * kafka.server.KafkaApis; KIP-134, KIP-345, KIP-394, KIP-447; KAFKA-12890.
 */
#ifndef BROKER_GROUPS_H
#define BROKER_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "statemachine/error.h"

struct kb_groups; /* opaque: a block of bytes, 8-byte aligned */

/* Capacities. A step that could exceed one changes nothing and says which
   (kb_groups_outputs.short_of); the caller grows the block by copy and gives the input again. */
struct kb_groups_limits {
    uint32_t partitions; /* of __consumer_offsets, offsets.topic.num.partitions */
    uint32_t groups;
    uint32_t members;    /* of all groups, those that have an id only among them */
    uint32_t offsets;    /* of all groups: committed, staged, and of open transactions */
    uint32_t appends;    /* requests that wait for theirs */
    uint32_t name;       /* bytes of the longest id or protocol name, NUL included */
    uint32_t topic_name; /* bytes of the longest topic name, NUL included */
    uint32_t metadata;   /* bytes of the longest text of a commit, NUL included */
    uint32_t protocols;  /* bytes of the protocols of one member, their names and heads included */
    uint32_t assignment; /* bytes of the longest assignment */
    uint32_t request;    /* bytes of the largest request, as a flat message */
    uint32_t scratch;    /* bytes of the largest answer to a question about many groups */
};
struct kb_groups_limits kb_groups_limits_default(void);
/* Returns the limits with the one named `short_of` larger; "groups." before the name is passed
   over. */
struct kb_groups_limits kb_groups_limits_above(const struct kb_groups_limits *limits,
                                               const char *short_of);

struct kb_groups_config {
    int64_t offsets_retention_ms; /* offsets.retention.minutes, 7 days */
    int64_t retention_check_us;   /* offsets.retention.check.interval.ms, 10 min */
    int64_t new_member_us;        /* 5 min: a new member waits no longer for its first answer */
    int32_t min_session_ms;       /* group.min.session.timeout.ms, 6 s */
    int32_t max_session_ms;       /* group.max.session.timeout.ms, 30 min */
    int32_t max_size;             /* group.max.size, 2^31 - 1 */
    int32_t initial_delay_ms;     /* group.initial.rebalance.delay.ms, 3 s */
    int32_t max_metadata;         /* offset.metadata.max.bytes, 4096 */
    int32_t unused;
};
/* Returns Kafka's defaults. */
struct kb_groups_config kb_groups_config_default(void);

enum kb_group_state {
    KB_GROUP_EMPTY,
    KB_GROUP_PREPARING,
    KB_GROUP_COMPLETING,
    KB_GROUP_STABLE,
    KB_GROUP_DEAD,
};
const char *kb_group_state_name(enum kb_group_state state); /* "PreparingRebalance"; static */

/* Returns which of `partitions` partitions a key (a group or a transactional id, UTF-8) belongs to.
   Source: GroupMetadataManager.partitionFor, String.hashCode, Utils.abs. */
int32_t kb_coordinator_partition(const char *key, uint32_t partitions);

/* ---- records ---- */

struct kb_log_record {
    const uint8_t *key, *value;
    int32_t key_size;
    int32_t value_size; /* -1: a tombstone */
};
/* A batch of the log. */
struct kb_log_batch {
    int64_t base_offset;
    int64_t producer_id;
    uint32_t flags; /* enum kb_batch_flags (broker/replicas.h) */
    uint32_t count; /* records; a control batch has none here */
    const struct kb_log_record *records;
};

/* ---- inputs ---- */

enum kb_groups_input_kind {
    KB_GROUPS_START,    /* the coordinator answers from now on */
    KB_GROUPS_SHUTDOWN, /* and no more */
    KB_GROUPS_ELECTED,  /* partition, epoch: this broker leads it now */
    KB_GROUPS_LOAD,     /* partition, batches, count: the next of what its log holds */
    KB_GROUPS_LOADED,   /* partition: that was all */
    KB_GROUPS_RESIGNED, /* partition, epoch (-1: its replica was stopped) */
    KB_GROUPS_MARKER,   /* partition, producer_id, commit: a transaction ended in the partition */
    KB_GROUPS_APPENDED, /* append_id, error, offset: base offset of the batch */
    KB_GROUPS_TIMER,
    KB_GROUPS_REQUEST, /* api: JoinGroup, SyncGroup, Heartbeat, LeaveGroup, OffsetCommit,
                          OffsetFetch, TxnOffsetCommit, OffsetDelete, DescribeGroups, ListGroups,
                          DeleteGroups */
};

/* Pointers are borrowed for the call. */
struct kb_groups_input {
    uint32_t kind;
    int32_t partition;
    int32_t epoch;
    int32_t error;
    int64_t wall_ms; /* the broker's clock: what is written into records */
    int64_t offset;
    int64_t producer_id;
    uint64_t append_id;
    uint64_t call_id; /* comes back in the answer */
    int16_t api, version;
    uint32_t commit;
    const void *request; /* flat message (wire/schema.h) */
    uint32_t request_size;
    uint32_t count;         /* batches */
    const uint8_t *unknown; /* OffsetCommit, TxnOffsetCommit, OffsetDelete: a byte for each
                               partition, in order, 1: not in the metadata; NULL: all are */
    const char *client_id, *client_host;
    const char *uuid; /* JoinGroup: what tells a new member id from all others, 36 characters */
    const struct kb_log_batch *batches;
};

/* ---- outputs ---- */

enum kb_groups_output_kind {
    KB_GROUPS_OUT_ANSWER, /* call_id, api, version, message, size */
    KB_GROUPS_OUT_APPEND, /* append_id (0: nobody waits), partition, records, count, timestamp_ms,
                             producer_id, producer_epoch (-1: none, else transactional), acks */
    KB_GROUPS_OUT_LOAD,   /* partition, epoch: give me the log from its start to its end */
    KB_GROUPS_OUT_TIMER,  /* due_us: arm, replacing an earlier one; -1: cancel */
};
struct kb_groups_output {
    uint32_t kind;
    int32_t partition;
    uint64_t call_id;
    uint64_t append_id;
    int64_t due_us;
    int64_t timestamp_ms;
    int64_t producer_id;
    const void *message;
    const struct kb_log_record *records;
    int32_t epoch;
    uint32_t size;
    uint32_t count;
    int16_t producer_epoch;
    int16_t api, version;
    int16_t acks;          /* -1 or 0; with -1 the append may take offsets.commit.timeout.ms, 5 s */
    int32_t base_sequence; /* of the batch: Kafka gives commits 0, all else none (-1) */
    uint32_t unused;
};

/* The sink. `put` is called during the step, once per output, in order; pointers inside an output
   are valid during that call only. `scratch` (8-byte aligned) has kb_groups_scratch_size(limits)
   bytes, is the caller's, and keeps nothing from step to step. */
struct kb_groups_outputs {
    void (*put)(void *context, const struct kb_groups_output *output);
    void *context;
    void *scratch;
    const char *short_of; /* on SM_ERR_LIMIT: the field of kb_groups_limits that is too small */
};

/* ---- life ---- */

size_t kb_groups_size(const struct kb_groups_limits *limits);         /* bytes */
size_t kb_groups_scratch_size(const struct kb_groups_limits *limits); /* bytes */
/* Makes a coordinator that owns nothing. */
void kb_groups_init(struct kb_groups *g, const struct kb_groups_limits *limits,
                    const struct kb_groups_config *config);
const struct kb_groups_limits *kb_groups_limits(const struct kb_groups *g);
/* Copies `from` into the block `to` laid out for `limits` (none below the present ones). */
void kb_groups_grow(const struct kb_groups *from, struct kb_groups *to,
                    const struct kb_groups_limits *limits);
/* Consumes one input at `now_us` (µs, never decreasing).
   Errors: LIMIT, nothing is changed then and nothing was put: grow and call again. */
enum sm_err kb_groups_step(struct kb_groups *g, int64_t now_us, const struct kb_groups_input *in,
                           struct kb_groups_outputs *out);

/* ---- looking inside ---- */

struct kb_group_view {
    const char *id, *protocol_type, *protocol, *leader; /* alias the block; NULL: none */
    int32_t state;                                      /* enum kb_group_state */
    int32_t generation;
    uint32_t members, pending, waiting; /* waiting: for the others to join */
    uint32_t unused;
};
struct kb_member_view {
    const char *id, *instance; /* alias the block; instance NULL: dynamic */
    const uint8_t *assignment;
    uint32_t assignment_size;
    uint32_t waits; /* bit 0: for the answer to JoinGroup, 1: to SyncGroup */
};
struct kb_offset_view {
    const char *topic, *metadata; /* alias the block */
    int64_t offset, producer_id;  /* producer_id -1: committed, else of that transaction */
    int32_t partition, leader_epoch;
};
/* Walks: *at starts at 0; false at the end. `group` is the number that kb_groups_next gave. */
bool kb_groups_next(const struct kb_groups *g, uint32_t *at, struct kb_group_view *view);
bool kb_member_next(const struct kb_groups *g, uint32_t group, uint32_t *at,
                    struct kb_member_view *view);
bool kb_offset_next(const struct kb_groups *g, uint32_t group, uint32_t *at,
                    struct kb_offset_view *view);
/* Digest of what a partition's log must bring back: groups that are Empty or Stable, their members
   and assignments, offsets committed and of open transactions. Independent of slots and limits. */
uint64_t kb_groups_digest(const struct kb_groups *g, int32_t partition);
/* Asserts every invariant of the block. Linear. */
void kb_groups_check(const struct kb_groups *g);

#endif
