/*
 * How many records enter a task at a time: as many as it handles in PACE_MS, at most a batch.
 *
 * A batch takes microseconds, unless functions wait for the world: at 10 ms a record it would take
 * seconds, and a step minutes, in which nobody is heard: no barrier, no cancel, no other task of
 * the slot, and what has been put out does not go on. So a task begins with few, takes twice as
 * many as long as they are quick, and as few as one when they are not; and a step that has lasted
 * ends. The clock is the one of the system's ticks (4 ms), which costs a quarter of the exact one.
 *
 * Source: Flink hands on record by record, and its tasks look at their mailbox between records
 * (MailboxProcessor); here a batch is what lies between two looks.
 */
#include "stream/task.h"

#define PACE_MS    20
#define PACE_FIRST 16

void pace_begin(struct task *task)
{
    if (task->job->in_steps) { /* by virtual time nothing takes long */
        task->pace = BATCH_SIZE;
        return;
    }
    task->pace = task->pace != 0 ? task->pace : PACE_FIRST;
    task->step_began_ms = task->paced_ms = ticks_ms();
}

void pace_keep(struct task *task, uint32_t count)
{
    if (task->job->in_steps || count == 0) {
        return;
    }
    int64_t now = ticks_ms(), took = now - task->paced_ms;
    uint64_t next = (uint64_t)task->pace * 2;
    uint64_t most = took > 0 ? (uint64_t)count * PACE_MS / (uint64_t)took : BATCH_SIZE;
    most = most < BATCH_SIZE ? most : BATCH_SIZE;
    next = next < most ? next : most;
    task->pace = next > 0 ? (uint32_t)next : 1;
    task->paced_ms = now;
}

bool pace_is_over(const struct task *task)
{
    return task->paced_ms - task->step_began_ms >= PACE_MS;
}
