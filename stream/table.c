/*
 * Rows by key, see table.h. The loops are written once for any key and compiled for the two kinds
 * that matter, a number of 8 bytes and a text.
 */
#include "stream/table.h"

#include <assert.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "stream/frozen.h"
#include "stream/graph.h"

#define INDEX_MIN_BITS 6u
#define LINE_SIZE      64u
#define AHEAD          32u
#define PREFETCH_FROM  (1u << 14) /* entries: a smaller index lies in the nearest caches */

/* Growing of the index: places that are moved at once, looked at together, moved for each row that
 * may come. */
#define GROW_AT_ONCE   (1u << 14)
#define GROW_BLOCK     32u
#define GROW_FOR_A_ROW 16u

enum key_form { KEY_OF_8_BYTES, KEY_OF_TEXT, KEY_OF_ANY };

static enum key_form form_of(const struct key_reader *reader)
{
    if (reader->count == 1 && reader->kind[0] == ST_KIND_STR) {
        return KEY_OF_TEXT;
    }
    bool integer =
        reader->count == 1 && (reader->kind[0] == ST_KIND_I64 || reader->kind[0] == ST_KIND_U64);
    return integer ? KEY_OF_8_BYTES : KEY_OF_ANY;
}

/* Rows that would now and then lie in two lines of the cache take as much as never does. */
static uint32_t row_size_of(uint32_t bytes)
{
    uint32_t size = 8;
    while (size < bytes) {
        size *= 2;
    }
    return size <= LINE_SIZE ? size : round_up_8(bytes);
}

void table_init(struct table *t, const struct key_reader *reader, struct memory_pool *pool,
                const struct layout *payload, bool holds_record)
{
    *t = (struct table){.reader = reader, .pool = pool, .holds_record = holds_record};
    uint32_t key_size = holds_record ? 0 : reader->layout.size;
    assert(!holds_record || reader->count == 1);
    t->key_offset = holds_record ? reader->from[0] : 0;
    t->record_size = payload->size;
    t->row_size = row_size_of(key_size + payload->size);
    assert(t->row_size <= ST_RECORD_SIZE_MAX * 2);
    assert(t->row_size <= PAGE_SIZE_BYTES);
    while (((size_t)t->row_size << (t->page_shift + 1)) <= PAGE_SIZE_BYTES) {
        t->page_shift++;
    }
    if (!holds_record) {
        t->text = reader->layout;
    }
    for (uint32_t i = 0; i < payload->text_count; i++) {
        assert(t->text.text_count < ST_FIELDS_MAX);
        t->text.text[t->text.text_count++] = (uint16_t)(key_size + payload->text[i]);
    }
    t->text.size = t->row_size;
    t->index_bits = INDEX_MIN_BITS;
    t->index_mask = (1u << INDEX_MIN_BITS) - 1;
    t->index = large_calloc(((size_t)t->index_mask + 1) * sizeof *t->index);
}

static inline bool is_shared(const struct table *t, uint32_t p)
{
    return t->frozen != NULL && p < t->frozen->table.page_count && t->frozen->dead[p] == 0;
}

void table_unshare(struct table *t, uint32_t page)
{
    if (is_shared(t, page)) {
        char *copy = page_take(t->pool);
        memcpy(copy, t->pages[page], PAGE_SIZE_BYTES);
        t->pages[page] = copy;
        t->frozen->dead[page] = 1;
    }
}

/* A row that may be written to. */
static inline char *own_row(struct table *t, uint32_t row)
{
    if (__builtin_expect(t->watched, 0)) {
        table_own_row(t, row);
        table_touch(t, row);
    }
    return table_row(t, row);
}

void table_mark_rows(struct table *t)
{
    assert(t->row_end == 0);
    t->mark_capacity = 64;
    t->marks = must_calloc(t->mark_capacity, 1);
    t->watched = true;
}

/* The marks of a row that comes into use. */
static void mark_new(struct table *t, uint32_t row)
{
    if (row >= t->mark_capacity) {
        uint8_t *marks = must_calloc((size_t)t->mark_capacity * 2, 1);
        memcpy(marks, t->marks, t->mark_capacity);
        free(t->marks);
        t->marks = marks;
        t->mark_capacity *= 2;
    }
    t->marks[row] = ROW_LIVE | ROW_TOUCHED;
}

