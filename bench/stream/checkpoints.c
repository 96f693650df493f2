/*
 * What checkpoints cost: CPU, silence, and the time until a restored job goes on. The job is a
 * program against the public header, as those of jobs.c.
 *
 *     checkpoints [-j JOB] [-k KEYS] [-s SECONDS] [-r ROUNDS] [-d FOLDER] [KEY=VALUE…]
 *
 * JOB, what is kept by key: sum (a running sum), value, list, map (states of a process function),
 * count, elements (windows of 5 s: a number, or all records), session.
 *
 *     events ─► key by ─► JOB ─► sink          each subtask of the generator and of the sink reads
 *                                              the clock every 64 records and notes how long
 *                                              nothing came by
 *
 * Each run is a process of its own. In turn, in each round: without checkpoints, and with one each
 * second; their CPU ns an event is compared. Then 200 ms apart: the longest silence of any subtask
 * is taken for each checkpoint, from the completion of the one before to its own, and beside it for
 * windows of the same length of a run without. At last a job is restored from the first of the last
 * four checkpoints (the last is that of the end); from before its graph is built until its sink
 * sees a record. Silence while the table grows is told apart: windows count once there were three
 * records a key, and a second has passed.
 *
 * Silence is told by the clock, and by the CPU time of the subtask's thread: on a machine that
 * others use the second one is without what they took.
 */
#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "event.h"
#include "stream/stream.h"

ST_TYPE(event, key, value, time);

#define SUBTASKS_MAX 32
#define WINDOWS_MAX  4096
#define PAUSE_MS     200
#define GROWTH       3 /* records a key, until nearly all are there */

static uint64_t keys = 1000000;
static uint32_t parallelism = 1;
static bool by_checkpoint; /* windows end with a checkpoint, not with the clock */
static int clock_count;    /* that are looked at: that of CPU time costs 3 ns a record */
static int64_t began_ns, window_ns = (int64_t)PAUSE_MS * 1000000;
static _Atomic int64_t first_out_ns;
static _Atomic uint64_t seen, largest;

/* --------------------------------------------------------------------------------- The watches */

enum { BY_CLOCK, BY_CPU, CLOCKS };
static const clockid_t clocks[CLOCKS] = {CLOCK_MONOTONIC, CLOCK_THREAD_CPUTIME_ID};

/* Of a subtask; by its thread. */
struct watch {
    uint64_t count;
    int64_t last_ns[CLOCKS], longest_ns[CLOCKS], window_end_ns;
    int64_t growing_ns[CLOCKS]; /* the longest while the table grew */
    uint32_t windows;
    int64_t of_window_ns[CLOCKS][WINDOWS_MAX];
};

static struct watch watches[2][SUBTASKS_MAX]; /* of sources, of sinks */

static int64_t read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static void end_window(struct watch *w)
{
    for (int c = 0; c < CLOCKS; c++) {
        if (w->windows < WINDOWS_MAX) {
            w->of_window_ns[c][w->windows] = w->longest_ns[c];
        }
        w->longest_ns[c] = 0;
    }
    w->windows += w->windows < WINDOWS_MAX ? 1 : 0;
}

static __attribute__((noinline)) void look_at_clocks(struct watch *w)
{
    int64_t now = now_ns();
    bool grows = w->count * parallelism < keys * GROWTH || now - began_ns < 1000000000;
    for (int c = 0; c < clock_count; c++) {
        int64_t at = c == BY_CLOCK ? now : read_clock(clocks[c]);
        int64_t silent = w->last_ns[c] != 0 ? at - w->last_ns[c] : 0;
        int64_t *longest = grows ? &w->growing_ns[c] : &w->longest_ns[c];
        *longest = silent > *longest ? silent : *longest;
        w->last_ns[c] = at;
    }
    if (grows) {
        w->window_end_ns = now + window_ns;
    } else if (!by_checkpoint && now >= w->window_end_ns) {
        w->window_end_ns = now + window_ns;
        end_window(w);
    }
}

static inline void pass(struct watch *w)
{
    if ((++w->count & 63) == 0) {
        look_at_clocks(w);
    }
}

/* A step of the same task comes between the last silence and this call: look at the clocks first.
 */
static void completed(struct watch *w)
{
    look_at_clocks(w);
    if (by_checkpoint && w->longest_ns[BY_CLOCK] > 0) {
        end_window(w);
    }
}

static void source_completed(st_context *ctx, int64_t checkpoint_id)
{
    (void)checkpoint_id;
    completed(&watches[0][ctx->subtask]);
}

