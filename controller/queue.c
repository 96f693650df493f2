/*
 * The event queue: what the controller event thread of Kafka takes its work from.
 *
 * First in, first out; `clear` preempts all that waits, and those who asked for something are told
 * that the controller has moved. An event carries no data about ZooKeeper: its flow reads again.
 * Exception: with KAFKA-5879 that of the ISR changes carries a list (isr_listener.c).
 *
 * Source: Kafka ControllerEventManager; the preempt methods of the events in KafkaController.scala.
 */
#include "controller/state.h"

#include <assert.h>
#include <string.h>

static const struct {
    const char *name;
    int32_t state; /* ControllerState.value */
} kinds[KC_EVENT_END] = {
#define X(event, text, number) [KC_EVENT_##event] = {.name = text, .state = number},
    KC_EVENT_MAP(X)
#undef X
};

static const uint16_t flow_of[KC_EVENT_END] = {
    [KC_EVENT_STARTUP] = KC_FLOW_STARTUP,
    [KC_EVENT_CONTROLLER_CHANGE] = KC_FLOW_CONTROLLER_CHANGE,
    [KC_EVENT_REELECT] = KC_FLOW_REELECT,
    [KC_EVENT_REGISTER_BROKER_AND_REELECT] = KC_FLOW_REGISTER_AND_REELECT,
    [KC_EVENT_EXPIRE] = KC_FLOW_EXPIRE,
    [KC_EVENT_BROKER_CHANGE] = KC_FLOW_BROKER_CHANGE,
    [KC_EVENT_BROKER_MODIFICATIONS] = KC_FLOW_BROKER_MODIFICATIONS,
    [KC_EVENT_TOPIC_CHANGE] = KC_FLOW_TOPIC_CHANGE,
    [KC_EVENT_PARTITION_MODIFICATIONS] = KC_FLOW_PARTITION_MODIFICATIONS,
    [KC_EVENT_TOPIC_DELETION] = KC_FLOW_TOPIC_DELETION,
    [KC_EVENT_TOPIC_DELETION_STOP_REPLICA_RESPONSE_RECEIVED] = KC_FLOW_STOP_REPLICA_RESPONSE,
    [KC_EVENT_ZK_PARTITION_REASSIGNMENT] = KC_FLOW_REASSIGN_ZNODE,
    [KC_EVENT_API_PARTITION_REASSIGNMENT] = KC_FLOW_REASSIGN_CALL,
    [KC_EVENT_PARTITION_REASSIGNMENT_ISR_CHANGE] = KC_FLOW_REASSIGN_ISR_CHANGE,
    [KC_EVENT_AUTO_PREFERRED_REPLICA_LEADER_ELECTION] = KC_FLOW_AUTO_BALANCE,
    [KC_EVENT_REPLICA_LEADER_ELECTION] = KC_FLOW_ELECTION_EVENT,
    [KC_EVENT_CONTROLLED_SHUTDOWN] = KC_FLOW_CONTROLLED_SHUTDOWN,
    [KC_EVENT_ISR_CHANGE_NOTIFICATION] = KC_FLOW_ISR_CHANGE,
    [KC_EVENT_LEADER_AND_ISR_RESPONSE_RECEIVED] = KC_FLOW_LEADER_AND_ISR_RESPONSE,
    [KC_EVENT_LOG_DIR_EVENT_NOTIFICATION] = KC_FLOW_LOG_DIR_EVENT,
    [KC_EVENT_SHUTDOWN_EVENT_THREAD] = KC_FLOW_SHUTDOWN,
    [KC_EVENT_UNCLEAN_LEADER_ELECTION_ENABLE] = KC_FLOW_UNCLEAN_ENABLED,
    [KC_EVENT_TOPIC_UNCLEAN_LEADER_ELECTION_ENABLE] = KC_FLOW_TOPIC_UNCLEAN_ENABLED,
    [KC_EVENT_LIST_PARTITION_REASSIGNMENTS] = KC_FLOW_LIST_REASSIGNMENTS,
    [KC_EVENT_UPDATE_METADATA_RESPONSE_RECEIVED] = KC_FLOW_UPDATE_METADATA_RESPONSE,
};

const char *kc_event_name(uint32_t kind)
{
    return kinds[kind].name;
}

int32_t kc_event_state(uint32_t kind)
{
    return kind == KC_EVENT_NONE ? 0 : kinds[kind].state;
}

static uint64_t note(struct kc_controller *c, enum kc_queue_what what, const struct kc_event *e)
{
    if (!kc_notes(c, KC_NOTE_QUEUE)) {
        return 0;
    }
    return kc_emit(c, &(struct kc_output){.kind = KC_OUT_QUEUE,
                                          .what = (uint8_t)what,
                                          .name = kc_event_name(e->kind),
                                          .value = kc_event_state(e->kind),
                                          .event_id = e->id,
                                          .depth = c->event_count,
                                          .broker_id = e->broker_id,
                                          .waited_us = c->step->now_us - e->put_us,
                                          .by = what == KC_QUEUE_START ? e->cause : 0});
}

