/*
 * KAFKA-5879: ISR change notifications that are listed when their watch fires, as Kafka did from
 * 0.11 to 1.0. Only with the defect.
 *
 *     watch fires ──► list (arms the watch again) ──► event with the names ──► the queue
 *                     beside the flow in work                               its turn: │
 *                                                              read, tell, delete ◄───┘
 *
 * Until 1.0 the thread of the client library, not the controller's, read the children and gave them
 * to the listener, which put them into the event. While the controller is busy each event that
 * waits so names all the znodes of those before it: they are gone when its turn comes. The repair
 * lists when the event is in work, so that the first one takes all that has come, and the others
 * find nothing (topics.c).
 *
 * At most one such request is in flight, for the library's thread had one, too; what fires
 * meanwhile is remembered once, since a list made later tells of both. It is outside of the window
 * of the flow in work, and its reply is told by its xid. Lists that wait are bounded by
 * kc_limits.event_bytes, the one in work by kc_limits.scratch_bytes.
 *
 * Source: Kafka 1.0 IsrChangeNotificationListener.handleChildChange, KafkaController.
 * IsrChangeNotification(sequenceNumbers); ZkClient (org.I0Itec) fireChildChangedEvents.
 */
#include "controller/state.h"

#include <assert.h>
#include <string.h>

void kc_isr_listen(struct kc_controller *c)
{
    struct wire_zk_builder b;

    if (c->listing_xid != 0) {
        c->listing_again = 1;
        return;
    }
    c->listing_xid = c->xid++;
    wire_zk_begin(&b, kc_at(c, c->at.text), KC_TEXT_MAX, c->listing_xid, false);
    wire_zk_add(&b,
                (struct wire_zk_op){
                    .opcode = WIRE_ZK_GET_CHILDREN, .watch = 1, .version = WIRE_ZK_ANY_VERSION},
                SM_PATH_ISR_NOTIFICATION, NULL);
    const struct wire_zk_request *request = wire_zk_end(&b);
    assert(request != NULL);
    kc_emit(c, &(struct kc_output){.kind = KC_OUT_ZK, .request = request});
    memset(b.bytes, 0, request->size);
}

bool kc_isr_is_listing(const struct kc_controller *c, const struct wire_zk_reply *reply)
{
    return c->listing_xid != 0 && reply->xid == c->listing_xid;
}

void kc_isr_listed(struct kc_controller *c, const struct wire_zk_reply *reply)
{
    struct wire_zk_result_view v = {0};
    bool has_result = wire_zk_result_next(reply, &v);
    bool is_listed = has_result && v.result->err == WIRE_ZK_OK;
    uint32_t again = c->listing_again;

    c->listing_xid = c->listing_again = 0;
    if (!has_result || (c->handlers & KC_HANDLER_ISR) == 0) {
        return; /* the session is gone, or nobody listens any more */
    }
    uint32_t size = is_listed ? v.result->data_size : 0;
    c->listing_most = size > c->listing_most ? size : c->listing_most;
    kc_put_event(c, &(struct kc_event){.kind = KC_EVENT_ISR_CHANGE_NOTIFICATION}, v.data, size);
    if (again) {
        kc_isr_listen(c);
    }
}

void kc_isr_keep_listed(struct kc_controller *c)
{
    uint32_t size = c->event.bytes_size;

    c->scratch_names_size = size;
    c->scratch_names = size == 0 ? 0 : kc_keep_bytes(c, kc_event_bytes(c, &c->event), size);
}
