/*
 * Winning the role of the controller. role.c tells what an election is; here are its steps.
 *
 *     read /controller ─► read the epoch ─► multi { create /controller, epoch + 1 } ─► failover
 *                                              │ refused
 *                                              └─► is it me, with my epoch? my answer was lost
 *
 * Source: Kafka KafkaController.elect, KafkaZkClient.registerControllerAndIncrementControllerEpoch;
 * ZookeeperLeaderElector (before 1.1).
 */
#include "controller/role_parts.h"

#include <stdio.h>

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
        return kc_answer_epoch(c, f, s, err, r);
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
                                                          c->config.broker.id, kc_now_ms(c));
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
                                                          c->config.broker.id, kc_now_ms(c));
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
    .select = select_refused, .ask = kc_ask_controller, .answer = kc_answer_controller};

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
    [ELECT_READ] = {.name = "read /controller", .bulk = &kc_read_controller},
    [ELECT_STOP] = {.name = "stop if taken", .run = stop_if_taken},
    [ELECT_EPOCH] = {.name = "read /controller_epoch", .bulk = &kc_read_epoch},
    [ELECT_CREATE_EPOCH] = {.name = "create /controller_epoch", .bulk = &create_epoch},
    [ELECT_MULTI] = {.name = "create /controller, raise the epoch", .bulk = &win},
    [ELECT_RECHECK] = {.name = "won?", .run = recheck},
    [ELECT_READ_AGAIN] = {.name = "read /controller again", .bulk = &kc_read_controller},
    [ELECT_CHECK_ID] = {.name = "is it me?", .run = check_id},
    [ELECT_EPOCH_AGAIN] = {.name = "read /controller_epoch again", .bulk = &kc_read_epoch},
    [ELECT_CHECK_EPOCH] = {.name = "is it my epoch?", .run = check_epoch},
    [ELECT_WON] = {.name = "become controller", .run = won},
    [ELECT_DONE] = {.name = "done", .run = done},
    [ELECT_MOVED] = {.name = "somebody else", .run = moved},
    [ELECT_MOVED_SAY] = {.name = "say who", .run = say_moved},
    [ELECT_GIVE_UP] = {.name = "give the role up", .run = trigger_move},
    [ELECT_CREATE] = {.name = "create /controller", .bulk = &create_controller},
    [ELECT_CREATED] = {.name = "who was first?", .bulk = &read_winner},
    [ELECT_TAKEN] = {.name = "stop if beaten", .run = stop_if_beaten},
    [ELECT_OLD_EPOCH] = {.name = "read the epoch", .bulk = &kc_read_epoch},
    [ELECT_RAISE] = {.name = "raise the epoch", .bulk = &raise_epoch},
    [ELECT_OLD_WON] = {.name = "become controller of old", .run = won_old},
    [ELECT_END] = {0},
};

const struct kc_flow_def kc_flow_ELECT = {
    .name = "elect", .rows = elect_rows, .on_error = election_failed};
