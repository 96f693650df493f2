/*
 * Who is the controller: winning the role, losing it, giving it up.
 *
 *   Startup ─► (register broker) ─► arm /controller ─► elect
 *   /controller deleted: Reelect ─► maybe resign ─► elect      /controller changed: maybe resign
 *   session expired: Expire ─► resign;  new session: RegisterBrokerAndReelect ─► register, elect
 *
 *   elect:  who is it?  ─► nobody ─► read the epoch ─► multi { create /controller, epoch + 1 } ─►
 * failover
 *
 * The multi makes role and epoch one thing: nobody holds the role with an epoch that another has
 * had. Where its answer was lost, the retry is refused by its own success; so a refusal reads both
 * znodes again before it believes that somebody else has won.
 *
 * Before KAFKA-6082 (SM_RULE_EPOCH_IN_CREATE off) they are two: /controller is created, then the
 * epoch is read and raised if nobody else has meanwhile, or created with 1.
 *
 * Anything that goes wrong in a failover gives the role up at once (triggerControllerMove), so that
 * another broker, or this one, tries again.
 *
 * Source: Kafka KafkaController.elect, maybeResign, triggerControllerMove, onControllerResignation;
 * KafkaZkClient.registerControllerAndIncrementControllerEpoch, CheckedEphemeral.
 */
#include "controller/state.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- small bulks ---- */

bool kc_select_once(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    (void)c, (void)s;
    return f->cursor++ == 0;
}

static int64_t now_ms(const struct kc_controller *c)
{
    return c->step->now_us / 1000;
}

static bool ask_controller(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                           struct kc_ask *ask)
{
    (void)f, (void)s;
    kc_ask_path(ask, WIRE_ZK_GET_DATA, SM_PATH_CONTROLLER);
    ask->watch = (c->handlers & KC_HANDLER_CONTROLLER) != 0;
    return true;
}

/* c->read_value: id of the controller, -1 for none. */
static enum kc_slot_next answer_controller(struct kc_controller *c, struct kc_frame *f,
                                           struct kc_slot *s, int32_t err,
                                           const struct wire_zk_result_view *r)
{
    (void)f, (void)s;
    c->read_value = -1;
    if (err == WIRE_ZK_NO_NODE) {
        return KC_SLOT_DONE;
    }
    if (err != WIRE_ZK_OK) {
        return kc_slot_throw(c, err);
    }
    if (sm_znode_decode_controller((const char *)r->data, r->result->data_size, &c->read_value) !=
        SM_ERR_OK) {
        c->read_value = -1;
        kc_throw(
            c, SM_ERR_SYNTAX,
            "org.apache.kafka.common.KafkaException: Failed to parse the controller info json");
        return KC_SLOT_FAIL;
    }
    return KC_SLOT_DONE;
}

static const struct kc_bulk read_controller = {
    .select = kc_select_once, .ask = ask_controller, .answer = answer_controller};

static bool ask_arm_controller(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                               struct kc_ask *ask)
{
    (void)f, (void)s;
    c->handlers |= KC_HANDLER_CONTROLLER;
    kc_ask_path(ask, WIRE_ZK_EXISTS, SM_PATH_CONTROLLER);
    ask->watch = 1;
    return true;
}

static enum kc_slot_next answer_existence(struct kc_controller *c, struct kc_frame *f,
                                          struct kc_slot *s, int32_t err,
                                          const struct wire_zk_result_view *r)
{
    (void)f, (void)s, (void)r;
    c->reply_found = err == WIRE_ZK_OK;
    return err == WIRE_ZK_OK || err == WIRE_ZK_NO_NODE ? KC_SLOT_DONE : kc_slot_throw(c, err);
}

static const struct kc_bulk arm_controller = {
    .select = kc_select_once, .ask = ask_arm_controller, .answer = answer_existence};

static bool ask_epoch(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                      struct kc_ask *ask)
{
    (void)c, (void)f, (void)s;
    kc_ask_path(ask, WIRE_ZK_GET_DATA, SM_PATH_CONTROLLER_EPOCH);
    return true;
}

