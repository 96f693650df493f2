#include "tests/broker/group_clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND ((int64_t)1000000)

static const void *one(const void *message, struct wire_array a)
{
    ck_assert_int_ge(a.count, 1);
    return (const uint8_t *)message + a.at;
}

static const void *ask(struct desk *d, int node, struct wire_flat *w, int16_t api, int16_t version)
{
    const void *r = desk_response(d, desk_send(d, node, w, api, version));
    ck_assert_ptr_nonnull(r);
    return r;
}

/* ---- the cluster ---- */

static int any_alive(struct desk *d)
{
    int node = 1;
    while (!desk_is_alive(d, node))
        node++;
    return node;
}

static int find(struct desk *d, const char *group)
{
    struct wire_flat w;
    struct wire_find_coordinator_request *q = desk_begin(d, &w, WIRE_API_FIND_COORDINATOR);
    q->key = wire_flat_string(&w, group);
    uint64_t call = desk_send(d, any_alive(d), &w, WIRE_API_FIND_COORDINATOR, 3);
    desk_run(d, SECOND / 4);
    const struct wire_find_coordinator_response *r = desk_response(d, call);
    ck_assert_ptr_nonnull(r);
    return r->error_code == 0 ? r->node_id : -1;
}

int group_coordinator_moved(struct desk *d, const char *group, int not_this)
{
    int node = -1;
    for (int i = 0; i < 100 && (node < 0 || node == not_this); i++)
        node = find(d, group);
    ck_assert_int_gt(node, 0);
    return node;
}

int group_coordinator(struct desk *d, const char *group)
{
    return group_coordinator_moved(d, group, -1);
}

void make_topic(struct desk *d, const char *name, int32_t partitions)
{
    struct wire_flat w;
    struct wire_create_topics_request *q = desk_begin(d, &w, WIRE_API_CREATE_TOPICS);
    q->timeout_ms = 10000;
    q->topics = wire_flat_array(&w, 1, sizeof(struct wire_create_topics_request_topic));
    struct wire_create_topics_request_topic *t = wire_flat_at(&w, q->topics.at);
    t->name = wire_flat_string(&w, name);
    t->num_partitions = partitions;
    t->replication_factor = 3;
    uint64_t call = desk_send(d, any_alive(d), &w, WIRE_API_CREATE_TOPICS, 4);
    desk_run(d, SECOND);
    const struct wire_create_topics_response *r = desk_response(d, call);
    ck_assert_ptr_nonnull(r);
    ck_assert_int_eq(
        ((const struct wire_create_topics_response_topic *)one(r, r->topics))->error_code, 0);
}

/* ---- membership ---- */

uint64_t send_join(struct desk *d, int node, const struct member *m)
{
    struct wire_flat w;
    struct wire_join_group_request *q = desk_begin(d, &w, WIRE_API_JOIN_GROUP);
    const char *metadata = m->metadata == NULL ? "" : m->metadata;
    q->group_id = wire_flat_string(&w, m->group);
    q->member_id = wire_flat_string(&w, m->id);
    q->group_instance_id = wire_flat_string(&w, m->instance);
    q->session_timeout_ms = m->session_ms == 0 ? 10000 : m->session_ms;
    q->rebalance_timeout_ms = 60000;
    q->protocol_type = wire_flat_string(&w, "consumer");
    q->protocols = wire_flat_array(&w, 1, sizeof(struct wire_join_group_request_protocol));
    struct wire_join_group_request_protocol *p = wire_flat_at(&w, q->protocols.at);
    p->name = wire_flat_string(&w, m->protocol == NULL ? "range" : m->protocol);
    p->metadata = wire_flat_bytes(&w, metadata, strlen(metadata));
    return desk_send(d, node, &w, WIRE_API_JOIN_GROUP, 7);
}

int32_t take_join(struct desk *d, uint64_t call, struct member *m)
{
    const struct wire_join_group_response *r = desk_response(d, call);
    if (r == NULL)
        return -2;
    snprintf(m->id, sizeof m->id, "%s", wire_text(r, r->member_id));
    if (r->error_code == 0)
        m->generation = r->generation_id;
    return r->error_code;
}

bool leads(struct desk *d, uint64_t call)
{
    const struct wire_join_group_response *r = desk_response(d, call);
    return r != NULL && strcmp(wire_text(r, r->leader), wire_text(r, r->member_id)) == 0;
}

uint64_t join_anew(struct desk *d, int node, struct member *m)
{
    ck_assert_int_eq(take_join(d, send_join(d, node, m), m), WIRE_ERROR_MEMBER_ID_REQUIRED);
    return send_join(d, node, m);
}

