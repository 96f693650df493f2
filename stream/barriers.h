/*
 * Checkpoints in a task: what its chain has at the barrier, aligned over its channels.
 *
 *     channel 0  ──r r r┃7 r r──►  blocked, until
 *     channel 1  ──r r r r r┃7──►  it has come here too: a part for 7, the barrier goes on
 *
 * Without alignment nothing is blocked. What coordinator.c says of a checkpoint that is complete or
 * given up goes to the operators. Source: Flink SingleCheckpointBarrierHandler,
 * CheckpointBarrierTracker.
 *
 * Threads: the task's.
 */
#ifndef STREAM_BARRIERS_H
#define STREAM_BARRIERS_H

#include <stdbool.h>
#include <stdint.h>

struct channel;
struct task;

/* A barrier has come by a channel; a channel has ended, and keeps none waiting. */
void barrier_take(struct task *task, struct channel *channel, int64_t id);
void barrier_channel_ended(struct task *task);
/* What the chain has is handed in, and the barrier goes on its way. */
void barrier_take_part(struct task *task, int64_t id);

#endif
