/*
 * Pools: runs of items in power-of-two sizes.
 *
 *     pool   [ e e e e | x x | free 2 | y y y y y y y y | …never used ]
 *                                ▲ first word: next free run of the same size
 *
 * A run that is full moves into one twice as large, and the old one waits in the free list of its
 * size. Free items are zero but for the link. So a log is one array: searched by halves, handed to
 * a reader as it is, and appended to at constant cost.
 *
 * What a step takes is counted first (kb_need_add, kb_need_check) with the same arithmetic, so that
 * a step either has all it needs or changes nothing.
 */
#include "broker/replica_state.h"

#include <assert.h>
#include <string.h>

static struct kb_pool *pool_of(const struct kb_replicas *r, enum kb_pool_id pool)
{
    return (struct kb_pool *)(uintptr_t)&r->pools[pool];
}

static uint8_t *item_at(const struct kb_replicas *r, enum kb_pool_id pool, uint64_t i)
{
    return kb_place(r, r->pools[pool].at + i * r->pools[pool].item_size);
}

static uint32_t class_for(uint64_t items)
{
    uint32_t class = 0;

    while ((UINT64_C(1) << class) < items) {
        class ++;
    }
    assert(class < KB_CLASSES);
    return class;
}

static uint32_t capacity_of(const struct kb_extent *e)
{
    return e->class1 == 0 ? 0 : 1u << (e->class1 - 1);
}

bool kb_extent_has_room(const struct kb_extent *e)
{
    return e->first + e->count < capacity_of(e);
}

static void push_free(struct kb_replicas *r, enum kb_pool_id pool, uint32_t at, uint32_t class)
{
    struct kb_pool *p = pool_of(r, pool);

    memcpy(item_at(r, pool, at), &p->free_head[class], sizeof(uint32_t));
    p->free_head[class] = at + 1;
    p->free_count[class]++;
}

static uint32_t pop_free(struct kb_replicas *r, enum kb_pool_id pool, uint32_t class)
{
    struct kb_pool *p = pool_of(r, pool);
    uint32_t at = p->free_head[class] - 1;

    memcpy(&p->free_head[class], item_at(r, pool, at), sizeof(uint32_t));
    memset(item_at(r, pool, at), 0, sizeof(uint32_t));
    p->free_count[class]--;
    return at;
}

/* A free run of the size; else never-used items; else a larger run, split. */
static uint32_t allocate(struct kb_replicas *r, enum kb_pool_id pool, uint32_t class)
{
    struct kb_pool *p = pool_of(r, pool);
    uint32_t larger = class, at;

    if (p->free_head[class] == 0 && p->capacity - p->used >= 1u << class) {
        at = p->used;
        p->used += 1u << class;
        return at;
    }
    while (p->free_head[larger] == 0) {
        larger++;
        assert(larger < KB_CLASSES);
    }
    at = pop_free(r, pool, larger);
    while (larger > class) {
        larger--;
        push_free(r, pool, at + (1u << larger), larger);
    }
    return at;
}

static void release(struct kb_replicas *r, enum kb_pool_id pool, uint32_t at, uint32_t class)
{
    memset(item_at(r, pool, at), 0, (size_t)r->pools[pool].item_size << class);
    push_free(r, pool, at, class);
}

const void *kb_extent_see(const struct kb_replicas *r, enum kb_pool_id pool,
                          const struct kb_extent *e, uint32_t i)
{
    return item_at(r, pool, (uint64_t)e->at + e->first + i);
}

void *kb_extent_at(struct kb_replicas *r, enum kb_pool_id pool, const struct kb_extent *e,
                   uint32_t i)
{
    assert(i < e->count);
    return item_at(r, pool, (uint64_t)e->at + e->first + i);
}

static void move_to_front(struct kb_replicas *r, enum kb_pool_id pool, struct kb_extent *e)
{
    size_t size = r->pools[pool].item_size;

    memmove(item_at(r, pool, e->at), item_at(r, pool, (uint64_t)e->at + e->first), size * e->count);
    memset(item_at(r, pool, (uint64_t)e->at + e->count), 0, size * e->first);
    e->first = 0;
}

void kb_extent_reserve(struct kb_replicas *r, enum kb_pool_id pool, struct kb_extent *e,
                       uint32_t more)
{
    uint64_t wanted = (uint64_t)e->count + more;
    struct kb_extent grown = {.count = e->count};

    if (more == 0 || (uint64_t)e->first + wanted <= capacity_of(e)) {
        return;
    }
    if (wanted <= capacity_of(e) && e->first >= e->count) {
        move_to_front(r, pool, e);
        return;
    }
    grown.class1 = class_for(wanted + (wanted <= capacity_of(e) ? e->count : 0)) + 1;
    grown.at = allocate(r, pool, grown.class1 - 1);
    if (e->class1 != 0) {
        memcpy(item_at(r, pool, grown.at), item_at(r, pool, (uint64_t)e->at + e->first),
               (size_t)r->pools[pool].item_size * e->count);
        release(r, pool, e->at, e->class1 - 1);
    }
    *e = grown;
}

