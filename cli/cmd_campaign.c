/*
 * kcsim campaign FILE… --seeds 1..10000: many seeds over all cores, and what came of them.
 * kcsim campaign merge RESULTS…: the results of shards as one.
 */
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/campaign_run.h"
#include "sim/moment.h"

enum {
    KEY_STOP_AFTER = 256,
    KEY_TIME,
    KEY_RUN_LIMIT,
    KEY_SWARM,
    KEY_VACUOUS,
    KEY_WIRE,
    SEEDS_MAX = 1000000000,
    RUN_LIMIT_US = 120 * 1000000 /* a hundred times what most runs need with their replays */
};

struct arguments {
    struct cli_campaign_options run;
    enum sim_format format;
    const char *shard;
    bool allow_vacuous;
};

/* ---- shards of a cluster's scheduler ---- */

static bool number_of(const char *variable, int64_t *out)
{
    const char *text = getenv(variable);
    char *end;
    if (text == NULL || *text == '\0')
        return false;
    *out = strtoll(text, &end, 10);
    return *end == '\0';
}

/* Slurm's array jobs, Kubernetes' indexed jobs. Stores 0 where there is none, or no count. */
static void scheduled_shard(int64_t *index, int64_t *count)
{
    int64_t first = 0, step = 1;
    *index = *count = 0;
    if (number_of("SLURM_ARRAY_TASK_ID", index)) {
        number_of("SLURM_ARRAY_TASK_MIN", &first);
        number_of("SLURM_ARRAY_TASK_STEP", &step);
        number_of("SLURM_ARRAY_TASK_COUNT", count);
        *index = (*index - first) / (step < 1 ? 1 : step) + 1;
    } else if (number_of("JOB_COMPLETION_INDEX", index)) {
        number_of("JOB_COMPLETIONS", count);
        *index += 1;
    }
}

static bool choose_shard(struct arguments *a)
{
    int64_t index, count;
    scheduled_shard(&index, &count);
    a->run.shard = (struct sim_shard){1, 1};
    if (a->shard != NULL) {
        uint32_t given = index >= 1 && index <= UINT32_MAX ? (uint32_t)index : 0;
        if (sim_shard_parse(a->shard, given, &a->run.shard))
            return true;
        cli_error("--shard %s: 3/8 is the third of eight; /8 takes the third from the variables of "
                  "Slurm or Kubernetes",
                  a->shard);
        return false;
    }
    if (index == 0)
        return true;
    if (index < 1 || count < 1 || index > count || count > UINT32_MAX) {
        cli_error("this is task %" PRId64 " of an array job, but of how many? Set JOB_COMPLETIONS, "
                  "or give --shard /COUNT (--shard 1/1: all of it here)",
                  index);
        return false;
    }
    a->run.shard = (struct sim_shard){(uint32_t)index, (uint32_t)count};
    return true;
}

/* ---- running ---- */

static int run_campaign(struct arguments *a)
{
    enum sim_exit code;
    if (!choose_shard(a))
        return SIM_EXIT_USAGE;
    cli_catch_interrupt();
    struct cli_campaign *c = cli_campaign_open(&a->run, &code);
    if (c == NULL)
        return (int)code;
    if (cli_campaign_run(c)) {
        struct cli_campaign_report report = cli_campaign_report_of(c);
        report.allow_vacuous = a->allow_vacuous;
        cli_campaign_print(&report, a->format, sim_color_wanted(a->run.color, stdout), stdout);
        code = cli_campaign_exit(&report);
    } else {
        code = SIM_EXIT_SOFTWARE;
    }
    cli_campaign_close(c);
    return (int)code;
}

/* ---- merging ---- */

static bool write_merged(const struct sim_results *r, const char *folder)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/results.ndjson", folder);
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        cli_error("cannot write %s: %s", folder, strerror(errno));
        return false;
    }
    FILE *out = fopen(path, "wx");
    bool good = out != NULL;
    if (good)
        sim_campaign_write_header(&r->campaign, out);
    for (size_t i = 0; good && i < r->count; i++)
        sim_campaign_write_outcome(&r->campaign, &r->outcomes[i], out);
    if (out != NULL)
        good = fclose(out) == 0 && good;
    if (!good)
        cli_error("cannot write %s: %s", path, strerror(errno));
    return good;
}