static void sink_completed(st_context *ctx, int64_t checkpoint_id)
{
    (void)checkpoint_id;
    completed(&watches[1][ctx->subtask]);
}

/* ------------------------------------------------------------------------------------- The jobs */

ST_GENERATOR(generate, event)
{
    event_make(index, keys, out);
    pass(&watches[0][ctx->subtask]);
}

ST_TIMESTAMP(time_of, event)
{
    return in->time;
}

ST_VALUE_STATE(last, event);
ST_LIST_STATE(history, event);
typedef struct {
    int64_t kind;
} map_key;
ST_TYPE(map_key, kind);
ST_MAP_STATE(kinds, map_key, event);

ST_PROCESS(into_value, event, event)
{
    event sum = *in;
    const event *had = st_value_get(ctx, &last);
    sum.value += had != NULL ? had->value : 0;
    st_value_set(ctx, &last, &sum);
    st_emit(out, &sum);
}

/* At most 8 elements a key. */
ST_PROCESS(into_list, event, event)
{
    uint32_t count;
    (void)st_list_get(ctx, &history, &count);
    if (count == 8) {
        st_state_clear(ctx, &history);
    }
    st_list_add(ctx, &history, in);
    st_emit(out, in);
}

ST_PROCESS(into_map, event, event)
{
    st_map_put(ctx, &kinds, &(map_key){in->value & 3}, in);
    st_emit(out, in);
}

ST_FOLD(add_one, event, int64_t)
{
    *acc += 1;
}

ST_FOLD(merge_counts, int64_t, int64_t)
{
    *acc += *in;
}

ST_MAP(with_window, int64_t, event)
{
    *out = (event){*(const int64_t *)st_key(ctx), *in, st_window_end(ctx)};
}

ST_WINDOW(last_of, event, event)
{
    st_emit(out, &in[count - 1]);
}

ST_SINK(look, event)
{
    struct watch *w = &watches[1][ctx->subtask];
    if (w->count == 0) {
        int64_t none = 0;
        atomic_compare_exchange_strong(&first_out_ns, &none, now_ns());
        atomic_store(&largest, (uint64_t)in->value);
    }
    pass(w);
}

static void add_up(st_context *ctx)
{
    atomic_fetch_add(&seen, watches[1][ctx->subtask].count);
}

static st_stream *kept_by(const char *job, st_stream *s)
{
    s = st_key_by(s, ST_KEY(event, key));
    if (strcmp(job, "sum") == 0) {
        return st_sum(s, ST_FIELD(event, value));
    }
    if (strcmp(job, "value") == 0) {
        return st_process(s, into_value, .states = ST_STATES(&last));
    }
    if (strcmp(job, "list") == 0) {
        return st_process(s, into_list, .states = ST_STATES(&history));
    }
    if (strcmp(job, "map") == 0) {
        return st_process(s, into_map, .states = ST_STATES(&kinds));
    }
    if (strcmp(job, "count") == 0) {
        return st_aggregate(st_window(s, ST_TUMBLING(5000)), add_one, with_window);
    }
    if (strcmp(job, "elements") == 0) {
        return st_process_window(st_window(s, ST_TUMBLING(5000)), last_of);
    }
    if (strcmp(job, "session") == 0) {
        return st_aggregate(st_window(s, ST_SESSION(500)), add_one, with_window,
                            .merge = &merge_counts);
    }
    fprintf(stderr, "checkpoints: there is no job %s\n", job);
    exit(64);
}

static void build(st_env *env, const char *job, uint64_t events)
{
    st_stream *s =
        st_generate(env, generate, events, .notify_checkpoint_complete = source_completed);
    if (strcmp(job, "count") == 0 || strcmp(job, "elements") == 0 || strcmp(job, "session") == 0) {
        s = st_assign_timestamps(s, time_of, .bound_ms = 1000);
    }
    st_sink(kept_by(job, s), look, .close = add_up, .notify_checkpoint_complete = sink_completed);
}

/* ------------------------------------------------------------------------------------ One run */

struct run {
    const char *job;
    int settings; /* of the command line: KEY=VALUE */
    char **setting;
    uint64_t events;
    int64_t interval_ms; /* 0: no checkpoints */
    bool cpu_clock;      /* silence of CPU time as well */
    const char *folder;
    const char *from; /* restored from; NULL: from nothing */
};

struct result {
    bool well;
    double wall_s, cpu_s, first_out_s;
    uint64_t seen, largest;
    double growing_ms[CLOCKS];
    uint32_t windows;
    double silent_ms[CLOCKS][WINDOWS_MAX]; /* [windows] the longest of any subtask */
};

