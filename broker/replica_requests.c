/*
 * What the controller tells: LeaderAndIsr, StopReplica, and of UpdateMetadata who is alive.
 *
 *     meant for an earlier life of this broker?   whole request: STALE_BROKER_EPOCH
 *     from an older controller?                   whole request: STALE_CONTROLLER_EPOCH
 *     then per partition                          LeaderAndIsr          StopReplica
 *       it is offline                             KAFKA_STORAGE_ERROR   KAFKA_STORAGE_ERROR
 *       leader epoch newer than the partition's   followed              followed (so -1, -2)
 *       the same or older                         STALE_CONTROLLER_…    FENCED_LEADER_EPOCH
 *
 * A LeaderAndIsr is followed in Kafka's order: fetchers of all future leaders stop, then each
 * leads; then each follower turns; then the fetchers of those that turned stop and start anew. So
 * no record is fetched into a log whose epoch has already been noted as led.
 *
 * Exception to "the epoch is taken over": where the new leader is not alive (or there is none),
 * only the log is made. The partition keeps its old epoch and, where it had one, its fetcher, so
 * that a later request of the same epoch is followed.
 *
 * Source: Kafka ReplicaManager.becomeLeaderOrFollower, makeLeaders, makeFollowers, stopReplicas,
 * maybeUpdateMetadataCache, handleLogDirFailure; KafkaApis.isBrokerEpochStale;
 * LogManager.getOrCreateLog.
 */
#include "broker/replica_state.h"

#include <assert.h>
#include <string.h>

enum { ACCEPTED_NONE, TO_LEAD, TO_FOLLOW, TO_STOP, TO_DELETE };

/* ---- answers ---- */

static void answer(const struct kb_step *s, const struct kb_input *in, int32_t error,
                   const struct wire_answer_item *items, uint32_t count)
{
    struct wire_answer a = {.error = error, .count = count, .items = items};
    struct kb_output o = {
        .kind = KB_OUT_CONTROL_ANSWER, .broker_id = -1, .call_id = in->call_id, .answer = &a};

    kb_put(s, &o);
}

int32_t kb_refusal(const struct kb_replicas *r, int64_t broker_epoch, int32_t controller_epoch)
{
    if (broker_epoch != -1 && broker_epoch < r->broker_epoch &&
        !kb_defect(r, SM_DEFECT_BOUNCE_INVISIBLE)) {
        return WIRE_ERROR_STALE_BROKER_EPOCH;
    }
    return controller_epoch < r->controller_epoch ? WIRE_ERROR_STALE_CONTROLLER_EPOCH
                                                  : WIRE_ERROR_NONE;
}

static bool refuse(const struct kb_step *s, const struct kb_input *in)
{
    int32_t error = kb_refusal(s->r, in->broker_epoch, in->batch->controller_epoch);

    if (error != WIRE_ERROR_NONE) {
        answer(s, in, error, NULL, 0);
        return true;
    }
    s->r->controller_epoch = in->batch->controller_epoch;
    return false;
}

/* Ascending by record, because the batch is walked in order; then the marks are gone. */
static void answer_each(const struct kb_step *s, const struct kb_input *in,
                        enum wire_record_kind kind)
{
    struct kb_replicas *r = s->r;
    uint32_t count = 0;
    uint32_t most = in->batch->count[kind == WIRE_RECORD_LEADER_AND_ISR ? 0 : 2];
    struct wire_answer_item *items = kb_scratch(r, most * sizeof *items);

    for (struct wire_record_view v = {0};
         wire_batch_next_for(in->batch, kind, in->broker_index, &v);) {
        uint32_t row = kb_row_find(r, v.topic, v.record->partition);
        struct kb_row *p = row == KB_NO_ROW ? NULL : kb_row(r, row);
        if (p == NULL || !p->named) {
            continue;
        }
        if (p->answer != WIRE_ERROR_NONE) {
            items[count++] = (struct wire_answer_item){.record = v.offset, .error = p->answer};
        }
        p->named = p->accepted = 0;
        p->answer = 0;
        p->record = 0;
        kb_row_release(r, row);
    }
    answer(s, in, WIRE_ERROR_NONE, items, count);
}

