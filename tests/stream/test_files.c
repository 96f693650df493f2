/*
 * Files of st_write_files: when they are rolled, under which names they lie, and what is left of
 * jobs that were killed. (That no line is lost or twice, whenever one is, is shown in
 * test_two_phase.c.)
 */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "folder.h"
#include "once.h"
#include "stream/checkpoint.h"
#include "stream/stream.h"

#define NUMBERS 60
#define NEVER   (-1)

static char base[FOLDER_SIZE], output[FOLDER_SIZE + 8];

static void begin_test(void)
{
    folder_make_in_memory(base);
    snprintf(output, sizeof output, "%s/out", base);
}

static void end_test(void)
{
    folder_remove(base);
}

/* How many names of the folder begin with `prefix`. */
static int count_names(const char *prefix)
{
    int count = 0;
    DIR *dir = opendir(output);
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0 ? 1 : 0;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return count;
}

static void expect_file(const char *name, const char *expected)
{
    char path[96], text[256] = "";
    snprintf(path, sizeof path, "%s/%s", output, name);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "no %s", name);
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    ck_assert_str_eq(text, expected);
}

static struct once count_once(void)
{
    struct once_numbers numbers = {0};
    once_add_folder(&numbers, output, "part-");
    struct once once = once_count(&numbers, NUMBERS);
    once_free(&numbers);
    return once;
}

static void expect_each_once(void)
{
    struct once once = count_once();
    ck_assert_msg(once_exactly(&once), "%s", once_tell(&once));
}

static void put_file(const char *name, const char *text)
{
    char path[96];
    snprintf(path, sizeof path, "%s/%s", output, name);
    FILE *file = fopen(path, "w");
    ck_assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* ------------------------------------------------------------------------------------- The jobs */

static int64_t fail_at, die_at;

ST_FILTER(may_end, int64_t)
{
    if (*in == die_at) {
        _exit(9); /* with nothing tidied up */
    }
    if (*in == fail_at) {
        fail_at = NEVER;
        st_fail(ctx, "asked to");
    }
    return true;
}

/* How a job is begun. */
struct way {
    uint32_t parallelism;
    st_options limits;
    const char *checkpoints; /* folder in `base`; NULL: none */
    const char *from;        /* goes on from there; in `base` */
    bool two_sinks;
};

ST_FILTER(is_even, int64_t)
{
    return *in % 2 == 0;
}

ST_FILTER(is_odd, int64_t)
{
    return *in % 2 == 1;
}

static void set_folder(st_env *env, const char *key, const char *name)
{
    char path[96];
    snprintf(path, sizeof path, "%s/%s", base, name);
    ck_assert_int_eq(st_env_set(env, key, path), ST_OK);
}

/* A number in a millisecond, a checkpoint in seven. */
static st_env *build(const struct way *way)
{
    st_env *env = st_env_new();
    st_options limits = way->limits;
    limits.file = __FILE__;
    limits.line = __LINE__;
    st_env_run_in_steps(env);
    st_env_set_parallelism(env, way->parallelism);
    st_env_set(env, "restart-strategy.type", "fixed-delay");
    if (way->checkpoints != NULL) {
        st_env_set(env, "execution.checkpointing.interval", "7ms");
        st_env_set(env, "execution.checkpointing.num-retained", "100");
        set_folder(env, "execution.checkpointing.dir", way->checkpoints);
    }
    if (way->from != NULL) {
        set_folder(env, "execution.savepoint.path", way->from);
    }
    st_stream *s = st_filter(st_from_sequence(env, 0, NUMBERS - 1, .rate_per_s = 1000), may_end);
    if (way->two_sinks) {
        st_write_files_at(st_filter(s, is_even), output, &limits);
        st_write_files_at(st_filter(s, is_odd), output, &limits);
    } else {
        st_write_files_at(s, output, &limits);
    }
    return env;
}

static enum st_err run(const struct way *way, int64_t at_which_it_fails)
{
    fail_at = at_which_it_fails;
    die_at = NEVER;
    st_env *env = build(way);
    enum st_err err = st_execute(env, "files");
    if (err != ST_OK) {
        fputs(st_env_error(env), stderr);
    }
    st_env_free(env);
    return err;
}

/* In a process of its own, which ends on the spot at that number. */
static void run_to_death(const struct way *way, int64_t number)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        fail_at = NEVER;
        die_at = number;
        st_env *env = build(way);
        (void)st_execute(env, "files");
        _exit(1);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 9);
}

