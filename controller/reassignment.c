/*
 * Reassigning a partition: from one list of replicas to another, by way of both.
 *
 *   U   the goal goes into the topic znode (replicas, adding, removing), then into memory;
 *       replicas that only the old goal wanted are stopped
 *   A   the new ones are not all in the ISR yet: raise the leader epoch, tell everybody of the new
 *       list; adding replicas become NewReplica
 *   B   all of the target is in the ISR:
 *       B1 adding go Online                 B5 … and are deleted
 *       B2 the target alone, in memory      B6 the target alone, in the topic znode
 *       B3 lead from the target, or raise   B7 gone from /admin/reassign_partitions and from memory
 *          the epoch                        B8 tell everybody; deletions go on
 *       B4 removing go Offline
 *
 * The goal is written to ZooKeeper before memory, so that a failover finds it; but what the new
 * goal does not need any more is stopped before that (not in 2.8.2: SM_DEFECT_CANCEL_HALF_DONE).
 * Between B2 and B6 the znode still has the full list, and the next controller does phase B again,
 * which does no harm. The leader is told of the target (B3) before the removed replicas are stopped
 * (B4), for from then on it cannot take them back into the ISR (KAFKA-1097).
 *
 * This file has the table of the flow, U and A; B is in reassignment_finish.c; the question between
 * them, and the ISR change that puts it again, in reassignment_isr.c. Who asks for a reassignment
 * is in reassignment_znode.c (/admin/reassign_partitions) and reassignment_calls.c (AdminClient).
 *
 * Source: Kafka KafkaController.onPartitionReassignment and what it calls (KIP-455).
 */
#include "controller/reassignment_parts.h"

void kc_reassign_call(struct kc_controller *c, uint32_t row, const struct sm_assignment *a)
{
    c->goal = *a;
    kc_call(c, KC_FLOW_REASSIGN, row);
}

/* ---- lines ---- */

void kc_reassign_log_updated(struct kc_controller *c, uint32_t row, const struct sm_assignment *a)
{
    char text[SM_REPLICAS_MAX * 40];

    kc_text_assignment(text, sizeof text, a);
    kc_log(c, KC_INFO,
           "[Controller id=%d] Successfully updated assignment of partition %s-%d to %s",
           c->config.broker.id, kc_row_topic(c, row), kc_row_at(c, row)->partition, text);
}

static void log_updating(struct kc_controller *c, uint32_t row, const struct sm_assignment *from)
{
    char before[SM_REPLICAS_MAX * 40], after[SM_REPLICAS_MAX * 40];

    if (kc_notes(c, KC_NOTE_LOG_TRACE)) {
        kc_text_assignment(before, sizeof before, from);
        kc_text_assignment(after, sizeof after, &c->goal);
        kc_log(
            c, KC_DEBUG, "[Controller id=%d] Updating assignment of partition %s-%d from %s to %s",
            c->config.broker.id, kc_row_topic(c, row), kc_row_at(c, row)->partition, before, after);
    }
}

/* ---- U ---- */

static enum kc_next halt_deletion(struct kc_controller *c, struct kc_frame *f)
{
    kc_mark_ineligible(c, kc_row_at(c, f->arg)->topic - 1, "topic reassignment in progress");
    struct sm_assignment a = kc_row_assignment(c, f->arg);
    f->flags = sm_assignment_equal(&a, &c->goal) ? 0 : KC_REASSIGN_CHANGED;
    if (f->flags != 0) {
        log_updating(c, f->arg, &a);
    }
    return KC_NEXT;
}

static bool select_goal(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    s->row = f->arg;
    return (f->flags & KC_REASSIGN_CHANGED) != 0 && kc_select_once(c, f, s);
}

static bool ask_goal(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                     struct kc_ask *ask)
{
    (void)f;
    return kc_ask_topic_write(c, s->row, &c->goal, ask);
}

static enum kc_slot_next answer_goal(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                     int32_t err, const struct wire_zk_result_view *r)
{
    (void)f, (void)r;
    if (err == WIRE_ZK_OK) {
        kc_reassign_log_updated(c, s->row, &c->goal);
    }
    return kc_answer_topic_write(c, s->row, err);
}

static const struct kc_bulk write_goal = {
    .select = select_goal, .ask = ask_goal, .answer = answer_goal};

static void put_and_stop(struct kc_controller *c, uint32_t row, const struct sm_assignment *a)
{
    struct sm_list before = kc_row_replicas(c, row);

    kc_put_assignment(c, row, a);
    c->stopping = sm_list_minus(&before, &a->replicas);
    if (c->stopping.count > 0) {
        kc_call(c, KC_FLOW_STOP_REMOVED, row);
    }
}

static enum kc_next adopt_goal(struct kc_controller *c, struct kc_frame *f)
{
    if ((f->flags & KC_REASSIGN_CHANGED) != 0) {
        put_and_stop(c, f->arg, &c->goal);
    }
    return KC_NEXT;
}

