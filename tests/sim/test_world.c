/*
 * The world: processes, connections and faults, each told as a scenario and played with the real
 * controller. What is looked at is where the cluster stands, and what the trace says of it.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/diagnostics.h"
#include "sim/scenario.h"
#include "sim/trace.h"
#include "sim/world.h"
#include "statemachine/znode.h"

#define SECOND ((int64_t)1000000)
#define TOPIC "topics: {t: {assignment: {0: [1, 2, 3], 1: [2, 3, 1], 2: [3, 1, 2]}}}\n"
#define CLUSTER                                                                                    \
    "title: t\n"                                                                                   \
    "cluster: {nodes: [1, 2, 3], properties: {zookeeper.session.timeout.ms: 6000}}\n" TOPIC
#define SCRIPTED                                                                                   \
    "title: t\n"                                                                                   \
    "cluster: {nodes: [1, 2, 3], behaviour: scripted,"                                             \
    " properties: {zookeeper.session.timeout.ms: 6000}}\n" TOPIC

static struct sim_diagnostics diagnostics;
static struct sim_scenario *scenario;
static struct sim_trace *trace;
static struct sim_world *world;

/* Loads the text (CLUSTER and steps) under a seed; nothing has happened yet. */
static void load(const char *text, uint64_t seed)
{
    struct sim_world_options options = sim_world_options_default();
    sim_diagnostics_init(&diagnostics);
    scenario = sim_scenario_parse("test.yaml", text, strlen(text), &diagnostics);
    if (scenario == NULL)
        sim_diagnostics_print(&diagnostics, stderr, false);
    ck_assert_ptr_nonnull(scenario);
    trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    sim_trace_meta_begin(trace, seed, NULL);
    sim_trace_end(trace);
    options.trace = trace;
    options.seed = seed;
    world = sim_world_new(&options);
    sim_world_load(world, scenario);
}

/* Plays it until nothing is left to do, at most ten minutes of virtual time. */
static void finish(void)
{
    while (!sim_world_is_over(world) && sim_world_now(world) < 600 * SECOND)
        if (!sim_world_step(world))
            break;
    ck_assert_ptr_null(sim_world_error(world));
    ck_assert(sim_world_is_over(world));
}

static void play(const char *text)
{
    load(text, 1);
    finish();
}

static void setup(void)
{
    scenario = NULL;
    trace = NULL;
    world = NULL;
}

static void teardown(void)
{
    sim_world_free(world);
    sim_trace_free(trace);
    sim_scenario_free(scenario);
    sim_diagnostics_free(&diagnostics);
}

static int actives(void)
{
    int count = 0;
    for (int32_t id = 1; id <= 3; id++) {
        const struct kc_controller *c = sim_world_controller(world, id);
        count += c != NULL && kc_controller_is_active(c);
    }
    return count;
}

static int32_t epoch(void)
{
    int32_t id = sim_world_active(world);
    ck_assert_int_ge(id, 0);
    return kc_controller_epoch(sim_world_controller(world, id));
}

static struct sm_leader_and_isr state(int32_t partition)
{
    char path[SM_PATH_MAX];
    struct sm_leader_and_isr li;
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    sm_path_partition_state(path, "t", partition);
    ck_assert(kz_server_get(sim_world_zookeeper(world), path, &stat, &data, &size, &has_data));
    ck_assert_int_eq(sm_znode_decode_state((const char *)data, size, stat.version, &li), SM_ERR_OK);
    return li;
}

/* Counts records of a kind whose text field has that value. */
static int count(enum sim_kind kind, enum sim_field field, const char *text)
{
    struct sim_record r;
    int n = 0;
    for (uint64_t i = 1; i <= sim_trace_count(trace); i++)
        if (sim_trace_get(trace, i, &r) && r.kind == kind) {
            const char *value = sim_record_text(&r, field);
            n += value != NULL && strcmp(value, text) == 0;
        }
    return n;
}

START_TEST(a_cluster_starts_with_one_controller_and_full_isrs)
{
    play(CLUSTER);
    ck_assert_int_eq(sim_world_active(world), 1);
    ck_assert_int_eq(actives(), 1);
    ck_assert_int_eq(epoch(), 1);
    for (int32_t p = 0; p < 3; p++) {
        ck_assert_int_eq(state(p).leader, p + 1);
        ck_assert_int_eq(state(p).isr.count, 3);
    }
}
END_TEST

