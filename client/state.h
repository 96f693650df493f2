/*
 * What a client keeps, and what its files share.
 *
 *     struct kl_client | brokers | topics | partitions | records | requests | commands | bytes
 *
 * All rows are of one size and named by a number one above their index; 0 is none. Records,
 * requests and commands that are free hang in lists through `next`. What has no fixed size (keys
 * and values, the offsets of a command) lies in the bytes, and its owner knows where: a piece
 * begins with the row of its handle, so that pieces can be moved together when the end is reached
 * (blobs.c).
 *
 * A step takes one input and then looks at what is to be done (kl_serve): every duty is a function
 * that can be called at any time, looks at the state alone, does what it may and says when it has
 * to be called again (kl_due). So nothing has to be remembered to be done; and one timer suffices.
 *
 * What an input may need is checked before anything is changed (room.c). A duty sends only while a
 * request is free, and leaves the rest to the next step (`more`).
 */
#ifndef CLIENT_STATE_H
#define CLIENT_STATE_H

#include <assert.h>

#include "client/client.h"
#include "wire/codec.h"
#include "wire/errors.h"
#include "wire/messages.h"
#include "wire/record_batch.h"
#include "wire/schema.h"

enum {
    KL_TEXT = 256,            /* of an id or a name, NUL included */
    KL_SPARE_REQUESTS = 4,    /* free at the beginning of each step */
    KL_UNPACK_ROOM = 4 << 20, /* of scratch, for a batch that was fetched compressed */
    KL_NEVER_RETRIED = 0,
    KL_IDEMPOTENT_IN_FLIGHT = 5, /* requests per partition: the broker's window of duplicates */
};
#define KL_NEVER    INT64_MAX
#define KL_MS       ((int64_t)1000)
#define KL_NO_EPOCH ((int16_t)-1)

/* Errors of the client that never leave it. */
enum {
    KL_ERR_TIMED_OUT_QUEUE = -166,
    KL_ERR_OUTDATED = -167,
    KL_ERR_RETRY = -153,
};

enum kl_link { KL_LINK_DOWN, KL_LINK_ASKED, KL_LINK_UP };

struct kl_broker {
    int32_t id;
    uint32_t link; /* enum kl_link */
    int64_t reconnect_us;
    int32_t backoff_ms;
    uint32_t in_flight;   /* requests that wait for an answer */
    uint64_t since;       /* first correlation of this connection */
    uint32_t first, last; /* requests under way, in the order in which they were sent */
    uint64_t fetch;       /* correlation of the fetch under way; 0: none */
    int64_t fetch_after_us;
    uint32_t is_bootstrap;
    uint32_t connects;
};

enum kl_topic_state { KL_TOPIC_UNKNOWN, KL_TOPIC_EXISTS, KL_TOPIC_ABSENT };

struct kl_topic {
    char name[KL_TEXT];
    uint32_t state;
    int32_t partition_count; /* that the cluster has */
    uint32_t partitions;     /* list of rows, by number */
    int32_t error;
    uint32_t wanted;             /* metadata is asked for at the next occasion */
    uint32_t leader_unavailable; /* librdkafka's F_LEADER_UNAVAIL */
    uint32_t subscribed;
    uint32_t needed; /* metadata of it is kept fresh for the group's assignment */
    int64_t created_us;
    int64_t sticky_until_us;
    int32_t sticky_partition;
    uint32_t desired_error; /* an unknown partition has been told of */
};

struct kl_queue {
    uint32_t first, last, count, unused;
    uint64_t bytes;
};

/* What a partition is fetched for. */
enum kl_fetch_state {
    KL_FETCH_NONE,
    KL_FETCH_STORED,
    KL_FETCH_QUERY,
    KL_FETCH_WAIT,
    KL_FETCH_ACTIVE
};
enum kl_in_txn { KL_TXN_OUT, KL_TXN_PENDING, KL_TXN_ASKED, KL_TXN_IN };