/* c->reply_found, c->read_value: the epoch, c->read_version: of its znode. */
static enum kc_slot_next answer_epoch(struct kc_controller *c, struct kc_frame *f,
                                      struct kc_slot *s, int32_t err,
                                      const struct wire_zk_result_view *r)
{
    (void)f, (void)s;
    c->reply_found = err == WIRE_ZK_OK;
    if (err == WIRE_ZK_NO_NODE) {
        return KC_SLOT_DONE;
    }
    if (err != WIRE_ZK_OK) {
        return kc_slot_throw(c, err);
    }
    if (sm_znode_decode_epoch((const char *)r->data, r->result->data_size, &c->read_value) !=
        SM_ERR_OK) {
        kc_throw(c, SM_ERR_SYNTAX, "java.lang.NumberFormatException: /controller_epoch");
        return KC_SLOT_FAIL;
    }
    c->read_version = r->result->stat.version;
    return KC_SLOT_DONE;
}

static const struct kc_bulk read_epoch = {
    .select = kc_select_once, .ask = ask_epoch, .answer = answer_epoch};

/* ---- registering the broker ---- */

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
                                                              &c->config.broker, now_ms(c));
            break;
        }
        ask->second = WIRE_ZK_SET_DATA;
        ask->second_data = ask->small;
        ask->second_size = (uint32_t)sm_znode_encode_broker(ask->small, sizeof ask->small,
                                                            &c->config.broker, now_ms(c));
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

/* ---- resigning ---- */

static void forget_handlers(struct kc_controller *c)
{
    c->handlers &= KC_HANDLER_CONTROLLER;
    for (uint32_t row = kc_set_next(c, KC_SET_REASSIGNING, 0); row != KC_NO_ROW;
         row = kc_set_next(c, KC_SET_REASSIGNING, row + 1)) {
        kc_row_at(c, row)->flags &= (uint8_t)~KC_PARTITION_STATE_WATCH;
    }
    for (uint32_t i = 0; i < c->broker_count; i++) {
        kc_broker(c, i)->flags &= ~(uint32_t)KC_BROKER_MODIFICATIONS;
    }
    for (uint32_t i = 0; i < c->topic_count; i++) {
        kc_topic(c, i)->flags &= ~(uint32_t)KC_TOPIC_HANDLER;
    }
}

/* Watches that the server still holds may fire later; they find no handler. */
void kc_resign(struct kc_controller *c)
{
    kc_log_new(c, KC_DEBUG, "[Controller id=%d] Resigning", c->config.broker.id);
    kc_log_broker_handlers(c, "Unregister", "Set", KC_BROKER_MODIFICATIONS);
    kc_emit(c, &(struct kc_output){.kind = KC_OUT_TIMER, .timer = KC_TIMER_BALANCE, .due_us = -1});
    kc_log(c, KC_INFO, "[PartitionStateMachine controllerId=%d] Stopped partition state machine",
           c->config.broker.id);
    kc_log(c, KC_INFO, "[ReplicaStateMachine controllerId=%d] Stopped replica state machine",
           c->config.broker.id);
    forget_handlers(c);
    for (uint32_t n = 0; n < c->broker_count; n++) {
        kc_channel_close(c, kc_broker_ordered(c, n));
    }
    kc_reset_context(c);
    kc_batch_trim(c);
    kc_log_new(c, KC_INFO, "[Controller id=%d] Resigned", c->config.broker.id);
}

static enum kc_next was_active(struct kc_controller *c, struct kc_frame *f)
{
    f->value = kc_is_active(c);
    return KC_NEXT;
}

static enum kc_next resign_if_lost(struct kc_controller *c, struct kc_frame *f)
{
    kc_set_active(c, c->read_value);
    if (f->value && !kc_is_active(c)) {
        kc_resign(c);
    }
    return KC_NEXT;
}

static const struct kc_row maybe_resign_rows[] = {
    {.name = "was it active?", .run = was_active},
    {.name = "arm /controller", .bulk = &arm_controller},
    {.name = "read /controller", .bulk = &read_controller},
    {.name = "resign if lost", .run = resign_if_lost},
    {0},
};

const struct kc_flow_def kc_flow_MAYBE_RESIGN = {.name = "maybeResign", .rows = maybe_resign_rows};

/* ---- giving the role up ---- */

