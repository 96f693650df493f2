/*
 * Wiring: what the session says goes to the controller or to the config watch; what they ask goes
 * to the session. A step is a turn: the input is given to whom it belongs, and while the controller
 * is content, one consequence is worked off (`consequence`); where another is left the step says
 * `more`.
 *
 * Owners of requests are numbers that come back with the reply; the controller's keep the xids that
 * it chose, the config watch has its own.
 */
#include "node/node.h"

#include <assert.h>
#include <string.h>

enum owner { OWNER_CONTROLLER = 1, OWNER_CONFIG = 2, OWNER_BROKER = 3 };

#define OWN_CALL                                                                                   \
    UINT64_MAX /* the controller of this node, among those that ask its broker part                \
                */
#define BROKER_CALL                                                                                \
    ((uint64_t)1 << 63) /* calls of the broker part, among those to the controller */

/* What lives only during one step. */
struct turn {
    struct kn_node *node;
    int64_t now_us;
    struct kn_outputs *out;
    uint64_t record; /* of the input: the cause of what has no better one */
    enum sm_err err; /* first trouble */
    bool created;    /* the session was made in this turn */
    uint64_t created_record;
};

static void controller_step(struct turn *t, struct kc_input in);
static void broker_step(struct turn *t, struct kb_broker_input in);

const char *kn_session_what_name(enum kn_session_what what)
{
    static const char *const names[] = {"created", "connected", "disconnected", "expired",
                                        "closed"};
    return names[what];
}

void kn_node_init(struct kn_node *n, int32_t id, struct kn_session *session,
                  struct kc_controller *controller)
{
    memset(n, 0, sizeof(*n));
    n->id = id;
    n->session = session;
    n->controller = controller;
    kn_config_watch_init(&n->config_watch);
}

static uint64_t put(struct turn *t, struct kn_output output)
{
    return t->out->put(t->out->context, &output);
}

static void touch(struct turn *t, enum kn_block block)
{
    t->out->touched |= 1u << block;
}

static void grow(struct turn *t, enum kn_block block, const char *short_of)
{
    if (t->out->grow(t->out->context, t->node, block, short_of))
        return;
    t->err = SM_ERR_LIMIT;
    t->out->short_of = short_of;
}

/* ---- session ---- */

static uint64_t note_session(struct turn *t, enum kn_session_what what,
                             const struct kn_session_output *o)
{
    return put(t, (struct kn_output){.kind = KN_OUT_SESSION,
                                     .by = t->record,
                                     .what = what,
                                     .session = o->session,
                                     .timeout_us = o->timeout_us});
}

static void session_step(struct turn *t, struct kn_session_input in);

static void configure_topic(struct turn *t, const char *topic, const struct kb_topic_config *config)
{
    if (t->node->replicas != NULL)
        broker_step(t, (struct kb_broker_input){.kind = KB_BROKER_IN_TOPIC_CONFIG,
                                                .record = t->record,
                                                .topic = topic,
                                                .config = config});
}

static void wish_for(struct turn *t, struct kn_config_wish wish)
{
    if (wish.has_topic)
        configure_topic(t, wish.topic, &wish.config);
    if (wish.broker != NULL && t->node->replicas != NULL)
        broker_step(t, (struct kb_broker_input){.kind = KB_BROKER_IN_BROKER_CONFIG,
                                                .record = t->record,
                                                .topic = wish.broker});
    if (wish.request != NULL)
        session_step(t, (struct kn_session_input){.kind = KN_SESSION_IN_REQUEST,
                                                  .owner = OWNER_CONFIG,
                                                  .request = wish.request});
    if (wish.unclean_enabled)
        controller_step(t, (struct kc_input){.kind = KC_IN_UNCLEAN_ENABLED,
                                             .record = t->record,
                                             .path = wish.topic});
}

/* Whether a result tells of this broker's registration. Its path is in that of a creation only; but
   of what the session owns and the controller reads, one znode alone can be read as a broker's: so
   a creation whose reply was lost is found again, too (see controller/role.c). */
