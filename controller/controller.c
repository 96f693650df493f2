/*
 * One input of the controller: queue it, or go on with the flow that waits for it.
 *
 * Watches carry no data, only the event that reads again (but for KAFKA-5879, isr_listener.c); a path
 * for which no handler is registered is not heard (a resigned controller's watches still fire once).
 *
 * Source: Kafka KafkaController (handlers at the end of the file), ZooKeeperClient.
 */
#include "controller/state.h"

#include <assert.h>
#include <string.h>

/* ---- watch events ---- */

static const struct {
    const char *path;
    uint32_t handler;
    uint32_t types; /* bits of enum wire_zk_event_type */
    uint32_t event;
} folders[] = {
    {SM_PATH_CONTROLLER, KC_HANDLER_CONTROLLER,
     1u << WIRE_ZK_EVENT_CREATED | 1u << WIRE_ZK_EVENT_CHANGED, KC_EVENT_CONTROLLER_CHANGE},
    {SM_PATH_CONTROLLER, KC_HANDLER_CONTROLLER, 1u << WIRE_ZK_EVENT_DELETED, KC_EVENT_REELECT},
    {SM_PATH_BROKER_IDS, KC_HANDLER_BROKERS, 1u << WIRE_ZK_EVENT_CHILD, KC_EVENT_BROKER_CHANGE},
    {SM_PATH_TOPICS, KC_HANDLER_TOPICS, 1u << WIRE_ZK_EVENT_CHILD, KC_EVENT_TOPIC_CHANGE},
    {SM_PATH_DELETE_TOPICS, KC_HANDLER_DELETIONS, 1u << WIRE_ZK_EVENT_CHILD,
     KC_EVENT_TOPIC_DELETION},
    {SM_PATH_LOG_DIR_EVENT, KC_HANDLER_LOG_DIRS, 1u << WIRE_ZK_EVENT_CHILD,
     KC_EVENT_LOG_DIR_EVENT_NOTIFICATION},
    {SM_PATH_ISR_NOTIFICATION, KC_HANDLER_ISR, 1u << WIRE_ZK_EVENT_CHILD,
     KC_EVENT_ISR_CHANGE_NOTIFICATION},
    {SM_PATH_PREFERRED, KC_HANDLER_PREFERRED, 1u << WIRE_ZK_EVENT_CREATED,
     KC_EVENT_REPLICA_LEADER_ELECTION},
    {SM_PATH_REASSIGN, KC_HANDLER_REASSIGN, 1u << WIRE_ZK_EVENT_CREATED,
     KC_EVENT_ZK_PARTITION_REASSIGNMENT},
};

static void put_named(struct kc_controller *c, enum kc_event_kind kind, const char *topic,
                      int32_t partition)
{
    kc_put_event(c, &(struct kc_event){.kind = kind, .partition = partition}, topic,
                 (uint32_t)strlen(topic) + 1);
}

static void changed(struct kc_controller *c, const char *path)
{
    char topic[SM_TOPIC_NAME_MAX + 1];
    int32_t number;

    if (sm_path_is_partition_state(path, topic, &number)) {
        uint32_t row = kc_row_named(c, topic, number);
        if (row != KC_NO_ROW && (kc_row_at(c, row)->flags & KC_PARTITION_STATE_WATCH) != 0) {
            put_named(c, KC_EVENT_PARTITION_REASSIGNMENT_ISR_CHANGE, topic, number);
        }
    } else if (sm_path_is_topic(path, topic)) {
        uint32_t t = kc_topic_find(c, topic);
        if (t != KC_NO_ROW && (kc_topic(c, t)->flags & KC_TOPIC_HANDLER) != 0) {
            put_named(c, KC_EVENT_PARTITION_MODIFICATIONS, topic, 0);
        }
    } else if (sm_path_is_broker(path, &number)) {
        uint32_t broker = kc_broker_find(c, number);
        if (broker != KC_NO_ROW && kc_broker_is(c, broker, KC_BROKER_MODIFICATIONS)) {
            kc_put_event(
                c, &(struct kc_event){.kind = KC_EVENT_BROKER_MODIFICATIONS, .broker_id = number},
                NULL, 0);
        }
    }
}

static void put_of_folder(struct kc_controller *c, enum kc_event_kind event)
{
    if (event == KC_EVENT_ISR_CHANGE_NOTIFICATION && kc_defect(c, SM_DEFECT_LISTED_AT_WATCH)) {
        kc_isr_listen(c);
    } else {
        kc_put(c, event);
    }
}

void kc_watch_event(struct kc_controller *c, const struct kc_input *in)
{
    char topic[SM_TOPIC_NAME_MAX + 1];
    int32_t number;

    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        if ((folders[i].types >> in->event_type & 1) != 0 &&
            strcmp(folders[i].path, in->path) == 0) {
            if ((c->handlers & folders[i].handler) != 0) {
                put_of_folder(c, folders[i].event);
            }
            return;
        }
    }
    if (in->event_type == WIRE_ZK_EVENT_CHANGED ||
        (in->event_type == WIRE_ZK_EVENT_CREATED && !kc_defect(c, SM_DEFECT_UNLED_UNWATCHED) &&
         sm_path_is_partition_state(in->path, topic, &number))) {
        changed(c, in->path);
    }
}

