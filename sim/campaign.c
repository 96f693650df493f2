/*
 * Campaigns: shards, identity, outcomes, the tally. See campaign_file.c for results files.
 *
 * The tally is a list of classes with a count each: failures of a campaign fall into few classes,
 * or something is so wrong that the first hundred say all of it. A class is (scenario, exit code,
 * text, known defect); its first member is the one of the lowest seed, whichever came first in
 * time.
 */
#include "sim/campaign.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "sim/allocate.h"

/* ---- shards and seeds ---- */

static bool read_number(const char **text, uint64_t *out)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    unsigned long long value = strtoull(*text, &end, 10);
    if (errno != 0 || value > INT64_MAX)
        return false;
    *out = value;
    *text = end;
    return true;
}

bool sim_shard_parse(const char *text, uint32_t index, struct sim_shard *shard)
{
    uint64_t i = index, n;
    if (*text != '/' && !read_number(&text, &i))
        return false;
    if (*text++ != '/' || !read_number(&text, &n) || *text != '\0')
        return false;
    if (n < 1 || n > UINT32_MAX || i < 1 || i > n)
        return false;
    *shard = (struct sim_shard){.index = (uint32_t)i, .count = (uint32_t)n};
    return true;
}

bool sim_seeds_parse(const char *text, uint64_t *first, uint64_t *last)
{
    *first = 1;
    if (!read_number(&text, last))
        return false;
    if (*text == '\0')
        return *last >= 1;
    *first = *last;
    if (strncmp(text, "..", 2) != 0)
        return false;
    text += 2;
    return read_number(&text, last) && *text == '\0' && *last >= *first;
}

/* ---- identity ---- */

static char *copy_text(const char *text)
{
    return sim_copy(text, strlen(text) + 1);
}

void sim_campaign_add_file(struct sim_campaign *c, const char *name, const void *bytes, size_t size)
{
    c->files = sim_realloc(c->files, (c->file_count + 1) * sizeof(*c->files));
    c->files[c->file_count++] =
        (struct sim_campaign_file){.name = copy_text(name), .digest = XXH3_64bits(bytes, size)};
}

uint32_t sim_campaign_add_seen(struct sim_campaign *c, const char *name)
{
    for (uint32_t i = 0; i < c->seen_count; i++)
        if (strcmp(c->seen[i], name) == 0)
            return i;
    if (c->seen_count == SIM_SEEN_MAX)
        return SIM_SEEN_MAX;
    c->seen = sim_realloc(c->seen, (c->seen_count + 1) * sizeof(*c->seen));
    c->seen[c->seen_count] = copy_text(name);
    return c->seen_count++;
}

void sim_campaign_free(struct sim_campaign *c)
{
    for (uint32_t i = 0; i < c->file_count; i++)
        free(c->files[i].name);
    for (uint32_t i = 0; i < c->seen_count; i++)
        free(c->seen[i]);
    free(c->files);
    free(c->seen);
    *c = (struct sim_campaign){0};
}

/* Scenarios are the same where their bytes are; where they lie does not matter. */
static bool same_files(const struct sim_campaign *a, const struct sim_campaign *b)
{
    if (a->file_count != b->file_count)
        return false;
    for (uint32_t i = 0; i < a->file_count; i++)
        if (a->files[i].digest != b->files[i].digest)
            return false;
    return true;
}

static bool same_seen(const struct sim_campaign *a, const struct sim_campaign *b)
{
    if (a->seen_count != b->seen_count)
        return false;
    for (uint32_t i = 0; i < a->seen_count; i++)
        if (strcmp(a->seen[i], b->seen[i]) != 0)
            return false;
    return true;
}

const char *sim_campaign_differ(const struct sim_campaign *a, const struct sim_campaign *b)
{
    if (strcmp(a->version, b->version) != 0)
        return "it was played by another version of kcsim";
    if (a->build != b->build)
        return "it was played by another build of kcsim";
    if (!same_files(a, b))
        return "its scenarios are others, or have been changed";
    if (a->swarm != b->swarm)
        return "its --swarm is another";
    if (a->wire != b->wire)
        return "only one of them was played with --wire";
    if (a->until_us != b->until_us)
        return "its --until is another";
    return same_seen(a, b) ? NULL : "what should be seen in it is something else";
}

