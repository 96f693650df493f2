/*
 * Watermarks of a task's inputs, see valves.h.
 */
#include "stream/valves.h"

#include "stream/task.h"

void valve_raise(struct task *task, uint32_t input)
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
static void merge(struct task *task)
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
void valve_take_watermark(struct task *task, struct channel *channel, int64_t watermark)
{
    struct valve *valve = &task->valves[channel->input];
    channel->idle = valve->idle = false;
    channel->watermark = watermark > channel->watermark ? watermark : channel->watermark;
    channel->aligned |= channel->watermark >= valve->watermark;
    valve_raise(task, channel->input);
    merge(task);
}

/* If it was the one that held the others up, they go on; and if all are idle now, to the latest
 * watermark of all. Source: Flink StatusWatermarkValve.inputWatermarkStatus. */
void valve_take_idle(struct task *task, struct channel *channel)
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
        valve_raise(task, channel->input);
    } else if (held_up) {
        valve->watermark = most;
    }
    merge(task);
    if (!active) {
        valve->idle = true;
        merge(task);
    }
}
