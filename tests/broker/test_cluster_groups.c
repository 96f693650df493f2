/*
 * Groups over whole nodes: what a member is told outlives the coordinator that told it, because it
 * is in __consumer_offsets before it is told. Each test plays clients against three nodes with a
 * real controller and the embedded ZooKeeper.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/broker/group_clients.h"

#define SECOND ((int64_t)1000000)

static struct desk *three(void)
{
    struct desk *d = desk_new_with(3, (const char *[]){"offsets.topic.num.partitions", "4", NULL});
    desk_run(d, SECOND);
    make_topic(d, "t", 2);
    return d;
}

/* Kills the coordinator; returns the next one. */
static int move(struct desk *d, const char *group, int node)
{
    desk_kill(d, node);
    desk_run(d, 8 * SECOND);
    return group_coordinator_moved(d, group, node);
}

/* A stable group "g" of one member. */
static int stable_one(struct desk *d, struct member *m)
{
    int node = group_coordinator(d, "g");
    m->group = "g";
    uint64_t call = m->instance == NULL ? join_anew(d, node, m) : send_join(d, node, m);
    ck_assert_int_eq(take_join(d, call, m), -2); /* group.initial.rebalance.delay.ms */
    desk_run(d, 3 * SECOND);
    ck_assert_int_eq(take_join(d, call, m), 0);
    ck_assert(leads(d, call));
    desk_hold_peers(d, true);
    call = send_sync(d, node, m, (const char *[]){m->id, "all", NULL});
    ck_assert_str_eq(assigned(d, call), "(waits)"); /* for the append to be on all replicas */
    desk_hold_peers(d, false);
    desk_run(d, SECOND);
    ck_assert_str_eq(assigned(d, call), "all");
    return node;
}

static void commit(struct desk *d, int node, const struct member *m, int64_t offset)
{
    uint64_t call = send_commit(d, node, m, "t", 0, offset, "note");
    desk_run(d, SECOND);
    ck_assert_int_eq(commit_error(d, call), 0);
}

START_TEST(a_group_and_its_offsets_outlive_their_coordinator)
{
    struct desk *d = three();
    struct member m = {0};
    int node = stable_one(d, &m);
    commit(d, node, &m, 7);
    ck_assert_int_eq(committed(d, node, "g", "t", 0), 7);
    ck_assert_str_eq(described(d, node, "g"), "Stable range c@/h=all");
    int next = move(d, "g", node);
    ck_assert_int_eq(heartbeat(d, next, &m), 0);
    ck_assert_int_eq(committed(d, next, "g", "t", 0), 7);
    ck_assert_str_eq(described(d, next, "g"), "Stable range c@/h=all");
    desk_start(d, node); /* it comes back, as a follower: it knows that it is not asked */
    desk_run(d, 10 * SECOND);
    ck_assert_int_eq(heartbeat(d, node, &m), WIRE_ERROR_NOT_COORDINATOR);
    ck_assert_int_eq(committed(d, node, "g", "t", 0), -100 - WIRE_ERROR_NOT_COORDINATOR);
    desk_free(d);
}
END_TEST

START_TEST(all_coordinators_die_and_the_log_remembers)
{
    struct desk *d = three();
    struct member m = {0};
    int node = stable_one(d, &m);
    commit(d, node, &m, 11);
    for (int i = 1; i <= 3; i++)
        desk_kill(d, i);
    for (int i = 1; i <= 3; i++)
        desk_start(d, i);
    desk_run(d, 8 * SECOND);
    node = group_coordinator(d, "g");
    ck_assert_int_eq(committed(d, node, "g", "t", 0), 11);
    ck_assert_int_eq(heartbeat(d, node, &m), 0);
    desk_free(d);
}
END_TEST

/* Leadership goes back to the preferred leaders, everybody alive: whoever waited is told where not.
 */
static void elect_preferred(struct desk *d, int node)
{
    struct wire_flat w;
    struct wire_elect_leaders_request *q = desk_begin(d, &w, WIRE_API_ELECT_LEADERS);
    q->topic_partitions = (struct wire_array){.count = -1};
    q->timeout_ms = 10000;
    uint64_t call = desk_send(d, node, &w, WIRE_API_ELECT_LEADERS, 2);
    desk_run(d, SECOND);
    ck_assert_ptr_nonnull(desk_response(d, call));
}

static int controller(struct desk *d)
{
    int id = 0;
    ck_assert_int_eq(sscanf(strstr(desk_znode(d, "/controller"), "brokerid"), "brokerid\":%d", &id),
                     1);
    return id;
}

