/*
 * The leader-epoch cache of one log: where each epoch that wrote to it, or led it, began.
 *
 *     epoch    0        3     4
 *     offset   0 ─────► 2 ──► 7 ──► log end
 *
 * Epochs and offsets ascend together. A follower asks "where did my latest epoch end?" and
 * truncates to the answer; that is exact only if a leader notes its epoch when it begins to lead,
 * before any record of it (KAFKA-7415), and if the answer names the epoch that it is about
 * (KIP-279).
 *
 * Source: Kafka kafka.server.epoch.LeaderEpochFileCache.
 */
#include "broker/replica_state.h"

#include <assert.h>

static const struct kb_epoch *entry(const struct kb_replicas *r, const struct kb_row *row,
                                    uint32_t i)
{
    return kb_extent_see(r, KB_POOL_EPOCHS, &row->epochs, i);
}

int32_t kb_epochs_latest(const struct kb_replicas *r, const struct kb_row *row)
{
    return row->epochs.count == 0 ? -1 : entry(r, row, row->epochs.count - 1)->epoch;
}

int32_t kb_epochs_at(const struct kb_replicas *r, const struct kb_row *row, int64_t offset)
{
    int32_t epoch = -1;

    for (uint32_t i = 0; i < row->epochs.count && entry(r, row, i)->start_offset <= offset; i++) {
        epoch = entry(r, row, i)->epoch;
    }
    return epoch;
}

/* Entries that contradict the new one go: the newest word counts. */
void kb_epochs_assign(struct kb_replicas *r, struct kb_row *row, int32_t epoch, int64_t start)
{
    uint32_t n = row->epochs.count;
    struct kb_epoch *added;

    assert(epoch >= 0);
    assert(start >= 0);
    if (n > 0 && entry(r, row, n - 1)->epoch == epoch &&
        start >= entry(r, row, n - 1)->start_offset) {
        return;
    }
    while (n > 0 &&
           (entry(r, row, n - 1)->epoch >= epoch || entry(r, row, n - 1)->start_offset >= start)) {
        n--;
    }
    kb_extent_drop_last(r, KB_POOL_EPOCHS, &row->epochs, row->epochs.count - n);
    added = kb_extent_add(r, KB_POOL_EPOCHS, &row->epochs);
    added->epoch = epoch;
    added->start_offset = start;
}

struct kb_epoch_end kb_epochs_end_of(const struct kb_replicas *r, const struct kb_row *row,
                                     int32_t epoch)
{
    const struct kb_epoch_end undefined = {-1, -1};
    uint32_t above = row->epochs.count;

    if (epoch == -1 || above == 0) {
        return undefined;
    }
    if (epoch == kb_epochs_latest(r, row)) {
        return (struct kb_epoch_end){epoch, row->log_end};
    }
    while (above > 0 && entry(r, row, above - 1)->epoch > epoch) {
        above--;
    }
    if (above == row->epochs.count) {
        return undefined; /* newer than everything known */
    }
    return (struct kb_epoch_end){above == 0 ? epoch : entry(r, row, above - 1)->epoch,
                                 entry(r, row, above)->start_offset};
}

void kb_epochs_cut_end(struct kb_replicas *r, struct kb_row *row, int64_t offset)
{
    uint32_t n = row->epochs.count;

    while (n > 0 && entry(r, row, n - 1)->start_offset >= offset) {
        n--;
    }
    kb_extent_drop_last(r, KB_POOL_EPOCHS, &row->epochs, row->epochs.count - n);
}

/* The epoch in which the log now starts stays, with the log's start as its own. */
void kb_epochs_cut_start(struct kb_replicas *r, struct kb_row *row, int64_t offset)
{
    uint32_t n = 0;

    while (n < row->epochs.count && entry(r, row, n)->start_offset <= offset) {
        n++;
    }
    if (n > 0) {
        kb_extent_drop_first(r, KB_POOL_EPOCHS, &row->epochs, n - 1);
        ((struct kb_epoch *)kb_extent_at(r, KB_POOL_EPOCHS, &row->epochs, 0))->start_offset =
            offset;
    }
}
