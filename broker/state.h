/*
 * The block behind struct kb_broker, and what its parts say to each other. Internal to broker/.
 *
 *     struct kb_broker | slots | heap of waiting requests | properties | metadata cache
 *
 * The heap holds the areas of slots one behind the other; an area that goes leaves a gap that is
 * closed at once, so areas move: they hold flat messages, which may.
 */
#ifndef BROKER_STATE_H
#define BROKER_STATE_H

#include "broker/broker.h"
#include "wire/codec.h"
#include "wire/errors.h"
#include "wire/flat.h"
#include "wire/schema.h"

enum {
    KB_CLUSTER_ID_MAX = 64,
    KB_DYNAMIC_BYTES = 8192,         /* of one broker's dynamic settings */
    KB_ZNODE_MAX = 1000 * 1000,      /* what ZooKeeper takes (jute.maxbuffer), less the rest */
    KB_SCRATCH_MIN = 3 * 512 * 1024, /* a znode, the request around it, what it is made of */
    KB_LISTENER_MAX = SM_LISTENER_MAX
};

enum kb_area_kind { KB_AREA_REQUEST, KB_AREA_WORK, KB_AREA_RESPONSE, KB_AREAS };
struct kb_area {
    uint32_t at, size; /* in the heap; size 0: none */
};

/* What a waiting request waits for, or does next. */
enum kb_phase {
    KB_PHASE_FREE,
    KB_PHASE_BROKERS,     /* which live brokers hold data */
    KB_PHASE_ITEM,        /* begins with the next item */
    KB_PHASE_EXISTS,      /* is the topic there? */
    KB_PHASE_NAMES,       /* names of all topics */
    KB_PHASE_READ,        /* a topic's or an entity's znode */
    KB_PHASE_SET_CONFIG,  /* set, where it exists */
    KB_PHASE_MAKE_CONFIG, /* create it where it did not */
    KB_PHASE_MAKE_TOPIC,
    KB_PHASE_SET_TOPIC,
    KB_PHASE_MAKE_DELETION,
    KB_PHASE_NOTIFY,       /* the change notification */
    KB_PHASE_READ_BROKER,  /* /config/brokers/N */
    KB_PHASE_READ_DEFAULT, /* /config/brokers/<default> */
    KB_PHASE_CALL,         /* the controller's answer */
    KB_PHASE_LEADERS,      /* until the cache shows it, or the deadline */
    KB_PHASE_PRODUCER_ID,  /* a block of ids */
    KB_PHASE_CLUSTER_ID,
    KB_PHASE_MARKERS, /* until the markers are in the logs */
};

struct kb_slot {
    uint64_t call_id; /* 0: its client has gone */
    uint64_t record;
    int64_t deadline_us;
    uint64_t order; /* of arrival; also its number as a call to the controller */
    int32_t api;
    int16_t version;
    uint8_t phase;  /* enum kb_phase */
    uint8_t flag;   /* the flow's own; in KB_PHASE_CALL 1: the call has been taken */
    uint32_t xid;   /* of the ZooKeeper request in flight, 0 none */
    uint32_t item;  /* of the list in work */
    uint32_t at;    /* partition within it, while leaders are awaited */
    uint32_t value; /* the flow's own */
    uint32_t response_used;
    struct kb_area area[KB_AREAS];
    uint8_t unused[4];
    char listener[KB_LISTENER_MAX];
};

/* A request that the replicas will answer: what they do not remember about it. */
struct kb_data_call {
    uint64_t number; /* by which they know it */
    uint64_t call_id, record;
    uint64_t append_id; /* of a coordinator */
    int32_t api;
    int16_t version;
    uint16_t coordinator; /* 0: no append; else enum kb_coordinator + 1 */
};

struct kb_producer_ids {
    int64_t next, last; /* next > last: the block is used up */
    uint32_t xid;       /* of the request in flight */
    int32_t version;    /* of the znode read; -2: to be read */
    int64_t begin;      /* of the block being claimed */
};

