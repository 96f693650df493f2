/*
 * Worlds of full brokers: the controller's requests reach brokers that host logs, followers fetch
 * over the simulated network, and the ISR is the brokers' own business.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/replicas.h"
#include "sim/diagnostics.h"
#include "sim/keeper.h"
#include "sim/scenario.h"
#include "sim/trace.h"
#include "sim/world.h"
#include "sim/world_client.h"

#define SECOND ((int64_t)1000000)
#define STATE  "/brokers/topics/t/partitions/0/state"
#define CLUSTER                                                                                    \
    "title: t\n"                                                                                   \
    "cluster: {nodes: [1, 2, 3], behaviour: full,\n"                                               \
    "  properties: {zookeeper.session.timeout.ms: 6000}}\n"                                        \
    "topics: {t: {assignment: {0: [2, 3, 1], 1: [3, 1, 2]}}}\n"

static struct sim_diagnostics diagnostics;
static struct sim_scenario *scenario;
static struct sim_trace *trace;
static struct sim_world *world;

static void load(const char *text)
{
    struct sim_world_options options = sim_world_options_default();
    sim_diagnostics_init(&diagnostics);
    scenario = sim_scenario_parse("test.yaml", text, strlen(text), &diagnostics);
    if (scenario == NULL)
        sim_diagnostics_print(&diagnostics, stderr, false);
    ck_assert_ptr_nonnull(scenario);
    options.seed = 1;
    trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    options.trace = trace;
    world = sim_world_new(&options);
    sim_world_load(world, scenario);
}

static void run(int64_t for_us)
{
    sim_world_run(world, sim_world_now(world) + for_us);
    if (sim_world_error(world) != NULL)
        ck_abort_msg("%s", sim_world_error(world));
    for (int32_t id = 1; id <= 3; id++)
        kb_replicas_check(sim_world_replicas(world, id));
}

static void setup(void)
{
    scenario = NULL;
    world = NULL;
    trace = NULL;
}

static void teardown(void)
{
    sim_world_free(world);
    sim_trace_free(trace);
    sim_scenario_free(scenario);
    sim_diagnostics_free(&diagnostics);
}

static const char *state(void)
{
    static char text[256];
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    if (!kz_server_get(sim_world_zookeeper(world), STATE, &stat, &data, &size, &has_data))
        return "(none)";
    snprintf(text, sizeof text, "%.*s", (int)size, (const char *)data);
    return text;
}

static struct kb_partition_view view(int32_t id)
{
    struct kb_partition_view v;
    ck_assert(kb_partition(sim_world_replicas(world, id), "t", 0, &v));
    return v;
}

START_TEST(brokers_host_what_the_controller_tells_them)
{
    load(CLUSTER);
    run(10 * SECOND);
    for (int32_t id = 1; id <= 3; id++) {
        ck_assert_int_eq(view(id).hosted, KB_ONLINE);
        ck_assert_int_eq(view(id).leader, 2);
        ck_assert_int_eq(view(id).fetch_state, id == 2 ? KB_NOT_FETCHING : KB_FETCHING);
        ck_assert_uint_eq(kb_hosted_count(sim_world_replicas(world, id)), 2);
    }
    ck_assert(sim_world_is_quiet(world)); /* though followers go on asking */
}
END_TEST

/* A scripted broker never joins an ISR again; a full one does, by its leader's write. */
START_TEST(who_comes_back_is_in_sync_again)
{
    load(CLUSTER);
    run(10 * SECOND);
    sim_world_kill(world, 3, SIM_SESSION_EXPIRES, 0);
    run(15 * SECOND);
    ck_assert_ptr_nonnull(strstr(state(), "\"isr\":[2,1]"));
    sim_world_start(world, 3, 0);
    run(20 * SECOND);
    ck_assert_ptr_nonnull(strstr(state(), "\"isr\":[2,1,3]"));
    ck_assert_int_eq(view(3).fetch_state, KB_FETCHING);
}
END_TEST

START_TEST(another_leads_when_the_leader_dies)
{
    load(CLUSTER);
    run(10 * SECOND);
    sim_world_kill(world, 2, SIM_SESSION_CLOSED, 0);
    run(5 * SECOND);
    ck_assert_int_eq(view(3).leader, 3);
    ck_assert_int_eq(view(1).leader, 3);
    ck_assert_int_eq(view(1).fetch_state, KB_FETCHING);
    sim_world_start(world, 2, 0);
    run(20 * SECOND);
    ck_assert_ptr_nonnull(strstr(state(), "\"leader\":3"));
    ck_assert_ptr_nonnull(strstr(state(), "\"isr\":[3,1,2]"));
}
END_TEST

