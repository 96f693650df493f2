/*
 * Numbers 0 … count - 1, dealt out to the subtasks that ask for them, so that the faster one gets
 * more; as Flink's split enumerators deal splits (FLIP-27), but exact in snapshots without asking
 * anybody.
 *
 *     0 ────────────────── next ──────────────────────────── count
 *      claimed by somebody  │ is claimed next: add to `next`; after a restore without `taken`
 *
 *     hand of a subtask:  begun   what it has claimed and not yet put out
 *                         known   a `next` of the past, behind which no claim is forgotten:
 *                         claims  its own at and behind `known`
 *
 * A snapshot is the hands, each as its subtask's barrier found it, at different times. What is
 * below the greatest `known` of them has been claimed by somebody before anybody's barrier, and is
 * out or in some hand's `begun`. What is above has been claimed before a barrier only if a hand
 * says so. So a restored dealer begins at the greatest `known` and leaves out all hands' claims.
 *
 * That holds if a subtask reads `next` (dealer_next), then sees that no checkpoint is asked for
 * that it has not taken part in, and only then takes the number it read for its `known`
 * (hand_know): who has claimed below had not seen that checkpoint asked for either.
 *
 * Threads: a hand belongs to its subtask. The dealer is restored by one of them before any runs;
 * then all may claim.
 */
#ifndef STREAM_DEALER_H
#define STREAM_DEALER_H

#include <stdatomic.h>

#include "stream/bytes.h"

struct range { /* from <= k < to */
    uint64_t from, to;
};

struct ranges {
    struct range *all; /* [count], owned */
    uint32_t count, capacity;
};

struct dealer {
    uint64_t count;
    _Atomic uint64_t next;
    struct ranges taken; /* in order; some at or behind `next` when it was restored */
};

struct hand {
    struct ranges begun; /* none is empty */
    uint64_t known;
    struct ranges claims;
};

/* All zero is an empty hand, and a dealer of `count` numbers of which none is dealt. */
void dealer_free(struct dealer *d);
void hand_free(struct hand *h);

/* The first number that nobody has claimed. */
static inline uint64_t dealer_next(struct dealer *d)
{
    return atomic_load_explicit(&d->next, memory_order_acquire);
}

/* A range, not empty, that the subtask has without having claimed it. */
void hand_begin(struct hand *h, struct range one);
/* `next`, read before it was seen that no checkpoint is asked for that the subtask has not taken.
 */
void hand_know(struct hand *h, uint64_t next);
/* Claims the next `most` numbers, 1 …, or as many as there are. Returns whether there is one: then
 * something is begun. */
bool hand_claim(struct hand *h, struct dealer *d, uint64_t most);
/* The range begun that comes first, of which the caller may take from the front; NULL: none. */
struct range *hand_first(const struct hand *h);
/* Drops it if it is empty now. */
void hand_put_out(struct hand *h, struct range *first);

/* A hand as it is; and what was taken when the dealer was restored, for one hand of all (dealer not
 * NULL). */
void hand_write(const struct hand *h, const struct dealer *d, struct bytes *to);
/* Into an empty hand, one call for each hand that was written. `dealt` counts the ranges begun, 0
 * before the first call, and of those the caller keeps each (dealt % parallelism == subtask), or,
 * with parallelism 0, none; 1: all. The dealer learns the rest if it is not NULL. Numbers beyond
 * `count` are left out. */
void hand_read(struct hand *h, struct dealer *d, struct reader *from, uint64_t count,
               uint32_t subtask, uint32_t parallelism, uint32_t *dealt);

#endif
