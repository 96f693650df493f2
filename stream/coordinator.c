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
 * of which operators are told as well. A thread of its own does the writing (persist.h), so that
 * neither the stream nor a question waits for the disk. A task that is done hands in a last part,
 * which counts for every later checkpoint.
 *
 * Threads: parts and flags are guarded by job->lock; wanted and completed are atomic.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/control.h"
#include "stream/pending.h"
#include "stream/persist.h"
#include "stream/stored_files.h"
#include "stream/task.h"

struct coordinator {
    struct job *job;
    struct pendings pending;
    struct persist *persist; /* of the oldest, or of one that was given up; NULL: none is written */
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
    bool is_last;               /* all tasks are done */
    uint32_t failures;          /* of checkpoints, since the last one that was completed */
    struct stored_files stored; /* of the last checkpoint that had any; of whoever writes one */
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

/* It is no longer under way. Whoever still writes it is the last to have it. */
static void drop(struct coordinator *c, struct pending *one)
{
    pthread_mutex_lock(&c->job->lock);
    pendings_unlink(&c->pending, one);
    atomic_store(&c->oldest, c->pending.oldest != NULL ? c->pending.oldest->id : c->newest + 1);
    if (c->persist == NULL || persist_of(c->persist) != one) {
        pending_free(one, c->job->task_count);
    }
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
 * The last one is not tolerated: no other would commit what sinks have put out since.
 * Source: Flink CheckpointFailureManager. */
static void checkpoint_failed(struct coordinator *c, int64_t id, enum st_err err, const char *why)
{
    struct job *job = c->job;
    if (job->env->control != NULL) {
        control_failed(job->env->control);
    }
    if (++c->failures <= job->env->tolerable_failures && !c->is_last) {
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

static bool is_savepoint(enum question why)
{
    return why == ASK_SAVEPOINT || why == ASK_STOP || why == ASK_DRAIN;
}

static void tell_completed(struct coordinator *c, const struct pending *one)
{
    atomic_store(&c->completed, one->id);
    if (c->job->env->control != NULL) {
        control_completed(c->job->env->control, one->id, job_now(c->job) - one->began_ms,
                          one->size);
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

static void savepoint_failed(struct coordinator *c, const struct pending *one, const char *why)
{
    if (one->why == ASK_DRAIN) {
        job_note_failure(c->job, ST_ERR_IO, "checkpoint: %s", why);
        job_cancel(c->job); /* its input has ended: it cannot go on */
    } else {
        give_up(c, why);
    }
}

static void complete_savepoint(struct coordinator *c, const struct pending *one)
{
    char path[CONTROL_LINE + 64];
    struct control *control = c->job->env->control;
    snprintf(path, sizeof path, "%s/" SAVEPOINT "%lld", c->target, (long long)one->id);
    if (one->why == ASK_SAVEPOINT) {
        control_answer(control, true, path);
        return;
    }
    snprintf(c->saved, sizeof c->saved, "%s", path); /* answered when all is committed */
    tell_completed(c, one);
    if (one->why == ASK_STOP) {
        c->job->stopped = true;
        job_cancel(c->job);
    }
}

/* Where checkpoints that nobody has asked for go, and are kept; NULL: in memory. */
static const char *folder_of_checkpoints(const st_env *env)
{
    return env->storage_in_memory ? NULL : env->checkpoint_dir;
}

/* Without an interval the last one only says that the input has ended. */
static bool is_kept(const st_env *env, const struct pending *one)
{
    return is_savepoint(one->why) ||
           ((env->checkpoint_dir != NULL || env->storage_in_memory) &&
            (env->checkpoint_interval_ms > 0 || one->why == ASK_CHECKPOINT));
}

static void complete_checkpoint(struct coordinator *c, const struct pending *one)
{
    st_env *env = c->job->env;
    c->failures = 0;
    tell_completed(c, one);
    if (folder_of_checkpoints(env) != NULL && is_kept(env, one)) {
        retention_completed(&env->retention, one->id);
    }
    if (one->why == ASK_CHECKPOINT) {
        char text[64];
        snprintf(text, sizeof text, "checkpoint %lld", (long long)one->id);
        control_answer(env->control, true, text);
    }
}

/* It is there. */
static void complete(struct coordinator *c, struct pending *one)
{
    if (is_savepoint(one->why)) {
        complete_savepoint(c, one);
    } else {
        complete_checkpoint(c, one);
    }
    c->asked = one->why == c->asked ? ASK_NOTHING : c->asked;
    drop(c, one);
    int64_t pause = job_now(c->job) + c->job->env->checkpoint_pause_ms;
    c->next_ms = c->next_ms > pause ? c->next_ms : pause;
}

/* It could not be written. */
static void fail(struct coordinator *c, struct pending *one, const char *why)
{
    if (is_savepoint(one->why)) {
        savepoint_failed(c, one, why);
    } else {
        if (one->why == ASK_CHECKPOINT) {
            control_answer(c->job->env->control, false, why);
        }
        checkpoint_failed(c, one->id, ST_ERR_IO, why);
    }
    c->asked = one->why == c->asked ? ASK_NOTHING : c->asked;
    abandon(c, one);
}

static void begin_writing(struct coordinator *c, struct pending *one,
                          const struct bytes *const *parts)
{
    const st_env *env = c->job->env;
    bool saves = is_savepoint(one->why);
    struct checkpoint_draft what = {.dir = saves ? c->target : folder_of_checkpoints(env),
                                    .kind = saves ? SAVEPOINT : CHECKPOINT,
                                    .id = one->id,
                                    .time_ms = one->began_ms,
                                    .max_parallelism = env->max_parallelism,
                                    .stored = &c->stored};
    c->persist = persist_begin(c->job, one, what, parts);
}

/* Waits for the one that is written; NULL: it has been given up in the meantime. */
static struct pending *await_writing(struct coordinator *c, bool *ok, char why[256])
{
    struct pending *one = persist_of(c->persist);
    *ok = persist_finish(c->persist, why);
    c->persist = NULL;
    if (pendings_find(&c->pending, one->id) == NULL) {
        pending_free(one, c->job->task_count);
        return NULL;
    }
    return one;
}

/* Of the one that is written, once it is done. */
static void end_writing(struct coordinator *c)
{
    char why[256];
    bool ok;
    struct pending *one = await_writing(c, &ok, why);
    if (one != NULL && ok) {
        complete(c, one);
    } else if (one != NULL) {
        fail(c, one, why);
    }
}

/* Completes what is whole, from the oldest on, as far as the writing has come. */
static void look_at_whole(struct coordinator *c)
{
    const struct bytes **parts = must_calloc(c->job->task_count, sizeof *parts);
    for (bool goes_on = true; goes_on;) {
        struct pending *oldest = c->pending.oldest;
        goes_on = false;
        if (c->persist != NULL && persist_is_done(c->persist)) {
            end_writing(c);
            goes_on = true;
        } else if (c->persist == NULL && oldest != NULL && gather(c, oldest, parts)) {
            if (is_kept(c->job->env, oldest)) {
                begin_writing(c, oldest, parts);
            } else {
                complete(c, oldest);
            }
            goes_on = true;
        }
    }
    free(parts);
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

/* Gives up what takes too long; what is about to be complete is not. */
static void look_at_late(struct coordinator *c, int64_t now)
{
    const st_env *env = c->job->env;
    for (struct pending *one; !c->job->in_steps && (one = c->pending.oldest) != NULL &&
                              now >= one->began_ms + env->checkpoint_timeout_ms;) {
        bool is_written = c->persist != NULL && persist_of(c->persist) == one;
        if (is_written && !persist_give_up(c->persist)) {
            break;
        }
        time_out(c, one);
    }
}

/* May one more be under way? Behind one that drains the job there is none. A pause between
 * checkpoints leaves room for one at a time. Savepoints need no room. Source: Flink
 * CheckpointCoordinatorConfiguration, CheckpointRequestDecider. */
static bool has_room_for(const struct coordinator *c, enum question why)
{
    const st_env *env = c->job->env;
    uint32_t most = env->checkpoint_pause_ms > 0 ? 1 : env->checkpoints_at_once;
    return (c->pending.count < most || is_savepoint(why)) && atomic_load(&c->drains) == 0;
}

int64_t coordinator_step(struct coordinator *c)
{
    const st_env *env = c->job->env;
    int64_t now = job_now(c->job);
    if (c->next_ms == ST_TIME_MIN) { /* the first call: all tasks run */
        c->next_ms =
            env->checkpoint_interval_ms > 0 ? now + env->checkpoint_interval_ms : ST_TIME_MAX;
    }
    look_at_whole(c);
    look_at_late(c, now);
    notify_done_tasks(c);
    c->begins |= take_question(c);
    if (c->begins && has_room_for(c, c->asked)) {
        c->begins = false;
        begin(c, c->asked);
    } else if (has_room_for(c, ASK_NOTHING) && c->asked != ASK_STOP && now >= c->next_ms) {
        begin(c, ASK_NOTHING);
        c->next_ms = now + env->checkpoint_interval_ms;
    }
    const struct pending *oldest = c->pending.oldest;
    if (oldest != NULL && c->job->in_steps) {
        return ST_TIME_MAX;
    }
    int64_t deadline = oldest != NULL ? oldest->began_ms + env->checkpoint_timeout_ms : ST_TIME_MAX;
    deadline = deadline > now ? deadline : ST_TIME_MAX; /* it is about to be complete */
    int64_t next = has_room_for(c, ASK_NOTHING) ? c->next_ms : ST_TIME_MAX;
    return next < deadline ? next : deadline;
}

/* Waits for the disk as often as it takes. */
static void complete_all(struct coordinator *c)
{
    for (look_at_whole(c); c->persist != NULL; look_at_whole(c)) {
        end_writing(c);
    }
}

void coordinator_finish(struct coordinator *c)
{
    complete_all(c);        /* all parts are last ones */
    if (!c->job->stopped) { /* savepoints have committed nothing */
        c->is_last = true;
        (void)add_pending(c, c->asked == ASK_DRAIN ? ASK_DRAIN : ASK_NOTHING);
        complete_all(c);
    }
    notify_done_tasks(c);
}

void coordinator_give_up(struct coordinator *c)
{
    char why[256];
    bool ok;
    if (c->persist != NULL) {
        (void)persist_give_up(c->persist);
        (void)await_writing(c, &ok, why);
    }
}