/* ---- who is alive ---- */

bool kb_is_live(const struct kb_replicas *r, int32_t broker_id)
{
    const int32_t *live = kb_place(r, r->at.live);

    for (uint32_t i = 0; i < r->live_count; i++) {
        if (live[i] == broker_id) {
            return true;
        }
    }
    return false;
}

void kb_on_update_metadata(const struct kb_step *s, const struct kb_input *in)
{
    struct kb_replicas *r = s->r;
    int32_t *live = kb_place(r, r->at.live);
    const struct wire_broker *broker = NULL;

    if (refuse(s, in)) {
        return;
    }
    memset(live, 0, 4ull * r->live_count);
    r->live_count = 0;
    while ((broker = wire_batch_next_broker(in->batch, broker)) != NULL) {
        live[r->live_count++] = broker->id;
    }
    answer(s, in, WIRE_ERROR_NONE, NULL, 0);
}

/* ---- logs ---- */

bool kb_dir_works(const struct kb_replicas *r, uint32_t dir)
{
    return (r->failed_dirs >> dir & 1u) == 0;
}

static uint32_t emptiest_dir(const struct kb_replicas *r)
{
    uint32_t best = KB_DIRS_MAX;

    for (uint32_t dir = 0; dir < (uint32_t)r->config.log_dirs; dir++) {
        if (kb_dir_works(r, dir) && (best == KB_DIRS_MAX || r->dir_logs[dir] < r->dir_logs[best])) {
            best = dir;
        }
    }
    return best;
}

bool kb_any_dir_works(const struct kb_replicas *r)
{
    return emptiest_dir(r) != KB_DIRS_MAX;
}

/* Opens the log, or makes it. Not while a directory has failed: the log might lie there, and an
   empty one in its place would be a replica that has lost everything. A new partition has none. */
static int32_t open_log(const struct kb_step *s, struct kb_row *row, bool is_new)
{
    struct kb_replicas *r = s->r;
    uint32_t dir;

    if (row->attached) {
        return WIRE_ERROR_NONE;
    }
    if (!row->has_log || !kb_dir_works(r, row->dir)) {
        dir = emptiest_dir(r);
        if ((!is_new && r->failed_dirs != 0) || dir == KB_DIRS_MAX) {
            return WIRE_ERROR_KAFKA_STORAGE_ERROR;
        }
        kb_log_delete(s, row);
        row->has_log = 1;
        row->dir = (uint8_t)dir;
        r->dir_logs[dir]++;
    }
    row->attached = 1;
    kb_log_set_hw(s, row, row->checkpoint_hw);
    if (!row->listed[KB_LIST_HW]) {
        kb_list_add(r, KB_LIST_HW, &r->hw, kb_row_index(r, row));
    }
    return WIRE_ERROR_NONE;
}

static void mark_offline(const struct kb_step *s, uint32_t row)
{
    struct kb_row *p = kb_row(s->r, row);

    kb_unfollow(s, row);
    kb_isr_forget(s, p);
    kb_isr_row_gone(s->r, row);
    p->hosted = KB_OFFLINE;
    p->attached = 0;
    kb_sessions_mark_row(s->r, p);
    kb_fact(s, KB_FACT_OFFLINE, p, 0, 0);
}

/* ---- LeaderAndIsr ---- */

static bool assigns(const struct wire_record_view *v, int32_t id)
{
    for (uint32_t i = 0; i < v->record->replica_count; i++) {
        if (v->replicas[i] == id) {
            return true;
        }
    }
    return false;
}