static bool tells_of_registration(const struct kn_node *n, const struct wire_zk_result_view *v)
{
    struct sm_broker broker;
    int32_t id;
    if (v->result->err != WIRE_ZK_OK)
        return false;
    if (v->result->opcode == WIRE_ZK_CREATE)
        return v->path != NULL && sm_path_is_broker(v->path, &id) && id == n->id;
    return v->result->opcode == WIRE_ZK_GET_DATA && v->result->has_data &&
           v->result->stat.ephemeral_owner == kn_session_id(n->session) &&
           sm_znode_decode_broker((const char *)v->data, v->result->data_size, n->id, &broker) ==
               SM_ERR_OK;
}

/* The epoch of a broker is the czxid of its registration. */
static void look_for_registration(struct turn *t, const struct wire_zk_reply *reply)
{
    struct wire_zk_result_view v = {0};
    if (t->node->broker == NULL || reply->err != WIRE_ZK_OK)
        return;
    while (wire_zk_result_next(reply, &v))
        if (tells_of_registration(t->node, &v)) {
            t->node->listens = true;
            broker_step(t, (struct kb_broker_input){.kind = KB_BROKER_IN_REGISTERED,
                                                    .record = t->record,
                                                    .epoch = v.result->stat.czxid});
        }
}

static void on_reply(struct turn *t, const struct kn_session_output *o)
{
    _Alignas(8) uint8_t buffer[KN_CONFIG_REQUEST_MAX];
    if (o->owner == OWNER_BROKER) {
        broker_step(t, (struct kb_broker_input){
                           .kind = KB_BROKER_IN_ZK_REPLY, .record = t->record, .reply = o->reply});
        return;
    }
    if (o->owner == OWNER_CONTROLLER)
        look_for_registration(t, o->reply);
    if (o->owner == OWNER_CONFIG) {
        wish_for(t, kn_config_watch_on_reply(&t->node->config_watch, o->reply, buffer));
        return;
    }
    controller_step(
        t, (struct kc_input){.kind = KC_IN_ZK_REPLY, .record = t->record, .reply = o->reply});
}

static void session_put(void *context, const struct kn_session_output *o)
{
    struct turn *t = context;
    struct kn_node *n = t->node;
    switch ((enum kn_session_output_kind)o->kind) {
    case KN_SESSION_OUT_NONE:
        return;
    case KN_SESSION_OUT_CONNECT:
        put(t, (struct kn_output){.kind = KN_OUT_ZK_CONNECT,
                                  .by = t->record,
                                  .session = o->session,
                                  .password = o->password,
                                  .timeout_us = o->timeout_us,
                                  .zxid = o->zxid});
        return;
    case KN_SESSION_OUT_HANG_UP:
        put(t, (struct kn_output){.kind = KN_OUT_ZK_HANG_UP, .by = t->record});
        return;
    case KN_SESSION_OUT_SEND:
        put(t, (struct kn_output){.kind = KN_OUT_ZK_SEND,
                                  .by = t->record,
                                  .record = o->record,
                                  .again = o->again,
                                  .is_broker = o->owner != OWNER_CONTROLLER,
                                  .request = o->request});
        return;
    case KN_SESSION_OUT_PING:
        put(t, (struct kn_output){.kind = KN_OUT_ZK_PING, .by = t->record});
        return;
    case KN_SESSION_OUT_CLOSE:
        put(t, (struct kn_output){.kind = KN_OUT_ZK_CLOSE, .by = t->record, .session = o->session});
        return;
    case KN_SESSION_OUT_TIMER:
        put(t, (struct kn_output){.kind = KN_OUT_TIMER,
                                  .by = t->record,
                                  .timer = KN_TIMER_SESSION,
                                  .due_us = o->due_us});
        return;
    case KN_SESSION_OUT_REPLY:
        on_reply(t, o);
        return;
    case KN_SESSION_OUT_CREATED:
        t->created = true;
        t->created_record = note_session(t, KN_CREATED, o);
        return;
    case KN_SESSION_OUT_CONNECTED:
        note_session(t, KN_CONNECTED, o);
        return;
    case KN_SESSION_OUT_DISCONNECTED:
        note_session(t, KN_DISCONNECTED, o);
        return;
    case KN_SESSION_OUT_EXPIRED:
        n->session_has_expired = true;
        n->deny_count = kn_session_outstanding(n->session);
        n->expired_record = note_session(t, KN_EXPIRED, o);
        return;
    case KN_SESSION_OUT_CLOSED:
        note_session(t, KN_CLOSED, o);
        return;
    }
}