struct kb_broker {
    struct kb_broker_limits limits;
    struct sm_broker self;
    int64_t epoch; /* of its own registration, -1 none yet */
    int32_t controller_epoch;
    uint8_t has_data, has_session, unused[2];
    uint64_t random;
    uint64_t order; /* requests taken so far */
    uint32_t xid;
    uint32_t waiting;                     /* slots in use */
    int64_t timer_us;                     /* armed for, -1 none */
    uint32_t cluster_xid, dynamic_xid[2]; /* in flight */
    uint32_t heap_used;
    struct kb_producer_ids ids;
    uint32_t dynamic_size[2]; /* 0: this broker's, 1: all brokers' */
    uint64_t slots_at, heap_at, properties_at, data_calls_at, cache_at;
    uint64_t events_at, loads_at, groups_at, txns_at,
        size; /* of coordinators; nothing without data */
    uint32_t first_event, event_count;
    uint32_t load_count;
    uint8_t loads_are_armed;
    uint8_t is_taken; /* the input is done with, but not all that followed from it */
    uint8_t unused_b[2];
    uint32_t properties_size, properties_capacity;
    uint32_t data_call_count;
    uint32_t largest_request; /* bytes, of those that went to the replicas */
    char cluster_id[KB_CLUSTER_ID_MAX];
    char dynamic[2][KB_DYNAMIC_BYTES];
};

/* What lives during one step. */
struct kb_turn {
    struct kb_broker *b;
    int64_t now_us;
    const struct kb_broker_input *in;
    struct kb_broker_outputs *out;
    size_t scratch_used;
    bool holds_answer; /* what the replicas answer to an UpdateMetadata is noted, not put */
    uint8_t unused[3];
    int32_t held_error;
    int32_t response_version;            /* of the data answer that is being written */
    size_t response_spare;               /* bytes that its records leave to what else is in it */
    const struct kb_offsets_item *asked; /* ListOffsets: what this step's request asks, */
    const struct kb_offsets_result *results; /* and what it is told, in the same order */
};

/* ---- broker_block.c: the block and the node's settings ---- */

static inline size_t kb_up8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}
/* Returns the place `at` bytes into the block. */
uint8_t *kb_region(const struct kb_broker *b, uint64_t at);

struct kb_slot *kb_slots(const struct kb_broker *b);
struct kb_cache *kb_cache_of(const struct kb_broker *b);
struct kb_props kb_properties(const struct kb_broker *b);
struct kb_props kb_dynamic(const struct kb_broker *b, int which);
/* The node's setting by Kafka's key: its own property, else Kafka's default. */
int64_t kb_property_int(const struct kb_broker *b, const char *name);
bool kb_property_is_true(const struct kb_broker *b, const char *name);
/* Returns a number below `bound` (> 0) from the seeded generator. */
uint32_t kb_draw(struct kb_broker *b, uint32_t bound);

/* ---- slots.c: slots, memory, asking ---- */

/* Scratch for the rest of the step, zeroed, 8-byte aligned; asserted to be there. */
void *kb_turn_scratch(struct kb_turn *t, size_t size);
size_t kb_turn_scratch_left(const struct kb_turn *t);
/* The same, as it is: not zeroed. */
void *kb_turn_room(struct kb_turn *t, size_t size);
/* The node's clock, ms since 1970. */
int64_t kb_wall_ms(const struct kb_turn *t);

/* Takes a slot with a copy of the request and room for its response; the caller has made sure that
   there is one. */
struct kb_slot *kb_slot_take(struct kb_turn *t, size_t work_size, size_t response_size);
void *kb_area_bytes(const struct kb_broker *b, const struct kb_slot *s, enum kb_area_kind kind);
const void *kb_request_of(const struct kb_broker *b, const struct kb_slot *s);
/* The slot in use that has that number; NULL: none. */
struct kb_slot *kb_slot_of_order(const struct kb_broker *b, uint64_t order);
void kb_slot_release(struct kb_broker *b, struct kb_slot *s);
/* Adds `more` bytes to an area, which the heap has (asserted). */
void kb_area_widen(struct kb_broker *b, struct kb_slot *s, enum kb_area_kind kind, size_t more);

/* The response of a slot under construction: begin once, then open in each step and close. */
void *kb_response_begin(struct kb_broker *b, struct kb_slot *s, struct wire_flat *f,
                        size_t head_size);
