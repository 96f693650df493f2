/*
 * The block of a controller, and what its parts may do with it. Internal to controller/.
 *
 *   struct kc_controller | frames in it | brokers | topics | partitions | hash buckets | sets
 *                        | replica work | slots | event queue, event bytes | scratch | batches
 *                        | text | group
 *
 * Tables are addressed through offsets computed once from the limits; rows are numbers, names are
 * found through chained hash buckets, and nothing is ever walked in hash order: brokers ascend by
 * id, topics and partitions by row (the order in which they became known, partitions of one topic
 * ascending).
 *
 * Everything that decides is *state*. Beside it stand *notes* (struct kc_notes_part and the cause
 * numbers of queued events): no function reads them to decide, the digest leaves them out.
 */
#ifndef CONTROLLER_STATE_H
#define CONTROLLER_STATE_H

#include "controller/controller.h"

enum {
    KC_FRAMES_MAX = 16,     /* deepest nesting seen is 8: event, start-up, reassignment, … */
    KC_WORK_PER_STEP = 512, /* partitions that one step touches before it says `more` */
    KC_TEXT_MAX = 16384,    /* bytes of one log line; longer lists are cut with "…" */
    KC_ATTEMPTS_MAX = 10000,/* re-reads after a version conflict; Kafka: unbounded */
    KC_SMALL_MAX = 4096,     /* a registration with SM_ENDPOINTS_MAX endpoints fits */
    KC_EVENTS_RESERVED = 8, /* free places in the queue that a step may count on */
    KC_GROUP_BYTES_MAX = 1 << 17, /* of one group's request: an eighth of jute.maxbuffer */
};

/* ---- bit sets over rows: two levels, so that an empty one costs nothing to walk ---- */

enum kc_set {
    KC_SET_WORK,        /* what the partition machine's call is about */
    KC_SET_REASSIGNING, /* partitionsBeingReassigned */
    KC_SET_LISTED,      /* named by the znode or call of the event in work */
    KC_SET_RESUMED,     /* reassigned through the znode during this failover */
    KC_SET_PENDING,     /* state New or Offline: what triggerOnline looks at */
    KC_SET_DELETING,    /* partitions of the topics that a deletion step is about */
    KC_SET_GIVEN,       /* what a flow that calls flows goes on with afterwards */
    KC_SET_END
};

/* ---- rows ---- */

enum kc_broker_flag {
    KC_BROKER_LIVE = 1,          /* registered and read: "live or shutting down" */
    KC_BROKER_SHUTTING_DOWN = 2,
    KC_BROKER_CHANNEL = 4,       /* a sender exists */
    KC_BROKER_BUSY = 8,          /* a request is in flight */
    KC_BROKER_BACKOFF = 16,      /* waits before it sends again */
    KC_BROKER_SEEN = 32,         /* event: listed under /brokers/ids just now */
    KC_BROKER_READ = 64,         /* event: its znode was read */
    KC_BROKER_NEW = 128, KC_BROKER_BOUNCED = 256, KC_BROKER_DEAD = 512, /* event: BrokerChange */
    KC_BROKER_GROUP = 1024,      /* the brokers that the flow in work is about */
    KC_BROKER_MODIFICATIONS = 2048, /* BrokerModifications handler registered */
    KC_BROKER_OFFLINE_DIRS = 4096, /* some partition of it was ever on an offline directory */
};

struct kc_broker {
    int32_t id;
    uint32_t flags;
    int64_t epoch;      /* czxid of the registration the context knows */
    int64_t read_epoch; /* event: czxid just read */
    uint64_t cursor;    /* logical offset of the next batch that its sender looks at */
    uint64_t correlation; /* of the request in flight */
    uint32_t head_total, head_imbalanced; /* event: auto balance, partitions that prefer it */
    uint32_t stage;     /* 0 LeaderAndIsr, 1 UpdateMetadata, 2.. StopReplica */
    uint32_t unused;
    uint32_t sent;      /* note: requests of this sender so far, retries too */
    uint32_t connected; /* note: it has said that its connection stands */
    struct sm_broker known; /* as the context knows it */
    struct sm_broker read;  /* event: as just read */
};

enum kc_topic_flag {
    KC_TOPIC_EXISTS = 1,        /* in allTopics */
    KC_TOPIC_QUEUED = 2,        /* topicsToBeDeleted */
    KC_TOPIC_STARTED = 4,       /* topicsWithDeletionStarted */
    KC_TOPIC_INELIGIBLE = 8,    /* topicsIneligibleForDeletion */
    KC_TOPIC_HANDLER = 16,      /* PartitionModifications handler registered */
    KC_TOPIC_SEEN = 32,         /* event: listed just now */
    KC_TOPIC_NEW = 64,          /* event: to be read and created */
    KC_TOPIC_RETRY = 128,       /* resume: ineligible replicas go Offline again */
    KC_TOPIC_DELETE = 256,      /* resume: deletion (re)starts */
    KC_TOPIC_UNSEEN = 512,      /* of these, not started before */
    KC_TOPIC_DEAD_REPLICAS = 1024,
    KC_TOPIC_UNCLEAN = 4096, KC_TOPIC_UNCLEAN_FAILED = 8192, /* as its config said in config_call */
    KC_TOPIC_SNAPSHOT = 16384,  /* resume: in the snapshot of queued topics */
    KC_TOPIC_HAS_ID = 32768,
    KC_TOPIC_MARKED = 65536,    /* event: named */
    KC_TOPIC_HELD = 131072,     /* ineligible for a reassignment of it */
};

struct kc_topic {
    uint32_t used;
    uint32_t flags;
    uint32_t next_hash; /* topic + 1 */
    uint32_t first, last; /* partition rows + 1, ascending by partition */
    uint32_t partition_count;
    uint32_t config_call; /* in which call of the partition machine its config was read */
    uint32_t create_call; /* … its …/partitions was created */
    uint8_t id[16];
    /* name follows, limits.topic_name bytes */
};