uint64_t send_sync(struct desk *d, int node, const struct member *m, const char *const *to)
{
    struct wire_flat w;
    struct wire_sync_group_request *q = desk_begin(d, &w, WIRE_API_SYNC_GROUP);
    int32_t count = 0;
    while (to != NULL && to[2 * count] != NULL)
        count++;
    q->group_id = wire_flat_string(&w, m->group);
    q->generation_id = m->generation;
    q->member_id = wire_flat_string(&w, m->id);
    q->group_instance_id = wire_flat_string(&w, m->instance);
    q->protocol_type = wire_flat_string(&w, "consumer");
    q->protocol_name = wire_flat_string(&w, m->protocol == NULL ? "range" : m->protocol);
    q->assignments = wire_flat_array(&w, count, sizeof(struct wire_sync_group_request_assignment));
    struct wire_sync_group_request_assignment *a = wire_flat_at(&w, q->assignments.at);
    for (int32_t i = 0; i < count; i++) {
        a[i].member_id = wire_flat_string(&w, to[2 * i]);
        a[i].assignment = wire_flat_bytes(&w, to[2 * i + 1], strlen(to[2 * i + 1]));
    }
    return desk_send(d, node, &w, WIRE_API_SYNC_GROUP, 5);
}

const char *assigned(struct desk *d, uint64_t call)
{
    static char text[64];
    const struct wire_sync_group_response *r = desk_response(d, call);
    if (r == NULL)
        return "(waits)";
    if (r->error_code != 0)
        snprintf(text, sizeof text, "error %d", r->error_code);
    else
        snprintf(text, sizeof text, "%.*s", (int)r->assignment.size,
                 (const char *)wire_data(r, r->assignment));
    return text;
}

int32_t heartbeat(struct desk *d, int node, const struct member *m)
{
    struct wire_flat w;
    struct wire_heartbeat_request *q = desk_begin(d, &w, WIRE_API_HEARTBEAT);
    q->group_id = wire_flat_string(&w, m->group);
    q->generation_id = m->generation;
    q->member_id = wire_flat_string(&w, m->id);
    q->group_instance_id = wire_flat_string(&w, m->instance);
    const struct wire_heartbeat_response *r = ask(d, node, &w, WIRE_API_HEARTBEAT, 4);
    return r->error_code;
}

int32_t leave(struct desk *d, int node, const struct member *m)
{
    struct wire_flat w;
    struct wire_leave_group_request *q = desk_begin(d, &w, WIRE_API_LEAVE_GROUP);
    q->group_id = wire_flat_string(&w, m->group);
    q->members = wire_flat_array(&w, 1, sizeof(struct wire_leave_group_request_member));
    struct wire_leave_group_request_member *one_member = wire_flat_at(&w, q->members.at);
    one_member->member_id = wire_flat_string(&w, m->id);
    one_member->group_instance_id = wire_flat_string(&w, m->instance);
    const struct wire_leave_group_response *r = ask(d, node, &w, WIRE_API_LEAVE_GROUP, 4);
    return r->error_code != 0
               ? r->error_code
               : ((const struct wire_leave_group_response_member *)one(r, r->members))->error_code;
}

/* ---- offsets ---- */

uint64_t send_commit(struct desk *d, int node, const struct member *m, const char *topic,
                     int32_t partition, int64_t offset, const char *text)
{
    struct wire_flat w;
    struct wire_offset_commit_request *q = desk_begin(d, &w, WIRE_API_OFFSET_COMMIT);
    q->group_id = wire_flat_string(&w, m->group);
    q->generation_id = m->generation;
    q->member_id = wire_flat_string(&w, m->id);
    q->group_instance_id = wire_flat_string(&w, m->instance);
    q->topics = wire_flat_array(&w, 1, sizeof(struct wire_offset_commit_request_topic));
    struct wire_offset_commit_request_topic *t = wire_flat_at(&w, q->topics.at);
    t->name = wire_flat_string(&w, topic);
    t->partitions = wire_flat_array(&w, 1, sizeof(struct wire_offset_commit_request_partition));
    struct wire_offset_commit_request_partition *p = wire_flat_at(&w, t->partitions.at);
    p->partition_index = partition;
    p->committed_offset = offset;
    p->committed_leader_epoch = -1;
    p->commit_timestamp = -1;
    p->committed_metadata = wire_flat_string(&w, text);
    return desk_send(d, node, &w, WIRE_API_OFFSET_COMMIT, 7);
}

int32_t commit_error(struct desk *d, uint64_t call)
{
    const struct wire_offset_commit_response *r = desk_response(d, call);
    if (r == NULL)
        return -2;
    const struct wire_offset_commit_response_topic *t = one(r, r->topics);
    const struct wire_offset_commit_response_partition *p = one(r, t->partitions);
    return p->error_code;
}

