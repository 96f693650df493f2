/*
 * A checkpoint on its way to the disk, see persist.h.
 */
#include "stream/persist.h"

#include <stdio.h>
#include <stdlib.h>

#include "stream/kept.h"
#include "stream/stored_files.h"
#include "stream/task.h"

struct persist {
    struct job *job;
    struct pending *one;
    const struct bytes **parts; /* [job->task_count], as they were handed in; owned */
    struct checkpoint_draft what;
    char dir[CONTROL_LINE]; /* what.dir */
    _Atomic int given_up;
    bool has_thread;
    pthread_t thread;
    bool is_completing, is_done; /* guarded by job->lock */
    bool ok;                     /* when it is done */
    struct checkpoint_size size;
    char why[256];
};

/* Frozen tables of the checkpoint may thaw: their rows have been copied. What is attached goes on
 * with the copies. */
static void release_parts(struct persist *p, struct bytes *whole)
{
    pthread_mutex_lock(&p->job->lock);
    for (uint32_t t = 0; t < p->job->task_count; t++) {
        struct bytes *part = &p->one->parts[t];
        if (part->hole_count > 0) {
            whole[t].attached = part->attached;
            part->attached = NULL;
            bytes_free(part);
        }
    }
    pthread_mutex_unlock(&p->job->lock);
}

/* Files of databases that the checkpoint has taken, or will not take. */
static void release_attached(struct persist *p)
{
    for (uint32_t t = 0; t < p->job->task_count; t++) {
        pthread_mutex_lock(&p->job->lock);
        struct attached *attached = p->one->parts[t].attached;
        p->one->parts[t].attached = NULL;
        pthread_mutex_unlock(&p->job->lock);
        attached_free(attached);
    }
}

/* From here on it cannot be given up; false if it has been. */
static bool may_complete(struct persist *p)
{
    pthread_mutex_lock(&p->job->lock);
    p->is_completing = atomic_load(&p->given_up) == 0;
    pthread_mutex_unlock(&p->job->lock);
    return p->is_completing;
}

static bool write_to_disk(struct persist *p)
{
    struct stored_files now = {0};
    if (checkpoint_write(&p->what, &now, p->why) && may_complete(p)) {
        p->size = checkpoint_size(&p->what, &now);
        return checkpoint_complete(&p->what, &now, p->why);
    }
    checkpoint_discard(&p->what, &now);
    return false;
}

static bool keep_in_memory(struct persist *p)
{
    if (may_complete(p)) {
        kept_write(&p->job->env->kept, &p->what);
        p->size = checkpoint_size(&p->what, &(struct stored_files){0});
    }
    return p->is_completing;
}

/* Part by part, each whole only while it is written. */
static void persist(struct persist *p)
{
    uint32_t count = p->job->task_count;
    struct bytes *whole = must_calloc(count, sizeof *whole);
    const struct bytes **all = must_calloc(count, sizeof *all);
    bool ok = true;
    for (uint32_t t = 0; t < count; t++) {
        all[t] = p->parts[t];
        if (all[t]->hole_count > 0) {
            ok = ok && atomic_load(&p->given_up) == 0 &&
                 bytes_materialise(all[t], &whole[t], p->why);
            all[t] = &whole[t];
        }
    }
    release_parts(p, whole);
    p->what.tasks = all;
    p->what.count = count;
    p->ok = ok && (p->what.dir != NULL ? write_to_disk(p) : keep_in_memory(p));
    release_attached(p);
    for (uint32_t t = 0; t < count; t++) {
        bytes_free(&whole[t]);
    }
    free(whole);
    free(all);
}

static void *persist_main(void *arg)
{
    struct persist *p = arg;
    persist(p);
    pthread_mutex_lock(&p->job->lock);
    p->is_done = true;
    p->job->changes++;
    pthread_cond_broadcast(&p->job->changed);
    pthread_mutex_unlock(&p->job->lock);
    return NULL;
}

struct persist *persist_begin(struct job *job, struct pending *one, struct checkpoint_draft what,
                              const struct bytes *const *parts)
{
    struct persist *p = must_calloc(1, sizeof *p);
    p->job = job;
    p->one = one;
    p->what = what;
    p->what.stop = &p->given_up;
    if (what.dir != NULL) {
        snprintf(p->dir, sizeof p->dir, "%s", what.dir);
        p->what.dir = p->dir;
    }
    p->parts = must_calloc(job->task_count, sizeof(struct bytes *));
    for (uint32_t t = 0; t < job->task_count; t++) {
        p->parts[t] = parts[t];
    }
    p->has_thread = !job->in_steps && pthread_create(&p->thread, NULL, persist_main, p) == 0;
    if (!p->has_thread) {
        (void)persist_main(p);
    }
    return p;
}

struct pending *persist_of(const struct persist *p)
{
    return p->one;
}

bool persist_is_done(struct persist *p)
{
    pthread_mutex_lock(&p->job->lock);
    bool done = p->is_done;
    pthread_mutex_unlock(&p->job->lock);
    return done;
}

bool persist_give_up(struct persist *p)
{
    pthread_mutex_lock(&p->job->lock);
    bool in_time = !p->is_completing && !p->is_done;
    if (in_time) {
        atomic_store(&p->given_up, 1);
    }
    pthread_mutex_unlock(&p->job->lock);
    return in_time;
}

bool persist_finish(struct persist *p, char why[256])
{
    if (p->has_thread) {
        pthread_join(p->thread, NULL);
    }
    bool ok = p->ok;
    if (ok) {
        p->one->size = p->size;
        p->one->number = p->what.number;
    }
    snprintf(why, 256, "%s", p->why);
    free(p->parts);
    free(p);
    return ok;
}
