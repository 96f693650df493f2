/*
 * `random:` of a scenario: how much of what the seed may do, and when.
 *
 *     random: {faults: {kill: 2, reassign: 3}, from: 5s, until: 40s, swarm: on}
 *     random: {faults: all, until: 40s}
 *
 * Counts are an upper bound: with `swarm` the seed switches each class off with probability 1/2.
 * The reader only fills struct sim_random; what is drawn is the business of the world.
 */
#include <string.h>

#include "sim/scenario_read.h"

enum { COUNT_MAX = 10000 };

const char *sim_chaos_name(enum sim_chaos chaos)
{
    static const char *const names[] = {
#define X(name, text, all, what) [SIM_CHAOS_##name] = text,
        SIM_CHAOS_MAP(X)
#undef X
    };
    return chaos < SIM_CHAOS_END ? names[chaos] : NULL;
}

int32_t sim_chaos_of_all(enum sim_chaos chaos)
{
    static const int32_t counts[] = {
#define X(name, text, all, what) [SIM_CHAOS_##name] = all,
        SIM_CHAOS_MAP(X)
#undef X
    };
    return chaos < SIM_CHAOS_END ? counts[chaos] : 0;
}

const char *sim_chaos_text(enum sim_chaos chaos)
{
    static const char *const texts[] = {
#define X(name, text, all, what) [SIM_CHAOS_##name] = what,
        SIM_CHAOS_MAP(X)
#undef X
    };
    return chaos < SIM_CHAOS_END ? texts[chaos] : NULL;
}

static void read_counts(struct sim_reader *r, const struct sim_yaml *node)
{
    struct sim_random *random = &r->s->random;
    if (!sim_read_keys(r, node, SIM_SHAPE_FAULTS, SIM_SHAPE_END))
        return;
    for (enum sim_chaos c = 0; c < SIM_CHAOS_END; c++) {
        const struct sim_yaml *value = sim_yaml_get(node, sim_chaos_name(c));
        if (value != NULL)
            sim_read_int32(r, value, sim_chaos_name(c), 0, COUNT_MAX, &random->count[c]);
    }
}

static void read_faults(struct sim_reader *r, const struct sim_yaml *random,
                        const struct sim_yaml *faults)
{
    if (faults == NULL) {
        sim_error(r->d, random->place,
                  "random draws faults: {faults: {kill: 2, reassign: 1}}, or {faults: all}");
    } else if (faults->kind == SIM_YAML_SCALAR && strcmp(faults->text, "all") == 0) {
        for (enum sim_chaos c = 0; c < SIM_CHAOS_END; c++)
            r->s->random.count[c] = sim_chaos_of_all(c);
    } else {
        read_counts(r, faults);
    }
}

void sim_read_random(struct sim_reader *r, const struct sim_yaml *node)
{
    struct sim_random *random = &r->s->random;
    const struct sim_yaml *value;
    if (node == NULL || !sim_read_keys(r, node, SIM_SHAPE_RANDOM, SIM_SHAPE_END))
        return;
    random->is_on = true;
    random->place = node->place;
    random->until_us = 60000000;
    if ((value = sim_yaml_get(node, "from")) != NULL)
        sim_read_time(r, value, "from", &random->from_us);
    if ((value = sim_yaml_get(node, "until")) != NULL)
        sim_read_time(r, value, "until", &random->until_us);
    if (random->until_us <= random->from_us)
        sim_error(r->d, value != NULL ? value->place : node->place,
                  "until does not lie behind from");
    if ((value = sim_yaml_get(node, "swarm")) != NULL)
        sim_read_bool(r, value, "swarm", &random->swarm);
    sim_read_note_time(r, random->until_us);
    read_faults(r, node, sim_yaml_get(node, "faults"));
}
