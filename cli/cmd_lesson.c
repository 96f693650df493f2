/*
 * kcsim lesson [N|FILE]: the lessons, or one of them.
 *
 * A lesson is a scenario with `lesson:` in it (docs/lessons.md). It is played first, then asked;
 * the right answers come from that very run. Which lessons are done is kept in a small file of the
 * user
 * ($XDG_STATE_HOME/kcsim/lessons); graded runs (--answers, --format json) leave it alone.
 */
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/lesson_ask.h"
#include "cli/look.h"
#include "cli/play.h"
#include "ui/page.h"

enum { KEY_SHOW = 256, KEY_TERMINAL, KEY_DEFECT };

struct arguments {
    const char *which, *answers, *report;
    bool has_seed, show, json;
    uint64_t seed, defects_on, defects_off;
    enum sim_color color;
};

/* ---- which lessons there are ---- */

static char **lesson_files(void)
{
    static const char *const places[] = {".", KCSIM_SOURCE_DIR, KCSIM_DATA_DIR};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char folder[4096];
        int size = i == 0 ? snprintf(folder, sizeof folder, "scenarios/lessons")
                          : snprintf(folder, sizeof folder, "%s/scenarios/lessons", places[i]);
        char *names[] = {folder, NULL};
        if (size < (int)sizeof folder && access(folder, R_OK) == 0)
            return cli_scenario_files(names);
    }
    cli_error("scenarios/lessons is not here; start kcsim in its source folder");
    return NULL;
}

/* "scenarios/lessons/03-isr.yaml": 3; 0 where no number is in front. */
static uint32_t number_of(const char *file)
{
    const char *slash = strrchr(file, '/');
    return (uint32_t)strtoul(slash != NULL ? slash + 1 : file, NULL, 10);
}

static const char *stem_of(const char *file, char *out, size_t capacity)
{
    const char *slash = strrchr(file, '/');
    snprintf(out, capacity, "%s", slash != NULL ? slash + 1 : file);
    char *dot = strrchr(out, '.');
    if (dot != NULL)
        *dot = '\0';
    return out;
}

/* ---- what is done ---- */

static bool state_file(char *out, size_t capacity, bool make)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char folder[2048];
    int size = state != NULL && *state == '/'
                   ? snprintf(folder, sizeof folder, "%s", state)
                   : snprintf(folder, sizeof folder, "%s/.local/state", home != NULL ? home : "");
    if (size >= (int)sizeof folder - 32 || (home == NULL && state == NULL))
        return false;
    for (char *at = strchr(folder + 1, '/'); make && at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        mkdir(folder, 0700);
        *at = '/';
    }
    if (make)
        mkdir(folder, 0700);
    snprintf(folder + size, sizeof folder - (size_t)size, "/kcsim");
    if (make)
        mkdir(folder, 0700);
    return snprintf(out, capacity, "%s/lessons", folder) < (int)capacity;
}

/* Lines "STEM RIGHT ASKED"; the last one counts. A file that cannot be read or written is no
   reason to fail: then nothing is known as done. */
static bool is_done(const char *stem, uint32_t *right, uint32_t *asked)
{
    char name[4096], line[512], known[256];
    bool found = false;
    FILE *in = state_file(name, sizeof name, false) ? fopen(name, "r") : NULL;
    while (in != NULL && fgets(line, sizeof line, in) != NULL)
        if (sscanf(line, "%255s %" SCNu32 " %" SCNu32, known, right, asked) == 3 &&
            strcmp(known, stem) == 0) {
            found = true;
            break;
        }
    if (in != NULL)
        fclose(in);
    return found;
}

static void keep_done(const char *stem, uint32_t right, uint32_t asked)
{
    char name[4096], next[4100], line[512], known[256];
    if (!state_file(name, sizeof name, true))
        return;
    snprintf(next, sizeof next, "%s~", name);
    FILE *in = fopen(name, "r"), *out = fopen(next, "w");
    while (in != NULL && out != NULL && fgets(line, sizeof line, in) != NULL)
        if (sscanf(line, "%255s", known) == 1 && strcmp(known, stem) != 0)
            fputs(line, out);
    if (out != NULL)
        fprintf(out, "%s %" PRIu32 " %" PRIu32 "\n", stem, right, asked);
    if (in != NULL)
        fclose(in);
    if (out != NULL && fclose(out) == 0)
        rename(next, name);
}

/* ---- the list ---- */

