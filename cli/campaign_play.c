/*
 * From a run to an outcome. What a failure is called must be the same for the same trouble in
 * another seed: the check and what kind of thing it broke on, or the expectation's line; numbers of
 * brokers and names of partitions are of the one run and go into the detail.
 */
#include "cli/campaign_play.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- what should be seen sometimes ---- */

static bool is_sometimes(const struct sim_expect *x)
{
    return x->modality == SIM_SOMETIMES;
}

static const char *name_of_sometimes(char out[SIM_OUTCOME_TEXT], const struct sim_scenario *s,
                                     const struct sim_expect *x)
{
    const char *slash = strrchr(s->file, '/');
    snprintf(out, SIM_OUTCOME_TEXT, "%s:%u %s", slash != NULL ? slash + 1 : s->file, x->place.line,
             x->text);
    return out;
}

bool cli_campaign_register(struct sim_campaign *c, const struct sim_scenario *s)
{
    char name[SIM_OUTCOME_TEXT];
    for (enum sim_sometimes i = 0; i < SIM_SOMETIMES_END; i++)
        if (sim_campaign_add_seen(c, sim_sometimes_name(i)) == SIM_SEEN_MAX)
            return false;
    for (uint32_t i = 0; i < s->expect_count; i++)
        if (is_sometimes(&s->expect[i]) &&
            sim_campaign_add_seen(c, name_of_sometimes(name, s, &s->expect[i])) == SIM_SEEN_MAX)
            return false;
    return true;
}

static void note_seen(const struct sim_campaign *c, const char *name, uint64_t times,
                      struct sim_played *o)
{
    for (uint32_t i = 0; i < c->seen_count; i++)
        if (strcmp(c->seen[i], name) == 0)
            o->seen[i] += times > UINT32_MAX ? UINT32_MAX : (uint32_t)times;
}

static void note_all_seen(const struct sim_campaign *c, const struct cli_play *p,
                          struct sim_played *o)
{
    char name[SIM_OUTCOME_TEXT];
    const struct sim_scenario *s = p->scenario;
    const struct sim_check_result *checked = p->result.checked;
    for (enum sim_sometimes i = 0; checked != NULL && i < SIM_SOMETIMES_END; i++)
        note_seen(c, sim_sometimes_name(i), checked->seen[i], o);
    for (uint32_t i = 0; i < s->expect_count; i++)
        if (is_sometimes(&s->expect[i]) &&
            sim_expect_judgement(p->expectations, i)->outcome == SIM_MET)
            note_seen(c, name_of_sometimes(name, s, &s->expect[i]), 1, o);
}

/* ---- what went wrong ---- */

/* The first expectation of that outcome, those over all seeds apart; NULL: none. */
static const struct sim_expect *find_expectation(const struct cli_play *p, enum sim_outcome outcome,
                                                 const struct sim_judgement **judgement)
{
    for (uint32_t i = 0; i < p->scenario->expect_count; i++) {
        *judgement = sim_expect_judgement(p->expectations, i);
        if ((*judgement)->outcome == outcome && !is_sometimes(&p->scenario->expect[i]))
            return &p->scenario->expect[i];
    }
    return NULL;
}

static void blame_expectation(struct sim_played *o, enum sim_exit exit_code,
                              const struct sim_expect *x, const struct sim_judgement *j)
{
    o->exit = (int32_t)exit_code;
    snprintf(o->what, sizeof(o->what), "line %u: %.200s", x->place.line, x->text);
    snprintf(o->detail, sizeof(o->detail), "expected %.90s; actual: %.100s", j->expected,
             j->actual);
}

/* "broker 3" is a broker, "orders-0" a partition: with the check, what kind of failure it is. */
static const char *class_of_object(const char *object)
{
    static const char *const words[] = {"broker",  "controller", "node",
                                        "session", "topic",      "znode"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strncmp(object, words[i], strlen(words[i])) == 0)
            return words[i];
    return object[0] == '/' ? "znode" : strchr(object, '-') != NULL ? "partition" : "cluster";
}

static void blame_check(struct sim_played *o, const struct cli_play *p, enum sim_check check)
{
    const struct sim_violation *v = &p->result.checked->violations[check];
    o->exit = SIM_EXIT_VIOLATED;
    snprintf(o->what, sizeof(o->what), "%s %s of a %s", sim_check_number(check),
             sim_check_name(check), class_of_object(v->object));
    snprintf(o->detail, sizeof(o->detail), "%s: %.160s", v->object, v->detail);
}

