/*
 * Any bytes as a log, as transactions printed and raw, and one beside another: a trace that is read
 * back as it was written, or one sentence.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char other[] = "[2021-05-01 10:00:00,050] INFO [Broker id=2] Handling "
                                "LeaderAndIsr request correlationId 1 from "
                                "controller 1 for 3 partitions (state.change.logger)\n";
    static struct sim_import_report report;
    const struct sim_import_input inputs[] = {
        {"fuzz", (const char *)bytes, size},
        {"other", other, sizeof(other) - 1},
    };
    const struct sim_import_options options = {.has_zone = size % 2 == 0};
    char error[300] = "";
    struct sim_trace *trace =
        sim_import(inputs, 1 + size % 3 / 2, &options, &report, error, sizeof(error));
    assert((trace == NULL) == (error[0] != '\0'));
    if (trace != NULL) {
        char *text = NULL;
        size_t length = 0;
        bool cut;
        struct sim_trace_error wrong;
        FILE *out = open_memstream(&text, &length);
        assert(sim_trace_write(trace, out));
        fclose(out);
        struct sim_trace *back = sim_trace_read(text, length, &cut, &wrong);
        if (back == NULL)
            fprintf(stderr, "line %u: %s\n", wrong.line, wrong.text);
        assert(back != NULL);
        assert(!cut);
        sim_trace_free(back);
        free(text);
    }
    sim_trace_free(trace);
    return 0;
}

const char *const fuzz_samples[] = {
    "[2021-05-01 10:00:00,000] INFO [ControllerEventThread controllerId=1] Starting "
    "(kafka.controller.ControllerEventManager$ControllerEventThread)\n"
    "[2021-05-01 10:00:00,010] INFO [Controller id=1] 1 successfully elected as the controller. "
    "Epoch "
    "incremented to 1 and epoch zk version is now 1 (kafka.controller.KafkaController)\n"
    "[2021-05-01 10:00:00,020] INFO [Controller id=1] New topics: [Set(orders)], deleted topics: "
    "[HashSet()], new partition replica assignment [Set(TopicIdReplicaAssignment(orders,None,"
    "Map(orders-0 -> ReplicaAssignment(replicas=1,2,3, addingReplicas=, removingReplicas=))))] "
    "(kafka.controller.KafkaController)\n"
    "[2021-05-01 10:00:00,021] INFO [Controller id=1 epoch=1] Changed partition orders-0 state "
    "from "
    "NonExistentPartition to NewPartition with assigned replicas 1,2,3 (state.change.logger)\n"
    "[2021-05-01 10:00:00,022] INFO [Controller id=1 epoch=1] Changed partition orders-0 from "
    "NewPartition to OnlinePartition with state LeaderAndIsr(leader=1, leaderEpoch=0, isr=List(1, "
    "2, 3), "
    "zkVersion=0) (state.change.logger)\n"
    "[2021-05-01 10:00:00,023] TRACE [Controller id=1 epoch=1] Changed state of replica 2 for "
    "partition "
    "orders-0 from NewReplica to OnlineReplica (state.change.logger)\n"
    "[2021-05-01 10:00:00,024] INFO [Controller id=1 epoch=1] Sending LeaderAndIsr request to "
    "broker 2 "
    "with 1 become-leader and 2 become-follower partitions (state.change.logger)\n"
    "[2021-05-01 10:00:02,000] INFO [Controller id=1] Newly added brokers: , deleted brokers: 2, "
    "bounced "
    "brokers: , all live brokers: 1,3 (kafka.controller.KafkaController)\n"
    "[2021-05-01 10:00:02,010] ERROR [Controller id=1 epoch=1] Controller 1 epoch 1 failed to "
    "change "
    "state for partition orders-0 from OfflinePartition to OnlinePartition (state.change.logger)\n"
    "kafka.common.StateChangeFailedException: Failed to elect leader for partition orders-0\n\tat "
    "x\n",
    "[2021-05-01 10:00:00,000] TRACE Controller 1 epoch 4 sending become-leader LeaderAndIsr "
    "request "
    "(Leader:1,ISR:1,2,LeaderEpoch:0,ControllerEpoch:4) with correlationId 7 to broker 2 for "
    "partition "
    "[orders,0] (state.change.logger)\n"
    "[2021-05-01 10:00:00,003] TRACE Broker 2 received LeaderAndIsr request "
    "(LeaderAndIsrInfo:(Leader:1,ISR:1,2,LeaderEpoch:0,ControllerEpoch:4),ReplicationFactor:2),"
    "AllReplicas:1,2) correlation id 7 from controller 1 epoch 4 for partition [orders,0] "
    "(state.change.logger)\n"
    "2021-05-01T10:00:00.004Z [main] INFO kafka.controller.KafkaController - [Controller 1]: "
    "Controller 1 "
    "incremented epoch to 5\n"
    "1619863200005 WARN Broker 2 ignoring LeaderAndIsr request from controller 1 with correlation "
    "id 7 "
    "since its controller epoch 3 is old. Latest known controller epoch is 4 "
    "(state.change.logger)\n",
    "ZooKeeper Transactional Log File with dbid 0 txnlog format version 2\n"
    "5/1/21, 10:00:00 AM UTC session 0x1000 cxid 0x0 zxid 0x1 createSession 6000\n"
    "5/1/21, 10:00:00 AM UTC session 0x1000 cxid 0x1 zxid 0x2 create /brokers/topics/orders,"
    "{\"partitions\":{\"0\":[1,2]},\"version\":3},[31,s{'world,'anyone}\n],false,1\n"
    "5/1/21, 10:00:01 AM UTC session 0x1000 cxid 0x2 zxid 0x3 setData /controller_epoch,1,1\n"
    "5/1/21, 10:00:01 AM UTC session 0x1000 cxid 0x3 zxid 0x4 create '/brokers/ids/1,#7b22687d,"
    "v{s{31,s{'world,'anyone}}},T,1\n"
    "5/1/21, 10:00:02 AM UTC session 0x1000 cxid 0x4 zxid 0x5 multi "
    "v{s{13,#000112f636f6e74726f6c6c65725f65706f63680002},s{5,"
    "#000b2f636f6e74726f6c6c65720007b22627d0001}}\n"
    "5/1/21, 10:00:02 AM UTC session 0x1000 cxid 0x5 zxid 0x6 error -110\n"
    "5/1/21, 10:00:09 AM UTC session 0x1000 cxid 0x0 zxid 0x7 closeSession v{}\nEOF reached after "
    "7 txns.\n",
    NULL,
};