START_TEST(a_killed_controller_is_replaced_when_its_session_expires)
{
    play(CLUSTER "steps: [{at: 1s, kill: controller}]\n");
    ck_assert_int_eq(sim_world_active(world), 2);
    ck_assert_int_eq(epoch(), 2);
    ck_assert_int_eq(state(0).leader, 2);
    ck_assert(!sim_world_is_up(world, 1));
    ck_assert_int_ge(sim_world_now(world), 7 * SECOND);
    ck_assert_int_eq(count(SIM_K_SESSION, SIM_F_WHAT, "expired"), 1);
}
END_TEST

START_TEST(a_clean_stop_is_noticed_at_once)
{
    play(CLUSTER "steps: [{at: 1s, stop: 1}]\n");
    ck_assert_int_eq(sim_world_active(world), 2);
    ck_assert_int_lt(sim_world_now(world), 2 * SECOND);
}
END_TEST

START_TEST(a_controlled_shutdown_hands_leadership_over_first)
{
    play(CLUSTER "steps: [{at: 1s, shutdown: 3}]\n");
    ck_assert(!sim_world_is_up(world, 3));
    ck_assert_int_eq(state(2).leader, 1);
    ck_assert_int_eq(state(2).leader_epoch, 1);
    ck_assert_int_eq(count(SIM_K_RECV, SIM_F_API, "ControlledShutdown"), 2);
}
END_TEST

/* Goal: what comes during a short pause waits, and nothing is lost. */
START_TEST(a_short_pause_changes_nothing)
{
    play(CLUSTER "steps: [{at: 1s, pause: 1, for: 3s}, {at: 2s, create-topic: u, partitions: 2,"
                 " replication-factor: 2}]\n");
    ck_assert_int_eq(sim_world_active(world), 1);
    ck_assert_int_eq(epoch(), 1);
    ck_assert_int_eq(kc_partition_state(sim_world_controller(world, 1), "u", 1),
                     SM_PARTITION_ONLINE);
}
END_TEST

/* Goal: a controller that stood still too long finds its session gone, and resigns. */
START_TEST(a_long_pause_costs_the_session)
{
    play(CLUSTER "steps: [{at: 1s, pause: 1, for: 20s}]\n");
    ck_assert_int_eq(sim_world_active(world), 2);
    ck_assert_int_eq(actives(), 1);
    ck_assert_int_eq(epoch(), 2);
    ck_assert(sim_world_is_registered(world, 1));
    ck_assert_int_eq(state(0).leader, 2);
}
END_TEST

START_TEST(a_restart_before_the_old_session_has_expired_fails_as_in_kafka)
{
    play(CLUSTER "steps: [{at: 1s, kill: 3}, {at: 2s, restart: 3}]\n");
    ck_assert(!sim_world_is_up(world, 3));
    ck_assert_int_eq(count(SIM_K_FAULT, SIM_F_VERB, "exit"), 1);
}
END_TEST

START_TEST(a_bounced_broker_has_a_new_epoch)
{
    load(CLUSTER "steps: [{at: 1s, bounce: 3}]\n", 1);
    ck_assert(sim_world_run(world, SECOND / 2));
    int64_t before = sim_world_broker_epoch(world, 3);
    finish();
    ck_assert_int_gt(sim_world_broker_epoch(world, 3), before);
    ck_assert_int_eq(sim_world_active(world), 1);
}
END_TEST

/* ---- ZooKeeper ---- */

START_TEST(an_expired_session_moves_the_role_and_comes_back)
{
    play(CLUSTER "steps: [{at: 1s, expire: controller}]\n");
    ck_assert_int_eq(epoch(), 2);
    ck_assert_int_eq(actives(), 1);
    for (int32_t id = 1; id <= 3; id++)
        ck_assert(sim_world_is_registered(world, id));
}
END_TEST

START_TEST(a_cut_connection_is_made_again)
{
    play(CLUSTER "steps: [{at: 1s, disconnect: all}]\n");
    ck_assert_int_eq(sim_world_active(world), 1);
    ck_assert_int_eq(epoch(), 1);
    ck_assert_int_eq(count(SIM_K_SESSION, SIM_F_WHAT, "expired"), 0);
}
END_TEST

/* Goal: a write whose reply was lost is sent again and finds its earlier self; the state is right.
 */
