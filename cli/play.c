/*
 * One run: events of the world, and behind each the records and the moment judged.
 *
 * The loop stops the world at three kinds of times: when the run ends, when an expectation names a
 * time, and between any two events when somebody pressed ^C. Records are shown to the expectations
 * in order and once; a moment is judged after all records of its event.
 *
 * A lesson is played twice: the first run answers its questions, the second has them in its first
 * record. Both have the same records otherwise, so the numbers that the lesson names are right.
 */
#include "cli/play.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/cli.h"

static double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void write_lanes(struct sim_trace *trace, const struct sim_scenario *s)
{
    sim_trace_list_begin(trace, SIM_F_LANES);
    for (uint32_t i = 0; i < s->node_count; i++) {
        static const char *const roles[] = {[SIM_NODE_BOTH] = "controller and broker",
                                            [SIM_NODE_BROKER] = "broker",
                                            [SIM_NODE_CONTROLLER] = "controller"};
        sim_trace_object_begin(trace, SIM_F_NONE);
        sim_trace_int(trace, SIM_F_NODE, s->nodes[i].id);
        sim_trace_text(trace, SIM_F_ROLE, roles[s->nodes[i].role]);
        sim_trace_object_end(trace);
    }
    for (uint32_t i = 0; i < s->client_count; i++) {
        const struct sim_client_spec *c = &s->clients[i];
        bool consumes = c->kind == SIM_CLIENT_CONSUMES;
        sim_trace_object_begin(trace, SIM_F_NONE);
        sim_trace_lane(trace, SIM_F_ID, sim_client_lane(sim_client_id(consumes, c->number)));
        sim_trace_text(trace, SIM_F_NAME, c->name);
        sim_trace_text(trace, SIM_F_ROLE, consumes ? "consumer" : "producer");
        sim_trace_object_end(trace);
    }
    sim_trace_list_end(trace);
}

static void write_expectations(struct sim_trace *trace, const struct sim_scenario *s)
{
    sim_trace_list_begin(trace, SIM_F_EXPECT);
    for (uint32_t i = 0; i < s->expect_count; i++)
        sim_trace_text(trace, SIM_F_NONE, s->expect[i].text);
    sim_trace_list_end(trace);
}

/* So that the run can be played again where the files are not. */
static void write_files(struct sim_trace *trace, const struct sim_scenario *s)
{
    if (s->file_count == 0)
        return;
    sim_trace_list_begin(trace, SIM_F_FILES);
    for (uint32_t i = 0; i < s->file_count; i++) {
        sim_trace_list_begin(trace, SIM_F_NONE);
        sim_trace_text(trace, SIM_F_NONE, s->files[i].path);
        sim_trace_bytes(trace, SIM_F_NONE, s->files[i].text, s->files[i].size);
        sim_trace_list_end(trace);
    }
    sim_trace_list_end(trace);
}

static void write_meta(struct sim_trace *trace, const char *file, const struct sim_scenario *s,
                       const struct sim_lesson *lesson, uint64_t seed)
{
    if (!sim_trace_meta_begin(trace, seed, s != NULL ? sm_version_name(s->version) : "2.8"))
        return;
    sim_trace_text(trace, SIM_F_VERSION, KCSIM_VERSION);
    /* Its name without folders: the trace must not depend on where one stands. */
    const char *slash = strrchr(file, '/');
    sim_trace_text(trace, SIM_F_FILE, slash != NULL ? slash + 1 : file);
    if (s != NULL) {
        if (s->title != NULL)
            sim_trace_text(trace, SIM_F_TITLE, s->title);
        if (s->question != NULL)
            sim_trace_text(trace, SIM_F_QUESTION, s->question);
        sim_trace_bytes(trace, SIM_F_SCENARIO, s->text, s->text_size);
        write_files(trace, s);
        write_lanes(trace, s);
        write_expectations(trace, s);
    }
    if (lesson != NULL)
        sim_lesson_meta(trace, lesson);
    sim_trace_end(trace);
}

void cli_play_meta(struct sim_trace *trace, const char *file, const struct sim_scenario *s,
                   uint64_t seed)
{
    write_meta(trace, file, s, NULL, seed);
}

/* Shows the expectations what has been recorded since `*seen`. */
static void judge_records(struct cli_play *p, uint64_t *seen)
{
    uint64_t count = sim_trace_count(p->trace);
    while (*seen < count) {
        struct sim_record record;
        if (sim_trace_get(p->trace, ++*seen, &record))
            sim_expect_record(p->expectations, p->trace, &record);
    }
}

