/*
 * A desk for the group coordinator; see group_desk.h.
 */
#include "tests/broker/group_desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *copy(const void *from, size_t size)
{
    void *to = malloc(size + 1);
    ck_assert(to != NULL);
    if (size != 0) {
        memcpy(to, from, size);
    }
    return to;
}

static int64_t wall_ms(const struct desk *d)
{
    return 1600000000000 + d->now_us / 1000;
}

/* ---- the log ---- */

static struct desk_batch keep_batch(const struct kb_groups_output *o)
{
    struct kb_log_record *records = calloc(o->count + 1, sizeof *records);

    ck_assert(records != NULL);
    for (uint32_t i = 0; i < o->count; i++) {
        const struct kb_log_record *r = &o->records[i];
        records[i] = *r;
        records[i].key = copy(r->key, (size_t)r->key_size);
        records[i].value = r->value_size < 0 ? NULL : copy(r->value, (size_t)r->value_size);
    }
    return (struct desk_batch){.partition = o->partition,
                               .batch = {.producer_id = o->producer_id,
                                         .flags = o->producer_epoch >= 0 ? 1u : 0u,
                                         .count = o->count,
                                         .records = records}};
}

static void free_batch(struct desk_batch *b)
{
    for (uint32_t i = 0; i < b->batch.count; i++) {
        free((void *)(uintptr_t)b->batch.records[i].key);
        free((void *)(uintptr_t)b->batch.records[i].value);
    }
    free((void *)(uintptr_t)b->batch.records);
}

static int64_t log_batch(struct desk *d, struct desk_batch b)
{
    b.batch.base_offset = d->log_count;
    d->log = realloc(d->log, sizeof *d->log * (d->log_count + 1));
    ck_assert(d->log != NULL);
    d->log[d->log_count] = b;
    return d->log_count++;
}

static void on_output(void *context, const struct kb_groups_output *o)
{
    struct desk *d = context;

    switch ((enum kb_groups_output_kind)o->kind) {
    case KB_GROUPS_OUT_ANSWER:
        ck_assert(desk_answer(d, o->call_id) == NULL);
        d->answers = realloc(d->answers, sizeof *d->answers * (d->answer_count + 1));
        ck_assert(d->answers != NULL);
        d->answers[d->answer_count++] = (struct desk_answer){.call = o->call_id,
                                                             .api = o->api,
                                                             .version = o->version,
                                                             .message = copy(o->message, o->size)};
        break;
    case KB_GROUPS_OUT_APPEND:
        d->last_append = *o;
        d->held = realloc(d->held, sizeof *d->held * (d->held_count + 1));
        ck_assert(d->held != NULL);
        d->held[d->held_count++] = (struct desk_append){.id = o->append_id, .batch = keep_batch(o)};
        break;
    case KB_GROUPS_OUT_LOAD:
        break;
    case KB_GROUPS_OUT_TIMER:
        d->timer_us = o->due_us;
        break;
    }
}

/* ---- steps ---- */

static void grow(struct desk *d, const char *field)
{
    struct kb_groups_limits l = kb_groups_limits_above(kb_groups_limits(d->g), field);
    struct kb_groups *to = malloc(kb_groups_size(&l));
    ck_assert(to != NULL);
    kb_groups_grow(d->g, to, &l);
    kb_groups_check(to);
    free(d->g);
    free(d->scratch);
    d->g = to;
    d->scratch = malloc(kb_groups_scratch_size(&l));
    ck_assert(d->scratch != NULL);
}

static void one_step(struct desk *d, struct kb_groups_input in)
{
    in.wall_ms = wall_ms(d);
    for (;;) {
        struct kb_groups_outputs out = {.put = on_output, .context = d, .scratch = d->scratch};
        if (kb_groups_step(d->g, d->now_us, &in, &out) == SM_ERR_OK) {
            break;
        }
        grow(d, out.short_of);
    }
    kb_groups_check(d->g);
}

