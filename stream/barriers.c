/*
 * Checkpoints in a task, see barriers.h.
 */
#include "stream/barriers.h"

#include "stream/metrics.h"
#include "stream/task.h"

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
void barrier_take_part(struct task *task, int64_t id)
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
        barrier_take_part(task, id);
    }
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
        barrier_take_part(task, id);
    }
}

/* A channel that has ended keeps no barrier waiting. */
void barrier_channel_ended(struct task *task)
{
    int64_t id = task->barrier;
    if (task->job->env->at_least_once) {
        take_passed(task);
        return;
    }
    for (uint32_t c = 0; c < task->channel_count; c++) {
        id = task->channels[c].barrier > id ? task->channels[c].barrier : id;
    }
    if (id > task->barrier && !task_all_ended(task)) {
        align(task, id);
    }
}

/* A checkpoint that takes too long is given up, and a source that never saw it begins with a later
 * one: so a barrier sets those free that wait behind an earlier one, and one that comes behind a
 * later one is nothing. */
void barrier_take(struct task *task, struct channel *channel, int64_t id)
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

/* ------------------------------------------------------------------------ What became of them */

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
