/*
 * kcsim test FILE|DIR…: plays every scenario and says which expectations are met.
 *
 * For people: one line a scenario, and below a line that is not "ok" what was expected, what was,
 * and how to see it again. The exit code is the worst of all.
 */
#include "cli/cli.h"

#include <string.h>

#include "cli/play.h"
#include "sim/verdict.h"

struct arguments {
    enum sim_format format;
    enum sim_color color;
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

static enum sim_exit test_file(const struct arguments *a, const char *file,
                               struct sim_report *report)
{
    struct sim_diagnostics diagnostics;
    struct cli_play play;
    sim_diagnostics_init(&diagnostics);
    enum sim_exit code = SIM_EXIT_DATA;
    bool good = cli_play_file(&play, file, &(struct cli_play_options){0}, &diagnostics);
    bool human = a->format == SIM_FORMAT_HUMAN;
    if (good)
        code = cli_play_exit(&play);
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
    return code;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {.format = SIM_FORMAT_HUMAN};
    cli_parse(command, argc, argv, &a);
    char **files = cli_scenario_files(a.names);
    if (files == NULL)
        return SIM_EXIT_DATA;
    cli_catch_interrupt();
    enum sim_exit code = SIM_EXIT_MET;
    struct tally tally = {0};
    struct sim_report report;
    if (a.format != SIM_FORMAT_HUMAN)
        sim_report_begin(&report, stdout, a.format, sim_color_wanted(a.color, stdout));
    for (char **file = files; *file != NULL && !cli_is_interrupted(); file++) {
        enum sim_exit one = test_file(&a, *file, &report);
        count(&tally, one);
        code = cli_worse(code, one);
    }
    if (a.format != SIM_FORMAT_HUMAN)
        sim_report_end(&report);
    else
        printf("%u met, %u failed, %u undecided, %u bad\n", tally.met, tally.failed,
               tally.undecided, tally.bad);
    cli_scenario_files_free(files);
    return (int)code;
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
    {.name = "format",
     .key = 'f',
     .arg = "FORMAT",
     .doc = "human, json, ndjson, junit, tap, github"},
    {.name = "color", .key = 'C', .arg = "WHEN", .doc = "auto (default), always, never"},
    {0},
};

const struct cli_command cli_test = {
    .name = "test",
    .group = "Run",
    .line = "run all scenarios of a folder, report what is met",
    .arguments = "FILE|DIR…",
    .examples = "kcsim test scenarios\nkcsim test scenarios --format junit > report.xml\n",
    .options = options,
    .parse = parse,
    .run = run,
};
