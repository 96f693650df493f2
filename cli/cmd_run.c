/*
 * kcsim run FILE…: plays scenarios and tells what happened.
 *
 * For people each file gets its story; for machines (--format) all files go into one report. A
 * recording of the harness (.scn) is played too; --canonical then writes what brokers were sent and
 * what the znodes are in the form that recordings of the real controller have.
 */
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/look.h"
#include "cli/play.h"
#include "cli/watch.h"
#include "sim/moment.h"
#include "sim/scn.h"
#include "sim/story.h"
#include "sim/verdict.h"
#include "ui/page.h"

enum { KEY_SWARM = 256, KEY_WIRE, KEY_REPORT };

struct arguments {
    struct cli_play_options play;
    const char *trace, *report, *canonical, *output;
    enum sim_format format;
    enum sim_color color;
    unsigned lines;
    bool watch;
    char **files;
    int file_count;
};

static bool is_scn(const char *file)
{
    size_t size = strlen(file);
    return size > 4 && strcmp(file + size - 4, ".scn") == 0;
}

/* What --trace and --report ask for; the page is written whatever the verdict is. */
static bool write_files(const struct arguments *a, const struct sim_trace *trace, const char *file)
{
    const struct ui_page_options options = {.name = file};
    bool good = a->trace == NULL || cli_trace_write(a->trace, trace);
    return (a->report == NULL || cli_report_write(a->report, trace, &options)) && good;
}

static void tell(const struct arguments *a, struct cli_play *play, FILE *out)
{
    struct sim_story_options story = {.lines = a->lines, .color = sim_color_wanted(a->color, out)};
    sim_story_print(out, play->trace, &play->result, &story);
}

/* Plays one file. What goes to `out` is its story, or its part of the report. */
static enum sim_exit run_file(const struct arguments *a, const char *file,
                              struct sim_report *report, FILE *out)
{
    struct sim_diagnostics diagnostics;
    struct cli_play play;
    sim_diagnostics_init(&diagnostics);
    enum sim_exit code = SIM_EXIT_DATA;
    bool good = cli_play_file(&play, file, &a->play, &diagnostics);
    sim_diagnostics_print(&diagnostics, stderr, sim_color_wanted(a->color, stderr));
    if (!good) {
        if (a->format != SIM_FORMAT_HUMAN)
            sim_report_bad(report, file, &diagnostics);
        sim_diagnostics_free(&diagnostics);
        return code;
    }
    sim_diagnostics_free(&diagnostics);
    code = cli_play_exit(&play);
    if (!write_files(a, play.trace, file))
        code = SIM_EXIT_SOFTWARE;
    if (a->format == SIM_FORMAT_HUMAN)
        tell(a, &play, out);
    else
        sim_report_add(report, &play.result);
    cli_play_free(&play);
    return code;
}

/* A recording of the harness, as it was recorded: no expectations, so that it is met once played.
 */
static enum sim_exit run_scn(const struct arguments *a, const char *file, FILE *out)
{
    struct sim_scn_error error;
    struct sim_trace *trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    cli_play_meta(trace, file, NULL, a->play.seed);
    bool good =
        sim_scn_run(file, a->canonical,
                    &(struct sim_scn_options){.seed = a->play.seed, .trace = trace}, &error);
    enum sim_exit code = good ? SIM_EXIT_MET : error.is_input ? SIM_EXIT_DATA : SIM_EXIT_SOFTWARE;
    if (!good && error.line > 0)
        cli_error("%s:%u: %s", file, error.line, error.text);
    else if (!good)
        cli_error("%s: %s", file, error.text);
    struct sim_record last = {0};
    sim_trace_get(trace, sim_trace_count(trace), &last);
    uint64_t digest = sim_trace_finish(trace, last.t, good ? "met" : "undecided");
    if (!write_files(a, trace, file))
        code = SIM_EXIT_SOFTWARE;
    if (good)
        fprintf(out, "%s is played: %" PRIu64 " records, digest %016" PRIx64 "%s%s\n", file,
                sim_trace_count(trace), digest, a->canonical != NULL ? "; recorded in " : "",
                a->canonical != NULL ? a->canonical : "");
    sim_trace_free(trace);
    return code;
}

static enum sim_exit run_files(const struct arguments *a, FILE *out)
{
    enum sim_exit code = SIM_EXIT_MET;
    struct sim_report report;
    if (a->format != SIM_FORMAT_HUMAN)
        sim_report_begin(&report, out, a->format, sim_color_wanted(a->color, out));
    for (int i = 0; i < a->file_count && !cli_is_interrupted(); i++) {
        if (i > 0 && a->format == SIM_FORMAT_HUMAN)
            fputc('\n', out);
        code = cli_worse(code, is_scn(a->files[i]) ? run_scn(a, a->files[i], out)
                                                   : run_file(a, a->files[i], &report, out));
    }
    if (a->format != SIM_FORMAT_HUMAN)
        sim_report_end(&report);
    return code;
}

static enum sim_exit run_to_output(const struct arguments *a)
{
    FILE *out = a->output == NULL ? stdout : fopen(a->output, "w");
    if (out == NULL) {
        cli_error("cannot write %s: %s", a->output, strerror(errno));
        return SIM_EXIT_SOFTWARE;
    }
    enum sim_exit code = run_files(a, out);
    if (out != stdout && fclose(out) != 0) {
        cli_error("cannot write %s: %s", a->output, strerror(errno));
        code = SIM_EXIT_SOFTWARE;
    }
    return code;
}

