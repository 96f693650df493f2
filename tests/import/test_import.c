/*
 * Lines, dates, zones, notations, transactions, clocks: one file of two or three lines each.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sim/facts.h"
#include "sim/import.h"
#include "sim/import_state.h"
#include "sim/znodes.h"

static struct sim_import_report report;
static char error[400];

static struct sim_trace *import_two(const char *a, const char *b,
                                    const struct sim_import_options *options)
{
    const struct sim_import_input inputs[] = {
        {"a.log", a, strlen(a)},
        {"b.log", b != NULL ? b : "", b != NULL ? strlen(b) : 0},
    };
    return sim_import(inputs, b != NULL ? 2 : 1, options, &report, error, sizeof(error));
}

static struct sim_trace *import(const char *text)
{
    struct sim_trace *trace = import_two(text, NULL, &(struct sim_import_options){0});
    ck_assert_msg(trace != NULL, "%s", error);
    return trace;
}

/* The first record of the kind. */
static bool find(const struct sim_trace *trace, enum sim_kind kind, struct sim_record *r)
{
    for (uint64_t n = 1; sim_trace_get(trace, n, r); n++)
        if (r->kind == kind)
            return true;
    return false;
}

#define MOVE                                                                                       \
    "[Controller id=1 epoch=4] Changed state of replica 2 for partition a-b-0 from OnlineReplica " \
    "to OfflineReplica"

/* Goal: whatever the pattern of the line, the same move at the same time. */
START_TEST(patterns_of_log4j)
{
    static const char *const lines[] = {
        "[2021-05-01 10:00:00,123] TRACE " MOVE " (state.change.logger)",
        "2021-05-01 10:00:00,123 TRACE " MOVE " (state.change.logger)",
        "2021-05-01 10:00:00,123 TRACE " MOVE " (state.change.logger) [controller-event-thread]",
        "2021-05-01T10:00:00.123Z TRACE " MOVE " (state.change.logger)",
        "2021-05-01T12:00:00.123+02:00 TRACE " MOVE " (state.change.logger)",
        "[2021-05-01 05:30:00,123-0430] TRACE " MOVE " (state.change.logger)",
        "1619863200123 TRACE " MOVE " (state.change.logger)",
        "2021-05-01 10:00:00,123 [controller-event-thread] TRACE state.change.logger - " MOVE,
        "2021-05-01 10:00:00,123 TRACE [state.change.logger] (controller-event-thread) " MOVE,
        "kafka1_1  | [2021-05-01 10:00:00,123] TRACE " MOVE " (state.change.logger)",
        "[2021-05-01 10:00:00,123] TRACE " MOVE " (state.change.logger)\r",
    };
    struct sim_trace *trace = import(lines[_i]);
    struct sim_record r;
    ck_assert_uint_eq(report.unknown, 0);
    ck_assert_int_eq(report.wall_ms, 1619863200123);
    ck_assert(find(trace, SIM_K_MOVE, &r));
    ck_assert_int_eq(r.t, 0);
    ck_assert_uint_eq(r.at, SIM_LANE_CONTROLLER(1));
    ck_assert_str_eq(sim_record_text(&r, SIM_F_PARTITION), "a-b-0");
    ck_assert_str_eq(sim_record_text(&r, SIM_F_TO), "OfflineReplica");
    ck_assert_int_eq(sim_record_int(&r, SIM_F_REPLICA, -1), 2);
    ck_assert(find(trace, SIM_K_LOG, &r));
    ck_assert_str_eq(sim_record_text(&r, SIM_F_TEXT), MOVE);
    ck_assert_str_eq(sim_record_text(&r, SIM_F_STREAM), "state-change");
    sim_trace_free(trace);
}
END_TEST

