/*
 * Running a job: a thread a slot (slot.c), or all tasks in turn on one.
 *
 * In steps time is virtual. It begins at 0, or where the checkpoint was taken with which the job
 * begins. It stands still while any task has something to do, and then jumps to the earliest moment
 * at which one wants to be woken; so a job is a function of its inputs. A
 * source of the user's may look at the clock: while there is one, time goes on by a millisecond.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "stream/control.h"
#include "stream/files.h"
#include "stream/kept.h"
#include "stream/task.h"

int64_t job_now(struct job *job)
{
    if (job->clock.is_virtual) {
        return job->clock.virtual_ms;
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void job_cancel(struct job *job)
{
    pthread_mutex_lock(&job->lock); /* so that none misses it on the way to wait for the others */
    atomic_store(&job->cancelled, 1);
    pthread_cond_broadcast(&job->changed);
    pthread_mutex_unlock(&job->lock);
    for (uint32_t t = 0; t < job->task_count; t++) {
        task_wake(job->tasks[t]);
    }
}

bool job_is_finished(struct job *job, const struct task *task)
{
    pthread_mutex_lock(&job->lock);
    bool finished = task->finished;
    pthread_mutex_unlock(&job->lock);
    return finished;
}

void job_set_finished(struct task *task)
{
    pthread_mutex_lock(&task->job->lock);
    task->finished = true;
    task->job->changes++;
    pthread_cond_broadcast(&task->job->changed);
    pthread_mutex_unlock(&task->job->lock);
}

/* What is left to commit when all is well, and the operators' close. The tasks' threads have ended.
 */
static enum st_err end_job(struct job *job, bool all_done)
{
    if (job->coordinator != NULL && (all_done || job->stopped)) {
        coordinator_finish(job->coordinator);
    } else if (job->coordinator != NULL) {
        coordinator_give_up(job->coordinator);
    }
    for (uint32_t t = 0; all_done && job->coordinator == NULL && t < job->task_count; t++) {
        (void)task_notify(job->tasks[t], INT64_MAX); /* a failure is noted in the job */
    }
    for (uint32_t t = 0; t < job->task_count; t++) {
        task_close(job->tasks[t]);
    }
    return job->failure[0] == '\0' ? ST_OK : job->error;
}

/* ------------------------------------------------------------------------------------- Threads */

static bool all_finished(const struct job *job)
{
    for (uint32_t t = 0; t < job->task_count; t++) {
        if (!job->tasks[t]->finished) {
            return false;
        }
    }
    return true;
}

/* Takes care of checkpoints until all tasks have finished. */
static void watch(struct job *job)
{
    bool finished = false;
    pthread_mutex_lock(&job->lock);
    while (job->opened < job->task_count && atomic_load(&job->cancelled) == 0) {
        pthread_cond_wait(&job->changed, &job->lock);
    }
    pthread_mutex_unlock(&job->lock);
    while (!finished) {
        pthread_mutex_lock(&job->lock);
        uint64_t seen = job->changes;
        pthread_mutex_unlock(&job->lock);
        int64_t next = job->coordinator != NULL && atomic_load(&job->cancelled) == 0
                           ? coordinator_step(job->coordinator)
                           : ST_TIME_MAX;
        struct timespec until = {.tv_sec = (time_t)(next / 1000),
                                 .tv_nsec = (long)(next % 1000) * 1000000};
        pthread_mutex_lock(&job->lock);
        finished = all_finished(job);
        if (!finished && job->changes == seen) {
            (void)(next == ST_TIME_MAX ? pthread_cond_wait(&job->changed, &job->lock)
                                       : pthread_cond_timedwait(&job->changed, &job->lock, &until));
        }
        pthread_mutex_unlock(&job->lock);
    }
}

static enum st_err run_threads(struct job *job)
{
    bool all_done = job_run_slots(job, watch);
    return end_job(job, all_done && atomic_load(&job->cancelled) == 0);
}

