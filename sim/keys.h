/*
 * Names numbered at first use: 0, 1, 2… The numbers follow from the order of the calls alone; the
 * hash table behind them answers look-ups and is never walked. Internal to sim/.
 */
#ifndef SIM_KEYS_H
#define SIM_KEYS_H

#include <stddef.h>
#include <stdint.h>

struct sim_keys {
    uint32_t count, slot_count; /* slots: a power of two, 0 at first */
    uint32_t *slots;            /* id + 1, 0 free */
    uint64_t *hashes;           /* [id] */
    size_t *names;              /* [id], offset into text */
    uint32_t names_capacity;
    char *text;
    size_t text_size, text_capacity;
};

#define SIM_NO_KEY UINT32_MAX

/* Returns the number of `name` (size bytes, no NUL inside), given now where it is new. */
uint32_t sim_keys_intern(struct sim_keys *k, const char *name, size_t size);
/* Returns its number, or SIM_NO_KEY. */
uint32_t sim_keys_find(const struct sim_keys *k, const char *name, size_t size);
/* Returns the name; aliases *k until the next intern. */
const char *sim_keys_name(const struct sim_keys *k, uint32_t id);
void sim_keys_clear(struct sim_keys *k);

/* realloc that ends the process where memory is short; doubles *capacity (in elements) until `need`
   fits. */
void *sim_grow(void *block, size_t *capacity, size_t need, size_t element);

#endif