static int list_lessons(void)
{
    char **files = lesson_files();
    if (files == NULL)
        return SIM_EXIT_DATA;
    int code = SIM_EXIT_MET;
    for (char **file = files; *file != NULL; file++) {
        struct sim_diagnostics diagnostics;
        char stem[256];
        uint32_t right, asked;
        sim_diagnostics_init(&diagnostics);
        struct sim_scenario *s = sim_scenario_load(*file, &diagnostics);
        sim_diagnostics_print(&diagnostics, stderr, sim_color_wanted(SIM_COLOR_AUTO, stderr));
        sim_diagnostics_free(&diagnostics);
        if (s == NULL) {
            code = SIM_EXIT_DATA;
            continue;
        }
        const bool done = is_done(stem_of(*file, stem, sizeof stem), &right, &asked);
        printf("%s %2" PRIu32 "  %s",
               !done            ? " "
               : right == asked ? "✓"
                                : "·",
               number_of(*file), s->title);
        if (done)
            printf(" (%" PRIu32 " of %" PRIu32 ")", right, asked);
        putchar('\n');
        sim_scenario_free(s);
    }
    cli_scenario_files_free(files);
    printf("\nkcsim lesson 1 begins with the first; each takes about ten minutes.\n");
    return cli_written(code);
}

/* ---- one lesson ---- */

/* The file that is meant: a number, or the name of a file. Returns an owned text, or NULL. */
static char *find_lesson(const char *which)
{
    char *end;
    const unsigned long number = strtoul(which, &end, 10);
    if (*end != '\0' || end == which)
        return strdup(which);
    char **files = lesson_files();
    char *found = NULL;
    uint32_t last = 0;
    for (char **file = files; file != NULL && *file != NULL; file++) {
        last = number_of(*file);
        if (found == NULL && last == number)
            found = strdup(*file);
    }
    if (files != NULL && found == NULL)
        cli_error("there is no lesson %s; the last one is %" PRIu32, which, last);
    cli_scenario_files_free(files);
    return found;
}

/* --answers: a file with one a line ("-": standard input), else the answers themselves. Returns a
   stream of lines, or NULL after a message. */
static FILE *open_answers(const char *answers)
{
    if (answers == NULL || strcmp(answers, "-") == 0)
        return stdin;
    FILE *in = fopen(answers, "r");
    if (in != NULL)
        return in;
    if (errno != ENOENT || strchr(answers, '/') != NULL) {
        cli_error("cannot read %s: %s", answers, strerror(errno));
        return NULL;
    }
    FILE *lines = tmpfile();
    if (lines == NULL) {
        cli_error("cannot make a temporary file: %s", strerror(errno));
        return NULL;
    }
    for (const char *at = answers; *at != '\0'; at++) {
        const bool is_comma = *at == '\\' && at[1] == ','; /* one of the answer itself */
        at += is_comma;
        fputc(*at == ',' && !is_comma ? '\n' : *at, lines);
    }
    rewind(lines);
    return lines;
}

/* Asks, and tells how it went. */
static int ask(const struct arguments *a, struct cli_lesson *l)
{
    char stem[256];
    l->answers = open_answers(a->answers);
    if (l->answers == NULL)
        return SIM_EXIT_USAGE;
    l->person = a->answers == NULL && !a->json && isatty(STDIN_FILENO);
    l->quiet = a->json;
    const bool good = cli_lesson_ask(l);
    if (l->answers != stdin)
        fclose(l->answers);
    if (!good)
        return SIM_EXIT_INTERRUPTED;
    if (a->json)
        cli_lesson_json(l, stdout);
    else if (a->answers == NULL && l->skipped < l->asked)
        keep_done(stem_of(l->file, stem, sizeof stem), l->right, l->asked);
    return (int)cli_lesson_exit(l);
}

static int show(const struct arguments *a, struct cli_lesson *l)
{
    l->quiet = true;
    if (!a->json)
        cli_lesson_show(l, stdout);
    else if (cli_lesson_ask(l)) /* nobody answers */
        cli_lesson_json(l, stdout);
    return SIM_EXIT_MET;
}

/* The page asks the same: its stops are in the trace. */
static int report(const struct arguments *a, const char *file, const struct cli_play *play)
{
    const struct ui_page_options page = {.name = file};
    if (!cli_report_write(a->report, play->trace, &page))
        return SIM_EXIT_SOFTWARE;
    if (strcmp(a->report, "-") != 0)
        printf("%s: open it in a browser\n", a->report);
    return SIM_EXIT_MET;
}

/* The run must be what the lesson's author expects, or its texts may tell what is not so. */
static int teach(const struct arguments *a, const char *file, struct cli_play *play)
{
    if (play->scenario->lesson == NULL) {
        cli_error("%s is no lesson: it has no 'lesson:'", file);
        return SIM_EXIT_DATA;
    }
    if (play->lesson == NULL)
        return play->failed ? SIM_EXIT_SOFTWARE : SIM_EXIT_DATA;
    struct cli_lesson l = {
        .play = play, .file = file, .number = number_of(file), .color = a->color};
    l.results = calloc(play->lesson->question_count + 1, sizeof *l.results);
    if (l.results == NULL)
        abort();
    int code = SIM_EXIT_MET;
    if (a->report != NULL)
        code = report(a, file, play);
    else
        code = a->show ? show(a, &l) : ask(a, &l);
    free(l.results);
    return code;
}

