/*
 * A node on a wall clock: a real ZooKeeper, brokers over TCP, a Kafka listener.
 *
 *                        ┌────────────── one thread, one loop ──────────────┐
 *     ZooKeeper ◄──────► │ live/zookeeper ─┐                 ┌─ live/channel │ ◄──────► brokers
 *                        │                 ├─► node/node.h ◄─┤               │
 *     clocks, signals ─► │ timers ─────────┘                 └─ live/listener│ ◄──────► clients
 *                        └──────────────────────┬───────────────────────────┘
 *                                logs, trace, metrics
 *
 * The node is the simulator's, no line differs; this folder gives it time, bytes and memory.
 *
 * Turns: inputs are given to the node one by one; what it has to do about one is worked off for at
 * most a few milliseconds, then sockets have their turn, and it goes on. Inputs that come meanwhile
 * wait in order.
 *
 * Life: the listener is opened; the first session is made; the persistent paths and the cluster id
 * are made where they are missing (as every Kafka broker does); then the node learns of its session
 * and registers. SIGTERM and SIGINT let the controller resign and close the session; a second one
 * ends at once. SIGUSR1 opens log files anew, SIGHUP does nothing.
 *
 * Source: Kafka kafka.server.KafkaServer.startup, shutdown; kafka.Kafka.
 */
#ifndef LIVE_PROCESS_H
#define LIVE_PROCESS_H

#include "controller/controller.h"
#include "live/settings.h"

struct live_options {
    struct live_settings settings;
    const char *trace, *log_folder; /* NULL: none */
    const char *metrics;            /* HOST:PORT, NULL: none */
    enum kc_level log_level;
};

enum live_exit {
    LIVE_EXIT_STOPPED = 0,
    LIVE_EXIT_FAILED = 1,        /* start-up failed, said on standard error */
    LIVE_EXIT_SOFTWARE = 70,     /* a limit of ours */
    LIVE_EXIT_INTERRUPTED = 130, /* SIGINT, or a second signal */
};

/* Runs until it is stopped; returns an enum live_exit. */
int live_process_run(const struct live_options *options);

#endif
