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
 * Some checkpoints may be under way at a time (execution.checkpointing.max-concurrent-checkpoints),
 * see pending.h; they complete in order. One that takes too long or cannot be written is given up,
 * of which operators are told as well. The thread that runs the job does the writing, so that the
 * stream does not wait for the disk. A task that is done hands in a last part, which counts for
 * every later checkpoint.
 *
 * Threads: parts and flags are guarded by job->lock; wanted and completed are atomic.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/control.h"
#include "stream/kept.h"
#include "stream/pending.h"
#include "stream/stored_files.h"
#include "stream/task.h"

struct coordinator {
    struct job *job;
    struct pendings pending;
    _Atomic int64_t wanted, oldest, completed; /* oldest: under way, or the next one */
    int64_t *aborted;                          /* [aborted_count] in order; guarded by job->lock */
    _Atomic uint32_t aborted_count;
    _Atomic int64_t stops_at; /* no record behind this barrier; 0: none */
    _Atomic int drains;
    enum question asked;           /* by the one question that is open */
    char target[CONTROL_LINE];     /* folder of the savepoint that was asked for */
    char saved[CONTROL_LINE + 64]; /* that of a stop, complete */
    int64_t newest;                /* the last number given */
    int64_t next_ms;
    bool begins;                /* what was asked for, as soon as there is room */
    uint32_t failures;          /* of checkpoints, since the last one that was completed */
    struct stored_files stored; /* of the last checkpoint that had any */
    _Atomic int64_t canonical;  /* the last savepoint that was begun */
};

struct coordinator *coordinator_new(struct job *job)
{
    struct coordinator *c = must_calloc(1, sizeof *c);
    const st_env *env = job->env;
    c->job = job;
    pendings_init(&c->pending, job->task_count);
    if (env->checkpoint_dir != NULL) { /* both kinds are told apart by their age, if asked for */
        int64_t checkpoint = checkpoint_newest(env->checkpoint_dir, CHECKPOINT);
        int64_t savepoint = checkpoint_newest(env->checkpoint_dir, SAVEPOINT);
        c->newest = checkpoint > savepoint ? checkpoint : savepoint;
    }
    if (job->restored != NULL && job->restored->id > c->newest) {
        c->newest = job->restored->id;
    }
    c->oldest = c->newest + 1;
    c->next_ms = ST_TIME_MIN;
    return c;
}

void coordinator_free(struct coordinator *c)
{
    if (c != NULL) {
        pendings_free(&c->pending);
        free(c->aborted);
        stored_files_free(&c->stored);
        free(c);
    }
}

int64_t coordinator_next(struct coordinator *c, int64_t barrier)
{
    int64_t wanted = atomic_load_explicit(&c->wanted, memory_order_acquire);
    if (wanted <= barrier) {
        return 0;
    }
    int64_t oldest = atomic_load_explicit(&c->oldest, memory_order_acquire);
    int64_t next = barrier + 1 > oldest ? barrier + 1 : oldest;
    return next <= wanted ? next : 0;
}

int64_t coordinator_aborted(struct coordinator *c, uint32_t seen)
{
    if (atomic_load_explicit(&c->aborted_count, memory_order_acquire) <= seen) {
        return 0;
    }
    pthread_mutex_lock(&c->job->lock);
    int64_t id = c->aborted[seen];
    pthread_mutex_unlock(&c->job->lock);
    return id;
}

int64_t coordinator_completed(struct coordinator *c)
{
    return atomic_load_explicit(&c->completed, memory_order_acquire);
}

uint32_t coordinator_pending(struct coordinator *c)
{
    pthread_mutex_lock(&c->job->lock);
    uint32_t count = c->pending.count;
    pthread_mutex_unlock(&c->job->lock);
    return count;
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
    uint32_t index = index_of(c->job, task);
    pthread_mutex_lock(&c->job->lock);
    pendings_take(&c->pending, index, is_last ? 0 : id, part);
    c->job->changes++;
    pthread_cond_broadcast(&c->job->changed);
    pthread_mutex_unlock(&c->job->lock);
}

