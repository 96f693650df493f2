/*
 * What sources that wait for the world have in common: see source.c.
 */
#ifndef STREAM_SOURCES_H
#define STREAM_SOURCES_H

#include "stream/lines.h"
#include "stream/task.h"

/* Puts out a batch of the lines that are there; returns whether there was one. */
bool source_put_lines(struct op *op, struct lines *lines, bool at_end);

/* Asks that the source of the task is polled again when the file descriptor is readable
 * (writable): once, and perhaps without need. By the task's thread. A descriptor that is closed is
 * forgotten by that. In steps nothing is asked: a source is polled again anyway. */
void source_await(struct op *op, int fd, bool writable);
/* Has something woken the source since the last call? In steps: always. By the task's thread. */
bool source_woken(struct op *op);
/* Ends the thread that waits; when no task runs any more. */
void poller_free(struct poller *poller);
/* A class's .wake that has nothing to do: to be polled is enough. */
void source_wake(struct op *op, int64_t now_ms);

/* A number's place among all but INT64_MIN, in order from 0 on: so the end behind the last of them
 * has a place too. What makes numbers of places. */
uint64_t sequence_place(int64_t number);
extern const st_function sequence_function;

extern const struct op_class op_socket, op_folder, op_socket_sink;

#endif