void desk_end_append(struct desk *d, int32_t error)
{
    struct desk_append a = d->held[0];
    int64_t offset = -1;

    ck_assert_uint_gt(d->held_count, 0);
    memmove(d->held, d->held + 1, sizeof *d->held * --d->held_count);
    if (error == 0) {
        offset = log_batch(d, a.batch);
    } else {
        free_batch(&a.batch);
    }
    one_step(d,
             (struct kb_groups_input){
                 .kind = KB_GROUPS_APPENDED, .append_id = a.id, .error = error, .offset = offset});
}

void desk_step(struct desk *d, struct kb_groups_input in)
{
    one_step(d, in);
    while (!d->hold && d->held_count != 0) {
        desk_end_append(d, d->error);
    }
}

void desk_pass(struct desk *d, int64_t ms)
{
    int64_t until = d->now_us + ms * 1000;

    while (d->timer_us >= 0 && d->timer_us <= until) {
        d->now_us = d->timer_us;
        d->timer_us = -1;
        desk_step(d, (struct kb_groups_input){.kind = KB_GROUPS_TIMER});
    }
    d->now_us = until;
}

void desk_resign(struct desk *d, int32_t epoch)
{
    for (int32_t p = 0; p < (int32_t)kb_groups_limits(d->g)->partitions; p++) {
        desk_step(d, (struct kb_groups_input){
                         .kind = KB_GROUPS_RESIGNED, .partition = p, .epoch = epoch});
    }
}

void desk_elect(struct desk *d, int32_t epoch)
{
    for (int32_t p = 0; p < (int32_t)kb_groups_limits(d->g)->partitions; p++) {
        desk_step(
            d, (struct kb_groups_input){.kind = KB_GROUPS_ELECTED, .partition = p, .epoch = epoch});
        for (uint32_t i = 0; i < d->log_count; i++) {
            if (d->log[i].partition == p) {
                desk_step(d, (struct kb_groups_input){.kind = KB_GROUPS_LOAD,
                                                      .partition = p,
                                                      .batches = &d->log[i].batch,
                                                      .count = 1});
            }
        }
        desk_step(d, (struct kb_groups_input){.kind = KB_GROUPS_LOADED, .partition = p});
    }
}

void desk_marker(struct desk *d, const char *group, int64_t producer_id, bool commit)
{
    int32_t p = kb_coordinator_partition(group, kb_groups_limits(d->g)->partitions);

    log_batch(d,
              (struct desk_batch){.partition = p,
                                  .batch = {.producer_id = producer_id, .flags = commit ? 7 : 3}});
    desk_step(d, (struct kb_groups_input){.kind = KB_GROUPS_MARKER,
                                          .partition = p,
                                          .producer_id = producer_id,
                                          .commit = commit});
}

struct desk *desk_new(void)
{
    struct kb_groups_limits l = {.partitions = 5,
                                 .groups = 1,
                                 .members = 1,
                                 .offsets = 1,
                                 .appends = 1,
                                 .name = 8,
                                 .topic_name = 2,
                                 .metadata = 2,
                                 .protocols = 8,
                                 .assignment = 1,
                                 .request = 64,
                                 .scratch = 64};
    struct kb_groups_config c = kb_groups_config_default();
    struct desk *d = calloc(1, sizeof *d);

    ck_assert(d != NULL);
    d->timer_us = -1;
    d->g = malloc(kb_groups_size(&l));
    d->scratch = malloc(kb_groups_scratch_size(&l));
    ck_assert(d->g != NULL && d->scratch != NULL);
    kb_groups_init(d->g, &l, &c);
    desk_step(d, (struct kb_groups_input){.kind = KB_GROUPS_START});
    desk_elect(d, 0);
    return d;
}

void desk_free(struct desk *d)
{
    for (uint32_t i = 0; i < d->answer_count; i++) {
        free(d->answers[i].message);
    }
    for (uint32_t i = 0; i < d->log_count; i++) {
        free_batch(&d->log[i]);
    }
    for (uint32_t i = 0; i < d->held_count; i++) {
        free_batch(&d->held[i].batch);
    }
    free(d->answers);
    free(d->log);
    free(d->held);
    free(d->g);
    free(d->scratch);
    free(d);
}

