/*
 * The newest checkpoint in memory (execution.checkpointing.storage: jobmanager): a job that fails
 * begins again with it as long as the process lives. Source: Flink JobManagerCheckpointStorage.
 */
#ifndef STREAM_KEPT_H
#define STREAM_KEPT_H

#include "stream/checkpoint.h"

struct kept;

/* Copies a checkpoint, whose tasks have no files attached, in place of what *kept has (NULL:
 * nothing). */
void kept_write(struct kept **kept, const struct checkpoint_draft *w);
void kept_free(struct kept *kept);
/* As if it had been read from files; owned by the caller. */
struct checkpoint *kept_load(const struct kept *kept);

#endif
