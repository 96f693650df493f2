/*
 * The status of a running job, see status.h.
 */
#include "stream/status.h"

#include <ctype.h>
#include <inttypes.h>
#include <unistd.h>

#include "stream/monitor.h"
#include "stream/task.h"

/* An operator's place, for those that go over all of a job. */
struct walk {
    const struct job *job;
    uint32_t task, op; /* the operator at hand: job->tasks[task]->ops[op] */
    uint32_t number;   /* counted over all tasks */
};

static const struct task *task_at(const struct walk *w)
{
    return w->job->tasks[w->task];
}

static struct op *op_at_walk(const struct walk *w)
{
    return task_at(w)->ops[w->op];
}

static bool walk_on(struct walk *w)
{
    w->number++;
    if (++w->op == task_at(w)->op_count) {
        w->op = 0;
        w->task++;
    }
    return w->task < w->job->task_count;
}

/* Does nothing follow behind it? */
static bool is_end(const struct op *op)
{
    uint32_t targets = 0;
    for (uint32_t o = 0; o < op->output_count; o++) {
        targets += op->outputs[o].target_count;
    }
    return targets == 0;
}

static int64_t shown_watermark(const struct op *op)
{
    return atomic_load_explicit(&op->shown_watermark, memory_order_relaxed);
}

/* ------------------------------------------------------------------------------- The whole job */

struct sum {
    double in, out;
    int64_t watermark;          /* the least at the ends */
    const struct task *fullest; /* the one that waits most for room; NULL: none does */
    uint32_t full_ms;
};

static struct sum sum_up(const struct status *s)
{
    struct sum sum = {.watermark = ST_TIME_MAX};
    struct walk w = {.job = s->job};
    do {
        const struct op *op = op_at_walk(&w);
        struct op_rates rates = monitor_op(s->monitor, w.number);
        bool begins = task_at(&w)->channel_count == 0 && w.op == 0, ends = is_end(op);
        sum.in += begins ? rates.out : 0;
        sum.out += ends ? rates.in : 0;
        if (ends && shown_watermark(op) < sum.watermark) {
            sum.watermark = shown_watermark(op);
        }
        if (w.op == 0 && monitor_task(s->monitor, w.task).full_ms > sum.full_ms) {
            sum.fullest = task_at(&w);
            sum.full_ms = monitor_task(s->monitor, w.task).full_ms;
        }
    } while (walk_on(&w));
    return sum;
}

static void write_watermark(int64_t watermark, FILE *to)
{
    if (watermark == ST_TIME_MIN) {
        fputc('-', to);
    } else if (watermark == ST_TIME_MAX) {
        fputs("the end", to);
    } else {
        fprintf(to, "%" PRId64, watermark);
    }
}

/* A rate in at most three digits and a letter. */
static void write_rate(double rate, FILE *to)
{
    if (rate < 10000) {
        fprintf(to, "%.0f/s", rate);
    } else if (rate < 1e6) {
        fprintf(to, "%.0f k/s", rate / 1e3);
    } else {
        fprintf(to, "%.1f M/s", rate / 1e6);
    }
}

/* In small letters. Source: Flink JobStatus. */
static const char *state_of(const struct status *s)
{
    return s->is_cancelled  ? "cancelling"
           : s->job != NULL ? "running"
           : s->has_run     ? "restarting"
                            : STATUS_CREATED;
}

void status_write_line(const struct status *s, FILE *to)
{
    fprintf(to, "%ld %s, %s for %" PRId64 " s, ", (long)getpid(), s->name, state_of(s),
            (s->now_ms - s->began_ms) / 1000);
    if (s->job != NULL) {
        struct sum sum = sum_up(s);
        fprintf(to, "%.0f records/s in, %.0f/s out, ", sum.in, sum.out);
    }
    if (s->completed > 0) {
        fprintf(to, "last checkpoint %" PRId64 "\n", s->completed);
    } else {
        fputs("no checkpoint yet\n", to);
    }
}

void status_write_progress(const struct status *s, FILE *to)
{
    fprintf(to, "%s %" PRId64 " s: ", s->name, (s->now_ms - s->began_ms) / 1000);
    if (s->job == NULL) {
        fputs(state_of(s), to);
        return;
    }
    struct sum sum = sum_up(s);
    write_rate(sum.in, to);
    fputs(" in, ", to);
    write_rate(sum.out, to);
    fputs(" out", to);
    if (sum.watermark != ST_TIME_MIN) {
        fputs(", watermark ", to);
        write_watermark(sum.watermark, to);
    }
    if (sum.fullest != NULL) {
        fprintf(to, ", back-pressured %s %u %%", sum.fullest->ops[0]->node->name, sum.full_ms / 10);
    }
    if (s->completed > 0) {
        fprintf(to, ", checkpoint %" PRId64 " (%" PRId64 " ms)", s->completed, s->duration_ms);
    }
    if (s->restarts > 0) {
        fprintf(to, ", %" PRId64 " restarts", s->restarts);
    }
}

