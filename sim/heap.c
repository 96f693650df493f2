/*
 * Small pieces: a head of 16 bytes with the class, then the bytes. A free piece is zero but for the
 * offset of the next one; pieces are never joined, for a world asks for the same sizes again and
 * again.
 *
 *     class 0 … 63: 16, 32, … 1024 bytes; from there on four to an octave, up to SIM_HEAP_SMALL
 *
 * Regions: a place is a power of two of bytes, and stays one. The index of a region is found from
 * its address by a head as well: 16 bytes before what is handed out.
 */
#define _DEFAULT_SOURCE
#include "sim/heap.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xxhash.h>
#if defined(__x86_64__)
#include <xxh_x86dispatch.h> /* XXH3_64bits with what the processor has: the same values, sooner */
#endif

_Thread_local struct sim_heap *sim_heap_now;

enum { HEAD = 16, FINE = 64, IS_REGION = 1u << 31, FIRST_ROOM_LOG2 = 13 };

struct head {
    uint32_t class; /* of a small piece; or IS_REGION | index */
    uint32_t unused[3];
};

static void no_memory(size_t size)
{
    fprintf(stderr, "kcsim: out of memory (%zu bytes)\n", size);
    abort();
}

static void more_regions(struct sim_heap *h, uint32_t capacity);

