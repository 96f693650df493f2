/*
 * Every fault of the language, on every channel that it can act on: what must come of it, and what
 * must not, told by the trace and by what brokers, clients and ZooKeeper hold afterwards.
 *
 * Method: a row is the steps of a scenario and its expectations. It is run twice: with its steps all
 * expectations are met, and without them at least one is not, so that no row is met by a fault that
 * does nothing.
 */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judged_run.h"

#define HEAD                                                                                       \
    "title: t\n"                                                                                   \
    "cluster: {nodes: [1, 2, 3], properties: {zookeeper.session.timeout.ms: 6000,\n"               \
    "  auto.leader.rebalance.enable: false, replica.lag.time.max.ms: 10000}}\n"                    \
    "topics: {t: {assignment: {0: [2, 3, 1]}}}\n"                                                  \
    "until: 60s\n"
#define PRODUCER "clients: [{produce: t, rate: 10/s, from: 5s, until: 40s}]\n"

static const struct fault {
    const char *name;
    const char *with; /* clients, … */
    const char *steps;
    const char *expect;
} faults[] = {
    /* ---- partition ---- */
    {"partition_oneway_of_a_follower", PRODUCER,
     "  - {at: 10s, partition: [[3], [2]], oneway: true, for: 30s}\n",
     "  - {at: 30s, partition: t-0, is: {isr: [2, 1]}}\n"
     "  - {never: {event: session-expired, node: 3}}\n"
     "  - {end: {replica: t-0-3, is: {in-sync: true}}}\n"},
    {"partition_oneway_of_answers", PRODUCER, /* requests arrive, answers do not */
     "  - {at: 10s, partition: [[2], [3]], oneway: true, for: 40s}\n",
     "  - {at: 45s, partition: t-0, is: {isr: [2, 1]}}\n"
     "  - {sometimes: {event: timer, name: replica.socket.timeout.ms, at: b3}}\n"
     "  - {never: {event: session-expired}}\n"},
    {"partition_from_zookeeper", "", "  - {at: 10s, partition: [[2], zookeeper], for: 20s}\n",
     "  - {sometimes: {event: session-expired, node: 2}}\n"
     "  - {never: {event: session-expired, node: 1}}\n"
     "  - {at: 25s, partition: t-0, is: {leader: 3}}\n"},
    {"partition_of_a_client", PRODUCER, "  - {at: 10s, partition: [[p1], [2]], for: 5s}\n",
     "  - {never: {event: session-expired}}\n"
     "  - {at: 14s, client: p1, is: {open: '> 0'}}\n"
     "  - {end: {client: p1, is: {acked: 350, lost: 0}}}\n"},

    /* ---- disks ---- */
    {"hundreds_of_partitions_on_the_failed_disk_of_the_controller", "",
     "  - {at: 2s, create-topic: many, partitions: 300, replication-factor: 3}\n"
     "  - {at: 10s, fail-log-dir: 1}\n",
     "  - {at: 30s, count: replicas on 1, is: {state: OfflineReplica}, op: '==', value: 301}\n"
     "  - {at: 30s, count: partitions, is: {leader: 1}, op: '==', value: 0}\n"},

    /* ---- degrade ---- */
    {"latency_between_brokers", PRODUCER, "  - {at: 10s, degrade: {from: 3, to: 2}, latency: 15s, for: "
                                    "25s}\n",
     "  - {at: 34s, partition: t-0, is: {isr: [2, 1]}}\n"
     "  - {never: {event: session-expired}}\n"},
    {"latency_to_zookeeper", "", "  - {at: 10s, degrade: {from: 3, to: zookeeper}, latency: 8s, "
                                 "for: 20s}\n",
     "  - {sometimes: {event: session-expired, node: 3}}\n"
     "  - {never: {event: session-expired, node: 2}}\n"},
    {"jitter_to_a_client", PRODUCER,
     "  - {at: 10s, degrade: {from: 2, to: p1}, jitter: 4s, for: 20s}\n",
     "  - {at: 12s, client: p1, is: {open: '> 2'}}\n"
     "  - {end: {client: p1, is: {acked: 350}}}\n"},
    {"loss_between_brokers", PRODUCER, "  - {at: 10s, degrade: {from: 3, to: 2}, loss: 100%, for: 20s}\n",
     "  - {at: 25s, partition: t-0, is: {isr: [2, 1]}}\n"
     "  - {end: {replica: t-0-3, is: {in-sync: true}}}\n"},

    /* ---- hold, release, drop ---- */
    {"nth_fetch_of_a_follower_is_held", PRODUCER,
     "  - {at: 10s, hold: {from: 3, to: 2, api: Fetch, nth: 4}, for: 45s}\n",
     "  - {at: 35s, partition: t-0, is: {isr: [2, 1]}}\n"
     "  - {sometimes: {event: timer, name: replica.socket.timeout.ms, at: b3}}\n"},
    {"held_until_released", PRODUCER,
     "  - {at: 10s, as: held, hold: {from: p1, to: 2, api: Produce}}\n"
     "  - {at: 14s, release: held}\n",
     "  - {at: 13900ms, client: p1, is: {open: '> 37'}}\n"
     "  - {at: 15s, client: p1, is: {open: '< 3'}}\n"
     "  - {end: {client: p1, is: {acked: 350}}}\n"},
    {"nth_produce_response_is_lost", PRODUCER,
     "  - {at: 10s, drop: {from: 2, to: p1, api: Produce, nth: 3}}\n",
     "  - {sometimes: {event: drop, at: p1, why: dropped}}\n"
     "  - {end: {client: p1, is: {retries: 1, acked: 350, lost: 0}}}\n"},
    {"nth_answer_to_a_controller_is_lost", "",
     "  - {at: 9s, drop: {from: 3, to: controller, api: LeaderAndIsr, nth: 1}}\n"
     "  - {at: 10s, stop: 2}\n",
     "  - {sometimes: {event: drop, at: c1, why: dropped}}\n"
     "  - {sometimes: {event: recv, api: LeaderAndIsr, at: b3, nth: 3}}\n"
     "  - {at: 20s, partition: t-0, is: {leader: 3}}\n"},
    {"the_question_for_an_epoch_is_lost", PRODUCER,
     "  - {at: 9s, drop: {from: 1, to: 3, api: OffsetForLeaderEpoch, nth: 1}}\n"
     "  - {at: 10s, stop: 2}\n",
     "  - {sometimes: {event: drop, why: dropped}}\n"
     "  - {sometimes: {event: recv, api: OffsetForLeaderEpoch, at: b3}}\n"
     "  - {end: {replica: t-0-1, is: {in-sync: true}}}\n"},

    /* ---- applied, and the reply lost: then the step acts ---- */
    {"a_produce_is_applied_and_its_reply_lost", PRODUCER,
     "  - {when: {event: send, api: Produce, at: p1, nth: 20, side: applied-reply-lost}, disconnect: "
     "1}\n",
     "  - {sometimes: {event: drop, at: p1, why: dropped}}\n"
     "  - {sometimes: {event: session-disconnected, node: 1}}\n"
     "  - {end: {client: p1, is: {retries: 1, acked: 350, lost: 0}}}\n"
     "  - {sometimes: {event: append, at: b2, base: 350}}\n"}, /* 0 … 349, and one twice */
    {"a_fetch_of_a_follower_is_applied_and_its_reply_lost", PRODUCER,
     "  - {when: {event: send, api: Fetch, at: b3, nth: 20, side: applied-reply-lost}, disconnect: "
     "1}\n",
     "  - {sometimes: {event: drop, why: dropped}}\n"
     "  - {sometimes: {event: session-disconnected, node: 1}}\n"
     "  - {end: {replica: t-0-3, is: {in-sync: true}}}\n"},
    {"the_answer_about_an_epoch_is_lost", PRODUCER,
     "  - {at: 10s, stop: 2}\n"
     "  - {when: {event: send, api: OffsetForLeaderEpoch, at: b1, side: applied-reply-lost}, "
     "disconnect: 1}\n",
     "  - {sometimes: {event: drop, why: dropped}}\n"
     "  - {sometimes: {event: session-disconnected, node: 1}}\n"
     "  - {end: {replica: t-0-1, is: {in-sync: true}}}\n"},
    {"a_leader_and_isr_is_applied_and_its_answer_lost", "",
     "  - {at: 10s, stop: 2}\n"
     "  - {when: {event: send, api: LeaderAndIsr, broker: 3, leader: 3, side: applied-reply-lost}, "
     "disconnect: 1}\n",
     "  - {sometimes: {event: drop, at: c1, why: dropped}}\n"
     "  - {sometimes: {event: session-disconnected, node: 1}}\n"
     "  - {sometimes: {event: recv, api: LeaderAndIsr, at: b3, leader: 3, nth: 2}}\n"
     "  - {at: 20s, partition: t-0, is: {leader: 3}}\n"},
    {"an_update_metadata_is_applied_and_its_answer_lost", "",
     "  - {at: 10s, stop: 2}\n"
     "  - {when: {event: send, api: UpdateMetadata, broker: 1, leader: 3, side: "
     "applied-reply-lost}, disconnect: 3}\n",
     "  - {sometimes: {event: session-disconnected, node: 3}}\n"
     "  - {at: 20s, partition: t-0, is: {leader: 3}}\n"},
    {"an_update_metadata_to_another_broker_is_applied_and_its_answer_lost", "",
     "  - {at: 10s, stop: 2}\n"
     "  - {when: {event: send, api: UpdateMetadata, broker: 3, leader: 3, side: "
     "applied-reply-lost}, disconnect: 3}\n",
     "  - {sometimes: {event: drop, at: c1, why: dropped}}\n"
     "  - {sometimes: {event: session-disconnected, node: 3}}\n"
     "  - {sometimes: {event: recv, api: UpdateMetadata, at: b3, leader: 3, nth: 2}}\n"},
    {"a_stop_replica_is_applied_and_its_answer_lost", "",
     "  - {at: 10s, delete-topic: t}\n"
     "  - {when: {event: send, api: StopReplica, broker: 2, delete: true, side: "
     "applied-reply-lost}, disconnect: 3}\n",
     "  - {sometimes: {event: drop, at: c1, why: dropped}}\n"
     "  - {sometimes: {event: session-disconnected, node: 3}}\n"
     "  - {sometimes: {event: recv, api: StopReplica, at: b2, delete: true, nth: 2}}\n"
     "  - {at: 30s, topic: t, is: absent}\n"},
    {"a_call_is_applied_and_its_answer_lost", "",
     "  - {at: 8s, bounce: 2}\n"
     "  - {at: 20s, elect-leaders: all, via: request}\n"
     "  - {when: {event: send, api: ElectLeaders, side: applied-reply-lost}, disconnect: 3}\n",
     "  - {sometimes: {event: session-disconnected, node: 3}}\n"
     "  - {sometimes: {event: recv, api: ElectLeaders, at: c1, nth: 2}}\n"
     "  - {at: 21s, partition: t-0, is: {leader: 2}}\n"},

    /* ---- ZooKeeper ---- */
    {"request_fails_not_applied", "",
     "  - {when: {event: zreq, op: multi, at: c1, nth: 3, side: before}, fail: 1}\n",
     "  - {sometimes: {event: session-disconnected, node: 1}}\n"
     "  - {never: {event: session-expired}}\n"
     "  - {end: {partition: t-0, is: {leader: 2}}}\n"},
    {"request_applied_reply_lost", "",
     "  - {when: {event: zreq, op: setData, at: b2, side: applied-reply-lost}, fail: 2, applied: "
     "true}\n"
     "  - {at: 10s, kill: 3, for: 20s}\n"
     "  - {at: 10s, partition: [[1], [2]], for: 20s}\n",
     "  - {sometimes: {event: session-disconnected, node: 2}}\n"
     "  - {end: {partition: t-0, is: {leader: 2}}}\n"},
    {"disconnect", "", "  - {at: 10s, disconnect: 2}\n",
     "  - {sometimes: {event: session-disconnected, node: 2}}\n"
     "  - {never: {event: session-expired}}\n"},
    {"expire", "", "  - {at: 10s, expire: 2}\n",
     "  - {sometimes: {event: session-expired, node: 2}}\n"
     "  - {by: 15s, broker: 2, is: {registered: true}}\n"
     "  - {at: 20s, partition: t-0, is: {leader: 3}}\n"},
    {"expire_and_zookeeper_forgets_the_ephemerals", "",
     "  - {at: 10s, expire: 2, leave: ephemerals}\n",
     "  - {at: 10400ms, broker: 2, is: {registered: true}}\n" /* nobody's, until the broker deletes it */
     "  - {sometimes: {event: zreq, op: delete, path: /brokers/ids/2}}\n"
     "  - {end: {broker: 2, is: {registered: true}}}\n"},
    {"a_broker_takes_a_request_up_late", "",
     "  - {at: 9s, answer: 3, latency: 35s, api: LeaderAndIsr, count: 1}\n"
     "  - {at: 10s, expire: 2}\n",
     "  - {sometimes: {event: log, text: '*fails to send request to broker 3. Reconnecting*'}}\n"
     "  - {never: {event: drop, at: b3}}\n"},
    {"lose_quorum", "", "  - {at: 10s, lose-quorum: true, for: 20s}\n",
     "  - {sometimes: {event: session-disconnected, node: 1}}\n"
     "  - {never: {event: session-expired}}\n"},
    {"delay", "", "  - {at: 10s, delay: 3, latency: 8s, for: 20s}\n",
     "  - {sometimes: {event: session-disconnected, node: 3}}\n"
     "  - {never: {event: session-disconnected, node: 2}}\n"},

    /* ---- processes ---- */
    {"pause_longer_than_a_session", "", "  - {at: 10s, pause: 1, for: 20s}\n",
     "  - {sometimes: {event: session-expired, node: 1}}\n"
     "  - {at: 25s, controller: any, is: {epoch: 2}}\n"
     "  - {never: {event: send, api: UpdateMetadata, at: c1}, after: {event: session-expired, node: "
     "1}}\n"},
    {"pause_shorter_than_a_session", PRODUCER, "  - {at: 10s, pause: 2, for: 3s}\n",
     "  - {at: 12900ms, client: p1, is: {open: '> 20'}}\n"
     "  - {never: {event: session-expired}}\n"
     "  - {end: {client: p1, is: {acked: 350}}}\n"},
    {"machines_are_lost_with_what_no_disk_had", PRODUCER,
     "  - {at: 20s, kill: all, lose: unflushed, for: 10s}\n",
     "  - {at: 19s, client: p1, is: {lost: 0}}\n"
     "  - {end: {client: p1, is: {lost: '> 0'}}}\n"},
    {"processes_end_and_disks_keep_all", PRODUCER, "  - {at: 20s, kill: all, for: 10s}\n",
     "  - {sometimes: {event: session-expired, node: 2}}\n"
     "  - {end: {client: p1, is: {lost: 0}}}\n"},
    {"block", "",
     "  - {at: 9s, block: 1, for: 10s}\n"
     "  - {at: 10s, stop: 3}\n",
     "  - {at: 18s, partition: t-0, is: {isr: [2, 3, 1]}}\n"
     "  - {at: 25s, partition: t-0, is: {isr: [2, 1]}}\n"},
    {"fail_log_dir", "", "  - {at: 10s, fail-log-dir: 2, partitions: [t-0]}\n",
     "  - {sometimes: {event: fault, verb: fail-log-dir}}\n"
     "  - {at: 20s, partition: t-0, is: {leader: 3}}\n"},

    {"a_node_stops_with_events_in_its_queue", "",
     "  - {at: 9s, block: 1}\n"
     "  - {at: 10s, create-topic: late, partitions: 1, replication-factor: 1}\n"
     "  - {at: 11s, stop: 1}\n"
     "  - {at: 12s, unblock: 1}\n",
     "  - {at: 14s, controller: any, is: {epoch: 2}}\n"
     "  - {end: {broker: 1, is: {registered: false}}}\n"},
    {"a_broker_without_a_log_directory_does_not_start", "",
     "  - {at: 10s, fail-log-dir: 2}\n"
     "  - {at: 20s, restart: 2}\n",
     "  - {at: 15s, broker: 2, is: {registered: false}}\n"
     "  - {end: {broker: 2, is: {registered: false}}}\n"},
    {"heal_starts_again_whose_registration_stood_in_the_way", "heal: {at: 11s, core: all}\n",
     "  - {at: 10s, kill: 2}\n",
     "  - {at: 17s, broker: 2, is: {registered: false}}\n"
     "  - {sometimes: {event: session-expired, node: 2}}\n"
     "  - {end: {broker: 2, is: {registered: true}}}\n"},

    /* ---- clocks ---- */
    {"a_slow_clock_pings_too_late", "",
     "  - {at: 10s, clock-skew: 3, rate: 0.1, for: 25s}\n",
     "  - {sometimes: {event: session-expired, node: 3}}\n"
     "  - {never: {event: session-expired, node: 2}}\n"},
    {"a_fast_clock_is_no_harm_to_a_session", "", "  - {at: 10s, clock-skew: 2, rate: 20, for: 25s}\n",
     "  - {sometimes: {event: fault, verb: clock-skew}}\n"
     "  - {never: {event: session-expired}}\n"
     "  - {at: 34s, partition: t-0, is: {leader: 2}}\n"},
    {"a_coordinators_date_jumps",
     "clients: [{produce: t, transactional-id: tx, commit-every: 30s, from: 5s, until: 50s, "
     "rate: 5/s}]\n",
     "  - {at: 12s, clock-skew: transaction coordinator of tx, offset: 2m, for: 30s}\n",
     "  - {end: {client: p1, is: {committed: 0}}}\n"},
    {"a_clients_clock_stands_nearly_still", PRODUCER, "  - {at: 10s, clock-skew: p1, rate: 0.01}\n",
     "  - {at: 20s, client: p1, is: {open: '> 1'}}\n" /* linger.ms is half a second */},

    /* ---- targets ---- */
    {"the_coordinator_of_a_group", "clients: [{produce: t, rate: 10/s, from: 2s, until: 40s},\n"
                                   "  {consume: t, group: g1}]\n",
     "  - {at: 10s, stop: group coordinator of g1}\n",
     "  - {sometimes: {event: fault, verb: stop, target: group coordinator of g1, hit: [3]}}\n"
     "  - {sometimes: {event: send, api: JoinGroup, at: u1, to: b3}}\n"
     "  - {sometimes: {event: send, api: FindCoordinator, at: u1}, after: {event: fault, verb: stop}}\n"
     "  - {end: {client: u1, is: {unread: 0, group: stable}}}\n"},
};

