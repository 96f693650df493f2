/*
 * The same jobs as one would write them by hand in C: one thread, one loop, arrays for state. What
 * the runtime is compared with.
 *
 *     loops JOB EVENTS KEYS
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "event.h"

static void *huge(size_t size)
{
    void *memory = aligned_alloc((size_t)2 << 20, (size + ((size_t)2 << 20) - 1) >> 21 << 21);
    if (memory == NULL) {
        abort();
    }
    madvise(memory, size, MADV_HUGEPAGE);
    return memset(memory, 0, size);
}

static uint64_t loop_a(uint64_t events, uint64_t keys)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < events; i++) {
        event e;
        event_make(i, keys, &e);
        int64_t value = e.value * 3 + 1;
        sum += (value & 1) == 0 ? (uint64_t)value : 0;
    }
    return sum;
}

/* Keys are dense: the state is an array. */
static uint64_t loop_b(uint64_t events, uint64_t keys)
{
    int64_t *sums = huge(keys * sizeof *sums);
    uint64_t sum = 0;
    for (uint64_t i = 0; i < events; i++) {
        event e;
        event_make(i, keys, &e);
        sum += (uint64_t)(sums[e.key] += e.value);
    }
    return sum;
}

/* Windows in a ring, each an array of counts. */
static uint64_t loop_c(uint64_t events, uint64_t keys, int64_t size_ms)
{
    enum { RING = 8 };
    uint32_t *counts = huge(RING * keys * sizeof *counts);
    int64_t fired = -1; /* the last window whose end has passed; -1000 … -1 is in window -1 */
    int64_t max = INT64_MIN;
    uint64_t sum = 0;
    for (uint64_t i = 0; i <= events; i++) {
        event e;
        event_make(i, keys, &e);
        max = e.time > max ? e.time : max;
        int64_t passed = i == events ? max / size_ms + 1 : (max - 1001 + size_ms + 1) / size_ms - 2;
        for (; fired < passed + 1; fired++) {
            uint32_t *window = counts + (uint64_t)(fired & (RING - 1)) * keys;
            for (uint64_t k = 0; k < keys; k++) {
                sum += window[k] == 0
                           ? 0
                           : (uint64_t)window[k] * window[k] + (uint64_t)((fired + 1) * size_ms);
                window[k] = 0;
            }
        }
        if (i < events) {
            int64_t w = (e.time + size_ms) / size_ms - 1;
            counts[(uint64_t)(w & (RING - 1)) * keys + (uint64_t)e.key]++;
        }
    }
    return sum;
}

static double seconds(const struct timeval *t)
{
    return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fputs("usage: loops a|b|c EVENTS KEYS\n", stderr);
        return 64;
    }
    uint64_t events = strtoull(argv[2], NULL, 10), keys = strtoull(argv[3], NULL, 10), sum = 0;
    struct timespec began, ended;
    clock_gettime(CLOCK_MONOTONIC, &began);
    switch (argv[1][0]) {
    case 'a':
        sum = loop_a(events, keys);
        break;
    case 'b':
        sum = loop_b(events, keys);
        break;
    case 'c':
        sum = loop_c(events, keys, keys > 100000 ? 5000 : 1000);
        break;
    default:
        return 64;
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double wall =
        (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9;
    double cpu = seconds(&usage.ru_utime) + seconds(&usage.ru_stime);
    printf("loop  job %s  keys %-8lu  %8.2f M/s  %7.2f CPU ns/event  check %016lx\n", argv[1],
           (unsigned long)keys, (double)events / wall / 1e6, cpu * 1e9 / (double)events,
           (unsigned long)sum);
    return 0;
}
