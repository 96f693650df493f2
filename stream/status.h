/*
 * What a running job tells of itself: a line (list, progress), a page (status), JSON.
 *
 * The words of the JSON are those of Flink's REST interface (/jobs/:id, …/checkpoints,
 * …/backpressure); its numbers are means of the last seconds (monitor.h). Records in are those that
 * sources put out, records out those that come to the ends of the graph.
 */
#ifndef STREAM_STATUS_H
#define STREAM_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct job;
struct monitor;

/* All borrowed. Times in milliseconds since the epoch. */
struct status {
    const char *name, *id;
    const struct job *job; /* NULL: it waits to begin again, or (has_run false) is made ready */
    bool has_run;
    struct monitor *monitor;
    int64_t began_ms, now_ms;
    int64_t restarts;
    bool is_cancelled;
    int64_t completed, duration_ms; /* the last checkpoint, 0: none; how long it took */
    int64_t completed_count, failed_count;
    int port; /* of the metrics over HTTP; 0: none */
};

#define STATUS_CREATED "created" /* what stands in place of "running" before a job has run */

/* PID NAME, running for 12 s, 5000 records/s in, 5000/s out, last checkpoint 7 */
void status_write_line(const struct status *s, FILE *to);
/* NAME 12 s: 5.0 k/s in, 5.0 k/s out, watermark …, back-pressured OPERATOR 40 %, checkpoint 7 */
void status_write_progress(const struct status *s, FILE *to);
/* A table of the operators under a head. */
void status_write_text(const struct status *s, FILE *to);
/* One object, on several lines. */
void status_write_json(const struct status *s, FILE *to);
/* A string of JSON, with its quotes; of DOT too, but for control characters. */
void status_write_quoted(const char *text, FILE *to);

#endif
