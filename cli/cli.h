/*
 * The command line: a table of commands, and what they share.
 *
 *     main.c ──► commands[] ──► cli_run, cli_why, … (cmd_NAME.c) ──► sim/, statemachine/
 *
 * A command is a row: name, group, one line, arguments, examples, options, parser, function. What
 * --help prints, what the man page lists and what the shell completes come from these rows. Options
 * are parsed by argp; each command's parser fills the command's own struct.
 *
 * Exit codes are part of the interface (man 1 kcsim): enum sim_exit.
 * Thread: one. Memory: a command frees what it opens; main frees nothing.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/story.h"
#include "sim/verdict.h"

struct cli_command {
    const char *name;      /* "run" */
    const char *group;     /* heading that `kcsim --help` puts it under */
    const char *line;      /* what it does, in one line of at most 56 columns */
    const char *arguments; /* "FILE…"; argp's args_doc, several forms one a line */
    const char *examples;  /* lines of "kcsim …", each ended by \n; --help shows them first */
    const char *about;     /* paragraphs behind the options, or NULL */
    const struct argp_option *options;
    argp_parser_t parse;
    const struct cli_command
        *pages; /* of its words ("stream run"), NULL: none; ends like the table */
    /* argv[0] is "kcsim NAME". Returns an enum sim_exit. */
    int (*run)(const struct cli_command *command, int argc, char **argv);
};

/* The commands, in the order of the help; ends with a row whose name is NULL. */
extern const struct cli_command *const cli_commands[];

/* Parses argv with the command's options into `input` (state->input of its parser). A wrong command
   line ends the program with SIM_EXIT_USAGE and a message, --help with SIM_EXIT_MET; so this
   returns only where all is well. */
void cli_parse(const struct cli_command *command, int argc, char **argv, void *input);

/* Prints the help of a command: examples, usage, words, options. */
void cli_help(const struct cli_command *command, FILE *out);
/* The word that a page is of: "run" of "stream run". The page of a word, NULL: there is none. */
const char *cli_word(const struct cli_command *page);
const struct cli_command *cli_page(const struct cli_command *command, const char *word);

/* Prints "kcsim: …" and a newline to stderr. */
__attribute__((format(printf, 1, 2))) void cli_error(const char *format, ...);

/* Stores the colour option of that name ("auto", "always", "never"); false where there is none. */
bool cli_color_named(const char *name, enum sim_color *color);

/* Stores the seed that `arg` is, a whole number from 0; calls argp_error where it is none. */
void cli_seed_parse(const char *arg, bool *has_seed, uint64_t *seed, struct argp_state *state);
/* Stores a time ("500ms", 30s), likewise. */
void cli_time_parse(const char *arg, bool *has_time, int64_t *us, struct argp_state *state);

struct sim_trace;
struct ui_page_options;
/* Writes the page of a trace (ui/page.h) to `file`, "-": standard output. False after a message. */
bool cli_report_write(const char *file, const struct sim_trace *trace,
                      const struct ui_page_options *options);
/* The same of two traces, side by side, under those names. */
bool cli_pair_write(const char *file, const struct sim_trace *a, const struct sim_trace *b,
                    const char *const names[2]);

/* Opens a file to be written, "-": standard output. NULL after a message. */
FILE *cli_create(const char *file);
/* Closes what cli_create opened (not standard output); false after a message where `good`, what the
   writer says, or the closing is not. */
bool cli_created(FILE *out, const char *file, bool good);

/* Catches SIGINT from now on: the first sets the flag, a second ends the program. */
void cli_catch_interrupt(void);
bool cli_is_interrupted(void);

/* The commands that have a file of their own. */
extern const struct cli_command cli_run, cli_test, cli_coverage, cli_demo;
extern const struct cli_command cli_play_command, cli_campaign_command, cli_lesson_command;
extern const struct cli_command cli_why, cli_describe, cli_zk, cli_logs, cli_export, cli_diff;
extern const struct cli_command cli_branch, cli_report;
extern const struct cli_command cli_explain, cli_fidelity, cli_import, cli_controller;
extern const struct cli_command cli_stream;

#endif
