/*
 * What the transaction coordinator keeps, and what its parts call of each other. Internal to
 * broker/txn_*.c and broker/transactions.c.
 *
 *     struct kb_txns | partitions | hash heads | transactions … | topics … | parts … | brokers …
 *                                                                                    | appends …
 *
 *     partition ─► txn ◄──► txn          in the order in which they came
 *                   └─► topic ─► topic   in the order in which they were added
 *                         └─► part ─► part
 *     broker ─► queued parts, sent parts; homeless parts (no leader); parts to be tried again
 *
 * A table is rows of one size, each a struct and then its text. Rows are named by index + 1; 0 is
 * none. Freed rows are given out again last in, first out, so that which row is taken does not
 * depend on the limits. A part is in one list of markers at most, and in none while its transaction
 * is not being ended.
 *
 * Source: see broker/transactions.h.
 */
#ifndef BROKER_TXN_STATE_H
#define BROKER_TXN_STATE_H

#include <assert.h>
#include <string.h>

#include "broker/transactions.h"
#include "wire/bytes.h"
#include "wire/codec.h"
#include "wire/errors.h"
#include "wire/messages.h"
#include "wire/schema.h"

enum kb_tx_tables { KB_X_TXN, KB_X_TOPIC, KB_X_PART, KB_X_BROKER, KB_X_APPEND, KB_X_END };

/* What is found by a hash. Each has heads of its own, and rows link to the next by `chain`. */
enum kb_tx_hashes { KB_H_ID, KB_H_PRODUCER, KB_H_TOPIC, KB_H_PART, KB_H_BROKER, KB_H_END };

struct kb_tx_table {
    size_t at;
    uint32_t stride, capacity, free, high;
};
struct kb_tx_heads {
    size_t at;
    uint32_t count, unused;
};
struct kb_tx_head {      /* of every row */
    uint32_t used, next; /* next: among free rows, or in the list that the row is in */
};
struct kb_tx_list {
    uint32_t first, last;
};

enum { KB_TX_NONE = -1 };
/* What a move writes, and what holds once it is written. */
struct kb_tx_values {
    int64_t producer_id, last_producer_id;
    int64_t start_ms, update_ms; /* start -1: no transaction */
    int32_t timeout_ms;
    int16_t epoch, last_epoch; /* -1: none */
};

struct kb_tx_owned {
    struct kb_tx_list txns;
    int32_t epoch; /* of the coordinator */
    uint8_t owned, loading, unused[2];
};

struct kb_tx {
    struct kb_tx_head row; /* next: of the same partition */
    uint64_t serial;       /* tells the row's transaction from a later one */
    struct kb_tx_values now, to;
    uint32_t before;   /* of the same partition */
    uint32_t chain[2]; /* by id, by producer id */
    uint32_t topic_count, parts;
    uint32_t append; /* row; 0: none is under way */
    struct kb_tx_list topics;
    int32_t partition;
    int8_t state, pending; /* enum kb_txn_state; pending -1: none */
    uint8_t fence_failed;  /* its epoch was raised, but the record did not get through */
    uint8_t ends;          /* Complete is written as soon as no part is left */
    uint8_t again;         /* Complete is to be written again */
    uint8_t unused[3];
    /* then id: name bytes */
};

struct kb_tx_topic {
    struct kb_tx_head row; /* next: of the same transaction */
    uint32_t chain, txn;
    uint32_t count;
    struct kb_tx_list parts;
    uint32_t unused;
    /* then name: topic_name bytes */
};

enum kb_tx_places { KB_P_NOWHERE, KB_P_QUEUED, KB_P_SENT, KB_P_HOMELESS, KB_P_AGAIN };
struct kb_tx_part {
    struct kb_tx_head row; /* next: of the same topic */
    uint32_t before;       /* of the same topic */
    uint32_t chain, topic;
    int32_t partition;
    uint32_t broker;      /* row, where queued or sent */
    uint32_t marker[2];   /* before, after, in the list of markers that it is in */
    uint8_t place, fresh; /* fresh: not in the log yet */
    uint8_t unused[2];
};

struct kb_tx_broker {
    struct kb_tx_head row;
    uint64_t correlation; /* of the request under way, 0 none */
    int64_t due_us;       /* then it counts as lost */
    struct kb_tx_list queued, sent;
    uint32_t chain;
    int32_t id;
};

/* The number of an append names its row, in the lower bits. */
enum { KB_APPEND_ROW_BITS = 24, KB_APPEND_ROW_MASK = (1 << KB_APPEND_ROW_BITS) - 1 };
enum kb_tx_append_kind { KB_A_INIT, KB_A_ADD, KB_A_ENDING, KB_A_FENCE, KB_A_COMPLETE, KB_A_EXPIRE };
struct kb_tx_append {
    struct kb_tx_head row;
    uint64_t id, call_id, serial;
    uint32_t txn; /* 0: tombstones of several */
    int32_t partition, epoch;
    uint32_t kind;
    int16_t api, version;
    uint32_t request_size;
    /* then request: request bytes */
};

