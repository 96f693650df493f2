/*
 * The keeper in memory: a table by handle, a hash over the bytes from the magic on, and a list of
 * those that may have to go.
 *
 *     entry[handle] ──► {hash, next in bucket, references, size, bytes}
 *     bucket[hash]  ──► handle
 *     loose[]           handles kept or let go since the last sweep (may stand there twice)
 *
 * What is forgotten loses its bytes, not its place: should they come again, in a message that was
 * under way longer than any log had them, they get the handle that they had. Otherwise whoever
 * compares handles (the checks of logs) would take them for another batch.
 */
#include "sim/keeper.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "sim/allocate.h"

enum { SAME_FROM = 16, FIRST_BUCKETS = 1024 };

struct entry {
    uint64_t hash;
    uint64_t next; /* handle, 0 none */
    int64_t references;
    size_t size;
    uint8_t *bytes; /* NULL: gone */
};

struct sim_keeper {
    struct entry *entry;
    uint64_t *bucket, *loose;
    uint64_t high, capacity, buckets, loose_count, loose_capacity, count;
};

static uint64_t hash_of(const uint8_t *bytes, size_t size)
{
    return XXH3_64bits(bytes + SAME_FROM, size - SAME_FROM);
}

struct sim_keeper *sim_keeper_new(void)
{
    struct sim_keeper *k = sim_alloc(sizeof *k);
    k->buckets = FIRST_BUCKETS;
    k->bucket = sim_block(sim_alloc(k->buckets * sizeof *k->bucket));
    return k;
}

void sim_keeper_free(struct sim_keeper *k)
{
    if (k == NULL)
        return;
    for (uint64_t i = 0; i < k->high; i++)
        sim_free(k->entry[i].bytes);
    sim_free(k->entry);
    sim_free(k->bucket);
    sim_free(k->loose);
    sim_free(k);
}

uint64_t sim_keeper_count(const struct sim_keeper *k)
{
    return k->count;
}

/* ---- room ---- */

static void need_entry(struct sim_keeper *k)
{
    if (k->high < k->capacity)
        return;
    k->capacity = k->capacity == 0 ? 256 : k->capacity * 2;
    k->entry = sim_block(sim_realloc(k->entry, k->capacity * sizeof *k->entry));
}

static void add_loose(struct sim_keeper *k, uint64_t payload)
{
    if (k->loose_count == k->loose_capacity) {
        k->loose_capacity = k->loose_capacity == 0 ? 256 : k->loose_capacity * 2;
        k->loose = sim_realloc(k->loose, k->loose_capacity * sizeof *k->loose);
    }
    k->loose[k->loose_count++] = payload;
}

static void widen(struct sim_keeper *k)
{
    uint64_t buckets = k->buckets * 2;
    if (k->high <= k->buckets)
        return;
    uint64_t *larger = sim_block(sim_alloc(buckets * sizeof *larger));
    sim_free(k->bucket);
    k->bucket = larger;
    k->buckets = buckets;
    for (uint64_t i = 0; i < k->high; i++) {
        k->entry[i].next = larger[k->entry[i].hash % buckets];
        larger[k->entry[i].hash % buckets] = i + 1;
    }
}

/* ---- keeping ---- */

/* Of what is gone there is the hash only. */
static uint64_t find(const struct sim_keeper *k, uint64_t hash, const uint8_t *batch, size_t size)
{
    uint64_t at = k->bucket[hash % k->buckets];
    for (; at != 0; at = k->entry[at - 1].next) {
        const struct entry *e = &k->entry[at - 1];
        if (e->hash == hash && e->size == size &&
            (e->bytes == NULL ||
             memcmp(e->bytes + SAME_FROM, batch + SAME_FROM, size - SAME_FROM) == 0))
            return at;
    }
    return 0;
}

static uint64_t new_place(struct sim_keeper *k, uint64_t hash, size_t size)
{
    uint64_t *bucket = &k->bucket[hash % k->buckets];
    sim_touch(k->bucket);
    k->entry[k->high++] = (struct entry){.hash = hash, .next = *bucket, .size = size};
    *bucket = k->high;
    widen(k);
    return k->high;
}

static uint64_t keep(void *context, const uint8_t *batch, size_t size)
{
    struct sim_keeper *k = context;
    assert(size >= SAME_FROM);
    uint64_t hash = hash_of(batch, size), found = find(k, hash, batch, size);
    if (found != 0 && k->entry[found - 1].bytes != NULL)
        return found;
    need_entry(k);
    uint8_t *bytes = sim_copy(batch, size);
    if (found == 0)
        found = new_place(k, hash, size);
    sim_touch(k->entry);
    k->entry[found - 1].bytes = bytes;
    add_loose(k, found);
    k->count++;
    return found;
}

static const uint8_t *read_bytes(void *context, uint64_t payload, size_t *size)
{
    const struct sim_keeper *k = context;
    if (payload == 0 || payload > k->high || k->entry[payload - 1].bytes == NULL)
        return NULL;
    *size = k->entry[payload - 1].size;
    return k->entry[payload - 1].bytes;
}

static void refer(void *context, uint64_t payload, int32_t by)
{
    struct sim_keeper *k = context;
    assert(payload > 0 && payload <= k->high);
    struct entry *e = &k->entry[payload - 1];
    sim_touch(k->entry);
    e->references += by;
    assert(e->references >= 0);
    if (e->references == 0)
        add_loose(k, payload);
}

struct kb_payloads sim_keeper_payloads(struct sim_keeper *k)
{
    return (struct kb_payloads){.keep = keep, .bytes_of = read_bytes, .refer = refer, .context = k};
}

/* ---- forgetting ---- */

static void forget(struct sim_keeper *k, uint64_t payload)
{
    struct entry *e = &k->entry[payload - 1];
    sim_touch(k->entry);
    sim_free(e->bytes);
    e->bytes = NULL;
    k->count--;
}

void sim_keeper_sweep(struct sim_keeper *k)
{
    for (uint64_t i = 0; i < k->loose_count; i++) {
        const struct entry *e = &k->entry[k->loose[i] - 1];
        if (e->references == 0 && e->bytes != NULL)
            forget(k, k->loose[i]);
    }
    k->loose_count = 0;
}