/* --------------------------------------------------------------------------------------- Steps */

/* Time goes on; false if nobody waits for it. */
static bool advance_clock(struct job *job, int64_t next_checkpoint)
{
    int64_t wakeup = ST_TIME_MAX;
    for (uint32_t t = 0; t < job->task_count; t++) {
        if (!job->tasks[t]->done) {
            const struct op *head = job->tasks[t]->ops[0];
            int64_t one = task_wakeup(job->tasks[t]);
            /* A source of the user's may look at the clock, and need not say when it wants to. */
            int64_t soon = job->clock.virtual_ms + 1;
            int64_t polled = head->class != &op_source ? ST_TIME_MAX
                             : head->poll_ms > soon    ? head->poll_ms
                                                       : soon;
            wakeup = one < wakeup ? one : wakeup;
            wakeup = polled < wakeup ? polled : wakeup;
        }
    }
    if (next_checkpoint < wakeup) {
        wakeup = next_checkpoint;
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
            task->finished = true;
            break;
        case STEP_FAILED:
            job_cancel(job);
            return false;
        }
        *left += task->done ? 0 : 1;
    }
    return worked;
}

static enum st_err run_steps(struct job *job)
{
    bool well = true;
    uint32_t left = job->task_count;
    for (uint32_t t = 0; t < job->task_count && well; t++) {
        well = task_open(job->tasks[t]);
    }
    while (well && left > 0) {
        bool worked = turn(job, &left);
        int64_t next = ST_TIME_MAX;
        if (job->coordinator != NULL && left > 0) {
            next = coordinator_step(job->coordinator);
            worked |= next == ST_TIME_MAX; /* a checkpoint is under way */
        }
        well = atomic_load(&job->cancelled) == 0;
        if (!worked && left > 0 && well && !advance_clock(job, next)) {
            job->clock.virtual_ms++; /* a source that waits for the world */
        }
    }
    return end_job(job, well);
}

/* glibc keeps small chunks that are freed in lists of their own (fastbins) and joins all of them in
 * one call some day. With a million lists of a snapshot that is a task that stands still for 30 ms;
 * without those lists each is joined when it is freed. What a thread frees and soon takes again
 * goes through its own cache (tcache) in any case. */
static void free_by_and_by(void)
{
#ifdef M_MXFAST
    (void)mallopt(M_MXFAST, 0);
#endif
}

enum st_err job_run(struct job *job)
{
    free_by_and_by();
    return job->in_steps ? run_steps(job) : run_threads(job);
}

/* ----------------------------------------------------------------------------------- Executing */

static bool has_operator(const st_env *env, st_str uid)
{
    for (uint32_t n = 0; n < env->node_count; n++) {
        if (st_str_equal(st_str_of(env->nodes[n]->uid), uid)) {
            return true;
        }
    }
    return false;
}

/* Has the section state, and is it the first of its operator that has? */
static bool is_first_with_state(const struct checkpoint *from, uint32_t section)
{
    for (uint32_t s = 0; s <= section; s++) {
        struct reader state = from->sections[s].state;
        bool empty = read_i64(&state) == 0 && read_u32(&state) == 0;
        if (!empty && st_str_equal(from->sections[s].uid, from->sections[section].uid)) {
            return s == section;
        }
    }
    return false;
}

/* State of an operator that the job does not have is dropped, if that was asked for. Is there none
 * else? */
static bool claims_all(st_env *env, const struct checkpoint *from)
{
    for (uint32_t s = 0; s < from->section_count; s++) {
        st_str uid = from->sections[s].uid;
        if (has_operator(env, uid) || !is_first_with_state(from, s)) {
            continue;
        }
        if (!env->allow_non_restored) {
            env_mistake(
                env, NULL, 0,
                "the checkpoint has state of operator %.*s, which the job does not have; to "
                "drop it, set execution.savepoint.ignore-unclaimed-state (-n)",
                (int)uid.size, uid.data);
            return false;
        }
        fprintf(stderr,
                "the checkpoint has state of operator %.*s, which the job does not have: dropped\n",
                (int)uid.size, uid.data);
    }
    return true;
}

