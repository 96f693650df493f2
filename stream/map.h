/*
 * Map state: the entries of all keys of one state lie in one table, found by (owner, map key);
 * those of one owner are linked in the order in which they were put in.
 *
 *     owner's head:  first, last, count
 *     entry:         | owner, map key | before, behind, touched | value |
 *
 * So a key with one entry costs an entry, one with a million is no list to walk through, and there
 * is no memory a key. The owner is the number of the key's row, which does not change.
 *
 * Source: Flink MapState, HeapMapState.
 */
#ifndef STREAM_MAP_H
#define STREAM_MAP_H

#include "stream/table.h"
#include "stream/task.h"

/* Of one owner; zero bytes: empty. Entries are rows + 1 of the table, 0: none. */
struct map_head {
    uint32_t first, last, count, unused;
};

struct map {
    const st_state *state;
    struct key_reader reader; /* of {owner, map key} */
    struct layout key, value;
    struct table entries;
};

/* Broadcast state: a map of the subtask, of one owner, 0. */
struct broadcast {
    struct map map;
    struct map_head head;
};

/* Of a state that options.c has found right. `pool` is borrowed until map_close. */
void map_open(struct map *map, const st_state *state, struct memory_pool *pool);
void map_close(struct map *map);

/* The entry of a key, 0: there is none. */
uint32_t map_find(const struct map *map, uint32_t owner, const void *key);
/* Copies key and value in; the value may be that of the entry. */
void map_put(struct map *map, struct map_head *head, uint32_t owner, const void *key,
             const void *value, int64_t now_ms);
void map_remove(struct map *map, struct map_head *head, uint32_t entry);
void map_clear(struct map *map, struct map_head *head);
/* The entry behind this one, 0: it is the last; of 0 the first. */
uint32_t map_behind(const struct map *map, const struct map_head *head, uint32_t entry);
const void *map_key(const struct map *map, uint32_t entry);
const void *map_value(const struct map *map, uint32_t entry);
int64_t map_touched(const struct map *map, uint32_t entry);
void map_touch(struct map *map, uint32_t entry, int64_t now_ms);

#endif