/* ---- requests ---- */

const void *desk_answer(const struct desk *d, uint64_t call)
{
    for (uint32_t i = 0; i < d->answer_count; i++) {
        if (d->answers[i].call == call) {
            return d->answers[i].message;
        }
    }
    return NULL;
}

struct builder {
    _Alignas(8) uint8_t bytes[4096];
    struct wire_flat f;
};
#define BEGIN(b, type) wire_flat_begin(&(b)->f, (b)->bytes, sizeof(b)->bytes, sizeof(struct type))

static uint64_t request(struct desk *d, struct builder *b, int16_t api, int16_t version)
{
    char uuid[37];
    size_t size = wire_flat_end(&b->f);

    ck_assert_uint_ne(size, 0);
    snprintf(uuid, sizeof uuid, "%08x-0000-0000-0000-000000000000", ++d->uuid);
    desk_step(d, (struct kb_groups_input){.kind = KB_GROUPS_REQUEST,
                                          .call_id = ++d->call,
                                          .api = api,
                                          .version = version,
                                          .request = b->bytes,
                                          .request_size = (uint32_t)size,
                                          .client_id = "c",
                                          .client_host = "/h",
                                          .uuid = uuid});
    return d->call;
}

uint64_t desk_join(struct desk *d, struct desk_join j)
{
    struct builder b;
    struct wire_join_group_request *r = BEGIN(&b, wire_join_group_request);
    const char *names[2] = {j.protocol == NULL ? "range" : j.protocol, j.second};
    int32_t count = j.second == NULL ? 1 : 2;
    /* A consumer's subscription: version 0, no topics, no user data; or any bytes. */
    const char *metadata = j.metadata == NULL ? "\0\0\0\0\0\0\0\0\0\0" : j.metadata;

    r->group_id = wire_flat_string(&b.f, j.group);
    r->member_id = wire_flat_string(&b.f, j.member == NULL ? "" : j.member);
    r->group_instance_id = wire_flat_string(&b.f, j.instance);
    r->session_timeout_ms = j.session_ms == 0 ? 10000 : j.session_ms;
    r->rebalance_timeout_ms = j.rebalance_ms == 0 ? 60000 : j.rebalance_ms;
    r->protocol_type = wire_flat_string(&b.f, "consumer");
    r->protocols = wire_flat_array(&b.f, count, sizeof(struct wire_join_group_request_protocol));
    struct wire_join_group_request_protocol *p = wire_flat_at(&b.f, r->protocols.at);
    for (int32_t i = 0; i < count; i++) {
        p[i].name = wire_flat_string(&b.f, names[i]);
        p[i].metadata = wire_flat_bytes(&b.f, metadata, j.metadata == NULL ? 10 : strlen(metadata));
    }
    return request(d, &b, WIRE_API_JOIN_GROUP, (int16_t)(j.version == 0 ? 7 : j.version));
}

uint64_t desk_sync(struct desk *d, const char *group, const char *member, int32_t generation,
                   const char *instance, const char *const *to)
{
    struct builder b;
    struct wire_sync_group_request *r = BEGIN(&b, wire_sync_group_request);
    int32_t count = 0;

    while (to != NULL && to[2 * count] != NULL) {
        count++;
    }
    r->group_id = wire_flat_string(&b.f, group);
    r->generation_id = generation;
    r->member_id = wire_flat_string(&b.f, member);
    r->group_instance_id = wire_flat_string(&b.f, instance);
    r->protocol_type = WIRE_NULL_STRING;
    r->protocol_name = WIRE_NULL_STRING;
    r->assignments =
        wire_flat_array(&b.f, count, sizeof(struct wire_sync_group_request_assignment));
    struct wire_sync_group_request_assignment *a = wire_flat_at(&b.f, r->assignments.at);
    for (int32_t i = 0; i < count; i++) {
        a[i].member_id = wire_flat_string(&b.f, to[2 * i]);
        a[i].assignment = wire_flat_bytes(&b.f, to[2 * i + 1], strlen(to[2 * i + 1]));
    }
    return request(d, &b, WIRE_API_SYNC_GROUP, 4);
}

