/*
 * The cluster as it was at a record, in the words of the tools that operators know:
 * kafka-topics.sh --describe, kafka-reassign-partitions.sh --list, kcat -L.
 *
 * Everything is read from ZooKeeper's facts, as `kafka-topics.sh --zookeeper` reads it. Output is
 * byte for byte that of Kafka 2.8 (compat 2.8) or of Kafka 0.8 to 2.1 (compat 0.9: no blank behind
 * the colons of the first line).
 * Source: Kafka kafka.admin.TopicCommand (2.8), ReassignPartitionsCommand (2.8); kcat 1.7 kcat.c.
 */
#ifndef SIM_DESCRIBE_H
#define SIM_DESCRIBE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/facts.h"

enum sim_describe_format { SIM_DESCRIBE_KAFKA, SIM_DESCRIBE_KCAT, SIM_DESCRIBE_KCAT_JSON };

struct sim_describe_options {
    enum sim_describe_format format;
    const char *topic;     /* one topic; NULL: all, by name */
    bool under_replicated; /* fewer in sync than replicas that stay */
    bool unavailable;      /* no leader, or one that is not registered */
    bool under_min_isr;    /* no leader, or fewer in sync than min.insync.replicas */
    bool at_min_isr;       /* as many in sync as min.insync.replicas */
    bool compat_0_9;
    bool reassignment; /* what is being reassigned, instead */
};

/* Prints the cluster at record n. Returns how many topics were shown; 0 with options->topic: it did
   not exist then. */
uint32_t sim_describe_print(FILE *out, const struct sim_facts *facts, uint64_t n,
                            const struct sim_describe_options *options);

#endif
