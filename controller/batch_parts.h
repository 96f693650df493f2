/*
 * Where things are in the batch that is being built: for batch.c and batch_send.c.
 *
 *     | struct wire_batch | recipients, a set for each API | brokers | records … tail of the arena |
 */
#ifndef CONTROLLER_BATCH_PARTS_H
#define CONTROLLER_BATCH_PARTS_H

#include "controller/state.h"

#include <assert.h>

enum { LEADER_AND_ISR, UPDATE_METADATA, STOP_REPLICA };

static inline struct wire_batch *open_batch(const struct kc_controller *c)
{
    assert(c->batch_open != 0);
    return kc_arena_ptr(c, &c->batches, c->batch_open);
}

static inline uint64_t *set_of(struct wire_batch *b, int which)
{
    return (uint64_t *)((uint8_t *)b + b->sets) + (size_t)which * b->set_words;
}

static inline struct wire_record *record_at(struct wire_batch *b, uint32_t offset)
{
    return (struct wire_record *)((uint8_t *)b + offset);
}

static inline uint64_t *to_of(struct wire_record *r)
{
    return (uint64_t *)(r + 1);
}

static inline void set_bit(uint64_t *set, uint32_t words, uint32_t index)
{
    assert(index / 64 < words);
    set[index / 64] |= 1ull << index % 64;
}

static inline bool has_bit(const uint64_t *set, uint32_t words, uint32_t index)
{
    return index / 64 < words && (set[index / 64] >> index % 64 & 1) != 0;
}

static inline bool is_empty(const uint64_t *set, uint32_t words)
{
    for (uint32_t i = 0; i < words; i++) {
        if (set[i] != 0) {
            return false;
        }
    }
    return true;
}

#endif