enum kc_partition_flag {
    KC_PARTITION_ASSIGNED = 1,   /* has an entry in the assignment */
    KC_PARTITION_LEADERSHIP = 2, /* LI is known */
    KC_PARTITION_STATE_WATCH = 4,/* handler on its state znode registered */
};

enum kc_result { KC_RESULT_NONE, KC_RESULT_OK, KC_RESULT_FAILED, KC_RESULT_ERROR };

struct kc_replica_entry { /* one (partition, broker) of the replica machine */
    uint16_t broker; /* index + 1; 0 unused entry */
    uint8_t state;   /* enum sm_replica_state */
    uint8_t offline_dir;
};

struct kc_partition {
    uint32_t topic; /* index + 1; 0: free row */
    int32_t partition;
    uint32_t next_hash, next_in_topic; /* rows + 1 */
    int32_t leader, leader_epoch, zk_version, controller_epoch; /* LI; leader is an id */
    uint32_t batch[3]; /* offset + 1 of the newest record of each kind in the open batch */
    uint8_t state;     /* enum sm_partition_state */
    uint8_t flags;
    uint8_t result;    /* enum kc_result of the partition machine's call */
    uint8_t isr_count, replica_count, adding_count, removing_count, entry_count;
    /* then uint16 broker indexes: isr, replicas, adding, removing (limits.replicas each),
       then struct kc_replica_entry[2 * limits.replicas] */
};

/* ---- flows ---- */

enum kc_next {
    KC_NEXT,   /* the row is done: go on with the next one */
    KC_STAY,   /* run this row again (after the flow that it called, if it called one) */
    KC_WAIT,   /* an input is needed */
    KC_YIELD,  /* enough for one step: say `more` */
    KC_RETURN, /* leave the flow */
    KC_RETURN_AFTER_CALL, /* … as soon as the flow that was called returns */
    KC_THROW,  /* c->error is set: unwind */
};

struct kc_frame {
    uint16_t flow, row;
    uint16_t phase;  /* of the row */
    uint16_t flags;  /* of the flow */
    uint32_t cursor; /* of the row; zeroed with each new row */
    uint32_t arg;    /* of the flow */
    uint32_t arg2;
    int32_t value;
};

struct kc_row {
    const char *name;
    enum kc_next (*run)(struct kc_controller *c, struct kc_frame *f);
    const struct kc_bulk *bulk; /* instead of run */
};

enum kc_catch { KC_RETHROW, KC_SWALLOW, KC_RESUME /* go on with the row the handler has set */ };

struct kc_flow_def {
    const char *name;
    const struct kc_row *rows; /* ends with a row without name */
    enum kc_catch (*on_error)(struct kc_controller *c, struct kc_frame *f); /* NULL: rethrow */
};

/* One piece of bulk ZooKeeper work: select, ask, answer, as rows of a pipeline. One that is used is
   in exactly one chain: of those that wait to be asked, or of a request in flight. */
struct kc_slot {
    uint32_t next;  /* slot + 1 in the chain it is in: free, waiting, of one request; 0 the last */
    uint32_t row;   /* partition, topic or broker, as the bulk wants */
    uint32_t item;  /* offset in scratch, … */
    uint16_t stage; /* which question is asked next */
    uint16_t attempts;
    uint32_t alone; /* its group was refused: asked by itself until it is done */
    uint32_t unused;
    uint64_t cause; /* note: record of what made it ask */
    struct sm_leader_and_isr plan; /* what is about to be written */
    struct sm_list recipients;
    uint32_t pad;
};

struct kc_ask {
    uint8_t opcode, flags, watch, fenced;
    int32_t version;
    const void *data;
    uint32_t data_size;
    uint8_t has_data;
    uint8_t second;         /* opcode of a second operation: an unfenced multi of two */
    uint8_t has_fence;      /* the fence is fence_version, not the context's epoch_zk_version */
    int32_t fence_version;
    int32_t second_version;
    const void *second_data;
    uint32_t second_size;
    char second_path[64];
    char path[SM_PATH_MAX];
    char small[KC_SMALL_MAX]; /* where `data` may point; not zeroed */
};

enum kc_slot_next { KC_SLOT_DONE, KC_SLOT_ASK, KC_SLOT_FAIL /* c->error is set */ };

/* What an input adds, at most. */
struct kc_needed {
    struct kc_limits limits;
    uint32_t unknown_count; /* ids of brokers not known yet: the first of them, each once */
    int32_t unknown[32];
    uint32_t target; /* most replicas that a reassignment asks for */
};

struct kc_bulk {
    /* Sets s->row and what else names the next item; false where there is none. */
    bool (*select)(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s);
    /* Fills what to ask for s->stage; false: nothing to ask, the item is done. Where the bulk has
       more than one item it may be asked twice for one stage, so that nothing else may follow from
       it: no line, no note, no count. */
    bool (*ask)(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s, struct kc_ask *ask);
    /* `err` is ZooKeeper's code of the operation; `r` is NULL where there is no result. */
    enum kc_slot_next (*answer)(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                int32_t err, const struct wire_zk_result_view *r);
    /* Says what room an answer takes, before anything is changed; NULL: none. */
    void (*needs)(const struct kc_controller *c, const struct wire_zk_result_view *r,
                  struct kc_needed *needed);
};

/* ---- events ---- */

