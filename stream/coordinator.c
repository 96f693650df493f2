/*
 * Checkpoints of a running job.
 *
 *     wanted = N ──► sources put barrier N behind what they have read
 *                    each task, at the barrier: writes its state, hands it in, passes the barrier
 * on all in     ──► chk-N on the disk ──► completed = N ──► each task tells its operators
 *
 * A savepoint goes the same way, into a folder of its own; its completion is told to nobody, unless
 * the job stops with it: then sources put out nothing behind its barrier, the tasks are told, and
 * the threads end. To drain is to let the input end: the last checkpoint is the savepoint.
 *
 * One checkpoint is under way at a time. The thread that runs the job does the writing, so that the
 * stream does not wait for the disk. A task that is done hands in a last part, which counts for
 * every later checkpoint.
 *
 * Threads: parts and flags are guarded by job->lock; wanted and completed are atomic.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/control.h"
#include "stream/stored_files.h"
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
    _Atomic int64_t stops_at; /* no record behind this barrier; 0: none */
    _Atomic int drains;
    int64_t running;               /* 0: none */
    enum question why;             /* of the one under way: ASK_NOTHING by itself */
    char target[CONTROL_LINE];     /* folder of the savepoint under way */
    char saved[CONTROL_LINE + 64]; /* that of a stop, complete */
    int64_t newest;                /* the last number given */
    int64_t next_ms;
    int64_t began_ms;           /* the one under way */
    uint32_t failures;          /* of checkpoints, since the last one that was completed */
    struct stored_files stored; /* of the last checkpoint that had any */
    _Atomic int64_t canonical;  /* the last savepoint that was begun */
};