struct kl_partition {
    uint32_t topic;
    int32_t number; /* -1: records that have no partition yet */
    uint32_t next;  /* of the topic */
    int32_t leader; /* id; -1 none */
    int32_t leader_epoch;
    /* producer */
    uint32_t in_flight_records, in_flight_requests;
    uint32_t wait_drain;
    struct kl_queue queue; /* by msgid */
    uint64_t next_msgid;
    uint64_t epoch_base_msgid, acked_msgid;
    int64_t producer_id;
    int32_t producer_epoch;
    int32_t next_ack_seq, next_err_seq;
    uint32_t in_txn; /* enum kl_in_txn */
    /* consumer */
    uint32_t fetch_state; /* enum kl_fetch_state */
    uint32_t paused, assigned;
    uint32_t target;      /* of the assignment that is being taken */
    int64_t position;     /* next offset to hand out; -1 none */
    int64_t query_offset; /* what KL_FETCH_QUERY asks for */
    int64_t fetch_after_us, query_after_us;
    int64_t log_start; /* of the last fetch; -1 */
    uint64_t fetching; /* correlation of the request that asks for it; 0: none that counts */
    int64_t stored_offset, committed_offset, committing_offset; /* -1001 none */
    int64_t seek_offset; /* as assigned, KL_OFFSET_… or an offset */
    int32_t last_error;
    int32_t stored_epoch;
};

struct kl_record {
    uint64_t tag, msgid, last_msgid, serial;
    int64_t enqueued_us, expires_us, backoff_us, timestamp_ms;
    uint32_t next, blob;
    int32_t key_size, value_size;
    int32_t retries, partition; /* as asked, -1 any */
    uint32_t status;            /* enum kl_persisted */
    uint32_t header_count;
    uint32_t
        headers_size; /* in the blob, behind key and value: struct kl_piece each, and its bytes */
    uint32_t unused;
};

struct kl_piece {
    int32_t key_size, value_size; /* -1: null */
};

struct kl_request {
    uint64_t correlation; /* 0: free */
    int64_t sent_us, timeout_us;
    int32_t broker; /* id */
    int16_t api, version;
    uint32_t next;
    uint32_t partition; /* Produce, ListOffsets */
    uint32_t command;   /* row */
    int32_t serial;     /* of the state that asked: an answer to an older one is dropped */
    struct kl_queue batch;
    uint64_t first_msgid;
    int64_t producer_id;
    int32_t producer_epoch, first_seq;
};

/* A command that has not ended. */
struct kl_command {
    uint32_t kind; /* enum kl_input_kind; 0: free */
    uint32_t next;
    uint64_t tag, serial;
    uint32_t blob, count; /* struct kl_place[count], or an admin message */
    uint32_t phase;
    int32_t error, retries, api, version;
    uint32_t request; /* under way for it: row; of a transaction only: some */
    int64_t after_us, expires_us;
    char group[KL_TEXT];
    struct {
        char id[KL_TEXT], instance_id[KL_TEXT];
        int32_t generation;
        uint32_t has_instance;
    } member;
};

/* A partition of a command or an assignment. */
struct kl_place {
    uint32_t partition; /* row */
    int32_t leader_epoch;
    int64_t offset;
};

struct kl_blob {
    uint32_t at, size; /* of the piece, head and padding included; at 0: free, size: next free */
};

/* Which coordinator, and what is known of it. */
struct kl_coordinator {
    int32_t broker; /* id; -1 unknown */
    uint32_t wanted;
    uint64_t asked; /* correlation of FindCoordinator; 0 none */
    int64_t after_us;
    int32_t error;
    uint32_t unused;
};

enum kl_pid_state {
    KL_PID_INIT,
    KL_PID_REQUEST,
    KL_PID_WAIT,
    KL_PID_ASSIGNED,
    KL_PID_DRAIN_RESET,
    KL_PID_DRAIN_BUMP,
    KL_PID_WAIT_ABORT,
    KL_PID_FATAL,
};

struct kl_idempotence {
    uint32_t state; /* enum kl_pid_state */
    int32_t epoch;
    int64_t producer_id;
    int64_t after_us;
    uint32_t partitions_in_flight;
    int32_t fatal_error;
    int32_t init_error; /* the last, while an id is asked for */
    uint32_t unused;
};

/* Who waits for the call of a transaction (transaction_call.c). */
enum kl_call {
    KL_CALL_WAITED,
    KL_CALL_LEFT, /* it timed out, and goes on */
    KL_CALL_OVER, /* it timed out, and has ended since: `result` */
};