#define KC_EVENT_MAP(X)                                                                            \
    X(STARTUP, "Startup", 1)                                                                       \
    X(CONTROLLER_CHANGE, "ControllerChange", 1)                                                    \
    X(REELECT, "Reelect", 1)                                                                       \
    X(REGISTER_BROKER_AND_REELECT, "RegisterBrokerAndReelect", 1)                                  \
    X(EXPIRE, "Expire", 1)                                                                         \
    X(BROKER_CHANGE, "BrokerChange", 2)                                                            \
    X(BROKER_MODIFICATIONS, "BrokerModifications", 2)                                              \
    X(TOPIC_CHANGE, "TopicChange", 3)                                                              \
    X(PARTITION_MODIFICATIONS, "PartitionModifications", 3)                                        \
    X(TOPIC_DELETION, "TopicDeletion", 4)                                                          \
    X(TOPIC_DELETION_STOP_REPLICA_RESPONSE_RECEIVED, "TopicDeletionStopReplicaResponseReceived", 4)\
    X(ZK_PARTITION_REASSIGNMENT, "ZkPartitionReassignment", 5)                                     \
    X(API_PARTITION_REASSIGNMENT, "ApiPartitionReassignment", 5)                                   \
    X(PARTITION_REASSIGNMENT_ISR_CHANGE, "PartitionReassignmentIsrChange", 5)                      \
    X(AUTO_PREFERRED_REPLICA_LEADER_ELECTION, "AutoPreferredReplicaLeaderElection", 6)             \
    X(REPLICA_LEADER_ELECTION, "ReplicaLeaderElection", 7)                                         \
    X(CONTROLLED_SHUTDOWN, "ControlledShutdown", 8)                                                \
    X(ISR_CHANGE_NOTIFICATION, "IsrChangeNotification", 9)                                         \
    X(LEADER_AND_ISR_RESPONSE_RECEIVED, "LeaderAndIsrResponseReceived", 10)                        \
    X(LOG_DIR_EVENT_NOTIFICATION, "LogDirEventNotification", 11)                                   \
    X(SHUTDOWN_EVENT_THREAD, "ShutdownEventThread", 12)                                            \
    X(UNCLEAN_LEADER_ELECTION_ENABLE, "UncleanLeaderElectionEnable", 13)                           \
    X(TOPIC_UNCLEAN_LEADER_ELECTION_ENABLE, "TopicUncleanLeaderElectionEnable", 14)                \
    X(LIST_PARTITION_REASSIGNMENTS, "ListPartitionReassignments", 15)                              \
    X(UPDATE_METADATA_RESPONSE_RECEIVED, "UpdateMetadataResponseReceived", 16)

enum kc_event_kind {
    KC_EVENT_NONE,
#define X(name, text, state) KC_EVENT_##name,
    KC_EVENT_MAP(X)
#undef X
    KC_EVENT_END
};

enum kc_trigger { KC_TRIGGER_ZK, KC_TRIGGER_ADMIN, KC_TRIGGER_AUTO };

struct kc_event {
    uint32_t kind;
    uint32_t id;
    int32_t broker_id;
    int32_t error;
    uint32_t topic;      /* PARTITION_MODIFICATIONS, TOPIC_UNCLEAN_…: offset of the name in event bytes + 1 */
    int32_t partition;
    uint32_t bytes_size; /* what it carries: a call, answer items, a topic name */
    int32_t partition_error;
    uint64_t bytes;      /* logical offset in the event bytes */
    uint64_t batch;      /* logical offset of the batch that an answer is about */
    uint64_t call_id;
    int64_t put_us;
    uint64_t cause;      /* note: trace record of the put */
};

/* ---- arenas: bytes first in, first out, compacted when the end is reached ---- */

struct kc_arena {
    uint64_t base; /* logical offset of the first physical byte */
    uint64_t head; /* logical offset of the oldest live byte */
    uint64_t tail; /* logical offset past the newest */
    uint32_t at, capacity; /* where in the block */
};

/* ---- the block ---- */

struct kc_offsets {
    uint32_t broker_order, brokers, topics, topic_buckets, partition_buckets;
    uint32_t slots, ops, events;
    uint64_t partitions, sets, work_rows, work_start;
    uint64_t event_bytes, scratch, batches, text, group, total;
    uint32_t topic_stride, partition_stride;
    uint32_t topic_bucket_count, partition_bucket_count;
    uint32_t set_words, set_summary_words, broker_words, group_bytes;
};

enum kc_handler { /* handlers without a row of their own */
    KC_HANDLER_CONTROLLER = 1, KC_HANDLER_BROKERS = 2, KC_HANDLER_TOPICS = 4,
    KC_HANDLER_DELETIONS = 8, KC_HANDLER_LOG_DIRS = 16, KC_HANDLER_ISR = 32,
    KC_HANDLER_PREFERRED = 64, KC_HANDLER_REASSIGN = 128,
};

/* The life of the event thread. Once it closes, no event enters the queue any more: Kafka's thread
   stops behind the one in work, whatever comes later (ControllerEventManager.close). */
enum kc_shut_down {
    KC_RUNS,
    KC_CLOSES,    /* asked to: its last event waits, or is in work */
    KC_SHUT_DOWN, /* nothing is taken any more */
};

struct kc_machine_call { /* arguments of the running call of either machine */
    uint32_t target;
    uint32_t strategy;
    uint32_t allow_unclean;
    uint32_t group; /* replica machine: which broker of the order is in work */
    uint32_t group_count;
    uint32_t number; /* 1.. of the partition machine's calls: what a topic's config was read for */
    uint32_t unused;
};

/* The step in progress. c->step points here during kc_controller_step and is NULL between steps, so
   that a block at rest holds no pointer. */
struct kc_step {
    struct kc_outputs *out;
    int64_t now_us;
    uint32_t work; /* partitions touched so far */
    const struct kc_input *in;
};

struct kc_controller {
    struct kc_limits limits;
    struct kc_offsets at;
    struct kc_config config;

    /* context */
    int32_t epoch, epoch_zk_version;
    int32_t active_id; /* whom it believes to be the controller; -1 */
    uint32_t handlers;
    uint32_t broker_count, topic_count, partition_high; /* rows ever used */
    uint32_t topic_free, partition_free;                /* chains: row + 1 */
    uint32_t topics_existing, leadership_count;
    int32_t offline_count, imbalance_count;
    int64_t unclean_elections;
    int64_t session;           /* own session id */
    int64_t previous_session;  /* for a registration that a session of ours left behind */
    uint32_t shut_down;      /* enum kc_shut_down */
    uint32_t blocked, dirty; /* dirty: bit per batch owner, KAFKA-2300 */