static enum kc_next give_up(struct kc_controller *c, struct kc_frame *f)
{
    kc_set_active(c, c->read_value);
    if (!kc_is_active(c)) {
        kc_log(c, KC_WARN,
               "[Controller id=%d] Controller has already moved when trying to trigger controller "
               "movement",
               c->config.broker.id);
        return KC_RETURN;
    }
    f->value = c->epoch_zk_version;
    kc_set_active(c, -1);
    kc_resign(c);
    return KC_NEXT;
}

static bool ask_delete_controller(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                  struct kc_ask *ask)
{
    (void)c, (void)s;
    kc_ask_write(ask, WIRE_ZK_DELETE, SM_PATH_CONTROLLER, NULL, 0, WIRE_ZK_ANY_VERSION);
    ask->has_fence = 1;
    ask->fence_version = f->value;
    return true;
}

static enum kc_slot_next answer_whatever(struct kc_controller *c, struct kc_frame *f,
                                         struct kc_slot *s, int32_t err,
                                         const struct wire_zk_result_view *r)
{
    (void)c, (void)f, (void)s, (void)err, (void)r;
    return KC_SLOT_DONE;
}

static const struct kc_bulk delete_controller = {
    .select = kc_select_once, .ask = ask_delete_controller, .answer = answer_whatever};

static enum kc_catch already_moved(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (c->error != SM_ERR_CONTROLLER_MOVED) {
        return KC_RETHROW;
    }
    kc_log(c, KC_WARN,
           "[Controller id=%d] Controller has already moved when trying to trigger controller "
           "movement",
           c->config.broker.id);
    return KC_SWALLOW;
}

static const struct kc_row trigger_move_rows[] = {
    {.name = "read /controller", .bulk = &read_controller},
    {.name = "give up", .run = give_up},
    {.name = "delete /controller", .bulk = &delete_controller},
    {0},
};

const struct kc_flow_def kc_flow_TRIGGER_MOVE = {
    .name = "triggerControllerMove", .rows = trigger_move_rows, .on_error = already_moved};

/* ---- election ---- */

enum {
    ELECT_READ,
    ELECT_STOP,
    ELECT_EPOCH,
    ELECT_CREATE_EPOCH,
    ELECT_MULTI,
    ELECT_RECHECK,
    ELECT_READ_AGAIN,
    ELECT_CHECK_ID,
    ELECT_EPOCH_AGAIN,
    ELECT_CHECK_EPOCH,
    ELECT_WON,
    ELECT_DONE,
    ELECT_MOVED,
    ELECT_MOVED_SAY,
    ELECT_GIVE_UP,
    /* without SM_RULE_EPOCH_IN_CREATE */
    ELECT_CREATE,
    ELECT_CREATED,
    ELECT_TAKEN,
    ELECT_OLD_EPOCH,
    ELECT_RAISE,
    ELECT_OLD_WON,
    ELECT_END
};

static enum kc_next stop_if_taken(struct kc_controller *c, struct kc_frame *f)
{
    kc_set_active(c, c->read_value);
    if (c->active_id != -1) {
        kc_log(c, KC_DEBUG,
               "[Controller id=%d] Broker %d has been elected as the controller, so stopping the "
               "election process.",
               c->config.broker.id, c->active_id);
        return KC_RETURN;
    }
    if (c->config.never_elected) {
        return KC_RETURN;
    }
    if (!sm_rule_on(&c->config.profile, SM_RULE_EPOCH_IN_CREATE)) {
        f->row = ELECT_CREATE;
        return KC_STAY;
    }
    return KC_NEXT;
}

static bool select_create_epoch(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    (void)s;
    return !c->reply_found && f->cursor++ == 0;
}

static bool ask_create_epoch(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                             struct kc_ask *ask)
{
    (void)f;
    if (s->stage == 1) {
        kc_ask_path(ask, WIRE_ZK_GET_DATA, SM_PATH_CONTROLLER_EPOCH);
        return true;
    }
    kc_ask_path(ask, WIRE_ZK_CREATE, SM_PATH_CONTROLLER_EPOCH);
    ask->data = ask->small;
    ask->has_data = 1;
    ask->data_size = (uint32_t)sm_znode_encode_epoch(ask->small, sizeof ask->small, 0);
    (void)c;
    return true;
}