/* Runs whenever a file has changed; its end is ^C. */
static enum sim_exit run_again(const struct arguments *a)
{
    struct cli_watch *watch = cli_watch_new(a->files);
    if (watch == NULL)
        return SIM_EXIT_DATA;
    do {
        run_to_output(a);
        fflush(stdout);
        fputs("\nkcsim: waits for the next change; ^C ends it\n\n", stderr);
    } while (cli_watch_wait(watch));
    cli_watch_free(watch);
    return SIM_EXIT_INTERRUPTED;
}

static bool is_standard(const char *file)
{
    return file != NULL && strcmp(file, "-") == 0;
}

/* What options ask of several files, or of a kind of file, that it cannot give. */
static const char *contradiction(const struct arguments *a)
{
    int scn_count = 0;
    for (int i = 0; i < a->file_count; i++)
        scn_count += is_scn(a->files[i]);
    if (a->trace != NULL && a->file_count > 1)
        return "--trace takes one scenario at a time";
    if (a->canonical != NULL && (a->file_count > 1 || scn_count == 0))
        return "--canonical takes one .scn file";
    if (a->report != NULL && a->file_count > 1)
        return "--report takes one scenario at a time";
    if (is_standard(a->trace) && is_standard(a->report))
        return "--trace - and --report - cannot both go to standard output";
    if (is_standard(a->trace) && a->output == NULL)
        return "--trace - needs --output FILE for the story";
    if (is_standard(a->report) && a->output == NULL)
        return "--report - needs --output FILE for the story";
    if (scn_count > 0 && a->format != SIM_FORMAT_HUMAN)
        return "--format is for scenarios with expectations; a .scn file has none";
    if (scn_count > 0 && a->play.has_until)
        return "--until is for .yaml scenarios; a .scn file says itself how long it waits";
    return NULL;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {.format = SIM_FORMAT_HUMAN};
    cli_parse(command, argc, argv, &a);
    const char *wrong = contradiction(&a);
    if (wrong != NULL) {
        cli_error("%s", wrong);
        return SIM_EXIT_USAGE;
    }
    cli_catch_interrupt();
    return (int)(a.watch ? run_again(&a) : run_to_output(&a));
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 's':
        cli_seed_parse(arg, &a->play.has_seed, &a->play.seed, state);
        return 0;
    case 'u':
        cli_time_parse(arg, &a->play.has_until, &a->play.until_us, state);
        return 0;
    case 't':
        a->trace = arg;
        return 0;
    case KEY_REPORT:
        a->report = arg;
        return 0;
    case 'c':
        a->canonical = arg;
        return 0;
    case KEY_SWARM:
        a->play.swarm = arg;
        if (strcmp(arg, "on") != 0 && strcmp(arg, "off") != 0)
            argp_error(state, "--swarm is on or off, not '%s'", arg);
        return 0;
    case KEY_WIRE:
        a->play.wire = true;
        return 0;
    case 'o':
        a->output = arg;
        return 0;
    case 'w':
        a->watch = true;
        return 0;
    case 'v':
        a->lines = UINT_MAX;
        return 0;
    case 'f':
        if (!sim_format_named(arg, &a->format))
            argp_error(state, "no format '%s'; there are: human, json, ndjson, junit, tap, github",
                       arg);
        return 0;
    case 'C':
        if (!cli_color_named(arg, &a->color))
            argp_error(state, "--color is auto, always or never, not '%s'", arg);
        return 0;
    case ARGP_KEY_ARGS:
        a->files = state->argv + state->next;
        a->file_count = state->argc - state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which scenario? kcsim demo runs one that is here");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {.name = "trace",
     .key = 't',
     .arg = "FILE",
     .doc = "write every record, one JSON object a line"},
    {.name = "report",
     .key = KEY_REPORT,
     .arg = "FILE",
     .doc = "write a page that shows the run in a browser"},
    {.name = "verbose", .key = 'v', .doc = "the whole story, however long"},
    {.name = "watch", .key = 'w', .doc = "run again whenever a file changes, until ^C"},
    {.name = "seed", .key = 's', .arg = "N", .doc = "in place of the scenario's"},
    {.name = "swarm",
     .key = KEY_SWARM,
     .arg = "on|off",
     .doc = "random: the seed switches fault classes off"},
    {.name = "until", .key = 'u', .arg = "TIME", .doc = "in place of the scenario's: 30s, 2m"},
    {.name = "wire",
     .key = KEY_WIRE,
     .doc = "every message travels as bytes of the Kafka protocol"},
    {.name = "format",
     .key = 'f',
     .arg = "FORMAT",
     .doc = "human, json, ndjson, junit, tap, github"},
    {.name = "output", .key = 'o', .arg = "FILE", .doc = "write the story or report there"},
    {.name = "canonical",
     .key = 'c',
     .arg = "DIR",
     .doc = "of a .scn file: write trace.jsonl, effect.jsonl, znodes.jsonl there"},
    {.name = "color", .key = 'C', .arg = "WHEN", .doc = "auto (default), always, never"},
    {0},
};

const struct cli_command cli_run = {
    .name = "run",
    .group = "Run",
    .line = "run scenarios and tell their stories",
    .arguments = "FILE…",
    .examples = "kcsim run scenarios/real/controller-fails-with-a-broker-down.yaml\n"
                "kcsim run my.yaml --trace out.ndjson\n"
                "kcsim run my.yaml --report out.html\n"
                "kcsim run my.yaml --seed 7 --until 30s -v\n"
                "kcsim run scenarios/*.yaml --format junit --output report.xml\n",
    .options = options,
    .parse = parse,
    .run = run,
};
