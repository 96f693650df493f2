/*
 * kcsim report TRACE: a trace as a page.
 */
#include "cli/cli.h"

#include "cli/look.h"
#include "ui/page.h"
#include "ui/pair.h"

struct arguments {
    const char *trace, *output;
};

bool cli_report_write(const char *file, const struct sim_trace *trace,
                      const struct ui_page_options *options)
{
    FILE *out = cli_create(file);
    return out != NULL && cli_created(out, file, ui_page_write(out, trace, options));
}

bool cli_pair_write(const char *file, const struct sim_trace *a, const struct sim_trace *b,
                    const char *const names[2])
{
    FILE *out = cli_create(file);
    struct sim_align *align = sim_align_new(a, b);
    bool good = out != NULL && cli_created(out, file, ui_pair_write(out, align, names));
    sim_align_free(align);
    return good;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {0};
    cli_parse(command, argc, argv, &a);
    struct sim_trace *trace = cli_trace_open(a.trace);
    if (trace == NULL)
        return SIM_EXIT_DATA;
    const struct ui_page_options options = {.name = a.trace};
    bool good = cli_report_write(a.output != NULL ? a.output : "-", trace, &options);
    sim_trace_free(trace);
    return good ? SIM_EXIT_MET : SIM_EXIT_SOFTWARE;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
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
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {.name = "output", .key = 'o', .arg = "FILE", .doc = "write there; else to standard output"},
    {0},
};

const struct cli_command cli_report = {
    .name = "report",
    .group = "Look at a trace",
    .line = "a trace as a page, to open in a browser",
    .arguments = "TRACE",
    .examples = "kcsim report out.ndjson --output out.html\n"
                "kcsim run my.yaml --report out.html\n",
    .about = "The page is one file, fetches nothing, and opens from disk: docs/report.md.\n",
    .options = options,
    .parse = parse,
    .run = run,
};
