/*
 * What a record made of znodes, in words. A second table beside that of narrate.h, and exported
 * with it: a page in a browser needs its interpreter only.
 *
 * A row is {path, list, template}. In a path `*` is one segment. Rows of one path add up, with ", "
 * between. A template is filled from the JSON in the znode: {leader} is a member of it, {} the
 * whole; with a list named, it is filled for each item of it, in ascending order, at most four: an
 * item of a JSON list gives members, one of an object {key} and {value}. What is absent leaves the
 * template out; no rows, or a znode that holds no JSON: only path and version are told.
 *
 *     writes /controller_epoch: 2 (version 2); deletes /admin/preferred_replica_election
 */
#ifndef SIM_NARRATE_ZNODE_H
#define SIM_NARRATE_ZNODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "sim/trace.h"

/* Writes what the record set of znodes, each path once as it was left, at most four; cut where it
   does not fit. Returns its length: 0, and "" in `out`, where it set none. */
size_t sim_narrate_znodes(const struct sim_record *record, char *out, size_t capacity);

/* Prints the table as JSON: [{"path":…, "list":…, "say":…}, …]; "list" is "" where there is none.
 */
void sim_narrate_print_znodes(FILE *out);

#endif
