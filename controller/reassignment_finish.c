/*
 * Phase B of a reassignment: the target is in sync, and what is not of it goes.
 *
 *     adding go Online ─► target alone in memory ─► lead from it ─► removed are stopped, deleted
 *       ─► target alone in the znode ─► gone from /admin/reassign_partitions, from memory ─► tell
 *
 * Its rows stand in the table of reassignment.c, where the order is argued for. Each may be done
 * again by the next controller, which finds the full list in the topic znode until B6.
 *
 * Source: Kafka KafkaController.onPartitionReassignment, moveReassignedPartitionLeaderIfRequired,
 * stopRemovedReplicasOfReassignedPartition.
 */
#include "controller/reassignment_parts.h"

/* A replica may be in sync before it has been started: stopping those of an earlier goal tells the
   leader of the new one. Kafka then refuses to move it Online, and knows nothing of it. */
enum kc_next kc_reassign_add_new(struct kc_controller *c, struct kc_frame *f)
{
    struct sm_assignment a = kc_row_assignment(c, f->arg);
    struct sm_list unstarted = {0};

    for (int32_t i = 0; i < a.adding.count; i++) {
        uint32_t broker = kc_broker_find(c, a.adding.id[i]);
        enum sm_replica_state state = kc_row_replica_state(c, f->arg, broker);
        if (state == SM_REPLICA_NONE || state == SM_REPLICA_NONEXISTENT) {
            sm_list_append(&unstarted, a.adding.id[i]);
        }
    }
    if (unstarted.count > 0 && !kc_defect(c, SM_DEFECT_JOINED_UNSTARTED)) {
        kc_replicas_of(c, f->arg, &unstarted);
        kc_replicas_call(c, SM_REPLICA_NEW);
    }
    return KC_NEXT;
}

enum kc_next kc_reassign_add_online(struct kc_controller *c, struct kc_frame *f)
{
    struct sm_assignment a = kc_row_assignment(c, f->arg);

    c->stopping = a.removing;
    if (a.adding.count > 0) {
        kc_replicas_of(c, f->arg, &a.adding);
        kc_replicas_call(c, SM_REPLICA_ONLINE);
    }
    return KC_NEXT;
}

enum kc_next kc_reassign_only_target(struct kc_controller *c, struct kc_frame *f)
{
    struct sm_list target = sm_assignment_target(&c->goal);
    struct sm_assignment a = sm_assignment_of(&target);

    kc_put_assignment(c, f->arg, &a);
    return KC_NEXT;
}

enum kc_next kc_reassign_lead(struct kc_controller *c, struct kc_frame *f)
{
    char text[SM_REPLICAS_MAX * 13];

    if (!kc_has_leadership(c, f->arg)) {
        return kc_throw(c, SM_ERR_NO_ELEMENT, "java.util.NoSuchElementException: None.get");
    }
    struct sm_list replicas = kc_row_replicas(c, f->arg);
    int32_t leader = kc_row_at(c, f->arg)->leader;
    bool inside = sm_list_has(&replicas, leader);
    bool alive = leader >= 0 && kc_is_online_id(c, f->arg, leader);
    kc_log(
        c, KC_INFO,
        "[Controller id=%d] Leader %d for partition %s-%d being reassigned, is %s the new list of "
        "replicas %s%s",
        c->config.broker.id, leader, kc_row_topic(c, f->arg), kc_row_at(c, f->arg)->partition,
        inside ? "already in" : "not in", kc_text_list(text, sizeof text, &replicas, ","),
        !inside ? ". Re-electing leader"
        : alive ? " and is alive"
                : " but is dead");
    if (inside && alive) {
        kc_call(c, KC_FLOW_BUMP_EPOCH, f->arg);
        return KC_NEXT;
    }
    kc_set_clear(c, KC_SET_WORK);
    kc_set_add(c, KC_SET_WORK, f->arg);
    kc_partitions_call(c, SM_PARTITION_ONLINE, SM_STRATEGY_REASSIGN, false);
    return KC_NEXT;
}

