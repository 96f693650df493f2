/*
 * Why is it so? From a value at a moment back to the fault that brought it about.
 *
 *     value ──► the record that set it ──► its cause ──► … ──► a fault, or the start
 *                                            │
 *                                            └─ where nothing arrived: the fault that silenced it
 *
 * The walk follows `mute` where there is one and `by` elsewhere; both are smaller than the record,
 * so it ends. A decision on the way shows its candidates and the records that it read.
 */
#ifndef SIM_WHY_H
#define SIM_WHY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/facts.h"

enum sim_aspect {
    SIM_ASPECT_FACT,       /* a key as it is */
    SIM_ASPECT_LEADER,     /* leader of T-P, in ZooKeeper */
    SIM_ASPECT_ISR,        /* isr of T-P, in ZooKeeper */
    SIM_ASPECT_CONTROLLER, /* who holds /controller */
};

/* What is asked about. */
struct sim_effect {
    enum sim_aspect aspect;
    char key[400];  /* the fact behind it */
    char text[400]; /* in words: "leader of orders-0" */
};

/* Parses "leader of T-P", "isr of T-P", "state of T-P", "state of replica B of T-P", "controller",
   or the key of a fact. States are those in the machine of the controller that was active at record
   n. False and *error (capacity bytes) where it names nothing that the trace knows. */
bool sim_why_target(const struct sim_facts *facts, const char *text, uint64_t n,
                    struct sim_effect *target, char *error, size_t capacity);

/* The value that the target had at record n, in words ("2", "2,3", "none"), and the record that
   made it so: an ISR may change while the leader stays. False where it had none. */
bool sim_why_value(const struct sim_facts *facts, const struct sim_effect *target, uint64_t n,
                   char *value, size_t capacity, uint64_t *setter);

/* Returns the next record of the walk, 0 at its end. */
uint64_t sim_why_next(const struct sim_record *record);

struct sim_why_options {
    bool all;  /* every record of the chain; else those that only carry the cause on are left out */
    bool refs; /* the records that decisions read, too */
};

/* Prints the chain of record n, newest first. Returns the last record of the walk (a fault, a step
   of the scenario, `given`, or the first thing that happened). */
uint64_t sim_why_print(FILE *out, const struct sim_trace *trace, uint64_t n,
                       const struct sim_why_options *options);

#endif
