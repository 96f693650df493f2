/* Memory that is freed all at once: see memory.h. */
#include "sim/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "sim/allocate.h"

struct sim_memory_block {
    struct sim_memory_block *older;
    size_t size, used;
    _Alignas(max_align_t) unsigned char bytes[];
};

enum { BLOCK = 16 * 1024 };

static struct sim_memory_block *new_block(struct sim_memory *memory, size_t size)
{
    struct sim_memory_block *block = sim_alloc(sizeof(*block) + size);
    block->size = size;
    block->older = memory->newest;
    memory->newest = block;
    return block;
}

void *sim_memory_take(struct sim_memory *memory, size_t size)
{
    const size_t unit = _Alignof(max_align_t);
    const size_t whole = (size + unit - 1) / unit * unit;
    struct sim_memory_block *block = memory->newest;
    if (block == NULL || block->size - block->used < whole) {
        block = new_block(memory, whole > BLOCK ? whole : BLOCK);
    }
    void *bytes = block->bytes + block->used;
    block->used += whole;
    return bytes;
}

char *sim_memory_copy(struct sim_memory *memory, const char *bytes, size_t size)
{
    char *copy = sim_memory_take(memory, size + 1);
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    return copy;
}

char *sim_memory_format(struct sim_memory *memory, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = sim_memory_take(memory, (size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    return text;
}

void *sim_memory_grow(struct sim_memory *memory, void *items, size_t size, size_t count)
{
    /* Room is a power of two from 4 up, so `count` alone tells whether there is some left. */
    if (count == 0) {
        return sim_memory_take(memory, 4 * size);
    }
    if (count < 4 || (count & (count - 1)) != 0) {
        return items;
    }
    void *larger = sim_memory_take(memory, 2 * count * size);
    memcpy(larger, items, count * size);
    return larger;
}

void sim_memory_free(struct sim_memory *memory)
{
    for (struct sim_memory_block *block = memory->newest, *older; block != NULL; block = older) {
        older = block->older;
        sim_free(block);
    }
    memory->newest = NULL;
}
