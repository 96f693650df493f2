/*
 * The group coordinator, path by path.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/broker/group_desk.h"

static const char *id_of(const struct desk *d, uint64_t call)
{
    const struct wire_join_group_response *r = desk_joined(d, call);
    ck_assert(r != NULL);
    return wire_text(r, r->member_id);
}
static int32_t join_error(const struct desk *d, uint64_t call)
{
    ck_assert(desk_joined(d, call) != NULL);
    return desk_joined(d, call)->error_code;
}
static const char *assigned(const struct desk *d, uint64_t call)
{
    const struct wire_sync_group_response *r = desk_synced(d, call);
    static char text[64];

    ck_assert(r != NULL);
    ck_assert_int_eq(r->error_code, 0);
    memset(text, 0, sizeof text);
    if (r->assignment.size > 0) {
        memcpy(text, wire_data(r, r->assignment), (size_t)r->assignment.size);
    }
    return text;
}

/* A stable group "g" of one dynamic member; its id. */
static const char *stable_one(struct desk *d)
{
    uint64_t call = desk_join(d, (struct desk_join){.group = "g"});
    ck_assert_int_eq(join_error(d, call), WIRE_ERROR_MEMBER_ID_REQUIRED);
    const char *id = id_of(d, call);
    call = desk_join(d, (struct desk_join){.group = "g", .member = id});
    ck_assert(desk_joined(d, call) == NULL);
    desk_pass(d, 3000);
    ck_assert_int_eq(desk_joined(d, call)->generation_id, 1);
    ck_assert_str_eq(wire_text(desk_joined(d, call), desk_joined(d, call)->leader), id);
    call = desk_sync(d, "g", id, 1, NULL, (const char *[]){id, "all", NULL});
    ck_assert_str_eq(assigned(d, call), "all");
    ck_assert_str_eq(desk_state(d, "g"), "Stable");
    return id;
}

/* Goal: the first join asks for an id, waits the initial delay, and leads; a second member makes a
   rebalance that waits for the first; each gets its own assignment. */
START_TEST(two_members_join_one_after_the_other)
{
    struct desk *d = desk_new();
    const char *a = stable_one(d);
    const char *b = id_of(d, desk_join(d, (struct desk_join){.group = "g"}));
    uint64_t jb = desk_join(d, (struct desk_join){.group = "g", .member = b});

    ck_assert_str_eq(desk_state(d, "g"), "PreparingRebalance");
    ck_assert_int_eq(desk_heartbeat(d, "g", a, 1, NULL), WIRE_ERROR_REBALANCE_IN_PROGRESS);
    uint64_t ja = desk_join(d, (struct desk_join){.group = "g", .member = a});
    ck_assert_int_eq(desk_joined(d, ja)->members.count, 2);
    ck_assert_int_eq(desk_joined(d, jb)->members.count, 0);
    ck_assert_int_eq(desk_joined(d, jb)->generation_id, 2);
    ck_assert_int_eq(desk_commit_error(d, desk_commit(d, "g", a, 2, "t", 0, 5)),
                     WIRE_ERROR_REBALANCE_IN_PROGRESS);
    uint64_t sb = desk_sync(d, "g", b, 2, NULL, NULL);
    ck_assert(desk_synced(d, sb) == NULL);
    uint64_t sa = desk_sync(d, "g", a, 2, NULL, (const char *[]){a, "x", b, "y", NULL});
    ck_assert_str_eq(assigned(d, sa), "x");
    ck_assert_str_eq(assigned(d, sb), "y");
    ck_assert_int_eq(desk_heartbeat(d, "g", a, 1, NULL), WIRE_ERROR_ILLEGAL_GENERATION);
    ck_assert_int_eq(desk_heartbeat(d, "g", "who", 2, NULL), WIRE_ERROR_UNKNOWN_MEMBER_ID);
    desk_free(d);
}
END_TEST

/* Goal: the initial delay is extended while members come; version 3 needs no id first. */
START_TEST(the_initial_delay_grows_with_members)
{
    struct desk *d = desk_new();
    uint64_t a = desk_join(d, (struct desk_join){.group = "g", .version = 3});

    desk_pass(d, 2000);
    uint64_t b = desk_join(d, (struct desk_join){.group = "g", .version = 3});
    desk_pass(d, 1500);
    ck_assert(desk_joined(d, a) == NULL);
    desk_pass(d, 2500);
    ck_assert_int_eq(desk_joined(d, a)->generation_id, 1);
    ck_assert_int_eq(desk_joined(d, a)->members.count, 2);
    ck_assert_int_eq(desk_joined(d, b)->generation_id, 1);
    desk_free(d);
}
END_TEST

