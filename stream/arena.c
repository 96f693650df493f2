/*
 * Memory that is given back all at once, see arena.h.
 */
#include "stream/arena.h"

#include <stdlib.h>

#include "stream/graph.h"

struct arena_block {
    struct arena_block *next;
    size_t size;
    _Alignas(16) char bytes[];
};

#define ARENA_BLOCK ((size_t)64 * 1024)

void *arena_alloc(struct arena *arena, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (arena->blocks == NULL || (size_t)(arena->end - arena->at) < size) {
        size_t room = size > ARENA_BLOCK ? size : ARENA_BLOCK;
        struct arena_block *block = must_calloc(1, sizeof *block + room);
        block->size = room;
        block->next = arena->blocks;
        arena->blocks = block;
        arena->at = block->bytes;
        arena->end = block->bytes + room;
    }
    void *memory = arena->at;
    arena->at += size;
    return memory;
}

void arena_reset(struct arena *arena)
{
    if (arena->blocks == NULL || arena->at == arena->blocks->bytes) {
        return;
    }
    while (arena->blocks->next != NULL || arena->blocks->size > ARENA_BLOCK) {
        struct arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
        if (next == NULL) {
            *arena = (struct arena){0};
            return;
        }
    }
    arena->at = arena->blocks->bytes;
    arena->end = arena->at + arena->blocks->size;
}

void arena_free(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
    *arena = (struct arena){0};
}
