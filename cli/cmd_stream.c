/*
 * kcsim stream run: loads a job from a shared object and runs it.
 *
 *     kcsim stream run PATH -p 2 --input f      PATH, PATH.so, or that under the built or installed
 *          │                                    examples; `st_job` of it builds the graph
 *          └─ -D -p -s -n are the runtime's, the rest goes to the job
 *
 * The job's code finds the interface in this program, which therefore exports it.
 */
#include <dlfcn.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/stream_ask.h"
#include "sim/diagnostics.h"
#include "stream/arguments.h"
#include "stream/graph.h"

#define PATH_SIZE 4096

enum { KEY_STEPS = 256, KEY_PROGRESS, KEY_FORMAT, KEY_SAVEPOINT_PATH };

/* From FIRST_ASKED on: what a running job is asked. */
static const char *const words[] = {"run",        "info",      "list", "status", "metrics",
                                    "checkpoint", "savepoint", "stop", "cancel", NULL};
enum { FIRST_ASKED = 2 };

typedef int job_function(st_env *env, int argc, char **argv);

/* Where the shared object of a job is; false if nowhere. */
static bool find_job(const char *name, char *path)
{
    const char *base = strncmp(name, "examples/", 9) == 0 ? name + 9 : name;
    const char *const forms[][3] = {{"", "", name},
                                    {"", "", name},
                                    {KCSIM_EXAMPLES_BUILT "/", ".so", base},
                                    {KCSIM_EXAMPLES_DIR "/", ".so", base}};
    for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++) {
        bool here = strchr(name, '/') == NULL && *forms[f][0] == '\0';
        int size = snprintf(path, PATH_SIZE, "%s%s%s%s", here ? "./" : "", forms[f][0], forms[f][2],
                            f == 1 ? ".so" : forms[f][1]);
        size_t end = strlen(path);
        if (size > 0 && size < PATH_SIZE && end > 3 && strcmp(path + end - 3, ".so") == 0 &&
            access(path, R_OK) == 0) {
            return true;
        }
    }
    return false;
}

/* What a job is called by: its file's name without ".so". */
static void name_of(const char *path, char name[256])
{
    const char *slash = strrchr(path, '/');
    snprintf(name, 256, "%s", slash != NULL ? slash + 1 : path);
    char *end = strstr(name, ".so");
    if (end != NULL) {
        *end = '\0';
    }
}

/* Says that there is no such job, and which example has a name like that. */
static void refuse_job(const char *path)
{
    char name[256], (*examples)[256];
    glob_t found = {0};
    (void)glob(KCSIM_EXAMPLES_BUILT "/*.so", 0, NULL, &found);
    (void)glob(KCSIM_EXAMPLES_DIR "/*.so", GLOB_APPEND, NULL, &found);
    examples = calloc(found.gl_pathc + 1, sizeof *examples);
    const char **names = calloc(found.gl_pathc + 1, sizeof *names);
    for (size_t f = 0; examples != NULL && names != NULL && f < found.gl_pathc; f++) {
        name_of(found.gl_pathv[f], examples[f]);
        names[f] = examples[f];
    }
    name_of(path, name);
    const char *nearest = names != NULL ? sim_closest(name, names) : NULL;
    if (nearest != NULL) {
        cli_error("stream: %s: there is no such job; did you mean examples/%s?", path, nearest);
    } else {
        cli_error("stream: %s: there is no such job; a shared object (JOB.so) or an example "
                  "(examples/word_count) is expected",
                  path);
    }
    free(names);
    free(examples);
    globfree(&found);
}

static job_function *load_job(const char *name)
{
    char path[PATH_SIZE];
    if (!find_job(name, path)) {
        refuse_job(name);
        return NULL;
    }
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL); /* never closed: the job may still use it */
    void *symbol = object != NULL ? dlsym(object, "st_job") : NULL;
    if (symbol == NULL) {
        cli_error("stream: %s", dlerror());
        return NULL;
    }
    job_function *job;
    memcpy(&job, &symbol, sizeof job);
    return job;
}