    /* the event in work, and the flow it is in */
    struct kc_event event; /* kind 0: none */
    struct kc_frame frame[KC_FRAMES_MAX];
    uint32_t depth;
    int32_t error;       /* enum sm_err while unwinding */
    char error_words[160];
    uint32_t event_count, event_head; /* queue: ring */
    uint32_t next_event_id;
    struct kc_machine_call call;
    uint32_t reply_found; /* answers between rows of one flow */
    int32_t read_value, read_version;
    uint32_t scratch_used, scratch_names, scratch_names_size; /* names just listed: offset, size */
    uint32_t largest_topic; /* most partitions that one topic ever had: room for its znode */
    uint32_t largest_row;    /* most replicas that a list ever named, */
    uint32_t largest_target; /* and that a reassignment asked for: room for both together */
    struct sm_assignment goal;  /* onPartitionReassignment: where to */
    struct sm_list stopping;    /* … which replicas are stopped */
    uint32_t kept, kept_size;   /* a znode's text in the scratch */
    uint32_t last_row;          /* whose result the flow that called looks at */

    /* ZooKeeper requests in flight, in order; slots of the bulk in work, + 1 in every chain */
    uint32_t xid;
    uint32_t op_head, op_count;
    uint32_t slot_used, slot_high, slot_free;
    uint32_t wait_first, wait_last; /* … that wait to be asked */

    /* KAFKA-5879, isr_listener.c: the list that is asked for beside the flow in work */
    uint32_t listing_xid;   /* of its request in flight; 0 none */
    uint32_t listing_again; /* the watch has fired once more meanwhile */
    uint32_t listing_most;  /* bytes of the longest list so far: room in the scratch */
    uint32_t listing_unused;

    /* batches */
    struct kc_arena batches, event_arena;
    uint64_t batch_id;   /* of the last one begun */
    uint64_t batch_open; /* logical offset of the open one; 0 none (offsets start at 8) */
    uint64_t batch_first; /* logical offset of the oldest kept */
    uint64_t correlation;
    uint32_t batch_owner; /* enum kc_owner */
    uint32_t told_all;    /* the open batch's UpdateMetadata goes to every live broker already */
    uint32_t batch_named; /* 1: the open batch named a broker, also one that is dead */

    /* notes */
    uint64_t cause; /* trace record that outputs of now come from */
    uint64_t called_by[KC_FRAMES_MAX]; /* per frame: record of the row that called it */
    uint64_t row_record[KC_FRAMES_MAX];/* per frame: record of the row in work */
    struct kc_step *step; /* NULL between steps */
};

struct kc_op {
    uint32_t xid;
    uint32_t first;  /* slot + 1: the head of its chain */
    uint32_t count;  /* of the chain: more than 1 for a group */
    uint32_t fenced; /* the first result is the fence's */
};

enum kc_owner { KC_OWNER_NONE, KC_OWNER_CONTROLLER, KC_OWNER_REPLICAS, KC_OWNER_PARTITIONS };

/* Whether this controller makes a mistake that some Kafka made; asked where its repair stands. */
static inline bool kc_defect(const struct kc_controller *c, enum sm_defect defect)
{
    return sm_defect_on(&c->config.profile, defect);
}

/* ---- block.c ---- */
static inline void *kc_at(const struct kc_controller *c, uint64_t offset)
{
    return (char *)(uintptr_t)c + offset;
}
static inline struct kc_broker *kc_broker(const struct kc_controller *c, uint32_t index)
{
    return (struct kc_broker *)kc_at(c, c->at.brokers) + index;
}
/* index of the n-th broker by ascending id */
static inline uint32_t kc_broker_ordered(const struct kc_controller *c, uint32_t n)
{
    return ((const uint16_t *)kc_at(c, c->at.broker_order))[n];
}
static inline struct kc_topic *kc_topic(const struct kc_controller *c, uint32_t index)
{
    return (struct kc_topic *)kc_at(c, c->at.topics + (uint64_t)index * c->at.topic_stride);
}
static inline char *kc_topic_name(const struct kc_topic *t)
{
    return (char *)(uintptr_t)(t + 1);
}
static inline struct kc_partition *kc_row_at(const struct kc_controller *c, uint32_t row)
{
    return (struct kc_partition *)kc_at(c, c->at.partitions + (uint64_t)row * c->at.partition_stride);
}
static inline uint16_t *kc_isr(const struct kc_controller *c, const struct kc_partition *p)
{
    (void)c;
    return (uint16_t *)(uintptr_t)(p + 1);
}
static inline uint16_t *kc_replicas(const struct kc_controller *c, const struct kc_partition *p)
{
    return (uint16_t *)(uintptr_t)(p + 1) + c->limits.replicas;
}
static inline uint16_t *kc_adding(const struct kc_controller *c, const struct kc_partition *p)
{
    return (uint16_t *)(uintptr_t)(p + 1) + 2 * c->limits.replicas;
}
static inline uint16_t *kc_removing(const struct kc_controller *c, const struct kc_partition *p)
{
    return (uint16_t *)(uintptr_t)(p + 1) + 3 * c->limits.replicas;
}
static inline struct kc_replica_entry *kc_entries(const struct kc_controller *c,
                                                  const struct kc_partition *p)
{
    return (struct kc_replica_entry *)((uint16_t *)(uintptr_t)(p + 1) + 4 * c->limits.replicas);
}
static inline struct kc_slot *kc_slot(const struct kc_controller *c, uint32_t i)
{
    return (struct kc_slot *)kc_at(c, c->at.slots) + i;
}
static inline struct kc_op *kc_op(const struct kc_controller *c, uint32_t i)
{
    return (struct kc_op *)kc_at(c, c->at.ops) + i;
}
static inline struct kc_event *kc_event_at(const struct kc_controller *c, uint32_t i)
{
    return (struct kc_event *)kc_at(c, c->at.events) + (c->event_head + i) % c->limits.events;
}
/* Work of the replica machine's call: groups of rows, one group a broker, in the order of the call. */
static inline uint32_t *kc_work_rows(const struct kc_controller *c)
{
    return kc_at(c, c->at.work_rows);
}
static inline uint32_t *kc_work_start(const struct kc_controller *c) /* [group_count + 1] */
{
    return kc_at(c, c->at.work_start);
}
static inline uint32_t *kc_work_place(const struct kc_controller *c) /* [broker] while filling */
{
    return kc_work_start(c) + c->limits.brokers + 2;
}
static inline uint16_t *kc_work_order(const struct kc_controller *c) /* [group] broker index */
{
    return (uint16_t *)(kc_work_place(c) + c->limits.brokers);
}
static inline uint8_t *kc_scratch(const struct kc_controller *c)
{
    return kc_at(c, c->at.scratch);
}

