/*
 * One step of a task, and what travels through its chain besides records. See task.h.
 */
#include "stream/barriers.h"
#include "stream/function_state.h"
#include "stream/metrics.h"
#include "stream/task.h"
#include "stream/valves.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Polls of a source, and runs of records. A poll may end as many packets. A slot whose source goes
 * on before it has read what has come makes the others wait that sent it. */
#define POLLS_IN_STEP 4
#define RUNS_IN_STEP  (RING_PACKETS_MAX / 2)
#define FREED_IN_STEP 8192 /* texts and lists at most, of those that a snapshot has kept */

/* ----------------------------------------------------------------------- Through the operators */

void output_push(struct output *output, const struct batch *batch)
{
    if (batch->count == 0) {
        return;
    }
    if (atomic_load_explicit(&output->op->task->job->cancelled, memory_order_relaxed) != 0) {
        longjmp(*output->op->task->escape, 1);
    }
    output->op->records_out += batch->count;
    for (uint32_t t = 0; t < output->target_count; t++) {
        const struct target *target = &output->targets[t];
        if (target->op != NULL) {
            op_batch(target->op, target->input, batch);
        } else {
            writer_write(target->writer, batch);
        }
    }
}

void output_flush(struct output *output)
{
    struct batch batch = {output->out.records, output->out.timed ? output->out.times : no_times,
                          output->out.count};
    output->out.count = 0;
    output_push(output, &batch);
}

void st_flush(st_out *out)
{
    output_flush((struct output *)(void *)out);
}

void op_flush(struct op *op)
{
    for (uint32_t o = 0; o < op->output_count; o++) {
        output_flush(&op->outputs[o]);
    }
}

void op_batch(struct op *op, uint32_t input, const struct batch *batch)
{
    op->records_in += batch->count;
    if (op->states != NULL) {
        function_state_sweep(op, batch->count);
    }
    op->class->batch(op, input, batch);
}

void op_emit_watermark(struct op *op, int64_t watermark)
{
    op_flush(op);
    for (uint32_t o = 0; o < op->output_count; o++) {
        for (uint32_t t = 0; t < op->outputs[o].target_count; t++) {
            const struct target *target = &op->outputs[o].targets[t];
            if (target->op != NULL) {
                op_watermark(target->op, watermark);
            } else {
                writer_mark(target->writer, MARK_WATERMARK, watermark);
            }
        }
    }
}

void op_watermark(struct op *op, int64_t watermark)
{
    op->input_watermark = watermark;
    if (op->class->own_watermarks && watermark != ST_TIME_MAX) {
        return;
    }
    op->watermark = watermark;
    if (op->class->watermark != NULL) {
        op->class->watermark(op, watermark);
    }
    op_emit_watermark(op, watermark);
}

void op_idle(struct op *op)
{
    op_flush(op);
    for (uint32_t o = 0; o < op->output_count; o++) {
        for (uint32_t t = 0; t < op->outputs[o].target_count; t++) {
            const struct target *target = &op->outputs[o].targets[t];
            if (target->writer != NULL) {
                writer_mark(target->writer, MARK_IDLE, 0);
            } else if (!target->op->class->own_watermarks) {
                op_idle(target->op);
            }
        }
    }
}

void op_end(struct op *op)
{
    if (op->class->end != NULL) {
        op->class->end(op);
    }
    op_flush(op);
    for (uint32_t o = 0; o < op->output_count; o++) {
        for (uint32_t t = 0; t < op->outputs[o].target_count; t++) {
            const struct target *target = &op->outputs[o].targets[t];
            if (target->op != NULL) {
                op_end(target->op);
            } else {
                writer_mark(target->writer, MARK_END, 0);
                writer_flush(target->writer);
            }
        }
    }
}

/* ------------------------------------------------------------------------------------ One step */