START_TEST(a_coordinator_resigns_alive)
{
    struct desk *d = three();
    struct member a = {.session_ms = 60000}, b = {.group = "g", .session_ms = 60000};
    int first = stable_one(d, &a), second = move(d, "g", first);
    desk_start(d, first);
    desk_run(d, 10 * SECOND);
    commit(d, second, &a, 5);
    uint64_t waits = join_anew(d, second, &b);
    elect_preferred(d, controller(d));
    ck_assert_int_eq(take_join(d, waits, &b), WIRE_ERROR_NOT_COORDINATOR);
    ck_assert_int_eq(heartbeat(d, second, &a), WIRE_ERROR_NOT_COORDINATOR);
    ck_assert_str_eq(listed(d, second), "");
    ck_assert_int_eq(group_coordinator(d, "g"), first);
    ck_assert_int_eq(heartbeat(d, first, &a), 0);
    ck_assert_int_eq(committed(d, first, "g", "t", 0), 5);
    desk_free(d);
}
END_TEST

/* Goal: while the log is read, requests are told so; the log is longer than one slice. */
START_TEST(requests_that_come_while_loading_are_told_so)
{
    struct desk *d = three();
    struct member a = {.session_ms = 60000};
    int node = stable_one(d, &a), next = -1;
    for (int i = 0; i < 200; i++)
        send_commit(d, node, &a, "t", 0, i, "");
    desk_run(d, SECOND);
    desk_kill(d, node);
    desk_run(d, 8 * SECOND);
    next = group_coordinator_moved(d, "g", node);
    desk_start(d, node);
    desk_run(d, 10 * SECOND);
    struct wire_flat w;
    struct wire_elect_leaders_request *q = desk_begin(d, &w, WIRE_API_ELECT_LEADERS);
    q->topic_partitions = (struct wire_array){.count = -1};
    q->timeout_ms = 10000;
    desk_send(d, controller(d), &w, WIRE_API_ELECT_LEADERS, 2); /* no timer fires in it */
    ck_assert_int_eq(heartbeat(d, next, &a), WIRE_ERROR_NOT_COORDINATOR);
    ck_assert_int_eq(committed(d, node, "g", "t", 0),
                     -100 - WIRE_ERROR_COORDINATOR_LOAD_IN_PROGRESS);
    desk_run(d, 0);
    ck_assert_int_eq(committed(d, node, "g", "t", 0), 199);
    desk_free(d);
}
END_TEST

/* A rebalance is not written: its members join anew, under the ids that they have. */
START_TEST(the_coordinator_dies_in_a_rebalance)
{
    struct desk *d = three();
    struct member a = {0}, b = {.group = "g"};
    int node = stable_one(d, &a);
    uint64_t waits = join_anew(d, node, &b);
    ck_assert_str_eq(described(d, node, "g"), "PreparingRebalance  c@/h= c@/h=");
    ck_assert_int_eq(heartbeat(d, node, &a), WIRE_ERROR_REBALANCE_IN_PROGRESS);
    node = move(d, "g", node);
    ck_assert(desk_closed(d, waits));
    ck_assert_int_eq(heartbeat(d, node, &a), 0); /* nothing is known of b's wish */
    ck_assert_int_eq(take_join(d, send_join(d, node, &b), &b), WIRE_ERROR_UNKNOWN_MEMBER_ID);
    b.id[0] = '\0';
    waits = join_anew(d, node, &b);
    uint64_t again = send_join(d, node, &a);
    ck_assert_int_eq(take_join(d, again, &a), 0);
    ck_assert_int_eq(take_join(d, waits, &b), 0);
    ck_assert_int_eq(a.generation, 2);
    ck_assert_int_eq(b.generation, 2);
    desk_free(d);
}
END_TEST

/* Between join and sync the generation is known to the members only. */
START_TEST(the_coordinator_dies_between_join_and_sync)
{
    struct desk *d = three();
    struct member a = {0};
    int node = stable_one(d, &a);
    commit(d, node, &a, 3);
    uint64_t call = send_join(d, node, &a);
    ck_assert_int_eq(take_join(d, call, &a), 0);
    ck_assert_int_eq(a.generation, 2);
    node = move(d, "g", node);
    call = send_sync(d, node, &a, (const char *[]){a.id, "new", NULL});
    desk_run(d, SECOND);
    ck_assert_str_eq(assigned(d, call), "error 22"); /* ILLEGAL_GENERATION */
    ck_assert_int_eq(committed(d, node, "g", "t", 0), 3);
    call = send_join(d, node, &a);
    ck_assert_int_eq(take_join(d, call, &a), 0);
    ck_assert_int_eq(a.generation, 2);
    call = send_sync(d, node, &a, (const char *[]){a.id, "new", NULL});
    desk_run(d, SECOND);
    ck_assert_str_eq(assigned(d, call), "new");
    desk_free(d);
}
END_TEST

