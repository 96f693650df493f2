/*
 * kcsim import: a real cluster, brought in. What the files are decides what comes of them.
 *
 *     dump, transcript of zookeeper-shell, running ZooKeeper ──► NAME.yaml + NAME.znodes.jsonl
 *     Kafka's logs, ZooKeeper's transactions ──► a trace, a page (import_logs.c)
 *
 * The znodes go into a file beside the scenario, so that the scenario stays short enough to edit
 * and both can be kept together. Nothing that exists is written over unless --force is given.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/import_logs.h"
#include "live/import.h"
#include "sim/dump.h"
#include "sim/moment.h"

struct arguments {
    const char *zookeeper, *output;
    int64_t timeout_us;
    bool force;
    struct cli_import_logs logs; /* files: the dump, too */
};

enum { NAME_MAX_BYTES = 4000 };

/* "out.yaml" -> "out.znodes.jsonl" in the same folder. */
static void znodes_name(char *name, size_t capacity, const char *output)
{
    const char *dot = strrchr(output, '.');
    const char *slash = strrchr(output, '/');
    size_t stem =
        dot != NULL && (slash == NULL || dot > slash) ? (size_t)(dot - output) : strlen(output);
    snprintf(name, capacity, "%.*s.znodes.jsonl", (int)stem, output);
}

static const char *without_folder(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash != NULL ? slash + 1 : name;
}

static bool may_write(const struct arguments *a, const char *name)
{
    if (a->force || access(name, F_OK) != 0)
        return true;
    cli_error("%s exists; --force writes over it", name);
    return false;
}

static bool close_written(FILE *out, const char *name)
{
    bool good = out != NULL && !ferror(out);
    if (out != NULL)
        good = fclose(out) == 0 && good;
    if (!good)
        cli_error("cannot write %s: %s", name, strerror(errno));
    return good;
}

static enum sim_exit write_files(const struct arguments *a, const struct sim_dump *dump)
{
    char znodes[NAME_MAX_BYTES + 32];
    znodes_name(znodes, sizeof znodes, a->output);
    if (!may_write(a, a->output) || !may_write(a, znodes))
        return SIM_EXIT_USAGE;
    FILE *out = fopen(znodes, "w");
    if (out != NULL)
        sim_dump_write(dump, out);
    if (!close_written(out, znodes))
        return SIM_EXIT_SOFTWARE;
    out = fopen(a->output, "w");
    if (out != NULL)
        sim_dump_write_scenario(dump, without_folder(znodes), out);
    if (!close_written(out, a->output))
        return SIM_EXIT_SOFTWARE;
    printf("%u znodes in %s", dump->count, znodes);
    if (dump->invented > 0)
        printf(" (%u czxids that the dump lacks are invented, in path order)", dump->invented);
    printf("\nthe scenario is %s: put your steps in, then kcsim run %s\n", a->output, a->output);
    return SIM_EXIT_MET;
}

static enum sim_exit usage(const char *text)
{
    cli_error("%s", text);
    return SIM_EXIT_USAGE;
}

