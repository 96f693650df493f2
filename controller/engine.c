/*
 * The engine: one input in, the flow in work goes on as far as it can.
 *
 *     event ──► frame 0: flow BrokerChange, row 3 ──► frame 1: BrokerFailure, row 1 ──► frame 2 …
 *
 * A flow is rows. A row runs (a short function) or is bulk: select – ask – answer over a window of
 * ZooKeeper requests, the loop for which stands here once. A row may call a flow by pushing a
 * frame. The place where a flow waits is the frame, so that dropping a flow is clearing a few
 * bytes.
 *
 * Errors unwind frame by frame, as Kafka's exceptions do, and each flow says whether it swallows
 * them; requests that are still in flight are waited for first, for Kafka's handlers wait for all
 * answers before they look at any.
 *
 * Source: Kafka ControllerEventManager.ControllerEventThread, KafkaController.process,
 * KafkaZkClient.retryRequestsUntilConnected.
 */
#include "controller/state.h"

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct kc_flow_def *const flows[KC_FLOW_END] = {
#define X(name) [KC_FLOW_##name] = &kc_flow_##name,
    KC_FLOW_MAP(X)
#undef X
};

static struct kc_frame *top(struct kc_controller *c)
{
    assert(c->depth > 0);
    return &c->frame[c->depth - 1];
}

static const struct kc_row *row_of(const struct kc_frame *f)
{
    return &flows[f->flow]->rows[f->row];
}

/* What a row does comes from the row, and the row from the one that called its flow: not from the
   reply that happened to end the row before. So a chain of causes climbs from a write through the
   flows to the event, however many other partitions were handled in between. */
static void note_row(struct kc_controller *c, const struct kc_frame *f)
{
    size_t depth = (size_t)(f - c->frame);

    if (!kc_notes(c, KC_NOTE_FLOW) || row_of(f)->name == NULL) {
        return;
    }
    c->row_record[depth] = kc_emit(c, &(struct kc_output){.kind = KC_OUT_FLOW,
                                                          .name = flows[f->flow]->name,
                                                          .row = row_of(f)->name,
                                                          .by = c->called_by[depth]});
    c->cause = c->row_record[depth] != 0 ? c->row_record[depth] : c->cause;
}

/* The cause of what is asked anew, while replies to others come in. */
static void blame_row(struct kc_controller *c)
{
    uint64_t record = c->row_record[c->depth - 1];

    c->cause = record != 0 ? record : c->cause;
}

struct kc_frame *kc_call(struct kc_controller *c, enum kc_flow flow, uint32_t arg)
{
    assert(c->depth < KC_FRAMES_MAX);
    struct kc_frame *f = &c->frame[c->depth++];

    *f = (struct kc_frame){.flow = (uint16_t)flow, .arg = arg};
    uint64_t caller = c->depth > 1 ? c->row_record[c->depth - 2] : 0;
    c->called_by[c->depth - 1] = caller != 0 ? caller : c->cause;
    note_row(c, f);
    return f;
}

static void leave(struct kc_controller *c)
{
    *top(c) = (struct kc_frame){0};
    c->depth--;
    c->called_by[c->depth] = c->row_record[c->depth] = 0;
}

static void go_on(struct kc_controller *c, struct kc_frame *f)
{
    f->row++;
    f->phase = 0;
    f->cursor = 0;
    if (f == top(c)) {
        note_row(c, f);
    }
}

bool kc_worked(struct kc_controller *c)
{
    return ++c->step->work >= KC_WORK_PER_STEP;
}

/* ---- errors ---- */

enum kc_next kc_throw(struct kc_controller *c, enum sm_err err, const char *format, ...)
{
    va_list arguments;

    assert(err != SM_ERR_OK);
    c->error = err;
    memset(c->error_words, 0, sizeof c->error_words);
    va_start(arguments, format);
    vsnprintf(c->error_words, sizeof c->error_words, format, arguments);
    va_end(arguments);
    return KC_THROW;
}

enum kc_slot_next kc_slot_throw(struct kc_controller *c, int32_t zk_code)
{
    enum sm_err err =
        zk_code == WIRE_ZK_SESSION_EXPIRED ? SM_ERR_SESSION_EXPIRED : SM_ERR_ZOOKEEPER;

    kc_throw(c, err, "org.apache.zookeeper.KeeperException: KeeperErrorCode = %s",
             wire_zk_err_name(zk_code));
    return KC_SLOT_FAIL;
}

