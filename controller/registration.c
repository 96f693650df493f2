/*
 * A broker's own znode, /brokers/ids/N: an ephemeral, whose czxid is the broker's epoch.
 *
 *     create ──► it exists ──► look: whose is it?
 *        ▲                       │ this session's: the answer to the creation was lost
 *        └────── delete ◄────────┤ an earlier session's of this process (KAFKA-7165)
 *                                └ another's: an error
 *
 * Source: Kafka KafkaZkClient.registerBroker, CheckedEphemeral.
 */
#include "controller/role_parts.h"

#include <string.h>

enum { REGISTER_CREATE, REGISTER_LOOK, REGISTER_DELETE };

static bool select_registration(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    (void)s;
    return c->config.register_broker && f->cursor++ == 0;
}

static bool ask_registration(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                             struct kc_ask *ask)
{
    char path[SM_PATH_MAX];

    (void)f;
    int length = sm_path_broker(path, c->config.broker.id);
    switch (s->stage) {
    case REGISTER_CREATE:
        kc_ask_path(ask, WIRE_ZK_CREATE, path);
        ask->flags = WIRE_ZK_EPHEMERAL;
        if (kc_is_old(c)) { /* a plain create */
            ask->data = ask->small;
            ask->has_data = 1;
            ask->data_size = (uint32_t)sm_znode_encode_broker(ask->small, sizeof ask->small,
                                                              &c->config.broker, kc_now_ms(c));
            break;
        }
        ask->second = WIRE_ZK_SET_DATA;
        ask->second_data = ask->small;
        ask->second_size = (uint32_t)sm_znode_encode_broker(ask->small, sizeof ask->small,
                                                            &c->config.broker, kc_now_ms(c));
        memcpy(ask->second_path, path, (size_t)length + 1);
        break;
    case REGISTER_LOOK:
        kc_ask_path(ask, WIRE_ZK_GET_DATA, path);
        break;
    case REGISTER_DELETE:
        kc_ask_path(ask, WIRE_ZK_DELETE, path);
        break;
    }
    return true;
}

/* The znode exists: ours of a session that is gone is replaced (KAFKA-7165), ours of this session
   means that the answer was lost, another's is an error. */
static enum kc_slot_next look_at_owner(struct kc_controller *c, struct kc_slot *s, int32_t err,
                                       const struct wire_zk_result_view *r)
{
    if (err == WIRE_ZK_NO_NODE) {
        s->stage = REGISTER_CREATE;
        return KC_SLOT_ASK;
    }
    if (err != WIRE_ZK_OK) {
        return kc_slot_throw(c, err);
    }
    int64_t owner = r->result->stat.ephemeral_owner;
    if (owner == c->session) {
        return KC_SLOT_DONE;
    }
    if (owner != 0 && owner == c->previous_session && !kc_defect(c, SM_DEFECT_REGISTERED_ONCE)) {
        s->stage = REGISTER_DELETE;
        return KC_SLOT_ASK;
    }
    return kc_slot_throw(c, WIRE_ZK_NODE_EXISTS);
}

static enum kc_slot_next answer_registration(struct kc_controller *c, struct kc_frame *f,
                                             struct kc_slot *s, int32_t err,
                                             const struct wire_zk_result_view *r)
{
    (void)f;
    switch (s->stage) {
    case REGISTER_CREATE:
        if (err == WIRE_ZK_NODE_EXISTS && ++s->attempts < KC_ATTEMPTS_MAX) {
            s->stage = REGISTER_LOOK;
            return KC_SLOT_ASK;
        }
        return err == WIRE_ZK_OK ? KC_SLOT_DONE : kc_slot_throw(c, err);
    case REGISTER_LOOK:
        return look_at_owner(c, s, err, r);
    case REGISTER_DELETE:
        s->stage = REGISTER_CREATE;
        return err == WIRE_ZK_OK || err == WIRE_ZK_NO_NODE ? KC_SLOT_ASK : kc_slot_throw(c, err);
    }
    return KC_SLOT_DONE;
}

static const struct kc_bulk register_broker = {
    .select = select_registration, .ask = ask_registration, .answer = answer_registration};

static const struct kc_row register_rows[] = {{.name = "register", .bulk = &register_broker}, {0}};

const struct kc_flow_def kc_flow_REGISTER = {.name = "registerBroker", .rows = register_rows};