/* ---- outcomes ---- */

bool sim_played_is_failure(const struct sim_played *o)
{
    return o->exit == SIM_EXIT_FAILED || (o->exit != SIM_EXIT_MET && o->defect[0] == '\0');
}

bool sim_played_is_stopped(const struct sim_played *o)
{
    return o->exit == SIM_EXIT_UNDECIDED && o->records == 0;
}

const char *sim_played_reproduce(char *out, size_t capacity, const struct sim_campaign *c,
                                 const struct sim_played *o)
{
    char until[48] = "";
    if (c->until_us >= 0)
        snprintf(until, sizeof(until), " --until %" PRId64 "us", c->until_us);
    snprintf(out, capacity, "kcsim run %s --seed %" PRIu64 "%s%s%s", c->files[o->file].name,
             o->seed,
             c->swarm < 0   ? ""
             : c->swarm > 0 ? " --swarm on"
                            : " --swarm off",
             c->wire ? " --wire" : "", until);
    return out;
}

/* ---- tally ---- */

static bool is_of(const struct sim_class *k, const struct sim_played *o)
{
    return k->file == o->file && k->exit == o->exit && strcmp(k->what, o->what) == 0 &&
           strcmp(k->defect, o->defect) == 0;
}

static struct sim_class *class_of(struct sim_tally *t, const struct sim_played *o)
{
    for (uint32_t i = 0; i < t->class_count; i++)
        if (is_of(&t->classes[i], o))
            return &t->classes[i];
    if (t->class_count == t->class_capacity) {
        t->class_capacity = t->class_capacity * 2 + 8;
        t->classes = sim_realloc(t->classes, t->class_capacity * sizeof(*t->classes));
    }
    struct sim_class *k = &t->classes[t->class_count++];
    *k = (struct sim_class){.file = o->file, .exit = o->exit, .first = *o};
    memcpy(k->what, o->what, sizeof(k->what));
    memcpy(k->defect, o->defect, sizeof(k->defect));
    return k;
}

bool sim_tally_add(struct sim_tally *t, const struct sim_played *o)
{
    t->runs++;
    for (uint32_t i = 0; i < SIM_SEEN_MAX; i++)
        t->seen[i] += o->seen[i] > 0;
    if (o->exit == SIM_EXIT_MET) {
        t->met++;
        return false;
    }
    if (sim_played_is_failure(o)) {
        t->failures++;
        t->of_exit[o->exit & 0xff]++;
    } else {
        t->explained++;
    }
    struct sim_class *k = class_of(t, o);
    if (o->seed < k->first.seed)
        k->first = *o;
    return ++k->count == 1;
}

static int by_count(const void *x, const void *y)
{
    const struct sim_class *a = x, *b = y;
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    int order = strcmp(a->what, b->what);
    if (order == 0)
        order = strcmp(a->defect, b->defect);
    return order != 0 ? order : a->exit - b->exit;
}

void sim_tally_sort(struct sim_tally *t)
{
    if (t->class_count > 0)
        qsort(t->classes, t->class_count, sizeof(*t->classes), by_count);
}

void sim_tally_free(struct sim_tally *t)
{
    free(t->classes);
    *t = (struct sim_tally){0};
}

enum sim_exit sim_tally_exit(const struct sim_tally *t, uint64_t missing, bool vacuous)
{
    static const enum sim_exit worst_first[] = {SIM_EXIT_SOFTWARE, SIM_EXIT_VIOLATED,
                                                SIM_EXIT_FAILED, SIM_EXIT_UNDECIDED};
    for (size_t i = 0; i < sizeof(worst_first) / sizeof(worst_first[0]); i++)
        if (t->of_exit[worst_first[i]] > 0)
            return worst_first[i];
    return missing > 0 || vacuous ? SIM_EXIT_UNDECIDED : SIM_EXIT_MET;
}