static void judge(const struct kb_step *s, const struct wire_record_view *v)
{
    struct kb_replicas *r = s->r;
    struct kb_row *p = kb_row(r, kb_row_get(r, v->topic, v->record->partition));
    int32_t epoch = v->record->leader_epoch;
    bool equal_too = kb_defect(r, SM_DEFECT_EQUAL_EPOCH_ACCEPTED);

    p->named = 1;
    p->record = v->offset;
    p->answer = WIRE_ERROR_NONE;
    if (p->hosted == KB_OFFLINE) {
        p->answer = WIRE_ERROR_KAFKA_STORAGE_ERROR;
        return;
    }
    p->hosted = KB_ONLINE;
    if (epoch < p->leader_epoch || (epoch == p->leader_epoch && !equal_too)) {
        p->answer = WIRE_ERROR_STALE_CONTROLLER_EPOCH;
    } else if (!assigns(v, r->config.broker_id)) {
        p->answer = WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    } else {
        p->accepted = v->record->leader == r->config.broker_id ? TO_LEAD : TO_FOLLOW;
    }
}

void kb_tell_leadership(const struct kb_step *s, const struct kb_row *row, enum kb_role role,
                        int32_t epoch)
{
    struct kb_output o = kb_output_of(s->r, KB_OUT_LEADERSHIP, row);

    o.what = (int32_t)role;
    o.value = epoch;
    kb_put(s, &o);
}

static void turn_leader(const struct kb_step *s, struct kb_row *row,
                        const struct wire_record_view *v, bool is_new)
{
    int32_t error = open_log(s, row, is_new);

    if (error != WIRE_ERROR_NONE) {
        row->answer = (int16_t)error;
        row->accepted = ACCEPTED_NONE;
    } else if (!kb_lead(s, row, v)) {
        row->accepted = ACCEPTED_NONE; /* it led before: nobody has to be told */
    }
}

/* With the defect, whoever keeps its leader keeps its fetcher, too, and truncates nothing. */
static void keep_fetching(const struct kb_step *s, uint32_t row)
{
    struct kb_row *p = kb_row(s->r, row);

    p->accepted = ACCEPTED_NONE;
    p->fetch_epoch = p->leader_epoch;
    if (p->fetch_state == KB_FETCHING && p->queue == KB_QUEUE_NONE) {
        kb_fetcher_queue(s->r, row, KB_QUEUE_CHANGED);
    }
}

static void turn_follower(const struct kb_step *s, uint32_t row, const struct wire_record_view *v,
                          bool is_new)
{
    struct kb_replicas *r = s->r;
    struct kb_row *p = kb_row(r, row);
    int32_t before = p->leader;
    bool alive = kb_is_live(r, v->record->leader);
    bool unopened = !alive && kb_defect(r, SM_DEFECT_HW_NOT_CHECKPOINTED) && p->has_log;
    int32_t error = unopened ? WIRE_ERROR_NONE : open_log(s, p, is_new);

    p->answer = (int16_t)error;
    if (error != WIRE_ERROR_NONE || !alive) {
        p->accepted = ACCEPTED_NONE;
        if (error == WIRE_ERROR_NONE) {
            kb_fact(s, KB_FACT_NO_LEADER, p, v->record->leader_epoch, p->log_end);
        }
        return;
    }
    kb_remotes_settle(s, p);
    kb_isr_forget(s, p);
    p->controller_epoch = v->record->controller_epoch;
    kb_set_followers(s, p, v->replicas, v->record->replica_count);
    kb_set_isr(s, p, NULL, 0);
    p->leader_epoch = v->record->leader_epoch;
    p->epoch_start = -1;
    p->zk_version = v->record->zk_version;
    p->leader = v->record->leader;
    kb_note_lagging(s, p);
    kb_sessions_mark_row(r, p);
    kb_fact(s, KB_FACT_FOLLOWER, p, p->leader_epoch, p->log_end);
    if (before == p->leader && kb_defect(r, SM_DEFECT_SAME_LEADER_SKIPPED) && p->fetcher != 0) {
        keep_fetching(s, row);
    }
}

static bool flag_of(const struct wire_record_view *v, uint32_t index)
{
    return (v->flag[index / 64] >> (index % 64) & 1u) != 0;
}

/* One pass over what this broker gets out of the batch, for the rows that are to do `what`. */
typedef void pass_fn(const struct kb_step *s, const struct kb_input *in, uint32_t row,
                     const struct wire_record_view *v);

