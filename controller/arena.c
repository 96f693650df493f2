/*
 * Bytes that leave in the order in which they came: event payloads, request batches.
 *
 *      base          head                  tail            base + capacity
 *        | forgotten |  live                | free           |
 *
 * Offsets are logical and never reused, so that a name of a piece stays good when the live bytes
 * are moved down to the front of the area. A piece is contiguous. Live bytes are moved where the
 * area ends, and by kc_arena_tidy before: as few pages as possible are ever touched.
 */
#include "controller/state.h"

#include <assert.h>
#include <string.h>

static uint8_t *area_of(const struct kc_controller *c, const struct kc_arena *a)
{
    return kc_at(c, a == &c->batches ? c->at.batches : c->at.event_bytes);
}

void *kc_arena_ptr(const struct kc_controller *c, const struct kc_arena *a, uint64_t offset)
{
    assert(offset >= a->base);
    assert(offset <= a->tail);
    return area_of(c, a) + (offset - a->base);
}

static void compact(struct kc_controller *c, struct kc_arena *a)
{
    uint8_t *area = area_of(c, a);

    memmove(area, area + (a->head - a->base), (size_t)(a->tail - a->head));
    a->base = a->head;
}

/* Moves one byte for each four that are given back, at most. */
void kc_arena_tidy(struct kc_controller *c, struct kc_arena *a)
{
    enum { WORTH_MOVING = 1 << 20 };
    uint64_t live = a->tail - a->head;
    uint64_t forgotten = a->head - a->base;

    if (live == 0 || (forgotten >= WORTH_MOVING && forgotten / 4 >= live)) {
        compact(c, a);
    }
}

bool kc_arena_room(struct kc_controller *c, struct kc_arena *a, uint64_t size)
{
    if (a->tail - a->base + size <= a->capacity) {
        return true;
    }
    if (a->tail - a->head + size > a->capacity) {
        return false;
    }
    compact(c, a);
    return true;
}

uint64_t kc_arena_add(struct kc_controller *c, struct kc_arena *a, uint32_t size)
{
    uint64_t offset = a->tail;
    uint32_t rounded = (size + 7) & ~7u;
    bool room = kc_arena_room(c, a, rounded);

    assert(room);
    (void)room;
    a->tail += rounded;
    memset(kc_arena_ptr(c, a, offset), 0, rounded);
    return offset;
}
