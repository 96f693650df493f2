/*
 * Checkpoint directories: a damaged checkpoint, whatever byte is damaged, is told and the one
 * before it is used; what a reader is given never makes it read beyond the end; savepoints of
 * several jobs in one folder.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stream/stored_files.h"
#include "stream/checkpoint.h"

static char dir[64];

/* In memory where there is such a folder: some thousand are written and forced to the disk. */
static void make_dir(void)
{
    snprintf(dir, sizeof dir, "%s/kcsim-checkpoint-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

/* Returns the number of its name. */
static int64_t write_at(const char *kind, int64_t id, int64_t time_ms)
{
    char why[256];
    struct bytes a = {0}, b = {0};
    size_t began = section_begin(&a, "0:source", 0, 1, 17);
    bytes_i64(&a, id * 100);
    section_end(&a, began);
    began = section_begin(&b, "1:sum", 0, 1, -5);
    bytes_text(&b, "some state");
    section_end(&b, began);
    const struct bytes *parts[] = {&a, &b};
    struct stored_files none = {0};
    struct checkpoint_draft what = {.dir = dir,
                                    .kind = kind,
                                    .id = id,
                                    .time_ms = time_ms,
                                    .max_parallelism = 128,
                                    .tasks = parts,
                                    .count = 2};
    ck_assert_msg(checkpoint_write(&what, &none, why) && checkpoint_complete(&what, &none, why),
                  "%s", why);
    bytes_free(&a);
    bytes_free(&b);
    return what.number;
}

static void write_one(const char *kind, int64_t id)
{
    write_at(kind, id, id * 1000);
}

static void write_checkpoint(int64_t id)
{
    write_one(CHECKPOINT, id);
}

static void expect(const struct checkpoint *c, int64_t id)
{
    ck_assert_ptr_nonnull(c);
    ck_assert_int_eq(c->id, id);
    ck_assert_int_eq(c->time_ms, id * 1000);
    ck_assert_uint_eq(c->section_count, 2);
    ck_assert(st_str_equal(c->sections[0].uid, ST_STR("0:source")));
    ck_assert_int_eq(c->sections[0].watermark, 17);
    struct reader r = c->sections[0].state;
    ck_assert_int_eq(read_i64(&r), id * 100);
    ck_assert(!r.bad);
}

START_TEST(what_was_written_is_read)
{
    char why[256];
    make_dir();
    write_checkpoint(3);
    write_checkpoint(12);
    struct checkpoint *c = checkpoint_load(dir, why);
    expect(c, 12);
    checkpoint_free(c);
    checkpoint_prune(dir, 0, 12);
    ck_assert_int_eq(checkpoint_newest(dir, CHECKPOINT), 12);
    char one[128];
    snprintf(one, sizeof one, "%s/chk-3", dir);
    ck_assert_ptr_null(checkpoint_load(one, why));
    remove_dir();
}
END_TEST

/* Calls `damage` for each byte of each file of the newer checkpoint, in turn. */
static void damage_each(void (*damage)(const char *path, long at))
{
    static const char *const files[] = {"_metadata", "task-0", "task-1"};
    char path[256], why[256];
    for (int f = 0; f < 3; f++) {
        long size = 1;
        for (long at = 0; at < size; at++) {
            struct stat stat_of;
            make_dir();
            write_checkpoint(1);
            write_checkpoint(2);
            snprintf(path, sizeof path, "%s/chk-2/%s", dir, files[f]);
            ck_assert_int_eq(stat(path, &stat_of), 0);
            size = (long)stat_of.st_size;
            damage(path, at);
            struct checkpoint *c = checkpoint_load(dir, why);
            ck_assert_msg(c != NULL && c->id == 1, "%s, byte %ld", files[f], at);
            expect(c, 1);
            checkpoint_free(c);
            snprintf(path, sizeof path, "%s/chk-2", dir);
            ck_assert_ptr_null(checkpoint_load(path, why));
            remove_dir();
        }
    }
}

static void flip(const char *path, long at)
{
    FILE *file = fopen(path, "r+");
    ck_assert_ptr_nonnull(file);
    fseek(file, at, SEEK_SET);
    int c = fgetc(file);
    fseek(file, at, SEEK_SET);
    fputc(c ^ (1 << at % 8), file);
    fclose(file);
}

static void cut(const char *path, long at)
{
    ck_assert_int_eq(truncate(path, at), 0);
}

START_TEST(a_flipped_bit_is_found_and_the_checkpoint_before_used)
{
    damage_each(flip);
}
END_TEST

START_TEST(a_file_cut_anywhere_is_found_and_the_checkpoint_before_used)
{
    damage_each(cut);
}
END_TEST

START_TEST(a_half_written_checkpoint_is_none)
{
    char from[128], to[128], why[256];
    make_dir();
    write_checkpoint(1);
    write_checkpoint(2);
    snprintf(from, sizeof from, "%s/chk-2", dir);
    snprintf(to, sizeof to, "%s/chk-2.part", dir);
    ck_assert_int_eq(rename(from, to), 0);
    struct checkpoint *c = checkpoint_load(dir, why);
    expect(c, 1);
    checkpoint_free(c);
    checkpoint_prune(dir, 0, 0);
    ck_assert_int_ne(access(to, F_OK), 0);
    remove_dir();
}
END_TEST

/* What a job that was stopped has committed is in its savepoint, not in the checkpoints before. */
START_TEST(the_newest_of_checkpoints_and_savepoints_is_used)
{
    char path[256], why[256];
    make_dir();
    write_checkpoint(2);
    write_one(SAVEPOINT, 3);
    struct checkpoint *c = checkpoint_load(dir, why);
    expect(c, 3);
    ck_assert_str_eq(why, "");
    checkpoint_free(c);
    snprintf(path, sizeof path, "%s/savepoint-3/task-0", dir);
    flip(path, 20);
    c = checkpoint_load(dir, why);
    expect(c, 2);
    ck_assert_ptr_nonnull(strstr(why, "savepoint-3/task-0 is damaged"));
    checkpoint_free(c);
    write_checkpoint(10);
    c = checkpoint_load(dir, why);
    expect(c, 10);
    checkpoint_free(c);
    remove_dir();
    make_dir();
    write_one(SAVEPOINT, 4);
    c = checkpoint_load(dir, why);
    expect(c, 4);
    checkpoint_free(c);
    remove_dir();
    make_dir();
    ck_assert_ptr_null(checkpoint_load(dir, why));
    ck_assert_ptr_nonnull(strstr(why, "there is no checkpoint"));
    remove_dir();
}
END_TEST

START_TEST(a_time_that_no_clock_can_go_on_from_is_damage)
{
    char why[256];
    make_dir();
    write_checkpoint(1);
    write_at(CHECKPOINT, 2, -1);
    write_at(CHECKPOINT, 3, INT64_MAX);
    struct checkpoint *c = checkpoint_load(dir, why);
    expect(c, 1);
    ck_assert_ptr_nonnull(strstr(why, "chk-2: _metadata is damaged"));
    checkpoint_free(c);
    remove_dir();
}
END_TEST

START_TEST(checkpoints_of_runs_before_are_not_removed)
{
    char path[256];
    make_dir();
    for (int64_t id = 1; id <= 6; id++) {
        write_checkpoint(id);
    }
    checkpoint_prune(dir, 3, 6);
    for (int id = 1; id <= 6; id++) {
        snprintf(path, sizeof path, "%s/chk-%d", dir, id);
        ck_assert_int_eq(access(path, F_OK) == 0, id <= 3 || id == 6);
    }
    remove_dir();
}
END_TEST

static void make_file(const char *path, const char *text)
{
    FILE *to = fopen(path, "w");
    ck_assert_ptr_nonnull(to);
    fputs(text, to);
    fclose(to);
}

/* A database of the files one.sst (7 bytes) and CURRENT (4), and behind the first checkpoint of
 * two.sst (3). Returns the size of checkpoint `id`. */
static struct checkpoint_size write_with_files(struct stored_files *stored, int64_t id)
{
    char path[128], why[256];
    struct bytes part = {0};
    struct stored_files now = {0};
    const struct bytes *parts[] = {&part};
    struct checkpoint_draft what = {.dir = dir,
                                    .kind = CHECKPOINT,
                                    .id = id,
                                    .max_parallelism = 128,
                                    .tasks = parts,
                                    .count = 1,
                                    .stored = stored};
    bytes_put(&part, "state", 5);
    snprintf(path, sizeof path, "%s/attached-%ld", dir, (long)id);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    bytes_attach(&part, path, "db-");
    static const char *const names[] = {"one.sst", "two.sst"};
    for (int64_t f = 0; f < id; f++) {
        char from[128], to[160];
        snprintf(from, sizeof from, "%s/database/%s", dir, names[f]);
        snprintf(to, sizeof to, "%s/%s", path, names[f]);
        ck_assert_int_eq(link(from, to), 0);
    }
    char current[160];
    snprintf(current, sizeof current, "%s/CURRENT", path);
    make_file(current, "here");
    ck_assert_msg(checkpoint_write(&what, &now, why), "%s", why);
    struct checkpoint_size size = checkpoint_size(&what, &now);
    ck_assert_msg(checkpoint_complete(&what, &now, why), "%s", why);
    bytes_free(&part);
    return size;
}

START_TEST(its_size_is_what_was_written_and_what_it_shares)
{
    char path[128];
    struct stored_files stored = {0};
    make_dir();
    snprintf(path, sizeof path, "%s/database", dir);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/database/one.sst", dir);
    make_file(path, "sorted!");
    snprintf(path, sizeof path, "%s/database/two.sst", dir);
    make_file(path, "too");
    struct checkpoint_size size = write_with_files(&stored, 1);
    ck_assert_int_eq(size.written, 5 + 7 + 4);
    ck_assert_int_eq(size.full, 5 + 7 + 4);
    size = write_with_files(&stored, 2);
    ck_assert_int_eq(size.written, 5 + 3 + 4); /* one.sst is there */
    ck_assert_int_eq(size.full, 5 + 7 + 3 + 4);
    stored_files_free(&stored);
    remove_dir();
}
END_TEST

/* --------------------------------------------------------- Savepoints of several jobs at once */

enum { JOBS = 4, SAVEPOINTS = 50 };

/* A job's savepoints, whose times say whose they are; their names' numbers into `to`. */
static void save_often(int64_t job, int to)
{
    for (int64_t id = 1; id <= SAVEPOINTS; id++) {
        int64_t number = write_at(SAVEPOINT, id, job * 1000 + id);
        ck_assert_int_ge(number, id);
        ck_assert_int_eq(write(to, &number, sizeof number), sizeof number);
    }
}

static void expect_saved(int64_t number, int64_t job, int64_t id)
{
    char path[128], why[256];
    snprintf(path, sizeof path, "%s/savepoint-%ld", dir, (long)number);
    struct checkpoint *c = checkpoint_load(path, why);
    ck_assert_msg(c != NULL, "%s", why);
    ck_assert_int_eq(c->id, id);
    ck_assert_int_eq(c->time_ms, job * 1000 + id);
    checkpoint_free(c);
}

START_TEST(savepoints_of_several_jobs_in_one_folder_are_all_there)
{
    int pipes[JOBS][2];
    make_dir();
    for (int job = 0; job < JOBS; job++) {
        ck_assert_int_eq(pipe(pipes[job]), 0);
        if (check_fork() == 0) {
            save_often(job, pipes[job][1]);
            _exit(0);
        }
        close(pipes[job][1]);
    }
    for (int status; wait(&status) > 0;) {
        ck_assert_int_eq(status, 0);
    }
    for (int job = 0; job < JOBS; job++) {
        for (int64_t id = 1, number; id <= SAVEPOINTS; id++) {
            ck_assert_int_eq(read(pipes[job][0], &number, sizeof number), sizeof number);
            expect_saved(number, job, id);
        }
        close(pipes[job][0]);
    }
    remove_dir();
}
END_TEST

/* What another job has begun there, or has left, is neither written to nor removed. */
START_TEST(an_unfinished_savepoint_of_another_job_is_let_be)
{
    char theirs[128], path[160], why[256];
    make_dir();
    snprintf(theirs, sizeof theirs, "%s/savepoint-2.part", dir);
    snprintf(path, sizeof path, "%s/task-0", theirs);
    ck_assert_int_eq(mkdir(theirs, 0700), 0);
    make_file(path, "theirs");
    ck_assert_int_eq(write_at(SAVEPOINT, 1, 1), 1);
    ck_assert_int_eq(write_at(SAVEPOINT, 1, 1), 3);
    ck_assert_int_eq(checkpoint_newest(dir, SAVEPOINT), 3);
    struct stored_files none = {0};
    struct checkpoint_draft what = {.dir = dir, .kind = SAVEPOINT, .id = 2};
    checkpoint_discard(&what, &none); /* not begun */
    ck_assert_msg(checkpoint_write(&what, &none, why), "%s", why);
    ck_assert_int_eq(checkpoint_newest_taken(dir, SAVEPOINT), 4);
    checkpoint_discard(&what, &none);
    ck_assert_int_eq(checkpoint_newest_taken(dir, SAVEPOINT), 3);
    struct stat stat_of;
    ck_assert_int_eq(stat(path, &stat_of), 0);
    ck_assert_int_eq(stat_of.st_size, 6);
    snprintf(path, sizeof path, "%s/_metadata", theirs);
    ck_assert_int_ne(access(path, F_OK), 0);
    remove_dir();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("checkpoints");
    TCase *tc = tcase_create("directory");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, what_was_written_is_read);
    tcase_add_test(tc, its_size_is_what_was_written_and_what_it_shares);
    tcase_add_test(tc, a_flipped_bit_is_found_and_the_checkpoint_before_used);
    tcase_add_test(tc, a_file_cut_anywhere_is_found_and_the_checkpoint_before_used);
    tcase_add_test(tc, a_half_written_checkpoint_is_none);
    tcase_add_test(tc, the_newest_of_checkpoints_and_savepoints_is_used);
    tcase_add_test(tc, a_time_that_no_clock_can_go_on_from_is_damage);
    tcase_add_test(tc, checkpoints_of_runs_before_are_not_removed);
    tcase_add_test(tc, savepoints_of_several_jobs_in_one_folder_are_all_there);
    tcase_add_test(tc, an_unfinished_savepoint_of_another_job_is_let_be);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
