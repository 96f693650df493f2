/*
 * Scenario files: what is right loads, what is wrong is told where and how.
 *
 * Goal: the messages of tests/sim/bad are the ones that a person reviewed; the documentation, the
 * gallery and the published schema cannot drift from the reader.
 */
#define _GNU_SOURCE
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/diagnostics.h"
#include "sim/dump.h"
#include "sim/expect.h"
#include "sim/grammar.h"
#include "sim/scenario.h"

static char *read_file(const char *name)
{
    FILE *in = fopen(name, "rb");
    ck_assert_msg(in != NULL, "%s", name);
    char *text = NULL;
    size_t size = 0, got;
    FILE *out = open_memstream(&text, &size);
    char buffer[4096];
    while ((got = fread(buffer, 1, sizeof(buffer), in)) > 0) {
        fwrite(buffer, 1, got, out);
    }
    fclose(in);
    fclose(out);
    return text;
}

static char *messages(const struct sim_diagnostics *d)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    sim_diagnostics_print(d, out, false);
    fclose(out);
    return text;
}

static struct sim_scenario *good(const char *text)
{
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    struct sim_scenario *s = sim_scenario_parse("test.yaml", text, strlen(text), &d);
    if (s == NULL || d.count > 0) {
        sim_diagnostics_print(&d, stderr, false);
    }
    ck_assert_ptr_nonnull(s);
    sim_diagnostics_free(&d);
    return s;
}

/* ---- the corpus of errors ---- */

START_TEST(each_bad_scenario_is_told_as_reviewed)
{
    struct dirent **entries;
    ck_assert_int_eq(chdir(KC_SOURCE_DIR "/tests/sim"), 0);
    const int count = scandir("bad", &entries, NULL, alphasort);
    int seen = 0;
    for (int i = 0; i < count; i++) {
        char file[300], expected[300];
        char *dot = strstr(entries[i]->d_name, ".yaml");
        if (dot != NULL) {
            snprintf(file, sizeof(file), "bad/%s", entries[i]->d_name);
            snprintf(expected, sizeof(expected), "bad/%.*s.err", (int)(dot - entries[i]->d_name),
                     entries[i]->d_name);
            struct sim_diagnostics d;
            sim_diagnostics_init(&d);
            ck_assert_ptr_null(sim_scenario_load(file, &d));
            char *actual = messages(&d), *wanted = read_file(expected);
            ck_assert_str_eq(actual, wanted);
            free(actual);
            free(wanted);
            sim_diagnostics_free(&d);
            seen++;
        }
        free(entries[i]);
    }
    free(entries);
    ck_assert_int_ge(seen, 40);
}
END_TEST

/* ---- the whole language ---- */

/* Goal: what the grammar has loads; warnings of Kafka's own files, by path, come with it. */
START_TEST(every_construct_loads)
{
    static const char *const files[] = {"every-construct", "scripted"};
    struct sim_diagnostics d;
    char file[300];
    snprintf(file, sizeof(file), KC_SOURCE_DIR "/tests/sim/language/%s.yaml", files[_i]);
    sim_diagnostics_init(&d);
    struct sim_scenario *s = sim_scenario_load(file, &d);
    sim_diagnostics_print(&d, stderr, false);
    ck_assert_ptr_nonnull(s);
    ck_assert_uint_eq(d.errors, 0);
    sim_diagnostics_free(&d);
    if (_i == 0) {
        ck_assert_int_eq(s->until_us, INT64_C(600000000));
        ck_assert_uint_ge(s->step_count, 50);
        ck_assert_uint_eq(s->expect_count, 18);
    }
    sim_scenario_free(s);
}
END_TEST

/* Goal: Kafka's own files say the same by path as written into the scenario. */
START_TEST(files_of_kafka_are_taken_by_path)
{
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    struct sim_scenario *s =
        sim_scenario_load(KC_SOURCE_DIR "/tests/sim/language/every-construct.yaml", &d);
    uint32_t found = 0;
    ck_assert_ptr_nonnull(s);
    ck_assert_int_eq(s->nodes[1].settings.session_timeout_us, 6000000); /* server.properties */
    ck_assert(!s->nodes[1].settings.auto_leader_rebalance);
    for (uint32_t i = 0; i < s->step_count; i++) {
        const struct sim_step *step = &s->steps[i];
        if (step->verb == SIM_VERB_REASSIGN && step->at_us == 48000000) { /* reassign.json */
            ck_assert_uint_eq(step->partition_arg_count, 1);
            ck_assert_str_eq(step->partitions[0].topic, "orders");
            ck_assert_int_eq(step->partitions[0].replicas.count, 3);
            ck_assert_int_eq(step->partitions[0].replicas.id[2], 4);
            found++;
        }
        if (step->verb == SIM_VERB_ELECT_LEADERS && step->at_us == 45000000) { /* elect.json */
            ck_assert_uint_eq(step->partition_arg_count, 2);
            ck_assert_int_eq(step->partitions[1].partition, 1);
            found++;
        }
    }
    ck_assert_uint_eq(found, 2);
    sim_diagnostics_free(&d);
    sim_scenario_free(s);
}
END_TEST

