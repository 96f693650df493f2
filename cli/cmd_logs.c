/*
 * kcsim logs TRACE: controller.log and state-change.log, as log4j would have written them.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/look.h"
#include "sim/logs.h"
#include "sim/moment.h"

struct arguments {
    const char *trace;
    struct sim_log_options logs;
    bool has_from, has_until;
    int64_t from_us, until_us;
};

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {.logs.node = -1};
    cli_parse(command, argc, argv, &a);
    if (a.logs.streams == 0)
        a.logs.streams = SIM_LOG_CONTROLLER | SIM_LOG_STATE_CHANGE;
    struct sim_trace *trace = cli_trace_open(a.trace);
    if (trace == NULL)
        return SIM_EXIT_DATA;
    if (a.has_from)
        a.logs.from = sim_trace_at_time(trace, a.from_us - 1) + 1;
    if (a.has_until)
        a.logs.until = sim_trace_at_time(trace, a.until_us);
    if (!a.has_until || a.logs.until != 0)
        sim_logs_print(stdout, trace, &a.logs);
    sim_trace_free(trace);
    return cli_written(SIM_EXIT_MET);
}

static void parse_node(struct arguments *a, const char *arg, struct argp_state *state)
{
    char *end;
    errno = 0;
    long node = strtol(arg, &end, 10);
    if (errno != 0 || end == arg || *end != '\0' || node < 0 || node > INT32_MAX)
        argp_error(state, "'%s' is no node id", arg);
    a->logs.node = (int32_t)node;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 'c':
        a->logs.streams |= SIM_LOG_CONTROLLER;
        return 0;
    case 's':
        a->logs.streams |= SIM_LOG_STATE_CHANGE;
        return 0;
    case 'n':
        parse_node(a, arg, state);
        return 0;
    case 'l':
        a->logs.level = arg;
        if (!sim_log_is_level(arg))
            argp_error(state, "no level '%s'; there are: TRACE, DEBUG, INFO, WARN, ERROR", arg);
        return 0;
    case 'f':
        a->has_from = true;
        if (!sim_time_parse(arg, &a->from_us))
            argp_error(state, "'%s' is no time: 500ms, 6.4s, 2m are", arg);
        return 0;
    case 'u':
        a->has_until = true;
        if (!sim_time_parse(arg, &a->until_us))
            argp_error(state, "'%s' is no time: 500ms, 6.4s, 2m are", arg);
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
    {.name = "controller", .key = 'c', .doc = "controller.log; without -c and -s: both, merged"},
    {.name = "state-change", .key = 's', .doc = "state-change.log"},
    {.name = "node", .key = 'n', .arg = "ID", .doc = "of one node"},
    {.name = "level", .key = 'l', .arg = "LEVEL", .doc = "this level and above"},
    {.name = "from", .key = 'f', .arg = "TIME", .doc = "lines from then on"},
    {.name = "until", .key = 'u', .arg = "TIME", .doc = "lines up to then"},
    {0},
};

const struct cli_command cli_logs = {
    .name = "logs",
    .group = "Look at a trace",
    .line = "controller.log and state-change.log as Kafka writes them",
    .arguments = "TRACE",
    .examples = "kcsim logs out.ndjson --state-change > state-change.log\n"
                "kcsim logs out.ndjson --controller --node 1 --level INFO\n"
                "kcsim logs out.ndjson --from 6s --until 8s\n",
    .about =
        "Dates are the virtual time, counted from 2021-01-01 00:00:00 UTC. TRACE and DEBUG lines\n"
        "are there only where the run recorded them.\n",
    .options = options,
    .parse = parse,
    .run = run,
};
