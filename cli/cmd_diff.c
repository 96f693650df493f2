/*
 * kcsim diff A B: where two runs part, and what differs between them.
 */
#include "cli/cli.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/look.h"
#include "sim/diff.h"
#include "sim/narrate.h"

enum { KEY_REPORT = 256 };

struct arguments {
    const char *file[2], *report;
    bool json;
};

/* ---- as JSON ---- */

static json_t *begin_json(const struct sim_align *align, const char *const names[2],
                          const struct sim_align_begin *b)
{
    const struct sim_align_side *s = &align->side[b->side];
    uint64_t there = s->other[b->n], number[2];
    struct sim_record r = {0};
    char say[400], *why = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&why, &size);
    if (out == NULL || !sim_trace_get(s->trace, b->n, &r))
        abort();
    sim_diff_explain(out, align, names, b);
    fclose(out);
    sim_narrate(&r, say, sizeof(say));
    number[b->side] = b->n;
    number[1 - b->side] = there;
    json_t *begin =
        json_pack("{sI ss s[II] ss ss}", "t", (json_int_t)b->t, "in",
                  there != 0     ? "both"
                  : b->side == 0 ? "a"
                                 : "b",
                  "n", (json_int_t)number[0], (json_int_t)number[1], "say", say, "why", why);
    free(why);
    return begin;
}

/* Returns whether they are equal. */
static bool print_json(const struct sim_trace *a, const struct sim_trace *b,
                       const char *const names[2])
{
    uint64_t parted = sim_diff_parted(a, b);
    struct sim_align *align = sim_align_new(a, b);
    json_t *begins = json_array();
    for (size_t i = 0; i < align->begin_count; i++)
        json_array_append_new(begins, begin_json(align, names, &align->begins[i]));
    json_t *all =
        json_pack("{sb sI sI sI sI s[II] so}", "equal", parted == 0, "parted", (json_int_t)parted,
                  "same", (json_int_t)align->same, "moved", (json_int_t)align->moved, "changed",
                  (json_int_t)align->changed, "only", (json_int_t)align->only[0],
                  (json_int_t)align->only[1], "begins", begins);
    json_dumpf(all, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(all);
    sim_align_free(align);
    return parted == 0;
}

/* ---- the command ---- */

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {0};
    cli_parse(command, argc, argv, &a);
    struct sim_trace *left = cli_trace_open(a.file[0]);
    struct sim_trace *right = left != NULL ? cli_trace_open(a.file[1]) : NULL;
    int code = SIM_EXIT_DATA;
    if (right != NULL) {
        bool equal = a.json ? print_json(left, right, a.file)
                            : sim_diff_print(stdout, left, right, a.file[0], a.file[1]);
        code = equal ? SIM_EXIT_MET : SIM_EXIT_FAILED;
        if (a.report != NULL && !cli_pair_write(a.report, left, right, a.file))
            code = SIM_EXIT_SOFTWARE;
    }
    sim_trace_free(left);
    sim_trace_free(right);
    return cli_written(code);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case KEY_REPORT:
        a->report = arg;
        return 0;
    case 'f':
        a->json = strcmp(arg, "json") == 0;
        if (!a->json && strcmp(arg, "human") != 0)
            argp_error(state, "no format '%s'; there are: human, json", arg);
        return 0;
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

static const struct argp_option options[] = {
    {.name = "report",
     .key = KEY_REPORT,
     .arg = "FILE",
     .doc = "write a page that shows both, side by side"},
    {.name = "format", .key = 'f', .arg = "FORMAT", .doc = "human, json"},
    {0},
};

const struct cli_command cli_diff = {
    .name = "diff",
    .group = "Look at a trace",
    .line = "two runs, aligned by cause: where they part, and what differs",
    .arguments = "TRACE TRACE",
    .examples = "kcsim diff before.ndjson after.ndjson\n"
                "kcsim diff before.ndjson after.ndjson --report diff.html\n"
                "kcsim run my.yaml --trace - --output /dev/null | kcsim diff old.ndjson -\n",
    .about =
        "Records are the same thing where their causes are; what merely came later or has another\n"
        "number is the same. Exit code 0: equal to the byte; 1: they differ.\n",
    .options = options,
    .parse = parse,
    .run = run,
};
