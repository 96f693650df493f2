/*
 * The partition state machine at work: move many partitions to one state.
 *
 *   check         which may move (the table decides); New, Offline and NonExistent are done here,
 *                 for they touch neither ZooKeeper nor brokers
 *   initialise    New -> Online: leader and ISR are the live replicas; three waves of creates
 *   elect         Offline or Online -> Online: read the state, choose, write if unchanged
 *   send          one batch for the call
 *
 * Here is the call; its bulk work is in partition_create.c (initialise) and partition_elect.c, what
 * they share (the state znode, lines, refusals) in partition_state_znode.c, and the raise of a
 * leader epoch without an election, which reassignments need, in leader_epoch.c.
 *
 * An election always writes, also where the leader stays: the epoch rises and everybody is told.
 * The results stay in the rows (kc_partition.result) until the caller has looked at them.
 *
 * Source: Kafka 2.8.2 ZkPartitionStateMachine, Election.scala.
 */
#include "controller/partition_parts.h"

static void call(struct kc_controller *c, enum sm_partition_state target, enum sm_strategy strategy,
                 bool allow_unclean)
{
    c->call.target = target;
    c->call.strategy = strategy;
    c->call.allow_unclean = allow_unclean;
    c->call.number++;
    kc_call(c, KC_FLOW_PARTITION_CHANGE, 0);
}

void kc_partitions_call(struct kc_controller *c, enum sm_partition_state target,
                        enum sm_strategy strategy, bool allow_unclean)
{
    if (!kc_set_is_empty(c, KC_SET_WORK)) {
        call(c, target, strategy, allow_unclean);
        if (kc_is_old(c)) {
            kc_log_invoked_partitions(c);
        }
    }
}

/* ---- rows ---- */

static enum kc_next begin(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (!kc_batch_begin(c, KC_OWNER_PARTITIONS)) {
        return kc_throw(c, SM_ERR_ILLEGAL_STATE,
                        "java.lang.IllegalStateException: Controller to broker state change "
                        "requests batch is not empty while creating a new one");
    }
    return KC_NEXT;
}

static enum kc_next check(struct kc_controller *c, struct kc_frame *f)
{
    for (uint32_t row = kc_set_next(c, KC_SET_WORK, f->cursor); row != KC_NO_ROW;
         row = kc_set_next(c, KC_SET_WORK, row + 1)) {
        f->cursor = row + 1;
        kc_row_at(c, row)->result = KC_RESULT_NONE;
        if (!sm_partition_may_move(&c->config.profile, kc_row_at(c, row)->state, c->call.target)) {
            kc_refuse_partition(c, row, c->call.target);
            kc_set_remove(c, KC_SET_WORK, row);
        } else if (c->call.target != SM_PARTITION_ONLINE) {
            kc_log_partition_move(c, row, c->call.target);
            kc_put_partition_state(c, row, c->call.target, false);
        }
        if (kc_worked(c)) {
            return KC_YIELD;
        }
    }
    return KC_NEXT;
}

static enum kc_next send(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_batch_send(c);
    return KC_NEXT;
}

/* Every partition of the call gets the error, as in Kafka's result map. */
static enum kc_catch swallow(struct kc_controller *c, struct kc_frame *f)
{
    bool moved = c->error == SM_ERR_CONTROLLER_MOVED;

    (void)f;
    kc_log(c, KC_ERROR, "[PartitionStateMachine controllerId=%d] %s %s state\n%s",
           c->config.broker.id,
           moved ? "Controller moved to another broker when moving some partitions to"
                 : "Error while moving some partitions to",
           sm_partition_state_name(c->call.target), kc_error_text(c));
    kc_batch_drop(c, true);
    for (uint32_t row = kc_set_next(c, KC_SET_WORK, 0); row != KC_NO_ROW && !moved;
         row = kc_set_next(c, KC_SET_WORK, row + 1)) {
        kc_row_at(c, row)->result = KC_RESULT_ERROR;
    }
    return moved ? KC_RETHROW : KC_SWALLOW;
}

static const struct kc_row rows[] = {
    {.name = "begin", .run = begin},
    {.name = "check", .run = check},
    {.name = "find live replicas", .run = kc_find_live_replicas},
    {.name = "create …/partitions", .bulk = &kc_create_partitions},
    {.name = "create …/partitions/P", .bulk = &kc_create_partition},
    {.name = "create …/partitions/P/state", .bulk = &kc_create_state},
    {.name = "elect", .bulk = &kc_elect_leaders},
    {.name = "send", .run = send},
    {0},
};

const struct kc_flow_def kc_flow_PARTITION_CHANGE = {
    .name = "PartitionStateMachine.handleStateChanges", .rows = rows, .on_error = swallow};

/* ---- triggerOnlinePartitionStateChange ---- */

/* arg: topic + 1, or 0 for all. */
static enum kc_next trigger(struct kc_controller *c, struct kc_frame *f)
{
    kc_set_clear(c, KC_SET_WORK);
    for (uint32_t row = kc_set_next(c, KC_SET_PENDING, 0); row != KC_NO_ROW;
         row = kc_set_next(c, KC_SET_PENDING, row + 1)) {
        bool wanted = f->arg == 0 || kc_row_at(c, row)->topic == f->arg;
        if (wanted && kc_row_is_assigned(c, row) && !kc_is_given_up(c, row)) {
            kc_set_add(c, KC_SET_WORK, row);
        }
    }
    if (!kc_set_is_empty(c, KC_SET_WORK)) {
        call(c, SM_PARTITION_ONLINE, SM_STRATEGY_OFFLINE, false);
    }
    return KC_NEXT;
}

static const struct kc_row trigger_rows[] = {{.name = "trigger", .run = trigger}, {0}};

const struct kc_flow_def kc_flow_TRIGGER_ONLINE = {.name = "triggerOnlinePartitionStateChange",
                                                   .rows = trigger_rows};
