/*
 * The in-sync replicas: proposed by the leader, written to ZooKeeper under the version it knows,
 * told to the controller later.
 *
 *                 a follower is at the high watermark          setData(state, version)
 *     Committed ─────────────────────────────────► Expanding ──────────┬── OK ──► Committed(new)
 *         │                                                            │
 *         └── a member lags longer than the limit ► Shrinking ─────────┴── refused: stays as it is
 *                                                                           until a LeaderAndIsr
 *
 * While a change is under way no other is begun, and whoever may be in the ISR counts: that is what
 * makes it safe not to know whether the write came through. The leader epoch stays: only
 * controllers raise it. The controller epoch written is that of the last LeaderAndIsr, not the
 * newest heard of.
 *
 * A refused write is looked at once: if the znode holds what was to be written, the reply to an
 * earlier try was lost, and the change is done (KAFKA-1382). Otherwise somebody else wrote, and a
 * LeaderAndIsr is on its way. Differs: Kafka's thread holds the partition's lock until ZooKeeper
 * has answered, so that nothing is produced to or fetched from it meanwhile; here it goes on, as
 * with AlterIsr in later versions.
 *
 * Source: Kafka Partition.expandIsr, shrinkIsr, handleAlterIsrResponse; ZkIsrManager;
 * ReplicationUtils.updateLeaderAndIsr; ReplicaManager.maybeShrinkIsr.
 */
#include "broker/replica_state.h"

#include <assert.h>
#include <string.h>

#include "statemachine/znode.h"

/* ---- proposals ---- */

static struct sm_list proposed_isr(const struct kb_row *row)
{
    struct sm_list list = {0};

    for (uint32_t i = 0; i < row->isr_count; i++) {
        if (row->isr_state != KB_ISR_SHRINKING || (row->leaving >> i & 1u) == 0) {
            list.id[list.count++] = kb_isr(row)[i];
        }
    }
    if (row->isr_state == KB_ISR_EXPANDING) {
        list.id[list.count++] = row->joining;
    }
    if (list.count > 4 || row->isr_count > 4) {
        sm_scala_order(list.id, list.count); /* a hash set by now, whatever is left in it */
    }
    return list;
}

static void propose(const struct kb_step *s, struct kb_row *row)
{
    struct sm_list list = proposed_isr(row);
    struct kb_output o = kb_output_of(s->r, KB_OUT_FACT, row);

    kb_list_add(s->r, KB_LIST_ISR_WRITE, &s->r->isr_write, kb_row_index(s->r, row));
    if ((s->r->config.notes & KB_NOTE_FACT) != 0) {
        o.what = KB_FACT_ISR_PENDING;
        o.list = &list;
        kb_put(s, &o);
    }
}

static bool may_join(const struct kb_step *s, const struct kb_row *row,
                     const struct kb_remote *remote)
{
    struct kb_replicas *r = s->r;
    const int32_t *isr = kb_isr(row);

    if (!kb_leads(r, row) || row->isr_state != KB_ISR_COMMITTED || row->epoch_start < 0) {
        return false;
    }
    for (uint32_t i = 0; i < row->isr_count; i++) {
        if (isr[i] == remote->id) {
            return false;
        }
    }
    if (!kb_defect(r, SM_DEFECT_OFFLINE_REPLICA_JOINS) && !kb_is_live(r, remote->id)) {
        return false;
    }
    /* At the high watermark is not enough: between it and the epoch's start lies what an earlier
       leader may have acknowledged (KAFKA-7128). */
    return remote->log_end >= row->hw &&
           (remote->log_end >= row->epoch_start || kb_defect(r, SM_DEFECT_JOINS_BELOW_EPOCH));
}

void kb_isr_maybe_expand(const struct kb_step *s, struct kb_row *row,
                         const struct kb_remote *remote)
{
    if (may_join(s, row, remote) && row->isr_count < SM_REPLICAS_MAX) {
        row->isr_state = KB_ISR_EXPANDING;
        row->joining = remote->id;
        propose(s, row);
    }
}

