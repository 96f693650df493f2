/*
 * Metrics of a running job, see metrics.h.
 */
#include "stream/metrics.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "stream/monitor.h"
#include "stream/task.h"

#define CLUSTER_SCOPE  "jobmanager"
#define JOB_SCOPE      "jobmanager_job"
#define TASK_SCOPE     "taskmanager_job_task"
#define OPERATOR_SCOPE "taskmanager_job_task_operator"
#define TASK_NAME_MAX  1024

/* ---------------------------------------------------------------------------------- What there is
 */

/* A metric by its name, and where it is in the figures of what has it. */
struct metric {
    const char *name;
    size_t at; /* of a double */
};

/* Of the process, which is a cluster of one. */
static const struct metric cluster_metrics[] = {
    {"numRunningJobs", offsetof(struct job_figures, running_jobs)},
    {"taskSlotsTotal", offsetof(struct job_figures, slots_total)},
    {"taskSlotsAvailable", offsetof(struct job_figures, slots_available)},
};

/* Where Flink has renamed one, both. */
static const struct metric job_metrics[] = {
    {"runningTime", offsetof(struct job_figures, running_ms)},
    {"uptime", offsetof(struct job_figures, running_ms)},
    {"restartingTime", offsetof(struct job_figures, restarting_ms)},
    {"downtime", offsetof(struct job_figures, restarting_ms)},
    {"numRestarts", offsetof(struct job_figures, restarts)},
    {"fullRestarts", offsetof(struct job_figures, restarts)},
    {"totalNumberOfCheckpoints", offsetof(struct job_figures, checkpoints)},
    {"numberOfInProgressCheckpoints", offsetof(struct job_figures, in_progress)},
    {"numberOfCompletedCheckpoints", offsetof(struct job_figures, completed)},
    {"numberOfFailedCheckpoints", offsetof(struct job_figures, failed)},
    {"lastCompletedCheckpointId", offsetof(struct job_figures, last_id)},
    {"lastCheckpointDuration", offsetof(struct job_figures, last_duration_ms)},
    {"lastCheckpointSize", offsetof(struct job_figures, last_size)},
    {"lastCheckpointFullSize", offsetof(struct job_figures, last_full_size)},
    {"lastCheckpointRestoreTimestamp", offsetof(struct job_figures, restored_ms)},
};

/* Packets that wait on one side of a task; the part of the room there that they take. */
struct queue {
    double length, usage;
};

struct task_figures {
    double in, out, in_per_s, out_per_s; /* records: of the head; of the ends of the chain */
    double bytes_in, bytes_out, packets_out;
    double bytes_in_per_s, bytes_out_per_s, packets_out_per_s;
    struct queue before, behind;
    double busy_ms, full_ms, idle_ms, is_full;
    double input_watermark, alignment_ns;
};

static const struct metric task_metrics[] = {
    {"numRecordsIn", offsetof(struct task_figures, in)},
    {"numRecordsOut", offsetof(struct task_figures, out)},
    {"numRecordsInPerSecond", offsetof(struct task_figures, in_per_s)},
    {"numRecordsOutPerSecond", offsetof(struct task_figures, out_per_s)},
    {"numBytesIn", offsetof(struct task_figures, bytes_in)},
    {"numBytesOut", offsetof(struct task_figures, bytes_out)},
    {"numBytesInPerSecond", offsetof(struct task_figures, bytes_in_per_s)},
    {"numBytesOutPerSecond", offsetof(struct task_figures, bytes_out_per_s)},
    {"numBuffersOut", offsetof(struct task_figures, packets_out)},
    {"numBuffersOutPerSecond", offsetof(struct task_figures, packets_out_per_s)},
    {"buffers_inputQueueLength", offsetof(struct task_figures, before.length)},
    {"buffers_outputQueueLength", offsetof(struct task_figures, behind.length)},
    {"buffers_inPoolUsage", offsetof(struct task_figures, before.usage)},
    {"buffers_outPoolUsage", offsetof(struct task_figures, behind.usage)},
    {"busyTimeMsPerSecond", offsetof(struct task_figures, busy_ms)},
    {"backPressuredTimeMsPerSecond", offsetof(struct task_figures, full_ms)},
    {"idleTimeMsPerSecond", offsetof(struct task_figures, idle_ms)},
    {"isBackPressured", offsetof(struct task_figures, is_full)},
    {"currentInputWatermark", offsetof(struct task_figures, input_watermark)},
    {"checkpointAlignmentTime", offsetof(struct task_figures, alignment_ns)},
};

struct op_figures {
    double in, out, in_per_s, out_per_s, late;
    double input_watermark, watermark;
    double input_watermarks[2]; /* NAN: it has not two inputs */
};

