/*
 * Same seed, same bytes: runs one scenario over many seeds and prints a digest for each.
 *
 *     determinism SCENARIO [--seeds N] [--from S]     "SEED DIGEST RECORDS" a line
 *     determinism SCENARIO --trace SEED               the trace of one seed, as NDJSON
 *     determinism --diff A B                          the first record in which two traces differ
 *
 * Each seed is run twice in this process. The second time the heap is another one: blocks of odd
 * sizes are taken and some given back first, so that addresses differ, and fresh memory is filled
 * with another byte, so that whoever reads what nobody wrote is found out. Two builds are compared
 * by what they print (run.sh).
 */
#define _GNU_SOURCE /* mallopt */

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/diagnostics.h"
#include "sim/diff.h"
#include "sim/scenario.h"
#include "sim/trace.h"
#include "sim/world.h"
#include "statemachine/profile.h"

/* ---- a run ---- */

static struct sim_scenario *load(const char *file)
{
    struct sim_diagnostics diagnostics;
    sim_diagnostics_init(&diagnostics);
    struct sim_scenario *scenario = sim_scenario_load(file, &diagnostics);
    sim_diagnostics_print(&diagnostics, stderr, false);
    sim_diagnostics_free(&diagnostics);
    return scenario;
}

static struct sim_trace *run(const char *file, uint64_t seed, enum sim_trace_mode mode)
{
    struct sim_scenario *scenario = load(file);
    if (scenario == NULL)
        exit(65);
    struct sim_trace *trace = sim_trace_new(&(struct sim_trace_options){.mode = mode});
    struct sim_world_options options = sim_world_options_default();
    options.seed = seed;
    options.trace = trace;
    options.notes = KC_NOTE_ALL;
    options.delays.drawn = true;
    struct sim_world *world = sim_world_new(&options);
    sim_trace_meta_begin(trace, seed, sm_version_name(scenario->version));
    sim_trace_end(trace);
    sim_world_load(world, scenario);
    if (!sim_world_run(world, scenario->until_us)) {
        fprintf(stderr, "seed %" PRIu64 ": %s\n", seed, sim_world_error(world));
        exit(70);
    }
    sim_trace_finish(trace, sim_world_now(world), "met");
    sim_world_free(world);
    sim_scenario_free(scenario);
    return trace;
}

/* ---- another heap ---- */

enum { BLOCKS = 4000 };

struct heap {
    void *blocks[BLOCKS];
};

/* xorshift; seeded by an address, which differs from process to process. */
static uint64_t chance(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state >> 24;
}

static void shuffle_heap(struct heap *heap)
{
    uint64_t state = (uint64_t)(uintptr_t)heap | 1;
    mallopt(M_PERTURB, (int)(1 + chance(&state) % 254));
    for (size_t i = 0; i < BLOCKS; i++)
        heap->blocks[i] = malloc(1 + chance(&state) % (i % 16 == 0 ? 65536 : 700));
    for (size_t i = 0; i < BLOCKS; i++)
        if (chance(&state) % 2 == 0) {
            free(heap->blocks[i]);
            heap->blocks[i] = NULL;
        }
}

static void restore_heap(struct heap *heap)
{
    for (size_t i = 0; i < BLOCKS; i++)
        free(heap->blocks[i]);
    mallopt(M_PERTURB, 0);
}

/* ---- many seeds ---- */

/* Runs the seed again, on another heap; false, and where they part on stderr, if it is not the
 * same. */
static bool repeats(const char *file, uint64_t seed, uint64_t digest)
{
    struct heap *heap = calloc(1, sizeof(*heap));
    if (heap == NULL)
        abort();
    shuffle_heap(heap);
    struct sim_trace *again = run(file, seed, SIM_TRACE_DIGEST);
    uint64_t other = sim_trace_digest(again);
    sim_trace_free(again);
    if (other != digest) {
        struct sim_trace *b = run(file, seed, SIM_TRACE_KEEP);
        restore_heap(heap);
        struct sim_trace *a = run(file, seed, SIM_TRACE_KEEP);
        fprintf(stderr, "seed %" PRIu64 ": two runs in one process differ\n", seed);
        sim_diff_print(stderr, a, b, "first", "second");
        sim_trace_free(a);
        sim_trace_free(b);
    } else {
        restore_heap(heap);
    }
    free(heap);
    return other == digest;
}

static int print_digests(const char *file, uint64_t from, uint64_t seeds)
{
    int code = 0;
    for (uint64_t seed = from; seed < from + seeds; seed++) {
        struct sim_trace *trace = run(file, seed, SIM_TRACE_DIGEST);
        uint64_t digest = sim_trace_digest(trace);
        printf("%" PRIu64 " %016" PRIx64 " %" PRIu64 "\n", seed, digest, sim_trace_count(trace));
        sim_trace_free(trace);
        if (!repeats(file, seed, digest))
            code = 1;
    }
    return code;
}

static int print_trace(const char *file, uint64_t seed)
{
    struct sim_trace *trace = run(file, seed, SIM_TRACE_KEEP);
    bool written = sim_trace_write(trace, stdout);
    sim_trace_free(trace);
    return written ? 0 : 70;
}

static struct sim_trace *open_trace(const char *file)
{
    bool cut;
    struct sim_trace_error error;
    struct sim_trace *trace = sim_trace_open(file, &cut, &error);
    if (trace == NULL)
        fprintf(stderr, "%s:%" PRIu32 ": %s\n", file, error.line, error.text);
    return trace;
}

static int print_diff(const char *a, const char *b)
{
    struct sim_trace *left = open_trace(a), *right = open_trace(b);
    int code = 65;
    if (left != NULL && right != NULL)
        code = sim_diff_print(stdout, left, right, a, b) ? 0 : 1;
    sim_trace_free(left);
    sim_trace_free(right);
    return code;
}

int main(int argc, char **argv)
{
    uint64_t seeds = 100, from = 1;
    if (argc == 4 && strcmp(argv[1], "--diff") == 0)
        return print_diff(argv[2], argv[3]);
    for (int i = 2; i + 1 < argc; i += 2) {
        uint64_t value = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--trace") == 0)
            return print_trace(argv[1], value);
        if (strcmp(argv[i], "--seeds") == 0)
            seeds = value;
        else if (strcmp(argv[i], "--from") == 0)
            from = value;
    }
    if (argc < 2 || argc % 2 != 0) {
        fprintf(stderr,
                "usage: determinism SCENARIO [--seeds N] [--from S] | SCENARIO --trace SEED | "
                "--diff A B\n");
        return 64;
    }
    return print_digests(argv[1], from, seeds);
}
