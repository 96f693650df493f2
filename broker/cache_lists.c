/*
 * Lists of brokers in the metadata cache: equal ones are stored once, with the number of their
 * uses.
 *
 *   list_bucket[] ──► {uses, next, count, ids…} in `words`; a free entry waits in the list of its
 * count
 */
#include "broker/cache_state.h"

#include <assert.h>
#include <string.h>

uint32_t kb_cache_hash(const void *bytes, size_t size)
{
    const uint8_t *b = bytes;
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ b[i]) * 16777619u;
    return h ^ h >> 15;
}

static uint32_t list_slot(const struct kb_cache *c, const int32_t *ids, uint32_t count)
{
    return kb_cache_hash(ids, count * sizeof *ids) & (c->list_buckets - 1);
}

static uint32_t find_list(const struct kb_cache *c, const int32_t *ids, uint32_t count)
{
    const uint32_t *w = kb_cache_words(c);
    for (uint32_t at = kb_cache_list_bucket(c)[list_slot(c, ids, count)]; at != 0; at = w[at + 1])
        if (w[at + 2] == count && memcmp(&w[at + KB_LIST_HEAD], ids, count * sizeof *ids) == 0)
            return at;
    return 0;
}

bool kb_list_use(struct kb_cache *c, const int32_t *ids, uint32_t count, uint32_t *out)
{
    uint32_t *w = kb_cache_words(c);
    *out = 0;
    if (count == 0)
        return true;
    assert(count < KB_LIST_COUNTS);
    uint32_t at = find_list(c, ids, count);
    if (at == 0) {
        at = c->free_list[count];
        if (at != 0)
            c->free_list[count] = w[at + 1];
        else if (c->limits.words - c->word_end < KB_LIST_HEAD + count)
            return false;
        else
            at = c->word_end, c->word_end += KB_LIST_HEAD + count;
        uint32_t *bucket = &kb_cache_list_bucket(c)[list_slot(c, ids, count)];
        w[at] = 0;
        w[at + 1] = *bucket;
        w[at + 2] = count;
        memcpy(&w[at + KB_LIST_HEAD], ids, count * sizeof *ids);
        *bucket = at;
        c->word_live += KB_LIST_HEAD + count;
    }
    w[at]++;
    *out = at;
    return true;
}

void kb_list_drop(struct kb_cache *c, uint32_t at)
{
    uint32_t *w = kb_cache_words(c);
    if (at == 0 || --w[at] > 0)
        return;
    uint32_t count = w[at + 2];
    uint32_t slot = list_slot(c, (const int32_t *)&w[at + KB_LIST_HEAD], count);
    uint32_t *link = &kb_cache_list_bucket(c)[slot];
    while (*link != at)
        link = &w[*link + 1];
    *link = w[at + 1];
    w[at + 1] = c->free_list[count];
    c->free_list[count] = at;
    c->word_live -= KB_LIST_HEAD + count;
}

const int32_t *kb_cache_list(const struct kb_cache *c, uint32_t reference, uint32_t *count)
{
    const uint32_t *w = kb_cache_words(c);
    *count = reference == 0 ? 0 : w[reference + 2];
    return (const int32_t *)&w[reference + KB_LIST_HEAD];
}