static const struct metric op_metrics[] = {
    {"numRecordsIn", offsetof(struct op_figures, in)},
    {"numRecordsOut", offsetof(struct op_figures, out)},
    {"numRecordsInPerSecond", offsetof(struct op_figures, in_per_s)},
    {"numRecordsOutPerSecond", offsetof(struct op_figures, out_per_s)},
    {"numLateRecordsDropped", offsetof(struct op_figures, late)},
    {"currentInputWatermark", offsetof(struct op_figures, input_watermark)},
    {"currentInput1Watermark", offsetof(struct op_figures, input_watermarks[0])},
    {"currentInput2Watermark", offsetof(struct op_figures, input_watermarks[1])},
    {"currentOutputWatermark", offsetof(struct op_figures, watermark)},
};

#define COUNT(metrics) (sizeof(metrics) / sizeof(metrics)[0])

/* ------------------------------------------------------------------------------------- Looking */

static double shown(_Atomic uint64_t *counter)
{
    return (double)atomic_load_explicit(counter, memory_order_relaxed);
}

static double shown_time(_Atomic int64_t *time)
{
    return (double)atomic_load_explicit(time, memory_order_relaxed);
}

static struct op_figures look_at_op(struct op *op, struct op_rates rates)
{
    struct task *task = op->task;
    bool is_head = task->ops[0] == op, reads = task->channel_count > 0;
    bool reads_two = is_head && reads && task->channels[task->channel_count - 1].input == 1;
    return (struct op_figures){
        .in = shown(&op->shown_in),
        .out = shown(&op->shown_out),
        .in_per_s = rates.in,
        .out_per_s = rates.out,
        .late = shown(&op->shown_late),
        .watermark = shown_time(&op->shown_watermark),
        .input_watermark = is_head && !reads ? NAN : shown_time(&op->shown_input_watermark),
        .input_watermarks = {reads_two ? shown_time(&task->shown_inputs[0]) : NAN,
                             reads_two ? shown_time(&task->shown_inputs[1]) : NAN},
    };
}

struct traffic metrics_traffic(const struct task *task)
{
    struct traffic all = {0};
    for (uint32_t c = 0; c < task->channel_count; c++) {
        all.bytes_in += ring_traffic(task->channels[c].ring).bytes_read;
    }
    for (uint32_t w = 0; w < task->writer_count; w++) {
        for (uint32_t r = 0; r < task->writers[w]->ring_count; r++) {
            struct ring_traffic one = ring_traffic(task->writers[w]->rings[r]);
            all.bytes_out += one.bytes_written;
            all.packets_out += one.packets_written;
        }
    }
    return all;
}

static struct queue queue_of(uint32_t length, uint32_t limit)
{
    return (struct queue){length, limit > 0 ? (double)length / limit : 0};
}

static struct queue queue_before(const struct task *task)
{
    uint32_t length = 0, limit = 0;
    for (uint32_t c = 0; c < task->channel_count; c++) {
        length += ring_packets(task->channels[c].ring);
        limit += task->channels[c].ring->limit;
    }
    return queue_of(length, limit);
}

static struct queue queue_behind(const struct task *task)
{
    uint32_t length = 0, limit = 0;
    for (uint32_t w = 0; w < task->writer_count; w++) {
        for (uint32_t r = 0; r < task->writers[w]->ring_count; r++) {
            length += ring_packets(task->writers[w]->rings[r]);
            limit += task->writers[w]->rings[r]->limit;
        }
    }
    return queue_of(length, limit);
}

/* Does nothing of the chain read it? Source: Flink StreamConfig.isChainEnd. */
static bool ends_chain(const struct op *op)
{
    for (uint32_t o = 0; o < op->output_count; o++) {
        for (uint32_t t = 0; t < op->outputs[o].target_count; t++) {
            if (op->outputs[o].targets[t].op != NULL) {
                return false;
            }
        }
    }
    return true;
}

/* How long the last alignment took, or the one under way has taken. */
static double alignment_ns(struct task *task)
{
    int64_t since_ns = atomic_load_explicit(&task->aligns_since_ns, memory_order_relaxed);
    return since_ns != 0 ? (double)(monotonic_ns() - since_ns) : shown_time(&task->aligned_ns);
}

