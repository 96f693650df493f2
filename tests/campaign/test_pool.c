/*
 * Workers: every seed comes back once, whatever dies.
 */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/campaign_pool.h"

enum { SEEDS = 500, LIMIT_US = 300000 };

struct bench {
    uint64_t next_seed, stop_at;
    uint32_t came[SEEDS + 1];
    uint32_t crashed, stopped;
    struct sim_played last_crash;
    uint32_t done;
};

static bool next_block(void *context, struct cli_block *block)
{
    struct bench *b = context;
    *block = (struct cli_block){.file = 3};
    while (block->count < 7 && b->next_seed <= SEEDS)
        block->seeds[block->count++] = b->next_seed++;
    return block->count > 0;
}

static void done(void *context, const struct sim_played *p)
{
    struct bench *b = context;
    ck_assert_uint_ge(p->seed, 1);
    ck_assert_uint_le(p->seed, SEEDS);
    ck_assert_uint_eq(p->file, 3);
    b->came[p->seed]++;
    b->done++;
    if (p->exit == SIM_EXIT_SOFTWARE) {
        b->crashed++;
        b->last_crash = *p;
    } else if (sim_played_is_stopped(p)) {
        b->stopped++;
        ck_assert_str_eq(p->detail, "given up after 0.3 s of processor time");
    } else {
        ck_assert_uint_eq(p->digest, p->seed * 3);
    }
}

static bool tick(void *context)
{
    struct bench *b = context;
    return b->stop_at > 0 && b->done >= b->stop_at;
}

static void play_well(void *context, struct sim_played *p)
{
    (void)context;
    p->digest = p->seed * 3;
    p->records = 1;
}

/* 100 asserts, 200 is killed, 300 leaves, 301 (of the same block) does too. */
static void play_badly(void *context, struct sim_played *p)
{
    play_well(context, p);
    ck_assert_msg(getpid() != 0, "never");
    if (p->seed == 100) {
        static const char text[] = "first line\nx.c:1: f: Assertion `a < b' failed.\n";
        if (write(STDERR_FILENO, text, sizeof(text) - 1) > 0)
            abort();
    }
    if (p->seed == 200)
        raise(SIGKILL);
    if (p->seed == 300 || p->seed == 301)
        _exit(9);
}

/* 100 never ends, and neither does 101, of the same block. */
static void play_for_ever(void *context, struct sim_played *p)
{
    play_well(context, p);
    volatile bool goes_on = p->seed == 100 || p->seed == 101;
    while (goes_on)
        ;
}

static struct bench run(uint32_t jobs, void (*play)(void *, struct sim_played *), uint64_t stop_at)
{
    struct bench b = {.next_seed = 1, .stop_at = stop_at};
    struct cli_pool pool = {.context = &b,
                            .jobs = jobs,
                            .limit_us = LIMIT_US,
                            .play = play,
                            .next = next_block,
                            .done = done,
                            .tick = tick};
    ck_assert(cli_pool_run(&pool));
    return b;
}

START_TEST(every_seed_is_played_once)
{
    for (uint32_t jobs = 1; jobs <= 5; jobs++) {
        struct bench b = run(jobs, play_well, 0);
        for (uint64_t seed = 1; seed <= SEEDS; seed++)
            ck_assert_uint_eq(b.came[seed], 1);
        ck_assert_uint_eq(b.crashed, 0);
    }
}
END_TEST

START_TEST(a_crash_is_the_outcome_of_its_seed_alone)
{
    for (uint32_t jobs = 1; jobs <= 3; jobs++) {
        struct bench b = run(jobs, play_badly, 0);
        for (uint64_t seed = 1; seed <= SEEDS; seed++)
            ck_assert_uint_eq(b.came[seed], 1);
        ck_assert_uint_eq(b.crashed, 4);
    }
}
END_TEST

static void play_with_assertion(void *context, struct sim_played *p)
{
    play_badly(context, p);
    if (p->seed > 100)
        _exit(0);
}

START_TEST(what_a_worker_said_last_is_kept)
{
    struct bench b = run(1, play_with_assertion, 100);
    ck_assert_str_eq(b.last_crash.what, "crash (Aborted): x.c:1: f: Assertion `a < b' failed.");
    ck_assert_int_eq(b.last_crash.exit, SIM_EXIT_SOFTWARE);
}
END_TEST

START_TEST(a_seed_that_never_ends_is_stopped_alone)
{
    for (uint32_t jobs = 1; jobs <= 3; jobs++) {
        struct bench b = run(jobs, play_for_ever, 0);
        for (uint64_t seed = 1; seed <= SEEDS; seed++)
            ck_assert_uint_eq(b.came[seed], 1);
        ck_assert_uint_eq(b.crashed, 0);
        ck_assert_uint_eq(b.stopped, 2);
    }
}
END_TEST

START_TEST(a_stop_gives_up_what_is_left)
{
    struct bench b = run(2, play_well, 50);
    ck_assert_uint_ge(b.done, 50);
    ck_assert_uint_lt(b.done, SEEDS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("campaign pool");
    TCase *tc = tcase_create("pool");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, every_seed_is_played_once);
    tcase_add_test(tc, a_crash_is_the_outcome_of_its_seed_alone);
    tcase_add_test(tc, what_a_worker_said_last_is_kept);
    tcase_add_test(tc, a_seed_that_never_ends_is_stopped_alone);
    tcase_add_test(tc, a_stop_gives_up_what_is_left);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
