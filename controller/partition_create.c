/*
 * New partitions get a leader: the first live replica leads, all live ones are in the ISR.
 *
 * Three waves of creates over the whole call, /brokers/topics/T/partitions, …/P and …/P/state, as
 * in Kafka; only the answers to the last count. Partitions without a live replica stay New.
 *
 * Source: Kafka 2.8.2 ZkPartitionStateMachine.initializeLeaderAndIsrForPartitions.
 */
#include "controller/partition_parts.h"

#include <stdio.h>

static struct sm_list live_replicas(struct kc_controller *c, uint32_t row)
{
    const struct kc_partition *p = kc_row_at(c, row);
    struct sm_list live = {0};

    for (uint32_t i = 0; i < p->replica_count; i++) {
        uint32_t broker = kc_replicas(c, p)[i];
        if (kc_is_online(c, row, broker)) {
            sm_list_append(&live, kc_broker(c, broker)->id);
        }
    }
    return live;
}

static void fail_no_live_replica(struct kc_controller *c, uint32_t row)
{
    struct sm_list replicas = kc_row_replicas(c, row);
    char list[SM_REPLICAS_MAX * 13];
    char live[1024];
    char text[2048];

    kc_text_brokers(c, live, sizeof live, ", ", KC_BROKER_LIVE | KC_BROKER_SHUTTING_DOWN,
                    KC_BROKER_LIVE);
    snprintf(text, sizeof text,
             "kafka.common.StateChangeFailedException: Controller %d epoch %d encountered error "
             "during state change of partition %s-%d from New to Online, assigned replicas are "
             "[%s], live brokers are [Set(%s)]. No assigned replica is alive.",
             c->config.broker.id, c->epoch, kc_row_topic(c, row), kc_row_at(c, row)->partition,
             kc_text_list(list, sizeof list, &replicas, ","), live);
    kc_partition_failed(c, row, SM_PARTITION_NEW, SM_PARTITION_ONLINE, text);
}

/* New partitions without a live replica stay New; the next broker that starts tries again. */
enum kc_next kc_find_live_replicas(struct kc_controller *c, struct kc_frame *f)
{
    if (c->call.target != SM_PARTITION_ONLINE) {
        return KC_NEXT;
    }
    for (uint32_t row = kc_set_next(c, KC_SET_WORK, f->cursor); row != KC_NO_ROW;
         row = kc_set_next(c, KC_SET_WORK, row + 1)) {
        f->cursor = row + 1;
        if (kc_row_at(c, row)->state == SM_PARTITION_NEW && live_replicas(c, row).count == 0) {
            fail_no_live_replica(c, row);
            kc_set_remove(c, KC_SET_WORK, row);
        }
        if (kc_worked(c)) {
            return KC_YIELD;
        }
    }
    return KC_NEXT;
}

/* ---- initialise: three waves of creates; only the last one's answer counts ---- */

static uint32_t next_new(struct kc_controller *c, struct kc_frame *f)
{
    if (c->call.target != SM_PARTITION_ONLINE) {
        return KC_NO_ROW;
    }
    for (uint32_t row = kc_set_next(c, KC_SET_WORK, f->cursor); row != KC_NO_ROW;
         row = kc_set_next(c, KC_SET_WORK, row + 1)) {
        f->cursor = row + 1;
        if (kc_row_at(c, row)->state == SM_PARTITION_NEW) {
            return row;
        }
    }
    return KC_NO_ROW;
}

static bool select_new(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    s->row = next_new(c, f);
    return s->row != KC_NO_ROW;
}

static bool select_new_topic(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    for (uint32_t row = next_new(c, f); row != KC_NO_ROW; row = next_new(c, f)) {
        struct kc_topic *t = kc_topic(c, kc_row_at(c, row)->topic - 1);
        if (t->create_call != c->call.number) {
            t->create_call = c->call.number; /* once a topic and call */
            s->row = row;
            return true;
        }
    }
    return false;
}

static bool ask_create_partitions(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                  struct kc_ask *ask)
{
    (void)f;
    ask->opcode = WIRE_ZK_CREATE;
    ask->fenced = 1;
    sm_path_topic_partitions(ask->path, kc_row_topic(c, s->row));
    return true;
}

static bool ask_create_partition(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                 struct kc_ask *ask)
{
    (void)f;
    ask->opcode = WIRE_ZK_CREATE;
    ask->fenced = 1;
    sm_path_partition(ask->path, kc_row_topic(c, s->row), kc_row_at(c, s->row)->partition);
    return true;
}

enum { STATE_CREATE, STATE_LOOK };

static bool ask_create_state(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                             struct kc_ask *ask)
{
    struct sm_list live = live_replicas(c, s->row);

    (void)f;
    if (s->stage == STATE_LOOK) {
        kc_ask_state_read(c, s->row, ask);
        return true;
    }
    if (!sm_initial_leader_and_isr(&live, c->epoch, &s->plan)) {
        return false;
    }
    kc_ask_state_write(c, s, ask);
    ask->opcode = WIRE_ZK_CREATE;
    return true;
}

static enum kc_slot_next answer_any(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                    int32_t err, const struct wire_zk_result_view *r)
{
    (void)c, (void)f, (void)s, (void)err, (void)r;
    return KC_SLOT_DONE;
}

static enum kc_slot_next state_is_created(struct kc_controller *c, struct kc_slot *s)
{
    struct sm_assignment a = kc_row_assignment(c, s->row);

    kc_put_leadership(c, s->row, &s->plan);
    kc_batch_leader_and_isr(c, &s->plan.isr, s->row, &s->plan, &a, true);
    kc_partition_online(c, s->row);
    kc_set_remove(c, KC_SET_WORK, s->row); /* not an election: no result */
    return KC_SLOT_DONE;
}

/* Whether the znode is what this slot's group has written, before the answer to it was lost. */
static bool is_own_state(struct kc_controller *c, struct kc_slot *s, int32_t err,
                         const struct wire_zk_result_view *r)
{
    struct sm_leader_and_isr meant = s->plan;

    return kc_read_state(c, s, err, r) == KC_STATE_READ &&
           sm_leader_and_isr_equal(&meant, &s->plan);
}

/* A state that is there already leaves its partition New until the next failover, as in Kafka,
   where a lost answer strands one partition (SM_DEFECT_OWN_STATE_REFUSED). It would strand a whole
   group here: so where a group was refused, and without the defect always, each looks whether it
   meets itself. */
static enum kc_slot_next answer_create_state(struct kc_controller *c, struct kc_frame *f,
                                             struct kc_slot *s, int32_t err,
                                             const struct wire_zk_result_view *r)
{
    (void)f;
    if (s->stage == STATE_LOOK ? is_own_state(c, s, err, r) : err == WIRE_ZK_OK) {
        return state_is_created(c, s);
    }
    bool looks = s->alone || !kc_defect(c, SM_DEFECT_OWN_STATE_REFUSED);
    if (s->stage == STATE_CREATE && err == WIRE_ZK_NODE_EXISTS && looks) {
        s->stage = STATE_LOOK;
        return KC_SLOT_ASK;
    }
    kc_partition_failed_zk(c, s->row, s->stage == STATE_LOOK ? WIRE_ZK_NODE_EXISTS : err);
    return KC_SLOT_DONE;
}

const struct kc_bulk kc_create_partitions = {
    .select = select_new_topic, .ask = ask_create_partitions, .answer = answer_any};
const struct kc_bulk kc_create_partition = {
    .select = select_new, .ask = ask_create_partition, .answer = answer_any};
const struct kc_bulk kc_create_state = {
    .select = select_new, .ask = ask_create_state, .answer = answer_create_state};
