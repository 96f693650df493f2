/*
 * kcsim COMMAND …: finds the row of the command and calls it.
 *
 * Alone, kcsim prints one screen: what it is and three commands to copy. A word that is no command
 * is answered with the nearest one.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static int print_help(const struct cli_command *command, int argc, char **argv);
static int print_version(const struct cli_command *command, int argc, char **argv);

static const struct cli_command help = {
    .name = "help",
    .group = "About",
    .line = "this list, or the help of one command",
    .arguments = "[COMMAND [WORD]]",
    .examples = "kcsim help run\n"
                "kcsim help stream savepoint\n",
    .run = print_help,
};

static const struct cli_command version = {
    .name = "version",
    .group = "About",
    .line = "print the version",
    .arguments = "",
    .examples = "kcsim --version\n",
    .run = print_version,
};

const struct cli_command *const cli_commands[] = {
    &cli_run,
    &cli_play_command,
    &cli_test,
    &cli_demo,
    &cli_campaign_command,
    &cli_coverage,
    &cli_why,
    &cli_describe,
    &cli_zk,
    &cli_logs,
    &cli_export,
    &cli_report,
    &cli_diff,
    &cli_branch,
    &cli_import,
    &cli_controller,
    &cli_stream,
    &cli_explain,
    &cli_fidelity,
    &cli_lesson_command,
    &help,
    &version,
    &(const struct cli_command){.name = NULL},
};

static const char first_screen[] =
    "kcsim runs the control plane of a Kafka cluster (ZooKeeper mode) on one desk, exactly:\n"
    "controller, state machines, ZooKeeper sessions and watches, in virtual time. Break it, and\n"
    "see what happens and why.\n"
    "\n"
    "  kcsim demo                               a real cluster loses its controller: the story\n"
    "  kcsim run FILE --trace out.ndjson        a scenario of your own; keep what happened\n"
    "  kcsim why out.ndjson 'leader of T-0'     from an effect back to its cause\n"
    "\n"
    "kcsim help lists all commands; kcsim help COMMAND shows one, examples first.\n";

static void print_commands(FILE *out)
{
    fputs("kcsim: a Kafka controller (ZooKeeper mode) in a simulator\n\nUsage: kcsim COMMAND …\n",
          out);
    const char *group = "";
    for (const struct cli_command *const *c = cli_commands; (*c)->name != NULL; c++) {
        if (strcmp(group, (*c)->group) != 0) {
            group = (*c)->group;
            fprintf(out, "\n%s:\n", group);
        }
        fprintf(out, "  %-10s %s\n", (*c)->name, (*c)->line);
    }
    fputs(
        "\nExit codes: 0 all met, 1 an expectation failed, 2 undecided, 3 an invariant violated,\n"
        "64 wrong usage, 65 wrong input file, 70 a bug of kcsim, 130 interrupted.\n",
        out);
}

static const struct cli_command *find(const char *name)
{
    for (const struct cli_command *const *c = cli_commands; (*c)->name != NULL; c++)
        if (strcmp((*c)->name, name) == 0)
            return *c;
    return NULL;
}

static int unknown(const char *name)
{
    const char *names[sizeof cli_commands / sizeof cli_commands[0]];
    size_t count = 0;
    for (const struct cli_command *const *c = cli_commands; (*c)->name != NULL; c++)
        names[count++] = (*c)->name;
    names[count] = NULL;
    const char *nearest = sim_closest(name, names);
    if (nearest != NULL)
        cli_error("no command '%s'; did you mean '%s'?", name, nearest);
    else
        cli_error("no command '%s'; kcsim help lists them", name);
    return SIM_EXIT_USAGE;
}

static int print_help(const struct cli_command *command, int argc, char **argv)
{
    (void)command;
    if (argc == 1) {
        print_commands(stdout);
        return SIM_EXIT_MET;
    }
    const struct cli_command *asked = find(argv[1]);
    if (asked == NULL)
        return unknown(argv[1]);
    const struct cli_command *page = argc == 3 ? cli_page(asked, argv[2]) : asked;
    if (argc > 3 || page == NULL) {
        cli_error("help takes one command, and perhaps one of its words");
        return SIM_EXIT_USAGE;
    }
    cli_help(page, stdout);
    return SIM_EXIT_MET;
}

static int print_version(const struct cli_command *command, int argc, char **argv)
{
    (void)command;
    (void)argc;
    (void)argv;
    puts("kcsim " KCSIM_VERSION);
    return SIM_EXIT_MET;
}

/* Runs `command` under the name that its messages should have. */
static int call(const struct cli_command *command, int argc, char **argv)
{
    char name[64];
    snprintf(name, sizeof name, "kcsim %s", command->name);
    argv[0] = name;
    return command->run(command, argc, argv);
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        fputs(first_screen, stdout);
        return SIM_EXIT_MET;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "-?") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    if (name[0] == '-') {
        cli_error("option '%s' without a command; kcsim help lists the commands", name);
        return SIM_EXIT_USAGE;
    }
    const struct cli_command *command = find(name);
    if (command == NULL)
        return unknown(name);
    return call(command, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    argp_err_exit_status = SIM_EXIT_USAGE;
    int code = dispatch(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        cli_error("cannot write the output: %s", strerror(errno));
        return SIM_EXIT_SOFTWARE;
    }
    return code;
}
