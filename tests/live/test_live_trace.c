/*
 * Goal: the trace of a live process is one that all readers take, says what was seen and nothing
 *       else, and a part of it is a trace that was cut off.
 * Method: requests and replies by hand; the file is read back, whole and cut at every byte.
 */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live/trace.h"
#include "sim/facts.h"
#include "sim/trace.h"

#define START INT64_C(1700000000000000)

static char file[] = "/tmp/kcsim-live-trace-XXXXXX";
static struct live_trace *live;
static uint64_t request_bytes[256], reply_bytes[512];

static const struct wire_zk_request *request_of(const struct wire_zk_op *ops, int count, bool multi,
                                                const char *const *paths, const char *data)
{
    struct wire_zk_builder b;
    wire_zk_begin(&b, request_bytes, sizeof request_bytes, 1, multi);
    for (int i = 0; i < count; i++) {
        struct wire_zk_op op = ops[i];
        bool writes = op.opcode == WIRE_ZK_CREATE || op.opcode == WIRE_ZK_SET_DATA;
        op.data_size = writes ? (uint32_t)strlen(data) : 0;
        wire_zk_add(&b, op, paths[i], writes ? data : NULL);
    }
    return wire_zk_end(&b);
}

static void send(const struct wire_zk_request *request)
{
    live_trace_zk_sent(live, START + 10, &(struct kn_output){.request = request});
}

static void create_one(void)
{
    static const char *const path[] = {"/brokers/topics/t"};
    struct wire_zk_op op = {.opcode = WIRE_ZK_CREATE};
    struct wire_zk_builder b;
    send(request_of(&op, 1, false, path, "{}"));
    wire_zk_reply_begin(&b, reply_bytes, sizeof reply_bytes, 1, false, 7);
    struct wire_zk_result r = {
        .opcode = WIRE_ZK_CREATE,
        .path_size = (uint32_t)strlen(path[0]),
        .stat = {.czxid = 7, .mzxid = 7},
    };
    wire_zk_reply_add(&b, r, path[0], NULL);
    ck_assert_uint_gt(live_trace_zk_reply(live, START + 20, wire_zk_reply_end(&b, 0)), 0);
}

/* One that is there and one that is not. */
static void read_two(void)
{
    static const char *const paths[] = {"/a", "/b"};
    struct wire_zk_op ops[] = {{.opcode = WIRE_ZK_GET_DATA}, {.opcode = WIRE_ZK_GET_DATA}};
    struct wire_zk_builder b;
    send(request_of(ops, 2, true, paths, ""));
    wire_zk_reply_begin(&b, reply_bytes, sizeof reply_bytes, 1, true, 7);
    struct wire_zk_result there = {.opcode = WIRE_ZK_GET_DATA, .has_data = 1, .data_size = 4};
    struct wire_zk_result not_there = {.opcode = WIRE_ZK_GET_DATA, .err = WIRE_ZK_NO_NODE};
    wire_zk_reply_add(&b, there, NULL, "data");
    wire_zk_reply_add(&b, not_there, NULL, NULL);
    ck_assert_uint_gt(live_trace_zk_reply(live, START + 30, wire_zk_reply_end(&b, 0)), 0);
}

static void write_trace(void)
{
    int fd = mkstemp(file);
    ck_assert_int_ge(fd, 0);
    close(fd);
    live = live_trace_open(file, 5, "a test", START);
    ck_assert_ptr_nonnull(live);
    live_trace_start(live, START + 1);
    create_one();
    read_two();
    send(request_of(&(struct wire_zk_op){.opcode = WIRE_ZK_EXISTS}, 1, false,
                    (const char *const[]){"/lost"}, ""));
    live_trace_zk_lost(live);
    live_trace_event(live, START + 40, WIRE_ZK_EVENT_CHILD, "/brokers/ids");
    ck_assert(live_trace_close(live, START + 50, "stopped"));
}

static bool is_known(const struct sim_facts *facts, const char *key)
{
    struct sim_fact fact;
    return sim_facts_get(facts, key, UINT64_MAX, &fact) && fact.value.type != SIM_V_NULL;
}

START_TEST(what_was_seen_is_told)
{
    struct sim_trace_error error;
    struct sim_record meta;
    bool cut = true;
    write_trace();
    struct sim_trace *trace = sim_trace_open(file, &cut, &error);
    ck_assert_msg(trace != NULL, "line %u: %s", error.line, error.text);
    ck_assert(!cut);
    ck_assert(sim_trace_get(trace, 1, &meta));
    ck_assert_int_eq(sim_record_int(&meta, SIM_F_WALL, 0), START / 1000);
    struct sim_facts *facts = sim_facts_new(trace);
    ck_assert(is_known(facts, "zn:/brokers/topics/t"));
    ck_assert(is_known(facts, "zn:/brokers/topics")); /* its parents must be there */
    ck_assert(is_known(facts, "zn:/brokers"));
    ck_assert(is_known(facts, "zn:/a"));
    ck_assert(!is_known(facts, "zn:/b"));
    ck_assert(!is_known(facts, "zn:/lost"));
    ck_assert(is_known(facts, "node.5"));
    sim_facts_free(facts);
    sim_trace_free(trace);
    unlink(file);
}
END_TEST

START_TEST(a_part_is_a_trace_that_was_cut_off)
{
    static char text[65536];
    struct sim_trace_error error;
    write_trace();
    FILE *in = fopen(file, "r");
    ck_assert_ptr_nonnull(in);
    size_t size = fread(text, 1, sizeof text, in);
    fclose(in);
    unlink(file);
    const char *first_end = strchr(text, '\n');
    ck_assert_ptr_nonnull(first_end);
    for (size_t part = (size_t)(first_end - text) + 1; part < size - 1; part++) {
        bool cut = false;
        struct sim_trace *trace = sim_trace_read(text, part, &cut, &error);
        ck_assert_msg(trace != NULL, "of %zu bytes: line %u: %s", part, error.line, error.text);
        ck_assert(cut);
        sim_trace_free(trace);
    }
}
END_TEST

START_TEST(a_trace_that_is_off_costs_nothing)
{
    live = live_trace_open(NULL, 5, "", START);
    ck_assert_ptr_nonnull(live);
    ck_assert(!live_trace_is_on(live));
    ck_assert_uint_eq(live_trace_start(live, START), 0);
    send(request_of(&(struct wire_zk_op){.opcode = WIRE_ZK_EXISTS}, 1, false,
                    (const char *const[]){"/x"}, ""));
    ck_assert_uint_eq(live_trace_event(live, START, WIRE_ZK_EVENT_CHILD, "/x"), 0);
    ck_assert(live_trace_close(live, START, "stopped"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("live trace");
    TCase *t = tcase_create("trace");
    tcase_add_test(t, what_was_seen_is_told);
    tcase_add_test(t, a_part_is_a_trace_that_was_cut_off);
    tcase_add_test(t, a_trace_that_is_off_costs_nothing);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
