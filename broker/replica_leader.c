/*
 * What a leader knows of its followers, and the high watermark that follows from it.
 *
 * The high watermark is the smallest log end among those that count: the members of the *maximal*
 * ISR (with one that is being added, without taking away those that are being removed), and
 * whoever else was at the end within replica.lag.time.max.ms. It only rises. An unknown log end is
 * -1, so that a new leader's high watermark stands still until every member has fetched once.
 *
 * "Caught up at t" means: had fetched up to what was the log's end at t. Kafka notes it for each
 * partition of a fetch, changed or not. Here a follower that stands at the end of a quiet log is
 * not touched by its fetches; its session's last fetch says the same, and is written down just
 * before the log's end moves (kb_remote_settle).
 *
 * Source: Kafka Partition.makeLeader, updateAssignmentAndIsr, maybeIncrementLeaderHW,
 * updateFollowerFetchState; Replica.updateFetchState.
 */
#include "broker/replica_state.h"

#include <assert.h>
#include <string.h>

struct kb_remote *kb_remote_find(const struct kb_replicas *r, const struct kb_row *row, int32_t id)
{
    for (uint32_t slot = 0; slot < r->limits.replicas; slot++) {
        struct kb_remote *remote = kb_remote(r, row, slot);
        if (remote->used && remote->id == id) {
            return remote;
        }
    }
    return NULL;
}

static bool is_in(const int32_t *ids, uint32_t count, int32_t id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

static void remote_make(const struct kb_replicas *r, struct kb_row *row, int32_t id)
{
    uint32_t slot = 0;
    struct kb_remote *remote;

    while (kb_remote(r, row, slot)->used) {
        slot++;
        assert(slot < r->limits.replicas);
    }
    remote = kb_remote(r, row, slot);
    memset(remote, 0, sizeof *remote);
    remote->id = id;
    remote->used = 1;
    remote->log_end = remote->log_start = remote->last_leader_end = -1;
    remote->caught_up_us = remote->last_fetch_us = KB_NEVER;
}

/* A follower that is assigned no longer may still fetch in a session; the session ends, so that its
   next fetch names the partition anew and hears how it stands. */
void kb_set_followers(const struct kb_step *s, struct kb_row *row, const int32_t *replicas,
                      uint32_t count)
{
    struct kb_replicas *r = s->r;

    for (uint32_t slot = 0; slot < r->limits.replicas; slot++) {
        struct kb_remote *remote = kb_remote(r, row, slot);
        if (remote->used && !is_in(replicas, count, remote->id)) {
            if (remote->session != 0) {
                kb_session_drop(s, remote->session - 1);
            }
            memset(remote, 0, sizeof *remote);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (replicas[i] != r->config.broker_id && kb_remote_find(r, row, replicas[i]) == NULL) {
            remote_make(r, row, replicas[i]);
        }
    }
}

/* Kafka holds an ISR in a Scala set: up to four members in order of insertion, then by hash. */
void kb_set_isr(const struct kb_step *s, struct kb_row *row, const int32_t *ids, uint32_t count)
{
    int32_t *isr = kb_isr(row);

    assert(count <= s->r->limits.replicas);
    memset(isr, 0, 4ull * s->r->limits.replicas);
    row->isr_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_in(isr, row->isr_count, ids[i])) {
            isr[row->isr_count++] = ids[i];
        }
    }
    if (row->isr_count > 4) {
        sm_scala_order(isr, row->isr_count);
    }
    row->isr_state = KB_ISR_COMMITTED;
    row->joining = 0;
    row->leaving = 0;
}

void kb_maximal_isr(const struct kb_row *row, struct sm_list *list)
{
    *list = sm_list_of(kb_isr(row), row->isr_count);
    if (row->isr_state == KB_ISR_EXPANDING) {
        (void)sm_list_append(list, row->joining);
    }
}

static bool in_maximal_isr(const struct kb_row *row, int32_t id)
{
    return is_in(kb_isr(row), row->isr_count, id) ||
           (row->isr_state == KB_ISR_EXPANDING && row->joining == id);
}

int32_t kb_min_insync(const struct kb_replicas *r, const struct kb_row *row)
{
    int32_t own = kb_topic(r, row->topic - 1)->config.min_insync;
    return own != 0 ? own : r->config.min_insync_replicas;
}

/* ---- becoming leader ---- */

static void reset_remote(const struct kb_step *s, const struct kb_row *row,
                         struct kb_remote *remote, bool forgets)
{
    bool in_sync = is_in(kb_isr(row), row->isr_count, remote->id);

    remote->caught_up_us = in_sync ? s->now_us : KB_NEVER;
    remote->last_leader_end = row->log_end;
    remote->last_fetch_us = s->now_us;
    if (forgets) { /* what was known is of another time */
        remote->log_end = remote->log_start = remote->last_leader_end = -1;
        remote->last_fetch_us = KB_NEVER;
    }
}

/* Others may have led in between, and followers truncated. Kafka asks only whether it led before.
 */
static bool missed_epochs(const struct kb_replicas *r, const struct kb_row *row,
                          const struct wire_record_view *v)
{
    return !kb_defect(r, SM_DEFECT_MISSED_EPOCHS) &&
           v->record->leader_epoch > row->leader_epoch + 1;
}