int64_t committed(struct desk *d, int node, const char *group, const char *topic, int32_t partition)
{
    struct wire_flat w;
    struct wire_offset_fetch_request *q = desk_begin(d, &w, WIRE_API_OFFSET_FETCH);
    q->group_id = wire_flat_string(&w, group);
    q->topics = wire_flat_array(&w, 1, sizeof(struct wire_offset_fetch_request_topic));
    struct wire_offset_fetch_request_topic *t = wire_flat_at(&w, q->topics.at);
    t->name = wire_flat_string(&w, topic);
    t->partition_indexes = wire_flat_array(&w, 1, sizeof partition);
    memcpy(wire_flat_at(&w, t->partition_indexes.at), &partition, sizeof partition);
    const struct wire_offset_fetch_response *r = ask(d, node, &w, WIRE_API_OFFSET_FETCH, 5);
    if (r->error_code != 0)
        return -100 - r->error_code;
    const struct wire_offset_fetch_response_topic *rt = one(r, r->topics);
    const struct wire_offset_fetch_response_partition *p = one(r, rt->partitions);
    return p->error_code != 0 ? -100 - p->error_code : p->committed_offset;
}

int32_t delete_offset(struct desk *d, int node, const char *group, const char *topic,
                      int32_t partition)
{
    struct wire_flat w;
    struct wire_offset_delete_request *q = desk_begin(d, &w, WIRE_API_OFFSET_DELETE);
    q->group_id = wire_flat_string(&w, group);
    q->topics = wire_flat_array(&w, 1, sizeof(struct wire_offset_delete_request_topic));
    struct wire_offset_delete_request_topic *t = wire_flat_at(&w, q->topics.at);
    t->name = wire_flat_string(&w, topic);
    t->partitions = wire_flat_array(&w, 1, sizeof(struct wire_offset_delete_request_partition));
    ((struct wire_offset_delete_request_partition *)wire_flat_at(&w, t->partitions.at))
        ->partition_index = partition;
    const struct wire_offset_delete_response *r = ask(d, node, &w, WIRE_API_OFFSET_DELETE, 0);
    if (r->error_code != 0)
        return -100 - r->error_code;
    const struct wire_offset_delete_response_topic *rt = one(r, r->topics);
    return ((const struct wire_offset_delete_response_partition *)one(r, rt->partitions))
        ->error_code;
}

/* ---- about groups ---- */

const char *described(struct desk *d, int node, const char *group)
{
    static char text[1024];
    struct wire_flat w;
    struct wire_describe_groups_request *q = desk_begin(d, &w, WIRE_API_DESCRIBE_GROUPS);
    q->groups = wire_flat_array(&w, 1, sizeof(struct wire_string));
    struct wire_string name = wire_flat_string(&w, group);
    memcpy(wire_flat_at(&w, q->groups.at), &name, sizeof name);
    const struct wire_describe_groups_response *r = ask(d, node, &w, WIRE_API_DESCRIBE_GROUPS, 5);
    const struct wire_describe_groups_response_group *g = one(r, r->groups);
    if (g->error_code != 0) {
        snprintf(text, sizeof text, "error %d", g->error_code);
        return text;
    }
    int n = snprintf(text, sizeof text, "%s %s", wire_text(r, g->group_state),
                     wire_text(r, g->protocol_data));
    const struct wire_describe_groups_response_member *m =
        WIRE_ITEMS(r, g->members, struct wire_describe_groups_response_member);
    for (int32_t i = 0; i < g->members.count; i++)
        n +=
            snprintf(text + n, sizeof text - (size_t)n, " %s@%s=%.*s", wire_text(r, m[i].client_id),
                     wire_text(r, m[i].client_host), (int)m[i].member_assignment.size,
                     (const char *)wire_data(r, m[i].member_assignment));
    return text;
}

const char *listed(struct desk *d, int node)
{
    static char text[1024];
    struct wire_flat w;
    desk_begin(d, &w, WIRE_API_LIST_GROUPS);
    const struct wire_list_groups_response *r = ask(d, node, &w, WIRE_API_LIST_GROUPS, 4);
    const struct wire_list_groups_response_group *g =
        WIRE_ITEMS(r, r->groups, struct wire_list_groups_response_group);
    int n = 0;
    ck_assert_int_eq(r->error_code, 0);
    text[0] = '\0';
    for (int32_t i = 0; i < r->groups.count; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s%s:%s", i == 0 ? "" : " ",
                      wire_text(r, g[i].group_id), wire_text(r, g[i].group_state));
    return text;
}

int32_t delete_group(struct desk *d, int node, const char *group)
{
    struct wire_flat w;
    struct wire_delete_groups_request *q = desk_begin(d, &w, WIRE_API_DELETE_GROUPS);
    q->groups_names = wire_flat_array(&w, 1, sizeof(struct wire_string));
    struct wire_string name = wire_flat_string(&w, group);
    memcpy(wire_flat_at(&w, q->groups_names.at), &name, sizeof name);
    const struct wire_delete_groups_response *r = ask(d, node, &w, WIRE_API_DELETE_GROUPS, 2);
    return ((const struct wire_delete_groups_response_result *)one(r, r->results))->error_code;
}