/* Where a job that died goes on; NULL: it had no checkpoint yet. */
static const char *goes_on(void)
{
    char checkpoints[96];
    snprintf(checkpoints, sizeof checkpoints, "%s/ck", base);
    return checkpoint_newest(checkpoints, CHECKPOINT) > 0 ? "ck" : NULL;
}

/* ---------------------------------------------------------------------------- When it is rolled */

/* As DefaultRollingPolicy has it: when it is larger, and another line comes. */
START_TEST(by_its_size)
{
    begin_test();
    st_env *env = st_env_new();
    st_write_files(st_from_sequence(env, 0, 9), output, .max_part_size = 7);
    ck_assert_int_eq(st_execute(env, "files"), ST_OK);
    st_env_free(env);
    expect_file("part-0-0", "0\n1\n2\n3\n");
    expect_file("part-0-1", "4\n5\n6\n7\n");
    expect_file("part-0-2", "8\n9\n");
    ck_assert_int_eq(count_names("part-") + count_names(".part-"), 3);
    end_test();
}
END_TEST

START_TEST(by_its_age)
{
    begin_test();
    ck_assert_int_eq(run(&(struct way){.parallelism = 1, .limits = {.rollover_ms = 20}}, NEVER),
                     ST_OK);
    ck_assert_int_eq(count_names("part-"), 3);
    expect_file("part-0-0",
                "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n");
    expect_each_once();
    end_test();
}
END_TEST

/* Three numbers each 50 ms. */
ST_SOURCE(in_bursts, int64_t)
{
    int64_t *next = ctx->self;
    for (int64_t end = *next + 3; st_now(ctx) >= end / 3 * 50 && *next < end; ++*next) {
        st_emit(out, next);
    }
    return *next < 12 ? ST_IDLE : ST_END;
}

START_TEST(when_nothing_comes)
{
    begin_test();
    st_env *env = st_env_new();
    st_env_run_in_steps(env);
    st_write_files(st_from_source(env, in_bursts, .self_size = 8), output, .inactivity_ms = 20);
    ck_assert_int_eq(st_execute(env, "files"), ST_OK);
    st_env_free(env);
    ck_assert_int_eq(count_names("part-"), 4);
    expect_file("part-0-0", "0\n1\n2\n");
    expect_file("part-0-3", "9\n10\n11\n");
    end_test();
}
END_TEST

/* Without limits at each checkpoint that has lines; with one not there. */
START_TEST(at_checkpoints_or_not)
{
    begin_test();
    struct way way = {.parallelism = 1, .checkpoints = "ck"};
    ck_assert_int_eq(run(&way, NEVER), ST_OK);
    ck_assert_int_ge(count_names("part-"), 8);
    expect_each_once();
    end_test();
    begin_test();
    way.limits.max_part_size = 1 << 20;
    ck_assert_int_eq(run(&way, NEVER), ST_OK);
    ck_assert_int_eq(count_names("part-"), 1);
    expect_each_once();
    end_test();
}
END_TEST

START_TEST(limits_are_of_files_and_not_negative)
{
    st_env *env = st_env_new();
    st_write_files(st_from_sequence(env, 0, 9), "out", .rollover_ms = -1);
    ck_assert_int_eq(st_execute(env, "files"), ST_ERR_GRAPH);
    ck_assert_ptr_nonnull(strstr(st_env_error(env), "are not negative"));
    st_env_free(env);
    env = st_env_new();
    st_write_files(st_from_sequence(env, 0, 9), "");
    ck_assert_int_eq(st_execute(env, "files"), ST_ERR_GRAPH);
    ck_assert_ptr_nonnull(strstr(st_env_error(env), "files need a folder"));
    st_env_free(env);
    env = st_env_new();
    st_print(st_from_sequence(env, 0, 9), .inactivity_ms = 1);
    ck_assert_int_eq(st_execute(env, "files"), ST_ERR_GRAPH);
    ck_assert_ptr_nonnull(strstr(st_env_error(env), "they are for st_write_files"));
    st_env_free(env);
}
END_TEST

/* ------------------------------------------------------------------------- What is on the disk */

static const struct way rolled = {
    .parallelism = 1, .limits = {.max_part_size = 11}, .checkpoints = "ck"};

