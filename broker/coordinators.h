/*
 * Coordinators in a broker: what stands between a module that knows no logs (groups.h,
 * transactions.h) and the replicas that have them. Internal to broker/.
 *
 *     LeaderAndIsr ─► replicas ─ LEADERSHIP ─► │ queue │ ─► coordinator: elected, resigned
 *     client ─ JoinGroup, … ──────────────────────────────► coordinator ─► answer
 *     coordinator ─ records ─► one batch ────► │ queue │ ─► replicas (a produce)
 *     replicas ─ its answer ─────────────────► │ queue │ ─► coordinator: appended
 *     a marker's append has ended ───────────► │ queue │ ─► coordinator: marker
 *     coordinator ─ "read me this log" ──────► │ loads │ ─ timer ─► coordinator: load …, loaded
 *
 * Neither replicas nor coordinators are stepped while they are stepping: what one says to the other
 * waits in the queue, which is worked off before the step of the broker ends. Each item is done
 * whole or not at all, so a limit met half-way costs nothing: the step says LIMIT and the same
 * input, given again, goes on where it stopped (struct kb_broker.is_taken).
 *
 * A log is read a slice at a time, each from a timer that is due at once. So there is a time in
 * which the coordinator is loading, as there is in Kafka, and requests may come in it.
 *
 * To add one: a row (struct kb_coordinator_row) in the table of coordinators.c, a region of the
 * block (`at`, kb_coordinator_size and the like), its limits in struct kb_broker_limits.
 *
 * Source: Kafka KafkaApis.handleLeaderAndIsrRequest (onLeadershipChange), handleStopReplicaRequest,
 * handleWriteTxnMarkersRequest; GroupMetadataManager.appendForGroup, doLoadGroupsAndOffsets;
 * TransactionStateManager.
 */
#ifndef BROKER_COORDINATORS_H
#define BROKER_COORDINATORS_H

#include "broker/groups.h"
#include "broker/state.h"
#include "broker/transactions.h"

enum kb_coordinator { KB_COORDINATOR_GROUPS, KB_COORDINATOR_TXNS, KB_COORDINATORS };

/* The timers of a broker (struct kb_broker_output.timer): its own is 0. */
enum {
    KB_BROKER_TIMER_LOAD = 1,
    KB_BROKER_TIMER_COORDINATOR, /* + enum kb_coordinator */
    KB_BROKER_TIMER_REPLICAS = 8 /* + the number that the replicas gave */
};

enum kb_event_kind {
    KB_EVENT_ELECTED,         /* partition, epoch */
    KB_EVENT_RESIGNED,        /* partition, epoch (-1: the replica was deleted) */
    KB_EVENT_APPEND,          /* partition, append_id, batch, acks, timeout_us: for the replicas */
    KB_EVENT_APPENDED,        /* append_id, error, offset: base offset of the batch */
    KB_EVENT_MARKER,          /* partition, producer_id, commit */
    KB_EVENT_METADATA,        /* leaders may have changed */
    KB_EVENT_WAITER,          /* append_id: the order of a slot; what it waited for may be there */
    KB_EVENT_MARKERS_WRITE,   /* append_id: see write_markers.c; for the replicas */
    KB_EVENT_MARKERS_WRITTEN, /* append_id */
    KB_EVENT_LOADED           /* partition; never in the queue */
};

/* What waits in the queue. */
struct kb_event {
    uint32_t kind;
    int32_t coordinator; /* enum kb_coordinator */
    int32_t partition, epoch, error, acks;
    uint64_t append_id;
    int64_t offset, producer_id, timeout_us;
    uint32_t commit, unused;
    struct kb_batch batch;
};

/* A log that is being read for a coordinator: `at` is the next offset. */
struct kb_load {
    int32_t coordinator, partition;
    int64_t at;
};

/* What a coordinator is to a broker. Steps return OK or LIMIT; LIMIT has changed nothing, and
   t->out->short_of says what is short ("groups.members"). */
struct kb_coordinator_row {
    const char *topic;                                 /* "__consumer_offsets" */
    uint32_t (*partitions)(const struct kb_broker *b); /* how many it has */
    bool (*serves)(int32_t api, int32_t version);
    enum sm_err (*start)(struct kb_turn *t);   /* the process has begun */
    enum sm_err (*request)(struct kb_turn *t); /* t->in: a client's request that it serves */
    /* Any event but KB_EVENT_APPEND. */
    enum sm_err (*hear)(struct kb_turn *t, const struct kb_event *e);
    enum sm_err (*load)(struct kb_turn *t, int32_t partition, const struct kb_log_batch *batch);
    enum sm_err (*timer)(struct kb_turn *t);
    uint32_t (*most)(const struct kb_broker *b);  /* appends that one step of it may ask for */
    size_t (*scratch)(const struct kb_broker *b); /* bytes that a step of it may need */
};

