/*
 * A large cluster of brokers with logs, every check on, no trace.
 *
 *     cluster BROKERS PARTITIONS [RESTARTS]           a rolling restart of all, or of so many
 *     cluster BROKERS PARTITIONS SECONDS RATE         clients at work for so many virtual seconds
 *
 * Topics of 100 partitions at replication factor 3; partitions led by all brokers alike. Without
 * known defects: with those of 2.8.2 a leader takes a broker into the ISR of whose return it has
 * not heard.
 *
 * Rolling restart, for each broker in turn: it asks the controller for a controlled shutdown, and
 * leaves when it is told that it leads nothing any more; it starts; the next one's turn comes when
 * no partition lacks a member of its ISR any more, as operators wait for it. The broker that is the
 * controller is the last, as operators do it; with BENCH_CONTROLLER=first each time the controller
 * is restarted, so that each time another one takes over and tells everybody everything. In the end
 * the world comes to rest, and every broker's metadata cache must name the leader, and its epoch,
 * that ZooKeeper has for every partition.
 *
 * Clients: a producer and a consumer of the first topic. An event is one call of a step with one
 * input.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "sim/diagnostics.h"
#include "sim/world_client.h"
#include "sim/world_state.h"
#include "statemachine/znode.h"

enum { PER_TOPIC = 100, SETTLED_US = 45000000 };

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double mebibytes_at_most(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static void fail(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(70);
}

static struct sim_scenario *scenario(int brokers, int partitions, const char *rate)
{
    static char text[1 << 16];
    struct sim_diagnostics d;
    size_t size = (size_t)snprintf(text, sizeof(text),
                                   "title: cluster\nkafka: \"2.8-fixed\"\ncluster: {nodes: [1");
    for (int id = 2; id <= brokers; id++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, ", %d", id);
    size += (size_t)snprintf(text + size, sizeof(text) - size,
                             "]}\ntopics: {\"t-{1..%d}\": {partitions: %d, replication-factor: 3}}"
                             "\n",
                             partitions / PER_TOPIC, PER_TOPIC);
    if (rate != NULL)
        size += (size_t)snprintf(text + size, sizeof(text) - size,
                                 "clients:\n  - {produce: t-1, rate: %s/s, keys: 1000}\n"
                                 "  - {consume: t-1}\n",
                                 rate);
    sim_diagnostics_init(&d);
    struct sim_scenario *s = sim_scenario_parse("bench", text, size, &d);
    sim_diagnostics_print(&d, stderr, false);
    sim_diagnostics_free(&d);
    return s;
}

/* ---- a rolling restart ---- */

static struct {
    uint64_t call;
    bool answered, may_leave;
} shutting;

static void on_answer(void *context, uint64_t call, const struct wire_call *answer)
{
    (void)context;
    if (call != shutting.call)
        return;
    shutting.answered = true;
    shutting.may_leave = answer != NULL && answer->error == 0 && answer->count == 0;
}

static void step(struct sim_world *w)
{
    if (!sim_world_step(w))
        fail(sim_world_error(w) == NULL ? "the world stopped" : sim_world_error(w));
}

/* To be quiet is asked of every broker, so not after every event. */
static void run_until_quiet(struct sim_world *w, int64_t at_most_us)
{
    int64_t end = w->now_us + at_most_us;
    do {
        for (int i = 0; i < 1000; i++)
            step(w);
        if (w->now_us > end)
            fail("the cluster does not come to rest");
    } while (!sim_world_is_quiet(w));
}

static void leave(struct sim_world *w, int32_t id)
{
    struct wire_call_builder b;
    _Alignas(8) uint8_t bytes[128];
    for (int tries = 0; tries < 3; tries++) {
        wire_call_begin(&b, bytes, sizeof(bytes),
                        &(struct wire_call){.api = WIRE_API_CONTROLLED_SHUTDOWN,
                                            .broker_id = id,
                                            .broker_epoch = sim_world_broker_epoch(w, id)});
        shutting.answered = false;
        shutting.call = sim_world_call(w, -1, wire_call_end(&b), 0);
        while (!shutting.answered)
            step(w);
        if (shutting.may_leave)
            break;
        sim_world_run(w, w->now_us + 5000000);
    }
    if (!shutting.may_leave)
        fail("a broker may not leave");
    sim_world_stop(w, id, 0);
    while (sim_world_is_up(w, id))
        step(w);
}

static void state_of(const struct sim_world *w, int partition, struct sm_leader_and_isr *li)
{
    char path[SM_PATH_MAX], topic[32];
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    snprintf(topic, sizeof(topic), "t-%d", partition / PER_TOPIC + 1);
    sm_path_partition_state(path, topic, partition % PER_TOPIC);
    if (!kz_server_get(w->zk, path, &stat, &data, &size, &has_data) ||
        sm_znode_decode_state((const char *)data, size, stat.version, li) != SM_ERR_OK)
        fail("a partition has no state");
}

/* Steps until every ISR is whole. Those that were are not looked at again: nothing else happens. */
static void run_until_in_sync(struct sim_world *w, int partitions)
{
    int64_t end = w->now_us + 60000000;
    for (int i = 0; i < partitions;) {
        struct sm_leader_and_isr li;
        state_of(w, i, &li);
        if (li.isr.count == 3) {
            i++;
            continue;
        }
        for (int k = 0; k < 100; k++)
            step(w);
        if (w->now_us > end)
            fail("an ISR does not grow");
    }
}

/* Counts what a broker that is up does not know as ZooKeeper has it, and ISRs that are not whole.
 */