/* Gives up all rows: their text, and those pages that are not the frozen table's now. */
static void give_up_rows(struct table *t)
{
    for (uint32_t row = 0; t->text.text_count > 0 && row < t->row_end; row++) {
        char view[ST_RECORD_SIZE_MAX * 2];
        memcpy(view, table_row(t, row), t->row_size); /* a shared row stays as it is */
        limbo_take_text(&t->pool->limbo, &t->text, view);
    }
    for (uint32_t p = 0; p < t->page_count; p++) {
        if (is_shared(t, p)) {
            t->frozen->dead[p] = 1;
        } else {
            page_give(t->pool, t->pages[p]);
        }
    }
    if (t->frozen != NULL) {
        t->frozen->owner = NULL;
        t->frozen = NULL;
        t->watched = t->marks != NULL;
    }
    if (t->marks != NULL) {
        memset(t->marks, 0, t->mark_capacity);
    }
}

static void free_old_index(struct table *t)
{
    if (t->old_index != NULL) {
        large_free(t->old_index, ((size_t)t->old_mask + 1) * sizeof *t->old_index);
        t->old_index = NULL;
    }
}

void table_clear(struct table *t)
{
    give_up_rows(t);
    free_old_index(t);
    memset(t->index, 0, ((size_t)t->index_mask + 1) * sizeof *t->index);
    t->page_count = t->row_end = t->live = t->free_count = 0;
}

void table_free(struct table *t)
{
    if (t->index == NULL) {
        return;
    }
    give_up_rows(t);
    free_old_index(t);
    large_free(t->index, ((size_t)t->index_mask + 1) * sizeof *t->index);
    free(t->pages);
    free(t->free_rows);
    free(t->marks);
    *t = (struct table){0};
}

static uint32_t new_row(struct table *t)
{
    if (t->free_count > 0) {
        return t->free_rows[--t->free_count];
    }
    if (t->row_end >> t->page_shift == t->page_count) {
        if (t->page_count == t->page_capacity) {
            t->pages = must_grow(t->pages, sizeof *t->pages, t->page_count, &t->page_capacity, 8);
        }
        t->pages[t->page_count++] = page_take(t->pool);
    }
    return t->row_end++;
}

/* -------------------------------------------------------------------------- By form of the key */

static inline const void *key_in(enum key_form form, const struct key_reader *reader,
                                 const void *record, void *space)
{
    if (form == KEY_OF_ANY) {
        key_read(reader, record, space);
        return space;
    }
    return (const char *)record + reader->from[0];
}

static inline uint32_t hash_of(enum key_form form, const struct key_reader *reader, const void *key)
{
    if (form == KEY_OF_8_BYTES) {
        uint64_t number;
        memcpy(&number, key, sizeof number);
        return hash_int64(number);
    }
    if (form == KEY_OF_TEXT) {
        st_str text;
        memcpy(&text, key, sizeof text);
        return (uint32_t)XXH3_64bits(text.data, text.size);
    }
    return key_table_hash(reader, key);
}

static inline bool equal(enum key_form form, const struct key_reader *reader, const void *a,
                         const void *b)
{
    if (form == KEY_OF_8_BYTES) {
        return memcmp(a, b, 8) == 0;
    }
    if (form == KEY_OF_TEXT) {
        st_str x, y;
        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        return x.size == y.size && (x.size == 0 || memcmp(x.data, y.data, x.size) == 0);
    }
    return key_equal(reader, a, b);
}

static uint32_t hash_of_row(const struct table *t, uint32_t row)
{
    return hash_of(form_of(t->reader), t->reader, table_row(t, row) + t->key_offset);
}

/* Where the way of a hash begins: its high bits, which a multiplication spreads best. Numbers in a
 * row lie apart then, as in Knuth's Fibonacci hashing (The Art of Computer Programming 3, 6.4). */
static inline uint32_t place_of(uint32_t hash, uint32_t bits)
{
    return hash >> (32 - bits);
}

static inline uint32_t entry_of(uint32_t hash, uint32_t bits, uint32_t row)
{
    return (hash << bits) | (row + 1);
}