START_TEST(a_lost_reply_is_asked_for_again)
{
    play(CLUSTER "steps: [{at: 1s, fail: 1, applied: true},"
                 " {at: 1001ms, create-topic: u, partitions: 3, replication-factor: 3}]\n");
    for (int32_t p = 0; p < 3; p++)
        ck_assert_int_eq(kc_partition_state(sim_world_controller(world, 1), "u", p),
                         SM_PARTITION_ONLINE);
    ck_assert_int_ge(count(SIM_K_SESSION, SIM_F_WHAT, "disconnected"), 1);
}
END_TEST

START_TEST(a_lost_request_is_sent_again)
{
    play(CLUSTER "steps: [{at: 1s, fail: 1},"
                 " {at: 1001ms, create-topic: u, partitions: 3, replication-factor: 3}]\n");
    ck_assert_int_eq(kc_partition_state(sim_world_controller(world, 1), "u", 2),
                     SM_PARTITION_ONLINE);
}
END_TEST

START_TEST(nobody_expires_while_the_quorum_is_lost)
{
    play(CLUSTER "steps: [{at: 1s, lose-quorum: true, for: 30s}]\n");
    ck_assert_int_eq(actives(), 1);
    ck_assert_int_eq(epoch(), 1);
}
END_TEST

START_TEST(servers_that_lag_slow_nobody_for_ever)
{
    play("title: t\ncluster: {nodes: [1, 2, 3], zookeeper: {servers: 3, lag: 200ms},"
         " properties: {zookeeper.session.timeout.ms: 6000}}\n"
         "topics: {t: {assignment: {0: [1, 2, 3]}}}\n"
         "steps: [{at: 1s, kill: 1}]\n");
    ck_assert_int_eq(actives(), 1);
    ck_assert_int_eq(state(0).leader, sim_world_active(world) == 2 ? 2 : state(0).leader);
    ck_assert_int_ne(state(0).leader, 1);
}
END_TEST

/* ---- the network ---- */

/* Goal: a controller cut off from ZooKeeper loses its role, and learns it when it is back. */
START_TEST(a_partition_from_zookeeper_costs_the_session)
{
    play(CLUSTER "steps: [{at: 1s, partition: [1, zookeeper], for: 20s}]\n");
    ck_assert_int_eq(sim_world_active(world), 2);
    ck_assert_int_eq(actives(), 1);
    ck_assert(sim_world_is_registered(world, 1));
}
END_TEST

START_TEST(a_partition_between_brokers_only_delays_requests)
{
    play(CLUSTER "steps: [{at: 1s, partition: [1, 2], for: 5s},"
                 " {at: 2s, create-topic: u, partitions: 3, replication-factor: 3}]\n");
    ck_assert_int_eq(epoch(), 1);
    ck_assert_int_eq(sim_world_active(world), 1);
}
END_TEST

START_TEST(held_messages_go_on_when_released)
{
    play(CLUSTER "steps: [{at: 1s, as: h, hold: {from: 1, to: 2, api: LeaderAndIsr}},"
                 " {at: 2s, create-topic: u, assignment: {0: [2, 3]}}, {at: 5s, release: '*h'}]\n");
    struct sim_record r;
    int64_t arrived = 0;
    for (uint64_t i = 1; i <= sim_trace_count(trace); i++)
        if (sim_trace_get(trace, i, &r) && r.kind == SIM_K_RECV && r.at == SIM_LANE_CONTROLLER(2))
            arrived = r.t;
        else if (sim_trace_get(trace, i, &r) && r.kind == SIM_K_RECV && r.at == SIM_LANE_BROKER(2))
            arrived = r.t;
    ck_assert_int_ge(arrived, 5 * SECOND);
}
END_TEST

START_TEST(a_dropped_request_is_sent_again)
{
    play(CLUSTER "steps: [{at: 1s, drop: {from: 1, to: 2, api: LeaderAndIsr, nth: 1}},"
                 " {at: 2s, create-topic: u, assignment: {0: [2, 3]}}]\n");
    ck_assert_int_eq(count(SIM_K_DROP, SIM_F_WHY, "dropped"), 1);
    ck_assert_int_eq(kc_partition_state(sim_world_controller(world, 1), "u", 0),
                     SM_PARTITION_ONLINE);
}
END_TEST

START_TEST(a_degraded_channel_is_slower)
{
    play(CLUSTER "steps: [{at: 1s, degrade: {from: 1, to: 2}, latency: 3s},"
                 " {at: 2s, create-topic: u, assignment: {0: [2, 3]}}]\n");
    ck_assert_int_ge(sim_world_now(world), 5 * SECOND);
}
END_TEST