void *kb_extent_add(struct kb_replicas *r, enum kb_pool_id pool, struct kb_extent *e)
{
    kb_extent_reserve(r, pool, e, 1);
    e->count++;
    return kb_extent_at(r, pool, e, e->count - 1);
}

void *kb_extent_insert(struct kb_replicas *r, enum kb_pool_id pool, struct kb_extent *e, uint32_t i)
{
    size_t size = r->pools[pool].item_size;
    uint8_t *last = kb_extent_add(r, pool, e);
    uint8_t *here = kb_extent_at(r, pool, e, i);

    memmove(here + size, here, (size_t)(last - here));
    memset(here, 0, size);
    return here;
}

void kb_extent_drop_last(struct kb_replicas *r, enum kb_pool_id pool, struct kb_extent *e,
                         uint32_t n)
{
    assert(n <= e->count);
    if (n == 0) {
        return;
    }
    e->count -= n;
    memset(item_at(r, pool, (uint64_t)e->at + e->first + e->count), 0,
           (size_t)r->pools[pool].item_size * n);
    if (e->count == 0) {
        e->first = 0;
    }
}

void kb_extent_drop_first(struct kb_replicas *r, enum kb_pool_id pool, struct kb_extent *e,
                          uint32_t n)
{
    assert(n <= e->count);
    if (n == 0) {
        return;
    }
    memset(item_at(r, pool, (uint64_t)e->at + e->first), 0, (size_t)r->pools[pool].item_size * n);
    e->count -= n;
    e->first = e->count == 0 ? 0 : e->first + n;
}

void kb_extent_remove(struct kb_replicas *r, enum kb_pool_id pool, struct kb_extent *e, uint32_t i)
{
    size_t size = r->pools[pool].item_size;
    uint8_t *here = kb_extent_at(r, pool, e, i);

    memmove(here, here + size, size * (e->count - 1 - i));
    kb_extent_drop_last(r, pool, e, 1);
}

void kb_extent_free(struct kb_replicas *r, enum kb_pool_id pool, struct kb_extent *e)
{
    if (e->class1 != 0) {
        release(r, pool, e->at, e->class1 - 1);
    }
    *e = (struct kb_extent){0};
}

/* Packs: the copy has no room at its front, and none at its end but to the next power of two. */
void kb_extent_copy(const struct kb_replicas *from, const struct kb_extent *e,
                    struct kb_replicas *to, enum kb_pool_id pool, struct kb_extent *copy)
{
    *copy = (struct kb_extent){0};
    if (e->count == 0) {
        return;
    }
    kb_extent_reserve(to, pool, copy, e->count);
    copy->count = e->count;
    memcpy(item_at(to, pool, copy->at), kb_extent_see(from, pool, e, 0),
           (size_t)from->pools[pool].item_size * e->count);
}

/* ---- counting first ---- */

void kb_need_add(struct kb_need *need, enum kb_pool_id pool, const struct kb_extent *e,
                 uint32_t more)
{
    uint64_t count = e == NULL ? 0 : e->count;
    uint64_t capacity = e == NULL ? 0 : capacity_of(e);
    uint64_t first = e == NULL ? 0 : e->first;
    uint64_t wanted = count + more;

    if (more == 0 || first + wanted <= capacity || (wanted <= capacity && first >= count)) {
        return;
    }
    uint32_t class = class_for(wanted + (wanted <= capacity ? count : 0));
    need->classes[pool][class]++;
    need->any[pool] |= UINT32_C(1) << class;
}

const char *kb_need_check(const struct kb_replicas *r, const struct kb_need *need)
{
    static const char *const names[KB_POOL_END] = {[KB_POOL_BATCHES] = "batches",
                                                   [KB_POOL_SEGMENTS] = "segments",
                                                   [KB_POOL_EPOCHS] = "epochs",
                                                   [KB_POOL_PRODUCERS] = "producers",
                                                   [KB_POOL_TRANSACTIONS] = "transactions",
                                                   [KB_POOL_WAITS] = "waits"};

    for (int pool = 0; pool < KB_POOL_END; pool++) {
        const struct kb_pool *p = &r->pools[pool];
        uint64_t fresh = 0;
        for (uint32_t left = need->any[pool]; left != 0; left &= left - 1) {
            uint32_t class = (uint32_t)__builtin_ctz(left);
            uint32_t wanted = need->classes[pool][class];
            uint32_t have = p->free_count[class];
            fresh += (uint64_t)(wanted > have ? wanted - have : 0) << class;
        }
        if (fresh > p->capacity - p->used) {
            return names[pool];
        }
    }
    return NULL;
}
