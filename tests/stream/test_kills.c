/*
 * A job with many keys, killed at random while it checkpoints: some kills come behind a completed
 * checkpoint, some while one is being written. Its totals and its files are exact.
 *
 *     source: events of keys drawn at random ... until told that it is enough, then each key once
 * more a total for each key, snapshot every 200 ms; every 16th event and the last round into files
 *
 *     test_kills                  some seconds: 100,000 keys, 4 kills behind a checkpoint, 2 in one
 *     KC_KILLS=40 test_kills      1,000,000 keys, 40 and 10
 */
#include <check.h>
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mix.h"
#include "stream/checkpoint.h"
#include "stream/stream.h"

#define RATE   600000 /* events a second of an attempt */
#define SAMPLE 16

typedef struct {
    int64_t key, value, index;
    bool last; /* of its key; `index` is then how many events there were */
} event;
ST_TYPE(event, key, value, index, last);

typedef struct {
    int64_t index, key, total;
    bool last;
} line;
ST_TYPE(line, index, key, total, last);

typedef struct {
    int64_t next, count, key; /* count: set when it was enough, then key goes up */
} position;
ST_TYPE(position, next, count, key);

static char folder[64], checkpoints[80];
static int64_t keys;

static event event_of(int64_t index)
{
    uint64_t z = mix((uint64_t)index);
    return (event){(int64_t)(z % (uint64_t)keys), (int64_t)(z >> 44), index, false};
}

/* ------------------------------------------------------------------------------------------ Job */

ST_LIST_STATE(positions, position);

struct source {
    position at;
    int64_t began_ms, sent; /* of this attempt */
};

static void source_restored(st_context *ctx)
{
    struct source *s = ctx->self;
    uint32_t count;
    const position *all = st_list_get(ctx, &positions, &count);
    s->at = count > 0 ? all[0] : (position){0, -1, 0};
    s->began_ms = st_now(ctx);
}

static void source_snapshot(st_context *ctx, int64_t checkpoint_id)
{
    (void)checkpoint_id;
    st_list_update(ctx, &positions, &((struct source *)ctx->self)->at, 1);
}

static bool is_enough(void)
{
    char path[96];
    snprintf(path, sizeof path, "%s/enough", folder);
    return access(path, F_OK) == 0;
}

ST_SOURCE(events, event)
{
    struct source *s = ctx->self;
    if (s->at.count < 0 && s->sent > (st_now(ctx) - s->began_ms) * (RATE / 1000)) {
        st_poll_at(ctx, st_now(ctx) + 1);
        return ST_IDLE;
    }
    if (s->at.count < 0 && is_enough()) {
        s->at.count = s->at.next;
    }
    for (int i = 0; i < 256 && s->at.count < 0; i++) {
        event e = event_of(s->at.next++);
        st_emit(out, &e);
        s->sent++;
    }
    for (int i = 0; i < 256 && s->at.count >= 0 && s->at.key < keys; i++) {
        st_emit(out, &((event){s->at.key++, 0, s->at.count, true}));
    }
    return s->at.key < keys ? ST_MORE : ST_END;
}

ST_REDUCE(add, event)
{
    acc->value += in->value;
    acc->index = in->index;
    acc->last = in->last;
}

ST_FILTER(is_told, event)
{
    return in->last || in->index % SAMPLE == 0;
}

ST_MAP(to_line, event, line)
{
    *out = (line){in->index, in->key, in->value, in->last};
}

