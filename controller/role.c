/*
 * Who is the controller: winning the role, losing it, giving it up.
 *
 *   Startup ─► (register broker) ─► arm /controller ─► elect
 *   /controller deleted: Reelect ─► maybe resign ─► elect      /controller changed: maybe resign
 *   session expired: Expire ─► resign;  new session: RegisterBrokerAndReelect ─► register, elect
 *
 * How an election goes is in role_election.c, the broker's own znode in registration.c.
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
#include "controller/role_parts.h"

/* ---- small bulks ---- */

bool kc_select_once(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s)
{
    (void)c, (void)s;
    return f->cursor++ == 0;
}

int64_t kc_now_ms(const struct kc_controller *c)
{
    return c->step->now_us / 1000;
}

bool kc_ask_controller(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                       struct kc_ask *ask)
{
    (void)f, (void)s;
    kc_ask_path(ask, WIRE_ZK_GET_DATA, SM_PATH_CONTROLLER);
    ask->watch = (c->handlers & KC_HANDLER_CONTROLLER) != 0;
    return true;
}

/* c->read_value: id of the controller, -1 for none. */
enum kc_slot_next kc_answer_controller(struct kc_controller *c, struct kc_frame *f,
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

const struct kc_bulk kc_read_controller = {
    .select = kc_select_once, .ask = kc_ask_controller, .answer = kc_answer_controller};

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
enum kc_slot_next kc_answer_epoch(struct kc_controller *c, struct kc_frame *f, struct kc_slot *s,
                                  int32_t err, const struct wire_zk_result_view *r)
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

const struct kc_bulk kc_read_epoch = {
    .select = kc_select_once, .ask = ask_epoch, .answer = kc_answer_epoch};

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
    {.name = "read /controller", .bulk = &kc_read_controller},
    {.name = "resign if lost", .run = resign_if_lost},
    {0},
};

const struct kc_flow_def kc_flow_MAYBE_RESIGN = {.name = "maybeResign", .rows = maybe_resign_rows};

/* ---- giving the role up ---- */

/* Kafka resigns only where /controller still names it: who has been replaced meanwhile keeps timers,
   handlers and senders, and hears of the change as one who was not active before. */
static enum kc_next give_up(struct kc_controller *c, struct kc_frame *f)
{
    bool was = kc_is_active(c);

    kc_set_active(c, c->read_value);
    if (was && !kc_is_active(c) && !kc_defect(c, SM_DEFECT_UNRESIGNED)) {
        kc_resign(c);
    }
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
    {.name = "read /controller", .bulk = &kc_read_controller},
    {.name = "give up", .run = give_up},
    {.name = "delete /controller", .bulk = &delete_controller},
    {0},
};

const struct kc_flow_def kc_flow_TRIGGER_MOVE = {
    .name = "triggerControllerMove", .rows = trigger_move_rows, .on_error = already_moved};

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
    c->shut_down = KC_SHUT_DOWN;
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

/* It came and went before its znode was watched again, so nobody will tell of its end. Kafka waits
   for the next change all the same. */
static enum kc_next elect_if_gone(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    if (c->active_id < 0 && !kc_defect(c, SM_DEFECT_GONE_UNNOTICED)) {
        kc_call(c, KC_FLOW_ELECT, 0);
    }
    return KC_NEXT;
}

static const struct kc_row controller_change_rows[] = {
    {.name = "maybe resign", .run = call_maybe_resign},
    {.name = "elect if gone", .run = elect_if_gone},
    {0},
};
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