static struct run play(const struct fault *f, bool with_steps)
{
    char *text;
    ck_assert_int_gt(asprintf(&text, HEAD "%s%s%sexpect:\n%s", f->with, with_steps ? "steps:\n" : "",
                              with_steps ? f->steps : "", f->expect),
                     0);
    struct run r = run_text(text, SIM_ENDED_AT_UNTIL);
    free(text);
    return r;
}

START_TEST(a_fault_does_what_it_says)
{
    const struct fault *f = &faults[_i];
    struct run r = play(f, true);
    for (uint32_t i = 0; i < r.scenario->expect_count; i++) {
        const struct sim_judgement *j = sim_expect_judgement(r.expectations, i);
        ck_assert_msg(j->outcome == SIM_MET, "%s: %s: expected %s, actual %s", f->name,
                      r.scenario->expect[i].text, j->expected, j->actual);
    }
    ck_assert_uint_eq(sim_world_never_fired(r.world), 0);
    end_run(&r);
}
END_TEST

START_TEST(without_it_that_does_not_happen)
{
    const struct fault *f = &faults[_i];
    struct run r = play(f, false);
    uint32_t met = 0;
    for (uint32_t i = 0; i < r.scenario->expect_count; i++) {
        met += sim_expect_judgement(r.expectations, i)->outcome == SIM_MET;
    }
    ck_assert_msg(met < r.scenario->expect_count, "%s: all is met without the fault", f->name);
    end_run(&r);
}
END_TEST

int main(void)
{
    enum { COUNT = sizeof(faults) / sizeof(faults[0]) };
    Suite *suite = suite_create("faults");
    TCase *tcase = tcase_create("faults");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_fault_does_what_it_says, 0, COUNT);
    tcase_add_loop_test(tcase, without_it_that_does_not_happen, 0, COUNT);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
