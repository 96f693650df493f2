/*
 * SyncGroup, Heartbeat, LeaveGroup: what members of a generation ask.
 *
 * The leader's assignments are written before anybody is told of them. Should the group have moved
 * on before the write has ended, its end changes nothing.
 *
 * Source: GroupCoordinator.handleSyncGroup, doSyncGroup, handleHeartbeat, handleLeaveGroup;
 * KafkaApis.handleSyncGroupRequest (protocol type and name are required from version 5);
 * LeaveGroupResponse (before version 3 a member's error is the whole answer's).
 */
#include "broker/group_state.h"
#include "wire/messages.h"

static bool differs(const struct kb_groups *g, const struct kb_group *p, bool has, unsigned text,
                    const char *asked)
{
    return asked != NULL && (!has || strcmp(kb_group_text(g, p, text), asked) != 0);
}

static int32_t sync_error(const struct kb_groups *g, uint32_t group,
                          const struct wire_sync_group_request *r)
{
    const struct kb_group *p = kb_group(g, group);
    const char *id = wire_text(r, r->member_id);

    if (kb_group_fenced(g, group, id, wire_text(r, r->group_instance_id))) {
        return WIRE_ERROR_FENCED_INSTANCE_ID;
    }
    if (kb_member_find(g, group, id, false) == 0) {
        return WIRE_ERROR_UNKNOWN_MEMBER_ID;
    }
    if (r->generation_id != p->generation) {
        return WIRE_ERROR_ILLEGAL_GENERATION;
    }
    if (differs(g, p, p->has_type, KB_TYPE, wire_text(r, r->protocol_type)) ||
        differs(g, p, p->has_protocol, KB_PROTOCOL, wire_text(r, r->protocol_name))) {
        return WIRE_ERROR_INCONSISTENT_GROUP_PROTOCOL;
    }
    return p->state == KB_GROUP_EMPTY       ? WIRE_ERROR_UNKNOWN_MEMBER_ID
           : p->state == KB_GROUP_PREPARING ? WIRE_ERROR_REBALANCE_IN_PROGRESS
                                            : WIRE_ERROR_NONE;
}

static void sync_parked(const struct kb_gstep *s, uint32_t group, struct kb_member *m, bool leads)
{
    m->syncs = 1;
    m->sync_call = s->in->call_id;
    m->sync_version = s->in->version;
    kb_sync_arrived(s, group, m);
    if (leads) {
        struct kb_append *a = kb_append_add(s, KB_A_ASSIGNMENT, group);
        kb_group_store(s, group, s->in->request, a->id);
    }
}

void kb_on_sync(const struct kb_gstep *s)
{
    struct kb_groups *g = s->g;
    const struct wire_sync_group_request *r = s->in->request;
    const char *name = wire_text(r, r->group_id);
    int32_t error = kb_group_refused(g, name, true);
    uint32_t group = 0;

    if (s->in->version >= 5 && (r->protocol_type.size < 0 || r->protocol_name.size < 0)) {
        error = WIRE_ERROR_INCONSISTENT_GROUP_PROTOCOL;
    } else if (error == WIRE_ERROR_COORDINATOR_LOAD_IN_PROGRESS) {
        error = WIRE_ERROR_REBALANCE_IN_PROGRESS;
    } else if (error == WIRE_ERROR_NONE) {
        group = kb_group_find(g, name);
        error = group == 0 ? WIRE_ERROR_UNKNOWN_MEMBER_ID : sync_error(g, group, r);
    }
    if (error != WIRE_ERROR_NONE) {
        kb_sync_tell(s, s->in->call_id, s->in->version, 0, NULL, error);
        return;
    }
    uint32_t row = kb_member_find(g, group, wire_text(r, r->member_id), false);
    struct kb_member *m = kb_member(g, row);
    if (kb_group(g, group)->state == KB_GROUP_COMPLETING) {
        sync_parked(s, group, m, kb_group(g, group)->leader == row);
    } else {
        kb_sync_arrived(s, group, m);
        kb_sync_tell(s, s->in->call_id, s->in->version, group, m, WIRE_ERROR_NONE);
        kb_session_restart(s, m);
    }
    kb_group_due(g, group);
}

