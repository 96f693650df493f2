/*
 * Where a source of a test is: an int64 in its .self, kept in checkpoints.
 *
 *     st_from_source(env, events, .self_size = sizeof(int64_t), .operator_states =
 * ST_STATES(&position), .initialize_state = restore_position, .snapshot_state = save_position, …)
 */
#ifndef TESTS_STREAM_POSITION_H
#define TESTS_STREAM_POSITION_H

#include "stream/stream.h"

ST_LIST_STATE(position, int64_t);

static inline void restore_position(st_context *ctx)
{
    uint32_t count;
    const int64_t *next = st_list_get(ctx, &position, &count);
    *(int64_t *)ctx->self = count > 0 ? *next : 0;
}

static inline void save_position(st_context *ctx, int64_t checkpoint_id)
{
    (void)checkpoint_id;
    st_list_update(ctx, &position, ctx->self, 1);
}

#endif
