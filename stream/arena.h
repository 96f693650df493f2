/*
 * Memory that is given back all at once: what an operator puts out in a step (st_alloc).
 *
 * Threads: its owner's.
 */
#ifndef STREAM_ARENA_H
#define STREAM_ARENA_H

#include <stddef.h>

struct arena_block;

/* Zero bytes: empty. */
struct arena {
    struct arena_block *blocks;
    char *at, *end;
};

/* `size` bytes, aligned to 16, never NULL; until arena_reset. */
void *arena_alloc(struct arena *arena, size_t size);
/* Gives back all, and keeps one ordinary block. */
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);

#endif
