/*
 * What the seed draws: as much as the scenario says, when it says, and each class by itself.
 *
 * Method: worlds are played, and their `fault` records are read. So what is tested is what was
 * done, not what was planned.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/chaos.h"
#include "sim/diagnostics.h"
#include "sim/scenario.h"
#include "sim/world.h"

enum { FROM = 2000000, UNTIL = 20000000, SESSION = 6000000, TEXT = 6000 };

#define CLUSTER                                                                                    \
    "title: t\n"                                                                                   \
    "cluster: {nodes: [1, 2, 3], behaviour: full,\n"                                               \
    "  properties: {zookeeper.session.timeout.ms: 6000}}\n"                                        \
    "topics: {t: {partitions: 2, replication-factor: 3}, u: {partitions: 1, "                      \
    "replication-factor: 2}}\n"                                                                    \
    "clients: [{produce: t, rate: 2/s, until: 30s}]\n"                                             \
    "until: 40s\n"

/* The faults of a run, one a line: "time verb hit…". */
struct faults {
    char text[TEXT];
    size_t size;
    uint32_t count, in_window, restarts_after;
};

static struct sim_scenario *parse(const char *random)
{
    char text[1000];
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    snprintf(text, sizeof(text), CLUSTER "%s\n", random);
    struct sim_scenario *s = sim_scenario_parse("t.yaml", text, strlen(text), &d);
    if (s == NULL)
        sim_diagnostics_print(&d, stderr, false);
    sim_diagnostics_free(&d);
    return s;
}

static void note(struct faults *f, const struct sim_record *r)
{
    struct sim_value verb;
    ck_assert(sim_record_get(r, SIM_F_VERB, &verb));
    bool restarts = strcmp(verb.text, "restart") == 0;
    if (strcmp(verb.text, "exit") == 0)
        return; /* no fault: who cannot register leaves */
    f->count++;
    f->in_window += r->t >= FROM && r->t <= UNTIL;
    f->restarts_after += r->t > UNTIL && restarts;
    f->size += (size_t)snprintf(f->text + f->size, TEXT - f->size, "%lld %s\n", (long long)r->t,
                                verb.text);
    ck_assert_uint_lt(f->size, TEXT);
}

static void run(const char *random, uint64_t seed, struct faults *f)
{
    struct sim_scenario *s = parse(random);
    ck_assert_ptr_nonnull(s);
    struct sim_trace *trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    struct sim_world_options options = sim_world_options_default();
    options.seed = seed;
    options.trace = trace;
    struct sim_world *w = sim_world_new(&options);
    sim_world_load(w, s);
    sim_world_run(w, 40000000);
    if (sim_world_error(w) != NULL)
        ck_abort_msg("seed %llu: %s", (unsigned long long)seed, sim_world_error(w));
    *f = (struct faults){0};
    for (uint64_t n = 1; n <= sim_trace_count(trace); n++) {
        struct sim_record r;
        ck_assert(sim_trace_get(trace, n, &r));
        if (r.kind == SIM_K_FAULT)
            note(f, &r);
    }
    /* By the end everybody is there: whoever was taken down has been started. */
    for (int32_t id = 1; id <= 3; id++)
        ck_assert_msg(sim_world_is_up(w, id), "seed %llu: node %d is down:\n%s",
                      (unsigned long long)seed, id, f->text);
    sim_world_free(w);
    sim_trace_free(trace);
    sim_scenario_free(s);
}

/* Goal: every class acts in some seed, within its time, and everybody is up in the end. */
START_TEST(every_class_acts_in_its_time)
{
    char random[200];
    uint32_t acted = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct faults f;
        snprintf(random, sizeof(random), "random: {faults: {%s: 2}, from: 2s, until: 20s}",
                 sim_chaos_name((enum sim_chaos)_i));
        run(random, seed, &f);
        acted += f.count;
        /* Behind the window come only the starts that end it, and what follows an operation. */
        ck_assert_uint_le(f.count, 2 * 6);
    }
    ck_assert_msg(acted > 0, "%s never acts", sim_chaos_name((enum sim_chaos)_i));
}
END_TEST