START_TEST(the_controller_dies_and_its_successor_is_heard)
{
    load(CLUSTER);
    run(10 * SECOND);
    sim_world_kill(world, 1, SIM_SESSION_CLOSED, 0);
    run(10 * SECOND);
    sim_world_start(world, 1, 0);
    run(20 * SECOND);
    for (int32_t id = 1; id <= 3; id++)
        ck_assert_int_eq(kb_controller_epoch(sim_world_replicas(world, id)), 2);
    ck_assert_ptr_nonnull(strstr(state(), "\"isr\":[2,3,1]"));
}
END_TEST

/* ---- log directories ---- */

#define TWO_DISKS                                                                                  \
    "title: t\ncluster: {nodes: [1, 2, 3], properties: {log.dirs: \"/a,/b\"}}\n"                   \
    "topics: {t: {assignment: {0: [2, 3, 1], 1: [2, 1, 3]}}}\n"

/* Goal: a broker with a disk left lives on, and leads what lies on that one. */
START_TEST(a_failed_log_dir_takes_its_partitions_and_no_others)
{
    load(TWO_DISKS "steps: [{at: 5s, fail-log-dir: 2, partitions: [t-0]}]\n");
    run(15 * SECOND);
    ck_assert(sim_world_is_up(world, 2));
    ck_assert_int_eq(view(2).hosted, KB_OFFLINE);
    ck_assert_int_eq(view(3).leader, 3);
    ck_assert_ptr_nonnull(strstr(state(), "\"isr\":[3,1]"));
    ck_assert(kb_is_leader(sim_world_replicas(world, 2), "t", 1));
}
END_TEST

START_TEST(with_its_last_log_dir_a_broker_ends)
{
    load(CLUSTER "steps: [{at: 5s, fail-log-dir: 2}]\n");
    run(20 * SECOND);
    ck_assert(!sim_world_is_up(world, 2));
    ck_assert_int_eq(view(3).leader, 3);
}
END_TEST

/* Goal: what was broken is whole after the next start, if the step says for how long it is. */
START_TEST(a_repaired_log_dir_is_used_again)
{
    load(TWO_DISKS "steps: [{at: 5s, fail-log-dir: 2, partitions: [t-0], for: 5s}]\n");
    run(15 * SECOND);
    sim_world_kill(world, 2, SIM_SESSION_CLOSED, 0);
    sim_world_start(world, 2, 0);
    run(20 * SECOND);
    ck_assert_int_eq(view(2).hosted, KB_ONLINE);
    ck_assert_ptr_nonnull(strstr(state(), "\"isr\":[3,1,2]"));
}
END_TEST

/* ---- the trace ---- */

static uint64_t count(enum sim_kind kind, enum sim_field field, const char *text)
{
    uint64_t found = 0;
    for (uint64_t n = 1; n <= sim_trace_count(trace); n++) {
        struct sim_record r;
        ck_assert(sim_trace_get(trace, n, &r));
        const char *have = sim_record_text(&r, field);
        found += r.kind == kind && have != NULL && strcmp(have, text) == 0;
    }
    return found;
}

/* Goal: fetchers ask twice a second for ever; what they have nothing to say about is not there. */
START_TEST(fetches_that_change_nothing_leave_no_record)
{
    load(CLUSTER);
    run(10 * SECOND);
    uint64_t before = sim_trace_count(trace);
    uint64_t fetches = count(SIM_K_RECV, SIM_F_API, "Fetch");
    ck_assert_uint_gt(fetches, 0); /* the first of a session names what it wants */
    run(60 * SECOND);
    ck_assert_uint_eq(sim_trace_count(trace), before);
}
END_TEST

START_TEST(a_replica_tells_its_part_and_its_log)
{
    load(CLUSTER);
    run(10 * SECOND);
    ck_assert_uint_eq(count(SIM_K_REPLICA, SIM_F_WHAT, "leader"), 2);
    ck_assert_uint_eq(count(SIM_K_REPLICA, SIM_F_WHAT, "follower"), 4);
    ck_assert_uint_gt(sim_trace_last_setter(trace, "b.2.t-0.hw"), 0);
    ck_assert_uint_gt(sim_trace_last_setter(trace, "b.1.t-0.fetch"), 0);
    ck_assert_uint_eq(sim_trace_last_setter(trace, "b.2.t-0.fetch"), 0);
}
END_TEST

