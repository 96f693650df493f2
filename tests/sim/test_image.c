/*
 * Copies of worlds over the whole corpus, and twelve seeds of each campaign.
 *
 *     play ───── copy ─── digests d1 d2 d3 … of the next events
 *                  └─restore── the same events again: d1 d2 d3 …
 *
 * Moments are drawn; one image serves all worlds, so that it has held others. At the end the trace
 * must be that of a world that was never copied, and whose memory is malloc's.
 */
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/check.h"
#include "sim/diagnostics.h"
#include "sim/image.h"
#include "sim/random.h"
#include "sim/scenario.h"
#include "sim/world.h"

enum { AGAIN = 400, EVERY = 5, LOOKS = AGAIN / EVERY, CAMPAIGN_SEEDS = 12 };

static unsigned bad, copies;
static struct sim_image *image, *other;

static bool may_go_on(struct sim_world *w, const struct sim_scenario *s)
{
    return !(s->until_quiet && sim_world_is_over(w)) && sim_world_next(w) <= s->until_us;
}

static void fail(const struct sim_scenario *s, uint64_t seed, uint64_t event, const char *what)
{
    if (bad++ < 40)
        printf("%s seed %llu, after %llu events: %s\n", s->file, (unsigned long long)seed,
               (unsigned long long)event, what);
}

/* Goes on, and looks now and then; returns how often it looked. */
static unsigned look(struct sim_world *w, const struct sim_scenario *s, uint64_t digest[LOOKS])
{
    unsigned looks = 0;
    for (unsigned i = 0; i < AGAIN && may_go_on(w, s) && sim_world_step(w); i++)
        if (i % EVERY == 0)
            digest[looks++] = sim_world_digest(w) ^ sim_trace_digest(sim_world_trace(w));
    return looks;
}

/* Plays on, goes back, plays on again; the world is then where it would be without. */
static void there_and_back(struct sim_world *w, const struct sim_scenario *s, uint64_t seed)
{
    uint64_t event = sim_world_counts(w).events;
    uint64_t first[LOOKS], second[LOOKS], begun = sim_world_digest(w);
    copies++;
    sim_world_copy(w, image);
    if (sim_world_digest(w) != begun)
        fail(s, seed, event, "a copy changes the world");
    unsigned looks = look(w, s, first);
    if (!sim_world_is_told(w))
        fail(s, seed, event, "a block has changed that was not told to");
    sim_world_copy(w, other); /* a future, thrown away */
    uint64_t ended = sim_world_digest(w);
    sim_world_restore(w, image);
    if (sim_world_digest(w) != begun)
        fail(s, seed, event, "restored, it is not what it was");
    if (look(w, s, second) != looks || memcmp(first, second, looks * sizeof(*first)) != 0)
        fail(s, seed, event, "restored, it goes another way");
    sim_world_restore(w, other);
    if (sim_world_digest(w) != ended)
        fail(s, seed, event, "the end of the first way is not what it was");
    sim_world_restore(w, image);
    if (sim_world_digest(w) != begun)
        fail(s, seed, event, "restored twice, it is not what it was");
}

static uint64_t play(const struct sim_scenario *s, uint64_t seed, bool copied)
{
    struct sim_world_options options = sim_world_options_default();
    struct sim_random_state random;
    struct sim_trace *trace = NULL;
    options.seed = seed;
    options.checks = SIM_CHECKS_ON;
    options.copies = copied;
    options.own_trace = SIM_TRACE_DIGEST;
    options.wire = seed % 4 == 3;
    if (!copied)
        options.trace = trace =
            sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_DIGEST});
    sim_random_seed(&random, seed ^ 0xc0b1e5);
    struct sim_world *w = sim_world_new(&options);
    sim_world_load(w, s);
    uint64_t next = sim_random_below(&random, 300);
    while (may_go_on(w, s) && sim_world_step(w))
        if (copied && sim_world_counts(w).events >= next) {
            there_and_back(w, s, seed);
            next = sim_world_counts(w).events * 2 + sim_random_below(&random, 1000);
        }
    sim_world_checks_end(w);
    uint64_t digest = sim_trace_digest(sim_world_trace(w));
    sim_world_free(w);
    sim_trace_free(trace);
    return digest;
}

static void check_file(const char *file)
{
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    struct sim_scenario *s = sim_scenario_load(file, &d);
    bool is_campaign = strstr(file, "/campaigns/") != NULL;
    for (uint64_t i = 0; s != NULL && i < (is_campaign ? CAMPAIGN_SEEDS : 1); i++) {
        uint64_t seed = is_campaign ? i + 1 : s->seed;
        if (play(s, seed, true) != play(s, seed, false))
            fail(s, seed, 0, "the trace is another one than without copies");
    }
    bad += s == NULL;
    sim_scenario_free(s);
    sim_diagnostics_free(&d);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

int main(int argc, char **argv)
{
    static char corpus[] = KC_SOURCE_DIR "/scenarios";
    char *default_roots[] = {corpus, NULL};
    unsigned files = 0;
    image = sim_image_new();
    other = sim_image_new();
    FTS *fts = fts_open(argc > 1 ? argv + 1 : default_roots, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    FTSENT *e;
    while (fts != NULL && (e = fts_read(fts)) != NULL) {
        const char *dot = strrchr(e->fts_name, '.');
        if (e->fts_info != FTS_F || dot == NULL || strcmp(dot, ".yaml") != 0)
            continue;
        files++;
        check_file(e->fts_path);
    }
    if (fts != NULL)
        fts_close(fts);
    sim_image_free(image);
    sim_image_free(other);
    printf("%u scenarios, %u copies, %u bad\n", files, copies, bad);
    return bad != 0 || files == 0 || (argc == 1 && copies == 0);
}
