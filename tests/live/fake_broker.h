/*
 * A tiny broker for tests: registers with ZooKeeper, answers a controller's requests without error,
 * and remembers which came. A thread of its own.
 */
#ifndef TESTS_LIVE_FAKE_BROKER_H
#define TESTS_LIVE_FAKE_BROKER_H

#include <stdbool.h>
#include <stdint.h>

struct fake_broker;

/* Listens on a free port of loopback and registers under /brokers/ids/ID. */
struct fake_broker *fake_broker_start(const char *hosts, int32_t id);
/* Closes its session, at once, and its port. */
void fake_broker_stop(struct fake_broker *b);

/* How many requests of that API (4, 5, 6) have come. */
int fake_broker_count(const struct fake_broker *b, int api);
/* Waits until there are at least `count`; false after 20 s. */
bool fake_broker_await(const struct fake_broker *b, int api, int count);

#endif