static void take_assignments(struct kb_groups *g, uint32_t group,
                             const struct wire_sync_group_request *r)
{
    const struct wire_sync_group_request_assignment *items =
        WIRE_ITEMS(r, r->assignments, struct wire_sync_group_request_assignment);

    for (uint32_t row = 0; (row = kb_member_after(g, group, row)) != 0;) {
        struct kb_member *m = kb_member(g, row);
        memset(kb_assignment(g, m), 0, m->assignment_size);
        m->assignment_size = 0;
        for (int32_t i = 0; i < r->assignments.count; i++) { /* the last one counts */
            if (strcmp(wire_text(r, items[i].member_id), kb_member_text(g, m, KB_ID)) != 0) {
                continue;
            }
            memset(kb_assignment(g, m), 0, m->assignment_size);
            m->assignment_size = (uint32_t)items[i].assignment.size;
            if (m->assignment_size != 0) {
                memcpy(kb_assignment(g, m), wire_data(r, items[i].assignment), m->assignment_size);
            }
        }
    }
}

void kb_assignment_appended(const struct kb_gstep *s, struct kb_append *a, int32_t error)
{
    struct kb_group *p = kb_group(s->g, a->group);

    if (p->state != KB_GROUP_COMPLETING || p->generation != a->generation) {
        return;
    }
    if (error != WIRE_ERROR_NONE) {
        kb_propagate(s, a->group, error);
        kb_rebalance_maybe(s, a->group);
        return;
    }
    take_assignments(s->g, a->group, kb_append_request(s->g, a));
    kb_propagate(s, a->group, WIRE_ERROR_NONE);
    kb_group_go(s, a->group, KB_GROUP_STABLE);
}

/* ---- heartbeat ---- */

static int32_t heartbeat(const struct kb_gstep *s, const struct wire_heartbeat_request *r)
{
    struct kb_groups *g = s->g;
    const char *name = wire_text(r, r->group_id), *id = wire_text(r, r->member_id);
    int32_t error = kb_group_refused(g, name, true);

    if (error != WIRE_ERROR_NONE) {
        return error == WIRE_ERROR_COORDINATOR_LOAD_IN_PROGRESS ? WIRE_ERROR_NONE : error;
    }
    uint32_t group = kb_group_find(g, name);
    if (group == 0) {
        return WIRE_ERROR_UNKNOWN_MEMBER_ID;
    }
    const struct kb_group *p = kb_group(g, group);
    if (kb_group_fenced(g, group, id, wire_text(r, r->group_instance_id))) {
        return WIRE_ERROR_FENCED_INSTANCE_ID;
    }
    uint32_t row = kb_member_find(g, group, id, false);
    if (row == 0) {
        return WIRE_ERROR_UNKNOWN_MEMBER_ID;
    }
    if (r->generation_id != p->generation) {
        return WIRE_ERROR_ILLEGAL_GENERATION;
    }
    if (p->state == KB_GROUP_EMPTY) {
        return WIRE_ERROR_UNKNOWN_MEMBER_ID;
    }
    kb_session_restart(s, kb_member(g, row));
    kb_group_due(g, group);
    return p->state == KB_GROUP_PREPARING ? WIRE_ERROR_REBALANCE_IN_PROGRESS : WIRE_ERROR_NONE;
}

void kb_on_heartbeat(const struct kb_gstep *s)
{
    int32_t error = heartbeat(s, s->in->request);
    struct wire_flat f;
    void *head;

    kb_flat_begin(s, &f, WIRE_API_HEARTBEAT, &head);
    ((struct wire_heartbeat_response *)head)->error_code = (int16_t)error;
    kb_answer(s, s->in->call_id, WIRE_API_HEARTBEAT, s->in->version, &f);
}

