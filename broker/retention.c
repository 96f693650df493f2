/*
 * What goes because of its age, or because there is too much: segments of logs, and what logs know
 * of producers.
 *
 *     segments, oldest first:  as long as  all of it is below the high watermark, and
 *                                          its newest record is older than retention.ms, or
 *                                          the log without it has retention.bytes still
 *     producers:               idle for transactional.id.expiration.ms, no transaction open
 *
 * Each broker looks at its own logs, by its own clock: leaders and followers do not ask each other.
 * A leader whose log begins later tells its followers with the next answer, and they delete what
 * lies before; the other way round nobody is told. Consumers that come too late are told
 * OFFSET_OUT_OF_RANGE by the log itself. A log that is too old as a whole begins anew at its end.
 *
 * The checks come at points of a grid, as Kafka's, but are awaited only when something could be
 * found: r->retention_due_ms and r->producers_due_ms are lower bounds of the moment, made lower by
 * every append, truncation and change of configuration, and made exact by each check. Exception: a
 * segment that is due and waits for its high watermark is looked at with every check.
 *
 * Differs: Kafka checks the producers of a log in the rhythm of its opening, here all in that of
 * the broker; logs with `compact,delete` are Kafka's cleaner's, here they are deleted from like
 * others, and nothing is compacted.
 *
 * Source: Kafka LogManager.startup, cleanupLogs; Log.deleteOldSegments, deletableSegments,
 * deleteSegments, producerExpireCheck; ProducerStateManager.removeExpiredProducers.
 */
#include "broker/replica_state.h"

static bool deletes(const struct kb_replicas *r, const struct kb_row *row,
                    const struct kb_log_config *config)
{
    return row->has_log && kb_dir_works(r, row->dir) && (config->cleanup & KB_CLEANUP_DELETE) != 0;
}

/* ---- segments, in their order, the open one last ---- */

static const struct kb_segment *segment(const struct kb_replicas *r, const struct kb_row *row,
                                        uint32_t i)
{
    return i < row->segments.count ? kb_extent_see(r, KB_POOL_SEGMENTS, &row->segments, i)
                                   : &row->open;
}

/* Where a segment ends. */
static int64_t end_of(const struct kb_replicas *r, const struct kb_row *row, uint32_t i)
{
    return i < row->segments.count ? segment(r, row, i + 1)->base : row->log_end;
}

static bool may_go(const struct kb_replicas *r, const struct kb_row *row, uint32_t i)
{
    return i <= row->segments.count && segment(r, row, i)->bytes > 0 &&
           row->hw >= end_of(r, row, i);
}

/* Times of records are -1 or more, or anything up to the end of time; the clock may stand before 0.
 */
static int64_t age_of(const struct kb_step *s, int64_t time_ms)
{
    return time_ms >= s->wall_ms ? 0 : s->wall_ms - time_ms;
}

static uint32_t too_old(const struct kb_step *s, const struct kb_row *row, int64_t retention_ms)
{
    uint32_t n = 0;

    while (retention_ms >= 0 && may_go(s->r, row, n) &&
           age_of(s, segment(s->r, row, n)->max_ms) > retention_ms) {
        n++;
    }
    return n;
}

static int64_t excess(const struct kb_row *row, int64_t retention_bytes)
{
    return retention_bytes < 0 ? -1 : row->closed_bytes + row->open.bytes - retention_bytes;
}

static uint32_t too_many(const struct kb_replicas *r, const struct kb_row *row,
                         int64_t retention_bytes)
{
    int64_t left = excess(row, retention_bytes);
    uint32_t n = 0;

    while (left >= 0 && may_go(r, row, n) && segment(r, row, n)->bytes <= left) {
        left -= segment(r, row, n++)->bytes;
    }
    return n;
}

/* The first n go. Those who wait are told nothing: what they wait for is behind. */
static void delete_first(const struct kb_step *s, struct kb_row *row, uint32_t n,
                         enum kb_start_reason reason)
{
    int64_t start;

    if (n == 0) {
        return;
    }
    start = end_of(s->r, row, n - 1);
    if (n > row->segments.count) { /* all of it: a new one first */
        kb_segments_restart(s->r, row, start);
        row->flushed = row->log_end;
    }
    if (kb_log_set_start(s, row, start, reason)) {
        kb_sessions_mark_row(s->r, row);
    }
}

/* The moment in which its first segment may go; INT64_MAX never, 0 now. */
static int64_t due_of(const struct kb_replicas *r, const struct kb_row *row)
{
    struct kb_log_config room;
    const struct kb_log_config *config = kb_log_config_of(r, row, &room);
    const struct kb_segment *first = segment(r, row, 0);

    if (!deletes(r, row, config) || first->bytes == 0) {
        return INT64_MAX;
    }
    if (excess(row, config->retention_bytes) >= first->bytes) {
        return 0;
    }
    return config->retention_ms < 0 || first->max_ms >= INT64_MAX - 1 - config->retention_ms
               ? INT64_MAX
               : first->max_ms + config->retention_ms + 1;
}

void kb_retention_note(struct kb_replicas *r, const struct kb_row *row)
{
    int64_t due_ms = due_of(r, row);

    if (due_ms < r->retention_due_ms) {
        r->retention_due_ms = due_ms;
    }
}

void kb_retention_check(const struct kb_step *s)
{
    struct kb_replicas *r = s->r;

    r->retention_due_ms = INT64_MAX;
    for (uint32_t i = 0; i < r->row_high; i++) {
        struct kb_log_config room;
        struct kb_row *row = kb_row(r, i);
        if (row->topic == 0 || due_of(r, row) > s->wall_ms) {
            if (row->topic != 0) {
                kb_retention_note(r, row);
            }
            continue;
        }
        const struct kb_log_config *config = kb_log_config_of(r, row, &room);
        delete_first(s, row, too_old(s, row, config->retention_ms), KB_START_AGE);
        delete_first(s, row, too_many(r, row, config->retention_bytes), KB_START_SIZE);
        kb_retention_note(r, row);
    }
}

/* ---- producers ---- */

void kb_producers_note_due(struct kb_replicas *r, int64_t timestamp_ms)
{
    int64_t due_ms = timestamp_ms > INT64_MAX - r->config.producer_expiry_ms
                         ? INT64_MAX
                         : timestamp_ms + r->config.producer_expiry_ms;

    if (due_ms < r->producers_due_ms) {
        r->producers_due_ms = due_ms;
    }
}

void kb_producers_expire(const struct kb_step *s)
{
    struct kb_replicas *r = s->r;

    r->producers_due_ms = INT64_MAX;
    for (uint32_t i = 0; i < r->row_high; i++) {
        struct kb_row *row = kb_row(r, i);
        int64_t oldest_ms = INT64_MAX;
        uint32_t forgotten;
        if (row->topic == 0 || row->producers.count == 0) {
            continue;
        }
        forgotten =
            kb_producers_forget(r, row, s->wall_ms - r->config.producer_expiry_ms, &oldest_ms);
        kb_producers_note_due(r, oldest_ms);
        if (forgotten > 0) {
            kb_fact(s, KB_FACT_FORGOTTEN, row, (int32_t)forgotten, row->log_end);
        }
    }
}
