/*
 * Inside the replica manager's block.
 *
 *     struct kb_replicas | topics | rows | fetchers | sessions | operations | heap | live | zk
 *                        | pools: batches, epochs, producers, transactions, waits | scratch
 *
 * A *row* is a partition and its log: the partition lives as long as the process, the log as long
 * as the disk. Rows are found by hash of (topic, partition). A row's variable parts are *extents*:
 * runs of a pool, power-of-two sized, so that a log of n batches is one array that is searched by
 * halves. Everything that waits for something is in a list through the rows (enum kb_list), never
 * found by a walk over all of them.
 *
 * Numbers that may be "none" are stored plus one, so that zero means none and unused bytes are
 * zero.
 */
#ifndef BROKER_REPLICA_STATE_H
#define BROKER_REPLICA_STATE_H

#include "broker/replicas.h"
#include "statemachine/leader_and_isr.h"
#include "wire/errors.h"

#define KB_NEVER  (-(INT64_C(1) << 60)) /* a time before all others */
#define KB_NO_ROW UINT32_MAX

/* ---- pools ---- */

enum { KB_CLASSES = 28 };

struct kb_pool {
    uint64_t at; /* offset of item 0 in the block */
    uint32_t item_size, capacity;
    uint32_t used; /* items ever handed out; behind it all is free */
    uint32_t unused;
    uint32_t free_head[KB_CLASSES]; /* first free extent of 2^class items, plus one */
    uint32_t free_count[KB_CLASSES];
};

struct kb_extent {
    uint32_t at; /* item index in the pool */
    uint32_t first, count;
    uint32_t class1; /* capacity is 2^(class1 - 1); 0: nothing allocated */
};

enum kb_pool_id {
    KB_POOL_BATCHES,
    KB_POOL_SEGMENTS,
    KB_POOL_EPOCHS,
    KB_POOL_PRODUCERS,
    KB_POOL_TRANSACTIONS,
    KB_POOL_WAITS,
    KB_POOL_END
};

/* What an input will take out of the pools, counted before anything is changed. */
struct kb_need {
    uint32_t classes[KB_POOL_END][KB_CLASSES]; /* how many extents of 2^class items */
    uint32_t any[KB_POOL_END];                 /* a bit for each class of which there is one */
};

void *kb_extent_at(struct kb_replicas *r, enum kb_pool_id pool, const struct kb_extent *e,
                   uint32_t i);
const void *kb_extent_see(const struct kb_replicas *r, enum kb_pool_id pool,
                          const struct kb_extent *e, uint32_t i);
/* Room for `more` items behind the last one; asserts that the pool has it. */
void kb_extent_reserve(struct kb_replicas *r, enum kb_pool_id pool, struct kb_extent *e,
                       uint32_t more);
/* Whether one more item fits without a fresh run. */
bool kb_extent_has_room(const struct kb_extent *e);
/* Adds one zeroed item at the end, or before item `i`; returns it. */
void *kb_extent_add(struct kb_replicas *r, enum kb_pool_id pool, struct kb_extent *e);
void *kb_extent_insert(struct kb_replicas *r, enum kb_pool_id pool, struct kb_extent *e,
                       uint32_t i);
void kb_extent_remove(struct kb_replicas *r, enum kb_pool_id pool, struct kb_extent *e, uint32_t i);
void kb_extent_drop_last(struct kb_replicas *r, enum kb_pool_id pool, struct kb_extent *e,
                         uint32_t n);
void kb_extent_drop_first(struct kb_replicas *r, enum kb_pool_id pool, struct kb_extent *e,
                          uint32_t n);
void kb_extent_free(struct kb_replicas *r, enum kb_pool_id pool, struct kb_extent *e);
void kb_extent_copy(const struct kb_replicas *from, const struct kb_extent *e,
                    struct kb_replicas *to, enum kb_pool_id pool, struct kb_extent *copy);
/* Notes that `more` items will be added to `e` (NULL: a new one). */
void kb_need_add(struct kb_need *need, enum kb_pool_id pool, const struct kb_extent *e,
                 uint32_t more);
/* Returns the field of kb_limits that is too small, or NULL. */
const char *kb_need_check(const struct kb_replicas *r, const struct kb_need *need);

/* ---- lists through rows ---- */

