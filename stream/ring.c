/*
 * Channels, see ring.h.
 */
#include "stream/ring.h"

#include <assert.h>
#include <stdlib.h>

#include "stream/graph.h"

static void packet_init(struct packet *p, const struct layout *layout)
{
    p->records = must_calloc(BATCH_SIZE, layout->size);
    p->times = must_calloc(BATCH_SIZE, sizeof *p->times);
}

void ring_init(struct ring *r, const st_type *type)
{
    r->layout = layout_of(type);
    r->capacity = RING_PACKETS;
    r->packets = must_calloc(RING_PACKETS, sizeof *r->packets);
    for (uint32_t p = 0; p < RING_PACKETS; p++) {
        packet_init(&r->packets[p], &r->layout);
    }
}

void ring_free(struct ring *r)
{
    for (uint32_t p = 0; p < r->capacity; p++) {
        free(r->packets[p].records);
        free(r->packets[p].times);
        free(r->packets[p].text);
    }
    free(r->packets);
    r->packets = NULL;
    r->capacity = 0;
}

bool ring_is_full(struct ring *r)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    return head - atomic_load(&r->tail) >= r->capacity;
}

struct packet *ring_open(struct ring *r)
{
    if (r->open == NULL && !ring_is_full(r)) {
        uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
        r->open = &r->packets[head & (r->capacity - 1)];
        r->open->count = r->open->mark_count = r->open->text_size = 0;
    }
    return r->open;
}

void ring_grow(struct ring *r)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    struct packet *packets = must_calloc((size_t)r->capacity * 2, sizeof *packets);
    assert(r->open == NULL);
    for (uint64_t p = tail; p < head; p++) {
        packets[p & (r->capacity * 2 - 1)] = r->packets[p & (r->capacity - 1)];
    }
    for (uint64_t p = head; p < tail + (uint64_t)r->capacity * 2; p++) {
        packet_init(&packets[p & (r->capacity * 2 - 1)], &r->layout);
    }
    assert(head - tail == r->capacity);
    free(r->packets);
    r->packets = packets;
    r->capacity *= 2;
}

bool ring_publish(struct ring *r)
{
    if (r->open == NULL) {
        return false;
    }
    r->open = NULL;
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    atomic_store(&r->head, head + 1); /* in one order with task_sleep's */
    return true;
}

struct packet *ring_peek(struct ring *r)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    if (tail == atomic_load(&r->head)) {
        return NULL;
    }
    return &r->packets[tail & (r->capacity - 1)];
}

void ring_pop(struct ring *r)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    r->read_record = r->read_mark = 0;
    atomic_store(&r->tail, tail + 1); /* in one order with task_sleep's */
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