/* Goal: the state of a partition is understood in the words of each version. */
START_TEST(states_of_each_version)
{
    static const char *const texts[] = {
        "LeaderAndIsr(leader=2, leaderEpoch=5, isr=List(2, 3), zkVersion=7)",
        "LeaderAndIsr(leader=2, leaderEpoch=5, isr=List(2, 3), leaderRecoveryState=RECOVERED, "
        "partitionEpoch=7)",
        "LeaderAndIsr(leader=2, leaderEpoch=5, isrWithBrokerEpoch=List(BrokerState(brokerId=2, "
        "brokerEpoch=-1), BrokerState(brokerId=3, brokerEpoch=9)), leaderRecoveryState=RECOVERED, "
        "partitionEpoch=7)",
        "(Leader:2,ISR:2,3,LeaderEpoch:5,ZkVersion:7,ControllerEpoch:1)",
        "PartitionState(controllerEpoch=1, leader=2, leaderEpoch=5, isr=2,3, zkVersion=7, "
        "replicas=2,3,1, isNew=false)",
        "LeaderAndIsrPartitionState(topicName='t', partitionIndex=0, controllerEpoch=1, leader=2, "
        "leaderEpoch=5, isr=[2, 3], zkVersion=7, replicas=[2, 3, 1], isNew=false)",
        "{\"leader\":2,\"leader_epoch\":5,\"isr\":[2,3]}",
    };
    struct sim_state_text state;
    sim_span_state((struct sim_span){texts[_i], strlen(texts[_i])}, &state);
    ck_assert_int_eq(state.leader, 2);
    ck_assert_int_eq(state.leader_epoch, 5);
    ck_assert(state.zk_version == 7 || _i == 6);
    ck_assert(state.has_isr);
    ck_assert_uint_eq(state.isr.count, 2);
    ck_assert_int_eq(state.isr.id[0], 2);
    ck_assert_int_eq(state.isr.id[1], 3);
    ck_assert(_i != 5 || state.replicas.count == 3);
}
END_TEST

/* Goal: a refusal has its exception, which stands on the next line. */
START_TEST(a_refusal_has_its_reason)
{
    struct sim_trace *trace = import(
        "[2021-05-01 10:00:00,123] ERROR [Controller id=1 epoch=4] Controller 1 epoch 4 failed to "
        "change "
        "state for partition t-0 from NonExistentPartition to OnlinePartition "
        "(state.change.logger)\n"
        "java.lang.IllegalStateException: Partition t-0 should be in one of\n\tat "
        "x.Y\n");
    struct sim_record r;
    ck_assert(find(trace, SIM_K_MOVE, &r));
    ck_assert_int_eq(sim_record_int(&r, SIM_F_OK, 1), 0);
    ck_assert_str_eq(sim_record_text(&r, SIM_F_WHY),
                     "java.lang.IllegalStateException: Partition t-0 should be in one of");
    ck_assert_uint_eq(report.unknown, 0);
    sim_trace_free(trace);
}
END_TEST

/* Goal: a move that INFO does not log is inferred from where the next one begins. */
START_TEST(a_move_between_is_inferred)
{
    struct sim_trace *trace = import("[2021-05-01 10:00:00,100] INFO [Controller id=1 epoch=4] "
                                     "Changed partition t-0 from NewPartition to "
                                     "OnlinePartition with state LeaderAndIsr(leader=1, "
                                     "leaderEpoch=0, isr=List(1, 2), zkVersion=0) "
                                     "(state.change.logger)\n"
                                     "[2021-05-01 10:00:09,100] INFO [Controller id=1 epoch=4] "
                                     "Changed partition t-0 from OfflinePartition "
                                     "to OnlinePartition with state LeaderAndIsr(leader=2, "
                                     "leaderEpoch=1, isr=List(2), zkVersion=1) "
                                     "(state.change.logger)\n");
    struct sim_record r;
    int moves = 0, inferred = 0;
    for (uint64_t n = 1; sim_trace_get(trace, n, &r); n++)
        if (r.kind == SIM_K_MOVE) {
            moves++;
            inferred += sim_record_int(&r, SIM_F_INFERRED, 0) != 0;
            if (moves == 2) {
                ck_assert_str_eq(sim_record_text(&r, SIM_F_FROM), "OnlinePartition");
                ck_assert_str_eq(sim_record_text(&r, SIM_F_TO), "OfflinePartition");
            }
        }
    ck_assert_int_eq(moves, 3);
    ck_assert_int_eq(inferred, 1);
    struct sim_facts *facts = sim_facts_new(trace);
    struct sm_leader_and_isr li;
    ck_assert(sim_znode_leadership(facts, "t", 0, UINT64_MAX, &li));
    ck_assert_int_eq(li.leader, 2);
    ck_assert_int_eq(li.zk_version, 1);
    ck_assert(find(trace, SIM_K_DECIDE, &r));
    ck_assert_int_eq(sim_record_int(&r, SIM_F_INFERRED, 0), 1);
    sim_facts_free(facts);
    sim_trace_free(trace);
}
END_TEST

