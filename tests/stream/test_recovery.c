/*
 * Recovery: each recorded job is killed (SIGKILL) by its own source when record k has been read and
 * a checkpoint with it is complete, for every k; a second process goes on from the checkpoint. The
 * files committed by the two equal what Flink printed: nothing is lost, nothing is there twice.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "golden_jobs.h"

#define LINES_MAX 64

/* ------------------------------------------- A source that stops, and kills when it is safe to */

static int64_t stop_after; /* records; beyond the last: never */

struct lines {
    const char *path;
    char *text[LINES_MAX]; /* owned */
    int64_t count, next;
};

ST_LIST_STATE(position, int64_t);

static void read_all(st_context *ctx)
{
    struct lines *lines = ctx->self;
    const char *path = ctx->arg;
    FILE *file = fopen(path, "r");
    char line[512];
    while (file != NULL && fgets(line, sizeof line, file) != NULL && lines->count < LINES_MAX) {
        line[strcspn(line, "\r\n")] = '\0';
        lines->text[lines->count++] = strdup(line);
    }
    if (file != NULL) {
        fclose(file);
    }
}

static void free_all(st_context *ctx)
{
    struct lines *lines = ctx->self;
    for (int64_t i = 0; i < lines->count; i++) {
        free(lines->text[i]);
    }
}

static void restore_position(st_context *ctx)
{
    uint32_t count;
    const int64_t *next = st_list_get(ctx, &position, &count);
    ((struct lines *)ctx->self)->next = count > 0 ? *next : 0;
}

static void save_position(st_context *ctx, int64_t checkpoint_id)
{
    (void)checkpoint_id;
    st_list_update(ctx, &position, &((struct lines *)ctx->self)->next, 1);
}

/* The barrier of the checkpoint was behind record k if the source had stopped when it came: then
 * this is called twice, and the second time is sure. */
static void kill_if_stopped(st_context *ctx, int64_t checkpoint_id)
{
    static _Thread_local int64_t stopped_at;
    (void)checkpoint_id;
    const struct lines *lines = ctx->self;
    if (lines->next == stop_after && lines->next < lines->count && ++stopped_at == 2) {
        kill(getpid(), SIGKILL);
    }
}

ST_SOURCE(stopping_lines, st_str)
{
    struct lines *lines = ctx->self;
    if (lines->next == lines->count) {
        return ST_END;
    }
    if (lines->next == stop_after) {
        return ST_IDLE;
    }
    st_str line = st_str_of(lines->text[lines->next++]);
    st_emit(out, &line);
    return ST_MORE;
}

static char paths[4][512];
static int path_count;

static st_stream *read_stopping(st_env *env, const char *path)
{
    char *kept = paths[path_count++];
    snprintf(kept, sizeof paths[0], "%s", path);
    return st_from_source(env, stopping_lines, .parallelism = 1, .arg = kept,
                          .self_size = sizeof(struct lines), .open = read_all, .close = free_all,
                          .operator_states = ST_STATES(&position),
                          .initialize_state = restore_position, .snapshot_state = save_position,
                          .notify_checkpoint_complete = kill_if_stopped);
}

static void write_files(st_stream *s, const char *path)
{
    st_write_files(s, path, .parallelism = 1);
}

/* ------------------------------------------------------------------------------ A run, a round */

static bool on_rocksdb; /* checkpoints are files of databases; otherwise all state is in memory */

