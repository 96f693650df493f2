/*
 * Facts: what was true at any moment of a trace.
 *
 * A fact is a key with a history: the records that set it, each with a value, null for "gone". The
 * state at record n is the last value of every key at or before n; nothing else is needed to show a
 * cluster as it was. Built in one pass over a trace and brought up to date as it grows.
 *
 * Keys (docs/trace.md, "Facts"): zn:PATH, sess.N, node.N, role.N, bel.N.ctl, ctx.N.…, ps.N.TP,
 * rs.N.TP.B, b.N.…, watch.N.PATH.TYPE.
 * Memory: owned, borrows the trace. Values alias the trace until its next record is written.
 */
#ifndef SIM_FACTS_H
#define SIM_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/trace.h"

struct sim_facts;

/* Returns owned facts of all records that `trace` (borrowed) has so far; it must keep them
   (SIM_TRACE_KEEP). */
struct sim_facts *sim_facts_new(const struct sim_trace *trace);
void sim_facts_free(struct sim_facts *facts);
/* Takes in the records written since. */
void sim_facts_update(struct sim_facts *facts);

struct sim_fact {
    const char *key; /* aliases the facts until the next update */
    uint64_t n;      /* record that set it: the last one at or before the moment asked for */
    struct sim_value value;
};

/* Gives the fact `key` at record n (UINT64_MAX: at the end). False where it had never been set by
   then; a fact that was set to null is given, with a null value. */
bool sim_facts_get(const struct sim_facts *facts, const char *key, uint64_t n,
                   struct sim_fact *fact);
/* The same, and false too where the value is null. */
bool sim_facts_have(const struct sim_facts *facts, const char *key, uint64_t n,
                    struct sim_fact *fact);

/* Walks the facts whose key begins with `prefix` in byte order of the keys, as they were at record
   n; those that were null or not yet set are left out. Start with {0}; false at the end. */
struct sim_fact_walk {
    size_t at;
    bool begun;
};
bool sim_facts_next(const struct sim_facts *facts, const char *prefix, uint64_t n,
                    struct sim_fact_walk *walk, struct sim_fact *fact);

/* Walks all values that `key` had, newest first, from record n back: start with fact->n = 0, pass
   the previous result again; false at the end. */
bool sim_facts_before(const struct sim_facts *facts, const char *key, uint64_t n,
                      struct sim_fact *fact);

/* Returns how many keys there are; key i in byte order; the first i whose key is not below
 * `prefix`. */
size_t sim_facts_count(const struct sim_facts *facts);
const char *sim_facts_key(const struct sim_facts *facts, size_t i);
size_t sim_facts_find(const struct sim_facts *facts, const char *prefix);

/* Returns the trace that the facts are of. */
const struct sim_trace *sim_facts_trace(const struct sim_facts *facts);

#endif
