/*
 * Channels, see ring.h.
 */
#include "stream/ring.h"

#include <stdlib.h>

#include "stream/graph.h"

/* Memory whose pages come as they are touched. */
static void *take(size_t size)
{
    void *memory = aligned_alloc(64, size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static size_t records_size(const struct ring *r)
{
    return (size_t)BATCH_SIZE * r->layout.size;
}

void ring_init(struct ring *r, const st_type *type, size_t round_size)
{
    r->layout = layout_of(type);
    r->packets = calloc_apart(RING_PACKETS * sizeof *r->packets);
    size_t packets = round_size / (records_size(r) + BATCH_SIZE * sizeof(int64_t));
    r->round = packets > RING_PACKETS ? (uint32_t)packets : RING_PACKETS;
    r->records = take(r->round * records_size(r));
    r->times = take(r->round * BATCH_SIZE * sizeof *r->times);
}

static void spilled_free(struct spilled *one)
{
    free(one->packet.own);
    free(one->packet.text);
    free(one);
}

void ring_free(struct ring *r)
{
    for (uint32_t p = 0; p < RING_PACKETS; p++) {
        free(r->packets[p].own);
        free(r->packets[p].text);
    }
    if (r->open_spills && r->open != NULL) {
        spilled_free((struct spilled *)(void *)r->open);
    }
    for (struct spilled *one = r->spilled, *next; one != NULL; one = next) {
        next = one->next;
        spilled_free(one);
    }
    free(r->records);
    free(r->times);
    free(r->packets);
    *r = (struct ring){0};
}

static struct packet *open_spilled(struct ring *r)
{
    struct spilled *one = calloc_apart(sizeof *one);
    one->packet.own = take(records_size(r) + BATCH_SIZE * sizeof *r->times);
    one->packet.records = one->packet.own;
    one->packet.times = (int64_t *)(void *)(one->packet.own + records_size(r));
    return &one->packet;
}

static struct packet *open_slot(struct ring *r)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    struct packet *p = &r->packets[head & (RING_PACKETS - 1)];
    free(p->own); /* a spilled packet had the slot before */
    p->own = NULL;
    p->records = r->records + r->next * records_size(r);
    p->times = r->times + (size_t)r->next * BATCH_SIZE;
    r->next = r->next + 1 == r->round ? 0 : r->next + 1;
    p->count = p->mark_count = p->text_size = 0;
    p->timed = false;
    return p;
}

struct packet *ring_open(struct ring *r)
{
    if (r->open == NULL) {
        r->open_spills = ring_is_full(r);
        r->open = r->open_spills ? open_spilled(r) : open_slot(r);
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
    while (r->spilled != NULL && !ring_holds_more(r, RING_PACKETS - 1)) {
        struct spilled *first = r->spilled;
        uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
        struct packet *slot = &r->packets[head & (RING_PACKETS - 1)], before = *slot;
        r->spilled = first->next;
        *slot = first->packet;
        first->packet = before;
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

void ring_pop(struct ring *r)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    r->read_record = r->read_mark = 0;
    atomic_store(&r->tail, tail + 1); /* in one order with slot_sleep's */
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
