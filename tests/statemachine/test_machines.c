/*
 * The two machines, every move of them.
 *
 * Each of the 49 + 16 moves is one test, named as Kafka names its own, and is run for every
 * version. What is expected is typed out below, as grids, so that the tables have somebody to
 * disagree with.
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "statemachine/partition_state.h"
#include "statemachine/replica_state.h"

enum { REPLICA_STATES = 7, PARTITION_STATES = 4 };

/* Rows are states left, columns states entered: New, Online, Offline, ReplicaDeletionStarted,
   ReplicaDeletionSuccessful, ReplicaDeletionIneligible, NonExistent. */
static const char *const replicas_2_8[REPLICA_STATES] = {
    "-xx----", /* NewReplica */
    "-xx----", /* OnlineReplica */
    "-xxx-x-", /* OfflineReplica */
    "----xx-", /* ReplicaDeletionStarted */
    "------x", /* ReplicaDeletionSuccessful */
    "-xx----", /* ReplicaDeletionIneligible */
    "x------", /* NonExistentReplica */
};

/* 0.8.2 and 0.9: a replica becomes ineligible only while its deletion is under way. */
static const char *const replicas_old[REPLICA_STATES] = {
    "-xx----", /* NewReplica */
    "-xx----", /* OnlineReplica */
    "-xxx---", /* OfflineReplica */
    "----xx-", /* ReplicaDeletionStarted */
    "------x", /* ReplicaDeletionSuccessful */
    "-xx----", /* ReplicaDeletionIneligible */
    "x------", /* NonExistentReplica */
};

/* New, Online, Offline, NonExistent; the same in every version. */
static const char *const partitions[PARTITION_STATES] = {
    "-xx-", /* NewPartition */
    "-xx-", /* OnlinePartition */
    "-xxx", /* OfflinePartition */
    "x---", /* NonExistentPartition */
};

static bool is_old(enum sm_version version)
{
    return version == SM_VERSION_0_9 || version == SM_VERSION_0_8_2;
}

/* Prints the name that Kafka's test of the move has. Kafka writes "Nonexistent" there. */
static void print_name(const char *from, const char *to, bool legal)
{
    const char *from_name = strncmp(from, "NonExistent", 11) == 0 ? "Nonexistent" : from;
    const char *to_name = strncmp(to, "NonExistent", 11) == 0 ? "Nonexistent" : to;
    const char *from_rest = from_name == from ? "" : from + 11;
    const char *to_rest = to_name == to ? "" : to + 11;
    printf("test%s%s%sTo%s%sTransition\n", legal ? "" : "Invalid", from_name, from_rest, to_name,
           to_rest);
}

/* Goal: each of the 49 moves of a replica is legal exactly where the grid of its version says so.
 */
START_TEST(a_replica_moves_as_kafka_says)
{
    int from = _i / REPLICA_STATES + 1, to = _i % REPLICA_STATES + 1;
    for (int version = SM_VERSION_NONE + 1; version < SM_VERSION_END; version++) {
        struct sm_profile profile = sm_profile_of((enum sm_version)version);
        const char *const *grid = is_old((enum sm_version)version) ? replicas_old : replicas_2_8;
        bool expected = grid[from - 1][to - 1] == 'x';
        bool legal =
            sm_replica_may_move(&profile, (enum sm_replica_state)from, (enum sm_replica_state)to);
        uint32_t predecessors = sm_replica_predecessors(&profile, (enum sm_replica_state)to);
        ck_assert_msg(legal == expected, "%s -> %s in %s",
                      sm_replica_state_name((enum sm_replica_state)from),
                      sm_replica_state_name((enum sm_replica_state)to),
                      sm_version_name((enum sm_version)version));
        ck_assert_int_eq((predecessors >> from & 1) != 0, expected);
        ck_assert_int_eq(predecessors & 1, 0);
        if (version == SM_VERSION_2_8)
            print_name(sm_replica_state_name((enum sm_replica_state)from),
                       sm_replica_state_name((enum sm_replica_state)to), legal);
    }
}
END_TEST

