/*
 * How fast the embedded ZooKeeper server is, and how it grows: one line a size.
 *
 *     zookeeper [TOPICS…]        100 1000 10000 100000: up to 2,200,000 znodes
 *
 * The tree is Kafka's: a topic node, its `partitions`, ten partitions, a state each. Times are CPU
 * nanoseconds of one request each, building the request included: create, setData and getData over
 * all states in order, getData in random order (the caches do not help), getChildren of all topics
 * per name, a watch armed and fired. Bytes are those of the block that just holds it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "zookeeper/server.h"

enum { PARTITIONS = 10 };

static struct kz_server *server;
static struct kz_outputs out;
static uint64_t request_bytes[1024];
static long replies, events, failures;

static void put(void *context, const struct kz_output *o)
{
    (void)context;
    if (o->kind == KZ_OUT_REPLY) {
        replies++;
        failures += o->reply->err != WIRE_ZK_OK;
    }
    events += o->kind == KZ_OUT_EVENT;
}

static void step(struct kz_input in)
{
    if (kz_server_step(server, 1000, &in, &out) != SM_ERR_OK) {
        printf("limit: %s\n", out.short_of);
        exit(1);
    }
}

static void ask(struct wire_zk_op op, const char *path, const char *data)
{
    struct wire_zk_builder b;
    op.version = WIRE_ZK_ANY_VERSION;
    op.data_size = data == NULL ? 0 : (uint32_t)strlen(data);
    wire_zk_begin(&b, request_bytes, sizeof request_bytes, 1, false);
    wire_zk_add(&b, op, path, data);
    step((struct kz_input){.kind = KZ_IN_REQUEST, .conn = 1, .request = wire_zk_end(&b)});
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double last;

/* Nanoseconds per item since the last call. */
static double lap(double items)
{
    double now = cpu_seconds(), ns = (now - last) / items * 1e9;
    last = cpu_seconds();
    return ns;
}

static const char state[] = "{\"controller_epoch\":17,\"leader\":3,\"version\":1,"
                            "\"leader_epoch\":42,\"isr\":[3,1,2]}";

static const char *state_path(uint64_t partition)
{
    static char path[128];
    snprintf(path, sizeof path, "/brokers/topics/topic-%06llu/partitions/%llu/state",
             (unsigned long long)(partition / PARTITIONS),
             (unsigned long long)(partition % PARTITIONS));
    return path;
}

static void make_topic(int t)
{
    struct wire_zk_op create = {.opcode = WIRE_ZK_CREATE};
    char path[128];
    snprintf(path, sizeof path, "/brokers/topics/topic-%06d", t);
    ask(create, path, "{\"version\":1,\"partitions\":{\"0\":[1,2,3]}}");
    strcat(path, "/partitions");
    ask(create, path, NULL);
    for (int p = 0; p < PARTITIONS; p++) {
        snprintf(path, sizeof path, "/brokers/topics/topic-%06d/partitions/%d", t, p);
        ask(create, path, NULL);
        ask(create, state_path((uint64_t)t * PARTITIONS + (uint64_t)p), state);
    }
}

static void start(int topics)
{
    uint32_t nodes = (uint32_t)topics * (2 + 2 * PARTITIONS) + 3;
    struct kz_limits limits = {.nodes = nodes,
                               .bytes = (uint32_t)topics * (PARTITIONS * 96 + 64) + 4096,
                               .watches = 1000,
                               .sessions = 4};
    size_t size = kz_server_size(&limits);
    server = malloc(size);
    kz_server_init(server, &limits, 3000000);
    printf("%8u %6.0f", nodes, (double)size / nodes);
    out = (struct kz_outputs){.put = put, .scratch_size = 16u << 20};
    out.scratch = malloc(out.scratch_size);
    step((struct kz_input){.kind = KZ_IN_CONNECT, .conn = 1, .timeout_us = 18000000});
    ask((struct wire_zk_op){.opcode = WIRE_ZK_CREATE}, "/brokers", NULL);
    ask((struct wire_zk_op){.opcode = WIRE_ZK_CREATE}, "/brokers/topics", NULL);
}

static void run_states(struct wire_zk_op op, uint64_t states, uint64_t stride, const char *data)
{
    for (uint64_t i = 0, at = 0; i < states; i++, at = (at + stride) % states)
        ask(op, state_path(at), data);
    printf(" %8.0f", lap((double)states));
}

static void run(int topics)
{
    uint64_t states = (uint64_t)topics * PARTITIONS;
    start(topics);
    last = cpu_seconds();
    for (int t = 0; t < topics; t++)
        make_topic(t);
    printf(" %8.0f", lap((double)topics * (2 + 2 * PARTITIONS)));
    struct wire_zk_op set = {.opcode = WIRE_ZK_SET_DATA}, get = {.opcode = WIRE_ZK_GET_DATA};
    run_states(set, states, 1, state);
    run_states(get, states, 1, NULL);
    run_states(get, states, 7919 * 331, NULL);
    ask((struct wire_zk_op){.opcode = WIRE_ZK_GET_CHILDREN}, "/brokers/topics", NULL);
    printf(" %8.0f", lap(topics));
    get.watch = 1;
    for (uint64_t i = 0; i < states; i++) {
        ask(get, state_path(i), NULL);
        ask(set, state_path(i), state);
    }
    printf(" %8.0f", lap((double)states));
    kz_server_digest(server);
    printf(" %8.0f\n", lap((double)states * 2));
    if (failures != 0 || events != (long)states)
        printf("%ld failures, %ld events\n", failures, events);
    free(server);
    free(out.scratch);
    replies = events = failures = 0;
}

int main(int count, char **arguments)
{
    static const int sizes[] = {100, 1000, 10000, 100000};
    printf("  znodes  bytes   create  setData  getData   random  child/n    watch digest/n\n");
    for (int i = 1; i < count; i++)
        run(atoi(arguments[i]));
    for (int i = 0; i < 4 && count == 1; i++)
        run(sizes[i]);
    return 0;
}