static void judge(const struct cli_play *p, struct sim_played *o)
{
    const struct sim_judgement *j;
    const struct sim_expect *x;
    o->exit = SIM_EXIT_MET;
    if (p->failed) {
        o->exit = SIM_EXIT_SOFTWARE;
        snprintf(o->what, sizeof(o->what), "%s", sim_world_error(p->world));
    } else if (p->result.violated != NULL) {
        blame_check(o, p, sim_check_named(p->result.violated));
    } else if ((x = find_expectation(p, SIM_FAILED, &j)) != NULL) {
        blame_expectation(o, SIM_EXIT_FAILED, x, j);
    } else if ((x = find_expectation(p, SIM_UNDECIDED, &j)) != NULL) {
        blame_expectation(o, SIM_EXIT_UNDECIDED, x, j);
    } else if (sim_open_reason(&p->result, o->what, sizeof(o->what)) != NULL) {
        o->exit = SIM_EXIT_UNDECIDED;
    }
}

/* ---- what explains it ---- */

static void name_defects(struct sim_played *o, const struct sim_blame *blame)
{
    sim_blame_text(o->defect, sizeof(o->defect), blame);
}

/* A violation that a known defect explains is told where there is nothing worse. */
static void judge_known(const struct cli_play *p, struct sim_played *o)
{
    if (p->result.known_count == 0)
        return;
    blame_check(o, p, p->result.known[0].check);
    name_defects(o, &p->result.known[0].blame);
}

struct replay {
    const struct sim_scenario *scenario;
    const struct cli_play_options *options;
};

/* Whether the scenario is met with just those defects on. */
static bool is_met_with(void *context, uint64_t defects, uint64_t *record)
{
    const struct replay *r = context;
    struct sim_scenario scenario = *r->scenario;
    struct cli_play play;
    struct sim_played o = {0};
    struct cli_play_options options = *r->options;
    options.unnamed = true;
    scenario.profile.defects = defects;
    cli_play_scenario(&play, &scenario, &options);
    judge(&play, &o);
    cli_play_free(&play);
    *record = 0;
    return o.exit == SIM_EXIT_MET;
}

/* An expectation that fails, or an end that does not come, may follow from a known defect, too:
   from one that has already violated a check in this run, most likely. The expectation is told as
   failed all the same, for it is what the user asked. */
static void explain(const struct cli_play *p, const struct cli_play_options *options,
                    struct sim_played *o)
{
    uint64_t suspects = 0;
    if (p->scenario->profile.defects == 0)
        return;
    for (uint32_t i = 0; i < p->result.known_count; i++)
        suspects |= p->result.known[i].blame.defects;
    struct sim_blame blame =
        sim_blame_search(p->scenario->profile.defects, suspects, is_met_with,
                         &(struct replay){.scenario = p->scenario, .options = options});
    if (blame.defects != 0)
        name_defects(o, &blame);
}

/* A cut in the middle of a letter is mended, and nothing stands behind the end: equal outcomes are
   equal bytes. */
static void tidy_text(char *text, size_t capacity)
{
    size_t size = strlen(text);
    if (size == capacity - 1) {
        while (size > 0 && ((unsigned char)text[size - 1] & 0xc0) == 0x80)
            size--;
        if (size > 0 && (unsigned char)text[size - 1] >= 0x80)
            size--;
    }
    memset(text + size, 0, capacity - size);
}

void cli_campaign_play(const struct sim_campaign *c, struct sim_scenario *scenario,
                       const struct cli_play_options *options, struct sim_played *o)
{
    struct cli_play play;
    struct cli_play_options with_seed = *options;
    with_seed.has_seed = true;
    with_seed.seed = o->seed;
    cli_play_scenario(&play, scenario, &with_seed);
    o->digest = play.result.digest;
    o->records = play.result.records;
    o->end_us = play.result.end_us;
    judge(&play, o);
    if (o->exit == SIM_EXIT_MET)
        judge_known(&play, o);
    else if (o->exit == SIM_EXIT_FAILED || o->exit == SIM_EXIT_UNDECIDED)
        explain(&play, &with_seed, o);
    note_all_seen(c, &play, o);
    tidy_text(o->what, sizeof(o->what));
    tidy_text(o->detail, sizeof(o->detail));
    tidy_text(o->defect, sizeof(o->defect));
    cli_play_free(&play);
}
