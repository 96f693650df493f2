/*
 * Operators without state: map, filter, flat map; timestamps and watermarks; the sinks.
 */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "stream/task.h"

/* ------------------------------------------------------------------------------ Map and filter */

static void map_batch(struct op *op, uint32_t input, const struct batch *batch)
{
    struct output *output = op_output(op);
    (void)input;
    op_at(op, batch);
    op->node->fn->call.map(&op->ctx, batch->records, output->out.records, batch->count);
    output_push(output, &(struct batch){output->out.records, batch->times, batch->count});
    op_flush(op); /* of side outputs */
}

const struct op_class op_map = {.size = sizeof(struct op), .batch = map_batch};

static void filter_batch(struct op *op, uint32_t input, const struct batch *batch)
{
    struct output *output = op_output(op);
    (void)input;
    op_at(op, batch);
    uint32_t kept = op->node->fn->call.filter(&op->ctx, batch->records, output->out.records,
                                              output->out.times, batch->count);
    output_push(output, &(struct batch){output->out.records,
                                        batch->times != NULL ? output->out.times : NULL, kept});
    op_flush(op); /* of side outputs */
}

const struct op_class op_filter = {.size = sizeof(struct op), .batch = filter_batch};

/* ------------------------------------------------------------------- Timestamps and watermarks */

struct timestamps {
    struct op op;
    int64_t max;       /* the largest timestamp so far */
    int64_t emitted;   /* the last watermark */
    int64_t record_ms; /* when the last record came, for idleness */
    bool is_idle;
    bool at_end; /* the last watermark has passed: none comes behind it */
    bool is_restored;
    uint64_t self[GENERATOR_SELF_MAX / 8]; /* the generator's */
};

/* Source: Flink BoundedOutOfOrdernessWatermarks (max - bound - 1). */
static int64_t watermark_for(const struct timestamps *t, int64_t max)
{
    const st_watermarks *w = &t->op.node->watermarks;
    int64_t less = time_plus(w->bound_ms, w->without_the_ms ? 0 : 1);
    return max < ST_TIME_MIN + less ? ST_TIME_MIN : max - less;
}

static void emit_if_above(struct timestamps *t, int64_t watermark)
{
    if (watermark > t->emitted && !t->at_end) {
        t->emitted = watermark;
        t->op.watermark = watermark;
        op_emit_watermark(&t->op, watermark);
    }
}

static void emit_if_rising(struct timestamps *t)
{
    emit_if_above(t, watermark_for(t, t->max));
}

static void timestamps_open(struct op *op)
{
    struct timestamps *t = (struct timestamps *)(void *)op;
    t->max = t->emitted = ST_TIME_MIN;
    const st_watermark_generator *generator = op->node->watermarks.generator;
    bool periodic =
        generator != NULL ? generator->periodic != NULL : !op->node->watermarks.every_record;
    int64_t interval_ms = op->task->job->env->watermark_interval_ms; /* 0: never by the clock */
    if (interval_ms > 0 && (periodic || op->node->watermarks.idle_ms > 0)) {
        t->record_ms = job_now(op->task->job);
        op->wakeup_ms = t->record_ms + interval_ms;
    }
}

/* Behind each record that raises it the watermark goes out: records are passed on in runs that end
 * there. */
static void push_with_watermarks(struct timestamps *t, const struct batch *batch)
{
    struct output *output = op_output(&t->op);
    const int64_t *times = output->out.times;
    uint32_t from = 0;
    for (uint32_t k = 0; k < batch->count; k++) {
        t->max = times[k] > t->max ? times[k] : t->max;
        if (watermark_for(t, t->max) > t->emitted) {
            output_push(output, &(struct batch){(const char *)batch->records +
                                                    (size_t)from * output->out.record_size,
                                                times + from, k + 1 - from});
            from = k + 1;
            emit_if_rising(t);
        }
    }
    output_push(output, &(struct batch){(const char *)batch->records +
                                            (size_t)from * output->out.record_size,
                                        times + from, batch->count - from});
}

