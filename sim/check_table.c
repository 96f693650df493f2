/*
 * The table of checks, and the page that is printed from it.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "sim/check.h"

/* ---- the tables ---- */

struct table_row {
    const char *number, *name, *text;
};

static const struct table_row table[SIM_CHECK_END] = {
#define X(id, word, sentence) [SIM_CHECK_##id] = {.number = #id, .name = word, .text = sentence},
    SIM_CHECK_MAP(X)
#undef X
};

static const char *const sources[SIM_CHECK_END] = {
    [SIM_CHECK_S1] = "kafka.cluster.Partition.makeLeader; KIP-101",
    [SIM_CHECK_S2] = "kafka.api.LeaderAndIsr.newLeaderAndIsr; KafkaZkClient.updateLeaderAndIsr",
    [SIM_CHECK_S3] =
        "kafka.controller.PartitionStateMachine, ReplicaStateMachine.doRemoveReplicasFromIsr",
    [SIM_CHECK_S4] = "kafka.controller.PartitionLeaderElectionAlgorithms; KIP-460",
    [SIM_CHECK_S5] = "KafkaZkClient.registerControllerAndIncrementControllerEpoch; KAFKA-6082",
    [SIM_CHECK_S6] =
        "kafka.server.ReplicaManager.becomeLeaderOrFollower, stopReplicas; KIP-380, KIP-570",
    [SIM_CHECK_S7] = "documentation of acks and min.insync.replicas; KIP-101, KIP-279",
    [SIM_CHECK_S8] = "kafka.cluster.Partition.maybeIncrementLeaderHW; KIP-207",
    [SIM_CHECK_S9] = "LogMatching in Raft; KIP-101, KIP-279, KIP-320",
    [SIM_CHECK_S10] = "kafka.server.ZkIsrManager; KafkaZkClient.conditionalUpdatePath; KAFKA-1382",
    [SIM_CHECK_S11] = "kafka.controller.PartitionStateMachine, ReplicaStateMachine",
    [SIM_CHECK_S12] = "kafka.controller.TopicDeletionManager; KIP-570",
    [SIM_CHECK_S13] = "KafkaController.onPartitionReassignment; KIP-455; KAFKA-14424",
    [SIM_CHECK_S14] = "kafka.server.ZkMetadataCache.updateMetadata",
    [SIM_CHECK_S15] = "kafka.zookeeper.ZooKeeperClient; handlers of KafkaController",
    [SIM_CHECK_S16] = "kafka.controller.ControllerRequestBatch, RequestSendThread",
    [SIM_CHECK_S17] = "KafkaZkClient.registerBroker; KIP-380; KAFKA-7165",
    [SIM_CHECK_S18] = "ZooKeeper's guarantees: DataTree, SessionTracker",
    [SIM_CHECK_S19] = "TopicDeletionManager.completeDeleteTopic; LogManager.asyncDelete",
    [SIM_CHECK_V1] = "KafkaController.elect",
    [SIM_CHECK_V2] = "PartitionStateMachine.triggerOnlinePartitionStateChange",
    [SIM_CHECK_V3] = "kafka.cluster.Partition.maybeExpandIsr",
    [SIM_CHECK_V4] = "KafkaController.sendUpdateMetadataRequest; KAFKA-13225",
    [SIM_CHECK_V5] = "TopicDeletionManager.resumeDeletions",
    [SIM_CHECK_V6] = "KafkaController.onPartitionReassignment; KAFKA-9089",
    [SIM_CHECK_V7] = "KafkaController.checkAndTriggerAutoLeaderRebalance; KAFKA-9866",
    [SIM_CHECK_V8] = "KafkaServer.controlledShutdown",
    [SIM_CHECK_V9] = "kafka.server.DelayedProduce; ReplicaManager.appendRecords",
    [SIM_CHECK_V10] = "ControllerEventManager",
    [SIM_CHECK_V11] = "ControllerEventManager.clearAndPut, QueuedEvent",
    [SIM_CHECK_V12] = "KAFKA-6879, KAFKA-4360",
};

const char *sim_check_number(enum sim_check check)
{
    assert(check < SIM_CHECK_END);
    return table[check].number;
}

const char *sim_check_name(enum sim_check check)
{
    assert(check < SIM_CHECK_END);
    return table[check].name;
}

const char *sim_check_text(enum sim_check check)
{
    assert(check < SIM_CHECK_END);
    return table[check].text;
}

const char *sim_check_source(enum sim_check check)
{
    assert(check < SIM_CHECK_END);
    return sources[check];
}