/* Was it written by this job, or by one that went before and had the folder for itself as this one
 * has? A savepoint may be another's. */
static bool is_own(const st_env *env, const struct checkpoint *from)
{
    const char *dir = env->retention.dir;
    const char *name = from->path != NULL ? strrchr(from->path, '/') : NULL;
    bool is_in_memory = from->path == NULL;
    return is_in_memory || (dir != NULL && name != NULL && files_lie_in(from->path, dir) &&
                            strncmp(name + 1, CHECKPOINT, strlen(CHECKPOINT)) == 0);
}

/* The checkpoint to begin with: after a failure the newest of this job, else the one that was
 * named. NULL with ST_OK: none, begin from the start. */
static struct checkpoint *find_checkpoint(st_env *env, bool again, enum st_err *err)
{
    char why[256];
    const char *path = env->restore_path;
    struct checkpoint *from = NULL;
    *err = ST_OK;
    if (again && env->kept != NULL) {
        from = kept_load(env->kept);
        path = NULL;
    } else if (again && retention_has_own(&env->retention)) {
        path = env->checkpoint_dir;
    }
    if (path != NULL) {
        from = checkpoint_load(path, why);
        *err = from != NULL ? ST_OK : ST_ERR_RESTORE;
        if (from != NULL && why[0] != '\0') {
            fprintf(stderr, "%s; going on from %s\n", why, from->path);
        }
        if (from == NULL) {
            env_mistake(env, NULL, 0, "%s", why);
        } else if (from->max_parallelism != env->max_parallelism) {
            env_mistake(env, NULL, 0, "the checkpoint has %u key groups, the job %u",
                        from->max_parallelism, env->max_parallelism);
            *err = ST_ERR_RESTORE;
        } else if (!claims_all(env, from)) {
            *err = ST_ERR_RESTORE;
        }
    }
    env->restores_own = from != NULL && is_own(env, from);
    return from;
}

static enum st_err run_once(st_env *env, bool again, char *failure, size_t failure_size)
{
    enum st_err err;
    struct checkpoint *from = find_checkpoint(env, again, &err);
    if (err == ST_OK) {
        struct job *job = job_new(env);
        job->restored = from;
        if (from != NULL) {
            job->clock.virtual_ms = from->time_ms;
            retention_go_on_from(&env->retention, from, again);
        }
        if (env->checkpoint_interval_ms > 0 || env->control != NULL) {
            job->coordinator = coordinator_new(job);
        }
        if (env->control != NULL) {
            control_attach(env->control, job);
        }
        err = job_run(job);
        snprintf(failure, failure_size, "%s", job->failure);
        if (env->control != NULL) {
            bool is_done = err == ST_OK && coordinator_saved(job->coordinator)[0] != '\0';
            control_detach(env->control, err == ST_ERR_CANCELLED, is_done,
                           is_done                   ? coordinator_saved(job->coordinator)
                           : err == ST_ERR_CANCELLED ? "cancelled"
                           : err == ST_OK            ? "the job has ended before that"
                                                     : failure);
        }
        job_free(job);
    }
    checkpoint_free(from);
    return err;
}

