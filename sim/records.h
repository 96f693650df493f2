/*
 * The records of a batch that lies in a log, for those who look into logs: checks and clients'
 * books. A batch may be packed (a topic's compression.type); then its records are unpacked into
 * memory of their own for as long as they are looked at.
 */
#ifndef SIM_RECORDS_H
#define SIM_RECORDS_H

#include "broker/replicas.h"
#include "sim/world_state.h"
#include "wire/record_batch.h"

struct sim_records {
    struct wire_record_batch head; /* offsets are those of whoever kept the batch first */
    struct wire_log_walk walk;     /* for wire_log_record_next; aliases `head` */
    uint8_t *unpacked;             /* owned; NULL: they lie where the world keeps the batch */
};

/* Begins a walk over the records of a batch. False where its bytes are gone or cannot be unpacked;
   then there is nothing to close. `r` must stay where it is until it is closed. */
bool sim_records_open(const struct sim_world *w, const struct kb_batch *batch,
                      struct sim_records *r);
/* Ends it; what the records' pointers led to is gone. */
void sim_records_close(struct sim_records *r);

#endif
