/*
 * Causes in real runs: whatever a controller, ZooKeeper and three nodes do under five random
 * faults, every record leads back to a fault or to the start of a process, and what changed a
 * leader after the first fault leads back to a fault.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sim/diagnostics.h"
#include "sim/diff.h"
#include "sim/facts.h"
#include "sim/scenario.h"
#include "sim/trace.h"
#include "sim/why.h"
#include "sim/world.h"
#include "sim/znodes.h"

enum { SEEDS = 20 };

/* ZooKeeper out of the facts is the ZooKeeper of the world, stats of parents included. */
static void check_znodes(const struct sim_trace *trace, const struct kz_server *server)
{
    char path[KZ_PATH_MAX];
    struct sim_facts *facts = sim_facts_new(trace);
    for (const char *at = kz_server_next_path(server, NULL, path, sizeof(path)); at != NULL;
         at = kz_server_next_path(server, path, path, sizeof(path))) {
        struct wire_zk_stat stat;
        struct sim_znode znode;
        const uint8_t *data;
        uint32_t size;
        bool has_data;
        ck_assert(kz_server_get(server, at, &stat, &data, &size, &has_data));
        ck_assert_msg(sim_znode_get(facts, at, UINT64_MAX, &znode), "%s", at);
        ck_assert_int_eq(znode.data != NULL, has_data);
        ck_assert_uint_eq(znode.size, size);
        ck_assert(size == 0 || memcmp(znode.data, data, size) == 0);
        ck_assert_int_eq(znode.stat.czxid, stat.czxid);
        ck_assert_int_eq(znode.stat.mzxid, stat.mzxid);
        ck_assert_int_eq(znode.stat.version, stat.version);
        ck_assert_int_eq(znode.stat.ephemeral_owner, stat.ephemeral_owner);
        ck_assert_msg(znode.stat.num_children == stat.num_children, "%s", at);
        ck_assert_msg(znode.stat.cversion == stat.cversion, "%s: %d, not %d", at,
                      znode.stat.cversion, stat.cversion);
        ck_assert_msg(znode.stat.pzxid == stat.pzxid, "%s", at);
    }
    sim_facts_free(facts);
}

static struct sim_trace *run(uint64_t seed)
{
    struct sim_diagnostics diagnostics;
    sim_diagnostics_init(&diagnostics);
    struct sim_scenario *scenario =
        sim_scenario_load(KC_SOURCE_DIR "/tests/determinism/random-faults.yaml", &diagnostics);
    ck_assert_ptr_nonnull(scenario);
    sim_diagnostics_free(&diagnostics);
    struct sim_trace *trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    struct sim_world_options options = sim_world_options_default();
    options.seed = seed;
    options.trace = trace;
    struct sim_world *world = sim_world_new(&options);
    sim_trace_meta_begin(trace, seed, "2.8");
    sim_trace_end(trace);
    sim_world_load(world, scenario);
    ck_assert(sim_world_run(world, scenario->until_us));
    sim_trace_finish(trace, sim_world_now(world), "met");
    check_znodes(trace, sim_world_zookeeper(world));
    sim_world_free(world);
    sim_scenario_free(scenario);
    return trace;
}

static struct sim_record end_of(const struct sim_trace *trace, uint64_t n)
{
    struct sim_record r;
    ck_assert(sim_trace_get(trace, n, &r));
    while (r.kind != SIM_K_FAULT && sim_why_next(&r) != 0)
        ck_assert(sim_trace_get(trace, sim_why_next(&r), &r));
    return r;
}

static bool is_start(const struct sim_record *r)
{
    const char *what = sim_record_text(r, SIM_F_WHAT);
    return r->kind == SIM_K_META || r->kind == SIM_K_GIVEN || r->kind == SIM_K_FINISH ||
           (r->kind == SIM_K_SESSION && what != NULL && strcmp(what, "created") == 0);
}

START_TEST(every_chain_ends_at_a_fault_or_a_start)
{
    struct sim_trace *trace = run((uint64_t)_i + 1);
    for (uint64_t n = 1; n <= sim_trace_count(trace); n++) {
        struct sim_record end = end_of(trace, n);
        ck_assert_msg(end.kind == SIM_K_FAULT || is_start(&end),
                      "seed %d: record %u ends at %u, a %s", _i + 1, (unsigned)n, (unsigned)end.n,
                      sim_kind_name(end.kind));
    }
    sim_trace_free(trace);
}
END_TEST

/* Elections that need no fault. What a reassignment waits for is the growth of an ISR, and a full
   broker tells as the cause of that the LeaderAndIsr that made it the leader, not the fetch that
   caught up. QUESTION(broker). Preferred leaders are looked for by a timer that the controller's
   failover armed. */
static bool needs_no_fault(const struct sim_record *decide)
{
    static const char *const rules[] = {"ReassignPartitionLeaderElectionStrategy",
                                        "PreferredReplicaPartitionLeaderElectionStrategy"};
    const char *rule = sim_record_text(decide, SIM_F_RULE);
    return rule != NULL && (strcmp(rule, rules[0]) == 0 || strcmp(rule, rules[1]) == 0);
}

/* Goal: after the first fault there is no election but because of some fault. */
START_TEST(an_election_after_a_fault_is_held_because_of_one)
{
    struct sim_trace *trace = run((uint64_t)_i + 1);
    struct sim_record r;
    uint64_t first = 0;
    for (uint64_t n = 1; n <= sim_trace_count(trace); n++) {
        ck_assert(sim_trace_get(trace, n, &r));
        if (r.kind == SIM_K_FAULT && first == 0)
            first = n;
        if (r.kind != SIM_K_DECIDE || first == 0 || needs_no_fault(&r))
            continue;
        struct sim_record end = end_of(trace, n);
        ck_assert_msg(end.kind == SIM_K_FAULT, "seed %d: record %u ends at %u", _i + 1, (unsigned)n,
                      (unsigned)end.n);
    }
    ck_assert_uint_gt(first, 0);
    sim_trace_free(trace);
}
END_TEST

START_TEST(a_run_survives_a_round_trip)
{
    struct sim_trace *trace = run((uint64_t)_i + 1);
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    ck_assert(sim_trace_write(trace, file));
    long size = ftell(file);
    char *text = malloc((size_t)size);
    rewind(file);
    ck_assert_uint_eq(fread(text, 1, (size_t)size, file), (size_t)size);
    fclose(file);
    bool cut;
    struct sim_trace_error error;
    struct sim_trace *back = sim_trace_read(text, (size_t)size, &cut, &error);
    ck_assert_msg(back != NULL, "line %u: %s", error.line, error.text);
    ck_assert(!cut);
    ck_assert_uint_eq(sim_diff_first(trace, back, 1), 0);
    free(text);
    sim_trace_free(trace);
    sim_trace_free(back);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("why_runs");
    TCase *tc = tcase_create("why_runs");
    tcase_add_loop_test(tc, every_chain_ends_at_a_fault_or_a_start, 0, SEEDS);
    tcase_add_loop_test(tc, an_election_after_a_fault_is_held_because_of_one, 0, SEEDS);
    tcase_add_loop_test(tc, a_run_survives_a_round_trip, 0, 3);
    tcase_set_timeout(tc, 120);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
