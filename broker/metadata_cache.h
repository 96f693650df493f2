/*
 * What UpdateMetadata requests have told: live brokers, and per partition leader, epoch, ISR,
 * replicas, offline replicas. Every answer to a client comes out of it.
 *
 *   topics[]  {name, extent} ──► rows[]  {leader, epoch, isr, replicas, offline}   20 B a partition
 *                                            │    (an extent is a power of two of rows)
 *                                            ▼
 *   words[]   {uses, next, count, ids…}   equal lists are stored once
 *
 * One update touches what it names and nothing else. A row's three lists are references into
 * `words`: most partitions share theirs with others, and at rest isr and replicas are one.
 *
 * Invariant: a reference is 0 (the empty list) or the place of an entry with uses > 0; a topic that
 * is there has at least one row that is there.
 *
 * Flat: one block of kb_cache_size bytes, indices inside, copied by kb_cache_grow. Topics stand in
 * the order in which they came first, with the places of deleted ones used again.
 *
 * Source: Kafka kafka.server.ZkMetadataCache.
 */
#ifndef BROKER_METADATA_CACHE_H
#define BROKER_METADATA_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "statemachine/error.h"
#include "statemachine/znode.h"
#include "wire/messages.h"

struct kb_cache; /* opaque, 8-byte aligned */

struct kb_cache_limits {
    uint32_t brokers; /* live at once */
    uint32_t topics;
    uint32_t name_bytes; /* names of topics, 8 B and padding a name on top */
    uint32_t rows;       /* of partitions: up to twice their number */
    uint32_t words;      /* of lists: 3 and the ids of each distinct one */
};

enum { KB_CACHE_EXTENTS = 32 };

/* Whether a broker holds data. Our nodes say so in their registration; Kafka's always do. */
enum kb_data { KB_DATA_UNKNOWN, KB_DATA_ASKED, KB_DATA_YES, KB_DATA_NO };

struct kb_live {
    struct sm_broker broker;
    int64_t epoch; /* czxid of its registration, -1 unknown */
    uint32_t data;  /* enum kb_data, of this epoch */
    uint32_t asked; /* ASKED: number of the request that asks, else 0 */
};

enum { KB_NO_PARTITION = INT32_MIN };

struct kb_partition {
    int32_t leader; /* -1 none; KB_NO_PARTITION: the row holds none */
    int32_t leader_epoch;
    uint32_t replicas, isr, offline; /* for kb_cache_list */
};

struct kb_cache_limits kb_cache_limits_default(void);
size_t kb_cache_size(const struct kb_cache_limits *limits);
void kb_cache_init(struct kb_cache *c, const struct kb_cache_limits *limits);
const struct kb_cache_limits *kb_cache_limits_of(const struct kb_cache *c);
/* Copies `from` into the block `to` laid out for `limits` (none below the present ones), closing
   gaps. */
void kb_cache_grow(const struct kb_cache *from, struct kb_cache *to,
                   const struct kb_cache_limits *limits);

/* Takes over one UpdateMetadata out of a batch: live brokers and controller id wholesale, then each
   partition; leader -2 removes it. Returns NULL, or the name of the limit that is short: what came
   before it in the batch is then in the cache, and the same batch, given again after a grow, ends
   as if it had fitted. */
const char *kb_cache_update(struct kb_cache *c, const struct wire_batch *batch);

int32_t kb_cache_controller(const struct kb_cache *c); /* -1: none is known */

/* Live brokers, ascending by id; aliases until the next update. */
uint32_t kb_cache_live_count(const struct kb_cache *c);
struct kb_live *kb_cache_live(struct kb_cache *c, uint32_t index);
const struct kb_live *kb_cache_live_id(const struct kb_cache *c, int32_t id); /* NULL: not live */
/* Returns the endpoint of that listener (NULL: the broker's first one), or NULL. */
const struct sm_endpoint *kb_live_endpoint(const struct kb_live *l, const char *listener);

enum { KB_NO_TOPIC = UINT32_MAX };
/* Returns the topic's place, or KB_NO_TOPIC. `size` without a NUL. */
uint32_t kb_cache_topic(const struct kb_cache *c, const char *name, size_t size);
/* The same, tried first at the place `hint` (any number): records of one topic follow each other.
 */
uint32_t kb_cache_topic_again(const struct kb_cache *c, uint32_t hint, const char *name,
                              size_t size);
/* Walks the topics: start with KB_NO_TOPIC, ends with it. */
uint32_t kb_cache_next_topic(const struct kb_cache *c, uint32_t previous);
const char *kb_cache_topic_name(const struct kb_cache *c, uint32_t topic, uint32_t *size);
uint32_t kb_cache_partition_count(const struct kb_cache *c, uint32_t topic);
/* Returns the first partition number at or above `from`, or -1. */
int32_t kb_cache_next_partition(const struct kb_cache *c, uint32_t topic, int32_t from);
/* Returns the partition, or NULL. */
const struct kb_partition *kb_cache_partition(const struct kb_cache *c, uint32_t topic,
                                              int32_t partition);
/* Returns the topic's rows, `size` of them, by partition number; those without a partition have
   leader KB_NO_PARTITION. Aliases until the next update. */
const struct kb_partition *kb_cache_extent(const struct kb_cache *c, uint32_t topic,
                                           uint32_t *size);
/* The ids of a list, `count` of them (0 for reference 0). */
const int32_t *kb_cache_list(const struct kb_cache *c, uint32_t reference, uint32_t *count);

/* Totals, for whoever has to make room before an answer about everything. */
struct kb_cache_totals {
    uint32_t topics, partitions;
    uint32_t list_words; /* of distinct lists, heads included */
    uint32_t name_bytes;
};
struct kb_cache_totals kb_cache_totals(const struct kb_cache *c);

/* Asserts every invariant. */
void kb_cache_check(const struct kb_cache *c);

#endif
