/*
 * Questions that change nothing: OffsetFetch, DescribeGroups, ListGroups; and walks for tools.
 *
 * How large an answer is depends on how often a request names a group; so these are built first and
 * put only if they fitted.
 *
 * Source: GroupCoordinator.handleFetchOffsets, handleDescribeGroup, handleListGroups,
 * validateGroupStatus; GroupMetadataManager.getOffsets; GroupMetadata.summary, overview;
 * OffsetFetchRequest.getErrorResponse.
 */
#include "broker/group_state.h"
#include "wire/codec.h"
#include "wire/messages.h"

int32_t kb_group_refused(const struct kb_groups *g, const char *id, bool named)
{
    if (id == NULL || (named && *id == 0)) {
        return WIRE_ERROR_INVALID_GROUP_ID;
    }
    if (!g->active) {
        return WIRE_ERROR_COORDINATOR_NOT_AVAILABLE;
    }
    const struct kb_owned *o = kb_owned(g, kb_coordinator_partition(id, g->limits.partitions));
    return o->loading  ? WIRE_ERROR_COORDINATOR_LOAD_IN_PROGRESS
           : !o->owned ? WIRE_ERROR_NOT_COORDINATOR
                       : WIRE_ERROR_NONE;
}

static bool put_if_fits(const struct kb_gstep *s, struct wire_flat *f)
{
    if (f->overflow || f->used + 8 > f->capacity) {
        return false;
    }
    kb_answer(s, s->in->call_id, s->in->api, s->in->version, f);
    return true;
}

/* ---- OffsetFetch ---- */

static bool unstable(const struct kb_groups *g, uint32_t group, const char *topic,
                     int32_t partition)
{
    for (uint32_t row = kb_group(g, group)->first_offset; row != 0;
         row = kb_offset(g, row)->row.next) {
        const struct kb_offset *o = kb_offset(g, row);
        if (o->kind != KB_O_COMMITTED && o->partition == partition &&
            strcmp(kb_offset_topic(o), topic) == 0) {
            return true;
        }
    }
    return false;
}

static void fetch_one(const struct kb_gstep *s, struct wire_flat *f, uint32_t group,
                      const char *topic, int32_t partition, int32_t error,
                      struct wire_offset_fetch_response_partition *to)
{
    const struct wire_offset_fetch_request *r = s->in->request;
    struct kb_groups *g = s->g;
    uint32_t row = group == 0 || error != WIRE_ERROR_NONE
                       ? 0
                       : kb_offset_find(g, group, KB_O_COMMITTED, -1, topic, partition);

    to->partition_index = partition;
    to->committed_offset = -1;
    to->committed_leader_epoch = -1;
    to->error_code = (int16_t)error;
    if (error == WIRE_ERROR_NONE && group != 0 && r->require_stable &&
        unstable(g, group, topic, partition)) {
        to->error_code = WIRE_ERROR_UNSTABLE_OFFSET_COMMIT;
        row = 0;
    }
    if (row != 0) {
        to->committed_offset = kb_offset(g, row)->offset;
        to->committed_leader_epoch = kb_offset(g, row)->leader_epoch;
    }
    to->metadata = wire_flat_string(f, row == 0 ? "" : kb_offset_metadata(g, kb_offset(g, row)));
}

static struct wire_array fetch_named(const struct kb_gstep *s, struct wire_flat *f, uint32_t group,
                                     int32_t error)
{
    const struct wire_offset_fetch_request *r = s->in->request;
    const struct wire_offset_fetch_request_topic *asked =
        WIRE_ITEMS(r, r->topics, struct wire_offset_fetch_request_topic);
    struct wire_array list =
        wire_flat_array(f, r->topics.count, sizeof(struct wire_offset_fetch_response_topic));

    for (int32_t n = 0; n < list.count; n++) {
        struct wire_offset_fetch_response_topic *topic = wire_flat_at(f, list.at);
        const int32_t *ids = WIRE_ITEMS(r, asked[n].partition_indexes, int32_t);
        const char *name = wire_text(r, asked[n].name);
        topic[n].name = wire_flat_string(f, name);
        topic[n].partitions = wire_flat_array(f, asked[n].partition_indexes.count,
                                              sizeof(struct wire_offset_fetch_response_partition));
        for (int32_t i = 0; i < topic[n].partitions.count; i++) {
            struct wire_offset_fetch_response_partition *to =
                wire_flat_at(f, topic[n].partitions.at);
            fetch_one(s, f, group, name, ids[i], error, &to[i]);
        }
    }
    return list;
}

