/*
 * The forms of Kafka's and ZooKeeper's tools, byte for byte, at moments of the hand-made trace.
 */
#define _POSIX_C_SOURCE 200809L

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "hand.h"
#include "sim/describe.h"
#include "sim/logs.h"
#include "sim/zkshell.h"
#include "sim/znodes.h"

static struct hand hand;
static struct sim_trace *trace;
static struct sim_facts *facts;

static void set_up(void)
{
    trace = hand_made(&hand, true);
    facts = sim_facts_new(trace);
}

static void tear_down(void)
{
    sim_facts_free(facts);
    sim_trace_free(trace);
}

static void check_describe(uint64_t n, struct sim_describe_options options, const char *expected)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    sim_describe_print(out, facts, n, &options);
    fclose(out);
    ck_assert_str_eq(text, expected);
    free(text);
}

START_TEST(kafka_topics_describe)
{
    check_describe(hand.given, (struct sim_describe_options){0},
                   "Topic: orders\tPartitionCount: 2\tReplicationFactor: 3\tConfigs: "
                   "min.insync.replicas=2,retention.ms=1000\n"
                   "\tTopic: orders\tPartition: 0\tLeader: 1\tReplicas: 1,2,3\tIsr: 1,2,3\n"
                   "\tTopic: orders\tPartition: 1\tLeader: 2\tReplicas: 2,3,1\tIsr: 2,3,1\n");
    check_describe(hand.zap, (struct sim_describe_options){.topic = "orders"},
                   "Topic: orders\tPartitionCount: 2\tReplicationFactor: 3\tConfigs: "
                   "min.insync.replicas=2,retention.ms=1000\n"
                   "\tTopic: orders\tPartition: 0\tLeader: 2\tReplicas: 1,2,3\tIsr: 2,3\n"
                   "\tTopic: orders\tPartition: 1\tLeader: 2\tReplicas: 2,3,1\tIsr: 2,3,1\n");
    check_describe(hand.given, (struct sim_describe_options){.topic = "other"}, "");
    check_describe(hand.given, (struct sim_describe_options){.compat_0_9 = true},
                   "Topic:orders\tPartitionCount:2\tReplicationFactor:3\tConfigs:"
                   "min.insync.replicas=2,retention.ms=1000\n"
                   "\tTopic: orders\tPartition: 0\tLeader: 1\tReplicas: 1,2,3\tIsr: 1,2,3\n"
                   "\tTopic: orders\tPartition: 1\tLeader: 2\tReplicas: 2,3,1\tIsr: 2,3,1\n");
}
END_TEST

START_TEST(filters_show_partitions_only)
{
    const char *zero = "\tTopic: orders\tPartition: 0\tLeader: 2\tReplicas: 1,2,3\tIsr: 2,3\n";
    check_describe(hand.zap, (struct sim_describe_options){.under_replicated = true}, zero);
    check_describe(hand.zap, (struct sim_describe_options){.at_min_isr = true}, zero);
    check_describe(hand.zap, (struct sim_describe_options){.under_min_isr = true}, "");
    check_describe(hand.zap, (struct sim_describe_options){.unavailable = true}, "");
    /* Between the expiry and the election the leader is not registered. */
    check_describe(hand.expired, (struct sim_describe_options){.unavailable = true},
                   "\tTopic: orders\tPartition: 0\tLeader: 1\tReplicas: 1,2,3\tIsr: 1,2,3\n");
    check_describe(hand.zap, (struct sim_describe_options){.reassignment = true},
                   "No partition reassignments found.\n");
}
END_TEST

/* A second trace: no leader, a reassignment, a deletion, a topic id, malformed znodes. */
static void set_up_odd(void)
{
    trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    sim_trace_begin(trace, SIM_K_GIVEN, 0, SIM_LANE_WORLD, 0, 0);
    hand_znode(trace, "/admin/delete_topics/gone", NULL, 1, 0);
    hand_znode(trace, "/brokers/topics/gone", "{\"version\":1,\"partitions\":{\"0\":[3]}}", 1, 0);
    hand_znode(
        trace, "/brokers/topics/gone/partitions/0/state",
        "{\"controller_epoch\":1,\"leader\":-1,\"version\":1,\"leader_epoch\":4,\"isr\":[3]}", 1,
        0);
    hand_znode(
        trace, "/brokers/topics/moving",
        "{\"version\":3,\"topic_id\":\"AAECAwQFBgcICQoLDA0ODw\",\"partitions\":{\"1\":[5,6,1],"
        "\"0\":[4]},\"adding_replicas\":{\"1\":[5,6]},\"removing_replicas\":{\"1\":[1]}}",
        1, 0);
    hand_znode(trace, "/brokers/topics/moving/partitions/1/state",
               "{\"controller_epoch\":1,\"leader\":1,\"version\":1,\"leader_epoch\":0,\"isr\":[1]}",
               1, 0);
    hand_znode(trace, "/brokers/topics/broken", "{not json", 1, 0);
    hand_znode(trace, "/config/topics/broken", "[[[", 1, 0);
    sim_trace_end(trace);
    facts = sim_facts_new(trace);
}

