/*
 * Checkpoints that are under way, oldest first, and what has been handed in for each.
 *
 *     oldest ──► 7: task 0 in, task 1 in, task 2 –  ──► 8: task 0 in, – , –         newest
 *     last:      – , – , –       parts of tasks that are done: they count for all later ones
 *
 * A task takes part in the order of the numbers, so the oldest is the first that is whole. A part
 * that comes for a checkpoint which has been given up is thrown away.
 *
 * Threads: belongs to the coordinator, which guards it by the job's lock.
 */
#ifndef STREAM_PENDING_H
#define STREAM_PENDING_H

#include "stream/checkpoint.h"
#include "stream/control.h"

struct pending {
    int64_t id;
    enum question why; /* ASK_NOTHING: by itself */
    int64_t began_ms;
    struct checkpoint_size size; /* once it is there */
    int64_t number;              /* of its name, once it is there */
    struct bytes *parts;         /* [task] */
    bool *is_in;                 /* [task] */
    struct pending *next;
};

struct pendings {
    struct pending *oldest;
    uint32_t count;
    uint32_t task_count;
    struct bytes *last; /* [task] */
    bool *is_last;      /* [task] the task is done */
};

void pendings_init(struct pendings *p, uint32_t task_count);
void pendings_free(struct pendings *p);
/* A new one behind the others; belongs to the list. */
struct pending *pendings_add(struct pendings *p, int64_t id, enum question why, int64_t now_ms);
/* The one with this number; NULL: none. */
struct pending *pendings_find(const struct pendings *p, int64_t id);
/* Takes the bytes of a task's part; id 0: its last one. */
void pendings_take(struct pendings *p, uint32_t task, int64_t id, struct bytes *part);
/* The part of each task that counts for this one; false if one is missing yet. */
bool pendings_gather(const struct pendings *p, const struct pending *one,
                     const struct bytes **parts);
/* Takes it off the list; its parts stay until it is freed. */
void pendings_unlink(struct pendings *p, struct pending *one);
/* One that is off the list, or NULL. */
void pending_free(struct pending *one, uint32_t task_count);

#endif