static enum step finish(struct task *task)
{
    struct bytes last = {.canonical = true}; /* for savepoints as well */
    op_end(task->ops[0]);
    task_flush(task);
    if (task->job->coordinator != NULL) {
        task_snapshot(task, task->barrier + 1, &last);
        coordinator_take(task->job->coordinator, task, 0, &last, true);
    }
    task->ended = true;
    task->done = task_drain(task);
    return task->done ? STEP_DONE : STEP_WORKED;
}

/* What the coordinator has to say; false if an operator failed. */
static bool hear(struct task *task, struct coordinator *c)
{
    if (coordinator_completed(c) > task->notified && !task_notify(task, coordinator_completed(c))) {
        return false;
    }
    for (int64_t id; (id = coordinator_aborted(c, task->aborted)) != 0;) {
        if (!task_notify_aborted(task, id)) {
            return false;
        }
    }
    return true;
}

/* Some more in the same step? Step by step, where they are told apart from outside, no. */
static bool goes_on(const struct task *task, uint32_t *runs, uint32_t limit)
{
    return ++*runs < limit && !task->job->in_steps && !task->in_turn && !pace_is_over(task);
}

/* May a source go on without a look at what a step begins with? */
static bool source_goes_on(struct task *task, uint32_t *runs)
{
    struct coordinator *c = task->job->coordinator;
    return goes_on(task, runs, POLLS_IN_STEP) && atomic_load(&task->job->cancelled) == 0 &&
           (c == NULL || coordinator_next(c, task->barrier) == 0) && task_has_room(task);
}

static enum st_poll poll_source(struct op *source)
{
    uint64_t before = source->records_out;
    enum st_poll poll = source->class->poll(source);
    op_flush(source);
    pace_keep(source->task, (uint32_t)(source->records_out - before));
    return poll;
}

static enum step step_source(struct task *task)
{
    struct op *source = task->ops[0];
    struct coordinator *c = task->job->coordinator;
    if (c != NULL && coordinator_stops(c, task->barrier)) {
        atomic_store(&task->woken, 0);
        return STEP_NOTHING;
    }
    uint32_t runs = 0;
    bool drains = c != NULL && coordinator_drains(c);
    slot_foresee(task->slot);
    enum st_poll poll = drains ? ST_END : poll_source(source);
    while (poll == ST_MORE && source_goes_on(task, &runs)) {
        task_end_step(task);
        slot_foresee(task->slot);
        poll = poll_source(source);
    }
    switch (poll) {
    case ST_MORE:
        return STEP_WORKED;
    case ST_IDLE:
        return runs > 0 ? STEP_WORKED : STEP_NOTHING;
    case ST_END:
        break;
    }
    op_watermark(source, ST_TIME_MAX);
    return finish(task);
}

bool task_all_ended(const struct task *task)
{
    for (uint32_t c = 0; c < task->channel_count; c++) {
        if (!task->channels[c].ended) {
            return false;
        }
    }
    return true;
}

void task_take_mark(struct task *task, struct channel *channel, const struct mark *mark)
{
    switch (mark->kind) {
    case MARK_WATERMARK:
        valve_take_watermark(task, channel, mark->value);
        break;
    case MARK_IDLE:
        valve_take_idle(task, channel);
        break;
    case MARK_BARRIER:
        barrier_take(task, channel, mark->value);
        break;
    case MARK_END:
        channel->ended = true;
        barrier_channel_ended(task);
        break;
    }
}

/* One run of records and the marks behind it; while two inputs are read in turn, one record or one
 * mark. Returns whether the packet has been read to its end. */
static bool read_run(struct task *task, struct channel *channel, struct packet *p)
{
    struct ring *ring = channel->ring;
    uint32_t from = ring->read_record;
    uint32_t to = ring->read_mark < p->mark_count ? p->marks[ring->read_mark].before : p->count;
    bool some = to > from;
    if (some) {
        to = task->in_turn ? from + 1 : to;
        to = to - from < task->pace ? to : from + task->pace;
        ring->read_record = to;
        op_batch(task->ops[0], channel->input,
                 &(struct batch){p->records + (size_t)from * ring->layout.size,
                                 p->timed != 0 ? p->times + from : no_times, to - from});
        pace_keep(task, to - from);
    }
    while (!(some && task->in_turn) && ring->read_mark < p->mark_count &&
           p->marks[ring->read_mark].before == to) {
        task_take_mark(task, channel, &p->marks[ring->read_mark++]);
        some = true;
    }
    if (ring->read_record < p->count || ring->read_mark < p->mark_count) {
        return false;
    }
    ring_pop(ring);
    if (task_sleeps(channel->sender) && ring_packets(ring) <= ring->limit / 2) {
        task_wake(channel->sender);
    }
    return true;
}

