/*
 * kcsim stream WORD: a table of words, each with a page of its own.
 *
 *     run, info ──► stream_run.c            a job is loaded
 *     list, status, stop … ──► stream_ask.c    one that runs is asked
 *
 * A page is the help of a command (cli.h); what `kcsim stream --help` lists and what the shell
 * completes come from these rows, too.
 */
#include <string.h>

#include "cli/cli.h"
#include "cli/stream_ask.h"
#include "cli/stream_run.h"
#include "sim/diagnostics.h"

#define ID_ABOUT                                                                                   \
    "ID is the name or the process number of a running job; with one job it may be left out.\n"

enum { KEY_STEPS = 256, KEY_PROGRESS, KEY_FORMAT, KEY_SAVEPOINT_PATH };

#define OPTIONS_OF_JOB                                                                             \
    {.name = "define", .key = 'D', .arg = "KEY=VALUE", .doc = "configuration, Flink's names"},     \
        {.name = "parallelism", .key = 'p', .arg = "N", .doc = "where the job does not say"},      \
        {.name = "fromSavepoint",                                                                  \
         .key = 's',                                                                               \
         .arg = "PATH",                                                                            \
         .doc = "savepoint, checkpoint, or a folder of checkpoints"},                              \
        {.name = "allowNonRestoredState",                                                          \
         .key = 'n',                                                                               \
         .doc = "drop state of operators that are gone"},                                          \
    {                                                                                              \
        .name = "steps", .key = KEY_STEPS, .doc = "on one thread and virtual time: always alike"   \
    }

static const struct argp_option run_options[] = {
    OPTIONS_OF_JOB,
    {.name = "progress", .key = KEY_PROGRESS, .doc = "tell each second how far it is"},
    {0},
};

static const struct argp_option info_options[] = {
    OPTIONS_OF_JOB,
    {.name = "format", .key = KEY_FORMAT, .arg = "FORM", .doc = "text, dot or json"},
    {0},
};

static const struct argp_option list_options[] = {
    {.name = "running", .key = 'r', .doc = "those that run, or wait to begin again"},
    {.name = "scheduled", .key = 's', .doc = "those that are being made ready"},
    {.name = "all", .key = 'a', .doc = "both, as without a flag"},
    {.name = "format", .key = KEY_FORMAT, .arg = "FORM", .doc = "text or json"},
    {0},
};

static const struct argp_option status_options[] = {
    {.name = "format", .key = KEY_FORMAT, .arg = "FORM", .doc = "text or json"},
    {0},
};

static const struct argp_option stop_options[] = {
    {.name = "drain", .key = 'd', .doc = "let the input end first: all windows fire"},
    {.name = "savepointPath",
     .key = KEY_SAVEPOINT_PATH,
     .arg = "DIR",
     .doc = "or -p DIR: where the savepoint goes"},
    {0},
};

static int run_a_job(const struct cli_command *page, int argc, char **argv)
{
    (void)page;
    return stream_run(argc, argv);
}

static int show_a_graph(const struct cli_command *page, int argc, char **argv)
{
    (void)page;
    return stream_info(argc, argv);
}

static int ask_a_job(const struct cli_command *page, int argc, char **argv)
{
    (void)page;
    return stream_ask(argc, argv);
}