static void session_step(struct turn *t, struct kn_session_input in)
{
    struct kn_session_outputs out = {.put = session_put, .context = t};
    touch(t, KN_BLOCK_SESSION);
    while (t->err == SM_ERR_OK) {
        enum sm_err err = kn_session_step(t->node->session, t->now_us, &in, &out);
        if (err != SM_ERR_LIMIT)
            return; /* ILLEGAL_STATE: came too late, nothing happened */
        grow(t, KN_BLOCK_SESSION, out.short_of);
    }
}

/* ---- controller ---- */

static uint32_t own_index(const struct kn_node *n, const struct wire_batch *batch)
{
    const struct wire_broker *own = wire_batch_broker(batch, n->id);
    return own == NULL ? 0 : own->index;
}

/* Takes over what the controller sends to its own node, or keeps in mind that it has to wait: the
   controller keeps the batch until it is answered. */
static void send_to_self(struct turn *t, const struct kc_output *o, uint64_t record)
{
    struct kn_node *n = t->node;
    uint32_t index = own_index(n, o->batch);
    assert(!n->has_own_answer && !n->own_waits);
    n->own_correlation = o->correlation;
    if (kn_node_must_wait(n, (enum wire_api)o->api, o->batch, index)) {
        n->own_waits = true;
        n->own_api = o->api;
        n->own_record = record;
        return;
    }
    broker_step(t, (struct kb_broker_input){.kind = KB_BROKER_IN_BATCH,
                                            .api = o->api,
                                            .record = record,
                                            .call_id = OWN_CALL,
                                            .index = index,
                                            .batch = o->batch});
}

static bool own_may_go_on(const struct kn_node *n)
{
    if (!n->own_waits)
        return false;
    const struct wire_batch *batch = kc_batch_in_flight(n->controller, n->id, n->own_correlation);
    return batch == NULL ||
           !kn_node_must_wait(n, (enum wire_api)n->own_api, batch, own_index(n, batch));
}

static void own_goes_on(struct turn *t)
{
    struct kn_node *n = t->node;
    const struct wire_batch *batch = kc_batch_in_flight(n->controller, n->id, n->own_correlation);
    n->own_waits = false;
    if (batch != NULL)
        broker_step(t, (struct kb_broker_input){.kind = KB_BROKER_IN_BATCH,
                                                .api = n->own_api,
                                                .record = n->own_record,
                                                .call_id = OWN_CALL,
                                                .index = own_index(n, batch),
                                                .batch = batch});
}

