/*
 * Lists, assignments, leader-and-ISR, and the order of Scala's hash map: small worlds enumerated
 * and compared with the definition, or with what the real Scala 2.13.5 printed.
 */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "statemachine/assignment.h"
#include "statemachine/leader_and_isr.h"
#include "statemachine/list.h"

#define COUNT(...) ((int32_t)(sizeof((int32_t[]){__VA_ARGS__}) / 4))
#define LIST(...)                                                                                  \
    (((struct sm_list[1]){sm_list_of((int32_t[]){__VA_ARGS__}, COUNT(__VA_ARGS__))})[0])
#define NONE ((struct sm_list){0})

/* Ordered lists of distinct ids 1..ids_max, all of them, by number. */
enum { IDS_MAX = 3, LISTS_MAX = 16 };
static struct sm_list all[LISTS_MAX];
static int all_count;

static void enumerate(struct sm_list list)
{
    all[all_count++] = list;
    for (int32_t id = 1; id <= IDS_MAX; id++) {
        struct sm_list longer = list;
        if (!sm_list_has(&list, id) && sm_list_append(&longer, id))
            enumerate(longer);
    }
}

static void set_up(void)
{
    all_count = 0;
    enumerate(NONE);
    ck_assert_int_eq(all_count, LISTS_MAX);
}

/* Unused members are zero, so that equal lists are equal bytes. */
static void check_clean(const struct sm_list *list)
{
    for (int i = list->count; i < SM_REPLICAS_MAX; i++)
        ck_assert_int_eq(list->id[i], 0);
}

static int position(const struct sm_list *list, int32_t id)
{
    for (int i = 0; i < list->count; i++)
        if (list->id[i] == id)
            return i;
    return -1;
}

/* Goal: difference and intersection split a list in two that keep its order. */
START_TEST(minus_and_intersect_split_a_list)
{
    for (int a = 0; a < all_count; a++) {
        for (int b = 0; b < all_count; b++) {
            struct sm_list out = sm_list_minus(&all[a], &all[b]);
            struct sm_list in = sm_list_intersect(&all[a], &all[b]);
            int out_at = 0, in_at = 0;
            check_clean(&out);
            check_clean(&in);
            for (int i = 0; i < all[a].count; i++) {
                int32_t id = all[a].id[i];
                if (position(&all[b], id) >= 0)
                    ck_assert_int_eq(in.id[in_at++], id);
                else
                    ck_assert_int_eq(out.id[out_at++], id);
            }
            ck_assert_int_eq(in.count, in_at);
            ck_assert_int_eq(out.count, out_at);
        }
    }
}
END_TEST

/* Goal: a union has every member once, at its first place. */
START_TEST(union_keeps_first_places)
{
    for (int a = 0; a < all_count; a++) {
        for (int b = 0; b < all_count; b++) {
            bool overflow = false;
            struct sm_list u = sm_list_union(&all[a], &all[b], &overflow);
            struct sm_list rest = sm_list_minus(&all[b], &all[a]);
            ck_assert(!overflow);
            check_clean(&u);
            ck_assert_int_eq(u.count, all[a].count + rest.count);
            for (int i = 0; i < u.count; i++)
                ck_assert_int_eq(u.id[i],
                                 i < all[a].count ? all[a].id[i] : rest.id[i - all[a].count]);
        }
    }
}
END_TEST

/* Goal: subset, same members, equal and without agree with their definitions. */
START_TEST(relations_are_what_they_say)
{
    for (int a = 0; a < all_count; a++) {
        for (int b = 0; b < all_count; b++) {
            bool subset = true;
            for (int i = 0; i < all[a].count; i++)
                subset = subset && position(&all[b], all[a].id[i]) >= 0;
            ck_assert_int_eq(sm_list_subset(&all[a], &all[b]), subset);
            ck_assert_int_eq(sm_list_same_members(&all[a], &all[b]),
                             subset && all[a].count == all[b].count);
            ck_assert_int_eq(sm_list_equal(&all[a], &all[b]), a == b);
        }
        for (int32_t id = 0; id <= IDS_MAX; id++) {
            struct sm_list alone = LIST(id), left = sm_list_without(&all[a], id);
            struct sm_list expected = sm_list_minus(&all[a], &alone);
            ck_assert_mem_eq(&left, &expected, sizeof left);
        }
        ck_assert(!sm_list_has_duplicates(&all[a]));
    }
    ck_assert(sm_list_has_duplicates(&LIST(1, 2, 1)));
}
END_TEST

