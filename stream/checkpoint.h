/*
 * Checkpoints in a directory.
 *
 *     DIR/chk-7/task-0, task-1 …   the state of each task: sections, one an operator
 *     DIR/chk-7/rocks-…            files of databases, see stored_files.h
 *     DIR/chk-7/_metadata          which files there are, their sizes and sums; written last
 *     DIR/savepoint-8/…            the same, kept until the user removes it
 *
 * A checkpoint is written as DIR/chk-7.part, every file synced to the disk, and then renamed: under
 * its own name it is whole. A damaged one is told by its sums (CRC-32C of each file), and the one
 * before it is used.
 *
 * Checkpoints have the folder of one job, which is locked; savepoints of several jobs may meet in a
 * folder. Who made savepoint-8.part has the name savepoint-8, if there is none yet; else the next
 * number is tried, so that a savepoint's name may be above its id. What a killed process left
 * unfinished stays: nobody can tell it from what another job is about to finish.
 */
#ifndef STREAM_CHECKPOINT_H
#define STREAM_CHECKPOINT_H

#include "stream/bytes.h"

#define CHECKPOINT  "chk-"
#define SAVEPOINT   "savepoint-"
#define STORED_FILE "rocks-" /* how the name of a database's file begins */

struct stored_files;

/* What one subtask of an operator had. Views alias the checkpoint. */
struct section {
    st_str uid;
    uint32_t subtask, parallelism;
    int64_t watermark;
    struct reader state;
};

struct checkpoint {
    int64_t id;
    int64_t time_ms; /* when it was begun, by the job's clock: in steps that of its state */
    uint32_t max_parallelism;
    struct section *sections; /* [section_count] */
    uint32_t section_count;
    char **files; /* [file_count], owned */
    uint32_t file_count;
    char **stored; /* [stored_count] names of files of databases, owned; their sums are right */
    uint32_t stored_count;
    char *path; /* of its folder, owned */
};

/* A section of a task's file: an operator's state behind its head. `began` is what section_begin
 * returned. */
size_t section_begin(struct bytes *b, const char *uid, uint32_t subtask, uint32_t parallelism,
                     int64_t watermark);
void section_end(struct bytes *b, size_t began);

/* A checkpoint to be written. All is borrowed. */
struct checkpoint_draft {
    const char *dir, *kind; /* CHECKPOINT or SAVEPOINT */
    int64_t id, time_ms;
    uint32_t max_parallelism;
    const struct bytes *const *tasks; /* [count] */
    uint32_t count;
    struct stored_files *stored; /* databases' files of the last checkpoint, once complete of this
                                  * one; NULL: nothing is attached to the tasks */
    const _Atomic int *stop;     /* not 0: it is wanted no more; NULL: it will be */
    int64_t number;              /* of its name, by checkpoint_write; 0: it has none */
};
/* Bytes of state: what was written, and with the files that are shared with the one before. */
struct checkpoint_size {
    int64_t written, full;
};
struct checkpoint_size checkpoint_size(const struct checkpoint_draft *w,
                                       const struct stored_files *now);
/* Writes it as DIR/chk-N.part, all synced, with the databases' files that it has into *now (zeros
 * at first). Returns false with `why` filled (256 bytes): the disk refused, or it was stopped. Then
 * one of the two below is to follow. */
bool checkpoint_write(struct checkpoint_draft *w, struct stored_files *now, char *why);
/* Gives it its name: from here on it is there. False, as above: it is not. */
bool checkpoint_complete(const struct checkpoint_draft *w, struct stored_files *now, char *why);
/* Removes what was written. */
void checkpoint_discard(const struct checkpoint_draft *w, struct stored_files *now);
/* Reads DIR/chk-N or DIR/savepoint-N, or the newest whole one of both in DIR: what a job has
 * committed with a savepoint is not to come again. Returns owned, with `why`
 * (256 bytes) empty, or telling of one that is damaged and was passed over; NULL with `why`: there
 * is none that is whole. */
struct checkpoint *checkpoint_load(const char *path, char *why);
void checkpoint_free(struct checkpoint *c);
/* Adds the sections of a task, copied from its part; false if the part is damaged. */
bool checkpoint_add_task(struct checkpoint *c, const struct bytes *part);
/* Removes the checkpoints of DIR with numbers between the two, and what a killed process left. */
void checkpoint_prune(const char *dir, int64_t above, int64_t below);
/* The largest number of a checkpoint, or of a savepoint, in DIR; 0 if there is none. */
int64_t checkpoint_newest(const char *dir, const char *kind);
/* The same with those that are not whole, whose names are taken as well. */
int64_t checkpoint_newest_taken(const char *dir, const char *kind);

#endif
