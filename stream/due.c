/*
 * Rows with timers in a database, see due.h.
 */
#include "stream/due.h"

#include <string.h>

#include "stream/stream.h"

#define MARK      0xFF /* twice; no key group is that high */
#define HEAD_SIZE 11   /* bytes before the row's key */
#define SIGN      (UINT64_C(1) << 63)

void due_init(struct due due[DUE_KINDS])
{
    for (int kind = 0; kind < DUE_KINDS; kind++) {
        due[kind] = (struct due){.from = ST_TIME_MIN, .next = ST_TIME_MAX};
    }
}

void due_free(struct due due[DUE_KINDS])
{
    for (int kind = 0; kind < DUE_KINDS; kind++) {
        bytes_free(&due[kind].cursor);
    }
}

void due_copy(struct due to[DUE_KINDS], const struct due from[DUE_KINDS])
{
    for (int kind = 0; kind < DUE_KINDS; kind++) {
        to[kind] = (struct due){.from = from[kind].from, .next = from[kind].next};
        bytes_put(&to[kind].cursor, from[kind].cursor.data, from[kind].cursor.size);
    }
}

static void put_head(struct bytes *to, enum due_kind kind, int64_t time)
{
    const unsigned char mark[] = {MARK, MARK, (unsigned char)kind};
    bytes_put(to, mark, sizeof mark);
    bytes_ordered_i64(to, time);
}

static bool is_of_kind(const char *key, size_t key_size, enum due_kind kind)
{
    return key_size >= HEAD_SIZE && (unsigned char)key[0] == MARK &&
           (unsigned char)key[1] == MARK && (unsigned char)key[2] == kind;
}

bool due_read(const char *key, size_t key_size, int64_t *time, const char **row_key,
              size_t *row_key_size)
{
    uint64_t ordered = 0;
    if (!is_of_kind(key, key_size, DUE_EVENT) && !is_of_kind(key, key_size, DUE_PROCESSING)) {
        return false;
    }
    for (int i = 0; i < 8; i++) {
        ordered = ordered << 8 | (unsigned char)key[3 + i];
    }
    *time = (int64_t)(ordered ^ SIGN);
    *row_key = key + HEAD_SIZE;
    *row_key_size = key_size - HEAD_SIZE;
    return true;
}

bool due_put(const struct due *due, enum due_kind kind, int64_t time, const char *key,
             size_t key_size, struct rocks *db, char *why)
{
    struct bytes entry = {0};
    time = time > due->from ? time : due->from;
    put_head(&entry, kind, time < ST_TIME_MAX ? time : ST_TIME_MAX - 1); /* that stands for none */
    bytes_put(&entry, key, key_size);
    bool ok = rocks_put(db, entry.data, entry.size, "", 0, why);
    bytes_free(&entry);
    return ok;
}

bool due_delete_over(const struct due due[DUE_KINDS], struct rocks *db, char *why)
{
    bool ok = true;
    for (int kind = 0; kind < DUE_KINDS && ok; kind++) {
        if (due[kind].cursor.size > 0) {
            struct bytes first = {0};
            put_head(&first, (enum due_kind)kind, ST_TIME_MIN);
            ok = rocks_delete_range(db, first.data, first.size, due[kind].cursor.data,
                                    due[kind].cursor.size, why);
            bytes_free(&first);
        }
    }
    return ok;
}

static void seek_cursor(const struct due *due, enum due_kind kind, struct rocks_walk *walk)
{
    struct bytes first = {0};
    put_head(&first, kind, ST_TIME_MIN);
    const struct bytes *at = due->cursor.size > 0 ? &due->cursor : &first;
    rocks_walk_seek(walk, at->data, at->size);
    bytes_free(&first);
}

/* The entry of the kind that is at hand; false: there are no more. */
static bool entry_at(struct rocks_walk *walk, enum due_kind kind, int64_t *time, const char **key,
                     size_t *key_size)
{
    const char *row_key, *value;
    size_t row_key_size, value_size;
    return rocks_walk_entry(walk, key, key_size, &value, &value_size) &&
           is_of_kind(*key, *key_size, kind) &&
           due_read(*key, *key_size, time, &row_key, &row_key_size);
}

void due_look(struct due due[DUE_KINDS], struct rocks *db)
{
    struct rocks_walk *walk = rocks_walk_begin(db);
    for (int kind = 0; kind < DUE_KINDS; kind++) {
        const char *key;
        size_t size;
        seek_cursor(&due[kind], (enum due_kind)kind, walk);
        if (!entry_at(walk, (enum due_kind)kind, &due[kind].next, &key, &size)) {
            due[kind].next = ST_TIME_MAX;
        }
    }
    rocks_walk_end(walk);
}

void due_pass(struct due *due, enum due_kind kind, int64_t until)
{
    if (until < ST_TIME_MAX - 1) {
        due->from = until + 1;
        due->cursor.size = 0;
        put_head(&due->cursor, kind, due->from);
    }
}

uint32_t due_take(struct due *due, enum due_kind kind, int64_t until, uint32_t max,
                  struct rocks *db, struct bytes *keys, size_t *ends)
{
    struct rocks_walk *walk = rocks_walk_begin(db);
    const char *key;
    size_t size;
    uint32_t count = 0;
    seek_cursor(due, kind, walk);
    bool is_there = entry_at(walk, kind, &due->next, &key, &size);
    while (is_there && due->next <= until && count < max) {
        bytes_put(keys, key + HEAD_SIZE, size - HEAD_SIZE);
        ends[count++] = keys->size;
        rocks_walk_next(walk);
        is_there = entry_at(walk, kind, &due->next, &key, &size);
    }
    if (is_there) {
        due->from = due->next;
        due->cursor.size = 0;
        bytes_put(&due->cursor, key, size);
    } else {
        due->next = ST_TIME_MAX;
    }
    rocks_walk_end(walk);
    return count;
}
