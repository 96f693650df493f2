/*
 * What the commands share: parsing and help, messages, names of colours, the interrupt flag.
 */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sim/moment.h"

void cli_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fputs("kcsim: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

/* ---- help and parsing ---- */

static void print_indented(const char *lines, FILE *out)
{
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");
        fprintf(out, "  %.*s\n", (int)length, lines);
        lines += length + (lines[length] == '\n');
    }
}

static struct argp argp_of(const struct cli_command *command)
{
    return (struct argp){
        .options = command->options, .parser = command->parse, .args_doc = command->arguments};
}

const char *cli_word(const struct cli_command *page)
{
    return strrchr(page->name, ' ') + 1;
}

const struct cli_command *cli_page(const struct cli_command *command, const char *word)
{
    const struct cli_command *page = command->pages;
    while (page != NULL && page->name != NULL && strcmp(cli_word(page), word) != 0) {
        page++;
    }
    return page != NULL && page->name != NULL ? page : NULL;
}

static void print_pages(const struct cli_command *pages, FILE *out)
{
    if (pages != NULL) {
        fputs("\nWords:\n", out);
    }
    for (; pages != NULL && pages->name != NULL; pages++) {
        fprintf(out, "  %-10s %s\n", cli_word(pages), pages->line);
    }
}

void cli_help(const struct cli_command *command, FILE *out)
{
    char name[64];
    snprintf(name, sizeof name, "kcsim %s", command->name);
    fprintf(out, "%s: %s\n\nExamples:\n", name, command->line);
    print_indented(command->examples, out);
    fputc('\n', out);
    struct argp argp = argp_of(command);
    setenv("ARGP_HELP_FMT", "no-dup-args-note", 0); /* the note would say what everybody knows */
    argp_help(&argp, out, ARGP_HELP_SHORT_USAGE, name);
    print_pages(command->pages, out);
    if (command->options != NULL) {
        fputs("\nOptions:\n", out);
        argp_help(&argp, out, ARGP_HELP_LONG, name);
    }
    if (command->about != NULL)
        fprintf(out, "\n%s", command->about);
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-?") == 0)
            return true;
    return false;
}

void cli_parse(const struct cli_command *command, int argc, char **argv, void *input)
{
    if (asks_for_help(argc, argv)) {
        cli_help(command, stdout);
        exit(SIM_EXIT_MET);
    }
    struct argp argp = argp_of(command);
    argp_parse(&argp, argc, argv, 0, NULL, input);
}

/* ---- colours ---- */

bool cli_color_named(const char *name, enum sim_color *color)
{
    static const char *const names[] = {
        [SIM_COLOR_AUTO] = "auto", [SIM_COLOR_ALWAYS] = "always", [SIM_COLOR_NEVER] = "never"};
    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            *color = i;
            return true;
        }
    }
    return false;
}

/* ---- interrupt ---- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    interrupted = 1;
    signal(signal_number, SIG_DFL);
}

void cli_catch_interrupt(void)
{
    signal(SIGINT, on_interrupt);
}

bool cli_is_interrupted(void)
{
    return interrupted != 0;
}

void cli_seed_parse(const char *arg, bool *has_seed, uint64_t *seed, struct argp_state *state)
{
    char *end;
    errno = 0;
    *has_seed = true;
    *seed = strtoull(arg, &end, 10);
    if (errno != 0 || *end != '\0' || arg[0] < '0' || arg[0] > '9')
        argp_error(state, "'%s' is no seed: a whole number from 0 is", arg);
}

void cli_time_parse(const char *arg, bool *has_time, int64_t *us, struct argp_state *state)
{
    *has_time = true;
    if (!sim_time_parse(arg, us))
        argp_error(state, "'%s' is no time: 500ms, 30s, 2m are", arg);
}

FILE *cli_create(const char *file)
{
    FILE *out = strcmp(file, "-") == 0 ? stdout : fopen(file, "w");
    if (out == NULL)
        cli_error("cannot write %s: %s", file, strerror(errno));
    return out;
}

bool cli_created(FILE *out, const char *file, bool good)
{
    if (out != stdout)
        good = fclose(out) == 0 && good;
    if (!good)
        cli_error("cannot write %s: %s", file, strerror(errno));
    return good;
}
