/*
 * Checkpoints of a running job.
 *
 *     wanted = N ──► sources put barrier N behind what they have read
 *                    each task, at the barrier: writes its state, hands it in, passes the barrier
 * on all in     ──► chk-N on the disk ──► completed = N ──► each task tells its operators
 *
 * One checkpoint is under way at a time. The thread that runs the job does the writing, so that the
 * stream does not wait for the disk. A task that is done hands in a last part, which counts for
 * every later checkpoint.
 *
 * Threads: parts and flags are guarded by job->lock; wanted and completed are atomic.
 */
#include <stdio.h>
#include <stdlib.h>

#include "stream/task.h"

struct part {
    int64_t id;
    struct bytes bytes; /* of checkpoint id */
    bool is_last;
    struct bytes last;
};

struct coordinator {
    struct job *job;
    struct part *parts; /* [task] */
    _Atomic int64_t wanted, completed;
    int64_t running; /* 0: none */
    int64_t newest;  /* the last number given */
    int64_t next_ms;
};

struct coordinator *coordinator_new(struct job *job)
{
    struct coordinator *c = must_calloc(1, sizeof *c);
    const st_env *env = job->env;
    c->job = job;
    c->parts = must_calloc(job->task_count, sizeof *c->parts);
    c->newest = env->checkpoint_dir != NULL ? checkpoint_newest(env->checkpoint_dir) : 0;
    if (job->restored != NULL && job->restored->id > c->newest) {
        c->newest = job->restored->id;
    }
    c->next_ms = ST_TIME_MIN;
    return c;
}

void coordinator_free(struct coordinator *c)
{
    for (uint32_t t = 0; c != NULL && t < c->job->task_count; t++) {
        bytes_free(&c->parts[t].bytes);
        bytes_free(&c->parts[t].last);
    }
    if (c != NULL) {
        free(c->parts);
        free(c);
    }
}

int64_t coordinator_wanted(struct coordinator *c)
{
    return atomic_load_explicit(&c->wanted, memory_order_acquire);
}

int64_t coordinator_completed(struct coordinator *c)
{
    return atomic_load_explicit(&c->completed, memory_order_acquire);
}

static uint32_t index_of(const struct job *job, const struct task *task)
{
    uint32_t t = 0;
    while (job->tasks[t] != task) {
        t++;
    }
    return t;
}

void coordinator_take(struct coordinator *c, struct task *task, int64_t id, struct bytes *part,
                      bool is_last)
{
    struct part *own = &c->parts[index_of(c->job, task)];
    struct bytes *to = is_last ? &own->last : &own->bytes;
    pthread_mutex_lock(&c->job->lock);
    bytes_free(to);
    *to = *part;
    *part = (struct bytes){0};
    own->id = is_last ? own->id : id;
    own->is_last |= is_last;
    c->job->changes++;
    pthread_cond_broadcast(&c->job->changed);
    pthread_mutex_unlock(&c->job->lock);
}

/* The parts of checkpoint `running`, if all are in. A part stays as it is until the next
 * checkpoint. */
static bool gather(struct coordinator *c, const struct bytes **parts)
{
    bool all = true;
    pthread_mutex_lock(&c->job->lock);
    for (uint32_t t = 0; t < c->job->task_count; t++) {
        const struct part *part = &c->parts[t];
        bool taken = part->id == c->running;
        all &= taken || part->is_last;
        parts[t] = taken ? &part->bytes : &part->last;
    }
    pthread_mutex_unlock(&c->job->lock);
    return all;
}

static void fail_job(struct job *job, const char *why)
{
    pthread_mutex_lock(&job->lock);
    if (job->failure[0] == '\0') {
        snprintf(job->failure, sizeof job->failure, "checkpoint: %s", why);
        job->error = ST_ERR_IO;
    }
    pthread_mutex_unlock(&job->lock);
    job_cancel(job);
}

/* Tasks that run are told by themselves; those that are done by us. */
static void notify_done_tasks(struct coordinator *c)
{
    int64_t completed = coordinator_completed(c);
    for (uint32_t t = 0; t < c->job->task_count; t++) {
        struct task *task = c->job->tasks[t];
        if (job_is_finished(c->job, task) && task->notified < completed) {
            (void)task_notify(task, completed); /* a failure is noted in the job */
        }
    }
}

/* Frozen tables of the checkpoint under way may thaw: their rows have been copied. */
static void release_parts(struct coordinator *c)
{
    pthread_mutex_lock(&c->job->lock);
    for (uint32_t t = 0; t < c->job->task_count; t++) {
        struct part *part = &c->parts[t];
        if (part->id == c->running && part->bytes.hole_count > 0) {
            bytes_free(&part->bytes);
        }
    }
    pthread_mutex_unlock(&c->job->lock);
}

/* Writes the checkpoint, part by part, each whole only while it is written. */
static bool write_parts(struct coordinator *c, const struct bytes *const *parts, char *why)
{
    const st_env *env = c->job->env;
    uint32_t count = c->job->task_count;
    struct bytes *whole = must_calloc(count, sizeof *whole);
    const struct bytes **all = must_calloc(count, sizeof *all);
    for (uint32_t t = 0; t < count; t++) {
        all[t] = parts[t];
        if (parts[t]->hole_count > 0) {
            bytes_materialise(parts[t], &whole[t]);
            all[t] = &whole[t];
        }
    }
    release_parts(c);
    bool ok =
        checkpoint_write(env->checkpoint_dir, c->running, env->max_parallelism, all, count, why);
    for (uint32_t t = 0; t < count; t++) {
        bytes_free(&whole[t]);
    }
    free(whole);
    free(all);
    return ok;
}

static void complete(struct coordinator *c, const struct bytes *const *parts)
{
    char why[256];
    const st_env *env = c->job->env;
    if (env->checkpoint_dir != NULL && !write_parts(c, parts, why)) {
        fail_job(c->job, why);
        return;
    }
    atomic_store(&c->completed, c->running);
    c->running = 0;
    if (env->checkpoint_dir != NULL) {
        checkpoint_prune(env->checkpoint_dir, env->retained);
    }
    for (uint32_t t = 0; t < c->job->task_count; t++) {
        task_wake(c->job->tasks[t]);
    }
}

int64_t coordinator_step(struct coordinator *c)
{
    const st_env *env = c->job->env;
    const struct bytes **parts = must_calloc(c->job->task_count, sizeof *parts);
    int64_t now = job_now(c->job);
    if (c->next_ms == ST_TIME_MIN) { /* the first call: all tasks run */
        c->next_ms = now + env->checkpoint_interval_ms;
    }
    if (c->running != 0 && gather(c, parts)) {
        complete(c, parts);
        int64_t pause = now + env->checkpoint_pause_ms;
        c->next_ms = c->next_ms > pause ? c->next_ms : pause;
    }
    free(parts);
    notify_done_tasks(c);
    if (c->running != 0) {
        return ST_TIME_MAX;
    }
    if (now >= c->next_ms) {
        c->running = ++c->newest;
        c->next_ms = now + env->checkpoint_interval_ms;
        atomic_store(&c->wanted, c->running);
        for (uint32_t t = 0; t < c->job->task_count; t++) {
            task_wake(c->job->tasks[t]);
        }
        return ST_TIME_MAX;
    }
    return c->next_ms;
}

void coordinator_finish(struct coordinator *c)
{
    const struct bytes **parts = must_calloc(c->job->task_count, sizeof *parts);
    c->running = ++c->newest; /* all parts are last ones */
    if (gather(c, parts)) {
        complete(c, parts);
    }
    free(parts);
    notify_done_tasks(c);
}