/* How far a commit or an abort is. */
enum kl_end {
    KL_END_FLUSHES, /* records are to be delivered or given up first */
    KL_END_ENDS,    /* EndTxn is to be sent, and sent again */
};

struct kl_transaction {
    uint32_t state;    /* enum kl_txn_state */
    uint32_t command;  /* that waits: init, send offsets, commit, abort; row */
    int32_t error;     /* of ABORTABLE and FATAL */
    uint32_t bump;     /* the epoch has to be raised when it has been aborted */
    uint64_t adding;   /* correlation of AddPartitionsToTxn; 0 none */
    int64_t after_us;  /* when partitions are added */
    uint32_t requests; /* that may have told the coordinator of it: there is something to end */
    uint32_t failed;   /* records of it that were not delivered */
    uint32_t call;     /* enum kl_call */
    int32_t result;    /* of OVER: an error, or 0 */
};

/* Steps of joining. */
enum kl_join {
    KL_JOIN_INIT,          /* not a member */
    KL_JOIN_ASKED,         /* JoinGroup is under way */
    KL_JOIN_METADATA,      /* leads, and looks up the members' topics */
    KL_JOIN_SYNC,          /* SyncGroup is under way */
    KL_JOIN_UNASSIGN_CALL, /* the application gives partitions up, then joins again */
    KL_JOIN_ASSIGN_CALL,   /* the application takes partitions */
    KL_JOIN_STEADY,
    KL_JOIN_LEAVING,
};

struct kl_group {
    uint32_t join; /* enum kl_join */
    int32_t generation;
    char member_id[KL_TEXT];
    uint64_t asked, heartbeat; /* correlations under way; 0 none */
    uint64_t committing;       /* of the positions */
    uint64_t fetching;         /* of the group's offsets */
    int64_t after_us;          /* of the next JoinGroup */
    int64_t heartbeat_us, session_us, poll_us, auto_commit_us, fetch_after_us;
    uint32_t subscribed;
    uint32_t members; /* blob: the JoinGroup response of a leader */
    uint32_t lost;    /* what is revoked is lost already: nothing is committed */
    uint32_t rejoin;  /* a rebalance goes on when the application has answered */
    uint32_t leaving; /* LeaveGroup is to be sent */
    uint32_t commit_positions;
};

/* Where the tables begin, in bytes from the head; they follow from the limits. */
struct kl_places {
    uint64_t brokers, topics, partitions, records, requests, commands, blobs, bytes, end;
};

struct kl_client {
    struct kl_limits limits;
    struct kl_places at;
    struct kl_config config; /* texts are NULL here; see below */
    char client_id[KL_TEXT], transactional_id[KL_TEXT], group_id[KL_TEXT], instance_id[KL_TEXT];
    uint32_t is_transactional, has_group, has_instance;
    uint32_t started, closed, closing;
    uint32_t broker_count, topic_count, partition_count;
    uint32_t records_used, records_free, records_fresh;
    uint32_t headers_used; /* of those records */
    uint32_t unused;
    uint32_t requests_used, requests_free, requests_fresh;
    uint32_t commands_used, commands_free, commands_fresh;
    uint32_t blobs_used, blobs_free, blobs_fresh;
    uint32_t bytes_used, bytes_live;
    uint32_t flushing; /* FLUSH commands */
    uint64_t serial;   /* of records and commands */
    uint64_t correlations;
    uint64_t chance[2];
    int64_t armed_us;
    int32_t controller;        /* id, -1 */
    uint32_t metadata_brokers; /* ask for the brokers at least */
    uint64_t metadata;         /* correlation under way; 0 none */
    int64_t metadata_us;       /* periodic refresh */
    int64_t fast_us;           /* quick question after leaders; KL_NEVER: none */
    int64_t fast_interval_us;
    int64_t scan_us;
    int64_t connect_us; /* when any broker may be tried again */
    struct kl_idempotence pid;
    struct kl_coordinator coordinator[2]; /* of the group, of the transaction */
    struct kl_transaction txn;
    struct kl_group group;
};