/* Whether an entry's hash is this one, as far as it is kept. */
static inline bool may_be(uint32_t entry, uint32_t hash, uint32_t bits)
{
    return (entry ^ (hash << bits)) >> bits == 0;
}

/* An entry of the old index whose row is gone: its row + 1 is the mask, which no row's is, since a
 * third of an index is empty. */
static bool is_gone(uint32_t entry, uint32_t mask)
{
    return (entry & mask) == mask;
}

static void put_entry(struct table *t, uint32_t row)
{
    uint32_t hash = hash_of_row(t, row), at = place_of(hash, t->index_bits);
    while (t->index[at] != 0) {
        at = (at + 1) & t->index_mask;
    }
    t->index[at] = entry_of(hash, t->index_bits, row);
}

/* Goes on with the growing by about so many places of the old index. Rows are prefetched by the
 * block, for an entry has only a part of the hash. */
static void move_entries(struct table *t, uint64_t places)
{
    uint64_t had = (uint64_t)t->old_mask + 1, end = t->moved + places;
    end = end < had ? end : had;
    while (t->moved < end) {
        uint32_t rows[GROW_BLOCK], count = 0;
        for (uint32_t i = 0; i < GROW_BLOCK && t->moved < had; i++, t->moved++) {
            uint32_t entry = t->old_index[t->moved];
            if (entry != 0 && !is_gone(entry, t->old_mask)) {
                rows[count] = (entry & t->old_mask) - 1;
                __builtin_prefetch(table_row(t, rows[count++]) + t->key_offset);
            }
        }
        for (uint32_t i = 0; i < count; i++) {
            put_entry(t, rows[i]);
        }
    }
    if (t->moved == had) {
        free_old_index(t);
    }
}

/* Room for `more` rows at a load of two thirds. So a row's number + 1 fits below the mask. A small
 * index is moved at once, a large one by and by with what is inserted. */
static void grow(struct table *t, uint32_t more)
{
    uint64_t had = (uint64_t)t->index_mask + 1, size = had;
    uint32_t bits = t->index_bits;
    if (t->old_index != NULL) {
        move_entries(t, UINT32_MAX);
    }
    while (((uint64_t)t->live + more) * 2 > size) {
        size *= 2;
        bits++;
    }
    assert(bits <= 31);
    t->old_index = t->index;
    t->old_mask = t->index_mask;
    t->old_bits = t->index_bits;
    t->moved = 0;
    t->index = large_calloc(size * sizeof *t->index);
    t->index_mask = (uint32_t)(size - 1);
    t->index_bits = bits;
    if (had <= GROW_AT_ONCE) {
        move_entries(t, had);
    }
}

/* The index is moved long before it is to grow again: it has then taken two thirds of its old size
 * in. */
static inline void reserve(struct table *t, uint32_t more)
{
    if (__builtin_expect(t->old_index != NULL, 0)) {
        move_entries(t, (uint64_t)more * GROW_FOR_A_ROW);
    }
    if (((uint64_t)t->live + more) * 3 > ((uint64_t)t->index_mask + 1) * 2) {
        grow(t, more);
    }
}

void table_reserve(struct table *t, uint32_t more)
{
    if (more < 1u << 29) {
        reserve(t, more);
    }
}

/* The place in the old index of a key that has not been moved; false: it has none. */
static __attribute__((noinline)) bool probe_old(const struct table *t, const void *key,
                                                uint32_t hash, uint32_t *at)
{
    enum key_form form = form_of(t->reader);
    uint32_t mask = t->old_mask, i = place_of(hash, t->old_bits);
    for (uint32_t entry; (entry = t->old_index[i]) != 0; i = (i + 1) & mask) {
        if (i >= t->moved && may_be(entry, hash, t->old_bits) && !is_gone(entry, mask) &&
            equal(form, t->reader, table_row(t, (entry & mask) - 1) + t->key_offset, key)) {
            *at = i;
            return true;
        }
    }
    return false;
}

/* The row of a key; *at is its place in the index, or the empty place where it would go: also of a
 * key that is still in the old index. */
