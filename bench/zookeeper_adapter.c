/*
 * How fast the adapter reads and writes the states of all partitions of a real ZooKeeper.
 *
 *     zookeeper_adapter SERVERS [PARTITIONS [WINDOW]]     "127.0.0.1:2181" 100000 10
 *
 * Makes /adapter-bench with a topic for each 100 partitions, and one line a way of doing it:
 * seconds of wall and of this process's CPU, and microseconds a partition.
 *
 *   get              one getData a partition, 4,000 in flight
 *   multi_read N     bulk reads of N partitions, WINDOW in flight, over the connection of their own
 *   singles N        the same reads, where there is no such connection
 *   fenced N         multis of a check and N setData, WINDOW in flight
 *
 * The server's share is in the wall time only. Start it with its log forced to disk, as it is.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "live/zookeeper.h"

enum { PER_TOPIC = 100, REQUEST_MAX = 1 << 20 };
#define ROOT "/adapter-bench"

static const char state[] = "{\"controller_epoch\":17,\"leader\":3,\"version\":1,"
                            "\"leader_epoch\":42,\"isr\":[3,1,2]}";

struct bench {
    uv_loop_t loop;
    struct live_zookeeper *z;
    uint32_t partitions, next, step, window, out;
    uint32_t xid;
    void (*ask)(struct bench *b, uint32_t first, uint32_t count);
    bool is_connected, is_freed, may_fail;
    uint64_t bytes[REQUEST_MAX / 8];
    struct wire_zk_builder builder;
};

/* ---- requests ---- */

static const char *state_path(uint32_t partition)
{
    static char path[128];
    snprintf(path, sizeof path, ROOT "/bench-topic-%05u/partitions/%u/state", partition / PER_TOPIC,
             partition % PER_TOPIC);
    return path;
}

static void begin(struct bench *b, bool multi)
{
    wire_zk_begin(&b->builder, b->bytes, sizeof b->bytes, ++b->xid, multi);
}

static void add(struct bench *b, enum wire_zk_opcode opcode, const char *path, const char *data)
{
    struct wire_zk_op op = {.opcode = (uint8_t)opcode,
                            .version = WIRE_ZK_ANY_VERSION,
                            .data_size = data == NULL ? 0 : (uint32_t)strlen(data)};
    wire_zk_add(&b->builder, op, path, data);
}

static void send_request(struct bench *b)
{
    const struct wire_zk_request *request = wire_zk_end(&b->builder);
    if (request == NULL)
        abort();
    b->out++;
    live_zookeeper_send(b->z, request);
}

static void ask_get(struct bench *b, uint32_t first, uint32_t count)
{
    (void)count;
    begin(b, false);
    add(b, WIRE_ZK_GET_DATA, state_path(first), NULL);
    send_request(b);
}

static void ask_bulk(struct bench *b, uint32_t first, uint32_t count)
{
    begin(b, true);
    for (uint32_t i = 0; i < count; i++)
        add(b, WIRE_ZK_GET_DATA, state_path(first + i), NULL);
    send_request(b);
}

static void ask_fenced(struct bench *b, uint32_t first, uint32_t count)
{
    begin(b, true);
    add(b, WIRE_ZK_CHECK, ROOT, NULL);
    for (uint32_t i = 0; i < count; i++)
        add(b, WIRE_ZK_SET_DATA, state_path(first + i), state);
    send_request(b);
}

static void ask_make(struct bench *b, uint32_t first, uint32_t count)
{
    char path[128];
    begin(b, true);
    snprintf(path, sizeof path, ROOT "/bench-topic-%05u", first / PER_TOPIC);
    add(b, WIRE_ZK_CREATE, path, NULL);
    strcat(path, "/partitions");
    add(b, WIRE_ZK_CREATE, path, NULL);
    for (uint32_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, ROOT "/bench-topic-%05u/partitions/%u", first / PER_TOPIC, i);
        add(b, WIRE_ZK_CREATE, path, NULL);
        add(b, WIRE_ZK_CREATE, state_path(first + i), state);
    }
    send_request(b);
}

/* ---- the loop ---- */

