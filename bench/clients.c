/*
 * Simulated events a second with clients at work: 3 brokers, 30 partitions at replication factor 3,
 * one producer, one consumer, every check on that the world has (argument `checks`), no trace.
 *
 *     clients [SECONDS [RATE]]        virtual seconds, records a second
 *
 * An event is one call of a step with one input; timers that change nothing do not count: those are
 * few, for clients and brokers arm one timer each and fetches wait at the leader.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/check.h"
#include "sim/diagnostics.h"
#include "sim/scenario.h"
#include "sim/world.h"
#include "sim/world_client.h"

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct sim_scenario *scenario(const char *rate)
{
    static char text[1024];
    struct sim_diagnostics d;
    int size = snprintf(text, sizeof(text),
                        "title: clients\n"
                        "cluster: {nodes: [1, 2, 3]}\n"
                        "topics: {orders: {partitions: 30, replication-factor: 3}}\n"
                        "clients:\n"
                        "  - {produce: orders, rate: %s/s, keys: 1000}\n"
                        "  - {consume: orders}\n",
                        rate);
    sim_diagnostics_init(&d);
    struct sim_scenario *s = sim_scenario_parse("bench", text, (size_t)size, &d);
    sim_diagnostics_print(&d, stderr, false);
    sim_diagnostics_free(&d);
    return s;
}

int main(int argc, char **argv)
{
    int64_t seconds = argc > 1 ? atoll(argv[1]) : 60;
    const char *rate = argc > 2 ? argv[2] : "1000";
    struct sim_scenario *s = scenario(rate);
    if (s == NULL)
        return 65;
    struct sim_world_options options = sim_world_options_default();
    options.notes = 0;
    options.checks = SIM_CHECKS_ON;
    struct sim_world *w = sim_world_new(&options);
    sim_world_load(w, s);
    sim_world_run(w, 1000000);
    struct sim_world_counts before = sim_world_counts(w);
    double from = cpu_seconds();
    bool good = sim_world_run(w, 1000000 * (seconds + 1));
    double took = cpu_seconds() - from;
    struct sim_world_counts after = sim_world_counts(w);
    struct sim_client_counts p = sim_client_counts(w, 0), u = sim_client_counts(w, 1);
    printf("%lld virtual s, %s records/s: %llu events in %.3f CPU s = %.0f events/s; %llu sent, "
           "%llu acknowledged, %llu read, %llu messages\n",
           (long long)seconds, rate, (unsigned long long)(after.events - before.events), took,
           (double)(after.events - before.events) / took, (unsigned long long)p.sent,
           (unsigned long long)p.acked, (unsigned long long)u.read,
           (unsigned long long)(after.messages - before.messages));
    if (!good)
        fprintf(stderr, "%s\n", sim_world_error(w));
    sim_world_free(w);
    sim_scenario_free(s);
    return good ? 0 : 70;
}