/* ---- block.c ---- */
uint32_t kc_topic_bucket(const struct kc_controller *c, const char *name);
uint32_t kc_row_bucket(const struct kc_controller *c, uint32_t topic, int32_t partition);

/* ---- arena.c ---- */
void *kc_arena_ptr(const struct kc_controller *c, const struct kc_arena *a, uint64_t offset);
/* Returns whether `size` more bytes fit, compacting first where that helps. */
bool kc_arena_room(struct kc_controller *c, struct kc_arena *a, uint64_t size);
/* Moves live bytes to the front where that is cheap. No pointer into the arena may be held. */
void kc_arena_tidy(struct kc_controller *c, struct kc_arena *a);
/* Appends `size` bytes (rounded up to 8, zeroed) and returns their logical offset; room is asserted. */
uint64_t kc_arena_add(struct kc_controller *c, struct kc_arena *a, uint32_t size);

/* ---- set.c ---- */
void kc_set_add(struct kc_controller *c, enum kc_set set, uint32_t row);
void kc_set_remove(struct kc_controller *c, enum kc_set set, uint32_t row);
bool kc_set_has(const struct kc_controller *c, enum kc_set set, uint32_t row);
void kc_set_clear(struct kc_controller *c, enum kc_set set);
bool kc_set_is_empty(const struct kc_controller *c, enum kc_set set);
/* Returns the first member >= `from`, or UINT32_MAX. */
uint32_t kc_set_next(const struct kc_controller *c, enum kc_set set, uint32_t from);
uint32_t kc_set_count(const struct kc_controller *c, enum kc_set set);
void kc_set_copy(struct kc_controller *c, enum kc_set to, enum kc_set from);

/* ---- context.c: what the controller believes; the only writers of rows ---- */
#define KC_NO_ROW UINT32_MAX
uint32_t kc_broker_find(const struct kc_controller *c, int32_t id);   /* index or KC_NO_ROW */
uint32_t kc_broker_intern(struct kc_controller *c, int32_t id);       /* room was reserved */
uint32_t kc_topic_find(const struct kc_controller *c, const char *name);
uint32_t kc_topic_intern(struct kc_controller *c, const char *name);
uint32_t kc_row_find(const struct kc_controller *c, uint32_t topic, int32_t partition);
uint32_t kc_row_named(const struct kc_controller *c, const char *topic, int32_t partition);
uint32_t kc_row_intern(struct kc_controller *c, uint32_t topic, int32_t partition);
/* Next row of a topic after `row` (KC_NO_ROW: first); KC_NO_ROW at the end. */
uint32_t kc_row_next_of(const struct kc_controller *c, uint32_t topic, uint32_t row);
const char *kc_row_topic(const struct kc_controller *c, uint32_t row);
bool kc_row_is_assigned(const struct kc_controller *c, uint32_t row);
bool kc_is_queued(const struct kc_controller *c, uint32_t row); /* topic queued for deletion */
/* By a reassignment, and not begun. */
bool kc_is_held_up(const struct kc_controller *c, uint32_t row);
bool kc_is_given_up(const struct kc_controller *c, uint32_t row); /* … and no longer led */

struct sm_assignment kc_row_assignment(const struct kc_controller *c, uint32_t row);
struct sm_list kc_row_replicas(const struct kc_controller *c, uint32_t row);
struct sm_leader_and_isr kc_row_leadership(const struct kc_controller *c, uint32_t row);
bool kc_has_leadership(const struct kc_controller *c, uint32_t row);
void kc_put_assignment(struct kc_controller *c, uint32_t row, const struct sm_assignment *a);
void kc_put_leadership(struct kc_controller *c, uint32_t row, const struct sm_leader_and_isr *li);
void kc_put_partition_state(struct kc_controller *c, uint32_t row, enum sm_partition_state to, bool direct);
enum sm_replica_state kc_row_replica_state(const struct kc_controller *c, uint32_t row, uint32_t broker);
void kc_put_replica_state(struct kc_controller *c, uint32_t row, uint32_t broker,
                          enum sm_replica_state to, bool direct);
bool kc_is_offline_dir(const struct kc_controller *c, uint32_t row, uint32_t broker);
void kc_put_offline_dir(struct kc_controller *c, uint32_t row, uint32_t broker, bool offline);
void kc_clear_offline_dirs(struct kc_controller *c, uint32_t broker);
bool kc_broker_is(const struct kc_controller *c, uint32_t broker, uint32_t flag);
bool kc_is_online(const struct kc_controller *c, uint32_t row, uint32_t broker);
bool kc_is_online_id(const struct kc_controller *c, uint32_t row, int32_t id);
bool kc_is_online_or_shutting_down(const struct kc_controller *c, uint32_t row, uint32_t broker);
bool kc_row_has_replica(const struct kc_controller *c, uint32_t row, uint32_t broker);
void kc_mark_topic(struct kc_controller *c, uint32_t topic, uint32_t flag, bool on);
void kc_remove_topic(struct kc_controller *c, uint32_t topic);
void kc_queue_topic_deletion(struct kc_controller *c, uint32_t topic);
void kc_reset_context(struct kc_controller *c);
void kc_forget_topics(struct kc_controller *c);
void kc_note_live(struct kc_controller *c);
void kc_set_active(struct kc_controller *c, int32_t id);
void kc_set_epoch(struct kc_controller *c, int32_t epoch, int32_t zk_version);
bool kc_is_active(const struct kc_controller *c);
/* Iterates brokers by ascending id with (flags & mask) == want: start n = 0. KC_NO_ROW at the end. */
uint32_t kc_broker_next(const struct kc_controller *c, uint32_t *n, uint32_t mask, uint32_t want);
uint32_t kc_broker_count_with(const struct kc_controller *c, uint32_t mask, uint32_t want);

