/*
 * Elections: a small world, all of it, against an oracle that was written from Kafka's text alone.
 *
 * Brokers are 1..3 (or 1..4) and one more that no assignment holds. For every assignment, every
 * ordered ISR, every way for each broker to be alive, shutting down or dead, every strategy and
 * every version, the election must equal the oracle's. The oracle knows brokers as arrays of flags
 * and shares no code with sm_elect.
 */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "statemachine/election.h"

enum { BROKERS_MAX = 5, DEAD = 0, LIVE = 1, SHUTTING_DOWN = 2 };

struct world {
    int broker_count; /* ids 1..broker_count; the last is never assigned */
    int replicas[BROKERS_MAX], replica_count;
    int isr[BROKERS_MAX], isr_count;
    int life[BROKERS_MAX + 1]; /* [id] */
    bool removing[BROKERS_MAX + 1];
    int leader;
    bool unclean;
    enum sm_version version;
};

struct outcome {
    enum sm_election_verdict verdict;
    int leader;
    int isr[BROKERS_MAX], isr_count;
    int recipients[BROKERS_MAX], recipient_count;
};

/* How often each verdict was seen, by strategy: an "always" needs its "sometimes". */
static long seen[SM_STRATEGY_END][SM_ELECTION_NOT_NEEDED + 1];

/* ---- the oracle ---- */

static bool in_isr(const struct world *w, int id)
{
    for (int i = 0; i < w->isr_count; i++)
        if (w->isr[i] == id)
            return true;
    return false;
}

static struct outcome nobody(void)
{
    return (struct outcome){.verdict = SM_NOT_ELECTED};
}

static void hear(struct outcome *o, int id)
{
    o->recipients[o->recipient_count++] = id;
}

static void sync(struct outcome *o, int id)
{
    o->isr[o->isr_count++] = id;
}

static struct outcome oracle_offline(const struct world *w)
{
    struct outcome o = nobody();
    bool somebody_in_isr_lives = false;
    for (int i = 0; i < w->isr_count; i++)
        if (w->life[w->isr[i]] == LIVE)
            somebody_in_isr_lives = true;
    for (int i = w->replica_count - 1; i >= 0; i--) {
        int id = w->replicas[i];
        if (w->life[id] == LIVE && in_isr(w, id)) {
            o.verdict = SM_ELECTED;
            o.leader = id;
        }
    }
    bool fixed = w->version == SM_VERSION_2_8_FIXED;
    if (o.verdict != SM_ELECTED && w->unclean && (fixed || !somebody_in_isr_lives)) {
        for (int i = w->replica_count - 1; i >= 0; i--) {
            if (w->life[w->replicas[i]] == LIVE) {
                o.verdict = SM_ELECTED_UNCLEAN;
                o.leader = w->replicas[i];
            }
        }
    }
    if (o.verdict == SM_ELECTED)
        for (int i = 0; i < w->isr_count; i++)
            if (w->life[w->isr[i]] == LIVE)
                sync(&o, w->isr[i]);
    if (o.verdict == SM_ELECTED_UNCLEAN)
        sync(&o, o.leader);
    for (int i = 0; i < w->replica_count; i++)
        if (o.verdict != SM_NOT_ELECTED && w->life[w->replicas[i]] == LIVE)
            hear(&o, w->replicas[i]);
    return o;
}

static struct outcome oracle_reassign(const struct world *w)
{
    struct outcome o = nobody();
    for (int i = 0; i < w->replica_count && o.verdict != SM_ELECTED; i++) {
        int id = w->replicas[i];
        if (!w->removing[id] && w->life[id] == LIVE && in_isr(w, id)) {
            o.verdict = SM_ELECTED;
            o.leader = id;
        }
    }
    if (o.verdict != SM_ELECTED)
        return nobody();
    for (int i = 0; i < w->isr_count; i++)
        sync(&o, w->isr[i]);
    for (int i = 0; i < w->replica_count; i++)
        if (!w->removing[w->replicas[i]])
            hear(&o, w->replicas[i]);
    return o;
}

static struct outcome oracle_preferred(const struct world *w)
{
    struct outcome o = nobody();
    bool old = w->version == SM_VERSION_0_9 || w->version == SM_VERSION_0_8_2;
    if (w->replica_count == 0)
        return o;
    int id = w->replicas[0];
    if (old && w->leader == id) {
        o.verdict = SM_ELECTION_NOT_NEEDED;
        return o;
    }
    if (w->life[id] != LIVE || !in_isr(w, id))
        return o;
    o.verdict = SM_ELECTED;
    o.leader = id;
    for (int i = 0; i < w->isr_count; i++)
        sync(&o, w->isr[i]);
    for (int i = 0; i < w->replica_count; i++)
        hear(&o, w->replicas[i]);
    return o;
}

