/*
 * The one source of chance of a world: xoshiro256**, seeded through splitmix64.
 *
 * Every draw is a statement of its own: two draws in one full expression would happen in an order
 * that the compiler picks.
 *
 * Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators" (2019).
 */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <assert.h>
#include <stdint.h>

struct sim_random_state {
    uint64_t s[4];
};

static inline uint64_t sim_random_mix(uint64_t *x)
{
    uint64_t z = (*x += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline void sim_random_seed(struct sim_random_state *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        r->s[i] = sim_random_mix(&seed);
}

static inline uint64_t sim_random_rotate(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

static inline uint64_t sim_random_next(struct sim_random_state *r)
{
    uint64_t *s = r->s, result = sim_random_rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = sim_random_rotate(s[3], 45);
    return result;
}

/* Returns a number of 0 … n-1 (n > 0), each as likely as the others. */
static inline uint64_t sim_random_below(struct sim_random_state *r, uint64_t n)
{
    uint64_t x, limit = UINT64_MAX - UINT64_MAX % n;
    assert(n > 0);
    do
        x = sim_random_next(r);
    while (x >= limit);
    return x % n;
}

#endif