/* What is given belongs to the one or to the other. */
static enum sim_exit import_logs(const struct arguments *a)
{
    if (a->zookeeper != NULL)
        return usage("logs and --zookeeper HOST:PORT are two imports");
    if (a->output != NULL)
        return usage(
            "logs become a trace (--trace FILE) or a page (--report FILE); --output is for dumps");
    if (a->logs.trace == NULL && a->logs.report == NULL && !a->logs.unknown)
        return usage("where to? --trace FILE, --report FILE, or --unknown");
    for (const char *name = a->logs.trace; name != NULL && strcmp(name, "-") != 0; name = NULL)
        if (!may_write(a, name))
            return SIM_EXIT_USAGE;
    if (a->logs.report != NULL && strcmp(a->logs.report, "-") != 0 && !may_write(a, a->logs.report))
        return SIM_EXIT_USAGE;
    return cli_import_logs(&a->logs);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {.timeout_us = 10000000};
    cli_parse(command, argc, argv, &a);
    const char *file = a.logs.count > 0 ? a.logs.files[0] : NULL;
    if (file != NULL && (a.logs.count > 1 || a.logs.trace != NULL || a.logs.report != NULL ||
                         a.logs.unknown || cli_import_is_log(file)))
        return (int)import_logs(&a);
    if ((file == NULL) == (a.zookeeper == NULL))
        return usage("import takes logs, a dump file, or --zookeeper HOST:PORT");
    if (a.output == NULL || strlen(a.output) > NAME_MAX_BYTES)
        return usage("where to? --output NAME.yaml");
    struct sim_diagnostics diagnostics;
    sim_diagnostics_init(&diagnostics);
    struct sim_dump *dump =
        file != NULL ? sim_dump_load(file, &diagnostics)
                     : live_import(a.zookeeper, (int)(a.timeout_us / 1000), &diagnostics);
    sim_diagnostics_print(&diagnostics, stderr, sim_color_wanted(SIM_COLOR_AUTO, stderr));
    sim_diagnostics_free(&diagnostics);
    if (dump == NULL)
        return SIM_EXIT_DATA;
    enum sim_exit code = write_files(&a, dump);
    sim_dump_free(dump);
    return (int)code;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 'z':
        a->zookeeper = arg;
        return 0;
    case 'o':
        a->output = arg;
        return 0;
    case 'F':
        a->force = true;
        return 0;
    case 't':
        if (!sim_time_parse(arg, &a->timeout_us) || a->timeout_us < 1000 ||
            a->timeout_us > INT64_C(3600000000))
            argp_error(state, "'%s' is no time from 1ms to 1h", arg);
        return 0;
    case 'T':
        a->logs.trace = arg;
        return 0;
    case 'R':
        a->logs.report = arg;
        return 0;
    case 'u':
        a->logs.unknown = true;
        return 0;
    case 'Z':
        a->logs.options.has_zone = true;
        if (!cli_zone_parse(arg, &a->logs.options.zone_s))
            argp_error(state, "'%s' is no time zone: UTC, +02:00, -05:30 are", arg);
        return 0;
    case ARGP_KEY_ARGS:
        a->logs.files = state->argv + state->next;
        a->logs.count = (size_t)(state->argc - state->next);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {.name = "zookeeper", .key = 'z', .arg = "HOST:PORT", .doc = "read a running ZooKeeper"},
    {.name = "output", .key = 'o', .arg = "FILE", .doc = "the scenario; its znodes go beside it"},
    {.name = "trace", .key = 'T', .arg = "FILE", .doc = "of logs: the trace goes there"},
    {.name = "report", .key = 'R', .arg = "FILE", .doc = "of logs: a page to open in a browser"},
    {.name = "unknown", .key = 'u', .doc = "of logs: list the lines that were not understood"},
    {.name = "zone",
     .key = 'Z',
     .arg = "ZONE",
     .doc = "of times that name no zone; UTC where not given"},
    {.name = "timeout", .key = 't', .arg = "TIME", .doc = "to connect; 10s where not given"},
    {.name = "force", .key = 'F', .doc = "write over files that exist"},
    {0},
};

const struct cli_command cli_import = {
    .name = "import",
    .group = "Bring in",
    .line = "logs of an incident, or a ZooKeeper, live or dumped",
    .arguments =
        "LOG… (--trace | --report) FILE\nDUMP --output FILE\n--zookeeper HOST:PORT --output FILE",
    .examples =
        "kcsim import state-change.log controller.log zookeeper.log --report incident.html\n"
        "kcsim import broker-*/*.log* --trace out.ndjson\n"
        "kcsim import --zookeeper localhost:2181 --output mine.yaml\n"
        "kcsim import shell-transcript.txt --output mine.yaml\n"
        "kcsim import znodes.jsonl --output mine.yaml\n",
    .about =
        "Logs are state-change.log, controller.log and server.log of Kafka 0.8.2 to 3.x, of any "
        "number\n"
        "of brokers, rolled and packed ones too, and ZooKeeper's transactions: its log.* files, or "
        "what\n"
        "zkTxnLogToolkit.sh or LogFormatter prints of them. They are merged by time, and clocks "
        "that\n"
        "lines prove to be off are moved: docs/import.md.\n"
        "\n"
        "A transcript is what zookeeper-shell.sh prints for `ls -R /` and then `get -s PATH` of\n"
        "each path. From a live ZooKeeper nothing is changed, and data of users and delegation\n"
        "tokens stays behind.\n",
    .options = options,
    .parse = parse,
    .run = run,
};