/* ---- documentation, gallery, schema ---- */

START_TEST(every_example_in_the_documentation_loads)
{
    ck_assert_int_eq(chdir(KC_SOURCE_DIR "/docs"), 0);
    char *text = read_file("scenarios.md");
    int seen = 0;
    for (char *at = text; (at = strstr(at, "\n```yaml\n")) != NULL;) {
        at += strlen("\n```yaml\n");
        char *end = strstr(at, "\n```");
        ck_assert_ptr_nonnull(end);
        *end = '\0';
        /* An example is a whole scenario, or keys that are added to a small one. */
        char *whole = NULL;
        const bool complete = strstr(at, "cluster:") != NULL;
        const bool has_topics = strstr(at, "topics:") != NULL;
        ck_assert_int_gt(asprintf(&whole, "%s%s%s\n",
                                  complete ? "" : "cluster: {nodes: [1, 2, 3, 4, 5]}\n",
                                  complete || has_topics
                                      ? ""
                                      : "topics: {orders: {partitions: 6, replication-factor: 3}, "
                                        "clicks: {partitions: 2, replication-factor: 2}}\n",
                                  at),
                         0);
        char *titled = whole;
        if (strstr(whole, "title:") == NULL) {
            ck_assert_int_gt(asprintf(&titled, "title: example\n%s", whole), 0);
            free(whole);
        }
        sim_scenario_free(good(titled));
        free(titled);
        at = end + 1;
        seen++;
    }
    free(text);
    ck_assert_int_ge(seen, 10);
}
END_TEST

/* Folders in it, too. */
static void load_folder(const char *folder, int *seen)
{
    struct dirent **entries;
    const int count = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        const char *dot = strrchr(entries[i]->d_name, '.');
        if (dot == NULL && entries[i]->d_type == DT_DIR) {
            char inner[400];
            snprintf(inner, sizeof inner, "%s/%s", folder, entries[i]->d_name);
            load_folder(inner, seen);
        }
        if (dot != NULL && strcmp(dot, ".yaml") == 0) {
            char file[400];
            struct sim_diagnostics d;
            sim_diagnostics_init(&d);
            snprintf(file, sizeof(file), "%s/%s", folder, entries[i]->d_name);
            struct sim_scenario *s = sim_scenario_load(file, &d);
            if (d.count > 0) {
                sim_diagnostics_print(&d, stderr, false);
            }
            ck_assert_msg(s != NULL && d.count == 0, "%s", file);
            ck_assert_msg(s->question != NULL, "%s asks nothing", file);
            ck_assert_msg(s->source != NULL, "%s has no source", file);
            ck_assert_msg(s->expect_count > 0, "%s expects nothing", file);
            sim_scenario_free(s);
            sim_diagnostics_free(&d);
            (*seen)++;
        }
        free(entries[i]);
    }
    free(entries);
}

START_TEST(every_scenario_of_the_gallery_loads_and_has_question_source_and_expectations)
{
    int seen = 0;
    load_folder(KC_SOURCE_DIR "/scenarios", &seen);
    ck_assert_int_ge(seen, 25);
}
END_TEST

/* If it fails: kcsim explain schema > docs/scenario.schema.json */
START_TEST(the_published_schema_is_the_one_that_the_grammar_prints)
{
    char *printed = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&printed, &size);
    sim_schema_print(out);
    fclose(out);
    char *published = read_file(KC_SOURCE_DIR "/docs/scenario.schema.json");
    ck_assert_str_eq(printed, published);
    free(printed);
    free(published);
}
END_TEST

/* ---- what a file means ---- */

