/*
 * Which checkpoints stay in a job's folder.
 *
 *     chk-4   chk-5            chk-6     chk-7       chk-8          num-retained 2: 7 and 8 count,
 *             gone on from     damaged   completed   completed      what is older goes
 *
 * Those count that the job has completed or gone on from. One that it passed over, because it is
 * damaged, does not stand for one that is sound. What was there before belongs to earlier runs,
 * unless the job goes on from one of these.
 *
 * At the end of the job all go or stay: execution.checkpointing.externalized-checkpoint-retention.
 * Differs: where that is not set all stay, for nothing else remembers them. Source: Flink
 * CheckpointProperties, StandaloneCompletedCheckpointStore.
 *
 * Threads: that which runs the job.
 */
#ifndef STREAM_RETENTION_H
#define STREAM_RETENTION_H

#include "stream/stream.h"

struct checkpoint;

enum retention_policy {
    RETENTION_UNSET = 0,
    RETENTION_RETAIN_ON_CANCELLATION,
    RETENTION_DELETE_ON_CANCELLATION,
    RETENTION_NO_EXTERNALIZED
};

struct retention {
    enum retention_policy policy;
    uint32_t most;      /* state.checkpoints.num-retained */
    const char *dir;    /* borrowed; NULL: checkpoints are not in a folder */
    int64_t before;     /* the newest one in it when the job began */
    bool claims_before; /* those up to it are the job's now */
    int64_t *counted;   /* [count] numbers, the newest last; owned */
    uint32_t count, capacity;
};

/* The job begins. `dir` is borrowed until its end; NULL: it has none. */
void retention_begin(struct retention *r, const char *dir);
/* Has the job completed any? */
bool retention_has_own(const struct retention *r);
/* The job goes on from this one, which was read; `again`: after a failure. */
void retention_go_on_from(struct retention *r, const struct checkpoint *from, bool again);
/* This one has been completed: removes what is older than the oldest that counts. */
void retention_completed(struct retention *r, int64_t id);
/* The job has ended so, and nothing is left to commit: removes all, if that is the policy. Not if
 * it is suspended: it was cancelled because the process is to end, and may be gone on with. */
void retention_end(struct retention *r, enum st_err err, bool is_suspended);

#endif
