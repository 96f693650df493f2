/* Kafka's gauges of the controller, by their names: one table of name and field. */
#include "sim/metrics.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define METRIC_MAP(X)                                                                              \
    X("ActiveControllerCount", active_controller_count)                                            \
    X("OfflinePartitionsCount", offline_partitions_count)                                          \
    X("PreferredReplicaImbalanceCount", preferred_replica_imbalance_count)                         \
    X("ControllerState", controller_state)                                                         \
    X("GlobalTopicCount", global_topic_count)                                                      \
    X("GlobalPartitionCount", global_partition_count)                                              \
    X("TopicsToDeleteCount", topics_to_delete_count)                                               \
    X("ReplicasToDeleteCount", replicas_to_delete_count)                                           \
    X("TopicsIneligibleToDeleteCount", topics_ineligible_to_delete_count)                          \
    X("ReplicasIneligibleToDeleteCount", replicas_ineligible_to_delete_count)                      \
    X("ActiveBrokerCount", active_broker_count)                                                    \
    X("EventQueueSize", event_queue_size)                                                          \
    X("UncleanLeaderElectionsPerSec", unclean_leader_elections)

const char *const sim_metric_names[] = {
#define X(name, field) name,
    METRIC_MAP(X)
#undef X
        NULL,
};

int64_t sim_metric(const struct kc_metrics *metrics, const char *name)
{
#define X(text, field)                                                                             \
    if (strcmp(name, text) == 0) {                                                                 \
        return metrics->field;                                                                     \
    }
    METRIC_MAP(X)
#undef X
    assert(false);
    return 0;
}
