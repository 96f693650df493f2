/*
 * Where a log is cut into segments: what is read at once, and deleted as one.
 *
 *     closed          closed        open
 *     [0      .. 40)  [40   .. 95)  [95 ..            appends go here
 *      bytes, newest   bytes, …      and: the time of its first append
 *
 * A new segment begins with an append that the open one has no room for (segment.bytes), or that is
 * younger than its first by more than segment.ms: records decide by their own times, so that a
 * quiet log does not roll. What comes in one piece (a produce, the records of one fetch answer)
 * goes into one segment; so a follower's segments are its own, not its leader's. What lies before
 * the open one is on disk (Log.roll flushes).
 *
 * Invariants: bases ascend; the first is at most the log's start, or nothing is left of it; an open
 * segment of 0 bytes begins at the log's end or before. Segments that lie before the log's start as
 * a whole go at once; in Kafka with the next check: what else that deletes is the same either way,
 * for it would be the first to go.
 *
 * Differs: no jitter, no index that is full, no segment of more than 2^31 offsets; whose times are
 * -1 counts by the clock of the append.
 *
 * Source: Kafka kafka.log.Log.maybeRoll, roll, truncateTo; LogSegment.shouldRoll,
 * timeWaitedForRoll, largestTimestamp.
 */
#include "broker/replica_state.h"

#include <assert.h>

static const struct kb_segment *closed(const struct kb_replicas *r, const struct kb_row *row,
                                       uint32_t i)
{
    return kb_extent_see(r, KB_POOL_SEGMENTS, &row->segments, i);
}

/* What `own` says put over what the broker says. */
static struct kb_log_config merged(const struct kb_log_config *broker,
                                   const struct kb_log_config *own)
{
    struct kb_log_config c = *broker;

    c.set = own->set;
    c.retention_ms = (own->set & KB_LOG_RETENTION_MS) != 0 ? own->retention_ms : c.retention_ms;
    c.retention_bytes =
        (own->set & KB_LOG_RETENTION_BYTES) != 0 ? own->retention_bytes : c.retention_bytes;
    c.segment_ms = (own->set & KB_LOG_SEGMENT_MS) != 0 ? own->segment_ms : c.segment_ms;
    c.segment_bytes = (own->set & KB_LOG_SEGMENT_BYTES) != 0 ? own->segment_bytes : c.segment_bytes;
    c.cleanup = (own->set & KB_LOG_CLEANUP) != 0 ? own->cleanup : c.cleanup;
    c.timestamp_difference_ms = (own->set & KB_LOG_TIMESTAMP_DIFFERENCE) != 0
                                    ? own->timestamp_difference_ms
                                    : c.timestamp_difference_ms;
    c.log_append_time =
        (own->set & KB_LOG_TIMESTAMP_TYPE) != 0 ? own->log_append_time : c.log_append_time;
    return c;
}

const struct kb_log_config *kb_log_config_of(const struct kb_replicas *r, const struct kb_row *row,
                                             struct kb_log_config *room)
{
    const struct kb_log_config *own = &kb_topic(r, row->topic - 1)->config.log;

    if (own->set == 0) {
        return &r->config.log;
    }
    *room = merged(&r->config.log, own);
    return room;
}

struct kb_log_config kb_topic_log_config(const struct kb_replicas *r, const char *topic)
{
    uint32_t known = kb_topic_find(r, topic);

    return known == KB_NO_ROW ? r->config.log
                              : merged(&r->config.log, &kb_topic(r, known)->config.log);
}

/* ---- growing ---- */

static int64_t bytes_of(const struct kb_batch *batches, uint32_t count)
{
    int64_t bytes = 0;

    for (uint32_t i = 0; i < count; i++) {
        bytes += batches[i].size;
    }
    return bytes;
}

static int64_t newest_of(const struct kb_batch *batches, uint32_t count)
{
    int64_t newest = -1;

    for (uint32_t i = 0; i < count; i++) {
        newest = batches[i].max_timestamp > newest ? batches[i].max_timestamp : newest;
    }
    return newest;
}

bool kb_segments_too_small(const struct kb_replicas *r, const struct kb_row *row,
                           const struct kb_batch *batches, uint32_t count)
{
    struct kb_log_config room;

    return bytes_of(batches, count) > kb_log_config_of(r, row, &room)->segment_bytes;
}

bool kb_segments_must_roll(const struct kb_replicas *r, const struct kb_row *row,
                           const struct kb_batch *batches, uint32_t count)
{
    struct kb_log_config room;
    const struct kb_log_config *config = kb_log_config_of(r, row, &room);

    if (count == 0 || row->open.bytes == 0) {
        return false;
    }
    return row->open.bytes > config->segment_bytes - bytes_of(batches, count) ||
           (row->open.first_ms >= 0 &&
            newest_of(batches, count) - row->open.first_ms > config->segment_ms);
}

