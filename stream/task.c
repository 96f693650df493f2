/*
 * One step of a task, and what travels through its chain besides records. See task.h.
 */
#include "stream/function_state.h"
#include "stream/metrics.h"
#include "stream/task.h"

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

/* --------------------------------------------------------------------------------- Checkpoints */

/* The operator, and behind it what the states of its function lie in. */
static void write_op(struct op *op, struct bytes *to)
{
    for (; op != NULL; op = op->states) {
        if (op->class->snapshot != NULL) {
            op->class->snapshot(op, to);
        }
    }
}

void task_snapshot(struct task *task, int64_t id, struct bytes *to)
{
    for (uint32_t o = 0; o < task->op_count; o++) {
        struct op *op = task->ops[o];
        if (op->class->barrier != NULL) {
            op->class->barrier(op, id);
        }
        if (op->node->options.snapshot_state != NULL) {
            op->node->options.snapshot_state(&op->ctx, id);
        }
        size_t began =
            section_begin(to, op->node->uid, op->ctx.subtask, op->ctx.parallelism, op->watermark);
        size_t size_at = bytes_reserve_i64(to);
        uint32_t hole = to->hole_count;
        write_op(op, to);
        for (; hole < to->hole_count; hole++) {
            to->holes[hole].sizes[0] = began;
            to->holes[hole].sizes[1] = size_at;
        }
        bytes_set_i64(to, size_at, (int64_t)(to->size - size_at - 8));
        operator_state_write(op, to);
        section_end(to, began);
    }
}

/* At the barrier: what the chain has, and the barrier on its way. */
static void take_part(struct task *task, int64_t id)
{
    struct bytes part = {.canonical = coordinator_is_savepoint(task->job->coordinator, id)};
    task_snapshot(task, id, &part);
    for (uint32_t w = 0; w < task->writer_count; w++) {
        writer_mark(task->writers[w], MARK_BARRIER, id);
        writer_flush(task->writers[w]);
    }
    task->barrier = id;
    coordinator_take(task->job->coordinator, task, id, &part, false);
}

/* Once the barrier has come on every channel that is still open. */
static void align(struct task *task, int64_t id)
{
    for (uint32_t c = 0; c < task->channel_count; c++) {
        if (!task->channels[c].ended && task->channels[c].barrier < id) {
            return;
        }
    }
    for (uint32_t c = 0; c < task->channel_count; c++) {
        task->channels[c].blocked = false;
    }
    metrics_show_alignment(task, false, true);
    if (id > task->barrier) {
        take_part(task, id);
    }
}

bool task_notify(struct task *task, int64_t id)
{
    task->notified = id;
    task->escape = &task->failure;
    if (setjmp(task->failure) != 0) {
        return false;
    }
    for (uint32_t o = 0; o < task->op_count; o++) {
        struct op *op = task->ops[o];
        if (op->class->completed != NULL) {
            op->class->completed(op, id);
        }
        if (op->node->options.notify_checkpoint_complete != NULL) {
            op->node->options.notify_checkpoint_complete(&op->ctx, id);
        }
    }
    return true;
}

bool task_notify_aborted(struct task *task, int64_t id)
{
    task->aborted++;
    task->escape = &task->failure;
    if (setjmp(task->failure) != 0) {
        return false;
    }
    bool waits = false;
    for (uint32_t c = 0; c < task->channel_count; c++) {
        task->channels[c].blocked = task->channels[c].blocked && task->channels[c].barrier > id;
        waits |= task->channels[c].blocked;
    }
    metrics_show_alignment(task, waits, false);
    for (uint32_t o = 0; o < task->op_count; o++) {
        struct op *op = task->ops[o];
        if (op->node->options.notify_checkpoint_aborted != NULL) {
            op->node->options.notify_checkpoint_aborted(&op->ctx, id);
        }
    }
    return true;
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
    return ++*runs < limit && !task->job->in_steps && !task->in_turn;
}

