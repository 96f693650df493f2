/*
 * An image has for each area of the heap (sim/heap.h: what is small, each span of a region) its
 * bytes, with the stamps of their chunks, kept from one copy to the next. Equal stamps: equal
 * bytes, nothing to do. This holds in both directions, so that putting back costs what differs as
 * well.
 */
#include "sim/image.h"

#include <assert.h>

#include "sim/allocate.h"
#include "sim/world_state.h"

struct piece {
    struct sim_area area; /* as the heap had it */
    uint8_t *bytes;
    uint64_t room;
};

struct sim_image {
    uint64_t heap; /* serial; 0: empty */
    struct sim_heap_layout layout;
    struct sim_region *region;
    struct piece *piece; /* [piece_count]: of each area */
    uint32_t region_room, piece_count;
};

struct sim_image *sim_image_new(void)
{
    return sim_alloc(sizeof(struct sim_image));
}

void sim_image_free(struct sim_image *image)
{
    if (image == NULL)
        return;
    for (uint32_t a = 0; a < image->piece_count; a++) {
        free(image->piece[a].bytes);
        free(image->piece[a].area.chunk);
    }
    free(image->piece);
    free(image->region);
    free(image);
}

size_t sim_image_size(const struct sim_image *image)
{
    size_t size = sizeof(*image) + image->layout.region_count * sizeof(struct sim_region);
    for (uint32_t a = 0; a < image->piece_count; a++)
        size += image->piece[a].area.size;
    return size;
}

/* ---- copying ---- */

/* The same chunks, whatever the image had of another world. */
static void forget(struct sim_image *image)
{
    for (uint32_t a = 0; a < image->piece_count; a++) {
        struct sim_area *area = &image->piece[a].area;
        area->stamp = 0;
        if (area->room > 0)
            memset(area->chunk, 0, area->room / SIM_CHUNK * sizeof(*area->chunk));
    }
}

static void begin(struct sim_image *image, const struct sim_heap *h)
{
    uint32_t regions = h->layout.region_count, areas = SIM_AREA_OF(regions);
    if (image->heap != h->serial)
        forget(image);
    image->heap = h->serial;
    if (areas > image->piece_count) {
        image->piece = sim_realloc(image->piece, areas * sizeof(*image->piece));
        memset(&image->piece[image->piece_count], 0,
               (areas - image->piece_count) * sizeof(*image->piece));
        image->piece_count = areas;
    }
    if (regions > image->region_room) {
        image->region = sim_realloc(image->region, regions * sizeof(*image->region));
        image->region_room = regions;
    }
    image->layout = h->layout;
    if (regions > 0)
        memcpy(image->region, h->region, regions * sizeof(*h->region));
}

static void copy_area(struct piece *p, const struct sim_area *from, const uint8_t *bytes,
                      uint64_t size)
{
    struct sim_area *to = &p->area;
    if (to->stamp == from->stamp && to->size == size)
        return;
    sim_area_room(to, size);
    if (p->room < to->room) {
        p->room = to->room;
        p->bytes = sim_realloc(p->bytes, p->room);
    }
    for (uint64_t at = 0; at < size; at += SIM_CHUNK) {
        const struct sim_chunk *c = &from->chunk[at / SIM_CHUNK];
        if (to->chunk[at / SIM_CHUNK].stamp == c->stamp)
            continue;
        memcpy(p->bytes + at, bytes + at, c->size);
        to->chunk[at / SIM_CHUNK] = *c;
    }
    to->size = size;
    to->stamp = from->stamp;
}

void sim_world_copy(struct sim_world *w, struct sim_image *image)
{
    struct sim_heap *h = w->heap;
    assert(h != NULL);
    assert(sim_heap_now == NULL);
    sim_heap_look(h);
    begin(image, h);
    for (uint32_t a = 0; a < SIM_AREA_OF(h->layout.region_count); a++) {
        uint8_t *at;
        uint64_t size = sim_heap_area(h, a, &at);
        copy_area(&image->piece[a], &h->area[a], at, size);
    }
}