struct kb_txns {
    struct kb_txns_limits limits;
    struct kb_txns_config config;
    struct kb_tx_table tables[KB_X_END];
    struct kb_tx_heads heads[KB_H_END];
    size_t partitions_at;
    uint64_t serial; /* the last one given */
    int64_t armed_us, started_us;
    int64_t abort_us, expire_us, retry_us; /* -1: not awaited */
    struct kb_tx_list homeless, again;
    uint32_t txns, ongoing, completes_again; /* counts */
    uint32_t active;
};

struct kb_tstep {
    struct kb_txns *x;
    const struct kb_txns_input *in;
    struct kb_txns_outputs *out;
    int64_t now_us;
};

/* ---- rows ---- */

static inline void *kb_tx_row(const struct kb_txns *x, enum kb_tx_tables t, uint32_t row)
{
    const struct kb_tx_table *table = &x->tables[t];
    assert(row >= 1 && row <= table->high);
    return (uint8_t *)(uintptr_t)x + table->at + (size_t)table->stride * (row - 1);
}
static inline struct kb_tx *kb_tx(const struct kb_txns *x, uint32_t row)
{
    return kb_tx_row(x, KB_X_TXN, row);
}
static inline struct kb_tx_topic *kb_tx_topic(const struct kb_txns *x, uint32_t row)
{
    return kb_tx_row(x, KB_X_TOPIC, row);
}
static inline struct kb_tx_part *kb_tx_part(const struct kb_txns *x, uint32_t row)
{
    return kb_tx_row(x, KB_X_PART, row);
}
static inline struct kb_tx_broker *kb_tx_broker(const struct kb_txns *x, uint32_t row)
{
    return kb_tx_row(x, KB_X_BROKER, row);
}
static inline struct kb_tx_append *kb_tx_append(const struct kb_txns *x, uint32_t row)
{
    return kb_tx_row(x, KB_X_APPEND, row);
}
static inline struct kb_tx_owned *kb_tx_owned(const struct kb_txns *x, int32_t partition)
{
    assert(partition >= 0 && (uint32_t)partition < x->limits.partitions);
    return (struct kb_tx_owned *)(void *)((uint8_t *)(uintptr_t)x + x->partitions_at) + partition;
}
static inline char *kb_tx_id(const struct kb_tx *p)
{
    return (char *)(uintptr_t)(p + 1);
}
static inline char *kb_tx_name(const struct kb_tx_topic *p)
{
    return (char *)(uintptr_t)(p + 1);
}
static inline void *kb_tx_request(const struct kb_tx_append *a)
{
    return (void *)(uintptr_t)(a + 1);
}
static inline uint32_t kb_tx_txn_of(const struct kb_txns *x, const struct kb_tx_part *p)
{
    return kb_tx_topic(x, p->topic)->txn;
}

/* txn_rows.c */
uint32_t kb_tx_take(struct kb_txns *x, enum kb_tx_tables t);
void kb_tx_give(struct kb_txns *x, enum kb_tx_tables t, uint32_t row);
uint32_t kb_tx_left(const struct kb_txns *x, enum kb_tx_tables t);
void kb_tx_rehash(struct kb_txns *x);
uint32_t kb_tx_find(const struct kb_txns *x, const char *id); /* 0: none */
uint32_t kb_tx_by_producer(const struct kb_txns *x, int64_t producer_id);
/* Makes a transaction in Empty, with no producer id. */
uint32_t kb_tx_add(struct kb_txns *x, const char *id, int32_t partition);
void kb_tx_drop(struct kb_txns *x, uint32_t txn);
/* The one place where a state is written: asserts that the move is legal. */
void kb_tx_enter(struct kb_txns *x, uint32_t txn, enum kb_txn_state state);
bool kb_txn_may(enum kb_txn_state from, enum kb_txn_state to);
void kb_tx_set_values(struct kb_txns *x, uint32_t txn, const struct kb_tx_values *values);
uint32_t kb_tx_topic_find(const struct kb_txns *x, uint32_t txn, const char *name);
uint32_t kb_tx_part_find(const struct kb_txns *x, uint32_t topic, int32_t partition);
/* Adds a partition where it is not in; true where it was added. */
bool kb_tx_part_add(struct kb_txns *x, uint32_t txn, const char *topic, int32_t partition,
                    bool fresh);