START_TEST(values_mean_what_the_documentation_says)
{
    struct sim_scenario *s = good(
        "title: x\nkafka: 2.8-fixed\nseed: 7\nuntil: 1m30s\n"
        "cluster:\n  nodes: [1, {id: 2, rack: b, role: broker}, {id: 3, down: true}]\n"
        "  properties: {zookeeper.session.timeout.ms: 6000, unclean.leader.election.enable: true}\n"
        "topics: {\"t-{1..3}\": {partitions: 2, replication-factor: 2}, u: {assignment: {1: [3, "
        "1], 0: [2]}}}\n"
        "given: {u-1: {leader: 3, isr: [3, 1], epoch: 4, zk-version: 9}}\n"
        "steps:\n  - {at: 1.5s, as: first, kill: leader of u-0}\n"
        "  - {after: first +250ms, restart: '*first'}\n"
        "  - {when: {event: send, api: LeaderAndIsr, broker: 1, epoch: '>= 3', nth: 2}, pause: 1, "
        "for: 10s}\n"
        "  - {every: 2s, from: 10s, until: 20s, expire: any}\n");
    ck_assert_int_eq(s->version, SM_VERSION_2_8_FIXED);
    ck_assert_uint_eq(s->profile.defects, 0);
    ck_assert_uint_eq(s->seed, 7);
    ck_assert_int_eq(s->until_us, 90000000);
    ck_assert(!s->until_quiet);
    ck_assert_uint_eq(s->node_count, 3);
    ck_assert_str_eq(s->nodes[1].rack, "b");
    ck_assert(s->nodes[2].down);
    ck_assert_int_eq(s->settings.session_timeout_us, 6000000);
    ck_assert(s->nodes[0].settings.unclean_leader_election);
    ck_assert_uint_eq(s->topic_count, 4);
    ck_assert_str_eq(s->topics[2].name, "t-3");
    ck_assert_int_eq(s->topics[3].assignment[1].id[0], 3);
    ck_assert_int_eq(s->given[0].leader_epoch, 4);
    ck_assert_int_eq(s->given[0].zk_version, 9);
    ck_assert_int_eq(s->steps[0].at_us, 1500000);
    ck_assert_int_eq(s->steps[0].target.kind, SIM_TARGET_LEADER);
    ck_assert_int_eq(s->steps[1].when, SIM_WHEN_AFTER);
    ck_assert_int_eq(s->steps[1].at_us, 250000);
    ck_assert_int_eq(s->steps[1].target.kind, SIM_TARGET_LABEL);
    ck_assert_uint_eq(s->steps[1].target.step, 0);
    ck_assert_uint_eq(s->steps[2].pattern.nth, 2);
    ck_assert_uint_eq(s->steps[2].pattern.condition_count, 3);
    ck_assert_int_eq(s->steps[2].pattern.conditions[2].op, SIM_OP_GE);
    ck_assert_int_eq(s->steps[2].for_us, 10000000);
    ck_assert_int_eq(s->steps[3].until_us, 20000000);
    ck_assert_uint_eq(s->steps[3].place.line, 14);
    sim_scenario_free(s);
}
END_TEST

/* Goal: Kafka's own rule. Method: the table of its comment (AdminUtils), 5 brokers, 10 partitions,
   3 replicas, start index 0, shift 0. */
START_TEST(replicas_are_placed_by_the_rule_of_kafka)
{
    static const int32_t ids[] = {0, 1, 2, 3, 4};
    static const int32_t expected[10][3] = {{0, 1, 2}, {1, 2, 3}, {2, 3, 4}, {3, 4, 0}, {4, 0, 1},
                                            {0, 2, 3}, {1, 3, 4}, {2, 4, 0}, {3, 0, 1}, {4, 1, 2}};
    for (int32_t p = 0; p < 10; p++) {
        struct sm_list replicas;
        sim_assign_replicas(ids, 5, p, 3, &replicas);
        const struct sm_list wanted = sm_list_of(expected[p], 3);
        ck_assert(sm_list_equal(&replicas, &wanted));
    }
}
END_TEST

START_TEST(a_key_of_kafka_that_is_not_modelled_warns_and_nothing_more)
{
    static const char text[] = "title: x\ncluster: {nodes: [1], properties: {log.dir: /tmp}}\n";
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    struct sim_scenario *s = sim_scenario_parse("test.yaml", text, sizeof(text) - 1, &d);
    ck_assert_ptr_nonnull(s);
    ck_assert_uint_eq(d.errors, 0);
    ck_assert_uint_eq(d.warnings, 1);
    char *told = messages(&d);
    ck_assert_str_eq(told,
                     "test.yaml:2:36: warning: log.dir is not modelled; it has no effect here\n"
                     "    cluster: {nodes: [1], properties: {log.dir: /tmp}}\n"
                     "                                       ^~~~~~~\n");
    free(told);
    sim_scenario_free(s);
    sim_diagnostics_free(&d);
}
END_TEST

