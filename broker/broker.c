/*
 * The step: whom an input concerns, and what the parts share — slots, heap, scratch, asking.
 *
 * Room is made before anything is done: at the head of a step the most that the input can need of
 * heap and scratch is computed, and where that is not there, the step ends with LIMIT. So no flow
 * ever finds itself short in the middle, and every failure to allocate further down is a mistake of
 * ours.
 */
#include "broker/broker.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/state.h"

static size_t up8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

/* ---- the block ---- */

struct kb_broker_limits kb_broker_limits_default(void)
{
    return (struct kb_broker_limits){
        .cache = kb_cache_limits_default(), .requests = 64, .request_bytes = 64 * 1024};
}

static void lay_out(struct kb_broker *b, const struct kb_broker_limits *l, size_t properties)
{
    size_t at = up8(sizeof *b);
    b->limits = *l;
    b->properties_capacity = (uint32_t)properties;
    b->slots_at = at, at += up8(l->requests * sizeof(struct kb_slot));
    b->heap_at = at, at += up8(l->request_bytes);
    b->properties_at = at, at += up8(properties);
    b->cache_at = at, at += kb_cache_size(&l->cache);
    b->size = at;
}

static size_t size_of(const struct kb_broker_limits *limits, size_t properties)
{
    struct kb_broker b;
    lay_out(&b, limits, properties);
    return b.size;
}

size_t kb_broker_size(const struct kb_broker_limits *limits, const struct kb_broker_config *config)
{
    return size_of(limits, config->properties.size);
}

size_t kb_broker_grown_size(const struct kb_broker *b, const struct kb_broker_limits *limits)
{
    return size_of(limits, b->properties_capacity);
}

static uint8_t *region(const struct kb_broker *b, uint64_t at)
{
    return (uint8_t *)(uintptr_t)b + at;
}

struct kb_slot *kb_slots(const struct kb_broker *b)
{
    return (struct kb_slot *)(void *)region(b, b->slots_at);
}

struct kb_cache *kb_cache_of(const struct kb_broker *b)
{
    return (struct kb_cache *)(void *)region(b, b->cache_at);
}

const struct kb_cache *kb_broker_cache(const struct kb_broker *b)
{
    return kb_cache_of(b);
}

void kb_broker_init(struct kb_broker *b, const struct kb_broker_limits *limits,
                    const struct kb_broker_config *config)
{
    memset(b, 0, kb_broker_size(limits, config));
    lay_out(b, limits, config->properties.size);
    kb_cache_init(kb_cache_of(b), &limits->cache);
    if (config->properties.size > 0)
        memcpy(region(b, b->properties_at), config->properties.bytes, config->properties.size);
    b->properties_size = (uint32_t)config->properties.size;
    b->self = config->broker;
    b->has_data = config->has_data != 0;
    b->epoch = -1;
    b->timer_us = -1;
    b->random = config->seed;
    b->ids = (struct kb_producer_ids){.next = 0, .last = -1, .version = -2};
}

const struct kb_broker_limits *kb_broker_limits(const struct kb_broker *b)
{
    return &b->limits;
}

struct kb_broker_limits kb_broker_limits_above(const struct kb_broker_limits *limits,
                                               const char *short_of)
{
    struct kb_broker_limits l = *limits;
    const struct {
        const char *name;
        uint32_t *limit;
    } fields[] = {
        {"brokers", &l.cache.brokers},       {"topics", &l.cache.topics},
        {"name_bytes", &l.cache.name_bytes}, {"rows", &l.cache.rows},
        {"words", &l.cache.words},           {"requests", &l.requests},
        {"request_bytes", &l.request_bytes},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strcmp(fields[i].name, short_of) == 0)
            *fields[i].limit =
                *fields[i].limit > UINT32_MAX / 2 ? UINT32_MAX - 8 : *fields[i].limit * 2;
    return l;
}

