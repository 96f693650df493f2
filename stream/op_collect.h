/*
 * What st_collect collects: of a node, over all attempts at its job.
 */
#ifndef STREAM_OP_COLLECT_H
#define STREAM_OP_COLLECT_H

#include "stream/stream.h"

/* Of records of a type, `size_max` bytes of them with their text at most; 0: ST_COLLECTED_MAX.
 * Returns owned. */
struct st_collection *collection_new(const st_type *type, uint64_t size_max);
void collection_free(struct st_collection *collection);

#endif