static double seconds(const struct timeval *t)
{
    return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static void set(st_env *env, const char *key, const char *value)
{
    if (st_env_set(env, key, value) != ST_OK) {
        fputs(st_env_error(env), stderr);
        exit(64);
    }
}

static void configure(st_env *env, const struct run *run)
{
    char text[64];
    for (int i = 0; i < run->settings; i++) {
        char key[128];
        const char *value = strchr(run->setting[i], '=');
        if (value == NULL) {
            fprintf(stderr, "checkpoints: %s: KEY=VALUE is wanted\n", run->setting[i]);
            exit(64);
        }
        snprintf(key, sizeof key, "%.*s", (int)(value - run->setting[i]), run->setting[i]);
        set(env, key, value + 1);
        parallelism =
            strcmp(key, "parallelism.default") == 0 ? (uint32_t)atoi(value + 1) : parallelism;
    }
    if (run->interval_ms > 0) {
        snprintf(text, sizeof text, "%lldms", (long long)run->interval_ms);
        set(env, "execution.checkpointing.interval", text);
        set(env, "execution.checkpointing.dir", run->folder);
        set(env, "execution.checkpointing.num-retained", "4");
        by_checkpoint = true;
    }
    if (run->from != NULL) {
        set(env, "execution.savepoint.path", run->from);
    }
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static void gather_watch(struct result *r, const struct watch *w)
{
    r->windows = w->windows < r->windows ? w->windows : r->windows;
    for (int c = 0; c < CLOCKS; c++) {
        r->growing_ms[c] = larger(r->growing_ms[c], (double)w->growing_ns[c] / 1e6);
        for (uint32_t i = 0; i < w->windows; i++) {
            r->silent_ms[c][i] = larger(r->silent_ms[c][i], (double)w->of_window_ns[c][i] / 1e6);
        }
    }
}

static void run_here(const struct run *run, struct result *r)
{
    struct rusage usage;
    began_ns = now_ns();
    clock_count = run->cpu_clock ? CLOCKS : 1;
    st_env *env = st_env_new();
    configure(env, run);
    build(env, run->job, run->events);
    enum st_err err = st_execute(env, "checkpoints");
    if (err != ST_OK) {
        fputs(st_env_error(env), stderr);
        exit(1);
    }
    getrusage(RUSAGE_SELF, &usage);
    r->well = true;
    r->wall_s = (double)(now_ns() - began_ns) / 1e9;
    r->cpu_s = seconds(&usage.ru_utime) + seconds(&usage.ru_stime);
    r->first_out_s = (double)(atomic_load(&first_out_ns) - began_ns) / 1e9;
    r->seen = atomic_load(&seen);
    r->largest = atomic_load(&largest);
    r->windows = UINT32_MAX;
    for (uint32_t s = 0; s < parallelism; s++) {
        gather_watch(r, &watches[0][s]);
        gather_watch(r, &watches[1][s]);
    }
    st_env_free(env);
}

/* In a process of its own, which hands the result back through a pipe. */
static struct result run_once(const struct run *run)
{
    static struct result r;
    int ends[2], status = 0;
    r = (struct result){0};
    fflush(stdout);
    if (pipe(ends) != 0) {
        abort();
    }
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        run_here(run, &r);
        const char *at = (const char *)&r;
        for (size_t left = sizeof r; left > 0;) {
            ssize_t wrote = write(ends[1], at, left);
            if (wrote <= 0) {
                _exit(1);
            }
            at += wrote;
            left -= (size_t)wrote;
        }
        _exit(0);
    }
    close(ends[1]);
    char *at = (char *)&r;
    for (size_t left = sizeof r; left > 0;) {
        ssize_t some = read(ends[0], at, left);
        if (some <= 0) {
            break;
        }
        at += some;
        left -= (size_t)some;
    }
    close(ends[0]);
    waitpid(child, &status, 0);
    if (status != 0 || !r.well) {
        fputs("checkpoints: a run has failed\n", stderr);
        exit(1);
    }
    return r;
}

/* ----------------------------------------------------------------------------------- Measuring */

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static double rank(double *values, uint32_t count, double share)
{
    qsort(values, count, sizeof *values, ascending);
    uint32_t at = (uint32_t)((double)count * share);
    return count == 0 ? 0 : values[at < count ? at : count - 1];
}

static void compare_cpu(struct run run, uint32_t rounds)
{
    double cpu[2][64], ratio[64];
    rounds = rounds < 64 ? rounds : 64;
    for (uint32_t round = 0; round < rounds; round++) {
        for (int with = 0; with < 2; with++) {
            run.interval_ms = with * 1000;
            struct result r = run_once(&run);
            cpu[with][round] = r.cpu_s * 1e9 / (double)run.events;
            printf("%-7s  %6.2f M/s  %7.2f CPU ns/event\n", with != 0 ? "each 1s" : "without",
                   (double)run.events / r.wall_s / 1e6, cpu[with][round]);
        }
        ratio[round] = cpu[1][round] / cpu[0][round];
    }
    printf("CPU: without %.2f, a checkpoint each second %.2f ns/event; medians; %+.1f %% "
           "(median of pairs %+.1f %%)\n",
           rank(cpu[0], rounds, 0.5), rank(cpu[1], rounds, 0.5),
           (rank(cpu[1], rounds, 0.5) / rank(cpu[0], rounds, 0.5) - 1) * 100,
           (rank(ratio, rounds, 0.5) - 1) * 100);
}

static void compare_silence(struct run run)
{
    static const char *const names[CLOCKS] = {"by the clock", "of its CPU time"};
    double p95[2][CLOCKS];
    run.cpu_clock = true;
    for (int with = 0; with < 2; with++) {
        run.interval_ms = with * PAUSE_MS;
        struct result r = run_once(&run);
        printf("%s, %u windows, the longest silence in ms:\n",
               with != 0 ? "a checkpoint each 200 ms" : "without checkpoints", r.windows);
        for (int c = 0; c < CLOCKS; c++) {
            p95[with][c] = rank(r.silent_ms[c], r.windows, 0.95);
            printf("    %-15s  median %6.2f   95 of 100 %6.2f   most %6.2f   while keys come in "
                   "%6.2f\n",
                   names[c], rank(r.silent_ms[c], r.windows, 0.5), p95[with][c],
                   rank(r.silent_ms[c], r.windows, 1), r.growing_ms[c]);
        }
    }
    printf("silence, 95 of 100: without %.2f, with %.2f ms; of CPU time %.2f, %.2f ms\n",
           p95[0][BY_CLOCK], p95[1][BY_CLOCK], p95[0][BY_CPU], p95[1][BY_CPU]);
}

/* The first checkpoint of those kept in a folder; false: there is none. */
static bool first_kept(const char *folder, char *path, size_t size)
{
    long first = 0;
    DIR *dir = opendir(folder);
    for (const struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        long id = strncmp(e->d_name, "chk-", 4) == 0 ? atol(e->d_name + 4) : 0;
        first = id > 0 && (first == 0 || id < first) ? id : first;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    snprintf(path, size, "%s/chk-%ld", folder, first);
    return first > 0;
}

static void measure_recovery(struct run run, uint32_t rounds)
{
    double first[64];
    char path[1024];
    rounds = rounds < 64 ? rounds : 64;
    if (!first_kept(run.folder, path, sizeof path)) {
        puts("recovery: not measured, there is no checkpoint");
        return;
    }
    run.from = path;
    run.interval_ms = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        struct result r = run_once(&run);
        first[round] = r.first_out_s;
        printf("restored: the first record after %.3f s (its sum: %lu)\n", r.first_out_s,
               (unsigned long)r.largest);
    }
    printf("recovery: %.3f s, median\n", rank(first, rounds, 0.5));
}

int main(int argc, char **argv)
{
    struct run run = {.job = "sum", .folder = "checkpoints.tmp"};
    double length_s = 25;
    uint32_t rounds = 3;
    for (int option; (option = getopt(argc, argv, "j:k:s:r:d:")) != -1;) {
        switch (option) {
        case 'j':
            run.job = optarg;
            break;
        case 'k':
            keys = strtoull(optarg, NULL, 10);
            break;
        case 's':
            length_s = atof(optarg);
            break;
        case 'r':
            rounds = (uint32_t)atoi(optarg);
            break;
        case 'd':
            run.folder = optarg;
            break;
        default:
            fputs("usage: checkpoints [-j JOB] [-k KEYS] [-s SECONDS] [-r ROUNDS] [-d FOLDER] "
                  "[KEY=VALUE…]\n",
                  stderr);
            return 64;
        }
    }
    run.settings = argc - optind;
    run.setting = argv + optind;
    run.events = keys * 10;
    struct result first = run_once(&run); /* how fast it is */
    double speed = (double)run.events / first.wall_s;
    printf("job %s, %lu keys: %.1f M/s\n", run.job, (unsigned long)keys, speed / 1e6);
    run.events = (uint64_t)(speed * length_s);
    compare_silence(run);
    if (rounds > 0) {
        measure_recovery(run, rounds);
        run.events = (uint64_t)(speed * length_s / 3);
        compare_cpu(run, rounds);
    }
    return 0;
}
