/*
 * Metrics of a running job, see metrics.h.
 */
#include "stream/metrics.h"

#include <inttypes.h>

#include "stream/task.h"

static int64_t records_in(struct op *op)
{
    return (int64_t)atomic_load_explicit(&op->shown_in, memory_order_relaxed);
}

static int64_t records_out(struct op *op)
{
    return (int64_t)atomic_load_explicit(&op->shown_out, memory_order_relaxed);
}

static int64_t late_records(struct op *op)
{
    return (int64_t)atomic_load_explicit(&op->shown_late, memory_order_relaxed);
}

static int64_t watermark(struct op *op)
{
    return atomic_load_explicit(&op->shown_watermark, memory_order_relaxed);
}

/* Of each operator. All are gauges, as Flink's reporter has them. */
static const struct {
    const char *name;
    int64_t (*value)(struct op *op);
} metrics[] = {
    {"numRecordsIn", records_in},
    {"numRecordsOut", records_out},
    {"numLateRecordsDropped", late_records},
    {"currentOutputWatermark", watermark},
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

static void write_one(const char *name, struct op *op, const char *job_name, int64_t value,
                      FILE *to)
{
    fprintf(to, "flink_taskmanager_job_task_operator_%s{", name);
    write_label("job_name", job_name, to);
    fputc(',', to);
    write_label("operator_name", op->node->name, to);
    fputc(',', to);
    write_label("operator_id", op->node->uid, to);
    fprintf(to, ",subtask_index=\"%u\"} %" PRId64 "\n", op->ctx.subtask, value);
}

void metrics_write(const struct job *job, const char *job_name, FILE *to)
{
    for (size_t m = 0; m < sizeof metrics / sizeof metrics[0]; m++) {
        fprintf(to, "# TYPE flink_taskmanager_job_task_operator_%s gauge\n", metrics[m].name);
        for (uint32_t t = 0; t < job->task_count; t++) {
            for (uint32_t o = 0; o < job->tasks[t]->op_count; o++) {
                struct op *op = job->tasks[t]->ops[o];
                write_one(metrics[m].name, op, job_name, metrics[m].value(op), to);
            }
        }
    }
}

void metrics_write_job(const char *name, const char *job_name, long long value, FILE *to)
{
    fprintf(to, "# TYPE flink_jobmanager_job_%s gauge\nflink_jobmanager_job_%s{", name, name);
    write_label("job_name", job_name, to);
    fprintf(to, "} %lld\n", value);
}