/* Which inputs may be read now: a bit each. In turn, that whose turn it is, unless it cannot go on.
 */
static uint32_t open_inputs(const struct task *task)
{
    uint32_t open = 0;
    for (uint32_t c = 0; task->in_turn && c < task->channel_count; c++) {
        const struct channel *channel = &task->channels[c];
        open |= !channel->ended && !channel->blocked ? 1u << channel->input : 0;
    }
    return (open >> task->turn & 1) != 0 ? 1u << task->turn : UINT32_MAX;
}

static bool may_read(const struct channel *channel, uint32_t inputs)
{
    return !channel->ended && !channel->blocked && (inputs >> channel->input & 1) != 0;
}

/* Packet by packet in turn. */
static bool read_next(struct task *task)
{
    uint32_t inputs = open_inputs(task);
    for (uint32_t i = 0; i < task->channel_count; i++) {
        uint32_t c = task->next_channel + i;
        c -= c >= task->channel_count ? task->channel_count : 0;
        struct channel *channel = &task->channels[c];
        struct packet *p = may_read(channel, inputs) ? ring_peek(channel->ring) : NULL;
        if (p != NULL) {
            task->turn = 1 - channel->input;
            task->turns++;
            bool to_end = read_run(task, channel, p);
            task->next_channel = to_end ? c + 1 : c;
            task->next_channel -= task->next_channel == task->channel_count ? c + 1 : 0;
            return true;
        }
    }
    return false;
}

static enum step step_input(struct task *task)
{
    uint32_t runs = 0;
    if (!read_next(task)) {
        return STEP_NOTHING;
    }
    while (!task_all_ended(task) && goes_on(task, &runs, RUNS_IN_STEP) && task_has_room(task)) {
        task_end_step(task);
        slot_foresee(task->slot);
        if (!read_next(task)) {
            break;
        }
    }
    return task_all_ended(task) ? finish(task) : STEP_WORKED;
}

static bool wake_operators(struct task *task)
{
    int64_t wakeup = task_wakeup(task);
    int64_t now = wakeup != ST_TIME_MAX ? job_now(task->job) : 0;
    if (wakeup == ST_TIME_MAX || now < wakeup) {
        return false;
    }
    for (uint32_t o = 0; o < task->op_count; o++) {
        struct op *op = task->ops[o];
        if (op->wakeup_ms <= now) {
            op->wakeup_ms = ST_TIME_MAX;
            op->class->wake(op, now);
            op_flush(op);
        }
    }
    return true;
}

void task_end_step(struct task *task)
{
    arena_reset(&task->arena);
    if (task->frozen != NULL) {
        frozen_thaw(&task->frozen);
    }
    if (task->frozen == NULL) {
        limbo_empty(&task->memory.limbo, FREED_IN_STEP);
    }
}

static enum step step(struct task *task)
{
    struct coordinator *coordinator = task->job->coordinator;
    if (coordinator != NULL && !hear(task, coordinator)) {
        return STEP_FAILED;
    }
    task->escape = &task->failure;
    if (setjmp(task->failure) != 0) {
        return STEP_FAILED;
    }
    bool drained = task_drain(task);
    if (task->ended) {
        task->done = drained;
        return drained ? STEP_DONE : STEP_FULL;
    }
    int64_t wanted = task->channel_count == 0 && coordinator != NULL
                         ? coordinator_next(coordinator, task->barrier)
                         : 0;
    if (wanted != 0) {
        barrier_take_part(task, wanted);
    }
    if (!task_has_room(task)) {
        return STEP_FULL;
    }
    pace_begin(task);
    bool woken = wake_operators(task);
    enum step step = task->channel_count == 0 ? step_source(task) : step_input(task);
    metrics_show(task);
    task_end_step(task);
    return step == STEP_NOTHING && woken ? STEP_WORKED : step;
}