struct coordinator *coordinator_new(struct job *job)
{
    struct coordinator *c = must_calloc(1, sizeof *c);
    const st_env *env = job->env;
    c->job = job;
    c->parts = must_calloc(job->task_count, sizeof *c->parts);
    c->newest =
        env->checkpoint_dir != NULL ? checkpoint_newest(env->checkpoint_dir, CHECKPOINT) : 0;
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
        stored_files_free(&c->stored);
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

bool coordinator_stops(struct coordinator *c, int64_t id)
{
    int64_t at = atomic_load_explicit(&c->stops_at, memory_order_acquire);
    return at != 0 && id >= at;
}

bool coordinator_drains(struct coordinator *c)
{
    return atomic_load_explicit(&c->drains, memory_order_acquire) != 0;
}

const char *coordinator_saved(const struct coordinator *c)
{
    return c->saved;
}

bool coordinator_is_savepoint(struct coordinator *c, int64_t id)
{
    return atomic_load_explicit(&c->canonical, memory_order_acquire) == id;
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

/* A checkpoint that could not be completed. The job goes on as long as its author tolerates that;
 * a barrier that is still on its way is passed over, for a part counts for its own checkpoint only.
 * Source: Flink CheckpointFailureManager. */
static void checkpoint_failed(struct coordinator *c, enum st_err err, const char *why)
{
    struct job *job = c->job;
    if (job->env->control != NULL) {
        control_failed(job->env->control);
    }
    if (++c->failures <= job->env->tolerable_failures) {
        return;
    }
    job_note_failure(job, err, "checkpoint %lld: %s", (long long)c->running, why);
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

/* Frozen tables of the checkpoint under way may thaw: their rows have been copied. What is attached
 * goes on with the copies. */
static void release_parts(struct coordinator *c, struct bytes *whole)
{
    pthread_mutex_lock(&c->job->lock);
    for (uint32_t t = 0; t < c->job->task_count; t++) {
        struct part *part = &c->parts[t];
        if (part->id == c->running && part->bytes.hole_count > 0) {
            whole[t].attached = part->bytes.attached;
            part->bytes.attached = NULL;
            bytes_free(&part->bytes);
        }
    }
    pthread_mutex_unlock(&c->job->lock);
}

/* Files of databases that the checkpoint under way has taken, or will not take. */
static void release_attached(struct coordinator *c)
{
    for (uint32_t t = 0; t < c->job->task_count; t++) {
        pthread_mutex_lock(&c->job->lock);
        struct attached *attached = c->parts[t].bytes.attached;
        c->parts[t].bytes.attached = NULL;
        pthread_mutex_unlock(&c->job->lock);
        attached_free(attached);
    }
}

/* Writes the checkpoint, part by part, each whole only while it is written. */
static bool write_parts(struct coordinator *c, const char *dir, const char *kind,
                        const struct bytes *const *parts, char *why)
{
    const st_env *env = c->job->env;
    uint32_t count = c->job->task_count;
    struct bytes *whole = must_calloc(count, sizeof *whole);
    const struct bytes **all = must_calloc(count, sizeof *all);
    bool ok = true;
    for (uint32_t t = 0; t < count; t++) {
        all[t] = parts[t];
        if (parts[t]->hole_count > 0) {
            ok = ok && bytes_materialise(parts[t], &whole[t], why);
            all[t] = &whole[t];
        }
    }
    release_parts(c, whole);
    ok = ok &&
         checkpoint_write(dir, kind, c->running, env->max_parallelism, all, count, &c->stored, why);
    release_attached(c);
    for (uint32_t t = 0; t < count; t++) {
        bytes_free(&whole[t]);
    }
    free(whole);
    free(all);
    return ok;
}

static bool is_savepoint(const struct coordinator *c)
{
    return c->why == ASK_SAVEPOINT || c->why == ASK_STOP || c->why == ASK_DRAIN;
}

static void wake_all(struct coordinator *c)
{
    for (uint32_t t = 0; t < c->job->task_count; t++) {
        task_wake(c->job->tasks[t]);
    }
}

static void tell_completed(struct coordinator *c)
{
    atomic_store(&c->completed, c->running);
    if (c->job->env->control != NULL) {
        control_completed(c->job->env->control, c->running, job_now(c->job) - c->began_ms);
    }
    wake_all(c);
}

/* What was asked for did not work: the job goes on. */
static void give_up(struct coordinator *c, const char *why)
{
    control_answer(c->job->env->control, false, why);
    atomic_store(&c->stops_at, 0);
    wake_all(c);
}

static void complete_savepoint(struct coordinator *c, const struct bytes *const *parts)
{
    char why[256], path[CONTROL_LINE + 64];
    struct control *control = c->job->env->control;
    if (!write_parts(c, c->target, SAVEPOINT, parts, why)) {
        if (c->why == ASK_DRAIN) {
            job_note_failure(c->job, ST_ERR_IO, "checkpoint: %s", why);
            job_cancel(c->job); /* its input has ended: it cannot go on */
        } else {
            give_up(c, why);
        }
        return;
    }
    snprintf(path, sizeof path, "%s/" SAVEPOINT "%lld", c->target, (long long)c->running);
    if (c->why == ASK_SAVEPOINT) {
        control_answer(control, true, path);
        return;
    }
    snprintf(c->saved, sizeof c->saved, "%s", path); /* answered when all is committed */
    tell_completed(c);
    if (c->why == ASK_STOP) {
        c->job->stopped = true;
        job_cancel(c->job);
    }
}

static void complete_checkpoint(struct coordinator *c, const struct bytes *const *parts)
{
    char why[256];
    const st_env *env = c->job->env;
    bool kept = env->checkpoint_dir != NULL &&
                (env->checkpoint_interval_ms > 0 || c->why == ASK_CHECKPOINT);
    if (kept && !write_parts(c, env->checkpoint_dir, CHECKPOINT, parts, why)) {
        if (c->why == ASK_CHECKPOINT) {
            control_answer(env->control, false, why);
        }
        checkpoint_failed(c, ST_ERR_IO, why);
        return;
    }
    c->failures = 0;
    tell_completed(c);
    if (kept) {
        checkpoint_prune(env->checkpoint_dir, env->retained);
    }
    if (c->why == ASK_CHECKPOINT) {
        char text[64];
        snprintf(text, sizeof text, "checkpoint %lld", (long long)c->running);
        control_answer(env->control, true, text);
    }
}

static void complete(struct coordinator *c, const struct bytes *const *parts)
{
    if (is_savepoint(c)) {
        complete_savepoint(c, parts);
    } else {
        complete_checkpoint(c, parts);
    }
    c->running = 0;
    c->why = ASK_NOTHING;
}

/* The folder of a savepoint: what was asked for, else what is configured. */
static bool find_target(struct coordinator *c)
{
    const st_env *env = c->job->env;
    const char *dir = c->target[0] != '\0'         ? c->target
                      : env->savepoint_dir != NULL ? env->savepoint_dir
                                                   : env->checkpoint_dir;
    if (dir == NULL || strlen(dir) > 900) {
        return false;
    }
    memmove(c->target, dir, strlen(dir) + 1);
    int64_t newest = checkpoint_newest(c->target, SAVEPOINT);
    c->newest = newest > c->newest ? newest : c->newest;
    return true;
}

/* Looks for a question. Returns whether a checkpoint is to begin for it. */
static bool take_question(struct coordinator *c)
{
    struct control *control = c->job->env->control;
    enum question asked = control != NULL ? control_next(control, c->target) : ASK_NOTHING;
    if (asked == ASK_CANCEL) {
        job_note_failure(c->job, ST_ERR_CANCELLED, "cancelled");
        job_cancel(c->job);
        return false;
    }
    c->why = asked;
    if (asked == ASK_CHECKPOINT && c->job->env->checkpoint_dir == NULL) {
        control_answer(control, false, "execution.checkpointing.dir is not set");
        c->why = ASK_NOTHING;
    } else if (is_savepoint(c) && !find_target(c)) {
        control_answer(control, false, "no folder for savepoints is named or configured");
        c->why = ASK_NOTHING;
    }
    if (c->why == ASK_DRAIN) {
        atomic_store(&c->drains, 1);
        wake_all(c);
        return false;
    }
    return c->why != ASK_NOTHING;
}

/* The one under way takes too long. One that ends the job is waited for. */
static void time_out(struct coordinator *c)
{
    char why[96];
    snprintf(why, sizeof why, "not complete after %lld ms",
             (long long)c->job->env->checkpoint_timeout_ms);
    if (c->why == ASK_STOP) {
        give_up(c, why);
    } else if (c->why == ASK_SAVEPOINT || c->why == ASK_CHECKPOINT) {
        control_answer(c->job->env->control, false, why);
    }
    if (c->why == ASK_NOTHING) {
        checkpoint_failed(c, ST_ERR_FAILED, why);
    }
    c->running = 0;
    c->why = ASK_NOTHING;
}

static void begin(struct coordinator *c)
{
    c->running = ++c->newest;
    c->began_ms = job_now(c->job);
    if (c->why == ASK_STOP) {
        atomic_store(&c->stops_at, c->running);
    }
    if (is_savepoint(c)) {
        atomic_store(&c->canonical, c->running);
    }
    atomic_store(&c->wanted, c->running);
    wake_all(c);
}

int64_t coordinator_step(struct coordinator *c)
{
    const st_env *env = c->job->env;
    const struct bytes **parts = must_calloc(c->job->task_count, sizeof *parts);
    int64_t now = job_now(c->job);
    if (c->next_ms == ST_TIME_MIN) { /* the first call: all tasks run */
        c->next_ms =
            env->checkpoint_interval_ms > 0 ? now + env->checkpoint_interval_ms : ST_TIME_MAX;
    }
    if (c->running != 0 && gather(c, parts)) {
        complete(c, parts);
        int64_t pause = now + env->checkpoint_pause_ms;
        c->next_ms = c->next_ms > pause ? c->next_ms : pause;
    }
    free(parts);
    notify_done_tasks(c);
    int64_t deadline = c->began_ms + env->checkpoint_timeout_ms;
    if (c->running != 0 && !c->job->in_steps && now >= deadline) {
        time_out(c);
    }
    if (c->running != 0 || coordinator_drains(c)) {
        return c->running == 0 || c->job->in_steps ? ST_TIME_MAX : deadline;
    }
    if (take_question(c)) {
        begin(c);
    } else if (now >= c->next_ms && !coordinator_drains(c)) {
        begin(c);
        c->next_ms = now + env->checkpoint_interval_ms;
    } else {
        return c->next_ms;
    }
    return c->job->in_steps ? ST_TIME_MAX : now + env->checkpoint_timeout_ms;
}

void coordinator_finish(struct coordinator *c)
{
    const struct bytes **parts = must_calloc(c->job->task_count, sizeof *parts);
    for (bool more = !c->job->stopped; more;) {
        more = c->why == ASK_SAVEPOINT; /* that commits nothing: another one behind it */
        c->running = ++c->newest;       /* all parts are last ones */
        c->began_ms = job_now(c->job);
        if (gather(c, parts)) {
            complete(c, parts);
        }
    }
    free(parts);
    notify_done_tasks(c);
}