/* Every committed offset as a topic of its own partition: a topic may be named more than once, as
   clients allow; but rows of one topic that follow each other stand together. */
static struct wire_array fetch_all(const struct kb_gstep *s, struct wire_flat *f, uint32_t group)
{
    const struct kb_groups *g = s->g;
    int32_t count = 0;
    uint32_t row = group == 0 ? 0 : kb_group(g, group)->first_offset;

    for (uint32_t at = row; at != 0; at = kb_offset(g, at)->row.next) {
        count += kb_offset(g, at)->kind == KB_O_COMMITTED;
    }
    struct wire_array list =
        wire_flat_array(f, count, sizeof(struct wire_offset_fetch_response_topic));
    for (int32_t n = 0; n < list.count; row = kb_offset(g, row)->row.next) {
        if (kb_offset(g, row)->kind != KB_O_COMMITTED) {
            continue;
        }
        struct wire_offset_fetch_response_topic *topic = wire_flat_at(f, list.at);
        const char *name = kb_offset_topic(kb_offset(g, row));
        topic[n].name = wire_flat_string(f, name);
        topic[n].partitions =
            wire_flat_array(f, 1, sizeof(struct wire_offset_fetch_response_partition));
        if (topic[n].partitions.count == 1) {
            fetch_one(s, f, group, name, kb_offset(g, row)->partition, WIRE_ERROR_NONE,
                      wire_flat_at(f, topic[n].partitions.at));
        }
        n++;
    }
    return list;
}

bool kb_on_offset_fetch(const struct kb_gstep *s)
{
    const struct wire_offset_fetch_request *r = s->in->request;
    const char *name = wire_text(r, r->group_id);
    int32_t error = kb_group_refused(s->g, name, false);
    uint32_t group = error == WIRE_ERROR_NONE ? kb_group_find(s->g, name) : 0;
    struct wire_flat f;
    void *head;

    kb_flat_begin(s, &f, WIRE_API_OFFSET_FETCH, &head);
    struct wire_offset_fetch_response *out = head;
    out->error_code = (int16_t)error;
    if (r->topics.count < 0) {
        out->topics = fetch_all(s, &f, group);
    } else if (error == WIRE_ERROR_NONE || s->in->version < 2) {
        out->topics = fetch_named(s, &f, group, error);
    }
    return put_if_fits(s, &f);
}

/* ---- DescribeGroups, ListGroups ---- */

const char *kb_group_state_name(enum kb_group_state state)
{
    static const char *const names[] = {
        [KB_GROUP_EMPTY] = "Empty",
        [KB_GROUP_PREPARING] = "PreparingRebalance",
        [KB_GROUP_COMPLETING] = "CompletingRebalance",
        [KB_GROUP_STABLE] = "Stable",
        [KB_GROUP_DEAD] = "Dead",
    };
    return names[state];
}

static void describe_members(const struct kb_groups *g, uint32_t group, struct wire_flat *f,
                             struct wire_describe_groups_response_group *to)
{
    const struct kb_group *p = kb_group(g, group);
    bool stable = p->state == KB_GROUP_STABLE;
    struct wire_array list = wire_flat_array(f, (int32_t)p->members,
                                             sizeof(struct wire_describe_groups_response_member));
    uint32_t row = 0;

    for (int32_t i = 0; i < list.count; i++) {
        struct wire_describe_groups_response_member *item = wire_flat_at(f, list.at);
        struct kb_log_record metadata = {.value = (const uint8_t *)""};
        row = kb_member_after(g, group, row);
        const struct kb_member *m = kb_member(g, row);
        if (stable) {
            kb_member_metadata(g, m, kb_group_text(g, p, KB_PROTOCOL), &metadata);
        }
        item[i].member_id = wire_flat_string(f, kb_member_text(g, m, KB_ID));
        item[i].group_instance_id =
            wire_flat_string(f, m->has_instance ? kb_member_text(g, m, KB_INSTANCE) : NULL);
        item[i].client_id = wire_flat_string(f, kb_member_text(g, m, KB_CLIENT));
        item[i].client_host = wire_flat_string(f, kb_member_text(g, m, KB_HOST));
        item[i].member_metadata = wire_flat_bytes(f, metadata.value, (size_t)metadata.value_size);
        item[i].member_assignment =
            wire_flat_bytes(f, kb_assignment(g, m), stable ? m->assignment_size : 0);
    }
    to->members = list;
}

