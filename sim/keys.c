/*
 * Names to numbers: open addressing, linear probing, at most half full; names lie one behind the
 * other in one text. Nothing is ever removed.
 */
#include "sim/keys.h"

#include <string.h>

#include <xxhash.h>

#include "sim/allocate.h"

void *sim_grow(void *block, size_t *capacity, size_t need, size_t element)
{
    if (need <= *capacity)
        return block;
    size_t wanted = *capacity > 0 ? *capacity : 64;
    while (wanted < need)
        wanted *= 2;
    block = sim_realloc(block, wanted * element);
    *capacity = wanted;
    return block;
}

static uint32_t find_slot(const struct sim_keys *k, uint64_t hash, const char *name, size_t size)
{
    uint32_t mask = k->slot_count - 1;
    uint32_t at = (uint32_t)hash & mask;
    for (; k->slots[at] != 0; at = (at + 1) & mask) {
        uint32_t id = k->slots[at] - 1;
        const char *known = k->text + k->names[id];
        if (k->hashes[id] == hash && strlen(known) == size && memcmp(known, name, size) == 0)
            break;
    }
    return at;
}

static void double_slots(struct sim_keys *k)
{
    uint32_t count = k->slot_count > 0 ? k->slot_count * 2 : 256;
    sim_free(k->slots);
    k->slots = sim_alloc(count * sizeof(*k->slots));
    k->slot_count = count;
    for (uint32_t id = 0; id < k->count; id++) {
        uint32_t at = (uint32_t)k->hashes[id] & (count - 1);
        while (k->slots[at] != 0)
            at = (at + 1) & (count - 1);
        k->slots[at] = id + 1;
    }
}

static uint32_t append(struct sim_keys *k, uint64_t hash, const char *name, size_t size)
{
    size_t hashes_capacity = k->names_capacity, names_capacity = k->names_capacity;
    k->hashes = sim_grow(k->hashes, &hashes_capacity, (size_t)k->count + 1, sizeof(*k->hashes));
    k->names = sim_grow(k->names, &names_capacity, (size_t)k->count + 1, sizeof(*k->names));
    k->names_capacity = (uint32_t)names_capacity;
    k->text = sim_grow(k->text, &k->text_capacity, k->text_size + size + 1, 1);
    memcpy(k->text + k->text_size, name, size);
    k->text[k->text_size + size] = '\0';
    k->hashes[k->count] = hash;
    k->names[k->count] = k->text_size;
    k->text_size += size + 1;
    return k->count++;
}

uint32_t sim_keys_intern(struct sim_keys *k, const char *name, size_t size)
{
    if (k->count * 2 >= k->slot_count)
        double_slots(k);
    uint64_t hash = XXH3_64bits(name, size);
    uint32_t at = find_slot(k, hash, name, size);
    if (k->slots[at] != 0)
        return k->slots[at] - 1;
    uint32_t id = append(k, hash, name, size);
    k->slots[at] = id + 1;
    return id;
}

uint32_t sim_keys_find(const struct sim_keys *k, const char *name, size_t size)
{
    if (k->slot_count == 0)
        return SIM_NO_KEY;
    uint32_t at = find_slot(k, XXH3_64bits(name, size), name, size);
    return k->slots[at] != 0 ? k->slots[at] - 1 : SIM_NO_KEY;
}

const char *sim_keys_name(const struct sim_keys *k, uint32_t id)
{
    return k->text + k->names[id];
}

void sim_keys_clear(struct sim_keys *k)
{
    sim_free(k->slots);
    sim_free(k->hashes);
    sim_free(k->names);
    sim_free(k->text);
    *k = (struct sim_keys){0};
}