uint32_t kc_put_event(struct kc_controller *c, const struct kc_event *event, const void *bytes,
                      uint32_t size)
{
    if (c->shut_down != KC_RUNS && event->kind != KC_EVENT_SHUTDOWN_EVENT_THREAD) {
        return 0;
    }
    assert(c->event_count < c->limits.events);
    struct kc_event *e = kc_event_at(c, c->event_count++);

    *e = *event;
    e->id = c->next_event_id++;
    e->put_us = c->step->now_us;
    e->bytes_size = size;
    e->bytes = 0;
    if (size > 0) {
        e->bytes = kc_arena_add(c, &c->event_arena, size);
        memcpy(kc_arena_ptr(c, &c->event_arena, e->bytes), bytes, size);
    }
    e->cause = note(c, KC_QUEUE_PUT, e);
    return e->id;
}

uint32_t kc_put(struct kc_controller *c, enum kc_event_kind kind)
{
    return kc_put_event(c, &(struct kc_event){.kind = kind}, NULL, 0);
}

const void *kc_event_bytes(const struct kc_controller *c, const struct kc_event *e)
{
    return e->bytes == 0 ? NULL : kc_arena_ptr(c, &c->event_arena, e->bytes);
}

static void pop(struct kc_controller *c)
{
    *kc_event_at(c, 0) = (struct kc_event){0};
    c->event_head = (c->event_head + 1) % c->limits.events;
    c->event_count--;
}

/* Event bytes leave with the event that carries them. */
static void trim_bytes(struct kc_controller *c)
{
    if (c->event.bytes != 0) {
        return;
    }
    for (uint32_t i = 0; i < c->event_count; i++) {
        if (kc_event_at(c, i)->bytes != 0) {
            c->event_arena.head = kc_event_at(c, i)->bytes;
            return;
        }
        if (i == 64) { /* look again later; keeps a long queue from being walked each time */
            return;
        }
    }
    c->event_arena.head = c->event_arena.tail;
}

/* An event about an answer keeps the batch that was answered. */
static void unpin(struct kc_controller *c, const struct kc_event *e)
{
    if (e->batch != 0) {
        kc_batch_at(c, e->batch)->pins--;
        kc_batch_trim(c);
    }
}

void kc_start_event(struct kc_controller *c)
{
    struct kc_event e = *kc_event_at(c, 0);

    pop(c);
    c->event = e;
    uint64_t record = note(c, KC_QUEUE_START, &e);
    if (record != 0) {
        c->cause = record;
    }
    kc_call(c, flow_of[e.kind], 0);
}

void kc_finish_event(struct kc_controller *c)
{
    note(c, KC_QUEUE_DONE, &c->event);
    unpin(c, &c->event);
    memset(&c->event, 0, sizeof c->event);
    trim_bytes(c);
    memset(kc_scratch(c), 0, c->scratch_used);
    c->scratch_used = c->scratch_names = c->scratch_names_size = 0;
    memset(c->error_words, 0, sizeof c->error_words);
    assert(c->op_count == 0);
    assert(c->slot_used == 0);
    assert(!kc_batch_is_open(c));
}

/* ---- preemption ---- */

void kc_reply(struct kc_controller *c, const struct wire_call *answer)
{
    kc_emit(c, &(struct kc_output){.kind = KC_OUT_REPLY,
                                   .call_id = c->event.call_id,
                                   .call = answer,
                                   .api = answer->api});
}

static void refuse(struct kc_controller *c, const struct kc_event *e, int32_t error)
{
    const struct wire_call *asked = kc_event_bytes(c, e);
    struct wire_call answer = {.size = sizeof answer, .api = asked->api, .error = error};

    kc_emit(c,
            &(struct kc_output){
                .kind = KC_OUT_REPLY, .call_id = e->call_id, .call = &answer, .api = answer.api});
}

/* The call itself becomes the answer: every partition that it names has `error`. */
static void refuse_each(struct kc_controller *c, const struct kc_event *e, int32_t error)
{
    struct wire_call *call = kc_arena_ptr(c, &c->event_arena, e->bytes);
    struct wire_call_view v = {0};

    while (wire_call_next(call, &v)) {
        ((struct wire_call_item *)(uintptr_t)v.item)->error = error;
    }
    kc_emit(c, &(struct kc_output){
                   .kind = KC_OUT_REPLY, .call_id = e->call_id, .call = call, .api = call->api});
}

static void preempt(struct kc_controller *c, const struct kc_event *e)
{
    note(c, KC_QUEUE_PREEMPT, e);
    if (e->call_id == 0) {
        return;
    }
    const struct wire_call *asked = kc_event_bytes(c, e);
    if (e->kind == KC_EVENT_REPLICA_LEADER_ELECTION && !asked->all) {
        refuse_each(c, e, WIRE_ERROR_NOT_CONTROLLER);
        return;
    }
    /* Source: ControlledShutdown.preempt fails with ControllerMovedException, whose wire code is
       STALE_CONTROLLER_EPOCH; the others answer NOT_CONTROLLER. */
    refuse(c, e,
           e->kind == KC_EVENT_CONTROLLED_SHUTDOWN ? WIRE_ERROR_STALE_CONTROLLER_EPOCH
                                                   : WIRE_ERROR_NOT_CONTROLLER);
}

void kc_clear_queue(struct kc_controller *c)
{
    while (c->event_count > 0) {
        struct kc_event e = *kc_event_at(c, 0);
        preempt(c, &e);
        unpin(c, &e);
        pop(c);
    }
    trim_bytes(c);
}
