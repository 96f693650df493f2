/*
 * Moments are the times at which something happened that a person would name: a fault, a session's
 * end, an election, a move of a machine, an ISR. Where there are too many, every k-th is taken
 * first; then the gap in which the last way back was lost is looked into again, as closely as
 * moments lie.
 */
#include "cli/branch_graph.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "sim/moment.h"
#include "sim/narrate.h"

struct moment {
    int64_t t_us;
    uint64_t record;
    unsigned bad;
    bool chosen, counted;
};

bool cli_graph_is_bad(const struct cli_play *play, uint32_t bad)
{
    if (bad != 0)
        return sim_expect_judgement(play->expectations, bad - 1)->outcome == SIM_MET;
    return sim_result_is_violated(&play->result) || sim_verdict(&play->result) != SIM_EXIT_MET;
}

static bool is_turning(const struct sim_record *r)
{
    return r->kind == SIM_K_FAULT || r->kind == SIM_K_SESSION || r->kind == SIM_K_DECIDE ||
           r->kind == SIM_K_MOVE || r->kind == SIM_K_REPLICA;
}

/* Stores the moments, one a time; returns how many. */
static size_t moments_of(const struct sim_trace *trace, struct moment **moments)
{
    size_t count = 0, capacity = 0;
    struct sim_record r;
    *moments = NULL;
    for (uint64_t n = 1; sim_trace_get(trace, n, &r); n++) {
        if (!is_turning(&r) || (count > 0 && (*moments)[count - 1].t_us == r.t))
            continue;
        if (count == capacity) {
            capacity = capacity == 0 ? 64 : capacity * 2;
            *moments = realloc(*moments, capacity * sizeof(**moments));
            if (*moments == NULL)
                abort();
        }
        (*moments)[count++] = (struct moment){.t_us = r.t, .record = n};
    }
    return count;
}

/* Marks `most` of those that are wanted between first and last (inclusive) as evenly as can be. */
static void choose(struct moment *moments, size_t first, size_t last, size_t most)
{
    size_t count = last - first + 1;
    if (count <= most)
        most = count;
    for (size_t i = 0; i < most; i++)
        moments[most == 1 ? first : first + i * (count - 1) / (most - 1)].chosen = true;
}

static bool count_bad(struct moment *m, struct sim_scenario *scenario,
                      const struct cli_play_options *play, const struct cli_graph_options *options)
{
    for (unsigned i = 0; i < options->seeds; i++) {
        struct cli_play other;
        struct cli_play_options again = *play;
        again.unexplained = true;
        again.has_reseed = true;
        again.reseed_at_us = m->t_us;
        again.reseed = (play->has_seed ? play->seed : scenario->seed) + 1 + i;
        cli_play_scenario(&other, scenario, &again);
        m->bad += cli_graph_is_bad(&other, options->bad);
        cli_play_free(&other);
        if (cli_is_interrupted())
            return false;
    }
    return true;
}

static bool count_chosen(struct moment *moments, size_t count, struct sim_scenario *scenario,
                         const struct cli_play_options *play,
                         const struct cli_graph_options *options)
{
    for (size_t i = 0; i < count; i++) {
        if (!moments[i].chosen || moments[i].counted)
            continue;
        if (!count_bad(&moments[i], scenario, play, options))
            return false;
        moments[i].counted = true;
    }
    return true;
}

/* The first moment looked at from which on all runs end badly, `count` where there is none; stores
   the one looked at before it in `before` (count: none). */
static size_t no_return(const struct moment *moments, size_t count, unsigned seeds, size_t *before)
{
    size_t first = count, i = count;
    *before = count;
    while (i > 0) {
        i--;
        if (moments[i].counted && moments[i].bad < seeds) {
            *before = i;
            break;
        }
        if (moments[i].counted)
            first = i;
    }
    return first;
}

static void print_bar(FILE *out, unsigned bad, unsigned seeds)
{
    enum { WIDTH = 10 };
    unsigned full = bad * WIDTH / seeds;
    for (unsigned i = 0; i < WIDTH; i++)
        fputs(i < full ? "█" : "░", out);
}

static void print_people(FILE *out, const struct cli_play *run, const struct moment *moments,
                         size_t count, const struct cli_graph_options *options)
{
    size_t before, last = no_return(moments, count, options->seeds, &before);
    char time[SIM_TIME_TEXT], text[72];
    struct sim_record r;
    fprintf(out, "The bad end, of %u runs from each moment on with other delays:\n\n",
            options->seeds);
    for (size_t i = 0; i < count; i++) {
        if (!moments[i].counted)
            continue;
        fprintf(out, "%12s  ", sim_time_text(time, moments[i].t_us));
        print_bar(out, moments[i].bad, options->seeds);
        fprintf(out, "  %3u  ", moments[i].bad);
        if (sim_trace_get(run->trace, moments[i].record, &r))
            sim_narrate(&r, text, sizeof(text));
        fprintf(out, "%s\n", text);
    }
    if (before == count && last < count)
        fputs("\nIt comes from the first moment on: the steps decide it, not chance.\n", out);
    else if (last == count)
        fputs("\nThere was a way back to the end.\n", out);
    else
        fprintf(out, "\nThe point of no return: record %" PRIu64 ", %s.\n", moments[last].record,
                sim_time_text(time, moments[last].t_us));
}

static void print_json(FILE *out, const struct moment *moments, size_t count,
                       const struct cli_graph_options *options)
{
    size_t before, last = no_return(moments, count, options->seeds, &before);
    const char *comma = "";
    fprintf(out, "{\"seeds\":%u,\"moments\":[", options->seeds);
    for (size_t i = 0; i < count; i++) {
        if (!moments[i].counted)
            continue;
        fprintf(out, "%s{\"t\":%" PRId64 ",\"n\":%" PRIu64 ",\"bad\":%u}", comma, moments[i].t_us,
                moments[i].record, moments[i].bad);
        comma = ",";
    }
    fputs("],\"no_return\":", out);
    if (last == count)
        fputs("null}\n", out);
    else
        fprintf(out, "%" PRIu64 "}\n", moments[last].record);
}

bool cli_branch_graph(FILE *out, const struct cli_play *run, struct sim_scenario *scenario,
                      const struct cli_play_options *play, const struct cli_graph_options *options)
{
    struct moment *moments;
    size_t count = moments_of(run->trace, &moments);
    bool whole = true;
    if (count > 0) {
        choose(moments, 0, count - 1, options->moments);
        whole = count_chosen(moments, count, scenario, play, options);
    }
    size_t before, last = no_return(moments, count, options->seeds, &before);
    if (whole && before < count && last < count && last - before > 1) {
        choose(moments, before + 1, last - 1, options->moments);
        whole = count_chosen(moments, count, scenario, play, options);
    }
    if (whole && options->json)
        print_json(out, moments, count, options);
    else if (whole)
        print_people(out, run, moments, count, options);
    free(moments);
    return whole;
}