/* Task `number` of the job, whose head is operator `first_op` of all. */
static struct task_figures look_at_task(struct task *task, struct monitor *monitor, uint32_t number,
                                        uint32_t first_op)
{
    struct task_times times = monitor_task(monitor, number);
    struct task_rates rates = monitor_traffic(monitor, number);
    struct traffic traffic = metrics_traffic(task);
    struct op *head = task->ops[0];
    struct task_figures f = {
        .in = shown(&head->shown_in),
        .in_per_s = monitor_op(monitor, first_op).in,
        .bytes_in = (double)traffic.bytes_in,
        .bytes_out = (double)traffic.bytes_out,
        .packets_out = (double)traffic.packets_out,
        .bytes_in_per_s = rates.bytes_in,
        .bytes_out_per_s = rates.bytes_out,
        .packets_out_per_s = rates.packets_out,
        .before = queue_before(task),
        .behind = queue_behind(task),
        .busy_ms = times.busy_ms,
        .full_ms = times.full_ms,
        .idle_ms = times.idle_ms,
        .is_full = times.full_now ? 1 : 0,
        .input_watermark = task->channel_count > 0 ? shown_time(&head->shown_input_watermark) : NAN,
        .alignment_ns = task->channel_count > 0 ? alignment_ns(task) : NAN,
    };
    for (uint32_t o = 0; o < task->op_count; o++) {
        if (ends_chain(task->ops[o])) {
            f.out += shown(&task->ops[o]->shown_out);
            f.out_per_s += monitor_op(monitor, first_op + o).out;
        }
    }
    return f;
}

/* -------------------------------------------------------------------------------------- Showing */

static void show(_Atomic uint64_t *to, uint64_t value)
{
    atomic_store_explicit(to, value, memory_order_relaxed);
}

static void show_time(_Atomic int64_t *to, int64_t value)
{
    atomic_store_explicit(to, value, memory_order_relaxed);
}

void metrics_show(struct task *task)
{
    for (uint32_t o = 0; o < task->op_count; o++) {
        struct op *op = task->ops[o];
        show(&op->shown_in, op->records_in);
        show(&op->shown_out, op->records_out);
        show(&op->shown_late, op->late_records);
        show_time(&op->shown_watermark, op->watermark);
        show_time(&op->shown_input_watermark, op->input_watermark);
    }
    show_time(&task->shown_inputs[0], task->valves[0].watermark);
    show_time(&task->shown_inputs[1], task->valves[1].watermark);
}

void metrics_show_alignment(struct task *task, bool waits, bool is_aligned)
{
    int64_t since_ns = atomic_load_explicit(&task->aligns_since_ns, memory_order_relaxed);
    if (is_aligned && since_ns != 0) {
        show_time(&task->aligned_ns, monotonic_ns() - since_ns);
    }
    show_time(&task->aligns_since_ns, !waits ? 0 : since_ns != 0 ? since_ns : monotonic_ns());
}

/* -------------------------------------------------------------------------------------- Writing */

struct metrics_of metrics_of(const char *job_name, bool filters)
{
    struct metrics_of of = {.job_name = job_name, .filters = filters};
    unsigned char random[16] = {0};
    if (gethostname(of.host, sizeof of.host - 1) != 0) {
        snprintf(of.host, sizeof of.host, "localhost");
    }
    snprintf(of.tm_id, sizeof of.tm_id, "%s:%ld", of.host, (long)getpid());
    (void)getrandom(random, sizeof random, 0);
    for (size_t i = 0; i < sizeof random; i++) {
        snprintf(of.job_id + 2 * i, 3, "%02x", random[i]);
    }
    return of;
}

static bool is_plain(char c)
{
    return isascii((unsigned char)c) && (isalnum((unsigned char)c) || c == ':' || c == '_');
}

/* name="value", filtered or escaped, behind a comma but for the first. */
static void write_label(const struct metrics_of *of, const char *name, const char *value, FILE *to)
{
    fprintf(to, "%s%s=\"", strcmp(name, "host") == 0 ? "" : ",", name);
    for (; *value != '\0'; value++) {
        if (of->filters && !is_plain(*value)) {
            fputc('_', to);
        } else if (*value == '\n') {
            fputs("\\n", to);
        } else {
            fputs(*value == '"' || *value == '\\' ? "\\" : "", to);
            fputc(*value, to);
        }
    }
    fputc('"', to);
}

static void write_head(const char *scope, const char *name, FILE *to)
{
    fprintf(to, "# HELP flink_%s_%s %s (scope: %s)\n# TYPE flink_%s_%s gauge\n", scope, name, name,
            scope, scope, name);
}

/* What stands before the labels of a metric, and the first of them. */
static void begin_metric(const struct metrics_of *of, const char *scope, const char *name, FILE *to)
{
    fprintf(to, "flink_%s_%s{", scope, name);
    write_label(of, "host", of->host, to);
}