/* Of a job that died behind its third checkpoint. */
START_TEST(a_name_tells_how_far_a_file_is)
{
    begin_test();
    run_to_death(&rolled, 27);
    ck_assert_int_eq(count_names("part-0-"), 4);
    ck_assert_int_eq(count_names(".part-0-4.pending."), 1);
    ck_assert_int_eq(count_names(".part-0-5.inprogress."), 1);
    ck_assert_int_eq(count_names(".part-"), 2);
    char command[256];
    snprintf(command, sizeof command, "cd %s && for f in .part-*; do cp $f $f.copy; done", output);
    ck_assert_int_eq(system(command), 0);
    struct way again = rolled;
    again.from = "ck";
    ck_assert_int_eq(run(&again, NEVER), ST_OK);
    expect_each_once();
    ck_assert_int_eq(count_names(".part-"), 2); /* the copies: such names are not ours */
    end_test();
}
END_TEST

/* The in-progress file is taken on, and those of more subtasks than there are now. */
START_TEST(files_are_taken_on_at_another_parallelism)
{
    static const uint32_t parallelisms[][2] = {{3, 2}, {2, 3}, {4, 1}, {1, 4}};
    for (int limit = 0; limit < 3; limit++) {
        for (int64_t at = 0; at < NUMBERS; at += 11) {
            begin_test();
            struct way way = {.parallelism = parallelisms[_i][0], .checkpoints = "ck"};
            way.limits.max_part_size = limit == 0 ? 0 : limit == 1 ? 5 : 1000;
            run_to_death(&way, at);
            way.parallelism = parallelisms[_i][1];
            way.from = goes_on();
            ck_assert_int_eq(run(&way, NEVER), ST_OK);
            expect_each_once();
            ck_assert(way.from == NULL || count_names(".part-") == 0);
            end_test();
        }
    }
}
END_TEST

START_TEST(a_job_that_begins_again_leaves_nothing)
{
    for (int64_t at = 0; at < NUMBERS; at++) {
        begin_test();
        struct way way = {.parallelism = 2};
        way.limits.max_part_size = at % 2 == 0 ? 5 : 0;
        way.checkpoints = at % 3 == 0 ? NULL : "ck";
        ck_assert_int_eq(run(&way, at), ST_OK);
        expect_each_once();
        ck_assert_int_eq(count_names(".part-"), 0);
        end_test();
    }
}
END_TEST

/* Its checkpoints may ask for them still. */
START_TEST(what_an_earlier_run_left_stays_when_a_job_begins_anew)
{
    begin_test();
    run_to_death(&rolled, 27);
    struct way anew = rolled;
    anew.checkpoints = "others";
    ck_assert_int_eq(run(&anew, NEVER), ST_OK);
    ck_assert_int_eq(count_names(".part-"), 2);
    struct way again = rolled;
    again.from = "ck";
    ck_assert_int_eq(run(&again, NEVER), ST_OK);
    ck_assert_int_eq(count_names(".part-"), 0);
    struct once once = count_once();
    ck_assert(once.lost == 0 && once.repeated == NUMBERS); /* by two jobs, each once */
    end_test();
}
END_TEST

/* Who goes on with another job's checkpoint takes on its files, and removes none. */
START_TEST(what_another_job_left_stays)
{
    begin_test();
    run_to_death(&rolled, 27);
    put_file(".part-0-9.inprogress.00000000000000aa", "another's\n");
    put_file(".part-0-8.pending", "none of ours\n");
    struct way other = rolled;
    other.from = "ck";
    other.checkpoints = "others";
    ck_assert_int_eq(run(&other, NEVER), ST_OK);
    expect_each_once();
    ck_assert_int_eq(count_names(".part-0-5.inprogress."), 1); /* made behind the checkpoint */
    expect_file(".part-0-9.inprogress.00000000000000aa", "another's\n");
    expect_file(".part-0-8.pending", "none of ours\n");
    ck_assert_int_eq(count_names("part-0-10"), 1); /* numbers are above all that are there */
    end_test();
}
END_TEST

START_TEST(two_sinks_may_share_a_folder)
{
    for (int64_t at = 1; at < NUMBERS; at += 3) {
        begin_test();
        struct way way = {.parallelism = 2, .checkpoints = "ck", .two_sinks = true};
        way.limits.max_part_size = at % 2 == 0 ? 5 : 0;
        run_to_death(&way, at);
        way.from = goes_on();
        ck_assert_int_eq(run(&way, at / 2), ST_OK);
        expect_each_once();
        ck_assert(way.from == NULL || count_names(".part-") == 0);
        end_test();
    }
}
END_TEST

START_TEST(checkpoints_may_lie_among_the_files)
{
    begin_test();
    struct way way = {.parallelism = 1, .checkpoints = "out"};
    run_to_death(&way, NUMBERS / 2);
    way.from = "out";
    ck_assert_int_eq(run(&way, NUMBERS - 5), ST_OK);
    expect_each_once();
    ck_assert_int_eq(count_names(".part-"), 0);
    end_test();
}
END_TEST

