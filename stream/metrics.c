/*
 * Metrics of a running job, see metrics.h.
 */
#include "stream/metrics.h"

#include <inttypes.h>

#include "stream/monitor.h"
#include "stream/task.h"

#define OPERATOR_SCOPE "flink_taskmanager_job_task_operator"
#define TASK_SCOPE     "flink_taskmanager_job_task"

/* An operator and what is known of it. */
struct of_op {
    struct op *op;
    struct op_rates rates;
};

static double records_in(const struct of_op *of)
{
    return (double)atomic_load_explicit(&of->op->shown_in, memory_order_relaxed);
}

static double records_out(const struct of_op *of)
{
    return (double)atomic_load_explicit(&of->op->shown_out, memory_order_relaxed);
}

static double rate_in(const struct of_op *of)
{
    return of->rates.in;
}

static double rate_out(const struct of_op *of)
{
    return of->rates.out;
}

static double late_records(const struct of_op *of)
{
    return (double)atomic_load_explicit(&of->op->shown_late, memory_order_relaxed);
}

static double watermark(const struct of_op *of)
{
    return (double)atomic_load_explicit(&of->op->shown_watermark, memory_order_relaxed);
}

/* Of each operator. All are gauges, as Flink's reporter has them. */
static const struct {
    const char *name;
    double (*value)(const struct of_op *of);
} op_metrics[] = {
    {"numRecordsIn", records_in},
    {"numRecordsOut", records_out},
    {"numRecordsInPerSecond", rate_in},
    {"numRecordsOutPerSecond", rate_out},
    {"numLateRecordsDropped", late_records},
    {"currentOutputWatermark", watermark},
};

static double busy(struct task_times times)
{
    return times.busy_ms;
}

static double back_pressured(struct task_times times)
{
    return times.full_ms;
}

static double idle(struct task_times times)
{
    return times.idle_ms;
}

static double is_back_pressured(struct task_times times)
{
    return times.full_now ? 1 : 0;
}

/* Of each task. */
static const struct {
    const char *name;
    double (*value)(struct task_times times);
} task_metrics[] = {
    {"busyTimeMsPerSecond", busy},
    {"backPressuredTimeMsPerSecond", back_pressured},
    {"idleTimeMsPerSecond", idle},
    {"isBackPressured", is_back_pressured},
};

void metrics_show(struct task *task)
{
    for (uint32_t o = 0; o < task->op_count; o++) {
        struct op *op = task->ops[o];
        atomic_store_explicit(&op->shown_in, op->records_in, memory_order_relaxed);
        atomic_store_explicit(&op->shown_out, op->records_out, memory_order_relaxed);
        atomic_store_explicit(&op->shown_late, op->late_records, memory_order_relaxed);
        atomic_store_explicit(&op->shown_watermark, op->watermark, memory_order_relaxed);
    }
}

/* A label's value, escaped. */
static void write_label(const char *name, const char *value, FILE *to)
{
    fprintf(to, "%s=\"", name);
    for (; *value != '\0'; value++) {
        if (*value == '\n') {
            fputs("\\n", to);
            continue;
        }
        if (*value == '"' || *value == '\\') {
            fputc('\\', to);
        }
        fputc(*value, to);
    }
    fputc('"', to);
}

/* Whole numbers as they are; 2^53 and more, such as watermarks at the end, as Java prints them. */
static void write_value(double value, FILE *to)
{
    if (value > -9007199254740992.0 && value < 9007199254740992.0) {
        fprintf(to, "%.*f\n", value == (double)(int64_t)value ? 0 : 1, value);
    } else {
        fprintf(to, "%.17g\n", value);
    }
}

static void write_op(const char *name, const struct of_op *of, const char *job_name, double value,
                     FILE *to)
{
    fprintf(to, OPERATOR_SCOPE "_%s{", name);
    write_label("job_name", job_name, to);
    fputc(',', to);
    write_label("operator_name", of->op->node->name, to);
    fputc(',', to);
    write_label("operator_id", of->op->node->uid, to);
    fprintf(to, ",subtask_index=\"%u\"} ", of->op->ctx.subtask);
    write_value(value, to);
}

static void write_task(const char *name, const struct task *task, const char *job_name,
                       double value, FILE *to)
{
    fprintf(to, TASK_SCOPE "_%s{", name);
    write_label("job_name", job_name, to);
    fputc(',', to);
    write_label("task_name", task->ops[0]->node->name, to);
    fputc(',', to);
    write_label("task_id", task->ops[0]->node->uid, to);
    fprintf(to, ",subtask_index=\"%u\"} ", task->subtask);
    write_value(value, to);
}

void metrics_write(const struct job *job, struct monitor *monitor, const char *job_name, FILE *to)
{
    for (size_t m = 0; m < sizeof op_metrics / sizeof op_metrics[0]; m++) {
        uint32_t n = 0;
        fprintf(to, "# TYPE " OPERATOR_SCOPE "_%s gauge\n", op_metrics[m].name);
        for (uint32_t t = 0; t < job->task_count; t++) {
            for (uint32_t o = 0; o < job->tasks[t]->op_count; o++, n++) {
                struct of_op of = {job->tasks[t]->ops[o], monitor_op(monitor, n)};
                write_op(op_metrics[m].name, &of, job_name, op_metrics[m].value(&of), to);
            }
        }
    }
    for (size_t m = 0; m < sizeof task_metrics / sizeof task_metrics[0]; m++) {
        fprintf(to, "# TYPE " TASK_SCOPE "_%s gauge\n", task_metrics[m].name);
        for (uint32_t t = 0; t < job->task_count; t++) {
            write_task(task_metrics[m].name, job->tasks[t], job_name,
                       task_metrics[m].value(monitor_task(monitor, t)), to);
        }
    }
}

void metrics_write_job(const char *name, const char *job_name, long long value, FILE *to)
{
    fprintf(to, "# TYPE flink_jobmanager_job_%s gauge\nflink_jobmanager_job_%s{", name, name);
    write_label("job_name", job_name, to);
    fprintf(to, "} %lld\n", value);
}
