/*
 * A desk for clients: real clients before whole nodes (tests/broker/cluster_desk.h), with a network
 * between them that takes time and breaks.
 *
 *     client ──► way there ──► node ──► way back ──► client       per connection in order
 *                   ╳ break: what is on either way is lost, the client hears of it
 *
 * The way takes 1 ms each, or 0 … 20 ms by chance. A response may be lost with its connection after
 * the node has done what was asked. Every client begins with the smallest limits, so that growing
 * is part of every test, and is checked after every step.
 */
#ifndef TESTS_CLIENT_CLIENT_DESK_H
#define TESTS_CLIENT_CLIENT_DESK_H

#include "client/client.h"
#include "tests/broker/cluster_desk.h"

struct kdesk;

struct delivery {
    uint64_t tag;
    int client, partition, error;
    int64_t offset, at_us;
    enum kl_persisted persisted;
    char topic[32];
};
struct reading {
    int client, partition;
    int64_t offset;
    int32_t leader_epoch;
    char topic[32], value[32];
    char headers[64]; /* "key=value key=~": ~ is null */
};
struct ending {
    int client, error;
    uint64_t tag;
    enum kl_input_kind command;
    enum kl_remedy remedy;
};
struct said {
    int client;
    uint32_t kind; /* ERROR, ASSIGN, REVOKE, FACT */
    int32_t what, error, fatal, partition, broker, value;
    int64_t offset, at_us;
    uint32_t count;
    struct {
        char topic[32];
        int32_t partition;
    } offsets[16];
};

struct kdesk *kdesk_new(int nodes, uint64_t seed); /* seed 0: every way takes 1 ms */
void kdesk_free(struct kdesk *k);
struct desk *kdesk_nodes(struct kdesk *k);
int64_t kdesk_now(const struct kdesk *k);
void kdesk_run(struct kdesk *k, int64_t for_us);
uint64_t kdesk_chance(struct kdesk *k, uint64_t n); /* 0 … n-1 */

/* `count` partitions, the first led by node `first`, the next by the one after; on `replicas`. */
void kdesk_topic(struct kdesk *k, const char *name, int count, int first, int replicas,
                 const char *min_isr);

int kdesk_client(struct kdesk *k, const struct kl_config *config); /* started; its number */
struct kl_client *kdesk_of(struct kdesk *k, int client);
/* Gives a command; returns its tag. */
uint64_t kdesk_command(struct kdesk *k, int client, struct kl_input in);
uint64_t kdesk_send(struct kdesk *k, int client, const char *topic, int partition,
                    const char *value);
/* Assigns partition of topic from the offset. */
void kdesk_assign(struct kdesk *k, int client, const char *topic, int count, int64_t offset);
/* Answers ASSIGN and REVOKE at once by REBALANCED, if on. */
void kdesk_rebalance_at_once(struct kdesk *k, bool on);

void kdesk_kill(struct kdesk *k, int node);
void kdesk_start(struct kdesk *k, int node);
/* Breaks the connection of a client to a node. */
void kdesk_break(struct kdesk *k, int client, int node);
/* The next `count` responses of the API are lost with their connections. */
void kdesk_lose(struct kdesk *k, int16_t api, int count);
/* Swallows requests of the API to the node, without a word. */
void kdesk_swallow(struct kdesk *k, int16_t api, int node, bool on);
/* Called with each response before a client sees it; may change it. */
void kdesk_on_response(struct kdesk *k,
                       void (*look)(void *context, int client, int16_t api, void *m),
                       void *context);
/* Called with each request when a client sends it, to which node. */
void kdesk_on_request(struct kdesk *k,
                      void (*asked)(void *context, int client, int node, int16_t api,
                                    const void *m),
                      void *context);

/* What happened. NULL: not yet. */
const struct delivery *kdesk_delivery(const struct kdesk *k, int client, uint64_t tag);
const struct ending *kdesk_ending(const struct kdesk *k, int client, uint64_t tag);
const struct delivery *kdesk_deliveries(const struct kdesk *k, size_t *count);
const struct reading *kdesk_readings(const struct kdesk *k, size_t *count);
const struct said *kdesk_said(const struct kdesk *k, size_t *count);
size_t kdesk_count(const struct kdesk *k, int client, uint32_t kind, int32_t what); /* said */
uint32_t kdesk_requests(const struct kdesk *k, int client, int16_t api);
/* What the client has read of topic-partition: "a@0 b@1"; static. */
const char *kdesk_read(const struct kdesk *k, int client, const char *topic, int partition);

#endif
