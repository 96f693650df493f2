/*
 * Metrics for Prometheus, under the names that Kafka's have through jmx_exporter.
 *
 *     the loop's thread ──► numbers, once a second ──► text, under a lock ◄── HTTP threads
 *
 * The thread that serves HTTP (libmicrohttpd's own) reads nothing but the finished text; the loop
 * makes a new one and swaps it in. Times of events come from the controller's notes, as histograms
 * of fixed buckets, out of which Kafka's quantiles are told; they count since the start, as Kafka's
 * own decay: Differs.
 *
 * Source: Kafka kafka.controller.KafkaController, ControllerStats, ControllerEventManager;
 * kafka.server.SessionExpireListener; jmx_exporter's rules as Strimzi and Confluent have them.
 */
#ifndef LIVE_METRICS_H
#define LIVE_METRICS_H

#include <stdint.h>

#include "controller/controller.h"

struct live_metrics;
struct live_process;

/* Serves on "HOST:PORT". Returns owned metrics; NULL where address is NULL, or, with errno set,
   where it cannot be served. All functions take NULL and then do nothing. */
struct live_metrics *live_metrics_open(const char *address, int32_t id);
void live_metrics_close(struct live_metrics *m);

/* Makes the text anew. */
void live_metrics_take(struct live_metrics *m, const struct live_process *p);
/* A note of the controller's event queue. */
void live_metrics_event(struct live_metrics *m, int64_t now_us, const struct kc_output *o);
void live_metrics_zk_reply(struct live_metrics *m, int64_t latency_us);

#endif