/* One step. */
struct kl_turn {
    struct kl_client *c;
    int64_t now;
    const struct kl_input *in;
    struct kl_outputs *out;
    int64_t due;
    bool more;
};

/* ---- block.c ---- */

static inline void *kl_row(const struct kl_client *c, uint64_t table, size_t size, uint32_t number)
{
    assert(number > 0);
    return (uint8_t *)(uintptr_t)c + table + (number - 1) * size;
}

/* Rows by number, 1 …; asserted. Every duty of a step asks for some: inline. */
static inline struct kl_broker *kl_broker_at(const struct kl_client *c, uint32_t row)
{
    assert(row <= c->broker_count);
    return kl_row(c, c->at.brokers, sizeof(struct kl_broker), row);
}

static inline struct kl_topic *kl_topic_at(const struct kl_client *c, uint32_t row)
{
    assert(row <= c->topic_count);
    return kl_row(c, c->at.topics, sizeof(struct kl_topic), row);
}

static inline struct kl_partition *kl_partition_at(const struct kl_client *c, uint32_t row)
{
    assert(row <= c->partition_count);
    return kl_row(c, c->at.partitions, sizeof(struct kl_partition), row);
}

static inline struct kl_record *kl_record_at(const struct kl_client *c, uint32_t row)
{
    assert(row <= c->records_fresh);
    return kl_row(c, c->at.records, sizeof(struct kl_record), row);
}

static inline struct kl_request *kl_request_at(const struct kl_client *c, uint32_t row)
{
    assert(row <= c->requests_fresh);
    return kl_row(c, c->at.requests, sizeof(struct kl_request), row);
}

static inline struct kl_command *kl_command_at(const struct kl_client *c, uint32_t row)
{
    assert(row <= c->commands_fresh);
    return kl_row(c, c->at.commands, sizeof(struct kl_command), row);
}

/* Rows that come and go: a new one is zero, and there is room. */
uint32_t kl_record_new(struct kl_client *c);
void kl_record_free(struct kl_client *c, uint32_t row);
uint32_t kl_request_new(struct kl_client *c);
void kl_request_free(struct kl_client *c, uint32_t row);
uint32_t kl_command_new(struct kl_client *c);
void kl_command_free(struct kl_client *c, uint32_t row);
uint64_t kl_random(struct kl_client *c);
uint64_t kl_below(struct kl_client *c, uint64_t n);

/* ---- blobs.c ---- */

uint32_t kl_blob_new(struct kl_client *c, const void *bytes, size_t size);
void kl_blob_free(struct kl_client *c, uint32_t blob);
/* Aliases; moved by the next kl_blob_new. 8-byte aligned. */
void *kl_blob(const struct kl_client *c, uint32_t blob);
size_t kl_blob_size(const struct kl_client *c, uint32_t blob);
/* What a piece of `size` bytes takes. */
size_t kl_blob_cost(size_t size);
void kl_blobs_move(const struct kl_client *from, struct kl_client *to);
struct kl_blob *kl_blob_row(const struct kl_client *c, uint32_t blob);
uint8_t *kl_bytes(const struct kl_client *c);

/* ---- headers.c ---- */

/* Bytes that the headers of a SEND take. */
size_t kl_headers_size(const struct kl_input *in);
void kl_headers_keep(const struct kl_input *in, uint8_t *to);
/* Reads them again into `out`, header_count of them; they alias `from`. */
void kl_headers_read(const struct kl_record *r, const uint8_t *from, struct wire_log_header *out);

/* ---- room.c ---- */

/* Returns the limit that the input would break, or NULL. */
const char *kl_room(const struct kl_client *c, const struct kl_input *in);
size_t kl_scratch_needed(const struct kl_client *c, const struct kl_input *in);

/* ---- outputs.c ---- */

void kl_due(struct kl_turn *t, int64_t at_us);
void kl_put(struct kl_turn *t, const struct kl_output *o);
/* For the trace; partition 0: of none. */
void kl_fact(struct kl_turn *t, enum kl_fact what, uint32_t partition, struct kl_output o);
void kl_error(struct kl_turn *t, int32_t error, bool fatal, uint32_t partition, const char *text);
/* Ends a command and frees its row. */
void kl_done(struct kl_turn *t, uint32_t command, int32_t error);
/* A command that ends at once. */
void kl_done_now(struct kl_turn *t, int32_t error);
bool kl_is_fatal(const struct kl_client *c);