static uint64_t controller_put(void *context, const struct kc_output *o)
{
    struct turn *t = context;
    bool to_broker = t->node->broker != NULL;
    bool to_self = to_broker && o->broker_id == t->node->id;
    if (o->kind == KC_OUT_REPLY && to_broker && (o->call_id & BROKER_CALL) != 0) {
        broker_step(t, (struct kb_broker_input){.kind = KB_BROKER_IN_CALL_ANSWER,
                                                .record = t->record,
                                                .call_id = o->call_id & ~BROKER_CALL,
                                                .call = o->call});
        return 0;
    }
    uint64_t record = put(t, (struct kn_output){.kind = KN_OUT_CONTROLLER,
                                                .by = o->by,
                                                .is_internal = o->kind == KC_OUT_SEND && to_self,
                                                .controller = o});
    switch ((enum kc_output_kind)o->kind) {
    case KC_OUT_ZK:
        session_step(t, (struct kn_session_input){.kind = KN_SESSION_IN_REQUEST,
                                                  .owner = OWNER_CONTROLLER,
                                                  .record = record,
                                                  .request = o->request});
        break;
    case KC_OUT_TIMER:
        put(t, (struct kn_output){.kind = KN_OUT_TIMER,
                                  .by = o->by,
                                  .record = record,
                                  .timer = o->timer,
                                  .due_us = o->due_us});
        break;
    case KC_OUT_EXPIRE_STARTED:
        t->node->may_renew = true;
        break;
    case KC_OUT_FATAL:
        t->node->has_failed = true;
        break;
    case KC_OUT_SEND:
        if (to_self)
            send_to_self(t, o, record);
        break;
    case KC_OUT_CLOSE:
        if (to_self)
            t->node->has_own_answer = t->node->own_waits = false;
        break;
    case KC_OUT_NONE:
    case KC_OUT_BATCH:
    case KC_OUT_REPLY:
    case KC_OUT_QUEUE:
    case KC_OUT_FLOW:
    case KC_OUT_MOVE:
    case KC_OUT_DECIDE:
    case KC_OUT_FACT:
    case KC_OUT_LOG:
        break;
    }
    return record;
}

static void controller_step(struct turn *t, struct kc_input in)
{
    struct kc_outputs out = {.put = controller_put, .context = t};
    touch(t, KN_BLOCK_CONTROLLER);
    while (t->err == SM_ERR_OK) {
        enum sm_err err = kc_controller_step(t->node->controller, t->now_us, &in, &out);
        if (err != SM_ERR_LIMIT) {
            assert(err == SM_ERR_OK);
            t->node->controller_has_more = out.more;
            return;
        }
        grow(t, KN_BLOCK_CONTROLLER, out.short_of);
    }
}

/* ---- the broker part ---- */

/* Until the controller hears it, when this step is over. */
static void keep_own_answer(struct turn *t, const struct wire_answer *answer)
{
    struct kn_node *n = t->node;
    n->has_own_answer = true;
    n->own_error = answer->error;
    n->own_partition_error = answer->partition_error;
    n->own_count = 0;
    if (answer->count > n->own_capacity) {
        t->out->scratch_needed = answer->count * sizeof *n->own_item;
        grow(t, KN_BLOCK_ANSWER, "items of its own answer");
        if (t->err != SM_ERR_OK)
            return;
        assert(n->own_capacity >= answer->count);
    }
    n->own_count = answer->count;
    if (answer->count > 0)
        memcpy(n->own_item, answer->items, answer->count * sizeof *n->own_item);
}

static void broker_put(void *context, const struct kb_broker_output *o)
{
    struct turn *t = context;
    struct kn_node *n = t->node;
    switch ((enum kb_broker_output_kind)o->kind) {
    case KB_BROKER_OUT_NONE:
        return;
    case KB_BROKER_OUT_ZK:
        session_step(t, (struct kn_session_input){.kind = KN_SESSION_IN_REQUEST,
                                                  .owner = OWNER_BROKER,
                                                  .request = o->request});
        return;
    case KB_BROKER_OUT_RESPONSE:
        put(t, (struct kn_output){.kind = KN_OUT_RESPONSE,
                                  .by = o->by,
                                  .api = o->api,
                                  .version = o->version,
                                  .call_id = o->call_id,
                                  .message = o->message,
                                  .size = o->size});
        return;
    case KB_BROKER_OUT_BATCH_ANSWER:
        if (o->call_id == OWN_CALL) {
            keep_own_answer(t, o->answer);
            return;
        }
        put(t, (struct kn_output){.kind = KN_OUT_BATCH_ANSWER,
                                  .by = o->by,
                                  .api = o->api,
                                  .call_id = o->call_id,
                                  .answer = o->answer});
        return;
    case KB_BROKER_OUT_TIMER:
        put(t, (struct kn_output){.kind = KN_OUT_TIMER,
                                  .by = o->by,
                                  .timer = KN_TIMER_BROKER - o->timer,
                                  .due_us = o->due_us});
        return;
    case KB_BROKER_OUT_LOG:
        put(t, (struct kn_output){.kind = KN_OUT_LOG, .by = o->by, .text = o->text});
        return;
    case KB_BROKER_OUT_PEER_REQUEST:
        put(t, (struct kn_output){.kind = KN_OUT_PEER_REQUEST,
                                  .by = o->by,
                                  .api = o->api,
                                  .version = o->version,
                                  .broker_id = o->broker_id,
                                  .correlation = o->correlation,
                                  .message = o->message,
                                  .size = o->size});
        return;
    case KB_BROKER_OUT_REPLICA:
        put(t, (struct kn_output){.kind = KN_OUT_REPLICA, .by = o->by, .replica = o->replica});
        return;
    case KB_BROKER_OUT_FATAL:
        n->has_failed = true;
        return;
    }
}