static enum kc_slot_next answer_create_epoch(struct kc_controller *c, struct kc_frame *f,
                                             struct kc_slot *s, int32_t err,
                                             const struct wire_zk_result_view *r)
{
    if (s->stage == 1) {
        return answer_epoch(c, f, s, err, r);
    }
    if (err == WIRE_ZK_NODE_EXISTS) {
        s->stage = 1;
        return KC_SLOT_ASK;
    }
    if (err != WIRE_ZK_OK) {
        return kc_slot_throw(c, err);
    }
    c->read_value = 0;
    c->read_version = 0;
    return KC_SLOT_DONE;
}

static const struct kc_bulk create_epoch = {
    .select = select_create_epoch, .ask = ask_create_epoch, .answer = answer_create_epoch};

/* frame.value: the epoch to win; frame.arg2: 1 won, 0 to be checked again. */
static bool ask_multi(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                      struct kc_ask *ask)
{
    char *epoch = ask->small + SM_STATE_BYTES_MAX;

    (void)s;
    f->value = c->read_value + 1;
    f->arg2 = 0;
    kc_ask_path(ask, WIRE_ZK_CREATE, SM_PATH_CONTROLLER);
    ask->flags = WIRE_ZK_EPHEMERAL;
    ask->data = ask->small;
    ask->has_data = 1;
    ask->data_size = (uint32_t)sm_znode_encode_controller(ask->small, SM_STATE_BYTES_MAX,
                                                          c->config.broker.id, now_ms(c));
    ask->second = WIRE_ZK_SET_DATA;
    ask->second_version = c->read_version;
    ask->second_data = epoch;
    ask->second_size = (uint32_t)sm_znode_encode_epoch(epoch, 16, f->value);
    snprintf(ask->second_path, sizeof ask->second_path, "%s", SM_PATH_CONTROLLER_EPOCH);
    return true;
}

static enum kc_slot_next answer_multi(struct kc_controller *c, struct kc_frame *f,
                                      struct kc_slot *s, int32_t err,
                                      const struct wire_zk_result_view *r)
{
    (void)s;
    if (err == WIRE_ZK_OK) {
        f->arg2 = 1;
        c->read_version = r->result->stat.version;
        return KC_SLOT_DONE;
    }
    return err == WIRE_ZK_NODE_EXISTS || err == WIRE_ZK_BAD_VERSION ? KC_SLOT_DONE
                                                                    : kc_slot_throw(c, err);
}

static const struct kc_bulk win = {
    .select = kc_select_once, .ask = ask_multi, .answer = answer_multi};

static enum kc_next recheck(struct kc_controller *c, struct kc_frame *f)
{
    (void)c;
    if (f->arg2 == 0) {
        return KC_NEXT;
    }
    f->row = ELECT_WON;
    return KC_STAY;
}

static enum kc_next check_id(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (c->read_value == -1) {
        return kc_throw(
            c, SM_ERR_CONTROLLER_MOVED,
            "org.apache.kafka.common.errors.ControllerMovedException: The ephemeral node "
            "at /controller went away while checking whether the controller election "
            "succeeds.");
    }
    if (c->read_value != c->config.broker.id) {
        return kc_throw(c, SM_ERR_CONTROLLER_MOVED,
                        "org.apache.kafka.common.errors.ControllerMovedException: Controller moved "
                        "to another broker. Aborting controller startup procedure");
    }
    return KC_NEXT;
}

static enum kc_next check_epoch(struct kc_controller *c, struct kc_frame *f)
{
    if (!c->reply_found || c->read_value != f->value) {
        return kc_throw(c, SM_ERR_CONTROLLER_MOVED,
                        "org.apache.kafka.common.errors.ControllerMovedException: Controller moved "
                        "to another broker. Aborting controller startup procedure");
    }
    return KC_NEXT;
}

/* ---- election of old versions: frame.arg2 1: we have created /controller ---- */