enum kb_list {
    KB_LIST_HW,        /* its high watermark or its log changed since the last checkpoint */
    KB_LIST_LAGGING,   /* led here, and an ISR member is not at the log's end */
    KB_LIST_CHANGED,   /* its ISR was written, the controller has not been told */
    KB_LIST_NOTIFYING, /* … is being told right now */
    KB_LIST_ISR_WRITE, /* an ISR change waits for a free place among the ZooKeeper requests */
    KB_LIST_FETCHER,   /* all rows of one fetcher */
    KB_LIST_QUEUE,     /* … and the one queue of it in which the row stands */
    KB_LIST_FORGET,    /* … in the leader's session, but to be forgotten with the next fetch */
    KB_LIST_END
};
struct kb_link {
    uint32_t next, prev; /* row + 1 */
};
struct kb_head {
    uint32_t first, last; /* row + 1 */
    uint32_t count;
    uint32_t unused;
};
void kb_list_add(struct kb_replicas *r, enum kb_list list, struct kb_head *head, uint32_t row);
void kb_list_remove(struct kb_replicas *r, enum kb_list list, struct kb_head *head, uint32_t row);

/* ---- rows ---- */

/* A part of a log that is begun and deleted as one: [base, base of the next). */
struct kb_segment {
    int64_t base;
    int64_t bytes;    /* as it was written: records that DeleteRecords has deleted count */
    int64_t first_ms; /* of its first append: what its age to roll counts from; -1 never rolls */
    int64_t max_ms;   /* largest timestamp */
};

/* Queues of a fetcher: a row that is fetched and was mentioned stands in none. */
enum kb_queue {
    KB_QUEUE_NONE,
    KB_QUEUE_CHANGED,  /* to be named in the next fetch */
    KB_QUEUE_TRUNCATE, /* has to ask where its epoch ended */
    KB_QUEUE_ASKED,    /* a question is in flight */
    KB_QUEUE_OFFSETS,  /* out of range: has to ask for the leader's offsets */
    KB_QUEUE_DELAYED,  /* after an error; ascends by due time, for all wait equally long */
    KB_QUEUE_END
};

struct kb_row {
    uint32_t next_hash; /* row + 1 */
    uint32_t topic;     /* index + 1; 0: the row is free, next_hash the next free one */
    int32_t partition;
    uint8_t hosted;   /* enum kb_hosted */
    uint8_t has_log;  /* on disk */
    uint8_t attached; /* the partition has opened it (Partition.log) */
    uint8_t dir;

    int32_t leader, leader_epoch; /* -1 */
    int32_t controller_epoch, zk_version;
    int64_t epoch_start; /* where this leader's epoch begins; -1 on followers */

    int64_t log_start, log_end, hw;
    int64_t flushed;       /* what a lost machine surely leaves */
    int64_t checkpoint_hw; /* what a restart finds */
    int64_t open_txn;      /* first offset of the oldest open transaction, -1 */
    struct kb_extent batches, epochs, producers, transactions;
    struct kb_extent segments; /* closed ones, in their order */
    struct kb_segment open;    /* what appends go to; 0 bytes: nothing in it yet */
    int64_t closed_bytes;

    uint8_t isr_state, isr_count;
    uint8_t listed[KB_LIST_END]; /* 1: in that list */
    int16_t answer;              /* to the request in work */
    uint8_t accepted; /* … 1 becomes leader, 2 follower, 3 is stopped, 4 is stopped and deleted */
    uint8_t named;    /* … names it */
    uint8_t unused_b[2];
    uint32_t record;  /* … offset in the batch */
    uint32_t isr_op;  /* ZooKeeper request in flight, plus one */
    int32_t joining;  /* EXPANDING */
    uint32_t leaving; /* SHRINKING: bits of places in the ISR */

    uint32_t waits; /* first item that waits on it, plus one */
    uint32_t fetcher;
    uint8_t fetch_state, queue; /* enum kb_fetch_state, kb_queue */
    uint8_t in_session;
    uint8_t earliest; /* KB_QUEUE_OFFSETS: asks for the earliest, having heard the latest */
    int32_t fetch_epoch;
    int32_t sent_epoch; /* of the last question: what the answer belongs to */
    uint32_t unused_c;
    int64_t fetch_offset, sent_offset;
    int64_t due_us; /* DELAYED */
    struct kb_link link[KB_LIST_END];
    /* then int32_t isr[replicas]; then struct kb_remote[replicas] */
};