static void broker_step(struct turn *t, struct kb_broker_input in)
{
    struct kn_node *n = t->node;
    if (n->broker == NULL)
        return;
    in.is_controller = kc_controller_is_active(n->controller);
    if (n->date_offset_us != 0)
        in.wall_ms = (t->now_us + n->date_offset_us) / 1000;
    touch(t, KN_BLOCK_BROKER);
    touch(t, KN_BLOCK_REPLICAS);
    while (t->err == SM_ERR_OK) {
        struct kb_broker_outputs out = {.put = broker_put,
                                        .context = t,
                                        .scratch = n->scratch,
                                        .scratch_size = n->scratch_size,
                                        .replicas = n->replicas,
                                        .payloads = n->payloads};
        enum sm_err err = kb_broker_step(n->broker, t->now_us, &in, &out);
        if (err != SM_ERR_LIMIT) {
            assert(err == SM_ERR_OK);
            return;
        }
        t->out->scratch_needed = out.scratch_needed;
        grow(t,
             strncmp(out.short_of, "replicas.", strlen("replicas.")) == 0 ? KN_BLOCK_REPLICAS
                                                                          : KN_BLOCK_BROKER,
             out.short_of);
    }
}

/* Gives the controller what the broker part wants of it. */
static void call_controller(struct turn *t)
{
    uint64_t call_id = 0;
    touch(t, KN_BLOCK_BROKER);
    const struct wire_call *call = kb_broker_take_call(t->node->broker, &call_id);
    if (call != NULL)
        controller_step(t, (struct kc_input){.kind = KC_IN_CALL,
                                             .record = t->record,
                                             .call_id = call_id | BROKER_CALL,
                                             .call = call});
}

static void hear_own_answer(struct turn *t)
{
    struct kn_node *n = t->node;
    struct wire_answer answer = {.error = n->own_error,
                                 .partition_error = n->own_partition_error,
                                 .count = n->own_count,
                                 .items = n->own_item};
    n->has_own_answer = false;
    controller_step(t, (struct kc_input){.kind = KC_IN_ANSWER,
                                         .record = t->record,
                                         .broker_id = n->id,
                                         .correlation = n->own_correlation,
                                         .answer = &answer});
}

static void on_request(struct turn *t, const struct kn_input *in)
{
    if (!kn_node_takes_requests(t->node))
        return;
    broker_step(t, (struct kb_broker_input){.kind = KB_BROKER_IN_REQUEST,
                                            .record = in->record,
                                            .call_id = in->call_id,
                                            .api = in->api,
                                            .version = in->version,
                                            .message = in->message,
                                            .size = in->size,
                                            .listener = in->listener,
                                            .client_id = in->client_id,
                                            .client_host = in->client_host});
}

static void on_batch_request(struct turn *t, const struct kn_input *in)
{
    if (kn_node_listens(t->node))
        broker_step(t, (struct kb_broker_input){.kind = KB_BROKER_IN_BATCH,
                                                .record = in->record,
                                                .call_id = in->call_id,
                                                .api = in->api,
                                                .index = in->index,
                                                .batch = in->batch});
}

