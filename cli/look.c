/*
 * Opening traces and finding moments in them.
 */
#include "cli/look.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "sim/moment.h"

void cli_moment_at(struct cli_moment *moment, const char *arg, struct argp_state *state)
{
    moment->has_at = true;
    if (!sim_time_parse(arg, &moment->at_us))
        argp_error(state, "'%s' is no time: 500ms, 6.4s, 2m are", arg);
    if (moment->record != 0)
        argp_error(state, "--at and --record exclude each other");
}

void cli_moment_record(struct cli_moment *moment, const char *arg, struct argp_state *state)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(arg, &end, 10);
    if (errno != 0 || *end != '\0' || arg[0] < '0' || arg[0] > '9' || n == 0)
        argp_error(state, "'%s' is no record: a number from 1 is", arg);
    moment->record = n;
    if (moment->has_at)
        argp_error(state, "--at and --record exclude each other");
}

struct sim_trace *cli_trace_open(const char *file)
{
    struct sim_trace_error error;
    bool cut;
    struct sim_trace *trace = sim_trace_open(file, &cut, &error);
    if (trace == NULL && error.line == 0)
        cli_error("cannot read %s: %s", file, error.text);
    else if (trace == NULL)
        cli_error("%s:%" PRIu32 ":%" PRIu32 ": %s", file, error.line, error.column, error.text);
    else if (cut)
        cli_error("%s: the run was cut off: its last record is %" PRIu64, file,
                  sim_trace_count(trace));
    return trace;
}

uint64_t cli_moment_find(const struct cli_moment *moment, const struct sim_trace *trace)
{
    uint64_t n = sim_moment(trace, moment->has_at ? moment->at_us : -1, moment->record);
    if (n == 0)
        cli_error("the trace begins later");
    else if (n > sim_trace_count(trace))
        cli_error("there is no record %" PRIu64 ": the last one is %" PRIu64, n,
                  sim_trace_count(trace));
    else
        return n;
    return 0;
}

int cli_written(int code)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return code;
    cli_error("cannot write standard output: %s", strerror(errno));
    return SIM_EXIT_SOFTWARE;
}

bool cli_trace_write(const char *file, const struct sim_trace *trace)
{
    FILE *out = cli_create(file);
    return out != NULL && cli_created(out, file, sim_trace_write(trace, out));
}
