/*
 * Golden traces: what a run did, in so few words that a person can review it, kept beside its
 * scenario and compared at every run.
 *
 *     orders.yaml ──► run ──► trace ──► sim_golden_of ──► orders.golden.ndjson
 *                                            │                  │ reviewed once, then kept
 *                                            └── sim_golden_compare ──► "leader of orders-1 …"
 *
 * A line is a fault, an election, a move of a state machine, a batch of requests, a check, or a
 * fact that ZooKeeper holds: time, what, and its fields, without the numbers that change with every
 * other change (records, transactions, messages). Same scenario, seed and behaviour, same bytes.
 *
 * A comparison speaks of objects first ("leader of orders-1"), each with its first difference, in
 * the order of time; the lines themselves come behind.
 */
#ifndef SIM_GOLDEN_H
#define SIM_GOLDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/trace.h"

struct sim_golden {
    char *text; /* NDJSON; owned */
    size_t size;
    uint64_t
        *record; /* [line]: the record that a line was made of; owned; NULL where it was read */
    uint32_t lines;
};

/* Makes the golden form of a trace; free it with sim_golden_free. */
struct sim_golden sim_golden_of(const struct sim_trace *trace);
/* Reads a file. Returns false, errno set, where it cannot be read. */
bool sim_golden_read(struct sim_golden *g, const char *file);
/* Writes a file by way of a new one beside it, so that it is whole or as it was. Returns false,
   errno set, where that fails. */
bool sim_golden_write(const struct sim_golden *g, const char *file);
void sim_golden_free(struct sim_golden *g);

/* Writes the name of the golden of a scenario: its extension replaced by .golden.ndjson. Returns
   `out`, NULL where it does not fit. */
const char *sim_golden_name(char *out, size_t capacity, const char *scenario);

/* Returns whether both are equal. Otherwise prints what differs: at most `objects` objects, then at
   most `lines` lines of each side; `is` may name records, so that `kcsim why` can go on. Any bytes
   may be compared: a line that is no JSON object is compared as it stands. */
bool sim_golden_compare(FILE *out, const struct sim_golden *was, const struct sim_golden *is,
                        unsigned objects, unsigned lines);

#endif
