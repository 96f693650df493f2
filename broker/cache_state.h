/*
 * Inside the metadata cache. Internal to metadata_cache.c, cache_lists.c, cache_update.c.
 */
#ifndef BROKER_CACHE_STATE_H
#define BROKER_CACHE_STATE_H

#include "broker/metadata_cache.h"

enum {
    KB_LIST_COUNTS = 256,       /* of ids in a list: a record counts them in a byte */
    KB_PARTITION_MAX = 1 << 22, /* numbers above are no partition's but a mistake's */
    KB_LIST_HEAD = 3,           /* words before the ids */
};

struct kb_cache_topic_row {
    uint32_t name;   /* offset+1 of its entry in names, 0: the place is free */
    uint32_t next;   /* chain of its bucket, or of free places: place+1 */
    uint32_t first;  /* row */
    uint16_t extent; /* 2^extent rows */
    uint16_t unused;
    uint32_t count; /* rows that hold a partition */
};

struct name {
    uint32_t topic; /* KB_NO_TOPIC: dead */
    uint32_t size;  /* without the NUL */
};

struct kb_cache {
    struct kb_cache_limits limits;
    int32_t controller;
    uint32_t live_count;
    uint32_t topic_end; /* places used so far */
    uint32_t topic_count, free_topic;
    uint32_t partition_count;
    uint32_t name_end, name_garbage, name_live;
    uint32_t row_end;
    uint32_t word_end, word_live;
    uint32_t topic_buckets, list_buckets;   /* powers of two */
    uint32_t free_extent[KB_CACHE_EXTENTS]; /* row+1 */
    uint32_t free_list[KB_LIST_COUNTS];     /* words */
    uint64_t live_at, topics_at, topic_bucket_at, names_at, rows_at, words_at, list_bucket_at;
    uint64_t size;
};

static inline void *kb_cache_region(const struct kb_cache *c, uint64_t at)
{
    return (uint8_t *)(uintptr_t)c + at;
}
static inline struct kb_live *kb_cache_lives(const struct kb_cache *c)
{
    return kb_cache_region(c, c->live_at);
}
static inline struct kb_cache_topic_row *kb_cache_topics(const struct kb_cache *c)
{
    return kb_cache_region(c, c->topics_at);
}
static inline uint32_t *kb_cache_topic_bucket(const struct kb_cache *c)
{
    return kb_cache_region(c, c->topic_bucket_at);
}
static inline uint8_t *kb_cache_names(const struct kb_cache *c)
{
    return kb_cache_region(c, c->names_at);
}
static inline struct kb_partition *kb_cache_rows(const struct kb_cache *c)
{
    return kb_cache_region(c, c->rows_at);
}
static inline uint32_t *kb_cache_words(const struct kb_cache *c)
{
    return kb_cache_region(c, c->words_at);
}
static inline uint32_t *kb_cache_list_bucket(const struct kb_cache *c)
{
    return kb_cache_region(c, c->list_bucket_at);
}

/* ---- cache_lists.c ---- */

uint32_t kb_cache_hash(const void *bytes, size_t size);
/* Returns a reference to a list that is one use more, or false where there is no room. */
bool kb_list_use(struct kb_cache *c, const int32_t *ids, uint32_t count, uint32_t *out);
void kb_list_drop(struct kb_cache *c, uint32_t at);

/* ---- metadata_cache.c ---- */

/* Makes room for `partition` in the topic's extent; false where there is none. */
bool kb_cache_reach(struct kb_cache *c, struct kb_cache_topic_row *t, uint32_t partition);
/* Returns what is short, or NULL and the place of a new topic without partitions, with room for
   one of that number. */
const char *kb_cache_add_topic(struct kb_cache *c, const char *name, uint32_t size,
                               uint32_t partition, uint32_t *place);
void kb_cache_drop_topic(struct kb_cache *c, uint32_t place);

/* ---- cache_update.c ---- */

struct kb_lists {
    const int32_t *replicas, *isr, *offline;
    uint32_t replica_count, isr_count, offline_count;
};
/* Puts one partition; `p` without its lists. `topic`: the one before, which it often is; then the
   one that it is. Returns what is short, or NULL. */
const char *kb_cache_put(struct kb_cache *c, uint32_t *topic, const char *name, uint32_t size,
                         int32_t partition, struct kb_partition p, const struct kb_lists *l);

#endif
