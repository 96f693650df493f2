/*
 * Chance for the tests of the codec: one seeded generator, and batches drawn from it.
 */
#ifndef TESTS_WIRE_DRAW_H
#define TESTS_WIRE_DRAW_H

#include <stdint.h>

#include "wire/messages.h"

/* Starts the generator anew. */
void draw_seed(uint64_t seed);
/* A number below `below`, which is above 0. */
uint32_t draw(uint32_t below);
uint64_t draw_bits(void);

/* A batch of all three kinds: brokers 1 to 6 at most, with bits that are not their ids, `records`
   records of topics that mix, some dead, some for some brokers only. Heap, the caller frees. Every
   broker that leads has an entry, and each broker is a recipient of each kind. */
struct wire_batch *draw_batch(uint32_t records);

#endif
