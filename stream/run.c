/*
 * Running a job: a thread a task, or all tasks in turn on one.
 *
 * In steps time is virtual. It stands still while any task has something to do, and then jumps to
 * the earliest moment at which one wants to be woken; so a job is a function of its inputs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "stream/task.h"

#define INPUTS_AWAITED_MS     50
#define STEPS_BETWEEN_FLUSHES 64 /* how often a busy task looks at the clock */

int64_t job_now(struct job *job)
{
    if (job->clock.is_virtual) {
        return job->clock.virtual_ms;
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void cancel(struct job *job)
{
    atomic_store(&job->cancelled, 1);
    for (uint32_t t = 0; t < job->task_count; t++) {
        task_wake(job->tasks[t]);
    }
}

/* ---------------------------------------------------------------------------------------- Threads
 */

/* A source that has nothing for now is asked again after a while. */
static int64_t next_poll(struct task *task)
{
    int64_t wakeup = task_wakeup(task);
    int64_t soon = task->channel_count == 0 ? job_now(task->job) + 1 : ST_TIME_MAX;
    return wakeup < soon ? wakeup : soon;
}

/* What two short inputs give together may depend on which is read first: so none is read before the
 * others had a moment to begin. */
static void await_inputs(struct task *task)
{
    if (task->channel_count > 0 && task->channels[task->channel_count - 1].input > 0) {
        task_sleep(task, task_has_all_inputs, NULL, job_now(task->job) + INPUTS_AWAITED_MS);
    }
}

static void run_task(struct task *task)
{
    await_inputs(task);
    for (uint32_t steps = 1; atomic_load(&task->job->cancelled) == 0; steps++) {
        switch (task_step(task)) {
        case STEP_WORKED:
            if (steps % STEPS_BETWEEN_FLUSHES == 0) {
                int64_t now = job_now(task->job);
                if (now - task->flushed_ms >= task->job->env->buffer_timeout_ms) {
                    task->flushed_ms = now;
                    task_flush(task);
                }
            }
            break;
        case STEP_NOTHING:
            task_flush(task);
            task_sleep(task, task_has_input, NULL, next_poll(task));
            break;
        case STEP_FAILED:
            cancel(task->job);
            return;
        case STEP_FULL:
        case STEP_DONE:
            return;
        }
    }
}

static void *thread_main(void *arg)
{
    struct task *task = arg;
    if (task_open(task)) {
        run_task(task);
    } else {
        cancel(task->job);
    }
    task_close(task);
    return NULL;
}

static enum st_err run_threads(struct job *job)
{
    uint32_t started = 0;
    while (started < job->task_count && pthread_create(&job->tasks[started]->thread, NULL,
                                                       thread_main, job->tasks[started]) == 0) {
        started++;
    }
    if (started < job->task_count) {
        snprintf(job->failure, sizeof job->failure, "no thread for task %u of %u", started + 1,
                 job->task_count);
        cancel(job);
    }
    for (uint32_t t = 0; t < started; t++) {
        pthread_join(job->tasks[t]->thread, NULL);
    }
    return job->failure[0] == '\0' ? ST_OK : ST_ERR_FAILED;
}

/* ------------------------------------------------------------------------------------------ Steps
 */

/* Time goes on; false if nobody waits for it. */
static bool advance_clock(struct job *job)
{
    int64_t wakeup = ST_TIME_MAX;
    for (uint32_t t = 0; t < job->task_count; t++) {
        if (!job->tasks[t]->done) {
            int64_t one = task_wakeup(job->tasks[t]);
            wakeup = one < wakeup ? one : wakeup;
        }
    }
    if (wakeup != ST_TIME_MAX && wakeup > job->clock.virtual_ms) {
        job->clock.virtual_ms = wakeup;
    }
    return wakeup != ST_TIME_MAX;
}

/* A turn of all tasks. Returns whether any of them did something; *left: how many are not done. */
static bool turn(struct job *job, uint32_t *left)
{
    bool worked = false;
    *left = 0;
    for (uint32_t t = 0; t < job->task_count; t++) {
        struct task *task = job->tasks[t];
        bool was_done = task->done;
        switch (task_step(task)) {
        case STEP_WORKED:
            worked = true;
            break;
        case STEP_NOTHING:
        case STEP_FULL:
            worked |= task_flush(task);
            break;
        case STEP_DONE:
            worked |= !was_done;
            break;
        case STEP_FAILED:
            *left = 0;
            return false;
        }
        *left += task->done ? 0 : 1;
    }
    return worked;
}

static enum st_err run_steps(struct job *job)
{
    bool opened = true;
    uint32_t left = job->task_count;
    for (uint32_t t = 0; t < job->task_count && opened; t++) {
        opened = task_open(job->tasks[t]);
    }
    while (opened && left > 0) {
        if (!turn(job, &left) && left > 0 && !advance_clock(job)) {
            job->clock.virtual_ms++; /* a source that waits for the world */
        }
    }
    for (uint32_t t = 0; t < job->task_count; t++) {
        task_close(job->tasks[t]);
    }
    return job->failure[0] == '\0' ? ST_OK : ST_ERR_FAILED;
}

enum st_err job_run(struct job *job)
{
    return job->in_steps ? run_steps(job) : run_threads(job);
}

enum st_err st_execute(st_env *env, const char *job_name)
{
    (void)job_name;
    if (env->errors == NULL && env->node_count == 0) {
        env_mistake(env, NULL, 0, "the job has no operators");
    }
    if (env->errors == NULL) {
        plan_nodes(env);
    }
    if (env->errors != NULL) {
        return ST_ERR_GRAPH;
    }
    struct job *job = job_new(env);
    enum st_err err = job_run(job);
    if (err != ST_OK) {
        env_mistake(env, NULL, 0, "%s", job->failure);
    }
    job_free(job);
    return err;
}
