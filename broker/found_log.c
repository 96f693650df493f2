/*
 * A log that lies on a disk before the process has ever run: for worlds that begin in the middle of
 * a cluster's life. It is what a clean stop leaves: all flushed, its high watermark checkpointed.
 *
 *     KB_IN_LOG … KB_IN_LOG, KB_IN_START ──► opened by the first LeaderAndIsr, as after a restart
 *
 * Source: Kafka LogManager.loadLogs.
 */
#include <assert.h>

#include "broker/replica_state.h"

void kb_on_log(const struct kb_step *s, const struct kb_found_log *found)
{
    struct kb_replicas *r = s->r;
    uint32_t index = kb_row_get(r, found->topic, found->partition);
    struct kb_row *row = kb_row(r, index);

    assert(!r->started);
    assert(!row->has_log);
    row->has_log = 1;
    row->dir = 0;
    r->dir_logs[0]++;
    kb_append_reserve(r, row, kb_append_room(r, row, found->batches, found->count));
    kb_segments_take(s, row, found->batches, found->count);
    for (uint32_t i = 0; i < found->count; i++) {
        kb_log_append(s, row, &found->batches[i]);
    }
    row->flushed = row->log_end;
    row->checkpoint_hw = found->hw < row->log_end ? found->hw : row->log_end;
    kb_log_appended(s, row, 0);
}