enum sim_check sim_check_named(const char *name)
{
    for (int i = 0; i < SIM_CHECK_END; i++)
        if (strcmp(name, table[i].name) == 0 || strcmp(name, table[i].number) == 0)
            return (enum sim_check)i;
    return SIM_CHECK_END;
}

struct sometimes_row {
    const char *name, *text;
};

static const struct sometimes_row sometimes[SIM_SOMETIMES_END] = {
#define X(id, word, sentence) [SIM_SOMETIMES_##id] = {.name = word, .text = sentence},
    SIM_SOMETIMES_MAP(X)
#undef X
};

const char *sim_sometimes_name(enum sim_sometimes s)
{
    assert(s < SIM_SOMETIMES_END);
    return sometimes[s].name;
}

const char *sim_sometimes_text(enum sim_sometimes s)
{
    assert(s < SIM_SOMETIMES_END);
    return sometimes[s].text;
}

/* ---- in expectations ---- */

int32_t sim_check_expected(const char *name)
{
    enum sim_check check = sim_check_named(name);
    if (check != SIM_CHECK_END)
        return (int32_t)check;
    for (int i = 0; i < SIM_SOMETIMES_END; i++)
        if (strcmp(name, sometimes[i].name) == 0)
            return SIM_CHECK_END + i;
    return -1;
}

void sim_check_names(const char *words[SIM_CHECK_END + SIM_SOMETIMES_END + 1])
{
    for (int i = 0; i < SIM_CHECK_END; i++)
        words[i] = table[i].name;
    for (int i = 0; i < SIM_SOMETIMES_END; i++)
        words[SIM_CHECK_END + i] = sometimes[i].name;
    words[SIM_CHECK_END + SIM_SOMETIMES_END] = NULL;
}

bool sim_check_answer(const struct sim_check_result *result, int32_t expected, char *actual,
                      size_t capacity)
{
    if (expected >= SIM_CHECK_END) {
        uint64_t seen = result->seen[expected - SIM_CHECK_END];
        snprintf(actual, capacity, "seen %llu times", (unsigned long long)seen);
        return seen > 0;
    }
    const struct sim_violation *v = &result->violations[expected];
    if (v->count == 0)
        snprintf(actual, capacity, "it holds");
    else
        snprintf(actual, capacity, "%s: %s", v->object, v->detail);
    return v->count == 0;
}

/* ---- docs/checks.md ---- */

static void document_table(FILE *out, bool liveness)
{
    fputs("| | name | what must be true | source |\n|---|---|---|---|\n", out);
    for (int i = 0; i < SIM_CHECK_END; i++)
        if (sim_check_is_liveness((enum sim_check)i) == liveness)
            fprintf(out, "| %s | `%s` | %s | %s |\n", table[i].number, table[i].name, table[i].text,
                    sources[i]);
}

void sim_checks_document(void *file)
{
    FILE *out = file;
    fputs(
        "# Checks\n\n"
        "What must hold in every run of the simulator, whatever the scenario expects. Each check "
        "is\n"
        "made after every event, on what the event has touched. A violation that no known defect\n"
        "explains ends the run with exit code 3; one that goes away when a defect that is on is\n"
        "switched off is told as that known defect, and the exit code is that of the "
        "expectations.\n"
        "Where brokers are scripted there are no logs, and checks of logs say nothing.\n\n"
        "In a scenario `{always: NAME}` says that a check must hold, which is so anyway: it is "
        "said\n"
        "for the reader. `{never: NAME}` says that it must be violated, in a scenario that shows "
        "a\n"
        "defect; the violation then is no failure. The names under *Sometimes* can be expected,\n"
        "too: `{sometimes: unclean-election}`, `{never: unclean-election}`.\n\n"
        "This page is printed by `kcsim explain checks --format markdown`.\n\n"
        "## Safety\n\n",
        out);
    document_table(out, false);
    fputs(
        "\n## Liveness\n\n"
        "Judged where a scenario has `heal:`. At that time all faults stop; within twice the "
        "session\n"
        "timeout, three times the request timeout and a term for the size of the cluster, the\n"
        "following must have come true. Otherwise the verdict names what is still waited for.\n\n",
        out);
    document_table(out, true);
    fputs("\n## Sometimes\n\n"
          "Not every run must see these, but a campaign that never does has not tested them.\n\n"
          "| name | what was seen |\n|---|---|\n",
          out);
    for (int i = 0; i < SIM_SOMETIMES_END; i++)
        fprintf(out, "| `%s` | %s |\n", sometimes[i].name, sometimes[i].text);
}
