/*
 * Memory that is freed all at once: pieces are taken from blocks, never given back singly, and do
 * not move. What a parser builds lives in it.
 */
#ifndef SIM_MEMORY_H
#define SIM_MEMORY_H

#include <stddef.h>

struct sim_memory_block;

/* Begins empty, as {0}. abort()s where the machine has no memory left. */
struct sim_memory {
    struct sim_memory_block *newest;
};

/* Returns `size` zeroed bytes, aligned for anything; they live until sim_memory_free. */
void *sim_memory_take(struct sim_memory *memory, size_t size);

/* Returns a copy of `size` bytes with a NUL behind them. */
char *sim_memory_copy(struct sim_memory *memory, const char *bytes, size_t size);
char *sim_memory_format(struct sim_memory *memory, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Returns the place of an array of `count` items of `size` bytes each that has room for one more:
   `items` itself or a larger copy. Every append to the array must go through it, from count 0 on.
 */
void *sim_memory_grow(struct sim_memory *memory, void *items, size_t size, size_t count);

void sim_memory_free(struct sim_memory *memory);

#endif