/* Goal: each of the 16 moves of a partition, likewise. */
START_TEST(a_partition_moves_as_kafka_says)
{
    int from = _i / PARTITION_STATES + 1, to = _i % PARTITION_STATES + 1;
    for (int version = SM_VERSION_NONE + 1; version < SM_VERSION_END; version++) {
        struct sm_profile profile = sm_profile_of((enum sm_version)version);
        bool expected = partitions[from - 1][to - 1] == 'x';
        bool legal = sm_partition_may_move(&profile, (enum sm_partition_state)from,
                                           (enum sm_partition_state)to);
        uint32_t predecessors = sm_partition_predecessors(&profile, (enum sm_partition_state)to);
        ck_assert_msg(legal == expected, "%s -> %s in %s",
                      sm_partition_state_name((enum sm_partition_state)from),
                      sm_partition_state_name((enum sm_partition_state)to),
                      sm_version_name((enum sm_version)version));
        ck_assert_int_eq((predecessors >> from & 1) != 0, expected);
        ck_assert_int_eq(predecessors & 1, 0);
        if (version == SM_VERSION_2_8)
            print_name(sm_partition_state_name((enum sm_partition_state)from),
                       sm_partition_state_name((enum sm_partition_state)to), legal);
    }
}
END_TEST

/* Goal: having no entry is the same as being in the NonExistent state, to leave it. */
START_TEST(no_entry_counts_as_non_existent)
{
    struct sm_profile profile = sm_profile_of(SM_VERSION_2_8);
    for (int to = 1; to < SM_REPLICA_STATE_END; to++)
        ck_assert_int_eq(
            sm_replica_may_move(&profile, SM_REPLICA_NONE, (enum sm_replica_state)to),
            sm_replica_may_move(&profile, SM_REPLICA_NONEXISTENT, (enum sm_replica_state)to));
    for (int to = 1; to < SM_PARTITION_STATE_END; to++)
        ck_assert_int_eq(
            sm_partition_may_move(&profile, SM_PARTITION_NONE, (enum sm_partition_state)to),
            sm_partition_may_move(&profile, SM_PARTITION_NONEXISTENT, (enum sm_partition_state)to));
    ck_assert_str_eq(sm_replica_state_name(SM_REPLICA_NONE), "NonExistentReplica");
    ck_assert_str_eq(sm_partition_state_name(SM_PARTITION_NONE), "NonExistentPartition");
}
END_TEST

/* Goal: "no entry" can be left but never entered; asking is a mistake of the caller. */
START_TEST(a_replica_cannot_enter_no_entry)
{
    struct sm_profile profile = sm_profile_of(SM_VERSION_2_8);
    sm_replica_may_move(&profile, SM_REPLICA_ONLINE, SM_REPLICA_NONE);
}
END_TEST

START_TEST(a_partition_cannot_enter_no_entry)
{
    struct sm_profile profile = sm_profile_of(SM_VERSION_2_8);
    sm_partition_may_move(&profile, SM_PARTITION_ONLINE, SM_PARTITION_NONE);
}
END_TEST

/* Goal: every state is found again by its name, has a meaning, and can be reached and left. */
START_TEST(states_have_names_and_meanings)
{
    struct sm_profile profile = sm_profile_of(SM_VERSION_2_8);
    for (int s = 1; s < SM_REPLICA_STATE_END; s++) {
        enum sm_replica_state state = (enum sm_replica_state)s;
        ck_assert_int_eq(sm_replica_state_named(sm_replica_state_name(state)), state);
        ck_assert_uint_gt(strlen(sm_replica_state_text(state)), 10);
        ck_assert_uint_ne(sm_replica_predecessors(&profile, state) & ~(1u << s), 0);
    }
    for (int s = 1; s < SM_PARTITION_STATE_END; s++) {
        enum sm_partition_state state = (enum sm_partition_state)s;
        ck_assert_int_eq(sm_partition_state_named(sm_partition_state_name(state)), state);
        ck_assert_uint_gt(strlen(sm_partition_state_text(state)), 10);
        ck_assert_uint_ne(sm_partition_predecessors(&profile, state) & ~(1u << s), 0);
    }
    ck_assert_int_eq(sm_replica_state_named("OnlineReplic"), SM_REPLICA_NONE);
    ck_assert_int_eq(sm_partition_state_named(""), SM_PARTITION_NONE);
}
END_TEST

/* Goal: profiles are what their header promises: 2.8-fixed has no defect, and what an older release
   repaired 2.8 has no more. */