START_TEST(odd_topics_are_described_too)
{
    check_describe(
        1, (struct sim_describe_options){0},
        "Topic: broken\tPartitionCount: 0\tReplicationFactor: 0\tConfigs: \n"
        "Topic: gone\tPartitionCount: 1\tReplicationFactor: 1\tConfigs: \tMarkedForDeletion: true\n"
        "\tTopic: gone\tPartition: 0\tLeader: none\tReplicas: 3\tIsr: 3\tMarkedForDeletion: true\n"
        "Topic: moving\tTopicId: AAECAwQFBgcICQoLDA0ODw\tPartitionCount: 2\tReplicationFactor: 1\t"
        "Configs: \n"
        "\tTopic: moving\tPartition: 0\tLeader: none\tReplicas: 4\tIsr: \n"
        "\tTopic: moving\tPartition: 1\tLeader: 1\tReplicas: 5,6,1\tIsr: 1\tAdding Replicas: 5,6\t"
        "Removing Replicas: 1\n");
    check_describe(1, (struct sim_describe_options){.reassignment = true},
                   "Current partition reassignments:\n"
                   "moving-1: replicas: 5,6,1. adding: 5,6. removing: 1.\n");
    /* What a reassignment adds does not count as missing. */
    check_describe(1, (struct sim_describe_options){.under_replicated = true},
                   "\tTopic: moving\tPartition: 0\tLeader: none\tReplicas: 4\tIsr: \n");
}
END_TEST

START_TEST(kcat_metadata)
{
    check_describe(hand.zap, (struct sim_describe_options){.format = SIM_DESCRIBE_KCAT},
                   "Metadata for all topics (from broker 2: host2:9092/2):\n"
                   " 2 brokers:\n"
                   "  broker 2 at host2:9092 (controller)\n"
                   "  broker 3 at host3:9092\n"
                   " 1 topics:\n"
                   "  topic \"orders\" with 2 partitions:\n"
                   "    partition 0, leader 2, replicas: 1,2,3, isrs: 2,3\n"
                   "    partition 1, leader 2, replicas: 2,3,1, isrs: 2,3,1\n");
    check_describe(
        hand.zap,
        (struct sim_describe_options){.format = SIM_DESCRIBE_KCAT_JSON, .topic = "orders"},
        "{\"originating_broker\":{\"id\":2,\"name\":\"host2:9092/"
        "2\"},\"query\":{\"topic\":\"orders\"},"
        "\"controllerid\":2,\"brokers\":[{\"id\":2,\"name\":\"host2:9092\"},{\"id\":3,\"name\":"
        "\"host3:9092\"}],\"topics\":[{\"topic\":\"orders\",\"partitions\":[{\"partition\":0,"
        "\"leader\":2,\"replicas\":[{\"id\":1},{\"id\":2},{\"id\":3}],\"isrs\":[{\"id\":2},{\"id\":"
        "3}]},"
        "{\"partition\":1,\"leader\":2,\"replicas\":[{\"id\":2},{\"id\":3},{\"id\":1}],\"isrs\":"
        "[{\"id\":2},{\"id\":3},{\"id\":1}]}]}]}\n");
}
END_TEST

static void check_zk(uint64_t n, const char *path, struct sim_zk_options options,
                     const char *expected)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    bool found = sim_zk_print(out, facts, n, path, &options);
    fclose(out);
    ck_assert_int_eq(found, expected != NULL);
    ck_assert_str_eq(text, expected != NULL ? expected : "");
    free(text);
}