/* Goal: a silent member goes after its session, one that was given an id only as well; an empty
   group has a generation of its own. */
START_TEST(a_silent_member_is_dropped)
{
    struct desk *d = desk_new();
    const char *a = stable_one(d);
    const char *b = id_of(d, desk_join(d, (struct desk_join){.group = "g"}));

    desk_pass(d, 9000);
    ck_assert_int_eq(desk_heartbeat(d, "g", a, 1, NULL), 0);
    desk_pass(d, 2000);
    uint64_t late = desk_join(d, (struct desk_join){.group = "g", .member = b});
    ck_assert_int_eq(join_error(d, late), WIRE_ERROR_UNKNOWN_MEMBER_ID);
    ck_assert_int_eq(desk_heartbeat(d, "g", a, 1, NULL), 0);
    desk_pass(d, 10000);
    ck_assert_str_eq(desk_state(d, "g"), "Empty");
    ck_assert_int_eq(desk_heartbeat(d, "g", a, 2, NULL), WIRE_ERROR_UNKNOWN_MEMBER_ID);
    desk_free(d);
}
END_TEST

/* Goal: members that do not come back within the rebalance timeout are dropped, and those that do
   not sync (KAFKA-12890). */
START_TEST(rebalances_do_not_wait_for_ever)
{
    struct desk *d = desk_new();
    const char *a = stable_one(d);
    uint64_t jb =
        desk_join(d, (struct desk_join){.group = "g", .version = 3, .session_ms = 600000});

    for (int i = 0; i < 12; i++) { /* lives, but does not rejoin */
        desk_heartbeat(d, "g", a, 1, NULL);
        desk_pass(d, 5000);
    }
    ck_assert_int_eq(desk_joined(d, jb)->generation_id, 2);
    ck_assert_str_eq(wire_text(desk_joined(d, jb), desk_joined(d, jb)->leader), id_of(d, jb));
    ck_assert_int_eq(desk_heartbeat(d, "g", a, 2, NULL), WIRE_ERROR_UNKNOWN_MEMBER_ID);
    ck_assert_str_eq(desk_state(d, "g"), "CompletingRebalance");
    desk_pass(d, 60000);
    ck_assert_str_eq(desk_state(d, "g"), "Empty");
    desk_free(d);
}
END_TEST

/* Goal: a static member that restarts takes its place without a rebalance; its old id is fenced. */
START_TEST(a_static_member_comes_back)
{
    struct desk *d = desk_new();
    uint64_t j = desk_join(d, (struct desk_join){.group = "g", .instance = "i"});

    desk_pass(d, 3000);
    const char *a = id_of(d, j);
    desk_sync(d, "g", a, 1, "i", (const char *[]){a, "all", NULL});
    uint64_t k = desk_join(d, (struct desk_join){.group = "g", .instance = "i"});
    ck_assert_int_eq(join_error(d, k), 0);
    ck_assert_int_eq(desk_joined(d, k)->generation_id, 1);
    ck_assert_str_eq(wire_text(desk_joined(d, k), desk_joined(d, k)->leader), a);
    ck_assert_str_eq(desk_state(d, "g"), "Stable");
    ck_assert_int_eq(desk_heartbeat(d, "g", a, 1, "i"), WIRE_ERROR_FENCED_INSTANCE_ID);
    ck_assert_str_eq(assigned(d, desk_sync(d, "g", id_of(d, k), 1, "i", NULL)), "all");
    /* The write fails: the old id stays. */
    d->error = WIRE_ERROR_NOT_ENOUGH_REPLICAS;
    uint64_t l = desk_join(d, (struct desk_join){.group = "g", .instance = "i"});
    ck_assert_int_eq(join_error(d, l), WIRE_ERROR_COORDINATOR_NOT_AVAILABLE);
    ck_assert_int_eq(desk_heartbeat(d, "g", id_of(d, k), 1, "i"), 0);
    d->error = 0;
    ck_assert_int_eq(desk_leave(d, "g", "", "i", 4), 0);
    ck_assert_str_eq(desk_state(d, "g"), "Empty");
    desk_free(d);
}
END_TEST

