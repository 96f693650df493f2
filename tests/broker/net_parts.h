/*
 * What the files of the desk share: the desk itself and its events.
 *
 *     net.c          the heap of events, delivering, processes
 *     net_brokers.c  what brokers put out, and where it goes
 *     net_tell.c     ZooKeeper, the controller's batches, requests of clients
 *     net_look.c     what tests ask, and the invariants between brokers
 */
#ifndef TESTS_BROKER_NET_PARTS_H
#define TESTS_BROKER_NET_PARTS_H

#include "statemachine/znode.h"
#include "tests/broker/net.h"
#include "zookeeper/server.h"

enum { LATENCY_US = 1000, ACKED_MAX = 1 << 16, PARTITIONS_MAX = 64 };

enum event_kind { EV_INPUT, EV_REQUEST, EV_ANSWER, EV_ZK, EV_TIMER };

struct event {
    int64_t at;
    uint64_t seq;
    int kind, to, from;
    uint32_t life, from_life;
    struct kb_input in;
    void *owned[4]; /* freed with the event */
    uint64_t call;
};

struct machine {
    struct kb_replicas *r;
    struct kb_config config;
    bool alive;
    uint32_t life;
    int64_t broker_epoch, stamp;
    bool held;
    struct event *queue; /* held control requests, in order */
    uint32_t queued;
    int64_t timer[256];
    int64_t channel[NET_BROKERS + 2]; /* last arrival, by sender */
    bool cut[NET_BROKERS + 1];
};

struct call {
    int from, to;
    uint32_t from_life, to_life;
    uint64_t correlation;
    uint32_t kind;
    char topic[32];
    int32_t partition;
    uint64_t payload; /* produced with acks = -1 */
    struct net_call result;
};

struct acked {
    char topic[32];
    int32_t partition;
    int64_t offset;
    uint64_t payload;
};

struct partition {
    char topic[32];
    int32_t partition;
    struct sm_list replicas;
    int32_t hw_epoch[NET_BROKERS + 1];
    int64_t hw[NET_BROKERS + 1];
};

struct net {
    int count;
    struct machine m[NET_BROKERS + 1];
    struct kz_server *z;
    void *zk_scratch;
    size_t zk_scratch_size;
    struct event *heap;
    uint32_t heap_count, heap_max;
    int64_t now;
    uint64_t seq, events, random;
    struct call *calls;
    uint64_t call_count, call_max;
    struct acked *acked;
    uint32_t acked_count;
    struct partition part[PARTITIONS_MAX];
    int part_count;
    int32_t controller_epoch;
    int64_t next_broker_epoch;
    bool lose_isr_reply, check_acked, diverges;
    int64_t references;
    uint64_t batch_id;
    uint64_t facts[32];
    uint64_t looked_at[PARTITIONS_MAX]; /* what a partition looked like when it was checked */
    int stepped;                        /* the broker that this event went to */
    int zk_to;                          /* whose request is in work */
};

/* ---- net.c ---- */

/* Returns the static text of a topic's name. */
const char *net_intern(const char *topic);
void *net_copy(const void *bytes, size_t size); /* owned */
struct sm_list net_list_of(const char *text);   /* "1,2,3" */
/* Puts an event on its way: behind what came before on its channel. */
void net_post(struct net *n, struct event *e);
/* Puts it where its time says. */
void net_heap_push(struct net *n, const struct event *e);
void net_event_free(struct event *e);

/* ---- net_brokers.c ---- */

/* Outputs of a broker: context is a struct putting. */
struct putting {
    struct net *n;
    int broker;
};
void net_put(void *context, const struct kb_output *o);
/* Gives a broker an input, grown where it has to be. */
void net_step(struct net *n, int broker, const struct kb_input *in);
uint64_t net_call_new(struct net *n, int from, int to, uint32_t kind, uint64_t correlation);
struct partition *net_part_of(struct net *n, const char *topic, int32_t partition);

/* ---- net_tell.c ---- */

void net_zk_step(struct net *n, const struct kz_input *in);
void net_zk_set(struct net *n, const char *path, const void *data, size_t size);
/* Reads a partition's state; false where it has none. */
bool net_zk_state(const struct net *n, const char *topic, int32_t partition,
                  struct sm_leader_and_isr *li);
void net_deliver_zk(struct net *n, const struct event *e);

#endif
