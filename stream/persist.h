/*
 * A checkpoint on its way to the disk, beside the job and beside the thread that takes care of it.
 *
 *     coordinator   begin ─── barriers, questions, timeouts ─── finish
 *                     │                                           ▲
 *     a thread        └► holes filled, tables thaw ► chk-7.part ► chk-7
 *
 * One at a time. Until it gets its name it can be given up; then nothing of it is left.
 *
 * Threads: begun, given up and finished by the coordinator's.
 */
#ifndef STREAM_PERSIST_H
#define STREAM_PERSIST_H

#include "stream/checkpoint.h"
#include "stream/pending.h"

struct job;
struct persist;

/* Begins with one that is whole. `what` tells all but its tasks, which are `parts`
 * [job->task_count]; what.dir NULL: in memory. Until it is finished `one`, what the parts point to
 * and what.stored are borrowed. In steps, and when there is no thread to be had, it is done on
 * return. Returns owned, by persist_finish. */
struct persist *persist_begin(struct job *job, struct pending *one, struct checkpoint_draft what,
                              const struct bytes *const *parts);
/* What it was begun with. */
struct pending *persist_of(const struct persist *p);
/* job->changed tells when it becomes so. */
bool persist_is_done(struct persist *p);
/* Returns false if it is too late: it is complete, or about to be. */
bool persist_give_up(struct persist *p);
/* Waits for its end and frees it. Returns whether the checkpoint is there, with its size and its
 * name's number in what it was begun with; else with `why`. */
bool persist_finish(struct persist *p, char why[256]);

#endif