/* Goal: a leader that cannot be heard is given up, and its silence is explained. */
START_TEST(a_follower_gives_up_what_is_never_answered)
{
    load(CLUSTER "steps: [{at: 5s, as: cut, hold: {from: 2, to: 1, api: Fetch}}]\n");
    run(60 * SECOND);
    ck_assert_uint_ge(count(SIM_K_TIMER, SIM_F_NAME, "replica.socket.timeout.ms"), 1);
    for (uint64_t n = 1; n <= sim_trace_count(trace); n++) {
        struct sim_record r, cause;
        ck_assert(sim_trace_get(trace, n, &r));
        const char *name = sim_record_text(&r, SIM_F_NAME);
        if (r.kind != SIM_K_TIMER || name == NULL ||
            strcmp(name, "replica.socket.timeout.ms") != 0)
            continue;
        ck_assert(sim_trace_get(trace, r.mute, &cause));
        ck_assert_int_eq(cause.kind, SIM_K_FAULT);
    }
}
END_TEST

static uint64_t digest_after(const char *text)
{
    load(text);
    run(10 * SECOND);
    sim_world_kill(world, 2, SIM_SESSION_EXPIRES, 0);
    run(13 * SECOND);
    sim_world_start(world, 2, 0);
    run(13 * SECOND);
    uint64_t digest = 0;
    for (int32_t id = 1; id <= 3; id++)
        digest =
            digest * 31 + kb_replicas_digest(sim_world_replicas(world, id), sim_world_now(world));
    return digest * 31 + sim_trace_digest(trace);
}

START_TEST(the_same_again_is_the_same)
{
    uint64_t first = digest_after(CLUSTER);
    teardown();
    ck_assert_uint_eq(digest_after(CLUSTER), first);
}
END_TEST

/* Goal: the run does not end in the instant in which the last consumer starts, before it has asked
   for the beginning of its partitions. */
START_TEST(quiet_waits_for_a_consumer_that_has_just_begun)
{
    load(CLUSTER "clients:\n"
                 "  - {produce: t, partition: 0, count: 3, from: 5s}\n"
                 "  - {consume: t, from: 60s}\n"
                 "until: quiet\n");
    while (!sim_world_is_over(world) && sim_world_now(world) < 70 * SECOND)
        ck_assert(sim_world_step(world));
    ck_assert(sim_world_is_over(world));
    ck_assert_uint_eq(sim_client_counts(world, 1).read, 3);
}
END_TEST

/* A message may be under way longer than any log has its batch: what a follower keeps then is the
   record that its leader had, also to whoever compares handles. */
START_TEST(bytes_that_come_again_get_the_handle_that_they_had)
{
    static const uint8_t a[24] = {[20] = 'a'}, b[24] = {[20] = 'b'};
    struct sim_keeper *keeper = sim_keeper_new();
    struct kb_payloads p = sim_keeper_payloads(keeper);
    uint64_t first = p.keep(p.context, a, sizeof(a)), other = p.keep(p.context, b, sizeof(b));
    size_t size;

    ck_assert_uint_ne(first, other);
    p.refer(p.context, first, 1);
    p.refer(p.context, first, -1);
    sim_keeper_sweep(keeper);
    ck_assert_uint_eq(sim_keeper_count(keeper), 0);
    ck_assert_ptr_null(p.bytes_of(p.context, first, &size));
    ck_assert_uint_eq(p.keep(p.context, a, sizeof(a)), first);
    ck_assert_uint_eq(p.keep(p.context, a, sizeof(a)), first);
    ck_assert_mem_eq(p.bytes_of(p.context, first, &size), a, sizeof(a));
    ck_assert_uint_eq(sim_keeper_count(keeper), 1);
    ck_assert_ptr_null(p.bytes_of(p.context, other, &size));
    sim_keeper_free(keeper);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("world, full brokers");
    TCase *c = tcase_create("full");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, brokers_host_what_the_controller_tells_them);
    tcase_add_test(c, who_comes_back_is_in_sync_again);
    tcase_add_test(c, another_leads_when_the_leader_dies);
    tcase_add_test(c, the_controller_dies_and_its_successor_is_heard);
    tcase_add_test(c, a_failed_log_dir_takes_its_partitions_and_no_others);
    tcase_add_test(c, with_its_last_log_dir_a_broker_ends);
    tcase_add_test(c, a_repaired_log_dir_is_used_again);
    tcase_add_test(c, fetches_that_change_nothing_leave_no_record);
    tcase_add_test(c, a_replica_tells_its_part_and_its_log);
    tcase_add_test(c, a_follower_gives_up_what_is_never_answered);
    tcase_add_test(c, the_same_again_is_the_same);
    tcase_add_test(c, quiet_waits_for_a_consumer_that_has_just_begun);
    tcase_add_test(c, bytes_that_come_again_get_the_handle_that_they_had);
    tcase_set_timeout(c, 60);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