/* Goal: a full list refuses, and a union that does not fit says so. */
START_TEST(a_full_list_refuses)
{
    struct sm_list full = NONE, more = LIST(1000);
    for (int32_t id = 0; id < SM_REPLICAS_MAX; id++)
        ck_assert(sm_list_append(&full, id));
    struct sm_list before = full;
    ck_assert(!sm_list_append(&full, 99));
    ck_assert_mem_eq(&full, &before, sizeof full);
    bool overflow = false;
    struct sm_list u = sm_list_union(&full, &more, &overflow);
    ck_assert(overflow);
    ck_assert_mem_eq(&u, &full, sizeof u);
    struct sm_assignment a = sm_assignment_of(&full), out = {0};
    ck_assert_int_eq(sm_assignment_reassign_to(&a, &more, &out), SM_ERR_LIMIT);
    ck_assert_int_eq(out.replicas.count, 0);
}
END_TEST

START_TEST(a_list_has_no_negative_count)
{
    sm_list_of(NULL, -1);
}
END_TEST

/* ---- assignments ---- */

/* Goal: a reassignment remembers where it came from and where it goes, and a second one on top of
   it starts from the same origin. Method: all pairs of lists, and all triples. */
START_TEST(a_reassignment_keeps_origin_and_target)
{
    for (int from = 0; from < all_count; from++) {
        for (int to = 0; to < all_count; to++) {
            struct sm_assignment a = sm_assignment_of(&all[from]), b, c;
            ck_assert(!sm_assignment_is_being_reassigned(&a));
            ck_assert_int_eq(sm_assignment_reassign_to(&a, &all[to], &b), SM_ERR_OK);
            struct sm_list origin = sm_assignment_origin(&b), target = sm_assignment_target(&b);
            ck_assert(sm_list_same_members(&origin, &all[from]));
            ck_assert(sm_list_equal(&target, &all[to]));
            ck_assert_int_eq(sm_assignment_is_being_reassigned(&b),
                             !sm_list_same_members(&all[from], &all[to]));
            ck_assert(sm_list_subset(&b.adding, &b.replicas));
            ck_assert(sm_list_subset(&b.removing, &b.replicas));
            for (int again = 0; again < all_count; again++) {
                ck_assert_int_eq(sm_assignment_reassign_to(&b, &all[again], &c), SM_ERR_OK);
                struct sm_list first = sm_assignment_origin(&c);
                ck_assert(sm_list_same_members(&first, &all[from]));
            }
        }
    }
}
END_TEST

/* Goal: the example in assignment.c, and KIP-455's. */
START_TEST(a_reassignment_puts_the_new_first)
{
    struct sm_assignment a = sm_assignment_of(&LIST(1, 2, 3)), b,
                         expected = {.replicas = LIST(4, 2, 1, 3),
                                     .adding = LIST(4),
                                     .removing = LIST(1, 3)};
    ck_assert_int_eq(sm_assignment_reassign_to(&a, &LIST(4, 2), &b), SM_ERR_OK);
    ck_assert(sm_assignment_equal(&b, &expected));
    ck_assert(!sm_assignment_equal(&a, &expected));
    struct sm_assignment left = sm_assignment_remove_replica(&b, 3);
    ck_assert(sm_list_equal(&left.replicas, &LIST(4, 2, 1)));
    ck_assert(sm_list_equal(&left.removing, &LIST(1)));
    left = sm_assignment_remove_replica(&b, 4);
    ck_assert(sm_list_equal(&left.adding, &NONE));
}
END_TEST

/* ---- leader and ISR ---- */

/* Goal: taking a member out clears the leader where it led, never the last member, and always
   raises the epoch. Method: every ISR, leader and member. */