static void pass(const struct kb_step *s, const struct kb_input *in, enum wire_record_kind kind,
                 int what, pass_fn *fn)
{
    for (struct wire_record_view v = {0};
         wire_batch_next_for(in->batch, kind, in->broker_index, &v);) {
        uint32_t row = kb_row_find(s->r, v.topic, v.record->partition);
        if (row != KB_NO_ROW && kb_row(s->r, row)->named && kb_row(s->r, row)->record == v.offset &&
            (what == ACCEPTED_NONE || kb_row(s->r, row)->accepted == what)) {
            fn(s, in, row, &v);
        }
    }
}

static void pass_unfollow(const struct kb_step *s, const struct kb_input *in, uint32_t row,
                          const struct wire_record_view *v)
{
    const struct kb_row *p = kb_row(s->r, row);

    (void)in;
    (void)v;
    kb_unfollow(s, row);
    if (p->accepted == TO_STOP) {
        kb_fact(s, KB_FACT_STOPPED, p, p->leader_epoch, p->log_end);
    }
}

static void pass_lead(const struct kb_step *s, const struct kb_input *in, uint32_t row,
                      const struct wire_record_view *v)
{
    turn_leader(s, kb_row(s->r, row), v, flag_of(v, in->broker_index));
}

static void pass_follow(const struct kb_step *s, const struct kb_input *in, uint32_t row,
                        const struct wire_record_view *v)
{
    turn_follower(s, row, v, flag_of(v, in->broker_index));
}

static void pass_wake(const struct kb_step *s, const struct kb_input *in, uint32_t row,
                      const struct wire_record_view *v)
{
    (void)in;
    (void)v;
    kb_wake_all(s, kb_row(s->r, row));
}

static void pass_fetch(const struct kb_step *s, const struct kb_input *in, uint32_t row,
                       const struct wire_record_view *v)
{
    (void)in;
    if (!s->r->shutting_down) {
        kb_follow(s, row, v->record->leader);
    }
}

/* Whoever was named and has no log now is offline: a request for it could not be followed. */
static void pass_offline(const struct kb_step *s, const struct kb_input *in, uint32_t row,
                         const struct wire_record_view *v)
{
    struct kb_row *p = kb_row(s->r, row);

    (void)in;
    (void)v;
    if (p->hosted == KB_ONLINE && !p->attached && !kb_defect(s->r, SM_DEFECT_HW_NOT_CHECKPOINTED)) {
        mark_offline(s, row);
    }
}

static void pass_tell(const struct kb_step *s, const struct kb_input *in, uint32_t row,
                      const struct wire_record_view *v)
{
    const struct kb_row *p = kb_row(s->r, row);

    (void)in;
    (void)v;
    if (p->accepted != ACCEPTED_NONE) {
        kb_tell_leadership(s, p, p->accepted == TO_LEAD ? KB_ROLE_LEADER : KB_ROLE_FOLLOWER,
                           p->leader_epoch);
    }
}

void kb_on_leader_and_isr(const struct kb_step *s, const struct kb_input *in)
{
    const enum wire_record_kind kind = WIRE_RECORD_LEADER_AND_ISR;
    bool whole;

    if (refuse(s, in)) {
        return;
    }
    whole = kb_is_whole(s->r, in) && !kb_defect(s->r, SM_DEFECT_NEVER_TOLD);
    for (struct wire_record_view v = {0};
         wire_batch_next_for(in->batch, kind, in->broker_index, &v);) {
        judge(s, &v);
    }
    if (whole) {
        kb_strays_give_up(s);
    }
    pass(s, in, kind, TO_LEAD, pass_unfollow);
    pass(s, in, kind, TO_LEAD, pass_lead);
    pass(s, in, kind, TO_FOLLOW, pass_follow);
    pass(s, in, kind, TO_FOLLOW, pass_unfollow);
    pass(s, in, kind, TO_FOLLOW, pass_wake);
    pass(s, in, kind, TO_FOLLOW, pass_fetch);
    pass(s, in, kind, ACCEPTED_NONE, pass_offline);
    if (!s->r->checkpointing) {
        s->r->checkpointing = 1;
        s->r->checkpoint_start_us = s->now_us;
    }
    kb_fetchers_shut_idle(s);
    pass(s, in, kind, ACCEPTED_NONE, pass_tell);
    answer_each(s, in, kind);
}

