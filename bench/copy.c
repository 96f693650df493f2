/*
 * What a copy of a small world and its digest cost: 3 brokers, three topics, one producer, one
 * consumer, every check on.
 *
 *     copy [EVENTS]          events that are copied (3,000)
 *
 * After each event the world is hashed and copied into an image that had the event before; every
 * sixteenth time the moment is put back and the event played again, as an explorer would. The times
 * are the means over all of them. The anchor, in the same run: memcpy and hash of 16 KiB.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>
#if defined(__x86_64__)
#include <xxh_x86dispatch.h> /* as sim/heap.c */
#endif

#include "sim/check.h"
#include "sim/diagnostics.h"
#include "sim/image.h"
#include "sim/scenario.h"
#include "sim/world.h"
#include "sim/world_state.h"

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double anchor(void)
{
    enum { SIZE = 16384, TIMES = 20000 };
    static uint8_t from[SIZE], to[SIZE];
    uint64_t sum = 0;
    double begun = now_us();
    for (int i = 0; i < TIMES; i++) {
        from[i % SIZE]++;
        memcpy(to, from, SIZE);
        sum += XXH3_64bits(to, SIZE);
        __asm__ volatile("" : : "r"(to), "r"(sum) : "memory");
    }
    return (now_us() - begun) / TIMES;
}

static struct sim_scenario *scenario(void)
{
    static const char text[] = "title: copy\n"
                               "cluster: {nodes: [1, 2, 3]}\n"
                               "topics:\n"
                               "  orders: {partitions: 3, replication-factor: 3}\n"
                               "  payments: {partitions: 3, replication-factor: 3}\n"
                               "  audit: {partitions: 1, replication-factor: 2}\n"
                               "clients:\n"
                               "  - {produce: orders, rate: 100/s, keys: 100}\n"
                               "  - {consume: orders}\n";
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    struct sim_scenario *s = sim_scenario_parse("bench", text, sizeof(text) - 1, &d);
    sim_diagnostics_print(&d, stderr, false);
    sim_diagnostics_free(&d);
    return s;
}

static void print_regions(const struct sim_world *w)
{
    static const char *const kinds[] = {"free", "plain", "told", "scratch"};
    uint64_t sum[4] = {0};
    for (uint32_t i = 0; i < w->heap->layout.region_count; i++) {
        const struct sim_region *r = &w->heap->region[i];
        uint64_t live = r->live[0].size + r->live[1].size + r->live[2].size;
        sum[r->kind] += r->kind == SIM_REGION_FREE ? r->room : live;
        if (getenv("BENCH_REGIONS") != NULL)
            printf("  region %u: %s, %llu bytes, %llu live\n", i, kinds[r->kind],
                   (unsigned long long)r->size, (unsigned long long)live);
    }
    printf("small things %llu bytes; regions: plain %llu, told %llu, scratch %llu\n",
           (unsigned long long)w->heap->layout.small_end, (unsigned long long)sum[1],
           (unsigned long long)sum[2], (unsigned long long)sum[3]);
}

int main(int argc, char **argv)
{
    long events = argc > 1 ? atol(argv[1]) : 3000;
    struct sim_scenario *s = scenario();
    if (s == NULL)
        return 65;
    struct sim_world_options options = sim_world_options_default();
    options.notes = 0;
    options.checks = SIM_CHECKS_ON;
    options.copies = true;
    struct sim_world *w = sim_world_new(&options);
    struct sim_image *image = sim_image_new();
    sim_world_load(w, s);
    if (!sim_world_run(w, 1000000))
        return 70;
    print_regions(w);
    sim_world_copy(w, image); /* the first one is of everything */
    double step = 0, digest = 0, copy = 0, restore = 0;
    double clock = now_us();
    for (int i = 0; i < 1000; i++)
        now_us();
    clock = (now_us() - clock) / 1000;
    long restores = 0;
    uint64_t sum = 0;
    for (long i = 0; i < events; i++) {
        double at = now_us();
        sim_world_step(w);
        double stepped = now_us();
        sum += sim_world_digest(w);
        double hashed = now_us();
        sim_world_copy(w, image);
        double copied = now_us();
        step += stepped - at, digest += hashed - stepped, copy += copied - hashed;
        if (i % 16 == 15) {
            sim_world_step(w);
            at = now_us();
            sim_world_restore(w, image);
            restore += now_us() - at;
            restores++;
        }
    }
    print_regions(w);
    if (getenv("BENCH_REGIONS") != NULL)
        printf("image %zu bytes, digests %llx\n", sim_image_size(image), (unsigned long long)sum);
    double n = (double)events;
    printf("a step %.2f us; digest %.2f us + copy %.2f us = %.2f us; restore %.2f us; anchor "
           "(memcpy and "
           "hash of 16 KiB) %.2f us\n",
           step / n - clock, digest / n - clock, copy / n - clock, (digest + copy) / n - 2 * clock,
           restores == 0 ? 0 : restore / (double)restores - clock, anchor());
    sim_image_free(image);
    sim_world_free(w);
    sim_scenario_free(s);
    return 0;
}
