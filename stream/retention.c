/*
 * Which checkpoints stay, see retention.h.
 */
#include "stream/retention.h"

#include <stdlib.h>

#include "stream/checkpoint.h"
#include "stream/files.h"
#include "stream/graph.h"

void retention_begin(struct retention *r, const char *dir)
{
    r->dir = dir;
    r->before = dir != NULL ? checkpoint_newest(dir, CHECKPOINT) : 0;
    r->claims_before = false;
    r->count = 0;
}

bool retention_has_own(const struct retention *r)
{
    return r->dir != NULL && checkpoint_newest(r->dir, CHECKPOINT) > r->before;
}

static void count(struct retention *r, int64_t id)
{
    if (r->count == r->capacity) {
        r->counted = must_grow(r->counted, sizeof *r->counted, r->count, &r->capacity, 8);
    }
    r->counted[r->count++] = id;
    if (r->count > r->most) {
        memmove(r->counted, r->counted + 1, --r->count * sizeof *r->counted);
    }
}

void retention_go_on_from(struct retention *r, const struct checkpoint *from, bool again)
{
    if (r->dir == NULL || from->path == NULL || !files_lie_in(from->path, r->dir)) {
        return;
    }
    r->claims_before |= !again;
    while (r->count > 0 && r->counted[r->count - 1] >= from->id) {
        r->count--; /* it has been passed over since */
    }
    count(r, from->id);
}

/* Numbers above it are the job's. */
static int64_t others(const struct retention *r)
{
    return r->claims_before ? 0 : r->before;
}

void retention_completed(struct retention *r, int64_t id)
{
    count(r, id);
    checkpoint_prune(r->dir, others(r), r->count == r->most ? r->counted[0] : 0);
}

/* Source: Flink CheckpointProperties: each policy removes those of a job that has finished. */
static bool removes_all(enum retention_policy policy, enum st_err err)
{
    switch (err) {
    case ST_OK:
        return policy != RETENTION_UNSET;
    case ST_ERR_CANCELLED:
        return policy == RETENTION_DELETE_ON_CANCELLATION || policy == RETENTION_NO_EXTERNALIZED;
    case ST_ERR_FAILED:
    case ST_ERR_IO:
        return policy == RETENTION_NO_EXTERNALIZED;
    case ST_ERR_GRAPH:
    case ST_ERR_CONFIG:
    case ST_ERR_RESTORE: /* it has not run */
    case ST_ERR_END:
        break;
    }
    return false;
}

void retention_end(struct retention *r, enum st_err err, bool is_suspended)
{
    if (r->dir != NULL && !is_suspended && removes_all(r->policy, err)) {
        checkpoint_prune(r->dir, others(r), INT64_MAX);
    }
    free(r->counted);
    *r = (struct retention){.policy = r->policy, .most = r->most};
}
