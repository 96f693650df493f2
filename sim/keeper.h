/*
 * A keeper of payloads (broker/payloads.h) in memory: for the full brokers of a world, all with
 * one. Thread: none; one caller at a time.
 */
#ifndef SIM_KEEPER_H
#define SIM_KEEPER_H

#include <stdint.h>

#include "broker/payloads.h"

struct sim_keeper;

struct sim_keeper *sim_keeper_new(void); /* returns owned */
void sim_keeper_free(struct sim_keeper *k);
struct kb_payloads sim_keeper_payloads(struct sim_keeper *k); /* borrows k */
/* Forgets what has no references. Its handle is given again to the same bytes alone. Linear in what
   was kept since the last sweep or has lost its last reference. */
void sim_keeper_sweep(struct sim_keeper *k);
uint64_t sim_keeper_count(const struct sim_keeper *k); /* batches that are kept */

#endif