/* ----------------------------------------------------------------------------------- The table */

/* One operator of a vertex over all its subtasks. */
struct row {
    double in, out;
    int64_t watermark;
    struct task_times times; /* the means of its task's */
};

/* `first`: of the operator in the vertex' first subtask. */
static struct row row_of(const struct status *s, struct walk first)
{
    struct row row = {.watermark = ST_TIME_MAX};
    uint32_t subtasks = 0, vertex = task_at(&first)->vertex, place = first.op;
    do {
        if (task_at(&first)->vertex != vertex || first.op != place) {
            continue;
        }
        struct op_rates rates = monitor_op(s->monitor, first.number);
        struct task_times times = monitor_task(s->monitor, first.task);
        int64_t watermark = shown_watermark(op_at_walk(&first));
        row.in += rates.in;
        row.out += rates.out;
        row.times.busy_ms += times.busy_ms;
        row.times.full_ms += times.full_ms;
        row.times.idle_ms += times.idle_ms;
        row.watermark = watermark < row.watermark ? watermark : row.watermark;
        subtasks++;
    } while (walk_on(&first));
    row.times.busy_ms /= subtasks;
    row.times.full_ms /= subtasks;
    row.times.idle_ms /= subtasks;
    return row;
}

static void write_row(const struct status *s, const struct walk *w, FILE *to)
{
    const struct op *op = op_at_walk(w);
    struct row row = row_of(s, *w);
    fprintf(to, "%s%-*.*s %8u %12.0f %12.0f ", w->op > 0 ? "  " : "", w->op > 0 ? 26 : 28,
            w->op > 0 ? 26 : 28, op->node->name, op->node->parallelism, row.in, row.out);
    if (w->op == 0) {
        fprintf(to, "%5u%% %5u%% %5u%%  ", row.times.busy_ms / 10, row.times.full_ms / 10,
                row.times.idle_ms / 10);
    } else {
        fprintf(to, "%22s", "");
    }
    write_watermark(row.watermark, to);
    fputc('\n', to);
}

void status_write_text(const struct status *s, FILE *to)
{
    fprintf(to, "%s: process %ld, %s for %" PRId64 " s, %" PRId64 " restarts\n", s->name,
            (long)getpid(), state_of(s), (s->now_ms - s->began_ms) / 1000, s->restarts);
    fprintf(to, "checkpoints: %" PRId64 " completed, %" PRId64 " failed", s->completed_count,
            s->failed_count);
    if (s->completed > 0) {
        fprintf(to, "; the last, %" PRId64 ", took %" PRId64 " ms", s->completed, s->duration_ms);
    }
    fputc('\n', to);
    if (s->port > 0) {
        fprintf(to, "metrics: http://127.0.0.1:%d/metrics\n", s->port);
    }
    if (s->job == NULL) {
        return;
    }
    fprintf(to, "\n%-28s %8s %12s %12s %6s %6s %6s  watermark\n", "operator", "subtasks",
            "records/s in", "out", "busy", "held", "idle");
    struct walk w = {.job = s->job};
    do {
        if (task_at(&w)->subtask == 0) {
            write_row(s, &w, to);
        }
    } while (walk_on(&w));
}

/* ---------------------------------------------------------------------------------------- JSON */

void status_write_quoted(const char *text, FILE *to)
{
    fputc('"', to);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            fputc('\\', to);
        }
        if ((unsigned char)*text < ' ') {
            fprintf(to, "\\u%04x", (unsigned)(unsigned char)*text);
        } else {
            fputc(*text, to);
        }
    }
    fputc('"', to);
}

/* Source: Flink JobVertexBackPressureHandler. */
static const char *pressure_level(uint32_t full_ms)
{
    return full_ms <= 100 ? "ok" : full_ms <= 500 ? "low" : "high";
}

