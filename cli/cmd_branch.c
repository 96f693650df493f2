/*
 * kcsim branch TRACE|SCENARIO: what if.
 *
 * The run is the trace as it was recorded, or the scenario played now; the branch is its scenario
 * with steps added, dropped or moved, played with the same seed. Both are the same up to the first
 * record that the change made different; a trace of another version of kcsim may part earlier, and
 * that is said, because nothing can then be laid to the change.
 */
#include "cli/cli.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/branch_graph.h"
#include "cli/look.h"
#include "cli/play.h"
#include "sim/branch.h"
#include "sim/facts.h"
#include "sim/moment.h"
#include "sim/narrate.h"
#include "sim/scenario_edit.h"
#include "sim/story.h"

enum { EDITS_MAX = 32, MOMENTS = 24, SEEDS = 10 };

enum {
    KEY_ADD = 'a',
    KEY_DROP = 'd',
    KEY_MOVE = 'm',
    KEY_AT = 256,
    KEY_RECORD,
    KEY_SAVE,
    KEY_GRAPH,
    KEY_SEEDS,
    KEY_BAD,
    KEY_FOLDER,
    KEY_REPORT,
};

struct edit {
    int how;          /* KEY_ADD, KEY_DROP, KEY_MOVE */
    const char *what; /* a step; which step */
    int64_t at_us;    /* MOVE */
};

struct arguments {
    const char *file, *trace, *save, *folder, *bad, *report;
    struct cli_moment moment;
    struct cli_play_options play;
    struct edit edits[EDITS_MAX];
    int edit_count;
    unsigned seeds;
    bool graph, json, story;
    enum sim_color color;
};

/* The run, and what is needed to play it again. */
struct origin {
    char *text, *file; /* of the scenario; owned */
    size_t size;
    struct sim_scenario_file *files; /* that it names, as the trace has them; owned, or NULL */
    uint32_t file_count;
    struct sim_trace *trace; /* owned, NULL: a scenario that was played now */
    struct cli_play play;
    bool played;
};

static const struct sim_trace *origin_trace(const struct origin *o)
{
    return o->played ? o->play.trace : o->trace;
}

static void origin_free(struct origin *o)
{
    if (o->played)
        cli_play_free(&o->play);
    sim_trace_free(o->trace);
    free(o->text);
    free(o->file);
    for (uint32_t i = 0; i < o->file_count; i++) {
        free(o->files[i].path);
        free(o->files[i].text);
    }
    free(o->files);
}

