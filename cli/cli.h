/*
 * The command line: a table of commands, and what they share.
 *
 *     main.c ──► commands[] ──► cli_run, cli_why, … (cmd_NAME.c) ──► sim/, statemachine/
 *
 * A command is a row: name, group, one line, arguments, examples, options, parser, function. What
 * --help prints, what the man page lists and what the shell completes come from these rows. Options
 * are parsed by argp; each command's parser fills the command's own struct.
 *
 * Exit codes are part of the interface (man 1 kcsim): see enum cli_exit.
 * Thread: one. Memory: a command frees what it opens; main frees nothing.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum cli_exit {
    CLI_OK = 0,          /* all met */
    CLI_UNMET = 1,       /* an expectation failed; two things compared differ */
    CLI_UNDECIDED = 2,   /* the run ended too early to tell */
    CLI_VIOLATED = 3,    /* an invariant is violated, and no known defect explains it */
    CLI_USAGE = 64,      /* the command line is wrong (EX_USAGE) */
    CLI_BAD_INPUT = 65,  /* an input file is wrong (EX_DATAERR) */
    CLI_OUR_BUG = 70,    /* kcsim is wrong, or the machine fails it (EX_SOFTWARE) */
    CLI_INTERRUPTED = 130, /* by SIGINT; the partial trace is kept */
};

struct cli_command {
    const char *name;      /* "run" */
    const char *group;     /* heading that `kcsim --help` puts it under */
    const char *line;      /* what it does, in one line of at most 56 columns */
    const char *arguments; /* "FILE…"; argp's args_doc, several forms one a line */
    const char *examples;  /* lines of "kcsim …", each ended by \n; --help shows them first */
    const char *about;     /* paragraphs behind the options, or NULL */
    const struct argp_option *options;
    argp_parser_t parse;
    /* argv[0] is "kcsim NAME". Returns an enum cli_exit. */
    int (*run)(const struct cli_command *command, int argc, char **argv);
};

/* The commands, in the order of the help; ends with a row whose name is NULL. */
extern const struct cli_command *const cli_commands[];

/* Parses argv with the command's options into `input` (state->input of its parser). A wrong command
   line ends the program with CLI_USAGE and a message, --help with CLI_OK; so this returns only where
   all is well. */
void cli_parse(const struct cli_command *command, int argc, char **argv, void *input);

/* Prints the help of a command: examples, usage, options. */
void cli_help(const struct cli_command *command, FILE *out);

/* Prints "kcsim: …" and a newline to stderr. */
__attribute__((format(printf, 1, 2))) void cli_error(const char *format, ...);

/* Returns the word of the NULL-ended list that is nearest to `word` and near enough to be a slip of
   the finger, else NULL. Aliases the list. */
const char *cli_nearest(const char *word, const char *const *words);

/* Decides whether `out` gets colours. `when` is "auto", "always", "never" (or NULL: auto). auto: on a
   terminal whose TERM is not dumb; NO_COLOR and CLICOLOR_FORCE are heeded. Returns -1 for another
   word. */
int cli_color(const char *when, FILE *out);

/* Catches SIGINT from now on: the first sets the flag, a second ends the program. */
void cli_catch_interrupt(void);
bool cli_is_interrupted(void);

/* The commands that have a file of their own. */
extern const struct cli_command cli_run, cli_test, cli_coverage, cli_demo;
extern const struct cli_command cli_why, cli_describe, cli_zk, cli_logs, cli_diff;
extern const struct cli_command cli_explain, cli_fidelity, cli_import;

#endif
