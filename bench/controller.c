/*
 * How long the controller takes, in the simulator: taking over a cluster, and losing a broker.
 *
 *     controller [--write-group=N] [--read-group=N] PARTITIONS    one line of numbers, for run.sh
 *     controller events SECONDS      simulated events per second of CPU, small cluster
 *
 * Groups: how many partitions share one ZooKeeper request (kcsim.zookeeper.write.group, …).
 *
 * The cluster is that of the measurements of Apache Kafka which bench/README.md quotes: five
 * brokers that answer at once and do nothing else, topics of 100 partitions, replication factor 3,
 * every partition led and in sync. Two controllers without brokers: one works, one stands by.
 *
 *   failover        the working controller's session ends; until the other one has read everything,
 *                   told every broker everything, and nothing is left to do
 *   broker failure  a broker's session ends; until every partition that it led or followed is
 *                   written and told
 *
 * Time is that of this process, not the simulated one. It holds all of the simulation: controller,
 * ZooKeeper, brokers, messages. The trace is off; nothing else is.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "sim/world.h"

enum { BROKERS = 5, REPLICAS = 3, PER_TOPIC = 100, FIRST = 100, SECOND = 101 };

struct stopwatch {
    double cpu, wall;
};

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct stopwatch start(void)
{
    return (struct stopwatch){.cpu = seconds(CLOCK_PROCESS_CPUTIME_ID),
                              .wall = seconds(CLOCK_MONOTONIC)};
}

static struct stopwatch stop(struct stopwatch began)
{
    struct stopwatch now = start();
    return (struct stopwatch){.cpu = now.cpu - began.cpu, .wall = now.wall - began.wall};
}

static int32_t write_group = 1, read_group = 1;

static void fail(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(70);
}

static void run_until_quiet(struct sim_world *w)
{
    while (!sim_world_is_quiet(w))
        if (!sim_world_step(w))
            break;
    if (sim_world_error(w) != NULL)
        fail(sim_world_error(w));
    if (!sim_world_is_quiet(w))
        fail("the world stopped before it was quiet");
}

static void add(struct sim_world *w, int32_t id, enum sim_node_role role)
{
    struct sim_process_options o = {.id = id,
                                    .role = role,
                                    .profile = sm_profile_of(SM_VERSION_2_8),
                                    .settings = sim_settings_default(SM_VERSION_2_8)};
    /* A rebalance while the broker is away would be measured with it. */
    o.settings.auto_leader_rebalance = false;
    o.settings.zk_write_group = write_group;
    o.settings.zk_read_group = read_group;
    sim_world_add(w, &o);
}

/* Topic `number`: partition p on brokers p+1, p+2, p+3, counted in a circle from the topic's
 * number. */
static void add_topic(struct sim_world *w, int32_t number, int32_t count)
{
    int32_t partitions[PER_TOPIC];
    struct sm_list replicas[PER_TOPIC];
    memset(replicas, 0, sizeof replicas);
    for (int32_t p = 0; p < count; p++) {
        partitions[p] = p;
        for (int32_t r = 0; r < REPLICAS; r++)
            sm_list_append(&replicas[p], (number + p + r) % BROKERS + 1);
    }
    char name[32];
    snprintf(name, sizeof name, "t-%06d", (int)number);
    struct sim_new_topic topic = {.name = name,
                                  .partitions = partitions,
                                  .replicas = replicas,
                                  .count = (uint32_t)count,
                                  .with_states = true};
    if (sim_world_create_topic(w, &topic, 0) != WIRE_ZK_OK)
        fail("a topic could not be created");
}

static struct sim_world *cluster(int32_t partitions)
{
    struct sim_world_options options = sim_world_options_default();
    options.notes = 0;
    struct sim_world *w = sim_world_new(&options);
    for (int32_t left = partitions, topic = 0; left > 0; left -= PER_TOPIC, topic++)
        add_topic(w, topic, left < PER_TOPIC ? left : PER_TOPIC);
    for (int32_t id = 1; id <= BROKERS; id++)
        add(w, id, SIM_NODE_BROKER);
    add(w, FIRST, SIM_NODE_CONTROLLER);
    add(w, SECOND, SIM_NODE_CONTROLLER);
    for (int32_t id = 1; id <= BROKERS; id++)
        sim_world_start(w, id, 0);
    run_until_quiet(w);
    sim_world_start(w, FIRST, 0);
    run_until_quiet(w);
    sim_world_start(w, SECOND, 0);
    run_until_quiet(w);
    assert(sim_world_active(w) == FIRST);
    return w;
}

