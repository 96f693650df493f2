/*
 * ZooKeeper as it was at a moment of a trace: znodes out of the facts zn:PATH.
 *
 * A fact holds what the znode was when something last happened to itself. What its children did to
 * its pzxid and cversion since then follows from their own facts: each child that came or went
 * counts one.
 */
#ifndef SIM_ZNODES_H
#define SIM_ZNODES_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/facts.h"
#include "statemachine/assignment.h"
#include "statemachine/leader_and_isr.h"
#include "wire/coord.h"

struct sim_znode {
    const char *data; /* aliases the trace; NULL: null payload */
    uint32_t size;
    uint64_t n; /* record that set it last */
    struct wire_zk_stat stat;
};

/* Gives the znode at record n; false where there is none. "/" exists always. */
bool sim_znode_get(const struct sim_facts *facts, const char *path, uint64_t n,
                   struct sim_znode *znode);

/* Walks the children of `path` in byte order of their names: start with {0}. *name aliases the
 * facts. */
bool sim_znode_next_child(const struct sim_facts *facts, const char *path, uint64_t n,
                          struct sim_fact_walk *walk, const char **name);

/* The state znode of a partition, decoded; false where it is missing or malformed. */
bool sim_znode_leadership(const struct sim_facts *facts, const char *topic, int32_t partition,
                          uint64_t n, struct sm_leader_and_isr *out);

#endif
