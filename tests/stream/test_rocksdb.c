/*
 * The state backend `rocksdb` with its files in checkpoints: killed while it runs and restored at
 * another parallelism, each running total is that of a loop over the same events; files are shared
 * between checkpoints; a barrier writes nothing, and what was touched before one that is given up
 * is in the next; a checkpoint with a damaged file is passed over, or refused by name.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <glob.h>
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

typedef struct {
    int64_t key, value, index;
} event;
ST_TYPE(event, key, value, index);

static char folder[64], checkpoints[80];
static uint64_t keys, event_count;
static int64_t *totals; /* [event_count] of the key of each event, with it */
static _Atomic uint64_t wrong, seen;
static bool fails_at_end;

static event event_of(uint64_t index)
{
    uint64_t z = mix(index);
    return (event){(int64_t)(z % keys), (int64_t)(z >> 40), (int64_t)index};
}

ST_GENERATOR(make, event)
{
    *out = event_of(index);
}

ST_REDUCE(add, event)
{
    acc->value += in->value;
    acc->index = in->index;
}

ST_SINK(compare, event)
{
    wrong += in->value != totals[in->index] ? 1 : 0;
    seen++;
}

static void with_folder(void)
{
    bool in_memory = access("/dev/shm", W_OK) == 0;
    snprintf(folder, sizeof folder, "%s/kcsim-rocksdb-test-XXXXXX",
             in_memory ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(checkpoints, sizeof checkpoints, "%s/ck", folder);
}

static void without_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void configure(st_env *env, const char *backend, const char *memory)
{
    st_env_set(env, "state.backend", backend);
    st_env_set(env, "state.backend.incremental", "true");
    st_env_set(env, "state.backend.rocksdb.localdir", folder);
    st_env_set(env, "state.backend.rocksdb.memory.fixed-per-slot", memory);
    st_env_set(env, "execution.checkpointing.dir", checkpoints);
    st_env_set(env, "execution.checkpointing.num-retained", "3");
}

/* ------------------------------------------------------------------------------------ Recovery */

static void loop_over_events(void)
{
    int64_t *sums = calloc(keys, sizeof *sums);
    totals = calloc(event_count, sizeof *totals);
    ck_assert(sums != NULL && totals != NULL);
    for (uint64_t i = 0; i < event_count; i++) {
        event e = event_of(i);
        totals[i] = sums[e.key] += e.value;
    }
    free(sums);
}

/* In a process of its own: 0 it came to its end, and every total was right. */
static int run_job(uint32_t parallelism, bool restore)
{
    st_env *env = st_env_new();
    st_env_set_parallelism(env, parallelism);
    configure(env, "rocksdb", "6mb");
    st_env_set(env, "execution.checkpointing.interval", "50ms");
    if (restore) {
        st_env_set(env, "execution.savepoint.path", checkpoints);
    }
    st_stream *s = st_generate(env, make, event_count, .parallelism = 1);
    st_sink(st_reduce(st_key_by(s, ST_KEY(event, key)), add), compare);
    enum st_err err = st_execute(env, "totals");
    if (err != ST_OK || wrong > 0 || (!restore && seen != event_count)) {
        fprintf(stderr, "wrong %" PRIu64 " of %" PRIu64 ": %s\n", (uint64_t)wrong, (uint64_t)seen,
                st_env_error(env));
    }
    st_env_free(env);
    return err == ST_OK && wrong == 0 ? 0 : 1;
}

static pid_t begin_job(uint32_t parallelism, bool restore)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        _exit(run_job(parallelism, restore));
    }
    return pid;
}

/* Waits until the job has completed a checkpoint behind `id`, or has ended. */
static void await_checkpoint(pid_t pid, int64_t id)
{
    siginfo_t info = {0};
    while (checkpoint_newest(checkpoints, CHECKPOINT) <= id && info.si_pid == 0) {
        struct timespec pause = {.tv_nsec = 2000000};
        nanosleep(&pause, NULL);
        ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
    }
}