/* Who asked was told by what is in memory (kc_loses_only_copy); the leader may have shrunk the ISR
   since, and the controller has not heard of it yet. So the znode is asked, before anybody is
   stopped. */
static bool select_copies(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    struct sm_list before = kc_row_replicas(c, f->arg);

    s->row = f->arg;
    return (f->flags & KC_REASSIGN_CHANGED) != 0 &&
           !kc_defect(c, SM_DEFECT_CANCEL_DELETES_ONLY_COPY) &&
           !sm_list_subset(&before, &c->goal.replicas) && kc_select_once(c, f, s);
}

static enum kc_slot_next answer_copies(struct kc_controller *c, struct kc_frame *f,
                                       struct kc_slot *s, int32_t err,
                                       const struct wire_zk_result_view *r)
{
    (void)f;
    switch (kc_read_state(c, s, err, r)) {
    case KC_STATE_READ:
    case KC_STATE_NEWER_CONTROLLER:
        if (kc_loses_isr(c, s->row, &c->goal.replicas, &s->plan.isr)) {
            kc_throw(c, SM_ERR_ILLEGAL_STATE,
                     "java.lang.IllegalStateException: The reassignment would stop the only "
                     "replicas that are in sync and live");
            return KC_SLOT_FAIL;
        }
        return KC_SLOT_DONE;
    case KC_STATE_MISSING:
        return KC_SLOT_DONE;
    case KC_STATE_FAILED:
        break;
    }
    return kc_slot_throw(c, err);
}

static const struct kc_bulk check_copies = {.select = select_copies,
                                            .ask = kc_ask_slot_state,
                                            .answer = answer_copies,
                                            .needs = kc_needs_state_znode};

/* Kafka writes the new goal first. A controller that dies then leaves replicas that nobody stops,
   and that stay in the ISR; in this order the next one finds the old goal, and goes on with it.
   Nobody is told of replicas that the new goal adds before it is written: they would keep a log
   that the next controller knows nothing of. */
static enum kc_next stop_unneeded_first(struct kc_controller *c, struct kc_frame *f)
{
    struct sm_list before = kc_row_replicas(c, f->arg);
    struct sm_list added = sm_list_minus(&c->goal.replicas, &before);
    struct sm_assignment kept = c->goal;

    if ((f->flags & KC_REASSIGN_CHANGED) == 0 || kc_defect(c, SM_DEFECT_CANCEL_HALF_DONE) ||
        sm_list_subset(&before, &c->goal.replicas)) {
        return KC_NEXT;
    }
    kept.replicas = sm_list_minus(&c->goal.replicas, &added);
    kept.adding = sm_list_minus(&c->goal.adding, &added);
    put_and_stop(c, f->arg, &kept);
    return KC_NEXT;
}

/* The leader may be a replica that only the old goal added, and has been stopped: the partition is
   as one whose leader has died. Kafka elects nobody before the new reassignment is complete, which
   it cannot be while nobody leads. */
static enum kc_next stopped_leader(struct kc_controller *c, struct kc_frame *f)
{
    const struct kc_partition *p = kc_row_at(c, f->arg);

    if ((f->flags & KC_REASSIGN_CHANGED) == 0 || kc_defect(c, SM_DEFECT_STOPPED_UNLED) ||
        !kc_has_leadership(c, f->arg) || p->leader >= 0 || p->state != SM_PARTITION_ONLINE) {
        return KC_NEXT;
    }
    f->flags |= KC_REASSIGN_STOPPED_LEADER;
    kc_set_clear(c, KC_SET_WORK);
    kc_set_add(c, KC_SET_WORK, f->arg);
    kc_partitions_call(c, SM_PARTITION_OFFLINE, SM_STRATEGY_NONE, false);
    return KC_NEXT;
}

static enum kc_next lead_again(struct kc_controller *c, struct kc_frame *f)
{
    if ((f->flags & KC_REASSIGN_STOPPED_LEADER) != 0) {
        kc_call(c, KC_FLOW_TRIGGER_ONLINE, kc_row_at(c, f->arg)->topic);
    }
    return KC_NEXT;
}

static enum kc_next watch_isr(struct kc_controller *c, struct kc_frame *f)
{
    if (sm_rule_on(&c->config.profile, SM_RULE_REASSIGNMENT_IN_TOPIC)) {
        kc_row_at(c, f->arg)->flags |= KC_PARTITION_STATE_WATCH;
    }
    kc_set_add(c, KC_SET_REASSIGNING, f->arg);
    f->flags |= sm_assignment_is_being_reassigned(&c->goal) ? 0 : KC_REASSIGN_COMPLETE;
    return KC_NEXT;
}

static bool select_state(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    s->row = f->arg;
    return (f->flags & KC_REASSIGN_COMPLETE) == 0 && kc_select_once(c, f, s);
}