/* ---- network.c ---- */

uint32_t kl_broker_find(const struct kl_client *c, int32_t id); /* 0 none */
uint32_t kl_broker_add(struct kl_client *c, int32_t id);
/* Whether a request can be sent to it now. Begins to connect where it is down. */
bool kl_broker_ready(struct kl_turn *t, uint32_t row);
/* A broker that is up, by chance; begins to connect to one where none is; 0 none yet. */
uint32_t kl_broker_any(struct kl_turn *t);
/* Whether another request may be made in this step; asks for more where not. */
bool kl_may_send(struct kl_turn *t);
/* Begins a message of the API in scratch: the head, with defaults. */
void *kl_begin(struct kl_turn *t, struct wire_flat *f, int16_t api);
/* Elements of an array with their defaults. */
void *kl_items(struct wire_flat *f, struct wire_array *a, int32_t count,
               const struct wire_layout *layout);
/* Sends what was built. timeout_ms < 0: socket.timeout.ms. Returns the row. */
uint32_t kl_send(struct kl_turn *t, uint32_t broker, struct wire_flat *f, int16_t api,
                 int16_t version, int64_t timeout_ms);
/* Sends it without waiting for an answer. */
void kl_send_only(struct kl_turn *t, uint32_t broker, struct wire_flat *f, int16_t api,
                  int16_t version);
void kl_on_response(struct kl_turn *t);
void kl_on_failed(struct kl_turn *t);
void kl_serve_timeouts(struct kl_turn *t);

/* ---- metadata.c ---- */

/* Rows of topics and partitions, 0 none; add returns the one that is there already. */
uint32_t kl_topic_find(const struct kl_client *c, const char *name);
uint32_t kl_topic_add(struct kl_turn *t, const char *name);
uint32_t kl_partition_find(const struct kl_client *c, uint32_t topic, int32_t number);
uint32_t kl_partition_add(struct kl_turn *t, uint32_t topic, int32_t number);
const char *kl_partition_topic(const struct kl_client *c, const struct kl_partition *p);
void kl_leader_unavailable(struct kl_turn *t, uint32_t partition);
void kl_metadata_all(struct kl_turn *t);
void kl_on_metadata(struct kl_turn *t, struct kl_request *q, int32_t error,
                    const struct wire_metadata_response *r);
void kl_serve_metadata(struct kl_turn *t);

/* ---- queue.c ---- */

/* Queues of records; each hands out, fails or moves whole records. */
uint64_t kl_record_bytes(const struct kl_record *r);
void kl_queue_push(struct kl_client *c, struct kl_queue *q, uint32_t record);
uint32_t kl_queue_pop(struct kl_client *c, struct kl_queue *q);
void kl_queue_insert(struct kl_client *c, struct kl_queue *into, struct kl_queue *from);
void kl_delivered(struct kl_turn *t, uint32_t partition, uint32_t record, int32_t error,
                  int64_t offset, uint32_t persisted);
void kl_on_send(struct kl_turn *t);
void kl_topic_assign_waiting(struct kl_turn *t, uint32_t topic);
void kl_serve_expiry(struct kl_turn *t);
void kl_serve_flush(struct kl_turn *t);
void kl_purge(struct kl_turn *t, bool in_flight);

/* ---- produce.c ---- */

/* Batches of what is ready; answers to them. */
void kl_serve_produce(struct kl_turn *t);
void kl_on_produce(struct kl_turn *t, struct kl_request *q, int32_t error,
                   const struct wire_produce_response *r);

/* ---- retry.c: what librdkafka's rd_kafka_err_action says ---- */

enum {
    KL_ACT_PERMANENT = 1,
    KL_ACT_RETRY = 2,
    KL_ACT_REFRESH = 4,
    KL_ACT_NOT_PERSISTED = 8,
    KL_ACT_POSSIBLY = 16,
    KL_ACT_PERSISTED = 32,
};
uint32_t kl_action(int32_t error);         /* by default */
uint32_t kl_produce_action(int32_t error); /* of Produce */

