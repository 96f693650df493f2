/*
 * The recorded jobs give what Apache Flink 1.17.2 printed, byte for byte: at parallelism 1 as it is
 * (sorted where its page says that order is free), at parallelism 2 sorted; with threads and in
 * steps, chained and not; with keyed state in memory and in databases.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "golden_jobs.h"

struct mode {
    uint32_t parallelism;
    bool in_steps;
    const char *chaining, *backend;
};

static const struct mode modes[] = {
    {1, true, "true", "hashmap"},  {1, false, "true", "hashmap"},  {2, true, "true", "hashmap"},
    {2, false, "true", "hashmap"}, {1, false, "false", "hashmap"}, {1, true, "true", "rocksdb"},
    {2, false, "true", "rocksdb"},
};
#define MODES (sizeof modes / sizeof modes[0])

/* A file's lines, sorted bytewise if so asked; owned by the caller. "" if there is no such file. */
static char *read_lines(const char *folder, const char *name, bool sort);

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *sorted(char *text)
{
    char *lines[1024], *all = calloc(1, strlen(text) + 2);
    size_t count = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        ck_assert_uint_lt(count, 1024);
        lines[count++] = line;
    }
    qsort(lines, count, sizeof *lines, by_bytes);
    for (size_t i = 0; i < count; i++) {
        strcat(strcat(all, lines[i]), "\n");
    }
    free(text);
    return all;
}

static char *read_lines(const char *folder, const char *name, bool sort)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    char *text = calloc(1, 65536);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        ck_assert_uint_lt(fread(text, 1, 65535, file), 65535);
        fclose(file);
    }
    return sort ? sorted(text) : text;
}

static void run(const struct golden_job *job, const struct mode *mode)
{
    char in[512], out[] = "/tmp/kcsim-golden-XXXXXX", path[600];
    ck_assert_ptr_nonnull(mkdtemp(out));
    snprintf(in, sizeof in, "%s/tests/stream/golden/%s", KC_SOURCE_DIR, job->name);
    st_env *env = st_env_new();
    st_env_set_parallelism(env, mode->parallelism);
    ck_assert_int_eq(st_env_set(env, "pipeline.operator-chaining", mode->chaining), ST_OK);
    st_env_set(env, "state.backend", mode->backend);
    st_env_set(env, "state.backend.rocksdb.localdir", out);
    st_env_set(env, "state.backend.rocksdb.memory.fixed-per-slot", "1kb");
    if (mode->in_steps) {
        st_env_run_in_steps(env);
    }
    job->build(env, in, out);
    ck_assert_msg(st_execute(env, job->name) == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
    for (unsigned i = 0; job->outputs[i] != NULL; i++) {
        bool sort = !job->ordered || mode->parallelism > 1;
        char *expected = read_lines(in, job->outputs[i], sort);
        char *actual = read_lines(out, job->outputs[i], sort);
        ck_assert_msg(strcmp(expected, actual) == 0,
                      "%s/%s, parallelism %u, %s, chaining %s, %s\n--- expected\n%s--- actual\n%s",
                      job->name, job->outputs[i], mode->parallelism,
                      mode->in_steps ? "steps" : "threads", mode->chaining, mode->backend, expected,
                      actual);
        free(expected);
        free(actual);
        snprintf(path, sizeof path, "%s/%s", out, job->outputs[i]);
        unlink(path);
    }
    rmdir(out);
}

START_TEST(a_recorded_job_gives_what_flink_printed)
{
    const struct golden_job *job = &golden_jobs[_i / (int)MODES];
    run(job, &modes[_i % (int)MODES]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("golden stream jobs");
    TCase *tc = tcase_create("jobs");
    tcase_add_loop_test(tc, a_recorded_job_gives_what_flink_printed, 0,
                        (int)(golden_job_count * MODES));
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