static enum kc_slot_next answer_state(struct kc_controller *c, struct kc_frame *f,
                                      struct kc_slot *s, int32_t err,
                                      const struct wire_zk_result_view *r)
{
    bool awaited = s->stage == KC_REASSIGN_AWAIT;
    enum kc_slot_next next = kc_reassign_judge_isr(c, f, s, err, r, &c->goal);

    f->flags |= awaited && next == KC_SLOT_DONE ? KC_REASSIGN_UNLED : 0;
    return next;
}

static const struct kc_bulk check_isr = {.select = select_state,
                                         .ask = kc_reassign_ask_isr,
                                         .answer = answer_state,
                                         .needs = kc_needs_state_znode};

/* ---- A ---- */

enum {
    ROW_HALT,
    ROW_COPIES,
    ROW_STOP_FIRST,
    ROW_WRITE_GOAL,
    ROW_ADOPT,
    ROW_UNLED,
    ROW_LEAD,
    ROW_WATCH,
    ROW_CHECK,
    ROW_A1,
    ROW_A2,
    ROW_B1_NEW,
    ROW_B1,
    ROW_B2,
    ROW_B3,
    ROW_B4,
    ROW_B6,
    ROW_B7,
    ROW_B7_MEMORY,
    ROW_B8,
    ROW_B8_RESUME,
    ROW_END
};

static enum kc_next raise_epoch(struct kc_controller *c, struct kc_frame *f)
{
    if ((f->flags & KC_REASSIGN_COMPLETE) != 0) {
        f->row = ROW_B1_NEW;
        return KC_STAY;
    }
    if ((f->flags & KC_REASSIGN_UNLED) ==
        0) { /* else Kafka fails here, and no adding replica becomes New */
        kc_call(c, KC_FLOW_BUMP_EPOCH, f->arg);
    }
    return KC_NEXT;
}

static enum kc_next start_adding(struct kc_controller *c, struct kc_frame *f)
{
    struct sm_assignment a = kc_row_assignment(c, f->arg);

    if (f->cursor >= (uint32_t)a.adding.count && (f->flags & KC_REASSIGN_UNLED) != 0) {
        f->flags &= ~KC_REASSIGN_UNLED; /* one of them may be the first that lives, and lead */
        kc_call(c, KC_FLOW_TRIGGER_ONLINE, kc_row_at(c, f->arg)->topic);
        return KC_STAY;
    }
    if (f->cursor >= (uint32_t)a.adding.count) {
        return KC_RETURN;
    }
    struct sm_list one = {.count = 1, .id = {a.adding.id[f->cursor++]}};
    kc_replicas_of(c, f->arg, &one);
    kc_replicas_call(c, SM_REPLICA_NEW);
    return KC_STAY;
}

static const struct kc_row reassign_rows[] = {
    [ROW_HALT] = {.name = "halt deletion", .run = halt_deletion},
    [ROW_COPIES] = {.name = "who is in sync?", .bulk = &check_copies},
    [ROW_STOP_FIRST] = {.name = "stop the unneeded first", .run = stop_unneeded_first},
    [ROW_WRITE_GOAL] = {.name = "U1 write the goal", .bulk = &write_goal},
    [ROW_ADOPT] = {.name = "U2 U3 adopt it, stop the unneeded", .run = adopt_goal},
    [ROW_UNLED] = {.name = "was the leader stopped?", .run = stopped_leader},
    [ROW_LEAD] = {.name = "lead again", .run = lead_again},
    [ROW_WATCH] = {.name = "watch the ISR", .run = watch_isr},
    [ROW_CHECK] = {.name = "is the target in the ISR?", .bulk = &check_isr},
    [ROW_A1] = {.name = "A1 raise the leader epoch", .run = raise_epoch},
    [ROW_A2] = {.name = "A2 start adding replicas", .run = start_adding},
    [ROW_B1_NEW] = {.name = "B1 start adding replicas", .run = kc_reassign_add_new},
    [ROW_B1] = {.name = "B1 adding replicas go Online", .run = kc_reassign_add_online},
    [ROW_B2] = {.name = "B2 only the target", .run = kc_reassign_only_target},
    [ROW_B3] = {.name = "B3 lead from the target", .run = kc_reassign_lead},
    [ROW_B4] = {.name = "B4 B5 stop the removed", .run = kc_reassign_stop},
    [ROW_B6] = {.name = "B6 write the target", .bulk = &kc_reassign_write_target},
    [ROW_B7] = {.name = "B7 remove from the znode", .run = kc_reassign_leave_znode},
    [ROW_B7_MEMORY] = {.name = "B7 remove from memory", .run = kc_reassign_leave_memory},
    [ROW_B8] = {.name = "B8 tell all", .run = kc_reassign_tell},
    [ROW_B8_RESUME] = {.name = "B8 resume deletion", .run = kc_reassign_resume_deletion},
    [ROW_END] = {0},
};
const struct kc_flow_def kc_flow_REASSIGN = {.name = "onPartitionReassignment",
                                             .rows = reassign_rows};
