/*
 * Which defect explains a violation: the answer is one of the run alone, and it is true.
 *
 * Runs of Kafka 2.8 in which chance violates several checks
 * (scenarios/campaigns/administrators.yaml). The searches for the checks of one run share what they
 * found out, and stop replays early; asked in any order, or each for itself, they must say the
 * same, and the replays to the end must bear it out.
 */
#define _POSIX_C_SOURCE 200809L
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/check_blame.h"
#include "sim/diagnostics.h"
#include "sim/world.h"

enum { SEEDS = 60, RUNS = 3, CHECKS = 3, UNTIL_US = 130000000 };

static struct sim_scenario *scenario;

static void set_up(void)
{
    static const char file[] = KC_SOURCE_DIR "/scenarios/campaigns/administrators.yaml";
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    scenario = sim_scenario_load(file, &d);
    ck_assert_ptr_nonnull(scenario);
    sim_diagnostics_free(&d);
    scenario->profile = sm_profile_of(SM_VERSION_2_8);
}

static void tear_down(void)
{
    sim_scenario_free(scenario);
}

/* Returns the checks that a run with just `defects` on violates, a bit each. */
static uint64_t violated(uint64_t seed, uint64_t defects)
{
    struct sim_scenario s = *scenario;
    struct sim_world_options options = sim_world_options_default();
    uint64_t set = 0;
    s.profile.defects = defects;
    options.seed = seed;
    options.checks = SIM_CHECKS_ON;
    options.trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    struct sim_world *w = sim_world_new(&options);
    sim_world_load(w, &s);
    sim_world_run(w, UNTIL_US);
    sim_world_checks_end(w);
    for (int i = 0; i < SIM_CHECK_END; i++)
        set |= (uint64_t)(sim_world_checked(w)->violations[i].count != 0) << i;
    sim_world_free(w);
    sim_trace_free(options.trace);
    return set;
}

/* Without the named ones the check holds; with any one of them on again it does not. */
static void bears_out(uint64_t seed, int check, uint64_t named)
{
    uint64_t on = scenario->profile.defects;
    ck_assert_uint_eq(violated(seed, on & ~named) >> check & 1, 0);
    for (uint64_t left = named; left != 0 && (named & (named - 1)) != 0; left &= left - 1)
        ck_assert_uint_eq(violated(seed, (on & ~named) | (left & -left)) >> check & 1, 1);
}

static void judge(uint64_t seed, uint64_t ill)
{
    struct sim_inquest *up = sim_inquest_new(scenario, seed, UNTIL_US);
    struct sim_inquest *down = sim_inquest_new(scenario, seed, UNTIL_US);
    struct sim_inquest *known = sim_inquest_new(scenario, seed, UNTIL_US);
    struct sim_blame answers[SIM_CHECK_END] = {0};
    for (int i = SIM_CHECK_END - 1; i >= 0; i--)
        if ((ill >> i & 1) != 0)
            answers[i] = sim_inquest_blame(down, (enum sim_check)i);
    for (int i = 0; i < SIM_CHECK_END; i++) {
        enum sim_check check = (enum sim_check)i;
        if ((ill >> i & 1) == 0)
            continue;
        struct sim_blame shared = sim_inquest_blame(up, check);
        struct sim_blame alone = sim_check_blame(scenario, seed, UNTIL_US, check);
        ck_assert_uint_ne(shared.defects, 0);
        ck_assert_uint_eq(shared.defects, alone.defects);
        ck_assert_uint_eq(shared.record, alone.record);
        ck_assert_uint_eq(shared.defects, answers[i].defects);
        ck_assert_uint_eq(shared.record, answers[i].record);
        ck_assert(sim_inquest_is_known(known, check));
        bears_out(seed, i, shared.defects);
    }
    sim_inquest_free(up);
    sim_inquest_free(down);
    sim_inquest_free(known);
}

START_TEST(the_answer_does_not_depend_on_what_was_asked_before)
{
    int runs = 0;
    for (uint64_t seed = 1; seed <= SEEDS && runs < RUNS; seed++) {
        uint64_t ill = violated(seed, scenario->profile.defects);
        if (__builtin_popcountll(ill) < CHECKS)
            continue;
        judge(seed, ill);
        runs++;
    }
    ck_assert_int_eq(runs, RUNS);
}
END_TEST

/* What a version without defects violates has no name. */
START_TEST(without_defects_nothing_is_known)
{
    scenario->profile.defects = 0;
    struct sim_inquest *q = sim_inquest_new(scenario, 1, UNTIL_US);
    ck_assert(!sim_inquest_is_known(q, SIM_CHECK_S3));
    ck_assert_uint_eq(sim_inquest_blame(q, SIM_CHECK_S3).defects, 0);
    sim_inquest_free(q);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("blame");
    TCase *tc = tcase_create("blame");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, the_answer_does_not_depend_on_what_was_asked_before);
    tcase_add_test(tc, without_defects_nothing_is_known);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
