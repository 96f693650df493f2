/*
 * Tables frozen at a barrier, see frozen.h.
 */
#include "stream/frozen.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "stream/graph.h"
#include "stream/rocks_rows.h"

/* Rows as a reader expects them. Rows without text are images of memory, page by page. */
static void write_rows(const struct table *t, const struct layout *key,
                       const struct layout *payload, struct bytes *to)
{
    uint32_t key_size = t->holds_record ? 0 : key->size;
    if (t->text.text_count == 0 && t->row_size == key_size + payload->size) {
        for (uint32_t row = 0; row < t->row_end; row += 1u << t->page_shift) {
            uint32_t left = t->row_end - row, in_page = 1u << t->page_shift;
            uint32_t count = left < in_page ? left : in_page;
            bytes_put(to, table_row(t, row), (size_t)count * t->row_size);
        }
        return;
    }
    for (uint32_t row = 0; row < t->row_end; row++) {
        const char *bytes = table_row(t, row);
        if (!t->holds_record) {
            bytes_record(to, key, bytes);
        }
        bytes_record(to, payload, bytes + key_size);
    }
}

static char **copy_pages(const struct table *t)
{
    char **pages = must_calloc((size_t)t->page_count + 1, sizeof *pages);
    if (t->page_count > 0) {
        memcpy(pages, t->pages, t->page_count * sizeof *pages);
    }
    return pages;
}

void table_freeze(struct table *t, const struct layout *payload, struct frozen **list,
                  struct bytes *to)
{
    if (t->frozen != NULL || t->page_count < 2) {
        write_rows(t, &t->reader->layout, payload, to);
        return;
    }
    struct frozen *f = must_calloc(1, sizeof *f);
    f->table = *t;
    f->owner = t;
    f->table.pages = copy_pages(t);
    f->key = t->reader->layout;
    f->payload = *payload;
    f->dead = must_calloc(t->page_count, 1);
    f->next = *list;
    *list = f;
    t->frozen = f;
    t->watched = true;
    bytes_hole(to, f);
}

void image_freeze(struct rows_image *image, struct frozen **list, struct bytes *to)
{
    struct frozen *f = must_calloc(1, sizeof *f);
    f->image = image;
    f->next = *list;
    *list = f;
    bytes_hole(to, f);
}

static void free_one(struct frozen *f)
{
    if (f->image != NULL) {
        rows_image_free(f->image);
    }
    free(f->table.pages);
    free(f->dead);
    free(f);
}

void frozen_thaw(struct frozen **list)
{
    while (*list != NULL) {
        struct frozen *f = *list;
        if (atomic_load_explicit(&f->released, memory_order_acquire) == 0) {
            list = &f->next;
            continue;
        }
        *list = f->next;
        for (uint32_t p = 0; p < f->table.page_count; p++) {
            if (f->dead[p] != 0) {
                page_give(f->table.pool, f->table.pages[p]);
            }
        }
        if (f->owner != NULL) {
            f->owner->frozen = NULL;
            f->owner->watched = f->owner->marks != NULL;
        }
        free_one(f);
    }
}

void frozen_free_all(struct frozen **list)
{
    while (*list != NULL) {
        struct frozen *next = (*list)->next;
        free_one(*list);
        *list = next;
    }
}

/* The sizes that stand before a hole and count what is behind them grow by what the hole takes. */
static void grow_sizes(struct bytes *to, const struct hole *hole, size_t shift_before, size_t more)
{
    for (int i = 0; i < 2; i++) {
        int64_t size;
        memcpy(&size, to->data + hole->sizes[i] + shift_before, sizeof size);
        bytes_set_i64(to, hole->sizes[i] + shift_before, size + (int64_t)more);
    }
}

/* Room for all at once, in huge pages: growing by steps costs a fault for every few KiB, each time.
 */
static void reserve(const struct bytes *from, struct bytes *to)
{
    size_t size = from->size;
    for (uint32_t h = 0; h < from->hole_count; h++) {
        const struct table *t = &from->holes[h].frozen->table;
        size += (size_t)t->row_end * t->row_size;
    }
    if (size >= CHUNK_SIZE_BYTES) {
        to->capacity = (size + CHUNK_SIZE_BYTES - 1) / CHUNK_SIZE_BYTES * CHUNK_SIZE_BYTES;
        to->data = aligned_alloc(CHUNK_SIZE_BYTES, to->capacity);
        if (to->data == NULL) {
            abort();
        }
        (void)madvise(to->data, to->capacity, MADV_HUGEPAGE); /* a hint */
    }
}

bool bytes_materialise(const struct bytes *from, struct bytes *to, char *why)
{
    size_t at = 0;
    bool ok = true;
    reserve(from, to);
    for (uint32_t h = 0; h < from->hole_count; h++) {
        const struct hole *hole = &from->holes[h];
        const struct frozen *f = hole->frozen;
        bytes_put(to, from->data + at, hole->at - at);
        at = hole->at;
        size_t before = to->size;
        if (f->image != NULL) {
            ok = ok && rows_image_write(f->image, to, why);
        } else {
            write_rows(&f->table, &f->key, &f->payload, to);
        }
        size_t shift = 0; /* of the sizes: what holes before the section have put in between */
        for (uint32_t e = 0; e < h; e++) {
            shift += from->holes[e].at <= hole->sizes[0] ? from->holes[e].filled : 0;
        }
        from->holes[h].filled = to->size - before;
        grow_sizes(to, hole, shift, to->size - before);
    }
    bytes_put(to, from->data + at, from->size - at);
    return ok;
}