/* ---- life ---- */

static void on_created(struct turn *t)
{
    _Alignas(8) uint8_t buffer[KN_CONFIG_REQUEST_MAX];
    struct kn_node *n = t->node;
    bool is_first = n->state == KN_STARTING;
    if (is_first)
        n->state = KN_RUNNING;
    controller_step(t, (struct kc_input){
                           .kind = is_first ? KC_IN_START : KC_IN_SESSION_CREATED,
                           .record = t->created_record,
                           .session = kn_session_id(n->session),
                       });
    wish_for(t, kn_config_watch_begin(&n->config_watch, buffer));
    broker_step(t, (struct kb_broker_input){.kind = KB_BROKER_IN_SESSION_CREATED,
                                            .record = t->created_record});
}

static bool everybody_is_dead(void *context, int32_t id)
{
    (void)context;
    (void)id;
    return true;
}

static bool has_resigned(const struct kn_node *n)
{
    return kc_controller_is_quiet(n->controller, everybody_is_dead, NULL) &&
           !kc_controller_is_active(n->controller);
}

static void stop_now(struct turn *t)
{
    t->node->state = KN_STOPPED;
    session_step(t, (struct kn_session_input){.kind = KN_SESSION_IN_CLOSE});
    put(t, (struct kn_output){.kind = KN_OUT_STOPPED, .by = t->record});
}

static void on_stop(struct turn *t)
{
    bool had_started = t->node->state == KN_RUNNING;
    if (t->node->state == KN_STOPPING || t->node->state == KN_STOPPED)
        return;
    t->node->state = KN_STOPPING;
    if (!had_started) {
        stop_now(t);
        return;
    }
    broker_step(t,
                (struct kb_broker_input){.kind = KB_BROKER_IN_SHUTTING_DOWN, .record = t->record});
    controller_step(t, (struct kc_input){.kind = KC_IN_SHUTDOWN, .record = t->record});
}

static bool expired_head_waits(const struct kn_node *n)
{
    return kn_session_state(n->session) == KN_SESSION_EXPIRED &&
           kn_session_outstanding(n->session) > 0;
}

/* Whether something follows from what is known, without any input. */
static bool has_consequence(const struct kn_node *n)
{
    if (n->state == KN_STOPPED)
        return false;
    if (n->has_failed || n->controller_has_more || expired_head_waits(n) || n->session_has_expired)
        return true;
    if (n->broker != NULL &&
        (n->has_own_answer || own_may_go_on(n) || kb_broker_has_call(n->broker)))
        return true;
    if (n->may_renew && kn_session_state(n->session) == KN_SESSION_EXPIRED)
        return true;
    return n->state == KN_STOPPING && has_resigned(n);
}

/* Works one off: the controller's own first, then answers to what waited when the session expired,
   then the news of that, then answers to what has been asked since. */
static void consequence(struct turn *t)
{
    struct kn_node *n = t->node;
    if (n->has_failed) {
        stop_now(t);
    } else if (n->controller_has_more) {
        n->controller_has_more = false;
        controller_step(t, (struct kc_input){.kind = KC_IN_MORE, .record = t->record});
    } else if (n->has_own_answer) {
        hear_own_answer(t);
    } else if (own_may_go_on(n)) {
        own_goes_on(t);
    } else if (n->broker != NULL && kb_broker_has_call(n->broker)) {
        call_controller(t);
    } else if (expired_head_waits(n) && (n->deny_count > 0 || !n->session_has_expired)) {
        n->deny_count -= n->deny_count > 0;
        t->record = n->expired_record;
        session_step(t, (struct kn_session_input){.kind = KN_SESSION_IN_DENY});
    } else if (n->session_has_expired) {
        n->session_has_expired = false;
        broker_step(t, (struct kb_broker_input){.kind = KB_BROKER_IN_SESSION_EXPIRED,
                                                .record = n->expired_record});
        if (n->state == KN_STARTING) /* the first session expired before it was known: try again */
            n->may_renew = true;
        else
            controller_step(
                t, (struct kc_input){.kind = KC_IN_SESSION_EXPIRED, .record = n->expired_record});
    } else if (n->may_renew && kn_session_state(n->session) == KN_SESSION_EXPIRED) {
        n->may_renew = false;
        session_step(t, (struct kn_session_input){.kind = KN_SESSION_IN_OPEN});
    } else if (n->state == KN_STOPPING && has_resigned(n)) {
        stop_now(t);
    }
}

