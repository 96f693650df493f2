/*
 * Why-chains: every chain ends at a fault or at the start, and says so in words.
 */
#define _POSIX_C_SOURCE 200809L

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "hand.h"
#include "sim/facts.h"
#include "sim/narrate.h"
#include "sim/narrate_znode.h"
#include "sim/why.h"

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

static char *why(uint64_t n, bool all, uint64_t *last)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    *last = sim_why_print(out, trace, n, &(struct sim_why_options){.all = all, .refs = true});
    fclose(out);
    return text;
}

static void check_value(const char *target, uint64_t n, const char *value, uint64_t setter)
{
    struct sim_effect effect;
    char error[300], actual[300];
    uint64_t actual_setter;
    ck_assert_msg(sim_why_target(facts, target, n, &effect, error, sizeof(error)), "%s", error);
    ck_assert(sim_why_value(facts, &effect, n, actual, sizeof(actual), &actual_setter));
    ck_assert_str_eq(actual, value);
    ck_assert_uint_eq(actual_setter, setter);
}

START_TEST(targets_have_values_at_every_moment)
{
    check_value("leader of orders-0", UINT64_MAX, "2", hand.zap);
    check_value("leader of orders-0", hand.expired, "1", hand.given);
    check_value("isr of orders-0", UINT64_MAX, "2,3", hand.zap);
    check_value("isr of orders-0", hand.zap - 1, "1,2,3", hand.given);
    check_value("leader of orders-1", UINT64_MAX, "2", hand.given);
    check_value("controller", UINT64_MAX, "2", hand.given);
    check_value("state of orders-0", UINT64_MAX, "OnlinePartition", hand.given);
    check_value("state of replica 1 of orders-0", hand.given, "OnlineReplica", hand.given);
    check_value("state of replica 1 of orders-0", UINT64_MAX, "OfflineReplica", hand.learn + 1);
    check_value("zn:/brokers/ids/1", UINT64_MAX, "gone", hand.expired);
    check_value("ctx.2.live", UINT64_MAX, "[1,2,3]", hand.given);
}
END_TEST

START_TEST(targets_that_name_nothing_are_refused)
{
    static const char *const bad[] = {
        "",
        "nothing",
        "leader of",
        "leader of ",
        "leader of orders",
        "leader of orders-",
        "leader of -1",
        "leader of orders-99",
        "isr of other-0",
        "state of replica x of orders-0",
        "state of replica 9 of orders-0",
        "leader of orders-99999999999999999999",
    };
    struct sim_effect effect;
    char error[300];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        error[0] = '\0';
        ck_assert_msg(!sim_why_target(facts, bad[i], UINT64_MAX, &effect, error, sizeof(error)),
                      "%s", bad[i]);
        ck_assert_uint_gt(strlen(error), 0);
    }
}
END_TEST

/* Goal: the chain of a new leader, in words: the write, the election with its candidates, the
   expiry, and, since nothing arrived there, the fault that silenced the broker. */
START_TEST(a_new_leader_leads_back_to_the_fault)
{
    uint64_t last;
    char *text = why(hand.zap, false, &last);
    ck_assert_uint_eq(last, hand.fault);
    ck_assert_str_eq(
        text, "   7.001500s  #11     ZooKeeper writes /brokers/topics/orders/partitions/0/state: "
              "leader 2, "
              "ISR 2,3, leader epoch 1 (version 1), for controller 2, zxid 31\n"
              "   7.000500s  #9      Controller 2 elects 2 as leader of orders-0, ISR 2,3 "
              "(OfflinePartitionLeaderElectionStrategy)\n"
              "                        candidate  alive  in sync  verdict\n"
              "                        1          no     yes      not alive\n"
              "                        2          yes    yes      chosen\n"
              "                        3          yes    yes      later in the order\n"
              "                        using what these records had set:\n"
              "                0.000s  #2      The cluster is as given at the start\n"
              "   7.000500s  #8      Controller 2 begins BrokerChange\n"
              "   7.000500s  #7      Controller 2 queues BrokerChange, 1 waiting\n"
              "   7.000500s  #6      Controller 2 is told: NodeChildrenChanged /brokers/ids\n"
              "      7.000s  #5      The watch on /brokers/ids fires: NodeChildrenChanged\n"
              "      7.000s  #4      ZooKeeper lets the session of node 1 expire, its ephemeral "
              "znodes go\n"
              "                        because nothing came any more, since:\n"
              "      1.000s  #3      Fault: kill leader of orders-0 (that is 1), called first\n");
    free(text);
}
END_TEST

START_TEST(every_chain_ends_at_a_fault_or_at_the_start)
{
    struct sim_record r;
    for (uint64_t n = 1; n <= sim_trace_count(trace); n++) {
        uint64_t last;
        char *text = why(n, true, &last);
        ck_assert(sim_trace_get(trace, last, &r));
        ck_assert(r.kind == SIM_K_FAULT || sim_why_next(&r) == 0);
        free(text);
    }
}
END_TEST

START_TEST(every_record_has_a_sentence)
{
    struct sim_record r;
    char text[300];
    for (uint64_t n = 1; n <= sim_trace_count(trace); n++) {
        ck_assert(sim_trace_get(trace, n, &r));
        ck_assert_uint_gt(sim_narrate(&r, text, sizeof(text)), 0);
        ck_assert(r.kind == SIM_K_LOG || strchr(text, '{') == NULL);
        ck_assert(r.kind == SIM_K_LOG || strchr(text, ']') == NULL);
        ck_assert_uint_eq(sim_narrate(&r, text, 16), strlen(text));
        ck_assert_uint_lt(strlen(text), 16);
    }
}
END_TEST

