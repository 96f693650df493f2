/*
 * An index behind a batch that is kept and read by many.
 *
 *     struct wire_batch | brokers | records | struct wire_batch_index
 *                                             starts[]   ──► offsets[]     records by recipient
 *                                             topics[]   ──► entries       metadata by topic
 *
 * A batch of 100,000 partitions goes to 100 brokers. Each takes the LeaderAndIsr of a few thousand
 * of them, and would walk all records to find those; and each takes the metadata of all, in the
 * order in which the controller came upon them, which changes the topic with almost every record.
 * The index has the offsets of what each broker receives, in the batch's order, and the metadata
 * once more: small, by topic, ascending by partition.
 *
 * Whoever keeps the copy in memory makes the index (bytes from outside never bring one, so that
 * topics and entries are taken as they stand; lists are followed with care, as all of messages.h
 * is); the controller's own batches have none. It says nothing that the records do not say: with it
 * and without it every reader comes to the same end.
 *
 * Invariant: made only where all live records fit into the batch; topics only where no partition is
 * named twice and none is below 0 or above 2^22.
 */
#ifndef WIRE_BATCH_INDEX_H
#define WIRE_BATCH_INDEX_H

#include "wire/messages.h"

/* Offsets are counted from the start of the batch. */
struct wire_batch_index {
    uint32_t brokers; /* broker indexes below this have lists */
    uint32_t starts;  /* offset: uint32 [2 * brokers + 1], where lists begin in `offsets` */
    uint32_t
        offsets; /* offset: uint32, records of LEADER_AND_ISR, STOP_REPLICA of broker 0, 1, … */
    uint32_t topics;      /* offset: struct wire_batch_topic [topic_count] */
    uint32_t topic_count; /* 0: no metadata, or none that could be put in order */
    uint32_t removes;     /* 1: a partition's leader is -2 */
};

struct wire_batch_topic {
    uint32_t name;      /* offset, NUL at the end */
    uint32_t name_size; /* without it */
    uint32_t first;     /* offset of its first entry */
    uint32_t count;
};

/* Of one partition; then int32 ids: replicas, isr, offline. */
struct wire_batch_entry {
    int32_t partition, leader, leader_epoch;
    uint8_t replica_count, isr_count, offline_count;
    uint8_t is_whole; /* 1: isr and replicas are the same list */
};

/* Returns the batch's index, or NULL. */
static inline const struct wire_batch_index *wire_batch_index(const struct wire_batch *b)
{
    return b->index == 0 ? NULL : (const void *)((const uint8_t *)(const void *)b + b->index);
}

static inline const struct wire_batch_topic *wire_batch_topics(const struct wire_batch *b,
                                                               const struct wire_batch_index *x)
{
    return (const void *)((const uint8_t *)(const void *)b + x->topics);
}

static inline const char *wire_batch_topic_name(const struct wire_batch *b,
                                                const struct wire_batch_topic *t)
{
    return (const char *)(const void *)b + t->name;
}

static inline const struct wire_batch_entry *wire_batch_first(const struct wire_batch *b,
                                                              const struct wire_batch_topic *t)
{
    return (const void *)((const uint8_t *)(const void *)b + t->first);
}

static inline const int32_t *wire_batch_entry_ids(const struct wire_batch_entry *e)
{
    return (const void *)(e + 1);
}

/* Returns what stands behind the entry: the topic's next one, where there is one. */
static inline const struct wire_batch_entry *wire_batch_entry_next(const struct wire_batch_entry *e)
{
    return (const void *)(wire_batch_entry_ids(e) + e->replica_count + e->isr_count +
                          e->offline_count);
}

/* Room for an index of the batch: bytes behind its `size`, and bytes to work in (both 8-byte
   aligned). 0 and 0 where it needs none: it is small, or its records do not hold together. */
struct wire_batch_index_room {
    size_t index, scratch;
};
struct wire_batch_index_room wire_batch_index_room(const struct wire_batch *b);
/* Writes the index behind the batch, whose block has that much room, and adds it to its size. */
void wire_batch_index_make(struct wire_batch *b, void *scratch);

#endif
