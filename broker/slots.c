/*
 * What all flows are written with: scratch of a step, slots with their areas, responses, asking.
 *
 *     heap   | request A | work A | response A | request B | response B |      free      |
 *                                 ^ a response that is widened moves what is behind it
 *
 * The areas lie without gaps, in the order in which they were taken; so there is no list of free
 * ones, and heap_used says all. Whoever holds a pointer into an area holds it until the next one is
 * taken, widened or dropped.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "broker/state.h"

/* ---- scratch ---- */

size_t kb_turn_scratch_left(const struct kb_turn *t)
{
    return t->out->scratch_size - t->scratch_used;
}

void *kb_turn_room(struct kb_turn *t, size_t size)
{
    uint8_t *at = (uint8_t *)t->out->scratch + t->scratch_used;
    assert(kb_up8(size) <= kb_turn_scratch_left(t));
    t->scratch_used += kb_up8(size);
    return at;
}

void *kb_turn_scratch(struct kb_turn *t, size_t size)
{
    return memset(kb_turn_room(t, size), 0, kb_up8(size));
}

int64_t kb_wall_ms(const struct kb_turn *t)
{
    return t->in->wall_ms != 0 ? t->in->wall_ms : t->now_us / 1000;
}

/* ---- slots and their areas ---- */

static struct kb_slot *free_slot(const struct kb_broker *b)
{
    struct kb_slot *s = kb_slots(b);
    for (uint32_t i = 0; i < b->limits.requests; i++)
        if (s[i].phase == KB_PHASE_FREE)
            return &s[i];
    return NULL;
}

static void area_take(struct kb_broker *b, struct kb_slot *s, enum kb_area_kind kind, size_t size)
{
    size = kb_up8(size);
    assert(size <= b->limits.request_bytes - b->heap_used);
    if (size == 0) /* no area: its place would go stale when others move */
        return;
    s->area[kind] = (struct kb_area){.at = b->heap_used, .size = (uint32_t)size};
    memset(kb_region(b, b->heap_at) + b->heap_used, 0, size);
    b->heap_used += (uint32_t)size;
}

/* Moves what stands from `at` on by `by` bytes, and tells its slots. */
static void shift(struct kb_broker *b, uint32_t at, int64_t by)
{
    uint8_t *heap = kb_region(b, b->heap_at);
    struct kb_slot *s = kb_slots(b);
    memmove(heap + at + by, heap + at, b->heap_used - at);
    for (uint32_t i = 0; i < b->limits.requests; i++)
        for (int kind = 0; kind < KB_AREAS; kind++)
            if (s[i].area[kind].size > 0 && s[i].area[kind].at >= at)
                s[i].area[kind].at = (uint32_t)(s[i].area[kind].at + by);
    b->heap_used = (uint32_t)(b->heap_used + by);
}

static void area_drop(struct kb_broker *b, struct kb_slot *s, enum kb_area_kind kind)
{
    struct kb_area a = s->area[kind];
    if (a.size == 0)
        return;
    s->area[kind] = (struct kb_area){0};
    shift(b, a.at + a.size, -(int64_t)a.size);
    memset(kb_region(b, b->heap_at) + b->heap_used, 0, a.size);
}

void kb_area_widen(struct kb_broker *b, struct kb_slot *s, enum kb_area_kind kind, size_t more)
{
    struct kb_area *a = &s->area[kind];
    uint32_t end = a->at + a->size;
    shift(b, end, (int64_t)kb_up8(more));
    memset(kb_region(b, b->heap_at) + end, 0, kb_up8(more));
    a->size += (uint32_t)kb_up8(more);
}

void *kb_area_bytes(const struct kb_broker *b, const struct kb_slot *s, enum kb_area_kind kind)
{
    return kb_region(b, b->heap_at) + s->area[kind].at;
}

const void *kb_request_of(const struct kb_broker *b, const struct kb_slot *s)
{
    return kb_area_bytes(b, s, KB_AREA_REQUEST);
}

