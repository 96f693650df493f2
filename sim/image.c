/*
 * An image has, beside the layout, the small part as one piece and each region as a piece of its
 * own, kept from one copy to the next with the stamp of what is in it. Equal stamps: equal bytes,
 * nothing to do. This holds in both directions, so that putting back costs what has changed as
 * well.
 */
#include "sim/image.h"

#include <assert.h>

#include "sim/allocate.h"
#include "sim/world_state.h"

struct piece {
    uint8_t *bytes;
    size_t room;
    uint64_t stamp;          /* of the bytes, 0 none */
    uint64_t digest, hashed; /* as sim_heap has them */
};

struct sim_image {
    uint64_t heap; /* serial; 0: empty */
    struct sim_heap_layout layout;
    struct sim_region *region;
    struct piece *piece; /* [piece_count] */
    uint32_t piece_count;
    struct piece small;
};

struct sim_image *sim_image_new(void)
{
    return sim_alloc(sizeof(struct sim_image));
}

void sim_image_free(struct sim_image *image)
{
    if (image == NULL)
        return;
    for (uint32_t i = 0; i < image->piece_count; i++)
        free(image->piece[i].bytes);
    free(image->piece);
    free(image->region);
    free(image->small.bytes);
    free(image);
}

static bool is_held(const struct sim_region *r)
{
    return r->kind == SIM_REGION_PLAIN || r->kind == SIM_REGION_TOLD;
}

static size_t live_size(const struct sim_region *r)
{
    size_t size = 0;
    for (uint32_t s = 0; s < SIM_SPANS_MAX; s++)
        size += r->live[s].size;
    return size;
}

size_t sim_image_size(const struct sim_image *image)
{
    size_t size = sizeof(*image) + image->layout.small_end +
                  image->layout.region_count * sizeof(struct sim_region);
    for (uint32_t i = 0; image->heap != 0 && i < image->layout.region_count; i++)
        size += is_held(&image->region[i]) ? live_size(&image->region[i]) : 0;
    return size;
}

/* ---- copying ---- */

static uint8_t *room(struct piece *p, size_t size)
{
    if (p->room < size) {
        free(p->bytes);
        p->room = size + size / 4;
        p->bytes = sim_realloc(NULL, p->room);
    }
    return p->bytes;
}

/* Its spans, one behind the other. */
static void put_region(struct piece *p, const struct sim_heap *h, const struct sim_region *r)
{
    uint8_t *to = room(p, live_size(r));
    for (uint32_t s = 0; s < SIM_SPANS_MAX && r->live[s].size > 0; s++) {
        memcpy(to, h->base + r->at + r->live[s].at, r->live[s].size);
        to += r->live[s].size;
    }
}

static void zero_region(struct sim_heap *h, const struct sim_region *r)
{
    for (uint32_t s = 1; s < SIM_SPANS_MAX && r->live[s].size > 0; s++)
        memset(h->base + r->at + r->live[s].at, 0, r->live[s].size);
}

static void take_region(struct sim_heap *h, const struct sim_region *r, const struct piece *p)
{
    const uint8_t *from = p->bytes;
    for (uint32_t s = 0; s < SIM_SPANS_MAX && r->live[s].size > 0; s++) {
        memcpy(h->base + r->at + r->live[s].at, from, r->live[s].size);
        from += r->live[s].size;
    }
}

static void begin(struct sim_image *image, const struct sim_heap *h)
{
    uint32_t count = h->layout.region_count;
    if (image->heap != h->serial)
        for (uint32_t i = 0; i < image->piece_count; i++)
            image->piece[i].stamp = 0;
    image->heap = h->serial;
    if (count > image->piece_count) {
        image->piece = sim_realloc(image->piece, count * sizeof(*image->piece));
        image->region = sim_realloc(image->region, count * sizeof(*image->region));
        memset(&image->piece[image->piece_count], 0,
               (count - image->piece_count) * sizeof(*image->piece));
        image->piece_count = count;
    }
    image->layout = h->layout;
    if (count > 0)
        memcpy(image->region, h->region, count * sizeof(*h->region));
}

void sim_world_copy(struct sim_world *w, struct sim_image *image)
{
    struct sim_heap *h = w->heap;
    assert(h != NULL);
    assert(sim_heap_now == NULL);
    begin(image, h);
    memcpy(room(&image->small, h->layout.small_end), h->base, h->layout.small_end);
    for (uint32_t i = 0; i < h->layout.region_count; i++) {
        const struct sim_region *r = &h->region[i];
        struct piece *p = &image->piece[i];
        if (!is_held(r) || (r->kind == SIM_REGION_TOLD && p->stamp == h->stamp[i]))
            continue;
        put_region(p, h, r);
        p->stamp = h->stamp[i];
        p->digest = h->digest[i];
        p->hashed = h->hashed[i];
    }
}

/* The image has what is there now, and nobody has touched it. */
static bool has_same(const struct sim_image *image, const struct sim_heap *h, uint32_t i)
{
    return h->region[i].kind == SIM_REGION_TOLD && i < image->layout.region_count &&
           image->piece[i].stamp == h->stamp[i];
}

static void restore_region(struct sim_heap *h, uint32_t i, const struct piece *p)
{
    const struct sim_region *r = &h->region[i];
    if (!is_held(r) || (r->kind == SIM_REGION_TOLD && p->stamp == h->stamp[i]))
        return;
    take_region(h, r, p);
    h->stamp[i] = p->stamp;
    h->digest[i] = p->digest;
    h->hashed[i] = p->hashed;
}

void sim_world_restore(struct sim_world *w, const struct sim_image *image)
{
    struct sim_heap *h = w->heap;
    assert(h != NULL);
    assert(image->heap == h->serial);
    assert(sim_heap_now == NULL);
    uint64_t end = h->layout.small_end;
    for (uint32_t i = 0; i < h->layout.region_count; i++)
        if (is_held(&h->region[i]) && !has_same(image, h, i))
            zero_region(h, &h->region[i]);
    h->layout = image->layout;
    if (image->layout.region_count > 0)
        memcpy(h->region, image->region, image->layout.region_count * sizeof(*h->region));
    memcpy(h->base, image->small.bytes, image->layout.small_end);
    if (end > image->layout.small_end)
        memset(h->base + image->layout.small_end, 0, end - image->layout.small_end);
    for (uint32_t i = 0; i < image->layout.region_count; i++)
        restore_region(h, i, &image->piece[i]);
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