static void judge(struct cli_play *p, uint64_t *seen)
{
    judge_records(p, seen);
    struct sim_view view = sim_world_view(p->world);
    sim_expect_moment(p->expectations, sim_world_now(p->world), *seen, &view);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static enum sim_ending play_until_end(struct cli_play *p, const struct cli_play_options *o,
                                      int64_t until_us, bool until_quiet, uint64_t *seen)
{
    bool reseeds = o->has_reseed;
    for (;;) {
        if (cli_is_interrupted())
            return SIM_ENDED_INTERRUPTED;
        if (until_quiet && sim_world_is_over(p->world))
            return SIM_ENDED_QUIET;
        if (until_quiet && sim_trace_count(p->trace) > SIM_HORIZON_RECORDS)
            return SIM_ENDED_AT_HORIZON;
        int64_t now = sim_world_now(p->world);
        int64_t next = sim_world_next(p->world);
        int64_t stop = earlier(until_us, sim_expect_next(p->expectations, now));
        if (reseeds && next > o->reseed_at_us) {
            sim_world_reseed(p->world, o->reseed);
            reseeds = false;
        }
        if (next > stop) {
            /* Nothing happens until then: only time passes, and the moment is judged. */
            if (!sim_world_run(p->world, stop))
                return SIM_ENDED_AT_HORIZON;
            judge(p, seen);
            if (stop == until_us)
                return until_quiet ? SIM_ENDED_AT_HORIZON : SIM_ENDED_AT_UNTIL;
            continue;
        }
        if (!sim_world_step(p->world))
            return SIM_ENDED_AT_HORIZON;
        judge(p, seen);
    }
}

/* What is known of the violations, behind all that happened. */
static void record_known(struct cli_play *p)
{
    char text[200];
    for (uint32_t i = 0; i < p->result.known_count; i++) {
        const struct sim_known *k = &p->result.known[i];
        const struct sim_violation *v = &p->result.checked->violations[k->check];
        sim_trace_check(p->trace, p->result.end_us, v->record, sim_check_name(k->check), false,
                        sim_blame_text(text, sizeof text, &k->blame), NULL, 0);
    }
}

static void write_judgement(struct sim_trace *trace, const struct sim_judgement *j)
{
    sim_trace_object_begin(trace, SIM_F_NONE);
    sim_trace_text(trace, SIM_F_VERDICT, sim_outcome_name(j->outcome));
    if (j->record != 0) {
        sim_trace_list_begin(trace, SIM_F_REFS);
        sim_trace_int(trace, SIM_F_NONE, (int64_t)j->record);
        sim_trace_list_end(trace);
    }
    if (j->outcome != SIM_MET) {
        sim_trace_text(trace, SIM_F_WANT, j->expected);
        sim_trace_text(trace, SIM_F_HAVE, j->actual);
    }
    sim_trace_object_end(trace);
}

/* The last record, with what became of the expectations. */
static void record_end(struct cli_play *p)
{
    struct sim_result *r = &p->result;
    if (!sim_trace_finish_begin(p->trace, r->end_us, sim_verdict_name(sim_verdict(r)), &r->digest))
        return;
    sim_trace_list_begin(p->trace, SIM_F_EXPECT);
    for (uint32_t i = 0; i < p->scenario->expect_count; i++)
        write_judgement(p->trace, sim_expect_judgement(p->expectations, i));
    sim_trace_list_end(p->trace);
    sim_trace_end(p->trace);
}

static void run_world(struct cli_play *p, const struct cli_play_options *o)
{
    const struct sim_scenario *s = p->scenario;
    struct sim_world_options options = sim_world_options_default();
    options.seed = o->has_seed ? o->seed : s->seed;
    options.trace = p->trace;
    options.notes = o->log_trace ? KC_NOTE_ALL : KC_NOTE_ALL & ~(uint32_t)KC_NOTE_LOG_TRACE;
    options.checks = SIM_CHECKS_ON;
    options.wire = o->wire;
    p->world = sim_world_new(&options);
    write_meta(p->trace, s->file, s, p->lesson, options.seed);
    sim_world_load(p->world, s);
    p->expectations = sim_expect_new(s);

    uint64_t seen = 0;
    int64_t until_us = o->has_until ? o->until_us : s->until_us;
    bool until_quiet = s->until_quiet && !o->has_until;
    judge(p, &seen);
    enum sim_ending ending = play_until_end(p, o, until_us, until_quiet, &seen);
    sim_world_checks_end(p->world);
    judge_records(p, &seen);
    struct sim_view view = sim_world_view(p->world);
    sim_expect_end(p->expectations, sim_world_now(p->world), seen, &view, ending);

    p->failed = sim_world_error(p->world) != NULL;
    if (p->failed)
        cli_error("%s: %s", s->file, sim_world_error(p->world));
    p->clients = sim_client_report_new(p->world);
    p->result = (struct sim_result){
        .scenario = s,
        .clients = p->clients,
        .expectations = p->expectations,
        .ending = ending,
        .end_us = sim_world_now(p->world),
        .seed = options.seed,
        .seed_given = o->has_seed,
        .until_given = o->has_until,
        .swarm = o->swarm,
        .wire = o->wire,
        .never_fired = sim_world_never_fired(p->world),
        .checked = sim_world_checked(p->world),
    };
    if (!o->unexplained)
        sim_result_explain(&p->result, !o->unnamed);
    record_known(p);
    record_end(p);
    p->result.records = sim_trace_count(p->trace);
}

bool cli_play_file(struct cli_play *p, const char *file, const struct cli_play_options *options,
                   struct sim_diagnostics *diagnostics)
{
    *p = (struct cli_play){0};
    double began = now_seconds();
    struct sim_scenario *scenario = sim_scenario_load(file, diagnostics);
    if (scenario == NULL)
        return false;
    cli_play_scenario(p, scenario, options);
    p->owns_scenario = true;
    p->result.wall_seconds = now_seconds() - began;
    return true;
}

static void free_run(struct cli_play *p)
{
    sim_client_report_free(p->clients);
    sim_expect_free(p->expectations);
    sim_world_free(p->world);
    sim_trace_free(p->trace);
}

/* Answers the questions of a lesson by a run of its own. */
static void answer_lesson(struct cli_play *p, const struct cli_play_options *options)
{
    struct sim_diagnostics diagnostics;
    sim_diagnostics_init(&diagnostics);
    p->trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    run_world(p, options);
    const bool whole = p->result.ending != SIM_ENDED_INTERRUPTED;
    struct sim_lesson *lesson = whole ? sim_lesson_new(p->scenario, p->trace, &diagnostics) : NULL;
    fflush(stdout);
    sim_diagnostics_print(&diagnostics, stderr, sim_color_wanted(SIM_COLOR_AUTO, stderr));
    sim_diagnostics_free(&diagnostics);
    free_run(p);
    *p = (struct cli_play){
        .scenario = p->scenario, .lesson = lesson, .unanswered = whole && lesson == NULL};
}

void cli_play_scenario(struct cli_play *p, struct sim_scenario *scenario,
                       const struct cli_play_options *options)
{
    *p = (struct cli_play){.scenario = scenario};
    if (options->swarm != NULL)
        scenario->random.swarm = strcmp(options->swarm, "on") == 0;
    if (scenario->lesson != NULL && !cli_is_interrupted())
        answer_lesson(p, options);
    p->trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    run_world(p, options);
}

void cli_play_free(struct cli_play *p)
{
    free_run(p);
    sim_lesson_free(p->lesson);
    if (p->owns_scenario)
        sim_scenario_free(p->scenario);
    *p = (struct cli_play){0};
}

enum sim_exit cli_play_exit(const struct cli_play *p)
{
    if (p->failed)
        return SIM_EXIT_SOFTWARE;
    return p->unanswered ? cli_worse(sim_verdict(&p->result), SIM_EXIT_DATA)
                         : sim_verdict(&p->result);
}

enum sim_exit cli_worse(enum sim_exit a, enum sim_exit b)
{
    static const enum sim_exit worst_first[] = {
        SIM_EXIT_INTERRUPTED, SIM_EXIT_SOFTWARE, SIM_EXIT_USAGE,     SIM_EXIT_DATA,
        SIM_EXIT_VIOLATED,    SIM_EXIT_FAILED,   SIM_EXIT_UNDECIDED, SIM_EXIT_MET};
    for (size_t i = 0; i < sizeof worst_first / sizeof worst_first[0]; i++)
        if (a == worst_first[i] || b == worst_first[i])
            return worst_first[i];
    return a;
}

/* ---- files ---- */

struct files {
    char **names;
    size_t count, capacity;
};

static void files_add(struct files *f, const char *name)
{
    if (f->count + 1 >= f->capacity) {
        f->capacity = f->capacity == 0 ? 16 : f->capacity * 2;
        f->names = realloc(f->names, f->capacity * sizeof *f->names);
        if (f->names == NULL)
            abort();
    }
    f->names[f->count] = strdup(name);
    if (f->names[f->count++] == NULL)
        abort();
    f->names[f->count] = NULL;
}

static bool is_scenario(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL && name[0] != '.' && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool walk(struct files *f, char *folder)
{
    char *roots[] = {folder, NULL};
    FTS *fts = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    if (fts == NULL)
        return false;
    size_t before = f->count;
    FTSENT *entry;
    while ((entry = fts_read(fts)) != NULL) {
        if (entry->fts_info == FTS_D && entry->fts_level > 0 && entry->fts_name[0] == '.')
            fts_set(fts, entry, FTS_SKIP);
        if (entry->fts_info == FTS_F && is_scenario(entry->fts_name))
            files_add(f, entry->fts_path);
    }
    fts_close(fts);
    if (f->count == before)
        cli_error("%s: no scenario (*.yaml) in it", folder);
    return f->count > before;
}

char **cli_scenario_files(char *const *names)
{
    struct files f = {0};
    for (; *names != NULL; names++) {
        struct stat st;
        bool good = stat(*names, &st) == 0;
        if (!good)
            cli_error("%s: %s", *names, strerror(errno));
        else if (S_ISDIR(st.st_mode))
            good = walk(&f, *names);
        else
            files_add(&f, *names);
        if (!good) {
            cli_scenario_files_free(f.names);
            return NULL;
        }
    }
    return f.names;
}

void cli_scenario_files_free(char **files)
{
    for (char **f = files; files != NULL && *f != NULL; f++)
        free(*f);
    free(files);
}