static void on_zk_event(struct turn *t, const struct kn_input *in)
{
    _Alignas(8) uint8_t buffer[KN_CONFIG_REQUEST_MAX];
    session_step(t, (struct kn_session_input){.kind = KN_SESSION_IN_HEARD});
    if (strcmp(in->path, SM_PATH_CONFIG_CHANGES) == 0) {
        wish_for(t, kn_config_watch_on_event(&t->node->config_watch, buffer));
        return;
    }
    controller_step(t, (struct kc_input){.kind = KC_IN_ZK_EVENT,
                                         .record = in->record,
                                         .event_type = in->event_type,
                                         .path = in->path});
}

static void on_timer(struct turn *t, const struct kn_input *in)
{
    if (in->timer == KN_TIMER_SESSION)
        session_step(t, (struct kn_session_input){.kind = KN_SESSION_IN_TIMER});
    else if (kn_timer_is_broker(in->timer))
        broker_step(t, (struct kb_broker_input){.kind = KB_BROKER_IN_TIMER,
                                                .record = in->record,
                                                .timer = KN_TIMER_BROKER - in->timer});
    else
        controller_step(
            t, (struct kc_input){.kind = KC_IN_TIMER, .record = in->record, .timer = in->timer});
}

static void take(struct turn *t, const struct kn_input *in)
{
    struct kn_node *n = t->node;
    switch ((enum kn_input_kind)in->kind) {
    case KN_IN_NONE:
    case KN_IN_MORE:
        return;
    case KN_IN_START:
        assert(n->state == KN_NEW);
        n->state = KN_STARTING;
        broker_step(t, (struct kb_broker_input){.kind = KB_BROKER_IN_START, .record = in->record});
        session_step(t, (struct kn_session_input){.kind = KN_SESSION_IN_OPEN,
                                                  .session = in->session,
                                                  .password = in->password});
        return;
    case KN_IN_CONNECTED:
        session_step(t, (struct kn_session_input){.kind = KN_SESSION_IN_CONNECTED,
                                                  .session = in->session,
                                                  .password = in->password,
                                                  .timeout_us = in->timeout_us});
        if (t->created)
            on_created(t);
        return;
    case KN_IN_DISCONNECTED:
        session_step(t, (struct kn_session_input){.kind = KN_SESSION_IN_DISCONNECTED});
        return;
    case KN_IN_ZK_REPLY:
        session_step(t, (struct kn_session_input){.kind = KN_SESSION_IN_REPLY, .reply = in->reply});
        return;
    case KN_IN_ZK_EVENT:
        on_zk_event(t, in);
        return;
    case KN_IN_PONG:
        session_step(t, (struct kn_session_input){.kind = KN_SESSION_IN_HEARD});
        return;
    case KN_IN_ANSWER:
        controller_step(t, (struct kc_input){.kind = KC_IN_ANSWER,
                                             .record = in->record,
                                             .broker_id = in->broker_id,
                                             .correlation = in->correlation,
                                             .answer = in->answer});
        return;
    case KN_IN_SEND_FAILED:
        controller_step(t, (struct kc_input){.kind = KC_IN_SEND_FAILED,
                                             .record = in->record,
                                             .broker_id = in->broker_id,
                                             .correlation = in->correlation});
        return;
    case KN_IN_CALL:
        controller_step(t, (struct kc_input){.kind = KC_IN_CALL,
                                             .record = in->record,
                                             .call_id = in->call_id,
                                             .call = in->call});
        return;
    case KN_IN_TIMER:
        on_timer(t, in);
        return;
    case KN_IN_BLOCK:
        controller_step(t,
                        (struct kc_input){.kind = KC_IN_BLOCK, .record = in->record, .on = in->on});
        return;
    case KN_IN_STOP:
        on_stop(t);
        return;
    case KN_IN_REQUEST:
        on_request(t, in);
        return;
    case KN_IN_BATCH_REQUEST:
        on_batch_request(t, in);
        return;
    case KN_IN_DROP:
        broker_step(t, (struct kb_broker_input){.kind = KB_BROKER_IN_DROP,
                                                .record = in->record,
                                                .call_id = in->call_id});
        return;
    case KN_IN_PEER_RESPONSE:
        broker_step(t, (struct kb_broker_input){.kind = KB_BROKER_IN_PEER_RESPONSE,
                                                .record = in->record,
                                                .broker_id = in->broker_id,
                                                .correlation = in->correlation,
                                                .api = in->api,
                                                .version = in->version,
                                                .message = in->message,
                                                .size = in->size});
        return;
    case KN_IN_DIR_FAILED:
        broker_step(t, (struct kb_broker_input){.kind = KB_BROKER_IN_DIR_FAILED,
                                                .record = in->record,
                                                .value = in->value});
        return;
    case KN_IN_TOPIC_CONFIG:
        configure_topic(t, in->path, in->config);
        return;
    case KN_IN_PEER_FAILED:
        broker_step(t, (struct kb_broker_input){.kind = KB_BROKER_IN_SEND_FAILED,
                                                .record = in->record,
                                                .broker_id = in->broker_id,
                                                .correlation = in->correlation});
        return;
    }
}