/* What later checkpoints have committed comes again; nothing is lost. */
START_TEST(an_older_checkpoint_may_be_gone_on_from)
{
    begin_test();
    run_to_death(&rolled, 55);
    struct way again = rolled;
    again.from = "ck/chk-2";
    ck_assert_int_eq(run(&again, NEVER), ST_OK);
    struct once once = count_once();
    ck_assert_int_eq(once.lost + once.foreign, 0);
    ck_assert_int_gt(once.repeated, 20);
    ck_assert_int_lt(once.repeated, 50);
    ck_assert_int_eq(count_names(".part-"), 0);
    end_test();
}
END_TEST

START_TEST(a_file_that_is_written_to_is_not_taken_from_its_writer)
{
    begin_test();
    struct way way = {.parallelism = 1, .limits = {.max_part_size = 1000}, .checkpoints = "ck"};
    run_to_death(&way, 27);
    char command[128], path[96] = "";
    snprintf(command, sizeof command, "ls %s/.part-0-0.inprogress.*", output);
    FILE *names = popen(command, "r");
    ck_assert_ptr_nonnull(fgets(path, sizeof path, names));
    pclose(names);
    path[strcspn(path, "\n")] = '\0';
    int file = open(path, O_RDONLY);
    ck_assert_int_eq(flock(file, LOCK_EX), 0);
    way.from = "ck";
    ck_assert_int_eq(run(&way, NEVER), ST_ERR_FAILED);
    close(file);
    ck_assert_int_eq(run(&way, NEVER), ST_OK);
    expect_each_once();
    end_test();
}
END_TEST

/* Or has got something else: who went on from an older checkpoint may have put it there. */
START_TEST(a_file_that_has_lost_something_is_told)
{
    static const char *const how[] = {"truncate -s 5 %s/.part-0-0.inprogress.*",
                                      "sed -i 's/^1$/7/' %s/.part-0-0.inprogress.*"};
    begin_test();
    struct way way = {.parallelism = 1, .limits = {.max_part_size = 1000}, .checkpoints = "ck"};
    run_to_death(&way, 27);
    char command[128];
    snprintf(command, sizeof command, how[_i], output);
    ck_assert_int_eq(system(command), 0);
    way.from = "ck";
    ck_assert_int_eq(run(&way, NEVER), ST_ERR_FAILED);
    end_test();
}
END_TEST

/* What reads the files may take them away, at any time. */
START_TEST(committed_files_may_be_taken_away)
{
    begin_test();
    struct way way = {.parallelism = 1, .checkpoints = "ck"};
    run_to_death(&way, 40);
    char command[128];
    snprintf(command, sizeof command, "rm %s/part-*", output);
    ck_assert_int_eq(system(command), 0);
    way.from = "ck";
    ck_assert_int_eq(run(&way, NEVER), ST_OK);
    struct once once = count_once();
    ck_assert_int_eq(once.repeated + once.foreign, 0);
    ck_assert_int_ge(NUMBERS - once.lost, NUMBERS - 40);
    end_test();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("files");
    TCase *tc = tcase_create("files");
    tcase_set_timeout(tc, 200);
    tcase_add_test(tc, by_its_size);
    tcase_add_test(tc, by_its_age);
    tcase_add_test(tc, when_nothing_comes);
    tcase_add_test(tc, at_checkpoints_or_not);
    tcase_add_test(tc, limits_are_of_files_and_not_negative);
    tcase_add_test(tc, a_name_tells_how_far_a_file_is);
    tcase_add_loop_test(tc, files_are_taken_on_at_another_parallelism, 0, 4);
    tcase_add_test(tc, a_job_that_begins_again_leaves_nothing);
    tcase_add_test(tc, what_an_earlier_run_left_stays_when_a_job_begins_anew);
    tcase_add_test(tc, what_another_job_left_stays);
    tcase_add_test(tc, two_sinks_may_share_a_folder);
    tcase_add_test(tc, checkpoints_may_lie_among_the_files);
    tcase_add_test(tc, an_older_checkpoint_may_be_gone_on_from);
    tcase_add_test(tc, a_file_that_is_written_to_is_not_taken_from_its_writer);
    tcase_add_loop_test(tc, a_file_that_has_lost_something_is_told, 0, 2);
    tcase_add_test(tc, committed_files_may_be_taken_away);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
