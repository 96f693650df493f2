/*
 * Each key has a chain of entries, newest first; an entry says which record set the key and where
 * in that record the value stands. Keys are sorted when somebody walks them and there are new ones.
 */
#include "sim/facts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim/trace_store.h"

struct entry {
    uint32_t n;
    uint32_t value_at; /* offset in the payload of record n */
    uint32_t older;    /* entry + 1 of the same key, 0 none */
};

struct sim_facts {
    const struct sim_trace *trace;
    uint64_t done; /* records taken in */
    struct sim_keys keys;
    uint32_t *newest; /* [key] entry + 1 */
    size_t newest_capacity;
    struct entry *entries;
    size_t entry_count, entry_capacity;
    uint32_t *sorted; /* key ids in byte order of the keys */
    size_t sorted_count, sorted_capacity;
};

static void add_entry(struct sim_facts *f, const char *key, size_t size, uint64_t n,
                      uint32_t value_at)
{
    uint32_t known = f->keys.count;
    uint32_t id = sim_keys_intern(&f->keys, key, size);
    f->newest = sim_grow(f->newest, &f->newest_capacity, (size_t)id + 1, sizeof(*f->newest));
    f->entries = sim_grow(f->entries, &f->entry_capacity, f->entry_count + 1, sizeof(*f->entries));
    if (id == known)
        f->newest[id] = 0;
    f->entries[f->entry_count] =
        (struct entry){.n = (uint32_t)n, .value_at = value_at, .older = f->newest[id]};
    f->newest[id] = (uint32_t)++f->entry_count;
}

static void add_record(struct sim_facts *f, const struct sim_record *r)
{
    struct sim_value sets, pair, key;
    struct sim_walk walk = {0};
    if (!sim_record_get(r, SIM_F_SET, &sets))
        return;
    while (sim_list_next(&sets, &walk, &pair)) {
        const uint8_t *value = sim_value_decode(pair.items, pair.items + pair.size, &key);
        add_entry(f, key.text, key.size, r->n, (uint32_t)(value - r->payload));
    }
}

struct sim_facts *sim_facts_new(const struct sim_trace *trace)
{
    struct sim_facts *f = calloc(1, sizeof(*f));
    if (f == NULL)
        abort();
    f->trace = trace;
    sim_facts_update(f);
    return f;
}

void sim_facts_free(struct sim_facts *f)
{
    if (f == NULL)
        return;
    sim_keys_clear(&f->keys);
    free(f->newest);
    free(f->entries);
    free(f->sorted);
    free(f);
}

static void sort(struct sim_facts *f);

void sim_facts_update(struct sim_facts *f)
{
    struct sim_record r;
    while (f->done < sim_trace_count(f->trace) && sim_trace_get(f->trace, f->done + 1, &r)) {
        add_record(f, &r);
        f->done++;
    }
    sort(f);
}

/* ---- looking up ---- */

static void view(const struct sim_facts *f, uint32_t id, uint32_t entry, struct sim_fact *fact)
{
    const struct entry *e = &f->entries[entry - 1];
    struct sim_record r;
    bool found = sim_trace_get(f->trace, e->n, &r);
    assert(found);
    fact->key = sim_keys_name(&f->keys, id);
    fact->n = e->n;
    sim_value_decode(r.payload + e->value_at, r.payload + r.size, &fact->value);
}

/* The entry of `id` that held at record n, 0 none. */
static uint32_t entry_at(const struct sim_facts *f, uint32_t id, uint64_t n)
{
    uint32_t entry = f->newest[id];
    while (entry != 0 && f->entries[entry - 1].n > n)
        entry = f->entries[entry - 1].older;
    return entry;
}

bool sim_facts_get(const struct sim_facts *f, const char *key, uint64_t n, struct sim_fact *fact)
{
    uint32_t id = sim_keys_find(&f->keys, key, strlen(key));
    uint32_t entry = id != SIM_NO_KEY ? entry_at(f, id, n) : 0;
    if (entry == 0)
        return false;
    view(f, id, entry, fact);
    return true;
}

bool sim_facts_have(const struct sim_facts *f, const char *key, uint64_t n, struct sim_fact *fact)
{
    return sim_facts_get(f, key, n, fact) && fact->value.type != SIM_V_NULL;
}

bool sim_facts_before(const struct sim_facts *f, const char *key, uint64_t n, struct sim_fact *fact)
{
    if (fact->n == 1)
        return false;
    return sim_facts_get(f, key, fact->n == 0 ? n : fact->n - 1, fact);
}

/* ---- walking in order ---- */

/* Merge sort, since qsort has no context. Keys are distinct, so there are no ties. */
static void sort_ids(uint32_t *ids, uint32_t *spare, size_t count, const struct sim_keys *keys)
{
    if (count < 2)
        return;
    size_t half = count / 2, left = 0, right = half;
    sort_ids(ids, spare, half, keys);
    sort_ids(ids + half, spare, count - half, keys);
    memcpy(spare, ids, count * sizeof(*ids));
    for (size_t i = 0; i < count; i++) {
        bool take_left =
            left < half && (right == count || strcmp(sim_keys_name(keys, spare[left]),
                                                     sim_keys_name(keys, spare[right])) < 0);
        ids[i] = take_left ? spare[left++] : spare[right++];
    }
}

static void sort(struct sim_facts *f)
{
    if (f->sorted_count == f->keys.count)
        return;
    f->sorted = sim_grow(f->sorted, &f->sorted_capacity, f->keys.count, sizeof(*f->sorted));
    size_t capacity = 0;
    uint32_t *spare = sim_grow(NULL, &capacity, f->keys.count, sizeof(*spare));
    for (size_t id = f->sorted_count; id < f->keys.count; id++)
        f->sorted[id] = (uint32_t)id;
    f->sorted_count = f->keys.count;
    sort_ids(f->sorted, spare, f->sorted_count, &f->keys);
    free(spare);
}

size_t sim_facts_find(const struct sim_facts *f, const char *prefix)
{
    size_t low = 0, high = f->sorted_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(sim_keys_name(&f->keys, f->sorted[middle]), prefix) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool sim_facts_next(const struct sim_facts *f, const char *prefix, uint64_t n,
                    struct sim_fact_walk *walk, struct sim_fact *fact)
{
    if (!walk->begun)
        *walk = (struct sim_fact_walk){.at = sim_facts_find(f, prefix), .begun = true};
    for (; walk->at < f->sorted_count; walk->at++) {
        uint32_t id = f->sorted[walk->at];
        if (strncmp(sim_keys_name(&f->keys, id), prefix, strlen(prefix)) != 0)
            return false;
        uint32_t entry = entry_at(f, id, n);
        if (entry == 0)
            continue;
        view(f, id, entry, fact);
        if (fact->value.type == SIM_V_NULL)
            continue;
        walk->at++;
        return true;
    }
    return false;
}

size_t sim_facts_count(const struct sim_facts *f)
{
    return f->sorted_count;
}

const char *sim_facts_key(const struct sim_facts *f, size_t i)
{
    assert(i < f->sorted_count);
    return sim_keys_name(&f->keys, f->sorted[i]);
}

const struct sim_trace *sim_facts_trace(const struct sim_facts *f)
{
    return f->trace;
}
