/*
 * Numbers that look random and are the same in each run: splitmix64 (Steele, Lea, Flood 2014).
 */
#ifndef TESTS_STREAM_MIX_H
#define TESTS_STREAM_MIX_H

#include <stdint.h>

/* Number `z` of the sequence. */
static inline uint64_t mix(uint64_t z)
{
    z = (z + 1) * UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* The next number of the sequence at *at, which goes on; 0 … below - 1. */
static inline uint64_t draw(uint64_t *at, uint64_t below)
{
    return mix((*at)++) % below;
}

#endif
