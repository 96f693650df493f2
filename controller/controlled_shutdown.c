/*
 * A broker asks to leave: what it leads is led by others, what it follows is stopped and leaves
 * ISRs; the answer lists what it still leads.
 *
 * Source: Kafka KafkaController.doControlledShutdown.
 */
#include "controller/state.h"

#include <assert.h>
#include <stdio.h>

static const struct wire_call *call_of(const struct kc_controller *c)
{
    return kc_event_bytes(c, &c->event);
}

static void answer_shutdown(struct kc_controller *c, int32_t error)
{
    struct wire_call answer = {
        .size = sizeof answer, .api = WIRE_API_CONTROLLED_SHUTDOWN, .error = error};

    kc_reply(c, &answer);
}

static int32_t refuse_shutdown(struct kc_controller *c, const struct wire_call *call)
{
    uint32_t broker = kc_broker_find(c, call->broker_id);
    bool live = broker != KC_NO_ROW && kc_broker_is(c, broker, KC_BROKER_LIVE);

    if (!kc_is_active(c)) {
        return WIRE_ERROR_STALE_CONTROLLER_EPOCH; /* ControllerMovedException */
    }
    if (call->broker_epoch != -1) {
        if (!live) {
            return WIRE_ERROR_UNKNOWN_SERVER_ERROR; /* NoSuchElementException */
        }
        if (call->broker_epoch < kc_broker(c, broker)->epoch) {
            kc_log(
                c, KC_INFO,
                "[Controller id=%d] Received controlled shutdown request from an old broker epoch "
                "%lld for broker %d. Current broker epoch is %lld.",
                c->config.broker.id, (long long)call->broker_epoch, call->broker_id,
                (long long)kc_broker(c, broker)->epoch);
            return WIRE_ERROR_STALE_BROKER_EPOCH;
        }
    }
    kc_log(c, KC_INFO, "[Controller id=%d] Shutting down broker %d", c->config.broker.id,
           call->broker_id);
    return live ? WIRE_ERROR_NONE : WIRE_ERROR_BROKER_NOT_AVAILABLE;
}

static bool concerns(struct kc_controller *c, uint32_t row, uint32_t broker)
{
    return kc_row_is_assigned(c, row) && kc_row_at(c, row)->replica_count > 1 &&
           kc_has_leadership(c, row) && !kc_is_given_up(c, row) &&
           kc_row_has_replica(c, row, broker);
}

/* arg: the broker. LISTED: what it follows; WORK: what it leads. */
static enum kc_next shutdown_begin(struct kc_controller *c, struct kc_frame *f)
{
    const struct wire_call *call = call_of(c);
    int32_t error = refuse_shutdown(c, call);

    if (error != WIRE_ERROR_NONE) {
        answer_shutdown(c, error);
        return KC_RETURN;
    }
    f->arg = kc_broker_find(c, call->broker_id);
    kc_broker(c, f->arg)->flags |= KC_BROKER_SHUTTING_DOWN;
    kc_note_live(c);
    kc_set_clear(c, KC_SET_WORK);
    kc_set_clear(c, KC_SET_LISTED);
    for (uint32_t row = 0; row < c->partition_high; row++) {
        if (concerns(c, row, f->arg)) {
            bool leads = kc_row_at(c, row)->leader == call->broker_id;
            kc_set_add(c, leads ? KC_SET_WORK : KC_SET_LISTED, row);
        }
    }
    kc_partitions_call(c, SM_PARTITION_ONLINE, SM_STRATEGY_CONTROLLED_SHUTDOWN, false);
    return KC_NEXT;
}

static enum kc_next stop_followed(struct kc_controller *c, struct kc_frame *f)
{
    if (!kc_batch_is_open(c)) {
        kc_batch_begin(c, KC_OWNER_CONTROLLER);
    }
    for (uint32_t row = kc_set_next(c, KC_SET_LISTED, f->cursor); row != KC_NO_ROW;
         row = kc_set_next(c, KC_SET_LISTED, row + 1)) {
        f->cursor = row + 1;
        kc_batch_stop_replica(c, f->arg, row, false);
        if (kc_worked(c)) {
            return KC_YIELD;
        }
    }
    kc_batch_send(c);
    return KC_NEXT;
}

static bool is_broker(struct kc_controller *c, uint32_t row, uint32_t broker, uint32_t arg)
{
    (void)c, (void)row;
    return broker == arg;
}

static enum kc_next followed_offline(struct kc_controller *c, struct kc_frame *f)
{
    kc_replicas_select_in(c, KC_SET_LISTED, is_broker, f->arg);
    kc_replicas_call(c, SM_REPLICA_OFFLINE);
    return KC_NEXT;
}

static enum kc_next answer_remaining(struct kc_controller *c, struct kc_frame *f)
{
    struct wire_call head = {.api = WIRE_API_CONTROLLED_SHUTDOWN};
    struct wire_call_builder b;
    size_t capacity;
    char *out = kc_room(c, 0, &capacity);
    int32_t id = kc_broker(c, f->arg)->id;

    wire_call_begin(&b, out, capacity, &head);
    for (uint32_t row = 0; row < c->partition_high; row++) {
        if (concerns(c, row, f->arg) && kc_row_at(c, row)->leader == id) {
            wire_call_add(&b, kc_row_topic(c, row), kc_row_at(c, row)->partition, 0, false, NULL);
        }
    }
    const struct wire_call *answer = wire_call_end(&b);
    if (answer == NULL) {
        answer_shutdown(c, WIRE_ERROR_UNKNOWN_SERVER_ERROR);
    } else {
        kc_reply(c, answer);
    }
    return KC_NEXT;
}

/* Whatever it throws is the answer, and ends there: also ControllerMoved, so that no resignation
   follows from this event (Scala's Try). */
static enum kc_catch answer_error(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (kc_batch_is_open(c)) {
        kc_batch_drop(c, false);
    }
    answer_shutdown(c, c->error == SM_ERR_CONTROLLER_MOVED ? WIRE_ERROR_STALE_CONTROLLER_EPOCH
                                                           : WIRE_ERROR_UNKNOWN_SERVER_ERROR);
    return KC_SWALLOW;
}

static const struct kc_row shutdown_rows[] = {
    {.name = "others lead", .run = shutdown_begin},
    {.name = "stop what it follows", .run = stop_followed},
    {.name = "it leaves the ISRs", .run = followed_offline},
    {.name = "answer", .run = answer_remaining},
    {0},
};
const struct kc_flow_def kc_flow_CONTROLLED_SHUTDOWN = {
    .name = "ControlledShutdown", .rows = shutdown_rows, .on_error = answer_error};