const char *kc_error_text(const struct kc_controller *c)
{
    return c->error_words;
}

static void unwind(struct kc_controller *c)
{
    while (c->depth > 0) {
        struct kc_frame *f = top(c);
        enum kc_catch caught =
            flows[f->flow]->on_error == NULL ? KC_RETHROW : flows[f->flow]->on_error(c, f);
        if (caught == KC_RESUME) {
            c->error = SM_ERR_OK;
            return;
        }
        /* the handler may have called a flow on top of its own frame: only with KC_RESUME */
        assert(f == top(c));
        leave(c);
        if (caught == KC_SWALLOW) {
            c->error = SM_ERR_OK;
            return;
        }
    }
}

/* What Kafka's dispatcher does with what a handler throws: ControllerMoved means to look again who
   the controller is; anything else is logged and forgotten. */
static void end_with_error(struct kc_controller *c)
{
    const char *event = kc_event_name(c->event.kind);
    bool moved = c->error == SM_ERR_CONTROLLER_MOVED;

    if (moved) {
        kc_log(c, KC_INFO,
               "[Controller id=%d] Controller moved to another broker when processing %s.\n%s",
               c->config.broker.id, event, kc_error_text(c));
    } else {
        kc_log(c, KC_ERROR, "[Controller id=%d] Error processing event %s\n%s", c->config.broker.id,
               event, kc_error_text(c));
    }
    c->error = SM_ERR_OK;
    if (kc_batch_is_open(c)) {
        kc_batch_drop(c, false);
    }
    if (moved) {
        kc_call(c, KC_FLOW_MAYBE_RESIGN, 0);
    }
}

/* ---- rows that many flows have ---- */

enum kc_next kc_if_active(struct kc_controller *c, struct kc_frame *f)
{
    (void)f;
    return kc_is_active(c) ? KC_NEXT : KC_RETURN;
}

enum kc_next kc_rethrow(struct kc_controller *c, struct kc_frame *f)
{
    if (f->value != SM_ERR_OK) {
        c->error = f->value;
        return KC_THROW;
    }
    return KC_NEXT;
}

/* ---- bulk work ---- */

static uint32_t free_slot(const struct kc_controller *c)
{
    for (uint32_t i = 0; i < c->limits.window; i++) {
        if (!kc_slot(c, i)->used) {
            return i;
        }
    }
    return KC_NO_ROW;
}

static void give_slot(struct kc_controller *c, uint32_t i)
{
    memset(kc_slot(c, i), 0, sizeof(struct kc_slot));
    (void)c;
}

/* Data that was built in the room behind the scratch is cleared once it is sent. */
static void clear_room(struct kc_controller *c, const struct kc_ask *ask)
{
    const uint8_t *room = kc_scratch(c) + c->scratch_used;
    const uint8_t *end = kc_scratch(c) + c->limits.scratch_bytes;
    const uint8_t *data = ask->data;

    if (data >= room && data < end) {
        memset(kc_scratch(c) + (data - kc_scratch(c)), 0, ask->data_size);
    }
}

static uint8_t request_bytes(struct kc_controller *c, const struct kc_ask *ask, uint32_t xid)
{
    uint8_t *bytes = kc_at(c, c->at.text); /* long znodes do not fit: built in the scratch's rest */
    size_t capacity = KC_TEXT_MAX;
    struct wire_zk_builder b;

    if (ask->data_size + 1024 > KC_TEXT_MAX) { /* behind its data, which stands in the room */
        uint32_t used = ((c->scratch_used + 7) & ~7u) + ((ask->data_size + 7) & ~7u);
        bytes = kc_scratch(c) + used;
        capacity = c->limits.scratch_bytes - used;
    }
    bool fenced = ask->fenced && sm_rule_on(&c->config.profile, SM_RULE_FENCED_WRITES);
    wire_zk_begin(&b, bytes, capacity, xid, fenced || ask->second != 0);
    if (fenced) {
        int32_t version = ask->has_fence ? ask->fence_version : c->epoch_zk_version;
        wire_zk_add(&b, (struct wire_zk_op){.opcode = WIRE_ZK_CHECK, .version = version},
                    SM_PATH_CONTROLLER_EPOCH, NULL);
    }
    wire_zk_add(&b,
                (struct wire_zk_op){.opcode = ask->opcode,
                                    .flags = ask->flags,
                                    .watch = ask->watch,
                                    .has_data = ask->has_data,
                                    .version = ask->version,
                                    .data_size = ask->data_size},
                ask->path, ask->data);
    if (ask->second != 0) {
        wire_zk_add(&b,
                    (struct wire_zk_op){.opcode = ask->second,
                                        .has_data = 1,
                                        .version = ask->second_version,
                                        .data_size = ask->second_size},
                    ask->second_path, ask->second_data);
    }
    const struct wire_zk_request *request = wire_zk_end(&b);
    assert(request != NULL);
    kc_emit(c, &(struct kc_output){.kind = KC_OUT_ZK, .request = request});
    memset(bytes, 0, request->size);
    clear_room(c, ask);
    return fenced;
}

