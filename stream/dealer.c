/*
 * See dealer.h.
 */
#include "stream/dealer.h"

#include <stdlib.h>

#include "stream/graph.h"

/* -------------------------------------------------------------------------------------- Ranges */

static void ranges_add(struct ranges *r, struct range one)
{
    if (r->count == r->capacity) {
        r->all = must_grow(r->all, sizeof *r->all, r->count, &r->capacity, 4);
    }
    r->all[r->count++] = one;
}

/* Keeps them in order. */
static void ranges_insert(struct ranges *r, struct range one)
{
    ranges_add(r, one);
    uint32_t at = r->count - 1;
    for (; at > 0 && r->all[at - 1].from > one.from; at--) {
        r->all[at] = r->all[at - 1];
    }
    r->all[at] = one;
}

/* Adds what `others`, in order, leave of it. */
static void ranges_add_without(struct ranges *r, struct range one, const struct ranges *others)
{
    for (uint32_t o = 0; o < others->count && others->all[o].from < one.to; o++) {
        const struct range *other = &others->all[o];
        if (other->from > one.from) {
            ranges_add(r, (struct range){one.from, other->from});
        }
        one.from = other->to > one.from ? other->to : one.from;
    }
    if (one.from < one.to) {
        ranges_add(r, one);
    }
}

static void ranges_put(const struct ranges *r, struct bytes *to)
{
    bytes_put(to, r->all, r->count * sizeof *r->all);
}

/* The next range, as far as it is below `count`; may be empty. */
static struct range read_range(struct reader *from, uint64_t count)
{
    struct range one = {(uint64_t)read_i64(from), 0};
    one.to = (uint64_t)read_i64(from);
    one.to = one.to < count ? one.to : count;
    return one;
}

/* ------------------------------------------------------------------------------------- Dealing */

void dealer_free(struct dealer *d)
{
    free(d->taken.all);
}

void hand_free(struct hand *h)
{
    free(h->begun.all);
    free(h->claims.all);
}

void hand_begin(struct hand *h, struct range one)
{
    ranges_add(&h->begun, one);
}

void hand_know(struct hand *h, uint64_t next)
{
    h->known = next;
    h->claims.count = 0;
}

bool hand_claim(struct hand *h, struct dealer *d, uint64_t most)
{
    while (h->begun.count == 0 && dealer_next(d) < d->count) {
        struct range one = {atomic_fetch_add_explicit(&d->next, most, memory_order_acq_rel), 0};
        if (one.from < d->count) {
            one.to = d->count - one.from > most ? one.from + most : d->count;
            ranges_add(&h->claims, one);
            ranges_add_without(&h->begun, one, &d->taken);
        }
    }
    return h->begun.count > 0;
}

struct range *hand_first(const struct hand *h)
{
    struct range *first = NULL;
    for (uint32_t i = 0; i < h->begun.count; i++) {
        struct range *one = &h->begun.all[i];
        first = first == NULL || one->from < first->from ? one : first;
    }
    return first;
}

void hand_put_out(struct hand *h, struct range *first)
{
    if (first->from == first->to) {
        *first = h->begun.all[--h->begun.count];
    }
}

/* ----------------------------------------------------------------------------------- Snapshots */

void hand_write(const struct hand *h, const struct dealer *d, struct bytes *to)
{
    bytes_u32(to, h->begun.count);
    ranges_put(&h->begun, to);
    bytes_i64(to, (int64_t)h->known);
    bytes_u32(to, h->claims.count + (d != NULL ? d->taken.count : 0));
    ranges_put(&h->claims, to);
    if (d != NULL) {
        ranges_put(&d->taken, to);
    }
}

void hand_read(struct hand *h, struct dealer *d, struct reader *from, uint64_t count,
               uint32_t subtask, uint32_t parallelism, uint32_t *dealt)
{
    for (uint32_t left = read_u32(from); left > 0 && !from->bad; left--) {
        struct range one = read_range(from, count);
        bool is_own = parallelism > 0 && *dealt % parallelism == subtask;
        *dealt += 1;
        if (is_own && one.from < one.to) {
            ranges_add(&h->begun, one);
        }
    }
    uint64_t known = (uint64_t)read_i64(from);
    h->known = known > h->known ? known : h->known;
    for (uint32_t left = read_u32(from); left > 0 && !from->bad; left--) {
        struct range one = read_range(from, count);
        if (one.from < one.to && d != NULL) {
            ranges_insert(&d->taken, one);
        }
    }
    if (d != NULL) {
        atomic_store_explicit(&d->next, h->known, memory_order_release);
    }
}