/* The parts of a checkpoint, if all are in. They stay as they are until it is dropped. */
static bool gather(struct coordinator *c, const struct pending *one, const struct bytes **parts)
{
    pthread_mutex_lock(&c->job->lock);
    bool all = pendings_gather(&c->pending, one, parts);
    pthread_mutex_unlock(&c->job->lock);
    return all;
}

static void wake_all(struct coordinator *c)
{
    for (uint32_t t = 0; t < c->job->task_count; t++) {
        task_wake(c->job->tasks[t]);
    }
}

/* It is no longer under way. */
static void drop(struct coordinator *c, struct pending *one)
{
    pthread_mutex_lock(&c->job->lock);
    pendings_drop(&c->pending, one);
    atomic_store(&c->oldest, c->pending.oldest != NULL ? c->pending.oldest->id : c->newest + 1);
    pthread_mutex_unlock(&c->job->lock);
}

/* It is given up: the tasks are told. */
static void abandon(struct coordinator *c, struct pending *one)
{
    uint32_t count = atomic_load(&c->aborted_count);
    pthread_mutex_lock(&c->job->lock);
    int64_t *aborted = must_calloc(count + 1, sizeof *aborted);
    if (count > 0) {
        memcpy(aborted, c->aborted, count * sizeof *aborted);
    }
    aborted[count] = one->id;
    free(c->aborted);
    c->aborted = aborted;
    atomic_store(&c->aborted_count, count + 1);
    pthread_mutex_unlock(&c->job->lock);
    drop(c, one);
    wake_all(c);
}

/* A checkpoint that could not be completed. The job goes on as long as its author tolerates that;
 * a barrier that is still on its way is passed over, for a part counts for its own checkpoint only.
 * Source: Flink CheckpointFailureManager. */