struct sim_heap *sim_heap_new(void)
{
    static _Atomic uint64_t serial; /* names heaps, so that an image knows its own */
    struct sim_heap *h = calloc(1, sizeof(*h));
    void *space = mmap(NULL, SIM_HEAP_SPACE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (h == NULL || space == MAP_FAILED)
        no_memory(SIM_HEAP_SPACE);
    h->base = space;
    h->serial = ++serial;
    h->layout.small_end = HEAD; /* 0 is no offset */
    h->layout.region_end = SIM_HEAP_SMALL_SPACE;
    more_regions(h, 64);
    return h;
}

void sim_heap_free(struct sim_heap *h)
{
    if (h == NULL)
        return;
    munmap(h->base, SIM_HEAP_SPACE);
    free(h->region);
    free(h->stamp);
    free(h->seen);
    for (uint32_t a = 0; a < SIM_AREA_OF(h->capacity); a++) {
        free(h->area[a].chunk);
    }
    free(h->area);
    free(h);
}

static struct head *head_of(void *p)
{
    return (struct head *)(void *)((uint8_t *)p - HEAD);
}

/* ---- small pieces ---- */

static size_t room_of(uint32_t class)
{
    if (class < FINE)
        return 16u * (class + 1u);
    uint32_t octave = (class - FINE) / 4, quarter = (class - FINE) % 4;
    return ((size_t)1024 << octave) / 4 * (5 + quarter);
}

static uint32_t class_of(size_t size)
{
    if (size <= 1024)
        return size == 0 ? 0 : (uint32_t)((size - 1) / 16);
    uint32_t class = FINE;
    while (room_of(class) < size)
        class ++;
    return class;
}

static void *take_small(struct sim_heap *h, size_t size)
{
    uint32_t class = class_of(size);
    uint64_t at = h->layout.free_small[class];
    if (at != 0) {
        uint64_t *next = (uint64_t *)(void *)(h->base + at);
        h->layout.free_small[class] = *next;
        *next = 0;
        return next;
    }
    at = h->layout.small_end + HEAD;
    h->layout.small_end = at + room_of(class);
    if (h->layout.small_end > SIM_HEAP_SMALL_SPACE)
        no_memory(size);
    head_of(h->base + at)->class = class;
    return h->base + at;
}

static void give_small(struct sim_heap *h, void *p)
{
    uint32_t class = head_of(p)->class;
    memset(p, 0, room_of(class));
    *(uint64_t *)p = h->layout.free_small[class];
    h->layout.free_small[class] = (uint64_t)((uint8_t *)p - h->base);
}

/* ---- regions ---- */

static void *resized(void *p, size_t size)
{
    p = realloc(p, size);
    if (p == NULL)
        no_memory(size);
    return p;
}

static void more_regions(struct sim_heap *h, uint32_t capacity)
{
    uint32_t had = h->area == NULL ? 0 : SIM_AREA_OF(h->capacity);
    h->capacity = capacity;
    h->region = resized(h->region, capacity * sizeof(*h->region));
    h->stamp = resized(h->stamp, capacity * sizeof(*h->stamp));
    h->seen = resized(h->seen, capacity * sizeof(*h->seen));
    h->area = resized(h->area, SIM_AREA_OF(capacity) * sizeof(*h->area));
    memset(&h->area[had], 0, (SIM_AREA_OF(capacity) - had) * sizeof(*h->area));
}

static uint32_t new_region(struct sim_heap *h, uint32_t log2)
{
    struct sim_heap_layout *l = &h->layout;
    if (l->region_count == h->capacity)
        more_regions(h, h->capacity * 2);
    uint32_t i = l->region_count++;
    h->region[i] = (struct sim_region){.at = l->region_end, .room = (uint64_t)1 << log2};
    l->region_end += h->region[i].room;
    if (l->region_end > SIM_HEAP_SPACE)
        no_memory(h->region[i].room);
    return i;
}

static void *take_region(struct sim_heap *h, size_t size)
{
    uint32_t log2 = FIRST_ROOM_LOG2;
    while (((size_t)1 << log2) < size + HEAD)
        log2++;
    uint32_t *list = &h->layout.free_region[log2];
    uint32_t i = *list != 0 ? *list - 1 : new_region(h, log2);
    if (*list != 0)
        *list = h->region[i].next;
    struct sim_region *r = &h->region[i];
    r->size = size + HEAD;
    r->kind = SIM_REGION_PLAIN;
    r->next = 0;
    memset(r->live, 0, sizeof(r->live));
    r->live[0].size = r->size;
    h->stamp[i] = ++h->last_stamp;
    h->seen[i] = 0;
    memset(h->base + r->at, 0, r->size);
    void *p = h->base + r->at + HEAD;
    head_of(p)->class = IS_REGION | i;
    return p;
}

static uint32_t region_of(void *p)
{
    assert((head_of(p)->class & IS_REGION) != 0);
    return head_of(p)->class & ~IS_REGION;
}

static void give_region(struct sim_heap *h, uint32_t i)
{
    struct sim_region *r = &h->region[i];
    uint32_t log2 = FIRST_ROOM_LOG2;
    while (((uint64_t)1 << log2) < r->room)
        log2++;
    r->kind = SIM_REGION_FREE;
    r->size = 0;
    h->stamp[i] =
        ++h->last_stamp; /* who has it, has what was there before the step that gave it back */
    r->next = h->layout.free_region[log2];
    h->layout.free_region[log2] = i + 1;
}

/* ---- both ---- */

static bool is_small(void *p)
{
    return (head_of(p)->class & IS_REGION) == 0;
}

void sim_heap_give(struct sim_heap *h, void *p)
{
    if (is_small(p))
        give_small(h, p);
    else
        give_region(h, region_of(p));
}

/* The piece has the room: true, and what it grows by is zero. */
static bool fits(struct sim_heap *h, void *p, size_t size)
{
    if (is_small(p))
        return size <= room_of(head_of(p)->class);
    struct sim_region *r = &h->region[region_of(p)];
    if (size <= SIM_HEAP_SMALL || size + HEAD > r->room)
        return false;
    if (size + HEAD > r->size)
        memset(h->base + r->at + r->size, 0, size + HEAD - r->size);
    r->size = size + HEAD;
    memset(r->live, 0, sizeof(r->live));
    r->live[0].size = r->size;
    h->stamp[region_of(p)] = ++h->last_stamp;
    return true;
}

void *sim_heap_resize(struct sim_heap *h, void *old, size_t size)
{
    if (old != NULL && fits(h, old, size))
        return old;
    void *p = size <= SIM_HEAP_SMALL ? take_small(h, size) : take_region(h, size);
    if (old == NULL)
        return p;
    size_t had =
        is_small(old) ? room_of(head_of(old)->class) : h->region[region_of(old)].size - HEAD;
    memcpy(p, old, had < size ? had : size);
    if (!is_small(p) && !is_small(old))
        h->region[region_of(p)].kind = h->region[region_of(old)].kind;
    sim_heap_give(h, old);
    return p;
}

void sim_heap_mark(struct sim_heap *h, void *p, enum sim_region_kind kind)
{
    if (!is_small(p))
        h->region[region_of(p)].kind = kind;
}

void sim_heap_live(struct sim_heap *h, void *p, const struct sim_span *span, uint32_t count)
{
    if (is_small(p))
        return;
    struct sim_region *r = &h->region[region_of(p)];
    assert(count > 0 && count <= SIM_SPANS_MAX);
    memset(r->live, 0, sizeof(r->live));
    for (uint32_t i = 0; i < count; i++) {
        r->live[i] = (struct sim_span){.at = span[i].at + HEAD, .size = span[i].size};
        assert(r->live[i].at + r->live[i].size <= r->size);
    }
    assert(span[0].at == 0); /* the head goes with it */
    r->live[0] = (struct sim_span){.at = 0, .size = span[0].size + HEAD};
}

void sim_heap_touch(struct sim_heap *h, void *p)
{
    if (!is_small(p))
        h->stamp[region_of(p)] = ++h->last_stamp;
}

/* ---- looking ---- */

static uint64_t hash(const void *bytes, size_t size)
{
    return XXH3_64bits(bytes, size);
}

static bool is_live(const struct sim_heap *h, uint32_t i)
{
    return h->region[i].kind == SIM_REGION_PLAIN || h->region[i].kind == SIM_REGION_TOLD;
}

/* Nobody has touched it since it was looked at. */
static bool is_seen(const struct sim_heap *h, uint32_t i)
{
    return h->region[i].kind == SIM_REGION_TOLD && h->seen[i] == h->stamp[i];
}

uint64_t sim_heap_area(const struct sim_heap *h, uint32_t a, uint8_t **at)
{
    *at = h->base;
    if (a == 0)
        return h->layout.small_end;
    const struct sim_region *r = &h->region[(a - 1) / SIM_SPANS_MAX];
    const struct sim_span *span = &r->live[(a - 1) % SIM_SPANS_MAX];
    *at = h->base + r->at + span->at;
    return is_live(h, (a - 1) / SIM_SPANS_MAX) ? span->size : 0;
}

void sim_area_room(struct sim_area *a, uint64_t size)
{
    if (size <= a->room)
        return;
    uint64_t had = a->room / SIM_CHUNK;
    a->room = (size + size / 4 + SIM_CHUNK - 1) / SIM_CHUNK * SIM_CHUNK;
    a->chunk = resized(a->chunk, a->room / SIM_CHUNK * sizeof(*a->chunk));
    memset(&a->chunk[had], 0, (a->room / SIM_CHUNK - had) * sizeof(*a->chunk));
}

void sim_area_changed(struct sim_heap *h, struct sim_area *a, uint64_t size)
{
    uint64_t digest = size;
    for (uint64_t c = 0; c * SIM_CHUNK < size; c++) {
        digest = (digest ^ a->chunk[c].digest) * 0x9e3779b97f4a7c15u;
        digest ^= digest >> 32;
    }
    uint64_t count = (size + SIM_CHUNK - 1) / SIM_CHUNK; /* of what lies behind nothing is known */
    if (a->size > size)
        memset(&a->chunk[count], 0, (a->room / SIM_CHUNK - count) * sizeof(*a->chunk));
    a->size = size;
    a->digest = digest;
    a->stamp = ++h->last_stamp;
}

static void look_at(struct sim_heap *h, uint32_t area)
{
    struct sim_area *a = &h->area[area];
    uint8_t *bytes;
    uint64_t size = sim_heap_area(h, area, &bytes);
    bool changed = a->size != size;
    sim_area_room(a, size);
    for (uint64_t at = 0; at < size; at += SIM_CHUNK) {
        struct sim_chunk *c = &a->chunk[at / SIM_CHUNK];
        uint64_t part = size - at < SIM_CHUNK ? size - at : SIM_CHUNK;
        uint64_t digest = hash(bytes + at, part);
        if (c->size == part && c->digest == digest)
            continue;
        *c = (struct sim_chunk){++h->last_stamp, digest, part};
        changed = true;
    }
    if (changed)
        sim_area_changed(h, a, size);
}

void sim_heap_look(struct sim_heap *h)
{
    if (!h->may_have_changed)
        return;
    look_at(h, 0);
    for (uint32_t i = 0; i < h->layout.region_count; i++) {
        if (is_seen(h, i) || !is_live(h, i))
            continue;
        for (uint32_t s = 0; s < SIM_SPANS_MAX; s++)
            look_at(h, SIM_AREA_OF(i) + s);
        h->seen[i] = h->stamp[i];
    }
    h->may_have_changed = false;
}

uint64_t sim_heap_digest(struct sim_heap *h)
{
    sim_heap_look(h);
    uint64_t sum[3] = {hash(&h->layout, sizeof(h->layout)), h->area[0].digest,
                       hash(h->region, h->layout.region_count * sizeof(*h->region))};
    uint64_t digest = hash(sum, sizeof(sum));
    for (uint32_t i = 0; i < h->layout.region_count; i++)
        for (uint32_t s = 0; is_live(h, i) && s < SIM_SPANS_MAX && h->region[i].live[s].size > 0;
             s++) {
            digest = (digest ^ h->area[SIM_AREA_OF(i) + s].digest) * 0x9e3779b97f4a7c15u;
            digest ^= digest >> 32;
        }
    return digest;
}

bool sim_heap_is_told(const struct sim_heap *h)
{
    for (uint32_t i = 0; i < h->layout.region_count; i++)
        for (uint32_t s = 0; is_seen(h, i) && s < SIM_SPANS_MAX; s++) {
            const struct sim_area *a = &h->area[SIM_AREA_OF(i) + s];
            uint8_t *at;
            uint64_t size = sim_heap_area(h, SIM_AREA_OF(i) + s, &at);
            if (size != a->size)
                return false;
            for (uint64_t c = 0; c * SIM_CHUNK < size; c++)
                if (hash(at + c * SIM_CHUNK, a->chunk[c].size) != a->chunk[c].digest)
                    return false;
        }
    return true;
}
