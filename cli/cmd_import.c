/*
 * kcsim import: a dump, a transcript or a running ZooKeeper becomes a scenario.
 *
 * Two files are written, NAME.yaml and NAME.znodes.jsonl, neither over an existing one unless
 * --force says so. What is read: a file if there is one of that name, else an address.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live/import.h"
#include "sim/diagnostics.h"
#include "sim/dump.h"

struct arguments {
    const char *source;
    const char *name;
    int timeout_ms;
    bool force;
};

static bool is_file(const char *source)
{
    return access(source, F_OK) == 0;
}

/* host:port, several with commas, a chroot behind a slash */
static bool is_address(const char *source)
{
    const char *colon = strchr(source, ':');
    return colon != NULL && colon != source && colon[1] >= '0' && colon[1] <= '9';
}

static FILE *open_new(const char *file, bool force)
{
    if (!force && access(file, F_OK) == 0) {
        cli_error("%s is there already; --force writes over it, --output chooses another name", file);
        return NULL;
    }
    FILE *out = fopen(file, "w");
    if (out == NULL)
        cli_error("cannot write %s: %s", file, strerror(errno));
    return out;
}

static bool close_written(FILE *out, const char *file)
{
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        cli_error("cannot write %s: %s", file, strerror(errno));
        return false;
    }
    return true;
}

static int write_both(const struct arguments *a, const struct sim_dump *dump)
{
    char yaml[4096], znodes[4096];
    if (snprintf(yaml, sizeof yaml, "%s.yaml", a->name) >= (int)sizeof yaml ||
        snprintf(znodes, sizeof znodes, "%s.znodes.jsonl", a->name) >= (int)sizeof znodes) {
        cli_error("the name is too long");
        return SIM_EXIT_USAGE;
    }
    FILE *out = open_new(znodes, a->force);
    if (out == NULL)
        return SIM_EXIT_DATA;
    sim_dump_write(dump, out);
    if (!close_written(out, znodes) || (out = open_new(yaml, a->force)) == NULL)
        return SIM_EXIT_DATA;
    const char *slash = strrchr(znodes, '/');
    sim_dump_write_scenario(dump, slash == NULL ? znodes : slash + 1, out);
    if (!close_written(out, yaml))
        return SIM_EXIT_DATA;
    printf("%s: %u znodes\n", znodes, dump->count);
    if (dump->invented > 0)
        printf("%u czxids were not in the dump and are invented, in the order of paths\n",
               dump->invented);
    printf("%s: try  kcsim run %s\n", yaml, yaml);
    return SIM_EXIT_MET;
}

static int import(const struct arguments *a)
{
    struct sim_diagnostics diagnostics;
    struct sim_dump *dump = NULL;
    sim_diagnostics_init(&diagnostics);
    if (is_file(a->source) || !is_address(a->source))
        dump = sim_dump_load(a->source, &diagnostics);
    else
        dump = live_import(a->source, a->timeout_ms, &diagnostics);
    sim_diagnostics_print(&diagnostics, stderr, sim_color_wanted(SIM_COLOR_AUTO, stderr));
    sim_diagnostics_free(&diagnostics);
    int code = dump == NULL ? SIM_EXIT_DATA : write_both(a, dump);
    sim_dump_free(dump);
    return code;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 'o':
        a->name = arg;
        return 0;
    case 'f':
        a->force = true;
        return 0;
    case 't':
        a->timeout_ms = atoi(arg);
        if (a->timeout_ms < 100 || a->timeout_ms > 600000)
            argp_error(state, "--timeout is 100 to 600000 ms, not '%s'", arg);
        return 0;
    case ARGP_KEY_ARG:
        if (a->source != NULL)
            argp_error(state, "import takes one source, but got '%s' too", arg);
        a->source = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->source == NULL)
            argp_error(state, "import needs a file, or the address of a ZooKeeper");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"output", 'o', "NAME", 0, "write NAME.yaml and NAME.znodes.jsonl; imported", 0},
    {"force", 'f', NULL, 0, "write over files that are there", 0},
    {"timeout", 't', "MS", 0, "how long to wait for a ZooKeeper; 10000", 0},
    {0},
};

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {.name = "imported", .timeout_ms = 10000};
    cli_parse(command, argc, argv, &a);
    return import(&a);
}

const struct cli_command cli_import = {
    .name = "import",
    .group = "Bring in",
    .line = "make a scenario of a ZooKeeper dump or a live one",
    .arguments = "FILE\nHOST:PORT",
    .examples = "kcsim import dump.znodes.jsonl -o incident\n"
                "kcsim import zookeeper-shell.txt -o incident\n"
                "kcsim import 127.0.0.1:2181 -o mycluster\n",
    .about = "A file is a dump (one JSON object a line: path, data, stat), or what zookeeper-shell "
             "printed for 'ls -R /' and then 'get -s PATH' for each path. A running ZooKeeper is read "
             "only; data under /config/users and /delegation_token is left out.",
    .options = options,
    .parse = parse,
    .run = run,
};