/* The same by what a generator says of each record. */
static void push_with_generator(struct timestamps *t, const struct batch *batch)
{
    const st_watermark_generator *generator = t->op.node->watermarks.generator;
    struct output *output = op_output(&t->op);
    const int64_t *times = output->out.times;
    uint32_t from = 0, size = output->out.record_size;
    for (uint32_t k = 0; k < batch->count; k++) {
        const char *record = (const char *)batch->records + (size_t)k * size;
        int64_t watermark = generator->on_event != NULL
                                ? generator->on_event(t->self, record, times[k])
                                : ST_TIME_MIN;
        if (watermark > t->emitted) {
            const char *records = (const char *)batch->records + (size_t)from * size;
            output_push(output, &(struct batch){records, times + from, k + 1 - from});
            from = k + 1;
            emit_if_above(t, watermark);
        }
    }
    output_push(output, &(struct batch){(const char *)batch->records + (size_t)from * size,
                                        times + from, batch->count - from});
}

static void timestamps_batch(struct op *op, uint32_t input, const struct batch *batch)
{
    struct timestamps *t = (struct timestamps *)(void *)op;
    struct output *output = op_output(op);
    int64_t *times = output->out.times;
    (void)input;
    if (op->node->fn != NULL) {
        op->node->fn->call.timestamp(batch->records, times, batch->count);
    } else {
        t->max = job_now(op->task->job);
        for (uint32_t k = 0; k < batch->count; k++) {
            times[k] = t->max;
        }
    }
    if (op->node->watermarks.idle_ms > 0) {
        t->record_ms = job_now(op->task->job);
        t->is_idle = false;
    }
    if (op->node->watermarks.generator != NULL) {
        push_with_generator(t, batch);
        return;
    }
    if (op->node->watermarks.every_record) {
        push_with_watermarks(t, batch);
        return;
    }
    int64_t max = t->max;
    for (uint32_t k = 0; k < batch->count; k++) {
        max = times[k] > max ? times[k] : max;
    }
    t->max = max;
    output_push(output, &(struct batch){batch->records, times, batch->count});
}

/* Only the last comes here (own_watermarks). What an `.end` above puts out then is late. */
static void timestamps_watermark(struct op *op, int64_t watermark)
{
    (void)watermark;
    ((struct timestamps *)(void *)op)->at_end = true;
}

static void timestamps_wake(struct op *op, int64_t now_ms)
{
    struct timestamps *t = (struct timestamps *)(void *)op;
    int64_t idle_ms = op->node->watermarks.idle_ms;
    const st_watermark_generator *generator = op->node->watermarks.generator;
    if (generator != NULL) {
        emit_if_above(t, generator->periodic != NULL ? generator->periodic(t->self) : ST_TIME_MIN);
    } else {
        t->max = op->node->fn == NULL ? now_ms : t->max;
        emit_if_rising(t);
    }
    if (idle_ms > 0 && !t->is_idle && now_ms - t->record_ms >= idle_ms) {
        t->is_idle = true;
        op_idle(op);
    }
    op->wakeup_ms = now_ms + op->task->job->env->watermark_interval_ms;
}

static void timestamps_snapshot(struct op *op, struct bytes *to)
{
    const struct timestamps *t = (const struct timestamps *)(const void *)op;
    bytes_i64(to, t->max);
    bytes_i64(to, t->emitted);
    if (op->node->watermarks.generator != NULL) {
        bytes_put(to, t->self, op->node->watermarks.generator->self_size);
    }
}

/* Of all subtasks the least: none may call late what another has yet to see, and what one had read
 * and not put out may be read by another now (dealer.h). */
static void timestamps_restore(struct op *op, struct section *section)
{
    struct timestamps *t = (struct timestamps *)(void *)op;
    int64_t max = read_i64(&section->state), emitted = read_i64(&section->state);
    const st_watermark_generator *generator = op->node->watermarks.generator;
    const char *self = generator != NULL ? read_bytes(&section->state, generator->self_size) : NULL;
    bool first = !t->is_restored; /* one that had seen no record counts as well */
    if (self != NULL && (first || emitted < t->emitted)) {
        memcpy(t->self, self, generator->self_size);
    }
    t->max = first || max < t->max ? max : t->max;
    t->emitted = first || emitted < t->emitted ? emitted : t->emitted;
    t->is_restored = true;
}