static bool is_lagging(const struct kb_step *s, const struct kb_row *row,
                       const struct kb_remote *remote)
{
    bool behind = remote->log_end != row->log_end || kb_defect(s->r, SM_DEFECT_IDLE_LEAVES_ISR);
    return behind && s->now_us - remote->caught_up_us > s->r->config.replica_lag_us;
}

static void maybe_shrink(const struct kb_step *s, struct kb_row *row)
{
    uint32_t leaving = 0;

    if (!kb_leads(s->r, row) || row->isr_state != KB_ISR_COMMITTED) {
        return;
    }
    kb_remotes_settle(s, row);
    for (uint32_t i = 0; i < row->isr_count; i++) {
        const struct kb_remote *remote = kb_remote_find(s->r, row, kb_isr(row)[i]);
        if (remote != NULL && is_lagging(s, row, remote)) {
            leaving |= 1u << i;
        }
    }
    if (leaving != 0) {
        row->isr_state = KB_ISR_SHRINKING;
        row->leaving = leaving;
        propose(s, row);
    }
}

void kb_isr_check(const struct kb_step *s)
{
    for (uint32_t at = s->r->lagging.first; at != 0;) {
        struct kb_row *row = kb_row(s->r, at - 1);
        at = row->link[KB_LIST_LAGGING].next;
        maybe_shrink(s, row);
    }
}

/* A LeaderAndIsr has the last word. It waits for what is in flight (kb_must_wait_for_isr); but what
   a failed directory overtakes stays in flight: it may still succeed, and then the controller has to
   be told. */
void kb_isr_forget(const struct kb_step *s, struct kb_row *row)
{
    kb_list_remove(s->r, KB_LIST_ISR_WRITE, &s->r->isr_write, kb_row_index(s->r, row));
    row->isr_op = 0;
    row->isr_state = KB_ISR_COMMITTED;
    row->joining = 0;
    row->leaving = 0;
}

/* The partition is gone from this broker. */
void kb_isr_row_gone(struct kb_replicas *r, uint32_t row)
{
    kb_list_remove(r, KB_LIST_CHANGED, &r->changed, row);
    kb_list_remove(r, KB_LIST_NOTIFYING, &r->notifying, row);
    kb_list_remove(r, KB_LIST_LAGGING, &r->lagging, row);
    kb_list_remove(r, KB_LIST_ISR_WRITE, &r->isr_write, row);
    for (uint32_t i = 0; i < KB_ZK_OPS; i++) {
        if (kb_zk_op(r, i)->row == row + 1) {
            kb_zk_op(r, i)->row = 0;
        }
    }
    kb_row(r, row)->isr_op = 0;
}

/* ---- requests ---- */

static struct kb_zk_op *op_new(struct kb_replicas *r, enum kb_zk_kind kind, uint32_t row1)
{
    uint32_t i = 0;
    struct kb_zk_op *op;

    while (kb_zk_op(r, i)->kind != KB_ZK_NONE) {
        i++;
        assert(i < KB_ZK_OPS);
    }
    op = kb_zk_op(r, i);
    op->kind = (uint8_t)kind;
    op->row = row1;
    return op;
}

static uint32_t op_index(const struct kb_replicas *r, const struct kb_zk_op *op)
{
    return (uint32_t)(op - kb_zk_op(r, 0));
}

static void op_free(struct kb_replicas *r, struct kb_zk_op *op)
{
    if (op->kind == KB_ZK_ISR_WRITE || op->kind == KB_ZK_ISR_READ) {
        r->isr_writes--;
    }
    memset(op, 0, sizeof *op);
}

static void send(const struct kb_step *s, struct kb_zk_op *op, void *buffer, size_t capacity,
                 struct wire_zk_op what, const char *path, const void *data)
{
    struct kb_output o = {.kind = KB_OUT_ZK, .broker_id = -1};
    struct wire_zk_builder b;