/* ---- answers ---- */

START_TEST(a_hanging_broker_is_asked_again_after_the_timeout)
{
    play(CLUSTER "steps: [{at: 1s, answer: 2, api: LeaderAndIsr, outcome: hang, count: 1},"
                 " {at: 2s, create-topic: u, assignment: {0: [2, 3]}}]\n");
    ck_assert_int_ge(sim_world_now(world), 32 * SECOND);
    ck_assert_int_eq(count(SIM_K_TIMER, SIM_F_NAME, "request timeout"), 1);
}
END_TEST

START_TEST(a_failed_log_dir_makes_the_replica_offline)
{
    play(SCRIPTED "steps: [{at: 1s, fail-log-dir: 1, partitions: [t-0]}]\n");
    ck_assert_int_eq(state(0).leader, 2);
    ck_assert_int_eq(kc_replica_state(sim_world_controller(world, 1), "t", 0, 1),
                     SM_REPLICA_OFFLINE);
}
END_TEST

START_TEST(a_blocked_controller_thread_takes_nothing)
{
    load(CLUSTER "steps: [{at: 1s, block: 1}, {at: 2s, kill: 3}, {at: 30s, unblock: 1}]\n", 1);
    ck_assert(sim_world_run(world, 29 * SECOND));
    ck_assert_int_eq(state(2).leader, 3);
    finish();
    ck_assert_int_eq(state(2).leader, 1);
}
END_TEST

/* ---- patterns and their sides ---- */

START_TEST(a_step_fires_on_the_nth_record)
{
    play(CLUSTER
         "steps: [{at: 1s, kill: 3}, {when: {event: queue, what: start, name: BrokerChange},"
         " as: k, kill: leader of t-0}, {after: k +20s, restart: 1}]\n");
    ck_assert_int_eq(sim_world_never_fired(world), 0);
    ck_assert_int_eq(sim_world_active(world), 2);
    ck_assert(sim_world_is_up(world, 1));
}
END_TEST

START_TEST(a_pattern_that_never_comes_is_known)
{
    play(CLUSTER "steps: [{at: 1s, pause: 2, for: 1s},"
                 " {when: {event: fault, verb: expire}, kill: 1}]\n");
    ck_assert_uint_eq(sim_world_never_fired(world), 2);
}
END_TEST

/* Method: the controller dies before its second LeaderAndIsr to broker 2 leaves: it is never
   handled, though the batch was complete. */
START_TEST(a_step_acts_before_the_message_leaves)
{
    struct sim_record r;
    bool applied = false;
    load(CLUSTER "steps: [{at: 1s, create-topic: u, assignment: {0: [2, 3]}},"
                 " {when: {event: send, node: 1, api: LeaderAndIsr, to: b2, side: before, nth: 2}, "
                 "kill: 1}]\n",
         1);
    finish();
    for (uint64_t i = 1; i <= sim_trace_count(trace); i++)
        applied |= sim_trace_get(trace, i, &r) && r.kind == SIM_K_DROP;
    ck_assert_uint_eq(sim_world_never_fired(world), 0);
    ck_assert(applied);
}
END_TEST

START_TEST(a_reply_may_be_lost_once_the_request_is_applied)
{
    play(CLUSTER
         "steps: [{when: {event: zreq, node: 1, op: multi, side: applied-reply-lost, nth: 2},"
         " disconnect: 1}]\n");
    ck_assert_uint_eq(sim_world_never_fired(world), 0);
    ck_assert_int_eq(actives(), 1);
    ck_assert_int_ge(count(SIM_K_SESSION, SIM_F_WHAT, "disconnected"), 1);
}
END_TEST

/* ---- operators ---- */

START_TEST(topics_come_grow_and_go)
{
    play(CLUSTER "steps: [{at: 1s, create-topic: u, partitions: 2, replication-factor: 2},"
                 " {at: 2s, add-partitions: u, partitions: 4}, {at: 3s, delete-topic: t}]\n");
    ck_assert_int_eq(kc_partition_state(sim_world_controller(world, 1), "u", 3),
                     SM_PARTITION_ONLINE);
    ck_assert_int_eq(kc_partition_state(sim_world_controller(world, 1), "t", 0), SM_PARTITION_NONE);
}
END_TEST

