/*
 * Watermarks of a task: each input's is the least of its channels that are aligned, the task's the
 * least of its inputs'. What is idle is left out; none goes back. Source: Flink
 * StatusWatermarkValve, IndexedCombinedWatermarkStatus.
 *
 * Threads: the task's.
 */
#ifndef STREAM_VALVES_H
#define STREAM_VALVES_H

#include <stdint.h>

struct channel;
struct task;

/* What has come by a channel. The head of the chain is told if the task's watermark rises. */
void valve_take_watermark(struct task *task, struct channel *channel, int64_t watermark);
void valve_take_idle(struct task *task, struct channel *channel);
/* To the least of the input's channels, if that is more. */
void valve_raise(struct task *task, uint32_t input);

#endif
