/*
 * A desk for replica managers: several of them, a network, the embedded ZooKeeper, and a controller
 * that does what the test says. Time is virtual; every message takes a millisecond, or a drawn
 * time, in order on each channel.
 *
 *   net_new ─► net_topic ─► net_elect, net_produce, net_kill … ─► net_run ─► net_view, net_check
 *
 * After every event all invariants are looked at (net_check): those of each block, and those
 * between brokers: the same offset and epoch hold the same record everywhere; a follower agrees
 * with its leader up to the high watermark; members of the ISR have what is committed; what was
 * acknowledged by all is in the log of every clean leader; a leader's high watermark only rises.
 */
#ifndef TESTS_BROKER_NET_H
#define TESTS_BROKER_NET_H

#include <check.h>

#include "broker/replicas.h"

enum { NET_BROKERS = 5 };

struct net;

/* What became of a request of a client or of the controller. */
struct net_call {
    bool done, closed;
    int32_t error;  /* of the whole; else of the first item, or the first listed partition */
    int64_t offset; /* produce: base; list offsets, epochs, fetch: high watermark */
    int32_t epoch;
    uint32_t count; /* items of the answer; fetch: batches of the first */
    int64_t last_stable;
    uint32_t aborted;
    uint64_t payload[64]; /* fetch: of the first item's batches */
};

/* Brokers 1..count are alive, registered and know of each other. */
struct net *net_new(enum sm_version version, int count); /* returns owned */
struct net *net_new_with(const struct kb_config *config, int count);
void net_free(struct net *n);
void net_defect(struct net *n, enum sm_defect defect, bool on); /* on all brokers */
struct kb_config *net_config(struct net *n, int broker);        /* may be changed; aliases */

/* Writes the state znode with epoch 0 and tells its replicas, isNew. "1,2,3"; leader = the first.
 */
void net_topic(struct net *n, const char *topic, int32_t partition, const char *replicas);
/* Elects: writes {leader, isr} with the next epoch over whatever is there, then tells the replicas
   and every live broker. leader -1: none. isr NULL: as it is in the znode. */
void net_elect(struct net *n, const char *topic, int32_t partition, int32_t leader,
               const char *isr);
/* As above, but tells nobody. */
void net_decide(struct net *n, const char *topic, int32_t partition, int32_t leader,
                const char *isr);
/* Changes the assignment that later requests name. */
void net_assign(struct net *n, const char *topic, int32_t partition, const char *replicas);
/* Tells `broker` what the znode says now. */
uint64_t net_tell(struct net *n, int broker, const char *topic, int32_t partition, bool is_new);
/* Every live broker hears which brokers are alive. */
void net_metadata(struct net *n);
uint64_t net_metadata_to(struct net *n, int broker);
uint64_t net_stop_replica(struct net *n, int broker, const char *topic, int32_t partition,
                          int32_t epoch, bool delete);
int32_t net_controller_epoch(struct net *n, int32_t epoch); /* later requests carry it */
/* Later requests to `broker` are stamped with this broker epoch (-1: its own). */
void net_stamp(struct net *n, int broker, int64_t broker_epoch);
/* Requests of the controller to `broker` stay in their queue while held. */
void net_hold(struct net *n, int broker, bool held);

/* Clients. Return a call id. acks as Kafka. */
uint64_t net_produce(struct net *n, int broker, const char *topic, int32_t partition,
                     uint64_t payload, int32_t acks);
uint64_t net_produce_batch(struct net *n, int broker, const char *topic, int32_t partition,
                           const struct kb_batch *batch, int32_t acks, int64_t timeout_us,
                           int32_t origin);
uint64_t net_fetch(struct net *n, int broker, const char *topic, int32_t partition, int64_t offset,
                   int64_t max_wait_us, bool committed);
uint64_t net_offsets(struct net *n, int broker, const char *topic, int32_t partition,
                     int64_t timestamp);
uint64_t net_delete_records(struct net *n, int broker, const char *topic, int32_t partition,
                            int64_t offset);
/* A fetch that waits for so many bytes. */
uint64_t net_fetch_much(struct net *n, int broker, const char *topic, int32_t partition,
                        int64_t offset, int64_t max_wait_us, int32_t min_bytes);
void net_configure(struct net *n, int broker, const char *topic,
                   const struct kb_topic_config *config);
/* A fetch as replica `id` would send it, without a session. */
uint64_t net_fetch_as(struct net *n, int broker, int32_t id, const char *topic, int32_t partition,
                      int64_t offset, int32_t epoch);
const struct net_call *net_call_of(const struct net *n, uint64_t call);

/* Processes. lost: the machine is lost with what was not flushed. */
void net_kill(struct net *n, int broker, bool lost);
void net_begin_shutdown(struct net *n, int broker); /* the clean stop has begun: no new fetchers */
void net_shut_down(struct net *n, int broker);
void net_start(struct net *n, int broker); /* with a new broker epoch */
bool net_is_alive(const struct net *n, int broker);
void net_fail_dir(struct net *n, int broker, int32_t dir);

/* Faults. */
void net_cut(struct net *n, int from, int to, bool cut); /* requests from → to fail */
void net_lose_isr_reply(struct net *n); /* the next ISR write is applied; it is sent once more */
void net_jitter(struct net *n, uint64_t seed); /* messages take 0.2..8 ms from now on */
void net_check_acked(struct net *n, bool on);  /* off: records may be lost (unclean elections) */
void net_expect_divergence(struct net *n);     /* checks between brokers are off */

int64_t net_now(const struct net *n);
void net_run(struct net *n, int64_t for_us);
uint64_t net_events(const struct net *n);

/* What broker has; fails the test where it has nothing. */
struct kb_partition_view net_view(const struct net *n, int broker, const char *topic,
                                  int32_t partition);
bool net_has(const struct net *n, int broker, const char *topic, int32_t partition);
/* "a@0 b@1 | hw 2 end 2 | 0:0 3:2": payloads as letters, then marks, then the epoch cache. Static.
 */
const char *net_log(const struct net *n, int broker, const char *topic, int32_t partition);
/* "leader 1 epoch 2 isr 1,2 version 3". Static. */
const char *net_state(const struct net *n, const char *topic, int32_t partition);
/* The znode; false where there is none. */
bool net_get_state(const struct net *n, const char *topic, int32_t partition,
                   struct sm_leader_and_isr *li);
/* How often brokers told this fact. */
uint64_t net_facts(const struct net *n, enum kb_fact fact);
int net_notifications(const struct net *n, const char *parent);
const struct kb_replicas *net_replicas(const struct net *n, int broker);
/* Payload handles of records acknowledged with acks = all. */
uint32_t net_acked(const struct net *n);
/* References that payload keepers were told of, over all brokers. */
int64_t net_references(const struct net *n);
void net_check(struct net *n);

#endif