START_TEST(the_nearest_word_is_suggested_and_no_far_one)
{
    static const char *const words[] = {"controller", "kill", "restart", NULL};
    ck_assert_str_eq(sim_closest("controler", words), "controller");
    ck_assert_str_eq(sim_closest("Restart", words), "restart");
    ck_assert_str_eq(sim_closest("klil", words), "kill");
    ck_assert_ptr_null(sim_closest("zebra", words));
    ck_assert_ptr_null(sim_closest("", words));
}
END_TEST

/* ---- dumps ---- */

static struct sim_dump *load_dump(const char *name)
{
    char file[400];
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    snprintf(file, sizeof(file), KC_SOURCE_DIR "/scenarios/real/dumps/%s", name);
    struct sim_dump *dump = sim_dump_load(file, &d);
    if (d.count > 0) {
        sim_diagnostics_print(&d, stderr, false);
    }
    ck_assert_ptr_nonnull(dump);
    sim_diagnostics_free(&d);
    return dump;
}

/* Method: each moment was recorded both ways; only the milliseconds are lost in the transcript. */
START_TEST(a_transcript_and_a_dump_of_one_moment_are_equal)
{
    static const char *const moments[] = {"healthy",
                                          "one-broker-down",
                                          "one-broker-down-then-controller-died",
                                          "one-broker-down-controller-returned",
                                          "deletion-and-reassignment-stuck",
                                          "deletion-and-reassignment-done"};
    for (unsigned m = 0; m < 6; m++) {
        char name[100];
        snprintf(name, sizeof(name), "%s.znodes.jsonl", moments[m]);
        struct sim_dump *a = load_dump(name);
        snprintf(name, sizeof(name), "%s.shell.txt", moments[m]);
        struct sim_dump *b = load_dump(name);
        ck_assert_uint_eq(a->count, b->count);
        ck_assert_uint_eq(a->invented, 0);
        ck_assert_uint_eq(b->invented, 0);
        ck_assert_int_eq(a->controller, b->controller);
        for (uint32_t i = 0; i < a->count; i++) {
            ck_assert_str_eq(a->nodes[i].path, b->nodes[i].path);
            ck_assert_uint_eq(a->nodes[i].data_size, b->nodes[i].data_size);
            ck_assert_int_eq(a->nodes[i].data == NULL, b->nodes[i].data == NULL);
            ck_assert(a->nodes[i].data_size == 0 ||
                      memcmp(a->nodes[i].data, b->nodes[i].data, a->nodes[i].data_size) == 0);
            ck_assert_int_eq(a->nodes[i].stat.czxid, b->nodes[i].stat.czxid);
            ck_assert_int_eq(a->nodes[i].stat.version, b->nodes[i].stat.version);
            ck_assert_int_eq(a->nodes[i].stat.ephemeral_owner, b->nodes[i].stat.ephemeral_owner);
            ck_assert_int_eq(a->nodes[i].stat.mtime / 1000, b->nodes[i].stat.mtime / 1000);
        }
        sim_dump_free(a);
        sim_dump_free(b);
    }
}
END_TEST

START_TEST(a_recording_without_czxids_gets_invented_ones_in_path_order)
{
    static const char text[] =
        "{\"path\":\"/b/c\",\"version\":3,\"data\":{\"x\":1}}\n{\"path\":\"/a\"}\n";
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    struct sim_dump *dump = sim_dump_parse("x.jsonl", text, sizeof(text) - 1, &d);
    ck_assert_ptr_nonnull(dump);
    ck_assert_uint_eq(dump->count, 3); /* the parent /b is added */
    ck_assert_uint_eq(dump->invented, 3);
    ck_assert_str_eq(dump->nodes[0].path, "/a");
    ck_assert_str_eq(dump->nodes[1].path, "/b");
    ck_assert_str_eq((const char *)dump->nodes[2].data, "{\"x\":1}");
    ck_assert_int_eq(dump->nodes[2].stat.version, 3);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_int_eq(dump->nodes[i].stat.czxid, (int64_t)i + 1);
    }
    sim_dump_free(dump);
    sim_diagnostics_free(&d);
}
END_TEST