/* A log end that was known and is forgotten (KAFKA-8400); -1 was never known. */
enum { KB_FORGOTTEN = -2 };

/* What a leader knows of one follower. Caught-up followers of quiet partitions are not touched by
   every fetch: what those would have noted is the session's last fetch (kb_remote_settle). */
struct kb_remote {
    int32_t id;
    uint8_t used;
    uint8_t dirty; /* in the session's list of rows that the next fetch has to look at */
    uint8_t unused[2];
    int64_t log_end, log_start;
    int64_t caught_up_us;
    int64_t last_leader_end, last_fetch_us;
    uint32_t session; /* that has the row, plus one */
    int32_t epoch;    /* the row as the session has it */
    int64_t offset;
    int64_t sent_hw, sent_start;
    int32_t max_bytes;
    uint32_t next_cached, prev_cached; /* place + 1; place = row * replicas + slot */
    uint32_t next_dirty, prev_dirty;
    uint32_t segment; /* in which `offset` was when it was read: low bits of its base */
};

struct kb_topic {
    uint32_t next_hash;
    uint32_t users; /* rows and waits that name it */
    struct kb_topic_config config;
    uint32_t used;
    uint32_t unused;
    /* then the name */
};

struct kb_producer_batch {
    int64_t last_offset;
    int64_t timestamp;
    int32_t last_sequence;
    int32_t offset_delta;
};
struct kb_producer {
    int64_t id;
    int64_t first_offset; /* of its open transaction, -1 */
    int64_t timestamp;
    int32_t coordinator_epoch;
    int16_t epoch;
    uint16_t count;
    struct kb_producer_batch batch[5]; /* oldest first */
};
struct kb_transaction { /* ended */
    int64_t producer_id;
    int64_t first_offset, last_offset;
    int64_t aborted;
};

/* ---- who waits ---- */

enum kb_operation_kind { KB_OP_NONE, KB_OP_PRODUCE, KB_OP_FETCH };
struct kb_operation {
    uint64_t call_id;
    int64_t due_us;
    uint32_t heap; /* place in the heap plus one; free: next free one plus one */
    uint8_t kind, committed, any_replica, unused;
    int32_t replica_id;
    int32_t min_bytes, max_bytes;
    uint32_t pending; /* PRODUCE: items without a result */
    uint32_t session; /* FETCH: plus one; such a fetch has no items */
    uint32_t unused2;
    struct kb_extent items; /* struct kb_wait */
};
struct kb_wait {
    uint32_t operation;  /* plus one */
    uint32_t row;        /* plus one; 0: waits on none any more */
    uint32_t next, prev; /* ring of the items of one row, oldest first, plus one */
    int64_t offset;      /* PRODUCE: the high watermark that is needed; FETCH: asked */
    int64_t base_offset; /* PRODUCE; FETCH: of the segment in which `offset` was then */
    int64_t log_start;
    uint32_t topic; /* plus one: names outlive rows */
    int32_t partition;
    int32_t epoch, max_bytes;
    int32_t error;
    uint32_t pending;
};

struct kb_session {
    int32_t id;    /* 0: free */
    int32_t epoch; /* of the next fetch */
    int32_t replica_id;
    uint32_t operation; /* that waits, plus one */
    int64_t last_fetch_us;
    uint32_t first_cached, first_dirty, last_dirty;
    uint32_t cached_count, dirty_count;
    uint32_t unused;
};

/* ---- followers ---- */

enum kb_flight { KB_FLIGHT_NONE, KB_FLIGHT_FETCH, KB_FLIGHT_EPOCHS, KB_FLIGHT_OFFSETS };
struct kb_fetcher {
    int32_t leader;
    int32_t number;
    uint8_t used;
    uint8_t flight;     /* enum kb_flight */
    uint8_t fetch_next; /* truncation had its turn */
    uint8_t idle;       /* waits because nothing may be fetched: a new row ends it */
    uint8_t renew;      /* a row has left that the leader's session has: begin a new one */
    uint8_t unused[3];
    uint64_t correlation;
    int64_t delay_us; /* nothing is sent before; KB_NEVER: at once */
    int64_t armed_us; /* due time told, -1 none */
    int32_t session_id, session_epoch;
    uint32_t ready; /* rows that may be fetched */
    uint32_t unused2;
    struct kb_head all, forget, queue[KB_QUEUE_END];
};