static void checkpoint_failed(struct coordinator *c, int64_t id, enum st_err err, const char *why)
{
    struct job *job = c->job;
    if (job->env->control != NULL) {
        control_failed(job->env->control);
    }
    if (++c->failures <= job->env->tolerable_failures) {
        return;
    }
    job_note_failure(job, err, "checkpoint %lld: %s", (long long)id, why);
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

/* Frozen tables of the checkpoint may thaw: their rows have been copied. What is attached goes on
 * with the copies. */
static void release_parts(struct coordinator *c, struct pending *one, struct bytes *whole)
{
    pthread_mutex_lock(&c->job->lock);
    for (uint32_t t = 0; t < c->job->task_count; t++) {
        struct bytes *part = &one->parts[t];
        if (part->hole_count > 0) {
            whole[t].attached = part->attached;
            part->attached = NULL;
            bytes_free(part);
        }
    }
    pthread_mutex_unlock(&c->job->lock);
}

/* Files of databases that the checkpoint has taken, or will not take. */
static void release_attached(struct coordinator *c, struct pending *one)
{
    for (uint32_t t = 0; t < c->job->task_count; t++) {
        pthread_mutex_lock(&c->job->lock);
        struct attached *attached = one->parts[t].attached;
        one->parts[t].attached = NULL;
        pthread_mutex_unlock(&c->job->lock);
        attached_free(attached);
    }
}

/* Writes the checkpoint, part by part, each whole only while it is written. dir NULL: in memory. */
static bool write_parts(struct coordinator *c, struct pending *one, const char *dir,
                        const char *kind, const struct bytes *const *parts, char *why)
{
    st_env *env = c->job->env;
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
    release_parts(c, one, whole);
    if (ok && dir != NULL) {
        ok =
            checkpoint_write(dir, kind, one->id, env->max_parallelism, all, count, &c->stored, why);
    } else if (ok) {
        kept_write(&env->kept, one->id, all, count);
    }
    release_attached(c, one);
    for (uint32_t t = 0; t < count; t++) {
        bytes_free(&whole[t]);
    }
    free(whole);
    free(all);
    return ok;
}

static bool is_savepoint(enum question why)
{
    return why == ASK_SAVEPOINT || why == ASK_STOP || why == ASK_DRAIN;
}

static void tell_completed(struct coordinator *c, const struct pending *one)
{
    atomic_store(&c->completed, one->id);
    if (c->job->env->control != NULL) {
        control_completed(c->job->env->control, one->id, job_now(c->job) - one->began_ms);
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

/* Returns whether it was written. */
static bool complete_savepoint(struct coordinator *c, struct pending *one,
                               const struct bytes *const *parts)
{
    char why[256], path[CONTROL_LINE + 64];
    struct control *control = c->job->env->control;
    if (!write_parts(c, one, c->target, SAVEPOINT, parts, why)) {
        if (one->why == ASK_DRAIN) {
            job_note_failure(c->job, ST_ERR_IO, "checkpoint: %s", why);
            job_cancel(c->job); /* its input has ended: it cannot go on */
        } else {
            give_up(c, why);
        }
        return false;
    }
    snprintf(path, sizeof path, "%s/" SAVEPOINT "%lld", c->target, (long long)one->id);
    if (one->why == ASK_SAVEPOINT) {
        control_answer(control, true, path);
        return true;
    }
    snprintf(c->saved, sizeof c->saved, "%s", path); /* answered when all is committed */
    tell_completed(c, one);
    if (one->why == ASK_STOP) {
        c->job->stopped = true;
        job_cancel(c->job);
    }
    return true;
}

static bool complete_checkpoint(struct coordinator *c, struct pending *one,
                                const struct bytes *const *parts)
{
    char why[256];
    const st_env *env = c->job->env;
    bool kept = (env->checkpoint_dir != NULL || env->storage_in_memory) &&
                (env->checkpoint_interval_ms > 0 || one->why == ASK_CHECKPOINT);
    const char *dir = env->storage_in_memory ? NULL : env->checkpoint_dir;
    if (kept && !write_parts(c, one, dir, CHECKPOINT, parts, why)) {
        if (one->why == ASK_CHECKPOINT) {
            control_answer(env->control, false, why);
        }
        checkpoint_failed(c, one->id, ST_ERR_IO, why);
        return false;
    }
    c->failures = 0;
    tell_completed(c, one);
    if (kept && dir != NULL) {
        checkpoint_prune(dir, env->claims_before ? 0 : env->before, env->retained);
    }
    if (one->why == ASK_CHECKPOINT) {
        char text[64];
        snprintf(text, sizeof text, "checkpoint %lld", (long long)one->id);
        control_answer(env->control, true, text);
    }
    return true;
}

static void complete(struct coordinator *c, struct pending *one, const struct bytes *const *parts)
{
    bool written = is_savepoint(one->why) ? complete_savepoint(c, one, parts)
                                          : complete_checkpoint(c, one, parts);
    c->asked = one->why == c->asked ? ASK_NOTHING : c->asked;
    if (written) {
        drop(c, one);
    } else {
        abandon(c, one);
    }
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
    const st_env *env = c->job->env;
    if (control == NULL || c->asked != ASK_NOTHING) {
        return false;
    }
    c->asked = control_next(control, c->target);
    if (c->asked == ASK_CHECKPOINT && env->checkpoint_dir == NULL && !env->storage_in_memory) {
        control_answer(control, false, "execution.checkpointing.dir is not set");
        c->asked = ASK_NOTHING;
    } else if (is_savepoint(c->asked) && !find_target(c)) {
        control_answer(control, false, "no folder for savepoints is named or configured");
        c->asked = ASK_NOTHING;
    }
    return c->asked != ASK_NOTHING;
}

/* It takes too long. One that ends the job is waited for. */
static void time_out(struct coordinator *c, struct pending *one)
{
    char why[96];
    snprintf(why, sizeof why, "not complete after %lld ms",
             (long long)c->job->env->checkpoint_timeout_ms);
    if (one->why == ASK_STOP) {
        give_up(c, why);
    } else if (one->why == ASK_SAVEPOINT || one->why == ASK_CHECKPOINT) {
        control_answer(c->job->env->control, false, why);
    }
    if (one->why == ASK_NOTHING) {
        checkpoint_failed(c, one->id, ST_ERR_FAILED, why);
    } else {
        c->asked = ASK_NOTHING;
    }
    abandon(c, one);
}

static struct pending *add_pending(struct coordinator *c, enum question why)
{
    int64_t now = job_now(c->job);
    pthread_mutex_lock(&c->job->lock);
    struct pending *one = pendings_add(&c->pending, ++c->newest, why, now);
    atomic_store(&c->oldest, c->pending.oldest->id);
    pthread_mutex_unlock(&c->job->lock);
    return one;
}

static void begin(struct coordinator *c, enum question why)
{
    if (why == ASK_DRAIN) { /* its savepoint is that of the end */
        atomic_store(&c->drains, 1);
        wake_all(c);
        return;
    }
    const struct pending *one = add_pending(c, why);
    if (why == ASK_STOP) {
        atomic_store(&c->stops_at, one->id);
    }
    if (is_savepoint(why)) {
        atomic_store(&c->canonical, one->id);
    }
    atomic_store(&c->wanted, one->id);
    wake_all(c);
}

/* Completes what is whole, from the oldest on, and gives up what takes too long. */
static void look_at_pending(struct coordinator *c, int64_t now)
{
    const st_env *env = c->job->env;
    const struct bytes **parts = must_calloc(c->job->task_count, sizeof *parts);
    while (c->pending.oldest != NULL && gather(c, c->pending.oldest, parts)) {
        complete(c, c->pending.oldest, parts);
        int64_t pause = job_now(c->job) + env->checkpoint_pause_ms;
        c->next_ms = c->next_ms > pause ? c->next_ms : pause;
    }
    free(parts);
    while (c->pending.oldest != NULL && !c->job->in_steps &&
           now >= c->pending.oldest->began_ms + env->checkpoint_timeout_ms) {
        time_out(c, c->pending.oldest);
    }
}

/* May one more be under way? Behind one that drains the job there is none. A pause between
 * checkpoints leaves room for one at a time. Source: Flink CheckpointCoordinatorConfiguration. */
static bool has_room(const struct coordinator *c)
{
    const st_env *env = c->job->env;
    uint32_t most = env->checkpoint_pause_ms > 0 ? 1 : env->checkpoints_at_once;
    return c->pending.count < most && atomic_load(&c->drains) == 0;
}

int64_t coordinator_step(struct coordinator *c)
{
    const st_env *env = c->job->env;
    int64_t now = job_now(c->job);
    if (c->next_ms == ST_TIME_MIN) { /* the first call: all tasks run */
        c->next_ms =
            env->checkpoint_interval_ms > 0 ? now + env->checkpoint_interval_ms : ST_TIME_MAX;
    }
    look_at_pending(c, now);
    notify_done_tasks(c);
    c->begins |= take_question(c);
    if (has_room(c) && c->begins) {
        c->begins = false;
        begin(c, c->asked);
    } else if (has_room(c) && c->asked != ASK_STOP && now >= c->next_ms) {
        begin(c, ASK_NOTHING);
        c->next_ms = now + env->checkpoint_interval_ms;
    }
    const struct pending *oldest = c->pending.oldest;
    if (oldest != NULL && c->job->in_steps) {
        return ST_TIME_MAX;
    }
    int64_t deadline = oldest != NULL ? oldest->began_ms + env->checkpoint_timeout_ms : ST_TIME_MAX;
    int64_t next = has_room(c) ? c->next_ms : ST_TIME_MAX;
    return next < deadline ? next : deadline;
}

void coordinator_finish(struct coordinator *c)
{
    const struct bytes **parts = must_calloc(c->job->task_count, sizeof *parts);
    while (c->pending.oldest != NULL && !c->job->stopped && gather(c, c->pending.oldest, parts)) {
        complete(c, c->pending.oldest, parts); /* all parts are last ones */
    }
    if (!c->job->stopped) { /* savepoints have committed nothing */
        struct pending *one = add_pending(c, c->asked == ASK_DRAIN ? ASK_DRAIN : ASK_NOTHING);
        if (gather(c, one, parts)) {
            complete(c, one, parts);
        }
    }
    free(parts);
    notify_done_tasks(c);
}
