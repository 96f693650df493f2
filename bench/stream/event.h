/*
 * The events that all programs here work on: splitmix64 of a counter gives key, value and jitter;
 * 1,000 events a millisecond of event time, out of order by less than a second.
 */
#ifndef BENCH_EVENT_H
#define BENCH_EVENT_H

#include <stdint.h>

typedef struct event {
    int64_t key;
    int64_t value;
    int64_t time; /* milliseconds */
} event;

static inline uint64_t splitmix64(uint64_t counter)
{
    uint64_t z = (counter + 1) * UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* Key: uniform below `keys` (the upper half, scaled); value 0 … 1023; jitter 0 … 999 ms. */
static inline void event_make(uint64_t index, uint64_t keys, event *e)
{
    uint64_t z = splitmix64(index);
    e->key = (int64_t)((z >> 32) * keys >> 32);
    e->value = (int64_t)(z & 1023);
    e->time = (int64_t)(index / 1000) - (int64_t)(((z >> 10) & 0x3FFFFF) * 1000 >> 22);
}

#endif
