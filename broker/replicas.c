/*
 * The step, and what a process leaves behind when it ends.
 *
 *     room? ─ no ──► LIMIT, nothing changed
 *       │
 *     the input's own work ──► ISR writes that found a place ──► the fetchers' turns ──► timers
 *
 * Source: Kafka ReplicaManager.startup, shutdown; KafkaServer.shutdown; LogManager.loadLog;
 * Log.loadSegments, recoverLog.
 */
#include "broker/replica_state.h"

#include <assert.h>
#include <string.h>

static void start(const struct kb_step *s)
{
    struct kb_replicas *r = s->r;

    assert(!r->started);
    r->started = 1;
    r->started_us = r->isr_changed_us = r->isr_notified_us = s->now_us;
    for (uint32_t row = 0; row < r->row_high; row++) {
        if (kb_row(r, row)->topic != 0 && kb_row(r, row)->has_log &&
            !kb_row(r, row)->listed[KB_LIST_HW]) {
            kb_list_add(r, KB_LIST_HW, &r->hw, row);
        }
        if (kb_row(r, row)->topic != 0) { /* what is on the disks may have become too old */
            kb_retention_note(r, kb_row(r, row));
        }
    }
    if (!kb_any_dir_works(r)) { /* Source: LogManager.createAndValidateLogDirs */
        kb_put(s, &(struct kb_output){.kind = KB_OUT_FATAL, .broker_id = -1});
    }
}

static void dispatch(const struct kb_step *s, const struct kb_input *in)
{
    switch ((enum kb_input_kind)in->kind) {
    case KB_IN_NONE:
        break;
    case KB_IN_LOG:
        kb_on_log(s, in->request);
        break;
    case KB_IN_START:
        start(s);
        break;
    case KB_IN_REGISTERED:
        s->r->broker_epoch = in->broker_epoch;
        s->r->expired = 0;
        break;
    case KB_IN_UPDATE_METADATA:
        kb_on_update_metadata(s, in);
        break;
    case KB_IN_LEADER_AND_ISR:
        kb_on_leader_and_isr(s, in);
        break;
    case KB_IN_STOP_REPLICA:
        kb_on_stop_replica(s, in);
        break;
    case KB_IN_PRODUCE:
        kb_on_produce(s, in);
        break;
    case KB_IN_FETCH:
        kb_on_fetch(s, in);
        break;
    case KB_IN_EPOCHS:
        kb_on_epochs(s, in);
        break;
    case KB_IN_OFFSETS:
        kb_on_offsets(s, in);
        break;
    case KB_IN_DELETE_RECORDS:
        kb_on_delete_records(s, in);
        break;
    case KB_IN_FETCH_ANSWER:
        kb_on_fetch_answer(s, in);
        break;
    case KB_IN_EPOCHS_ANSWER:
        kb_on_epochs_answer(s, in);
        break;
    case KB_IN_OFFSETS_ANSWER:
        kb_on_offsets_answer(s, in);
        break;
    case KB_IN_SEND_FAILED:
        kb_on_send_failed(s, in);
        break;
    case KB_IN_ZK_REPLY:
        kb_on_zk_reply(s, in->reply);
        break;
    case KB_IN_TIMER:
        kb_on_timer(s, in->timer);
        break;
    case KB_IN_TOPIC_CONFIG:
        kb_topic_configure(s->r, in->topic, *(const struct kb_topic_config *)in->request);
        break;
    case KB_IN_DIR_FAILED:
        kb_on_dir_failed(s, in->value);
        break;
    case KB_IN_SHUTTING_DOWN:
        s->r->shutting_down = 1;
        break;
    }
}

enum sm_err kb_replicas_step(struct kb_replicas *r, int64_t now_us, const struct kb_input *in,
                             struct kb_outputs *out)
{
    struct kb_step s = {.r = r,
                        .out = out,
                        .now_us = now_us,
                        .wall_ms = in->wall_ms != 0 ? in->wall_ms : now_us / 1000};

    out->short_of = kb_short_of(r, in);
    if (out->short_of != NULL) {
        return SM_ERR_LIMIT;
    }
    assert(r->started || in->kind == KB_IN_START || in->kind == KB_IN_TOPIC_CONFIG ||
           in->kind == KB_IN_LOG);
    dispatch(&s, in);
    if (in->kind == KB_IN_TOPIC_CONFIG) {
        if (in->value == 1 && r->started) {
            kb_timers_arm(&s);
        }
        return SM_ERR_OK; /* whoever knows it says so between two steps, and hears nothing */
    }
    kb_scratch_clear(r); /* what follows needs room for requests */
    kb_isr_write_next(&s);
    kb_fetchers_go(&s);
    kb_timers_arm(&s);
    kb_scratch_clear(r);
    return SM_ERR_OK;
}