    op->xid = s->r->next_xid++;
    s->r->next_xid = s->r->next_xid == 0 ? 1 : s->r->next_xid;
    wire_zk_begin(&b, buffer, capacity, op->xid, false);
    wire_zk_add(&b, what, path, data);
    o.zk = wire_zk_end(&b);
    assert(o.zk != NULL);
    kb_put(s, &o);
}

static void send_isr(const struct kb_step *s, struct kb_zk_op *op)
{
    uint64_t buffer[160] = {0};
    char path[SM_PATH_MAX], data[SM_STATE_BYTES_MAX];
    const struct kb_row *row = kb_row(s->r, op->row - 1);
    struct wire_zk_op what = {.opcode = WIRE_ZK_GET_DATA};

    sm_path_partition_state(path, kb_row_topic(s->r, row), row->partition);
    if (op->kind == KB_ZK_ISR_WRITE) {
        what.opcode = WIRE_ZK_SET_DATA;
        what.version = op->proposed.zk_version;
        what.data_size = (uint32_t)sm_znode_encode_state(data, &op->proposed);
    }
    send(s, op, buffer, sizeof buffer, what, path, op->kind == KB_ZK_ISR_WRITE ? data : NULL);
}

/* Writes what waits, as far as the window allows. */
void kb_isr_write_next(const struct kb_step *s)
{
    struct kb_replicas *r = s->r;

    while (!r->expired && r->isr_write.first != 0 && r->isr_writes < r->config.zk_window) {
        uint32_t row = r->isr_write.first - 1;
        struct kb_row *p = kb_row(r, row);
        struct kb_zk_op *op = op_new(r, KB_ZK_ISR_WRITE, row + 1);

        kb_list_remove(r, KB_LIST_ISR_WRITE, &r->isr_write, row);
        r->isr_writes++;
        p->isr_op = op_index(r, op) + 1;
        op->proposed = (struct sm_leader_and_isr){.leader = r->config.broker_id,
                                                  .leader_epoch = p->leader_epoch,
                                                  .zk_version = p->zk_version,
                                                  .controller_epoch = p->controller_epoch,
                                                  .isr = proposed_isr(p)};
        send_isr(s, op);
    }
}

/* ---- replies ---- */

static void after_attempt(const struct kb_step *s, struct kb_row *row)
{
    if (!kb_leads(s->r, row)) {
        return;
    }
    if (kb_raise_hw(s, row)) {
        kb_wake_all(s, row);
    }
    kb_note_lagging(s, row);
}

static void succeeded(const struct kb_step *s, struct kb_zk_op *op, int32_t zk_version)
{
    struct kb_replicas *r = s->r;
    struct kb_row *row = op->row == 0 ? NULL : kb_row(r, op->row - 1);
    struct kb_output o;

    if (row == NULL) {
        return;
    }
    if (!row->listed[KB_LIST_CHANGED]) {
        kb_list_add(r, KB_LIST_CHANGED, &r->changed, op->row - 1);
    }
    r->isr_changed_us = s->now_us;
    if (row->isr_op != op_index(r, op) + 1) {
        return; /* overridden meanwhile */
    }
    row->isr_op = 0;
    row->zk_version = zk_version;
    kb_set_isr(s, row, op->proposed.isr.id, (uint32_t)op->proposed.isr.count);
    kb_sessions_mark_row(r, row); /* who has left may have fetched to the end meanwhile */
    if ((r->config.notes & KB_NOTE_FACT) != 0) {
        o = kb_output_of(r, KB_OUT_FACT, row);
        o.what = KB_FACT_ISR;
        o.value = zk_version;
        o.list = &op->proposed.isr;
        kb_put(s, &o);
    }
    after_attempt(s, row);
}

/* Since 2.7 the change stays pending; before, the old ISR came back and the next check tried again,
   with the same version, for ever. */