/* ---- putting back ---- */

/* The layout is the image's already; the chunks tell what is there. */
static void restore_area(struct sim_heap *h, uint32_t a, const struct piece *p)
{
    const struct sim_area *from = &p->area;
    struct sim_area *to = &h->area[a];
    uint8_t *bytes;
    uint64_t size = sim_heap_area(h, a, &bytes);
    if (to->stamp == from->stamp && to->size == size)
        return;
    sim_area_room(to, size);
    for (uint64_t at = 0; at < size; at += SIM_CHUNK) {
        const struct sim_chunk *c = &from->chunk[at / SIM_CHUNK];
        if (to->chunk[at / SIM_CHUNK].stamp == c->stamp)
            continue;
        memcpy(bytes + at, p->bytes + at, c->size);
        to->chunk[at / SIM_CHUNK] = *c;
    }
    sim_area_changed(h, to, size);
    to->stamp = from->stamp;
}

/* Nothing is known of what lies there. */
static void forget_region(struct sim_heap *h, uint32_t i)
{
    for (uint32_t s = 0; s < SIM_SPANS_MAX; s++) {
        struct sim_area *a = &h->area[SIM_AREA_OF(i) + s];
        a->stamp = a->size = 0;
        if (a->room > 0)
            memset(a->chunk, 0, a->room / SIM_CHUNK * sizeof(*a->chunk));
    }
}

/* Spans behind the first are room outside of them, and room is zero: they go as a whole, where the
   image has something else. */
static bool is_another(const struct sim_heap *h, const struct sim_image *image, uint32_t i)
{
    bool another = false;
    for (uint32_t s = 1; s < SIM_SPANS_MAX; s++) {
        const struct sim_area *now = &h->area[SIM_AREA_OF(i) + s];
        const struct sim_area *then = &image->piece[SIM_AREA_OF(i) + s].area;
        another |= now->stamp != then->stamp || now->size != then->size;
    }
    return another && h->region[i].live[1].size > 0;
}

static void leave(struct sim_heap *h, const struct sim_image *image)
{
    const struct sim_heap_layout *now = &h->layout, *then = &image->layout;
    for (uint32_t i = 0; i < now->region_count || i < then->region_count; i++) {
        bool is_live = i < now->region_count && (h->region[i].kind == SIM_REGION_PLAIN ||
                                                 h->region[i].kind == SIM_REGION_TOLD);
        if (is_live && (i >= then->region_count || !is_another(h, image, i)))
            continue;
        for (uint32_t s = 1; is_live && s < SIM_SPANS_MAX; s++)
            memset(h->base + h->region[i].at + h->region[i].live[s].at, 0,
                   h->region[i].live[s].size);
        forget_region(h, i);
    }
    if (now->small_end > then->small_end)
        memset(h->base + then->small_end, 0, now->small_end - then->small_end);
}

void sim_world_restore(struct sim_world *w, const struct sim_image *image)
{
    struct sim_heap *h = w->heap;
    uint32_t regions = image->layout.region_count;
    assert(h != NULL);
    assert(image->heap == h->serial);
    assert(sim_heap_now == NULL);
    sim_heap_look(h);
    leave(h, image);
    h->layout = image->layout;
    if (regions > 0)
        memcpy(h->region, image->region, regions * sizeof(*h->region));
    for (uint32_t a = 0; a < SIM_AREA_OF(regions); a++)
        restore_area(h, a, &image->piece[a]);
    for (uint32_t i = 0; i < regions; i++)
        h->seen[i] = h->stamp[i] = ++h->last_stamp;
}

uint64_t sim_world_digest(struct sim_world *w)
{
    assert(w->heap != NULL);
    return sim_heap_digest(w->heap);
}

bool sim_world_is_told(const struct sim_world *w)
{
    return sim_heap_is_told(w->heap);
}