void kb_broker_grow(const struct kb_broker *from, struct kb_broker *to,
                    const struct kb_broker_limits *limits)
{
    memset(to, 0, kb_broker_grown_size(from, limits));
    *to = *from;
    lay_out(to, limits, from->properties_capacity);
    memcpy(kb_slots(to), kb_slots(from), from->limits.requests * sizeof(struct kb_slot));
    memcpy(region(to, to->heap_at), region(from, from->heap_at), from->heap_used);
    memcpy(region(to, to->properties_at), region(from, from->properties_at), from->properties_size);
    kb_cache_grow(kb_cache_of(from), kb_cache_of(to), &limits->cache);
}

/* ---- settings of the node ---- */

struct kb_props kb_properties(const struct kb_broker *b)
{
    return (struct kb_props){.bytes = (char *)region(b, b->properties_at),
                             .capacity = b->properties_size,
                             .size = b->properties_size};
}

struct kb_props kb_dynamic(const struct kb_broker *b, int which)
{
    struct kb_broker *w = (struct kb_broker *)(void *)region(b, 0);
    return (struct kb_props){
        .bytes = w->dynamic[which], .capacity = KB_DYNAMIC_BYTES, .size = b->dynamic_size[which]};
}

static const char *property(const struct kb_broker *b, const char *name)
{
    struct kb_props own = kb_properties(b);
    const char *value = kb_props_get(&own, name);
    const struct kb_setting *s = kb_broker_setting(name);
    return value != NULL ? value : s != NULL ? s->def : NULL;
}

int64_t kb_property_int(const struct kb_broker *b, const char *name)
{
    const char *value = property(b, name);
    return value == NULL ? -1 : strtoll(value, NULL, 10);
}

bool kb_property_is_true(const struct kb_broker *b, const char *name)
{
    char parsed[64], message[KB_TEXT_MAX];
    const char *value = property(b, name);
    const struct kb_setting *s = kb_broker_setting(name);
    return value != NULL && s != NULL &&
           kb_setting_parse(s, value, parsed, sizeof parsed, message) &&
           strcmp(parsed, "true") == 0;
}

/* splitmix64 */
uint32_t kb_draw(struct kb_broker *b, uint32_t bound)
{
    uint64_t z = b->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    assert(bound > 0);
    return (uint32_t)((z ^ z >> 31) % bound);
}

/* ---- scratch ---- */

size_t kb_turn_scratch_left(const struct kb_turn *t)
{
    return t->out->scratch_size - t->scratch_used;
}

void *kb_turn_scratch(struct kb_turn *t, size_t size)
{
    uint8_t *at = (uint8_t *)t->out->scratch + t->scratch_used;
    assert(up8(size) <= kb_turn_scratch_left(t));
    t->scratch_used += up8(size);
    memset(at, 0, up8(size));
    return at;
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
    size = up8(size);
    assert(size <= b->limits.request_bytes - b->heap_used);
    if (size == 0) /* no area: its place would go stale when others move */
        return;
    s->area[kind] = (struct kb_area){.at = b->heap_used, .size = (uint32_t)size};
    memset(region(b, b->heap_at) + b->heap_used, 0, size);
    b->heap_used += (uint32_t)size;
}

/* Moves what stands from `at` on by `by` bytes, and tells its slots. */
static void shift(struct kb_broker *b, uint32_t at, int64_t by)
{
    uint8_t *heap = region(b, b->heap_at);
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
    memset(region(b, b->heap_at) + b->heap_used, 0, a.size);
}

static void area_widen(struct kb_broker *b, struct kb_slot *s, enum kb_area_kind kind, size_t more)
{
    struct kb_area *a = &s->area[kind];
    uint32_t end = a->at + a->size;
    shift(b, end, (int64_t)up8(more));
    memset(region(b, b->heap_at) + end, 0, up8(more));
    a->size += (uint32_t)up8(more);
}