static void write_json_operator(const struct status *s, const struct walk *w, FILE *to)
{
    struct op *op = op_at_walk(w);
    struct op_rates rates = monitor_op(s->monitor, w->number);
    fprintf(to, "%s\n          {\"id\": ", w->op > 0 ? "," : "");
    status_write_quoted(op->node->uid, to);
    fputs(", \"name\": ", to);
    status_write_quoted(op->node->name, to);
    fprintf(to,
            ", \"numRecordsIn\": %" PRIu64 ", \"numRecordsOut\": %" PRIu64
            ", \"numRecordsInPerSecond\": %.1f, \"numRecordsOutPerSecond\": %.1f"
            ", \"numLateRecordsDropped\": %" PRIu64 ", \"currentOutputWatermark\": ",
            atomic_load_explicit(&op->shown_in, memory_order_relaxed),
            atomic_load_explicit(&op->shown_out, memory_order_relaxed), rates.in, rates.out,
            atomic_load_explicit(&op->shown_late, memory_order_relaxed));
    if (shown_watermark(op) == ST_TIME_MIN) {
        fputs("null}", to);
    } else {
        fprintf(to, "%" PRId64 "}", shown_watermark(op));
    }
}

/* A task; *w is its first operator, and then that of the next task. False behind the last. */
static bool write_json_task(const struct status *s, struct walk *w, FILE *to)
{
    const struct task *task = task_at(w);
    struct task_times times = monitor_task(s->monitor, w->task);
    fprintf(to,
            "%s\n      {\"subtask\": %u, \"backpressure-level\": \"%s\", \"ratio\": %.3f, "
            "\"idleRatio\": %.3f, \"busyRatio\": %.3f,\n       \"operators\": [",
            task->subtask > 0 ? "," : "", task->subtask, pressure_level(times.full_ms),
            times.full_ms / 1000.0, times.idle_ms / 1000.0, times.busy_ms / 1000.0);
    bool more = true;
    do {
        write_json_operator(s, w, to);
        more = walk_on(w);
    } while (more && w->op > 0);
    fputs("]}", to);
    return more;
}

static void write_json_vertices(const struct status *s, FILE *to)
{
    struct walk w = {.job = s->job};
    bool more = true;
    while (more) {
        const struct task *first = task_at(&w);
        fprintf(to, "%s\n    {\"id\": ", first->vertex > 0 ? "," : "");
        status_write_quoted(first->ops[0]->node->uid, to);
        fputs(", \"name\": ", to);
        status_write_quoted(first->ops[0]->node->name, to);
        fprintf(to, ", \"parallelism\": %u, \"backpressure-level\": \"%s\", \"subtasks\": [",
                first->ops[0]->node->parallelism, pressure_level(row_of(s, w).times.full_ms));
        do {
            more = write_json_task(s, &w, to);
        } while (more && task_at(&w)->vertex == first->vertex);
        fputs("]}", to);
    }
}

void status_write_json(const struct status *s, FILE *to)
{
    struct sum sum = {0};
    fputs("{\"name\": ", to);
    status_write_quoted(s->name, to);
    fprintf(to, ", \"pid\": %ld, \"jid\": \"%s\", \"state\": \"", (long)getpid(), s->id);
    for (const char *at = state_of(s); *at != '\0'; at++) {
        fputc(toupper((unsigned char)*at), to);
    }
    fprintf(to,
            "\", \"start-time\": %" PRId64 ", \"now\": %" PRId64 ", \"duration\": %" PRId64
            ", \"numRestarts\": %" PRId64 ",\n",
            s->began_ms, s->now_ms, s->now_ms - s->began_ms, s->restarts);
    if (s->job != NULL) {
        sum = sum_up(s);
    }
    fprintf(to, "  \"numRecordsInPerSecond\": %.1f, \"numRecordsOutPerSecond\": %.1f,\n", sum.in,
            sum.out);
    fprintf(to,
            "  \"checkpoints\": {\"counts\": {\"completed\": %" PRId64 ", \"failed\": %" PRId64
            "}, \"latest\": {\"completed\": ",
            s->completed_count, s->failed_count);
    if (s->completed > 0) {
        fprintf(to, "{\"id\": %" PRId64 ", \"end_to_end_duration\": %" PRId64 "}}},\n",
                s->completed, s->duration_ms);
    } else {
        fputs("null}},\n", to);
    }
    if (s->port > 0) {
        fprintf(to, "  \"metrics\": \"http://127.0.0.1:%d/metrics\",\n", s->port);
    }
    fputs("  \"vertices\": [", to);
    if (s->job != NULL) {
        write_json_vertices(s, to);
    }
    fputs("]}\n", to);
}
