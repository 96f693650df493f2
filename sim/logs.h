/*
 * controller.log and state-change.log out of a trace, as a broker's log4j writes them.
 *
 *     [2021-01-01 00:00:06,420] INFO [Controller id=1] Registering handlers
 * (kafka.controller.KafkaController)
 *
 * Pattern "[%d] %p %m (%c)%n". Virtual time 0 is SIM_LOG_EPOCH_MS; a live
 * trace says when it began; in UTC. The logger is told from
 * the prefix that each of Kafka's controller classes puts before its messages. Source: Kafka
 * config/log4j.properties; logIdent of each class in kafka.controller.
 */
#ifndef SIM_LOGS_H
#define SIM_LOGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/trace.h"

#define SIM_LOG_EPOCH_MS INT64_C(1609459200000) /* 2021-01-01 00:00:00 UTC */

enum sim_log_stream { SIM_LOG_CONTROLLER = 1, SIM_LOG_STATE_CHANGE = 2 };

struct sim_log_options {
    unsigned streams;     /* bits of enum sim_log_stream */
    int32_t node;         /* of one node only; -1 all, in the order of time */
    const char *level;    /* least level: "TRACE" (NULL), "INFO", … */
    uint64_t from, until; /* records, inclusive; until 0: the last */
};

/* Prints the lines; returns how many. */
uint64_t sim_logs_print(FILE *out, const struct sim_trace *trace,
                        const struct sim_log_options *options);

/* Returns the logger ("kafka.controller.KafkaController", "state.change.logger") of a record of
   kind log; static. */
const char *sim_log_logger(const struct sim_record *record);
/* The same of a line: stream "controller" or "state-change" (NULL: the former), and its text. */
const char *sim_log_logger_of(const char *stream, const char *text);

/* Returns whether `name` is a level of log4j that the trace knows. */
bool sim_log_is_level(const char *name);

#endif
