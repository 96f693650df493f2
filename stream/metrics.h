/*
 * What a running job has done, under Flink's names in Prometheus' text form.
 *
 *     # TYPE flink_taskmanager_job_task_operator_numRecordsIn gauge
 *     flink_taskmanager_job_task_operator_numRecordsIn{host=…,operator_name="sum",…} 4711
 *
 * A task shows its operators' counters at the end of each step, by plain atomic stores; whoever
 * asks reads what was shown last. Rings count what goes through them, a packet at a time. Rates and
 * times are means of the last seconds (monitor.h).
 *
 * All are gauges, as Flink's reporter has them. In the values of labels all but [a-zA-Z0-9:_]
 * becomes "_", as there, unless metrics.reporter.prom.filterLabelValueCharacters is false.
 *
 * Source: Flink MetricNames, TaskIOMetricGroup, CheckpointStatsTracker, AbstractPrometheusReporter.
 */
#ifndef STREAM_METRICS_H
#define STREAM_METRICS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct job;
struct monitor;
struct task;

/* The labels that all metrics of a job have. */
struct metrics_of {
    const char *job_name;
    char host[65], tm_id[80], job_id[33];
    int64_t attempt; /* how often the job has begun again */
    bool filters;
};

/* Of the job itself, and of the process. Times are milliseconds. */
struct job_figures {
    double running_jobs, slots_total, slots_available;
    double running_ms, restarting_ms; /* since it runs, or waits to; the other one is 0 */
    double restarts;
    double checkpoints, in_progress, completed, failed; /* and savepoints */
    double last_id, last_duration_ms;                   /* of the last completed one; -1: none */
    double last_size, last_full_size;                   /* bytes, see struct checkpoint_size */
    double restored_ms; /* when a checkpoint was restored last; -1: never */
};

/* What has gone through a task's rings. */
struct traffic {
    uint64_t bytes_in, bytes_out, packets_out;
};
struct traffic metrics_traffic(const struct task *task);

/* Host, process, and a number of its own for the job. The name is borrowed. */
struct metrics_of metrics_of(const char *job_name, bool filters);
/* Shows the counters; by the task's thread. */
void metrics_show(struct task *task);
/* Likewise, that a channel waits behind a barrier, or that none does any more: all have come
 * (`is_aligned`), or the checkpoint is given up. */
void metrics_show_alignment(struct task *task, bool waits, bool is_aligned);
/* Writes those of the job, and of all its operators and tasks (job NULL: it does not run just now);
 * any thread, while the job is not freed. */
void metrics_write(const struct metrics_of *of, const struct job_figures *figures,
                   const struct job *job, struct monitor *monitor, FILE *to);

#endif