static void sleep_ms(int64_t ms)
{
    struct timespec pause = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

static bool is_cancelled(const st_env *env)
{
    return env->control != NULL && control_is_cancelled(env->control);
}

/* Waits before the job begins again; false if it is cancelled. */
static bool await_restart(const st_env *env, int64_t delay_ms)
{
    if (env->control != NULL) {
        control_await_restart(env->control, delay_ms);
    } else {
        sleep_ms(delay_ms);
    }
    return !is_cancelled(env);
}

static int64_t clock_ms(const st_env *env)
{
    return env->in_steps ? 0 : monotonic_ns() / 1000000;
}

/* Source: Flink SlotManager; there the job waits for slots before it fails. */
static void check_slots(st_env *env)
{
    uint32_t takes = plan_slots(env);
    if (env->task_slots > 0 && takes > env->task_slots) {
        env_mistake(env, NULL, 0,
                    "the job takes %u slots (its greatest parallelism, of each slot sharing "
                    "group), and taskmanager.numberOfTaskSlots is %lld",
                    takes, (long long)env->task_slots);
    }
}

static const char *name_of_job(const st_env *env, const char *given)
{
    return given != NULL ? given : env->name != NULL ? env->name : "stream job";
}

enum st_err st_execute(st_env *env, const char *job_name)
{
    char failure[512] = "", why[256];
    if (env->errors == NULL && env->node_count == 0) {
        env_mistake(env, NULL, 0, "the job has no operators");
    }
    if (env->checkpoint_interval_ms > 0 && env->checkpoint_dir == NULL && !env->storage_in_memory) {
        env_mistake(env, NULL, 0,
                    "execution.checkpointing.interval needs execution.checkpointing.dir (or "
                    "execution.checkpointing.storage: jobmanager, in memory)");
    }
    if (env->storage_in_memory && env->backend == BACKEND_ROCKSDB && env->incremental) {
        env_mistake(env, NULL, 0,
                    "state.backend.incremental: a database's files are not kept in memory "
                    "(execution.checkpointing.storage: filesystem)");
    }
    if (env->restart.kind == RESTART_EXPONENTIAL && env->restart.initial_ms > env->restart.max_ms) {
        env_mistake(env, NULL, 0,
                    "restart-strategy.exponential-delay.initial-backoff is above .max-backoff");
    }
    if (env->errors == NULL) {
        plan_nodes(env);
        check_slots(env);
    }
    if (env->errors != NULL) {
        return ST_ERR_GRAPH;
    }
    int folder = -1;
    if (env->checkpoint_dir != NULL && !env->storage_in_memory) {
        folder = files_lock_folder(env->checkpoint_dir, why);
        if (folder < 0) {
            env_mistake(env, NULL, 0, "execution.checkpointing.dir: %s", why);
            return ST_ERR_IO;
        }
    }
    retention_begin(&env->retention, folder >= 0 ? env->checkpoint_dir : NULL);
    bool tells = (env->listens || env->serves_metrics || env->shows_progress) && !env->in_steps;
    env->control = tells ? control_new(env, name_of_job(env, job_name), why) : NULL;
    if (tells && env->control == NULL) {
        fprintf(stderr, "%s; the job runs without\n", why);
    }
    enum st_err err = run_once(env, false, failure, sizeof failure);
    struct restart_state restarts = {.random = env->in_steps ? 0 : (uint64_t)monotonic_ns()};
    int64_t delay_ms = 0, waited_ms = 0;
    while ((err == ST_ERR_FAILED || err == ST_ERR_IO) &&
           restart_after(&env->restart, &restarts, clock_ms(env) + waited_ms, &delay_ms)) {
        waited_ms += env->in_steps ? delay_ms : 0; /* time is virtual */
        if (!env->in_steps && !await_restart(env, delay_ms)) {
            break;
        }
        err = run_once(env, true, failure, sizeof failure);
    }
    if (err != ST_OK && is_cancelled(env)) {
        err = ST_ERR_CANCELLED; /* perhaps with what had failed before */
    }
    env->signal = control_free(env->control);
    env->control = NULL;
    retention_end(&env->retention, err, err == ST_ERR_CANCELLED && env->signal != 0);
    if (folder >= 0) {
        close(folder);
    }
    if (err != ST_OK && failure[0] != '\0') {
        env_mistake(env, NULL, 0, "%s", failure);
    }
    return err;
}