/* The epoch is noted before any record of it: a follower that asks must find where the epoch before
   it ended (KAFKA-7415). */
bool kb_lead(const struct kb_step *s, struct kb_row *row, const struct wire_record_view *v)
{
    struct kb_replicas *r = s->r;
    bool is_new = row->leader != r->config.broker_id;
    bool forgets = is_new || missed_epochs(r, row, v);

    kb_sessions_mark_row(r, row); /* fetches before this count for nothing from here on */
    row->controller_epoch = v->record->controller_epoch;
    kb_isr_forget(s, row);
    kb_set_followers(s, row, v->replicas, v->record->replica_count);
    kb_set_isr(s, row, v->isr, v->record->isr_count);
    row->leader_epoch = v->record->leader_epoch;
    row->epoch_start = row->log_end;
    row->zk_version = kb_defect(r, SM_DEFECT_PARTITION_EPOCH_LOST) ? 0 : v->record->zk_version;
    if (!kb_defect(r, SM_DEFECT_EPOCH_NOT_RECORDED)) {
        kb_epochs_assign(r, row, row->leader_epoch, row->log_end);
    }
    row->leader = r->config.broker_id;
    for (uint32_t slot = 0; slot < r->limits.replicas; slot++) {
        struct kb_remote *remote = kb_remote(r, row, slot);
        if (remote->used) {
            reset_remote(s, row, remote, forgets);
        }
    }
    kb_fact(s, KB_FACT_LEADER, row, row->leader_epoch, row->epoch_start);
    if (kb_raise_hw(s, row)) {
        kb_wake_all(s, row);
    }
    kb_note_lagging(s, row);
    return is_new;
}

/* ---- fetches of followers ---- */

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Writes down what the fetches since the last look would have noted. A dirty row needs none: its
   fetches are looked at one by one, and one that is refused notes nothing. */
void kb_remote_settle(const struct kb_replicas *r, const struct kb_row *row,
                      struct kb_remote *remote)
{
    if (remote->session != 0 && !remote->dirty && remote->log_end == row->log_end) {
        int64_t last = kb_session(r, remote->session - 1)->last_fetch_us;
        remote->caught_up_us = later(remote->caught_up_us, last);
        remote->last_fetch_us = later(remote->last_fetch_us, last);
        remote->last_leader_end = row->log_end;
    }
}

void kb_remotes_settle(const struct kb_step *s, struct kb_row *row)
{
    for (uint32_t slot = 0; slot < s->r->limits.replicas; slot++) {
        struct kb_remote *remote = kb_remote(s->r, row, slot);
        if (remote->used) {
            kb_remote_settle(s->r, row, remote);
        }
    }
}

void kb_remote_fetched(const struct kb_step *s, struct kb_row *row, struct kb_remote *remote,
                       int64_t offset, int64_t log_start, int64_t leader_end)
{
    int64_t before = remote->log_end;

    if (offset >= leader_end) {
        remote->caught_up_us = later(remote->caught_up_us, s->now_us);
    } else if (offset >= remote->last_leader_end) {
        remote->caught_up_us = later(remote->caught_up_us, remote->last_fetch_us);
    }
    remote->log_start = log_start;
    remote->log_end = offset;
    remote->last_leader_end = leader_end;
    remote->last_fetch_us = s->now_us;
    kb_isr_maybe_expand(s, row, remote);
    if (before != offset && kb_leads(s->r, row) && kb_raise_hw(s, row)) {
        kb_wake_all(s, row);
    }
    kb_note_lagging(s, row);
}

/* ---- the high watermark ---- */

bool kb_raise_hw(const struct kb_step *s, struct kb_row *row)
{
    struct kb_replicas *r = s->r;
    int64_t hw = row->log_end;

    for (uint32_t slot = 0; slot < r->limits.replicas; slot++) {
        const struct kb_remote *remote = kb_remote(r, row, slot);
        if (remote->used && remote->log_end < hw &&
            (in_maximal_isr(row, remote->id) ||
             s->now_us - remote->caught_up_us <= r->config.replica_lag_us)) {
            hw = remote->log_end;
        }
    }
    if (hw <= row->hw) {
        return false;
    }
    kb_log_set_hw(s, row, hw);
    kb_sessions_mark_row(r, row); /* followers hear of it with their next answer */
    return true;
}

/* Whom the next ISR check has to look at. With the defect, also those at the log's end: they may
   have been slow to ask (KAFKA-7152). */
void kb_note_lagging(const struct kb_step *s, struct kb_row *row)
{
    struct kb_replicas *r = s->r;
    bool lagging = false;

    if (kb_leads(r, row)) {
        for (uint32_t i = 0; i < row->isr_count && !lagging; i++) {
            const struct kb_remote *remote = kb_remote_find(r, row, kb_isr(row)[i]);
            lagging = remote != NULL &&
                      (remote->log_end != row->log_end || kb_defect(r, SM_DEFECT_IDLE_LEAVES_ISR));
        }
    }
    if (lagging && !row->listed[KB_LIST_LAGGING]) {
        kb_list_add(r, KB_LIST_LAGGING, &r->lagging, kb_row_index(r, row));
    } else if (!lagging) {
        kb_list_remove(r, KB_LIST_LAGGING, &r->lagging, kb_row_index(r, row));
    }
}
