/*
 * Senders: one to each broker that lives, one request in flight, in order.
 *
 * A sender is a cursor into the list of batches, no queue of its own:
 *
 *      batch 41        batch 42        batch 43
 *        LUS             L.S             .U.         what each holds for this broker
 *                        ^ in flight: LeaderAndIsr of 42; next StopReplica of 42, then 43
 *
 * A request whose connection broke is sent again after a pause until an answer comes or the broker
 * goes: at least once, in order. A sender that is opened starts behind all that was said before;
 * one that is closed forgets everything.
 *
 * Source: Kafka ControllerChannelManager, RequestSendThread.
 */
#include "controller/state.h"

#include <assert.h>
#include <string.h>

enum { STAGES = 3 };

static const enum wire_record_kind record_of[STAGES] = {
    WIRE_RECORD_LEADER_AND_ISR, WIRE_RECORD_UPDATE_METADATA, WIRE_RECORD_STOP_REPLICA};
static const int32_t api_of[STAGES] = {WIRE_API_LEADER_AND_ISR, WIRE_API_UPDATE_METADATA,
                                       WIRE_API_STOP_REPLICA};

static void say_thread(struct kc_controller *c, const struct kc_broker *b, const char *what)
{
    kc_log_new(c, KC_INFO, "[RequestSendThread controllerId=%d] %s", c->config.broker.id, what);
    kc_log_old(c, KC_INFO, "[Controller-%d-to-broker-%d-send-thread], %s", c->config.broker.id,
               b->id, what);
}

void kc_channel_open(struct kc_controller *c, uint32_t broker)
{
    struct kc_broker *b = kc_broker(c, broker);

    if ((b->flags & KC_BROKER_CHANNEL) != 0) {
        return;
    }
    b->flags |= KC_BROKER_CHANNEL;
    b->cursor = kc_batch_end(c);
    b->stage = 0;
    b->sent = b->connected = 0;
    kc_log(c, KC_DEBUG,
           "[Channel manager on controller %d]: Controller %d trying to connect to broker %d",
           c->config.broker.id, c->config.broker.id, b->id);
    say_thread(c, b, "Starting");
}

void kc_channel_close(struct kc_controller *c, uint32_t broker)
{
    struct kc_broker *b = kc_broker(c, broker);

    if ((b->flags & KC_BROKER_CHANNEL) == 0) {
        return;
    }
    if ((b->flags & KC_BROKER_BACKOFF) != 0) {
        kc_emit(c, &(struct kc_output){
                       .kind = KC_OUT_TIMER, .timer = KC_TIMER_CHANNEL + broker, .due_us = -1});
    }
    b->flags &= ~(uint32_t)(KC_BROKER_CHANNEL | KC_BROKER_BUSY | KC_BROKER_BACKOFF);
    b->cursor = 0;
    b->stage = 0;
    b->correlation = 0;
    kc_emit(c, &(struct kc_output){.kind = KC_OUT_CLOSE, .broker_id = b->id});
    say_thread(c, b, "Shutting down");
    say_thread(c, b, "Stopped");
    say_thread(c, b, "Shutdown completed");
}

static void send(struct kc_controller *c, struct kc_broker *b)
{
    b->flags |= KC_BROKER_BUSY;
    b->correlation = ++c->correlation;
    b->sent++;
    kc_emit(c, &(struct kc_output){.kind = KC_OUT_SEND,
                                   .broker_id = b->id,
                                   .api = api_of[b->stage],
                                   .correlation = b->correlation,
                                   .batch = kc_batch_at(c, b->cursor)});
}

void kc_channel_pump(struct kc_controller *c, uint32_t broker)
{
    struct kc_broker *b = kc_broker(c, broker);

    if ((b->flags & (KC_BROKER_CHANNEL | KC_BROKER_BUSY | KC_BROKER_BACKOFF)) !=
        KC_BROKER_CHANNEL) {
        return;
    }
    while (b->cursor < kc_batch_end(c)) {
        const struct wire_batch *batch = kc_batch_at(c, b->cursor);
        for (; b->stage < STAGES; b->stage++) {
            if (wire_batch_is_for(batch, record_of[b->stage], broker)) {
                send(c, b);
                return;
            }
        }
        b->cursor += batch->size;
        b->stage = 0;
    }
}

void kc_channels_pump(struct kc_controller *c)
{
    for (uint32_t n = 0; n < c->broker_count; n++) {
        kc_channel_pump(c, kc_broker_ordered(c, n));
    }
}

/* ---- answers ---- */

/* Puts an event that carries the listed items of an answer, and pins the batch it is about. */
static void put_answer(struct kc_controller *c, enum kc_event_kind kind, const struct kc_broker *b,
                       const struct wire_answer *a)
{
    if (c->shut_down != KC_RUNS) {
        return;
    }
    kc_batch_at(c, b->cursor)->pins++;
    kc_put_event(c,
                 &(struct kc_event){.kind = kind,
                                    .broker_id = b->id,
                                    .error = a->error,
                                    .partition_error = a->partition_error,
                                    .batch = b->cursor},
                 a->items, a->count * (uint32_t)sizeof *a->items);
}