/* Asks the slot's question; false where its bulk has none, and the item is done. */
static bool issue(struct kc_controller *c, struct kc_frame *f, const struct kc_bulk *bulk,
                  uint32_t i)
{
    struct kc_slot *s = kc_slot(c, i);
    struct kc_ask ask;

    memset(&ask, 0, offsetof(struct kc_ask, path));
    ask.version = WIRE_ZK_ANY_VERSION;

    if (!bulk->ask(c, f, s, &ask)) {
        give_slot(c, i);
        return false;
    }
    uint32_t xid = c->xid++;
    uint8_t fenced = request_bytes(c, &ask, xid);
    assert(c->op_count < c->limits.window);
    *kc_op(c, (c->op_head + c->op_count++) % c->limits.window) =
        (struct kc_op){.xid = xid, .slot = i, .fenced = fenced};
    return true;
}

/* Gives ZooKeeper's verdict on the operation inside its fence; sets the error where the fence
   itself refused. Source: KafkaZkClient.retryRequestsUntilConnected,
   unwrapResponseWithControllerEpochCheck. */
static bool pass_fence(struct kc_controller *c, const struct wire_zk_reply *reply,
                       struct wire_zk_result_view *v, int32_t *err)
{
    wire_zk_result_next(reply, v);
    if (v->result->err == WIRE_ZK_BAD_VERSION) {
        kc_throw(c, SM_ERR_CONTROLLER_MOVED,
                 "org.apache.kafka.common.errors.ControllerMovedException: Controller epoch "
                 "zkVersion check fails. Expected zkVersion = %d",
                 c->epoch_zk_version);
        return false;
    }
    if (v->result->err != WIRE_ZK_OK) {
        kc_slot_throw(c, v->result->err);
        return false;
    }
    wire_zk_result_next(reply, v);
    *err = v->result->err;
    return true;
}

static enum kc_slot_next judge(struct kc_controller *c, struct kc_frame *f,
                               const struct kc_bulk *bulk, struct kc_slot *s, bool fenced,
                               const struct wire_zk_reply *reply)
{
    struct wire_zk_result_view v = {0};
    int32_t err = reply->err;

    if (reply->count == 0) { /* no result at all: the session is gone */
        return bulk->answer(c, f, s, err, NULL);
    }
    if (fenced) {
        if (!pass_fence(c, reply, &v, &err)) {
            return KC_SLOT_FAIL;
        }
    } else if (reply->multi) { /* two operations: the code of the whole, the result of the second */
        wire_zk_result_next(reply, &v);
        wire_zk_result_next(reply, &v);
    } else {
        wire_zk_result_next(reply, &v);
        err = v.result->err;
    }
    return bulk->answer(c, f, s, err, &v);
}

static void take_reply(struct kc_controller *c, struct kc_frame *f, const struct kc_bulk *bulk,
                       const struct wire_zk_reply *reply)
{
    struct kc_op op = *kc_op(c, c->op_head);

    assert(c->op_count > 0);
    assert(op.xid == reply->xid);
    *kc_op(c, c->op_head) = (struct kc_op){0};
    c->op_head = (c->op_head + 1) % c->limits.window;
    c->op_count--;
    if (c->error != SM_ERR_OK) { /* only waiting for the rest */
        give_slot(c, op.slot);
        return;
    }
    switch (judge(c, f, bulk, kc_slot(c, op.slot), op.fenced, reply)) {
    case KC_SLOT_DONE:
    case KC_SLOT_FAIL:
        give_slot(c, op.slot);
        break;
    case KC_SLOT_ASK:
        issue(c, f, bulk, op.slot);
        break;
    }
    c->step->work++;
}