void kb_response_open(struct kb_broker *b, struct kb_slot *s, struct wire_flat *f);
void kb_response_close(struct kb_slot *s, const struct wire_flat *f);
/* Puts the response and frees the slot. */
void kb_response_send(struct kb_turn *t, struct kb_slot *s);

/* A response built in scratch, which it takes whole, and put within one step: for the request of
   this step, or (kb_slot_answer) for that of a slot, which is then free. */
void *kb_answer_begin(struct kb_turn *t, struct wire_flat *f, int32_t api, size_t head_size);
void kb_answer_send(struct kb_turn *t, struct wire_flat *f);
void kb_slot_answer(struct kb_turn *t, struct kb_slot *s, struct wire_flat *f);

/* Puts a response as it is; none where call_id is 0. */
void kb_put_response(struct kb_turn *t, uint64_t record, uint64_t call_id, int32_t api,
                     int32_t version, const void *message, size_t size);

/* Elements of an array under construction, `count` of them with the table's defaults. */
void *kb_items(struct wire_flat *f, struct wire_array *array, int32_t count,
               const struct wire_layout *layout);
/* Sets a result: error code and message (NULL: null). */
void kb_say(struct wire_flat *f, int16_t *error, struct wire_string *message, int32_t code,
            const char *text);

/* Asks ZooKeeper one thing for a slot, which then waits in `phase`. data NULL: a null payload. */
struct kb_zk {
    uint8_t opcode, flags;
    int32_t version; /* 0 is WIRE_ZK_ANY_VERSION; else the expected one + 1 */
    const char *path;
    const void *data;
    size_t size;
};
uint32_t kb_zk_ask(struct kb_turn *t, const struct kb_zk *ask); /* returns the xid */
void kb_slot_ask(struct kb_turn *t, struct kb_slot *s, enum kb_phase phase,
                 const struct kb_zk *ask);
