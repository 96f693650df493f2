/*
 * What the operators and tasks of a running job have done, under Flink's names in Prometheus' text
 * form.
 *
 * A task shows its operators' counters at the end of each step, by plain atomic stores; whoever
 * asks reads what was shown last. Rates and times are means of the last seconds (monitor.h).
 */
#ifndef STREAM_METRICS_H
#define STREAM_METRICS_H

#include <stdio.h>

struct job;
struct monitor;
struct task;

/* Shows the counters; by the task's thread. */
void metrics_show(struct task *task);
/* Writes those of all operators and tasks; any thread, while the job is not freed.
 * Source: Flink MetricNames, TaskIOMetricGroup, PrometheusReporter. */
void metrics_write(const struct job *job, struct monitor *monitor, const char *job_name, FILE *to);
/* Writes one metric of the job itself. */
void metrics_write_job(const char *name, const char *job_name, long long value, FILE *to);

#endif