/* ---- engine.c ---- */
#define KC_FLOW_MAP(X)                                                                             \
    X(STARTUP) X(REELECT) X(CONTROLLER_CHANGE) X(EXPIRE) X(REGISTER_AND_REELECT) X(REGISTER)       \
    X(MAYBE_RESIGN) X(ELECT) X(TRIGGER_MOVE) X(FAILOVER) X(SHUTDOWN)                               \
    X(REPLICA_CHANGE) X(PARTITION_CHANGE) X(TRIGGER_ONLINE) X(BUMP_EPOCH)                          \
    X(BROKER_CHANGE) X(BROKER_STARTUP) X(BROKER_FAILURE) X(REPLICAS_OFFLINE)                       \
    X(BROKER_MODIFICATIONS) X(LOG_DIR_EVENT) X(LEADER_AND_ISR_RESPONSE) X(UPDATE_METADATA_RESPONSE)\
    X(TOPIC_CHANGE) X(PARTITION_MODIFICATIONS) X(NEW_PARTITIONS)                                   \
    X(TOPIC_DELETION) X(STOP_REPLICA_RESPONSE) X(RESUME_DELETIONS) X(COMPLETE_DELETION)            \
    X(ON_TOPIC_DELETION) X(FAIL_DELETION)                                                          \
    X(ISR_CHANGE) X(REASSIGN_ZNODE) X(REASSIGN_CALL) X(REASSIGN_ISR_CHANGE) X(REASSIGN)            \
    X(REASSIGN_GUARDED) X(REASSIGN_KEPT) X(STOP_REMOVED) X(REASSIGN_REMOVE) X(LIST_REASSIGNMENTS)                   \
    X(ELECTION_EVENT) X(ELECTION) X(AUTO_BALANCE) X(CONTROLLED_SHUTDOWN)                           \
    X(UNCLEAN_ENABLED) X(TOPIC_UNCLEAN_ENABLED) X(TELL_ALL)

enum kc_flow {
    KC_FLOW_NONE,
#define X(name) KC_FLOW_##name,
    KC_FLOW_MAP(X)
#undef X
    KC_FLOW_END
};
#define X(name) extern const struct kc_flow_def kc_flow_##name;
KC_FLOW_MAP(X)
#undef X

