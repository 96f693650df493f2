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

/* Words counted in a table by hash, open addressing; the sum is of the counts as they go up. */
static uint64_t loop_f(uint64_t lines)
{
    enum { SLOTS = 4 * WORDS };
    static struct {
        char text[8];
        uint32_t size;
        uint32_t count;
    } slots[SLOTS];
    char line[LINE_SIZE_MAX + 8];
    uint64_t sum = 0;
    words_make();
    for (uint64_t i = 0; i < lines; i++) {
        uint32_t size = line_make(i, line), from = 0;
        for (uint32_t at = 0; at <= size; at++) {
            if (at < size && line[at] != ' ') {
                continue;
            }
            uint64_t hash = 14695981039346656037u;
            for (uint32_t k = from; k < at; k++) {
                hash = (hash ^ (uint8_t)line[k]) * 1099511628211u;
            }
            uint32_t s = (uint32_t)(hash >> 40) & (SLOTS - 1);
            while (slots[s].size != 0 && (slots[s].size != at - from ||
                                          memcmp(slots[s].text, line + from, at - from) != 0)) {
                s = (s + 1) & (SLOTS - 1);
            }
            if (slots[s].size == 0) {
                slots[s].size = at - from;
                memcpy(slots[s].text, line + from, at - from);
            }
            sum += ++slots[s].count;
            from = at + 1;
        }
    }
    return sum;
}

/* Ten windows a record share panes of a second, merged when a window ends: 10 s every 1 s. */
static uint64_t loop_d(uint64_t events, uint64_t keys)
{
    enum { RING = 16, PANES = 10 };
    const int64_t slide = 1000;
    uint32_t *counts = huge(RING * keys * sizeof *counts);
    int64_t fired = -PANES; /* the next window to fire: of panes fired … fired + 9 */
    int64_t max = INT64_MIN;
    uint64_t sum = 0;
    for (uint64_t i = 0; i <= events; i++) {
        event e;
        event_make(i, keys, &e);
        max = i < events && e.time > max ? e.time : max;
        int64_t last =
            (max + slide) / slide - 1; /* at the end all windows with something in them */
        int64_t until = i == events ? last + 1 : (max - 1000 + slide) / slide - 1 - PANES + 1;
        for (; fired < until; fired++) {
            for (uint64_t k = 0; k < keys; k++) {
                uint64_t count = 0;
                for (int64_t p = fired; p < fired + PANES; p++) {
                    count += p < -1 ? 0 : counts[(uint64_t)(p & (RING - 1)) * keys + k];
                }
                sum += count == 0 ? 0 : count * count + (uint64_t)((fired + PANES) * slide);
            }
            if (fired >= -1) {
                memset(counts + (uint64_t)(fired & (RING - 1)) * keys, 0, keys * sizeof *counts);
            }
        }
        if (i < events) {
            int64_t pane = (e.time + slide) / slide - 1;
            counts[(uint64_t)(pane & (RING - 1)) * keys + (uint64_t)e.key]++;
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
        fputs("usage: loops a|b|c|d|f EVENTS KEYS\n", stderr);
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
    case 'd':
        sum = loop_d(events, keys);
        break;
    case 'f':
        sum = loop_f(events);
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