/* Ends a command: what is wrong, if anything, and the exit code. */
static int report(const st_env *env, enum st_err err)
{
    if (err == ST_OK) {
        return SIM_EXIT_MET;
    }
    fflush(stdout);
    fputs(st_env_error(env), stderr);
    switch (err) {
    case ST_ERR_CONFIG:
    case ST_ERR_GRAPH:
        return SIM_EXIT_USAGE;
    case ST_ERR_CANCELLED:
        return SIM_EXIT_INTERRUPTED;
    case ST_OK:
    case ST_ERR_FAILED:
    case ST_ERR_IO:
    case ST_ERR_RESTORE:
    case ST_ERR_END:
        break;
    }
    return SIM_EXIT_FAILED;
}

/* Lets the job build its graph, from what is left of the words when the runtime has taken its
 * flags; false with a message said. argv[0] is the job. */
static bool build_graph(st_env *env, job_function *job, int argc, char **argv)
{
    enum st_err err = st_env_take_arguments(env, &argc, argv);
    int own = err == ST_OK ? job(env, argc, argv) : 0;
    if (own != 0 && *st_env_error(env) == '\0') {
        cli_error("stream: %s: its st_job gave %d, and no graph", argv[0], own);
    } else if (err != ST_OK || own != 0) {
        fflush(stdout);
        fputs(st_env_error(env), stderr);
    }
    return err == ST_OK && own == 0;
}

/* argv[0] is the job. */
static int run_job(int argc, char **argv)
{
    job_function *job = load_job(argv[0]);
    if (job == NULL) {
        return SIM_EXIT_USAGE;
    }
    char name[256];
    name_of(argv[0], name);
    int code = SIM_EXIT_USAGE;
    st_env *env = st_env_new();
    st_env_listen(env);
    if (build_graph(env, job, argc, argv)) {
        if (isatty(STDERR_FILENO) == 1 && !(env_prints(env) && isatty(STDOUT_FILENO) == 1)) {
            st_env_show_progress(env); /* not into the lines that the job prints */
        }
        code = report(env, st_execute(env, name));
    }
    st_env_free(env);
    return code;
}

/* Takes `--format FORM` out of the words; NULL: a form is missing. */
static const char *take_format(int *argc, char **argv)
{
    const char *form = "text", *joined;
    int kept = 1;
    for (int i = 1; i < *argc; i++) {
        if (arguments_is(argv[i], NULL, "--format", &joined)) {
            form = joined == NULL && i + 1 < *argc ? argv[++i] : joined;
        } else {
            argv[kept++] = argv[i];
        }
    }
    argv[kept] = NULL;
    *argc = kept;
    return form;
}

/* Prints the graph of a job, which is not run. argv[0] is the job. Source: Flink CliFrontend.info.
 */
static int tell_graph(int argc, char **argv)
{
    const char *form = take_format(&argc, argv);
    job_function *job = load_job(argv[0]);
    if (job == NULL || form == NULL) {
        if (form == NULL) {
            cli_error("stream info: --format takes text, dot or json");
        }
        return SIM_EXIT_USAGE;
    }
    st_env *env = st_env_new();
    bool is_built = build_graph(env, job, argc, argv);
    char *plan = is_built ? st_env_plan(env, form) : NULL;
    if (plan != NULL) {
        fputs(plan, stdout);
    } else if (is_built) {
        fputs(st_env_error(env), stderr);
    }
    free(plan);
    st_env_free(env);
    return plan != NULL ? SIM_EXIT_MET : SIM_EXIT_USAGE;
}

/* As with Flink, flags of the runtime may stand before the job; it looks for them behind. False if
 * there is no job behind them. */