/* In a process of its own; returns how it ended, as waitpid says. */
static int run(const struct golden_job *job, const char *in, const char *out, uint32_t parallelism,
               bool restore)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        char dir[600];
        snprintf(dir, sizeof dir, "%s/ck", out);
        golden_read = read_stopping;
        golden_write = write_files;
        st_env *env = st_env_new();
        st_env_set_parallelism(env, parallelism);
        st_env_set(env, "execution.checkpointing.interval", "5ms");
        st_env_set(env, "execution.checkpointing.dir", dir);
        if (on_rocksdb) {
            st_env_set(env, "state.backend", "rocksdb");
            st_env_set(env, "state.backend.incremental", "true");
            st_env_set(env, "state.backend.rocksdb.localdir", out);
        }
        if (restore) {
            st_env_set(env, "execution.savepoint.path", dir);
        }
        job->build(env, in, out);
        enum st_err err = st_execute(env, job->name);
        if (err != ST_OK) {
            fputs(st_env_error(env), stderr);
        }
        st_env_free(env);
        exit(err == ST_OK ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_number(const void *a, const void *b)
{
    long x = strtol(strrchr(*(char *const *)a, '-') + 1, NULL, 10);
    long y = strtol(strrchr(*(char *const *)b, '-') + 1, NULL, 10);
    return x < y ? -1 : x > y;
}

static void append_file(const char *folder, const char *name, char *text)
{
    char path[900];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    size_t had = strlen(text);
    if (file != NULL) {
        text[had + fread(text + had, 1, 65535 - had, file)] = '\0';
        fclose(file);
    }
}

/* The committed files of a sink one behind the other, or a single file. */
static char *read_output(const char *folder, const char *name, bool sort)
{
    char path[700], *names[256], *text = calloc(1, 65536), *lines[1024], *all = calloc(1, 65536);
    int count = 0, line_count = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (strncmp(entry->d_name, "part-", 5) == 0 && count < 256) {
            names[count++] = strdup(entry->d_name);
        }
    }
    if (dir != NULL) {
        closedir(dir);
        qsort(names, (size_t)count, sizeof *names, by_number);
        for (int i = 0; i < count; i++) {
            append_file(path, names[i], text);
            free(names[i]);
        }
    } else {
        append_file(folder, name, text);
    }
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        lines[line_count++] = line;
    }
    if (sort) {
        qsort(lines, (size_t)line_count, sizeof *lines, by_bytes);
    }
    for (int i = 0; i < line_count; i++) {
        strcat(strcat(all, lines[i]), "\n");
    }
    free(text);
    return all;
}

static void remove_tree(const char *path)
{
    char command[800];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    ck_assert_int_eq(system(command), 0);
}

/* Returns whether the job was killed on its way (it is not if it has fewer than k records). */
static bool round_of(const struct golden_job *job, int64_t k, uint32_t before, uint32_t after)
{
    char in[512], out[] = "/tmp/kcsim-recovery-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(out));
    snprintf(in, sizeof in, "%s/tests/stream/golden/%s", KC_SOURCE_DIR, job->name);
    stop_after = k;
    int status = run(job, in, out, before, false);
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    ck_assert_msg(killed || status == 0, "%s, killed after %" PRId64 ": status %d", job->name, k,
                  status);
    if (killed) {
        stop_after = INT64_MAX;
        status = run(job, in, out, after, true);
        ck_assert_msg(status == 0, "%s, restored after %" PRId64 ": status %d", job->name, k,
                      status);
    }
    for (unsigned i = 0; job->outputs[i] != NULL; i++) {
        bool sort = !job->ordered || before > 1 || after > 1;
        char *expected = read_output(in, job->outputs[i], sort);
        char *actual = read_output(out, job->outputs[i], sort);
        ck_assert_msg(strcmp(expected, actual) == 0,
                      "%s/%s, killed after %" PRId64 ", parallelism %u then %u\n--- expected\n%s"
                      "--- actual\n%s",
                      job->name, job->outputs[i], k, before, after, expected, actual);
        free(expected);
        free(actual);
    }
    remove_tree(out);
    return killed;
}

START_TEST(a_killed_job_goes_on_where_its_checkpoint_was)
{
    const struct golden_job *job = &golden_jobs[_i];
    int64_t k = 0;
    while (round_of(job, k, 1, 1)) {
        k++;
    }
    ck_assert_int_gt(k, 1);
}
END_TEST

START_TEST(a_killed_job_goes_on_at_another_parallelism)
{
    const struct golden_job *job = &golden_jobs[_i];
    for (int64_t k = 1; round_of(job, k, k % 2 == 0 ? 3 : 1, k % 2 == 0 ? 2 : 4); k += 2) {
    }
    for (int64_t k = 2; round_of(job, k, 3, 2); k += 4) {
    }
}
END_TEST

START_TEST(a_killed_job_goes_on_with_its_databases)
{
    const struct golden_job *job = &golden_jobs[_i];
    on_rocksdb = true;
    for (int64_t k = 1; round_of(job, k, k % 8 == 1 ? 1 : 2, k % 8 == 1 ? 2 : 1); k += 4) {
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream recovery");
    TCase *tc = tcase_create("recovery");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, a_killed_job_goes_on_where_its_checkpoint_was, 0,
                        (int)golden_job_count);
    tcase_add_loop_test(tc, a_killed_job_goes_on_at_another_parallelism, 0, (int)golden_job_count);
    tcase_add_loop_test(tc, a_killed_job_goes_on_with_its_databases, 0, (int)golden_job_count);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