static double mebibytes_at_most(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

/* How much of a block is memory: pages that somebody has written. */
static double resident(const void *block, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = 0;
    char *first = (char *)(((uintptr_t)block + page - 1) / page * page);
    size_t pages = size < 2 * page ? 0 : size / page - 1;
    unsigned char *in = malloc(pages + 1);
    if (in == NULL || mincore(first, pages * page, in) != 0)
        fail("mincore");
    for (size_t i = 0; i < pages; i++)
        count += in[i] & 1;
    free(in);
    return (double)(count * page);
}

static void measure(int32_t partitions)
{
    struct sim_world *w = cluster(partitions);
    struct stopwatch began = start();
    sim_world_kill(w, FIRST, SIM_SESSION_CLOSED, 0);
    run_until_quiet(w);
    struct stopwatch failover = stop(began);
    const struct kc_controller *c = sim_world_controller(w, SECOND);
    if (c == NULL || !kc_controller_is_active(c))
        fail("the second controller did not take over");
    struct kc_metrics metrics = kc_controller_metrics(c);
    if (metrics.global_partition_count != partitions || metrics.offline_partitions_count != 0)
        fail("the second controller does not know every partition");

    began = start();
    sim_world_kill(w, BROKERS, SIM_SESSION_CLOSED, 0);
    run_until_quiet(w);
    struct stopwatch failure = stop(began);
    c = sim_world_controller(w, SECOND);
    metrics = kc_controller_metrics(c);
    if (metrics.active_broker_count != BROKERS - 1 || metrics.offline_partitions_count != 0)
        fail("a partition has no leader after the broker failure");

    double controller = resident(c, kc_controller_size(kc_controller_limits(c)));
    printf("%d %.3f %.3f %.3f %.3f %.0f %.0f %.0f\n", (int)partitions, failover.cpu, failover.wall,
           failure.cpu, failure.wall, controller / partitions,
           (double)sim_world_counts(w).memory / partitions, mebibytes_at_most());
    sim_world_free(w);
}

/* Three brokers, 30 partitions; brokers come and go without end. */
static void measure_events(double for_seconds)
{
    struct sim_world_options options = sim_world_options_default();
    options.notes = 0;
    struct sim_world *w = sim_world_new(&options);
    struct sm_list replicas[10];
    int32_t partitions[10];
    for (int32_t p = 0; p < 10; p++) {
        int32_t ids[] = {p % 3 + 1, (p + 1) % 3 + 1, (p + 2) % 3 + 1};
        partitions[p] = p;
        replicas[p] = sm_list_of(ids, 3);
    }
    for (int32_t t = 0; t < 3; t++) {
        struct sim_new_topic topic = {.name = (const char *const[]){"a", "b", "c"}[t],
                                      .partitions = partitions,
                                      .replicas = replicas,
                                      .count = 10,
                                      .with_states = true};
        sim_world_create_topic(w, &topic, 0);
    }
    for (int32_t id = 1; id <= 3; id++) {
        add(w, id, SIM_NODE_BOTH);
        sim_world_start(w, id, 0);
    }
    run_until_quiet(w);
    uint64_t before = sim_world_counts(w).events;
    struct stopwatch began = start(), took;
    int32_t rounds = 0;
    do {
        int32_t id = rounds++ % 3 + 1;
        sim_world_kill(w, id, SIM_SESSION_CLOSED, 0);
        run_until_quiet(w);
        sim_world_start(w, id, 0);
        run_until_quiet(w);
        took = stop(began);
    } while (took.cpu < for_seconds);
    double events = (double)(sim_world_counts(w).events - before);
    printf("%.0f events in %.2f s CPU (%.2f s wall), %d kills and starts: %.0f events/s\n", events,
           took.cpu, took.wall, (int)rounds, events / took.cpu);
    sim_world_free(w);
}

int main(int argc, char **argv)
{
    for (; argc > 1 && strncmp(argv[1], "--", 2) == 0; argc--, argv++) {
        const char *value = strchr(argv[1], '=');
        int32_t *group = strncmp(argv[1], "--read-group=", 13) == 0 ? &read_group : &write_group;
        *group = value == NULL ? 0 : atoi(value + 1);
        if (*group < 1 || *group > KC_GROUP_MAX)
            fail("a group is 1 to 500");
    }
    if (argc == 3 && strcmp(argv[1], "events") == 0) {
        measure_events(atof(argv[2]));
        return 0;
    }
    int32_t partitions = argc == 2 ? atoi(argv[1]) : 0;
    if (partitions < 1) {
        fputs("usage: controller [--write-group=N] [--read-group=N] PARTITIONS | "
              "controller events SECONDS\n",
              stderr);
        return 64;
    }
    measure(partitions);
    return 0;
}