START_TEST(leaving_the_isr_keeps_the_last_member)
{
    for (int n = 0; n < all_count; n++) {
        for (int32_t leader = -1; leader <= IDS_MAX; leader++) {
            for (int32_t id = 1; id <= IDS_MAX; id++) {
                struct sm_leader_and_isr li = {
                    .leader = leader, .leader_epoch = 4, .zk_version = 9, .isr = all[n]};
                struct sm_leader_and_isr kept = sm_leader_and_isr_remove(&li, id, true);
                struct sm_leader_and_isr emptied = sm_leader_and_isr_remove(&li, id, false);
                ck_assert_int_eq(kept.leader, leader == id ? SM_NO_LEADER : leader);
                ck_assert_int_eq(kept.leader_epoch, 5);
                ck_assert_int_eq(kept.zk_version, 9);
                struct sm_list without = sm_list_without(&all[n], id);
                const struct sm_list *expected = all[n].count == 1 ? &all[n] : &without;
                ck_assert(sm_list_equal(&kept.isr, expected));
                ck_assert(sm_list_equal(&emptied.isr, &without));
            }
        }
    }
}
END_TEST

/* Goal: a bump changes leader, ISR and epoch only, and the highest epoch stays. */
START_TEST(a_bump_raises_the_epoch_and_no_further)
{
    struct sm_leader_and_isr li = {.leader = 1,
                                   .leader_epoch = INT32_MAX - 1,
                                   .zk_version = 2,
                                   .controller_epoch = 3,
                                   .isr = LIST(1, 2)};
    li = sm_leader_and_isr_bump(&li, 2, &LIST(2));
    struct sm_leader_and_isr expected = {.leader = 2,
                                         .leader_epoch = INT32_MAX,
                                         .zk_version = 2,
                                         .controller_epoch = 3,
                                         .isr = LIST(2)};
    ck_assert(sm_leader_and_isr_equal(&li, &expected));
    ck_assert_mem_eq(&li, &expected, sizeof li);
    li = sm_leader_and_isr_bump(&li, 2, &LIST(2));
    ck_assert_int_eq(li.leader_epoch, INT32_MAX);
}
END_TEST

/* ---- Scala's order ---- */

static uint32_t improve(int32_t id)
{
    uint32_t h = (uint32_t)id;
    h += ~(h << 9);
    h ^= h >> 14;
    h += h << 4;
    return h ^ h >> 10;
}

/* The naive trie: look at each slot in turn, first for single keys, then for children. */
static int naive(const int32_t *keys, int count, int shift, int32_t *out)
{
    int written = 0;
    for (int children = 0; children < 2; children++) {
        for (uint32_t slot = 0; slot < 32; slot++) {
            int32_t inside[1024];
            int inside_count = 0;
            for (int i = 0; i < count; i++)
                if ((improve(keys[i]) >> shift & 31) == slot)
                    inside[inside_count++] = keys[i];
            if (inside_count == 1 && children == 0)
                out[written++] = inside[0];
            if (inside_count > 1 && children == 1)
                written += naive(inside, inside_count, shift + 5, out + written);
        }
    }
    return written;
}

static uint64_t seed = 88172645463325252u;

static uint32_t draw(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % below;
}

