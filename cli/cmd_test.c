/*
 * kcsim test FILE|DIR…: plays every scenario and says which expectations are met.
 *
 * For people: one line a scenario, and below a line that is not "met" what was expected, what was,
 * and how to see it again. The exit code is the worst of all.
 *
 * A scenario with a golden trace beside it (sim/golden.h) has to behave as that says, too. --update
 * writes goldens, --review asks before it does.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/play.h"
#include "cli/watch.h"
#include "sim/golden.h"
#include "sim/verdict.h"

enum goldens { COMPARE, UPDATE, REVIEW };

enum { KEY_WIRE = 256, OBJECTS_SHOWN = 10, LINES_SHOWN = 5 };

struct arguments {
    enum sim_format format;
    enum sim_color color;
    enum goldens goldens;
    bool watch, wire;
    char **names;
};

struct tally {
    uint32_t met, failed, undecided, bad;
};

static void count(struct tally *t, enum sim_exit code)
{
    if (code == SIM_EXIT_MET)
        t->met++;
    else if (code == SIM_EXIT_UNDECIDED)
        t->undecided++;
    else if (code == SIM_EXIT_DATA)
        t->bad++;
    else
        t->failed++;
}

/* ---- goldens ---- */

/* Whether `file` was named itself, not found in a folder: then --update makes what is not there. */
static bool is_named(const struct arguments *a, const char *file)
{
    for (char **name = a->names; *name != NULL; name++)
        if (strcmp(*name, file) == 0)
            return true;
    return false;
}

static bool ask(const char *question)
{
    char answer[64];
    printf("%s [y/N] ", question);
    fflush(stdout);
    return fgets(answer, sizeof(answer), stdin) != NULL && (*answer == 'y' || *answer == 'Y');
}

static enum sim_exit keep(const struct sim_golden *is, const char *golden, const char *what)
{
    if (!sim_golden_write(is, golden)) {
        cli_error("%s: %s", golden, strerror(errno));
        return SIM_EXIT_DATA;
    }
    printf("%-10s %s\n", what, golden);
    return SIM_EXIT_MET;
}

/* Compares a run with its golden, or writes it. Returns what that makes of the verdict; *text,
   owned: what differs, NULL where nothing does. */
static enum sim_exit judge_golden(const struct arguments *a, const char *file,
                                  const struct sim_trace *trace, char **text)
{
    char golden[4096];
    struct sim_golden was = {0}, is;
    size_t size;
    if (sim_golden_name(golden, sizeof(golden), file) == NULL)
        return SIM_EXIT_MET;
    const bool there = sim_golden_read(&was, golden);
    if (!there && (errno != ENOENT || a->goldens != UPDATE || !is_named(a, file))) {
        if (errno == ENOENT)
            return SIM_EXIT_MET;
        cli_error("%s: %s", golden, strerror(errno));
        return SIM_EXIT_DATA;
    }
    is = sim_golden_of(trace);
    FILE *out = open_memstream(text, &size);
    if (out == NULL)
        abort();
    const bool equal = there && sim_golden_compare(out, &was, &is, OBJECTS_SHOWN, LINES_SHOWN);
    fclose(out);
    enum sim_exit code = equal ? SIM_EXIT_MET : SIM_EXIT_FAILED;
    if (!equal && a->goldens == UPDATE)
        code = keep(&is, golden, there ? "updated" : "made");
    if (!equal && a->goldens == REVIEW) {
        printf("differs    %s\n%s", golden, *text);
        if (ask("keep what is new?"))
            code = keep(&is, golden, "updated");
    }
    if (equal || a->goldens != COMPARE) {
        free(*text);
        *text = NULL;
    }
    sim_golden_free(&was);
    sim_golden_free(&is);
    return code;
}

/* ---- files ---- */