static bool bring_job_first(int argc, char **argv)
{
    int at = 0;
    while (at < argc && argv[at][0] == '-' && strcmp(argv[at], "--") != 0) {
        int width = arguments_width(argv[at]);
        at += width > 0 ? width : 1;
    }
    if (at >= argc || strcmp(argv[at], "--") == 0) {
        return false;
    }
    char *job = argv[at];
    memmove(argv + 1, argv, (size_t)at * sizeof *argv);
    argv[0] = job;
    return true;
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* Says which words there are, or which one is meant; NULL: none was given. */
static int refuse_word(const char *word)
{
    const char *nearest = word != NULL ? sim_closest(word, words) : NULL;
    if (nearest != NULL) {
        cli_error("stream: no word '%s'; did you mean '%s'?", word, nearest);
        return SIM_EXIT_USAGE;
    }
    char all[256] = "";
    for (size_t w = 0, size = 0; words[w] != NULL; w++) {
        size +=
            (size_t)snprintf(all + size, sizeof all - size, "%s%s", w > 0 ? ", " : "", words[w]);
    }
    if (word == NULL) {
        cli_error("stream takes a word: %s", all);
    } else {
        cli_error("stream: no word '%s'; there are: %s", word, all);
    }
    return SIM_EXIT_USAGE;
}

/* argv[0] is the word. */
static int run_or_tell(int argc, char **argv)
{
    bool info = strcmp(argv[0], "info") == 0;
    if (info ? argc < 2 || argv[1][0] == '-' : !bring_job_first(argc - 1, argv + 1)) {
        cli_error("stream %s takes a job: JOB.so, or examples/word_count", argv[0]);
        return SIM_EXIT_USAGE;
    }
    return (info ? tell_graph : run_job)(argc - 1, argv + 1);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    if (argc < 2) {
        return refuse_word(NULL);
    }
    if (asks_for_help(argv[1]) || (argc > 2 && asks_for_help(argv[2]))) {
        cli_help(command, stdout);
        return SIM_EXIT_MET;
    }
    size_t word = 0;
    while (words[word] != NULL && strcmp(words[word], argv[1]) != 0) {
        word++;
    }
    return words[word] == NULL  ? refuse_word(argv[1])
           : word < FIRST_ASKED ? run_or_tell(argc - 1, argv + 1)
                                : stream_ask(argc - 1, argv + 1);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    (void)key;
    (void)arg;
    (void)state;
    return ARGP_ERR_UNKNOWN; /* only for the help: the job has flags of its own */
}

/* Under the words that take them; the completion of bash reads the help. */
static const struct argp_option options[] = {
    {.doc = "run, info:", .group = 1},
    {.name = "define", .key = 'D', .arg = "KEY=VALUE", .doc = "configuration, under Flink's names"},
    {.name = "parallelism", .key = 'p', .arg = "N", .doc = "where the job does not say"},
    {.name = "fromSavepoint", .key = 's', .arg = "PATH", .doc = "savepoint, checkpoint, folder"},
    {.name = "allowNonRestoredState", .key = 'n', .doc = "drop state that the job has no more"},
    {.name = "steps", .key = KEY_STEPS, .doc = "on one thread and virtual time: always alike"},
    {.name = "progress", .key = KEY_PROGRESS, .doc = "tell each second how far it is"},
    {.doc = "info, list, status:", .group = 2},
    {.name = "format", .key = KEY_FORMAT, .arg = "FORM", .doc = "text or json; info: dot, too"},
    {.doc = "stop:", .group = 3},
    {.name = "drain", .key = 'd', .doc = "let the input end first: all windows fire"},
    {.name = "savepointPath",
     .key = KEY_SAVEPOINT_PATH,
     .arg = "DIR",
     .doc = "or -p DIR: where the savepoint goes"},
    {0},
};

const struct cli_command cli_stream = {
    .name = "stream",
    .group = "Stream jobs",
    .line = "run a stream job: windows, state, checkpoints",
    .arguments = "run JOB [FLAG…]\ninfo JOB [--format FORM] [FLAG…]\nlist|status [--format FORM] "
                 "[ID]\nmetrics|checkpoint|cancel "
                 "[ID]\nsavepoint [ID [DIR]]\n"
                 "stop [-d] [-p DIR] [ID]",
    .examples = "kcsim stream run examples/word_count --input text.txt\n"
                "kcsim stream run examples/tumbling --steps\n"
                "kcsim stream info examples/tumbling --format dot\n"
                "kcsim stream run ./my_job.so -D execution.checkpointing.interval=1s \\\n"
                "      -D execution.checkpointing.dir=ck -p 2\n"
                "kcsim stream status my_job --format json\n"
                "kcsim stream savepoint my_job /var/savepoints\n"
                "kcsim stream stop my_job\n"
                "kcsim stream run ./my_job.so -s ck/savepoint-3 -p 4\n",
    .about =
        "A job is a shared object with int st_job(st_env *, int argc, char **argv). Flags that\n"
        "are not listed here go to the job, and so does all behind --. ID is the name or the\n"
        "process number of a running job; with one job it may be left out. stop takes a\n"
        "savepoint first. The folder is that of execution.checkpointing.savepoint-dir, or .dir,\n"
        "where none is given. On a terminal to which it prints nothing a job tells its progress;\n"
        "metrics.reporter.prom.port serves metrics over HTTP.\n",
    .options = options,
    .parse = parse,
    .run = run,
};