/* coordinators.c */
bool kb_coordinators_serve(int32_t api, int32_t version);
enum sm_err kb_coordinators_start(struct kb_turn *t);
enum sm_err kb_coordinators_request(struct kb_turn *t);
enum sm_err kb_coordinators_timer(struct kb_turn *t); /* t->in: one of theirs */
/* Works the queue off, and arms the timer of the loads. */
enum sm_err kb_coordinators_run(struct kb_turn *t);
/* True where the queue may not hold what one step could put into it; says so in short_of. */
bool kb_coordinators_lack_room(struct kb_turn *t);
size_t kb_coordinators_scratch(const struct kb_broker *b);
bool kb_coordinators_are_quiet(const struct kb_broker *b);
/* How many partitions the topic of a coordinator has, by the node's settings. */
int32_t kb_coordinator_partitions(const struct kb_broker *b, enum kb_coordinator c);
const char *kb_coordinator_topic(enum kb_coordinator c);

void kb_event_put(struct kb_broker *b, const struct kb_event *e);
void kb_coordinators_on_leadership(struct kb_turn *t, const struct kb_output *o);
/* The append of a marker has ended well: whoever coordinates the partition hears of it. */
void kb_coordinators_on_marker(struct kb_turn *t, const char *topic, int32_t partition,
                               int64_t producer_id, bool commit);
/* UpdateMetadata has been taken over. */
void kb_coordinators_on_metadata(struct kb_turn *t);
/* What the slot waited for may be there: its request is given to its coordinator again. */
void kb_coordinators_on_waiter(struct kb_turn *t, const struct kb_slot *s);
/* A limit of one coordinator, told from those of others: the name in `names` (count of them,
   "groups.members") whose part behind the dot is short_of; short_of where there is none. */
const char *kb_coordinator_limit(const char *const *names, size_t count, const char *short_of);
/* Asks for the log of a partition from its start on. */
void kb_coordinator_load(struct kb_turn *t, enum kb_coordinator c, int32_t partition);
void kb_coordinator_arm(struct kb_turn *t, enum kb_coordinator c, int64_t due_us);

/* coordinator_log.c */

/* Records that become one batch of a coordinator's partition. Pointers are borrowed. */
struct kb_coordinator_append {
    uint64_t append_id; /* comes back in KB_EVENT_APPENDED; 0: nobody waits, acks is 0 then */
    int64_t timeout_us;
    int64_t timestamp_ms;
    int64_t producer_id;    /* -1 none */
    int32_t base_sequence;  /* -1 none */
    int16_t producer_epoch; /* -1 none */
    int16_t acks;           /* -1, 0 */
    int32_t partition;
    uint32_t count;
    const struct kb_log_record *records;
    bool transactional;
    uint8_t unused[7];
};
/* Writes the batch; returns its size, 0 where it does not fit. */
size_t kb_coordinator_batch(const struct kb_coordinator_append *a, uint8_t *bytes, size_t room);
/* Makes the batch and puts it into the queue. */
void kb_coordinator_append(struct kb_turn *t, enum kb_coordinator c,
                           const struct kb_coordinator_append *a);
/* Gives the coordinator the next batches of a log, KB_EVENT_LOADED behind the last, and takes the
   load out of the list then. */
enum sm_err kb_load_slice(struct kb_turn *t, const struct kb_coordinator_row *row,
                          struct kb_load *load, bool *is_done);

/* data.c: a request of a client to a coordinator, which is answered then or later. The number that
   it gets; 0: no room (short_of). An answer to one that is gone is dropped. */
uint64_t kb_data_call_open(struct kb_turn *t);
/* The same, with what the caller says of it but for the number. */
uint64_t kb_data_call_new(struct kb_turn *t, struct kb_data_call call);
void kb_data_call_cancel(struct kb_turn *t, uint64_t number);
void kb_data_call_answer(struct kb_turn *t, uint64_t number, const void *message, size_t size);
/* Gives the replicas the batch of an event. */
enum sm_err kb_data_append(struct kb_turn *t, const struct kb_event *e);

/* coordinator_groups.c */
extern const struct kb_coordinator_row kb_groups_row;
struct kb_groups *kb_groups_of(const struct kb_broker *b);
struct kb_groups_config kb_groups_config_of(const struct kb_broker *b);

/* coordinator_txns.c */
extern const struct kb_coordinator_row kb_txns_row;
struct kb_txns *kb_txns_of(const struct kb_broker *b);
struct kb_txns_config kb_txns_config_of(const struct kb_broker *b);
/* Whether a correlation is of a request of markers; what became of it (t->in). */
bool kb_txns_asked(uint64_t correlation);
enum sm_err kb_txns_on_peer(struct kb_turn *t);

/* write_markers.c: markers that a coordinator sends to the leaders of partitions. */
enum sm_err kb_markers_write(struct kb_turn *t, const struct kb_event *e);
void kb_markers_answered(struct kb_turn *t, uint64_t append_id, const struct kb_output *o);
void kb_markers_written(struct kb_turn *t, const struct kb_event *e);

#endif