int32_t desk_heartbeat(struct desk *d, const char *group, const char *member, int32_t generation,
                       const char *instance)
{
    struct builder b;
    struct wire_heartbeat_request *r = BEGIN(&b, wire_heartbeat_request);

    r->group_id = wire_flat_string(&b.f, group);
    r->generation_id = generation;
    r->member_id = wire_flat_string(&b.f, member);
    r->group_instance_id = wire_flat_string(&b.f, instance);
    const struct wire_heartbeat_response *a = desk_answer(d, request(d, &b, WIRE_API_HEARTBEAT, 4));
    return a->error_code;
}

int32_t desk_leave(struct desk *d, const char *group, const char *member, const char *instance,
                   int16_t version)
{
    struct builder b;
    struct wire_leave_group_request *r = BEGIN(&b, wire_leave_group_request);

    r->group_id = wire_flat_string(&b.f, group);
    r->member_id = wire_flat_string(&b.f, version < 3 ? member : "");
    r->members =
        wire_flat_array(&b.f, version < 3 ? 0 : 1, sizeof(struct wire_leave_group_request_member));
    if (version >= 3) {
        struct wire_leave_group_request_member *m = wire_flat_at(&b.f, r->members.at);
        m->member_id = wire_flat_string(&b.f, member);
        m->group_instance_id = wire_flat_string(&b.f, instance);
    }
    const struct wire_leave_group_response *a =
        desk_answer(d, request(d, &b, WIRE_API_LEAVE_GROUP, version));
    return a->error_code != 0 || a->members.count == 0
               ? a->error_code
               : WIRE_ITEMS(a, a->members, struct wire_leave_group_response_member)->error_code;
}

uint64_t desk_commit(struct desk *d, const char *group, const char *member, int32_t generation,
                     const char *topic, int32_t partition, int64_t offset)
{
    struct builder b;
    struct wire_offset_commit_request *r = BEGIN(&b, wire_offset_commit_request);

    r->group_id = wire_flat_string(&b.f, group);
    r->generation_id = generation;
    r->member_id = wire_flat_string(&b.f, member);
    r->group_instance_id = WIRE_NULL_STRING;
    r->retention_time_ms = d->retention_ms == 0 ? -1 : d->retention_ms;
    r->topics = wire_flat_array(&b.f, 1, sizeof(struct wire_offset_commit_request_topic));
    struct wire_offset_commit_request_topic *t = wire_flat_at(&b.f, r->topics.at);
    t->name = wire_flat_string(&b.f, topic);
    t->partitions = wire_flat_array(&b.f, 1, sizeof(struct wire_offset_commit_request_partition));
    struct wire_offset_commit_request_partition *p = wire_flat_at(&b.f, t->partitions.at);
    *p = (struct wire_offset_commit_request_partition){.partition_index = partition,
                                                       .committed_offset = offset,
                                                       .committed_leader_epoch = 3,
                                                       .commit_timestamp = -1};
    p->committed_metadata = wire_flat_string(&b.f, "text");
    return request(d, &b, WIRE_API_OFFSET_COMMIT, d->retention_ms == 0 ? 7 : 4);
}