/* Goal: an empty record of each kind has a sentence too: the last row of a kind asks for nothing.
 */
START_TEST(every_kind_has_a_sentence)
{
    struct sim_trace *t = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    struct sim_record r;
    char text[300];
    for (int kind = 1; kind < SIM_K_END; kind++) {
        sim_trace_begin(t, (enum sim_kind)kind, 0, SIM_LANE_WORLD, 0, 0);
        ck_assert(sim_trace_get(t, sim_trace_end(t), &r));
        ck_assert_uint_gt(sim_narrate(&r, text, sizeof(text)), 0);
    }
    sim_trace_free(t);
}
END_TEST

/* Goal: a write of a znode is told as what is in it; what cannot be read is left out. */
START_TEST(znodes_are_told_in_words)
{
    static const struct {
        const char *path, *data, *said;
    } cases[] = {
        {"/controller", "{\"version\":1,\"brokerid\":2}", ": broker 2"},
        {"/controller", "{\"brokerid\":", ""},
        {"/controller", "[2]", ""},
        {"/controller_epoch", "7", ": 7"},
        {"/controller_epoch", "7.5", ""},
        {"/brokers/topics/t/partitions/0/state", "{\"leader\":-1,\"isr\":[],\"leader_epoch\":4}",
         ": leader none, ISR none, leader epoch 4"},
        {"/brokers/topics/t/partitions/0/state", "{\"leader\":1,\"isr\":[[1]],\"leader_epoch\":4}",
         ""},
        {"/brokers/topics/t",
         "{\"partitions\":{\"10\":[1],\"9\":[2,1]},\"adding_replicas\":{\"9\":[2]}}",
         ": partition 9 on 2,1, partition 10 on 1, adding 2 to 9"},
        {"/brokers/topics/t",
         "{\"partitions\":{\"1\":[1],\"2\":[1],\"3\":[1],\"4\":[1],\"5\":[1]}}",
         ": partition 1 on 1, partition 2 on 1, partition 3 on 1, partition 4 on 1, and 1 more"},
        {"/admin/reassign_partitions",
         "{\"partitions\":[{\"topic\":\"t\",\"partition\":0,\"replicas\":[3,1]},{\"topic\":1}]}",
         ": t-0 to 3,1"},
        {"/isr_change_notification/isr_change_0",
         "{\"partitions\":[{\"topic\":\"t\",\"partition\":0}]}", ": t-0"},
        {"/config/topics/t", "{\"config\":{\"retention.ms\":\"5\"}}", ": retention.ms=5"},
        {"/nobody/knows", "{\"a\":1}", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_trace *t = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
        struct sim_record r;
        char text[400], wanted[400];
        sim_trace_begin(t, SIM_K_ZAP, 0, SIM_LANE_ZK, 0, 0);
        for (int twice = 0; twice < 2; twice++) {
            sim_trace_set_begin(t, sim_trace_key(t, "zn:%s", cases[i].path));
            sim_trace_object_begin(t, SIM_F_NONE);
            sim_trace_text(t, SIM_F_DATA, twice ? cases[i].data : "0");
            sim_trace_int(t, SIM_F_VERSION, 3);
            sim_trace_object_end(t);
            sim_trace_set_end(t);
        }
        sim_trace_set_null(t, sim_trace_key(t, "zn:/gone"));
        ck_assert(sim_trace_get(t, sim_trace_end(t), &r));
        sim_narrate_znodes(&r, text, sizeof(text));
        snprintf(wanted, sizeof(wanted), "writes %s%s (version 3); deletes /gone", cases[i].path,
                 cases[i].said);
        ck_assert_str_eq(text, wanted);
        sim_trace_free(t);
    }
}
END_TEST

/* Goal: the exported table names fields that exist, and only such as its kind has. */
START_TEST(the_table_names_fields_of_its_kind)
{
    char *text = NULL, *save = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    sim_narrate_print_table(out);
    fclose(out);
    int rows = 0;
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        char kind_name[32];
        if (sscanf(line, " {\"k\":\"%31[^\"]", kind_name) != 1)
            continue;
        enum sim_kind kind = sim_kind_named(kind_name);
        ck_assert_int_ne(kind, SIM_K_NONE);
        rows++;
        for (const char *at = strstr(line, "\"say\""); (at = strchr(at + 1, '{')) != NULL;) {
            char field[32];
            ck_assert_int_eq(sscanf(at, "{%31[^}]", field), 1);
            char *other = strchr(field, '!');
            if (other != NULL) {
                *other++ = '\0';
                ck_assert_msg(sim_kind_has(kind, sim_field_named(other)), "%s {%s}", kind_name,
                              other);
            }
            if (strcmp(field, "at") != 0 && strcmp(field, "znodes") != 0)
                ck_assert_msg(sim_kind_has(kind, sim_field_named(field)), "%s {%s}", kind_name,
                              field);
        }
    }
    ck_assert_int_gt(rows, SIM_K_END - 1);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("why");
    TCase *tc = tcase_create("why");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, targets_have_values_at_every_moment);
    tcase_add_test(tc, targets_that_name_nothing_are_refused);
    tcase_add_test(tc, a_new_leader_leads_back_to_the_fault);
    tcase_add_test(tc, every_chain_ends_at_a_fault_or_at_the_start);
    tcase_add_test(tc, every_record_has_a_sentence);
    tcase_add_test(tc, every_kind_has_a_sentence);
    tcase_add_test(tc, znodes_are_told_in_words);
    tcase_add_test(tc, the_table_names_fields_of_its_kind);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