/* ---- StopReplica ---- */

static bool may_stop(const struct kb_replicas *r, const struct kb_row *row, int32_t epoch)
{
    if (epoch == SM_EPOCH_DURING_DELETE || epoch == SM_NO_EPOCH || epoch > row->leader_epoch) {
        return true;
    }
    return kb_defect(r, SM_DEFECT_STOP_WITHOUT_EPOCH) ||
           (epoch == row->leader_epoch && !kb_defect(r, SM_DEFECT_STRAY_REPLICA));
}

static void judge_stop(const struct kb_step *s, const struct kb_input *in,
                       const struct wire_record_view *v)
{
    struct kb_replicas *r = s->r;
    uint32_t row = kb_row_find(r, v->topic, v->record->partition);
    struct kb_row *p = row == KB_NO_ROW ? NULL : kb_row(r, row);

    if (p == NULL) {
        return; /* neither hosted nor on disk: done already */
    }
    p->named = 1;
    p->record = v->offset;
    p->answer = WIRE_ERROR_NONE;
    if (p->hosted == KB_OFFLINE) {
        p->answer = WIRE_ERROR_KAFKA_STORAGE_ERROR;
    } else if (p->hosted == KB_ONLINE && !may_stop(r, p, v->record->leader_epoch)) {
        p->answer = WIRE_ERROR_FENCED_LEADER_EPOCH;
    } else {
        p->accepted = flag_of(v, in->broker_index) ? TO_DELETE : TO_STOP;
    }
}

/* Not deleted, a partition stays as it was: a stopped leader goes on believing that it leads. */
static void pass_stop(const struct kb_step *s, const struct kb_input *in, uint32_t row,
                      const struct wire_record_view *v)
{
    pass_wake(s, in, row, v);
}

static void pass_delete(const struct kb_step *s, const struct kb_input *in, uint32_t row,
                        const struct wire_record_view *v)
{
    (void)in;
    kb_row_delete(s, row, v->record->leader_epoch);
}

void kb_on_stop_replica(const struct kb_step *s, const struct kb_input *in)
{
    const enum wire_record_kind kind = WIRE_RECORD_STOP_REPLICA;

    if (refuse(s, in)) {
        return;
    }
    for (struct wire_record_view v = {0};
         wire_batch_next_for(in->batch, kind, in->broker_index, &v);) {
        judge_stop(s, in, &v);
    }
    pass(s, in, kind, TO_STOP, pass_unfollow);
    pass(s, in, kind, TO_DELETE, pass_unfollow);
    if (!kb_defect(s->r, SM_DEFECT_STOP_KEEPS_WAITERS)) {
        pass(s, in, kind, TO_STOP, pass_stop);
    }
    pass(s, in, kind, TO_DELETE, pass_delete);
    answer_each(s, in, kind);
}

/* ---- a log directory fails ---- */

/* Whoever waits on its partitions is not told; the wait runs out, as in Kafka. */
void kb_on_dir_failed(const struct kb_step *s, int32_t dir)
{
    struct kb_replicas *r = s->r;
    struct kb_output o = {.kind = KB_OUT_FATAL, .broker_id = -1};

    if (dir < 0 || dir >= r->config.log_dirs || !kb_dir_works(r, (uint32_t)dir)) {
        return;
    }
    r->failed_dirs |= 1u << dir;
    for (uint32_t row = 0; row < r->row_high; row++) {
        struct kb_row *p = kb_row(r, row);
        if (p->topic != 0 && p->hosted == KB_ONLINE && p->attached && p->dir == dir) {
            mark_offline(s, row);
        }
    }
    kb_fetchers_shut_idle(s);
    if (!kb_any_dir_works(r)) {
        kb_put(s, &o);
        return;
    }
    kb_tell_dir_failure(s, dir);
}
