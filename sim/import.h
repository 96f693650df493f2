/*
 * Kafka's own logs, as a trace.
 *
 *     state-change.log ─┐ lines            words              records
 *     controller.log    ├──► entries ──► clocks ──► merged ──► trace ──► why, describe, story, logs
 *     server.log        │   (import_lines) (import_clocks)    (import_story, import_brokers,
 *     zookeeper.log    ─┘   (import_txns)                      import_znodes)
 *
 * What each line says stands in one table of wordings (import_words.c); a line that no wording fits
 * is kept as a `log` record and counted, never dropped. Records that no line states but that follow
 * from what lines state (a controller wrote this znode, this broker must have been dead) carry
 * `inferred`. In an imported trace `by` always says what the lines make likely; only messages with
 * a correlation id are certain.
 *
 * Times: µs from the first line of all inputs, on the clock of the reference (ZooKeeper, else the
 * broker with the most lines). Other clocks are moved only where lines prove that they are off.
 *
 * Total: any bytes give a trace or an error with its file and line; what can be read of a damaged
 * file is read. Memory: inputs are borrowed until the call returns.
 */
#ifndef SIM_IMPORT_H
#define SIM_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/trace.h"

struct sim_import_input {
    const char *name;
    const char *bytes; /* borrowed; need not end with NUL */
    size_t size;
};

/* What a file is, by what is in it. */
enum sim_import_kind {
    SIM_IMPORT_OTHER,        /* none of these: a dump of znodes, say */
    SIM_IMPORT_LOG,          /* lines of log4j */
    SIM_IMPORT_TRANSACTIONS, /* printed by zkTxnLogToolkit.sh or LogFormatter */
    SIM_IMPORT_RAW,          /* ZooKeeper's transaction log itself */
    SIM_IMPORT_GZIP,         /* compressed: to be opened first */
};
enum sim_import_kind sim_import_kind_of(const char *bytes, size_t size);

struct sim_import_options {
    bool has_zone;
    int32_t zone_s; /* of times that name no zone, east of UTC; 0 where not given */
};

enum { SIM_IMPORT_CLOCKS_MAX = 256, SIM_IMPORT_NOTES_MAX = 64, SIM_IMPORT_UNKNOWN_MAX = 10000 };

/* How far a clock is ahead of the reference. */
struct sim_import_clock {
    int32_t node; /* -1: ZooKeeper; -2: a file that names several brokers */
    uint64_t lines;
    int64_t ahead_us;        /* by how much it was moved; 0: not */
    int64_t low_us, high_us; /* what pairs of lines allow; INT64_MIN, INT64_MAX: no bound */
    uint32_t pairs;          /* that bound it directly */
    bool torn;               /* no single shift fits: low_us > high_us */
};

struct sim_import_report {
    uint64_t lines, records, unknown, other; /* other: of loggers that are not read */
    uint64_t transactions, inferred;
    struct sim_import_clock clocks[SIM_IMPORT_CLOCKS_MAX];
    uint32_t clock_count, reference; /* index */
    int64_t wall_ms;                 /* of time 0 */
    /* Sentences on what was odd: "FILE:LINE: …". The first ones; note_count counts all. */
    char notes[SIM_IMPORT_NOTES_MAX][300];
    uint32_t note_count;
    /* Where the unknown lines stand: the first ones. */
    struct {
        uint32_t input, line;
    } unknown_at[SIM_IMPORT_UNKNOWN_MAX];
};

/* Returns an owned trace, finished, or NULL with one sentence in `error` (capacity bytes, beginning
   with the file and where it helps the line). *report is filled either way. */
struct sim_trace *sim_import(const struct sim_import_input *inputs, size_t count,
                             const struct sim_import_options *options,
                             struct sim_import_report *report, char *error, size_t capacity);

#endif
