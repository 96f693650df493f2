/*
 * Brokers that only listen: for measuring a controller from outside.
 *
 * Each registers itself in ZooKeeper as Kafka does, accepts connections, answers LeaderAndIsr,
 * UpdateMetadata and StopReplica without error, and counts what it was told. One thread serves all
 * of them with poll(); the caller's thread reads the counts.
 */
#ifndef BENCH_FLEET_H
#define BENCH_FLEET_H

#include <stdbool.h>
#include <stdint.h>

enum { FLEET_MAX = 256 };

/* What one broker has heard since the last fleet_reset. */
struct fleet_count {
    int64_t leader_and_isr, update_metadata, stop_replica; /* partitions */
    int64_t requests, bytes;
    double first, last; /* seconds on CLOCK_MONOTONIC of the first and last request; 0 for none */
};

struct fleet;

/* Makes brokers 1..count; none listens yet. `servers`: ZooKeeper's connect string, borrowed. Ends
   the program where it cannot. */
struct fleet *fleet_new(const char *servers, int32_t count);
/* The broker listens, opens a session, registers. Blocks until that is done. */
void fleet_start(struct fleet *f, int32_t id);
/* The broker's connections break and its session is closed. */
void fleet_kill(struct fleet *f, int32_t id);
struct fleet_count fleet_count_of(struct fleet *f, int32_t id);
void fleet_reset(struct fleet *f);
void fleet_free(struct fleet *f);

double fleet_now(void); /* seconds on CLOCK_MONOTONIC */

#endif
