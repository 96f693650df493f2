/*
 * Memory of the world, which may be taken from the heap; without any left there is nothing to tell.
 *
 * While a world that can be copied acts (sim_heap_now), what is taken is its own (sim/heap.h); else
 * it is malloc's. What is given back goes where it came from.
 */
#ifndef SIM_ALLOCATE_H
#define SIM_ALLOCATE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/heap.h"

static inline void *sim_realloc(void *old, size_t size)
{
    if (sim_heap_now != NULL && (old == NULL || sim_heap_has(sim_heap_now, old)))
        return sim_heap_resize(sim_heap_now, old, size);
    void *p = realloc(old, size == 0 ? 1 : size);
    if (p == NULL) {
        fprintf(stderr, "kcsim: out of memory (%zu bytes)\n", size);
        abort();
    }
    return p;
}

/* Zero bytes; of a large block no page is memory before it is written. */
static inline void *sim_alloc(size_t size)
{
    if (sim_heap_now != NULL)
        return sim_heap_resize(sim_heap_now, NULL, size);
    void *p = calloc(1, size == 0 ? 1 : size);
    if (p == NULL) {
        fprintf(stderr, "kcsim: out of memory (%zu bytes)\n", size);
        abort();
    }
    return p;
}

static inline void sim_free(void *p)
{
    if (p != NULL && sim_heap_now != NULL && sim_heap_has(sim_heap_now, p))
        sim_heap_give(sim_heap_now, p);
    else
        free(p);
}

/* A block of the core: whoever steps it says so with sim_touch. */
static inline void *sim_block(void *p)
{
    if (sim_heap_now != NULL)
        sim_heap_mark(sim_heap_now, p, SIM_REGION_TOLD);
    return p;
}

static inline void sim_touch(void *p)
{
    if (sim_heap_now != NULL && p != NULL)
        sim_heap_touch(sim_heap_now, p);
}

/* See sim_heap_live. */
static inline void sim_live(void *p, const struct sim_span *span, uint32_t count)
{
    if (sim_heap_now != NULL && p != NULL)
        sim_heap_live(sim_heap_now, p, span, count);
}

/* What means nothing between two steps. */
static inline void *sim_scratch(void *p)
{
    if (sim_heap_now != NULL)
        sim_heap_mark(sim_heap_now, p, SIM_REGION_SCRATCH);
    return p;
}

/* bytes may be NULL where size is 0. */
static inline void *sim_copy(const void *bytes, size_t size)
{
    void *copy = sim_realloc(NULL, size);
    return size == 0 ? copy : memcpy(copy, bytes, size);
}

#endif