static struct outcome oracle_controlled_shutdown(const struct world *w)
{
    struct outcome o = nobody();
    bool old = w->version == SM_VERSION_0_9 || w->version == SM_VERSION_0_8_2;
    for (int i = 0; i < w->isr_count; i++)
        if (w->life[w->isr[i]] != SHUTTING_DOWN)
            sync(&o, w->isr[i]);
    if (old && o.isr_count > 0) {
        o.verdict = SM_ELECTED;
        o.leader = o.isr[0];
    }
    for (int i = w->replica_count - 1; i >= 0 && !old; i--) {
        int id = w->replicas[i];
        if (w->life[id] == LIVE && in_isr(w, id)) {
            o.verdict = SM_ELECTED;
            o.leader = id;
        }
    }
    if (o.verdict != SM_ELECTED)
        return nobody();
    for (int i = 0; i < w->replica_count; i++)
        if (w->life[w->replicas[i]] != DEAD)
            hear(&o, w->replicas[i]);
    return o;
}

static struct outcome oracle(const struct world *w, enum sm_strategy strategy)
{
    switch (strategy) {
    case SM_STRATEGY_OFFLINE:
        return oracle_offline(w);
    case SM_STRATEGY_REASSIGN:
        return oracle_reassign(w);
    case SM_STRATEGY_PREFERRED:
        return oracle_preferred(w);
    case SM_STRATEGY_CONTROLLED_SHUTDOWN:
        return oracle_controlled_shutdown(w);
    case SM_STRATEGY_NONE:
    case SM_STRATEGY_END:
        break;
    }
    abort();
}

/* ---- the comparison ---- */

static struct sm_list list_of(const int *ids, int count)
{
    struct sm_list list = {0};
    for (int i = 0; i < count; i++)
        sm_list_append(&list, ids[i]);
    return list;
}

/* Those of the world whose life is `a` or `b`; descending, for their order must not matter. */
static struct sm_list living(const struct world *w, int a, int b)
{
    struct sm_list list = {0};
    for (int id = w->broker_count; id >= 1; id--)
        if (w->life[id] == a || w->life[id] == b)
            sm_list_append(&list, id);
    return list;
}

static struct sm_assignment assignment_of(const struct world *w)
{
    struct sm_list replicas = list_of(w->replicas, w->replica_count);
    struct sm_assignment a = sm_assignment_of(&replicas);
    for (int i = 0; i < w->replica_count; i++)
        if (w->removing[w->replicas[i]])
            sm_list_append(&a.removing, w->replicas[i]);
    return a;
}

static void compare(const struct world *w, enum sm_strategy strategy)
{
    struct sm_profile profile = sm_profile_of(w->version);
    struct sm_assignment assignment = assignment_of(w);
    struct sm_leader_and_isr current = {.leader = w->leader,
                                        .leader_epoch = 7,
                                        .zk_version = 5,
                                        .controller_epoch = 3,
                                        .isr = list_of(w->isr, w->isr_count)};
    struct sm_list online = living(w, LIVE, LIVE), reachable = living(w, LIVE, SHUTTING_DOWN);
    struct sm_list shutting_down = living(w, SHUTTING_DOWN, SHUTTING_DOWN);
    struct sm_election_input in = {.strategy = strategy,
                                   .unclean_allowed = w->unclean,
                                   .profile = &profile,
                                   .assignment = &assignment,
                                   .current = &current,
                                   .online = &online,
                                   .online_or_shutting_down = &reachable,
                                   .shutting_down = &shutting_down};
    struct sm_election got = sm_elect(&in);
    struct outcome want = oracle(w, strategy);
    seen[strategy][want.verdict]++;
    if (got.verdict != want.verdict)
        ck_abort_msg("%s: verdict %d, expected %d", sm_strategy_name(strategy), got.verdict,
                     want.verdict);
    if (want.verdict != SM_ELECTED && want.verdict != SM_ELECTED_UNCLEAN)
        return;
    struct sm_list isr = list_of(want.isr, want.isr_count);
    struct sm_list recipients = list_of(want.recipients, want.recipient_count);
    struct sm_leader_and_isr next = {.leader = want.leader,
                                     .leader_epoch = 8,
                                     .zk_version = 5,
                                     .controller_epoch = 3,
                                     .isr = isr};
    if (memcmp(&got.next, &next, sizeof next) != 0)
        ck_abort_msg("%s: leader %d of %d in sync, expected %d of %d", sm_strategy_name(strategy),
                     got.next.leader, got.next.isr.count, next.leader, isr.count);
    if (memcmp(&got.recipients, &recipients, sizeof recipients) != 0)
        ck_abort_msg("%s: wrong recipients", sm_strategy_name(strategy));
}