/* ---- idempotence.c ---- */

/* What a failed batch becomes. */
struct kl_failure {
    int32_t error;
    uint32_t actions, status;
    int32_t incr_retry;
    int32_t update_next_ack, update_next_err;
};
bool kl_is_idempotent(const struct kl_client *c);
void kl_idempotent_error(struct kl_turn *t, struct kl_request *q, struct kl_failure *f);
void kl_idempotent_permanent(struct kl_turn *t, struct kl_request *q, struct kl_failure *f);
void kl_idempotent_success(struct kl_turn *t, struct kl_request *q, int32_t next_seq);
void kl_drain_bump(struct kl_turn *t, bool abort_first, int32_t error);
void kl_drain_reset(struct kl_turn *t);
void kl_drain_check(struct kl_turn *t);
void kl_idempotent_fatal(struct kl_turn *t, int32_t error, const char *text);
bool kl_idempotent_may_send(struct kl_turn *t, uint32_t partition);
void kl_on_init_producer_id(struct kl_turn *t, struct kl_request *q, int32_t error,
                            const struct wire_init_producer_id_response *r);
void kl_serve_producer_id(struct kl_turn *t);
int32_t kl_seq_wrap(int64_t seq);

/* ---- fetch.c, offsets.c ---- */

void kl_on_assign(struct kl_turn *t);
void kl_on_pause(struct kl_turn *t, bool pause);
void kl_partition_start(struct kl_turn *t, uint32_t partition, int64_t offset);
void kl_partition_stop(struct kl_turn *t, uint32_t partition);
void kl_serve_fetch(struct kl_turn *t);
void kl_on_fetch(struct kl_turn *t, struct kl_request *q, int32_t error,
                 const struct wire_fetch_response *r);
void kl_serve_offsets(struct kl_turn *t);
void kl_on_list_offsets(struct kl_turn *t, struct kl_request *q, int32_t error,
                        const struct wire_list_offsets_response *r);
void kl_offset_reset(struct kl_turn *t, uint32_t partition, int64_t offset, int32_t error);
void kl_next_offset(struct kl_turn *t, uint32_t partition, int64_t offset);
/* Hands out the records of one partition's answer; read.c. */
void kl_read_records(struct kl_turn *t, uint32_t partition, const struct wire_fetch_response *r,
                     const struct wire_fetch_response_partition_response *p);

/* ---- transaction.c ---- */

/* Why a record is not taken now; 0: it is. */
int32_t kl_transaction_refuses(const struct kl_client *c);
/* A record has entered the partition's queue. */
void kl_transaction_touch(struct kl_turn *t, uint32_t partition);
bool kl_transaction_may_send(struct kl_turn *t, uint32_t partition);
/* The state of the producer id has changed. */
void kl_transaction_on_pid(struct kl_turn *t);
void kl_transaction_fatal(struct kl_turn *t, int32_t error, const char *text);
/* bump: the epoch has to be raised when it has been aborted. */
void kl_transaction_abortable(struct kl_turn *t, int32_t error, bool bump);
void kl_transaction_complete(struct kl_turn *t);
void kl_transaction_set(struct kl_turn *t, enum kl_txn_state state);
int32_t kl_transaction_error(int32_t error); /* as the application hears it */
bool kl_transaction_error_is_fatal(int32_t error);
bool kl_transaction_coordinator_moved(int32_t error);
/* ---- transaction_call.c ---- */

/* Ends the call, or keeps the error for the one that takes it up. */
void kl_transaction_done(struct kl_turn *t, int32_t error);
/* Whether what has succeeded is told only when the call is taken up; it is kept then. */
bool kl_call_holds_result(struct kl_turn *t);
/* Drops a call that nobody waits for. */
void kl_call_forget(struct kl_turn *t);
void kl_on_transaction(struct kl_turn *t);
void kl_serve_call(struct kl_turn *t);
/* transaction_end.c, transaction_offsets.c: the duty of a command that waits */
void kl_serve_end(struct kl_turn *t, struct kl_command *m);
void kl_serve_send_offsets(struct kl_turn *t, struct kl_command *m);
void kl_serve_transaction(struct kl_turn *t);
void kl_on_add_partitions(struct kl_turn *t, struct kl_request *q, int32_t error,
                          const struct wire_add_partitions_to_txn_response *r);