static bool ask_create(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                       struct kc_ask *ask)
{
    (void)f, (void)s;
    kc_ask_path(ask, WIRE_ZK_CREATE, SM_PATH_CONTROLLER);
    ask->flags = WIRE_ZK_EPHEMERAL;
    ask->data = ask->small;
    ask->has_data = 1;
    ask->data_size = (uint32_t)sm_znode_encode_controller(ask->small, SM_STATE_BYTES_MAX,
                                                          c->config.broker.id, now_ms(c));
    return true;
}

static enum kc_slot_next answer_create(struct kc_controller *c, struct kc_frame *f,
                                       struct kc_slot *s, int32_t err,
                                       const struct wire_zk_result_view *r)
{
    (void)s, (void)r;
    f->arg2 = err == WIRE_ZK_OK;
    return err == WIRE_ZK_OK || err == WIRE_ZK_NODE_EXISTS ? KC_SLOT_DONE : kc_slot_throw(c, err);
}

static const struct kc_bulk create_controller = {
    .select = kc_select_once, .ask = ask_create, .answer = answer_create};

static bool select_refused(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    return f->arg2 == 0 && kc_select_once(c, f, s);
}

static const struct kc_bulk read_winner = {
    .select = select_refused, .ask = ask_controller, .answer = answer_controller};

/* A znode that names us is ours: the answer to its creation was lost. */
static enum kc_next stop_if_beaten(struct kc_controller *c, struct kc_frame *f)
{
    if (f->arg2 != 0 || c->read_value == c->config.broker.id) {
        return KC_NEXT;
    }
    kc_set_active(c, c->read_value);
    if (c->active_id != -1) {
        kc_log_old(c, KC_DEBUG,
                   "[Controller id=%d] Broker %d was elected as leader instead of broker %d",
                   c->config.broker.id, c->active_id, c->config.broker.id);
    } else {
        kc_log_old(c, KC_WARN,
                   "[Controller id=%d] A leader has been elected but just resigned, this will "
                   "result in another round of election",
                   c->config.broker.id);
    }
    return KC_RETURN;
}

/* frame.value: the epoch to have. */
static bool ask_raise(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                      struct kc_ask *ask)
{
    (void)s;
    f->value = c->reply_found ? c->read_value + 1 : 1;
    kc_ask_path(ask, c->reply_found ? WIRE_ZK_SET_DATA : WIRE_ZK_CREATE, SM_PATH_CONTROLLER_EPOCH);
    ask->version = c->reply_found ? c->read_version : WIRE_ZK_ANY_VERSION;
    ask->data = ask->small;
    ask->has_data = 1;
    ask->data_size = (uint32_t)sm_znode_encode_epoch(ask->small, sizeof ask->small, f->value);
    return true;
}

static enum kc_slot_next answer_raise(struct kc_controller *c, struct kc_frame *f,
                                      struct kc_slot *s, int32_t err,
                                      const struct wire_zk_result_view *r)
{
    (void)f, (void)s;
    if (err == WIRE_ZK_BAD_VERSION || err == WIRE_ZK_NODE_EXISTS) {
        kc_throw(c, SM_ERR_CONTROLLER_MOVED,
                 "kafka.common.ControllerMovedException: Controller moved to another broker. "
                 "Aborting controller startup procedure");
        return KC_SLOT_FAIL;
    }
    if (err != WIRE_ZK_OK) {
        return kc_slot_throw(c, err);
    }
    c->read_version = c->reply_found ? r->result->stat.version : 0;
    return KC_SLOT_DONE;
}

static const struct kc_bulk raise_epoch = {
    .select = kc_select_once, .ask = ask_raise, .answer = answer_raise};

static enum kc_next won_old(struct kc_controller *c, struct kc_frame *f)
{
    int32_t id = c->config.broker.id;

    kc_set_epoch(c, f->value, c->read_version);
    kc_set_active(c, id);
    kc_log_old(c, KC_INFO,
               "[Controller id=%d] Broker %d starting become controller state transition", id, id);
    kc_log_old(c, KC_INFO, "[Controller id=%d] Controller %d incremented epoch to %d", id, id,
               c->epoch);
    f->row = ELECT_DONE; /* what fails from here on gives the role up */
    kc_call(c, KC_FLOW_FAILOVER, 0);
    return KC_STAY;
}

