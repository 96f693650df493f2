/*
 * What a record is about, and what it says, as numbers: equal where two records agree. Internal to
 * sim/align.c and sim/diff.c.
 *
 *     subject: kind, lane, and what tells one thing from another: partition, path, request, event,
 * … content: all its fields and facts
 *
 * Neither has what merely counts what came before, for that moves with everything: numbers of
 * records, messages, events, timers, sessions, transactions of ZooKeeper (and broker epochs, which
 * are such), correlation ids; nor times. In texts such numbers are runs of ten digits and more
 * (names of sequential znodes), and what follows certain words of log lines and of znodes' data.
 */
#ifndef SIM_ALIGN_SAME_H
#define SIM_ALIGN_SAME_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/trace.h"

/* XXH3-64. Two records that differ have the same number once in 2^64. */
uint64_t sim_align_subject(const struct sim_record *r);
/* delay_us: since its cause; counts of a fault only. */
uint64_t sim_align_content(const struct sim_record *r, int64_t delay_us);

/* Returns whether a field (of the kind), a fact, is part of the content. */
bool sim_align_has_field(enum sim_kind kind, enum sim_field field);
bool sim_align_has_fact(enum sim_kind kind, const char *key, const struct sim_value *value);
/* Returns whether two values of a field, or of the fact `key` (NULL: a field), are the same. */
bool sim_align_equal(const char *key, const struct sim_value *a, const struct sim_value *b);

#endif