const struct op_class op_timestamps = {
    .snapshot = timestamps_snapshot,
    .restore = timestamps_restore,
    .all_sections = true,
    .size = sizeof(struct timestamps),
    .open = timestamps_open,
    .batch = timestamps_batch,
    .watermark = timestamps_watermark,
    .wake = timestamps_wake,
    .own_watermarks = true,
};

/* --------------------------------------------------------------------------------------- Sinks */

static void sink_batch(struct op *op, uint32_t input, const struct batch *batch)
{
    (void)input;
    op_at(op, batch);
    op->node->fn->call.sink(&op->ctx, batch->records, batch->count);
}

const struct op_class op_sink = {.size = sizeof(struct op), .batch = sink_batch};

static void discard_batch(struct op *op, uint32_t input, const struct batch *batch)
{
    (void)op, (void)input, (void)batch;
}

const struct op_class op_discard = {.size = sizeof(struct op), .batch = discard_batch};

struct print {
    struct op op;
    FILE *file;
    char *line;
    size_t line_size;
};

static void print_open(struct op *op)
{
    struct print *p = (struct print *)(void *)op;
    p->file = op->node->path != NULL ? fopen(op->node->path, "w") : stdout;
    if (p->file == NULL) {
        task_fail(op->task, "%s: %s", op->node->path, strerror(errno));
    }
}

static void print_record(struct print *p, const void *record)
{
    size_t size = record_print(p->op.node->in, record, p->line, p->line_size);
    if (size + 1 > p->line_size) {
        free(p->line);
        p->line_size = size + 256;
        p->line = must_calloc(1, p->line_size);
        record_print(p->op.node->in, record, p->line, p->line_size);
    }
    p->line[size] = '\n';
    if (fwrite(p->line, 1, size + 1, p->file) != size + 1) {
        task_fail(p->op.task, "%s: %s", p->op.node->path != NULL ? p->op.node->path : "output",
                  strerror(errno));
    }
}

static void print_batch(struct op *op, uint32_t input, const struct batch *batch)
{
    struct print *p = (struct print *)(void *)op;
    (void)input;
    for (uint32_t k = 0; k < batch->count; k++) {
        print_record(p, (const char *)batch->records + (size_t)k * op->node->in->size);
    }
}

static void print_end(struct op *op)
{
    struct print *p = (struct print *)(void *)op;
    if (fflush(p->file) != 0) {
        task_fail(op->task, "%s: %s", op->node->path != NULL ? op->node->path : "output",
                  strerror(errno));
    }
}

static void print_close(struct op *op)
{
    struct print *p = (struct print *)(void *)op;
    if (p->file != NULL && p->file != stdout) {
        fclose(p->file);
    }
    free(p->line);
}

const struct op_class op_print = {
    .size = sizeof(struct print),
    .open = print_open,
    .close = print_close,
    .batch = print_batch,
    .end = print_end,
};

/* --------------------------------------------------------------------- What a function may ask */

static const struct op *op_of(const st_context *ctx)
{
    return (const struct op *)(const void *)ctx;
}

int64_t st_watermark(const st_context *ctx)
{
    return op_of(ctx)->watermark;
}

int64_t st_now(const st_context *ctx)
{
    return job_now(op_of(ctx)->task->job);
}

const void *st_key(const st_context *ctx)
{
    return op_of(ctx)->key;
}

int64_t st_window_start(const st_context *ctx)
{
    return op_of(ctx)->window_start;
}

int64_t st_window_end(const st_context *ctx)
{
    return op_of(ctx)->window_end;
}

void *st_alloc(st_context *ctx, size_t size)
{
    return arena_alloc(&op_of(ctx)->task->arena, size);
}

st_str st_format(st_context *ctx, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    assert(size >= 0);
    char *text = st_alloc(ctx, (size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    return (st_str){text, (uint32_t)size, 0};
}

void op_emit_side(struct op *op, const st_tag *tag, const void *record, uint32_t size, int64_t time)
{
    for (uint32_t o = 1; o < op->output_count; o++) {
        if (op->outputs[o].tag == tag) {
            op->outputs[o].out.time = time;
            st_emit_bytes(&op->outputs[o].out, record, size);
        }
    }
}

void st_emit_side_bytes(st_context *ctx, const st_tag *tag, const void *record, uint32_t size)
{
    op_emit_side((struct op *)(void *)ctx, tag, record, size, st_timestamp(ctx));
}