uint64_t desk_txn_commit(struct desk *d, const char *group, int64_t producer_id, const char *member,
                         int32_t generation, const char *topic, int32_t partition, int64_t offset)
{
    struct builder b;
    struct wire_txn_offset_commit_request *r = BEGIN(&b, wire_txn_offset_commit_request);

    r->transactional_id = wire_flat_string(&b.f, "tx");
    r->group_id = wire_flat_string(&b.f, group);
    r->producer_id = producer_id;
    r->generation_id = generation;
    r->member_id = wire_flat_string(&b.f, member);
    r->group_instance_id = WIRE_NULL_STRING;
    r->topics = wire_flat_array(&b.f, 1, sizeof(struct wire_txn_offset_commit_request_topic));
    struct wire_txn_offset_commit_request_topic *t = wire_flat_at(&b.f, r->topics.at);
    t->name = wire_flat_string(&b.f, topic);
    t->partitions =
        wire_flat_array(&b.f, 1, sizeof(struct wire_txn_offset_commit_request_partition));
    struct wire_txn_offset_commit_request_partition *p = wire_flat_at(&b.f, t->partitions.at);
    p->partition_index = partition;
    p->committed_offset = offset;
    p->committed_leader_epoch = -1;
    p->committed_metadata = WIRE_NULL_STRING;
    return request(d, &b, WIRE_API_TXN_OFFSET_COMMIT, 3);
}

int32_t desk_commit_error(const struct desk *d, uint64_t call)
{
    const struct wire_offset_commit_response *a = desk_answer(d, call);

    ck_assert(a != NULL);
    const struct wire_offset_commit_response_topic *t =
        WIRE_ITEMS(a, a->topics, struct wire_offset_commit_response_topic);
    return WIRE_ITEMS(a, t->partitions, struct wire_offset_commit_response_partition)->error_code;
}

int64_t desk_fetch(struct desk *d, const char *group, const char *topic, int32_t partition,
                   bool stable, int32_t *error)
{
    struct builder b;
    struct wire_offset_fetch_request *r = BEGIN(&b, wire_offset_fetch_request);

    r->group_id = wire_flat_string(&b.f, group);
    r->require_stable = stable;
    r->topics = wire_flat_array(&b.f, 1, sizeof(struct wire_offset_fetch_request_topic));
    struct wire_offset_fetch_request_topic *t = wire_flat_at(&b.f, r->topics.at);
    t->name = wire_flat_string(&b.f, topic);
    t->partition_indexes = wire_flat_ids(&b.f, &partition, 1);
    const struct wire_offset_fetch_response *a =
        desk_answer(d, request(d, &b, WIRE_API_OFFSET_FETCH, 7));
    *error = a->error_code;
    if (*error != 0) {
        return -1;
    }
    const struct wire_offset_fetch_response_partition *p =
        WIRE_ITEMS(a, WIRE_ITEMS(a, a->topics, struct wire_offset_fetch_response_topic)->partitions,
                   struct wire_offset_fetch_response_partition);
    *error = p->error_code;
    return p->committed_offset;
}

int32_t desk_delete_group(struct desk *d, const char *group)
{
    struct builder b;
    struct wire_delete_groups_request *r = BEGIN(&b, wire_delete_groups_request);

    r->groups_names = wire_flat_array(&b.f, 1, sizeof(struct wire_string));
    *(struct wire_string *)wire_flat_at(&b.f, r->groups_names.at) = wire_flat_string(&b.f, group);
    const struct wire_delete_groups_response *a =
        desk_answer(d, request(d, &b, WIRE_API_DELETE_GROUPS, 2));
    return WIRE_ITEMS(a, a->results, struct wire_delete_groups_response_result)->error_code;
}

const char *desk_state(struct desk *d, const char *group)
{
    struct builder b;
    struct wire_describe_groups_request *r = BEGIN(&b, wire_describe_groups_request);

    r->groups = wire_flat_array(&b.f, 1, sizeof(struct wire_string));
    *(struct wire_string *)wire_flat_at(&b.f, r->groups.at) = wire_flat_string(&b.f, group);
    const struct wire_describe_groups_response *a =
        desk_answer(d, request(d, &b, WIRE_API_DESCRIBE_GROUPS, 5));
    return wire_text(
        a, WIRE_ITEMS(a, a->groups, struct wire_describe_groups_response_group)->group_state);
}