START_TEST(faults_keep_to_their_window)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct faults f;
        run("random: {faults: {kill: 3, pause: 2, hold: 3, partition: 2, expire: 2}, "
            "from: 2s, until: 20s}",
            seed, &f);
        ck_assert_msg(f.in_window + f.restarts_after == f.count, "seed %llu:\n%s",
                      (unsigned long long)seed, f.text);
    }
}
END_TEST

START_TEST(the_seed_decides_and_nothing_else)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct faults a, b, c;
        run("random: {faults: all, from: 2s, until: 20s}", seed, &a);
        run("random: {faults: all, from: 2s, until: 20s}", seed, &b);
        run("random: {faults: all, from: 2s, until: 20s}", seed + 100, &c);
        ck_assert_str_eq(a.text, b.text);
        ck_assert_str_ne(a.text, c.text);
    }
}
END_TEST

/* Goal: swarm switches each class off in about half of the seeds, each by itself. */
START_TEST(swarm_switches_classes_off_one_by_one)
{
    struct sim_random random = {.swarm = true};
    uint32_t off[SIM_CHAOS_END] = {0}, both = 0;
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        uint64_t mask = sim_chaos_off(&random, seed);
        for (int c = 0; c < SIM_CHAOS_END; c++)
            off[c] += (mask >> c & 1) != 0;
        both += (mask & 3) == 3;
    }
    for (int c = 0; c < SIM_CHAOS_END; c++)
        ck_assert_msg(off[c] > 430 && off[c] < 570, "%s is off %u times", sim_chaos_name(c),
                      off[c]);
    ck_assert_uint_gt(both, 190);
    ck_assert_uint_lt(both, 310);
    random.swarm = false;
    ck_assert_uint_eq(sim_chaos_off(&random, 1), 0);
}
END_TEST

/* Goal: a class draws the same whether others are on or off. Method: bounces at a time are where
   they were, with and without elections that change nothing. */
START_TEST(a_class_draws_by_itself)
{
    struct faults alone, with;
    uint32_t same = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        run("random: {faults: {lose-quorum: 2}, from: 2s, until: 20s}", seed, &alone);
        run("random: {faults: {lose-quorum: 2, alter-config: 0}, from: 2s, until: 20s}", seed,
            &with);
        ck_assert_str_eq(alone.text, with.text);
        run("random: {faults: {lose-quorum: 2, create-topic: 1}, from: 2s, until: 20s}", seed,
            &with);
        char *line = strtok(alone.text, "\n");
        same += line != NULL && strstr(with.text, line) != NULL;
    }
    ck_assert_uint_ge(same, 4); /* those at a time; a moment comes when it comes */
}
END_TEST

START_TEST(what_is_wrong_is_refused)
{
    static const char *const bad[] = {
        "random: {faults: some}",
        "random: {faults: {explode: 1}}",
        "random: {faults: {kill: -1}}",
        "random: {faults: {kill: 100000}}",
        "random: {from: 1s}",
        "random: {faults: all, swarm: maybe}",
        "random: {faults: all, from: 70s}",
        "random: {faults: all, from: 5s, until: 5s}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sim_diagnostics d;
        char text[1000];
        sim_diagnostics_init(&d);
        snprintf(text, sizeof(text), CLUSTER "%s\n", bad[i]);
        struct sim_scenario *s = sim_scenario_parse("t.yaml", text, strlen(text), &d);
        ck_assert_msg(s == NULL, "accepted: %s", bad[i]);
        ck_assert_uint_ge(d.errors, 1);
        sim_diagnostics_free(&d);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("what the seed draws");
    TCase *tc = tcase_create("drawn");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, every_class_acts_in_its_time, 0, SIM_CHAOS_END);
    tcase_add_test(tc, faults_keep_to_their_window);
    tcase_add_test(tc, the_seed_decides_and_nothing_else);
    tcase_add_test(tc, swarm_switches_classes_off_one_by_one);
    tcase_add_test(tc, a_class_draws_by_itself);
    tcase_add_test(tc, what_is_wrong_is_refused);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