static enum sim_exit test_file(const struct arguments *a, const char *file,
                               struct sim_report *report)
{
    struct sim_diagnostics diagnostics;
    struct cli_play play;
    sim_diagnostics_init(&diagnostics);
    enum sim_exit code = SIM_EXIT_DATA, golden = SIM_EXIT_MET;
    char *differs = NULL;
    bool good =
        cli_play_file(&play, file, &(struct cli_play_options){.wire = a->wire}, &diagnostics);
    bool human = a->format == SIM_FORMAT_HUMAN;
    if (good) {
        golden = judge_golden(a, file, play.trace, &differs);
        play.result.golden = differs;
        code = cli_worse(cli_play_exit(&play), golden);
    }
    if (human)
        printf("%-10s %s\n", good ? sim_verdict_name(code) : "bad file", file);
    sim_diagnostics_print(&diagnostics, stderr, sim_color_wanted(a->color, stderr));
    if (human && good && code != SIM_EXIT_MET)
        sim_verdict_print(stdout, &play.result, sim_color_wanted(a->color, stdout));
    if (!human && good)
        sim_report_add(report, &play.result);
    if (!human && !good)
        sim_report_bad(report, file, &diagnostics);
    sim_diagnostics_free(&diagnostics);
    if (good)
        cli_play_free(&play);
    free(differs);
    return code;
}

static enum sim_exit test_files(const struct arguments *a)
{
    char **files = cli_scenario_files(a->names);
    if (files == NULL)
        return SIM_EXIT_DATA;
    enum sim_exit code = SIM_EXIT_MET;
    struct tally tally = {0};
    struct sim_report report;
    if (a->format != SIM_FORMAT_HUMAN)
        sim_report_begin(&report, stdout, a->format, sim_color_wanted(a->color, stdout));
    for (char **file = files; *file != NULL && !cli_is_interrupted(); file++) {
        enum sim_exit one = test_file(a, *file, &report);
        count(&tally, one);
        code = cli_worse(code, one);
    }
    if (a->format != SIM_FORMAT_HUMAN)
        sim_report_end(&report);
    else
        printf("%u met, %u failed, %u undecided, %u bad\n", tally.met, tally.failed,
               tally.undecided, tally.bad);
    cli_scenario_files_free(files);
    return code;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {.format = SIM_FORMAT_HUMAN};
    cli_parse(command, argc, argv, &a);
    cli_catch_interrupt();
    if (!a.watch)
        return (int)test_files(&a);
    struct cli_watch *watch = cli_watch_new(a.names);
    if (watch == NULL)
        return SIM_EXIT_DATA;
    do {
        test_files(&a);
        fflush(stdout);
    } while (cli_watch_wait(watch));
    cli_watch_free(watch);
    return SIM_EXIT_INTERRUPTED;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 'f':
        if (!sim_format_named(arg, &a->format))
            argp_error(state, "no format '%s'; there are: human, json, ndjson, junit, tap, github",
                       arg);
        return 0;
    case 'C':
        if (!cli_color_named(arg, &a->color))
            argp_error(state, "--color is auto, always or never, not '%s'", arg);
        return 0;
    case 'u':
        a->goldens = UPDATE;
        return 0;
    case 'r':
        a->goldens = REVIEW;
        return 0;
    case 'w':
        a->watch = true;
        return 0;
    case KEY_WIRE:
        a->wire = true;
        return 0;
    case ARGP_KEY_END:
        if (a->goldens != COMPARE && a->format != SIM_FORMAT_HUMAN)
            argp_error(state, "--update and --review are for people: leave --format out");
        return 0;
    case ARGP_KEY_ARGS:
        a->names = state->argv + state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which scenarios? (./kcsim test alone runs the project's own tests)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {.name = "wire",
     .key = KEY_WIRE,
     .doc = "every message travels as bytes of the Kafka protocol"},
    {.name = "format",
     .key = 'f',
     .arg = "FORMAT",
     .doc = "human, json, ndjson, junit, tap, github"},
    {.name = "color", .key = 'C', .arg = "WHEN", .doc = "auto (default), always, never"},
    {.name = "watch", .key = 'w', .doc = "test again whenever a scenario changes, until ^C"},
    {.name = "update",
     .key = 'u',
     .doc = "write golden traces: of files named, and of all that have one"},
    {.name = "review", .key = 'r', .doc = "show what differs from golden traces, ask, write"},
    {0},
};

const struct cli_command cli_test = {
    .name = "test",
    .group = "Run",
    .line = "run all scenarios of a folder, report what is met",
    .arguments = "FILE|DIR…",
    .examples = "kcsim test scenarios\nkcsim test scenarios --format junit > report.xml\n"
                "kcsim test my.yaml --update\nkcsim test scenarios --review\n",
    .options = options,
    .parse = parse,
    .run = run,
};
