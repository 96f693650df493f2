/*
 * Any bytes are a scenario or at least one error; never a crash, a hang or a leak.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdio.h>

#include "sim/diagnostics.h"
#include "sim/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    struct sim_scenario *s = sim_scenario_parse("fuzz.yaml", (const char *)bytes, size, &d);
    assert((s == NULL) == (d.errors > 0));
    FILE *out = fopen("/dev/null", "w");
    assert(out != NULL);
    sim_diagnostics_print(&d, out, true);
    fclose(out);
    sim_scenario_free(s);
    sim_diagnostics_free(&d);
    return 0;
}

const char *const fuzz_samples[] = {
    "title: The leader dies\nquestion: Who leads?\nkafka: 2.8-fixed\ndefects: {KAFKA-13225: "
    "on}\nseed: 3\n"
    "cluster:\n  nodes: [1, 2, {id: 3, rack: b, role: broker, down: true, properties: "
    "{num.partitions: 3}}]\n"
    "  zookeeper: {servers: 3, lag: 10ms}\n"
    "  properties: {unclean.leader.election.enable: false, zookeeper.session.timeout.ms: 6000}\n"
    "topics:\n  orders: {assignment: {0: [1, 2, 3], 1: [2, 3]}, config: {min.insync.replicas: 2}}\n"
    "  \"t-{1..20}\": {partitions: 3, replication-factor: 2}\n"
    "given: {orders-0: {leader: none, isr: [1, 2], epoch: 3, zk-version: 4, controller-epoch: 2}}\n"
    "until: quiet\n",
    "title: Steps\ncluster: {nodes: {1: , 2: {role: both}, 3: }}\ntopics: {t: {partitions: 2, "
    "replication-factor: 3}}\n"
    "steps:\n  - {at: 1s, as: first, kill: leader of t-0, for: 10s}\n  - {after: first +1.5s, "
    "restart: '*first'}\n"
    "  - {when: {event: send, api: LeaderAndIsr, broker: 3, epoch: '>= 1', nth: 2, side: before}, "
    "pause: controller}\n"
    "  - {every: 5s, from: 1s, until: 1m, expire: any}\n  - {at: 2s, partition: [[1, 2], [3, ], "
    "zookeeper], oneway: true}\n"
    "  - {at: 3s, hold: {from: controller, to: 3, api: StopReplica, nth: 1}, as: held}\n  - {at: "
    "4s, release: held}\n"
    "  - {at: 5s, answer: 2, api: LeaderAndIsr, partition-error: KAFKA_STORAGE_ERROR, partitions: "
    "[t-0], count: 1}\n"
    "  - {at: 6s, create-topic: u, assignment: {0: [1, 2]}, config: {min.insync.replicas: 2}}\n"
    "  - {at: 7s, reassign: "
    "{\"version\":1,\"partitions\":[{\"topic\":\"t\",\"partition\":0,\"replicas\":[2,1]}]}}\n"
    "  - {at: 8s, set-isr: {t-0: [1, 2]}}\n  - {at: 9s, znode: /controller, do: delete, version: "
    "1}\n",
    "title: Expectations\ncluster: {nodes: [1, 2, 3]}\ntopics: {t: {partitions: 2, "
    "replication-factor: 3}}\n"
    "expect:\n  - {never: {event: send, api: LeaderAndIsr, broker: 1}, after: {event: "
    "session-expired, node: 1}}\n"
    "  - {by: 60s, partition: t-0, is: {state: OnlinePartition, leader: 2, isr: [2, 3], epoch: '> "
    "0'}}\n"
    "  - {at: 5s, replica: t-0-3, is: {state: OfflineReplica}}\n  - {end: {count: partitions of t, "
    "is: {leader: none}, op: <, value: 1}}\n"
    "  - {always: {metric: OfflinePartitionsCount, value: 0}}\n  - {end: {znode: /controller, is: "
    "{data: {brokerid: 2}}}}\n"
    "random: {faults: {kill: 2, restart: 1, expire: 1, pause: 1, drop: 1}, from: 1s, until: 60s}\n"
    "steps: [{at: 1s, as: death, kill: 1}]\n"
    "lesson:\n  - {at: 5s, ask: Who leads?, choices: [1, {value: {read: isr of t-0, at: 6s}, wrong: "
    "'{answer}'}], answer: {read: leader of t-0, end: true}, because: 'ISR {isr of t-0 @ 5s}'}\n"
    "  - {after: death +1s, say: x, words: {ISR: y}, ask: z, choices: [{say: a, if: {count: {event: "
    "move}, since: start, is: '> 2'}}, {say: b, if: {records: lost of t-0, is: none}}], because: c, "
    "let: {d: {first: {event: election}, field: t}}, show: [controller]}\n",
    NULL,
};