struct kb_slot *kb_slot_take(struct kb_turn *t, size_t work_size, size_t response_size)
{
    struct kb_broker *b = t->b;
    struct kb_slot *s = free_slot(b);
    assert(s != NULL);
    memset(s, 0, sizeof *s);
    s->call_id = t->in->call_id;
    s->record = t->in->record;
    s->api = t->in->api;
    s->version = (int16_t)t->in->version;
    s->deadline_us = -1;
    s->order = ++b->order;
    s->phase = KB_PHASE_ITEM;
    if (t->in->listener != NULL)
        snprintf(s->listener, sizeof s->listener, "%s", t->in->listener);
    area_take(b, s, KB_AREA_REQUEST, t->in->size);
    memcpy(kb_area_bytes(b, s, KB_AREA_REQUEST), t->in->message, t->in->size);
    area_take(b, s, KB_AREA_WORK, work_size);
    area_take(b, s, KB_AREA_RESPONSE, response_size < 64 ? 64 : response_size);
    b->waiting++;
    return s;
}

void kb_slot_release(struct kb_broker *b, struct kb_slot *s)
{
    for (int kind = 0; kind < KB_AREAS; kind++)
        area_drop(b, s, (enum kb_area_kind)kind);
    memset(s, 0, sizeof *s);
    b->waiting--;
}

bool kb_broker_has_room(const struct kb_broker *b)
{
    return b->waiting < b->limits.requests;
}

/* ---- responses ---- */

void kb_response_open(struct kb_broker *b, struct kb_slot *s, struct wire_flat *f)
{
    memset(f, 0, sizeof *f);
    f->bytes = kb_area_bytes(b, s, KB_AREA_RESPONSE);
    f->capacity = s->area[KB_AREA_RESPONSE].size;
    f->used = s->response_used;
}

void *kb_response_begin(struct kb_broker *b, struct kb_slot *s, struct wire_flat *f,
                        size_t head_size)
{
    void *head = wire_flat_begin(f, kb_area_bytes(b, s, KB_AREA_RESPONSE),
                                 s->area[KB_AREA_RESPONSE].size, head_size);
    wire_defaults(WIRE_RESPONSE, (int16_t)s->api, head);
    return head;
}

void kb_response_close(struct kb_slot *s, const struct wire_flat *f)
{
    assert(!f->overflow);
    s->response_used = (uint32_t)f->used;
}

void kb_put_response(struct kb_turn *t, uint64_t record, uint64_t call_id, int32_t api,
                     int32_t version, const void *message, size_t size)
{
    if (call_id == 0)
        return;
    t->out->put(t->out->context, &(struct kb_broker_output){.kind = KB_BROKER_OUT_RESPONSE,
                                                            .by = record,
                                                            .call_id = call_id,
                                                            .api = api,
                                                            .version = version,
                                                            .message = message,
                                                            .size = size});
}

void kb_response_send(struct kb_turn *t, struct kb_slot *s)
{
    struct wire_flat f;
    kb_response_open(t->b, s, &f);
    size_t size = wire_flat_end(&f);
    assert(size > 0);
    kb_put_response(t, t->in->record, s->call_id, s->api, s->version, f.bytes, size);
    kb_slot_release(t->b, s);
}

void *kb_answer_begin(struct kb_turn *t, struct wire_flat *f, int32_t api, size_t head_size)
{
    size_t size = kb_turn_scratch_left(t) & ~(size_t)7;
    uint8_t *at = (uint8_t *)t->out->scratch + t->scratch_used;
    t->scratch_used += size;
    void *head = wire_flat_begin(f, at, size, head_size);
    wire_defaults(WIRE_RESPONSE, (int16_t)api, head);
    return head;
}

void kb_answer_send(struct kb_turn *t, struct wire_flat *f)
{
    size_t size = wire_flat_end(f);
    assert(size > 0);
    kb_put_response(t, t->in->record, t->in->call_id, t->in->api, t->in->version, f->bytes, size);
}

void kb_slot_answer(struct kb_turn *t, struct kb_slot *s, struct wire_flat *f)
{
    size_t size = wire_flat_end(f);
    assert(size > 0);
    kb_put_response(t, t->in->record, s->call_id, s->api, s->version, f->bytes, size);
    kb_slot_release(t->b, s);
}