/* ---- calls ---- */

static uint32_t event_of_call(int32_t api)
{
    switch (api) {
    case WIRE_API_CONTROLLED_SHUTDOWN:
        return KC_EVENT_CONTROLLED_SHUTDOWN;
    case WIRE_API_ELECT_LEADERS:
        return KC_EVENT_REPLICA_LEADER_ELECTION;
    case WIRE_API_ALTER_PARTITION_REASSIGNMENTS:
        return KC_EVENT_API_PARTITION_REASSIGNMENT;
    case WIRE_API_LIST_PARTITION_REASSIGNMENTS:
        return KC_EVENT_LIST_PARTITION_REASSIGNMENTS;
    }
    return KC_EVENT_NONE;
}

static void put_call(struct kc_controller *c, const struct kc_input *in)
{
    uint32_t kind = event_of_call(in->call->api);

    if (kind == KC_EVENT_NONE) {
        struct wire_call refused = {
            .size = sizeof refused, .api = in->call->api, .error = WIRE_ERROR_INVALID_REQUEST};
        kc_emit(c, &(struct kc_output){.kind = KC_OUT_REPLY,
                                       .call_id = in->call_id,
                                       .call = &refused,
                                       .api = refused.api});
        return;
    }
    assert(in->call_id != 0);
    kc_put_event(c, &(struct kc_event){.kind = kind, .call_id = in->call_id}, in->call,
                 in->call->size);
}

/* ---- the step ---- */

static void take(struct kc_controller *c, const struct kc_input *in)
{
    switch ((enum kc_input_kind)in->kind) {
    case KC_IN_NONE:
    case KC_IN_MORE:
        break;
    case KC_IN_ZK_REPLY: /* the flow in work takes it, unless a listener has asked */
        if (kc_isr_is_listing(c, in->reply)) {
            c->step->in = NULL;
            kc_isr_listed(c, in->reply);
        }
        break;
    case KC_IN_START:
        c->session = in->session;
        kc_put(c, KC_EVENT_STARTUP);
        break;
    case KC_IN_ZK_EVENT:
        kc_watch_event(c, in);
        break;
    case KC_IN_SESSION_EXPIRED:
        if (c->shut_down == KC_RUNS) {
            kc_clear_queue(c);
        }
        kc_put(c, KC_EVENT_EXPIRE);
        break;
    case KC_IN_SESSION_CREATED:
        c->previous_session = c->session;
        c->session = in->session;
        kc_put(c, KC_EVENT_REGISTER_BROKER_AND_REELECT);
        break;
    case KC_IN_ANSWER:
        kc_channel_answer(c, in);
        break;
    case KC_IN_SEND_FAILED:
        kc_channel_failed(c, in);
        break;
    case KC_IN_CALL:
        put_call(c, in);
        break;
    case KC_IN_TIMER:
        if (in->timer == KC_TIMER_BALANCE) {
            kc_put(c, KC_EVENT_AUTO_PREFERRED_REPLICA_LEADER_ELECTION);
        } else {
            kc_channel_timer(c, in->timer);
        }
        break;
    case KC_IN_UNCLEAN_ENABLED:
        if (in->path == NULL) {
            kc_put(c, KC_EVENT_UNCLEAN_LEADER_ELECTION_ENABLE);
        } else if (kc_is_active(c)) {
            put_named(c, KC_EVENT_TOPIC_UNCLEAN_LEADER_ELECTION_ENABLE, in->path, 0);
        }
        break;
    case KC_IN_SHUTDOWN:
        kc_clear_queue(c);
        c->shut_down = KC_CLOSES;
        kc_put(c, KC_EVENT_SHUTDOWN_EVENT_THREAD);
        break;
    case KC_IN_BLOCK:
        c->blocked = in->on != 0;
        break;
    }
}

enum sm_err kc_controller_step(struct kc_controller *c, int64_t now_us, const struct kc_input *in,
                               struct kc_outputs *out)
{
    struct kc_step step = {.out = out, .now_us = now_us, .in = in};

    out->more = false;
    out->short_of = NULL;
    if (c->shut_down == KC_SHUT_DOWN) {
        return SM_ERR_OK;
    }
    out->short_of = kc_short_of(c, in);
    if (out->short_of != NULL) {
        return SM_ERR_LIMIT;
    }
    c->step = &step;
    c->cause = in->record;
    take(c, in);
    if (in->kind != KC_IN_ZK_REPLY) {
        step.in = NULL;
    }
    kc_run(c);
    c->step = NULL;
    c->cause = 0;
    return SM_ERR_OK;
}