static void fill_window(struct bench *b)
{
    while (b->next < b->partitions && b->out < b->window) {
        uint32_t left = b->partitions - b->next, count = left < b->step ? left : b->step;
        b->ask(b, b->next, count);
        b->next += count;
    }
}

static void take(void *context, const struct live_zk_input *in)
{
    struct bench *b = context;
    if (in->kind == LIVE_ZK_CONNECTED) {
        b->is_connected = true;
    } else if (in->kind == LIVE_ZK_DISCONNECTED) {
        printf("the connection is lost\n");
        exit(1);
    } else if (in->kind == LIVE_ZK_REPLY) {
        if (in->reply->err != WIRE_ZK_OK && !b->may_fail) {
            printf("refused: %s\n", wire_zk_err_name(in->reply->err));
            exit(1);
        }
        b->out--;
        if (b->ask != NULL)
            fill_window(b);
    }
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void run(struct bench *b, const char *name, uint32_t step, uint32_t window,
                void (*ask)(struct bench *, uint32_t, uint32_t))
{
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    b->next = 0;
    b->step = step;
    b->window = window;
    b->ask = ask;
    fill_window(b);
    while (b->out > 0)
        uv_run(&b->loop, UV_RUN_ONCE);
    wall = seconds(CLOCK_MONOTONIC) - wall;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("%8u  %-10s %5u x %-5u %8.3f s %8.3f CPU s %8.2f us/partition\n", b->partitions, name,
           step, window, wall, cpu, wall / b->partitions * 1e6);
}

static void on_freed(void *context)
{
    ((struct bench *)context)->is_freed = true;
}

static struct bench *open_bench(const char *servers, uint32_t partitions, bool bulk)
{
    char error[256];
    struct bench *b = calloc(1, sizeof *b);
    struct live_zookeeper_config config = {
        .servers = servers, .bulk = bulk, .take = take, .context = b};
    uv_loop_init(&b->loop);
    b->partitions = partitions;
    b->z = live_zookeeper_new(&b->loop, &config, error, sizeof error);
    if (b->z == NULL) {
        printf("%s\n", error);
        exit(64);
    }
    live_zookeeper_connect(b->z, 0, 0, 30000000);
    while (!b->is_connected)
        uv_run(&b->loop, UV_RUN_ONCE);
    return b;
}

static void close_bench(struct bench *b)
{
    live_zookeeper_free(b->z, on_freed, b);
    while (!b->is_freed)
        uv_run(&b->loop, UV_RUN_ONCE);
    uv_loop_close(&b->loop);
    free(b);
}

static void make_nodes(struct bench *b)
{
    b->may_fail = true; /* they may be there */
    begin(b, false);
    add(b, WIRE_ZK_CREATE, ROOT, NULL);
    send_request(b);
    run(b, "make", PER_TOPIC, 10, ask_make);
    b->may_fail = false;
}

int main(int count, char **arguments)
{
    struct rusage used;
    if (count < 2) {
        printf("usage: zookeeper_adapter SERVERS [PARTITIONS [WINDOW]]\n");
        return 64;
    }
    uint32_t partitions = count > 2 ? (uint32_t)atoi(arguments[2]) : 100000;
    uint32_t window = count > 3 ? (uint32_t)atoi(arguments[3]) : 10;
    signal(SIGPIPE, SIG_IGN);
    struct bench *b = open_bench(arguments[1], partitions, true);
    make_nodes(b);
    for (int round = 0; round < 3; round++) {
        run(b, "get", 1, 4000, ask_get);
        run(b, "multi_read", 100, window, ask_bulk);
        run(b, "multi_read", 500, window, ask_bulk);
        run(b, "fenced", 100, window, ask_fenced);
        run(b, "fenced", 500, window, ask_fenced);
    }
    close_bench(b);
    b = open_bench(arguments[1], partitions, false);
    run(b, "singles", 100, window, ask_bulk);
    close_bench(b);
    getrusage(RUSAGE_SELF, &used);
    printf("peak %ld MiB\n", used.ru_maxrss / 1024);
    return 0;
}