/* What was not acknowledged may be there or not; what was is. */
START_TEST(the_coordinator_dies_in_a_commit)
{
    struct desk *d = three();
    struct member a = {0};
    int node = stable_one(d, &a);
    commit(d, node, &a, 5);
    desk_hold_peers(d, true);
    uint64_t call = send_commit(d, node, &a, "t", 0, 6, "");
    ck_assert_int_eq(commit_error(d, call), -2);
    ck_assert_int_eq(committed(d, node, "g", "t", 0), 5); /* not told before it is safe */
    desk_hold_peers(d, false);
    node = move(d, "g", node);
    ck_assert(desk_closed(d, call));
    int64_t now = committed(d, node, "g", "t", 0);
    ck_assert(now == 5 || now == 6);
    commit(d, node, &a, 8);
    ck_assert_int_eq(committed(d, node, "g", "t", 0), 8);
    desk_free(d);
}
END_TEST

/* It may be in the log, and may come to be believed by the next coordinator; this one does not. */
START_TEST(a_commit_waits_for_its_replicas)
{
    struct desk *d = three();
    struct member a = {.session_ms = 60000};
    int node = stable_one(d, &a);
    desk_hold_peers(d, true);
    uint64_t call = send_commit(d, node, &a, "t", 0, 6, "");
    desk_run(d, 4 * SECOND);
    ck_assert_int_eq(commit_error(d, call), -2);
    desk_run(d, 2 * SECOND); /* offsets.commit.timeout.ms is over */
    ck_assert_int_eq(commit_error(d, call), WIRE_ERROR_REQUEST_TIMED_OUT);
    ck_assert_int_eq(committed(d, node, "g", "t", 0), -1);
    desk_hold_peers(d, false);
    commit(d, node, &a, 6);
    ck_assert_int_eq(committed(d, node, "g", "t", 0), 6);
    desk_free(d);
}
END_TEST

START_TEST(a_static_member_keeps_its_place_over_a_move)
{
    struct desk *d = three();
    struct member a = {.instance = "i"}, zombie;
    int node = stable_one(d, &a);
    node = move(d, "g", node);
    zombie = a;
    a.id[0] = '\0'; /* a restart: it has forgotten its id, not its name */
    uint64_t call = send_join(d, node, &a);
    desk_run(d, SECOND);
    ck_assert_int_eq(take_join(d, call, &a), 0);
    ck_assert_int_eq(a.generation, 1); /* no rebalance */
    ck_assert_str_ne(a.id, zombie.id);
    ck_assert_int_eq(heartbeat(d, node, &zombie), WIRE_ERROR_FENCED_INSTANCE_ID);
    node = move(d, "g", node);
    ck_assert_int_eq(heartbeat(d, node, &a), 0); /* the new id was written */
    ck_assert_int_eq(heartbeat(d, node, &zombie), WIRE_ERROR_FENCED_INSTANCE_ID);
    desk_free(d);
}
END_TEST

/* Cooperative: two rebalances, the first takes from the old member, the second gives to the new. */
START_TEST(a_cooperative_group_hands_over_in_two_steps)
{
    struct desk *d = three();
    struct member a = {.protocol = "cooperative-sticky"},
                  b = {.group = "g", .protocol = "cooperative-sticky"};
    int node = stable_one(d, &a);
    uint64_t jb = join_anew(d, node, &b), ja = send_join(d, node, &a);
    ck_assert_int_eq(take_join(d, ja, &a), 0);
    ck_assert_int_eq(take_join(d, jb, &b), 0);
    uint64_t sb = send_sync(d, node, &b, NULL),
             sa = send_sync(d, node, &a, (const char *[]){a.id, "t-0", b.id, "", NULL});
    desk_run(d, SECOND);
    ck_assert_str_eq(assigned(d, sa), "t-0");
    ck_assert_str_eq(assigned(d, sb), "");
    ja = send_join(d, node, &a); /* it has given up t-1: the second rebalance */
    ck_assert_int_eq(heartbeat(d, node, &b), WIRE_ERROR_REBALANCE_IN_PROGRESS);
    jb = send_join(d, node, &b);
    ck_assert_int_eq(take_join(d, ja, &a), 0);
    ck_assert_int_eq(take_join(d, jb, &b), 0);
    ck_assert_int_eq(b.generation, 3);
    sb = send_sync(d, node, &b, NULL);
    sa = send_sync(d, node, &a, (const char *[]){a.id, "t-0", b.id, "t-1", NULL});
    desk_run(d, SECOND);
    ck_assert_str_eq(assigned(d, sa), "t-0");
    ck_assert_str_eq(assigned(d, sb), "t-1");
    node = move(d, "g", node);
    ck_assert_str_eq(described(d, node, "g"), "Stable cooperative-sticky c@/h=t-0 c@/h=t-1");
    desk_free(d);
}
END_TEST

