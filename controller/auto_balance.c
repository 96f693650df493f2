/*
 * Preferred elections by the clock: where more than a given share of the partitions that prefer a
 * broker is led by others, those that it may lead go back to it.
 *
 *     every leader.imbalance.check.interval: count per preferred broker ─► broker by broker: elect
 *
 * Source: Kafka KafkaController.checkAndTriggerAutoLeaderRebalance.
 */
#include "controller/state.h"

enum { PREFERRED };

static bool is_balanced_candidate(struct kc_controller *c, uint32_t row)
{
    return kc_row_is_assigned(c, row) && kc_row_at(c, row)->replica_count > 0 &&
           !kc_is_queued(c, row);
}

static uint32_t head_of(const struct kc_controller *c, uint32_t row)
{
    return kc_replicas(c, kc_row_at(c, row))[0];
}

static bool leads_elsewhere(struct kc_controller *c, uint32_t row)
{
    return kc_has_leadership(c, row) &&
           kc_row_at(c, row)->leader != kc_broker(c, head_of(c, row))->id;
}

static enum kc_next count_imbalance(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (!kc_is_active(c)) {
        return KC_RETURN;
    }
    kc_log(c, KC_INFO, "[Controller id=%d] Processing automatic preferred replica leader election",
           c->config.broker.id);
    for (uint32_t i = 0; i < c->broker_count; i++) {
        kc_broker(c, i)->head_total = kc_broker(c, i)->head_imbalanced = 0;
    }
    for (uint32_t row = 0; row < c->partition_high; row++) {
        if (is_balanced_candidate(c, row)) {
            kc_broker(c, head_of(c, row))->head_total++;
            kc_broker(c, head_of(c, row))->head_imbalanced += leads_elsewhere(c, row);
        }
    }
    return KC_NEXT;
}

/* Before KAFKA-9866 it was enough that the preferred replica lives. */
static bool may_be_led_by_head(struct kc_controller *c, uint32_t row)
{
    const struct kc_partition *p = kc_row_at(c, row);
    uint32_t head = head_of(c, row);

    if (kc_defect(c, SM_DEFECT_PREFERRED_NOT_IN_ISR)) {
        return kc_is_online(c, row, head);
    }
    for (uint32_t i = 0; i < p->isr_count; i++) {
        if (kc_isr(c, p)[i] == head) {
            return kc_is_online(c, row, head);
        }
    }
    return false;
}

static void list_candidates(struct kc_controller *c, uint32_t broker)
{
    kc_set_clear(c, KC_SET_LISTED);
    if (!kc_set_is_empty(c, KC_SET_REASSIGNING)) {
        return; /* any reassignment anywhere; per partition since 3.x */
    }
    for (uint32_t row = 0; row < c->partition_high; row++) {
        if (is_balanced_candidate(c, row) && head_of(c, row) == broker && leads_elsewhere(c, row) &&
            may_be_led_by_head(c, row)) {
            kc_set_add(c, KC_SET_LISTED, row);
        }
    }
}

static enum kc_next balance_brokers(struct kc_controller *c, struct kc_frame *f)
{
    while (f->cursor < c->broker_count) {
        uint32_t broker = kc_broker_ordered(c, f->cursor++);
        const struct kc_broker *b = kc_broker(c, broker);
        /* imbalanced / total > percentage / 100, without a fraction */
        if ((uint64_t)b->head_imbalanced * 100 >
            (uint64_t)b->head_total * (uint64_t)c->config.leader_imbalance_percentage) {
            list_candidates(c, broker);
            kc_election_call(c, PREFERRED, KC_TRIGGER_AUTO);
            return KC_STAY;
        }
    }
    return KC_NEXT;
}

static void schedule(struct kc_controller *c)
{
    kc_emit(c,
            &(struct kc_output){.kind = KC_OUT_TIMER,
                                .timer = KC_TIMER_BALANCE,
                                .due_us = c->step->now_us + c->config.leader_imbalance_check_us});
}

static enum kc_next schedule_next(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    schedule(c);
    return KC_NEXT;
}

static enum kc_catch schedule_anyway(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    schedule(c);
    return KC_RETHROW;
}

static const struct kc_row balance_rows[] = {
    {.name = "count", .run = count_imbalance},
    {.name = "elect", .run = balance_brokers},
    {.name = "schedule the next", .run = schedule_next},
    {0},
};
const struct kc_flow_def kc_flow_AUTO_BALANCE = {.name = "AutoPreferredReplicaLeaderElection",
                                                 .rows = balance_rows,
                                                 .on_error = schedule_anyway};
