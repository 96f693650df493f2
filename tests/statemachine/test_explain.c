/*
 * What is printed about the machines is what the tables say.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "statemachine/explain.h"
#include "statemachine/partition_state.h"
#include "statemachine/replica_state.h"

struct page {
    char text[32768];
    size_t size;
};

static void put(void *ctx, const char *bytes, size_t size)
{
    struct page *page = ctx;
    ck_assert_uint_lt(page->size + size, sizeof page->text);
    memcpy(page->text + page->size, bytes, size);
    page->size += size;
    page->text[page->size] = '\0';
}

static int occurrences(const char *text, const char *word)
{
    int count = 0;
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
        count++;
    return count;
}

static int legal_moves(enum sm_machine machine, const struct sm_profile *profile)
{
    int count = 0;
    if (machine == SM_MACHINE_REPLICA)
        for (int to = 1; to < SM_REPLICA_STATE_END; to++)
            count +=
                __builtin_popcount(sm_replica_predecessors(profile, (enum sm_replica_state)to));
    else
        for (int to = 1; to < SM_PARTITION_STATE_END; to++)
            count +=
                __builtin_popcount(sm_partition_predecessors(profile, (enum sm_partition_state)to));
    return count;
}

/* Goal: one tick, one arrow, for each legal move, in every version and both machines. */
START_TEST(every_legal_move_is_printed_once)
{
    for (int m = SM_MACHINE_NONE + 1; m < SM_MACHINE_END; m++) {
        for (int v = SM_VERSION_NONE + 1; v < SM_VERSION_END; v++) {
            enum sm_machine machine = (enum sm_machine)m;
            struct sm_profile profile = sm_profile_of((enum sm_version)v);
            struct page markdown = {0}, svg = {0};
            int moves = legal_moves(machine, &profile);
            sm_explain_markdown(machine, &profile, &(struct sm_sink){.put = put, .ctx = &markdown});
            sm_explain_svg(machine, &profile, &(struct sm_sink){.put = put, .ctx = &svg});
            ck_assert_int_eq(occurrences(markdown.text, " ✓ |"), moves);
            ck_assert_int_eq(occurrences(svg.text, "class=\"move\""), moves);
            ck_assert_int_eq(occurrences(svg.text, "<g class=\"state "),
                             machine == SM_MACHINE_REPLICA ? 7 : 4);
            ck_assert_int_eq(occurrences(svg.text, "</svg>"), 1);
        }
    }
}
END_TEST

/* Goal: the one move in which the versions differ is named. */
START_TEST(the_difference_of_the_versions_is_named)
{
    struct page page = {0};
    struct sm_profile profile = sm_profile_of(SM_VERSION_0_8_2);
    sm_explain_markdown(SM_MACHINE_REPLICA, &profile, &(struct sm_sink){.put = put, .ctx = &page});
    ck_assert_int_eq(occurrences(page.text, "in these versions only: 2.8, 2.8-fixed."), 1);
    page.size = 0;
    sm_explain_markdown(SM_MACHINE_PARTITION, &profile,
                        &(struct sm_sink){.put = put, .ctx = &page});
    ck_assert_int_eq(occurrences(page.text, "versions only"), 0);
}
END_TEST

static void read_picture(const char *name, struct page *page)
{
    char path[512];
    snprintf(path, sizeof path, "%s/statemachine/%s.svg", KC_SOURCE_DIR, name);
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    page->size = fread(page->text, 1, sizeof page->text - 1, file);
    page->text[page->size] = '\0';
    fclose(file);
}

/* Goal: the pictures that the README shows are what the tables give today. If this fails, print
   them again: kcsim explain ReplicaStateMachine --format svg >statemachine/ReplicaStateMachine.svg
 */
START_TEST(the_pictures_of_the_readme_are_up_to_date)
{
    struct sm_profile profile = sm_profile_of(SM_VERSION_2_8);
    for (int m = SM_MACHINE_NONE + 1; m < SM_MACHINE_END; m++) {
        struct page today = {0}, kept = {0};
        sm_explain_svg((enum sm_machine)m, &profile, &(struct sm_sink){.put = put, .ctx = &today});
        read_picture(sm_machine_name((enum sm_machine)m), &kept);
        ck_assert_str_eq(today.text, kept.text);
    }
}
END_TEST

/* Goal: machines are found by Kafka's names. */
START_TEST(machines_have_names)
{
    ck_assert_int_eq(sm_machine_named("ReplicaStateMachine"), SM_MACHINE_REPLICA);
    ck_assert_int_eq(sm_machine_named("PartitionStateMachine"), SM_MACHINE_PARTITION);
    ck_assert_int_eq(sm_machine_named("replica"), SM_MACHINE_NONE);
    ck_assert_str_eq(sm_machine_name(SM_MACHINE_REPLICA), "ReplicaStateMachine");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("explain");
    TCase *tc = tcase_create("explain");
    tcase_add_test(tc, every_legal_move_is_printed_once);
    tcase_add_test(tc, the_difference_of_the_versions_is_named);
    tcase_add_test(tc, the_pictures_of_the_readme_are_up_to_date);
    tcase_add_test(tc, machines_have_names);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