bool kb_on_describe(const struct kb_gstep *s)
{
    const struct kb_groups *g = s->g;
    const struct wire_describe_groups_request *r = s->in->request;
    const struct wire_string *names = WIRE_ITEMS(r, r->groups, struct wire_string);
    struct wire_flat f;
    void *head;

    kb_flat_begin(s, &f, WIRE_API_DESCRIBE_GROUPS, &head);
    struct wire_describe_groups_response *out = head;
    out->groups =
        wire_flat_array(&f, r->groups.count, sizeof(struct wire_describe_groups_response_group));
    for (int32_t i = 0; i < out->groups.count; i++) {
        struct wire_describe_groups_response_group *to = wire_flat_at(&f, out->groups.at);
        const char *name = wire_text(r, names[i]);
        int32_t error = kb_group_refused(g, name, false);
        uint32_t group = error == WIRE_ERROR_NONE ? kb_group_find(g, name) : 0;
        const struct kb_group *p = group == 0 ? NULL : kb_group(g, group);
        wire_defaults_of(&wire_layout_describe_groups_response_group, &to[i]);
        to[i].error_code = (int16_t)error;
        to[i].group_id = wire_flat_string(&f, name);
        to[i].group_state = wire_flat_string(&f, error != WIRE_ERROR_NONE ? ""
                                                 : p == NULL              ? "Dead"
                                                             : kb_group_state_name(p->state));
        to[i].protocol_type =
            wire_flat_string(&f, p != NULL && p->has_type ? kb_group_text(g, p, KB_TYPE) : "");
        to[i].protocol_data = wire_flat_string(
            &f, p != NULL && p->state == KB_GROUP_STABLE ? kb_group_text(g, p, KB_PROTOCOL) : "");
        if (p != NULL) {
            describe_members(g, group, &f, &to[i]);
        }
    }
    return put_if_fits(s, &f);
}

static bool is_listed(const struct kb_group *p, const struct wire_list_groups_request *r)
{
    const struct wire_string *states = WIRE_ITEMS(r, r->states_filter, struct wire_string);
    bool wanted = r->states_filter.count <= 0;

    for (int32_t i = 0; i < r->states_filter.count; i++) {
        wanted = wanted || strcmp(wire_text(r, states[i]), kb_group_state_name(p->state)) == 0;
    }
    return wanted && p->row.used && !p->loading;
}

bool kb_on_list(const struct kb_gstep *s)
{
    const struct kb_groups *g = s->g;
    int32_t count = 0, n = 0, error = WIRE_ERROR_NONE;
    struct wire_flat f;
    void *head;

    for (uint32_t i = 0; i < g->limits.partitions; i++) {
        error = kb_owned(g, (int32_t)i)->loading ? WIRE_ERROR_COORDINATOR_LOAD_IN_PROGRESS : error;
    }
    error = g->active ? error : WIRE_ERROR_COORDINATOR_NOT_AVAILABLE;
    for (uint32_t row = 1; g->active && row <= g->tables[KB_T_GROUP].high; row++) {
        count += is_listed(kb_group(g, row), s->in->request);
    }
    kb_flat_begin(s, &f, WIRE_API_LIST_GROUPS, &head);
    struct wire_list_groups_response *out = head;
    out->error_code = (int16_t)error;
    out->groups = wire_flat_array(&f, count, sizeof(struct wire_list_groups_response_group));
    for (uint32_t row = 1; n < out->groups.count; row++) {
        const struct kb_group *p = kb_group(g, row);
        struct wire_list_groups_response_group *to = wire_flat_at(&f, out->groups.at);
        if (!is_listed(p, s->in->request)) {
            continue;
        }
        to[n].group_id = wire_flat_string(&f, kb_group_text(g, p, KB_ID));
        to[n].protocol_type = wire_flat_string(&f, p->has_type ? kb_group_text(g, p, KB_TYPE) : "");
        to[n++].group_state = wire_flat_string(&f, kb_group_state_name(p->state));
    }
    return put_if_fits(s, &f);
}