static uint64_t differences(const struct sim_world *w, int partitions)
{
    uint64_t count = 0;
    for (int i = 0; i < partitions; i++) {
        char topic[32];
        struct sm_leader_and_isr li;
        state_of(w, i, &li);
        count += li.isr.count != 3;
        snprintf(topic, sizeof(topic), "t-%d", i / PER_TOPIC + 1);
        for (uint32_t k = 0; k < w->process_count; k++) {
            const struct sim_process *p = w->processes[k];
            if (p->life != SIM_UP)
                continue;
            const struct kb_cache *cache = kb_broker_cache(p->node.broker);
            uint32_t t = kb_cache_topic(cache, topic, strlen(topic));
            const struct kb_partition *have =
                t == KB_NO_TOPIC ? NULL : kb_cache_partition(cache, t, i % PER_TOPIC);
            count +=
                have == NULL || have->leader != li.leader || have->leader_epoch != li.leader_epoch;
        }
    }
    return count;
}

/* Returns who is restarted next: the lowest id, but for the controller. */
static int32_t next_of(const struct sim_world *w, const bool *done, int brokers)
{
    const char *order = getenv("BENCH_CONTROLLER");
    int32_t governs = sim_world_active(w);
    if (order != NULL && strcmp(order, "first") == 0 && governs > 0 && !done[governs])
        return governs;
    for (int32_t id = 1; id <= brokers; id++)
        if (!done[id] && id != governs)
            return id;
    return governs;
}

static void rolling_restart(struct sim_world *w, int brokers, int partitions, int restarts)
{
    double from = cpu_seconds();
    run_until_quiet(w, 60000000);
    struct sim_world_counts before = sim_world_counts(w);
    double began = cpu_seconds();
    int64_t virtual = w->now_us;
    printf("%d brokers, %d partitions: up after %.2f CPU s, %.0f MiB at most\n", brokers,
           partitions, began - from, mebibytes_at_most());
    bool *done = calloc((size_t)brokers + 1, sizeof(*done));
    for (int i = 1; done != NULL && i <= restarts; i++) {
        int32_t id = next_of(w, done, brokers);
        done[id] = true;
        leave(w, id);
        sim_world_start(w, id, 0);
        run_until_in_sync(w, partitions);
        if (getenv("BENCH_VERBOSE"))
            printf("  broker %d: %.2f CPU s, virtual %.2f s, %llu events\n", id,
                   cpu_seconds() - began, (double)(w->now_us - virtual) / 1e6,
                   (unsigned long long)(sim_world_counts(w).events - before.events));
    }
    run_until_quiet(w, 60000000);
    double took = cpu_seconds() - began;
    struct sim_world_counts after = sim_world_counts(w);
    printf("rolling restart: %.2f CPU s, %.0f MiB at most, %.1f virtual s, %" PRIu64
           " events (%.0f a second), %" PRIu64 " ZooKeeper requests; ",
           took, mebibytes_at_most(), (double)(w->now_us - virtual) / 1e6,
           after.events - before.events, (double)(after.events - before.events) / took,
           after.zk_requests - before.zk_requests);
    uint64_t different = differences(w, partitions);
    free(done);
    printf("not converged: %" PRIu64 "\n", different);
}

/* ---- clients ---- */

static void clients(struct sim_world *w, int64_t seconds)
{
    double from = cpu_seconds();
    if (!sim_world_run(w, SETTLED_US))
        fail(sim_world_error(w));
    printf("up: %.2f CPU s\n", cpu_seconds() - from);
    struct sim_world_counts before = sim_world_counts(w);
    from = cpu_seconds();
    if (!sim_world_run(w, 1000000 * (seconds) + SETTLED_US))
        fail(sim_world_error(w));
    double took = cpu_seconds() - from;
    uint64_t events = sim_world_counts(w).events - before.events;
    struct sim_client_counts p = sim_client_counts(w, 0), u = sim_client_counts(w, 1);
    printf("%" PRIu64 " events in %.3f CPU s = %.0f a second; %.0f MiB at most; %" PRIu64
           " acknowledged, %" PRIu64 " read\n",
           events, took, (double)events / took, mebibytes_at_most(), p.acked, u.read);
}

int main(int argc, char **argv)
{
    int brokers = argc > 2 ? atoi(argv[1]) : 0, partitions = argc > 2 ? atoi(argv[2]) : 0;
    const char *rate = argc > 4 ? argv[4] : NULL;
    if (brokers < 3 || partitions < PER_TOPIC || partitions % PER_TOPIC != 0) {
        fputs("usage: cluster BROKERS PARTITIONS [RESTARTS | SECONDS RATE]\n", stderr);
        return 64;
    }
    struct sim_scenario *s = scenario(brokers, partitions, rate);
    if (s == NULL)
        return 65;
    struct sim_world_options options = sim_world_options_default();
    options.notes = 0;
    options.checks = getenv("BENCH_UNCHECKED") ? SIM_CHECKS_OFF : SIM_CHECKS_ON;
    options.hooks.answer = on_answer;
    struct sim_world *w = sim_world_new(&options);
    sim_world_load(w, s);
    if (rate == NULL)
        rolling_restart(w, brokers, partitions, argc > 3 ? atoi(argv[3]) : brokers);
    else
        clients(w, atoll(argv[3]));
    const struct sim_check_result *found = sim_world_checked(w);
    if (found != NULL && found->first != SIM_CHECK_END)
        printf("violated: %s of %s: %s\n", sim_check_name(found->first),
               found->violations[found->first].object, found->violations[found->first].detail);
    sim_world_free(w);
    sim_scenario_free(s);
    return 0;
}