/* The call that has been made in the slot's work area: it is taken from there by the node. */
void *kb_call_room(struct kb_turn *t, struct kb_slot *s, size_t *capacity);
void kb_slot_call(struct kb_slot *s);
void kb_log(struct kb_turn *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
int64_t kb_deadline(const struct kb_turn *t, int32_t timeout_ms);

/* The first result of a reply; err is the reply's. */
struct kb_reply {
    int32_t err; /* enum wire_zk_err */
    int32_t version;
    int64_t czxid;
    const uint8_t *data;
    uint32_t size;
    struct wire_zk_result_view view;
};
struct kb_reply kb_reply_of(const struct wire_zk_reply *reply);

/* ---- candidates.c: who may get replicas ---- */

/* Asks for the registration of every live broker of which it is not known whether it holds data.
   Returns whether all is known. */
bool kb_candidates_known(struct kb_turn *t);
bool kb_candidates_on_reply(struct kb_turn *t, const struct kb_reply *r); /* true: it was theirs */
/* Live brokers that hold data, ascending, in scratch. */
struct kb_candidate;
struct kb_candidate *kb_candidates(struct kb_turn *t, uint32_t *count);
/* Returns whether broker `id` is known to hold no data. */
bool kb_is_without_data(const struct kb_broker *b, int32_t id);

/* ---- flows: one file each. `begin` takes a slot or answers at once; `advance` goes on with a
   slot: a reply (r), or where r is NULL because what it waited for may have come. */

typedef void kb_begin(struct kb_turn *t);
typedef void kb_advance(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r);
kb_begin kb_begin_create_topics, kb_begin_delete_topics, kb_begin_create_partitions,
    kb_begin_elect_leaders, kb_begin_alter_reassignments, kb_begin_list_reassignments,
    kb_begin_controlled_shutdown, kb_begin_describe_configs, kb_begin_alter_configs,
    kb_begin_incremental_alter_configs, kb_begin_write_markers, kb_begin_init_producer_id,
    kb_begin_metadata, kb_begin_describe_cluster, kb_begin_find_coordinator, kb_begin_api_versions,
    kb_begin_refusal, kb_begin_by_partition, kb_begin_produce, kb_begin_fetch;
kb_advance kb_advance_create_topics, kb_advance_delete_topics, kb_advance_create_partitions,
    kb_advance_elect_leaders, kb_advance_reassignments, kb_advance_describe_configs,
    kb_advance_alter_configs, kb_advance_init_producer_id, kb_advance_metadata,
    kb_advance_find_coordinator, kb_advance_by_id;
/* Bytes of work area and response that a request may need; for those that take a slot. */
struct kb_room {
    size_t work, response, scratch;
};
typedef struct kb_room kb_room_of(const struct kb_broker *b, const struct kb_broker_input *in);
kb_room_of kb_room_create_topics, kb_room_delete_topics, kb_room_create_partitions,
    kb_room_elect_leaders, kb_room_alter_reassignments, kb_room_list_reassignments,
    kb_room_describe_configs, kb_room_alter_configs, kb_room_metadata, kb_room_find_coordinator,
    kb_room_small, kb_room_mirror, kb_room_write_markers;
/* The controller's answer to a slot's call. */
typedef void kb_answered(struct kb_turn *t, struct kb_slot *s, const struct wire_call *answer);
kb_answered kb_answered_elect_leaders, kb_answered_alter_reassignments,
    kb_answered_list_reassignments, kb_answered_controlled_shutdown;

/* create_topics.c, for topics that are made because somebody asked about them: makes the request in
   the work area of `s` out of names, and sets the slot going. */
struct kb_room kb_room_auto_create(uint32_t names, size_t name_bytes);
void kb_auto_create(struct kb_turn *t, struct kb_slot *s, const char *const *names, uint32_t count);
/* Goes on; true once all have been tried: the slot's own flow answers and frees it. */
bool kb_auto_create_step(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r);
/* Whether the i-th such topic has that name; its error, as the asker is told. */
bool kb_auto_create_is(const struct kb_broker *b, const struct kb_slot *s, uint32_t i,
                       const char *name, size_t size);
int16_t kb_auto_create_error(const struct kb_broker *b, const struct kb_slot *s, uint32_t i);

/* names.c */

enum { KB_NAME_EMPTY = 1, KB_NAME_DOTS, KB_NAME_LONG, KB_NAME_ILLEGAL };
/* Returns NULL for a legal topic name, else Kafka's message in `message` (KB_TEXT_MAX bytes). */
const char *kb_topic_name_fault(const char *name, size_t size, char *message);
bool kb_topic_is_internal(const char *name);
/* For each of `count` names the place of the first equal one, in scratch. */
uint32_t *kb_first_of(struct kb_turn *t, const void *message, const struct wire_string *name,
                      size_t stride, uint32_t count);

/* configs.c, for CreateTopics: the effective settings of a topic (see kb_topic_entry). */
struct kb_entry {
    const char *name;
    const char *value; /* NULL: null, or sensitive */
    int8_t source;     /* DescribeConfigsResponse.ConfigSource */
    bool sensitive, read_only;
};
enum {
    KB_SOURCE_UNKNOWN,
    KB_SOURCE_TOPIC,
    KB_SOURCE_DYNAMIC_BROKER,
    KB_SOURCE_DYNAMIC_DEFAULT,
    KB_SOURCE_STATIC,
    KB_SOURCE_DEFAULT,
};
/* The broker's setting as it is in force now: dynamic, the node's own, or the default. NULL: null.
 */
const char *kb_setting_in_force(const struct kb_broker *b, const char *name);
/* `parsed`: KB_VALUE_MAX bytes behind the value. */
struct kb_entry kb_topic_entry(const struct kb_broker *b, const struct kb_setting *setting,
                               const struct kb_props *overrides, char *parsed);

/* Checks a broker's name in a request. Returns 0 for this broker, 1 for all of them (empty); -1,
   and Kafka's message, for another. `or_empty` stands in it behind the expected id. */
int kb_broker_named(const struct kb_broker *b, const char *name, const char *or_empty,
                    char *message);

/* data.c: the way to the replicas and back. */

/* Whether this broker hosts logs. */
bool kb_hosts(const struct kb_turn *t);
/* Scratch that an input may need there, beside what others do. */
size_t kb_data_scratch(const struct kb_turn *t);
/* Gives the replicas an input and puts what they say. LIMIT: nothing has happened. */
enum sm_err kb_data_step(struct kb_turn *t, const struct kb_input *in);
/* The same, for a client's or a peer's request, which is answered then or later. */
enum sm_err kb_data_ask(struct kb_turn *t, struct kb_input *in);
enum sm_err kb_data_on_batch(struct kb_turn *t);
/* A reply to a request of the replicas: true where it was one (*err then says how it went). */
bool kb_data_on_reply(struct kb_turn *t, enum sm_err *err);
void kb_data_drop(struct kb_turn *t);

/* data_requests.c, data_peers.c: messages into inputs and outputs into messages. */
bool kb_data_serves(int32_t api);
enum sm_err kb_data_on_request(struct kb_turn *t);
enum sm_err kb_data_on_peer_response(struct kb_turn *t);
void kb_data_put_answer(struct kb_turn *t, const struct kb_data_call *call,
                        const struct kb_output *o);
void kb_data_put_peer_request(struct kb_turn *t, const struct kb_output *o);
/* Whether the cache has the partition; 1 where it has not (struct kb_produce_item.unknown). */
int32_t kb_data_unknown(const struct kb_turn *t, const void *message, struct wire_string name,
                        int32_t partition);

/* records.c: batches and their bytes. */

struct wire_record_batch;
struct kb_records_from {
    bool is_client;             /* else a leader */
    enum kb_compression wanted; /* a client's are stored so */
    bool stamped;               /* … with the time of this broker (LogAppendTime) */
    bool keyed;                 /* … only if each record has a key (a compacted topic) */
};
/* Reads the batches of a partition into scratch: a part of one at the end is passed over. Returns 0
   or a wire error; a client's must be one whole sound batch. */
int32_t kb_records_read(struct kb_turn *t, const uint8_t *bytes, int32_t size,
                        const struct kb_records_from *from, const struct kb_batch **batches,
                        uint32_t *count);
/* How a leader stores the records of a topic: what the topic says, else the broker. Source:
   LogConfig.compressionType. */
enum kb_compression kb_compression_for(const struct kb_turn *t, const char *topic);
/* Makes of a batch one that is stored so: *bytes and *head are those of a new one behind what is
   in use of scratch, or stay. Returns 0 or a wire error. Control batches stay as they are. */
int32_t kb_records_recode(struct kb_turn *t, enum kb_compression wanted, const uint8_t **bytes,
                          struct wire_record_batch *head);
/* What a log knows of a batch, by its head. */
struct kb_batch kb_batch_of(const struct wire_record_batch *head, uint64_t payload);
/* Appends the bytes of as many batches as leave `spare` bytes in `f`. */
struct wire_bytes kb_records_write(struct kb_turn *t, struct wire_flat *f,
                                   const struct kb_batch *batches, uint32_t count, size_t spare);
/* The record at or after `timestamp` within a batch: its offset and own timestamp. */
bool kb_records_find(struct kb_turn *t, uint64_t payload, int64_t base_offset, int64_t timestamp,
                     int64_t *offset, int64_t *found);

/* cluster.c: what the node itself asks of ZooKeeper: cluster id, dynamic settings, producer ids. */
void kb_cluster_begin(struct kb_turn *t);
bool kb_cluster_on_reply(struct kb_turn *t, const struct kb_reply *r, uint32_t xid);
/* Gives an id; false where a block is being claimed first (KB_PHASE_PRODUCER_ID waits). */
bool kb_producer_id(struct kb_turn *t, int64_t *id);
bool kb_producer_ids_on_reply(struct kb_turn *t, const struct kb_reply *r, uint32_t xid);
/* The settings of `broker` (an id, or "<default>") were changed: reads its own again. Source:
   BrokerConfigHandler.processConfigChanges. */
void kb_dynamic_changed(struct kb_turn *t, const char *broker);
/* Takes over what /config/brokers/N (0) or the default (1) holds. */
void kb_dynamic_take(struct kb_broker *b, int which, const struct kb_reply *r);
/* Goes on with every slot in `phase`. */
void kb_wake(struct kb_turn *t, enum kb_phase phase);

#endif