static bool is_scenario_file(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

/* Plays a text; prints what is wrong with it. */
static bool play_text(struct cli_play *play, const struct origin *o, const char *text,
                      const struct cli_play_options *options, enum sim_color color)
{
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    struct sim_scenario *scenario =
        sim_scenario_parse_with(o->file, text, strlen(text), o->files, o->file_count, &d);
    sim_diagnostics_print(&d, stderr, sim_color_wanted(color, stderr));
    sim_diagnostics_free(&d);
    if (scenario == NULL)
        return false;
    cli_play_scenario(play, scenario, options);
    play->owns_scenario = true;
    return true;
}

/* A trace of before has none: then they are looked for beside it. */
static void take_files(struct origin *o, const struct sim_record *meta)
{
    struct sim_value list, pair, path, text;
    struct sim_walk walk = {0};
    if (!sim_record_get(meta, SIM_F_FILES, &list) || list.type != SIM_V_LIST)
        return;
    while (sim_list_next(&list, &walk, &pair)) {
        struct sim_walk in = {0};
        if (pair.type != SIM_V_LIST || !sim_list_next(&pair, &in, &path) ||
            !sim_list_next(&pair, &in, &text) || path.type != SIM_V_TEXT || text.type != SIM_V_TEXT)
            continue;
        o->files = realloc(o->files, (o->file_count + 1) * sizeof(*o->files));
        if (o->files == NULL)
            abort();
        o->files[o->file_count++] = (struct sim_scenario_file){
            strndup(path.text, path.size), strndup(text.text, text.size), text.size};
    }
}

static bool take_meta(const struct arguments *a, struct origin *o)
{
    struct sim_record meta;
    struct sim_value text;
    if (!sim_trace_get(o->trace, 1, &meta) || !sim_record_get(&meta, SIM_F_SCENARIO, &text)) {
        cli_error("%s: the trace has no scenario in it, so it cannot be played again", a->file);
        return false;
    }
    const char *name = sim_record_text(&meta, SIM_F_FILE);
    o->size = text.size;
    o->text = strndup(text.text, text.size);
    take_files(o, &meta);
    if (o->text == NULL || asprintf(&o->file, "%s/%s", a->folder != NULL ? a->folder : ".",
                                    name != NULL ? name : "scenario.yaml") < 0)
        abort();
    return true;
}

static bool open_trace(struct arguments *a, struct origin *o)
{
    struct sim_record meta;
    o->trace = cli_trace_open(a->file);
    if (o->trace == NULL || !take_meta(a, o))
        return false;
    if (!a->play.has_seed && sim_trace_get(o->trace, 1, &meta)) {
        a->play.has_seed = true;
        a->play.seed = (uint64_t)sim_record_int(&meta, SIM_F_SEED, 1);
    }
    return true;
}

static bool open_scenario(struct arguments *a, struct origin *o)
{
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    o->played = cli_play_file(&o->play, a->file, &a->play, &d);
    sim_diagnostics_print(&d, stderr, sim_color_wanted(a->color, stderr));
    sim_diagnostics_free(&d);
    if (!o->played)
        return false;
    o->size = o->play.scenario->text_size;
    o->text = strndup(o->play.scenario->text, o->size);
    o->file = strdup(a->file);
    if (o->text == NULL || o->file == NULL)
        abort();
    return true;
}

static bool open_origin(struct arguments *a, struct origin *o)
{
    *o = (struct origin){0};
    bool good = is_scenario_file(a->file) ? open_scenario(a, o) : open_trace(a, o);
    if (!good)
        origin_free(o);
    return good;
}

/* ---- the branch ---- */

static char *edited(const struct arguments *a, const struct origin *o, int64_t at_us)
{
    char *text = strndup(o->text, o->size), error[SIM_EDIT_ERROR];
    if (text == NULL)
        abort();
    for (int i = 0; i < a->edit_count; i++) {
        const struct edit *e = &a->edits[i];
        size_t size = strlen(text);
        char *next = e->how == KEY_ADD ? sim_scenario_add_step(text, size, e->what, at_us, error)
                     : e->how == KEY_DROP
                         ? sim_scenario_drop_step(text, size, e->what, error)
                         : sim_scenario_move_step(text, size, e->what, e->at_us, error);
        free(text);
        text = next;
        if (text == NULL) {
            cli_error("%s: %s", o->file, error);
            return NULL;
        }
    }
    return text;
}

static bool write_file(const char *file, const char *text)
{
    FILE *out = cli_create(file);
    return out != NULL && cli_created(out, file, fputs(text, out) >= 0);
}

static const char *verdict_of(const struct sim_trace *trace)
{
    struct sim_record last;
    const char *verdict = NULL;
    if (sim_trace_get(trace, sim_trace_count(trace), &last))
        verdict = sim_record_text(&last, SIM_F_VERDICT);
    return verdict != NULL ? verdict : "unfinished";
}

/* ---- telling ---- */

static void print_record(const char *head, const struct sim_trace *trace, uint64_t n)
{
    struct sim_record r;
    char text[400], time[SIM_TIME_TEXT];
    if (!sim_trace_get(trace, n, &r)) {
        printf("%s  (its end)\n", head);
        return;
    }
    sim_narrate(&r, text, sizeof(text));
    printf("%s  %11s  record %" PRIu64 ": %s\n", head, sim_time_text(time, r.t), n, text);
}

static void print_rows(const struct sim_branch_rows *rows, const char *before, const char *after)
{
    char time[SIM_TIME_TEXT];
    int wide = (int)strlen("verdict");
    for (size_t i = 0; i < rows->count; i++)
        if ((int)strlen(rows->rows[i].what) > wide)
            wide = (int)strlen(rows->rows[i].what);
    printf("\nhow it ended%*s  %-20s  %-20s  since\n", wide > 12 ? wide - 12 : 0, "", "the run",
           "the branch");
    wide = wide > 12 ? wide : 12;
    if (strcmp(before, after) != 0)
        printf("%-*s  %-20s  %s\n", wide, "verdict", before, after);
    for (size_t i = 0; i < rows->count; i++)
        printf("%-*s  %-20s  %-20s  %s, record %" PRIu64 "%s\n", wide, rows->rows[i].what,
               rows->rows[i].before, rows->rows[i].after, sim_time_text(time, rows->rows[i].t_us),
               rows->rows[i].record, rows->rows[i].in_branch ? "" : " of the run");
    if (rows->count == 0 && strcmp(before, after) == 0)
        puts("all that is compared (controller, leaders, ISRs, processes, acknowledged records) as "
             "in the run");
    if (rows->passing > 0)
        printf("and %zu that differed on the way and ended alike\n", rows->passing);
}

/* Expectations that the branch does not meet. */
static void print_unmet(const struct cli_play *branch)
{
    for (uint32_t i = 0; i < branch->scenario->expect_count; i++) {
        const struct sim_judgement *j = sim_expect_judgement(branch->expectations, i);
        if (j->outcome == SIM_MET)
            continue;
        printf("%s in the branch: %s\n  expected %s\n  actual   %s\n", sim_outcome_name(j->outcome),
               branch->scenario->expect[i].text, j->expected, j->actual);
    }
}

static void print_json(const struct sim_branch_rows *rows, uint64_t parted, const char *before,
                       const char *after)
{
    json_t *list = json_array();
    for (size_t i = 0; i < rows->count; i++) {
        const struct sim_branch_row *row = &rows->rows[i];
        json_array_append_new(list, json_pack("{sI sI ss ss ss ss}", "t", (json_int_t)row->t_us,
                                              "n", (json_int_t)row->record, "in",
                                              row->in_branch ? "branch" : "run", "what", row->what,
                                              "before", row->before, "after", row->after));
    }
    json_t *all = json_pack("{sI ss ss so sI}", "parted", (json_int_t)parted, "before", before,
                            "after", after, "rows", list, "passing", (json_int_t)rows->passing);
    json_dumpf(all, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(all);
}

/* That a process is down needs no asking: it was changed so. */
static const struct sim_branch_row *worth_asking(const struct sim_branch_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        if (strncmp(rows->rows[i].what, "node.", 5) != 0)
            return &rows->rows[i];
    return &rows->rows[0];
}

static void tell(const struct arguments *a, const struct sim_trace *before,
                 const struct cli_play *branch, uint64_t parted)
{
    struct sim_facts *left = sim_facts_new(before), *right = sim_facts_new(branch->trace);
    struct sim_branch_rows rows = {0};
    if (parted != 0)
        rows = sim_branch_compare(left, right, parted);
    if (a->json) {
        print_json(&rows, parted, verdict_of(before), verdict_of(branch->trace));
    } else if (parted == 0) {
        puts("The branch is the run: the change changed nothing.");
    } else {
        print_record("same up to", before, parted - 1);
        print_record("the run   ", before, parted);
        print_record("the branch", branch->trace, parted);
        print_rows(&rows, verdict_of(before), verdict_of(branch->trace));
        print_unmet(branch);
        if (rows.count > 0 && a->trace != NULL)
            printf("\nWhy?  kcsim why %s '%s'\n", a->trace, worth_asking(&rows)->what);
    }
    sim_branch_rows_free(&rows);
    sim_facts_free(left);
    sim_facts_free(right);
    if (a->story) {
        putchar('\n');
        sim_story_print(stdout, branch->trace, &branch->result,
                        &(struct sim_story_options){.color = sim_color_wanted(a->color, stdout)});
    }
}

/* A run that parts from the trace before the change acts is another run. */
static bool is_the_same_run(const struct arguments *a, const struct sim_trace *before,
                            const struct sim_trace *branch, uint64_t parted, int64_t first_us)
{
    struct sim_record r = {0}, s = {0};
    if (parted == 0 || a->edit_count == 0)
        return true;
    bool has = sim_trace_get(before, parted, &r), other = sim_trace_get(branch, parted, &s);
    int64_t t = has && (!other || r.t < s.t) ? r.t : s.t;
    if (t >= first_us)
        return true;
    char time[SIM_TIME_TEXT];
    cli_error("%s: played again, the run is another one from record %" PRIu64 " (%s) on, before "
              "anything was changed; was it recorded by another version of kcsim, or with --wire?",
              a->file, parted, sim_time_text(time, t));
    return false;
}

static int branch(const struct arguments *a, const struct origin *o)
{
    static const char *const names[2] = {"the run", "the branch"};
    const struct sim_trace *before = origin_trace(o);
    struct sim_record r;
    uint64_t n = cli_moment_find(&a->moment, before);
    if (n == 0 || !sim_trace_get(before, n, &r))
        return SIM_EXIT_DATA;
    int64_t at_us = a->moment.has_at ? a->moment.at_us : r.t, first_us = 0;
    if (a->edits[0].how == KEY_ADD && a->edit_count == 1)
        first_us = at_us;
    char *text = edited(a, o, at_us);
    struct cli_play play;
    int code = SIM_EXIT_DATA;
    if (text != NULL && (a->save == NULL || write_file(a->save, text)) &&
        play_text(&play, o, text, &a->play, a->color)) {
        uint64_t parted = sim_branch_parted(before, play.trace);
        if (is_the_same_run(a, before, play.trace, parted, first_us)) {
            code = (int)cli_play_exit(&play);
            if (a->trace != NULL && !cli_trace_write(a->trace, play.trace))
                code = SIM_EXIT_SOFTWARE;
            if (a->report != NULL && !cli_pair_write(a->report, before, play.trace, names))
                code = SIM_EXIT_SOFTWARE;
            tell(a, before, &play, parted);
        }
        cli_play_free(&play);
    }
    free(text);
    return code;
}

/* ---- the graph ---- */

static int graph(const struct arguments *a, const struct origin *o)
{
    struct cli_graph_options options = {.seeds = a->seeds, .moments = MOMENTS, .json = a->json};
    char error[SIM_EDIT_ERROR];
    char *text = a->bad == NULL ? strndup(o->text, o->size)
                                : sim_scenario_add_expectation(o->text, o->size, a->bad, error);
    struct cli_play run;
    if (text == NULL)
        cli_error("%s: %s", o->file, error);
    if (text == NULL || !play_text(&run, o, text, &a->play, a->color)) {
        free(text);
        return SIM_EXIT_DATA;
    }
    options.bad = a->bad != NULL ? run.scenario->expect_count : 0;
    int code = SIM_EXIT_MET;
    if (!cli_graph_is_bad(&run, options.bad)) {
        cli_error("this run does not end badly%s", a->bad != NULL
                                                       ? ": what --bad names is not met in it"
                                                       : ": --bad EXPECTATION says what is bad");
        code = SIM_EXIT_DATA;
    } else if (!cli_branch_graph(stdout, &run, run.scenario, &a->play, &options)) {
        code = SIM_EXIT_INTERRUPTED;
    }
    cli_play_free(&run);
    free(text);
    return code;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {.seeds = SEEDS};
    struct origin o;
    cli_parse(command, argc, argv, &a);
    cli_catch_interrupt();
    if (!open_origin(&a, &o))
        return SIM_EXIT_DATA;
    int code = a.graph ? graph(&a, &o) : branch(&a, &o);
    origin_free(&o);
    return cli_written(code);
}

/* ---- the command line ---- */

static void parse_edit(struct arguments *a, int how, char *arg, struct argp_state *state)
{
    if (a->edit_count == EDITS_MAX)
        argp_error(state, "more than %d changes", EDITS_MAX);
    struct edit *e = &a->edits[a->edit_count++];
    *e = (struct edit){.how = how, .what = arg};
    char *equal = how == KEY_MOVE ? strrchr(arg, '=') : NULL;
    if (how == KEY_MOVE && (equal == NULL || !sim_time_parse(equal + 1, &e->at_us)))
        argp_error(state, "--move takes LINE=TIME or LABEL=TIME, not '%s'", arg);
    else if (equal != NULL)
        *equal = '\0';
}

static void parse_number(const char *arg, unsigned *number, struct argp_state *state)
{
    char *end;
    unsigned long value = strtoul(arg, &end, 10);
    if (arg[0] < '0' || arg[0] > '9' || *end != '\0' || value == 0 || value > 10000)
        argp_error(state, "--seeds takes 1 to 10000, not '%s'", arg);
    *number = (unsigned)value;
}

static void check_whole(const struct arguments *a, struct argp_state *state)
{
    bool adds = false;
    for (int i = 0; i < a->edit_count; i++)
        adds = adds || a->edits[i].how == KEY_ADD;
    if (a->file == NULL)
        argp_error(state, "which trace, or scenario?");
    else if (a->graph &&
             (a->edit_count > 0 || a->save != NULL || a->trace != NULL || a->report != NULL))
        argp_error(state, "--graph asks about the run as it is: no --add, --drop, --move, --save, "
                          "--trace, --report");
    else if (!a->graph && a->edit_count == 0)
        argp_error(state,
                   "what is to be other? --add STEP, --drop LINE, --move LINE=TIME (or --graph)");
    else if (adds && !a->moment.has_at && a->moment.record == 0)
        argp_error(state, "--add needs its moment: --at TIME or --record N");
    else if (a->bad != NULL && !a->graph)
        argp_error(state, "--bad is for --graph");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case KEY_ADD:
    case KEY_DROP:
    case KEY_MOVE:
        parse_edit(a, key, arg, state);
        return 0;
    case KEY_AT:
        cli_moment_at(&a->moment, arg, state);
        return 0;
    case KEY_RECORD:
        cli_moment_record(&a->moment, arg, state);
        return 0;
    case 's':
        cli_seed_parse(arg, &a->play.has_seed, &a->play.seed, state);
        return 0;
    case 'u':
        cli_time_parse(arg, &a->play.has_until, &a->play.until_us, state);
        return 0;
    case 't':
        a->trace = arg;
        return 0;
    case KEY_SAVE:
        a->save = arg;
        return 0;
    case KEY_FOLDER:
        a->folder = arg;
        return 0;
    case KEY_REPORT:
        a->report = arg;
        return 0;
    case KEY_GRAPH:
        a->graph = true;
        return 0;
    case KEY_SEEDS:
        parse_number(arg, &a->seeds, state);
        return 0;
    case KEY_BAD:
        a->bad = arg;
        return 0;
    case 'v':
        a->story = true;
        return 0;
    case 'f':
        a->json = strcmp(arg, "json") == 0;
        if (!a->json && strcmp(arg, "human") != 0)
            argp_error(state, "no format '%s'; there are: human, json", arg);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            return ARGP_ERR_UNKNOWN;
        a->file = arg;
        return 0;
    case ARGP_KEY_END:
        check_whole(a, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {.name = "at", .key = KEY_AT, .arg = "TIME", .doc = "of what is added: 6.4s, 500ms"},
    {.name = "record", .key = KEY_RECORD, .arg = "N", .doc = "the same, by the record of the run"},
    {.name = "add",
     .key = KEY_ADD,
     .arg = "STEP",
     .doc = "a step as scenarios write it: 'kill: 3'"},
    {.name = "drop", .key = KEY_DROP, .arg = "LINE", .doc = "the step of that line, or label"},
    {.name = "move",
     .key = KEY_MOVE,
     .arg = "LINE=TIME",
     .doc = "the step of that line, or label, to that time"},
    {.name = "seed", .key = 's', .arg = "N", .doc = "in place of the scenario's, or the trace's"},
    {.name = "until", .key = 'u', .arg = "TIME", .doc = "in place of the scenario's: 30s, 2m"},
    {.name = "trace", .key = 't', .arg = "FILE", .doc = "write the records of the branch"},
    {.name = "report",
     .key = KEY_REPORT,
     .arg = "FILE",
     .doc = "write a page that shows run and branch, side by side"},
    {.name = "save", .key = KEY_SAVE, .arg = "FILE", .doc = "write the scenario of the branch"},
    {.name = "folder",
     .key = KEY_FOLDER,
     .arg = "DIR",
     .doc = "where files lie that the scenario of a trace names"},
    {.name = "graph",
     .key = KEY_GRAPH,
     .doc = "how often the bad end comes, from each moment on: the point of no return"},
    {.name = "seeds",
     .key = KEY_SEEDS,
     .arg = "N",
     .doc = "runs from each moment of the graph: 10"},
    {.name = "bad",
     .key = KEY_BAD,
     .arg = "EXPECTATION",
     .doc = "the bad end is where this is met: '{at: end, partition: t-0, is: {leader: none}}'"},
    {.name = "verbose", .key = 'v', .doc = "the story of the branch, too"},
    {.name = "format", .key = 'f', .arg = "FORMAT", .doc = "human, json"},
    {0},
};

const struct cli_command cli_branch = {
    .name = "branch",
    .group = "Look at a trace",
    .line = "what if: the same run with one fault more or less",
    .arguments = "TRACE|SCENARIO",
    .examples = "kcsim branch out.ndjson --at 6.4s --add 'kill: 3' --report diff.html\n"
                "kcsim branch my.yaml --drop 12 --trace without.ndjson\n"
                "kcsim branch my.yaml --move victim=9s --save later.yaml\n"
                "kcsim branch my.yaml --graph --seeds 20\n",
    .about = "The exit code is that of the branch: 0 met, 1 failed, 2 undecided, 3 violated; of\n"
             "--graph 0.\n",
    .options = options,
    .parse = parse,
    .run = run,
};
