/*
 * kcsim diff A B: where two runs part.
 */
#include "cli/cli.h"

#include <string.h>

#include "cli/look.h"
#include "sim/diff.h"

struct arguments {
    const char *file[2];
};

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {0};
    cli_parse(command, argc, argv, &a);
    struct sim_trace *left = cli_trace_open(a.file[0]);
    struct sim_trace *right = left != NULL ? cli_trace_open(a.file[1]) : NULL;
    int code = SIM_EXIT_DATA;
    if (right != NULL)
        code = sim_diff_print(stdout, left, right, a.file[0], a.file[1]) ? SIM_EXIT_MET
                                                                         : SIM_EXIT_FAILED;
    sim_trace_free(left);
    sim_trace_free(right);
    return cli_written(code);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (state->arg_num > 1)
            return ARGP_ERR_UNKNOWN;
        a->file[state->arg_num] = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->file[1] == NULL)
            argp_error(state, "two traces, please");
        else if (strcmp(a->file[0], "-") == 0 && strcmp(a->file[1], "-") == 0)
            argp_error(state, "only one of the two can be standard input");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct cli_command cli_diff = {
    .name = "diff",
    .group = "Look at a trace",
    .line = "the first record in which two runs differ",
    .arguments = "TRACE TRACE",
    .examples = "kcsim diff before.ndjson after.ndjson\n"
                "kcsim run my.yaml --trace - --output /dev/null | kcsim diff old.ndjson -\n",
    .about = "Exit code 0: equal; 1: they differ.\n",
    .parse = parse,
    .run = run,
};
