/*
 * kcsim why TRACE WHAT: from an effect back to the fault.
 */
#include "cli/cli.h"

#include <inttypes.h>
#include <string.h>

#include "cli/look.h"
#include "sim/moment.h"
#include "sim/why.h"

struct arguments {
    const char *trace, *what;
    struct cli_moment moment;
    struct sim_why_options why;
    bool ndjson;
};

/* The chain as records, for tools. */
static void print_records(const struct sim_trace *trace, uint64_t n)
{
    struct sim_record r;
    while (n != 0 && sim_trace_get(trace, n, &r)) {
        sim_record_print(stdout, &r);
        n = r.kind == SIM_K_FAULT ? 0 : sim_why_next(&r);
    }
}

static void print_chain(const struct arguments *a, const struct sim_trace *trace, uint64_t n)
{
    if (a->ndjson)
        print_records(trace, n);
    else
        sim_why_print(stdout, trace, n, &a->why);
}

static int explain_value(const struct arguments *a, const struct sim_trace *trace, uint64_t n)
{
    struct sim_facts *facts = sim_facts_new(trace);
    struct sim_effect target;
    char message[512], value[512], time[SIM_TIME_TEXT];
    uint64_t setter;
    struct sim_record r;
    int code = SIM_EXIT_DATA;
    if (!sim_why_target(facts, a->what, n, &target, message, sizeof(message))) {
        cli_error("%s", message);
    } else if (!sim_why_value(facts, &target, n, value, sizeof(value), &setter)) {
        cli_error("%s had no value yet", target.text);
    } else if (sim_trace_get(trace, setter, &r)) {
        if (!a->ndjson)
            printf("%s is %s, since %s (record %" PRIu64 ")\n\n", target.text, value,
                   sim_time_text(time, r.t), setter);
        print_chain(a, trace, setter);
        code = SIM_EXIT_MET;
    }
    sim_facts_free(facts);
    return code;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {.why.refs = true};
    cli_parse(command, argc, argv, &a);
    struct sim_trace *trace = cli_trace_open(a.trace);
    if (trace == NULL)
        return SIM_EXIT_DATA;
    int code = SIM_EXIT_DATA;
    uint64_t n = cli_moment_find(&a.moment, trace);
    if (n != 0 && a.what != NULL) {
        code = explain_value(&a, trace, n);
    } else if (n != 0) {
        print_chain(&a, trace, n);
        code = SIM_EXIT_MET;
    }
    sim_trace_free(trace);
    return cli_written(code);
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
    case 'A':
        a->why.all = true;
        return 0;
    case 'q':
        a->why.refs = false;
        return 0;
    case 'n':
        a->ndjson = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1)
            return ARGP_ERR_UNKNOWN;
        *(state->arg_num == 0 ? &a->trace : &a->what) = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->trace == NULL)
            argp_error(state, "which trace? 'kcsim run FILE --trace TRACE' writes one");
        if (a->what == NULL && a->moment.record == 0)
            argp_error(state, "why what? 'leader of T-P' for example, or --record N");
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
    {.name = "record", .key = 'r', .arg = "N", .doc = "as it was at record N; alone: why record N"},
    {.name = "all", .key = 'A', .doc = "every record of the chain"},
    {.name = "no-refs", .key = 'q', .doc = "without the records that decisions read"},
    {.name = "ndjson", .key = 'n', .doc = "the records of the chain, one a line"},
    {0},
};

const struct cli_command cli_why = {
    .name = "why",
    .group = "Look at a trace",
    .line = "the chain of causes from an effect to the fault",
    .arguments = "TRACE [WHAT]",
    .examples = "kcsim why out.ndjson 'leader of orders-0'\n"
                "kcsim why out.ndjson 'isr of orders-0' --at 6.4s\n"
                "kcsim why out.ndjson 'state of replica 2 of orders-0'\n"
                "kcsim why out.ndjson controller --all\n"
                "kcsim why out.ndjson --record 214\n",
    .about =
        "WHAT is one of: leader of T-P, isr of T-P, state of T-P, state of replica B of T-P,\n"
        "controller, or the key of a fact (docs/trace.md). States are those in the machines of\n"
        "the controller that is active at that moment.\n",
    .options = options,
    .parse = parse,
    .run = run,
};