START_TEST(a_call_finds_the_next_controller)
{
    play(CLUSTER "steps: [{at: 1s, kill: 1}, {at: 2s, elect-leaders: {partitions:"
                 " [{topic: t, partition: 1}]}}]\n");
    ck_assert_int_eq(sim_world_active(world), 2);
    ck_assert_int_eq(count(SIM_K_RECV, SIM_F_API, "ElectLeaders"), 2);
}
END_TEST

/* ---- limits and memory ---- */

/* Goal: blocks grow as they must; 3,000 partitions over the smallest limits. */
START_TEST(blocks_grow_with_the_cluster)
{
    play(
        "title: t\ncluster: {nodes: [1, 2, 3], properties: {zookeeper.session.timeout.ms: 18000}}\n"
        "topics: {'t-{1..30}': {partitions: 100, replication-factor: 3}}\n"
        "steps: [{at: 100s, move-controller: true}]\n");
    ck_assert_int_eq(epoch(), 2);
    struct kc_metrics m =
        kc_controller_metrics(sim_world_controller(world, sim_world_active(world)));
    ck_assert_int_eq(m.global_partition_count, 3000);
    ck_assert_int_eq(m.offline_partitions_count, 0);
}
END_TEST

/* Goal: same seed, same digest; another seed, another one. */
START_TEST(a_seed_decides_everything)
{
    static const char *const text =
        CLUSTER "random: {faults: {kill: 1, restart: 1, expire: 1, pause: 1, drop: 1},"
                " from: 1s, until: 30s}\n";
    uint64_t digests[3];
    const uint64_t seeds[] = {(uint64_t)_i + 2, (uint64_t)_i + 2, (uint64_t)_i + 1000};
    for (int i = 0; i < 3; i++) {
        load(text, seeds[i]);
        finish();
        digests[i] = sim_trace_digest(trace);
        teardown();
        setup();
    }
    ck_assert(digests[0] == digests[1]);
    ck_assert(digests[0] != digests[2]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("world");
    TCase *tc = tcase_create("world");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_cluster_starts_with_one_controller_and_full_isrs);
    tcase_add_test(tc, a_killed_controller_is_replaced_when_its_session_expires);
    tcase_add_test(tc, a_clean_stop_is_noticed_at_once);
    tcase_add_test(tc, a_controlled_shutdown_hands_leadership_over_first);
    tcase_add_test(tc, a_short_pause_changes_nothing);
    tcase_add_test(tc, a_long_pause_costs_the_session);
    tcase_add_test(tc, a_restart_before_the_old_session_has_expired_fails_as_in_kafka);
    tcase_add_test(tc, a_bounced_broker_has_a_new_epoch);
    tcase_add_test(tc, an_expired_session_moves_the_role_and_comes_back);
    tcase_add_test(tc, a_cut_connection_is_made_again);
    tcase_add_test(tc, a_lost_reply_is_asked_for_again);
    tcase_add_test(tc, a_lost_request_is_sent_again);
    tcase_add_test(tc, nobody_expires_while_the_quorum_is_lost);
    tcase_add_test(tc, servers_that_lag_slow_nobody_for_ever);
    tcase_add_test(tc, a_partition_from_zookeeper_costs_the_session);
    tcase_add_test(tc, a_partition_between_brokers_only_delays_requests);
    tcase_add_test(tc, held_messages_go_on_when_released);
    tcase_add_test(tc, a_dropped_request_is_sent_again);
    tcase_add_test(tc, a_degraded_channel_is_slower);
    tcase_add_test(tc, a_hanging_broker_is_asked_again_after_the_timeout);
    tcase_add_test(tc, a_failed_log_dir_makes_the_replica_offline);
    tcase_add_test(tc, a_blocked_controller_thread_takes_nothing);
    tcase_add_test(tc, a_step_fires_on_the_nth_record);
    tcase_add_test(tc, a_pattern_that_never_comes_is_known);
    tcase_add_test(tc, a_step_acts_before_the_message_leaves);
    tcase_add_test(tc, a_reply_may_be_lost_once_the_request_is_applied);
    tcase_add_test(tc, topics_come_grow_and_go);
    tcase_add_test(tc, a_call_finds_the_next_controller);
    tcase_add_test(tc, blocks_grow_with_the_cluster);
    tcase_add_loop_test(tc, a_seed_decides_everything, 0, 20);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