START_TEST(offsets_and_groups_are_listed_and_deleted)
{
    struct desk *d = three();
    struct member a = {0}, alone = {.group = "g", .generation = -1};
    int node = stable_one(d, &a);
    commit(d, node, &a, 4);
    ck_assert_str_eq(listed(d, node), "g:Stable");
    ck_assert_int_eq(delete_group(d, node, "g"), WIRE_ERROR_NON_EMPTY_GROUP);
    ck_assert_int_eq(delete_offset(d, node, "g", "none", 0), WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(delete_offset(d, node, "x", "t", 0), -100 - WIRE_ERROR_GROUP_ID_NOT_FOUND);
    ck_assert_int_eq(leave(d, node, &a), 0);
    desk_run(d, SECOND);
    ck_assert_str_eq(listed(d, node), "g:Empty");
    commit(d, node, &alone, 9); /* a group without members: anybody may */
    ck_assert_int_eq(delete_offset(d, node, "g", "t", 0), 0);
    desk_run(d, SECOND);
    ck_assert_int_eq(committed(d, node, "g", "t", 0), -1);
    node = move(d, "g", node);
    ck_assert_int_eq(committed(d, node, "g", "t", 0), -1); /* the tombstone is in the log */
    commit(d, node, &alone, 10);
    ck_assert_int_eq(delete_group(d, node, "g"), 0);
    desk_run(d, SECOND);
    ck_assert_str_eq(listed(d, node), "");
    desk_free(d);
}
END_TEST

START_TEST(what_a_commit_names_is_looked_at)
{
    struct desk *d = three();
    struct member a = {0};
    char text[5000];
    int node = stable_one(d, &a);
    memset(text, 'x', sizeof text);
    text[4096] = '\0';
    uint64_t fits = send_commit(d, node, &a, "t", 0, 1, text);
    desk_run(d, SECOND);
    ck_assert_int_eq(commit_error(d, fits), 0);
    text[4096] = 'x';
    text[4097] = '\0';
    uint64_t call = send_commit(d, node, &a, "t", 0, 2, text);
    desk_run(d, SECOND);
    ck_assert_int_eq(commit_error(d, call), WIRE_ERROR_OFFSET_METADATA_TOO_LARGE);
    ck_assert_int_eq(commit_error(d, send_commit(d, node, &a, "none", 0, 2, "")),
                     WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(commit_error(d, send_commit(d, node, &a, "t", 2, 2, "")),
                     WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    a.generation = 9;
    ck_assert_int_eq(commit_error(d, send_commit(d, node, &a, "t", 0, 2, "")),
                     WIRE_ERROR_ILLEGAL_GENERATION);
    ck_assert_int_eq(committed(d, node, "g", "t", 0), 1);
    desk_free(d);
}
END_TEST

START_TEST(settings_of_the_node_bound_a_group)
{
    struct desk *d =
        desk_new_with(3, (const char *[]){"offsets.topic.num.partitions", "1", "group.max.size",
                                          "1", "group.initial.rebalance.delay.ms", "0",
                                          "group.min.session.timeout.ms", "8000", NULL});
    struct member a = {.group = "g"}, b = {.group = "g"}, c = {.group = "h", .session_ms = 7000};
    desk_run(d, SECOND);
    int node = group_coordinator(d, "g");
    uint64_t call = join_anew(d, node, &a);
    desk_run(d, 0);
    ck_assert_int_eq(take_join(d, call, &a), 0); /* no delay */
    ck_assert_int_eq(take_join(d, send_join(d, node, &b), &b), WIRE_ERROR_GROUP_MAX_SIZE_REACHED);
    ck_assert_int_eq(take_join(d, send_join(d, node, &c), &c), WIRE_ERROR_INVALID_SESSION_TIMEOUT);
    desk_free(d);
}
END_TEST

/* Members that come during the delay are all in the first generation. */
START_TEST(the_first_rebalance_waits_for_more_members)
{
    struct desk *d = three();
    struct member a = {.group = "g"}, b = {.group = "g"};
    int node = group_coordinator(d, "g");
    uint64_t ja = join_anew(d, node, &a);
    desk_run(d, 2 * SECOND);
    uint64_t jb = join_anew(d, node, &b);
    desk_run(d, 2 * SECOND); /* the delay began again */
    ck_assert_int_eq(take_join(d, ja, &a), -2);
    desk_run(d, 2 * SECOND);
    ck_assert_int_eq(take_join(d, ja, &a), 0);
    ck_assert_int_eq(take_join(d, jb, &b), 0);
    ck_assert_int_eq(a.generation, 1);
    ck_assert_int_eq(b.generation, 1);
    desk_free(d);
}
END_TEST

START_TEST(offsets_expire)
{
    struct desk *d = desk_new_with(
        3, (const char *[]){"offsets.topic.num.partitions", "1", "offsets.retention.minutes", "1",
                            "offsets.retention.check.interval.ms", "10000", NULL});
    struct member alone = {.group = "g", .generation = -1};
    desk_run(d, SECOND);
    make_topic(d, "t", 2);
    int node = group_coordinator(d, "g");
    commit(d, node, &alone, 4);
    desk_run(d, 40 * SECOND);
    ck_assert_int_eq(committed(d, node, "g", "t", 0), 4);
    desk_run(d, 35 * SECOND);
    ck_assert_int_eq(committed(d, node, "g", "t", 0), -1);
    ck_assert_str_eq(listed(d, node), "");
    node = move(d, "g", node);
    ck_assert_int_eq(committed(d, node, "g", "t", 0), -1);
    desk_free(d);
}
END_TEST

/* More groups, members and offsets than the block begins with, of more than one partition. */
START_TEST(many_groups_move_together)
{
    enum { GROUPS = 40 };
    struct desk *d = three();
    struct member m[GROUPS];
    char name[GROUPS][24];
    int node[GROUPS];
    uint64_t call[GROUPS];
    for (int i = 0; i < GROUPS; i++) {
        snprintf(name[i], sizeof name[i], "group-%d", i);
        m[i] = (struct member){.group = name[i], .session_ms = 60000};
        node[i] = group_coordinator(d, name[i]);
        call[i] = join_anew(d, node[i], &m[i]);
    }
    desk_run(d, 4 * SECOND);
    for (int i = 0; i < GROUPS; i++) {
        ck_assert_int_eq(take_join(d, call[i], &m[i]), 0);
        send_sync(d, node[i], &m[i], (const char *[]){m[i].id, name[i], NULL});
    }
    desk_run(d, SECOND);
    for (int i = 0; i < GROUPS; i++)
        call[i] = send_commit(d, node[i], &m[i], "t", i % 2, i, name[i]);
    desk_run(d, SECOND);
    int killed = node[0];
    desk_kill(d, killed);
    desk_run(d, 6 * SECOND);
    for (int i = 0; i < GROUPS; i++) {
        int now = node[i] == killed ? group_coordinator_moved(d, name[i], killed) : node[i];
        ck_assert_int_eq(commit_error(d, call[i]), 0);
        ck_assert_int_eq(committed(d, now, name[i], "t", i % 2), i);
        ck_assert_int_eq(heartbeat(d, now, &m[i]), 0);
    }
    desk_free(d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cluster groups");
    TCase *c = tcase_create("cluster groups");
    tcase_add_test(c, a_group_and_its_offsets_outlive_their_coordinator);
    tcase_add_test(c, all_coordinators_die_and_the_log_remembers);
    tcase_add_test(c, a_coordinator_resigns_alive);
    tcase_add_test(c, requests_that_come_while_loading_are_told_so);
    tcase_add_test(c, the_coordinator_dies_in_a_rebalance);
    tcase_add_test(c, the_coordinator_dies_between_join_and_sync);
    tcase_add_test(c, the_coordinator_dies_in_a_commit);
    tcase_add_test(c, a_commit_waits_for_its_replicas);
    tcase_add_test(c, a_static_member_keeps_its_place_over_a_move);
    tcase_add_test(c, a_cooperative_group_hands_over_in_two_steps);
    tcase_add_test(c, offsets_and_groups_are_listed_and_deleted);
    tcase_add_test(c, what_a_commit_names_is_looked_at);
    tcase_add_test(c, settings_of_the_node_bound_a_group);
    tcase_add_test(c, the_first_rebalance_waits_for_more_members);
    tcase_add_test(c, offsets_expire);
    tcase_add_test(c, many_groups_move_together);
    tcase_set_timeout(c, 120);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