static int play_lesson(const struct arguments *a, const char *file)
{
    struct sim_diagnostics diagnostics;
    struct cli_play play;
    sim_diagnostics_init(&diagnostics);
    struct sim_scenario *s = sim_scenario_load(file, &diagnostics);
    sim_diagnostics_print(&diagnostics, stderr, sim_color_wanted(a->color, stderr));
    sim_diagnostics_free(&diagnostics);
    if (s == NULL)
        return SIM_EXIT_DATA;
    s->profile.defects = (s->profile.defects | a->defects_on) & ~a->defects_off;
    cli_play_scenario(&play, s,
                      &(struct cli_play_options){.has_seed = a->has_seed, .seed = a->seed});
    int code = SIM_EXIT_INTERRUPTED;
    if (play.result.ending != SIM_ENDED_INTERRUPTED)
        code = teach(a, file, &play);
    cli_play_free(&play);
    sim_scenario_free(s);
    return cli_written(code);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {.which = NULL};
    cli_parse(command, argc, argv, &a);
    if (a.which == NULL)
        return list_lessons();
    cli_catch_interrupt();
    char *file = find_lesson(a.which);
    if (file == NULL)
        return SIM_EXIT_USAGE;
    const int code = play_lesson(&a, file);
    free(file);
    return code;
}

/* ---- the command line ---- */

/* KAFKA-6082=off */
static void switch_defect(struct arguments *a, const char *arg, const struct argp_state *state)
{
    char name[64];
    const size_t size = strcspn(arg, "=");
    const bool on = strcmp(arg + size, "=on") == 0;
    if (size >= sizeof name || (!on && strcmp(arg + size, "=off") != 0))
        argp_error(state, "'%s' is no switch: KAFKA-6082=off is", arg);
    snprintf(name, sizeof name, "%.*s", (int)size, arg);
    const enum sm_defect defect = sm_defect_named(name);
    if (defect == SM_DEFECT_END)
        argp_error(state, "unknown defect '%s'; see kcsim explain defects", name);
    *(on ? &a->defects_on : &a->defects_off) |= UINT64_C(1) << defect;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 's':
        cli_seed_parse(arg, &a->has_seed, &a->seed, state);
        return 0;
    case 'a':
        a->answers = arg;
        return 0;
    case 'f':
        a->json = strcmp(arg, "json") == 0;
        if (!a->json && strcmp(arg, "human") != 0)
            argp_error(state, "--format is human or json, not '%s'", arg);
        return 0;
    case 'C':
        if (!cli_color_named(arg, &a->color))
            argp_error(state, "--color is auto, always or never, not '%s'", arg);
        return 0;
    case 'r':
        a->report = arg;
        return 0;
    case KEY_SHOW:
        a->show = true;
        return 0;
    case KEY_TERMINAL:
        return 0;
    case KEY_DEFECT:
        switch_defect(a, arg, state);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            return ARGP_ERR_UNKNOWN;
        a->which = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->which == NULL && (a->report != NULL || a->show || a->answers != NULL || a->json))
            argp_error(state, "which lesson? kcsim lesson lists them");
        if (a->report != NULL && (a->show || a->answers != NULL || a->json))
            argp_error(state, "--report asks nothing here: leave --show, --answers, --format out");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {.name = "terminal", .key = KEY_TERMINAL, .doc = "ask here (the default)"},
    {.name = "answers",
     .key = 'a',
     .arg = "FILE|a,b,c",
     .doc = "answers, one a line of FILE (- is standard input), or as a list"},
    {.name = "format", .key = 'f', .arg = "FORMAT", .doc = "human, json"},
    {.name = "show",
     .key = KEY_SHOW,
     .doc = "for teachers: moments, questions, right answers, reasons"},
    {.name = "report",
     .key = 'r',
     .arg = "FILE",
     .doc = "write the lesson as a page for the browser (- is standard output), ask nothing here"},
    {.name = "seed", .key = 's', .arg = "N", .doc = "in place of the scenario's"},
    {.name = "defect",
     .key = KEY_DEFECT,
     .arg = "NAME=on|off",
     .doc = "with a known defect switched: KAFKA-6082=off"},
    {.name = "color", .key = 'C', .arg = "WHEN", .doc = "auto (default), always, never"},
    {0},
};

const struct cli_command cli_lesson_command = {
    .name = "lesson",
    .group = "Learn",
    .line = "ten lessons: predict, run, explain",
    .arguments = "[N|FILE]",
    .examples = "kcsim lesson\n"
                "kcsim lesson 1 --terminal\n"
                "kcsim lesson 1 --report lesson.html\n"
                "kcsim lesson 3 --answers b,a,c,a --format json\n"
                "kcsim lesson 5 --defect KAFKA-6082=off\n"
                "kcsim lesson my-own.yaml --show\n",
    .about = "Exit code: 0 all answers right, 1 one was wrong, 2 none was wrong but not all were\n"
             "given, 64 wrong usage, 65 the lesson's file is wrong or its run does not answer it,\n"
             "130 interrupted. docs/lessons.md tells how to write lessons and grade a class.\n",
    .options = options,
    .parse = parse,
    .run = run,
};
