/*
 * Traces as files: any bytes are refused with a line, or give a trace that prints back to itself
 * and that every reader can look at.
 */
#define _POSIX_C_SOURCE 200809L

#include "fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/describe.h"
#include "sim/diff.h"
#include "sim/facts.h"
#include "sim/logs.h"
#include "sim/narrate.h"
#include "sim/trace.h"
#include "sim/why.h"
#include "sim/zkshell.h"

#define META                                                                                       \
    "{\"n\":1,\"t\":0,\"at\":\"w\",\"k\":\"meta\",\"by\":0,\"schema\":\"kcsim.trace/"              \
    "1\",\"seed\":7}\n"

const char *const fuzz_samples[] = {
    META
    "{\"n\":2,\"t\":0,\"at\":\"w\",\"k\":\"given\",\"by\":0,\"set\":[[\"zn:/brokers/topics/t\","
    "{\"data\":\"{\\\"version\\\":2,\\\"partitions\\\":{\\\"0\\\":[1,2]},\\\"adding_replicas\\\":"
    "{},\\\"removing_replicas\\\":{}}\",\"version\":0,\"czxid\":1,\"mzxid\":1,\"pzxid\":1}],"
    "[\"zn:/brokers/topics/t/partitions/0/state\",{\"data\":\"{\\\"controller_epoch\\\":1,"
    "\\\"leader\\\":1,\\\"version\\\":1,\\\"leader_epoch\\\":0,\\\"isr\\\":[1,2]}\"}],[\"role.1\","
    "\"active\"],[\"ps.1.t-0\",\"OnlinePartition\"]]}\n",
    META
    "{\"n\":2,\"t\":5,\"at\":\"w\",\"k\":\"fault\",\"by\":0,\"verb\":\"kill\",\"target\":\"leader "
    "of "
    "t-0\",\"hit\":[1],\"set\":[[\"node.1\",{\"state\":\"down\",\"incarnation\":1}]]}\n"
    "{\"n\":3,\"t\":9,\"at\":\"zk\",\"k\":\"session\",\"by\":1,\"mute\":2,\"what\":\"expired\","
    "\"id\":5,\"node\":1,\"seen\":\"server\",\"zxid\":9,\"set\":[[\"zn:/brokers/ids/1\",null]]}\n",
    META
    "{\"n\":2,\"t\":5,\"at\":\"c2\",\"k\":\"decide\",\"by\":0,\"rule\":\"Offline\",\"partition\":"
    "\"t-0\",\"candidates\":[{\"id\":1,\"live\":0,\"insync\":1,\"verdict\":\"not alive\"}],"
    "\"chosen\":-1,\"refs\":[1],\"ok\":0}\n"
    "{\"n\":3,\"t\":5,\"at\":\"c2\",\"k\":\"log\",\"by\":2,\"level\":\"INFO\",\"stream\":"
    "\"controller\",\"text\":\"[Controller id=2] \\u00e9\"}\n"
    "{\"n\":4,\"t\":6,\"at\":\"zk\",\"k\":\"zap\",\"by\":3,\"m\":3,\"op\":\"multi\",\"path\":\"/"
    "a\","
    "\"ok\":0,\"code\":\"BADVERSION\",\"results\":[\"BADVERSION\",{\"hex\":\"ff00\"}]}\n",
    "{\"n\":1,\"t\":0,\"at\":\"w\",\"k\":\"meta\",\"by\":0,\"schema\":\"kcsim.trace/1\"}\n"
    "{\"n\":2,\"t\":0,\"at\":\"w\",\"k\":\"finish\",\"by\":0,\"verdict\":\"met\",\"digest\":\"00\"}"
    "\n",
    NULL,
};

/* Looks at the trace in every way there is; the text goes nowhere. */
static void look(const struct sim_trace *trace, FILE *out)
{
    struct sim_facts *facts = sim_facts_new(trace);
    uint64_t count = sim_trace_count(trace);
    struct sim_record r;
    char text[64];
    for (uint64_t n = 1; sim_trace_get(trace, n, &r); n++) {
        sim_narrate(&r, text, sizeof(text));
        sim_record_broker(&r);
    }
    sim_why_print(out, trace, count, &(struct sim_why_options){.all = true, .refs = true});
    for (int format = SIM_DESCRIBE_KAFKA; format <= SIM_DESCRIBE_KCAT_JSON; format++)
        sim_describe_print(
            out, facts, count,
            &(struct sim_describe_options){.format = (enum sim_describe_format)format});
    sim_describe_print(out, facts, 1, &(struct sim_describe_options){.unavailable = true});
    sim_zk_print(out, facts, count, "/", &(struct sim_zk_options){.recursive = true});
    sim_zk_print(out, facts, count, "/brokers/topics/t",
                 &(struct sim_zk_options){.command = SIM_ZK_GET, .stat = true});
    sim_logs_print(out, trace,
                   &(struct sim_log_options){.streams = 3, .node = -1, .level = "INFO"});
    static const char *const targets[] = {"leader of t-0", "isr of t-0", "state of t-0",
                                          "controller", "node.1"};
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        struct sim_effect effect;
        char value[128];
        uint64_t setter;
        if (sim_why_target(facts, targets[i], count, &effect, value, sizeof(value)))
            sim_why_value(facts, &effect, count, value, sizeof(value), &setter);
    }
    sim_facts_free(facts);
}

static void check_round_trip(const struct sim_trace *trace)
{
    char *text = NULL;
    size_t size;
    bool cut;
    struct sim_trace_error error;
    FILE *out = open_memstream(&text, &size);
    bool written = sim_trace_write(trace, out);
    assert(written);
    fclose(out);
    struct sim_trace *again = sim_trace_read(text, size, &cut, &error);
    assert(again != NULL);
    assert(sim_diff_first(trace, again, 1) == 0);
    assert(sim_trace_digest(trace) == sim_trace_digest(again));
    sim_trace_free(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    bool cut;
    struct sim_trace_error error;
    struct sim_trace *trace = sim_trace_read((const char *)bytes, size, &cut, &error);
    if (trace == NULL) {
        assert(error.line > 0 && error.column > 0 && error.text[0] != '\0');
        return 0;
    }
    check_round_trip(trace);
    FILE *out = fopen("/dev/null", "w");
    assert(out != NULL);
    look(trace, out);
    fclose(out);
    sim_trace_free(trace);
    return 0;
}
