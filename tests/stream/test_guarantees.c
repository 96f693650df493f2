/*
 * At most once, at least once and exactly once, each shown by the job of examples/guarantee.c with
 * a failure at each place, and a checker that is shown to see loss and repetition: what it is given
 * has them planted, and the two lesser guarantees have to show them.
 */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "folder.h"
#include "once.h"
#include "stream/stream.h"

#define NUMBERS 60

int st_job(st_env *env, int argc, char **argv);

/* ---------------------------------------------------------------------------------- The checker */

static struct once_numbers all_but(int64_t expected, int64_t lost, int64_t repeated)
{
    struct once_numbers numbers = {0};
    for (int64_t n = 0; n < expected; n++) {
        int64_t other = (n * 7) % expected; /* in no order */
        if (other != lost) {
            once_add(&numbers, other);
        }
        if (other == repeated) {
            once_add(&numbers, other);
        }
    }
    return numbers;
}

START_TEST(the_checker_sees_what_is_planted)
{
    const int64_t expected = 50;
    for (int64_t at = -1; at < expected; at++) {
        struct once_numbers numbers = all_but(expected, at, -1);
        struct once once = once_count(&numbers, expected);
        ck_assert_int_eq(once.lost, at >= 0 ? 1 : 0);
        ck_assert_int_eq(once.first_lost, at);
        ck_assert_int_eq(once.repeated, 0);
        ck_assert_int_eq(once_exactly(&once), at < 0);
        once_free(&numbers);
        numbers = all_but(expected, -1, at);
        once = once_count(&numbers, expected);
        ck_assert_int_eq(once.repeated, at >= 0 ? 1 : 0);
        ck_assert_int_eq(once.first_repeated, at);
        ck_assert_int_eq(once.lost, 0);
        ck_assert_int_eq(once_exactly(&once), at < 0);
        once_free(&numbers);
        numbers = all_but(expected, at, (at + 9) % expected); /* as many as there should be */
        once = once_count(&numbers, expected);
        ck_assert_int_eq(once.lost + once.repeated, at >= 0 ? 2 : 1);
        once_free(&numbers);
    }
    struct once_numbers numbers = all_but(expected, -1, -1);
    once_add(&numbers, expected);
    struct once once = once_count(&numbers, expected);
    ck_assert_int_eq(once.foreign, 1);
    ck_assert(!once_exactly(&once));
    once_free(&numbers);
}
END_TEST

/* Files: half a line is no number, and hidden ones are not looked at. */
START_TEST(the_checker_reads_files)
{
    char folder[FOLDER_SIZE], path[64];
    folder_make(folder);
    static const char *const names[] = {"part-0-0", "part-1-0", ".part-0-1.inprogress", "part-2"};
    static const char *const texts[] = {"0\n2\n", "1\n", "1\n", "3"};
    for (int f = 0; f < 4; f++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[f]);
        FILE *file = fopen(path, "w");
        ck_assert(file != NULL && fputs(texts[f], file) >= 0 && fclose(file) == 0);
        struct once_numbers numbers = {0};
        once_add_folder(&numbers, folder, "part-");
        struct once once = once_count(&numbers, 3);
        ck_assert_int_eq(once.lost, f == 0 ? 1 : 0);
        ck_assert_int_eq(once.repeated, 0);
        ck_assert_int_eq(once.foreign, f == 3 ? 1 : 0);
        once_free(&numbers);
    }
    folder_remove(folder);
}
END_TEST

/* ------------------------------------------------------------------------------------- The jobs */

static struct once run(const char *guarantee, int64_t fail_at)
{
    char base[] = "/tmp/kcsim-guarantee-XXXXXX", folder[64], count[24], at[24], command[64];
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(folder, sizeof folder, "%s/out", base);
    snprintf(count, sizeof count, "%d", NUMBERS);
    snprintf(at, sizeof at, "%" PRId64, fail_at);
    const char *arguments[] = {"guarantee", "--guarantee", guarantee,   "--output", folder,
                               "--count",   count,         "--fail-at", at,         NULL};
    char *argv[10] = {0};
    for (int i = 0; i < 9; i++) {
        argv[i] = strdup(arguments[i]);
    }
    st_env *env = st_env_new();
    st_env_run_in_steps(env);
    ck_assert_int_eq(st_job(env, 9, argv), 0);
    ck_assert_msg(st_execute(env, "guarantee") == ST_OK, "%s", st_env_error(env));
    st_env_free(env);
    for (int i = 0; i < 9; i++) {
        free(argv[i]);
    }
    struct once_numbers numbers = {0};
    once_add_folder(&numbers, folder, "part-");
    struct once once = once_count(&numbers, NUMBERS);
    ck_assert_int_eq(once.foreign, 0);
    once_free(&numbers);
    snprintf(command, sizeof command, "rm -rf %s", base);
    ck_assert_int_eq(system(command), 0);
    return once;
}

static const char *const guarantees[] = {"at-most-once", "at-least-once", "exactly-once"};

START_TEST(a_guarantee_holds_wherever_the_job_fails)
{
    int64_t lost = 0, repeated = 0;
    for (int64_t at = -1; at < NUMBERS; at++) {
        struct once once = run(guarantees[_i], at);
        ck_assert_msg((_i == 0 || once.lost == 0) && (_i == 1 || once.repeated == 0),
                      "%s, failed at %" PRId64 ": %s", guarantees[_i], at, once_tell(&once));
        ck_assert(at >= 0 || once_exactly(&once)); /* without a failure they are all the same */
        lost += once.lost;
        repeated += once.repeated;
    }
    ck_assert_msg(_i == 0 ? lost >= NUMBERS : lost == 0, "%s: %" PRId64, guarantees[_i], lost);
    ck_assert_msg(_i == 1 ? repeated >= NUMBERS / 2 : repeated == 0, "%s: %" PRId64, guarantees[_i],
                  repeated);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guarantees");
    TCase *tc = tcase_create("guarantees");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, the_checker_sees_what_is_planted);
    tcase_add_test(tc, the_checker_reads_files);
    tcase_add_loop_test(tc, a_guarantee_holds_wherever_the_job_fails, 0, 3);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
