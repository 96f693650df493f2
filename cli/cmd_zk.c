/*
 * kcsim zk TRACE ls|get|stat PATH: ZooKeeper at any moment, as its shell prints it.
 */
#include "cli/cli.h"

#include <string.h>

#include "cli/look.h"
#include "sim/zkshell.h"

struct arguments {
    const char *trace, *command, *path;
    struct cli_moment moment;
    struct sim_zk_options zk;
};

static int print(const struct arguments *a, const struct sim_trace *trace, uint64_t n)
{
    struct sim_facts *facts = sim_facts_new(trace);
    bool found = sim_zk_print(stdout, facts, n, a->path, &a->zk);
    if (!found) { /* the shell's own words */
        fflush(stdout);
        fprintf(stderr, "Node does not exist: %s\n", a->path);
    }
    sim_facts_free(facts);
    return found ? SIM_EXIT_MET : SIM_EXIT_FAILED;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {0};
    cli_parse(command, argc, argv, &a);
    struct sim_trace *trace = cli_trace_open(a.trace);
    if (trace == NULL)
        return SIM_EXIT_DATA;
    uint64_t n = cli_moment_find(&a.moment, trace);
    int code = n != 0 ? print(&a, trace, n) : SIM_EXIT_DATA;
    sim_trace_free(trace);
    return cli_written(code);
}

static bool command_named(const char *name, enum sim_zk_command *command)
{
    static const char *const names[] = {
        [SIM_ZK_LS] = "ls", [SIM_ZK_GET] = "get", [SIM_ZK_STAT] = "stat"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0) {
            *command = (enum sim_zk_command)i;
            return true;
        }
    return false;
}

static void check(const struct arguments *a, struct argp_state *state)
{
    if (a->path == NULL)
        argp_error(state, "TRACE, ls, get or stat, and PATH, in this order");
    else if (!sim_zk_path_is_legal(a->path))
        argp_error(state, "'%s' is no path: /brokers/ids is", a->path);
    else if (a->zk.recursive && a->zk.command != SIM_ZK_LS)
        argp_error(state, "-R goes with ls");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 'a':
        cli_moment_at(&a->moment, arg, state);
        return 0;
    case 'r':
        cli_moment_record(&a->moment, arg, state);
        return 0;
    case 's':
        a->zk.stat = true;
        return 0;
    case 'R':
        a->zk.recursive = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 2)
            return ARGP_ERR_UNKNOWN;
        if (state->arg_num == 1 && !command_named(arg, &a->zk.command))
            argp_error(state, "no command '%s'; there are: ls, get, stat", arg);
        *(state->arg_num == 0 ? &a->trace : state->arg_num == 1 ? &a->command : &a->path) = arg;
        return 0;
    case ARGP_KEY_END:
        check(a, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {.name = "at",
     .key = 'a',
     .arg = "TIME",
     .doc = "as it was then: 6.4s, 500ms; else at the end"},
    {.name = "record", .key = 'r', .arg = "N", .doc = "as it was at record N"},
    {.key = 's', .doc = "with the stat (ls, get)"},
    {.key = 'R', .doc = "all below PATH, too (ls)"},
    {0},
};

const struct cli_command cli_zk = {
    .name = "zk",
    .group = "Look at a trace",
    .line = "znodes at any moment, as ZooKeeper's shell prints them",
    .arguments = "TRACE ls|get|stat PATH",
    .examples = "kcsim zk out.ndjson ls /brokers/ids\n"
                "kcsim zk out.ndjson --at 6.4s get -s /controller\n"
                "kcsim zk out.ndjson ls -R /brokers/topics\n"
                "kcsim zk out.ndjson stat /controller_epoch\n",
    .options = options,
    .parse = parse,
    .run = run,
};