/* Takes out all partitions, or the fresh ones. */
void kb_tx_parts_drop(struct kb_txns *x, uint32_t txn, bool fresh_only);
void kb_tx_part_drop(struct kb_txns *x, uint32_t part);
uint32_t kb_tx_broker_find(const struct kb_txns *x, int32_t id);
uint32_t kb_tx_broker_get(struct kb_txns *x, int32_t id);
void kb_tx_broker_settle(struct kb_txns *x, uint32_t broker); /* gives an idle one back */
/* Puts a part into the list of its place and broker; takes it out of that of before. */
void kb_tx_part_move(struct kb_txns *x, uint32_t part, enum kb_tx_places place, uint32_t broker);

/* txn_log.c */
struct kb_tx_append *kb_tx_append_add(const struct kb_tstep *s, enum kb_tx_append_kind kind,
                                      uint32_t txn);
/* Writes what the transaction is going to be (to, pending), as append `a`. */
void kb_tx_write(const struct kb_tstep *s, uint32_t txn, const struct kb_tx_append *a);
struct kb_tx_tombstones {
    struct wire_writer w;
    struct kb_log_record *list;
    uint32_t count, unused;
};
struct kb_tx_tombstones kb_tx_tombstones_begin(const struct kb_tstep *s);
void kb_tx_tombstone(struct kb_tx_tombstones *t, const char *id);
void kb_tx_tombstones_put(const struct kb_tstep *s, const struct kb_tx_tombstones *t,
                          const struct kb_tx_append *a);
void kb_tx_on_load(const struct kb_tstep *s);
const char *kb_tx_load_short(const struct kb_txns *x, const struct kb_txns_input *in);

/* txn_requests.c */
/* COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR, or NONE and the transaction, 0: none. */
int32_t kb_tx_lookup(const struct kb_txns *x, const char *id, uint32_t *txn);
/* False where a producer id is needed and none was given: nothing has happened. */
bool kb_tx_on_init(const struct kb_tstep *s);
void kb_tx_on_add_partitions(const struct kb_tstep *s);
void kb_tx_on_add_offsets(const struct kb_tstep *s);
void kb_tx_on_end(const struct kb_tstep *s);
/* Aborts an Ongoing transaction under a raised epoch. `is_call`: for the input's call. */
void kb_tx_fence(const struct kb_tstep *s, uint32_t txn, bool is_call);
bool kb_tx_may_fence(const struct kb_tx *p);

/* txn_answers.c */
struct kb_tx_call {
    uint64_t id;
    const void *request; /* AddPartitionsToTxn */
    const uint8_t *unknown;
    int64_t producer_id; /* InitProducerId */
    int16_t epoch;
    int16_t api, version;
    uint16_t unused;
};
struct kb_tx_call kb_tx_call_of(const struct kb_tstep *s);
void kb_tx_answer(const struct kb_tstep *s, const struct kb_tx_call *call, int32_t error);

/* txn_appends.c */
void kb_tx_on_appended(const struct kb_tstep *s);
/* Of a transaction in Prepare: Complete is what it moves to. */
void kb_tx_prepare_complete(const struct kb_tstep *s, uint32_t txn);
/* Writes Complete where nothing is left to be told. */
void kb_tx_complete_if_done(const struct kb_tstep *s, uint32_t txn);
void kb_tx_complete(const struct kb_tstep *s, uint32_t txn);

/* txn_markers.c */
void kb_tx_markers_begin(const struct kb_tstep *s, uint32_t txn);
void kb_tx_on_metadata(const struct kb_tstep *s);
void kb_tx_on_answered(const struct kb_tstep *s);
void kb_tx_on_send_failed(const struct kb_tstep *s);
void kb_tx_markers_retry(const struct kb_tstep *s);  /* those that failed, again */
void kb_tx_markers_expire(const struct kb_tstep *s); /* requests without an answer */
void kb_tx_markers_send(const struct kb_tstep *s);   /* to each broker that has none under way */

/* txn_partitions.c */
void kb_tx_on_elected(const struct kb_tstep *s);
void kb_tx_on_loaded(const struct kb_tstep *s);
void kb_tx_on_resigned(const struct kb_tstep *s);
void kb_tx_on_shutdown(const struct kb_tstep *s);

/* txn_timers.c */
void kb_tx_on_timer(const struct kb_tstep *s);
void kb_tx_arm(const struct kb_tstep *s);
bool kb_tx_is_timed_out(const struct kb_txns *x, const struct kb_tx *p, int64_t wall_ms);
bool kb_tx_is_expired(const struct kb_txns *x, const struct kb_tx *p, int64_t wall_ms);
enum { KB_TOMBSTONE_BYTES = 512 * 1024 }; /* of one append, so that a log takes it */

/* txn_needs.c */
const char *kb_txns_short(const struct kb_tstep *s);

#endif