/* Goal: unknown lines are records, are counted, and are found again. */
START_TEST(nothing_is_dropped)
{
    struct sim_trace *trace =
        import("torn line\n[2021-05-01 10:00:00,100] INFO [Controller id=1] Quite new "
               "(kafka.controller.KafkaController)\n"
               "[2021-05-01 10:00:00,101] INFO other (kafka.log.Log)\n");
    struct sim_record r;
    int logs = 0;
    for (uint64_t n = 1; sim_trace_get(trace, n, &r); n++)
        logs += r.kind == SIM_K_LOG;
    ck_assert_int_eq(logs, 3);
    ck_assert_uint_eq(report.unknown, 2);
    ck_assert_uint_eq(report.unknown_at[0].line, 1);
    ck_assert_uint_eq(report.unknown_at[1].line, 2);
    ck_assert_uint_eq(report.other, 1);
    sim_trace_free(trace);
}
END_TEST

#define LINE(date)                                                                                 \
    "[" date "] INFO [Controller id=1] Registering handlers (kafka.controller.KafkaController)\n"

/* Goal: lines with a zone and lines without one are not mixed unless somebody says what is meant.
 */
START_TEST(zones_are_not_guessed)
{
    const struct sim_import_options zoned = {.has_zone = true, .zone_s = 7200};
    ck_assert_ptr_null(import_two(LINE("2021-05-01 10:00:00,000+02:00")
                                      LINE("2021-05-01 10:00:01,000"),
                                  NULL, &(struct sim_import_options){0}));
    ck_assert_ptr_nonnull(
        strstr(error, "a.log:2: this time names no time zone, but that of a.log:1"));
    ck_assert_ptr_null(import_two(LINE("2021-05-01 10:00:00,000"), LINE("2021-05-01T10:00:01,000Z"),
                                  &(struct sim_import_options){0}));
    ck_assert_ptr_nonnull(strstr(error, "b.log:1: this time names a time zone"));
    struct sim_trace *trace = import_two(
        LINE("2021-05-01 10:00:00,000") LINE("2021-05-01 10:00:01,000+01:00"), NULL, &zoned);
    struct sim_record r;
    ck_assert_ptr_nonnull(trace);
    ck_assert(sim_trace_get(trace, sim_trace_count(trace), &r));
    ck_assert_int_eq(r.t, INT64_C(3601000000));
    sim_trace_free(trace);
}
END_TEST

/* Goal: an hour that comes twice is said, and does not turn the order round. */
START_TEST(time_that_goes_back_is_said)
{
    struct sim_trace *trace = import(LINE("2021-10-31 02:59:59,000") LINE("2021-10-31 02:00:00,000")
                                         LINE("2021-10-31 02:00:01,000"));
    struct sim_record r;
    ck_assert_uint_eq(report.note_count, 1);
    ck_assert_ptr_nonnull(strstr(report.notes[0], "a.log:2: time goes back by 59 minutes"));
    ck_assert(sim_trace_get(trace, sim_trace_count(trace), &r));
    ck_assert_int_eq(r.t, 1000000);
    sim_trace_free(trace);
}
END_TEST

/* Goal: of two clocks that no line compares none is moved; one that answers before it was asked is.
 */
START_TEST(clocks_move_only_where_they_must)
{
    static const char asked[] = "[2021-05-01 10:00:10,000] TRACE Controller 1 epoch 4 sending "
                                "become-leader LeaderAndIsr request "
                                "(Leader:2,ISR:1,2,LeaderEpoch:0,ControllerEpoch:4) with "
                                "correlationId 7 to broker 2 for partition "
                                "[t,0] (state.change.logger)\n";
    static const char had[] = "[2021-05-01 10:00:07,500] TRACE Broker 2 received LeaderAndIsr "
                              "request (LeaderAndIsrInfo:(Leader:2,"
                              "ISR:1,2,LeaderEpoch:0,ControllerEpoch:4),ReplicationFactor:2),"
                              "AllReplicas:1,2) correlation id 7 from "
                              "controller 1 epoch 4 for partition [t,0] (state.change.logger)\n";
    struct sim_trace *trace = import_two(asked, had, &(struct sim_import_options){0});
    struct sim_record r;
    ck_assert_uint_eq(report.clock_count, 2);
    ck_assert_int_eq(report.clocks[1].ahead_us, -2500000);
    ck_assert(find(trace, SIM_K_RECV, &r));
    ck_assert_int_eq(r.t, 0);
    ck_assert_uint_ne(r.by, 0);
    sim_trace_free(trace);
    trace = import_two(LINE("2021-05-01 10:00:00,000"), had, &(struct sim_import_options){0});
    ck_assert_int_eq(report.clocks[1].ahead_us, 0);
    sim_trace_free(trace);
}
END_TEST

