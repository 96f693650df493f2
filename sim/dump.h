/*
 * A dump of znodes: what a ZooKeeper held at one moment.
 *
 * Three forms are read, told apart by their first bytes:
 *
 *   znodes.jsonl   one object a line: {"path":"/controller_epoch","data":"7","czxid":…,…}
 *   harness        the canonical znodes.jsonl of recordings (JSON data as objects, no czxids)
 *   transcript     zookeeper-shell's `ls -R /`, then `get -s PATH` for each
 *
 * Nodes are in path order, the root is left out, every parent is there. A czxid that the dump lacks
 * is invented, in path order from 1 upward, and `invented` counts how many.
 *
 * Reading is total: any bytes give a dump or errors with line and column.
 */
#ifndef SIM_DUMP_H
#define SIM_DUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "wire/coord.h"

struct sim_diagnostics;

/* Of one dump: znodes of a million partitions. */
#define SIM_DUMP_SIZE_MAX ((size_t)1 << 30)

enum sim_dump_form { SIM_DUMP_JSONL, SIM_DUMP_TRANSCRIPT };

struct sim_dump_node {
    char *path;
    uint8_t *data; /* NULL: null payload; a NUL follows the data */
    uint32_t data_size;
    bool ephemeral;
    bool czxid_invented;
    struct wire_zk_stat stat; /* ephemeral_owner: the session in the dump, or 1 where only marked */
    uint32_t line;
};

struct sim_dump {
    char *file;
    enum sim_dump_form form;
    struct sim_dump_node *nodes;
    uint32_t count;
    uint32_t invented;
    int32_t controller; /* broker id that /controller names, -1 none */
};

/* Return an owned dump, or NULL with errors in `diagnostics`. */
struct sim_dump *sim_dump_load(const char *file, struct sim_diagnostics *diagnostics);
struct sim_dump *sim_dump_parse(const char *file, const char *text, size_t size,
                                struct sim_diagnostics *diagnostics);
void sim_dump_free(struct sim_dump *dump);

/* Writes the dump as znodes.jsonl, one object a line with all stat fields. */
void sim_dump_write(const struct sim_dump *dump, FILE *out);
/* Writes a scenario that starts from the dump; `znodes` is the name of its znodes.jsonl as the
   scenario will name it. */
void sim_dump_write_scenario(const struct sim_dump *dump, const char *znodes, FILE *out);

/* Returns the node at `path`, or NULL. */
const struct sim_dump_node *sim_dump_find(const struct sim_dump *dump, const char *path);

#endif