/* ---- the small world ---- */

static void every_strategy(struct world *w)
{
    for (int version = SM_VERSION_NONE + 1; version < SM_VERSION_END; version++) {
        w->version = (enum sm_version)version;
        w->leader = w->isr_count > 0 ? w->isr[0] : SM_NO_LEADER;
        for (int unclean = 0; unclean < 2; unclean++) {
            w->unclean = unclean != 0;
            compare(w, SM_STRATEGY_OFFLINE);
        }
        compare(w, SM_STRATEGY_CONTROLLED_SHUTDOWN);
        for (int leader = -1; leader <= w->broker_count; leader++) {
            w->leader = leader == 0 ? SM_NO_LEADER : leader;
            compare(w, SM_STRATEGY_PREFERRED);
        }
        for (int removing = 0; removing < 1 << (w->broker_count - 1); removing++) {
            for (int id = 1; id < w->broker_count; id++)
                w->removing[id] = (removing >> (id - 1) & 1) != 0;
            compare(w, SM_STRATEGY_REASSIGN);
        }
        memset(w->removing, 0, sizeof w->removing);
    }
}

static void every_life(struct world *w)
{
    int lives = 1;
    for (int id = 1; id <= w->broker_count; id++)
        lives *= 3;
    for (int n = 0; n < lives; n++) {
        for (int id = 1, rest = n; id <= w->broker_count; id++, rest /= 3)
            w->life[id] = rest % 3;
        every_strategy(w);
    }
}

/* Calls `next` for every way to go on with the list: as it is, and with each broker it lacks. */
static void every_isr(struct world *w)
{
    every_life(w);
    if (w->isr_count == w->broker_count)
        return;
    for (int id = 1; id <= w->broker_count; id++) {
        if (in_isr(w, id))
            continue;
        w->isr[w->isr_count++] = id;
        every_isr(w);
        w->isr_count--;
    }
}

static bool is_assigned(const struct world *w, int id)
{
    for (int i = 0; i < w->replica_count; i++)
        if (w->replicas[i] == id)
            return true;
    return false;
}

static void every_assignment(struct world *w)
{
    every_isr(w);
    for (int id = 1; id < w->broker_count; id++) {
        if (is_assigned(w, id))
            continue;
        w->replicas[w->replica_count++] = id;
        every_assignment(w);
        w->replica_count--;
    }
}

/* Goal: with 3 assignable brokers and a stranger, every election equals the oracle's, and every
   verdict that a strategy can give was given. Method: enumeration. */
START_TEST(every_election_of_a_small_world_equals_the_oracle)
{
    struct world w = {.broker_count = 4};
    every_assignment(&w);
    ck_assert_int_gt(seen[SM_STRATEGY_OFFLINE][SM_ELECTED], 0);
    ck_assert_int_gt(seen[SM_STRATEGY_OFFLINE][SM_ELECTED_UNCLEAN], 0);
    ck_assert_int_gt(seen[SM_STRATEGY_OFFLINE][SM_NOT_ELECTED], 0);
    ck_assert_int_gt(seen[SM_STRATEGY_REASSIGN][SM_ELECTED], 0);
    ck_assert_int_gt(seen[SM_STRATEGY_REASSIGN][SM_NOT_ELECTED], 0);
    ck_assert_int_gt(seen[SM_STRATEGY_PREFERRED][SM_ELECTED], 0);
    ck_assert_int_gt(seen[SM_STRATEGY_PREFERRED][SM_NOT_ELECTED], 0);
    ck_assert_int_gt(seen[SM_STRATEGY_PREFERRED][SM_ELECTION_NOT_NEEDED], 0);
    ck_assert_int_gt(seen[SM_STRATEGY_CONTROLLED_SHUTDOWN][SM_ELECTED], 0);
    ck_assert_int_gt(seen[SM_STRATEGY_CONTROLLED_SHUTDOWN][SM_NOT_ELECTED], 0);
    ck_assert_int_eq(seen[SM_STRATEGY_CONTROLLED_SHUTDOWN][SM_ELECTION_NOT_NEEDED], 0);
}
END_TEST

/* Goal: the same for 4 replicas and a stranger. Method: up to renaming, the assignment is
   [1,2,3,4]; everything else is enumerated. */
START_TEST(every_election_among_four_replicas_equals_the_oracle)
{
    struct world w = {.broker_count = 5, .replicas = {1, 2, 3, 4}, .replica_count = 4};
    every_isr(&w);
}
END_TEST

/* ---- single stories ---- */