enum sm_err kn_node_step(struct kn_node *n, int64_t now_us, const struct kn_input *in,
                         struct kn_outputs *out)
{
    struct turn t = {.node = n, .now_us = now_us, .out = out, .record = in->record};
    out->more = false;
    out->touched = 0;
    if (n->state == KN_STOPPED)
        return SM_ERR_OK;
    assert(in->kind == KN_IN_MORE || !n->controller_has_more);
    take(&t, in);
    if (t.err == SM_ERR_OK && in->kind == KN_IN_MORE)
        consequence(&t);
    out->more = t.err == SM_ERR_OK && has_consequence(n);
    return t.err;
}

bool kn_node_is_running(const struct kn_node *n)
{
    return n->state == KN_RUNNING;
}

bool kn_node_listens(const struct kn_node *n)
{
    return n->broker != NULL && n->state == KN_RUNNING && n->listens;
}

bool kn_node_takes_requests(const struct kn_node *n)
{
    return kn_node_listens(n) && kb_broker_has_room(n->broker);
}

bool kn_node_must_wait(const struct kn_node *n, enum wire_api api, const struct wire_batch *batch,
                       uint32_t index)
{
    return n->replicas != NULL && kb_must_wait_for_isr(n->replicas, api, batch, index);
}

bool kn_node_is_quiet(const struct kn_node *n, bool (*is_dead)(void *, int32_t), void *context)
{
    if (n->state == KN_STOPPED || n->state == KN_NEW)
        return true;
    if (n->broker != NULL && !kb_broker_is_quiet(n->broker))
        return false;
    if (n->replicas != NULL && !kb_replicas_is_quiet(n->replicas))
        return false;
    return n->state == KN_RUNNING && !has_consequence(n) &&
           kn_session_state(n->session) == KN_SESSION_CONNECTED &&
           kn_session_outstanding(n->session) == 0 && kn_config_watch_is_idle(&n->config_watch) &&
           kc_controller_is_quiet(n->controller, is_dead, context);
}

void kn_node_check(const struct kn_node *n)
{
    kn_session_check(n->session);
    kc_controller_check(n->controller);
    if (n->broker != NULL)
        kb_broker_check(n->broker);
    assert(n->state <= KN_STOPPED);
    assert(n->config_watch.pending_at <= n->config_watch.pending_count);
    assert(n->config_watch.pending_count <= KN_CONFIG_PENDING_MAX);
}