void *kb_area_bytes(const struct kb_broker *b, const struct kb_slot *s, enum kb_area_kind kind)
{
    return region(b, b->heap_at) + s->area[kind].at;
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

static void put_response(struct kb_turn *t, uint64_t record, uint64_t call_id, int32_t api,
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
    put_response(t, t->in->record, s->call_id, s->api, s->version, f.bytes, size);
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
    put_response(t, t->in->record, t->in->call_id, t->in->api, t->in->version, f->bytes, size);
}

void kb_slot_answer(struct kb_turn *t, struct kb_slot *s, struct wire_flat *f)
{
    size_t size = wire_flat_end(f);
    assert(size > 0);
    put_response(t, t->in->record, s->call_id, s->api, s->version, f->bytes, size);
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

/* ---- which flow serves an API ---- */

struct service {
    int16_t api;
    bool takes_slot;
    kb_begin *begin;
    kb_advance *advance;
    kb_room_of *room;
    kb_answered *answered;
};

static const struct service services[] = {
    {WIRE_API_PRODUCE, false, kb_begin_produce, NULL, kb_room_mirror, NULL},
    {WIRE_API_FETCH, false, kb_begin_fetch, NULL, kb_room_mirror, NULL},
    {WIRE_API_LIST_OFFSETS, false, kb_begin_by_partition, NULL, kb_room_mirror, NULL},
    {WIRE_API_METADATA, true, kb_begin_metadata, kb_advance_metadata, kb_room_metadata, NULL},
    {WIRE_API_CONTROLLED_SHUTDOWN, true, kb_begin_controlled_shutdown, NULL, kb_room_small,
     kb_answered_controlled_shutdown},
    {WIRE_API_OFFSET_COMMIT, false, kb_begin_by_partition, NULL, kb_room_mirror, NULL},
    {WIRE_API_OFFSET_FETCH, false, kb_begin_by_partition, NULL, kb_room_mirror, NULL},
    {WIRE_API_FIND_COORDINATOR, true, kb_begin_find_coordinator, kb_advance_find_coordinator,
     kb_room_find_coordinator, NULL},
    {WIRE_API_JOIN_GROUP, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_HEARTBEAT, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_LEAVE_GROUP, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_SYNC_GROUP, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_DESCRIBE_GROUPS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_LIST_GROUPS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_SASL_HANDSHAKE, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_API_VERSIONS, false, kb_begin_api_versions, NULL, kb_room_small, NULL},
    {WIRE_API_CREATE_TOPICS, true, kb_begin_create_topics, kb_advance_create_topics,
     kb_room_create_topics, NULL},
    {WIRE_API_DELETE_TOPICS, true, kb_begin_delete_topics, kb_advance_delete_topics,
     kb_room_delete_topics, NULL},
    {WIRE_API_DELETE_RECORDS, false, kb_begin_by_partition, NULL, kb_room_mirror, NULL},
    {WIRE_API_INIT_PRODUCER_ID, true, kb_begin_init_producer_id, kb_advance_init_producer_id,
     kb_room_small, NULL},
    {WIRE_API_OFFSET_FOR_LEADER_EPOCH, false, kb_begin_by_partition, NULL, kb_room_mirror, NULL},
    {WIRE_API_ADD_PARTITIONS_TO_TXN, false, kb_begin_by_partition, NULL, kb_room_mirror, NULL},
    {WIRE_API_ADD_OFFSETS_TO_TXN, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_END_TXN, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_WRITE_TXN_MARKERS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_TXN_OFFSET_COMMIT, false, kb_begin_by_partition, NULL, kb_room_mirror, NULL},
    {WIRE_API_DESCRIBE_ACLS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_CREATE_ACLS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_DELETE_ACLS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_DESCRIBE_CONFIGS, true, kb_begin_describe_configs, kb_advance_describe_configs,
     kb_room_describe_configs, NULL},
    {WIRE_API_ALTER_CONFIGS, true, kb_begin_alter_configs, kb_advance_alter_configs,
     kb_room_alter_configs, NULL},
    {WIRE_API_ALTER_REPLICA_LOG_DIRS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_DESCRIBE_LOG_DIRS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_SASL_AUTHENTICATE, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_CREATE_PARTITIONS, true, kb_begin_create_partitions, kb_advance_create_partitions,
     kb_room_create_partitions, NULL},
    {WIRE_API_CREATE_DELEGATION_TOKEN, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_RENEW_DELEGATION_TOKEN, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_EXPIRE_DELEGATION_TOKEN, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_DESCRIBE_DELEGATION_TOKEN, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_DELETE_GROUPS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_ELECT_LEADERS, true, kb_begin_elect_leaders, kb_advance_elect_leaders,
     kb_room_elect_leaders, kb_answered_elect_leaders},
    {WIRE_API_INCREMENTAL_ALTER_CONFIGS, true, kb_begin_incremental_alter_configs,
     kb_advance_alter_configs, kb_room_alter_configs, NULL},
    {WIRE_API_ALTER_PARTITION_REASSIGNMENTS, true, kb_begin_alter_reassignments,
     kb_advance_reassignments, kb_room_alter_reassignments, kb_answered_alter_reassignments},
    {WIRE_API_LIST_PARTITION_REASSIGNMENTS, true, kb_begin_list_reassignments, NULL,
     kb_room_list_reassignments, kb_answered_list_reassignments},
    {WIRE_API_OFFSET_DELETE, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_DESCRIBE_CLIENT_QUOTAS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_ALTER_CLIENT_QUOTAS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_DESCRIBE_USER_SCRAM_CREDENTIALS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_ALTER_USER_SCRAM_CREDENTIALS, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_ALTER_ISR, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_UPDATE_FEATURES, false, kb_begin_refusal, NULL, kb_room_mirror, NULL},
    {WIRE_API_DESCRIBE_CLUSTER, true, kb_begin_describe_cluster, kb_advance_by_id, kb_room_metadata,
     NULL},
    {WIRE_API_DESCRIBE_PRODUCERS, false, kb_begin_by_partition, NULL, kb_room_mirror, NULL},
};

static const struct service *service_of(int32_t api)
{
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
        if (services[i].api == api)
            return &services[i];
    return NULL;
}

bool kb_broker_serves(int16_t api)
{
    return service_of(api) != NULL || api == WIRE_API_LEADER_AND_ISR ||
           api == WIRE_API_STOP_REPLICA || api == WIRE_API_UPDATE_METADATA;
}

/* ---- room ---- */

enum { REPLY_ROOM = 48 * 1024 }; /* what one reply may add to a response, beside its own bytes */

static bool lacks_scratch(struct kb_turn *t, size_t need)
{
    if (t->out->scratch_size >= need)
        return false;
    t->out->short_of = "scratch";
    t->out->scratch_needed = need;
    return true;
}

static bool lacks_heap(struct kb_turn *t, size_t need)
{
    if (t->b->limits.request_bytes - t->b->heap_used >= need)
        return false;
    t->out->short_of = "request_bytes";
    return true;
}

static bool lacks_room_for_request(struct kb_turn *t)
{
    const struct service *s = service_of(t->in->api);
    if (s == NULL)
        return lacks_scratch(t, KB_SCRATCH_MIN);
    struct kb_room room = s->room(t->b, t->in);
    if (lacks_scratch(t, KB_SCRATCH_MIN + room.scratch + room.response + room.work))
        return true;
    return s->takes_slot && lacks_heap(t, up8(t->in->size) + up8(room.work) + up8(room.response));
}

static struct kb_slot *slot_of_xid(const struct kb_broker *b, uint32_t xid)
{
    struct kb_slot *s = kb_slots(b);
    for (uint32_t i = 0; i < b->limits.requests; i++)
        if (s[i].phase != KB_PHASE_FREE && s[i].xid == xid)
            return &s[i];
    return NULL;
}

static struct kb_slot *slot_of_order(const struct kb_broker *b, uint64_t order)
{
    struct kb_slot *s = kb_slots(b);
    for (uint32_t i = 0; i < b->limits.requests; i++)
        if (s[i].phase != KB_PHASE_FREE && s[i].order == order)
            return &s[i];
    return NULL;
}

/* Widens the response of `s` where less than `need` bytes are left in it. */
static bool lacks_room_in(struct kb_turn *t, struct kb_slot *s, size_t need)
{
    if (s->area[KB_AREA_RESPONSE].size - s->response_used >= need)
        return false;
    if (lacks_heap(t, up8(need)))
        return true;
    area_widen(t->b, s, KB_AREA_RESPONSE, need);
    return false;
}

/* What slots that are answered out of the cache, but later, will need of scratch. */
static size_t late_scratch(const struct kb_broker *b)
{
    const struct kb_slot *s = kb_slots(b);
    size_t most = 0;
    for (uint32_t i = 0; b->waiting > 0 && i < b->limits.requests; i++) {
        if (s[i].phase == KB_PHASE_FREE ||
            (s[i].api != WIRE_API_METADATA && s[i].api != WIRE_API_DESCRIBE_CLUSTER))
            continue;
        struct kb_broker_input in = {
            .api = s[i].api, .version = s[i].version, .message = kb_request_of(b, &s[i])};
        struct kb_room room = kb_room_metadata(b, &in);
        most = room.scratch > most ? room.scratch : most;
    }
    return most;
}

static bool lacks_room_for_reply(struct kb_turn *t)
{
    struct kb_slot *s = slot_of_xid(t->b, t->in->reply->xid);
    size_t size = t->in->reply->size;
    if (lacks_scratch(t, KB_SCRATCH_MIN + 4 * size + late_scratch(t->b)))
        return true;
    return s != NULL && lacks_room_in(t, s, REPLY_ROOM + 4 * size);
}

static bool lacks_room_for_answer(struct kb_turn *t)
{
    struct kb_slot *s = slot_of_order(t->b, t->in->call_id);
    size_t need = KB_SCRATCH_MIN + 512 * (size_t)t->in->call->count + 4 * (size_t)t->in->call->size;
    if (s != NULL)
        need += 16 * (size_t)s->area[KB_AREA_REQUEST].size;
    return lacks_scratch(t, need) || (s != NULL && lacks_room_in(t, s, need - KB_SCRATCH_MIN));
}

static bool lacks_room(struct kb_turn *t)
{
    switch ((enum kb_broker_input_kind)t->in->kind) {
    case KB_BROKER_IN_REQUEST:
        return lacks_room_for_request(t);
    case KB_BROKER_IN_ZK_REPLY:
        return lacks_room_for_reply(t);
    case KB_BROKER_IN_CALL_ANSWER:
        return lacks_room_for_answer(t);
    case KB_BROKER_IN_NONE:
    case KB_BROKER_IN_SESSION_CREATED:
    case KB_BROKER_IN_SESSION_EXPIRED:
    case KB_BROKER_IN_REGISTERED:
    case KB_BROKER_IN_BATCH:
    case KB_BROKER_IN_DROP:
    case KB_BROKER_IN_TIMER:
        return lacks_scratch(t, KB_SCRATCH_MIN + late_scratch(t->b));
    }
    return false;
}

/* ---- inputs ---- */

static void advance(struct kb_turn *t, struct kb_slot *s, const struct kb_reply *r)
{
    const struct service *service = service_of(s->api);
    assert(service != NULL);
    if (service->advance != NULL)
        service->advance(t, s, r);
}

void kb_wake(struct kb_turn *t, enum kb_phase phase)
{
    struct kb_slot *s = kb_slots(t->b);
    size_t before = t->scratch_used;
    for (uint32_t i = 0; i < t->b->limits.requests; i++)
        if (s[i].phase == phase) {
            advance(t, &s[i], NULL);
            t->scratch_used = before;
        }
}

static void on_reply(struct kb_turn *t)
{
    uint32_t xid = t->in->reply->xid;
    struct kb_reply r = kb_reply_of(t->in->reply);
    struct kb_slot *s = slot_of_xid(t->b, xid);
    if (s != NULL) {
        s->xid = 0;
        advance(t, s, &r);
        return;
    }
    if (kb_candidates_on_reply(t, &r)) {
        if (kb_candidates_known(t))
            kb_wake(t, KB_PHASE_BROKERS);
        return;
    }
    if (!kb_cluster_on_reply(t, &r, xid))
        kb_producer_ids_on_reply(t, &r, xid);
}

static void put_answer(struct kb_turn *t, int32_t error, int32_t partition_error)
{
    struct wire_answer answer = {.error = error, .partition_error = partition_error};
    t->out->put(t->out->context, &(struct kb_broker_output){.kind = KB_BROKER_OUT_BATCH_ANSWER,
                                                            .by = t->in->record,
                                                            .call_id = t->in->call_id,
                                                            .api = t->in->api,
                                                            .answer = &answer});
}

/* KafkaApis.isBrokerEpochStale: the request is for an earlier life of this broker. */
static bool is_stale(const struct kb_turn *t)
{
    const struct wire_broker *own = wire_batch_broker(t->in->batch, t->b->self.id);
    return own != NULL && own->epoch != -1 && own->epoch < t->b->epoch;
}

/* ZooKeeper mode's three: stale epochs first, then what a node without data can do with them. */
static enum sm_err on_batch(struct kb_turn *t)
{
    struct kb_broker *b = t->b;
    if (is_stale(t)) {
        put_answer(t, WIRE_ERROR_STALE_BROKER_EPOCH, 0);
        return SM_ERR_OK;
    }
    if (t->in->batch->controller_epoch < b->controller_epoch) {
        put_answer(t, WIRE_ERROR_STALE_CONTROLLER_EPOCH, 0);
        return SM_ERR_OK;
    }
    b->controller_epoch = t->in->batch->controller_epoch;
    if (t->in->api == WIRE_API_LEADER_AND_ISR) {
        put_answer(t, 0, WIRE_ERROR_KAFKA_STORAGE_ERROR);
    } else if (t->in->api == WIRE_API_UPDATE_METADATA) {
        const char *short_of = kb_cache_update(kb_cache_of(b), t->in->batch);
        if (short_of != NULL) {
            t->out->short_of = short_of;
            return SM_ERR_LIMIT;
        }
        put_answer(t, 0, 0);
        if (b->waiting > 0) {
            kb_wake(t, KB_PHASE_LEADERS);
            if (kb_candidates_known(t))
                kb_wake(t, KB_PHASE_BROKERS);
        }
    } else {
        put_answer(t, 0, 0);
    }
    return SM_ERR_OK;
}

static enum sm_err on_request(struct kb_turn *t)
{
    const struct service *s = service_of(t->in->api);
    if (!kb_broker_has_room(t->b))
        return SM_ERR_ILLEGAL_STATE;
    if (s == NULL) /* not served, not advertised: Kafka closes the connection */
        put_response(t, t->in->record, t->in->call_id, t->in->api, t->in->version, NULL, 0);
    else
        s->begin(t);
    return SM_ERR_OK;
}

static void on_drop(struct kb_turn *t)
{
    struct kb_slot *s = kb_slots(t->b);
    for (uint32_t i = 0; i < t->b->limits.requests; i++)
        if (s[i].phase != KB_PHASE_FREE && s[i].call_id == t->in->call_id)
            s[i].call_id = 0;
}

static void on_call_answer(struct kb_turn *t)
{
    struct kb_slot *s = slot_of_order(t->b, t->in->call_id);
    if (s == NULL || s->phase != KB_PHASE_CALL)
        return;
    const struct service *service = service_of(s->api);
    assert(service->answered != NULL);
    service->answered(t, s, t->in->call);
}

static void on_timer(struct kb_turn *t)
{
    struct kb_slot *s = kb_slots(t->b);
    t->b->timer_us = -1;
    for (uint32_t i = 0; i < t->b->limits.requests; i++)
        if (s[i].phase == KB_PHASE_LEADERS && s[i].deadline_us <= t->now_us)
            advance(t, &s[i], NULL);
}

/* Arms the timer for the earliest deadline, where that is another. */
static void arm(struct kb_turn *t)
{
    const struct kb_slot *s = kb_slots(t->b);
    int64_t due = -1;
    if (t->b->waiting > 0)
        for (uint32_t i = 0; i < t->b->limits.requests; i++)
            if (s[i].phase == KB_PHASE_LEADERS && (due < 0 || s[i].deadline_us < due))
                due = s[i].deadline_us;
    if (due == t->b->timer_us)
        return;
    t->b->timer_us = due;
    t->out->put(t->out->context, &(struct kb_broker_output){.kind = KB_BROKER_OUT_TIMER,
                                                            .by = t->in->record,
                                                            .due_us = due});
}

static enum sm_err take(struct kb_turn *t)
{
    switch ((enum kb_broker_input_kind)t->in->kind) {
    case KB_BROKER_IN_NONE:
        break;
    case KB_BROKER_IN_SESSION_CREATED:
        t->b->has_session = 1;
        kb_cluster_begin(t);
        break;
    case KB_BROKER_IN_SESSION_EXPIRED:
        t->b->has_session = 0;
        break;
    case KB_BROKER_IN_REGISTERED:
        t->b->epoch = t->in->epoch;
        break;
    case KB_BROKER_IN_REQUEST:
        return on_request(t);
    case KB_BROKER_IN_BATCH:
        return on_batch(t);
    case KB_BROKER_IN_DROP:
        on_drop(t);
        break;
    case KB_BROKER_IN_ZK_REPLY:
        on_reply(t);
        break;
    case KB_BROKER_IN_TIMER:
        on_timer(t);
        break;
    case KB_BROKER_IN_CALL_ANSWER:
        on_call_answer(t);
        break;
    }
    return SM_ERR_OK;
}

enum sm_err kb_broker_step(struct kb_broker *b, int64_t now_us, const struct kb_broker_input *in,
                           struct kb_broker_outputs *out)
{
    struct kb_turn t = {.b = b, .now_us = now_us, .in = in, .out = out};
    out->short_of = NULL;
    out->scratch_needed = 0;
    if (lacks_room(&t))
        return SM_ERR_LIMIT;
    enum sm_err err = take(&t);
    if (err == SM_ERR_OK)
        arm(&t);
    return err;
}

bool kb_broker_is_quiet(const struct kb_broker *b)
{
    return b->waiting == 0 && b->cluster_xid == 0 && b->dynamic_xid[0] == 0 &&
           b->dynamic_xid[1] == 0 && b->ids.xid == 0;
}

const char *kb_broker_cluster_id(const struct kb_broker *b)
{
    return b->cluster_id;
}

void kb_broker_check(const struct kb_broker *b)
{
    const struct kb_slot *s = kb_slots(b);
    uint32_t used = 0, bytes = 0;
    for (uint32_t i = 0; i < b->limits.requests; i++) {
        used += s[i].phase != KB_PHASE_FREE;
        for (int kind = 0; kind < KB_AREAS; kind++) {
            bytes += s[i].area[kind].size;
            assert(s[i].area[kind].at + s[i].area[kind].size <= b->heap_used);
        }
        assert(s[i].response_used <= s[i].area[KB_AREA_RESPONSE].size);
    }
    assert(used == b->waiting);
    assert(bytes == b->heap_used);
    kb_cache_check(kb_cache_of(b));
}