static struct sm_election elect(enum sm_version version, enum sm_strategy strategy, bool unclean,
                                struct sm_list replicas, struct sm_list isr, struct sm_list online,
                                struct sm_list shutting_down)
{
    bool overflow = false;
    struct sm_profile profile = sm_profile_of(version);
    struct sm_assignment assignment = sm_assignment_of(&replicas);
    struct sm_leader_and_isr current = {.leader = SM_NO_LEADER, .leader_epoch = 1, .isr = isr};
    struct sm_list reachable = sm_list_union(&online, &shutting_down, &overflow);
    struct sm_election_input in = {.strategy = strategy,
                                   .unclean_allowed = unclean,
                                   .profile = &profile,
                                   .assignment = &assignment,
                                   .current = &current,
                                   .online = &online,
                                   .online_or_shutting_down = &reachable,
                                   .shutting_down = &shutting_down};
    return sm_elect(&in);
}

#define COUNT(...) ((int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)))
#define LIST(...)  (((struct sm_list[1]){list_of((int[]){__VA_ARGS__}, COUNT(__VA_ARGS__))})[0])
#define NONE       ((struct sm_list){0})

/* Goal: the defect found on the real 2.8.2: an ISR member that lives but is no longer assigned
   forbids the unclean election that was switched on, and the partition stays without a leader. */
START_TEST(an_unassigned_isr_member_blocks_an_unclean_election)
{
    struct sm_election e =
        elect(SM_VERSION_2_8, SM_STRATEGY_OFFLINE, true, LIST(1, 2), LIST(3), LIST(1, 2, 3), NONE);
    ck_assert_int_eq(e.verdict, SM_NOT_ELECTED);
    e = elect(SM_VERSION_2_8_FIXED, SM_STRATEGY_OFFLINE, true, LIST(1, 2), LIST(3), LIST(1, 2, 3),
              NONE);
    ck_assert_int_eq(e.verdict, SM_ELECTED_UNCLEAN);
    ck_assert_int_eq(e.next.leader, 1);
    e = elect(SM_VERSION_2_8, SM_STRATEGY_OFFLINE, true, LIST(1, 2), LIST(3), LIST(1, 2), NONE);
    ck_assert_int_eq(e.verdict, SM_ELECTED_UNCLEAN);
}
END_TEST

/* Goal: 2.8 follows the assignment where 0.9 follows the ISR (KAFKA-3670), and tells the leaving
   broker too (KAFKA-7482). */
START_TEST(controlled_shutdown_changed_its_order)
{
    struct sm_election e = elect(SM_VERSION_2_8, SM_STRATEGY_CONTROLLED_SHUTDOWN, false,
                                 LIST(1, 2, 3), LIST(1, 3, 2), LIST(2, 3), LIST(1));
    ck_assert_int_eq(e.next.leader, 2);
    ck_assert(sm_list_equal(&e.next.isr, &LIST(3, 2)));
    ck_assert(sm_list_equal(&e.recipients, &LIST(1, 2, 3)));
    e = elect(SM_VERSION_0_9, SM_STRATEGY_CONTROLLED_SHUTDOWN, false, LIST(1, 2, 3), LIST(1, 3, 2),
              LIST(2, 3), LIST(1));
    ck_assert_int_eq(e.next.leader, 3);
}
END_TEST

/* Goal: a new partition is led by the first living replica, and all the living are in sync. */
START_TEST(a_new_partition_starts_with_its_living_replicas)
{
    struct sm_leader_and_isr li;
    memset(&li, 0xff, sizeof li);
    ck_assert(sm_initial_leader_and_isr(&LIST(3, 1), 9, &li));
    struct sm_leader_and_isr expected = {.leader = 3, .controller_epoch = 9, .isr = LIST(3, 1)};
    ck_assert_mem_eq(&li, &expected, sizeof li);
    ck_assert(!sm_initial_leader_and_isr(&NONE, 9, &li));
}
END_TEST

/* Goal: an election without a strategy is a mistake of the caller. */
START_TEST(an_election_needs_a_strategy)
{
    elect(SM_VERSION_2_8, SM_STRATEGY_NONE, false, LIST(1), LIST(1), LIST(1), NONE);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("elections");
    TCase *small = tcase_create("small world");
    tcase_set_timeout(small, 280);
    tcase_add_test(small, every_election_of_a_small_world_equals_the_oracle);
    tcase_add_test(small, every_election_among_four_replicas_equals_the_oracle);
    suite_add_tcase(s, small);
    TCase *stories = tcase_create("stories");
    tcase_add_test(stories, an_unassigned_isr_member_blocks_an_unclean_election);
    tcase_add_test(stories, controlled_shutdown_changed_its_order);
    tcase_add_test(stories, a_new_partition_starts_with_its_living_replicas);
    tcase_add_test_raise_signal(stories, an_election_needs_a_strategy, SIGABRT);
    suite_add_tcase(s, stories);
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