/* Source: the callback in sendStopReplicaRequests: only deleted partitions of topics whose deletion
   has started matter, and an answer with only a top-level error lists no partitions. */
static bool concerns_deletion(struct kc_controller *c, const struct kc_broker *b, uint32_t broker,
                              const struct wire_answer *a)
{
    const struct wire_batch *batch = kc_batch_at(c, b->cursor);
    struct wire_record_view v = {0};

    if (a->error != WIRE_ERROR_NONE) {
        return false;
    }
    while (wire_batch_next_for(batch, WIRE_RECORD_STOP_REPLICA, broker, &v)) {
        bool deleted = (v.flag[broker / 64] >> broker % 64 & 1) != 0;
        if (!deleted && !kc_defect(c, SM_DEFECT_STOP_TAKEN_FOR_DELETE)) {
            continue;
        }
        uint32_t topic = kc_topic_find(c, v.topic);
        if (topic != KC_NO_ROW && (kc_topic(c, topic)->flags & KC_TOPIC_STARTED) != 0) {
            return true;
        }
    }
    return false;
}

static void put_event(struct kc_controller *c, const struct kc_broker *b, uint32_t broker,
                      const struct wire_answer *a)
{
    switch (api_of[b->stage]) {
    case WIRE_API_LEADER_AND_ISR:
        put_answer(c, KC_EVENT_LEADER_AND_ISR_RESPONSE_RECEIVED, b, a);
        break;
    case WIRE_API_UPDATE_METADATA:
        put_answer(c, KC_EVENT_UPDATE_METADATA_RESPONSE_RECEIVED, b, a);
        break;
    case WIRE_API_STOP_REPLICA:
        if (concerns_deletion(c, b, broker, a)) {
            put_answer(c, KC_EVENT_TOPIC_DELETION_STOP_REPLICA_RESPONSE_RECEIVED, b, a);
        }
        break;
    }
}

static uint32_t waiting_for(struct kc_controller *c, const struct kc_input *in)
{
    uint32_t broker = kc_broker_find(c, in->broker_id);

    if (broker == KC_NO_ROW || !kc_broker_is(c, broker, KC_BROKER_BUSY) ||
        kc_broker(c, broker)->correlation != in->correlation) {
        return KC_NO_ROW; /* of a sender that was closed */
    }
    return broker;
}

void kc_channel_answer(struct kc_controller *c, const struct kc_input *in)
{
    uint32_t broker = waiting_for(c, in);

    if (broker == KC_NO_ROW) {
        return;
    }
    struct kc_broker *b = kc_broker(c, broker);
    if (!b->connected) {
        b->connected = 1;
        kc_log_connected(c, broker);
    }
    kc_log_answer(c, broker, api_of[b->stage], kc_batch_at(c, b->cursor), in->answer);
    put_event(c, b, broker, in->answer);
    b->flags &= ~(uint32_t)KC_BROKER_BUSY;
    b->correlation = 0;
    b->stage++;
    kc_channel_pump(c, broker);
    kc_batch_trim(c);
}

void kc_channel_failed(struct kc_controller *c, const struct kc_input *in)
{
    uint32_t broker = waiting_for(c, in);

    if (broker == KC_NO_ROW) {
        return;
    }
    struct kc_broker *b = kc_broker(c, broker);
    kc_log_new(
        c, KC_WARN,
        "[RequestSendThread controllerId=%d] Controller %d epoch %d fails to send request to "
        "broker %d. Reconnecting to broker.",
        c->config.broker.id, c->config.broker.id, c->epoch, b->id);
    kc_log_old(c, KC_WARN,
               "[Controller-%d-to-broker-%d-send-thread], Controller %d epoch %d fails to send "
               "request to broker %d. Reconnecting to broker.",
               c->config.broker.id, b->id, c->config.broker.id, c->epoch, b->id);
    b->connected = 0;
    b->flags &= ~(uint32_t)KC_BROKER_BUSY;
    b->flags |= KC_BROKER_BACKOFF;
    kc_emit(c, &(struct kc_output){.kind = KC_OUT_TIMER,
                                   .timer = KC_TIMER_CHANNEL + broker,
                                   .due_us = c->step->now_us + c->config.retry_backoff_us});
}

void kc_channel_timer(struct kc_controller *c, uint32_t timer)
{
    uint32_t broker = timer - KC_TIMER_CHANNEL;

    if (broker < c->broker_count && kc_broker_is(c, broker, KC_BROKER_BACKOFF)) {
        kc_broker(c, broker)->flags &= ~(uint32_t)KC_BROKER_BACKOFF;
        kc_channel_pump(c, broker);
    }
}
