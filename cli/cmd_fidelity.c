/*
 * kcsim fidelity: rule by rule, what is modelled as Kafka does it, what is simplified, and what is
 * left out; each with the place in Kafka's (2.8.2) or ZooKeeper's (3.8) source that it stands for.
 *
 * This table is a promise to the reader of a result: before a run is believed, it says what the run
 * could not have shown. A row moves up only with the test that shows it.
 */
#include "cli/cli.h"

#include <string.h>

enum status { MODELLED, SIMPLIFIED, LEFT_OUT };

static const char *const status_name[] = {"modelled", "simplified", "not modelled"};

struct rule {
    const char *area, *rule;
    enum status status;
    const char *how; /* what is simplified or missing; NULL where the rule says it all */
    const char *source;
};

static const struct rule rules[] = {
    {"state machines", "the seven replica states and the four partition states, all 65 moves",
     MODELLED, NULL, "ReplicaState, PartitionState: validPreviousStates"},
    {"state machines", "an illegal move is logged and skipped; the others of the call go on",
     MODELLED, NULL, "ReplicaStateMachine.doHandleStateChanges, logInvalidTransition"},
    {"state machines",
     "replicas of several brokers that go offline in one call: Scala's hash order", MODELLED, NULL,
     "ReplicaStateMachine.handleStateChanges (groupBy)"},
    {"state machines", "removal from the ISR; the last in-sync replica stays", MODELLED, NULL,
     "ReplicaStateMachine.removeReplicasFromIsr"},
    {"elections", "offline, unclean, reassignment, preferred and controlled-shutdown strategies",
     MODELLED, NULL, "PartitionLeaderElectionAlgorithms"},
    {"elections", "topic overrides of unclean.leader.election.enable", MODELLED, NULL,
     "PartitionStateMachine.collectUncleanLeaderElectionState"},

    {"controller", "one event in work at a time; order, preemption and delay of the queue",
     MODELLED, NULL, "ControllerEventManager"},
    {"controller", "election by one multi of /controller and /controller_epoch", MODELLED, NULL,
     "KafkaZkClient.registerControllerAndIncrementControllerEpoch"},
    {"controller", "every write fenced by a check of /controller_epoch's version", MODELLED, NULL,
     "KafkaZkClient.wrapRequestsWithControllerEpochCheck (KAFKA-6082)"},
    {"controller", "failover: order of reads, watches, requests and resumed work", MODELLED, NULL,
     "KafkaController.onControllerFailover"},
    {"controller", "resignation and session expiry", MODELLED, NULL,
     "KafkaController.onControllerResignation, Expire"},
    {"controller", "new, bounced and dead brokers, in this order", MODELLED, NULL,
     "KafkaController.processBrokerChange"},
    {"controller", "topic creation, more partitions, topic deletion with its halts and resumes",
     MODELLED, NULL, "KafkaController.processTopicChange, TopicDeletionManager"},
    {"controller", "reassignment by znode and by request, with cancel and resume", MODELLED, NULL,
     "KafkaController.onPartitionReassignment (KIP-455)"},
    {"controller", "controlled shutdown; elections of all kinds; automatic rebalance", MODELLED,
     NULL, "KafkaController.doControlledShutdown, processReplicaLeaderElection"},
    {"controller", "offline log directories", MODELLED, NULL,
     "KafkaController.processLogDirEventNotification"},
    {"controller", "topic ids", SIMPLIFIED,
     "kept where a znode has one, never made (inter.broker.protocol.version 2.6)",
     "KafkaController.processTopicIds"},
    {"controller", "AlterIsr requests (inter.broker.protocol.version 2.7 and up)", LEFT_OUT,
     "brokers write the ISR to ZooKeeper, as at 2.6", "KafkaController.processAlterIsr (KIP-497)"},
    {"controller", "feature versions", SIMPLIFIED, "the /feature znode as at 2.6, no finalisation",
     "KafkaController.setupFeatureVersioning (KIP-584)"},
    {"controller", "delegation tokens, ACLs, quotas", LEFT_OUT, NULL,
     "KafkaController.onControllerFailover"},
    {"controller", "metrics", SIMPLIFIED,
     "the gauges of kafka.controller; rates and times are left out",
     "KafkaController, ControllerStats"},

    {"requests", "batches: what is in LeaderAndIsr, UpdateMetadata, StopReplica, and for whom",
     MODELLED, NULL, "AbstractControllerBrokerRequestBatch"},
    {"requests", "one request in flight per broker, resent after a broken connection", MODELLED,
     NULL, "ControllerChannelManager.RequestSendThread"},
    {"requests", "order of partitions inside one request", SIMPLIFIED,
     "that of addition; Kafka's is that of its hash maps", "AbstractControllerBrokerRequestBatch"},
    {"requests", "the bytes of the Kafka protocol, every message in every version of 2.8.2",
     MODELLED, NULL, "clients/src/main/resources/common/message"},
    {"requests", "several partitions in one ZooKeeper request", SIMPLIFIED,
     "a setting (kcsim.zookeeper.write.group, read.group); 1, as Kafka, is the simulator's default",
     "KafkaZkClient.retryRequestsUntilConnected"},

    {"clients and tools",
     "metadata, topics, configurations, elections, reassignments, producer ids", MODELLED, NULL,
     "KafkaApis, ZkAdminManager, AdminZkClient, ProducerIdManager"},
    {"clients and tools", "ACLs, SCRAM, delegation tokens, quotas, fetch sessions", LEFT_OUT,
     "refused as a cluster without security refuses them", "KafkaApis"},

    {"clients and tools", "producers, consumers, members of groups in scenarios", MODELLED,
     "the rules of librdkafka 2.0: client/README.md",
     "librdkafka rdkafka_broker.c, rdkafka_cgrp.c"},
    {"clients and tools", "what an application takes: time for a record, a full queue", SIMPLIFIED,
     "it handles a record in no time, and its client takes records without limit",
     "librdkafka queue.buffering.max.messages"},

    {"brokers", "controller epoch and broker epoch checks of requests", MODELLED, NULL,
     "KafkaApis.isBrokerEpochStale (KIP-380), ReplicaManager.becomeLeaderOrFollower"},
    {"brokers", "registration, sessions, bounce, controlled shutdown", MODELLED, NULL,
     "KafkaServer"},
    {"brokers", "replication, logs, high watermark, ISR shrink and expand", MODELLED,
     "no compaction or quotas; behaviour: scripted leaves all of it out",
     "ReplicaManager, Partition"},
    {"brokers", "segments, retention by time and size, per broker and topic", MODELLED,
     "no jitter; compact,delete is deleted from, not compacted; changes of a broker's settings "
     "count after a restart",
     "Log.maybeRoll, deleteOldSegments, LogManager.cleanupLogs"},
    {"brokers", "timestamps: whose they are, and how wrong they may be; keys of compacted topics",
     SIMPLIFIED, "of a batch's times the first and the newest are judged; no error per record",
     "LogValidator"},
    {"brokers", "produce, fetch, list offsets, delete records", MODELLED, NULL, "KafkaApis"},
    {"brokers", "compression.type of topics and brokers: leaders pack anew", MODELLED,
     "records that are not numbered one after the other are refused then; no message formats 0 "
     "and 1, to which nothing is converted",
     "LogValidator, Log.append, KafkaApis.maybeConvertFetchedData"},
    {"brokers", "the group coordinator: membership, offsets, its log, its moves", MODELLED,
     "members in the order in which they came, where Kafka walks hash maps", "GroupCoordinator"},
    {"brokers", "how many partitions __consumer_offsets has", SIMPLIFIED,
     "the node's setting; Kafka asks ZooKeeper once, at its start", "GroupMetadataManager.startup"},
    {"brokers", "offsets kept in ZooKeeper (OffsetCommit, OffsetFetch 0)", LEFT_OUT,
     "answered as if there were none", "KafkaApis.handleOffsetCommitRequest"},
    {"brokers",
     "transactions: ids, epochs and fencing, every state, pending moves, timeouts, expiry of ids",
     MODELLED, "behaviour: scripted leaves all of it out",
     "TransactionCoordinator, TransactionStateManager (KIP-98, KIP-360)"},
    {"brokers", "markers to the leaders of partitions, and offsets of transactions", MODELLED,
     "what failed is sent again after 50 ms; Kafka does so at once",
     "TransactionMarkerChannelManager, KafkaApis.handleWriteTxnMarkersRequest"},
    {"brokers", "producers by sequence and epoch, last stable offset, aborted transactions",
     SIMPLIFIED, "no snapshots: a restart knows whose batches the log still has",
     "ProducerStateManager, Log"},

    {"ZooKeeper", "znodes, versions, czxid and mzxid, ephemerals, sequentials, multi", MODELLED,
     NULL, "DataTree, PrepRequestProcessor"},
    {"ZooKeeper",
     "one-shot data, exists and child watches; an event comes before the reply that shows it",
     MODELLED, NULL, "WatchManager, FinalRequestProcessor"},
    {"ZooKeeper", "sessions: connection loss with unknown outcome, expiry, re-establishment",
     MODELLED, NULL, "SessionTrackerImpl, ClientCnxn"},
    {"ZooKeeper", "reads that lag, loss of the quorum", SIMPLIFIED,
     "one tree with a settable lag per session; no leader election inside the ensemble",
     "Leader, Follower"},
    {"ZooKeeper", "ACLs, quotas, containers, TTL nodes, persistent watches, reconfiguration",
     LEFT_OUT, NULL, "DataTree"},

    {"time", "everything takes time: messages, ZooKeeper, restarts", SIMPLIFIED,
     "fixed delays, drawn by the seed where a scenario asks; steps of the controller take none",
     "(no counterpart)"},
    {"versions", "profiles 2.8 and 2.8-fixed", MODELLED, NULL, "tag 2.8.2"},
    {"versions", "profile 0.9", SIMPLIFIED, "a few switches over 2.8", "tag 0.9.0.1"},
    {"versions", "profile 0.8.2", SIMPLIFIED,
     "start-up, broker change, both callbacks, the seven target states, ISR removal, batches, log "
     "texts",
     "tag 0.8.2.2"},
};

