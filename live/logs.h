/*
 * Log files of a live process, in the form of Kafka's own.
 *
 *     controller     ──► controller.log     state changes ──► state-change.log
 *     this process   ──► server.log                    (no folder: all of them to standard output)
 *
 *     [2026-11-21 17:30:37,421] INFO [Controller id=0] Registering handlers
 * (kafka.controller.KafkaController)
 *
 * Layout "[%d] %p %m (%c)%n", local time. Lines are buffered; live_logs_flush writes them, and is
 * called once a turn of the loop. Files are opened to append, so that whatever rotates them may
 * move them and ask for new ones (live_logs_reopen). Where a file cannot be written, lines are lost
 * and that is said once on standard error: a controller does not stop for its log.
 *
 * Source: Kafka config/log4j.properties.
 */
#ifndef LIVE_LOGS_H
#define LIVE_LOGS_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/controller.h"

struct live_logs;

/* Returns owned logs, or NULL with errno set and the file in *failed (aliases a static buffer).
   folder NULL: standard output. Lines below `level` are left out. */
struct live_logs *live_logs_open(const char *folder, enum kc_level level, const char **failed);
void live_logs_free(struct live_logs *logs); /* flushes; NULL is fine */

/* Opens the files anew, as after a rotation; keeps the old one where that fails. */
void live_logs_reopen(struct live_logs *logs);
void live_logs_flush(struct live_logs *logs);

/* A line of the controller, as it gave it. */
void live_logs_controller(struct live_logs *logs, const struct kc_output *line);

/* A line of this process. */
void live_log(struct live_logs *logs, enum kc_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Stores the level of that name ("INFO", "info"); false where there is none. */
bool live_log_level(const char *name, enum kc_level *level);

#endif
