/*
 * A partition's state znode, read and asked to be written; and what the partition machine says of a
 * partition: that it moved, may not move, failed to.
 *
 * Source: Kafka 2.8.2 KafkaZkClient.getTopicPartitionStatesRaw, updateLeaderAndIsr;
 * ZkPartitionStateMachine.logFailedStateChange, logInvalidTransition.
 */
#include "controller/partition_parts.h"

#include <stdio.h>

/* ---- reading and writing a state znode, shared with the other flows ---- */

enum kc_state_read kc_read_state(struct kc_controller *c, struct kc_slot *s, int32_t err,
                                 const struct wire_zk_result_view *r)
{
    struct sm_leader_and_isr *li = &s->plan;
    char path[SM_PATH_MAX];

    if (err == WIRE_ZK_NO_NODE) {
        return KC_STATE_MISSING;
    }
    if (err != WIRE_ZK_OK) {
        return KC_STATE_FAILED;
    }
    if (sm_znode_decode_state((const char *)r->data, r->result->data_size, r->result->stat.version,
                              li) != SM_ERR_OK) {
        sm_path_partition_state(path, kc_row_topic(c, s->row), kc_row_at(c, s->row)->partition);
        kc_log_unreadable(c, path);
        return KC_STATE_MISSING;
    }
    return li->controller_epoch > c->epoch ? KC_STATE_NEWER_CONTROLLER : KC_STATE_READ;
}

void kc_ask_state_read(struct kc_controller *c, uint32_t row, struct kc_ask *ask)
{
    ask->opcode = WIRE_ZK_GET_DATA;
    ask->watch = (kc_row_at(c, row)->flags & KC_PARTITION_STATE_WATCH) != 0;
    sm_path_partition_state(ask->path, kc_row_topic(c, row), kc_row_at(c, row)->partition);
}

bool kc_ask_slot_state(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                       struct kc_ask *ask)
{
    (void)f;
    kc_ask_state_read(c, s->row, ask);
    return true;
}

void kc_ask_state_write(struct kc_controller *c, struct kc_slot *s, struct kc_ask *ask)
{
    ask->opcode = WIRE_ZK_SET_DATA;
    ask->fenced = 1;
    ask->version = s->plan.zk_version;
    ask->data_size = (uint32_t)sm_znode_encode_state(ask->small, &s->plan);
    ask->data = ask->small;
    ask->has_data = 1;
    sm_path_partition_state(ask->path, kc_row_topic(c, s->row), kc_row_at(c, s->row)->partition);
}

/* ---- log ---- */

void kc_partition_failed(struct kc_controller *c, uint32_t row, enum sm_partition_state from,
                         enum sm_partition_state to, const char *exception)
{
    if (!kc_notes(c, KC_NOTE_LOG | KC_NOTE_LOG_TRACE)) {
        return;
    }
    kc_state_log(
        c, KC_ERROR,
        "Controller %d epoch %d failed to change state for partition %s-%d from %s to %s\n%s",
        c->config.broker.id, c->epoch, kc_row_topic(c, row), kc_row_at(c, row)->partition,
        sm_partition_state_name(from), sm_partition_state_name(to), exception);
    kc_state_log_old(c, KC_ERROR,
                     "initiated state change for partition [%s,%d] from %s to %s failed\n%s",
                     kc_row_topic(c, row), kc_row_at(c, row)->partition,
                     sm_partition_state_name(from), sm_partition_state_name(to), exception);
}

static void text_predecessors(struct kc_controller *c, enum sm_partition_state to, char *out,
                              size_t size)
{
    uint32_t allowed = sm_partition_predecessors(&c->config.profile, to);
    size_t at = 0;

    out[0] = '\0';
    for (int s = SM_PARTITION_NEW; s <= SM_PARTITION_NONEXISTENT && at < size; s++) {
        if ((allowed >> s & 1) != 0) {
            at += (size_t)snprintf(out + at, size - at, "%s%s", at > 0 ? "," : "",
                                   sm_partition_state_name(s));
        }
    }
}