static bool holds(const int32_t *ids, int count, int32_t id)
{
    for (int i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* Goal: the order equals that of a trie built naively. Method: 600 random sets of 0..300 ids, from
   narrow and wide ranges, each in two input orders. */
START_TEST(scala_order_equals_the_naive_trie)
{
    for (int round = 0; round < 600; round++) {
        int32_t ids[300], again[300], expected[300];
        int count = 0, wanted = (int)draw(300);
        uint32_t range = round % 3 == 0 ? 400 : round % 3 == 1 ? 5000 : UINT32_MAX;
        while (count < wanted) {
            int32_t id = (int32_t)draw(range);
            if (!holds(ids, count, id))
                ids[count++] = id;
        }
        for (int i = 0; i < count; i++)
            again[i] = ids[count - 1 - i];
        ck_assert_int_eq(naive(ids, count, 0, expected), count);
        sm_scala_order(ids, count);
        sm_scala_order(again, count);
        for (int i = 0; i < count; i++) {
            ck_assert_int_eq(ids[i], expected[i]);
            ck_assert_int_eq(again[i], expected[i]);
        }
    }
}
END_TEST

/* Returns the id whose improved hash is `h`: the steps of improve() undone, last first. */
static int32_t id_of_hash(uint32_t h)
{
    h ^= h >> 10 ^ h >> 20 ^ h >> 30;
    h *= 0xf0f0f0f1; /* 17 times this is 1 */
    h ^= h >> 14 ^ h >> 28;
    uint32_t inverse = 1; /* of 1 - 512, by Newton: each round doubles the bits that are right */
    for (int round = 0; round < 5; round++)
        inverse *= 2 - (uint32_t)-511 * inverse;
    return (int32_t)((h + 1) * inverse);
}

/* Goal: ids that share six of the seven levels are told apart by the last. Method: four ids whose
   hashes differ in the two highest bits only, beside others. */
START_TEST(scala_order_goes_down_to_the_last_level)
{
    for (uint32_t low = 0; low < 1000; low++) {
        int32_t ids[5], expected[5];
        for (uint32_t high = 0; high < 4; high++) {
            ids[3 - high] = id_of_hash(low * 77777 | high << 30);
            ck_assert_uint_eq(improve(ids[3 - high]), low * 77777 | high << 30);
        }
        ids[4] = id_of_hash(low * 77777 ^ 1u << (low % 30));
        ck_assert_int_eq(naive(ids, 5, 0, expected), 5);
        sm_scala_order(ids, 5);
        for (int i = 0; i < 5; i++)
            ck_assert_int_eq(ids[i], expected[i]);
    }
}
END_TEST

/* What scala-library 2.13.5 printed for HashMap.keysIterator over these keys. */
static const struct {
    int count;
    int32_t out[40];
} recorded[] = {
    {6, {5, 1, 6, 2, 3, 4}},
    {40, {0,  5,  10, 14, 1,  6,  9,  13, 2,  12, 18, 11, 8,  4,  15, 24, 37, 25, 20, 29,
          21, 33, 28, 38, 17, 32, 34, 22, 27, 7,  39, 3,  35, 16, 31, 26, 23, 36, 30, 19}},
    {20, {662, 279, 44,  236, 649, 968, 712, 495, 961, 164,
          485, 307, 380, 534, 738, 911, 200, 850, 254, 708}},
    {20, {234, 842, 679, 883, 123, 576, 891, 924, 492, 646,
          73,  718, 811, 535, 51,  818, 506, 400, 239, 4}},
    {20, {-976944166, -1729328743, -590874391, 1895015347,  -2050448629, -968026955, 1926790452,
          1199156094, -1081097271, 384041305,  -1740018506, -299850718,  1933714315, 444092651,
          1990378417, 442817024,   1682708388, -110869536,  2810490,     -708693608}},
    {20, {-1114767085, -369148602, -1682558238, -1709434751, -1665502388, -56038504,   -951312022,
          469899793,   1524225196, -185266245,  49899440,    -373907948,  -2121613335, 169390229,
          -1452801638, -283067234, -334868686,  1391788443,  197681305,   844773641}},
};

/* Goal: the order equals the real Scala's, as recorded. Method: the recorded keys, shuffled. */
START_TEST(scala_order_equals_the_recorded_one)
{
    int32_t ids[40];
    int count = recorded[_i].count;
    memcpy(ids, recorded[_i].out, sizeof ids);
    for (int i = count - 1; i > 0; i--) {
        int j = (int)draw((uint32_t)i + 1);
        int32_t held = ids[i];
        ids[i] = ids[j];
        ids[j] = held;
    }
    sm_scala_order(ids, count);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(ids[i], recorded[_i].out[i]);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("lists");
    TCase *tc = tcase_create("lists");
    tcase_add_checked_fixture(tc, set_up, NULL);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, minus_and_intersect_split_a_list);
    tcase_add_test(tc, union_keeps_first_places);
    tcase_add_test(tc, relations_are_what_they_say);
    tcase_add_test(tc, a_full_list_refuses);
    tcase_add_test_raise_signal(tc, a_list_has_no_negative_count, SIGABRT);
    tcase_add_test(tc, a_reassignment_keeps_origin_and_target);
    tcase_add_test(tc, a_reassignment_puts_the_new_first);
    tcase_add_test(tc, leaving_the_isr_keeps_the_last_member);
    tcase_add_test(tc, a_bump_raises_the_epoch_and_no_further);
    tcase_add_test(tc, scala_order_equals_the_naive_trie);
    tcase_add_test(tc, scala_order_goes_down_to_the_last_level);
    tcase_add_loop_test(tc, scala_order_equals_the_recorded_one, 0,
                        (int)(sizeof recorded / sizeof recorded[0]));
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