static inline uint32_t probe(enum key_form form, const struct table *t, const void *key,
                             uint32_t hash, uint32_t *at)
{
    uint32_t i = place_of(hash, t->index_bits), old;
    for (uint32_t entry; (entry = t->index[i]) != 0; i = (i + 1) & t->index_mask) {
        uint32_t row = (entry & t->index_mask) - 1;
        if (may_be(entry, hash, t->index_bits) &&
            equal(form, t->reader, table_row(t, row) + t->key_offset, key)) {
            *at = i;
            return row;
        }
    }
    *at = i;
    if (__builtin_expect(t->old_index != NULL, 0) && probe_old(t, key, hash, &old)) {
        return (t->old_index[old] & t->old_mask) - 1;
    }
    return ROW_NONE;
}

static void own_text(const struct layout *layout, void *record)
{
    if (layout->text_count > 0 && !record_own_text(layout, record)) {
        abort();
    }
}

/* A new row for a key that is not there; `record` is looked at if rows are records. */
static uint32_t insert(struct table *t, const void *key, const void *record, uint32_t hash,
                       uint32_t at)
{
    uint32_t row = new_row(t);
    if (t->marks != NULL) {
        mark_new(t, row);
    }
    char *bytes = own_row(t, row);
    if (t->holds_record) {
        memcpy(bytes, record, t->record_size);
        own_text(&t->text, bytes);
    } else {
        memset(bytes, 0, t->row_size);
        if (t->reader->layout.size > 0) {
            memcpy(bytes, key, t->reader->layout.size);
        }
        own_text(&t->reader->layout, bytes);
    }
    assert(row + 1 < t->index_mask);
    t->index[at] = entry_of(hash, t->index_bits, row);
    t->live++;
    return row;
}

/* Three steps lead to the row of a record: its hash; its entry in the index, which tells a row that
 * it may be; that row, or the one that the key has or gets. */
static inline __attribute__((always_inline)) uint32_t
hash_in(enum key_form form, const struct key_reader *reader, const char *record)
{
    uint64_t space[(ST_KEY_FIELDS_MAX * ST_RECORD_SIZE_MAX) / 8];
    return hash_of(form, reader, key_in(form, reader, record, space));
}

/* The first row in the probe's way whose hash may be this one: nearly always the row of the key. */
static inline uint32_t candidate(const struct table *t, uint32_t hash)
{
    uint32_t i = place_of(hash, t->index_bits);
    for (uint32_t entry; (entry = t->index[i]) != 0; i = (i + 1) & t->index_mask) {
        if (may_be(entry, hash, t->index_bits)) {
            return (entry & t->index_mask) - 1;
        }
    }
    return ROW_NONE;
}

static inline __attribute__((always_inline)) char *row_for(enum key_form form, struct table *t,
                                                           const struct key_reader *reader,
                                                           const char *record, uint32_t hash,
                                                           uint32_t may, uint8_t *fresh)
{
    uint64_t space[(ST_KEY_FIELDS_MAX * ST_RECORD_SIZE_MAX) / 8];
    const void *key = key_in(form, reader, record, space);
    char *bytes = may != ROW_NONE ? own_row(t, may) : NULL;
    uint32_t at;
    *fresh = 0;
    if (bytes != NULL && equal(form, reader, bytes + t->key_offset, key)) {
        return bytes;
    }
    uint32_t row = probe(form, t, key, hash, &at); /* an earlier record may have made it */
    *fresh = row == ROW_NONE;
    return own_row(t, row != ROW_NONE ? row : insert(t, key, record, hash, at));
}

/* In tables that the caches hold. `one`: the table of all records, or NULL: tables[k] is that of
 * record k. Compiled for each form. */
static inline __attribute__((always_inline)) void
find_near(enum key_form form, struct table *one, struct table *const *tables, const char *records,
          uint32_t stride, uint32_t count, char **rows, uint8_t *fresh)
{
    const struct key_reader *reader = one != NULL ? one->reader : tables[0]->reader;
    uint32_t hashes[BATCH_SIZE], may[BATCH_SIZE];
    for (uint32_t k = 0; k < count; k++) {
        hashes[k] = hash_in(form, reader, records + (size_t)k * stride);
    }
    for (uint32_t k = 0; k < count; k++) {
        may[k] = candidate(one != NULL ? one : tables[k], hashes[k]);
    }
    for (uint32_t k = 0; k < count; k++) {
        rows[k] = row_for(form, one != NULL ? one : tables[k], reader, records + (size_t)k * stride,
                          hashes[k], may[k], &fresh[k]);
    }
}