struct arguments {
    int only; /* enum status, or -1 */
    bool markdown;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 's':
        for (a->only = MODELLED; a->only <= LEFT_OUT; a->only++)
            if (strcmp(arg, status_name[a->only]) == 0)
                return 0;
        argp_error(state, "no status '%s'; there are: modelled, simplified, not modelled", arg);
        return 0;
    case 'f':
        a->markdown = strcmp(arg, "markdown") == 0;
        if (!a->markdown && strcmp(arg, "text") != 0)
            argp_error(state, "no format '%s'; there are: text, markdown", arg);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "fidelity takes no argument, but got '%s'", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_text(const struct rule *r)
{
    printf("  %-12s  %s\n", status_name[r->status], r->rule);
    if (r->how != NULL)
        printf("  %-12s    but: %s\n", "", r->how);
    printf("  %-12s    source: %s\n", "", r->source);
}

static void print_markdown(const struct rule *r)
{
    printf("| %s | %s | %s | %s | `%s` |\n", r->area, r->rule, status_name[r->status],
           r->how != NULL ? r->how : "", r->source);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {.only = -1};
    cli_parse(command, argc, argv, &a);
    int32_t count[LEFT_OUT + 1] = {0};
    const char *area = "";
    if (a.markdown)
        puts("| area | rule | status | how | source |\n|---|---|---|---|---|");
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const struct rule *r = &rules[i];
        if (a.only >= 0 && (int)r->status != a.only)
            continue;
        count[r->status]++;
        if (!a.markdown && strcmp(area, r->area) != 0)
            printf("%s%s\n", *area == '\0' ? "" : "\n", r->area);
        area = r->area;
        if (a.markdown)
            print_markdown(r);
        else
            print_text(r);
    }
    if (!a.markdown)
        printf("\n%d modelled, %d simplified, %d not modelled\n", (int)count[MODELLED],
               (int)count[SIMPLIFIED], (int)count[LEFT_OUT]);
    return SIM_EXIT_MET;
}

static const struct argp_option options[] = {
    {.name = "only", .key = 's', .arg = "STATUS", .doc = "modelled, simplified, or 'not modelled'"},
    {.name = "format", .key = 'f', .arg = "FORMAT", .doc = "text (default) or markdown"},
    {0},
};

const struct cli_command cli_fidelity = {
    .name = "fidelity",
    .group = "Understand",
    .line = "what is modelled, simplified, not modelled",
    .arguments = "",
    .examples = "kcsim fidelity\nkcsim fidelity --only 'not modelled'\n",
    .options = options,
    .parse = parse,
    .run = run,
};