/* ---- the end of a process ---- */

static void release_tail(const struct kb_step *s, struct kb_row *row, int64_t end)
{
    const struct kb_batch *batches = kb_log_batches(s->r, row);
    uint32_t keep = 0;

    while (keep < row->batches.count && kb_batch_end(&batches[keep]) <= end) {
        keep++;
    }
    for (uint32_t i = keep; i < row->batches.count; i++) {
        kb_payload(s, batches[i].payload, -1);
    }
    row->log_end = row->batches.count == keep ? row->log_end
                   : keep == 0                ? row->log_start
                                              : kb_batch_end(&batches[keep - 1]);
    kb_segments_cut_end(s->r, row, keep, row->log_end);
    kb_extent_drop_last(s->r, KB_POOL_BATCHES, &row->batches, row->batches.count - keep);
}

/* What a log is when it is read from disk: the end of its records, its epochs as far as they have
   records (an epoch that was led without writing is forgotten), no high watermark until it is
   opened. */
static void reload_log(const struct kb_step *s, struct kb_row *row, const struct kb_stop *how)
{
    if (how->clean) {
        row->flushed = row->log_end;
    } else if (how->keep != NULL && row->flushed < row->log_end) {
        int64_t end = how->keep(how->context, kb_row_topic(s->r, row), row->partition, row->flushed,
                                row->log_end);
        assert(end >= row->flushed);
        assert(end <= row->log_end);
        release_tail(s, row, end);
    }
    row->flushed = row->flushed > row->log_end ? row->log_end : row->flushed;
    kb_epochs_cut_end(s->r, row, row->log_end);
    row->hw = row->log_start;
    kb_producers_rebuild(s->r, row);
}

static void forget_partition(const struct kb_step *s, uint32_t row, const struct kb_stop *how)
{
    struct kb_replicas *r = s->r;
    struct kb_row *p = kb_row(r, row);
    bool works = (r->failed_dirs >> p->dir & 1u) == 0;

    if (how->clean && works && r->checkpointing && p->has_log) {
        p->checkpoint_hw = p->attached ? p->hw : 0;
    }
    if (p->has_log) {
        reload_log(s, p, how);
    }
    p->hosted = KB_NOT_HOSTED;
    p->attached = 0;
    p->leader = p->leader_epoch = -1;
    p->controller_epoch = p->zk_version = 0;
    p->epoch_start = -1;
    kb_set_isr(s, p, NULL, 0);
    p->isr_op = 0;
    p->waits = p->fetcher = 0;
    p->fetch_state = p->queue = p->in_session = p->earliest = 0;
    p->fetch_epoch = p->sent_epoch = 0;
    p->fetch_offset = p->sent_offset = p->due_us = 0;
    memset(p->listed, 0, sizeof p->listed);
    memset(p->link, 0, sizeof p->link);
    memset(kb_remote(r, p, 0), 0, sizeof(struct kb_remote) * r->limits.replicas);
    kb_row_release(r, row);
}

static void forget_tables(struct kb_replicas *r)
{
    memset(kb_fetcher(r, 0), 0, sizeof(struct kb_fetcher) * r->limits.fetchers);
    memset(kb_session(r, 0), 0, sizeof(struct kb_session) * r->limits.sessions);
    memset(kb_zk_op(r, 0), 0, sizeof(struct kb_zk_op) * KB_ZK_OPS);
    memset(kb_place(r, r->at.live), 0, 4ull * r->limits.live);
    r->live_count = r->isr_writes = 0;
    r->hw = r->lagging = r->changed = r->notifying = r->isr_write = (struct kb_head){0};
    r->controller_epoch = r->told_controller_epoch = 0;
    r->broker_epoch = r->told_broker_epoch = -1;
    r->started = r->shutting_down = r->checkpointing = 0;
    r->checkpoint_start_us = r->started_us = r->isr_changed_us = r->isr_notified_us = 0;
    for (int t = 0; t < KB_TIMER_FETCHER; t++) {
        r->armed_us[t] = -1;
    }
}

void kb_replicas_stop(struct kb_replicas *r, const struct kb_stop *how, struct kb_outputs *out)
{
    struct kb_step s = {.r = r, .out = out};

    while (r->heap_count > 0) {
        kb_operation_free(r, *(uint32_t *)kb_place(r, r->at.heap));
    }
    for (uint32_t row = 0; row < r->row_high; row++) {
        if (kb_row(r, row)->topic != 0) {
            forget_partition(&s, row, how);
        }
    }
    forget_tables(r);
}

void kb_replicas_repair(struct kb_replicas *r)
{
    assert(!r->started);
    r->failed_dirs = 0;
}
