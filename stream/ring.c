/*
 * Channels, see ring.h.
 */
#include "stream/ring.h"

#include <stdlib.h>

#include "stream/graph.h"

static void packet_init(struct packet *p, const struct layout *layout)
{
    p->records = must_calloc(BATCH_SIZE, layout->size);
    p->times = must_calloc(BATCH_SIZE, sizeof *p->times);
}

static void packet_free(struct packet *p)
{
    free(p->records);
    free(p->times);
    free(p->text);
}

void ring_init(struct ring *r, const st_type *type)
{
    r->layout = layout_of(type);
    r->packets = must_calloc(RING_PACKETS, sizeof *r->packets);
    for (uint32_t p = 0; p < RING_PACKETS; p++) {
        packet_init(&r->packets[p], &r->layout);
    }
}

static void spilled_free(struct spilled *one)
{
    packet_free(&one->packet);
    free(one);
}

void ring_free(struct ring *r)
{
    for (uint32_t p = 0; p < RING_PACKETS; p++) {
        packet_free(&r->packets[p]);
    }
    if (r->open_spills && r->open != NULL) {
        spilled_free((struct spilled *)(void *)r->open);
    }
    for (struct spilled *one = r->spilled, *next; one != NULL; one = next) {
        next = one->next;
        spilled_free(one);
    }
    free(r->packets);
    *r = (struct ring){0};
}

/* Are more than `limit` packets in the ring? By the producer. */
static bool holds_more(struct ring *r, uint32_t limit)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    if (head - r->seen_tail > limit) {
        r->seen_tail = atomic_load(&r->tail);
    }
    return head - r->seen_tail > limit;
}

static bool has_no_slot(struct ring *r)
{
    return holds_more(r, RING_PACKETS - 1);
}

bool ring_has_room(struct ring *r)
{
    return !holds_more(r, RING_PACKETS - ROOM_LEFT);
}

bool ring_is_full(struct ring *r)
{
    return r->spilled != NULL || has_no_slot(r);
}

struct packet *ring_open(struct ring *r)
{
    if (r->open == NULL && ring_is_full(r)) {
        struct spilled *one = must_calloc(1, sizeof *one);
        packet_init(&one->packet, &r->layout);
        r->open = &one->packet;
        r->open_spills = true;
    } else if (r->open == NULL) {
        uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
        r->open = &r->packets[head & (RING_PACKETS - 1)];
        r->open->count = r->open->mark_count = r->open->text_size = 0;
        r->open->timed = false;
        r->open_spills = false;
    }
    return r->open;
}

static void publish_one(struct ring *r)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    atomic_store(&r->head, head + 1); /* in one order with slot_sleep's */
}

bool ring_drain(struct ring *r)
{
    while (r->spilled != NULL && !has_no_slot(r)) {
        struct spilled *first = r->spilled;
        uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
        struct packet *slot = &r->packets[head & (RING_PACKETS - 1)], empty = *slot;
        r->spilled = first->next;
        *slot = first->packet;
        first->packet = empty;
        spilled_free(first);
        publish_one(r);
    }
    return r->spilled == NULL;
}

bool ring_publish(struct ring *r)
{
    if (r->open == NULL) {
        return false;
    }
    if (r->open_spills) {
        struct spilled *one = (struct spilled *)(void *)r->open;
        *(r->spilled == NULL ? &r->spilled : &r->spilled_last->next) = one;
        r->spilled_last = one;
        r->open = NULL;
        r->open_spills = false;
        (void)ring_drain(r);
        return true;
    }
    r->open = NULL;
    publish_one(r);
    return true;
}

struct packet *ring_peek(struct ring *r)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    if (tail == r->seen_head) {
        r->seen_head = atomic_load(&r->head);
        if (tail == r->seen_head) {
            return NULL;
        }
    }
    return &r->packets[tail & (RING_PACKETS - 1)];
}

void ring_pop(struct ring *r)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    r->read_record = r->read_mark = 0;
    atomic_store(&r->tail, tail + 1); /* in one order with slot_sleep's */
}

#if defined(__x86_64__)
#define OWN_LINE(at) __asm__ volatile("prefetchw %0" : : "m"(*(const char *)(at)))
#else
#define OWN_LINE(at) __builtin_prefetch(at, 1)
#endif

static void own_lines(const void *from, size_t size)
{
    for (size_t at = 0; at < size; at += 64) {
        OWN_LINE((const char *)from + at);
    }
}

void ring_expect(struct ring *r, uint32_t count, bool timed)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    struct packet *p = r->open != NULL ? r->open : &r->packets[head & (RING_PACKETS - 1)];
    uint32_t from = r->open != NULL ? p->count : 0;
    uint32_t here = count < BATCH_SIZE - from ? count : BATCH_SIZE - from;
    own_lines(p->records + (size_t)from * r->layout.size, (size_t)here * r->layout.size);
    if (timed) {
        own_lines(p->times + from, here * sizeof *p->times);
    }
    if (count > here) {
        p = &r->packets[(head + 1) & (RING_PACKETS - 1)];
        own_lines(p->records, (size_t)(count - here) * r->layout.size);
        if (timed) {
            own_lines(p->times, (count - here) * sizeof *p->times);
        }
    }
}

bool ring_is_clear(struct ring *r)
{
    return r->open == NULL && r->spilled == NULL && ring_packets(r) == 0;
}

#define NO_TIMES_4   ST_TIME_MIN, ST_TIME_MIN, ST_TIME_MIN, ST_TIME_MIN
#define NO_TIMES_16  NO_TIMES_4, NO_TIMES_4, NO_TIMES_4, NO_TIMES_4
#define NO_TIMES_64  NO_TIMES_16, NO_TIMES_16, NO_TIMES_16, NO_TIMES_16
#define NO_TIMES_256 NO_TIMES_64, NO_TIMES_64, NO_TIMES_64, NO_TIMES_64
const int64_t no_times[BATCH_SIZE] = {NO_TIMES_256};
_Static_assert(BATCH_SIZE == 256, "as many as no_times has");

int64_t *packet_times(struct packet *p, uint32_t more, bool timed)
{
    if (timed && !p->timed) {
        memcpy(p->times, no_times, p->count * sizeof *p->times);
        p->timed = true;
    } else if (p->timed && !timed) {
        memcpy(p->times + p->count, no_times, more * sizeof *p->times);
    }
    return timed ? p->times + p->count : NULL;
}

char *packet_text(struct packet *p, uint32_t size)
{
    if (p->text_capacity - p->text_size < size || p->text == NULL) {
        if (p->text_size > 0) {
            return NULL;
        }
        uint32_t capacity = size > PACKET_TEXT_SIZE ? size : PACKET_TEXT_SIZE;
        free(p->text);
        p->text = must_calloc(1, capacity);
        p->text_capacity = capacity;
    }
    char *text = p->text + p->text_size;
    p->text_size += size;
    return text;
}

uint32_t ring_packets(struct ring *r)
{
    return (uint32_t)(atomic_load(&r->head) - atomic_load(&r->tail));
}
