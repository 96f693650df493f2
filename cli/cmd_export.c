/*
 * kcsim export TRACE --to FORM: a trace for other tools.
 */
#include "cli/cli.h"

#include <errno.h>
#include <string.h>

#include "cli/look.h"
#include "sim/export.h"

enum form { NONE, SQLITE, CHROME, SHIVIZ };

struct arguments {
    const char *trace, *output;
    enum form form;
};

static int export_database(const struct arguments *a, const struct sim_trace *trace)
{
    char error[512];
    if (sim_export_sqlite(a->output, trace, error, sizeof(error)))
        return SIM_EXIT_MET;
    cli_error("%s", error);
    return SIM_EXIT_DATA;
}

static void print(FILE *out, const struct arguments *a, const struct sim_trace *trace)
{
    if (a->form == CHROME)
        sim_export_chrome(out, trace);
    else
        sim_export_shiviz(out, trace);
}

static int export_text(const struct arguments *a, const struct sim_trace *trace)
{
    if (a->output == NULL) {
        print(stdout, a, trace);
        return cli_written(SIM_EXIT_MET);
    }
    FILE *out = fopen(a->output, "w");
    bool ok = out != NULL;
    if (ok) {
        print(out, a, trace);
        ok = ferror(out) == 0;
        ok = fclose(out) == 0 && ok;
    }
    if (!ok)
        cli_error("%s: %s", a->output, strerror(errno));
    return ok ? SIM_EXIT_MET : SIM_EXIT_DATA;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {0};
    cli_parse(command, argc, argv, &a);
    struct sim_trace *trace = cli_trace_open(a.trace);
    if (trace == NULL)
        return SIM_EXIT_DATA;
    const int code = a.form == SQLITE ? export_database(&a, trace) : export_text(&a, trace);
    if (code == SIM_EXIT_MET && a.form == SHIVIZ && a.output != NULL)
        fprintf(stderr, "log parsing regular expression for ShiViz: %s\n",
                sim_export_shiviz_expression());
    sim_trace_free(trace);
    return code;
}

static enum form form_named(const char *name)
{
    static const char *const names[] = {
        [SQLITE] = "sqlite", [CHROME] = "chrome", [SHIVIZ] = "shiviz"};
    for (enum form form = SQLITE; form <= SHIVIZ; form++)
        if (strcmp(name, names[form]) == 0)
            return form;
    return strcmp(name, "perfetto") == 0 ? CHROME : NONE;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 't':
        a->form = form_named(arg);
        if (a->form == NONE)
            argp_error(state, "no form '%s'; there are: sqlite, chrome, perfetto, shiviz", arg);
        return 0;
    case 'o':
        a->output = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            return ARGP_ERR_UNKNOWN;
        a->trace = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->trace == NULL)
            argp_error(state, "which trace? 'kcsim run FILE --trace TRACE' writes one");
        if (a->form == NONE)
            argp_error(state, "to what? --to sqlite, chrome, perfetto or shiviz");
        if (a->form == SQLITE && a->output == NULL)
            argp_error(state, "a database needs a file: --output FILE");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {.name = "to", .key = 't', .arg = "FORM", .doc = "sqlite, chrome (or perfetto), shiviz"},
    {.name = "output", .key = 'o', .arg = "FILE", .doc = "write there; a database is made anew"},
    {0},
};

const struct cli_command cli_export = {
    .name = "export",
    .group = "Look at a trace",
    .line = "a trace for SQLite, Perfetto, ShiViz",
    .arguments = "TRACE",
    .examples = "kcsim export out.ndjson --to sqlite --output out.db\n"
                "kcsim export out.ndjson --to perfetto --output out.json\n"
                "kcsim export out.ndjson --to shiviz --output out.log\n",
    .about = "Tables, and how to open each of them: docs/exports.md.\n",
    .options = options,
    .parse = parse,
    .run = run,
};
