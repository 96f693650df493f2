/*
 * A campaign at work.
 *
 * The unit of work is a (scenario, seed) of this shard; units are numbered scenario by scenario,
 * and a bit each says that it is done. What was read from earlier results is done from the start.
 * An outcome is written before it counts, one write a line, so that whoever is killed has told the
 * file all that it knew but the seeds in work.
 *
 * Progress goes to the terminal of stderr, once in half a second, over itself; where stderr is no
 * terminal, one line in half a minute. A class of failures is told when it is first met, so that
 * nobody has to wait for the end.
 */
#include "cli/campaign_run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "cli/campaign_pool.h"
#include "cli/cli.h"
#include "sim/allocate.h"

enum { LINE = 1200, PATH = 4096 };

struct cli_campaign {
    struct cli_campaign_options options;
    struct sim_campaign identity;
    struct sim_scenario **scenarios;
    struct sim_tally tally;
    uint64_t per_file, unit_count; /* of this shard */
    uint64_t cursor;               /* next unit to hand out */
    uint64_t played;               /* in this call */
    uint64_t done_count;
    uint8_t *done; /* a bit a unit */
    FILE *results; /* NULL: not written */
    bool write_failed;
    double began, shown;
    bool has_terminal, line_is_open;
    const char *why_missing;
};

static double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- units ---- */

static uint64_t seeds_of_shard(uint64_t first, uint64_t last, struct sim_shard shard)
{
    uint64_t all = last - first + 1, skipped = shard.index - 1;
    return all <= skipped ? 0 : (all - skipped - 1) / shard.count + 1;
}

static uint64_t seed_of_unit(const struct cli_campaign *c, uint64_t unit)
{
    const struct cli_campaign_options *o = &c->options;
    return o->first_seed + (o->shard.index - 1) + unit % c->per_file * o->shard.count;
}

/* False: the seed is not of this shard, or was not asked for. */
static bool unit_of(const struct cli_campaign *c, const struct sim_played *p, uint64_t *unit)
{
    const struct cli_campaign_options *o = &c->options;
    uint64_t first = o->first_seed + (o->shard.index - 1);
    if (p->seed < first || p->seed > o->last_seed || (p->seed - first) % o->shard.count != 0)
        return false;
    *unit = p->file * c->per_file + (p->seed - first) / o->shard.count;
    return true;
}

static bool is_done(const struct cli_campaign *c, uint64_t unit)
{
    return (c->done[unit / 8] >> (unit % 8) & 1) != 0;
}

static void count_outcome(struct cli_campaign *c, const struct sim_played *p, bool *is_new_class)
{
    uint64_t unit;
    *is_new_class = false;
    if (!unit_of(c, p, &unit) || is_done(c, unit))
        return;
    c->done[unit / 8] |= (uint8_t)(1 << unit % 8);
    c->done_count++;
    *is_new_class = sim_tally_add(&c->tally, p);
}

/* ---- opening ---- */

/* Of the running program: two builds of one version are told apart. */
static uint64_t digest_of_program(void)
{
    uint8_t bytes[65536];
    XXH3_state_t *state = XXH3_createState();
    FILE *in = fopen("/proc/self/exe", "r");
    size_t size;
    if (state == NULL)
        abort();
    XXH3_64bits_reset(state);
    while (in != NULL && (size = fread(bytes, 1, sizeof(bytes), in)) > 0)
        XXH3_64bits_update(state, bytes, size);
    uint64_t digest = in == NULL ? 0 : XXH3_64bits_digest(state);
    if (in != NULL)
        fclose(in);
    XXH3_freeState(state);
    return digest;
}

static bool load(struct cli_campaign *c, const char *file)
{
    struct sim_diagnostics diagnostics;
    sim_diagnostics_init(&diagnostics);
    struct sim_scenario *s = sim_scenario_load(file, &diagnostics);
    sim_diagnostics_print(&diagnostics, stderr, sim_color_wanted(c->options.color, stderr));
    sim_diagnostics_free(&diagnostics);
    if (s == NULL)
        return false;
    c->scenarios[c->identity.file_count] = s;
    sim_campaign_add_file(&c->identity, file, s->text, s->text_size);
    if (!cli_campaign_register(&c->identity, s)) {
        cli_error("%s: more than %d things that should be seen sometimes", file, SIM_SEEN_MAX);
        return false;
    }
    return true;
}

static void identify(struct cli_campaign *c)
{
    const struct cli_campaign_options *o = &c->options;
    snprintf(c->identity.version, sizeof(c->identity.version), "%s", KCSIM_VERSION);
    c->identity.build = digest_of_program();
    c->identity.until_us = o->play.has_until ? o->play.until_us : -1;
    c->identity.swarm = o->play.swarm == NULL ? -1 : strcmp(o->play.swarm, "on") == 0;
    c->identity.wire = o->play.wire;
    c->identity.first_seed = o->first_seed;
    c->identity.last_seed = o->last_seed;
}