enum step task_step(struct task *task)
{
    if (task->done) {
        return STEP_DONE;
    }
    task->in_step = true;
    enum step done = step(task);
    task->in_step = false;
    return done;
}

int64_t task_wakeup(const struct task *task)
{
    int64_t wakeup = ST_TIME_MAX;
    for (uint32_t o = 0; o < task->op_count; o++) {
        wakeup = task->ops[o]->wakeup_ms < wakeup ? task->ops[o]->wakeup_ms : wakeup;
    }
    return wakeup;
}

bool task_has_room(struct task *task)
{
    for (uint32_t w = 0; w < task->writer_count; w++) {
        for (uint32_t r = 0; r < task->writers[w]->ring_count; r++) {
            if (!ring_has_room(task->writers[w]->rings[r])) {
                return false;
            }
        }
    }
    return true;
}

bool task_drain(struct task *task)
{
    bool all = true, opened = false;
    if (!task->spills) {
        return true;
    }
    for (uint32_t w = 0; w < task->writer_count; w++) {
        for (uint32_t r = 0; r < task->writers[w]->ring_count; r++) {
            struct ring *ring = task->writers[w]->rings[r];
            all &= ring_drain(ring);
            opened |= ring->open_spills;
        }
        writer_wake(task->writers[w]);
    }
    task->spills = !all || opened;
    return all;
}

bool task_flush(struct task *task)
{
    bool some = false;
    for (uint32_t w = 0; w < task->writer_count; w++) {
        some |= writer_flush(task->writers[w]);
    }
    return some;
}

/* ------------------------------------------------------------------------------------- Failing */

void job_note_failure(struct job *job, enum st_err err, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&job->lock);
    if (job->failure[0] == '\0') {
        vsnprintf(job->failure, sizeof job->failure, format, arguments);
        job->error = job->error != ST_OK ? job->error : err;
    }
    pthread_mutex_unlock(&job->lock);
    va_end(arguments);
}

static void note_failure(struct task *task, const char *text)
{
    const struct op *op = task->ops[0];
    job_note_failure(task->job, ST_ERR_FAILED, "%s (%u/%u): %s", op->node->name, task->subtask + 1,
                     op->node->parallelism, text);
}

void task_fail(struct task *task, const char *format, ...)
{
    char text[384];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    note_failure(task, text);
    longjmp(*task->escape, 1);
}

void st_fail(st_context *ctx, const char *format, ...)
{
    char text[384];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct op *op = (struct op *)(void *)ctx;
    task_fail(op->task, "%s: %s", op->node->name, text);
}

void st_emit_mismatch(const st_out *out, uint32_t size)
{
    const struct output *output = (const struct output *)(const void *)out;
    task_fail(output->op->task, "%s puts out records of %u bytes, but st_emit got one of %u",
              output->op->node->name, out->record_size, size);
}

bool task_has_input(struct task *task)
{
    uint32_t inputs = open_inputs(task);
    for (uint32_t c = 0; c < task->channel_count; c++) {
        const struct channel *channel = &task->channels[c];
        if (may_read(channel, inputs) && ring_peek(channel->ring) != NULL) {
            return true;
        }
    }
    struct coordinator *coordinator = task->job->coordinator;
    return coordinator != NULL &&
           (coordinator_completed(coordinator) > task->notified ||
            coordinator_aborted(coordinator, task->aborted) != 0 ||
            (task->channel_count == 0 && coordinator_next(coordinator, task->barrier) != 0));
}

/* -------------------------------------------------------------------------------------- Memory */

void task_free_text(struct task *task, const struct layout *layout, void *record)
{
    limbo_take_text(&task->memory.limbo, layout, record);
}