START_TEST(zookeeper_shell)
{
    const struct sim_zk_options ls = {.command = SIM_ZK_LS}, get = {.command = SIM_ZK_GET};
    check_zk(hand.given, "/brokers/ids", ls, "[1, 2, 3]\n");
    check_zk(hand.expired, "/brokers/ids", ls, "[2, 3]\n");
    check_zk(hand.expired, "/brokers/ids/1", get, NULL);
    check_zk(hand.given, "/", ls, "[admin, brokers, config, controller, controller_epoch]\n");
    check_zk(hand.given, "/controller_epoch", ls, "[]\n");
    check_zk(hand.given, "/controller_epoch", get, "1\n");
    check_zk(hand.given, "/brokers", get, "null\n");
    check_zk(hand.zap, "/brokers/topics/orders", (struct sim_zk_options){.recursive = true},
             "/brokers/topics/orders\n"
             "/brokers/topics/orders/partitions\n"
             "/brokers/topics/orders/partitions/0\n"
             "/brokers/topics/orders/partitions/1\n"
             "/brokers/topics/orders/partitions/0/state\n"
             "/brokers/topics/orders/partitions/1/state\n");
    check_zk(
        hand.zap, "/brokers/topics/orders/partitions/0/state",
        (struct sim_zk_options){.command = SIM_ZK_GET, .stat = true},
        "{\"controller_epoch\":1,\"leader\":2,\"version\":1,\"leader_epoch\":1,\"isr\":[2,3]}\n"
        "cZxid = 0x18\n"
        "ctime = Thu Jan 01 00:00:00 UTC 1970\n"
        "mZxid = 0x1f\n"
        "mtime = Thu Jan 01 00:00:07 UTC 1970\n"
        "pZxid = 0x18\n"
        "cversion = 0\n"
        "dataVersion = 1\n"
        "aclVersion = 0\n"
        "ephemeralOwner = 0x0\n"
        "dataLength = 74\n"
        "numChildren = 0\n");
}
END_TEST

/* Goal: what children do to their parent's stat shows, though the parent's fact was not set again.
 */
START_TEST(children_change_the_stat_of_their_parent)
{
    struct sim_znode znode;
    ck_assert(sim_znode_get(facts, "/brokers/ids", hand.given, &znode));
    ck_assert_int_eq(znode.stat.num_children, 3);
    ck_assert_int_eq(znode.stat.cversion, 0);
    ck_assert(sim_znode_get(facts, "/brokers/ids", hand.expired, &znode));
    ck_assert_int_eq(znode.stat.num_children, 2);
    ck_assert_int_eq(znode.stat.cversion, 1);
    ck_assert_int_eq(znode.stat.pzxid, 30);
    ck_assert(sim_znode_get(facts, "/controller", hand.expired, &znode));
    ck_assert_int_eq(znode.stat.ephemeral_owner, 0x102);
}
END_TEST

START_TEST(dates_are_those_of_java)
{
    char text[SIM_DATE_TEXT];
    ck_assert_str_eq(sim_date_text(text, 951782400000), "Tue Feb 29 00:00:00 UTC 2000");
    ck_assert_str_eq(sim_date_text(text, 1609459199999), "Thu Dec 31 23:59:59 UTC 2020");
    ck_assert_str_eq(sim_date_text(text, 4107542400000), "Mon Mar 01 00:00:00 UTC 2100");
    ck_assert_str_eq(sim_date_text(text, -1), "Wed Dec 31 23:59:59 UTC 1969");
    ck_assert_str_eq(sim_log_date_text(text, 1585222713075), "2020-03-26 11:38:33,075");
}
END_TEST

START_TEST(log_lines_follow_the_pattern_of_log4j)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct sim_log_options both = {.streams = SIM_LOG_CONTROLLER | SIM_LOG_STATE_CHANGE,
                                   .node = -1};
    ck_assert_uint_eq(sim_logs_print(out, trace, &both), 2);
    both.level = "INFO";
    ck_assert_uint_eq(sim_logs_print(out, trace, &both), 1);
    both.node = 1;
    ck_assert_uint_eq(sim_logs_print(out, trace, &both), 0);
    fclose(out);
    ck_assert_str_eq(
        text,
        "[2021-01-01 00:00:07,002] INFO [Controller id=2] Broker failure callback for 1 "
        "(kafka.controller.KafkaController)\n"
        "[2021-01-01 00:00:07,002] TRACE [Controller id=2 epoch=1] Changed state of replica 1 for "
        "partition orders-0 from OnlineReplica to OfflineReplica (state.change.logger)\n"
        "[2021-01-01 00:00:07,002] INFO [Controller id=2] Broker failure callback for 1 "
        "(kafka.controller.KafkaController)\n");
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("describe");
    TCase *tc = tcase_create("hand-made");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, kafka_topics_describe);
    tcase_add_test(tc, filters_show_partitions_only);
    tcase_add_test(tc, kcat_metadata);
    tcase_add_test(tc, zookeeper_shell);
    tcase_add_test(tc, children_change_the_stat_of_their_parent);
    tcase_add_test(tc, dates_are_those_of_java);
    tcase_add_test(tc, log_lines_follow_the_pattern_of_log4j);
    TCase *odd = tcase_create("odd");
    tcase_add_checked_fixture(odd, set_up_odd, tear_down);
    tcase_add_test(odd, odd_topics_are_described_too);
    suite_add_tcase(suite, tc);
    suite_add_tcase(suite, odd);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