START_TEST(totals_are_exact_after_kills_and_rescaling)
{
    static const uint32_t parallelisms[] = {1, 2, 2, 3, 1};
    bool deep = getenv("KC_DEEP") != NULL;
    int status = -1, killed = 0;
    with_folder();
    keys = deep ? 1000000 : 100000;
    event_count = deep ? 8000000 : 1000000;
    loop_over_events();
    for (int round = 0; round < 5; round++) {
        int64_t had = round > 0 ? checkpoint_newest(checkpoints, CHECKPOINT) : 0;
        pid_t pid = begin_job(parallelisms[round], round > 0);
        if (round < 4) {
            await_checkpoint(pid, had + round % 2);
            kill(pid, SIGKILL);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        if (!WIFSIGNALED(status)) {
            break;
        }
        killed++;
    }
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
    ck_assert_int_ge(killed, 2);
    free(totals);
    without_folder();
}
END_TEST

/* ------------------------------------------------------------------------------ A small database
 */

ST_SINK(fail_behind_a_checkpoint, event)
{
    (void)in;
}

/* The source's: the job ends while checkpoints of files are the newest. */
static void end_badly(st_context *ctx, int64_t checkpoint_id)
{
    if (fails_at_end && checkpoint_id >= 6) {
        st_fail(ctx, "enough");
    }
}

ST_SOURCE(some_events, event)
{
    int64_t *next = ctx->self;
    if (*next == (int64_t)event_count) {
        return fails_at_end ? ST_IDLE : ST_END;
    }
    event e = event_of((uint64_t)(*next)++);
    st_emit(out, &e);
    return ST_MORE;
}

/* Checkpoints of a job that fails after the sixth; the last three are kept. */
static enum st_err run_small(const char *backend, bool restore, char *why, size_t why_size)
{
    st_env *env = st_env_new();
    st_env_run_in_steps(env);
    configure(env, backend, "1kb");
    st_env_set(env, "execution.checkpointing.interval", "10ms");
    if (restore) {
        st_env_set(env, "execution.savepoint.path", checkpoints);
    }
    st_stream *s = st_from_source(env, some_events, .self_size = sizeof(int64_t),
                                  .notify_checkpoint_complete = end_badly);
    st_sink(st_reduce(st_key_by(s, ST_KEY(event, key)), add), fail_behind_a_checkpoint);
    enum st_err err = st_execute(env, "small");
    snprintf(why, why_size, "%s", st_env_error(env));
    st_env_free(env);
    return err;
}

static void make_small(void)
{
    char why[512];
    keys = 100;
    event_count = 3000;
    fails_at_end = true;
    with_folder();
    ck_assert_int_eq(run_small("rocksdb", false, why, sizeof why), ST_ERR_FAILED);
    ck_assert_ptr_nonnull(strstr(why, "enough"));
    ck_assert_int_eq(checkpoint_newest(checkpoints, CHECKPOINT), 6);
}

/* Calls `visit` for each file of a checkpoint; returns how many there are. */
static int each_file(int64_t id, void (*visit)(const char *path, const struct stat *stat))
{
    char path[128], file[512];
    struct stat stat_of;
    int count = 0;
    snprintf(path, sizeof path, "%s/chk-%" PRId64, checkpoints, id);
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && stat(file, &stat_of) == 0) {
            visit(file, &stat_of);
            count++;
        }
    }
    closedir(dir);
    return count;
}

static int shared, ssts;

static void count_shared(const char *path, const struct stat *stat)
{
    if (strstr(path, ".sst") != NULL) {
        ssts++;
        shared += stat->st_nlink > 1 ? 1 : 0;
    }
}

/* Of the three that are kept: when the database merges its files is its own business, and behind
 * that a checkpoint shares none with the one before. */
START_TEST(checkpoints_share_files_and_nothing_is_left_behind)
{
    char why[512], command[256];
    make_small();
    for (int64_t id = 4; id <= 6; id++) {
        each_file(id, count_shared);
    }
    ck_assert_int_gt(ssts, 0);
    ck_assert_int_gt(shared, 0);
    snprintf(command, sizeof command, "ls -d %s/ck/chk-* | wc -l | grep -qx 3", folder);
    ck_assert_int_eq(system(command), 0);
    snprintf(command, sizeof command, "! ls -d %s/kcsim-rocksdb-* 2>/dev/null", folder);
    ck_assert_int_eq(system(command), 0);
    fails_at_end = false;
    ck_assert_msg(run_small("rocksdb", true, why, sizeof why) == ST_OK, "%s", why);
    without_folder();
}
END_TEST

/* ----------------------------------------------------------------------------- Beside the flow */

/* Has a database in the folder made files for a checkpoint? */
static bool files_are_made(void)
{
    char pattern[128];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/kcsim-rocksdb-*/[fi]*-[0-9]*", folder);
    int err = glob(pattern, 0, NULL, &found);
    ck_assert(err == 0 || err == GLOB_NOMATCH);
    globfree(&found);
    return err == 0;
}