static int run_job(bool restore)
{
    char path[96];
    st_env *env = st_env_new();
    st_env_set_parallelism(env, 2);
    st_env_set(env, "execution.checkpointing.interval", "200ms");
    st_env_set(env, "execution.checkpointing.dir", checkpoints);
    if (restore) {
        st_env_set(env, "execution.savepoint.path", checkpoints);
    }
    st_stream *s =
        st_from_source(env, events, .parallelism = 1, .self_size = sizeof(struct source),
                       .operator_states = ST_STATES(&positions),
                       .initialize_state = source_restored, .snapshot_state = source_snapshot);
    s = st_filter(st_reduce(st_key_by(s, ST_KEY(event, key)), add), is_told);
    snprintf(path, sizeof path, "%s/out", folder);
    st_write_files(st_map(s, to_line), path);
    enum st_err err = st_execute(env, "kills");
    if (err != ST_OK) {
        fputs(st_env_error(env), stderr);
    }
    st_env_free(env);
    return err == ST_OK ? 0 : 1;
}

/* ---------------------------------------------------------------------------------------- Kills */

static void sleep_us(uint64_t us)
{
    struct timespec pause = {.tv_sec = (time_t)(us / 1000000),
                             .tv_nsec = (long)(us % 1000000) * 1000};
    nanosleep(&pause, NULL);
}

static pid_t begin_job(bool restore)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        _exit(run_job(restore));
    }
    return pid;
}

static void is_running(pid_t pid)
{
    siginfo_t info = {0};
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
    ck_assert_msg(info.si_pid == 0, "the job has ended by itself");
}

/* The checkpoint behind `id`, if it is on the disk in part: what tells it from one that a killed
 * attempt has left under the same name; else 0. */
static ino_t in_part(int64_t id)
{
    char path[128];
    struct stat found;
    snprintf(path, sizeof path, "%s/" CHECKPOINT "%" PRId64 ".part", checkpoints, id + 1);
    return stat(path, &found) == 0 ? found.st_ino : 0;
}

/* Waits for a completed checkpoint behind `had`, lets a while pass, kills. */
static void kill_behind(pid_t pid, int64_t had, uint64_t draw)
{
    while (checkpoint_newest(checkpoints, CHECKPOINT) <= had) {
        is_running(pid);
        sleep_us(1000);
    }
    sleep_us(draw % 250000);
    kill(pid, SIGKILL);
}

/* Kills within the writing of a checkpoint, which is then there in part; false: it was too late. */
static bool kill_within(pid_t pid, int64_t had, ino_t left, uint64_t draw)
{
    ino_t part;
    while ((part = in_part(had)) == 0 || part == left) {
        is_running(pid);
        int64_t newest = checkpoint_newest(checkpoints, CHECKPOINT);
        had = newest > had ? newest : had;
        sleep_us(200);
    }
    sleep_us(draw % 3000);
    kill(pid, SIGKILL);
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return in_part(had) == part;
}

static void run_with_kills(unsigned behind_must, unsigned within_must)
{
    unsigned behind = 0, within = 0;
    for (uint64_t attempt = 0; behind < behind_must || within < within_must; attempt++) {
        uint64_t draw = mix(attempt);
        int64_t had = attempt > 0 ? checkpoint_newest(checkpoints, CHECKPOINT) : 0;
        ino_t left = in_part(had);
        pid_t pid = begin_job(attempt > 0);
        if (within < within_must && attempt % 2 == 1) {
            within += kill_within(pid, had, left, draw) ? 1 : 0;
        } else {
            kill_behind(pid, had, draw);
            int status;
            ck_assert_int_eq(waitpid(pid, &status, 0), pid);
            ck_assert_msg(WIFSIGNALED(status), "it ended by itself: %d", status);
            behind++;
        }
    }
    char path[96];
    snprintf(path, sizeof path, "%s/enough", folder);
    fclose(fopen(path, "w"));
    int status;
    ck_assert_int_eq(waitpid(begin_job(true), &status, 0) > 0, 1);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
    printf("%u kills behind a checkpoint, %u while one was written\n", behind, within);
}

/* --------------------------------------------------------------------------------------- Checking
 */

struct told {
    int64_t *totals;        /* [count / SAMPLE + 1] of sampled events, -1 before they come */
    int64_t *last;          /* [keys], likewise */
    int64_t count;          /* events; -1 before the first line of the last round */
    int64_t lines, strange; /* strange: twice, or of no event */
};