/* Pushes a flow; the caller's row then returns KC_NEXT (go on after it) or KC_STAY. */
struct kc_frame *kc_call(struct kc_controller *c, enum kc_flow flow, uint32_t arg);
/* Sets the error to unwind with; returns KC_THROW. */
enum kc_next kc_throw(struct kc_controller *c, enum sm_err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* For answers: fails with the error that ZooKeeper's code means; returns KC_SLOT_FAIL. */
enum kc_slot_next kc_slot_throw(struct kc_controller *c, int32_t zk_code);
void kc_run(struct kc_controller *c);
/* Rows: leaves the flow where this controller is not the active one; throws again the error that
   on_error has put into f->value, where it has. */
enum kc_next kc_if_active(struct kc_controller *c, struct kc_frame *f);
enum kc_next kc_rethrow(struct kc_controller *c, struct kc_frame *f);
/* The bulk that waits for replies; NULL where the row in work is none. */
const struct kc_bulk *kc_bulk_of(const struct kc_controller *c);
/* Counts one partition of work; true where the step has done enough. */
bool kc_worked(struct kc_controller *c);
/* Copies the names of a listing into the event's scratch; later ones replace earlier ones. */
void kc_keep_names(struct kc_controller *c, const struct wire_zk_result_view *r);
/* Walks them: start NULL. */
const char *kc_name_next(const struct kc_controller *c, const char *previous);
/* Copies bytes to the event's scratch, returns the offset. */
uint32_t kc_keep_bytes(struct kc_controller *c, const void *bytes, uint32_t size);
/* Exception text as Kafka's log shows it (class and message). */
const char *kc_error_text(const struct kc_controller *c);

/* ---- bulk.c ---- */
/* Goes on with a row that is bulk work, taking the reply of this step if there is one. */
enum kc_next kc_run_bulk(struct kc_controller *c, struct kc_frame *f, const struct kc_bulk *bulk);

/* ---- queue.c ---- */
/* Returns the event's number; 0: the controller closes, and nothing was put. */
uint32_t kc_put_event(struct kc_controller *c, const struct kc_event *event, const void *bytes, uint32_t size);
uint32_t kc_put(struct kc_controller *c, enum kc_event_kind kind);
void kc_clear_queue(struct kc_controller *c);
const char *kc_event_name(uint32_t kind);
int32_t kc_event_state(uint32_t kind);
const void *kc_event_bytes(const struct kc_controller *c, const struct kc_event *e);
void kc_start_event(struct kc_controller *c);
void kc_finish_event(struct kc_controller *c);
void kc_reply(struct kc_controller *c, const struct wire_call *answer);

/* ---- isr_listener.c: KAFKA-5879, with the defect only ---- */
/* The child watch of the notifications has fired: lists them beside the flow in work. */
void kc_isr_listen(struct kc_controller *c);
/* Returns whether `reply` answers that, and not what a flow has asked. */
bool kc_isr_is_listing(const struct kc_controller *c, const struct wire_zk_reply *reply);
/* Puts the event that carries what was listed. */
void kc_isr_listed(struct kc_controller *c, const struct wire_zk_reply *reply);
/* Makes the list of the event in work the names that its flow reads and deletes. */
void kc_isr_keep_listed(struct kc_controller *c);

/* ---- batch.c ---- */
/* Begins the batch of `owner`. False: the owner's earlier batch is dirty (KAFKA-2300): IllegalState. */
bool kc_batch_begin(struct kc_controller *c, enum kc_owner owner);
void kc_batch_leader_and_isr(struct kc_controller *c, const struct sm_list *to, uint32_t row,
                             const struct sm_leader_and_isr *li, const struct sm_assignment *a, bool is_new);
/* What the context believes about `row`, to one broker. */
void kc_batch_leadership(struct kc_controller *c, uint32_t row, uint32_t broker, bool is_new);
/* UpdateMetadata about `row` (KC_NO_ROW: about nobody, only live brokers) to all liveSD. */
void kc_batch_update_metadata(struct kc_controller *c, uint32_t row);
void kc_batch_update_metadata_to(struct kc_controller *c, uint32_t broker);
void kc_batch_stop_replica(struct kc_controller *c, uint32_t broker, uint32_t row, bool delete_partition);
void kc_batch_send(struct kc_controller *c);
void kc_batch_drop(struct kc_controller *c, bool dirty);
bool kc_batch_is_open(const struct kc_controller *c);
/* Batches by logical offset; the end is where the next complete one will be. */
struct wire_batch *kc_batch_at(const struct kc_controller *c, uint64_t offset);
uint64_t kc_batch_end(const struct kc_controller *c);
void kc_batch_trim(struct kc_controller *c);
void kc_batch_partition_metadata(struct kc_controller *c, uint32_t row);
/* UpdateMetadata to all liveSD about no partition, whole. */
void kc_send_live_brokers(struct kc_controller *c);

/* ---- channel.c ---- */
void kc_channel_open(struct kc_controller *c, uint32_t broker);
void kc_channel_close(struct kc_controller *c, uint32_t broker);
void kc_channel_pump(struct kc_controller *c, uint32_t broker);
void kc_channels_pump(struct kc_controller *c);
void kc_channel_answer(struct kc_controller *c, const struct kc_input *in);
void kc_channel_failed(struct kc_controller *c, const struct kc_input *in);
void kc_channel_timer(struct kc_controller *c, uint32_t timer);
enum { KC_TIMER_BALANCE = 1, KC_TIMER_CHANNEL = 16 };

/* ---- notes.c ---- */
uint64_t kc_emit(struct kc_controller *c, struct kc_output *out);
bool kc_notes(const struct kc_controller *c, uint32_t which);
void kc_log(struct kc_controller *c, enum kc_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Whether this version changes replicas one by one and speaks as Kafka did before 1.1. */
bool kc_is_old(const struct kc_controller *c);
/* … and whether that is logged at all. */
bool kc_logs_old(const struct kc_controller *c);
/* Lines of one time only. kc_log itself is for both; the name of the class in front is made fit. */
void kc_log_new(struct kc_controller *c, enum kc_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void kc_log_old(struct kc_controller *c, enum kc_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* state-change.log of old versions, with "Controller N epoch E " before the text. */
void kc_state_log_old(struct kc_controller *c, enum kc_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* state-change.log, with "[Controller id=N epoch=E] " before the text; nothing in old versions. */
void kc_state_log(struct kc_controller *c, enum kc_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Text helpers: build in the block's text area, valid until the next kc_text_begin. */
char *kc_text_list(char *out, size_t size, const struct sm_list *l, const char *separator);
void kc_text_leadership(char *out, size_t size, const struct sm_leader_and_isr *li);
void kc_text_assignment(char *out, size_t size, const struct sm_assignment *a);
void kc_text_brokers(struct kc_controller *c, char *out, size_t size, const char *separator,
                     uint32_t mask, uint32_t want);

/* ---- replica_machine.c ---- */
/* Work lists: begin, add in any order (rows ascending per broker), then call. */
void kc_replicas_begin(struct kc_controller *c);
/* Adds every (row, broker) for which `wanted` is true, over all rows. O(rows + replicas). */
typedef bool (*kc_replica_filter)(struct kc_controller *c, uint32_t row, uint32_t broker, uint32_t arg);
void kc_replicas_select(struct kc_controller *c, kc_replica_filter wanted, uint32_t arg);
/* The same over the rows of `set`. */
void kc_replicas_select_in(struct kc_controller *c, enum kc_set set, kc_replica_filter wanted, uint32_t arg);
/* … over one partition and a list of ids. */
void kc_replicas_of(struct kc_controller *c, uint32_t row, const struct sm_list *ids);
bool kc_replicas_are_none(const struct kc_controller *c);
void kc_replicas_call(struct kc_controller *c, enum sm_replica_state target);

/* ---- partition_machine.c ---- */
/* The work is KC_SET_WORK; nothing happens where it is empty. */
void kc_partitions_call(struct kc_controller *c, enum sm_partition_state target,
                        enum sm_strategy strategy, bool allow_unclean);
/* ---- partition_state_znode.c ---- */
/* What reading the state znode of s->row came to; READ and NEWER_CONTROLLER fill s->plan. */
enum kc_state_read { KC_STATE_READ, KC_STATE_MISSING, KC_STATE_FAILED, KC_STATE_NEWER_CONTROLLER };
enum kc_state_read kc_read_state(struct kc_controller *c, struct kc_slot *s, int32_t err,
                                 const struct wire_zk_result_view *r);
void kc_ask_state_read(struct kc_controller *c, uint32_t row, struct kc_ask *ask);
/* The same as the `ask` of a row, for s->row. */
bool kc_ask_slot_state(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                       struct kc_ask *ask);
void kc_ask_state_write(struct kc_controller *c, struct kc_slot *s, struct kc_ask *ask);

/* ---- others that flows share ---- */
bool kc_select_once(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s);
/* Selects the names kept by kc_keep_names one after the other: s->item is the offset in the scratch. */
bool kc_select_name(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s);
const char *kc_slot_name(const struct kc_controller *c, const struct kc_slot *s);
/* answers */
enum kc_slot_next kc_answer_names(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                  int32_t err, const struct wire_zk_result_view *r); /* NONODE: none */
enum kc_slot_next kc_answer_deleted(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                    int32_t err, const struct wire_zk_result_view *r); /* NONODE is fine */
/* bulks that more than one flow has */
extern const struct kc_bulk kc_list_brokers, kc_read_brokers, kc_arm_brokers;
extern const struct kc_bulk kc_list_topics, kc_read_topics;
extern const struct kc_bulk kc_list_isr_changes, kc_delete_isr_changes;
extern const struct kc_bulk kc_list_log_dir_events, kc_delete_log_dir_events;
extern const struct kc_bulk kc_list_deletions, kc_delete_deletions;
extern const struct kc_bulk kc_read_leadership; /* of KC_SET_LISTED */
extern const struct kc_bulk kc_read_preferred; /* failover: what is pending into KC_SET_LISTED */
/* Whether this version fences its writes; these are the ones that have /feature, log dir events and
   handlers of broker modifications. */
bool kc_is_current(const struct kc_controller *c);
void kc_ask_path(struct kc_ask *ask, uint8_t opcode, const char *path);
void kc_ask_write(struct kc_ask *ask, uint8_t opcode, const char *path, const void *data, uint32_t size, int32_t version);
void kc_resign(struct kc_controller *c); /* onControllerResignation */
bool kc_replica_of_group(struct kc_controller *c, uint32_t row, uint32_t broker, uint32_t arg);
void kc_mark_ineligible(struct kc_controller *c, uint32_t topic, const char *reason);
bool kc_topic_has_reassignment(const struct kc_controller *c, uint32_t topic);
bool kc_topic_has_offline_replica(struct kc_controller *c, uint32_t topic);
bool kc_delete_topic_enabled(const struct kc_controller *c);
void kc_election_call(struct kc_controller *c, uint32_t election_type, enum kc_trigger trigger); /* of KC_SET_LISTED */
void kc_watch_event(struct kc_controller *c, const struct kc_input *in);
/* Room at the end of the scratch for a topic znode of `partitions` partitions; good until the next
   thing that is kept. */
char *kc_room(struct kc_controller *c, uint32_t partitions, size_t *size);
size_t kc_topic_znode_max(const struct kc_controller *c, uint32_t topic);
const uint8_t *kc_topic_id(const struct kc_controller *c, uint32_t topic); /* NULL for none */
/* Asks to write the topic znode of partition `row` as the context has it, but with `goal` for `row`;
   and what that came to. */
bool kc_ask_topic_write(struct kc_controller *c, uint32_t row, const struct sm_assignment *goal,
                        struct kc_ask *ask);
enum kc_slot_next kc_answer_topic_write(struct kc_controller *c, uint32_t row, int32_t err);
/* Starts onPartitionReassignment of `row` towards `a`. */
void kc_reassign_call(struct kc_controller *c, uint32_t row, const struct sm_assignment *a);
/* Keeps what the last term was reassigning in the scratch, as text, for KC_FLOW_REASSIGN_KEPT: *at
   and *size. Of very many, as many as there is room for (KAFKA-5310). */
void kc_keep_reassignments(struct kc_controller *c, uint32_t *at, int32_t *size);
/* Where a topic is gone: its reassignments end with it, in memory and in the znode. */
void kc_forget_reassignments(struct kc_controller *c, uint32_t topic);
/* ---- log.c: lines that list many things ---- */
void kc_log_epochs(struct kc_controller *c, const char *what);
void kc_log_members(struct kc_controller *c);
void kc_log_deletions(struct kc_controller *c);
void kc_log_broker_handlers(struct kc_controller *c, const char *verb, const char *collection, uint32_t flag);
void kc_log_replica_states(struct kc_controller *c);
/* A znode that does not parse counts as absent, as Kafka's decoders have it, and is not written over. */
void kc_log_unreadable(struct kc_controller *c, const char *path);
/* Old versions: what the machine is called with; the work lists, KC_SET_WORK. */
void kc_log_invoked_replicas(struct kc_controller *c);
void kc_log_invoked_partitions(struct kc_controller *c);
void kc_log_partition_states(struct kc_controller *c);
void kc_log_isr_changes(struct kc_controller *c);
void kc_log_set(struct kc_controller *c, enum kc_level level, const char *before, enum kc_set set, const char *after);
void kc_log_topic_change(struct kc_controller *c);
void kc_log_topics(struct kc_controller *c, const char *before, uint32_t flag);
void kc_log_halted(struct kc_controller *c, uint32_t flag, const char *reason);
void kc_log_offline_dirs(struct kc_controller *c, uint32_t broker);
/* ---- log_requests.c ---- */
void kc_batch_log_sends(struct kc_controller *c, const struct wire_batch *b);
void kc_log_answer(struct kc_controller *c, uint32_t broker, int32_t api, const struct wire_batch *batch,
                   const struct wire_answer *a);
void kc_log_connected(struct kc_controller *c, uint32_t broker);
void kc_text_row(const struct kc_controller *c, uint32_t row, char *out, size_t size);

/* ---- needs.c: what room an input takes ---- */
/* Returns the name of the limit that `in` would exceed, or NULL. Changes nothing that decides. */
const char *kc_short_of(struct kc_controller *c, const struct kc_input *in);
/* For bulks: what listing or znode asks for. */
void kc_needs_topic_names(const struct kc_controller *c, const struct wire_zk_result_view *r, struct kc_needed *needed);
void kc_needs_broker_names(const struct kc_controller *c, const struct wire_zk_result_view *r, struct kc_needed *needed);
void kc_needs_topic_znode(const struct kc_controller *c, const struct wire_zk_result_view *r, struct kc_needed *needed);
void kc_needs_state_znode(const struct kc_controller *c, const struct wire_zk_result_view *r, struct kc_needed *needed);
void kc_needs_reassign_znode(const struct kc_controller *c, const struct wire_zk_result_view *r, struct kc_needed *needed);

#endif