/* ---- ZooKeeper ---- */

/* ISR writes (kb_config.zk_window of them), one notification, a failure of each directory. */
enum { KB_ZK_OPS = 64 + 1 + KB_DIRS_MAX };
enum kb_zk_kind { KB_ZK_NONE, KB_ZK_ISR_WRITE, KB_ZK_ISR_READ, KB_ZK_NOTIFY, KB_ZK_DIR_EVENT };
struct kb_zk_op {
    uint32_t xid;
    uint32_t row; /* plus one; 0: deleted meanwhile */
    uint8_t kind;
    uint8_t unused[7];
    struct sm_leader_and_isr proposed;
    uint32_t unused2;
};

/* Fixed timers; fetchers come behind. */
enum kb_timer {
    KB_TIMER_ISR_CHECK,
    KB_TIMER_ISR_NOTIFY,
    KB_TIMER_HW_CHECKPOINT,
    KB_TIMER_WAITS,
    KB_TIMER_RETENTION,
    KB_TIMER_PRODUCERS,
    KB_TIMER_FETCHER,
};

struct kb_places {
    uint64_t topics, topic_buckets, rows, row_buckets, fetchers, sessions, operations, heap, live,
        zk, scratch, total;
    uint32_t topic_stride, row_stride, remotes; /* remotes: offset in a row */
    uint32_t topic_bucket_count, row_bucket_count;
    uint32_t unused;
};

struct kb_replicas {
    struct kb_limits limits;
    struct kb_config config;
    struct kb_places at;
    struct kb_pool pools[KB_POOL_END];

    int64_t started_us;
    int64_t broker_epoch;
    int32_t controller_epoch;
    uint32_t live_count;
    uint32_t failed_dirs; /* bits */
    uint8_t started, shutting_down, checkpointing;
    uint8_t expired; /* its session is gone, and the next registration is not there yet */
    int64_t checkpoint_start_us;
    int64_t isr_changed_us, isr_notified_us;
    int64_t retention_due_ms;           /* nothing can be deleted before; INT64_MAX never */
    int64_t producers_due_ms;           /* nobody can be forgotten before */
    int64_t armed_us[KB_TIMER_FETCHER]; /* -1 */
    uint64_t next_correlation;
    uint32_t next_xid;
    int32_t next_session;
    uint32_t isr_writes; /* in flight, reads among them */
    int32_t told_controller_epoch;
    int64_t told_broker_epoch; /* both: of the last LeaderAndIsr that was followed */

    uint32_t topic_count, row_high, row_count, free_row; /* free_row: plus one */
    uint32_t operation_high, operation_count, free_operation, heap_count;
    uint32_t dir_logs[KB_DIRS_MAX];
    struct kb_head hw, lagging, changed, notifying, isr_write;
    uint32_t scratch_used;
    uint32_t free_topic; /* plus one */
};