static void take_line(struct told *t, int64_t index, int64_t key, int64_t total, bool last)
{
    int64_t *place = last && key >= 0 && key < keys && index == t->count ? &t->last[key]
                     : !last && index >= 0 && index < t->count && index % SAMPLE == 0
                         ? &t->totals[index / SAMPLE]
                         : NULL;
    t->lines++;
    t->strange += place == NULL || *place != -1 ? 1 : 0;
    if (place != NULL) {
        *place = total;
    }
}

/* Calls take_line for each line, or, at first, finds how many events there were. */
static void read_files(struct told *t)
{
    char path[400], text[128], last[8];
    snprintf(path, sizeof path, "%s/out", folder);
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        snprintf(path, sizeof path, "%s/out/%s", folder, entry->d_name);
        FILE *file = strncmp(entry->d_name, "part-", 5) == 0 ? fopen(path, "r") : NULL;
        while (file != NULL && fgets(text, sizeof text, file) != NULL) {
            int64_t index, key, total;
            int read = sscanf(text, "(%" SCNd64 ",%" SCNd64 ",%" SCNd64 ",%7[a-z])", &index, &key,
                              &total, last);
            ck_assert_msg(read == 4, "a line: %s", text);
            if (t->totals != NULL) {
                take_line(t, index, key, total, strcmp(last, "true") == 0);
            } else if (strcmp(last, "true") == 0) {
                t->count = index;
            }
        }
        if (file != NULL) {
            fclose(file);
        }
    }
    closedir(dir);
}

static void compare_with_a_loop(void)
{
    struct told t = {.count = -1};
    read_files(&t);
    ck_assert_int_gt(t.count, 0);
    size_t samples = (size_t)(t.count / SAMPLE + 1);
    t.totals = malloc(samples * sizeof *t.totals);
    t.last = malloc((size_t)keys * sizeof *t.last);
    int64_t *sums = calloc((size_t)keys, sizeof *sums), wrong = 0;
    ck_assert(t.totals != NULL && t.last != NULL && sums != NULL);
    memset(t.totals, -1, samples * sizeof *t.totals);
    memset(t.last, -1, (size_t)keys * sizeof *t.last);
    read_files(&t);
    for (int64_t i = 0; i < t.count; i++) {
        event e = event_of(i);
        sums[e.key] += e.value;
        wrong += i % SAMPLE == 0 && t.totals[i / SAMPLE] != sums[e.key] ? 1 : 0;
    }
    for (int64_t k = 0; k < keys; k++) {
        wrong += t.last[k] != sums[k] ? 1 : 0;
    }
    ck_assert_msg(t.strange == 0 && wrong == 0,
                  "%" PRId64 " lines: %" PRId64 " twice or of no event, %" PRId64 " totals wrong",
                  t.lines, t.strange, wrong);
    printf("%" PRId64 " events of %" PRId64 " keys, %" PRId64 " lines\n", t.count, keys, t.lines);
    free(t.totals);
    free(t.last);
    free(sums);
}

START_TEST(totals_and_files_are_exact_after_kills)
{
    const char *kills = getenv("KC_KILLS");
    unsigned behind = kills != NULL ? (unsigned)atoi(kills) : 4;
    bool in_memory = access("/dev/shm", W_OK) == 0;
    char command[128];
    keys = kills != NULL ? 1000000 : 100000;
    snprintf(folder, sizeof folder, "%s/kcsim-kills-XXXXXX", in_memory ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(checkpoints, sizeof checkpoints, "%s/ck", folder);
    run_with_kills(behind, behind < 8 ? 2 : behind / 4);
    compare_with_a_loop();
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream kills");
    TCase *tc = tcase_create("kills");
    tcase_set_timeout(tc, 0); /* ctest has one */
    tcase_add_test(tc, totals_and_files_are_exact_after_kills);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
