/*
 * A batch of a controller that says one thing of one partition, to every broker it names.
 */
#ifndef TESTS_BROKER_FRONT_BATCH_H
#define TESTS_BROKER_FRONT_BATCH_H

#include <stdint.h>

#include "wire/messages.h"

struct front_batch {
    uint8_t kind;         /* enum wire_record_kind; 0: UPDATE_METADATA */
    int32_t first_broker; /* two brokers: this one and the next */
    int64_t broker_epoch; /* of both */
    int32_t controller_epoch;
    const char *topic;
    int32_t partition, leader;
    const int32_t *ids; /* replicas, and all of them in sync */
    uint8_t count;
};

/* Static, until the next call. */
const struct wire_batch *front_batch_of(const struct front_batch *spec);

#endif
