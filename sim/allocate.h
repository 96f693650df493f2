/*
 * Memory of the world, which may be taken from the heap; without any left there is nothing to tell.
 */
#ifndef SIM_ALLOCATE_H
#define SIM_ALLOCATE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void *sim_realloc(void *old, size_t size)
{
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
    void *p = calloc(1, size == 0 ? 1 : size);
    if (p == NULL) {
        fprintf(stderr, "kcsim: out of memory (%zu bytes)\n", size);
        abort();
    }
    return p;
}

/* bytes may be NULL where size is 0. */
static inline void *sim_copy(const void *bytes, size_t size)
{
    void *copy = sim_realloc(NULL, size);
    return size == 0 ? copy : memcpy(copy, bytes, size);
}

#endif