void kc_refuse_partition(struct kc_controller *c, uint32_t row, enum sm_partition_state to)
{
    enum sm_partition_state from = kc_row_at(c, row)->state;
    char allowed[128];
    char text[512];

    text_predecessors(c, to, allowed, sizeof allowed);
    snprintf(
        text, sizeof text,
        "java.lang.IllegalStateException: Partition %s-%d should be in one of %s states before "
        "moving to %s state. Instead it is in %s state",
        kc_row_topic(c, row), kc_row_at(c, row)->partition, allowed, sm_partition_state_name(to),
        sm_partition_state_name(from));
    if (kc_notes(c, KC_NOTE_MOVE)) {
        kc_emit(c, &(struct kc_output){.kind = KC_OUT_MOVE,
                                       .machine = KC_MACHINE_PARTITION,
                                       .topic = kc_row_topic(c, row),
                                       .partition = kc_row_at(c, row)->partition,
                                       .from = (uint8_t)from,
                                       .to = (uint8_t)to,
                                       .text = text});
    }
    kc_partition_failed(c, row, from, to, text);
}

void kc_log_partition_move(struct kc_controller *c, uint32_t row, enum sm_partition_state to)
{
    const struct kc_partition *p = kc_row_at(c, row);
    char list[SM_REPLICAS_MAX * 13];

    if (!kc_notes(c, KC_NOTE_LOG | KC_NOTE_LOG_TRACE)) {
        return;
    }
    if (to == SM_PARTITION_NEW) {
        struct sm_list replicas = kc_row_replicas(c, row);
        kc_state_log(
            c, KC_INFO,
            "Changed partition %s-%d state from %s to NewPartition with assigned replicas %s",
            kc_row_topic(c, row), p->partition, sm_partition_state_name(p->state),
            kc_text_list(list, sizeof list, &replicas, ","));
        kc_state_log_old(
            c, KC_TRACE,
            "changed partition [%s,%d] state from %s to NewPartition with assigned replicas %s",
            kc_row_topic(c, row), p->partition, sm_partition_state_name(p->state), list);
    } else {
        kc_state_log(c, KC_TRACE, "Changed partition %s-%d state from %s to %s",
                     kc_row_topic(c, row), p->partition, sm_partition_state_name(p->state),
                     sm_partition_state_name(to));
        kc_state_log_old(c, KC_TRACE, "changed partition [%s,%d] state from %s to %s",
                         kc_row_topic(c, row), p->partition, sm_partition_state_name(p->state),
                         sm_partition_state_name(to));
    }
}

void kc_partition_online(struct kc_controller *c, uint32_t row)
{
    if (kc_notes(c, KC_NOTE_LOG | KC_NOTE_LOG_TRACE)) {
        struct sm_leader_and_isr li = kc_row_leadership(c, row);
        char text[SM_REPLICAS_MAX * 13 + 128];
        kc_text_leadership(text, sizeof text, &li);
        kc_state_log(c, KC_INFO, "Changed partition %s-%d from %s to OnlinePartition with state %s",
                     kc_row_topic(c, row), kc_row_at(c, row)->partition,
                     sm_partition_state_name(kc_row_at(c, row)->state), text);
        kc_state_log_old(c, KC_TRACE,
                         "changed partition [%s,%d] from %s to OnlinePartition with leader %d",
                         kc_row_topic(c, row), kc_row_at(c, row)->partition,
                         sm_partition_state_name(kc_row_at(c, row)->state), li.leader);
    }
    kc_put_partition_state(c, row, SM_PARTITION_ONLINE, false);
}

void kc_partition_failed_zk(struct kc_controller *c, uint32_t row, int32_t err)
{
    char text[160];

    snprintf(text, sizeof text, "org.apache.zookeeper.KeeperException: KeeperErrorCode = %s",
             wire_zk_err_name(err));
    kc_partition_failed(c, row, kc_row_at(c, row)->state, SM_PARTITION_ONLINE, text);
}

/* Kafka 2.8.2 leaves the removed replicas in the ISR until they are stopped one by one
 * (KAFKA-9672). */
void kc_drop_unassigned(const struct kc_controller *c, const struct sm_assignment *a,
                        struct sm_leader_and_isr *li)
{
    struct sm_list assigned = sm_list_intersect(&li->isr, &a->replicas);

    if (!kc_defect(c, SM_DEFECT_ISR_OUTSIDE_REPLICAS) && assigned.count > 0) {
        li->isr = assigned;
    }
}
