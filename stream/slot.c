/*
 * Slots: the threads of a job.
 *
 *     slot 0: source 0, map 0, sum 0        the subtasks of a key group's records and of half of
 *          ╲╱                               what feeds it are on one thread: what stays there
 *          ╱╲                               costs no waking, and as many threads are busy as
 *     slot 1: source 1, map 1, sum 1        there are slots, not as there are tasks
 *
 * A slot runs its tasks in turn, from the sources on. It sleeps when none can go on, and is woken
 * by whoever gives one of them records, or room.
 *
 * A task that puts out more in one step than its rings hold (a window that fires) waits in the
 * middle of that step; meanwhile the slot runs its other tasks, for the room may have to come from
 * one of them. These must not wait in turn, for the first could not go on before they return: what
 * they put out beyond the rings is spilled. So a waiting task is always the only one of its slot,
 * and of all that wait the farthest downstream waits for a task that can be run.
 *
 * Source: Flink SlotSharingGroup; there each task of a slot has a thread of its own.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "stream/task.h"

#define TURN_SILENT_MS 50
#define TURNS_MS       1000
#define TURNS_MAX      4096

/* ------------------------------------------------------------------------------------ Sleeping */

/* Can any task go on? */
static bool slot_ready(struct slot *slot)
{
    if (atomic_load(&slot->job->cancelled) != 0 ||
        (slot->awaited != NULL && ring_packets(slot->awaited) < slot->awaited->limit)) {
        return true;
    }
    for (uint32_t t = 0; t < slot->task_count; t++) {
        struct task *task = slot->tasks[t];
        if (!task->done && !task->in_step && task_has_room(task) &&
            (task->full || task_has_input(task) || atomic_load(&task->woken) != 0)) {
            return true;
        }
    }
    return false;
}

/* When an idle source is to be asked again: our own know, the user's may say. */
static int64_t next_poll(const struct task *task, int64_t soon)
{
    const struct op *source = task->ops[0];
    if (task->channel_count > 0 || source->class != &op_source) {
        return ST_TIME_MAX;
    }
    return source->poll_ms > soon ? source->poll_ms : soon;
}

/* When to look again though nobody has woken it. */
static int64_t next_look(struct slot *slot)
{
    int64_t next = ST_TIME_MAX, soon = job_now(slot->job) + 1;
    for (uint32_t t = 0; t < slot->task_count; t++) {
        const struct task *task = slot->tasks[t];
        if (task->done || task->full || task->in_step) {
            continue;
        }
        int64_t own = task_wakeup(task), polled = next_poll(task, soon);
        own = polled < own ? polled : own;
        own = task->in_turn && task->turns_quiet_ms < own ? task->turns_quiet_ms : own;
        next = own < next ? own : next;
    }
    return next;
}

static void pause_a_little(void)
{
    for (int i = 0; i < 48; i++) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
}

/* Looks again for a while before it sleeps. One that waits for room waits for a receiver that
 * works: if that has a processor of its own it will soon have made some, and need not stop to wake
 * this one. Not too often: what is looked at has to come from the other's cache each time. */
static bool soon_ready(struct slot *slot)
{
    bool held_up = slot->awaited != NULL;
    for (uint32_t t = 0; t < slot->task_count; t++) {
        held_up |= slot->tasks[t]->full && !slot->tasks[t]->done;
    }
    int looks = held_up && slot->job->slot_count <= slot->job->processors ? 128 : 8;
    for (; looks > 0; looks--) {
        if (slot_ready(slot)) {
            return true;
        }
        pause_a_little();
    }
    return false;
}

static void slot_sleep(struct slot *slot)
{
    if (soon_ready(slot)) {
        return;
    }
    int64_t until_ms = next_look(slot);
    atomic_store(&slot->sleeping, 1);
    if (slot_ready(slot)) {
        atomic_store(&slot->sleeping, 0);
        return;
    }
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000};
    pthread_mutex_lock(&slot->lock);
    int late = 0;
    while (atomic_load(&slot->sleeping) != 0 && late == 0) {
        late = until_ms == ST_TIME_MAX ? pthread_cond_wait(&slot->wake, &slot->lock)
                                       : pthread_cond_timedwait(&slot->wake, &slot->lock, &until);
    }
    pthread_mutex_unlock(&slot->lock);
    atomic_store(&slot->sleeping, 0);
}

void task_wake(struct task *task)
{
    struct slot *slot = task->slot;
    if (atomic_load(&slot->sleeping) != 0) {
        pthread_mutex_lock(&slot->lock);
        atomic_store(&slot->sleeping, 0);
        pthread_cond_signal(&slot->wake);
        pthread_mutex_unlock(&slot->lock);
    }
}

/* --------------------------------------------------------------------------------------- Turns */

/* What two connected streams give together may depend on the order in which they are read. While
 * both have something, Flink reads an element (a record, a watermark) of each in turn, the first
 * input first; and as sources begin together, that is what short inputs meet. So a task begins like
 * that and waits for the one whose turn it is; until that has been silent for a moment, or enough
 * has been read for packets to be worth it.
 * Source: Flink StreamMultipleInputProcessor, InputSelection.fairSelectNextIndex. */
static void begin_in_turn(struct task *task)
{
    int64_t now = job_now(task->job);
    task->in_turn = task->channel_count > 0 && task->channels[0].input == 0 &&
                    task->channels[task->channel_count - 1].input == 1;
    task->turns_until_ms = now + TURNS_MS;
    task->turns_quiet_ms = now + TURN_SILENT_MS;
}