static inline void *kb_place(const struct kb_replicas *r, uint64_t at)
{
    return (uint8_t *)(uintptr_t)r + at;
}
static inline struct kb_row *kb_row(const struct kb_replicas *r, uint32_t row)
{
    return kb_place(r, r->at.rows + (uint64_t)row * r->at.row_stride);
}
static inline uint32_t kb_row_index(const struct kb_replicas *r, const struct kb_row *row)
{
    return (uint32_t)(((const uint8_t *)row - (const uint8_t *)kb_place(r, r->at.rows)) /
                      r->at.row_stride);
}
static inline int32_t *kb_isr(const struct kb_row *row)
{
    return (int32_t *)(uintptr_t)(row + 1);
}
static inline struct kb_remote *kb_remote(const struct kb_replicas *r, const struct kb_row *row,
                                          uint32_t slot)
{
    return (struct kb_remote *)((uint8_t *)(uintptr_t)row + r->at.remotes) + slot;
}
static inline struct kb_topic *kb_topic(const struct kb_replicas *r, uint32_t topic)
{
    return kb_place(r, r->at.topics + (uint64_t)topic * r->at.topic_stride);
}
static inline char *kb_topic_name(const struct kb_topic *t)
{
    return (char *)(uintptr_t)(t + 1);
}
static inline const char *kb_row_topic(const struct kb_replicas *r, const struct kb_row *row)
{
    return kb_topic_name(kb_topic(r, row->topic - 1));
}
static inline struct kb_fetcher *kb_fetcher(const struct kb_replicas *r, uint32_t i)
{
    return (struct kb_fetcher *)kb_place(r, r->at.fetchers) + i;
}
static inline struct kb_session *kb_session(const struct kb_replicas *r, uint32_t i)
{
    return (struct kb_session *)kb_place(r, r->at.sessions) + i;
}
static inline struct kb_operation *kb_operation(const struct kb_replicas *r, uint32_t i)
{
    return (struct kb_operation *)kb_place(r, r->at.operations) + i;
}
static inline struct kb_zk_op *kb_zk_op(const struct kb_replicas *r, uint32_t i)
{
    return (struct kb_zk_op *)kb_place(r, r->at.zk) + i;
}
static inline bool kb_leads(const struct kb_replicas *r, const struct kb_row *row)
{
    return row->hosted == KB_ONLINE && row->attached && row->leader == r->config.broker_id;
}
static inline bool kb_defect(const struct kb_replicas *r, enum sm_defect d)
{
    return sm_defect_on(&r->config.profile, d);
}
/* A step in work. */
struct kb_step {
    struct kb_replicas *r;
    struct kb_outputs *out;
    int64_t now_us;
    int64_t wall_ms;
};

/* replica_block.c */
uint32_t kb_topic_find(const struct kb_replicas *r, const char *name);
uint32_t kb_topic_take(struct kb_replicas *r,
                       const char *name); /* makes it where missing; one user more */
void kb_topic_drop(struct kb_replicas *r, uint32_t topic); /* one user less */
void kb_topic_configure(struct kb_replicas *r, const char *name, struct kb_topic_config config);
uint32_t kb_row_find(const struct kb_replicas *r, const char *topic, int32_t partition);
uint32_t kb_row_get(struct kb_replicas *r, const char *topic, int32_t partition);
/* Frees the row where it is neither hosted nor has a log. */
void kb_row_release(struct kb_replicas *r, uint32_t row);
/* Scratch of one step, 8-byte aligned, zeroed; NULL where it is used up. */
void *kb_scratch(struct kb_replicas *r, size_t size);
size_t kb_scratch_room(const struct kb_replicas *r);
void kb_scratch_clear(struct kb_replicas *r);
struct kb_output kb_output_of(const struct kb_replicas *r, enum kb_output_kind kind,
                              const struct kb_row *row);
void kb_put(const struct kb_step *s, const struct kb_output *output);
void kb_fact(const struct kb_step *s, enum kb_fact fact, const struct kb_row *row, int32_t value,
             int64_t offset);
/* A fact about batches: they are borrowed for the call. */
void kb_fact_batches(const struct kb_step *s, enum kb_fact fact, const struct kb_row *row,
                     int64_t offset, const struct kb_batch *batches, uint32_t count);
void kb_payload(const struct kb_step *s, uint64_t payload, int32_t change);

/* found_log.c */
void kb_on_log(const struct kb_step *s, const struct kb_found_log *found);

/* log.c: batches, offsets, high watermark. None of them asks who leads. */
/* Tells of what was appended since the log had `before` batches. */
void kb_log_appended(const struct kb_step *s, const struct kb_row *row, uint32_t before);
const struct kb_batch *kb_log_batches(const struct kb_replicas *r, const struct kb_row *row);
void kb_log_append(const struct kb_step *s, struct kb_row *row, const struct kb_batch *batch);
/* What appending these batches may take out of the pools, at most. */
struct kb_append_room {
    uint32_t batches, epochs, producers, transactions, segments;
};
struct kb_append_room kb_append_room(const struct kb_replicas *r, const struct kb_row *row,
                                     const struct kb_batch *batches, uint32_t count);
void kb_append_reserve(struct kb_replicas *r, struct kb_row *row, struct kb_append_room room);
void kb_log_truncate(const struct kb_step *s, struct kb_row *row, int64_t offset);
void kb_log_restart_at(const struct kb_step *s, struct kb_row *row, int64_t offset);
/* Returns whether it moved. */
bool kb_log_set_start(const struct kb_step *s, struct kb_row *row, int64_t offset,
                      enum kb_start_reason reason);
