/*
 * How fast a running job is, and what holds it up.
 *
 *     every 10 ms   look at each task: busy, idle, or waiting for room (back-pressured)
 *     every second  note the operators' counters; with them the last 5 seconds are kept
 *
 * Tasks say what they do by a plain store at the begin and the end of their turns; nothing of this
 * slows records down. As a slot is one thread, the times of busy of its tasks together are at most
 * a second in a second: a task that could go on, but whose slot runs another, counts as idle.
 *
 * Source: Flink TaskIOMetricGroup (busyTimeMsPerSecond …), MeterView; those are means of a minute.
 *
 * Threads: one of its own; all is guarded by its lock.
 */
#ifndef STREAM_MONITOR_H
#define STREAM_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

struct job;
struct monitor;

/* Means of the last seconds. */
struct task_times {
    uint32_t busy_ms, full_ms, idle_ms; /* in a second: together 1000, or 0 before the first */
    bool full_now;
};
struct op_rates {
    double in, out; /* records a second */
};
struct task_rates {
    double bytes_in, bytes_out, packets_out; /* a second */
};

/* Begins to look; returns owned, NULL if there is no thread. `each_second` is called by its thread,
 * with no lock held, or is NULL. */
struct monitor *monitor_new(void (*each_second)(void *context), void *context);
/* Ends the thread first. */
void monitor_free(struct monitor *m);
/* The job that runs now; it is not looked at any more when monitor_detach has returned. */
void monitor_attach(struct monitor *m, struct job *job);
void monitor_detach(struct monitor *m);
/* Of a task and of an operator of the job at hand, by their places: `task` as in job->tasks, `op`
 * counted over all tasks. Zero where nothing is known yet. Any thread. */
struct task_times monitor_task(struct monitor *m, uint32_t task);
struct task_rates monitor_traffic(struct monitor *m, uint32_t task);
struct op_rates monitor_op(struct monitor *m, uint32_t op);

#endif
