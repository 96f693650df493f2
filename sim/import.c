/*
 * Files in, a trace out: what each file is, whose clock it has, then the parts in their order.
 *
 * All files of one broker have one clock. A file that names several brokers (collected somewhere,
 * or what `kcsim logs` prints) has a clock of its own. Lines without an id of a node are those of
 * the node that the file names most.
 */
#include "sim/import.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/import_state.h"

enum { ZOOKEEPER = -1, SEVERAL = -2, NODES_SEEN_MAX = 64 };

/* ---- whose file ---- */

struct seen {
    int32_t node;
    uint64_t lines;
};

/* The node that most lines name; SEVERAL where there are more than one that say much. */
static int32_t owner_of(const struct sim_entries *source, int32_t *most)
{
    struct seen seen[NODES_SEEN_MAX];
    size_t count = 0, best = 0;
    for (size_t i = 0; i < source->count; i++) {
        size_t k = 0;
        if (source->at[i].node < 0)
            continue;
        while (k < count && seen[k].node != source->at[i].node)
            k++;
        if (k == NODES_SEEN_MAX)
            continue;
        if (k == count)
            seen[count++] = (struct seen){.node = source->at[i].node};
        seen[k].lines++;
        if (seen[k].lines > seen[best].lines)
            best = k;
    }
    *most = count > 0 ? seen[best].node : -1;
    return count > 1 ? SEVERAL : *most;
}

static uint32_t clock_of(struct sim_import_report *r, int32_t node)
{
    for (uint32_t i = 0; i < r->clock_count; i++)
        if (r->clocks[i].node == node)
            return i;
    if (r->clock_count == SIM_IMPORT_CLOCKS_MAX)
        return SIM_IMPORT_CLOCKS_MAX;
    r->clocks[r->clock_count] = (struct sim_import_clock){.node = node};
    return r->clock_count++;
}

static bool settle_source(struct sim_importer *im, struct sim_entries *source, uint32_t input)
{
    int32_t most = -1, owner = source->is_zookeeper ? ZOOKEEPER : owner_of(source, &most);
    if (!source->is_zookeeper && owner == -1)
        sim_import_note(im, input, 0,
                        "no line says whose log this is; its lines are kept, and say nothing");
    source->clock = clock_of(im->report, owner == -1 && !source->is_zookeeper ? SEVERAL : owner);
    if (source->clock == SIM_IMPORT_CLOCKS_MAX)
        return sim_import_refuse(im, input, 0, "logs of more than %d brokers",
                                 SIM_IMPORT_CLOCKS_MAX);
    im->report->clocks[source->clock].lines += source->count;
    int64_t first = 0;
    for (size_t i = 0; i < source->count && first == 0; i++)
        first = source->at[i].t != INT64_MIN ? source->at[i].t : 0;
    for (size_t i = 0; i < source->count; i++) {
        struct sim_entry *e = &source->at[i];
        if (e->t == INT64_MIN)
            e->t = e->latest = first;
        if (e->node < 0 && !source->is_zookeeper)
            e->node = most;
        if (first != 0 && e->t > first)
            first = e->t;
    }
    return true;
}

/* ---- reading ---- */

static bool read_input(struct sim_importer *im, uint32_t input)
{
    const struct sim_import_input *in = &im->inputs[input];
    struct sim_entries source = {0};
    bool ok = true;
    if (in->size == 0)
        return sim_import_refuse(im, input, 0, "the file is empty");
    switch (sim_import_kind_of(in->bytes, in->size)) {
    case SIM_IMPORT_LOG:
        ok = sim_import_lines(im, input, &source);
        break;
    case SIM_IMPORT_TRANSACTIONS:
        source.is_zookeeper = true;
        ok = sim_import_transactions(im, input, &source);
        break;
    case SIM_IMPORT_RAW:
        source.is_zookeeper = true;
        ok = sim_import_raw(im, input, &source);
        break;
    case SIM_IMPORT_OTHER:
    case SIM_IMPORT_GZIP:
        ok = sim_import_refuse(
            im, input, 1,
            "neither lines of log4j nor transactions of ZooKeeper are in the first 200 "
            "lines");
        break;
    }
    if (ok && source.count > 0)
        ok = settle_source(im, &source, input);
    if (!ok || source.count == 0) {
        free(source.at);
        return ok;
    }
    im->sources =
        sim_grow(im->sources, &im->source_capacity, im->source_count + 1, sizeof(*im->sources));
    im->sources[im->source_count++] = source;
    return true;
}

/* ZooKeeper's clock where there is one, for it orders what all others only hear of; else the
 * longest log. */
static void choose_reference(struct sim_import_report *r)
{
    for (uint32_t i = 0; i < r->clock_count; i++) {
        const struct sim_import_clock *best = &r->clocks[r->reference], *clock = &r->clocks[i];
        if (best->node != ZOOKEEPER && (clock->node == ZOOKEEPER || clock->lines > best->lines))
            r->reference = i;
    }
}

struct sim_trace *sim_import(const struct sim_import_input *inputs, size_t count,
                             const struct sim_import_options *options,
                             struct sim_import_report *report, char *error, size_t capacity)
{
    struct sim_importer im = {.inputs = inputs,
                              .options = options,
                              .report = report,
                              .error = error,
                              .error_capacity = capacity};
    struct sim_trace *trace = NULL;
    bool ok = true;
    memset(report, 0, sizeof(*report));
    if (capacity > 0)
        error[0] = '\0';
    for (size_t i = 0; ok && i < count; i++)
        ok = read_input(&im, (uint32_t)i);
    if (ok && im.source_count == 0) {
        snprintf(error, capacity, "there is nothing in %s to import",
                 count == 1 ? inputs[0].name : "the files");
        ok = false;
    }
    if (ok) {
        choose_reference(report);
        sim_import_clocks(&im);
        trace = sim_import_story(&im);
    }
    for (size_t i = 0; i < im.source_count; i++)
        free(im.sources[i].at);
    free(im.sources);
    return trace;
}