enum kc_next kc_reassign_stop(struct kc_controller *c, struct kc_frame *f)
{
    if (c->stopping.count > 0) {
        kc_call(c, KC_FLOW_STOP_REMOVED, f->arg);
    }
    return KC_NEXT;
}

static bool select_target(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    s->row = f->arg;
    return kc_select_once(c, f, s);
}

static struct sm_assignment completed(struct kc_controller *c)
{
    struct sm_list target = sm_assignment_target(&c->goal);

    return sm_assignment_of(&target);
}

static bool ask_target(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                       struct kc_ask *ask)
{
    struct sm_assignment a = completed(c);

    (void)f;
    return kc_ask_topic_write(c, s->row, &a, ask);
}

static enum kc_slot_next answer_target(struct kc_controller *c, struct kc_frame *f,
                                       struct kc_slot *s, int32_t err,
                                       const struct wire_zk_result_view *r)
{
    struct sm_assignment a = completed(c);

    (void)f, (void)r;
    if (err == WIRE_ZK_OK) {
        kc_reassign_log_updated(c, s->row, &a);
    }
    return kc_answer_topic_write(c, s->row, err);
}

const struct kc_bulk kc_reassign_write_target = {
    .select = select_target, .ask = ask_target, .answer = answer_target};

enum kc_next kc_reassign_leave_znode(struct kc_controller *c, struct kc_frame *f)
{
    if (!kc_set_has(c, KC_SET_REASSIGNING, f->arg)) {
        return kc_throw(c, SM_ERR_ILLEGAL_STATE,
                        "java.lang.IllegalStateException: Cannot remove a reassigning partition "
                        "because it is not present in memory");
    }
    kc_row_at(c, f->arg)->flags &= (uint8_t)~KC_PARTITION_STATE_WATCH;
    kc_call(c, KC_FLOW_REASSIGN_REMOVE, f->arg)->arg2 = REMOVE_COMPLETED;
    return KC_NEXT;
}

enum kc_next kc_reassign_leave_memory(struct kc_controller *c, struct kc_frame *f)
{
    kc_set_remove(c, KC_SET_REASSIGNING, f->arg);
    return KC_NEXT;
}

enum kc_next kc_reassign_tell(struct kc_controller *c, struct kc_frame *f)
{
    kc_batch_begin(c, KC_OWNER_CONTROLLER);
    kc_batch_update_metadata(c, f->arg);
    kc_batch_send(c);
    return KC_NEXT;
}

enum kc_next kc_reassign_resume_deletion(struct kc_controller *c, struct kc_frame *f)
{
    uint32_t topic = kc_row_at(c, f->arg)->topic - 1;

    /* Kafka goes on although another partition still moves (delete while reassigning) */
    bool halted =
        !kc_defect(c, SM_DEFECT_DELETE_WHILE_REASSIGNING) && kc_topic_has_reassignment(c, topic);
    if ((kc_topic(c, topic)->flags & KC_TOPIC_QUEUED) != 0 && !halted) {
        kc_mark_topic(c, topic, KC_TOPIC_INELIGIBLE | KC_TOPIC_HELD, false);
        kc_call(c, KC_FLOW_RESUME_DELETIONS, 0);
    }
    return KC_NEXT;
}

/* ---- stopRemovedReplicasOfReassignedPartition: c->stopping of partition arg ---- */

static enum kc_next stop_to(struct kc_controller *c, struct kc_frame *f)
{
    static const enum sm_replica_state path[] = {SM_REPLICA_OFFLINE, SM_REPLICA_DELETION_STARTED,
                                                 SM_REPLICA_DELETION_SUCCESSFUL,
                                                 SM_REPLICA_NONEXISTENT};

    if (f->cursor == sizeof path / sizeof path[0]) {
        return KC_NEXT;
    }
    kc_replicas_of(c, f->arg, &c->stopping);
    kc_replicas_call(c, path[f->cursor++]);
    return KC_STAY;
}

static const struct kc_row stop_rows[] = {{.name = "stop", .run = stop_to}, {0}};
const struct kc_flow_def kc_flow_STOP_REMOVED = {.name = "stopRemovedReplicasOfReassignedPartition",
                                                 .rows = stop_rows};
