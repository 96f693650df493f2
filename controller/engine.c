/*
 * The engine: one input in, the flow in work goes on as far as it can.
 *
 *     event ──► frame 0: flow BrokerChange, row 3 ──► frame 1: BrokerFailure, row 1 ──► frame 2 …
 *
 * A flow is rows. A row runs (a short function) or is bulk: select – ask – answer over a window of
 * ZooKeeper requests (bulk.c). A row may call a flow by pushing a frame. The place where a flow
 * waits is the frame, so that dropping a flow is clearing a few bytes.
 *
 * Errors unwind frame by frame, as Kafka's exceptions do, and each flow says whether it swallows
 * them; requests that are still in flight are waited for first, for Kafka's handlers wait for all
 * answers before they look at any.
 *
 * Source: Kafka ControllerEventManager.ControllerEventThread, KafkaController.process.
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

/* ---- running ---- */

static enum kc_next run_row(struct kc_controller *c, struct kc_frame *f)
{
    const struct kc_row *row = row_of(f);

    if (row->name == NULL) {
        return KC_RETURN;
    }
    return row->bulk != NULL ? kc_run_bulk(c, f, row->bulk) : row->run(c, f);
}

/* Runs until an input is needed, nothing is left, or the step has done enough. */
void kc_run(struct kc_controller *c)
{
    for (;;) {
        if (c->depth == 0) {
            if (c->event.kind != KC_EVENT_NONE) {
                kc_finish_event(c);
            }
            if (c->event_count == 0 || c->blocked || c->shut_down == KC_SHUT_DOWN) {
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