static bool read_all(struct sim_results *r, char **names, int count)
{
    char why[1200];
    bool good = true;
    for (int i = 0; i < count && good; i++)
        good = sim_results_read(r, names[i], NULL, why, sizeof(why));
    good = good && sim_results_settle(r, why, sizeof(why));
    if (!good)
        cli_error("%s", why);
    if (good && r->torn > 0)
        cli_error("%" PRIu64 " torn lines are passed over", r->torn);
    return good;
}

static uint64_t missing_of(const struct sim_results *r)
{
    const struct sim_campaign *c = &r->campaign;
    uint64_t asked = (c->last_seed - c->first_seed + 1) * c->file_count;
    return asked > r->count ? asked - r->count : 0;
}

static int merge(struct arguments *a)
{
    struct sim_results r = {0};
    struct sim_tally tally = {0};
    enum sim_exit code = SIM_EXIT_DATA;
    if (a->run.file_count < 2) {
        cli_error("merge what? The results files of the shards follow");
        return SIM_EXIT_USAGE;
    }
    if (read_all(&r, a->run.files + 1, a->run.file_count - 1)) {
        for (size_t i = 0; i < r.count; i++)
            sim_tally_add(&tally, &r.outcomes[i]);
        struct cli_campaign_report report = {.campaign = &r.campaign,
                                             .tally = &tally,
                                             .shard = {1, 1},
                                             .missing = missing_of(&r),
                                             .allow_vacuous = a->allow_vacuous,
                                             .wall_seconds = -1};
        bool good = a->run.folder == NULL || write_merged(&r, a->run.folder);
        cli_campaign_print(&report, a->format, sim_color_wanted(a->run.color, stdout), stdout);
        code = good ? cli_campaign_exit(&report) : SIM_EXIT_SOFTWARE;
    }
    sim_tally_free(&tally);
    sim_results_free(&r);
    return (int)code;
}

static uint32_t usable_cores(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    return count < 1 ? 1 : (uint32_t)count;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {
        .format = SIM_FORMAT_HUMAN,
        .run = {.first_seed = 1,
                .last_seed = 1000,
                .time_limit_us = -1,
                .run_limit_us = RUN_LIMIT_US,
                .jobs = usable_cores()}};
    cli_parse(command, argc, argv, &a);
    return strcmp(a.run.files[0], "merge") == 0 ? merge(&a) : run_campaign(&a);
}

/* ---- the command line ---- */

static uint64_t parse_count(const char *text, const char *option, uint64_t most,
                            struct argp_state *state)
{
    uint64_t first, last = 0;
    if (strchr(text, '.') != NULL || !sim_seeds_parse(text, &first, &last) || last > most)
        argp_error(state, "%s takes a number from 1 to %" PRIu64 ", not '%s'", option, most, text);
    return last;
}