static void failed(const struct kb_step *s, struct kb_zk_op *op)
{
    struct kb_row *row = op->row == 0 ? NULL : kb_row(s->r, op->row - 1);

    if (row == NULL || row->isr_op != op_index(s->r, op) + 1) {
        return;
    }
    row->isr_op = 0;
    kb_fact(s, KB_FACT_ISR_FAILED, row, row->zk_version, 0);
    if (kb_defect(s->r, SM_DEFECT_ISR_REPLY_LOST)) {
        kb_isr_forget(s, row);
    }
    after_attempt(s, row);
}

/* Nobody knows whether it was applied. It is tried again in the next session, where its znode
   version tells: Kafka leaves it pending, and the leader, should it stay one in the same epoch,
   never changes its ISR again. Differs: SM_DEFECT_ISR_PENDING_FOR_EVER. */
static void ended_with_session(const struct kb_step *s, const struct kb_zk_op *op)
{
    struct kb_row *row = op->row == 0 ? NULL : kb_row(s->r, op->row - 1);

    s->r->expired = 1;
    if (row == NULL || row->isr_op != op_index(s->r, op) + 1) {
        return;
    }
    row->isr_op = 0;
    kb_list_add(s->r, KB_LIST_ISR_WRITE, &s->r->isr_write, op->row - 1);
}

static bool is_tried_again(const struct kb_step *s, const struct wire_zk_reply *reply)
{
    return reply->err == WIRE_ZK_SESSION_EXPIRED &&
           !kb_defect(s->r, SM_DEFECT_ISR_PENDING_FOR_EVER) &&
           !kb_defect(s->r, SM_DEFECT_ISR_REPLY_LOST);
}

static void on_written(const struct kb_step *s, struct kb_zk_op *op,
                       const struct wire_zk_reply *reply)
{
    struct wire_zk_result_view v = {0};

    if (reply->err == WIRE_ZK_OK && wire_zk_result_next(reply, &v)) {
        succeeded(s, op, v.result->stat.version);
    } else if (reply->err == WIRE_ZK_BAD_VERSION && op->row != 0 &&
               !kb_defect(s->r, SM_DEFECT_ISR_REPLY_LOST)) {
        op->kind = KB_ZK_ISR_READ;
        send_isr(s, op);
        return;
    } else if (reply->err == WIRE_ZK_CONNECTION_LOSS && op->row != 0) {
        send_isr(s, op);
        return;
    } else if (is_tried_again(s, reply)) {
        ended_with_session(s, op);
    } else {
        failed(s, op);
    }
    op_free(s->r, op);
}

static void on_read(const struct kb_step *s, struct kb_zk_op *op, const struct wire_zk_reply *reply)
{
    struct wire_zk_result_view v = {0};
    struct sm_leader_and_isr found = {0};

    if (reply->err == WIRE_ZK_CONNECTION_LOSS && op->row != 0) {
        send_isr(s, op);
        return;
    }
    if (reply->err == WIRE_ZK_OK && wire_zk_result_next(reply, &v) &&
        sm_znode_decode_state((const char *)v.data, v.result->data_size, v.result->stat.version,
                              &found) == SM_ERR_OK &&
        found.leader == op->proposed.leader && found.leader_epoch == op->proposed.leader_epoch &&
        found.controller_epoch == op->proposed.controller_epoch &&
        sm_list_equal(&found.isr, &op->proposed.isr)) {
        succeeded(s, op, found.zk_version);
    } else if (is_tried_again(s, reply)) {
        ended_with_session(s, op);
    } else {
        failed(s, op);
    }
    op_free(s->r, op);
}

/* ---- telling the controller ---- */

/* A few changes are told within seconds, many at most once in five: as long as new ones keep
   coming, their number is gathered, but for a minute at most. */