static enum kc_next won(struct kc_controller *c, struct kc_frame *f)
{
    kc_set_epoch(c, f->value, c->read_version);
    kc_set_active(c, c->config.broker.id);
    kc_log(c, KC_INFO,
           "[Controller id=%d] %d successfully elected as the controller. Epoch incremented to %d "
           "and epoch zk version is now %d",
           c->config.broker.id, c->config.broker.id, c->epoch, c->epoch_zk_version);
    kc_call(c, KC_FLOW_FAILOVER, 0);
    return KC_NEXT;
}

static enum kc_next done(struct kc_controller *c, struct kc_frame *f)
{
    (void)c, (void)f;
    return KC_RETURN;
}

static enum kc_next moved(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_call(c, KC_FLOW_MAYBE_RESIGN, 0);
    return KC_NEXT;
}

static enum kc_next say_moved(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (c->active_id != -1) {
        kc_log(c, KC_DEBUG,
               "[Controller id=%d] Broker %d was elected as controller instead of broker %d",
               c->config.broker.id, c->active_id, c->config.broker.id);
    } else {
        kc_log(
            c, KC_WARN,
            "[Controller id=%d] A controller has been elected but just resigned, this will result "
            "in another round of election",
            c->config.broker.id);
    }
    return KC_RETURN;
}

static enum kc_next trigger_move(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_call(c, KC_FLOW_TRIGGER_MOVE, 0);
    return KC_RETURN_AFTER_CALL;
}

/* Errors before the first read are the event's; later ones are handled here. */
static enum kc_catch election_failed(struct kc_controller *c, struct kc_frame *f)
{
    bool electing = f->row > ELECT_STOP && f->row < ELECT_MOVED;
    bool electing_old = f->row >= ELECT_CREATE && f->row < ELECT_END;
    if (!electing && !electing_old) {
        return KC_RETHROW;
    }
    if (kc_batch_is_open(c)) {
        kc_batch_drop(c, false);
    }
    if (c->error == SM_ERR_CONTROLLER_MOVED && !kc_is_old(c)) {
        f->row = ELECT_MOVED;
    } else {
        kc_log_new(
            c, KC_ERROR,
            "[Controller id=%d] Error while electing or becoming controller on broker %d. Trigger "
            "controller movement immediately\n%s",
            c->config.broker.id, c->config.broker.id, kc_error_text(c));
        kc_log_old(c, KC_ERROR,
                   "[Controller id=%d] Error while electing or becoming leader on broker %d\n%s",
                   c->config.broker.id, c->config.broker.id, kc_error_text(c));
        f->row = ELECT_GIVE_UP;
    }
    f->phase = 0;
    f->cursor = 0;
    return KC_RESUME;
}

static const struct kc_row elect_rows[] = {
    [ELECT_READ] = {.name = "read /controller", .bulk = &read_controller},
    [ELECT_STOP] = {.name = "stop if taken", .run = stop_if_taken},
    [ELECT_EPOCH] = {.name = "read /controller_epoch", .bulk = &read_epoch},
    [ELECT_CREATE_EPOCH] = {.name = "create /controller_epoch", .bulk = &create_epoch},
    [ELECT_MULTI] = {.name = "create /controller, raise the epoch", .bulk = &win},
    [ELECT_RECHECK] = {.name = "won?", .run = recheck},
    [ELECT_READ_AGAIN] = {.name = "read /controller again", .bulk = &read_controller},
    [ELECT_CHECK_ID] = {.name = "is it me?", .run = check_id},
    [ELECT_EPOCH_AGAIN] = {.name = "read /controller_epoch again", .bulk = &read_epoch},
    [ELECT_CHECK_EPOCH] = {.name = "is it my epoch?", .run = check_epoch},
    [ELECT_WON] = {.name = "become controller", .run = won},
    [ELECT_DONE] = {.name = "done", .run = done},
    [ELECT_MOVED] = {.name = "somebody else", .run = moved},
    [ELECT_MOVED_SAY] = {.name = "say who", .run = say_moved},
    [ELECT_GIVE_UP] = {.name = "give the role up", .run = trigger_move},
    [ELECT_CREATE] = {.name = "create /controller", .bulk = &create_controller},
    [ELECT_CREATED] = {.name = "who was first?", .bulk = &read_winner},
    [ELECT_TAKEN] = {.name = "stop if beaten", .run = stop_if_beaten},
    [ELECT_OLD_EPOCH] = {.name = "read the epoch", .bulk = &read_epoch},
    [ELECT_RAISE] = {.name = "raise the epoch", .bulk = &raise_epoch},
    [ELECT_OLD_WON] = {.name = "become controller of old", .run = won_old},
    [ELECT_END] = {0},
};