static void parse_seeds(const char *text, struct arguments *a, struct argp_state *state)
{
    if (!sim_seeds_parse(text, &a->run.first_seed, &a->run.last_seed))
        argp_error(state, "'%s' are no seeds: 1..10000 or 10000 are", text);
    if (a->run.last_seed - a->run.first_seed >= SEEDS_MAX)
        argp_error(state, "more than %d seeds at once", SEEDS_MAX);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 's':
        parse_seeds(arg, a, state);
        return 0;
    case 'j':
        a->run.jobs = (uint32_t)parse_count(arg, "--jobs", 1024, state);
        return 0;
    case 'S':
        a->shard = arg;
        return 0;
    case 'r':
        a->run.resume = true;
        a->run.folder = arg;
        return 0;
    case 'o':
        a->run.folder = arg;
        return 0;
    case KEY_STOP_AFTER:
        a->run.stop_after = parse_count(arg, "--stop-after", SEEDS_MAX, state);
        return 0;
    case KEY_TIME:
        if (!sim_time_parse(arg, &a->run.time_limit_us))
            argp_error(state, "'%s' is no time: 90s, 10m are", arg);
        return 0;
    case KEY_RUN_LIMIT:
        if (!sim_time_parse(arg, &a->run.run_limit_us))
            argp_error(state, "'%s' is no time: 90s, 10m are; 0s: no limit", arg);
        return 0;
    case KEY_SWARM:
        a->run.play.swarm = arg;
        if (strcmp(arg, "on") != 0 && strcmp(arg, "off") != 0)
            argp_error(state, "--swarm is on or off, not '%s'", arg);
        return 0;
    case KEY_WIRE:
        a->run.play.wire = true;
        return 0;
    case KEY_VACUOUS:
        a->allow_vacuous = true;
        return 0;
    case 'u':
        cli_time_parse(arg, &a->run.play.has_until, &a->run.play.until_us, state);
        return 0;
    case 'f':
        if (!sim_format_named(arg, &a->format))
            argp_error(state, "no format '%s'; there are: human, json, ndjson, junit, tap, github",
                       arg);
        return 0;
    case 'C':
        if (!cli_color_named(arg, &a->run.color))
            argp_error(state, "--color is auto, always or never, not '%s'", arg);
        return 0;
    case ARGP_KEY_ARGS:
        a->run.files = state->argv + state->next;
        a->run.file_count = state->argc - state->next;
        if (a->run.file_count > SIM_CAMPAIGN_FILES_MAX)
            argp_error(state, "more than %d files", SIM_CAMPAIGN_FILES_MAX);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which scenario?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {.name = "seeds", .key = 's', .arg = "N|A..B", .doc = "1..N or A..B; 1..1000"},
    {.name = "jobs", .key = 'j', .arg = "N", .doc = "worker processes; one per core"},
    {.name = "output", .key = 'o', .arg = "DIR", .doc = "write results there, as they come"},
    {.name = "resume", .key = 'r', .arg = "DIR", .doc = "go on with the results there, if any"},
    {.name = "shard", .key = 'S', .arg = "I/N", .doc = "play the I-th of N parts"},
    {.name = "stop-after",
     .key = KEY_STOP_AFTER,
     .arg = "N",
     .doc = "begin no seed after N failures"},
    {.name = "time", .key = KEY_TIME, .arg = "LIMIT", .doc = "begin no seed after this time: 10m"},
    {.name = "run-limit",
     .key = KEY_RUN_LIMIT,
     .arg = "LIMIT",
     .doc = "give up a seed that needs more processor time; 2m, 0s: never"},
    {.name = "swarm",
     .key = KEY_SWARM,
     .arg = "on|off",
     .doc = "in place of the scenario's random.swarm"},
    {.name = "until", .key = 'u', .arg = "TIME", .doc = "in place of the scenario's: 30s, 2m"},
    {.name = "allow-vacuous",
     .key = KEY_VACUOUS,
     .doc = "met, though something was never seen that should be sometimes"},
    {.name = "wire",
     .key = KEY_WIRE,
     .doc = "every message travels as bytes of the Kafka protocol"},
    {.name = "format",
     .key = 'f',
     .arg = "FORMAT",
     .doc = "human, json, ndjson, junit, tap, github"},
    {.name = "color", .key = 'C', .arg = "WHEN", .doc = "auto (default), always, never"},
    {0},
};

const struct cli_command cli_campaign_command = {
    .name = "campaign",
    .group = "Run",
    .line = "run scenarios with many seeds, over all cores",
    .arguments = "FILE…\nmerge RESULTS…",
    .examples = "kcsim campaign my.yaml --seeds 1..10000\n"
                "kcsim campaign my.yaml --seeds 10000 --resume out\n"
                "kcsim campaign my.yaml --seeds 10000 --shard 3/8 --output out\n"
                "kcsim campaign merge out/results-*-of-8.ndjson\n",
    .options = options,
    .parse = parse,
    .run = run,
};