void kb_segments_cut_start(struct kb_replicas *r, struct kb_row *row, int64_t offset)
{
    uint32_t n = 0;

    for (; n < row->segments.count; n++) {
        int64_t next = n + 1 < row->segments.count ? closed(r, row, n + 1)->base : row->open.base;
        if (next > offset) {
            break;
        }
        row->closed_bytes -= closed(r, row, n)->bytes;
    }
    kb_extent_drop_first(r, KB_POOL_SEGMENTS, &row->segments, n);
    if (n > 0) {
        kb_retention_note(r, row); /* another is the first, and may be older */
    }
}

void kb_segments_roll(const struct kb_step *s, struct kb_row *row, const struct kb_batch *batches,
                      uint32_t count, int64_t offset)
{
    struct kb_segment *last;

    if (!kb_segments_must_roll(s->r, row, batches, count)) {
        return;
    }
    kb_extent_reserve(s->r, KB_POOL_SEGMENTS, &row->segments, 1);
    last = kb_extent_add(s->r, KB_POOL_SEGMENTS, &row->segments);
    *last = row->open;
    row->closed_bytes += last->bytes;
    row->open = (struct kb_segment){.base = offset};
    row->flushed = row->log_end;
    kb_segments_cut_start(s->r, row, row->log_start);
    kb_fact(s, KB_FACT_ROLLED, row, 0, offset);
}

void kb_segments_take(const struct kb_step *s, struct kb_row *row, const struct kb_batch *batches,
                      uint32_t count)
{
    int64_t newest = newest_of(batches, count);

    if (count == 0) {
        return;
    }
    if (row->open.bytes == 0) {
        row->open.first_ms = newest;
        row->open.max_ms = -1;
    }
    row->open.bytes += bytes_of(batches, count);
    newest = newest < 0 ? s->wall_ms : newest;
    row->open.max_ms = newest > row->open.max_ms ? newest : row->open.max_ms;
    kb_retention_note(s->r, row);
}

/* ---- shrinking ---- */

/* What a segment that lost its end still knows of time: its batches tell. */
static void look_again(const struct kb_replicas *r, struct kb_row *row, uint32_t kept)
{
    const struct kb_batch *batches = kb_log_batches(r, row);
    uint32_t first = kb_log_search(r, row, row->open.base);

    if (row->open.bytes == 0) {
        row->open.max_ms = row->open.first_ms = 0;
    } else if (first < kept) {
        row->open.max_ms = newest_of(batches + first, kept - first);
    }
}

void kb_segments_cut_end(struct kb_replicas *r, struct kb_row *row, uint32_t kept, int64_t end)
{
    const struct kb_batch *batches = kb_log_batches(r, row);
    bool shorter = kept < row->batches.count;
    int64_t gone = INT64_MAX; /* where what goes as a whole begins */

    while (row->segments.count > 0 && row->open.base > end) {
        gone = row->open.base;
        row->open = *closed(r, row, row->segments.count - 1);
        row->closed_bytes -= row->open.bytes;
        kb_extent_drop_last(r, KB_POOL_SEGMENTS, &row->segments, 1);
        shorter = true;
    }
    for (uint32_t i = kept; i < row->batches.count; i++) {
        if (batches[i].base_offset >= row->open.base && batches[i].base_offset < gone) {
            row->open.bytes -= batches[i].size;
        }
    }
    if (shorter) {
        look_again(r, row, kept);
        kb_segments_cut_start(r, row, row->log_start);
        kb_retention_note(r, row);
    }
}

void kb_segments_restart(struct kb_replicas *r, struct kb_row *row, int64_t offset)
{
    kb_extent_drop_last(r, KB_POOL_SEGMENTS, &row->segments, row->segments.count);
    row->open = (struct kb_segment){.base = offset};
    row->closed_bytes = 0;
}

/* ---- finding ---- */

/* How many closed ones begin at `offset` or before. */
static uint32_t begun_by(const struct kb_replicas *r, const struct kb_row *row, int64_t offset)
{
    uint32_t low = 0, high = row->segments.count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (closed(r, row, middle)->base <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

int64_t kb_segment_base(const struct kb_replicas *r, const struct kb_row *row, int64_t offset)
{
    uint32_t n = 0;

    if (row->segments.count == 0 || offset >= row->open.base) {
        return row->open.base;
    }
    n = begun_by(r, row, offset);
    return closed(r, row, n > 0 ? n - 1 : 0)->base;
}

int64_t kb_segment_next(const struct kb_replicas *r, const struct kb_row *row, int64_t offset)
{
    uint32_t n = 0;

    if (row->segments.count == 0 || offset >= row->open.base) {
        return INT64_MAX;
    }
    n = begun_by(r, row, offset);
    return n < row->segments.count ? closed(r, row, n)->base : row->open.base;
}
