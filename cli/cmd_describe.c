/*
 * kcsim describe TRACE: topics at any moment, in the forms of Kafka's tools.
 */
#include "cli/cli.h"

#include <string.h>

#include "cli/look.h"
#include "sim/describe.h"

struct arguments {
    const char *trace;
    struct cli_moment moment;
    struct sim_describe_options describe;
};

enum {
    KEY_TOPIC = 't',
    KEY_FORMAT = 'f',
    KEY_UNDER_REPLICATED = 256,
    KEY_UNAVAILABLE,
    KEY_UNDER_MIN_ISR,
    KEY_AT_MIN_ISR,
    KEY_COMPAT,
    KEY_REASSIGNMENT,
};

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {0};
    cli_parse(command, argc, argv, &a);
    struct sim_trace *trace = cli_trace_open(a.trace);
    if (trace == NULL)
        return SIM_EXIT_DATA;
    int code = SIM_EXIT_DATA;
    uint64_t n = cli_moment_find(&a.moment, trace);
    if (n != 0) {
        struct sim_facts *facts = sim_facts_new(trace);
        uint32_t count = sim_describe_print(stdout, facts, n, &a.describe);
        code = SIM_EXIT_MET;
        if (count == 0 && a.describe.topic != NULL) {
            cli_error("topic '%s' does not exist at this moment", a.describe.topic);
            code = SIM_EXIT_DATA;
        }
        sim_facts_free(facts);
    }
    sim_trace_free(trace);
    return cli_written(code);
}

static bool format_named(const char *name, enum sim_describe_format *format)
{
    static const char *const names[] = {
        [SIM_DESCRIBE_KAFKA] = "kafka",
        [SIM_DESCRIBE_KCAT] = "kcat",
        [SIM_DESCRIBE_KCAT_JSON] = "kcat-json",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0) {
            *format = (enum sim_describe_format)i;
            return true;
        }
    return false;
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
    case KEY_TOPIC:
        a->describe.topic = arg;
        return 0;
    case KEY_FORMAT:
        if (!format_named(arg, &a->describe.format))
            argp_error(state, "no format '%s'; there are: kafka, kcat, kcat-json", arg);
        return 0;
    case KEY_UNDER_REPLICATED:
        a->describe.under_replicated = true;
        return 0;
    case KEY_UNAVAILABLE:
        a->describe.unavailable = true;
        return 0;
    case KEY_UNDER_MIN_ISR:
        a->describe.under_min_isr = true;
        return 0;
    case KEY_AT_MIN_ISR:
        a->describe.at_min_isr = true;
        return 0;
    case KEY_COMPAT:
        a->describe.compat_0_9 = strcmp(arg, "0.9") == 0;
        if (!a->describe.compat_0_9 && strcmp(arg, "2.8") != 0)
            argp_error(state, "--compat is 2.8 or 0.9 (0.8 to 2.1), not '%s'", arg);
        return 0;
    case KEY_REASSIGNMENT:
        a->describe.reassignment = true;
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
    {.name = "at",
     .key = 'a',
     .arg = "TIME",
     .doc = "as it was then: 6.4s, 500ms; else at the end"},
    {.name = "record", .key = 'r', .arg = "N", .doc = "as it was at record N"},
    {.name = "topic", .key = KEY_TOPIC, .arg = "TOPIC", .doc = "of one topic"},
    {.name = "under-replicated-partitions",
     .key = KEY_UNDER_REPLICATED,
     .doc = "only partitions with fewer in sync than replicas"},
    {.name = "unavailable-partitions",
     .key = KEY_UNAVAILABLE,
     .doc = "only partitions without a live leader"},
    {.name = "under-min-isr-partitions",
     .key = KEY_UNDER_MIN_ISR,
     .doc = "only partitions with fewer in sync than min.insync.replicas"},
    {.name = "at-min-isr-partitions",
     .key = KEY_AT_MIN_ISR,
     .doc = "only partitions with exactly min.insync.replicas in sync"},
    {.name = "reassignment",
     .key = KEY_REASSIGNMENT,
     .doc = "what is being reassigned, as kafka-reassign-partitions.sh --list prints it"},
    {.name = "format", .key = KEY_FORMAT, .arg = "FORM", .doc = "kafka, kcat, kcat-json"},
    {.name = "compat", .key = KEY_COMPAT, .arg = "VERSION", .doc = "2.8 (default), or 0.9"},
    {0},
};

const struct cli_command cli_describe = {
    .name = "describe",
    .group = "Look at a trace",
    .line = "topics at any moment, as kafka-topics.sh prints them",
    .arguments = "TRACE",
    .examples = "kcsim describe out.ndjson\n"
                "kcsim describe out.ndjson --at 12s --topic orders\n"
                "kcsim describe out.ndjson --at 12s --under-replicated-partitions\n"
                "kcsim describe out.ndjson --format kcat-json | jq .controllerid\n",
    .options = options,
    .parse = parse,
    .run = run,
};
