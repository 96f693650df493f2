/*
 * Tables frozen at a barrier, see frozen.h.
 */
#include "stream/frozen.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "stream/graph.h"
#include "stream/rocks_rows.h"

/* Rows as a reader expects them. Rows without text are images of memory: whole pages, where they
 * are as long as what they hold. */
static void write_rows(const struct table *t, const struct layout *key,
                       const struct layout *payload, struct bytes *to)
{
    uint32_t key_size = t->holds_record ? 0 : key->size, size = key_size + payload->size;
    if (t->text.text_count == 0 && t->row_size == size) {
        for (uint32_t row = 0; row < t->row_end; row += 1u << t->page_shift) {
            uint32_t left = t->row_end - row, in_page = 1u << t->page_shift;
            uint32_t count = left < in_page ? left : in_page;
            bytes_put(to, table_row(t, row), (size_t)count * t->row_size);
        }
        return;
    }
    for (uint32_t row = 0; row < t->row_end; row++) {
        const char *bytes = table_row(t, row);
        if (t->text.text_count == 0) {
            bytes_put(to, bytes, size);
            continue;
        }
        if (!t->holds_record) {
            bytes_record(to, key, bytes);
        }
        bytes_record(to, payload, bytes + key_size);
    }
}

static struct frozen *add(struct frozen **list, struct bytes *to)
{
    struct frozen *f = must_calloc(1, sizeof *f);
    f->next = *list;
    *list = f;
    bytes_hole(to, f);
    return f;
}

static void *copy_of(const void *from, size_t size)
{
    void *copy = must_calloc(size + 1, 1);
    if (size > 0) {
        memcpy(copy, from, size);
    }
    return copy;
}

static struct frozen_table *add_table(struct frozen *f, struct table *t)
{
    struct frozen_table *one = must_calloc(1, sizeof *one);
    assert(t->frozen == NULL);
    *one = (struct frozen_table){.table = *t, .owner = t, .next = f->tables};
    one->table.pages = copy_of(t->pages, t->page_count * sizeof *t->pages);
    one->table.free_rows = copy_of(t->free_rows, t->free_count * sizeof *t->free_rows);
    one->table.index = one->table.old_index = NULL;
    one->table.marks = NULL;
    one->table.watched = false;
    one->dead = must_calloc((size_t)t->page_count + 1, 1);
    f->tables = one;
    t->frozen = one;
    t->watched = true;
    return one;
}

void table_freeze(struct table *t, const struct layout *payload, struct frozen **list,
                  struct bytes *to)
{
    if (t->frozen != NULL || t->page_count < 2) {
        write_rows(t, &t->reader->layout, payload, to);
        return;
    }
    struct frozen *f = add(list, to);
    f->key = t->reader->layout;
    f->payload = *payload;
    add_table(f, t);
}

struct frozen *view_freeze(const void *of, size_t size, void (*write)(void *view, struct bytes *to),
                           struct frozen **list, struct bytes *to)
{
    struct frozen *f = add(list, to);
    f->view = copy_of(of, size);
    f->write = write;
    return f;
}

void table_freeze_for(struct frozen *f, struct table *t, struct table *view)
{
    *view = add_table(f, t)->table;
}

static void free_one(struct frozen *f)
{
    if (f->image != NULL) {
        rows_image_free(f->image);
    }
    if (f->free_view != NULL) {
        f->free_view(f->view);
    }
    for (struct frozen_table *one = f->tables, *next; one != NULL; one = next) {
        next = one->next;
        free(one->table.pages);
        free(one->table.free_rows);
        free(one->dead);
        free(one);
    }
    free(f->view);
    free(f);
}

/* Pages that are not the table's any more go back; others are its own again. */
static void thaw_table(struct frozen_table *one)
{
    for (uint32_t p = 0; p < one->table.page_count; p++) {
        if (one->dead[p] != 0) {
            page_give(one->table.pool, one->table.pages[p]);
        }
    }
    if (one->owner != NULL) {
        one->owner->frozen = NULL;
        one->owner->watched = one->owner->marks != NULL;
    }
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
        for (struct frozen_table *one = f->tables; one != NULL; one = one->next) {
            thaw_table(one);
        }
        if (f->image != NULL) {
            rows_image_thaw(f->image);
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
        for (const struct frozen_table *t = from->holes[h].frozen->tables; t != NULL; t = t->next) {
            size += (size_t)t->table.row_end * t->table.row_size;
        }
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
        } else if (f->write != NULL) {
            f->write(f->view, to);
        } else {
            write_rows(&f->tables->table, &f->key, &f->payload, to);
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