START_TEST(a_dump_that_is_written_is_read_back_equal)
{
    struct sim_dump *dump = load_dump("deletion-and-reassignment-stuck.znodes.jsonl");
    char *text = NULL, *again = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    sim_dump_write(dump, out);
    fclose(out);
    struct sim_diagnostics d;
    sim_diagnostics_init(&d);
    struct sim_dump *read = sim_dump_parse("x.jsonl", text, size, &d);
    ck_assert_ptr_nonnull(read);
    out = open_memstream(&again, &size);
    sim_dump_write(read, out);
    fclose(out);
    ck_assert_str_eq(text, again);
    free(text);
    free(again);
    sim_dump_free(dump);
    sim_dump_free(read);
    sim_diagnostics_free(&d);
}
END_TEST

START_TEST(a_bad_dump_is_told_with_its_line)
{
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"", "d: error: the dump is empty\n"},
        {"hello\n", "d:1:1: error: neither a dump (JSON lines) nor a transcript of "
                    "zookeeper-shell\n    hello\n    ^\n"
                    "  a transcript is what zookeeper-shell prints for 'ls -R /', then 'get -s "
                    "PATH' for each path\n"},
        {"{\"path\":\"/a\"}\n{\"path\":\"/a\"}\n",
         "d:2:1: error: /a stands twice\n    {\"path\":\"/a\"}\n    ^\n"},
        {"{\"path\":\"a\"}\n",
         "d:1:1: error: 'a' is no path of a znode\n    {\"path\":\"a\"}\n    ^\n"},
        {"{\"path\":\"/a\",\"stat\":{\"czxid\":\"7\"}}\n",
         "d:1:1: error: czxid is a whole number\n    "
         "{\"path\":\"/a\",\"stat\":{\"czxid\":\"7\"}}\n    ^\n"},
        {"/\n/a\n", "d:2:1: error: a listing, but no data: 'get -s PATH' for each path is "
                    "missing\n    /a\n    ^\n"},
        {"/\n/a\n\ncZxid = 0x0\nctime = x\n",
         "d:5:1: error: the transcript ends inside a stat\n    ctime = x\n    ^\n"},
        /* znodes that a controller reads are read */
        {"{\"path\":\"/brokers/topics/t\",\"data\":\"{\"}\n",
         "d:1:1: error: /brokers/topics/t cannot be read as a topic: malformed text\n    "
         "{\"path\":\"/brokers/topics/t\",\"data\":\"{\"}\n    ^\n"},
        {"{\"path\":\"/controller_epoch\",\"data\":\"99999999999\"}\n",
         "d:1:1: error: /controller_epoch cannot be read as the controller epoch: a number is out "
         "of "
         "range\n    {\"path\":\"/controller_epoch\",\"data\":\"99999999999\"}\n    ^\n"},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_diagnostics d;
        sim_diagnostics_init(&d);
        ck_assert_ptr_null(sim_dump_parse("d", cases[i].text, strlen(cases[i].text), &d));
        char *told = messages(&d);
        ck_assert_str_eq(told, cases[i].told);
        free(told);
        sim_diagnostics_free(&d);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario");
    TCase *tc = tcase_create("scenario");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, every_construct_loads, 0, 2);
    tcase_add_test(tc, files_of_kafka_are_taken_by_path);
    tcase_add_test(tc, each_bad_scenario_is_told_as_reviewed);
    tcase_add_test(tc, every_example_in_the_documentation_loads);
    tcase_add_test(tc,
                   every_scenario_of_the_gallery_loads_and_has_question_source_and_expectations);
    tcase_add_test(tc, the_published_schema_is_the_one_that_the_grammar_prints);
    tcase_add_test(tc, values_mean_what_the_documentation_says);
    tcase_add_test(tc, replicas_are_placed_by_the_rule_of_kafka);
    tcase_add_test(tc, a_key_of_kafka_that_is_not_modelled_warns_and_nothing_more);
    tcase_add_test(tc, the_nearest_word_is_suggested_and_no_far_one);
    tcase_add_test(tc, a_transcript_and_a_dump_of_one_moment_are_equal);
    tcase_add_test(tc, a_recording_without_czxids_gets_invented_ones_in_path_order);
    tcase_add_test(tc, a_dump_that_is_written_is_read_back_equal);
    tcase_add_test(tc, a_bad_dump_is_told_with_its_line);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