const struct kc_flow_def kc_flow_ELECT = {
    .name = "elect", .rows = elect_rows, .on_error = election_failed};

/* ---- the events ---- */

static enum kc_next call_register(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_call(c, KC_FLOW_REGISTER, 0);
    return KC_NEXT;
}

static enum kc_next call_maybe_resign(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_call(c, KC_FLOW_MAYBE_RESIGN, 0);
    return KC_NEXT;
}

static enum kc_next call_elect(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_call(c, KC_FLOW_ELECT, 0);
    return KC_NEXT;
}

static enum kc_next expire(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_emit(c, &(struct kc_output){.kind = KC_OUT_EXPIRE_STARTED});
    kc_set_active(c, -1);
    kc_resign(c);
    return KC_NEXT;
}

static void say_thread(struct kc_controller *c, const char *what)
{
    kc_log_new(c, KC_INFO, "[ControllerEventThread controllerId=%d] %s", c->config.broker.id, what);
}

static enum kc_next start(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    say_thread(c, "Starting");
    kc_call(c, KC_FLOW_REGISTER, 0);
    return KC_NEXT;
}

static enum kc_next shut_down(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    kc_resign(c);
    kc_set_active(c, -1);
    say_thread(c, "Shutting down");
    say_thread(c, "Stopped");
    say_thread(c, "Shutdown completed");
    c->shut_down = 1;
    return KC_NEXT;
}

/* A broker whose registration another session still holds does not start (KAFKA-1387 was to loop).
 */
static enum kc_catch start_failed(struct kc_controller *c, struct kc_frame *f)
{
    if (f->row > 1) {
        return KC_RETHROW;
    }
    kc_log(c, KC_ERROR,
           "[KafkaServer id=%d] Fatal error during KafkaServer startup. Prepare to shutdown\n%s",
           c->config.broker.id, kc_error_text(c));
    kc_emit(c, &(struct kc_output){.kind = KC_OUT_FATAL, .text = kc_error_text(c)});
    return KC_RETHROW;
}

static const struct kc_row startup_rows[] = {
    {.name = "register broker", .run = start},
    {.name = "arm /controller", .bulk = &arm_controller},
    {.name = "elect", .run = call_elect},
    {0},
};
const struct kc_flow_def kc_flow_STARTUP = {
    .name = "Startup", .rows = startup_rows, .on_error = start_failed};

static const struct kc_row reelect_rows[] = {
    {.name = "maybe resign", .run = call_maybe_resign}, {.name = "elect", .run = call_elect}, {0}};
const struct kc_flow_def kc_flow_REELECT = {.name = "Reelect", .rows = reelect_rows};

static const struct kc_row controller_change_rows[] = {
    {.name = "maybe resign", .run = call_maybe_resign}, {0}};
const struct kc_flow_def kc_flow_CONTROLLER_CHANGE = {.name = "ControllerChange",
                                                      .rows = controller_change_rows};

static const struct kc_row register_and_reelect_rows[] = {
    {.name = "register broker", .run = call_register},
    {.name = "maybe resign", .run = call_maybe_resign},
    {.name = "elect", .run = call_elect},
    {0},
};
const struct kc_flow_def kc_flow_REGISTER_AND_REELECT = {.name = "RegisterBrokerAndReelect",
                                                         .rows = register_and_reelect_rows};

static const struct kc_row expire_rows[] = {{.name = "resign", .run = expire}, {0}};
const struct kc_flow_def kc_flow_EXPIRE = {.name = "Expire", .rows = expire_rows};

static const struct kc_row shutdown_rows[] = {{.name = "resign", .run = shut_down}, {0}};
const struct kc_flow_def kc_flow_SHUTDOWN = {.name = "ShutdownEventThread", .rows = shutdown_rows};