/* Goal: leaving, by member id, twice, and in old versions. */
START_TEST(members_leave)
{
    struct desk *d = desk_new();
    const char *a = stable_one(d);

    ck_assert_int_eq(desk_leave(d, "g", "who", NULL, 4), WIRE_ERROR_UNKNOWN_MEMBER_ID);
    ck_assert_int_eq(desk_leave(d, "g", a, NULL, 2), 0);
    ck_assert_int_eq(desk_leave(d, "g", a, NULL, 2), WIRE_ERROR_UNKNOWN_MEMBER_ID);
    ck_assert_str_eq(desk_state(d, "g"), "Empty");
    ck_assert_int_eq(desk_delete_group(d, "g"), 0);
    ck_assert_int_eq(desk_delete_group(d, "g"), WIRE_ERROR_GROUP_ID_NOT_FOUND);
    ck_assert_str_eq(desk_state(d, "g"), "Dead");
    desk_free(d);
}
END_TEST

/* Goal: the protocol that all have and most want; one that shares none is refused. */
START_TEST(protocols_are_voted_for)
{
    struct desk *d = desk_new();
    struct desk_join first = {.group = "g", .version = 3, .protocol = "sticky", .second = "range"};
    struct desk_join other = {.group = "g", .version = 3, .protocol = "range"};
    struct desk_join none = {.group = "g", .version = 3, .protocol = "mine"};
    uint64_t a = desk_join(d, first), b = desk_join(d, other);

    ck_assert_int_eq(join_error(d, desk_join(d, none)), WIRE_ERROR_INCONSISTENT_GROUP_PROTOCOL);
    desk_pass(d, 7000);
    ck_assert_str_eq(wire_text(desk_joined(d, a), desk_joined(d, a)->protocol_name), "range");
    ck_assert_int_eq(desk_joined(d, b)->generation_id, 1);
    first.session_ms = 5000;
    ck_assert_int_eq(join_error(d, desk_join(d, first)), WIRE_ERROR_INVALID_SESSION_TIMEOUT);
    desk_free(d);
}
END_TEST

/* Goal: a failed write of the assignment is told, and the group rebalances; one that ends too late
   changes nothing. */
START_TEST(assignments_are_believed_when_written)
{
    struct desk *d = desk_new();
    uint64_t j = desk_join(d, (struct desk_join){.group = "g", .version = 3});

    desk_pass(d, 3000);
    d->hold = true;
    uint64_t s = desk_sync(d, "g", id_of(d, j), 1, NULL, NULL);
    ck_assert(desk_synced(d, s) == NULL);
    desk_end_append(d, WIRE_ERROR_NOT_LEADER_OR_FOLLOWER);
    ck_assert_int_eq(desk_synced(d, s)->error_code, WIRE_ERROR_NOT_COORDINATOR);
    ck_assert_str_eq(desk_state(d, "g"), "PreparingRebalance");
    uint64_t k = desk_join(d, (struct desk_join){.group = "g", .member = id_of(d, j)});
    ck_assert_int_eq(desk_joined(d, k)->generation_id, 2);
    s = desk_sync(d, "g", id_of(d, j), 2, NULL, NULL);
    desk_join(d, (struct desk_join){.group = "g", .version = 3});
    ck_assert_int_eq(desk_synced(d, s)->error_code, WIRE_ERROR_REBALANCE_IN_PROGRESS);
    desk_end_append(d, 0);
    ck_assert_str_eq(desk_state(d, "g"), "PreparingRebalance");
    desk_free(d);
}
END_TEST

/* Goal: offsets by members and without; refused from an old generation; the later in the log wins.
 */
START_TEST(offsets_are_committed)
{
    struct desk *d = desk_new();
    const char *a = stable_one(d);
    int32_t error;

    ck_assert_int_eq(desk_fetch(d, "g", "t", 0, false, &error), -1);
    ck_assert_int_eq(desk_commit_error(d, desk_commit(d, "g", a, 1, "t", 0, 7)), 0);
    ck_assert_int_eq(desk_fetch(d, "g", "t", 0, true, &error), 7);
    ck_assert_int_eq(desk_commit_error(d, desk_commit(d, "g", a, 0, "t", 0, 9)),
                     WIRE_ERROR_ILLEGAL_GENERATION);
    ck_assert_int_eq(desk_commit_error(d, desk_commit(d, "g", "", -1, "t", 0, 9)),
                     WIRE_ERROR_UNKNOWN_MEMBER_ID);
    ck_assert_int_eq(desk_commit_error(d, desk_commit(d, "simple", "", -1, "t", 0, 3)), 0);
    ck_assert_int_eq(desk_commit_error(d, desk_commit(d, "other", "", 4, "t", 0, 3)),
                     WIRE_ERROR_ILLEGAL_GENERATION);
    ck_assert_int_eq(desk_fetch(d, "simple", "t", 0, false, &error), 3);
    d->hold = true;
    uint64_t first = desk_commit(d, "g", a, 1, "t", 0, 10);
    uint64_t second = desk_commit(d, "g", a, 1, "t", 0, 11);
    desk_fetch(d, "g", "t", 0, true, &error);
    ck_assert_int_eq(error, WIRE_ERROR_UNSTABLE_OFFSET_COMMIT);
    desk_end_append(d, 0);
    ck_assert_int_eq(desk_fetch(d, "g", "t", 0, false, &error), 10);
    desk_end_append(d, WIRE_ERROR_NOT_ENOUGH_REPLICAS);
    ck_assert_int_eq(desk_commit_error(d, first), 0);
    ck_assert_int_eq(desk_commit_error(d, second), WIRE_ERROR_COORDINATOR_NOT_AVAILABLE);
    ck_assert_int_eq(desk_fetch(d, "g", "t", 0, true, &error), 10);
    d->hold = false;
    ck_assert_int_eq(desk_delete_group(d, "g"), WIRE_ERROR_NON_EMPTY_GROUP);
    desk_free(d);
}
END_TEST

