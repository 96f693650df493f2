/*
 * Facts: the index gives what a naive fold over the records gives, at every record.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "hand.h"
#include "sim/facts.h"

enum { KEYS = 24, RECORDS = 400 };

static uint64_t state = 88172645463325252u;

static uint32_t draw(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) % below);
}

static void key_text(char *out, uint32_t key)
{
    static const char *const prefixes[] = {"zn:/a", "zn:/a/b", "role.", "zn:/", "b.1.", "z"};
    sprintf(out, "%s%u", prefixes[key % 6], key / 6);
}

/* The fold: last value and last setter of each key after each record. */
struct model {
    int64_t value[RECORDS + 1][KEYS]; /* -1: null or never set */
    uint64_t setter[RECORDS + 1][KEYS];
};

static struct model model;

static struct sim_trace *random_trace(void)
{
    struct sim_trace *t = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    for (uint32_t key = 0; key < KEYS; key++)
        model.value[0][key] = -1;
    for (uint32_t n = 1; n <= RECORDS; n++) {
        memcpy(model.value[n], model.value[n - 1], sizeof(model.value[n]));
        memcpy(model.setter[n], model.setter[n - 1], sizeof(model.setter[n]));
        sim_trace_begin(t, SIM_K_MARK, n * 10, SIM_LANE_WORLD, n - 1, 0);
        for (uint32_t sets = draw(4); sets > 0; sets--) {
            char key[32];
            uint32_t which = draw(KEYS);
            key_text(key, which);
            bool gone = draw(3) == 0;
            int64_t value = gone ? -1 : (int64_t)draw(1000);
            if (gone)
                sim_trace_set_null(t, key);
            else
                sim_trace_set_int(t, key, value);
            model.value[n][which] = value;
            model.setter[n][which] = n;
        }
        ck_assert_uint_eq(sim_trace_end(t), n);
    }
    return t;
}

static void check_key(const struct sim_facts *facts, uint64_t n, uint32_t key)
{
    char text[32];
    struct sim_fact fact;
    key_text(text, key);
    bool ever = sim_facts_get(facts, text, n, &fact);
    ck_assert_int_eq(ever, model.setter[n][key] != 0);
    if (ever) {
        ck_assert_uint_eq(fact.n, model.setter[n][key]);
        ck_assert_int_eq(fact.value.type == SIM_V_NULL, model.value[n][key] < 0);
        if (fact.value.type == SIM_V_INT)
            ck_assert_int_eq(fact.value.number, model.value[n][key]);
    }
    ck_assert_int_eq(sim_facts_have(facts, text, n, &fact), model.value[n][key] >= 0);
}

static void check_walk(const struct sim_facts *facts, uint64_t n, const char *prefix)
{
    struct sim_fact_walk walk = {0};
    struct sim_fact fact;
    uint32_t expected = 0, found = 0;
    char last[32] = "", text[32];
    for (uint32_t key = 0; key < KEYS; key++) {
        key_text(text, key);
        expected += model.value[n][key] >= 0 && strncmp(text, prefix, strlen(prefix)) == 0;
    }
    while (sim_facts_next(facts, prefix, n, &walk, &fact)) {
        ck_assert_int_lt(strcmp(last, fact.key), 0);
        strcpy(last, fact.key);
        found++;
    }
    ck_assert_uint_eq(found, expected);
}

START_TEST(facts_agree_with_a_fold)
{
    struct sim_trace *t = random_trace();
    struct sim_facts *facts = sim_facts_new(t);
    for (uint64_t n = 1; n <= RECORDS; n++) {
        for (uint32_t key = 0; key < KEYS; key++)
            check_key(facts, n, key);
        check_walk(facts, n, "");
        check_walk(facts, n, "zn:/a");
        check_walk(facts, n, "nothing");
    }
    sim_facts_free(facts);
    sim_trace_free(t);
}
END_TEST

/* Goal: facts that grow with their trace are those made at the end. */
START_TEST(facts_follow_a_growing_trace)
{
    struct sim_trace *t = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    struct sim_facts *facts = sim_facts_new(t);
    struct sim_fact fact;
    for (int64_t n = 1; n <= 50; n++) {
        char key[32];
        sprintf(key, "k%02d", (int)(50 - n));
        sim_trace_begin(t, SIM_K_MARK, n, SIM_LANE_WORLD, 0, 0);
        sim_trace_set_int(t, key, n);
        sim_trace_end(t);
        ck_assert(!sim_facts_get(facts, key, UINT64_MAX, &fact));
        sim_facts_update(facts);
        ck_assert(sim_facts_get(facts, key, UINT64_MAX, &fact));
        ck_assert_int_eq(fact.value.number, n);
        ck_assert_str_eq(sim_facts_key(facts, 0), key);
    }
    sim_facts_free(facts);
    sim_trace_free(t);
}
END_TEST

START_TEST(a_node_that_dies_forgets)
{
    struct hand h;
    struct sim_trace *t = hand_made(&h, true);
    struct sim_facts *facts = sim_facts_new(t);
    struct sim_fact fact;
    ck_assert(sim_facts_have(facts, "b.1.orders-0.leader", h.given, &fact));
    ck_assert(!sim_facts_have(facts, "b.1.orders-0.leader", h.fault, &fact));
    ck_assert(sim_facts_have(facts, "role.2", UINT64_MAX, &fact));
    ck_assert(sim_facts_have(facts, "ctx.2.li.orders-0", UINT64_MAX, &fact));
    ck_assert_uint_eq(fact.n, h.learn);
    sim_facts_free(facts);
    sim_trace_free(t);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("facts");
    TCase *tc = tcase_create("facts");
    tcase_add_test(tc, facts_agree_with_a_fold);
    tcase_add_test(tc, facts_follow_a_growing_trace);
    tcase_add_test(tc, a_node_that_dies_forgets);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