static _Atomic int barriers;

/* Behind the fold in its task, so its part has been taken. */
static void look_for_files(st_context *ctx, int64_t checkpoint_id)
{
    (void)ctx, (void)checkpoint_id;
    ck_assert(!files_are_made());
    barriers++;
}

START_TEST(a_barrier_writes_nothing)
{
    with_folder();
    keys = 100;
    event_count = 3000;
    fails_at_end = true;
    st_env *env = st_env_new();
    st_env_run_in_steps(env);
    configure(env, "rocksdb", "64mb");
    st_env_set(env, "execution.checkpointing.interval", "10ms");
    st_stream *s = st_from_source(env, some_events, .self_size = sizeof(int64_t),
                                  .notify_checkpoint_complete = end_badly);
    st_sink(st_reduce(st_key_by(s, ST_KEY(event, key)), add), fail_behind_a_checkpoint,
            .snapshot_state = look_for_files);
    ck_assert_int_eq(st_execute(env, "barriers"), ST_ERR_FAILED);
    ck_assert_ptr_nonnull(strstr(st_env_error(env), "enough"));
    ck_assert_int_ge(barriers, 6);
    st_env_free(env);
    without_folder();
}
END_TEST

static _Atomic bool is_open, is_given_up, again;
static _Atomic int64_t all_touched; /* the first checkpoint with all rows; 0: not yet */

static void note_barrier(st_context *ctx, int64_t checkpoint_id)
{
    if (all_touched == 0 && *(int64_t *)ctx->self == (int64_t)keys) {
        all_touched = checkpoint_id;
    }
}

static void note_given_up(st_context *ctx, int64_t checkpoint_id)
{
    (void)ctx;
    is_given_up |= all_touched != 0 && checkpoint_id >= all_touched;
}

/* The job ends with the first checkpoint behind one that was given up. */
static void end_behind(st_context *ctx, int64_t checkpoint_id)
{
    (void)checkpoint_id;
    if (is_given_up && !again) {
        st_fail(ctx, "enough");
    }
}

/* Each key once; and again after a restore, where it begins anew. */
ST_SOURCE(each_key, event)
{
    int64_t *next = ctx->self;
    if (*next == (int64_t)keys) {
        is_open = is_given_up;
        return again ? ST_END : ST_IDLE;
    }
    event e = {*next, 1, *next};
    (*next)++;
    st_emit(out, &e);
    return ST_MORE;
}

/* Barriers stand before it until one was given up. */
ST_SINK(wait_and_compare, event)
{
    while (!is_open && !again) {
        struct timespec pause = {.tv_nsec = 2000000};
        nanosleep(&pause, NULL);
    }
    wrong += in->value != (again ? 2 : 1) ? 1 : 0;
    seen++;
}

static enum st_err run_given_up(void)
{
    st_env *env = st_env_new();
    configure(env, "rocksdb", "64mb");
    st_env_set(env, "execution.checkpointing.interval", "100ms");
    st_env_set(env, "execution.checkpointing.timeout", "300ms");
    st_env_set(env, "execution.checkpointing.tolerable-failed-checkpoints", "1000000");
    if (again) {
        st_env_set(env, "execution.savepoint.path", checkpoints);
    }
    st_stream *s =
        st_from_source(env, each_key, .self_size = sizeof(int64_t), .slot_sharing_group = "source",
                       .snapshot_state = note_barrier, .notify_checkpoint_aborted = note_given_up,
                       .notify_checkpoint_complete = end_behind);
    s = st_reduce(st_key_by(s, ST_KEY(event, key)), add, .slot_sharing_group = "source");
    st_sink(st_rebalance(s), wait_and_compare, .slot_sharing_group = "sink");
    enum st_err err = st_execute(env, "given up");
    st_env_free(env);
    return err;
}

/* Its barrier has taken the marks of what was touched, and nothing of it was stored. */
START_TEST(rows_of_a_checkpoint_that_was_given_up_are_in_the_next)
{
    with_folder();
    keys = 5000;
    ck_assert_int_eq(run_given_up(), ST_ERR_FAILED);
    ck_assert(is_given_up);
    again = true;
    seen = 0;
    ck_assert_int_eq(run_given_up(), ST_OK);
    ck_assert_uint_eq(seen, keys);
    ck_assert_uint_eq(wrong, 0);
    without_folder();
}
END_TEST

/* --------------------------------------------------------------------------------------- Damage */