/* ---- leave ---- */

static int32_t leave_one(const struct kb_gstep *s, uint32_t group, const char *id,
                         const char *instance)
{
    struct kb_groups *g = s->g;
    uint32_t pending = kb_member_find(g, group, id, true);
    uint32_t row = kb_member_find(g, group, id, false);
    uint32_t same = kb_member_static(g, group, instance);

    if (*id != 0 && kb_group_fenced(g, group, id, instance)) {
        return WIRE_ERROR_FENCED_INSTANCE_ID;
    }
    if (pending != 0 && row == 0) {
        if (instance != NULL) { /* Kafka throws */
            return WIRE_ERROR_UNKNOWN_SERVER_ERROR;
        }
        kb_pending_remove(s, pending);
        return WIRE_ERROR_NONE;
    }
    if (row == 0 && same == 0) {
        return WIRE_ERROR_UNKNOWN_MEMBER_ID;
    }
    kb_member_remove(s, same != 0 ? same : row);
    return WIRE_ERROR_NONE;
}

static void answer_leave(const struct kb_gstep *s, const struct wire_leave_group_request *r,
                         int32_t top, const int16_t *errors, int32_t count)
{
    const struct wire_leave_group_request_member *members =
        WIRE_ITEMS(r, r->members, struct wire_leave_group_request_member);
    struct wire_flat f;
    void *head;

    kb_flat_begin(s, &f, WIRE_API_LEAVE_GROUP, &head);
    struct wire_leave_group_response *out = head;
    out->error_code = (int16_t)top;
    if (s->in->version >= 3 && top == WIRE_ERROR_NONE) {
        out->members = wire_flat_array(&f, count, sizeof(struct wire_leave_group_response_member));
        for (int32_t i = 0; i < out->members.count; i++) {
            struct wire_leave_group_response_member *item = wire_flat_at(&f, out->members.at);
            item[i].member_id = wire_flat_string(&f, wire_text(r, members[i].member_id));
            item[i].group_instance_id =
                wire_flat_string(&f, wire_text(r, members[i].group_instance_id));
            item[i].error_code = errors[i];
        }
    } else if (top == WIRE_ERROR_NONE) {
        out->error_code = errors[0];
    }
    kb_answer(s, s->in->call_id, WIRE_API_LEAVE_GROUP, s->in->version, &f);
}

void kb_on_leave(const struct kb_gstep *s)
{
    struct kb_groups *g = s->g;
    const struct wire_leave_group_request *r = s->in->request;
    const struct wire_leave_group_request_member *members =
        WIRE_ITEMS(r, r->members, struct wire_leave_group_request_member);
    int32_t count = s->in->version < 3 ? 1 : r->members.count < 0 ? 0 : r->members.count;
    int32_t top = kb_group_refused(g, wire_text(r, r->group_id), true);
    uint32_t group = top == WIRE_ERROR_NONE ? kb_group_find(g, wire_text(r, r->group_id)) : 0;
    /* The errors stand at the end of the scratch, behind whatever a step may put. */
    int16_t *errors =
        (int16_t *)(void *)((uint8_t *)s->out->scratch + kb_groups_scratch_size(&g->limits) -
                            ((g->limits.request + 7) & ~7u));

    for (int32_t i = 0; i < count && top == WIRE_ERROR_NONE; i++) {
        const char *id = wire_text(r, s->in->version < 3 ? r->member_id : members[i].member_id);
        const char *instance =
            s->in->version < 3 ? NULL : wire_text(r, members[i].group_instance_id);
        errors[i] = (int16_t)(group == 0 ? WIRE_ERROR_UNKNOWN_MEMBER_ID
                                         : leave_one(s, group, id, instance));
    }
    if (group != 0) {
        kb_group_due(g, group);
    }
    answer_leave(s, r, top, errors, count);
}
