/*
 * Kafka's gauges of the controller, by their names.
 *
 * Source: Kafka kafka.controller.KafkaController (kafka.controller:type=KafkaController,name=…),
 * ControllerStats.uncleanLeaderElectionRate (its count), ControllerEventManager.
 */
#ifndef SIM_METRICS_H
#define SIM_METRICS_H

#include <stdint.h>

#include "controller/controller.h"

/* "OfflinePartitionsCount", …; NULL at the end. */
extern const char *const sim_metric_names[];

/* Returns the value of the gauge; `name` is one of sim_metric_names (asserted). */
int64_t sim_metric(const struct kc_metrics *metrics, const char *name);

#endif