static enum step step_in_turn(struct task *task)
{
    uint32_t turns = task->turns;
    enum step step = task_step(task);
    int64_t now = job_now(task->job);
    task->turns_quiet_ms = task->turns > turns ? now + TURN_SILENT_MS : task->turns_quiet_ms;
    task->in_turn =
        task->turns < TURNS_MAX && now < task->turns_until_ms && now < task->turns_quiet_ms;
    return step == STEP_NOTHING && !task->in_turn ? STEP_WORKED : step;
}

/* A step of one task. Returns whether it did something. */
static bool run_step_of(struct task *task)
{
    task_show_state(task, TASK_BUSY);
    enum step step = task->in_turn ? step_in_turn(task) : task_step(task);
    task->full = step == STEP_FULL;
    task_show_state(task, task->full ? TASK_FULL : TASK_IDLE);
    if (step == STEP_FAILED) {
        job_cancel(task->job);
    } else if (step == STEP_DONE) {
        job_set_finished(task);
    }
    return step == STEP_WORKED || step == STEP_DONE;
}

/* One turn of all tasks that can run. Returns whether one of them did something. */
static bool slot_turn(struct slot *slot)
{
    bool worked = false;
    for (uint32_t t = 0; t < slot->task_count && atomic_load(&slot->job->cancelled) == 0; t++) {
        struct task *task = slot->tasks[t];
        if (!task->done && !task->in_step) {
            worked |= run_step_of(task);
        }
    }
    return worked;
}

/* Publishes what the tasks' writers hold. The one that waits holds nothing that anybody waits for
 * but in packets that are being filled: these stay. */
static void slot_flush(struct slot *slot)
{
    for (uint32_t t = 0; t < slot->task_count; t++) {
        if (!slot->tasks[t]->done && !slot->tasks[t]->in_step) {
            (void)task_flush(slot->tasks[t]);
        }
    }
}

void task_await_room(struct task *task, struct ring *ring)
{
    struct slot *slot = task->slot;
    if (task->job->in_steps || slot->waiting != NULL) {
        return;
    }
    slot->waiting = task;
    slot->awaited = ring;
    task_show_state(task, TASK_FULL);
    while (atomic_load(&task->job->cancelled) == 0 && (!ring_drain(ring) || ring_is_full(ring))) {
        if (!slot_turn(slot)) {
            slot_flush(slot);
            for (uint32_t w = 0; w < task->writer_count; w++) {
                writer_wake(task->writers[w]); /* of what has been drained */
            }
            slot_sleep(slot);
        }
    }
    slot->waiting = NULL;
    slot->awaited = NULL;
    task_show_state(task, TASK_BUSY);
    if (atomic_load(&task->job->cancelled) != 0) {
        longjmp(*task->escape, 1);
    }
}

/* ------------------------------------------------------------------------------------- Threads */

/* All tasks open before any of them runs, as Flink deploys them. */
static void await_others(struct slot *slot)
{
    struct job *job = slot->job;
    pthread_mutex_lock(&job->lock);
    job->opened += slot->task_count;
    pthread_cond_broadcast(&job->changed);
    while (job->opened < job->task_count && atomic_load(&job->cancelled) == 0) {
        pthread_cond_wait(&job->changed, &job->lock);
    }
    pthread_mutex_unlock(&job->lock);
}

static bool slot_done(const struct slot *slot)
{
    for (uint32_t t = 0; t < slot->task_count; t++) {
        if (!slot->tasks[t]->done) {
            return false;
        }
    }
    return true;
}

static void slot_run(struct slot *slot)
{
    await_others(slot);
    for (uint32_t t = 0; t < slot->task_count; t++) {
        begin_in_turn(slot->tasks[t]);
    }
    slot->flushed_ms = ticks_ms();
    while (!slot_done(slot) && atomic_load(&slot->job->cancelled) == 0) {
        if (!slot_turn(slot)) {
            slot_flush(slot);
            slot_sleep(slot);
            continue;
        }
        int64_t now = ticks_ms();
        if (now - slot->flushed_ms >= slot->job->env->buffer_timeout_ms) {
            slot->flushed_ms = now;
            slot_flush(slot);
        }
    }
}

static void *thread_main(void *arg)
{
    struct slot *slot = arg;
    bool well = true;
    for (uint32_t t = 0; t < slot->task_count && well; t++) {
        well = task_open(slot->tasks[t]);
    }
    if (well) {
        slot_run(slot);
    } else {
        job_cancel(slot->job);
    }
    for (uint32_t t = 0; t < slot->task_count; t++) {
        if (!slot->tasks[t]->done) {
            job_set_finished(slot->tasks[t]);
        }
    }
    return NULL;
}

bool job_run_slots(struct job *job, void (*watch)(struct job *job))
{
    uint32_t started = 0;
    cpu_set_t usable;
    job->processors =
        sched_getaffinity(0, sizeof usable, &usable) == 0 ? (uint32_t)CPU_COUNT(&usable) : 1;
    while (started < job->slot_count && pthread_create(&job->slots[started]->thread, NULL,
                                                       thread_main, job->slots[started]) == 0) {
        started++;
    }
    bool all_done = started == job->slot_count;
    if (all_done) {
        watch(job);
    } else {
        snprintf(job->failure, sizeof job->failure, "no thread for slot %u of %u", started + 1,
                 job->slot_count);
        job->error = ST_ERR_FAILED;
        job_cancel(job);
    }
    for (uint32_t s = 0; s < started; s++) {
        pthread_join(job->slots[s]->thread, NULL);
        all_done = all_done && slot_done(job->slots[s]);
    }
    return all_done;
}

void slot_free(struct slot *slot)
{
    pthread_mutex_destroy(&slot->lock);
    pthread_cond_destroy(&slot->wake);
    free(slot->tasks);
    free(slot);
}