static void write_job_labels(const struct metrics_of *of, FILE *to)
{
    write_label(of, "job_id", of->job_id, to);
    write_label(of, "job_name", of->job_name, to);
}

/* The names of the operators behind the head stand behind it. Source: Flink
 * StreamingJobGraphGenerator.createChainedName. */
static void name_of_task(const struct task *task, char name[TASK_NAME_MAX])
{
    size_t size = 0;
    name[0] = '\0';
    for (uint32_t o = 0; o < task->op_count && size < TASK_NAME_MAX; o++) {
        int more = snprintf(name + size, TASK_NAME_MAX - size, "%s%s", o > 0 ? " -> " : "",
                            task->ops[o]->node->name);
        size += more > 0 ? (size_t)more : 0;
    }
}

static void write_task_labels(const struct metrics_of *of, const struct task *task, FILE *to)
{
    char name[TASK_NAME_MAX];
    name_of_task(task, name);
    write_label(of, "tm_id", of->tm_id, to);
    write_job_labels(of, to);
    write_label(of, "task_id", task->ops[0]->node->uid, to);
    write_label(of, "task_name", name, to);
    fprintf(to, ",task_attempt_num=\"%" PRId64 "\",subtask_index=\"%u\"", of->attempt,
            task->subtask);
}

/* Whole numbers as they are; 2^53 and more, such as watermarks at the end, as Java prints them. */
static void end_metric(double value, FILE *to)
{
    if (value > -9007199254740992.0 && value < 9007199254740992.0) {
        fprintf(to, "} %.*f\n", value == (double)(int64_t)value ? 0 : 3, value);
    } else {
        fprintf(to, "} %.17g\n", value);
    }
}

static double figure(const void *figures, const struct metric *metric)
{
    double value;
    memcpy(&value, (const char *)figures + metric->at, sizeof value);
    return value;
}

static void write_job(const struct metrics_of *of, const struct job_figures *f, FILE *to)
{
    for (size_t m = 0; m < COUNT(cluster_metrics); m++) {
        write_head(CLUSTER_SCOPE, cluster_metrics[m].name, to);
        begin_metric(of, CLUSTER_SCOPE, cluster_metrics[m].name, to);
        end_metric(figure(f, &cluster_metrics[m]), to);
    }
    for (size_t m = 0; m < COUNT(job_metrics); m++) {
        write_head(JOB_SCOPE, job_metrics[m].name, to);
        begin_metric(of, JOB_SCOPE, job_metrics[m].name, to);
        write_job_labels(of, to);
        end_metric(figure(f, &job_metrics[m]), to);
    }
}

static void write_tasks(const struct metrics_of *of, const struct metric *metric,
                        const struct job *job, struct monitor *monitor, FILE *to)
{
    for (uint32_t t = 0, first_op = 0; t < job->task_count; t++) {
        struct task *task = job->tasks[t];
        struct task_figures f = look_at_task(task, monitor, t, first_op);
        double value = figure(&f, metric);
        if (!isnan(value)) {
            begin_metric(of, TASK_SCOPE, metric->name, to);
            write_task_labels(of, task, to);
            end_metric(value, to);
        }
        first_op += task->op_count;
    }
}

static void write_ops(const struct metrics_of *of, const struct metric *metric,
                      const struct job *job, struct monitor *monitor, FILE *to)
{
    uint32_t n = 0;
    for (uint32_t t = 0; t < job->task_count; t++) {
        for (uint32_t o = 0; o < job->tasks[t]->op_count; o++, n++) {
            struct op *op = job->tasks[t]->ops[o];
            struct op_figures f = look_at_op(op, monitor_op(monitor, n));
            double value = figure(&f, metric);
            if (!isnan(value)) {
                begin_metric(of, OPERATOR_SCOPE, metric->name, to);
                write_task_labels(of, op->task, to);
                write_label(of, "operator_id", op->node->uid, to);
                write_label(of, "operator_name", op->node->name, to);
                end_metric(value, to);
            }
        }
    }
}

void metrics_write(const struct metrics_of *of, const struct job_figures *figures,
                   const struct job *job, struct monitor *monitor, FILE *to)
{
    write_job(of, figures, to);
    for (size_t m = 0; m < COUNT(task_metrics); m++) {
        write_head(TASK_SCOPE, task_metrics[m].name, to);
        if (job != NULL) {
            write_tasks(of, &task_metrics[m], job, monitor, to);
        }
    }
    for (size_t m = 0; m < COUNT(op_metrics); m++) {
        write_head(OPERATOR_SCOPE, op_metrics[m].name, to);
        if (job != NULL) {
            write_ops(of, &op_metrics[m], job, monitor, to);
        }
    }
}