void kb_isr_notify(const struct kb_step *s)
{
    struct kb_replicas *r = s->r;
    bool calm = s->now_us > r->isr_changed_us + r->config.isr_linger_us;
    bool late = s->now_us > r->isr_notified_us + r->config.isr_max_delay_us;
    size_t room = 256 + r->changed.count * ((size_t)r->limits.topic_name + 48);
    struct sm_partitions_writer w;
    struct kb_zk_op *op;
    char *data, *buffer;

    if (r->changed.count == 0 || r->notifying.count != 0 || (!calm && !late)) {
        return;
    }
    data = kb_scratch(r, room);
    buffer = kb_scratch(r, room);
    sm_partitions_writer_begin(&w, data, room);
    while (r->changed.first != 0) {
        uint32_t row = r->changed.first - 1;
        kb_list_remove(r, KB_LIST_CHANGED, &r->changed, row);
        kb_list_add(r, KB_LIST_NOTIFYING, &r->notifying, row);
        sm_partitions_writer_item(&w, kb_row_topic(r, kb_row(r, row)), kb_row(r, row)->partition,
                                  NULL);
    }
    op = op_new(r, KB_ZK_NOTIFY, 0);
    send(s, op, buffer, room,
         (struct wire_zk_op){.opcode = WIRE_ZK_CREATE,
                             .flags = WIRE_ZK_SEQUENTIAL,
                             .data_size = (uint32_t)sm_partitions_writer_end(&w)},
         SM_PATH_ISR_NOTIFICATION "/isr_change_", data);
    r->isr_notified_us = s->now_us;
}

static void on_notified(const struct kb_step *s, struct kb_zk_op *op, bool ok)
{
    struct kb_replicas *r = s->r;

    while (r->notifying.first != 0) {
        uint32_t row = r->notifying.first - 1;
        kb_list_remove(r, KB_LIST_NOTIFYING, &r->notifying, row);
        if (!ok && !kb_row(r, row)->listed[KB_LIST_CHANGED]) {
            kb_list_add(r, KB_LIST_CHANGED, &r->changed, row);
        }
    }
    op_free(r, op);
    if (ok) {
        kb_fact(s, KB_FACT_ISR_NOTIFIED, NULL, 0, 0);
    }
}

void kb_tell_dir_failure(const struct kb_step *s, int32_t dir)
{
    uint64_t buffer[64] = {0};
    char data[96];
    struct kb_zk_op *op = op_new(s->r, KB_ZK_DIR_EVENT, 0);
    size_t size = sm_znode_encode_log_dir_event(data, sizeof data, s->r->config.broker_id);

    kb_fact(s, KB_FACT_DIR_FAILED, NULL, dir, 0);
    send(s, op, buffer, sizeof buffer,
         (struct wire_zk_op){
             .opcode = WIRE_ZK_CREATE, .flags = WIRE_ZK_SEQUENTIAL, .data_size = (uint32_t)size},
         SM_PATH_LOG_DIR_EVENT "/log_dir_event_", data);
}

void kb_on_zk_reply(const struct kb_step *s, const struct wire_zk_reply *reply)
{
    struct kb_zk_op *op = NULL;

    for (uint32_t i = 0; i < KB_ZK_OPS && op == NULL; i++) {
        struct kb_zk_op *at = kb_zk_op(s->r, i);
        op = at->kind != KB_ZK_NONE && at->xid == reply->xid ? at : NULL;
    }
    if (op == NULL) {
        return; /* asked in an earlier life */
    }
    switch ((enum kb_zk_kind)op->kind) {
    case KB_ZK_ISR_WRITE:
        on_written(s, op, reply);
        break;
    case KB_ZK_ISR_READ:
        on_read(s, op, reply);
        break;
    case KB_ZK_NOTIFY:
        on_notified(s, op, reply->err == WIRE_ZK_OK);
        break;
    case KB_ZK_DIR_EVENT:
        op_free(s->r, op);
        break;
    case KB_ZK_NONE:
        break;
    }
}