/* Goal: offsets of a transaction are seen after its marker, and only if it committed. */
START_TEST(offsets_of_transactions_wait_for_the_marker)
{
    struct desk *d = desk_new();
    int32_t error;

    ck_assert_int_eq(desk_commit_error(d, desk_txn_commit(d, "g", 9, "", -1, "t", 0, 5)), 0);
    ck_assert_int_eq(desk_fetch(d, "g", "t", 0, false, &error), -1);
    desk_fetch(d, "g", "t", 0, true, &error);
    ck_assert_int_eq(error, WIRE_ERROR_UNSTABLE_OFFSET_COMMIT);
    desk_marker(d, "g", 9, true);
    ck_assert_int_eq(desk_fetch(d, "g", "t", 0, true, &error), 5);
    desk_txn_commit(d, "g", 9, "", -1, "t", 0, 8);
    desk_marker(d, "g", 9, false);
    ck_assert_int_eq(desk_fetch(d, "g", "t", 0, true, &error), 5);
    desk_txn_commit(d, "g", 9, "", -1, "t", 0, 6);
    ck_assert_int_eq(desk_commit_error(d, desk_commit(d, "g", "", -1, "t", 0, 20)), 0);
    desk_marker(d, "g", 9, true);
    ck_assert_int_eq(desk_fetch(d, "g", "t", 0, true, &error), 20);
    ck_assert_int_eq(desk_commit_error(d, desk_txn_commit(d, "g", 9, "who", 1, "t", 0, 5)),
                     WIRE_ERROR_UNKNOWN_MEMBER_ID);
    ck_assert_int_eq(desk_commit_error(d, desk_txn_commit(d, "g", 9, "", 3, "t", 0, 5)),
                     WIRE_ERROR_ILLEGAL_GENERATION);
    desk_free(d);
}
END_TEST

static uint64_t digest(const struct desk *d)
{
    uint64_t sum = 0;
    for (int32_t p = 0; p < (int32_t)kb_groups_limits(d->g)->partitions; p++) {
        sum = sum * 31 + kb_groups_digest(d->g, p);
    }
    return sum;
}

/* Goal: what the log says is what was known; parked calls are told that this is over. */
START_TEST(groups_move_with_their_partition)
{
    struct desk *d = desk_new();
    const char *a = stable_one(d);
    int32_t error;

    desk_commit(d, "g", a, 1, "t", 0, 7);
    desk_txn_commit(d, "g", 9, "", -1, "t", 1, 5);
    uint64_t before = digest(d);
    desk_resign(d, 1);
    ck_assert_int_eq(desk_heartbeat(d, "g", a, 1, NULL), WIRE_ERROR_NOT_COORDINATOR);
    desk_fetch(d, "g", "t", 0, false, &error);
    ck_assert_int_eq(error, WIRE_ERROR_NOT_COORDINATOR);
    desk_elect(d, 2);
    ck_assert_uint_eq(digest(d), before);
    ck_assert_int_eq(desk_heartbeat(d, "g", a, 1, NULL), 0);
    ck_assert_int_eq(desk_fetch(d, "g", "t", 0, false, &error), 7);
    desk_marker(d, "g", 9, true);
    ck_assert_int_eq(desk_fetch(d, "g", "t", 1, true, &error), 5);
    uint64_t j = desk_join(d, (struct desk_join){.group = "g", .version = 3});
    desk_resign(d, 3);
    ck_assert_int_eq(join_error(d, j), WIRE_ERROR_NOT_COORDINATOR);
    desk_elect(d, 4);
    desk_pass(d, 10000); /* the sessions of loaded members run */
    ck_assert_str_eq(desk_state(d, "g"), "Empty");
    desk_pass(d, INT64_C(8) * 24 * 3600 * 1000); /* and offsets of an empty group expire */
    ck_assert_str_eq(desk_state(d, "g"), "Dead");
    desk_free(d);
}
END_TEST