/* May a source go on without a look at what a step begins with? */
static bool source_goes_on(struct task *task, uint32_t *runs)
{
    struct coordinator *c = task->job->coordinator;
    return goes_on(task, runs, POLLS_IN_STEP) && atomic_load(&task->job->cancelled) == 0 &&
           (c == NULL || coordinator_next(c, task->barrier) == 0) && task_has_room(task);
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
    enum st_poll poll = drains ? ST_END : source->class->poll(source);
    op_flush(source);
    while (poll == ST_MORE && source_goes_on(task, &runs)) {
        task_end_step(task);
        slot_foresee(task->slot);
        poll = source->class->poll(source);
        op_flush(source);
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

/* The least watermark of an input's channels that are aligned, if it rises. */
static void raise_least(struct task *task, uint32_t input)
{
    int64_t least = ST_TIME_MAX;
    bool some = false;
    for (uint32_t c = 0; c < task->channel_count; c++) {
        const struct channel *channel = &task->channels[c];
        if (channel->input == input && channel->aligned) {
            some = true;
            least = channel->watermark < least ? channel->watermark : least;
        }
    }
    struct valve *valve = &task->valves[input];
    valve->watermark = some && least > valve->watermark ? least : valve->watermark;
}

/* The task's watermark is the least of its inputs'; idle ones are left out. */
static void merge_inputs(struct task *task)
{
    int64_t least = ST_TIME_MAX;
    bool active = false;
    for (uint32_t c = 0; c < task->channel_count; c++) {
        const struct valve *valve = &task->valves[task->channels[c].input];
        if (!valve->idle) {
            active = true;
            least = valve->watermark < least ? valve->watermark : least;
        }
    }
    if (!active) {
        op_idle(task->ops[0]);
    } else if (least > task->watermark) {
        task->watermark = least;
        op_watermark(task->ops[0], least);
    }
}

/* None goes back. A channel that was idle and is behind what has been put out meanwhile holds up
 * nobody until it has caught up. Source: Flink StatusWatermarkValve.inputWatermark. */
static void take_watermark(struct task *task, struct channel *channel, int64_t watermark)
{
    struct valve *valve = &task->valves[channel->input];
    channel->idle = valve->idle = false;
    channel->watermark = watermark > channel->watermark ? watermark : channel->watermark;
    channel->aligned |= channel->watermark >= valve->watermark;
    raise_least(task, channel->input);
    merge_inputs(task);
}

/* If it was the one that held the others up, they go on; and if all are idle now, to the latest
 * watermark of all. Source: Flink StatusWatermarkValve.inputWatermarkStatus. */
static void take_idle(struct task *task, struct channel *channel)
{
    struct valve *valve = &task->valves[channel->input];
    int64_t most = ST_TIME_MIN;
    bool active = false, held_up = channel->watermark == valve->watermark;
    channel->idle = true;
    channel->aligned = false;
    for (uint32_t c = 0; c < task->channel_count; c++) {
        const struct channel *other = &task->channels[c];
        if (other->input == channel->input) {
            active |= !other->idle;
            most = other->watermark > most ? other->watermark : most;
        }
    }
    if (active && held_up) {
        raise_least(task, channel->input);
    } else if (held_up) {
        valve->watermark = most;
    }
    merge_inputs(task);
    if (!active) {
        valve->idle = true;
        merge_inputs(task);
    }
}

static bool all_ended(const struct task *task)
{
    for (uint32_t c = 0; c < task->channel_count; c++) {
        if (!task->channels[c].ended) {
            return false;
        }
    }
    return true;
}

/* Without alignment: takes part in all checkpoints whose barriers have come on every open channel;
 * barriers of later ones may have come before. Source: Flink CheckpointBarrierTracker. */
static void take_passed(struct task *task)
{
    int64_t passed = ST_TIME_MAX;
    for (uint32_t c = 0; c < task->channel_count; c++) {
        const struct channel *channel = &task->channels[c];
        passed = !channel->ended && channel->barrier < passed ? channel->barrier : passed;
    }
    for (int64_t id; passed != ST_TIME_MAX &&
                     (id = coordinator_next(task->job->coordinator, task->barrier)) != 0 &&
                     id <= passed;) {
        take_part(task, id);
    }
}

/* A channel that has ended keeps no barrier waiting. */
static void align_rest(struct task *task)
{
    int64_t id = task->barrier;
    if (task->job->env->at_least_once) {
        take_passed(task);
        return;
    }
    for (uint32_t c = 0; c < task->channel_count; c++) {
        id = task->channels[c].barrier > id ? task->channels[c].barrier : id;
    }
    if (id > task->barrier && !all_ended(task)) {
        align(task, id);
    }
}

/* A checkpoint that takes too long is given up, and a source that never saw it begins with a later
 * one: so a barrier sets those free that wait behind an earlier one, and one that comes behind a
 * later one is nothing. */
static void take_barrier(struct task *task, struct channel *channel, int64_t id)
{
    bool given_up = false, waits = false;
    channel->barrier = id;
    if (task->job->env->at_least_once) {
        take_passed(task);
        return;
    }
    for (uint32_t c = 0; c < task->channel_count; c++) {
        struct channel *other = &task->channels[c];
        other->blocked = other->blocked && other->barrier >= id;
        given_up |= other->barrier > id;
        waits |= other->blocked;
    }
    metrics_show_alignment(task, waits, false);
    if (!given_up) {
        channel->blocked = true;
        metrics_show_alignment(task, true, false);
        align(task, id);
    }
}

void task_take_mark(struct task *task, struct channel *channel, const struct mark *mark)
{
    switch (mark->kind) {
    case MARK_WATERMARK:
        take_watermark(task, channel, mark->value);
        break;
    case MARK_IDLE:
        take_idle(task, channel);
        break;
    case MARK_BARRIER:
        take_barrier(task, channel, mark->value);
        break;
    case MARK_END:
        channel->ended = true;
        align_rest(task);
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
        ring->read_record = to;
        op_batch(task->ops[0], channel->input,
                 &(struct batch){p->records + (size_t)from * ring->layout.size,
                                 p->timed != 0 ? p->times + from : no_times, to - from});
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
    while (!all_ended(task) && goes_on(task, &runs, RUNS_IN_STEP) && task_has_room(task)) {
        task_end_step(task);
        slot_foresee(task->slot);
        if (!read_next(task)) {
            break;
        }
    }
    return all_ended(task) ? finish(task) : STEP_WORKED;
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
        take_part(task, wanted);
    }
    if (!task_has_room(task)) {
        return STEP_FULL;
    }
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

/* ---------------------------------------------------------------------------- Opening, failing */

/* Another subtask's, while each still has its own. */
static bool is_of_another(const struct section *section, const struct op *op)
{
    return section->parallelism == op->ctx.parallelism && section->subtask != op->ctx.subtask;
}

/* How far the operator was when the checkpoint was taken; at another parallelism, the least of its
 * subtasks. */
static int64_t watermark_in(const struct checkpoint *from, const struct op *op)
{
    st_str uid = st_str_of(op->node->uid);
    int64_t least = ST_TIME_MAX;
    bool any = false;
    for (uint32_t s = 0; s < from->section_count; s++) {
        const struct section *section = &from->sections[s];
        if (st_str_equal(section->uid, uid) && !is_of_another(section, op)) {
            least = section->watermark < least ? section->watermark : least;
            any = true;
        }
    }
    return any ? least : ST_TIME_MIN;
}

/* A channel begins at the beginning of time, as Flink's does after a restore, unless its sender was
 * at the end of time: that is not told again by a task that knew it. */
static void restore_channels(struct task *task, const struct checkpoint *from)
{
    for (uint32_t c = 0; c < task->channel_count; c++) {
        if (watermark_in(from, task->channels[c].from) == ST_TIME_MAX) {
            task->channels[c].watermark = ST_TIME_MAX;
            raise_least(task, task->channels[c].input);
        }
    }
}

/* As write_op wrote it. */
static void read_section(struct op *op, struct section *section)
{
    op->class->restore(op, section);
    if (op->states != NULL) {
        op->states->class->restore(op->states, section);
    } else if (op->node->kind == NODE_WINDOW && section->state.at < section->state.end) {
        restore_without(op, section, "state of its function");
    }
}

/* What the subtasks of this operator had when the checkpoint was taken. */
static void restore_op(struct op *op, const struct checkpoint *from)
{
    st_str uid = st_str_of(op->node->uid);
    uint32_t dealt = 0;
    op->watermark = watermark_in(from, op);
    op->input_watermark = op->class->own_watermarks ? ST_TIME_MIN : op->watermark;
    for (uint32_t s = 0; s < from->section_count; s++) {
        struct section section = from->sections[s];
        if (!st_str_equal(section.uid, uid)) {
            continue;
        }
        int64_t size = read_i64(&section.state);
        const char *state = size >= 0 ? read_bytes(&section.state, (size_t)size) : NULL;
        struct reader lists = section.state;
        if (state == NULL) {
            restore_fail(op, "its section is damaged");
        }
        section.state = (struct reader){state, state + size, false};
        if (size > 0 && op->class->restore == NULL) {
            restore_without(op, &section, "state of another kind of operator");
        }
        if (op->class->restore != NULL &&
            (op->class->all_sections || !is_of_another(&section, op))) {
            read_section(op, &section);
        }
        operator_state_read(op, &section, &lists, &dealt);
        if (section.state.bad || lists.bad) {
            restore_fail(op, "its section is damaged");
        }
    }
}

/* Of the operator, and then of what the states of its function lie in. */
#define CALL_EACH(op, what)                                                                        \
    for (struct op *each = (op); each != NULL; each = each->states) {                              \
        if (each->class->what != NULL) {                                                           \
            each->class->what(each);                                                               \
        }                                                                                          \
    }

bool task_open(struct task *task)
{
    task->escape = &task->failure;
    if (setjmp(task->failure) != 0) {
        return false;
    }
    if (task->job->restored != NULL) {
        restore_channels(task, task->job->restored);
    }
    for (uint32_t o = task->op_count; o-- > 0;) {
        struct op *op = task->ops[o];
        op->is_open = true;
        operator_state_open(op);
        CALL_EACH(op, open)
        if (task->job->restored != NULL) {
            restore_op(op, task->job->restored);
        }
        if (op->node->options.initialize_state != NULL) {
            op->node->options.initialize_state(&op->ctx);
        }
        if (op->node->options.open != NULL) {
            op->node->options.open(&op->ctx);
        }
        CALL_EACH(op, ready)
    }
    task->watermark = task->ops[0]->watermark;
    task->is_open = true;
    metrics_show(task);
    return true;
}

void task_close(struct task *task)
{
    task->escape = &task->failure;
    if (setjmp(task->failure) != 0) {
        return; /* a close that fails: what is left is not closed, the job has failed anyway */
    }
    for (uint32_t o = 0; o < task->op_count; o++) {
        struct op *op = task->ops[o];
        if (op->is_open) {
            op->is_open = false;
            if (op->node->options.close != NULL) {
                op->node->options.close(&op->ctx);
            }
            CALL_EACH(op, close)
            operator_state_close(op);
        }
    }
}

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

struct arena_block {
    struct arena_block *next;
    size_t size;
    _Alignas(16) char bytes[];
};

#define ARENA_BLOCK ((size_t)64 * 1024)

void *arena_alloc(struct arena *arena, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (arena->blocks == NULL || (size_t)(arena->end - arena->at) < size) {
        size_t room = size > ARENA_BLOCK ? size : ARENA_BLOCK;
        struct arena_block *block = must_calloc(1, sizeof *block + room);
        block->size = room;
        block->next = arena->blocks;
        arena->blocks = block;
        arena->at = block->bytes;
        arena->end = block->bytes + room;
    }
    void *memory = arena->at;
    arena->at += size;
    return memory;
}

/* Keeps one ordinary block. */
void arena_reset(struct arena *arena)
{
    if (arena->blocks == NULL || arena->at == arena->blocks->bytes) {
        return;
    }
    while (arena->blocks->next != NULL || arena->blocks->size > ARENA_BLOCK) {
        struct arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
        if (next == NULL) {
            *arena = (struct arena){0};
            return;
        }
    }
    arena->at = arena->blocks->bytes;
    arena->end = arena->at + arena->blocks->size;
}

void arena_free(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
    *arena = (struct arena){0};
}
