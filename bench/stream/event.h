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

/* Lines of 10 words out of 4,096, of 3 to 8 letters, a blank between two. */
#define WORDS         4096
#define WORDS_A_LINE  10
#define LINE_SIZE_MAX 90

static char word_text[WORDS][8];
static uint8_t word_size[WORDS];

static inline void words_make(void)
{
    for (uint32_t w = 0; w < WORDS; w++) {
        uint64_t z = splitmix64(w);
        word_size[w] = (uint8_t)(3 + z % 6);
        for (uint32_t i = 0; i < 8; i++) {
            word_text[w][i] = (char)('a' + (z >> (8 + 5 * i)) % 26);
        }
    }
}

/* The line of that number into `to`; returns its size. */
static inline uint32_t line_make(uint64_t index, char *to)
{
    uint64_t z = splitmix64(index), y = splitmix64(~index);
    char *at = to;
    for (uint32_t i = 0; i < WORDS_A_LINE; i++) {
        uint32_t w = (uint32_t)((i < 5 ? z : y) >> (i % 5 * 12)) & (WORDS - 1);
        __builtin_memcpy(at, word_text[w], 8);
        at += word_size[w];
        *at++ = ' ';
    }
    return (uint32_t)(at - to) - 1;
}

#endif