void *kb_items(struct wire_flat *f, struct wire_array *array, int32_t count,
               const struct wire_layout *layout)
{
    *array = wire_flat_array(f, count, layout->size);
    uint8_t *at = array->count <= 0 ? NULL : wire_flat_at(f, array->at);
    for (int32_t i = 0; i < array->count; i++)
        wire_defaults_of(layout, at + (size_t)i * layout->size);
    return at;
}

void kb_say(struct wire_flat *f, int16_t *error, struct wire_string *message, int32_t code,
            const char *text)
{
    *error = (int16_t)code;
    *message = wire_flat_string(f, text);
}

/* ---- asking ---- */

uint32_t kb_zk_ask(struct kb_turn *t, const struct kb_zk *ask)
{
    struct wire_zk_builder w;
    size_t before = t->scratch_used, need = ask->size + strlen(ask->path) + 256;
    struct wire_zk_op op = {.opcode = ask->opcode,
                            .flags = ask->flags,
                            .has_data = ask->data != NULL,
                            .version = ask->version == 0 ? WIRE_ZK_ANY_VERSION : ask->version - 1,
                            .data_size = (uint32_t)ask->size};
    uint32_t xid = ++t->b->xid;
    wire_zk_begin(&w, kb_turn_scratch(t, need), need, xid, false);
    wire_zk_add(&w, op, ask->path, ask->data);
    const struct wire_zk_request *request = wire_zk_end(&w);
    assert(request != NULL);
    t->out->put(t->out->context, &(struct kb_broker_output){.kind = KB_BROKER_OUT_ZK,
                                                            .by = t->in->record,
                                                            .request = request});
    t->scratch_used = before;
    return xid;
}

void kb_slot_ask(struct kb_turn *t, struct kb_slot *s, enum kb_phase phase, const struct kb_zk *ask)
{
    s->phase = (uint8_t)phase;
    s->xid = kb_zk_ask(t, ask);
}

void *kb_call_room(struct kb_turn *t, struct kb_slot *s, size_t *capacity)
{
    *capacity = s->area[KB_AREA_WORK].size;
    return kb_area_bytes(t->b, s, KB_AREA_WORK);
}

void kb_slot_call(struct kb_slot *s)
{
    s->phase = KB_PHASE_CALL;
    s->flag = 0;
}

bool kb_broker_has_call(const struct kb_broker *b)
{
    const struct kb_slot *s = kb_slots(b);
    for (uint32_t i = 0; b->waiting > 0 && i < b->limits.requests; i++)
        if (s[i].phase == KB_PHASE_CALL && s[i].flag == 0)
            return true;
    return false;
}

const struct wire_call *kb_broker_take_call(struct kb_broker *b, uint64_t *call_id)
{
    struct kb_slot *s = kb_slots(b), *first = NULL;
    for (uint32_t i = 0; b->waiting > 0 && i < b->limits.requests; i++)
        if (s[i].phase == KB_PHASE_CALL && s[i].flag == 0 &&
            (first == NULL || s[i].order < first->order))
            first = &s[i];
    if (first == NULL)
        return NULL;
    first->flag = 1;
    *call_id = first->order;
    return kb_area_bytes(b, first, KB_AREA_WORK);
}

void kb_log(struct kb_turn *t, const char *format, ...)
{
    char text[KB_TEXT_MAX];
    va_list a;
    va_start(a, format);
    vsnprintf(text, sizeof text, format, a);
    va_end(a);
    t->out->put(t->out->context, &(struct kb_broker_output){
                                     .kind = KB_BROKER_OUT_LOG, .by = t->in->record, .text = text});
}

int64_t kb_deadline(const struct kb_turn *t, int32_t timeout_ms)
{
    return t->now_us + (timeout_ms > 0 ? (int64_t)timeout_ms * 1000 : 0);
}

struct kb_reply kb_reply_of(const struct wire_zk_reply *reply)
{
    struct kb_reply r = {.err = reply->err};
    if (!wire_zk_result_next(reply, &r.view))
        return r;
    r.version = r.view.result->stat.version;
    r.czxid = r.view.result->stat.czxid;
    r.data = r.view.data;
    r.size = r.view.result->data_size;
    return r;
}
