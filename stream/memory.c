/*
 * Pages and large arrays, see memory.h.
 */
#include "stream/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "stream/graph.h"

static void *map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return must_have(memory != MAP_FAILED ? memory : NULL);
}

/* Zeroed memory, aligned to a chunk: mapped with a chunk to spare, whose ends are given back. */
static void *map_aligned(size_t size)
{
    char *all = map(size + CHUNK_SIZE_BYTES);
    size_t before = (size_t)(-(uintptr_t)all & (CHUNK_SIZE_BYTES - 1));
    if (before > 0) {
        munmap(all, before);
    }
    if (before < CHUNK_SIZE_BYTES) {
        munmap(all + before + size, CHUNK_SIZE_BYTES - before);
    }
    (void)madvise(all + before, size,
                  MADV_HUGEPAGE); /* a hint: where it is refused, pages are small */
    return all + before;
}

static size_t rounded(size_t size)
{
    return (size + CHUNK_SIZE_BYTES - 1) / CHUNK_SIZE_BYTES * CHUNK_SIZE_BYTES;
}

void *page_take(struct memory_pool *pool)
{
    if (pool->free_pages == NULL) {
        if (pool->chunk_count == pool->chunk_capacity) {
            pool->chunks = must_grow(pool->chunks, sizeof *pool->chunks, pool->chunk_count,
                                     &pool->chunk_capacity, 8);
        }
        char *chunk = map_aligned(CHUNK_SIZE_BYTES);
        pool->chunks[pool->chunk_count++] = chunk;
        for (size_t at = CHUNK_SIZE_BYTES; at > 0; at -= PAGE_SIZE_BYTES) {
            page_give(pool, chunk + at - PAGE_SIZE_BYTES);
        }
    }
    void *page = pool->free_pages;
    memcpy(&pool->free_pages, page, sizeof pool->free_pages);
    return page;
}

void page_give(struct memory_pool *pool, void *page)
{
    memcpy(page, &pool->free_pages, sizeof pool->free_pages);
    pool->free_pages = page;
}

void memory_pool_free(struct memory_pool *pool)
{
    for (uint32_t c = 0; c < pool->chunk_count; c++) {
        munmap(pool->chunks[c], CHUNK_SIZE_BYTES);
    }
    free(pool->chunks);
    limbo_empty(&pool->limbo, UINT32_MAX);
    free(pool->limbo.texts);
    *pool = (struct memory_pool){0};
}

void *large_calloc(size_t size)
{
    return size < CHUNK_SIZE_BYTES ? must_calloc(1, size) : map_aligned(rounded(size));
}

void large_free(void *memory, size_t size)
{
    if (size < CHUNK_SIZE_BYTES) {
        free(memory);
    } else if (memory != NULL) {
        munmap(memory, rounded(size));
    }
}

void *sparse_calloc(size_t size)
{
    void *memory = map(size);
    (void)madvise(memory, size, MADV_NOHUGEPAGE); /* some systems give huge ones unasked */
    return memory;
}

void sparse_free(void *memory, size_t size)
{
    if (memory != NULL) {
        munmap(memory, size);
    }
}

void limbo_take(struct limbo *limbo, void *memory)
{
    if (limbo->count == limbo->capacity) {
        limbo->texts =
            must_grow(limbo->texts, sizeof *limbo->texts, limbo->count, &limbo->capacity, 64);
    }
    limbo->texts[limbo->count++] = memory;
}

void limbo_take_text(struct limbo *limbo, const struct layout *layout, void *record)
{
    for (uint32_t t = 0; t < layout->text_count; t++) {
        union {
            st_str view;
            char *owned;
        } text = {{0}};
        char *at = (char *)record + layout->text[t];
        memcpy(&text.view, at, sizeof text.view);
        limbo_take(limbo, text.owned);
        memset(at, 0, sizeof text.view);
    }
}

void limbo_empty(struct limbo *limbo, uint32_t most)
{
    for (; limbo->count > 0 && most > 0; most--) {
        free(limbo->texts[--limbo->count]);
    }
}