/* Goal: every wording can be fitted, and by none that stands before it. */
START_TEST(no_wording_hides_another)
{
    for (size_t i = 0; i < sim_wording_count; i++) {
        bool server = sim_wordings[i].word >= WORD_STARTING;
        char text[800] = "[Controller id=1] ", *out = text + (server ? 0 : strlen(text));
        struct sim_entry e = {.node = -1, .ce = -1, .logger = SIM_SPAN("kafka.controller.X")};
        for (const char *at = sim_wordings[i].text; *at != '\0';) {
            if (*at != '{') {
                *out++ = *at++;
                continue;
            }
            const char *fill = strchr("bceghklmnrv", at[1]) != NULL ? "7"
                               : at[1] == 'p'                       ? "t-0"
                               : at[1] == 's'                       ? "(Leader:7)"
                                                                    : "word";
            memcpy(out, fill, strlen(fill));
            out += strlen(fill);
            at += 3;
        }
        e.text = (struct sim_span){text, (size_t)(out - text)};
        if (server)
            e.logger = SIM_SPAN("kafka.server.X");
        sim_import_read(&e);
        ck_assert_msg(e.word == sim_wordings[i].word, "\"%s\" is read as \"%s\"",
                      sim_wordings[i].text,
                      e.word == WORD_UNKNOWN ? "unknown" : sim_wordings[e.row].text);
    }
}
END_TEST

/* Goal: a multi is read out of what each tool makes of it. */
START_TEST(a_multi_in_each_notation)
{
    static const char garbled[] = "session 0x10 cxid 0x1 zxid 0x2f multi "
                                  "create:\0\0\0\016/brokers/ids/2\xef\xbf\xbd\xef\xbf\xbd\xef"
                                  "\xbf\xbd\xef\xbf\xbd\0\0\0\1\0\0\0\x1f\0\0\0\5world\0\0\0\6anyon"
                                  "e\1\0\0\0\2;setData:\0\0\0\016"
                                  "/brokers/ids/2\0\0\0\10{\"a\":12}\0\0\0\1";
    static const char hexed[] = "session 0x10 cxid 0x1 zxid 0x2f multi "
                                "v{s{1,#000e2f62726f6b6572732f6964732f32ffffffffffffffffffffffff"
                                "ffffffff00010001f0005776f726c640006616e796f6e6510002},s{5,#"
                                "000e2f62726f6b6572732f6964732f320008"
                                "7b2261223a31327d0001}}";
    const struct sim_span texts[] = {{garbled, sizeof(garbled) - 1}, {hexed, sizeof(hexed) - 1}};
    struct sim_entry e = {.text = texts[_i]};
    struct sim_txn txn = {0};
    sim_txn_decode(&e, false, &txn);
    ck_assert(txn.readable);
    ck_assert_int_eq(txn.session, 0x10);
    ck_assert_int_eq(txn.zxid, 0x2f);
    ck_assert_uint_eq(txn.count, 2);
    ck_assert_int_eq(txn.ops[0].type, SIM_TXN_CREATE);
    ck_assert_str_eq(txn.ops[0].path, "/brokers/ids/2");
    ck_assert_ptr_null(txn.ops[0].data);
    ck_assert(txn.ops[0].ephemeral);
    ck_assert_int_eq(txn.ops[1].type, SIM_TXN_SET);
    ck_assert_str_eq(txn.ops[1].data, "{\"a\":12}");
    sim_txn_clear(&txn);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("import");
    TCase *tc = tcase_create("import");
    tcase_add_loop_test(tc, patterns_of_log4j, 0, 11);
    tcase_add_loop_test(tc, states_of_each_version, 0, 7);
    tcase_add_test(tc, a_refusal_has_its_reason);
    tcase_add_test(tc, a_move_between_is_inferred);
    tcase_add_test(tc, nothing_is_dropped);
    tcase_add_test(tc, zones_are_not_guessed);
    tcase_add_test(tc, time_that_goes_back_is_said);
    tcase_add_test(tc, clocks_move_only_where_they_must);
    tcase_add_test(tc, no_wording_hides_another);
    tcase_add_loop_test(tc, a_multi_in_each_notation, 0, 2);
    suite_add_tcase(s, tc);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