void kb_log_set_hw(const struct kb_step *s, struct kb_row *row, int64_t hw);
void kb_log_delete(const struct kb_step *s, struct kb_row *row);
int64_t kb_log_stable(const struct kb_replicas *r, const struct kb_row *row);
static inline int64_t kb_batch_end(const struct kb_batch *b)
{
    return b->base_offset + b->last_offset_delta + 1;
}
/* Index of the first batch that ends behind `offset`; the count where none does. */
uint32_t kb_log_search(const struct kb_replicas *r, const struct kb_row *row, int64_t offset);
struct kb_read {
    const struct kb_batch *batches;
    uint32_t count;
    int32_t error;
    int64_t bytes;
};
struct kb_read kb_log_read(const struct kb_replicas *r, const struct kb_row *row, int64_t offset,
                           int64_t bound, int64_t max_bytes, bool at_least_one);

/* log_segments.c: where a log is cut into pieces. None of them drops a batch. */
/* What the topic says of its logs, or the broker; `room` is where it may be put together. */
const struct kb_log_config *kb_log_config_of(const struct kb_replicas *r, const struct kb_row *row,
                                             struct kb_log_config *room);
/* Whether appending these batches, as one, begins a new segment. */
bool kb_segments_must_roll(const struct kb_replicas *r, const struct kb_row *row,
                           const struct kb_batch *batches, uint32_t count);
/* Before they are appended, from `offset` on: rolls where it is due. */
void kb_segments_roll(const struct kb_step *s, struct kb_row *row, const struct kb_batch *batches,
                      uint32_t count, int64_t offset);
/* They are being appended: counts them. */
void kb_segments_take(const struct kb_step *s, struct kb_row *row, const struct kb_batch *batches,
                      uint32_t count);
/* Whether they are too large for a segment of this log. */
bool kb_segments_too_small(const struct kb_replicas *r, const struct kb_row *row,
                           const struct kb_batch *batches, uint32_t count);
/* Before all batches from the `kept`-th on are dropped, so that the log ends at `end`. */
void kb_segments_cut_end(struct kb_replicas *r, struct kb_row *row, uint32_t kept, int64_t end);
void kb_segments_cut_start(struct kb_replicas *r, struct kb_row *row, int64_t offset);
void kb_segments_restart(struct kb_replicas *r, struct kb_row *row, int64_t offset);
/* Base of the segment in which `offset` lies; and of the one behind that, INT64_MAX for none. */
int64_t kb_segment_base(const struct kb_replicas *r, const struct kb_row *row, int64_t offset);
int64_t kb_segment_next(const struct kb_replicas *r, const struct kb_row *row, int64_t offset);

/* retention.c: what is too old, or too much */
/* The log has changed: looks when something of it may go at the earliest. */
void kb_retention_note(struct kb_replicas *r, const struct kb_row *row);
void kb_retention_check(const struct kb_step *s);
void kb_producers_expire(const struct kb_step *s);
/* The earliest moment (ms) at which this producer may be forgotten. */
void kb_producers_note_due(struct kb_replicas *r, int64_t timestamp_ms);

/* leader_epochs.c */
struct kb_epoch_end {
    int32_t epoch;  /* -1 undefined */
    int64_t offset; /* -1 undefined */
};
/* The epoch that wrote the record at `offset`; -1 where none did. */
int32_t kb_epochs_at(const struct kb_replicas *r, const struct kb_row *row, int64_t offset);
int32_t kb_epochs_latest(const struct kb_replicas *r, const struct kb_row *row); /* -1 none */
void kb_epochs_assign(struct kb_replicas *r, struct kb_row *row, int32_t epoch, int64_t start);
struct kb_epoch_end kb_epochs_end_of(const struct kb_replicas *r, const struct kb_row *row,
                                     int32_t epoch);
void kb_epochs_cut_end(struct kb_replicas *r, struct kb_row *row, int64_t offset);
void kb_epochs_cut_start(struct kb_replicas *r, struct kb_row *row, int64_t offset);

/* log_producers.c */
/* Returns the error that appending `batch` would meet; *duplicate is the base offset of an equal
   batch already there, -1 none. */
