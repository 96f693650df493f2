/*
 * Scenarios of the recording harness (.scn), played in the simulator.
 *
 *     line ──► step ──► the world, run as far as the step waits ──► canonical recording
 *
 * One step a line, `#` begins a comment; the language is that of the harness that recorded the real
 * Apache Kafka (tests/golden/README.md), so that a recording and a run are comparable byte for
 * byte. Controllers are nodes that register like Kafka brokers; brokers are scripted; sessions last
 * 6 s.
 *
 * Reading is total: any bytes give a scenario or an error with its line.
 */
#ifndef SIM_SCN_H
#define SIM_SCN_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/trace.h"

struct sim_scn_error {
    uint32_t line; /* 1.., 0: the file as a whole, or what was written */
    bool is_input; /* the file is at fault: its text, or a step that could not be done */
    char text[256];
};

struct sim_scn_options {
    uint64_t seed;           /* 0: delays are fixed, as in recordings */
    struct sim_trace *trace; /* borrowed; NULL: none */
    int32_t write_group, read_group; /* kcsim.zookeeper.write.group, …read.group; 0: 1 */
};

/* Plays `file` and writes the canonical outputs into the folder `out` (NULL: none). Returns false
 *and error where that fails; what was recorded until then is written even so. options may be NULL.
*/
bool sim_scn_run(const char *file, const char *out, const struct sim_scn_options *options,
                 struct sim_scn_error *error);
/* The same of a text (its size given; any bytes). */
bool sim_scn_run_text(const char *text, size_t size, const char *out,
                      const struct sim_scn_options *options, struct sim_scn_error *error);
/* Reads the text only. */
bool sim_scn_check(const char *text, size_t size, struct sim_scn_error *error);

#endif
