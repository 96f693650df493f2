/*
 * OffsetForLeaderEpoch and ListOffsets, as others ask: where an epoch ended, where a log begins and
 * ends, which record was the first at a time.
 *
 * Source: Kafka Partition.lastOffsetForLeaderEpoch, fetchOffsetForTimestamp;
 * Log.fetchOffsetByTimestamp.
 */
#include "broker/replica_state.h"

/* With the defect the answer names no epoch, only where the next one known began. */
static struct kb_epoch_end end_of(const struct kb_replicas *r, const struct kb_row *row,
                                  int32_t epoch)
{
    struct kb_epoch_end end = kb_epochs_end_of(r, row, epoch);

    if (kb_defect(r, SM_DEFECT_EPOCH_ANSWER) && end.offset >= 0) {
        end.epoch = -1;
    }
    return end;
}

void kb_on_epochs(const struct kb_step *s, const struct kb_input *in)
{
    struct kb_replicas *r = s->r;
    const struct kb_epochs_item *items = in->items;
    struct kb_epochs_result *results = kb_scratch(r, in->count * sizeof *results);
    struct kb_output o = {.kind = KB_OUT_EPOCHS_ANSWER,
                          .broker_id = -1,
                          .call_id = in->call_id,
                          .items = results,
                          .count = in->count};

    for (uint32_t i = 0; i < in->count; i++) {
        uint32_t row = kb_row_find(r, items[i].topic, items[i].partition);
        struct kb_epoch_end end = {-1, -1};
        int32_t error = kb_row_error(r, row, items[i].unknown, items[i].current_leader_epoch, true);
        if (error == WIRE_ERROR_NONE) {
            end = end_of(r, kb_row(r, row), items[i].leader_epoch);
        }
        results[i] = (struct kb_epochs_result){.topic = items[i].topic,
                                               .partition = items[i].partition,
                                               .error = error,
                                               .leader_epoch = end.epoch,
                                               .end_offset = end.offset};
    }
    kb_put(s, &o);
}

/* ---- ListOffsets ---- */

static void by_time(const struct kb_replicas *r, const struct kb_row *row, int64_t timestamp,
                    int64_t bound, struct kb_offsets_result *result)
{
    const struct kb_batch *batches = kb_log_batches(r, row);

    for (uint32_t i = 0; i < row->batches.count; i++) {
        const struct kb_batch *b = &batches[i];
        if (b->max_timestamp < timestamp || kb_batch_end(b) <= row->log_start) {
            continue;
        }
        if (b->base_offset >= bound) {
            return;
        }
        result->offset = b->base_offset;
        result->timestamp = b->first_timestamp;
        result->leader_epoch = b->leader_epoch;
        result->inside = b->first_timestamp < timestamp;
        result->payload = b->payload;
        return;
    }
}

/* While a new leader's high watermark is behind the start of its epoch, consumers are not told an
   offset that an earlier leader may have told differently. */
static void look_up(const struct kb_replicas *r, const struct kb_row *row,
                    const struct kb_input *in, const struct kb_offsets_item *item,
                    struct kb_offsets_result *result)
{
    bool consumer = in->replica_id < 0;
    int64_t bound = !consumer ? row->log_end : in->committed != 0 ? kb_log_stable(r, row) : row->hw;
    bool behind = consumer && row->epoch_start > row->hw;

    if (item->timestamp == KB_EARLIEST) {
        result->offset = row->log_start;
        result->leader_epoch = kb_epochs_at(r, row, row->log_start);
    } else if (item->timestamp == KB_LATEST && !behind) {
        result->offset = bound;
        result->leader_epoch = row->leader_epoch;
    } else if (item->timestamp != KB_LATEST) {
        by_time(r, row, item->timestamp, bound, result);
    }
    if (result->offset < 0 && behind) {
        result->error = WIRE_ERROR_OFFSET_NOT_AVAILABLE;
    }
}

void kb_on_offsets(const struct kb_step *s, const struct kb_input *in)
{
    struct kb_replicas *r = s->r;
    const struct kb_offsets_item *items = in->items;
    struct kb_offsets_result *results = kb_scratch(r, in->count * sizeof *results);
    struct kb_output o = {.kind = KB_OUT_OFFSETS_ANSWER,
                          .broker_id = -1,
                          .call_id = in->call_id,
                          .items = results,
                          .count = in->count};

    for (uint32_t i = 0; i < in->count; i++) {
        uint32_t row = kb_row_find(r, items[i].topic, items[i].partition);
        bool only_leader = in->replica_id != KB_DEBUGGER;
        results[i] = (struct kb_offsets_result){.topic = items[i].topic,
                                                .partition = items[i].partition,
                                                .timestamp = -1,
                                                .offset = -1,
                                                .leader_epoch = -1};
        results[i].error =
            kb_row_error(r, row, items[i].unknown, items[i].current_leader_epoch, only_leader);
        if (results[i].error == WIRE_ERROR_NONE) {
            look_up(r, kb_row(r, row), in, &items[i], &results[i]);
        }
    }
    kb_put(s, &o);
}