int32_t kb_producers_check(const struct kb_replicas *r, const struct kb_row *row,
                           const struct kb_batch *batch, int32_t origin, int64_t *duplicate);
void kb_producers_note(struct kb_replicas *r, struct kb_row *row, const struct kb_batch *batch);
void kb_producers_rebuild(struct kb_replicas *r, struct kb_row *row);
/* The log starts later: forgets aborted transactions that ended before. */
void kb_producers_on_start(struct kb_replicas *r, struct kb_row *row);
/* Forgets who has been idle since `before_ms` or longer, and has no transaction open. Returns how
   many; *oldest_ms: the least timestamp of those that stay, where that is less. */
uint32_t kb_producers_forget(struct kb_replicas *r, struct kb_row *row, int64_t before_ms,
                             int64_t *oldest_ms);
const struct kb_producer *kb_producer_find(const struct kb_replicas *r, const struct kb_row *row,
                                           int64_t id);

/* replica_requests.c */
void kb_on_update_metadata(const struct kb_step *s, const struct kb_input *in);
void kb_on_leader_and_isr(const struct kb_step *s, const struct kb_input *in);
void kb_on_stop_replica(const struct kb_step *s, const struct kb_input *in);
void kb_on_dir_failed(const struct kb_step *s, int32_t dir);
bool kb_is_live(const struct kb_replicas *r, int32_t broker_id);
bool kb_dir_works(const struct kb_replicas *r, uint32_t dir);
void kb_tell_leadership(const struct kb_step *s, const struct kb_row *row, enum kb_role role,
                        int32_t epoch);

/* replica_strays.c: replicas that go, with their logs */
/* epoch: why, as a StopReplica says it. The row is not released. */
void kb_row_delete(const struct kb_step *s, uint32_t row, int32_t epoch);
/* Notes whose request this is; returns whether it is the first of its broker or controller epoch,
   and so names all replicas of this broker. */
bool kb_is_whole(struct kb_replicas *r, const struct kb_input *in);
/* Gives up what is hosted and not named. */
void kb_strays_give_up(const struct kb_step *s);

/* replica_leader.c: what a leader knows of its followers, and its high watermark */
/* Returns whether it did not lead before. */
bool kb_lead(const struct kb_step *s, struct kb_row *row, const struct wire_record_view *v);
void kb_set_followers(const struct kb_step *s, struct kb_row *row, const int32_t *replicas,
                      uint32_t count);
void kb_set_isr(const struct kb_step *s, struct kb_row *row, const int32_t *ids, uint32_t count);
struct kb_remote *kb_remote_find(const struct kb_replicas *r, const struct kb_row *row, int32_t id);
void kb_remote_settle(const struct kb_replicas *r, const struct kb_row *row,
                      struct kb_remote *remote);
void kb_remotes_settle(const struct kb_step *s, struct kb_row *row);
void kb_remote_fetched(const struct kb_step *s, struct kb_row *row, struct kb_remote *remote,
                       int64_t offset, int64_t log_start, int64_t leader_end);
bool kb_raise_hw(const struct kb_step *s, struct kb_row *row);
void kb_note_lagging(const struct kb_step *s, struct kb_row *row);
void kb_maximal_isr(const struct kb_row *row, struct sm_list *list);
int32_t kb_min_insync(const struct kb_replicas *r, const struct kb_row *row);

/* isr.c */
void kb_isr_maybe_expand(const struct kb_step *s, struct kb_row *row,
                         const struct kb_remote *remote);
void kb_isr_check(const struct kb_step *s);
void kb_isr_forget(const struct kb_step *s, struct kb_row *row); /* a LeaderAndIsr overrides it */
void kb_isr_row_gone(struct kb_replicas *r, uint32_t row);
void kb_isr_write_next(const struct kb_step *s);
void kb_isr_notify(const struct kb_step *s);
void kb_tell_dir_failure(const struct kb_step *s, int32_t dir);
void kb_on_zk_reply(const struct kb_step *s, const struct wire_zk_reply *reply);