static const struct cli_command pages[] = {
    {.name = "stream run",
     .line = "run a job",
     .arguments = "JOB [FLAG…]",
     .examples = "kcsim stream run examples/word_count --input text.txt\n"
                 "kcsim stream run examples/tumbling --steps\n"
                 "kcsim stream run ./my_job.so -p 2 -D execution.checkpointing.interval=1s \\\n"
                 "      -D execution.checkpointing.dir=ck -D restart-strategy=exponential-delay\n"
                 "kcsim stream run ./my_job.so -s ck/savepoint-3 -p 4\n",
     .about =
         "JOB is a shared object with int st_job(st_env *, int argc, char **argv), or an example.\n"
         "Flags that are not listed here go to it, and so does all behind --. Keys and their\n"
         "defaults are in docs/stream.md. On a terminal to which it prints nothing a job tells "
         "its\n"
         "progress; metrics.reporter.prom.port serves metrics over HTTP. SIGINT and SIGTERM "
         "cancel\n"
         "it, a second one ends it at once.\n",
     .options = run_options,
     .run = run_a_job},
    {.name = "stream info",
     .line = "print the graph of a job, which is not run",
     .arguments = "JOB [FLAG…]",
     .examples = "kcsim stream info examples/tumbling\n"
                 "kcsim stream info examples/tumbling --format dot | dot -Tsvg > tumbling.svg\n",
     .about = "JOB and its flags are those of kcsim stream run; the job comes first.\n",
     .options = info_options,
     .run = show_a_graph},
    {.name = "stream list",
     .line = "the jobs that run",
     .arguments = "[ID]",
     .examples = "kcsim stream list\n"
                 "kcsim stream list --running --format json\n",
     .about =
         "A line each: process number, name, state, for how long, records a second in and out, "
         "last\n"
         "checkpoint. Those of this user that kcsim stream run or st_env_listen lets be asked; one "
         "that\n"
         "has ended is gone.\n",
     .options = list_options,
     .run = ask_a_job},
    {.name = "stream status",
     .line = "what a job does, operator by operator",
     .arguments = "[ID]",
     .examples = "kcsim stream status my_job\n"
                 "kcsim stream status my_job --format json\n",
     .about = ID_ABOUT
     "Records a second, watermark; of a task how much of its time it is busy, held up\n"
     "(back-pressured) and idle. The JSON has the words of Flink's REST interface.\n",
     .options = status_options,
     .run = ask_a_job},
    {.name = "stream metrics",
     .line = "the metrics of a job, for Prometheus",
     .arguments = "[ID]",
     .examples = "kcsim stream metrics my_job\n"
                 "kcsim stream metrics my_job | grep isBackPressured\n",
     .about = ID_ABOUT
     "Names and labels are those of Flink's reporter; docs/stream.md lists them. With\n"
     "-D metrics.reporter.prom.port=9249 a job serves them at\n"
     "http://127.0.0.1:9249/metrics.\n",
     .run = ask_a_job},
    {.name = "stream checkpoint",
     .line = "take a checkpoint now",
     .arguments = "[ID]",
     .examples = "kcsim stream checkpoint my_job\n",
     .about = ID_ABOUT "It goes into execution.checkpointing.dir, as those of the interval do.\n",
     .run = ask_a_job},
    {.name = "stream savepoint",
     .line = "write the state of a job, which runs on",
     .arguments = "[ID [DIR]]",
     .examples = "kcsim stream savepoint my_job /var/savepoints\n"
                 "kcsim stream run ./my_job.so -s /var/savepoints/savepoint-3\n",
     .about = ID_ABOUT
     "Without DIR it goes into execution.checkpointing.savepoint-dir, or .dir. It commits\n"
     "nothing: transactions that it ends wait for the next checkpoint.\n",
     .run = ask_a_job},
    {.name = "stream stop",
     .line = "end a job with a savepoint",
     .arguments = "[-d] [-p DIR] [ID]",
     .examples = "kcsim stream stop my_job -p /var/savepoints\n"
                 "kcsim stream stop --drain my_job\n",
     .about = ID_ABOUT
     "No record comes behind the savepoint, and what it ends is committed. A drained one is\n"
     "not to go on from. Without DIR: execution.checkpointing.savepoint-dir, or .dir.\n",
     .options = stop_options,
     .run = ask_a_job},
    {.name = "stream cancel",
     .line = "end a job at once, in order",
     .arguments = "[ID]",
     .examples = "kcsim stream cancel my_job\n",
     .about = ID_ABOUT
     "Nothing is committed: what two-phase sinks have open is aborted. Its exit code is 130.\n",
     .run = ask_a_job},
    {.name = NULL},
};

#define PAGE_COUNT (sizeof pages / sizeof pages[0] - 1)

/* Says which words there are, or which one is meant; NULL: none was given. */
static int refuse_word(const char *word)
{
    const char *words[PAGE_COUNT + 1] = {0};
    char all[256] = "";
    for (size_t p = 0, size = 0; p < PAGE_COUNT; p++) {
        words[p] = cli_word(&pages[p]);
        size +=
            (size_t)snprintf(all + size, sizeof all - size, "%s%s", p > 0 ? ", " : "", words[p]);
    }
    const char *nearest = word != NULL ? sim_closest(word, words) : NULL;
    if (word == NULL) {
        cli_error("stream takes a word: %s", all);
    } else if (nearest != NULL) {
        cli_error("stream: no word '%s'; did you mean '%s'?", word, nearest);
    } else {
        cli_error("stream: no word '%s'; there are: %s", word, all);
    }
    return SIM_EXIT_USAGE;
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    if (argc < 2) {
        return refuse_word(NULL);
    }
    if (asks_for_help(argv[1])) {
        cli_help(command, stdout);
        return SIM_EXIT_MET;
    }
    const struct cli_command *page = cli_page(command, argv[1]);
    if (page == NULL) {
        return refuse_word(argv[1]);
    }
    if (argc > 2 && asks_for_help(argv[2])) { /* farther behind it may be a job's own flag */
        cli_help(page, stdout);
        return SIM_EXIT_MET;
    }
    return page->run(page, argc - 1, argv + 1);
}

const struct cli_command cli_stream = {
    .name = "stream",
    .group = "Stream jobs",
    .line = "run a stream job: windows, state, checkpoints",
    .arguments = "WORD …",
    .examples = "kcsim stream run examples/word_count --input text.txt\n"
                "kcsim stream info examples/tumbling --format dot\n"
                "kcsim stream status my_job\n"
                "kcsim stream stop my_job -p /var/savepoints\n"
                "kcsim stream run ./my_job.so -s /var/savepoints/savepoint-3 -p 4\n",
    .about = "kcsim stream WORD --help shows the flags and examples of each.\n" ID_ABOUT,
    .pages = pages,
    .run = run,
};