START_TEST(profiles_differ_as_stated)
{
    struct sm_profile kafka = sm_profile_of(SM_VERSION_2_8);
    struct sm_profile fixed = sm_profile_of(SM_VERSION_2_8_FIXED);
    for (int d = 0; d < SM_DEFECT_END; d++) {
        enum sm_defect defect = (enum sm_defect)d;
        ck_assert(!sm_defect_on(&fixed, defect));
        ck_assert_uint_ge(strlen(sm_defect_versions(defect)), 3);
        ck_assert_int_eq(sm_defect_named(sm_defect_jira(defect)), defect);
        ck_assert_uint_gt(strlen(sm_defect_text(defect)), 10);
    }
    ck_assert(sm_defect_on(&kafka, SM_DEFECT_METADATA_SKIPPED));
    ck_assert(sm_defect_on(&kafka, SM_DEFECT_STRAY_REPLICA));
    ck_assert(!sm_defect_on(&kafka, SM_DEFECT_HW_TRUNCATION));
    ck_assert_uint_eq(kafka.rules, fixed.rules);
    ck_assert_int_eq(sm_defect_named("KAFKA-1"), SM_DEFECT_END);
    for (int rule = 0; rule < SM_RULE_END; rule++)
        ck_assert_uint_gt(strlen(sm_rule_name((enum sm_rule)rule)), 3);
    for (int v = SM_VERSION_NONE + 1; v < SM_VERSION_END; v++)
        ck_assert_int_eq(sm_version_named(sm_version_name((enum sm_version)v)), v);
    ck_assert_int_eq(sm_version_named("2.9"), SM_VERSION_NONE);
}
END_TEST

/* Goal: the rules that make the old versions old. */
START_TEST(old_profiles_lack_the_rules_of_2_8)
{
    struct sm_profile p09 = sm_profile_of(SM_VERSION_0_9), p082 = sm_profile_of(SM_VERSION_0_8_2);
    ck_assert(sm_rule_on(&p09, SM_RULE_ISR_NOTIFICATION));
    ck_assert(sm_rule_on(&p09, SM_RULE_METADATA_ON_FAILURE));
    ck_assert(!sm_rule_on(&p09, SM_RULE_FENCED_WRITES));
    ck_assert(!sm_rule_on(&p09, SM_RULE_OFFLINE_NEEDS_LEADERSHIP));
    ck_assert(sm_rule_on(&p082, SM_RULE_OFFLINE_NEEDS_LEADERSHIP));
    ck_assert(!sm_rule_on(&p082, SM_RULE_ISR_NOTIFICATION));
    ck_assert(!sm_rule_on(&p082, SM_RULE_METADATA_TO_ALL_ON_STARTUP));
}
END_TEST

/* The third column of the list of rules, by enumerator. */
static const char *const rule_versions[SM_RULE_END] = {
#define X(id, name, versions, text) [SM_RULE_##id] = versions,
    SM_RULE_MAP(X)
#undef X
};

/* Goal: a profile has the rules that the list of rules gives to its version, and no others. */
START_TEST(profiles_have_the_rules_that_the_list_gives_them)
{
    for (int v = SM_VERSION_NONE + 1; v < SM_VERSION_END; v++) {
        struct sm_profile profile = sm_profile_of((enum sm_version)v);
        const char *name = v == SM_VERSION_2_8_FIXED ? "2.8" : sm_version_name((enum sm_version)v);
        for (int r = 0; r < SM_RULE_END; r++) {
            bool listed = false;
            size_t size = strlen(name);
            for (const char *at = rule_versions[r]; *at != '\0'; at++) {
                bool begins = at == rule_versions[r] || at[-1] == ' ';
                bool ends = strncmp(at, name, size) == 0 && (at[size] == ',' || at[size] == '\0');
                listed = listed || (begins && ends);
            }
            ck_assert_msg(sm_rule_on(&profile, (enum sm_rule)r) == listed, "%s in %s",
                          sm_rule_name((enum sm_rule)r), sm_version_name((enum sm_version)v));
            ck_assert_uint_gt(strlen(sm_rule_text((enum sm_rule)r)), 10);
        }
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("machines");
    TCase *tc = tcase_create("moves");
    tcase_add_loop_test(tc, a_replica_moves_as_kafka_says, 0, REPLICA_STATES * REPLICA_STATES);
    tcase_add_loop_test(tc, a_partition_moves_as_kafka_says, 0,
                        PARTITION_STATES * PARTITION_STATES);
    tcase_add_test(tc, no_entry_counts_as_non_existent);
    tcase_add_test_raise_signal(tc, a_replica_cannot_enter_no_entry, SIGABRT);
    tcase_add_test_raise_signal(tc, a_partition_cannot_enter_no_entry, SIGABRT);
    tcase_add_test(tc, states_have_names_and_meanings);
    tcase_add_test(tc, profiles_differ_as_stated);
    tcase_add_test(tc, profiles_have_the_rules_that_the_list_gives_them);
    tcase_add_test(tc, old_profiles_lack_the_rules_of_2_8);
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