/* ---- results so far ---- */

static void results_path(const struct cli_campaign *c, char path[PATH])
{
    const struct cli_campaign_options *o = &c->options;
    if (o->shard.count == 1)
        snprintf(path, PATH, "%s/results.ndjson", o->folder);
    else
        snprintf(path, PATH, "%s/results-%" PRIu32 "-of-%" PRIu32 ".ndjson", o->folder,
                 o->shard.index, o->shard.count);
}

static bool has_a_line(const char *path)
{
    FILE *in = fopen(path, "r");
    int byte = EOF;
    while (in != NULL && (byte = fgetc(in)) != EOF && byte != '\n')
        ;
    if (in != NULL)
        fclose(in);
    return byte == '\n';
}

/* Takes what the file has; *whole is where to go on. A run that was stopped is played again: this
   time it may be given more. */
static enum sim_exit take_results(struct cli_campaign *c, const char *path, size_t *whole)
{
    struct sim_results r = {0};
    char why[LINE];
    bool is_new_class, good = sim_results_read(&r, path, whole, why, sizeof(why)) &&
                              sim_results_settle(&r, why, sizeof(why));
    const char *differs = good ? sim_campaign_differ(&c->identity, &r.campaign) : NULL;
    if (!good)
        cli_error("%s", why);
    else if (differs != NULL)
        cli_error("%s cannot be gone on with: %s", path, differs);
    for (size_t i = 0; good && differs == NULL && i < r.count; i++)
        if (!sim_played_is_stopped(&r.outcomes[i]))
            count_outcome(c, &r.outcomes[i], &is_new_class);
    sim_results_free(&r);
    return good && differs == NULL ? SIM_EXIT_MET : SIM_EXIT_DATA;
}

static enum sim_exit write_problem(const char *path)
{
    cli_error("cannot write %s: %s", path, strerror(errno));
    return SIM_EXIT_SOFTWARE;
}

static enum sim_exit open_results(struct cli_campaign *c)
{
    char path[PATH];
    size_t whole = 0;
    enum sim_exit code = SIM_EXIT_MET;
    results_path(c, path);
    if (mkdir(c->options.folder, 0777) != 0 && errno != EEXIST)
        return write_problem(c->options.folder);
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0)
        return write_problem(path);
    c->results = fdopen(fd, "a");
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        cli_error("%s: another campaign is writing it", path);
        return SIM_EXIT_USAGE;
    }
    bool has_results = has_a_line(path);
    if (has_results && !c->options.resume) {
        cli_error("%s has results already; --resume %s goes on with them", path, c->options.folder);
        return SIM_EXIT_USAGE;
    }
    if (has_results)
        code = take_results(c, path, &whole);
    if (code != SIM_EXIT_MET)
        return code;
    if (ftruncate(fd, (off_t)whole) != 0)
        return write_problem(path);
    sim_campaign_write_header(&c->identity, c->results);
    return fflush(c->results) == 0 ? SIM_EXIT_MET : write_problem(path);
}

struct cli_campaign *cli_campaign_open(const struct cli_campaign_options *o, enum sim_exit *code)
{
    struct cli_campaign *c = sim_alloc(sizeof(*c));
    c->options = *o;
    c->scenarios = sim_alloc((size_t)o->file_count * sizeof(struct sim_scenario *));
    c->per_file = seeds_of_shard(o->first_seed, o->last_seed, o->shard);
    c->unit_count = c->per_file * (uint64_t)o->file_count;
    c->done = sim_alloc((size_t)(c->unit_count / 8 + 1));
    c->has_terminal = isatty(STDERR_FILENO) != 0;
    *code = SIM_EXIT_MET;
    for (int i = 0; i < o->file_count && *code == SIM_EXIT_MET; i++)
        if (!load(c, o->files[i]))
            *code = SIM_EXIT_DATA;
    identify(c);
    if (*code == SIM_EXIT_MET && o->folder != NULL)
        *code = open_results(c);
    if (*code == SIM_EXIT_MET)
        return c;
    cli_campaign_close(c);
    return NULL;
}

void cli_campaign_close(struct cli_campaign *c)
{
    for (uint32_t i = 0; i < c->identity.file_count; i++)
        sim_scenario_free(c->scenarios[i]);
    if (c->results != NULL)
        fclose(c->results);
    sim_campaign_free(&c->identity);
    sim_tally_free(&c->tally);
    free(c->scenarios);
    free(c->done);
    free(c);
}

/* ---- progress ---- */

static void clear_line(struct cli_campaign *c)
{
    if (c->line_is_open)
        fputs("\r\033[K", stderr);
    c->line_is_open = false;
}