void kl_on_add_offsets(struct kl_turn *t, struct kl_request *q, int32_t error,
                       const struct wire_add_offsets_to_txn_response *r);
void kl_on_txn_offset_commit(struct kl_turn *t, struct kl_request *q, int32_t error,
                             const struct wire_txn_offset_commit_response *r);
void kl_on_end_txn(struct kl_turn *t, struct kl_request *q, int32_t error,
                   const struct wire_end_txn_response *r);

/* ---- coordinator.c: 0 of the group, 1 of the transaction ---- */

/* The row of the coordinator's broker, connected; 0: not yet. */
uint32_t kl_coordinator_ready(struct kl_turn *t, int which);
void kl_coordinator_lost(struct kl_turn *t, int which);
void kl_serve_coordinator(struct kl_turn *t);
void kl_on_find_coordinator(struct kl_turn *t, struct kl_request *q, int32_t error,
                            const struct wire_find_coordinator_response *r);

/* ---- group.c ---- */

void kl_on_subscribe(struct kl_turn *t);
void kl_on_rebalanced(struct kl_turn *t);
void kl_on_poll(struct kl_turn *t);
void kl_serve_group(struct kl_turn *t);
void kl_on_join_group(struct kl_turn *t, struct kl_request *q, int32_t error,
                      const struct wire_join_group_response *r);
void kl_on_sync_group(struct kl_turn *t, struct kl_request *q, int32_t error,
                      const struct wire_sync_group_response *r);
void kl_on_heartbeat(struct kl_turn *t, struct kl_request *q, int32_t error,
                     const struct wire_heartbeat_response *r);
/* What an error of a member's request means for its membership. */
void kl_group_error(struct kl_turn *t, int32_t error);
/* group_close: leaves without waiting for the application. */
void kl_group_leave(struct kl_turn *t);

/* ---- group_offsets.c ---- */

void kl_on_commit_offsets(struct kl_turn *t);
void kl_serve_group_offsets(struct kl_turn *t);
void kl_on_offset_commit(struct kl_turn *t, struct kl_request *q, int32_t error,
                         const struct wire_offset_commit_response *r);
void kl_on_offset_fetch(struct kl_turn *t, struct kl_request *q, int32_t error,
                        const struct wire_offset_fetch_response *r);
/* Whether a position has not been committed. */
bool kl_group_has_uncommitted(const struct kl_client *c);

/* ---- consumer_protocol.c: what members tell each other, as bytes ---- */

struct kl_bytes {
    uint8_t *at, *end;
    bool bad;
};
void kl_write_subscription(const struct kl_client *c, struct kl_bytes *to, bool with_owned);
/* Calls `topic` for each topic of a member's subscription, `owned` for what it says it has. */
bool kl_read_subscription(const uint8_t *bytes, int32_t size,
                          void (*topic)(void *context, const char *name),
                          void (*owned)(void *context, const char *name, int32_t partition),
                          void *context);
void kl_write_i16(struct kl_bytes *to, int32_t v);
void kl_write_i32(struct kl_bytes *to, int32_t v);
void kl_write_text(struct kl_bytes *to, const char *text);
bool kl_read_assignment(const uint8_t *bytes, int32_t size,
                        void (*each)(void *context, const char *name, int32_t partition),
                        void *context);

/* ---- assignors.c ---- */

/* Writes the assignment of every member of the group's JoinGroup response into a SyncGroup request.
 */
void kl_assign(struct kl_turn *t, struct wire_flat *f, struct wire_sync_group_request *q);

/* ---- admin.c ---- */

/* Tools' requests: the command, the duty, the answer. */
void kl_on_admin(struct kl_turn *t);
void kl_serve_admin(struct kl_turn *t);
void kl_on_admin_response(struct kl_turn *t, struct kl_request *q, int32_t error,
                          const void *message);

/* ---- client.c ---- */

/* Gives an answer, or an error in its place, to whoever asked. */
void kl_dispatch(struct kl_turn *t, struct kl_request *q, int32_t error, const void *message);
void kl_on_close(struct kl_turn *t);

#endif