/* The same for memory far away: each step runs AHEAD records before the next one, which then finds
 * near what it needs. */
static inline __attribute__((always_inline)) void
find_far(enum key_form form, struct table *one, struct table *const *tables, const char *records,
         uint32_t stride, uint32_t count, char **rows, uint8_t *fresh)
{
    const struct key_reader *reader = one != NULL ? one->reader : tables[0]->reader;
    uint32_t hashes[BATCH_SIZE], may[BATCH_SIZE];
    for (uint32_t step = 0; step < count + 2 * AHEAD; step++) {
        uint32_t k = step;
        if (k < count) {
            const struct table *t = one != NULL ? one : tables[k];
            hashes[k] = hash_in(form, reader, records + (size_t)k * stride);
            __builtin_prefetch(&t->index[place_of(hashes[k], t->index_bits)]);
        }
        k -= AHEAD; /* wraps around, beyond the count */
        if (k < count) {
            const struct table *t = one != NULL ? one : tables[k];
            may[k] = candidate(t, hashes[k]);
            if (may[k] != ROW_NONE) {
                __builtin_prefetch(table_row(t, may[k]), 1);
            }
        }
        k -= AHEAD;
        if (k < count) {
            rows[k] = row_for(form, one != NULL ? one : tables[k], reader,
                              records + (size_t)k * stride, hashes[k], may[k], &fresh[k]);
        }
    }
}

/* Compiled apart: one table or many, near or far. */
static inline __attribute__((always_inline)) void
find_many(enum key_form form, struct table *one, struct table *const *tables, const char *records,
          uint32_t stride, uint32_t count, char **rows, uint8_t *fresh, bool far)
{
    if (one != NULL && far) {
        find_far(form, one, NULL, records, stride, count, rows, fresh);
    } else if (one != NULL) {
        find_near(form, one, NULL, records, stride, count, rows, fresh);
    } else if (far) {
        find_far(form, NULL, tables, records, stride, count, rows, fresh);
    } else {
        find_near(form, NULL, tables, records, stride, count, rows, fresh);
    }
}

void table_find_many(struct table *t, struct table *const *tables, const void *records,
                     uint32_t stride, uint32_t count, char **rows, uint8_t *fresh)
{
    bool far = false;
    assert(count <= BATCH_SIZE);
    if (t != NULL) {
        reserve(t, count);
        far = t->index_mask >= PREFETCH_FROM;
    }
    for (uint32_t k = 0; t == NULL && k < count; k++) {
        reserve(tables[k], count);
        far |= tables[k]->index_mask >= PREFETCH_FROM;
    }
    switch (form_of(t != NULL ? t->reader : tables[0]->reader)) {
    case KEY_OF_8_BYTES:
        find_many(KEY_OF_8_BYTES, t, tables, records, stride, count, rows, fresh, far);
        break;
    case KEY_OF_TEXT:
        find_many(KEY_OF_TEXT, t, tables, records, stride, count, rows, fresh, far);
        break;
    case KEY_OF_ANY:
        find_many(KEY_OF_ANY, t, tables, records, stride, count, rows, fresh, far);
        break;
    }
}

/* As find_many looks, without making rows; compiled for each form. */
static inline __attribute__((always_inline)) uint32_t
missing_many(enum key_form form, const struct table *t, const struct key_reader *reader,
             const char *records, uint32_t stride, uint32_t count, uint32_t *missing)
{
    uint32_t hashes[BATCH_SIZE], found = 0, at;
    uint64_t space[(ST_KEY_FIELDS_MAX * ST_RECORD_SIZE_MAX) / 8];
    for (uint32_t k = 0; k < count; k++) {
        hashes[k] =
            hash_of(form, reader, key_in(form, reader, records + (size_t)k * stride, space));
        __builtin_prefetch(&t->index[place_of(hashes[k], t->index_bits)]);
    }
    for (uint32_t k = 0; t->index_mask >= PREFETCH_FROM && k < count; k++) {
        uint32_t row = candidate(t, hashes[k]);
        if (row != ROW_NONE) {
            __builtin_prefetch(table_row(t, row), 1);
        }
    }
    for (uint32_t k = 0; k < count; k++) {
        const void *key = key_in(form, reader, records + (size_t)k * stride, space);
        if (probe(form, t, key, hashes[k], &at) == ROW_NONE) {
            missing[found++] = k;
        }
    }
    return found;
}

