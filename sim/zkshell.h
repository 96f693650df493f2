/*
 * ZooKeeper at a moment, as zookeeper-shell.sh shows it: ls, get, stat.
 *
 * The output is what the shell of ZooKeeper 3.5 and later prints behind its greeting, byte for
 * byte; dates are in UTC. Source: ZooKeeper org.apache.zookeeper.cli.LsCommand, GetCommand,
 * StatCommand, StatPrinter, ZKUtil.
 */
#ifndef SIM_ZKSHELL_H
#define SIM_ZKSHELL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/facts.h"

enum sim_zk_command { SIM_ZK_LS, SIM_ZK_GET, SIM_ZK_STAT };

struct sim_zk_options {
    enum sim_zk_command command;
    bool stat;      /* ls -s, get -s */
    bool recursive; /* ls -R */
};

/* Prints what the command says about `path` at record n. Returns false where the znode did not
   exist: then nothing was printed (the shell says "Node does not exist: PATH"). */
bool sim_zk_print(FILE *out, const struct sim_facts *facts, uint64_t n, const char *path,
                  const struct sim_zk_options *options);

/* Returns whether `path` is one: begins with a slash, does not end with one, has no empty part. */
bool sim_zk_path_is_legal(const char *path);

/* Writes java.util.Date.toString of `ms` since 1970 in UTC, "Thu Jan 01 00:00:00 UTC 1970". */
enum { SIM_DATE_TEXT = 40 };
const char *sim_date_text(char *out, int64_t ms);
/* Writes "2021-03-04 05:06:07,089", the %d of log4j, in UTC. */
const char *sim_log_date_text(char *out, int64_t ms);

#endif
