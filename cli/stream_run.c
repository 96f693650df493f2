/*
 * Jobs that are shared objects, see stream_run.h.
 */
#include "cli/stream_run.h"

#include <dlfcn.h>
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "sim/diagnostics.h"
#include "stream/arguments.h"
#include "stream/graph.h"

#define PATH_SIZE 4096

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
        return st_env_signal(env) == SIGTERM ? 128 + SIGTERM : SIM_EXIT_INTERRUPTED;
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
    st_env_set(env, "pipeline.name", name); /* unless a flag says otherwise */
    st_env_listen(env);
    if (build_graph(env, job, argc, argv)) {
        if (isatty(STDERR_FILENO) == 1 && !(env_prints(env) && isatty(STDOUT_FILENO) == 1)) {
            st_env_show_progress(env); /* not into the lines that the job prints */
        }
        code = report(env, st_execute(env, NULL));
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

static int miss_job(const char *word)
{
    cli_error("stream %s takes a job: JOB.so, or examples/word_count", word);
    return SIM_EXIT_USAGE;
}

int stream_run(int argc, char **argv)
{
    if (!bring_job_first(argc - 1, argv + 1)) {
        return miss_job(argv[0]);
    }
    return run_job(argc - 1, argv + 1);
}

int stream_info(int argc, char **argv)
{
    if (argc < 2 || argv[1][0] == '-') {
        return miss_job(argv[0]);
    }
    return tell_graph(argc - 1, argv + 1);
}
