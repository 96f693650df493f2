/*
 * The telling of an import: what is known while entries become records. Internal to sim/import_*.c.
 *
 * Each node has a current cause: the event that its controller's one thread is at. What a
 * controller's lines tell has that cause. Transactions wait until a line needs them (a line that
 * states their effect) or their time is over, for the tools print them to the second only.
 */
#ifndef SIM_IMPORT_STORY_H
#define SIM_IMPORT_STORY_H

#include "sim/import_state.h"
#include "statemachine/assignment.h"
#include "statemachine/leader_and_isr.h"

enum sim_api { SIM_API_LEADER_AND_ISR, SIM_API_UPDATE_METADATA, SIM_API_STOP_REPLICA };

/* A request that a controller sent. */
struct sim_request {
    enum sim_api api;
    int32_t broker, ce;
    int64_t corr;          /* -1 not known yet */
    int64_t count;         /* partitions; -1 not known */
    uint64_t record;       /* of the send */
    uint64_t recv, answer; /* of the recv at the broker, of its answer; 0 none */
    bool over;
};

/* Lines about single partitions of one request, until it is complete. */
struct sim_group {
    bool open;
    enum sim_api api;
    struct sim_ids to;
    int64_t corr;
    struct sim_group_part {
        struct sim_tp tp;
        struct sim_span state;
    } * parts;
    size_t count, capacity;
};

struct sim_told { /* a node as the lines tell of it */
    int32_t id;
    bool up, seen;
    int32_t incarnation;
    uint64_t cause; /* record of the event that the controller is at */
    const char *event, *rule;
    int32_t ce;
    struct sim_ids live;
    uint64_t down;                /* record of the fault that it is down for */
    uint64_t expired;             /* record of the expiry of its session */
    struct sim_request *requests; /* that this controller sent */
    size_t request_count, request_capacity, request_first;
    struct sim_group group;
    struct { /* the request that the broker is at */
        enum sim_api api;
        int32_t controller;
        int64_t corr;
        uint64_t record;
    } at;
    struct sim_death {
        int64_t t;
        const char *verb; /* kill, silent */
        bool told;
    } * deaths;
    size_t death_count, death_capacity;
};

struct sim_partition_told { /* in the eyes of one controller */
    uint8_t state;          /* enum sm_partition_state */
    bool has_li, has_ra;
    struct sm_leader_and_isr li;
    struct sm_assignment ra;
};

struct sim_znode_told {
    bool exists, real; /* real: a transaction told of it */
    int64_t czxid, mzxid, ctime, mtime, owner;
    int32_t version;
    bool has_epoch; /* of a state that lines tell of */
    int32_t leader_epoch;
    bool demanded; /* of a state, while transactions are looked through: what a line may wait for */
    int32_t demanded_epoch, demanded_leader;
};

struct sim_session_told {
    int64_t id;
    int32_t node; /* -1 unknown */
    bool live;
    uint64_t record;
    struct sim_keys paths; /* its ephemerals */
};

struct sim_demand { /* a transaction that a line may be waiting for */
    uint32_t key;
    size_t txn;
};

struct sim_story {
    struct sim_importer *im;
    struct sim_trace *trace;
    int64_t t, first; /* µs since 1970: now, and where time 0 is */

    struct sim_told *nodes;
    size_t node_count, node_capacity;

    struct sim_keys tps; /* "NODE TOPIC-P" */
    struct sim_partition_told *partitions;
    size_t partition_capacity;
    struct sim_topic_told { /* what state-change.log alone tells of an assignment */
        char name[250];
        bool dirty;
        struct sim_topic_part {
            int32_t partition;
            struct sm_assignment ra;
        } * parts;
        size_t count, capacity;
    } * topics;
    struct sim_keys topic_names;
    size_t topic_capacity;
    uint32_t dirty_topic; /* + 1; 0 none */
    int32_t dirty_node;
    struct sim_keys replicas; /* "NODE TOPIC-P B" */
    uint8_t *replica_states;
    size_t replica_capacity;

    struct sim_zk_entry {
        struct sim_entry *e;
        int64_t zxid;
        bool raw;
    } * txns;
    size_t txn_count, txn_capacity, txn_next;
    struct sim_keys demands;
    struct sim_demand *demand;
    size_t demand_count, demand_capacity;
    size_t *demand_at; /* [key] first of its list in `demand` that is not passed */
    size_t demand_at_capacity;
    struct sim_txn txn;

    struct sim_keys paths;
    struct sim_znode_told *znodes;
    size_t znode_capacity;
    struct sim_session_told *sessions;
    size_t session_count, session_capacity;
    int32_t controller; /* whom /controller names, -1 none known */
    uint64_t brokers_changed, topics_changed, deletions_changed, controller_changed,
        reassign_changed, preferred_changed; /* records */
};

/* µs of the trace for now. */
int64_t sim_import_now(const struct sim_story *s);
/* The node of that id, made where it is new; aliases the story until the next is made. */
struct sim_told *sim_import_node(struct sim_story *s, int32_t id);
/* Begins a record that no line states. */
bool sim_import_infer(struct sim_story *s, enum sim_kind kind, sim_lane at, uint64_t by,
                      uint64_t mute);
/* Begins one that a line states. */
bool sim_import_tell(struct sim_story *s, enum sim_kind kind, sim_lane at, uint64_t by);
const char *sim_api_text(enum sim_api api);
struct sim_partition_told *sim_import_partition(struct sim_story *s, int32_t node,
                                                const struct sim_tp *tp);

/* ---- import_machines.h: what controllers say of partitions, topics, themselves ---- */
void sim_import_controller(struct sim_story *s, const struct sim_entry *e,
                           const struct sim_holes *h);

/* A state that the controller sends to a broker: where it is newer than what is known, it was
 * written. */
void sim_import_sent_state(struct sim_story *s, const struct sim_entry *e, const struct sim_tp *tp,
                           struct sim_span state);
/* Writes the topic's znode, whose assignment lines have changed. */
void sim_import_flush_topic(struct sim_story *s);

/* ---- import_messages.c: requests and what brokers make of them ---- */
void sim_import_message(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h);
/* A line of controller `node` that is not about the open group ends it. */
void sim_import_end_group(struct sim_story *s, struct sim_told *node);

/* ---- import_znodes.c ---- */
/* Sorts the transactions of all sources, decodes them once for what lines may ask for. */
void sim_import_open_txns(struct sim_story *s);
/* Tells the transactions whose time is over by `t`. */
void sim_import_txns_until(struct sim_story *s, int64_t t);
/* Tells all up to the one that made what `key` says ("e 3": controller epoch 3, "s orders-0 5 2":
   leader epoch 5, leader 2, "b 3": broker 3 registered, "x 3": its session ended, "t orders": the
   topic came). Returns whether there was one. */
bool sim_import_need(struct sim_story *s, const char *key);
/* A znode that a line makes likely: told as an inferred zap, unless a transaction told of it.
   version -1: one more than before. data NULL: it is gone. Returns the record, 0 none. */
uint64_t sim_import_znode(struct sim_story *s, const char *path, const char *data, size_t size,
                          int32_t version, sim_lane from, uint64_t by);
bool sim_import_has_txns(const struct sim_story *s);

#endif
