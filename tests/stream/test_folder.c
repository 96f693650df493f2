/*
 * A folder as a source: which files, in which order, and each line once though the job is killed.
 */
#include <check.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "once.h"
#include "stream/checkpoint.h"
#include "stream/lines.h"
#include "stream/stream.h"

static char base[64];

static void make_base(void)
{
    char path[128];
    snprintf(base, sizeof base, "/tmp/kcsim-folder-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(path, sizeof path, "%s/in", base);
    ck_assert_int_eq(mkdir(path, 0755), 0);
}

static void remove_base(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", base);
    ck_assert_int_eq(system(command), 0);
}

/* A file in one piece, last changed at a moment of the test's. */
static void put_file(const char *name, const char *text, int64_t time_ms)
{
    char part[160], path[160];
    struct timespec times[2] = {{.tv_sec = time_ms / 1000, .tv_nsec = time_ms % 1000 * 1000000},
                                {.tv_sec = time_ms / 1000, .tv_nsec = time_ms % 1000 * 1000000}};
    snprintf(part, sizeof part, "%s/part", base);
    snprintf(path, sizeof path, "%s/in/%s", base, name);
    FILE *file = fopen(part, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0 ||
        utimensat(AT_FDCWD, part, times, 0) != 0 || rename(part, path) != 0) {
        perror(path);
        abort();
    }
}

/* --------------------------------------------------------------------------------------- Lines */

/* However the bytes come, the lines are the same. */
START_TEST(lines_come_out_of_any_pieces)
{
    static const char *const texts[] = {"one\r\ntwo\n\nlast", "one||two|||||last", "||", ""};
    static const char *const delimiters[] = {"\n", "||", "||", "\n"};
    static const char *const expected[] = {"[one][two][][last]", "[one][two][][|last]", "[]", ""};
    for (int t = 0; t < 4; t++) {
        for (size_t piece = 1; piece < 20; piece++) {
            struct lines lines;
            char got[64] = "";
            size_t room, size = strlen(texts[t]);
            st_str line;
            lines_begin(&lines, delimiters[t]);
            for (size_t at = 0; at <= size; at += piece) {
                size_t some = size - at < piece ? size - at : piece;
                memcpy(lines_room(&lines, &room), texts[t] + at, some);
                lines_filled(&lines, some);
                while (lines_next(&lines, size - at < piece, &line)) {
                    size_t had = strlen(got);
                    snprintf(got + had, sizeof got - had, "[%.*s]", (int)line.size, line.data);
                }
            }
            ck_assert_str_eq(got, expected[t]);
            ck_assert_int_eq(lines.position, (int64_t)size);
            lines_free(&lines);
        }
    }
}
END_TEST

START_TEST(a_line_is_as_long_as_text_may_be)
{
    struct lines lines;
    size_t room, all = 0;
    lines_begin(&lines, "\n");
    for (char *to; (to = lines_room(&lines, &room)) != NULL; all += room) {
        memset(to, 'x', room);
        lines_filled(&lines, room);
    }
    ck_assert_uint_eq(all, (size_t)64 * 1024 * 1024);
    lines_free(&lines);
}
END_TEST

/* ---------------------------------------------------------------------------------- Once, order */

static char story[1024];

ST_SINK(tell, st_str)
{
    size_t had = strlen(story);
    snprintf(story + had, sizeof story - had, "%.*s ", (int)in->size, in->data);
}

static void read_once(void)
{
    char path[128];
    st_env *env = st_env_new();
    snprintf(path, sizeof path, "%s/in", base);
    st_sink(st_read_folder(env, path, ST_PROCESS_ONCE, 0), tell);
    story[0] = '\0';
    ck_assert_msg(st_execute(env, "once") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
}

START_TEST(files_come_in_the_order_of_their_times)
{
    char path[128];
    make_base();
    read_once();
    ck_assert_str_eq(story, "");
    put_file("b", "b1\nb2\n", 5000);
    put_file("a", "a1\r\na2", 7000);
    put_file("c", "c1\n", 5000);
    put_file("empty", "", 1000);
    put_file(".hidden", "h\n", 1000);
    put_file("_hidden", "h\n", 1000);
    snprintf(path, sizeof path, "%s/in/folder", base);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    read_once();
    ck_assert_str_eq(story, "b1 b2 c1 a1 a2 ");
    remove_base();
}
END_TEST

struct numbers {
    int64_t last;
    int64_t complete; /* checkpoints since the last number */
};

/* ---------------------------------------------------------------------------------- Whole files */

ST_SINK(tell_file, st_file)
{
    size_t had = strlen(story);
    snprintf(story + had, sizeof story - had, "%.*s[%.*s] ", (int)in->name.size, in->name.data,
             (int)in->content.size, in->content.data);
}

static st_env *read_whole(void)
{
    char path[128];
    st_env *env = st_env_new();
    snprintf(path, sizeof path, "%s/in", base);
    st_sink(st_rebalance(st_read_whole_files(env, path, ST_PROCESS_ONCE, 0)), tell_file,
            .parallelism = 1);
    story[0] = '\0';
    return env;
}

START_TEST(a_file_is_one_record)
{
    make_base();
    put_file("b", "b1\nb2\n", 5000);
    put_file("a", "a1\r\na2", 7000);
    put_file("empty", "", 1000);
    put_file(".hidden", "h\n", 1000);
    st_env *env = read_whole();
    ck_assert_msg(st_execute(env, "whole") == ST_OK, "%s", st_env_error(env));
    ck_assert_str_eq(story, "empty[] b[b1\nb2\n] a[a1\r\na2] ");
    st_env_free(env);
    remove_base();
}
END_TEST

static uint32_t size_seen;

ST_SINK(measure, st_file)
{
    size_seen = in->content.size;
    for (uint32_t k = 0; k < in->content.size; k++) {
        if (in->content.data[k] != '\0') {
            st_fail(ctx, "byte %u", k);
        }
    }
}

START_TEST(a_file_has_a_bound)
{
    for (uint32_t more = 0; more < 2; more++) {
        char path[128];
        make_base();
        put_file("zeros", "", 1000);
        snprintf(path, sizeof path, "%s/in/zeros", base);
        ck_assert_int_eq(truncate(path, (off_t)ST_FILE_SIZE_MAX + more), 0);
        snprintf(path, sizeof path, "%s/in", base);
        st_env *env = st_env_new();
        st_sink(st_rebalance(st_read_whole_files(env, path, ST_PROCESS_ONCE, 0)), measure);
        size_seen = 0;
        ck_assert_int_eq(st_execute(env, "whole"), more == 0 ? ST_OK : ST_ERR_FAILED);
        ck_assert_uint_eq(size_seen, more == 0 ? ST_FILE_SIZE_MAX : 0);
        ck_assert(more == 0 || strstr(st_env_error(env), "ST_FILE_SIZE_MAX") != NULL);
        st_env_free(env);
        remove_base();
    }
}
END_TEST

/* Each file brings the next one. The job fails at one of them and begins again; and when a
 * checkpoint has all, for good. */
#define FILES 10
static int64_t fail_at_file; /* -1: none */

static void put_number(int64_t number)
{
    char name[24];
    snprintf(name, sizeof name, "%" PRId64, number);
    put_file(name, name, 1000 + number);
}

ST_MAP(number_of, st_file, int64_t)
{
    if (!st_parse_int64(in->content, out)) {
        abort();
    }
    if (*out == fail_at_file) {
        fail_at_file = -1;
        st_fail(ctx, "asked to");
    }
    ((struct numbers *)ctx->self)->last = *out;
    if (*out + 1 < FILES) {
        put_number(*out + 1);
    }
}

/* At the second one: of the first all have been told. */
static void fail_when_all(st_context *ctx, int64_t checkpoint_id)
{
    struct numbers *self = ctx->self;
    (void)checkpoint_id;
    if (self->last == FILES - 1 && ++self->complete == 2) {
        st_fail(ctx, "all are there");
    }
}

START_TEST(each_file_once_though_the_job_fails)
{
    char path[128];
    make_base();
    put_number(0);
    fail_at_file = _i - 1;
    st_env *env = st_env_new();
    st_env_run_in_steps(env);
    st_env_set(env, "restart-strategy.type", _i > 0 ? "fixed-delay" : "none");
    st_env_set(env, "execution.checkpointing.storage", "jobmanager");
    st_env_set(env, "execution.checkpointing.interval", "3ms");
    snprintf(path, sizeof path, "%s/in", base);
    st_stream *files = st_read_whole_files(env, path, ST_PROCESS_CONTINUOUSLY, 2);
    st_collection *to = st_collect(st_map(files, number_of, .self_size = sizeof(struct numbers),
                                          .notify_checkpoint_complete = fail_when_all));
    ck_assert_int_eq(st_execute(env, "whole"), ST_ERR_FAILED);
    ck_assert_ptr_nonnull(strstr(st_env_error(env), "all are there"));
    uint64_t count;
    const int64_t *all = st_collected(to, &count);
    ck_assert_uint_eq(count, FILES);
    for (int64_t n = 0; n < FILES; n++) {
        ck_assert_int_eq(all[n], n);
    }
    st_env_free(env);
    remove_base();
}
END_TEST

START_TEST(what_is_wrong_is_told)
{
    st_env *env = st_env_new();
    st_discard(st_read_folder(env, "/nowhere", ST_PROCESS_CONTINUOUSLY, 0));
    ck_assert_int_eq(st_execute(env, "wrong"), ST_ERR_GRAPH);
    ck_assert_ptr_nonnull(strstr(st_env_error(env), "each 1 ms"));
    st_env_free(env);
    env = st_env_new();
    st_discard(st_read_folder(env, "/nowhere", ST_PROCESS_ONCE, 0));
    ck_assert_int_eq(st_execute(env, "wrong"), ST_ERR_FAILED);
    ck_assert_ptr_nonnull(strstr(st_env_error(env), "/nowhere: No such file"));
    st_env_free(env);
}
END_TEST

/* -------------------------------------------------------------------------------- Continuously */

#define NUMBERS 40

static int64_t kill_at; /* the number that is not passed on any more; -1: none */

static void put_numbers(const char *name, int from, int to, int64_t time_ms)
{
    char text[256] = "";
    for (int n = from; n < to; n++) {
        size_t had = strlen(text);
        snprintf(text + had, sizeof text - had, "%d\n", n);
    }
    put_file(name, text, time_ms);
}

/* Some numbers bring the next files: one as old as the one before it, two at once, and one that is
 * older than all and therefore not seen. */
static void bring(int64_t number)
{
    if (number == 5) {
        put_numbers("0-second", 10, 20, 1000000); /* before the first by its name, but later */
    } else if (number == 19) {
        put_numbers("third", 30, 40, 1000900);
        put_numbers("fourth", 20, 30, 1000500);
        put_numbers("old", 0, 5, 500);
    }
}

ST_MAP(pass, st_str, int64_t)
{
    struct numbers *self = ctx->self;
    if (!st_parse_int64(*in, out)) {
        abort();
    }
    if (*out == kill_at) {
        kill(getpid(), SIGKILL);
    }
    bring(*out);
    self->last = *out;
}

/* The folder has no end: the test's has, when the last number has been committed. */
static void end_when_all(st_context *ctx, int64_t checkpoint_id)
{
    struct numbers *self = ctx->self;
    (void)checkpoint_id;
    if (self->last == NUMBERS - 1 && ++self->complete == 3) {
        _exit(0);
    }
}

static void watch(void)
{
    char in[128], out[128], dir[128];
    snprintf(in, sizeof in, "%s/in", base);
    snprintf(out, sizeof out, "%s/out", base);
    snprintf(dir, sizeof dir, "%s/ck", base);
    st_env *env = st_env_new();
    st_env_set(env, "execution.checkpointing.interval", "3ms");
    st_env_set(env, "execution.checkpointing.dir", dir);
    if (checkpoint_newest(dir, CHECKPOINT) > 0) {
        st_env_set(env, "execution.savepoint.path", dir);
    }
    st_stream *s = st_read_folder(env, in, ST_PROCESS_CONTINUOUSLY, 2);
    s = st_map(s, pass, .self_size = sizeof(struct numbers),
               .notify_checkpoint_complete = end_when_all);
    st_write_files(s, out);
    st_env_run_in_steps(env);
    fprintf(stderr, "%d %s\n", (int)st_execute(env, "watch"), st_env_error(env));
    _exit(1);
}

static int run(int64_t kill_before)
{
    int status;
    kill_at = kill_before;
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        watch();
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

START_TEST(each_line_once_though_the_job_is_killed)
{
    char out[128];
    make_base();
    put_numbers("first", 0, 10, 1000000);
    int status = run(_i - 1);
    if (_i > 0) {
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        status = run(-1);
    }
    ck_assert_int_eq(status, 0);
    struct once_numbers numbers = {0};
    snprintf(out, sizeof out, "%s/out", base);
    once_add_folder(&numbers, out, "part-");
    struct once once = once_count(&numbers, NUMBERS);
    ck_assert_msg(once_exactly(&once), "killed at %d: %s", _i - 1, once_tell(&once));
    once_free(&numbers);
    remove_base();
}
END_TEST

/* ------------------------------------------------------------------------------- Changed files */

/* The first line changes the file, later; "stop" ends the job. */
ST_MAP(change, st_str, st_str)
{
    *out = *in;
    if (st_str_equal(*in, ST_STR("one"))) {
        put_file("file", "one again\ntwo\n", 2000);
        put_file("older", "not seen\n", 999);
    } else if (st_str_equal(*in, ST_STR("two"))) {
        put_file("last", "stop\n", 3000);
    } else if (st_str_equal(*in, ST_STR("stop"))) {
        st_fail(ctx, "stopped");
    }
}

START_TEST(a_changed_file_is_read_again)
{
    char path[128];
    make_base();
    put_file("file", "one\n", 1000);
    snprintf(path, sizeof path, "%s/in", base);
    st_env *env = st_env_new();
    st_sink(st_map(st_read_folder(env, path, ST_PROCESS_CONTINUOUSLY, 1), change), tell);
    story[0] = '\0';
    ck_assert_int_eq(st_execute(env, "changes"), ST_ERR_FAILED);
    ck_assert_ptr_nonnull(strstr(st_env_error(env), "stopped"));
    ck_assert_str_eq(story, "one one again two ");
    st_env_free(env);
    remove_base();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("folder");
    TCase *tc = tcase_create("folder");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, lines_come_out_of_any_pieces);
    tcase_add_test(tc, a_line_is_as_long_as_text_may_be);
    tcase_add_test(tc, files_come_in_the_order_of_their_times);
    tcase_add_test(tc, a_file_is_one_record);
    tcase_add_test(tc, a_file_has_a_bound);
    tcase_add_loop_test(tc, each_file_once_though_the_job_fails, 0, FILES + 1);
    tcase_add_test(tc, what_is_wrong_is_told);
    tcase_add_loop_test(tc, each_line_once_though_the_job_is_killed, 0, NUMBERS + 1);
    tcase_add_test(tc, a_changed_file_is_read_again);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
