/*
 * What the commands share: parsing and help, messages, nearest words, colours, the interrupt flag.
 */
#include "cli/cli.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

void cli_help(const struct cli_command *command, FILE *out)
{
    char name[64];
    snprintf(name, sizeof name, "kcsim %s", command->name);
    fprintf(out, "%s: %s\n\nExamples:\n", name, command->line);
    print_indented(command->examples, out);
    fputc('\n', out);
    struct argp argp = argp_of(command);
    argp_help(&argp, out, ARGP_HELP_USAGE, name);
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
        exit(CLI_OK);
    }
    struct argp argp = argp_of(command);
    argp_parse(&argp, argc, argv, 0, NULL, input);
}

/* ---- nearest word ---- */

enum { WORD_MAX = 48 };

static int32_t least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* Edits that turn a into b, where swapping two neighbours is one edit (optimal string alignment).
 */
static int32_t distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    int32_t row[WORD_MAX + 1][WORD_MAX + 1]; /* [letters of a][letters of b] */
    if (n > WORD_MAX || m > WORD_MAX)
        return INT32_MAX;
    for (size_t i = 0; i <= n; i++)
        row[i][0] = (int32_t)i;
    for (size_t j = 0; j <= m; j++)
        row[0][j] = (int32_t)j;
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = 1; j <= m; j++) {
            int32_t change = row[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            row[i][j] = least(change, least(row[i - 1][j], row[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[i][j] = least(row[i][j], row[i - 2][j - 2] + 1);
        }
    }
    return row[n][m];
}

const char *cli_nearest(const char *word, const char *const *words)
{
    const char *nearest = NULL;
    int32_t best = 1 + (int32_t)strlen(word) / 3; /* more edits than this are another word */
    for (; *words != NULL; words++) {
        int32_t d = distance(word, *words);
        if (d < best || (d == best && nearest == NULL)) {
            best = d;
            nearest = *words;
        }
    }
    return nearest;
}

/* ---- colours ---- */

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value != NULL && value[0] != '\0' && strcmp(value, "0") != 0;
}

int cli_color(const char *when, FILE *out)
{
    if (when != NULL && strcmp(when, "always") == 0)
        return 1;
    if (when != NULL && strcmp(when, "never") == 0)
        return 0;
    if (when != NULL && strcmp(when, "auto") != 0)
        return -1;
    if (getenv("NO_COLOR") != NULL && getenv("NO_COLOR")[0] != '\0')
        return 0;
    if (is_set("CLICOLOR_FORCE"))
        return 1;
    const char *term = getenv("TERM");
    return isatty(fileno(out)) && term != NULL && strcmp(term, "dumb") != 0;
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
