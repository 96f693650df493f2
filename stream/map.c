/*
 * Entries of map state, see map.h.
 */
#include "stream/map.h"

#include <assert.h>
#include <stdlib.h>

struct links {
    uint32_t before, behind; /* entries, 0: none */
    int64_t touched;
};

#define KEY_AT sizeof(int64_t) /* behind the owner */

/* A reader of {owner, fields of the map's key}: what it makes of a key holds the key's struct. */
static void reader_open(struct map *map)
{
    const st_type *type = map->state->key_type;
    struct key_reader *r = &map->reader;
    *r = (struct key_reader){.count = 1 + type->field_count};
    r->kind[0] = ST_KIND_I64;
    r->size[0] = sizeof(int64_t);
    for (uint32_t f = 0; f < type->field_count; f++) {
        r->kind[f + 1] = type->fields[f].kind;
        r->size[f + 1] = type->fields[f].size;
        r->from[f + 1] = r->to[f + 1] = (uint16_t)(KEY_AT + type->fields[f].offset);
    }
    r->layout.size = round_up_8((uint32_t)KEY_AT + type->size);
    r->layout.text_count = map->key.text_count;
    for (uint32_t t = 0; t < map->key.text_count; t++) {
        r->layout.text[t] = (uint16_t)(KEY_AT + map->key.text[t]);
    }
}

void map_open(struct map *map, const st_state *state, struct memory_pool *pool)
{
    *map = (struct map){.state = state};
    map->key = layout_of(state->key_type);
    map->value = layout_of(state->type);
    reader_open(map);
    struct layout payload = {.size = (uint32_t)sizeof(struct links) + map->value.size,
                             .text_count = map->value.text_count};
    for (uint32_t t = 0; t < map->value.text_count; t++) {
        payload.text[t] = (uint16_t)(sizeof(struct links) + map->value.text[t]);
    }
    table_init(&map->entries, &map->reader, pool, &payload, false);
}

void map_close(struct map *map)
{
    table_free(&map->entries);
}

static const struct links *links_of(const struct map *map, uint32_t entry)
{
    assert(entry > 0);
    return (const struct links *)(const void *)table_payload(&map->entries, entry - 1);
}

/* To be written to. */
static struct links *own_links(struct map *map, uint32_t entry)
{
    assert(entry > 0);
    table_own_row(&map->entries, entry - 1);
    return (struct links *)(void *)table_payload(&map->entries, entry - 1);
}

const void *map_key(const struct map *map, uint32_t entry)
{
    return table_row(&map->entries, entry - 1) + KEY_AT;
}

const void *map_value(const struct map *map, uint32_t entry)
{
    return links_of(map, entry) + 1;
}

int64_t map_touched(const struct map *map, uint32_t entry)
{
    return links_of(map, entry)->touched;
}

void map_touch(struct map *map, uint32_t entry, int64_t now_ms)
{
    own_links(map, entry)->touched = now_ms;
}

/* {owner, key} without undefined bytes; in `space`. */
static void full_key(const struct map *map, uint32_t owner, const void *key, uint64_t *space)
{
    const st_type *type = map->state->key_type;
    char *to = (char *)(void *)space;
    int64_t number = owner;
    memset(to, 0, map->reader.layout.size);
    memcpy(to, &number, sizeof number);
    for (uint32_t f = 0; f < type->field_count; f++) {
        uint16_t at = type->fields[f].offset;
        memcpy(to + KEY_AT + at, (const char *)key + at, type->fields[f].size);
    }
}

#define KEY_SPACE ((KEY_AT + ST_RECORD_SIZE_MAX) / 8 + 1)

uint32_t map_find(const struct map *map, uint32_t owner, const void *key)
{
    uint64_t space[KEY_SPACE];
    full_key(map, owner, key, space);
    uint32_t row = table_find(&map->entries, space);
    return row == ROW_NONE ? 0 : row + 1;
}

static void append(struct map *map, struct map_head *head, uint32_t entry)
{
    struct links *own = own_links(map, entry);
    own->before = head->last;
    own->behind = 0;
    if (head->last != 0) {
        own_links(map, head->last)->behind = entry;
    } else {
        head->first = entry;
    }
    head->last = entry;
    head->count++;
}

void map_put(struct map *map, struct map_head *head, uint32_t owner, const void *key,
             const void *value, int64_t now_ms)
{
    uint64_t space[KEY_SPACE], copy[ST_RECORD_SIZE_MAX / 8 + 1];
    bool is_new;
    full_key(map, owner, key, space);
    memcpy(copy, value, map->value.size);
    if (map->value.text_count > 0 && !record_own_text(&map->value, copy)) {
        abort();
    }
    uint32_t entry = table_find_or_insert_key(&map->entries, space, &is_new) + 1;
    if (is_new) {
        append(map, head, entry);
    } else {
        limbo_take_text(&map->entries.pool->limbo, &map->value, own_links(map, entry) + 1);
    }
    memcpy(own_links(map, entry) + 1, copy, map->value.size);
    map_touch(map, entry, now_ms);
}

void map_remove(struct map *map, struct map_head *head, uint32_t entry)
{
    const struct links own = *links_of(map, entry);
    *(own.before != 0 ? &own_links(map, own.before)->behind : &head->first) = own.behind;
    *(own.behind != 0 ? &own_links(map, own.behind)->before : &head->last) = own.before;
    head->count--;
    table_remove(&map->entries, entry - 1);
}

void map_clear(struct map *map, struct map_head *head)
{
    while (head->first != 0) {
        map_remove(map, head, head->first);
    }
}

uint32_t map_behind(const struct map *map, const struct map_head *head, uint32_t entry)
{
    return entry == 0 ? head->first : links_of(map, entry)->behind;
}
