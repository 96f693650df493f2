/*
 * Memory of tables: pages of one size cut out of large chunks that the kernel may back by huge
 * pages, and large arrays. A fault of a small page costs as much as a thousand records (18 us on
 * some virtual machines), so state asks for huge ones. And arrays that are mostly left unused.
 *
 * Threads: a pool belongs to one task.
 */
#ifndef STREAM_MEMORY_H
#define STREAM_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE_BYTES  ((size_t)32 * 1024)
#define CHUNK_SIZE_BYTES ((size_t)2 * 1024 * 1024)

/* Text that state has given up, and that records under way, or pages that a snapshot still reads,
 * may view: freed when the step ends and no snapshot is read. */
struct limbo {
    void **texts; /* and other memory */
    uint32_t count, capacity;
};

struct memory_pool {
    struct limbo limbo;
    void **chunks; /* [chunk_count], each CHUNK_SIZE_BYTES */
    uint32_t chunk_count, chunk_capacity;
    void *free_pages; /* a list through their first words */
};

/* A page of PAGE_SIZE_BYTES, with any content; never NULL (the process ends). Owned by the pool. */
void *page_take(struct memory_pool *pool);
void page_give(struct memory_pool *pool, void *page);
void memory_pool_free(struct memory_pool *pool);

struct layout;
/* Takes memory of malloc, or NULL. */
void limbo_take(struct limbo *limbo, void *memory);
/* Takes the text of a record that state held; clears the views. */
void limbo_take_text(struct limbo *limbo, const struct layout *layout, void *record);
/* Frees what it has, or a part: much at once would stop the task. */
void limbo_empty(struct limbo *limbo, uint32_t most);

/* A zeroed array; owned by the caller, who gives the same size to large_free. Never NULL. */
void *large_calloc(size_t size);
void large_free(void *memory, size_t size);
/* The same in small pages, each of them there once it is used: for much that is hardly used. */
void *sparse_calloc(size_t size);
void sparse_free(void *memory, size_t size);

#endif