/* replica_waits.c: requests that wait */
uint32_t kb_operation_new(struct kb_replicas *r, const struct kb_operation *of, uint32_t items);
void kb_operation_free(struct kb_replicas *r, uint32_t operation);
struct kb_wait *kb_wait_at(struct kb_replicas *r, const struct kb_operation *op, uint32_t i);
void kb_wait_watch(struct kb_replicas *r, uint32_t operation, uint32_t item, uint32_t row);
/* Leadership or the high watermark changed: produces, and fetches. */
void kb_wake_all(const struct kb_step *s, struct kb_row *row);
/* The log grew. */
void kb_wake_fetches(const struct kb_step *s, struct kb_row *row);
void kb_waits_expire(const struct kb_step *s);
/* The partition is gone: produces that wait on it have `error`, fetches are answered. */
void kb_waits_detach(const struct kb_step *s, struct kb_row *row, int32_t error);

/* replica_produce.c */
void kb_on_produce(const struct kb_step *s, const struct kb_input *in);
/* Looks at one item; true once it has its result. */
bool kb_produce_settled(const struct kb_replicas *r, struct kb_wait *wait);
void kb_produce_finish(const struct kb_step *s, uint32_t operation);
void kb_on_delete_records(const struct kb_step *s, const struct kb_input *in);

/* replica_fetch.c */
void kb_on_fetch(const struct kb_step *s, const struct kb_input *in);
bool kb_fetch_may_end(struct kb_replicas *r, const struct kb_operation *op);
void kb_fetch_finish(const struct kb_step *s, uint32_t operation);
/* Which error a request meets that names `row` (KB_NO_ROW: not here); 0 none. */
int32_t kb_row_error(const struct kb_replicas *r, uint32_t row, int32_t unknown,
                     int32_t current_epoch, bool only_leader);

/* replica_sessions.c */
uint32_t kb_session_find(const struct kb_replicas *r, int32_t id); /* KB_NO_ROW */
uint32_t kb_session_new(const struct kb_step *s, int32_t replica_id);
void kb_session_drop(const struct kb_step *s, uint32_t session);
void kb_session_add(struct kb_replicas *r, uint32_t session, struct kb_row *row,
                    struct kb_remote *remote);
void kb_session_remove(struct kb_replicas *r, struct kb_row *row, struct kb_remote *remote);
void kb_session_mark(struct kb_replicas *r, const struct kb_row *row, struct kb_remote *remote);
void kb_session_clean(struct kb_replicas *r, const struct kb_row *row, struct kb_remote *remote);
/* All followers that have the row in a session look at it with their next fetch. */
void kb_sessions_mark_row(struct kb_replicas *r, const struct kb_row *row);
struct kb_remote *kb_remote_of_place(const struct kb_replicas *r, uint32_t place,
                                     struct kb_row **row);

/* replica_offsets.c: OffsetForLeaderEpoch and ListOffsets, as asked */
void kb_on_epochs(const struct kb_step *s, const struct kb_input *in);
void kb_on_offsets(const struct kb_step *s, const struct kb_input *in);

/* fetcher.c, fetcher_answers.c */
void kb_follow(const struct kb_step *s, uint32_t row, int32_t leader);
void kb_unfollow(const struct kb_step *s, uint32_t row);
void kb_fetchers_shut_idle(const struct kb_step *s);
bool kb_any_dir_works(const struct kb_replicas *r);
void kb_fetchers_go(const struct kb_step *s); /* each sends what it may */
void kb_fetcher_queue(struct kb_replicas *r, uint32_t row, enum kb_queue queue);
void kb_fetch_set(struct kb_replicas *r, uint32_t row, enum kb_fetch_state state,
                  enum kb_queue queue);
void kb_fetch_delay(const struct kb_step *s, uint32_t row);
void kb_fetch_fail(const struct kb_step *s, uint32_t row);
void kb_on_fetch_answer(const struct kb_step *s, const struct kb_input *in);
void kb_on_epochs_answer(const struct kb_step *s, const struct kb_input *in);
void kb_on_offsets_answer(const struct kb_step *s, const struct kb_input *in);
void kb_on_send_failed(const struct kb_step *s, const struct kb_input *in);

/* replica_needs.c */
const char *kb_short_of(const struct kb_replicas *r, const struct kb_input *in);

/* replica_timers.c */
void kb_timers_arm(const struct kb_step *s);
void kb_on_timer(const struct kb_step *s, uint32_t timer);

#endif