START_TEST(hashmap_refuses_files_of_a_database)
{
    char why[512];
    make_small();
    ck_assert_int_eq(run_small("hashmap", true, why, sizeof why), ST_ERR_RESTORE);
    ck_assert_msg(strstr(why, "set state.backend to rocksdb") != NULL, "%s", why);
    without_folder();
}
END_TEST

/* What is loaded is an older checkpoint, or nothing, and then a file is named. */
static void expect_passed_over(const char *path, long at)
{
    char why[256];
    struct checkpoint *c = checkpoint_load(checkpoints, why);
    ck_assert_msg(c == NULL || c->id < 6, "%s, byte %ld", path, at);
    ck_assert_msg(c != NULL || strstr(why, "damaged") != NULL || strstr(why, "cannot read") != NULL,
                  "%s, byte %ld: %s", path, at, why);
    checkpoint_free(c);
}

static void flip(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, at, SEEK_SET), 0);
    int byte = fgetc(file);
    ck_assert_int_eq(fseek(file, at, SEEK_SET), 0);
    ck_assert_int_eq(fputc(byte ^ 0x20, file), byte ^ 0x20);
    ck_assert_int_eq(fclose(file), 0);
}

static void flip_each_byte(const char *path, const struct stat *stat)
{
    for (long at = 0; at < stat->st_size; at += 1 + stat->st_size / 512) {
        flip(path, at);
        expect_passed_over(path, at);
        flip(path, at);
    }
}

START_TEST(a_flipped_byte_is_told)
{
    char why[256];
    make_small();
    ck_assert_int_gt(each_file(6, flip_each_byte), 5);
    struct checkpoint *c = checkpoint_load(checkpoints, why);
    ck_assert_msg(c != NULL && c->id == 6, "%s", why);
    checkpoint_free(c);
    without_folder();
}
END_TEST

/* A copy in the place of the file: others of the same name stay whole. Then it is put back. */
static void cut_short(const char *path, const struct stat *stat)
{
    char saved[640], command[1500];
    snprintf(saved, sizeof saved, "%s/saved", folder);
    ck_assert_int_eq(rename(path, saved), 0);
    for (long size = 0; size < stat->st_size; size += 1 + stat->st_size / 8) {
        snprintf(command, sizeof command, "head -c %ld %s > %s", size, saved, path);
        ck_assert_int_eq(system(command), 0);
        char why[256];
        struct checkpoint *c = checkpoint_load(checkpoints, why);
        ck_assert_msg(c != NULL && c->id == 5, "%s, cut to %ld", path, size);
        checkpoint_free(c);
    }
    ck_assert_int_eq(unlink(path), 0);
    expect_passed_over(path, -1); /* it is not there */
    ck_assert_int_eq(rename(saved, path), 0);
}

START_TEST(a_file_cut_short_or_missing_is_passed_over)
{
    char why[512];
    make_small();
    ck_assert_int_gt(each_file(6, cut_short), 5);
    fails_at_end = false;
    ck_assert_msg(run_small("rocksdb", true, why, sizeof why) == ST_OK, "%s", why);
    without_folder();
}
END_TEST

/* -------------------------------------------------------------------------------- Time to live */

#define VISIT_SIZE 200 /* bytes */

typedef struct {
    char noise[VISIT_SIZE];
} visit;
ST_TYPE(visit, noise);

ST_VALUE_STATE(last_visit, visit, .ttl_ms = 1000);

static uint64_t visits, visits_at_once, again_after;
static int64_t size_at_end;

/* Visitor 0 comes all the time, the others again when they are forgotten. */
ST_PROCESS(remember, event, event)
{
    const visit *before = st_value_get(ctx, &last_visit);
    ck_assert(in->key == 0 ? (before != NULL) == (in->index > 0) : before == NULL);
    visit now;
    for (uint64_t i = 0; i < VISIT_SIZE; i++) {
        now.noise[i] = (char)('!' + mix((uint64_t)in->index * VISIT_SIZE + i) % 90);
    }
    st_value_set(ctx, &last_visit, &now);
}

/* Bytes of all that a pattern finds below the folder; 0, too, if some went while they were looked
 * at, for what came in their place has not been seen. */
static int64_t size_of(const char *below)
{
    char pattern[128];
    glob_t found;
    struct stat stat_of;
    int64_t size = 0;
    snprintf(pattern, sizeof pattern, "%s/%s", folder, below);
    int err = glob(pattern, 0, NULL, &found);
    bool is_all = err == 0;
    for (size_t f = 0; is_all && f < found.gl_pathc; f++) {
        is_all = stat(found.gl_pathv[f], &stat_of) == 0;
        size += is_all ? stat_of.st_size : 0;
    }
    globfree(&found);
    return is_all ? size : 0;
}