static void tell_class(struct cli_campaign *c, const struct sim_played *p)
{
    char text[LINE], again[LINE];
    struct sim_class k = {.file = p->file, .exit = p->exit, .first = *p};
    memcpy(k.what, p->what, sizeof(k.what));
    memcpy(k.defect, p->defect, sizeof(k.defect));
    clear_line(c);
    fprintf(stderr, "seed %" PRIu64 " %s\n  reproduce: %s\n", p->seed,
            cli_campaign_class(text, sizeof(text), &c->identity, &k),
            sim_played_reproduce(again, sizeof(again), &c->identity, p));
}

static void show_progress(struct cli_campaign *c)
{
    double now = now_seconds(), seconds = now - c->began;
    if (now - c->shown < (c->has_terminal ? 0.5 : 30))
        return;
    c->shown = now;
    double rate = seconds > 0 ? (double)c->played / seconds : 0;
    uint64_t left = c->unit_count - c->done_count;
    clear_line(c);
    fprintf(stderr, "%" PRIu64 " of %" PRIu64 " runs, %.0f/s", c->done_count, c->unit_count, rate);
    if (rate > 0)
        fprintf(stderr, ", %.0f s to go", (double)left / rate);
    fprintf(stderr, ", %" PRIu64 " failures in %" PRIu32 " classes%s", c->tally.failures,
            c->tally.class_count, c->has_terminal ? "" : "\n");
    fflush(stderr);
    c->line_is_open = c->has_terminal;
}

/* ---- at work ---- */

static void play(void *context, struct sim_played *p)
{
    struct cli_campaign *c = context;
    cli_campaign_play(&c->identity, c->scenarios[p->file], &c->options.play, p);
}

/* A few seeds at a time, fewer towards the end, so that nobody waits long for the last worker. */
static uint32_t block_size(const struct cli_campaign *c)
{
    uint64_t left = c->unit_count - c->cursor;
    uint64_t size = left / (c->options.jobs * 4u);
    return size < 1 ? 1 : size > CLI_BLOCK_MAX ? CLI_BLOCK_MAX : (uint32_t)size;
}

static bool next(void *context, struct cli_block *block)
{
    struct cli_campaign *c = context;
    uint32_t size = block_size(c);
    *block = (struct cli_block){0};
    for (; c->why_missing == NULL && c->cursor < c->unit_count && block->count < size;
         c->cursor++) {
        uint32_t file = (uint32_t)(c->cursor / c->per_file);
        if (is_done(c, c->cursor))
            continue;
        if (block->count > 0 && block->file != file)
            break;
        block->file = file;
        block->seeds[block->count++] = seed_of_unit(c, c->cursor);
    }
    return block->count > 0;
}

static void done(void *context, const struct sim_played *p)
{
    struct cli_campaign *c = context;
    bool is_new_class;
    if (c->results != NULL) {
        sim_campaign_write_outcome(&c->identity, p, c->results);
        c->write_failed = fflush(c->results) != 0 || c->write_failed;
    }
    c->played++;
    count_outcome(c, p, &is_new_class);
    if (is_new_class)
        tell_class(c, p);
    if (c->options.stop_after > 0 && c->tally.failures >= c->options.stop_after)
        c->why_missing = "--stop-after";
}

static bool tick(void *context)
{
    struct cli_campaign *c = context;
    double limit = (double)c->options.time_limit_us / 1e6;
    show_progress(c);
    if (cli_is_interrupted())
        c->why_missing = "interrupted";
    else if (c->options.time_limit_us >= 0 && now_seconds() - c->began > limit &&
             c->why_missing == NULL)
        c->why_missing = "--time is over";
    return cli_is_interrupted() || c->write_failed;
}

bool cli_campaign_run(struct cli_campaign *c)
{
    struct cli_pool pool = {.context = c,
                            .jobs = c->options.jobs,
                            .limit_us = c->options.run_limit_us,
                            .play = play,
                            .next = next,
                            .done = done,
                            .tick = tick};
    c->began = c->shown = now_seconds();
    bool good = cli_pool_run(&pool);
    clear_line(c);
    if (!good)
        cli_error("cannot start a worker: %s", strerror(errno));
    if (c->write_failed)
        cli_error("cannot write the results: %s", strerror(errno));
    return good && !c->write_failed;
}

struct cli_campaign_report cli_campaign_report_of(struct cli_campaign *c)
{
    uint64_t missing = c->unit_count - c->done_count;
    return (struct cli_campaign_report){.campaign = &c->identity,
                                        .tally = &c->tally,
                                        .shard = c->options.shard,
                                        .missing = missing,
                                        .why_missing = missing > 0 ? c->why_missing : NULL,
                                        .wall_seconds = now_seconds() - c->began,
                                        .played = c->played};
}
