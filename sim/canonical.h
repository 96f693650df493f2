/*
 * The canonical form of recordings: what each scripted broker was sent, what that left it knowing,
 * and what ZooKeeper holds at the end, byte for byte as the harness writes it that recorded the
 * real Apache Kafka (tests/golden/README.md).
 *
 *     trace.jsonl    one request a line: steps in order, brokers by id, then order of arrival
 *     effect.jsonl   per step and broker what remains after all its requests
 *     znodes.jsonl   znodes, JSON with sorted keys; without times and registrations' contents
 *     answers.txt    the controller's answers to calls, where there were any
 *
 * Left out on purpose: order between brokers, times, ports, correlations. Partitions within a
 * request are sorted. A broker epoch is named ID#k: the k-th registration of that broker.
 *
 * Memory: owned by the recording; it grows with the requests. Thread: none.
 */
#ifndef SIM_CANONICAL_H
#define SIM_CANONICAL_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/world.h"

struct sim_canonical; /* opaque */

struct sim_canonical *sim_canonical_new(void);
void sim_canonical_free(struct sim_canonical *c);

/* From now on requests belong to step `number`, called `text` ("03 kill 1"). */
void sim_canonical_step(struct sim_canonical *c, uint32_t number, const char *text);
/* Requests are kept (true, at first) or only counted. */
void sim_canonical_keep(struct sim_canonical *c, bool keep);
/* Process `id` is a controller: not shown among live brokers and registrations, nothing is kept of
   what it is sent. */
void sim_canonical_hide(struct sim_canonical *c, int32_t id);
/* A line of answers.txt, put behind the text of the present step. */
void sim_canonical_note(struct sim_canonical *c, const char *text);

/* Records one request; fits sim_hooks.request. */
void sim_canonical_request(void *context, const struct sim_request *request);
/* Returns how many requests there were to brokers that are not hidden. */
uint64_t sim_canonical_count(const struct sim_canonical *c);
/* Returns the highest controller epoch that broker `id` has heard of, 0 none. */
int32_t sim_canonical_heard(const struct sim_canonical *c, int32_t id);

/* Writes the files into the folder (made where it is missing). Returns false, errno set, where that
   fails. */
bool sim_canonical_write(struct sim_canonical *c, const struct sim_world *w, const char *folder);

#endif