uint32_t table_missing_many(const struct table *t, const struct key_reader *reader,
                            const void *records, uint32_t stride, uint32_t count, uint32_t *missing)
{
    assert(count <= BATCH_SIZE);
    switch (form_of(reader)) {
    case KEY_OF_8_BYTES:
        return missing_many(KEY_OF_8_BYTES, t, reader, records, stride, count, missing);
    case KEY_OF_TEXT:
        return missing_many(KEY_OF_TEXT, t, reader, records, stride, count, missing);
    case KEY_OF_ANY:
        break;
    }
    return missing_many(KEY_OF_ANY, t, reader, records, stride, count, missing);
}

/* ------------------------------------------------------------------------------- One at a time */

uint32_t table_find(const struct table *t, const void *record)
{
    uint64_t space[(ST_KEY_FIELDS_MAX * ST_RECORD_SIZE_MAX) / 8];
    uint32_t at;
    enum key_form form = form_of(t->reader);
    const void *key = key_in(form, t->reader, record, space);
    return probe(form, t, key, hash_of(form, t->reader, key), &at);
}

static uint32_t find_or_insert(struct table *t, const void *key, const void *record, bool *is_new)
{
    uint32_t at;
    enum key_form form = form_of(t->reader);
    uint32_t hash = hash_of(form, t->reader, key);
    reserve(t, 1);
    uint32_t row = probe(form, t, key, hash, &at);
    *is_new = row == ROW_NONE;
    if (!*is_new) {
        (void)own_row(t, row); /* whoever asks for a row to insert into, writes to it */
        return row;
    }
    return insert(t, key, record, hash, at);
}

uint32_t table_find_or_insert(struct table *t, const struct key_reader *reader, const void *record,
                              bool *is_new)
{
    uint64_t space[(ST_KEY_FIELDS_MAX * ST_RECORD_SIZE_MAX) / 8];
    return find_or_insert(t, key_in(form_of(reader), reader, record, space), record, is_new);
}

uint32_t table_find_or_insert_key(struct table *t, const void *key, bool *is_new)
{
    assert(!t->holds_record);
    return find_or_insert(t, key, NULL, is_new);
}

uint8_t *table_live_rows(const struct table *t)
{
    if (t->row_end == 0) {
        return NULL;
    }
    uint8_t *live = must_calloc(t->row_end, 1);
    memset(live, 1, t->row_end);
    for (uint32_t f = 0; f < t->free_count; f++) {
        live[t->free_rows[f]] = 0;
    }
    return live;
}

/* Closes the gap at `hole`: entries behind it that would no longer be found move up. */
static void close_gap(struct table *t, uint32_t hole)
{
    uint32_t mask = t->index_mask;
    for (uint32_t i = (hole + 1) & mask; t->index[i] != 0; i = (i + 1) & mask) {
        uint32_t row = (t->index[i] & mask) - 1,
                 home = place_of(hash_of_row(t, row), t->index_bits);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            t->index[hole] = t->index[i];
            hole = i;
        }
    }
    t->index[hole] = 0;
}

void table_remove(struct table *t, uint32_t row)
{
    enum key_form form = form_of(t->reader);
    char *bytes = table_row(t, row);
    const void *key = bytes + t->key_offset;
    uint32_t hash = hash_of(form, t->reader, key);
    uint32_t at, old, found = probe(form, t, key, hash, &at);
    assert(found == row);
    if (t->index[at] != 0) {
        close_gap(t, at);
    } else if (probe_old(t, key, hash, &old)) {
        t->old_index[old] |= t->old_mask;
    }
    bytes = own_row(t, row);
    limbo_take_text(&t->pool->limbo, &t->text, bytes);
    memset(bytes, 0, t->row_size);
    if (t->marks != NULL) {
        t->marks[row] = 0;
    }
    if (t->free_count == t->free_capacity) {
        t->free_rows =
            must_grow(t->free_rows, sizeof *t->free_rows, t->free_count, &t->free_capacity, 64);
    }
    t->free_rows[t->free_count++] = row;
    t->live--;
}