/* Goal: Java's String.hashCode, folded as Kafka folds it. Numbers worked out with Java's rules. */
START_TEST(keys_belong_to_partitions)
{
    ck_assert_int_eq(kb_coordinator_partition("", 50), 0);
    ck_assert_int_eq(kb_coordinator_partition("a", 50), 97 % 50);
    ck_assert_int_eq(kb_coordinator_partition("ab", 50), (97 * 31 + 98) % 50);
    ck_assert_int_eq(kb_coordinator_partition("polygenelubricants", 50), 0); /* -2^31 */
}
END_TEST

/* Goal: whatever bytes a log holds, loading does no harm, and what is loaded is sound. */
START_TEST(a_log_may_hold_anything)
{
    uint64_t rng = 1;

    for (int round = 0; round < 400; round++) {
        struct desk *d = desk_new();
        const char *a = stable_one(d);
        desk_commit(d, "g", a, 1, "t", 0, 7);
        desk_txn_commit(d, "g", 9, "", -1, "t", 1, 5);
        desk_resign(d, 1);
        for (uint32_t i = 0; i < d->log_count; i++) {
            const struct kb_log_record *r = d->log[i].batch.records;
            for (int n = 0; d->log[i].batch.count != 0 && n < 3; n++) {
                rng = rng * 6364136223846793005u + 1442695040888963407u;
                bool key = (rng >> 60) == 0;
                uint32_t size = (uint32_t)(key ? r->key_size : r->value_size);
                uint8_t *bytes = (uint8_t *)(uintptr_t)(key ? r->key : r->value);
                bytes[(uint32_t)(rng >> 33) % size] = (uint8_t)((rng >> 20) & 3 ? rng >> 24 : 0xff);
            }
        }
        desk_elect(d, 2);
        desk_pass(d, 100000);
        desk_free(d);
    }
}
END_TEST

/* Goal: members of a cooperative protocol rebalance twice, and the follower's second join with
   other metadata is what starts the second one. */
START_TEST(a_follower_may_start_a_rebalance)
{
    struct desk *d = desk_new();
    struct desk_join join = {.group = "g", .version = 3, .protocol = "cooperative-sticky"};
    uint64_t ja = desk_join(d, join), jb = desk_join(d, join);

    desk_pass(d, 7000);
    const char *a = id_of(d, ja), *b = id_of(d, jb);
    desk_sync(d, "g", b, 1, NULL, NULL);
    desk_sync(d, "g", a, 1, NULL, (const char *[]){a, "0 1", b, "", NULL});
    join.member = b;
    jb = desk_join(d, join); /* nothing new: told again */
    ck_assert_int_eq(desk_joined(d, jb)->generation_id, 1);
    join.metadata = "owns less";
    jb = desk_join(d, join);
    ck_assert(desk_joined(d, jb) == NULL);
    ck_assert_int_eq(desk_commit_error(d, desk_commit(d, "g", a, 1, "t", 0, 4)), 0);
    join.member = a;
    ja = desk_join(d, join);
    ck_assert_int_eq(desk_joined(d, ja)->generation_id, 2);
    ck_assert_int_eq(desk_joined(d, jb)->generation_id, 2);
    desk_free(d);
}
END_TEST

int main(void)
{
    const TTest *tests[] = {two_members_join_one_after_the_other,
                            the_initial_delay_grows_with_members,
                            a_silent_member_is_dropped,
                            rebalances_do_not_wait_for_ever,
                            a_static_member_comes_back,
                            members_leave,
                            protocols_are_voted_for,
                            assignments_are_believed_when_written,
                            offsets_are_committed,
                            offsets_of_transactions_wait_for_the_marker,
                            groups_move_with_their_partition,
                            keys_belong_to_partitions,
                            a_log_may_hold_anything,
                            a_follower_may_start_a_rebalance};
    Suite *suite = suite_create("broker: groups");
    TCase *tc = tcase_create("groups");

    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        tcase_add_test(tc, tests[i]);
    }
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