#define WAITS_MAX 6000 /* of 10 ms */

struct visiting {
    uint64_t next;
    int waits;
};

/* Some at once each 100 ms. Then more, slowly, until RocksDB has merged its files: what it merges,
 * and when, is its threads' affair, and without new files it may leave off at any moment. */
ST_SOURCE(visitors, event)
{
    struct visiting *v = ctx->self;
    if (v->next >= visits) {
        size_at_end = size_of("kcsim-rocksdb-*/db/*.sst");
        bool is_small = size_at_end > 0 && size_at_end <= (int64_t)visits * VISIT_SIZE / 5;
        if (is_small || v->waits++ == WAITS_MAX) {
            return ST_END;
        }
        usleep(10000);
    }
    for (uint64_t left = visits_at_once; left > 0; left--, v->next++) {
        bool is_first = left == visits_at_once;
        event e = {is_first ? 0 : (int64_t)(1 + v->next % again_after), 0, (int64_t)v->next};
        st_emit(out, &e);
    }
    st_poll_at(ctx, st_now(ctx) + 100);
    return ST_IDLE;
}

START_TEST(rows_that_nobody_touches_leave_the_database)
{
    with_folder();
    visits = 100000;
    visits_at_once = 500;
    again_after = 50000;
    st_env *env = st_env_new();
    st_env_run_in_steps(env);
    configure(env, "rocksdb", "1mb");
    st_stream *s = st_from_source(env, visitors, .self_size = sizeof(struct visiting));
    st_discard(
        st_process(st_key_by(s, ST_KEY(event, key)), remember, .states = ST_STATES(&last_visit)));
    ck_assert_msg(st_execute(env, "visits") == ST_OK, "%s", st_env_error(env));
    ck_assert_int_gt(size_at_end, 0);
    ck_assert_int_le(size_at_end, (int64_t)visits * VISIT_SIZE / 5);
    st_env_free(env);
    without_folder();
}
END_TEST

#define FEW 5000 /* more than the table has room for */

/* These, and ten seconds later one more. */
ST_SOURCE(few_visitors, event)
{
    int64_t *next = ctx->self;
    for (; *next < FEW; (*next)++) {
        event e = {*next, 0, *next};
        st_emit(out, &e);
    }
    if ((*next)++ == FEW) {
        st_poll_at(ctx, st_now(ctx) + 10000);
        return ST_IDLE;
    }
    st_emit(out, &((event){FEW, 0, FEW}));
    return ST_END;
}

/* The database has them all, for it had no reason to merge files. */
START_TEST(a_savepoint_has_nothing_that_is_over)
{
    with_folder();
    st_env *env = st_env_new();
    st_env_run_in_steps(env);
    configure(env, "rocksdb", "1mb");
    st_env_set(env, "state.backend.incremental", "false");
    st_env_set(env, "execution.checkpointing.interval", "1h");
    st_stream *s = st_from_source(env, few_visitors, .self_size = sizeof(int64_t));
    st_discard(
        st_process(st_key_by(s, ST_KEY(event, key)), remember, .states = ST_STATES(&last_visit)));
    ck_assert_msg(st_execute(env, "visits") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
    ck_assert_int_gt(size_of("ck/chk-*/*"), VISIT_SIZE);
    ck_assert_int_lt(size_of("ck/chk-*/*"), 100 * VISIT_SIZE);
    without_folder();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream on rocksdb");
    TCase *tc = tcase_create("rocksdb");
    tcase_set_timeout(tc, 400);
    tcase_add_test(tc, totals_are_exact_after_kills_and_rescaling);
    tcase_add_test(tc, checkpoints_share_files_and_nothing_is_left_behind);
    tcase_add_test(tc, a_barrier_writes_nothing);
    tcase_add_test(tc, rows_of_a_checkpoint_that_was_given_up_are_in_the_next);
    tcase_add_test(tc, hashmap_refuses_files_of_a_database);
    tcase_add_test(tc, a_flipped_byte_is_told);
    tcase_add_test(tc, a_file_cut_short_or_missing_is_passed_over);
    tcase_add_test(tc, rows_that_nobody_touches_leave_the_database);
    tcase_add_test(tc, a_savepoint_has_nothing_that_is_over);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