/* The client library of old versions asks one thing after the other. */
static uint32_t window_of(const struct kc_controller *c)
{
    return kc_is_old(c) ? 1 : c->limits.window;
}

static enum kc_next run_bulk(struct kc_controller *c, struct kc_frame *f,
                             const struct kc_bulk *bulk)
{
    const struct kc_input *in = c->step->in;

    if (in != NULL && in->kind == KC_IN_ZK_REPLY) {
        c->step->in = NULL;
        take_reply(c, f, bulk, in->reply);
    }
    blame_row(c);
    while (c->error == SM_ERR_OK && c->op_count < window_of(c) && f->phase == 0) {
        uint32_t i = free_slot(c);
        struct kc_slot *s = kc_slot(c, i);
        if (!bulk->select(c, f, s)) {
            f->phase = 1; /* all selected */
            break;
        }
        s->used = 1;
        issue(c, f, bulk, i);
        if (kc_worked(c) && c->op_count == 0) {
            return KC_YIELD;
        }
    }
    if (c->op_count > 0) {
        return KC_WAIT;
    }
    return c->error == SM_ERR_OK ? KC_NEXT : KC_THROW;
}

/* ---- running ---- */

static enum kc_next run_row(struct kc_controller *c, struct kc_frame *f)
{
    const struct kc_row *row = row_of(f);

    if (row->name == NULL) {
        return KC_RETURN;
    }
    return row->bulk != NULL ? run_bulk(c, f, row->bulk) : row->run(c, f);
}

/* Runs until an input is needed, nothing is left, or the step has done enough. */
void kc_run(struct kc_controller *c)
{
    for (;;) {
        if (c->depth == 0) {
            if (c->event.kind != KC_EVENT_NONE) {
                kc_finish_event(c);
            }
            if (c->event_count == 0 || c->blocked) {
                return;
            }
            kc_start_event(c);
            continue;
        }
        struct kc_frame *f = top(c);
        uint16_t row = f->row;
        switch (run_row(c, f)) {
        case KC_NEXT:
            go_on(c, f);
            break;
        case KC_STAY:
            if (f == top(c) && f->row != row) { /* it has chosen another row */
                note_row(c, f);
            }
            break;
        case KC_WAIT:
            return;
        case KC_YIELD:
            c->step->out->more = true;
            return;
        case KC_RETURN:
            assert(f == top(c));
            leave(c);
            if (c->depth > 0) {
                note_row(c, top(c));
            }
            break;
        case KC_RETURN_AFTER_CALL:
            while (row_of(f)->name != NULL) {
                f->row++;
            }
            f->phase = 0;
            f->cursor = 0;
            break;
        case KC_THROW:
            unwind(c);
            if (c->error != SM_ERR_OK) {
                end_with_error(c);
            }
            break;
        }
    }
}

/* ---- what the event in work keeps ---- */

uint32_t kc_keep_bytes(struct kc_controller *c, const void *bytes, uint32_t size)
{
    uint32_t at = (c->scratch_used + 7) & ~7u;

    assert(at + size <= c->limits.scratch_bytes);
    memcpy(kc_scratch(c) + at, bytes, size);
    c->scratch_used = at + size;
    return at;
}

void kc_keep_names(struct kc_controller *c, const struct wire_zk_result_view *r)
{
    c->scratch_names_size = r == NULL ? 0 : r->result->data_size;
    c->scratch_names = r == NULL ? 0 : kc_keep_bytes(c, r->data, r->result->data_size);
}

const char *kc_name_next(const struct kc_controller *c, const char *previous)
{
    const char *first = (const char *)kc_scratch(c) + c->scratch_names;
    const char *next = previous == NULL ? first : previous + strlen(previous) + 1;

    return next < first + c->scratch_names_size ? next : NULL;
}

void kc_ask_path(struct kc_ask *ask, uint8_t opcode, const char *path)
{
    ask->opcode = opcode;
    snprintf(ask->path, sizeof ask->path, "%s", path);
}

void kc_ask_write(struct kc_ask *ask, uint8_t opcode, const char *path, const void *data,
                  uint32_t size, int32_t version)
{
    kc_ask_path(ask, opcode, path);
    ask->data = data;
    ask->data_size = size;
    ask->has_data = data != NULL;
    ask->version = version;
    ask->fenced = 1;
}

const struct kc_bulk *kc_bulk_of(const struct kc_controller *c)
{
    const struct kc_frame *f = &c->frame[c->depth - 1];

    return row_of(f)->bulk;
}
